/* Running the COPY, and what it tells of the files it wrote: where they are, their partition
 * values, the bounds of floating-point columns (a footer omits them where a chunk holds NaN).
 * All other statistics come from the footers. */
#include "run/write.h"

#include "run/params.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

/* "tarn:required:3" in a message, as an error about the column; others stay as they are. */
static status explain_check(const write_request *request, const write_sql *sql, status result,
                            error *err)
{
    static const struct {
        const char *marker, *text, *sqlstate;
    } rules[] = {
        {WRITE_REQUIRED, "is required, but a row has no value for it", "23502"},
        {WRITE_INFINITE, "cannot hold infinity", "22003"},
    };
    str message = err != NULL ? str_c(err->message) : STR("");
    for (size_t i = 0; result != STATUS_OK && i < COUNT_OF(rules); i++) {
        str marker = str_c(rules[i].marker);
        size_t at = str_find(message, marker);
        int64_t number = -1;
        if (at == STR_NPOS) {
            continue;
        }
        str digits = str_slice(message, at + marker.size, message.size);
        size_t size = 0;
        while (size < digits.size && digits.data[size] >= '0' && digits.data[size] <= '9') {
            size++;
        }
        (void)str_to_int64(str_slice(digits, 0, size), &number, NULL);
        if (number < 0 || (size_t)number >= sql->check_count) {
            continue;
        }
        error_set(err, STATUS_BAD_DATA, "column \"%.*s\"%s%.*s%s %s", STR_ARG(sql->checks[number]),
                  request->table.size > 0 ? " of table \"" : "", STR_ARG(request->table),
                  request->table.size > 0 ? "\"" : "", rules[i].text);
        error_set_sqlstate(err, rules[i].sqlstate);
        return STATUS_BAD_DATA;
    }
    return result;
}

/* The failure of the statement that has the source in it. */
static status explain(const write_request *request, const write_sql *sql, status result, error *err)
{
    if (result != STATUS_OK && err != NULL && err->position != ERROR_NO_POSITION) {
        size_t position = (size_t)err->position, offset = sql->source_offset;
        err->position = position < offset || position > offset + request->source_sql.size
                            ? ERROR_NO_POSITION
                            : (int)(position - offset);
    }
    return explain_check(request, sql, result, err);
}

/* ---- RETURN_STATS ---- */

/* The columns of a row: filename, count, file_size_bytes, footer_size_bytes, column_statistics,
 * partition_keys. */
enum { STATS_FILE = 0, STATS_ROWS = 1, STATS_BYTES = 2, STATS_COLUMNS = 4, STATS_PARTITION = 5 };

#define SPLIT_ROWS_MIN INT64_C(4096) /* fewer are one row group anyway */

/* A MAP arrives as an array of {"key", "value"}. */
static const json *map_value(const json *entries, str key)
{
    for (size_t i = 0; i < json_count(entries); i++) {
        const json *entry = json_at(entries, i);
        if (str_equal(json_str_or(json_get(entry, "key"), STR_NULL), key)) {
            return json_get(entry, "value");
        }
    }
    return NULL;
}

static double number_of(str text, bool *ret_known)
{
    double value = 0;
    *ret_known = !str_is_null(text) && str_to_double(text, &value, NULL) == STATUS_OK;
    return value;
}

typedef VEC(ice_float_bound) bound_list;

/* Float and double fields of the tree; `path` is the quoted, dotted name that DuckDB gives them. */
static void add_bounds(const ice_type *type, str path, const json *columns, arena *a,
                       bound_list *bounds)
{
    static const char *const list_names[] = {"element"}, *const map_names[] = {"key", "value"};
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        buf *name = buf_in(a, LIMIT_MIB);
        buf_add_str(name, path);
        buf_add_c(name, path.size > 0 ? ".\"" : "\"");
        str own = type->kind == ICE_LIST  ? str_c(list_names[i])
                  : type->kind == ICE_MAP ? str_c(map_names[i])
                                          : field->name;
        for (size_t k = 0; k < own.size; k++) {
            buf_add_c(name, own.data[k] == '"' ? "\"" : "");
            buf_add_char(name, own.data[k]);
        }
        buf_add_char(name, '"');
        if (field->type->kind == ICE_FLOAT || field->type->kind == ICE_DOUBLE) {
            const json *stats = map_value(columns, buf_str(name));
            ice_float_bound bound = {.field_id = field->id};
            bool lower, upper;
            bound.lower = number_of(json_str_or(map_value(stats, STR("min")), STR_NULL), &lower);
            bound.upper = number_of(json_str_or(map_value(stats, STR("max")), STR_NULL), &upper);
            bound.known = lower && upper;
            vec_push(a, bounds, bound);
        } else if (ice_kind_is_nested(field->type->kind)) {
            add_bounds(field->type, buf_str(name), columns, a, bounds);
        }
    }
}

static status read_partition(const ice_metadata *m, const str *texts, arena *a,
                             const ice_value **ret_values, error *err)
{
    const ice_spec *spec = ice_metadata_spec(m);
    const ice_type *types;
    ice_value *values = ARENA_ARRAY(a, ice_value, spec->field_count + 1);
    TRY(ice_spec_type(spec, ice_metadata_schema(m), a, &types, err));
    for (size_t i = 0; i < spec->field_count; i++) {
        const ice_type *type = types->fields[i].type;
        if (str_is_null(texts[i])) {
            values[i] = (ice_value){.kind = type->kind, .is_null = true};
        } else if (write_is_binary(&spec->fields[i], ice_metadata_schema(m))) {
            values[i] = (ice_value){.kind = type->kind};
            TRY(str_from_hex(a, texts[i], &values[i].bytes, err));
        } else {
            TRY(ice_value_parse_text(type, str_copy(a, texts[i]), a, &values[i], err));
        }
    }
    *ret_values = values;
    return STATUS_OK;
}

status write_copy(const write_request *request, str copy, const str *partition, arena *a,
                  write_pieces *pieces, error *err)
{
    size_t fields = ice_metadata_spec(request->metadata)->field_count;
    const json *rows;
    TRY(worker_rows(request->w, copy, request->cancel, a, &rows, err));
    for (size_t i = 0; i < json_count(rows); i++) {
        const json *row = json_at(rows, i);
        str *texts = ARENA_ARRAY(a, str, fields + 1);
        for (size_t k = 0; k < fields && partition == NULL; k++) {
            texts[k] = json_str_or(
                map_value(json_at(row, STATS_PARTITION), str_printf(a, "tarn_p%zu", k)), STR_NULL);
        }
        write_piece piece = {
            .path = json_str_or(json_at(row, STATS_FILE), STR("")),
            .row_count = json_int64_or(json_at(row, STATS_ROWS), 0),
            .size_bytes = json_int64_or(json_at(row, STATS_BYTES), 0),
            .columns = json_at(row, STATS_COLUMNS),
            .partition = partition != NULL ? partition : texts,
        };
        if (piece.row_count > 0) {
            vec_push(a, pieces, piece);
        }
    }
    return STATUS_OK;
}

/* ---- files ---- */

/* A COPY that divides rows by partition cannot limit the size of files: those far beyond it are
 * written again, divided. */
static status split_piece(const write_request *request, const write_sql *sql,
                          const write_piece *piece, arena *a, write_pieces *pieces, error *err)
{
    buf *copy = buf_in(a, LIMIT_WORKER_MESSAGE);
    buf_add_c(copy, "COPY (SELECT * FROM read_parquet(");
    sql_quote_text(copy, piece->path);
    buf_add_c(copy, ", hive_partitioning = false)) TO ");
    sql_quote_text(
        copy, str_printf(a, "%s/%s", worker_out(request->w), worker_fresh_name(request->w, a)));
    buf_printf(copy, " (%.*s, WRITE_EMPTY_FILE false, FILE_SIZE_BYTES %lld)", STR_ARG(sql->options),
               (long long)write_target_bytes(request->metadata));
    TRY(buf_check(copy, "the statement", err));
    TRY(write_copy(request, buf_str(copy), piece->partition, a, pieces, err));
    return fs_remove(str_to_c(a, piece->path), err);
}

static status split_pieces(const write_request *request, const write_sql *sql, arena *a,
                           write_pieces *pieces, error *err)
{
    int64_t target = write_target_bytes(request->metadata);
    write_pieces whole = *pieces;
    *pieces = (write_pieces){0};
    for (size_t i = 0; i < whole.count; i++) {
        const write_piece *piece = &whole.items[i];
        if (piece->size_bytes > target + target / 2 && piece->row_count > SPLIT_ROWS_MIN) {
            TRY(split_piece(request, sql, piece, a, pieces, err));
        } else {
            vec_push(a, pieces, *piece);
        }
    }
    return STATUS_OK;
}

static status read_file(const write_request *request, const write_sql *sql,
                        const write_piece *piece, arena *a, ice_file *ret_file,
                        store_stage_request *ret_stage, error *err)
{
    const ice_metadata *m = request->metadata;
    const ice_schema *schema = ice_metadata_schema(m);
    const ice_spec *spec = ice_metadata_spec(m);
    char *path = str_to_c(a, piece->path);
    const ice_value *partition = NULL;
    bound_list bounds = {0};
    ice_file file;

    if (spec->field_count > 0) {
        TRY(read_partition(m, piece->partition, a, &partition, err));
    }
    add_bounds(schema->root, STR(""), piece->columns, a, &bounds);
    TRY(ice_file_measure(path, schema, m, bounds.items, bounds.count, a, &file, err));
    file.path = ice_data_location(m, spec, partition, a);
    file.spec_id = spec->id;
    file.partition = partition;
    file.partition_count = spec->field_count;
    file.sort_order_id = sql->order_id;
    *ret_file = file;
    *ret_stage = (store_stage_request){
        .location = file.path, .content_type = STR("application/vnd.apache.parquet"), .path = path};
    return STATUS_OK;
}

/* A COPY by partition holds so many rows of each thread in memory before it hands them to files.
 * DuckDB's own number takes more than a small worker has, where rows are wide. */
#define FLUSH_ROWS_MIN INT64_C(65536)
#define FLUSH_ROWS_MAX INT64_C(524288) /* DuckDB's */
#define FLUSH_BYTES_PER_ROW 8192       /* of all memory: two threads, wide rows, room for files */

static status limit_flush(const write_request *request, arena *a, error *err)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    str text, unit;
    double bytes = 0;
    TRY(worker_scalar(request->w, STR("SELECT current_setting('memory_limit')"), NULL, 0,
                      request->cancel, a, &text, err));
    if (str_to_double(str_cut(text, ' ', &unit), &bytes, NULL) != STATUS_OK) {
        return STATUS_OK;
    }
    for (size_t i = 0, times = 1024; i < COUNT_OF(units); i++, times *= 1024) {
        bytes *= str_equal(unit, str_c(units[i])) ? (double)times : 1.0;
    }
    if (bytes >= (double)FLUSH_ROWS_MAX * FLUSH_BYTES_PER_ROW) {
        return STATUS_OK;
    }
    int64_t rows = (int64_t)(bytes / FLUSH_BYTES_PER_ROW);
    rows = rows < FLUSH_ROWS_MIN ? FLUSH_ROWS_MIN : rows;
    return worker_exec(
        request->w, str_printf(a, "SET partitioned_write_flush_threshold = %lld", (long long)rows),
        request->cancel, err);
}

static status write_pieces_of(const write_request *request, const write_sql *sql, str scratch,
                              arena *a, write_pieces *pieces, error *err)
{
    status result;
    if (!sql->sorted) {
        TRY(sql->partitioned ? limit_flush(request, a, err) : STATUS_OK);
        result = write_copy(request, sql->text, NULL, a, pieces, err);
        TRY(explain(request, sql, result, err));
        return sql->partitioned ? split_pieces(request, sql, a, pieces, err) : STATUS_OK;
    }
    result = worker_exec(request->w, sql->text, request->cancel, err);
    TRY(explain(request, sql, result, err));
    TRY(write_sorted(request, sql, scratch, a, pieces, err));
    return worker_exec(request->w, str_printf(a, "DROP TABLE %.*s", STR_ARG(scratch)),
                       request->cancel, err);
}

status write_rows(const write_request *request, arena *a, engine_written *ret_written, error *err)
{
    char *name = worker_fresh_name(request->w, a);
    char *target = arena_printf(a, "%s/%s", worker_out(request->w), name);
    str scratch = str_printf(a, "tarn_sorted_%s", name);
    engine_written written = {0};
    write_pieces pieces = {0};
    write_sql sql;

    TRY(write_make_sql(request, target, scratch, a, &sql, err));
    if (sql.unordered) {
        TRY(worker_exec(request->w, STR("SET preserve_insertion_order = false"), request->cancel,
                        err));
    }
    TRY(write_pieces_of(request, &sql, scratch, a, &pieces, err));
    if (sql.unordered) { /* after a failure the worker's session is put back */
        TRY(worker_exec(request->w, STR("RESET preserve_insertion_order"), request->cancel, err));
    }
    written.files = ARENA_ARRAY(a, ice_file, pieces.count + 1);
    written.requests = ARENA_ARRAY(a, store_stage_request, pieces.count + 1);
    for (size_t i = 0; i < pieces.count; i++) {
        TRY(read_file(request, &sql, &pieces.items[i], a, &written.files[i], &written.requests[i],
                      err));
        written.count++;
        written.row_count += pieces.items[i].row_count;
    }
    *ret_written = written;
    return STATUS_OK;
}

status engine_write_rows(engine *e, worker *w, const ice_metadata *metadata, str source_sql,
                         const json *params, const worker_cancel *cancel, arena *a,
                         engine_written *ret_written, error *err)
{
    (void)e;
    edited source = {.text = source_sql};
    if (params != NULL) {
        token_list tokens;
        edit_list edits = {0};
        TRY(token_scan(source_sql, a, &tokens, err));
        TRY(params_edit(&tokens, (token_range){.from = 0, .to = tokens.count}, params, a, &edits,
                        err));
        TRY(edit_apply(source_sql, 0, source_sql.size, &edits, a, &source, err));
    }
    write_request request = {
        .w = w, .metadata = metadata, .source_sql = source.text, .cancel = cancel};
    return write_rows(&request, a, ret_written, err);
}

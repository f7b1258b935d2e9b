/* Running the COPY, and what it tells of the files it wrote: where they are, their partition
 * values, the bounds of floating-point columns (a footer omits them where a chunk holds NaN).
 * All other statistics come from the footers. */
#include "run/write.h"

#include "run/params.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

/* "tarn:required:3" in a message, as an error about the column; others stay as they are. */
static status explain_check(const write_request *request, const write_sql *sql, status result,
                            error *err)
{
    static const struct {
        const char *marker, *text;
    } rules[] = {
        {WRITE_REQUIRED, "is required, but a row has no value for it"},
        {WRITE_INFINITE, "cannot hold infinity"},
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
        return error_set(err, STATUS_BAD_DATA, "column \"%.*s\"%s%.*s%s %s",
                         STR_ARG(sql->checks[number]),
                         request->table.size > 0 ? " of table \"" : "", STR_ARG(request->table),
                         request->table.size > 0 ? "\"" : "", rules[i].text);
    }
    return result;
}

static status run_copy(const write_request *request, const write_sql *sql, arena *a,
                       const json **ret_rows, error *err)
{
    status result = worker_rows(request->w, sql->text, request->cancel, a, ret_rows, err);
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
enum { STATS_FILE = 0, STATS_ROWS = 1, STATS_COLUMNS = 4, STATS_PARTITION = 5 };

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

static status read_partition(const ice_metadata *m, const json *keys, arena *a,
                             const ice_value **ret_values, error *err)
{
    const ice_spec *spec = ice_metadata_spec(m);
    const ice_type *types;
    ice_value *values = ARENA_ARRAY(a, ice_value, spec->field_count + 1);
    TRY(ice_spec_type(spec, ice_metadata_schema(m), a, &types, err));
    for (size_t i = 0; i < spec->field_count; i++) {
        const ice_type *type = types->fields[i].type;
        const json *value = map_value(keys, str_printf(a, "tarn_p%zu", i));
        if (json_kind_of(value) == JSON_NULL) {
            values[i] = (ice_value){.kind = type->kind, .is_null = true};
        } else if (write_is_binary(&spec->fields[i], ice_metadata_schema(m))) {
            values[i] = (ice_value){.kind = type->kind};
            TRY(str_from_hex(a, json_str_or(value, STR("")), &values[i].bytes, err));
        } else {
            TRY(ice_value_parse_text(type, str_copy(a, json_str_or(value, STR(""))), a, &values[i],
                                     err));
        }
    }
    *ret_values = values;
    return STATUS_OK;
}

static status read_file(const write_request *request, const json *row, arena *a, ice_file *ret_file,
                        store_stage_request *ret_stage, error *err)
{
    const ice_metadata *m = request->metadata;
    const ice_schema *schema = ice_metadata_schema(m);
    const ice_spec *spec = ice_metadata_spec(m);
    char *path = str_to_c(a, json_str_or(json_at(row, STATS_FILE), STR("")));
    const ice_value *partition = NULL;
    bound_list bounds = {0};
    ice_file file;

    if (spec->field_count > 0) {
        TRY(read_partition(m, json_at(row, STATS_PARTITION), a, &partition, err));
    }
    add_bounds(schema->root, STR(""), json_at(row, STATS_COLUMNS), a, &bounds);
    TRY(ice_file_measure(path, schema, m, bounds.items, bounds.count, a, &file, err));
    file.path = ice_data_location(m, spec, partition, a);
    file.spec_id = spec->id;
    file.partition = partition;
    file.partition_count = spec->field_count;
    *ret_file = file;
    *ret_stage = (store_stage_request){
        .location = file.path, .content_type = STR("application/vnd.apache.parquet"), .path = path};
    return STATUS_OK;
}

status write_rows(const write_request *request, arena *a, engine_written *ret_written, error *err)
{
    char *target =
        arena_printf(a, "%s/%s", worker_out(request->w), worker_fresh_name(request->w, a));
    engine_written written = {0};
    write_sql sql;
    const json *rows;

    TRY(write_make_sql(request, target, a, &sql, err));
    TRY(run_copy(request, &sql, a, &rows, err));
    size_t count = json_count(rows);
    written.files = ARENA_ARRAY(a, ice_file, count + 1);
    written.requests = ARENA_ARRAY(a, store_stage_request, count + 1);
    for (size_t i = 0; i < count; i++) {
        const json *row = json_at(rows, i);
        int64_t row_count = json_int64_or(json_at(row, STATS_ROWS), 0);
        if (row_count == 0) {
            continue;
        }
        TRY(read_file(request, row, a, &written.files[written.count],
                      &written.requests[written.count], err));
        written.count++;
        written.row_count += row_count;
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

/* One load: inputs to rows of the table's types, rows to data files, files to one commit. */
#include "tarn/ingest/ingest.h"

#include "internal.h"
#include "tarn/base/clock.h"
#include "tarn/base/fault.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"
#include "tarn/base/vec.h"

status ingest_open(engine *e, catalog *c, access_control *ac, storage *st, ingest **ret_ingest,
                   error *err)
{
    (void)err;
    ingest *in = NEW(ingest);
    *in = (ingest){.engine = e, .catalog = c, .access = ac, .storage = st};
    *ret_ingest = in;
    return STATUS_OK;
}

void ingest_close(ingest *in)
{
    mem_free(in);
}

/* A load on its way. */
typedef struct load {
    ingest *in;
    const load_request *request;
    arena *a;
    worker_cancel cancel;
    worker *worker;
    source source;
    table_name name;
    bool exists;
    ice_metadata *metadata; /* of the table, or of the one to be made */
    str location;           /* of a table to be made */
    bool is_place_planned;  /* the catalog chose it */
    load_result result;
} load;

/* ---- the table ---- */

static status find_table(load *l, error *err)
{
    const load_request *r = l->request;
    str *parts = NULL;
    size_t count = 0;
    table_info info;

    TRY(catalog_split_name(r->table, l->a, &parts, &count, err));
    status found = catalog_resolve(l->in->catalog, parts, count, r->space, l->a, &l->name, err);
    l->exists = found == STATUS_OK;
    if (found == STATUS_NO_TABLE && r->create) {
        TRY(catalog_resolve_new(l->in->catalog, parts, count, r->space, l->a, &l->name, err));
        error_clear(err);
    } else if (found != STATUS_OK) {
        return found;
    }
    resource what = {.warehouse = catalog_warehouse(l->in->catalog),
                     .space = l->name.space,
                     .table = l->name.table};
    TRY(access_check(l->in->access, &r->who, l->exists ? ACTION_TABLE_WRITE : ACTION_TABLE_CREATE,
                     &what, err));
    ice_metadata_unref(l->metadata);
    l->metadata = NULL;
    return l->exists ? catalog_load_table(l->in->catalog, l->name, l->a, &l->metadata, &info, err)
                     : STATUS_OK;
}

/* Tables of format version 2 have no nanoseconds. Most programs that write them count microseconds: those fit, and
 * others are refused when they come (fine_time). */
static str table_type(const load *l, str type)
{
    bool is_newer = false;

    for (size_t i = 0; i < l->request->property_count; i++) {
        const ice_property *property = &l->request->properties[i];
        is_newer = is_newer || (str_equal(property->key, STR("format-version")) &&
                                str_equal(property->value, STR("3")));
    }
    return str_equal(type, STR("TIMESTAMP_NS")) && !is_newer ? STR("TIMESTAMP") : type;
}

/* Metadata as the new table will have it, so that its first files are written with its field ids. */
static status draft_table(load *l, error *err)
{
    const source *s = &l->source;
    ice_field *fields = ARENA_ARRAY(l->a, ice_field, s->column_count);
    ice_type *root = ARENA_NEW(l->a, ice_type);

    for (size_t i = 0; i < s->column_count; i++) {
        fields[i].name = s->columns[i].name;
        TRY(engine_iceberg_type(table_type(l, s->columns[i].type), s->columns[i].name, l->a,
                                &fields[i].type, err));
    }
    *root = (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = s->column_count};
    if (l->location.size == 0) {
        TRY(catalog_plan_location(l->in->catalog, l->name, STR(""), l->a, &l->location, err));
        l->is_place_planned = true;
    }
    ice_create create = {
        .location = l->location,
        .root = root,
        .partition_sql = l->request->partition_by,
        .properties = l->request->properties,
        .property_count = l->request->property_count,
    };
    ice_metadata_unref(l->metadata);
    l->metadata = NULL;
    return ice_metadata_create(&create, &l->metadata, err);
}

/* ---- matching columns ---- */

static status unknown_column(const load *l, str name, error *err)
{
    const ice_schema *schema = ice_metadata_schema(l->metadata);
    str *names = ARENA_ARRAY(l->a, str, schema->root->field_count);

    for (size_t i = 0; i < schema->root->field_count; i++) {
        names[i] = schema->root->fields[i].name;
    }
    error_set(err, STATUS_NO_COLUMN, "table \"%.*s.%.*s\" has no column \"%.*s\"",
              STR_ARG(l->name.space), STR_ARG(l->name.table), STR_ARG(name));
    str nearest = str_nearest(name, names, schema->root->field_count);
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
    return STATUS_NO_COLUMN;
}

/* The source's column for each of the table's; NULL where it has none. */
static status match_columns(load *l, const source_column ***ret_matches, error *err)
{
    const ice_schema *schema = ice_metadata_schema(l->metadata);
    const source *s = &l->source;
    const source_column **matches =
        ARENA_ARRAY(l->a, const source_column *, schema->root->field_count);

    for (size_t i = 0; i < s->column_count; i++) {
        const ice_field *field = ice_schema_column(schema, s->columns[i].name);
        if (field == NULL) {
            return unknown_column(l, s->columns[i].name, err);
        }
        size_t index = (size_t)(field - schema->root->fields);
        if (matches[index] != NULL) {
            return error_set(err, STATUS_BAD_DATA, "column \"%.*s\" occurs twice in the input",
                             STR_ARG(field->name));
        }
        matches[index] = &s->columns[i];
    }
    for (size_t i = 0; i < schema->root->field_count; i++) {
        const ice_field *field = &schema->root->fields[i];
        if (matches[i] == NULL && field->required && field->write_default == NULL) {
            return error_set(
                err, STATUS_BAD_DATA,
                "column \"%.*s\" of table \"%.*s.%.*s\" is required and the input has none",
                STR_ARG(field->name), STR_ARG(l->name.space), STR_ARG(l->name.table));
        }
    }
    *ret_matches = matches;
    return STATUS_OK;
}

/* tarn's own TSV writes a tab, a line end, a backslash and a first quote with a backslash before it; so do others, and
 * none means anything else by it. Numbers and times have none. */
static bool is_escaped(const source *s, const ice_type *type)
{
    bool is_text = type->kind == ICE_STRING;
    bool is_nested = type->kind == ICE_STRUCT || type->kind == ICE_LIST || type->kind == ICE_MAP;

    return s->format == INPUT_TSV && (is_text || (is_nested && !s->unchecked));
}

static void unescaped_value(str name, buf *sql)
{
    buf_add_c(sql, "CASE WHEN contains(");
    sql_quote_name(sql, name);
    buf_add_c(sql, ", '\\') THEN array_to_string(list_transform(string_split(");
    sql_quote_name(sql, name);
    buf_add_c(
        sql, ", '\\\\'), lambda part: replace(replace(replace(replace(part, '\\t', chr(9)), '\\n', "
             "chr(10)), '\\r', chr(13)), '\\\"', '\"')), '\\') ELSE ");
    sql_quote_name(sql, name);
    buf_add_c(sql, " END");
}

/* Text formats are read as the table's types at once; Parquet is read as it is and cast. */
static const source_column *reading_types(load *l, const source_column *const *matches)
{
    const ice_schema *schema = ice_metadata_schema(l->metadata);
    const source *s = &l->source;
    source_column *columns = ARENA_ARRAY(l->a, source_column, s->column_count);

    for (size_t i = 0; i < s->column_count; i++) {
        columns[i] = s->columns[i];
        for (size_t f = 0; f < schema->root->field_count; f++) {
            if (matches[f] == &s->columns[i]) {
                buf *type = buf_in(l->a, LIMIT_SQL_TEXT);
                engine_duckdb_type(schema->root->fields[f].type, type);
                bool checked = ingest__is_checked(s, &s->columns[i], buf_str(type));
                bool as_text = checked || is_escaped(s, schema->root->fields[f].type);
                columns[i].type = as_text ? STR("VARCHAR") : buf_str(type);
            }
        }
    }
    return columns;
}

/* The value, or an error where microseconds cannot hold it. */
static void fine_time(str name, arena *a, buf *sql)
{
    buf_add_c(sql, "CASE WHEN epoch_ns(");
    sql_quote_name(sql, name);
    buf_add_c(sql, ") % 1000 <> 0 THEN error(");
    sql_quote_text(
        sql, str_printf(a, "column \"%.*s\" has times finer than the microseconds of its type",
                        STR_ARG(name)));
    buf_add_c(sql, ") ELSE ");
    sql_quote_name(sql, name);
    buf_add_c(sql, " END");
}

static status select_rows(load *l, str *ret_sql, error *err)
{
    const ice_schema *schema = ice_metadata_schema(l->metadata);
    const source_column **matches = NULL;
    buf *sql = buf_in(l->a, LIMIT_SQL_TEXT);

    TRY(match_columns(l, &matches, err));
    buf_add_c(sql, "SELECT ");
    for (size_t i = 0; i < schema->root->field_count; i++) {
        const ice_field *field = &schema->root->fields[i];
        buf *type = buf_in(l->a, LIMIT_SQL_TEXT);
        engine_duckdb_type(field->type, type);
        buf_add_c(sql, i > 0 ? ", CAST(" : "CAST(");
        if (matches[i] != NULL && ingest__is_checked(&l->source, matches[i], buf_str(type))) {
            ingest__checked_value(&l->source, matches[i], buf_str(type), sql);
        } else if (matches[i] != NULL && field->type->kind == ICE_TIMESTAMP &&
                   str_equal(matches[i]->type, STR("TIMESTAMP_NS"))) {
            fine_time(matches[i]->name, l->a, sql);
        } else if (matches[i] != NULL && is_escaped(&l->source, field->type)) {
            unescaped_value(matches[i]->name, sql);
        } else if (matches[i] != NULL) {
            sql_quote_name(sql, matches[i]->name);
        } else {
            engine_default_sql(field, l->a, sql);
        }
        buf_add_c(sql, " AS ");
        buf_add_str(sql, buf_str(type));
        buf_add_c(sql, ") AS ");
        sql_quote_name(sql, field->name);
    }
    buf_add_c(sql, " FROM ");
    ingest__source_sql(&l->source,
                       l->source.format == INPUT_PARQUET ? NULL : reading_types(l, matches),
                       l->source.column_count, sql);
    TRY(buf_check(sql, "statement", err));
    *ret_sql = buf_str(sql);
    return STATUS_OK;
}

/* ---- rows to files to a commit ---- */

static void report(const load *l, const char *phase, int64_t done, int64_t total)
{
    if (l->request->progress != NULL) {
        l->request->progress(l->request->progress_context, phase, done, total);
    }
}

static status write_files(load *l, engine_written *ret_written, error *err)
{
    str sql;

    if (!l->exists) {
        TRY(draft_table(l, err));
    }
    TRY(select_rows(l, &sql, err));
    return engine_write_rows(l->in->engine, l->worker, l->metadata, sql, NULL, &l->cancel, l->a,
                             ret_written, err);
}

/* The reader's own error knows the line of a value that does not cast; a value that only a check refused has none. */
static status find_line(load *l, status result, error *err)
{
    engine_written ignored = {0};
    error located = ERROR_INIT;

    l->source.unchecked = true;
    status again = write_files(l, &ignored, &located);
    if (again == STATUS_BAD_DATA || again == STATUS_WRONG_TYPE) {
        *err = located;
        return again;
    }
    return result;
}

/* Whether these columns of the input cannot be read as their types. */
static bool cannot_read(load *l, const source_column *columns, size_t count, error *ret_failure)
{
    buf *sql = buf_in(l->a, LIMIT_SQL_TEXT);
    const json *ignored;

    buf_add_c(sql, "SELECT ");
    for (size_t i = 0; i < count; i++) {
        buf_add_c(sql, i > 0 ? ", count(" : "count(");
        sql_quote_name(sql, columns[i].name);
        buf_add_char(sql, ')');
    }
    buf_add_c(sql, " FROM ");
    ingest__source_sql(&l->source, columns, count, sql);
    return buf_check(sql, "statement", NULL) == STATUS_OK &&
           worker_rows(l->worker, buf_str(sql), &l->cancel, l->a, &ignored, ret_failure) ==
               STATUS_BAD_DATA;
}

/* The reader of JSON tells which row has a wrong value, not which column: halves of them are read until one is left. */
static status find_column(load *l, status result, error *err)
{
    const source_column **matches = NULL;
    const source_column *columns;
    size_t count = l->source.column_count;
    error failure = ERROR_INIT;

    /* What is no JSON at all is no column's. */
    if (err == NULL || str_find(str_c(err->message), STR("JSON transform")) == STR_NPOS ||
        l->metadata == NULL || match_columns(l, &matches, NULL) != STATUS_OK) {
        return result;
    }
    columns = reading_types(l, matches);
    while (count > 1) {
        size_t half = count / 2;

        if (cannot_read(l, columns, half, &failure)) {
            count = half;
        } else {
            columns += half;
            count -= half;
        }
    }
    if (count == 1 && cannot_read(l, columns, 1, &failure)) {
        *err = failure;
        error_context(err, "column \"%.*s\"", STR_ARG(columns[0].name));
    }
    return result;
}

/* With types from a sample first; when a row does not fit them, with types from the whole input. */
static status convert(load *l, engine_written *ret_written, error *err)
{
    source *s = &l->source;
    bool inferred = !l->exists;

    report(l, "reading", 0, 0);
    TRY(ingest__source_describe(s, inferred, false, err));
    status result = write_files(l, ret_written, err);
    if (inferred && s->sampled &&
        (result == STATUS_BAD_DATA || result == STATUS_WRONG_TYPE || result == STATUS_INVALID)) {
        error_clear(err);
        TRY(ingest__source_describe(s, true, true, err));
        result = write_files(l, ret_written, err);
    }
    if (result != STATUS_BAD_DATA || s->format == INPUT_PARQUET) {
        return result;
    }
    result = find_line(l, result, err);
    return s->format == INPUT_JSON || s->format == INPUT_NDJSON ? find_column(l, result, err)
                                                                : result;
}

static status commit(load *l, const engine_written *written, error *err)
{
    static const ice_property summary[] = {{STR_INIT("engine-name"), STR_INIT("tarn")}};
    const ice_append append = {
        .files = written->files,
        .file_count = written->count,
        .unstaged = written->requests,
        .unstaged_count = written->count,
        .table_uuid = l->exists ? l->metadata->uuid : STR_NULL,
        .summary = summary,
        .summary_count = COUNT_OF(summary),
        .schema_id = l->metadata->current_schema_id,
    };

    report(l, "committing", 0, 0);
    if (l->exists) {
        ice_commit_result committed = {.snapshot_id = ICE_NO_SNAPSHOT};
        if (written->count > 0) {
            TRY(catalog_append(l->in->catalog, l->name, &append, &committed, err));
        }
        l->result.snapshot_id = committed.snapshot_id;
        return STATUS_OK;
    }
    const catalog_create create = {
        .name = l->name,
        .table = {.location = l->location,
                  .root = ice_metadata_schema(l->metadata)->root,
                  .partition_sql = l->request->partition_by,
                  .properties = l->request->properties,
                  .property_count = l->request->property_count},
        .location_planned = l->is_place_planned,
        .append = written->count > 0 ? &append : NULL,
    };
    return catalog_create_table(l->in->catalog, &create, &l->result.created, err);
}

static status convert_and_commit(load *l, engine_written *ret_written, error *err)
{
    TRY(convert(l, ret_written, err));
    return commit(l, ret_written, err);
}

/* The snapshot that a table came into being with. */
static status read_first_snapshot(load *l, error *err)
{
    ice_metadata *metadata = NULL;
    table_info info;

    TRY(catalog_load_table(l->in->catalog, l->name, l->a, &metadata, &info, err));
    l->result.snapshot_id = metadata->current_snapshot_id;
    ice_metadata_unref(metadata);
    return STATUS_OK;
}

static status run_load(load *l, error *err)
{
    engine_written written = {0};

    TRY(find_table(l, err));
    TRY(worker_acquire(engine_workers(l->in->engine), l->request->who.id, WORKER_WRITER, &l->cancel,
                       &l->worker, err));
    l->source =
        (source){.request = l->request, .worker = l->worker, .cancel = &l->cancel, .a = l->a};
    TRY(ingest__source_open(&l->source, err));
    TRY(FAULT(FAULT_INGEST_RECEIVED, err));
    status result = convert_and_commit(l, &written, err);
    if (result == STATUS_EXISTS && !l->exists) { /* another load has made the table meanwhile */
        error_clear(err);
        TRY(find_table(l, err));
        result = convert_and_commit(l, &written, err);
    }
    TRY(result);
    if (l->result.created) {
        TRY(read_first_snapshot(l, err));
    }
    l->result.rows_read = written.row_count;
    l->result.rows_written = written.row_count;
    l->result.files = (int64_t)written.count;
    for (size_t i = 0; i < written.count; i++) {
        l->result.bytes_written += written.files[i].size_bytes;
    }
    return STATUS_OK;
}

static status check_request(const load_request *r, error *err)
{
    if (r->mode != LOAD_APPEND) {
        return error_set(err, STATUS_UNSUPPORTED, "load mode %s is not supported yet",
                         r->mode == LOAD_OVERWRITE ? "overwrite" : "upsert");
    }
    if (r->input_count == 0) {
        return error_set(err, STATUS_USAGE, "there is nothing to load");
    }
    return STATUS_OK;
}

status ingest_load(ingest *in, const load_request *request, arena *a, load_result *ret_result,
                   error *err)
{
    int64_t started_ns = clock_mono_ns();
    load l = {.in = in,
              .request = request,
              .a = a,
              .cancel = {.is_cancelled = request->is_cancelled, .context = request->cancel_context},
              .result = {.snapshot_id = ICE_NO_SNAPSHOT}};

    TRY(check_request(request, err));
    status result = run_load(&l, err);
    if (result != STATUS_OK && l.worker != NULL) {
        ingest__translate_error(&l.source, err);
    }
    if (l.worker != NULL) {
        worker_release(l.worker);
    }
    ice_metadata_unref(l.metadata);
    TRY(result);
    l.result.table = l.name;
    l.result.seconds = (double)(clock_mono_ns() - started_ns) / 1e9;
    *ret_result = l.result;
    return STATUS_OK;
}

/* Tables over the API: list, describe, drop, rename, history, files, preview. */
#include <inttypes.h>
#include <stdio.h>

#include "answer.h"
#include "handlers.h"
#include "sql/run.h"
#include "tarn/base/limits.h"
#include "tarn/catalog/dropped.h"
#include "tarn/catalog/view.h"
#include "tarn/iceberg/scan.h"

static void member_number_text(json_writer *w, const char *key, str text)
{
    int64_t number = 0;
    if (str_to_int64(text, &number, NULL) == STATUS_OK) {
        json_member_int(w, key, number);
    } else {
        json_member_null(w, key);
    }
}

/* Totals as the current snapshot's summary tells them; zero for a table without one. */
static void format_totals(const ice_metadata *m, json_writer *w)
{
    static const struct {
        const char *member, *summary;
    } totals[] = {
        {"rows", "total-records"},
        {"files", "total-data-files"},
        {"size_bytes", "total-files-size"},
        {"delete_files", "total-delete-files"},
    };
    const ice_snapshot *snapshot = ice_metadata_snapshot(m);

    for (size_t i = 0; i < COUNT_OF(totals); i++) {
        if (snapshot == NULL) {
            json_member_int(w, totals[i].member, 0);
        } else {
            member_number_text(w, totals[i].member,
                               ice_snapshot_summary(snapshot, totals[i].summary));
        }
    }
}

static void format_table_head(const table_info *info, const ice_metadata *m, json_writer *w)
{
    json_member_str(w, "namespace", info->name.space);
    json_member_str(w, "name", info->name.table);
    json_member_c(w, "kind", "table");
    json_member_str(w, "uuid", info->uuid);
    json_member_str(w, "metadata_location", info->metadata_location);
    json_member_bool(w, "protected", info->is_protected);
    member_time_us(w, "created_at", info->created_us);
    member_time_us(w, "updated_at", info->updated_us);
    format_totals(m, w);
}

/* What a view has of a table's members. */
static void format_view(const view_info *info, json_writer *w)
{
    json_begin_object(w);
    json_member_str(w, "namespace", info->name.space);
    json_member_str(w, "name", info->name.table);
    json_member_c(w, "kind", "view");
    json_member_str(w, "uuid", info->uuid);
    json_member_str(w, "metadata_location", info->metadata_location);
    member_time_us(w, "created_at", info->created_us);
    member_time_us(w, "updated_at", info->updated_us);
    json_end_object(w);
}

/* Tables, then views. */
status tables_get(call *c, error *err)
{
    table_info *list = NULL;
    view_info *views = NULL;
    size_t count = 0, view_count = 0;

    TRY(catalog_list_tables(c->app->catalog, http_request_segment(c->x, "ns"), c->a, &list, &count,
                            err));
    TRY(catalog_list_views(c->app->catalog, http_request_segment(c->x, "ns"), c->a, &views,
                           &view_count, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "tables");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        ice_metadata *m = NULL;
        table_info info;
        error gone = ERROR_INIT;
        if (catalog_load_table(c->app->catalog, list[i].name, c->a, &m, &info, &gone) !=
            STATUS_OK) {
            continue; /* dropped since it was listed */
        }
        json_begin_object(&w);
        format_table_head(&info, m, &w);
        json_end_object(&w);
        ice_metadata_unref(m);
    }
    for (size_t i = 0; i < view_count; i++) {
        format_view(&views[i], &w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

/* ---- one table ---- */

static void unref_metadata(void *metadata)
{
    ice_metadata_unref(metadata);
}

/* The table of the path; its metadata stays until the request ends. */
static status load_table(call *c, table_info *ret_info, ice_metadata **ret_metadata, error *err)
{
    table_name name;

    TRY(path_table(c, &name, err));
    TRY(catalog_load_table(c->app->catalog, name, c->a, ret_metadata, ret_info, err));
    arena_defer(c->a, unref_metadata, *ret_metadata);
    return STATUS_OK;
}

static void format_columns(const call *c, const ice_schema *schema, json_writer *w)
{
    json_begin_array(w);
    for (size_t i = 0; i < schema->root->field_count; i++) {
        const ice_field *field = &schema->root->fields[i];
        buf *type = buf_in(c->a, LIMIT_MIB);
        buf *duckdb = buf_in(c->a, LIMIT_MIB);
        ice_type_format(field->type, type);
        engine_duckdb_type(field->type, duckdb);
        json_begin_object(w);
        json_member_int(w, "id", field->id);
        json_member_str(w, "name", field->name);
        json_member_str(w, "type", buf_str(duckdb));
        json_member_str(w, "iceberg_type", buf_str(type));
        json_member_bool(w, "required", field->required);
        if (!str_is_null(field->doc)) {
            json_member_str(w, "comment", field->doc);
        }
        json_end_object(w);
    }
    json_end_array(w);
}

static void format_spec(const call *c, const ice_metadata *m, json_writer *w)
{
    const ice_spec *spec = ice_metadata_spec(m);

    json_begin_array(w);
    for (size_t i = 0; i < spec->field_count; i++) {
        const ice_partition_field *field = &spec->fields[i];
        json_begin_object(w);
        json_member_str(w, "name", field->name);
        json_member_str(w, "transform", field->transform.text);
        json_member_str(w, "column",
                        ice_schema_path(ice_metadata_schema(m), field->source_id, c->a));
        json_end_object(w);
    }
    json_end_array(w);
}

static void format_properties(const ice_metadata *m, json_writer *w)
{
    json_begin_object(w);
    for (size_t i = 0; i < m->property_count; i++) {
        json_key_str(w, m->properties[i].key);
        json_put_str(w, m->properties[i].value);
    }
    json_end_object(w);
}

static status answer_table(call *c, int status_code, table_name name, error *err)
{
    table_info info;
    ice_metadata *m = NULL;

    TRY(catalog_load_table(c->app->catalog, name, c->a, &m, &info, err));
    arena_defer(c->a, unref_metadata, m);
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    format_table_head(&info, m, &w);
    json_member_int(&w, "format_version", m->format_version);
    json_member_str(&w, "location", m->location);
    json_member_bool(&w, "registered", info.registered);
    if (!str_is_null(info.rebase)) {
        json_key(&w, "rebase");
        json_put_raw(&w, info.rebase);
    }
    json_key(&w, "columns");
    format_columns(c, ice_metadata_schema(m), &w);
    json_key(&w, "schema");
    ice_schema_format(ice_metadata_schema(m), &w);
    json_key(&w, "partitioning");
    format_spec(c, m, &w);
    json_key(&w, "properties");
    format_properties(m, &w);
    member_id(&w, "current_snapshot_id", m->current_snapshot_id);
    json_member_int(&w, "snapshots", (int64_t)m->snapshot_count);
    json_end_object(&w);
    return answer_send(c, status_code, &w, err);
}

status table_get(call *c, error *err)
{
    table_name name;

    TRY(path_table(c, &name, err));
    return answer_table(c, 200, name, err);
}

status table_delete(call *c, error *err)
{
    table_name name;
    bool dropped = false, purge = false;

    TRY(path_table(c, &name, err));
    TRY(param_bool(c, "purge", false, &purge, err));
    TRY(purge ? catalog_purge_table(c->app->catalog, name, false, &dropped, err)
              : catalog_drop_table(c->app->catalog, name, false, &dropped, err));
    answer_empty(c);
    return STATUS_OK;
}

typedef struct rename_body {
    str to;
} rename_body;

static const json_field rename_fields[] = {
    {"to", JSON_STR, JSON_REQUIRED, offsetof(rename_body, to)}};

status table_rename(call *c, error *err)
{
    const json *object = NULL;
    rename_body body = {0};
    table_name from, to;
    str *parts = NULL;
    size_t count = 0;

    TRY(request_json(c, &object, err));
    TRY(json_reject_unknown(object, rename_fields, COUNT_OF(rename_fields), err));
    TRY(json_read(object, rename_fields, COUNT_OF(rename_fields), &body, err));
    TRY(path_table(c, &from, err));
    TRY(catalog_split_name(body.to, c->a, &parts, &count, err));
    TRY(catalog_resolve_new(c->app->catalog, parts, count, from.space, c->a, &to, err));
    const resource target = {
        .warehouse = catalog_warehouse(c->app->catalog), .space = to.space, .table = to.table};
    TRY(access_check(c->app->access, &c->who, ACTION_TABLE_CREATE, &target, err));
    TRY(catalog_rename_table(c->app->catalog, from, to, err));
    answer_empty(c);
    return STATUS_OK;
}

typedef struct register_body {
    str name, location;
    const json *rebase;
} register_body;

static const json_field register_fields[] = {
    {"name", JSON_STR, JSON_REQUIRED, offsetof(register_body, name)},
    {"location", JSON_STR, JSON_REQUIRED, offsetof(register_body, location)},
    {"rebase", JSON_OBJECT, 0, offsetof(register_body, rebase)},
};

/* Prefixes of locations and what stands for them. */
static status read_rebase(call *c, const json *object, catalog_foreign *foreign, error *err)
{
    ice_rebase *rules = ARENA_ARRAY(c->a, ice_rebase, json_count(object) + 1);
    const json *to;
    str from;

    for (size_t at = 0; object != NULL && json_next_member(object, &at, &from, &to);) {
        if (json_kind_of(to) != JSON_STR) {
            return error_set(err, STATUS_INVALID, "\"rebase\" maps text to text");
        }
        rules[foreign->rebase_count++] = (ice_rebase){.from = from, .to = json_str_or(to, STR(""))};
    }
    foreign->rebase = rules;
    return STATUS_OK;
}

status table_register(call *c, error *err)
{
    const json *object = NULL;
    register_body body = {0};
    catalog_foreign foreign = {.version = STR("")};

    TRY(request_json(c, &object, err));
    TRY(json_reject_unknown(object, register_fields, COUNT_OF(register_fields), err));
    TRY(json_read(object, register_fields, COUNT_OF(register_fields), &body, err));
    TRY(read_rebase(c, body.rebase, &foreign, err));
    foreign.location = body.location;
    const table_name name = {.space = http_request_segment(c->x, "ns"), .table = body.name};
    const resource all = {.warehouse = catalog_warehouse(c->app->catalog)};
    TRY(access_check(c->app->access, &c->who, ACTION_LOCATION_READ, &all, err));
    TRY(catalog_register_table(c->app->catalog, name, &foreign, err));
    return answer_table(c, 201, name, err);
}

/* ---- history and files ---- */

static void format_snapshot(const ice_metadata *m, const ice_snapshot *s, json_writer *w)
{
    json_begin_object(w);
    member_id(w, "snapshot_id", s->id);
    member_id(w, "parent_id", s->parent_id);
    json_member_int(w, "sequence_number", s->sequence_number);
    member_time_us(w, "committed_at", s->timestamp_ms * 1000);
    json_member_c(w, "operation", ice_operation_name(s->operation));
    json_member_bool(w, "current", s->id == m->current_snapshot_id);
    member_number_text(w, "added_rows", ice_snapshot_summary(s, "added-records"));
    member_number_text(w, "added_files", ice_snapshot_summary(s, "added-data-files"));
    member_number_text(w, "total_rows", ice_snapshot_summary(s, "total-records"));
    member_number_text(w, "total_files", ice_snapshot_summary(s, "total-data-files"));
    json_member_str(w, "manifest_list", s->manifest_list);
    json_key(w, "summary");
    json_begin_object(w);
    for (size_t i = 0; i < s->summary_count; i++) {
        json_key_str(w, s->summary[i].key);
        json_put_str(w, s->summary[i].value);
    }
    json_end_object(w);
    json_end_object(w);
}

status snapshots_get(call *c, error *err)
{
    table_info info;
    ice_metadata *m = NULL;

    TRY(load_table(c, &info, &m, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "snapshots");
    json_begin_array(&w);
    for (size_t i = m->snapshot_count; i > 0; i--) {
        format_snapshot(m, &m->snapshots[i - 1], &w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

static void format_partition(const call *c, const ice_metadata *m, const ice_file *file,
                             json_writer *w)
{
    const ice_spec *spec = ice_metadata_spec_by_id(m, file->spec_id);
    const ice_type *types = NULL;

    json_begin_object(w);
    if (spec != NULL &&
        ice_spec_type(spec, ice_metadata_schema(m), c->a, &types, NULL) == STATUS_OK) {
        for (size_t i = 0; i < file->partition_count && i < spec->field_count; i++) {
            json_key_str(w, spec->fields[i].name);
            ice_value_format_json(types->fields[i].type, &file->partition[i], w);
        }
    }
    json_end_object(w);
}

status files_get(call *c, error *err)
{
    table_info info;
    ice_metadata *m = NULL;
    ice_scan scan = {0};

    TRY(load_table(c, &info, &m, err));
    const ice_scan_options options = {.metadata = m, .snapshot_id = ICE_NO_SNAPSHOT};
    if (m->current_snapshot_id != ICE_NO_SNAPSHOT) {
        TRY(ice_scan_plan(c->app->storage, &options, c->a, &scan, err));
    }
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "files");
    json_begin_array(&w);
    for (size_t i = 0; i < scan.file_count; i++) {
        const ice_file *file = &scan.files[i];
        json_begin_object(&w);
        json_member_str(&w, "path", file->path);
        json_member_str(&w, "format", file->format);
        json_member_int(&w, "rows", file->record_count);
        json_member_int(&w, "size_bytes", file->size_bytes);
        json_key(&w, "partition");
        format_partition(c, m, file, &w);
        member_id(&w, "snapshot_id", file->snapshot_id);
        json_member_int(&w, "sequence_number", file->data_sequence);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

#define PREVIEW_ROWS 100
#define PREVIEW_ROWS_MAX 10000

static str select_all(call *c, table_name name, int64_t limit)
{
    buf *sql = buf_in(c->a, LIMIT_SQL_TEXT);

    buf_add_c(sql, "SELECT * FROM ");
    for (str rest = name.space; !str_is_null(rest);) {
        sql_quote_name(sql, str_cut(rest, '.', &rest));
        buf_add_char(sql, '.');
    }
    sql_quote_name(sql, name.table);
    buf_printf(sql, " LIMIT %" PRId64, limit);
    return buf_str(sql);
}

status preview_get(call *c, error *err)
{
    table_name name;
    int64_t limit = 0;

    TRY(path_table(c, &name, err));
    TRY(param_int(c, "limit", PREVIEW_ROWS, &limit, err));
    if (limit > PREVIEW_ROWS_MAX) {
        return error_set(err, STATUS_INVALID, "parameter \"limit\" is beyond %d", PREVIEW_ROWS_MAX);
    }
    query_request request = {.sql = select_all(c, name, limit),
                             .format = RESULT_JSON_ROWS,
                             .reading_only = true,
                             .rows_max = -1};
    return run_query(c, &request, err);
}

/* ---- the small API: names as "ns.table" in one segment ---- */

static status small_table(call *c, action act, table_name *ret_name, error *err)
{
    str *parts = NULL;
    size_t count = 0;

    TRY(catalog_split_name(http_request_segment(c->x, "name"), c->a, &parts, &count, err));
    TRY(catalog_resolve(c->app->catalog, parts, count, STR(""), c->a, ret_name, err));
    const resource what = {.warehouse = catalog_warehouse(c->app->catalog),
                           .space = ret_name->space,
                           .table = ret_name->table};
    return access_check(c->app->access, &c->who, act, &what, err);
}

status small_schema_get(call *c, error *err)
{
    table_name name;
    table_info info;
    ice_metadata *m = NULL;

    TRY(small_table(c, ACTION_TABLE_READ, &name, err));
    TRY(catalog_load_table(c->app->catalog, name, c->a, &m, &info, err));
    arena_defer(c->a, unref_metadata, m);
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_member_str(&w, "table",
                    str_printf(c->a, "%.*s.%.*s", STR_ARG(name.space), STR_ARG(name.table)));
    json_key(&w, "columns");
    format_columns(c, ice_metadata_schema(m), &w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

status small_table_delete(call *c, error *err)
{
    table_name name;
    bool dropped = false;

    TRY(small_table(c, ACTION_TABLE_DROP, &name, err));
    TRY(catalog_drop_table(c->app->catalog, name, false, &dropped, err));
    answer_empty(c);
    return STATUS_OK;
}

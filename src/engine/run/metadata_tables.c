/* The table of metadata tables, their views, and how rows are written. */
#include "run/metadata_tables.h"

#include <fcntl.h>
#include <stdlib.h>

#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/base/vec.h"

#define FLUSH_BYTES LIMIT_MIB
#define TIME_MAX_MS INT64_C(250000000000000) /* somewhat before the last year that SQL knows */

/*  one snapshot: it can be asked for another version of the table */
static const struct {
    const char *name;
    metadata_build *build;
    int variant;
    bool one_snapshot;
} tables[] = {
    {"snapshots", metadata_snapshots, 0, false},
    {"history", metadata_history, 0, false},
    {"refs", metadata_refs, 0, false},
    {"metadata_log_entries", metadata_log_entries, 0, false},
    {"manifests", metadata_manifest_rows, METADATA_CURRENT, true},
    {"all_manifests", metadata_manifest_rows, METADATA_ALL, false},
    {"files", metadata_files, METADATA_DATA | METADATA_DELETES, true},
    {"data_files", metadata_files, METADATA_DATA, true},
    {"delete_files", metadata_files, METADATA_DELETES, true},
    {"all_files", metadata_files, METADATA_ALL | METADATA_DATA | METADATA_DELETES, false},
    {"all_data_files", metadata_files, METADATA_ALL | METADATA_DATA, false},
    {"all_delete_files", metadata_files, METADATA_ALL | METADATA_DELETES, false},
    {"entries", metadata_entries, METADATA_CURRENT, true},
    {"all_entries", metadata_entries, METADATA_ALL, false},
    {"partitions", metadata_partitions, 0, true},
    {"position_deletes", metadata_positions, 0, true},
};

static size_t find_table(str part)
{
    size_t i = 0;
    while (i < COUNT_OF(tables) && !str_equal_nocase(part, str_c(tables[i].name))) {
        i++;
    }
    return i;
}

bool metadata_table_is_name(str part)
{
    return find_table(part) < COUNT_OF(tables);
}

status metadata_table_unknown(table_name name, str part, arena *a, error *err)
{
    str names[COUNT_OF(tables)];
    buf *all = buf_in(a, LIMIT_MIB);

    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        names[i] = str_c(tables[i].name);
        buf_printf(all, "%s%s", i > 0 ? ", " : "", tables[i].name);
    }
    error_set(err, STATUS_NO_TABLE, "table \"%.*s.%.*s\" has no metadata table \"%.*s\"",
              STR_ARG(name.space), STR_ARG(name.table), STR_ARG(part));
    str nearest = str_nearest(part, names, COUNT_OF(tables));
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    } else {
        error_hint(err, "There are %.*s; branch_NAME and tag_NAME are versions of the table.",
                   STR_ARG(buf_str(all)));
    }
    return STATUS_NO_TABLE;
}

/* ---- rows ---- */

void metadata_read_as(metadata_rows *t, const char *name, str type)
{
    buf_add_c(t->types, t->types->size > 0 ? ", " : "");
    sql_quote_text(t->types, str_c(name));
    buf_add_c(t->types, ": ");
    sql_quote_text(t->types, type);
}

void metadata_show_as(metadata_rows *t, const char *name, str expression)
{
    buf_add_c(t->columns, t->columns->size > 0 ? ", " : "");
    buf_add_str(t->columns, expression);
    buf_add_c(t->columns, " AS ");
    sql_quote_name(t->columns, str_c(name));
}

void metadata_column_as(metadata_rows *t, const char *name, str type, str expression)
{
    metadata_read_as(t, name, type);
    metadata_show_as(t, name, expression);
}

void metadata_column(metadata_rows *t, const char *name, const char *type)
{
    buf *expression = buf_in(t->q->a, LIMIT_MIB);
    sql_quote_name(expression, str_c(name));
    metadata_column_as(t, name, str_c(type), buf_str(expression));
}

void metadata_begin_row(metadata_rows *t)
{
    t->row_from = t->lines->size;
    json_writer_init(&t->w, t->lines);
    json_begin_object(&t->w);
}

static status flush(metadata_rows *t, error *err)
{
    TRY(buf_check(t->lines, "a row of a metadata table", err));
    TRY(fs_write_all(t->fd, t->lines->data, t->lines->size, err));
    buf_clear(t->lines);
    return STATUS_OK;
}

status metadata_end_row(metadata_rows *t, error *err)
{
    const worker_cancel *cancel = &t->q->r->cancel;
    json_end_object(&t->w);
    buf_add_char(t->lines, '\n');
    size_t size = t->lines->size - t->row_from;
    t->longest = size > t->longest ? size : t->longest;
    if (t->lines->size < FLUSH_BYTES) {
        return STATUS_OK;
    }
    if (cancel->is_cancelled != NULL && cancel->is_cancelled(cancel->context)) {
        return error_set(err, STATUS_CANCELLED, "the query was cancelled");
    }
    return flush(t, err);
}

void metadata_put_time(metadata_rows *t, const char *key, int64_t ms)
{
    ice_value value = {.kind = ICE_TIMESTAMPTZ};

    json_key(&t->w, key);
    if (ms > TIME_MAX_MS || ms < -TIME_MAX_MS) { /* of a writer that counts otherwise */
        json_put_null(&t->w);
        return;
    }
    value.integer = ms * 1000;
    metadata_put_value(&t->w, ice_type_primitive(ICE_TIMESTAMPTZ), &value, t->q->a);
}

void metadata_put_number(metadata_rows *t, const char *key, int64_t value, bool is_null)
{
    if (is_null) {
        json_member_null(&t->w, key);
    } else {
        json_member_int(&t->w, key, value);
    }
}

void metadata_put_text(metadata_rows *t, const char *key, str text)
{
    if (str_is_null(text)) {
        json_member_null(&t->w, key);
    } else {
        json_member_str(&t->w, key, text);
    }
}

void metadata_put_hex(json_writer *w, str bytes)
{
    static const char digits[] = "0123456789abcdef";
    char small[128];
    if (str_is_null(bytes)) {
        json_put_null(w);
        return;
    }
    if (bytes.size * 2 <= sizeof(small)) {
        for (size_t i = 0; i < bytes.size; i++) {
            small[2 * i] = digits[(unsigned char)bytes.data[i] >> 4];
            small[2 * i + 1] = digits[(unsigned char)bytes.data[i] & 15];
        }
        json_put_str(w, str_from(small, 2 * bytes.size));
        return;
    }
    arena *a = arena_create();
    buf *text = buf_in(a, 2 * bytes.size + 1);
    for (size_t i = 0; i < bytes.size; i++) {
        buf_add_char(text, digits[(unsigned char)bytes.data[i] >> 4]);
        buf_add_char(text, digits[(unsigned char)bytes.data[i] & 15]);
    }
    json_put_str(w, buf_str(text));
    arena_free(a);
}

static bool is_bytes(const ice_type *type)
{
    return type->kind == ICE_BINARY || type->kind == ICE_FIXED;
}

void metadata_value_type(const ice_type *type, buf *out)
{
    if (is_bytes(type)) {
        buf_add_c(out, "VARCHAR");
    } else {
        engine_duckdb_type(type, out);
    }
}

void metadata_put_value(json_writer *w, const ice_type *type, const ice_value *value, arena *a)
{
    if (value->is_null) {
        json_put_null(w);
        return;
    }
    switch (type->kind) {
    case ICE_BOOLEAN:
        json_put_bool(w, value->integer != 0);
        break;
    case ICE_INT:
    case ICE_LONG:
        json_put_int(w, value->integer);
        break;
    case ICE_FLOAT:
    case ICE_DOUBLE:
        json_put_double(w, value->real);
        break;
    case ICE_BINARY:
    case ICE_FIXED:
        metadata_put_hex(w, value->bytes);
        break;
    default: {
        buf *text = buf_in(a, LIMIT_MIB);
        ice_value_format(type, value, text);
        json_put_str(w, buf_str(text));
        break;
    }
    }
}

/* ---- partitions ---- */

static int compare_fields(const void *x, const void *y)
{
    int32_t a = ((const ice_field *)x)->id, b = ((const ice_field *)y)->id;
    return (a > b) - (a < b);
}

/* Every partition field of every spec once, by id, named as the newest spec names it. */
static const ice_type *partition_type(const ice_metadata *m, arena *a)
{
    VEC(ice_field) fields = {0};
    ice_type *type = ARENA_NEW(a, ice_type);

    for (size_t s = m->spec_count; s > 0; s--) {
        const ice_spec *spec = &m->specs[s - 1];
        const ice_type *of_spec = ice_metadata_spec_type(m, spec, a);
        for (size_t i = 0; i < spec->field_count; i++) {
            bool known = spec->fields[i].transform.kind == ICE_VOID;
            for (size_t k = 0; k < fields.count && !known; k++) {
                known = fields.items[k].id == spec->fields[i].field_id;
            }
            if (!known) {
                ice_field field = {.id = spec->fields[i].field_id,
                                   .name = spec->fields[i].name,
                                   .type = of_spec->fields[i].type};
                vec_push(a, &fields, field);
            }
        }
    }
    if (fields.count > 1) {
        qsort(fields.items, fields.count, sizeof(*fields.items), compare_fields);
    }
    *type = (ice_type){.kind = ICE_STRUCT, .fields = fields.items, .field_count = fields.count};
    return type;
}

void metadata_partition_column(metadata_rows *t, str *ret_type, str *ret_shown)
{
    buf *type = buf_in(t->q->a, LIMIT_MIB), *shown = buf_in(t->q->a, LIMIT_MIB);
    buf_add_c(type, "STRUCT(");
    buf_add_c(shown, "struct_pack(");
    for (size_t i = 0; i < t->partition->field_count; i++) {
        const ice_field *field = &t->partition->fields[i];
        const char *comma = i > 0 ? ", " : "";
        buf_add_c(type, comma);
        sql_quote_name(type, field->name);
        buf_add_char(type, ' ');
        metadata_value_type(field->type, type);
        buf_add_c(shown, comma);
        sql_quote_name(shown, field->name);
        buf_add_c(shown, is_bytes(field->type) ? " := unhex(partition." : " := (partition.");
        sql_quote_name(shown, field->name);
        buf_add_char(shown, ')');
    }
    buf_add_char(type, ')');
    buf_add_char(shown, ')');
    *ret_type = buf_str(type);
    *ret_shown = buf_str(shown);
}

void metadata_put_partition(metadata_rows *t, const ice_file *file, arena *a)
{
    const ice_spec *spec = ice_metadata_spec_by_id(t->m, file->spec_id);
    if (t->partition->field_count == 0) {
        return;
    }
    json_key(&t->w, "partition");
    json_begin_object(&t->w);
    for (size_t i = 0; spec != NULL && i < t->partition->field_count; i++) {
        const ice_field *field = &t->partition->fields[i];
        for (size_t k = 0; k < spec->field_count && k < file->partition_count; k++) {
            if (spec->fields[k].field_id == field->id) {
                json_key_str(&t->w, field->name);
                metadata_put_value(&t->w, field->type, &file->partition[k], a);
            }
        }
    }
    json_end_object(&t->w);
}

/* ---- manifests of snapshots ---- */

status metadata_manifests(metadata_rows *t, bool every_snapshot, bool every_reference, arena *a,
                          metadata_manifest **ret_list, size_t *ret_count, error *err)
{
    VEC(metadata_manifest) list = {0};
    map *seen = map_create(a);
    size_t count = every_snapshot ? t->m->snapshot_count : t->snapshot != NULL ? 1 : 0;

    for (size_t i = 0; i < count; i++) {
        const ice_snapshot *snapshot = every_snapshot ? &t->m->snapshots[i] : t->snapshot;
        const ice_manifest *manifests;
        size_t manifest_count;
        TRY(ice_snapshot_manifests(t->q->r->e->options.storage, t->m, snapshot, a, &manifests,
                                   &manifest_count, err));
        for (size_t k = 0; k < manifest_count; k++) {
            if (every_reference || !map_has(seen, manifests[k].path)) {
                map_set(seen, manifests[k].path, t);
                metadata_manifest one = {.manifest = &manifests[k], .snapshot_id = snapshot->id};
                vec_push(a, &list, one);
            }
        }
    }
    *ret_list = list.items;
    *ret_count = list.count;
    return STATUS_OK;
}

/* ---- views ---- */

static void put_view(metadata_rows *t, str schema, const char *name, const char *path)
{
    query *q = t->q;
    if (q->extra_sql == NULL) {
        q->extra_sql = buf_in(q->a, LIMIT_RESULT_IN_MEMORY);
    }
    buf *out = q->extra_sql;
    buf_add_c(out, "CREATE SCHEMA IF NOT EXISTS ");
    sql_quote_name(out, schema);
    buf_add_c(out, ";CREATE OR REPLACE VIEW ");
    sql_quote_name(out, schema);
    buf_printf(out, ".%s AS WITH lines AS (FROM read_json(", name);
    sql_quote_text(out, str_c(path));
    buf_add_c(out, ", format = 'newline_delimited', columns = {");
    buf_add_str(out, buf_str(t->types));
    /* DuckDB's buffers are as large as the longest row may be. */
    buf_printf(out, "}, maximum_object_size = %zu)) SELECT ",
               t->longest > LIMIT_MIB / 2 ? 2 * t->longest : LIMIT_MIB);
    buf_add_str(out, buf_str(t->columns));
    buf_add_c(out, " FROM ");
    buf_add_str(out, t->source != NULL ? buf_str(t->source) : STR("lines"));
    buf_add_char(out, ';');
}

static status find_version(query *q, const travel_clause *clause, table_name name,
                           const ice_metadata *m, str ref_part, size_t table,
                           travel_target *ret_target, error *err)
{
    if (!tables[table].one_snapshot) {
        return clause == NULL && str_is_null(ref_part)
                   ? STATUS_OK
                   : error_set(err, STATUS_UNSUPPORTED, "\"%s\" shows every version of the table",
                               tables[table].name);
    }
    if (str_is_null(ref_part)) {
        return travel_resolve(q, clause, name, m, ret_target, err);
    }
    if (clause != NULL) {
        return error_set(err, STATUS_INVALID,
                         "\"%.*s\" and a version of the table exclude each other",
                         STR_ARG(ref_part));
    }
    return travel_resolve_ref(q, name, m, ref_part, ret_target, err);
}

status metadata_table_view(query *q, const travel_clause *clause, table_name name,
                           const ice_metadata *m, str ref_part, str part, str schema, error *err)
{
    size_t table = find_table(part);
    travel_target target = {.snapshot = ice_metadata_snapshot(m)};
    worker *w;

    TRY(find_version(q, clause, name, m, ref_part, table, &target, err));
    TRY(run_worker(q->r, &w, err));
    metadata_rows t = {.q = q,
                       .m = m,
                       .name = name,
                       .snapshot = target.snapshot,
                       .types = buf_in(q->a, LIMIT_SQL_TEXT),
                       .columns = buf_in(q->a, LIMIT_SQL_TEXT),
                       .partition = partition_type(m, q->a),
                       .lines = buf_in(q->a, LIMIT_RESULT_IN_MEMORY)};
    char *path = arena_printf(q->a, "%s/%s.json", worker_in(w), worker_fresh_name(w, q->a));
    TRY(fs_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &t.fd, err));
    status result = tables[table].build(&t, tables[table].variant, err);
    if (result == STATUS_OK) {
        result = flush(&t, err);
    }
    fs_close(t.fd);
    TRY(result);
    put_view(&t, schema, tables[table].name, path);
    TRY(buf_check(t.types, "the columns of a metadata table", err));
    return buf_check(q->extra_sql, "the columns of a metadata table", err);
}

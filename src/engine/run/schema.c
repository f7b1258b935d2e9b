/* Schemas and tables made and dropped: CREATE SCHEMA, DROP SCHEMA, CREATE TABLE, DROP TABLE. */
#include "run/run.h"
#include "run/table.h"
#include "tarn/base/limits.h"

/* ---- schemas ---- */

static str joined(const statement_name *name, size_t from, arena *a)
{
    buf *text = buf_in(a, LIMIT_MIB);
    for (size_t i = from; i < name->count; i++) {
        buf_add_c(text, i > from ? "." : "");
        buf_add_str(text, name->parts[i]);
    }
    return buf_str(text);
}

static status create_schema(run *r, const statement *st, str space, arena *a, error *err)
{
    size_t count = st->property_count;
    catalog_property *properties = ARENA_ARRAY(a, catalog_property, count + 1);
    if (count > 0) {
        memcpy(properties, st->properties, count * sizeof(*properties));
    }
    if (!str_is_null(st->location)) {
        properties[count++] = (catalog_property){.key = STR("location"), .value = st->location};
    }
    TRY(run_check_access(r, ACTION_NAMESPACE_CREATE, space, STR(""), err));
    status result = catalog_create_namespace(r->catalog, space, properties, count, err);
    if (result == STATUS_EXISTS && st->if_exists) {
        error_clear(err);
        return STATUS_OK;
    }
    return result;
}

static status drop_schema(run *r, const statement *st, str space, error *err)
{
    TRY(run_check_access(r, ACTION_NAMESPACE_DROP, space, STR(""), err));
    if (st->cascade) {
        TRY(run_check_access(r, ACTION_TABLE_DROP, space, STR(""), err));
    }
    status result = catalog_drop_namespace(r->catalog, space, st->cascade, err);
    if (result == STATUS_NO_NAMESPACE && st->if_exists) {
        error_clear(err);
        return STATUS_OK;
    }
    if (result == STATUS_NOT_EMPTY && !st->cascade && err != NULL && err->hint[0] == '\0') {
        error_hint(err, "DROP SCHEMA … CASCADE drops its tables too.");
    }
    return result;
}

status run_schema(run *r, const statement *st, bool last, arena *a, error *err)
{
    bool warehouse =
        st->name.count > 1 && str_equal_nocase(st->name.parts[0], catalog_warehouse(r->catalog));
    str space = joined(&st->name, warehouse ? 1 : 0, a);
    status result = st->kind == STATEMENT_CREATE_SCHEMA ? create_schema(r, st, space, a, err)
                                                        : drop_schema(r, st, space, err);
    TRY(run_at(result, st->name.position, err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* ---- CREATE TABLE ---- */

status table_options(const statement *st, const ice_type *root, arena *a, ice_create *ret_create,
                     error *err)
{
    ice_property *properties = ARENA_ARRAY(a, ice_property, st->property_count + 1);
    size_t count = st->property_count;
    for (size_t i = 0; i < st->property_count; i++) {
        properties[i] =
            (ice_property){.key = st->properties[i].key, .value = st->properties[i].value};
        TRY(run_at(ice_property_check(properties[i].key, properties[i].value, err), st->position,
                   err));
    }
    if (!str_is_null(st->comment)) {
        properties[count++] = (ice_property){.key = STR("comment"), .value = st->comment};
    }
    *ret_create = (ice_create){
        .location = st->location,
        .root = root,
        .partition_sql = st->partition_sql,
        .properties = properties,
        .property_count = count,
        .format_version = st->format_version,
    };
    return STATUS_OK;
}

status table_place_error(const statement *st, status result, error *err)
{
    if (result == STATUS_OK || err == NULL) {
        return result;
    }
    /* A position can only come from the text of PARTITIONED BY. */
    if (err->position != ERROR_NO_POSITION && st->partition_sql.size > 0) {
        err->position += (int)st->partition_position;
        return result;
    }
    return run_at(result, st->name.position, err);
}

const ice_type *table_root(const ice_field *fields, size_t count, arena *a)
{
    ice_type *root = ARENA_NEW(a, ice_type);
    *root = (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = count};
    return root;
}

status run_create_table(run *r, const statement *st, bool last, arena *a, error *err)
{
    catalog_create options = {.if_not_exists = st->if_exists};
    catalog *c = r->catalog;
    const ice_type *root;
    bool created;
    status result =
        catalog_resolve_new(c, st->name.parts, st->name.count, r->space, a, &options.name, err);
    TRY(run_at(result, st->name.position, err));
    TRY(run_at(table_check_places(r, st->properties, st->property_count, err), st->position, err));
    TRY(run_check_access(r, ACTION_TABLE_CREATE, options.name.space, options.name.table, err));
    TRY(run_judge(r, st, a, err));
    ice_field *fields;
    TRY(table_columns(r, st->columns, st->column_count, a, &fields, err));
    root = table_root(fields, st->column_count, a);
    TRY(table_options(st, root, a, &options.table, err));
    TRY(table_place_error(st, catalog_create_table(c, &options, &created, err), err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* ---- DROP TABLE ---- */

status run_drop_table(run *r, const statement *st, bool last, arena *a, error *err)
{
    catalog *c = r->catalog;
    table_name name;
    bool dropped;
    status result = catalog_resolve(c, st->name.parts, st->name.count, r->space, a, &name, err);
    if (st->if_exists && (result == STATUS_NO_TABLE || result == STATUS_NO_NAMESPACE)) {
        error_clear(err);
        return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
    }
    TRY(run_at(result, st->name.position, err));
    TRY(run_check_access(r, ACTION_TABLE_DROP, name.space, name.table, err));
    TRY(run_at(catalog_drop_table(c, name, st->if_exists, &dropped, err), st->name.position, err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

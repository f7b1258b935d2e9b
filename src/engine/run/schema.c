/* Schemas and tables made and dropped: CREATE SCHEMA, DROP SCHEMA, CREATE TABLE, DROP TABLE. */
#include "run/run.h"
#include "run/table.h"
#include "sql/types.h"
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
    status result = catalog_create_namespace(r->e->options.catalog, space, properties, count, err);
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
    status result = catalog_drop_namespace(r->e->options.catalog, space, st->cascade, err);
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
    bool warehouse = st->name.count > 1 &&
                     str_equal_nocase(st->name.parts[0], catalog_warehouse(r->e->options.catalog));
    str space = joined(&st->name, warehouse ? 1 : 0, a);
    status result = st->kind == STATEMENT_CREATE_SCHEMA ? create_schema(r, st, space, a, err)
                                                        : drop_schema(r, st, space, err);
    TRY(run_at(result, st->name.position, err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* ---- CREATE TABLE ---- */

/* SELECT typeof(CAST(NULL AS t1)), …: DuckDB's parser is the judge of types, and says them in
 * one form. */
static str types_sql(const statement *st, arena *a, size_t *offsets)
{
    buf *sql = buf_in(a, 2 * LIMIT_SQL_TEXT);
    buf_add_c(sql, "SELECT ");
    for (size_t i = 0; i < st->column_count; i++) {
        buf_add_c(sql, i > 0 ? ", typeof(CAST(NULL AS " : "typeof(CAST(NULL AS ");
        offsets[i] = sql->size;
        buf_add_str(sql, st->columns[i].type_text);
        buf_add_c(sql, "))");
    }
    return buf_str(sql);
}

/* A place in types_sql, as one in the script. */
static void place_type_error(const statement *st, const size_t *offsets, error *err)
{
    if (err == NULL || err->position == ERROR_NO_POSITION) {
        return;
    }
    size_t position = (size_t)err->position, column = 0;
    while (column + 1 < st->column_count && offsets[column + 1] <= position) {
        column++;
    }
    size_t inside = position > offsets[column] ? position - offsets[column] : 0;
    err->position = (int)(st->columns[column].type_position +
                          (inside < st->columns[column].type_text.size ? inside : 0));
}

static status columns_type(run *r, const statement *st, arena *a, const ice_type **ret_root,
                           error *err)
{
    worker *w;
    const json *rows;
    size_t *offsets = ARENA_ARRAY(a, size_t, st->column_count);
    ice_field *fields = ARENA_ARRAY(a, ice_field, st->column_count);
    for (size_t i = 0; i < st->column_count; i++) {
        const statement_column *column = &st->columns[i];
        TRY(run_at(types_check_declared(column->type_text, column->name, err),
                   column->type_position, err));
    }
    TRY(run_worker(r, &w, err));
    status result = worker_rows(w, types_sql(st, a, offsets), &r->cancel, a, &rows, err);
    if (result != STATUS_OK) {
        place_type_error(st, offsets, err);
        return result;
    }
    for (size_t i = 0; i < st->column_count; i++) {
        const statement_column *column = &st->columns[i];
        str text = str_copy(a, json_str_or(json_at(json_at(rows, 0), i), STR("")));
        fields[i] =
            (ice_field){.name = column->name, .required = column->required, .doc = column->comment};
        TRY(run_at(engine_iceberg_type(text, column->name, a, &fields[i].type, err),
                   column->type_position, err));
    }
    *ret_root = table_root(fields, st->column_count, a);
    return STATUS_OK;
}

status table_options(const statement *st, const ice_type *root, arena *a, ice_create *ret_create,
                     error *err)
{
    ice_property *properties = ARENA_ARRAY(a, ice_property, st->property_count + 1);
    for (size_t i = 0; i < st->property_count; i++) {
        properties[i] =
            (ice_property){.key = st->properties[i].key, .value = st->properties[i].value};
        TRY(run_at(ice_property_check(properties[i].key, properties[i].value, err), st->position,
                   err));
    }
    *ret_create = (ice_create){
        .location = st->location,
        .root = root,
        .partition_sql = st->partition_sql,
        .properties = properties,
        .property_count = st->property_count,
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
    catalog *c = r->e->options.catalog;
    const ice_type *root;
    bool created;
    status result =
        catalog_resolve_new(c, st->name.parts, st->name.count, r->space, a, &options.name, err);
    TRY(run_at(result, st->name.position, err));
    TRY(run_check_access(r, ACTION_TABLE_CREATE, options.name.space, options.name.table, err));
    TRY(columns_type(r, st, a, &root, err));
    TRY(table_options(st, root, a, &options.table, err));
    TRY(table_place_error(st, catalog_create_table(c, &options, &created, err), err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* ---- DROP TABLE ---- */

status run_drop_table(run *r, const statement *st, bool last, arena *a, error *err)
{
    catalog *c = r->e->options.catalog;
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

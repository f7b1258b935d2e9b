/* SHOW, DESCRIBE of a table, USE: answered from the catalog. */
#include "run/show.h"
#include "run/rows_sql.h"
#include "run/table.h"
#include "tarn/base/limits.h"

/* "a.b" of the parts as they were given; the warehouse's name in front is left out where such a
 * namespace exists. */
static status resolve_space(const run *r, const statement_name *name, arena *a, str *ret_space,
                            error *err)
{
    buf *text = buf_in(a, LIMIT_MIB);
    namespace_info info;
    for (size_t i = 0; i < name->count; i++) {
        buf_add_c(text, i > 0 ? "." : "");
        buf_add_str(text, name->parts[i]);
    }
    status result = catalog_get_namespace(r->catalog, buf_str(text), a, &info, err);
    str warehouse = catalog_warehouse(r->catalog);
    if (result == STATUS_NO_NAMESPACE && name->count > 1 &&
        str_equal_nocase(name->parts[0], warehouse)) {
        statement_name rest = {
            .parts = name->parts + 1, .count = name->count - 1, .position = name->position};
        error ignored = ERROR_INIT;
        if (resolve_space(r, &rest, a, ret_space, &ignored) == STATUS_OK) {
            error_clear(err);
            return STATUS_OK;
        }
    }
    TRY(run_at(result, name->position, err));
    *ret_space = info.name;
    return STATUS_OK;
}

status run_use(run *r, const statement *st, bool last, arena *a, error *err)
{
    str space;
    TRY(resolve_space(r, &st->name, a, &space, err));
    TRY(run_check_access(r, ACTION_NAMESPACE_READ, space, STR(""), err));
    r->space = str_copy(r->a, space);
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

static status load(const run *r, const statement *st, arena *a, table_name *ret_name,
                   ice_metadata **ret_metadata, error *err)
{
    table_info info;
    catalog *c = r->catalog;
    TRY(run_at(catalog_resolve(c, st->name.parts, st->name.count, r->space, a, ret_name, err),
               st->name.position, err));
    TRY(run_check_access(r, ACTION_TABLE_READ, ret_name->space, ret_name->table, err));
    return catalog_load_table(c, *ret_name, a, ret_metadata, &info, err);
}

static str type_text(const ice_type *type, arena *a)
{
    buf *text = buf_in(a, LIMIT_MIB);
    engine_duckdb_type(type, text);
    return buf_str(text);
}

static bool is_identifier(const ice_schema *schema, int32_t id)
{
    for (size_t i = 0; i < schema->identifier_count; i++) {
        if (schema->identifier_ids[i] == id) {
            return true;
        }
    }
    return false;
}

static str default_text(const ice_field *field, arena *a)
{
    buf *text = buf_in(a, LIMIT_MIB);
    if (field->write_default == NULL) {
        return STR_NULL;
    }
    table_default_text(field->write_default, field->type, a, text);
    return buf_str(text);
}

static void put_described(rows_sql *rows, const ice_schema *schema, arena *a)
{
    const ice_type *root = schema->root;
    for (size_t i = 0; i < root->field_count; i++) {
        rows_text(rows, root->fields[i].name);
        rows_text(rows, type_text(root->fields[i].type, a));
        rows_text(rows, root->fields[i].required ? STR("NO") : STR("YES"));
        rows_text(rows, is_identifier(schema, root->fields[i].id) ? STR("ID") : STR_NULL);
        rows_text(rows, default_text(&root->fields[i], a));
        rows_text(rows, root->fields[i].doc);
    }
}

static status describe(run *r, const statement *st, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"column_name VARCHAR", "column_type VARCHAR",
                                          "null VARCHAR",        "key VARCHAR",
                                          "default VARCHAR",     "extra VARCHAR"};
    table_name name;
    table_info table;
    view_info info;
    rows_sql rows;
    bool is_view = false;
    TRY(show_relation(r, st, a, &name, &is_view, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    if (is_view) {
        ice_view *view;
        TRY(catalog_load_view(r->catalog, name, a, &view, &info, err));
        put_described(&rows, ice_view_schema(view), a);
        ice_view_unref(view);
    } else {
        ice_metadata *m;
        TRY(catalog_load_table(r->catalog, name, a, &m, &table, err));
        put_described(&rows, ice_metadata_schema(m), a);
        ice_metadata_unref(m);
    }
    rows_end(&rows);
    return STATUS_OK;
}

/* ---- SHOW CREATE TABLE ---- */

static void put_name(buf *out, const table_name *name)
{
    sql_quote_name(out, name->space);
    buf_add_char(out, '.');
    sql_quote_name(out, name->table);
}

static void put_column(buf *out, const ice_field *field, arena *a)
{
    buf_add_c(out, "  ");
    sql_quote_name(out, field->name);
    buf_add_char(out, ' ');
    engine_duckdb_type(field->type, out);
    buf_add_c(out, field->required ? " NOT NULL" : "");
    if (field->write_default != NULL) {
        buf_add_c(out, " DEFAULT ");
        table_default_text(field->write_default, field->type, a, out);
    }
    if (!str_is_null(field->doc)) {
        buf_add_c(out, " COMMENT ");
        sql_quote_text(out, field->doc);
    }
}

/* "a"."b" of a field of the table. */
static void put_path(buf *out, const ice_schema *schema, int32_t id, arena *a)
{
    str rest = ice_schema_path(schema, id, a);
    const ice_field *field = ice_schema_column(schema, rest);
    if (field != NULL || str_is_null(rest)) {
        sql_quote_name(out, field != NULL ? field->name : STR(""));
        return;
    }
    for (bool first = true; !str_is_null(rest); first = false) {
        buf_add_c(out, first ? "" : ".");
        sql_quote_name(out, str_cut(rest, '.', &rest));
    }
}

static void put_term(buf *out, const ice_transform *transform, int32_t source_id,
                     const ice_schema *schema, arena *a)
{
    static const char *const calls[] = {
        [ICE_BUCKET] = "bucket", [ICE_TRUNCATE] = "truncate", [ICE_YEAR] = "year",
        [ICE_MONTH] = "month",   [ICE_DAY] = "day",           [ICE_HOUR] = "hour",
    };
    ice_transform_kind kind = transform->kind;
    if (kind == ICE_IDENTITY || kind >= COUNT_OF(calls) || calls[kind] == NULL) {
        put_path(out, schema, source_id, a);
        return;
    }
    buf_printf(out, "%s(", calls[kind]);
    if (kind == ICE_BUCKET || kind == ICE_TRUNCATE) {
        buf_printf(out, "%d, ", transform->parameter);
    }
    put_path(out, schema, source_id, a);
    buf_add_char(out, ')');
}

/* AS "name", where the field has not the name that it would get by itself. */
static void put_field_name(buf *out, const ice_partition_field *field, const ice_schema *schema,
                           arena *a)
{
    int32_t next = 0;
    ice_spec alone;
    buf *term = buf_in(a, LIMIT_MIB);
    put_term(term, &field->transform, field->source_id, schema, a);
    if (ice_spec_parse_sql(buf_str(term), schema, &next, a, &alone, NULL) != STATUS_OK ||
        !str_equal(alone.fields[0].name, field->name)) {
        buf_add_c(out, " AS ");
        sql_quote_name(out, field->name);
    }
}

void table_put_partitioning(buf *out, const ice_spec *spec, const ice_schema *schema, arena *a)
{
    bool first = true;
    for (size_t i = 0; spec != NULL && i < spec->field_count; i++) {
        if (spec->fields[i].transform.kind == ICE_VOID ||
            ice_schema_field(schema, spec->fields[i].source_id) == NULL) {
            continue; /* dropped, in a table of format version 1 */
        }
        buf_add_c(out, first ? "" : ", ");
        put_term(out, &spec->fields[i].transform, spec->fields[i].source_id, schema, a);
        put_field_name(out, &spec->fields[i], schema, a);
        first = false;
    }
}

static void put_partitioning(buf *out, const ice_metadata *m, const ice_schema *schema, arena *a)
{
    buf *fields = buf_in(a, LIMIT_MIB);
    table_put_partitioning(fields, ice_metadata_spec(m), schema, a);
    if (fields->size > 0) {
        buf_add_c(out, "\nPARTITIONED BY (");
        buf_add_str(out, buf_str(fields));
        buf_add_char(out, ')');
    }
}

static void put_order(buf *out, const table_name *name, const ice_metadata *m, arena *a)
{
    const ice_schema *schema = ice_metadata_schema(m);
    const ice_sort_order *order = NULL;
    for (size_t i = 0; i < m->order_count; i++) {
        order = m->orders[i].id == m->default_order_id ? &m->orders[i] : order;
    }
    for (size_t i = 0; order != NULL && i < order->field_count; i++) {
        const ice_sort_field *field = &order->fields[i];
        if (i == 0) {
            buf_add_c(out, "\nALTER TABLE ");
            put_name(out, name);
            buf_add_c(out, " WRITE ORDERED BY ");
        }
        buf_add_c(out, i > 0 ? ", " : "");
        put_term(out, &field->transform, field->source_id, schema, a);
        buf_add_c(out, field->descending ? " DESC" : "");
        if (field->nulls_last != field->descending) {
            buf_add_c(out, field->nulls_last ? " NULLS LAST" : " NULLS FIRST");
        }
        buf_add_c(out, i + 1 == order->field_count ? ";" : "");
    }
}

static void put_identifier(buf *out, const table_name *name, const ice_schema *schema, arena *a)
{
    for (size_t i = 0; i < schema->identifier_count; i++) {
        if (i == 0) {
            buf_add_c(out, "\nALTER TABLE ");
            put_name(out, name);
            buf_add_c(out, " SET IDENTIFIER FIELDS ");
        }
        buf_add_c(out, i > 0 ? ", " : "");
        put_path(out, schema, schema->identifier_ids[i], a);
        buf_add_c(out, i + 1 == schema->identifier_count ? ";" : "");
    }
}

static void put_create(buf *out, const table_name *name, const ice_metadata *m, arena *a)
{
    const ice_schema *schema = ice_metadata_schema(m);
    buf_add_c(out, "CREATE TABLE ");
    put_name(out, name);
    buf_add_c(out, " (\n");
    for (size_t i = 0; i < schema->root->field_count; i++) {
        put_column(out, &schema->root->fields[i], a);
        buf_add_c(out, i + 1 < schema->root->field_count ? ",\n" : "\n");
    }
    buf_add_char(out, ')');
    put_partitioning(out, m, schema, a);
    buf_printf(out, "\nWITH (\n  'format-version' = '%d'", m->format_version);
    for (size_t i = 0; i < m->property_count; i++) {
        buf_add_c(out, ",\n  ");
        sql_quote_text(out, m->properties[i].key);
        buf_add_c(out, " = ");
        sql_quote_text(out, m->properties[i].value);
    }
    buf_add_c(out, "\n);");
    put_order(out, name, m, a);
    put_identifier(out, name, schema, a);
}

static status show_create(run *r, const statement *st, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"sql VARCHAR"};
    table_name name;
    ice_metadata *m;
    rows_sql rows;
    buf *text = buf_in(a, LIMIT_METADATA_FILE);
    TRY(load(r, st, a, &name, &m, err));
    put_create(text, &name, m, a);
    ice_metadata_unref(m);
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    rows_text(&rows, buf_str(text));
    rows_end(&rows);
    return STATUS_OK;
}

/* ---- lists ---- */

/* Names of tables and views of a namespace, in one order, as the catalog orders names. */
static status names_in(run *r, str space, arena *a, str **ret_names, size_t *ret_count, error *err)
{
    table_info *tables;
    view_info *views;
    size_t table_count, view_count, count = 0, view = 0;
    TRY(catalog_list_tables(r->catalog, space, a, &tables, &table_count, err));
    TRY(catalog_list_views(r->catalog, space, a, &views, &view_count, err));
    str *names = ARENA_ARRAY(a, str, table_count + view_count + 1);
    for (size_t i = 0; i < table_count; i++) {
        str key = str_lower(a, tables[i].name.table);
        while (view < view_count && str_compare(str_lower(a, views[view].name.table), key) < 0) {
            names[count++] = views[view++].name.table;
        }
        names[count++] = tables[i].name.table;
    }
    while (view < view_count) {
        names[count++] = views[view++].name.table;
    }
    *ret_names = names;
    *ret_count = count;
    return STATUS_OK;
}

static status show_tables(run *r, str space, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"name VARCHAR"};
    str *names;
    size_t count;
    rows_sql rows;
    TRY(run_check_access(r, ACTION_TABLE_LIST, space, STR(""), err));
    TRY(names_in(r, space, a, &names, &count, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    for (size_t i = 0; i < count; i++) {
        rows_text(&rows, names[i]);
    }
    rows_end(&rows);
    return STATUS_OK;
}

static status show_all_tables(run *r, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"database VARCHAR", "schema VARCHAR", "name VARCHAR"};
    catalog *c = r->catalog;
    namespace_info *spaces;
    size_t space_count;
    rows_sql rows;
    TRY(run_check_access(r, ACTION_TABLE_LIST, STR(""), STR(""), err));
    TRY(catalog_list_namespaces(c, STR(""), a, &spaces, &space_count, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    for (size_t i = 0; i < space_count; i++) {
        str *names;
        size_t count;
        TRY(names_in(r, spaces[i].name, a, &names, &count, err));
        for (size_t k = 0; k < count; k++) {
            rows_text(&rows, catalog_warehouse(c));
            rows_text(&rows, spaces[i].name);
            rows_text(&rows, names[k]);
        }
    }
    rows_end(&rows);
    return STATUS_OK;
}

static status show_schemas(run *r, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"name VARCHAR"};
    namespace_info *spaces;
    size_t count;
    rows_sql rows;
    TRY(run_check_access(r, ACTION_NAMESPACE_LIST, STR(""), STR(""), err));
    TRY(catalog_list_namespaces(r->catalog, STR(""), a, &spaces, &count, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    for (size_t i = 0; i < count; i++) {
        rows_text(&rows, spaces[i].name);
    }
    rows_end(&rows);
    return STATUS_OK;
}

status run_show(run *r, const statement *st, bool last, arena *a, error *err)
{
    buf *sql = buf_in(a, LIMIT_RESULT_IN_MEMORY);
    str space = r->space;
    if ((st->kind == STATEMENT_SHOW_TABLES || st->kind == STATEMENT_SHOW_VIEWS) &&
        st->name.count > 0) {
        TRY(resolve_space(r, &st->name, a, &space, err));
    }
    switch (st->kind) {
    case STATEMENT_SHOW_TABLES:
        TRY(show_tables(r, space, a, sql, err));
        break;
    case STATEMENT_SHOW_VIEWS:
        TRY(show_views(r, space, a, sql, err));
        break;
    case STATEMENT_SHOW_CREATE_VIEW:
        TRY(show_create_view(r, st, a, sql, err));
        break;
    case STATEMENT_SHOW_FUNCTIONS:
        TRY(show_functions(r, st, a, sql, err));
        break;
    case STATEMENT_SHOW_PROPERTIES:
        TRY(show_properties(r, st, a, sql, err));
        break;
    case STATEMENT_SHOW_ALL_TABLES:
        TRY(show_all_tables(r, a, sql, err));
        break;
    case STATEMENT_SHOW_SCHEMAS:
        TRY(show_schemas(r, a, sql, err));
        break;
    case STATEMENT_SHOW_CREATE_TABLE:
        TRY(show_create(r, st, a, sql, err));
        break;
    default:
        TRY(describe(r, st, a, sql, err));
        break;
    }
    TRY(buf_check(sql, "the list", err));
    return run_constant_rows(r, buf_str(sql), last, err);
}

/* SHOW, DESCRIBE of a table, USE: answered from the catalog. */
#include "run/rows_sql.h"
#include "run/run.h"
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
    status result = catalog_get_namespace(r->e->options.catalog, buf_str(text), a, &info, err);
    str warehouse = catalog_warehouse(r->e->options.catalog);
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
    catalog *c = r->e->options.catalog;
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

static status describe(run *r, const statement *st, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"column_name VARCHAR", "column_type VARCHAR",
                                          "null VARCHAR",        "key VARCHAR",
                                          "default VARCHAR",     "extra VARCHAR"};
    table_name name;
    ice_metadata *m;
    rows_sql rows;
    TRY(load(r, st, a, &name, &m, err));
    const ice_type *root = ice_metadata_schema(m)->root;
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    for (size_t i = 0; i < root->field_count; i++) {
        rows_text(&rows, root->fields[i].name);
        rows_text(&rows, type_text(root->fields[i].type, a));
        rows_text(&rows, root->fields[i].required ? STR("NO") : STR("YES"));
        rows_text(&rows, STR_NULL);
        rows_text(&rows, STR_NULL);
        rows_text(&rows, root->fields[i].doc);
    }
    rows_end(&rows);
    ice_metadata_unref(m);
    return STATUS_OK;
}

/* ---- SHOW CREATE TABLE ---- */

static void put_column(buf *out, const ice_field *field)
{
    buf_add_c(out, "  ");
    sql_quote_name(out, field->name);
    buf_add_char(out, ' ');
    engine_duckdb_type(field->type, out);
    buf_add_c(out, field->required ? " NOT NULL" : "");
    if (!str_is_null(field->doc)) {
        buf_add_c(out, " COMMENT ");
        sql_quote_text(out, field->doc);
    }
}

static void put_partition_field(buf *out, const ice_partition_field *field,
                                const ice_schema *schema)
{
    static const char *const calls[] = {
        [ICE_BUCKET] = "bucket", [ICE_TRUNCATE] = "truncate", [ICE_YEAR] = "year",
        [ICE_MONTH] = "month",   [ICE_DAY] = "day",           [ICE_HOUR] = "hour",
        [ICE_VOID] = "void",
    };
    const ice_field *source = ice_schema_field(schema, field->source_id);
    str column = source != NULL ? source->name : field->name;
    ice_transform_kind kind = field->transform.kind;
    if (kind == ICE_IDENTITY || kind >= COUNT_OF(calls) || calls[kind] == NULL) {
        sql_quote_name(out, column);
        return;
    }
    buf_printf(out, "%s(", calls[kind]);
    if (kind == ICE_BUCKET || kind == ICE_TRUNCATE) {
        buf_printf(out, "%d, ", field->transform.parameter);
    }
    sql_quote_name(out, column);
    buf_add_char(out, ')');
}

static void put_create(buf *out, const table_name *name, const ice_metadata *m)
{
    const ice_schema *schema = ice_metadata_schema(m);
    const ice_spec *spec = ice_metadata_spec(m);
    buf_add_c(out, "CREATE TABLE ");
    sql_quote_name(out, name->space);
    buf_add_char(out, '.');
    sql_quote_name(out, name->table);
    buf_add_c(out, " (\n");
    for (size_t i = 0; i < schema->root->field_count; i++) {
        put_column(out, &schema->root->fields[i]);
        buf_add_c(out, i + 1 < schema->root->field_count ? ",\n" : "\n");
    }
    buf_add_char(out, ')');
    if (spec != NULL && spec->field_count > 0) {
        buf_add_c(out, "\nPARTITIONED BY (");
        for (size_t i = 0; i < spec->field_count; i++) {
            buf_add_c(out, i > 0 ? ", " : "");
            put_partition_field(out, &spec->fields[i], schema);
        }
        buf_add_char(out, ')');
    }
    buf_printf(out, "\nWITH (\n  'format-version' = '%d'", m->format_version);
    for (size_t i = 0; i < m->property_count; i++) {
        buf_add_c(out, ",\n  ");
        sql_quote_text(out, m->properties[i].key);
        buf_add_c(out, " = ");
        sql_quote_text(out, m->properties[i].value);
    }
    buf_add_c(out, "\n);");
}

static status show_create(run *r, const statement *st, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"sql VARCHAR"};
    table_name name;
    ice_metadata *m;
    rows_sql rows;
    buf *text = buf_in(a, LIMIT_METADATA_FILE);
    TRY(load(r, st, a, &name, &m, err));
    put_create(text, &name, m);
    ice_metadata_unref(m);
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    rows_text(&rows, buf_str(text));
    rows_end(&rows);
    return STATUS_OK;
}

/* ---- lists ---- */

static status show_tables(run *r, const statement *st, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"name VARCHAR"};
    str space = r->space;
    table_info *tables;
    size_t count;
    rows_sql rows;
    if (st->name.count > 0) {
        TRY(resolve_space(r, &st->name, a, &space, err));
    }
    TRY(run_check_access(r, ACTION_TABLE_LIST, space, STR(""), err));
    TRY(catalog_list_tables(r->e->options.catalog, space, a, &tables, &count, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    for (size_t i = 0; i < count; i++) {
        rows_text(&rows, tables[i].name.table);
    }
    rows_end(&rows);
    return STATUS_OK;
}

static status show_all_tables(run *r, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"database VARCHAR", "schema VARCHAR", "name VARCHAR"};
    catalog *c = r->e->options.catalog;
    namespace_info *spaces;
    size_t space_count;
    rows_sql rows;
    TRY(run_check_access(r, ACTION_TABLE_LIST, STR(""), STR(""), err));
    TRY(catalog_list_namespaces(c, STR(""), a, &spaces, &space_count, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    for (size_t i = 0; i < space_count; i++) {
        table_info *tables;
        size_t count;
        TRY(catalog_list_tables(c, spaces[i].name, a, &tables, &count, err));
        for (size_t k = 0; k < count; k++) {
            rows_text(&rows, catalog_warehouse(c));
            rows_text(&rows, spaces[i].name);
            rows_text(&rows, tables[k].name.table);
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
    TRY(catalog_list_namespaces(r->e->options.catalog, STR(""), a, &spaces, &count, err));
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
    switch (st->kind) {
    case STATEMENT_SHOW_TABLES:
        TRY(show_tables(r, st, a, sql, err));
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

/* information_schema: tables, columns and schemata, made from the catalog for the statement that
 * asks. */
#include "run/query.h"
#include "run/rows_sql.h"
#include "run/table.h"
#include "tarn/base/limits.h"

static status put_schemata(query *q, buf *sql, error *err)
{
    static const char *const columns[] = {"catalog_name VARCHAR", "schema_name VARCHAR",
                                          "schema_owner VARCHAR"};
    catalog *c = q->r->catalog;
    namespace_info *spaces;
    size_t count;
    rows_sql rows;
    TRY(run_check_access(q->r, ACTION_NAMESPACE_LIST, STR(""), STR(""), err));
    TRY(catalog_list_namespaces(c, STR(""), q->a, &spaces, &count, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    for (size_t i = 0; i < count; i++) {
        rows_text(&rows, catalog_warehouse(c));
        rows_text(&rows, spaces[i].name);
        rows_text(&rows, STR_NULL);
    }
    rows_end(&rows);
    return STATUS_OK;
}

/* Every table of every namespace, to `put`. */
static status each_table(query *q,
                         status (*put)(query *q, rows_sql *rows, const table_info *table,
                                       error *err),
                         rows_sql *rows, error *err)
{
    catalog *c = q->r->catalog;
    namespace_info *spaces;
    size_t space_count;
    TRY(run_check_access(q->r, ACTION_TABLE_LIST, STR(""), STR(""), err));
    TRY(catalog_list_namespaces(c, STR(""), q->a, &spaces, &space_count, err));
    for (size_t i = 0; i < space_count; i++) {
        table_info *tables;
        size_t count;
        TRY(catalog_list_tables(c, spaces[i].name, q->a, &tables, &count, err));
        for (size_t k = 0; k < count; k++) {
            TRY(put(q, rows, &tables[k], err));
        }
    }
    return STATUS_OK;
}

static status put_table(query *q, rows_sql *rows, const table_info *table, error *err)
{
    (void)err;
    rows_text(rows, catalog_warehouse(q->r->catalog));
    rows_text(rows, table->name.space);
    rows_text(rows, table->name.table);
    rows_text(rows, STR("BASE TABLE"));
    return STATUS_OK;
}

static status put_tables(query *q, buf *sql, error *err)
{
    static const char *const columns[] = {"table_catalog VARCHAR", "table_schema VARCHAR",
                                          "table_name VARCHAR", "table_type VARCHAR"};
    rows_sql rows;
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    TRY(each_table(q, put_table, &rows, err));
    rows_end(&rows);
    return STATUS_OK;
}

static str default_of(const ice_field *field, arena *a)
{
    buf *text = buf_in(a, LIMIT_MIB);
    if (field->write_default == NULL) {
        return STR_NULL;
    }
    table_default_text(field->write_default, field->type, a, text);
    return buf_str(text);
}

static status put_table_columns(query *q, rows_sql *rows, const table_info *table, error *err)
{
    ice_metadata *m;
    table_info info;
    status result = catalog_load_table(q->r->catalog, table->name, q->a, &m, &info, err);
    if (result == STATUS_NO_TABLE) { /* dropped since it was listed */
        error_clear(err);
        return STATUS_OK;
    }
    TRY(result);
    const ice_type *root = ice_metadata_schema(m)->root;
    for (size_t i = 0; i < root->field_count; i++) {
        buf *type = buf_in(q->a, LIMIT_MIB);
        engine_duckdb_type(root->fields[i].type, type);
        rows_text(rows, catalog_warehouse(q->r->catalog));
        rows_text(rows, table->name.space);
        rows_text(rows, table->name.table);
        rows_text(rows, str_copy(q->a, root->fields[i].name));
        rows_int(rows, (int64_t)i + 1);
        rows_text(rows, default_of(&root->fields[i], q->a));
        rows_text(rows, root->fields[i].required ? STR("NO") : STR("YES"));
        rows_text(rows, buf_str(type));
    }
    ice_metadata_unref(m);
    return STATUS_OK;
}

static status put_columns(query *q, buf *sql, error *err)
{
    static const char *const columns[] = {"table_catalog VARCHAR",    "table_schema VARCHAR",
                                          "table_name VARCHAR",       "column_name VARCHAR",
                                          "ordinal_position INTEGER", "column_default VARCHAR",
                                          "is_nullable VARCHAR",      "data_type VARCHAR"};
    rows_sql rows;
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    TRY(each_table(q, put_table_columns, &rows, err));
    rows_end(&rows);
    return STATUS_OK;
}

static const struct {
    const char *name;
    status (*put)(query *q, buf *sql, error *err);
} information[] = {
    {"schemata", put_schemata},
    {"tables", put_tables},
    {"columns", put_columns},
};

status information_view(query *q, str name, str view, error *err)
{
    for (size_t i = 0; i < COUNT_OF(information); i++) {
        if (!str_equal_nocase(name, str_c(information[i].name))) {
            continue;
        }
        if (q->extra_sql == NULL) {
            q->extra_sql = buf_in(q->a, LIMIT_RESULT_IN_MEMORY);
            buf_add_c(q->extra_sql, "CREATE SCHEMA IF NOT EXISTS \"#information_schema\";");
        }
        buf_printf(q->extra_sql, "CREATE OR REPLACE VIEW %.*s AS ", STR_ARG(view));
        TRY(information[i].put(q, q->extra_sql, err));
        buf_add_char(q->extra_sql, ';');
        return buf_check(q->extra_sql, "information_schema", err);
    }
    error_set(err, STATUS_NO_TABLE, "table \"information_schema.%.*s\" does not exist",
              STR_ARG(name));
    error_hint(err, "There are information_schema.schemata, tables and columns.");
    return STATUS_NO_TABLE;
}

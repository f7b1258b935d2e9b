/* SHOW VIEWS, SHOW CREATE VIEW, SHOW TBLPROPERTIES. */
#include "run/rows_sql.h"
#include "run/show.h"
#include "run/view.h"
#include "tarn/base/limits.h"

/* A comment, which its text cannot end. */
static void put_dialect(buf *out, str dialect)
{
    buf_add_c(out, "-- SQL of another engine, in dialect ");
    for (size_t i = 0; i < dialect.size; i++) {
        buf_add_char(out, (unsigned char)dialect.data[i] < ' ' ? ' ' : dialect.data[i]);
    }
    buf_add_char(out, '\n');
}

void view_put_create(buf *out, const table_name *name, const ice_view *view, arena *a)
{
    const ice_view_version *version = ice_view_current(view);
    const ice_type *root = ice_view_schema(view)->root;
    str sql = ice_view_sql(version, STR(ICE_VIEW_DIALECT));
    bool first = true;

    (void)a;
    buf_add_c(out, "CREATE VIEW ");
    sql_quote_name(out, name->space);
    buf_add_char(out, '.');
    sql_quote_name(out, name->table);
    buf_add_c(out, " (\n");
    for (size_t i = 0; i < root->field_count; i++) {
        buf_add_c(out, "  ");
        sql_quote_name(out, root->fields[i].name);
        if (!str_is_null(root->fields[i].doc)) {
            buf_add_c(out, " COMMENT ");
            sql_quote_text(out, root->fields[i].doc);
        }
        buf_add_c(out, i + 1 < root->field_count ? ",\n" : "\n");
    }
    buf_add_char(out, ')');
    for (size_t i = 0; i < view->property_count; i++) {
        buf_add_c(out, first ? "\nWITH (\n  " : ",\n  ");
        sql_quote_text(out, view->properties[i].key);
        buf_add_c(out, " = ");
        sql_quote_text(out, view->properties[i].value);
        first = false;
    }
    buf_add_c(out, first ? "\nAS " : "\n)\nAS ");
    if (str_is_null(sql) && version->representation_count > 0) { /* SQL of another engine's */
        sql = version->representations[0].sql;
        put_dialect(out, version->representations[0].dialect);
    }
    buf_add_str(out, str_is_null(sql) ? STR("?") : sql);
    buf_add_c(out, "\n;");
}

status show_relation(const run *r, const statement *st, arena *a, table_name *ret_name,
                     bool *ret_is_view, error *err)
{
    TRY(run_at(catalog_resolve_relation(r->catalog, st->name.parts, st->name.count, r->space, a,
                                        ret_name, ret_is_view, err),
               st->name.position, err));
    return run_check_access(r, ACTION_TABLE_READ, ret_name->space, ret_name->table, err);
}

status show_create_view(run *r, const statement *st, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"sql VARCHAR"};
    table_name name;
    view_info info;
    ice_view *view;
    rows_sql rows;
    bool is_view = false;
    buf *text = buf_in(a, LIMIT_METADATA_FILE);

    TRY(show_relation(r, st, a, &name, &is_view, err));
    if (!is_view) {
        error_set(err, STATUS_INVALID, "\"%.*s.%.*s\" is a table, not a view", STR_ARG(name.space),
                  STR_ARG(name.table));
        error_hint(err, "SHOW CREATE TABLE shows it.");
        return run_at(STATUS_INVALID, st->name.position, err);
    }
    TRY(catalog_load_view(r->catalog, name, a, &view, &info, err));
    view_put_create(text, &name, view, a);
    ice_view_unref(view);
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    rows_text(&rows, buf_str(text));
    rows_end(&rows);
    return STATUS_OK;
}

status show_views(run *r, str space, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"name VARCHAR"};
    view_info *views;
    size_t count;
    rows_sql rows;

    TRY(run_check_access(r, ACTION_TABLE_LIST, space, STR(""), err));
    TRY(catalog_list_views(r->catalog, space, a, &views, &count, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    for (size_t i = 0; i < count; i++) {
        rows_text(&rows, views[i].name.table);
    }
    rows_end(&rows);
    return STATUS_OK;
}

/* All of them, or the one that is asked for. */
static status put_properties(const statement *st, const ice_property *properties, size_t count,
                             buf *sql, error *err)
{
    static const char *const columns[] = {"key VARCHAR", "value VARCHAR"};
    rows_sql rows;
    bool found = false;

    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    for (size_t i = 0; i < count; i++) {
        if (str_is_null(st->property) || str_equal(st->property, properties[i].key)) {
            rows_text(&rows, properties[i].key);
            rows_text(&rows, properties[i].value);
            found = true;
        }
    }
    rows_end(&rows);
    return found || str_is_null(st->property)
               ? STATUS_OK
               : run_at(error_set(err, STATUS_NOT_FOUND, "there is no property \"%.*s\"",
                                  STR_ARG(st->property)),
                        st->name.position, err);
}

status show_properties(run *r, const statement *st, arena *a, buf *sql, error *err)
{
    table_name name;
    table_info table;
    view_info info;
    bool is_view = false;
    status result;

    TRY(show_relation(r, st, a, &name, &is_view, err));
    if (is_view) {
        ice_view *view;
        TRY(catalog_load_view(r->catalog, name, a, &view, &info, err));
        result = put_properties(st, view->properties, view->property_count, sql, err);
        ice_view_unref(view);
    } else {
        ice_metadata *m;
        TRY(catalog_load_table(r->catalog, name, a, &m, &table, err));
        result = put_properties(st, m->properties, m->property_count, sql, err);
        ice_metadata_unref(m);
    }
    return result;
}

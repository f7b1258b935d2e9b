/* PostgreSQL's functions that ask the catalog: what clients put around pg_class and pg_attribute.
 *
 * DuckDB has functions of these names, which speak of its own catalog: views over a worker's files. None of them is
 * ever called: in the text a call becomes that of a macro, whose name ends with "_", over the rows that information.c
 * makes; names without one are refused by the allow-list as they stand. */
#include "run/information.h"

#include "tarn/base/limits.h"

/* r: a row of the catalog, o: an oid, a name, or namespace.name. */
#define IS_RELATION                                                                         \
    "(CAST(r.oid AS VARCHAR) = CAST(o AS VARCHAR) OR r.space || '.' || r.name = CAST(o AS " \
    "VARCHAR) OR (r.space = $space AND r.name = CAST(o AS VARCHAR)))"
#define IS_SPACE "(CAST(r.oid AS VARCHAR) = CAST(o AS VARCHAR) OR r.name = CAST(o AS VARCHAR))"
#define VIEW_SQL                                                                            \
    "(SELECT any_value(regexp_extract(r.sql, '(?s)\\nAS (.*)\\n;$', 1)) FROM \"#catalog\"." \
    "details r WHERE r.sql IS NOT NULL AND " IS_RELATION ")"
#define COMMENT_SQL \
    "(SELECT any_value(r.comment) FROM \"#catalog\".details r WHERE " IS_RELATION ")"
#define MAY_TABLE                                                                             \
    "(EXISTS (SELECT 1 FROM \"#catalog\".relations r WHERE " IS_RELATION ") AND ($writes OR " \
    "upper(CAST(p AS VARCHAR)) LIKE 'SELECT%'))"
#define MAY_SPACE                                                                         \
    "(EXISTS (SELECT 1 FROM \"#catalog\".schemata r WHERE " IS_SPACE ") AND ($writes OR " \
    "upper(CAST(p AS VARCHAR)) LIKE 'USAGE%'))"

static const struct {
    str name;
    unsigned needs;
    const char *
        forms; /* of CREATE MACRO; $space: the namespace in use, $writes: whether one may change tables */
} functions[] = {
    {STR_INIT("pg_get_viewdef"), INFORMATION_DETAILS, "(o) AS " VIEW_SQL ", (o, p) AS " VIEW_SQL},
    {STR_INIT("obj_description"), INFORMATION_DETAILS,
     "(o) AS " COMMENT_SQL ", (o, p) AS " COMMENT_SQL},
    {STR_INIT("shobj_description"), 0, "(o, p) AS CAST(NULL AS VARCHAR)"},
    {STR_INIT("col_description"), INFORMATION_COLUMNS,
     "(o, p) AS (SELECT any_value(r.comment) FROM \"#catalog\".columns r WHERE r.position = p AND "
     "" IS_RELATION ")"},
    {STR_INIT("pg_table_is_visible"), INFORMATION_RELATIONS,
     "(o) AS EXISTS (SELECT 1 FROM \"#catalog\".relations r WHERE r.space = $space "
     "AND " IS_RELATION ")"},
    {STR_INIT("has_table_privilege"), INFORMATION_RELATIONS,
     "(o, p) AS " MAY_TABLE ", (u, o, p) AS " MAY_TABLE},
    {STR_INIT("has_any_column_privilege"), INFORMATION_RELATIONS,
     "(o, p) AS " MAY_TABLE ", (u, o, p) AS " MAY_TABLE},
    {STR_INIT("has_column_privilege"), INFORMATION_RELATIONS,
     "(o, c, p) AS " MAY_TABLE ", (u, o, c, p) AS " MAY_TABLE},
    {STR_INIT("has_schema_privilege"), INFORMATION_SCHEMATA,
     "(o, p) AS " MAY_SPACE ", (u, o, p) AS " MAY_SPACE},
    {STR_INIT("pg_get_userbyid"), 0, "(o) AS 'root'"},
    {STR_INIT("pg_encoding_to_char"), 0, "(o) AS CASE o WHEN 6 THEN 'UTF8' ELSE '' END"},
    {STR_INIT("pg_get_expr"), 0, "(e, o) AS CAST(e AS VARCHAR), (e, o, p) AS CAST(e AS VARCHAR)"},
    {STR_INIT("pg_get_constraintdef"), 0,
     "(o) AS CAST(NULL AS VARCHAR), (o, p) AS CAST(NULL AS VARCHAR)"},
    {STR_INIT("pg_get_indexdef"), 0,
     "(o) AS CAST(NULL AS VARCHAR), (o, c, p) AS CAST(NULL AS VARCHAR)"},
};

static void put_macro(query *q, size_t function)
{
    bool writes = run_check_access(q->r, ACTION_TABLE_WRITE, STR(""), STR(""), NULL) == STATUS_OK;
    str rest = str_c(functions[function].forms);

    buf_printf(q->extra_sql, "CREATE OR REPLACE TEMP MACRO \"%.*s_\"",
               STR_ARG(functions[function].name));
    for (size_t at; (at = str_find_char(rest, '$')) != STR_NPOS && at + 1 < rest.size;) {
        bool space = str_starts_with(str_slice(rest, at, rest.size), STR("$space"));
        bool may = str_starts_with(str_slice(rest, at, rest.size), STR("$writes"));

        buf_add_str(q->extra_sql, str_slice(rest, 0, at));
        if (space) {
            sql_quote_text(q->extra_sql, q->r->space);
        } else {
            buf_add_c(q->extra_sql, !may ? "$" : writes ? "true" : "false");
        }
        rest = str_slice(rest, at + (space ? 6 : may ? 7 : 1), rest.size);
    }
    buf_add_str(q->extra_sql, rest);
    buf_add_char(q->extra_sql, ';');
}

/* Which of them token `i` calls; COUNT_OF(functions): none. */
static size_t called_at(const query *q, size_t i)
{
    const token_list *list = &q->r->tokens;
    size_t found = 0;

    if (!token_is_name(list, i) || i + 1 >= q->range.to || !token_is_symbol(list, i + 1, '(')) {
        return COUNT_OF(functions);
    }
    while (found < COUNT_OF(functions) &&
           !str_equal_nocase(token_name(list, i, q->a), functions[found].name)) {
        found++;
    }
    return found;
}

/* Macros of information_functions are found without a schema alone. */
static bool is_macro_call(const query *q, size_t i)
{
    static const char *const names[] = {"format_type", "current_schema", "current_schemas",
                                        "current_database", "current_catalog"};
    bool found = false;

    for (size_t n = 0; n < COUNT_OF(names); n++) {
        found = found || str_equal_nocase(token_name(&q->r->tokens, i, q->a), str_c(names[n]));
    }
    return found && i + 1 < q->range.to && token_is_symbol(&q->r->tokens, i + 1, '(');
}

status catalog_functions(query *q, error *err)
{
    const token_list *list = &q->r->tokens;

    for (size_t i = q->range.from; i < q->range.to; i++) {
        size_t function = called_at(q, i);
        bool qualified = i >= q->range.from + 2 && token_is_symbol(list, i - 1, '.') &&
                         str_equal_nocase(token_name(list, i - 2, q->a), STR("pg_catalog"));
        size_t from = qualified ? i - 2 : i;

        if (function == COUNT_OF(functions)) {
            if (qualified && is_macro_call(q, i)) {
                vec_push(q->a, &q->edits,
                         ((edit){.from = list->items[from].from,
                                 .to = list->items[i].from,
                                 .text = STR("")}));
            }
            continue;
        }
        vec_push(
            q->a, &q->edits,
            ((edit){.from = list->items[from].from,
                    .to = list->items[i].to,
                    .text = str_printf(q->a, "\"%.*s_\"", STR_ARG(functions[function].name))}));
        TRY(information_rows(q, functions[function].needs, err));
        put_macro(q, function);
    }
    return STATUS_OK;
}

/* What the catalog holds, as completion needs it: asked once, and again after statements that may have
 * changed it. A server that does not answer completes nothing. */
#include "connect.h"
#include "shell/internal.h"

typedef struct table_columns {
    str table; /* as it was asked for */
    str *names;
    size_t count;
} table_columns;

struct shell_names {
    shell *shell;
    arena *memory; /* of what may change */
    bool known;
    VEC(shell_table) tables;
    VEC(str) spaces;
    VEC(table_columns) columns;
    bool functions_known;
    VEC(str) functions;
};

shell_names *shell_names_create(shell *s)
{
    shell_names *n = ARENA_NEW(s->c->lifetime, shell_names);

    n->shell = s;
    n->memory = arena_create();
    return n;
}

void shell_names_free(shell_names *n)
{
    arena_free(n->memory);
}

void shell_names_forget(shell_names *n)
{
    arena_clear(n->memory);
    n->known = false;
    n->tables.items = NULL;
    n->tables.count = n->tables.capacity = 0;
    n->spaces.items = NULL;
    n->spaces.count = n->spaces.capacity = 0;
    n->columns.items = NULL;
    n->columns.count = n->columns.capacity = 0;
}

static str cell(const json *rows, size_t row, size_t column)
{
    return json_str_or(json_at(json_at(rows, row), column), STR(""));
}

static void load(shell_names *n)
{
    const json *rows = NULL;
    shell_scope scope = shell_enter(n->shell);

    n->known = true;
    if (shell_ask(n->shell, STR("SELECT schema_name FROM information_schema.schemata ORDER BY 1"),
                  &rows, NULL) == STATUS_OK) {
        for (size_t i = 0; i < json_count(rows); i++) {
            vec_push(n->memory, &n->spaces, str_copy(n->memory, cell(rows, i, 0)));
        }
    }
    if (shell_ask(n->shell,
                  STR("SELECT table_schema, table_name FROM information_schema.tables ORDER BY "
                      "2, 1"),
                  &rows, NULL) == STATUS_OK) {
        for (size_t i = 0; i < json_count(rows); i++) {
            shell_table table = {.space = str_copy(n->memory, cell(rows, i, 0)),
                                 .name = str_copy(n->memory, cell(rows, i, 1))};
            vec_push(n->memory, &n->tables, table);
        }
    }
    shell_leave(n->shell, scope);
}

const shell_table *shell_names_tables(shell_names *n, size_t *ret_count)
{
    if (!n->known) {
        load(n);
    }
    *ret_count = n->tables.count;
    return n->tables.items;
}

const str *shell_names_spaces(shell_names *n, size_t *ret_count)
{
    if (!n->known) {
        load(n);
    }
    *ret_count = n->spaces.count;
    return n->spaces.items;
}

const str *shell_names_functions(shell_names *n, size_t *ret_count)
{
    const json *answer = NULL;
    cli *c = n->shell->c;

    if (!n->functions_known) {
        shell_scope scope = shell_enter(n->shell);
        n->functions_known = true;
        if (api_json(c, HTTP_GET, "/api/v1/functions", STR(""), &answer, NULL) == STATUS_OK) {
            const json *list = json_get(answer, "functions");
            for (size_t i = 0; i < json_count(list); i++) {
                str name = json_str_or(json_get(json_at(list, i), "name"), STR(""));
                vec_push(c->lifetime, &n->functions, str_copy(c->lifetime, name));
            }
        }
        shell_leave(n->shell, scope);
    }
    *ret_count = n->functions.count;
    return n->functions.items;
}

static table_columns ask_columns(shell_names *n, str table)
{
    table_columns found = {.table = str_copy(n->memory, table)};
    const json *rows = NULL;
    shell_scope scope = shell_enter(n->shell);
    str sql = str_printf(n->shell->c->memory, "DESCRIBE %.*s", STR_ARG(table));

    if (shell_ask(n->shell, sql, &rows, NULL) == STATUS_OK) {
        found.count = json_count(rows);
        found.names = ARENA_ARRAY(n->memory, str, found.count);
        for (size_t i = 0; i < found.count; i++) {
            found.names[i] = str_copy(n->memory, cell(rows, i, 0));
        }
    }
    shell_leave(n->shell, scope);
    return found;
}

const str *shell_names_columns(shell_names *n, str table, size_t *ret_count)
{
    for (size_t i = 0; i < n->columns.count; i++) {
        if (str_equal(n->columns.items[i].table, table)) {
            *ret_count = n->columns.items[i].count;
            return n->columns.items[i].names;
        }
    }
    table_columns found = ask_columns(n, table);
    vec_push(n->memory, &n->columns, found);
    *ret_count = found.count;
    return found.names;
}

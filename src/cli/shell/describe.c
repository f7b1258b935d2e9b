/* What there is: tables, views, namespaces, functions, a table's columns, the connection. */
#include <stdio.h>

#include "cell.h"
#include "connect.h"
#include "output.h"
#include "shell/internal.h"
#include "tarn/base/limits.h"
#include "tarn/version.h"

/* ---- helpers ---- */

/* "1.2 MB" */
static str format_bytes(arena *a, int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1000 && unit + 1 < COUNT_OF(units)) {
        value /= 1000;
        unit++;
    }
    return str_printf(a, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static str quote(arena *a, str text)
{
    buf *out = buf_in(a, LIMIT_MIB);

    json_quote(out, text);
    return buf_str(out);
}

/* % and * stand for anything; letters are alike in both cases. */
static bool is_like(str text, str pattern)
{
    if (pattern.size == 0) {
        return text.size == 0;
    }
    str rest = str_slice(pattern, 1, pattern.size);
    if (pattern.data[0] == '%' || pattern.data[0] == '*') {
        for (size_t i = 0; i <= text.size; i++) {
            if (is_like(str_slice(text, i, text.size), rest)) {
                return true;
            }
        }
        return false;
    }
    return text.size > 0 && str_equal_nocase(str_slice(text, 0, 1), str_slice(pattern, 0, 1)) &&
           is_like(str_slice(text, 1, text.size), rest);
}

static bool is_pattern(str text)
{
    return str_find_char(text, '%') != STR_NPOS || str_find_char(text, '*') != STR_NPOS;
}

static str current_space(const shell *s)
{
    return s->shared.space.size > 0 ? s->shared.space : STR("main");
}

/* Ends a command that printed rows: through the pager where they are many. */
typedef struct listing {
    shell_scope scope;
    pager *pager;
} listing;

static listing begin(shell *s)
{
    listing l = {.scope = shell_enter(s)};

    interrupt_forget();
    s->c->diversion = str_is_null(s->target.name) ? NULL : &s->target.diversion;
    l.pager = pager_begin(s, s->c->memory);
    return l;
}

static bool end(shell *s, listing l, status result, const error *err)
{
    (void)out_flush(s->c, NULL);
    (void)pager_end(l.pager);
    s->c->diversion = NULL;
    s->c->reader_gone = false;
    bool fine = result == STATUS_OK || result == STATUS_CANCELLED || shell_fail(s, err);
    interrupt_forget();
    shell_leave(s, l.scope);
    return fine;
}

/* "(2 views)" */
static status print_count(shell *s, size_t count, const char *noun, error *err)
{
    if (s->no_footer || s->c->format != OUTPUT_TABLE) {
        return STATUS_OK;
    }
    return out_str(
        s->c, str_printf(s->c->memory, "(%zu %s%s)\n", count, noun, count == 1 ? "" : "s"), err);
}

/* What the catalog tells is what all see. */
static status print_open_transaction(shell *s, error *err)
{
    if (!s->c->in_transaction || s->no_footer || s->c->format != OUTPUT_TABLE) {
        return STATUS_OK;
    }
    return out_str(s->c, STR("(as others see it: without what the open transaction changed)\n"),
                   err);
}

/* The rows of a question, as a table with these names. */
static status print_rows(shell *s, const json *rows, const output_column *columns, size_t count,
                         const char *noun, error *err)
{
    cli *c = s->c;
    output *o = output_create(c, out_width(c));
    str *cells = ARENA_ARRAY(c->memory, str, count);

    TRY(output_begin(o, columns, count, err));
    for (size_t r = 0; r < json_count(rows); r++) {
        for (size_t i = 0; i < count; i++) {
            buf *text = buf_in(c->memory, LIMIT_JSON_BODY);
            json_format(json_at(json_at(rows, r), i), text);
            cells[i] = buf_str(text);
        }
        TRY(output_row(o, cells, count, err));
    }
    TRY(output_end(o, err));
    return print_count(s, json_count(rows), noun, err);
}

/* ---- \dt ---- */

static status print_tables(shell *s, str space, str pattern, error *err)
{
    static const output_column columns[] = {
        {STR_INIT("table"), STR_INIT("")},       {STR_INIT("rows"), STR_INIT("BIGINT")},
        {STR_INIT("files"), STR_INIT("BIGINT")}, {STR_INIT("size"), STR_INIT("BIGINT")},
        {STR_INIT("updated"), STR_INIT("")},
    };
    cli *c = s->c;
    const json *answer = NULL;
    const char *path = api_path(c->memory, "/api/v1/namespaces/%/tables", &space, 1);
    size_t shown = 0;

    TRY(api_json(c, HTTP_GET, path, STR(""), &answer, err));
    output *o = output_create(c, out_width(c));
    TRY(output_begin(o, columns, COUNT_OF(columns), err));
    const json *list = json_get(answer, "tables");
    for (size_t i = 0; i < json_count(list); i++) {
        const json *table = json_at(list, i);
        str name = json_str_or(json_get(table, "name"), STR(""));
        if (!str_is_null(pattern) && !is_like(name, pattern)) {
            continue;
        }
        str size = format_bytes(c->memory, json_int64_or(json_get(table, "size_bytes"), 0));
        int64_t rows = json_int64_or(json_get(table, "rows"), 0);
        int64_t files = json_int64_or(json_get(table, "files"), 0);
        str time = json_str_or(json_get(table, "updated_at"), STR(""));
        const str cells[] = {
            quote(c->memory, name),
            str_printf(c->memory, "%lld", (long long)rows),
            str_printf(c->memory, "%lld", (long long)files),
            quote(c->memory, size),
            quote(c->memory, str_slice(time, 0, 19)),
        };
        TRY(output_row(o, cells, COUNT_OF(columns), err));
        shown++;
    }
    TRY(output_end(o, err));
    if (!s->no_footer && c->format == OUTPUT_TABLE) {
        str note = str_printf(c->memory, "(%zu %s in namespace %.*s)\n", shown,
                              shown == 1 ? "table" : "tables", STR_ARG(space));
        TRY(out_str(c, note, err));
    }
    return print_open_transaction(s, err);
}

/* The namespace and table that a name means; false where no table of the list is it. */
static bool find_table(shell *s, str name, str *ret_space, str *ret_table)
{
    size_t count = 0;
    const shell_table *tables = shell_names_tables(s->names, &count);
    size_t dot = str_find_last_char(name, '.');
    str space = dot == STR_NPOS ? current_space(s) : str_slice(name, 0, dot);
    str table = dot == STR_NPOS ? name : str_slice(name, dot + 1, name.size);

    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(tables[i].space, space) && str_equal_nocase(tables[i].name, table)) {
            *ret_space = tables[i].space;
            *ret_table = tables[i].name;
            return true;
        }
    }
    return false;
}

/* NAME may be a namespace, a table, a pattern of tables, or tables of a namespace: sales, trips, trip%,
 * sales.trip%. */
bool shell_list_tables(shell *s, str operand)
{
    listing l = begin(s);
    error err = ERROR_INIT;
    str word = shell_word(s, &operand, s->c->memory);
    str space = current_space(s);
    str pattern = STR_NULL;
    size_t dot = str_is_null(word) ? STR_NPOS : str_find_last_char(word, '.');
    size_t count = 0;
    const str *spaces = shell_names_spaces(s->names, &count);
    bool is_space = false;
    str known[2];

    for (size_t i = 0; i < count; i++) {
        is_space = is_space || str_equal_nocase(spaces[i], word);
    }
    bool is_table = !is_space && !str_is_null(word) && find_table(s, word, &known[0], &known[1]);
    if (is_space || (!str_is_null(word) && !is_pattern(word) && dot == STR_NPOS && !is_table)) {
        space = word;
    } else if (dot != STR_NPOS) {
        space = str_slice(word, 0, dot);
        pattern = str_slice(word, dot + 1, word.size);
    } else if (!str_is_null(word)) {
        pattern = word;
    }
    return end(s, l, print_tables(s, space, pattern, &err), &err);
}

/* ---- \d ---- */

static status print_line(cli *c, const char *title, str value, error *err)
{
    if (value.size == 0) {
        return STATUS_OK;
    }
    return out_str(c, str_printf(c->memory, "%-13s %.*s\n", title, STR_ARG(value)), err);
}

static str join_names(arena *a, const json *list, const char *first, const char *second)
{
    buf *out = buf_in(a, LIMIT_MIB);

    for (size_t i = 0; i < json_count(list); i++) {
        str source = json_str_or(json_get(json_at(list, i), first), STR(""));
        str how = json_str_or(json_get(json_at(list, i), second), STR(""));
        buf_add_c(out, i > 0 ? ", " : "");
        if (how.size == 0 || str_equal(how, STR("identity"))) {
            buf_add_str(out, source);
        } else {
            buf_printf(out, "%.*s(%.*s)", STR_ARG(how), STR_ARG(source));
        }
    }
    return buf_str(out);
}

/* What stands below the columns: what kind of table it is. */
static status print_facts(shell *s, const json *table, error *err)
{
    cli *c = s->c;
    int64_t rows = json_int64_or(json_get(table, "rows"), 0);
    int64_t files = json_int64_or(json_get(table, "files"), 0);
    str size = format_bytes(c->memory, json_int64_or(json_get(table, "size_bytes"), 0));
    str full = str_printf(c->memory, "%.*s.%.*s",
                          STR_ARG(json_str_or(json_get(table, "namespace"), STR(""))),
                          STR_ARG(json_str_or(json_get(table, "name"), STR(""))));

    TRY(out_str(c, STR("\n"), err));
    TRY(print_line(c, "table", full, err));
    TRY(print_line(c, "rows",
                   str_printf(c->memory, "%lld in %lld %s, %.*s", (long long)rows, (long long)files,
                              files == 1 ? "file" : "files", STR_ARG(size)),
                   err));
    TRY(print_line(c, "partitioned",
                   join_names(c->memory, json_get(table, "partitioning"), "column", "transform"),
                   err));
    TRY(print_line(c, "comment",
                   json_str_or(json_get(json_get(table, "properties"), "comment"), STR("")), err));
    TRY(print_line(c, "updated", json_str_or(json_get(table, "updated_at"), STR("")), err));
    return print_open_transaction(s, err);
}

static status print_columns(shell *s, str name, error *err)
{
    static const output_column heads[] = {
        {STR_INIT("column"), STR_INIT("")},  {STR_INIT("type"), STR_INIT("")},
        {STR_INIT("null"), STR_INIT("")},    {STR_INIT("key"), STR_INIT("")},
        {STR_INIT("default"), STR_INIT("")}, {STR_INIT("comment"), STR_INIT("")}};
    cli *c = s->c;
    const json *rows = NULL;
    output_column columns[COUNT_OF(heads)];
    size_t shown[COUNT_OF(heads)];
    size_t count = 0;

    TRY(shell_ask(s, str_printf(c->memory, "DESCRIBE %.*s", STR_ARG(name)), &rows, err));
    for (size_t i = 0; i < COUNT_OF(heads); i++) { /* what says nothing takes no room */
        bool says = i < 3;
        for (size_t r = 0; r < json_count(rows); r++) {
            says = says || json_kind_of(json_at(json_at(rows, r), i)) == JSON_STR;
        }
        if (says) {
            columns[count] = heads[i];
            shown[count++] = i;
        }
    }
    output *o = output_create(c, out_width(c));
    TRY(output_begin(o, columns, count, err));
    for (size_t r = 0; r < json_count(rows); r++) {
        str cells[COUNT_OF(heads)];
        for (size_t i = 0; i < count; i++) {
            const json *value = json_at(json_at(rows, r), shown[i]);
            cells[i] = json_kind_of(value) == JSON_STR
                           ? quote(c->memory, json_str_or(value, STR("")))
                           : quote(c->memory, STR(""));
        }
        TRY(output_row(o, cells, count, err));
    }
    return output_end(o, err);
}

/* What a view is: the statement that makes it. */
static status print_view(shell *s, str name, error *err)
{
    arena *a = s->c->memory;
    const json *rows = NULL;
    error ignored = ERROR_INIT;

    str ask = str_printf(a, "SHOW CREATE VIEW %.*s", STR_ARG(name));
    if (shell_ask(s, ask, &rows, &ignored) != STATUS_OK) {
        return STATUS_OK;
    }
    str text = json_str_or(json_at(json_at(rows, 0), 0), STR(""));
    buf *shown = buf_in(a, LIMIT_MIB);
    buf_add_char(shown, '\n');
    for (str rest = text; !str_is_null(rest) && text.size > 0;) {
        text_add_visible(shown, str_cut(rest, '\n', &rest));
        buf_add_char(shown, '\n');
    }
    TRY(buf_check(shown, "the view", err));
    return out_str(s->c, buf_str(shown), err);
}

static status describe(shell *s, str name, error *err)
{
    const json *table = NULL;
    str parts[2];

    TRY(print_columns(s, name, err));
    if (!find_table(s, name, &parts[0], &parts[1])) {
        return STATUS_OK;
    }
    const char *path = api_path(s->c->memory, "/api/v1/namespaces/%/tables/%", parts, 2);
    error ignored = ERROR_INIT; /* a view has columns and no files */
    if (api_json(s->c, HTTP_GET, path, STR(""), &table, &ignored) != STATUS_OK) {
        return print_view(s, name, err);
    }
    return print_facts(s, table, err);
}

bool shell_describe(shell *s, str operand)
{
    operand = str_trim(operand);
    if (operand.size == 0 || is_pattern(operand)) {
        return shell_list_tables(s, operand);
    }
    listing l = begin(s);
    error err = ERROR_INIT;
    str name = shell_expand(s, operand, s->c->memory);
    status result = describe(s, name, &err);
    err.position = ERROR_NO_POSITION; /* of a statement that nobody typed */
    return end(s, l, result, &err);
}

/* ---- \dv, \dn, \l ---- */

static bool print_question(shell *s, str sql, const output_column *columns, size_t count,
                           const char *noun)
{
    listing l = begin(s);
    const json *rows = NULL;
    error err = ERROR_INIT;
    status result = shell_ask(s, sql, &rows, &err);

    if (result == STATUS_OK) {
        result = print_rows(s, rows, columns, count, noun, &err);
    }
    err.position = ERROR_NO_POSITION;
    return end(s, l, result, &err);
}

bool shell_list_views(shell *s, str operand)
{
    static const output_column columns[] = {{STR_INIT("namespace"), STR_INIT("")},
                                            {STR_INIT("view"), STR_INIT("")}};
    (void)operand;
    return print_question(s,
                          STR("SELECT table_schema, table_name FROM information_schema.tables "
                              "WHERE table_type = 'VIEW' ORDER BY ALL"),
                          columns, COUNT_OF(columns), "view");
}

bool shell_list_namespaces(shell *s, str operand)
{
    static const output_column columns[] = {{STR_INIT("namespace"), STR_INIT("")},
                                            {STR_INIT("tables"), STR_INIT("BIGINT")}};
    (void)operand;
    return print_question(s,
                          STR("SELECT s.schema_name, count(t.table_name) FROM "
                              "information_schema.schemata s LEFT JOIN information_schema.tables t "
                              "ON t.table_schema = s.schema_name GROUP BY ALL ORDER BY ALL"),
                          columns, COUNT_OF(columns), "namespace");
}

bool shell_list_warehouses(shell *s, str operand)
{
    static const output_column columns[] = {{STR_INIT("warehouse"), STR_INIT("")},
                                            {STR_INIT("namespaces"), STR_INIT("BIGINT")}};
    (void)operand;
    return print_question(s,
                          STR("SELECT catalog_name, count(*) FROM information_schema.schemata "
                              "GROUP BY ALL ORDER BY ALL"),
                          columns, COUNT_OF(columns), "warehouse");
}

/* ---- \df ---- */

static status print_functions(shell *s, str pattern, error *err)
{
    static const output_column columns[] = {
        {STR_INIT("function"), STR_INIT("")},
        {STR_INIT("kind"), STR_INIT("")},
        {STR_INIT("description"), STR_INIT("")},
    };
    cli *c = s->c;
    const json *answer = NULL;
    size_t shown = 0;

    TRY(api_json(c, HTTP_GET, "/api/v1/functions", STR(""), &answer, err));
    output *o = output_create(c, out_width(c));
    TRY(output_begin(o, columns, COUNT_OF(columns), err));
    const json *list = json_get(answer, "functions");
    for (size_t i = 0; i < json_count(list); i++) {
        const json *f = json_at(list, i);
        str name = json_str_or(json_get(f, "name"), STR(""));
        bool wanted = is_pattern(pattern)
                          ? is_like(name, pattern)
                          : str_find(name, str_lower(c->memory, pattern)) != STR_NPOS;
        if (pattern.size > 0 && !wanted) {
            continue;
        }
        const str cells[] = {
            quote(c->memory, json_str_or(json_get(f, "call"), name)),
            quote(c->memory, json_str_or(json_get(f, "kind"), STR(""))),
            quote(c->memory, json_str_or(json_get(f, "description"), STR(""))),
        };
        TRY(output_row(o, cells, COUNT_OF(columns), err));
        shown++;
    }
    TRY(output_end(o, err));
    return print_count(s, shown, "function", err);
}

bool shell_list_functions(shell *s, str operand)
{
    listing l = begin(s);
    error err = ERROR_INIT;
    str pattern = shell_word(s, &operand, s->c->memory);

    return end(s, l, print_functions(s, str_is_null(pattern) ? STR("") : pattern, &err), &err);
}

/* ---- \conninfo ---- */

bool shell_connection_info(shell *s, str operand)
{
    cli *c = s->c;
    const json *answer = NULL;
    error err = ERROR_INIT;
    shell_scope scope = shell_enter(s);

    (void)operand;
    status result = api_json(c, HTTP_GET, "/api/v1/status", STR(""), &answer, &err);
    if (result == STATUS_OK) {
        str version = json_str_or(json_get(answer, "version"), STR(""));
        str address = c->server->address;
        printf("server     %.*s%s\n", STR_ARG(address),
               c->server->private ? " (private: it ends with its last client)" : "");
        printf("version    %.*s, this shell is %s\n", STR_ARG(version), TARN_VERSION);
        str data = json_str_or(json_get(answer, "data"), STR(""));
        str warehouse = json_str_or(json_get(answer, "warehouse"), STR(""));
        printf("data       %.*s\n", STR_ARG(data));
        printf("warehouse  %.*s\n", STR_ARG(warehouse));
        printf("namespace  %.*s\n", STR_ARG(current_space(s)));
    } else {
        (void)shell_fail(s, &err);
    }
    shell_leave(s, scope);
    return result == STATUS_OK;
}

/* What an error about a name leaves out: DuckDB finds columns of a table without an alias, and tells the place of most.
 * For the others the statement's own tokens and tables are asked. Nothing here decides whether something is wrong. */
#include "run/blame.h"

#include "tarn/catalog/view.h"

/* The text between the first double quotes from `*rest` on; STR_NULL where there is none. */
static str next_quoted(str *rest)
{
    str name;

    (void)str_cut(*rest, '"', rest);
    if (str_is_null(*rest)) {
        return STR_NULL;
    }
    name = str_cut(*rest, '"', rest);
    return str_is_null(*rest) ? STR_NULL : name;
}

static const ice_type *columns_of(const query *q, const query_view *view)
{
    return view->stored > 0 ? ice_view_schema(q->stored.items[view->stored - 1].view)->root
                            : q->tables.items[view->table].schema->root;
}

static bool has_view(const query *q, str name)
{
    for (size_t i = 0; i < q->views.count; i++) {
        if (str_equal_nocase(q->views.items[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* The table's name in "name AS alias" or "name alias". */
static str name_behind(const query *q, str alias)
{
    const token_list *list = &q->r->tokens;

    for (size_t i = q->range.from + 1; i < q->range.to; i++) {
        size_t before = i - 1;

        if (!token_is_name(list, i) || !str_equal_nocase(token_name(list, i, q->a), alias)) {
            continue;
        }
        before -= token_is(list, before, "as") && before > q->range.from ? 1 : 0;
        if (token_is_name(list, before) && has_view(q, token_name(list, before, q->a))) {
            return token_name(list, before, q->a);
        }
    }
    return STR_NULL;
}

/* `table` STR_NULL: of all that the statement itself names. */
static str nearest(const query *q, str table, str wanted)
{
    VEC(str) names = {0};

    for (size_t i = 0; i < q->views.count; i++) {
        const query_view *view = &q->views.items[i];
        bool inner = str_starts_with(view->schema, STR("#view"));

        if (str_is_null(table) ? inner : !str_equal_nocase(view->name, table)) {
            continue;
        }
        const ice_type *root = columns_of(q, view);
        for (size_t k = 0; k < root->field_count; k++) {
            vec_push(q->a, &names, root->fields[k].name);
        }
    }
    return str_nearest(wanted, names.items, names.count);
}

void blame_column(const query *q, error *err)
{
    static const str of_table = STR_INIT("table \"");
    str table = STR_NULL, wanted;

    if (err == NULL || err->kind != STATUS_NO_COLUMN || err->hint[0] != '\0' || q->r == NULL) {
        return;
    }
    str rest = str_c(err->message);
    bool by_table = str_starts_with(rest, of_table);
    wanted = next_quoted(&rest);
    if (by_table) {
        str alias = wanted;
        wanted = next_quoted(&rest);
        table = name_behind(q, alias);
        table = str_is_null(table) ? alias : table;
    }
    if (str_is_null(wanted)) {
        return;
    }
    str found = nearest(q, table, wanted);
    if (!str_is_null(found)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(str_copy(q->a, found)));
    }
}

/* Names, and texts that are values of a type: DATE '2024-13-01'. A text elsewhere may be another's value. */
static bool is_word(const token_list *list, size_t at, token_range range, str word, arena *a)
{
    static const char *const types[] = {"date", "time", "timestamp", "timestamptz", "interval"};
    bool typed = false;
    str text;

    if (token_is_name(list, at)) {
        return str_equal_nocase(token_name(list, at, a), word);
    }
    for (size_t i = 0; i < COUNT_OF(types) && at > range.from; i++) {
        typed = typed || token_is(list, at - 1, types[i]);
    }
    return typed && list->items[at].kind == TOKEN_TEXT &&
           token_value(list, at, a, &text, NULL) == STATUS_OK && str_equal(text, word);
}

void blame_place(const run *r, token_range range, error *err)
{
    size_t found = SIZE_MAX;

    if (err == NULL || err->position != ERROR_NO_POSITION) {
        return;
    }
    str rest = str_c(err->message);
    bool of_table = str_starts_with(rest, STR("table \""));
    str word = next_quoted(&rest);
    if (of_table) { /* "table "t" has no column "x"" speaks of x */
        str column = next_quoted(&rest);
        word = str_is_null(column) ? word : column;
    }
    if (str_is_null(word) || word.size == 0 || range.to > r->tokens.count) {
        return;
    }
    for (size_t i = range.from; i < range.to; i++) {
        if (is_word(&r->tokens, i, range, word, r->a)) {
            if (found != SIZE_MAX) {
                return;
            }
            found = i;
        }
    }
    if (found != SIZE_MAX) {
        err->position = (int)r->tokens.items[found].from;
    }
}

/* Words that statements begin with. */
static const char *const beginnings[] = {
    "select",  "insert", "update", "delete",   "merge",   "create",  "alter",      "drop",
    "with",    "from",   "values", "describe", "show",    "explain", "summarize",  "truncate",
    "begin",   "commit", "use",    "rollback", "prepare", "execute", "deallocate", "comment",
    "analyze", "call",   "pivot",  "unpivot",  "table",   "set",     "reset",      "start",
};

static str nearest_beginning(str word)
{
    str names[COUNT_OF(beginnings)];

    for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
        names[i] = str_c(beginnings[i]);
    }
    return str_nearest(word, names, COUNT_OF(beginnings));
}

void blame_slip(const run *r, token_range range, error *err)
{
    if (err == NULL || err->position < 0 || range.to > r->tokens.count ||
        str_starts_with(str_c(err->hint), STR("Did you"))) {
        return;
    }
    for (size_t i = range.from; i < range.to; i++) {
        if (r->tokens.items[i].from != (size_t)err->position) {
            continue;
        }
        if (err->kind == STATUS_NO_COLUMN && r->tokens.items[i].kind == TOKEN_QUOTED) {
            str name = token_name(&r->tokens, i, r->a);
            error_hint(err, "Double quotes are for names; a text is written '%.*s'.",
                       STR_ARG(name));
        }
        if (err->kind == STATUS_SYNTAX && err->hint[0] == '\0' && i == range.from &&
            r->tokens.items[i].kind == TOKEN_WORD) {
            str nearest = nearest_beginning(token_text(&r->tokens, i));
            if (!str_is_null(nearest) && !str_equal_nocase(nearest, token_text(&r->tokens, i))) {
                error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
            }
        }
        return;
    }
}

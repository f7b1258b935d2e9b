/* Recognising a statement by its first words, and the short statements. The long ones are in create.c, the steps of
 * all in parser.c. */
#include "sql/statement.h"

#include "sql/parser.h"
#include "tarn/base/vec.h"

static const struct {
    const char *name;
    bool changes;
} kinds[] = {
#define X(name, text, changes) {text, changes},
    STATEMENT_TABLE(X)
#undef X
};

const char *statement_kind_name(statement_kind kind)
{
    return kinds[kind].name;
}

bool statement_changes(statement_kind kind)
{
    return kinds[kind].changes;
}

statement_kind statement_effect(const statement *st)
{
    return st->kind == STATEMENT_EXPLAIN && st->analyze && st->explained != NULL
               ? st->explained->kind
               : st->kind;
}

static status expect_end(const parser *p)
{
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

/* ---- what is refused ---- */

#define HINT_LATER \
    "It is planned; until then write the rows you want into a new table with CREATE TABLE … AS SELECT."
#define HINT_TRANSACTION "A transaction is taken back as a whole: ROLLBACK."
#define HINT_SETTING "Settings belong to the server: see tarn config show."
#define HINT_FILES "Files go in with tarn load; results come out with tarn sql -o csv, or parquet."

/* Up to two words; the first row that fits decides. DENIED is what would reach out of the
 * sandbox, UNSUPPORTED what tarn does not do. */
static const struct {
    const char *first, *second;
    status kind;
    const char *hint;
} refused[] = {
    {"savepoint", NULL, STATUS_UNSUPPORTED, HINT_TRANSACTION},
    {"release", NULL, STATUS_UNSUPPORTED, HINT_TRANSACTION},
    {"replace", NULL, STATUS_UNSUPPORTED, HINT_LATER},
    {"alter", NULL, STATUS_UNSUPPORTED, "ALTER TABLE, VIEW and SCHEMA are."},
    {"comment", NULL, STATUS_UNSUPPORTED, "COMMENT ON TABLE, VIEW and COLUMN are."},
    {"create", "or", STATUS_UNSUPPORTED, "CREATE OR REPLACE TABLE and CREATE OR REPLACE VIEW are."},
    {"create", "materialized", STATUS_UNSUPPORTED,
     "A view computes its rows when it is read; CREATE TABLE … AS SELECT keeps them."},
    {"create", "recursive", STATUS_UNSUPPORTED, "Use WITH RECURSIVE inside of the view."},
    {"create", "temp", STATUS_UNSUPPORTED, "Use WITH name AS (…) inside of the statement."},
    {"create", "temporary", STATUS_UNSUPPORTED, "Use WITH name AS (…) inside of the statement."},
    {"create", "index", STATUS_UNSUPPORTED,
     "Partition the table instead: files that cannot match are not read."},
    {"create", "unique", STATUS_UNSUPPORTED,
     "Partition the table instead: files that cannot match are not read."},
    {"create", "secret", STATUS_DENIED, HINT_SETTING},
    {"create", "persistent", STATUS_DENIED, HINT_SETTING},
    {"create", "macro", STATUS_UNSUPPORTED, ""},
    {"create", "function", STATUS_UNSUPPORTED, ""},
    {"create", "sequence", STATUS_UNSUPPORTED, "uuidv7() and row_number() make keys."},
    {"create", "type", STATUS_UNSUPPORTED, ""},
    {"create", "database", STATUS_UNSUPPORTED, "CREATE SCHEMA makes a namespace."},
    {"create", "trigger", STATUS_UNSUPPORTED, ""},
    {"create", "branch", STATUS_UNSUPPORTED, "ALTER TABLE t CREATE BRANCH name makes one."},
    {"create", "tag", STATUS_UNSUPPORTED, "ALTER TABLE t CREATE TAG name makes one."},
    {"drop", "database", STATUS_UNSUPPORTED, "DROP SCHEMA removes a namespace."},
    {"drop", NULL, STATUS_UNSUPPORTED, ""},
    {"copy", NULL, STATUS_DENIED, HINT_FILES},
    {"export", NULL, STATUS_DENIED, HINT_FILES},
    {"import", NULL, STATUS_DENIED, HINT_FILES},
    {"attach", NULL, STATUS_DENIED,
     "All tables of the warehouse are reachable as namespace.table."},
    {"detach", NULL, STATUS_DENIED, ""},
    {"set", NULL, STATUS_DENIED, HINT_SETTING},
    {"reset", NULL, STATUS_DENIED, HINT_SETTING},
    {"pragma", NULL, STATUS_DENIED, HINT_SETTING},
    {"install", NULL, STATUS_DENIED, ""},
    {"force", NULL, STATUS_DENIED, ""},
    {"load", NULL, STATUS_DENIED, HINT_FILES},
    {"update_extensions", NULL, STATUS_DENIED, ""},
    {"checkpoint", NULL, STATUS_DENIED, ""},
    {"vacuum", NULL, STATUS_UNSUPPORTED, ""},
    {"grant", NULL, STATUS_UNSUPPORTED,
     "Rights come with a principal's role: tarn user create --role."},
    {"revoke", NULL, STATUS_UNSUPPORTED,
     "Rights come with a principal's role: tarn user create --role."},
};

static status refuse(const parser *p, size_t row)
{
    str name = str_upper(p->a, str_c(refused[row].first));
    if (str_equal(str_c(refused[row].second), STR("or"))) {
        name = STR("CREATE OR REPLACE");
    } else if (refused[row].second != NULL) {
        name = str_printf(p->a, "%.*s %.*s", STR_ARG(name),
                          STR_ARG(str_upper(p->a, str_c(refused[row].second))));
    } else if (str_equal(name, STR("DROP")) && p->at + 1 < p->end) {
        name =
            str_printf(p->a, "DROP %.*s", STR_ARG(str_upper(p->a, token_text(p->list, p->at + 1))));
    }
    error_set(p->err, refused[row].kind,
              refused[row].kind == STATUS_DENIED ? "%.*s is not allowed" : "%.*s is not supported",
              STR_ARG(name));
    if (refused[row].hint[0] != '\0') {
        error_hint(p->err, "%s", refused[row].hint);
    }
    return parser_place(p, parser_position(p), refused[row].kind);
}

/* STATUS_OK where no row fits. */
static status refuse_by_name(const parser *p)
{
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        if (token_is(p->list, p->at, refused[i].first) &&
            (refused[i].second == NULL ||
             (p->at + 1 < p->end && token_is(p->list, p->at + 1, refused[i].second)))) {
            return refuse(p, i);
        }
    }
    return STATUS_OK;
}

/* ---- short statements ---- */

static status skip_if_exists(parser *p, bool negated, statement *st)
{
    if (parser_skip(p, "if")) {
        TRY(negated ? parser_expect(p, "not") : STATUS_OK);
        TRY(parser_expect(p, "exists"));
        st->if_exists = true;
    }
    return STATUS_OK;
}

static status parse_create_schema(parser *p, statement *st)
{
    st->kind = STATEMENT_CREATE_SCHEMA;
    TRY(skip_if_exists(p, true, st));
    TRY(parser_name(p, &st->name));
    if (parser_skip(p, "location")) {
        TRY(token_value(p->list, p->at, p->a, &st->location, p->err));
        p->at++;
    }
    if (parser_skip(p, "with")) {
        TRY(parser_properties(p, st));
    }
    return expect_end(p);
}

/* ALTER SCHEMA s SET LOCATION '…'; SET PROPERTIES ('k' = 'v', …); UNSET PROPERTIES ('k', …) */
static status parse_alter_schema(parser *p, statement *st)
{
    st->kind = STATEMENT_ALTER_SCHEMA;
    TRY(skip_if_exists(p, false, st));
    TRY(parser_name(p, &st->name));
    st->unset = parser_skip(p, "unset");
    if (!st->unset) {
        TRY(parser_expect(p, "set"));
    }
    if (!st->unset && parser_skip(p, "location")) {
        TRY(token_value(p->list, p->at, p->a, &st->location, p->err));
        p->at++;
    } else {
        if (!parser_skip(p, "properties") && !parser_skip(p, "dbproperties")) {
            return parser_fail(p);
        }
        TRY(parser_property_list(p, st->unset, &st->properties, &st->property_count));
    }
    return expect_end(p);
}

static status parse_create(parser *p, statement *st)
{
    parser start = *p;
    p->at++;
    if (parser_is(p, "or") && p->at + 2 < p->end && token_is(p->list, p->at + 1, "replace") &&
        (token_is(p->list, p->at + 2, "table") || token_is(p->list, p->at + 2, "view"))) {
        p->at += 2;
        st->replace = true;
    }
    if (parser_skip(p, "schema") || parser_skip(p, "namespace")) {
        return parse_create_schema(p, st);
    }
    if (parser_skip(p, "table")) {
        if (!st->replace) {
            TRY(skip_if_exists(p, true, st));
        }
        TRY(parser_create_table(p, st));
        return expect_end(p);
    }
    if (parser_skip(p, "view")) {
        return parser_create_view(p, st);
    }
    TRY(refuse_by_name(&start));
    return parser_fail(p);
}

static status parse_drop(parser *p, statement *st)
{
    parser start = *p;
    p->at++;
    if (parser_skip(p, "schema") || parser_skip(p, "namespace")) {
        st->kind = STATEMENT_DROP_SCHEMA;
        TRY(skip_if_exists(p, false, st));
        TRY(parser_name(p, &st->name));
        st->cascade = parser_skip(p, "cascade");
        if (!st->cascade) {
            (void)parser_skip(p, "restrict");
        }
        return expect_end(p);
    }
    if (parser_skip(p, "table")) {
        st->kind = STATEMENT_DROP_TABLE;
        TRY(parser_names(p, st));
        (void)parser_skip(p, "restrict");
        st->purge = parser_skip(p, "purge");
        if (parser_is(p, "cascade")) {
            error_set(p->err, STATUS_UNSUPPORTED, "DROP TABLE … CASCADE is not supported");
            error_hint(p->err, "Views that read the table stay, and say so when they are read; "
                               "DROP VIEW drops them.");
            return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
        }
        return expect_end(p);
    }
    if (parser_skip(p, "view")) {
        return parser_drop_view(p, st);
    }
    if (parser_at_end(p)) {
        return parser_fail(p);
    }
    return refuse_by_name(&start);
}

static status parse_undrop(parser *p, statement *st)
{
    p->at++;
    st->kind = STATEMENT_UNDROP_TABLE;
    TRY(parser_expect(p, "table"));
    TRY(parser_name(p, &st->name));
    if (parser_skip(p, "as")) {
        statement_name *as = ARENA_NEW(p->a, statement_name);
        TRY(parser_name(p, as));
        st->others = as;
        st->other_count = 1;
    }
    return expect_end(p);
}

/* "a.b" and nothing behind it. */
static bool is_name_alone(const parser *p)
{
    parser ahead = *p;
    statement_name name;
    ahead.err = NULL;
    return parser_name(&ahead, &name) == STATUS_OK && parser_at_end(&ahead);
}

/* What is no name but a query: DuckDB describes it. */
static bool is_query(const parser *p)
{
    static const char *const queries[] = {"select", "with",  "from",   "values",
                                          "table",  "pivot", "unpivot"};
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        if (parser_is(p, queries[i])) {
            return true;
        }
    }
    return parser_is_symbol(p, '(');
}

static status parse_describe(parser *p, statement *st)
{
    p->at++;
    if (parser_at_end(p)) {
        st->kind = STATEMENT_SHOW_ALL_TABLES;
        return STATUS_OK;
    }
    if (parser_is(p, "table") && p->at + 1 < p->end && token_is_name(p->list, p->at + 1)) {
        p->at++;
        st->kind = STATEMENT_DESCRIBE_TABLE;
        TRY(parser_name(p, &st->name));
        return expect_end(p);
    }
    if (is_query(p)) {
        return STATUS_OK;
    }
    if (is_name_alone(p)) {
        st->kind = STATEMENT_DESCRIBE_TABLE;
        TRY(parser_name(p, &st->name));
    }
    return STATUS_OK;
}

static status parse_show_list(parser *p, statement_kind kind, statement *st)
{
    st->kind = kind;
    if (parser_skip(p, "from") || parser_skip(p, "in")) {
        TRY(parser_name(p, &st->name));
    }
    return expect_end(p);
}

static status parse_show_properties(parser *p, statement *st)
{
    st->kind = STATEMENT_SHOW_PROPERTIES;
    TRY(parser_name(p, &st->name));
    if (parser_is_symbol(p, '(')) {
        const catalog_property *keys;
        size_t count;
        TRY(parser_property_list(p, true, &keys, &count));
        st->property = keys[0].key;
        return count == 1 ? expect_end(p) : parser_fail(p);
    }
    return expect_end(p);
}

static status parse_show(parser *p, statement *st)
{
    p->at++;
    if (parser_at_end(p)) {
        st->kind = STATEMENT_SHOW_ALL_TABLES;
        return STATUS_OK;
    }
    if (is_query(p)) {
        return STATUS_OK;
    }
    if (parser_skip(p, "tables")) {
        return parse_show_list(p, STATEMENT_SHOW_TABLES, st);
    }
    if (parser_is(p, "views") && (p->at + 1 == p->end || token_is(p->list, p->at + 1, "from") ||
                                  token_is(p->list, p->at + 1, "in"))) {
        p->at++;
        return parse_show_list(p, STATEMENT_SHOW_VIEWS, st);
    }
    if (parser_is(p, "functions") &&
        (p->at + 1 == p->end || token_is(p->list, p->at + 1, "like"))) {
        p->at++;
        st->kind = STATEMENT_SHOW_FUNCTIONS;
        if (parser_skip(p, "like")) {
            TRY(parser_text_value(p, &st->property));
        }
        return expect_end(p);
    }
    if (parser_is(p, "tblproperties") && p->at + 1 < p->end) {
        p->at++;
        return parse_show_properties(p, st);
    }
    if (parser_is(p, "all") && p->at + 1 < p->end && token_is(p->list, p->at + 1, "tables")) {
        p->at += 2;
        st->kind = STATEMENT_SHOW_ALL_TABLES;
        return expect_end(p);
    }
    if (parser_skip(p, "schemas") || parser_skip(p, "namespaces") || parser_skip(p, "databases")) {
        st->kind = STATEMENT_SHOW_SCHEMAS;
        return expect_end(p);
    }
    if (parser_skip(p, "create")) {
        bool view = parser_skip(p, "view");
        TRY(view ? STATUS_OK : parser_expect(p, "table"));
        st->kind = view ? STATEMENT_SHOW_CREATE_VIEW : STATEMENT_SHOW_CREATE_TABLE;
        TRY(parser_name(p, &st->name));
        return expect_end(p);
    }
    if (parser_is(p, "columns") && p->at + 1 < p->end &&
        (token_is(p->list, p->at + 1, "from") || token_is(p->list, p->at + 1, "in"))) {
        p->at += 2;
    }
    st->kind = STATEMENT_DESCRIBE_TABLE;
    TRY(parser_name(p, &st->name));
    return expect_end(p);
}

/* SET branch = 'x', SET branch TO x, USE BRANCH x; RESET branch. */
static status parse_branch_name(parser *p, statement *st)
{
    st->kind = STATEMENT_SET_BRANCH;
    if (!parser_skip_symbol(p, '=')) {
        (void)parser_skip(p, "to");
    }
    if (parser_at_end(p)) {
        return parser_fail(p);
    }
    st->name.position = parser_position(p);
    if (p->list->items[p->at].kind == TOKEN_TEXT) {
        TRY(token_value(p->list, p->at, p->a, &st->branch, p->err));
        p->at++;
    } else if (parser_skip(p, "default")) {
        st->branch = STR_NULL;
    } else {
        TRY(parser_word(p, &st->branch));
    }
    if (!str_is_null(st->branch) && st->branch.size == 0) {
        return parser_place(p, st->name.position,
                            error_set(p->err, STATUS_INVALID, "the name of a branch is empty"));
    }
    return expect_end(p);
}

static status parse_use(parser *p, statement *st)
{
    p->at++;
    if (parser_is(p, "branch") && p->at + 1 < p->end) {
        p->at++;
        return parse_branch_name(p, st);
    }
    st->kind = STATEMENT_USE;
    TRY(parser_name(p, &st->name));
    return expect_end(p);
}

/* The verb of the statement that a leading WITH belongs to: behind a ")" outside of brackets; elsewhere such a word may
 * be a name. False where it is a query. */
static bool find_verb(const parser *p, size_t *ret_at,
                      status (**ret_parse)(parser *p, statement *st))
{
    static const struct {
        const char *word;
        status (*parse)(parser *p, statement *st);
    } changing[] = {{"insert", parser_insert},
                    {"update", parser_update},
                    {"delete", parser_delete},
                    {"merge", parser_merge}};
    parser ahead = *p;

    for (size_t depth = 0; ahead.at < ahead.end; ahead.at++) {
        if (parser_is_symbol(&ahead, '(')) {
            depth++;
        } else if (parser_is_symbol(&ahead, ')')) {
            depth -= depth > 0 ? 1 : 0;
        } else if (depth == 0 && parser_is(&ahead, "select")) {
            return false;
        }
        for (size_t i = 0; depth == 0 && i < COUNT_OF(changing); i++) {
            if (parser_is(&ahead, changing[i].word) && ahead.at > p->at &&
                token_is_symbol(p->list, ahead.at - 1, ')')) {
                *ret_at = ahead.at;
                *ret_parse = changing[i].parse;
                return true;
            }
        }
    }
    return false;
}

static status parse_with(parser *p, statement *st)
{
    status (*parse)(parser * p, statement * st);
    parser at = *p;

    if (!find_verb(p, &st->verb, &parse)) {
        return STATUS_OK;
    }
    at.at++;
    st->with_recursive = parser_skip(&at, "recursive");
    st->with = (token_range){.from = at.at, .to = st->verb};
    p->at = st->verb;
    return parse(p, st);
}

static status parse_set(parser *p, statement *st)
{
    parser start = *p;

    p->at++;
    if (parser_skip(p, "branch")) {
        return parse_branch_name(p, st);
    }
    return refuse_by_name(&start);
}

static status parse_reset(parser *p, statement *st)
{
    parser start = *p;

    p->at++;
    if (!parser_skip(p, "branch")) {
        return refuse_by_name(&start);
    }
    st->kind = STATEMENT_SET_BRANCH;
    return expect_end(p);
}

static status parse_read(parser *p, statement *st)
{
    (void)p;
    (void)st;
    return STATUS_OK;
}

static status parse_alter(parser *p, statement *st)
{
    if (p->at + 1 < p->end && token_is(p->list, p->at + 1, "view")) {
        p->at += 2;
        return parser_alter_view(p, st);
    }
    if (p->at + 1 < p->end &&
        (token_is(p->list, p->at + 1, "schema") || token_is(p->list, p->at + 1, "namespace") ||
         token_is(p->list, p->at + 1, "database"))) {
        p->at += 2;
        return parse_alter_schema(p, st);
    }
    if (p->at + 1 < p->end && !token_is(p->list, p->at + 1, "table")) {
        TRY(refuse_by_name(p));
    }
    return parser_alter(p, st);
}

/* (ANALYZE [true], FORMAT json) */
static status parse_explain_options(parser *p, statement *st)
{
    p->at++;
    do {
        if (parser_skip(p, "analyze") || parser_skip(p, "analyse")) {
            st->analyze = !parser_skip(p, "false");
            (void)parser_skip(p, "true");
        } else if (parser_skip(p, "format")) {
            st->as_json = parser_is(p, "json");
            if (!st->as_json && !parser_is(p, "text")) {
                error_set(p->err, STATUS_UNSUPPORTED, "EXPLAIN has the formats JSON and TEXT");
                return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
            }
            p->at++;
        } else {
            error_set(p->err, STATUS_UNSUPPORTED, "EXPLAIN takes no option but ANALYZE and FORMAT");
            return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
        }
    } while (parser_skip_symbol(p, ','));
    return parser_expect_symbol(p, ')');
}

/* What can be explained besides queries. */
static bool is_explained(const statement *inner)
{
    return (inner->kind == STATEMENT_INSERT && inner->source != INSERT_DEFAULT_VALUES) ||
           inner->kind == STATEMENT_CREATE_TABLE_AS || inner->kind == STATEMENT_UPDATE ||
           inner->kind == STATEMENT_DELETE || inner->kind == STATEMENT_MERGE ||
           inner->kind == STATEMENT_TRUNCATE;
}

static status parse_explain(parser *p, statement *st)
{
    p->at++;
    if (parser_is_symbol(p, '(') && p->at + 1 < p->end && !token_is(p->list, p->at + 1, "select") &&
        !token_is_symbol(p->list, p->at + 1, '(')) {
        TRY(parse_explain_options(p, st));
    } else {
        st->analyze = parser_skip(p, "analyze") || parser_skip(p, "analyse");
    }
    if (parser_at_end(p)) {
        return parser_fail(p);
    }
    statement *inner = ARENA_NEW(p->a, statement);
    TRY(statement_parse(p->list, (token_range){.from = p->at, .to = p->end}, p->a, inner, p->err));
    bool changes = is_explained(inner);
    if (inner->kind != STATEMENT_READ && !changes) {
        error_set(p->err, STATUS_UNSUPPORTED, "EXPLAIN of %s is not supported",
                  statement_kind_name(inner->kind));
        error_hint(p->err, "Explain the SELECT in it.");
        return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
    }
    st->kind = STATEMENT_EXPLAIN;
    st->explained = changes ? inner : NULL;
    st->body = (token_range){.from = p->at, .to = p->end};
    return STATUS_OK;
}

static const struct {
    const char *word;
    status (*parse)(parser *p, statement *st);
} accepted[] = {
    {"begin", parser_begin},
    {"start", parser_begin},
    {"commit", parser_commit},
    {"end", parser_commit},
    {"rollback", parser_rollback},
    {"abort", parser_rollback},
    {"select", parse_read},
    {"from", parse_read},
    {"values", parse_read},
    {"table", parse_read},
    {"with", parse_with},
    {"summarize", parse_read},
    {"pivot", parse_read},
    {"pivot_wider", parse_read},
    {"unpivot", parse_read},
    {"pivot_longer", parse_read},
    {"explain", parse_explain},
    {"describe", parse_describe},
    {"desc", parse_describe},
    {"show", parse_show},
    {"use", parse_use},
    {"create", parse_create},
    {"drop", parse_drop},
    {"undrop", parse_undrop},
    {"insert", parser_insert},
    {"alter", parse_alter},
    {"comment", parser_comment},
    {"call", parser_call},
    {"delete", parser_delete},
    {"truncate", parser_truncate},
    {"update", parser_update},
    {"merge", parser_merge},
    {"set", parse_set},
    {"reset", parse_reset},
    {"analyze", parser_analyze},
    {"prepare", parser_prepare},
    {"execute", parser_execute},
    {"deallocate", parser_deallocate},
};

status statement_parse(const token_list *list, token_range range, arena *a,
                       statement *ret_statement, error *err)
{
    parser p = {.list = list, .at = range.from, .end = range.to, .a = a, .err = err};
    statement st = {.kind = STATEMENT_READ,
                    .tokens = range,
                    .body = range,
                    .location = STR_NULL,
                    .comment = STR_NULL,
                    .property = STR_NULL,
                    .branch = STR_NULL,
                    .verb = range.from};

    if (parser_at_end(&p)) {
        return error_set(err, STATUS_SYNTAX, "there is no statement");
    }
    st.position = parser_position(&p);
    if (!parser_is_symbol(&p, '(')) {
        size_t i = 0;
        while (i < COUNT_OF(accepted) && !parser_is(&p, accepted[i].word)) {
            i++;
        }
        if (i == COUNT_OF(accepted)) {
            TRY(refuse_by_name(&p));
            return parser_fail(&p);
        }
        TRY(accepted[i].parse(&p, &st));
    }
    *ret_statement = st;
    return STATUS_OK;
}

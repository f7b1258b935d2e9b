/* The walk over the tree: functions are checked as they are met, tables are collected unless a
 * CTE of their name is in scope. A CTE is visible to the later ones of its WITH and to the
 * statement behind it; to itself only when recursive, and then in the recursive half alone. */
#include "sql/tree.h"

#include <string.h>

#include "sql/allow.h"

typedef struct scope scope;
struct scope {
    str name;
    const scope *outer;
};

typedef struct walk {
    tree *out;
    arena *a;
    error *err;
    bool check; /* the allow-list is on */
} walk;

/* Every value of "type" in an object, sorted; names ending in _TYPE_INFO and beginning with
 * WINDOW_ are known too. */
static const char *const known_types[] = {
    "ARRAY_CONSTRUCTOR",
    "ARRAY_EXTRACT",
    "ARRAY_SLICE",
    "ARROW",
    "ASCENDING",
    "BASE_TABLE",
    "CASE_EXPR",
    "CAST",
    "COLLATE",
    "COLUMN_REF",
    "COMPARE_BETWEEN",
    "COMPARE_DISTINCT_FROM",
    "COMPARE_EQUAL",
    "COMPARE_GREATERTHAN",
    "COMPARE_GREATERTHANOREQUALTO",
    "COMPARE_IN",
    "COMPARE_LESSTHAN",
    "COMPARE_LESSTHANOREQUALTO",
    "COMPARE_NOTEQUAL",
    "COMPARE_NOT_BETWEEN",
    "COMPARE_NOT_DISTINCT_FROM",
    "COMPARE_NOT_IN",
    "CONJUNCTION_AND",
    "CONJUNCTION_OR",
    "DESCENDING",
    "DISTINCT_MODIFIER",
    "EMPTY",
    "EXPRESSION_LIST",
    "FUNCTION",
    "GROUPING_FUNCTION",
    "JOIN",
    "LAMBDA",
    "LAMBDA_REF",
    "LIMIT_MODIFIER",
    "LIMIT_PERCENT_MODIFIER",
    "OPERATOR_CAST",
    "OPERATOR_COALESCE",
    "OPERATOR_IS_NOT_NULL",
    "OPERATOR_IS_NULL",
    "OPERATOR_NOT",
    "OPERATOR_NULLIF",
    "OPERATOR_TRY",
    "OPERATOR_UNPACK",
    "ORDER_DEFAULT",
    "ORDER_MODIFIER",
    "PIVOT",
    "POSITIONAL_REFERENCE",
    "RECURSIVE_CTE_NODE",
    "SELECT_NODE",
    "SET_OPERATION_NODE",
    "SHOW_REF",
    "STAR",
    "STRUCT_EXTRACT",
    "SUBQUERY",
    "TABLE_FUNCTION",
    "VALUE_CONSTANT",
    "VALUE_DEFAULT",
    "VALUE_PARAMETER",
};

static status walk_value(walk *w, const json *value, const scope *names);

static bool is_known_type(str type)
{
    if (str_ends_with(type, STR("_TYPE_INFO")) || str_starts_with(type, STR("WINDOW_"))) {
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(known_types); i++) {
        if (str_equal(type, str_c(known_types[i]))) {
            return true;
        }
    }
    return false;
}

static str text_of(const json *object, const char *key)
{
    return json_str_or(json_get(object, key), STR_NULL);
}

static status at_node(const walk *w, const json *node, status result)
{
    if (result != STATUS_OK && w->err != NULL && w->err->position == ERROR_NO_POSITION) {
        w->err->position = (int)json_int64_or(json_get(node, "query_location"), ERROR_NO_POSITION);
    }
    return result;
}

static status refuse(const walk *w, const json *node, const char *what)
{
    return at_node(w, node, error_set(w->err, STATUS_UNSUPPORTED, "%s is not supported", what));
}

static status walk_members(walk *w, const json *object, const scope *names, const char *except)
{
    str key;
    const json *member;
    for (size_t at = 0; json_next_member(object, &at, &key, &member);) {
        if (except == NULL || !str_equal(key, str_c(except))) {
            TRY(walk_value(w, member, names));
        }
    }
    return STATUS_OK;
}

static status check_function(walk *w, const json *node, allow_use use)
{
    str name = text_of(node, "function_name");
    if (str_is_null(name)) {
        return refuse(w, node, "a function without a name");
    }
    return w->check ? at_node(w, node, allow_function(name, use, w->err)) : STATUS_OK;
}

static status walk_table(walk *w, const json *node, const scope *names)
{
    tree_table table = {.position = (size_t)json_int64_or(json_get(node, "query_location"), 0)};
    static const char *const keys[] = {"catalog_name", "schema_name", "table_name"};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        str part = text_of(node, keys[i]);
        if (part.size > 0) {
            table.parts[table.part_count++] = part;
        }
    }
    if (table.part_count == 0) {
        return refuse(w, node, "a table without a name");
    }
    bool recurring = table.part_count == 2 && str_equal_nocase(table.parts[0], STR("recurring"));
    if (table.part_count == 1 || recurring) {
        for (const scope *s = names; s != NULL; s = s->outer) {
            if (str_equal_nocase(s->name, table.parts[table.part_count - 1])) {
                return STATUS_OK;
            }
        }
    }
    const json *at = json_get(node, "at_clause");
    table.time_travel = at != NULL;
    vec_push(w->a, &w->out->tables, table);
    return at != NULL ? walk_value(w, json_get(at, "expr"), names) : STATUS_OK;
}

static status walk_with(walk *w, const json *node, const scope **names);

static status walk_cte(walk *w, str name, const json *query, const scope *names)
{
    const json *node = json_get(query, "node");
    if (!str_equal(text_of(node, "type"), STR("RECURSIVE_CTE_NODE"))) {
        return walk_value(w, query, names);
    }
    TRY(walk_with(w, node, &names)); /* its own, which both sides see */
    scope self = {.name = name, .outer = names};
    TRY(walk_value(w, json_get(node, "left"), names));
    TRY(walk_value(w, json_get(node, "right"), &self));
    str key;
    const json *member;
    for (size_t at = 0; json_next_member(node, &at, &key, &member);) {
        if (!str_equal(key, STR("left")) && !str_equal(key, STR("right")) &&
            !str_equal(key, STR("cte_map"))) {
            TRY(walk_value(w, member, names));
        }
    }
    return STATUS_OK;
}

/* The WITH of a query node; each entry adds its name to `*names`. */
static status walk_with(walk *w, const json *node, const scope **names)
{
    const json *entries = json_get(json_get(node, "cte_map"), "map");
    size_t count = json_count(entries);
    scope *added = ARENA_ARRAY(w->a, scope, count + 1);
    for (size_t i = 0; i < count; i++) {
        const json *entry = json_at(entries, i), *info = json_get(entry, "value");
        str name = text_of(entry, "key");
        TRY(walk_cte(w, name, json_get(info, "query"), *names));
        TRY(walk_members(w, info, *names, "query"));
        added[i] = (scope){.name = name, .outer = *names};
        *names = &added[i];
    }
    return STATUS_OK;
}

/* A query node: its WITH first, then the rest of it. */
static status walk_query(walk *w, const json *node, const scope *names)
{
    TRY(walk_with(w, node, &names));
    return walk_members(w, node, names, "cte_map");
}

static status walk_object(walk *w, const json *node, const scope *names)
{
    str type = text_of(node, "type");
    if (json_get(node, "is_null") != NULL) {
        return STATUS_OK; /* a constant's value */
    }
    if (str_is_null(type)) {
        return walk_members(w, node, names, NULL);
    }
    if (!is_known_type(type)) {
        char *what = arena_printf(w->a, "this statement (\"%.*s\")", STR_ARG(type));
        return refuse(w, node, what);
    }
    if (str_equal(type, STR("BASE_TABLE"))) {
        TRY(walk_table(w, node, names));
        return walk_value(w, json_get(node, "sample"), names);
    }
    if (str_equal(type, STR("SHOW_REF")) && json_get(node, "query") == NULL) {
        return refuse(w, node, "SHOW inside of another statement");
    }
    if (str_equal(type, STR("TABLE_FUNCTION"))) {
        const json *function = json_get(node, "function");
        TRY(check_function(w, function, ALLOW_AS_TABLE));
        TRY(walk_members(w, function, names, NULL));
        return walk_members(w, node, names, "function");
    }
    if (str_equal(text_of(node, "class"), STR("FUNCTION")) ||
        str_equal(text_of(node, "class"), STR("WINDOW"))) {
        TRY(check_function(w, node, ALLOW_IN_EXPRESSION));
    } else if (json_get(node, "function_name") != NULL) {
        return refuse(w, node, "this kind of call");
    }
    if (str_equal(type, STR("COLUMN_REF")) && json_count(json_get(node, "column_names")) >= 3) {
        tree_column column = {.names = json_get(node, "column_names"),
                              .position =
                                  (size_t)json_int64_or(json_get(node, "query_location"), 0)};
        vec_push(w->a, &w->out->long_columns, column);
    }
    return json_get(node, "cte_map") != NULL ? walk_query(w, node, names)
                                             : walk_members(w, node, names, NULL);
}

static status walk_value(walk *w, const json *value, const scope *names)
{
    if (json_kind_of(value) == JSON_OBJECT) {
        return walk_object(w, value, names);
    }
    if (json_kind_of(value) == JSON_ARRAY) {
        size_t count = json_count(value);
        for (size_t i = 0; i < count; i++) {
            TRY(walk_value(w, json_at(value, i), names));
        }
    }
    return STATUS_OK;
}

/* Of its stack the parser says too little, and advice on DuckDB's own settings is no cure here. */
static str useful(str message)
{
    if (str_starts_with(message, STR("memory exhausted at or near"))) {
        return STR("the statement is nested too deeply");
    }
    message = str_trim(str_slice(message, 0, str_find(message, STR(" Use \"SET "))));
    return str_ends_with(message, STR(".")) ? str_slice(message, 0, message.size - 1) : message;
}

/* What DuckDB's parser said, in tarn's words. */
static status parser_error(const json *answer, error *err)
{
    str message = text_of(answer, "error_message");
    int64_t position = ERROR_NO_POSITION;
    if (str_equal(text_of(answer, "error_type"), STR("not implemented"))) {
        error_set(err, STATUS_UNSUPPORTED, "this statement is not supported");
        error_hint(err, "Where it is a PIVOT, list the values: ON column IN ('a', 'b').");
        return STATUS_UNSUPPORTED;
    }
    error_set(err, STATUS_SYNTAX, "%.*s", STR_ARG(useful(message)));
    if (err != NULL && str_to_int64(text_of(answer, "position"), &position, NULL) == STATUS_OK) {
        err->position = (int)position;
    }
    return STATUS_SYNTAX;
}

/* DuckDB writes numbers that are infinite or none as words, which JSON does not have. Their value matters to nobody
 * here, so zeros take their place. */
static str without_infinity(str text, arena *a)
{
    static const str words[] = {STR_INIT("Infinity"), STR_INIT("NaN")};
    char *copy = arena_alloc(a, text.size + 1);
    bool inside = false;

    memcpy(copy, text.data, text.size);
    for (size_t i = 0; i < text.size; i++) {
        if (inside && copy[i] == '\\') {
            i++;
        } else if (copy[i] == '"') {
            inside = !inside;
        }
        for (size_t k = 0; !inside && k < COUNT_OF(words); k++) {
            if (str_starts_with(str_slice(text, i, text.size), words[k])) {
                memset(copy + i, ' ', words[k].size);
                copy[i] = '0';
            }
        }
    }
    return str_from(copy, text.size);
}

status tree_read(str text, arena *a, tree *ret_tree, error *err)
{
    const json *answer;
    tree found = {0};
    walk w = {.out = &found, .a = a, .err = err, .check = allow_enabled()};

    status parsed = json_parse(text, a, &answer, err);
    if (parsed != STATUS_OK && parsed != STATUS_TOO_LARGE) {
        parsed = json_parse(without_infinity(text, a), a, &answer, err);
    }
    if (parsed == STATUS_TOO_LARGE) {
        error_set(err, STATUS_TOO_LARGE, "the statement is nested too deeply");
        error_hint(err, "Split long chains of operators, or use a list function.");
    }
    TRY(parsed);
    if (json_bool_or(json_get(answer, "error"), true)) {
        return parser_error(answer, err);
    }
    const json *statements = json_get(answer, "statements");
    if (json_count(statements) != 1) {
        return error_set(err, STATUS_SYNTAX, "one statement is expected here");
    }
    if (err != NULL) {
        error_clear(err); /* a position from earlier must not be taken for this text's */
    }
    TRY(walk_value(&w, json_at(statements, 0), NULL));
    found.limit_rows = tree_limit_rows(json_at(statements, 0));
    *ret_tree = found;
    return STATUS_OK;
}

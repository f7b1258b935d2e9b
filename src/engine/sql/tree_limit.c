/* Statements that take some rows of one table, whichever they are: SELECT columns FROM t LIMIT n OFFSET m. Whoever
 * plans them need not find more rows than these. What may be in such a statement is listed: everything else, known or
 * not, might want all rows. */
#include "sql/tree.h"

static bool is_one_of(str name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(name, str_c(names[i]))) {
            return true;
        }
    }
    return false;
}

static bool has_only(const json *object, const char *const *keys, size_t count)
{
    str key;
    const json *member;
    for (size_t at = 0; json_next_member(object, &at, &key, &member);) {
        if (!is_one_of(key, keys, count)) {
            return false;
        }
    }
    return json_kind_of(object) == JSON_OBJECT;
}

static bool is_text(const json *object, const char *key, const char *wanted)
{
    return str_equal(json_str_or(json_get(object, key), STR("")), str_c(wanted));
}

/* Makes one value of one row: no aggregate, no window, nothing that makes rows. Operators are functions that say so;
 * of others DuckDB knows only later what they are. */
static bool is_by_row(const json *value)
{
    static const char *const classes[] = {"COLUMN_REF", "STAR",        "CONSTANT", "CAST",
                                          "COMPARISON", "CONJUNCTION", "OPERATOR", "CASE",
                                          "BETWEEN",    "COLLATE"};
    if (json_kind_of(value) == JSON_ARRAY) {
        for (size_t i = 0; i < json_count(value); i++) {
            if (!is_by_row(json_at(value, i))) {
                return false;
            }
        }
        return true;
    }
    if (json_kind_of(value) != JSON_OBJECT || json_get(value, "is_null") != NULL) {
        return true; /* a constant's value */
    }
    const json *class = json_get(value, "class");
    bool is_operator =
        is_text(value, "class", "FUNCTION") && json_bool_or(json_get(value, "is_operator"), false);
    if (class != NULL && !is_operator &&
        !is_one_of(json_str_or(class, STR("")), classes, COUNT_OF(classes))) {
        return false;
    }
    str key;
    const json *member;
    for (size_t at = 0; json_next_member(value, &at, &key, &member);) {
        if (!is_by_row(member)) {
            return false;
        }
    }
    return true;
}

static bool is_plain_select(const json *node)
{
    static const char *const parts[] = {"type", "modifiers", "select_list", "from_table",
                                        "aggregate_handling"};
    static const char *const table_parts[] = {
        "type",        "alias",      "query_location", "catalog_name",
        "schema_name", "table_name", "at_clause",      "column_name_alias",
    };
    const json *table = json_get(node, "from_table");
    return is_text(node, "type", "SELECT_NODE") && has_only(node, parts, COUNT_OF(parts)) &&
           is_text(node, "aggregate_handling", "STANDARD_HANDLING") &&
           is_text(table, "type", "BASE_TABLE") &&
           has_only(table, table_parts, COUNT_OF(table_parts)) &&
           is_by_row(json_get(node, "select_list"));
}

/* A number that is written as such; -1 else. */
static int64_t constant(const json *expression)
{
    int64_t number = is_text(expression, "class", "CONSTANT")
                         ? json_int64_or(json_get(json_get(expression, "value"), "value"), -1)
                         : -1;
    return number < 0 ? -1 : number;
}

int64_t tree_limit_rows(const json *statement)
{
    static const char *const parts[] = {"type", "limit", "offset"};
    const json *node = json_get(statement, "node");
    const json *modifiers = json_get(node, "modifiers");
    const json *limit = json_at(modifiers, 0);
    if (!is_plain_select(node) || json_count(modifiers) != 1 ||
        !is_text(limit, "type", "LIMIT_MODIFIER") || !has_only(limit, parts, COUNT_OF(parts))) {
        return -1;
    }
    const json *offset = json_get(limit, "offset");
    int64_t rows = constant(json_get(limit, "limit"));
    int64_t skipped = offset != NULL ? constant(offset) : 0;
    int64_t sum;
    return rows < 0 || skipped < 0 || __builtin_add_overflow(rows, skipped, &sum) ? -1 : sum;
}

/* A condition of a statement as an Iceberg expression that is true for exactly the rows for which the condition is:
 * what whole files may be deleted by. From DuckDB's parse tree; anything whose meaning is not certain here (casts,
 * functions, columns that are found in no schema, types that DuckDB compares in another one) gives no expression.
 * What only has to keep enough files is plan.c's. */
#include "sql/plan.h"

#include "tarn/base/buf.h"
#include "tarn/base/limits.h"

typedef struct exact {
    const ice_schema *schema;
    str table, alias; /* names that may stand in front of a column; STR_NULL: none */
    arena *a;
} exact;

static bool text_is(const json *node, const char *key, const char *wanted)
{
    return str_equal(json_str_or(json_get(node, key), STR("")), str_c(wanted));
}

/* ---- columns ---- */

static const ice_field *column_of(const exact *x, const json *node)
{
    const json *names = json_get(node, "column_names");
    size_t count = json_count(names);
    str first = json_str_or(json_at(names, 0), STR(""));

    if (!text_is(node, "class", "COLUMN_REF") || count == 0 || count > 2) {
        return NULL;
    }
    if (count == 1) {
        return ice_schema_column(x->schema, first);
    }
    /* "t.c" may be a member of a struct column t. */
    str qualifier = str_is_null(x->alias) ? x->table : x->alias;
    return str_equal_nocase(first, qualifier) && ice_schema_column(x->schema, first) == NULL
               ? ice_schema_column(x->schema, json_str_or(json_at(names, 1), STR("")))
               : NULL;
}

/* ---- constants ---- */

static const char *const integers[] = {"TINYINT",  "SMALLINT",  "INTEGER",  "BIGINT", "HUGEINT",
                                       "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"};

static bool is_integer(str type)
{
    for (size_t i = 0; i < COUNT_OF(integers); i++) {
        if (str_equal(type, str_c(integers[i]))) {
            return true;
        }
    }
    return false;
}

/* The text of a literal that DuckDB compares with the column in the column's own type; STR_NULL else. `cast`: the
 * type in DATE '…', or "". */
static str literal_text(const json *node, ice_kind kind, str cast, arena *a)
{
    const json *constant = json_get(node, "value"), *raw = json_get(constant, "value");
    str type = json_str_or(json_get(json_get(constant, "type"), "id"), STR(""));

    if (!text_is(node, "class", "CONSTANT") || json_bool_or(json_get(constant, "is_null"), true)) {
        return STR_NULL;
    }
    if (str_equal(type, STR("VARCHAR"))) {
        bool fits =
            (kind == ICE_STRING && cast.size == 0) ||
            (kind == ICE_DATE && (cast.size == 0 || str_equal(cast, STR("DATE")))) ||
            (kind == ICE_TIMESTAMP && (cast.size == 0 || str_equal(cast, STR("TIMESTAMP"))));
        return fits ? json_str_or(raw, STR_NULL) : STR_NULL;
    }
    if (cast.size == 0 && str_equal(type, STR("BOOLEAN")) && kind == ICE_BOOLEAN) {
        return json_bool_or(raw, false) ? STR("true") : STR("false");
    }
    if (cast.size == 0 && is_integer(type) && json_kind_of(raw) == JSON_INT64 &&
        (kind == ICE_INT || kind == ICE_LONG || kind == ICE_DECIMAL)) {
        return str_printf(a, "%lld", (long long)json_int64_or(raw, 0));
    }
    return STR_NULL;
}

static bool value_of(const exact *x, const json *node, const ice_field *field, ice_value *ret_value)
{
    const json *children = json_get(node, "children");
    str cast = STR(""), sign = STR("");

    if (text_is(node, "class", "FUNCTION") && text_is(node, "function_name", "-") &&
        json_count(children) == 1) {
        sign = STR("-");
        node = json_at(children, 0);
    } else if (text_is(node, "class", "CAST") && !json_bool_or(json_get(node, "try_cast"), false)) {
        cast = json_str_or(json_get(json_get(node, "cast_type"), "id"), STR("?"));
        node = json_get(node, "child");
    }
    str text = literal_text(node, field->type->kind, cast, x->a);
    bool number = field->type->kind == ICE_INT || field->type->kind == ICE_LONG ||
                  field->type->kind == ICE_DECIMAL;
    if (str_is_null(text) || (sign.size > 0 && !number)) {
        return false;
    }
    return ice_value_parse_text(field->type, str_concat(x->a, sign, text), x->a, ret_value, NULL) ==
           STATUS_OK;
}

/* ---- conditions ---- */

static const ice_expr *compare(const exact *x, ice_expr_kind kind, const ice_field *field,
                               const json *constant)
{
    ice_value value;

    return field != NULL && value_of(x, constant, field, &value)
               ? plan_leaf(x->a, kind, field->id, &value)
               : NULL;
}

static const ice_expr *comparison(const exact *x, const json *node)
{
    const json *left = json_get(node, "left"), *right = json_get(node, "right");
    const ice_field *field = column_of(x, left);
    ice_expr_kind kind;
    bool flipped = field == NULL;

    if (!plan_comparison(json_str_or(json_get(node, "type"), STR("")), flipped, &kind)) {
        return NULL;
    }
    return flipped ? compare(x, kind, column_of(x, right), left) : compare(x, kind, field, right);
}

static const ice_expr *condition(const exact *x, const json *node);

/* All of `children`, joined; NULL where one has no expression. */
static const ice_expr *join(const exact *x, bool all, const ice_expr *const *children, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (children[i] == NULL) {
            return NULL;
        }
    }
    return count == 0 ? NULL
           : all      ? plan_and(x->a, children, count)
                      : plan_or(x->a, children, count);
}

static const ice_expr *conjunction(const exact *x, const json *node)
{
    const json *children = json_get(node, "children");
    size_t count = json_count(children);
    const ice_expr **list = ARENA_ARRAY(x->a, const ice_expr *, count + 1);

    for (size_t i = 0; i < count; i++) {
        list[i] = condition(x, json_at(children, i));
    }
    return join(x, text_is(node, "type", "CONJUNCTION_AND"), list, count);
}

static const ice_expr *between(const exact *x, const json *node)
{
    const ice_field *field = column_of(x, json_get(node, "input"));
    const ice_expr *both[2] = {compare(x, ICE_GE, field, json_get(node, "lower")),
                               compare(x, ICE_LE, field, json_get(node, "upper"))};

    return join(x, true, both, 2);
}

static const ice_expr *operator_of(const exact *x, const json *node)
{
    const json *children = json_get(node, "children");
    const ice_field *field = column_of(x, json_at(children, 0));
    size_t count = json_count(children);

    if (field == NULL) {
        return NULL;
    }
    if (text_is(node, "type", "OPERATOR_IS_NULL")) {
        return plan_leaf(x->a, ICE_IS_NULL, field->id, NULL);
    }
    if (text_is(node, "type", "OPERATOR_IS_NOT_NULL")) {
        return plan_leaf(x->a, ICE_NOT_NULL, field->id, NULL);
    }
    if (!text_is(node, "type", "COMPARE_IN") || count < 2) {
        return NULL;
    }
    const ice_expr **list = ARENA_ARRAY(x->a, const ice_expr *, count);
    for (size_t i = 1; i < count; i++) {
        list[i - 1] = compare(x, ICE_EQ, field, json_at(children, i));
    }
    return join(x, false, list, count - 1);
}

static const ice_expr *condition(const exact *x, const json *node)
{
    if (text_is(node, "class", "COMPARISON")) {
        return comparison(x, node);
    }
    if (text_is(node, "class", "CONJUNCTION")) {
        return conjunction(x, node);
    }
    if (text_is(node, "class", "BETWEEN")) {
        return between(x, node);
    }
    return text_is(node, "class", "OPERATOR") ? operator_of(x, node) : NULL;
}

const ice_expr *plan_exact_condition(str answer, const ice_schema *schema, str table, str alias,
                                     arena *a)
{
    exact x = {.schema = schema, .table = table, .alias = alias, .a = a};
    const json *parsed = NULL;

    if (json_parse(plan_standard_json(answer, a), a, &parsed, NULL) != STATUS_OK ||
        json_bool_or(json_get(parsed, "error"), true)) {
        return NULL;
    }
    const json *statement = json_at(json_get(parsed, "statements"), 0);
    return condition(&x, json_get(json_get(statement, "node"), "where_clause"));
}

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

/* A literal with a point arrives as a number and its scale. Beyond 15 digits it is no certain double. */
static str decimal_text(const json *constant, arena *a)
{
    const json *raw = json_get(constant, "value");
    int64_t scale =
        json_int64_or(json_get(json_get(json_get(constant, "type"), "type_info"), "scale"), 0);
    int64_t number = json_int64_or(raw, 0);

    if (json_kind_of(raw) != JSON_INT64 || scale < 0 || scale > 15) {
        return STR_NULL;
    }
    str digits =
        str_printf(a, "%0*lld", (int)scale + 1, (long long)(number < 0 ? -number : number));
    size_t point = digits.size - (size_t)scale;
    return str_printf(a, "%s%.*s%s%.*s", number < 0 ? "-" : "", (int)point, digits.data,
                      scale > 0 ? "." : "", (int)scale, digits.data + point);
}

/* The text of a number; a whole one for columns of whole numbers. */
static str number_text(const json *constant, ice_kind kind, arena *a)
{
    str type = json_str_or(json_get(json_get(constant, "type"), "id"), STR(""));
    const json *raw = json_get(constant, "value");
    bool real = kind == ICE_FLOAT || kind == ICE_DOUBLE;

    if (is_integer(type) && json_kind_of(raw) == JSON_INT64 &&
        (real || kind == ICE_INT || kind == ICE_LONG || kind == ICE_DECIMAL)) {
        return str_printf(a, "%lld", (long long)json_int64_or(raw, 0));
    }
    if (str_equal(type, STR("DECIMAL")) && (real || kind == ICE_DECIMAL)) {
        return decimal_text(constant, a);
    }
    if (str_equal(type, STR("DOUBLE")) && real && json_kind_of(raw) == JSON_DOUBLE) {
        return str_printf(a, "%.17g", json_double_or(raw, 0));
    }
    return STR_NULL;
}

static bool is_cast(str cast, const char *wanted)
{
    return cast.size == 0 || str_equal(cast, str_c(wanted));
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
        str text = json_str_or(raw, STR_NULL);
        bool fits = (kind == ICE_STRING && cast.size == 0) ||
                    (kind == ICE_DATE && is_cast(cast, "DATE")) ||
                    (kind == ICE_TIMESTAMP && is_cast(cast, "TIMESTAMP")) ||
                    (kind == ICE_TIMESTAMPTZ && is_cast(cast, "TIMESTAMP WITH TIME ZONE"));
        if (kind == ICE_BOOLEAN && str_equal(cast, STR("BOOLEAN"))) { /* how TRUE is parsed */
            return str_equal(text, STR("t"))   ? STR("true")
                   : str_equal(text, STR("f")) ? STR("false")
                                               : STR_NULL;
        }
        return fits ? text : STR_NULL;
    }
    return cast.size == 0 ? number_text(constant, kind, a) : STR_NULL;
}

/* Whatever type DuckDB compares in, it is this number: one of 15 digits, for a FLOAT one that FLOAT has. */
static bool is_certain(ice_kind kind, str text, double real)
{
    double magnitude = real < 0 ? -real : real;

    return magnitude <= 1e15 &&
           (kind == ICE_DOUBLE ? text.size <= 24 : (double)(float)real == real);
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
    bool real = field->type->kind == ICE_FLOAT || field->type->kind == ICE_DOUBLE;
    bool number = real || field->type->kind == ICE_INT || field->type->kind == ICE_LONG ||
                  field->type->kind == ICE_DECIMAL;
    if (str_is_null(text) || (sign.size > 0 && !number)) {
        return false;
    }
    ice_value value;
    if (ice_value_parse_text(field->type, str_concat(x->a, sign, text), x->a, &value, NULL) !=
        STATUS_OK) {
        return false;
    }
    if (real && !is_certain(field->type->kind, text, value.real)) {
        return false;
    }
    *ret_value = value;
    return true;
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

static const ice_expr *condition(const exact *x, const json *node, bool negated);

/* What is true where the other is false: of NULL neither is. */
static ice_expr_kind opposite(ice_expr_kind kind)
{
    switch (kind) {
    case ICE_EQ:
        return ICE_NE;
    case ICE_NE:
        return ICE_EQ;
    case ICE_LT:
        return ICE_GE;
    case ICE_LE:
        return ICE_GT;
    case ICE_GT:
        return ICE_LE;
    default:
        return ICE_LT;
    }
}

static const ice_expr *comparison(const exact *x, const json *node, bool negated)
{
    const json *left = json_get(node, "left"), *right = json_get(node, "right");
    const ice_field *field = column_of(x, left);
    ice_expr_kind kind;
    bool flipped = field == NULL;

    if (!plan_comparison(json_str_or(json_get(node, "type"), STR("")), flipped, &kind)) {
        return NULL;
    }
    if (negated && text_is(node, "type", "COMPARE_NOT_DISTINCT_FROM")) {
        return NULL; /* NULL is distinct */
    }
    kind = negated ? opposite(kind) : kind;
    return flipped ? compare(x, kind, column_of(x, right), left) : compare(x, kind, field, right);
}

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

static const ice_expr *conjunction(const exact *x, const json *node, bool negated)
{
    const json *children = json_get(node, "children");
    size_t count = json_count(children);
    const ice_expr **list = ARENA_ARRAY(x->a, const ice_expr *, count + 1);

    for (size_t i = 0; i < count; i++) {
        list[i] = condition(x, json_at(children, i), negated);
    }
    return join(x, text_is(node, "type", "CONJUNCTION_AND") != negated, list, count);
}

static const ice_expr *between(const exact *x, const json *node, bool negated)
{
    const ice_field *field = column_of(x, json_get(node, "input"));
    const ice_expr *both[2] = {
        compare(x, negated ? ICE_LT : ICE_GE, field, json_get(node, "lower")),
        compare(x, negated ? ICE_GT : ICE_LE, field, json_get(node, "upper"))};

    return join(x, !negated, both, 2);
}

static const ice_expr *operator_of(const exact *x, const json *node, bool negated)
{
    const json *children = json_get(node, "children");
    const ice_field *field = column_of(x, json_at(children, 0));
    size_t count = json_count(children);
    bool in = text_is(node, "type", "COMPARE_IN");

    if (text_is(node, "type", "OPERATOR_NOT")) {
        return count == 1 ? condition(x, json_at(children, 0), !negated) : NULL;
    }
    if (field == NULL) {
        return NULL;
    }
    if (text_is(node, "type", "OPERATOR_IS_NULL") ||
        text_is(node, "type", "OPERATOR_IS_NOT_NULL")) {
        bool is_null = text_is(node, "type", "OPERATOR_IS_NULL") != negated;

        return plan_leaf(x->a, is_null ? ICE_IS_NULL : ICE_NOT_NULL, field->id, NULL);
    }
    if ((!in && !text_is(node, "type", "COMPARE_NOT_IN")) || count < 2) {
        return NULL;
    }
    in = in != negated;
    const ice_expr **list = ARENA_ARRAY(x->a, const ice_expr *, count);
    for (size_t i = 1; i < count; i++) {
        list[i - 1] = compare(x, in ? ICE_EQ : ICE_NE, field, json_at(children, i));
    }
    return join(x, !in, list, count - 1);
}

/* s LIKE 'text%' and starts_with(s, 'text'). What does not begin so has no expression. */
static const ice_expr *function_of(const exact *x, const json *node, bool negated)
{
    static const char *const names[] = {"~~", "starts_with", "prefix", "^@"};
    const json *children = json_get(node, "children");
    const ice_field *field = column_of(x, json_at(children, 0));
    size_t known = 0;
    ice_value value;

    while (known < COUNT_OF(names) && !text_is(node, "function_name", names[known])) {
        known++;
    }
    if (known == COUNT_OF(names) || negated || json_count(children) != 2 || field == NULL ||
        field->type->kind != ICE_STRING || !value_of(x, json_at(children, 1), field, &value)) {
        return NULL;
    }
    if (known == 0) {
        if (!str_ends_with(value.bytes, STR("%"))) {
            return NULL;
        }
        value.bytes.size--;
        if (str_find_char(value.bytes, '%') != STR_NPOS ||
            str_find_char(value.bytes, '_') != STR_NPOS) {
            return NULL;
        }
    }
    return value.bytes.size == 0 ? plan_leaf(x->a, ICE_NOT_NULL, field->id, NULL)
                                 : plan_leaf(x->a, ICE_STARTS_WITH, field->id, &value);
}

static const ice_expr *condition(const exact *x, const json *node, bool negated)
{
    if (text_is(node, "class", "COMPARISON")) {
        return comparison(x, node, negated);
    }
    if (text_is(node, "class", "CONJUNCTION")) {
        return conjunction(x, node, negated);
    }
    if (text_is(node, "class", "BETWEEN")) {
        return between(x, node, negated);
    }
    if (text_is(node, "class", "FUNCTION")) {
        return function_of(x, node, negated);
    }
    if (text_is(node, "class", "COLUMN_REF")) {
        const ice_field *field = column_of(x, node);
        const ice_value yes = {.kind = ICE_BOOLEAN, .integer = negated ? 0 : 1};

        return field != NULL && field->type->kind == ICE_BOOLEAN
                   ? plan_leaf(x->a, ICE_EQ, field->id, &yes)
                   : NULL;
    }
    return text_is(node, "class", "OPERATOR") ? operator_of(x, node, negated) : NULL;
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
    return condition(&x, json_get(json_get(statement, "node"), "where_clause"), false);
}

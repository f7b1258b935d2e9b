/* Filters from EXPLAIN's text. The text is SQL again ("a>5", "ts>='2020-01-01'::TIMESTAMP"), so
 * DuckDB's parser reads it, and what it makes of it is turned into an expression here. Constants
 * are taken in the column's type from their text. */
#include "sql/plan.h"
#include "tarn/base/buf.h"
#include "tarn/base/limits.h"

#define OPTIONAL STR("optional: ")

static bool text_is(const json *node, const char *key, const char *wanted)
{
    return str_equal(json_str_or(json_get(node, key), STR("")), str_c(wanted));
}

/* EXPLAIN does not quote names: one that needs it could be read as something else. */
static bool is_plain_name(str name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return name.size > 0;
}

static bool are_plain_names(const ice_type *type)
{
    for (size_t i = 0; i < type->field_count; i++) {
        if (!is_plain_name(type->fields[i].name) || !are_plain_names(type->fields[i].type)) {
            return false;
        }
    }
    return true;
}

typedef struct scans {
    size_t count;
    const json *filters; /* of the last */
} scans;

static void find_scans(const json *value, scans *found)
{
    if (json_kind_of(value) == JSON_ARRAY) {
        for (size_t i = 0; i < json_count(value); i++) {
            find_scans(json_at(value, i), found);
        }
        return;
    }
    if (json_kind_of(value) != JSON_OBJECT) {
        return;
    }
    const json *info = json_get(value, "extra_info");
    if (text_is(info, "Function", "READ_PARQUET")) {
        found->count++;
        found->filters = json_get(info, "Filters");
    }
    find_scans(json_get(value, "children"), found);
}

static void put_filter(buf *out, str text)
{
    buf_add_c(out, out->size > 0 ? " AND (" : "SELECT (");
    buf_add_str(out,
                str_starts_with(text, OPTIONAL) ? str_slice(text, OPTIONAL.size, text.size) : text);
    buf_add_char(out, ')');
}

bool plan_explained_filters(str explain, const ice_schema *schema, arena *a, str *ret_sql)
{
    const json *plan = NULL;
    scans found = {0};
    buf *out = buf_in(a, LIMIT_SQL_TEXT);
    if (!are_plain_names(schema->root) || json_parse(explain, a, &plan, NULL) != STATUS_OK) {
        return false;
    }
    find_scans(plan, &found);
    if (found.count != 1) {
        return false;
    }
    if (json_kind_of(found.filters) == JSON_STR) {
        put_filter(out, json_str_or(found.filters, STR("")));
    }
    for (size_t i = 0; json_kind_of(found.filters) == JSON_ARRAY && i < json_count(found.filters);
         i++) {
        put_filter(out, json_str_or(json_at(found.filters, i), STR("true")));
    }
    *ret_sql = buf_str(out);
    return out->size > 0 && !out->failed;
}

/* ---- what the parser made of it ---- */

static const ice_field *column_of(const json *node, const ice_schema *schema)
{
    const json *names = json_get(node, "column_names");
    if (!text_is(node, "class", "COLUMN_REF") || json_count(names) == 0) {
        return NULL;
    }
    const ice_field *field = ice_schema_column(schema, json_str_or(json_at(names, 0), STR("")));
    for (size_t i = 1; field != NULL && i < json_count(names); i++) {
        field = plan_member(field, json_str_or(json_at(names, i), STR("")));
    }
    return field;
}

/* A decimal arrives as its digits and a scale. */
static str decimal_text(const json *constant, arena *a)
{
    const json *raw = json_get(constant, "value");
    int64_t digits = json_int64_or(raw, 0);
    int64_t scale =
        json_int64_or(json_get(json_get(json_get(constant, "type"), "type_info"), "scale"), 0);
    if (json_kind_of(raw) != JSON_INT64 || scale < 0 || scale > 18) {
        return STR_NULL;
    }
    str text = str_printf(a, "%llu",
                          digits < 0 ? -(unsigned long long)digits : (unsigned long long)digits);
    while (text.size <= (size_t)scale) {
        text = str_concat(a, STR("0"), text);
    }
    size_t point = text.size - (size_t)scale;
    return str_printf(a, "%s%.*s.%.*s", digits < 0 ? "-" : "", STR_ARG(str_slice(text, 0, point)),
                      STR_ARG(str_slice(text, point, text.size)));
}

/* STR_NULL where it is no constant. */
static str constant_text(const json *node, arena *a)
{
    if (text_is(node, "class", "CAST")) {
        return constant_text(json_get(node, "child"), a);
    }
    const json *children = json_get(node, "children");
    if (text_is(node, "function_name", "-") && json_count(children) == 1) {
        str positive = constant_text(json_at(children, 0), a);
        return str_is_null(positive) ? STR_NULL : str_concat(a, STR("-"), positive);
    }
    const json *constant = json_get(node, "value"), *raw = json_get(constant, "value");
    if (!text_is(node, "class", "CONSTANT") || json_bool_or(json_get(constant, "is_null"), true)) {
        return STR_NULL;
    }
    if (text_is(json_get(constant, "type"), "id", "DECIMAL")) {
        return decimal_text(constant, a);
    }
    if (json_kind_of(raw) == JSON_STR) {
        return json_str_or(raw, STR_NULL);
    }
    buf *text = buf_in(a, LIMIT_MIB);
    json_format(raw, text);
    return buf_str(text);
}

static bool value_of(const json *node, const ice_field *field, arena *a, ice_value *ret_value)
{
    str text = constant_text(node, a);
    return !str_is_null(text) && !ice_kind_is_nested(field->type->kind) &&
           ice_value_parse_text(field->type, text, a, ret_value, NULL) == STATUS_OK &&
           !ice_value_is_nan(ret_value);
}

static const ice_expr *comparison(const json *node, const ice_schema *schema, arena *a)
{
    const json *left = json_get(node, "left"), *right = json_get(node, "right");
    const ice_field *field = column_of(left, schema);
    ice_expr_kind kind;
    ice_value value;
    bool flipped = field == NULL;
    if (flipped) {
        field = column_of(right, schema);
        right = left;
    }
    if (field == NULL || !value_of(right, field, a, &value) ||
        !plan_comparison(json_str_or(json_get(node, "type"), STR("")), flipped, &kind)) {
        return ice_expr_true();
    }
    return plan_leaf(a, kind, field->id, &value);
}

static const ice_expr *in_list(const json *children, const ice_field *field, arena *a)
{
    size_t count = json_count(children);
    const ice_expr **list = ARENA_ARRAY(a, const ice_expr *, count + 1);
    for (size_t i = 1; i < count; i++) {
        ice_value value;
        if (!value_of(json_at(children, i), field, a, &value)) {
            return ice_expr_true();
        }
        list[i - 1] = plan_leaf(a, ICE_EQ, field->id, &value);
    }
    return count > 1 ? plan_or(a, list, count - 1) : ice_expr_true();
}

static const ice_expr *expression(const json *node, const ice_schema *schema, arena *a)
{
    const json *children = json_get(node, "children");
    if (text_is(node, "class", "COMPARISON")) {
        return comparison(node, schema, a);
    }
    if (text_is(node, "class", "CONJUNCTION")) {
        size_t count = json_count(children);
        const ice_expr **list = ARENA_ARRAY(a, const ice_expr *, count + 1);
        for (size_t i = 0; i < count; i++) {
            list[i] = expression(json_at(children, i), schema, a);
        }
        return text_is(node, "type", "CONJUNCTION_AND") ? plan_and(a, list, count)
                                                        : plan_or(a, list, count);
    }
    const ice_field *field = column_of(json_at(children, 0), schema);
    if (!text_is(node, "class", "OPERATOR") || field == NULL) {
        return ice_expr_true();
    }
    if (text_is(node, "type", "OPERATOR_IS_NULL") ||
        text_is(node, "type", "OPERATOR_IS_NOT_NULL")) {
        bool null = text_is(node, "type", "OPERATOR_IS_NULL");
        return plan_leaf(a, null ? ICE_IS_NULL : ICE_NOT_NULL, field->id, NULL);
    }
    return text_is(node, "type", "COMPARE_IN") ? in_list(children, field, a) : ice_expr_true();
}

const ice_expr *plan_parsed_filter(str answer, const ice_schema *schema, arena *a)
{
    const json *parsed = NULL;
    if (json_parse(plan_standard_json(answer, a), a, &parsed, NULL) != STATUS_OK ||
        json_bool_or(json_get(parsed, "error"), true)) {
        return ice_expr_true();
    }
    const json *statement = json_at(json_get(parsed, "statements"), 0);
    const json *node = json_get(statement, "node");
    return expression(json_at(json_get(node, "select_list"), 0), schema, a);
}

/* Filters of a plan as Iceberg expressions. A branch that is not understood is ICE_TRUE; AND
 * drops it, OR becomes it. */
#include "sql/plan.h"

#include "tarn/base/vec.h"

#define US_PER_DAY INT64_C(86400000000)

typedef VEC(const ice_expr *) expr_list;

static bool text_is(const json *node, const char *key, const char *wanted)
{
    return str_equal(json_str_or(json_get(node, key), STR("")), str_c(wanted));
}

const ice_expr *plan_leaf(arena *a, ice_expr_kind kind, int32_t field_id, const ice_value *value)
{
    ice_expr *e = ARENA_NEW(a, ice_expr);
    e->kind = kind;
    e->field_id = field_id;
    if (value != NULL) {
        ice_value *copy = ARENA_NEW(a, ice_value);
        *copy = *value;
        e->values = copy;
        e->value_count = 1;
    }
    return e;
}

static const ice_expr *branch(arena *a, ice_expr_kind kind, const ice_expr *const *children,
                              size_t count)
{
    ice_expr *e = ARENA_NEW(a, ice_expr);
    e->kind = kind;
    e->children = children;
    e->child_count = count;
    return e;
}

const ice_expr *plan_and(arena *a, const ice_expr *const *children, size_t count)
{
    expr_list kept = {0};
    for (size_t i = 0; i < count; i++) {
        if (children[i]->kind == ICE_FALSE) {
            return children[i];
        }
        if (children[i]->kind != ICE_TRUE) {
            vec_push(a, &kept, children[i]);
        }
    }
    if (kept.count < 2) {
        return kept.count == 1 ? kept.items[0] : ice_expr_true();
    }
    return branch(a, ICE_AND, kept.items, kept.count);
}

const ice_expr *plan_or(arena *a, const ice_expr *const *children, size_t count)
{
    expr_list kept = {0};
    for (size_t i = 0; i < count; i++) {
        if (children[i]->kind == ICE_TRUE) {
            return children[i];
        }
        vec_push(a, &kept, children[i]);
    }
    if (kept.count < 2) {
        return kept.count == 1 ? kept.items[0] : ice_expr_true();
    }
    return branch(a, ICE_OR, kept.items, kept.count);
}

static const struct {
    const char *name;
    ice_expr_kind kind, flipped; /* flipped: with the sides exchanged */
} comparisons[] = {
    {"COMPARE_EQUAL", ICE_EQ, ICE_EQ},
    {"COMPARE_NOT_DISTINCT_FROM", ICE_EQ, ICE_EQ}, /* the constant is not null here */
    {"COMPARE_NOTEQUAL", ICE_NE, ICE_NE},
    {"COMPARE_LESSTHAN", ICE_LT, ICE_GT},
    {"COMPARE_LESSTHANOREQUALTO", ICE_LE, ICE_GE},
    {"COMPARE_GREATERTHAN", ICE_GT, ICE_LT},
    {"COMPARE_GREATERTHANOREQUALTO", ICE_GE, ICE_LE},
};

/* False where it is no comparison that bounds can answer. */
bool plan_comparison(str name, bool flipped, ice_expr_kind *ret_kind)
{
    for (size_t i = 0; i < COUNT_OF(comparisons); i++) {
        if (str_equal(name, str_c(comparisons[i].name))) {
            *ret_kind = flipped ? comparisons[i].flipped : comparisons[i].kind;
            return true;
        }
    }
    return false;
}

static const ice_expr *compare(arena *a, ice_expr_kind kind, const ice_field *field,
                               const json *constant)
{
    ice_value value;
    if (field == NULL || !plan_value(constant, field->type, a, &value)) {
        return ice_expr_true();
    }
    return plan_leaf(a, kind, field->id, &value);
}

const ice_field *plan_member(const ice_field *field, str name)
{
    if (field == NULL || field->type->kind != ICE_STRUCT) {
        return NULL;
    }
    for (size_t i = 0; i < field->type->field_count; i++) {
        if (str_equal_nocase(field->type->fields[i].name, name)) {
            return &field->type->fields[i];
        }
    }
    return NULL;
}

/* ---- table filters ---- */

static const ice_expr *filter_children(const json *node, const ice_field *field, bool all, arena *a)
{
    const json *children = json_get(node, "child_filters");
    size_t count = json_count(children);
    const ice_expr **list = ARENA_ARRAY(a, const ice_expr *, count + 1);
    for (size_t i = 0; i < count; i++) {
        list[i] = plan_table_filter(json_at(children, i), field, a);
    }
    return all ? plan_and(a, list, count) : plan_or(a, list, count);
}

static const ice_expr *in_list(arena *a, const ice_field *field, const json *values, size_t from)
{
    size_t count = json_count(values);
    ice_value *list = ARENA_ARRAY(a, ice_value, count + 1);
    size_t known = 0;
    for (size_t i = from; i < count; i++) {
        const json *item = json_at(values, i);
        const json *constant = json_get(item, "is_null") != NULL ? item : json_get(item, "value");
        /* NULL in the list matches no row. */
        if (constant != NULL && json_bool_or(json_get(constant, "is_null"), false)) {
            continue;
        }
        if (field == NULL || !plan_value(constant, field->type, a, &list[known])) {
            return ice_expr_true();
        }
        known++;
    }
    if (field == NULL || known == 0) {
        return ice_expr_true();
    }
    ice_expr *e = ARENA_NEW(a, ice_expr);
    *e = (ice_expr){.kind = ICE_IN, .field_id = field->id, .values = list, .value_count = known};
    return e;
}

/* The column that a table filter's expression speaks of is always its own. */
static const ice_field *own_column(const void *context, int64_t index)
{
    (void)index;
    return context;
}

const ice_expr *plan_table_filter(const json *node, const ice_field *field, arena *a)
{
    ice_expr_kind kind;
    if (field == NULL) {
        return ice_expr_true();
    }
    if (text_is(node, "filter_type", "CONSTANT_COMPARISON")) {
        return plan_comparison(json_str_or(json_get(node, "comparison_type"), STR("")), false,
                               &kind)
                   ? compare(a, kind, field, json_get(node, "constant"))
                   : ice_expr_true();
    }
    if (text_is(node, "filter_type", "CONJUNCTION_AND")) {
        return filter_children(node, field, true, a);
    }
    if (text_is(node, "filter_type", "CONJUNCTION_OR")) {
        return filter_children(node, field, false, a);
    }
    if (text_is(node, "filter_type", "IS_NULL")) {
        return plan_leaf(a, ICE_IS_NULL, field->id, NULL);
    }
    if (text_is(node, "filter_type", "IS_NOT_NULL")) {
        return plan_leaf(a, ICE_NOT_NULL, field->id, NULL);
    }
    if (text_is(node, "filter_type", "IN_FILTER")) {
        return in_list(a, field, json_get(node, "values"), 0);
    }
    if (text_is(node, "filter_type", "OPTIONAL_FILTER")) {
        return plan_table_filter(json_get(node, "child_filter"), field, a);
    }
    if (text_is(node, "filter_type", "STRUCT_EXTRACT")) {
        str name = json_str_or(json_get(node, "child_name"), STR_NULL);
        return plan_table_filter(json_get(node, "child_filter"), plan_member(field, name), a);
    }
    if (text_is(node, "filter_type", "EXPRESSION_FILTER")) {
        return plan_expression(json_get(node, "expr"), own_column, field, a);
    }
    return ice_expr_true();
}

/* ---- expressions ---- */

typedef struct resolver {
    plan_column *column;
    const void *context;
    arena *a;
} resolver;

/* A reference to a column, or to a member of a struct column; NULL for anything else. */
static const ice_field *field_of(const resolver *r, const json *node)
{
    if (text_is(node, "expression_class", "BOUND_REF")) {
        return r->column(r->context, json_int64_or(json_get(node, "index"), 0));
    }
    const json *children = json_get(node, "children");
    if (text_is(node, "expression_class", "BOUND_FUNCTION") &&
        text_is(node, "name", "struct_extract") && json_count(children) == 2) {
        str name =
            json_str_or(json_get(json_get(json_at(children, 1), "value"), "value"), STR_NULL);
        return plan_member(field_of(r, json_at(children, 0)), name);
    }
    return NULL;
}

static const json *constant_of(const json *node)
{
    return text_is(node, "expression_class", "BOUND_CONSTANT") ? json_get(node, "value") : NULL;
}

/* A date or timestamp column against a timestamp with a zone, or the text of one: DuckDB casts
 * the column, or the text at run time. Workers keep the session's zone at UTC, so that both
 * sides are microseconds of the same clock. */
static const ice_expr *compare_timestamps(const resolver *r, ice_expr_kind kind, const json *side,
                                          const json *constant)
{
    bool cast = text_is(side, "expression_class", "BOUND_CAST");
    str target = json_str_or(json_get(json_get(side, "return_type"), "id"), STR(""));
    const ice_field *field = field_of(r, cast ? json_get(side, "child") : side);
    int64_t us;
    if (field == NULL || !plan_timestamp(constant, &us) ||
        (cast && !str_starts_with(target, STR("TIMESTAMP")))) {
        return ice_expr_true();
    }
    ice_value value = {.kind = field->type->kind, .integer = us};
    switch (field->type->kind) {
    case ICE_TIMESTAMP:
    case ICE_TIMESTAMPTZ:
        return plan_leaf(r->a, kind, field->id, &value);
    case ICE_DATE:
        /* A day is compared as its midnight; within the constant's own day both answers are
         * kept. */
        value.integer = us / US_PER_DAY - (us % US_PER_DAY < 0 ? 1 : 0);
        if (kind == ICE_GT || kind == ICE_GE) {
            return plan_leaf(r->a, ICE_GE, field->id, &value);
        }
        if (kind == ICE_LT || kind == ICE_LE || kind == ICE_EQ) {
            return plan_leaf(r->a, kind == ICE_EQ ? ICE_EQ : ICE_LE, field->id, &value);
        }
        return ice_expr_true();
    default:
        return ice_expr_true();
    }
}

static const ice_expr *comparison(const resolver *r, str type, const json *left, const json *right)
{
    ice_expr_kind kind;
    const ice_field *field = field_of(r, left);
    bool flipped = field == NULL && field_of(r, right) != NULL;
    if (flipped || text_is(left, "expression_class", "BOUND_CONSTANT")) {
        const json *swap = left;
        left = right;
        right = swap;
        flipped = true;
        field = field_of(r, left);
    }
    if (!plan_comparison(type, flipped, &kind)) {
        return ice_expr_true();
    }
    const json *constant = constant_of(right);
    if (field != NULL && constant != NULL) {
        return compare(r->a, kind, field, constant);
    }
    return compare_timestamps(r, kind, left, right);
}

static const ice_expr *between(const resolver *r, const json *node)
{
    const ice_field *field = field_of(r, json_get(node, "input"));
    bool lower = json_bool_or(json_get(node, "lower_inclusive"), false);
    bool upper = json_bool_or(json_get(node, "upper_inclusive"), false);
    if (field == NULL) {
        return ice_expr_true();
    }
    const ice_expr *both[2] = {
        compare(r->a, lower ? ICE_GE : ICE_GT, field, constant_of(json_get(node, "lower"))),
        compare(r->a, upper ? ICE_LE : ICE_LT, field, constant_of(json_get(node, "upper"))),
    };
    return plan_and(r->a, both, 2);
}

static const ice_expr *boolean_is(const resolver *r, const ice_field *field, bool wanted)
{
    if (field == NULL || field->type->kind != ICE_BOOLEAN) {
        return ice_expr_true();
    }
    ice_value value = {.kind = ICE_BOOLEAN, .integer = wanted ? 1 : 0};
    return plan_leaf(r->a, ICE_EQ, field->id, &value);
}

static const ice_expr *operator_of(const resolver *r, const json *node)
{
    const json *children = json_get(node, "children"), *first = json_at(children, 0);
    const ice_field *field = field_of(r, first);
    if (text_is(node, "type", "OPERATOR_NOT")) {
        return boolean_is(r, field, false);
    }
    if (field == NULL) {
        return ice_expr_true();
    }
    if (text_is(node, "type", "OPERATOR_IS_NULL")) {
        return plan_leaf(r->a, ICE_IS_NULL, field->id, NULL);
    }
    if (text_is(node, "type", "OPERATOR_IS_NOT_NULL")) {
        return plan_leaf(r->a, ICE_NOT_NULL, field->id, NULL);
    }
    if (text_is(node, "type", "COMPARE_IN")) {
        for (size_t i = 1; i < json_count(children); i++) {
            if (constant_of(json_at(children, i)) == NULL) {
                return ice_expr_true();
            }
        }
        return in_list(r->a, field, children, 1);
    }
    return ice_expr_true();
}

static const ice_expr *function_of(const resolver *r, const json *node)
{
    const json *children = json_get(node, "children");
    bool prefix = text_is(node, "name", "starts_with") || text_is(node, "name", "prefix") ||
                  text_is(node, "name", "^@");
    const ice_field *field = field_of(r, json_at(children, 0));
    if (!prefix || json_count(children) != 2 || field == NULL || field->type->kind != ICE_STRING) {
        return ice_expr_true();
    }
    return compare(r->a, ICE_STARTS_WITH, field, constant_of(json_at(children, 1)));
}

static const ice_expr *conjunction(const json *node, const resolver *r)
{
    const json *children = json_get(node, "children");
    size_t count = json_count(children);
    const ice_expr **list = ARENA_ARRAY(r->a, const ice_expr *, count + 1);
    for (size_t i = 0; i < count; i++) {
        list[i] = plan_expression(json_at(children, i), r->column, r->context, r->a);
    }
    return text_is(node, "type", "CONJUNCTION_AND") ? plan_and(r->a, list, count)
                                                    : plan_or(r->a, list, count);
}

const ice_expr *plan_expression(const json *node, plan_column *column, const void *context,
                                arena *a)
{
    resolver r = {.column = column, .context = context, .a = a};
    if (text_is(node, "expression_class", "BOUND_COMPARISON")) {
        return comparison(&r, json_str_or(json_get(node, "type"), STR("")), json_get(node, "left"),
                          json_get(node, "right"));
    }
    if (text_is(node, "expression_class", "BOUND_CONJUNCTION")) {
        return conjunction(node, &r);
    }
    if (text_is(node, "expression_class", "BOUND_OPERATOR")) {
        return operator_of(&r, node);
    }
    if (text_is(node, "expression_class", "BOUND_BETWEEN")) {
        return between(&r, node);
    }
    if (text_is(node, "expression_class", "BOUND_REF")) {
        return boolean_is(&r, field_of(&r, node), true);
    }
    if (text_is(node, "expression_class", "BOUND_FUNCTION")) {
        return function_of(&r, node);
    }
    return ice_expr_true();
}

/* project.c: what a predicate on a column says about a range of its (transformed) values: the inclusive
 * projection. It may say "perhaps" too often, never "no" wrongly.
 *
 *   transform t            x = v        x < v        x <= v        x > v, x >= v     starts with p
 *   identity               t in range   lower < v    lower <= v    upper >(=) v      see below
 *   bucket                 t(v) in      -            -             -                 -
 *   truncate (t(x) <= x)   t(v) in      lower < v    lower <= v    upper >= t(v)     as far as both go
 *   year … hour            t(v) in      lower <= t(v)              upper >= t(v)     -
 *
 * Values of time transforms below zero are widened by one: old writers rounded them towards zero, so that t(v)
 * stands for what should be t(v) - 1 (reference implementation: ProjectionUtil).
 * Source: Iceberg specification, "Scan planning". */
#include "internal.h"

/* True where the two do not compare: nothing is known then. */
static bool compares(const ice_value *x, ice_expr_kind how, const ice_value *y)
{
    int order;

    if (!ice__compare_sql(x, y, &order)) {
        return true;
    }
    switch (how) {
    case ICE_LT:
        return order < 0;
    case ICE_LE:
        return order <= 0;
    case ICE_GT:
        return order > 0;
    case ICE_GE:
        return order >= 0;
    default:
        return order == 0;
    }
}

static bool lower_is(const ice__range *r, ice_expr_kind how, const ice_value *v)
{
    return !r->has_lower || compares(&r->lower, how, v);
}

static bool upper_is(const ice__range *r, ice_expr_kind how, const ice_value *v)
{
    return !r->has_upper || compares(&r->upper, how, v);
}

static bool holds(const ice__range *r, const ice_value *v)
{
    return lower_is(r, ICE_LE, v) && upper_is(r, ICE_GE, v);
}

/* --- identity --- */

/* A constant NaN: equal to itself and above all else. */
static bool nan_may_match(const ice__range *r, ice_expr_kind kind)
{
    switch (kind) {
    case ICE_EQ:
    case ICE_IN:
    case ICE_GE:
        return r->may_nan;
    case ICE_GT:
        return false;
    default:
        return true;
    }
}

static bool is_only_value(const ice__range *r, const ice_value *v)
{
    int low;
    int high;

    return r->exact && r->has_lower && r->has_upper && !r->may_nan &&
           ice__compare_sql(&r->lower, v, &low) && ice__compare_sql(&r->upper, v, &high) &&
           low == 0 && high == 0;
}

static bool identity_may_match(const ice__range *r, ice_expr_kind kind, const ice_value *v)
{
    if (ice_value_is_nan(v)) {
        return nan_may_match(r, kind);
    }
    switch (kind) {
    case ICE_EQ:
    case ICE_IN:
        return holds(r, v);
    case ICE_LT:
    case ICE_LE:
        return lower_is(r, kind, v);
    case ICE_GT:
    case ICE_GE:
        return r->may_nan || upper_is(r, kind, v);
    case ICE_NE:
        return !is_only_value(r, v);
    default:
        return true;
    }
}

/* Whether texts in the range can begin with `prefix`, seen over as many bytes as both have. */
static bool prefix_in_range(const ice__range *r, str prefix)
{
    if (r->has_lower) {
        str low = str_slice(r->lower.bytes, 0, prefix.size);

        if (str_compare(low, prefix) > 0) {
            return false;
        }
    }
    if (r->has_upper) {
        str high = str_slice(r->upper.bytes, 0, prefix.size);

        /* An upper bound shorter than the prefix ends below it, unless it is cut text: "ab" < "abc". */
        if (str_compare(high, prefix) < 0) {
            return false;
        }
    }
    return true;
}

static bool is_text(const ice_value *v)
{
    return v->kind == ICE_STRING || v->kind == ICE_BINARY;
}

static bool starts_may_match(const ice__range *r, const ice_transform *t, const ice_value *v)
{
    str prefix = v->bytes;

    if (!is_text(v) || (r->has_lower && !is_text(&r->lower)) ||
        (r->has_upper && !is_text(&r->upper))) {
        return true;
    }
    if (t->kind == ICE_TRUNCATE) {
        size_t size = v->kind == ICE_STRING ? ice__utf8_prefix(prefix, (size_t)t->parameter)
                                            : (size_t)t->parameter;

        prefix = str_slice(prefix, 0, size);
    }
    return prefix_in_range(r, prefix);
}

/* --- truncate --- */

/* Truncating near the lowest integer wraps round to the highest: what lies there may come from anywhere. */
static bool may_have_wrapped(const ice__range *r, const ice_type *source, int32_t width)
{
    int64_t highest = source->kind == ICE_INT ? INT32_MAX : INT64_MAX;

    return (source->kind == ICE_INT || source->kind == ICE_LONG) &&
           (!r->has_upper || r->upper.integer > highest - width);
}

static bool truncate_may_match(const ice__range *r, const ice_transform *t, const ice_type *source,
                               ice_expr_kind kind, const ice_value *v)
{
    ice_value cut;

    if (ice_transform_apply(t, source, v, NULL, &cut, NULL) != STATUS_OK) {
        return true;
    }
    switch (kind) {
    case ICE_EQ:
    case ICE_IN:
        return holds(r, &cut);
    case ICE_LT:
    case ICE_LE:
        return may_have_wrapped(r, source, t->parameter) || lower_is(r, kind, v);
    case ICE_GT:
    case ICE_GE:
        /* A constant that wraps itself tells nothing. */
        return compares(&cut, ICE_GT, v) || upper_is(r, ICE_GE, &cut);
    default:
        return true;
    }
}

/* --- bucket --- */

static bool bucket_may_match(const ice__range *r, const ice_transform *t, const ice_type *source,
                             ice_expr_kind kind, const ice_value *v)
{
    ice_value bucket;

    if ((kind != ICE_EQ && kind != ICE_IN) ||
        ice_transform_apply(t, source, v, NULL, &bucket, NULL) != STATUS_OK) {
        return true;
    }
    return holds(r, &bucket);
}

/* --- times --- */

static bool time_may_match(const ice__range *r, const ice_transform *t, const ice_type *source,
                           ice_expr_kind kind, const ice_value *v)
{
    int64_t low = r->has_lower ? r->lower.integer : INT64_MIN;
    int64_t high = r->has_upper ? r->upper.integer : INT64_MAX;
    ice_value edge = *v;
    int64_t widened;

    /* x < v is x <= v - 1, so that a constant on the edge of a period does not drag the next one in. */
    if (kind == ICE_LT && edge.integer > INT64_MIN) {
        edge.integer--;
    }
    if (kind == ICE_GT && edge.integer < INT64_MAX) {
        edge.integer++;
    }
    if (ice_transform_apply(t, source, &edge, NULL, &edge, NULL) != STATUS_OK) {
        return true;
    }
    widened = edge.integer < 0 ? edge.integer + 1 : edge.integer;
    switch (kind) {
    case ICE_EQ:
    case ICE_IN:
        return low <= widened && high >= edge.integer;
    case ICE_LT:
    case ICE_LE:
        return low <= widened;
    case ICE_GT:
    case ICE_GE:
        return high >= edge.integer;
    default:
        return true;
    }
}

/* --- all --- */

static bool is_integer(ice_kind kind)
{
    return kind == ICE_INT || kind == ICE_LONG;
}

bool ice__fit_constant(const ice_value *v, const ice_type *source, ice_value *ret_value)
{
    bool good = v->kind == source->kind;

    *ret_value = *v;
    if (is_integer(v->kind) && is_integer(source->kind)) {
        ret_value->kind = source->kind;
        good = source->kind == ICE_LONG || (v->integer >= INT32_MIN && v->integer <= INT32_MAX);
    }
    return good && (source->kind != ICE_DECIMAL || v->scale == source->scale);
}

static bool value_may_match(const ice__range *r, const ice_transform *t, const ice_type *source,
                            ice_expr_kind kind, const ice_value *v)
{
    ice_value own;

    if (t->kind == ICE_IDENTITY) {
        return identity_may_match(r, kind, v);
    }
    if (!ice__fit_constant(v, source, &own)) {
        return true;
    }
    switch (t->kind) {
    case ICE_BUCKET:
        return bucket_may_match(r, t, source, kind, &own);
    case ICE_TRUNCATE:
        return truncate_may_match(r, t, source, kind, &own);
    case ICE_YEAR:
    case ICE_MONTH:
    case ICE_DAY:
    case ICE_HOUR:
        return time_may_match(r, t, source, kind, &own);
    default:
        return true;
    }
}

bool ice__range_may_match(const ice__range *r, const ice_transform *t, const ice_type *source,
                          const ice_expr *leaf)
{
    bool known = t->kind != ICE_VOID && t->kind != ICE_TRANSFORM_UNKNOWN;

    if (!known) {
        return true;
    }
    if (leaf->kind == ICE_IS_NULL) {
        return r->may_null;
    }
    if (!r->may_value) {
        return false; /* nulls alone: no comparison holds for them, and NOT NULL neither */
    }
    if (leaf->kind == ICE_NOT_NULL || leaf->value_count == 0) {
        return true;
    }
    if (leaf->kind == ICE_STARTS_WITH) {
        return (t->kind != ICE_IDENTITY && t->kind != ICE_TRUNCATE) || leaf->values[0].is_null ||
               starts_may_match(r, t, &leaf->values[0]);
    }
    for (size_t i = 0; i < leaf->value_count; i++) {
        if (leaf->values[i].is_null ||
            value_may_match(r, t, source, leaf->kind, &leaf->values[i])) {
            return true;
        }
    }
    return false;
}

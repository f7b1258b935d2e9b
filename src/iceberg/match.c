/* match.c: the strict projection: what a file's partition and metrics prove of every one of its rows. It may say
 * "not proven" too often, never "proven" wrongly: rows are deleted on its word. What is only perhaps in a file is
 * prune.c's and project.c's.
 *
 *   known of a column                      proves
 *   partition, identity                    everything: the value is known
 *   partition, truncate of numbers         what a range from t to t + W - 1 proves
 *   partition, truncate of text            prefix, order beside it; all where t is shorter than W
 *   partition, year … hour                 order beyond the period; t <= 0 stands for t - 1 too (project.c)
 *   partition, bucket                      inequality with a constant of another bucket
 *   null counts, NaN counts, bounds        see range_must_match; what is missing proves nothing
 *
 * A comparison is TRUE for no null, so that a column which may hold one satisfies none but IS NULL. A text bound
 * may be cut: it bounds, but equals nothing. Order is DuckDB's: NaN above all numbers, one zero.
 * Source: Iceberg specification, "Scan planning" ("strict" projection). */
#include <stdio.h>

#include "tarn/base/vec.h"
#include "tarn/iceberg/overwrite.h"

#include "internal.h"

/* What is proven of the values behind a column of a file. */
typedef struct facts {
    bool has_lower, has_upper;
    ice_value lower, upper; /* lower <= x <= upper for every x that is neither null nor NaN */
    bool no_null, all_null;
    bool no_nan, all_nan;
    bool cut; /* the bounds may be cut: they are no values that occur */
} facts;

/* --- ranges --- */

/* Order of bound and constant; false where they do not compare. */
static bool order_of(const ice_value *bound, const ice_value *v, int *ret_order)
{
    return ice__compare_sql(bound, v, ret_order);
}

static bool all_below(const facts *f, const ice_value *v, bool or_equal)
{
    int order;

    return f->no_nan && f->has_upper && order_of(&f->upper, v, &order) &&
           (order < 0 || (or_equal && order == 0));
}

/* NaN is above every number. */
static bool all_above(const facts *f, const ice_value *v, bool or_equal)
{
    int order;

    return f->all_nan || (f->has_lower && order_of(&f->lower, v, &order) &&
                          (order > 0 || (or_equal && order == 0)));
}

static bool nan_must_match(const facts *f, ice_expr_kind kind)
{
    switch (kind) {
    case ICE_EQ:
    case ICE_IN:
    case ICE_GE:
        return f->all_nan;
    case ICE_LE:
        return true;
    case ICE_LT:
    case ICE_NE:
        return f->no_nan;
    default:
        return false;
    }
}

static bool value_must_match(const facts *f, ice_expr_kind kind, const ice_value *v)
{
    facts numbers = *f;

    if (ice_value_is_nan(v)) {
        return nan_must_match(f, kind);
    }
    switch (kind) {
    case ICE_EQ:
    case ICE_IN:
        return !f->cut && !f->all_nan && all_below(f, v, true) && all_above(f, v, true);
    case ICE_NE:
        numbers.no_nan = true; /* NaN is not v */
        return all_below(&numbers, v, false) || all_above(f, v, false);
    case ICE_LT:
    case ICE_LE:
        return all_below(f, v, kind == ICE_LE);
    case ICE_GT:
    case ICE_GE:
        return all_above(f, v, kind == ICE_GE);
    default:
        return false;
    }
}

static bool is_text(const ice_value *v)
{
    return v->kind == ICE_STRING || v->kind == ICE_BINARY;
}

/* What lies between two texts that begin alike begins so too. */
static bool starts_must_match(const facts *f, const ice_value *v)
{
    return is_text(v) && f->has_lower && f->has_upper && is_text(&f->lower) && is_text(&f->upper) &&
           str_starts_with(f->lower.bytes, v->bytes) && str_starts_with(f->upper.bytes, v->bytes);
}

static bool range_must_match(const facts *f, const ice_expr *leaf)
{
    if (leaf->kind == ICE_IS_NULL) {
        return f->all_null;
    }
    if (!f->no_null) {
        return false;
    }
    if (leaf->kind == ICE_NOT_NULL) {
        return true;
    }
    for (size_t i = 0; i < leaf->value_count; i++) {
        const ice_value *v = &leaf->values[i];

        if (!v->is_null && (leaf->kind == ICE_STARTS_WITH ? starts_must_match(f, v)
                                                          : value_must_match(f, leaf->kind, v))) {
            return true;
        }
    }
    return false;
}

/* --- partitions --- */

static facts exactly(const ice_value *v)
{
    bool nan = ice_value_is_nan(v);

    return (facts){.has_lower = !nan,
                   .has_upper = !nan,
                   .lower = *v,
                   .upper = *v,
                   .no_null = true,
                   .no_nan = !nan,
                   .all_nan = nan};
}

static bool bucket_must_match(const ice_transform *t, const ice_type *source, const ice_value *p,
                              const ice_expr *leaf)
{
    ice_value v;
    ice_value bucket;

    return leaf->kind == ICE_NE && leaf->value_count == 1 && !leaf->values[0].is_null &&
           ice__fit_constant(&leaf->values[0], source, &v) &&
           ice_transform_apply(t, source, &v, NULL, &bucket, NULL) == STATUS_OK &&
           bucket.integer != p->integer;
}

/* Everything in the file begins with `p`, and goes on. */
static bool prefix_must_match(const ice_value *p, ice_expr_kind kind, const ice_value *v)
{
    int order;

    if (!is_text(v)) {
        return false;
    }
    order = str_compare(p->bytes, v->bytes);
    switch (kind) {
    case ICE_STARTS_WITH:
        return str_starts_with(p->bytes, v->bytes);
    case ICE_NE:
        return !str_starts_with(v->bytes, p->bytes);
    case ICE_LT:
    case ICE_LE:
        return order < 0 && !str_starts_with(v->bytes, p->bytes);
    case ICE_GT:
        return order > 0;
    case ICE_GE:
        return order >= 0;
    default:
        return false;
    }
}

static bool truncated_text_must_match(const ice_transform *t, const ice_value *p,
                                      const ice_expr *leaf)
{
    size_t size = p->kind == ICE_STRING ? ice__utf8_count(p->bytes) : p->bytes.size;

    if (size < (size_t)t->parameter) {
        facts f = exactly(p);

        return range_must_match(&f, leaf);
    }
    return leaf->value_count == 1 && !leaf->values[0].is_null &&
           prefix_must_match(p, leaf->kind, &leaf->values[0]);
}

static bool truncate_must_match(const ice_transform *t, const ice_type *source, const ice_value *p,
                                const ice_expr *leaf)
{
    facts f = exactly(p);

    switch (source->kind) {
    case ICE_INT:
    case ICE_LONG:
        /* Near the highest integer lies what wrapped round from the lowest. */
        if (p->integer > (source->kind == ICE_INT ? INT32_MAX : INT64_MAX) - t->parameter) {
            return false;
        }
        f.upper.integer += t->parameter - 1;
        return range_must_match(&f, leaf);
    case ICE_DECIMAL:
        f.upper = ice__decimal_value(ice__decimal(p) + (t->parameter - 1), source->scale);
        return range_must_match(&f, leaf);
    case ICE_STRING:
    case ICE_BINARY:
        return truncated_text_must_match(t, p, leaf);
    default:
        return false;
    }
}

/* Number of the period that `v` lies in, moved by `step` units of the column first. */
static bool period_of(const ice_transform *t, const ice_type *source, const ice_value *v, int step,
                      int64_t *ret_period)
{
    ice_value moved = *v;
    ice_value period;

    if (moved.integer == INT64_MAX || moved.integer == INT64_MIN) {
        return false;
    }
    moved.integer += step;
    if (ice_transform_apply(t, source, &moved, NULL, &period, NULL) != STATUS_OK) {
        return false;
    }
    *ret_period = period.integer;
    return true;
}

/* Transforms of time do not fall: what lies in an earlier period than v is below v. */
static bool period_must_match(const ice_transform *t, const ice_type *source, const ice_value *p,
                              ice_expr_kind kind, const ice_value *constant)
{
    int64_t low = p->integer <= 0 ? p->integer - 1 : p->integer;
    int64_t high = p->integer;
    int64_t period;
    ice_value v;

    if (constant->is_null || !ice__fit_constant(constant, source, &v)) {
        return false;
    }
    switch (kind) {
    case ICE_LT:
        return period_of(t, source, &v, 0, &period) && high < period;
    case ICE_LE:
        return period_of(t, source, &v, 1, &period) && high < period;
    case ICE_GT:
        return period_of(t, source, &v, 0, &period) && low > period;
    case ICE_GE:
        return period_of(t, source, &v, -1, &period) && low > period;
    case ICE_NE:
        return period_of(t, source, &v, 0, &period) && (period < low || period > high);
    case ICE_EQ:
    case ICE_IN: /* days of a column of days */
        return period_must_match(t, source, p, ICE_LE, constant) &&
               period_must_match(t, source, p, ICE_GE, constant);
    default:
        return false;
    }
}

static bool value_in_partition_must_match(const ice_transform *t, const ice_type *source,
                                          const ice_value *p, const ice_expr *leaf)
{
    facts f;

    switch (t->kind) {
    case ICE_IDENTITY:
        f = exactly(p);
        return range_must_match(&f, leaf);
    case ICE_BUCKET:
        return bucket_must_match(t, source, p, leaf);
    case ICE_TRUNCATE:
        return truncate_must_match(t, source, p, leaf);
    case ICE_YEAR:
    case ICE_MONTH:
    case ICE_DAY:
    case ICE_HOUR:
        for (size_t i = 0; i < leaf->value_count; i++) {
            if (period_must_match(t, source, p, leaf->kind, &leaf->values[i])) {
                return true;
            }
        }
        return false;
    default:
        return false;
    }
}

static bool field_must_match(const ice_transform *t, const ice_type *source, const ice_value *p,
                             const ice_expr *leaf)
{
    if (t->kind == ICE_VOID || t->kind == ICE_TRANSFORM_UNKNOWN) {
        return false; /* their values tell nothing */
    }
    if (p->is_null) {
        return leaf->kind == ICE_IS_NULL; /* null comes of null alone */
    }
    return leaf->kind == ICE_NOT_NULL || value_in_partition_must_match(t, source, p, leaf);
}

static bool partition_must_match(const ice__filter *filter, const ice_file *file,
                                 const ice_expr *leaf)
{
    const ice__filter_field *col = ice__filter_column(filter, leaf->field_id);
    const ice_spec *spec = ice__filter_spec(filter, file->spec_id);

    for (size_t i = 0;
         col != NULL && spec != NULL && i < spec->field_count && i < file->partition_count; i++) {
        if (spec->fields[i].source_id == leaf->field_id &&
            field_must_match(&spec->fields[i].transform, col->field->type, &file->partition[i],
                             leaf)) {
            return true;
        }
    }
    return false;
}

/* --- metrics --- */

static bool read_bound(const avro_int_bytes *items, size_t count, const ice_field *field,
                       ice_value *ret_value)
{
    str bytes = ice__find_bound(items, count, field->id);

    return !str_is_null(bytes) &&
           ice_value_decode(field->type, bytes, ret_value, NULL) == STATUS_OK &&
           !ice_value_is_nan(ret_value);
}

static bool metrics_must_match(const ice__filter *filter, const ice_file *file,
                               const ice_expr *leaf)
{
    const ice__filter_field *col = ice__filter_column(filter, leaf->field_id);
    facts f = {.no_nan = true};
    int64_t nulls;
    int64_t values;
    int64_t nans;

    /* Writers disagree whether a null struct counts for the fields in it. */
    if (col == NULL || !col->top_level) {
        return false;
    }
    nulls = ice__find_count(file->null_counts, file->null_count_count, leaf->field_id);
    values = ice__find_count(file->value_counts, file->value_count_count, leaf->field_id);
    nans = ice__find_count(file->nan_counts, file->nan_count_count, leaf->field_id);
    if (values >= 0 && values != file->record_count) {
        return false; /* counts that contradict each other prove nothing */
    }
    f.no_null = nulls == 0;
    f.all_null = nulls >= 0 && nulls == file->record_count;
    if (col->field->type->kind == ICE_FLOAT || col->field->type->kind == ICE_DOUBLE) {
        f.no_nan = nans == 0;
        f.all_nan = nans >= 0 && nans == file->record_count;
    }
    f.has_lower = read_bound(file->lower_bounds, file->lower_bound_count, col->field, &f.lower);
    f.has_upper = read_bound(file->upper_bounds, file->upper_bound_count, col->field, &f.upper);
    f.cut = col->field->type->kind == ICE_STRING || col->field->type->kind == ICE_BINARY;
    return range_must_match(&f, leaf);
}

/* --- trees --- */

typedef bool must_leaf(const ice__filter *filter, const ice_file *file, const ice_expr *leaf);

static bool tree_must_match(const ice__filter *filter, const ice_file *file, const ice_expr *e,
                            must_leaf *leaf)
{
    switch (e->kind) {
    case ICE_TRUE: /* a node that was not understood */
    case ICE_FALSE:
        return false;
    case ICE_AND:
        for (size_t i = 0; i < e->child_count; i++) {
            if (!tree_must_match(filter, file, e->children[i], leaf)) {
                return false;
            }
        }
        return e->child_count > 0;
    case ICE_OR:
        for (size_t i = 0; i < e->child_count; i++) {
            if (tree_must_match(filter, file, e->children[i], leaf)) {
                return true;
            }
        }
        return false;
    default:
        return leaf(filter, file, e);
    }
}

static bool any_must_match(const ice__filter *filter, const ice_file *file, const ice_expr *leaf)
{
    return partition_must_match(filter, file, leaf) || metrics_must_match(filter, file, leaf);
}

bool ice__file_must_match(const ice__filter *filter, const ice_file *file)
{
    return tree_must_match(filter, file, ice__filter_expr(filter), any_must_match);
}

bool ice__partition_must_match(const ice__filter *filter, const ice_file *file)
{
    return tree_must_match(filter, file, ice__filter_expr(filter), partition_must_match);
}

bool ice_file_must_match(const ice_file *file, const ice_metadata *m, const ice_expr *filter)
{
    arena *a;
    bool must;

    if (filter == NULL) {
        return true;
    }
    a = arena_create();
    must = ice__file_must_match(ice__filter_create(m, filter, a), file);
    arena_free(a);
    return must;
}

ice_isolation ice_isolation_of(const ice_metadata *m, const char *operation)
{
    char key[64];

    (void)snprintf(key, sizeof(key), "write.%s.isolation-level", operation);
    return str_equal_nocase(ice_metadata_property(m, key, "serializable"), STR("snapshot"))
               ? ICE_SNAPSHOT_ISOLATION
               : ICE_SERIALIZABLE;
}

/* Claims about pruning: what a filter says about partitions and bounds. The second half tries random rows against
 * random filters: a file that holds a matching row is never skipped, and one that holds a row that does not match is
 * never said to match wholly. */
#include <math.h>

#include "support/test.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"
#include "tarn/iceberg/overwrite.h"

#include "internal.h"

/* --- single predicates --- */

static ice_value integer(ice_kind kind, int64_t value)
{
    return (ice_value){.kind = kind, .integer = value};
}

static ice_value text(const char *value)
{
    return (ice_value){.kind = ICE_STRING, .bytes = str_c(value)};
}

static ice_value real(double value)
{
    return (ice_value){.kind = ICE_DOUBLE, .real = value};
}

static ice__range between(ice_value lower, ice_value upper)
{
    return (ice__range){
        .has_lower = true, .has_upper = true, .lower = lower, .upper = upper, .may_value = true};
}

static bool may(ice__range range, const char *transform, ice_kind source, ice_expr_kind kind,
                ice_value value)
{
    ice_expr leaf = {.kind = kind, .field_id = 1, .values = &value, .value_count = 1};
    ice_transform t = {.kind = ICE_IDENTITY};

    (void)ice_transform_parse(str_c(transform), &t, NULL);
    return ice__range_may_match(&range, &t, ice_type_primitive(source), &leaf);
}

static void test_bounds_rule_out_what_lies_beyond_them(void **given)
{
    ice__range range = between(integer(ICE_INT, 10), integer(ICE_INT, 20));

    (void)given;
    assert_false(may(range, "identity", ICE_INT, ICE_EQ, integer(ICE_INT, 9)));
    assert_true(may(range, "identity", ICE_INT, ICE_EQ, integer(ICE_INT, 10)));
    assert_true(may(range, "identity", ICE_INT, ICE_EQ, integer(ICE_LONG, 20)));
    assert_false(may(range, "identity", ICE_INT, ICE_EQ, integer(ICE_LONG, INT64_C(1) << 40)));
    assert_false(may(range, "identity", ICE_INT, ICE_LT, integer(ICE_INT, 10)));
    assert_true(may(range, "identity", ICE_INT, ICE_LE, integer(ICE_INT, 10)));
    assert_false(may(range, "identity", ICE_INT, ICE_GT, integer(ICE_INT, 20)));
    assert_true(may(range, "identity", ICE_INT, ICE_GE, integer(ICE_INT, 20)));
    assert_false(may(range, "identity", ICE_INT, ICE_IS_NULL, integer(ICE_INT, 0)));
    range.may_value = false;
    assert_false(may(range, "identity", ICE_INT, ICE_NOT_NULL, integer(ICE_INT, 0)));
    assert_false(may(range, "identity", ICE_INT, ICE_EQ, integer(ICE_INT, 15)));
}

static void test_unequal_rules_out_only_an_exact_single_value(void **given)
{
    ice__range range = between(text("a"), text("a"));

    (void)given;
    assert_true(may(range, "identity", ICE_STRING, ICE_NE, text("a"))); /* bounds may be cut */
    range.exact = true;
    assert_false(may(range, "identity", ICE_STRING, ICE_NE, text("a")));
    assert_true(may(range, "identity", ICE_STRING, ICE_NE, text("b")));
}

static void test_nan_lies_above_every_bound(void **given)
{
    ice__range range = between(real(1), real(2));

    (void)given;
    range.may_nan = true;
    assert_true(may(range, "identity", ICE_DOUBLE, ICE_GT, real(5)));
    assert_true(may(range, "identity", ICE_DOUBLE, ICE_GE, real((double)INFINITY)));
    assert_true(may(range, "identity", ICE_DOUBLE, ICE_EQ, real((double)NAN)));
    assert_false(may(range, "identity", ICE_DOUBLE, ICE_LT, real(1)));
    assert_false(may(range, "identity", ICE_DOUBLE, ICE_GT, real((double)NAN)));
    range.may_nan = false;
    assert_false(may(range, "identity", ICE_DOUBLE, ICE_GT, real(5)));
    assert_false(may(range, "identity", ICE_DOUBLE, ICE_EQ, real((double)NAN)));
    assert_true(may(range, "identity", ICE_DOUBLE, ICE_LT, real((double)NAN)));
}

static void test_both_zeros_are_one_to_a_filter(void **given)
{
    (void)given;
    assert_true(may(between(real(-1), real(-0.0)), "identity", ICE_DOUBLE, ICE_GE, real(0.0)));
    assert_true(may(between(real(0.0), real(1)), "identity", ICE_DOUBLE, ICE_LE, real(-0.0)));
    assert_true(may(between(real(0.0), real(1)), "identity", ICE_DOUBLE, ICE_EQ, real(-0.0)));
}

static void test_prefixes_are_compared_as_far_as_bounds_go(void **given)
{
    ice__range range = between(text("car"), text("dog"));

    (void)given;
    assert_true(may(range, "identity", ICE_STRING, ICE_STARTS_WITH, text("ca")));
    assert_true(may(range, "identity", ICE_STRING, ICE_STARTS_WITH, text("d")));
    assert_true(may(range, "identity", ICE_STRING, ICE_STARTS_WITH, text("")));
    assert_false(may(range, "identity", ICE_STRING, ICE_STARTS_WITH, text("b")));
    assert_false(may(range, "identity", ICE_STRING, ICE_STARTS_WITH, text("dz")));
    assert_false(may(range, "identity", ICE_STRING, ICE_STARTS_WITH, text("dogs")));
    assert_true(may(range, "truncate[3]", ICE_STRING, ICE_STARTS_WITH, text("dogs")));
    assert_false(may(range, "truncate[3]", ICE_STRING, ICE_STARTS_WITH, text("dot")));
}

static void test_times_below_zero_are_widened_for_old_writers(void **given)
{
    ice__range year = between(integer(ICE_INT, 0), integer(ICE_INT, 0));
    ice_value before =
        integer(ICE_DATE, -1); /* 1969-12-31: year -1, and 0 to writers that round to zero */

    (void)given;
    assert_true(may(year, "year", ICE_DATE, ICE_EQ, before));
    assert_true(may(year, "year", ICE_DATE, ICE_LE, before));
    assert_false(may(year, "year", ICE_DATE, ICE_EQ, integer(ICE_DATE, -366)));
    assert_false(may(year, "year", ICE_DATE, ICE_GT, integer(ICE_DATE, 365)));
    assert_true(may(year, "year", ICE_DATE, ICE_GE, integer(ICE_DATE, 0)));
    /* The edge of a period belongs to the next one: x < 1971-01-01 does not reach into 1971. */
    year = between(integer(ICE_INT, 1), integer(ICE_INT, 1));
    assert_false(may(year, "year", ICE_DATE, ICE_LT, integer(ICE_DATE, 365)));
    assert_true(may(year, "year", ICE_DATE, ICE_LE, integer(ICE_DATE, 365)));
}

static void test_what_is_not_understood_is_kept(void **given)
{
    ice__range range = between(integer(ICE_INT, 10), integer(ICE_INT, 20));

    (void)given;
    assert_true(may(range, "void", ICE_INT, ICE_EQ, integer(ICE_INT, 99)));
    assert_true(may(range, "zorder", ICE_INT, ICE_EQ, integer(ICE_INT, 99)));
    assert_true(may(range, "identity", ICE_INT, ICE_EQ, text("99")));
    assert_true(may(range, "bucket[16]", ICE_INT, ICE_LT, integer(ICE_INT, 0)));
    range.may_null = true;
    range.may_value = false;
    assert_true(may(range, "void", ICE_INT, ICE_EQ, integer(ICE_INT, 99)));
}

/* --- random rows against random filters --- */

enum { COLUMNS = 7, ROWS_MAX = 6, ROUNDS = 60000 };

/* The columns, and what each may be partitioned by. */
static const struct {
    const char *name;
    ice_kind kind;
    const char *transforms[5];
} columns[COLUMNS] = {
    {"i", ICE_INT, {"identity", "bucket[4]", "truncate[10]", "void", "truncate[2147483647]"}},
    {"l", ICE_LONG, {"identity", "bucket[3]", "truncate[7]", "void", "identity"}},
    {"d", ICE_DOUBLE, {"identity", "void", "identity", "void", "identity"}},
    {"s", ICE_STRING, {"identity", "bucket[4]", "truncate[2]", "truncate[1]", "void"}},
    {"t", ICE_TIMESTAMP, {"year", "month", "day", "hour", "bucket[5]"}},
    {"a", ICE_DATE, {"year", "month", "day", "identity", "bucket[5]"}},
    {"m", ICE_DECIMAL, {"identity", "bucket[4]", "truncate[50]", "void", "identity"}},
};

static const ice_type decimal_type = {.kind = ICE_DECIMAL, .precision = 9, .scale = 2};

static const ice_type *column_type(size_t column)
{
    return columns[column].kind == ICE_DECIMAL ? &decimal_type
                                               : ice_type_primitive(columns[column].kind);
}

/* Small ranges around the interesting places, so that values and constants meet often. */
static ice_value random_value(rng *r, size_t column, arena *a)
{
    static const char *const words[] = {"",
                                        "a",
                                        "ab",
                                        "abc",
                                        "b",
                                        "\xc3\xa9",
                                        "\xc3\xa9t\xc3\xa9",
                                        "z",
                                        "\xf4\x8f\xbf\xbf",
                                        "aardvark of great length",
                                        "aardvark of great luck"};
    static const double reals[] = {-(double)INFINITY, -1.5,       -0.0, 0.0, 1.5, 2.5,
                                   (double)INFINITY,  (double)NAN};
    static const int64_t edges[] = {INT32_MIN, INT32_MAX, INT32_MIN + 3};
    ice_value v = {.kind = columns[column].kind};
    int64_t small = (int64_t)rng_below(r, 60) - 30;

    (void)a;
    switch (v.kind) {
    case ICE_STRING:
        v.bytes = str_c(words[rng_below(r, COUNT_OF(words))]);
        break;
    case ICE_DOUBLE:
        v.real = reals[rng_below(r, COUNT_OF(reals))];
        break;
    case ICE_TIMESTAMP: /* some steps of half an hour to some years, around 1970 */
        v.integer = small * INT64_C(1800000000) * (int64_t)(rng_below(r, 2) == 0 ? 1 : 5000) +
                    (int64_t)rng_below(r, 2);
        break;
    case ICE_DATE:
        v.integer = small * (rng_below(r, 2) == 0 ? 1 : 61);
        break;
    case ICE_DECIMAL:
        v = ice__decimal_value(small * 10, 2);
        break;
    case ICE_LONG:
        v.integer = rng_below(r, 10) == 0 ? (rng_below(r, 2) == 0 ? INT64_MIN : INT64_MAX) : small;
        break;
    default:
        v.integer = rng_below(r, 10) == 0 ? edges[rng_below(r, COUNT_OF(edges))] : small;
        break;
    }
    return v;
}

/* SQL's three values. */
typedef enum truth { FALSE, TRUE, UNKNOWN } truth;

static truth compare_row(const ice_value *row, ice_expr_kind kind, const ice_value *constant)
{
    int order;

    if (row->is_null) {
        return UNKNOWN;
    }
    if (kind == ICE_STARTS_WITH) {
        return str_starts_with(row->bytes, constant->bytes) ? TRUE : FALSE;
    }
    assert_true(ice__compare_sql(row, constant, &order));
    switch (kind) {
    case ICE_LT:
        return order < 0 ? TRUE : FALSE;
    case ICE_LE:
        return order <= 0 ? TRUE : FALSE;
    case ICE_GT:
        return order > 0 ? TRUE : FALSE;
    case ICE_GE:
        return order >= 0 ? TRUE : FALSE;
    case ICE_NE:
        return order != 0 ? TRUE : FALSE;
    default:
        return order == 0 ? TRUE : FALSE;
    }
}

static truth eval(const ice_expr *e, const ice_value *row)
{
    const ice_value *v = &row[e->field_id > 0 ? e->field_id - 1 : 0];
    truth result = e->kind == ICE_AND ? TRUE : FALSE;

    if (e->kind == ICE_IS_NULL || e->kind == ICE_NOT_NULL) {
        return v->is_null == (e->kind == ICE_IS_NULL) ? TRUE : FALSE;
    }
    for (size_t i = 0; i < e->child_count; i++) {
        truth child = eval(e->children[i], row);
        truth wins = e->kind == ICE_AND ? FALSE : TRUE;

        result = child == wins || result == wins ? wins : (child == UNKNOWN ? UNKNOWN : result);
    }
    for (size_t i = 0; i < e->value_count; i++) {
        truth one = compare_row(v, e->kind, &e->values[i]);

        result = one == TRUE ? TRUE : (result == TRUE ? TRUE : one);
    }
    return result;
}

static const ice_expr *random_expr(rng *r, int depth, arena *a)
{
    static const ice_expr_kind leaves[] = {ICE_EQ,       ICE_NE,         ICE_LT, ICE_LE,
                                           ICE_GT,       ICE_GE,         ICE_IN, ICE_IS_NULL,
                                           ICE_NOT_NULL, ICE_STARTS_WITH};
    ice_expr *e = ARENA_NEW(a, ice_expr);
    size_t column = rng_below(r, COLUMNS);

    if (depth > 0 && rng_below(r, 2) == 0) {
        const ice_expr **children = ARENA_ARRAY(a, const ice_expr *, 2);

        children[0] = random_expr(r, depth - 1, a);
        children[1] = random_expr(r, depth - 1, a);
        *e = (ice_expr){.kind = rng_below(r, 2) == 0 ? ICE_AND : ICE_OR,
                        .children = children,
                        .child_count = 2};
        return e;
    }
    e->kind = leaves[rng_below(r, COUNT_OF(leaves))];
    if (e->kind == ICE_STARTS_WITH) {
        column = 3;
    }
    e->field_id = (int32_t)column + 1;
    if (e->kind != ICE_IS_NULL && e->kind != ICE_NOT_NULL) {
        ice_value *values = ARENA_ARRAY(a, ice_value, 3);

        e->value_count = e->kind == ICE_IN ? 1 + rng_below(r, 3) : 1;
        for (size_t i = 0; i < e->value_count; i++) {
            values[i] = random_value(r, column, a);
        }
        e->values = values;
    }
    return e;
}

static ice_metadata random_table(rng *r, arena *a)
{
    ice_field *fields = ARENA_ARRAY(a, ice_field, COLUMNS);
    ice_type *root = ARENA_NEW(a, ice_type);
    ice_schema *schema = ARENA_NEW(a, ice_schema);
    ice_spec *spec = ARENA_NEW(a, ice_spec);
    ice_partition_field *parts = ARENA_ARRAY(a, ice_partition_field, COLUMNS);

    for (size_t i = 0; i < COLUMNS; i++) {
        fields[i] = (ice_field){
            .id = (int32_t)i + 1, .name = str_c(columns[i].name), .type = column_type(i)};
        if (rng_below(r, 3) == 0) {
            ice_partition_field *p = &parts[spec->field_count++];

            p->source_id = (int32_t)i + 1;
            p->field_id = 1000 + (int32_t)i;
            p->name = str_c(columns[i].name);
            (void)ice_transform_parse(str_c(columns[i].transforms[rng_below(r, 5)]), &p->transform,
                                      NULL);
        }
    }
    *root = (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = COLUMNS};
    schema->root = root;
    spec->fields = parts;
    return (ice_metadata){.format_version = 2,
                          .schemas = schema,
                          .schema_count = 1,
                          .specs = spec,
                          .spec_count = 1,
                          .current_snapshot_id = ICE_NO_SNAPSHOT};
}

typedef struct sample {
    ice_value rows[ROWS_MAX][COLUMNS];
    size_t count;
    ice_file file;
} sample;

/* All rows of a file lie in one partition: columns of the spec get one value each, or values that share a result. */
static void fill_rows(rng *r, const ice_metadata *m, sample *x, arena *a)
{
    const ice_spec *spec = ice_metadata_spec(m);
    ice_value *partition = ARENA_ARRAY(a, ice_value, COLUMNS);

    x->count = 1 + rng_below(r, ROWS_MAX);
    for (size_t c = 0; c < COLUMNS; c++) {
        for (size_t i = 0; i < x->count; i++) {
            x->rows[i][c] = random_value(r, c, a);
            x->rows[i][c].is_null = rng_below(r, 5) == 0;
        }
    }
    for (size_t p = 0; p < spec->field_count; p++) {
        size_t c = (size_t)spec->fields[p].source_id - 1;

        assert_int_equal(ice_transform_apply(&spec->fields[p].transform, column_type(c),
                                             &x->rows[0][c], a, &partition[p], NULL),
                         STATUS_OK);
        for (size_t i = 1; i < x->count; i++) {
            ice_value result;

            assert_int_equal(ice_transform_apply(&spec->fields[p].transform, column_type(c),
                                                 &x->rows[i][c], a, &result, NULL),
                             STATUS_OK);
            if (result.is_null != partition[p].is_null ||
                (!result.is_null && ice_value_compare(&result, &partition[p]) != 0)) {
                x->rows[i][c] = x->rows[0][c];
            }
        }
    }
    x->file = (ice_file){.path = STR("f"),
                         .partition = partition,
                         .partition_count = spec->field_count,
                         .record_count = (int64_t)x->count};
}

/* Counts and bounds as a careful writer gives them; now and then it leaves some out. */
static void fill_metrics(rng *r, sample *x, arena *a)
{
    VEC(avro_int_long) values = {0};
    VEC(avro_int_long) nulls = {0};
    VEC(avro_int_long) nans = {0};
    VEC(avro_int_bytes) lowers = {0};
    VEC(avro_int_bytes) uppers = {0};

    for (size_t c = 0; c < COLUMNS; c++) {
        int32_t id = (int32_t)c + 1;
        const ice_value *lower = NULL;
        const ice_value *upper = NULL;
        avro_int_long null_count = {id, 0};
        avro_int_long nan_count = {id, 0};

        for (size_t i = 0; i < x->count; i++) {
            const ice_value *v = &x->rows[i][c];

            null_count.value += v->is_null;
            nan_count.value += ice_value_is_nan(v);
            if (!v->is_null && !ice_value_is_nan(v)) {
                lower = lower == NULL || ice_value_compare(v, lower) < 0 ? v : lower;
                upper = upper == NULL || ice_value_compare(v, upper) > 0 ? v : upper;
            }
        }
        if (rng_below(r, 4) > 0) {
            vec_push(a, &values, ((avro_int_long){id, (int64_t)x->count}));
        }
        if (rng_below(r, 4) > 0) {
            vec_push(a, &nulls, null_count);
        }
        if (columns[c].kind == ICE_DOUBLE && rng_below(r, 2) > 0) {
            vec_push(a, &nans, nan_count);
        }
        if (lower != NULL && rng_below(r, 4) > 0) {
            str low = ice_value_encode(column_type(c), lower, a);
            str high = ice_value_encode(column_type(c), upper, a);
            bool has_high = true;

            if (columns[c].kind == ICE_STRING && ice__utf8_count(high) > 3) {
                has_high =
                    ice__utf8_successor(str_slice(high, 0, ice__utf8_prefix(high, 3)), a, &high);
            }
            if (columns[c].kind == ICE_STRING) {
                low = str_slice(low, 0, ice__utf8_prefix(low, 3));
            }
            vec_push(a, &lowers, ((avro_int_bytes){id, low}));
            if (has_high) {
                vec_push(a, &uppers, ((avro_int_bytes){id, high}));
            }
        }
    }
    x->file.value_counts = values.items;
    x->file.value_count_count = values.count;
    x->file.null_counts = nulls.items;
    x->file.null_count_count = nulls.count;
    x->file.nan_counts = nans.items;
    x->file.nan_count_count = nans.count;
    x->file.lower_bounds = lowers.items;
    x->file.lower_bound_count = lowers.count;
    x->file.upper_bounds = uppers.items;
    x->file.upper_bound_count = uppers.count;
}

static bool any_row_matches(const sample *x, const ice_expr *filter)
{
    for (size_t i = 0; i < x->count; i++) {
        if (eval(filter, x->rows[i]) == TRUE) {
            return true;
        }
    }
    return false;
}

/* What the list would say of a manifest with this one file. */
static bool manifest_keeps(const sample *x, const ice_metadata *m, const ice_expr *filter, arena *a)
{
    const ice_spec *spec = ice_metadata_spec(m);
    const ice_type *types = ice__spec_types(m, spec, a);
    ice_field_summary *summaries = ARENA_ARRAY(a, ice_field_summary, spec->field_count);
    ice_manifest manifest = {.partitions = summaries, .partition_count = spec->field_count};
    ice__verdict verdict;

    for (size_t i = 0; i < spec->field_count; i++) {
        const ice_value *v = &x->file.partition[i];
        bool nan = ice_value_is_nan(v);

        summaries[i] = (ice_field_summary){
            .contains_null = v->is_null, .contains_nan = nan, .lower = STR_NULL, .upper = STR_NULL};
        if (!v->is_null && !nan) {
            summaries[i].lower = summaries[i].upper = ice_value_encode(types->fields[i].type, v, a);
        }
    }
    return ice__manifest_may_match(ice__filter_create(m, filter, a), &manifest, &verdict);
}

/* Rounds in which a file with a matching row was skipped; `flip` swaps the bounds of one column. */
static int count_losses(bool flip, int *ret_skipped)
{
    rng r;
    int losses = 0;

    *ret_skipped = 0;
    rng_seed(&r, 20261121);
    for (int round = 0; round < ROUNDS; round++) {
        arena *a = arena_create();
        ice_metadata m = random_table(&r, a);
        const ice_expr *filter = random_expr(&r, 2, a);
        ice_skip_reason reason;
        int32_t field_id;
        sample x;
        bool kept;

        fill_rows(&r, &m, &x, a);
        fill_metrics(&r, &x, a);
        if (flip) {
            const avro_int_bytes *lower = x.file.lower_bounds;

            x.file.lower_bounds = x.file.upper_bounds;
            x.file.upper_bounds = lower;
        }
        kept = ice_file_may_match(&x.file, &m, filter, &reason, &field_id) &&
               manifest_keeps(&x, &m, filter, a);
        *ret_skipped += !kept;
        losses += !kept && any_row_matches(&x, filter);
        arena_free(a);
    }
    return losses;
}

static void test_no_file_with_a_matching_row_is_skipped(void **given)
{
    int skipped;

    (void)given;
    assert_int_equal(count_losses(false, &skipped), 0);
    assert_true(skipped > ROUNDS / 5); /* else nothing was tried */
}

static void test_flipped_bounds_would_be_noticed(void **given)
{
    int skipped;

    (void)given;
    assert_true(count_losses(true, &skipped) > 100);
}

/* --- the strict projection --- */

static bool every_row_matches(const sample *x, const ice_expr *filter)
{
    for (size_t i = 0; i < x->count; i++) {
        if (eval(filter, x->rows[i]) != TRUE) {
            return false;
        }
    }
    return true;
}

/* Writers that rounded times before 1970 towards zero. */
static void round_like_old_writers(const ice_metadata *m, sample *x, arena *a)
{
    const ice_spec *spec = ice_metadata_spec(m);
    ice_value *partition = ARENA_ARRAY(a, ice_value, COLUMNS);

    for (size_t i = 0; i < spec->field_count; i++) {
        ice_transform_kind kind = spec->fields[i].transform.kind;

        partition[i] = x->file.partition[i];
        if (kind >= ICE_YEAR && kind <= ICE_HOUR && !partition[i].is_null &&
            partition[i].integer < 0) {
            partition[i].integer++;
        }
    }
    x->file.partition = partition;
}

typedef struct strictness {
    int proven, possible, wrong;
} strictness;

static strictness try_strictness(bool flip, bool without_metrics)
{
    strictness result = {0};
    rng r;

    rng_seed(&r, 20261122);
    for (int round = 0; round < 4 * ROUNDS; round++) {
        arena *a = arena_create();
        ice_metadata m = random_table(&r, a);
        const ice_expr *filter = random_expr(&r, round % 2, a);
        sample x;
        bool must;

        fill_rows(&r, &m, &x, a);
        if (rng_below(&r, 2) == 0) { /* files of few values: metrics can prove something */
            for (size_t i = 1; i < x.count; i++) {
                memcpy(x.rows[i], x.rows[0], sizeof(x.rows[0]));
            }
        }
        if (!without_metrics) {
            fill_metrics(&r, &x, a);
        }
        if (rng_below(&r, 4) == 0) {
            round_like_old_writers(&m, &x, a);
        }
        if (flip) {
            const avro_int_bytes *lower = x.file.lower_bounds;

            x.file.lower_bounds = x.file.upper_bounds;
            x.file.upper_bounds = lower;
        }
        must = ice_file_must_match(&x.file, &m, filter);
        result.proven += must;
        result.possible += every_row_matches(&x, filter);
        result.wrong += must && !every_row_matches(&x, filter);
        arena_free(a);
    }
    return result;
}

static void test_what_is_said_to_match_wholly_does(void **given)
{
    strictness all = try_strictness(false, false);
    strictness partitions = try_strictness(false, true);

    (void)given;
    print_message("proven %d of %d; by partitions alone %d of %d\n", all.proven, all.possible,
                  partitions.proven, partitions.possible);
    assert_int_equal(all.wrong, 0);
    assert_int_equal(partitions.wrong, 0);
    assert_true(all.proven > all.possible / 3); /* else nothing was tried */
    assert_true(partitions.proven > partitions.possible / 20);
    assert_true(try_strictness(true, false).wrong > 20); /* bounds that lie would be noticed */
}

/* A file of the column `s` in one partition; no metrics but those given. */
static bool must(ice_kind kind, const char *transform, ice_value partition, ice_expr_kind how,
                 ice_value constant)
{
    ice_field field = {.id = 1, .name = STR("c"), .type = ice_type_primitive(kind)};
    ice_type root = {.kind = ICE_STRUCT, .fields = &field, .field_count = 1};
    ice_schema schema = {.root = &root};
    ice_partition_field part = {.source_id = 1, .field_id = 1000, .name = STR("p")};
    ice_spec spec = {.fields = &part, .field_count = 1};
    ice_metadata m = {.format_version = 2,
                      .schemas = &schema,
                      .schema_count = 1,
                      .specs = &spec,
                      .spec_count = 1};
    ice_file file = {
        .path = STR("f"), .partition = &partition, .partition_count = 1, .record_count = 3};
    ice_expr leaf = {.kind = how, .field_id = 1, .values = &constant, .value_count = 1};

    (void)ice_transform_parse(str_c(transform), &part.transform, NULL);
    return ice_file_must_match(&file, &m, &leaf);
}

static void test_a_partition_proves_what_its_transform_keeps(void **given)
{
    ice_value year = integer(ICE_INT, 50); /* 2020 */
    ice_value null = {.kind = ICE_INT, .is_null = true};

    (void)given;
    assert_true(must(ICE_INT, "identity", integer(ICE_INT, 5), ICE_EQ, integer(ICE_INT, 5)));
    assert_true(must(ICE_INT, "identity", null, ICE_IS_NULL, null));
    assert_false(must(ICE_INT, "identity", null, ICE_NE, integer(ICE_INT, 5)));
    assert_false(must(ICE_INT, "void", null, ICE_IS_NULL, null));
    assert_false(must(ICE_INT, "bucket[4]", integer(ICE_INT, 1), ICE_EQ, integer(ICE_INT, 5)));
    assert_true(must(ICE_INT, "truncate[10]", integer(ICE_INT, 20), ICE_LT, integer(ICE_INT, 30)));
    assert_false(must(ICE_INT, "truncate[10]", integer(ICE_INT, 20), ICE_LT, integer(ICE_INT, 29)));
    assert_true(must(ICE_INT, "truncate[10]", integer(ICE_INT, 20), ICE_LE, integer(ICE_INT, 29)));
    assert_true(must(ICE_STRING, "truncate[2]", text("ab"), ICE_STARTS_WITH, text("a")));
    assert_false(must(ICE_STRING, "truncate[2]", text("ab"), ICE_EQ, text("ab")));
    assert_true(must(ICE_STRING, "truncate[2]", text("a"), ICE_EQ, text("a")));
    assert_false(must(ICE_STRING, "truncate[2]", text("ab"), ICE_LT, text("abc")));
    assert_true(must(ICE_DATE, "year", year, ICE_GE, integer(ICE_DATE, 18262))); /* 2020-01-01 */
    assert_false(must(ICE_DATE, "year", year, ICE_GE, integer(ICE_DATE, 18263)));
    assert_true(must(ICE_DATE, "year", year, ICE_LT, integer(ICE_DATE, 18628))); /* 2021-01-01 */
    assert_false(must(ICE_DATE, "year", year, ICE_LT, integer(ICE_DATE, 18627)));
    assert_true(must(ICE_DATE, "day", integer(ICE_DATE, 9), ICE_EQ, integer(ICE_DATE, 9)));
    assert_false(must(ICE_DATE, "day", integer(ICE_DATE, -9), ICE_EQ, integer(ICE_DATE, -9)));
}

static void test_what_is_not_understood_proves_nothing(void **given)
{
    ice_metadata m;
    ice_expr nothing = {.kind = ICE_AND};
    sample x;
    rng r;
    arena *a = arena_create();

    (void)given;
    rng_seed(&r, 1);
    m = random_table(&r, a);
    fill_rows(&r, &m, &x, a);
    assert_false(ice_file_must_match(&x.file, &m, ice_expr_true()));
    assert_false(ice_file_must_match(&x.file, &m, &nothing));
    assert_true(ice_file_must_match(&x.file, &m, NULL)); /* no filter is everything */
    arena_free(a);
}

TESTS(test_bounds_rule_out_what_lies_beyond_them, test_unequal_rules_out_only_an_exact_single_value,
      test_nan_lies_above_every_bound, test_both_zeros_are_one_to_a_filter,
      test_prefixes_are_compared_as_far_as_bounds_go,
      test_times_below_zero_are_widened_for_old_writers, test_what_is_not_understood_is_kept,
      test_no_file_with_a_matching_row_is_skipped, test_flipped_bounds_would_be_noticed,
      test_what_is_said_to_match_wholly_does, test_a_partition_proves_what_its_transform_keeps,
      test_what_is_not_understood_proves_nothing)

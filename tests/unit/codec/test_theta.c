/* Theta sketches: bytes as Apache DataSketches writes them, counts, and that order and merging do not matter. */
#include "support/test.h"
#include "tarn/base/limits.h"
#include "tarn/codec/theta.h"

static str compact(fixture *f, theta_sketch *s)
{
    buf *out = buf_in(f->arena, LIMIT_MIB);
    theta_format(s, out);
    return buf_str(out);
}

static double estimate(fixture *f, theta_sketch *s)
{
    double found = -1;
    EXPECT_OK(theta_estimate(compact(f, s), &found, &f->err));
    return found;
}

static void add_numbers(theta_sketch *s, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        theta_update(s, &i, sizeof(i));
    }
}

/* Written by datasketches 5.2.0 of PyPI, of the texts and numbers; one value is marked as one, as in Java. */
static void test_bytes_are_those_of_datasketches(void **given)
{
    fixture *f = *given;
    theta_sketch *s = theta_create();
    EXPECT_STR(str_to_hex(f->arena, compact(f, s).data, compact(f, s).size), "01030300001ecc93");
    theta_update(s, "a", 1);
    str one = compact(f, s);
    EXPECT_STR(str_to_hex(f->arena, one.data, one.size), "01030300003acc9317c11d528507017b");
    theta_update(s, "b", 1);
    theta_update(s, "a", 1);
    str two = compact(f, s);
    EXPECT_STR(str_to_hex(f->arena, two.data, two.size), "02030300001acc930200000000"
                                                         "00803f857f40b689c7e53417c11d528507017b");
    theta_free(s);
}

static void test_few_values_are_counted_exactly(void **given)
{
    fixture *f = *given;
    theta_sketch *s = theta_create();
    assert_true(estimate(f, s) == 0);
    theta_update(s, "", 0);
    assert_true(estimate(f, s) == 0);
    for (int round = 0; round < 3; round++) {
        add_numbers(s, 0, THETA_NOMINAL);
    }
    assert_true(estimate(f, s) == THETA_NOMINAL);
    theta_free(s);
}

static void test_many_values_are_estimated(void **given)
{
    fixture *f = *given;
    theta_sketch *s = theta_create();
    add_numbers(s, 0, 1000000);
    double found = estimate(f, s);
    assert_true(found > 950000 && found < 1050000);
    assert_int_equal(compact(f, s).size, 24 + 8 * THETA_NOMINAL);
    theta_free(s);
}

static void test_order_and_merging_do_not_matter(void **given)
{
    fixture *f = *given;
    theta_sketch *whole = theta_create(), *parts = theta_create();
    add_numbers(whole, 0, 50000);
    for (uint64_t from = 50000; from > 0; from -= 5000) {
        theta_sketch *part = theta_create();
        add_numbers(part, from - 5000, from);
        (void)compact(f, part);
        theta_merge(parts, part);
        theta_free(part);
    }
    str x = compact(f, whole), y = compact(f, parts);
    assert_true(str_equal(x, y));
    theta_free(whole);
    theta_free(parts);
}

static void test_what_is_no_sketch_is_refused(void **given)
{
    fixture *f = *given;
    double found;
    EXPECT_STATUS(CORRUPT, theta_estimate(STR(""), &found, &f->err));
    EXPECT_STATUS(CORRUPT, theta_estimate(STR("\x03\x03\x03\0\0\x1a\xcc\x93"), &found, &f->err));
}

TESTS(test_bytes_are_those_of_datasketches, test_few_values_are_counted_exactly,
      test_many_values_are_estimated, test_order_and_merging_do_not_matter,
      test_what_is_no_sketch_is_refused)

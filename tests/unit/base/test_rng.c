/* Claims about base/rng.h. */
#include <math.h>

#include "support/test.h"
#include "tarn/base/rng.h"

/* The values that the generator's authors publish for the state 1 2 3 4. */
static void test_the_generator_gives_its_published_sequence(void **state)
{
    static const uint64_t expected[] = {UINT64_C(11520),
                                        UINT64_C(0),
                                        UINT64_C(1509978240),
                                        UINT64_C(1215971899390074240),
                                        UINT64_C(1216172134540287360),
                                        UINT64_C(607988272756665600),
                                        UINT64_C(16172922978634559625),
                                        UINT64_C(8476171486693032832),
                                        UINT64_C(10595114339597558777),
                                        UINT64_C(2904607092377533576)};
    rng r = {.state = {1, 2, 3, 4}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_true(rng_next(&r) == expected[i]);
    }
}

/* Generated data in people's tests depends on these never changing. */
static void test_a_seed_gives_the_same_sequence_for_ever(void **state)
{
    rng r;

    (void)state;
    rng_seed(&r, 0);
    assert_true(r.state[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(r.state[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(r.state[2] == UINT64_C(0x06c45d188009454f));
    assert_true(r.state[3] == UINT64_C(0xf88bb8a8724c81ec));
    assert_true(rng_next(&r) == UINT64_C(0x99ec5f36cb75f2b4));
    assert_true(rng_next(&r) == UINT64_C(0xbf6e1f784956452a));
    assert_true(rng_next(&r) == UINT64_C(0x1a5f849d4933e6e0));
}

static void test_below_is_uniform_and_stays_below(void **state)
{
    unsigned counts[7] = {0};
    rng r;

    (void)state;
    rng_seed(&r, 5);
    for (int i = 0; i < 70000; i++) {
        uint64_t value = rng_below(&r, COUNT_OF(counts));

        assert_true(value < COUNT_OF(counts));
        counts[value]++;
    }
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        assert_in_range(counts[i], 9600, 10400); /* four deviations */
    }
    assert_int_equal(rng_below(&r, 1), 0);
}

/* Just above half of the range, plain remainders would fall in the lower half twice as often. */
static void test_below_is_uniform_for_large_bounds_too(void **state)
{
    uint64_t bound = UINT64_C(3) << 62;
    unsigned lower = 0;
    rng r;

    (void)state;
    rng_seed(&r, 6);
    for (int i = 0; i < 30000; i++) {
        lower += rng_below(&r, bound) < (UINT64_C(1) << 62) ? 1 : 0;
    }
    assert_in_range(lower, 9600, 10400);
}

static void test_unit_lies_in_zero_to_one(void **state)
{
    double sum = 0;
    rng r;

    (void)state;
    rng_seed(&r, 7);
    for (int i = 0; i < 100000; i++) {
        double value = rng_unit(&r);

        assert_true(value >= 0 && value < 1);
        sum += value;
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.004);
}

static void test_normal_has_the_moments_and_tails_of_one(void **state)
{
    double sum = 0;
    double squares = 0;
    double fourths = 0;
    int beyond_one = 0;
    int beyond_three = 0;
    const int count = 400000;
    rng r;

    (void)state;
    rng_seed(&r, 8);
    for (int i = 0; i < count; i++) {
        double value = rng_normal(&r);

        sum += value;
        squares += value * value;
        fourths += value * value * value * value;
        beyond_one += fabs(value) > 1 ? 1 : 0;
        beyond_three += fabs(value) > 3 ? 1 : 0;
    }
    assert_true(fabs(sum / count) < 0.008);
    assert_true(fabs(squares / count - 1) < 0.01);
    assert_true(fabs(fourths / count - 3) < 0.08);
    assert_true(fabs((double)beyond_one / count - 0.3173) < 0.005);
    assert_true(fabs((double)beyond_three / count - 0.0027) < 0.0005);
}

static void fill_with_pattern(void *context, void *ret_bytes, size_t size_bytes)
{
    unsigned char *bytes = ret_bytes;

    for (size_t i = 0; i < size_bytes; i++) {
        bytes[i] = *(unsigned char *)context;
    }
}

static void test_uuids_carry_version_and_variant(void **state)
{
    unsigned char pattern = 0xff;
    char text[37];

    (void)state;
    random_install(fill_with_pattern, &pattern);
    random_uuid(text);
    assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    pattern = 0;
    random_uuid(text);
    assert_string_equal(text, "00000000-0000-4000-8000-000000000000");
    assert_true(random_u64() == 0);
    random_install(NULL, NULL);
    random_uuid(text);
    assert_string_not_equal(text, "00000000-0000-4000-8000-000000000000");
}

static void test_the_kernel_fills_every_byte(void **state)
{
    unsigned char bytes[1000] = {0};
    bool seen[1000] = {false};

    (void)state;
    /* A byte is zero once in 256 times: eight draws leave none zero each time. */
    for (int draw = 0; draw < 8; draw++) {
        random_bytes(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seen[i] = seen[i] || bytes[i] != 0;
        }
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_true(seen[i]);
    }
    assert_true(random_u64() != random_u64());
}

TESTS(test_the_generator_gives_its_published_sequence, test_a_seed_gives_the_same_sequence_for_ever,
      test_below_is_uniform_and_stays_below, test_below_is_uniform_for_large_bounds_too,
      test_unit_lies_in_zero_to_one, test_normal_has_the_moments_and_tails_of_one,
      test_uuids_carry_version_and_variant, test_the_kernel_fills_every_byte)

/* Claims about base/str.h. */
#include <math.h>

#include "support/test.h"

static void test_equality_looks_at_bytes_and_length(void **state)
{
    (void)state;
    assert_true(str_equal(STR("abc"), str_from("abcd", 3)));
    assert_false(str_equal(STR("abc"), STR("abd")));
    assert_false(str_equal(STR("abc"), STR("ab")));
    assert_true(str_equal(STR_NULL, STR("")));
    assert_true(str_equal_nocase(STR("aBc-É"), STR("AbC-É")));
    assert_false(str_equal_nocase(STR("é"), STR("É")));
    assert_false(str_equal_nocase(STR("@"), STR("`"))); /* not letters, though 32 apart */
}

static void test_order_is_by_bytes_then_length(void **state)
{
    (void)state;
    assert_true(str_compare(STR("a"), STR("b")) < 0);
    assert_true(str_compare(STR("b"), STR("ab")) > 0);
    assert_true(str_compare(STR("a"), STR("aa")) < 0);
    assert_true(str_compare(STR("aa"), STR("a")) > 0);
    assert_int_equal(str_compare(STR("a"), STR("a")), 0);
    assert_int_equal(str_compare(STR_NULL, STR("")), 0);
    assert_true(str_compare(STR("\x7f"), STR("\x80")) < 0); /* unsigned */
}

static void test_prefixes_and_suffixes(void **state)
{
    (void)state;
    assert_true(str_starts_with(STR("s3://x"), STR("s3://")));
    assert_false(str_starts_with(STR("s3"), STR("s3://")));
    assert_true(str_starts_with(STR_NULL, STR("")));
    assert_true(str_ends_with(STR("a.parquet"), STR(".parquet")));
    assert_false(str_ends_with(STR("arquet"), STR(".parquet")));
    assert_true(str_starts_with_nocase(STR("BEARER x"), STR("Bearer ")));
    assert_false(str_starts_with_nocase(STR("Bear"), STR("Bearer ")));
}

static void test_slices_stay_inside(void **state)
{
    (void)state;
    EXPECT_STR(str_slice(STR("abcdef"), 2, 4), "cd");
    EXPECT_STR(str_slice(STR("abcdef"), 4, 99), "ef");
    EXPECT_STR(str_slice(STR("abcdef"), 9, 99), "");
    EXPECT_STR(str_slice(STR("abcdef"), 4, 2), "");
    assert_true(str_is_null(str_slice(STR_NULL, 1, 2)));
    assert_false(str_is_null(str_slice(STR("a"), 1, 1)));
}

static void test_trim_takes_white_space_on_both_sides(void **state)
{
    (void)state;
    EXPECT_STR(str_trim(STR(" \t\r\n a b \v\f")), "a b");
    EXPECT_STR(str_trim(STR("  ")), "");
    EXPECT_STR(str_trim(STR_NULL), "");
    EXPECT_STR(str_trim(STR("\xC2\xA0x")), "\xC2\xA0x"); /* ASCII only */
}

static void test_finding(void **state)
{
    str s = STR("abcabc");

    (void)state;
    assert_int_equal(str_find_char(s, 'c'), 2);
    assert_int_equal(str_find_last_char(s, 'c'), 5);
    assert_int_equal(str_find(s, STR("ca")), 2);
    assert_int_equal(str_find(s, STR("abcabc")), 0);
    assert_int_equal(str_find(s, STR("")), 0);
    assert_true(str_find_char(s, 'x') == STR_NPOS);
    assert_true(str_find_last_char(STR_NULL, 'x') == STR_NPOS);
    assert_true(str_find(s, STR("abcabca")) == STR_NPOS);
    assert_true(str_find(s, STR("cc")) == STR_NPOS);
}

static void test_cut_walks_over_all_parts(void **state)
{
    static const char *const expected[] = {"a", "", "bc", ""};
    str rest = STR("a,,bc,");
    size_t count = 0;

    (void)state;
    while (!str_is_null(rest)) {
        str part = str_cut(rest, ',', &rest);

        assert_true(count < COUNT_OF(expected));
        EXPECT_STR(part, expected[count]);
        count++;
    }
    assert_int_equal(count, COUNT_OF(expected));
}

static void test_cut_may_write_its_rest_over_its_input(void **state)
{
    str s = STR("key=value");
    str key = str_cut(s, '=', &s);

    (void)state;
    EXPECT_STR(key, "key");
    EXPECT_STR(s, "value");
}

static void test_copies_are_terminated_and_keep_absence(void **state)
{
    fixture *f = *state;
    str copy = str_copy(f->arena, str_from("abcdef", 3));

    EXPECT_STR(copy, "abc");
    assert_int_equal(copy.data[3], '\0');
    assert_true(str_is_null(str_copy(f->arena, STR_NULL)));
    assert_false(str_is_null(str_copy(f->arena, STR(""))));
    assert_string_equal(str_to_c(f->arena, STR_NULL), "");
    EXPECT_STR(str_concat(f->arena, STR("ab"), STR("cd")), "abcd");
    EXPECT_STR(str_concat(f->arena, STR_NULL, STR_NULL), "");
    EXPECT_STR(str_lower(f->arena, STR("AbÉZ@[")), "abÉz@[");
    EXPECT_STR(str_upper(f->arena, STR("Abéz`{")), "ABéZ`{");
    assert_true(str_is_null(str_lower(f->arena, STR_NULL)));
    assert_int_equal(str_printf(f->arena, "a%cb", '\0').size, 3);
}

static void test_int64_reaches_its_limits_and_not_beyond(void **state)
{
    fixture *f = *state;
    int64_t value = 42;

    EXPECT_OK(str_to_int64(STR("9223372036854775807"), &value, &f->err));
    assert_true(value == INT64_MAX);
    EXPECT_OK(str_to_int64(STR("-9223372036854775808"), &value, &f->err));
    assert_true(value == INT64_MIN);
    EXPECT_OK(str_to_int64(STR("-0"), &value, &f->err));
    assert_int_equal(value, 0);
    EXPECT_OK(str_to_int64(STR("007"), &value, &f->err));
    assert_int_equal(value, 7);
    EXPECT_STATUS(INVALID, str_to_int64(STR("9223372036854775808"), &value, &f->err));
    EXPECT_MESSAGE(f, "\"9223372036854775808\" is too large a number");
    EXPECT_STATUS(INVALID, str_to_int64(STR("-9223372036854775809"), &value, &f->err));
    EXPECT_STATUS(INVALID, str_to_int64(STR("99999999999999999999999"), &value, &f->err));
    assert_int_equal(value, 7); /* outputs are written only on success */
}

static void test_uint64_reaches_its_limit_and_not_beyond(void **state)
{
    fixture *f = *state;
    uint64_t value = 42;

    EXPECT_OK(str_to_uint64(STR("18446744073709551615"), &value, &f->err));
    assert_true(value == UINT64_MAX);
    EXPECT_STATUS(INVALID, str_to_uint64(STR("18446744073709551616"), &value, &f->err));
    EXPECT_STATUS(INVALID, str_to_uint64(STR("-1"), &value, &f->err));
    assert_true(value == UINT64_MAX);
}

static void test_numbers_take_the_whole_text(void **state)
{
    static const str bad[] = {STR_INIT(""),    STR_INIT(" 1"), STR_INIT("1 "),  STR_INIT("+1"),
                              STR_INIT("1x"),  STR_INIT("-"),  STR_INIT("--1"), STR_INIT("0x10"),
                              STR_INIT("1\0"), STR_INIT("1_0")};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t whole = 42;
        double real = 42;

        EXPECT_STATUS(INVALID, str_to_int64(bad[i], &whole, &f->err));
        EXPECT_STATUS(INVALID, str_to_double(bad[i], &real, &f->err));
        assert_int_equal(whole, 42);
        assert_true(real >= 42 && real <= 42);
    }
    EXPECT_STATUS(INVALID, str_to_int64(STR("1.0"), &(int64_t){0}, &f->err));
    EXPECT_MESSAGE(f, "\"1.0\" is not a whole number");
    EXPECT_STATUS(INVALID, str_to_int64(STR_NULL, &(int64_t){0}, &f->err));
}

static void test_messages_quote_only_the_start_of_a_long_text(void **state)
{
    fixture *f = *state;
    char text[5000];

    memset(text, 'z', sizeof(text));
    EXPECT_STATUS(INVALID, str_to_int64(str_from(text, sizeof(text)), &(int64_t){0}, &f->err));
    assert_true(strlen(f->err.message) < 120);
}

static void test_doubles_are_read_exactly(void **state)
{
    static const struct {
        str text;
        double value;
    } cases[] = {
        {STR_INIT("0"), 0},
        {STR_INIT("-1.5"), -1.5},
        {STR_INIT("1e3"), 1000},
        {STR_INIT(".5"), 0.5},
        {STR_INIT("5."), 5},
        {STR_INIT("0.1"), 0.1},
        {STR_INIT("1E-2"), 0.01},
        {STR_INIT("5e-324"), 0x1p-1074},
        {STR_INIT("1e-400"), 0},
        {STR_INIT("1.7976931348623157e308"), 1.7976931348623157e308},
        {STR_INIT("100000000000000000000000000000000000000000000000000000000000000000000000000"),
         1e74},
    };
    fixture *f = *state;
    double value;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT_OK(str_to_double(cases[i].text, &value, &f->err));
        assert_memory_equal(&value, &cases[i].value, sizeof(value));
    }
    EXPECT_OK(str_to_double(STR("-inf"), &value, &f->err));
    assert_true(isinf(value) && value < 0);
    EXPECT_OK(str_to_double(STR("NaN"), &value, &f->err));
    assert_true(isnan(value));
    EXPECT_STATUS(INVALID, str_to_double(STR("1e309"), &value, &f->err));
    EXPECT_STATUS(INVALID, str_to_double(STR("nan(1)"), &value, &f->err));
    EXPECT_STATUS(INVALID, str_to_double(STR("0x1p3"), &value, &f->err));
    EXPECT_STATUS(INVALID, str_to_double(STR("1e"), &value, &f->err));
    EXPECT_STATUS(INVALID, str_to_double(STR("e5"), &value, &f->err));
    EXPECT_STATUS(INVALID, str_to_double(STR("."), &value, &f->err));
    EXPECT_STATUS(INVALID, str_to_double(STR("-+5"), &value, &f->err));
}

static void test_utf8_is_strict(void **state)
{
    static const str good[] = {
        STR_INIT(""),
        STR_INIT("a\0b"),
        STR_INIT("\xC2\x80\xDF\xBF"),
        STR_INIT("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"),
        STR_INIT("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"),
    };
    static const str bad[] = {
        STR_INIT("\x80"),             /* continuation alone */
        STR_INIT("\xC0\x80"),         /* overlong */
        STR_INIT("\xC1\xBF"),         /* overlong */
        STR_INIT("\xE0\x9F\xBF"),     /* overlong */
        STR_INIT("\xF0\x8F\xBF\xBF"), /* overlong */
        STR_INIT("\xED\xA0\x80"),     /* surrogate */
        STR_INIT("\xED\xBF\xBF"),     /* surrogate */
        STR_INIT("\xF4\x90\x80\x80"), /* past U+10FFFF */
        STR_INIT("\xF5\x80\x80\x80"),
        STR_INIT("\xFF"),
        STR_INIT("\xC3"),         /* cut off */
        STR_INIT("\xE2\x82"),     /* cut off */
        STR_INIT("\xF0\x9F\x98"), /* cut off */
        STR_INIT("\xC3\x28"),
        STR_INIT("\xE2\x28\xA1"),
        STR_INIT("\xE2\x82\x28"),
        STR_INIT("\xF0\x9F\x98\x28"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(str_is_utf8(good[i]));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(str_is_utf8(bad[i]));
    }
    assert_true(str_is_utf8(STR_NULL));
}

static void test_hex_is_lower_case_and_reads_both(void **state)
{
    fixture *f = *state;
    str bytes = STR("unchanged");

    EXPECT_STR(str_to_hex(f->arena, "\x00\xAB\xff", 3), "00abff");
    EXPECT_STR(str_to_hex(f->arena, NULL, 0), "");
    EXPECT_STATUS(INVALID, str_from_hex(f->arena, STR("abc"), &bytes, &f->err));
    EXPECT_STATUS(INVALID, str_from_hex(f->arena, STR("ab0g"), &bytes, &f->err));
    EXPECT_MESSAGE(f, "hex text has a character that is not a digit at 3");
    EXPECT_STR(bytes, "unchanged");
    EXPECT_OK(str_from_hex(f->arena, STR("00aBFf"), &bytes, &f->err));
    assert_int_equal(bytes.size, 3);
    assert_memory_equal(bytes.data, "\x00\xAB\xff", 3);
}

static void test_nearest_offers_a_slip_and_nothing_else(void **state)
{
    static const str names[] = {STR_INIT("amount"), STR_INIT("customer_id"), STR_INIT("id"),
                                STR_INIT("order_date"), STR_INIT("Total")};

    (void)state;
    EXPECT_STR(str_nearest(STR("amout"), names, COUNT_OF(names)), "amount");   /* left out */
    EXPECT_STR(str_nearest(STR("amounnt"), names, COUNT_OF(names)), "amount"); /* put in */
    EXPECT_STR(str_nearest(STR("amoumt"), names, COUNT_OF(names)), "amount");  /* changed */
    EXPECT_STR(str_nearest(STR("maount"), names, COUNT_OF(names)), "amount");  /* swapped */
    EXPECT_STR(str_nearest(STR("AMOUNT"), names, COUNT_OF(names)), "amount");  /* case */
    EXPECT_STR(str_nearest(STR("totla"), names, COUNT_OF(names)), "Total");
    EXPECT_STR(str_nearest(STR("di"), names, COUNT_OF(names)), "id");
    EXPECT_STR(str_nearest(STR("custmer_di"), names, COUNT_OF(names)), "customer_id");
    assert_true(str_is_null(str_nearest(STR("xyzount"), names, COUNT_OF(names))));
    assert_true(str_is_null(str_nearest(STR("x"), names, COUNT_OF(names))));
    assert_true(str_is_null(str_nearest(STR(""), names, COUNT_OF(names))));
    assert_true(str_is_null(str_nearest(STR("amount"), NULL, 0)));
}

static void test_a_swap_counts_as_one_edit(void **state)
{
    /* Three letters allow one edit; a swap taken as two would be too far. */
    static const str names[] = {STR_INIT("abc")};

    (void)state;
    EXPECT_STR(str_nearest(STR("acb"), names, 1), "abc");
    assert_true(str_is_null(str_nearest(STR("axy"), names, 1)));
}

static void test_the_closest_name_wins_and_then_the_first(void **state)
{
    static const str names[] = {STR_INIT("colour_ab"), STR_INIT("colour_a"), STR_INIT("colour_b")};

    (void)state;
    EXPECT_STR(str_nearest(STR("colour_x"), names, COUNT_OF(names)), "colour_a");
}

static void test_nearest_survives_very_long_names(void **state)
{
    char text[4000];
    str names[2] = {str_from(text, sizeof(text)), str_from(text, 128)};

    (void)state;
    memset(text, 'n', sizeof(text));
    assert_true(str_is_null(str_nearest(str_from(text, sizeof(text)), names, 2)));
    assert_int_equal(str_nearest(str_from(text, 127), names, 2).size, 128);
}

static void test_hash_depends_on_every_byte_and_the_length(void **state)
{
    char text[40] = {0};

    (void)state;
    for (size_t size = 0; size < sizeof(text); size++) {
        uint64_t hash = str_hash(str_from(text, size));

        assert_true(hash == str_hash(str_from(text, size)));
        assert_true(hash != str_hash(str_from(text, size + 1)));
        for (size_t i = 0; i < size; i++) {
            text[i] = 1;
            assert_true(hash != str_hash(str_from(text, size)));
            text[i] = 0;
        }
    }
}

TESTS(test_equality_looks_at_bytes_and_length, test_order_is_by_bytes_then_length,
      test_prefixes_and_suffixes, test_slices_stay_inside,
      test_trim_takes_white_space_on_both_sides, test_finding, test_cut_walks_over_all_parts,
      test_cut_may_write_its_rest_over_its_input, test_copies_are_terminated_and_keep_absence,
      test_int64_reaches_its_limits_and_not_beyond, test_uint64_reaches_its_limit_and_not_beyond,
      test_numbers_take_the_whole_text, test_messages_quote_only_the_start_of_a_long_text,
      test_doubles_are_read_exactly, test_utf8_is_strict, test_hex_is_lower_case_and_reads_both,
      test_nearest_offers_a_slip_and_nothing_else, test_a_swap_counts_as_one_edit,
      test_the_closest_name_wins_and_then_the_first, test_nearest_survives_very_long_names,
      test_hash_depends_on_every_byte_and_the_length)

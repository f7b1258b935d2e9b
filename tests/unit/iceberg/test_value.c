/* Claims about single values. Binary and JSON forms: the examples of the specification's appendix D. */
#include <math.h>

#include "support/test.h"
#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
#include "tarn/iceberg/value.h"

#include "internal.h"

static const ice_type *type_of(fixture *f, const char *name)
{
    const json *value = NULL;
    const ice_type *type = NULL;

    EXPECT_OK(json_parse(str_printf(f->arena, "\"%s\"", name), f->arena, &value, &f->err));
    EXPECT_OK(ice_type_parse(value, f->arena, &type, &f->err));
    return type;
}

static str hex(fixture *f, const char *text)
{
    str bytes = STR_NULL;

    EXPECT_OK(str_from_hex(f->arena, str_c(text), &bytes, &f->err));
    return bytes;
}

static str text_of(fixture *f, const ice_type *type, const ice_value *v)
{
    buf *out = buf_in(f->arena, LIMIT_MIB);

    ice_value_format(type, v, out);
    return buf_str(out);
}

static str json_of(fixture *f, const ice_type *type, const ice_value *v)
{
    buf *out = buf_in(f->arena, LIMIT_MIB);
    json_writer w;

    json_writer_init(&w, out);
    ice_value_format_json(type, v, &w);
    return buf_str(out);
}

/* One value in all its forms. */
static const struct {
    const char *type, *binary, *text, *json;
} forms[] = {
    {"boolean", "01", "true", "true"},
    {"boolean", "00", "false", "false"},
    {"int", "22000000", "34", "34"},
    {"int", "00000080", "-2147483648", "-2147483648"},
    {"long", "2200000000000000", "34", "34"},
    {"long", "ffffffffffffffff", "-1", "-1"},
    {"float", "0000803f", "1", "1.0"},
    {"float", "6070890d", "8.47033e-31", "8.47033e-31"},
    {"double", "9c7500883ce4377e", "1e+300", "1e+300"},
    {"float", "cdcccc3d", "0.1", "0.1"},
    {"double", "000000000000f03f", "1.0", "1.0"},
    {"date", "904d0000", "2024-05-13", "\"2024-05-13\""},
    {"date", "ffffffff", "1969-12-31", "\"1969-12-31\""},
    {"time", "406509e012000000", "22:31:08.123456", "\"22:31:08.123456\""},
    {"timestamp", "ffffffffffffffff", "1969-12-31T23:59:59.999999",
     "\"1969-12-31T23:59:59.999999\""},
    {"timestamptz", "0000000000000000", "1970-01-01T00:00:00+00:00",
     "\"1970-01-01T00:00:00+00:00\""},
    {"timestamp_ns", "0100000000000000", "1970-01-01T00:00:00.000000001",
     "\"1970-01-01T00:00:00.000000001\""},
    {"decimal(9, 2)", "058c", "14.20", "\"14.20\""},
    {"decimal(9, 2)", "fa74", "-14.20", "\"-14.20\""},
    {"decimal(9, 2)", "80", "-1.28", "\"-1.28\""},
    {"decimal(9, 2)", "0080", "1.28", "\"1.28\""},
    {"decimal(4, 4)", "00", "0.0000", "\"0.0000\""},
    {"decimal(38, 0)", "4b3b4ca85a86c47a098a223fffffffff", "99999999999999999999999999999999999999",
     "\"99999999999999999999999999999999999999\""},
    {"string", "69636562657267", "iceberg", "\"iceberg\""},
    {"uuid", "f79c3e09677c4bbda4793f349cb785e7", "f79c3e09-677c-4bbd-a479-3f349cb785e7",
     "\"f79c3e09-677c-4bbd-a479-3f349cb785e7\""},
    {"fixed[3]", "00ff7f", "00ff7f", "\"00ff7f\""},
    {"binary", "000102ff", "000102ff", "\"000102ff\""},
};

static void test_binary_text_and_json_are_forms_of_one_value(void **given)
{
    fixture *f = *given;

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        const ice_type *type = type_of(f, forms[i].type);
        str binary = hex(f, forms[i].binary);
        const json *tree = NULL;
        ice_value v;
        ice_value back;

        EXPECT_OK(ice_value_decode(type, binary, &v, &f->err));
        EXPECT_STR(str_to_hex(f->arena, ice_value_encode(type, &v, f->arena).data,
                              ice_value_encode(type, &v, f->arena).size),
                   forms[i].binary);
        EXPECT_STR(text_of(f, type, &v), forms[i].text);
        if (forms[i].json == NULL) {
            continue;
        }
        EXPECT_STR(json_of(f, type, &v), forms[i].json);
        EXPECT_OK(json_parse(str_c(forms[i].json), f->arena, &tree, &f->err));
        EXPECT_OK(ice_value_parse_json(type, tree, f->arena, &back, &f->err));
        assert_int_equal(ice_value_compare(&v, &back), 0);
    }
}

static void test_shorter_bounds_of_widened_columns_are_read(void **given)
{
    fixture *f = *given;
    ice_value v;

    EXPECT_OK(ice_value_decode(type_of(f, "long"), hex(f, "ffffffff"), &v, &f->err));
    assert_int_equal(v.integer, -1);
    EXPECT_OK(ice_value_decode(type_of(f, "double"), hex(f, "0000803f"), &v, &f->err));
    assert_true(v.real == 1.0);
    EXPECT_OK(ice_value_decode(type_of(f, "timestamp"), hex(f, "ffffffff"), &v, &f->err));
    assert_int_equal(v.integer, INT64_C(-86400000000));
    EXPECT_OK(ice_value_decode(type_of(f, "timestamp_ns"), hex(f, "01000000"), &v, &f->err));
    assert_int_equal(v.integer, INT64_C(86400000000000));
}

static void test_bytes_of_a_wrong_number_are_corrupt(void **given)
{
    fixture *f = *given;
    static const char *const wrong[][2] = {
        {"int", "0000"},
        {"int", "0000000000000000"},
        {"long", "000000"},
        {"boolean", ""},
        {"float", "0000000000000000"},
        {"uuid", "00"},
        {"fixed[3]", "0001"},
        {"decimal(9, 2)", ""},
        {"time", "00000000"},
        {"timestamp", "00"},
        {"decimal(9, 2)", "0100000000000000000000000000000000"},
    };
    ice_value v;

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        EXPECT_STATUS(CORRUPT,
                      ice_value_decode(type_of(f, wrong[i][0]), hex(f, wrong[i][1]), &v, &f->err));
    }
    EXPECT_MESSAGE(f, "value of type decimal has 17 bytes");
    /* The sign repeated beyond 16 bytes is no more than long-winded. */
    EXPECT_OK(ice_value_decode(type_of(f, "decimal(9, 2)"),
                               hex(f, "ffffffffffffffffffffffffffffffffffff"), &v, &f->err));
    assert_int_equal(v.integer, -1);
}

static ice_value real(double value)
{
    return (ice_value){.kind = ICE_DOUBLE, .real = value};
}

static void test_doubles_are_ordered_with_zero_signs_and_nan_last(void **given)
{
    const ice_value order[] = {
        real(-(double)INFINITY), real(-1),         real(-0.0), real(0.0), real(1e-300), real(1),
        real((double)INFINITY),  real((double)NAN)};
    int same;

    (void)given;
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        for (size_t k = 0; k < COUNT_OF(order); k++) {
            int wanted = (i > k) - (i < k);

            assert_int_equal(ice_value_compare(&order[i], &order[k]), wanted);
        }
    }
    assert_true(ice__compare_sql(&order[2], &order[3], &same)); /* SQL knows one zero */
    assert_int_equal(same, 0);
}

static void test_decimals_of_different_scale_compare_by_value(void **given)
{
    ice_value small = ice__decimal_value(150, 2);
    ice_value same = ice__decimal_value(15, 1);
    ice_value huge = ice__decimal_value((ice__int128)1 << 126, 0);
    ice_value low = ice__decimal_value(-((ice__int128)1 << 126), 0);
    ice_value fine = ice__decimal_value(1, 38);

    (void)given;
    assert_int_equal(ice_value_compare(&small, &same), 0);
    assert_int_equal(ice_value_compare(&huge, &fine), 1);
    assert_int_equal(ice_value_compare(&fine, &huge), -1);
    assert_int_equal(ice_value_compare(&low, &fine), -1);
    assert_int_equal(ice_value_compare(&fine, &low), 1);
}

static void test_text_of_the_engine_is_read(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *type, *text, *shown;
    } good[] = {
        {"timestamp", "2026-11-21 11:30:00", "2026-11-21T11:30:00"},
        {"timestamp", "2026-11-21 11:30:00.5", "2026-11-21T11:30:00.500000"},
        {"timestamptz", "2026-11-21 11:30:00+02", "2026-11-21T09:30:00+00:00"},
        {"timestamptz", "1969-12-31 23:59:59.999999-00:30", "1970-01-01T00:29:59.999999+00:00"},
        {"date", "0001-01-01", "0001-01-01"},
        {"decimal(5, 2)", "-3.5", "-3.50"},
        {"decimal(5, 2)", "3.500", "3.50"},
        {"double", "1e3", "1000.0"},
        {"binary", "a\\x00b", "610062"},
        {"boolean", "TRUE", "true"},
    };
    static const char *const bad[][2] = {
        {"date", "2026-02-29"},
        {"date", "2026-13-01"},
        {"date", "26-01-01"},
        {"time", "24:00:00"},
        {"timestamp", "2026-01-01 00:00:00+00"},
        {"decimal(5, 2)", "1000"},
        {"decimal(5, 2)", "1.005"},
        {"decimal(5, 2)", ""},
        {"int", "2147483648"},
        {"int", "1.0"},
        {"uuid", "f79c3e09"},
        {"binary", "\\x0"},
        {"boolean", "1"},
        {"timestamp", "infinity"},
    };
    ice_value v;

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        const ice_type *type = type_of(f, good[i].type);

        EXPECT_OK(ice_value_parse_text(type, str_c(good[i].text), f->arena, &v, &f->err));
        EXPECT_STR(text_of(f, type, &v), good[i].shown);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        EXPECT_STATUS(BAD_DATA, ice_value_parse_text(type_of(f, bad[i][0]), str_c(bad[i][1]),
                                                     f->arena, &v, &f->err));
    }
    EXPECT_MESSAGE(f, "\"infinity\" is no timestamp");
}

static void test_successors_of_texts_step_over_what_is_no_character(void **given)
{
    fixture *f = *given;
    str next;

    assert_true(ice__utf8_successor(STR("abc"), f->arena, &next));
    EXPECT_STR(next, "abd");
    assert_true(ice__utf8_successor(STR("a\xf4\x8f\xbf\xbf"), f->arena, &next)); /* U+10FFFF */
    EXPECT_STR(next, "b");
    assert_true(ice__utf8_successor(STR("\xed\x9f\xbf"), f->arena, &next)); /* U+D7FF -> U+E000 */
    EXPECT_STR(next, "\xee\x80\x80");
    assert_true(ice__utf8_successor(STR("\x7f"), f->arena, &next));
    EXPECT_STR(next, "\xc2\x80");
    assert_false(ice__utf8_successor(STR("\xf4\x8f\xbf\xbf"), f->arena, &next));
    assert_false(ice__utf8_successor(STR("\xff"), f->arena, &next));
    assert_true(ice__bytes_successor(STR("a\xff\xff"), f->arena, &next));
    EXPECT_STR(next, "b");
    assert_false(ice__bytes_successor(STR("\xff\xff"), f->arena, &next));
    assert_int_equal(ice__utf8_prefix(STR("\xc3\xa9\xe2\x82\xacx"), 2), 5);
}

TESTS(test_binary_text_and_json_are_forms_of_one_value,
      test_shorter_bounds_of_widened_columns_are_read, test_bytes_of_a_wrong_number_are_corrupt,
      test_doubles_are_ordered_with_zero_signs_and_nan_last,
      test_decimals_of_different_scale_compare_by_value, test_text_of_the_engine_is_read,
      test_successors_of_texts_step_over_what_is_no_character)

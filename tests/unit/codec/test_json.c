/* Claims about reading and writing JSON. */
#include <float.h>
#include <math.h>

#include "support/test.h"
#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
#include "tarn/codec/json.h"

static const json *parsed(fixture *f, const char *text)
{
    const json *value = NULL;

    EXPECT_OK(json_parse(QUOTED(f, text), f->arena, &value, &f->err));
    return value;
}

static str formatted(fixture *f, const json *value)
{
    buf *out = buf_in(f->arena, LIMIT_MIB);

    json_format(value, out);
    return buf_str(out);
}

static void test_integers_of_64_bits_keep_their_value(void **state)
{
    fixture *f = *state;
    const json *v = parsed(f, "[9223372036854775807, -9223372036854775808, 8713471822873910071]");

    assert_int_equal(json_int64_or(json_at(v, 0), 0), INT64_MAX);
    assert_true(json_int64_or(json_at(v, 1), 0) == INT64_MIN);
    assert_int_equal(json_int64_or(json_at(v, 2), 0), INT64_C(8713471822873910071));
}

static void test_integers_beyond_64_bits_become_doubles(void **state)
{
    fixture *f = *state;
    const json *v =
        parsed(f, "{'a 9223372036854775808 \\' b': [9223372036854775808, -1e2, "
                  "-170141183460469231731687303715884105728], 'c': '18446744073709551616'}");
    const json *list = json_get(v, "a 9223372036854775808 \" b");

    assert_int_equal(json_kind_of(json_at(list, 0)), JSON_DOUBLE);
    assert_true(json_double_or(json_at(list, 0), 0) == 9223372036854775808.0);
    assert_true(json_double_or(json_at(list, 2), 0) == -170141183460469231731687303715884105728.0);
    EXPECT_STR(json_str_or(json_get(v, "c"), STR_NULL), "18446744073709551616");
}

static void test_integers_beyond_64_bits_keep_their_digits(void **state)
{
    fixture *f = *state;
    const char *text = "{'x':[1.5,true,18446744073709551615,'2e5',{'y':-1e2,'z':false},7,"
                       "-170141183460469231731687303715884105728],'c':99999999999999999999}";
    const json *v = parsed(f, text);
    const json *list = json_get(v, "x");
    buf *out = buf_in(f->arena, 1000);

    assert_true(str_is_null(json_wide_integer(json_at(list, 0))));
    EXPECT_STR(json_wide_integer(json_at(list, 2)), "18446744073709551615");
    assert_true(str_is_null(json_wide_integer(json_get(json_at(list, 4), "y"))));
    assert_true(str_is_null(json_wide_integer(json_at(list, 5))));
    EXPECT_STR(json_wide_integer(json_at(list, 6)), "-170141183460469231731687303715884105728");
    EXPECT_STR(json_wide_integer(json_get(v, "c")), "99999999999999999999");
    json_format(json_at(list, 6), out);
    EXPECT_STR(buf_str(out), "-170141183460469231731687303715884105728");
}

static void test_numbers_no_double_holds_are_refused(void **state)
{
    fixture *f = *state;
    const json *v;

    EXPECT_STATUS(SYNTAX, json_parse(STR("[1e999]"), f->arena, &v, &f->err));
}

static void test_members_keep_the_order_of_the_text(void **state)
{
    fixture *f = *state;
    static const char text[] = "{'z':1,'a':{'y':[true,false,null],'b':'x'},'m':-0.5,'':[]}";

    EXPECT_STR(formatted(f, parsed(f, text)), QUOTED(f, text).data);
}

static void test_errors_say_line_column_and_position(void **state)
{
    fixture *f = *state;
    const json *v = NULL;

    EXPECT_STATUS(SYNTAX, json_parse(STR("{\n  \"a\": 1,\n  \"b\" 2\n}"), f->arena, &v, &f->err));
    EXPECT_MESSAGE(f, "malformed JSON at line 3, column 7: ':' expected near '2'");
    assert_int_equal(f->err.position, 18);
    assert_null(v);
    EXPECT_STATUS(SYNTAX, json_parse(STR("[12345678901234567890,\n x]"), f->arena, &v, &f->err));
    assert_int_equal(f->err.position, 24);
    EXPECT_STATUS(SYNTAX, json_parse(STR("[1, 2"), f->arena, &v, &f->err));
    EXPECT_MESSAGE(f, "malformed JSON at line 1, column 6: the text ends too early");
    EXPECT_STATUS(SYNTAX, json_parse(STR_NULL, f->arena, &v, &f->err));
}

static void test_what_is_no_json_is_refused(void **state)
{
    fixture *f = *state;
    static const char *const bad[] = {
        "{\"a\":1,\"a\":2}", "[1] 2",       "[01]",  "[1.]",       "['a']", "nul",
        "\"\xff\"",          "\"\\ud800\"", "[NaN]", "{\"a\":1,}", "\x01"};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const json *v;
        EXPECT_STATUS(SYNTAX, json_parse(str_c(bad[i]), f->arena, &v, &f->err));
    }
}

static void test_nesting_beyond_the_limit_is_too_large(void **state)
{
    fixture *f = *state;
    buf *text = buf_in(f->arena, LIMIT_MIB);
    const json *v;

    for (int i = 0; i < LIMIT_JSON_DEPTH; i++) {
        buf_add_char(text, '[');
    }
    buf_add_char(text, '1');
    for (int i = 0; i < LIMIT_JSON_DEPTH; i++) {
        buf_add_char(text, ']');
    }
    EXPECT_OK(json_parse(buf_str(text), f->arena, &v, &f->err));
    EXPECT_STATUS(TOO_LARGE, json_parse(str_printf(f->arena, "[%.*s]", STR_ARG(buf_str(text))),
                                        f->arena, &v, &f->err));
    EXPECT_MESSAGE(f, "JSON is nested deeper than 2000 levels");
    buf_clear(text);
    for (int i = 0; i < 100000; i++) {
        buf_add_char(text, '[');
    }
    EXPECT_STATUS(TOO_LARGE, json_parse(buf_str(text), f->arena, &v, &f->err));
}

static void test_strings_may_hold_nul(void **state)
{
    fixture *f = *state;
    const json *v = parsed(f, "'a\\u0000b'");

    assert_int_equal(json_str_or(v, STR_NULL).size, 3);
    EXPECT_STR(formatted(f, v), "\"a\\u0000b\"");
}

typedef struct point {
    int64_t id;
    int32_t small;
    double ratio;
    bool on;
    str name;
    const json *list;
    const json *any;
} point;

static const json_field point_fields[] = {
    {"id", JSON_INT64, JSON_REQUIRED, offsetof(point, id)},
    {"small", JSON_INT32, 0, offsetof(point, small)},
    {"ratio", JSON_DOUBLE, 0, offsetof(point, ratio)},
    {"on", JSON_BOOL, 0, offsetof(point, on)},
    {"name", JSON_STR, 0, offsetof(point, name)},
    {"list", JSON_ARRAY, 0, offsetof(point, list)},
    {"any", JSON_VALUE, 0, offsetof(point, any)},
};

static void test_field_tables_fill_structs_and_leave_defaults(void **state)
{
    fixture *f = *state;
    point p = {.small = 7, .name = STR("unset")};

    EXPECT_OK(json_read(parsed(f, "{'id':5,'ratio':2,'on':true,'list':[1,2],'any':{},"
                                  "'name':null,'more':1}"),
                        point_fields, COUNT_OF(point_fields), &p, &f->err));
    assert_int_equal(p.id, 5);
    assert_int_equal(p.small, 7);
    assert_true(p.ratio == 2.0 && p.on);
    EXPECT_STR(p.name, "unset");
    assert_int_equal(json_count(p.list), 2);
    assert_int_equal(json_kind_of(p.any), JSON_OBJECT);
}

static void test_field_tables_refuse_by_name(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"{}", "\"id\" is missing"},
        {"{'id':null}", "\"id\" is missing"},
        {"{'id':'x'}", "\"id\" must be an integer, not a string"},
        {"{'id':1.5}", "\"id\" must be an integer, not a number"},
        {"{'id':1,'small':2147483648}", "\"small\" is out of range: 2147483648"},
        {"{'id':1,'list':{}}", "\"list\" must be an array, not an object"},
        {"[1]", "an object is needed, not an array"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        point p = {.id = 0};
        EXPECT_STATUS(INVALID, json_read(parsed(f, cases[i].text), point_fields,
                                         COUNT_OF(point_fields), &p, &f->err));
        EXPECT_MESSAGE(f, cases[i].message);
    }
}

static void test_unknown_members_are_named_with_the_nearest(void **state)
{
    fixture *f = *state;

    EXPECT_OK(
        json_reject_unknown(parsed(f, "{'id':1}"), point_fields, COUNT_OF(point_fields), &f->err));
    EXPECT_STATUS(INVALID, json_reject_unknown(parsed(f, "{'id':1,'ratoi':1}"), point_fields,
                                               COUNT_OF(point_fields), &f->err));
    EXPECT_MESSAGE(f, "\"ratoi\" is not a known member");
    EXPECT_HINT(f, "Did you mean \"ratio\"?");
}

static void test_writer_places_commas_and_escapes(void **state)
{
    fixture *f = *state;
    buf *out = buf_in(f->arena, LIMIT_MIB);
    json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    json_member_c(&w, "a", "q\" b\\ n\n \x01 \x7f \xc3\xa9");
    json_member_int(&w, "min", INT64_MIN);
    json_key(&w, "list");
    json_begin_array(&w);
    json_begin_array(&w);
    json_end_array(&w);
    json_put_uint(&w, UINT64_MAX);
    json_put_raw(&w, STR("{}"));
    json_put_null(&w);
    json_end_array(&w);
    json_member_bool(&w, "t", true);
    json_end_object(&w);
    EXPECT_STR(buf_str(out), "{\"a\":\"q\\\" b\\\\ n\\n \\u0001 \x7f \xc3\xa9\","
                             "\"min\":-9223372036854775808,"
                             "\"list\":[[],18446744073709551615,{},null],\"t\":true}");
}

static void test_what_is_no_utf8_is_replaced(void **state)
{
    static const struct {
        const char *bytes;
        const char *text;
    } cases[] = {
        {"a\xff"
         "b",
         "\"a\xef\xbf\xbd"
         "b\""},
        {"\xc3", "\"\xef\xbf\xbd\""},
        {"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
        {"\xe2\x82\xac", "\"\xe2\x82\xac\""},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf *out = buf_in(f->arena, LIMIT_MIB);
        json_quote(out, str_c(cases[i].bytes));
        EXPECT_STR(buf_str(out), cases[i].text);
        assert_true(str_is_utf8(buf_str(out)));
    }
}

static void test_doubles_are_written_shortest(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.1, "0.1"},
        {1.0, "1.0"},
        {-0.0, "-0.0"},
        {12.5, "12.5"},
        {0.001, "0.001"},
        {19.99, "19.99"},
        {1e22, "1e+22"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {5e-324, "4.94065645841247e-324"},
        {1e15, "1e+15"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {(double)NAN, "\"NaN\""},
        {(double)INFINITY, "\"Infinity\""},
        {-(double)INFINITY, "\"-Infinity\""},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf *out = buf_in(f->arena, LIMIT_MIB);
        json_writer w;
        json_writer_init(&w, out);
        json_put_double(&w, cases[i].value);
        EXPECT_STR(buf_str(out), cases[i].text);
    }
}

static void test_every_double_reads_back(void **state)
{
    fixture *f = *state;
    uint64_t bits = 0x9e3779b97f4a7c15;
    buf *out = buf_in(f->arena, LIMIT_MIB);

    for (int i = 0; i < 20000; i++) {
        double value;
        double back;
        json_writer w;

        bits = bits * UINT64_C(6364136223846793005) + 1442695040888963407;
        memcpy(&value, &bits, sizeof(value));
        if (i % 2 == 0) {
            value = (double)(int64_t)(bits >> 30) / 100; /* amounts */
        }
        if (!isfinite(value)) {
            continue;
        }
        buf_clear(out);
        json_writer_init(&w, out);
        json_put_double(&w, value);
        EXPECT_OK(str_to_double(buf_str(out), &back, &f->err));
        assert_memory_equal(&back, &value, sizeof(value));
    }
}

static void test_absent_values_answer_with_the_fallback(void **state)
{
    fixture *f = *state;
    const json *v = parsed(f, "{'a':[1]}");

    assert_int_equal(json_int64_or(json_get(json_get(v, "x"), "y"), 3), 3);
    assert_null(json_at(json_get(v, "a"), 1));
    assert_null(json_at(v, 0));
    assert_int_equal(json_count(NULL), 0);
    assert_int_equal(json_kind_of(NULL), JSON_NULL);
    assert_true(json_double_or(json_at(json_get(v, "a"), 0), 0) == 1.0);
}

static str repeated(fixture *f, const char *begin, const char *part, size_t count, const char *end)
{
    buf *out = buf_in(f->arena, 64 * LIMIT_MIB);

    buf_add_c(out, begin);
    for (size_t i = 0; i < count; i++) {
        buf_add_c(out, i > 0 ? "," : "");
        buf_add_c(out, part);
    }
    buf_add_c(out, end);
    return buf_str(out);
}

static void test_more_values_than_are_allowed_are_refused_before_any_is_made(void **state)
{
    fixture *f = *state;
    const json *v = NULL;
    size_t before = arena_used_bytes(f->arena);
    str commas = repeated(f, "[", "\"[{,\\\",,\"", 20, "]"); /* more of them than values */

    EXPECT_OK(json_parse_within(repeated(f, "[", "1", 100, "]"), 101, f->arena, &v, &f->err));
    assert_int_equal(100, json_count(v));
    EXPECT_STATUS(TOO_LARGE,
                  json_parse_within(repeated(f, "[", "1", 100, "]"), 100, f->arena, &v, &f->err));
    assert_string_equal(f->err.message, "the JSON document has more than 100 values");
    EXPECT_STATUS(TOO_LARGE,
                  json_parse_within(repeated(f, "{\"a\":{}", "\"b\":0", 0, ",\"c\":[[]]}"), 3,
                                    f->arena, &v, &f->err));
    EXPECT_OK(json_parse_within(commas, 21, f->arena, &v, &f->err));
    EXPECT_STATUS(TOO_LARGE, json_parse_within(commas, 20, f->arena, &v, &f->err));
    EXPECT_OK(json_parse_within(STR(" [[],{ } , [\n]]"), 4, f->arena, &v, &f->err));
    EXPECT_STATUS(TOO_LARGE, json_parse_within(STR("[[],{ },[\n]]"), 3, f->arena, &v, &f->err));
    EXPECT_OK(json_parse_within(STR("7"), 1, f->arena, &v, &f->err));
    str all = repeated(f, "[", "{}", LIMIT_JSON_VALUES, "]");
    before = arena_used_bytes(f->arena);
    EXPECT_STATUS(TOO_LARGE, json_parse(all, f->arena, &v, &f->err));
    assert_true(arena_used_bytes(f->arena) < before + LIMIT_KIB);
}

TESTS(test_more_values_than_are_allowed_are_refused_before_any_is_made,
      test_integers_of_64_bits_keep_their_value, test_integers_beyond_64_bits_become_doubles,
      test_integers_beyond_64_bits_keep_their_digits, test_numbers_no_double_holds_are_refused,
      test_members_keep_the_order_of_the_text, test_errors_say_line_column_and_position,
      test_what_is_no_json_is_refused, test_nesting_beyond_the_limit_is_too_large,
      test_strings_may_hold_nul, test_field_tables_fill_structs_and_leave_defaults,
      test_field_tables_refuse_by_name, test_unknown_members_are_named_with_the_nearest,
      test_writer_places_commas_and_escapes, test_what_is_no_utf8_is_replaced,
      test_doubles_are_written_shortest, test_every_double_reads_back,
      test_absent_values_answer_with_the_fallback)

/* Claims about partition transforms. Vectors: the specification, "Partition transforms" and appendix B. */
#include "support/test.h"
#include "tarn/iceberg/partition.h"

#include "internal.h"

static const ice_type *type_of(fixture *f, const char *name)
{
    const json *value = NULL;
    const ice_type *type = NULL;

    EXPECT_OK(json_parse(str_printf(f->arena, "\"%s\"", name), f->arena, &value, &f->err));
    EXPECT_OK(ice_type_parse(value, f->arena, &type, &f->err));
    return type;
}

static ice_value value_of(fixture *f, const ice_type *type, const char *text)
{
    ice_value v = {.kind = type->kind};

    EXPECT_OK(ice_value_parse_text(type, str_c(text), f->arena, &v, &f->err));
    return v;
}

static void test_bucket_hashes_are_those_of_the_specification(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *type, *text;
        int32_t hash;
    } vectors[] = {
        {"int", "34", 2017239379},
        {"long", "34", 2017239379},
        {"decimal(9, 2)", "14.20", -500754589},
        {"date", "2017-11-16", -653330422},
        {"time", "22:31:08", -662762989},
        {"timestamp", "2017-11-16 22:31:08", -2047944441},
        {"timestamp", "2017-11-16 22:31:08.000001", -1207196810},
        {"timestamptz", "2017-11-16 14:31:08-08:00", -2047944441},
        {"timestamptz", "2017-11-16 14:31:08.000001-08:00", -1207196810},
        {"timestamp_ns", "2017-11-16 22:31:08", -2047944441},
        {"timestamp_ns", "2017-11-16 22:31:08.000001001", -1207196810},
        {"timestamptz_ns", "2017-11-16 14:31:08.000001001-08:00", -1207196810},
        {"string", "iceberg", 1210000089},
        {"uuid", "f79c3e09-677c-4bbd-a479-3f349cb785e7", 1488055340},
        {"fixed[4]", "\\x00\\x01\\x02\\x03", -188683207},
        {"binary", "\\x00\\x01\\x02\\x03", -188683207},
    };

    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        const ice_type *type = type_of(f, vectors[i].type);
        ice_value v = value_of(f, type, vectors[i].text);

        assert_int_equal((int32_t)ice_bucket_hash(type, &v), vectors[i].hash);
    }
}

static str applied(fixture *f, const char *transform, const char *type_name, const char *text)
{
    const ice_type *type = type_of(f, type_name);
    const ice_type *result = NULL;
    ice_value v = value_of(f, type, text);
    ice_transform t;
    buf *out = buf_in(f->arena, 1024);

    EXPECT_OK(ice_transform_parse(str_c(transform), &t, &f->err));
    EXPECT_OK(ice_transform_result(&t, type, &result, &f->err));
    EXPECT_OK(ice_transform_apply(&t, type, &v, f->arena, &v, &f->err));
    ice_value_format(result, &v, out);
    return buf_str(out);
}

static void test_values_are_transformed_as_specified(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *transform, *type, *text, *result;
    } vectors[] = {
        {"identity", "string", "x", "x"},
        {"truncate[10]", "int", "1", "0"},
        {"truncate[10]", "int", "-1", "-10"},
        {"truncate[10]", "long", "-10", "-10"},
        {"truncate[50]", "decimal(9, 2)", "10.65", "10.50"},
        {"truncate[50]", "decimal(9, 2)", "-0.05", "-0.50"},
        {"truncate[3]", "string", "iceberg", "ice"},
        {"truncate[3]", "string", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z",
         "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"truncate[3]", "string", "ic", "ic"},
        {"truncate[2]", "binary", "abc", "6162"},
        {"year", "date", "2017-11-16", "47"},
        {"year", "date", "1969-12-31", "-1"},
        {"month", "date", "1969-12-31", "-1"},
        {"month", "timestamp", "1970-02-01 00:00:00", "1"},
        {"day", "timestamp", "2017-11-16 22:31:08", "2017-11-16"},
        {"day", "timestamp", "1969-12-31 23:59:59.999999", "1969-12-31"},
        {"day", "date", "1969-12-30", "1969-12-30"},
        {"hour", "timestamp", "1970-01-02 01:00:00", "25"},
        {"hour", "timestamp", "1969-12-31 23:59:59.999999", "-1"},
        {"hour", "timestamp_ns", "1969-12-31 23:59:59.999999999", "-1"},
        {"year", "timestamptz_ns", "1969-12-31 23:59:59.999999999", "-1"},
        {"bucket[16]", "int", "34", "3"},
        {"bucket[100]", "string", "iceberg", "89"},
        {"void", "int", "34", "null"},
    };

    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        EXPECT_STR(applied(f, vectors[i].transform, vectors[i].type, vectors[i].text),
                   vectors[i].result);
    }
}

static void test_nulls_stay_null(void **given)
{
    fixture *f = *given;
    static const char *const names[] = {"identity", "bucket[4]", "truncate[4]", "void"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        ice_value v = {.kind = ICE_INT, .is_null = true};
        ice_transform t;

        EXPECT_OK(ice_transform_parse(str_c(names[i]), &t, &f->err));
        EXPECT_OK(ice_transform_apply(&t, ice_type_primitive(ICE_INT), &v, f->arena, &v, &f->err));
        assert_true(v.is_null);
    }
}

static void test_sources_that_a_transform_cannot_take_are_refused(void **given)
{
    fixture *f = *given;
    static const char *const wrong[][2] = {
        {"bucket[4]", "double"}, {"bucket[4]", "boolean"}, {"truncate[4]", "date"}, {"year", "int"},
        {"hour", "date"},        {"identity", "variant"},  {"truncate[4]", "uuid"}, {"day", "time"},
    };
    const ice_type *result;
    ice_transform t;

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        EXPECT_OK(ice_transform_parse(str_c(wrong[i][0]), &t, &f->err));
        EXPECT_STATUS(INVALID, ice_transform_result(&t, type_of(f, wrong[i][1]), &result, &f->err));
    }
    EXPECT_MESSAGE(f, "transform \"day\" does not take type time");
}

static void test_unknown_transforms_are_read_but_not_applied(void **given)
{
    fixture *f = *given;
    ice_value v = {.kind = ICE_INT};
    ice_transform t;

    EXPECT_OK(ice_transform_parse(STR("zorder"), &t, &f->err));
    assert_int_equal(t.kind, ICE_TRANSFORM_UNKNOWN);
    EXPECT_STR(t.text, "zorder");
    EXPECT_STATUS(UNSUPPORTED,
                  ice_transform_apply(&t, ice_type_primitive(ICE_INT), &v, f->arena, &v, &f->err));
    EXPECT_STATUS(INVALID, ice_transform_parse(STR("bucket[0]"), &t, &f->err));
    EXPECT_STATUS(INVALID, ice_transform_parse(STR("truncate[]"), &t, &f->err));
}

TESTS(test_bucket_hashes_are_those_of_the_specification, test_values_are_transformed_as_specified,
      test_nulls_stay_null, test_sources_that_a_transform_cannot_take_are_refused,
      test_unknown_transforms_are_read_but_not_applied)

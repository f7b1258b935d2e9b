/* Claims about types and schemas. */
#include "support/test.h"
#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
#include "tarn/iceberg/type.h"

static const json *parsed(fixture *f, const char *text)
{
    const json *value = NULL;

    EXPECT_OK(json_parse(QUOTED(f, text), f->arena, &value, &f->err));
    return value;
}

static ice_schema schema_of(fixture *f, const char *text)
{
    ice_schema schema = {.id = -1};

    EXPECT_OK(ice_schema_parse(parsed(f, text), f->arena, &schema, &f->err));
    return schema;
}

static str formatted(fixture *f, const ice_schema *schema)
{
    buf *out = buf_in(f->arena, LIMIT_MIB);
    json_writer w;

    json_writer_init(&w, out);
    ice_schema_format(schema, &w);
    return buf_str(out);
}

static const char nested[] =
    "{'type':'struct','schema-id':3,'identifier-field-ids':[1],'fields':["
    "{'id':1,'name':'id','required':true,'type':'long','doc':'key'},"
    "{'id':2,'name':'price','required':false,'type':'decimal(10, 2)'},"
    "{'id':3,'name':'tags','required':false,'type':{'type':'list','element-id':4,"
    "'element':'string','element-required':false}},"
    "{'id':5,'name':'attrs','required':false,'type':{'type':'map','key-id':6,'key':'string',"
    "'value-id':7,'value':'fixed[16]','value-required':true}},"
    "{'id':8,'name':'place','required':false,'type':{'type':'struct','fields':["
    "{'id':9,'name':'lat','required':false,'type':'double','initial-default':1.5,"
    "'write-default':2.5}]}}]}";

static void test_schema_reads_back_as_it_was_written(void **state)
{
    fixture *f = *state;
    ice_schema schema = schema_of(f, nested);

    EXPECT_STR(formatted(f, &schema), QUOTED(f, nested).data);
}

static void test_types_are_told_to_people(void **state)
{
    fixture *f = *state;
    ice_schema schema = schema_of(f, nested);
    buf *out = buf_in(f->arena, LIMIT_MIB);

    ice_type_format(schema.root, out);
    EXPECT_STR(buf_str(out), "struct<id: long, price: decimal(10, 2), tags: list<string>, "
                             "attrs: map<string, fixed[16]>, place: struct<lat: double>>");
}

static void test_every_primitive_name_is_read(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {
        "boolean",
        "int",
        "long",
        "float",
        "double",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "timestamp_ns",
        "timestamptz_ns",
        "string",
        "uuid",
        "binary",
        "unknown",
        "variant",
        "geometry",
        "geography",
        "fixed[3]",
        "decimal(38, 38)",
        "geometry(srid:3857)",
        "geography(OGC:CRS84, karney)",
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const ice_type *type;
        buf *out = buf_in(f->arena, LIMIT_MIB);

        EXPECT_OK(ice_type_parse(parsed(f, arena_printf(f->arena, "'%s'", names[i])), f->arena,
                                 &type, &f->err));
        ice_type_format(type, out);
        EXPECT_STR(buf_str(out), names[i]);
    }
}

static void test_types_that_are_none_are_refused_by_name(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"'bigint'",       "'decimal(39,0)'",
                                        "'decimal(5,6)'", "'fixed[0]'",
                                        "'fixed[x]'",     "'struct'",
                                        "'decimal'",      "''",
                                        "{'type':'set'}", "7"};
    const ice_type *type = NULL;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        EXPECT_STATUS(INVALID, ice_type_parse(parsed(f, names[i]), f->arena, &type, &f->err));
    }
    EXPECT_STATUS(INVALID, ice_type_parse(parsed(f, "'bigint'"), f->arena, &type, &f->err));
    EXPECT_MESSAGE(f, "type \"bigint\" is unknown");
    assert_null(type);
}

static void test_fields_are_found_at_any_depth(void **state)
{
    fixture *f = *state;
    ice_schema schema = schema_of(f, nested);

    EXPECT_STR(ice_schema_field(&schema, 9)->name, "lat");
    EXPECT_STR(ice_schema_path(&schema, 9, f->arena), "place.lat");
    EXPECT_STR(ice_schema_path(&schema, 4, f->arena), "tags.element");
    EXPECT_STR(ice_schema_path(&schema, 6, f->arena), "attrs.key");
    assert_null(ice_schema_field(&schema, 10));
    assert_true(str_is_null(ice_schema_path(&schema, 10, f->arena)));
    assert_int_equal(ice_schema_highest_id(&schema), 9);
}

static void test_columns_are_found_in_any_case_where_one_matches(void **state)
{
    fixture *f = *state;
    ice_schema schema = schema_of(f, "{'type':'struct','fields':["
                                     "{'id':1,'name':'Amount','required':false,'type':'int'},"
                                     "{'id':2,'name':'x','required':false,'type':'int'},"
                                     "{'id':3,'name':'X','required':false,'type':'int'},"
                                     "{'id':4,'name':'yY','required':false,'type':'int'},"
                                     "{'id':5,'name':'Yy','required':false,'type':'int'}]}");

    assert_int_equal(ice_schema_column(&schema, STR("AMOUNT"))->id, 1);
    assert_int_equal(ice_schema_column(&schema, STR("X"))->id, 3);
    assert_null(ice_schema_column(&schema, STR("yy")));
    assert_null(ice_schema_column(&schema, STR("z")));
}

static void test_fresh_ids_are_given_level_by_level(void **state)
{
    fixture *f = *state;
    ice_schema schema = schema_of(f, nested);
    int32_t next_id = 1;
    ice_schema fresh = {.root = ice_type_assign_ids(schema.root, &next_id, f->arena)};

    assert_int_equal(next_id, 10);
    assert_int_equal(ice_schema_column(&fresh, STR("place"))->id, 5);
    EXPECT_STR(ice_schema_path(&fresh, 6, f->arena), "tags.element");
    EXPECT_STR(ice_schema_path(&fresh, 8, f->arena), "attrs.value");
    EXPECT_STR(ice_schema_path(&fresh, 9, f->arena), "place.lat");
}

static void test_equality_sees_ids_names_nullability_and_defaults(void **state)
{
    fixture *f = *state;
    static const char *const variants[] = {
        "{'type':'struct','fields':[{'id':1,'name':'a','required':false,'type':'int'}]}",
        "{'type':'struct','fields':[{'id':2,'name':'a','required':false,'type':'int'}]}",
        "{'type':'struct','fields':[{'id':1,'name':'b','required':false,'type':'int'}]}",
        "{'type':'struct','fields':[{'id':1,'name':'a','required':true,'type':'int'}]}",
        "{'type':'struct','fields':[{'id':1,'name':'a','required':false,'type':'long'}]}",
        "{'type':'struct','fields':[{'id':1,'name':'a','required':false,'type':'int',"
        "'write-default':1}]}",
        "{'type':'struct','identifier-field-ids':[1],'fields':[{'id':1,'name':'a','required':false,"
        "'type':'int'}]}",
    };

    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        for (size_t k = 0; k < COUNT_OF(variants); k++) {
            ice_schema x = schema_of(f, variants[i]);
            ice_schema y = schema_of(f, variants[k]);

            assert_int_equal(ice_schema_equal(&x, &y), i == k);
        }
    }
}

static void check_refused(fixture *f, const char *text, int version, const char *message)
{
    ice_schema schema = schema_of(f, text);

    EXPECT_STATUS(INVALID, ice_schema_check(&schema, version, &f->err));
    EXPECT_MESSAGE(f, message);
}

static void test_check_names_the_column_that_a_table_cannot_have(void **state)
{
    fixture *f = *state;
    ice_schema good = schema_of(f, nested);

    EXPECT_STATUS(INVALID, ice_schema_check(&good, 2, &f->err)); /* a default */
    EXPECT_OK(ice_schema_check(&good, 3, &f->err));
    check_refused(
        f,
        "{'type':'struct','fields':[{'id':1,'name':'s','required':false,'type':{'type':"
        "'struct','fields':[{'id':2,'name':'t','required':false,'type':'timestamp_ns'}]}}]}",
        2, "column \"s.t\" has type timestamp_ns, which a table of format version 2 cannot hold");
    EXPECT_HINT(f, "Set the table property \"format-version\" to 3.");
    check_refused(f,
                  "{'type':'struct','fields':[{'id':1,'name':'a','required':false,'type':'int'},"
                  "{'id':2,'name':'a','required':false,'type':'int'}]}",
                  2, "column \"a\" occurs twice");
    check_refused(f,
                  "{'type':'struct','fields':[{'id':1,'name':'a','required':false,'type':'int'},"
                  "{'id':1,'name':'b','required':false,'type':'int'}]}",
                  2, "column \"b\" has the id 1 of another column");
    check_refused(f,
                  "{'type':'struct','fields':[{'id':1,'name':'','required':false,'type':'int'}]}",
                  2, "column 1 has an empty name");
    check_refused(f,
                  "{'type':'struct','identifier-field-ids':[1],'fields':["
                  "{'id':1,'name':'a','required':true,'type':'double'}]}",
                  2,
                  "column \"a\" cannot identify rows: it must be required, and neither nested nor "
                  "floating point");
}

static void test_defaults_are_written_in_the_one_form_that_all_programs_read(void **state)
{
    static const struct {
        const char *type, *given, *written;
    } defaults[] = {
        {"float", "1", "1.0"},
        {"double", "1", "1.0"},
        {"double", "-3e2", "-300.0"},
        {"decimal(9, 2)", "'1'", "'1.00'"},
        {"uuid", "'F79C3E09-677C-4BBD-A479-3F349CB785E7'",
         "'f79c3e09-677c-4bbd-a479-3f349cb785e7'"},
        {"binary", "'00FF'", "'00ff'"},
        {"timestamptz", "'2024-01-01T02:00:00+02:00'", "'2024-01-01T00:00:00+00:00'"},
        {"long", "5", "5"},
        {"int", "'no number'", "'no number'"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(defaults); i++) {
        static const char text[] =
            "{'type':'struct','schema-id':0,'fields':[{'id':1,'name':'a','required':false,"
            "'type':'%s','initial-default':%s,'write-default':%s}]}";
        ice_schema schema = schema_of(f, arena_printf(f->arena, text, defaults[i].type,
                                                      defaults[i].given, defaults[i].given));

        EXPECT_STR(formatted(f, &schema),
                   QUOTED(f, arena_printf(f->arena, text, defaults[i].type, defaults[i].written,
                                          defaults[i].written))
                       .data);
    }
}

#define DEFAULT_OF(type, value)                                                   \
    "{'type':'struct','fields':[{'id':1,'name':'a','required':false,'type':" type \
    ",'write-default':" value "}]}"

#define UNSUPPORTED " is not supported: Iceberg's own library loads no table that has one"

static void test_defaults_that_no_program_can_read_are_refused(void **state)
{
    static const char list[] = DEFAULT_OF(
        "{'type':'list','element-id':2,'element':'long','element-required':false}", "[1]");
    static const char map[] = DEFAULT_OF("{'type':'map','key-id':2,'key':'string','value-id':3,"
                                         "'value':'int','value-required':false}",
                                         "{'keys':[],'values':[]}");
    static const char empty[] = DEFAULT_OF(
        "{'type':'struct','fields':[{'id':2,'name':'b','required':false,'type':'int'}]}", "{}");
    fixture *f = *state;

    check_refused(f, list, 3, "column \"a\": a default of type list" UNSUPPORTED);
    check_refused(f, map, 3, "column \"a\": a default of type map" UNSUPPORTED);
    check_refused(f, empty, 3, "column \"a\": a default of type struct" UNSUPPORTED);
    check_refused(f, DEFAULT_OF("'float'", "1e300"), 3,
                  "column \"a\": default 1e+300 is no value of type float");
}

TESTS(test_schema_reads_back_as_it_was_written, test_types_are_told_to_people,
      test_every_primitive_name_is_read, test_types_that_are_none_are_refused_by_name,
      test_fields_are_found_at_any_depth, test_columns_are_found_in_any_case_where_one_matches,
      test_fresh_ids_are_given_level_by_level,
      test_equality_sees_ids_names_nullability_and_defaults,
      test_check_names_the_column_that_a_table_cannot_have,
      test_defaults_are_written_in_the_one_form_that_all_programs_read,
      test_defaults_that_no_program_can_read_are_refused)

/* Claims about partition specs and sort orders, as JSON and as SQL. */
#include "support/test.h"
#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
#include "tarn/iceberg/partition.h"

static const json *parsed(fixture *f, const char *text)
{
    const json *value = NULL;

    EXPECT_OK(json_parse(QUOTED(f, text), f->arena, &value, &f->err));
    return value;
}

static ice_schema schema_of(fixture *f)
{
    ice_schema schema;

    EXPECT_OK(ice_schema_parse(
        parsed(f, "{'type':'struct','fields':["
                  "{'id':1,'name':'id','required':true,'type':'long'},"
                  "{'id':2,'name':'ts','required':false,'type':'timestamp'},"
                  "{'id':3,'name':'name','required':false,'type':'string'},"
                  "{'id':4,'name':'my col','required':false,'type':'string'},"
                  "{'id':5,'name':'place','required':false,'type':{'type':'struct','fields':["
                  "{'id':6,'name':'city','required':false,'type':'string'}]}},"
                  "{'id':7,'name':'bucket','required':false,'type':'int'},"
                  "{'id':8,'name':'ts_day','required':false,'type':'int'},"
                  "{'id':9,'name':'score','required':false,'type':'double'}]}"),
        f->arena, &schema, &f->err));
    return schema;
}

static str spec_text(fixture *f, const ice_spec *spec)
{
    buf *out = buf_in(f->arena, LIMIT_MIB);

    for (size_t i = 0; i < spec->field_count; i++) {
        const ice_partition_field *field = &spec->fields[i];

        buf_printf(out, "%s%d %.*s=%.*s(%d)", i > 0 ? ", " : "", (int)field->field_id,
                   STR_ARG(field->name), STR_ARG(field->transform.text), (int)field->source_id);
    }
    return buf_str(out);
}

static void test_sql_forms_become_fields(void **state)
{
    fixture *f = *state;
    static const char *const forms[][2] = {
        {"", ""},
        {"  ", ""},
        {"name", "1000 name=identity(3)"},
        {"NAME", "1000 name=identity(3)"},
        {"year(ts)", "1000 ts_year=year(2)"},
        {"years(ts), name", "1000 ts_year=year(2), 1001 name=identity(3)"},
        {"Months ( ts )", "1000 ts_month=month(2)"},
        {"hours(\"ts\")", "1000 ts_hour=hour(2)"},
        {"bucket(16, id)", "1000 id_bucket=bucket[16](1)"},
        {"bucket(id, 16)", "1000 id_bucket=bucket[16](1)"},
        {"truncate(10, name)", "1000 name_trunc=truncate[10](3)"},
        {"truncate(name, 10)", "1000 name_trunc=truncate[10](3)"},
        {"`my col`, \"name\"", "1000 my col=identity(4), 1001 name=identity(3)"},
        {"place.city", "1000 place.city=identity(6)"},
        {"bucket(4, place.city)", "1000 place.city_bucket=bucket[4](6)"},
        {"bucket", "1000 bucket=identity(7)"},
        {"identity(id)", "1000 id=identity(1)"},
    };
    ice_schema schema = schema_of(f);

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        int32_t next = 1000;
        ice_spec spec;

        EXPECT_OK(ice_spec_parse_sql(str_c(forms[i][0]), &schema, &next, f->arena, &spec, &f->err));
        EXPECT_STR(spec_text(f, &spec), forms[i][1]);
        assert_int_equal(next, 1000 + (int)spec.field_count);
    }
}

static void expect_refusal(fixture *f, const char *text, status kind, int position,
                           const char *message)
{
    ice_schema schema = schema_of(f);
    int32_t next = 1000;
    ice_spec spec;

    error_clear(&f->err);
    assert_int_equal(ice_spec_parse_sql(str_c(text), &schema, &next, f->arena, &spec, &f->err),
                     kind);
    assert_string_equal(f->err.message, message);
    assert_int_equal(f->err.position, position);
    assert_int_equal(next, 1000);
}

static void test_sql_mistakes_are_told_with_place_and_cure(void **state)
{
    fixture *f = *state;

    expect_refusal(f, "nmae", STATUS_NO_COLUMN, 0,
                   "partitioning \"nmae\": there is no column \"nmae\"");
    EXPECT_HINT(f, "Did you mean \"name\"?");
    expect_refusal(
        f, "name, yaer(ts)", STATUS_NO_FUNCTION, 6,
        "partitioning \"name, yaer(ts)\": there is no transform \"yaer\" (nearest: \"year\")");
    expect_refusal(f, "bucket(id)", STATUS_SYNTAX, 10,
                   "partitioning \"bucket(id)\": the transform needs a number and a column");
    expect_refusal(f, "bucket(0, id)", STATUS_INVALID, 7,
                   "partitioning \"bucket(0, id)\": a number from 1 to 2147483647 is expected");
    expect_refusal(f, "year(ts", STATUS_SYNTAX, 7,
                   "partitioning \"year(ts\": \")\" is expected here");
    expect_refusal(f, "name name", STATUS_SYNTAX, 5,
                   "partitioning \"name name\": \",\" or the end is expected here");
    expect_refusal(f, "name,", STATUS_SYNTAX, 5,
                   "partitioning \"name,\": a column or a transform is expected here");
    expect_refusal(f, "\"name", STATUS_SYNTAX, 0,
                   "partitioning \"\"name\": a quoted name is not closed");
    expect_refusal(f, "year(ts), day(ts)", STATUS_INVALID, 10,
                   "partitioning \"year(ts), day(ts)\": \"ts_day\" repeats \"ts_year\"");
    expect_refusal(f, "day(ts)", STATUS_INVALID, 0,
                   "partitioning \"day(ts)\": the field would have the name of column \"ts_day\"");
    expect_refusal(
        f, "bucket(4, score)", STATUS_INVALID, -1,
        "partitioning \"bucket(4, score)\": column \"score\": transform \"bucket[4]\" does not "
        "take type double");
    expect_refusal(f, "year(ts, ts)", STATUS_SYNTAX, 9,
                   "partitioning \"year(ts, ts)\": the transform has too many arguments");
}

static void test_json_reads_back_as_it_was_written(void **state)
{
    fixture *f = *state;
    const char *text = "{'spec-id':4,'fields':[{'name':'ts_day','transform':'day','source-id':2,"
                       "'field-id':1000},{'name':'odd','transform':'zorder[3]','source-id':1,"
                       "'field-id':1003}]}";
    buf *out = buf_in(f->arena, LIMIT_MIB);
    json_writer w;
    ice_spec spec;

    EXPECT_OK(ice_spec_parse(parsed(f, text), f->arena, &spec, &f->err));
    json_writer_init(&w, out);
    ice_spec_format(&spec, &w);
    EXPECT_STR(buf_str(out), QUOTED(f, text).data);
}

static void test_transforms_of_several_columns_are_read_as_unknown(void **state)
{
    fixture *f = *state;
    ice_spec spec;

    EXPECT_OK(ice_spec_parse(parsed(f, "[{'name':'b','transform':'bucket[4]','source-ids':[1,2],"
                                       "'field-id':1000},{'name':'c','transform':'bucket[4]',"
                                       "'source-ids':[3],'field-id':1001}]"),
                             f->arena, &spec, &f->err));
    assert_int_equal(spec.fields[0].transform.kind, ICE_TRANSFORM_UNKNOWN);
    assert_int_equal(spec.fields[0].source_id, 1);
    assert_int_equal(spec.fields[1].transform.kind, ICE_BUCKET);
    EXPECT_STATUS(INVALID, ice_spec_parse(parsed(f, "[{'name':'b','transform':'year'}]"), f->arena,
                                          &spec, &f->err));
    EXPECT_MESSAGE(f, "partition field 0: \"b\" has no \"source-id\"");
}

static void test_equivalence_ignores_ids_but_not_names(void **state)
{
    fixture *f = *state;
    ice_spec specs[4];
    static const char *const texts[] = {
        "[{'name':'b','transform':'bucket[4]','source-id':1,'field-id':1000}]",
        "[{'name':'b','transform':'bucket[4]','source-id':1,'field-id':1007}]",
        "[{'name':'c','transform':'bucket[4]','source-id':1,'field-id':1000}]",
        "[{'name':'b','transform':'bucket[5]','source-id':1,'field-id':1000}]",
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        EXPECT_OK(ice_spec_parse(parsed(f, texts[i]), f->arena, &specs[i], &f->err));
        assert_int_equal(ice_spec_equivalent(&specs[0], &specs[i]), i <= 1);
    }
}

static void test_sort_orders_read_back_as_they_were_written(void **state)
{
    fixture *f = *state;
    const char *text =
        "{'order-id':3,'fields':[{'transform':'identity','source-id':2,'direction':'asc',"
        "'null-order':'nulls-first'},{'transform':'bucket[4]','source-id':3,'direction':"
        "'desc','null-order':'nulls-last'}]}";
    buf *out = buf_in(f->arena, LIMIT_MIB);
    json_writer w;
    ice_sort_order order;

    EXPECT_OK(ice_sort_order_parse(parsed(f, text), f->arena, &order, &f->err));
    json_writer_init(&w, out);
    ice_sort_order_format(&order, &w);
    EXPECT_STR(buf_str(out), QUOTED(f, text).data);
    EXPECT_STATUS(INVALID,
                  ice_sort_order_parse(parsed(f, "{'order-id':1,'fields':[{'transform':'identity',"
                                                 "'source-id':1,'direction':'up','null-order':"
                                                 "'nulls-first'}]}"),
                                       f->arena, &order, &f->err));
}

TESTS(test_sql_forms_become_fields, test_sql_mistakes_are_told_with_place_and_cure,
      test_json_reads_back_as_it_was_written,
      test_transforms_of_several_columns_are_read_as_unknown,
      test_equivalence_ignores_ids_but_not_names, test_sort_orders_read_back_as_they_were_written)

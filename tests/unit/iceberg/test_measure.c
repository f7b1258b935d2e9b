/* Claims about the metrics of a written file. The golden was written by DuckDB (tests/golden/iceberg/README.md); what
 * is in it is said there and by the test. */
#include <math.h>

#include "support/test.h"
#include "tarn/iceberg/commit.h"

#include "internal.h"

static const char columns[] =
    "{'type':'struct','fields':["
    "{'id':1,'name':'id','required':false,'type':'long'},{'id':2,'name':'v','required':false,'type':'double'},"
    "{'id':3,'name':'w','required':false,'type':'double'},{'id':4,'name':'s','required':false,'type':'string'},"
    "{'id':5,'name':'top','required':false,'type':'string'},{'id':6,'name':'n','required':false,'type':'int'},"
    "{'id':7,'name':'dec','required':false,'type':'decimal(38, 4)'},"
    "{'id':8,'name':'small','required':false,'type':'decimal(9, 2)'},"
    "{'id':9,'name':'u','required':false,'type':'uuid'},"
    "{'id':10,'name':'l','required':false,'type':{'type':'list','element-id':11,'element':'int',"
    "'element-required':false}},"
    "{'id':12,'name':'st','required':false,'type':{'type':'struct','fields':["
    "{'id':13,'name':'a','required':false,'type':'int'}]}},"
    "{'id':14,'name':'tz','required':false,'type':'timestamptz'},"
    "{'id':15,'name':'nothing','required':false,'type':'int'}]}";

static ice_file measured(fixture *f, const ice_property *properties, size_t property_count,
                         const ice_float_bound *bounds, size_t bound_count)
{
    ice_schema *schema = ARENA_NEW(f->arena, ice_schema);
    ice_metadata m = {.format_version = 2,
                      .schemas = schema,
                      .schema_count = 1,
                      .properties = properties,
                      .property_count = property_count};
    const json *value = NULL;
    ice_file file = {.record_count = -1};

    EXPECT_OK(json_parse(QUOTED(f, columns), f->arena, &value, &f->err));
    EXPECT_OK(ice_schema_parse(value, f->arena, schema, &f->err));
    EXPECT_OK(ice_file_measure(test_golden_path(f, "iceberg/parquet/measured_duckdb.parquet"),
                               schema, &m, bounds, bound_count, f->arena, &file, &f->err));
    return file;
}

static int64_t count_of(const avro_int_long *items, size_t count, int32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].key == id) {
            return items[i].value;
        }
    }
    return -1;
}

static str bound_of(const avro_int_bytes *items, size_t count, int32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].key == id) {
            return items[i].value;
        }
    }
    return STR_NULL;
}

static str lower(const ice_file *file, int32_t id)
{
    return bound_of(file->lower_bounds, file->lower_bound_count, id);
}

static str upper(const ice_file *file, int32_t id)
{
    return bound_of(file->upper_bounds, file->upper_bound_count, id);
}

static double as_double(str bytes)
{
    double d = 0;

    if (bytes.data == NULL || bytes.size != sizeof(d)) {
        fail_msg("a bound of %zu bytes is no double", bytes.size);
        return d;
    }
    memcpy(&d, bytes.data, sizeof(d));
    return d;
}

static void test_counts_sizes_and_offsets_cover_every_leaf(void **given)
{
    fixture *f = *given;
    ice_file file = measured(f, NULL, 0, NULL, 0);

    assert_int_equal(file.record_count, 5000);
    EXPECT_STR(file.format, "PARQUET");
    assert_true(file.size_bytes > 1000);
    assert_int_equal(file.column_size_count, 13);
    assert_int_equal(count_of(file.value_counts, file.value_count_count, 1), 5000);
    assert_int_equal(count_of(file.value_counts, file.value_count_count, 11), 10000);
    assert_int_equal(count_of(file.value_counts, file.value_count_count, 10), -1);
    assert_int_equal(count_of(file.null_counts, file.null_count_count, 6), 2048);
    assert_int_equal(count_of(file.null_counts, file.null_count_count, 15), 5000);
    assert_int_equal(file.split_offset_count, 3);
    assert_int_equal(file.split_offsets[0], 4);
    assert_true(file.split_offsets[1] > 4 && file.split_offsets[2] > file.split_offsets[1]);
    for (size_t i = 1; i < file.column_size_count; i++) {
        assert_true(file.column_sizes[i].key > file.column_sizes[i - 1].key);
    }
}

static void test_bounds_span_row_groups_in_their_binary_form(void **given)
{
    fixture *f = *given;
    ice_file file = measured(f, NULL, 0, NULL, 0);

    EXPECT_STR(str_to_hex(f->arena, upper(&file, 1).data, 8), "8713000000000000");
    /* A row group of nulls alone says nothing about the others. */
    EXPECT_STR(str_to_hex(f->arena, lower(&file, 6).data, 4), "07000000");
    /* DuckDB stores decimals of more than 18 digits in 16 bytes, Iceberg in as few as it can. */
    EXPECT_STR(str_to_hex(f->arena, lower(&file, 7).data, lower(&file, 7).size), "ff3cb0");
    EXPECT_STR(str_to_hex(f->arena, upper(&file, 8).data, upper(&file, 8).size), "0190");
    EXPECT_STR(str_to_hex(f->arena, lower(&file, 9).data, lower(&file, 9).size),
               "000000000000000000000000000000ff");
    assert_int_equal(upper(&file, 13).size, 4); /* below a struct: yes */
    assert_true(str_is_null(lower(&file, 11))); /* below a list: no */
    assert_true(str_is_null(lower(&file, 15)));
}

static void test_texts_are_cut_to_16_characters_and_stepped_up(void **given)
{
    fixture *f = *given;
    ice_file file = measured(f, NULL, 0, NULL, 0);

    EXPECT_STR(lower(&file, 4), "aaaaaaaaaaaaaaaa");
    EXPECT_STR(upper(&file, 4),
               "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
               "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xaa");
    assert_int_equal(lower(&file, 5).size, 64);
    assert_true(str_is_null(upper(&file, 5))); /* nothing is above the last character */
}

static void test_a_chunk_with_nan_leaves_bounds_to_the_writers_report(void **given)
{
    fixture *f = *given;
    const ice_float_bound reported[] = {{.field_id = 2, .lower = 0, .upper = 49.5, .known = true},
                                        {.field_id = 3, .lower = -7, .upper = 7, .known = true}};
    const ice_float_bound unknown[] = {{.field_id = 2, .lower = 0, .upper = 49.5, .known = false}};
    ice_file file = measured(f, NULL, 0, NULL, 0);

    assert_true(str_is_null(lower(&file, 2)));
    assert_int_equal(count_of(file.nan_counts, file.nan_count_count, 2), -1);
    assert_int_equal(count_of(file.nan_counts, file.nan_count_count, 3), 0);

    file = measured(f, NULL, 0, reported, 2);
    assert_true(as_double(upper(&file, 2)) == 49.5);
    assert_int_equal(count_of(file.nan_counts, file.nan_count_count, 2), -1); /* still not known */
    /* Zero below is -0.0 and above +0.0, whatever the footer says; and the footer goes before the report. */
    assert_true(as_double(lower(&file, 3)) == 0 && signbit(as_double(lower(&file, 3))));
    assert_true(as_double(upper(&file, 3)) == 0 && !signbit(as_double(upper(&file, 3))));

    file = measured(f, NULL, 0, unknown, 1);
    assert_true(str_is_null(lower(&file, 2)));
}

static void test_metrics_follow_the_tables_properties(void **given)
{
    fixture *f = *given;
    const ice_property properties[] = {
        {STR("write.metadata.metrics.default"), STR("counts")},
        {STR("write.metadata.metrics.column.s"), STR("truncate(2)")},
        {STR("write.metadata.metrics.column.st.a"), STR("full")},
        {STR("write.metadata.metrics.column.id"), STR("none")},
    };
    const ice_property few[] = {
        {STR("write.metadata.metrics.max-inferred-column-defaults"), STR("1")}};
    ice_file file = measured(f, properties, COUNT_OF(properties), NULL, 0);

    assert_int_equal(count_of(file.value_counts, file.value_count_count, 1), -1);
    assert_int_equal(count_of(file.value_counts, file.value_count_count, 3), 5000);
    assert_true(str_is_null(lower(&file, 3)));
    EXPECT_STR(lower(&file, 4), "aa");
    EXPECT_STR(upper(&file, 4), "\xc3\xa9\xc3\xaa");
    assert_int_equal(lower(&file, 13).size, 4);
    assert_int_equal(file.lower_bound_count, 2);

    file = measured(f, few, 1, NULL, 0);
    assert_int_equal(file.lower_bound_count, 1);
    assert_int_equal(file.lower_bounds[0].key, 1);
}

static void test_what_is_no_parquet_file_is_refused(void **given)
{
    fixture *f = *given;
    ice_schema schema = {.root = ice_type_primitive(ICE_STRUCT)};
    ice_metadata m = {.format_version = 2, .schemas = &schema, .schema_count = 1};
    const char *path = test_write_file(f, "x.parquet", STR("PAR1 is not enough"));
    ice_file file = {.record_count = -1};

    EXPECT_STATUS(CORRUPT, ice_file_measure(path, &schema, &m, NULL, 0, f->arena, &file, &f->err));
    EXPECT_STATUS(NOT_FOUND, ice_file_measure(test_path(f, "y"), &schema, &m, NULL, 0, f->arena,
                                              &file, &f->err));
    assert_int_equal(file.record_count, -1);
}

TESTS(test_counts_sizes_and_offsets_cover_every_leaf,
      test_bounds_span_row_groups_in_their_binary_form,
      test_texts_are_cut_to_16_characters_and_stepped_up,
      test_a_chunk_with_nan_leaves_bounds_to_the_writers_report,
      test_metrics_follow_the_tables_properties, test_what_is_no_parquet_file_is_refused)

/* Files that do not look like the table: what their columns are read as. The files are written by
 * other programs (tests/golden/engine/README.md). */
#include "run/shape.h"
#include "support/test.h"
#include "tarn/base/buf.h"

static const shape *look_at(fixture *f, shape_cache *cache, const char *file)
{
    const shape *found = NULL;
    shape_cache_init(cache);
    EXPECT_OK(shape_of(cache, str_c(file), test_golden_path(f, file), &found, &f->err));
    return found;
}

static void test_the_length_of_a_footer_is_remembered(void **given)
{
    fixture *f = *given;
    shape_cache cache;
    (void)look_at(f, &cache, "engine/with_ids.parquet");
    int64_t bytes = shape_footer_bytes(&cache, STR("engine/with_ids.parquet"));
    assert_in_range(bytes, 12, 100000);
    assert_true(shape_footer_bytes(&cache, STR("engine/never_seen.parquet")) == INT64_MAX);
    shape_cache_release(&cache);
}

static const ice_type *simple(ice_kind kind)
{
    return ice_type_primitive(kind);
}

static const ice_type *nested(fixture *f, ice_kind kind, const ice_field *fields, size_t count)
{
    ice_type *type = ARENA_NEW(f->arena, ice_type);
    *type = (ice_type){.kind = kind, .fields = fields, .field_count = count};
    return type;
}

static void expect_column(fixture *f, const shape *look, const ice_field *field, const char *sql)
{
    buf *out = buf_in(f->arena, 1 << 16);
    EXPECT_OK(shape_column(look, field, STR_NULL, STR("file"), out, &f->err));
    EXPECT_STR(buf_str(out), sql);
}

/* The file: id INT32 = 1, name VARCHAR = 2, s STRUCT(x INTEGER = 4, y VARCHAR = 5) = 3,
 * l INTEGER[] (element 7) = 6, m MAP(VARCHAR, INTEGER) (8: 9, 10), b BLOB = 11 */
#define WITH_IDS "engine/with_ids.parquet"
#define WITHOUT_IDS "engine/without_ids.parquet"

static void test_columns_of_the_same_look_are_read_plain(void **given)
{
    fixture *f = *given;
    shape_cache cache;
    const shape *look = look_at(f, &cache, WITH_IDS);
    ice_field members[] = {{.id = 4, .name = STR("x"), .type = simple(ICE_INT)},
                           {.id = 5, .name = STR("y"), .type = simple(ICE_STRING)}};
    ice_field element = {.id = 7, .name = STR("element"), .type = simple(ICE_INT)};
    ice_field entry[] = {
        {.id = 9, .name = STR("key"), .required = true, .type = simple(ICE_STRING)},
        {.id = 10, .name = STR("value"), .type = simple(ICE_INT)}};
    ice_field fields[] = {
        {.id = 6, .name = STR("l"), .type = nested(f, ICE_LIST, &element, 1)},
        {.id = 1, .name = STR("id"), .type = simple(ICE_INT)},
        {.id = 3, .name = STR("s"), .type = nested(f, ICE_STRUCT, members, 2)},
        {.id = 8, .name = STR("m"), .type = nested(f, ICE_MAP, entry, 2)},
    };
    ice_schema schema = {.root = nested(f, ICE_STRUCT, fields, 4)};
    assert_true(shape_is_plain(look, &schema));
    members[0].name = STR("renamed");
    assert_false(shape_is_plain(look, &schema));
    shape_cache_release(&cache);
}

static void test_a_renamed_column_is_found_by_its_id(void **given)
{
    fixture *f = *given;
    shape_cache cache;
    const shape *look = look_at(f, &cache, WITH_IDS);
    ice_field field = {.id = 2, .name = STR("title"), .type = simple(ICE_STRING)};
    ice_schema schema = {.root = nested(f, ICE_STRUCT, &field, 1)};
    assert_false(shape_is_plain(look, &schema));
    expect_column(f, look, &field, "\"name\"");
    /* another column of the old name is not mistaken for it */
    field = (ice_field){.id = 20, .name = STR("name"), .type = simple(ICE_STRING)};
    assert_true(shape_lacks(look, &field));
    expect_column(f, look, &field, "CAST(NULL AS VARCHAR)");
    shape_cache_release(&cache);
}

static void test_types_are_widened_by_a_cast(void **given)
{
    fixture *f = *given;
    shape_cache cache;
    const shape *look = look_at(f, &cache, WITH_IDS);
    ice_field field = {.id = 1, .name = STR("id"), .type = simple(ICE_LONG)};
    expect_column(f, look, &field, "CAST(\"id\" AS BIGINT)");
    field = (ice_field){.id = 11, .name = STR("b"), .type = simple(ICE_STRING)};
    expect_column(f, look, &field, "decode(\"b\")");
    shape_cache_release(&cache);
}

static void test_a_renamed_member_is_packed_anew(void **given)
{
    fixture *f = *given;
    shape_cache cache;
    const shape *look = look_at(f, &cache, WITH_IDS);
    ice_field members[] = {{.id = 5, .name = STR("why"), .type = simple(ICE_STRING)},
                           {.id = 30, .name = STR("z"), .type = simple(ICE_DATE)}};
    ice_field field = {.id = 3, .name = STR("s"), .type = nested(f, ICE_STRUCT, members, 2)};
    expect_column(f, look, &field,
                  "CASE WHEN \"s\" IS NULL THEN NULL ELSE struct_pack(\"why\" := "
                  "struct_extract(\"s\", 'y'), \"z\" := CAST(NULL AS DATE)) END");
    shape_cache_release(&cache);
}

static void test_lists_and_maps_are_rebuilt_element_by_element(void **given)
{
    fixture *f = *given;
    shape_cache cache;
    const shape *look = look_at(f, &cache, WITH_IDS);
    ice_field element = {.id = 7, .name = STR("element"), .type = simple(ICE_LONG)};
    ice_field list = {.id = 6, .name = STR("l"), .type = nested(f, ICE_LIST, &element, 1)};
    expect_column(f, look, &list, "list_transform(\"l\", lambda tarn_e1: CAST(tarn_e1 AS BIGINT))");
    ice_field entry[] = {
        {.id = 9, .name = STR("key"), .required = true, .type = simple(ICE_STRING)},
        {.id = 10, .name = STR("value"), .type = simple(ICE_LONG)}};
    ice_field pairs = {.id = 8, .name = STR("m"), .type = nested(f, ICE_MAP, entry, 2)};
    expect_column(f, look, &pairs,
                  "map_from_entries(list_transform(map_entries(\"m\"), lambda tarn_e1: struct_pack("
                  "\"key\" := tarn_e1.key, \"value\" := CAST(tarn_e1.value AS BIGINT))))");
    shape_cache_release(&cache);
}

static void test_a_file_without_ids_gets_them_from_the_name_mapping_alone(void **given)
{
    fixture *f = *given;
    shape_cache cache;
    const shape *look = look_at(f, &cache, WITHOUT_IDS), *mapped = NULL;
    ice_field field = {.id = 77, .name = STR("ID"), .type = simple(ICE_INT)};
    assert_false(shape_has_ids(look));
    assert_true(shape_lacks(look, &field));
    /* names in a mapping are exact */
    EXPECT_OK(shape_mapped(look, STR("[{\"field-id\": 77, \"names\": [\"ID\"]}]"), f->arena,
                           &mapped, &f->err));
    assert_true(shape_lacks(mapped, &field));
    EXPECT_OK(shape_mapped(look, STR("[{\"field-id\": 77, \"names\": [\"number\", \"id\"]}]"),
                           f->arena, &mapped, &f->err));
    expect_column(f, mapped, &field, "\"id\"");
    EXPECT_STATUS(INVALID, shape_mapped(look, STR("{\"a\": 1}"), f->arena, &mapped, &f->err));
    shape_cache_release(&cache);
}

static void test_a_required_column_without_values_fails_its_readers_alone(void **given)
{
    fixture *f = *given;
    shape_cache cache;
    const shape *look = look_at(f, &cache, WITH_IDS);
    ice_field field = {.id = 40, .name = STR("n"), .type = simple(ICE_INT), .required = true};
    expect_column(f, look, &field,
                  "CAST(error('data file \"file\" has no values for column \"n\", which is "
                  "required') AS INTEGER)");
    /* unless an initial default stands for them */
    EXPECT_OK(json_parse(STR("7"), f->arena, &field.initial_default, &f->err));
    expect_column(f, look, &field, "CAST('7' AS INTEGER)");
    shape_cache_release(&cache);
}

static void test_types_that_cannot_have_been_are_refused(void **given)
{
    fixture *f = *given;
    shape_cache cache;
    const shape *look = look_at(f, &cache, WITH_IDS);
    ice_field field = {.id = 2, .name = STR("name"), .type = simple(ICE_INT)};
    buf *out = buf_in(f->arena, 1 << 16);
    EXPECT_STATUS(UNSUPPORTED, shape_column(look, &field, STR_NULL, STR("file"), out, &f->err));
    assert_non_null(strstr(f->err.message, "\"name\""));
    shape_cache_release(&cache);
}

static void test_equal_files_share_one_shape(void **given)
{
    fixture *f = *given;
    shape_cache cache;
    const shape *first = look_at(f, &cache, WITH_IDS);
    const shape *second = NULL, *third = NULL;
    const char *path = test_golden_path(f, WITH_IDS);
    EXPECT_OK(shape_of(&cache, STR("another name"), path, &second, &f->err));
    assert_ptr_equal(first, second);
    EXPECT_OK(shape_of(&cache, STR("other"), test_golden_path(f, WITHOUT_IDS), &third, &f->err));
    assert_ptr_not_equal(first, third);
    /* known by location: the file is not opened again */
    EXPECT_OK(shape_of(&cache, STR("another name"), "/nowhere", &second, &f->err));
    shape_cache_release(&cache);
}

static void test_a_broken_file_is_named_by_its_location(void **given)
{
    fixture *f = *given;
    shape_cache cache;
    const shape *look;
    const char *path = test_write_file(f, "x.parquet", STR("PAR1 is not enough PAR1"));
    shape_cache_init(&cache);
    EXPECT_STATUS(CORRUPT, shape_of(&cache, STR("s3://b/x.parquet"), path, &look, &f->err));
    assert_non_null(strstr(f->err.message, "data file \"s3://b/x.parquet\""));
    shape_cache_release(&cache);
}

TESTS(test_the_length_of_a_footer_is_remembered, test_columns_of_the_same_look_are_read_plain,
      test_a_renamed_column_is_found_by_its_id, test_types_are_widened_by_a_cast,
      test_a_renamed_member_is_packed_anew, test_lists_and_maps_are_rebuilt_element_by_element,
      test_a_file_without_ids_gets_them_from_the_name_mapping_alone,
      test_a_required_column_without_values_fails_its_readers_alone,
      test_types_that_cannot_have_been_are_refused, test_equal_files_share_one_shape,
      test_a_broken_file_is_named_by_its_location)

/* The zero-row files that tables are planned over: DuckDB reads in them exactly the columns and types that it would
 * be told otherwise. */
#include "run/stub.h"

#include <fcntl.h>

#include "tarn/codec/parquet.h"
#include "unit/engine/worker_fixture.h"

/* After the fixture, which has parameters of the name "principal". */
#include "tarn/engine/query.h"

typedef struct column {
    const char *name;
    ice_type type;
} column;

static const column plain[] = {
    {"b", {.kind = ICE_BOOLEAN}},
    {"Int", {.kind = ICE_INT}},
    {"l", {.kind = ICE_LONG}},
    {"f", {.kind = ICE_FLOAT}},
    {"d", {.kind = ICE_DOUBLE}},
    {"d1", {.kind = ICE_DECIMAL, .precision = 1, .scale = 0}},
    {"d4", {.kind = ICE_DECIMAL, .precision = 4, .scale = 4}},
    {"d9", {.kind = ICE_DECIMAL, .precision = 9, .scale = 2}},
    {"d18", {.kind = ICE_DECIMAL, .precision = 18, .scale = 3}},
    {"d38", {.kind = ICE_DECIMAL, .precision = 38, .scale = 38}},
    {"day", {.kind = ICE_DATE}},
    {"time", {.kind = ICE_TIME}},
    {"ts", {.kind = ICE_TIMESTAMP}},
    {"tz", {.kind = ICE_TIMESTAMPTZ}},
    {"a name; with \"quotes\" and 'more', \xc3\xa4", {.kind = ICE_STRING}},
    {"id", {.kind = ICE_UUID}},
    {"bytes", {.kind = ICE_BINARY}},
};

static ice_schema *schema_of(fixture *f, const column *columns, size_t count)
{
    ice_schema *schema = ARENA_NEW(f->arena, ice_schema);
    ice_type *root = ARENA_NEW(f->arena, ice_type);
    ice_field *fields = ARENA_ARRAY(f->arena, ice_field, count + 1);

    for (size_t i = 0; i < count; i++) {
        fields[i] = (ice_field){
            .id = (int32_t)(i * 100 + 1), .name = str_c(columns[i].name), .type = &columns[i].type};
    }
    *root = (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = count};
    schema->root = root;
    return schema;
}

static str file_of(fixture *f, const ice_schema *schema, bool *ret_has_columns)
{
    buf *file = buf_in(f->arena, LIMIT_MIB);

    *ret_has_columns = stub_put_file(schema, f->arena, file);
    EXPECT_OK(buf_check(file, "the file", &f->err));
    return buf_str(file);
}

static void write_file(fixture *f, const char *path, str bytes)
{
    int fd;

    EXPECT_OK(fs_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, &f->err));
    EXPECT_OK(fs_write_all(fd, bytes.data, bytes.size, &f->err));
    fs_close(fd);
}

static void test_duckdb_reads_the_very_columns_and_types(void **context)
{
    fixture *f = *context;
    worker_options options = default_options(f);
    worker *w = acquire(f, open_pool(f, &options), "alice");
    const char *path = arena_printf(f->arena, "%s/stub.parquet", worker_in(w));
    const json *rows;
    bool has_columns;

    write_file(f, path, file_of(f, schema_of(f, plain, COUNT_OF(plain)), &has_columns));
    assert_true(has_columns);
    EXPECT_OK(worker_rows(w,
                          str_printf(f->arena, "DESCRIBE SELECT * FROM read_parquet('%s')", path),
                          NULL, f->arena, &rows, &f->err));
    assert_int_equal(json_count(rows), COUNT_OF(plain));
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        buf *type = buf_in(f->arena, LIMIT_MIB);

        engine_duckdb_type(&plain[i].type, type);
        EXPECT_STR(json_str_or(json_at(json_at(rows, i), 0), STR("?")), plain[i].name);
        EXPECT_STR(json_str_or(json_at(json_at(rows, i), 1), STR("?")),
                   str_to_c(f->arena, buf_str(type)));
    }
    EXPECT_OK(worker_rows(w, str_printf(f->arena, "SELECT count(*) FROM read_parquet('%s')", path),
                          NULL, f->arena, &rows, &f->err));
    assert_int_equal(json_int64_or(json_at(json_at(rows, 0), 0), -1), 0);
    worker_release(w);
}

static void test_its_footer_is_read_back_as_it_was_meant(void **context)
{
    fixture *f = *context;
    bool has_columns;
    str file = file_of(f, schema_of(f, plain, COUNT_OF(plain)), &has_columns);
    parquet_footer footer;
    size_t needed = 0;

    EXPECT_OK(parquet_footer_parse(file, (int64_t)file.size, f->arena, &footer, &needed, &f->err));
    assert_int_equal(footer.row_count, 0);
    assert_int_equal(footer.row_group_count, 0);
    assert_int_equal(footer.leaf_count, COUNT_OF(plain));
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        const parquet_element *e = &footer.elements[i + 1];

        EXPECT_STR(e->name, plain[i].name);
        assert_int_equal(e->field_id, i * 100 + 1);
        assert_int_equal(e->repetition, PARQUET_OPTIONAL);
        if (plain[i].type.kind == ICE_DECIMAL) {
            assert_int_equal(e->precision, plain[i].type.precision);
            assert_int_equal(e->scale, plain[i].type.scale);
        }
        assert_true(e->utc_adjusted == (plain[i].type.kind == ICE_TIMESTAMPTZ));
    }
}

static void expect_no_columns(fixture *f, const column *columns, size_t count)
{
    parquet_footer footer;
    size_t needed = 0;
    bool has_columns;
    str file = file_of(f, schema_of(f, columns, count), &has_columns);

    assert_false(has_columns);
    EXPECT_OK(parquet_footer_parse(file, (int64_t)file.size, f->arena, &footer, &needed, &f->err));
    assert_int_equal(footer.leaf_count, 1);
}

static void test_what_is_in_doubt_is_told_by_a_schema(void **context)
{
    fixture *f = *context;
    const ice_field member = {.id = 2, .name = STR("m"), .type = &plain[0].type};
    const column nested[] = {{"s", {.kind = ICE_STRUCT, .fields = &member, .field_count = 1}}};
    const column names[] = {{"a", {.kind = ICE_INT}}, {"A", {.kind = ICE_INT}}};
    const column fine[] = {{"ns", {.kind = ICE_TIMESTAMPTZ_NS}}};
    const column other[] = {{"v", {.kind = ICE_VARIANT}}};
    const column empty_name[] = {{"", {.kind = ICE_INT}}};

    expect_no_columns(f, nested, 1);
    expect_no_columns(f, names, 2);
    expect_no_columns(f, fine, 1);
    expect_no_columns(f, other, 1);
    expect_no_columns(f, empty_name, 1);
    expect_no_columns(f, plain, 0);
}

TESTS(test_duckdb_reads_the_very_columns_and_types, test_its_footer_is_read_back_as_it_was_meant,
      test_what_is_in_doubt_is_told_by_a_schema)

/* Claims about Parquet footers. Goldens and who wrote them: tests/golden/codec/README.md; what
 * must be in them was printed by PyArrow. */
#include <fcntl.h>
#include <unistd.h>

#include "support/test.h"
#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"
#include "tarn/codec/parquet.h"

static void read_golden(fixture *f, const char *path, parquet_footer *ret_footer)
{
    int fd = open(test_golden_path(f, path), O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    EXPECT_OK(parquet_footer_read(fd, f->arena, ret_footer, &f->err));
    (void)close(fd);
}

/* --- the schema, as text --- */

static const char *const types[] = {"boolean", "int32",  "int64", "int96", "float",
                                    "double",  "binary", "fixed", "group"};
static const char *const repetitions[] = {"required", "optional", "repeated"};
static const char *const units[] = {"ms", "us", "ns"};

static void add_logical(buf *out, const parquet_element *e)
{
    static const char *const names[] = {
        [PARQUET_LOGICAL_STRING] = "string", [PARQUET_LOGICAL_MAP] = "map",
        [PARQUET_LOGICAL_LIST] = "list",     [PARQUET_LOGICAL_DATE] = "date",
        [PARQUET_LOGICAL_UUID] = "uuid",     [PARQUET_LOGICAL_UNKNOWN] = "unknown",
    };

    switch (e->logical) {
    case PARQUET_LOGICAL_NONE:
        return;
    case PARQUET_LOGICAL_DECIMAL:
        buf_printf(out, " decimal(%d,%d)", e->precision, e->scale);
        return;
    case PARQUET_LOGICAL_TIME:
    case PARQUET_LOGICAL_TIMESTAMP:
        buf_printf(out, " %s %s%s", e->logical == PARQUET_LOGICAL_TIME ? "time" : "timestamp",
                   units[e->unit], e->utc_adjusted ? " utc" : "");
        return;
    case PARQUET_LOGICAL_INTEGER:
        buf_printf(out, " %cint%d", e->is_signed ? 's' : 'u', e->bit_width);
        return;
    default:
        buf_printf(out, " %s", names[e->logical]);
        return;
    }
}

static const char *schema_text(fixture *f, const parquet_footer *footer)
{
    buf *out = buf_in(f->arena, LIMIT_MIB);

    for (size_t i = 1; i < footer->element_count; i++) {
        const parquet_element *e = &footer->elements[i];

        for (size_t p = e->parent; p != 0; p = footer->elements[p].parent) {
            buf_add_char(out, '.');
        }
        buf_printf(out, "%.*s %s %s", STR_ARG(e->name), repetitions[e->repetition], types[e->type]);
        if (e->type == PARQUET_FIXED) {
            buf_printf(out, "(%d)", e->type_length);
        }
        add_logical(out, e);
        if (e->field_id != PARQUET_NO_FIELD_ID) {
            buf_printf(out, " id=%d", e->field_id);
        }
        buf_printf(out, "%s\n", e->repeated ? " in list" : "");
        if (e->leaf_index != PARQUET_NO_INDEX) {
            assert_int_equal(footer->leaves[e->leaf_index], i);
        }
    }
    return out->data;
}

static void test_every_type_of_the_schema_is_read(void **state)
{
    fixture *f = *state;
    parquet_footer footer;

    read_golden(f, "codec/parquet/types_pyarrow.parquet", &footer);
    assert_string_equal(schema_text(f, &footer), "b optional boolean id=1\n"
                                                 "i8 optional int32 sint8\n"
                                                 "u32 optional int32 uint32\n"
                                                 "i64 required int64 id=4\n"
                                                 "f optional float\n"
                                                 "d optional double\n"
                                                 "s optional binary string id=7\n"
                                                 "bin optional binary\n"
                                                 "dec optional fixed(9) decimal(20,3)\n"
                                                 "date optional int32 date\n"
                                                 "t optional int64 time us\n"
                                                 "ts optional int64 timestamp us\n"
                                                 "tsz optional int64 timestamp ns utc\n"
                                                 "fx optional fixed(5)\n"
                                                 "l optional group list id=15\n"
                                                 ".list repeated group in list\n"
                                                 "..element optional int32 id=16 in list\n"
                                                 "m optional group map\n"
                                                 ".key_value repeated group in list\n"
                                                 "..key required binary string in list\n"
                                                 "..value optional int64 in list\n"
                                                 "st optional group\n"
                                                 ".x required int32\n"
                                                 ".y optional binary string\n");
    read_golden(f, "codec/parquet/types_duckdb.parquet", &footer);
    assert_string_equal(schema_text(f, &footer), "id optional int64 sint64 id=1\n"
                                                 "v optional double id=2\n"
                                                 "s optional binary string id=3\n"
                                                 "l optional group list id=4\n"
                                                 ".list repeated group in list\n"
                                                 "..element optional int64 sint64 id=5 in list\n"
                                                 "st optional group id=6\n"
                                                 ".a optional int32 sint32 id=7\n"
                                                 ".b optional int32 date id=8\n"
                                                 "dec optional int32 decimal(9,2) id=9\n"
                                                 "u optional fixed(16) uuid id=10\n"
                                                 "tz optional int64 timestamp us utc id=11\n");
}

static void test_row_groups_and_columns_are_read(void **state)
{
    fixture *f = *state;
    parquet_footer footer;
    const parquet_column *c;

    read_golden(f, "codec/parquet/types_pyarrow.parquet", &footer);
    assert_int_equal(footer.row_count, 3);
    assert_int_equal(footer.leaf_count, 19);
    assert_int_equal(footer.footer_bytes, 3415 + 8);
    EXPECT_STR(footer.created_by, "parquet-cpp-arrow version 26.0.1");
    assert_int_equal(footer.row_group_count, 2);
    assert_int_equal(footer.row_groups[0].row_count, 2);
    assert_int_equal(footer.row_groups[0].total_bytes, 1548);
    assert_int_equal(footer.row_groups[0].file_offset, 4);
    assert_int_equal(footer.row_groups[1].file_offset, 1880);

    c = &footer.row_groups[0].columns[14]; /* l.list.element */
    assert_int_equal(c->value_count, 4);
    assert_int_equal(c->compressed_bytes, 103);
    assert_int_equal(c->uncompressed_bytes, 85);
    assert_int_equal(c->data_page_offset, 1435);
    assert_int_equal(c->dictionary_page_offset, 1404);
    assert_true(c->stats.has_null_count);
    assert_int_equal(c->stats.null_count, 2);
    c = &footer.row_groups[0].columns[0];
    assert_int_equal(c->dictionary_page_offset, -1);
}

static void test_statistics_are_plain_values(void **state)
{
    fixture *f = *state;
    parquet_footer footer;
    const parquet_column *c;

    read_golden(f, "codec/parquet/types_pyarrow.parquet", &footer);
    c = footer.row_groups[0].columns;
    assert_memory_equal(c[1].stats.min.data, "\xfb\xff\xff\xff", 4); /* -5 */
    assert_memory_equal(c[2].stats.max.data, "\x00\x28\x6b\xee", 4); /* 4000000000 */
    EXPECT_STR(c[6].stats.min, "apple");
    EXPECT_STR(c[6].stats.max, "pear");
    assert_true(c[6].stats.min_exact && c[6].stats.max_exact);
    assert_int_equal(c[8].stats.min.size, 9);
    assert_memory_equal(c[8].stats.max.data, "\0\0\0\0\0\0\0\x30\x39", 9); /* 12345 */
    assert_memory_equal(c[9].stats.min.data, "\xff\xff\xff\xff", 4);       /* 1969-12-31 */
    assert_memory_equal(c[17].stats.min.data, "\xf7\xff\xff\xff", 4);      /* -9 */
    c = footer.row_groups[1].columns;
    assert_true(!c[1].stats.has_min && !c[1].stats.has_max && c[1].stats.null_count == 1);
}

static void test_files_of_other_writers_are_read(void **state)
{
    fixture *f = *state;
    parquet_footer footer;

    read_golden(f, "codec/parquet/rows_parquet_mr.parquet", &footer);
    assert_true(str_starts_with(footer.created_by, STR("parquet-mr version 1.15.0")));
    assert_int_equal(footer.row_count, 4);
    EXPECT_STR(footer.row_groups[0].columns[1].stats.max, "d");
    read_golden(f, "codec/parquet/decimal_duckdb.parquet", &footer);
    assert_int_equal(footer.row_groups[0].columns[0].data_page_offset, 27);
    assert_int_equal(footer.row_groups[0].file_offset, 4);
    read_golden(f, "codec/parquet/nulls_pyiceberg.parquet", &footer);
    assert_int_equal(footer.row_groups[0].columns[3].stats.null_count, 3);
    assert_false(footer.row_groups[0].columns[3].stats.has_min);
    read_golden(f, "codec/parquet/version1_pyarrow.parquet", &footer);
    assert_string_equal(schema_text(f, &footer), "b optional boolean id=1\n"
                                                 "u32 optional int64\n"
                                                 "ts optional int64 timestamp us\n"
                                                 "s optional binary string id=7\n");
}

/* --- footers by hand --- */

static void put_varint(buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        buf_add_char(out, (char)(value | 0x80));
    }
    buf_add_char(out, (char)value);
}

/* The field numbers of one struct stand one behind the other, so that the head is a difference. */
static void put_int(buf *out, int delta, int64_t value)
{
    buf_add_char(out, (char)(delta << 4 | 6));
    put_varint(out, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static void put_int32(buf *out, int delta, int32_t value)
{
    buf_add_char(out, (char)(delta << 4 | 5));
    put_varint(out, ((uint64_t)(int64_t)value << 1) ^ (uint64_t)((int64_t)value >> 63));
}

static void put_bytes(buf *out, int delta, str value)
{
    buf_add_char(out, (char)(delta << 4 | 8));
    put_varint(out, value.size);
    buf_add_str(out, value);
}

static void put_list(buf *out, int delta, int count)
{
    buf_add_char(out, (char)(delta << 4 | 9));
    buf_add_char(out, (char)(count << 4 | 12));
}

static str with_tail(fixture *f, const buf *footer)
{
    buf *file = buf_in(f->arena, 64 * LIMIT_MIB);

    buf_add_c(file, "PAR1");
    buf_add_str(file, buf_str(footer));
    buf_add_u32le(file, (uint32_t)footer->size);
    buf_add_c(file, "PAR1");
    return buf_str(file);
}

static status parse(fixture *f, str file, parquet_footer *ret_footer)
{
    size_t needed = 1;

    TRY(parquet_footer_parse(file, (int64_t)file.size, f->arena, ret_footer, &needed, &f->err));
    assert_int_equal(needed, 0);
    return STATUS_OK;
}

/* One column of `type` and `converted` (-1: none) with the deprecated pair of statistics. */
static str old_file(fixture *f, int type, int converted, str min, str max, int column_type)
{
    buf *b = buf_in(f->arena, LIMIT_MIB);

    put_int32(b, 1, 1); /* version */
    put_list(b, 1, 2);  /* schema */
    put_bytes(b, 4, STR("root"));
    put_int32(b, 1, 1);
    buf_add_char(b, 0);
    put_int32(b, 1, type);
    put_int32(b, 2, PARQUET_OPTIONAL);
    put_bytes(b, 1, STR("c"));
    if (converted >= 0) {
        put_int32(b, 2, converted);
    }
    buf_add_char(b, 0);
    put_int(b, 1, 10);    /* rows */
    put_list(b, 1, 1);    /* row groups */
    put_list(b, 1, 1);    /* columns */
    buf_add_c(b, "\x3c"); /* metadata of the column */
    put_int32(b, 1, column_type);
    put_int(b, 4, 10);
    put_int(b, 1, 100);
    put_int(b, 1, 90);
    put_int(b, 2, 4);
    buf_add_c(b, "\x3c"); /* statistics */
    put_bytes(b, 1, max);
    put_bytes(b, 1, min);
    put_int(b, 1, 3);
    buf_add(b, "\0\0\0", 3);
    put_int(b, 1, 100);
    put_int(b, 1, 10);
    buf_add(b, "\0\0", 2);
    return with_tail(f, b);
}

static void test_the_old_pair_of_bounds_is_used_for_signed_numbers_alone(void **state)
{
    fixture *f = *state;
    str four = str_from("\1\0\0\0", 4);
    parquet_footer footer;
    const parquet_statistics *stats;

    EXPECT_OK(parse(f, old_file(f, PARQUET_INT32, -1, four, four, PARQUET_INT32), &footer));
    stats = &footer.row_groups[0].columns[0].stats;
    assert_true(stats->has_min && stats->has_max && stats->has_null_count);
    assert_memory_equal(stats->min.data, "\1\0\0\0", 4);
    assert_int_equal(stats->null_count, 3);

    EXPECT_OK(parse(f, old_file(f, PARQUET_INT32, 13, four, four, PARQUET_INT32), &footer));
    assert_int_equal(footer.elements[1].logical, PARQUET_LOGICAL_INTEGER);
    assert_false(footer.row_groups[0].columns[0].stats.has_min); /* UINT_32 */

    EXPECT_OK(parse(f, old_file(f, PARQUET_BYTE_ARRAY, 0, STR("a"), STR("b"), PARQUET_BYTE_ARRAY),
                    &footer));
    assert_int_equal(footer.elements[1].logical, PARQUET_LOGICAL_STRING);
    assert_false(footer.row_groups[0].columns[0].stats.has_max);

    EXPECT_OK(parse(
        f, old_file(f, PARQUET_INT64, 10, str_from("\1\0\0\0\0\0\0\0", 8), four, PARQUET_INT64),
        &footer));
    stats = &footer.row_groups[0].columns[0].stats;
    assert_true(stats->has_min && !stats->has_max); /* a bound of a wrong length is none */
    assert_true(footer.elements[1].utc_adjusted && footer.elements[1].unit == PARQUET_MICROS);
}

static void test_footers_that_contradict_themselves_are_corrupt(void **state)
{
    fixture *f = *state;
    str four = str_from("\1\0\0\0", 4);
    parquet_footer footer;
    buf *b = buf_in(f->arena, LIMIT_MIB);

    EXPECT_STATUS(CORRUPT,
                  parse(f, old_file(f, PARQUET_INT32, -1, four, four, PARQUET_INT64), &footer));
    assert_non_null(strstr(f->err.message, "a column has another type than in the schema"));

    put_list(b, 2, 1); /* a root that misses its child */
    put_bytes(b, 4, STR("root"));
    put_int32(b, 1, 1);
    buf_add_char(b, 0);
    put_int(b, 1, 0);
    buf_add_char(b, 0);
    EXPECT_STATUS(CORRUPT, parse(f, with_tail(f, b), &footer));
    EXPECT_MESSAGE(f, "malformed Parquet footer: the schema has fewer elements than it counts");

    buf_clear(b);
    for (int i = 0; i < 1000; i++) {
        buf_add_char(b, '\x7c'); /* a struct in a struct in a struct */
    }
    EXPECT_STATUS(CORRUPT, parse(f, with_tail(f, b), &footer));
    assert_non_null(strstr(f->err.message, "it is nested too deep"));
}

static void test_what_is_no_parquet_file_is_said(void **state)
{
    fixture *f = *state;
    parquet_footer footer;
    size_t needed;

    EXPECT_STATUS(CORRUPT, parse(f, STR("a,b,c\n1,2,3\n"), &footer));
    EXPECT_MESSAGE(f, "not a Parquet file, or a truncated one: no \"PAR1\" at its end");
    EXPECT_STATUS(CORRUPT, parse(f, STR("PAR1"), &footer));
    EXPECT_MESSAGE(f, "not a Parquet file: it is too short");
    EXPECT_STATUS(UNSUPPORTED, parse(f, STR("PAR1 \1\0\0\0PARE"), &footer));
    EXPECT_MESSAGE(f, "the Parquet file is encrypted");
    EXPECT_STATUS(CORRUPT, parse(f, STR("PAR1\xff\xff\xff\x7fPAR1"), &footer));
    EXPECT_MESSAGE(f, "malformed Parquet footer: it is longer than the file");
    EXPECT_STATUS(TOO_LARGE, parquet_footer_parse(STR("PAR1\xff\xff\xff\x7fPAR1"), INT64_C(1) << 40,
                                                  f->arena, &footer, &needed, &f->err));
}

static void test_a_short_tail_asks_for_more(void **state)
{
    fixture *f = *state;
    str file = GOLDEN(f, "codec/parquet/types_pyarrow.parquet");
    parquet_footer footer;
    size_t needed = 0;

    EXPECT_OK(parquet_footer_parse(str_slice(file, file.size - 100, file.size), (int64_t)file.size,
                                   f->arena, &footer, &needed, &f->err));
    assert_int_equal(needed, 3415 + 8);
    EXPECT_OK(parquet_footer_parse(str_slice(file, file.size - needed, file.size),
                                   (int64_t)file.size, f->arena, &footer, &needed, &f->err));
    assert_int_equal(needed, 0);
    assert_int_equal(footer.row_count, 3);
}

static void test_cut_and_flipped_footers_never_bring_it_down(void **state)
{
    fixture *f = *state;
    str file = GOLDEN(f, "codec/parquet/types_pyarrow.parquet");
    str good = str_slice(file, file.size - 3423, file.size - 8);
    rng r;

    rng_seed(&r, 5);
    for (int i = 0; i < 3000; i++) {
        arena *a = arena_child(f->arena);
        buf *b = buf_in(a, LIMIT_MIB);
        parquet_footer footer;
        size_t needed;
        str bytes;

        buf_add(b, good.data, i < 1000 ? (size_t)i * 3 : good.size);
        for (int flips = 0; i >= 1000 && flips < 3; flips++) {
            b->data[rng_below(&r, b->size)] ^= (char)(1U << rng_below(&r, 8));
        }
        bytes = with_tail(f, b);
        if (parquet_footer_parse(bytes, (int64_t)bytes.size, a, &footer, &needed, NULL) ==
            STATUS_OK) {
            assert_true(i >= 1000); /* cut footers are seen */
        }
        arena_free(a);
    }
}

TESTS(test_every_type_of_the_schema_is_read, test_row_groups_and_columns_are_read,
      test_statistics_are_plain_values, test_files_of_other_writers_are_read,
      test_the_old_pair_of_bounds_is_used_for_signed_numbers_alone,
      test_footers_that_contradict_themselves_are_corrupt, test_what_is_no_parquet_file_is_said,
      test_a_short_tail_asks_for_more, test_cut_and_flipped_footers_never_bring_it_down)

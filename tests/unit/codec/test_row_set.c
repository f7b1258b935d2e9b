/* Claims about sets of rows and deletion vectors. Goldens and who wrote them: tests/golden/codec/README.md; how many
 * rows are in them, and their sum, was printed by pyroaring 1.2. */
#include "support/test.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/base/rng.h"
#include "tarn/codec/row_set.h"

static void free_set(void *set)
{
    row_set_free(set);
}

static row_set *kept(fixture *f, row_set *set)
{
    arena_defer(f->arena, free_set, set);
    return set;
}

static row_set *of_range(fixture *f, int64_t from, int64_t to, int64_t step)
{
    row_set *set = kept(f, row_set_create());

    for (int64_t row = from; row < to; row += step) {
        row_set_add(set, &row, 1);
    }
    return set;
}

static int64_t sum_of(const row_set *set)
{
    int64_t rows[1000];
    uint64_t sum = 0; /* wraps around */
    int64_t from = 0;
    size_t got;

    while ((got = row_set_read(set, from, rows, COUNT_OF(rows))) > 0) {
        for (size_t i = 0; i < got; i++) {
            sum += (uint64_t)rows[i];
        }
        from = rows[got - 1] + 1;
    }
    return (int64_t)sum;
}

static const struct {
    const char *path;
    int64_t count, sum, last;
    bool bare; /* a bitmap without the blob around it */
} goldens[] = {
    {"codec/deletes/64map32bitvals.bin", 10, 45, 9, true},
    {"codec/deletes/64mapempty.bin", 0, 0, -1, true},
    {"codec/deletes/64mapspreadvals.bin", 100, INT64_C(1932735283650), INT64_C(38654705673), true},
    {"codec/deletes/empty-position-index.bin", 0, 0, -1, false},
    {"codec/deletes/small-alternating-values-position-index.bin", 5, 25, 9, false},
    {"codec/deletes/small-and-large-values-position-index.bin", 4, INT64_C(4294967696),
     INT64_C(2147483748), false},
    {"codec/deletes/all-container-types-position-index.bin", 132561, INT64_C(283601083008633),
     INT64_C(4295163902), false},
    {"codec/deletes/bare-deletion-vector.puffin", 1, 1, 1, false},
};

static status parse_golden(fixture *f, size_t i, row_set **ret_set)
{
    str bytes = GOLDEN(f, goldens[i].path);

    return goldens[i].bare ? row_set_parse(bytes, ret_set, &f->err)
                           : deletion_vector_parse(bytes, ret_set, &f->err);
}

static void test_what_other_programs_wrote_is_read(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(goldens); i++) {
        row_set *set = NULL;

        EXPECT_OK(parse_golden(f, i, &set));
        (void)kept(f, set);
        assert_int_equal(row_set_count(set), goldens[i].count);
        assert_int_equal(row_set_last(set), goldens[i].last);
        assert_int_equal(sum_of(set), goldens[i].sum);
    }
}

static void test_what_is_written_reads_back(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(goldens); i++) {
        row_set *set = NULL;
        row_set *back = NULL;
        buf *blob = buf_in(f->arena, LIMIT_MIB);

        EXPECT_OK(parse_golden(f, i, &set));
        (void)kept(f, set);
        deletion_vector_format(set, blob);
        EXPECT_OK(buf_check(blob, "the blob", &f->err));
        EXPECT_OK(deletion_vector_parse(buf_str(blob), &back, &f->err));
        (void)kept(f, back);
        assert_int_equal(row_set_count(back), goldens[i].count);
        assert_int_equal(sum_of(back), goldens[i].sum);
    }
}

static void test_the_blob_is_byte_for_byte_that_of_the_reference(void **state)
{
    static const size_t same[] = {3, 4, 6};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(same); i++) {
        row_set *set = NULL;
        buf *blob = buf_in(f->arena, LIMIT_MIB);

        EXPECT_OK(parse_golden(f, same[i], &set));
        deletion_vector_format(kept(f, set), blob);
        assert_true(str_equal(buf_str(blob), GOLDEN(f, goldens[same[i]].path)));
    }
}

static void test_bytes_that_are_no_bitmap_are_corrupt(void **state)
{
    fixture *f = *state;
    row_set *set = NULL;

    EXPECT_STATUS(CORRUPT,
                  row_set_parse(GOLDEN(f, "codec/deletes/64maphighvals.bin"), &set, &f->err));
    assert_null(set);
}

static void test_every_cut_is_corrupt(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(goldens); i++) {
        str whole = GOLDEN(f, goldens[i].path);

        for (size_t size = 0; size < whole.size; size++) {
            /* memory of exactly that size: reading further shows under the sanitizer */
            char *bytes = mem_alloc(size + 1);
            str part = str_from(bytes, size);
            row_set *set = NULL;

            memcpy(bytes, whole.data, size);
            EXPECT_STATUS(CORRUPT, goldens[i].bare ? row_set_parse(part, &set, &f->err)
                                                   : deletion_vector_parse(part, &set, &f->err));
            mem_free(bytes);
        }
    }
}

static void test_every_flipped_bit_of_a_vector_is_corrupt(void **state)
{
    fixture *f = *state;
    str whole = GOLDEN(f, "codec/deletes/all-container-types-position-index.bin");
    char *bytes = arena_strndup(f->arena, whole.data, whole.size);

    for (size_t bit = 0; bit < whole.size * 8; bit++) {
        row_set *set = NULL;

        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        EXPECT_STATUS(CORRUPT, deletion_vector_parse(str_from(bytes, whole.size), &set, &f->err));
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
}

static void test_flipped_bits_of_a_bitmap_never_break_the_set(void **state)
{
    fixture *f = *state;
    str whole = GOLDEN(f, "codec/deletes/64mapspreadvals.bin");
    char *bytes = arena_strndup(f->arena, whole.data, whole.size);

    for (size_t bit = 0; bit < whole.size * 8; bit++) {
        row_set *set = NULL;

        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        error_clear(&f->err);
        if (row_set_parse(str_from(bytes, whole.size), &set, &f->err) == STATUS_OK) {
            (void)sum_of(set);
            assert_true(row_set_count(set) >= 0);
            row_set_free(set);
        } else {
            assert_int_equal(f->err.kind, STATUS_CORRUPT);
        }
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
}

static void test_disorder_inside_a_bitmap_is_corrupt(void **state)
{
    /* one bitmap of key 0: 2 values in an array, not ascending; a run beyond 65535; runs that overlap;
     * containers not ascending; bits that are fewer than said */
    /* clang-format off */
    static const char *const hex[] = {
        "0100000000000000000000003a30000001000000000001001000000005000500",
        "0100000000000000000000003b30000001000001000100ffff0100",
        "0100000000000000000000003b300000010000030002000100030004000100",
        "0100000000000000000000003a300000020000000100000001000000180000001900000005000500",
        "0200000000000000000000003a30000000000000000000003a30000000000000",
        "0100000000000000000000003a30000001000100",
        "ffffffffffffffff00000000",
    };
    /* clang-format on */
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(hex); i++) {
        str bytes;
        row_set *set = NULL;

        EXPECT_OK(str_from_hex(f->arena, str_c(hex[i]), &bytes, &f->err));
        EXPECT_STATUS(CORRUPT, row_set_parse(bytes, &set, &f->err));
    }
}

static void test_empty_bitmaps_between_others_are_accepted(void **state)
{
    fixture *f = *state;
    str bytes;
    row_set *set = NULL;
    int64_t row = (INT64_C(1) << 32) + 5;

    EXPECT_OK(str_from_hex(f->arena,
                           STR("0200000000000000"
                               "00000000"
                               "3a300000"
                               "00000000"
                               "01000000"
                               "3a300000"
                               "01000000"
                               "00000000"
                               "10000000"
                               "0500"),
                           &bytes, &f->err));
    EXPECT_OK(row_set_parse(bytes, &set, &f->err));
    (void)kept(f, set);
    assert_int_equal(row_set_count(set), 1);
    assert_true(row_set_has(set, row));
    assert_false(row_set_has(set, 5));
}

static void expect_same_answers(fixture *f, const row_set *set, const int64_t *rows, size_t count)
{
    bool *missing = ARENA_ARRAY(f->arena, bool, count + 1);

    row_set_find_missing(set, rows, count, missing);
    for (size_t i = 0; i < count; i++) {
        if (missing[i] == row_set_has(set, rows[i])) {
            fail_msg("row %lld: missing %d", (long long)rows[i], missing[i]);
        }
    }
}

static void test_rows_are_found_alone_and_in_numbers_alike(void **state)
{
    fixture *f = *state;
    rng r;
    row_set *sets[] = {
        of_range(f, 0, 300000, 3),
        of_range(f, 100, 130000, 1),
        of_range(f, (INT64_C(1) << 32) - 5000, (INT64_C(1) << 32) + 5000, 7),
        kept(f, row_set_create()),
    };
    int64_t rows[2048];

    rng_seed(&r, 4);
    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        for (int round = 0; round < 60; round++) {
            int64_t at =
                (int64_t)(rng_next(&r) % 310000) + (i == 2 ? (INT64_C(1) << 32) - 155000 : 0);
            int64_t step = round % 3 == 0 ? 1 : (int64_t)(rng_next(&r) % 100);

            for (size_t k = 0; k < COUNT_OF(rows); k++) {
                rows[k] = at;
                at += round % 3 == 2 ? (int64_t)(rng_next(&r) % 40000) - at % 7 : step;
            }
            expect_same_answers(f, sets[i], rows, COUNT_OF(rows));
        }
    }
}

static void test_sets_unite(void **state)
{
    fixture *f = *state;
    row_set *set = of_range(f, 0, 1000, 2);

    row_set_unite(set, of_range(f, 1, 1000, 2));
    row_set_unite(set, of_range(f, INT64_C(1) << 33, (INT64_C(1) << 33) + 10, 1));
    assert_int_equal(row_set_count(set), 1010);
    assert_int_equal(row_set_last(set), (INT64_C(1) << 33) + 9);
}

TESTS(test_what_other_programs_wrote_is_read, test_what_is_written_reads_back,
      test_the_blob_is_byte_for_byte_that_of_the_reference,
      test_bytes_that_are_no_bitmap_are_corrupt, test_every_cut_is_corrupt,
      test_every_flipped_bit_of_a_vector_is_corrupt,
      test_flipped_bits_of_a_bitmap_never_break_the_set, test_disorder_inside_a_bitmap_is_corrupt,
      test_empty_bitmaps_between_others_are_accepted,
      test_rows_are_found_alone_and_in_numbers_alike, test_sets_unite)

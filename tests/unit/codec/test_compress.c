/* Claims about compression. */
#include "support/test.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"
#include "tarn/codec/compress.h"

static const compression all[] = {
    COMPRESSION_NONE,   COMPRESSION_GZIP,      COMPRESSION_DEFLATE,     COMPRESSION_ZSTD,
    COMPRESSION_SNAPPY, COMPRESSION_LZ4_FRAME, COMPRESSION_AVRO_SNAPPY,
};

/* Half noise, half text, so that formats store and compress. */
static str sample(fixture *f, size_t size)
{
    char *bytes = arena_alloc(f->arena, size + 1);
    rng r;

    rng_seed(&r, size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i < size / 2 ? rng_next(&r) & 0xff : 'a' + i % 7);
    }
    return str_from(bytes, size);
}

static void test_every_format_gives_back_what_it_was_given(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 1 << 20, (1 << 20) + 1};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(all); i++) {
        for (size_t j = 0; j < COUNT_OF(sizes); j++) {
            str plain = sample(f, sizes[j]);
            buf *packed = buf_in(f->arena, 4 * LIMIT_MIB);
            buf *back = buf_in(f->arena, sizes[j]); /* exactly enough */

            EXPECT_OK(compress_bytes(all[i], 0, plain, packed, &f->err));
            EXPECT_OK(decompress_bytes(all[i], buf_str(packed), back, &f->err));
            assert_true(str_equal(buf_str(back), plain));
        }
    }
}

static void test_output_beyond_the_maximum_is_too_large(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(all); i++) {
        str plain = sample(f, 200000);
        buf *packed = buf_in(f->arena, LIMIT_MIB);
        buf *back = buf_in(f->arena, 199999);

        EXPECT_OK(compress_bytes(all[i], 0, plain, packed, &f->err));
        EXPECT_STATUS(TOO_LARGE, decompress_bytes(all[i], buf_str(packed), back, &f->err));
    }
}

static void test_output_is_appended(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(all); i++) {
        buf *packed = buf_in(f->arena, LIMIT_MIB);
        buf *back = buf_in(f->arena, LIMIT_MIB);
        buf *head = buf_in(f->arena, LIMIT_MIB);

        buf_add_c(head, "head");
        EXPECT_OK(compress_bytes(all[i], 0, STR("tail"), packed, &f->err));
        EXPECT_OK(compress_bytes(all[i], 0, STR("tail"), head, &f->err));
        assert_int_equal(head->size, packed->size + 4);
        buf_add_c(back, "head");
        EXPECT_OK(decompress_bytes(all[i], buf_str(packed), back, &f->err));
        EXPECT_STR(buf_str(back), "headtail");
    }
}

static void test_truncated_data_is_corrupt(void **state)
{
    fixture *f = *state;

    for (size_t i = 1; i < COUNT_OF(all); i++) {
        str plain = sample(f, 3000);
        buf *packed = buf_in(f->arena, LIMIT_MIB);

        EXPECT_OK(compress_bytes(all[i], 0, plain, packed, &f->err));
        for (size_t size = 0; size < packed->size; size += 1 + size / 9) {
            buf *back = buf_in(f->arena, LIMIT_MIB);
            EXPECT_STATUS(CORRUPT, decompress_bytes(all[i], str_slice(buf_str(packed), 0, size),
                                                    back, &f->err));
        }
    }
}

static void test_checksums_of_the_formats_are_checked(void **state)
{
    static const compression checked[] = {COMPRESSION_GZIP, COMPRESSION_LZ4_FRAME,
                                          COMPRESSION_AVRO_SNAPPY};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(checked); i++) {
        buf *packed = buf_in(f->arena, LIMIT_MIB);
        buf *back = buf_in(f->arena, LIMIT_MIB);

        EXPECT_OK(compress_bytes(checked[i], 0, STR("abcdefgh"), packed, &f->err));
        packed->data[packed->size - (checked[i] == COMPRESSION_GZIP ? 8 : 1)] ^= 1;
        EXPECT_STATUS(CORRUPT, decompress_bytes(checked[i], buf_str(packed), back, &f->err));
    }
}

static void test_streams_one_behind_the_other_are_one(void **state)
{
    static const compression chained[] = {COMPRESSION_GZIP, COMPRESSION_ZSTD,
                                          COMPRESSION_LZ4_FRAME};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(chained); i++) {
        buf *packed = buf_in(f->arena, LIMIT_MIB);
        buf *back = buf_in(f->arena, LIMIT_MIB);

        EXPECT_OK(compress_bytes(chained[i], 0, STR("one,"), packed, &f->err));
        EXPECT_OK(compress_bytes(chained[i], 0, STR("two"), packed, &f->err));
        EXPECT_OK(decompress_bytes(chained[i], buf_str(packed), back, &f->err));
        EXPECT_STR(buf_str(back), "one,two");
    }
}

static void test_bytes_behind_the_end_are_corrupt(void **state)
{
    fixture *f = *state;

    for (size_t i = 1; i < COUNT_OF(all); i++) {
        buf *packed = buf_in(f->arena, LIMIT_MIB);
        buf *back = buf_in(f->arena, LIMIT_MIB);

        EXPECT_OK(compress_bytes(all[i], 0, STR("abcdefgh"), packed, &f->err));
        buf_add_c(packed, "much more"); /* deflate bears the four bytes of a checksum */
        EXPECT_STATUS(CORRUPT, decompress_bytes(all[i], buf_str(packed), back, &f->err));
    }
}

static void test_a_claimed_length_is_not_believed(void **state)
{
    fixture *f = *state;
    buf *back = buf_in(f->arena, LIMIT_MANIFEST_FILE);

    /* snappy: one GiB in seven bytes */
    EXPECT_STATUS(CORRUPT, decompress_bytes(COMPRESSION_SNAPPY,
                                            str_from("\x80\x80\x80\x80\x04\x00"
                                                     "a",
                                                     7),
                                            back, &f->err));
    assert_true(back->capacity < LIMIT_MIB);
}

static void test_pieces_make_one_gzip_member(void **state)
{
    static const size_t sizes[] = {70000, 1, 0, 65536, 3, 1 << 20, 500};
    fixture *f = *state;
    gzip_piece pieces[COUNT_OF(sizes)];
    buf *plain = buf_in(f->arena, 4 * LIMIT_MIB);
    buf *packed = buf_in(f->arena, 4 * LIMIT_MIB);
    buf *back = buf_in(f->arena, 4 * LIMIT_MIB);

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        str piece = sample(f, sizes[i]);

        /* with nothing, something, and more than a window before it */
        EXPECT_OK(gzip_piece_pack(1, i % 2 == 0 ? buf_str(plain) : STR(""), piece, f->arena,
                                  &pieces[i], &f->err));
        assert_int_equal(pieces[i].plain_bytes, sizes[i]);
        buf_add_str(plain, piece);
    }
    gzip_piece_join(pieces, COUNT_OF(pieces), packed);
    EXPECT_OK(decompress_bytes(COMPRESSION_GZIP, buf_str(packed), back, &f->err));
    assert_true(str_equal(buf_str(back), buf_str(plain)));

    buf_clear(packed);
    buf_clear(back);
    gzip_piece_join(NULL, 0, packed);
    EXPECT_OK(decompress_bytes(COMPRESSION_GZIP, buf_str(packed), back, &f->err));
    assert_int_equal(back->size, 0);
}

static void test_the_checksum_of_the_whole_comes_from_the_pieces(void **state)
{
    fixture *f = *state;
    gzip_piece pieces[2];
    buf *right = buf_in(f->arena, LIMIT_MIB);
    buf *wrong = buf_in(f->arena, LIMIT_MIB);
    buf *back = buf_in(f->arena, LIMIT_MIB);
    uint32_t crc;

    EXPECT_OK(gzip_piece_pack(1, STR(""), STR("first, "), f->arena, &pieces[0], &f->err));
    EXPECT_OK(gzip_piece_pack(1, STR("first, "), STR("second"), f->arena, &pieces[1], &f->err));
    gzip_piece_join(pieces, 2, right);
    crc = pieces[0].crc;
    pieces[0].crc = pieces[1].crc;
    gzip_piece_join(pieces, 2, wrong);
    pieces[0].crc = crc;
    EXPECT_OK(decompress_bytes(COMPRESSION_GZIP, buf_str(right), back, &f->err));
    EXPECT_STR(buf_str(back), "first, second");
    buf_clear(back);
    EXPECT_STATUS(CORRUPT, decompress_bytes(COMPRESSION_GZIP, buf_str(wrong), back, &f->err));
}

TESTS(test_every_format_gives_back_what_it_was_given, test_output_beyond_the_maximum_is_too_large,
      test_output_is_appended, test_truncated_data_is_corrupt,
      test_checksums_of_the_formats_are_checked, test_streams_one_behind_the_other_are_one,
      test_bytes_behind_the_end_are_corrupt, test_pieces_make_one_gzip_member,
      test_the_checksum_of_the_whole_comes_from_the_pieces, test_a_claimed_length_is_not_believed)

/* Claims about Puffin files. Goldens and who wrote them: tests/golden/codec/README.md; what is in them is what the
 * Iceberg specification's own reader tests say. */
#include "support/test.h"
#include "tarn/base/limits.h"
#include "tarn/codec/puffin.h"

#define FIRST "abcdefghi"
#define SECOND                                                             \
    "some blob \0 binary data \xf0\x9f\xa4\xaf that is not very very very" \
    " very very very long, is it?"

static void expect_sample(fixture *f, const char *path, const char *codec)
{
    str file = GOLDEN(f, path);
    str second = str_from(SECOND, sizeof(SECOND) - 1);
    puffin p;
    str bytes;

    EXPECT_OK(puffin_parse(file, f->arena, &p, &f->err));
    assert_int_equal(p.blob_count, 2);
    EXPECT_STR(p.blobs[0].type, "some-blob");
    assert_int_equal(p.blobs[0].field_count, 1);
    assert_int_equal(p.blobs[0].fields[0], 1);
    assert_int_equal(p.blobs[1].snapshot_id, 2);
    assert_int_equal(p.blobs[1].sequence_number, 1);
    assert_true(str_equal(p.blobs[0].codec, str_c(codec)));
    EXPECT_OK(puffin_blob_read(file, &p.blobs[0], f->arena, &bytes, &f->err));
    EXPECT_STR(bytes, FIRST);
    EXPECT_OK(puffin_blob_read(file, &p.blobs[1], f->arena, &bytes, &f->err));
    assert_true(str_equal(bytes, second));
    EXPECT_STR(p.properties[0].key, "created-by");
    EXPECT_STR(p.properties[0].value, "Test 1234");
}

static void test_what_the_reference_wrote_is_read(void **state)
{
    fixture *f = *state;
    puffin p;

    expect_sample(f, "codec/puffin/sample-metric-data-uncompressed.bin", NULL);
    expect_sample(f, "codec/puffin/sample-metric-data-compressed-zstd.bin", "zstd");
    EXPECT_OK(puffin_parse(GOLDEN(f, "codec/puffin/empty-puffin-uncompressed.bin"), f->arena, &p,
                           &f->err));
    assert_int_equal(p.blob_count, 0);
}

static void write_sample(fixture *f, compression how, bool pack_footer, buf *out)
{
    static const int32_t field = 7;
    static const puffin_property properties[] = {{STR_INIT("ndv"), STR_INIT("12")}};
    puffin_blob blob = {.type = STR("x"),
                        .fields = &field,
                        .field_count = 1,
                        .snapshot_id = -1,
                        .sequence_number = -1,
                        .properties = properties,
                        .property_count = 1};
    puffin_writer w;

    puffin_begin(&w, out, f->arena);
    EXPECT_OK(puffin_add(&w, &blob, STR("first"), how, NULL, NULL, &f->err));
    EXPECT_OK(puffin_add(&w, &blob, STR(""), how, NULL, NULL, &f->err));
    EXPECT_OK(puffin_finish(&w, properties, 1, pack_footer, &f->err));
}

static void test_what_is_written_reads_back(void **state)
{
    static const compression ways[] = {COMPRESSION_NONE, COMPRESSION_LZ4_FRAME, COMPRESSION_ZSTD};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(ways) * 2; i++) {
        buf *out = buf_in(f->arena, LIMIT_MIB);
        puffin p;
        str bytes;

        write_sample(f, ways[i / 2], i % 2 == 1, out);
        EXPECT_OK(puffin_parse(buf_str(out), f->arena, &p, &f->err));
        assert_int_equal(p.blob_count, 2);
        assert_int_equal(p.blobs[0].snapshot_id, -1);
        EXPECT_STR(puffin_blob_property(&p.blobs[0], "ndv"), "12");
        assert_true(str_is_null(puffin_blob_property(&p.blobs[0], "nd")));
        EXPECT_OK(puffin_blob_read(buf_str(out), &p.blobs[0], f->arena, &bytes, &f->err));
        EXPECT_STR(bytes, "first");
        EXPECT_OK(puffin_blob_read(buf_str(out), &p.blobs[1], f->arena, &bytes, &f->err));
        assert_int_equal(bytes.size, 0);
    }
}

static void test_every_cut_is_corrupt(void **state)
{
    fixture *f = *state;
    str whole = GOLDEN(f, "codec/puffin/sample-metric-data-uncompressed.bin");
    puffin p;

    for (size_t size = 0; size < whole.size; size++) {
        EXPECT_STATUS(CORRUPT, puffin_parse(str_slice(whole, 0, size), f->arena, &p, &f->err));
    }
}

/* A file of one blob "abcd" whose footer is the text. */
static str with_footer(fixture *f, const char *footer, uint32_t flags)
{
    buf *out = buf_in(f->arena, LIMIT_MIB);
    str text = QUOTED(f, footer);

    buf_add_c(out, "PFA1abcdPFA1");
    buf_add_str(out, text);
    buf_add_u32le(out, (uint32_t)text.size);
    buf_add_u32le(out, flags);
    buf_add_c(out, "PFA1");
    return buf_str(out);
}

#define BLOB(offset, length, more)                                            \
    "{'blobs':[{'type':'t','fields':[1],'snapshot-id':1,'sequence-number':1," \
    "'offset':" offset ",'length':" length more "}]}"

static void test_footers_that_do_not_fit_are_refused(void **state)
{
    static const char *const footers[] = {
        BLOB("4", "5", ""),
        BLOB("3", "1", ""),
        BLOB("-1", "1", ""),
        BLOB("4", "-1", ""),
        BLOB("9", "0", ""),
        BLOB("9223372036854775807", "9223372036854775807", ""),
        BLOB("4", "4", ",'properties':{'a':1}"),
        "{'blobs':[{}]}",
        "{'blobs':[1]}",
        "{'blobs':{}}",
        "{}",
        "[]",
        "{'blobs':[",
    };
    fixture *f = *state;
    puffin p;

    EXPECT_OK(puffin_parse(with_footer(f, BLOB("4", "4", ""), 0), f->arena, &p, &f->err));
    for (size_t i = 0; i < COUNT_OF(footers); i++) {
        EXPECT_STATUS(CORRUPT, puffin_parse(with_footer(f, footers[i], 0), f->arena, &p, &f->err));
    }
    EXPECT_STATUS(CORRUPT,
                  puffin_parse(with_footer(f, BLOB("4", "4", ""), 1), f->arena, &p, &f->err));
    EXPECT_STATUS(UNSUPPORTED,
                  puffin_parse(with_footer(f, BLOB("4", "4", ""), 2), f->arena, &p, &f->err));
}

static void test_an_unknown_compression_is_unsupported(void **state)
{
    fixture *f = *state;
    str file = with_footer(f, BLOB("4", "4", ",'compression-codec':'brotli'"), 0);
    puffin p;
    str bytes;

    EXPECT_OK(puffin_parse(file, f->arena, &p, &f->err));
    EXPECT_STATUS(UNSUPPORTED, puffin_blob_read(file, &p.blobs[0], f->arena, &bytes, &f->err));
}

TESTS(test_what_the_reference_wrote_is_read, test_what_is_written_reads_back,
      test_every_cut_is_corrupt, test_footers_that_do_not_fit_are_refused,
      test_an_unknown_compression_is_unsupported)

/* Claims about writing and reading objects as S3 knows them: streams, digests, small and large, copies. */
#include "object_world.h"

#include "tarn/base/thread.h"

static const size_t sizes[] = {0,      1,      4096,   65535,  65536,  65537,   262143,
                               262144, 262145, 524288, 786432, 786433, 1048576, 3000001};

static void test_objects_of_every_size_come_back_with_their_md5(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        str bytes = noise(f, sizes[i], (uint32_t)i);
        str key = str_printf(f->arena, "size/%zu", sizes[i]);
        object_write what = {
            .bucket = BUCKET, .key = key, .size_bytes = i % 2 == 0 ? (int64_t)bytes.size : -1};
        object_info put = put_object(f, &w, &what, bytes, i % 3 == 0 ? 1000 : 70001);
        object_info info;

        assert_true(str_equal(put.etag, hex_md5(f, bytes)));
        assert_true(str_equal(get_object(f, &w, key, &info), bytes));
        assert_true(str_equal(info.etag, put.etag));
        assert_int_equal(info.size_bytes, bytes.size);
        assert_int_equal(info.checksum.kind, CHECKSUM_CRC64NVME);
        assert_true(str_equal(info.checksum.value, put.checksum.value));
        assert_true(str_equal(info.attributes.content_type, STR("binary/octet-stream")));
        assert_true(str_equal(get(f, &w, str_printf(f->arena, "s3://warehouse/%.*s", STR_ARG(key))),
                              bytes));
    }
    world_close(&w);
    assert_int_equal(file_count(f, "data/staging"), 0);
}

/* Of "123456789": the check values of their definitions, and of the digests. */
static const struct {
    object_checksum_kind kind;
    const char *value;
} sums[] = {
    {CHECKSUM_CRC32, "y/Q5Jg=="},
    {CHECKSUM_CRC32C, "4waSgw=="},
    {CHECKSUM_CRC64NVME, "rosUhgp5mIg="},
    {CHECKSUM_SHA1, "98O8HYCOBHMq32eZZczDTKeuNEE="},
    {CHECKSUM_SHA256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="},
};

static void test_the_asked_checksum_is_computed_and_kept(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    for (size_t i = 0; i < COUNT_OF(sums); i++) {
        object_write what = {.bucket = BUCKET, .key = STR("sum"), .size_bytes = 9};
        object_info info;

        what.checksum = sums[i].kind;
        (void)put_object(f, &w, &what, STR("123456789"), 2);
        (void)get_object(f, &w, STR("sum"), &info);
        assert_int_equal(info.checksum.kind, sums[i].kind);
        assert_true(str_equal(info.checksum.value, str_c(sums[i].value)));
        assert_false(info.checksum.composite);
    }
    world_close(&w);
}

static void test_metadata_comes_back_as_it_was_given(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const object_pair headers[] = {{STR_INIT("cache-control"), STR_INIT("no-cache")},
                                   {STR_INIT("x-amz-meta-a"), STR_INIT("\xc3\xa9t\xc3\xa9")}};
    const object_pair tags[] = {{STR_INIT("k"), STR_INIT("v")}};
    const object_attributes attributes = {.content_type = STR("text/csv"),
                                          .headers = headers,
                                          .header_count = 2,
                                          .tags = tags,
                                          .tag_count = 1,
                                          .owner = STR("me")};
    object_write what = {
        .bucket = BUCKET, .key = STR("a\xff b"), .attributes = &attributes, .size_bytes = -1};
    object_info info;

    (void)put_object(f, &w, &what, STR("x"), 1);
    (void)get_object(f, &w, STR("a\xff b"), &info);
    assert_true(str_equal(info.attributes.content_type, STR("text/csv")));
    assert_int_equal(info.attributes.header_count, 2);
    assert_true(str_equal(info.attributes.headers[1].value, headers[1].value));
    assert_int_equal(info.attributes.tag_count, 1);
    assert_true(str_equal(info.attributes.owner, STR("me")));
    world_close(&w);
}

static void test_what_is_aborted_or_refused_leaves_nothing(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_write what = {.bucket = BUCKET, .key = STR("gone"), .size_bytes = -1};
    object_conditions absent = OBJECT_CONDITIONS_NONE;
    str large = noise(f, 2000000, 1);
    object_digests digests;
    object_writer *writer;
    object_info info;
    store_reader *reader;

    EXPECT_OK(object_writer_begin(w.storage, &what, &writer, &f->err));
    EXPECT_OK(object_writer_write(writer, large.data, large.size, &f->err));
    object_writer_abort(writer);
    EXPECT_STATUS(NOT_FOUND, object_open(w.storage, BUCKET, STR("gone"), STR_NULL, f->arena, &info,
                                         &reader, &f->err));
    (void)put_object(f, &w, &what, large, 100000);
    absent.if_none_match = STR("*");
    EXPECT_OK(object_writer_begin(w.storage, &what, &writer, &f->err));
    EXPECT_OK(object_writer_write(writer, large.data, large.size, &f->err));
    EXPECT_OK(object_writer_end(writer, &digests, &f->err));
    EXPECT_STATUS(PRECONDITION, object_writer_commit(writer, &absent, f->arena, &info, &f->err));
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_a_full_disk_is_told_and_leaves_nothing(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_write what = {.bucket = BUCKET, .key = STR("full"), .size_bytes = -1};
    str large = noise(f, 2000000, 1);
    object_digests digests;
    object_writer *writer;
    status written;

    EXPECT_OK(object_writer_begin(w.storage, &what, &writer, &f->err));
    EXPECT_OK(fault_arm("fs.write=fail:ENOSPC@3", &f->err));
    written = object_writer_write(writer, large.data, large.size, &f->err);
    fault_disarm();
    assert_int_equal(written, STATUS_NO_SPACE);
    EXPECT_STATUS(NO_SPACE, object_writer_end(writer, &digests, &f->err));
    object_writer_abort(writer);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 0);
}

static void test_copies_share_bytes_that_go_with_the_last(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_write what = {.bucket = BUCKET, .key = STR("from"), .size_bytes = -1};
    str large = noise(f, 500000, 3);
    object_copy copy = {
        .from_bucket = BUCKET, .from_key = STR("from"), .to_bucket = BUCKET, .to_key = STR("to")};
    object_info info;

    (void)put_object(f, &w, &what, large, 100000);
    EXPECT_OK(object_copy_make(w.storage, &copy, NULL, f->arena, &info, &f->err));
    assert_true(str_equal(info.etag, hex_md5(f, large)));
    assert_int_equal(blob_count(f, NULL), 1);
    EXPECT_OK(delete_one(&w, STR("s3://warehouse/from"), &f->err));
    assert_true(str_equal(get_object(f, &w, STR("to"), &info), large));
    copy.from_key = STR("to");
    copy.checksum = CHECKSUM_SHA256; /* has to be computed: bytes are read */
    copy.to_key = STR("other");
    EXPECT_OK(object_copy_make(w.storage, &copy, NULL, f->arena, &info, &f->err));
    assert_int_equal(info.checksum.kind, CHECKSUM_SHA256);
    assert_int_equal(blob_count(f, NULL), 2);
    copy.from_etag = STR("00000000000000000000000000000000");
    EXPECT_STATUS(CONFLICT, object_copy_make(w.storage, &copy, NULL, f->arena, &info, &f->err));
    copy.from_key = STR("nowhere");
    EXPECT_STATUS(NOT_FOUND, object_copy_make(w.storage, &copy, NULL, f->arena, &info, &f->err));
    world_close(&w);
}

static void test_parquet_has_a_file_of_its_own_and_other_small_objects_share_one(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_info info;

    for (int i = 0; i < 20; i++) {
        object_write what = {
            .bucket = BUCKET, .key = str_printf(f->arena, "small/%d", i), .size_bytes = 3};

        (void)put_object(f, &w, &what, str_printf(f->arena, "%03d", i), 3);
    }
    assert_int_equal(blob_count(f, NULL), 1);
    for (int i = 0; i < 20; i++) {
        assert_true(str_equal(get_object(f, &w, str_printf(f->arena, "small/%d", i), &info),
                              str_printf(f->arena, "%03d", i)));
    }
    (void)put_object(f, &w, &(object_write){.bucket = BUCKET, .key = STR("p"), .size_bytes = 8},
                     STR("PAR1PAR1"), 8);
    assert_int_equal(blob_count(f, NULL), 2);
    world_close(&w);
}

typedef struct many {
    fixture *f;
    world *w;
    int failures;
    mutex lock;
} many;

static void put_one(void *context, size_t index)
{
    many *m = context;
    arena *a = arena_create();
    size_t size = index % 4 == 0 ? 900000 : 100 * index;
    char *bytes = arena_alloc(a, size + 1);
    object_write what = {
        .bucket = BUCKET, .key = str_printf(a, "many/%zu", index), .size_bytes = (int64_t)size};
    object_digests digests;
    object_writer *writer;
    object_info info;
    status done;

    memset(bytes, (int)('a' + index % 20), size);
    done = object_writer_begin(m->w->storage, &what, &writer, NULL);
    if (done == STATUS_OK) {
        done = object_writer_write(writer, bytes, size, NULL);
    }
    if (done == STATUS_OK) {
        done = object_writer_end(writer, &digests, NULL);
    }
    if (done == STATUS_OK) {
        done = object_writer_commit(writer, NULL, a, &info, NULL);
    }
    mutex_lock(&m->lock);
    m->failures += done != STATUS_OK;
    mutex_unlock(&m->lock);
    arena_free(a);
}

static void test_many_writers_at_once_each_keep_their_bytes(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    many m = {.f = f, .w = &w};

    mutex_init(&m.lock);
    parallel_for(64, 16, put_one, &m);
    assert_int_equal(m.failures, 0);
    for (size_t i = 0; i < 64; i++) {
        object_info info;
        str bytes = get_object(f, &w, str_printf(f->arena, "many/%zu", i), &info);

        assert_int_equal(bytes.size, i % 4 == 0 ? 900000 : 100 * i);
        for (size_t at = 0; at < bytes.size; at++) {
            assert_int_equal(bytes.data[at], 'a' + i % 20);
        }
    }
    mutex_release(&m.lock);
    world_close(&w);
}

TESTS(test_objects_of_every_size_come_back_with_their_md5,
      test_the_asked_checksum_is_computed_and_kept, test_metadata_comes_back_as_it_was_given,
      test_what_is_aborted_or_refused_leaves_nothing, test_a_full_disk_is_told_and_leaves_nothing,
      test_copies_share_bytes_that_go_with_the_last,
      test_parquet_has_a_file_of_its_own_and_other_small_objects_share_one,
      test_many_writers_at_once_each_keep_their_bytes)

/* Claims about objects that are encrypted on the disk: what is there, what comes back, what is refused. */
#include "object_world.h"

#include "bytes.h"
#include "tarn/base/rng.h"

#define MARK "the plain text of this object stands here "
#define MIB ((size_t)1024 * 1024)

static const object_attributes sealed = {.encrypted = true};

static str marked(fixture *f, size_t size)
{
    char *bytes = arena_alloc(f->arena, size + sizeof(MARK));

    for (size_t at = 0; at < size; at += sizeof(MARK) - 1) {
        memcpy(bytes + at, MARK, sizeof(MARK) - 1);
    }
    for (size_t at = 0; at + 8 < size; at += 4096) { /* blocks differ */
        memcpy(bytes + at, &at, sizeof(at));
    }
    return str_from(bytes, size);
}

static void put_sealed(fixture *f, world *w, str key, str bytes)
{
    object_write what = {
        .bucket = BUCKET, .key = key, .attributes = &sealed, .size_bytes = (int64_t)bytes.size};

    (void)put_object(f, w, &what, bytes, 100000);
}

/* Whether a file of the data directory's blobs has the mark. */
static bool is_in_the_clear(fixture *f)
{
    const char **paths = NULL;
    size_t count = 0;

    find_files(f, test_path(f, "data/blobs"), &paths, &count);
    for (size_t i = 0; i < count; i++) {
        str bytes;

        EXPECT_OK(fs_read_file(paths[i], 64 * MIB, f->arena, &bytes, &f->err));
        if (str_find(bytes, STR(MARK)) != STR_NPOS) {
            return true;
        }
    }
    return false;
}

static void test_encrypted_objects_come_back_and_are_not_in_the_clear_on_the_disk(void **context)
{
    fixture *f = *context;
    world w = world_open_sealed(f);
    const size_t sizes[] = {0, 1, 65535, 65536, 65537, 262144, 300000, 2000000};
    int64_t corrupt = -1;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        str key = str_printf(f->arena, "k%zu", sizes[i]);
        str bytes = marked(f, sizes[i]);
        object_info info;

        put_sealed(f, &w, key, bytes);
        assert_true(str_equal(get_object(f, &w, key, &info), bytes));
        assert_true(str_equal(info.etag, hex_md5(f, bytes)));
        assert_true(info.attributes.encrypted);
        assert_int_equal(info.size_bytes, sizes[i]);
    }
    assert_false(is_in_the_clear(f));
    EXPECT_OK(store_scrub(w.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 0);
    world_close(&w);
}

static void test_ranges_of_encrypted_objects_are_those_of_the_plain_bytes(void **context)
{
    fixture *f = *context;
    world w = world_open_sealed(f);
    str bytes = marked(f, 500000);
    store_reader *reader;
    object_info info;
    rng r;

    rng_seed(&r, 7);
    put_sealed(f, &w, STR("k"), bytes);
    EXPECT_OK(
        object_open(w.storage, BUCKET, STR("k"), STR_NULL, f->arena, &info, &reader, &f->err));
    assert_false(store_reader_verified(reader)); /* its file is not for sendfile */
    for (int i = 0; i < 300; i++) {
        size_t from = (size_t)rng_below(&r, bytes.size);
        size_t size = (size_t)rng_below(&r, 150000);
        str part = read_range(f, reader, (int64_t)from, size);

        assert_true(str_equal(part, str_slice(bytes, from, from + size)));
    }
    store_reader_close(reader);
    world_close(&w);
}

static void test_a_changed_byte_or_another_master_key_is_found(void **context)
{
    fixture *f = *context;
    world w = world_open_sealed(f);
    const uint8_t other[32] = "another key";
    store_reader *reader;
    const char *path = NULL;
    object_info info;
    char byte;
    size_t got;

    put_sealed(f, &w, STR("k"), marked(f, 400000));
    assert_int_equal(blob_count(f, &path), 1);
    world_close(&w);
    w = world_open_with(f, (storage_options){.master_key = other});
    EXPECT_OK(
        object_open(w.storage, BUCKET, STR("k"), STR_NULL, f->arena, &info, &reader, &f->err));
    EXPECT_STATUS(CORRUPT, store_reader_read(reader, &byte, 1, 0, &got, &f->err));
    store_reader_close(reader);
    world_close(&w);
    flip_bit(f, path, 200000);
    w = world_open_sealed(f);
    EXPECT_OK(
        object_open(w.storage, BUCKET, STR("k"), STR_NULL, f->arena, &info, &reader, &f->err));
    EXPECT_OK(store_reader_read(reader, &byte, 1, 0, &got, &f->err));
    EXPECT_STATUS(CORRUPT, store_reader_read(reader, &byte, 1, 200000, &got, &f->err));
    store_reader_close(reader);
    world_close(&w);
}

static void test_without_a_master_key_nothing_is_encrypted_by_halves(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_write what = {.bucket = BUCKET, .key = STR("k"), .attributes = &sealed, .size_bytes = 3};
    object_writer *writer;

    EXPECT_STATUS(UNSUPPORTED, object_writer_begin(w.storage, &what, &writer, &f->err));
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 0);
}

static void test_encrypted_parts_become_one_encrypted_object(void **context)
{
    fixture *f = *context;
    world w = world_open_sealed(f);
    upload_info upload = begin_upload(
        f, &w, &(upload_info){.bucket = BUCKET, .key = STR("k"), .attributes = sealed});
    str bytes[3] = {marked(f, 5 * MIB + 10), marked(f, 5 * MIB + 10), marked(f, 99999)};
    str whole = str_concat(f->arena, str_concat(f->arena, bytes[0], bytes[1]), bytes[2]);
    size_t border = bytes[0].size;
    object_part parts[3];
    store_reader *reader;
    object_info info;

    for (int i = 2; i >= 0; i--) {
        parts[i] = put_part(f, &w, &upload, i + 1, bytes[i]);
    }
    parts[1] = put_part(f, &w, &upload, 2, bytes[1]); /* under a key of its own again */
    EXPECT_OK(upload_complete(w.storage, BUCKET, STR("k"), upload.id, parts, 3, NULL, NULL,
                              f->arena, &info, &f->err));
    world_close(&w);
    w = world_open_sealed(f);
    assert_true(str_equal(get_object(f, &w, STR("k"), &info), whole));
    EXPECT_OK(
        object_open(w.storage, BUCKET, STR("k"), STR_NULL, f->arena, &info, &reader, &f->err));
    assert_true(str_equal(read_range(f, reader, (int64_t)border - 5, 10),
                          str_slice(whole, border - 5, border + 5)));
    store_reader_close(reader);
    assert_false(is_in_the_clear(f));
    world_close(&w);
}

static void test_copies_change_the_encryption_as_asked_and_share_where_it_stays(void **context)
{
    fixture *f = *context;
    world w = world_open_sealed(f);
    const object_attributes plain = {.encrypted = false};
    str bytes = marked(f, 300000);
    object_copy copy = {.from_bucket = BUCKET,
                        .from_key = STR("sealed"),
                        .to_bucket = BUCKET,
                        .to_key = STR("plain"),
                        .attributes = &plain};
    object_info info;

    put_sealed(f, &w, STR("sealed"), bytes);
    EXPECT_OK(object_copy_make(w.storage, &copy, NULL, f->arena, &info, &f->err));
    assert_true(str_equal(get_object(f, &w, STR("plain"), &info), bytes));
    assert_false(info.attributes.encrypted);
    assert_true(is_in_the_clear(f));
    copy.attributes = &sealed;
    copy.to_key = STR("again");
    EXPECT_OK(object_copy_make(w.storage, &copy, NULL, f->arena, &info, &f->err));
    assert_int_equal(blob_count(f, NULL), 2);
    EXPECT_OK(delete_one(&w, STR("s3://warehouse/sealed"), &f->err));
    assert_true(str_equal(get_object(f, &w, STR("again"), &info), bytes));
    world_close(&w);
}

static void test_a_worker_gets_no_file_of_encrypted_bytes(void **context)
{
    fixture *f = *context;
    world w = world_open_sealed(f);
    char *path = arena_strndup(f->arena, "x", 1);

    put_sealed(f, &w, STR("k"), marked(f, 300000));
    EXPECT_OK(store_link(w.storage, STR("s3://warehouse/k"), test_path(f, "data"), "x", f->arena,
                         &path, &f->err));
    assert_null(path);
    assert_false(fs_exists(test_path(f, "data/x")));
    world_close(&w);
}

static void test_rows_of_encrypted_objects_are_rebuilt_from_blobs_alone(void **context)
{
    fixture *f = *context;
    world w = world_open_sealed(f);
    str large = marked(f, 300000);
    str small = marked(f, 1000);
    int64_t objects = 0;
    object_info info;

    put_sealed(f, &w, STR("large"), large);
    put_sealed(f, &w, STR("small"), small);
    world_close(&w);
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-shm"), &f->err));
    w = world_open_sealed(f);
    EXPECT_OK(store_recover(w.storage, &objects, &f->err));
    assert_int_equal(objects, 2);
    assert_true(str_equal(get_object(f, &w, STR("large"), &info), large));
    assert_true(str_equal(get_object(f, &w, STR("small"), &info), small));
    assert_true(info.attributes.encrypted);
    world_close(&w);
}

TESTS(test_encrypted_objects_come_back_and_are_not_in_the_clear_on_the_disk,
      test_ranges_of_encrypted_objects_are_those_of_the_plain_bytes,
      test_a_changed_byte_or_another_master_key_is_found,
      test_without_a_master_key_nothing_is_encrypted_by_halves,
      test_encrypted_parts_become_one_encrypted_object,
      test_copies_change_the_encryption_as_asked_and_share_where_it_stays,
      test_a_worker_gets_no_file_of_encrypted_bytes,
      test_rows_of_encrypted_objects_are_rebuilt_from_blobs_alone)

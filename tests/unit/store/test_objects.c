/* Claims about objects of the built-in store: staging, publishing, reading, listing, deleting. */
#include "world.h"

#include "tarn/base/thread.h"
#include "tarn/codec/checksum.h"

#define KEY STR("s3://warehouse/a/b c/ü.txt")

static void test_a_stored_object_is_read_back_with_its_md5(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_object object;

    EXPECT_OK(put(&w, KEY, STR("hello"), &f->err));
    assert_true(str_equal(get(f, &w, KEY), STR("hello")));
    EXPECT_OK(store_stat(w.storage, KEY, f->arena, &object, &f->err));
    EXPECT_STR(object.etag, "5d41402abc4b2a76b9719d911017c592");
    EXPECT_STR(object.content_type, "text/plain");
    assert_int_equal(object.size_bytes, 5);
    assert_true(object.modified_us > 0);
    assert_true(str_equal(object.location, KEY));
    world_close(&w);
    w = world_open(f);
    assert_true(str_equal(get(f, &w, KEY), STR("hello")));
    world_close(&w);
}

static void test_sizes_around_blocks_come_back_whole(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 200000, 3 * 1024 * 1024 + 5};

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        str bytes = noise(f, sizes[i], (uint32_t)i);

        EXPECT_OK(put(&w, KEY, bytes, &f->err));
        assert_true(str_equal(get(f, &w, KEY), bytes));
    }
    world_close(&w);
}

static void test_nothing_is_seen_before_publishing(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_staged *staged;
    store_object *objects;
    store_object object;
    size_t count;

    EXPECT_OK(store_stage_bytes(w.storage, KEY, STR_NULL, STR("x"), &staged, &f->err));
    assert_true(str_equal(store_staged_location(staged), KEY));
    assert_int_equal(store_staged_size(staged), 1);
    EXPECT_STATUS(NOT_FOUND, store_stat(w.storage, KEY, f->arena, &object, &f->err));
    EXPECT_OK(store_list(w.storage, STR("s3://warehouse"), STR_NULL, 10, f->arena, &objects, &count,
                         &f->err));
    assert_int_equal(count, 0);
    store_discard(w.storage, staged);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 0);
}

static status publish_and_fail(void *context, state_txn *txn, error *err)
{
    void **both = context;
    store_staged *staged = both[1];

    TRY(store_publish(both[0], txn, &staged, 1, err));
    return error_set(err, STATUS_PRECONDITION, "told to fail");
}

static void test_a_rollback_removes_the_bytes_and_keeps_the_old_object(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    void *both[2] = {w.storage, NULL};
    store_staged *staged;

    EXPECT_OK(put(&w, KEY, STR("old"), &f->err));
    EXPECT_OK(store_stage_bytes(w.storage, KEY, STR_NULL, STR("new"), &staged, &f->err));
    both[1] = staged;
    EXPECT_STATUS(PRECONDITION, state_submit(w.state, publish_and_fail, both, &f->err));
    assert_true(str_equal(get(f, &w, KEY), STR("old")));
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_replacing_removes_the_old_bytes_after_their_last_reader(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    str old = noise(f, 100000, 1);
    char bytes[100000];
    store_reader *reader;
    store_usage usage;
    size_t got;

    EXPECT_OK(put(&w, KEY, old, &f->err));
    EXPECT_OK(store_open_reader(w.storage, KEY, &reader, &f->err));
    EXPECT_OK(put(&w, KEY, STR("new"), &f->err));
    EXPECT_OK(delete_one(&w, STR("s3://warehouse/absent"), &f->err));
    assert_true(str_equal(get(f, &w, KEY), STR("new")));
    EXPECT_OK(store_reader_read(reader, bytes, sizeof(bytes), 0, &got, &f->err));
    assert_true(str_equal(str_from(bytes, got), old));
    store_reader_close(reader);
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.objects, 1);
    assert_int_equal(usage.bytes, 3);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_a_link_without_a_name_never_stands_for_other_bytes(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    char *first, *again, *other;

    EXPECT_OK(fs_make_dirs(test_path(f, "worker"), 0700, &f->err));
    EXPECT_OK(put(&w, KEY, STR("hello"), &f->err));
    EXPECT_OK(store_link(w.storage, KEY, test_path(f, "worker"), NULL, f->arena, &first, &f->err));
    EXPECT_OK(store_link(w.storage, KEY, test_path(f, "worker"), NULL, f->arena, &again, &f->err));
    assert_string_equal(again, first);
    EXPECT_OK(delete_one(&w, KEY, &f->err));
    EXPECT_OK(put(&w, KEY, STR("other"), &f->err));
    EXPECT_OK(store_link(w.storage, KEY, test_path(f, "worker"), NULL, f->arena, &other, &f->err));
    assert_string_not_equal(other, first);
    EXPECT_STATUS(EXISTS, store_link(w.storage, KEY, f->dir, "worker", f->arena, &other, &f->err));
    world_close(&w);
}

static void test_a_deleted_object_is_gone_with_its_bytes_but_links_keep_them(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_object object;
    store_usage usage;
    char *path;

    EXPECT_OK(put(&w, KEY, STR("hello"), &f->err));
    EXPECT_OK(fs_make_dirs(test_path(f, "worker"), 0700, &f->err));
    EXPECT_OK(
        store_link(w.storage, KEY, test_path(f, "worker"), "1.parquet", f->arena, &path, &f->err));
    EXPECT_OK(delete_one(&w, KEY, &f->err));
    EXPECT_STATUS(NOT_FOUND, store_stat(w.storage, KEY, f->arena, &object, &f->err));
    EXPECT_STATUS(NOT_FOUND, store_link(w.storage, KEY, test_path(f, "worker"), "2", f->arena,
                                        &path, &f->err));
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.objects, 0);
    assert_int_equal(usage.bytes, 0);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 0);
    EXPECT_STR(test_read_file(f, test_path(f, "worker/1.parquet")), "hello");
}

static void test_bad_locations_are_refused(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const str bad[] = {STR(""),
                       STR("warehouse/x"),
                       STR("s3://"),
                       STR("s3:///x"),
                       STR("s3://warehouse"),
                       STR("s3://warehouse/"),
                       STR("s3://Ware_house/x"),
                       STR("s3://warehouse/\xff"),
                       STR("s3://warehouse/a\0b"),
                       STR("http://x/y")};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        EXPECT_STATUS(INVALID, store_check_location(w.storage, bad[i], &f->err));
        EXPECT_STATUS(INVALID, put(&w, bad[i], STR("x"), &f->err));
    }
    EXPECT_OK(put(&w, STR("s3://warehouse/../../etc//passwd"), STR("a key is no path"), &f->err));
    EXPECT_STATUS(NOT_FOUND, put(&w, STR("s3://other-bucket/x"), STR("x"), &f->err));
    EXPECT_MESSAGE(f, "bucket \"other-bucket\" does not exist");
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_lists_are_in_byte_order_by_prefix_and_go_on_after_a_key(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const str keys[] = {STR("s3://warehouse/a"),         STR("s3://warehouse/a.b"),
                        STR("s3://warehouse/a/1"),       STR("s3://warehouse/a/2"),
                        STR("s3://warehouse/a\xc3\xbc"), STR("s3://warehouse/b")};
    store_object *objects;
    size_t count;

    for (size_t i = COUNT_OF(keys); i > 0; i--) {
        EXPECT_OK(put(&w, keys[i - 1], STR("x"), &f->err));
    }
    EXPECT_OK(store_list(w.storage, STR("s3://warehouse/"), STR_NULL, 100, f->arena, &objects,
                         &count, &f->err));
    assert_int_equal(count, COUNT_OF(keys));
    for (size_t i = 0; i < count; i++) {
        assert_true(str_equal(objects[i].location, keys[i]));
    }
    EXPECT_OK(store_list(w.storage, STR("s3://warehouse/a/"), STR_NULL, 100, f->arena, &objects,
                         &count, &f->err));
    assert_int_equal(count, 2);
    EXPECT_OK(store_list(w.storage, STR("s3://warehouse/a"), keys[1], 2, f->arena, &objects, &count,
                         &f->err));
    assert_int_equal(count, 2);
    EXPECT_STR(objects[0].location, "s3://warehouse/a/1");
    EXPECT_STR(objects[1].location, "s3://warehouse/a/2");
    EXPECT_OK(store_list(w.storage, STR("s3://warehouse/a"), keys[4], 9, f->arena, &objects, &count,
                         &f->err));
    assert_int_equal(count, 0); /* "b" does not start with the prefix */
    world_close(&w);
}

static void test_many_objects_are_staged_all_or_none(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_stage_request requests[5];
    store_staged *staged[5];
    long folder_syncs;

    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        requests[i] =
            (store_stage_request){.location = str_printf(f->arena, "s3://warehouse/%zu", i),
                                  .bytes = noise(f, 1000 * i, (uint32_t)i)};
    }
    requests[4].location = STR("s3://warehouse/");
    EXPECT_STATUS(INVALID, store_stage_many(w.storage, requests, 5, staged, &f->err));
    requests[4].location = STR("s3://warehouse/file");
    requests[4].path = test_path(f, "absent");
    EXPECT_STATUS(NOT_FOUND, store_stage_many(w.storage, requests, 5, staged, &f->err));
    requests[4].path = test_write_file(f, "file", STR("from a file"));
    EXPECT_OK(fault_arm("fs.sync_dir=delay:0,fs.sync=delay:0", &f->err));
    EXPECT_OK(store_stage_many(w.storage, requests, 5, staged, &f->err));
    folder_syncs = fault_passes(FAULT_FS_SYNC_DIR);
    assert_int_equal(fault_passes(FAULT_FS_SYNC), 5);
    fault_disarm();
    assert_int_equal(folder_syncs, 1); /* five files, one folder */
    for (size_t i = 0; i < COUNT_OF(staged); i++) {
        EXPECT_OK(store_put(w.storage, staged[i], &f->err));
    }
    assert_true(str_equal(get(f, &w, STR("s3://warehouse/3")), noise(f, 3000, 3)));
    EXPECT_STR(get(f, &w, STR("s3://warehouse/file")), "from a file");
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 5);
}

static void test_a_file_is_taken_over_without_a_copy_and_outlives_its_old_name(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    str bytes = noise(f, 5 * 1024 * 1024 + 17, 3);
    store_staged *staged;
    store_object object;
    struct stat before;
    struct stat after;
    const char *blob;
    char *path;

    EXPECT_OK(store_staging_path(w.storage, f->arena, &path, &f->err));
    EXPECT_OK(fs_write_file(path, bytes, 0600, &f->err));
    assert_int_equal(stat(path, &before), 0);
    EXPECT_OK(store_stage_file(w.storage, KEY, STR_NULL, path, &staged, &f->err));
    assert_int_equal(store_staged_size(staged), (int64_t)bytes.size);
    EXPECT_OK(store_put(w.storage, staged, &f->err));
    EXPECT_OK(fs_remove(path, &f->err));
    assert_int_equal(blob_count(f, &blob), 1);
    assert_int_equal(stat(blob, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_mode & 0777, 0400);
    assert_true(str_equal(get(f, &w, KEY), bytes));
    EXPECT_OK(store_stat(w.storage, KEY, f->arena, &object, &f->err));
    assert_int_equal(object.etag.size, 34);
    assert_true(str_ends_with(object.etag, STR("-1"))); /* not taken for an MD5 of the bytes */
    world_close(&w);
}

static void test_streams_have_the_md5_of_their_bytes(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const size_t sizes[] = {0, 10, 1024 * 1024, 1024 * 1024 + 1, 9 * 1024 * 1024 + 123};

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        str bytes = noise(f, sizes[i], (uint32_t)i);
        uint8_t md5[DIGEST_SIZE_MAX];
        store_staged *staged;
        store_object object;
        store_writer *writer;

        EXPECT_OK(store_writer_begin(w.storage, KEY, STR("x/y"), &writer, &f->err));
        for (size_t at = 0; at < bytes.size; at += 70001) {
            str step = str_slice(bytes, at, at + 70001);

            EXPECT_OK(store_writer_write(writer, step.data, step.size, &f->err));
        }
        EXPECT_OK(store_writer_finish(writer, &staged, &f->err));
        EXPECT_OK(store_put(w.storage, staged, &f->err));
        EXPECT_OK(store_stat(w.storage, KEY, f->arena, &object, &f->err));
        digest(DIGEST_MD5, bytes, md5);
        assert_true(str_equal(object.etag, str_to_hex(f->arena, md5, 16)));
        assert_true(str_equal(get(f, &w, KEY), bytes));
    }
    world_close(&w);
}

static void test_an_aborted_stream_leaves_nothing(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_writer *writer;

    EXPECT_OK(store_writer_begin(w.storage, KEY, STR_NULL, &writer, &f->err));
    EXPECT_OK(store_writer_write(writer, noise(f, 3000000, 1).data, 3000000, &f->err));
    store_writer_abort(writer);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 0);
    assert_int_equal(file_count(f, "data/staging"), 0);
}

static void test_ranges_are_exact_at_every_edge(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    str bytes = noise(f, 200000, 9);
    const int64_t edges[] = {0, 1, 65535, 65536, 65537, 131071, 131072, 199999, 200000, 300000};
    char *got = arena_alloc(f->arena, 300000);
    size_t size;

    EXPECT_OK(put(&w, KEY, bytes, &f->err));
    for (size_t i = 0; i < COUNT_OF(edges); i++) {
        for (size_t j = i; j < COUNT_OF(edges); j++) {
            str expected = str_slice(bytes, (size_t)edges[i], (size_t)edges[j]);
            store_reader *reader;

            EXPECT_OK(store_open_reader(w.storage, KEY, &reader, &f->err));
            EXPECT_OK(store_reader_read(reader, got, (size_t)(edges[j] - edges[i]), edges[i], &size,
                                        &f->err));
            assert_true(str_equal(str_from(got, size), expected));
            store_reader_close(reader);
        }
    }
    world_close(&w);
}

static void test_a_blob_is_verified_once_all_its_blocks_were_read(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_reader *reader;
    store_reader *other;
    char bytes[65536];
    size_t got;

    EXPECT_OK(put(&w, KEY, noise(f, 100000, 1), &f->err));
    EXPECT_OK(store_open_reader(w.storage, KEY, &reader, &f->err));
    EXPECT_OK(store_open_reader(w.storage, KEY, &other, &f->err));
    EXPECT_OK(store_reader_read(reader, bytes, 1, 0, &got, &f->err));
    assert_false(store_reader_verified(reader));
    EXPECT_OK(store_reader_read(other, bytes, 1, 99999, &got, &f->err));
    assert_true(store_reader_verified(reader)); /* one block by each of the two */
    assert_true(store_reader_fd(reader) >= 0);
    store_reader_close(reader);
    store_reader_close(other);
    world_close(&w);
}

typedef struct putter {
    world *w;
    int index;
    int failures;
} putter;

static void put_many(void *context)
{
    putter *p = context;

    for (int i = 0; i < 20; i++) {
        char location[64];
        char text[64];

        (void)snprintf(location, sizeof(location), "s3://warehouse/%d/%d", p->index, i % 10);
        (void)snprintf(text, sizeof(text), "%d %d", p->index, i);
        p->failures += put(p->w, str_c(location), str_c(text), NULL) != STATUS_OK;
    }
}

static void test_concurrent_writers_share_syncs_and_lose_nothing(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    thread threads[16] = {0};
    putter putters[16];
    store_usage usage;
    long folder_syncs;

    EXPECT_OK(fault_arm("fs.sync_dir=delay:2", &f->err));
    for (int i = 0; i < 16; i++) {
        putters[i] = (putter){.w = &w, .index = i};
        EXPECT_OK(thread_start(&threads[i], "putter", put_many, &putters[i], &f->err));
    }
    for (int i = 0; i < 16; i++) {
        thread_join(&threads[i]);
        assert_int_equal(putters[i].failures, 0);
    }
    folder_syncs = fault_passes(FAULT_FS_SYNC_DIR);
    fault_disarm();
    assert_true(folder_syncs < 16 * 20 / 2);
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.objects, 160);
    EXPECT_STR(get(f, &w, STR("s3://warehouse/7/3")), "7 13");
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 160); /* and what was replaced is gone */
}

TESTS(test_a_stored_object_is_read_back_with_its_md5, test_sizes_around_blocks_come_back_whole,
      test_nothing_is_seen_before_publishing,
      test_a_rollback_removes_the_bytes_and_keeps_the_old_object,
      test_replacing_removes_the_old_bytes_after_their_last_reader,
      test_a_link_without_a_name_never_stands_for_other_bytes,
      test_a_deleted_object_is_gone_with_its_bytes_but_links_keep_them,
      test_bad_locations_are_refused, test_lists_are_in_byte_order_by_prefix_and_go_on_after_a_key,
      test_many_objects_are_staged_all_or_none,
      test_a_file_is_taken_over_without_a_copy_and_outlives_its_old_name,
      test_streams_have_the_md5_of_their_bytes, test_an_aborted_stream_leaves_nothing,
      test_ranges_are_exact_at_every_edge, test_a_blob_is_verified_once_all_its_blocks_were_read,
      test_concurrent_writers_share_syncs_and_lose_nothing)

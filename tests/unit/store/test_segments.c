/* Claims about small objects in shared files: what they share, what is given back, what is found and rebuilt. */
#include "object_world.h"

#include "bytes.h"

#define SMALL 3000

static str small_key(fixture *f, int number)
{
    return str_printf(f->arena, "small/%04d", number);
}

static str small_bytes(fixture *f, int number)
{
    return noise(f, SMALL + (size_t)number % 100, (uint32_t)number);
}

static void put_many(fixture *f, world *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        str bytes = small_bytes(f, i);
        object_write what = {
            .bucket = BUCKET, .key = small_key(f, i), .size_bytes = (int64_t)bytes.size};

        (void)put_object(f, w, &what, bytes, 1000);
    }
}

static void expect_many(fixture *f, world *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        object_info info;

        assert_true(str_equal(get_object(f, w, small_key(f, i), &info), small_bytes(f, i)));
    }
}

static void delete_many(fixture *f, world *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        EXPECT_OK(delete_one(
            w, str_printf(f->arena, "s3://warehouse/%.*s", STR_ARG(small_key(f, i))), &f->err));
    }
}

typedef struct space {
    int64_t segments, live_bytes, record_bytes;
} space;

static status read_space(void *context, state_txn *txn, error *err)
{
    space *s = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn,
                    "SELECT (SELECT count(*) FROM segments), "
                    "(SELECT coalesce(sum(live_bytes), 0) FROM segments), "
                    "(SELECT coalesce(sum(file_bytes), 0) FROM blobs)",
                    NULL, 0, &rows, err));
    TRY(state_next(rows, &row, err));
    s->segments = state_int(rows, 0);
    s->live_bytes = state_int(rows, 1);
    s->record_bytes = state_int(rows, 2);
    return STATUS_OK;
}

static space ask_space(fixture *f, world *w)
{
    space s = {0};

    EXPECT_OK(state_read(w->state, read_space, &s, &f->err));
    return s;
}

static void test_what_lives_in_segments_is_counted_with_the_rows(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    space full;
    space half;

    put_many(f, &w, 0, 40);
    full = ask_space(f, &w);
    assert_int_equal(full.segments, 1);
    assert_true(full.live_bytes > (int64_t)40 * SMALL);
    assert_int_equal(full.live_bytes, full.record_bytes);
    delete_many(f, &w, 0, 20);
    half = ask_space(f, &w);
    assert_int_equal(half.live_bytes, half.record_bytes);
    assert_true(half.live_bytes < full.live_bytes);
    delete_many(f, &w, 20, 40);
    assert_int_equal(ask_space(f, &w).live_bytes, 0);
    world_close(&w);
}

/* The store's own thread compacts, too, at any moment: closes the store, with so many files at most in the end. */
static void close_compacted(fixture *f, world *w, size_t files_max)
{
    for (int i = 0; i < 1000; i++) {
        EXPECT_OK(store__compact(w->storage, &f->err));
        world_close(w);
        if ((size_t)blob_count(f, NULL) <= files_max) {
            return;
        }
        *w = world_open(f);
    }
    fail_msg("%d files are left", (int)blob_count(f, NULL));
}

static void test_a_segment_that_is_mostly_dead_is_compacted_under_open_readers(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_reader *reader;
    object_info info;
    const char *before = NULL;
    space s;

    put_many(f, &w, 0, 40);
    assert_int_equal(blob_count(f, &before), 1);
    EXPECT_OK(object_open(w.storage, BUCKET, small_key(f, 35), STR_NULL, f->arena, &info, &reader,
                          &f->err));
    store__segment_rotate(w.storage);
    delete_many(f, &w, 0, 30);
    EXPECT_OK(store__compact(w.storage, &f->err)); /* or the thread did it */
    expect_many(f, &w, 30, 40);
    assert_true(str_equal(read_range(f, reader, 0, 5000), small_bytes(f, 35)));
    store_reader_close(reader);
    s = ask_space(f, &w);
    assert_int_equal(s.live_bytes, s.record_bytes);
    close_compacted(f, &w, 1);
    assert_false(fs_exists(before));
    w = world_open(f);
    expect_many(f, &w, 30, 40);
    close_compacted(f, &w, 1);
    assert_int_equal(file_count(f, "data/lost"), 0);
}

static void test_a_segment_without_living_objects_goes(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    put_many(f, &w, 0, 5);
    store__segment_rotate(w.storage);
    delete_many(f, &w, 0, 5);
    close_compacted(f, &w, 0);
    assert_int_equal(blob_count(f, NULL), 0);
}

static void test_every_start_writes_a_segment_of_its_own(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    put_many(f, &w, 0, 5);
    world_close(&w);
    w = world_open(f);
    put_many(f, &w, 5, 10);
    expect_many(f, &w, 0, 10);
    assert_int_equal(ask_space(f, &w).segments, 2);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 2);
}

static void test_rows_of_small_objects_are_rebuilt_from_segments_alone(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    int64_t objects = 0;
    space s;

    put_many(f, &w, 0, 30);
    put_many(f, &w, 5, 10); /* again: the newest counts */
    world_close(&w);
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-shm"), &f->err));
    w = world_open(f);
    EXPECT_OK(store_recover(w.storage, &objects, &f->err));
    assert_int_equal(objects, 30);
    expect_many(f, &w, 0, 30);
    s = ask_space(f, &w);
    assert_int_equal(s.live_bytes, s.record_bytes);
    world_close(&w);
}

static void test_damage_in_a_segment_is_one_objects_loss(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const char *path = NULL;
    store_reader *reader;
    int64_t corrupt = 0;
    int64_t objects = 0;
    object_info info;
    char bytes[10];
    size_t got;

    put_many(f, &w, 0, 10);
    assert_int_equal(blob_count(f, &path), 1);
    world_close(&w);
    flip_bit(f, path, 16 + 24 + 1500); /* in the first record's names or bytes */
    w = world_open(f);
    EXPECT_OK(store_scrub(w.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 1);
    EXPECT_OK(object_open(w.storage, BUCKET, small_key(f, 0), STR_NULL, f->arena, &info, &reader,
                          &f->err));
    EXPECT_STATUS(CORRUPT, store_reader_read(reader, bytes, 10, 0, &got, &f->err));
    store_reader_close(reader);
    expect_many(f, &w, 1, 10);
    world_close(&w);
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-shm"), &f->err));
    w = world_open(f);
    EXPECT_OK(store_recover(w.storage, &objects, &f->err));
    assert_int_equal(objects, 9);
    expect_many(f, &w, 1, 10);
    world_close(&w);
}

static void test_a_backup_has_the_segments(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const char *copy = test_path(f, "copy");
    int64_t objects = 0;

    put_many(f, &w, 0, 12);
    EXPECT_OK(fs_make_dirs(copy, 0700, &f->err));
    EXPECT_OK(store_backup(w.storage, copy, &objects, &f->err));
    assert_int_equal(objects, 12);
    delete_many(f, &w, 0, 12);
    world_close(&w);
    EXPECT_OK(
        world_try_open(copy, test_path(f, "copy/tarn.db"), (storage_options){0}, &w, &f->err));
    expect_many(f, &w, 0, 12);
    world_close(&w);
}

static void test_a_link_of_a_small_object_is_a_verified_copy(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    char *path;
    str bytes;

    put_many(f, &w, 0, 3);
    EXPECT_OK(store_link(w.storage, STR("s3://warehouse/small/0001"), test_path(f, "data"), NULL,
                         f->arena, &path, &f->err));
    EXPECT_OK(fs_read_file(path, 100000, f->arena, &bytes, &f->err));
    assert_true(str_equal(bytes, small_bytes(f, 1)));
    world_close(&w);
}

/* --- without the database --- */

static int64_t rebuild(fixture *f, world *w)
{
    int64_t objects = 0;

    world_close(w);
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-shm"), &f->err));
    *w = world_open(f);
    EXPECT_OK(store_recover(w->storage, &objects, &f->err));
    return objects;
}

static str alone(fixture *f, int number)
{
    return str_printf(f->arena, "s3://warehouse/alone/%d", number);
}

static store_staged *stage_alone(fixture *f, world *w, int number)
{
    store_stage_request request = {
        .location = alone(f, number), .bytes = small_bytes(f, number), .shares_file = true};
    store_staged *staged = NULL;

    EXPECT_OK(store_stage_many(w->storage, &request, 1, &staged, &f->err));
    return staged;
}

typedef struct refusing {
    storage *storage;
    store_staged *staged;
} refusing;

static status publish_and_refuse(void *context, state_txn *txn, error *err)
{
    const refusing *r = context;

    TRY(store_publish(r->storage, txn, &r->staged, 1, err));
    return error_set(err, STATUS_CONFLICT, "refused");
}

static void test_one_object_that_may_share_a_file_lies_in_a_segment(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    EXPECT_OK(store_put(w.storage, stage_alone(f, &w, 1), &f->err));
    EXPECT_OK(store_put(w.storage, stage_alone(f, &w, 2), &f->err));
    assert_int_equal(blob_count(f, NULL), 1);
    store_staged *seen = stage_alone(f, &w, 3);
    store_expose(w.storage, seen);
    for (int i = 1; i <= 3; i++) {
        assert_true(str_equal(get(f, &w, alone(f, i)), small_bytes(f, i)));
    }
    EXPECT_OK(store_put(w.storage, seen, &f->err));
    assert_int_equal(rebuild(f, &w), 3);
    for (int i = 1; i <= 3; i++) {
        assert_true(str_equal(get(f, &w, alone(f, i)), small_bytes(f, i)));
    }
    world_close(&w);
}

static void test_what_was_deleted_or_never_published_is_not_rebuilt(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    put_many(f, &w, 0, 10);
    delete_many(f, &w, 2, 5);
    EXPECT_OK(store_put(w.storage, stage_alone(f, &w, 1), &f->err));
    store_discard(w.storage, stage_alone(f, &w, 1));
    refusing r = {.storage = w.storage, .staged = stage_alone(f, &w, 1)};
    EXPECT_STATUS(CONFLICT, state_submit(w.state, publish_and_refuse, &r, &f->err));
    store_discard(w.storage, stage_alone(f, &w, 2));
    assert_int_equal(rebuild(f, &w), 8);
    expect_many(f, &w, 0, 2);
    expect_many(f, &w, 5, 10);
    EXPECT_OK(delete_one(&w, alone(f, 1), &f->err));
    assert_int_equal(rebuild(f, &w), 7);
    world_close(&w);
}

static void test_a_record_within_the_bytes_of_an_erased_one_is_not_found(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const char *path = NULL;
    object_write what = {.bucket = BUCKET, .key = STR("carrier")};
    str file;

    put_many(f, &w, 0, 1);
    assert_int_equal(blob_count(f, &path), 1);
    EXPECT_OK(fs_read_file(path, 1 << 20, f->arena, &file, &f->err));
    what.size_bytes = (int64_t)file.size;
    (void)put_object(f, &w, &what, file, 1000);
    delete_many(f, &w, 0, 1);
    assert_int_equal(rebuild(f, &w), 1);
    EXPECT_OK(delete_one(&w, STR("s3://warehouse/carrier"), &f->err));
    assert_int_equal(rebuild(f, &w), 0);
    world_close(&w);
}

static void test_what_was_moved_is_rebuilt_once_and_what_was_not_never(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    put_many(f, &w, 0, 40);
    store__segment_rotate(w.storage);
    delete_many(f, &w, 0, 30);
    EXPECT_OK(store__compact(w.storage, &f->err));
    delete_many(f, &w, 30, 33);
    assert_int_equal(rebuild(f, &w), 7);
    expect_many(f, &w, 33, 40);
    world_close(&w);
}

/* Its files may be links of those in which the records were erased since. */
static void test_a_backup_is_compacted_and_rebuilt_as_it_was_made(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const char *copy = test_path(f, "copy");
    int64_t objects;

    put_many(f, &w, 0, 12);
    EXPECT_OK(fs_make_dirs(copy, 0700, &f->err));
    EXPECT_OK(store_backup(w.storage, copy, &objects, &f->err));
    delete_many(f, &w, 0, 12);
    world_close(&w);
    EXPECT_OK(
        world_try_open(copy, test_path(f, "copy/tarn.db"), (storage_options){0}, &w, &f->err));
    delete_many(f, &w, 0, 8);
    EXPECT_OK(store__compact(w.storage, &f->err));
    expect_many(f, &w, 8, 12);
    world_close(&w);
    EXPECT_OK(fs_remove(test_path(f, "copy/tarn.db"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "copy/tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "copy/tarn.db-shm"), &f->err));
    EXPECT_OK(
        world_try_open(copy, test_path(f, "copy/tarn.db"), (storage_options){0}, &w, &f->err));
    EXPECT_OK(store_recover(w.storage, &objects, &f->err));
    assert_int_equal(objects, 4);
    expect_many(f, &w, 8, 12);
    world_close(&w);
}

TESTS(test_what_lives_in_segments_is_counted_with_the_rows,
      test_a_segment_that_is_mostly_dead_is_compacted_under_open_readers,
      test_a_segment_without_living_objects_goes, test_every_start_writes_a_segment_of_its_own,
      test_rows_of_small_objects_are_rebuilt_from_segments_alone,
      test_damage_in_a_segment_is_one_objects_loss, test_a_backup_has_the_segments,
      test_a_link_of_a_small_object_is_a_verified_copy,
      test_one_object_that_may_share_a_file_lies_in_a_segment,
      test_what_was_deleted_or_never_published_is_not_rebuilt,
      test_a_record_within_the_bytes_of_an_erased_one_is_not_found,
      test_what_was_moved_is_rebuilt_once_and_what_was_not_never,
      test_a_backup_is_compacted_and_rebuilt_as_it_was_made)

/* Claims about what the built-in store does by itself: finding damage, looking after an unclean
 * stop, recovery from blobs alone, copies. An unclean stop is made by a child process that dies
 * without closing. */
#include <signal.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "internal.h"
#include "tarn/base/clock.h"
#include "world.h"

#define KEY STR("s3://warehouse/a")

/* --- damage --- */

static void test_a_flipped_bit_is_found_by_a_reader_who_names_the_block(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    char bytes[70000];
    store_reader *reader;
    store_usage usage;
    const char *blob;
    size_t got = 42;

    EXPECT_OK(put(&w, KEY, noise(f, 200000, 1), &f->err));
    assert_int_equal(blob_count(f, &blob), 1);
    flip_bit(f, blob, 70000);
    EXPECT_OK(store_open_reader(w.storage, KEY, &reader, &f->err));
    EXPECT_OK(store_reader_read(reader, bytes, 1000, 0, &got, &f->err)); /* another block */
    EXPECT_STATUS(CORRUPT, store_reader_read(reader, bytes, 10, 131071 - 10, &got, &f->err));
    EXPECT_MESSAGE(
        f, "object \"s3://warehouse/a\" is corrupt: block 1 (bytes 65536 to 131071) does not match "
           "its checksum");
    EXPECT_STATUS(CORRUPT, store_reader_read(reader, bytes, 70000, 65536, &got, &f->err));
    assert_int_equal(got, 1000);
    assert_false(store_reader_verified(reader));
    store_reader_close(reader);
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.corrupt_objects, 1);
    world_close(&w);
}

static void test_a_short_or_missing_file_is_corrupt(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_reader *reader;
    const char *blob;
    int64_t corrupt;
    str bytes;

    EXPECT_OK(put(&w, KEY, noise(f, 100000, 1), &f->err));
    assert_int_equal(blob_count(f, &blob), 1);
    assert_int_equal(chmod(blob, 0600), 0);
    assert_int_equal(truncate(blob, 65536), 0);
    EXPECT_STATUS(CORRUPT, store_read_all(w.storage, KEY, 1 << 20, f->arena, &bytes, &f->err));
    EXPECT_OK(fs_remove(blob, &f->err));
    EXPECT_STATUS(CORRUPT, store_open_reader(w.storage, KEY, &reader, &f->err));
    EXPECT_OK(store_scrub(w.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 1);
    world_close(&w);
}

static void test_scrub_finds_the_one_damaged_object_among_many(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    int64_t corrupt = -1;
    store_usage usage;
    const char *blob;

    for (int i = 0; i < 20; i++) {
        EXPECT_OK(put(&w, str_printf(f->arena, "s3://warehouse/%d", i),
                      noise(f, (size_t)(i + 1) * 50000, (uint32_t)i), &f->err));
    }
    EXPECT_OK(store_scrub(w.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 0);
    (void)blob_count(f, &blob);
    flip_bit(f, blob, 0);
    EXPECT_OK(store_scrub(w.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 1);
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.corrupt_objects, 1);
    assert_int_equal(usage.scrubbed_bytes > 20 * 19 / 2 * 50000, true);
    world_close(&w);
}

static void test_the_scrubber_finds_damage_by_itself(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_usage usage = {0};
    const char *blob;

    EXPECT_OK(put(&w, KEY, noise(f, 100000, 1), &f->err));
    (void)blob_count(f, &blob);
    flip_bit(f, blob, 99999);
    world_close(&w);
    w = world_open_with(f, (storage_options){.scrub_bytes_per_second = 1 << 30});
    while (usage.corrupt_objects ==
           0) { /* the test's time limit ends this where it is never found */
        EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    }
    assert_int_equal(usage.corrupt_objects, 1);
    world_close(&w);
}

static void test_the_scrubber_keeps_its_rate_and_stops_at_once(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_usage usage = {0};
    int64_t began_ms;

    EXPECT_OK(put(&w, KEY, noise(f, 8 * 1024 * 1024, 1), &f->err));
    world_close(&w);
    began_ms = clock_mono_ms();
    w = world_open_with(f, (storage_options){.scrub_bytes_per_second = 1024 * 1024});
    while (usage.scrubbed_bytes == 0) {
        EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    }
    /* However late this is asked: what the rate allows until now, and a step that is under way. */
    assert_true(usage.scrubbed_bytes <= (clock_mono_ms() - began_ms + 1000) * 1024 * 1024 / 1000);
    world_close(&w);
    /* Hours are left of this pass: a close that waited for them would not come back in time. */
    w = world_open_with(f, (storage_options){.scrub_bytes_per_second = 256});
    world_close(&w);
}

/* --- names that blobs carry --- */

static void test_blobs_carry_their_names(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    blob_names names;
    const char *blob;
    char value[4096];

    EXPECT_OK(put(&w, STR("s3://warehouse/a \"b\"/\xc3\xbc"), STR("hello"), &f->err));
    (void)blob_count(f, &blob);
    assert_true(getxattr(blob, "user.tarn", value, sizeof(value)) > 0);
    EXPECT_OK(store__read_names(blob, f->arena, &names, &f->err));
    EXPECT_STR(names.bucket, "warehouse");
    EXPECT_STR(names.key, "a \"b\"/\xc3\xbc");
    EXPECT_STR(names.etag, "5d41402abc4b2a76b9719d911017c592");
    EXPECT_STR(names.content_type, "text/plain");
    assert_int_equal(names.size_bytes, 5);
    world_close(&w);
}

static void test_long_names_lie_beside_the_blob_and_go_with_it(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    char *type = arena_alloc(f->arena, 5000);
    store_staged *staged;
    blob_names names;
    const char *blob;

    memset(type, 'x', 5000);
    EXPECT_OK(
        store_stage_bytes(w.storage, KEY, str_from(type, 5000), STR("hello"), &staged, &f->err));
    EXPECT_OK(store_put(w.storage, staged, &f->err));
    assert_int_equal(blob_count(f, &blob), 1);
    assert_int_equal(file_count(f, "data/blobs"), 3); /* and ID */
    EXPECT_OK(store__read_names(blob, f->arena, &names, &f->err));
    assert_int_equal(names.content_type.size, 5000);
    EXPECT_OK(delete_one(&w, KEY, &f->err));
    world_close(&w);
    assert_int_equal(file_count(f, "data/blobs"), 1);
}

/* --- after an unclean stop --- */

static int run_child(fixture *f, void (*child)(world *w))
{
    world w;
    int ended;
    pid_t pid;

    EXPECT_OK(fs_make_dirs(test_path(f, "data"), 0700, &f->err));
    pid = fork();
    if (pid == 0) {
        if (world_try_open(test_path(f, "data"), test_path(f, "data/tarn.db"), (storage_options){0},
                           &w, NULL) != STATUS_OK) {
            _exit(2);
        }
        child(&w);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    return ended;
}

/* One object is published, one only staged, and the process is gone. */
static void stage_and_vanish(world *w)
{
    store_staged *staged;

    if (put(w, STR("s3://warehouse/kept"), STR("kept"), NULL) != STATUS_OK ||
        store_stage_bytes(w->storage, STR("s3://warehouse/orphan"), STR_NULL, STR("orphan"),
                          &staged, NULL) != STATUS_OK) {
        _exit(3);
    }
    (void)close(
        open(arena_printf(arena_create(), "%s/staging/left", w->data), O_CREAT | O_WRONLY, 0600));
}

static void wait_until_compared(world *w)
{
    bool compared = false;

    while (!compared) {
        mutex_lock(&w->storage->lock);
        compared = w->storage->compared;
        mutex_unlock(&w->storage->lock);
    }
}

static void test_after_an_unclean_stop_orphans_go_to_lost_and_staging_is_emptied(void **context)
{
    fixture *f = *context;
    store_usage usage;
    world w;

    assert_int_equal(run_child(f, stage_and_vanish), 0);
    assert_int_equal(blob_count(f, NULL), 2);
    assert_int_equal(file_count(f, "data/staging"), 1);
    w = world_open(f);
    assert_int_equal(file_count(f, "data/staging"), 0);
    wait_until_compared(&w);
    EXPECT_STR(get(f, &w, STR("s3://warehouse/kept")), "kept");
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.lost_blobs, 1);
    assert_int_equal(usage.objects, 1);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
    assert_int_equal(file_count(f, "data/lost"), 1);
}

static int64_t days_ahead;

static int64_t shifted_wall_us(void *context)
{
    const int64_t *base_us = context;

    return *base_us + days_ahead * 24 * 3600 * 1000000;
}

static int64_t steady_mono_ns(void *context)
{
    static _Atomic int64_t ticks;

    (void)context;
    return ++ticks;
}

static void test_lost_blobs_are_kept_for_seven_days(void **context)
{
    fixture *f = *context;
    int64_t base_us = clock_now_us();
    tarn_clock clock = {.wall_us = shifted_wall_us, .mono_ns = steady_mono_ns, .context = &base_us};
    world w;

    assert_int_equal(run_child(f, stage_and_vanish), 0);
    w = world_open(f);
    wait_until_compared(&w);
    world_close(&w);
    base_us = clock_now_us();
    clock_install(&clock);
    days_ahead = 6;
    w = world_open(f);
    world_close(&w);
    assert_int_equal(file_count(f, "data/lost"), 1);
    days_ahead = 8;
    w = world_open(f);
    world_close(&w);
    clock_install(NULL);
    assert_int_equal(file_count(f, "data/lost"), 0);
}

static void test_a_foreign_database_moves_nothing(void **context)
{
    fixture *f = *context;
    world w;

    assert_int_equal(run_child(f, stage_and_vanish), 0);
    EXPECT_OK(fs_rename(test_path(f, "data/tarn.db"), test_path(f, "old.db"), &f->err));
    EXPECT_OK(fs_rename(test_path(f, "data/tarn.db-wal"), test_path(f, "old.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-shm"), &f->err));
    for (int i = 0; i < 2; i++) { /* and the next start does not take them for its own either */
        w = world_open(f);
        wait_until_compared(&w);
        world_close(&w);
        assert_int_equal(blob_count(f, NULL), 2);
        assert_int_equal(file_count(f, "data/lost"), 0);
    }
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db"), &f->err));
    EXPECT_OK(fs_rename(test_path(f, "old.db"), test_path(f, "data/tarn.db"), &f->err));
    EXPECT_OK(fs_rename(test_path(f, "old.db-wal"), test_path(f, "data/tarn.db-wal"), &f->err));
    w = world_open(f); /* the right one is back */
    EXPECT_STR(get(f, &w, STR("s3://warehouse/kept")), "kept");
    wait_until_compared(&w);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_a_database_older_than_its_blobs_moves_nothing(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    EXPECT_OK(state_backup(w.state, test_path(f, "old.db"), &f->err));
    world_close(&w);
    assert_int_equal(run_child(f, stage_and_vanish), 0);
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-shm"), &f->err));
    EXPECT_OK(fs_rename(test_path(f, "old.db"), test_path(f, "data/tarn.db"), &f->err));
    for (int i = 0; i < 2; i++) {
        w = world_open(f);
        wait_until_compared(&w);
        world_close(&w);
        assert_int_equal(blob_count(f, NULL), 2);
    }
}

/* --- recovery and copies --- */

static const char dump_sql[] =
    "SELECT o.bucket || '|' || o.key || '|' || o.blob || '|' || o.size_bytes || '|' || "
    "o.etag || '|' || o.content_type || '|' || o.modified_us || '|' || hex(b.crcs) "
    "FROM objects o JOIN blobs b ON b.id = o.blob ORDER BY o.bucket, o.key";

static status dump(void *context, state_txn *txn, error *err)
{
    buf *out = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn, dump_sql, NULL, 0, &rows, err));
    for (;;) {
        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        buf_add_str(out, state_text(rows, 0, NULL));
        buf_add_char(out, '\n');
    }
}

static str all_rows(fixture *f, world *w)
{
    buf *out = buf_in(f->arena, 1 << 20);

    EXPECT_OK(state_read(w->state, dump, out, &f->err));
    assert_false(out->failed);
    return buf_str(out);
}

static void fill(fixture *f, world *w)
{
    const char *path = test_write_file(f, "source", noise(f, 300000, 5));
    store_staged *staged;
    store_writer *writer;

    for (int i = 0; i < 12; i++) {
        EXPECT_OK(put(w, str_printf(f->arena, "s3://warehouse/t/%d", i),
                      noise(f, (size_t)i * 20000, (uint32_t)i), &f->err));
    }
    EXPECT_OK(put(w, STR("s3://warehouse/t/3"), STR("replaced"), &f->err));
    EXPECT_OK(delete_one(w, STR("s3://warehouse/t/4"), &f->err));
    EXPECT_OK(
        store_stage_file(w->storage, STR("s3://warehouse/file"), STR_NULL, path, &staged, &f->err));
    EXPECT_OK(store_put(w->storage, staged, &f->err));
    EXPECT_OK(
        store_writer_begin(w->storage, STR("s3://warehouse/stream"), STR_NULL, &writer, &f->err));
    EXPECT_OK(store_writer_write(writer, "abc", 3, &f->err));
    EXPECT_OK(store_writer_finish(writer, &staged, &f->err));
    EXPECT_OK(store_put(w->storage, staged, &f->err));
}

static void remove_database(fixture *f)
{
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-shm"), &f->err));
}

static void test_rows_are_rebuilt_from_blobs_alone(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_usage before;
    store_usage after;
    int64_t objects;
    str rows;

    fill(f, &w);
    rows = all_rows(f, &w);
    EXPECT_OK(store_read_usage(w.storage, &before, &f->err));
    EXPECT_STATUS(NOT_EMPTY, store_recover(w.storage, &objects, &f->err));
    world_close(&w);
    remove_database(f);
    w = world_open(f);
    EXPECT_OK(store_recover(w.storage, &objects, &f->err));
    assert_int_equal(objects, 13);
    assert_true(str_equal(all_rows(f, &w), rows));
    EXPECT_OK(store_read_usage(w.storage, &after, &f->err));
    assert_int_equal(after.objects, before.objects);
    assert_int_equal(after.bytes, before.bytes);
    EXPECT_STR(get(f, &w, STR("s3://warehouse/t/3")), "replaced");
    EXPECT_OK(put(&w, STR("s3://warehouse/new"), STR("new"), &f->err));
    world_close(&w);
    w = world_open(f); /* the blobs are this database's now, and stay */
    wait_until_compared(&w);
    EXPECT_STR(get(f, &w, STR("s3://warehouse/new")), "new");
    EXPECT_STR(get(f, &w, STR("s3://warehouse/stream")), "abc");
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 14);
}

static void test_recovery_does_not_make_corrupt_bytes_good(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const char *path = test_write_file(f, "source", noise(f, 300000, 5));
    store_staged *staged;
    store_usage usage;
    const char *blob;
    int64_t objects;

    EXPECT_OK(store_stage_file(w.storage, KEY, STR_NULL, path, &staged, &f->err));
    EXPECT_OK(store_put(w.storage, staged, &f->err));
    world_close(&w);
    (void)blob_count(f, &blob);
    flip_bit(f, blob, 250000);
    remove_database(f);
    w = world_open(f);
    EXPECT_OK(store_recover(w.storage, &objects, &f->err));
    assert_int_equal(objects, 0);
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.corrupt_objects, 1);
    world_close(&w);
}

static void test_a_backup_is_a_whole_data_directory(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    world copy;
    int64_t objects;
    int64_t corrupt;
    str rows;

    fill(f, &w);
    rows = all_rows(f, &w);
    EXPECT_OK(store_backup(w.storage, test_path(f, "copy"), &objects, &f->err));
    assert_int_equal(objects, 13);
    EXPECT_OK(delete_one(&w, STR("s3://warehouse/file"), &f->err));
    EXPECT_OK(put(&w, STR("s3://warehouse/later"), STR("later"), &f->err));
    world_close(&w);
    EXPECT_OK(world_try_open(test_path(f, "copy"), test_path(f, "copy/tarn.db"),
                             (storage_options){0}, &copy, &f->err));
    assert_true(str_equal(all_rows(f, &copy), rows));
    assert_true(str_equal(get(f, &copy, STR("s3://warehouse/file")), noise(f, 300000, 5)));
    EXPECT_OK(store_scrub(copy.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 0);
    world_close(&copy);
}

static void test_what_is_deleted_during_a_backup_is_in_it(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    EXPECT_OK(put(&w, KEY, STR("x"), &f->err));
    mutex_lock(&w.storage->lock);
    w.storage->holds++; /* as store_backup does */
    mutex_unlock(&w.storage->lock);
    EXPECT_OK(delete_one(&w, KEY, &f->err));
    EXPECT_OK(put(&w, KEY, STR("y"), &f->err)); /* the care thread had its chance */
    assert_int_equal(blob_count(f, NULL), 2);
    mutex_lock(&w.storage->lock);
    w.storage->holds--;
    mutex_unlock(&w.storage->lock);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

TESTS(test_a_flipped_bit_is_found_by_a_reader_who_names_the_block,
      test_a_short_or_missing_file_is_corrupt, test_scrub_finds_the_one_damaged_object_among_many,
      test_the_scrubber_finds_damage_by_itself, test_the_scrubber_keeps_its_rate_and_stops_at_once,
      test_blobs_carry_their_names, test_long_names_lie_beside_the_blob_and_go_with_it,
      test_after_an_unclean_stop_orphans_go_to_lost_and_staging_is_emptied,
      test_lost_blobs_are_kept_for_seven_days, test_a_foreign_database_moves_nothing,
      test_a_database_older_than_its_blobs_moves_nothing, test_rows_are_rebuilt_from_blobs_alone,
      test_recovery_does_not_make_corrupt_bytes_good, test_a_backup_is_a_whole_data_directory,
      test_what_is_deleted_during_a_backup_is_in_it)

/* timeout: 120 */
/* Claims about small objects that share a file: each is an object like any other, for readers, deletes, the scrubber,
 * copies, and recovery from blobs alone. */
#include <signal.h>
#include <sys/wait.h>

#include "internal.h"
#include "world.h"

#define PARTS 3

/* Of the sizes that a commit has; no two have the same bytes. */
static str part_bytes(fixture *f, int n)
{
    return noise(f, (size_t)(n % 10) * 3001 + 100, (uint32_t)n + 7);
}

static str part_location(fixture *f, int n)
{
    return str_printf(f->arena, "s3://warehouse/part-%d", n);
}

typedef struct publication {
    storage *storage;
    store_staged **staged;
    size_t count;
    bool refuse; /* after publishing */
} publication;

static status publish_staged(void *context, state_txn *txn, error *err)
{
    publication *p = context;

    TRY(store_publish(p->storage, txn, p->staged, p->count, err));
    return p->refuse ? error_set(err, STATUS_CONFLICT, "refused by the test") : STATUS_OK;
}

static void stage_parts(fixture *f, world *w, int first, size_t count, store_staged **ret_staged)
{
    store_stage_request *requests = ARENA_ARRAY(f->arena, store_stage_request, count);

    for (size_t i = 0; i < count; i++) {
        requests[i] = (store_stage_request){.location = part_location(f, first + (int)i),
                                            .content_type = STR("text/plain"),
                                            .bytes = part_bytes(f, first + (int)i),
                                            .shares_file = true};
    }
    EXPECT_OK(store_stage_many(w->storage, requests, count, ret_staged, &f->err));
}

static status publish_parts(fixture *f, world *w, store_staged **staged, size_t count)
{
    publication p = {.storage = w->storage, .staged = staged, .count = count};

    return state_submit(w->state, publish_staged, &p, &f->err);
}

static void put_parts(fixture *f, world *w, int first, size_t count)
{
    store_staged **staged = ARENA_ARRAY(f->arena, store_staged *, count);

    stage_parts(f, w, first, count, staged);
    EXPECT_OK(publish_parts(f, w, staged, count));
}

static void check_parts_of(fixture *f, world *w, int first, int count)
{
    for (int n = first; n < first + count; n++) {
        assert_true(str_equal(get(f, w, part_location(f, n)), part_bytes(f, n)));
    }
}

static void remove_database(fixture *f)
{
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-shm"), &f->err));
}

static status sum_owners(void *context, state_txn *txn, error *err)
{
    int64_t *owners = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn, "SELECT coalesce(sum(owners), 0) FROM blobs", NULL, 0, &rows, err));
    TRY(state_next(rows, &row, err));
    *owners = row ? state_int(rows, 0) : -1;
    return STATUS_OK;
}

static int64_t owners_of_blobs(fixture *f, world *w)
{
    int64_t owners = -1;

    EXPECT_OK(state_read(w->state, sum_owners, &owners, &f->err));
    return owners;
}

static int64_t live_staged(storage *st)
{
    int64_t live;

    assert_non_null(st);
    mutex_lock(&st->lock);
    live = st->staged_live;
    mutex_unlock(&st->lock);
    return live;
}

/* --- writing and reading --- */

static void test_small_objects_of_one_call_share_a_file_and_others_do_not(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    str big = noise(f, STORE_PART_BYTES_MAX + 1, 5);
    store_staged *staged[6];
    store_usage usage;
    store_object object;
    const store_stage_request requests[6] = {
        {.location = part_location(f, 0), .bytes = part_bytes(f, 0), .shares_file = true},
        {.location = STR("s3://warehouse/own"), .bytes = STR("a file of its own")},
        {.location = part_location(f, 1), .bytes = part_bytes(f, 1), .shares_file = true},
        {.location = STR("s3://warehouse/big"), .bytes = big, .shares_file = true},
        {.location = STR("s3://warehouse/empty"), .bytes = STR(""), .shares_file = true},
        {.location = part_location(f, 2), .bytes = part_bytes(f, 2), .shares_file = true}};

    EXPECT_OK(store_stage_many(w.storage, requests, 6, staged, &f->err));
    EXPECT_OK(publish_parts(f, &w, staged, 6));
    assert_int_equal(blob_count(f, NULL), 4); /* a pack, own, big, empty */
    check_parts_of(f, &w, 0, PARTS);
    assert_true(str_equal(get(f, &w, STR("s3://warehouse/big")), big));
    EXPECT_STR(get(f, &w, STR("s3://warehouse/own")), "a file of its own");
    EXPECT_STR(get(f, &w, STR("s3://warehouse/empty")), "");
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.objects, 6);
    EXPECT_OK(store_stat(w.storage, part_location(f, 1), f->arena, &object, &f->err));
    assert_int_equal(object.size_bytes, part_bytes(f, 1).size);
    assert_true(str_equal(object.etag, store__etag_of_bytes(f->arena, part_bytes(f, 1))));
    world_close(&w);
}

/* One that comes alone is a record of a segment: test_segments.c. */
static void test_one_small_object_beside_a_large_one_has_a_file_like_any_other(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const store_stage_request requests[2] = {
        {.location = STR("s3://warehouse/big"), .bytes = noise(f, STORE_PART_BYTES_MAX + 1, 5)},
        {.location = part_location(f, 1), .bytes = part_bytes(f, 1), .shares_file = true}};
    store_staged *staged[2];
    blob_names *names;
    const char *blob;
    size_t count;
    bool packed;

    EXPECT_OK(store_stage_many(w.storage, requests, 2, staged, &f->err));
    EXPECT_OK(publish_parts(f, &w, staged, 2));
    EXPECT_OK(delete_one(&w, STR("s3://warehouse/big"), &f->err));
    world_close(&w);
    assert_int_equal(blob_count(f, &blob), 1);
    EXPECT_OK(store__read_all_names(blob, f->arena, &names, &count, &packed, &f->err));
    assert_false(packed);
    assert_int_equal(count, 1);
    w = world_open(f);
    check_parts_of(f, &w, 1, 1);
    world_close(&w);
}

static void test_many_small_objects_need_several_files(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    put_parts(f, &w, 0, 9);
    assert_int_equal(blob_count(f, NULL), 2);
    check_parts_of(f, &w, 0, 9);
    world_close(&w);
}

static void test_a_range_of_a_part_is_of_that_part_alone(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_reader *reader;
    char bytes[8192];
    size_t got;

    put_parts(f, &w, 0, PARTS);
    for (int n = 0; n < PARTS; n++) {
        str whole = part_bytes(f, n);

        EXPECT_OK(store_open_reader(w.storage, part_location(f, n), &reader, &f->err));
        assert_int_equal(store_reader_size(reader), whole.size);
        for (size_t at = 0; at <= whole.size; at += 37) {
            size_t expected = whole.size - at < 50 ? whole.size - at : 50;

            EXPECT_OK(store_reader_read(reader, bytes, 50, (int64_t)at, &got, &f->err));
            assert_int_equal(got, expected);
            assert_memory_equal(bytes, whole.data + at, got);
        }
        assert_true(store_reader_verified(reader));
        EXPECT_OK(store_reader_read(reader, bytes, sizeof(bytes), 0, &got, &f->err));
        assert_int_equal(got, whole.size < sizeof(bytes) ? whole.size : sizeof(bytes));
        assert_int_equal(
            pread(store_reader_fd(reader), bytes, 10, (off_t)store_reader_start(reader)),
            10); /* as sendfile would */
        assert_memory_equal(bytes, whole.data, 10);
        store_reader_close(reader);
    }
    world_close(&w);
}

static void test_a_link_of_a_part_is_a_file_of_its_bytes(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const char *folder = test_path(f, "links");
    char *path;
    char *again;
    str bytes;

    EXPECT_OK(fs_make_dirs(folder, 0700, &f->err));
    put_parts(f, &w, 0, PARTS);
    EXPECT_OK(store_link(w.storage, part_location(f, 1), folder, NULL, f->arena, &path, &f->err));
    EXPECT_OK(store_link(w.storage, part_location(f, 1), folder, NULL, f->arena, &again, &f->err));
    EXPECT_STR(str_c(path), again);
    EXPECT_OK(fs_read_file(path, 1 << 20, f->arena, &bytes, &f->err));
    assert_true(str_equal(bytes, part_bytes(f, 1)));
    EXPECT_OK(store_link(w.storage, part_location(f, 2), folder, "x", f->arena, &path, &f->err));
    EXPECT_STATUS(
        EXISTS, store_link(w.storage, part_location(f, 0), folder, "x", f->arena, &path, &f->err));
    EXPECT_OK(fs_read_file(test_path(f, "links/x"), 1 << 20, f->arena, &bytes, &f->err));
    assert_true(str_equal(bytes, part_bytes(f, 2)));
    assert_int_equal(file_count(f, "links"), 2);
    world_close(&w);
}

static void test_a_staged_part_can_be_read_before_it_is_published(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_staged *staged[PARTS];
    str bytes;

    stage_parts(f, &w, 0, PARTS, staged);
    EXPECT_STATUS(NOT_FOUND, store_read_all(w.storage, part_location(f, 1), 1 << 20, f->arena,
                                            &bytes, &f->err));
    for (int i = 0; i < PARTS; i++) {
        store_expose(w.storage, staged[i]);
    }
    check_parts_of(f, &w, 0, PARTS);
    EXPECT_OK(publish_parts(f, &w, staged, PARTS));
    check_parts_of(f, &w, 0, PARTS);
    world_close(&w);
}

/* --- ends --- */

static void test_a_pack_stays_until_its_last_object_is_deleted(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_usage usage;
    str bytes;

    put_parts(f, &w, 0, PARTS);
    assert_int_equal(owners_of_blobs(f, &w), PARTS);
    EXPECT_OK(delete_one(&w, part_location(f, 0), &f->err));
    EXPECT_OK(put(&w, part_location(f, 2), STR("replaced"), &f->err));
    EXPECT_STATUS(NOT_FOUND, store_read_all(w.storage, part_location(f, 0), 1 << 20, f->arena,
                                            &bytes, &f->err));
    check_parts_of(f, &w, 1, 1);
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.objects, 2);
    assert_int_equal(usage.bytes, part_bytes(f, 1).size + 8);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 2);
    w = world_open(f);
    EXPECT_OK(delete_one(&w, part_location(f, 1), &f->err));
    EXPECT_STR(get(f, &w, part_location(f, 2)), "replaced");
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_parts_that_are_discarded_leave_the_others(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_staged *staged[PARTS];

    stage_parts(f, &w, 0, PARTS, staged);
    store_discard(w.storage, staged[0]);
    EXPECT_OK(publish_parts(f, &w, staged + 1, 1));
    store_discard(w.storage, staged[2]);
    check_parts_of(f, &w, 1, 1);
    assert_int_equal(owners_of_blobs(f, &w), 1);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
    w = world_open(f);
    check_parts_of(f, &w, 1, 1);
    stage_parts(f, &w, 3, PARTS, staged);
    for (int i = 0; i < PARTS; i++) {
        store_discard(w.storage, staged[i]);
    }
    assert_int_equal(live_staged(w.storage), 0);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_a_rolled_back_publication_leaves_nothing(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_staged *staged[PARTS];
    publication p = {.storage = w.storage, .staged = staged, .count = 2, .refuse = true};

    stage_parts(f, &w, 0, PARTS, staged);
    EXPECT_STATUS(CONFLICT, state_submit(w.state, publish_staged, &p, &f->err));
    assert_int_equal(owners_of_blobs(f, &w), 0);
    EXPECT_OK(publish_parts(f, &w, staged + 2, 1)); /* what was not part of that is still good */
    check_parts_of(f, &w, 2, 1);
    assert_int_equal(live_staged(w.storage), 0);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_parts_are_published_in_one_transaction_only(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_staged *staged[PARTS];

    stage_parts(f, &w, 0, PARTS, staged);
    EXPECT_OK(publish_parts(f, &w, staged, 2));
    EXPECT_STATUS(INTERNAL, publish_parts(f, &w, staged + 2, 1));
    check_parts_of(f, &w, 0, 2);
    assert_int_equal(owners_of_blobs(f, &w), 2);
    assert_int_equal(live_staged(w.storage), 0);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

/* --- damage --- */

static void test_damage_of_one_part_is_not_damage_of_the_others(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_usage usage;
    const char *blob;
    int64_t corrupt;
    str bytes;

    put_parts(f, &w, 0, PARTS);
    (void)blob_count(f, &blob);
    flip_bit(f, blob, (off_t)part_bytes(f, 0).size + 20); /* in the second */
    check_parts_of(f, &w, 0, 1);
    check_parts_of(f, &w, 2, 1);
    EXPECT_STATUS(CORRUPT, store_read_all(w.storage, part_location(f, 1), 1 << 20, f->arena, &bytes,
                                          &f->err));
    EXPECT_MESSAGE(f, "object \"s3://warehouse/part-1\" is corrupt: block 0 (bytes 0 to 3100) does "
                      "not match its checksum");
    EXPECT_OK(store_scrub(w.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 1);
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.corrupt_objects, 1);
    EXPECT_OK(delete_one(&w, part_location(f, 1), &f->err)); /* then nobody has lost anything */
    world_close(&w);
    w = world_open(f);
    EXPECT_OK(store_scrub(w.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 0);
    check_parts_of(f, &w, 0, 1);
    check_parts_of(f, &w, 2, 1);
    world_close(&w);
}

static void test_a_cut_pack_keeps_what_is_there(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const char *blob;
    int64_t corrupt;
    str bytes;

    put_parts(f, &w, 0, PARTS);
    (void)blob_count(f, &blob);
    assert_int_equal(chmod(blob, 0600), 0);
    assert_int_equal(truncate(blob, (off_t)part_bytes(f, 0).size + 50), 0);
    check_parts_of(f, &w, 0, 1);
    EXPECT_STATUS(CORRUPT, store_read_all(w.storage, part_location(f, 1), 1 << 20, f->arena, &bytes,
                                          &f->err));
    EXPECT_OK(store_scrub(w.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 2);
    EXPECT_OK(fs_remove(blob, &f->err));
    EXPECT_STATUS(CORRUPT, store_read_all(w.storage, part_location(f, 0), 1 << 20, f->arena, &bytes,
                                          &f->err));
    world_close(&w);
}

/* --- recovery and copies --- */

static void test_parts_are_recovered_from_the_file_alone(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_usage before;
    store_usage after;
    int64_t objects;
    int64_t corrupt;

    put_parts(f, &w, 0, PARTS);
    put_parts(f, &w, 3, 9);
    EXPECT_OK(put(&w, part_location(f, 4), STR("replaced"), &f->err));
    EXPECT_OK(put(&w, STR("s3://warehouse/plain"), STR("plain"), &f->err));
    EXPECT_OK(store_read_usage(w.storage, &before, &f->err));
    world_close(&w);
    remove_database(f);
    w = world_open(f);
    EXPECT_OK(store_recover(w.storage, &objects, &f->err));
    assert_int_equal(objects, 13);
    EXPECT_OK(store_read_usage(w.storage, &after, &f->err));
    assert_int_equal(after.objects, before.objects);
    assert_int_equal(after.bytes, before.bytes);
    assert_int_equal(owners_of_blobs(f, &w), 13);
    EXPECT_STR(get(f, &w, part_location(f, 4)), "replaced"); /* the newest of that name */
    check_parts_of(f, &w, 0, 4);
    check_parts_of(f, &w, 5, 7);
    EXPECT_OK(store_scrub(w.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 0);
    for (int n = 0; n < 12; n++) {
        EXPECT_OK(delete_one(&w, part_location(f, n), &f->err));
    }
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1); /* owners were counted right */
}

static void test_recovery_takes_the_good_parts_of_a_damaged_pack(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_usage usage;
    const char *blob;
    int64_t objects;
    int64_t corrupt;
    str bytes;

    put_parts(f, &w, 0, PARTS);
    (void)blob_count(f, &blob);
    world_close(&w);
    flip_bit(f, blob, 5); /* in the first */
    remove_database(f);
    w = world_open(f);
    EXPECT_OK(store_recover(w.storage, &objects, &f->err));
    assert_int_equal(objects, 2);
    check_parts_of(f, &w, 1, 2);
    EXPECT_STATUS(NOT_FOUND, store_read_all(w.storage, part_location(f, 0), 1 << 20, f->arena,
                                            &bytes, &f->err));
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.corrupt_objects, 1);
    EXPECT_OK(store_scrub(w.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 0); /* of what has rows */
    world_close(&w);
}

static void test_an_object_deleted_from_a_pack_is_there_again_after_recovery(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    int64_t objects;

    put_parts(f, &w, 0, PARTS);
    put_parts(f, &w, 3, PARTS);
    EXPECT_OK(delete_one(&w, part_location(f, 0), &f->err));
    for (int n = 3; n < 6; n++) {
        EXPECT_OK(delete_one(&w, part_location(f, n), &f->err));
    }
    world_close(&w);
    remove_database(f);
    w = world_open(f);
    EXPECT_OK(store_recover(w.storage, &objects, &f->err));
    assert_int_equal(objects, PARTS); /* store.h says so; a pack whose objects all went is gone */
    check_parts_of(f, &w, 0, PARTS);
    world_close(&w);
}

static void test_a_backup_has_packs(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    world copy;
    int64_t files;

    put_parts(f, &w, 0, PARTS);
    EXPECT_OK(store_backup(w.storage, test_path(f, "copy"), &files, &f->err));
    assert_int_equal(files, 1);
    for (int n = 0; n < PARTS; n++) {
        EXPECT_OK(delete_one(&w, part_location(f, n), &f->err));
    }
    world_close(&w);
    EXPECT_OK(world_try_open(test_path(f, "copy"), test_path(f, "copy/tarn.db"),
                             (storage_options){0}, &copy, &f->err));
    check_parts_of(f, &copy, 0, PARTS);
    world_close(&copy);
}

/* --- a database of the first version --- */

#define OLD_BLOB "00000001000123456789abcdef0123ab"

static status fill_old(void *context, state_txn *txn, error *err)
{
    (void)context;
    TRY(state_exec(txn, "INSERT INTO buckets (name, created_us) VALUES ('warehouse', 1)", NULL, 0,
                   NULL, err));
    TRY(state_exec(txn,
                   "INSERT INTO blobs (id, size_bytes, crcs, owners) VALUES ('" OLD_BLOB
                   "', 5, x'01020304', 1)",
                   NULL, 0, NULL, err));
    TRY(state_exec(txn, "INSERT INTO blob_drops (blob) VALUES ('" OLD_BLOB "')", NULL, 0, NULL,
                   err));
    return state_exec(
        txn,
        "INSERT INTO objects (bucket, key, version, blob, size_bytes, etag, "
        "content_type, modified_us, metadata) VALUES ('warehouse', 'k', '', '" OLD_BLOB
        "', 5, 'e', 't', 7, 'm')",
        NULL, 0, NULL, err);
}

static status read_old(void *context, state_txn *txn, error *err)
{
    buf *out = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn,
                    "SELECT o.key || o.blob || o.blob_offset || o.size_bytes || o.etag || "
                    "o.content_type || o.modified_us || o.metadata || hex(b.crcs) || b.owners || "
                    "(b.parts IS NULL) || d.blob FROM objects o JOIN blobs b ON b.id = o.blob "
                    "JOIN blob_drops d ON d.blob = b.id",
                    NULL, 0, &rows, err));
    TRY(state_next(rows, &row, err));
    buf_add_str(out, row ? state_text(rows, 0, NULL) : STR("no row"));
    return STATUS_OK;
}

static void test_rows_of_the_first_version_stay(void **context)
{
    fixture *f = *context;
    const state_options options = {.path = test_path(f, "old.db")};
    buf *out = buf_in(f->arena, 1 << 20);
    state *old;

    EXPECT_OK(state_open(&options, store_migrations, 1, &old, &f->err));
    EXPECT_OK(state_submit(old, fill_old, NULL, &f->err));
    state_close(old);
    EXPECT_OK(state_open(&options, store_migrations, store_migration_count, &old, &f->err));
    EXPECT_OK(state_read(old, read_old, out, &f->err));
    state_close(old);
    EXPECT_STR(buf_str(out), "k" OLD_BLOB "05et7m0102030411" OLD_BLOB);
}

/* --- kills --- */

static void publish_until_killed(fixture *f, const char *fault)
{
    store_staged *staged[PARTS];
    world w;

    if (world_try_open(test_path(f, "data"), test_path(f, "data/tarn.db"), (storage_options){0}, &w,
                       NULL) != STATUS_OK ||
        fault_arm(fault, NULL) != STATUS_OK) {
        _exit(3);
    }
    for (int round = 0; round < 6; round++) {
        stage_parts(f, &w, round * PARTS, PARTS, staged);
        if (publish_parts(f, &w, staged, PARTS) != STATUS_OK) {
            _exit(4);
        }
        for (int n = 0; round > 0 && n < PARTS;
             n++) { /* of the round before; the last one ends its pack */
            if (delete_one(&w, part_location(f, (round - 1) * PARTS + n), NULL) != STATUS_OK) {
                _exit(5);
            }
        }
    }
    _exit(0);
}

/* What is there is whole, each file has an owner for each of its objects, and nothing else is among the blobs. */
static void check_after_kill(fixture *f, const char *fault)
{
    store_object *objects;
    int64_t corrupt = -1;
    bool compared = false;
    size_t count;
    int ended;
    pid_t child;
    world w;

    EXPECT_OK(fs_remove_tree(test_path(f, "data"), &f->err));
    EXPECT_OK(fs_make_dirs(test_path(f, "data"), 0700, &f->err));
    child = fork();
    if (child == 0) {
        publish_until_killed(f, fault);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    w = world_open(f);
    EXPECT_OK(store_list(w.storage, STR("s3://warehouse/"), STR_NULL, 1000, f->arena, &objects,
                         &count, &f->err));
    assert_int_equal(owners_of_blobs(f, &w), count);
    for (size_t i = 0; i < count; i++) {
        (void)get(f, &w, objects[i].location);
    }
    EXPECT_OK(store_scrub(w.storage, &corrupt, &f->err));
    assert_int_equal(corrupt, 0);
    while (!compared) {
        mutex_lock(&w.storage->lock);
        compared = w.storage->compared;
        mutex_unlock(&w.storage->lock);
    }
    world_close(&w);
    assert_true(blob_count(f, NULL) <= 2);
    assert_int_equal(blob_count(f, NULL), (count + PARTS - 1) / PARTS);
}

static void test_a_kill_at_any_point_leaves_whole_objects_and_right_owners(void **context)
{
    fixture *f = *context;
    static const char *const points[] = {"fs.write",      "fs.sync",        "fs.sync_dir",
                                         "fs.link",       "store.staged",   "state.begin",
                                         "state.applied", "state.committed"};

    for (size_t i = 0; i < COUNT_OF(points); i++) {
        for (int pass = 1; pass <= 5; pass += 2) {
            check_after_kill(f, arena_printf(f->arena, "%s=kill@%d", points[i], pass));
        }
    }
}

static void test_every_failing_step_leaves_no_part_and_no_bytes(void **context)
{
    fixture *f = *context;
    static const char *const points[] = {"fs.write", "fs.link", "store.staged", "state.begin",
                                         "state.applied"};

    for (size_t i = 0; i < COUNT_OF(points); i++) {
        world w = world_open(f);
        store_staged *staged[2] = {NULL, NULL};
        const store_stage_request requests[2] = {
            {.location = part_location(f, 0), .bytes = part_bytes(f, 0), .shares_file = true},
            {.location = part_location(f, 1), .bytes = part_bytes(f, 1), .shares_file = true}};
        store_usage usage;
        status done;

        EXPECT_OK(fault_arm(arena_printf(f->arena, "%s=fail:ENOSPC@1", points[i]), &f->err));
        done = store_stage_many(w.storage, requests, 2, staged, &f->err);
        if (done == STATUS_OK) {
            publication p = {.storage = w.storage, .staged = staged, .count = 2};

            done = state_submit(w.state, publish_staged, &p, &f->err);
            if (str_equal(str_c(points[i]), STR("state.begin"))) { /* then nobody has them */
                store_discard(w.storage, staged[0]);
                store_discard(w.storage, staged[1]);
            }
        }
        fault_disarm();
        assert_int_equal(done, STATUS_NO_SPACE);
        EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
        assert_int_equal(usage.objects, 0);
        assert_int_equal(live_staged(w.storage), 0);
        put_parts(f, &w, 0, 2); /* space is back */
        world_close(&w);
        assert_int_equal(blob_count(f, NULL), 1);
        EXPECT_OK(fs_remove_tree(test_path(f, "data"), &f->err));
    }
}

TESTS(test_small_objects_of_one_call_share_a_file_and_others_do_not,
      test_one_small_object_beside_a_large_one_has_a_file_like_any_other,
      test_many_small_objects_need_several_files, test_a_range_of_a_part_is_of_that_part_alone,
      test_a_link_of_a_part_is_a_file_of_its_bytes,
      test_a_staged_part_can_be_read_before_it_is_published,
      test_a_pack_stays_until_its_last_object_is_deleted,
      test_parts_that_are_discarded_leave_the_others, test_a_rolled_back_publication_leaves_nothing,
      test_parts_are_published_in_one_transaction_only,
      test_damage_of_one_part_is_not_damage_of_the_others, test_a_cut_pack_keeps_what_is_there,
      test_parts_are_recovered_from_the_file_alone,
      test_recovery_takes_the_good_parts_of_a_damaged_pack,
      test_an_object_deleted_from_a_pack_is_there_again_after_recovery, test_a_backup_has_packs,
      test_rows_of_the_first_version_stay,
      test_a_kill_at_any_point_leaves_whole_objects_and_right_owners,
      test_every_failing_step_leaves_no_part_and_no_bytes)

/* timeout: 120 */
/* Claims about the built-in store when processes die and disks fail. A child process stores
 * objects, and tells over a pipe which were acknowledged before it was killed at a named point. */
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "internal.h"
#include "world.h"

#define OBJECTS 12

/* Object n, of a size that may need several blocks. */
static str object_bytes(arena *a, int n)
{
    size_t size = (size_t)n * 9000 + 10;
    char *bytes = arena_alloc(a, size);

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)((size_t)n * 31 + i * 7);
    }
    return str_from(bytes, size);
}

static str object_location(arena *a, int n)
{
    return str_printf(a, "s3://warehouse/%d", n);
}

/* Two objects per commit, so that a half is seen: n and its copy. */
typedef struct commit {
    world *w;
    store_staged *staged[2];
    bool handed_over; /* false where the group never began */
} commit;

static status publish_both(void *context, state_txn *txn, error *err)
{
    commit *c = context;

    c->handed_over = true;
    return store_publish(c->w->storage, txn, c->staged, 2, err);
}

static status commit_object(world *w, arena *a, int n, error *err)
{
    store_stage_request requests[2] = {
        {.location = object_location(a, n), .bytes = object_bytes(a, n)},
        {.location = str_printf(a, "s3://warehouse/copy-%d", n), .bytes = object_bytes(a, n)}};
    commit c = {.w = w};
    status done;

    TRY(store_stage_many(w->storage, requests, 2, c.staged, err));
    done = state_submit(w->state, publish_both, &c, err);
    for (size_t i = 0; i < 2 && !c.handed_over; i++) {
        store_discard(w->storage, c.staged[i]);
    }
    return done;
}

static void store_until_killed(const char *data, const char *db, const char *fault, int told)
{
    arena *a = arena_create();
    world w;

    if (world_try_open(data, db, (storage_options){0}, &w, NULL) != STATUS_OK ||
        fault_arm(fault, NULL) != STATUS_OK) {
        _exit(3);
    }
    for (int n = 1; n <= OBJECTS; n++) {
        if (commit_object(&w, a, n, NULL) != STATUS_OK) {
            _exit(4);
        }
        if (write(told, &n, sizeof(n)) != (ssize_t)sizeof(n)) {
            _exit(5);
        }
    }
    _exit(0);
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

static void check_kill(fixture *f, const char *fault)
{
    int acknowledged = 0;
    int pipe_ends[2];
    store_usage usage;
    world w;
    int ended;
    int n;
    pid_t child;

    EXPECT_OK(fs_remove_tree(test_path(f, "data"), &f->err));
    EXPECT_OK(fs_make_dirs(test_path(f, "data"), 0700, &f->err));
    assert_int_equal(pipe(pipe_ends), 0);
    child = fork();
    if (child == 0) {
        store_until_killed(test_path(f, "data"), test_path(f, "data/tarn.db"), fault, pipe_ends[1]);
    }
    (void)close(pipe_ends[1]);
    while (read(pipe_ends[0], &n, sizeof(n)) == (ssize_t)sizeof(n)) {
        acknowledged = n;
    }
    (void)close(pipe_ends[0]);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);

    w = world_open(f);
    EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
    assert_int_equal(usage.objects % 2, 0);         /* nothing half */
    assert_true(usage.objects >= acknowledged * 2); /* nothing acknowledged lost */
    assert_true(usage.objects <= (acknowledged + 1) * 2);
    for (n = 1; n <= (int)usage.objects / 2; n++) {
        assert_true(str_equal(get(f, &w, object_location(f->arena, n)), object_bytes(f->arena, n)));
        assert_true(str_equal(get(f, &w, str_printf(f->arena, "s3://warehouse/copy-%d", n)),
                              object_bytes(f->arena, n)));
    }
    wait_until_compared(&w);
    world_close(&w);
    assert_int_equal((int64_t)blob_count(f, NULL), usage.objects); /* orphans are in lost/ */
}

static void test_a_kill_at_any_point_loses_nothing_acknowledged_and_leaves_nothing_half(
    void **context)
{
    fixture *f = *context;
    static const char *const points[] = {"fs.write",      "fs.sync",        "fs.sync_dir",
                                         "fs.link",       "store.staged",   "state.begin",
                                         "state.applied", "state.committed"};

    for (size_t i = 0; i < COUNT_OF(points); i++) {
        for (int pass = 1; pass <= 9; pass += 4) {
            check_kill(f, arena_printf(f->arena, "%s=kill@%d", points[i], pass));
        }
    }
}

static void test_every_failing_step_leaves_no_object_and_no_bytes(void **context)
{
    fixture *f = *context;
    static const char *const points[] = {"fs.write", "fs.link", "store.staged", "state.begin",
                                         "state.applied"};
    int failures = 0;

    for (size_t i = 0; i < COUNT_OF(points); i++) {
        for (int pass = 1; pass <= 4; pass++) {
            world w = world_open(f);
            arena *a = arena_create();
            store_usage usage;
            status done;

            EXPECT_OK(fault_arm(arena_printf(a, "%s=fail:ENOSPC@%d", points[i], pass), &f->err));
            done = commit_object(&w, a, 1, &f->err);
            fault_disarm();
            EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
            assert_int_equal(usage.objects, done == STATUS_OK ? 2 : 0);
            assert_true(done == STATUS_OK || done == STATUS_NO_SPACE);
            failures += done != STATUS_OK;
            EXPECT_OK(commit_object(&w, a, 1, &f->err)); /* space is back */
            world_close(&w);
            assert_int_equal(blob_count(f, NULL), 2);
            arena_free(a);
            EXPECT_OK(fs_remove_tree(test_path(f, "data"), &f->err));
        }
    }
    assert_true(failures >= 9);
}

static void test_a_failed_sync_stops_everything_and_a_restart_recovers(void **context)
{
    fixture *f = *context;
    static const char *const points[] = {"fs.sync=fail@1", "fs.sync=fail@2", "fs.sync_dir=fail@1",
                                         "fs.sync=fail@3"};

    for (size_t i = 0; i < COUNT_OF(points); i++) {
        world w = world_open(f);
        store_staged *staged;
        store_writer *writer;
        store_usage usage;
        char *path;

        EXPECT_OK(commit_object(&w, f->arena, 1, &f->err));
        EXPECT_OK(fault_arm(points[i], &f->err));
        EXPECT_STATUS(IO, commit_object(&w, f->arena, 2, &f->err));
        fault_disarm(); /* the disk is well again: refused all the same */
        EXPECT_STATUS(IO, commit_object(&w, f->arena, 3, &f->err));
        EXPECT_STATUS(IO, delete_one(&w, object_location(f->arena, 1), &f->err));
        EXPECT_STATUS(IO, store_stage_bytes(w.storage, STR("s3://warehouse/x"), STR_NULL, STR("x"),
                                            &staged, &f->err));
        EXPECT_STATUS(
            IO, store_writer_begin(w.storage, STR("s3://warehouse/x"), STR_NULL, &writer, &f->err));
        EXPECT_STATUS(IO, store_staging_path(w.storage, f->arena, &path, &f->err));
        assert_true(str_equal(get(f, &w, object_location(f->arena, 1)), object_bytes(f->arena, 1)));
        world_close(&w);

        fs_volume_reset_for_tests(); /* a new process */
        w = world_open(f);
        EXPECT_OK(store_read_usage(w.storage, &usage, &f->err));
        assert_true(usage.objects == 2 ||
                    usage.objects == 4); /* the second commit is whole or absent */
        for (int n = 1; n <= (int)usage.objects / 2; n++) {
            assert_true(
                str_equal(get(f, &w, object_location(f->arena, n)), object_bytes(f->arena, n)));
        }
        EXPECT_OK(commit_object(&w, f->arena, 3, &f->err));
        world_close(&w);
        EXPECT_OK(fs_remove_tree(test_path(f, "data"), &f->err));
    }
}

static void test_a_full_disk_is_told_leaves_nothing_and_later_writes_succeed(void **context)
{
    fixture *f = *context;
    const char *data = test_path(f, "data");
    str big = noise(f, 6 * 1024 * 1024, 1);
    store_staged *staged;
    store_writer *writer;
    status written = STATUS_OK;
    world w;

    EXPECT_OK(fs_make_dirs(data, 0700, &f->err));
    if (mount("tmpfs", data, "tmpfs", 0, "size=8m") != 0) {
        SKIP("mounting a small file system needs privileges");
    }
    EXPECT_OK(
        world_try_open(data, test_path(f, "data/tarn.db"), (storage_options){0}, &w, &f->err));
    EXPECT_OK(put(&w, STR("s3://warehouse/small"), STR("small"), &f->err));
    EXPECT_OK(
        store_stage_bytes(w.storage, STR("s3://warehouse/big"), STR_NULL, big, &staged, &f->err));
    EXPECT_STATUS(NO_SPACE, put(&w, STR("s3://warehouse/too-big"), big, &f->err));
    EXPECT_OK(
        store_writer_begin(w.storage, STR("s3://warehouse/stream"), STR_NULL, &writer, &f->err));
    for (int i = 0; i < 6 && written == STATUS_OK; i++) {
        written = store_writer_write(writer, big.data, 1024 * 1024, &f->err);
    }
    assert_int_equal(written, STATUS_NO_SPACE);
    store_writer_abort(writer);
    assert_int_equal(blob_count(f, NULL), 2);
    EXPECT_STR(get(f, &w, STR("s3://warehouse/small")), "small");
    store_discard(w.storage, staged);
    storage_close(w.storage);
    state_close(w.state);
    EXPECT_OK(
        world_try_open(data, test_path(f, "data/tarn.db"), (storage_options){0}, &w, &f->err));
    assert_int_equal(blob_count(f, NULL), 1);
    EXPECT_OK(put(&w, STR("s3://warehouse/big"), big, &f->err)); /* space is back */
    world_close(&w);
    assert_int_equal(umount2(data, MNT_DETACH), 0);
}

TESTS(test_a_kill_at_any_point_loses_nothing_acknowledged_and_leaves_nothing_half,
      test_every_failing_step_leaves_no_object_and_no_bytes,
      test_a_failed_sync_stops_everything_and_a_restart_recovers,
      test_a_full_disk_is_told_leaves_nothing_and_later_writes_succeed)

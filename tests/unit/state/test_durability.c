/* timeout: 120 */
/* Claims about state when disks fail and processes die. A child process writes, and tells over a
 * pipe what was acknowledged before it was killed at a named point; the parent opens what is
 * left. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"
#include "tarn/state/state.h"

/* Each submission writes both rows, so that a half is seen. */
static const state_migration pairs[] = {
    {"pairs", 1,
     "CREATE TABLE lefts (id BIGINT PRIMARY KEY); CREATE TABLE rights (id BIGINT PRIMARY KEY); "
     "CREATE TABLE fillers (bytes BLOB NOT NULL)"},
};

static status open_pairs(const char *path, state **ret_state, error *err)
{
    state_options options = {.path = path};

    return state_open(&options, pairs, COUNT_OF(pairs), ret_state, err);
}

static status insert_pair(void *context, state_txn *txn, error *err)
{
    int64_t id = *(const int64_t *)context;

    TRY(STATE_EXEC(txn, "INSERT INTO lefts (id) VALUES (?1)", NULL, err, SV_INT(id)));
    return STATE_EXEC(txn, "INSERT INTO rights (id) VALUES (?1)", NULL, err, SV_INT(id));
}

typedef struct found {
    int64_t lefts, rights, halves, newest;
} found;

static status read_pairs(void *context, state_txn *txn, error *err)
{
    found *ret = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn,
                    "SELECT (SELECT count(*) FROM lefts), (SELECT count(*) FROM rights), "
                    "(SELECT count(*) FROM lefts WHERE id NOT IN (SELECT id FROM rights)), "
                    "(SELECT coalesce(max(id), 0) FROM lefts)",
                    NULL, 0, &rows, err));
    TRY(state_next(rows, &row, err));
    *ret = (found){state_int(rows, 0), state_int(rows, 1), state_int(rows, 2), state_int(rows, 3)};
    return STATUS_OK;
}

/* Writes pairs 1, 2, 3 … and tells each acknowledged id; dies where `fault` says. */
static void write_until_killed(const char *path, const char *fault, int told)
{
    state *s;

    if (open_pairs(path, &s, NULL) != STATUS_OK || fault_arm(fault, NULL) != STATUS_OK) {
        _exit(3);
    }
    for (int64_t id = 1; id <= 1000; id++) {
        if (state_submit(s, insert_pair, &id, NULL) != STATUS_OK) {
            _exit(4);
        }
        if (write(told, &id, sizeof(id)) != (ssize_t)sizeof(id)) {
            _exit(5);
        }
    }
    _exit(6);
}

static void check_kill(fixture *f, const char *fault)
{
    const char *path = test_path(f, "killed.db");
    int64_t acknowledged = 0;
    int64_t id;
    int pipe_ends[2];
    found left;
    state *s;
    int ended;
    pid_t child;

    assert_int_equal(pipe(pipe_ends), 0);
    child = fork();
    if (child == 0) {
        write_until_killed(path, fault, pipe_ends[1]);
    }
    (void)close(pipe_ends[1]);
    while (read(pipe_ends[0], &id, sizeof(id)) == (ssize_t)sizeof(id)) {
        acknowledged = id;
    }
    (void)close(pipe_ends[0]);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);

    EXPECT_OK(open_pairs(path, &s, &f->err));
    EXPECT_OK(state_read(s, read_pairs, &left, &f->err));
    state_close(s);
    assert_int_equal(left.halves, 0);
    assert_int_equal(left.lefts, left.rights);
    assert_int_equal(left.lefts, left.newest); /* none missing */
    assert_true(left.newest >= acknowledged);  /* none lost */
    assert_true(left.newest <= acknowledged + 1);
    EXPECT_OK(fs_remove(path, &f->err));
    EXPECT_OK(fs_remove(test_path(f, "killed.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "killed.db-shm"), &f->err));
}

static void test_a_killed_process_loses_nothing_acknowledged(void **context)
{
    fixture *f = *context;
    static const char *const points[] = {"state.begin", "state.applied", "state.committed",
                                         "fs.sync", "fs.write"};

    for (size_t i = 0; i < COUNT_OF(points); i++) {
        for (int pass = 1; pass <= 21; pass += 10) {
            check_kill(f, arena_printf(f->arena, "%s=kill@%d", points[i], pass));
        }
    }
}

static void test_a_failed_sync_stops_the_volume(void **context)
{
    fixture *f = *context;
    const char *path = test_path(f, "tarn.db");
    int64_t ids[] = {1, 2, 3};
    found left;
    state *s;

    EXPECT_OK(open_pairs(path, &s, &f->err));
    EXPECT_OK(state_submit(s, insert_pair, &ids[0], &f->err));
    EXPECT_OK(fault_arm("fs.sync=fail:EIO@1", &f->err));
    EXPECT_STATUS(IO, state_submit(s, insert_pair, &ids[1], &f->err));
    fault_disarm();
    assert_true(fs_volume_broken());
    EXPECT_STATUS(IO, state_submit(s, insert_pair, &ids[2],
                                   &f->err)); /* the disk works again: still refused */
    EXPECT_MESSAGE(f, "the volume was stopped after a failed sync");
    EXPECT_OK(state_read(s, read_pairs, &left, &f->err)); /* what was acknowledged is still read */
    assert_int_equal(left.newest, 1);
    state_close(s);

    fs_volume_reset_for_tests(); /* a new process */
    EXPECT_OK(open_pairs(path, &s, &f->err));
    EXPECT_OK(state_read(s, read_pairs, &left, &f->err));
    assert_int_equal(left.halves, 0);
    assert_true(left.newest >= 1 && left.newest <= 2); /* the second is whole or absent */
    EXPECT_OK(state_submit(s, insert_pair, &ids[2], &f->err));
    state_close(s);
}

typedef struct ending {
    int64_t id;
    state_outcome outcome;
} ending;

static void note_end(void *context, state_outcome outcome)
{
    ((ending *)context)->outcome = outcome;
}

static status insert_and_note(void *context, state_txn *txn, error *err)
{
    ending *e = context;

    state_at_end(txn, note_end, e);
    return insert_pair(&e->id, txn, err);
}

static void test_after_a_failed_sync_the_outcome_is_unknown(void **context)
{
    fixture *f = *context;
    ending e = {.id = 1, .outcome = STATE_COMMITTED};
    state *s;

    EXPECT_OK(open_pairs(test_path(f, "tarn.db"), &s, &f->err));
    EXPECT_OK(fault_arm("fs.sync=fail:EIO@1", &f->err));
    EXPECT_STATUS(IO, state_submit(s, insert_and_note, &e, &f->err));
    fault_disarm();
    assert_int_equal(e.outcome, STATE_UNKNOWN); /* so that no bytes are removed */
    state_close(s);
    fs_volume_reset_for_tests();
}

static void test_a_commit_that_could_not_be_written_is_unknown_and_stops_the_volume(void **context)
{
    fixture *f = *context;
    ending e = {.id = 1, .outcome = STATE_COMMITTED};
    state *s;

    EXPECT_OK(open_pairs(test_path(f, "tarn.db"), &s, &f->err));
    EXPECT_OK(fault_arm("fs.write=fail:EIO@1", &f->err));
    EXPECT_STATUS(IO, state_submit(s, insert_and_note, &e, &f->err));
    fault_disarm();
    assert_int_equal(e.outcome, STATE_UNKNOWN);
    assert_true(fs_volume_broken());
    state_close(s);
    fs_volume_reset_for_tests();
}

static status insert_filler(void *context, state_txn *txn, error *err)
{
    return STATE_EXEC(txn, "INSERT INTO fillers (bytes) VALUES (?1)", NULL, err,
                      SV_BLOB(*(const str *)context));
}

/* The first sync is the commit's; those of copying the log into the database follow by themselves. */
static void test_a_failed_sync_of_a_checkpoint_stops_the_volume_too(void **context)
{
    fixture *f = *context;
    size_t size = (size_t)10 * 1024 * 1024; /* more than the log holds without being copied */
    str bytes = str_from(arena_alloc(f->arena, size), size);
    int64_t id = 1;
    state *s;

    EXPECT_OK(open_pairs(test_path(f, "tarn.db"), &s, &f->err));
    EXPECT_OK(fault_arm("fs.sync=fail:EIO@2", &f->err));
    EXPECT_OK(state_submit(s, insert_filler, &bytes, &f->err));
    EXPECT_STATUS(IO, state_submit(s, insert_pair, &id, &f->err));
    assert_int_equal(fault_passes(FAULT_FS_SYNC), 2); /* the second commit was not even tried */
    fault_disarm();
    assert_true(fs_volume_broken());
    state_close(s);
    fs_volume_reset_for_tests();
}

static void test_a_full_disk_undoes_the_group_and_later_ones_succeed(void **context)
{
    fixture *f = *context;
    ending e = {.id = 1, .outcome = STATE_COMMITTED};
    int64_t second = 2;
    found left;
    state *s;

    EXPECT_OK(open_pairs(test_path(f, "tarn.db"), &s, &f->err));
    EXPECT_OK(fault_arm("fs.write=fail:ENOSPC", &f->err));
    EXPECT_STATUS(NO_SPACE, state_submit(s, insert_and_note, &e, &f->err));
    assert_int_equal(e.outcome, STATE_ROLLED_BACK);
    fault_disarm();
    assert_false(fs_volume_broken());
    EXPECT_OK(state_submit(s, insert_pair, &second, &f->err));
    EXPECT_OK(state_read(s, read_pairs, &left, &f->err));
    assert_int_equal(left.lefts, 1);
    assert_int_equal(left.newest, 2);
    state_close(s);
}

static void test_failing_before_the_commit_undoes_the_group_alone(void **context)
{
    fixture *f = *context;
    static const char *const faults[] = {"state.begin=fail@1", "state.applied=fail@1"};
    int64_t id = 1;
    found left;
    state *s;

    EXPECT_OK(open_pairs(test_path(f, "tarn.db"), &s, &f->err));
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        EXPECT_OK(fault_arm(faults[i], &f->err));
        EXPECT_STATUS(IO, state_submit(s, insert_pair, &id, &f->err));
        EXPECT_OK(state_read(s, read_pairs, &left, &f->err));
        assert_int_equal(left.lefts, 0);
    }
    EXPECT_OK(state_submit(s, insert_pair, &id, &f->err));
    fault_disarm();
    state_close(s);
}

TESTS(test_a_killed_process_loses_nothing_acknowledged, test_a_failed_sync_stops_the_volume,
      test_after_a_failed_sync_the_outcome_is_unknown,
      test_a_commit_that_could_not_be_written_is_unknown_and_stops_the_volume,
      test_a_failed_sync_of_a_checkpoint_stops_the_volume_too,
      test_a_full_disk_undoes_the_group_and_later_ones_succeed,
      test_failing_before_the_commit_undoes_the_group_alone)

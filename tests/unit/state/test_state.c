/* Claims about state: groups, savepoints, hooks, readers, the schema's versions, copies, the
 * lock. Crashes and failing disks are in test_durability.c. */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"
#include "tarn/base/thread.h"
#include "tarn/state/state.h"

static const state_migration things[] = {
    {"things", 1,
     "CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT NOT NULL CHECK (name <> 'bad'))"},
    {"things", 2,
     "CREATE TABLE parts (id BIGINT PRIMARY KEY, thing BIGINT REFERENCES things (id)); "
     "CREATE INDEX parts_by_thing ON parts (thing)"},
};

static state *open_state(fixture *f, bool unsafe)
{
    state *s = NULL;
    state_options options = {.path = test_path(f, "tarn.db"), .unsafe = unsafe};

    EXPECT_OK(state_open(&options, things, COUNT_OF(things), &s, &f->err));
    return s;
}

typedef struct thing {
    int64_t id;
    const char *name;
    status fails_with; /* after the row was inserted */
} thing;

static status insert_thing(void *context, state_txn *txn, error *err)
{
    const thing *t = context;

    TRY(STATE_EXEC(txn, "INSERT INTO things (id, name) VALUES (?1, ?2)", NULL, err, SV_INT(t->id),
                   SV_TEXT(str_c(t->name))));
    return t->fails_with == STATUS_OK ? STATUS_OK : error_set(err, t->fails_with, "told to fail");
}

static status count_things(void *context, state_txn *txn, error *err)
{
    state_rows *rows;
    bool row;

    TRY(state_query(txn, "SELECT count(*) FROM things", NULL, 0, &rows, err));
    TRY(state_next(rows, &row, err));
    *(int64_t *)context = state_int(rows, 0);
    return STATUS_OK;
}

static int64_t thing_count(fixture *f, state *s)
{
    int64_t count = -1;

    EXPECT_OK(state_read(s, count_things, &count, &f->err));
    return count;
}

static void test_submitted_rows_are_read_back(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, false);

    EXPECT_OK(state_submit(s, insert_thing, &(thing){1, "one", STATUS_OK}, &f->err));
    assert_int_equal(thing_count(f, s), 1);
    state_close(s);
    s = open_state(f, false);
    assert_int_equal(thing_count(f, s), 1);
    state_close(s);
}

static void test_failed_submission_is_undone_whole(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, false);
    state_stats stats;

    EXPECT_STATUS(CONFLICT,
                  state_submit(s, insert_thing, &(thing){1, "one", STATUS_CONFLICT}, &f->err));
    EXPECT_MESSAGE(f, "told to fail");
    assert_int_equal(thing_count(f, s), 0);
    state_read_stats(s, &stats);
    assert_int_equal(stats.rollbacks, 1);
    state_close(s);
}

static void test_broken_uniqueness_is_exists_and_broken_checks_are_conflict(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, false);

    EXPECT_OK(state_submit(s, insert_thing, &(thing){1, "one", STATUS_OK}, &f->err));
    EXPECT_STATUS(EXISTS, state_submit(s, insert_thing, &(thing){1, "again", STATUS_OK}, &f->err));
    EXPECT_STATUS(CONFLICT, state_submit(s, insert_thing, &(thing){2, "bad", STATUS_OK}, &f->err));
    state_close(s);
}

static status insert_lonely_part(void *context, state_txn *txn, error *err)
{
    (void)context;
    return STATE_EXEC(txn, "INSERT INTO parts (id, thing) VALUES (?1, ?2)", NULL, err, SV_INT(1),
                      SV_INT(77));
}

static void test_references_are_enforced(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, false);

    EXPECT_STATUS(CONFLICT, state_submit(s, insert_lonely_part, NULL, &f->err));
    state_close(s);
}

/* --- groups --- */

typedef struct gate {
    mutex lock;
    cond changed;
    int arrived;
    int told;
    bool open;
    status results[8];
} gate;

static void gate_init(gate *g)
{
    *g = (gate){.open = false};
    mutex_init(&g->lock);
    cond_init(&g->changed);
}

static void gate_release(gate *g)
{
    cond_release(&g->changed);
    mutex_release(&g->lock);
}

/* Holds the writer inside a submission until the gate opens. */
static status wait_at_gate(void *context, state_txn *txn, error *err)
{
    gate *g = context;

    (void)txn;
    (void)err;
    mutex_lock(&g->lock);
    g->arrived++;
    cond_broadcast(&g->changed);
    while (!g->open) {
        cond_wait(&g->changed, &g->lock);
    }
    mutex_unlock(&g->lock);
    return STATUS_OK;
}

typedef struct member {
    thing t;
    gate *g;
    int index;
} member;

static status insert_member(void *context, state_txn *txn, error *err)
{
    return insert_thing(&((member *)context)->t, txn, err);
}

static void note_told(gate *g, int index, status result)
{
    mutex_lock(&g->lock);
    g->results[index] = result;
    g->told++;
    cond_broadcast(&g->changed);
    mutex_unlock(&g->lock);
}

static void member_done(void *context, status result, const error *err)
{
    member *m = context;

    (void)err;
    note_told(m->g, m->index, result);
}

static void gate_done(void *context, status result, const error *err)
{
    (void)err;
    note_told(context, 0, result);
}

/* Four submissions that are one group: they wait while the first of it is applied. */
static void submit_as_one_group(state *s, gate *g, member *members, size_t count)
{
    state_submit_async(s, wait_at_gate, gate_done, g);
    mutex_lock(&g->lock);
    while (g->arrived == 0) {
        cond_wait(&g->changed, &g->lock);
    }
    mutex_unlock(&g->lock);
    for (size_t i = 0; i < count; i++) {
        members[i].g = g;
        members[i].index = (int)i + 1;
        state_submit_async(s, insert_member, member_done, &members[i]);
    }
    mutex_lock(&g->lock);
    g->open = true;
    cond_broadcast(&g->changed);
    while (g->told < (int)count + 1) {
        cond_wait(&g->changed, &g->lock);
    }
    mutex_unlock(&g->lock);
}

static void test_failure_in_a_group_leaves_the_others_alone(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, false);
    member members[] = {{.t = {1, "one", STATUS_OK}},
                        {.t = {2, "two", STATUS_CONFLICT}},
                        {.t = {1, "one again", STATUS_OK}},
                        {.t = {3, "three", STATUS_OK}}};
    state_stats stats;
    gate g;

    gate_init(&g);
    submit_as_one_group(s, &g, members, COUNT_OF(members));
    assert_int_equal(g.results[1], STATUS_OK);
    assert_int_equal(g.results[2], STATUS_CONFLICT);
    assert_int_equal(g.results[3], STATUS_EXISTS);
    assert_int_equal(g.results[4], STATUS_OK);
    assert_int_equal(thing_count(f, s), 2);
    state_read_stats(s, &stats);
    assert_int_equal(stats.submissions, 5);
    assert_int_equal(stats.groups, 1);
    assert_int_equal(stats.group_size_max, 5);
    assert_int_equal(stats.syncs_per_group_max, 1);
    gate_release(&g);
    state_close(s);
}

typedef struct writer {
    state *s;
    int64_t first_id;
    int failures;
} writer;

#define WRITERS 32
#define WRITES_EACH 20

static void write_many(void *context)
{
    writer *w = context;

    for (int i = 0; i < WRITES_EACH; i++) {
        thing t = {.id = w->first_id + i, .name = "x"};

        w->failures += state_submit(w->s, insert_thing, &t, NULL) != STATUS_OK;
    }
}

static void test_many_writers_share_syncs(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, false);
    thread threads[WRITERS] = {0};
    writer writers[WRITERS];
    state_stats stats;
    long syncs;

    EXPECT_OK(fault_arm("fs.sync=delay:1", &f->err));
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.s = s, .first_id = i * 1000};
        EXPECT_OK(thread_start(&threads[i], "writer", write_many, &writers[i], &f->err));
    }
    for (int i = 0; i < WRITERS; i++) {
        thread_join(&threads[i]);
        assert_int_equal(writers[i].failures, 0);
    }
    syncs = fault_passes(FAULT_FS_SYNC);
    fault_disarm();
    state_read_stats(s, &stats);
    assert_int_equal(stats.submissions, WRITERS * WRITES_EACH);
    assert_true(stats.groups < stats.submissions / 2);
    assert_true(syncs < stats.submissions / 2);
    assert_true(syncs >= stats.groups); /* none without its own sync */
    assert_int_equal(thing_count(f, s), WRITERS * WRITES_EACH);
    state_close(s);
}

/* --- hooks --- */

typedef struct hooked {
    int committed;
    state_outcome outcome;
    int ended;
    status result;
} hooked;

static void note_commit(void *context)
{
    ((hooked *)context)->committed++;
}

static void note_end(void *context, state_outcome outcome)
{
    hooked *h = context;

    h->ended++;
    h->outcome = outcome;
}

static status add_hooks(void *context, state_txn *txn, error *err)
{
    hooked *h = context;

    assert_true(state_txn_writes(txn));
    state_after_commit(txn, note_commit, h);
    state_at_end(txn, note_end, h);
    return h->result == STATUS_OK ? STATUS_OK : error_set(err, h->result, "told to fail");
}

static void test_hooks_tell_how_the_submission_ended(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, false);
    hooked kept = {.outcome = STATE_UNKNOWN};
    hooked undone = {.outcome = STATE_UNKNOWN, .result = STATUS_INVALID};

    EXPECT_OK(state_submit(s, add_hooks, &kept, &f->err));
    assert_int_equal(kept.committed, 1);
    assert_int_equal(kept.ended, 1);
    assert_int_equal(kept.outcome, STATE_COMMITTED);
    EXPECT_STATUS(INVALID, state_submit(s, add_hooks, &undone, &f->err));
    assert_int_equal(undone.committed, 0);
    assert_int_equal(undone.ended, 1);
    assert_int_equal(undone.outcome, STATE_ROLLED_BACK);
    state_close(s);
}

/* --- reading --- */

typedef struct snapshot_check {
    fixture *f;
    state *s;
    int64_t before, after;
} snapshot_check;

static status write_while_reading(void *context, state_txn *txn, error *err)
{
    snapshot_check *check = context;

    TRY(count_things(&check->before, txn, err));
    TRY(state_submit(check->s, insert_thing, &(thing){9, "nine", STATUS_OK}, err));
    return count_things(&check->after, txn, err);
}

static void test_a_reader_sees_one_snapshot(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, false);
    snapshot_check check = {.f = f, .s = s};

    EXPECT_OK(state_read(s, write_while_reading, &check, &f->err));
    assert_int_equal(check.before, 0);
    assert_int_equal(check.after, 0);
    assert_int_equal(thing_count(f, s), 1);
    state_close(s);
}

static status read_nested(void *context, state_txn *txn, error *err)
{
    static const char sql[] = "SELECT id, name FROM things ORDER BY id";
    state_rows *outer;
    state_rows *inner;
    bool row;
    int64_t *sum = context;

    TRY(state_query(txn, sql, NULL, 0, &outer, err));
    for (;;) {
        TRY(state_next(outer, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        TRY(state_query(txn, sql, NULL, 0, &inner,
                        err)); /* the same text, while the first one runs */
        TRY(state_next(inner, &row, err));
        *sum += state_int(outer, 0) * 100 + state_int(inner, 0);
    }
}

static void test_one_statement_may_run_twice_at_once(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, false);
    int64_t sum = 0;

    EXPECT_OK(state_submit(s, insert_thing, &(thing){1, "one", STATUS_OK}, &f->err));
    EXPECT_OK(state_submit(s, insert_thing, &(thing){2, "two", STATUS_OK}, &f->err));
    EXPECT_OK(state_read(s, read_nested, &sum, &f->err));
    assert_int_equal(sum, 101 + 201);
    state_close(s);
}

static status check_values(void *context, state_txn *txn, error *err)
{
    fixture *f = context;
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, "SELECT ?1, ?2, ?3, ?4, ?5", &rows, err, SV_NULL, SV_INT(INT64_MIN),
                    SV_REAL(0.5), SV_TEXT(STR_NULL), SV_BLOB(STR("a\0b"))));
    TRY(state_next(rows, &row, err));
    assert_true(row);
    assert_true(state_is_null(rows, 0));
    assert_true(str_is_null(state_text(rows, 0, f->arena)));
    assert_true(state_int(rows, 1) == INT64_MIN);
    assert_true(state_real(rows, 2) == 0.5);
    assert_false(state_is_null(rows, 3));
    assert_int_equal(state_text(rows, 3, NULL).size, 0);
    assert_true(str_equal(state_text(rows, 4, f->arena), STR("a\0b")));
    TRY(state_next(rows, &row, err));
    assert_false(row);
    TRY(state_next(rows, &row, err)); /* and none after the last */
    assert_false(row);
    return STATUS_OK;
}

static void test_values_come_back_as_they_went_in(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, false);

    EXPECT_OK(state_read(s, check_values, f, &f->err));
    state_close(s);
}

/* --- schema --- */

static void test_newer_schema_is_refused(void **context)
{
    fixture *f = *context;
    state_options options = {.path = test_path(f, "tarn.db")};
    state *s = open_state(f, false);

    state_close(s);
    EXPECT_STATUS(INVALID, state_open(&options, things, 1, &s, &f->err));
    EXPECT_MESSAGE(f, "schema of \"things\" has version 2, this program knows versions up to 1");
    EXPECT_STATUS(INVALID, state_open(&options, things, 0, &s, &f->err));
    s = open_state(f, false); /* and the refusals changed nothing */
    state_close(s);
}

static void test_missing_migrations_are_applied_together_or_not_at_all(void **context)
{
    fixture *f = *context;
    static const state_migration broken[] = {
        {"things", 1,
         "CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT NOT NULL CHECK (name <> 'bad'))"},
        {"things", 2,
         "CREATE TABLE parts (id BIGINT PRIMARY KEY); CREATE TABLE things (x BIGINT)"}};
    state_options options = {.path = test_path(f, "tarn.db")};
    state *s;

    EXPECT_STATUS(INTERNAL, state_open(&options, broken, COUNT_OF(broken), &s, &f->err));
    s = open_state(f, false); /* fails if version 1 or half of 2 had stayed */
    assert_int_equal(thing_count(f, s), 0);
    state_close(s);
}

static void test_what_is_no_database_is_corrupt(void **context)
{
    fixture *f = *context;
    state_options options = {.path =
                                 test_write_file(f, "tarn.db",
                                                 STR("this is a text file, and long enough to be "
                                                     "read as the head of a database, which wants "
                                                     "a hundred bytes of its own kind"))};
    state *s;

    EXPECT_STATUS(CORRUPT, state_open(&options, things, COUNT_OF(things), &s, &f->err));
}

/* --- the log file, copies --- */

static status insert_filler(void *context, state_txn *txn, error *err)
{
    int64_t *id = context;
    static char filler[900 * 1024];

    ++*id;
    return STATE_EXEC(txn, "INSERT INTO things (id, name) VALUES (?1, ?2)", NULL, err, SV_INT(*id),
                      SV_TEXT(str_from(filler, sizeof(filler))));
}

static void test_the_log_is_written_over_and_does_not_grow(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, true);
    int64_t id = 0;
    int64_t log_size_bytes;

    for (int i = 0; i < 200; i++) {
        EXPECT_OK(state_submit(s, insert_filler, &id, &f->err));
    }
    EXPECT_OK(fs_stat_size(test_path(f, "tarn.db-wal"), &log_size_bytes, &f->err));
    assert_true(log_size_bytes < 64 * 1024 * 1024); /* of 180 MB written */
    state_close(s);
}

static void test_backup_is_a_whole_database(void **context)
{
    fixture *f = *context;
    state *s = open_state(f, false);
    state_options options = {.path = test_path(f, "copy.db")};
    state *copy;

    EXPECT_OK(state_submit(s, insert_thing, &(thing){1, "one", STATUS_OK}, &f->err));
    EXPECT_OK(state_backup(s, options.path, &f->err));
    EXPECT_OK(state_submit(s, insert_thing, &(thing){2, "two", STATUS_OK}, &f->err));
    EXPECT_OK(state_open(&options, things, COUNT_OF(things), &copy, &f->err));
    assert_int_equal(thing_count(f, copy), 1);
    state_close(copy);
    state_close(s);
}

/* --- the lock --- */

static void test_second_lock_is_refused_and_names_the_holder(void **context)
{
    fixture *f = *context;
    data_lock *first;
    data_lock *second;
    char expected[512];

    EXPECT_OK(data_lock_take(f->dir, "tarn serve", &first, &f->err));
    EXPECT_STATUS(BUSY, data_lock_take(f->dir, "tarn sql", &second, &f->err));
    (void)snprintf(expected, sizeof(expected),
                   "data directory \"%s\" is in use by \"tarn serve\", pid %ld", f->dir,
                   (long)getpid());
    EXPECT_MESSAGE(f, expected);
    data_lock_drop(first);
    EXPECT_OK(data_lock_take(f->dir, "tarn sql", &second, &f->err));
    data_lock_drop(second);
}

static void test_the_lock_ends_with_its_process(void **context)
{
    fixture *f = *context;
    data_lock *lock;
    int ended;
    pid_t child = fork();

    if (child == 0) {
        (void)data_lock_take(f->dir, "tarn serve", &lock, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    EXPECT_OK(data_lock_take(f->dir, "tarn serve", &lock, &f->err));
    data_lock_drop(lock);
}

static void expect_private(fixture *f, const char *name)
{
    struct stat info;

    assert_int_equal(stat(test_path(f, name), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

/* The folder may be open to others: the files are not. */
static void test_nobody_else_can_read_the_files(void **context)
{
    fixture *f = *context;
    mode_t before = umask(022);
    state *s = open_state(f, false);
    thing one = {.id = 1, .name = "one"};

    EXPECT_OK(state_submit(s, insert_thing, &one, &f->err));
    EXPECT_OK(state_backup(s, test_path(f, "copy.db"), &f->err));
    (void)umask(before);
    expect_private(f, "tarn.db");
    expect_private(f, "tarn.db-wal");
    expect_private(f, "tarn.db-shm");
    expect_private(f, "copy.db");
    state_close(s);
}

TESTS(test_submitted_rows_are_read_back, test_failed_submission_is_undone_whole,
      test_broken_uniqueness_is_exists_and_broken_checks_are_conflict, test_references_are_enforced,
      test_failure_in_a_group_leaves_the_others_alone, test_many_writers_share_syncs,
      test_hooks_tell_how_the_submission_ended, test_a_reader_sees_one_snapshot,
      test_one_statement_may_run_twice_at_once, test_values_come_back_as_they_went_in,
      test_newer_schema_is_refused, test_missing_migrations_are_applied_together_or_not_at_all,
      test_what_is_no_database_is_corrupt, test_the_log_is_written_over_and_does_not_grow,
      test_backup_is_a_whole_database, test_second_lock_is_refused_and_names_the_holder,
      test_the_lock_ends_with_its_process, test_nobody_else_can_read_the_files)

/* The queue of submissions, the writer, and reading. What a statement is: statement.c;
 * the database behind it: sqlite.c; versions of the schema: migrate.c.
 *
 * The writer is one thread at a time, the one that has `writing`: who submits while nobody writes
 * runs a group at once, without a change of threads there and back; what arrives meanwhile is the
 * state thread's, group after group. It also cares for the log when all is quiet.
 *
 * Life of a submission, in the writer (run_group):
 *     waiting -> applied in a savepoint -> kept or undone alone (apply_one)
 *             -> committed with its group, one sync (commit_group) -> hooks, caller told (tell)
 * A group takes what waits when it begins and what arrives while its members are applied; what
 * arrives during its sync is the next group. So nobody waits for company, and many writers share
 * a sync. */
#include "tarn/state/state.h"

#include <fcntl.h>

#include "internal.h"
#include "tarn/base/clock.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"

#define READERS_MAX_DEFAULT 8
#define GROUP_SIZE_MAX 512
#define QUIET_NS (INT64_C(50) * 1000000)

typedef struct submission {
    struct submission *next;
    status (*apply)(void *context, state_txn *txn, error *err);
    void (*done)(void *context, status result, const error *err); /* async only */
    void *context;
    state_txn txn; /* arena and hooks live until the caller is told */
    error err;
    status result;
    latch told;
    bool is_writers;             /* its caller runs the group */
    struct submission *woken[2]; /* by this one's caller, once it was told; set before */
} submission;

typedef struct reader {
    struct reader *next;
    db *connection;
} reader;

struct state {
    const state_ops *ops;
    db *writer;
    thread thread;
    mutex lock;
    cond work;
    submission *first; /* waiting, in order */
    submission *last;
    bool writing;  /* somebody uses `writer` and runs a group */
    pthread_t who; /* that is */
    bool cared;    /* the log was cared for since the last group */
    bool asleep;   /* the state thread, until something happens */
    bool closing;
    state_stats stats;

    cond reader_back;
    reader *idle_readers;
    int readers;
    int readers_max;
    state_options options; /* path is owned */
    arena *memory;
};

/* --- hooks --- */

static void add_hook(state_txn *txn, hook h)
{
    hook *kept = ARENA_NEW(txn->memory, hook);

    ASSERT(txn->writes);
    *kept = h;
    if (txn->last_hook != NULL) {
        txn->last_hook->next = kept;
    } else {
        txn->first_hook = kept;
    }
    txn->last_hook = kept;
}

void state_after_commit(state_txn *txn, void (*run)(void *context), void *context)
{
    add_hook(txn, (hook){.after_commit = run, .context = context});
}

void state_at_end(state_txn *txn, void (*run)(void *context, state_outcome outcome), void *context)
{
    add_hook(txn, (hook){.at_end = run, .context = context});
}

static void run_hooks(const state_txn *txn, state_outcome outcome)
{
    for (const hook *h = txn->first_hook; h != NULL; h = h->next) {
        if (h->at_end != NULL) {
            h->at_end(h->context, outcome);
        } else if (outcome == STATE_COMMITTED) {
            h->after_commit(h->context);
        }
    }
}

/* --- groups --- */

static submission *take_submission(state *s)
{
    submission *sub;

    mutex_lock(&s->lock);
    sub = s->first;
    if (sub != NULL) {
        s->first = sub->next;
        s->last = s->first != NULL ? s->last : NULL;
        sub->next = NULL;
    }
    mutex_unlock(&s->lock);
    return sub;
}

/* True where its caller waits, and is to be told. */
static bool finish_one(submission *sub, state_outcome outcome)
{
    run_hooks(&sub->txn, outcome);
    arena_free(sub->txn.memory);
    sub->txn.memory = NULL;
    if (sub->done != NULL) {
        sub->done(sub->context, sub->result, &sub->err);
        mem_free(sub);
        return false;
    }
    return true;
}

/* Who is told tells two others, so that the writer goes on at once: whom it wakes may take its
 * processor. The writer's own caller tells nobody, for it has the log to care for first. A submission
 * is gone once its caller was told. */
static void tell_all(submission *const *waiting, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        waiting[(i - 1) / 2]->woken[(i - 1) % 2] = waiting[i];
    }
    if (count > 0) {
        latch_open(&waiting[0]->told);
    }
}

static void wait_told(submission *sub)
{
    latch_wait(&sub->told);
    for (size_t i = 0; i < COUNT_OF(sub->woken) && sub->woken[i] != NULL; i++) {
        latch_open(&sub->woken[i]->told);
    }
    latch_release(&sub->told);
}

/* Runs one submission in its savepoint. What fails is undone alone. The error returned is the
 * group's: the savepoint itself failed, or the database undid everything. */
static status apply_one(state *s, submission *sub, error *err)
{
    sub->txn = (state_txn){
        .ops = s->ops, .connection = s->writer, .writes = true, .memory = arena_create()};
    TRY(s->ops->control(s->writer, DB_SAVEPOINT, err));
    sub->result = sub->apply(sub->context, &sub->txn, &sub->err);
    state__finish_rows(&sub->txn);
    if (!s->ops->in_transaction(s->writer)) {
        if (sub->result == STATUS_OK) {
            return error_set(err, STATUS_INTERNAL,
                             "state database: the transaction ended inside a submission");
        }
        *err = sub->err;
        return sub->result;
    }
    return s->ops->control(s->writer, sub->result == STATUS_OK ? DB_RELEASE : DB_ROLLBACK_TO, err);
}

/* Begins and applies; `*ret_members` is the list of those taken, in order, also on failure. */
static status apply_group(state *s, submission **ret_members, error *err)
{
    submission *last = NULL;
    int64_t size = 0;
    status begun = fs_volume_check(err);

    if (begun == STATUS_OK) {
        begun = FAULT(FAULT_STATE_BEGIN, err);
    }
    if (begun == STATUS_OK) {
        begun = s->ops->control(s->writer, DB_BEGIN_WRITE, err);
    }
    for (submission *sub; size < GROUP_SIZE_MAX && (sub = take_submission(s)) != NULL; size++) {
        if (last == NULL) {
            *ret_members = sub;
        } else {
            last->next = sub;
        }
        last = sub;
        if (begun == STATUS_OK) {
            begun = apply_one(s, sub, err);
        }
    }
    mutex_lock(&s->lock);
    s->stats.submissions += size;
    s->stats.group_size_max = size > s->stats.group_size_max ? size : s->stats.group_size_max;
    mutex_unlock(&s->lock);
    TRY(begun);
    return FAULT(FAULT_STATE_APPLIED, err);
}

/* Takes the group back where it is not committed. A rollback that fails leaves a connection in a
 * state that nothing may be written from. */
static void undo_group(state *s)
{
    error err = ERROR_INIT;

    if (s->ops->in_transaction(s->writer) &&
        s->ops->control(s->writer, DB_ROLLBACK, &err) != STATUS_OK) {
        log_failure("rollback failed", &err);
        fs_volume_break();
    }
}

/* state.h, invariant 4. */
static status commit_group(state *s, state_outcome *ret_outcome, error *err)
{
    status committed = s->ops->control(s->writer, DB_COMMIT, err);

    *ret_outcome = STATE_COMMITTED;
    if (committed == STATUS_OK) {
        return FAULT(FAULT_STATE_COMMITTED, err); /* durable, but nobody is told so */
    }
    /* On a full disk the log lacks the frame that commits. With any other failure it may have
     * it. */
    *ret_outcome =
        committed == STATUS_NO_SPACE && !fs_volume_broken() ? STATE_ROLLED_BACK : STATE_UNKNOWN;
    if (committed != STATUS_NO_SPACE) {
        fs_volume_break();
    }
    return committed;
}

static void run_group(state *s)
{
    int64_t syncs_before = s->ops->sync_count();
    submission *members = NULL;
    submission *waiting[GROUP_SIZE_MAX];
    size_t waiting_count = 0;
    error err = ERROR_INIT;
    status committed = apply_group(s, &members, &err);
    state_outcome outcome = STATE_ROLLED_BACK;
    int64_t syncs;

    if (committed == STATUS_OK) {
        committed = commit_group(s, &outcome, &err);
    }
    if (outcome != STATE_COMMITTED) {
        undo_group(s);
    }
    syncs = s->ops->sync_count() - syncs_before;
    mutex_lock(&s->lock);
    s->stats.groups += outcome == STATE_COMMITTED;
    s->stats.syncs_per_group_max =
        syncs > s->stats.syncs_per_group_max ? syncs : s->stats.syncs_per_group_max;
    mutex_unlock(&s->lock);
    while (members != NULL) {
        submission *sub = members;
        state_outcome own = sub->result == STATUS_OK ? outcome : STATE_ROLLED_BACK;

        members = sub->next;
        if (committed != STATUS_OK && sub->result == STATUS_OK) {
            sub->result = committed;
            sub->err = err;
        }
        if (own == STATE_ROLLED_BACK) {
            mutex_lock(&s->lock);
            s->stats.rollbacks++;
            mutex_unlock(&s->lock);
        }
        if (!finish_one(sub, own)) {
            continue; /* it is gone */
        }
        if (sub->is_writers) {
            latch_open(&sub->told);
        } else {
            waiting[waiting_count++] = sub;
        }
    }
    tell_all(waiting, waiting_count);
}

/* --- who writes; with the lock held --- */

static void begin_writing(state *s)
{
    s->writing = true;
    s->who = pthread_self();
}

static void end_writing(state *s)
{
    s->writing = false;
    /* The state thread goes on with what waits, or begins to wait for quiet. */
    if (s->first != NULL || s->closing || s->asleep) {
        cond_signal(&s->work);
    }
}

static void write_group(state *s)
{
    begin_writing(s);
    s->cared = false;
    mutex_unlock(&s->lock);
    run_group(s);
    s->ops->care(s->writer, false);
    mutex_lock(&s->lock);
}

/* --- the state thread --- */

static void care_for_log(state *s)
{
    begin_writing(s);
    mutex_unlock(&s->lock);
    s->ops->care(s->writer, true);
    mutex_lock(&s->lock);
    s->writing = false;
    s->cared = true;
}

/* Waits for its turn; where no group came for a while, the time is used for the log. False at the
 * end. With the lock held. */
static bool wait_for_work(state *s)
{
    int64_t groups = s->stats.groups;
    int64_t quiet_ns = clock_mono_ns() + QUIET_NS;

    while (s->writing || (s->first == NULL && !s->closing)) {
        if (s->cared || s->writing) {
            s->asleep = true;
            cond_wait(&s->work, &s->lock);
            s->asleep = false;
        } else if (!cond_wait_until(&s->work, &s->lock, quiet_ns)) {
            if (!s->writing && s->first == NULL && !s->closing && s->stats.groups == groups) {
                care_for_log(s);
            }
            groups = s->stats.groups;
            quiet_ns = clock_mono_ns() + QUIET_NS;
        }
    }
    return s->first != NULL;
}

static void run_writer(void *context)
{
    state *s = context;

    mutex_lock(&s->lock);
    while (wait_for_work(s)) {
        write_group(s);
        s->writing = false;
    }
    mutex_unlock(&s->lock);
}

/* --- submitting --- */

/* With the lock held. */
static void enqueue(state *s, submission *sub)
{
    ASSERT(!s->closing);
    if (s->last != NULL) {
        s->last->next = sub;
    } else {
        s->first = sub;
    }
    s->last = sub;
}

status state_submit(state *s, status (*apply)(void *context, state_txn *txn, error *err),
                    void *context, error *err)
{
    submission sub = {.apply = apply, .context = context, .err = ERROR_INIT};

    latch_init(&sub.told);
    mutex_lock(&s->lock);
    ASSERT(!s->writing || !pthread_equal(pthread_self(), s->who)); /* would wait for itself */
    if (!s->writing && s->first == NULL) {
        sub.is_writers = true;
        enqueue(s, &sub);
        write_group(s);
        end_writing(s);
    } else {
        enqueue(s, &sub);
        if (!s->writing) {
            cond_signal(&s->work);
        }
    }
    mutex_unlock(&s->lock);
    wait_told(&sub);
    if (sub.result != STATUS_OK && err != NULL) {
        *err = sub.err;
    }
    return sub.result;
}

void state_submit_async(state *s, status (*apply)(void *context, state_txn *txn, error *err),
                        void (*done)(void *context, status result, const error *err), void *context)
{
    submission *sub = NEW(submission);

    ASSERT(done != NULL);
    sub->apply = apply;
    sub->done = done;
    sub->context = context;
    error_clear(&sub->err);
    mutex_lock(&s->lock);
    enqueue(s, sub);
    if (!s->writing) {
        cond_signal(&s->work);
    }
    mutex_unlock(&s->lock);
}

/* --- reading --- */

static status take_reader(state *s, reader **ret_reader, error *err)
{
    reader *r;
    status opened;

    mutex_lock(&s->lock);
    while (s->idle_readers == NULL && s->readers >= s->readers_max) {
        cond_wait(&s->reader_back, &s->lock);
    }
    r = s->idle_readers;
    if (r != NULL) {
        s->idle_readers = r->next;
        mutex_unlock(&s->lock);
        *ret_reader = r;
        return STATUS_OK;
    }
    s->readers++;
    mutex_unlock(&s->lock);

    r = NEW(reader);
    opened = s->ops->open(&s->options, DB_READER, &r->connection, err);
    if (opened != STATUS_OK) {
        mem_free(r);
        mutex_lock(&s->lock);
        s->readers--;
        cond_signal(&s->reader_back);
        mutex_unlock(&s->lock);
        return opened;
    }
    *ret_reader = r;
    return STATUS_OK;
}

static void put_reader(state *s, reader *r)
{
    mutex_lock(&s->lock);
    r->next = s->idle_readers;
    s->idle_readers = r;
    cond_signal(&s->reader_back);
    mutex_unlock(&s->lock);
}

status state_read(state *s, status (*read)(void *context, state_txn *txn, error *err),
                  void *context, error *err)
{
    state_txn txn = {.ops = s->ops};
    reader *r;
    status result;

    TRY(take_reader(s, &r, err));
    txn.connection = r->connection;
    txn.memory = arena_create();
    result = s->ops->control(r->connection, DB_BEGIN_READ, err);
    if (result == STATUS_OK) {
        result = read(context, &txn, err);
        state__finish_rows(&txn);
        (void)s->ops->control(r->connection, DB_ROLLBACK,
                              NULL); /* ends the snapshot; there is nothing to undo */
    }
    arena_free(txn.memory);
    put_reader(s, r);
    return result;
}

/* --- life --- */

status state_open(const state_options *options, const state_migration *migrations, size_t count,
                  state **ret_state, error *err)
{
    state *s = NEW(state);
    status opened;

    s->ops = &state__sqlite;
    s->memory = arena_create();
    s->options = *options;
    s->options.path = str_to_c(s->memory, str_c(options->path));
    s->readers_max = options->readers_max > 0 ? options->readers_max : READERS_MAX_DEFAULT;
    mutex_init(&s->lock);
    cond_init(&s->work);
    cond_init(&s->reader_back);
    opened = s->ops->open(&s->options, DB_WRITER, &s->writer, err);
    if (opened == STATUS_OK) {
        opened = state__migrate(s->ops, s->writer, migrations, count, err);
    }
    if (opened == STATUS_OK) {
        opened = thread_start(&s->thread, "state", run_writer, s, err);
    }
    if (opened != STATUS_OK) {
        state_close(s);
        return opened;
    }
    *ret_state = s;
    return STATUS_OK;
}

void state_close(state *s)
{
    if (s == NULL) {
        return;
    }
    mutex_lock(&s->lock);
    s->closing = true;
    cond_signal(&s->work);
    mutex_unlock(&s->lock);
    thread_join(&s->thread);
    while (s->idle_readers != NULL) {
        reader *r = s->idle_readers;

        s->idle_readers = r->next;
        s->ops->close(r->connection);
        mem_free(r);
        s->readers--;
    }
    ASSERT(s->readers == 0); /* nobody reads any more */
    if (s->writer != NULL) {
        s->ops->close(s->writer);
    }
    cond_release(&s->reader_back);
    cond_release(&s->work);
    mutex_release(&s->lock);
    arena_free(s->memory);
    mem_free(s);
}

void state_read_stats(state *s, state_stats *ret_stats)
{
    mutex_lock(&s->lock);
    *ret_stats = s->stats;
    mutex_unlock(&s->lock);
}

/* Written beside, synced, renamed: whole or not there. */
status state_backup(state *s, const char *path, error *err)
{
    arena *scratch = arena_create();
    char *beside = arena_printf(scratch, "%s.new", path);
    size_t slash = str_find_last_char(str_c(path), '/');
    char *folder =
        slash == STR_NPOS ? arena_printf(scratch, ".") : arena_strndup(scratch, path, slash + 1);
    reader *r;
    status copied = take_reader(s, &r, err);
    int fd;

    if (copied == STATUS_OK) {
        copied = fs_remove(beside, err);
        if (copied == STATUS_OK) {
            copied = s->ops->backup(r->connection, beside, err);
        }
        put_reader(s, r);
    }
    if (copied == STATUS_OK) {
        copied = fs_open(beside, O_RDWR, 0, &fd, err);
    }
    if (copied == STATUS_OK) {
        copied = fs_sync(fd, err);
        fs_close(fd);
    }
    if (copied == STATUS_OK) {
        copied = fs_rename(beside, path, err);
    }
    if (copied == STATUS_OK) {
        copied = fs_sync_dir(folder, err);
    } else {
        (void)fs_remove(beside, NULL);
    }
    arena_free(scratch);
    return copied;
}

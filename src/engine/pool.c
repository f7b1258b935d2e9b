/* The pool: who gets which worker, in what order. Processes are started and reaped in pool_watch.c, requests are sent
 * in pool_call.c. */
#include "pool_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/mem.h"

#define QUEUE_MAX 1000

/* --- opening and closing --- */

static status copy_options(worker_pool *p, const worker_options *options, error *err)
{
    str *roots = ARENA_ARRAY(p->arena, str, options->readable_root_count);
    char *run_path;

    p->options = *options;
    TRY(fs_make_dirs(options->run_path, 0700, err));
    run_path = realpath(options->run_path, NULL); /* workers stand in another folder */
    if (run_path == NULL) {
        return error_errno(err, STATUS_IO, errno, "cannot find the folder \"%s\"",
                           options->run_path);
    }
    p->options.run_path = str_to_c(p->arena, str_c(run_path));
    mem_free(run_path);
    p->options.duckdb_library =
        str_to_c(p->arena, str_c(options->duckdb_library != NULL ? options->duckdb_library : ""));
    for (size_t i = 0; i < options->readable_root_count; i++) {
        roots[i] = str_copy(p->arena, options->readable_roots[i]);
    }
    p->options.readable_roots = roots;
    if (p->options.workers_max < 1) {
        p->options.workers_max = 1;
    }
    if (p->options.threads_per_worker < 1) {
        p->options.threads_per_worker = thread_cpu_count();
    }
    return STATUS_OK;
}

static void release_pool(worker_pool *p)
{
    if (p->wake_fd >= 0) {
        (void)close(p->wake_fd);
    }
    map_free(p->last_grants);
    cond_release(&p->changed);
    mutex_release(&p->lock);
    arena_free(p->arena);
    mem_free(p);
}

status worker_pool_open(const worker_options *options, worker_pool **ret_pool, error *err)
{
    worker_pool *p = NEW(worker_pool);
    status result;

    p->arena = arena_create();
    p->last_grants = map_create(NULL);
    mutex_init(&p->lock);
    cond_init(&p->changed);
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    result = p->wake_fd >= 0
                 ? copy_options(p, options, err)
                 : error_errno(err, STATUS_BUSY, errno, "cannot open the pool of workers");
    if (result == STATUS_OK) { /* what an earlier server left behind */
        result = fs_remove_tree(fs_join(p->arena, p->options.run_path, "workers"), err);
    }
    if (result == STATUS_OK) {
        result = thread_start(&p->watcher, "tarn-workers", pool_watch, p, err);
    }
    if (result != STATUS_OK) {
        release_pool(p);
        return result;
    }
    *ret_pool = p;
    return STATUS_OK;
}

void worker_pool_close(worker_pool *p)
{
    if (p == NULL) {
        return;
    }
    mutex_lock(&p->lock);
    p->is_closing = true;
    p->closing_since_ns = clock_mono_ns();
    cond_broadcast(&p->changed);
    mutex_unlock(&p->lock);
    pool_wake(p);
    thread_join(&p->watcher);
    mutex_lock(&p->lock);
    while (p->waiting > 0) {
        cond_wait(&p->changed, &p->lock);
    }
    mutex_unlock(&p->lock);
    (void)fs_remove_tree(fs_join(p->arena, p->options.run_path, "workers"), NULL);
    if (!p->is_abandoned) {
        release_pool(p);
    }
}

void worker_pool_warm(worker_pool *p)
{
    mutex_lock(&p->lock);
    p->wants_spare = true;
    mutex_unlock(&p->lock);
    pool_wake(p);
}

void pool_wake(worker_pool *p)
{
    uint64_t one = 1;

    /* Full means that it is awake already. */
    if (write(p->wake_fd, &one, sizeof(one)) < 0) {
        return;
    }
}

/* --- states --- */

void pool_set_state(worker *w, worker_state state)
{
    w->state = state;
    w->since_ns = clock_mono_ns();
}

size_t pool_alive(const worker_pool *p)
{
    size_t count = 0;

    for (const worker *w = p->workers; w != NULL; w = w->next) {
        count += !w->is_dead;
    }
    return count;
}

static size_t count_state(const worker_pool *p, worker_state state)
{
    size_t count = 0;

    for (const worker *w = p->workers; w != NULL; w = w->next) {
        count += w->state == state && !w->is_dead;
    }
    return count;
}

void pool_kill(worker *w)
{
    if (w->is_dead || w->was_killed) {
        return;
    }
    w->was_killed = true;
    w->pool->stats.killed++;
    if (w->pidfd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, w->pidfd, SIGKILL, NULL, 0);
    }
    if (w->state != WORKER_BUSY) {
        pool_set_state(w, WORKER_DYING);
    }
}

/* --- the queue --- */

static bool is_owned_by(const worker *w, const waiter *q)
{
    return w->principal != NULL && w->profile == q->profile &&
           str_equal(str_c(w->principal), q->principal);
}

static size_t busy_of(const worker_pool *p, str principal)
{
    size_t count = 0;

    for (const worker *w = p->workers; w != NULL; w = w->next) {
        count += w->state == WORKER_BUSY && w->principal != NULL &&
                 str_equal(str_c(w->principal), principal);
    }
    return count;
}

static bool is_before(worker_pool *p, const waiter *x, const waiter *y)
{
    size_t busy_x = busy_of(p, x->principal);
    size_t busy_y = busy_of(p, y->principal);

    if (busy_x != busy_y) {
        return busy_x < busy_y;
    }
    return (uintptr_t)map_get(p->last_grants, x->principal) <
           (uintptr_t)map_get(p->last_grants, y->principal);
}

/* Round robin over principals: first who has least running, then who waits longest since the last turn, then who came
 * first. */
static waiter *next_waiter(worker_pool *p)
{
    waiter *best = NULL;

    for (waiter *q = p->waiters; q != NULL; q = q->next) {
        if (q->granted == NULL && !q->failed && (best == NULL || is_before(p, q, best))) {
            best = q;
        }
    }
    return best;
}

static worker *find_for(const worker_pool *p, const waiter *q)
{
    worker *spare = NULL;

    for (worker *w = p->workers; w != NULL; w = w->next) {
        if (w->is_dead) {
            continue;
        }
        if (w->state == WORKER_IDLE && is_owned_by(w, q)) {
            return w;
        }
        if (w->state == WORKER_SPARE) {
            spare = w;
        }
    }
    return spare;
}

/* A worker of the waiter's own that is about to be free: waiting a millisecond is cheaper than a new process. */
static bool is_about_to_be_free(const worker_pool *p, const waiter *q)
{
    size_t resetting = 0;
    size_t ahead = 0;

    for (const worker *w = p->workers; w != NULL; w = w->next) {
        resetting += w->state == WORKER_RESETTING && !w->is_dead && is_owned_by(w, q);
    }
    for (const waiter *other = p->waiters; other != q && other != NULL; other = other->next) {
        ahead += other->granted == NULL && str_equal(other->principal, q->principal);
    }
    return resetting > ahead;
}

static void grant(worker_pool *p, waiter *q, worker *w)
{
    if (w->principal == NULL) {
        w->principal = mem_alloc(q->principal.size + 1);
        memcpy(w->principal, q->principal.data, q->principal.size);
        w->profile = q->profile;
    }
    pool_set_state(w, WORKER_BUSY);
    q->granted = w;
    (void)map_set(p->last_grants, q->principal, (void *)++p->grants);
}

/* The longest idle one makes room. */
static void evict_idle(worker_pool *p)
{
    worker *oldest = NULL;

    for (worker *w = p->workers; w != NULL; w = w->next) {
        if (w->state == WORKER_IDLE && !w->is_dead &&
            (oldest == NULL || w->since_ns < oldest->since_ns)) {
            oldest = w;
        }
    }
    if (oldest != NULL) {
        pool_kill(oldest);
    }
}

static size_t unserved(const worker_pool *p)
{
    size_t count = 0;

    for (const waiter *q = p->waiters; q != NULL; q = q->next) {
        count += q->granted == NULL && !q->failed && !is_about_to_be_free(p, q);
    }
    return count;
}

void pool_schedule(worker_pool *p)
{
    bool any = false;

    for (waiter *q; !p->is_closing && (q = next_waiter(p)) != NULL;) {
        worker *w = find_for(p, q);

        if (w == NULL || (w->state == WORKER_SPARE && is_about_to_be_free(p, q))) {
            break;
        }
        grant(p, q, w);
        any = true;
    }
    if (any) {
        cond_broadcast(&p->changed);
    }
    if (unserved(p) > count_state(p, WORKER_STARTING) + count_state(p, WORKER_DYING) &&
        pool_alive(p) >= (size_t)p->options.workers_max) {
        evict_idle(p);
    }
    if (pool_missing(p) > 0) {
        pool_wake(p);
    }
}

size_t pool_missing(const worker_pool *p)
{
    size_t alive = pool_alive(p);
    size_t room =
        alive < (size_t)p->options.workers_max ? (size_t)p->options.workers_max - alive : 0;
    size_t ready = count_state(p, WORKER_STARTING) + count_state(p, WORKER_SPARE);
    size_t wanted = unserved(p);

    if (p->is_closing) {
        return 0;
    }
    if (p->wants_spare && clock_mono_ns() >= p->no_start_before_ns) {
        wanted += p->options.spare > 0 ? (size_t)p->options.spare : 0;
    }
    wanted = wanted > ready ? wanted - ready : 0;
    return wanted < room ? wanted : room;
}

/* --- acquiring and releasing --- */

static status why_stopped(const worker_cancel *cancel, error *err)
{
    if (cancel == NULL) {
        return STATUS_OK;
    }
    if (cancel->is_cancelled != NULL && cancel->is_cancelled(cancel->context)) {
        return error_set(err, STATUS_CANCELLED,
                         "the query was cancelled while it waited for its turn");
    }
    if (cancel->deadline_ns != 0 && clock_mono_ns() >= cancel->deadline_ns) {
        return error_set(err, STATUS_TIMEOUT,
                         "the query reached its time limit while it waited for its turn");
    }
    return STATUS_OK;
}

static void leave_queue(worker_pool *p, waiter *q)
{
    waiter **at = &p->waiters;

    while (*at != q) {
        at = &(*at)->next;
    }
    *at = q->next;
    p->waiting--;
    if (p->is_closing) {
        cond_broadcast(&p->changed);
    }
}

static void enter_queue(worker_pool *p, waiter *q)
{
    waiter **at = &p->waiters;

    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = q;
    p->waiting++;
}

#define CANCEL_LOOK_NS (50 * INT64_C(1000000))

/* With the lock held. */
static status wait_for_turn(worker_pool *p, waiter *q, const worker_cancel *cancel, error *err)
{
    while (q->granted == NULL) {
        status stopped;

        if (p->is_closing) {
            return error_set(err, STATUS_UNAVAILABLE, "the server is shutting down");
        }
        if (q->failed) {
            if (err != NULL) {
                *err = q->failure;
            }
            return q->failure.kind;
        }
        mutex_unlock(&p->lock); /* it calls out */
        stopped = why_stopped(cancel, err);
        mutex_lock(&p->lock);
        if (stopped != STATUS_OK) {
            if (q->granted != NULL) { /* in that moment */
                pool_set_state(q->granted, WORKER_IDLE);
                q->granted = NULL;
                pool_schedule(p);
            }
            return stopped;
        }
        if (q->granted == NULL && !q->failed) {
            (void)cond_wait_until(&p->changed, &p->lock, clock_mono_ns() + CANCEL_LOOK_NS);
        }
    }
    return STATUS_OK;
}

status worker_acquire(worker_pool *p, str principal_id, worker_profile profile,
                      const worker_cancel *cancel, worker **ret_worker, error *err)
{
    waiter q = {.principal = principal_id, .profile = profile};
    status result;

    mutex_lock(&p->lock);
    if (p->waiting >= QUEUE_MAX) {
        mutex_unlock(&p->lock);
        return error_set(err, STATUS_BUSY, "%d queries wait already", QUEUE_MAX);
    }
    enter_queue(p, &q);
    p->wants_spare = true;
    pool_schedule(p);
    result = wait_for_turn(p, &q, cancel, err);
    leave_queue(p, &q);
    mutex_unlock(&p->lock);
    if (result == STATUS_OK) {
        *ret_worker = q.granted;
    }
    return result;
}

void worker_release(worker *w)
{
    worker_pool *p = w->pool;
    bool is_clean = !w->is_touched && !w->is_open;
    bool is_usable =
        !w->is_broken && !w->is_worn && !w->holds_files && pool_clear_folders(w, NULL) == STATUS_OK;
    bool is_idle;

    if (is_usable && !is_clean) {
        is_usable = pool_send(w, WIRE_RESET, STR(""), NULL) == STATUS_OK;
    }
    w->is_touched = w->is_open = false;
    mutex_lock(&p->lock);
    is_idle = is_usable && is_clean && !w->is_dead && !p->is_closing;
    if (w->is_dead) {
        pool_set_state(w, WORKER_DYING);
    } else if (is_usable) {
        pool_set_state(w, is_clean ? WORKER_IDLE : WORKER_RESETTING);
    } else {
        pool_set_state(w, WORKER_DYING);
        pool_kill(w);
    }
    pool_schedule(p);
    mutex_unlock(&p->lock);
    if (!is_idle) { /* of which the watching thread need not know */
        pool_wake(p);
    }
}

const char *worker_in(worker *w)
{
    w->used_in = true;
    return w->in;
}

const char *worker_out(worker *w)
{
    w->used_out = true;
    return w->out;
}

uint32_t worker_fresh_handle(worker *w)
{
    return ++w->handles;
}

char *worker_fresh_name(worker *w, arena *a)
{
    return arena_printf(a, "f%llu", (unsigned long long)++w->names);
}

void worker_pool_read_stats(worker_pool *p, worker_pool_stats *ret_stats)
{
    mutex_lock(&p->lock);
    *ret_stats = p->stats;
    ret_stats->alive = (int64_t)pool_alive(p);
    ret_stats->busy = (int64_t)count_state(p, WORKER_BUSY);
    ret_stats->spare = (int64_t)count_state(p, WORKER_SPARE);
    ret_stats->waiting = (int64_t)p->waiting;
    mutex_unlock(&p->lock);
}

/* The watching thread: starts workers, takes their answers to SETUP and RESET, reaps the dead, ends the idle.
 *
 * It never waits for a single worker: an answer is a few bytes that were sent at once, and a socket that stalls in
 * the middle of them has a time limit (pool_spawn.c). */
#include "pool_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/log.h"
#include "tarn/base/mem.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define NS_PER_MS INT64_C(1000000)
#define START_LIMIT_NS (30000 * NS_PER_MS)
#define RESET_LIMIT_NS (15000 * NS_PER_MS)
#define START_PAUSE_NS (10000 * NS_PER_MS)     /* after a failed start, before the next spare */
#define GIVE_BACK_LIMIT_NS (10000 * NS_PER_MS) /* while the pool closes */
#define LOOK_MS 1000
#define ANSWER_MAX (64 * LIMIT_KIB)

/* --- starting --- */

/* Every query that waits learns why there is no worker. */
static void fail_waiters(worker_pool *p, const error *failure)
{
    for (waiter *q = p->waiters; q != NULL; q = q->next) {
        if (q->granted == NULL) {
            q->failed = true;
            q->failure = *failure;
        }
    }
    p->no_start_before_ns = clock_mono_ns() + START_PAUSE_NS;
    cond_broadcast(&p->changed);
}

static void remove_worker(worker_pool *p, worker *w)
{
    worker **at = &p->workers;

    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
}

/* With the lock held, which it lets go meanwhile. */
static void start_one(worker_pool *p)
{
    worker *w = NEW(worker);
    error failure = ERROR_INIT;
    status result;

    *w = (worker){.pool = p, .fd = -1, .interrupt_fd = -1, .pidfd = -1};
    pool_set_state(w, WORKER_STARTING);
    w->next = p->workers;
    p->workers = w;
    mutex_unlock(&p->lock);
    result = pool_spawn(w, &failure);
    mutex_lock(&p->lock);
    if (result == STATUS_OK) {
        p->stats.started++;
        return;
    }
    log_failure("worker not started", &failure);
    fail_waiters(p, &failure);
    if (w->pidfd >= 0) {
        pool_kill(w); /* reaped like any other */
        return;
    }
    if (w->pid > 0) {
        (void)waitpid(w->pid, NULL, 0);
    }
    remove_worker(p, w);
    mutex_unlock(&p->lock);
    pool_discard(w);
    mutex_lock(&p->lock);
}

/* --- answers --- */

/* DONE, or FAILED and why. */
static status read_answer(const worker *w, error *err)
{
    buf payload;
    wire_type type;
    bool is_end;
    bool is_fatal;
    status result;

    buf_init(&payload, ANSWER_MAX);
    result = wire_receive(w->fd, &type, &payload, &is_end, err);
    if (result == STATUS_OK && (is_end || (type != WIRE_DONE && type != WIRE_FAILED))) {
        result = error_set(err, STATUS_WORKER_DIED,
                           "a worker process ended before it could run a query");
        error_hint(err, "The server's log holds what it said.");
    } else if (result == STATUS_OK && type == WIRE_FAILED) {
        wire_get_error(buf_str(&payload), err, &is_fatal);
        result = err->kind;
    }
    buf_release(&payload);
    return result;
}

static void take_answer(worker *w)
{
    worker_pool *p = w->pool;
    error failure = ERROR_INIT;
    status result = read_answer(w, &failure);

    if (result == STATUS_OK) {
        pool_set_state(w, w->state == WORKER_STARTING ? WORKER_SPARE : WORKER_IDLE);
        return;
    }
    if (w->state == WORKER_STARTING) {
        log_failure("worker not ready", &failure);
        fail_waiters(p, &failure);
    } else {
        log_failure("worker not reset", &failure);
    }
    pool_kill(w);
}

/* --- the end of workers --- */

static void reap(worker *w)
{
    siginfo_t info = {.si_pid = 0};

    if (waitid((idtype_t)P_PIDFD, (id_t)w->pidfd, &info, WEXITED | WNOHANG) != 0 ||
        info.si_pid == 0) {
        return;
    }
    w->is_dead = true;
    w->exit_signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    if (!w->was_killed) {
        w->pool->stats.died++;
        log_event(LOG_WARN, "worker died", LOG_INT("pid", w->pid),
                  LOG_INT("signal", w->exit_signal),
                  LOG_INT("code", info.si_code == CLD_EXITED ? info.si_status : 0));
    }
    if (w->state == WORKER_STARTING) { /* before it said why */
        error failure = ERROR_INIT;

        (void)error_set(&failure, STATUS_WORKER_DIED,
                        "a worker process ended before it could run a query");
        fail_waiters(w->pool, &failure);
    }
    if (w->state != WORKER_BUSY) {
        pool_set_state(w, WORKER_DYING);
    }
    cond_broadcast(&w->pool->changed);
}

static void discard_dead(worker_pool *p)
{
    for (worker *w = p->workers; w != NULL;) {
        worker *next = w->next;

        if (w->is_dead && w->state == WORKER_DYING) {
            remove_worker(p, w);
            mutex_unlock(&p->lock);
            pool_discard(w);
            mutex_lock(&p->lock);
            next = p->workers; /* may have changed meanwhile */
        }
        w = next;
    }
}

static int64_t time_limit_ns(const worker *w)
{
    switch (w->state) {
    case WORKER_STARTING:
        return START_LIMIT_NS;
    case WORKER_RESETTING:
        return RESET_LIMIT_NS;
    case WORKER_IDLE:
        return w->pool->options.idle_timeout_ms > 0 ? w->pool->options.idle_timeout_ms * NS_PER_MS
                                                    : INT64_MAX;
    default:
        return INT64_MAX;
    }
}

static void end_late(worker_pool *p)
{
    int64_t now = clock_mono_ns();

    for (worker *w = p->workers; w != NULL; w = w->next) {
        if (!w->is_dead && (p->is_closing || now - w->since_ns > time_limit_ns(w))) {
            pool_kill(w);
        }
    }
}

/* --- the loop --- */

#define EVENTS_MAX 1024

typedef struct event {
    worker *worker;
    bool is_end; /* its pidfd, else its socket */
} event;

/* Workers are freed by this thread alone, so pointers stay good while the lock is let go. */
static nfds_t collect(worker_pool *p, struct pollfd *waits, event *events)
{
    nfds_t count = 0;

    waits[count] = (struct pollfd){.fd = p->wake_fd, .events = POLLIN};
    events[count++] = (event){.worker = NULL};
    for (worker *w = p->workers; w != NULL && count + 2 < EVENTS_MAX; w = w->next) {
        if (w->is_dead || w->pidfd < 0) {
            continue;
        }
        waits[count] = (struct pollfd){.fd = w->pidfd, .events = POLLIN};
        events[count++] = (event){.worker = w, .is_end = true};
        if (w->state == WORKER_STARTING || w->state == WORKER_RESETTING) {
            waits[count] = (struct pollfd){.fd = w->fd, .events = POLLIN};
            events[count++] = (event){.worker = w};
        }
    }
    return count;
}

static void handle(worker_pool *p, const struct pollfd *wait, const event *e)
{
    uint64_t wakes;

    if (wait->revents == 0) {
        return;
    }
    if (e->worker == NULL) {
        if (read(p->wake_fd, &wakes, sizeof(wakes)) < 0) {
            return;
        }
    } else if (e->is_end) {
        reap(e->worker);
    } else if (!e->worker->is_dead &&
               (e->worker->state == WORKER_STARTING || e->worker->state == WORKER_RESETTING)) {
        take_answer(e->worker);
    }
}

/* A worker that is dead but was never given back would keep the pool for ever: after a while it is left behind. */
static bool is_over(worker_pool *p)
{
    if (!p->is_closing || p->workers == NULL) {
        return p->is_closing;
    }
    if (pool_alive(p) > 0 || clock_mono_ns() - p->closing_since_ns < GIVE_BACK_LIMIT_NS) {
        return false;
    }
    log_event(LOG_ERROR, "workers not given back", LOG_C("folder", p->options.run_path));
    p->is_abandoned = true;
    return true;
}

void pool_watch(void *context)
{
    worker_pool *p = context;
    struct pollfd *waits = NEW_ARRAY(struct pollfd, EVENTS_MAX);
    event *events = NEW_ARRAY(event, EVENTS_MAX);

    mutex_lock(&p->lock);
    while (!is_over(p)) {
        nfds_t count;

        for (size_t missing = pool_missing(p); missing > 0; missing--) {
            start_one(p);
        }
        end_late(p);
        count = collect(p, waits, events);
        mutex_unlock(&p->lock);
        (void)poll(waits, count, LOOK_MS);
        mutex_lock(&p->lock);
        /* Sockets before ends: a worker's last words are heard before it is buried. */
        for (nfds_t i = count; i-- > 0;) {
            handle(p, &waits[i], &events[i]);
        }
        discard_dead(p);
        pool_schedule(p);
    }
    mutex_unlock(&p->lock);
    mem_free(waits);
    mem_free(events);
}

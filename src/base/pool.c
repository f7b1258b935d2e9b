/* The pool for blocking work.
 *
 * Invariants, all under `lock`
 *   1. While tasks wait, a thread is awake or signalled for each of them, or `live` is at its
 *      maximum.
 *   2. A thread ends only where no task waits.
 *   3. A slot is FREE, RUNNING, or ENDED: its thread is past its last use of the pool and wants a
 *      join. */
#include <stdio.h>

#include "tarn/base/clock.h"
#include "tarn/base/log.h"
#include "tarn/base/mem.h"
#include "tarn/base/thread.h"

#define IDLE_NS (INT64_C(10) * 1000000000)
#define QUEUE_MAX_DEFAULT 10000

typedef struct task {
    struct task *next;
    void (*run)(void *context);
    void *context;
} task;

typedef enum slot_state { SLOT_FREE, SLOT_RUNNING, SLOT_ENDED } slot_state;

typedef struct slot {
    pool *owner;
    thread thread;
    slot_state state;
} slot;

struct pool {
    mutex lock;
    cond work;
    char name[16];
    task *first;
    task *last;
    size_t waiting; /* tasks in the queue */
    size_t queue_max;
    size_t idle; /* threads in cond_wait, signalled ones included */
    size_t live;
    slot *slots;
    size_t slot_count;
    bool closing;
};

pool *pool_create(const char *name, int threads_max)
{
    pool *p = NEW(pool);

    ASSERT(threads_max > 0);
    mutex_init(&p->lock);
    cond_init(&p->work);
    (void)snprintf(p->name, sizeof(p->name), "%s", name);
    p->queue_max = QUEUE_MAX_DEFAULT;
    p->slot_count = (size_t)threads_max;
    p->slots = NEW_ARRAY(slot, threads_max);
    for (size_t i = 0; i < p->slot_count; i++) {
        p->slots[i].owner = p;
    }
    return p;
}

static task *take_task(pool *p)
{
    task *t = p->first;

    p->first = t->next;
    if (p->first == NULL) {
        p->last = NULL;
    }
    p->waiting--;
    return t;
}

static void put_task(pool *p, task *t)
{
    if (p->last != NULL) {
        p->last->next = t;
    } else {
        p->first = t;
    }
    p->last = t;
    p->waiting++;
}

/* Waits until a task is there. False where the thread should end: nothing came for a while, or the
 * pool closes. */
static bool wait_for_task(pool *p)
{
    int64_t deadline_ns = clock_mono_ns() + IDLE_NS;

    while (p->first == NULL) {
        bool in_time;

        if (p->closing) {
            return false;
        }
        p->idle++;
        in_time = cond_wait_until(&p->work, &p->lock, deadline_ns);
        p->idle--;
        if (!in_time && p->first == NULL) {
            return false;
        }
    }
    return true;
}

static void run_slot(void *context)
{
    slot *s = context;
    pool *p = s->owner;

    mutex_lock(&p->lock);
    while (wait_for_task(p)) {
        task *t = take_task(p);

        mutex_unlock(&p->lock);
        t->run(t->context);
        mem_free(t);
        log_set_request_id(NULL); /* one task's id never marks another's lines */
        mutex_lock(&p->lock);
    }
    p->live--;
    s->state = SLOT_ENDED;
    mutex_unlock(&p->lock);
}

/* One more thread, in a slot that none has. */
static status start_thread(pool *p, error *err)
{
    for (size_t i = 0; i < p->slot_count; i++) {
        slot *s = &p->slots[i];

        if (s->state == SLOT_RUNNING) {
            continue;
        }
        if (s->state == SLOT_ENDED) {
            thread_join(&s->thread);
            s->state = SLOT_FREE;
        }
        TRY(thread_start(&s->thread, p->name, run_slot, s, err));
        s->state = SLOT_RUNNING;
        p->live++;
        return STATUS_OK;
    }
    return STATUS_OK; /* all are at work: the task waits */
}

static status submit(pool *p, task *t, error *err)
{
    if (p->waiting >= p->queue_max) {
        return error_set(err, STATUS_BUSY, "the queue of \"%s\" is full: %zu tasks wait", p->name,
                         p->waiting);
    }
    /* While the pool closes, only its own threads submit: the one that did will come for the task.
     * */
    if (p->waiting >= p->idle && p->live < p->slot_count && !p->closing) {
        status started = start_thread(p, err);

        /* Where some thread lives, the task will get its turn. */
        if (started != STATUS_OK && p->live == 0) {
            return started;
        }
    }
    put_task(p, t);
    cond_signal(&p->work);
    return STATUS_OK;
}

status pool_run(pool *p, void (*run)(void *context), void *context, error *err)
{
    task *t = NEW(task);
    status submitted;

    t->run = run;
    t->context = context;
    mutex_lock(&p->lock);
    submitted = submit(p, t, err);
    mutex_unlock(&p->lock);
    if (submitted != STATUS_OK) {
        mem_free(t);
    }
    return submitted;
}

void pool_set_queue_max(pool *p, size_t queue_max)
{
    mutex_lock(&p->lock);
    p->queue_max = queue_max;
    mutex_unlock(&p->lock);
}

void pool_free(pool *p)
{
    if (p == NULL) {
        return;
    }
    mutex_lock(&p->lock);
    p->closing = true;
    cond_broadcast(&p->work);
    mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->slot_count; i++) {
        if (p->slots[i].thread.started) {
            thread_join(&p->slots[i].thread);
        }
    }
    ASSERT(p->waiting == 0);
    cond_release(&p->work);
    mutex_release(&p->lock);
    mem_free(p->slots);
    mem_free(p);
}

/* parallel_for: loops that callers share with helper threads. Starting a thread costs as much as a
 * small file's sync, so helpers stay for some seconds and serve any loop.
 *
 * Invariants, all under `lock`
 *   1. A loop stands in the list while it wants helpers that did not come yet. Its caller takes it
 *      off the list before it returns, so nobody waits for a helper that has not come.
 *   2. A helper inside a loop is counted there; the caller returns when the last one has left.
 *   3. The caller works itself: a loop ends although no helper ever comes, also inside another
 *      loop. */
#include <stdatomic.h>

#include "tarn/base/clock.h"
#include "tarn/base/log.h"
#include "tarn/base/thread.h"

#define IDLE_NS (INT64_C(10) * 1000000000)
#define HELPERS_MAX 128

typedef struct loop {
    struct loop *next; /* in the list */
    void (*run)(void *context, size_t index);
    void *context;
    size_t count;
    atomic_size_t next_index;
    size_t wanted; /* helpers that may still come */
    size_t inside; /* helpers at work */
    cond left;     /* the last helper has left */
} loop;

static struct {
    mutex lock;
    cond work;
    loop *first;
    size_t wanted; /* of all loops in the list */
    size_t idle;   /* helpers in cond_wait, signalled ones included */
    size_t live;
} helpers = {.lock = {.handle = PTHREAD_MUTEX_INITIALIZER}};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    mutex_lock(&helpers.lock);
}

static void after_fork(void)
{
    mutex_unlock(&helpers.lock);
}

/* The child has the list, but not the threads. */
static void after_fork_in_child(void)
{
    helpers.first = NULL;
    helpers.wanted = 0;
    helpers.idle = 0;
    helpers.live = 0;
    cond_init(&helpers.work);
    mutex_unlock(&helpers.lock);
}

static void prepare(void)
{
    int failed = pthread_atfork(before_fork, after_fork, after_fork_in_child);

    ASSERT(failed == 0);
    cond_init(&helpers.work);
}

static void run_loop(loop *l)
{
    for (;;) {
        size_t index = atomic_fetch_add(&l->next_index, 1);

        if (index >= l->count) {
            return;
        }
        l->run(l->context, index);
    }
}

/* --- the list; with the lock held --- */

static void add_loop(loop *l)
{
    l->next = helpers.first;
    helpers.first = l;
    helpers.wanted += l->wanted;
}

static void remove_loop(loop *l)
{
    loop **at = &helpers.first;

    if (l->wanted == 0) {
        return; /* all came: it is off the list already */
    }
    while (*at != l) {
        at = &(*at)->next;
    }
    *at = l->next;
    helpers.wanted -= l->wanted;
    l->wanted = 0;
}

static loop *enter_loop(void)
{
    loop *l = helpers.first;

    helpers.wanted--;
    if (--l->wanted == 0) {
        helpers.first = l->next;
    }
    l->inside++;
    return l;
}

static void leave_loop(loop *l)
{
    if (--l->inside == 0) {
        cond_signal(&l->left); /* under the lock: the loop is gone once its caller has seen this */
    }
}

/* --- helpers --- */

/* False where nothing came for a while. With the lock held. */
static bool wait_for_loop(void)
{
    int64_t deadline_ns = clock_mono_ns() + IDLE_NS;

    while (helpers.first == NULL) {
        bool in_time;

        helpers.idle++;
        in_time = cond_wait_until(&helpers.work, &helpers.lock, deadline_ns);
        helpers.idle--;
        if (!in_time && helpers.first == NULL) {
            return false;
        }
    }
    return true;
}

static void run_helper(void *context)
{
    (void)context;
    mutex_lock(&helpers.lock);
    while (wait_for_loop()) {
        loop *l = enter_loop();

        mutex_unlock(&helpers.lock);
        run_loop(l);
        log_set_request_id(NULL); /* one loop's id never marks another's lines */
        mutex_lock(&helpers.lock);
        leave_loop(l);
    }
    helpers.live--;
    mutex_unlock(&helpers.lock);
}

/* Offers the loop; returns how many helpers have to be started for it. */
static size_t offer(loop *l)
{
    size_t missing;

    mutex_lock(&helpers.lock);
    add_loop(l);
    missing = helpers.wanted > helpers.idle ? helpers.wanted - helpers.idle : 0;
    missing = missing < l->wanted ? missing : l->wanted;
    if (missing > HELPERS_MAX - helpers.live) {
        missing = HELPERS_MAX - helpers.live;
    }
    helpers.live += missing;
    /* Not more than it wants: others would wake only to contend for the lock. Those that are started now come by
     * themselves. */
    for (size_t i = missing; i < l->wanted; i++) {
        cond_signal(&helpers.work);
    }
    mutex_unlock(&helpers.lock);
    return missing;
}

static void start_helpers(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        thread helper = {.started = false};

        /* Fewer threads than wished do the same work. */
        if (thread_start(&helper, "parallel", run_helper, NULL, NULL) != STATUS_OK) {
            mutex_lock(&helpers.lock);
            helpers.live -= count - i;
            mutex_unlock(&helpers.lock);
            return;
        }
        (void)pthread_detach(helper.handle);
    }
}

void parallel_for(size_t count, int threads, void (*run)(void *context, size_t index),
                  void *context)
{
    loop l = {.run = run, .context = context, .count = count};
    size_t others = threads > 1 ? (size_t)threads - 1 : 0;

    if (others >= count) {
        others = count > 0 ? count - 1 : 0;
    }
    if (others == 0) {
        run_loop(&l);
        return;
    }
    (void)pthread_once(&once, prepare);
    cond_init(&l.left);
    l.wanted = others;
    start_helpers(offer(&l));
    run_loop(&l);
    mutex_lock(&helpers.lock);
    remove_loop(&l);
    while (l.inside > 0) {
        cond_wait(&l.left, &helpers.lock);
    }
    mutex_unlock(&helpers.lock);
    cond_release(&l.left);
}

/* Claims about sync_group.h: what was written before the call is durable after it, syncs are shared, and a failure is
 * its own. */
#include "sync_group.h"

#include <sched.h>
#include <stdatomic.h>

#include "support/test.h"
#include "tarn/base/thread.h"

#define THREADS 8
#define ROUNDS 300

/* A file of which is known how much is written, and how much a sync has made durable. */
typedef struct paper {
    sync_group group;
    _Atomic int64_t written, durable, syncs;
    _Atomic int inside, most;
    _Atomic int failing; /* so many syncs fail */
} paper;

static status sync_paper(void *context, error *err)
{
    paper *p = context;
    int64_t covers = atomic_load(&p->written);
    int inside = atomic_fetch_add(&p->inside, 1) + 1;
    status synced = STATUS_OK;

    if (inside > atomic_load(&p->most)) {
        atomic_store(&p->most, inside);
    }
    for (int i = 0; i < 20; i++) {
        (void)sched_yield(); /* others ask meanwhile */
    }
    if (atomic_fetch_sub(&p->failing, 1) > 0) {
        synced = error_set(err, STATUS_IO, "the disk is gone");
    } else {
        atomic_store(&p->failing, 0);
        atomic_store(&p->durable, covers);
    }
    atomic_fetch_add(&p->syncs, 1);
    atomic_fetch_sub(&p->inside, 1);
    return synced;
}

typedef struct writer {
    paper *p;
    int64_t lost, failed;
} writer;

static void write_and_sync(void *context, size_t index)
{
    writer *w = &((writer *)context)[index];

    for (int i = 0; i < ROUNDS; i++) {
        int64_t mine = atomic_fetch_add(&w->p->written, 1) + 1;
        error err = ERROR_INIT;

        if (sync_group_run(&w->p->group, sync_paper, w->p, &err) != STATUS_OK) {
            w->failed++;
        } else if (atomic_load(&w->p->durable) < mine) {
            w->lost++;
        }
    }
}

static void run_threads(paper *p, writer writers[THREADS])
{
    for (size_t i = 0; i < THREADS; i++) {
        writers[i] = (writer){.p = p};
    }
    parallel_for(THREADS, THREADS, write_and_sync, writers);
}

static void test_what_was_written_before_is_durable_after(void **state)
{
    paper p = {0};
    writer writers[THREADS];

    (void)state;
    sync_group_init(&p.group);
    run_threads(&p, writers);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(writers[i].lost, 0);
        assert_int_equal(writers[i].failed, 0);
    }
    assert_int_equal(p.most, 1); /* one at a time */
    assert_true(p.syncs <= (int64_t)THREADS * ROUNDS);
    sync_group_release(&p.group);
}

static void test_a_sync_that_fails_is_its_callers_failure_alone(void **state)
{
    paper p = {.failing = 50};
    writer writers[THREADS];
    int64_t failed = 0;

    (void)state;
    sync_group_init(&p.group);
    run_threads(&p, writers);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(writers[i].lost, 0);
        failed += writers[i].failed;
    }
    assert_int_equal(failed, 50);
    sync_group_release(&p.group);
}

typedef struct held {
    paper p;
    latch begun, go_on;
    _Atomic int calls;
} held;

static status sync_held(void *context, error *err)
{
    held *h = context;

    (void)err;
    if (atomic_fetch_add(&h->calls, 1) == 0) {
        latch_open(&h->begun);
        latch_wait(&h->go_on);
    }
    return STATUS_OK;
}

static void ask_held(void *context)
{
    held *h = context;
    error err = ERROR_INIT;

    (void)sync_group_run(&h->p.group, sync_held, h, &err);
}

/* Waits until so many have asked. */
static void wait_asked(sync_group *g, uint64_t count)
{
    uint64_t asked = 0;

    while (asked < count) {
        mutex_lock(&g->lock);
        asked = g->asked;
        mutex_unlock(&g->lock);
        (void)sched_yield();
    }
}

static void test_who_asks_during_a_sync_shares_the_next(void **state)
{
    fixture *f = *state;
    thread threads[THREADS] = {{0}};
    held h = {0};

    sync_group_init(&h.p.group);
    latch_init(&h.begun);
    latch_init(&h.go_on);
    EXPECT_OK(thread_start(&threads[0], "first", ask_held, &h, &f->err));
    latch_wait(&h.begun);
    for (size_t i = 1; i < THREADS; i++) {
        EXPECT_OK(thread_start(&threads[i], "later", ask_held, &h, &f->err));
    }
    wait_asked(&h.p.group, THREADS);
    latch_open(&h.go_on);
    for (size_t i = 0; i < THREADS; i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(h.calls, 2);
    latch_release(&h.begun);
    latch_release(&h.go_on);
    sync_group_release(&h.p.group);
}

TESTS(test_what_was_written_before_is_durable_after,
      test_a_sync_that_fails_is_its_callers_failure_alone,
      test_who_asks_during_a_sync_shares_the_next)

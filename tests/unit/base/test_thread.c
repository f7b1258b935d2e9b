/* Claims about base/thread.h and, across threads, base/ref.h. Worth most under ThreadSanitizer. */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "support/test.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/ref.h"
#include "tarn/base/thread.h"

static void add_one(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

static void test_a_thread_runs_once(void **state)
{
    fixture *f = *state;
    atomic_int count = 0;
    thread t = {0};

    thread_join(&t); /* never started is fine */
    EXPECT_OK(thread_start(&t, "a-name-that-is-too-long", add_one, &count, &f->err));
    thread_join(&t);
    thread_join(&t);
    assert_int_equal(count, 1);
}

static void look_at_itself(void *context)
{
    sigset_t mask;
    char name[16];
    int *ret_ok = context;

    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
    (void)pthread_getname_np(pthread_self(), name, sizeof(name));
    *ret_ok = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGSEGV) == 0 &&
              str_equal(str_c(name), STR("worker"));
}

static void test_threads_have_their_name_and_leave_signals_to_main(void **state)
{
    fixture *f = *state;
    sigset_t mask;
    thread t = {0};
    int ok = 0;

    EXPECT_OK(thread_start(&t, "worker", look_at_itself, &ok, &f->err));
    thread_join(&t);
    assert_true(ok);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
}

static void test_waiting_ends_at_the_deadline(void **state)
{
    int64_t before = clock_mono_ns();
    mutex m;
    cond c;

    (void)state;
    mutex_init(&m);
    cond_init(&c);
    mutex_lock(&m);
    assert_false(cond_wait_until(&c, &m, before - 1));
    while (cond_wait_until(&c, &m, before + 3000000)) {
        /* woken for nothing */
    }
    assert_true(clock_mono_ns() - before >= 2999000);
    mutex_unlock(&m);
    cond_release(&c);
    mutex_release(&m);
}

/* Latches on the stack of who waits: gone as soon as it is told. */
static void hand_latch(void *context)
{
    latch l;

    latch_init(&l);
    atomic_store((latch * _Atomic *)context, &l);
    latch_wait(&l);
    latch_release(&l);
}

static void test_a_latch_that_is_gone_is_not_touched(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 200; i++) {
        latch *_Atomic given = NULL;
        thread t = {0};

        EXPECT_OK(thread_start(&t, "waiter", hand_latch, &given, &f->err));
        while (atomic_load(&given) == NULL) {
            (void)sched_yield();
        }
        latch_open(atomic_load(&given));
        thread_join(&t);
    }
}

/* Tasks wait at a gate until the test opens it. */
typedef struct gate {
    mutex m;
    cond changed;
    bool open;
    int inside; /* tasks that came to the gate */
    int most;   /* most of them at once */
    int done;
    int order[100]; /* in which tasks ran */
} gate;

typedef struct guest {
    gate *g;
    int number;
} guest;

static void gate_init(gate *g)
{
    *g = (gate){.open = false};
    mutex_init(&g->m);
    cond_init(&g->changed);
}

static void gate_release(gate *g)
{
    cond_release(&g->changed);
    mutex_release(&g->m);
}

static void pass_gate(void *context)
{
    guest *who = context;
    gate *g = who->g;

    mutex_lock(&g->m);
    g->inside++;
    g->most = g->inside > g->most ? g->inside : g->most;
    cond_broadcast(&g->changed);
    while (!g->open) {
        cond_wait(&g->changed, &g->m);
    }
    g->inside--;
    g->order[g->done++] = who->number;
    cond_broadcast(&g->changed);
    mutex_unlock(&g->m);
}

static void wait_inside(gate *g, int count)
{
    mutex_lock(&g->m);
    while (g->inside < count) {
        cond_wait(&g->changed, &g->m);
    }
    mutex_unlock(&g->m);
}

static void open_gate(gate *g)
{
    mutex_lock(&g->m);
    g->open = true;
    cond_broadcast(&g->changed);
    mutex_unlock(&g->m);
}

static void test_one_thread_takes_tasks_in_order(void **state)
{
    fixture *f = *state;
    guest guests[50];
    pool *p = pool_create("one", 1);
    gate g;

    gate_init(&g);
    for (int i = 0; i < 50; i++) {
        guests[i] = (guest){.g = &g, .number = i};
        EXPECT_OK(pool_run(p, pass_gate, &guests[i], &f->err));
    }
    open_gate(&g);
    pool_free(p); /* finishes what waits */
    assert_int_equal(g.done, 50);
    assert_int_equal(g.most, 1);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(g.order[i], i);
    }
    gate_release(&g);
}

static void test_threads_are_started_up_to_the_maximum(void **state)
{
    fixture *f = *state;
    guest guests[10];
    pool *p = pool_create("three", 3);
    gate g;

    gate_init(&g);
    for (int i = 0; i < 10; i++) {
        guests[i] = (guest){.g = &g, .number = i};
        EXPECT_OK(pool_run(p, pass_gate, &guests[i], &f->err));
    }
    wait_inside(&g, 3); /* would wait for ever if tasks stood behind one another */
    assert_int_equal(g.most, 3);
    open_gate(&g);
    pool_free(p);
    assert_int_equal(g.done, 10);
    gate_release(&g);
}

/* The second task comes while the only idle thread is already called to the first. */
static void test_no_task_waits_behind_another_while_threads_may_start(void **state)
{
    fixture *f = *state;

    for (int round = 0; round < 50; round++) {
        pool *p = pool_create("two", 2);
        guest guests[3];
        gate g;

        gate_init(&g);
        g.open = true;
        guests[0] = (guest){.g = &g, .number = 0};
        EXPECT_OK(pool_run(p, pass_gate, &guests[0], &f->err));
        mutex_lock(&g.m);
        while (g.done == 0) {
            cond_wait(&g.changed, &g.m);
        }
        g.open = false;
        mutex_unlock(&g.m);
        for (int spin = 0; spin < round; spin++) {
            (void)sched_yield(); /* until the thread is idle, in some of the rounds */
        }
        for (int i = 1; i < 3; i++) {
            guests[i] = (guest){.g = &g, .number = i};
            EXPECT_OK(pool_run(p, pass_gate, &guests[i], &f->err));
        }
        wait_inside(&g, 2);
        open_gate(&g);
        pool_free(p);
        gate_release(&g);
    }
}

static void test_a_full_queue_is_busy(void **state)
{
    fixture *f = *state;
    guest who;
    pool *p = pool_create("small", 1);
    gate g;

    gate_init(&g);
    who = (guest){.g = &g, .number = 1};
    pool_set_queue_max(p, 2);
    EXPECT_OK(pool_run(p, pass_gate, &who, &f->err));
    wait_inside(&g, 1); /* it is no longer in the queue */
    EXPECT_OK(pool_run(p, pass_gate, &who, &f->err));
    EXPECT_OK(pool_run(p, pass_gate, &who, &f->err));
    EXPECT_STATUS(BUSY, pool_run(p, pass_gate, &who, &f->err));
    EXPECT_MESSAGE(f, "the queue of \"small\" is full: 2 tasks wait");
    open_gate(&g);
    pool_free(p);
    assert_int_equal(g.done, 3);
    gate_release(&g);
}

typedef struct chain {
    pool *p;
    atomic_int left;
    atomic_int ran;
} chain;

static void submit_next(void *context)
{
    chain *c = context;

    atomic_fetch_add(&c->ran, 1);
    if (atomic_fetch_sub(&c->left, 1) > 1) {
        status submitted = pool_run(c->p, submit_next, c, NULL);

        ASSERT(submitted == STATUS_OK);
    }
}

static void test_tasks_may_submit_tasks_while_the_pool_ends(void **state)
{
    fixture *f = *state;
    chain c = {.p = pool_create("chain", 4)};

    atomic_store(&c.left, 1000);
    EXPECT_OK(pool_run(c.p, submit_next, &c, &f->err));
    pool_free(c.p);
    assert_int_equal(c.ran, 1000);
}

typedef struct crowd {
    pool *p;
    atomic_int ran;
} crowd;

static void count_run(void *context)
{
    atomic_fetch_add(&((crowd *)context)->ran, 1);
}

static void submit_many(void *context, size_t index)
{
    crowd *c = context;

    (void)index;
    for (int i = 0; i < 500; i++) {
        status submitted = pool_run(c->p, count_run, c, NULL);

        ASSERT(submitted == STATUS_OK);
    }
}

static void test_many_submitters_lose_no_task(void **state)
{
    crowd c = {.p = pool_create("crowd", 4)};

    (void)state;
    parallel_for(4, 4, submit_many, &c);
    pool_free(c.p);
    assert_int_equal(c.ran, 2000);
}

static void test_an_unused_pool_ends(void **state)
{
    (void)state;
    pool_free(pool_create("idle", 8));
    pool_free(NULL);
}

/* A clock on which every look costs a minute: nothing is idle for long. */
static int64_t hurried_ns(void *context)
{
    return atomic_fetch_add((atomic_llong *)context, INT64_C(60000000000));
}

static size_t thread_count(fixture *f)
{
    str *names;
    size_t count;

    EXPECT_OK(fs_list("/proc/self/task", f->arena, &names, &count, &f->err));
    return count;
}

static void test_idle_threads_end_and_come_back(void **state)
{
    fixture *f = *state;
    atomic_llong now = 0;
    tarn_clock clock = {.wall_us = hurried_ns, .mono_ns = hurried_ns, .context = &now};
    size_t before = thread_count(f); /* a sanitizer may have one of its own */
    crowd c = {.p = NULL};

    clock_install(&clock);
    c.p = pool_create("idle", 2);
    for (int round = 1; round <= 3; round++) {
        EXPECT_OK(pool_run(c.p, count_run, &c, &f->err));
        while (atomic_load(&c.ran) < round || thread_count(f) > before) {
            (void)sched_yield();
        }
    }
    pool_free(c.p);
    clock_install(NULL);
    assert_int_equal(c.ran, 3);
}

static void mark(void *context, size_t index)
{
    atomic_fetch_add(&((atomic_int *)context)[index], 1);
}

static void test_parallel_for_visits_each_index_once(void **state)
{
    static atomic_int marks[1000];
    static const int threads[] = {-1, 1, 2, 7, 2000};

    (void)state;
    parallel_for(0, 4, mark, marks);
    for (size_t t = 0; t < COUNT_OF(threads); t++) {
        parallel_for(threads[t] == 2000 ? 3 : COUNT_OF(marks), threads[t], mark, marks);
    }
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        assert_int_equal(marks[i], i < 3 ? 5 : 4);
    }
}

static void mark_rows(void *context, size_t index)
{
    parallel_for(10, 4, mark, (atomic_int *)context + index * 10);
}

static void test_loops_inside_loops_end(void **state)
{
    static atomic_int marks[1000];

    (void)state;
    parallel_for(100, 16, mark_rows, marks);
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        assert_int_equal(marks[i], 1);
    }
}

static void note_thread(void *context, size_t index)
{
    atomic_int *others = context;
    char name[16] = "";

    (void)index;
    (void)pthread_getname_np(pthread_self(), name, sizeof(name));
    atomic_fetch_add(others, strcmp(name, "parallel") == 0);
    clock_sleep_ms(1); /* nobody does all of it alone */
}

static void test_helpers_serve_one_loop_after_another(void **state)
{
    fixture *f = *state;
    atomic_int others = 0;
    size_t before;

    parallel_for(16, 4, note_thread, &others);
    assert_in_range(others, 1, 15);
    before = thread_count(f);
    for (int i = 0; i < 20; i++) {
        parallel_for(16, 4, note_thread, &others);
    }
    /* A helper that is still on its way out of one loop may bring another in. */
    assert_in_range(thread_count(f), 1, before + 3);
}

typedef struct shared {
    refcount refs;
    int content; /* plain: the count alone orders access to it */
    atomic_int last_owners;
} shared;

static void use_and_drop(void *context, size_t index)
{
    shared *s = context;

    (void)index;
    ASSERT(s->content == 42);
    if (ref_drop(&s->refs)) {
        s->content = 0; /* as freeing would */
        atomic_fetch_add(&s->last_owners, 1);
    }
}

static void test_exactly_one_of_many_owners_is_the_last(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        shared s = {.content = 42};

        ref_init(&s.refs);
        for (int i = 1; i < 64; i++) {
            ref_take(&s.refs);
        }
        parallel_for(64, 4, use_and_drop, &s);
        assert_int_equal(s.last_owners, 1);
        assert_int_equal(s.content, 0);
    }
}

static void test_there_is_a_processor(void **state)
{
    (void)state;
    assert_in_range(thread_cpu_count(), 1, 100000);
}

TESTS(test_a_thread_runs_once, test_threads_have_their_name_and_leave_signals_to_main,
      test_waiting_ends_at_the_deadline, test_a_latch_that_is_gone_is_not_touched,
      test_one_thread_takes_tasks_in_order, test_threads_are_started_up_to_the_maximum,
      test_no_task_waits_behind_another_while_threads_may_start, test_a_full_queue_is_busy,
      test_tasks_may_submit_tasks_while_the_pool_ends, test_many_submitters_lose_no_task,
      test_an_unused_pool_ends, test_idle_threads_end_and_come_back,
      test_parallel_for_visits_each_index_once, test_loops_inside_loops_end,
      test_helpers_serve_one_loop_after_another, test_exactly_one_of_many_owners_is_the_last,
      test_there_is_a_processor)

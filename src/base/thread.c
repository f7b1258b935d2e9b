/* Threads and locks. The pool is in pool.c, parallel_for in parallel.c. */
#include "tarn/base/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/mem.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define THREAD_NAME_SIZE 16
#define QUOTA_BYTES_MAX 256

typedef struct start {
    void (*run)(void *context);
    void *context;
    char name[THREAD_NAME_SIZE];
} start;

/* Faults of the thread itself; blocked, they would still kill, only without a handler. */
static const int synchronous_signals[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                          SIGTRAP, SIGABRT, SIGSYS, SIGPROF};

static void *thread_main(void *argument)
{
    start s = *(start *)argument;

    mem_free(argument);
    (void)pthread_setname_np(pthread_self(), s.name);
    s.run(s.context);
    return NULL;
}

status thread_start(thread *t, const char *name, void (*run)(void *context), void *context,
                    error *err)
{
    start *s = NEW(start);
    sigset_t blocked;
    sigset_t before;
    int failed;

    s->run = run;
    s->context = context;
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    (void)sigfillset(&blocked);
    for (size_t i = 0; i < COUNT_OF(synchronous_signals); i++) {
        (void)sigdelset(&blocked, synchronous_signals[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    failed = pthread_create(&t->handle, NULL, thread_main, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    t->started = failed == 0;
    if (failed != 0) {
        mem_free(s);
        return error_errno(err, failed == EAGAIN ? STATUS_BUSY : STATUS_INTERNAL, failed,
                           "could not start thread \"%s\"", name);
    }
    return STATUS_OK;
}

void thread_join(thread *t)
{
    if (t->started) {
        int failed = pthread_join(t->handle, NULL);

        ASSERT(failed == 0);
        t->started = false;
    }
}

void mutex_init(mutex *m)
{
    int failed = pthread_mutex_init(&m->handle, NULL);

    ASSERT(failed == 0);
}

void mutex_release(mutex *m)
{
    int failed = pthread_mutex_destroy(&m->handle);

    ASSERT(failed == 0);
}

void mutex_lock(mutex *m)
{
    int failed = pthread_mutex_lock(&m->handle);

    ASSERT(failed == 0);
}

void mutex_unlock(mutex *m)
{
    int failed = pthread_mutex_unlock(&m->handle);

    ASSERT(failed == 0);
}

void cond_init(cond *c)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);

    failed |= pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    failed |= pthread_cond_init(&c->handle, &attributes);
    failed |= pthread_condattr_destroy(&attributes);
    ASSERT(failed == 0);
}

void cond_release(cond *c)
{
    int failed = pthread_cond_destroy(&c->handle);

    ASSERT(failed == 0);
}

void cond_signal(cond *c)
{
    (void)pthread_cond_signal(&c->handle);
}

void cond_broadcast(cond *c)
{
    (void)pthread_cond_broadcast(&c->handle);
}

void cond_wait(cond *c, mutex *m)
{
    int failed = pthread_cond_wait(&c->handle, &m->handle);

    ASSERT(failed == 0);
}

bool cond_wait_until(cond *c, mutex *m, int64_t deadline_ns)
{
    /* An installed clock may stand elsewhere than the kernel's: only the distance is taken from it.
     * */
    int64_t left_ns = deadline_ns - clock_mono_ns();
    struct timespec until;
    int failed;

    if (left_ns <= 0) {
        return false;
    }
    failed = clock_gettime(CLOCK_MONOTONIC, &until);
    ASSERT(failed == 0);
    until.tv_sec += (time_t)(left_ns / NS_PER_SECOND);
    until.tv_nsec += (long)(left_ns % NS_PER_SECOND);
    if (until.tv_nsec >= NS_PER_SECOND) {
        until.tv_nsec -= NS_PER_SECOND;
        until.tv_sec++;
    }
    failed = pthread_cond_timedwait(&c->handle, &m->handle, &until);
    ASSERT(failed == 0 || failed == ETIMEDOUT);
    return failed == 0;
}

void latch_init(latch *l)
{
    int failed = sem_init(&l->handle, 0, 0);

    ASSERT(failed == 0);
}

void latch_release(latch *l)
{
    int failed = sem_destroy(&l->handle);

    ASSERT(failed == 0);
}

void latch_open(latch *l)
{
    int failed = sem_post(&l->handle);

    ASSERT(failed == 0);
}

void latch_wait(latch *l)
{
    int failed;

    do {
        failed = sem_wait(&l->handle);
    } while (failed != 0 && errno == EINTR);
    ASSERT(failed == 0);
}

/* The limit that a container sets, rounded up to whole processors; 0 where there is none. */
static int64_t quota_cpu_count(void)
{
    arena *scratch = arena_create();
    int64_t count = 0;
    int64_t quota_us;
    int64_t period_us;
    str text;
    str rest;

    /* "200000 100000" is two processors; "max 100000" is no limit, and no number. */
    if (fs_read_file("/sys/fs/cgroup/cpu.max", QUOTA_BYTES_MAX, scratch, &text, NULL) ==
        STATUS_OK) {
        text = str_cut(str_trim(text), ' ', &rest);
        if (str_to_int64(text, &quota_us, NULL) == STATUS_OK &&
            str_to_int64(rest, &period_us, NULL) == STATUS_OK && quota_us > 0 && period_us > 0) {
            count = (quota_us - 1) / period_us + 1;
        }
    }
    arena_free(scratch);
    return count;
}

int thread_cpu_count(void)
{
    cpu_set_t allowed;
    int count = 1;
    int64_t quota = quota_cpu_count();

    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
        count = CPU_COUNT(&allowed);
    }
    if (quota > 0 && quota < count) {
        count = (int)quota;
    }
    return count > 0 ? count : 1;
}

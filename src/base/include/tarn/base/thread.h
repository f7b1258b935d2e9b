/* thread.h: threads, locks and the blocking pool.
 *
 * Locks are pthread's own types under shorter names; this header adds what tarn needs on top:
 * threads with a name, deadlines on the monotonic clock, and a pool for what blocks (fsync,
 * database, handlers). */
#ifndef TARN_BASE_THREAD_H
#define TARN_BASE_THREAD_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/error.h"

typedef struct thread {
    pthread_t handle;
    bool started;
} thread;

/* `name` is seen in ps -L: at most 15 characters. BUSY where the system has no more threads.
 * Asynchronous signals (TERM, INT, CHLD …) are blocked in the new thread, so that the main thread
 * gets them; a program executed from such a thread wants its mask reset first. */
status thread_start(thread *t, const char *name, void (*run)(void *context), void *context,
                    error *err);
void thread_join(thread *t); /* not started is fine */

typedef struct mutex {
    pthread_mutex_t handle;
} mutex;
typedef struct cond {
    pthread_cond_t handle;
} cond;

void mutex_init(mutex *m);
void mutex_release(mutex *m);
void mutex_lock(mutex *m);
void mutex_unlock(mutex *m);
void cond_init(cond *c); /* on the monotonic clock */
void cond_release(cond *c);
void cond_signal(cond *c);
void cond_broadcast(cond *c);
void cond_wait(cond *c, mutex *m);
/* False when `deadline_ns` (clock_mono_ns) passed. True says only "look again". */
bool cond_wait_until(cond *c, mutex *m, int64_t deadline_ns);

/* What one thread waits for and another says, once. The one who waits holds no lock and needs none
 * when it wakes: of many who are told at once, none queues for a lock behind the others. It may lie
 * on the waiting thread's stack: latch_open does not touch it after the wait has ended. */
typedef struct latch {
    sem_t handle;
} latch;

void latch_init(latch *l);
void latch_release(latch *l);
void latch_open(latch *l);
void latch_wait(latch *l);

/* A pool of threads for blocking work: starts threads as needed up to `threads_max`, keeps idle
 * ones for some seconds. Tasks wait in a queue, first come first served. */
typedef struct pool pool;
pool *pool_create(const char *name, int threads_max);
/* Finishes queued tasks, also those that they submit, then ends. No other thread may submit
 * meanwhile. */
void pool_free(pool *p);
/* BUSY where `queue_max` tasks already wait (pool_set_queue_max; default 10 000). */
status pool_run(pool *p, void (*run)(void *context), void *context, error *err);
void pool_set_queue_max(pool *p, size_t queue_max);

/* Runs `run(context, index)` for 0 … count-1 on up to `threads` threads including the caller's;
 * returns when all are done. The other threads are kept for some seconds for the next call; where
 * the system or the process has no more of them, fewer do the same work, the caller at least. So
 * no index may wait for another. May be called from inside `run`. */
void parallel_for(size_t count, int threads, void (*run)(void *context, size_t index),
                  void *context);

int thread_cpu_count(void); /* processors this process may use, at least 1 */

#endif

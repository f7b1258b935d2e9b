/* pool_internal.h: the pool's own structures, shared by pool*.c.
 *
 * States of a worker, and who moves it:
 *
 *   STARTING --(pool_watch: it answered)--> SPARE --(pool_schedule)--> BUSY
 *   BUSY --(worker_release)--> RESETTING --(pool_watch: it answered)--> IDLE --(pool_schedule)--> BUSY
 *   BUSY --(worker_release, nothing was left behind)--> IDLE
 *   any --(pool_kill)--> DYING --(pool_watch: reaped)--> gone
 *
 * Invariants
 *   1. A worker has one owner (principal) from its first BUSY on, and serves nobody else.
 *   2. Workers that exist, dying ones included, are never more than workers_max.
 *   3. All processes are started and reaped by the watching thread: a worker is told to die with the thread that
 *      started it (PR_SET_PDEATHSIG), so that thread must live as long as the pool.
 *   4. A dead worker that is BUSY stays in memory until it is released.
 * `lock` guards everything but a BUSY worker's socket, which is its borrower's. */
#ifndef TARN_ENGINE_POOL_INTERNAL_H
#define TARN_ENGINE_POOL_INTERNAL_H

#include <sys/types.h>

#include "tarn/base/map.h"
#include "tarn/base/thread.h"
#include "tarn/engine/worker.h"

typedef enum worker_state {
    WORKER_STARTING,
    WORKER_SPARE,
    WORKER_BUSY,
    WORKER_RESETTING,
    WORKER_IDLE,
    WORKER_DYING,
} worker_state;

struct worker {
    worker_pool *pool;
    worker *next;
    worker_state state;
    worker_profile profile;
    char *principal; /* NULL: no owner yet */
    int fd;
    int interrupt_fd;
    uint64_t requests;                 /* sent on fd */
    char *received;                    /* RECEIVED_MAX bytes of fd, read ahead; NULL: none yet */
    size_t received_at, received_size; /* what of them is not taken */
    int pidfd;
    pid_t pid;
    char *folder;
    char *in;
    char *out;
    uint64_t names;   /* handed out by worker_fresh_name */
    uint32_t handles; /* by worker_fresh_handle */
    int64_t since_ns; /* of the state */
    map *answers;     /* of worker_pure: str *, in answers_memory; NULL: none yet. The borrower's */
    arena *answers_memory;
    size_t answers_bytes;
    map *footers; /* paths whose footers DuckDB may have kept; NULL: none yet. The borrower's */
    int64_t footer_bytes;
    bool
        is_touched; /* statements may have left something behind: wants a reset. The borrower's, as the next three */
    bool is_open;           /* … a transaction, which the last query ends */
    bool used_in, used_out; /* the folders may hold files */
    bool is_worn;           /* full of footers: ends at its release */
    bool
        holds_files; /* that were handed over, which it gives up only with its life: ends at its release */
    int64_t held_bytes; /* of these. The borrower's, as holds_files */
    bool is_broken;     /* not to be used again */
    bool was_killed;    /* by the pool */
    bool is_dead;       /* reaped */
    int exit_signal;    /* 0: it ended by itself */
};

typedef struct waiter {
    struct waiter *next;
    str principal;
    worker_profile profile;
    worker *granted;
    bool failed;
    error failure;
} waiter;

struct worker_pool {
    worker_options options; /* texts are the pool's */
    arena *arena;
    mutex lock;
    cond changed;
    worker *workers;
    waiter *waiters; /* oldest first */
    size_t waiting;
    map *last_grants; /* principal -> number of its last grant, as a pointer */
    uintptr_t grants;
    uint64_t folders; /* made so far */
    bool wants_spare;
    bool is_closing;
    int64_t closing_since_ns;
    bool is_abandoned;          /* some borrower still holds a worker: the memory must stay */
    int64_t no_start_before_ns; /* after a failed start nothing is started unasked for a while */
    int wake_fd;
    thread watcher;
    worker_pool_stats stats;
};

/* With the lock held. */
void pool_schedule(worker_pool *p);
void pool_kill(worker *w);
size_t pool_alive(const worker_pool *p);
/* How many workers are to be started now. */
size_t pool_missing(const worker_pool *p);
void pool_wake(worker_pool *p);
void pool_set_state(worker *w, worker_state state);

/* The watching thread (pool_watch.c). */
void pool_watch(void *context);

/* Sends a request and counts it (pool_call.c). */
status pool_send(worker *w, uint32_t type, str payload, error *err);

/* Starts a process for `w` and sends it its instructions (pool_spawn.c). Without the lock. */
status pool_spawn(worker *w, error *err);
/* Closes descriptors, removes the folder, frees. Without the lock. */
void pool_discard(worker *w);
/* What worker_pure has kept. */
void pool_forget_answers(worker *w);
/* Empties `in` and `out`, where they may hold something. */
status pool_clear_folders(worker *w, error *err);
/* Where the DuckDB library lies. UNAVAILABLE with the cure. */
status pool_find_library(const worker_options *options, arena *a, const char **ret_path,
                         error *err);

#endif

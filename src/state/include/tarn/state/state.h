/* state.h: the transactional database behind one interface. Everything that is not an object's
 * bytes is a row here, so a commit of tarn is one transaction of this.
 *
 * Invariants
 *   1. There is one connection that writes, and one thread at a time uses it, the writer. Modules
 *      hand it functions (state_submit); each runs in a savepoint, a group of them commits with one
 *      fsync, and only then are their callers told. Who submits while nobody writes is the writer
 *      of that group, which may hold functions of others; what comes meanwhile is written by a
 *      thread of this module. So a function may run in any thread that submits.
 *   2. There is no BEGIN, COMMIT or SAVEPOINT outside this module, and nobody but the writer
 *      checkpoints.
 *   3. A submission that fails is rolled back to its savepoint and does not disturb its group.
 *   4. A failed commit of a group fails every submission of it and is not retried. A full disk
 *      undoes the group (NO_SPACE) and later groups may succeed; any other failure breaks the
 *      volume (base/fs.h): whether the group is durable is then unknown, and nothing more is
 *      written.
 *   5. Readers see the last committed state and are short.
 *
 * SQL in the modules is the common subset of SQLite and PostgreSQL: ?1-style parameters, no
 * rowid, no AUTOINCREMENT, ON CONFLICT only with DO NOTHING/DO UPDATE, booleans as 0/1, times as
 * BIGINT microseconds. Tables that are written in every commit end with WITHOUT ROWID, which another
 * database leaves out. */
#ifndef TARN_STATE_STATE_H
#define TARN_STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"

typedef struct state state;
typedef struct state_txn state_txn; /* inside a submitted or reading function only */

/* One step of a module's schema. Versions of a module count 1, 2, 3 … Statements are separated
 * by ";". */
typedef struct state_migration {
    const char *module;
    int version;
    const char *sql;
} state_migration;

typedef struct state_options {
    const char *path; /* of tarn.db; made if absent */
    int readers_max;  /* reading connections; 0: 8 */
    bool unsafe;      /* durability = unsafe: no fsync per commit */
} state_options;

/* UNAVAILABLE: locked by another process; INVALID: schema newer than `migrations` (names both
 * versions), or of a module that `migrations` lacks; CORRUPT: not a database. Applies missing
 * migrations in one transaction. */
status state_open(const state_options *options, const state_migration *migrations, size_t count,
                  state **ret_state, error *err);
/* Finishes what was submitted, checkpoints, closes. */
void state_close(state *s);

/* Has `apply` run by the writer; returns after its group is durable. The error of `apply`
 * comes back as it is. Do not call from inside `apply`. CONFLICT etc. are apply's own; IO where
 * the group could not commit. */
status state_submit(state *s, status (*apply)(void *context, state_txn *txn, error *err),
                    void *context, error *err);
/* As state_submit, but returns at once; `done` is called by the writer after the group is
 * durable (or failed), and must be quick. */
void state_submit_async(state *s, status (*apply)(void *context, state_txn *txn, error *err),
                        void (*done)(void *context, status result, const error *err),
                        void *context);
/* Runs `read` on the caller's thread against the last committed state, in one snapshot. Waits
 * where all readers are in use: not to be called from inside `read`. */
status state_read(state *s, status (*read)(void *context, state_txn *txn, error *err),
                  void *context, error *err);
/* Called after the group of this submission is durable, by the writer, if it was not
 * rolled back: for caches that mirror rows. Inside `apply` only. */
void state_after_commit(state_txn *txn, void (*run)(void *context), void *context);
/* How a submission ended, for what must happen either way. UNKNOWN: the sync of its group
 * failed; it may or may not be there after a restart, so nothing that it refers to may be
 * removed. */
typedef enum state_outcome { STATE_COMMITTED, STATE_ROLLED_BACK, STATE_UNKNOWN } state_outcome;
/* Called once, by the writer, before the caller of state_submit is told; must be quick.
 * Inside `apply` only. Hooks of one submission run in the order in which they were given. */
void state_at_end(state_txn *txn, void (*run)(void *context, state_outcome outcome), void *context);
bool state_txn_writes(const state_txn *txn);

typedef enum state_kind { STATE_NULL, STATE_INT, STATE_REAL, STATE_TEXT, STATE_BLOB } state_kind;
typedef struct state_value {
    state_kind kind;
    int64_t integer;
    double real;
    str bytes; /* text, blob */
} state_value;
/* SV_TEXT and SV_BLOB of a NULL pointer are empty, not null. */
#define SV_NULL ((state_value){.kind = STATE_NULL})
#define SV_INT(v) ((state_value){.kind = STATE_INT, .integer = (int64_t)(v)})
#define SV_TEXT(v) ((state_value){.kind = STATE_TEXT, .bytes = (v)})
#define SV_BLOB(v) ((state_value){.kind = STATE_BLOB, .bytes = (v)})
#define SV_REAL(v) ((state_value){.kind = STATE_REAL, .real = (v)})

/* A statement without rows. `ret_changed` may be NULL. EXISTS on a broken uniqueness, CONFLICT
 * on a broken check or reference. `sql` should be a literal: statements are kept prepared by
 * their text. */
status state_exec(state_txn *txn, const char *sql, const state_value *values, size_t count,
                  int64_t *ret_changed, error *err);
#define STATE_EXEC(txn, sql, changed, err, ...)                  \
    state_exec((txn), (sql), (const state_value[]){__VA_ARGS__}, \
               sizeof((const state_value[]){__VA_ARGS__}) / sizeof(state_value), (changed), (err))

/* Rows one by one: state_query, then state_next until it gives no row. The cursor belongs to the
 * arena of the transaction and is finished with it, or earlier by state_finish. Values are views
 * until the next step. */
typedef struct state_rows state_rows;
status state_query(state_txn *txn, const char *sql, const state_value *values, size_t count,
                   state_rows **ret_rows, error *err);
status state_next(state_rows *rows, bool *ret_row, error *err);
void state_finish(state_rows *rows);
int64_t state_int(const state_rows *rows, int column); /* 0 where null */
/* Text or blob; copied into `a`, a view until the next step where `a` is NULL. STR_NULL where
 * null. */
str state_text(const state_rows *rows, int column, arena *a);
double state_real(const state_rows *rows, int column);
bool state_is_null(const state_rows *rows, int column);
#define STATE_QUERY(txn, sql, rows, err, ...)                     \
    state_query((txn), (sql), (const state_value[]){__VA_ARGS__}, \
                sizeof((const state_value[]){__VA_ARGS__}) / sizeof(state_value), (rows), (err))
arena *state_txn_arena(state_txn *txn);

/* Numbers since start: for metrics and tests. */
typedef struct state_stats {
    int64_t submissions;
    int64_t groups;              /* commits */
    int64_t group_size_max;      /* submissions of the largest group */
    int64_t syncs_per_group_max; /* file syncs that one commit took */
    int64_t rollbacks;           /* submissions undone, or never begun */
} state_stats;
void state_read_stats(state *s, state_stats *ret_stats);

/* Online copy of the database to a file; durable when it returns. */
status state_backup(state *s, const char *path, error *err);

/* The exclusive lock on a data directory (<data>/lock), held until dropped or until the process
 * ends. `purpose` is the command that holds it ("tarn serve"). BUSY naming pid and command of
 * the holder. */
typedef struct data_lock data_lock;
status data_lock_take(const char *data_path, const char *purpose, data_lock **ret_lock, error *err);
void data_lock_drop(data_lock *lock);

#endif

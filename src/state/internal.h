/* internal.h: what lies between the queue and the database behind it.
 *
 * A database is one table of functions, state_ops. What is above it (state.c: the queue, groups,
 * hooks, readers, migrations) knows no SQLite; a further database is a further file with such a
 * table. */
#ifndef TARN_STATE_INTERNAL_H
#define TARN_STATE_INTERNAL_H

#include "tarn/base/thread.h"
#include "tarn/state/state.h"

typedef struct db db;               /* one connection: used by one thread at a time */
typedef struct db_cursor db_cursor; /* a running statement */

typedef enum db_role { DB_WRITER, DB_READER } db_role;

typedef enum db_verb {
    DB_BEGIN_WRITE,
    DB_BEGIN_READ,
    DB_COMMIT, /* durable on OK, unless unsafe */
    DB_ROLLBACK,
    DB_SAVEPOINT,
    DB_RELEASE,
    DB_ROLLBACK_TO, /* undoes what came after the savepoint, and removes it */
} db_verb;

typedef struct state_ops {
    status (*open)(const state_options *options, db_role role, db **ret_db, error *err);
    void (*close)(db *d);
    status (*control)(db *d, db_verb verb, error *err);
    /* False where the database has undone the transaction by itself. */
    bool (*in_transaction)(db *d);
    /* Statements separated by ";", without values or rows. */
    status (*script)(db *d, const char *sql, error *err);
    /* `*ret_cursor` has its values bound; they are copied unless `borrow`. */
    status (*prepare)(db *d, const char *sql, const state_value *values, size_t count, bool borrow,
                      db_cursor **ret_cursor, error *err);
    status (*step)(db_cursor *cursor, bool *ret_row, error *err);
    void (*finish)(db_cursor *cursor);
    int64_t (*changed)(db *d); /* rows of the last statement that ended */
    /* A view until the next step. */
    state_value (*column)(const db_cursor *cursor, int column);
    /* Care of the log file, by the writer between groups; `quiet` where nobody waits. */
    void (*care)(db *d, bool quiet);
    status (*backup)(db *d, const char *path, error *err);
    int64_t (*sync_count)(void); /* syncs since the process started */
} state_ops;

extern const state_ops state__sqlite;

/* Something to run when a submission has ended. */
typedef struct hook {
    struct hook *next;
    void (*after_commit)(void *context);
    void (*at_end)(void *context, state_outcome outcome);
    void *context;
} hook;

struct state_txn {
    const state_ops *ops;
    db *connection;
    bool writes;
    arena *memory;
    state_rows *open_rows;
    hook *first_hook;
    hook *last_hook;
};

/* Ends every cursor of the transaction that is still open. */
void state__finish_rows(state_txn *txn);

/* Applies what is missing of `migrations`, in one transaction. */
status state__migrate(const state_ops *ops, db *d, const state_migration *migrations, size_t count,
                      error *err);

/* --- SQLite's files --- */

/* Name of the file layer through which every file of the database goes: its syncs obey the rule
 * of base/fs.h about a broken volume, and the fault points of files sit in it. Registered at the
 * first call. */
const char *state__vfs_name(void);
int64_t state__vfs_sync_count(void);

#endif

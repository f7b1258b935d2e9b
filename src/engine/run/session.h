/* session.h: the table of sessions, and the transaction that a request works in. A request without a session has one of
 * its own, which ends with it. */
#ifndef TARN_ENGINE_RUN_SESSION_H
#define TARN_ENGINE_RUN_SESSION_H

#include "run/prepared.h"
#include "sql/statement.h"
#include "tarn/base/map.h"
#include "tarn/base/thread.h"
#include "tarn/catalog/txn.h"
#include "tarn/engine/session.h"

struct run;

typedef struct sql_session {
    str id, principal_id, principal_name; /* empty: of one request */
    arena *memory;                        /* NULL: of one request */
    char *space, *branch;                 /* heap; NULL: not set */
    prepared_set *prepared;               /* NULL: none */
    catalog_txn *txn;                     /* NULL: none is open, or it has failed */
    bool failed;
    bool read_only;
    int64_t started_us, touched_ms;
    bool busy, ended; /* the table's lock */
    char query_id[37];
} sql_session;

typedef struct session_table {
    mutex lock;
    cond wake;
    map *sessions; /* id -> sql_session */
    thread sweeper;
    int64_t idle_ms;
    bool closing;
} session_table;

status sessions_init(engine *e, session_table *t, int64_t idle_ms, error *err);
void sessions_release(engine *e, session_table *t);
/* The request's session for as long as it runs. NOT_FOUND, BUSY. */
status session_take(engine *e, const principal *who, str id, str query_id,
                    sql_session **ret_session, error *err);
void session_give_back(engine *e, sql_session *s);
/* Rolls back what is open. */
void session_end(engine *e, sql_session *s);
void session_set(char **setting, str value);

/* Refuses what cannot run in the transaction as it is, and lets the catalog be the transaction's. */
status transaction_check(struct run *r, const statement *st, error *err);
/* A statement has failed: so has the transaction. */
void transaction_fail(struct run *r);
engine_transaction transaction_state(const sql_session *s);

#endif

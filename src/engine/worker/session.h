/* session.h: the open database of a worker: settings, connection, reset.
 *
 * A worker has one in-memory database and one connection at a time. What statements make goes into the attached
 * catalog "tarn", which a reset throws away whole. Not here: running statements (run.c, result.c). */
#ifndef TARN_ENGINE_SESSION_H
#define TARN_ENGINE_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"
#include "tarn/base/thread.h"
#include "worker/duck.h"
#include "worker/kept.h"
#include "worker/translate.h"

typedef struct session_options {
    str library;
    str in;
    str out;
    const str *roots;
    size_t root_count;
    bool sandbox;
    int threads;
    int64_t memory_bytes;
    int64_t temp_bytes; /* 0: no limit */
} session_options;

typedef struct session {
    const session_options *options; /* lives as long as the session */
    str folder;                     /* that of all workers: its paths are kept out of messages */
    duck_database *database;
    mutex lock; /* guards the pointer below against the thread that interrupts */
    duck_connection *connection;
    kept_views kept;
    atomic_bool interrupted; /* the running statement is to end */
    uint32_t named;          /* settings of the database that statements named since the reset */
    bool may_have_attached;  /* a statement had the word in it */
} session;

/* After duck_load and the sandbox; starts threads. */
status session_open(const session_options *options, session *s, error *err);
/* A fresh connection to a fresh catalog, settings back to what session_open made them. After an error the worker is
 * of no further use. */
status session_reset(session *s, error *err);
/* Remembers what a statement names, and so may change: of every text that comes from the server. */
void session_note(session *s, str sql);
/* Statements run on this connection from now on; the one they ran on before. */
duck_connection *session_use(session *s, duck_connection *connection);
/* From any thread. */
void session_interrupt(session *s);
/* CANCELLED where the statement was interrupted before it reached DuckDB. */
status session_check(session *s, error *err);

/* Runs SQL of tarn's own or of a request, result dropped. `is_fatal`: the database is of no further use. */
status session_exec(session *s, str sql, bool *is_fatal, error *err);
/* The failure that a result or a statement holds. */
status session_fail(session *s, str sql, const char *message, bool *is_fatal, error *err);

/* The scalar functions that tarn adds (functions.c). */
status session_add_functions(duck_connection *connection, error *err);
/* theta.c: tarn_theta(value): the theta sketch of a column, in hexadecimal digits. */
status session_add_theta(duck_connection *connection, error *err);

#endif

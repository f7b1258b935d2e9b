/* cursor.h: one statement, prepared, its parameters bound, its rows streamed. */
#ifndef TARN_ENGINE_CURSOR_H
#define TARN_ENGINE_CURSOR_H

#include "tarn/codec/json.h"
#include "worker/session.h"

typedef struct cursor {
    session *session;
    str sql;
    duck_prepared *statement;
    bool is_kept; /* … it stays prepared (kept.h), and is not destroyed */
    duck_pending *pending;
    duck_result result;
    size_t count; /* columns */
    str *names;
    str *types;  /* DuckDB's text, as the statement yields them */
    str wrapped; /* the statement around the user's that casts what cannot be sent; STR_NULL where it is not needed */
    bool is_fatal;
    bool is_cut; /* there were more rows than were asked for */
} cursor;

typedef struct cursor_options {
    str sql;            /* terminated */
    const json *params; /* array, object, or NULL */
    bool for_arrow;
} cursor_options;

/* To be closed in any case. */
status cursor_open(session *s, const cursor_options *options, arena *a, cursor *ret_cursor,
                   error *err);
/* Prepares and binds without running: names and types may be unknown where they depend on parameters. */
status cursor_prepare(session *s, const cursor_options *options, arena *a, cursor *ret_cursor,
                      error *err);
/* The next rows, to be destroyed; NULL at the end. */
status cursor_next(cursor *c, duck_chunk **ret_chunk, error *err);
void cursor_close(cursor *c);

/* `params` are bound by position (array) or by name (object). INVALID naming the parameter. */
status cursor_bind(duck_prepared *statement, const json *params, error *err);

#endif

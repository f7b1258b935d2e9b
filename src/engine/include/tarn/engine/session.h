/* session.h: sessions: what outlives a request of SQL: an open transaction, the default namespace, the branch.
 *
 * A session belongs to the principal that made it; to others it does not exist. It runs one request at a time: another
 * one meanwhile is BUSY. Idle for longer than the engine's session_idle_ms it is rolled back and gone; so it is when
 * it is ended, also while a request runs, which is cancelled.
 *
 * states of its transaction: none -> BEGIN -> open -> COMMIT | ROLLBACK -> none
 *                            open -> an error, a cancelled statement -> failed -> ROLLBACK | COMMIT -> none
 * What a failed transaction did is removed at once. */
#ifndef TARN_ENGINE_SESSION_H
#define TARN_ENGINE_SESSION_H

#include "tarn/engine/query.h"

typedef struct session_info {
    str id; /* uuid */
    str principal_name;
    str space; /* default namespace */
    bool busy; /* a request runs */
    engine_transaction transaction;
    int64_t started_us, idle_ms;
} session_info;

/* BUSY where there are too many. `space` empty: "main". The id is in `a`. */
status engine_begin_session(engine *e, const principal *who, str space, arena *a, str *ret_id,
                            error *err);
/* Oldest first. `principal_id` STR_NULL: everybody's. */
void engine_list_sessions(engine *e, str principal_id, arena *a, session_info **ret_list,
                          size_t *ret_count);
/* NOT_FOUND, also for another's where `principal_id` is given. */
status engine_end_session(engine *e, str principal_id, str id, error *err);

#endif

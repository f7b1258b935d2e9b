/* The table of sessions: making, taking, ending, and forgetting those that are idle. */
#include "run/session.h"

#include "run/run.h"
#include "tarn/base/clock.h"
#include "tarn/base/mem.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"

#define SESSIONS_MAX 1000
#define LOOK_LEAST_MS 50
#define LOOK_MOST_MS 10000

void session_set(char **setting, str value)
{
    char *copy = NULL;

    if (!str_is_null(value)) {
        copy = mem_alloc(value.size + 1);
        memcpy(copy, value.data, value.size);
        copy[value.size] = '\0';
    }
    mem_free(*setting);
    *setting = copy;
}

void session_end(engine *e, sql_session *s)
{
    if (s->txn != NULL) {
        catalog_txn_rollback(s->txn);
        atomic_fetch_add(&e->rolled_back, 1);
    }
    s->txn = NULL;
    s->failed = false;
    prepared_set_free(s->prepared);
    mem_free(s->space);
    mem_free(s->branch);
    s->space = s->branch = NULL;
    if (s->memory != NULL) {
        arena_free(s->memory); /* it lies in there */
    }
}

/* ---- idle ones ---- */

/* With the lock held: the sessions that are over, out of the table. */
static sql_session *take_idle(session_table *t)
{
    int64_t now_ms = clock_mono_ms();
    map_entry entry;

    for (size_t at = 0; map_next(t->sessions, &at, &entry);) {
        sql_session *s = entry.value;

        if (!s->busy && (t->closing || now_ms - s->touched_ms > t->idle_ms)) {
            return map_remove(t->sessions, entry.key);
        }
    }
    return NULL;
}

static void forget_idle(engine *e)
{
    session_table *t = &e->sessions;

    for (sql_session *s = take_idle(t); s != NULL; s = take_idle(t)) {
        mutex_unlock(&t->lock);
        session_end(e, s);
        mutex_lock(&t->lock);
    }
}

static void sweep(void *context)
{
    engine *e = context;
    session_table *t = &e->sessions;
    int64_t look_ms = t->idle_ms / 8;

    look_ms = look_ms < LOOK_LEAST_MS ? LOOK_LEAST_MS : look_ms;
    look_ms = look_ms > LOOK_MOST_MS ? LOOK_MOST_MS : look_ms;
    mutex_lock(&t->lock);
    while (!t->closing) {
        (void)cond_wait_until(&t->wake, &t->lock, clock_mono_ns() + look_ms * 1000000);
        forget_idle(e);
    }
    mutex_unlock(&t->lock);
}

status sessions_init(engine *e, session_table *t, int64_t idle_ms, error *err)
{
    mutex_init(&t->lock);
    cond_init(&t->wake);
    t->sessions = map_create(NULL);
    t->idle_ms = idle_ms > 0 ? idle_ms : SESSION_IDLE_MS;
    return thread_start(&t->sweeper, "sessions", sweep, e, err);
}

void sessions_release(engine *e, session_table *t)
{
    mutex_lock(&t->lock);
    t->closing = true;
    cond_broadcast(&t->wake);
    mutex_unlock(&t->lock);
    thread_join(&t->sweeper);
    mutex_lock(&t->lock);
    forget_idle(e);
    mutex_unlock(&t->lock);
    map_free(t->sessions);
    cond_release(&t->wake);
    mutex_release(&t->lock);
}

/* ---- one ---- */

static sql_session *make(const principal *who, str space)
{
    arena *memory = arena_create();
    sql_session *s = ARENA_NEW(memory, sql_session);
    char id[37];

    random_uuid(id);
    s->memory = memory;
    s->id = str_copy(memory, str_c(id));
    s->principal_id = str_copy(memory, who->id);
    s->principal_name = str_copy(memory, who->name);
    session_set(&s->space, space.size > 0 ? space : STR("main"));
    s->started_us = clock_now_us();
    s->touched_ms = clock_mono_ms();
    return s;
}

status engine_begin_session(engine *e, const principal *who, str space, arena *a, str *ret_id,
                            error *err)
{
    session_table *t = &e->sessions;
    status result = STATUS_OK;

    mutex_lock(&t->lock);
    if (map_count(t->sessions) >= SESSIONS_MAX) {
        result = error_set(err, STATUS_BUSY, "%d sessions are open already", SESSIONS_MAX);
        error_hint(err, "End those that are not needed: DELETE /api/v1/sessions/{id}.");
    } else {
        sql_session *s = make(who, space);

        (void)map_set(t->sessions, s->id, s);
        *ret_id = str_copy(a, s->id);
    }
    mutex_unlock(&t->lock);
    return result;
}

/* With the lock held. Another's session is as good as none. */
static sql_session *find(session_table *t, str principal_id, str id, error *err)
{
    sql_session *s = map_get(t->sessions, id);

    if (s == NULL || (!str_is_null(principal_id) && !str_equal(s->principal_id, principal_id))) {
        error_set(err, STATUS_NOT_FOUND, "session \"%.*s\" does not exist", STR_ARG(id));
        error_hint(err, "A session that is idle for too long is rolled back and gone: make another "
                        "with POST /api/v1/sessions.");
        return NULL;
    }
    return s;
}

status session_take(engine *e, const principal *who, str id, str query_id,
                    sql_session **ret_session, error *err)
{
    session_table *t = &e->sessions;
    status result = STATUS_OK;
    sql_session *s;

    mutex_lock(&t->lock);
    s = find(t, who->id, id, err);
    if (s == NULL) {
        result = STATUS_NOT_FOUND;
    } else if (s->busy) {
        result = error_set(err, STATUS_BUSY, "session \"%.*s\" is busy with another statement",
                           STR_ARG(id));
        error_hint(err, "A session runs one request at a time.");
    } else {
        s->busy = true;
        memcpy(s->query_id, query_id.data,
               query_id.size < sizeof(s->query_id) ? query_id.size : sizeof(s->query_id) - 1);
        *ret_session = s;
    }
    mutex_unlock(&t->lock);
    return result;
}

void session_give_back(engine *e, sql_session *s)
{
    session_table *t = &e->sessions;
    bool ended;

    mutex_lock(&t->lock);
    s->busy = false;
    s->touched_ms = clock_mono_ms();
    ended = s->ended;
    mutex_unlock(&t->lock);
    if (ended) {
        session_end(e, s);
    }
}

status engine_end_session(engine *e, str principal_id, str id, error *err)
{
    session_table *t = &e->sessions;
    arena *a = arena_create();
    str running = STR_NULL;
    sql_session *s;

    mutex_lock(&t->lock);
    s = find(t, principal_id, id, err);
    if (s != NULL) {
        (void)map_remove(t->sessions, s->id);
        s->ended = true;
        running = s->busy ? str_copy(a, str_c(s->query_id)) : STR_NULL;
    }
    mutex_unlock(&t->lock);
    if (s != NULL && str_is_null(running)) {
        session_end(e, s);
    } else if (s != NULL) { /* whoever runs it ends it */
        (void)engine_cancel_query(e, STR_NULL, running, NULL);
    }
    arena_free(a);
    return s != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}

void engine_list_sessions(engine *e, str principal_id, arena *a, session_info **ret_list,
                          size_t *ret_count)
{
    session_table *t = &e->sessions;
    VEC(session_info) list = {0};
    map_entry entry;

    mutex_lock(&t->lock);
    for (size_t at = 0; map_next(t->sessions, &at, &entry);) {
        const sql_session *s = entry.value;
        session_info info;

        if (!str_is_null(principal_id) && !str_equal(principal_id, s->principal_id)) {
            continue;
        }
        info = (session_info){.id = str_copy(a, s->id),
                              .principal_name = str_copy(a, s->principal_name),
                              .busy = s->busy,
                              .started_us = s->started_us,
                              .idle_ms = s->busy ? 0 : clock_mono_ms() - s->touched_ms};
        if (!s->busy) { /* else whoever runs it changes them */
            info.space = str_copy(a, str_c(s->space));
            info.transaction = transaction_state(s);
        }
        vec_push(a, &list, info);
    }
    mutex_unlock(&t->lock);
    *ret_list = list.items;
    *ret_count = list.count;
}

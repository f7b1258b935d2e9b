/* Events: one row for each change, written in the change's transaction; reading them, and how far each webhook was
 * told. Sending is the server's affair. */
#include "tarn/catalog/event.h"

#include "internal.h"
#include "tarn/base/clock.h"
#include "tarn/base/vec.h"

const char *event_kind_name(event_kind kind)
{
    static const char *const names[] = {
#define X(name, text, meaning) text,
        EVENT_TABLE(X)
#undef X
    };

    ASSERT(kind < EVENT_COUNT);
    return names[kind];
}

static bool kind_of_name(str name, event_kind *ret_kind)
{
    for (int i = 0; i < EVENT_COUNT; i++) {
        if (str_equal(name, str_c(event_kind_name((event_kind)i)))) {
            *ret_kind = (event_kind)i;
            return true;
        }
    }
    return false;
}

/* ---- writing ---- */

static state_value text_or_null(str text)
{
    return text.size == 0 ? SV_NULL : SV_TEXT(text);
}

/* The next id is one above the largest: the newest row never goes (catalog__trim_events), so ids only grow. */
status catalog__note(state_txn *txn, const catalog_caller *caller, const catalog_event *event,
                     error *err)
{
    static const catalog_caller nobody = {0};
    const catalog_caller *who = caller != NULL ? caller : &nobody;

    TRY(STATE_EXEC(
        txn,
        "INSERT INTO events (id, time_us, kind, space, name, to_space, to_name, uuid,"
        " metadata_location, snapshot_id, principal, via, peer, agent, request_id, detail)"
        " SELECT COALESCE(max(id), 0) + 1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
        " ?14, ?15 FROM events",
        NULL, err, SV_INT(clock_now_us()), SV_TEXT(str_c(event_kind_name(event->kind))),
        SV_TEXT(event->name.space), SV_TEXT(event->name.table), text_or_null(event->to.space),
        text_or_null(event->to.table), text_or_null(event->uuid),
        text_or_null(event->metadata_location),
        event->snapshot_id == ICE_NO_SNAPSHOT ? SV_NULL : SV_INT(event->snapshot_id),
        text_or_null(who->principal), text_or_null(who->via), text_or_null(who->peer),
        text_or_null(who->agent), text_or_null(who->request_id), text_or_null(event->detail)));
    return who->effect != NULL ? who->effect(who->context, txn, event, err) : STATUS_OK;
}

/* ---- reading ---- */

typedef struct event_list {
    int64_t after;
    str kind; /* STR_NULL: all */
    size_t limit;
    arena *a;
    VEC(catalog_event) found;
    int64_t last;
} event_list;

static str text_of(const state_rows *rows, int column, arena *a)
{
    return state_is_null(rows, column) ? STR("") : state_text(rows, column, a);
}

/* False for a kind that this version does not know. */
static bool read_event(const state_rows *rows, arena *a, catalog_event *event)
{
    *event = (catalog_event){
        .id = state_int(rows, 0),
        .time_us = state_int(rows, 1),
        .name = {.space = text_of(rows, 3, a), .table = text_of(rows, 4, a)},
        .to = {.space = text_of(rows, 5, a), .table = text_of(rows, 6, a)},
        .uuid = text_of(rows, 7, a),
        .metadata_location = text_of(rows, 8, a),
        .snapshot_id = state_is_null(rows, 9) ? ICE_NO_SNAPSHOT : state_int(rows, 9),
        .principal = text_of(rows, 10, a),
        .via = text_of(rows, 11, a),
        .peer = text_of(rows, 12, a),
        .agent = text_of(rows, 13, a),
        .request_id = text_of(rows, 14, a),
        .detail = text_of(rows, 15, a),
    };
    return kind_of_name(state_text(rows, 2, NULL), &event->kind);
}

#define EVENT_COLUMNS                                                                          \
    "id, time_us, kind, space, name, to_space, to_name, uuid, metadata_location, snapshot_id," \
    " principal, via, peer, agent, request_id, detail"

static status list_events(void *context, state_txn *txn, error *err)
{
    event_list *list = context;
    state_rows *rows = NULL;
    bool more = false;

    if (str_is_null(list->kind)) {
        TRY(STATE_QUERY(txn,
                        "SELECT " EVENT_COLUMNS " FROM events WHERE id > ?1 ORDER BY id LIMIT ?2",
                        &rows, err, SV_INT(list->after), SV_INT(list->limit)));
    } else {
        TRY(STATE_QUERY(txn,
                        "SELECT " EVENT_COLUMNS
                        " FROM events WHERE id > ?1 AND kind = ?3 ORDER BY id LIMIT ?2",
                        &rows, err, SV_INT(list->after), SV_INT(list->limit), SV_TEXT(list->kind)));
    }
    for (;;) {
        catalog_event event;

        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        if (read_event(rows, list->a, &event)) {
            vec_push(list->a, &list->found, event);
        }
    }
    state_finish(rows);
    return STATUS_OK;
}

status catalog_list_events(catalog *c, int64_t after, str kind, size_t limit, arena *a,
                           catalog_event **ret_list, size_t *ret_count, error *err)
{
    event_list list = {.after = after, .kind = kind, .limit = limit, .a = a};
    event_kind ignored;

    if (!str_is_null(kind) && !kind_of_name(kind, &ignored)) {
        str names[EVENT_COUNT];
        for (int i = 0; i < EVENT_COUNT; i++) {
            names[i] = str_c(event_kind_name((event_kind)i));
        }
        error_set(err, STATUS_INVALID, "events of kind \"%.*s\" do not exist", STR_ARG(kind));
        str nearest = str_nearest(kind, names, EVENT_COUNT);
        if (!str_is_null(nearest)) {
            error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
        }
        return STATUS_INVALID;
    }
    TRY(state_read(c->state, list_events, &list, err));
    *ret_list = list.found.items;
    *ret_count = list.found.count;
    return STATUS_OK;
}

static status read_last(void *context, state_txn *txn, error *err)
{
    int64_t *last = context;
    state_rows *rows = NULL;
    bool found = false;

    TRY(state_query(txn, "SELECT COALESCE(max(id), 0) FROM events", NULL, 0, &rows, err));
    TRY(state_next(rows, &found, err));
    *last = found ? state_int(rows, 0) : 0;
    state_finish(rows);
    return STATUS_OK;
}

status catalog_last_event(catalog *c, int64_t *ret_id, error *err)
{
    return state_read(c->state, read_last, ret_id, err);
}

/* ---- webhooks ---- */

typedef struct webhook_change {
    const str *urls;
    size_t count;
    str url;
    int64_t sent_id;
    int64_t last_id;
} webhook_change;

/* Those that the settings do not name any more go; a new one begins with what happens from now on. */
static status settle_webhooks(void *context, state_txn *txn, error *err)
{
    const webhook_change *change = context;
    arena *a = state_txn_arena(txn);
    VEC(str) gone = {0};
    state_rows *rows = NULL;
    bool more = false;

    TRY(state_query(txn, "SELECT url FROM webhooks", NULL, 0, &rows, err));
    for (;;) {
        bool kept = false;
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        for (size_t i = 0; i < change->count; i++) {
            kept = kept || str_equal(change->urls[i], state_text(rows, 0, NULL));
        }
        if (!kept) {
            vec_push(a, &gone, state_text(rows, 0, a));
        }
    }
    state_finish(rows);
    for (size_t i = 0; i < gone.count; i++) {
        TRY(STATE_EXEC(txn, "DELETE FROM webhooks WHERE url = ?1", NULL, err,
                       SV_TEXT(gone.items[i])));
    }
    for (size_t i = 0; i < change->count; i++) {
        TRY(STATE_EXEC(txn,
                       "INSERT INTO webhooks (url, sent_id)"
                       " SELECT ?1, COALESCE(max(id), 0) FROM events WHERE true"
                       " ON CONFLICT (url) DO NOTHING",
                       NULL, err, SV_TEXT(change->urls[i])));
    }
    return STATUS_OK;
}

status catalog_settle_webhooks(catalog *c, const str *urls, size_t count, error *err)
{
    webhook_change change = {.urls = urls, .count = count};
    return state_submit(c->state, settle_webhooks, &change, err);
}

static status read_webhook(void *context, state_txn *txn, error *err)
{
    webhook_change *change = context;
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn,
                    "SELECT sent_id, (SELECT COALESCE(max(id), 0) FROM events) FROM webhooks"
                    " WHERE url = ?1",
                    &rows, err, SV_TEXT(change->url)));
    TRY(state_next(rows, &found, err));
    if (found) {
        change->sent_id = state_int(rows, 0);
        change->last_id = state_int(rows, 1);
    }
    state_finish(rows);
    return found ? STATUS_OK
                 : error_set(err, STATUS_NOT_FOUND, "webhook \"%.*s\" is not known",
                             STR_ARG(change->url));
}

status catalog_read_webhook(catalog *c, str url, int64_t *ret_sent_id, int64_t *ret_last_id,
                            error *err)
{
    webhook_change change = {.url = url};

    TRY(state_read(c->state, read_webhook, &change, err));
    *ret_sent_id = change.sent_id;
    *ret_last_id = change.last_id;
    return STATUS_OK;
}

static status advance_webhook(void *context, state_txn *txn, error *err)
{
    const webhook_change *change = context;
    return STATE_EXEC(txn, "UPDATE webhooks SET sent_id = ?2 WHERE url = ?1 AND sent_id < ?2", NULL,
                      err, SV_TEXT(change->url), SV_INT(change->sent_id));
}

status catalog_advance_webhook(catalog *c, str url, int64_t sent_id, error *err)
{
    webhook_change change = {.url = url, .sent_id = sent_id};
    return state_submit(c->state, advance_webhook, &change, err);
}

/* ---- retention ---- */

typedef struct trim {
    int64_t before_us;
    int64_t first_kept; /* 0: nothing is to go */
} trim;

/* Ids grow with time: what is older than the first that is kept goes, but nothing that a webhook was not told, and
 * never the newest. */
static status find_kept(void *context, state_txn *txn, error *err)
{
    trim *t = context;
    state_rows *rows = NULL;
    bool found = false;
    int64_t limit = INT64_MAX;

    TRY(state_query(txn,
                    "SELECT (SELECT max(id) FROM events), (SELECT min(sent_id) + 1 FROM webhooks),"
                    " (SELECT min(id) FROM events)",
                    NULL, 0, &rows, err));
    TRY(state_next(rows, &found, err));
    if (!found || state_is_null(rows, 0)) {
        state_finish(rows);
        return STATUS_OK;
    }
    limit = state_int(rows, 0);
    if (!state_is_null(rows, 1) && state_int(rows, 1) < limit) {
        limit = state_int(rows, 1);
    }
    int64_t oldest = state_int(rows, 2);
    state_finish(rows);
    TRY(STATE_QUERY(txn, "SELECT id FROM events WHERE time_us >= ?1 ORDER BY id LIMIT 1", &rows,
                    err, SV_INT(t->before_us)));
    TRY(state_next(rows, &found, err));
    int64_t kept = found && state_int(rows, 0) < limit ? state_int(rows, 0) : limit;
    state_finish(rows);
    t->first_kept = kept > oldest ? kept : 0;
    return STATUS_OK;
}

static status delete_old(void *context, state_txn *txn, error *err)
{
    const trim *t = context;
    return STATE_EXEC(txn, "DELETE FROM events WHERE id < ?1", NULL, err, SV_INT(t->first_kept));
}

status catalog__trim_events(catalog *c, error *err)
{
    trim t = {.before_us = clock_now_us() - c->events_kept_ms * 1000};

    if (c->events_kept_ms <= 0) {
        return STATUS_OK;
    }
    TRY(state_read(c->state, find_kept, &t, err));
    return t.first_kept > 0 ? state_submit(c->state, delete_old, &t, err) : STATUS_OK;
}

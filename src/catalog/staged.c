/* Places that staged tables hold until the keys end that went with them. A row stays when the table is made: its keys
 * are good as long. */
#include "tarn/catalog/staged.h"

#include "place.h"
#include "tarn/base/clock.h"

static status refuse_found(state_rows *rows, const catalog__place *place, error *err)
{
    status refusal = place->kind == ICE_AT_FILE ? STATUS_DENIED : STATUS_INVALID;
    bool found = false;

    TRY(state_next(rows, &found, err));
    if (found) {
        error_set(err, refusal,
                  "%s \"%.*s\" lies in a place that is held for staged table \"%.*s.%.*s\"",
                  place->kind == ICE_AT_FILE ? "file" : "location", STR_ARG(place->location),
                  STR_ARG(state_text(rows, 0, NULL)), STR_ARG(state_text(rows, 1, NULL)));
        error_hint(err, "The place is free when the keys end that were given for it.");
    }
    state_finish(rows);
    return found ? refusal : STATUS_OK;
}

static status is_any_held(state_txn *txn, int64_t now_us, bool *ret_any, error *err)
{
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM staged WHERE ends_us > ?1 LIMIT 1", &rows, err,
                    SV_INT(now_us)));
    TRY(state_next(rows, ret_any, err));
    state_finish(rows);
    return STATUS_OK;
}

/* Neither may lie in the other. "0" follows "/". */
status catalog__refuse_staged(state_txn *txn, const catalog__place *place, error *err)
{
    arena *a = state_txn_arena(txn);
    str location = place->location;
    str who = str_is_null(place->principal) ? STR("") : place->principal;
    str uuid = str_is_null(place->uuid) ? STR("") : place->uuid;
    int64_t now_us = clock_now_us();
    state_rows *rows = NULL;
    bool any = false;

    TRY(is_any_held(txn, now_us, &any, err));
    if (any && place->kind != ICE_AT_FILE && !place->is_space) {
        TRY(STATE_QUERY(txn,
                        "SELECT space, name FROM staged WHERE location > ?1 AND location < ?2"
                        " AND uuid <> ?3 AND principal <> ?4 AND ends_us > ?5 LIMIT 1",
                        &rows, err, SV_TEXT(str_concat(a, location, STR("/"))),
                        SV_TEXT(str_concat(a, location, STR("0"))), SV_TEXT(uuid), SV_TEXT(who),
                        SV_INT(now_us)));
        TRY(refuse_found(rows, place, err));
    }
    for (size_t end = any ? location.size : 0; end > 0; end--) {
        if (end < location.size && location.data[end] != '/') {
            continue;
        }
        TRY(STATE_QUERY(txn,
                        "SELECT space, name FROM staged WHERE location = ?1"
                        " AND uuid <> ?2 AND principal <> ?3 AND ends_us > ?4 LIMIT 1",
                        &rows, err, SV_TEXT(str_slice(location, 0, end)), SV_TEXT(uuid),
                        SV_TEXT(who), SV_INT(now_us)));
        TRY(refuse_found(rows, place, err));
    }
    return STATUS_OK;
}

/* ---- holding ---- */

typedef struct holding {
    catalog *c;
    const catalog_staged *staged;
    arena *a;
    table_name dropped;
} holding;

static status hold_one(const holding *h, state_txn *txn, ice_place_kind kind, str location,
                       error *err)
{
    const catalog_staged *s = h->staged;
    const catalog__place place = {
        .kind = kind, .location = location, .uuid = s->uuid, .principal = s->principal};

    TRY(catalog__refuse_place(txn, &place, err));
    return STATE_EXEC(txn,
                      "INSERT INTO staged (uuid, location, space, name, principal, ends_us)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (location, uuid) DO UPDATE SET"
                      " ends_us = max(ends_us, excluded.ends_us)",
                      NULL, err, SV_TEXT(s->uuid), SV_TEXT(location), SV_TEXT(s->name.space),
                      SV_TEXT(s->name.table), SV_TEXT(s->principal), SV_INT(s->ends_us));
}

static status find_dropped(holding *h, state_txn *txn, error *err)
{
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn, "SELECT space, name FROM dropped WHERE location = ?1 AND uuid <> ?2",
                    &rows, err, SV_TEXT(h->staged->location), SV_TEXT(h->staged->uuid)));
    TRY(state_next(rows, &found, err));
    if (found) {
        h->dropped.space = state_text(rows, 0, h->a);
        h->dropped.table = state_text(rows, 1, h->a);
    }
    state_finish(rows);
    return STATUS_OK;
}

static status hold_all(void *context, state_txn *txn, error *err)
{
    holding *h = context;
    const ice_metadata *m = h->staged->metadata;

    TRY(hold_one(h, txn, ICE_AT_TABLE, h->staged->location, err));
    for (size_t i = 0; i < m->property_count; i++) {
        str settled;

        if (!catalog__is_path_property(m->properties[i].key)) {
            continue;
        }
        TRY(catalog__settle_location(h->c, m->properties[i].value, state_txn_arena(txn), &settled,
                                     err));
        if (!catalog__lies_in(settled, h->staged->location)) {
            TRY(hold_one(h, txn, ICE_AT_PATH_PROPERTY, settled, err));
        }
    }
    return find_dropped(h, txn, err);
}

status catalog_hold_staged(catalog *c, const catalog_staged *staged, arena *a,
                           table_name *ret_dropped, error *err)
{
    holding h = {.c = c, .staged = staged, .a = a, .dropped = {.space = STR(""), .table = STR("")}};

    TRY(state_submit(c->state, hold_all, &h, err));
    *ret_dropped = h.dropped;
    return STATUS_OK;
}

static status release(void *context, state_txn *txn, error *err)
{
    const str *uuid = context;

    return STATE_EXEC(txn, "DELETE FROM staged WHERE uuid = ?1", NULL, err, SV_TEXT(*uuid));
}

status catalog_release_staged(catalog *c, str uuid, error *err)
{
    return state_submit(c->state, release, &uuid, err);
}

/* ---- what is over ---- */

typedef struct ending {
    int64_t now_us;
    bool any;
} ending;

static status find_ended(void *context, state_txn *txn, error *err)
{
    ending *e = context;
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM staged WHERE ends_us <= ?1 LIMIT 1", &rows, err,
                    SV_INT(e->now_us)));
    TRY(state_next(rows, &e->any, err));
    state_finish(rows);
    return STATUS_OK;
}

static status delete_ended(void *context, state_txn *txn, error *err)
{
    const ending *e = context;

    return STATE_EXEC(txn, "DELETE FROM staged WHERE ends_us <= ?1", NULL, err, SV_INT(e->now_us));
}

status catalog__end_staged(catalog *c, error *err)
{
    ending e = {.now_us = clock_now_us()};

    TRY(state_read(c->state, find_ended, &e, err));
    return e.any ? state_submit(c->state, delete_ended, &e, err) : STATUS_OK;
}

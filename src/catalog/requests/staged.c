/* Places that staged tables hold until the keys end that went with them. A row stays when the table is made: its keys
 * are good as long. Where a hold ends before, its keys end too, so that nothing comes to lie under keys of others. One
 * whose time is over holds nothing, and is kept for a day: who asks for keys only then, as Java does when it must,
 * holds the place anew, if it is free still. */
#include "tarn/catalog/staged.h"

#include "places/place.h"
#include "tarn/base/clock.h"
#include "tarn/base/vec.h"

/* What a row is of its table. */
typedef enum staged_kind {
    STAGED_FOLDER = 0, /* of a property; or unknown */
    STAGED_CHOSEN = 1, /* its location; the client chose it, or a folder */
    STAGED_OWN = 2,    /* its location, of the catalog's choice, as is all else */
} staged_kind;

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
        error_hint(err,
                   "The place is free when the keys end that were given for it: with their time,"
                   " or by \"tarn key revoke-sessions\" for whom they were given.");
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

/* A dropped table wants its own place again. */
static status is_return(state_txn *txn, const catalog__place *place, bool *ret_returns, error *err)
{
    state_rows *rows = NULL;

    if (place->kind != ICE_AT_TABLE || str_is_empty(place->uuid)) {
        *ret_returns = false;
        return STATUS_OK;
    }
    TRY(STATE_QUERY(txn, "SELECT 1 FROM dropped WHERE uuid = ?1 AND location = ?2", &rows, err,
                    SV_TEXT(place->uuid), SV_TEXT(place->location)));
    TRY(state_next(rows, ret_returns, err));
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
    bool returns = false;

    TRY(is_any_held(txn, now_us, &any, err));
    if (any) {
        TRY(is_return(txn, place, &returns, err));
        any = !returns;
    }
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

/* ---- ending ---- */

status catalog__delete_staged(state_txn *txn, str uuid, error *err)
{
    return STATE_EXEC(txn, "DELETE FROM staged WHERE uuid = ?1", NULL, err, SV_TEXT(uuid));
}

/* A table that was made meanwhile keeps its keys: its places are its own now. */
static status end_hold(catalog *c, state_txn *txn, str uuid, error *err)
{
    state_rows *rows = NULL;
    bool made = false;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM tables WHERE uuid = ?1", &rows, err, SV_TEXT(uuid)));
    TRY(state_next(rows, &made, err));
    state_finish(rows);
    return made ? catalog__delete_staged(txn, uuid, err) : catalog__end_sessions(c, txn, uuid, err);
}

typedef VEC(str) uuid_list;

static status take_uuids(state_txn *txn, state_rows *rows, uuid_list *list, error *err)
{
    arena *a = state_txn_arena(txn);

    for (bool more = true; more;) {
        TRY(state_next(rows, &more, err));
        if (more) {
            vec_push(a, list, state_text(rows, 0, a));
        }
    }
    state_finish(rows);
    return STATUS_OK;
}

static status end_holds(catalog *c, state_txn *txn, const uuid_list *list, error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        TRY(end_hold(c, txn, list->items[i], err));
    }
    return STATUS_OK;
}

status catalog__end_own_staged(catalog *c, state_txn *txn, const catalog__place *place, error *err)
{
    state_rows *rows = NULL;
    uuid_list list = {0};

    if (str_is_null(place->principal)) {
        return STATUS_OK;
    }
    TRY(STATE_QUERY(
        txn, "SELECT uuid FROM staged WHERE location = ?1 AND uuid <> ?2 AND principal = ?3", &rows,
        err, SV_TEXT(place->location), SV_TEXT(place->uuid), SV_TEXT(place->principal)));
    TRY(take_uuids(txn, rows, &list, err));
    return end_holds(c, txn, &list, err);
}

status catalog__end_staged_at(catalog *c, state_txn *txn, const catalog__place *place, error *err)
{
    arena *a = state_txn_arena(txn);
    str location = place->location;
    state_rows *rows = NULL;
    uuid_list list = {0};
    bool any = false;

    TRY(is_any_held(txn, clock_now_us(), &any, err));
    if (any && !place->is_space) {
        TRY(STATE_QUERY(txn,
                        "SELECT uuid FROM staged WHERE location > ?1 AND location < ?2"
                        " AND uuid <> ?3",
                        &rows, err, SV_TEXT(str_concat(a, location, STR("/"))),
                        SV_TEXT(str_concat(a, location, STR("0"))), SV_TEXT(place->uuid)));
        TRY(take_uuids(txn, rows, &list, err));
    }
    for (size_t end = any ? location.size : 0; end > 0; end--) {
        if (end < location.size && location.data[end] != '/') {
            continue;
        }
        TRY(STATE_QUERY(txn, "SELECT uuid FROM staged WHERE location = ?1 AND uuid <> ?2", &rows,
                        err, SV_TEXT(str_slice(location, 0, end)), SV_TEXT(place->uuid)));
        TRY(take_uuids(txn, rows, &list, err));
    }
    return end_holds(c, txn, &list, err);
}

status catalog__free_for_return(catalog *c, state_txn *txn, str uuid, str location, error *err)
{
    const catalog__place place = {.kind = ICE_AT_TABLE, .location = location, .uuid = uuid};
    bool returns = false;

    TRY(is_return(txn, &place, &returns, err));
    return returns ? catalog__end_staged_at(c, txn, &place, err) : STATUS_OK;
}

/* ---- holding ---- */

typedef struct holding {
    catalog *c;
    const catalog_staged *staged;
    arena *a;
    table_name dropped;
} holding;

static status hold_one(const holding *h, state_txn *txn, staged_kind kind, str location, error *err)
{
    const catalog_staged *s = h->staged;
    const catalog__place place = {.kind =
                                      kind == STAGED_FOLDER ? ICE_AT_PATH_PROPERTY : ICE_AT_TABLE,
                                  .location = location,
                                  .uuid = s->uuid,
                                  .principal = s->principal};

    TRY(catalog__refuse_place(txn, &place, err));
    return STATE_EXEC(
        txn,
        "INSERT INTO staged (uuid, location, space, name, principal, ends_us, key, kind)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        " ON CONFLICT (location, uuid) DO UPDATE SET"
        " ends_us = max(ends_us, excluded.ends_us),"
        " key = CASE WHEN key = excluded.key THEN key ELSE '' END",
        NULL, err, SV_TEXT(s->uuid), SV_TEXT(location), SV_TEXT(s->name.space),
        SV_TEXT(s->name.table), SV_TEXT(s->principal), SV_INT(s->ends_us),
        SV_TEXT(str_is_null(s->key) ? STR("") : s->key), SV_INT(kind));
}

/* Of the principal's, but those that are made and this one, in the order of their ends. */
static status list_beyond(const holding *h, state_txn *txn, bool own, int64_t count,
                          uuid_list *ret_list, error *err)
{
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn,
                    "SELECT uuid FROM staged WHERE principal = ?1 AND uuid <> ?2"
                    " AND NOT EXISTS (SELECT 1 FROM tables WHERE tables.uuid = staged.uuid)"
                    " GROUP BY uuid HAVING (max(kind) = 2) = ?3"
                    " ORDER BY max(ends_us) DESC LIMIT -1 OFFSET ?4",
                    &rows, err, SV_TEXT(h->staged->principal), SV_TEXT(h->staged->uuid),
                    SV_INT(own ? 1 : 0), SV_INT(count)));
    return take_uuids(txn, rows, ret_list, err);
}

static status end_oldest(const holding *h, state_txn *txn, error *err)
{
    uuid_list list = {0};

    if (h->staged->chosen) {
        TRY(list_beyond(h, txn, false, CATALOG_STAGED_MAX - 1, &list, err));
        return end_holds(h->c, txn, &list, err);
    }
    TRY(list_beyond(h, txn, true, CATALOG_STAGED_OWN_MAX - 1, &list, err));
    for (size_t i = 0; i < list.count; i++) { /* nobody else comes to lie there */
        TRY(catalog__delete_staged(txn, list.items[i], err));
    }
    return STATUS_OK;
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
    size_t paths = 0;

    TRY(hold_one(h, txn, h->staged->chosen ? STAGED_CHOSEN : STAGED_OWN, h->staged->location, err));
    for (size_t i = 0; i < m->property_count; i++) {
        str settled;

        if (!catalog__is_path_property(m->properties[i].key)) {
            continue;
        }
        TRY(catalog__settle_location(h->c, m->properties[i].value, state_txn_arena(txn), &settled,
                                     err));
        if (!catalog__lies_in(settled, h->staged->location)) {
            if (++paths > CATALOG_STAGED_PATHS_MAX) {
                return error_set(err, STATUS_INVALID,
                                 "a staged table names more than %d folders in its properties",
                                 CATALOG_STAGED_PATHS_MAX);
            }
            TRY(hold_one(h, txn, STAGED_FOLDER, settled, err));
        }
    }
    TRY(end_oldest(h, txn, err));
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

/* ---- renewing ---- */

typedef struct renewing {
    holding h; /* `staged` is `held` */
    const catalog_staged *asked;
    catalog_staged held;
} renewing;

/* The last one of that name; a table of that uuid is no staged one any more. */
static status find_held(renewing *r, state_txn *txn, error *err)
{
    const catalog_staged *asked = r->asked;
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn,
                    "SELECT uuid, location, kind FROM staged WHERE principal = ?1 AND space = ?2"
                    " AND name = ?3 AND kind <> 0 AND ends_us > ?4"
                    " AND NOT EXISTS (SELECT 1 FROM tables WHERE tables.uuid = staged.uuid)"
                    " AND NOT EXISTS (SELECT 1 FROM dropped WHERE dropped.uuid = staged.uuid)"
                    " ORDER BY ends_us DESC LIMIT 1",
                    &rows, err, SV_TEXT(asked->principal), SV_TEXT(asked->name.space),
                    SV_TEXT(asked->name.table), SV_INT(clock_now_us() - CATALOG__STAGED_KEPT_US)));
    TRY(state_next(rows, &found, err));
    if (found) {
        r->held = *asked;
        r->held.uuid = state_text(rows, 0, r->h.a);
        r->held.location = state_text(rows, 1, r->h.a);
        r->held.chosen = state_int(rows, 2) == STAGED_CHOSEN;
    }
    state_finish(rows);
    return found ? STATUS_OK
                 : error_set(err, STATUS_NO_TABLE, "table \"%.*s.%.*s\" is not staged",
                             STR_ARG(asked->name.space), STR_ARG(asked->name.table));
}

typedef struct folder_list {
    str uuid;
    arena *a;
    VEC(str) found;
} folder_list;

static status read_folders(void *context, state_txn *txn, error *err)
{
    folder_list *list = context;
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn,
                    "SELECT location FROM staged WHERE uuid = ?1 AND kind = 0 ORDER BY location",
                    &rows, err, SV_TEXT(list->uuid)));
    for (bool more = true; more;) {
        TRY(state_next(rows, &more, err));
        if (more) {
            vec_push(list->a, &list->found, state_text(rows, 0, list->a));
        }
    }
    state_finish(rows);
    return STATUS_OK;
}

status catalog_list_staged_folders(catalog *c, str uuid, arena *a, str **ret_list,
                                   size_t *ret_count, error *err)
{
    folder_list list = {.uuid = uuid, .a = a};

    TRY(state_read(c->state, read_folders, &list, err));
    *ret_list = list.found.items;
    *ret_count = list.found.count;
    return STATUS_OK;
}

static status renew(void *context, state_txn *txn, error *err)
{
    renewing *r = context;
    folder_list folders = {.a = state_txn_arena(txn)};

    TRY(find_held(r, txn, err));
    r->h.staged = &r->held;
    TRY(hold_one(&r->h, txn, r->held.chosen ? STAGED_CHOSEN : STAGED_OWN, r->held.location, err));
    folders.uuid = r->held.uuid;
    TRY(read_folders(&folders, txn, err));
    for (size_t i = 0; i < folders.found.count; i++) {
        TRY(hold_one(&r->h, txn, STAGED_FOLDER, folders.found.items[i], err));
    }
    return find_dropped(&r->h, txn, err);
}

status catalog_renew_staged(catalog *c, const catalog_staged *asked, arena *a,
                            catalog_staged *ret_held, table_name *ret_dropped, error *err)
{
    renewing r = {.h = {.c = c, .a = a, .dropped = {.space = STR(""), .table = STR("")}},
                  .asked = asked};

    TRY(state_submit(c->state, renew, &r, err));
    *ret_held = r.held;
    *ret_dropped = r.h.dropped;
    return STATUS_OK;
}

/* ---- ending with whom they were held for ---- */

static status release(void *context, state_txn *txn, error *err)
{
    const str *uuid = context;

    return catalog__delete_staged(txn, *uuid, err);
}

status catalog_release_staged(catalog *c, str uuid, error *err)
{
    return state_submit(c->state, release, &uuid, err);
}

static status release_of_principal(void *context, state_txn *txn, error *err)
{
    const str *principal = context;

    return STATE_EXEC(txn, "DELETE FROM staged WHERE principal = ?1", NULL, err,
                      SV_TEXT(*principal));
}

status catalog_release_principal(catalog *c, str principal, error *err)
{
    return state_submit(c->state, release_of_principal, &principal, err);
}

static status release_of_key(void *context, state_txn *txn, error *err)
{
    const str *key = context;

    return STATE_EXEC(txn, "DELETE FROM staged WHERE key = ?1", NULL, err, SV_TEXT(*key));
}

status catalog_release_key(catalog *c, str key, error *err)
{
    return state_submit(c->state, release_of_key, &key, err);
}

/* ---- what is over ---- */

typedef struct ending {
    int64_t before_us;
    bool any;
} ending;

static status find_ended(void *context, state_txn *txn, error *err)
{
    ending *e = context;
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM staged WHERE ends_us <= ?1 LIMIT 1", &rows, err,
                    SV_INT(e->before_us)));
    TRY(state_next(rows, &e->any, err));
    state_finish(rows);
    return STATUS_OK;
}

static status delete_ended(void *context, state_txn *txn, error *err)
{
    const ending *e = context;

    return STATE_EXEC(txn, "DELETE FROM staged WHERE ends_us <= ?1", NULL, err,
                      SV_INT(e->before_us));
}

status catalog__end_staged(catalog *c, error *err)
{
    ending e = {.before_us = clock_now_us() - CATALOG__STAGED_KEPT_US};

    TRY(state_read(c->state, find_ended, &e, err));
    return e.any ? state_submit(c->state, delete_ended, &e, err) : STATUS_OK;
}

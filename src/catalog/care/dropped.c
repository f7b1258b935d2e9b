/* Dropped tables: rows that moved from "tables" to "dropped", or, where nothing is kept, to "purges" (purge.c). They
 * come back by undrop, or when their metadata file is registered again. */
#include "tarn/catalog/dropped.h"

#include "internal.h"
#include "tarn/access/s3.h"
#include "tarn/base/clock.h"
#include "tarn/base/vec.h"

#define DROP_ATTEMPTS 8
/* The time of a dropped table whose place is another's: over. */
#define GIVEN_UP "1"

catalog__drop catalog__drop_now(const catalog *c, bool purge_asked)
{
    return (catalog__drop){.caller = catalog_get_caller(),
                           .dropped_us = clock_now_us(),
                           .purge = c->retention_ms <= 0 || (purge_asked && !c->purge_retained)};
}

static str principal_of(const catalog__drop *how)
{
    return how->caller != NULL ? how->caller->principal : STR("");
}

static int64_t purge_time(const catalog *c, const catalog__drop *how)
{
    return how->dropped_us + c->retention_ms * 1000;
}

static catalog__row row_of(const table_info *table)
{
    return (catalog__row){.name = table->name,
                          .uuid = table->uuid,
                          .location = table->location,
                          .metadata_location = table->metadata_location,
                          .registered = table->registered,
                          .rebase = table->rebase};
}

status catalog__stage_dropped(catalog *c, const table_info *table, const catalog__drop *how,
                              store_staged **ret_staged, error *err)
{
    const catalog__row row = row_of(table);
    const dropped_table dropped = {.name = table->name,
                                   .location = table->location,
                                   .dropped_us = how->dropped_us,
                                   .purge_us = how->purge ? how->dropped_us : purge_time(c, how),
                                   .principal = principal_of(how)};

    if (how->purge && table->registered) { /* others made its files, and keep them */
        *ret_staged = NULL;
        return STATUS_OK;
    }
    return catalog__stage_record(c, &row, &dropped, ret_staged, err);
}

/* ---- sessions ---- */

status catalog__end_sessions(const catalog *c, state_txn *txn, str uuid, error *err)
{
    TRY(catalog__delete_staged(txn, uuid, err));
    return c->access == NULL ? STATUS_OK : access_end_vended(c->access, txn, uuid, err);
}

void catalog__renew_sessions(const catalog *c, state_txn *txn, str uuid)
{
    if (c->access != NULL) {
        access_renew_vended(c->access, txn, uuid);
    }
}

/* ---- drop ---- */

typedef struct live_row {
    str uuid, location, metadata_location;
    str shown_space, shown_name;
    bool registered;
} live_row;

static status read_live(state_txn *txn, str space_key, str table_key, str uuid, bool *ret_found,
                        live_row *ret_row, error *err)
{
    arena *a = state_txn_arena(txn);
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn,
                    "SELECT uuid, location, space, name, registered, metadata_location FROM tables"
                    " WHERE space_key = ?1 AND table_key = ?2",
                    &rows, err, SV_TEXT(space_key), SV_TEXT(table_key)));
    TRY(state_next(rows, ret_found, err));
    if (*ret_found) {
        *ret_row = (live_row){.uuid = state_text(rows, 0, a),
                              .location = state_text(rows, 1, a),
                              .shown_space = state_text(rows, 2, a),
                              .shown_name = state_text(rows, 3, a),
                              .registered = state_int(rows, 4) != 0,
                              .metadata_location = state_text(rows, 5, a)};
        *ret_found = str_is_null(uuid) || str_equal(uuid, ret_row->uuid);
    }
    state_finish(rows);
    return STATUS_OK;
}

/* The record says that the table is purged until its files are gone (purge.c), or until the table, or a copy of it with
 * the same uuid, is registered. */
static status to_purges(catalog *c, state_txn *txn, const live_row *row,
                        const catalog_caller *caller, error *err)
{
    const catalog_caller nobody = {.principal = STR_NULL};
    const catalog_caller *who = caller != NULL ? caller : &nobody;

    if (row->registered) {
        str record = catalog__name_location(c, row->uuid, state_txn_arena(txn));
        return store_delete(c->storage, txn, &record, 1, err);
    }
    return STATE_EXEC(
        txn,
        "INSERT INTO purges (uuid, location, metadata_location, space, name, principal, via, peer,"
        " agent, request_id)"
        " SELECT uuid, location, metadata_location, space, name, ?2, ?3, ?4, ?5, ?6 FROM tables"
        " WHERE uuid = ?1 ON CONFLICT (uuid) DO NOTHING",
        NULL, err, SV_TEXT(row->uuid), SV_TEXT(who->principal), SV_TEXT(who->via),
        SV_TEXT(who->peer), SV_TEXT(who->agent), SV_TEXT(who->request_id));
}

static status to_dropped(const catalog *c, state_txn *txn, const live_row *row,
                         const catalog__drop *how, error *err)
{
    return STATE_EXEC(
        txn,
        "INSERT INTO dropped (uuid, location, space_key, table_key, space, name, metadata_location,"
        " registered, rebase, created_us, dropped_us, purge_us, principal)"
        " SELECT uuid, location, space_key, table_key, space, name, metadata_location, registered,"
        " rebase, created_us, ?2, ?3, ?4 FROM tables WHERE uuid = ?1",
        NULL, err, SV_TEXT(row->uuid), SV_INT(how->dropped_us), SV_INT(purge_time(c, how)),
        SV_TEXT(principal_of(how)));
}

status catalog__delete_table(catalog *c, state_txn *txn, table_name name, str uuid,
                             const catalog__drop *how, bool *ret_dropped, error *err)
{
    arena *a = state_txn_arena(txn);
    str space_key = catalog__fold(a, name.space);
    str table_key = catalog__fold(a, name.table);
    live_row row = {0};
    bool found = false;

    *ret_dropped = false;
    TRY(catalog__refuse_protected(txn, name, err));
    TRY(read_live(txn, space_key, table_key, uuid, &found, &row, err));
    if (!found) {
        return STATUS_OK;
    }
    catalog__document_changes(c, txn, space_key, table_key, NULL);
    TRY(how->purge ? to_purges(c, txn, &row, how->caller, err)
                   : to_dropped(c, txn, &row, how, err));
    TRY(STATE_EXEC(txn, "DELETE FROM tables WHERE uuid = ?1", NULL, err, SV_TEXT(row.uuid)));
    TRY(catalog__release_places(txn, row.uuid, err));
    TRY(catalog__end_sessions(c, txn, row.uuid, err));
    *ret_dropped = true;
    char kept_until[40];
    clock_format_utc(purge_time(c, how), 6, kept_until);
    const catalog_event event = {
        .kind = EVENT_TABLE_DROPPED,
        .name = {.space = row.shown_space, .table = row.shown_name},
        .uuid = row.uuid,
        .metadata_location = row.metadata_location,
        .snapshot_id = ICE_NO_SNAPSHOT,
        .detail = how->purge ? STR("{\"purge\":true}")
                             : str_printf(a, "{\"purge\":false,\"kept-until\":\"%s\"}", kept_until),
    };
    return catalog__note(txn, how->caller, &event, err);
}

typedef struct table_drop {
    catalog *c;
    table_name name;
    arena *a;
    table_info info; /* of the table that is there */
    catalog__drop how;
    store_staged *record;
    bool found, dropped;
} table_drop;

static status read_table(void *context, state_txn *txn, error *err)
{
    table_drop *drop = context;
    state_rows *rows = NULL;

    TRY(catalog__refuse_protected(txn, drop->name, err));
    TRY(STATE_QUERY(txn,
                    "SELECT " CATALOG__TABLE_COLUMNS
                    " FROM tables WHERE space_key = ?1 AND table_key = ?2",
                    &rows, err, SV_TEXT(catalog__fold(drop->a, drop->name.space)),
                    SV_TEXT(catalog__fold(drop->a, drop->name.table))));
    TRY(state_next(rows, &drop->found, err));
    if (drop->found) {
        catalog__read_row(rows, drop->a, &drop->info);
    }
    state_finish(rows);
    return STATUS_OK;
}

static status apply_drop(void *context, state_txn *txn, error *err)
{
    table_drop *drop = context;

    TRY(catalog__delete_table(drop->c, txn, drop->name, drop->info.uuid, &drop->how, &drop->dropped,
                              err));
    if (!drop->dropped || drop->record == NULL) {
        return STATUS_OK;
    }
    store_staged *record = drop->record;
    drop->record = NULL;
    return store_publish(drop->c->storage, txn, &record, 1, err);
}

/* `dropped` stays false where there is no such table, or where another one came in its place. */
static status attempt_drop(table_drop *drop, error *err)
{
    TRY(state_read(drop->c->state, read_table, drop, err));
    if (!drop->found) {
        return STATUS_OK;
    }
    TRY(catalog__stage_dropped(drop->c, &drop->info, &drop->how, &drop->record, err));
    status result = state_submit(drop->c->state, apply_drop, drop, err);
    store_discard(drop->c->storage, drop->record);
    drop->record = NULL;
    return result;
}

static status drop_table(catalog *c, table_name name, bool purge, bool if_exists, bool *ret_dropped,
                         error *err)
{
    table_drop drop = {.c = c,
                       .name = name,
                       .a = arena_create(),
                       .how = catalog__drop_now(c, purge),
                       .found = true};
    status result = STATUS_OK;

    for (int i = 0; i < DROP_ATTEMPTS && result == STATUS_OK && drop.found && !drop.dropped; i++) {
        result = attempt_drop(&drop, err);
    }
    if (result == STATUS_OK && drop.dropped) {
        catalog__cache_drop(c, catalog__table_key(drop.a, name));
    }
    arena_free(drop.a);
    TRY(result);
    if (!drop.dropped && !if_exists) {
        return catalog__no_table(c, name, err);
    }
    if (drop.dropped && drop.how.purge) {
        catalog__purge_soon(c);
    } else if (drop.dropped) {
        catalog__keeper_wake(c);
    }
    *ret_dropped = drop.dropped;
    return STATUS_OK;
}

status catalog_drop_table(catalog *c, table_name name, bool if_exists, bool *ret_dropped,
                          error *err)
{
    return c->txn != NULL ? catalog__txn_drop(c, name, false, if_exists, ret_dropped, err)
                          : drop_table(c, name, false, if_exists, ret_dropped, err);
}

status catalog_purge_table(catalog *c, table_name name, bool if_exists, bool *ret_dropped,
                           error *err)
{
    return c->txn != NULL ? catalog__txn_drop(c, name, true, if_exists, ret_dropped, err)
                          : drop_table(c, name, true, if_exists, ret_dropped, err);
}

/* ---- those that can come back ---- */

#define DROPPED_COLUMNS                                                                            \
    "space, name, uuid, location, metadata_location, dropped_us, purge_us, registered, principal," \
    " rebase, created_us"

typedef struct dropped_row {
    dropped_table table;
    str rebase;
    int64_t created_us;
} dropped_row;

static void read_dropped(const state_rows *rows, arena *a, dropped_row *row)
{
    row->table =
        (dropped_table){.name = {.space = state_text(rows, 0, a), .table = state_text(rows, 1, a)},
                        .uuid = state_text(rows, 2, a),
                        .location = state_text(rows, 3, a),
                        .metadata_location = state_text(rows, 4, a),
                        .dropped_us = state_int(rows, 5),
                        .purge_us = state_int(rows, 6),
                        .registered = state_int(rows, 7) != 0,
                        .principal = state_text(rows, 8, a)};
    row->rebase = state_text(rows, 9, a);
    row->created_us = state_int(rows, 10);
}

typedef struct dropped_list {
    str space_key; /* STR_NULL: all */
    arena *a;
    VEC(dropped_table) found;
} dropped_list;

static status list_dropped(void *context, state_txn *txn, error *err)
{
    dropped_list *list = context;
    state_rows *rows = NULL;
    bool more = false;

    if (str_is_null(list->space_key)) {
        TRY(state_query(txn,
                        "SELECT " DROPPED_COLUMNS " FROM dropped ORDER BY dropped_us DESC, uuid",
                        NULL, 0, &rows, err));
    } else {
        TRY(STATE_QUERY(txn,
                        "SELECT " DROPPED_COLUMNS " FROM dropped WHERE space_key = ?1"
                        " ORDER BY dropped_us DESC, uuid",
                        &rows, err, SV_TEXT(list->space_key)));
    }
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        dropped_row row;
        read_dropped(rows, list->a, &row);
        vec_push(list->a, &list->found, row.table);
    }
    state_finish(rows);
    return STATUS_OK;
}

status catalog_list_dropped(catalog *c, str space, arena *a, dropped_table **ret_list,
                            size_t *ret_count, error *err)
{
    dropped_list list = {.space_key = str_is_null(space) ? STR_NULL : catalog__fold(a, space),
                         .a = a};

    TRY(state_read(c->state, list_dropped, &list, err));
    *ret_list = list.found.items;
    *ret_count = list.found.count;
    return STATUS_OK;
}

typedef struct dropped_query {
    table_name name;
    str uuid; /* STR_NULL: the last of that name */
    arena *a;
    bool found;
    dropped_row row;
} dropped_query;

static status find_dropped(void *context, state_txn *txn, error *err)
{
    dropped_query *q = context;
    state_rows *rows = NULL;

    if (str_is_null(q->uuid)) {
        TRY(STATE_QUERY(txn,
                        "SELECT " DROPPED_COLUMNS " FROM dropped"
                        " WHERE space_key = ?1 AND table_key = ?2"
                        " ORDER BY dropped_us DESC LIMIT 1",
                        &rows, err, SV_TEXT(catalog__fold(q->a, q->name.space)),
                        SV_TEXT(catalog__fold(q->a, q->name.table))));
    } else {
        TRY(STATE_QUERY(txn,
                        "SELECT " DROPPED_COLUMNS
                        " FROM dropped WHERE uuid = ?1 ORDER BY dropped_us DESC LIMIT 1",
                        &rows, err, SV_TEXT(q->uuid)));
    }
    TRY(state_next(rows, &q->found, err));
    if (q->found) {
        read_dropped(rows, q->a, &q->row);
    }
    state_finish(rows);
    return STATUS_OK;
}

typedef struct undrop {
    catalog *c;
    const dropped_row *row;
    table_name as;
    store_staged *record;
    const catalog_caller *caller;
} undrop;

static status apply_undrop(void *context, state_txn *txn, error *err)
{
    undrop *u = context;
    const dropped_table *t = &u->row->table;
    int64_t taken = 0;
    const catalog__row row = {.name = u->as,
                              .uuid = t->uuid,
                              .location = t->location,
                              .metadata_location = t->metadata_location,
                              .registered = t->registered,
                              .rebase = u->row->rebase,
                              .caller = u->caller};

    TRY(catalog__free_for_return(u->c, txn, t->uuid, t->location, err));
    TRY(STATE_EXEC(txn, "DELETE FROM dropped WHERE uuid = ?1 AND location = ?2", &taken, err,
                   SV_TEXT(t->uuid), SV_TEXT(t->location)));
    if (taken == 0) {
        return error_set(err, STATUS_NO_TABLE, "table \"%.*s.%.*s\" is not dropped any more",
                         STR_ARG(t->name.space), STR_ARG(t->name.table));
    }
    TRY(catalog__insert_table(u->c, txn, &row, err));
    catalog__renew_sessions(u->c, txn, t->uuid);
    TRY(STATE_EXEC(txn, "UPDATE tables SET created_us = ?1 WHERE uuid = ?2", NULL, err,
                   SV_INT(u->row->created_us), SV_TEXT(t->uuid)));
    const catalog_event event = {.kind = EVENT_TABLE_UNDROPPED,
                                 .name = t->name,
                                 .to = u->as,
                                 .uuid = t->uuid,
                                 .metadata_location = t->metadata_location,
                                 .snapshot_id = ICE_NO_SNAPSHOT};
    TRY(catalog__note(txn, u->caller, &event, err));
    store_staged *record = u->record;
    u->record = NULL;
    return store_publish(u->c->storage, txn, &record, 1, err);
}

static status undrop_row(catalog *c, const dropped_row *row, table_name as, error *err)
{
    undrop u = {.c = c, .row = row, .as = as, .caller = catalog_get_caller()};
    const catalog__row named = {.name = as,
                                .uuid = row->table.uuid,
                                .location = row->table.location,
                                .metadata_location = row->table.metadata_location,
                                .registered = row->table.registered,
                                .rebase = row->rebase};

    TRY(catalog__check_name("table", as.table, err));
    TRY(catalog__check_place(c, as.space, row->table.location, err));
    TRY(catalog__stage_name(c, &named, &u.record, err));
    status result = state_submit(c->state, apply_undrop, &u, err);
    store_discard(c->storage, u.record);
    return result;
}

status catalog_undrop_table(catalog *c, table_name name, str uuid, table_name as, error *err)
{
    TRY(catalog__refuse_in_txn(c, "UNDROP", err));
    arena *a = arena_create();
    dropped_query q = {.name = name, .uuid = uuid, .a = a};
    status result = state_read(c->state, find_dropped, &q, err);

    if (result == STATUS_OK && !q.found) {
        if (str_is_null(uuid)) {
            error_set(err, STATUS_NO_TABLE, "no dropped table \"%.*s.%.*s\" is kept",
                      STR_ARG(name.space), STR_ARG(name.table));
        } else {
            error_set(err, STATUS_NO_TABLE, "no dropped table with uuid \"%.*s\" is kept",
                      STR_ARG(uuid));
        }
        error_hint(err, "tarn table ls --dropped tells those that are.");
        result = STATUS_NO_TABLE;
    }
    if (result == STATUS_OK) {
        table_name to = as.table.size > 0 ? as : q.row.table.name;
        result = undrop_row(c, &q.row, to, err);
        if (result == STATUS_OK) {
            catalog__cache_drop(c, catalog__table_key(a, to));
        }
    }
    arena_free(a);
    return result;
}

/* ---- what others must know of them ---- */

status catalog__forget_dropped(state_txn *txn, str uuid, str location, error *err)
{
    state_rows *rows = NULL;
    bool begun = false;

    TRY(STATE_EXEC(txn, "DELETE FROM dropped WHERE uuid = ?1 AND location = ?2", NULL, err,
                   SV_TEXT(uuid), SV_TEXT(location)));
    TRY(STATE_EXEC(txn, "DELETE FROM purges WHERE uuid = ?1 AND location = ?2 AND begun = 0", NULL,
                   err, SV_TEXT(uuid), SV_TEXT(location)));
    TRY(STATE_QUERY(txn, "SELECT 1 FROM purges WHERE uuid = ?1 AND location = ?2", &rows, err,
                    SV_TEXT(uuid), SV_TEXT(location)));
    TRY(state_next(rows, &begun, err));
    state_finish(rows);
    return begun ? error_set(err, STATUS_CONFLICT,
                             "the table at \"%.*s\" was dropped, and its files are being removed",
                             STR_ARG(location))
                 : STATUS_OK;
}

static status refuse_rows(state_rows *rows, str location, error *err)
{
    bool found = false;

    TRY(state_next(rows, &found, err));
    if (found) {
        str space = state_text(rows, 0, NULL);
        str table = state_text(rows, 1, NULL);
        error_set(err, STATUS_INVALID,
                  "location \"%.*s\" overlaps that of dropped table \"%.*s.%.*s\"",
                  STR_ARG(location), STR_ARG(space), STR_ARG(table));
        error_hint(err, "It is kept for catalog.retention; UNDROP TABLE brings it back.");
    }
    state_finish(rows);
    return found ? STATUS_INVALID : STATUS_OK;
}

/* They are not what the caller asked for: its effect is not theirs. */
static status note_given_up(state_txn *txn, const catalog__row *by, error *err)
{
    static const catalog_caller nobody = {0};
    catalog_caller caller = by->caller != NULL ? *by->caller : nobody;
    arena *a = state_txn_arena(txn);
    VEC(catalog_event) found = {0};
    state_rows *rows = NULL;
    bool more = false;

    caller.effect = NULL;
    TRY(STATE_QUERY(txn,
                    "SELECT space, name, uuid, metadata_location FROM dropped"
                    " WHERE location = ?1 AND uuid <> ?2 AND purge_us > " GIVEN_UP,
                    &rows, err, SV_TEXT(by->location), SV_TEXT(by->uuid)));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        vec_push(a, &found,
                 ((catalog_event){.kind = EVENT_TABLE_GIVEN_UP,
                                  .name = {state_text(rows, 0, a), state_text(rows, 1, a)},
                                  .to = by->name,
                                  .uuid = state_text(rows, 2, a),
                                  .metadata_location = state_text(rows, 3, a),
                                  .snapshot_id = ICE_NO_SNAPSHOT}));
    }
    state_finish(rows);
    for (size_t i = 0; i < found.count; i++) {
        TRY(catalog__note(txn, &caller, &found.items[i], err));
    }
    return STATUS_OK;
}

/* Whoever makes a table at the very place of a dropped one wants it in its stead: that one does not come back, and
 * since the new one may use its files, they stay. Not so those in further places of its own. The keeper does the
 * rest. */
status catalog__forget_dropped_at(state_txn *txn, const catalog__row *by, error *err)
{
    TRY(note_given_up(txn, by, err));
    return STATE_EXEC(txn,
                      "UPDATE dropped SET purge_us = " GIVEN_UP ", registered = CASE"
                      " WHEN registered <> " CATALOG__OF_OTHERS " AND EXISTS"
                      " (SELECT 1 FROM places WHERE places.uuid = dropped.uuid)"
                      " THEN " CATALOG__GAVE_WAY " ELSE " CATALOG__OF_OTHERS " END"
                      " WHERE location = ?1 AND uuid <> ?2",
                      NULL, err, SV_TEXT(by->location), SV_TEXT(by->uuid));
}

/* The files of registered tables are others': the catalog holds no place for them. `uuid` STR_NULL: no table is to lie
 * there, but many. */
status catalog__refuse_dropped_place(state_txn *txn, str location, str uuid, error *err)
{
    arena *a = state_txn_arena(txn);
    str own = str_is_null(uuid) ? STR("") : uuid;
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn,
                    "SELECT space, name FROM dropped WHERE location > ?1 AND location < ?2"
                    " AND uuid <> ?3 AND registered = 0 LIMIT 1",
                    &rows, err, SV_TEXT(str_concat(a, location, STR("/"))),
                    SV_TEXT(str_concat(a, location, STR("0"))), SV_TEXT(own)));
    TRY(refuse_rows(rows, location, err));
    for (size_t end = location.size; end > 0; end--) {
        bool is_whole = end == location.size;
        if (is_whole ? !str_is_null(uuid) : location.data[end] != '/') {
            continue;
        }
        TRY(STATE_QUERY(
            txn,
            "SELECT space, name FROM dropped WHERE location = ?1 AND uuid <> ?2 AND registered = 0",
            &rows, err, SV_TEXT(str_slice(location, 0, end)), SV_TEXT(own)));
        TRY(refuse_rows(rows, location, err));
    }
    return STATUS_OK;
}

status catalog__insert_dropped(state_txn *txn, const catalog__row *row, const dropped_table *how,
                               int64_t created_us, error *err)
{
    arena *a = state_txn_arena(txn);

    return STATE_EXEC(
        txn,
        "INSERT INTO dropped (uuid, location, space_key, table_key, space, name, metadata_location,"
        " registered, rebase, created_us, dropped_us, purge_us, principal)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        NULL, err, SV_TEXT(row->uuid), SV_TEXT(row->location),
        SV_TEXT(catalog__fold(a, row->name.space)), SV_TEXT(catalog__fold(a, row->name.table)),
        SV_TEXT(row->name.space), SV_TEXT(row->name.table), SV_TEXT(row->metadata_location),
        SV_INT(row->registered ? 1 : 0), str_is_null(row->rebase) ? SV_NULL : SV_TEXT(row->rebase),
        SV_INT(created_us), SV_INT(how->dropped_us), SV_INT(how->purge_us),
        SV_TEXT(how->principal));
}

typedef struct reacher_list {
    arena *a;
    VEC(catalog__reacher) found;
} reacher_list;

static status list_reachers(void *context, state_txn *txn, error *err)
{
    reacher_list *list = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(state_query(txn,
                    "SELECT space, name, uuid, location, metadata_location, rebase FROM tables"
                    " UNION ALL"
                    " SELECT space, name, uuid, location, metadata_location, rebase FROM dropped",
                    NULL, 0, &rows, err));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        const catalog__reacher one = {
            .name = {.space = state_text(rows, 0, list->a), .table = state_text(rows, 1, list->a)},
            .uuid = state_text(rows, 2, list->a),
            .location = state_text(rows, 3, list->a),
            .metadata_location = state_text(rows, 4, list->a),
            .rebase = state_text(rows, 5, list->a)};
        vec_push(list->a, &list->found, one);
    }
    state_finish(rows);
    return STATUS_OK;
}

status catalog__list_reachers(catalog *c, arena *a, catalog__reacher **ret_list, size_t *ret_count,
                              error *err)
{
    reacher_list list = {.a = a};

    TRY(state_read(c->state, list_reachers, &list, err));
    *ret_list = list.found.items;
    *ret_count = list.found.count;
    return STATUS_OK;
}

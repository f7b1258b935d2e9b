/* Tables that REST clients register by their metadata file, and tables that are let go of. Nothing is written but rows
 * and the record of the name: the metadata file is the client's, and data files are not looked at. */
#include "places/place.h"

#include "tarn/base/clock.h"
#include "tarn/base/rng.h"

typedef struct registration {
    catalog *c;
    catalog__row row;
    const ice_metadata *metadata; /* that was read */
    table_name name;
    bool overwrite;
    bool found; /* a table has the name: `old` */
    table_info old;
    catalog__drop how; /* of an old table that is another one */
    store_staged
        *staged[2]; /* the record of the name, and that of a table that is dropped; or NULL */
    size_t staged_count;
    int64_t now_us, created_us;
    const catalog_caller *caller;
    arena *a;
} registration;

static bool is_other_table(const registration *r)
{
    return r->found && !str_equal(r->old.uuid, r->row.uuid);
}

/* ---- what the file says ---- */

static status read_file(catalog *c, str location, ice_metadata **ret_metadata, error *err)
{
    status result = catalog__read_metadata(c, location, STR_NULL, ret_metadata, err);

    if (result == STATUS_SYNTAX || result == STATUS_CORRUPT) {
        if (err != NULL) {
            err->kind = STATUS_INVALID;
        }
        return STATUS_INVALID;
    }
    return result;
}

/* Everything that the metadata itself names lies where it may. */
static status check_places(const registration *r, const ice_metadata *m, error *err)
{
    const table_info info = {.uuid = r->row.uuid, .location = r->row.location};

    TRY(catalog__check_place(r->c, r->name.space, r->row.location, err));
    TRY(catalog__refuse_filled(r->c, r->row.location, r->a, err));
    TRY(catalog_check_file(r->c, &info, r->row.metadata_location, err));
    TRY(catalog__check_paths(r->c, r->name.space, m->properties, m->property_count, r->row.location,
                             r->row.uuid, err));
    for (size_t i = 0; i < m->snapshot_count; i++) {
        if (!str_is_null(m->snapshots[i].manifest_list)) {
            TRY(catalog_check_file(r->c, &info, m->snapshots[i].manifest_list, err));
        }
    }
    return STATUS_OK;
}

static status describe(registration *r, str file, ice_metadata **ret_metadata, error *err)
{
    const catalog__place place = {.kind = ICE_AT_TABLE, .location = STR_NULL, .uuid = STR_NULL};
    catalog__place own = place;
    char uuid[37];

    TRY(catalog__settle_location(r->c, file, r->a, &r->row.metadata_location, err));
    TRY(read_file(r->c, r->row.metadata_location, ret_metadata, err));
    const ice_metadata *m = *ret_metadata;
    random_uuid(uuid); /* for tables of version 1 that have none */
    r->row.uuid = m->uuid.size > 0 ? m->uuid : str_copy(r->a, str_c(uuid));
    r->row.registered = true;
    r->row.rebase = STR_NULL;
    own.location = m->location;
    own.uuid = r->row.uuid;
    TRY(catalog__check_owner(r->c, &own, STR(""), r->a, &r->row.location, err));
    return check_places(r, m, err);
}

/* ---- rows ---- */

typedef struct row_query {
    table_name name;
    arena *a;
    bool found;
    table_info info;
} row_query;

static status read_row(state_txn *txn, table_name name, arena *a, bool *ret_found,
                       table_info *ret_info, error *err)
{
    state_rows *rows = NULL;

    TRY(STATE_QUERY(
        txn,
        "SELECT " CATALOG__TABLE_COLUMNS " FROM tables WHERE space_key = ?1 AND table_key = ?2",
        &rows, err, SV_TEXT(catalog__fold(a, name.space)), SV_TEXT(catalog__fold(a, name.table))));
    TRY(state_next(rows, ret_found, err));
    if (*ret_found) {
        catalog__read_row(rows, a, ret_info);
    }
    state_finish(rows);
    return STATUS_OK;
}

static status query_row(void *context, state_txn *txn, error *err)
{
    row_query *q = context;

    return read_row(txn, q->name, q->a, &q->found, &q->info, err);
}

static status find_old(registration *r, error *err)
{
    catalog_kind kind = CATALOG_NOTHING;
    row_query q = {.name = r->name, .a = r->a};

    TRY(catalog_kind_of(r->c, r->name, &kind, err));
    if (kind == CATALOG_VIEW || (kind == CATALOG_TABLE && !r->overwrite)) {
        return catalog__refuse_name(r->c, r->name, err);
    }
    TRY(state_read(r->c->state, query_row, &q, err));
    r->found = q.found;
    r->old = q.info;
    return STATUS_OK;
}

/* It was dropped here, and is the catalog's own again. */
static status take_over(registration *r, state_txn *txn, error *err)
{
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn,
                    "SELECT registered, created_us FROM dropped WHERE uuid = ?1 AND location = ?2",
                    &rows, err, SV_TEXT(r->row.uuid), SV_TEXT(r->row.location)));
    TRY(state_next(rows, &found, err));
    if (found) {
        r->row.registered = state_int(rows, 0) != 0;
        r->created_us = state_int(rows, 1);
    }
    state_finish(rows);
    TRY(catalog__free_for_return(r->c, txn, r->row.uuid, r->row.location, err));
    return catalog__forget_dropped(txn, r->row.uuid, r->row.location, err);
}

static status repoint(registration *r, state_txn *txn, error *err)
{
    const catalog__place place = {.kind = ICE_AT_TABLE,
                                  .location = r->row.location,
                                  .uuid = r->row.uuid,
                                  .principal = catalog__principal(r->caller)};

    r->row.registered = r->old.registered;
    r->created_us = r->old.created_us;
    TRY(catalog__refuse_place(txn, &place, err));
    TRY(catalog__forget_dropped_at(txn, &r->row, err));
    if (!str_equal(r->row.location, r->old.location)) {
        TRY(catalog__hold_former(txn, r->old.location, r->row.uuid, err));
    }
    return STATE_EXEC(txn,
                      "UPDATE tables SET metadata_location = ?1, location = ?2, rebase = NULL,"
                      " updated_us = ?3 WHERE uuid = ?4",
                      NULL, err, SV_TEXT(r->row.metadata_location), SV_TEXT(r->row.location),
                      SV_INT(r->now_us), SV_TEXT(r->row.uuid));
}

static status check_old(const registration *r, state_txn *txn, error *err)
{
    bool found = false;
    table_info now;

    TRY(read_row(txn, r->name, state_txn_arena(txn), &found, &now, err));
    if (r->found && (!found || !str_equal(now.metadata_location, r->old.metadata_location))) {
        return error_set(err, STATUS_CONFLICT, "table \"%.*s.%.*s\" was changed by another commit",
                         STR_ARG(r->name.space), STR_ARG(r->name.table));
    }
    return STATUS_OK;
}

static status apply(void *context, state_txn *txn, error *err)
{
    registration *r = context;
    arena *a = state_txn_arena(txn);
    bool dropped = false;

    r->row.caller = r->caller;
    TRY(check_old(r, txn, err));
    catalog__document_changes(r->c, txn, catalog__fold(a, r->name.space),
                              catalog__fold(a, r->name.table), NULL);
    if (is_other_table(r)) {
        TRY(catalog__delete_table(r->c, txn, r->old.name, r->old.uuid, &r->how, &dropped, err));
    }
    if (r->found && !is_other_table(r)) {
        TRY(repoint(r, txn, err));
    } else {
        TRY(take_over(r, txn, err));
        TRY(catalog__insert_table(r->c, txn, &r->row, err));
        catalog__renew_sessions(r->c, txn, r->row.uuid);
    }
    const catalog__paths paths = {.space = r->name.space,
                                  .properties = r->metadata->properties,
                                  .count = r->metadata->property_count,
                                  .own = r->row.location,
                                  .uuid = r->row.uuid,
                                  .principal = catalog__principal(r->caller)};
    TRY(catalog__hold_paths(r->c, txn, &paths, err));
    const catalog_event event = {.kind = EVENT_TABLE_REGISTERED,
                                 .name = r->name,
                                 .uuid = r->row.uuid,
                                 .metadata_location = r->row.metadata_location,
                                 .snapshot_id = ICE_NO_SNAPSHOT};
    TRY(catalog__note(txn, r->caller, &event, err));
    size_t count = r->staged_count;
    r->staged_count = 0;
    return store_publish(r->c->storage, txn, r->staged, count, err);
}

static status stage_records(registration *r, error *err)
{
    TRY(catalog__stage_name(r->c, &r->row, &r->staged[r->staged_count++], err));
    if (is_other_table(r)) {
        store_staged *dropped = NULL;
        TRY(catalog__stage_dropped(r->c, &r->old, &r->how, &dropped, err));
        if (dropped != NULL) {
            r->staged[r->staged_count++] = dropped;
        }
    }
    return STATUS_OK;
}

static status submit(registration *r, error *err)
{
    status result = stage_records(r, err);

    if (result == STATUS_OK) {
        result = state_submit(r->c->state, apply, r, err);
    }
    for (size_t i = 0; i < r->staged_count; i++) {
        store_discard(r->c->storage, r->staged[i]);
    }
    return result;
}

static status register_file(registration *r, str file, ice_metadata **ret_metadata, error *err)
{
    bool exists = false;

    TRY(catalog__check_name("table", r->name.table, err));
    TRY(catalog__namespace_exists(r->c, r->name.space, &exists, err));
    if (!exists) {
        return catalog__no_namespace(r->c, r->name.space, err);
    }
    TRY(find_old(r, err));
    TRY(describe(r, file, ret_metadata, err));
    r->metadata = *ret_metadata;
    r->row.properties = r->metadata->properties;
    r->row.property_count = r->metadata->property_count;
    r->name = r->found ? r->old.name : r->name;
    r->row.name = r->name;
    return submit(r, err);
}

status catalog_register_file(catalog *c, table_name name, str metadata_location, bool overwrite,
                             arena *a, catalog_loaded *ret_loaded, error *err)
{
    ice_metadata *metadata = NULL;
    registration r = {.c = c,
                      .name = name,
                      .overwrite = overwrite,
                      .how = catalog__drop_now(c, false),
                      .now_us = clock_now_us(),
                      .caller = catalog_get_caller(),
                      .a = a};

    r.created_us = r.now_us;
    TRY(catalog__refuse_in_txn(c, "registering", err));
    status result = register_file(&r, metadata_location, &metadata, err);
    if (result != STATUS_OK) {
        ice_metadata_unref(metadata);
        return result;
    }
    catalog__cache_put(c, catalog__table_key(a, r.name), r.row.metadata_location, metadata);
    *ret_loaded = (catalog_loaded){
        .metadata = metadata,
        .info = {.name = r.name,
                 .uuid = str_copy(a, r.row.uuid),
                 .metadata_location = r.row.metadata_location,
                 .location = r.row.location,
                 .created_us = r.created_us,
                 .updated_us = r.now_us,
                 .registered = r.row.registered,
                 .rebase = STR_NULL},
    };
    return STATUS_OK;
}

/* ---- letting go ---- */

typedef struct release {
    catalog *c;
    table_info info;
    const catalog_caller *caller;
    bool stale;
} release;

static status refuse_protected(state_txn *txn, table_name name, error *err)
{
    status result = catalog__refuse_protected(txn, name, err);

    if (result == STATUS_DENIED) {
        error_clear(err);
        error_set(err, result, "table \"%.*s.%.*s\" is protected: it is not unregistered",
                  STR_ARG(name.space), STR_ARG(name.table));
        error_hint(err, "Take the flag away first: tarn table unprotect.");
    }
    return result;
}

static status apply_release(void *context, state_txn *txn, error *err)
{
    release *r = context;
    arena *a = state_txn_arena(txn);
    str space_key = catalog__fold(a, r->info.name.space);
    str table_key = catalog__fold(a, r->info.name.table);
    str record = catalog__name_location(r->c, r->info.uuid, a);
    int64_t deleted = 0;

    TRY(refuse_protected(txn, r->info.name, err));
    catalog__document_changes(r->c, txn, space_key, table_key, NULL);
    TRY(STATE_EXEC(txn, "DELETE FROM tables WHERE uuid = ?1 AND metadata_location = ?2", &deleted,
                   err, SV_TEXT(r->info.uuid), SV_TEXT(r->info.metadata_location)));
    r->stale = deleted == 0;
    if (r->stale) {
        return error_set(err, STATUS_CONFLICT, "table \"%.*s.%.*s\" was changed by another commit",
                         STR_ARG(r->info.name.space), STR_ARG(r->info.name.table));
    }
    TRY(catalog__release_places(txn, r->info.uuid, err));
    TRY(catalog__end_sessions(r->c, txn, r->info.uuid, err));
    const catalog_event event = {.kind = EVENT_TABLE_UNREGISTERED,
                                 .name = r->info.name,
                                 .uuid = r->info.uuid,
                                 .metadata_location = r->info.metadata_location,
                                 .snapshot_id = ICE_NO_SNAPSHOT};
    TRY(catalog__note(txn, r->caller, &event, err));
    return store_delete(r->c->storage, txn, &record, 1, err);
}

status catalog_unregister_table(catalog *c, table_name name, arena *a, catalog_loaded *ret_loaded,
                                error *err)
{
    catalog__patience patience = {0};

    TRY(catalog__refuse_in_txn(c, "unregistering", err));
    for (;;) {
        ice_metadata *metadata = NULL;
        release r = {.c = c, .caller = catalog_get_caller()};

        TRY(catalog_load_table(c, name, a, &metadata, &r.info, err));
        status result = state_submit(c->state, apply_release, &r, err);
        if (result == STATUS_OK) {
            catalog__cache_drop(c, catalog__table_key(a, name));
            *ret_loaded = (catalog_loaded){.metadata = metadata, .info = r.info};
            return STATUS_OK;
        }
        ice_metadata_unref(metadata);
        if (!r.stale || !catalog__try_again(&patience)) {
            return result;
        }
        if (err != NULL) {
            error_clear(err);
        }
    }
}

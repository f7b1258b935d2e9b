/* Dropping tables: the row goes at once and leaves a note; files go in the background by reachability, in chunks, and
 * the note goes last, so that a stop in between loses nothing and repeats nothing harmful. */
#include "internal.h"

#include "tarn/base/log.h"
#include "tarn/base/vec.h"

#define PURGE_CHUNK 500

/* The record of its name goes with the row: a copy of the table has the same uuid, and when it is registered the next
 * moment, its record is not to be taken for this one. */
static status forget_name(catalog *c, state_txn *txn, str space_key, str name_key, error *err)
{
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn, "SELECT uuid FROM tables WHERE space_key = ?1 AND table_key = ?2", &rows,
                    err, SV_TEXT(space_key), SV_TEXT(name_key)));
    TRY(state_next(rows, &found, err));
    str record = found ? catalog__name_location(c, state_text(rows, 0, NULL), state_txn_arena(txn))
                       : STR_NULL;
    state_finish(rows);
    return found ? store_delete(c->storage, txn, &record, 1, err) : STATUS_OK;
}

/* Nothing more is left of a registered table: others made its files, and keep them. */
status catalog__delete_table(catalog *c, state_txn *txn, str space_key, str name_key,
                             bool *ret_dropped, error *err)
{
    int64_t deleted = 0;

    catalog__document_changes(c, txn, space_key, name_key, NULL);
    TRY(forget_name(c, txn, space_key, name_key, err));
    TRY(STATE_EXEC(
        txn,
        "INSERT INTO purges (uuid, location, metadata_location)"
        " SELECT uuid, location, metadata_location FROM tables WHERE space_key = ?1 AND table_key = ?2"
        " AND registered = 0",
        NULL, err, SV_TEXT(space_key), SV_TEXT(name_key)));
    TRY(STATE_EXEC(txn, "DELETE FROM tables WHERE space_key = ?1 AND table_key = ?2", &deleted, err,
                   SV_TEXT(space_key), SV_TEXT(name_key)));
    *ret_dropped = deleted > 0;
    return STATUS_OK;
}

typedef struct table_drop {
    catalog *c;
    str space_key, table_key;
    bool dropped;
} table_drop;

static status apply_drop(void *context, state_txn *txn, error *err)
{
    table_drop *drop = context;
    return catalog__delete_table(drop->c, txn, drop->space_key, drop->table_key, &drop->dropped,
                                 err);
}

status catalog_drop_table(catalog *c, table_name name, bool if_exists, bool *ret_dropped,
                          error *err)
{
    if (c->txn != NULL) {
        return catalog__txn_drop(c, name, if_exists, ret_dropped, err);
    }
    arena *a = arena_create();
    table_drop drop = {.c = c,
                       .space_key = catalog__fold(a, name.space),
                       .table_key = catalog__fold(a, name.table)};
    status result = state_submit(c->state, apply_drop, &drop, err);

    if (result == STATUS_OK) {
        catalog__cache_drop(c, catalog__table_key(a, name));
    }
    arena_free(a);
    TRY(result);
    if (!drop.dropped && !if_exists) {
        return catalog__no_table(c, name, err);
    }
    if (drop.dropped) {
        catalog__purge_soon(c);
    }
    *ret_dropped = drop.dropped;
    return STATUS_OK;
}

/* ---- what there is to remove ---- */

typedef VEC(str) location_list;

typedef struct removal_list {
    str inside; /* "<location>/": nothing outside is ever deleted */
    arena *a;
    map *seen;
    location_list found;
} removal_list;

static status note_removal(void *context, str location, bool live, error *err)
{
    removal_list *list = context;

    (void)live;
    (void)err;
    if (str_starts_with(location, list->inside) && !map_has(list->seen, location)) {
        map_set(list->seen, location, list);
        vec_push(list->a, &list->found, str_copy(list->a, location));
    }
    return STATUS_OK;
}

/* The metadata file last: what is found by reading a file is deleted before the file. */
static status list_removals(catalog *c, removal_list *list, str metadata_location, error *err)
{
    const catalog__reach all = {.c = c,
                                .metadata_location = metadata_location,
                                .missing_is_fine = true, /* an earlier purge was interrupted */
                                .visit = note_removal,
                                .context = list};

    TRY(catalog__reach_all(&all, err));
    TRY(note_removal(list,
                     str_printf(list->a, "%.*smetadata/" CATALOG__HINT_NAME, STR_ARG(list->inside)),
                     false, err));
    return note_removal(list, metadata_location, false, err);
}

/* ---- the work in the background ---- */

typedef struct purge {
    catalog *c;
    arena *a;
    bool found;
    str uuid, location, metadata_location;
    const str *chunk;
    size_t chunk_count;
} purge;

static status next_purge(void *context, state_txn *txn, error *err)
{
    purge *p = context;
    state_rows *rows = NULL;

    TRY(STATE_QUERY(
        txn,
        "SELECT uuid, location, metadata_location FROM purges WHERE uuid > ?1 ORDER BY uuid LIMIT 1",
        &rows, err, SV_TEXT(p->uuid)));
    TRY(state_next(rows, &p->found, err));
    if (p->found) {
        p->uuid = state_text(rows, 0, p->a);
        p->location = state_text(rows, 1, p->a);
        p->metadata_location = state_text(rows, 2, p->a);
    }
    state_finish(rows);
    return STATUS_OK;
}

static status delete_chunk(void *context, state_txn *txn, error *err)
{
    purge *p = context;
    return store_delete(p->c->storage, txn, p->chunk, p->chunk_count, err);
}

static status forget_purge(void *context, state_txn *txn, error *err)
{
    purge *p = context;
    return STATE_EXEC(txn, "DELETE FROM purges WHERE uuid = ?1", NULL, err, SV_TEXT(p->uuid));
}

static status purge_table(purge *p, error *err)
{
    arena *a = arena_create();
    removal_list r = {
        .a = a, .seen = map_create(a), .inside = str_printf(a, "%.*s/", STR_ARG(p->location))};
    status result = list_removals(p->c, &r, p->metadata_location, err);

    for (size_t at = 0; result == STATUS_OK && at < r.found.count; at += PURGE_CHUNK) {
        p->chunk = r.found.items + at;
        p->chunk_count = r.found.count - at < PURGE_CHUNK ? r.found.count - at : PURGE_CHUNK;
        result = state_submit(p->c->state, delete_chunk, p, err);
    }
    if (result == STATUS_OK) {
        result = state_submit(p->c->state, forget_purge, p, err);
    }
    arena_free(a);
    return result;
}

/* A table that cannot be purged (a corrupt file, say) keeps its note and its files, is logged, and does not hold up
 * the others. */
void catalog__purge_pending(catalog *c)
{
    purge p = {.c = c, .a = arena_create(), .uuid = STR("")};

    for (;;) {
        error err = ERROR_INIT;
        if (state_read(c->state, next_purge, &p, &err) != STATUS_OK || !p.found) {
            break;
        }
        if (purge_table(&p, &err) != STATUS_OK) {
            log_failure("dropped table not purged", &err);
        }
    }
    arena_free(p.a);
}

static void run_purges(void *context)
{
    catalog__purge_pending(context);
}

void catalog__purge_soon(catalog *c)
{
    error ignored = ERROR_INIT; /* a full queue means that a purge is on its way anyhow */
    (void)pool_run(c->background, run_purges, c, &ignored);
}

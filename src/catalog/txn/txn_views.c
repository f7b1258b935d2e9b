/* Views inside of a transaction: as they were when it began, with its own changes on top, in memory; and what COMMIT
 * writes of them. A view that somebody else has changed since is a conflict: what one definition did is not made again
 * on another. */
#include "txn_view.h"

#include <stdlib.h>

#include "tarn/base/clock.h"

/* ---- begin, end ---- */

static void add_view(catalog_txn *txn, txn_sql_view *v)
{
    vec_push(txn->memory, &txn->views, v);
    (void)map_set(txn->view_names, catalog__table_key(txn->memory, v->info.name), v);
}

status txn__read_views(catalog_txn *txn, state_txn *st, error *err)
{
    state_rows *rows = NULL;
    bool more = false;

    TRY(state_query(st, "SELECT " CATALOG__VIEW_COLUMNS " FROM views ORDER BY space_key, view_key",
                    NULL, 0, &rows, err));
    for (;;) {
        txn_sql_view *v;

        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        v = ARENA_NEW(txn->memory, txn_sql_view);
        catalog__read_view_row(rows, txn->memory, &v->origin);
        v->info = v->origin;
        v->existed = v->exists = true;
        add_view(txn, v);
    }
    state_finish(rows);
    return STATUS_OK;
}

void txn__hold_views(catalog_txn *txn)
{
    for (size_t i = 0; i < txn->views.count; i++) {
        txn_sql_view *v = txn->views.items[i];

        v->begun = catalog__view_cache_peek(txn->root, v->origin.metadata_location);
    }
}

static void discard(catalog_txn *txn, txn_sql_view *v)
{
    store_discard(txn->root->storage, v->file);
    store_discard(txn->root->storage, v->name_record);
    v->file = v->name_record = NULL;
    ice_view_unref(v->working);
    v->working = NULL;
}

void txn__free_views(catalog_txn *txn)
{
    for (size_t i = 0; i < txn->views.count; i++) {
        discard(txn, txn->views.items[i]);
        ice_view_unref(txn->views.items[i]->begun);
    }
}

bool txn__views_changed(const catalog_txn *txn)
{
    for (size_t i = 0; i < txn->views.count; i++) {
        const txn_sql_view *v = txn->views.items[i];

        if (v->existed != v->exists || (v->exists && (v->working != NULL || v->renamed))) {
            return true;
        }
    }
    return false;
}

/* ---- reading ---- */

static txn_sql_view *find(const catalog_txn *txn, table_name name)
{
    arena *a = arena_create();
    txn_sql_view *v = map_get(txn->view_names, catalog__table_key(a, name));

    arena_free(a);
    return v;
}

static view_info copy_info(const view_info *info, arena *a)
{
    view_info made = *info;

    made.name = (table_name){str_copy(a, info->name.space), str_copy(a, info->name.table)};
    made.uuid = str_copy(a, info->uuid);
    made.metadata_location = str_copy(a, info->metadata_location);
    made.location = str_copy(a, info->location);
    return made;
}

bool catalog__txn_find_view(catalog *c, table_name name, arena *a, table_name *ret_name)
{
    const txn_sql_view *v = find(c->txn, name);

    if (v != NULL) {
        *ret_name = (table_name){str_copy(a, v->info.name.space), str_copy(a, v->info.name.table)};
    }
    return v != NULL;
}

static status read_begun(catalog_txn *txn, txn_sql_view *v, error *err)
{
    status result = catalog__read_view_file(txn->root, v->origin.metadata_location, &v->begun, err);

    if (result == STATUS_NOT_FOUND) {
        error_set(err, STATUS_CONFLICT,
                  "view \"%.*s.%.*s\" was changed or dropped by others since the transaction began",
                  STR_ARG(v->origin.name.space), STR_ARG(v->origin.name.table));
        error_hint(err, "Run the transaction again.");
        return STATUS_CONFLICT;
    }
    return result;
}

status catalog__txn_load_view(catalog *c, table_name name, arena *a, ice_view **ret_view,
                              view_info *ret_info, error *err)
{
    txn_sql_view *v = find(c->txn, name);

    if (v == NULL) {
        return catalog__no_view(c, name, err);
    }
    if (v->working == NULL && v->begun == NULL) {
        TRY(read_begun(c->txn, v, err));
    }
    v->read = true;
    *ret_view = ice_view_ref(v->working != NULL ? v->working : v->begun);
    *ret_info = copy_info(&v->info, a);
    return STATUS_OK;
}

static int compare_names(const void *x, const void *y)
{
    const view_info *a = x, *b = y;
    arena *scratch = arena_create();
    int order =
        str_compare(catalog__fold(scratch, a->name.table), catalog__fold(scratch, b->name.table));

    arena_free(scratch);
    return order;
}

void catalog__txn_list_views(catalog *c, str space, arena *a, view_info **ret_list,
                             size_t *ret_count)
{
    str key = catalog__fold(a, space);
    VEC(view_info) found = {0};
    map_entry entry;

    for (size_t at = 0; map_next(c->txn->view_names, &at, &entry);) {
        const txn_sql_view *v = entry.value;

        if (str_equal(catalog__fold(a, v->info.name.space), key)) {
            vec_push(a, &found, copy_info(&v->info, a));
        }
    }
    if (found.count > 1) {
        qsort(found.items, found.count, sizeof(*found.items), compare_names);
    }
    *ret_list = found.items;
    *ret_count = found.count;
}

/* ---- changing ---- */

/* The next metadata file goes behind the one that was there at the beginning: only the last one is published. */
static status stage(catalog_txn *txn, txn_sql_view *v, const ice_view *next, error *err)
{
    arena *a = arena_create();
    store_staged *file = NULL;
    str location;
    int version = v->existed ? ice_metadata_location_version(v->origin.metadata_location) + 1 : 1;
    status result = ice_view_stage(txn->root->storage, next, version, &file, a, &location, err);

    if (result == STATUS_OK) {
        store_expose(txn->root->storage, file);
        store_discard(txn->root->storage, v->file);
        ice_view_unref(v->working);
        v->file = file;
        v->working = ice_view_ref(next);
        v->info.metadata_location = str_copy(txn->memory, location);
        v->info.updated_us = clock_now_us();
        v->operation = txn->operation;
    }
    arena_free(a);
    return result;
}

static status create(catalog *c, const catalog_view_create *options, arena *a, error *err)
{
    catalog_txn *txn = c->txn;
    txn_sql_view *v = ARENA_NEW(txn->memory, txn_sql_view);
    ice_view *view = NULL;
    str location;

    TRY(catalog__refuse_taken(c, options->name, err));
    TRY(catalog_plan_location(c, options->name, options->location, a, &location, err));
    TRY(ice_view_create(location, &options->definition, &view, err));
    v->info = copy_info(&(view_info){.name = options->name,
                                     .uuid = view->uuid,
                                     .metadata_location = STR(""),
                                     .location = location,
                                     .created_us = clock_now_us()},
                        txn->memory);
    status result = stage(txn, v, view, err);
    if (result == STATUS_OK) {
        v->exists = true;
        add_view(txn, v);
    }
    ice_view_unref(view);
    return result;
}

static status replace(catalog *c, txn_sql_view *v, const ice_view_definition *definition, arena *a,
                      error *err)
{
    ice_view *base = NULL;
    ice_view *next = NULL;
    view_info info;

    TRY(catalog__txn_load_view(c, v->info.name, a, &base, &info, err));
    status result = ice_view_replace(base, definition, &next, err);
    if (result == STATUS_OK) {
        result = stage(c->txn, v, next, err);
    }
    ice_view_unref(next);
    ice_view_unref(base);
    return result;
}

status catalog__txn_create_view(catalog *c, const catalog_view_create *options, arena *a,
                                bool *ret_changed, error *err)
{
    txn_sql_view *v = find(c->txn, options->name);

    TRY(catalog__check_name("view", options->name.table, err));
    if (v != NULL && options->if_not_exists) {
        *ret_changed = false;
        return STATUS_OK;
    }
    TRY(v != NULL && options->replace ? replace(c, v, &options->definition, a, err)
                                      : create(c, options, a, err));
    *ret_changed = true;
    return STATUS_OK;
}

status catalog__txn_commit_view(catalog *c, table_name name, const ice_view *next, error *err)
{
    txn_sql_view *v = find(c->txn, name);

    return v != NULL ? stage(c->txn, v, next, err) : catalog__no_view(c, name, err);
}

bool catalog__txn_drop_view(catalog *c, table_name name)
{
    txn_sql_view *v = find(c->txn, name);
    arena *a = arena_create();

    if (v != NULL) {
        (void)map_remove(c->txn->view_names, catalog__table_key(a, v->info.name));
        v->exists = false;
        v->operation = c->txn->operation;
        discard(c->txn, v);
    }
    arena_free(a);
    return v != NULL;
}

status catalog__txn_rename_view(catalog *c, table_name from, table_name to, error *err)
{
    catalog_txn *txn = c->txn;
    txn_sql_view *v = find(txn, from);

    TRY(catalog__check_name("view", to.table, err));
    if (v == NULL) {
        return catalog__no_view(c, from, err);
    }
    if (v->info.location.size > 0) {
        TRY(catalog__check_place(c, to.space, v->info.location, err));
    }
    if (find(txn, to) != v) { /* else case alone changes */
        TRY(catalog__refuse_taken(c, to, err));
    }
    (void)map_remove(txn->view_names, catalog__table_key(txn->memory, v->info.name));
    v->info.name = (table_name){str_copy(txn->memory, to.space), str_copy(txn->memory, to.table)};
    v->renamed = true;
    v->operation = txn->operation;
    (void)map_set(txn->view_names, catalog__table_key(txn->memory, v->info.name), v);
    return STATUS_OK;
}

/* ---- COMMIT ---- */

static bool is_changed(const txn_sql_view *v)
{
    return v->exists && v->working != NULL;
}

static bool is_dropped(const txn_sql_view *v)
{
    return v->existed && !v->exists;
}

static bool is_made(const txn_sql_view *v)
{
    return !v->existed && v->exists;
}

static bool is_renamed(const txn_sql_view *v)
{
    return v->existed && v->exists && v->renamed;
}

static status conflict(const txn_sql_view *v, const char *what, error *err)
{
    error_set(err, STATUS_CONFLICT, "%s of view \"%.*s.%.*s\": it was %s",
              v->operation != NULL ? v->operation : "SELECT", STR_ARG(v->origin.name.space),
              STR_ARG(v->origin.name.table), what);
    error_hint(err, "Run the transaction again: it will read the view as it is now.");
    return STATUS_CONFLICT;
}

static status compare_view(const catalog_txn *txn, state_txn *st, const txn_sql_view *v, arena *a,
                           error *err)
{
    bool serializable = txn->serializable && v->read;
    state_rows *rows = NULL;
    bool found = false, same = false;

    if (!v->existed || !(is_changed(v) || is_dropped(v) || is_renamed(v) || serializable)) {
        return STATUS_OK;
    }
    TRY(STATE_QUERY(st,
                    "SELECT metadata_location FROM views"
                    " WHERE space_key = ?1 AND view_key = ?2 AND uuid = ?3",
                    &rows, err, SV_TEXT(catalog__fold(a, v->origin.name.space)),
                    SV_TEXT(catalog__fold(a, v->origin.name.table)), SV_TEXT(v->origin.uuid)));
    TRY(state_next(rows, &found, err));
    same = found && str_equal(state_text(rows, 0, a), v->origin.metadata_location);
    state_finish(rows);
    if (!found) {
        return conflict(v, "dropped or renamed by another commit since the transaction began", err);
    }
    return same || !(is_changed(v) || serializable)
               ? STATUS_OK
               : conflict(v, "changed by another commit since the transaction began", err);
}

status txn__compare_views(const catalog_txn *txn, state_txn *st, arena *a, error *err)
{
    for (size_t i = 0; i < txn->views.count; i++) {
        TRY(compare_view(txn, st, txn->views.items[i], a, err));
    }
    return STATUS_OK;
}

status txn__give_up_view_names(const catalog_txn *txn, state_txn *st, arena *a, error *err)
{
    for (size_t i = 0; i < txn->views.count; i++) {
        const txn_sql_view *v = txn->views.items[i];
        bool dropped = false;

        if (is_dropped(v)) {
            TRY(catalog__drop_view(txn->root, st, txn->caller,
                                   catalog__fold(a, v->origin.name.space),
                                   catalog__fold(a, v->origin.name.table), &dropped, err));
        } else if (is_renamed(v)) {
            TRY(STATE_EXEC(st, "UPDATE views SET space_key = '', view_key = uuid WHERE uuid = ?1",
                           NULL, err, SV_TEXT(v->origin.uuid)));
        }
    }
    return STATUS_OK;
}

static status taken(const txn_sql_view *v, status result, error *err)
{
    if (result == STATUS_EXISTS || result == STATUS_NO_NAMESPACE) {
        if (err != NULL) {
            err->kind = STATUS_CONFLICT;
        }
        error_context(err, "%s of view \"%.*s.%.*s\", since the transaction began", v->operation,
                      STR_ARG(v->info.name.space), STR_ARG(v->info.name.table));
        return STATUS_CONFLICT;
    }
    return result;
}

static status write_view(const catalog_txn *txn, state_txn *st, const txn_sql_view *v, arena *a,
                         error *err)
{
    int64_t moved = 0;

    if (is_made(v)) {
        const catalog__row row = {.name = v->info.name,
                                  .uuid = v->info.uuid,
                                  .location = v->info.location,
                                  .metadata_location = v->info.metadata_location};

        TRY(taken(v, catalog__insert_view(st, &row, err), err));
        return catalog__note_view(st, txn->caller, EVENT_VIEW_CREATED, v->info.name, v->info.uuid,
                                  v->info.metadata_location, err);
    }
    if (is_changed(v)) {
        TRY(STATE_EXEC(st,
                       "UPDATE views SET metadata_location = ?1, updated_us = ?2"
                       " WHERE uuid = ?3 AND metadata_location = ?4",
                       &moved, err, SV_TEXT(v->info.metadata_location), SV_INT(clock_now_us()),
                       SV_TEXT(v->origin.uuid), SV_TEXT(v->origin.metadata_location)));
        ASSERT(moved == 1);
        TRY(store_delete(txn->root->storage, st, &v->origin.metadata_location, 1, err));
        TRY(catalog__note_view(st, txn->caller, EVENT_VIEW_COMMITTED, v->info.name, v->info.uuid,
                               v->info.metadata_location, err));
    }
    if (is_renamed(v)) {
        str space_key = catalog__fold(a, v->info.name.space);
        str view_key = catalog__fold(a, v->info.name.table);

        TRY(taken(v, catalog__refuse_existing(st, v->info.name, space_key, view_key, err), err));
        TRY(STATE_EXEC(st,
                       "UPDATE views SET space_key = ?1, view_key = ?2, space = ?3, name = ?4,"
                       " updated_us = ?5 WHERE uuid = ?6",
                       NULL, err, SV_TEXT(space_key), SV_TEXT(view_key),
                       SV_TEXT(v->info.name.space), SV_TEXT(v->info.name.table),
                       SV_INT(clock_now_us()), SV_TEXT(v->origin.uuid)));
        const catalog_event event = {.kind = EVENT_VIEW_RENAMED,
                                     .name = v->origin.name,
                                     .to = v->info.name,
                                     .uuid = v->info.uuid,
                                     .metadata_location = v->info.metadata_location,
                                     .snapshot_id = ICE_NO_SNAPSHOT};
        TRY(catalog__note(st, txn->caller, &event, err));
    }
    return STATUS_OK;
}

status txn__write_views(const catalog_txn *txn, state_txn *st, arena *a, error *err)
{
    for (size_t i = 0; i < txn->views.count; i++) {
        if (txn->views.items[i]->exists) {
            TRY(write_view(txn, st, txn->views.items[i], a, err));
        }
    }
    return STATUS_OK;
}

void txn__take_view_files(catalog_txn *txn, arena *a, staged_vec *files)
{
    for (size_t i = 0; i < txn->views.count; i++) {
        txn_sql_view *v = txn->views.items[i];

        if (v->file != NULL) {
            vec_push(a, files, v->file);
        }
        if (v->name_record != NULL) {
            vec_push(a, files, v->name_record);
        }
        v->file = v->name_record = NULL;
    }
}

status txn__stage_view_names(catalog_txn *txn, error *err)
{
    for (size_t i = 0; i < txn->views.count; i++) {
        txn_sql_view *v = txn->views.items[i];

        if (is_changed(v)) { /* for whoever drops it before its file can be read (view.c) */
            catalog__view_cache_put(txn->root, v->info.metadata_location, v->working);
        }
        if (!is_made(v) && !is_renamed(v)) {
            continue;
        }
        const catalog__row row = {.name = v->info.name,
                                  .uuid = v->info.uuid,
                                  .location = v->info.location,
                                  .metadata_location = v->info.metadata_location,
                                  .rebase = STR_NULL,
                                  .is_view = true};

        if (is_renamed(v) || catalog__needs_record(txn->root, &row)) {
            TRY(catalog__stage_name(txn->root, &row, &v->name_record, err));
        }
    }
    return STATUS_OK;
}

void txn__tell_view_caches(const catalog_txn *txn)
{
    for (size_t i = 0; i < txn->views.count; i++) {
        const txn_sql_view *v = txn->views.items[i];

        if (v->existed && (is_changed(v) || is_dropped(v))) {
            catalog__view_cache_drop(txn->root, v->origin.metadata_location);
        }
    }
}

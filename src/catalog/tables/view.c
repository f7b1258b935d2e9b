/* Views: rows that point to view metadata. Creating, loading, listing, changing, renaming, dropping.
 * What a view's SQL says is not looked into here. */
#include "tarn/catalog/view.h"

#include "places/place.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

#define VIEW_FILE_MAX (16 * LIMIT_MIB)
/* Each round means that somebody else made progress, so a few are enough. */
#define VIEW_ATTEMPTS 8

/* ---- load ---- */

void catalog__read_view_row(const state_rows *rows, arena *a, view_info *info)
{
    info->name.space = state_text(rows, 0, a);
    info->name.table = state_text(rows, 1, a);
    info->uuid = state_text(rows, 2, a);
    info->metadata_location = state_text(rows, 3, a);
    info->location = state_text(rows, 4, a);
    info->created_us = state_int(rows, 5);
    info->updated_us = state_int(rows, 6);
}

typedef struct view_query {
    str space_key, view_key;
    arena *a;
    bool found;
    view_info info;
} view_query;

static status read_view(void *context, state_txn *txn, error *err)
{
    view_query *q = context;
    state_rows *rows = NULL;

    TRY(STATE_QUERY(
        txn, "SELECT " CATALOG__VIEW_COLUMNS " FROM views WHERE space_key = ?1 AND view_key = ?2",
        &rows, err, SV_TEXT(q->space_key), SV_TEXT(q->view_key)));
    TRY(state_next(rows, &q->found, err));
    if (q->found) {
        catalog__read_view_row(rows, q->a, &q->info);
    }
    state_finish(rows);
    return STATUS_OK;
}

status catalog__find_view(catalog *c, table_name name, arena *a, bool *ret_found,
                          table_name *ret_name, error *err)
{
    view_query q = {.space_key = catalog__fold(a, name.space),
                    .view_key = catalog__fold(a, name.table),
                    .a = a};

    if (c->txn != NULL) {
        *ret_found = catalog__txn_find_view(c, name, a, ret_name);
        return STATUS_OK;
    }
    TRY(state_read(c->state, read_view, &q, err));
    *ret_found = q.found;
    if (q.found) {
        *ret_name = q.info.name;
    }
    return STATUS_OK;
}

status catalog__no_view(catalog *c, table_name name, error *err)
{
    arena *a = arena_create();
    str *names = NULL;
    size_t count = 0;
    bool exists = false;

    if (catalog__namespace_exists(c, name.space, &exists, NULL) == STATUS_OK && !exists) {
        arena_free(a);
        return catalog__no_namespace(c, name.space, err);
    }
    error_set(err, STATUS_NO_VIEW, "view \"%.*s.%.*s\" does not exist", STR_ARG(name.space),
              STR_ARG(name.table));
    catalog__hint_names(c, name.space, a, &names, &count);
    str nearest = str_nearest(name.table, names, count);
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
    arena_free(a);
    return STATUS_NO_VIEW;
}

status catalog__read_view_file(catalog *c, str location, ice_view **ret_view, error *err)
{
    arena *a = arena_create();
    str bytes;
    status result = store_read_all(c->storage, location, VIEW_FILE_MAX, a, &bytes, err);

    if (result == STATUS_OK) {
        result = ice_view_parse(bytes, ret_view, err);
    }
    arena_free(a);
    if (result != STATUS_OK) {
        error_context(err, "view metadata file \"%.*s\"", STR_ARG(location));
    }
    return result;
}

status catalog_read_view(catalog *c, table_name name, arena *a, ice_view **ret_view,
                         view_info *ret_info, error *err)
{
    view_query q = {.space_key = catalog__fold(a, name.space),
                    .view_key = catalog__fold(a, name.table),
                    .a = a};

    if (c->txn != NULL) {
        return catalog__txn_load_view(c, name, a, ret_view, ret_info, err);
    }
    for (int attempt = 1;; attempt++) {
        TRY(state_read(c->state, read_view, &q, err));
        if (!q.found) {
            return catalog__no_view(c, name, err);
        }
        const catalog__sighting seen = catalog__sight(c);
        ice_view *view = catalog__view_cache_get(c, q.info.metadata_location);
        if (view == NULL) {
            status result = catalog__read_view_file(c, q.info.metadata_location, &view, err);
            if (result == STATUS_NOT_FOUND && attempt < VIEW_ATTEMPTS) {
                continue; /* a change between reading the pointer and the file took it away */
            }
            if (result != STATUS_OK) {
                *ret_info = q.info;
                return result;
            }
            catalog__view_cache_put_seen(c, q.info.metadata_location, view, seen);
        }
        *ret_view = view;
        *ret_info = q.info;
        return STATUS_OK;
    }
}

status catalog_load_view(catalog *c, table_name name, arena *a, ice_view **ret_view,
                         view_info *ret_info, error *err)
{
    view_info info;
    status result = catalog_read_view(c, name, a, ret_view, &info, err);

    if (result == STATUS_NOT_FOUND && c->txn == NULL) {
        return error_set(err, STATUS_CORRUPT,
                         "view \"%.*s.%.*s\" has lost its metadata file \"%.*s\"",
                         STR_ARG(name.space), STR_ARG(name.table), STR_ARG(info.metadata_location));
    }
    if (result == STATUS_OK) {
        *ret_info = info;
    }
    return result;
}

/* ---- list ---- */

typedef struct view_list {
    str space_key;
    arena *a;
    VEC(view_info) found;
} view_list;

static status list_views(void *context, state_txn *txn, error *err)
{
    view_list *list = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(STATE_QUERY(
        txn, "SELECT " CATALOG__VIEW_COLUMNS " FROM views WHERE space_key = ?1 ORDER BY view_key",
        &rows, err, SV_TEXT(list->space_key)));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        view_info info = {0};
        catalog__read_view_row(rows, list->a, &info);
        vec_push(list->a, &list->found, info);
    }
    state_finish(rows);
    return STATUS_OK;
}

status catalog_list_views(catalog *c, str space, arena *a, view_info **ret_list, size_t *ret_count,
                          error *err)
{
    view_list list = {.space_key = catalog__fold(a, space), .a = a};
    bool exists = false;

    TRY(catalog__namespace_exists(c, space, &exists, err));
    if (!exists) {
        return catalog__no_namespace(c, space, err);
    }
    if (c->txn != NULL) {
        catalog__txn_list_views(c, space, a, ret_list, ret_count);
        return STATUS_OK;
    }
    TRY(state_read(c->state, list_views, &list, err));
    *ret_list = list.found.items;
    *ret_count = list.found.count;
    return STATUS_OK;
}

/* ---- create, change ---- */

status catalog__insert_view(state_txn *txn, const catalog__row *row, error *err)
{
    arena *a = state_txn_arena(txn);
    str space_key = catalog__fold(a, row->name.space);
    str view_key = catalog__fold(a, row->name.table);

    TRY(catalog__refuse_existing(txn, row->name, space_key, view_key, err));
    TRY(catalog__refuse_uuid(txn, row->uuid, err));
    return STATE_EXEC(
        txn,
        "INSERT INTO views (space_key, view_key, space, name, uuid, location, metadata_location,"
        " created_us, updated_us, registered) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)",
        NULL, err, SV_TEXT(space_key), SV_TEXT(view_key), SV_TEXT(row->name.space),
        SV_TEXT(row->name.table), SV_TEXT(row->uuid), SV_TEXT(row->location),
        SV_TEXT(row->metadata_location), SV_INT(clock_now_us()), SV_INT(row->registered ? 1 : 0));
}

/* A new pointer and what goes with it, in one transaction. */
typedef struct view_change {
    catalog *c;
    table_name name;
    str base_location; /* STR_NULL: the view is new */
    str new_location;
    str uuid, location;      /* location STR_NULL: where it was */
    store_staged *staged[2]; /* the file, and for a new one the record of its name, or NULL */
    const catalog_caller *caller;
    bool published;
} view_change;

status catalog__note_view(state_txn *txn, const catalog_caller *caller, event_kind kind,
                          table_name name, str uuid, str metadata_location, error *err)
{
    const catalog_event event = {.kind = kind,
                                 .name = name,
                                 .uuid = uuid,
                                 .metadata_location = metadata_location,
                                 .snapshot_id = ICE_NO_SNAPSHOT};

    return catalog__note(txn, caller, &event, err);
}

static status explain_stale(const view_change *change, state_txn *txn, error *err)
{
    arena *a = state_txn_arena(txn);
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM views WHERE space_key = ?1 AND view_key = ?2", &rows, err,
                    SV_TEXT(catalog__fold(a, change->name.space)),
                    SV_TEXT(catalog__fold(a, change->name.table))));
    TRY(state_next(rows, &found, err));
    state_finish(rows);
    return error_set(err, found ? STATUS_CONFLICT : STATUS_NO_VIEW,
                     found ? "view \"%.*s.%.*s\" was changed meanwhile"
                           : "view \"%.*s.%.*s\" does not exist",
                     STR_ARG(change->name.space), STR_ARG(change->name.table));
}

static status move_pointer(view_change *change, state_txn *txn, error *err)
{
    arena *a = state_txn_arena(txn);
    int64_t moved = 0;

    TRY(STATE_EXEC(txn,
                   "UPDATE views SET metadata_location = ?1, updated_us = ?2"
                   " WHERE space_key = ?3 AND view_key = ?4 AND metadata_location = ?5",
                   &moved, err, SV_TEXT(change->new_location), SV_INT(clock_now_us()),
                   SV_TEXT(catalog__fold(a, change->name.space)),
                   SV_TEXT(catalog__fold(a, change->name.table)), SV_TEXT(change->base_location)));
    if (moved == 0) {
        return explain_stale(change, txn, err);
    }
    if (!str_is_null(change->location)) {
        TRY(STATE_EXEC(txn, "UPDATE views SET location = ?1 WHERE space_key = ?2 AND view_key = ?3",
                       NULL, err, SV_TEXT(change->location),
                       SV_TEXT(catalog__fold(a, change->name.space)),
                       SV_TEXT(catalog__fold(a, change->name.table))));
    }
    return store_delete(change->c->storage, txn, &change->base_location, 1, err);
}

static status apply_change(void *context, state_txn *txn, error *err)
{
    view_change *change = context;

    if (str_is_null(change->base_location)) {
        const catalog__row row = {.name = change->name,
                                  .uuid = change->uuid,
                                  .location = change->location,
                                  .metadata_location = change->new_location};
        TRY(catalog__insert_view(txn, &row, err));
    } else {
        TRY(move_pointer(change, txn, err));
    }
    TRY(catalog__note_view(txn, change->caller,
                           str_is_null(change->base_location) ? EVENT_VIEW_CREATED
                                                              : EVENT_VIEW_COMMITTED,
                           change->name, change->uuid, change->new_location, err));
    change->published = true;
    return store_publish(change->c->storage, txn, change->staged, change->staged[1] != NULL ? 2 : 1,
                         err);
}

static status submit(view_change *change, const ice_view *view, error *err)
{
    change->caller = catalog_get_caller();
    /* Before anybody can know it: whoever drops the view in the same group of transactions cannot read its file yet. */
    catalog__view_cache_put(change->c, change->new_location, view);
    status result = state_submit(change->c->state, apply_change, change, err);

    for (size_t i = 0; !change->published && i < COUNT_OF(change->staged); i++) {
        store_discard(change->c->storage, change->staged[i]);
    }
    if (result == STATUS_OK) {
        if (!str_is_null(change->base_location)) {
            catalog__view_cache_drop(change->c, change->base_location);
        }
    } else {
        catalog__view_cache_drop(change->c, change->new_location);
    }
    return result;
}

/* A location of the maker's own does not tell the view's name: a record does, for a lost database. */
static status stage_record(view_change *change, error *err)
{
    const catalog__row row = {.name = change->name,
                              .uuid = change->uuid,
                              .location = change->location,
                              .metadata_location = change->new_location,
                              .rebase = STR_NULL,
                              .is_view = true};

    return !str_is_null(change->base_location) || catalog__needs_record(change->c, &row)
               ? catalog__stage_name(change->c, &row, &change->staged[1], err)
               : STATUS_OK;
}

status catalog__put_new_view(catalog *c, table_name name, str location, const ice_view *view,
                             arena *a, str *ret_metadata_location, error *err)
{
    view_change change = {
        .c = c, .name = name, .base_location = STR_NULL, .location = location, .uuid = view->uuid};

    TRY(catalog__check_paths(c, name.space, view->properties, view->property_count, location,
                             view->uuid, err));
    TRY(ice_view_stage(c->storage, view, 1, &change.staged[0], a, &change.new_location, err));
    status result = stage_record(&change, err);
    if (result == STATUS_OK) {
        result = submit(&change, view, err);
    } else {
        store_discard(c->storage, change.staged[0]);
    }
    *ret_metadata_location = change.new_location;
    return result;
}

static status create_new(catalog *c, const catalog_view_create *options, arena *a, error *err)
{
    ice_view *view = NULL;
    str location, metadata_location;

    TRY(catalog_plan_location(c, options->name, options->location, a, &location, err));
    TRY(ice_view_create(location, &options->definition, &view, err));
    status result =
        catalog__put_new_view(c, options->name, location, view, a, &metadata_location, err);
    ice_view_unref(view);
    return result;
}

status catalog__put_view(catalog *c, table_name name, str base_location, str location,
                         const ice_view *next, arena *a, str *ret_metadata_location, error *err)
{
    view_change change = {.c = c,
                          .name = name,
                          .base_location = base_location,
                          .uuid = next->uuid,
                          .location = location};
    int version = ice_metadata_location_version(base_location);

    TRY(catalog__check_paths(c, name.space, next->properties, next->property_count,
                             str_is_null(location) ? next->location : location, next->uuid, err));
    TRY(ice_view_stage(c->storage, next, version + 1, &change.staged[0], a, &change.new_location,
                       err));
    status result = str_is_null(location) ? STATUS_OK : stage_record(&change, err);
    if (result != STATUS_OK) {
        store_discard(c->storage, change.staged[0]);
        return result;
    }
    TRY(submit(&change, next, err));
    *ret_metadata_location = change.new_location;
    return STATUS_OK;
}

status catalog_commit_view(catalog *c, table_name name, str base_location, const ice_view *next,
                           error *err)
{
    if (c->txn != NULL) {
        return catalog__txn_commit_view(c, name, next, err);
    }
    arena *a = arena_create();
    str metadata_location;
    status result =
        catalog__put_view(c, name, base_location, STR_NULL, next, a, &metadata_location, err);

    arena_free(a);
    return result;
}

status catalog_change_view(catalog *c, table_name name,
                           status (*change)(void *context, const ice_view *base,
                                            ice_view **ret_view, error *err),
                           void *context, error *err)
{
    status result = STATUS_CONFLICT;

    for (int attempt = 1; result == STATUS_CONFLICT && attempt <= VIEW_ATTEMPTS; attempt++) {
        arena *a = arena_create();
        ice_view *base = NULL;
        ice_view *next = NULL;
        view_info info;

        result = catalog_load_view(c, name, a, &base, &info, err);
        if (result == STATUS_OK) {
            result = change(context, base, &next, err);
        }
        if (result == STATUS_OK && !ice_view_is_same(base, next)) {
            result = catalog_commit_view(c, info.name, info.metadata_location, next, err);
        }
        ice_view_unref(next);
        ice_view_unref(base);
        arena_free(a);
    }
    return result;
}

static status replace(void *context, const ice_view *base, ice_view **ret_view, error *err)
{
    return ice_view_replace(base, context, ret_view, err);
}

/* Created or replaced, whichever it takes; a view that comes or goes meanwhile is looked for again. */
static status create_view(catalog *c, const catalog_view_create *options, arena *a,
                          bool *ret_changed, error *err)
{
    status result = STATUS_CONFLICT;

    TRY(catalog__check_name("view", options->name.table, err));
    for (int attempt = 1; result == STATUS_CONFLICT && attempt <= VIEW_ATTEMPTS; attempt++) {
        ice_view_definition definition = options->definition;
        table_name found_name;
        bool found = false;

        TRY(catalog__find_view(c, options->name, a, &found, &found_name, err));
        if (found && options->if_not_exists) {
            *ret_changed = false;
            return STATUS_OK;
        }
        if (found && !options->replace) {
            return error_set(err, STATUS_EXISTS, "view \"%.*s.%.*s\" exists already",
                             STR_ARG(found_name.space), STR_ARG(found_name.table));
        }
        result = found ? catalog_change_view(c, found_name, replace, &definition, err)
                       : create_new(c, options, a, err);
        if (found && result == STATUS_NO_VIEW) {
            result = STATUS_CONFLICT;
        }
        if (!found && result == STATUS_EXISTS && (options->replace || options->if_not_exists)) {
            TRY(catalog__find_view(c, options->name, a, &found, &found_name, NULL));
            result = found ? STATUS_CONFLICT : STATUS_EXISTS; /* else it is a table */
        }
    }
    TRY(result);
    *ret_changed = true;
    return STATUS_OK;
}

status catalog_create_view(catalog *c, const catalog_view_create *options, bool *ret_changed,
                           error *err)
{
    arena *a = arena_create();
    status result = c->txn != NULL ? catalog__txn_create_view(c, options, a, ret_changed, err)
                                   : create_view(c, options, a, ret_changed, err);

    arena_free(a);
    return result;
}

/* ---- drop ---- */

/* gc.enabled = false: whoever drops it means to register it again. */
static bool keeps_metadata(catalog *c, str metadata_location)
{
    ice_view *view = catalog__view_cache_peek(c, metadata_location);
    bool keeps = false;

    if (view == NULL && catalog__read_view_file(c, metadata_location, &view, NULL) != STATUS_OK) {
        return true; /* what cannot be read is not removed for being unreadable */
    }
    keeps = str_equal_nocase(ice_view_property(view, "gc.enabled", "true"), STR("false"));
    ice_view_unref(view);
    return keeps;
}

status catalog__drop_view(catalog *c, state_txn *txn, const catalog_caller *caller, str space_key,
                          str view_key, bool *ret_dropped, error *err)
{
    arena *a = state_txn_arena(txn);
    state_rows *rows = NULL;
    bool found = false;

    *ret_dropped = false;
    TRY(STATE_QUERY(txn,
                    "SELECT uuid, metadata_location, space, name FROM views"
                    " WHERE space_key = ?1 AND view_key = ?2",
                    &rows, err, SV_TEXT(space_key), SV_TEXT(view_key)));
    TRY(state_next(rows, &found, err));
    if (!found) {
        state_finish(rows);
        return STATUS_OK;
    }
    str uuid = state_text(rows, 0, a);
    const str gone[] = {catalog__name_location(c, uuid, a), state_text(rows, 1, a)};
    const table_name name = {.space = state_text(rows, 2, a), .table = state_text(rows, 3, a)};
    state_finish(rows);
    TRY(store_delete(c->storage, txn, gone, keeps_metadata(c, gone[1]) ? 1 : 2, err));
    TRY(catalog__note_view(txn, caller, EVENT_VIEW_DROPPED, name, uuid, gone[1], err));
    TRY(STATE_EXEC(txn, "DELETE FROM views WHERE space_key = ?1 AND view_key = ?2", NULL, err,
                   SV_TEXT(space_key), SV_TEXT(view_key)));
    *ret_dropped = true;
    return STATUS_OK;
}

typedef struct view_drop {
    catalog *c;
    str space_key, view_key;
    const catalog_caller *caller;
    bool dropped;
} view_drop;

static status apply_drop(void *context, state_txn *txn, error *err)
{
    view_drop *drop = context;

    return catalog__drop_view(drop->c, txn, drop->caller, drop->space_key, drop->view_key,
                              &drop->dropped, err);
}

status catalog_drop_view(catalog *c, table_name name, bool if_exists, bool *ret_dropped, error *err)
{
    if (c->txn != NULL) {
        *ret_dropped = catalog__txn_drop_view(c, name);
        return *ret_dropped || if_exists ? STATUS_OK : catalog__no_view(c, name, err);
    }
    arena *a = arena_create();
    view_drop drop = {.c = c,
                      .caller = catalog_get_caller(),
                      .space_key = catalog__fold(a, name.space),
                      .view_key = catalog__fold(a, name.table)};
    status result = state_submit(c->state, apply_drop, &drop, err);

    arena_free(a);
    TRY(result);
    if (!drop.dropped && !if_exists) {
        return catalog__no_view(c, name, err);
    }
    *ret_dropped = drop.dropped;
    return STATUS_OK;
}

/* ---- rename ---- */

typedef struct view_rename {
    catalog *c;
    table_name from, to;
    str from_space_key, from_view_key, to_space_key, to_view_key, uuid;
    const catalog_caller *caller;
    store_staged *record;
    bool published;
} view_rename;

static status apply_rename(void *context, state_txn *txn, error *err)
{
    view_rename *change = context;
    int64_t changed = 0;

    if (!str_equal(change->from_space_key, change->to_space_key) ||
        !str_equal(change->from_view_key, change->to_view_key)) {
        TRY(catalog__refuse_existing(txn, change->to, change->to_space_key, change->to_view_key,
                                     err));
    }
    TRY(STATE_EXEC(
        txn,
        "UPDATE views SET space_key = ?1, view_key = ?2, space = ?3, name = ?4, updated_us = ?7"
        " WHERE space_key = ?5 AND view_key = ?6 AND uuid = ?8",
        &changed, err, SV_TEXT(change->to_space_key), SV_TEXT(change->to_view_key),
        SV_TEXT(change->to.space), SV_TEXT(change->to.table), SV_TEXT(change->from_space_key),
        SV_TEXT(change->from_view_key), SV_INT(clock_now_us()), SV_TEXT(change->uuid)));
    if (changed == 0) {
        return error_set(err, STATUS_NO_VIEW, "view \"%.*s.%.*s\" does not exist",
                         STR_ARG(change->from.space), STR_ARG(change->from.table));
    }
    str pointer;
    TRY(catalog__read_pointer(txn, change->uuid, true, &pointer, err));
    const catalog_event event = {.kind = EVENT_VIEW_RENAMED,
                                 .name = change->from,
                                 .to = change->to,
                                 .uuid = change->uuid,
                                 .metadata_location = pointer,
                                 .snapshot_id = ICE_NO_SNAPSHOT};
    TRY(catalog__note(txn, change->caller, &event, err));
    change->published = true;
    return store_publish(change->c->storage, txn, &change->record, 1, err);
}

static status rename_view(catalog *c, table_name from, table_name to, arena *a, error *err)
{
    ice_view *view = NULL;
    view_info info;

    TRY(catalog__check_name("view", to.table, err));
    TRY(catalog_load_view(c, from, a, &view, &info, err));
    ice_view_unref(view);
    if (str_equal(info.name.space, to.space) && str_equal(info.name.table, to.table)) {
        return STATUS_OK;
    }
    TRY(catalog__check_place(c, to.space, info.location, err));
    view_rename change = {.c = c,
                          .from = from,
                          .to = to,
                          .from_space_key = catalog__fold(a, from.space),
                          .from_view_key = catalog__fold(a, from.table),
                          .to_space_key = catalog__fold(a, to.space),
                          .to_view_key = catalog__fold(a, to.table),
                          .uuid = info.uuid,
                          .caller = catalog_get_caller()};
    const catalog__row row = {.name = to,
                              .uuid = info.uuid,
                              .location = info.location,
                              .metadata_location = info.metadata_location,
                              .rebase = STR_NULL,
                              .is_view = true};
    TRY(catalog__stage_name(c, &row, &change.record, err));
    status result = state_submit(c->state, apply_rename, &change, err);
    if (!change.published) {
        store_discard(c->storage, change.record);
    }
    return result;
}

status catalog_rename_view(catalog *c, table_name from, table_name to, error *err)
{
    arena *a = arena_create();
    status result = c->txn != NULL ? catalog__txn_rename_view(c, from, to, err)
                                   : rename_view(c, from, to, a, err);

    arena_free(a);
    return result;
}

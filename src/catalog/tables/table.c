/* Tables: rows that point to metadata. Creating, loading, listing, renaming; dropping is completed by purge.c. */
#include "places/place.h"

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

/* ---- load ---- */

typedef struct table_query {
    str space_key, table_key;
    arena *a;
    bool found;
    table_info info;
} table_query;

void catalog__read_row(const state_rows *rows, arena *a, table_info *info)
{
    info->name.space = state_text(rows, 0, a);
    info->name.table = state_text(rows, 1, a);
    info->uuid = state_text(rows, 2, a);
    info->metadata_location = state_text(rows, 3, a);
    info->created_us = state_int(rows, 4);
    info->updated_us = state_int(rows, 5);
    info->registered = state_int(rows, 6) != 0;
    info->rebase = state_text(rows, 7, a);
    info->location = state_text(rows, 8, a);
    info->is_protected = state_int(rows, 9) != 0;
}

static status read_table(void *context, state_txn *txn, error *err)
{
    table_query *q = context;
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn,
                    "SELECT " CATALOG__TABLE_COLUMNS
                    " FROM tables WHERE space_key = ?1 AND table_key = ?2",
                    &rows, err, SV_TEXT(q->space_key), SV_TEXT(q->table_key)));
    TRY(state_next(rows, &q->found, err));
    if (q->found) {
        catalog__read_row(rows, q->a, &q->info);
    }
    state_finish(rows);
    return STATUS_OK;
}

status catalog__read_metadata(catalog *c, str location, str rebase, ice_metadata **ret_metadata,
                              error *err)
{
    arena *a = arena_create();
    ice_metadata *metadata = NULL;
    ice_rebase *rules = NULL;
    size_t rule_count = 0;
    str bytes;
    status result = store_read_all(c->storage, location, LIMIT_METADATA_FILE, a, &bytes, err);

    if (result == STATUS_OK) {
        result = catalog__rebase_parse(rebase, a, &rules, &rule_count, err);
    }
    if (result == STATUS_OK) {
        result = ice_metadata_parse(bytes, &metadata, err);
    }
    if (result == STATUS_OK) {
        ice_metadata_rebase(metadata, rules, rule_count);
        metadata->guard = c->guard;
        *ret_metadata = metadata;
    }
    arena_free(a);
    if (result != STATUS_OK) {
        error_context(err, "metadata file \"%.*s\"", STR_ARG(location));
    }
    return result;
}

/* A commit between reading the pointer and reading the file may have deleted the file: then the pointer is read
 * again. Each round means somebody else made progress, so a few are enough. */
#define LOAD_ATTEMPTS 8

status catalog__load_table(catalog *c, table_name name, arena *a, ice_metadata **ret_metadata,
                           table_info *ret_info, error *err)
{
    if (c->txn != NULL) {
        return catalog__txn_load(c, name, a, ret_metadata, ret_info, err);
    }
    table_query q = {.space_key = catalog__fold(a, name.space),
                     .table_key = catalog__fold(a, name.table),
                     .a = a};
    str key = catalog__table_key(a, name);

    for (int attempt = 1;; attempt++) {
        TRY(state_read(c->state, read_table, &q, err));
        if (!q.found) {
            return catalog__no_table(c, name, err);
        }
        const catalog__sighting seen = catalog__sight(c);
        ice_metadata *metadata = catalog__cache_get(c, key, q.info.metadata_location);
        if (metadata == NULL) {
            status result =
                catalog__read_metadata(c, q.info.metadata_location, q.info.rebase, &metadata, err);
            if (result == STATUS_NOT_FOUND && attempt < LOAD_ATTEMPTS) {
                continue;
            }
            if (result == STATUS_OK) {
                result = catalog__check_loaded(c, &q.info, metadata, err);
                if (result != STATUS_OK) {
                    ice_metadata_unref(metadata);
                }
            }
            if (result != STATUS_OK) {
                *ret_info = q.info;
                return result;
            }
            catalog__cache_put_seen(c, key, q.info.metadata_location, metadata, seen);
        }
        *ret_metadata = metadata;
        *ret_info = q.info;
        return STATUS_OK;
    }
}

status catalog_load_table(catalog *c, table_name name, arena *a, ice_metadata **ret_metadata,
                          table_info *ret_info, error *err)
{
    table_info info;
    status result = catalog__load_table(c, name, a, ret_metadata, &info, err);

    if (result == STATUS_NOT_FOUND && c->txn == NULL) {
        return error_set(err, STATUS_CORRUPT,
                         "table \"%.*s.%.*s\" has lost its metadata file \"%.*s\"",
                         STR_ARG(name.space), STR_ARG(name.table), STR_ARG(info.metadata_location));
    }
    if (result == STATUS_OK) {
        *ret_info = info;
    }
    return result;
}

/* ---- list ---- */

typedef struct table_list {
    str space_key;
    arena *a;
    VEC(table_info) found;
} table_list;

static status list_tables(void *context, state_txn *txn, error *err)
{
    table_list *list = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(STATE_QUERY(txn,
                    "SELECT " CATALOG__TABLE_COLUMNS
                    " FROM tables WHERE space_key = ?1 ORDER BY table_key",
                    &rows, err, SV_TEXT(list->space_key)));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        table_info info = {0};
        catalog__read_row(rows, list->a, &info);
        vec_push(list->a, &list->found, info);
    }
    state_finish(rows);
    return STATUS_OK;
}

status catalog_list_tables(catalog *c, str space, arena *a, table_info **ret_list,
                           size_t *ret_count, error *err)
{
    if (c->txn != NULL) {
        return catalog__txn_list(c, space, a, ret_list, ret_count, err);
    }
    table_list list = {.space_key = catalog__fold(a, space), .a = a};
    bool exists = false;

    TRY(catalog__namespace_exists(c, space, &exists, err));
    if (!exists) {
        return catalog__no_namespace(c, space, err);
    }
    TRY(state_read(c->state, list_tables, &list, err));
    *ret_list = list.found.items;
    *ret_count = list.found.count;
    return STATUS_OK;
}

/* ---- create ---- */

static status refuse_overlapping(state_rows *rows, str location, error *err)
{
    bool found = false;

    TRY(state_next(rows, &found, err));
    if (found) {
        str space = state_text(rows, 0, NULL);
        str table = state_text(rows, 1, NULL);
        error_set(err, STATUS_INVALID, "location \"%.*s\" overlaps that of table \"%.*s.%.*s\"",
                  STR_ARG(location), STR_ARG(space), STR_ARG(table));
    }
    state_finish(rows);
    return found ? STATUS_INVALID : STATUS_OK;
}

/* Two tables must not share files: neither location may lie in the other. "0" follows "/". */
status catalog__refuse_overlap(state_txn *txn, str location, str uuid, error *err)
{
    arena *a = state_txn_arena(txn);
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn,
                    "SELECT space, name FROM tables WHERE location > ?1 AND location < ?2 LIMIT 1",
                    &rows, err, SV_TEXT(str_concat(a, location, STR("/"))),
                    SV_TEXT(str_concat(a, location, STR("0")))));
    TRY(refuse_overlapping(rows, location, err));
    for (size_t end = location.size; end > 0; end--) {
        if (end < location.size && location.data[end] != '/') {
            continue;
        }
        TRY(STATE_QUERY(txn, "SELECT space, name FROM tables WHERE location = ?1", &rows, err,
                        SV_TEXT(str_slice(location, 0, end))));
        TRY(refuse_overlapping(rows, location, err));
    }
    TRY(catalog__refuse_held(txn, location, str_is_null(uuid) ? STR("") : uuid, err));
    return catalog__refuse_dropped_place(txn, location, uuid, err);
}

status catalog__refuse_existing(state_txn *txn, table_name name, str space_key, str table_key,
                                error *err)
{
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM tables WHERE space_key = ?1 AND table_key = ?2", &rows, err,
                    SV_TEXT(space_key), SV_TEXT(table_key)));
    TRY(state_next(rows, &found, err));
    state_finish(rows);
    if (found) {
        return error_set(err, STATUS_EXISTS, "table \"%.*s.%.*s\" exists already",
                         STR_ARG(name.space), STR_ARG(name.table));
    }
    TRY(STATE_QUERY(txn, "SELECT 1 FROM views WHERE space_key = ?1 AND view_key = ?2", &rows, err,
                    SV_TEXT(space_key), SV_TEXT(table_key)));
    TRY(state_next(rows, &found, err));
    state_finish(rows);
    if (found) {
        return error_set(err, STATUS_EXISTS, "view \"%.*s.%.*s\" exists already",
                         STR_ARG(name.space), STR_ARG(name.table));
    }
    TRY(STATE_QUERY(txn, "SELECT warehouse FROM namespaces WHERE name_key = ?1", &rows, err,
                    SV_TEXT(space_key)));
    TRY(state_next(rows, &found, err));
    bool is_warehouse = found && state_int(rows, 0) != 0;
    state_finish(rows);
    if (!found) {
        return error_set(err, STATUS_NO_NAMESPACE, "namespace \"%.*s\" does not exist",
                         STR_ARG(name.space));
    }
    if (is_warehouse) {
        error_set(err, STATUS_INVALID, "warehouse \"%.*s\" holds namespaces, not tables",
                  STR_ARG(name.space));
        error_hint(err, "Make a namespace in it: CREATE SCHEMA \"%.*s\".main.",
                   STR_ARG(name.space));
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

status catalog__refuse_uuid(state_txn *txn, str uuid, error *err)
{
    arena *a = state_txn_arena(txn);
    state_rows *rows = NULL;
    bool found = false;

    /* some write the letters in them large */
    TRY(STATE_QUERY(txn,
                    "SELECT space, name, 'table' FROM tables WHERE uuid IN (?1, ?2, ?3)"
                    " UNION ALL SELECT space, name, 'view' FROM views WHERE uuid IN (?1, ?2, ?3)",
                    &rows, err, SV_TEXT(uuid), SV_TEXT(str_lower(a, uuid)),
                    SV_TEXT(str_upper(a, uuid))));
    TRY(state_next(rows, &found, err));
    if (found) {
        str space = state_text(rows, 0, NULL);
        str name = state_text(rows, 1, NULL);
        str kind = state_text(rows, 2, NULL);
        error_set(err, STATUS_EXISTS, "the %.*s with uuid %.*s is in the catalog as \"%.*s.%.*s\"",
                  STR_ARG(kind), STR_ARG(uuid), STR_ARG(space), STR_ARG(name));
    }
    state_finish(rows);
    return found ? STATUS_EXISTS : STATUS_OK;
}

status catalog__insert_table(catalog *c, state_txn *txn, const catalog__row *row, error *err)
{
    arena *a = state_txn_arena(txn);
    str space_key = catalog__fold(a, row->name.space);
    str table_key = catalog__fold(a, row->name.table);

    TRY(catalog__refuse_existing(txn, row->name, space_key, table_key, err));
    TRY(catalog__refuse_uuid(txn, row->uuid, err));
    TRY(catalog__refuse_overlap(txn, row->location, row->uuid, err));
    TRY(catalog__forget_dropped_at(txn, row, err));
    const catalog__place place = {.kind = ICE_AT_TABLE,
                                  .location = row->location,
                                  .uuid = row->uuid,
                                  .principal = catalog__principal(row->caller)};
    TRY(catalog__refuse_staged(txn, &place, err));
    TRY(catalog__end_own_staged(c, txn, &place, err));
    TRY(catalog__forget_dropped(txn, row->uuid, row->location, err));
    return STATE_EXEC(
        txn,
        "INSERT INTO tables (space_key, table_key, space, name, uuid, location, metadata_location,"
        " created_us, updated_us, registered, rebase)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10)",
        NULL, err, SV_TEXT(space_key), SV_TEXT(table_key), SV_TEXT(row->name.space),
        SV_TEXT(row->name.table), SV_TEXT(row->uuid), SV_TEXT(row->location),
        SV_TEXT(row->metadata_location), SV_INT(clock_now_us()), SV_INT(row->registered ? 1 : 0),
        str_is_null(row->rebase) ? SV_NULL : SV_TEXT(row->rebase));
}

/* A new table seen by the commit code: there is nothing before it, and committing it inserts its row. */
typedef struct creation {
    catalog *c;
    table_name name;
    ice_metadata *metadata;
    const catalog_caller *caller;
    bool refused;   /* by `extra`: then `staged` stays with the committer's caller */
    bool published; /* store_publish has taken `staged` */
    str metadata_location;
    str location;
    bool is_asked; /* the location */
    store_staged *const *staged;
    size_t staged_count;
    store_staged *name_record; /* NULL where the location tells the name */
    status (*extra)(void *context, state_txn *txn, error *err);
    void *extra_context;
} creation;

static catalog__row creation_row(const creation *new)
{
    return (catalog__row){.name = new->name,
                          .uuid = new->metadata->uuid,
                          .location = new->location,
                          .metadata_location = new->metadata_location,
                          .rebase = STR_NULL,
                          .caller = new->caller,
                          .properties = new->metadata->properties,
                          .property_count = new->metadata->property_count,
                          .is_asked = new->is_asked};
}

static status publish_creation(void *context, state_txn *txn, error *err)
{
    creation *new = context;

    const catalog__row row = creation_row(new);

    const catalog_event event = {.kind = EVENT_TABLE_CREATED,
                                 .name = new->name,
                                 .uuid = new->metadata->uuid,
                                 .metadata_location = new->metadata_location,
                                 .snapshot_id = new->metadata->current_snapshot_id};

    const catalog__paths paths = {.space = new->name.space,
                                  .properties = new->metadata->properties,
                                  .count = new->metadata->property_count,
                                  .own = new->location,
                                  .uuid = new->metadata->uuid,
                                  .principal = catalog__principal(new->caller)};

    TRY(catalog__insert_table(new->c, txn, &row, err));
    TRY(catalog__hold_paths(new->c, txn, &paths, err));
    if (new->extra != NULL) {
        status result = new->extra(new->extra_context, txn, err);
        new->refused = result != STATUS_OK;
        TRY(result);
    }
    TRY(catalog__note(txn, new->caller, &event, err));
    new->published = true;
    status result = store_publish(new->c->storage, txn, new->staged, new->staged_count, err);
    if (new->name_record != NULL) {
        store_staged *record = new->name_record;
        new->name_record = NULL;
        status named = store_publish(new->c->storage, txn, &record, 1, err);
        result = result == STATUS_OK ? named : result;
    }
    return result;
}

static status submit_creation(creation *new, error *err)
{
    arena *a = arena_create();
    status result = catalog__check_paths(new->c, new->name.space, new->metadata->properties,
                                         new->metadata->property_count, new->location,
                                         new->metadata->uuid, err);

    new->caller = catalog_get_caller();
    const catalog__row row = creation_row(new);
    if (result == STATUS_OK && catalog__needs_record(new->c, &row)) {
        result = catalog__stage_name(new->c, &row, &new->name_record, err);
    }
    if (result == STATUS_OK) {
        result = state_submit(new->c->state, publish_creation, new, err);
    }
    for (size_t i = 0; !new->published && !new->refused &&i < new->staged_count; i++) {
        store_discard(new->c->storage, new->staged[i]);
    }
    store_discard(new->c->storage, new->name_record);
    if (result == STATUS_OK) {
        catalog__cache_put(new->c, catalog__table_key(a, new->name), new->metadata_location,
                           new->metadata);
        catalog__write_hint(new->c, new->metadata_location);
    }
    arena_free(a);
    return result;
}

static status creation_load(void *context, arena *a, ice_metadata **ret_metadata, str *ret_location,
                            error *err)
{
    creation *new = context;
    (void)a;
    (void)err;
    *ret_metadata = ice_metadata_ref(new->metadata);
    *ret_location = STR("");
    return STATUS_OK;
}

static status creation_commit(void *context, str base_location, str new_location,
                              const ice_metadata *new_metadata, store_staged *const *staged,
                              size_t staged_count, const str *obsolete, size_t obsolete_count,
                              status (*extra)(void *extra_context, state_txn *txn, error *err),
                              void *extra_context, error *err)
{
    creation *new = context;
    (void)base_location;
    (void)obsolete;
    (void)obsolete_count;

    ice_metadata_unref(new->metadata);
    new->metadata = ice_metadata_ref(new_metadata);
    new->metadata_location = new_location;
    new->staged = staged;
    new->staged_count = staged_count;
    new->extra = extra;
    new->extra_context = extra_context;
    return submit_creation(new, err);
}

static status create_with_rows(creation *new, const ice_append *append, error *err)
{
    const ice_committer committer = {.load = creation_load,
                                     .commit = creation_commit,
                                     .context = new,
                                     .storage = new->c->storage};
    ice_commit_result ignored;

    return ice_commit_append(&committer, append, &ignored, err);
}

static status create_empty(creation *new, arena *a, error *err)
{
    store_staged *staged = NULL;

    TRY(ice_metadata_stage(new->c->storage, new->metadata, 0, &staged, a, &new->metadata_location,
                           err));
    new->staged = &staged;
    new->staged_count = 1;
    return submit_creation(new, err);
}

status catalog__create_made(catalog *c, const catalog__made *made, arena *a,
                            str *ret_metadata_location, error *err)
{
    creation new = {.c = c,
                    .name = made->name,
                    .location = made->location,
                    .is_asked = made->is_asked,
                    .metadata = ice_metadata_ref(made->metadata)};
    status result = create_empty(&new, a, err);

    ice_metadata_unref(new.metadata);
    if (result == STATUS_OK) {
        *ret_metadata_location = new.metadata_location;
    }
    return result;
}

static status find_table(catalog *c, table_name name, bool *ret_found, error *err)
{
    arena *a = arena_create();
    table_query q = {.space_key = catalog__fold(a, name.space),
                     .table_key = catalog__fold(a, name.table),
                     .a = a};
    status result = state_read(c->state, read_table, &q, err);

    if (result == STATUS_OK) {
        *ret_found = q.found;
    }
    arena_free(a);
    return result;
}

static void discard_append(catalog *c, const ice_append *append)
{
    for (size_t i = 0; append != NULL && i < append->staged_count; i++) {
        store_discard(c->storage, append->staged[i]);
    }
}

static status create_table(catalog *c, const catalog_create *options, arena *a, bool *ret_created,
                           error *err)
{
    ice_create table = options->table;
    creation new = {.c = c,
                    .name = options->name,
                    .is_asked = options->table.location.size > 0 && !options->location_planned};
    bool found = false;
    bool handed_over = false;

    status result = catalog__check_name("table", options->name.table, err);
    if (result == STATUS_OK) {
        result = find_table(c, options->name, &found, err);
    }
    bool replace = result == STATUS_OK && found && options->replace;
    if (replace) {
        handed_over = true;
        result = catalog__replace_table(c, options, a, err);
    } else if (result == STATUS_OK && found) {
        result = options->if_not_exists
                     ? STATUS_OK
                     : error_set(err, STATUS_EXISTS, "table \"%.*s.%.*s\" exists already",
                                 STR_ARG(options->name.space), STR_ARG(options->name.table));
    }
    if (result == STATUS_OK && !found) {
        result = catalog_plan_location(c, options->name, options->table.location, a,
                                       &table.location, err);
    }
    if (result == STATUS_OK && !found) {
        result = ice_metadata_create(&table, &new.metadata, err);
    }
    if (result == STATUS_OK && !found && options->planned != NULL &&
        (options->planned_there || !ice_schema_equal(ice_metadata_schema(options->planned),
                                                     ice_metadata_schema(new.metadata)))) {
        result = error_set(err, STATUS_CONFLICT, "table \"%.*s.%.*s\" was dropped meanwhile",
                           STR_ARG(options->name.space), STR_ARG(options->name.table));
    }
    if (result == STATUS_OK && !found) {
        new.location = table.location;
        handed_over = true;
        result = options->append != NULL ? create_with_rows(&new, options->append, err)
                                         : create_empty(&new, a, err);
    }
    if (!handed_over) {
        discard_append(c, options->append);
    }
    ice_metadata_unref(new.metadata);
    *ret_created = result == STATUS_OK && (!found || replace);
    return result;
}

status catalog_create_table(catalog *c, const catalog_create *options, bool *ret_created,
                            error *err)
{
    if (c->txn != NULL) {
        return catalog__txn_create(c, options, ret_created, err);
    }
    bool created = false;
    arena *a = arena_create();
    status result = create_table(c, options, a, &created, err);

    arena_free(a);
    if (result == STATUS_EXISTS && options->if_not_exists) {
        result = STATUS_OK; /* another one was quicker */
        created = false;
    }
    if (result == STATUS_OK) {
        *ret_created = created;
    }
    return result;
}

/* ---- rename ---- */

typedef struct rename_change {
    catalog *c;
    table_name from, to;
    str from_space_key, from_table_key, to_space_key, to_table_key;
    str uuid; /* of the table that the record speaks of: another may have its name by now */
    const catalog_caller *caller;
    store_staged *record;
    bool published;
} rename_change;

static status apply_rename(void *context, state_txn *txn, error *err)
{
    rename_change *change = context;
    int64_t changed = 0;

    change->published = true;
    TRY(store_publish(change->c->storage, txn, &change->record, 1, err));
    if (!str_equal(change->from_space_key, change->to_space_key) ||
        !str_equal(change->from_table_key, change->to_table_key)) { /* else case alone changes */
        TRY(catalog__refuse_existing(txn, change->to, change->to_space_key, change->to_table_key,
                                     err));
    }
    catalog__document_changes(change->c, txn, change->from_space_key, change->from_table_key, NULL);
    TRY(STATE_EXEC(
        txn,
        "UPDATE tables SET space_key = ?1, table_key = ?2, space = ?3, name = ?4, updated_us = ?7"
        " WHERE space_key = ?5 AND table_key = ?6 AND uuid = ?8",
        &changed, err, SV_TEXT(change->to_space_key), SV_TEXT(change->to_table_key),
        SV_TEXT(change->to.space), SV_TEXT(change->to.table), SV_TEXT(change->from_space_key),
        SV_TEXT(change->from_table_key), SV_INT(clock_now_us()), SV_TEXT(change->uuid)));
    if (changed == 0) {
        return error_set(err, STATUS_NO_TABLE, "table \"%.*s.%.*s\" does not exist",
                         STR_ARG(change->from.space), STR_ARG(change->from.table));
    }
    str pointer;
    TRY(catalog__read_pointer(txn, change->uuid, false, &pointer, err));
    const catalog_event event = {.kind = EVENT_TABLE_RENAMED,
                                 .name = change->from,
                                 .to = change->to,
                                 .uuid = change->uuid,
                                 .metadata_location = pointer,
                                 .snapshot_id = ICE_NO_SNAPSHOT};
    return catalog__note(txn, change->caller, &event, err);
}

static status rename_table(catalog *c, table_name from, table_name to, arena *a, error *err)
{
    ice_metadata *metadata = NULL;
    table_info info;

    TRY(catalog__check_name("table", to.table, err));
    TRY(catalog_load_table(c, from, a, &metadata, &info, err));
    ice_metadata_unref(metadata);
    if (str_equal(info.name.space, to.space) && str_equal(info.name.table, to.table)) {
        return STATUS_OK; /* it has that name: nothing happens */
    }
    TRY(catalog__check_place(c, to.space, info.location, err)); /* not into another warehouse */
    rename_change change = {
        .c = c,
        .from = from,
        .to = to,
        .from_space_key = catalog__fold(a, from.space),
        .from_table_key = catalog__fold(a, from.table),
        .to_space_key = catalog__fold(a, to.space),
        .to_table_key = catalog__fold(a, to.table),
        .uuid = info.uuid,
        .caller = catalog_get_caller(),
    };
    const catalog__row row = {.name = to,
                              .uuid = info.uuid,
                              .location = info.location,
                              .metadata_location = info.metadata_location,
                              .registered = info.registered,
                              .rebase = info.rebase};
    TRY(catalog__stage_name(c, &row, &change.record, err));
    status result = state_submit(c->state, apply_rename, &change, err);
    if (!change.published) {
        store_discard(c->storage, change.record);
    }
    if (result == STATUS_OK) {
        catalog__cache_drop(c, catalog__table_key(a, from));
    }
    return result;
}

status catalog_rename_table(catalog *c, table_name from, table_name to, error *err)
{
    if (c->txn != NULL) {
        return catalog__txn_rename(c, from, to, err);
    }
    arena *a = arena_create();
    str key = catalog__table_key(a, from);

    catalog__take_turns(c, &key, 1);
    status result = rename_table(c, from, to, a, err);
    catalog__leave_turns(c, &key, 1);
    arena_free(a);
    return result;
}

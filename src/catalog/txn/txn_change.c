/* Changes of a table inside of a transaction: a committer whose commits stay in memory, and making the same changes
 * again on what others have made of the table since.
 *
 * Every statement stages its files and a metadata file as any commit does; only the pointer is the transaction's own.
 * The metadata before a statement is always told to be that which the changes stand on, so that the last statement's
 * metadata file is the one to publish, and those of the statements before it go at once. */
#include "txn_view.h"

#include "tarn/base/clock.h"

/* ---- what is staged ---- */

static void discard_all(catalog_txn *txn, txn_table *t)
{
    for (size_t i = 0; i < t->staged.count; i++) {
        store_discard(txn->root->storage, t->staged.items[i]);
    }
    store_discard(txn->root->storage, t->file);
    store_discard(txn->root->storage, t->name_record);
    t->staged.count = 0;
    t->file = NULL;
    t->name_record = NULL;
}

void txn__discard(catalog_txn *txn, txn_table *t)
{
    discard_all(txn, t);
    ice_metadata_unref(t->working);
    ice_metadata_unref(t->written);
    t->working = t->written = NULL;
    t->obsolete.count = 0;
    t->changes.count = 0;
    t->snapshots.count = 0;
}

/* ---- metadata ---- */

static status touch(catalog_txn *txn, txn_table *t, error *err)
{
    status result = catalog__read_metadata(txn->root, t->origin.metadata_location, t->origin.rebase,
                                           &t->begun, err);

    if (result == STATUS_NOT_FOUND) {
        error_set(err, STATUS_CONFLICT,
                  "table \"%.*s.%.*s\" was changed by others so often, or dropped, since the "
                  "transaction began that it cannot be read as of then",
                  STR_ARG(t->origin.name.space), STR_ARG(t->origin.name.table));
        error_hint(err, "Run the transaction again.");
        return STATUS_CONFLICT;
    }
    TRY(result);
    t->base = ice_metadata_ref(t->begun);
    return STATUS_OK;
}

status txn__metadata(catalog_txn *txn, txn_table *t, ice_metadata **ret_metadata, error *err)
{
    if (t->working == NULL && t->base == NULL) {
        TRY(touch(txn, t, err));
    }
    *ret_metadata = ice_metadata_ref(t->working != NULL ? t->working : t->base);
    return STATUS_OK;
}

/* ---- the committer ---- */

typedef struct txn_committer {
    catalog_txn *txn;
    table_name name;
    txn_table *table; /* while its changes are made again; else by name */
} txn_committer;

static status find_table(txn_committer *c, txn_table **ret_table, error *err)
{
    txn_table *t = c->table != NULL ? c->table : txn__find(c->txn, c->name);

    if (t == NULL) {
        return catalog__no_table(&c->txn->view, c->name, err);
    }
    *ret_table = t;
    return STATUS_OK;
}

static status load(void *context, arena *a, ice_metadata **ret_metadata, str *ret_location,
                   error *err)
{
    txn_committer *c = context;
    ice_metadata *m = NULL;
    txn_table *t;

    TRY(find_table(c, &t, err));
    TRY(txn__metadata(c->txn, t, &m, err));
    if (m->rebase_count > 0) {
        ice_metadata_unref(m);
        error_set(
            err, STATUS_UNSUPPORTED,
            "table \"%.*s.%.*s\" can only be read: its files lie elsewhere than its metadata says",
            STR_ARG(t->info.name.space), STR_ARG(t->info.name.table));
        error_hint(err, "CREATE TABLE … AS SELECT copies it into a table that can be changed.");
        return STATUS_UNSUPPORTED;
    }
    *ret_metadata = m;
    *ret_location = str_copy(a, t->base_location);
    return STATUS_OK;
}

/* Of what a statement stages, the metadata file replaces that of the statement before. */
static void keep(catalog_txn *txn, txn_table *t, str new_location, store_staged *const *staged,
                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        store_expose(txn->root->storage, staged[i]);
        if (str_equal(store_staged_location(staged[i]), new_location)) {
            store_discard(txn->root->storage, t->file);
            t->file = staged[i];
        } else {
            vec_push(txn->memory, &t->staged, staged[i]);
        }
    }
}

static status commit(void *context, str base_location, str new_location,
                     const ice_metadata *new_metadata, store_staged *const *staged,
                     size_t staged_count, const str *obsolete, size_t obsolete_count,
                     status (*extra)(void *extra_context, state_txn *txn, error *err),
                     void *extra_context, error *err)
{
    txn_committer *c = context;
    catalog_txn *txn = c->txn;
    ice_metadata *before;
    txn_table *t = NULL;
    status result = find_table(c, &t, err);

    (void)base_location;
    (void)extra_context;
    if (result == STATUS_OK && extra != NULL) {
        result = error_set(err, STATUS_UNSUPPORTED,
                           "this change cannot be part of a transaction of several statements");
    }
    if (result != STATUS_OK) {
        for (size_t i = 0; i < staged_count; i++) {
            store_discard(txn->root->storage, staged[i]);
        }
        return result;
    }
    keep(txn, t, new_location, staged, staged_count);
    for (size_t i = 0; i < obsolete_count; i++) {
        vec_push(txn->memory, &t->obsolete, str_copy(txn->memory, obsolete[i]));
    }
    before = t->working;
    t->working = ice_metadata_with_log(new_metadata, t->base);
    ice_metadata_unref(before);
    ice_metadata_unref(t->written);
    t->written = ice_metadata_ref(new_metadata);
    t->info.metadata_location = str_copy(txn->memory, new_location);
    t->info.updated_us = clock_now_us();
    t->operation = txn->operation;
    return STATUS_OK;
}

static ice_committer committer_of(catalog_txn *txn, txn_committer *c)
{
    return (ice_committer){
        .load = load, .commit = commit, .context = c, .storage = txn->root->storage};
}

/* ---- changes by files ---- */

static txn_change *note(catalog_txn *txn, txn_table *t, txn_change_kind kind)
{
    txn_change *change = ARENA_NEW(txn->memory, txn_change);

    *change = (txn_change){.kind = kind, .operation = txn->operation};
    vec_push(txn->memory, &t->changes, change);
    return change;
}

static void discard_staged(catalog_txn *txn, store_staged *const *staged, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        store_discard(txn->root->storage, staged[i]);
    }
}

/* Nothing happened: nothing is to be made again. */
static void settle(catalog_txn *txn, txn_table *t, status result, const ice_commit_result *made)
{
    if (result == STATUS_OK && made->snapshot_id != ICE_NO_SNAPSHOT) {
        vec_push(txn->memory, &t->snapshots, made->snapshot_id);
    } else {
        t->changes.count--;
    }
}

/* One of the two. */
typedef struct file_change {
    const ice_append *append;
    const ice_overwrite *overwrite;
} file_change;

static void discard_change(catalog_txn *txn, const file_change *what)
{
    if (what->append != NULL) {
        discard_staged(txn, what->append->staged, what->append->staged_count);
    } else {
        discard_staged(txn, what->overwrite->staged, what->overwrite->staged_count);
    }
}

static status change_files(catalog *view, table_name name, const file_change *what,
                           ice_commit_result *ret_result, error *err)
{
    catalog_txn *txn = view->txn;
    txn_committer c = {.txn = txn, .name = name};
    const ice_committer committer = committer_of(txn, &c);
    ice_commit_result made = {.snapshot_id = ICE_NO_SNAPSHOT};
    status result = find_table(&c, &c.table, err);

    if (result != STATUS_OK) {
        discard_change(txn, what);
        return result;
    }
    if (what->append != NULL) {
        note(txn, c.table, TXN_APPEND)->append = ice_append_copy(what->append, txn->memory);
        result = ice_commit_append(&committer, what->append, &made, err);
    } else {
        note(txn, c.table, TXN_OVERWRITE)->overwrite =
            ice_overwrite_copy(what->overwrite, txn->memory);
        result = ice_commit_overwrite(&committer, what->overwrite, &made, err);
    }
    settle(txn, c.table, result, &made);
    TRY(result);
    *ret_result = made;
    return STATUS_OK;
}

status catalog__txn_append(catalog *view, table_name name, const ice_append *append,
                           ice_commit_result *ret_result, error *err)
{
    const file_change what = {.append = append};

    return change_files(view, name, &what, ret_result, err);
}

status catalog__txn_overwrite(catalog *view, table_name name, const ice_overwrite *change,
                              ice_commit_result *ret_result, error *err)
{
    const file_change what = {.overwrite = change};

    return change_files(view, name, &what, ret_result, err);
}

/* ---- changes of metadata alone ---- */

static status commit_metadata(void *context, str base_location, str new_location,
                              const ice_metadata *new_metadata, store_staged *const *staged,
                              size_t staged_count, const str *obsolete, size_t obsolete_count,
                              status (*extra)(void *extra_context, state_txn *txn, error *err),
                              void *extra_context, error *err)
{
    txn_committer *c = context;
    txn_table *t = NULL;

    TRY(commit(context, base_location, new_location, new_metadata, staged, staged_count, obsolete,
               obsolete_count, extra, extra_context, err));
    TRY(find_table(c, &t, err));
    (void)note(c->txn, t, TXN_METADATA);
    return STATUS_OK;
}

ice_committer catalog__txn_committer(catalog *view, table_name name, arena *a)
{
    txn_committer *c = ARENA_NEW(a, txn_committer);
    ice_committer made;

    *c = (txn_committer){
        .txn = view->txn,
        .name = {.space = str_copy(a, name.space), .table = str_copy(a, name.table)}};
    made = committer_of(view->txn, c);
    made.commit = commit_metadata;
    return made;
}

/* ---- again ---- */

/* The bytes of a change's files are what it keeps over bases; the rest is made anew. */
static staged_vec take_files(map *by_location, const ice_file *files, size_t count, arena *a)
{
    staged_vec taken = {0};

    for (size_t i = 0; i < count; i++) {
        store_staged *staged = map_remove(by_location, files[i].path);

        if (staged != NULL) { /* several vectors lie in one file */
            vec_push(a, &taken, staged);
        }
    }
    return taken;
}

static int64_t head_of(const ice_metadata *m, str branch)
{
    if (branch.size == 0 || str_equal(branch, STR("main"))) {
        return m->current_snapshot_id;
    }
    for (size_t i = 0; i < m->ref_count; i++) {
        if (str_equal(m->refs[i].name, branch)) {
            return m->refs[i].snapshot_id;
        }
    }
    return ICE_NO_SNAPSHOT;
}

static status make_again(catalog_txn *txn, txn_table *t, const txn_change *change, staged_vec files,
                         error *err)
{
    txn_committer c = {.txn = txn, .table = t};
    const ice_committer committer = committer_of(txn, &c);
    ice_commit_result made = {.snapshot_id = ICE_NO_SNAPSHOT};
    status result;

    if (change->kind == TXN_APPEND) {
        ice_append append = change->append;

        append.staged = files.items;
        append.staged_count = files.count;
        result = ice_commit_append(&committer, &append, &made, err);
    } else {
        ice_overwrite overwrite = change->overwrite;

        overwrite.staged = files.items;
        overwrite.staged_count = files.count;
        overwrite.read_snapshot_id = head_of(t->begun, overwrite.branch);
        overwrite.own = t->snapshots.items;
        overwrite.own_count = t->snapshots.count;
        result = ice_commit_overwrite(&committer, &overwrite, &made, err);
    }
    if (result == STATUS_OK && made.snapshot_id != ICE_NO_SNAPSHOT) {
        vec_push(txn->memory, &t->snapshots, made.snapshot_id);
    }
    return result;
}

static status load_again(catalog_txn *txn, txn_table *t, arena *a, error *err)
{
    ice_metadata *m = NULL;
    table_info info;
    status result = catalog_load_table(txn->root, t->origin.name, a, &m, &info, err);

    if (result == STATUS_OK && !str_equal(info.uuid, t->origin.uuid)) {
        ice_metadata_unref(m);
        result = STATUS_NO_TABLE;
    }
    if (result == STATUS_NO_TABLE || result == STATUS_NO_NAMESPACE) {
        return error_set(err, STATUS_CONFLICT, "it was dropped or renamed by another commit");
    }
    TRY(result);
    ice_metadata_unref(t->base);
    t->base = m;
    t->base_location = str_copy(txn->memory, info.metadata_location);
    return STATUS_OK;
}

static status refuse_again(const txn_change *change, error *err)
{
    return error_set(err, STATUS_CONFLICT,
                     "it was changed by another commit since the transaction began, and %s is not "
                     "made again on what it is now",
                     change->operation);
}

/* Leaves the files of the changes with the map. */
static map *take_back(catalog_txn *txn, txn_table *t, arena *a)
{
    map *by_location = map_create(a);

    for (size_t i = 0; i < t->staged.count; i++) {
        (void)map_set(by_location, store_staged_location(t->staged.items[i]), t->staged.items[i]);
    }
    t->staged.count = 0;
    store_discard(txn->root->storage, t->file);
    t->file = NULL;
    ice_metadata_unref(t->working);
    ice_metadata_unref(t->written);
    t->working = t->written = NULL;
    t->obsolete.count = 0;
    t->snapshots.count = 0;
    return by_location;
}

static status again(catalog_txn *txn, txn_table *t, arena *a, const char **ret_operation,
                    error *err)
{
    staged_vec *files = ARENA_ARRAY(a, staged_vec, t->changes.count + 1);
    status result = STATUS_OK;
    map_entry entry;
    map *by_location;

    for (size_t i = 0; i < t->changes.count; i++) {
        *ret_operation = t->changes.items[i]->operation;
        if (t->changes.items[i]->kind == TXN_METADATA) {
            return refuse_again(t->changes.items[i], err);
        }
    }
    TRY(load_again(txn, t, a, err));
    by_location = take_back(txn, t, a);
    for (size_t i = 0; i < t->changes.count; i++) {
        const txn_change *change = t->changes.items[i];

        files[i] = change->kind == TXN_APPEND
                       ? take_files(by_location, change->append.files, change->append.file_count, a)
                       : take_files(by_location, change->overwrite.added,
                                    change->overwrite.added_count, a);
    }
    for (size_t at = 0; map_next(by_location, &at, &entry);) { /* manifests and lists */
        store_discard(txn->root->storage, entry.value);
    }
    for (size_t i = 0; i < t->changes.count; i++) {
        if (result != STATUS_OK) {
            discard_staged(txn, files[i].items, files[i].count);
            continue;
        }
        *ret_operation = t->changes.items[i]->operation;
        result = make_again(txn, t, t->changes.items[i], files[i], err);
    }
    return result;
}

status txn__again(catalog_txn *txn, txn_table *t, error *err)
{
    arena *a = arena_create();
    const char *operation = t->operation;
    status result = again(txn, t, a, &operation, err);

    arena_free(a);
    if (result == STATUS_INVALID || result == STATUS_NO_SNAPSHOT || result == STATUS_NO_COLUMN) {
        result = STATUS_CONFLICT; /* it was right on what the transaction read */
    }
    if (result == STATUS_CONFLICT && err != NULL) {
        err->kind = result;
        error_context(err, "%s of table \"%.*s.%.*s\"", operation, STR_ARG(t->info.name.space),
                      STR_ARG(t->info.name.table));
        error_hint(err, "Run the transaction again: it will read the table as it is now.");
    }
    return result;
}

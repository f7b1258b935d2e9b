/* A transaction's view of the catalog: what was there when it began, and its own changes on top. Names, tables and
 * namespaces are looked up, made, renamed and dropped here, in memory; txn_commit.c makes rows of it. */
#include "txn_view.h"

#include <stdlib.h>

#include "tarn/base/clock.h"
#include "tarn/base/mem.h"
#include "tarn/catalog/view.h"

/* ---- begin ---- */

static void add_table(catalog_txn *txn, txn_table *t)
{
    vec_push(txn->memory, &txn->tables, t);
    (void)map_set(txn->names, catalog__table_key(txn->memory, t->info.name), t);
}

static status read_tables(catalog_txn *txn, state_txn *st, error *err)
{
    state_rows *rows = NULL;
    bool more = false;

    TRY(state_query(st,
                    "SELECT " CATALOG__TABLE_COLUMNS " FROM tables ORDER BY space_key, table_key",
                    NULL, 0, &rows, err));
    for (;;) {
        txn_table *t;

        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        t = ARENA_NEW(txn->memory, txn_table);
        catalog__read_row(rows, txn->memory, &t->origin);
        t->info = t->origin;
        t->existed = t->exists = true;
        t->base_location = t->origin.metadata_location;
        add_table(txn, t);
    }
    state_finish(rows);
    return STATUS_OK;
}

static void add_space(catalog_txn *txn, const namespace_info *info, bool existed)
{
    txn_space *s = ARENA_NEW(txn->memory, txn_space);

    *s = (txn_space){.key = catalog__fold(txn->memory, info->name),
                     .info = *info,
                     .existed = existed,
                     .exists = true};
    vec_push(txn->memory, &txn->all_spaces, s);
    (void)map_set(txn->spaces, s->key, s);
}

/* Both in one snapshot of the database. */
static status read_all(void *context, state_txn *st, error *err)
{
    catalog_txn *txn = context;
    namespace_info *spaces = NULL;
    size_t count = 0;

    TRY(catalog__read_namespaces(st, txn->memory, &spaces, &count, err));
    for (size_t i = 0; i < count; i++) {
        add_space(txn, &spaces[i], true);
    }
    TRY(read_tables(txn, st, err));
    return txn__read_views(txn, st, err);
}

/* The files of the metadata that is read may be removed by later commits: what is in memory is held now. */
static void hold_cached(catalog_txn *txn)
{
    arena *a = arena_create();

    for (size_t i = 0; i < txn->tables.count; i++) {
        txn_table *t = txn->tables.items[i];

        t->begun = catalog__cache_peek(txn->root, catalog__table_key(a, t->origin.name),
                                       t->origin.metadata_location);
        t->base = t->begun != NULL ? ice_metadata_ref(t->begun) : NULL;
    }
    arena_free(a);
    txn__hold_views(txn);
}

static void open_view(catalog_txn *txn)
{
    catalog *v = &txn->view;

    *v = (catalog){.txn = txn,
                   .state = txn->root->state,
                   .storage = txn->root->storage,
                   .warehouse = txn->root->warehouse,
                   .warehouse_location = txn->root->warehouse_location,
                   .warehouses = txn->root->warehouses,
                   .guard = txn->root->guard,
                   .opened_us = txn->root->opened_us};
    mutex_init(&v->lock);
    v->cached = map_create(NULL);
    v->queues = map_create(NULL);
    v->views = map_create(NULL);
}

status catalog_txn_begin(catalog *c, bool serializable, catalog_txn **ret_txn, error *err)
{
    catalog_txn *txn = NEW(catalog_txn);
    status result;

    ASSERT(c->txn == NULL);
    txn->root = c;
    txn->memory = arena_create();
    txn->serializable = serializable;
    txn->operation = "statement";
    txn->names = map_create(txn->memory);
    txn->spaces = map_create(txn->memory);
    txn->view_names = map_create(txn->memory);
    open_view(txn);
    result = state_read(c->state, read_all, txn, err);
    if (result != STATUS_OK) {
        txn__free(txn);
        return result;
    }
    hold_cached(txn);
    *ret_txn = txn;
    return STATUS_OK;
}

void txn__free(catalog_txn *txn)
{
    for (size_t i = 0; i < txn->tables.count; i++) {
        txn_table *t = txn->tables.items[i];

        txn__discard(txn, t);
        ice_metadata_unref(t->begun);
        ice_metadata_unref(t->base);
    }
    for (size_t i = 0; i < txn->all_spaces.count; i++) {
        store_discard(txn->root->storage, txn->all_spaces.items[i]->record);
    }
    txn__free_views(txn);
    catalog__release_caches(&txn->view);
    arena_free(txn->memory);
    mem_free(txn);
}

void catalog_txn_rollback(catalog_txn *txn)
{
    if (txn != NULL) {
        txn__free(txn);
    }
}

catalog *catalog_in(catalog_txn *txn)
{
    return &txn->view;
}

void catalog_txn_operation(catalog_txn *txn, const char *name)
{
    txn->operation = name;
}

bool catalog_txn_has_changes(const catalog_txn *txn)
{
    for (size_t i = 0; i < txn->tables.count; i++) {
        const txn_table *t = txn->tables.items[i];

        if (t->existed != t->exists || (t->exists && (t->working != NULL || t->renamed))) {
            return true;
        }
    }
    for (size_t i = 0; i < txn->all_spaces.count; i++) {
        if (txn->all_spaces.items[i]->existed != txn->all_spaces.items[i]->exists) {
            return true;
        }
    }
    return txn__views_changed(txn);
}

/* ---- tables ---- */

txn_table *txn__find(const catalog_txn *txn, table_name name)
{
    arena *a = arena_create();
    txn_table *t = map_get(txn->names, catalog__table_key(a, name));

    arena_free(a);
    return t;
}

/* The strings of the transaction outlive the caller's arena only until it ends. */
static table_info copy_info(const table_info *info, arena *a)
{
    table_info made = *info;

    made.name = (table_name){str_copy(a, info->name.space), str_copy(a, info->name.table)};
    made.uuid = str_copy(a, info->uuid);
    made.metadata_location = str_copy(a, info->metadata_location);
    made.location = str_copy(a, info->location);
    made.rebase = str_is_null(info->rebase) ? STR_NULL : str_copy(a, info->rebase);
    return made;
}

status catalog__refuse_in_txn(const catalog *c, const char *what, error *err)
{
    return c->txn == NULL
               ? STATUS_OK
               : error_set(err, STATUS_UNSUPPORTED, "%s is no part of a transaction", what);
}

status catalog__txn_load(catalog *c, table_name name, arena *a, ice_metadata **ret_metadata,
                         table_info *ret_info, error *err)
{
    txn_table *t = txn__find(c->txn, name);

    if (t == NULL) {
        return catalog__no_table(c, name, err);
    }
    TRY(txn__metadata(c->txn, t, ret_metadata, err));
    *ret_info = copy_info(&t->info, a);
    return STATUS_OK;
}

void catalog_note_read(catalog *c, table_name name)
{
    txn_table *t = c->txn != NULL ? txn__find(c->txn, name) : NULL;

    if (t != NULL) {
        t->read = true;
    }
}

static int compare_names(const void *x, const void *y)
{
    const table_info *a = x, *b = y;
    arena *scratch = arena_create();
    int order =
        str_compare(catalog__fold(scratch, a->name.table), catalog__fold(scratch, b->name.table));

    arena_free(scratch);
    return order;
}

status catalog__txn_list(catalog *c, str space, arena *a, table_info **ret_list, size_t *ret_count,
                         error *err)
{
    str key = catalog__fold(a, space);
    VEC(table_info) found = {0};
    map_entry entry;

    if (!map_has(c->txn->spaces, key)) {
        return catalog__no_namespace(c, space, err);
    }
    for (size_t at = 0; map_next(c->txn->names, &at, &entry);) {
        const txn_table *t = entry.value;

        if (str_equal(catalog__fold(a, t->info.name.space), key)) {
            vec_push(a, &found, copy_info(&t->info, a));
        }
    }
    if (found.count > 1) {
        qsort(found.items, found.count, sizeof(*found.items), compare_names);
    }
    *ret_list = found.items;
    *ret_count = found.count;
    return STATUS_OK;
}

status catalog__refuse_taken(catalog *c, table_name name, error *err)
{
    arena *a = arena_create();
    bool has_space = map_has(c->txn->spaces, catalog__fold(a, name.space));
    bool is_view = false;
    table_name view;
    status result = catalog__find_view(c, name, a, &is_view, &view, err);

    arena_free(a);
    TRY(result);
    if (!has_space) {
        return catalog__no_namespace(c, name.space, err);
    }
    if (is_view) {
        return error_set(err, STATUS_EXISTS, "view \"%.*s.%.*s\" exists already",
                         STR_ARG(name.space), STR_ARG(name.table));
    }
    if (txn__find(c->txn, name) != NULL) {
        result = error_set(err, STATUS_EXISTS, "table \"%.*s.%.*s\" exists already",
                           STR_ARG(name.space), STR_ARG(name.table));
    }
    return result;
}

/* An empty table has its metadata file at once; one with rows gets it with them. */
static status fill_created(catalog *c, txn_table *t, const ice_append *append, arena *a, error *err)
{
    ice_commit_result ignored;

    if (append != NULL) {
        return catalog_append(c, t->info.name, append, &ignored, err);
    }
    TRY(ice_metadata_stage(c->storage, t->working, 0, &t->file, a, &t->info.metadata_location,
                           err));
    t->info.metadata_location = str_copy(c->txn->memory, t->info.metadata_location);
    store_expose(c->storage, t->file);
    return STATUS_OK;
}

static void discard_append(catalog *c, const ice_append *append)
{
    for (size_t i = 0; append != NULL && i < append->staged_count; i++) {
        store_discard(c->storage, append->staged[i]);
    }
}

static status create(catalog *c, const catalog_create *options, arena *a, error *err)
{
    catalog_txn *txn = c->txn;
    ice_create table = options->table;
    ice_metadata *made = NULL;
    txn_table *t;
    status result =
        catalog_plan_location(c, options->name, table.location, a, &table.location, err);

    if (result == STATUS_OK) {
        result = ice_metadata_create(&table, &made, err);
    }
    if (result != STATUS_OK) {
        discard_append(c, options->append);
        return result;
    }
    t = ARENA_NEW(txn->memory, txn_table);
    t->is_asked = options->table.location.size > 0 && !options->location_planned;
    t->info = copy_info(&(table_info){.name = options->name,
                                      .uuid = made->uuid,
                                      .metadata_location = STR(""),
                                      .location = table.location,
                                      .rebase = STR_NULL,
                                      .created_us = clock_now_us()},
                        txn->memory);
    t->info.updated_us = t->info.created_us;
    t->base_location = STR("");
    t->exists = true;
    t->working = made;
    t->operation = txn->operation;
    add_table(txn, t);
    result = fill_created(c, t, options->append, a, err);
    if (result == STATUS_OK && t->file == NULL) { /* no rows at all */
        result = fill_created(c, t, NULL, a, err);
    }
    if (result != STATUS_OK) {
        (void)map_remove(txn->names, catalog__table_key(a, t->info.name));
        t->exists = false;
        txn__discard(txn, t);
    }
    return result;
}

status catalog__txn_create(catalog *c, const catalog_create *options, bool *ret_created, error *err)
{
    status result = catalog__check_name("table", options->name.table, err);
    arena *a;

    if (result == STATUS_OK && options->replace && txn__find(c->txn, options->name) != NULL) {
        a = arena_create();
        result = catalog__replace_table(c, options, a, err);
        arena_free(a);
        *ret_created = result == STATUS_OK;
        return result;
    }
    if (result == STATUS_OK && options->if_not_exists && txn__find(c->txn, options->name) != NULL) {
        discard_append(c, options->append);
        *ret_created = false;
        return STATUS_OK;
    }
    if (result == STATUS_OK) {
        result = catalog__refuse_taken(c, options->name, err);
    }
    if (result != STATUS_OK) {
        discard_append(c, options->append);
        return result;
    }
    a = arena_create();
    result = create(c, options, a, err);
    arena_free(a);
    TRY(result);
    *ret_created = true;
    return STATUS_OK;
}

static status refuse_protected(const txn_table *t, error *err)
{
    if (!t->existed || !t->origin.is_protected) {
        return STATUS_OK;
    }
    error_set(err, STATUS_DENIED, "table \"%.*s.%.*s\" is protected: it is not dropped",
              STR_ARG(t->info.name.space), STR_ARG(t->info.name.table));
    error_hint(err, "Take the flag away first: tarn table unprotect.");
    return STATUS_DENIED;
}

static void drop(catalog_txn *txn, txn_table *t, bool purge)
{
    arena *a = arena_create();

    t->purge = purge;
    (void)map_remove(txn->names, catalog__table_key(a, t->info.name));
    arena_free(a);
    t->exists = false;
    t->operation = txn->operation;
    txn__discard(txn, t);
}

status catalog__txn_drop(catalog *c, table_name name, bool purge, bool if_exists, bool *ret_dropped,
                         error *err)
{
    txn_table *t = txn__find(c->txn, name);

    if (t == NULL && !if_exists) {
        return catalog__no_table(c, name, err);
    }
    if (t != NULL) {
        TRY(refuse_protected(t, err));
        drop(c->txn, t, purge);
    }
    *ret_dropped = t != NULL;
    return STATUS_OK;
}

status catalog__txn_rename(catalog *c, table_name from, table_name to, error *err)
{
    catalog_txn *txn = c->txn;
    txn_table *t = txn__find(txn, from);

    TRY(catalog__check_name("table", to.table, err));
    if (t == NULL) {
        return catalog__no_table(c, from, err);
    }
    TRY(catalog__check_place(c, to.space, t->info.location, err));
    if (txn__find(txn, to) != t) { /* else case alone changes */
        TRY(catalog__refuse_taken(c, to, err));
    }
    (void)map_remove(txn->names, catalog__table_key(txn->memory, t->info.name));
    t->info.name = (table_name){str_copy(txn->memory, to.space), str_copy(txn->memory, to.table)};
    t->renamed = true;
    t->operation = txn->operation;
    (void)map_set(txn->names, catalog__table_key(txn->memory, t->info.name), t);
    return STATUS_OK;
}

/* ---- namespaces ---- */

static namespace_info copy_space(const namespace_info *info, arena *a)
{
    catalog_property *properties = ARENA_ARRAY(a, catalog_property, info->property_count);
    namespace_info made = *info;

    for (size_t i = 0; i < info->property_count; i++) {
        properties[i] = (catalog_property){.key = str_copy(a, info->properties[i].key),
                                           .value = str_copy(a, info->properties[i].value)};
    }
    made.name = str_copy(a, info->name);
    made.location = str_is_null(info->location) ? STR_NULL : str_copy(a, info->location);
    made.properties = properties;
    return made;
}

bool catalog__txn_find_space(catalog *c, str name, arena *a, namespace_info *ret_info)
{
    const txn_space *s = map_get(c->txn->spaces, catalog__fold(a, name));

    if (s != NULL) {
        *ret_info = copy_space(&s->info, a);
    }
    return s != NULL;
}

static int compare_spaces(const void *x, const void *y)
{
    const txn_space *const *a = x, *const *b = y;

    return str_compare((*a)->key, (*b)->key);
}

void catalog__txn_list_spaces(catalog *c, str prefix, arena *a, namespace_info **ret_list,
                              size_t *ret_count)
{
    VEC(const txn_space *) found = {0};
    namespace_info *list;
    map_entry entry;

    for (size_t at = 0; map_next(c->txn->spaces, &at, &entry);) {
        const txn_space *s = entry.value;

        if (str_starts_with(s->key, prefix)) {
            vec_push(a, &found, s);
        }
    }
    if (found.count > 1) {
        qsort(found.items, found.count, sizeof(*found.items), compare_spaces);
    }
    list = ARENA_ARRAY(a, namespace_info, found.count);
    for (size_t i = 0; i < found.count; i++) {
        list[i] = copy_space(&found.items[i]->info, a);
    }
    *ret_list = list;
    *ret_count = found.count;
}

status catalog__txn_create_space(catalog *c, const namespace_info *info, error *err)
{
    catalog_txn *txn = c->txn;
    str key = catalog__fold(txn->memory, info->name);
    size_t dot = str_find_last_char(key, '.');
    namespace_info made;

    if (dot != STR_NPOS && !map_has(txn->spaces, str_slice(key, 0, dot))) {
        error_set(err, STATUS_NO_NAMESPACE, "namespace \"%.*s\" does not exist", (int)dot,
                  info->name.data);
        error_hint(err, "Create the outer namespace first.");
        return STATUS_NO_NAMESPACE;
    }
    if (map_has(txn->spaces, key)) {
        return error_set(err, STATUS_EXISTS, "namespace \"%.*s\" exists already",
                         STR_ARG(info->name));
    }
    made = copy_space(info, txn->memory);
    made.created_us = clock_now_us();
    add_space(txn, &made, false);
    return STATUS_OK;
}

static status refuse_content(const catalog_txn *txn, const txn_space *s, size_t tables,
                             size_t views, error *err)
{
    str prefix = str_concat(txn->memory, s->key, STR("."));
    map_entry entry;

    for (size_t at = 0; map_next(txn->spaces, &at, &entry);) {
        if (str_starts_with(entry.key, prefix)) {
            const txn_space *inner = entry.value;

            error_set(err, STATUS_NOT_EMPTY,
                      "namespace \"%.*s\" is not empty: it holds namespace \"%.*s\"",
                      STR_ARG(s->info.name), STR_ARG(inner->info.name));
            error_hint(err, "Drop that one first.");
            return STATUS_NOT_EMPTY;
        }
    }
    if (tables > 0 || views > 0) {
        size_t count = tables > 0 ? tables : views;

        error_set(err, STATUS_NOT_EMPTY, "namespace \"%.*s\" is not empty: it has %zu %s%s",
                  STR_ARG(s->info.name), count, tables > 0 ? "table" : "view",
                  count == 1 ? "" : "s");
        error_hint(err, "Add CASCADE to drop its tables and views too.");
        return STATUS_NOT_EMPTY;
    }
    return STATUS_OK;
}

status catalog__txn_drop_space(catalog *c, str name, bool cascade, error *err)
{
    catalog_txn *txn = c->txn;
    str key = catalog__fold(txn->memory, name);
    txn_space *s = map_get(txn->spaces, key);
    VEC(txn_table *) inside = {0};
    view_info *views = NULL;
    size_t view_count = 0;
    map_entry entry;

    if (s == NULL) {
        return catalog__no_namespace(c, name, err);
    }
    catalog__txn_list_views(c, name, txn->memory, &views, &view_count);
    for (size_t at = 0; map_next(txn->names, &at, &entry);) {
        txn_table *t = entry.value;

        if (str_equal(catalog__fold(txn->memory, t->info.name.space), key)) {
            vec_push(txn->memory, &inside, t);
        }
    }
    TRY(refuse_content(txn, s, cascade ? 0 : inside.count, cascade ? 0 : view_count, err));
    for (size_t i = 0; i < inside.count; i++) {
        TRY(refuse_protected(inside.items[i], err));
    }
    for (size_t i = 0; i < view_count; i++) {
        (void)catalog__txn_drop_view(c, views[i].name);
    }
    for (size_t i = 0; i < inside.count; i++) {
        drop(txn, inside.items[i], false);
    }
    s->exists = false;
    (void)map_remove(txn->spaces, key);
    return STATUS_OK;
}

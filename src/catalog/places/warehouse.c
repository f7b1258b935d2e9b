/* Warehouses: the first, which the settings name, and further ones, which are namespaces with a flag and a location.
 * They are few and asked for in every request: a copy of them is in memory, replaced whenever a row changes. */
#include "tarn/catalog/warehouse.h"

#include "place.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"
#include "tarn/base/vec.h"
#include "tarn/store/object.h"

struct catalog__warehouses {
    mutex lock; /* guards the rest */
    arena *memory;
    VEC(warehouse_info) all; /* the first one first; `space` folded */
};

/* ---- what is in memory ---- */

static status read_rows(void *context, state_txn *txn, error *err)
{
    catalog__warehouses *w = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(state_query(txn,
                    "SELECT name, location, name_key, created_us FROM namespaces"
                    " WHERE warehouse = 1 ORDER BY name_key",
                    NULL, 0, &rows, err));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        const warehouse_info info = {.name = state_text(rows, 0, w->memory),
                                     .location = state_text(rows, 1, w->memory),
                                     .space = state_text(rows, 2, w->memory),
                                     .created_us = state_int(rows, 3)};
        vec_push(w->memory, &w->all, info);
    }
    state_finish(rows);
    return STATUS_OK;
}

static status read_warehouses(const catalog *c, catalog__warehouses *w, error *err)
{
    const warehouse_info first = {.name = str_copy(w->memory, c->warehouse),
                                  .location = str_copy(w->memory, c->warehouse_location),
                                  .space = STR("")};

    vec_push(w->memory, &w->all, first);
    return state_read(c->state, read_rows, w, err);
}

status catalog__warehouses_load(catalog *c, error *err)
{
    catalog__warehouses fresh = {.memory = arena_create()};
    status result = read_warehouses(c, &fresh, err);
    catalog__warehouses *w = c->warehouses;

    if (result != STATUS_OK) {
        arena_free(fresh.memory);
        return result;
    }
    if (w == NULL) {
        w = NEW(catalog__warehouses);
        mutex_init(&w->lock);
        c->warehouses = w;
    }
    mutex_lock(&w->lock);
    arena *old = w->memory;
    w->memory = fresh.memory;
    w->all.items = fresh.all.items;
    w->all.count = fresh.all.count;
    mutex_unlock(&w->lock);
    if (old != NULL) {
        arena_free(old);
    }
    return STATUS_OK;
}

void catalog__warehouses_free(catalog__warehouses *w)
{
    if (w != NULL) {
        mutex_release(&w->lock);
        arena_free(w->memory);
        mem_free(w);
    }
}

static warehouse_info copy_info(const warehouse_info *info, arena *a)
{
    return (warehouse_info){.name = str_copy(a, info->name),
                            .location = str_copy(a, info->location),
                            .space = str_copy(a, info->space),
                            .created_us = info->created_us};
}

/* `inner` lies in the folder `outer`, or is it. */
static bool lies_in(str inner, str outer)
{
    return str_starts_with(inner, outer) &&
           (inner.size == outer.size || inner.data[outer.size] == '/');
}

/* The warehouse for which `is` says yes. */
static bool find(const catalog *c, bool (*is)(const warehouse_info *info, str asked), str asked,
                 arena *a, warehouse_info *ret_info)
{
    catalog__warehouses *w = c->warehouses;
    bool found = false;

    mutex_lock(&w->lock);
    for (size_t i = 0; i < w->all.count && !found; i++) {
        if (is(&w->all.items[i], asked)) {
            *ret_info = copy_info(&w->all.items[i], a);
            found = true;
        }
    }
    mutex_unlock(&w->lock);
    return found;
}

static bool holds_location(const warehouse_info *info, str location)
{
    return lies_in(location, info->location);
}

static bool holds_space(const warehouse_info *info, str key)
{
    return info->space.size > 0 && str_starts_with(key, info->space) &&
           (key.size == info->space.size || key.data[info->space.size] == '.');
}

static bool is_asked(const warehouse_info *info, str asked)
{
    return asked.size == 0 || str_equal_nocase(info->name, asked) ||
           str_equal(info->location, asked);
}

static bool lies_in_bucket(const warehouse_info *info, str bucket)
{
    str rest = str_starts_with(info->location, STR("s3://"))
                   ? str_slice(info->location, 5, info->location.size)
                   : STR("");
    str ignored;

    return bucket.size > 0 && str_equal(str_cut(rest, '/', &ignored), bucket);
}

bool catalog__warehouse_at(const catalog *c, str location, arena *a, warehouse_info *ret_info)
{
    return find(c, holds_location, location, a, ret_info);
}

warehouse_info catalog_warehouse_of(const catalog *c, str space, arena *a)
{
    warehouse_info info;

    if (!find(c, holds_space, catalog__fold(a, space), a, &info)) {
        (void)find(c, is_asked, STR(""), a, &info);
    }
    return info;
}

bool catalog_holds_bucket(const catalog *c, str bucket)
{
    arena *a = arena_create();
    warehouse_info ignored;
    bool found = find(c, lies_in_bucket, bucket, a, &ignored);

    arena_free(a);
    return found;
}

static status no_warehouse(const catalog *c, str asked, error *err)
{
    catalog__warehouses *w = c->warehouses;
    arena *a = arena_create();

    mutex_lock(&w->lock);
    str *names = ARENA_ARRAY(a, str, w->all.count);
    for (size_t i = 0; i < w->all.count; i++) {
        names[i] = str_copy(a, w->all.items[i].name);
    }
    size_t count = w->all.count;
    mutex_unlock(&w->lock);
    error_set(err, STATUS_NOT_FOUND, "warehouse \"%.*s\" does not exist", STR_ARG(asked));
    str nearest = str_nearest(asked, names, count);
    if (str_is_null(nearest)) {
        error_hint(err, "The first is called \"%.*s\"; tarn catalog ls tells them all.",
                   STR_ARG(c->warehouse));
    } else {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
    arena_free(a);
    return STATUS_NOT_FOUND;
}

status catalog_find_warehouse(catalog *c, str asked, arena *a, warehouse_info *ret_info, error *err)
{
    str wanted = asked;

    while (wanted.size > 1 && str_ends_with(wanted, STR("/"))) {
        wanted.size--;
    }
    return find(c, is_asked, wanted, a, ret_info) ? STATUS_OK : no_warehouse(c, asked, err);
}

status catalog_list_warehouses(catalog *c, arena *a, warehouse_info **ret_list, size_t *ret_count,
                               error *err)
{
    catalog__warehouses *w = c->warehouses;

    (void)err;
    mutex_lock(&w->lock);
    size_t count = w->all.count;
    warehouse_info *list = ARENA_ARRAY(a, warehouse_info, count);
    for (size_t i = 0; i < count; i++) {
        list[i] = copy_info(&w->all.items[i], a);
    }
    mutex_unlock(&w->lock);
    *ret_list = list;
    *ret_count = count;
    return STATUS_OK;
}

/* ---- places ---- */

status catalog__check_place(catalog *c, str space, str location, error *err)
{
    arena *a = arena_create();
    warehouse_info own = catalog_warehouse_of(c, space, a);
    warehouse_info there;
    bool found = catalog__warehouse_at(c, location, a, &there);
    status result = STATUS_OK;

    if (own.space.size > 0 ? !lies_in(location, own.location) || str_equal(location, own.location)
                           : found && there.space.size > 0) {
        result = error_set(
            err, STATUS_DENIED,
            "location \"%.*s\" lies outside warehouse \"%.*s\", which namespace \"%.*s\" is in",
            STR_ARG(location), STR_ARG(own.name), STR_ARG(space));
        error_hint(err, "Choose a location below %.*s/.", STR_ARG(own.location));
    }
    arena_free(a);
    return result;
}

status catalog_space_location(catalog *c, str space, arena *a, str *ret_location, error *err)
{
    namespace_info info;

    TRY(catalog_get_namespace(c, space, a, &info, err));
    return catalog__space_place(c, &info, a, ret_location, err);
}

status catalog__space_place(catalog *c, const namespace_info *info, arena *a, str *ret_location,
                            error *err)
{
    if (!str_is_null(info->location)) {
        *ret_location = info->location;
        return STATUS_OK;
    }
    warehouse_info own = catalog_warehouse_of(c, info->name, a);
    str below = own.space.size > 0 && info->name.size > own.space.size
                    ? str_slice(info->name, own.space.size + 1, info->name.size)
                    : info->name;
    buf *location = buf_in(a, LIMIT_HTTP_TARGET * 4);
    buf_add_str(location, own.location);
    buf_add_char(location, '/');
    catalog__escape_name(location, below);
    TRY(buf_check(location, "location of a namespace", err));
    *ret_location = buf_str(location);
    return STATUS_OK;
}

/* ---- create ---- */

/* The text of a warehouse's record, from which a lost database is rebuilt (recover.c). */
static str record_text(const warehouse_info *info, arena *a)
{
    buf *text = buf_in(a, LIMIT_JSON_BODY);
    json_writer w;

    json_writer_init(&w, text);
    json_begin_object(&w);
    json_member_str(&w, "warehouse", info->name);
    json_member_str(&w, "location", info->location);
    json_end_object(&w);
    return buf_str(text);
}

str catalog__warehouse_records(const catalog *c, arena *a)
{
    return str_printf(a, "%.*s/.tarn/warehouses/", STR_ARG(c->warehouse_location));
}

static str record_location(const catalog *c, str key, arena *a)
{
    buf *location = buf_in(a, LIMIT_HTTP_TARGET * 4);

    buf_add_str(location, catalog__warehouse_records(c, a));
    catalog__escape_name(location, key);
    buf_add_str(location, STR(".json"));
    return buf_str(location);
}

typedef struct warehouse_create {
    catalog *c;
    warehouse_info info;
    str key;
    store_staged *record;
    const catalog_caller *caller;
} warehouse_create;

static status insert_warehouse(void *context, state_txn *txn, error *err)
{
    warehouse_create *create = context;
    int64_t inserted = 0;

    TRY(catalog__refuse_overlap(txn, create->info.location, STR_NULL, err));
    TRY(STATE_EXEC(txn,
                   "INSERT INTO namespaces (name_key, name, location, created_us, warehouse)"
                   " VALUES (?1, ?2, ?3, ?4, 1) ON CONFLICT (name_key) DO NOTHING",
                   &inserted, err, SV_TEXT(create->key), SV_TEXT(create->info.name),
                   SV_TEXT(create->info.location), SV_INT(create->info.created_us)));
    if (inserted == 0) {
        return error_set(err, STATUS_EXISTS, "a namespace or warehouse \"%.*s\" exists already",
                         STR_ARG(create->info.name));
    }
    const catalog_event event = {.kind = EVENT_WAREHOUSE_CREATED,
                                 .name = {.space = create->info.name, .table = STR("")},
                                 .snapshot_id = ICE_NO_SNAPSHOT,
                                 .detail = record_text(&create->info, state_txn_arena(txn))};
    TRY(catalog__note(txn, create->caller, &event, err));
    if (create->record == NULL) {
        return STATUS_OK;
    }
    store_staged *record = create->record;
    create->record = NULL;
    return store_publish(create->c->storage, txn, &record, 1, err);
}

/* What object lock, lifecycle rules and default encryption do to objects, they would do to the files of tables. */
static status check_bucket(const bucket_info *bucket, error *err)
{
    static const char *const documents[] = {"lifecycle", "encryption", "object-lock"};

    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        if (!str_is_null(bucket_document(bucket, documents[i]))) {
            return error_set(err, STATUS_INVALID,
                             "bucket \"%.*s\" has %s rules: no tables lie in such",
                             STR_ARG(bucket->name), documents[i]);
        }
    }
    return STATUS_OK;
}

/* tarn's own, as the first warehouse's is. */
static status make_bucket(catalog *c, str location, error *err)
{
    str rest;
    str name = str_cut(str_slice(location, 5, location.size), '/', &rest);
    const bucket_ref *there = NULL;
    error missing = ERROR_INIT;

    if (bucket_acquire(c->storage, name, &there, &missing) == STATUS_OK) {
        status result = check_bucket(bucket_ref_info(there), err);
        bucket_release(there);
        return result;
    }
    const bucket_info fresh = {.name = name, .owner = STR(""), .region = STR("")};
    status made = bucket_create(c->storage, &fresh, err);
    if (made == STATUS_EXISTS && err != NULL) { /* by somebody else meanwhile */
        error_clear(err);
    }
    return made == STATUS_EXISTS ? STATUS_OK : made;
}

static status settle_warehouse(catalog *c, str asked, arena *a, str *ret_location, error *err)
{
    str location = asked;

    TRY(catalog__check_plain(asked, err));
    TRY(catalog__spell_location(c, asked, a, &location, err));
    catalog__warehouses *w = c->warehouses;
    str other = STR_NULL;
    mutex_lock(&w->lock);
    for (size_t i = 0; i < w->all.count; i++) {
        const warehouse_info *info = &w->all.items[i];
        if (lies_in(info->location, location) || lies_in(location, info->location)) {
            other = str_copy(a, info->name);
        }
    }
    mutex_unlock(&w->lock);
    if (!str_is_null(other)) {
        return error_set(err, STATUS_INVALID,
                         "location \"%.*s\" overlaps that of warehouse \"%.*s\"", STR_ARG(location),
                         STR_ARG(other));
    }
    *ret_location = location;
    return STATUS_OK;
}

static status check_warehouse_name(const catalog *c, str name, error *err)
{
    TRY(catalog__check_name("warehouse", name, err));
    if (str_find_char(name, '.') != STR_NPOS || str_find_char(name, '/') != STR_NPOS) {
        return error_set(err, STATUS_INVALID, "warehouse \"%.*s\" has a dot or a slash in its name",
                         STR_ARG(name));
    }
    return str_equal_nocase(name, c->warehouse)
               ? error_set(err, STATUS_EXISTS, "warehouse \"%.*s\" exists already", STR_ARG(name))
               : STATUS_OK;
}

/* `recorded`: the record is there already. */
static status create_warehouse(catalog *c, str name, str location, bool recorded, arena *a,
                               error *err)
{
    warehouse_create create = {.c = c,
                               .info = {.name = name, .created_us = clock_now_us()},
                               .key = catalog__fold(a, name),
                               .caller = catalog_get_caller()};

    TRY(check_warehouse_name(c, name, err));
    TRY(settle_warehouse(c, location, a, &create.info.location, err));
    if (!store_is_local(create.info.location)) {
        TRY(make_bucket(c, create.info.location, err));
    }
    if (!recorded) {
        TRY(store_stage_bytes(c->storage, record_location(c, create.key, a),
                              STR("application/json"), record_text(&create.info, a), &create.record,
                              err));
    }
    status result = state_submit(c->state, insert_warehouse, &create, err);
    store_discard(c->storage, create.record);
    TRY(result);
    return catalog__warehouses_load(c, err);
}

status catalog_create_warehouse(catalog *c, str name, str location, error *err)
{
    TRY(catalog__refuse_in_txn(c, "a warehouse", err));
    arena *a = arena_create();
    status result = create_warehouse(c, name, location, false, a, err);

    arena_free(a);
    return result;
}

status catalog__restore_warehouse(catalog *c, str name, str location, error *err)
{
    arena *a = arena_create();
    status result = create_warehouse(c, name, location, true, a, err);

    arena_free(a);
    return result;
}

/* ---- drop ---- */

typedef struct warehouse_drop {
    catalog *c;
    warehouse_info info;
    const catalog_caller *caller;
} warehouse_drop;

/* They can come back, and would be tables that nobody can read. */
static status refuse_kept_tables(state_txn *txn, const warehouse_info *info, error *err)
{
    arena *a = state_txn_arena(txn);
    buf *names = buf_in(a, LIMIT_JSON_BODY);
    state_rows *rows = NULL;
    bool more = false;
    size_t count = 0;

    TRY(STATE_QUERY(
        txn,
        "SELECT space, name FROM dropped"
        " WHERE ((location > ?1 AND location < ?2) OR (space_key > ?3 AND space_key < ?4))"
        " AND purge_us <> 1 ORDER BY dropped_us DESC LIMIT 4",
        &rows, err, SV_TEXT(str_concat(a, info->location, STR("/"))),
        SV_TEXT(str_concat(a, info->location, STR("0"))),
        SV_TEXT(str_concat(a, info->space, STR("."))),
        SV_TEXT(str_concat(a, info->space, STR("/")))));
    for (;; count++) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        if (count < 3) {
            str space = state_text(rows, 0, a), table = state_text(rows, 1, a);
            buf_printf(names, "%s\"%.*s.%.*s\"", count > 0 ? ", " : "", STR_ARG(space),
                       STR_ARG(table));
        }
    }
    state_finish(rows);
    if (count == 0) {
        return STATUS_OK;
    }
    error_set(err, STATUS_NOT_EMPTY,
              "warehouse \"%.*s\" is not empty: it keeps dropped table%s %.*s%s",
              STR_ARG(info->name), count > 1 ? "s" : "", STR_ARG(buf_str(names)),
              count > 3 ? " and others" : "");
    error_hint(err,
               "They go after catalog.retention; UNDROP TABLE, then DROP TABLE … PURGE removes "
               "one at once.");
    return STATUS_NOT_EMPTY;
}

static status delete_warehouse(void *context, state_txn *txn, error *err)
{
    const warehouse_drop *drop = context;
    arena *a = state_txn_arena(txn);
    state_rows *rows = NULL;
    bool found = false;

    TRY(catalog__refuse_protected_space(txn, drop->info.space, err));
    TRY(STATE_QUERY(txn,
                    "SELECT name FROM namespaces WHERE name_key > ?1 AND name_key < ?2 LIMIT 1",
                    &rows, err, SV_TEXT(str_concat(a, drop->info.space, STR("."))),
                    SV_TEXT(str_concat(a, drop->info.space, STR("/")))));
    TRY(state_next(rows, &found, err));
    if (found) {
        str inner = state_text(rows, 0, NULL);
        error_set(err, STATUS_NOT_EMPTY,
                  "warehouse \"%.*s\" is not empty: it holds namespace \"%.*s\"",
                  STR_ARG(drop->info.name), STR_ARG(inner));
        error_hint(err, "Drop that one first.");
    }
    state_finish(rows);
    if (found) {
        return STATUS_NOT_EMPTY;
    }
    TRY(refuse_kept_tables(txn, &drop->info, err));
    TRY(STATE_EXEC(txn, "DELETE FROM namespace_properties WHERE name_key = ?1", NULL, err,
                   SV_TEXT(drop->info.space)));
    TRY(STATE_EXEC(txn, "DELETE FROM namespaces WHERE name_key = ?1 AND warehouse = 1", NULL, err,
                   SV_TEXT(drop->info.space)));
    const catalog_event event = {.kind = EVENT_WAREHOUSE_DROPPED,
                                 .name = {.space = drop->info.name, .table = STR("")},
                                 .snapshot_id = ICE_NO_SNAPSHOT,
                                 .detail = record_text(&drop->info, a)};
    TRY(catalog__note(txn, drop->caller, &event, err));
    str record = record_location(drop->c, drop->info.space, a);
    return store_delete(drop->c->storage, txn, &record, 1, err);
}

status catalog_drop_warehouse(catalog *c, str name, error *err)
{
    TRY(catalog__refuse_in_txn(c, "a warehouse", err));
    arena *a = arena_create();
    warehouse_drop drop = {.c = c, .caller = catalog_get_caller()};
    status result = name.size == 0 ? error_set(err, STATUS_INVALID, "warehouse name is empty")
                                   : catalog_find_warehouse(c, name, a, &drop.info, err);

    if (result == STATUS_OK && drop.info.space.size == 0) {
        result = error_set(err, STATUS_INVALID,
                           "warehouse \"%.*s\" cannot be dropped: the settings name it",
                           STR_ARG(drop.info.name));
    }
    if (result == STATUS_OK) {
        result = state_submit(c->state, delete_warehouse, &drop, err);
    }
    if (result == STATUS_OK) {
        result = catalog__warehouses_load(c, err);
    }
    arena_free(a);
    return result;
}

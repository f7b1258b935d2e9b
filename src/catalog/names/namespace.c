/* Namespaces: rows of names and properties. Dropping a filled one drops its tables and views by their own rules. */
#include "places/place.h"

#include "tarn/base/clock.h"
#include "tarn/base/vec.h"

#define DROP_ATTEMPTS 8

typedef struct space_query {
    catalog *c;
    str name;
    arena *a;
    bool found;
    namespace_info info;
} space_query;

static status read_properties(state_txn *txn, str key, arena *a, namespace_info *info, error *err)
{
    VEC(catalog_property) properties = {0};
    state_rows *rows = NULL;
    bool more = false;

    TRY(STATE_QUERY(txn,
                    "SELECT key, value FROM namespace_properties WHERE name_key = ?1 ORDER BY key",
                    &rows, err, SV_TEXT(key)));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        catalog_property property = {.key = state_text(rows, 0, a),
                                     .value = state_text(rows, 1, a)};
        vec_push(a, &properties, property);
    }
    state_finish(rows);
    info->properties = properties.items;
    info->property_count = properties.count;
    return STATUS_OK;
}

static status read_namespace(void *context, state_txn *txn, error *err)
{
    space_query *q = context;
    str key = catalog__fold(q->a, q->name);
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn,
                    "SELECT name, location, created_us, protected, warehouse FROM namespaces"
                    " WHERE name_key = ?1",
                    &rows, err, SV_TEXT(key)));
    TRY(state_next(rows, &q->found, err));
    if (q->found) {
        q->info.name = state_text(rows, 0, q->a);
        q->info.location = state_is_null(rows, 1) ? STR_NULL : state_text(rows, 1, q->a);
        q->info.created_us = state_int(rows, 2);
        q->info.is_protected = state_int(rows, 3) != 0;
        q->info.is_warehouse = state_int(rows, 4) != 0;
    }
    state_finish(rows);
    return q->found ? read_properties(txn, key, q->a, &q->info, err) : STATUS_OK;
}

status catalog__read_space(catalog *c, str name, arena *a, bool *ret_found,
                           namespace_info *ret_info, error *err)
{
    space_query q = {.c = c, .name = name, .a = a};

    TRY(state_read(c->state, read_namespace, &q, err));
    *ret_found = q.found;
    *ret_info = q.info;
    return STATUS_OK;
}

str catalog__space_turn(arena *a, str name)
{
    return catalog__table_key(a, (table_name){.space = name, .table = STR("")});
}

status catalog__namespace_exists(catalog *c, str name, bool *ret_exists, error *err)
{
    arena *a = arena_create();
    space_query q = {.c = c, .name = name, .a = a};
    if (c->txn != NULL) {
        *ret_exists = catalog__txn_find_space(c, name, a, &q.info);
        arena_free(a);
        return STATUS_OK;
    }
    status result = state_read(c->state, read_namespace, &q, err);
    if (result == STATUS_OK) {
        *ret_exists = q.found;
    }
    arena_free(a);
    return result;
}

/* Some clients make no table in a namespace that does not say where it lies. */
static status show_location(catalog *c, namespace_info *info, arena *a, error *err)
{
    catalog_property *shown = ARENA_ARRAY(a, catalog_property, info->property_count + 1);

    for (size_t i = 0; i < info->property_count; i++) {
        shown[i] = info->properties[i];
        if (str_equal(shown[i].key, STR("location"))) {
            return STATUS_OK;
        }
    }
    shown[info->property_count].key = STR("location");
    TRY(catalog__space_place(c, info, a, &shown[info->property_count].value, err));
    info->properties = shown;
    info->property_count++;
    return STATUS_OK;
}

status catalog_get_namespace(catalog *c, str name, arena *a, namespace_info *ret_info, error *err)
{
    space_query q = {.c = c, .name = name, .a = a};

    if (c->txn != NULL) {
        return catalog__txn_find_space(c, name, a, ret_info) ? STATUS_OK
                                                             : catalog__no_namespace(c, name, err);
    }
    TRY(state_read(c->state, read_namespace, &q, err));
    if (!q.found) {
        return catalog__no_namespace(c, name, err);
    }
    TRY(show_location(c, &q.info, a, err));
    *ret_info = q.info;
    return STATUS_OK;
}

/* ---- create ---- */

typedef struct space_create {
    catalog *c;
    str name;
    str key;
    str location;
    str folder; /* that follows from its name, where it has no location; STR_NULL: not looked at */
    const catalog_property *properties;
    size_t count;
    store_staged **record; /* published where it is not NULL */
    const catalog_caller *caller;
} space_create;

static status note_space(state_txn *txn, const catalog_caller *caller, event_kind kind, str name,
                         error *err)
{
    const catalog_event event = {
        .kind = kind, .name = {.space = name, .table = STR("")}, .snapshot_id = ICE_NO_SNAPSHOT};

    return catalog__note(txn, caller, &event, err);
}

static status check_parent(state_txn *txn, const space_create *create, error *err)
{
    size_t dot = str_find_last_char(create->key, '.');
    state_rows *rows = NULL;
    bool found = false;

    if (dot == STR_NPOS) {
        return STATUS_OK;
    }
    TRY(STATE_QUERY(txn, "SELECT 1 FROM namespaces WHERE name_key = ?1", &rows, err,
                    SV_TEXT(str_slice(create->key, 0, dot))));
    TRY(state_next(rows, &found, err));
    state_finish(rows);
    if (!found) {
        error_set(err, STATUS_NO_NAMESPACE, "namespace \"%.*s\" does not exist", (int)dot,
                  create->name.data);
        error_hint(err, "Create the outer namespace first.");
        return STATUS_NO_NAMESPACE;
    }
    return STATUS_OK;
}

static status put_properties(state_txn *txn, str key, const catalog_property *properties,
                             size_t count, error *err)
{
    for (size_t i = 0; i < count; i++) {
        TRY(STATE_EXEC(txn,
                       "INSERT INTO namespace_properties (name_key, key, value) VALUES (?1, ?2, ?3)"
                       " ON CONFLICT (name_key, key) DO UPDATE SET value = excluded.value",
                       NULL, err, SV_TEXT(key), SV_TEXT(properties[i].key),
                       SV_TEXT(properties[i].value)));
    }
    return STATUS_OK;
}

static status insert_namespace(void *context, state_txn *txn, error *err)
{
    const space_create *create = context;
    int64_t inserted = 0;

    TRY(check_parent(txn, create, err));
    TRY(catalog__refuse_space(create->c, txn, create->location, err));
    status result = catalog__refuse_space(create->c, txn, create->folder, err);
    if (result == STATUS_INVALID) {
        error_hint(err, "Give the namespace a \"location\": its tables lie there then.");
    }
    TRY(result);
    TRY(STATE_EXEC(
        txn,
        "INSERT INTO namespaces (name_key, name, location, created_us) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (name_key) DO NOTHING",
        &inserted, err, SV_TEXT(create->key), SV_TEXT(create->name),
        str_is_null(create->location) ? SV_NULL : SV_TEXT(create->location),
        SV_INT(clock_now_us())));
    if (inserted == 0) {
        return error_set(err, STATUS_EXISTS, "namespace \"%.*s\" exists already",
                         STR_ARG(create->name));
    }
    TRY(put_properties(txn, create->key, create->properties, create->count, err));
    if (create->record != NULL && *create->record != NULL) {
        store_staged *record = *create->record;
        *create->record = NULL;
        TRY(store_publish(create->c->storage, txn, &record, 1, err));
    }
    return note_space(txn, create->caller, EVENT_NAMESPACE_CREATED, create->name, err);
}

status catalog__insert_namespace(catalog *c, state_txn *txn, const namespace_info *info,
                                 store_staged **record, const catalog_caller *caller, error *err)
{
    space_create create = {.c = c,
                           .name = info->name,
                           .key = catalog__fold(state_txn_arena(txn), info->name),
                           .location = info->location,
                           .properties = info->properties,
                           .count = info->property_count,
                           .record = record,
                           .caller = caller};

    return insert_namespace(&create, txn, err);
}

static status check_levels(str name, error *err)
{
    for (str rest = name; !str_is_null(rest);) {
        TRY(catalog__check_name("namespace", str_cut(rest, '.', &rest), err));
    }
    return STATUS_OK;
}

static status submit_creation(space_create *create, const namespace_info *info, arena *a,
                              error *err)
{
    catalog *c = create->c;
    str turn = catalog__space_turn(a, info->name);

    catalog__take_turns(c, &turn, 1);
    bool exists = false;
    status result = catalog__namespace_exists(c, info->name, &exists, err);
    if (result == STATUS_OK && !exists) {
        result = catalog__stage_space(c, info, create->record, err);
    }
    if (result == STATUS_OK) {
        result = state_submit(c->state, insert_namespace, create, err);
        store_discard(c->storage, *create->record);
    }
    catalog__leave_turns(c, &turn, 1);
    return result;
}

status catalog_create_namespace(catalog *c, str name, const catalog_property *properties,
                                size_t count, error *err)
{
    TRY(check_levels(name, err));
    arena *a = arena_create();
    space_create create = {.c = c,
                           .name = name,
                           .key = catalog__fold(a, name),
                           .properties = properties,
                           .count = count,
                           .caller = catalog_get_caller()};
    store_staged *record = NULL;
    const namespace_info plain = {.name = name, .location = STR_NULL};
    status result = catalog__space_place(c, &plain, a, &create.folder, err);

    create.record = &record;
    for (size_t i = 0; i < count && result == STATUS_OK; i++) {
        if (str_equal(properties[i].key, STR("location"))) {
            result = catalog__settle_location(c, properties[i].value, a, &create.location, err);
            create.folder = STR_NULL;
            if (result == STATUS_OK) {
                result = catalog__check_place(c, name, create.location, err);
            }
        }
    }
    if (result == STATUS_OK) {
        const namespace_info info = {.name = name,
                                     .location = create.location,
                                     .properties = properties,
                                     .property_count = count};
        result = c->txn != NULL ? catalog__txn_create_space(c, &info, err)
                                : submit_creation(&create, &info, a, err);
    }
    arena_free(a);
    return result;
}

/* ---- restore ---- */

typedef struct space_restore {
    const namespace_info *info;
    str key, location;
    bool recorded;
} space_restore;

static status restore_namespace(void *context, state_txn *txn, error *err)
{
    const space_restore *r = context;
    int64_t made = 0;

    TRY(STATE_EXEC(txn,
                   "INSERT INTO namespaces (name_key, name, created_us) VALUES (?1, ?2, ?3)"
                   " ON CONFLICT (name_key) DO NOTHING",
                   &made, err, SV_TEXT(r->key), SV_TEXT(r->info->name), SV_INT(clock_now_us())));
    if (made > 0) {
        TRY(note_space(txn, catalog_get_caller(), EVENT_NAMESPACE_CREATED, r->info->name, err));
    }
    if (!r->recorded) {
        return STATUS_OK;
    }
    TRY(STATE_EXEC(txn,
                   "UPDATE namespaces SET name = ?1, protected = ?2, location = CASE warehouse"
                   " WHEN 1 THEN location ELSE ?3 END WHERE name_key = ?4",
                   NULL, err, SV_TEXT(r->info->name), SV_INT(r->info->is_protected ? 1 : 0),
                   str_is_null(r->location) ? SV_NULL : SV_TEXT(r->location), SV_TEXT(r->key)));
    return put_properties(txn, r->key, r->info->properties, r->info->property_count, err);
}

/* Made whatever lies where its tables would. */
status catalog__restore_space(catalog *c, const namespace_info *info, bool recorded, error *err)
{
    arena *a = arena_create();
    space_restore r = {.info = info,
                       .key = catalog__fold(a, info->name),
                       .location = STR_NULL,
                       .recorded = recorded};
    status result = check_levels(info->name, err);

    for (size_t i = 0; i < info->property_count && result == STATUS_OK; i++) {
        if (str_equal(info->properties[i].key, STR("location"))) {
            result = catalog__settle_location(c, info->properties[i].value, a, &r.location, err);
        }
    }
    if (result == STATUS_OK) {
        result = state_submit(c->state, restore_namespace, &r, err);
    }
    arena_free(a);
    return result;
}

/* ---- list ---- */

typedef struct space_list {
    str prefix; /* folded, with a dot behind; empty for all */
    arena *a;
    VEC(namespace_info) found;
    VEC(str) keys; /* theirs */
} space_list;

/* What no key that begins with the prefix is above: "/" follows ".", and nothing the last character. */
static str end_of(const space_list *list)
{
    return list->prefix.size == 0
               ? STR("\xf4\x8f\xbf\xbf")
               : str_concat(list->a, str_slice(list->prefix, 0, list->prefix.size - 1), STR("/"));
}

/* Both lists are in the order of the keys. */
static status read_all_properties(space_list *list, state_txn *txn, error *err)
{
    VEC(catalog_property) properties = {0};
    state_rows *rows = NULL;
    size_t at = 0;
    bool more = false;

    TRY(STATE_QUERY(txn,
                    "SELECT key, value, name_key FROM namespace_properties"
                    " WHERE name_key > ?1 AND name_key < ?2 ORDER BY name_key, key",
                    &rows, err, SV_TEXT(list->prefix), SV_TEXT(end_of(list))));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        while (at < list->found.count &&
               str_compare(list->keys.items[at], state_text(rows, 2, NULL)) < 0) {
            at++;
            properties.items = NULL;
            properties.count = properties.capacity = 0;
        }
        if (at == list->found.count ||
            !str_equal(list->keys.items[at], state_text(rows, 2, NULL))) {
            continue;
        }
        vec_push(list->a, &properties,
                 ((catalog_property){.key = state_text(rows, 0, list->a),
                                     .value = state_text(rows, 1, list->a)}));
        list->found.items[at].properties = properties.items;
        list->found.items[at].property_count = properties.count;
    }
    state_finish(rows);
    return STATUS_OK;
}

static status read_list(void *context, state_txn *txn, error *err)
{
    space_list *list = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(STATE_QUERY(
        txn,
        "SELECT name, location, created_us, name_key, protected, warehouse FROM namespaces"
        " WHERE name_key > ?1 AND name_key < ?2 ORDER BY name_key",
        &rows, err, SV_TEXT(list->prefix), SV_TEXT(end_of(list))));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        namespace_info info = {.name = state_text(rows, 0, list->a),
                               .created_us = state_int(rows, 2),
                               .is_protected = state_int(rows, 4) != 0,
                               .is_warehouse = state_int(rows, 5) != 0};
        info.location = state_is_null(rows, 1) ? STR_NULL : state_text(rows, 1, list->a);
        vec_push(list->a, &list->found, info);
        vec_push(list->a, &list->keys, state_text(rows, 3, list->a));
    }
    state_finish(rows);
    return read_all_properties(list, txn, err);
}

status catalog__read_namespaces(state_txn *txn, arena *a, namespace_info **ret_list,
                                size_t *ret_count, error *err)
{
    space_list list = {.prefix = STR(""), .a = a};

    TRY(read_list(&list, txn, err));
    *ret_list = list.found.items;
    *ret_count = list.found.count;
    return STATUS_OK;
}

status catalog_list_namespaces(catalog *c, str parent, arena *a, namespace_info **ret_list,
                               size_t *ret_count, error *err)
{
    space_list list = {.a = a};

    if (parent.size > 0) {
        list.prefix = str_concat(a, catalog__fold(a, parent), STR("."));
    }
    if (c->txn != NULL) {
        catalog__txn_list_spaces(c, list.prefix, a, ret_list, ret_count);
        return STATUS_OK;
    }
    TRY(state_read(c->state, read_list, &list, err));
    *ret_list = list.found.items;
    *ret_count = list.found.count;
    return STATUS_OK;
}

/* ---- drop ---- */

typedef struct space_drop {
    catalog *c;
    str name;
    str key;
    bool cascade;
    bool found;
    arena *a;
    /* CASCADE: how its tables go, and the records of those that were there before the transaction, by uuid */
    catalog__drop how;
    map *records;
    bool is_stale;      /* a table has come since */
    store_staged *gone; /* the record that says that it is dropped; NULL: none is written */
} space_drop;

typedef VEC(str) key_list;

/* `sql` answers the keys of what is in the namespace; refused where there is something and CASCADE is not asked for. */
static status keys_of(state_txn *txn, const space_drop *drop, const char *sql, const char *what,
                      key_list *ret_keys, error *err)
{
    key_list keys = {0};
    state_rows *rows = NULL;
    bool more = false;

    TRY(STATE_QUERY(txn, sql, &rows, err, SV_TEXT(drop->key)));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        vec_push(drop->a, &keys, state_text(rows, 0, drop->a));
    }
    state_finish(rows);
    if (keys.count > 0 && !drop->cascade) {
        error_set(err, STATUS_NOT_EMPTY, "namespace \"%.*s\" is not empty: it has %zu %s%s",
                  STR_ARG(drop->name), keys.count, what, keys.count == 1 ? "" : "s");
        error_hint(err, "Add CASCADE to drop its tables and views too.");
        return STATUS_NOT_EMPTY;
    }
    *ret_keys = keys;
    return STATUS_OK;
}

static status publish_record(const space_drop *drop, state_txn *txn, str uuid, error *err)
{
    store_staged *record = map_remove(drop->records, uuid);

    return record != NULL ? store_publish(drop->c->storage, txn, &record, 1, err) : STATUS_OK;
}

static status drop_tables(state_txn *txn, space_drop *drop, error *err)
{
    key_list names, uuids;
    bool dropped = false;

    TRY(keys_of(txn, drop, "SELECT name FROM tables WHERE space_key = ?1 ORDER BY table_key",
                "table", &names, err));
    TRY(keys_of(txn, drop, "SELECT uuid FROM tables WHERE space_key = ?1 ORDER BY table_key",
                "table", &uuids, err));
    for (size_t i = 0; i < names.count; i++) {
        const table_name name = {.space = drop->name, .table = names.items[i]};

        if (!map_has(drop->records, uuids.items[i])) {
            drop->is_stale = true;
            return error_set(err, STATUS_CONFLICT, "table \"%.*s.%.*s\" was made meanwhile",
                             STR_ARG(name.space), STR_ARG(name.table));
        }
        TRY(catalog__delete_table(drop->c, txn, name, uuids.items[i], &drop->how, &dropped, err));
        TRY(publish_record(drop, txn, uuids.items[i], err));
    }
    return STATUS_OK;
}

static status drop_content(state_txn *txn, space_drop *drop, error *err)
{
    key_list views;
    bool dropped = false;

    TRY(drop_tables(txn, drop, err));
    TRY(keys_of(txn, drop, "SELECT view_key FROM views WHERE space_key = ?1", "view", &views, err));
    for (size_t i = 0; i < views.count; i++) {
        TRY(catalog__drop_view(drop->c, txn, drop->how.caller, drop->key, views.items[i], &dropped,
                               err));
    }
    return STATUS_OK;
}

static status refuse_inner(state_txn *txn, const space_drop *drop, error *err)
{
    state_rows *rows = NULL;
    bool more = false;

    /* "/" follows "." */
    TRY(STATE_QUERY(txn,
                    "SELECT name FROM namespaces WHERE name_key > ?1 AND name_key < ?2 LIMIT 1",
                    &rows, err, SV_TEXT(str_concat(drop->a, drop->key, STR("."))),
                    SV_TEXT(str_concat(drop->a, drop->key, STR("/")))));
    TRY(state_next(rows, &more, err));
    if (more) {
        str inner = state_text(rows, 0, NULL);
        error_set(err, STATUS_NOT_EMPTY,
                  "namespace \"%.*s\" is not empty: it holds namespace \"%.*s\"",
                  STR_ARG(drop->name), STR_ARG(inner));
        error_hint(err, "Drop that one first.");
    }
    state_finish(rows);
    return more ? STATUS_NOT_EMPTY : STATUS_OK;
}

static status refuse_warehouse(state_txn *txn, const space_drop *drop, error *err)
{
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM namespaces WHERE name_key = ?1 AND warehouse = 1", &rows,
                    err, SV_TEXT(drop->key)));
    TRY(state_next(rows, &found, err));
    state_finish(rows);
    if (found) {
        error_set(err, STATUS_INVALID, "\"%.*s\" is a warehouse, not a namespace",
                  STR_ARG(drop->name));
        error_hint(err, "Drop it with tarn catalog drop.");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

/* The bytes of a record that goes are erased after the answer; the last one of its name says that it is dropped, and is
 * erased after those before it. */
static status remove_record(space_drop *drop, state_txn *txn, error *err)
{
    str record = catalog__space_record(drop->c, drop->key, drop->a);
    store_staged *gone = drop->gone;

    if (drop->found && gone != NULL) {
        drop->gone = NULL;
        TRY(store_publish(drop->c->storage, txn, &gone, 1, err));
    }
    return store_delete(drop->c->storage, txn, &record, 1, err);
}

static status delete_namespace(void *context, state_txn *txn, error *err)
{
    space_drop *drop = context;
    int64_t deleted = 0;

    TRY(refuse_warehouse(txn, drop, err));
    TRY(catalog__refuse_protected_space(txn, drop->key, err));
    TRY(refuse_inner(txn, drop, err));
    TRY(drop_content(txn, drop, err));
    TRY(STATE_EXEC(txn, "DELETE FROM namespace_properties WHERE name_key = ?1", NULL, err,
                   SV_TEXT(drop->key)));
    TRY(STATE_EXEC(txn, "DELETE FROM namespaces WHERE name_key = ?1", &deleted, err,
                   SV_TEXT(drop->key)));
    drop->found = deleted > 0;
    TRY(remove_record(drop, txn, err));
    return drop->found ? note_space(txn, drop->how.caller, EVENT_NAMESPACE_DROPPED, drop->name, err)
                       : STATUS_OK;
}

status catalog__delete_namespace(catalog *c, state_txn *txn, str name, const catalog_caller *caller,
                                 error *err)
{
    arena *a = state_txn_arena(txn);
    space_drop drop = {.c = c,
                       .name = name,
                       .key = catalog__fold(a, name),
                       .a = a,
                       .how = catalog__drop_now(c, false),
                       .records = map_create(a)};

    drop.how.caller = caller;
    return delete_namespace(&drop, txn, err);
}

/* The records of its tables are staged before, since a transaction is no place for files. */
static status stage_records(space_drop *drop, error *err)
{
    table_info *tables = NULL;
    size_t count = 0;
    status listed = catalog_list_tables(drop->c, drop->name, drop->a, &tables, &count, err);

    if (listed == STATUS_NO_NAMESPACE) { /* told later */
        if (err != NULL) {
            error_clear(err);
        }
        return STATUS_OK;
    }
    TRY(listed);
    for (size_t i = 0; i < count; i++) {
        store_staged *record = NULL;
        TRY(catalog__stage_dropped(drop->c, &tables[i], &drop->how, &record, err));
        (void)map_set(drop->records, tables[i].uuid, record); /* NULL where there is none */
    }
    return STATUS_OK;
}

static status attempt_drop(space_drop *drop, error *err)
{
    map_entry entry;

    drop->is_stale = false;
    status result = catalog__stage_dropped_space(drop->c, drop->name, &drop->gone, err);
    if (result == STATUS_OK && drop->cascade) {
        result = stage_records(drop, err);
    }
    if (result == STATUS_OK) {
        result = state_submit(drop->c->state, delete_namespace, drop, err);
    }
    for (size_t at = 0; map_next(drop->records, &at, &entry);) {
        store_discard(drop->c->storage, entry.value);
    }
    drop->records = map_create(drop->a);
    store_discard(drop->c->storage, drop->gone);
    drop->gone = NULL;
    return result;
}

status catalog_drop_namespace(catalog *c, str name, bool cascade, error *err)
{
    if (str_equal_nocase(name, STR("main"))) {
        return error_set(err, STATUS_INVALID,
                         "namespace \"main\" cannot be dropped: names without a namespace mean it");
    }
    if (c->txn != NULL) {
        return catalog__txn_drop_space(c, name, cascade, err);
    }
    arena *a = arena_create();
    space_drop drop = {.c = c,
                       .name = name,
                       .key = catalog__fold(a, name),
                       .cascade = cascade,
                       .a = a,
                       .how = catalog__drop_now(c, false),
                       .records = map_create(a)};
    status result = attempt_drop(&drop, err);
    for (int i = 1; i < DROP_ATTEMPTS && result == STATUS_CONFLICT && drop.is_stale; i++) {
        if (err != NULL) {
            error_clear(err);
        }
        result = attempt_drop(&drop, err);
    }
    arena_free(a);
    if (result == STATUS_OK && !drop.found) {
        return catalog__no_namespace(c, name, err);
    }
    if (result == STATUS_OK && cascade) {
        catalog__purge_soon(c);
        catalog__keeper_wake(c);
    }
    return result;
}

/* Namespaces: rows of names and properties. Dropping a filled one drops its tables and views by their own rules. */
#include "internal.h"

#include "tarn/base/clock.h"
#include "tarn/base/vec.h"

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

    TRY(STATE_QUERY(txn, "SELECT name, location, created_us FROM namespaces WHERE name_key = ?1",
                    &rows, err, SV_TEXT(key)));
    TRY(state_next(rows, &q->found, err));
    if (q->found) {
        q->info.name = state_text(rows, 0, q->a);
        q->info.location = state_is_null(rows, 1) ? STR_NULL : state_text(rows, 1, q->a);
        q->info.created_us = state_int(rows, 2);
    }
    state_finish(rows);
    return q->found ? read_properties(txn, key, q->a, &q->info, err) : STATUS_OK;
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
    *ret_info = q.info;
    return STATUS_OK;
}

/* ---- create ---- */

typedef struct space_create {
    str name;
    str key;
    str location;
    const catalog_property *properties;
    size_t count;
} space_create;

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

static status insert_namespace(void *context, state_txn *txn, error *err)
{
    const space_create *create = context;
    int64_t inserted = 0;

    TRY(check_parent(txn, create, err));
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
    for (size_t i = 0; i < create->count; i++) {
        TRY(STATE_EXEC(txn,
                       "INSERT INTO namespace_properties (name_key, key, value) VALUES (?1, ?2, ?3)"
                       " ON CONFLICT (name_key, key) DO UPDATE SET value = excluded.value",
                       NULL, err, SV_TEXT(create->key), SV_TEXT(create->properties[i].key),
                       SV_TEXT(create->properties[i].value)));
    }
    return STATUS_OK;
}

status catalog__insert_namespace(state_txn *txn, const namespace_info *info, error *err)
{
    space_create create = {.name = info->name,
                           .key = catalog__fold(state_txn_arena(txn), info->name),
                           .location = info->location,
                           .properties = info->properties,
                           .count = info->property_count};

    return insert_namespace(&create, txn, err);
}

static status check_levels(str name, error *err)
{
    for (str rest = name; !str_is_null(rest);) {
        TRY(catalog__check_name("namespace", str_cut(rest, '.', &rest), err));
    }
    return STATUS_OK;
}

status catalog_create_namespace(catalog *c, str name, const catalog_property *properties,
                                size_t count, error *err)
{
    TRY(check_levels(name, err));
    arena *a = arena_create();
    space_create create = {
        .name = name, .key = catalog__fold(a, name), .properties = properties, .count = count};
    status result = STATUS_OK;

    for (size_t i = 0; i < count && result == STATUS_OK; i++) {
        if (str_equal(properties[i].key, STR("location"))) {
            result = catalog__settle_location(c, properties[i].value, a, &create.location, err);
        }
    }
    if (result == STATUS_OK) {
        const namespace_info info = {.name = name,
                                     .location = create.location,
                                     .properties = properties,
                                     .property_count = count};
        result = c->txn != NULL ? catalog__txn_create_space(c, &info, err)
                                : state_submit(c->state, insert_namespace, &create, err);
    }
    arena_free(a);
    return result;
}

/* ---- list ---- */

typedef struct space_list {
    str prefix; /* folded, with a dot behind; empty for all */
    arena *a;
    VEC(namespace_info) found;
} space_list;

static status read_list(void *context, state_txn *txn, error *err)
{
    space_list *list = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(state_query(txn,
                    "SELECT name, location, created_us, name_key FROM namespaces ORDER BY name_key",
                    NULL, 0, &rows, err));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        if (!str_starts_with(state_text(rows, 3, NULL), list->prefix)) {
            continue;
        }
        namespace_info info = {.name = state_text(rows, 0, list->a),
                               .created_us = state_int(rows, 2)};
        info.location = state_is_null(rows, 1) ? STR_NULL : state_text(rows, 1, list->a);
        vec_push(list->a, &list->found, info);
    }
    state_finish(rows);
    for (size_t i = 0; i < list->found.count; i++) {
        namespace_info *info = &list->found.items[i];
        TRY(read_properties(txn, catalog__fold(list->a, info->name), list->a, info, err));
    }
    return STATUS_OK;
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

static status drop_content(state_txn *txn, const space_drop *drop, error *err)
{
    key_list tables, views;
    bool dropped = false;

    TRY(keys_of(txn, drop, "SELECT table_key FROM tables WHERE space_key = ?1", "table", &tables,
                err));
    TRY(keys_of(txn, drop, "SELECT view_key FROM views WHERE space_key = ?1", "view", &views, err));
    for (size_t i = 0; i < tables.count; i++) {
        TRY(catalog__delete_table(drop->c, txn, drop->key, tables.items[i], &dropped, err));
    }
    for (size_t i = 0; i < views.count; i++) {
        TRY(catalog__delete_view(drop->c, txn, drop->key, views.items[i], &dropped, err));
    }
    return STATUS_OK;
}

static status refuse_inner(state_txn *txn, const space_drop *drop, error *err)
{
    state_rows *rows = NULL;
    bool more = false;

    TRY(state_query(txn, "SELECT name_key, name FROM namespaces", NULL, 0, &rows, err));
    str prefix = str_concat(drop->a, drop->key, STR("."));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        if (str_starts_with(state_text(rows, 0, NULL), prefix)) {
            str inner = state_text(rows, 1, NULL);
            error_set(err, STATUS_NOT_EMPTY,
                      "namespace \"%.*s\" is not empty: it holds namespace \"%.*s\"",
                      STR_ARG(drop->name), STR_ARG(inner));
            error_hint(err, "Drop that one first.");
            state_finish(rows);
            return STATUS_NOT_EMPTY;
        }
    }
    state_finish(rows);
    return STATUS_OK;
}

static status delete_namespace(void *context, state_txn *txn, error *err)
{
    space_drop *drop = context;
    int64_t deleted = 0;

    TRY(refuse_inner(txn, drop, err));
    TRY(drop_content(txn, drop, err));
    TRY(STATE_EXEC(txn, "DELETE FROM namespace_properties WHERE name_key = ?1", NULL, err,
                   SV_TEXT(drop->key)));
    TRY(STATE_EXEC(txn, "DELETE FROM namespaces WHERE name_key = ?1", &deleted, err,
                   SV_TEXT(drop->key)));
    drop->found = deleted > 0;
    return STATUS_OK;
}

status catalog__delete_namespace(catalog *c, state_txn *txn, str name, error *err)
{
    arena *a = state_txn_arena(txn);
    space_drop drop = {.c = c, .name = name, .key = catalog__fold(a, name), .a = a};

    return delete_namespace(&drop, txn, err);
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
    space_drop drop = {
        .c = c, .name = name, .key = catalog__fold(a, name), .cascade = cascade, .a = a};
    status result = state_submit(c->state, delete_namespace, &drop, err);
    arena_free(a);
    if (result == STATUS_OK && !drop.found) {
        return catalog__no_namespace(c, name, err);
    }
    if (result == STATUS_OK && cascade) {
        catalog__purge_soon(c);
    }
    return result;
}

/* Properties of namespaces: changed, with the location among them checked. */
#include "places/place.h"

#include "tarn/base/limits.h"
#include "tarn/base/vec.h"
#include "tarn/codec/json.h"

#define LOCATION_KEY "location"

typedef struct space_change {
    catalog *c;
    const catalog_property_change *asked;
    str name, key;
    str location; /* settled; STR_NULL: not set */
    arena *a;
    bool found;
    int64_t changed; /* properties that have another value than before */
    VEC(str) removed;
    VEC(str) missing;
    store_staged *record;
    const catalog_caller *caller;
} space_change;

static status check_keys(const catalog_property_change *change, error *err)
{
    for (size_t i = 0; i < change->set_count; i++) {
        str key = change->set[i].key;

        if (key.size == 0) {
            return error_set(err, STATUS_INVALID, "a property of a namespace has an empty name");
        }
        for (size_t k = 0; k < change->removed_count; k++) {
            if (str_equal(key, change->removed[k])) {
                return error_set(err, STATUS_INVALID, "property \"%.*s\" is both set and removed",
                                 STR_ARG(key));
            }
        }
    }
    return STATUS_OK;
}

/* Where a warehouse lies is no matter of a property. */
static status find_space(space_change *change, state_txn *txn, error *err)
{
    state_rows *rows = NULL;
    bool is_warehouse = false;

    TRY(STATE_QUERY(txn, "SELECT warehouse, name FROM namespaces WHERE name_key = ?1", &rows, err,
                    SV_TEXT(change->key)));
    TRY(state_next(rows, &change->found, err));
    if (change->found) {
        is_warehouse = state_int(rows, 0) != 0;
        change->name = state_text(rows, 1, change->a);
    }
    state_finish(rows);
    if (is_warehouse && !str_is_null(change->location)) {
        return error_set(err, STATUS_INVALID, "the location of warehouse \"%.*s\" stays",
                         STR_ARG(change->name));
    }
    return STATUS_OK;
}

static status remove_keys(space_change *change, state_txn *txn, error *err)
{
    for (size_t i = 0; i < change->asked->removed_count; i++) {
        str key = change->asked->removed[i];
        int64_t deleted = 0;

        TRY(STATE_EXEC(txn, "DELETE FROM namespace_properties WHERE name_key = ?1 AND key = ?2",
                       &deleted, err, SV_TEXT(change->key), SV_TEXT(key)));
        if (deleted == 0) {
            vec_push(change->a, &change->missing, key);
            continue;
        }
        vec_push(change->a, &change->removed, key);
        if (str_equal(key, STR(LOCATION_KEY))) {
            TRY(STATE_EXEC(
                txn, "UPDATE namespaces SET location = NULL WHERE name_key = ?1 AND warehouse = 0",
                NULL, err, SV_TEXT(change->key)));
        }
    }
    return STATUS_OK;
}

static status set_keys(space_change *change, state_txn *txn, error *err)
{
    for (size_t i = 0; i < change->asked->set_count; i++) {
        const catalog_property *property = &change->asked->set[i];
        int64_t changed = 0;

        TRY(STATE_EXEC(txn,
                       "INSERT INTO namespace_properties (name_key, key, value) VALUES (?1, ?2, ?3)"
                       " ON CONFLICT (name_key, key) DO UPDATE SET value = excluded.value"
                       " WHERE namespace_properties.value <> excluded.value",
                       &changed, err, SV_TEXT(change->key), SV_TEXT(property->key),
                       SV_TEXT(property->value)));
        change->changed += changed;
    }
    return str_is_null(change->location)
               ? STATUS_OK
               : STATE_EXEC(txn, "UPDATE namespaces SET location = ?1 WHERE name_key = ?2", NULL,
                            err, SV_TEXT(change->location), SV_TEXT(change->key));
}

static void put_keys(json_writer *w, const char *member, const str *keys, size_t count)
{
    json_key(w, member);
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        json_put_str(w, keys[i]);
    }
    json_end_array(w);
}

/* As updateProperties answers: {"updated": […], "removed": […], "missing": […]}. */
static status describe(const space_change *change, str *ret_detail, error *err)
{
    buf *out = buf_in(change->a, LIMIT_JSON_BODY);
    json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "updated");
    json_begin_array(&w);
    for (size_t i = 0; i < change->asked->set_count; i++) {
        json_put_str(&w, change->asked->set[i].key);
    }
    json_end_array(&w);
    put_keys(&w, "removed", change->removed.items, change->removed.count);
    put_keys(&w, "missing", change->missing.items, change->missing.count);
    json_end_object(&w);
    TRY(buf_check(out, "event", err));
    *ret_detail = buf_str(out);
    return STATUS_OK;
}

static status apply(void *context, state_txn *txn, error *err)
{
    space_change *change = context;
    str detail;

    TRY(find_space(change, txn, err));
    if (!change->found) {
        return STATUS_OK;
    }
    TRY(catalog__refuse_space(change->c, txn, change->location, err));
    TRY(remove_keys(change, txn, err));
    TRY(set_keys(change, txn, err));
    if (change->changed == 0 && change->removed.count == 0) {
        return STATUS_OK;
    }
    if (change->record != NULL) { /* it was there already when that was staged */
        store_staged *record = change->record;
        change->record = NULL;
        TRY(store_publish(change->c->storage, txn, &record, 1, err));
    }
    TRY(describe(change, &detail, err));
    const catalog_event event = {.kind = EVENT_NAMESPACE_CHANGED,
                                 .detail = detail,
                                 .name = {.space = change->name, .table = STR("")},
                                 .snapshot_id = ICE_NO_SNAPSHOT};
    return catalog__note(txn, change->caller, &event, err);
}

static status settle_location(catalog *c, space_change *change, error *err)
{
    for (size_t i = 0; i < change->asked->set_count; i++) {
        const catalog_property *property = &change->asked->set[i];

        if (str_equal(property->key, STR(LOCATION_KEY))) {
            TRY(catalog__settle_location(c, property->value, change->a, &change->location, err));
            TRY(catalog__check_place(c, change->name, change->location, err));
        }
    }
    return STATUS_OK;
}

static bool is_removed(const catalog_property_change *asked, str key)
{
    for (size_t i = 0; i < asked->removed_count; i++) {
        if (str_equal(asked->removed[i], key)) {
            return true;
        }
    }
    for (size_t i = 0; i < asked->set_count; i++) {
        if (str_equal(asked->set[i].key, key)) {
            return true;
        }
    }
    return false;
}

/* As it will be, in the order of the rows. */
static status stage_record(space_change *change, error *err)
{
    VEC(catalog_property) next = {0};
    namespace_info info;
    bool found = false;

    TRY(catalog__read_space(change->c, change->name, change->a, &found, &info, err));
    if (!found) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < info.property_count; i++) {
        if (!is_removed(change->asked, info.properties[i].key)) {
            vec_push(change->a, &next, info.properties[i]);
        }
    }
    for (size_t i = 0; i < change->asked->set_count; i++) {
        vec_push(change->a, &next, change->asked->set[i]);
    }
    info.properties = next.items;
    info.property_count = next.count;
    return catalog__stage_space(change->c, &info, &change->record, err);
}

static status submit(space_change *change, error *err)
{
    catalog *c = change->c;
    str turn = catalog__space_turn(change->a, change->name);

    catalog__take_turns(c, &turn, 1);
    status result = stage_record(change, err);
    if (result == STATUS_OK) {
        result = state_submit(c->state, apply, change, err);
        store_discard(c->storage, change->record);
    }
    catalog__leave_turns(c, &turn, 1);
    return result;
}

status catalog_change_namespace(catalog *c, str name, const catalog_property_change *change,
                                arena *a, catalog_property_result *ret_result, error *err)
{
    space_change work = {.c = c,
                         .asked = change,
                         .name = name,
                         .key = catalog__fold(a, name),
                         .location = STR_NULL,
                         .a = a,
                         .caller = catalog_get_caller()};

    TRY(catalog__refuse_in_txn(c, "a change of a namespace's properties", err));
    TRY(check_keys(change, err));
    TRY(settle_location(c, &work, err));
    TRY(submit(&work, err));
    if (!work.found) {
        return catalog__no_namespace(c, name, err);
    }
    *ret_result = (catalog_property_result){.removed = work.removed.items,
                                            .removed_count = work.removed.count,
                                            .missing = work.missing.items,
                                            .missing_count = work.missing.count};
    return STATUS_OK;
}

/* request.c: requests of tables as a whole: the table of actions, updates read in their order and made in their order.
 * What the single actions read and do stands in the files beside. */
#include "request_parts.h"

#include "tarn/base/limits.h"
#include "tarn/base/rng.h"

/* What the lists that updates make anew may take. */
#define MEMORY_MAX (1024 * LIMIT_MIB)

/* Each update but a removal makes new lists of what there is: a commit that wants more than these is a mistake. */
enum { UPDATES_MAX = 1000, DEFAULT_FORMAT_VERSION = 2, UNPARTITIONED_LAST_ID = 999 };

/* clang-format off */
static const ice__action actions[] = {
    /* name                           what it says                       in tables                              in views                     */
    {"assign-uuid",                 ice__read_uuid,                 ice__apply_uuid,                        ice__view_uuid,              false},
    {"upgrade-format-version",      ice__read_format_version,       ice__apply_format_version,              ice__view_format_version,    false},
    {"add-schema",                  ice__read_schema,               ice__apply_add_schema,                  ice__view_add_schema,        false},
    {"set-current-schema",          ice__read_schema_id,            ice__apply_current_schema,              NULL,                        false},
    {"add-spec",                    ice__read_spec,                 ice__apply_add_spec,                    NULL,                        false},
    {"set-default-spec",            ice__read_spec_id,              ice__apply_default_spec,                NULL,                        false},
    {"add-sort-order",              ice__read_order,                ice__apply_add_order,                   NULL,                        false},
    {"set-default-sort-order",      ice__read_order_id,             ice__apply_default_order,               NULL,                        false},
    {"add-snapshot",                ice__read_snapshot,             ice__apply_add_snapshot,                NULL,                        false},
    {"set-snapshot-ref",            ice__read_ref,                  ice__apply_set_ref,                     NULL,                        false},
    {"remove-snapshots",            ice__read_snapshot_ids,         ice__apply_remove_snapshots,            NULL,                        true},
    {"remove-snapshot-ref",         ice__read_ref_name,             ice__apply_remove_ref,                  NULL,                        true},
    {"set-location",                ice__read_location,             ice__apply_location,                    ice__view_location,          false},
    {"set-properties",              ice__read_properties,           ice__apply_set_properties,              ice__view_set_properties,    false},
    {"remove-properties",           ice__read_removals,             ice__apply_remove_properties,           ice__view_remove_properties, false},
    {"add-view-version",            ice__read_version,              NULL,                                   ice__view_add_version,       false},
    {"set-current-view-version",    ice__read_version_id,           NULL,                                   ice__view_current_version,   false},
    {"set-statistics",              ice__read_statistics,           ice__apply_set_statistics,              NULL,                        false},
    {"remove-statistics",           ice__read_snapshot_id,          ice__apply_remove_statistics,           NULL,                        true},
    {"set-partition-statistics",    ice__read_partition_statistics, ice__apply_set_partition_statistics,    NULL,                        false},
    {"remove-partition-statistics", ice__read_snapshot_id,          ice__apply_remove_partition_statistics, NULL,                        true},
    {"remove-partition-specs",      ice__read_spec_ids,             ice__apply_remove_specs,                NULL,                        false},
    {"remove-schemas",              ice__read_schema_ids,           ice__apply_remove_schemas,              NULL,                        false},
    {"add-encryption-key",          ice__read_key,                  ice__apply_add_key,                     NULL,                        false},
    {"remove-encryption-key",       ice__read_key_id,               ice__apply_remove_key,                  NULL,                        false},
};
/* clang-format on */

/* ---- reading ---- */

static status find_action(const json *value, bool of_view, const ice__action **ret_action,
                          error *err)
{
    str name = json_str_or(json_get(value, "action"), STR_NULL);

    if (json_kind_of(value) != JSON_OBJECT || str_is_null(name)) {
        return error_set(err, STATUS_INVALID, "an update is an object with the text \"action\"");
    }
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        if (!str_equal(name, str_c(actions[i].name))) {
            continue;
        }
        if (of_view ? actions[i].apply_view == NULL : actions[i].apply == NULL) {
            return error_set(err, STATUS_INVALID, "\"%s\" is no update of a %s", actions[i].name,
                             of_view ? "view" : "table");
        }
        *ret_action = &actions[i];
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "update \"%.*s\" is unknown", STR_ARG(name));
}

static status name_update(status s, size_t index, error *err)
{
    if (s != STATUS_OK) {
        error_context(err, "updates[%zu]", index);
    }
    return s;
}

/* Before one is read: what is too much costs little. */
static status find_actions(const json *list, bool of_view, ice__update *updates, error *err)
{
    size_t counted = 0;

    for (size_t i = 0; i < json_count(list); i++) {
        TRY(name_update(find_action(json_at(list, i), of_view, &updates[i].action, err), i, err));
        counted += updates[i].action->takes_away ? 0 : 1;
        if (counted > UPDATES_MAX) {
            return error_set(err, STATUS_INVALID,
                             "a commit has at most %d updates, beside those that remove snapshots,"
                             " references and statistics",
                             UPDATES_MAX);
        }
    }
    return STATUS_OK;
}

status ice__updates_read(const json *body, bool of_view, arena *a, ice__updates *ret_updates,
                         error *err)
{
    const json *list = json_get(body, "updates");
    size_t count = json_count(list);
    ice__update *updates = ARENA_ARRAY(a, ice__update, count);

    if (json_kind_of(body) != JSON_OBJECT || json_kind_of(list) != JSON_ARRAY) {
        return error_set(err, STATUS_INVALID, "a commit is an object with the list \"updates\"");
    }
    TRY(find_actions(list, of_view, updates, err));
    for (size_t i = 0; i < count; i++) {
        ice__update *u = &updates[i];

        TRY(name_update(ice__as_invalid(u->action->read(json_at(list, i), a, u, err), err), i,
                        err));
    }
    *ret_updates = (ice__updates){.items = updates, .count = count};
    return STATUS_OK;
}

status ice__as_invalid(status s, error *err)
{
    if (s == STATUS_OK || s == STATUS_CONFLICT || s == STATUS_TOO_LARGE ||
        s == STATUS_OUT_OF_MEMORY || s == STATUS_INTERNAL) {
        return s;
    }
    if (err != NULL) {
        err->kind = STATUS_INVALID;
        err->sqlstate[0] = '\0';
    }
    return STATUS_INVALID;
}

/* ---- places ---- */

static bool is_path_property(str key)
{
    return str_starts_with(key, STR("write.")) && str_ends_with(key, STR(".path"));
}

status ice__updates_places(const ice__updates *updates,
                           status (*visit)(void *context, ice_place_kind kind, str location,
                                           error *err),
                           void *context, error *err)
{
    for (size_t i = 0; i < updates->count; i++) {
        const ice__update *u = &updates->items[i];
        str file = json_str_or(json_get(u->value, "statistics-path"), STR_NULL);

        if (u->action->read == ice__read_location) {
            TRY(visit(context, ICE_AT_TABLE, u->text, err));
        }
        for (size_t k = 0; u->properties != NULL && k < u->count; k++) {
            if (is_path_property(u->properties[k].key)) {
                TRY(visit(context, ICE_AT_PATH_PROPERTY, u->properties[k].value, err));
            }
        }
        if (!str_is_null(file)) {
            TRY(visit(context, ICE_AT_FILE, file, err));
        }
        if (u->snapshot == NULL) {
            continue;
        }
        if (!str_is_null(u->snapshot->manifest_list)) {
            TRY(visit(context, ICE_AT_FILE, u->snapshot->manifest_list, err));
        }
        for (size_t k = 0; k < u->snapshot->manifest_count; k++) {
            TRY(visit(context, ICE_AT_FILE, u->snapshot->manifests[k], err));
        }
    }
    return STATUS_OK;
}

/* ---- making the updates ---- */

static status finish(ice__applying *x, error *err)
{
    const ice_metadata *m = ice_builder_now(x->b);

    ice__remove_gathered(x);
    ice__settle_log(x);
    if (ice_metadata_schema(m) == NULL) {
        return error_set(err, STATUS_INVALID, "the table would have no schema");
    }
    TRY(ice__check_leaning(x, err));
    TRY(ice__as_invalid(ice__check_sources(m, err), err));
    return ice__as_invalid(ice__check_main(x, err), err);
}

static status apply_all(ice__applying *x, const ice__updates *updates, error *err)
{
    for (size_t i = 0; i < updates->count; i++) {
        const ice__update *u = &updates->items[i];
        status s;

        if (!u->action->takes_away) {
            ice__remove_gathered(x);
        }
        x->update = i;
        s = ice__as_invalid(u->action->apply(x, u, err), err);
        if (s == STATUS_INVALID) {
            error_context(err, "updates[%zu]", i);
        }
        TRY(s);
        TRY(ice__check_memory(x->memory, err));
    }
    return STATUS_OK;
}

status ice__check_memory(const arena *a, error *err)
{
    return arena_used_bytes(a) <= MEMORY_MAX
               ? STATUS_OK
               : error_set(err, STATUS_TOO_LARGE,
                           "the commit changes more than fits into %zu MiB: commit it in parts",
                           MEMORY_MAX / LIMIT_MIB);
}

static ice__applying applying(ice_builder *b, bool creates)
{
    return (ice__applying){.b = b,
                           .memory = b->memory,
                           .creates = creates,
                           .last_schema = ICE__LAST_ADDED,
                           .last_spec = ICE__LAST_ADDED,
                           .last_order = ICE__LAST_ADDED};
}

status ice__request_apply(const ice__updates *updates, ice_builder *b, error *err)
{
    ice__applying x = applying(b, false);

    TRY(apply_all(&x, updates, err));
    return finish(&x, err);
}

ice_metadata *ice__metadata_nothing(int version, arena *a)
{
    ice_metadata *m = ARENA_NEW(a, ice_metadata);

    m->format_version = version;
    m->current_snapshot_id = ICE_NO_SNAPSHOT;
    m->last_partition_id = UNPARTITIONED_LAST_ID;
    m->current_schema_id = m->default_spec_id = m->default_order_id = ICE_NO_ID;
    m->memory = a;
    return m;
}

static int first_version(const ice__updates *updates)
{
    for (size_t i = 0; i < updates->count; i++) {
        if (updates->items[i].action->read == ice__read_format_version) {
            return updates->items[i].id;
        }
    }
    return DEFAULT_FORMAT_VERSION;
}

/* What a client left out because nothing else is possible. */
static status fill_up(ice__applying *x, str location, error *err)
{
    const ice_spec unpartitioned = {.id = 0};
    const ice_sort_order unsorted = {.id = 0};
    ice_metadata *m = &x->b->now;
    char uuid[37];
    int32_t id;

    if (str_is_null(m->uuid)) {
        random_uuid(uuid);
        m->uuid = str_copy(x->memory, str_c(uuid));
    }
    if (!str_is_null(location)) {
        ice_builder_set_location(x->b, location);
    }
    if (str_is_null(m->location)) {
        return error_set(err, STATUS_INVALID, "the table would have no location");
    }
    if (m->spec_count == 0) {
        TRY(ice__put_spec(x, &unpartitioned, &id, err));
        m->default_spec_id = id;
    }
    if (m->order_count == 0) {
        TRY(ice__put_order(x, &unsorted, &id, err));
        m->default_order_id = id;
    }
    return STATUS_OK;
}

static status make(const ice__updates *updates, str location, arena *a, ice_metadata **ret_metadata,
                   error *err)
{
    int version = first_version(updates);
    ice__applying x;

    if (version < 1 || version > 3) {
        return error_set(err, STATUS_INVALID, "format version %d is not one of 1, 2 and 3",
                         version);
    }
    x = applying(ice_builder_create(ice__metadata_nothing(version, a), a), true);
    TRY(apply_all(&x, updates, err));
    TRY(fill_up(&x, location, err));
    TRY(finish(&x, err));
    if (ice_metadata_spec(ice_builder_now(x.b)) == NULL) {
        return error_set(err, STATUS_INVALID, "the table would have no default partition spec");
    }
    return ice__as_invalid(ice_builder_build(x.b, STR_NULL, ret_metadata, err), err);
}

status ice__request_create(const ice__updates *updates, str location, ice_metadata **ret_metadata,
                           error *err)
{
    arena *a = arena_create();
    status s = make(updates, location, a, ret_metadata, err);

    arena_free(a);
    return s;
}

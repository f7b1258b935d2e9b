/* builder.c: new table metadata from old: the life of a builder, and what belongs to the table as a whole. */
#include "builder.h"

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"

enum { FORMAT_VERSION_MAX = 3 };

ice_builder *ice_builder_create(const ice_metadata *base, arena *a)
{
    ice_builder *b = ARENA_NEW(a, ice_builder);

    b->base = base;
    b->memory = a;
    ice__metadata_assign(&b->now, base);
    return b;
}

const ice_metadata *ice_builder_now(const ice_builder *b)
{
    return &b->now;
}

/* --- lists --- */

ice_schema *ice__builder_schemas(ice_builder *b, size_t room)
{
    ice_schema *list = ARENA_ARRAY(b->memory, ice_schema, b->now.schema_count + room);

    for (size_t i = 0; i < b->now.schema_count; i++) {
        list[i] = b->now.schemas[i];
    }
    b->now.schemas = list;
    return list;
}

ice_spec *ice__builder_specs(ice_builder *b, size_t room)
{
    ice_spec *list = ARENA_ARRAY(b->memory, ice_spec, b->now.spec_count + room);

    for (size_t i = 0; i < b->now.spec_count; i++) {
        list[i] = b->now.specs[i];
    }
    b->now.specs = list;
    return list;
}

/* --- properties --- */

/* What other tools show as properties though it is metadata: nobody may say it twice. */
static const char *const reserved[] = {
    "uuid",
    "snapshot-count",
    "current-snapshot-id",
    "current-snapshot-summary",
    "current-snapshot-timestamp-ms",
    "current-schema",
    "default-partition-spec",
    "default-sort-order",
};

bool ice__follows_from_table(str key)
{
    for (size_t i = 0; i < COUNT_OF(reserved); i++) {
        if (str_equal(key, str_c(reserved[i]))) {
            return true;
        }
    }
    return false;
}

static void replace_properties(ice_builder *b, str skip, const ice_property *more)
{
    ice_property *list = ARENA_ARRAY(b->memory, ice_property, b->now.property_count + 1);
    size_t count = 0;
    bool placed = more == NULL;

    for (size_t i = 0; i < b->now.property_count; i++) {
        if (!str_equal(b->now.properties[i].key, skip)) {
            list[count++] = b->now.properties[i];
        } else if (!placed) {
            list[count++] = *more; /* at its old place */
            placed = true;
        }
    }
    if (!placed) {
        list[count++] = *more;
    }
    b->now.properties = list;
    b->now.property_count = count;
}

status ice_builder_set_property(ice_builder *b, str key, str value, error *err)
{
    ice_property property = {.key = str_copy(b->memory, key), .value = str_copy(b->memory, value)};

    if (key.size == 0) {
        return error_set(err, STATUS_INVALID, "a property has an empty name");
    }
    TRY(ice_property_check(key, value, err));
    if (str_equal(key, STR("format-version"))) {
        return ice_builder_set_format_version(b, value.data[0] - '0', err); /* checked: a digit */
    }
    TRY(ice__check_property_column(&b->now, key, b->memory, err));
    if (ice__follows_from_table(key)) {
        return error_set(err, STATUS_INVALID,
                         "property \"%.*s\" cannot be set: it follows from the table",
                         STR_ARG(key));
    }
    replace_properties(b, key, &property);
    return STATUS_OK;
}

void ice__put_property(ice_builder *b, str key, str value)
{
    ice_property property = {.key = str_copy(b->memory, key), .value = str_copy(b->memory, value)};

    replace_properties(b, key, &property);
}

void ice_builder_remove_property(ice_builder *b, str key)
{
    replace_properties(b, key, NULL);
}

void ice_builder_set_location(ice_builder *b, str location)
{
    while (location.size > 1 && location.data[location.size - 1] == '/') {
        location.size--;
    }
    b->now.location = str_copy(b->memory, location);
}

/* --- the format --- */

/* Snapshots as the higher version writes them. */
static status upgrade_snapshots(ice_builder *b, error *err)
{
    ice_snapshot *list = ARENA_ARRAY(b->memory, ice_snapshot, b->now.snapshot_count);

    for (size_t i = 0; i < b->now.snapshot_count; i++) {
        list[i] = b->now.snapshots[i];
        list[i].text = STR_NULL; /* it is the old version's */
        list[i].chapter = NULL;
        if (str_is_null(list[i].manifest_list)) {
            error_set(err, STATUS_UNSUPPORTED,
                      "snapshot %lld has no manifest list, which format version 2 wants",
                      (long long)list[i].id);
            error_hint(err, "Expire the snapshots that the oldest writers left first.");
            return STATUS_UNSUPPORTED;
        }
    }
    b->now.snapshots = list;
    return STATUS_OK;
}

status ice_builder_set_format_version(ice_builder *b, int version, error *err)
{
    char uuid[37];

    if (version < 1 || version > FORMAT_VERSION_MAX) {
        return error_set(err, STATUS_INVALID, "format version %d is not one of 1, 2 and 3",
                         version);
    }
    if (version < b->now.format_version) {
        return error_set(err, STATUS_INVALID,
                         "a table of format version %d cannot go back to version %d",
                         b->now.format_version, version);
    }
    if (version == b->now.format_version) {
        return STATUS_OK;
    }
    if (b->now.format_version == 1) {
        TRY(upgrade_snapshots(b, err));
    }
    if (str_is_null(b->now.uuid)) { /* optional in version 1 alone */
        random_uuid(uuid);
        b->now.uuid = str_copy(b->memory, str_c(uuid));
    }
    if (b->now.format_version < 3) {
        b->now.next_row_id = 0; /* rows before have no ids until a manifest list gives them some */
    }
    b->now.format_version = version;
    return STATUS_OK;
}

/* --- building --- */

/* What most changes touch, compared without writing all of it down. */
static bool differs_plainly(const ice_metadata *x, const ice_metadata *y)
{
    bool differs = x->snapshot_count != y->snapshot_count || x->ref_count != y->ref_count ||
                   x->schema_count != y->schema_count || x->property_count != y->property_count ||
                   x->current_snapshot_id != y->current_snapshot_id ||
                   !str_equal(x->location, y->location);

    for (size_t i = 0; !differs && i < x->property_count; i++) {
        differs = !str_equal(x->properties[i].key, y->properties[i].key) ||
                  !str_equal(x->properties[i].value, y->properties[i].value);
    }
    return differs;
}

bool ice__metadata_same(const ice_metadata *x, const ice_metadata *y)
{
    buf first;
    buf second;
    bool same;

    if (differs_plainly(x, y)) {
        return false;
    }
    buf_init(&first, LIMIT_METADATA_FILE);
    buf_init(&second, LIMIT_METADATA_FILE);
    ice_metadata_format(x, &first);
    ice_metadata_format(y, &second);
    same = !first.failed && str_equal(buf_str(&first), buf_str(&second));
    buf_release(&first);
    buf_release(&second);
    return same;
}

/* What must hold whatever was asked for, so that no mistake in a change becomes a table nobody can read. */
static status check_whole(const ice_builder *b, error *err)
{
    const ice_metadata *m = &b->now;
    bool has_order = false;

    for (size_t i = 0; i < m->order_count; i++) {
        has_order = has_order || m->orders[i].id == m->default_order_id;
    }
    if (ice_metadata_schema(m) == NULL || ice_metadata_spec(m) == NULL || !has_order) {
        return error_set(err, STATUS_INTERNAL, "table metadata would miss its current parts");
    }
    for (size_t i = 0; i < m->ref_count; i++) {
        if (ice_metadata_snapshot_by_id(m, m->refs[i].snapshot_id) == NULL) {
            return error_set(err, STATUS_NO_SNAPSHOT,
                             "reference \"%.*s\" names snapshot %lld, which the table lacks",
                             STR_ARG(m->refs[i].name), (long long)m->refs[i].snapshot_id);
        }
    }
    return STATUS_OK;
}

status ice__builder_finish(ice_builder *b, str base_location, error *err)
{
    int64_t now_ms = clock_now_ms();

    TRY(check_whole(b, err));
    /* Clocks jump; the history of a table does not go back. */
    b->now.last_updated_ms = now_ms > b->now.last_updated_ms ? now_ms : b->now.last_updated_ms;
    if (!str_is_null(base_location)) {
        ice__log_metadata(&b->now, b->base, base_location, b->memory, &b->obsolete);
    }
    return STATUS_OK;
}

status ice_builder_build(ice_builder *b, str base_location, ice_metadata **ret_metadata, error *err)
{
    TRY(ice__builder_finish(b, base_location, err));
    *ret_metadata = ice__metadata_copy(&b->now);
    return STATUS_OK;
}

status ice_builder_prepare(ice_builder *b, str base_location, ice_prepared *ret_prepared,
                           error *err)
{
    ice_prepared p = {.nothing = ice__metadata_same(b->base, &b->now)};

    if (!p.nothing) {
        TRY(ice__builder_finish(b, base_location, err));
        TRY(ice__metadata_render(&b->now, ice_metadata_location_version(base_location) + 1,
                                 b->memory, &p.location, &p.bytes, err));
        p.next = ice__metadata_copy(&b->now);
        p.obsolete = b->obsolete.items;
        p.obsolete_count = b->obsolete.count;
    }
    *ret_prepared = p;
    return STATUS_OK;
}

/* metadata_create.c: metadata of a table that does not exist yet. */
#include <stdatomic.h>

#include "tarn/base/clock.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"
#include "tarn/iceberg/metadata.h"

#include "internal.h"

enum { DEFAULT_FORMAT_VERSION = 2, FORMAT_VERSION_MAX = 3, FIRST_PARTITION_ID = 1000 };

/* Properties that are kept; "format-version" is an instruction, not a property. */
static status take_properties(const ice_create *options, arena *a, ice_metadata *m, error *err)
{
    VEC(ice_property) kept = {0};

    for (size_t i = 0; i < options->property_count; i++) {
        const ice_property *property = &options->properties[i];

        TRY(ice_property_check(property->key, property->value, err));
        if (!str_equal(property->key, STR("format-version"))) {
            ice_property copy = {.key = ice__copy(a, property->key),
                                 .value = ice__copy(a, property->value)};

            vec_push(a, &kept, copy);
        }
    }
    m->properties = kept.items;
    m->property_count = kept.count;
    return STATUS_OK;
}

static int choose_version(const ice_create *options)
{
    int version = options->format_version;

    for (size_t i = 0; version == 0 && i < options->property_count; i++) {
        if (str_equal(options->properties[i].key, STR("format-version"))) {
            version = options->properties[i].value.data[0] - '0'; /* checked: one digit */
        }
    }
    return version == 0 ? DEFAULT_FORMAT_VERSION : version;
}

/* The id of the field in `to` that stands where `id` stands in `from`, a type of the same fields; 0: none. */
static int32_t same_place(const ice_type *from, const ice_type *to, int32_t id)
{
    for (size_t i = 0; i < from->field_count && i < to->field_count; i++) {
        if (from->fields[i].id == id) {
            return to->fields[i].id;
        }
        int32_t inner = same_place(from->fields[i].type, to->fields[i].type, id);
        if (inner != 0) {
            return inner;
        }
    }
    return 0;
}

static void take_like(const ice_metadata *like, arena *a, ice_metadata *m, ice_schema *schema)
{
    const ice_schema *from = ice_metadata_schema(like);
    const ice_sort_order *order = NULL;
    int32_t *ids = ARENA_ARRAY(a, int32_t, from->identifier_count + 1);
    size_t count = 0;

    for (size_t i = 0; i < from->identifier_count; i++) {
        int32_t id = same_place(from->root, schema->root, from->identifier_ids[i]);
        ids[count] = id;
        count += id != 0 ? 1 : 0;
    }
    schema->identifier_ids = ids;
    schema->identifier_count = count;
    for (size_t i = 0; i < like->order_count; i++) {
        order = like->orders[i].id == like->default_order_id ? &like->orders[i] : order;
    }
    if (order == NULL || order->field_count == 0) {
        return;
    }
    ice_sort_order *orders = ARENA_ARRAY(a, ice_sort_order, 2); /* 0: unsorted */
    ice_sort_field *fields = ARENA_ARRAY(a, ice_sort_field, order->field_count);
    for (size_t i = 0; i < order->field_count; i++) {
        fields[i] = order->fields[i];
        fields[i].source_id = same_place(from->root, schema->root, order->fields[i].source_id);
        if (fields[i].source_id == 0) {
            return; /* a column that is no more */
        }
    }
    orders[1] = (ice_sort_order){.id = 1, .fields = fields, .field_count = order->field_count};
    m->orders = orders;
    m->order_count = 2;
    m->default_order_id = 1;
}

static status fill(const ice_create *options, arena *a, ice_metadata *m, error *err)
{
    ice_schema *schema = ARENA_NEW(a, ice_schema);
    ice_spec *spec = ARENA_NEW(a, ice_spec);
    int32_t next_column_id = 1;
    int32_t next_field_id = FIRST_PARTITION_ID;
    char uuid[37];

    TRY(take_properties(options, a, m, err));
    m->format_version = choose_version(options);
    if (m->format_version < 1 || m->format_version > FORMAT_VERSION_MAX) {
        return error_set(err, STATUS_INVALID, "format version %d is not one of 1, 2 and 3",
                         m->format_version);
    }
    schema->root = ice_type_assign_ids(options->root, &next_column_id, a);
    TRY(ice_schema_check(schema, m->format_version, err));
    *schema = ice__schema_copy(schema, a);
    TRY(ice_spec_parse_sql(options->partition_sql, schema, &next_field_id, a, spec, err));

    ice__uuid_at(options->location, uuid);
    m->uuid = str_copy(a, str_c(uuid));
    m->location = str_copy(a, options->location);
    m->last_updated_ms = clock_now_ms();
    m->last_column_id = next_column_id - 1;
    m->schemas = schema;
    m->schema_count = 1;
    m->specs = spec;
    m->spec_count = 1;
    m->last_partition_id = next_field_id - 1;
    m->orders = ARENA_NEW(a, ice_sort_order); /* 0: unsorted */
    m->order_count = 1;
    if (options->like != NULL) {
        take_like(options->like, a, m, schema);
    }
    m->current_snapshot_id = ICE_NO_SNAPSHOT;
    return STATUS_OK;
}

/* Hex digits at the end of a uuid, and, backwards, of a location chosen for it. */
#define TAIL_SIZE 12

void ice__uuid_at(str location, char ret_uuid[37])
{
    str tail = location.size > TAIL_SIZE
                   ? str_slice(location, location.size - TAIL_SIZE - 1, location.size)
                   : STR("");

    random_uuid(ret_uuid);
    for (size_t i = 0; i < tail.size; i++) {
        char c = tail.data[i];
        if (i == 0 ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return;
        }
    }
    for (size_t i = 0; i < TAIL_SIZE && tail.size > 0; i++) {
        ret_uuid[35 - i] = tail.data[1 + i];
    }
}

status ice_metadata_create(const ice_create *options, ice_metadata **ret_metadata, error *err)
{
    arena *a = arena_create();
    ice_metadata *m = ARENA_NEW(a, ice_metadata);
    status s = fill(options, a, m, err);

    if (s != STATUS_OK) {
        arena_free(a);
        return s;
    }
    m->memory = a;
    atomic_init(&m->references, 1);
    *ret_metadata = m;
    return STATUS_OK;
}

/* metadata.c: looking things up in table metadata, and its life. Reading, writing, copying and making it have
 * files of their own. */
#include "tarn/iceberg/metadata.h"

#include <stdatomic.h>

#include "internal.h"

ice_metadata *ice_metadata_ref(const ice_metadata *m)
{
    /* Shared values are const for their users; the count is what the owner keeps in them. */
    ice_metadata *shared = (ice_metadata *)(uintptr_t)m;

    atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
    return shared;
}

void ice_metadata_unref(const ice_metadata *m)
{
    ice_metadata *shared = (ice_metadata *)(uintptr_t)m;

    if (m != NULL && atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) == 1) {
        arena_free(shared->memory); /* the value itself lies in it */
    }
}

const ice_schema *ice_metadata_schema_by_id(const ice_metadata *m, int32_t id)
{
    for (size_t i = 0; i < m->schema_count; i++) {
        if (m->schemas[i].id == id) {
            return &m->schemas[i];
        }
    }
    return NULL;
}

const ice_schema *ice_metadata_schema(const ice_metadata *m)
{
    return ice_metadata_schema_by_id(m, m->current_schema_id);
}

const ice_spec *ice_metadata_spec_by_id(const ice_metadata *m, int32_t id)
{
    for (size_t i = 0; i < m->spec_count; i++) {
        if (m->specs[i].id == id) {
            return &m->specs[i];
        }
    }
    return NULL;
}

const ice_spec *ice_metadata_spec(const ice_metadata *m)
{
    return ice_metadata_spec_by_id(m, m->default_spec_id);
}

const ice_snapshot *ice_metadata_snapshot_by_id(const ice_metadata *m, int64_t id)
{
    for (size_t i = m->snapshot_count; i > 0; i--) { /* the newest stand last */
        if (m->snapshots[i - 1].id == id) {
            return &m->snapshots[i - 1];
        }
    }
    return NULL;
}

const ice_snapshot *ice_metadata_snapshot(const ice_metadata *m)
{
    return m->current_snapshot_id == ICE_NO_SNAPSHOT
               ? NULL
               : ice_metadata_snapshot_by_id(m, m->current_snapshot_id);
}

const ice_type *ice_metadata_spec_type(const ice_metadata *m, const ice_spec *spec, arena *a)
{
    return ice__spec_types(m, spec, a);
}

static str find_property(const ice_property *properties, size_t count, const char *key)
{
    str wanted = str_c(key);

    for (size_t i = 0; i < count; i++) {
        if (str_equal(properties[i].key, wanted)) {
            return properties[i].value;
        }
    }
    return STR_NULL;
}

str ice_metadata_property(const ice_metadata *m, const char *key, const char *fallback)
{
    str value = find_property(m->properties, m->property_count, key);

    return str_is_null(value) ? str_c(fallback) : value;
}

int64_t ice_metadata_property_int(const ice_metadata *m, const char *key, int64_t fallback)
{
    int64_t value;

    return str_to_int64(ice_metadata_property(m, key, NULL), &value, NULL) == STATUS_OK ? value
                                                                                        : fallback;
}

str ice_snapshot_summary(const ice_snapshot *snapshot, const char *key)
{
    return find_property(snapshot->summary, snapshot->summary_count, key);
}

static const char *const operation_names[] = {[ICE_APPEND] = "append",
                                              [ICE_REPLACE] = "replace",
                                              [ICE_OVERWRITE] = "overwrite",
                                              [ICE_DELETE] = "delete"};

const char *ice_operation_name(ice_operation operation)
{
    return operation_names[operation];
}

int ice_metadata_location_version(str location)
{
    size_t slash = str_find_last_char(location, '/');
    str name = slash == STR_NPOS ? location : str_slice(location, slash + 1, location.size);
    size_t start =
        name.size > 0 && name.data[0] == 'v' ? 1 : 0; /* v7.metadata.json of file tables */
    size_t end = start;
    int64_t version;

    while (end < name.size && name.data[end] >= '0' && name.data[end] <= '9') {
        end++;
    }
    if (end == name.size || (name.data[end] != '-' && name.data[end] != '.') ||
        str_to_int64(str_slice(name, start, end), &version, NULL) != STATUS_OK ||
        version > INT32_MAX) {
        return 0;
    }
    return (int)version;
}

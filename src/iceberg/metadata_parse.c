/* metadata_parse.c: metadata.json of any version, read into an ice_metadata. Whatever a file leaves out by the
 * rules of its version is filled in here, so that nobody behind it asks for the version. */
#include <stdatomic.h>

#include "tarn/base/limits.h"
#include "tarn/base/vec.h"
#include "tarn/codec/compress.h"
#include "tarn/iceberg/metadata.h"

#include "internal.h"

/* What metadata.json looks like: the one place that knows. */
typedef struct document {
    ice_metadata m;
    const json *schema; /* v1 */
    const json *schemas;
    const json *partition_spec; /* v1 */
    const json *specs;
    const json *orders;
    const json *properties;
    const json *snapshots;
    const json *snapshot_log;
    const json *metadata_log;
    const json *refs;
} document;

#define IN_METADATA(member) (offsetof(document, m) + offsetof(ice_metadata, member))

static const json_field document_members[] = {
    {"format-version", JSON_INT32, JSON_REQUIRED, IN_METADATA(format_version)},
    {"table-uuid", JSON_STR, 0, IN_METADATA(uuid)},
    {"location", JSON_STR, JSON_REQUIRED, IN_METADATA(location)},
    {"last-sequence-number", JSON_INT64, 0, IN_METADATA(last_sequence_number)},
    {"last-updated-ms", JSON_INT64, JSON_REQUIRED, IN_METADATA(last_updated_ms)},
    {"last-column-id", JSON_INT32, JSON_REQUIRED, IN_METADATA(last_column_id)},
    {"schema", JSON_OBJECT, 0, offsetof(document, schema)},
    {"current-schema-id", JSON_INT32, 0, IN_METADATA(current_schema_id)},
    {"schemas", JSON_ARRAY, 0, offsetof(document, schemas)},
    {"partition-spec", JSON_ARRAY, 0, offsetof(document, partition_spec)},
    {"default-spec-id", JSON_INT32, 0, IN_METADATA(default_spec_id)},
    {"partition-specs", JSON_ARRAY, 0, offsetof(document, specs)},
    {"last-partition-id", JSON_INT32, 0, IN_METADATA(last_partition_id)},
    {"default-sort-order-id", JSON_INT32, 0, IN_METADATA(default_order_id)},
    {"sort-orders", JSON_ARRAY, 0, offsetof(document, orders)},
    {"properties", JSON_OBJECT, 0, offsetof(document, properties)},
    {"current-snapshot-id", JSON_INT64, JSON_UNSIGNED_TOO, IN_METADATA(current_snapshot_id)},
    {"refs", JSON_OBJECT, 0, offsetof(document, refs)},
    {"snapshots", JSON_ARRAY, 0, offsetof(document, snapshots)},
    {"snapshot-log", JSON_ARRAY, 0, offsetof(document, snapshot_log)},
    {"metadata-log", JSON_ARRAY, 0, offsetof(document, metadata_log)},
    {"next-row-id", JSON_INT64, 0, IN_METADATA(next_row_id)},
};

enum { VERSION_MAX = 3, UNPARTITIONED_LAST_ID = 999 };

/* --- the parts --- */

static status parse_properties(const json *object, const char *what, arena *a,
                               const ice_property **ret_properties, size_t *ret_count, error *err)
{
    VEC(ice_property) properties = {0};
    str key;
    const json *value;

    for (size_t at = 0; json_next_member(object, &at, &key, &value);) {
        ice_property property = {.key = str_copy(a, key)};

        if (json_kind_of(value) != JSON_STR) {
            return error_set(err, STATUS_CORRUPT, "%s \"%.*s\" is no text", what, STR_ARG(key));
        }
        property.value = str_copy(a, json_str_or(value, STR_NULL));
        vec_push(a, &properties, property);
    }
    *ret_properties = properties.items;
    *ret_count = properties.count;
    return STATUS_OK;
}

typedef struct snapshot_text {
    ice_snapshot s;
    const json *summary;
    const json *manifests;
} snapshot_text;

#define IN_SNAPSHOT(member) (offsetof(snapshot_text, s) + offsetof(ice_snapshot, member))

static const json_field snapshot_members[] = {
    {"snapshot-id", JSON_INT64, JSON_REQUIRED | JSON_UNSIGNED_TOO, IN_SNAPSHOT(id)},
    {"parent-snapshot-id", JSON_INT64, JSON_UNSIGNED_TOO, IN_SNAPSHOT(parent_id)},
    {"sequence-number", JSON_INT64, 0, IN_SNAPSHOT(sequence_number)},
    {"timestamp-ms", JSON_INT64, JSON_REQUIRED, IN_SNAPSHOT(timestamp_ms)},
    {"manifest-list", JSON_STR, 0, IN_SNAPSHOT(manifest_list)},
    {"manifests", JSON_ARRAY, 0, offsetof(snapshot_text, manifests)},
    {"summary", JSON_OBJECT, 0, offsetof(snapshot_text, summary)},
    {"schema-id", JSON_INT32, 0, IN_SNAPSHOT(schema_id)},
    {"first-row-id", JSON_INT64, 0, IN_SNAPSHOT(first_row_id)},
    {"added-rows", JSON_INT64, 0, IN_SNAPSHOT(added_rows)},
};

/* Absent (v1) or a word we do not know: overwrite promises nothing about what changed. */
static ice_operation operation_of(const ice_snapshot *s)
{
    str name = ice_snapshot_summary(s, "operation");

    for (int i = ICE_APPEND; i <= ICE_DELETE; i++) {
        if (str_equal(name, str_c(ice_operation_name((ice_operation)i)))) {
            return (ice_operation)i;
        }
    }
    return ICE_OVERWRITE;
}

static status parse_inline_manifests(const json *list, arena *a, ice_snapshot *s, error *err)
{
    size_t count = json_count(list);
    str *paths = ARENA_ARRAY(a, str, count);

    for (size_t i = 0; i < count; i++) {
        if (json_kind_of(json_at(list, i)) != JSON_STR) {
            return error_set(err, STATUS_CORRUPT, "snapshot %lld has a manifest without a location",
                             (long long)s->id);
        }
        paths[i] = str_copy(a, json_str_or(json_at(list, i), STR_NULL));
    }
    s->manifests = paths;
    s->manifest_count = count;
    return STATUS_OK;
}

status ice__snapshot_parse(const json *value, int version, arena *a, ice_snapshot *ret_snapshot,
                           error *err)
{
    snapshot_text text = {.s = {.parent_id = ICE_NO_SNAPSHOT,
                                .first_row_id = ICE_NO_ROW_ID,
                                .added_rows = ICE_NO_ROW_ID,
                                .schema_id = ICE_NO_SCHEMA}};
    ice_snapshot *s = &text.s;

    TRY(json_read(value, snapshot_members, COUNT_OF(snapshot_members), &text, err));
    if (s->manifest_list.size == 0 && version > 1) {
        return error_set(err, STATUS_CORRUPT, "snapshot %lld has no manifest list",
                         (long long)s->id);
    }
    s->manifest_list = s->manifest_list.size > 0 ? str_copy(a, s->manifest_list) : STR_NULL;
    if (str_is_null(s->manifest_list)) {
        TRY(parse_inline_manifests(text.manifests, a, s, err));
    }
    TRY(parse_properties(text.summary, "snapshot summary", a, &s->summary, &s->summary_count, err));
    s->operation = operation_of(s);
    ice__json_unknown(value, snapshot_members, COUNT_OF(snapshot_members), a, &s->unknown,
                      &s->unknown_count);
    *ret_snapshot = *s;
    return STATUS_OK;
}

static const json_field snapshot_log_members[] = {
    {"timestamp-ms", JSON_INT64, JSON_REQUIRED, offsetof(ice_log_entry, timestamp_ms)},
    {"snapshot-id", JSON_INT64, JSON_REQUIRED | JSON_UNSIGNED_TOO,
     offsetof(ice_log_entry, snapshot_id)},
};
static const json_field metadata_log_members[] = {
    {"timestamp-ms", JSON_INT64, JSON_REQUIRED, offsetof(ice_log_entry, timestamp_ms)},
    {"metadata-file", JSON_STR, JSON_REQUIRED, offsetof(ice_log_entry, metadata_file)},
};

static status parse_log(const json *list, const json_field *members, size_t member_count, arena *a,
                        const ice_log_entry **ret_entries, size_t *ret_count, error *err)
{
    size_t count = json_count(list);
    ice_log_entry *entries = ARENA_ARRAY(a, ice_log_entry, count);

    for (size_t i = 0; i < count; i++) {
        entries[i].snapshot_id = ICE_NO_SNAPSHOT;
        TRY(json_read(json_at(list, i), members, member_count, &entries[i], err));
        entries[i].metadata_file = ice__copy(a, entries[i].metadata_file);
    }
    *ret_entries = entries;
    *ret_count = count;
    return STATUS_OK;
}

typedef struct ref_text {
    ice_ref ref;
    str type;
} ref_text;

static const json_field ref_members[] = {
    {"snapshot-id", JSON_INT64, JSON_REQUIRED | JSON_UNSIGNED_TOO,
     offsetof(ref_text, ref) + offsetof(ice_ref, snapshot_id)},
    {"type", JSON_STR, JSON_REQUIRED, offsetof(ref_text, type)},
    {"max-ref-age-ms", JSON_INT64, 0, offsetof(ref_text, ref) + offsetof(ice_ref, max_ref_age_ms)},
    {"max-snapshot-age-ms", JSON_INT64, 0,
     offsetof(ref_text, ref) + offsetof(ice_ref, max_snapshot_age_ms)},
    {"min-snapshots-to-keep", JSON_INT32, 0,
     offsetof(ref_text, ref) + offsetof(ice_ref, min_snapshots_to_keep)},
};

static status parse_refs(const json *object, arena *a, ice_metadata *m, error *err)
{
    VEC(ice_ref) refs = {0};
    bool has_main = false;
    str name;
    const json *value;

    for (size_t at = 0; json_next_member(object, &at, &name, &value);) {
        ref_text text = {
            .ref = {.max_ref_age_ms = -1, .max_snapshot_age_ms = -1, .min_snapshots_to_keep = -1}};

        TRY(json_read(value, ref_members, COUNT_OF(ref_members), &text, err));
        text.ref.is_tag = str_equal_nocase(text.type, STR("tag"));
        if (!text.ref.is_tag && !str_equal_nocase(text.type, STR("branch"))) {
            return error_set(err, STATUS_CORRUPT, "reference \"%.*s\" is neither branch nor tag",
                             STR_ARG(name));
        }
        text.ref.name = str_copy(a, name);
        has_main = has_main || str_equal(name, STR("main"));
        vec_push(a, &refs, text.ref);
    }
    if (!has_main && m->current_snapshot_id != ICE_NO_SNAPSHOT) {
        ice_ref head = {.name = STR("main"),
                        .snapshot_id = m->current_snapshot_id,
                        .max_ref_age_ms = -1,
                        .max_snapshot_age_ms = -1,
                        .min_snapshots_to_keep = -1};

        vec_push(a, &refs, head);
    }
    m->refs = refs.items;
    m->ref_count = refs.count;
    return STATUS_OK;
}

/* "main" and the current snapshot are one: to follow either of two would be to lose the other's rows. */
static status check_main(const ice_metadata *m, error *err)
{
    for (size_t i = 0; i < m->ref_count; i++) {
        int64_t at = m->refs[i].snapshot_id;

        if (!str_equal(m->refs[i].name, STR("main")) || at == m->current_snapshot_id) {
            continue;
        }
        if (m->current_snapshot_id == ICE_NO_SNAPSHOT) {
            return error_set(err, STATUS_CORRUPT,
                             "table metadata has no current snapshot, but branch \"main\" is at "
                             "%lld",
                             (long long)at);
        }
        return error_set(err, STATUS_CORRUPT,
                         "table metadata has the current snapshot %lld, but branch \"main\" is at "
                         "%lld",
                         (long long)m->current_snapshot_id, (long long)at);
    }
    return STATUS_OK;
}

/* Not every writer counts right. A sequence number or a row id that is given twice makes deletes of the past take rows
 * of the future, or two rows one. */
static void raise_counters(ice_metadata *m)
{
    for (size_t i = 0; i < m->snapshot_count; i++) {
        const ice_snapshot *s = &m->snapshots[i];

        if (m->format_version > 1 && s->sequence_number > m->last_sequence_number) {
            m->last_sequence_number = s->sequence_number;
        }
        if (s->first_row_id >= 0 && s->added_rows > 0 &&
            s->first_row_id <= INT64_MAX - s->added_rows &&
            s->first_row_id + s->added_rows > m->next_row_id) {
            m->next_row_id = s->first_row_id + s->added_rows;
        }
    }
}

/* --- the rules of each version --- */

static status missing(const char *key, error *err)
{
    return error_set(err, STATUS_CORRUPT, "table metadata has no \"%s\"", key);
}

static status parse_schemas(const document *d, const json *root, arena *a, ice_metadata *m,
                            error *err)
{
    bool has_current = json_get(root, "current-schema-id") != NULL;
    /* v1 writers may know one schema alone, or list earlier ones without saying which is current. */
    bool single = m->format_version == 1 && (d->schemas == NULL || !has_current);
    size_t count = single ? 1 : json_count(d->schemas);
    ice_schema *schemas = ARENA_ARRAY(a, ice_schema, count);

    if (single && d->schema == NULL) {
        return missing("schema", err);
    }
    if (!single && (d->schemas == NULL || !has_current)) {
        return missing(d->schemas == NULL ? "schemas" : "current-schema-id", err);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(ice_schema_parse(single ? d->schema : json_at(d->schemas, i), a, &schemas[i], err));
        TRY(ice__schema_check_ids(&schemas[i], err));
    }
    if (single) {
        m->current_schema_id = schemas[0].id;
    }
    m->schemas = schemas;
    m->schema_count = count;
    if (ice_metadata_schema(m) == NULL) {
        return error_set(err, STATUS_CORRUPT, "table metadata has no schema with the current id %d",
                         (int)m->current_schema_id);
    }
    return STATUS_OK;
}

static int32_t highest_partition_id(const ice_metadata *m)
{
    int32_t highest = UNPARTITIONED_LAST_ID;

    for (size_t i = 0; i < m->spec_count; i++) {
        for (size_t k = 0; k < m->specs[i].field_count; k++) {
            int32_t id = m->specs[i].fields[k].field_id;

            highest = id > highest ? id : highest;
        }
    }
    return highest;
}

static status parse_specs(const document *d, const json *root, arena *a, ice_metadata *m,
                          error *err)
{
    size_t count = d->specs != NULL ? json_count(d->specs) : 1;
    ice_spec *specs = ARENA_ARRAY(a, ice_spec, count);

    if (d->specs == NULL) {
        if (m->format_version > 1 || d->partition_spec == NULL) {
            return missing(m->format_version > 1 ? "partition-specs" : "partition-spec", err);
        }
        TRY(ice_spec_parse(d->partition_spec, a, &specs[0], err));
        m->default_spec_id = specs[0].id;
    } else {
        for (size_t i = 0; i < count; i++) {
            TRY(ice_spec_parse(json_at(d->specs, i), a, &specs[i], err));
        }
        if (json_get(root, "default-spec-id") == NULL) {
            if (m->format_version > 1 || count == 0) {
                return missing("default-spec-id", err);
            }
            m->default_spec_id = specs[count - 1].id;
        }
    }
    m->specs = specs;
    m->spec_count = count;
    if (ice_metadata_spec(m) == NULL) {
        return error_set(err, STATUS_CORRUPT,
                         "table metadata has no partition spec with the default id %d",
                         (int)m->default_spec_id);
    }
    if (json_get(root, "last-partition-id") == NULL) {
        if (m->format_version > 1) {
            return missing("last-partition-id", err);
        }
        m->last_partition_id = highest_partition_id(m);
    }
    return STATUS_OK;
}

static status parse_orders(const document *d, const json *root, arena *a, ice_metadata *m,
                           error *err)
{
    size_t count = d->orders != NULL ? json_count(d->orders) : 1;
    ice_sort_order *orders = ARENA_ARRAY(a, ice_sort_order, count);
    bool found = false;

    if (d->orders == NULL) {
        if (m->format_version > 1) {
            return missing("sort-orders", err);
        }
        m->default_order_id = orders[0].id; /* unsorted: 0, no fields */
    } else if (json_get(root, "default-sort-order-id") == NULL) {
        return missing("default-sort-order-id", err);
    }
    for (size_t i = 0; i < count; i++) {
        if (d->orders != NULL) {
            TRY(ice_sort_order_parse(json_at(d->orders, i), a, &orders[i], err));
        }
        found = found || orders[i].id == m->default_order_id;
    }
    if (!found) {
        return error_set(err, STATUS_CORRUPT,
                         "table metadata has no sort order with the default id %d",
                         (int)m->default_order_id);
    }
    m->orders = orders;
    m->order_count = count;
    return STATUS_OK;
}

static status parse_snapshots(const document *d, arena *a, ice_metadata *m, error *err)
{
    size_t count = json_count(d->snapshots);
    ice_snapshot *snapshots = ARENA_ARRAY(a, ice_snapshot, count);

    for (size_t i = 0; i < count; i++) {
        TRY(ice__snapshot_parse(json_at(d->snapshots, i), m->format_version, a, &snapshots[i],
                                err));
    }
    m->snapshots = snapshots;
    m->snapshot_count = count;
    if (m->current_snapshot_id != ICE_NO_SNAPSHOT && ice_metadata_snapshot(m) == NULL) {
        return error_set(err, STATUS_CORRUPT,
                         "table metadata has no snapshot with the current id %lld",
                         (long long)m->current_snapshot_id);
    }
    return STATUS_OK;
}

static status parse_head(const json *root, document *d, error *err)
{
    ice_metadata *m = &d->m;
    int64_t version = json_int64_or(json_get(root, "format-version"), 0);

    /* First of all: what else a later version means by its members is not known. */
    if (version > VERSION_MAX) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "table metadata has format version %lld; the highest known is %d",
                         (long long)version, VERSION_MAX);
    }
    *d = (document){.m = {.current_snapshot_id = ICE_NO_SNAPSHOT, .uuid = STR_NULL}};
    TRY(json_read(root, document_members, COUNT_OF(document_members), d, err));
    if (m->format_version < 1) {
        return error_set(err, STATUS_CORRUPT, "table metadata has format version %d",
                         m->format_version);
    }
    if (m->format_version > 1 && str_is_null(m->uuid)) {
        return missing("table-uuid", err);
    }
    if (m->format_version > 1 && json_get(root, "last-sequence-number") == NULL) {
        return missing("last-sequence-number", err);
    }
    if (m->format_version > 2 && json_get(root, "next-row-id") == NULL) {
        return missing("next-row-id", err);
    }
    return STATUS_OK;
}

static status parse_document(const json *root, arena *a, ice_metadata *ret_metadata, error *err)
{
    document d;
    ice_metadata *m = &d.m;

    if (json_kind_of(root) != JSON_OBJECT) {
        return error_set(err, STATUS_CORRUPT, "table metadata is no JSON object");
    }
    TRY(parse_head(root, &d, err));
    m->uuid = ice__copy(a, m->uuid);
    m->location = str_copy(a, m->location);
    while (m->location.size > 1 && m->location.data[m->location.size - 1] == '/') {
        m->location.size--;
    }
    TRY(parse_schemas(&d, root, a, m, err));
    TRY(parse_specs(&d, root, a, m, err));
    TRY(parse_orders(&d, root, a, m, err));
    TRY(parse_properties(d.properties, "table property", a, &m->properties, &m->property_count,
                         err));
    TRY(parse_snapshots(&d, a, m, err));
    TRY(parse_log(d.snapshot_log, snapshot_log_members, COUNT_OF(snapshot_log_members), a,
                  &m->snapshot_log, &m->snapshot_log_count, err));
    TRY(parse_log(d.metadata_log, metadata_log_members, COUNT_OF(metadata_log_members), a,
                  &m->metadata_log, &m->metadata_log_count, err));
    TRY(parse_refs(d.refs, a, m, err));
    TRY(check_main(m, err));
    raise_counters(m);
    ice__json_unknown(root, document_members, COUNT_OF(document_members), a, &m->unknown,
                      &m->unknown_count);
    memcpy(ret_metadata, m, sizeof(*m));
    return STATUS_OK;
}

/* --- the file --- */

static bool is_gzip(str text)
{
    return text.size > 2 && (uint8_t)text.data[0] == 0x1f && (uint8_t)text.data[1] == 0x8b;
}

static status parse_text(str text, arena *scratch, arena *a, ice_metadata *ret_metadata, error *err)
{
    const json *root;

    if (is_gzip(text)) {
        buf *plain = buf_in(scratch, LIMIT_METADATA_FILE);

        TRY(decompress_bytes(COMPRESSION_GZIP, text, plain, err));
        text = buf_str(plain);
    }
    TRY(json_parse(text, scratch, &root, err));
    return parse_document(root, a, ret_metadata, err);
}

status ice_metadata_parse(str text, ice_metadata **ret_metadata, error *err)
{
    arena *a = arena_create();
    arena *scratch = arena_create(); /* the tree goes once it was read */
    ice_metadata *m = ARENA_NEW(a, ice_metadata);
    status s = parse_text(text, scratch, a, m, err);

    arena_free(scratch);
    if (s != STATUS_OK) {
        arena_free(a);
        if (s != STATUS_UNSUPPORTED && s != STATUS_TOO_LARGE) {
            /* A member that has no right form is damage here, whatever it would be in a request. */
            s = STATUS_CORRUPT;
            if (err != NULL) {
                err->kind = s;
            }
        }
        return s;
    }
    m->memory = a;
    atomic_init(&m->references, 1);
    *ret_metadata = m;
    return STATUS_OK;
}

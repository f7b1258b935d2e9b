/* request_read.c: what updates say, read from their JSON: members of the right kind, numbers in range,
 * and nothing that other programs could not read in the metadata afterwards. Members that are null count as left out;
 * members that nobody knows are passed over. */
#include "request_parts.h"

#include "tarn/base/limits.h"
#include "tarn/codec/checksum.h"

/* The last millisecond of the year 9999. */
#define TIME_MAX INT64_C(253402300799999)

/* ---- parts ---- */

static status need(const json *value, const char *key, json_kind kind, const json **ret_member,
                   error *err)
{
    const json *member = json_get(value, key);

    if (json_kind_of(member) != kind) {
        return error_set(err, STATUS_INVALID, "\"%s\" is %s, not %s", key,
                         json_kind_of(member) == JSON_NULL ? "missing"
                                                           : json_kind_name(json_kind_of(member)),
                         json_kind_name(kind));
    }
    *ret_member = member;
    return STATUS_OK;
}

static status need_text(const json *value, const char *key, str *ret_text, error *err)
{
    const json *member = NULL;

    TRY(need(value, key, JSON_STR, &member, err));
    *ret_text = json_str_or(member, STR_NULL);
    return ret_text->size > 0 ? STATUS_OK : error_set(err, STATUS_INVALID, "\"%s\" is empty", key);
}

static status need_id(const json *value, const char *key, int32_t least, int32_t *ret_id,
                      error *err)
{
    const json_field members[] = {{key, JSON_INT32, JSON_REQUIRED, 0}};
    int32_t id = 0;

    TRY(json_read(value, members, COUNT_OF(members), &id, err));
    if (id < least) {
        return error_set(err, STATUS_INVALID, "\"%s\" is %d, which is out of range", key, (int)id);
    }
    *ret_id = id;
    return STATUS_OK;
}

static status need_ids(const json *value, const char *key, int64_t most, arena *a,
                       ice__update *ret_update, error *err)
{
    const json *list = NULL;

    TRY(need(value, key, JSON_ARRAY, &list, err));
    int64_t *ids = ARENA_ARRAY(a, int64_t, json_count(list));
    for (size_t i = 0; i < json_count(list); i++) {
        const json *item = json_at(list, i);

        ids[i] = json_int64_or(item, 0);
        if (json_kind_of(item) != JSON_INT64 || ids[i] > most || ids[i] < -most) {
            return error_set(err, STATUS_INVALID, "\"%s\"[%zu] is no id", key, i);
        }
    }
    ret_update->ids = ids;
    ret_update->count = json_count(list);
    return STATUS_OK;
}

static void put_without_nulls(json_writer *w, const json *value)
{
    str key;
    const json *member;

    if (json_kind_of(value) == JSON_ARRAY) {
        json_begin_array(w);
        for (size_t i = 0; i < json_count(value); i++) {
            put_without_nulls(w, json_at(value, i));
        }
        json_end_array(w);
    } else if (json_kind_of(value) == JSON_OBJECT) {
        json_begin_object(w);
        for (size_t at = 0; json_next_member(value, &at, &key, &member);) {
            if (json_kind_of(member) != JSON_NULL) {
                json_key_str(w, key);
                put_without_nulls(w, member);
            }
        }
        json_end_object(w);
    } else {
        json_put_value(w, value);
    }
}

/* Some write null for what they do not have; the metadata's readers take it for a value of the wrong kind. */
static status without_nulls(const json *value, arena *a, const json **ret_value, error *err)
{
    buf *text = buf_in(a, LIMIT_METADATA_FILE);
    json_writer w;

    json_writer_init(&w, text);
    put_without_nulls(&w, value);
    TRY(buf_check(text, "a part of the request", err));
    return json_parse(buf_str(text), a, ret_value, err);
}

status ice__properties_read(const json *value, const char *what, arena *a,
                            const ice_property **ret_properties, size_t *ret_count, error *err)
{
    ice_property *properties = ARENA_ARRAY(a, ice_property, json_count(value));
    size_t count = 0;
    str key;
    const json *member;

    if (json_kind_of(value) != JSON_OBJECT && json_kind_of(value) != JSON_NULL) {
        return error_set(err, STATUS_INVALID, "\"%s\" is %s, not an object", what,
                         json_kind_name(json_kind_of(value)));
    }
    for (size_t at = 0; json_next_member(value, &at, &key, &member);) {
        if (json_kind_of(member) != JSON_STR) {
            return error_set(err, STATUS_INVALID, "\"%s\": the value of \"%.*s\" is no text", what,
                             STR_ARG(key));
        }
        properties[count++] = (ice_property){.key = key, .value = json_str_or(member, STR_NULL)};
    }
    *ret_properties = properties;
    *ret_count = count;
    return STATUS_OK;
}

/* ---- the table ---- */

static bool is_uuid(str text)
{
    for (size_t i = 0; i < text.size && text.size == 36; i++) {
        char c = text.data[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

        if (dash ? c != '-' : !hex) {
            return false;
        }
    }
    return text.size == 36;
}

status ice__read_uuid(const json *value, arena *a, ice__update *ret_update, error *err)
{
    (void)a;
    TRY(need_text(value, "uuid", &ret_update->text, err));
    return is_uuid(ret_update->text) ? STATUS_OK
                                     : error_set(err, STATUS_INVALID, "\"%.*s\" is no UUID",
                                                 STR_ARG(str_slice(ret_update->text, 0, 100)));
}

status ice__read_format_version(const json *value, arena *a, ice__update *ret_update, error *err)
{
    (void)a;
    return need_id(value, "format-version", 1, &ret_update->id, err);
}

status ice__read_location(const json *value, arena *a, ice__update *ret_update, error *err)
{
    (void)a;
    return need_text(value, "location", &ret_update->text, err);
}

/* "updated" and "removed" are the names that both had before the specification did. */
static const json *either(const json *value, const char *key, const char *older)
{
    const json *member = json_get(value, key);

    return member != NULL ? member : json_get(value, older);
}

status ice__read_properties(const json *value, arena *a, ice__update *ret_update, error *err)
{
    const json *object = either(value, "updates", "updated");

    if (json_kind_of(object) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID, "\"updates\" is %s, not an object",
                         json_kind_name(json_kind_of(object)));
    }
    return ice__properties_read(object, "updates", a, &ret_update->properties, &ret_update->count,
                                err);
}

status ice__read_removals(const json *value, arena *a, ice__update *ret_update, error *err)
{
    const json *list = either(value, "removals", "removed");
    str *keys = ARENA_ARRAY(a, str, json_count(list));

    if (json_kind_of(list) != JSON_ARRAY) {
        return error_set(err, STATUS_INVALID, "\"removals\" is no list");
    }
    for (size_t i = 0; i < json_count(list); i++) {
        keys[i] = json_str_or(json_at(list, i), STR_NULL);
        if (json_kind_of(json_at(list, i)) != JSON_STR) {
            return error_set(err, STATUS_INVALID, "\"removals\"[%zu] is no text", i);
        }
    }
    ret_update->keys = keys;
    ret_update->count = json_count(list);
    return STATUS_OK;
}

status ice__read_key(const json *value, arena *a, ice__update *ret_update, error *err)
{
    const json *key = NULL;
    const ice_property *properties;
    size_t count;
    str bytes;

    TRY(need(value, "encryption-key", JSON_OBJECT, &key, err));
    TRY(without_nulls(key, a, &key, err));
    TRY(need_text(key, "key-id", &ret_update->text, err));
    TRY(need_text(key, "encrypted-key-metadata", &bytes, err));
    if (base64_decode(a, bytes, &bytes, err) != STATUS_OK) {
        return error_set(err, STATUS_INVALID, "\"encrypted-key-metadata\" is no base64");
    }
    if (json_get(key, "encrypted-by-id") != NULL) {
        str id;

        TRY(need_text(key, "encrypted-by-id", &id, err));
    }
    TRY(ice__properties_read(json_get(key, "properties"), "properties", a, &properties, &count,
                             err));
    ret_update->value = key;
    return STATUS_OK;
}

status ice__read_key_id(const json *value, arena *a, ice__update *ret_update, error *err)
{
    (void)a;
    return need_text(value, "key-id", &ret_update->text, err);
}

/* ---- schemas, specs, orders ---- */

typedef struct schema_text {
    int32_t id;
    const json *identifiers;
    str type;
} schema_text;

static const json_field schema_members[] = {
    {"type", JSON_STR, JSON_REQUIRED, offsetof(schema_text, type)},
    {"schema-id", JSON_INT32, 0, offsetof(schema_text, id)},
    {"identifier-field-ids", JSON_ARRAY, 0, offsetof(schema_text, identifiers)},
};

status ice__schema_read(const json *value, arena *a, ice_schema *ret_schema, error *err)
{
    schema_text t = {.id = 0};
    ice_schema schema = {.id = 0};

    TRY(json_read(value, schema_members, COUNT_OF(schema_members), &t, err));
    if (!str_equal(t.type, STR("struct"))) {
        return error_set(err, STATUS_INVALID, "schema is not an object of type \"struct\"");
    }
    schema.id = t.id;
    TRY(ice__json_int32s(t.identifiers, "identifier-field-ids", a, &schema.identifier_ids,
                         &schema.identifier_count, err));
    TRY(ice_type_parse(value, a, &schema.root, err));
    TRY(ice__schema_check_ids(&schema, err));
    *ret_schema = schema;
    return STATUS_OK;
}

status ice__spec_read(const json *value, arena *a, ice_spec *ret_spec, error *err)
{
    const json *list = NULL;
    ice_spec spec;

    TRY(need(value, "fields", JSON_ARRAY, &list, err));
    TRY(ice_spec_parse(list, a, &spec, err));
    ice_partition_field *fields = ARENA_ARRAY(a, ice_partition_field, spec.field_count);
    for (size_t i = 0; i < spec.field_count; i++) {
        fields[i] = spec.fields[i];
        if (json_kind_of(json_get(json_at(list, i), "field-id")) == JSON_NULL) {
            fields[i].field_id = ICE_NO_ID;
        } else if (fields[i].field_id < 0) {
            return error_set(err, STATUS_INVALID, "partition field \"%.*s\" has the id %d",
                             STR_ARG(fields[i].name), (int)fields[i].field_id);
        }
    }
    spec.fields = fields;
    *ret_spec = spec;
    return STATUS_OK;
}

status ice__order_read(const json *value, arena *a, ice_sort_order *ret_order, error *err)
{
    const json *list = NULL;

    TRY(need(value, "fields", JSON_ARRAY, &list, err));
    return ice_sort_order_parse(list, a, ret_order, err);
}

status ice__read_schema(const json *value, arena *a, ice__update *ret_update, error *err)
{
    ice_schema *schema = ARENA_NEW(a, ice_schema);
    const json *object = NULL;

    TRY(need(value, "schema", JSON_OBJECT, &object, err));
    ret_update->schema = schema;
    return ice__schema_read(object, a, schema, err);
}

status ice__read_schema_id(const json *value, arena *a, ice__update *ret_update, error *err)
{
    (void)a;
    return need_id(value, "schema-id", ICE__LAST_ADDED, &ret_update->id, err);
}

/* The id is given here, not by the client; what it sends for it is a number all the same. */
static status check_unused_id(const json *value, const char *key, error *err)
{
    const json_field members[] = {{key, JSON_INT32, 0, 0}};
    int32_t ignored = 0;

    return json_read(value, members, COUNT_OF(members), &ignored, err);
}

status ice__read_spec(const json *value, arena *a, ice__update *ret_update, error *err)
{
    ice_spec *spec = ARENA_NEW(a, ice_spec);
    const json *object = NULL;

    TRY(need(value, "spec", JSON_OBJECT, &object, err));
    TRY(check_unused_id(object, "spec-id", err));
    ret_update->spec = spec;
    return ice__spec_read(object, a, spec, err);
}

status ice__read_spec_id(const json *value, arena *a, ice__update *ret_update, error *err)
{
    (void)a;
    return need_id(value, "spec-id", ICE__LAST_ADDED, &ret_update->id, err);
}

status ice__read_order(const json *value, arena *a, ice__update *ret_update, error *err)
{
    ice_sort_order *order = ARENA_NEW(a, ice_sort_order);
    const json *object = NULL;

    TRY(need(value, "sort-order", JSON_OBJECT, &object, err));
    TRY(check_unused_id(object, "order-id", err));
    ret_update->order = order;
    return ice__order_read(object, a, order, err);
}

status ice__read_order_id(const json *value, arena *a, ice__update *ret_update, error *err)
{
    (void)a;
    return need_id(value, "sort-order-id", ICE__LAST_ADDED, &ret_update->id, err);
}

status ice__read_spec_ids(const json *value, arena *a, ice__update *ret_update, error *err)
{
    return need_ids(value, "spec-ids", INT32_MAX, a, ret_update, err);
}

status ice__read_schema_ids(const json *value, arena *a, ice__update *ret_update, error *err)
{
    return need_ids(value, "schema-ids", INT32_MAX, a, ret_update, err);
}

/* ---- snapshots, references, statistics ---- */

/* Any other word is an error to some of the programs that read the table. */
static status check_operation(const ice_snapshot *s, error *err)
{
    str name = ice_snapshot_summary(s, "operation");

    return str_is_null(name) || str_equal(name, str_c(ice_operation_name(s->operation)))
               ? STATUS_OK
               : error_set(err, STATUS_INVALID,
                           "snapshot %lld: operation \"%.*s\" is none of append, replace, "
                           "overwrite and delete",
                           (long long)s->id, STR_ARG(str_slice(name, 0, 100)));
}

status ice__read_snapshot(const json *value, arena *a, ice__update *ret_update, error *err)
{
    ice_snapshot *s = ARENA_NEW(a, ice_snapshot);
    const json *object = NULL;

    TRY(need(value, "snapshot", JSON_OBJECT, &object, err));
    TRY(without_nulls(object, a, &object, err));
    TRY(ice__snapshot_parse(object, 1, a, s, err));
    if (s->id <= 0) {
        return error_set(err, STATUS_INVALID, "snapshot id %lld is not above 0", (long long)s->id);
    }
    if (s->timestamp_ms < 0 || s->timestamp_ms > TIME_MAX) {
        return error_set(err, STATUS_INVALID, "\"timestamp-ms\" of snapshot %lld is no time",
                         (long long)s->id);
    }
    if (s->sequence_number < 0 || (s->first_row_id < 0 && s->first_row_id != ICE_NO_ROW_ID) ||
        (s->added_rows < 0 && s->added_rows != ICE_NO_ROW_ID)) {
        return error_set(err, STATUS_INVALID,
                         "snapshot %lld: \"sequence-number\", \"first-row-id\" and \"added-rows\" "
                         "are never below 0",
                         (long long)s->id);
    }
    if (str_is_null(s->manifest_list) &&
        json_kind_of(json_get(object, "manifests")) != JSON_ARRAY) {
        return error_set(err, STATUS_INVALID, "snapshot %lld has no \"manifest-list\"",
                         (long long)s->id);
    }
    TRY(check_operation(s, err));
    ret_update->snapshot = s;
    return STATUS_OK;
}

status ice__read_snapshot_id(const json *value, arena *a, ice__update *ret_update, error *err)
{
    const json_field members[] = {
        {"snapshot-id", JSON_INT64, JSON_REQUIRED | JSON_UNSIGNED_TOO, 0}};
    int64_t *id = ARENA_NEW(a, int64_t);

    TRY(json_read(value, members, COUNT_OF(members), id, err));
    ret_update->ids = id;
    ret_update->count = 1;
    return STATUS_OK;
}

status ice__read_snapshot_ids(const json *value, arena *a, ice__update *ret_update, error *err)
{
    return need_ids(value, "snapshot-ids", INT64_MAX, a, ret_update, err);
}

status ice__read_ref_name(const json *value, arena *a, ice__update *ret_update, error *err)
{
    (void)a;
    return need_text(value, "ref-name", &ret_update->text, err);
}

/* -1 where it is left out; what is said is above 0. */
static status read_limit(const json *value, const char *key, int64_t *ret_limit, error *err)
{
    const json_field members[] = {{key, JSON_INT64, 0, 0}};
    int64_t limit = -1;

    TRY(json_read(value, members, COUNT_OF(members), &limit, err));
    if (limit <= 0 && json_kind_of(json_get(value, key)) != JSON_NULL) {
        return error_set(err, STATUS_INVALID, "\"%s\" is not above 0", key);
    }
    *ret_limit = limit;
    return STATUS_OK;
}

status ice__read_ref(const json *value, arena *a, ice__update *ret_update, error *err)
{
    ice_ref *ref = ARENA_NEW(a, ice_ref);
    int64_t least = -1;
    str type;

    TRY(ice__read_ref_name(value, a, ret_update, err));
    TRY(ice__read_snapshot_id(value, a, ret_update, err));
    TRY(need_text(value, "type", &type, err));
    TRY(read_limit(value, "max-ref-age-ms", &ref->max_ref_age_ms, err));
    TRY(read_limit(value, "max-snapshot-age-ms", &ref->max_snapshot_age_ms, err));
    TRY(read_limit(value, "min-snapshots-to-keep", &least, err));
    ref->is_tag = str_equal_nocase(type, STR("tag"));
    if (!ref->is_tag && !str_equal_nocase(type, STR("branch"))) {
        return error_set(err, STATUS_INVALID, "\"type\" is neither \"branch\" nor \"tag\"");
    }
    if (least > INT32_MAX) {
        return error_set(err, STATUS_INVALID, "\"min-snapshots-to-keep\" is out of range");
    }
    ref->min_snapshots_to_keep = (int32_t)least;
    ref->name = ret_update->text;
    ref->snapshot_id = ret_update->ids[0];
    ret_update->ref = ref;
    return STATUS_OK;
}

typedef struct statistics_text {
    int64_t snapshot_id, size, footer_size, sequence_number;
    str path, type;
    const json *blobs, *fields, *properties;
} statistics_text;

static const json_field statistics_members[] = {
    {"snapshot-id", JSON_INT64, JSON_REQUIRED | JSON_UNSIGNED_TOO,
     offsetof(statistics_text, snapshot_id)},
    {"statistics-path", JSON_STR, JSON_REQUIRED, offsetof(statistics_text, path)},
    {"file-size-in-bytes", JSON_INT64, JSON_REQUIRED, offsetof(statistics_text, size)},
    /* of the first kind alone */
    {"file-footer-size-in-bytes", JSON_INT64, JSON_REQUIRED,
     offsetof(statistics_text, footer_size)},
    {"blob-metadata", JSON_ARRAY, JSON_REQUIRED, offsetof(statistics_text, blobs)},
};

static const json_field blob_members[] = {
    {"type", JSON_STR, JSON_REQUIRED, offsetof(statistics_text, type)},
    {"snapshot-id", JSON_INT64, JSON_REQUIRED | JSON_UNSIGNED_TOO,
     offsetof(statistics_text, snapshot_id)},
    {"sequence-number", JSON_INT64, JSON_REQUIRED, offsetof(statistics_text, sequence_number)},
    {"fields", JSON_ARRAY, JSON_REQUIRED, offsetof(statistics_text, fields)},
    {"properties", JSON_OBJECT, 0, offsetof(statistics_text, properties)},
};

enum { PARTITION_STATISTICS_MEMBERS = 3 };

static status check_blob(const json *value, arena *a, error *err)
{
    statistics_text t = {.size = 0};
    const ice_property *properties;
    const int32_t *ids;
    size_t count;

    TRY(json_read(value, blob_members, COUNT_OF(blob_members), &t, err));
    TRY(ice__json_int32s(t.fields, "fields", a, &ids, &count, err));
    return ice__properties_read(t.properties, "properties", a, &properties, &count, err);
}

static status read_statistics(const json *value, const char *key, size_t member_count, arena *a,
                              ice__update *ret_update, error *err)
{
    statistics_text t = {.size = 0};
    const json *object = NULL;

    TRY(need(value, key, JSON_OBJECT, &object, err));
    TRY(without_nulls(object, a, &object, err));
    TRY(json_read(object, statistics_members, member_count, &t, err));
    if (t.path.size == 0 || t.size < 0 || t.footer_size < 0) {
        return error_set(err, STATUS_INVALID, "\"%s\" has no path, or a size below 0", key);
    }
    for (size_t i = 0; i < json_count(t.blobs); i++) {
        status s = check_blob(json_at(t.blobs, i), a, err);

        if (s != STATUS_OK) {
            error_context(err, "\"blob-metadata\"[%zu]", i);
            return s;
        }
    }
    ret_update->value = object;
    return STATUS_OK;
}

status ice__read_statistics(const json *value, arena *a, ice__update *ret_update, error *err)
{
    return read_statistics(value, "statistics", COUNT_OF(statistics_members), a, ret_update, err);
}

status ice__read_partition_statistics(const json *value, arena *a, ice__update *ret_update,
                                      error *err)
{
    return read_statistics(value, "partition-statistics", PARTITION_STATISTICS_MEMBERS, a,
                           ret_update, err);
}

/* ---- views ---- */

status ice__version_read(const json *value, arena *a, ice_view_version *ret_version, error *err)
{
    const json *clean = NULL;
    const json *list = NULL;

    if (json_kind_of(value) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID, "a view version is an object");
    }
    TRY(without_nulls(value, a, &clean, err));
    TRY(ice__view_version_parse(clean, a, ret_version, err));
    TRY(need(clean, "representations", JSON_ARRAY, &list, err));
    if (json_count(list) == 0) {
        return error_set(err, STATUS_INVALID, "the view version has no representation");
    }
    for (size_t i = 0; i < ret_version->representation_count; i++) {
        str type = ret_version->representations[i].type;

        if (!str_equal(type, STR("sql"))) { /* Iceberg's own programs could not write it */
            return error_set(err, STATUS_INVALID,
                             "a representation of type \"%.*s\" is not known: \"sql\" is",
                             STR_ARG(str_slice(type, 0, 100)));
        }
    }
    if (ret_version->timestamp_ms < 0 || ret_version->timestamp_ms > TIME_MAX) {
        return error_set(err, STATUS_INVALID, "\"timestamp-ms\" of the view version is no time");
    }
    return STATUS_OK;
}

status ice__read_version(const json *value, arena *a, ice__update *ret_update, error *err)
{
    ice_view_version *version = ARENA_NEW(a, ice_view_version);
    const json *object = NULL;

    TRY(need(value, "view-version", JSON_OBJECT, &object, err));
    ret_update->version = version;
    return ice__version_read(object, a, version, err);
}

status ice__read_version_id(const json *value, arena *a, ice__update *ret_update, error *err)
{
    (void)a;
    return need_id(value, "view-version-id", ICE__LAST_ADDED, &ret_update->id, err);
}

/* view.c: view metadata: reading and writing its JSON, and looking things up in it. New views from old ones are made in
 * view_change.c. */
#include "tarn/iceberg/view.h"

#include <stdatomic.h>

#include "tarn/base/limits.h"
#include "tarn/base/vec.h"
#include "tarn/codec/compress.h"

#include "internal.h"

/* ---- what the file looks like ---- */

typedef struct view_document {
    ice_view v;
    const json *schemas, *versions, *log, *properties;
} view_document;

#define IN_VIEW(member) (offsetof(view_document, v) + offsetof(ice_view, member))

static const json_field view_members[] = {
    {"view-uuid", JSON_STR, JSON_REQUIRED, IN_VIEW(uuid)},
    {"format-version", JSON_INT32, JSON_REQUIRED, IN_VIEW(format_version)},
    {"location", JSON_STR, JSON_REQUIRED, IN_VIEW(location)},
    {"current-version-id", JSON_INT32, JSON_REQUIRED, IN_VIEW(current_version_id)},
    {"properties", JSON_OBJECT, 0, offsetof(view_document, properties)},
    {"versions", JSON_ARRAY, JSON_REQUIRED, offsetof(view_document, versions)},
    {"version-log", JSON_ARRAY, JSON_REQUIRED, offsetof(view_document, log)},
    {"schemas", JSON_ARRAY, JSON_REQUIRED, offsetof(view_document, schemas)},
};

typedef struct version_text {
    ice_view_version v;
    const json *space, *summary, *representations;
} version_text;

#define IN_VERSION(member) (offsetof(version_text, v) + offsetof(ice_view_version, member))

static const json_field version_members[] = {
    {"version-id", JSON_INT32, JSON_REQUIRED, IN_VERSION(id)},
    {"schema-id", JSON_INT32, JSON_REQUIRED, IN_VERSION(schema_id)},
    {"timestamp-ms", JSON_INT64, JSON_REQUIRED, IN_VERSION(timestamp_ms)},
    {"summary", JSON_OBJECT, 0, offsetof(version_text, summary)},
    {"default-catalog", JSON_STR, 0, IN_VERSION(default_catalog)},
    {"default-namespace", JSON_ARRAY, JSON_REQUIRED, offsetof(version_text, space)},
    {"representations", JSON_ARRAY, JSON_REQUIRED, offsetof(version_text, representations)},
};

static const json_field representation_members[] = {
    {"type", JSON_STR, JSON_REQUIRED, offsetof(ice_representation, type)},
    {"sql", JSON_STR, 0, offsetof(ice_representation, sql)},
    {"dialect", JSON_STR, 0, offsetof(ice_representation, dialect)},
};

static const json_field log_members[] = {
    {"timestamp-ms", JSON_INT64, JSON_REQUIRED, offsetof(ice_view_log_entry, timestamp_ms)},
    {"version-id", JSON_INT32, JSON_REQUIRED, offsetof(ice_view_log_entry, version_id)},
};

/* ---- reading ---- */

static status parse_texts(const json *object, const char *what, arena *a,
                          const ice_property **ret_properties, size_t *ret_count, error *err)
{
    VEC(ice_property) properties = {0};
    str key;
    const json *value;

    for (size_t at = 0; json_next_member(object, &at, &key, &value);) {
        if (json_kind_of(value) != JSON_STR) {
            return error_set(err, STATUS_CORRUPT, "%s \"%.*s\" is no text", what, STR_ARG(key));
        }
        ice_property property = {.key = str_copy(a, key),
                                 .value = str_copy(a, json_str_or(value, STR_NULL))};
        vec_push(a, &properties, property);
    }
    *ret_properties = properties.items;
    *ret_count = properties.count;
    return STATUS_OK;
}

static status parse_representation(const json *value, arena *a, ice_representation *ret, error *err)
{
    ice_representation r = {.sql = STR_NULL, .dialect = STR_NULL};

    TRY(json_read(value, representation_members, COUNT_OF(representation_members), &r, err));
    r.type = str_copy(a, r.type);
    r.sql = ice__copy(a, r.sql);
    r.dialect = ice__copy(a, r.dialect);
    if (str_equal(r.type, STR("sql")) && (str_is_null(r.sql) || str_is_null(r.dialect))) {
        return error_set(err, STATUS_CORRUPT, "a representation lacks its SQL or its dialect");
    }
    ice__json_unknown(value, representation_members, COUNT_OF(representation_members), a,
                      &r.unknown, &r.unknown_count);
    *ret = r;
    return STATUS_OK;
}

/* The words of Iceberg's clients. */
#define TWO_QUERIES "Invalid view version: Cannot add multiple queries for dialect"

static status parse_representations(const json *list, arena *a, ice_view_version *v, error *err)
{
    size_t count = json_count(list);
    ice_representation *found = ARENA_ARRAY(a, ice_representation, count);

    for (size_t i = 0; i < count; i++) {
        TRY(parse_representation(json_at(list, i), a, &found[i], err));
        for (size_t k = 0; k < i && !str_is_null(found[i].dialect); k++) {
            if (str_equal_nocase(found[k].dialect, found[i].dialect)) {
                return error_set(err, STATUS_CORRUPT, TWO_QUERIES " %.*s",
                                 STR_ARG(found[i].dialect));
            }
        }
    }
    v->representations = found;
    v->representation_count = count;
    return STATUS_OK;
}

status ice__view_version_parse(const json *value, arena *a, ice_view_version *ret_version,
                               error *err)
{
    version_text text = {.v = {.default_catalog = STR_NULL}};
    ice_view_version *v = &text.v;

    TRY(json_read(value, version_members, COUNT_OF(version_members), &text, err));
    v->default_catalog = ice__copy(a, v->default_catalog);
    size_t levels = json_count(text.space);
    str *space = ARENA_ARRAY(a, str, levels);
    for (size_t i = 0; i < levels; i++) {
        if (json_kind_of(json_at(text.space, i)) != JSON_STR) {
            return error_set(err, STATUS_CORRUPT, "version %d has a namespace that is no text",
                             v->id);
        }
        space[i] = str_copy(a, json_str_or(json_at(text.space, i), STR_NULL));
    }
    v->default_namespace = space;
    v->default_namespace_count = levels;
    TRY(parse_texts(text.summary, "version summary", a, &v->summary, &v->summary_count, err));
    TRY(parse_representations(text.representations, a, v, err));
    ice__json_unknown(value, version_members, COUNT_OF(version_members), a, &v->unknown,
                      &v->unknown_count);
    *ret_version = *v;
    return STATUS_OK;
}

static const ice_schema *schema_by_id(const ice_view *v, int32_t id)
{
    for (size_t i = 0; i < v->schema_count; i++) {
        if (v->schemas[i].id == id) {
            return &v->schemas[i];
        }
    }
    return NULL;
}

static status parse_versions(const view_document *d, arena *a, ice_view *v, error *err)
{
    size_t count = json_count(d->versions);
    ice_view_version *found = ARENA_ARRAY(a, ice_view_version, count);

    for (size_t i = 0; i < count; i++) {
        TRY(ice__view_version_parse(json_at(d->versions, i), a, &found[i], err));
        if (schema_by_id(v, found[i].schema_id) == NULL) {
            return error_set(err, STATUS_CORRUPT, "version %d has schema %d, which is not there",
                             found[i].id, found[i].schema_id);
        }
        for (size_t k = 0; k < i; k++) {
            if (found[k].id == found[i].id) {
                return error_set(err, STATUS_CORRUPT, "version %d is there twice", found[i].id);
            }
        }
    }
    v->versions = found;
    v->version_count = count;
    if (ice_view_version_by_id(v, v->current_version_id) == NULL) {
        return error_set(err, STATUS_CORRUPT, "the current version %d is not there",
                         v->current_version_id);
    }
    return STATUS_OK;
}

static status parse_schemas(const view_document *d, arena *a, ice_view *v, error *err)
{
    size_t count = json_count(d->schemas);
    ice_schema *schemas = ARENA_ARRAY(a, ice_schema, count);

    for (size_t i = 0; i < count; i++) {
        TRY(ice_schema_parse(json_at(d->schemas, i), a, &schemas[i], err));
        for (size_t k = 0; k < i; k++) {
            if (schemas[k].id == schemas[i].id) {
                return error_set(err, STATUS_CORRUPT, "schema %d is there twice", schemas[i].id);
            }
        }
    }
    v->schemas = schemas;
    v->schema_count = count;
    return STATUS_OK;
}

static status parse_log(const view_document *d, arena *a, ice_view *v, error *err)
{
    size_t count = json_count(d->log);
    ice_view_log_entry *entries = ARENA_ARRAY(a, ice_view_log_entry, count);

    for (size_t i = 0; i < count; i++) {
        TRY(json_read(json_at(d->log, i), log_members, COUNT_OF(log_members), &entries[i], err));
    }
    v->log = entries;
    v->log_count = count;
    return STATUS_OK;
}

static status parse_view(const json *root, arena *a, ice_view *ret_view, error *err)
{
    view_document d = {.schemas = NULL};
    ice_view *v = &d.v;

    if (json_kind_of(root) != JSON_OBJECT) {
        return error_set(err, STATUS_CORRUPT, "view metadata is no JSON object");
    }
    TRY(json_read(root, view_members, COUNT_OF(view_members), &d, err));
    if (v->format_version != 1) {
        return error_set(err, v->format_version > 1 ? STATUS_UNSUPPORTED : STATUS_CORRUPT,
                         "view metadata has format version %d", v->format_version);
    }
    v->uuid = str_copy(a, v->uuid);
    v->location = str_copy(a, v->location);
    while (v->location.size > 1 && str_ends_with(v->location, STR("/"))) {
        v->location.size--;
    }
    TRY(parse_schemas(&d, a, v, err));
    TRY(parse_versions(&d, a, v, err));
    TRY(parse_log(&d, a, v, err));
    TRY(parse_texts(d.properties, "view property", a, &v->properties, &v->property_count, err));
    ice__json_unknown(root, view_members, COUNT_OF(view_members), a, &v->unknown,
                      &v->unknown_count);
    memcpy(ret_view, v, sizeof(*v));
    return STATUS_OK;
}

static status parse_text(str text, arena *a, ice_view *ret_view, error *err)
{
    const json *root;

    if (text.size > 2 && (uint8_t)text.data[0] == 0x1f && (uint8_t)text.data[1] == 0x8b) {
        buf *plain = buf_in(a, LIMIT_METADATA_FILE);

        TRY(decompress_bytes(COMPRESSION_GZIP, text, plain, err));
        text = buf_str(plain);
    }
    TRY(json_parse(text, a, &root, err));
    return parse_view(root, a, ret_view, err);
}

status ice_view_parse(str text, ice_view **ret_view, error *err)
{
    arena *a = arena_create(); /* the tree stays: a view is small */
    ice_view *v = ARENA_NEW(a, ice_view);
    status result = parse_text(text, a, v, err);

    if (result != STATUS_OK) {
        arena_free(a);
        if (result != STATUS_UNSUPPORTED && result != STATUS_TOO_LARGE) {
            result = STATUS_CORRUPT; /* what would be a bad request elsewhere is damage here */
            if (err != NULL) {
                err->kind = result;
                err->position = ERROR_NO_POSITION;
            }
        }
        return result;
    }
    v->memory = a;
    atomic_init(&v->references, 1);
    *ret_view = v;
    return STATUS_OK;
}

ice_view *ice_view_ref(const ice_view *v)
{
    ice_view *shared = (ice_view *)(uintptr_t)v; /* const for its users; the count is the owner's */

    atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
    return shared;
}

void ice_view_unref(const ice_view *v)
{
    ice_view *shared = (ice_view *)(uintptr_t)v;

    if (v != NULL && atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) == 1) {
        arena_free(shared->memory); /* the value itself lies in it */
    }
}

/* ---- looking up ---- */

const ice_view_version *ice_view_version_by_id(const ice_view *v, int32_t id)
{
    for (size_t i = 0; i < v->version_count; i++) {
        if (v->versions[i].id == id) {
            return &v->versions[i];
        }
    }
    return NULL;
}

const ice_view_version *ice_view_current(const ice_view *v)
{
    return ice_view_version_by_id(v, v->current_version_id);
}

const ice_schema *ice_view_schema(const ice_view *v)
{
    const ice_view_version *current = ice_view_current(v);

    ASSERT(current != NULL); /* parsing saw to it */
    return schema_by_id(v, current->schema_id);
}

str ice_view_sql(const ice_view_version *version, str dialect)
{
    for (size_t i = 0; i < version->representation_count; i++) {
        const ice_representation *r = &version->representations[i];

        if (str_equal(r->type, STR("sql")) && str_equal_nocase(r->dialect, dialect)) {
            return r->sql;
        }
    }
    return STR_NULL;
}

str ice_view_property(const ice_view *v, const char *key, const char *fallback)
{
    for (size_t i = 0; i < v->property_count; i++) {
        if (str_equal(v->properties[i].key, str_c(key))) {
            return v->properties[i].value;
        }
    }
    return str_c(fallback);
}

/* ---- writing ---- */

static void put_texts(json_writer *w, const char *key, const ice_property *properties, size_t count)
{
    json_key(w, key);
    json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        json_key_str(w, properties[i].key);
        json_put_str(w, properties[i].value);
    }
    json_end_object(w);
}

static void put_version(json_writer *w, const ice_view_version *v)
{
    json_begin_object(w);
    json_member_int(w, "version-id", v->id);
    json_member_int(w, "timestamp-ms", v->timestamp_ms);
    json_member_int(w, "schema-id", v->schema_id);
    put_texts(w, "summary", v->summary, v->summary_count);
    if (!str_is_null(v->default_catalog)) {
        json_member_str(w, "default-catalog", v->default_catalog);
    }
    json_key(w, "default-namespace");
    json_begin_array(w);
    for (size_t i = 0; i < v->default_namespace_count; i++) {
        json_put_str(w, v->default_namespace[i]);
    }
    json_end_array(w);
    json_key(w, "representations");
    json_begin_array(w);
    for (size_t i = 0; i < v->representation_count; i++) {
        const ice_representation *r = &v->representations[i];

        json_begin_object(w);
        json_member_str(w, "type", r->type);
        if (!str_is_null(r->sql)) {
            json_member_str(w, "sql", r->sql);
        }
        if (!str_is_null(r->dialect)) {
            json_member_str(w, "dialect", r->dialect);
        }
        ice__json_put_unknown(w, r->unknown, r->unknown_count);
        json_end_object(w);
    }
    json_end_array(w);
    ice__json_put_unknown(w, v->unknown, v->unknown_count);
    json_end_object(w);
}

void ice_view_format(const ice_view *v, buf *out)
{
    json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    json_member_str(&w, "view-uuid", v->uuid);
    json_member_int(&w, "format-version", v->format_version);
    json_member_str(&w, "location", v->location);
    json_key(&w, "schemas");
    json_begin_array(&w);
    for (size_t i = 0; i < v->schema_count; i++) {
        ice_schema_format(&v->schemas[i], &w);
    }
    json_end_array(&w);
    json_member_int(&w, "current-version-id", v->current_version_id);
    json_key(&w, "versions");
    json_begin_array(&w);
    for (size_t i = 0; i < v->version_count; i++) {
        put_version(&w, &v->versions[i]);
    }
    json_end_array(&w);
    json_key(&w, "version-log");
    json_begin_array(&w);
    for (size_t i = 0; i < v->log_count; i++) {
        json_begin_object(&w);
        json_member_int(&w, "timestamp-ms", v->log[i].timestamp_ms);
        json_member_int(&w, "version-id", v->log[i].version_id);
        json_end_object(&w);
    }
    json_end_array(&w);
    put_texts(&w, "properties", v->properties, v->property_count);
    ice__json_put_unknown(&w, v->unknown, v->unknown_count);
    json_end_object(&w);
}

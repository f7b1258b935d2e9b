/* view_change.c: new view metadata from old: the first version, the next one, properties, comments. A change is put
 * together from parts of the old view and becomes a value of its own by being written and read: views are small. */
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"
#include "tarn/iceberg/view.h"

#include "internal.h"

status ice__view_settle(const ice_view *parts, arena *a, ice_view **ret_view, error *err)
{
    buf *text = buf_in(a, LIMIT_METADATA_FILE);

    ice_view_format(parts, text);
    TRY(buf_check(text, "view metadata", err));
    return ice_view_parse(buf_str(text), ret_view, err);
}

ice_view ice__view_parts(const ice_view *base)
{
    return (ice_view){.format_version = base->format_version,
                      .uuid = base->uuid,
                      .location = base->location,
                      .schemas = base->schemas,
                      .schema_count = base->schema_count,
                      .current_version_id = base->current_version_id,
                      .versions = base->versions,
                      .version_count = base->version_count,
                      .log = base->log,
                      .log_count = base->log_count,
                      .properties = base->properties,
                      .property_count = base->property_count,
                      .unknown = base->unknown,
                      .unknown_count = base->unknown_count};
}

/* The id of a schema that says the same, else that of a new one. */
static int32_t add_schema(ice_view *v, const ice_schema *wanted, arena *a)
{
    int32_t next = 0;

    for (size_t i = 0; i < v->schema_count; i++) {
        if (ice_schema_equal(&v->schemas[i], wanted)) {
            return v->schemas[i].id;
        }
        next = v->schemas[i].id >= next ? v->schemas[i].id + 1 : next;
    }
    ice_schema *schemas = ARENA_ARRAY(a, ice_schema, v->schema_count + 1);
    if (v->schema_count > 0) {
        memcpy(schemas, v->schemas, v->schema_count * sizeof(*schemas));
    }
    schemas[v->schema_count] = *wanted;
    schemas[v->schema_count++].id = next;
    v->schemas = schemas;
    return next;
}

static str summary_of(const ice_view_version *version, str key)
{
    for (size_t i = 0; i < version->summary_count; i++) {
        if (str_equal(version->summary[i].key, key)) {
            return version->summary[i].value;
        }
    }
    return STR_NULL;
}

/* But for the engine's version. */
static bool same_summary(const ice_view_version *x, const ice_view_version *y)
{
    for (size_t i = 0; i < x->summary_count; i++) {
        str key = x->summary[i].key;

        if (!str_starts_with(key, STR("engine-")) &&
            !str_equal(summary_of(y, key), x->summary[i].value)) {
            return false;
        }
    }
    return true;
}

static bool same_version(const ice_view_version *x, const ice_view_version *y)
{
    bool same = x->schema_id == y->schema_id &&
                x->default_namespace_count == y->default_namespace_count &&
                x->representation_count == y->representation_count &&
                str_is_null(x->default_catalog) == str_is_null(y->default_catalog) &&
                str_equal(x->default_catalog, y->default_catalog) && same_summary(x, y) &&
                same_summary(y, x);

    for (size_t i = 0; same && i < x->default_namespace_count; i++) {
        same = str_equal(x->default_namespace[i], y->default_namespace[i]);
    }
    for (size_t i = 0; same && i < x->representation_count; i++) {
        const ice_representation *r = &x->representations[i], *s = &y->representations[i];

        same = str_equal(r->type, s->type) && str_equal(r->sql, s->sql) &&
               str_equal(r->dialect, s->dialect) && r->unknown_count == 0 && s->unknown_count == 0;
    }
    return same;
}

void ice__view_keep_newest(ice_view *v, size_t count, arena *a)
{
    size_t drop = v->version_count > count ? v->version_count - count : 0;
    size_t kept = 0;
    size_t log_from = 0;

    if (drop == 0) {
        return;
    }
    ice_view_version *versions = ARENA_ARRAY(a, ice_view_version, v->version_count);
    for (size_t i = 0; i < v->version_count; i++) { /* they stand in the order they came */
        if (drop > 0 && v->versions[i].id != v->current_version_id) {
            drop--;
        } else {
            versions[kept++] = v->versions[i];
        }
    }
    v->versions = versions;
    v->version_count = kept;
    for (size_t i = 0; i < v->log_count; i++) {
        log_from = ice_view_version_by_id(v, v->log[i].version_id) == NULL ? i + 1 : log_from;
    }
    v->log += log_from;
    v->log_count -= log_from;
}

/* As many versions as the view says, and no schemas that only older ones had. */
static void limit_history(ice_view *v, arena *a)
{
    int64_t most = ICE__VIEW_HISTORY_DEFAULT;

    (void)str_to_int64(ice_view_property(v, ICE_VIEW_HISTORY, NULL), &most, NULL);
    most = most < 1 ? 1 : most;
    if ((int64_t)v->version_count <= most) {
        return;
    }
    ice__view_keep_newest(v, (size_t)most, a);
    ice_schema *schemas = ARENA_ARRAY(a, ice_schema, v->schema_count);
    size_t schema_count = 0;
    for (size_t i = 0; i < v->schema_count; i++) {
        bool used = false;

        for (size_t k = 0; k < v->version_count; k++) {
            used = used || v->versions[k].schema_id == v->schemas[i].id;
        }
        if (used) {
            schemas[schema_count++] = v->schemas[i];
        }
    }
    v->schemas = schemas;
    v->schema_count = schema_count;
}

/* Makes `version` the current one of `v`, under an id of its own unless an old one says the same. */
static void add_version(ice_view *v, ice_view_version *version, arena *a)
{
    int32_t next = 1;
    int32_t same = 0;
    int64_t now_ms = clock_now_ms();

    for (size_t i = 0; i < v->version_count; i++) {
        const ice_view_version *old = &v->versions[i];

        same = same_version(old, version) ? old->id : same;
        next = old->id >= next ? old->id + 1 : next;
    }
    version->id = same != 0 ? same : next;
    version->timestamp_ms = now_ms;
    if (same == 0) {
        ice_view_version *versions = ARENA_ARRAY(a, ice_view_version, v->version_count + 1);
        if (v->version_count > 0) {
            memcpy(versions, v->versions, v->version_count * sizeof(*versions));
        }
        versions[v->version_count++] = *version;
        v->versions = versions;
    }
    if (v->log_count == 0 || v->log[v->log_count - 1].version_id != version->id) {
        ice_view_log_entry *log = ARENA_ARRAY(a, ice_view_log_entry, v->log_count + 1);
        if (v->log_count > 0) {
            memcpy(log, v->log, v->log_count * sizeof(*log));
        }
        log[v->log_count++] =
            (ice_view_log_entry){.timestamp_ms = now_ms, .version_id = version->id};
        v->log = log;
    }
    v->current_version_id = version->id;
    limit_history(v, a);
}

static status define(ice_view *v, const ice_view_definition *d, arena *a, error *err)
{
    ice_schema schema = {.id = 0};
    int32_t next_id = 1;
    ice_representation *sql = ARENA_NEW(a, ice_representation);
    ice_property *summary = ARENA_ARRAY(a, ice_property, 2 + d->summary_count);
    size_t summary_count = 0;

    schema.root = ice_type_assign_ids(d->root, &next_id, a);
    TRY(ice_schema_check(&schema, ICE__VIEW_TYPES, err));
    *sql = (ice_representation){.type = STR("sql"), .sql = d->sql, .dialect = d->dialect};
    summary[summary_count++] = (ice_property){.key = STR("engine-name"), .value = STR("tarn")};
    if (d->engine_version.size > 0) {
        summary[summary_count++] =
            (ice_property){.key = STR("engine-version"), .value = d->engine_version};
    }
    for (size_t i = 0; i < d->summary_count; i++) {
        summary[summary_count++] = d->summary[i];
    }
    v->properties = d->properties;
    v->property_count = d->property_count;
    ice_view_version version = {.schema_id = add_schema(v, &schema, a),
                                .default_catalog = d->default_catalog,
                                .default_namespace = d->default_namespace,
                                .default_namespace_count = d->default_namespace_count,
                                .summary = summary,
                                .summary_count = summary_count,
                                .representations = sql,
                                .representation_count = 1};
    add_version(v, &version, a);
    return STATUS_OK;
}

/* A version has all the SQL that its view has: whoever reads the view in another dialect goes on doing so, unless the
 * view says that this may end. */
static status refuse_lost_dialect(const ice_view *base, const ice_view_definition *d, error *err)
{
    const ice_view_version *before = ice_view_current(base);
    bool allowed =
        str_equal_nocase(ice_view_property(base, ICE__VIEW_DROP_DIALECT, ""), STR("true"));

    for (size_t i = 0; i < d->property_count; i++) {
        if (str_equal(d->properties[i].key, STR(ICE__VIEW_DROP_DIALECT))) {
            allowed = str_equal_nocase(d->properties[i].value, STR("true"));
        }
    }
    for (size_t i = 0; !allowed && i < before->representation_count; i++) {
        const ice_representation *r = &before->representations[i];

        if (str_equal(r->type, STR("sql")) && !str_equal_nocase(r->dialect, d->dialect)) {
            error_set(err, STATUS_INVALID,
                      "the view has SQL in dialect \"%.*s\", which would be lost",
                      STR_ARG(r->dialect));
            error_hint(err,
                       "Property '" ICE__VIEW_DROP_DIALECT "' = 'true' allows it: ALTER VIEW … "
                       "SET TBLPROPERTIES, or WITH (…) of the statement.");
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

static status make(const ice_view *base, str location, const ice_view_definition *d,
                   ice_view **ret_view, error *err)
{
    arena *a = arena_create();
    char uuid[37];
    ice_view parts = {.format_version = 1, .location = location};

    if (base != NULL) {
        parts = ice__view_parts(base);
    } else {
        ice__uuid_at(location, uuid);
        parts.uuid = str_c(uuid);
    }
    status result = define(&parts, d, a, err);
    if (result == STATUS_OK) {
        result = ice__view_settle(&parts, a, ret_view, err);
    }
    arena_free(a);
    return result;
}

status ice_view_create(str location, const ice_view_definition *definition, ice_view **ret_view,
                       error *err)
{
    return make(NULL, location, definition, ret_view, err);
}

status ice_view_replace(const ice_view *base, const ice_view_definition *definition,
                        ice_view **ret_view, error *err)
{
    TRY(refuse_lost_dialect(base, definition, err));
    return make(base, base->location, definition, ret_view, err);
}

static bool has_key(const ice_property *properties, size_t count, str key)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(properties[i].key, key)) {
            return true;
        }
    }
    return false;
}

static bool same_properties(const ice_view *x, const ice_view *y)
{
    map *values = map_create(NULL);
    bool same = x->property_count == y->property_count;

    for (size_t i = 0; same && i < x->property_count; i++) {
        (void)map_set(values, x->properties[i].key, (void *)(uintptr_t)&x->properties[i]);
    }
    for (size_t i = 0; same && i < y->property_count; i++) {
        const ice_property *other = map_get(values, y->properties[i].key);

        same = other != NULL && str_equal(other->value, y->properties[i].value);
    }
    map_free(values);
    return same;
}

/* Versions and schemas never change under their ids. */
bool ice_view_is_same(const ice_view *base, const ice_view *next)
{
    bool same = str_equal(base->location, next->location) &&
                base->current_version_id == next->current_version_id &&
                base->version_count == next->version_count &&
                base->schema_count == next->schema_count && base->log_count == next->log_count &&
                same_properties(base, next);

    for (size_t i = 0; same && i < base->version_count; i++) {
        same = base->versions[i].id == next->versions[i].id;
    }
    return same;
}

status ice_view_set_properties(const ice_view *base, const ice_property *set, size_t set_count,
                               const str *removed, size_t removed_count, ice_view **ret_view,
                               error *err)
{
    arena *a = arena_create();
    ice_view parts = ice__view_parts(base);
    VEC(ice_property) kept = {0};

    for (size_t i = 0; i < base->property_count; i++) {
        bool gone = has_key(set, set_count, base->properties[i].key);

        for (size_t k = 0; k < removed_count && !gone; k++) {
            gone = str_equal(removed[k], base->properties[i].key);
        }
        if (!gone) {
            vec_push(a, &kept, base->properties[i]);
        }
    }
    for (size_t i = 0; i < set_count; i++) {
        vec_push(a, &kept, set[i]);
    }
    parts.properties = kept.items;
    parts.property_count = kept.count;
    status result = ice__view_settle(&parts, a, ret_view, err);
    arena_free(a);
    return result;
}

status ice_view_comment_column(const ice_view *base, str column, str comment, ice_view **ret_view,
                               error *err)
{
    const ice_schema *schema = ice_view_schema(base);
    const ice_field *found = ice_schema_column(schema, column);

    if (found == NULL) {
        return error_set(err, STATUS_NO_COLUMN, "the view has no column \"%.*s\"", STR_ARG(column));
    }
    arena *a = arena_create();
    ice_view parts = ice__view_parts(base);
    ice_schema changed = ice__schema_copy(schema, a);
    ice_type *root = ARENA_NEW(a, ice_type);
    ice_field *fields = ARENA_ARRAY(a, ice_field, schema->root->field_count);
    memcpy(fields, changed.root->fields, schema->root->field_count * sizeof(*fields));
    fields[found - schema->root->fields].doc = comment;
    *root = *changed.root;
    root->fields = fields;
    changed.root = root;
    ice_view_version version = *ice_view_current(base);
    version.schema_id = add_schema(&parts, &changed, a);
    add_version(&parts, &version, a);
    status result = ice__view_settle(&parts, a, ret_view, err);
    arena_free(a);
    return result;
}

status ice_view_stage(storage *st, const ice_view *v, int version, store_staged **ret_staged,
                      arena *a, str *ret_location, error *err)
{
    buf *text = buf_in(a, LIMIT_METADATA_FILE);
    char uuid[37];

    str folder = ice_view_property(v, "write.metadata.path", "");

    while (str_ends_with(folder, STR("/"))) {
        folder.size--;
    }
    if (folder.size == 0) {
        folder = str_concat(a, v->location, STR("/metadata"));
    }
    ice_view_format(v, text);
    TRY(buf_check(text, "view metadata", err));
    random_uuid(uuid);
    str location = str_printf(a, "%.*s/%05d-%s.metadata.json", STR_ARG(folder), version, uuid);
    TRY(store_stage_bytes(st, location, STR("application/json"), buf_str(text), ret_staged, err));
    *ret_location = location;
    return STATUS_OK;
}

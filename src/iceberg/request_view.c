/* request_view.c: updates of views and requests for new ones. Versions get the next id that the view has free, so that
 * two clients who began at the same one both come in; what is equal to a schema or version that is there is that one.
 * Source: Iceberg view specification; the reference implementation's ViewMetadata. */
#include "request_parts.h"

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/base/rng.h"

#define DROP_DIALECT ICE__VIEW_DROP_DIALECT

/* ---- the view ---- */

ICE__VIEW_APPLIER(uuid)
{
    if (!str_is_null(x->now.uuid) && !str_equal_nocase(x->now.uuid, u->text)) {
        return error_set(err, STATUS_INVALID, "the view has the UUID %.*s, which stays",
                         STR_ARG(x->now.uuid));
    }
    x->now.uuid = str_is_null(x->now.uuid) ? u->text : x->now.uuid;
    return STATUS_OK;
}

ICE__VIEW_APPLIER(format_version)
{
    return u->id == x->now.format_version
               ? STATUS_OK
               : error_set(err, STATUS_INVALID, "views have format version %d, not %d",
                           x->now.format_version, (int)u->id);
}

ICE__VIEW_APPLIER(location)
{
    (void)err;
    x->now.location = u->text;
    while (x->now.location.size > 1 && str_ends_with(x->now.location, STR("/"))) {
        x->now.location.size--;
    }
    return STATUS_OK;
}

ICE__VIEW_APPLIER(set_properties)
{
    ice_property *list = ARENA_ARRAY(x->memory, ice_property, x->now.property_count + u->count);
    map *given = map_create(x->memory);
    size_t count = 0;

    for (size_t i = 0; i < u->count; i++) {
        if (u->properties[i].key.size == 0) {
            return error_set(err, STATUS_INVALID, "a property has an empty name");
        }
        (void)map_set(given, u->properties[i].key, x);
    }
    for (size_t i = 0; i < x->now.property_count; i++) {
        if (!map_has(given, x->now.properties[i].key)) {
            list[count++] = x->now.properties[i];
        }
    }
    for (size_t i = 0; i < u->count; i++) {
        list[count++] = u->properties[i];
    }
    x->now.properties = list;
    x->now.property_count = count;
    return STATUS_OK;
}

ICE__VIEW_APPLIER(remove_properties)
{
    static char present;
    ice_property *list = ARENA_ARRAY(x->memory, ice_property, x->now.property_count);
    map *gone = map_create(x->memory);
    size_t count = 0;

    (void)err;
    for (size_t i = 0; i < u->count; i++) {
        (void)map_set(gone, u->keys[i], &present);
    }
    for (size_t i = 0; i < x->now.property_count; i++) {
        if (!map_has(gone, x->now.properties[i].key)) {
            list[count++] = x->now.properties[i];
        }
    }
    x->now.properties = list;
    x->now.property_count = count;
    return STATUS_OK;
}

/* ---- schemas ---- */

static status put_schema(ice__viewing *x, const ice_schema *schema, int32_t *ret_id, error *err)
{
    ice_schema *list;
    int32_t next = 0;

    TRY(ice__schema_check_exact(schema, ICE__VIEW_TYPES, err));
    for (size_t i = 0; i < x->now.schema_count; i++) {
        if (ice_schema_equal(&x->now.schemas[i], schema)) {
            *ret_id = x->now.schemas[i].id;
            return STATUS_OK;
        }
        next = x->now.schemas[i].id >= next ? ice__sum32(x->now.schemas[i].id, 1) : next;
    }
    list = ARENA_ARRAY(x->memory, ice_schema, x->now.schema_count + 1);
    for (size_t i = 0; i < x->now.schema_count; i++) {
        list[i] = x->now.schemas[i];
    }
    list[x->now.schema_count] = *schema;
    list[x->now.schema_count++].id = next;
    x->now.schemas = list;
    *ret_id = next;
    return STATUS_OK;
}

ICE__VIEW_APPLIER(add_schema)
{
    ice__given given = {.asked = u->schema->id};

    TRY(put_schema(x, u->schema, &given.given, err));
    vec_push(x->memory, &x->schemas, given);
    x->last_schema = given.given;
    return STATUS_OK;
}

/* What the client means by an id: what it added under it itself, else what the view has. */
static int32_t given_id(const ice__given_vec *ids, int32_t asked)
{
    for (size_t i = ids->count; i > 0; i--) {
        if (ids->items[i - 1].asked == asked) {
            return ids->items[i - 1].given;
        }
    }
    return asked;
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

/* ---- versions ---- */

static bool same_properties(const ice_property *x, size_t x_count, const ice_property *y,
                            size_t y_count)
{
    for (size_t i = 0; i < x_count && x_count == y_count; i++) {
        bool found = false;

        for (size_t k = 0; k < y_count && !found; k++) {
            found = str_equal(x[i].key, y[k].key) && str_equal(x[i].value, y[k].value);
        }
        if (!found) {
            return false;
        }
    }
    return x_count == y_count;
}

/* They would behave alike: all but id and time. */
static bool same_version(const ice_view_version *x, const ice_view_version *y)
{
    bool same = x->schema_id == y->schema_id &&
                x->default_namespace_count == y->default_namespace_count &&
                x->representation_count == y->representation_count &&
                str_is_null(x->default_catalog) == str_is_null(y->default_catalog) &&
                str_equal(x->default_catalog, y->default_catalog) &&
                same_properties(x->summary, x->summary_count, y->summary, y->summary_count) &&
                same_properties(x->unknown, x->unknown_count, y->unknown, y->unknown_count);

    for (size_t i = 0; same && i < x->default_namespace_count; i++) {
        same = str_equal(x->default_namespace[i], y->default_namespace[i]);
    }
    for (size_t i = 0; same && i < x->representation_count; i++) {
        const ice_representation *r = &x->representations[i], *s = &y->representations[i];

        same = str_equal(r->type, s->type) && str_equal(r->sql, s->sql) &&
               str_equal(r->dialect, s->dialect) &&
               same_properties(r->unknown, r->unknown_count, s->unknown, s->unknown_count);
    }
    return same;
}

static status put_version(ice__viewing *x, ice_view_version *version, int32_t *ret_id, error *err)
{
    ice_view_version *list;
    int32_t next = 1;

    if (schema_by_id(&x->now, version->schema_id) == NULL) {
        return error_set(err, STATUS_INVALID, "the view version has schema %d, which is unknown",
                         (int)version->schema_id);
    }
    for (size_t i = 0; i < x->now.version_count; i++) {
        if (same_version(&x->now.versions[i], version)) {
            *ret_id = x->now.versions[i].id;
            return STATUS_OK;
        }
        next = x->now.versions[i].id >= next ? ice__sum32(x->now.versions[i].id, 1) : next;
    }
    list = ARENA_ARRAY(x->memory, ice_view_version, x->now.version_count + 1);
    for (size_t i = 0; i < x->now.version_count; i++) {
        list[i] = x->now.versions[i];
    }
    version->id = next;
    list[x->now.version_count++] = *version;
    x->now.versions = list;
    x->added++;
    *ret_id = next;
    return STATUS_OK;
}

ICE__VIEW_APPLIER(add_version)
{
    ice_view_version version = *u->version;
    ice__given given = {.asked = version.id};

    if (version.schema_id == ICE__LAST_ADDED && x->last_schema == ICE__LAST_ADDED) {
        return error_set(err, STATUS_INVALID,
                         "-1 is the schema that was added last, but none has been added");
    }
    version.schema_id = version.schema_id == ICE__LAST_ADDED
                            ? x->last_schema
                            : given_id(&x->schemas, version.schema_id);
    TRY(put_version(x, &version, &given.given, err));
    vec_push(x->memory, &x->versions, given);
    x->last_version = given.given;
    return STATUS_OK;
}

ICE__VIEW_APPLIER(current_version)
{
    int32_t id = u->id;

    if (id == ICE__LAST_ADDED && x->last_version == ICE__LAST_ADDED) {
        return error_set(err, STATUS_INVALID,
                         "-1 is the view version that was added last, but none has been added");
    }
    id = id == ICE__LAST_ADDED ? x->last_version : given_id(&x->versions, id);
    if (ice_view_version_by_id(&x->now, id) == NULL) {
        return error_set(err, STATUS_INVALID, "view version %d is unknown", (int)id);
    }
    x->now.current_version_id = id;
    return STATUS_OK;
}

/* ---- after all ---- */

static bool is_new(const ice__viewing *x, int32_t id)
{
    return x->base == NULL || ice_view_version_by_id(x->base, id) == NULL;
}

static void put_log(ice__viewing *x)
{
    ice_view *v = &x->now;
    const ice_view_version *current = ice_view_current(v);
    ice_view_log_entry *log;

    if (x->base != NULL && x->base->current_version_id == current->id) {
        return;
    }
    log = ARENA_ARRAY(x->memory, ice_view_log_entry, v->log_count + 1);
    for (size_t i = 0; i < v->log_count; i++) {
        log[i] = v->log[i];
    }
    log[v->log_count++] = (ice_view_log_entry){
        .timestamp_ms = is_new(x, current->id) ? current->timestamp_ms : clock_now_ms(),
        .version_id = current->id};
    v->log = log;
}

static void list_dialects(const ice_view_version *version, buf *out)
{
    const char *separator = "";

    buf_add_c(out, "[");
    for (size_t i = 0; i < version->representation_count; i++) {
        if (!str_is_null(version->representations[i].dialect)) {
            buf_add_c(out, separator);
            buf_add_str(out, version->representations[i].dialect);
            separator = ", ";
        }
    }
    buf_add_c(out, "]");
}

/* Whoever reads the view in a dialect goes on reading it, unless the view says that this may end. */
static status check_dialects(const ice__viewing *x, error *err)
{
    const ice_view_version *before = x->base != NULL ? ice_view_current(x->base) : NULL;
    const ice_view_version *now = ice_view_current(&x->now);
    bool allowed = str_equal_nocase(ice_view_property(&x->now, DROP_DIALECT, "false"), STR("true"));

    for (size_t i = 0; before != NULL && !allowed && i < before->representation_count; i++) {
        const ice_representation *r = &before->representations[i];

        if (str_equal(r->type, STR("sql")) && str_is_null(ice_view_sql(now, r->dialect))) {
            buf *prior = buf_in(x->memory, LIMIT_JSON_BODY);
            buf *after = buf_in(x->memory, LIMIT_JSON_BODY);

            list_dialects(before, prior);
            list_dialects(now, after);
            return error_set(err, STATUS_INVALID,
                             "cannot replace view due to loss of view dialects (" DROP_DIALECT
                             "=false): previous dialects: %.*s, new dialects: %.*s",
                             STR_ARG(buf_str(prior)), STR_ARG(buf_str(after)));
        }
    }
    return STATUS_OK;
}

/* The newest versions stay: as many as the view says, all that this request added, and the current one. */
static status limit_history(ice__viewing *x, error *err)
{
    ice_view *v = &x->now;
    str text = ice_view_property(v, ICE_VIEW_HISTORY, NULL);
    int64_t most = ICE__VIEW_HISTORY_DEFAULT;

    if (!str_is_null(text) && (str_to_int64(text, &most, NULL) != STATUS_OK || most < 1)) {
        return error_set(err, STATUS_INVALID, ICE_VIEW_HISTORY " must be positive but was %.*s",
                         STR_ARG(str_slice(text, 0, 100)));
    }
    size_t least = x->added + (is_new(x, v->current_version_id) ? 0 : 1);
    ice__view_keep_newest(v, (uint64_t)most > least ? (size_t)most : least, x->memory);
    return STATUS_OK;
}

static status finish(ice__viewing *x, ice_view **ret_view, error *err)
{
    if (ice_view_current(&x->now) == NULL) {
        return error_set(err, STATUS_INVALID, "the view would have no current version");
    }
    put_log(x);
    TRY(check_dialects(x, err));
    TRY(limit_history(x, err));
    return ice__view_settle(&x->now, x->memory, ret_view, err);
}

static status apply(ice__viewing *x, const ice__updates *updates, ice_view **ret_view, error *err)
{
    for (size_t i = 0; i < updates->count; i++) {
        const ice__update *u = &updates->items[i];
        status s = ice__as_invalid(u->action->apply_view(x, u, err), err);

        if (s == STATUS_INVALID) {
            error_context(err, "updates[%zu]", i);
        }
        TRY(s);
        TRY(ice__check_memory(x->memory, err));
    }
    return ice__as_invalid(finish(x, ret_view, err), err);
}

status ice__view_request_apply(const ice__updates *updates, const ice_view *base,
                               ice_view **ret_view, error *err)
{
    arena *a = arena_create();
    ice__viewing x = {.base = base,
                      .now = ice__view_parts(base),
                      .memory = a,
                      .last_schema = ICE__LAST_ADDED,
                      .last_version = ICE__LAST_ADDED};
    status s = apply(&x, updates, ret_view, err);

    arena_free(a);
    return s;
}

/* ---- creating views ---- */

static const json_field create_members[] = {
    {"name", JSON_STR, JSON_REQUIRED, offsetof(ice_view_create_request, name)},
    {"location", JSON_STR, 0, offsetof(ice_view_create_request, location)},
    {"schema", JSON_OBJECT, JSON_REQUIRED, offsetof(ice_view_create_request, schema)},
    {"view-version", JSON_OBJECT, JSON_REQUIRED, offsetof(ice_view_create_request, version)},
};

status ice_view_create_request_parse(const json *body, arena *a,
                                     ice_view_create_request *ret_request, error *err)
{
    ice_view_create_request r = {.location = STR_NULL};

    TRY(json_read(body, create_members, COUNT_OF(create_members), &r, err));
    TRY(ice__check_names(r.name, r.location, err));
    TRY(ice__properties_read(json_get(body, "properties"), "properties", a, &r.properties,
                             &r.property_count, err));
    *ret_request = r;
    return STATUS_OK;
}

static status build(const ice_view_create_request *r, str location, arena *a, ice_view **ret_view,
                    error *err)
{
    char uuid[37];
    ice__viewing x = {.memory = a};
    ice_schema schema;
    ice_view_version version;
    const ice__update properties = {.properties = r->properties, .count = r->property_count};
    const ice__update place = {.text = location};

    ice__uuid_at(location, uuid);
    x.now = (ice_view){.format_version = 1, .uuid = str_copy(a, str_c(uuid))};
    TRY(ice__schema_read(r->schema, a, &schema, err));
    TRY(ice__version_read(r->version, a, &version, err));
    TRY(ice__view_location(&x, &place, err));
    TRY(ice__view_set_properties(&x, &properties, err));
    TRY(put_schema(&x, &schema, &version.schema_id, err));
    TRY(put_version(&x, &version, &x.now.current_version_id, err));
    return finish(&x, ret_view, err);
}

status ice_view_create_request_build(const ice_view_create_request *r, str location,
                                     ice_view **ret_view, error *err)
{
    arena *a = arena_create();
    status s = ice__as_invalid(build(r, location, a, ret_view, err), err);

    arena_free(a);
    return s;
}

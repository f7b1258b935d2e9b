/* request_check.c: requirements of commits: read, and held against tables and views. The words are those of the
 * reference implementation's UpdateRequirement: clients tell users about conflicts in them, and some look into them. */
#include "request_parts.h"

/* What clients know a conflict by. */
#define UNMET "Requirement failed: "

typedef struct requirement requirement;

typedef struct requirement_kind {
    const char *name;
    const char *id_key; /* the member that holds a number; NULL: none */
    bool has_uuid;
    status (*check)(const requirement *r, const ice_metadata *base, error *err);
    status (*check_view)(const requirement *r, const ice_view *base, error *err);
} requirement_kind;

struct requirement {
    const requirement_kind *kind;
    str text; /* uuid, name of a reference */
    int64_t id;
    bool has_id; /* false: the reference must not be there */
};

typedef struct requirements {
    const requirement *items;
    size_t count;
} requirements;

/* ---- tables ---- */

static status check_create(const requirement *r, const ice_metadata *base, error *err)
{
    (void)r;
    return base == NULL ? STATUS_OK : error_set(err, STATUS_CONFLICT, UNMET "table already exists");
}

static status check_uuid(const requirement *r, const ice_metadata *base, error *err)
{
    return str_equal_nocase(r->text, base->uuid)
               ? STATUS_OK
               : error_set(err, STATUS_CONFLICT, UNMET "UUID does not match: expected %.*s != %.*s",
                           STR_ARG(str_is_null(base->uuid) ? STR("null") : base->uuid),
                           STR_ARG(r->text));
}

static const ice_ref *find_ref(const ice_metadata *m, str name)
{
    for (size_t i = 0; i < m->ref_count; i++) {
        if (str_equal(m->refs[i].name, name)) {
            return &m->refs[i];
        }
    }
    return NULL;
}

static status check_ref(const requirement *r, const ice_metadata *base, error *err)
{
    const ice_ref *ref = find_ref(base, r->text);
    const char *kind = ref != NULL && ref->is_tag ? "tag" : "branch";

    if (ref == NULL) {
        return !r->has_id ? STATUS_OK
                          : error_set(err, STATUS_CONFLICT,
                                      UNMET "branch or tag %.*s is missing, expected "
                                            "%lld",
                                      STR_ARG(r->text), (long long)r->id);
    }
    if (!r->has_id) {
        return error_set(err, STATUS_CONFLICT, UNMET "%s %.*s was created concurrently", kind,
                         STR_ARG(r->text));
    }
    return ref->snapshot_id == r->id
               ? STATUS_OK
               : error_set(err, STATUS_CONFLICT,
                           UNMET "%s %.*s has changed: expected id %lld != %lld", kind,
                           STR_ARG(r->text), (long long)r->id, (long long)ref->snapshot_id);
}

static status check_number(const requirement *r, const char *what, int32_t now, error *err)
{
    return r->id == now
               ? STATUS_OK
               : error_set(err, STATUS_CONFLICT, UNMET "%s changed: expected id %lld != %d", what,
                           (long long)r->id, (int)now);
}

static status check_field_id(const requirement *r, const ice_metadata *base, error *err)
{
    return check_number(r, "last assigned field id", base->last_column_id, err);
}

static status check_schema_id(const requirement *r, const ice_metadata *base, error *err)
{
    return check_number(r, "current schema", base->current_schema_id, err);
}

static status check_partition_id(const requirement *r, const ice_metadata *base, error *err)
{
    return check_number(r, "last assigned partition id", base->last_partition_id, err);
}

static status check_spec_id(const requirement *r, const ice_metadata *base, error *err)
{
    return check_number(r, "default partition spec", base->default_spec_id, err);
}

static status check_order_id(const requirement *r, const ice_metadata *base, error *err)
{
    return check_number(r, "default sort order", base->default_order_id, err);
}

/* ---- views ---- */

static status check_view_uuid(const requirement *r, const ice_view *base, error *err)
{
    return str_equal_nocase(r->text, base->uuid)
               ? STATUS_OK
               : error_set(err, STATUS_CONFLICT,
                           UNMET "view UUID does not match: expected %.*s != %.*s",
                           STR_ARG(base->uuid), STR_ARG(r->text));
}

/* ---- all of them ---- */

/* clang-format off */
static const requirement_kind kinds[] = {
    {"assert-create",                     NULL,                         false, check_create,       NULL},
    {"assert-table-uuid",                 NULL,                         true,  check_uuid,         NULL},
    {"assert-ref-snapshot-id",            NULL,                         false, check_ref,          NULL},
    {"assert-last-assigned-field-id",     "last-assigned-field-id",     false, check_field_id,     NULL},
    {"assert-current-schema-id",          "current-schema-id",          false, check_schema_id,    NULL},
    {"assert-last-assigned-partition-id", "last-assigned-partition-id", false, check_partition_id, NULL},
    {"assert-default-spec-id",            "default-spec-id",            false, check_spec_id,      NULL},
    {"assert-default-sort-order-id",      "default-sort-order-id",      false, check_order_id,     NULL},
    {"assert-view-uuid",                  NULL,                         true,  NULL,               check_view_uuid},
};
/* clang-format on */

static status find_kind(const json *value, bool of_view, const requirement_kind **ret_kind,
                        error *err)
{
    str name = json_str_or(json_get(value, "type"), STR_NULL);

    if (json_kind_of(value) != JSON_OBJECT || str_is_null(name)) {
        return error_set(err, STATUS_INVALID, "a requirement is an object with the text \"type\"");
    }
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!str_equal(name, str_c(kinds[i].name))) {
            continue;
        }
        if (of_view ? kinds[i].check_view == NULL : kinds[i].check == NULL) {
            return error_set(err, STATUS_INVALID, "\"%s\" is no requirement of a %s", kinds[i].name,
                             of_view ? "view" : "table");
        }
        *ret_kind = &kinds[i];
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "requirement \"%.*s\" is unknown", STR_ARG(name));
}

typedef struct requirement_text {
    str uuid, ref;
    int32_t number;
    int64_t snapshot_id;
} requirement_text;

static status read_requirement(const json *value, bool of_view, requirement *r, error *err)
{
    requirement_text t = {.uuid = STR_NULL};

    TRY(find_kind(value, of_view, &r->kind, err));
    if (r->kind->has_uuid) {
        const json_field members[] = {
            {"uuid", JSON_STR, JSON_REQUIRED, offsetof(requirement_text, uuid)}};

        TRY(json_read(value, members, COUNT_OF(members), &t, err));
        r->text = t.uuid;
    } else if (r->kind->id_key != NULL) {
        const json_field members[] = {
            {r->kind->id_key, JSON_INT32, JSON_REQUIRED, offsetof(requirement_text, number)}};

        TRY(json_read(value, members, COUNT_OF(members), &t, err));
        r->id = t.number;
    } else if (r->kind->check == check_ref) {
        const json_field members[] = {
            {"ref", JSON_STR, JSON_REQUIRED, offsetof(requirement_text, ref)},
            {"snapshot-id", JSON_INT64, JSON_UNSIGNED_TOO,
             offsetof(requirement_text, snapshot_id)}};

        TRY(json_read(value, members, COUNT_OF(members), &t, err));
        r->text = t.ref;
        r->id = t.snapshot_id;
        r->has_id = json_kind_of(json_get(value, "snapshot-id")) != JSON_NULL;
    }
    return STATUS_OK;
}

/* One that is left out, or null, is empty. */
static status read_requirements(const json *body, bool of_view, arena *a,
                                requirements *ret_requirements, error *err)
{
    const json *list = json_get(body, "requirements");
    size_t count = json_count(list);
    requirement *items = ARENA_ARRAY(a, requirement, count);

    if (json_kind_of(list) != JSON_ARRAY && json_kind_of(list) != JSON_NULL) {
        return error_set(err, STATUS_INVALID, "\"requirements\" is not a list");
    }
    for (size_t i = 0; i < count; i++) {
        status s = read_requirement(json_at(list, i), of_view, &items[i], err);

        if (s != STATUS_OK) {
            error_context(err, "requirements[%zu]", i);
            return s;
        }
    }
    *ret_requirements = (requirements){.items = items, .count = count};
    return STATUS_OK;
}

/* ---- requests of tables ---- */

struct ice_request {
    requirements requirements;
    ice__updates updates;
    bool creates;
};

status ice_request_parse(const json *body, arena *a, const ice_request **ret_request, error *err)
{
    ice_request *r = ARENA_NEW(a, ice_request);

    TRY(ice__updates_read(body, false, a, &r->updates, err));
    TRY(read_requirements(body, false, a, &r->requirements, err));
    for (size_t i = 0; i < r->requirements.count; i++) {
        r->creates = r->creates || r->requirements.items[i].kind->check == check_create;
    }
    for (size_t i = 0; r->creates && i < r->requirements.count; i++) {
        if (r->requirements.items[i].kind->check != check_create) {
            return error_set(err, STATUS_INVALID,
                             "requirements[%zu]: \"%s\" says nothing of a table that \"assert-"
                             "create\" wants not to be there",
                             i, r->requirements.items[i].kind->name);
        }
    }
    *ret_request = r;
    return STATUS_OK;
}

bool ice_request_creates(const ice_request *r)
{
    return r->creates;
}

status ice_request_check(const ice_request *r, const ice_metadata *base, error *err)
{
    if (base == NULL && !r->creates) {
        return error_set(err, STATUS_NO_TABLE, "there is no such table");
    }
    for (size_t i = 0; i < r->requirements.count; i++) {
        TRY(r->requirements.items[i].kind->check(&r->requirements.items[i], base, err));
    }
    return STATUS_OK;
}

status ice_request_apply(const ice_request *r, ice_builder *b, error *err)
{
    return ice__request_apply(&r->updates, b, err);
}

status ice_request_create(const ice_request *r, str location, ice_metadata **ret_metadata,
                          error *err)
{
    return ice__request_create(&r->updates, location, ret_metadata, err);
}

status ice_request_places(const ice_request *r,
                          status (*visit)(void *context, ice_place_kind kind, str location,
                                          error *err),
                          void *context, error *err)
{
    return ice__updates_places(&r->updates, visit, context, err);
}

/* ---- requests of views ---- */

struct ice_view_request {
    requirements requirements;
    ice__updates updates;
};

status ice_view_request_parse(const json *body, arena *a, const ice_view_request **ret_request,
                              error *err)
{
    ice_view_request *r = ARENA_NEW(a, ice_view_request);

    TRY(ice__updates_read(body, true, a, &r->updates, err));
    TRY(read_requirements(body, true, a, &r->requirements, err));
    *ret_request = r;
    return STATUS_OK;
}

status ice_view_request_check(const ice_view_request *r, const ice_view *base, error *err)
{
    if (base == NULL) {
        return error_set(err, STATUS_NO_VIEW, "there is no such view");
    }
    for (size_t i = 0; i < r->requirements.count; i++) {
        TRY(r->requirements.items[i].kind->check_view(&r->requirements.items[i], base, err));
    }
    return STATUS_OK;
}

status ice_view_request_apply(const ice_view_request *r, const ice_view *base, ice_view **ret_view,
                              error *err)
{
    return ice__view_request_apply(&r->updates, base, ret_view, err);
}

status ice_view_request_places(const ice_view_request *r,
                               status (*visit)(void *context, ice_place_kind kind, str location,
                                               error *err),
                               void *context, error *err)
{
    return ice__updates_places(&r->updates, visit, context, err);
}

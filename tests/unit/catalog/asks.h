/* asks.h: REST requests against a lake, written as JSON with ' for ". */
#ifndef TARN_TEST_UNIT_CATALOG_ASKS_H
#define TARN_TEST_UNIT_CATALOG_ASKS_H

#include "lake.h"

#include "tarn/catalog/request.h"

#define COLUMNS                                                  \
    "'schema': {'type': 'struct', 'fields': ["                   \
    "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'}," \
    "{'id': 2, 'name': 'name', 'required': false, 'type': 'string'}]}"
#define ASSERT_CREATE "{'type': 'assert-create'}"

static inline table_name in_main(const char *name)
{
    return (table_name){.space = STR("main"), .table = str_c(name)};
}

/* In any thread: fails by its status alone. */
static inline status read_json(arena *a, str text, const json **ret_value, error *err)
{
    char *copy = arena_alloc(a, text.size + 1);

    for (size_t i = 0; i < text.size; i++) {
        copy[i] = text.data[i] == '\'' ? '"' : text.data[i];
    }
    return json_parse(str_from(copy, text.size), a, ret_value, err);
}

/* `more`: members that follow, with a comma in front. */
static inline status ask_create(lake *l, arena *a, const char *name, const char *more,
                                catalog_loaded *ret_loaded, error *err)
{
    ice_create_request request;
    const json *body = NULL;

    TRY(read_json(a, str_printf(a, "{'name': '%s', " COLUMNS "%s}", name, more), &body, err));
    TRY(ice_create_request_parse(body, a, &request, err));
    return catalog_create_by_request(l->catalog, STR("main"), &request, a, ret_loaded, err);
}

static inline status ask_request(arena *a, const char *requirements, const char *updates,
                                 const ice_request **ret_request, error *err)
{
    const json *body = NULL;

    TRY(read_json(a,
                  str_printf(a, "{'requirements': [%s], 'updates': [%s]}", requirements, updates),
                  &body, err));
    return ice_request_parse(body, a, ret_request, err);
}

static inline status ask_commit(lake *l, arena *a, const char *name, const char *requirements,
                                const char *updates, catalog_loaded *ret_loaded, error *err)
{
    catalog_table_request one = {.name = in_main(name)};

    TRY(ask_request(a, requirements, updates, &one.request, err));
    return catalog_commit_request(l->catalog, &one, a, ret_loaded, err);
}

/* The same where what is loaded does not matter. */
static inline status commit_only(lake *l, arena *a, const char *name, const char *requirements,
                                 const char *updates, error *err)
{
    catalog_loaded loaded;

    TRY(ask_commit(l, a, name, requirements, updates, &loaded, err));
    ice_metadata_unref(loaded.metadata);
    return STATUS_OK;
}

static inline status create_only(lake *l, arena *a, const char *name, const char *more, error *err)
{
    catalog_loaded loaded;

    TRY(ask_create(l, a, name, more, &loaded, err));
    ice_metadata_unref(loaded.metadata);
    return STATUS_OK;
}

static inline str property_of(lake *l, const char *name, const char *key)
{
    table_info info;
    ice_metadata *m = load(l, name, &info);
    str value = str_copy(l->f->arena, ice_metadata_property(m, key, "absent"));

    ice_metadata_unref(m);
    return value;
}

/* The updates of a create that was staged. */
static inline const char *made_updates(fixture *f, const char *uuid, const char *location)
{
    return str_printf(f->arena,
                      "{'action': 'assign-uuid', 'uuid': '%s'},"
                      "{'action': 'upgrade-format-version', 'format-version': 2},"
                      "{'action': 'add-schema', " COLUMNS "},"
                      "{'action': 'set-current-schema', 'schema-id': -1},"
                      "{'action': 'add-spec', 'spec': {'spec-id': 0, 'fields': []}},"
                      "{'action': 'set-default-spec', 'spec-id': -1},"
                      "{'action': 'add-sort-order', 'sort-order': {'order-id': 0, 'fields': []}},"
                      "{'action': 'set-default-sort-order', 'sort-order-id': -1}%s%s%s",
                      uuid, location == NULL ? "" : ",{'action': 'set-location', 'location': '",
                      location == NULL ? "" : location, location == NULL ? "" : "'}")
        .data;
}

#define UUID_1 "11111111-2222-4333-8444-555555555555"
#define UUID_2 "21111111-2222-4333-8444-555555555555"

#endif

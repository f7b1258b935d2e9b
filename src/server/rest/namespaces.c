/* Namespaces over the REST catalog: make, look at, change, drop. Lists are in names.c. */
#include "handlers.h"
#include "tarn/base/map.h"
#include "tarn/base/vec.h"

typedef VEC(catalog_property) property_list;

/* A map of text to text. */
static status read_properties(rest_call *c, const json *object, const char *what,
                              property_list *ret_list, error *err)
{
    property_list list = {0};
    const json *value = NULL;
    str key;

    if (json_kind_of(object) != JSON_OBJECT && json_kind_of(object) != JSON_NULL) {
        return error_set(err, STATUS_INVALID, "cannot parse \"%s\": %s, not an object", what,
                         json_kind_name(json_kind_of(object)));
    }
    for (size_t at = 0; json_next_member(object, &at, &key, &value);) {
        if (json_kind_of(value) != JSON_STR) {
            return error_set(err, STATUS_INVALID,
                             "cannot parse \"%s\": \"%.*s\" is %s, not a string", what,
                             STR_ARG(key), json_kind_name(json_kind_of(value)));
        }
        catalog_property property = {.key = key, .value = json_str_or(value, STR(""))};
        vec_push(c->base.a, &list, property);
    }
    *ret_list = list;
    return STATUS_OK;
}

/* ---- create ---- */

static str parent_of(str name)
{
    size_t dot = str_find_last_char(name, '.');

    return dot == STR_NPOS ? STR("") : str_slice(name, 0, dot);
}

/* The name is taken, though nobody sees it as a namespace here. */
static status refuse_warehouse(rest_call *c, str name, error *err)
{
    error_clear(err);
    rest__fail(c, err, STATUS_EXISTS, 409, "AlreadyExistsException",
               "Namespace already exists: %.*s is the name of a warehouse", STR_ARG(name));
    error_hint(err, "Its namespaces have addresses with the prefix \"%.*s\".", STR_ARG(name));
    return STATUS_EXISTS;
}

status rest__namespaces_post(rest_call *c, error *err)
{
    const json *body = NULL;
    property_list properties;
    table_name made = {.table = STR("")};
    str shown;

    TRY(rest__read_json(c, &body, err));
    const json *levels = json_get(body, "namespace");
    status named = rest__read_levels(c, levels, &made.space, &shown, err);
    if (named == STATUS_NO_NAMESPACE && json_count(levels) == 1) {
        return refuse_warehouse(c, json_str_or(json_at(levels, 0), STR("")), err);
    }
    TRY(named);
    TRY(read_properties(c, json_get(body, "properties"), "properties", &properties, err));
    TRY(rest__allow(c, ACTION_NAMESPACE_CREATE, made, err));
    status result = catalog_create_namespace(c->base.app->catalog, made.space, properties.items,
                                             properties.count, err);
    if (result == STATUS_EXISTS) {
        return rest__fail(c, err, result, 409, "AlreadyExistsException",
                          "Namespace already exists: %.*s", STR_ARG(shown));
    }
    if (result == STATUS_NO_NAMESPACE) {
        return rest__no_space(c, parent_of(shown), err);
    }
    TRY(result);
    return rest__answer_namespace(c, made.space, err);
}

/* ---- look ---- */

status rest__namespace_get(rest_call *c, error *err)
{
    return rest__answer_namespace(c, c->name.space, err);
}

status rest__namespace_head(rest_call *c, error *err)
{
    namespace_info info;
    status found =
        catalog_get_namespace(c->base.app->catalog, c->name.space, c->base.a, &info, err);

    if (found == STATUS_NO_NAMESPACE) {
        return rest__no_space(c, c->shown_space, err);
    }
    TRY(found);
    answer_empty(&c->base);
    return STATUS_OK;
}

/* ---- change ---- */

typedef VEC(str) key_list;

static status read_keys(rest_call *c, const json *array, key_list *ret_keys, error *err)
{
    static char present;
    key_list keys = {0};
    map *known = map_create(c->base.a);

    if (json_kind_of(array) != JSON_ARRAY && json_kind_of(array) != JSON_NULL) {
        return error_set(err, STATUS_INVALID, "cannot parse \"removals\": %s, not an array",
                         json_kind_name(json_kind_of(array)));
    }
    for (size_t i = 0; i < json_count(array); i++) {
        const json *key = json_at(array, i);

        if (json_kind_of(key) != JSON_STR) {
            return error_set(err, STATUS_INVALID, "cannot parse \"removals\": entry %zu is %s", i,
                             json_kind_name(json_kind_of(key)));
        }
        if (map_set(known, json_str_or(key, STR("")), &present) == NULL) {
            vec_push(c->base.a, &keys, json_str_or(key, STR("")));
        }
    }
    *ret_keys = keys;
    return STATUS_OK;
}

static status refuse_both(rest_call *c, const json *updates, const key_list *removed, error *err)
{
    for (size_t i = 0; i < removed->count; i++) {
        if (json_get_str(updates, removed->items[i]) != NULL) {
            return rest__fail(c, err, STATUS_INVALID, 422, "UnprocessableEntityException",
                              "Invalid namespace update, cannot both update and remove key: %.*s",
                              STR_ARG(removed->items[i]));
        }
    }
    return STATUS_OK;
}

static void put_keys(json_writer *w, const char *member, const str *keys, size_t count)
{
    json_key(w, member);
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        json_put_str(w, keys[i]);
    }
    json_end_array(w);
}

static status answer_change(rest_call *c, const property_list *set,
                            const catalog_property_result *done, error *err)
{
    json_writer w = answer_begin(&c->base);

    json_begin_object(&w);
    json_key(&w, "updated");
    json_begin_array(&w);
    for (size_t i = 0; i < set->count; i++) {
        json_put_str(&w, set->items[i].key);
    }
    json_end_array(&w);
    put_keys(&w, "removed", done->removed, done->removed_count);
    put_keys(&w, "missing", done->missing, done->missing_count);
    json_end_object(&w);
    return rest__send(c, &w, err);
}

status rest__properties_post(rest_call *c, error *err)
{
    const json *body = NULL;
    property_list set;
    key_list removed;
    catalog_property_result done;

    TRY(rest__read_json(c, &body, err));
    TRY(read_properties(c, json_get(body, "updates"), "updates", &set, err));
    TRY(read_keys(c, json_get(body, "removals"), &removed, err));
    TRY(refuse_both(c, json_get(body, "updates"), &removed, err));
    const catalog_property_change change = {.set = set.items,
                                            .set_count = set.count,
                                            .removed = removed.items,
                                            .removed_count = removed.count};
    status result = catalog_change_namespace(c->base.app->catalog, c->name.space, &change,
                                             c->base.a, &done, err);
    if (result == STATUS_NO_NAMESPACE) {
        return rest__no_space(c, c->shown_space, err);
    }
    TRY(result);
    return answer_change(c, &set, &done, err);
}

/* ---- drop ---- */

status rest__namespace_delete(rest_call *c, error *err)
{
    status result = catalog_drop_namespace(c->base.app->catalog, c->name.space, false, err);

    if (result == STATUS_NO_NAMESPACE) {
        return rest__no_space(c, c->shown_space, err);
    }
    if (result == STATUS_NOT_EMPTY) {
        return rest__fail(c, err, result, 409, "NamespaceNotEmptyException",
                          "Namespace %.*s is not empty", STR_ARG(c->shown_space));
    }
    TRY(result);
    answer_empty(&c->base);
    return STATUS_OK;
}

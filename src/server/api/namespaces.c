/* Namespaces over the API. */
#include "answer.h"
#include "handlers.h"
#include "tarn/base/vec.h"

static void format_namespace(const namespace_info *info, json_writer *w)
{
    json_begin_object(w);
    json_member_str(w, "name", info->name);
    if (!str_is_null(info->location)) {
        json_member_str(w, "location", info->location);
    }
    member_time_us(w, "created_at", info->created_us);
    json_member_bool(w, "protected", info->is_protected);
    if (info->is_warehouse) {
        json_member_bool(w, "warehouse", true);
    }
    json_key(w, "properties");
    json_begin_object(w);
    for (size_t i = 0; i < info->property_count; i++) {
        /* a place that nobody chose is told to clients of Iceberg, who look for it; it is no property */
        if (str_is_null(info->location) && str_equal(info->properties[i].key, STR("location"))) {
            continue;
        }
        json_key_str(w, info->properties[i].key);
        json_put_str(w, info->properties[i].value);
    }
    json_end_object(w);
    json_end_object(w);
}

status namespaces_get(call *c, error *err)
{
    namespace_info *list = NULL;
    size_t count = 0;
    str parent = http_request_param(c->x, "parent");

    TRY(catalog_list_namespaces(c->app->catalog, parent, c->a, &list, &count, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "namespaces");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        format_namespace(&list[i], &w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

typedef struct namespace_body {
    str name;
    const json *properties;
} namespace_body;

static const json_field body_fields[] = {
    {"name", JSON_STR, JSON_REQUIRED, offsetof(namespace_body, name)},
    {"properties", JSON_OBJECT, 0, offsetof(namespace_body, properties)},
};

static status answer_namespace(call *c, int status_code, str name, error *err)
{
    namespace_info info;

    TRY(catalog_get_namespace(c->app->catalog, name, c->a, &info, err));
    json_writer w = answer_begin(c);
    format_namespace(&info, &w);
    return answer_send(c, status_code, &w, err);
}

status namespaces_post(call *c, error *err)
{
    const json *object = NULL;
    namespace_body body = {0};
    VEC(catalog_property) properties = {0};
    str key;
    const json *value;

    TRY(request_json(c, &object, err));
    TRY(json_reject_unknown(object, body_fields, COUNT_OF(body_fields), err));
    TRY(json_read(object, body_fields, COUNT_OF(body_fields), &body, err));
    for (size_t at = 0;
         body.properties != NULL && json_next_member(body.properties, &at, &key, &value);) {
        if (json_kind_of(value) != JSON_STR) {
            return error_set(err, STATUS_INVALID, "property \"%.*s\" is %s, not a string",
                             STR_ARG(key), json_kind_name(json_kind_of(value)));
        }
        catalog_property property = {.key = key, .value = json_str_or(value, STR(""))};
        vec_push(c->a, &properties, property);
    }
    TRY(catalog_create_namespace(c->app->catalog, body.name, properties.items, properties.count,
                                 err));
    return answer_namespace(c, 201, body.name, err);
}

status namespace_get(call *c, error *err)
{
    return answer_namespace(c, 200, http_request_segment(c->x, "ns"), err);
}

status namespace_delete(call *c, error *err)
{
    bool cascade = false;

    TRY(param_bool(c, "cascade", false, &cascade, err));
    TRY(catalog_drop_namespace(c->app->catalog, http_request_segment(c->x, "ns"), cascade, err));
    answer_empty(c);
    return STATUS_OK;
}

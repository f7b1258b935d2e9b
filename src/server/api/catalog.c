/* The catalog itself over the API: warehouses, dropped tables, protection, events. */
#include "answer.h"
#include "handlers.h"
#include "ops/webhooks.h"
#include "tarn/catalog/dropped.h"
#include "tarn/catalog/event.h"
#include "tarn/catalog/warehouse.h"

/* ---- warehouses ---- */

static void format_warehouse(const warehouse_info *info, json_writer *w)
{
    json_begin_object(w);
    json_member_str(w, "name", info->name);
    json_member_str(w, "location", info->location);
    json_member_bool(w, "first", info->space.size == 0);
    if (info->space.size > 0) {
        member_time_us(w, "created_at", info->created_us);
    }
    json_end_object(w);
}

status warehouses_get(call *c, error *err)
{
    warehouse_info *list = NULL;
    size_t count = 0;

    TRY(catalog_list_warehouses(c->app->catalog, c->a, &list, &count, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "warehouses");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        format_warehouse(&list[i], &w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

typedef struct warehouse_body {
    str name, location;
} warehouse_body;

static const json_field warehouse_fields[] = {
    {"name", JSON_STR, JSON_REQUIRED, offsetof(warehouse_body, name)},
    {"location", JSON_STR, JSON_REQUIRED, offsetof(warehouse_body, location)},
};

status warehouses_post(call *c, error *err)
{
    const json *object = NULL;
    warehouse_body body = {0};
    warehouse_info info;

    TRY(request_json(c, &object, err));
    TRY(json_reject_unknown(object, warehouse_fields, COUNT_OF(warehouse_fields), err));
    TRY(json_read(object, warehouse_fields, COUNT_OF(warehouse_fields), &body, err));
    TRY(server__check_prefix(c->app, body.name, err));
    TRY(catalog_create_warehouse(c->app->catalog, body.name, body.location, err));
    TRY(catalog_find_warehouse(c->app->catalog, body.name, c->a, &info, err));
    json_writer w = answer_begin(c);
    format_warehouse(&info, &w);
    return answer_send(c, 201, &w, err);
}

status warehouse_delete(call *c, error *err)
{
    TRY(catalog_drop_warehouse(c->app->catalog, http_request_segment(c->x, "name"), err));
    answer_empty(c);
    return STATUS_OK;
}

/* ---- dropped tables ---- */

static status check(const call *c, action act, table_name name, error *err)
{
    const resource what = {
        .warehouse = catalog_warehouse(c->app->catalog), .space = name.space, .table = name.table};
    return access_check(c->app->access, &c->who, act, &what, err);
}

static void format_dropped(const dropped_table *t, json_writer *w)
{
    json_begin_object(w);
    json_member_str(w, "namespace", t->name.space);
    json_member_str(w, "name", t->name.table);
    json_member_str(w, "uuid", t->uuid);
    json_member_str(w, "location", t->location);
    json_member_str(w, "metadata_location", t->metadata_location);
    member_time_us(w, "dropped_at", t->dropped_us);
    member_time_us(w, "kept_until", t->purge_us);
    json_member_bool(w, "registered", t->registered);
    json_member_str(w, "dropped_by", t->principal);
    json_end_object(w);
}

/* Those that the caller might read while they were there. */
status dropped_get(call *c, error *err)
{
    dropped_table *list = NULL;
    size_t count = 0;
    str space = http_request_param(c->x, "namespace");

    TRY(catalog_list_dropped(c->app->catalog, space.size > 0 ? space : STR_NULL, c->a, &list,
                             &count, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "dropped");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        if (check(c, ACTION_TABLE_READ, list[i].name, NULL) == STATUS_OK) {
            format_dropped(&list[i], &w);
        }
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

typedef struct undrop_body {
    str as;
} undrop_body;

static const json_field undrop_fields[] = {{"as", JSON_STR, 0, offsetof(undrop_body, as)}};

/* A body is no duty. */
static status read_undrop(call *c, undrop_body *body, error *err)
{
    const json *object = NULL;

    if (http_body_size(c->x) == 0) {
        return STATUS_OK;
    }
    TRY(request_json(c, &object, err));
    TRY(json_reject_unknown(object, undrop_fields, COUNT_OF(undrop_fields), err));
    return json_read(object, undrop_fields, COUNT_OF(undrop_fields), body, err);
}

static status find_dropped(call *c, str uuid, dropped_table *ret_table, error *err)
{
    dropped_table *list = NULL;
    size_t count = 0;

    TRY(catalog_list_dropped(c->app->catalog, STR_NULL, c->a, &list, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (str_equal(list[i].uuid, uuid)) {
            *ret_table = list[i];
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_NO_TABLE, "no dropped table with uuid \"%.*s\" is kept",
                     STR_ARG(uuid));
}

status dropped_undrop(call *c, error *err)
{
    str uuid = http_request_segment(c->x, "uuid");
    undrop_body body = {.as = STR("")};
    dropped_table table;
    str *parts = NULL;
    size_t count = 0;

    TRY(read_undrop(c, &body, err));
    TRY(find_dropped(c, uuid, &table, err));
    table_name as = table.name;
    if (body.as.size > 0) {
        TRY(catalog_split_name(body.as, c->a, &parts, &count, err));
        TRY(catalog_resolve_new(c->app->catalog, parts, count, table.name.space, c->a, &as, err));
    }
    TRY(check(c, ACTION_TABLE_DROP, table.name, err));
    TRY(check(c, ACTION_TABLE_CREATE, as, err));
    TRY(catalog_undrop_table(c->app->catalog, table.name, uuid, as, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_member_str(&w, "namespace", as.space);
    json_member_str(&w, "name", as.table);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

/* ---- protection ---- */

static status protect(call *c, bool on, error *err)
{
    str table = http_request_segment(c->x, "table");
    const table_name name = {.space = http_request_segment(c->x, "ns"),
                             .table = str_is_null(table) ? STR("") : table};

    TRY(catalog_protect(c->app->catalog, name, on, err));
    answer_empty(c);
    return STATUS_OK;
}

status protection_put(call *c, error *err)
{
    return protect(c, true, err);
}

status protection_delete(call *c, error *err)
{
    return protect(c, false, err);
}

/* ---- events ---- */

#define EVENTS_DEFAULT 100
#define EVENTS_MAX 1000

static void member_filled(json_writer *w, const char *key, str value)
{
    if (value.size > 0) {
        json_member_str(w, key, value);
    }
}

void event_format(const catalog_event *e, json_writer *w)
{
    json_begin_object(w);
    json_member_int(w, "id", e->id);
    member_time_us(w, "time", e->time_us);
    json_member_c(w, "kind", event_kind_name(e->kind));
    json_member_str(w, "namespace", e->name.space);
    member_filled(w, "name", e->name.table);
    member_filled(w, "to_namespace", e->to.space);
    member_filled(w, "to_name", e->to.table);
    member_filled(w, "uuid", e->uuid);
    member_filled(w, "metadata_location", e->metadata_location);
    if (e->snapshot_id != ICE_NO_SNAPSHOT) {
        member_id(w, "snapshot_id", e->snapshot_id);
    }
    member_filled(w, "principal", e->principal);
    member_filled(w, "via", e->via);
    member_filled(w, "peer", e->peer);
    member_filled(w, "agent", e->agent);
    member_filled(w, "request_id", e->request_id);
    if (e->detail.size > 0) {
        json_key(w, "detail");
        json_put_raw(w, e->detail);
    }
    json_end_object(w);
}

status events_get(call *c, error *err)
{
    catalog_event *list = NULL;
    size_t count = 0;
    int64_t after, limit;
    str kind = http_request_param(c->x, "kind");

    TRY(param_int(c, "after", 0, &after, err));
    TRY(param_int(c, "limit", EVENTS_DEFAULT, &limit, err));
    if (limit < 1 || limit > EVENTS_MAX) {
        return error_set(err, STATUS_INVALID, "parameter \"limit\" is not between 1 and %d",
                         EVENTS_MAX);
    }
    TRY(catalog_list_events(c->app->catalog, after, kind.size > 0 ? kind : STR_NULL, (size_t)limit,
                            c->a, &list, &count, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "events");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        event_format(&list[i], &w);
    }
    json_end_array(&w);
    json_member_int(&w, "next", count > 0 ? list[count - 1].id : after);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

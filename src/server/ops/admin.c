/* Principals, backup, scrub. */
#include <stdio.h>

#include "answer.h"
#include "handlers.h"
#include "ops/maintenance.h"

status principals_get(call *c, error *err)
{
    principal_info *list = NULL;
    size_t count = 0;

    TRY(access_list_principals(c->app->access, c->a, &list, &count, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "principals");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(&w);
        json_member_str(&w, "name", list[i].who.name);
        json_member_c(&w, "role", access_role_name(list[i].who.role));
        member_time_us(&w, "created_at", list[i].created_us);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

typedef struct principal_body {
    str name, role;
} principal_body;

static const json_field principal_fields[] = {
    {"name", JSON_STR, JSON_REQUIRED, offsetof(principal_body, name)},
    {"role", JSON_STR, 0, offsetof(principal_body, role)},
};

status principals_post(call *c, error *err)
{
    const json *object = NULL;
    principal_body body = {.role = STR("reader")};
    str key;

    TRY(request_json(c, &object, err));
    TRY(json_reject_unknown(object, principal_fields, COUNT_OF(principal_fields), err));
    TRY(json_read(object, principal_fields, COUNT_OF(principal_fields), &body, err));
    role wanted = ROLE_NOBODY;
    TRY(access_role_parse(body.role, &wanted, err));
    TRY(access_create_principal(c->app->access, body.name, wanted, c->a, &key, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_member_str(&w, "name", body.name);
    json_member_c(&w, "role", access_role_name(wanted));
    json_member_str(&w, "key", key);
    json_end_object(&w);
    return answer_send(c, 201, &w, err);
}

status principal_delete(call *c, error *err)
{
    TRY(access_drop_principal(c->app->access, http_request_segment(c->x, "name"), err));
    answer_empty(c);
    return STATUS_OK;
}

typedef struct backup_body {
    str target;
} backup_body;

static const json_field backup_fields[] = {
    {"target", JSON_STR, JSON_REQUIRED, offsetof(backup_body, target)}};

status backup_post(call *c, error *err)
{
    const json *object = NULL;
    backup_body body = {0};
    int64_t objects = 0;

    TRY(request_json(c, &object, err));
    TRY(json_reject_unknown(object, backup_fields, COUNT_OF(backup_fields), err));
    TRY(json_read(object, backup_fields, COUNT_OF(backup_fields), &body, err));
    TRY(maintenance_backup(c->app, body.target, &objects, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_member_str(&w, "target", body.target);
    json_member_int(&w, "objects", objects);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

status scrub_post(call *c, error *err)
{
    int64_t corrupt = 0;

    TRY(store_scrub(c->app->storage, &corrupt, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_member_int(&w, "corrupt_objects", corrupt);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

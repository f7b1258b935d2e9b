/* Principals, backup, scrub. */
#include <stdio.h>

#include "answer.h"
#include "handlers.h"
#include "ops/maintenance.h"
#include "tarn/catalog/staged.h"
#include "tarn/store/object.h"

static void add_principal(json_writer *w, const principal_info *info)
{
    json_begin_object(w);
    json_member_str(w, "name", info->who.name);
    json_member_c(w, "role", access_role_name(info->who.role));
    member_time_us(w, "created_at", info->created_us);
    if (info->canonical_id.size > 0) {
        json_member_str(w, "s3_account", info->canonical_id);
    }
    json_end_object(w);
}

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
        add_principal(&w, &list[i]);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

static status find_principal(call *c, principal_info *ret_info, error *err)
{
    str name = http_request_segment(c->x, "name");
    principal_info *list = NULL;
    size_t count = 0;

    TRY(access_list_principals(c->app->access, c->a, &list, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (str_equal(list[i].who.name, name)) {
            *ret_info = list[i];
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_NOT_FOUND, "principal \"%.*s\" does not exist", STR_ARG(name));
}

status principal_get(call *c, error *err)
{
    principal_info info = {0};

    TRY(find_principal(c, &info, err));
    json_writer w = answer_begin(c);
    add_principal(&w, &info);
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
    principal_body body = {.role = STR("user")};
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

/* Nobody else could ever be their owner again. */
static status refuse_owner_of_buckets(call *c, const principal_info *info, error *err)
{
    bucket_info *buckets = NULL;
    size_t count = 0;

    if (info->canonical_id.size == 0) {
        return STATUS_OK;
    }
    TRY(bucket_list(c->app->storage, info->canonical_id, STR(""), STR_NULL, 1, c->a, &buckets,
                    &count, err));
    if (count > 0) {
        error_set(err, STATUS_NOT_EMPTY, "principal \"%.*s\" still owns the bucket \"%.*s\"",
                  STR_ARG(info->who.name), STR_ARG(buckets[0].name));
        error_hint(err, "Remove its buckets first.");
        return STATUS_NOT_EMPTY;
    }
    return STATUS_OK;
}

status principal_delete(call *c, error *err)
{
    principal_info info = {0};

    TRY(find_principal(c, &info, err));
    TRY(refuse_owner_of_buckets(c, &info, err));
    TRY(access_drop_principal(c->app->access, info.who.name, err));
    TRY(catalog_release_principal(c->app->catalog, info.who.name, err));
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

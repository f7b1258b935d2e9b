/* Keys of principals over the API: bearer keys and S3 key pairs, made (told once), listed, dropped; and the end of
 * their sessions. */
#include "answer.h"
#include "handlers.h"
#include "tarn/access/s3.h"
#include "tarn/base/clock.h"
#include "tarn/catalog/staged.h"
#include "tarn/catalog/warehouse.h"

#define LIFETIME_S_MAX (INT64_C(100) * 366 * 86400)

typedef struct key_body {
    int64_t expires_in_s; /* 0: never */
    str warehouse;        /* of S3 key pairs: all that it opens */
} key_body;

static const json_field key_fields[] = {
    {"expires_in_s", JSON_INT64, 0, offsetof(key_body, expires_in_s)}};
static const json_field pair_fields[] = {
    {"expires_in_s", JSON_INT64, 0, offsetof(key_body, expires_in_s)},
    {"warehouse", JSON_STR, 0, offsetof(key_body, warehouse)}};

static status read_body(call *c, const json_field *fields, size_t count, int64_t *ret_expires_us,
                        str *ret_warehouse, error *err)
{
    const json *object = NULL;
    key_body body = {.warehouse = STR_NULL};

    *ret_expires_us = 0;
    *ret_warehouse = STR_NULL;
    if (http_body_size(c->x) == 0) {
        return STATUS_OK;
    }
    TRY(request_json(c, &object, err));
    TRY(json_reject_unknown(object, fields, count, err));
    TRY(json_read(object, fields, count, &body, err));
    *ret_warehouse = body.warehouse;
    if (json_get(object, "expires_in_s") == NULL) {
        return STATUS_OK;
    }
    if (body.expires_in_s <= 0 || body.expires_in_s > LIFETIME_S_MAX) {
        return error_set(err, STATUS_INVALID, "\"expires_in_s\" is not from 1 to 100 years");
    }
    *ret_expires_us = clock_now_us() + body.expires_in_s * 1000000;
    return STATUS_OK;
}

static void add_times(json_writer *w, int64_t created_us, int64_t expires_us)
{
    member_time_us(w, "created_at", created_us);
    if (expires_us > 0) {
        member_time_us(w, "expires_at", expires_us);
    }
}

/* ---- bearer keys ---- */

static void add_key(json_writer *w, const bearer_key *key)
{
    json_begin_object(w);
    json_member_str(w, "id", key->id);
    if (key->key.size > 0) {
        json_member_str(w, "key", key->key);
    }
    add_times(w, key->created_us, key->expires_us);
    json_end_object(w);
}

status keys_post(call *c, error *err)
{
    bearer_key key = {0};
    int64_t expires_us = 0;
    str none;

    TRY(read_body(c, key_fields, COUNT_OF(key_fields), &expires_us, &none, err));
    TRY(access_create_key(c->app->access, http_request_segment(c->x, "name"), expires_us, c->a,
                          &key, err));
    json_writer w = answer_begin(c);
    add_key(&w, &key);
    return answer_send(c, 201, &w, err);
}

status keys_get(call *c, error *err)
{
    bearer_key *keys = NULL;
    size_t count = 0;

    TRY(access_list_keys(c->app->access, http_request_segment(c->x, "name"), c->a, &keys, &count,
                         err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "keys");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        add_key(&w, &keys[i]);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

status key_delete(call *c, error *err)
{
    str key = http_request_segment(c->x, "key");

    TRY(access_drop_key(c->app->access, key, err));
    TRY(catalog_release_key(c->app->catalog, key, err));
    answer_empty(c);
    return STATUS_OK;
}

/* ---- S3 key pairs ---- */

static void add_pair(json_writer *w, const s3_key *key)
{
    json_begin_object(w);
    json_member_str(w, "access_key", key->access_key);
    if (key->secret.size > 0) {
        json_member_str(w, "secret", key->secret);
    }
    json_member_str(w, "principal", key->principal);
    json_member_c(w, "status", key->inactive ? "inactive" : "active");
    if (key->scope.size > 0) {
        json_member_str(w, "opens", key->scope);
    }
    add_times(w, key->created_us, key->expires_us);
    json_end_object(w);
}

/* "bucket/" or "bucket/folder/" */
static status scope_of_warehouse(call *c, str warehouse, str *ret_scope, error *err)
{
    warehouse_info info;

    TRY(catalog_find_warehouse(c->app->catalog, warehouse, c->a, &info, err));
    if (!str_starts_with(info.location, STR("s3://"))) {
        return error_set(err, STATUS_INVALID, "warehouse \"%.*s\" lies in no bucket: \"%.*s\"",
                         STR_ARG(info.name), STR_ARG(info.location));
    }
    *ret_scope = str_concat(c->a, str_slice(info.location, 5, info.location.size), STR("/"));
    return STATUS_OK;
}

status s3_keys_post(call *c, error *err)
{
    s3_key key = {0};
    int64_t expires_us = 0;
    str warehouse;
    str scope = STR("");

    TRY(read_body(c, pair_fields, COUNT_OF(pair_fields), &expires_us, &warehouse, err));
    if (!str_is_null(warehouse)) {
        TRY(scope_of_warehouse(c, warehouse, &scope, err));
    }
    TRY(access_create_narrow_s3_key(c->app->access, http_request_segment(c->x, "name"), expires_us,
                                    scope, c->a, &key, err));
    json_writer w = answer_begin(c);
    add_pair(&w, &key);
    return answer_send(c, 201, &w, err);
}

status s3_keys_get(call *c, error *err)
{
    s3_key *keys = NULL;
    size_t count = 0;

    TRY(access_list_s3_keys(c->app->access, http_request_segment(c->x, "name"), c->a, &keys, &count,
                            err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "s3_keys");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        add_pair(&w, &keys[i]);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

status s3_key_delete(call *c, error *err)
{
    TRY(access_drop_s3_key(c->app->access, http_request_segment(c->x, "key"), err));
    answer_empty(c);
    return STATUS_OK;
}

status s3_sessions_delete(call *c, error *err)
{
    str name = http_request_segment(c->x, "name");

    TRY(access_revoke_s3_sessions(c->app->access, name, err));
    TRY(catalog_release_principal(c->app->catalog, name, err));
    answer_empty(c);
    return STATUS_OK;
}

/* S3 key pairs of principals, over the API: made (the secret is told once), listed, dropped. */
#include "answer.h"
#include "handlers.h"
#include "tarn/access/s3.h"

static void add_key(json_writer *w, const s3_key *key)
{
    json_begin_object(w);
    json_member_str(w, "access_key", key->access_key);
    if (key->secret.size > 0) {
        json_member_str(w, "secret", key->secret);
    }
    json_member_str(w, "principal", key->principal);
    member_time_us(w, "created_at", key->created_us);
    if (key->expires_us > 0) {
        member_time_us(w, "expires_at", key->expires_us);
    }
    json_end_object(w);
}

status s3_keys_post(call *c, error *err)
{
    s3_key key = {0};

    TRY(access_create_s3_key(c->app->access, http_request_segment(c->x, "name"), 0, c->a, &key,
                             err));
    json_writer w = answer_begin(c);
    add_key(&w, &key);
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
        keys[i].secret = STR("");
        add_key(&w, &keys[i]);
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

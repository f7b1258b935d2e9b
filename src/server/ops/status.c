/* Liveness, status, settings, and the route table as an OpenAPI document. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "answer.h"
#include "handlers.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/codec/checksum.h"
#include "tarn/version.h"

/* A command that found this server's address in a file has to know that it is this server before it sends its key:
 * only who reads run/server.json can answer its question. */
static void prove_instance(const call *c)
{
    str question = http_request_param(c->x, "challenge");
    uint8_t proof[32];

    if (question.size > 0) {
        hmac_sha256(str_c(c->app->instance), question, proof);
        http_set_header(c->x, "X-Tarn-Proof", str_to_hex(c->a, proof, sizeof(proof)));
    }
}

status live_get(call *c, error *err)
{
    (void)err;
    prove_instance(c);
    http_respond(c->x, 200, "text/plain", STR("ok\n"));
    return STATUS_OK;
}

status ready_get(call *c, error *err)
{
    if (c->app->draining) {
        return error_set(err, STATUS_UNAVAILABLE, "the server is stopping");
    }
    if (fs_volume_broken()) {
        return error_set(err, STATUS_UNAVAILABLE, "a sync failed: the server takes no more writes");
    }
    if (c->app->http_address[0] == '\0') { /* commands that come compare it with their own */
        http_set_header(c->x, "X-Tarn-Settings", c->app->fingerprint);
    }
    http_respond(c->x, 200, "text/plain", STR("ready\n"));
    return STATUS_OK;
}

status status_get(call *c, error *err)
{
    catalog_stats tables;
    store_usage usage;
    worker_pool_stats workers;

    TRY(catalog_read_stats(c->app->catalog, &tables, err));
    TRY(store_read_usage(c->app->storage, &usage, err));
    worker_pool_read_stats(c->app->workers, &workers);
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_member_c(&w, "version", TARN_VERSION);
    json_member_c(&w, "commit", TARN_COMMIT);
    json_member_int(&w, "pid", getpid());
    member_time_us(&w, "started_at", c->app->started_us);
    json_member_int(&w, "uptime_seconds", (clock_now_us() - c->app->started_us) / 1000000);
    json_member_str(&w, "data", c->app->settings->data_path);
    json_member_c(&w, "http", c->app->http_address);
    json_member_c(&w, "s3", c->app->s3_address);
    json_member_str(&w, "s3_endpoint", setting_text(c->app->settings, SETTING_S3_ENDPOINT));
    json_member_str(&w, "s3_region", setting_text(c->app->settings, SETTING_S3_REGION));
    json_member_str(&w, "auth", setting_text(c->app->settings, SETTING_AUTH_MODE));
    json_member_str(&w, "warehouse", catalog_warehouse(c->app->catalog));
    json_member_str(&w, "durability", setting_text(c->app->settings, SETTING_DURABILITY));
    json_member_int(&w, "namespaces", tables.namespaces);
    json_member_int(&w, "tables", tables.tables);
    json_member_int(&w, "commits", tables.commits);
    json_member_int(&w, "objects", usage.objects);
    json_member_int(&w, "object_bytes", usage.bytes);
    json_member_int(&w, "corrupt_objects", usage.corrupt_objects);
    json_member_int(&w, "lost_blobs", usage.lost_blobs);
    json_member_int(&w, "disk_free_bytes", fs_free_bytes(c->app->settings->data_path.data));
    json_member_int(&w, "workers", workers.alive);
    json_member_int(&w, "workers_busy", workers.busy);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

status config_get(call *c, error *err)
{
    json_writer w = answer_begin(c);

    json_begin_object(&w);
    json_key(&w, "settings");
    json_begin_array(&w);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const setting_info *info = setting_describe((setting)i);
        const setting_value *value = &c->app->settings->values[i];
        char origin[256];
        setting_origin_format(value, origin);
        json_begin_object(&w);
        json_member_c(&w, "name", info->name);
        json_member_str(&w, "value", setting_shown((setting)i, value, c->a));
        json_member_c(&w, "default", info->fallback);
        json_member_c(&w, "origin", origin);
        json_member_c(&w, "meaning", info->meaning);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

/* ---- OpenAPI ---- */

/* "{rest*}" is "{rest}" in OpenAPI. */
static str openapi_path(const char *pattern, arena *a)
{
    buf *path = buf_in(a, LIMIT_HTTP_TARGET);
    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p != '*') {
            buf_add_char(path, *p);
        }
    }
    return buf_str(path);
}

static void format_path_parameters(str path, json_writer *w)
{
    json_key(w, "parameters");
    json_begin_array(w);
    for (str rest = path; !str_is_null(rest);) {
        str segment = str_cut(rest, '/', &rest);
        if (segment.size > 2 && segment.data[0] == '{') {
            json_begin_object(w);
            json_member_str(w, "name", str_slice(segment, 1, segment.size - 1));
            json_member_c(w, "in", "path");
            json_member_bool(w, "required", true);
            json_key(w, "schema");
            json_begin_object(w);
            json_member_c(w, "type", "string");
            json_end_object(w);
            json_end_object(w);
        }
    }
    json_end_array(w);
}

static void format_operation(const route *r, str path, arena *a, json_writer *w)
{
    str method = str_lower(a, str_c(http_method_name(r->pattern.method)));

    json_key_str(w, method);
    json_begin_object(w);
    json_member_c(w, "summary", r->summary);
    json_member_c(w, "x-action", action_name(r->act));
    format_path_parameters(path, w);
    json_key(w, "responses");
    json_begin_object(w);
    json_key(w, "default");
    json_begin_object(w);
    json_member_c(w, "description", "as summary says, or an error object");
    json_end_object(w);
    json_end_object(w);
    json_end_object(w);
}

static bool path_came_before(size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (str_equal(str_c(server__routes[i].pattern.pattern),
                      str_c(server__routes[index].pattern.pattern))) {
            return true;
        }
    }
    return false;
}

static void format_paths(arena *a, json_writer *w)
{
    for (size_t i = 0; i < server__route_count; i++) {
        if (path_came_before(i)) {
            continue;
        }
        str path = openapi_path(server__routes[i].pattern.pattern, a);
        json_key_str(w, path);
        json_begin_object(w);
        for (size_t k = i; k < server__route_count; k++) {
            if (str_equal(str_c(server__routes[k].pattern.pattern),
                          str_c(server__routes[i].pattern.pattern))) {
                format_operation(&server__routes[k], path, a, w);
            }
        }
        json_end_object(w);
    }
}

status openapi_get(call *c, error *err)
{
    json_writer w = answer_begin(c);

    json_begin_object(&w);
    json_member_c(&w, "openapi", "3.1.0");
    json_key(&w, "info");
    json_begin_object(&w);
    json_member_c(&w, "title", "tarn");
    json_member_c(&w, "version", TARN_VERSION);
    json_end_object(&w);
    json_key(&w, "components");
    json_put_raw(&w,
                 STR("{\"securitySchemes\":{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\"}}}"));
    json_key(&w, "security");
    json_put_raw(&w, STR("[{\"key\":[]}]"));
    json_key(&w, "paths");
    json_begin_object(&w);
    format_paths(c->a, &w);
    json_end_object(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

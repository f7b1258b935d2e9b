/* The S3 door: every S3 request passes here once: address, signature, route, bucket, right, handler, answer, log.
 *
 * Invariants
 *   1. No handler runs before the signature was checked (or there was none, and the caller is anonymous) and, but for
 *      rows that ask for each key themselves, before access_check_s3 said yes for the row's action.
 *   2. What is authorised and what a handler acts on are the same decoded bytes (address.c).
 *   3. A failure after the answer began cuts the connection: never a clean end.
 *   4. A body is not asked for ("100 Continue") before 1. */
#include "app.h"
#include "s3/address.h"
#include "s3/query.h"
#include "s3/s3.h"
#include "tarn/base/clock.h"
#include "tarn/base/log.h"

/* ---- who it is ---- */

static status authenticate(s3_call *c, error *err)
{
    request_signature *s = &c->signature;

    TRY(signature_read(c->x, clock_now_us(), s, err));
    if (s3_is_query(c)) {
        TRY(s3_query_read(c, err)); /* what was signed is the form's digest */
    }
    if (s->kind == SIGNATURE_NONE || http_request_method(c->x) == HTTP_OPTIONS) {
        access_unsigned(c->app->access, c->a, &c->who);
        return STATUS_OK;
    }
    TRY(access_find_s3_key(c->app->access, s->access_key, s->session_token, c->a, &c->who, err));
    bool version4 = s->kind != SIGNATURE_V2_QUERY;
    const char *service = s3_is_query(c) ? s3_query_service_of(c)->name : "s3";
    if (version4 && !str_equal(s->service, str_c(service))) {
        return s3_fail(err, "AuthorizationHeaderMalformed",
                       "the signature is for service \"%.*s\", not for %s", STR_ARG(s->service),
                       service);
    }
    s->unchecked = c->who.unchecked;
    s->host_bucket = c->host_bucket;
    return s->unchecked ? STATUS_OK : signature_check(c->x, s, c->who.secret, err);
}

/* ---- whether it may ---- */

static status check_expected_owner(const s3_call *c, error *err)
{
    str expected = s3_header(c, "x-amz-expected-bucket-owner");

    if (expected.size > 0 && c->facts != NULL && !str_equal(expected, c->facts->info->owner)) {
        return s3_fail(err, "AccessDenied", "the bucket has another owner than was expected");
    }
    return STATUS_OK;
}

static void look_for_object(s3_call *c)
{
    const object_hot *hot =
        str_is_null(c->version) ? object_peek(c->app->storage, c->bucket, c->key) : NULL;

    error_clear(&c->object_error);
    if (hot != NULL) {
        s3_use_hot(c, hot);
        return;
    }
    c->object_status = object_find(c->app->storage, c->bucket, c->key, c->version, c->a, &c->object,
                                   &c->object_error);
    c->object_known = true;
}

/* Whether a key is there is told to who may list it, and to nobody else. */
static status check_absent(s3_call *c, error *err)
{
    error denied = ERROR_INIT;

    c->asked_version = STR_NULL; /* asked is about the bucket */
    if (s3_allow(c, "s3:ListBucket", c->facts, STR(""), NULL, &denied) == STATUS_OK) {
        return STATUS_OK; /* the handler says what is missing */
    }
    *err = denied;
    return denied.kind;
}

/* Who began an upload may list and abort it: the upload as if it were its object. Where there is none the handler says
 * so, after the right was asked for. */
static const object_info *find_upload(s3_call *c)
{
    upload_info upload;

    if (c->level != S3_OBJECT || !s3_has_param(c, "uploadId") ||
        upload_find(c->app->storage, c->bucket, c->key, s3_param(c, "uploadId"), c->a, &upload,
                    NULL) != STATUS_OK) {
        return NULL;
    }
    object_info *as_object = ARENA_NEW(c->a, object_info);
    as_object->attributes.owner = upload.initiator;
    return as_object;
}

static status authorise(s3_call *c, error *err)
{
    const s3_route *r = c->route;
    const char *right =
        !str_is_null(c->version) && r->version_action != NULL ? r->version_action : r->action;
    const object_info *object = NULL;

    if ((r->flags & S3_ASKS_ITSELF) != 0 || right == NULL) {
        return STATUS_OK;
    }
    if (r->version_action != NULL || (r->flags & S3_NEEDS_OBJECT) != 0) {
        c->asked_version = c->version;
    }
    if ((r->flags & S3_NEEDS_OBJECT) != 0) {
        look_for_object(c);
        object = c->object_status == STATUS_OK ? &c->object : NULL;
    }
    if (c->object_known && c->object_status == STATUS_NOT_FOUND &&
        !access_hides_key(c->app->access, &c->who, c->bucket, c->key)) {
        return check_absent(c, err);
    }
    if (object == NULL) {
        object = find_upload(c);
    }
    return s3_allow(c, right, c->facts, c->key, object, err);
}

static status run(s3_call *c, error *err)
{
    TRY(s3_address_read(c, err));
    TRY(authenticate(c, err));
    if (http_request_method(c->x) != HTTP_OPTIONS) {
        TRY(s3_headers_check(c, err));
    }
    TRY(s3_route_find(c, err));
    if (c->level != S3_SERVICE && (c->route->flags & S3_NO_BUCKET_YET) == 0) {
        TRY(s3_facts_find(c, c->bucket, &c->facts, err));
        s3_cors_headers(c, c->facts);
        TRY(check_expected_owner(c, err));
    }
    TRY(authorise(c, err));
    if (c->route->handle == NULL) {
        return s3_fail(err, c->route->code, "%s is not served: %s", c->route->name,
                       c->route->summary);
    }
    return c->route->handle(c, err);
}

/* ---- the answer ---- */

static void answer_error(s3_call *c, const error *err)
{
    const s3_error_info *info = s3_error_of(err);
    buf *out = buf_in(c->a, S3_ANSWER_BYTES_MAX);
    str path = http_request_path(c->x);

    if (s3_is_query(c)) {
        s3_query_answer_error(c, err);
        return;
    }
    if (http_request_method(c->x) == HTTP_HEAD) {
        s3_empty(c, info->http_status);
        return;
    }
    xml_begin_document(out, "Error", NULL);
    xml_add_text(out, "Code", str_c(info->code));
    xml_add_text(out, "Message", str_c(info->message != NULL ? info->message : err->message));
    if (info->http_status == 404 && c->bucket.size > 0) {
        xml_add_text(out, "BucketName", c->bucket);
    }
    if (info->http_status == 404 && c->key.size > 0) {
        xml_add_text(out, "Key", c->key);
    }
    if (err->hint[0] != '\0') {
        xml_add_text(out, "Hint", str_c(err->hint));
    }
    xml_add_text(out, "Resource", path);
    xml_add_text(out, "RequestId", http_request_id(c->x));
    xml_add_text(out, "HostId", str_c(c->app->instance));
    xml_close(out, "Error");
    http_respond(c->x, info->http_status, "application/xml", buf_str(out));
}

static void log_request(const s3_call *c, const error *err, int64_t elapsed_us)
{
    int code = http_answer_status(c->x);
    bool reads = http_request_method(c->x) == HTTP_GET || http_request_method(c->x) == HTTP_HEAD;
    log_level level = code >= 500 ? LOG_ERROR : reads && code < 400 ? LOG_DEBUG : LOG_INFO;

    if (!log_enabled(level)) {
        return;
    }
    log_event(level, "s3 request",
              LOG_C("operation", c->operation != NULL ? c->operation
                                 : c->route != NULL   ? c->route->name
                                                      : "unknown"),
              LOG_STR("path", http_request_path(c->x)), LOG_INT("status", code),
              LOG_INT("bytes", http_answer_bytes(c->x)), LOG_INT("elapsed_us", elapsed_us),
              LOG_STR("principal", c->who.who.name), LOG_STR("peer", http_request_peer(c->x)),
              LOG_C("error", err->kind == STATUS_OK ? "" : err->message));
}

void server__handle_s3(void *context, http_exchange *x)
{
    int64_t started_ns = clock_mono_ns();
    s3_call c = {.app = context,
                 .x = x,
                 .a = http_exchange_arena(x),
                 .version = STR_NULL,
                 .asked_version = STR_NULL};
    error err = ERROR_INIT;

    log_set_request_id(str_to_c(c.a, http_request_id(x)));
    http_set_header(x, "x-amz-request-id", http_request_id(x));
    http_set_header(x, "x-amz-id-2", str_c(c.app->instance));
    http_set_header(x, "Server", STR("tarn"));
    status result = run(&c, &err);
    if (result != STATUS_OK) {
        err.kind = result;
    }
    if (result != STATUS_OK && !http_answered(x)) {
        answer_error(&c, &err);
    } else if (result != STATUS_OK) {
        http_stream_abort(x);
    }
    int64_t elapsed_us = (clock_mono_ns() - started_ns) / 1000;
    s3_count_request(c.route, http_answer_status(x), elapsed_us);
    log_request(&c, &err, elapsed_us);
    log_set_request_id(NULL);
}

/* Whether the query holds nothing but a signature. */
static bool is_plain_query(const http_exchange *x)
{
    size_t count = 0;
    const uri_pair *pairs = http_request_params(x, &count);

    for (size_t i = 0; i < count; i++) {
        str name = pairs[i].name;

        if (!str_starts_with(name, STR("X-Amz-")) && !str_equal(name, STR("x-id")) &&
            !str_equal(name, STR("AWSAccessKeyId")) && !str_equal(name, STR("Signature")) &&
            !str_equal(name, STR("Expires"))) {
            return false;
        }
    }
    return true;
}

/* What a session may that ended with its table is looked up in the database. */
static bool may_have_ended(const server *app, const http_exchange *x)
{
    return (!str_is_null(http_request_header(x, "x-amz-security-token")) ||
            !str_is_null(http_request_param(x, "X-Amz-Security-Token"))) &&
           access_has_vended_ends(app->access);
}

/* A small object that is in memory is answered by the loop itself: nothing of it waits. */
bool server__s3_is_inline(void *context, http_exchange *x)
{
    s3_call c = {.app = context,
                 .x = x,
                 .a = http_exchange_arena(x),
                 .version = STR_NULL,
                 .asked_version = STR_NULL};
    http_method method = http_request_method(x);
    const object_hot *hot = NULL;
    error ignored = ERROR_INIT;

    if ((method == HTTP_GET || method == HTTP_HEAD) && is_plain_query(x) &&
        !may_have_ended(c.app, x) && s3_address_read(&c, &ignored) == STATUS_OK &&
        c.level == S3_OBJECT) {
        hot = object_peek(c.app->storage, c.bucket, c.key);
    }
    object_hot_release(hot);
    return hot != NULL;
}

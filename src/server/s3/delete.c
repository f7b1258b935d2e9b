/* DeleteObjects: many keys in one request, each asked for and answered by itself. */
#include "s3/handlers.h"

#define DELETE_MAX 1000

typedef struct wanted {
    object_delete_request request;
    error refused; /* kind OK: it may be deleted */
} wanted;

static status malformed(error *err, const char *why)
{
    return s3_fail(err, "MalformedXML", "the list of what to delete: %s", why);
}

static status read_object(const xml_element *element, object_delete_request *ret_request,
                          error *err)
{
    object_conditions conditions = OBJECT_CONDITIONS_NONE;
    str key = xml_child_text(element, "Key");
    str version = xml_child_text(element, "VersionId");
    str etag = xml_child_text(element, "ETag");
    str time = xml_child_text(element, "LastModifiedTime");
    str size = xml_child_text(element, "Size");

    if (key.size == 0) {
        return malformed(err, "an Object without a Key");
    }
    if (key.size > S3_KEY_BYTES_MAX) {
        return s3_fail(err, "KeyTooLongError", "a key has more than %d bytes", S3_KEY_BYTES_MAX);
    }
    conditions.if_match = str_is_null(etag) ? STR_NULL : s3_unquoted(etag);
    if (!str_is_null(time) &&
        s3_parse_date(str_trim(time), &conditions.if_modified_us, NULL) != STATUS_OK) {
        return malformed(err, "LastModifiedTime is no date");
    }
    if (!str_is_null(size) &&
        str_to_int64(str_trim(size), &conditions.if_size_bytes, NULL) != STATUS_OK) {
        return malformed(err, "Size is no number");
    }
    *ret_request = (object_delete_request){
        .key = key,
        .version = version.size > 0 ? version : STR_NULL,
        .conditions = conditions,
    };
    return STATUS_OK;
}

static void ask(s3_call *c, bool bypass, wanted *w)
{
    const char *right =
        str_is_null(w->request.version) ? "s3:DeleteObject" : "s3:DeleteObjectVersion";

    w->refused = (error)ERROR_INIT;
    c->asked_version = w->request.version;
    status allowed = s3_allow(c, right, c->facts, w->request.key, NULL, &w->refused);
    if (allowed == STATUS_OK && bypass) {
        allowed = s3_allow(c, "s3:BypassGovernanceRetention", c->facts, w->request.key, NULL,
                           &w->refused);
        w->request.bypass_governance = allowed == STATUS_OK;
    }
    w->refused.kind = allowed;
}

static void add_error(buf *out, const object_delete_request *request, const char *code, str message)
{
    const s3_error_info *info = s3_error_describe(code);

    xml_open(out, "Error");
    xml_add_text(out, "Key", request->key);
    if (!str_is_null(request->version)) {
        xml_add_text(out, "VersionId", request->version);
    }
    xml_add_text(out, "Code", str_c(code));
    xml_add_text(out, "Message", info->message != NULL ? str_c(info->message) : message);
    xml_close(out, "Error");
}

static void add_deleted(const s3_call *c, buf *out, const object_delete_request *request,
                        const object_delete_result *result)
{
    str version = result->version.size > 0 ? result->version : STR("null");

    xml_open(out, "Deleted");
    xml_add_text(out, "Key", request->key);
    if (!str_is_null(request->version)) {
        xml_add_text(out, "VersionId", request->version);
    }
    if (result->made_marker || result->was_marker) {
        xml_add_bool(out, "DeleteMarker", true);
        if (c->facts->info->versioning != VERSIONING_OFF) {
            xml_add_text(out, "DeleteMarkerVersionId", version);
        }
    }
    xml_close(out, "Deleted");
}

static status delete_allowed(s3_call *c, const wanted *all, size_t count,
                             object_delete_result *results, error *err)
{
    object_delete_request *requests = ARENA_ARRAY(c->a, object_delete_request, count);
    object_delete_result *some = ARENA_ARRAY(c->a, object_delete_result, count);
    size_t allowed = 0;

    for (size_t i = 0; i < count; i++) {
        if (all[i].refused.kind == STATUS_OK) {
            requests[allowed++] = all[i].request;
        }
    }
    if (allowed > 0) {
        TRY(object_delete(c->app->storage, c->bucket, requests, allowed, c->a, some, err));
    }
    for (size_t i = 0, at = 0; i < count; i++) {
        if (all[i].refused.kind == STATUS_OK) {
            results[i] = some[at++];
        }
    }
    return STATUS_OK;
}

static status read_list(s3_call *c, const xml_element *root, wanted *all, size_t count, error *err)
{
    bool bypass = str_equal_nocase(s3_header(c, "x-amz-bypass-governance-retention"), STR("true"));
    size_t at = 0;

    for (const xml_element *e = xml_child(root, "Object"); e != NULL && at < count;
         e = xml_next(e)) {
        TRY(read_object(e, &all[at].request, err));
        ask(c, bypass, &all[at]);
        at++;
    }
    return STATUS_OK;
}

status s3_objects_delete(s3_call *c, error *err)
{
    const xml_element *root = NULL;

    TRY(s3_read_xml(c, "Delete", &root, err));
    if (!c->has_digest) {
        return s3_fail(err, "InvalidRequest",
                       "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
    }
    size_t count = xml_count(root, "Object");
    if (count == 0 || count > DELETE_MAX) {
        return malformed(err, "it has between 1 and 1000 keys");
    }
    wanted *all = ARENA_ARRAY(c->a, wanted, count);
    object_delete_result *results = ARENA_ARRAY(c->a, object_delete_result, count);
    TRY(read_list(c, root, all, count, err));
    TRY(delete_allowed(c, all, count, results, err));
    bool quiet = str_equal_nocase(str_trim(xml_child_text(root, "Quiet")), STR("true"));
    buf *out = s3_xml_begin(c, "DeleteResult");
    for (size_t i = 0; i < count; i++) {
        if (all[i].refused.kind != STATUS_OK) {
            add_error(out, &all[i].request, error_s3_code(&all[i].refused),
                      str_c(all[i].refused.message));
        } else if (results[i].result != STATUS_OK) {
            const char *code = results[i].s3_code != NULL
                                   ? results[i].s3_code
                                   : status_describe(results[i].result)->s3_code;
            add_error(out, &all[i].request, code, results[i].message);
        } else if (!quiet) {
            add_deleted(c, out, &all[i].request, &results[i]);
        }
    }
    return s3_xml_send(c, 200, "DeleteResult", out, err);
}

/* Remote signing: a client without keys sends the request that it is about to make to S3, and gets it signed.
 *
 * Signed is what reads or writes objects in the place of the one table: an object, its parts, several deletes (each key
 * of the body), a list whose prefix is inside, and an object's tags, which Java's client sets on files that it deletes
 * (s3.delete.tags). The rest is refused. The key that signs is a session that may no more
 * than that (vend.h), so what is read wrong here is refused at the door of S3 still.
 *
 * Source: Iceberg REST catalog specification, RemoteSignRequest and RemoteSignResult; the separate S3 signer
 * specification for the old route. */
#include "handlers.h"
#include "rest/vend.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"
#include "tarn/catalog/located.h"
#include "tarn/codec/checksum.h"
#include "tarn/codec/xml.h"
#include "tarn/net/signature.h"
#include "tarn/net/uri.h"

#define SESSION_S (20 * 60) /* signatures are good for 15 minutes */
#define REGION_SIZE_MAX 64
#define KEYS_MAX 1000

typedef struct sign_request {
    str region, uri, method, body, provider;
    const json *headers;
    /* of the URI */
    str host, target;
    str bucket, key; /* decoded; key empty: the bucket's own */
    uri_pair *params;
    size_t param_count;
    bool writes;
} sign_request;

static const json_field fields[] = {
    {"region", JSON_STR, JSON_REQUIRED, offsetof(sign_request, region)},
    {"uri", JSON_STR, JSON_REQUIRED, offsetof(sign_request, uri)},
    {"method", JSON_STR, JSON_REQUIRED, offsetof(sign_request, method)},
    {"headers", JSON_OBJECT, JSON_REQUIRED, offsetof(sign_request, headers)},
    {"body", JSON_STR, 0, offsetof(sign_request, body)},
    {"provider", JSON_STR, 0, offsetof(sign_request, provider)},
};

static status refuse(error *err, const char *why)
{
    return error_set(err, STATUS_DENIED, "the request is not signed: %s", why);
}

/* ---- what is asked ---- */

static bool is_region(str text)
{
    bool fine = text.size > 0 && text.size <= REGION_SIZE_MAX;

    for (size_t i = 0; fine && i < text.size; i++) {
        char c = text.data[i];
        fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    return fine;
}

/* "bucket.localhost" -> "bucket"; STR_NULL where the bucket is in the path. */
static str bucket_of_host(const rest_call *c, str host)
{
    const setting_value *domains = &c->base.app->settings->values[SETTING_S3_DOMAIN];

    for (size_t i = 0; i < domains->list_count; i++) {
        str end = str_concat(c->base.a, STR("."), domains->list[i]);

        if (host.size > end.size &&
            str_equal_nocase(str_slice(host, host.size - end.size, host.size), end)) {
            return str_lower(c->base.a, str_slice(host, 0, host.size - end.size));
        }
    }
    return STR_NULL;
}

/* The S3 door itself, or a bucket in front of it. A signature for another host would lead a client's request, which
 * carries it, somewhere else. */
static bool is_our_host(const rest_call *c, str bucket, str authority)
{
    str rest = authority;

    if (!str_is_null(bucket)) {
        rest = str_slice(authority, bucket.size + 1, authority.size);
    }
    return rest__is_s3_authority(c, rest);
}

static status read_uri(rest_call *c, sign_request *r, error *err)
{
    arena *a = c->base.a;
    uri u;

    TRY(uri_parse(r->uri, &u, err));
    if (!str_equal(u.scheme, STR("http")) && !str_equal(u.scheme, STR("https"))) {
        return refuse(err, "its URI is not one of HTTP");
    }
    r->host = rest__authority_of(r->uri);
    str path = u.path.size > 0 ? u.path : STR("/");
    r->target =
        u.query.size > 0 ? str_printf(a, "%.*s?%.*s", STR_ARG(path), STR_ARG(u.query)) : path;
    str key = str_slice(path, 1, path.size);
    str bucket = bucket_of_host(c, u.host);
    if (!is_our_host(c, bucket, r->host)) {
        return refuse(err, "it goes to another host than this server's S3 door");
    }
    if (str_is_null(bucket)) {
        bucket = str_cut(key, '/', &key);
    }
    TRY(uri_decode(a, bucket, &r->bucket, err));
    TRY(uri_decode(a, str_is_null(key) ? STR("") : key, &r->key, err));
    return uri_parse_query(a, u.query, &r->params, &r->param_count, err);
}

static status read_request(rest_call *c, sign_request *r, error *err)
{
    static const char *const methods[] = {"PUT",    "GET",   "HEAD",   "POST",
                                          "DELETE", "PATCH", "OPTIONS"};
    const json *object = NULL;
    bool known = false;

    *r = (sign_request){.body = STR_NULL, .provider = STR("s3")};
    TRY(rest__read_json(c, &object, err));
    TRY(json_read(object, fields, COUNT_OF(fields), r, err));
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        known = known || str_equal(r->method, str_c(methods[i]));
    }
    if (!known) {
        return error_set(err, STATUS_INVALID, "method \"%.*s\" is not known",
                         (int)(r->method.size < 32 ? r->method.size : 32), r->method.data);
    }
    if (!is_region(r->region)) {
        return error_set(err, STATUS_INVALID, "the region is not valid");
    }
    if (!str_equal_nocase(r->provider, STR("s3"))) {
        return error_set(err, STATUS_INVALID, "the provider is not s3: files here are in no other");
    }
    return read_uri(c, r, err);
}

static str param(const sign_request *r, const char *name)
{
    for (size_t i = 0; i < r->param_count; i++) {
        if (str_equal(r->params[i].name, str_c(name))) {
            return str_is_null(r->params[i].value) ? STR("") : r->params[i].value;
        }
    }
    return STR_NULL;
}

/* ---- which operations ---- */

/* What is signed, by method and by the parameters that it may come with; `needs` tells rows of one method apart. */
static const struct sign_rule {
    const char *method;
    bool of_object;
    const char *needs; /* "list-type=2"; NULL: nothing */
    const char *params;
    bool writes;
} rules[] = {
    {"GET", true, NULL, "x-id partNumber tagging", false},
    {"HEAD", true, NULL, "x-id partNumber", false},
    {"PUT", true, NULL, "x-id partNumber uploadId tagging", true},
    {"DELETE", true, NULL, "x-id uploadId", true},
    {"POST", true, "uploads", "x-id uploads", true},
    {"POST", true, "uploadId", "x-id uploadId", true},
    {"GET", true, "uploadId", "x-id uploadId max-parts part-number-marker encoding-type", true},
    {"GET", false, "list-type",
     "x-id list-type prefix delimiter max-keys continuation-token start-after encoding-type "
     "fetch-owner",
     false},
    {"POST", false, "delete", "x-id delete", true},
};

static bool is_listed(const char *names, str name)
{
    for (str rest = str_c(names); !str_is_null(rest);) {
        if (str_equal(str_cut(rest, ' ', &rest), name)) {
            return true;
        }
    }
    return false;
}

static bool follows(const sign_request *r, const struct sign_rule *rule)
{
    if (!str_equal(r->method, str_c(rule->method)) || rule->of_object != (r->key.size > 0) ||
        (rule->needs != NULL && str_is_null(param(r, rule->needs)))) {
        return false;
    }
    for (size_t i = 0; i < r->param_count; i++) {
        if (!is_listed(rule->params, r->params[i].name)) {
            return false;
        }
    }
    return true;
}

static status check_operation(sign_request *r, error *err)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (follows(r, &rules[i])) {
            r->writes = rules[i].writes;
            return STATUS_OK;
        }
    }
    return refuse(err, "it is none that reads or writes a table's files");
}

/* ---- where ---- */

/* Every key, or prefix of keys, that the request is about. */
typedef VEC(str) key_list;

static status read_deletes(rest_call *c, const sign_request *r, key_list *keys, error *err)
{
    const xml_element *root = NULL;

    if (str_is_null(r->body)) {
        return refuse(err, "what is to be deleted is not told");
    }
    TRY(xml_parse(r->body, c->base.a, &root, err));
    for (const xml_element *e = xml_child(root, "Object"); e != NULL; e = xml_next(e)) {
        str key = xml_child_text(e, "Key");

        if (key.size == 0 || !str_is_null(xml_child_text(e, "VersionId"))) {
            return refuse(err, "it deletes versions, or something without a key");
        }
        vec_push(c->base.a, keys, key);
    }
    if (keys->count == 0 || keys->count > KEYS_MAX) {
        return refuse(err, "it deletes nothing, or more than 1000 objects");
    }
    return STATUS_OK;
}

/* "bucket/key" of a copy's source, which is read. */
static status read_source(rest_call *c, const sign_request *r, str *ret_bucket, str *ret_key,
                          error *err)
{
    str name;
    const json *values;
    str text = STR_NULL;

    *ret_bucket = STR_NULL;
    for (size_t at = 0; json_next_member(r->headers, &at, &name, &values);) {
        if (str_equal_nocase(name, STR("x-amz-copy-source"))) {
            text = json_str_or(json_at(values, 0), STR(""));
        }
    }
    if (str_is_null(text)) {
        return STATUS_OK;
    }
    if (str_find(text, STR("?versionId=")) != STR_NPOS) {
        return refuse(err, "it copies a version");
    }
    TRY(uri_decode(c->base.a, text, &text, err));
    text = str_starts_with(text, STR("/")) ? str_slice(text, 1, text.size) : text;
    *ret_bucket = str_cut(text, '/', ret_key);
    return STATUS_OK;
}

static status list_keys(rest_call *c, const sign_request *r, key_list *keys, error *err)
{
    if (r->key.size > 0) {
        vec_push(c->base.a, keys, r->key);
        return STATUS_OK;
    }
    if (!str_is_null(param(r, "delete"))) {
        return read_deletes(c, r, keys, err);
    }
    if (!str_equal(param(r, "list-type"), STR("2"))) {
        return refuse(err, "it lists in another way than ListObjectsV2");
    }
    str prefix = param(r, "prefix");
    vec_push(c->base.a, keys, str_is_null(prefix) ? STR("") : prefix);
    return STATUS_OK;
}

/* `lists`: what is looked for are keys that begin with `key`. */
static bool is_within(const s3_scope *scope, str key, bool lists)
{
    str bare = str_slice(scope->prefix, 0, scope->prefix.size - 1);

    return str_starts_with(key, scope->prefix) ||
           (lists && scope->lists_bare && str_equal(key, bare));
}

static bool is_inside(const s3_scope *scopes, size_t count, str bucket, str key, bool writes,
                      bool lists)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(scopes[i].bucket, bucket) && is_within(&scopes[i], key, lists) &&
            (scopes[i].write || !writes)) {
            return true;
        }
    }
    return false;
}

static status check_place(rest_call *c, const sign_request *r, const key_list *keys,
                          const catalog_document *table, error *err)
{
    s3_scope scopes[ACCESS_SCOPES_MAX];
    size_t count = 0;
    str bucket;
    str key = STR_NULL;
    bool lists = r->key.size == 0 && !r->writes;

    TRY(rest__scopes(c, table, scopes, &count, err));
    for (size_t i = 0; i < keys->count; i++) {
        if (!is_inside(scopes, count, r->bucket, keys->items[i], r->writes, lists)) {
            return refuse(err, r->writes ? "it does not lie in the table's place, or is a change"
                                         : "it does not lie in the table's place");
        }
    }
    TRY(read_source(c, r, &bucket, &key, err));
    if (!str_is_null(bucket) && !is_inside(scopes, count, bucket, key, false, false)) {
        return refuse(err, "what it copies does not lie in the table's place");
    }
    return STATUS_OK;
}

/* ---- the signature ---- */

/* S3 wants these signed; the rest may change on the way. What the signature brings itself is not taken over. */
static bool is_signed(str name)
{
    static const char *const own[] = {"x-amz-date", "x-amz-content-sha256", "x-amz-security-token"};

    for (size_t i = 0; i < COUNT_OF(own); i++) {
        if (str_equal_nocase(name, str_c(own[i]))) {
            return false;
        }
    }
    return str_starts_with_nocase(name, STR("x-amz-")) ||
           str_equal_nocase(name, STR("content-md5"));
}

static str joined(arena *a, const json *values)
{
    str text = json_str_or(json_at(values, 0), STR(""));

    for (size_t i = 1; i < json_count(values); i++) {
        text = str_printf(a, "%.*s,%.*s", STR_ARG(text),
                          STR_ARG(json_str_or(json_at(values, i), STR(""))));
    }
    return text;
}

/* `ret_payload`: what the client says of its body, else what must be: the digest of a list of deletes, so that no other
 * list goes with the signature. */
static status read_headers(rest_call *c, const sign_request *r, http_header *headers,
                           size_t *ret_count, str *ret_payload, error *err)
{
    uint8_t sum[DIGEST_SIZE_MAX];
    size_t count = 0;
    str name;
    const json *values;

    *ret_payload = STR("UNSIGNED-PAYLOAD");
    if (r->key.size == 0 && !str_is_null(r->body)) {
        digest(DIGEST_SHA256, r->body, sum);
        *ret_payload = str_to_hex(c->base.a, sum, digest_size(DIGEST_SHA256));
    }
    for (size_t at = 0; json_next_member(r->headers, &at, &name, &values);) {
        if (json_kind_of(values) != JSON_ARRAY) {
            return error_set(err, STATUS_INVALID, "a header's values are no list");
        }
        for (size_t i = 0; i < json_count(values); i++) {
            if (json_kind_of(json_at(values, i)) != JSON_STR) {
                return error_set(err, STATUS_INVALID, "a value of header \"%.*s\" is no string",
                                 STR_ARG(name));
            }
        }
        if (str_equal_nocase(name, STR("x-amz-content-sha256"))) {
            *ret_payload = joined(c->base.a, values);
        } else if (is_signed(name)) {
            headers[count++] = (http_header){.name = name, .value = joined(c->base.a, values)};
        }
    }
    *ret_count = count;
    return STATUS_OK;
}

static status send(rest_call *c, const sign_request *r, const http_header *made, size_t count,
                   error *err)
{
    bool reads = str_equal(r->method, STR("GET")) || str_equal(r->method, STR("HEAD"));
    json_writer w = answer_begin(&c->base);

    json_begin_object(&w);
    json_member_str(&w, "uri", r->uri);
    json_key(&w, "headers");
    json_begin_object(&w);
    for (size_t i = 0; i < count; i++) {
        json_key_str(&w, made[i].name);
        json_begin_array(&w);
        json_put_str(&w, made[i].value);
        json_end_array(&w);
    }
    json_end_object(&w);
    json_end_object(&w);
    /* Java's client looks for this very spelling, and keeps what is private for half a minute. */
    http_set_header(c->base.x, "Cache-Control", reads ? STR("private") : STR("no-cache"));
    return rest__send(c, &w, err);
}

static status sign(rest_call *c, const sign_request *r, const catalog_document *table, error *err)
{
    http_header *headers = ARENA_ARRAY(c->base.a, http_header, json_count(r->headers));
    http_header made[4];
    size_t header_count = 0;
    size_t count = 0;
    rest_vended vended;
    str payload;

    TRY(rest__vend(c, table, SESSION_S, &vended, err));
    if (!vended.is_made) {
        return refuse(err, "the table has no files in S3");
    }
    TRY(read_headers(c, r, headers, &header_count, &payload, err));
    const signing_key key = {.access_key = vended.session.access_key,
                             .secret = vended.session.secret,
                             .session_token = vended.session.token,
                             .region = r->region,
                             .service = STR("s3")};
    TRY(signature_make(&key, str_to_c(c->base.a, r->method), r->host, r->target, headers,
                       header_count, payload, clock_now_us(), c->base.a, made, &count, err));
    return send(c, r, made, count, err);
}

static status check_and_sign(rest_call *c, const sign_request *r, const key_list *keys, error *err)
{
    catalog_document *table = NULL;
    status found = catalog_load_document(c->base.app->catalog, c->name, &table, err);

    if (rest__is_missing(found)) {
        return rest__no_table(c, c->shown, err);
    }
    TRY(found);
    status result = check_place(c, r, keys, table, err);
    if (result == STATUS_OK) {
        result = sign(c, r, table, err);
    }
    catalog_document_unref(table);
    return result;
}

status rest__sign_post(rest_call *c, error *err)
{
    sign_request r;
    key_list keys = {0};

    TRY(read_request(c, &r, err));
    TRY(check_operation(&r, err));
    TRY(list_keys(c, &r, &keys, err));
    return check_and_sign(c, &r, &keys, err);
}

/* No table is named: it is the one in whose place the first key lies. Whether there is one is told to nobody who may
 * not read it. */
status rest__old_sign_post(rest_call *c, error *err)
{
    sign_request r;
    key_list keys = {0};

    TRY(read_request(c, &r, err));
    TRY(check_operation(&r, err));
    TRY(list_keys(c, &r, &keys, err));
    str location =
        str_printf(c->base.a, "s3://%.*s/%.*s", STR_ARG(r.bucket), STR_ARG(keys.items[0]));
    status found = catalog_find_at(c->base.app->catalog, location, c->base.a, &c->name, NULL);
    if (found != STATUS_OK || rest__allow(c, ACTION_TABLE_READ, c->name, NULL) != STATUS_OK) {
        return refuse(err, "it does not lie in the place of a table");
    }
    return check_and_sign(c, &r, &keys, err);
}

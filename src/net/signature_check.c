/* Whether a request was signed with a secret: the canonical request is written anew from what came over the wire. The
 * path is taken as it came; of the query the canonical form is that of the decoded parameters, which are what handlers
 * see. */
#include <stdlib.h>

#include "http_core.h"
#include "signature_core.h"
#include "tarn/base/vec.h"
#include "tarn/codec/checksum.h"

static status mismatch(error *err)
{
    return signature__refuse(err, STATUS_DENIED, "SignatureDoesNotMatch",
                             "the request's signature does not match; check the secret key and "
                             "the way of signing");
}

static bool is_signed(str list, str name)
{
    for (str rest = list; !str_is_null(rest);) {
        if (str_equal_nocase(str_cut(rest, ';', &rest), name)) {
            return true;
        }
    }
    return false;
}

/* Headers that change what a request does must not be added to it on the way. */
static status check_all_signed(const http_exchange *x, const request_signature *s, error *err)
{
    for (size_t i = 0; i < x->head.header_count; i++) {
        str name = x->head.headers[i].name;
        if (str_starts_with_nocase(name, STR("x-amz-")) && !is_signed(s->signed_headers, name)) {
            return signature__refuse(err, STATUS_DENIED, "AccessDenied",
                                     "the header \"%.*s\" is present and not signed",
                                     STR_ARG(name));
        }
    }
    return STATUS_OK;
}

/* ---- version 4 ---- */

static str canonical_request(const http_exchange *x, const request_signature *s, str payload)
{
    buf *out = buf_in(x->memory, SIGNATURE_TEXT_MAX);
    size_t count = 0;
    const uri_pair *pairs = http_request_params(x, &count);

    buf_add_c(out, http_method_name(x->head.method));
    buf_add_char(out, '\n');
    buf_add_str(out, x->head.path);
    buf_add_char(out, '\n');
    signature__add_query(out, x->memory, pairs, count);
    buf_add_char(out, '\n');
    for (str rest = s->signed_headers; !str_is_null(rest);) {
        str name = str_cut(rest, ';', &rest);
        signature__add_header(out, name, x->head.headers, x->head.header_count);
    }
    buf_add_char(out, '\n');
    buf_add_str(out, str_lower(x->memory, s->signed_headers));
    buf_add_char(out, '\n');
    buf_add_str(out, payload);
    return out->failed ? STR_NULL : buf_str(out);
}

static status check_v4(const http_exchange *x, const request_signature *s, str secret, error *err)
{
    uint8_t key[SIGNATURE_KEY_BYTES];
    str payload = s->payload_text;

    TRY(check_all_signed(x, s, err));
    if (str_is_null(payload) && http_body_size(x) != 0) {
        return signature__refuse(err, STATUS_INVALID, "InvalidRequest",
                                 "the request lacks the header x-amz-content-sha256");
    }
    str request =
        canonical_request(x, s, str_is_null(payload) ? STR(SIGNATURE_EMPTY_SHA256) : payload);
    str text = signature__string_to_sign(
        x->memory, signature__timestamp(x->memory, s->signed_at_us),
        signature__scope(x->memory, s->date, s->region, s->service), request);
    bool known = signature__key(s->access_key, secret, s->date, s->region, s->service, key);
    bool right = !str_is_null(request) &&
                 signature__equal(signature__sign(x->memory, key, text), s->signature);
    if (right && !known) {
        signature__keep_key(s->access_key, secret, s->date, s->region, s->service, key);
    }
    mem_wipe(key, sizeof key);
    if (!right) {
        (void)mismatch(err);
        error_detail(err, "string to sign: %.*s", STR_ARG(text));
        return STATUS_DENIED;
    }
    return STATUS_OK;
}

/* ---- version 2, in the query ----
 * Amazon S3 Developer Guide, "Signing and authenticating REST requests" (signature version 2). */

static const str v2_resources[] = {
    STR_INIT("accelerate"),
    STR_INIT("acl"),
    STR_INIT("analytics"),
    STR_INIT("cors"),
    STR_INIT("defaultObjectAcl"),
    STR_INIT("delete"),
    STR_INIT("inventory"),
    STR_INIT("lifecycle"),
    STR_INIT("location"),
    STR_INIT("logging"),
    STR_INIT("metrics"),
    STR_INIT("notification"),
    STR_INIT("object-lock"),
    STR_INIT("partNumber"),
    STR_INIT("policy"),
    STR_INIT("replication"),
    STR_INIT("requestPayment"),
    STR_INIT("response-cache-control"),
    STR_INIT("response-content-disposition"),
    STR_INIT("response-content-encoding"),
    STR_INIT("response-content-language"),
    STR_INIT("response-content-type"),
    STR_INIT("response-expires"),
    STR_INIT("restore"),
    STR_INIT("select"),
    STR_INIT("select-type"),
    STR_INIT("storageClass"),
    STR_INIT("tagging"),
    STR_INIT("torrent"),
    STR_INIT("uploadId"),
    STR_INIT("uploads"),
    STR_INIT("versionId"),
    STR_INIT("versioning"),
    STR_INIT("versions"),
    STR_INIT("website"),
};

static bool is_v2_resource(str name)
{
    for (size_t i = 0; i < COUNT_OF(v2_resources); i++) {
        if (str_equal(name, v2_resources[i])) {
            return true;
        }
    }
    return false;
}

/* Parameters that version 2 does not sign: its own, and how a list is to be cut. */
static const str v2_unsigned[] = {
    STR_INIT("AWSAccessKeyId"),
    STR_INIT("Expires"),
    STR_INIT("Signature"),
    STR_INIT("bucket-region"),
    STR_INIT("continuation-token"),
    STR_INIT("delimiter"),
    STR_INIT("encoding-type"),
    STR_INIT("fetch-owner"),
    STR_INIT("key-marker"),
    STR_INIT("list-type"),
    STR_INIT("marker"),
    STR_INIT("max-buckets"),
    STR_INIT("max-keys"),
    STR_INIT("max-parts"),
    STR_INIT("max-uploads"),
    STR_INIT("part-number-marker"),
    STR_INIT("prefix"),
    STR_INIT("start-after"),
    STR_INIT("upload-id-marker"),
    STR_INIT("version-id-marker"),
    STR_INIT("x-id"),
};

/* Whoever holds a link must not make another request of it: what is neither signed nor of the list above is refused. */
static status check_v2_names(const http_exchange *x, error *err)
{
    size_t count = 0;
    const uri_pair *pairs = http_request_params(x, &count);

    for (size_t i = 0; i < count; i++) {
        str name = pairs[i].name;
        bool known = is_v2_resource(name) || str_starts_with_nocase(name, STR("x-amz-")) ||
                     str_equal_nocase(name, STR("content-md5")) ||
                     str_equal_nocase(name, STR("content-type"));
        for (size_t k = 0; k < COUNT_OF(v2_unsigned); k++) {
            known = known || str_equal(name, v2_unsigned[k]);
        }
        if (!known) {
            return signature__refuse(err, STATUS_DENIED, "AccessDenied",
                                     "a signature of version 2 does not cover the parameter "
                                     "\"%.*s\"",
                                     STR_ARG(name));
        }
    }
    return STATUS_OK;
}

static int compare_names(const void *left, const void *right)
{
    const uri_pair *a = left;
    const uri_pair *b = right;
    int order = str_compare(a->name, b->name);

    return order != 0 ? order : str_compare(a->value, b->value);
}

typedef VEC(uri_pair) pair_list;

/* A header that may stand in the query instead. One that stands in both must be the same. */
static status v2_header(const http_exchange *x, str name, str *ret_value, error *err)
{
    buf *joined = buf_in(x->memory, LIMIT_HTTP_HEAD);
    size_t count = 0;
    const uri_pair *pairs = http_request_params(x, &count);
    str in_query = STR_NULL;
    bool in_header = false;

    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(pairs[i].name, name)) {
            in_query = str_is_null(pairs[i].value) ? STR("") : pairs[i].value;
        }
    }
    for (size_t i = 0; i < x->head.header_count; i++) {
        if (str_equal_nocase(x->head.headers[i].name, name)) {
            buf_add_str(joined, in_header ? STR(",") : STR(""));
            buf_add_str(joined, x->head.headers[i].value);
            in_header = true;
        }
    }
    if (in_header && !str_is_null(in_query) && !str_equal(in_query, buf_str(joined))) {
        return signature__refuse(err, STATUS_DENIED, "AccessDenied",
                                 "\"%.*s\" differs between query and header", STR_ARG(name));
    }
    *ret_value = in_header ? buf_str(joined) : in_query;
    return STATUS_OK;
}

static bool has_name(const pair_list *list, str name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (str_equal(list->items[i].name, name)) {
            return true;
        }
    }
    return false;
}

static status note_amz_header(const http_exchange *x, str name, pair_list *list, error *err)
{
    uri_pair pair = {.name = str_lower(x->memory, name)};

    if (str_starts_with(pair.name, STR("x-amz-")) && !has_name(list, pair.name)) {
        TRY(v2_header(x, pair.name, &pair.value, err));
        vec_push(x->memory, list, pair);
    }
    return STATUS_OK;
}

static status add_v2_headers(const http_exchange *x, const request_signature *s, buf *out,
                             error *err)
{
    size_t count = 0;
    const uri_pair *pairs = http_request_params(x, &count);
    pair_list amz = {.count = 0};
    str md5 = STR_NULL;
    str type = STR_NULL;

    TRY(v2_header(x, STR("content-md5"), &md5, err));
    TRY(v2_header(x, STR("content-type"), &type, err));
    buf_printf(out, "%.*s\n%.*s\n%lld\n", STR_ARG(md5), STR_ARG(type),
               (long long)(s->expires_us / 1000000));
    for (size_t i = 0; i < count; i++) {
        TRY(note_amz_header(x, pairs[i].name, &amz, err));
    }
    for (size_t i = 0; i < x->head.header_count; i++) {
        TRY(note_amz_header(x, x->head.headers[i].name, &amz, err));
    }
    if (amz.count > 0) {
        qsort(amz.items, amz.count, sizeof *amz.items, compare_names);
    }
    for (size_t i = 0; i < amz.count; i++) {
        buf_printf(out, "%.*s:%.*s\n", STR_ARG(amz.items[i].name),
                   STR_ARG(str_trim(amz.items[i].value)));
    }
    return STATUS_OK;
}

/* "/bucket" alone, which some clients sign with a slash behind it. */
static bool is_bare_bucket(const http_exchange *x, const request_signature *s)
{
    str path = x->head.path;

    return str_is_empty(s->host_bucket) && path.size > 1 &&
           str_find_char(str_slice(path, 1, path.size), '/') == STR_NPOS;
}

static void add_v2_resource(const http_exchange *x, const request_signature *s, bool slash,
                            buf *out)
{
    size_t count = 0;
    const uri_pair *pairs = http_request_params(x, &count);
    pair_list kept = {.count = 0};

    if (!str_is_empty(s->host_bucket)) {
        buf_add_char(out, '/');
        buf_add_str(out, s->host_bucket);
    }
    buf_add_str(out, x->head.path);
    buf_add_c(out, slash ? "/" : "");
    for (size_t i = 0; i < count; i++) {
        if (is_v2_resource(pairs[i].name)) {
            vec_push(x->memory, &kept, pairs[i]);
        }
    }
    if (kept.count > 0) {
        qsort(kept.items, kept.count, sizeof *kept.items, compare_names);
    }
    for (size_t i = 0; i < kept.count; i++) {
        buf_add_char(out, i == 0 ? '?' : '&');
        buf_add_str(out, kept.items[i].name);
        if (!str_is_null(kept.items[i].value)) {
            buf_add_char(out, '=');
            buf_add_str(out, kept.items[i].value);
        }
    }
}

static status match_v2(const http_exchange *x, const request_signature *s, str secret, bool slash,
                       error *err)
{
    buf *text = buf_in(x->memory, SIGNATURE_TEXT_MAX);
    uint8_t mac[20];
    str given = str_copy(x->memory, s->signature);

    buf_add_c(text, http_method_name(x->head.method));
    buf_add_char(text, '\n');
    TRY(add_v2_headers(x, s, text, err));
    add_v2_resource(x, s, slash, text);
    hmac_sha1(secret, buf_str(text), mac);
    for (size_t i = 0; i < given.size; i++) { /* a plus that its client did not encode */
        char *c = (char *)(uintptr_t)given.data + i;
        *c = *c == ' ' ? '+' : *c;
    }
    str made = base64_encode(x->memory, str_from((const char *)mac, sizeof mac));
    if (text->failed || !signature__equal(made, given)) {
        (void)mismatch(err);
        error_detail(err, "string to sign: %.*s", STR_ARG(buf_str(text)));
        return STATUS_DENIED;
    }
    return STATUS_OK;
}

static status check_v2(const http_exchange *x, const request_signature *s, str secret, error *err)
{
    TRY(check_v2_names(x, err));
    if (is_bare_bucket(x, s) && match_v2(x, s, secret, true, NULL) == STATUS_OK) {
        return STATUS_OK;
    }
    return match_v2(x, s, secret, false, err);
}

/* ---- all forms ---- */

status signature_check(const http_exchange *x, const request_signature *signature, str secret,
                       error *err)
{
    switch (signature->kind) {
    case SIGNATURE_V4_HEADER:
    case SIGNATURE_V4_QUERY:
        return check_v4(x, signature, secret, err);
    case SIGNATURE_V2_QUERY:
        return check_v2(x, signature, secret, err);
    case SIGNATURE_NONE:
        break;
    }
    return signature__refuse(err, STATUS_DENIED, "AccessDenied", "the request is not signed");
}

bool signature_form_matches_v4(str secret, str date, str region, str service, str policy_base64,
                               str signature)
{
    arena *a = arena_create();
    uint8_t key[SIGNATURE_KEY_BYTES];

    signature__key(STR(""), secret, date, region, service, key);
    bool right = signature__equal(signature__sign(a, key, policy_base64), signature);
    mem_wipe(key, sizeof key);
    arena_free(a);
    return right;
}

bool signature_form_matches_v2(str secret, str policy_base64, str signature)
{
    arena *a = arena_create();
    uint8_t mac[20];

    hmac_sha1(secret, policy_base64, mac);
    bool right =
        signature__equal(base64_encode(a, str_from((const char *)mac, sizeof mac)), signature);
    arena_free(a);
    return right;
}

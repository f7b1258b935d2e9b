/* PostObject: an upload by a browser's form. Its policy document says what may be sent; the form's signature is the
 * policy's. Every field that is sent must be allowed by a condition, or it is refused.
 *
 * Source: Amazon S3 API Reference, "Browser-based uploads using POST" (signature version 4), and the older form. */
#include <inttypes.h>

#include "s3/handlers.h"
#include "s3/post.h"
#include "tarn/base/clock.h"
#include "tarn/net/form.h"
#include "tarn/net/uri.h"

#define FORM_BYTES_MAX (INT64_C(5) << 30)

static str field(const http_form *form, const char *name)
{
    return form_value(form, name);
}

/* ---- who sends it ---- */

static status by_version4(s3_call *c, const http_form *form, str document, error *err)
{
    str credential = field(form, "x-amz-credential");
    str signature = field(form, "x-amz-signature");
    str rest = STR_NULL;
    str key = str_cut(credential, '/', &rest);
    str date = str_cut(rest, '/', &rest);
    str region = str_cut(rest, '/', &rest);
    str service = str_cut(rest, '/', &rest);

    if (!str_equal(field(form, "x-amz-algorithm"), STR("AWS4-HMAC-SHA256")) ||
        !str_equal(rest, STR("aws4_request")) || !str_equal(service, STR("s3")) ||
        str_is_null(signature)) {
        return s3_fail(err, "InvalidArgument", "the form's signature is not of version 4 for s3");
    }
    TRY(access_find_s3_key(c->app->access, key, field(form, "x-amz-security-token"), c->a, &c->who,
                           err));
    if (!c->who.unchecked &&
        !signature_form_matches_v4(c->who.secret, date, region, service, document, signature)) {
        return s3_fail(err, "SignatureDoesNotMatch", "the policy's signature is another");
    }
    return STATUS_OK;
}

static status by_version2(s3_call *c, const http_form *form, str document, error *err)
{
    str signature = field(form, "signature");

    if (str_is_null(signature)) {
        return s3_fail(err, "InvalidArgument",
                       "Bucket POST must contain a field named 'signature'.");
    }
    TRY(access_find_s3_key(c->app->access, field(form, "awsaccesskeyid"),
                           field(form, "x-amz-security-token"), c->a, &c->who, err));
    if (!c->who.unchecked && !signature_form_matches_v2(c->who.secret, document, signature)) {
        return s3_fail(err, "SignatureDoesNotMatch", "the policy's signature is another");
    }
    return STATUS_OK;
}

/* Without policy and key the form is anonymous. */
static status authenticate(s3_call *c, const http_form *form, str *ret_policy, error *err)
{
    str document = field(form, "policy");
    bool version4 = !str_is_null(field(form, "x-amz-credential"));
    bool version2 = !str_is_null(field(form, "awsaccesskeyid"));

    *ret_policy = STR_NULL;
    if (!version4 && !version2) {
        if (!str_is_null(document) && !str_is_null(field(form, "signature"))) {
            return s3_fail(err, "InvalidArgument",
                           "Bucket POST must contain a field named 'AWSAccessKeyId'.");
        }
        access_unsigned(c->app->access, c->a, &c->who);
        return STATUS_OK;
    }
    if (str_is_null(document)) {
        return s3_fail(err, "InvalidArgument", "Bucket POST must contain a field named 'policy'.");
    }
    if (version4 && version2) {
        return s3_fail(err, "InvalidArgument", "a form has one signature");
    }
    TRY(version4 ? by_version4(c, form, document, err) : by_version2(c, form, document, err));
    *ret_policy = document;
    return STATUS_OK;
}

/* ---- what it writes ---- */

/* "${filename}" stands for the file's own name. */
static str with_file_name(s3_call *c, const http_form *form, str text)
{
    static const str variable = STR_INIT("${filename}");
    buf *out = buf_in(c->a, FORM_FIELD_BYTES_MAX * 2);
    str name = form_file_name(form);
    size_t at;

    while ((at = str_find(text, variable)) != STR_NPOS) {
        buf_add_str(out, str_slice(text, 0, at));
        buf_add_str(out, str_is_null(name) ? STR("") : name);
        text = str_slice(text, at + variable.size, text.size);
    }
    buf_add_str(out, text);
    return out->size > 0 ? buf_str(out) : STR("");
}

static status read_key(s3_call *c, const http_form *form, error *err)
{
    str key = field(form, "key");

    if (str_is_null(key)) {
        return s3_fail(err, "InvalidArgument", "Bucket POST must contain a field named 'key'.");
    }
    c->key = with_file_name(c, form, key);
    if (c->key.size == 0) {
        return s3_fail(err, "InvalidArgument", "User key must have a length greater than 0.");
    }
    if (c->key.size > S3_KEY_BYTES_MAX) {
        return s3_fail(err, "KeyTooLongError", "the key has more than %d bytes", S3_KEY_BYTES_MAX);
    }
    if (!str_is_utf8(c->key) || str_find_char(c->key, '\0') != STR_NPOS) {
        return s3_fail(err, "InvalidArgument", "the key is no text in UTF-8");
    }
    return STATUS_OK;
}

/* The form's tags are a document, not a header. */
static status read_tags(s3_call *c, const http_form *form, error *err)
{
    str text = field(form, "tagging");
    const xml_element *root = NULL;
    size_t at = 0;

    if (str_is_null(text)) {
        return STATUS_OK;
    }
    if (xml_parse(text, c->a, &root, NULL) != STATUS_OK || !str_equal(root->name, STR("Tagging")) ||
        xml_child(root, "TagSet") == NULL) {
        return s3_fail(err, "MalformedXML", "the field tagging is no Tagging document");
    }
    TRY(s3_check_elements(root, err));
    const xml_element *set = xml_child(root, "TagSet");
    size_t count = xml_count(set, "Tag");
    object_pair *tags = ARENA_ARRAY(c->a, object_pair, count);
    for (const xml_element *e = xml_child(set, "Tag"); e != NULL; e = xml_next(e), at++) {
        str value = xml_child_text(e, "Value");
        tags[at] = (object_pair){.name = xml_child_text(e, "Key"),
                                 .value = str_is_null(value) ? STR("") : value};
    }
    TRY(s3_tags_check(tags, count, 10, err));
    c->request_tags = tags;
    c->request_tag_count = count;
    return STATUS_OK;
}

static status read_claims(const http_form *form, s3_claims *ret_claims, error *err)
{
    *ret_claims = (s3_claims){.value = STR_NULL};
    for (int i = CHECKSUM_NONE + 1; i < CHECKSUM_KIND_COUNT; i++) {
        str value = field(form, s3_checksum_header((object_checksum_kind)i));
        if (str_is_null(value)) {
            continue;
        }
        if (!s3_checksum_is_valid((object_checksum_kind)i, value)) {
            return s3_fail(err, "InvalidRequest", "Value for %s field is invalid.",
                           s3_checksum_header((object_checksum_kind)i));
        }
        ret_claims->kind = (object_checksum_kind)i;
        ret_claims->value = value;
    }
    return STATUS_OK;
}

static status copy_file(s3_call *c, http_form *form, const post_policy *limits,
                        object_writer *writer, error *err)
{
    char *bytes = arena_alloc(c->a, S3_COPY_BYTES);
    int64_t max = limits->size_max >= 0 ? limits->size_max : FORM_BYTES_MAX;
    int64_t total = 0;

    for (;;) {
        size_t got = 0;
        TRY(form_read_file(form, bytes, S3_COPY_BYTES, &got, err));
        if (got == 0) {
            break;
        }
        total += (int64_t)got;
        if (total > max || total > FORM_BYTES_MAX) {
            return s3_fail(err, "EntityTooLarge", "the file has more than %" PRId64 " bytes", max);
        }
        TRY(object_writer_write(writer, bytes, got, err));
    }
    if (total < limits->size_min) {
        return s3_fail(err, "EntityTooSmall", "the file has fewer than %" PRId64 " bytes",
                       limits->size_min);
    }
    return STATUS_OK;
}

static status store_file(s3_call *c, http_form *form, const post_policy *limits,
                         const object_attributes *attributes, object_info *ret_info, error *err)
{
    s3_claims claims;
    object_writer *writer = NULL;
    object_digests digests;

    TRY(read_claims(form, &claims, err));
    const object_write what = {
        .bucket = c->bucket,
        .key = c->key,
        .attributes = attributes,
        .size_bytes = -1,
        .checksum = claims.kind,
    };
    TRY(object_writer_begin(c->app->storage, &what, &writer, err));
    status result = copy_file(c, form, limits, writer, err);
    if (result == STATUS_OK) {
        result = object_writer_end(writer, &digests, err);
    }
    if (result == STATUS_OK) {
        result = s3_claims_check(&claims, NULL, &digests, err);
    }
    if (result != STATUS_OK) {
        object_writer_abort(writer);
        return result;
    }
    return object_writer_commit(writer, NULL, c->a, ret_info, err);
}

/* ---- the answer ---- */

static str object_url(s3_call *c)
{
    buf *out = buf_in(c->a, 16 * LIMIT_KIB);
    buf_printf(out, "http://%.*s/%.*s/", STR_ARG(s3_header(c, "host")), STR_ARG(c->bucket));
    uri_encode(out, c->key, "/");
    return buf_str(out);
}

static bool redirect(s3_call *c, str target, const object_info *info)
{
    uri parsed;
    buf *out = buf_in(c->a, 32 * LIMIT_KIB);

    if (target.size == 0 || uri_parse(target, &parsed, NULL) != STATUS_OK ||
        !(str_equal(parsed.scheme, STR("http")) || str_equal(parsed.scheme, STR("https")))) {
        return false;
    }
    buf_add_str(out, target);
    buf_add_c(out, str_find_char(target, '?') == STR_NPOS ? "?bucket=" : "&bucket=");
    uri_encode(out, c->bucket, "");
    buf_add_c(out, "&key=");
    uri_encode(out, c->key, "/");
    buf_printf(out, "&etag=%%22%.*s%%22", STR_ARG(info->etag));
    http_set_header(c->x, "Location", buf_str(out));
    s3_empty(c, 303);
    return true;
}

static status answer(s3_call *c, const http_form *form, const object_info *info, error *err)
{
    str target = field(form, "success_action_redirect");
    str wanted = field(form, "success_action_status");

    if (str_is_null(target)) {
        target = field(form, "redirect");
    }
    http_set_header(c->x, "ETag", s3_quoted(c->a, info->etag));
    s3_write_version(c, c->facts, info);
    s3_write_checksum(c, &info->checksum);
    s3_write_encryption(c, info);
    if (!str_is_null(target) && redirect(c, target, info)) {
        return STATUS_OK;
    }
    str url = object_url(c);
    http_set_header(c->x, "Location", url);
    if (!str_equal(wanted, STR("201"))) {
        s3_empty(c, str_equal(wanted, STR("200")) ? 200 : 204);
        return STATUS_OK;
    }
    buf *out = buf_in(c->a, S3_ANSWER_BYTES_MAX);
    xml_begin_document(out, "PostResponse", NULL);
    xml_add_text(out, "Location", url);
    xml_add_text(out, "Bucket", c->bucket);
    xml_add_text(out, "Key", c->key);
    xml_add_text(out, "ETag", s3_quoted(c->a, info->etag));
    return s3_xml_send(c, 201, "PostResponse", out, err);
}

/* ---- fields for headers ---- */

/* Of the transport: what a form's sender says of himself, not of the object. */
static const char *const transport[] = {"host", "origin", "referer", "user-agent",
                                        "content-length"};

/* What a field of a form says as a header does. By "*" at the end all that begin so. What is not here a form cannot
 * say: a condition of a policy that asks for it finds nothing. */
static const struct {
    const char *header, *field; /* NULL: of the same name */
} spoken[] = {
    {"x-amz-acl", "acl"},
    {"x-amz-grant-*", NULL},
    {"x-amz-server-side-encryption*", NULL},
    {"x-amz-object-lock-*", NULL},
    {"x-amz-storage-class", NULL},
    {"x-amz-website-redirect-location", NULL},
    {"x-amz-meta-*", NULL},
    {"content-type", NULL},
    {"content-disposition", NULL},
    {"content-encoding", NULL},
    {"content-language", NULL},
    {"cache-control", NULL},
    {"expires", NULL},
};

static bool fits(const char *pattern, str name)
{
    str text = str_c(pattern);

    return str_ends_with(text, STR("*"))
               ? str_starts_with_nocase(name, str_slice(text, 0, text.size - 1))
               : str_equal_nocase(name, text);
}

str s3_form_header(const s3_call *c, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(transport); i++) {
        if (str_equal_nocase(str_c(name), str_c(transport[i]))) {
            return http_request_header(c->x, name);
        }
    }
    for (size_t i = 0; i < COUNT_OF(spoken); i++) {
        if (fits(spoken[i].header, str_c(name))) {
            return field(c->posted, spoken[i].field != NULL ? spoken[i].field : name);
        }
    }
    return STR_NULL;
}

/* Of two a policy would see the one, and the object get the other. */
static status refuse_twins(const http_form *form, error *err)
{
    size_t count = 0;
    const form_field *fields = form_fields(form, &count);

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (str_equal_nocase(fields[i].name, fields[k].name)) {
                return s3_fail(err, "InvalidArgument", "the form has the field \"%.*s\" twice",
                               (int)(fields[i].name.size < 64 ? fields[i].name.size : 64),
                               fields[i].name.data);
            }
        }
    }
    return STATUS_OK;
}

status s3_form_post(s3_call *c, error *err)
{
    http_form *form = NULL;
    str policy_text;
    post_policy limits = POST_POLICY_NONE;
    object_attributes attributes;
    object_info info = {0};

    if (c->signature.kind != SIGNATURE_NONE) {
        return s3_fail(err, "InvalidArgument", "a form is signed in its fields");
    }
    TRY(s3_unproven_begin(c, err));
    status opened = form_open(c->x, &form, err);
    s3_unproven_end(c);
    TRY(opened);
    if (!form_has_file(form)) {
        return s3_fail(err, "InvalidArgument",
                       "POST requires exactly one file upload per request.");
    }
    TRY(refuse_twins(form, err));
    c->posted = form;
    TRY(authenticate(c, form, &policy_text, err));
    TRY(read_key(c, form, err));
    if (!str_is_null(policy_text)) {
        TRY(post_policy_check(policy_text, form, c->bucket, c->key, c->a, &limits, err));
    }
    TRY(read_tags(c, form, err));
    TRY(s3_allow(c, "s3:PutObject", c->facts, c->key, NULL, err));
    TRY(s3_attributes_read(c, c->facts, &attributes, err));
    TRY(store_file(c, form, &limits, &attributes, &info, err));
    return answer(c, form, &info, err);
}

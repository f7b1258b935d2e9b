/* Answers of the S3 door: XML documents, parameters and headers of the request. */
#include "s3/post.h"

buf *s3_xml_begin(s3_call *c, const char *root)
{
    buf *out = buf_in(c->a, S3_ANSWER_BYTES_MAX);
    xml_begin_document(out, root, S3_XMLNS);
    return out;
}

status s3_xml_send(s3_call *c, int status_code, const char *root, buf *out, error *err)
{
    xml_close(out, root);
    TRY(buf_check(out, "answer", err));
    http_respond(c->x, status_code, "application/xml", buf_str(out));
    return STATUS_OK;
}

void s3_empty(s3_call *c, int status_code)
{
    http_respond(c->x, status_code, NULL, STR(""));
}

/* A principal's display name is its canonical id. */
void s3_add_owner(s3_call *c, buf *out, const char *element, str canonical_id)
{
    (void)c;
    xml_open(out, element);
    xml_add_text(out, "ID", canonical_id);
    xml_add_text(out, "DisplayName", canonical_id);
    xml_close(out, element);
}

str s3_param(const s3_call *c, const char *name)
{
    size_t count = 0;
    const uri_pair *pairs = http_request_params(c->x, &count);

    for (size_t i = 0; i < count; i++) {
        if (str_equal(pairs[i].name, str_c(name))) {
            return str_is_null(pairs[i].value) ? STR("") : pairs[i].value;
        }
    }
    return STR_NULL;
}

bool s3_has_param(const s3_call *c, const char *name)
{
    return !str_is_null(s3_param(c, name));
}

status s3_param_count(const s3_call *c, const char *name, int64_t max, int64_t *ret_value,
                      error *err)
{
    str text = s3_param(c, name);
    int64_t value = max;

    if (text.size > 0 && (str_to_int64(text, &value, NULL) != STATUS_OK || value < 0)) {
        return s3_fail(err, "InvalidArgument", "parameter \"%s\" is not a whole number from 0",
                       name);
    }
    *ret_value = value < max ? value : max;
    return STATUS_OK;
}

/* ---- headers, and parameters that stand for them ---- */

/* Of a signature in the query itself. */
static bool is_of_signature(str name)
{
    static const str names[] = {STR_INIT("x-amz-algorithm"),      STR_INIT("x-amz-credential"),
                                STR_INIT("x-amz-date"),           STR_INIT("x-amz-expires"),
                                STR_INIT("x-amz-signedheaders"),  STR_INIT("x-amz-signature"),
                                STR_INIT("x-amz-security-token"), STR_INIT("x-amz-content-sha256")};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_equal_nocase(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* Version 2 signs a body's type and digest from the query, too. */
bool s3_is_hoisted(const s3_call *c, str name)
{
    if (c->signature.kind != SIGNATURE_V4_QUERY && c->signature.kind != SIGNATURE_V2_QUERY) {
        return false;
    }
    return (str_starts_with_nocase(name, STR("x-amz-")) && !is_of_signature(name)) ||
           (c->signature.kind == SIGNATURE_V2_QUERY &&
            (str_equal_nocase(name, STR("content-type")) ||
             str_equal_nocase(name, STR("content-md5"))));
}

static str hoisted(const s3_call *c, str name)
{
    size_t count = 0;
    const uri_pair *pairs = s3_is_hoisted(c, name) ? http_request_params(c->x, &count) : NULL;

    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(pairs[i].name, name)) {
            return str_is_null(pairs[i].value) ? STR("") : pairs[i].value;
        }
    }
    return STR_NULL;
}

str s3_header(const s3_call *c, const char *name)
{
    if (c->posted != NULL) {
        return s3_form_header(c, name);
    }
    str value = http_request_header(c->x, name);
    return str_is_null(value) ? hoisted(c, str_c(name)) : value;
}

/* One of them, which stands at `at`: once, and as the header of its name has it. */
static status check_hoisted(const s3_call *c, const uri_pair *pairs, size_t at, error *err)
{
    str name = pairs[at].name;
    str value = str_is_null(pairs[at].value) ? STR("") : pairs[at].value;
    str header = http_request_header(c->x, str_to_c(c->a, name));

    for (size_t i = 0; i < at; i++) {
        if (str_equal_nocase(pairs[i].name, name)) {
            return s3_fail(err, "InvalidArgument", "the query has \"%.*s\" twice", STR_ARG(name));
        }
    }
    if (!str_is_null(header) && !str_equal(str_trim(header), str_trim(value))) {
        return s3_fail(err, "InvalidArgument", "\"%.*s\" differs between query and header",
                       STR_ARG(name));
    }
    return STATUS_OK;
}

/* What changes what an operation does, and is not served: passed over it would be another operation. By "*" at the end
 * all that begin so. All begin with "x-amz-". */
static const struct {
    const char *header, *why;
} unserved[] = {
    {"x-amz-write-offset-bytes", "objects are written whole"},
    {"x-amz-rename-source*", "no directory buckets"},
    {"x-amz-if-match-initiated-time", "no directory buckets"},
};

static status check_served(str name, error *err)
{
    for (size_t i = 0; i < COUNT_OF(unserved); i++) {
        str text = str_c(unserved[i].header);
        bool all = str_ends_with(text, STR("*"));
        str stem = all ? str_slice(text, 0, text.size - 1) : text;
        if (all ? str_starts_with_nocase(name, stem) : str_equal_nocase(name, stem)) {
            return s3_fail(err, "NotImplemented", "%.*s is not served: %s", STR_ARG(name),
                           unserved[i].why);
        }
    }
    return STATUS_OK;
}

status s3_headers_check(const s3_call *c, error *err)
{
    size_t count = 0;
    const uri_pair *pairs = http_request_params(c->x, &count);

    for (size_t i = 0; i < http_request_header_count(c->x); i++) {
        str name = http_request_header_at(c->x, i).name;

        if (str_starts_with_nocase(name, STR("x-amz-"))) {
            TRY(check_served(name, err));
        }
    }
    for (size_t i = 0; i < count; i++) {
        str name = pairs[i].name;
        if (s3_is_hoisted(c, name)) {
            TRY(check_hoisted(c, pairs, i, err));
            TRY(check_served(name, err));
        } else if (str_starts_with_nocase(name, STR("x-amz-")) &&
                   (!is_of_signature(name) || c->signature.kind == SIGNATURE_V4_HEADER)) {
            return s3_fail(err, "InvalidArgument",
                           "the parameter \"%.*s\" is for requests that are signed in the query",
                           STR_ARG(name));
        }
    }
    return STATUS_OK;
}

str s3_quoted(arena *a, str etag)
{
    return str_printf(a, "\"%.*s\"", STR_ARG(etag));
}

str s3_unquoted(str etag)
{
    str bare = str_trim(etag);

    if (str_starts_with(bare, STR("W/"))) {
        bare = str_slice(bare, 2, bare.size);
    }
    if (bare.size >= 2 && bare.data[0] == '"' && bare.data[bare.size - 1] == '"') {
        bare = str_slice(bare, 1, bare.size - 1);
    }
    return bare;
}

/* ---- what no handler sees ---- */

/* Statuses stay what HTTP says; the codes are S3's. */
static const struct {
    int http_status;
    const char *code;
} refusals[] = {
    {403, "AccessDenied"},   {408, "RequestTimeout"}, {411, "MissingContentLength"},
    {413, "EntityTooLarge"}, {414, "InvalidURI"},     {431, "RequestHeaderSectionTooLarge"},
    {500, "InternalError"},  {501, "NotImplemented"}, {503, "SlowDown"},
};

const char *server__s3_refuse(void *context, const http_refused *refused, buf *body)
{
    const server *app = context;
    const char *code = "BadRequest";

    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        if (refusals[i].http_status == refused->http_status) {
            code = refusals[i].code;
        }
    }
    xml_begin_document(body, "Error", NULL);
    xml_add_text(body, "Code", str_c(code));
    xml_add_text(body, "Message", str_c(refused->message));
    xml_add_text(body, "RequestId", refused->id);
    xml_add_text(body, "HostId", str_c(app->instance));
    xml_close(body, "Error");
    return "application/xml";
}

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

str s3_header(const s3_call *c, const char *name)
{
    return c->posted != NULL ? s3_form_header(c, name) : http_request_header(c->x, name);
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

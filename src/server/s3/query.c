/* AWS's query protocol, which STS and IAM speak: forms and parameters in, XML out, errors in their own shape.
 *
 * Nothing is skipped: an action or a parameter that is not known is refused, since what it would narrow or set would
 * be lost. What the actions do is in sts.c and iam.c.
 *
 * Sources: AWS Security Token Service API Reference, version 2011-06-15; IAM API Reference, version 2010-05-08, both
 * "Common Parameters" and "Common Errors". */
#include "s3/query.h"

#include "s3/handlers.h"
#include "tarn/codec/checksum.h"

#define FORM_BYTES_MAX (64 * LIMIT_KIB)

bool s3_is_query(const s3_call *c)
{
    http_method method = http_request_method(c->x);

    return c->level == S3_SERVICE &&
           (method == HTTP_POST || (method == HTTP_GET && s3_has_param(c, "Action")));
}

/* ---- the form ---- */

status s3_query_read(s3_call *c, error *err)
{
    request_signature *s = &c->signature;
    uint8_t sum[DIGEST_SIZE_MAX];

    c->form = STR("");
    if (http_body_size(c->x) != 0) {
        TRY(s3_unproven_begin(c, err));
        status got = http_body_read_all(c->x, FORM_BYTES_MAX, &c->form, err);
        s3_unproven_end(c);
        TRY(got);
    }
    digest(DIGEST_SHA256, c->form, sum);
    str signed_text = hex_encode(c->a, str_from((const char *)sum, digest_size(DIGEST_SHA256)));
    if (s->kind == SIGNATURE_V4_QUERY && c->form.size == 0) {
        s->payload_text = signed_text; /* of nothing, as services other than S3 have it */
        return STATUS_OK;
    }
    if (s->kind == SIGNATURE_V4_HEADER && str_is_null(s->payload_text)) {
        s->payload_text = signed_text;
    }
    if (s->kind == SIGNATURE_V4_HEADER && !str_equal(s->payload_text, signed_text)) {
        return s3_fail(err, "XAmzContentSHA256Mismatch", "the form is not the one that was signed");
    }
    if (s->kind != SIGNATURE_V4_HEADER && s->kind != SIGNATURE_NONE) {
        return s3_fail(err, "InvalidRequest", "a form is signed in the header");
    }
    return STATUS_OK;
}

str s3_parameter(const s3_parameters *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++) {
        if (str_equal(p->pairs[i].name, str_c(name))) {
            return str_is_null(p->pairs[i].value) ? STR("") : p->pairs[i].value;
        }
    }
    return STR_NULL;
}

static status read_parameters(const s3_call *c, s3_parameters *ret_parameters, error *err)
{
    size_t count = 0;
    const uri_pair *query = http_request_params(c->x, &count);

    if (http_request_method(c->x) == HTTP_POST) {
        if (count > 0) {
            return s3_query_fail(err, "ValidationError",
                                 "parameters stand in the form, not in the query");
        }
        return uri_parse_query(c->a, c->form, &ret_parameters->pairs, &ret_parameters->count, err);
    }
    ret_parameters->pairs = ARENA_ARRAY(c->a, uri_pair, count);
    for (size_t i = 0; i < count; i++) {
        ret_parameters->pairs[i] = query[i];
    }
    ret_parameters->count = count;
    return STATUS_OK;
}

/* A signature names its service; without one the version tells. */
const s3_query_service *s3_query_service_of(const s3_call *c)
{
    s3_parameters p = {0};

    if (c->signature.kind == SIGNATURE_V4_HEADER || c->signature.kind == SIGNATURE_V4_QUERY) {
        bool iam = str_equal(c->signature.service, str_c(s3_service_iam.name));
        return iam ? &s3_service_iam : &s3_service_sts;
    }
    if (read_parameters(c, &p, NULL) == STATUS_OK &&
        str_equal(s3_parameter(&p, "Version"), str_c(s3_service_iam.version))) {
        return &s3_service_iam;
    }
    return &s3_service_sts;
}

static bool is_known(str name, const char *const *known)
{
    for (; *known != NULL; known++) {
        if (str_equal(name, str_c(*known))) {
            return true;
        }
    }
    return str_equal(name, STR("Action")) || str_equal(name, STR("Version")) ||
           str_starts_with_nocase(name, STR("X-Amz-"));
}

/* Each parameter once, and none that is not known. */
static status check_parameters(const s3_parameters *p, const char *const *known, error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        if (!is_known(p->pairs[i].name, known)) {
            (void)error_set(err, STATUS_INVALID, "parameter \"%.*s\" is not supported",
                            (int)(p->pairs[i].name.size < 64 ? p->pairs[i].name.size : 64),
                            p->pairs[i].name.data);
            error_set_s3_code(err, "ValidationError");
            return STATUS_INVALID;
        }
        for (size_t j = 0; j < i; j++) {
            if (str_equal(p->pairs[i].name, p->pairs[j].name)) {
                return s3_query_fail(err, "ValidationError", "a parameter is given twice");
            }
        }
    }
    return STATUS_OK;
}

/* ---- errors ---- */

status s3_query_fail(error *err, const char *code, const char *text)
{
    (void)error_set(err, STATUS_INVALID, "%s", text);
    error_set_s3_code(err, code);
    return STATUS_INVALID;
}

/*  S3's code                        theirs                       status */
static const struct {
    const char *s3_code, *code;
    int http_status;
} codes[] = {
    {"AccessDenied", "AccessDenied", 403},
    {"AuthorizationHeaderMalformed", "IncompleteSignature", 400},
    {"DeleteConflict", "DeleteConflict", 409},
    {"EntityAlreadyExists", "EntityAlreadyExists", 409},
    {"ExpiredToken", "ExpiredToken", 403},
    {"InvalidAccessKeyId", "InvalidClientTokenId", 403},
    {"InvalidAction", "InvalidAction", 400},
    {"InvalidToken", "InvalidClientTokenId", 403},
    {"MalformedPolicy", "MalformedPolicyDocument", 400},
    {"MissingAuthenticationToken", "MissingAuthenticationToken", 403},
    {"NoSuchEntity", "NoSuchEntity", 404},
    {"PackedPolicyTooLarge", "PackedPolicyTooLarge", 400},
    {"RequestTimeTooSkewed", "SignatureDoesNotMatch", 403},
    {"SignatureDoesNotMatch", "SignatureDoesNotMatch", 403},
    {"XAmzContentSHA256Mismatch", "SignatureDoesNotMatch", 403},
};

void s3_query_answer_error(s3_call *c, const error *err)
{
    bool own_fault = status_describe(err->kind)->http_status >= 500;
    bool is_busy = err->kind == STATUS_UNAVAILABLE || err->kind == STATUS_BUSY;
    const char *code = is_busy     ? "ServiceUnavailable"
                       : own_fault ? "InternalFailure"
                                   : "ValidationError";
    int http_status = is_busy ? 503 : own_fault ? 500 : 400;
    buf *out = buf_in(c->a, S3_ANSWER_BYTES_MAX);

    for (size_t i = 0; !own_fault && i < COUNT_OF(codes); i++) {
        if (str_equal(str_c(error_s3_code(err)), str_c(codes[i].s3_code))) {
            code = codes[i].code;
            http_status = codes[i].http_status;
        }
    }
    xml_begin_document(out, "ErrorResponse", s3_query_service_of(c)->xmlns);
    xml_open(out, "Error");
    xml_add_text(out, "Type", own_fault ? STR("Receiver") : STR("Sender"));
    xml_add_text(out, "Code", str_c(code));
    xml_add_text(out, "Message",
                 own_fault ? STR("the request could not be answered") : str_c(err->message));
    xml_close(out, "Error");
    xml_add_text(out, "RequestId", http_request_id(c->x));
    xml_close(out, "ErrorResponse");
    http_respond(c->x, http_status, "text/xml", buf_str(out));
}

/* ---- the way ---- */

static const s3_query_action *find_action(const s3_query_service *service, str wanted)
{
    for (size_t i = 0; i < service->count; i++) {
        if (str_equal(wanted, str_c(service->actions[i].name))) {
            return &service->actions[i];
        }
    }
    return NULL;
}

static status refuse_action(const s3_query_service *service, str wanted, error *err)
{
    (void)error_set(err, STATUS_INVALID, "%s has no action \"%.*s\" here, version %s",
                    service->name, (int)(wanted.size < 64 ? wanted.size : 64),
                    wanted.data != NULL ? wanted.data : "", service->version);
    error_hint(err, "Those that are served stand in docs/s3.md.");
    error_set_s3_code(err, "InvalidAction");
    return STATUS_INVALID;
}

static status run_action(s3_call *c, const s3_query_service *service, const s3_query_action *row,
                         const s3_parameters *p, error *err)
{
    const char *response = str_to_c(c->a, str_printf(c->a, "%sResponse", row->name));
    const char *result = str_to_c(c->a, str_printf(c->a, "%sResult", row->name));
    bool has_result = (row->flags & S3_QUERY_NO_RESULT) == 0;
    buf *out = buf_in(c->a, S3_ANSWER_BYTES_MAX);

    c->operation = row->name;
    TRY(check_parameters(p, row->parameters, err));
    xml_begin_document(out, response, service->xmlns);
    if (has_result) {
        xml_open(out, result);
    }
    TRY(row->run(c, p, out, err));
    if (has_result) {
        xml_close(out, result);
    }
    xml_open(out, "ResponseMetadata");
    xml_add_text(out, "RequestId", http_request_id(c->x));
    xml_close(out, "ResponseMetadata");
    xml_close(out, response);
    TRY(buf_check(out, "answer", err));
    http_respond(c->x, 200, "text/xml", buf_str(out));
    return STATUS_OK;
}

status s3_query(s3_call *c, error *err)
{
    const s3_query_service *service = s3_query_service_of(c);
    s3_parameters p = {0};

    if (str_is_empty(c->who.canonical_id)) {
        return s3_query_fail(err, "MissingAuthenticationToken", "the request is not signed");
    }
    TRY(read_parameters(c, &p, err));
    str wanted = s3_parameter(&p, "Action");
    str version = s3_parameter(&p, "Version");
    const s3_query_action *row = find_action(service, wanted);
    if (row == NULL || (!str_is_null(version) && !str_equal(version, str_c(service->version)))) {
        return refuse_action(service, wanted, err);
    }
    return run_action(c, service, row, &p, err);
}

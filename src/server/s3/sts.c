/* The Security Token Service, as far as a store needs it: AssumeRole, GetSessionToken, GetCallerIdentity.
 *
 * There are no roles here: a role's ARN names the session, which has its caller's rights, narrowed by the policy that
 * comes with the request. What would narrow a session and is not known here (managed policies, tags, MFA) is refused,
 * so that no session may more than its maker meant.
 *
 * Source: AWS Security Token Service API Reference, version 2011-06-15. */
#include "s3/sts.h"

#include "s3/handlers.h"
#include "tarn/codec/checksum.h"
#include "tarn/net/uri.h"

#define STS_XMLNS "https://sts.amazonaws.com/doc/2011-06-15/"
#define STS_VERSION "2011-06-15"
#define FORM_BYTES_MAX (64 * LIMIT_KIB)
#define POLICY_CHARS_MAX 2048
#define DURATION_S_MIN 900
#define DURATION_S_MAX 43200

bool s3_is_sts(const s3_call *c)
{
    http_method method = http_request_method(c->x);

    return c->level == S3_SERVICE &&
           (method == HTTP_POST || (method == HTTP_GET && s3_has_param(c, "Action")));
}

/* ---- the form ---- */

status s3_sts_read(s3_call *c, error *err)
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

typedef struct parameters {
    uri_pair *pairs;
    size_t count;
} parameters;

static str value_of(const parameters *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++) {
        if (str_equal(p->pairs[i].name, str_c(name))) {
            return str_is_null(p->pairs[i].value) ? STR("") : p->pairs[i].value;
        }
    }
    return STR_NULL;
}

static status fail(error *err, const char *code, const char *text)
{
    (void)error_set(err, STATUS_INVALID, "%s", text);
    error_set_s3_code(err, code);
    return STATUS_INVALID;
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
static status check_parameters(const parameters *p, const char *const *known, error *err)
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
                return fail(err, "ValidationError", "a parameter is given twice");
            }
        }
    }
    return STATUS_OK;
}

/* ---- answers ---- */

static buf *begin_answer(s3_call *c, const char *response, const char *result)
{
    buf *out = buf_in(c->a, S3_ANSWER_BYTES_MAX);

    xml_begin_document(out, response, STS_XMLNS);
    xml_open(out, result);
    return out;
}

static status send_answer(s3_call *c, buf *out, const char *response, const char *result,
                          error *err)
{
    xml_close(out, result);
    xml_open(out, "ResponseMetadata");
    xml_add_text(out, "RequestId", http_request_id(c->x));
    xml_close(out, "ResponseMetadata");
    xml_close(out, response);
    TRY(buf_check(out, "answer", err));
    http_respond(c->x, 200, "text/xml", buf_str(out));
    return STATUS_OK;
}

static void add_credentials(buf *out, const s3_session *made)
{
    xml_open(out, "Credentials");
    xml_add_text(out, "AccessKeyId", made->access_key);
    xml_add_text(out, "SecretAccessKey", made->secret);
    xml_add_text(out, "SessionToken", made->token);
    xml_add_time(out, "Expiration", made->expires_us);
    xml_close(out, "Credentials");
}

/*  S3's code                        STS's                        status */
static const struct {
    const char *s3_code, *code;
    int http_status;
} codes[] = {
    {"AccessDenied", "AccessDenied", 403},
    {"AuthorizationHeaderMalformed", "IncompleteSignature", 400},
    {"ExpiredToken", "ExpiredToken", 403},
    {"InvalidAccessKeyId", "InvalidClientTokenId", 403},
    {"InvalidAction", "InvalidAction", 400},
    {"InvalidToken", "InvalidClientTokenId", 403},
    {"MalformedPolicy", "MalformedPolicyDocument", 400},
    {"MissingAuthenticationToken", "MissingAuthenticationToken", 403},
    {"PackedPolicyTooLarge", "PackedPolicyTooLarge", 400},
    {"RequestTimeTooSkewed", "SignatureDoesNotMatch", 403},
    {"SignatureDoesNotMatch", "SignatureDoesNotMatch", 403},
    {"XAmzContentSHA256Mismatch", "SignatureDoesNotMatch", 403},
};

void s3_sts_answer_error(s3_call *c, const error *err)
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
    xml_begin_document(out, "ErrorResponse", STS_XMLNS);
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

/* ---- the actions ---- */

static status read_duration(const parameters *p, int64_t fallback_s, int64_t *ret_duration_s,
                            error *err)
{
    str text = value_of(p, "DurationSeconds");

    *ret_duration_s = fallback_s;
    if (str_is_null(text)) {
        return STATUS_OK;
    }
    if (str_to_int64(text, ret_duration_s, NULL) != STATUS_OK || *ret_duration_s < DURATION_S_MIN ||
        *ret_duration_s > DURATION_S_MAX) {
        return fail(err, "ValidationError", "DurationSeconds is a number from 900 to 43200");
    }
    return STATUS_OK;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && str_find_char(STR("_+=,.@-"), c) != STR_NPOS);
}

static bool is_name(str text, size_t min, size_t max)
{
    bool valid = text.size >= min && text.size <= max;

    for (size_t i = 0; valid && i < text.size; i++) {
        valid = is_name_char(text.data[i]);
    }
    return valid;
}

/* The name at the end of arn:aws:iam::ACCOUNT:role/PATH/NAME. */
static status read_role(str arn, str *ret_role, error *err)
{
    size_t at = str_find(arn, STR(":role/"));
    size_t slash = str_find_last_char(arn, '/');
    str name = slash == STR_NPOS ? STR("") : str_slice(arn, slash + 1, arn.size);

    if (!str_starts_with(arn, STR("arn:aws:iam::")) || at == STR_NPOS || arn.size > 2048 ||
        !is_name(name, 1, 64)) {
        return fail(err, "ValidationError", "RoleArn is not arn:aws:iam::ACCOUNT:role/NAME");
    }
    *ret_role = name;
    return STATUS_OK;
}

static status assume_role(s3_call *c, const parameters *p, error *err)
{
    s3_session_request request = {.from = &c->who, .policy_text = value_of(p, "Policy")};
    s3_session made;

    TRY(read_role(value_of(p, "RoleArn"), &request.role, err));
    request.session_name = value_of(p, "RoleSessionName");
    if (!is_name(request.session_name, 2, 64)) {
        return fail(err, "ValidationError",
                    "RoleSessionName has 2 to 64 letters, digits and the characters _ + = , . @ -");
    }
    TRY(read_duration(p, 3600, &request.duration_s, err));
    if (request.policy_text.size > POLICY_CHARS_MAX) {
        return fail(err, "PackedPolicyTooLarge", "Policy has more than 2048 bytes");
    }
    TRY(access_create_s3_session(c->app->access, &request, c->a, &made, err));
    buf *out = begin_answer(c, "AssumeRoleResponse", "AssumeRoleResult");
    xml_open(out, "AssumedRoleUser");
    xml_add_text(
        out, "AssumedRoleId",
        str_printf(c->a, "%.*s:%.*s", STR_ARG(c->who.canonical_id), STR_ARG(request.session_name)));
    xml_add_text(out, "Arn", made.arn);
    xml_close(out, "AssumedRoleUser");
    add_credentials(out, &made);
    xml_add_int(out, "PackedPolicySize",
                (int64_t)(request.policy_text.size * 100 / POLICY_CHARS_MAX));
    return send_answer(c, out, "AssumeRoleResponse", "AssumeRoleResult", err);
}

static status get_session_token(s3_call *c, const parameters *p, error *err)
{
    s3_session_request request = {.from = &c->who, .session_name = STR(""), .policy_text = STR("")};
    s3_session made;

    TRY(read_duration(p, DURATION_S_MAX, &request.duration_s, err));
    TRY(access_create_s3_session(c->app->access, &request, c->a, &made, err));
    buf *out = begin_answer(c, "GetSessionTokenResponse", "GetSessionTokenResult");
    add_credentials(out, &made);
    return send_answer(c, out, "GetSessionTokenResponse", "GetSessionTokenResult", err);
}

static status get_caller_identity(s3_call *c, const parameters *p, error *err)
{
    size_t slash = c->who.is_session ? str_find_last_char(c->who.arn, '/') : STR_NPOS;
    str id = c->who.canonical_id;

    (void)p;
    if (slash != STR_NPOS) {
        id = str_printf(c->a, "%.*s:%.*s", STR_ARG(id),
                        STR_ARG(str_slice(c->who.arn, slash + 1, c->who.arn.size)));
    }
    buf *out = begin_answer(c, "GetCallerIdentityResponse", "GetCallerIdentityResult");
    xml_add_text(out, "Arn", c->who.arn);
    xml_add_text(out, "UserId", id);
    xml_add_text(out, "Account", c->who.canonical_id);
    return send_answer(c, out, "GetCallerIdentityResponse", "GetCallerIdentityResult", err);
}

static const char *const assume_role_parameters[] = {
    "RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "ExternalId", NULL};
static const char *const session_token_parameters[] = {"DurationSeconds", NULL};
static const char *const no_parameters[] = {NULL};

static const struct {
    const char *name;
    const char *const *parameters;
    status (*run)(s3_call *c, const parameters *p, error *err);
} sts_actions[] = {
    {"AssumeRole", assume_role_parameters, assume_role},
    {"GetSessionToken", session_token_parameters, get_session_token},
    {"GetCallerIdentity", no_parameters, get_caller_identity},
};

static status read_parameters(s3_call *c, parameters *ret_parameters, error *err)
{
    size_t count = 0;
    const uri_pair *query = http_request_params(c->x, &count);

    if (http_request_method(c->x) == HTTP_POST) {
        if (count > 0) {
            return fail(err, "ValidationError", "parameters stand in the form, not in the query");
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

status s3_sts(s3_call *c, error *err)
{
    parameters p = {0};

    if (str_is_empty(c->who.canonical_id)) {
        return fail(err, "MissingAuthenticationToken", "the request is not signed");
    }
    TRY(read_parameters(c, &p, err));
    str wanted = value_of(&p, "Action");
    str version = value_of(&p, "Version");
    if (!str_is_null(version) && !str_equal(version, STR(STS_VERSION))) {
        return fail(err, "InvalidAction", "Version is 2011-06-15");
    }
    for (size_t i = 0; i < COUNT_OF(sts_actions); i++) {
        if (str_equal(wanted, str_c(sts_actions[i].name))) {
            TRY(check_parameters(&p, sts_actions[i].parameters, err));
            return sts_actions[i].run(c, &p, err);
        }
    }
    return fail(err, "InvalidAction",
                "Action is none of AssumeRole, GetSessionToken, GetCallerIdentity");
}

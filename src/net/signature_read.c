/* What a request claims about who signed it and how: taken apart and judged as far as that needs no secret. Whatever is
 * not beyond doubt one of the known forms is refused; only a request with nothing of a signature is anonymous. */
#include "http_parse.h"
#include "signature_core.h"

/* ---- payload modes ---- */

static const struct {
    str text;
    payload_mode mode;
} payload_modes[] = {
    {STR_INIT(SIGNATURE_UNSIGNED), PAYLOAD_UNSIGNED},
    {STR_INIT("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), PAYLOAD_STREAMING_UNSIGNED_TRAILER},
    {STR_INIT("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), PAYLOAD_STREAMING_SIGNED},
    {STR_INIT("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"), PAYLOAD_STREAMING_SIGNED_TRAILER},
};

static bool is_sha256_hex(str text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return false;
        }
    }
    return text.size == SIGNATURE_HEX_SIZE;
}

static status read_payload(str text, request_signature *s, error *err)
{
    s->payload_text = text;
    for (size_t i = 0; i < COUNT_OF(payload_modes); i++) {
        if (str_equal(text, payload_modes[i].text)) {
            s->payload = payload_modes[i].mode;
            return STATUS_OK;
        }
    }
    if (is_sha256_hex(text)) {
        s->payload = PAYLOAD_DIGEST;
        return STATUS_OK;
    }
    if (str_starts_with(text, STR("STREAMING-AWS4-ECDSA-"))) {
        return signature__refuse(err, STATUS_UNSUPPORTED, "NotImplemented",
                                 "ECDSA signatures are not supported");
    }
    return signature__refuse(err, STATUS_INVALID, "InvalidArgument",
                             "x-amz-content-sha256 is neither a SHA-256 in hex nor a known mode: "
                             "\"%.*s\"",
                             STR_ARG(text));
}

static bool needs_a_signature(payload_mode mode)
{
    return mode == PAYLOAD_STREAMING_SIGNED || mode == PAYLOAD_STREAMING_SIGNED_TRAILER;
}

/* ---- headers and parameters that count once ---- */

static status single_header(const http_exchange *x, const char *name, str *ret_value, error *err)
{
    str value = STR_NULL;

    for (size_t i = 0; i < http_request_header_count(x); i++) {
        http_header h = http_request_header_at(x, i);
        if (!str_equal_nocase(h.name, str_c(name))) {
            continue;
        }
        if (!str_is_null(value)) {
            return signature__refuse(err, STATUS_INVALID, "InvalidArgument",
                                     "header \"%s\" is given twice", name);
        }
        value = str_is_null(h.value) ? STR("") : h.value;
    }
    *ret_value = value;
    return STATUS_OK;
}

typedef enum query_name {
    QUERY_ALGORITHM,
    QUERY_CREDENTIAL,
    QUERY_DATE,
    QUERY_EXPIRES,
    QUERY_SIGNED_HEADERS,
    QUERY_SIGNATURE,
    QUERY_TOKEN,
    QUERY_PAYLOAD,
    QUERY_V2_KEY,
    QUERY_V2_SIGNATURE,
    QUERY_V2_EXPIRES,
    QUERY_COUNT,
} query_name;

static const struct {
    str name;
    signature_kind shows; /* what its presence says */
} query_names[QUERY_COUNT] = {
    [QUERY_ALGORITHM] = {STR_INIT("X-Amz-Algorithm"), SIGNATURE_V4_QUERY},
    [QUERY_CREDENTIAL] = {STR_INIT("X-Amz-Credential"), SIGNATURE_V4_QUERY},
    [QUERY_DATE] = {STR_INIT("X-Amz-Date"), SIGNATURE_V4_QUERY},
    [QUERY_EXPIRES] = {STR_INIT("X-Amz-Expires"), SIGNATURE_V4_QUERY},
    [QUERY_SIGNED_HEADERS] = {STR_INIT("X-Amz-SignedHeaders"), SIGNATURE_V4_QUERY},
    [QUERY_SIGNATURE] = {STR_INIT("X-Amz-Signature"), SIGNATURE_V4_QUERY},
    [QUERY_TOKEN] = {STR_INIT("X-Amz-Security-Token"), SIGNATURE_NONE},
    [QUERY_PAYLOAD] = {STR_INIT("X-Amz-Content-Sha256"), SIGNATURE_NONE},
    [QUERY_V2_KEY] = {STR_INIT("AWSAccessKeyId"), SIGNATURE_V2_QUERY},
    [QUERY_V2_SIGNATURE] = {STR_INIT("Signature"), SIGNATURE_V2_QUERY},
    [QUERY_V2_EXPIRES] = {STR_INIT("Expires"), SIGNATURE_NONE},
};

typedef struct query_claims {
    str values[QUERY_COUNT]; /* STR_NULL: absent */
    bool v2, v4;
} query_claims;

static status read_query_claims(const http_exchange *x, query_claims *ret_claims, error *err)
{
    query_claims q = {.v2 = false};
    size_t count = 0;
    const uri_pair *pairs = http_request_params(x, &count);

    for (size_t i = 0; i < count; i++) {
        for (size_t n = 0; n < QUERY_COUNT; n++) {
            if (!str_equal_nocase(pairs[i].name, query_names[n].name)) {
                continue;
            }
            if (!str_is_null(q.values[n])) {
                return signature__refuse(err, STATUS_INVALID, "AuthorizationQueryParametersError",
                                         "query parameter \"%.*s\" is given twice",
                                         STR_ARG(query_names[n].name));
            }
            q.values[n] = str_is_null(pairs[i].value) ? STR("") : pairs[i].value;
            q.v4 = q.v4 || query_names[n].shows == SIGNATURE_V4_QUERY;
            q.v2 = q.v2 || query_names[n].shows == SIGNATURE_V2_QUERY;
        }
    }
    *ret_claims = q;
    return STATUS_OK;
}

/* ---- the scope ---- */

/* Name of the error for what is malformed, which depends on the place of the signature. */
static const char *malformed_code(const request_signature *s)
{
    return s->kind == SIGNATURE_V4_HEADER ? "AuthorizationHeaderMalformed"
                                          : "AuthorizationQueryParametersError";
}

/* "key/20130524/us-east-1/s3/aws4_request"; taken from its end, since keys may hold slashes. */
static status read_credential(str text, request_signature *s, error *err)
{
    str parts[4];

    for (size_t i = COUNT_OF(parts); i > 0; i--) {
        size_t slash = str_find_last_char(text, '/');
        if (slash == STR_NPOS) {
            return signature__refuse(err, STATUS_INVALID, malformed_code(s),
                                     "the credential is not <key>/<date>/<region>/<service>/"
                                     "aws4_request");
        }
        parts[i - 1] = str_slice(text, slash + 1, text.size);
        text = str_slice(text, 0, slash);
    }
    if (text.size == 0 || parts[0].size != 8 || parts[2].size == 0 ||
        !str_equal(parts[3], STR("aws4_request"))) {
        return signature__refuse(err, STATUS_INVALID, malformed_code(s),
                                 "the credential is not <key>/<date>/<region>/<service>/"
                                 "aws4_request");
    }
    s->access_key = text;
    s->date = parts[0];
    s->region = parts[1];
    s->service = parts[2];
    return STATUS_OK;
}

static bool lists(str semicolon_list, str name)
{
    for (str rest = semicolon_list; !str_is_null(rest);) {
        if (str_equal_nocase(str_cut(rest, ';', &rest), name)) {
            return true;
        }
    }
    return false;
}

static status check_scope(const http_exchange *x, str time_text, request_signature *s, error *err)
{
    if (!signature__read_time(time_text, &s->signed_at_us)) {
        return signature__refuse(err, STATUS_DENIED, "AccessDenied",
                                 "the request lacks a valid date: \"%.*s\"", STR_ARG(time_text));
    }
    str stamp =
        signature__timestamp(http_exchange_arena((http_exchange *)(uintptr_t)x), s->signed_at_us);
    if (!str_equal(str_slice(stamp, 0, 8), s->date)) {
        return signature__refuse(err, STATUS_INVALID, malformed_code(s),
                                 "the credential's date \"%.*s\" is not the day of the request's "
                                 "date \"%.*s\"",
                                 STR_ARG(s->date), STR_ARG(time_text));
    }
    if (!lists(s->signed_headers, STR("host"))) {
        return signature__refuse(err, STATUS_INVALID, malformed_code(s),
                                 "the signed headers do not include \"host\"");
    }
    return STATUS_OK;
}

/* ---- the forms ---- */

static status read_authorization(str text, request_signature *s, error *err)
{
    str credential = STR_NULL;
    struct {
        str name;
        str *value;
    } fields[] = {{STR_INIT("Credential"), &credential},
                  {STR_INIT("SignedHeaders"), &s->signed_headers},
                  {STR_INIT("Signature"), &s->signature}};

    for (str rest = text; !str_is_null(rest);) {
        str value = STR_NULL;
        str name = str_trim(str_cut(str_cut(rest, ',', &rest), '=', &value));
        size_t at = 0;
        while (at < COUNT_OF(fields) && !str_equal(name, fields[at].name)) {
            at++;
        }
        if (at == COUNT_OF(fields) || str_is_null(value) || !str_is_null(*fields[at].value)) {
            return signature__refuse(err, STATUS_INVALID, "AuthorizationHeaderMalformed",
                                     "the authorization header is malformed at \"%.*s\"",
                                     STR_ARG(name));
        }
        *fields[at].value = str_trim(value);
    }
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (str_is_empty(*fields[i].value)) {
            return signature__refuse(err, STATUS_INVALID, "AuthorizationHeaderMalformed",
                                     "the authorization header lacks \"%.*s\"",
                                     STR_ARG(fields[i].name));
        }
    }
    return read_credential(credential, s, err);
}

static status unknown_authorization(str text, error *err)
{
    if (str_starts_with(text, STR("AWS4-ECDSA-"))) {
        return signature__refuse(err, STATUS_UNSUPPORTED, "NotImplemented",
                                 "ECDSA signatures are not supported");
    }
    if (str_starts_with(text, STR("AWS "))) {
        return signature__refuse(err, STATUS_INVALID, "InvalidRequest",
                                 "signatures of version 2 are not supported in the authorization "
                                 "header; use " SIGNATURE_ALGORITHM);
    }
    return signature__refuse(err, STATUS_INVALID, "InvalidArgument",
                             "the authorization header is of an unsupported type");
}

static status read_v4_header(const http_exchange *x, str text, int64_t now_us, request_signature *s,
                             error *err)
{
    str rest = STR_NULL;
    str time_text = STR_NULL;
    str payload = STR_NULL;

    s->kind = SIGNATURE_V4_HEADER;
    if (!str_equal(str_cut(text, ' ', &rest), STR(SIGNATURE_ALGORITHM))) {
        return unknown_authorization(text, err);
    }
    TRY(read_authorization(rest, s, err));
    TRY(single_header(x, "x-amz-date", &time_text, err));
    if (str_is_null(time_text)) {
        TRY(single_header(x, "date", &time_text, err));
    }
    TRY(check_scope(x, time_text, s, err));
    int64_t off_us = s->signed_at_us > now_us ? s->signed_at_us - now_us : now_us - s->signed_at_us;
    if (off_us > SIGNATURE_SKEW_US) {
        return signature__refuse(err, STATUS_DENIED, "RequestTimeTooSkewed",
                                 "the request's date differs from the server's by more than 15 "
                                 "minutes");
    }
    TRY(single_header(x, "x-amz-security-token", &s->session_token, err));
    TRY(single_header(x, "x-amz-content-sha256", &payload, err));
    if (!str_is_null(payload)) {
        return read_payload(payload, s, err);
    }
    s->payload = PAYLOAD_DIGEST; /* of a body that the caller still has to hash */
    if (str_equal(s->service, STR("s3"))) {
        return signature__refuse(err, STATUS_INVALID, "InvalidRequest",
                                 "the request lacks the header x-amz-content-sha256");
    }
    return STATUS_OK;
}

static status read_v4_query(const http_exchange *x, const query_claims *q, int64_t now_us,
                            request_signature *s, error *err)
{
    str payload = q->values[QUERY_PAYLOAD];
    str token_header = STR_NULL;
    int64_t seconds = 0;

    s->kind = SIGNATURE_V4_QUERY;
    for (size_t i = QUERY_ALGORITHM; i <= QUERY_SIGNATURE; i++) {
        if (str_is_empty(q->values[i])) {
            return signature__refuse(err, STATUS_INVALID, malformed_code(s),
                                     "a signature in the query needs \"%.*s\"",
                                     STR_ARG(query_names[i].name));
        }
    }
    if (str_starts_with(q->values[QUERY_ALGORITHM], STR("AWS4-ECDSA-"))) {
        return unknown_authorization(q->values[QUERY_ALGORITHM], err);
    }
    if (!str_equal(q->values[QUERY_ALGORITHM], STR(SIGNATURE_ALGORITHM))) {
        return signature__refuse(err, STATUS_INVALID, malformed_code(s),
                                 "X-Amz-Algorithm has to be " SIGNATURE_ALGORITHM);
    }
    s->signed_headers = q->values[QUERY_SIGNED_HEADERS];
    s->signature = q->values[QUERY_SIGNATURE];
    s->session_token = q->values[QUERY_TOKEN];
    TRY(read_credential(q->values[QUERY_CREDENTIAL], s, err));
    TRY(check_scope(x, q->values[QUERY_DATE], s, err));
    if (str_to_int64(q->values[QUERY_EXPIRES], &seconds, NULL) != STATUS_OK || seconds < 1 ||
        seconds > SIGNATURE_EXPIRES_MAX_S) {
        return signature__refuse(err, STATUS_DENIED, "AccessDenied",
                                 "X-Amz-Expires is \"%.*s\"; it has to be 1 to 604800 seconds",
                                 STR_ARG(q->values[QUERY_EXPIRES]));
    }
    s->expires_us = s->signed_at_us + seconds * 1000000;
    if (s->signed_at_us > now_us + SIGNATURE_SKEW_US) {
        return signature__refuse(err, STATUS_DENIED, "AccessDenied", "Request is not yet valid");
    }
    if (now_us >= s->expires_us) {
        return signature__refuse(err, STATUS_DENIED, "AccessDenied", "Request has expired");
    }
    TRY(single_header(x, "x-amz-security-token", &token_header, err));
    if (!str_is_null(token_header) && !str_equal(token_header, s->session_token)) {
        return signature__refuse(err, STATUS_INVALID, "InvalidRequest",
                                 "the session tokens of query and header differ");
    }
    if (str_is_null(payload)) {
        TRY(single_header(x, "x-amz-content-sha256", &payload, err));
    }
    TRY(read_payload(str_is_null(payload) ? STR(SIGNATURE_UNSIGNED) : payload, s, err));
    if (needs_a_signature(s->payload)) {
        return signature__refuse(err, STATUS_INVALID, "InvalidRequest",
                                 "a signature in the query does not go with signed chunks");
    }
    return STATUS_OK;
}

/* Requests without a signature of version 4: the body may be framed, but nothing in it signed. */
static status read_plain_payload(const http_exchange *x, request_signature *s, error *err)
{
    str payload = STR_NULL;

    TRY(single_header(x, "x-amz-content-sha256", &payload, err));
    if (str_is_null(payload) &&
        http__list_has(http_request_header(x, "content-encoding"), STR("aws-chunked")) &&
        !str_is_null(http_request_header(x, "x-amz-trailer")) &&
        !str_is_null(http_request_header(x, "x-amz-decoded-content-length"))) {
        payload = payload_modes[1].text; /* what clients without a key send in its place */
    }
    TRY(read_payload(str_is_null(payload) ? STR(SIGNATURE_UNSIGNED) : payload, s, err));
    if (needs_a_signature(s->payload)) {
        return signature__refuse(err, STATUS_DENIED, "AccessDenied",
                                 "signed chunks need a signed request");
    }
    return STATUS_OK;
}

static status read_v2_query(const http_exchange *x, const query_claims *q, int64_t now_us,
                            request_signature *s, error *err)
{
    int64_t seconds = 0;

    s->kind = SIGNATURE_V2_QUERY;
    if (str_is_empty(q->values[QUERY_V2_KEY]) || str_is_empty(q->values[QUERY_V2_SIGNATURE]) ||
        str_to_int64(q->values[QUERY_V2_EXPIRES], &seconds, NULL) != STATUS_OK || seconds < 0 ||
        seconds > INT64_MAX / 1000000) {
        return signature__refuse(err, STATUS_DENIED, "AccessDenied",
                                 "a signature in the query needs AWSAccessKeyId, Signature and "
                                 "Expires");
    }
    s->access_key = q->values[QUERY_V2_KEY];
    s->signature = q->values[QUERY_V2_SIGNATURE];
    s->session_token = q->values[QUERY_TOKEN];
    s->expires_us = seconds * 1000000;
    if (now_us >= s->expires_us) {
        return signature__refuse(err, STATUS_DENIED, "AccessDenied", "Request has expired");
    }
    return read_plain_payload(x, s, err);
}

status signature_read(const http_exchange *x, int64_t now_us, request_signature *ret_signature,
                      error *err)
{
    request_signature s = {.kind = SIGNATURE_NONE};
    query_claims q;
    str authorization = STR_NULL;

    TRY(single_header(x, "authorization", &authorization, err));
    TRY(read_query_claims(x, &q, err));
    if ((!str_is_null(authorization)) + q.v4 + q.v2 > 1) {
        return signature__refuse(err, STATUS_INVALID, "InvalidArgument",
                                 "the request is signed in more than one way");
    }
    if (!str_is_null(authorization)) {
        TRY(read_v4_header(x, authorization, now_us, &s, err));
    } else if (q.v4) {
        TRY(read_v4_query(x, &q, now_us, &s, err));
    } else if (q.v2) {
        TRY(read_v2_query(x, &q, now_us, &s, err));
    } else {
        TRY(read_plain_payload(x, &s, err));
    }
    *ret_signature = s;
    return STATUS_OK;
}

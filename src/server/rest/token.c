/* POST /v1/oauth/tokens: a token for a key, for clients that cannot send a key as it is. RFC 6749 §4.4 (client
 * credentials) and RFC 8693 (token exchange), as far as the Iceberg REST specification has them; errors in OAuth's
 * shape.
 *
 * The client's secret is a bearer key, its id the principal's name, or nothing. A token exchange gives a token for a
 * key or for another token; an actor's token is looked at by nobody, so it is refused. */
#include <inttypes.h>

#include "handlers.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/codec/checksum.h"
#include "tarn/net/uri.h"

#define FORM_BYTES_MAX HTTP_WHOLE_BYTES_MAX /* what is larger would hold a thread */
#define GRANT_CLIENT "client_credentials"
#define GRANT_EXCHANGE "urn:ietf:params:oauth:grant-type:token-exchange"
#define TYPE_ACCESS "urn:ietf:params:oauth:token-type:access_token"

typedef struct token_request {
    uri_pair *pairs;
    size_t count;
} token_request;

typedef enum token_refusal {
    REFUSE_REQUEST,
    REFUSE_CLIENT,
    REFUSE_GRANT,
    REFUSE_GRANT_TYPE,
    REFUSE_TYPE,
    REFUSE_SIZE,
    REFUSE_LENGTH,
    REFUSE_EXPECT
} token_refusal;

static const struct {
    const char *code;
    int status;
} refusals[] = {
    [REFUSE_REQUEST] = {"invalid_request", 400},
    [REFUSE_CLIENT] = {"invalid_client", 401},
    [REFUSE_GRANT] = {"invalid_grant", 400},
    [REFUSE_GRANT_TYPE] = {"unsupported_grant_type", 400},
    [REFUSE_TYPE] = {"invalid_request", 400},
    [REFUSE_SIZE] = {"invalid_request", 413},
    [REFUSE_LENGTH] = {"invalid_request", 411},
    [REFUSE_EXPECT] = {"invalid_request", 417},
};

static status refuse(rest_call *c, token_refusal why, const char *text)
{
    json_writer w = answer_begin(&c->base);

    json_begin_object(&w);
    json_member_c(&w, "error", refusals[why].code);
    json_member_c(&w, "error_description", text);
    json_end_object(&w);
    if (refusals[why].status == 401) {
        http_set_header(c->base.x, "WWW-Authenticate", STR("Basic realm=\"tarn\""));
    }
    http_set_header(c->base.x, "Cache-Control", STR("no-store"));
    http_respond(c->base.x, refusals[why].status, "application/json", buf_str(w.out));
    return STATUS_OK;
}

/* STR_NULL where absent; an empty one counts as absent (RFC 6749 §3.2). */
static str value_of(const token_request *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++) {
        if (str_equal(r->pairs[i].name, str_c(name))) {
            return r->pairs[i].value.size > 0 ? r->pairs[i].value : STR_NULL;
        }
    }
    return STR_NULL;
}

static bool has_doubles(const token_request *r)
{
    for (size_t i = 0; i < r->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (str_equal(r->pairs[i].name, r->pairs[j].name)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- who it is ---- */

/* `name` may be STR_NULL: then the key alone says whose it is. */
static bool enter(rest_call *c, str name, str key, principal *ret_who)
{
    str header =
        str_is_null(name)
            ? str_concat(c->base.a, STR("Bearer "), key)
            : str_concat(c->base.a, STR("Basic "),
                         base64_encode(c->base.a, str_printf(c->base.a, "%.*s:%.*s", STR_ARG(name),
                                                             STR_ARG(key))));

    return access_authenticate(c->base.app->access, header, c->base.a, ret_who, NULL) ==
               STATUS_OK &&
           ret_who->role != ROLE_NOBODY;
}

/* Id and secret of a Basic header, each of them form-encoded (RFC 6749 §2.3.1). */
static bool read_basic(rest_call *c, str header, str *ret_id, str *ret_secret)
{
    str encoded;
    str decoded;
    str secret;

    (void)str_cut(header, ' ', &encoded);
    if (base64_decode(c->base.a, str_trim(encoded), &decoded, NULL) != STATUS_OK) {
        return false;
    }
    str id = str_cut(decoded, ':', &secret);
    if (str_is_null(secret) || uri_decode_form(c->base.a, id, ret_id, NULL) != STATUS_OK ||
        uri_decode_form(c->base.a, secret, ret_secret, NULL) != STATUS_OK) {
        return false;
    }
    *ret_id = ret_id->size > 0 ? *ret_id : STR_NULL;
    return true;
}

/* A client whose token has ended exchanges it with its key in the header: the new one is for that key. */
static bool enter_basic(rest_call *c, principal *ret_who)
{
    str header = http_request_header(c->base.x, "Authorization");
    str id;
    str secret;

    return str_starts_with_nocase(header, STR("Basic ")) && read_basic(c, header, &id, &secret) &&
           enter(c, id, secret, ret_who);
}

/* ---- the answer ---- */

/* A token may what its key may: the words that clients ask for that with. */
static const char *const scopes[] = {"catalog", "PRINCIPAL_ROLE:ALL"};

/* What is granted of what was asked (RFC 6749 §3.3, §5.1): words that nobody knows give nothing. */
static str granted(arena *a, str asked)
{
    str given = STR("");

    while (asked.size > 0) {
        str rest;
        str word = str_cut(asked, ' ', &rest);

        for (size_t i = 0; i < COUNT_OF(scopes); i++) {
            if (str_equal(word, str_c(scopes[i]))) {
                given = given.size > 0 ? str_printf(a, "%.*s %.*s", STR_ARG(given), STR_ARG(word))
                                       : word;
            }
        }
        asked = str_is_null(rest) ? STR("") : rest;
    }
    return given.size > 0 ? given : str_c(scopes[0]);
}

static status answer(rest_call *c, const principal *who, str scope, bool exchanged, error *err)
{
    str token;
    int64_t expires_us;

    if (access_create_token(c->base.app->access, who, c->base.a, &token, &expires_us, NULL) !=
        STATUS_OK) {
        return refuse(c, exchanged ? REFUSE_GRANT : REFUSE_CLIENT, "the key is unknown or expired");
    }
    json_writer w = answer_begin(&c->base);
    json_begin_object(&w);
    json_member_str(&w, "access_token", token);
    json_member_c(&w, "token_type", "bearer");
    json_member_int(&w, "expires_in", (expires_us - clock_now_us()) / 1000000);
    json_member_c(&w, "issued_token_type", TYPE_ACCESS);
    if (scope.size > 0) {
        json_member_str(&w, "scope", granted(c->base.a, scope));
    }
    json_end_object(&w);
    http_set_header(c->base.x, "Cache-Control", STR("no-store"));
    http_set_header(c->base.x, "Pragma", STR("no-cache"));
    return answer_send(&c->base, 200, &w, err);
}

static status by_client(rest_call *c, const token_request *r, error *err)
{
    str header = http_request_header(c->base.x, "Authorization");
    bool basic = str_starts_with_nocase(header, STR("Basic "));
    str id = value_of(r, "client_id");
    str secret = value_of(r, "client_secret");
    principal who;

    if (basic && !str_is_null(secret)) {
        return refuse(c, REFUSE_REQUEST, "the client's secret is given twice");
    }
    if (basic && !read_basic(c, header, &id, &secret)) {
        return refuse(c, REFUSE_CLIENT, "the Authorization header cannot be read");
    }
    if (str_is_null(secret) || !enter(c, id, secret, &who)) {
        return refuse(c, REFUSE_CLIENT, "the client's id or secret is not right");
    }
    return answer(c, &who, value_of(r, "scope"), false, err);
}

static status by_exchange(rest_call *c, const token_request *r, error *err)
{
    str token = value_of(r, "subject_token");
    str type = value_of(r, "subject_token_type");
    str wanted = value_of(r, "requested_token_type");
    principal who;

    if (str_is_null(token) || str_is_null(type)) {
        return refuse(c, REFUSE_REQUEST, "subject_token and subject_token_type are needed");
    }
    if (!str_equal(type, STR(TYPE_ACCESS)) ||
        (!str_is_null(wanted) && !str_equal(wanted, STR(TYPE_ACCESS)))) {
        return refuse(c, REFUSE_TYPE, "tokens are of type " TYPE_ACCESS);
    }
    if (!str_is_null(value_of(r, "actor_token"))) {
        return refuse(c, REFUSE_REQUEST, "nobody acts for another here");
    }
    if (!enter(c, STR_NULL, token, &who) && !enter_basic(c, &who)) {
        return refuse(c, REFUSE_GRANT, "the subject's token is unknown or expired");
    }
    return answer(c, &who, value_of(r, "scope"), true, err);
}

static bool is_form(const rest_call *c)
{
    str type = http_request_header(c->base.x, "Content-Type");
    str ignored;

    return str_equal_nocase(str_trim(str_cut(type, ';', &ignored)),
                            STR("application/x-www-form-urlencoded"));
}

/* Whoever asks here may be anybody: a thread is not given to a form that is still to come. The loop has waited for it
 * (server__wants_whole), where it can. */
static status read_form(rest_call *c, str *ret_body, bool *ret_refused, error *err)
{
    http_exchange *x = c->base.x;
    int64_t size = http_body_size(x);

    *ret_refused = true;
    if (size < 0) {
        return refuse(c, REFUSE_LENGTH, "the form needs a Content-Length");
    }
    if (size > FORM_BYTES_MAX) {
        return refuse(c, REFUSE_SIZE, "the form is too large");
    }
    if (!str_is_null(http_request_header(x, "Expect"))) {
        return refuse(c, REFUSE_EXPECT, "the form has to come with the request");
    }
    *ret_refused = false;
    return http_body_read_all(x, FORM_BYTES_MAX, ret_body, err);
}

status rest__token_post(rest_call *c, error *err)
{
    token_request r = {0};
    bool refused = false;
    str body;

    if (!is_form(c)) {
        return refuse(c, REFUSE_REQUEST, "the body is no application/x-www-form-urlencoded");
    }
    TRY(read_form(c, &body, &refused, err));
    if (refused) {
        return STATUS_OK;
    }
    if (uri_parse_query(c->base.a, body, &r.pairs, &r.count, NULL) != STATUS_OK ||
        has_doubles(&r)) {
        return refuse(c, REFUSE_REQUEST, "the form is malformed, or a parameter is there twice");
    }
    str grant = value_of(&r, "grant_type");
    if (str_is_null(grant)) {
        return refuse(c, REFUSE_REQUEST, "grant_type is needed");
    }
    if (str_equal(grant, STR(GRANT_CLIENT))) {
        return by_client(c, &r, err);
    }
    if (str_equal(grant, STR(GRANT_EXCHANGE))) {
        return by_exchange(c, &r, err);
    }
    return refuse(c, REFUSE_GRANT_TYPE, "grant types are client_credentials and token-exchange");
}

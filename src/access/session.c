/* Session credentials. Nothing of a session is stored: its token holds secret, policy, times and whose it is, sealed
 * under a key derived from the master key. Stored is, per principal, since when sessions count (revocation).
 *
 * A session counts while: the token opens and names the access key that came with it; its time is not over; its
 * principal is there; it was made after the principal's sessions were last revoked; the key pair it was made with is
 * there. */
#include "internal.h"
#include "tarn/base/buf.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/codec/checksum.h"
#include "tarn/codec/json.h"

#define TOKEN_LABEL "tarn s3 session 1"
#define TOKEN_BYTES_MAX (16 * LIMIT_KIB)
#define DURATION_S_MAX 43200

/* What a token holds. */
typedef struct session {
    str access_key, secret;
    str principal; /* id */
    str maker;     /* the access key that it was made with; empty: the server itself */
    str arn;
    str policy; /* empty: none */
    int64_t issued_us, expires_us;
} session;

/*  member  in the struct */
#define SESSION_TEXTS(X) \
    X("k", access_key)   \
    X("s", secret)       \
    X("p", principal)    \
    X("m", maker)        \
    X("a", arn)          \
    X("d", policy)
#define SESSION_NUMBERS(X) \
    X("i", issued_us)      \
    X("e", expires_us)

static const json_field session_fields[] = {
#define X(key, member) {key, JSON_STR, JSON_REQUIRED, offsetof(session, member)},
    SESSION_TEXTS(X)
#undef X
#define X(key, member) {key, JSON_INT64, JSON_REQUIRED, offsetof(session, member)},
        SESSION_NUMBERS(X)
#undef X
};

static status seal_token(const access_control *ac, const session *s, arena *a, str *ret_token,
                         error *err)
{
    buf *out = buf_in(a, TOKEN_BYTES_MAX);
    json_writer w;
    str sealed;

    json_writer_init(&w, out);
    json_begin_object(&w);
#define X(key, member) json_member_str(&w, key, s->member);
    SESSION_TEXTS(X)
#undef X
#define X(key, member) json_member_int(&w, key, s->member);
    SESSION_NUMBERS(X)
#undef X
    json_end_object(&w);
    TRY(buf_check(out, "session token", err));
    TRY(access__seal(ac->sessions_key, STR(TOKEN_LABEL), buf_str(out), a, &sealed, err));
    *ret_token = base64_encode(a, sealed);
    return STATUS_OK;
}

status access__refuse_token(error *err)
{
    (void)error_set(err, STATUS_INVALID, "the security token is malformed, or another key's");
    error_set_s3_code(err, "InvalidToken");
    return STATUS_INVALID;
}

status access__refuse_expired(error *err)
{
    (void)error_set(err, STATUS_INVALID, "the session has ended");
    error_set_s3_code(err, "ExpiredToken");
    return STATUS_INVALID;
}

static status open_token(const access_control *ac, str token, arena *a, session *ret_session,
                         error *err)
{
    str sealed;
    str plain;
    const json *object;

    if (token.size > TOKEN_BYTES_MAX * 2 || base64_decode(a, token, &sealed, NULL) != STATUS_OK ||
        access__unseal(ac->sessions_key, STR(TOKEN_LABEL), sealed, a, &plain, NULL) != STATUS_OK ||
        json_parse(plain, a, &object, NULL) != STATUS_OK ||
        json_read(object, session_fields, COUNT_OF(session_fields), ret_session, NULL) !=
            STATUS_OK) {
        return access__refuse_token(err);
    }
    return STATUS_OK;
}

static bool maker_is_there(const access_control *ac, const session *s, const account *owner)
{
    const key_pair *maker;

    if (str_is_empty(s->maker)) {
        return true;
    }
    maker = map_get(ac->now.key_pairs, s->maker);
    return maker != NULL && maker->owner == owner && clock_now_us() < maker->expires_us &&
           s->issued_us >= maker->sessions_from_us;
}

status access__find_session(access_control *ac, str access_key, str token, arena *a,
                            s3_identity *ret_identity, error *err)
{
    session s = {0};
    s3_identity who;
    const account *owner;

    if (str_is_null(token)) {
        return access__refuse_token(err);
    }
    TRY(open_token(ac, token, a, &s, err));
    owner = map_get(ac->now.accounts, s.principal);
    if (!str_equal(s.access_key, access_key)) {
        return access__refuse_token(err);
    }
    if (owner == NULL || clock_now_us() >= s.expires_us || s.issued_us < owner->sessions_from_us ||
        !maker_is_there(ac, &s, owner)) {
        return access__refuse_expired(err);
    }
    who = access__identity(owner, a);
    who.access_key = s.access_key;
    who.secret = s.secret;
    who.arn = s.arn;
    who.is_session = true;
    who.expires_us = s.expires_us;
    if (!str_is_empty(s.policy) && policy_parse(s.policy, POLICY_OF_SESSION, STR(""), a,
                                                &who.session_policy, NULL) != STATUS_OK) {
        return access__refuse_token(err);
    }
    *ret_identity = who;
    return STATUS_OK;
}

static status check_request(const s3_session_request *request, arena *a, error *err)
{
    const policy *checked;

    if (str_is_empty(request->from->canonical_id) || request->from->is_session) {
        (void)error_set(err, STATUS_DENIED, "session credentials are made with a key pair alone");
        error_set_s3_code(err, "AccessDenied");
        return STATUS_DENIED;
    }
    if (request->duration_s <= 0 || request->duration_s > DURATION_S_MAX) {
        return error_set(err, STATUS_INVALID, "a session lasts 1 to %d seconds", DURATION_S_MAX);
    }
    if (str_is_empty(request->policy_text)) {
        return STATUS_OK;
    }
    return policy_parse(request->policy_text, POLICY_OF_SESSION, STR(""), a, &checked, err);
}

status access_create_s3_session(access_control *ac, const s3_session_request *request, arena *a,
                                s3_session *ret_session, error *err)
{
    session s = {
        .access_key = access__new_s3_key(STR(ACCESS_S3_SESSION_PREFIX), a),
        .secret = access__new_s3_secret(a),
        .principal = request->from->who.id,
        .maker = request->from->access_key,
        .arn = request->from->arn,
        .policy = request->policy_text,
        .issued_us = clock_now_us(),
    };
    str token;

    TRY(check_request(request, a, err));
    s.expires_us = s.issued_us + request->duration_s * 1000000;
    if (!str_is_empty(request->session_name)) {
        s.arn = str_printf(a, "arn:aws:sts::%.*s:assumed-role/%.*s/%.*s",
                           STR_ARG(request->from->canonical_id), STR_ARG(request->role),
                           STR_ARG(request->session_name));
    }
    TRY(seal_token(ac, &s, a, &token, err));
    *ret_session = (s3_session){
        .access_key = s.access_key,
        .secret = s.secret,
        .token = token,
        .arn = s.arn,
        .expires_us = s.expires_us,
    };
    return STATUS_OK;
}

/* --- revocation --- */

typedef struct revocation {
    str name;
    int64_t from_us;
} revocation;

static status revoke(void *context, state_txn *txn, error *err)
{
    const revocation *r = context;
    str id;

    TRY(access__principal_id(txn, r->name, &id, err));
    return STATE_EXEC(txn, "UPDATE principals SET sessions_from_us = ?1 WHERE id = ?2", NULL, err,
                      SV_INT(r->from_us), SV_TEXT(id));
}

status access_revoke_s3_sessions(access_control *ac, str name, error *err)
{
    /* Those made in this very microsecond are ended, too. */
    revocation r = {.name = name, .from_us = clock_now_us() + 1};

    TRY(state_submit(ac->state, revoke, &r, err));
    return access__reload(ac, err);
}

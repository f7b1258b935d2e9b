/* Vended sessions: credentials for a table's files, which the catalog hands out with the table. As with other sessions
 * nothing is stored: the token holds secret, whose it is, times and scopes, sealed under a key of its own, so that no
 * other session's token can pass for one, nor the other way round.
 *
 * One is made for each load of a table and opened for each request to S3, so its form is plain: fields ended by NUL,
 * which is in none of them. */
#include <inttypes.h>

#include "internal.h"
#include "tarn/base/buf.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/codec/checksum.h"

#define TOKEN_LABEL "tarn vended session 2"
#define TOKEN_BYTES_MAX (16 * LIMIT_KIB)

typedef struct vended_session {
    str access_key, secret;
    str principal; /* id */
    str key;       /* id of the bearer key that the principal came with */
    int64_t issued_us, expires_us;
    str subject;
    int64_t ended_us; /* the subject's last end when it was made */
    s3_scope *scopes;
    size_t scope_count;
} vended_session;

/* --- its form --- */

static void add_field(buf *out, str text)
{
    buf_add_str(out, text);
    buf_add_char(out, '\0');
}

static void add_number(buf *out, int64_t number)
{
    buf_printf(out, "%" PRId64, number);
    buf_add_char(out, '\0');
}

static void write_plain(const vended_session *s, buf *out)
{
    add_field(out, s->access_key);
    add_field(out, s->secret);
    add_field(out, s->principal);
    add_field(out, s->key);
    add_number(out, s->issued_us);
    add_number(out, s->expires_us);
    add_field(out, s->subject);
    add_number(out, s->ended_us);
    for (size_t i = 0; i < s->scope_count; i++) {
        buf_add_char(out, s->scopes[i].write ? 'w' : 'r');
        buf_add_char(out, s->scopes[i].lists_bare ? 'b' : '-');
        add_field(out, s->scopes[i].bucket);
        add_field(out, s->scopes[i].prefix);
    }
}

/* Fields come off the front; false where there is none. */
static bool take(str *rest, str *ret_field)
{
    if (str_is_empty(*rest)) {
        return false;
    }
    *ret_field = str_cut(*rest, '\0', rest);
    return true;
}

static bool take_number(str *rest, int64_t *ret_number)
{
    str text;

    return take(rest, &text) && str_to_int64(text, ret_number, NULL) == STATUS_OK;
}

static bool take_scope(str *rest, s3_scope *ret_scope)
{
    str head;
    str prefix;

    if (!take(rest, &head) || head.size < 3 || !take(rest, &prefix)) {
        return false;
    }
    *ret_scope = (s3_scope){.bucket = str_slice(head, 2, head.size),
                            .prefix = prefix,
                            .write = head.data[0] == 'w',
                            .lists_bare = head.data[1] == 'b'};
    return true;
}

static bool read_plain(str plain, arena *a, vended_session *ret_session)
{
    vended_session s = {0};
    str rest = plain;

    if (!take(&rest, &s.access_key) || !take(&rest, &s.secret) || !take(&rest, &s.principal) ||
        !take(&rest, &s.key) || !take_number(&rest, &s.issued_us) ||
        !take_number(&rest, &s.expires_us) || !take(&rest, &s.subject) ||
        !take_number(&rest, &s.ended_us)) {
        return false;
    }
    s.scopes = ARENA_ARRAY(a, s3_scope, ACCESS_SCOPES_MAX);
    while (!str_is_empty(rest)) {
        if (s.scope_count == ACCESS_SCOPES_MAX || !take_scope(&rest, &s.scopes[s.scope_count])) {
            return false;
        }
        s.scope_count++;
    }
    *ret_session = s;
    return true;
}

/* --- making one --- */

static bool is_plain(str text)
{
    return !str_is_empty(text) && str_find_char(text, '\0') == STR_NPOS;
}

static status check_vending(const s3_vending *v, error *err)
{
    if (v->duration_s <= 0 || v->duration_s > ACCESS_VENDED_S_MAX) {
        return error_set(err, STATUS_INVALID, "a session lasts 1 to %d seconds",
                         ACCESS_VENDED_S_MAX);
    }
    if (str_find_char(v->subject, '\0') != STR_NPOS) {
        return error_set(err, STATUS_INVALID, "the subject of a session has a NUL");
    }
    if (v->scope_count == 0 || v->scope_count > ACCESS_SCOPES_MAX) {
        return error_set(err, STATUS_INVALID, "a vended session has 1 to %d scopes",
                         ACCESS_SCOPES_MAX);
    }
    for (size_t i = 0; i < v->scope_count; i++) {
        if (!is_plain(v->scopes[i].bucket) || !is_plain(v->scopes[i].prefix) ||
            !str_ends_with(v->scopes[i].prefix, STR("/"))) {
            return error_set(err, STATUS_INVALID, "a scope is a bucket and a folder in it");
        }
    }
    return STATUS_OK;
}

static str arn_of(const account *owner, str canonical_id, arena *a)
{
    return str_printf(a, "arn:aws:sts::%.*s:assumed-role/catalog/%.*s", STR_ARG(canonical_id),
                      STR_ARG(owner->who.name));
}

/* An account that never had an S3 key has the id that its first one will get. */
static str canonical_of(const account *owner, arena *a)
{
    return str_is_empty(owner->canonical_id) ? access__first_s3_key(owner->who.id, a)
                                             : owner->canonical_id;
}

static status describe(access_control *ac, const principal *who, arena *a, vended_session *s,
                       str *ret_arn, error *err)
{
    const account *owner;

    mutex_lock(&ac->lock);
    owner = map_get(ac->now.accounts, who->id);
    if (owner != NULL) {
        *ret_arn = arn_of(owner, canonical_of(owner, a), a);
    }
    mutex_unlock(&ac->lock);
    if (owner == NULL && ac->mode == ACCESS_OPEN) {
        *ret_arn = STR("");
        return STATUS_OK; /* nobody looks at it there, and it opens nothing elsewhere: it names no key */
    }
    if (owner == NULL || str_is_empty(who->key)) {
        return error_set(err, STATUS_DENIED,
                         "session credentials are made for who came with a key");
    }
    s->principal = who->id;
    s->key = who->key;
    return STATUS_OK;
}

status access_vend_s3(access_control *ac, const s3_vending *vending, arena *a,
                      s3_session *ret_session, error *err)
{
    vended_session s = {
        .access_key = access__new_s3_key(STR(ACCESS_S3_VENDED_PREFIX), a),
        .secret = access__new_s3_secret(a),
        .issued_us = clock_now_us(),
        .subject = str_is_null(vending->subject) ? STR("") : vending->subject,
        .ended_us = vending->ended_us,
        .scopes = (s3_scope *)(uintptr_t)vending->scopes,
        .scope_count = vending->scope_count,
    };
    str arn;
    str sealed;
    buf *plain = buf_in(a, TOKEN_BYTES_MAX);

    TRY(check_vending(vending, err));
    TRY(describe(ac, vending->who, a, &s, &arn, err));
    s.expires_us = s.issued_us + vending->duration_s * 1000000;
    write_plain(&s, plain);
    TRY(buf_check(plain, "session token", err));
    TRY(access__seal(ac->vended_key, STR(TOKEN_LABEL), buf_str(plain), a, &sealed, err));
    *ret_session = (s3_session){
        .access_key = s.access_key,
        .secret = s.secret,
        .token = base64_encode(a, sealed),
        .arn = arn,
        .expires_us = s.expires_us,
    };
    return STATUS_OK;
}

/* --- from a request to who it is --- */

static bool open_token(const access_control *ac, str token, arena *a, vended_session *ret_session)
{
    str sealed;
    str plain;

    return token.size <= TOKEN_BYTES_MAX * 2 &&
           base64_decode(a, token, &sealed, NULL) == STATUS_OK &&
           access__unseal(ac->vended_key, STR(TOKEN_LABEL), sealed, a, &plain, NULL) == STATUS_OK &&
           read_plain(plain, a, ret_session);
}

/* The lock is held. */
static bool is_good(const access_control *ac, const vended_session *s)
{
    return clock_now_us() < s->expires_us &&
           access__live_key(ac, s->key, s->principal, s->issued_us) != NULL;
}

/* What ended with its table reads what the table left, and changes nothing. */
static status narrow_ended(access_control *ac, vended_session *s, error *err)
{
    if (access__vended_goes_on(ac, s->subject, s->ended_us)) {
        return STATUS_OK;
    }
    if (ac->is_taken == NULL ||
        ac->is_taken(ac->is_taken_context, s->subject, s->scopes, s->scope_count)) {
        (void)error_set(err, STATUS_DENIED, "the table that the keys came with was dropped");
        error_set_s3_code(err, "AccessDenied");
        return STATUS_DENIED;
    }
    for (size_t i = 0; i < s->scope_count; i++) {
        s->scopes[i].write = false;
    }
    return STATUS_OK;
}

status access__find_vended(access_control *ac, str access_key, str token, arena *a,
                           s3_identity *ret_identity, error *err)
{
    vended_session s = {0};
    bool good;

    if (str_is_null(token) || !open_token(ac, token, a, &s) ||
        !str_equal(s.access_key, access_key)) {
        return access__refuse_token(err);
    }
    mutex_lock(&ac->lock);
    good = is_good(ac, &s);
    if (good) {
        const account *owner = map_get(ac->now.accounts, s.principal);

        *ret_identity = access__identity(owner, a);
        ret_identity->canonical_id = str_copy(a, canonical_of(owner, a));
        ret_identity->arn = arn_of(owner, ret_identity->canonical_id, a);
    }
    mutex_unlock(&ac->lock);
    if (!good) {
        return access__refuse_expired(err);
    }
    TRY(narrow_ended(ac, &s, err));
    ret_identity->access_key = s.access_key;
    ret_identity->secret = s.secret;
    ret_identity->scopes = s.scopes;
    ret_identity->scope_count = s.scope_count;
    ret_identity->is_session = true;
    ret_identity->expires_us = s.expires_us;
    return STATUS_OK;
}

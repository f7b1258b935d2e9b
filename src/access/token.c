/* Bearer tokens: what stands for a key for a while, for clients that speak OAuth 2. Nothing is stored, and nothing in
 * it is secret: the key's id, the principal's, the times, and a mac under a key derived from the master key. Whoever
 * shows one is let in while the key that it stands for is there. */
#include <inttypes.h>

#include "internal.h"
#include "tarn/base/clock.h"
#include "tarn/codec/checksum.h"

#define TOKEN_PREFIX "tarntoken_"
#define TOKEN_SIZE_MAX 512
#define MAC_BYTES 32

/* "prefix KEY.PRINCIPAL.ISSUED.EXPIRES.MAC"; the mac is of what stands before its dot. ISSUED is the time of the first
 * of a line of tokens, each made for the one before. */
typedef struct token {
    str key, principal;
    int64_t issued_us, expires_us;
} token;

bool access__is_token(str text)
{
    return str_starts_with(text, STR(TOKEN_PREFIX));
}

static str mac_of(const access_control *ac, str text, arena *a)
{
    uint8_t mac[MAC_BYTES];

    hmac_sha256(str_from((const char *)ac->tokens_key, sizeof(ac->tokens_key)), text, mac);
    return base64url_encode(a, str_from((const char *)mac, sizeof(mac)));
}

status access_create_token(access_control *ac, const principal *who, arena *a, str *ret_token,
                           int64_t *ret_expires_us, error *err)
{
    int64_t now_us = clock_now_us();
    int64_t login_us = who->login_us != 0 ? who->login_us : now_us;
    int64_t login_ends_us = login_us + (int64_t)ACCESS_LOGIN_S * 1000000;
    int64_t expires_us = now_us + (int64_t)ACCESS_TOKEN_S * 1000000;
    const credential *key;
    str text;

    expires_us = expires_us < login_ends_us ? expires_us : login_ends_us;
    mutex_lock(&ac->lock);
    key = str_is_empty(who->key) ? NULL : access__live_key(ac, who->key, who->id, now_us);
    if (key != NULL && key->expires_us < expires_us) {
        expires_us = key->expires_us;
    }
    mutex_unlock(&ac->lock);
    if (key == NULL && ac->mode != ACCESS_OPEN) {
        return error_set(err, STATUS_DENIED, "a token is made for who came with a key");
    }
    text = str_printf(a, TOKEN_PREFIX "%.*s.%.*s.%" PRId64 ".%" PRId64, STR_ARG(who->key),
                      STR_ARG(who->id), login_us, expires_us);
    *ret_token = str_printf(a, "%.*s.%.*s", STR_ARG(text), STR_ARG(mac_of(ac, text, a)));
    *ret_expires_us = expires_us;
    return STATUS_OK;
}

static bool open_token(const access_control *ac, str text, arena *a, token *ret_token)
{
    size_t dot = str_find_last_char(text, '.');
    str rest;
    str expected;
    str issued;
    str expires;
    token t;

    if (text.size > TOKEN_SIZE_MAX || dot == STR_NPOS) {
        return false;
    }
    expected = mac_of(ac, str_slice(text, 0, dot), a);
    rest = str_slice(text, dot + 1, text.size);
    if (rest.size != expected.size ||
        !bytes_equal_constant_time(rest.data, expected.data, expected.size)) {
        return false;
    }
    rest = str_slice(text, sizeof(TOKEN_PREFIX) - 1, dot);
    t.key = str_cut(rest, '.', &rest);
    t.principal = str_cut(rest, '.', &rest);
    issued = str_cut(rest, '.', &rest);
    expires = str_cut(rest, '.', &rest);
    if (str_to_int64(issued, &t.issued_us, NULL) != STATUS_OK ||
        str_to_int64(expires, &t.expires_us, NULL) != STATUS_OK) {
        return false;
    }
    *ret_token = t;
    return true;
}

status access__find_token(access_control *ac, str name, str text, arena *a,
                          principal *ret_principal, error *err)
{
    token t;
    const credential *key = NULL;

    if (open_token(ac, text, a, &t) && clock_now_us() < t.expires_us) {
        mutex_lock(&ac->lock);
        key = access__live_key(ac, t.key, t.principal, t.issued_us);
        if (key != NULL && !str_is_null(name) && !str_equal(name, key->who.name)) {
            key = NULL;
        }
        if (key != NULL) {
            *ret_principal = (principal){.id = str_copy(a, key->who.id),
                                         .name = str_copy(a, key->who.name),
                                         .role = key->who.role,
                                         .key = str_copy(a, key->who.key),
                                         .login_us = t.issued_us};
        }
        mutex_unlock(&ac->lock);
    }
    if (key == NULL) {
        (void)error_set(err, STATUS_UNAUTHORIZED, "the token is unknown or expired");
        error_hint(err, "Ask for a new one with the key that it was made for.");
        return STATUS_UNAUTHORIZED;
    }
    return STATUS_OK;
}

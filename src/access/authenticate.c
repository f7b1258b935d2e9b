/* Who somebody is: from the Authorization header to a principal. Keys are compared by their
 * SHA-256, which a caller cannot steer, and in constant time. */
#include "internal.h"
#include "tarn/base/clock.h"
#include "tarn/base/rng.h"
#include "tarn/codec/checksum.h"

#define KEY_PREFIX "tarn_"
#define KEY_RANDOM_BYTES 32
#define KEY_TEXT_SIZE 43 /* base64url of 32 bytes */
#define HEADER_SIZE_MAX 1024

str access__new_key(arena *a)
{
    uint8_t random[KEY_RANDOM_BYTES];
    str text;

    random_bytes(random, sizeof(random));
    text = base64url_encode(a, str_from((const char *)random, sizeof(random)));
    mem_wipe(random, sizeof(random));
    return str_concat(a, STR(KEY_PREFIX), text);
}

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool access__is_key(str text)
{
    if (!str_starts_with(text, STR(KEY_PREFIX)) ||
        text.size != sizeof(KEY_PREFIX) - 1 + KEY_TEXT_SIZE) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (!is_key_char(text.data[i])) {
            return false;
        }
    }
    return true;
}

void access__hash_key(str key, uint8_t ret_hash[ACCESS_HASH_SIZE])
{
    digest(DIGEST_SHA256, key, ret_hash);
}

static status refuse(error *err)
{
    (void)error_set(err, STATUS_UNAUTHORIZED, "the key is unknown or expired");
    error_hint(err, "The key of root is in secrets/root.key of the data directory.");
    return STATUS_UNAUTHORIZED;
}

/* `name` is STR_NULL where the scheme carries none. */
static status find_key(access_control *ac, str name, str key, arena *a, principal *ret_principal,
                       error *err)
{
    uint8_t hash[ACCESS_HASH_SIZE];
    const credential *found;
    bool known;

    if (access__is_token(key)) {
        return access__find_token(ac, name, key, a, ret_principal, err);
    }
    access__hash_key(key, hash);
    mutex_lock(&ac->lock);
    found = map_get(ac->now.credentials, str_from((const char *)hash, sizeof(hash)));
    known = found != NULL && bytes_equal_constant_time(found->hash, hash, sizeof(hash)) &&
            clock_now_us() < found->expires_us &&
            (str_is_null(name) || str_equal(name, found->who.name));
    if (known) {
        *ret_principal = found->who;
        ret_principal->id = str_copy(a, found->who.id);
        ret_principal->name = str_copy(a, found->who.name);
        ret_principal->key = str_copy(a, found->who.key);
    }
    mutex_unlock(&ac->lock);
    return known ? STATUS_OK : refuse(err);
}

/* "user:key" in base64; the user's name has no colon. */
static status find_basic(access_control *ac, str encoded, arena *a, principal *ret_principal,
                         error *err)
{
    str decoded;
    str name;
    str key;

    if (base64_decode(a, encoded, &decoded, NULL) != STATUS_OK) {
        return error_set(err, STATUS_UNAUTHORIZED, "the Authorization header is not valid base64");
    }
    name = str_cut(decoded, ':', &key);
    if (str_is_null(key)) {
        return error_set(err, STATUS_UNAUTHORIZED,
                         "the Authorization header has no colon between user and key");
    }
    return find_key(ac, name, key, a, ret_principal, err);
}

status access_authenticate(access_control *ac, str authorization, arena *a,
                           principal *ret_principal, error *err)
{
    str credentials;
    str scheme;

    if (ac->mode == ACCESS_OPEN) {
        *ret_principal = (principal){.id = STR(""), .name = STR("root"), .role = ROLE_ROOT};
        return STATUS_OK;
    }
    if (str_is_null(authorization)) {
        *ret_principal = (principal){.id = STR(""), .name = STR("nobody"), .role = ROLE_NOBODY};
        return STATUS_OK;
    }
    if (authorization.size > HEADER_SIZE_MAX) {
        return error_set(err, STATUS_UNAUTHORIZED,
                         "the Authorization header is longer than %d bytes", HEADER_SIZE_MAX);
    }
    scheme = str_cut(str_trim(authorization), ' ', &credentials);
    credentials = str_trim(credentials);
    if (str_equal_nocase(scheme, STR("Bearer"))) {
        return find_key(ac, STR_NULL, credentials, a, ret_principal, err);
    }
    if (str_equal_nocase(scheme, STR("Basic"))) {
        return find_basic(ac, credentials, a, ret_principal, err);
    }
    (void)error_set(err, STATUS_UNAUTHORIZED, "authorization scheme \"%.*s\" is not known",
                    (int)(scheme.size < 32 ? scheme.size : 32), scheme.data);
    error_hint(err, "Bearer and Basic are.");
    return STATUS_UNAUTHORIZED;
}

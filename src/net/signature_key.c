/* Keys derived from secrets, and a cache of them: deriving costs four HMACs, and a client's key is the same for a day.
 *
 * The cache has a fixed number of places. A place knows its key by a digest of everything it was derived from, the
 * secret included, so that a secret that was changed finds nothing, and no secret is kept. */
#include "signature_core.h"
#include "tarn/base/mem.h"
#include "tarn/base/thread.h"
#include "tarn/codec/checksum.h"

enum { PLACES = 1024, LOCKS = 16, SOURCE_BYTES = 512 };

typedef struct place {
    uint8_t source[DIGEST_SIZE_MAX];
    uint8_t key[SIGNATURE_KEY_BYTES];
    bool used;
} place;

static place places[PLACES];
static mutex locks[LOCKS];

/* Before main, so that no request has to ask whether it was done. */
__attribute__((constructor)) static void locks_init(void)
{
    for (size_t i = 0; i < LOCKS; i++) {
        mutex_init(&locks[i]);
    }
}

static void derive(str secret, str date, str region, str service, uint8_t ret_key[32])
{
    static const char prefix[] = "AWS4";
    arena *a = arena_create();
    str first = str_concat(a, STR(prefix), secret);
    str steps[] = {date, region, service, STR("aws4_request")};
    uint8_t mac[32];

    hmac_sha256(first, steps[0], mac);
    for (size_t i = 1; i < COUNT_OF(steps); i++) {
        uint8_t next[32];
        hmac_sha256(str_from((const char *)mac, sizeof mac), steps[i], next);
        memcpy(mac, next, sizeof mac);
    }
    memcpy(ret_key, mac, sizeof mac);
    mem_wipe(mac, sizeof mac);
    mem_wipe((void *)(uintptr_t)first.data, first.size);
    arena_free(a);
}

/* Sizes go in, too, so that no two lists of parts are one text. */
static void source_of(const str *parts, size_t count, uint8_t ret_digest[DIGEST_SIZE_MAX])
{
    size_t size = 0;
    char room[SOURCE_BYTES];

    for (size_t i = 0; i < count; i++) {
        size += sizeof(uint64_t) + parts[i].size;
    }
    char *text = size <= sizeof room ? room : mem_alloc(size);
    char *at = text;
    for (size_t i = 0; i < count; i++) {
        uint64_t part_size = parts[i].size;
        memcpy(at, &part_size, sizeof part_size);
        at += sizeof part_size;
        if (parts[i].size > 0) {
            memcpy(at, parts[i].data, parts[i].size);
        }
        at += parts[i].size;
    }
    digest(DIGEST_SHA256, str_from(text, size), ret_digest);
    mem_wipe(text, size);
    if (text != room) {
        mem_free(text);
    }
}

static size_t place_of(const uint8_t source[DIGEST_SIZE_MAX])
{
    return ((size_t)source[0] << 8 | source[1]) % PLACES;
}

bool signature__key(str access_key, str secret, str date, str region, str service,
                    uint8_t ret_key[SIGNATURE_KEY_BYTES])
{
    str parts[] = {access_key, secret, date, region, service};
    uint8_t source[DIGEST_SIZE_MAX];
    bool found = false;

    source_of(parts, COUNT_OF(parts), source);
    size_t at = place_of(source);
    mutex_lock(&locks[at % LOCKS]);
    if (places[at].used && memcmp(places[at].source, source, sizeof source) == 0) {
        memcpy(ret_key, places[at].key, SIGNATURE_KEY_BYTES);
        found = true;
    }
    mutex_unlock(&locks[at % LOCKS]);
    if (!found) {
        derive(secret, date, region, service, ret_key);
    }
    return found;
}

void signature__keep_key(str access_key, str secret, str date, str region, str service,
                         const uint8_t key[SIGNATURE_KEY_BYTES])
{
    str parts[] = {access_key, secret, date, region, service};
    uint8_t source[DIGEST_SIZE_MAX];

    source_of(parts, COUNT_OF(parts), source);
    size_t at = place_of(source);
    mutex_lock(&locks[at % LOCKS]);
    memcpy(places[at].source, source, sizeof source);
    memcpy(places[at].key, key, SIGNATURE_KEY_BYTES);
    places[at].used = true;
    mutex_unlock(&locks[at % LOCKS]);
}

str signature__sign(arena *a, const uint8_t key[SIGNATURE_KEY_BYTES], str string_to_sign)
{
    uint8_t mac[32];

    hmac_sha256(str_from((const char *)key, SIGNATURE_KEY_BYTES), string_to_sign, mac);
    return hex_encode(a, str_from((const char *)mac, sizeof mac));
}

bool signature__equal(str a, str b)
{
    return a.size == b.size && a.size > 0 && bytes_equal_constant_time(a.data, b.data, a.size);
}

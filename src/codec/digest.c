/* Digests, message authentication and base64. OpenSSL computes; its failures here mean that the
 * program has no memory or the library is broken, so they end the program. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "tarn/base/mem.h"
#include "tarn/codec/checksum.h"

/* --- digests --- */

typedef struct digest_info {
    size_t size_bytes, block_bytes;
    const char *name;
} digest_info;

static const digest_info digests[] = {
    [DIGEST_MD5] = {16, 64, "MD5"},
    [DIGEST_SHA1] = {20, 64, "SHA1"},
    [DIGEST_SHA256] = {32, 64, "SHA256"},
};

#define DIGEST_BLOCK_BYTES 64 /* of the largest of them */

/* Looking a method up takes OpenSSL longer than digesting a request does: once for the program. */
static EVP_MD *methods[COUNT_OF(digests)];
static pthread_once_t methods_found = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;

/* What a thread digests short texts with, made when it first does so. */
typedef struct thread_contexts {
    EVP_MD_CTX *of[COUNT_OF(digests)];
} thread_contexts;
static _Thread_local thread_contexts *own_contexts;

static void contexts_free(void *memory)
{
    thread_contexts *contexts = memory;

    for (size_t i = 0; i < COUNT_OF(digests); i++) {
        EVP_MD_CTX_free(contexts->of[i]);
    }
    mem_free(contexts);
}

static void methods_find(void)
{
    for (size_t i = 0; i < COUNT_OF(digests); i++) {
        methods[i] = EVP_MD_fetch(NULL, digests[i].name, NULL);
        ASSERT(methods[i] != NULL);
    }
    ASSERT(pthread_key_create(&contexts_key, contexts_free) == 0);
}

/* The thread's own, at the beginning of a digest. */
static EVP_MD_CTX *begun(digest_kind kind)
{
    if (own_contexts == NULL) {
        ASSERT(pthread_once(&methods_found, methods_find) == 0);
        own_contexts = NEW(thread_contexts);
        ASSERT(pthread_setspecific(contexts_key, own_contexts) == 0);
    }
    EVP_MD_CTX *context = own_contexts->of[kind];
    if (context == NULL) {
        context = own_contexts->of[kind] = EVP_MD_CTX_new();
        ASSERT(context != NULL);
    }
    ASSERT(EVP_DigestInit_ex(context, methods[kind], NULL) == 1);
    return context;
}

struct digester {
    EVP_MD_CTX *context;
};

size_t digest_size(digest_kind kind)
{
    return digests[kind].size_bytes;
}

void digest(digest_kind kind, str bytes, uint8_t ret_digest[DIGEST_SIZE_MAX])
{
    EVP_MD_CTX *context = begun(kind);

    ASSERT(EVP_DigestUpdate(context, bytes.size > 0 ? bytes.data : "", bytes.size) == 1);
    ASSERT(EVP_DigestFinal_ex(context, ret_digest, NULL) == 1);
}

digester *digester_create(digest_kind kind)
{
    digester *d = NEW(digester);

    ASSERT(pthread_once(&methods_found, methods_find) == 0);
    d->context = EVP_MD_CTX_new();
    ASSERT(d->context != NULL);
    ASSERT(EVP_DigestInit_ex(d->context, methods[kind], NULL) == 1);
    return d;
}

void digester_add(digester *d, const void *bytes, size_t size_bytes)
{
    ASSERT(EVP_DigestUpdate(d->context, bytes, size_bytes) == 1);
}

void digester_finish(digester *d, uint8_t ret_digest[DIGEST_SIZE_MAX])
{
    ASSERT(EVP_DigestFinal_ex(d->context, ret_digest, NULL) == 1);
    digester_free(d);
}

void digester_free(digester *d)
{
    if (d != NULL) {
        EVP_MD_CTX_free(d->context);
        mem_free(d);
    }
}

/* RFC 2104. */
static void hmac(digest_kind kind, str key, str bytes, uint8_t *ret_mac)
{
    const digest_info *info = &digests[kind];
    uint8_t padded[DIGEST_BLOCK_BYTES] = {0};
    uint8_t inner[DIGEST_SIZE_MAX];

    if (key.size > info->block_bytes) {
        digest(kind, key, padded);
    } else if (key.size > 0) {
        memcpy(padded, key.data, key.size);
    }
    for (size_t i = 0; i < info->block_bytes; i++) {
        padded[i] ^= 0x36;
    }
    EVP_MD_CTX *context = begun(kind);
    ASSERT(EVP_DigestUpdate(context, padded, info->block_bytes) == 1 &&
           EVP_DigestUpdate(context, bytes.size > 0 ? bytes.data : "", bytes.size) == 1 &&
           EVP_DigestFinal_ex(context, inner, NULL) == 1);
    for (size_t i = 0; i < info->block_bytes; i++) {
        padded[i] ^= 0x36 ^ 0x5c;
    }
    context = begun(kind);
    ASSERT(EVP_DigestUpdate(context, padded, info->block_bytes) == 1 &&
           EVP_DigestUpdate(context, inner, info->size_bytes) == 1 &&
           EVP_DigestFinal_ex(context, ret_mac, NULL) == 1);
    mem_wipe(padded, sizeof padded);
    mem_wipe(inner, sizeof inner);
}

void hmac_sha256(str key, str bytes, uint8_t ret_mac[32])
{
    hmac(DIGEST_SHA256, key, bytes, ret_mac);
}

void hmac_sha1(str key, str bytes, uint8_t ret_mac[20])
{
    hmac(DIGEST_SHA1, key, bytes, ret_mac);
}

str hex_encode(arena *a, str bytes)
{
    return str_to_hex(a, bytes.data, bytes.size);
}

status hex_decode(arena *a, str text, str *ret_bytes, error *err)
{
    return str_from_hex(a, text, ret_bytes, err);
}

bool bytes_equal_constant_time(const void *a, const void *b, size_t size_bytes)
{
    return CRYPTO_memcmp(a, b, size_bytes) == 0;
}

/* --- base64 (RFC 4648) --- */

static const char standard_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static str encode(arena *a, str bytes, const char *letters, bool pad)
{
    char *text = arena_alloc(a, (bytes.size + 2) / 3 * 4 + 1);
    size_t size = 0;

    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t)(uint8_t)bytes.data[i] << 16;

        if (left > 1) {
            group |= (uint32_t)(uint8_t)bytes.data[i + 1] << 8;
        }
        if (left > 2) {
            group |= (uint8_t)bytes.data[i + 2];
        }
        text[size++] = letters[group >> 18];
        text[size++] = letters[group >> 12 & 63];
        if (left > 1 || pad) {
            text[size++] = left > 1 ? letters[group >> 6 & 63] : '=';
        }
        if (left > 2 || pad) {
            text[size++] = left > 2 ? letters[group & 63] : '=';
        }
    }
    return str_from(text, size);
}

str base64_encode(arena *a, str bytes)
{
    return encode(a, bytes, standard_letters, true);
}

str base64url_encode(arena *a, str bytes)
{
    return encode(a, bytes, url_letters, false);
}

static int letter_value(char c)
{
    const char *at = c != '\0' ? strchr(standard_letters, c) : NULL;

    return at != NULL ? (int)(at - standard_letters) : -1;
}

status base64_decode(arena *a, str text, str *ret_bytes, error *err)
{
    uint8_t *bytes = arena_alloc(a, text.size / 4 * 3 + 1);
    size_t size = 0;

    if (text.size % 4 != 0) {
        return error_set(err, STATUS_INVALID, "base64 text of %zu letters is not complete",
                         text.size);
    }
    for (size_t i = 0; i < text.size; i += 4) {
        bool last = i + 4 == text.size;
        size_t padding =
            last && text.data[i + 3] == '=' ? (text.data[i + 2] == '=' ? (size_t)2 : 1) : 0;
        uint32_t group = 0;

        for (size_t j = 0; j < 4; j++) {
            int value = j < 4 - padding ? letter_value(text.data[i + j]) : 0;

            if (value < 0) {
                return error_set(err, STATUS_INVALID, "base64 text has a wrong letter at byte %zu",
                                 i + j);
            }
            group = group << 6 | (uint32_t)value;
        }
        if ((padding == 1 && (group & 0xff) != 0) || (padding == 2 && (group & 0xffff) != 0)) {
            return error_set(err, STATUS_INVALID, "base64 text ends in bits that mean nothing");
        }
        bytes[size++] = (uint8_t)(group >> 16);
        if (padding < 2) {
            bytes[size++] = (uint8_t)(group >> 8);
        }
        if (padding < 1) {
            bytes[size++] = (uint8_t)group;
        }
    }
    *ret_bytes = str_from((const char *)bytes, size);
    return STATUS_OK;
}

/* AES-256-GCM by OpenSSL. The key is expanded once, when the cipher is created; a block then costs a new nonce. As in
 * digest.c, a failure of the library that no input can cause ends the program. */
#include "tarn/codec/cipher.h"

#include <limits.h>
#include <openssl/evp.h>

#include "tarn/base/mem.h"

struct cipher {
    EVP_CIPHER_CTX *sealing, *opening;
};

cipher *cipher_create(const uint8_t key[CIPHER_KEY_BYTES])
{
    cipher *c = NEW(cipher);

    c->sealing = EVP_CIPHER_CTX_new();
    c->opening = EVP_CIPHER_CTX_new();
    ASSERT(c->sealing != NULL && c->opening != NULL);
    ASSERT(EVP_EncryptInit_ex(c->sealing, EVP_aes_256_gcm(), NULL, key, NULL) == 1);
    ASSERT(EVP_DecryptInit_ex(c->opening, EVP_aes_256_gcm(), NULL, key, NULL) == 1);
    return c;
}

void cipher_free(cipher *c)
{
    if (c != NULL) {
        EVP_CIPHER_CTX_free(c->sealing); /* wipes */
        EVP_CIPHER_CTX_free(c->opening);
        mem_free(c);
    }
}

static const uint8_t *bytes_of(str s)
{
    return (const uint8_t *)s.data;
}

static status too_large(size_t size, error *err)
{
    return error_set(err, STATUS_TOO_LARGE, "%zu bytes are too many to be encrypted as one block",
                     size);
}

status cipher_seal(cipher *c, const uint8_t nonce[CIPHER_NONCE_BYTES], str also, str plain,
                   void *ret_bytes, error *err)
{
    uint8_t *to = ret_bytes;
    int size = 0;
    int end = 0;

    if (plain.size > INT_MAX || also.size > INT_MAX) {
        return too_large(plain.size > also.size ? plain.size : also.size, err);
    }
    ASSERT(EVP_EncryptInit_ex(c->sealing, NULL, NULL, NULL, nonce) == 1);
    if (also.size > 0) {
        ASSERT(EVP_EncryptUpdate(c->sealing, NULL, &size, bytes_of(also), (int)also.size) == 1);
    }
    size = 0;
    if (plain.size > 0) {
        ASSERT(EVP_EncryptUpdate(c->sealing, to, &size, bytes_of(plain), (int)plain.size) == 1);
    }
    ASSERT(EVP_EncryptFinal_ex(c->sealing, to + size, &end) == 1);
    ASSERT((size_t)size == plain.size && end == 0);
    ASSERT(EVP_CIPHER_CTX_ctrl(c->sealing, EVP_CTRL_AEAD_GET_TAG, CIPHER_TAG_BYTES,
                               to + plain.size) == 1);
    return STATUS_OK;
}

status cipher_open(cipher *c, const uint8_t nonce[CIPHER_NONCE_BYTES], str also, str sealed,
                   void *ret_bytes, error *err)
{
    uint8_t tag[CIPHER_TAG_BYTES];
    uint8_t *to = ret_bytes;
    int size = 0;
    int end = 0;

    if (sealed.size > INT_MAX || also.size > INT_MAX) {
        return too_large(sealed.size > also.size ? sealed.size : also.size, err);
    }
    if (sealed.size < CIPHER_TAG_BYTES) {
        return error_set(err, STATUS_CORRUPT, "an encrypted block of %zu bytes lacks its tag",
                         sealed.size);
    }
    size_t plain_size = sealed.size - CIPHER_TAG_BYTES;
    memcpy(tag, sealed.data + plain_size, sizeof tag);
    ASSERT(EVP_DecryptInit_ex(c->opening, NULL, NULL, NULL, nonce) == 1);
    if (also.size > 0) {
        ASSERT(EVP_DecryptUpdate(c->opening, NULL, &size, bytes_of(also), (int)also.size) == 1);
    }
    size = 0;
    if (plain_size > 0) {
        ASSERT(EVP_DecryptUpdate(c->opening, to, &size, bytes_of(sealed), (int)plain_size) == 1);
    }
    ASSERT(EVP_CIPHER_CTX_ctrl(c->opening, EVP_CTRL_AEAD_SET_TAG, CIPHER_TAG_BYTES, tag) == 1);
    if (EVP_DecryptFinal_ex(c->opening, to + size, &end) != 1) {
        mem_wipe(to, plain_size); /* what was not proven true is not handed out */
        return error_set(err, STATUS_CORRUPT,
                         "an encrypted block does not agree with its key or its tag");
    }
    return STATUS_OK;
}

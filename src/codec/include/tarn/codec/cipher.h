/* cipher.h: AES-256-GCM (NIST SP 800-38D), sealed in place of plain bytes.
 *
 * A nonce must never be used twice with one key: callers count blocks under a key that belongs to one object. */
#ifndef TARN_CODEC_CIPHER_H
#define TARN_CODEC_CIPHER_H

#include <stddef.h>
#include <stdint.h>

#include "tarn/base/error.h"
#include "tarn/base/str.h"

#define CIPHER_KEY_BYTES 32
#define CIPHER_NONCE_BYTES 12
#define CIPHER_TAG_BYTES 16

typedef struct cipher cipher; /* a key made ready; one thread at a time */
cipher *cipher_create(const uint8_t key[CIPHER_KEY_BYTES]);
void cipher_free(cipher *c); /* wipes the key */
/* `ret_bytes` has room for plain.size + CIPHER_TAG_BYTES; may be plain's own place. `also` is authenticated, too. */
status cipher_seal(cipher *c, const uint8_t nonce[CIPHER_NONCE_BYTES], str also, str plain,
                   void *ret_bytes, error *err);
/* `sealed` ends with the tag. CORRUPT where key, nonce, `also` or a byte is another. */
status cipher_open(cipher *c, const uint8_t nonce[CIPHER_NONCE_BYTES], str also, str sealed,
                   void *ret_bytes, error *err);

#endif

/* checksum.h: checksums and digests.
 *
 * CRC-32C runs on the processor's instruction where there is one (probed once), else on a table. */
#ifndef TARN_CODEC_CHECKSUM_H
#define TARN_CODEC_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/str.h"

/* Continue with the returned value; start with 0. */
uint32_t checksum_crc32c(uint32_t crc, const void *bytes, size_t size_bytes);
uint32_t checksum_crc32(uint32_t crc, const void *bytes, size_t size_bytes); /* zlib's polynomial */

uint64_t checksum_crc64nvme(uint64_t crc, const void *bytes, size_t size_bytes);
/* Of two pieces in a row, from theirs and the size of the second. */
uint32_t checksum_crc32_combine(uint32_t first, uint32_t second, int64_t second_bytes);
uint32_t checksum_crc32c_combine(uint32_t first, uint32_t second, int64_t second_bytes);
uint64_t checksum_crc64nvme_combine(uint64_t first, uint64_t second, int64_t second_bytes);

typedef enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256 } digest_kind;
#define DIGEST_SIZE_MAX 32

size_t digest_size(digest_kind kind);
void digest(digest_kind kind, str bytes, uint8_t ret_digest[DIGEST_SIZE_MAX]);
typedef struct digester digester;
digester *digester_create(digest_kind kind);
void digester_add(digester *d, const void *bytes, size_t size_bytes);
void digester_finish(digester *d, uint8_t ret_digest[DIGEST_SIZE_MAX]); /* frees it */
void digester_free(digester *d);
void hmac_sha256(str key, str bytes, uint8_t ret_mac[32]);
void hmac_sha1(str key, str bytes, uint8_t ret_mac[20]);
str hex_encode(arena *a, str bytes); /* lower case */
status hex_decode(arena *a, str text, str *ret_bytes, error *err);

/* In time that does not depend on where they differ. */
bool bytes_equal_constant_time(const void *a, const void *b, size_t size_bytes);

str base64_encode(arena *a, str bytes);
/* standard alphabet, padding required */
status base64_decode(arena *a, str text, str *ret_bytes, error *err);
str base64url_encode(arena *a, str bytes); /* no padding */

#endif

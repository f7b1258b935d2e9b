/* signature_core.h: what reading, checking and making signatures share: the texts that are signed, and derived keys.
 *
 * Version 4: signature = hex(HMAC(key, string to sign)), where
 *   key             = HMAC(HMAC(HMAC(HMAC("AWS4" + secret, date), region), service), "aws4_request")
 *   string to sign  = algorithm, time, scope, hex(SHA-256(canonical request)), one a line
 * Chunks of a body and its trailers have strings to sign of their own (aws_body.c) under the same key. */
#ifndef TARN_NET_SIGNATURE_CORE_H
#define TARN_NET_SIGNATURE_CORE_H

#include "tarn/base/buf.h"
#include "tarn/net/signature.h"

#define SIGNATURE_ALGORITHM "AWS4-HMAC-SHA256"
#define SIGNATURE_UNSIGNED "UNSIGNED-PAYLOAD"
#define SIGNATURE_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
enum {
    SIGNATURE_KEY_BYTES = 32,
    SIGNATURE_HEX_SIZE = 64,
    SIGNATURE_TEXT_MAX = 256 * 1024, /* of a canonical request: several times the largest head */
};
#define SIGNATURE_SKEW_US (INT64_C(15) * 60 * 1000000)
#define SIGNATURE_EXPIRES_MAX_S (INT64_C(7) * 24 * 3600)

/* error_set with one of S3's codes. */
__attribute__((format(printf, 4, 5))) status signature__refuse(error *err, status kind,
                                                               const char *code, const char *format,
                                                               ...);

/* "20130524T000000Z" or "Fri, 24 May 2013 00:00:00 GMT"; false for anything else. */
bool signature__read_time(str text, int64_t *ret_us);
str signature__timestamp(arena *a, int64_t us); /* 20130524T000000Z */
str signature__scope(arena *a, str date, str region, str service);

/* "Name:value\n" of a canonical request: every header of that name, joined by commas, white space squeezed. */
void signature__add_header(buf *out, str name, const http_header *headers, size_t count);
/* Encoded, sorted; without the parameter that holds the signature. Sorts into memory of `a`. */
void signature__add_query(buf *out, arena *a, const uri_pair *pairs, size_t count);
str signature__string_to_sign(arena *a, str timestamp, str scope, str canonical_request);

/* Out of the cache where it is there, else computed. */
bool signature__key(str access_key, str secret, str date, str region, str service,
                    uint8_t ret_key[SIGNATURE_KEY_BYTES]); /* whether it was kept */
/* Keeps the key for later requests. Only for keys that a right signature was made with: others could push out what
 * is in use. */
void signature__keep_key(str access_key, str secret, str date, str region, str service,
                         const uint8_t key[SIGNATURE_KEY_BYTES]);
str signature__sign(arena *a, const uint8_t key[SIGNATURE_KEY_BYTES], str string_to_sign);
bool signature__equal(str a, str b);

#endif

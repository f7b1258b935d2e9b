/* signature.h: AWS signatures, read, checked and made.
 *
 * Version 4 in the Authorization header and in the query, version 2 in the query alone (its header form is refused).
 * What is signed is the target as it stood on the wire: nothing is decoded and encoded again on the way but the
 * query's
 * canonical form. Errors have S3's codes.
 *
 * Sources: AWS General Reference, "Signature Version 4 signing process"; Amazon S3 API Reference, "Authenticating
 * Requests", "Signature calculations … multiple chunks". */
#ifndef TARN_NET_SIGNATURE_H
#define TARN_NET_SIGNATURE_H

#include "tarn/net/http.h"

typedef enum signature_kind {
    SIGNATURE_NONE, /* nothing of a signature in header or query: anonymous */
    SIGNATURE_V4_HEADER,
    SIGNATURE_V4_QUERY,
    SIGNATURE_V2_QUERY,
} signature_kind;

typedef enum payload_mode {
    PAYLOAD_DIGEST,   /* hex SHA-256 of the body */
    PAYLOAD_UNSIGNED, /* UNSIGNED-PAYLOAD, or a presigned request that names none */
    PAYLOAD_STREAMING_UNSIGNED_TRAILER,
    PAYLOAD_STREAMING_SIGNED,         /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    PAYLOAD_STREAMING_SIGNED_TRAILER, /* …-PAYLOAD-TRAILER */
} payload_mode;

typedef struct request_signature {
    signature_kind kind;
    str access_key;
    str session_token;                         /* STR_NULL: none */
    str date, region, service, signed_headers; /* version 4: the scope, and the list as sent */
    str signature;
    int64_t signed_at_us;
    int64_t expires_us; /* query forms: when it ends; 0 else */
    payload_mode payload;
    bool unchecked; /* the door looks at no signature (auth.mode = none): nor are those of chunks */
    /* x-amz-content-sha256 as sent. STR_NULL where a service other than s3 leaves it out: the caller then reads the
     * body, if there is one, and puts the hex SHA-256 here before signature_check. */
    str payload_text;
    /* The bucket that Host named (virtual-host style), which version 2 signs: set by the caller before signature_check;
     * empty for path style. */
    str host_bucket;
} request_signature;

/* Takes the request's claims apart. Header and query form at once, a doubled Authorization, an unknown algorithm or
 * payload mode (ECDSA: 501), a missing x-amz-date, a clock more than 15 minutes off (RequestTimeTooSkewed), an
 * expired
 * or not yet valid query form, an expiry out of 1 s to 7 days: refused. An unsigned request with a body mode that
 * needs
 * a signature is refused as well. */
status signature_read(const http_exchange *x, int64_t now_us, request_signature *ret_signature,
                      error *err);
/* DENIED "SignatureDoesNotMatch". Headers that must be signed (host, x-amz-*) and are not: DENIED "AccessDenied".
 * Derived keys are kept by (access key, date, region, service). */
status signature_check(const http_exchange *x, const request_signature *signature, str secret,
                       error *err);

/* POST forms: HMAC of the policy's base64 text. */
bool signature_form_matches_v4(str secret, str date, str region, str service, str policy_base64,
                               str signature);
bool signature_form_matches_v2(str secret, str policy_base64, str signature);

/* For clients (tarn s3): headers to send with a request. */
typedef struct signing_key {
    str access_key, secret, session_token, region, service;
} signing_key;
/* `headers` are signed with host and date; `payload` is the hex digest or a mode's name. Fills authorization,
 * x-amz-date,
 * x-amz-content-sha256 and (with a session) x-amz-security-token. */
status signature_make(const signing_key *key, const char *method, str host, str target,
                      const http_header *headers, size_t header_count, str payload, int64_t now_us,
                      arena *a, http_header ret_headers[4], size_t *ret_count, error *err);
/* A URL's query for presigning, from "X-Amz-Algorithm=" on. */
status signature_presign(const signing_key *key, const char *method, str host, str target,
                         int64_t expires_s, int64_t now_us, arena *a, str *ret_query, error *err);

/* ---- a request's body, out of its framing ---- */

/* Reads the body of an S3 request: plain, or aws-chunked with or without signatures and trailer, itself perhaps in
 * HTTP
 * chunks. At its end everything that was claimed of the bytes by the signature is checked: the caller acts only after
 * aws_body_read gave 0 bytes. */
typedef struct aws_body aws_body;
/* `secret` is that of the signature's key, empty where anonymous. INVALID "MissingContentLength" (411) where a framed
 * body lacks x-amz-decoded-content-length. Lives in the exchange's arena. */
status aws_body_open(http_exchange *x, const request_signature *signature, str secret,
                     aws_body **ret_body, error *err);
int64_t aws_body_size(const aws_body *body); /* of the object; -1 where not known */
/* INVALID "IncompleteBody", "XAmzContentSHA256Mismatch", "InvalidChunkSizeError", "SignatureDoesNotMatch"
 * (DENIED), … */
status aws_body_read(aws_body *body, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                     error *err);
status aws_body_read_all(aws_body *body, size_t size_max_bytes, str *ret_bytes, error *err);
/* A trailer that x-amz-trailer announced, after the end; STR_NULL where absent. */
str aws_body_trailer(const aws_body *body, const char *name);

#endif

/* aws_chunked.h: the framing "aws-chunked" of a body, as a machine over memory: no socket, no clock.
 *
 *   <hex size>[;chunk-signature=<64 hex>] CR LF <bytes> CR LF     as often as there are chunks
 *   0[;chunk-signature=<64 hex>] CR LF
 *   [<name>:<value> LF …] [x-amz-trailer-signature:<64 hex> LF] LF
 *
 * Each signature is made over the one before it and the digest of its chunk, the first over the request's own; that of
 * the trailers over "name:value LF" of each. States:
 *
 *   HEADER ──size──> DATA ──all of it──> DATA_CR ──> DATA_LF ──> HEADER
 *      └──size 0──> TAIL   collected to the end of the body, and judged by aws__framing_end
 *
 * Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in
 * Multiple Chunks", and the same "Including Trailing Headers". */
#ifndef TARN_NET_AWS_CHUNKED_H
#define TARN_NET_AWS_CHUNKED_H

#include "signature_core.h"
#include "tarn/codec/checksum.h"

enum {
    AWS_CHUNK_LINE_MAX = 512,
    AWS_TAIL_MAX = 16 * 1024,
    AWS_TRAILERS_MAX = 32,
};

typedef enum aws_framing_state {
    AWS_HEADER,
    AWS_DATA, /* `left` bytes of it are next */
    AWS_DATA_CR,
    AWS_DATA_LF,
    AWS_TAIL,
} aws_framing_state;

typedef struct aws_framing {
    aws_framing_state state;
    int64_t declared_bytes; /* x-amz-decoded-content-length */
    int64_t seen_bytes;     /* of chunks so far */
    int64_t left;
    char line[AWS_CHUNK_LINE_MAX];
    size_t line_size;
    buf *tail;
    str announced; /* x-amz-trailer: a list of names; nothing else may come */
    http_header trailers[AWS_TRAILERS_MAX]; /* when aws__framing_end was well */
    size_t trailer_count;

    bool is_signed;
    bool unchecked; /* signatures are read, not looked at */
    str timestamp, scope;
    uint8_t key[SIGNATURE_KEY_BYTES];
    char previous[SIGNATURE_HEX_SIZE]; /* signature */
    char given[SIGNATURE_HEX_SIZE];    /* with the chunk that is being read */
    digester *hash;                    /* of that chunk */
    arena *memory;
    arena *scratch; /* for one signature */
} aws_framing;

/* `signature` and `key` matter to signed modes alone. Memory is `a`'s. */
void aws__framing_init(aws_framing *f, arena *a, const request_signature *signature,
                       int64_t declared_bytes, str announced);
void aws__framing_release(aws_framing *f); /* what is not the arena's */

/* Takes framing bytes until data is next (AWS_DATA) or all are used up. In AWS_DATA the caller takes up to `left` bytes
 * itself and shows them to aws__framing_took. INVALID, DENIED. */
status aws__framing_next(aws_framing *f, const char *bytes, size_t size, size_t *ret_used,
                         error *err);
status aws__framing_took(aws_framing *f, const void *bytes, size_t size, error *err);
/* At the end of the body: whether all of it came. Fills the trailers. */
status aws__framing_end(aws_framing *f, error *err);

#endif

/* Bodies in aws-chunked: in pieces of any size they are the same bytes, or the same refusal; what is accepted has the
 * length that was declared. The first byte says whether chunks are signed, the second the size of the pieces and what
 * was declared. */
#include "aws_chunked.h"
#include "support/fuzz.h"
#include "tarn/net/signature.h"

typedef struct outcome {
    status kind;
    int64_t size;
    uint32_t sum;
    size_t trailers;
} outcome;

static outcome decode(arena *a, const char *bytes, size_t size, size_t piece, bool is_signed,
                      int64_t declared)
{
    const request_signature s = {
        .payload =
            is_signed ? PAYLOAD_STREAMING_SIGNED_TRAILER : PAYLOAD_STREAMING_UNSIGNED_TRAILER,
        .signature = STR("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"),
        .date = STR("20130524"),
        .region = STR("us-east-1"),
        .service = STR("s3"),
    };
    aws_framing *f = ARENA_NEW(a, aws_framing);
    outcome o = {.kind = STATUS_OK};
    error err = ERROR_INIT;

    aws__framing_init(f, a, &s, declared, STR("x-amz-checksum-crc32"));
    for (size_t at = 0; at < size && o.kind == STATUS_OK;) {
        size_t part = size - at < piece ? size - at : piece;
        if (f->state == AWS_DATA) {
            part = (int64_t)part < f->left ? part : (size_t)f->left;
            o.kind = aws__framing_took(f, bytes + at, part, &err);
            o.sum = checksum_crc32(o.sum, bytes + at, part);
            o.size += (int64_t)part;
        } else {
            size_t used = 0;
            o.kind = aws__framing_next(f, bytes + at, part, &used, &err);
            ASSERT(o.kind != STATUS_OK || used > 0);
            part = used;
        }
        at += part;
        ASSERT(o.size <= declared);
    }
    if (o.kind == STATUS_OK) {
        o.kind = aws__framing_end(f, &err);
    }
    ASSERT(o.kind == STATUS_OK ? o.size == declared : err.s3_code != NULL);
    o.trailers = o.kind == STATUS_OK ? f->trailer_count : 0;
    aws__framing_release(f);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_create();

    if (size >= 2) {
        const char *bytes = (const char *)data + 2;
        bool is_signed = (data[0] & 1) != 0;
        int64_t declared = data[1];
        outcome whole = decode(a, bytes, size - 2, size, is_signed, declared);
        outcome parts = decode(a, bytes, size - 2, 1 + data[0] / 2 % 16, is_signed, declared);
        ASSERT(whole.kind == parts.kind && whole.trailers == parts.trailers);
        ASSERT(whole.kind != STATUS_OK || (whole.size == parts.size && whole.sum == parts.sum));
    }
    arena_free(a);
    return 0;
}

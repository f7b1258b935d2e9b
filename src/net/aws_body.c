/* The body of an S3 request, out of whatever it was wrapped in: http_body_read has taken away HTTP's own chunks, here
 * go those of aws-chunked, and what was claimed of the bytes is compared with them at the end. Bytes of a chunk are
 * read straight into the caller's memory; only framing passes through a buffer. */
#include "aws_chunked.h"
#include "http_parse.h"

enum { FRAMING_BYTES = 16 * 1024 };

struct aws_body {
    http_exchange *x;
    bool framed;
    bool ended, failed;
    int64_t size; /* -1: not known */

    digester *hash; /* plain bodies that were promised by a digest */
    str wanted;

    aws_framing framing;
    char *in;
    size_t in_at, in_size;
};

static void release(void *object)
{
    aws_body *body = object;

    digester_free(body->hash);
    body->hash = NULL;
    if (body->framed) {
        aws__framing_release(&body->framing);
    }
}

static status open_framed(aws_body *body, const request_signature *s, str secret, error *err)
{
    str length = http_request_header(body->x, "x-amz-decoded-content-length");
    str announced = http_request_header(body->x, "x-amz-trailer");
    arena *a = http_exchange_arena(body->x);

    if (str_is_null(length)) {
        return signature__refuse(err, STATUS_INVALID, "MissingContentLength",
                                 "the request lacks the header x-amz-decoded-content-length");
    }
    if (str_to_int64(length, &body->size, NULL) != STATUS_OK || body->size < 0) {
        return signature__refuse(err, STATUS_INVALID, "InvalidArgument",
                                 "x-amz-decoded-content-length is no length: \"%.*s\"",
                                 STR_ARG(length));
    }
    bool with_trailer = s->payload != PAYLOAD_STREAMING_SIGNED;
    aws__framing_init(&body->framing, a, s, body->size, with_trailer ? announced : STR_NULL);
    body->framed = true;
    body->in = arena_alloc(a, FRAMING_BYTES);
    if (body->framing.is_signed) {
        if (s->kind != SIGNATURE_V4_HEADER || s->signature.size != SIGNATURE_HEX_SIZE) {
            return signature__refuse(err, STATUS_DENIED, "AccessDenied",
                                     "signed chunks need a signed request");
        }
        signature__key(s->access_key, secret, s->date, s->region, s->service, body->framing.key);
    }
    return STATUS_OK;
}

status aws_body_open(http_exchange *x, const request_signature *signature, str secret,
                     aws_body **ret_body, error *err)
{
    arena *a = http_exchange_arena(x);
    aws_body *body = ARENA_NEW(a, aws_body);

    body->x = x;
    body->size = http_body_size(x);
    arena_defer(a, release, body);
    switch (signature->payload) {
    case PAYLOAD_UNSIGNED:
        break;
    case PAYLOAD_DIGEST:
        body->wanted = str_lower(a, signature->payload_text);
        body->hash = digester_create(DIGEST_SHA256);
        break;
    case PAYLOAD_STREAMING_UNSIGNED_TRAILER:
    case PAYLOAD_STREAMING_SIGNED:
    case PAYLOAD_STREAMING_SIGNED_TRAILER:
        TRY(open_framed(body, signature, secret, err));
        break;
    }
    *ret_body = body;
    return STATUS_OK;
}

int64_t aws_body_size(const aws_body *body)
{
    return body->size;
}

static status end_plain(aws_body *body, error *err)
{
    uint8_t sum[DIGEST_SIZE_MAX];

    body->ended = true;
    if (body->hash == NULL) {
        return STATUS_OK;
    }
    digester *hash = body->hash;
    body->hash = NULL;
    digester_finish(hash, sum);
    str made = hex_encode(http_exchange_arena(body->x), str_from((const char *)sum, sizeof sum));
    if (!str_equal(made, body->wanted)) {
        return signature__refuse(err, STATUS_INVALID, "XAmzContentSHA256Mismatch",
                                 "the body's SHA-256 is not the one in x-amz-content-sha256");
    }
    return STATUS_OK;
}

static status read_plain(aws_body *body, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                         error *err)
{
    size_t size = 0;

    TRY(http_body_read(body->x, ret_bytes, size_bytes, &size, err));
    if (size == 0) {
        TRY(end_plain(body, err));
    } else if (body->hash != NULL) {
        digester_add(body->hash, ret_bytes, size);
    }
    *ret_size = size;
    return STATUS_OK;
}

/* Bytes of the chunk that is being read. */
static status read_data(aws_body *body, char *ret_bytes, size_t size_bytes, size_t *ret_size,
                        error *err)
{
    size_t buffered = body->in_size - body->in_at;
    size_t size =
        (int64_t)size_bytes < body->framing.left ? size_bytes : (size_t)body->framing.left;

    if (buffered > 0) {
        size = size < buffered ? size : buffered;
        memcpy(ret_bytes, body->in + body->in_at, size);
        body->in_at += size;
    } else {
        TRY(http_body_read(body->x, ret_bytes, size, &size, err));
        if (size == 0) {
            return aws__framing_end(&body->framing, err); /* says that bytes are missing */
        }
    }
    TRY(aws__framing_took(&body->framing, ret_bytes, size, err));
    *ret_size = size;
    return STATUS_OK;
}

static status read_framed(aws_body *body, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                          error *err)
{
    while (true) {
        size_t used = 0;
        if (body->framing.state == AWS_DATA) {
            return read_data(body, ret_bytes, size_bytes, ret_size, err);
        }
        if (body->in_at == body->in_size) {
            body->in_at = 0;
            TRY(http_body_read(body->x, body->in, FRAMING_BYTES, &body->in_size, err));
            if (body->in_size == 0) {
                TRY(aws__framing_end(&body->framing, err));
                body->ended = true;
                *ret_size = 0;
                return STATUS_OK;
            }
        }
        TRY(aws__framing_next(&body->framing, body->in + body->in_at, body->in_size - body->in_at,
                              &used, err));
        body->in_at += used;
    }
}

status aws_body_read(aws_body *body, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                     error *err)
{
    size_t size = 0;

    if (body->failed) {
        return signature__refuse(err, STATUS_INVALID, "IncompleteBody",
                                 "the request body was refused earlier");
    }
    if (!body->ended && size_bytes > 0) {
        status result = body->framed ? read_framed(body, ret_bytes, size_bytes, &size, err)
                                     : read_plain(body, ret_bytes, size_bytes, &size, err);
        if (result != STATUS_OK) {
            body->failed = true;
            return result;
        }
    }
    *ret_size = size;
    return STATUS_OK;
}

status aws_body_read_all(aws_body *body, size_t size_max_bytes, str *ret_bytes, error *err)
{
    arena *a = http_exchange_arena(body->x);
    buf *all = buf_in(a, size_max_bytes);
    char beyond; /* tells a body that is just as large as it may be from one that is larger */
    size_t got = 0;

    do {
        size_t room = size_max_bytes - all->size;
        room = room < FRAMING_BYTES ? room : FRAMING_BYTES;
        char *at = room > 0 ? buf_reserve(all, room) : &beyond;
        bool too_large = body->size > 0 && (uint64_t)body->size > size_max_bytes;
        if (!too_large) {
            TRY(aws_body_read(body, at, room > 0 ? room : 1, &got, err));
            too_large = got > 0 && room == 0;
        }
        if (too_large) {
            return error_set(err, STATUS_TOO_LARGE, "the request body is larger than %zu bytes",
                             size_max_bytes);
        }
        if (room > 0) {
            buf_commit(all, got);
        }
    } while (got > 0);
    *ret_bytes = buf_str(all);
    return STATUS_OK;
}

str aws_body_trailer(const aws_body *body, const char *name)
{
    for (size_t i = 0; body->ended && i < body->framing.trailer_count; i++) {
        if (str_equal_nocase(body->framing.trailers[i].name, str_c(name))) {
            return body->framing.trailers[i].value;
        }
    }
    return STR_NULL;
}

/* Chunked bodies: decoded in pieces of any size they are the same bytes, or the same refusal. The
 * first byte chooses the size of the pieces. */
#include "http_parse.h"
#include "support/fuzz.h"
#include "tarn/base/error.h"
#include "tarn/net/http.h"

typedef struct outcome {
    status kind;
    http_chunked_state state;
    size_t used;
} outcome;

static outcome decode(const char *bytes, size_t size, size_t piece, buf *body, buf *trailer)
{
    http_chunked d = {.trailer = trailer};
    outcome o = {.kind = STATUS_OK};
    error err;

    while (o.kind == STATUS_OK && o.used < size && d.state != CHUNK_END) {
        size_t given = size - o.used < piece ? size - o.used : piece;
        size_t used = 0;
        o.kind = http__chunked_next(&d, bytes + o.used, given, &used, &err);
        if (o.kind != STATUS_OK) {
            break;
        }
        ASSERT(used <= given && (used == given || d.state == CHUNK_DATA || d.state == CHUNK_END));
        o.used += used;
        given -= used;
        if (d.state == CHUNK_DATA && given > 0) {
            size_t take = (int64_t)given < d.left ? given : (size_t)d.left;
            buf_add(body, bytes + o.used, take);
            http__chunked_took(&d, take);
            o.used += take;
        }
    }
    o.state = d.state;
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static http_header headers[LIMIT_HTTP_HEADERS];
    buf bodies[2];
    buf trailers[2];
    outcome outcomes[2];

    if (size == 0) {
        return 0;
    }
    for (size_t i = 0; i < 2; i++) {
        buf_init(&bodies[i], size);
        buf_init(&trailers[i], LIMIT_HTTP_HEAD);
        outcomes[i] = decode((const char *)data + 1, size - 1,
                             i == 0 ? size : (size_t)1 + data[0] % 16, &bodies[i], &trailers[i]);
    }
    ASSERT(outcomes[0].kind == outcomes[1].kind && outcomes[0].state == outcomes[1].state);
    ASSERT(str_equal(buf_str(&bodies[0]), buf_str(&bodies[1])));
    if (outcomes[0].kind == STATUS_OK) {
        ASSERT(outcomes[0].used == outcomes[1].used);
        ASSERT(str_equal(buf_str(&trailers[0]), buf_str(&trailers[1])));
    }
    if (outcomes[0].state == CHUNK_END) {
        size_t count = 0;
        (void)http__fields_parse(trailers[0].data, trailers[0].size, headers, &count);
    }
    for (size_t i = 0; i < 2; i++) {
        buf_release(&bodies[i]);
        buf_release(&trailers[i]);
    }
    return 0;
}

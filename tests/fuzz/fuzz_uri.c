/* URIs: what decodes was well-formed, what is encoded decodes to itself, and routes hold for any path. */
#include <string.h>

#include "http_core.h"
#include "support/fuzz.h"
#include "tarn/net/http.h"
#include "tarn/net/uri.h"

static const http_pattern patterns[] = {
    {HTTP_GET, "/"},
    {HTTP_GET, "/a/{x}/b"},
    {HTTP_PUT, "/a/{x}"},
    {HTTP_GET, "/a/literal/{rest*}"},
    {HTTP_GET, "/{bucket}/{key*}"},
};

static void check_codec(arena *a, str text)
{
    str decoded;
    str again;
    buf *encoded = buf_in(a, 4 * text.size + 16);

    status kind = uri_decode(a, text, &decoded, NULL);
    ASSERT((kind == STATUS_OK) == http__escapes_valid(text));
    uri_encode(encoded, text, "/");
    ASSERT(!encoded->failed);
    kind = uri_decode(a, buf_str(encoded), &again, NULL);
    ASSERT(text.size > 0 && memchr(text.data, '\0', text.size) != NULL
               ? kind == STATUS_INVALID
               : kind == STATUS_OK && str_equal(again, text));
}

static void check_route(arena *a, str path)
{
    static http_router *router;
    size_t index = 0;

    if (router == NULL) {
        router = http_router_create(patterns, COUNT_OF(patterns), sizeof patterns[0]);
    }
    http_exchange x = {.memory = a, .head = {.method = HTTP_GET, .path = path}};
    if (http_router_match(router, &x, &index, NULL) == STATUS_OK) {
        ASSERT(index < COUNT_OF(patterns));
        for (size_t i = 0; i < x.segment_count; i++) {
            ASSERT(!str_is_null(x.segment_names[i]) && !str_is_null(x.segment_values[i]));
            ASSERT(!str_equal(x.segment_values[i], STR("..")));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = str_from((const char *)data, size);
    arena *a = arena_create();
    uri u;
    uri_pair *pairs;
    size_t count = 0;

    check_codec(a, text);
    if (uri_parse_query(a, text, &pairs, &count, NULL) == STATUS_OK) {
        ASSERT(http__escapes_valid(text) && count <= size);
    }
    if (uri_parse(text, &u, NULL) == STATUS_OK) {
        ASSERT(u.scheme.size > 0 && u.port >= 0 && u.port <= 65535);
        ASSERT(u.path.size == 0 || u.path.data[0] == '/');
    }
    if (size > 0 && text.data[0] == '/') {
        check_route(a, text);
    }
    arena_free(a);
    return 0;
}

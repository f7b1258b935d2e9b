/* What a handler may ask about its request. Nothing here touches the socket. */
#include "http_core.h"

http_method http_request_method(const http_exchange *x)
{
    return x->head.method;
}

str http_request_target(const http_exchange *x)
{
    return x->head.target;
}

str http_request_path(const http_exchange *x)
{
    return x->head.path;
}

str http_request_query(const http_exchange *x)
{
    return x->head.query;
}

static str find_header(const http_header *headers, size_t count, const char *name)
{
    str wanted = str_c(name);

    for (size_t i = 0; i < count; i++) {
        if (headers[i].name.size == wanted.size && str_equal_nocase(headers[i].name, wanted)) {
            return headers[i].value;
        }
    }
    return STR_NULL;
}

str http_request_header(const http_exchange *x, const char *name)
{
    return find_header(x->head.headers, x->head.header_count, name);
}

str http_request_trailer(const http_exchange *x, const char *name)
{
    return find_header(x->request_trailers, x->request_trailer_count, name);
}

size_t http_request_header_count(const http_exchange *x)
{
    return x->head.header_count;
}

http_header http_request_header_at(const http_exchange *x, size_t index)
{
    ASSERT(index < x->head.header_count);
    return x->head.headers[index];
}

str http_request_id(const http_exchange *x)
{
    return x->id;
}

str http_request_peer(const http_exchange *x)
{
    return str_c(x->conn->peer);
}

/* Parsed on demand. The exchange is const for callers who only look; its cache is not part of what they see. */
const uri_pair *http_request_params(const http_exchange *x, size_t *ret_count)
{
    http_exchange *cache = (http_exchange *)(uintptr_t)x;

    if (!cache->params_parsed) {
        /* Escapes were checked with the head, so this does not fail. */
        if (uri_parse_query(x->memory, x->head.query, &cache->params, &cache->param_count, NULL) !=
            STATUS_OK) {
            cache->param_count = 0;
        }
        cache->params_parsed = true;
    }
    *ret_count = x->param_count;
    return x->params;
}

str http_request_param(const http_exchange *x, const char *name)
{
    str wanted = str_c(name);
    size_t count = 0;
    const uri_pair *pairs = http_request_params(x, &count);

    for (size_t i = 0; i < count; i++) {
        if (str_equal(pairs[i].name, wanted)) {
            return str_is_null(pairs[i].value) ? STR("") : pairs[i].value;
        }
    }
    return STR_NULL;
}

str http_request_segment(const http_exchange *x, const char *name)
{
    str wanted = str_c(name);

    for (size_t i = 0; i < x->segment_count; i++) {
        if (str_equal(x->segment_names[i], wanted)) {
            return x->segment_values[i];
        }
    }
    return STR_NULL;
}

arena *http_exchange_arena(http_exchange *x)
{
    return x->memory;
}

bool http_answered(const http_exchange *x)
{
    return x->begun;
}

int http_answer_status(const http_exchange *x)
{
    return x->status_code;
}

int64_t http_answer_bytes(const http_exchange *x)
{
    return x->answer_bytes;
}

/* A client that ends its side before its request is whole is found by http_body_read instead: until then
 * the end is only the end of what it had to say. */
bool http_exchange_gone(const http_exchange *x)
{
    return atomic_load(&x->conn->broken) ||
           (atomic_load(&x->conn->peer_ended) && atomic_load(&x->body_ended));
}

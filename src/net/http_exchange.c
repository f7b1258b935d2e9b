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
    return str_c(x->conn->peer_text);
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

/* Digits only; what does not fit is as far as anything goes. */
static bool parse_position(str text, int64_t *ret_value)
{
    int64_t value = 0;

    for (size_t i = 0; i < text.size; i++) {
        int digit = text.data[i] - '0';
        if (digit < 0 || digit > 9) {
            return false;
        }
        value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
    }
    *ret_value = value;
    return text.size > 0;
}

http_range http_request_range(const http_exchange *x, int64_t total_bytes, int64_t *ret_offset,
                              int64_t *ret_size)
{
    str text = http_request_header(x, "range");
    str last_text = STR_NULL;
    int64_t first = 0;
    int64_t last = INT64_MAX;

    *ret_offset = 0;
    *ret_size = total_bytes;
    if (!str_starts_with_nocase(text, STR("bytes="))) {
        return HTTP_RANGE_WHOLE;
    }
    str first_text = str_trim(str_cut(str_slice(text, 6, text.size), '-', &last_text));
    last_text = str_is_null(last_text) ? last_text : str_trim(last_text);
    if (str_is_null(last_text) || (last_text.size > 0 && !parse_position(last_text, &last)) ||
        (first_text.size > 0 && (!parse_position(first_text, &first) || first > last)) ||
        (first_text.size == 0 && last_text.size == 0)) {
        return HTTP_RANGE_WHOLE;
    }
    if (first_text.size == 0) { /* the last so many */
        first = last < total_bytes ? total_bytes - last : 0;
        last = last == 0 ? -1 : total_bytes - 1;
    }
    if (first >= total_bytes || last < first) {
        *ret_offset = total_bytes;
        *ret_size = 0;
        return HTTP_RANGE_OUTSIDE;
    }
    *ret_offset = first;
    *ret_size = (last < total_bytes - 1 ? last : total_bytes - 1) - first + 1;
    return HTTP_RANGE_PART;
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

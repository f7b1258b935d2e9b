/* Request heads: any bytes, in one piece and in several, get the same verdict, and what is accepted keeps the promises
 * that the rest of the server builds on. */
#include <string.h>

#include "http_core.h"
#include "support/fuzz.h"
#include "tarn/net/http.h"

typedef struct verdict {
    http_refusal refusal;
    size_t head_size; /* 0: more must come */
} verdict;

static verdict judge(const char *bytes, size_t size, size_t step)
{
    http_scan scan = {.line = 0};
    verdict v = {.refusal = HTTP_REFUSE_NONE};

    for (size_t given = step < size ? step : size;
         v.refusal == HTTP_REFUSE_NONE && v.head_size == 0;) {
        v.refusal = http__head_scan(&scan, bytes, given, &v.head_size);
        if (given == size) {
            break;
        }
        given = given + step < size ? given + step : size;
    }
    return v;
}

static void check_view(str view, const char *bytes, size_t size)
{
    ASSERT(view.size == 0 || (view.data >= bytes && view.data + view.size <= bytes + size));
}

static void check_head(const http_head *head, const char *bytes, size_t size)
{
    int lengths = 0;
    int codings = 0;

    ASSERT(head->method < HTTP_OTHER && head->path.size > 0);
    ASSERT(head->path.data[0] == '/' || str_equal(head->path, STR("*")));
    ASSERT(!(head->chunked && head->content_length != HTTP_NO_LENGTH));
    ASSERT(head->content_length >= HTTP_NO_LENGTH);
    ASSERT(head->minor_version == 0 || !str_is_null(head->host));
    check_view(head->target, bytes, size);
    check_view(head->query, bytes, size);
    for (size_t i = 0; i < head->header_count; i++) {
        http_header h = head->headers[i];
        check_view(h.name, bytes, size);
        check_view(h.value, bytes, size);
        ASSERT(http__is_token(h.name));
        ASSERT(h.value.size == 0 || (memchr(h.value.data, '\r', h.value.size) == NULL &&
                                     memchr(h.value.data, '\n', h.value.size) == NULL &&
                                     memchr(h.value.data, '\0', h.value.size) == NULL));
        lengths += str_equal_nocase(h.name, STR("Content-Length"));
        codings += str_equal_nocase(h.name, STR("Transfer-Encoding"));
    }
    ASSERT(lengths + codings <= 1);
    ASSERT((codings == 1) == head->chunked &&
           (lengths == 1) == (head->content_length != HTTP_NO_LENGTH));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static http_header headers[LIMIT_HTTP_HEADERS];
    const char *bytes = (const char *)data;
    verdict whole = judge(bytes, size, size > 0 ? size : 1);
    http_head head;

    for (size_t step = 1; step < 8; step += 3) {
        verdict parts = judge(bytes, size, step);
        if (size <= LIMIT_HTTP_TARGET) {
            ASSERT(parts.refusal == whole.refusal && parts.head_size == whole.head_size);
        } else { /* which of several mistakes is seen first may differ, and that alone */
            ASSERT((parts.refusal == HTTP_REFUSE_NONE) == (whole.refusal == HTTP_REFUSE_NONE));
        }
    }
    if (whole.refusal != HTTP_REFUSE_NONE || whole.head_size == 0) {
        return 0;
    }
    if (http__head_parse(bytes, whole.head_size, headers, &head) != HTTP_REFUSE_NONE) {
        return 0;
    }
    check_head(&head, bytes, whole.head_size);
    (void)http__check_host(&head, NULL, 0);

    http_exchange x = {.memory = arena_create(), .head = head};
    size_t count = 0;
    (void)http_request_params(&x, &count);
    uri_pair *pairs;
    ASSERT(uri_parse_query(x.memory, head.query, &pairs, &count, NULL) == STATUS_OK);
    arena_free(x.memory);
    return 0;
}

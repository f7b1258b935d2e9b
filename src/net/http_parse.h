/* http_parse.h: from bytes to a request's head and back out of chunks.
 *
 * Pure functions over memory: no socket, no clock. What is refused and with which answer is one table.
 * A request that two servers could read differently must never get through: where RFC 9112 lets a
 * recipient be lenient, this one is not. */
#ifndef TARN_NET_HTTP_PARSE_H
#define TARN_NET_HTTP_PARSE_H

#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
#include "tarn/net/http.h"

/*  name              answer  kind          message */
/* clang-format off */
#define HTTP_REFUSAL_TABLE(X)                                                                             \
    X(NONE,            200, OK,          "")                                                              \
    X(REQUEST_LINE,    400, INVALID,     "the request line is malformed")                                 \
    X(TARGET,          400, INVALID,     "the request target is malformed")                               \
    X(ESCAPE,          400, INVALID,     "the request target has a broken percent escape or an encoded NUL") \
    X(LINE_END,        400, INVALID,     "a line of the request head does not end in CR LF")              \
    X(FIELD_NAME,      400, INVALID,     "a header name is malformed")                                    \
    X(FIELD_VALUE,     400, INVALID,     "a header value has a control character")                        \
    X(FIELD_FOLDED,    400, INVALID,     "a header is folded over several lines")                         \
    X(LENGTH,          400, INVALID,     "Content-Length is malformed or given twice")                    \
    X(LENGTH_AND_CODING, 400, INVALID,   "Content-Length and Transfer-Encoding are both given")           \
    X(CODING_VERSION,  400, INVALID,     "Transfer-Encoding needs HTTP/1.1")                              \
    X(CODING_TWICE,    400, INVALID,     "Transfer-Encoding is given twice")                              \
    X(HOST,            400, INVALID,     "Host is missing, malformed or given twice")                     \
    X(HOST_UNKNOWN,    421, DENIED,      "this server does not answer to that host name")                 \
    X(ORIGIN,          403, DENIED,      "requests from that origin are refused")                         \
    X(HEAD_TIMEOUT,    408, TIMEOUT,     "the request head did not arrive in time")                       \
    X(BODY_TIMEOUT,    408, TIMEOUT,     "the request body did not arrive in time")                       \
    X(TARGET_SIZE,     414, TOO_LARGE,   "the request target is too long")                                \
    X(EXPECTATION,     417, UNSUPPORTED, "only the expectation 100-continue is known")                    \
    X(HEAD_SIZE,       431, TOO_LARGE,   "the request head is too large")                                 \
    X(HEAD_COUNT,      431, TOO_LARGE,   "the request has too many headers")                              \
    X(UNANSWERED,      500, INTERNAL,    "the request was not answered")                                  \
    X(METHOD,          501, UNSUPPORTED, "the request method is not known")                               \
    X(CODING,          501, UNSUPPORTED, "the only transfer coding understood is chunked")                \
    X(BUSY,            503, BUSY,        "too many requests wait already")                                \
    X(CONNECTIONS,     503, BUSY,        "too many connections are open")                                 \
    X(VERSION,         505, UNSUPPORTED, "the protocol version is not HTTP/1.0 or HTTP/1.1")
/* clang-format on */

typedef enum http_refusal {
#define X(name, ...) HTTP_REFUSE_##name,
    HTTP_REFUSAL_TABLE(X)
#undef X
        HTTP_REFUSAL_COUNT
} http_refusal;

typedef struct http_refusal_info {
    int http_status;
    status kind;
    const char *message;
} http_refusal_info;
const http_refusal_info *http__refusal(http_refusal refusal);

/* What the core itself needs to know of a head. All text is a view into the parsed bytes. */
typedef struct http_head {
    http_method method;
    int minor_version; /* 0 or 1 */
    str target;        /* as sent */
    str path;          /* of the target, never empty; "*" for OPTIONS * */
    str query;
    str host; /* authority of an absolute target, else Host; STR_NULL where a 1.0 client sent none */
    const http_header *headers;
    size_t header_count;
    int64_t content_length; /* HTTP_NO_LENGTH where absent */
    bool chunked;
    bool keep_alive;
    bool expects_continue;
    bool expects_more; /* something that is not known */
} http_head;
#define HTTP_NO_LENGTH INT64_C(-1)

/* What of a request's target is among its first bytes, whatever is wrong with them; STR_NULL where it has not begun. */
str http__target_in(const char *bytes, size_t size);

/* How far an incomplete head was looked through; zero at the start of a request. */
typedef struct http_scan {
    size_t line; /* start of the line that is not complete */
    size_t seen; /* no line feed before this */
} http_scan;

/* Looks for the end of the head in bytes that grow between calls. `*ret_size` is its size with the empty
 * line, or 0 while more must come. Refuses early what can no longer become a request. */
http_refusal http__head_scan(http_scan *scan, const char *bytes, size_t size, size_t *ret_size);

/* Parses a whole head (as found by http__head_scan). `headers` has room for LIMIT_HTTP_HEADERS; the head
 * points to it. */
http_refusal http__head_parse(const char *bytes, size_t size, http_header *headers,
                              http_head *ret_head);

/* Header lines up to an empty one: also for trailers. */
http_refusal http__fields_parse(const char *bytes, size_t size, http_header *headers,
                                size_t *ret_count);

/* True where all escapes are whole and none is NUL. */
bool http__escapes_valid(str text);
bool http__is_token(str text);
/* Whether the list header `value` (tokens, commas) has `token`, ignoring case. */
bool http__list_has(str value, str token);
/* Splits "host:port", "[v6]:port": the host without port, STR_NULL where malformed. */
str http__host_name(str authority);
/* Whether that host is a loopback name: localhost, *.localhost, 127.0.0.0/8, ::1. */
bool http__host_is_loopback(str name);
/* The Host and Origin rules of http_service. */
http_refusal http__check_host(const http_head *head, const str *hosts, size_t host_count);

/* ---- chunked bodies ---- */
typedef enum http_chunked_state {
    CHUNK_SIZE, /* digits */
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA, /* `left` bytes of it are next */
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER,
    CHUNK_END,
} http_chunked_state;

typedef struct http_chunked {
    http_chunked_state state;
    int digits;
    int64_t left;     /* bytes of this chunk's data that were not taken yet */
    size_t line_size; /* of the size line or trailer line so far */
    buf *trailer;     /* raw trailer lines are added here; with a maximum */
} http_chunked;

enum { HTTP_CHUNK_LINE_MAX = 256 }; /* size and extensions */

/* Takes framing bytes until data (state CHUNK_DATA) or the end (CHUNK_END) is reached, or all are used up.
 * In CHUNK_DATA the caller takes up to `left` bytes itself and tells http__chunked_took. INVALID, TOO_LARGE. */
status http__chunked_next(http_chunked *d, const char *bytes, size_t size, size_t *ret_used,
                          error *err);
void http__chunked_took(http_chunked *d, size_t size);

#endif

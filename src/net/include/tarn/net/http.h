/* http.h: the HTTP/1.1 server core: what a handler sees.
 *
 * One epoll loop per core accepts, parses and writes; a handler runs in a thread of the blocking pool (or on
 * the loop itself where its route says so, and then must not block). An exchange is one request and its
 * answer; all its memory is its arena, freed when the answer is out. Functions below are called by the
 * handler's thread only, except http_exchange_gone.
 *
 * Invariants
 *   1. A request that is not beyond doubt well-formed (RFC 9112: both CL and TE, bare LF, obs-fold, two
 *      lengths, NUL, space before colon, bad chunk) is answered 400 and the connection closed.
 *   2. Body bytes wait in the socket until the handler reads them; answer bytes wait in the handler until the
 *      socket takes them: neither direction buffers more than http_config.buffer_bytes. Bodies that handlers await
 *      whole are held, all together up to http_config.whole_bytes_max.
 *   3. An answer that was begun and not ended is cut off so that the client sees an error, never a clean end.
 *   4. Everything has a deadline: head, idle keep-alive, body progress, answer progress.
 *
 * Sources: RFC 9110, 9112; Host and Origin checks against DNS rebinding. */
#ifndef TARN_NET_HTTP_H
#define TARN_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"
#include "tarn/base/thread.h"
#include "tarn/net/uri.h"

typedef struct http_server http_server;
typedef struct http_exchange http_exchange;

typedef enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_PATCH,
    HTTP_OPTIONS,
    HTTP_OTHER, /* a token we do not know: answered 501 before any handler */
} http_method;
const char *http_method_name(http_method method);

typedef struct http_header {
    str name;  /* as sent */
    str value; /* trimmed */
} http_header;

/* ---- the request ---- */
http_method http_request_method(const http_exchange *x);
str http_request_target(const http_exchange *x); /* raw, as on the wire */
str http_request_path(const http_exchange *x);   /* raw part before "?" */
str http_request_query(const http_exchange *x);  /* raw part behind "?", or empty */
/* First of that name, STR_NULL where absent. */
str http_request_header(const http_exchange *x, const char *name);
size_t http_request_header_count(const http_exchange *x);
http_header http_request_header_at(const http_exchange *x, size_t index);
str http_request_id(const http_exchange *x);   /* also sent as X-Request-Id */
str http_request_peer(const http_exchange *x); /* "127.0.0.1:51234" or "unix" */
/* Value of a query parameter, decoded; STR_NULL where absent. A malformed query was refused before. */
str http_request_param(const http_exchange *x, const char *name);
const uri_pair *http_request_params(const http_exchange *x, size_t *ret_count);
/* Decoded segment of the path that the route's pattern named; STR_NULL where it names none. */
str http_request_segment(const http_exchange *x, const char *name);
arena *http_exchange_arena(http_exchange *x);
/* Of a chunked body's trailer section; known when http_body_read has given the end. */
str http_request_trailer(const http_exchange *x, const char *name);

/* What "Range: bytes=…" asks for of something of `total_bytes` (RFC 9110 §14). */
typedef enum http_range {
    HTTP_RANGE_WHOLE, /* absent, malformed, of another unit, or several: answer 200 with all of it */
    HTTP_RANGE_PART,  /* answer 206 with `offset` and `size`, and Content-Range */
    HTTP_RANGE_OUTSIDE, /* answer 416 */
} http_range;
/* Outputs are always set: the whole, the part, or nothing at the end. */
http_range http_request_range(const http_exchange *x, int64_t total_bytes, int64_t *ret_offset,
                              int64_t *ret_size);

/* ---- its body ---- */
int64_t http_body_size(const http_exchange *x); /* -1 where chunked, 0 where there is none */
/* What http_body_read may hand out in all; without it there is no maximum. */
void http_body_set_max(http_exchange *x, int64_t max_bytes);
/* From now on the body is waited for no longer than `in_ms` in all (TIMEOUT), however it trickles; 0 lifts that, and
 * progress_timeout_ms holds for each wait again. */
void http_body_set_deadline(http_exchange *x, int64_t in_ms);
/* Up to `size_bytes`; 0 bytes is the end. Sends "100 Continue" at the first call where it was asked for.
 * CANCELLED: the client went away; TIMEOUT; INVALID: broken chunk; TOO_LARGE: beyond http_body_set_max. */
status http_body_read(http_exchange *x, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                      error *err);
/* The whole body in the exchange's arena. TOO_LARGE beyond `size_max_bytes`. */
status http_body_read_all(http_exchange *x, size_t size_max_bytes, str *ret_body, error *err);
/* The same for a body that may be large or slow: no thread waits for it. What has not come at once is collected by the
 * loop. Then this fails with CANCELLED and http_body_is_awaited is true: the handler returns without an answer, having
 * done nothing but look at the head, and is called anew, from its beginning, once the body is whole or has failed.
 * UNAVAILABLE: bodies that are held whole have all of whole_bytes_max; TIMEOUT also for one that keeps much of that and
 * hardly moves. The bytes live as long as the exchange. */
status http_body_await(http_exchange *x, size_t size_max_bytes, str *ret_body, error *err);
bool http_body_is_awaited(const http_exchange *x);

/* ---- the answer: either http_respond…, or begin, write…, end ---- */
/* Adds a header, copied; control characters in value are a programming error and are replaced by "?", a name
 * that is no token is dropped. Framing headers (Content-Length, Transfer-Encoding, Connection, Date) are the
 * core's own. Without effect once the answer was begun. */
void http_set_header(http_exchange *x, const char *name, str value);
/* `content_type` may be NULL. An answer that was begun before cannot be taken back: it is then cut off
 * (http_stream_abort), so that a failure in the middle of a stream may simply be answered. */
void http_respond(http_exchange *x, int status_code, const char *content_type, str body);
/* The same with a body in up to HTTP_PIECES_MAX pieces, which are sent from where they lie. */
#define HTTP_PIECES_MAX 4
void http_respond_pieces(http_exchange *x, int status_code, const char *content_type,
                         const str *pieces, size_t count);
/* A part of an open file, by sendfile. Takes `fd` over. A file that is shorter than said cuts the answer. */
void http_respond_file(http_exchange *x, int status_code, const char *content_type, int fd,
                       int64_t offset, int64_t size_bytes);
/* A whole file, by sendfile, between two pieces. `fd` is lent: it has to stay open as long as the exchange's arena
 * lives (arena_defer). */
void http_respond_around(http_exchange *x, int status_code, const char *content_type, str before,
                         int fd, int64_t size_bytes, str after);

/* Streams, chunked (or until close for HTTP/1.0). `size_bytes` -1 where unknown; otherwise exactly as many
 * must be written (for HEAD: none). The head is held back for the first bytes, at most 200 ms. Each write is
 * sent at once: collect small pieces before. */
status http_stream_begin(http_exchange *x, int status_code, const char *content_type,
                         int64_t size_bytes, error *err);
/* Declared before http_stream_begin: sends "Trailer: name". */
void http_declare_trailer(http_exchange *x, const char *name);
/* Blocks while the client reads slowly. CANCELLED where it is gone, TIMEOUT where it does not read at all, or slower
 * than body_rate_least. */
status http_stream_write(http_exchange *x, const void *bytes, size_t size_bytes, error *err);
void http_set_trailer(http_exchange *x, const char *name, str value); /* before http_stream_end */
status http_stream_end(http_exchange *x, error *err);
/* Cuts the connection: the client sees an incomplete answer. */
void http_stream_abort(http_exchange *x);

bool http_answered(const http_exchange *x); /* an answer was begun */
int http_answer_status(const http_exchange *x);
int64_t http_answer_bytes(const http_exchange *x); /* body bytes so far */
/* True when the client has closed or reset its connection, or has ended its side after its whole request
 * (read by the handler) was sent: that is what a client that closes looks like, and the few that only half-close
 * still get what the handler writes, since writing goes on until the kernel refuses. Poll it in long work: it
 * turns true within milliseconds. Any thread, while the handler runs. */
bool http_exchange_gone(const http_exchange *x);

/* ---- the server ---- */
/* Zero anywhere takes the default below. */
typedef struct http_config {
    int loops;           /* 0: one per core */
    int handler_threads; /* at most this many handlers at once */
    int connections_max;
    int address_connections_max; /* of one address, of IPv6 a /64 network; 0: three quarters of all */
    size_t buffer_bytes;         /* per direction and connection */
    int64_t head_timeout_ms;
    int64_t idle_timeout_ms;
    int64_t progress_timeout_ms; /* a body or an answer that does not move */
    int64_t drain_timeout_ms;    /* at http_server_stop */
    /* A body that comes slower, or an answer that is read slower, gives way (TIMEOUT) where another request waits for a
     * handler's thread; 0: never. So does any, however quick, where clients of its address keep more than half of the
     * threads waiting for them and requests of other addresses wait. Where clients of any address keep so many, the
     * least rate doubles with each half window for which requests wait: the slowest give way, until none waits. Looked
     * at whenever the handler has waited for the client for body_window_ms; in such a shortage for half of that. */
    int64_t body_rate_least; /* bytes a second */
    int64_t body_window_ms;
    int64_t whole_bytes_max; /* of all bodies that are held whole (http_body_await) */
} http_config;
#define HTTP_CONFIG_DEFAULTS                                                              \
    {                                                                                     \
        .handler_threads = 128, .connections_max = 10000, .buffer_bytes = 256 * 1024,     \
        .head_timeout_ms = 10000, .idle_timeout_ms = 75000, .progress_timeout_ms = 60000, \
        .drain_timeout_ms = 10000, .body_window_ms = 5000,                                \
        .whole_bytes_max = INT64_C(512) * 1024 * 1024                                     \
    }

/* What answers on a door (an address). */
/* What the server itself says to a request that no handler sees: malformed, too large, too late, another's Host. */
typedef struct http_refused {
    int http_status;
    status kind;
    const char *message;
    str id;     /* the request's */
    str target; /* as sent, or the part of it that came; STR_NULL where nothing of it is known */
} http_refused;

#define HTTP_WHOLE_BYTES_MAX (16 * 1024) /* of a body that the loop waits for */

typedef struct http_service {
    /* Called once per request, by a pool thread, or by the loop where `is_inline` says yes. Must answer. */
    void (*handle)(void *context, http_exchange *x);
    /* NULL: never on the loop. Called on the loop with the head parsed, for requests without a body. */
    bool (*is_inline)(void *context, http_exchange *x);
    /* NULL: never. Whether the loop waits for the body, where it has at most so many bytes, a length, and no client
     * that waits for "100 Continue": who may be anybody does not hold a thread with a body that does not come. Called
     * with the head parsed, by the loop or by the thread that stays with a connection. */
    bool (*wants_whole)(void *context, http_exchange *x);
    void *context;
    /* Refuse Host and Origin that are neither loopback names nor in `hosts` (421, 403). */
    bool check_host;
    /* The body of a refusal, and its media type, in the door's own shape; without it, or where it answers NULL: tarn's
     * JSON. Called on the loop, or by the thread that stays with a connection. */
    const char *(*format_refusal)(void *context, const http_refused *refused, buf *body);
    /* An Expect that is not known is passed over, as S3 does, instead of answered 417. */
    bool any_expectation;
    /* More names that the door answers to, without port; must outlive the server. */
    const str *hosts;
    size_t host_count;
} http_service;

status http_server_create(const http_config *config, http_server **ret_server, error *err);
/* "127.0.0.1:8181", "[::1]:0", "unix:/path". Port 0 takes a free one. UNAVAILABLE where in use (naming the
 * setting is the caller's job), INVALID for a bad address. `ret_address` gets the bound one. Before start. */
status http_server_listen(http_server *server, str address, const http_service *service,
                          char ret_address[128], error *err);
status http_server_start(http_server *server, error *err);
/* Stops accepting, lets exchanges finish until the drain timeout, then cuts them. Returns when every handler has
 * returned. */
void http_server_stop(http_server *server);
void http_server_free(http_server *server);

typedef struct http_stats {
    int64_t connections_open, connections_total, requests_total, requests_refused, bytes_in,
        bytes_out;
    int64_t unix_connections_open; /* clients of a private server */
} http_stats;
void http_server_stats(const http_server *server, http_stats *ret_stats);

/* ---- routing ---- */
/* Patterns: "/api/v1/queries/{id}": a name in braces takes one segment, "{rest*}" the rest of the path.
 * Segments are split on the raw path and decoded once each, so an encoded slash stays in its segment; "." and
 * ".." segments are refused. */
typedef struct http_pattern {
    http_method method;
    const char *pattern;
} http_pattern;
typedef struct http_router http_router;
/* `stride` is the size of a row whose first member is an http_pattern: a route table is its own array. */
http_router *http_router_create(const void *rows, size_t row_count, size_t stride);
void http_router_free(http_router *router);
/* The row's index, its segments stored in the exchange (http_request_segment). HEAD matches a GET row.
 * NOT_FOUND; METHOD where only other methods have the path (then `Allow` is set on the answer). */
status http_router_match(const http_router *router, http_exchange *x, size_t *ret_index,
                         error *err);

#endif

/* http_client.h: HTTP requests, streaming both ways, over libcurl.
 *
 * A client holds one connection and is used by one thread; keep it for all requests to one server. */
#ifndef TARN_NET_HTTP_CLIENT_H
#define TARN_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/buf.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"
#include "tarn/net/http.h"

typedef struct http_client http_client;

/* `base` is "http://127.0.0.1:8181" or "unix:/path/to/socket". */
http_client *http_client_create(str base);
void http_client_free(http_client *client);
/* Sent as "Authorization: Bearer …" with every request; copied. STR_NULL takes it away. */
void http_client_set_bearer(http_client *client, str key);

typedef struct http_call {
    http_method method;
    const char *target; /* path and query, encoded */
    const http_header *headers;
    size_t header_count;
    str body;
    /* Streaming body instead of `body`: fills bytes, 0 at the end; size -1 sends chunked. */
    status (*read)(void *context, void *ret_bytes, size_t size_bytes, size_t *ret_size, error *err);
    void *read_context;
    int64_t read_size_bytes;
    /* Answer bytes of a 2xx answer as they come; NULL collects them in http_answer.body. */
    status (*write)(void *context, const void *bytes, size_t size_bytes, error *err);
    void *write_context;
    size_t body_max_bytes; /* of a collected answer; 0: LIMIT_RESULT_IN_MEMORY */
    int64_t timeout_ms;    /* of the whole call; 0: none */
    /* Polled several times a second; non-zero ends the call with CANCELLED. May be NULL. */
    const _Atomic int *cancelled;
} http_call;

typedef struct http_answer {
    int status_code;
    str body;                   /* collected; always for answers other than 2xx */
    const http_header *headers; /* trailers too, behind the headers */
    size_t header_count;
} http_answer;

/* UNAVAILABLE: nobody answers there, or the answer broke off; message says which. An HTTP error status is not an
 * error here. Everything in `ret_answer` lives in the arena. */
status http_client_send(http_client *client, const http_call *call, arena *a,
                        http_answer *ret_answer, error *err);
str http_answer_header(const http_answer *answer, const char *name);

#endif

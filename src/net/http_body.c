/* The request body: straight from the socket to whoever reads it. Bytes that came with the head are taken
 * from the connection's buffer first; further ones are read into the caller's memory, except for the framing
 * of chunks, which passes through the buffer. */
#include <errno.h>
#include <poll.h>

#include "http_core.h"
#include "tarn/base/clock.h"

int64_t http_body_size(const http_exchange *x)
{
    if (x->head.chunked) {
        return -1;
    }
    return x->head.content_length == HTTP_NO_LENGTH ? 0 : x->head.content_length;
}

void http_body_set_max(http_exchange *x, int64_t max_bytes)
{
    x->body_max = max_bytes;
}

void http_body_set_deadline(http_exchange *x, int64_t in_ms)
{
    x->body_until_ms = in_ms > 0 ? clock_mono_ms() + in_ms : 0;
}

/* For the next byte; 0: as long as the server has it. */
static int64_t patience_ms(const http_exchange *x)
{
    int64_t left_ms = x->body_until_ms - clock_mono_ms();

    return x->body_until_ms == 0 ? 0 : left_ms > 1 ? left_ms : 1;
}

void http__body_begin(http_exchange *x)
{
    x->body_left = x->head.chunked ? 0 : http_body_size(x);
    x->body_max = -1;
    x->continue_due = x->head.expects_continue && (x->head.chunked || x->body_left > 0);
    x->chunked = (http_chunked){.state = CHUNK_SIZE};
    if (x->head.chunked) {
        x->chunked.trailer = buf_in(x->memory, LIMIT_HTTP_HEAD);
    }
    atomic_store(&x->body_ended, !x->head.chunked && x->body_left == 0);
}

static http_body_step body_failed(http_exchange *x)
{
    x->body_failed = true;
    return BODY_FAILED;
}

/* From the buffer if there is something, else from the socket. At most `size` and `left`. */
static http_body_step take_bytes(http_exchange *x, void *ret_bytes, size_t size, int64_t left,
                                 size_t *ret_size, error *err)
{
    http_conn *c = x->conn;
    size_t want = (int64_t)size < left ? size : (size_t)left;
    size_t buffered = c->in_size - c->in_at;

    if (buffered > 0) {
        size_t part = want < buffered ? want : buffered;
        memcpy(ret_bytes, c->in + c->in_at, part);
        c->in_at += part;
        *ret_size = part;
        return BODY_DATA;
    }
    ssize_t got = c->io.ops->read(&c->io, ret_bytes, want);
    c->in_drained = false;
    if (got > 0) {
        http__count(&c->loop->counters.bytes_in, got);
        *ret_size = (size_t)got;
        return BODY_DATA;
    }
    if (got < 0 && errno == EAGAIN) {
        return BODY_WAIT;
    }
    (void)error_set(err, STATUS_CANCELLED, "the client went away before its request was whole");
    return body_failed(x);
}

/* Framing bytes into the buffer. */
static http_body_step fill_framing(http_exchange *x, error *err)
{
    ssize_t got = http__conn_fill(x->conn, HTTP_READ_BYTES);

    if (got > 0) {
        return BODY_DATA;
    }
    if (got < 0 && errno == EAGAIN) {
        return BODY_WAIT;
    }
    (void)error_set(err, STATUS_CANCELLED, "the client went away before its request was whole");
    return body_failed(x);
}

static http_body_step chunked_end(http_exchange *x, error *err)
{
    const buf *raw = x->chunked.trailer;

    if (raw->size > sizeof "\r\n" - 1) {
        http_header *headers = ARENA_ARRAY(x->memory, http_header, LIMIT_HTTP_HEADERS);
        size_t count = 0;
        http_refusal refusal = http__fields_parse(raw->data, raw->size, headers, &count);
        if (refusal != HTTP_REFUSE_NONE) {
            (void)error_set(err, STATUS_INVALID, "the trailers of the request are malformed: %s",
                            http__refusal(refusal)->message);
            return body_failed(x);
        }
        x->request_trailers = headers;
        x->request_trailer_count = count;
    }
    atomic_store(&x->body_ended, true);
    return BODY_END;
}

static http_body_step chunked_step(http_exchange *x, void *ret_bytes, size_t size, size_t *ret_size,
                                   error *err)
{
    http_conn *c = x->conn;

    while (true) {
        size_t used = 0;
        if (http__chunked_next(&x->chunked, c->in + c->in_at, c->in_size - c->in_at, &used, err) !=
            STATUS_OK) {
            return body_failed(x);
        }
        c->in_at += used;
        if (x->chunked.state == CHUNK_END) {
            return chunked_end(x, err);
        }
        if (x->chunked.state == CHUNK_DATA) {
            http_body_step step = take_bytes(x, ret_bytes, size, x->chunked.left, ret_size, err);
            if (step == BODY_DATA) {
                http__chunked_took(&x->chunked, *ret_size);
            }
            return step;
        }
        http_body_step step = fill_framing(x, err);
        if (step != BODY_DATA) {
            return step;
        }
    }
}

http_body_step http__body_step(http_exchange *x, void *ret_bytes, size_t size, size_t *ret_size,
                               error *err)
{
    http_body_step step;

    if (x->body_failed) {
        (void)error_set(err, STATUS_CANCELLED, "the request body broke off earlier");
        return BODY_FAILED;
    }
    if (atomic_load(&x->body_ended)) {
        return BODY_END;
    }
    if (x->head.chunked) {
        step = chunked_step(x, ret_bytes, size, ret_size, err);
    } else {
        step = take_bytes(x, ret_bytes, size, x->body_left, ret_size, err);
        if (step == BODY_DATA) {
            x->body_left -= (int64_t)*ret_size;
            if (x->body_left == 0) {
                atomic_store(&x->body_ended, true);
            }
        }
    }
    if (step == BODY_DATA) {
        x->body_taken += (int64_t)*ret_size;
    }
    return step;
}

status http__body_too_large(http_exchange *x, int64_t max_bytes, error *err)
{
    x->close_after = true;
    return error_set(err, STATUS_TOO_LARGE, "the request body is larger than %lld bytes",
                     (long long)max_bytes);
}

/* The client may wait for this before it sends a byte of its body. */
status http__body_continue(http_exchange *x, error *err)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    http_conn *c = x->conn;
    size_t at = 0;

    if (!x->continue_due) {
        return STATUS_OK;
    }
    x->continue_due = false;
    if (c->in_size > c->in_at || x->begun) {
        return STATUS_OK; /* it did not wait, or it has its answer */
    }
    while (at < sizeof line - 1) {
        struct iovec part = {.iov_base = (void *)(uintptr_t)(line + at),
                             .iov_len = sizeof line - 1 - at};
        ssize_t sent = c->io.ops->write(&c->io, &part, 1, false);
        if (sent > 0) {
            at += (size_t)sent;
        } else if (errno == EAGAIN) {
            TRY(http__conn_wait(c, &(http_wait){.events = POLLOUT}, err));
        } else {
            x->body_failed = true;
            return error_set(err, STATUS_CANCELLED, "the client went away");
        }
    }
    return STATUS_OK;
}

status http_body_read(http_exchange *x, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                      error *err)
{
    error own;
    size_t size = 0;

    err = err != NULL ? err : &own;
    if (x->body_max >= 0 && http_body_size(x) > x->body_max) {
        return http__body_too_large(x, x->body_max, err);
    }
    TRY(http__body_continue(x, err));
    while (size_bytes > 0) {
        http_body_step step = http__body_step(x, ret_bytes, size_bytes, &size, err);
        if (step == BODY_FAILED) {
            return err->kind;
        }
        if (step != BODY_WAIT) {
            break;
        }
        if (x->is_inline) {
            return error_set(err, STATUS_INTERNAL, "a handler on the loop cannot wait for a body");
        }
        const http_wait wait = {.events = POLLIN,
                                .timeout_ms = patience_ms(x),
                                .pace = &x->body_pace,
                                .moved = x->body_taken};
        status waited = http__conn_wait(x->conn, &wait, err);
        if (waited != STATUS_OK) {
            x->body_failed = true;
            return waited;
        }
    }
    if (x->body_max >= 0 && x->body_taken > x->body_max) {
        return http__body_too_large(x, x->body_max, err);
    }
    *ret_size = size;
    return STATUS_OK;
}

status http_body_read_all(http_exchange *x, size_t size_max_bytes, str *ret_body, error *err)
{
    int64_t known = http_body_size(x);
    size_t got = 0;

    if (known >= 0) {
        if ((uint64_t)known > size_max_bytes) {
            return http__body_too_large(x, (int64_t)size_max_bytes, err);
        }
        char *bytes = arena_alloc(x->memory, (size_t)known + 1);
        for (size_t size = 0; size < (size_t)known; size += got) {
            TRY(http_body_read(x, bytes + size, (size_t)known - size, &got, err));
        }
        *ret_body = str_from(bytes, (size_t)known);
        return STATUS_OK;
    }

    buf *body = buf_in(x->memory, size_max_bytes);
    while (true) {
        /* One byte beyond the maximum tells a body that is just as large from one that is larger. */
        char beyond;
        size_t room = size_max_bytes - body->size;
        room = room < HTTP_READ_BYTES ? room : HTTP_READ_BYTES;
        char *at = room > 0 ? buf_reserve(body, room) : &beyond;
        TRY(http_body_read(x, at, room > 0 ? room : 1, &got, err));
        if (got == 0) {
            break;
        }
        if (room == 0) {
            return http__body_too_large(x, (int64_t)size_max_bytes, err);
        }
        buf_commit(body, got);
    }
    *ret_body = buf_str(body);
    return STATUS_OK;
}

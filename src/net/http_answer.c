/* The answer: head, framing, and the way of its bytes to the socket. A handler of the pool waits for the
 * socket where it must; one on the loop never does: what the socket does not take goes into the connection's
 * tail, which the loop sends. The end of an ordinary answer goes there too, so that no pool thread waits for
 * a slow reader's last bytes. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "http_core.h"
#include "tarn/base/fs.h"

enum {
    ANSWER_UNTIL_CLOSE = -1, /* size of a body that is not known */
    ANSWER_NO_BODY = -2,     /* not even a length: 204, 304 */
};

/* ---- headers ---- */

static str clean_value(arena *a, str value)
{
    char *copy = arena_strndup(a, value.data != NULL ? value.data : "", value.size);

    for (size_t i = 0; i < value.size; i++) {
        if (((unsigned char)copy[i] < 0x20 && copy[i] != '\t') || copy[i] == 0x7f) {
            copy[i] = '?';
        }
    }
    return str_from(copy, value.size);
}

void http_set_header(http_exchange *x, const char *name, str value)
{
    if (x->begun || !http__is_token(str_c(name))) {
        return;
    }
    http_header header = {.name = str_copy(x->memory, str_c(name)),
                          .value = clean_value(x->memory, value)};
    vec_push(x->memory, &x->headers, header);
}

void http_declare_trailer(http_exchange *x, const char *name)
{
    http_set_header(x, "Trailer", str_c(name));
}

void http_set_trailer(http_exchange *x, const char *name, str value)
{
    if (!http__is_token(str_c(name))) {
        return;
    }
    http_header header = {.name = str_copy(x->memory, str_c(name)),
                          .value = clean_value(x->memory, value)};
    vec_push(x->memory, &x->trailers, header);
}

static void put(char **at, str text)
{
    if (text.size > 0) {
        memcpy(*at, text.data, text.size);
        *at += text.size;
    }
}

static void put_number(char **at, int64_t value)
{
    char digits[24];
    size_t size = 0;

    do {
        digits[sizeof digits - ++size] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put(at, str_from(digits + sizeof digits - size, size));
}

static void put_header(char **at, str name, str value)
{
    put(at, name);
    put(at, STR(": "));
    put(at, value);
    put(at, STR("\r\n"));
}

/* Whether the connection ends with this answer: because somebody wants it, or because the rest of the
 * request's body cannot be got out of the way cheaply or for certain. */
static bool closes_after(const http_exchange *x)
{
    if (x->close_after || !x->head.keep_alive || x->body_failed ||
        atomic_load(&x->conn->loop->server->stopping)) {
        return true;
    }
    if (atomic_load(&x->body_ended)) {
        return false;
    }
    /* A client that was not told to continue may or may not send its body. */
    return x->continue_due || (!x->head.chunked && x->body_left > HTTP_DRAIN_BYTES);
}

/* The head with its empty line, in the exchange's arena. */
static str head_format(http_exchange *x, const char *content_type, int64_t size)
{
    str reason = str_c(http__reason(x->status_code));
    str type = str_c(content_type);
    size_t room = 256 + reason.size + type.size + x->id.size;

    for (size_t i = 0; i < x->headers.count; i++) {
        room += x->headers.items[i].name.size + x->headers.items[i].value.size + 4;
    }
    x->is_chunked = size == ANSWER_UNTIL_CLOSE && x->head.minor_version == 1;
    x->close_after = closes_after(x) || (size == ANSWER_UNTIL_CLOSE && !x->is_chunked);

    char *text = arena_alloc(x->memory, room);
    char *at = text;
    put(&at, STR("HTTP/1.1 "));
    put_number(&at, x->status_code);
    put(&at, STR(" "));
    put(&at, reason);
    put(&at, STR("\r\n"));
    put_header(&at, STR("Date"), str_from(http__date(), 29));
    if (type.size > 0) {
        put_header(&at, STR("Content-Type"), type);
    }
    if (size >= 0) {
        put(&at, STR("Content-Length: "));
        put_number(&at, size);
        put(&at, STR("\r\n"));
    } else if (x->is_chunked) {
        put_header(&at, STR("Transfer-Encoding"), STR("chunked"));
    }
    if (x->close_after) {
        put_header(&at, STR("Connection"), STR("close"));
    } else if (x->head.minor_version == 0) {
        put_header(&at, STR("Connection"), STR("keep-alive"));
    }
    if (x->id.size > 0) {
        put_header(&at, STR("X-Request-Id"), x->id);
    }
    for (size_t i = 0; i < x->headers.count; i++) {
        put_header(&at, x->headers.items[i].name, x->headers.items[i].value);
    }
    put(&at, STR("\r\n"));
    ASSERT((size_t)(at - text) <= room);
    return str_from(text, (size_t)(at - text));
}

/* ---- bytes to the socket ---- */

static size_t parts_size(const struct iovec *parts, int count)
{
    size_t size = 0;

    for (int i = 0; i < count; i++) {
        size += parts[i].iov_len;
    }
    return size;
}

static void parts_skip(struct iovec **parts, int *count, size_t size)
{
    while (*count > 0 && size >= (*parts)->iov_len) {
        size -= (*parts)->iov_len;
        (*parts)++;
        (*count)--;
    }
    if (*count > 0) {
        (*parts)->iov_base = (char *)(*parts)->iov_base + size;
        (*parts)->iov_len -= size;
    }
}

static void tail_add(http_tail *tail, const struct iovec *parts, int count)
{
    tail->bytes = mem_resize(tail->bytes, tail->size + parts_size(parts, count) + 1);
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > 0) {
            memcpy(tail->bytes + tail->size, parts[i].iov_base, parts[i].iov_len);
            tail->size += parts[i].iov_len;
        }
    }
}

static status send_failed(http_exchange *x, error *err)
{
    x->failed = true;
    return error_set(err, STATUS_CANCELLED, "the client went away");
}

/* Sends all parts, waiting where the socket is full, until at most `tail_max` bytes are left: those go into
 * the tail. On the loop everything that is left does. Changes the parts. */
static status send_parts(http_exchange *x, struct iovec *parts, int count, bool more,
                         size_t tail_max, error *err)
{
    http_conn *c = x->conn;

    if (x->failed) {
        return error_set(err, STATUS_CANCELLED, "the answer was broken off earlier");
    }
    if (c->tail.size > c->tail.at) { /* on the loop, behind what waits already */
        tail_add(&c->tail, parts, count);
        return STATUS_OK;
    }
    parts_skip(&parts, &count, 0);
    while (count > 0) {
        ssize_t sent = c->io.ops->write(&c->io, parts, count, more);
        if (sent >= 0) {
            http__count(&c->loop->counters.bytes_out, sent);
            x->answer_sent += sent;
            parts_skip(&parts, &count, (size_t)sent);
            continue;
        }
        if (errno != EAGAIN) {
            return send_failed(x, err);
        }
        if (x->is_inline || parts_size(parts, count) <= tail_max) {
            tail_add(&c->tail, parts, count);
            return STATUS_OK;
        }
        const http_wait wait = {
            .events = POLLOUT, .pace = &x->answer_pace, .moved = x->answer_sent};
        status waited = http__conn_wait(c, &wait, err);
        if (waited != STATUS_OK) {
            x->failed = true;
            return waited;
        }
    }
    return STATUS_OK;
}

void http__tail_release(http_conn *c)
{
    mem_free(c->tail.bytes);
    if (c->tail.file >= 0 && !c->tail.file_is_lent) {
        fs_close(c->tail.file);
    }
    c->tail = (http_tail){.file = -1};
}

static http_tail_step tail_send_bytes(http_conn *c)
{
    while (c->tail.at < c->tail.size) {
        struct iovec part = {.iov_base = c->tail.bytes + c->tail.at,
                             .iov_len = c->tail.size - c->tail.at};
        ssize_t sent = c->io.ops->write(&c->io, &part, 1, c->tail.file >= 0);
        if (sent < 0) {
            return errno == EAGAIN ? TAIL_WAIT : TAIL_BROKEN;
        }
        http__count(&c->loop->counters.bytes_out, sent);
        c->tail.at += (size_t)sent;
    }
    return TAIL_DONE;
}

http_tail_step http__tail_send(http_conn *c)
{
    http_tail_step step = tail_send_bytes(c);
    int64_t burst = HTTP_FILE_BURST_BYTES;

    while (step == TAIL_DONE && c->tail.left > 0) {
        if (burst <= 0) {
            return TAIL_TURN;
        }
        size_t part = (size_t)(c->tail.left < burst ? c->tail.left : burst);
        ssize_t sent = c->io.ops->sendfile(&c->io, c->tail.file, &c->tail.offset, part);
        if (sent < 0) {
            return errno == EAGAIN ? TAIL_WAIT : TAIL_BROKEN;
        }
        if (sent == 0) {
            return TAIL_BROKEN; /* the file is shorter than was promised */
        }
        http__count(&c->loop->counters.bytes_out, sent);
        c->tail.left -= sent;
        burst -= sent;
        if (c->tail.left == 0 && c->tail.behind.size > 0) {
            struct iovec rest = {.iov_base = (void *)(uintptr_t)c->tail.behind.data,
                                 .iov_len = c->tail.behind.size};

            http__tail_release(c);
            tail_add(&c->tail, &rest, 1);
            step = tail_send_bytes(c);
        }
    }
    if (step == TAIL_DONE) {
        http__tail_release(c);
    }
    return step;
}

/* ---- whole answers ---- */

static bool has_no_body(int status_code)
{
    return status_code < 200 || status_code == 204 || status_code == 304;
}

/* False where an answer was begun before: that one cannot be taken back, only cut. */
static bool answer_begin(http_exchange *x, int status_code)
{
    if (x->begun) {
        if (!x->ended) {
            http_stream_abort(x);
        }
        return false;
    }
    x->begun = true;
    x->status_code = status_code;
    x->declared_bytes = ANSWER_UNTIL_CLOSE;
    return true;
}

void http_respond_pieces(http_exchange *x, int status_code, const char *content_type,
                         const str *pieces, size_t count)
{
    bool bodiless = has_no_body(status_code);
    struct iovec parts[1 + HTTP_PIECES_MAX];
    size_t size = 0;

    ASSERT(count <= HTTP_PIECES_MAX);
    if (!answer_begin(x, status_code)) {
        return;
    }
    x->ended = true;
    for (size_t i = 0; i < count; i++) {
        parts[1 + i] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[i].data,
                                      .iov_len = pieces[i].size};
        size += pieces[i].size;
    }
    str head = head_format(x, content_type, bodiless ? ANSWER_NO_BODY : (int64_t)size);
    bool is_sent = !bodiless && x->head.method != HTTP_HEAD && size > 0;
    parts[0] = (struct iovec){.iov_base = (void *)(uintptr_t)head.data, .iov_len = head.size};
    x->answer_bytes = is_sent ? (int64_t)size : 0;
    (void)send_parts(x, parts, is_sent ? 1 + (int)count : 1, false,
                     x->conn->loop->server->config.buffer_bytes, NULL);
}

void http_respond(http_exchange *x, int status_code, const char *content_type, str body)
{
    http_respond_pieces(x, status_code, content_type, &body, 1);
}

void http_respond_file(http_exchange *x, int status_code, const char *content_type, int fd,
                       int64_t offset, int64_t size_bytes)
{
    http_conn *c = x->conn;

    if (!answer_begin(x, status_code)) {
        fs_close(fd);
        return;
    }
    x->ended = true;
    str head = head_format(x, content_type, size_bytes);
    bool is_sent = x->head.method != HTTP_HEAD && size_bytes > 0;
    struct iovec part = {.iov_base = (void *)(uintptr_t)head.data, .iov_len = head.size};
    (void)send_parts(x, &part, 1, is_sent, SIZE_MAX, NULL);
    if (!is_sent || x->failed) {
        fs_close(fd);
        return;
    }
    c->tail.file = fd;
    c->tail.offset = offset;
    c->tail.left = size_bytes;
    x->answer_bytes = size_bytes;
    /* What the socket takes at once is sent from here: a read from disk then holds up nobody but this
     * thread. The loop sends the rest. */
    if (http__tail_send(c) == TAIL_BROKEN) {
        x->failed = true;
    }
}

void http_respond_around(http_exchange *x, int status_code, const char *content_type, str before,
                         int fd, int64_t size_bytes, str after)
{
    http_conn *c = x->conn;
    int64_t whole = (int64_t)(before.size + after.size) + size_bytes;

    ASSERT(size_bytes > 0);
    if (!answer_begin(x, status_code)) {
        return;
    }
    x->ended = true;
    str head = head_format(x, content_type, whole);
    bool is_sent = x->head.method != HTTP_HEAD;
    struct iovec parts[2] = {
        {.iov_base = (void *)(uintptr_t)head.data, .iov_len = head.size},
        {.iov_base = (void *)(uintptr_t)before.data, .iov_len = before.size},
    };
    (void)send_parts(x, parts, is_sent ? 2 : 1, is_sent, SIZE_MAX, NULL);
    if (!is_sent || x->failed) {
        return;
    }
    c->tail.file = fd;
    c->tail.file_is_lent = true;
    c->tail.offset = 0;
    c->tail.left = size_bytes;
    c->tail.behind = str_copy(x->memory, after);
    x->answer_bytes = whole;
    if (http__tail_send(c) == TAIL_BROKEN) {
        x->failed = true;
    }
}

void http__answer_refusal(http_exchange *x, http_refusal refusal)
{
    const http_refusal_info *info = http__refusal(refusal);
    const http_service *service = x->conn->service;
    const http_refused refused = {.http_status = info->http_status,
                                  .kind = info->kind,
                                  .message = info->message,
                                  .id = x->id,
                                  .target = x->head.target};
    buf *body = buf_in(x->memory, 4096);
    const char *type = NULL;

    if (service != NULL && service->format_refusal != NULL) {
        type = service->format_refusal(service->context, &refused, body);
    }
    if (type == NULL) {
        type = "application/json";
        http__error_body(body, info, x->id);
    }
    x->close_after = true;
    http__count(&x->conn->loop->counters.requests_refused, 1);
    if (info->http_status == 503) {
        http_set_header(x, "Retry-After", STR("1"));
    }
    http_respond(x, info->http_status, type, buf_str(body));
}

void http__answer_complete(http_exchange *x)
{
    if (!x->begun) {
        http__answer_refusal(x, HTTP_REFUSE_UNANSWERED);
    } else if (!x->ended) {
        http_stream_abort(x);
    }
}

/* ---- streams ---- */

status http_stream_begin(http_exchange *x, int status_code, const char *content_type,
                         int64_t size_bytes, error *err)
{
    if (!answer_begin(x, status_code)) {
        return error_set(err, STATUS_INTERNAL, "the request was answered already");
    }
    x->declared_bytes = size_bytes;
    str head = head_format(x, content_type, size_bytes);
    struct iovec part = {.iov_base = (void *)(uintptr_t)head.data, .iov_len = head.size};
    /* The head may wait for the first bytes of the body, but no longer than the kernel holds it (200 ms). */
    return send_parts(x, &part, 1, x->head.method != HTTP_HEAD, 0, err);
}

/* The loop cannot wait for a reader, and may not hoard for it either. */
static status check_inline_room(http_exchange *x, error *err)
{
    const http_conn *c = x->conn;

    if (x->is_inline && c->tail.size - c->tail.at > c->loop->server->config.buffer_bytes) {
        http_stream_abort(x);
        return error_set(err, STATUS_INTERNAL, "an answer from the loop outgrew its buffer");
    }
    return STATUS_OK;
}

status http_stream_write(http_exchange *x, const void *bytes, size_t size_bytes, error *err)
{
    char size_line[24];

    ASSERT(x->begun && !x->ended);
    if (x->failed) {
        return error_set(err, STATUS_CANCELLED, "the answer was broken off earlier");
    }
    if (size_bytes == 0 || x->head.method == HTTP_HEAD) {
        return STATUS_OK;
    }
    if (x->declared_bytes >= 0 && x->answer_bytes + (int64_t)size_bytes > x->declared_bytes) {
        http_stream_abort(x);
        return error_set(err, STATUS_INTERNAL,
                         "the answer is longer than the %" PRId64 " bytes declared",
                         x->declared_bytes);
    }
    int line_size =
        x->is_chunked ? snprintf(size_line, sizeof size_line, "%zx\r\n", size_bytes) : 0;
    struct iovec parts[3] = {
        {.iov_base = size_line, .iov_len = (size_t)line_size},
        {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size_bytes},
        {.iov_base = (void *)(uintptr_t) "\r\n", .iov_len = x->is_chunked ? 2 : 0},
    };
    TRY(send_parts(x, parts, 3, false, 0, err));
    x->answer_bytes += (int64_t)size_bytes;
    return check_inline_room(x, err);
}

static str trailers_format(http_exchange *x)
{
    size_t room = 8;

    for (size_t i = 0; i < x->trailers.count; i++) {
        room += x->trailers.items[i].name.size + x->trailers.items[i].value.size + 4;
    }
    char *text = arena_alloc(x->memory, room);
    char *at = text;
    put(&at, STR("0\r\n"));
    for (size_t i = 0; i < x->trailers.count; i++) {
        put_header(&at, x->trailers.items[i].name, x->trailers.items[i].value);
    }
    put(&at, STR("\r\n"));
    return str_from(text, (size_t)(at - text));
}

status http_stream_end(http_exchange *x, error *err)
{
    ASSERT(x->begun && !x->ended);
    if (x->declared_bytes >= 0 && x->answer_bytes < x->declared_bytes &&
        x->head.method != HTTP_HEAD) {
        http_stream_abort(x);
        return error_set(err, STATUS_INTERNAL,
                         "the answer ended after %" PRId64 " of the %" PRId64 " bytes declared",
                         x->answer_bytes, x->declared_bytes);
    }
    x->ended = true;
    if (!x->is_chunked || x->head.method == HTTP_HEAD) {
        return x->failed ? error_set(err, STATUS_CANCELLED, "the client went away") : STATUS_OK;
    }
    str end = trailers_format(x);
    struct iovec part = {.iov_base = (void *)(uintptr_t)end.data, .iov_len = end.size};
    return send_parts(x, &part, 1, false, x->conn->loop->server->config.buffer_bytes, err);
}

void http_stream_abort(http_exchange *x)
{
    /* In chunks or with a length the missing end speaks for itself; only an answer that ends with the
     * connection needs a reset to be told from a whole one. */
    x->reset = x->begun && !x->ended && !x->is_chunked && x->declared_bytes < 0;
    x->failed = true;
    x->ended = true;
}

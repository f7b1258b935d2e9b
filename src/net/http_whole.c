/* Bodies that a handler wants whole, collected by the loop: however slowly one comes, it costs no thread, and all of
 * them together no more memory than http_config's whole_bytes_max. The handler looks at the head first, so that whoever
 * may not ask is told so at once; http_body_await then sends it away, and it is called anew with the body. */
#include <poll.h>

#include "http_core.h"
#include "tarn/base/clock.h"

enum {
    AT_ONCE_MS = 8, /* a thread waits so long in all for a body that is just coming */
    RATE_LEAST_PER_SECOND = 64 * 1024, /* of a body that keeps memory while that is short */
};

static void drop_bytes(http_conn *c)
{
    http_whole *w = &c->whole;

    if (w->charged > 0) {
        atomic_fetch_sub(&c->loop->server->whole_bytes, w->charged);
    }
    mem_free(w->bytes);
    w->bytes = NULL;
    w->size = w->capacity = 0;
    w->charged = 0;
}

void http__whole_release(http_conn *c)
{
    drop_bytes(c);
    c->whole = (http_whole){0};
}

/* Its memory is free for others at once: where many fail for want of it, some do not. */
void http__whole_fail(http_conn *c, status kind, const char *message)
{
    http_whole *w = &c->whole;

    drop_bytes(c);
    w->failure = ARENA_NEW(c->exchange.memory, error);
    (void)error_set(w->failure, kind, "%s", message);
    c->exchange.body_failed = true;
    w->is_awaited = false;
    w->is_done = true;
}

/* The first bytes of each are free: a small body is never refused for what large ones have taken. */
static bool charge(http_conn *c, size_t capacity)
{
    http_server *server = c->loop->server;
    http_whole *w = &c->whole;
    int64_t due = capacity > HTTP_WHOLE_BYTES_MAX ? (int64_t)capacity : 0;
    int64_t more = due - w->charged;

    if (more > 0 &&
        atomic_fetch_add(&server->whole_bytes, more) + more > server->config.whole_bytes_max) {
        atomic_fetch_sub(&server->whole_bytes, more);
        return false;
    }
    w->charged = due;
    return true;
}

/* One byte beyond what is allowed tells a body that is as large from one that is larger. */
static bool make_room(http_conn *c)
{
    http_whole *w = &c->whole;
    int64_t known = http_body_size(&c->exchange);
    size_t most = known >= 0 ? (size_t)known : w->max + 1;

    if (w->size < w->capacity) {
        return true;
    }
    size_t capacity = w->capacity == 0 ? HTTP_WHOLE_BYTES_MAX : 2 * w->capacity;
    capacity = capacity < most ? capacity : most;
    if (!charge(c, capacity)) {
        return false;
    }
    w->bytes = mem_resize(w->bytes, capacity);
    w->capacity = capacity;
    return true;
}

/* Takes what has come. Sets `failure` and `is_done` at the end. */
static http_body_step take_step(http_conn *c, size_t *ret_size)
{
    http_whole *w = &c->whole;
    error err = ERROR_INIT;

    if (!make_room(c)) {
        http__whole_fail(c, STATUS_UNAVAILABLE,
                         "too many large request bodies are on their way: send it again later");
        return BODY_FAILED;
    }
    http_body_step step =
        http__body_step(&c->exchange, w->bytes + w->size, w->capacity - w->size, ret_size, &err);
    if (step == BODY_DATA) {
        w->size += *ret_size;
        if (w->size > w->max) {
            (void)http__body_too_large(&c->exchange, (int64_t)w->max, &err);
            step = BODY_FAILED;
        }
    }
    if (step == BODY_FAILED) {
        http__whole_fail(c, err.kind, err.message);
    } else if (step == BODY_END) {
        w->is_awaited = false;
        w->is_done = true;
    }
    return step;
}

http_body_step http__whole_collect(http_conn *c, int64_t most, int64_t *ret_got)
{
    http_body_step step = BODY_DATA;

    *ret_got = 0;
    while (step == BODY_DATA && *ret_got < most) {
        size_t got = 0;

        step = take_step(c, &got);
        *ret_got += (int64_t)got;
    }
    return step;
}

bool http__whole_is_too_slow(http_conn *c)
{
    const http_server *server = c->loop->server;
    http_whole *w = &c->whole;
    int64_t since_ms = c->loop->now_ms - w->noted_ms;

    if (server->config.body_rate_least <= 0 || since_ms < server->config.body_window_ms) {
        return false;
    }
    bool slow =
        w->charged > 0 && (int64_t)(w->size - w->noted) < RATE_LEAST_PER_SECOND * since_ms / 1000;
    w->noted = w->size;
    w->noted_ms = c->loop->now_ms;
    return slow && atomic_load(&server->whole_bytes) > server->config.whole_bytes_max / 4 * 3;
}

/* Most bodies come with their head, or right behind it: those never leave their thread. */
static bool take_at_once(http_conn *c)
{
    struct pollfd wanted = {.fd = c->io.fd, .events = POLLIN};
    int64_t until_ms = clock_mono_ms() + AT_ONCE_MS;
    int64_t got = 0;

    while (true) {
        http_body_step step = http__whole_collect(c, HTTP_WHOLE_BURST_BYTES, &got);

        if (step == BODY_END || step == BODY_FAILED) {
            return true;
        }
        if (clock_mono_ms() >= until_ms ||
            (step == BODY_WAIT && poll(&wanted, 1, HTTP_STAY_MS) <= 0)) {
            return false;
        }
    }
}

/* The handler begins anew: what it has set of an answer is forgotten. */
static void await(http_exchange *x)
{
    http_whole *w = &x->conn->whole;

    w->is_awaited = true;
    w->noted = w->size;
    w->noted_ms = clock_mono_ms();
    x->headers.count = 0;
    x->trailers.count = 0;
}

bool http_body_is_awaited(const http_exchange *x)
{
    return x->conn->whole.is_awaited;
}

status http_body_await(http_exchange *x, size_t size_max_bytes, str *ret_body, error *err)
{
    http_conn *c = x->conn;
    http_whole *w = &c->whole;
    int64_t known = http_body_size(x);

    if (!w->is_done && (x->is_inline || x->body_taken > 0 ||
                        (known >= 0 && known <= (int64_t)(c->in_size - c->in_at)))) {
        return http_body_read_all(x, size_max_bytes, ret_body, err);
    }
    if (known >= 0 && (uint64_t)known > size_max_bytes) {
        return http__body_too_large(x, (int64_t)size_max_bytes, err);
    }
    if (!w->is_done) {
        w->max = size_max_bytes;
        TRY(http__body_continue(x, err));
        if (!take_at_once(c)) {
            await(x);
            return error_set(err, STATUS_CANCELLED, "the request's body is still on its way");
        }
    }
    if (w->failure != NULL) {
        *err = *w->failure;
        return err->kind;
    }
    *ret_body = str_from(w->bytes, w->size);
    return STATUS_OK;
}

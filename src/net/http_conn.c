/* One connection's way through its states; see http_core.h for the picture. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "http_core.h"
#include "tarn/base/clock.h"
#include "tarn/base/mem.h"

/* ---- opening, closing ---- */

/* Edge-triggered: an event is heard once, and whoever hears it goes on until the socket has no more. */
static void watch(http_conn *c, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLRDHUP | EPOLLET, .data.ptr = c};

    if (c->watched != event.events) {
        (void)epoll_ctl(c->loop->epoll, c->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->io.fd,
                        &event);
        c->watched = event.events;
    }
}

static void set_deadline(http_conn *c, int64_t after_ms)
{
    c->deadline_ms = c->loop->now_ms + after_ms;
}

void http__conn_open(http_loop *loop, const http_listener *listener, int fd,
                     const struct sockaddr_storage *address, http_peer *peer)
{
    http_server *server = loop->server;
    http_conn *c = NEW(http_conn);
    int on = 1;

    c->source.kind = HTTP_SOURCE_CONN;
    c->loop = loop;
    c->service = &listener->door->service;
    c->is_unix = listener->door->is_unix;
    c->tail.file = -1;
    c->peer = peer;
    net_peer_format(address, c->peer_text, sizeof c->peer_text);
    transport_plain(&c->io, fd);
    if (!c->is_unix) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    c->next = loop->conns;
    if (c->next != NULL) {
        c->next->previous = c;
    }
    loop->conns = c;
    loop->conn_count++;
    atomic_fetch_add(peer != NULL ? &server->connections_open : &server->connections_in_excess, 1);
    atomic_fetch_add(&server->unix_connections_open, c->is_unix ? 1 : 0);
    http__count(&loop->counters.connections_total, 1);
    /* A fresh connection has the time of a head to say something. */
    set_deadline(c, peer != NULL ? server->config.head_timeout_ms : HTTP_EXCESS_MS);
    watch(c, EPOLLIN);
}

static void forget_request(http_conn *c)
{
    http__tail_release(c);
    http__whole_release(c);
    if (c->memory != NULL) {
        arena_clear(c->memory);
    }
}

void http__conn_close(http_conn *c, bool reset)
{
    http_loop *loop = c->loop;

    if (c->state == CONN_CLOSED) {
        return;
    }
    c->state = CONN_CLOSED;
    /* Closing alone does not end the watch while another process has a copy of the socket: a child between fork and
     * exec does, and the next event would name a connection that is gone. */
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, c->io.fd, NULL);
    c->io.ops->close(&c->io, reset);
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        loop->conns = c->next;
    }
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    loop->conn_count--;
    atomic_fetch_sub(c->peer != NULL ? &loop->server->connections_open
                                     : &loop->server->connections_in_excess,
                     1);
    http__peer_leave(&loop->server->peers, c->peer);
    atomic_fetch_sub(&loop->server->unix_connections_open, c->is_unix ? 1 : 0);
    /* Freed behind the current batch of events, which may name it again. */
    c->next_dead = loop->dead;
    loop->dead = c;
}

void http__conn_free(http_conn *c)
{
    http__tail_release(c);
    http__whole_release(c);
    arena_free(c->memory);
    mem_free(c->in);
    mem_free(c);
}

/* ---- bytes in ---- */

ssize_t http__conn_fill(http_conn *c, size_t room)
{
    if (c->in_at == c->in_size) {
        c->in_at = c->in_size = 0;
    }
    if (c->in_capacity - c->in_size < room && c->in_at > 0) {
        memmove(c->in, c->in + c->in_at, c->in_size - c->in_at);
        c->in_size -= c->in_at;
        c->in_at = 0;
    }
    if (c->in_capacity - c->in_size < room) {
        c->in_capacity = c->in_size + room;
        c->in = mem_resize(c->in, c->in_capacity);
    }
    size_t space = c->in_capacity - c->in_size;
    ssize_t got = c->io.ops->read(&c->io, c->in + c->in_size, space);
    if (got > 0) {
        c->in_size += (size_t)got;
        http__count(&c->loop->counters.bytes_in, got);
    }
    c->in_drained = got < (ssize_t)space;
    return got;
}

/* ---- a request begins ---- */

static uint64_t next_id(http_loop *loop)
{
    const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = /* splitmix64: distinct, and looks it */
        atomic_fetch_add_explicit(&loop->id_state, step, memory_order_relaxed) + step;

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void choose_id(http_conn *c, http_exchange *x)
{
    static const char digits[] = "0123456789abcdef";
    str own = http_request_header(x, "x-request-id");

    if (own.size > 0 && own.size <= 64 && http__is_token(own)) {
        x->id = own;
        return;
    }
    uint64_t number = next_id(c->loop);
    char *text = arena_alloc(x->memory, 17);
    for (int i = 0; i < 16; i++) {
        text[i] = digits[(number >> (60 - 4 * i)) & 15];
    }
    x->id = str_from(text, 16);
}

static void prepare_memory(http_conn *c)
{
    if (c->memory == NULL) {
        c->memory = arena_create();
    }
    c->exchange = (http_exchange){.conn = c, .memory = c->memory};
}

/* The answer to what could not be parsed, or came too late. `head_size` bytes of it were taken out of the buffer, which
 * still has them. */
static void answer_refused(http_conn *c, http_refusal refusal, size_t head_size)
{
    size_t from = c->in_at - head_size;
    str sent = str_from(c->in + from, c->in_size - from);

    prepare_memory(c);
    c->exchange.head.target = http__target_in(sent.data, sent.size);
    c->exchange.head.method = str_starts_with(sent, STR("HEAD ")) ? HTTP_HEAD : HTTP_OTHER;
    c->exchange.is_inline = true;
    c->exchange.head.minor_version = 1;
    atomic_store(&c->exchange.body_ended, true);
    choose_id(c, &c->exchange);
    http__answer_refusal(&c->exchange, refusal);
}

static void refuse(http_conn *c, http_refusal refusal, size_t head_size)
{
    answer_refused(c, refusal, head_size);
    http__conn_finished(c);
}

/* What the door minds and the parser cannot know. */
static http_refusal check_service(const http_conn *c)
{
    if (c->peer == NULL) {
        return HTTP_REFUSE_CONNECTIONS;
    }
    if (c->exchange.head.expects_more && !c->service->any_expectation) {
        return HTTP_REFUSE_EXPECTATION;
    }
    return c->service->check_host
               ? http__check_host(&c->exchange.head, c->service->hosts, c->service->host_count)
               : HTTP_REFUSE_NONE;
}

/* Takes the head out of the buffer. `scratch`: LIMIT_HTTP_HEADERS. */
static http_refusal open_exchange(http_conn *c, size_t head_size, http_header *scratch)
{
    prepare_memory(c);
    http_exchange *x = &c->exchange;
    /* The head moves to the arena: the buffer goes on to be used for the body. */
    char *bytes = arena_strndup(c->memory, c->in + c->in_at, head_size);
    http_refusal refusal = http__head_parse(bytes, head_size, scratch, &x->head);

    c->in_at += head_size;
    c->scan = (http_scan){0};
    c->blank_skipped = false;
    if (refusal == HTTP_REFUSE_NONE) {
        http_header *headers = ARENA_ARRAY(c->memory, http_header, x->head.header_count + 1);
        memcpy(headers, scratch, x->head.header_count * sizeof *headers);
        x->head.headers = headers;
        choose_id(c, x);
        http__body_begin(x);
    }
    return refusal;
}

/* ---- a thread stays with its connection ---- */

/* Clients may send an empty line behind a body by mistake; RFC 9112 §2.2 has one ignored. */
static bool skip_blank(http_conn *c)
{
    if (c->in_size - c->in_at >= 2 && c->in[c->in_at] == '\r' && c->in[c->in_at + 1] == '\n' &&
        !c->blank_skipped) {
        c->in_at += 2;
        c->blank_skipped = true;
    }
    return !(c->in_size - c->in_at == 1 && c->in[c->in_at] == '\r' && !c->blank_skipped);
}

/* Whether the answer is out, nothing is in the way of another request, and nobody else needs the thread. */
static bool may_stay(const http_conn *c)
{
    const http_exchange *x = &c->exchange;
    const http_server *server = c->loop->server;

    return !x->failed && !x->close_after && !x->body_failed && atomic_load(&x->body_ended) &&
           c->tail.size == c->tail.at && c->tail.left == 0 && !atomic_load(&c->broken) &&
           !atomic_load(&c->peer_ended) && !atomic_load(&server->stopping) &&
           atomic_load(&server->requests_waiting) == 0;
}

/* Waits for a whole head. 0: none came in time, or it is the loop's to look at. */
static size_t await_head(http_conn *c, http_refusal *ret_refusal)
{
    struct pollfd wanted = {.fd = c->io.fd, .events = POLLIN};
    size_t head_size = 0;

    while (head_size == 0) {
        if (c->in_size > c->in_at && skip_blank(c) && c->in_size > c->in_at) {
            *ret_refusal =
                http__head_scan(&c->scan, c->in + c->in_at, c->in_size - c->in_at, &head_size);
            if (*ret_refusal != HTTP_REFUSE_NONE || head_size > 0) {
                return head_size;
            }
        }
        if (poll(&wanted, 1, HTTP_STAY_MS) <= 0 || http__conn_fill(c, HTTP_READ_BYTES) <= 0) {
            return 0;
        }
    }
    return head_size;
}

static bool wants_whole(http_conn *c)
{
    http_exchange *x = &c->exchange;
    const http_service *service = c->service;

    return !x->head.chunked && !x->continue_due && x->body_left > 0 &&
           x->body_left <= HTTP_WHOLE_BYTES_MAX && service->wants_whole != NULL &&
           service->wants_whole(service->context, x);
}

static bool lacks_body(const http_conn *c)
{
    return c->exchange.body_left > (int64_t)(c->in_size - c->in_at);
}

/* A body often comes right behind its head. False where it does not: the loop's to wait for. */
static bool await_body(http_conn *c)
{
    struct pollfd wanted = {.fd = c->io.fd, .events = POLLIN};

    if (lacks_body(c) && poll(&wanted, 1, HTTP_STAY_MS) > 0) {
        (void)http__conn_fill(c, HTTP_READ_BYTES);
    }
    return !lacks_body(c);
}

/* The next request of the connection, on the thread that answered the last one. False: it goes back to the loop. */
static bool next_exchange(http_conn *c)
{
    http_server *server = c->loop->server;
    http_refusal refusal = HTTP_REFUSE_NONE;
    http_header scratch[LIMIT_HTTP_HEADERS];
    size_t head_size = 0;

    if (!may_stay(c)) {
        return false;
    }
    forget_request(c);
    c->is_between = true;
    if (atomic_fetch_add(&server->threads_staying, 1) < server->config.handler_threads / 2) {
        head_size = await_head(c, &refusal);
    }
    atomic_fetch_sub(&server->threads_staying, 1);
    if (head_size == 0 && refusal == HTTP_REFUSE_NONE) {
        return false;
    }
    c->is_between = false;
    if (refusal == HTTP_REFUSE_NONE) {
        refusal = open_exchange(c, head_size, scratch);
    }
    if (refusal != HTTP_REFUSE_NONE) {
        answer_refused(c, refusal, head_size);
        return false;
    }
    http__count(&c->loop->counters.requests_total, 1);
    refusal = check_service(c);
    if (refusal != HTTP_REFUSE_NONE) {
        http__answer_refusal(&c->exchange, refusal);
        return false;
    }
    c->is_partial = lacks_body(c) && wants_whole(c) && !await_body(c);
    return !c->is_partial;
}

/* For a thread. */
static void count_waiting(http_conn *c, int change)
{
    atomic_fetch_add(&c->loop->server->requests_waiting, change);
    atomic_fetch_add(&c->peer->waiting, change);
}

/* False where the handler is called anew, once the loop has the body. */
static bool answer_exchange(http_conn *c)
{
    if (atomic_load(&c->broken)) { /* gone while the request waited for a thread */
        http_stream_abort(&c->exchange);
        return true;
    }
    c->service->handle(c->service->context, &c->exchange);
    if (c->whole.is_awaited) {
        return false;
    }
    http__answer_complete(&c->exchange);
    return true;
}

static void run_handler(void *context)
{
    http_conn *c = context;

    http_server *server = c->loop->server;
    bool goes_on = true;

    count_waiting(c, -1);
    atomic_fetch_add(&server->threads_busy, 1);
    while (goes_on) {
        goes_on = answer_exchange(c) && next_exchange(c);
    }
    atomic_fetch_sub(&server->threads_busy, 1);
    http__loop_hand_back(c);
}

static void hand_over(http_conn *c)
{
    c->state = CONN_HANDLING;
    c->exchange.is_inline = false;
    watch(c, 0); /* from here on only the client's end is news to the loop */
    count_waiting(c, 1);
    if (pool_run(c->loop->server->handlers, run_handler, c, NULL) != STATUS_OK) {
        count_waiting(c, -1);
        c->exchange.is_inline = true;
        http__answer_refusal(&c->exchange, HTTP_REFUSE_BUSY);
        http__conn_finished(c);
    }
}

static void begin_body(http_conn *c)
{
    c->state = CONN_BODY;
    set_deadline(c, c->loop->server->config.progress_timeout_ms);
}

/* Runs on the loop where the service says so and there is no body to wait for; else in the pool. */
static void dispatch(http_conn *c)
{
    http_exchange *x = &c->exchange;
    const http_service *service = c->service;
    http_refusal refusal = check_service(c);

    http__count(&c->loop->counters.requests_total, 1);
    c->state = CONN_HANDLING;
    x->is_inline = true;
    if (refusal != HTTP_REFUSE_NONE) {
        http__answer_refusal(x, refusal);
        http__conn_finished(c);
        return;
    }
    if (atomic_load(&x->body_ended) && service->is_inline != NULL &&
        service->is_inline(service->context, x)) {
        service->handle(service->context, x);
        http__answer_complete(x);
        http__conn_finished(c);
        return;
    }
    if (lacks_body(c) && wants_whole(c)) { /* most come with their head: nobody is asked */
        begin_body(c);
    } else {
        hand_over(c);
    }
}

static void begin_exchange(http_conn *c, size_t head_size)
{
    http_refusal refusal = open_exchange(c, head_size, c->loop->headers);

    if (refusal != HTTP_REFUSE_NONE) {
        refuse(c, refusal, head_size);
        return;
    }
    dispatch(c);
}

/* Returns false where the connection must wait. */
static bool advance_head(http_conn *c)
{
    if (c->in_size > c->in_at && skip_blank(c) && c->in_size > c->in_at) {
        size_t head_size = 0;
        if (c->state == CONN_IDLE) {
            c->state = CONN_HEAD;
            set_deadline(c, c->loop->server->config.head_timeout_ms);
        }
        http_refusal refusal =
            http__head_scan(&c->scan, c->in + c->in_at, c->in_size - c->in_at, &head_size);
        if (refusal != HTTP_REFUSE_NONE) {
            refuse(c, refusal, 0);
            return true;
        }
        if (head_size > 0) {
            begin_exchange(c, head_size);
            return true;
        }
    }
    if (c->in_drained && !atomic_load(&c->peer_ended)) {
        watch(c, EPOLLIN);
        return false;
    }
    ssize_t got = http__conn_fill(c, HTTP_READ_BYTES);
    if (got > 0) {
        return true;
    }
    if (got < 0 && errno == EAGAIN) {
        watch(c, EPOLLIN);
        return false;
    }
    http__conn_close(c, false);
    return false;
}

/* What ends before it is whole is the handler's to tell of. */
static bool advance_body(http_conn *c)
{
    while (lacks_body(c)) {
        if (c->in_drained && !atomic_load(&c->peer_ended)) {
            watch(c, EPOLLIN);
            return false;
        }
        ssize_t got = http__conn_fill(c, HTTP_READ_BYTES);
        if (got < 0 && errno == EAGAIN) {
            watch(c, EPOLLIN);
            return false;
        }
        if (got <= 0) {
            break;
        }
    }
    hand_over(c);
    return true;
}

/* A turn of the loop for a body whose handler has looked at the head (http_body_await). */
static bool advance_collecting(http_conn *c)
{
    int64_t got = 0;

    switch (http__whole_collect(c, HTTP_WHOLE_BURST_BYTES, &got)) {
    case BODY_WAIT:
        watch(c, EPOLLIN);
        break;
    case BODY_DATA: /* there is more, but others wait */
        http__loop_again(c);
        break;
    case BODY_END:
    case BODY_FAILED:
        hand_over(c);
        return true;
    }
    if (got > 0) {
        set_deadline(c, c->loop->server->config.progress_timeout_ms);
    }
    return false;
}

/* What it is too late for is the handler's to say, in its own words. */
static void give_up_collecting(http_conn *c)
{
    http__whole_fail(c, STATUS_TIMEOUT, "the request's body did not come in time");
    hand_over(c);
    http__conn_advance(c);
}

void http__conn_look(http_conn *c)
{
    if (c->state == CONN_COLLECTING && http__whole_is_too_slow(c)) {
        give_up_collecting(c);
    }
}

/* ---- a request ends ---- */

static void linger(http_conn *c)
{
    c->state = CONN_LINGERING;
    set_deadline(c, HTTP_LINGER_MS);
    c->io.ops->shut(&c->io, SHUT_WR);
    watch(c, EPOLLIN);
}

/* The answer is out. */
static void answered(http_conn *c)
{
    http_exchange *x = &c->exchange;

    if (x->close_after || x->body_failed) {
        linger(c);
        return;
    }
    if (!atomic_load(&x->body_ended)) {
        c->state = CONN_DRAINING;
        x->body_taken = 0;
        set_deadline(c, HTTP_DRAIN_MS);
        watch(c, EPOLLIN);
        return;
    }
    forget_request(c);
    c->state = CONN_IDLE;
    set_deadline(c, c->loop->server->config.idle_timeout_ms);
}

void http__conn_finished(http_conn *c)
{
    http_exchange *x = &c->exchange;

    if (x->failed) {
        http__conn_close(c, x->reset);
        return;
    }
    c->state = CONN_SENDING;
    set_deadline(c, c->loop->server->config.progress_timeout_ms);
}

void http__conn_given_back(http_conn *c)
{
    if (c->whole.is_awaited) {
        c->state = CONN_COLLECTING;
        set_deadline(c, c->loop->server->config.progress_timeout_ms);
        return;
    }
    if (c->is_partial) {
        c->is_partial = false;
        c->in_drained = false;
        begin_body(c);
        return;
    }
    if (!c->is_between) {
        http__conn_finished(c);
        return;
    }
    c->is_between = false;
    c->in_drained = false; /* what came since then was heard by nobody */
    c->state = CONN_IDLE;
    set_deadline(c, c->loop->server->config.idle_timeout_ms);
}

static bool advance_sending(http_conn *c)
{
    size_t at = c->tail.at;
    int64_t left = c->tail.left;

    switch (http__tail_send(c)) {
    case TAIL_DONE:
        answered(c);
        return true;
    case TAIL_BROKEN:
        http__conn_close(c, false);
        return false;
    case TAIL_TURN:
        set_deadline(c, c->loop->server->config.progress_timeout_ms);
        http__loop_again(c);
        return false;
    case TAIL_WAIT:
        break;
    }
    if (c->tail.at != at || c->tail.left != left) {
        set_deadline(c, c->loop->server->config.progress_timeout_ms);
    }
    watch(c, EPOLLOUT);
    return false;
}

static bool advance_draining(http_conn *c)
{
    http_exchange *x = &c->exchange;
    char waste[4096];
    size_t size = 0;
    error err;

    switch (http__body_step(x, waste, sizeof waste, &size, &err)) {
    case BODY_DATA:
        if (x->body_taken > HTTP_DRAIN_BYTES) {
            linger(c);
        }
        return true;
    case BODY_END:
        answered(c);
        return true;
    case BODY_FAILED:
        linger(c);
        return true;
    case BODY_WAIT:
        break;
    }
    return false;
}

static bool advance_lingering(http_conn *c)
{
    char waste[4096];
    ssize_t got;

    for (int i = 0; i < 64; i++) {
        got = c->io.ops->read(&c->io, waste, sizeof waste);
        if (got < 0 && errno == EAGAIN) {
            return false;
        }
        if (got <= 0) {
            http__conn_close(c, false);
            return false;
        }
    }
    http__loop_again(c); /* a client that sends on and on: the deadline ends it */
    return false;
}

void http__conn_advance(http_conn *c)
{
    bool goes_on = true;

    while (goes_on) {
        switch (c->state) {
        case CONN_IDLE:
        case CONN_HEAD:
            goes_on = advance_head(c);
            break;
        case CONN_BODY:
            goes_on = advance_body(c);
            break;
        case CONN_COLLECTING:
            goes_on = advance_collecting(c);
            break;
        case CONN_SENDING:
            goes_on = advance_sending(c);
            break;
        case CONN_DRAINING:
            goes_on = advance_draining(c);
            break;
        case CONN_LINGERING:
            goes_on = advance_lingering(c);
            break;
        case CONN_HANDLING:
        case CONN_CLOSED:
            goes_on = false;
            break;
        }
    }
}

/* ---- what the loop tells ---- */

void http__conn_event(http_conn *c, uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        atomic_store(&c->broken, true);
    }
    if ((events & EPOLLRDHUP) != 0) {
        atomic_store(&c->peer_ended, true);
    }
    if (c->state == CONN_IDLE || c->state == CONN_HEAD || c->state == CONN_BODY) {
        c->in_drained = false;
    }
    http__conn_advance(c);
}

void http__conn_expire(http_conn *c)
{
    if (c->peer == NULL && c->state == CONN_IDLE) { /* it says nothing: it is told all the same */
        refuse(c, HTTP_REFUSE_CONNECTIONS, 0);
        http__conn_advance(c);
        return;
    }
    switch (c->state) {
    case CONN_HEAD:
        refuse(c, c->peer != NULL ? HTTP_REFUSE_HEAD_TIMEOUT : HTTP_REFUSE_CONNECTIONS, 0);
        http__conn_advance(c);
        break;
    case CONN_BODY:
        c->exchange.is_inline = true;
        c->exchange.close_after = true;
        http__answer_refusal(&c->exchange, HTTP_REFUSE_BODY_TIMEOUT);
        http__conn_finished(c);
        http__conn_advance(c);
        break;
    case CONN_COLLECTING:
        give_up_collecting(c);
        break;
    case CONN_SENDING: /* an answer that does not move is cut, not ended */
        http__conn_close(c, true);
        break;
    case CONN_IDLE:
    case CONN_DRAINING:
    case CONN_LINGERING:
        http__conn_close(c, false);
        break;
    case CONN_HANDLING: /* waits by itself, in http__conn_wait */
    case CONN_CLOSED:
        break;
    }
}

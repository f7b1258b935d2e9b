/* The event loop: accepts, hears of sockets, takes back what handlers are done with, looks at deadlines.
 * One thread a loop; nothing in here blocks. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_core.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/mem.h"
#include "tarn/base/rng.h"

enum {
    EVENTS_PER_WAIT = 256,
    ACCEPTS_PER_EVENT = 64,
    STOP_GRACE_MS = 20, /* for requests that are on their way when the server stops */
};

status http__loop_init(http_loop *loop, http_server *server, error *err)
{
    loop->server = server;
    loop->wake_source.kind = HTTP_SOURCE_WAKE;
    atomic_init(&loop->id_state, random_u64());
    mutex_init(&loop->lock);
    loop->wake = -1;
    loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        return error_errno(err, STATUS_IO, errno, "cannot make an event queue");
    }
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake < 0) {
        return error_errno(err, STATUS_IO, errno, "cannot make an event descriptor");
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &loop->wake_source};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) != 0) {
        return error_errno(err, STATUS_IO, errno, "cannot watch an event descriptor");
    }
    return STATUS_OK;
}

void http__loop_release(http_loop *loop)
{
    fs_close(loop->wake);
    fs_close(loop->epoll);
    fs_close(loop->spare_fd);
    mem_free(loop->listeners);
    mutex_release(&loop->lock);
}

void http__loop_wake(http_loop *loop)
{
    uint64_t one = 1;
    ssize_t written = write(loop->wake, &one, sizeof one);
    (void)written; /* a counter that is full wakes, too */
}

void http__loop_hand_back(http_conn *c)
{
    http_loop *loop = c->loop;

    mutex_lock(&loop->lock);
    c->next_handed = loop->handed_back;
    loop->handed_back = c;
    bool wake = !loop->woken;
    loop->woken = true;
    /* Inside the lock: once it is free the loop may end and be released. */
    if (wake) {
        http__loop_wake(loop);
    }
    mutex_unlock(&loop->lock);
}

void http__loop_again(http_conn *c)
{
    if (!c->in_again) {
        c->in_again = true;
        c->next_again = c->loop->again;
        c->loop->again = c;
    }
}

/* ---- accepting ---- */

/* The client gets an answer that it can show, as far as it fits into an empty socket buffer. */
static void turn_away(http_loop *loop, const http_listener *listener, int fd)
{
    const http_refusal_info *info = http__refusal(HTTP_REFUSE_CONNECTIONS);
    const http_service *service = &listener->door->service;
    const http_refused refused = {.http_status = info->http_status,
                                  .kind = info->kind,
                                  .message = info->message,
                                  .id = STR(""),
                                  .target = STR_NULL};
    const char *type = NULL;
    char waste[4096];
    buf body;
    buf answer;

    buf_init(&body, 4096);
    buf_init(&answer, 4096);
    if (service->format_refusal != NULL) {
        type = service->format_refusal(service->context, &refused, &body);
    }
    if (type == NULL) {
        type = "application/json";
        http__error_body(&body, info, STR_NULL);
    }
    buf_printf(&answer,
               "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
               "Retry-After: 1\r\nConnection: close\r\n\r\n%.*s",
               info->http_status, http__reason(info->http_status), http__date(), type, body.size,
               STR_ARG(buf_str(&body)));
    ssize_t sent = send(fd, answer.data, answer.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    /* Reading what came already makes a reset less likely, which would overtake the answer. */
    ssize_t got = sent > 0 ? recv(fd, waste, sizeof waste, MSG_DONTWAIT) : 0;
    (void)got;
    (void)close(fd);
    http__count(&loop->counters.requests_refused, 1);
    buf_release(&answer);
    buf_release(&body);
}

/* Out of descriptors: the spare one is given up to take the client off the queue and refuse it; otherwise
 * the listener would stay ready and the loop spin. */
static void refuse_without_descriptor(http_loop *loop, const http_listener *listener)
{
    fs_close(loop->spare_fd);
    loop->spare_fd = -1;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        turn_away(loop, listener, fd);
    }
    loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_some(http_loop *loop, const http_listener *listener, int count_max)
{
    http_server *server = loop->server;

    for (int i = 0; i < count_max; i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNIX};
        socklen_t peer_size = sizeof peer;
        int fd = accept4(listener->fd, (struct sockaddr *)&peer, &peer_size,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) {
                refuse_without_descriptor(loop, listener);
            }
            if (errno == ECONNABORTED || errno == EINTR) {
                continue;
            }
            return;
        }
        bool is_full = atomic_load(&server->connections_open) >= server->config.connections_max;
        http_peer *of_address = is_full ? NULL
                                        : http__peer_enter(&server->peers, &peer,
                                                           server->config.address_connections_max);
        if (of_address == NULL && atomic_load(&server->connections_in_excess) >= HTTP_EXCESS_MAX) {
            turn_away(loop, listener, fd);
            continue;
        }
        http__conn_open(loop, listener, fd, &peer, of_address);
    }
}

static void listeners_watch(http_loop *loop)
{
    for (size_t i = 0; i < loop->listener_count; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE,
                                    .data.ptr = &loop->listeners[i]};
        (void)epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->listeners[i].fd, &event);
    }
    loop->listening = true;
}

/* Clients that the kernel has accepted already are served: they were told that the connection stands. */
static void listeners_forget(http_loop *loop)
{
    if (!loop->listening) {
        return;
    }
    for (size_t i = 0; i < loop->listener_count; i++) {
        accept_some(loop, &loop->listeners[i], 4096);
        (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->listeners[i].fd, NULL);
        (void)shutdown(loop->listeners[i].fd,
                       SHUT_RDWR); /* later ones are refused, not left waiting */
    }
    loop->listening = false;
    loop->sweep_ms = loop->now_ms + STOP_GRACE_MS;
}

/* ---- rounds ---- */

static void take_handed_back(http_loop *loop)
{
    uint64_t count = 0;
    http_conn *list;
    http_conn *next;

    /* Before `woken` is taken back: who hands back from now on is either seen below or wakes again. */
    ssize_t got = read(loop->wake, &count, sizeof count);
    (void)got;
    mutex_lock(&loop->lock);
    loop->woken = false;
    list = loop->handed_back;
    loop->handed_back = NULL;
    mutex_unlock(&loop->lock);
    for (; list != NULL; list = next) {
        next = list->next_handed;
        http__conn_given_back(list);
        http__conn_advance(list);
    }
}

static void go_on(http_loop *loop)
{
    http_conn *list = loop->again;
    http_conn *next;

    loop->again = NULL;
    for (; list != NULL; list = next) {
        next = list->next_again;
        list->in_again = false;
        http__conn_advance(list);
    }
}

static void bury(http_loop *loop)
{
    http_conn *kept = NULL;

    while (loop->dead != NULL) {
        http_conn *c = loop->dead;
        loop->dead = c->next_dead;
        if (c->in_again) { /* the other queue still names it */
            c->next_dead = kept;
            kept = c;
        } else {
            http__conn_free(c);
        }
    }
    loop->dead = kept;
}

/* Idle connections keep no buffers. */
static void shed_memory(http_conn *c)
{
    if (c->state == CONN_IDLE && c->in_at == c->in_size) {
        arena_free(c->memory);
        mem_free(c->in);
        c->memory = NULL;
        c->in = NULL;
        c->in_at = c->in_size = c->in_capacity = 0;
    }
}

static void sweep(http_loop *loop)
{
    bool stopping = atomic_load(&loop->server->stopping);
    bool cut = stopping && loop->now_ms >= atomic_load(&loop->server->cut_at_ms);
    http_conn *next;

    for (http_conn *c = loop->conns; c != NULL; c = next) {
        next = c->next;
        if (cut) {
            atomic_store(&c->broken, true);
            c->io.ops->shut(&c->io, SHUT_RDWR); /* wakes a handler that waits for the socket */
            if (c->state != CONN_HANDLING) {
                http__conn_close(c, true);
            }
        } else if (stopping && (c->state == CONN_IDLE || c->state == CONN_LINGERING)) {
            http__conn_close(c, false);
        } else if (c->state != CONN_HANDLING && loop->now_ms >= c->deadline_ms) {
            http__conn_expire(c);
        } else {
            http__conn_look(c);
            shed_memory(c);
        }
    }
}

static void hear(http_loop *loop, const struct epoll_event *event)
{
    http_source *source = event->data.ptr;

    switch (source->kind) {
    case HTTP_SOURCE_WAKE:
        take_handed_back(loop);
        break;
    case HTTP_SOURCE_DOOR:
        if (loop->listening) {
            accept_some(loop, (const http_listener *)source, ACCEPTS_PER_EVENT);
        }
        break;
    case HTTP_SOURCE_CONN:
        http__conn_event((http_conn *)source, event->events);
        break;
    }
}

static int wait_ms(const http_loop *loop)
{
    if (loop->again != NULL) {
        return 0;
    }
    if (loop->conns == NULL) {
        return -1; /* an idle server does not wake up */
    }
    int64_t left_ms = loop->sweep_ms - loop->now_ms;
    return left_ms < 0 ? 0 : (int)left_ms;
}

void http__loop_run(void *context)
{
    http_loop *loop = context;
    struct epoll_event events[EVENTS_PER_WAIT];

    listeners_watch(loop);
    loop->now_ms = clock_mono_ms();
    while (true) {
        int count = epoll_wait(loop->epoll, events, EVENTS_PER_WAIT, wait_ms(loop));
        loop->now_ms = clock_mono_ms();
        for (int i = 0; i < count; i++) {
            hear(loop, &events[i]);
        }
        go_on(loop);
        bury(loop);
        bool stopping = atomic_load(&loop->server->stopping);
        if (stopping) {
            listeners_forget(loop);
        }
        if (loop->now_ms >= loop->sweep_ms) {
            sweep(loop);
            bury(loop);
            loop->sweep_ms = loop->now_ms + loop->server->sweep_every_ms;
        }
        if (stopping && loop->conns == NULL) {
            break;
        }
    }
    go_on(loop); /* all are closed: this empties the queue */
    bury(loop);
}

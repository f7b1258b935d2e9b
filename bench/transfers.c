/* Objects as fast as a server takes or gives them: `transfers PORT METHOD CLIENTS REQUESTS TARGETS [BODY]`.
 *
 * One thread and CLIENTS connections, each kept: a connection that has its answer sends the next of REQUESTS, whose
 * target is the next line of the file TARGETS (from the first again after the last), with the bytes of the file BODY.
 * Where there are as many targets as clients, each client keeps to one of its own.
 * Prints the seconds of all together and the bytes of the answers' bodies. The same program asks both sides, so that
 * its own time falls on both.
 *
 * By environment: TRANSFERS_HEADER is a header line more. TRANSFERS_RATE is how many requests begin a second, if their
 * connections are free by then, and has the median and the 99th percentile of the answers' times printed too, in
 * microseconds. Ten times "@" in BODY stand for the number of the request. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tarn/base/arena.h"
#include "tarn/base/clock.h"
#include "tarn/base/error.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"
#include "tarn/base/vec.h"

#define HEAD_BYTES_MAX 16384
#define CHUNK_BYTES ((size_t)1024 * 1024)
#define NUMBER_BYTES 10

typedef struct run {
    int port;
    const char *method;
    int64_t left; /* requests to begin */
    VEC(str) targets;
    size_t next_target;
    bool own_targets; /* as many as clients */
    str body;
    size_t number_at; /* in the body; STR_NPOS: nowhere */
    const char *header;
    int64_t interval_ns, next_ns; /* 0: as fast as answers come */
    struct connection *idle;      /* waiting for their time */
    int64_t *took_ns;             /* of each request */
    int64_t number;
    int epoll;
    int64_t answered;
    int64_t bytes_in;
    char *chunk;
} run;

typedef struct connection {
    run *r;
    size_t number;
    struct connection *next_idle;
    int64_t begun_ns;
    char *body_memory;
    int fd;
    str head;
    size_t sent; /* of head and body together */
    char answer[HEAD_BYTES_MAX + 1];
    size_t answer_size;
    int64_t body_left; /* of the answer; -1: its head is not whole */
    char *head_memory;
} connection;

static void next_request(connection *c)
{
    run *r = c->r;
    size_t place = r->own_targets ? c->number : r->next_target++ % r->targets.count;
    str target = r->targets.items[place];
    int size = snprintf(c->head_memory, HEAD_BYTES_MAX,
                        "%s %.*s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%sContent-Length: %zu\r\n\r\n",
                        r->method, STR_ARG(target), r->port, r->header,
                        r->header[0] != '\0' ? "\r\n" : "", r->body.size);
    char digits[NUMBER_BYTES + 1];

    ASSERT(size > 0 && size < HEAD_BYTES_MAX);
    r->left--;
    r->number++;
    c->begun_ns = clock_mono_ns();
    if (r->number_at != STR_NPOS) {
        (void)snprintf(digits, sizeof(digits), "%010lld", (long long)r->number);
        memcpy(c->body_memory + r->number_at, digits, NUMBER_BYTES);
    }
    c->head = str_from(c->head_memory, (size_t)size);
    c->sent = 0;
    c->answer_size = 0;
    c->body_left = -1;
}

static status send_more(connection *c, error *err)
{
    size_t whole = c->head.size + c->r->body.size;

    while (c->sent < whole) {
        bool in_head = c->sent < c->head.size;
        size_t body_at = in_head ? 0 : c->sent - c->head.size;
        struct iovec pieces[2] = {
            {.iov_base = c->head_memory + (in_head ? c->sent : 0),
             .iov_len = in_head ? c->head.size - c->sent : 0},
            {.iov_base = c->body_memory + body_at, .iov_len = c->r->body.size - body_at},
        };
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
        ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno == EAGAIN) {
            return STATUS_OK;
        }
        if (sent < 0) {
            return error_errno(err, STATUS_IO, errno, "cannot send a request");
        }
        c->sent += (size_t)sent;
    }
    return STATUS_OK;
}

/* The head is whole: its status must be good, and its length known. */
static status read_head(connection *c, size_t head_size, error *err)
{
    str head = str_from(c->answer, head_size);
    str mark = STR("\r\nContent-Length: ");
    size_t at = str_find(head, mark);
    str length;

    if (!str_starts_with(head, STR("HTTP/1.1 20"))) {
        return error_set(err, STATUS_INVALID, "an answer is %.*s", (int)c->answer_size, c->answer);
    }
    c->body_left = 0;
    if (at != STR_NPOS) {
        length = str_slice(head, at + mark.size, head.size);
        length = str_slice(length, 0, str_find_char(length, '\r'));
        TRY(str_to_int64(length, &c->body_left, err));
    }
    c->body_left -= (int64_t)(c->answer_size - head_size);
    c->r->bytes_in += (int64_t)(c->answer_size - head_size);
    return STATUS_OK;
}

static status receive(connection *c, bool *ret_more, error *err)
{
    bool in_head = c->body_left < 0;
    ssize_t got = in_head ? recv(c->fd, c->answer + c->answer_size, HEAD_BYTES_MAX - c->answer_size,
                                 MSG_DONTWAIT)
                          : recv(c->fd, c->r->chunk, CHUNK_BYTES, MSG_DONTWAIT);

    *ret_more = got > 0;
    if (got < 0 && errno == EAGAIN) {
        return STATUS_OK;
    }
    if (got <= 0) {
        return error_set(err, STATUS_IO, "the server closed the connection");
    }
    if (!in_head) {
        c->body_left -= got;
        c->r->bytes_in += got;
        return STATUS_OK;
    }
    c->answer_size += (size_t)got;
    size_t end = str_find(str_from(c->answer, c->answer_size), STR("\r\n\r\n"));
    return end == STR_NPOS ? STATUS_OK : read_head(c, end + 4, err);
}

static status advance(connection *c, error *err)
{
    bool more = true;

    TRY(send_more(c, err));
    while (more) {
        TRY(receive(c, &more, err));
        if (c->body_left == 0) {
            c->r->took_ns[c->r->answered++] = clock_mono_ns() - c->begun_ns;
            if (c->r->left == 0 || c->r->interval_ns > 0) {
                c->body_left = -1;
                c->next_idle = c->r->idle;
                c->r->idle = c;
                return STATUS_OK;
            }
            next_request(c);
            TRY(send_more(c, err));
        }
    }
    return STATUS_OK;
}

static status dial(connection *c, error *err)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)c->r->port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    int on = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        return error_set(err, STATUS_IO, "cannot connect to port %d", c->r->port);
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (epoll_ctl(c->r->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        return error_errno(err, STATUS_IO, errno, "cannot watch a connection");
    }
    return STATUS_OK;
}

/* Those whose time has come begin. */
static status begin_due(run *r, error *err)
{
    while (r->interval_ns > 0 && r->left > 0 && r->idle != NULL && clock_mono_ns() >= r->next_ns) {
        connection *c = r->idle;

        r->idle = c->next_idle;
        r->next_ns += r->interval_ns;
        next_request(c);
        TRY(advance(c, err));
    }
    return STATUS_OK;
}

static status transfer(run *r, connection *all, size_t count, int64_t requests, error *err)
{
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < count; i++) {
        all[i].r = r;
        all[i].number = i;
        all[i].head_memory = mem_alloc(HEAD_BYTES_MAX);
        all[i].body_memory = mem_alloc(r->body.size + 1);
        memcpy(all[i].body_memory, r->body.size > 0 ? r->body.data : "", r->body.size);
        TRY(dial(&all[i], err));
        next_request(&all[i]);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(advance(&all[i], err));
    }
    while (r->answered < requests) {
        struct epoll_event events[64];
        TRY(begin_due(r, err));
        int ready = epoll_wait(r->epoll, events, COUNT_OF(events), r->interval_ns > 0 ? 0 : -1);

        for (int i = 0; i < ready; i++) {
            TRY(advance(events[i].data.ptr, err));
        }
    }
    return STATUS_OK;
}

static status read_targets(run *r, arena *a, const char *path, error *err)
{
    str text;

    TRY(fs_read_file(path, 256 * LIMIT_MIB, a, &text, err));
    while (text.size > 0) {
        size_t end = str_find_char(text, '\n');
        size_t size = end == STR_NPOS ? text.size : end;

        if (size > 0) {
            vec_push(a, &r->targets, str_slice(text, 0, size));
        }
        text = str_slice(text, size < text.size ? size + 1 : size, text.size);
    }
    return r->targets.count > 0 ? STATUS_OK
                                : error_set(err, STATUS_INVALID, "there are no targets");
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return a < b ? -1 : a > b;
}

static void print_times(int64_t *took_ns, size_t count)
{
    qsort(took_ns, count, sizeof(*took_ns), compare);
    (void)printf("%.1f %.1f\n", (double)took_ns[count / 2] / 1e3,
                 (double)took_ns[count - 1 - count / 100] / 1e3);
}

static status read_environment(run *r, error *err)
{
    const char *header = getenv("TRANSFERS_HEADER");
    const char *rate = getenv("TRANSFERS_RATE");
    int64_t a_second = 0;

    r->header = header != NULL ? header : "";
    if (rate != NULL) {
        TRY(str_to_int64(str_c(rate), &a_second, err));
    }
    r->interval_ns = a_second > 0 ? 1000000000 / a_second : 0;
    return STATUS_OK;
}

static status work(int argc, char **argv, arena *a, error *err)
{
    int64_t port, clients, requests, begun_ns;
    int64_t begun_at =
        clock_now_us() / 1000; /* so that a run's numbers are not those of the last */
    run r = {.method = argv[2]};
    connection *all;

    TRY(str_to_int64(str_c(argv[1]), &port, err));
    TRY(str_to_int64(str_c(argv[3]), &clients, err));
    TRY(str_to_int64(str_c(argv[4]), &requests, err));
    if (clients < 1 || requests < clients) {
        return error_set(err, STATUS_INVALID, "fewer requests than clients");
    }
    TRY(read_targets(&r, a, argv[5], err));
    if (argc > 6) {
        TRY(fs_read_file(argv[6], 1024 * LIMIT_MIB, a, &r.body, err));
    }
    r.own_targets = r.targets.count == (size_t)clients;
    TRY(read_environment(&r, err));
    r.number_at = str_find(r.body, STR("@@@@@@@@@@"));
    r.number = begun_at % 1000000000;
    r.took_ns = NEW_ARRAY(int64_t, (size_t)requests);
    r.port = (int)port;
    r.left = requests;
    r.chunk = mem_alloc(CHUNK_BYTES);
    all = NEW_ARRAY(connection, (size_t)clients);
    r.next_ns = begun_ns = clock_mono_ns();
    TRY(transfer(&r, all, (size_t)clients, requests, err));
    (void)printf("%.6f %lld\n", (double)(clock_mono_ns() - begun_ns) / 1e9, (long long)r.bytes_in);
    if (r.interval_ns > 0) {
        print_times(r.took_ns, (size_t)requests);
    }
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    error err = ERROR_INIT;
    arena *a = arena_create();

    if (argc < 6) {
        (void)fputs("usage: transfers PORT METHOD CLIENTS REQUESTS TARGETS [BODY]\n", stderr);
        return 2;
    }
    if (work(argc, argv, a, &err) != STATUS_OK) {
        (void)fprintf(stderr, "transfers: %s\n", err.message);
        return 1;
    }
    arena_free(a);
    return 0;
}

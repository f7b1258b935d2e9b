/* Requests as fast as their answers come: `requests PORT KEY EACH BODY…`.
 *
 * One client a BODY, each with a thread and a connection of its own that is kept: it sends BODY to POST /api/v1/query,
 * reads the answer whole, and sends it again, EACH times, after some that are not counted. Prints the seconds of all
 * together, a request's quartiles in microseconds, and each client's first answer. Written in C so that what is
 * measured is the server: a client in Python takes as long for itself as a short query takes. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tarn/base/buf.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"
#include "tarn/base/thread.h"

#define WARM_UP 5

typedef struct client {
    pthread_barrier_t *begin;
    int port;
    int64_t each;
    str request;
    int64_t *took_ns; /* of each request */
    arena *memory;
    str first; /* answer */
    error failure;
    thread runner;
    int fd;
} client;

static status dial(client *c, error *err)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)c->port)};
    int on = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        return error_set(err, STATUS_IO, "cannot connect to port %d", c->port);
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return STATUS_OK;
}

/* Where the answer ends; 0: not known yet. Answers of short queries have a length. */
static size_t answer_size(str text)
{
    size_t head = str_find(text, STR("\r\n\r\n")), at;
    int64_t size = 0;
    str line;

    if (head == STR_NPOS) {
        return 0;
    }
    at = str_find(text, STR("Content-Length: "));
    if (at == STR_NPOS || at > head) {
        return 0;
    }
    line = str_slice(text, at + STR("Content-Length: ").size, head + 2);
    line = str_slice(line, 0, str_find_char(line, '\r'));
    return str_to_int64(line, &size, NULL) == STATUS_OK ? head + 4 + (size_t)size : 0;
}

static status ask(client *c, buf *answer, error *err)
{
    buf_clear(answer);
    if (send(c->fd, c->request.data, c->request.size, MSG_NOSIGNAL) != (ssize_t)c->request.size) {
        return error_set(err, STATUS_IO, "cannot send a request");
    }
    for (size_t size = 0; size == 0 || answer->size < size;) {
        char *room = buf_reserve(answer, 64 * LIMIT_KIB);
        ssize_t got;

        TRY(buf_check(answer, "an answer", err));
        got = recv(c->fd, room, 64 * LIMIT_KIB, 0);
        if (got <= 0) {
            return error_set(err, STATUS_IO, "the server closed the connection");
        }
        buf_commit(answer, (size_t)got);
        size = answer_size(buf_str(answer));
    }
    if (!str_starts_with(buf_str(answer), STR("HTTP/1.1 200 "))) {
        return error_set(err, STATUS_INVALID, "%.*s", STR_ARG(buf_str(answer)));
    }
    return STATUS_OK;
}

static status run_client(client *c, error *err)
{
    buf *answer = buf_in(c->memory, 64 * LIMIT_MIB);
    status result = dial(c, err);

    for (int i = 0; result == STATUS_OK && i < WARM_UP; i++) {
        result = ask(c, answer, err);
    }
    c->first = str_copy(c->memory, buf_str(answer));
    (void)pthread_barrier_wait(c->begin);
    for (int64_t i = 0; result == STATUS_OK && i < c->each; i++) {
        int64_t begun_ns = clock_mono_ns();

        result = ask(c, answer, err);
        c->took_ns[i] = clock_mono_ns() - begun_ns;
    }
    return result;
}

static void client_main(void *context)
{
    client *c = context;

    c->failure.kind = run_client(c, &c->failure);
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return a < b ? -1 : a > b;
}

static void report(client *clients, size_t count, int64_t *took_ns, size_t all, int64_t total_ns)
{
    qsort(took_ns, all, sizeof(*took_ns), compare);
    (void)printf("%.6f\n%.1f %.1f %.1f\n", (double)total_ns / 1e9, (double)took_ns[all / 4] / 1e3,
                 (double)took_ns[all / 2] / 1e3, (double)took_ns[all - 1 - all / 4] / 1e3);
    for (size_t i = 0; i < count; i++) {
        size_t head = str_find(clients[i].first, STR("\r\n\r\n"));

        (void)printf("%.*s", STR_ARG(str_slice(clients[i].first, head + 4, clients[i].first.size)));
    }
}

static status run(int port, str key, int64_t each, char **bodies, size_t count, error *err)
{
    arena *a = arena_create();
    client *clients = ARENA_ARRAY(a, client, count);
    int64_t *took_ns = ARENA_ARRAY(a, int64_t, count * (size_t)each);
    pthread_barrier_t begin;
    int64_t begun_ns;
    status result = STATUS_OK;

    (void)pthread_barrier_init(&begin, NULL, (unsigned)count + 1);
    for (size_t i = 0; i < count; i++) {
        clients[i] =
            (client){.begin = &begin, .port = port, .each = each, .fd = -1, .failure = ERROR_INIT};
        clients[i].memory = arena_create();
        clients[i].took_ns = took_ns + i * (size_t)each;
        clients[i].request = str_printf(
            a,
            "POST /api/v1/query HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %.*s\r\n"
            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
            port, STR_ARG(key), strlen(bodies[i]), bodies[i]);
        TRY(thread_start(&clients[i].runner, "client", client_main, &clients[i], err));
    }
    (void)pthread_barrier_wait(&begin);
    begun_ns = clock_mono_ns();
    for (size_t i = 0; i < count; i++) {
        thread_join(&clients[i].runner);
        if (clients[i].failure.kind != STATUS_OK) {
            *err = clients[i].failure;
            result = err->kind;
        }
    }
    if (result == STATUS_OK) {
        report(clients, count, took_ns, count * (size_t)each, clock_mono_ns() - begun_ns);
    }
    for (size_t i = 0; i < count; i++) {
        arena_free(clients[i].memory);
    }
    arena_free(a);
    return result;
}

int main(int argc, char **argv)
{
    int64_t port, each;
    error err = ERROR_INIT;

    if (argc < 5 || str_to_int64(str_c(argv[1]), &port, NULL) != STATUS_OK ||
        str_to_int64(str_c(argv[3]), &each, NULL) != STATUS_OK || each < 1) {
        (void)fputs("usage: requests PORT KEY EACH BODY...\n", stderr);
        return 2;
    }
    if (run((int)port, str_c(argv[2]), each, argv + 4, (size_t)argc - 4, &err) != STATUS_OK) {
        (void)fprintf(stderr, "requests: %s\n", err.message);
        return 1;
    }
    return 0;
}

/* raw_http.h: what the tests of the server share: a server of one door, and a client that sends and reads bytes as they
 * are, so that a test sees what is on the wire. */
#ifndef TARN_TEST_RAW_HTTP_H
#define TARN_TEST_RAW_HTTP_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/test.h"
#include "tarn/base/buf.h"
#include "tarn/base/clock.h"
#include "tarn/base/thread.h"
#include "tarn/net/http.h"

typedef struct site {
    http_server *server;
    char address[128];
    fixture *f;
} site;

static inline void site_stop(void *object)
{
    site *s = object;

    http_server_free(s->server);
    s->server = NULL;
}

/* Ends with the fixture's arena. */
static inline site *site_start_at(fixture *f, const char *address, const http_config *config,
                                  const http_service *service)
{
    site *s = ARENA_NEW(f->arena, site);

    s->f = f;
    EXPECT_OK(http_server_create(config, &s->server, &f->err));
    arena_defer(f->arena, site_stop, s);
    EXPECT_OK(http_server_listen(s->server, str_c(address), service, s->address, &f->err));
    EXPECT_OK(http_server_start(s->server, &f->err));
    return s;
}

static inline site *site_start(fixture *f, const http_config *config,
                               void (*handle)(void *, http_exchange *))
{
    http_service service = {.handle = handle};

    return site_start_at(f, "127.0.0.1:0", config, &service);
}

static inline void raw_connect_with(const site *s, int fd)
{
    str port;
    (void)str_cut(str_c(s->address), ':', &port);
    int64_t number = 0;
    assert_int_equal(str_to_int64(port, &number, NULL), STATUS_OK);
    struct sockaddr_in where = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)number),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
}

static inline int raw_connect(const site *s)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    raw_connect_with(s, fd);
    return fd;
}

static inline void raw_send(int fd, str bytes)
{
    while (bytes.size > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        assert_true(sent > 0);
        bytes = str_slice(bytes, (size_t)sent, bytes.size);
    }
}

/* How long a test waits for what has to come before it takes it for missing: only a failure takes so long. */
enum { PATIENCE_MS = 60000 };

typedef enum raw_end { RAW_CLOSED, RAW_RESET, RAW_SILENT } raw_end;

static inline size_t count_of(str text, const char *part)
{
    size_t count = 0;

    for (size_t at = 0; (at = str_find(text, str_c(part))) != STR_NPOS; count++) {
        text = str_slice(text, at + 1, text.size);
    }
    return count;
}

/* Everything until `mark` came `count` times (NULL: no such end), the server closes or resets, or says nothing any
 * more. */
static inline str raw_read_until(fixture *f, int fd, const char *mark, size_t count,
                                 raw_end *ret_end)
{
    buf *out = buf_in(f->arena, 1024 * 1024);
    struct pollfd wanted = {.fd = fd, .events = POLLIN};

    *ret_end = RAW_SILENT;
    while ((mark == NULL || count_of(buf_str(out), mark) < count) &&
           poll(&wanted, 1, PATIENCE_MS) > 0) {
        ssize_t got = recv(fd, buf_reserve(out, 65536), 65536, 0);
        if (got <= 0) {
            *ret_end = got == 0 ? RAW_CLOSED : RAW_RESET;
            break;
        }
        buf_commit(out, (size_t)got);
    }
    return buf_str(out);
}

/* Everything until the server closes or resets. */
static inline str raw_read(fixture *f, int fd, raw_end *ret_end)
{
    return raw_read_until(f, fd, NULL, 0, ret_end);
}

/* Sends, and reads until the server closes: requests say "Connection: close". */
static inline str raw_exchange(const site *s, str bytes)
{
    int fd = raw_connect(s);
    raw_end end;

    raw_send(fd, bytes);
    str answer = raw_read(s->f, fd, &end);
    (void)close(fd);
    assert_int_equal(end, RAW_CLOSED);
    return answer;
}

static inline bool contains(str text, const char *part)
{
    return str_find(text, str_c(part)) != STR_NPOS;
}

static inline void expect_contains(str text, const char *part)
{
    if (!contains(text, part)) {
        fail_msg("\"%s\" is not in: %.*s", part, STR_ARG(text));
    }
}

static inline void expect_start(str text, const char *part)
{
    if (!str_starts_with(text, str_c(part))) {
        fail_msg("does not start with \"%s\": %.*s", part, STR_ARG(text));
    }
}

static inline str body_of(str answer)
{
    size_t at = str_find(answer, STR("\r\n\r\n"));

    assert_true(at != STR_NPOS);
    return str_slice(answer, at + 4, answer.size);
}

/* Waits for other threads to bring something about. */
#define WAIT_FOR(condition)                                     \
    do {                                                        \
        int64_t wait_until_ = clock_mono_ms() + PATIENCE_MS;    \
        while (!(condition) && clock_mono_ms() < wait_until_) { \
            clock_sleep_ms(2);                                  \
        }                                                       \
        assert_true(condition);                                 \
    } while (0)

#endif

/* timeout: 120 */
/* Claims about what clients of one address get of a server: never all of it while others ask; and about how they are
 * refused. */
#include <stdatomic.h>

#include "raw_http.h"

#define HOST "Host: localhost\r\n"

static _Atomic int64_t moved_bytes;
static _Atomic int ended_as = -1; /* status of the last handler's work */

/* Reads the body, as much as it gets. */
static void swallow(void *context, http_exchange *x)
{
    char bytes[4096];
    size_t got = 0;
    status kind;

    (void)context;
    do {
        kind = http_body_read(x, bytes, sizeof bytes, &got, NULL);
        moved_bytes += kind == STATUS_OK ? (int64_t)got : 0;
    } while (kind == STATUS_OK && got > 0);
    ended_as = (int)kind;
    http_respond(x, kind == STATUS_OK ? 200 : 400, "text/plain", STR(""));
}

static void quick(void *context, http_exchange *x)
{
    (void)context;
    http_respond(x, 200, "text/plain", STR("quick"));
}

/* Whatever is wrong with it: a body would be taken for the next answer. */
static void test_a_refused_head_has_no_body(void **state)
{
    static const struct {
        const char *request, *answer;
    } cases[] = {{"HEAD /%zz HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 "},
                 {"HEAD /quick HTTP/2.0\r\n" HOST "\r\n", "HTTP/1.1 505 "},
                 {"HEAD /quick HTTP/1.1\r\nContent-Length: x\r\n" HOST "\r\n", "HTTP/1.1 400 "},
                 {"HEAD /quick HTTP/1.1\r\n a: b\r\n" HOST "\r\n", "HTTP/1.1 400 "}};
    fixture *f = *state;
    site *s = site_start(f, NULL, quick);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str answer = raw_exchange(s, str_c(cases[i].request));
        expect_start(answer, cases[i].answer);
        expect_contains(answer, "\r\nContent-Length: ");
        EXPECT_STR(body_of(answer), "");
    }
    assert_true(body_of(raw_exchange(s, STR("HEADS / HTTP/1.1\r\n" HOST "\r\n"))).size > 0);
    assert_true(body_of(raw_exchange(s, STR("GET /%zz HTTP/1.1\r\n" HOST "\r\n"))).size > 0);
}

/* From another address of this machine. */
static int connect_from(const site *s, const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    raw_connect_with(s, fd);
    return fd;
}

static void test_one_address_does_not_get_all_connections(void **state)
{
    fixture *f = *state;
    http_config config = {.connections_max = 8};
    site *s = site_start(f, &config, quick);
    static const str request = STR_INIT("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    int held[6];
    http_stats stats;
    raw_end end;

    for (size_t i = 0; i < COUNT_OF(held); i++) { /* three quarters */
        held[i] = raw_connect(s);
    }
    WAIT_FOR((http_server_stats(s->server, &stats), stats.connections_open == 6));
    expect_start(raw_exchange(s, request), "HTTP/1.1 503 ");
    int fd = connect_from(s, "127.0.0.2");
    raw_send(fd, request);
    expect_start(raw_read(f, fd, &end), "HTTP/1.1 200 ");
    (void)close(fd);
    (void)close(held[0]);
    WAIT_FOR((http_server_stats(s->server, &stats), stats.connections_open == 5));
    expect_start(raw_exchange(s, request), "HTTP/1.1 200 ");
    for (size_t i = 1; i < COUNT_OF(held); i++) {
        (void)close(held[i]);
    }
}

static const char *say_no(void *context, const http_refused *refused, buf *body)
{
    (void)context;
    buf_printf(body, "<no to=\"%.*s\"/>", STR_ARG(refused->target));
    return "application/xml";
}

static void test_a_connection_too_many_is_refused_in_its_doors_words(void **state)
{
    fixture *f = *state;
    http_config config = {.connections_max = 1};
    http_service service = {.handle = quick, .format_refusal = say_no};
    site *s = site_start_at(f, "127.0.0.1:0", &config, &service);
    int first = raw_connect(s);
    http_stats stats;

    WAIT_FOR((http_server_stats(s->server, &stats), stats.connections_open == 1));
    str answer = raw_exchange(s, STR("GET /a/b HTTP/1.1\r\n" HOST "\r\n"));
    expect_start(answer, "HTTP/1.1 503 ");
    expect_contains(answer, "Retry-After: 1\r\n");
    EXPECT_STR(body_of(answer), "<no to=\"/a/b\"/>");
    EXPECT_STR(body_of(raw_exchange(s, STR(""))), "<no to=\"\"/>");
    int more[80]; /* beyond those that are listened to */
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        more[i] = raw_connect(s);
    }
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        raw_end end;
        EXPECT_STR(body_of(raw_read(f, more[i], &end)), "<no to=\"\"/>");
        (void)close(more[i]);
    }
    (void)close(first);
}

/* Bodies that come quickly enough, and keep all threads. */
static void test_an_address_that_keeps_the_threads_waiting_gives_way_to_others(void **state)
{
    fixture *f = *state;
    http_config config = {.handler_threads = 2, .body_rate_least = 1, .body_window_ms = 400};
    static const char piece[64 * 1024];
    site *s = site_start(f, &config, swallow);
    int slow[2], own, other;
    raw_end end;

    moved_bytes = 0;
    ended_as = -1;

    for (size_t i = 0; i < COUNT_OF(slow); i++) {
        slow[i] = raw_connect(s);
        raw_send(slow[i], STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 100000000\r\n\r\nx"));
        WAIT_FOR(moved_bytes == (int64_t)i + 1);
    }
    own = raw_connect(s);
    raw_send(own, STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    for (int i = 0; i < 200; i++) { /* beyond the window, but only its own wait, and none is slow */
        raw_send(slow[i % 2], str_from(piece, sizeof piece));
        clock_sleep_ms(5);
    }
    assert_int_equal(ended_as, -1);
    other = connect_from(s, "127.0.0.2");
    raw_send(other, STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    for (struct pollfd wanted = {.fd = other, .events = POLLIN}; poll(&wanted, 1, 5) == 0;) {
        (void)send(slow[0], piece, sizeof piece, MSG_NOSIGNAL);
        (void)send(slow[1], piece, sizeof piece, MSG_NOSIGNAL);
    }
    expect_start(raw_read(f, other, &end), "HTTP/1.1 200 ");
    expect_start(raw_read(f, own, &end), "HTTP/1.1 200 ");
    (void)close(slow[0]);
    (void)close(slow[1]);
    (void)close(own);
    (void)close(other);
}

/* All from one address, all quicker than the least rate: the slower one ends, whoever asks. */
static void test_the_slowest_give_way_where_most_threads_wait_for_clients(void **state)
{
    fixture *f = *state;
    http_config config = {.handler_threads = 2, .body_rate_least = 1000, .body_window_ms = 200};
    static const char piece[64 * 1024];
    site *s = site_start(f, &config, swallow);
    int slow, quicker, other;
    raw_end end;

    moved_bytes = 0;
    ended_as = -1;
    slow = raw_connect(s);
    quicker = raw_connect(s);
    raw_send(slow, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000000\r\n\r\nx"));
    raw_send(quicker, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000000\r\n\r\nx"));
    WAIT_FOR(moved_bytes == 2);
    for (int i = 0; i < 100; i++) { /* threads are free for nobody, and nobody waits */
        (void)send(slow, piece, 40, MSG_NOSIGNAL);
        (void)send(quicker, piece, sizeof piece, MSG_NOSIGNAL);
        clock_sleep_ms(5);
    }
    assert_int_equal(ended_as, -1);
    other = raw_connect(s);
    raw_send(other, STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    for (struct pollfd wanted = {.fd = other, .events = POLLIN}; poll(&wanted, 1, 5) == 0;) {
        (void)send(slow, piece, 40, MSG_NOSIGNAL); /* 8 000 bytes a second */
        (void)send(quicker, piece, sizeof piece, MSG_NOSIGNAL);
    }
    expect_start(raw_read(f, other, &end), "HTTP/1.1 200 ");
    expect_start(raw_read(f, slow, &end), "HTTP/1.1 400 ");
    struct pollfd wanted = {.fd = quicker, .events = POLLIN};
    assert_int_equal(poll(&wanted, 1, 0), 0);
    (void)close(slow);
    (void)close(quicker);
    (void)close(other);
}

TESTS(test_a_refused_head_has_no_body, test_one_address_does_not_get_all_connections,
      test_a_connection_too_many_is_refused_in_its_doors_words,
      test_an_address_that_keeps_the_threads_waiting_gives_way_to_others,
      test_the_slowest_give_way_where_most_threads_wait_for_clients)

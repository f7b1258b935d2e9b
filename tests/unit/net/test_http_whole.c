/* timeout: 120 */
/* Claims about bodies that a handler wants whole: none of them costs a thread while it comes, all of them together cost
 * no more memory than is allowed, and whoever may not send one is told before it comes. */
#include <stdatomic.h>
#include <stdio.h>

#include "raw_http.h"

#define HOST "Host: localhost\r\n"

enum { KIB = 1024, BODY_MAX = 200 * KIB };

static _Atomic int called, awaited, ended_as, release_handlers;

static void reset_findings(void)
{
    called = awaited = release_handlers = 0;
    ended_as = -1;
}

/* Says how large the body is and what its bytes add up to; with /no refuses by the head alone. */
static void sum_up(void *context, http_exchange *x)
{
    error err = ERROR_INIT;
    str body;
    unsigned sum = 0;

    (void)context;
    called++;
    http_set_header(x, "X-Handler", STR("once"));
    if (str_equal(http_request_path(x), STR("/no"))) {
        http_respond(x, 403, "text/plain", STR("no"));
        return;
    }
    status kind = http_body_await(x, BODY_MAX, &body, &err);
    if (http_body_is_awaited(x)) {
        awaited++;
        return;
    }
    ended_as = (int)kind;
    if (kind != STATUS_OK) {
        http_respond(x, kind == STATUS_UNAVAILABLE ? 503 : 400, "text/plain", str_c(err.message));
        return;
    }
    for (size_t i = 0; i < body.size; i++) {
        sum += (unsigned char)body.data[i];
    }
    while (str_equal(http_request_path(x), STR("/keep")) && !release_handlers) {
        clock_sleep_ms(2);
    }
    http_respond(x, 200, "text/plain",
                 str_printf(http_exchange_arena(x), "%zu %u", body.size, sum));
}

static str filled(fixture *f, size_t size)
{
    char *bytes = arena_alloc(f->arena, size + 1);

    memset(bytes, 'a', size);
    return str_from(bytes, size);
}

static int begin(const site *s, const char *path, size_t size, str first)
{
    char head[200];
    int fd = raw_connect(s);

    (void)snprintf(head, sizeof head,
                   "POST %s HTTP/1.1\r\n" HOST "Connection: close\r\nContent-Length: %zu\r\n\r\n",
                   path, size);
    raw_send(fd, str_c(head));
    raw_send(fd, first);
    return fd;
}

static void expect_sum(fixture *f, int fd, size_t size)
{
    raw_end end;
    str answer = raw_read(f, fd, &end);

    expect_start(answer, "HTTP/1.1 200 ");
    assert_int_equal(count_of(answer, "X-Handler: once\r\n"), 1);
    EXPECT_STR(body_of(answer), str_printf(f->arena, "%zu %zu", size, size * 'a').data);
    (void)close(fd);
}

/* One handler thread, and more bodies on their way than it could wait for. */
static void test_bodies_on_their_way_cost_no_thread(void **state)
{
    fixture *f = *state;
    http_config config = {.handler_threads = 1};
    site *s = site_start(f, &config, sum_up);
    str part = filled(f, 50 * KIB);
    int slow[12];

    reset_findings();
    for (size_t i = 0; i < COUNT_OF(slow); i++) {
        slow[i] = begin(s, "/", 2 * part.size, part);
    }
    WAIT_FOR(awaited == COUNT_OF(slow));
    expect_sum(f, begin(s, "/", part.size, part), part.size);
    for (size_t i = 0; i < COUNT_OF(slow); i++) {
        raw_send(slow[i], part);
        expect_sum(f, slow[i], 2 * part.size);
    }
}

static void test_who_may_not_is_told_before_the_body_comes(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, NULL, sum_up);
    raw_end end;

    reset_findings();
    int fd = begin(s, "/no", 1000, STR(""));
    expect_start(raw_read(f, fd, &end), "HTTP/1.1 403 ");
    assert_int_equal(awaited, 0);
    (void)close(fd);
    fd = begin(s, "/", BODY_MAX + 1, STR(""));
    expect_start(raw_read(f, fd, &end), "HTTP/1.1 400 ");
    assert_int_equal(ended_as, STATUS_TOO_LARGE);
    (void)close(fd);
}

/* Several on one connection; the thread that answered one meets the next. */
static void test_bodies_in_chunks_are_collected_too(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, NULL, sum_up);
    int fd = raw_connect(s);
    raw_end end;

    reset_findings();
    for (int i = 1; i <= 3; i++) {
        raw_send(fd, STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\na"));
        WAIT_FOR(awaited == i);
        raw_send(fd, STR("a\r\n1\r\na\r\n0\r\n"));
        clock_sleep_ms(5);
        raw_send(fd, STR("\r\n"));
        WAIT_FOR(called == 2 * i);
    }
    (void)shutdown(fd, SHUT_WR);
    assert_int_equal(count_of(raw_read(f, fd, &end), "\r\n\r\n3 291"), 3);
    (void)close(fd);
    fd = raw_connect(s);
    raw_send(fd, STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\na"));
    WAIT_FOR(awaited == 4);
    raw_send(fd, STR("axx"));
    expect_start(raw_read(f, fd, &end), "HTTP/1.1 400 ");
    assert_int_equal(ended_as, STATUS_INVALID);
    (void)close(fd);
    fd = raw_connect(s);
    raw_send(fd, STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n32001\r\n"));
    WAIT_FOR(awaited == 5);
    raw_send(fd, filled(f, BODY_MAX));
    raw_send(fd, STR("a"));
    expect_start(raw_read(f, fd, &end), "HTTP/1.1 400 ");
    assert_int_equal(ended_as, STATUS_TOO_LARGE);
    (void)close(fd);
}

static void test_a_client_that_waits_for_continue_is_told_to(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, NULL, sum_up);
    int fd = raw_connect(s);
    raw_end end;

    reset_findings();
    raw_send(fd, STR("POST / HTTP/1.1\r\n" HOST "Connection: close\r\nExpect: 100-continue\r\n"
                     "Content-Length: 3\r\n\r\n"));
    expect_start(raw_read_until(f, fd, "\r\n\r\n", 1, &end), "HTTP/1.1 100 ");
    raw_send(fd, STR("aaa"));
    expect_sum(f, fd, 3);
}

/* Of both the memory is given back: by the one that breaks off and by the one that was answered. */
static void test_all_bodies_together_have_a_limit(void **state)
{
    fixture *f = *state;
    http_config config = {.whole_bytes_max = 256 * KIB};
    site *s = site_start(f, &config, sum_up);
    str part = filled(f, 100 * KIB);
    raw_end end;
    int large[2], more;

    for (int round = 0; round < 2; round++) {
        reset_findings();
        for (size_t i = 0; i < COUNT_OF(large); i++) { /* 128 KiB each */
            large[i] = begin(s, "/", 128 * KIB, part);
        }
        WAIT_FOR(awaited == 2);
        more = -1;
        for (int64_t until_ms = clock_mono_ms() + PATIENCE_MS; clock_mono_ms() < until_ms;) {
            more = begin(s, "/", 20 * KIB, filled(f, 20 * KIB));
            str answer = raw_read(f, more, &end);
            (void)close(more);
            if (str_starts_with(answer, STR("HTTP/1.1 503 "))) {
                break; /* once both have come as far as they do */
            }
        }
        assert_int_equal(ended_as, STATUS_UNAVAILABLE);
        expect_sum(f, begin(s, "/", 1000, filled(f, 1000)), 1000);
        raw_send(large[0], filled(f, 28 * KIB));
        expect_sum(f, large[0], 128 * KIB);
        (void)close(large[1]);
        WAIT_FOR(ended_as == STATUS_CANCELLED);
    }
}

/* The memory is full with four halves: who fails for it gives up what it has before it is answered. */
static void test_where_many_lack_memory_some_come_through(void **state)
{
    fixture *f = *state;
    http_config config = {.whole_bytes_max = 256 * KIB, .handler_threads = 1};
    site *s = site_start(f, &config, sum_up);
    str begun = filled(f, 63 * KIB), rest = filled(f, 65 * KIB);
    int fds[4], whole = 0;
    raw_end end;

    reset_findings();
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = begin(s, "/", begun.size + rest.size, begun);
    }
    WAIT_FOR(awaited == COUNT_OF(fds));
    int keeper = begin(s, "/keep", 1, STR("a"));
    WAIT_FOR(called == COUNT_OF(fds) + 1);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        raw_send(fds[i], rest);
    }
    clock_sleep_ms(200); /* they come, or fail, while nobody is answered */
    release_handlers = 1;
    expect_sum(f, keeper, 1);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        whole += str_starts_with(raw_read(f, fds[i], &end), STR("HTTP/1.1 200 "));
        (void)close(fds[i]);
    }
    assert_in_range(whole, 2, COUNT_OF(fds));
}

/* Two keep all the memory, and do not move: one gives way, and the other has enough. */
static void test_a_body_that_hardly_moves_gives_way_when_memory_is_short(void **state)
{
    fixture *f = *state;
    http_config config = {.whole_bytes_max = 64 * KIB, .body_rate_least = 1, .body_window_ms = 100};
    site *s = site_start(f, &config, sum_up);
    int fds[2], whole = 0, late = 0;
    raw_end end;

    reset_findings();
    fds[0] = begin(s, "/", 33 * KIB, filled(f, 20 * KIB)); /* half of it all */
    WAIT_FOR(awaited == 1);
    clock_sleep_ms(1000); /* windows, and nobody else wants the memory */
    assert_int_equal(ended_as, -1);
    fds[1] = begin(s, "/", 33 * KIB, filled(f, 20 * KIB));
    WAIT_FOR(ended_as == STATUS_TIMEOUT);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        raw_send(fds[i], filled(f, 13 * KIB));
        str answer = raw_read(f, fds[i], &end);
        whole += str_starts_with(answer, STR("HTTP/1.1 200 "));
        late += str_starts_with(answer, STR("HTTP/1.1 400 "));
        (void)close(fds[i]);
    }
    assert_int_equal(whole, 1);
    assert_int_equal(late, 1);
}

static void test_a_body_that_does_not_come_times_out_in_the_handlers_words(void **state)
{
    fixture *f = *state;
    http_config config = {.progress_timeout_ms = 100};
    site *s = site_start(f, &config, sum_up);
    raw_end end;

    reset_findings();
    int fd = begin(s, "/", 10, STR("aaa"));
    expect_start(raw_read(f, fd, &end), "HTTP/1.1 400 ");
    assert_int_equal(ended_as, STATUS_TIMEOUT);
    (void)close(fd);
}

static void test_a_stopping_server_does_not_wait_for_bodies_for_ever(void **state)
{
    fixture *f = *state;
    http_config config = {.drain_timeout_ms = 50};
    site *s = site_start(f, &config, sum_up);

    reset_findings();
    int fd = begin(s, "/", 100 * KIB, filled(f, 50 * KIB));
    WAIT_FOR(awaited == 1);
    http_server_stop(s->server);
    (void)close(fd);
}

TESTS(test_where_many_lack_memory_some_come_through, test_bodies_on_their_way_cost_no_thread,
      test_who_may_not_is_told_before_the_body_comes, test_bodies_in_chunks_are_collected_too,
      test_a_client_that_waits_for_continue_is_told_to, test_all_bodies_together_have_a_limit,
      test_a_body_that_hardly_moves_gives_way_when_memory_is_short,
      test_a_body_that_does_not_come_times_out_in_the_handlers_words,
      test_a_stopping_server_does_not_wait_for_bodies_for_ever)

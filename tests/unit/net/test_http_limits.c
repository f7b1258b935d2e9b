/* timeout: 120 */
/* Claims about deadlines, back-pressure, clients that go away, and stopping. Times are short and only ever waited for:
 * no test depends on something being quick. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "raw_http.h"

#define HOST "Host: localhost\r\n"

enum { MIB = 1024 * 1024 };

/* What handlers tell the tests. */
static _Atomic int64_t moved_bytes;
static _Atomic int ended_as = -1; /* status of the last handler's work */
static _Atomic bool running, release_handlers, saw_gone;

static void reset_findings(void)
{
    moved_bytes = 0;
    ended_as = -1;
    running = release_handlers = saw_gone = false;
}

static const http_config patient = {.loops = 2, .drain_timeout_ms = PATIENCE_MS};

/* ---- memory and back-pressure ---- */

static int64_t resident_bytes(void)
{
    long pages = 0;
    long resident = 0;
    FILE *statm = fopen("/proc/self/statm", "re");

    assert_non_null(statm);
    assert_int_equal(fscanf(statm, "%ld %ld", &pages, &resident), 2);
    (void)fclose(statm);
    return resident * (int64_t)sysconf(_SC_PAGESIZE);
}

/* Reads as much as it gets; with ?after it waits first until it is released. */
static void swallow(void *context, http_exchange *x)
{
    char bytes[65536];
    error err = ERROR_INIT;
    size_t got = 0;
    status kind;

    (void)context;
    running = true;
    while (!str_is_null(http_request_param(x, "after")) && !release_handlers) {
        clock_sleep_ms(2);
    }
    do {
        kind = http_body_read(x, bytes, sizeof bytes, &got, &err);
        moved_bytes += kind == STATUS_OK ? (int64_t)got : 0;
    } while (kind == STATUS_OK && got > 0);
    ended_as = (int)kind;
    http_respond(x, kind == STATUS_OK ? 200 : 400, "text/plain",
                 str_printf(http_exchange_arena(x), "%lld", (long long)moved_bytes));
}

static const char zeros[MIB];

static void test_an_upload_of_100_mb_takes_no_memory(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, &patient, swallow);
    int fd = raw_connect(s);
    raw_end end;

    reset_findings();
    raw_send(fd, STR("POST / HTTP/1.1\r\n" HOST
                     "Connection: close\r\nContent-Length: 104857600\r\n\r\n"));
    raw_send(fd, str_from(zeros, MIB));
    int64_t before = resident_bytes();
    int64_t most = before;
    for (int i = 1; i < 100; i++) {
        raw_send(fd, str_from(zeros, MIB));
        int64_t now = resident_bytes();
        most = now > most ? now : most;
    }
    EXPECT_STR(body_of(raw_read(f, fd, &end)), "104857600");
    assert_true(most - before < 4 * MIB);
    (void)close(fd);
}

static void test_a_chunked_upload_of_100_mb_takes_no_memory(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, &patient, swallow);
    int fd = raw_connect(s);
    raw_end end;
    int64_t before = 0;

    reset_findings();
    raw_send(fd, STR("POST / HTTP/1.1\r\n" HOST
                     "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 100; i++) {
        raw_send(fd, STR("100000\r\n"));
        raw_send(fd, str_from(zeros, MIB));
        raw_send(fd, STR("\r\n"));
        before = i == 0 ? resident_bytes() : before;
    }
    int64_t after = resident_bytes();
    raw_send(fd, STR("0\r\n\r\n"));
    EXPECT_STR(body_of(raw_read(f, fd, &end)), "104857600");
    assert_true(after - before < 4 * MIB);
    (void)close(fd);
}

static void test_a_handler_that_does_not_read_makes_the_client_wait(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, &patient, swallow);
    int fd = raw_connect(s);
    raw_end end;
    int64_t sent_bytes = 0;
    int64_t before = resident_bytes();

    reset_findings();
    raw_send(fd, STR("POST /?after HTTP/1.1\r\n" HOST
                     "Connection: close\r\nContent-Length: 104857600\r\n\r\n"));
    WAIT_FOR(running);
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    while (poll(&wanted, 1, 200) > 0) {
        ssize_t sent = send(fd, zeros, MIB, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent_bytes += sent > 0 ? sent : 0;
    }
    assert_true(sent_bytes < 32 * MIB); /* what the two sockets hold */
    assert_true(resident_bytes() - before < 4 * MIB);
    release_handlers = true;
    for (int64_t left = 104857600 - sent_bytes; left > 0; left -= MIB) {
        raw_send(fd, str_from(zeros, left < MIB ? (size_t)left : MIB));
    }
    EXPECT_STR(body_of(raw_read(f, fd, &end)), "104857600");
    (void)close(fd);
}

static void pour(void *context, http_exchange *x)
{
    error err = ERROR_INIT;
    status kind = http_stream_begin(x, 200, "application/octet-stream", 104857600, &err);

    (void)context;
    running = true;
    for (int i = 0; i < 100 && kind == STATUS_OK; i++) {
        kind = http_stream_write(x, zeros, MIB, &err);
        moved_bytes += kind == STATUS_OK ? MIB : 0;
    }
    ended_as = (int)(kind == STATUS_OK ? http_stream_end(x, &err) : kind);
}

static void pour_or_not(void *context, http_exchange *x)
{
    if (str_is_null(http_request_param(x, "pour"))) {
        http_respond(x, 200, "text/plain", STR("quick"));
    } else {
        pour(context, x);
    }
}

static int64_t read_to_the_end(int fd)
{
    static char bytes[MIB];
    int64_t total = 0;

    for (ssize_t got; (got = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
        total += got;
    }
    return total;
}

static void test_a_client_that_does_not_read_makes_the_handler_wait(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, &patient, pour);
    int fd = raw_connect(s);
    int64_t before = resident_bytes();

    reset_findings();
    raw_send(fd, STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    WAIT_FOR(running);
    for (int64_t seen = -1; seen != moved_bytes;) {
        seen = moved_bytes;
        clock_sleep_ms(200);
    }
    assert_true(moved_bytes < 32 * MIB);
    assert_int_equal(ended_as, -1);
    assert_true(resident_bytes() - before < 4 * MIB);
    assert_in_range(read_to_the_end(fd), 104857600, 104857600 + 1000);
    WAIT_FOR(ended_as == STATUS_OK);
    (void)close(fd);
}

static void send_big_file(void *context, http_exchange *x)
{
    const int *file = context;

    http_respond_file(x, 200, NULL, dup(*file), 0, 64 * MIB);
    running = true;
}

static void test_a_slow_reader_of_a_file_holds_no_handler(void **state)
{
    fixture *f = *state;
    int file = memfd_create("big", MFD_CLOEXEC);
    assert_int_equal(ftruncate(file, 64 * MIB), 0);
    http_config config = {.handler_threads = 1};
    http_service service = {.handle = send_big_file, .context = &file};
    site *s = site_start_at(f, "127.0.0.1:0", &config, &service);
    int slow = raw_connect(s);
    int quick = raw_connect(s);

    reset_findings();
    raw_send(slow, STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    WAIT_FOR(running);
    /* The one handler thread is free for others although the first client has read nothing. */
    raw_send(quick, STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    assert_in_range(read_to_the_end(quick), 64 * MIB, 64 * MIB + 1000);
    assert_in_range(read_to_the_end(slow), 64 * MIB, 64 * MIB + 1000);
    (void)close(slow);
    (void)close(quick);
    site_stop(s);
    (void)close(file);
}

/* ---- clients that go away ---- */

static void wait_until_gone(void *context, http_exchange *x)
{
    error err = ERROR_INIT;
    str body;

    (void)context;
    (void)http_body_read_all(x, 1000, &body, &err);
    running = true;
    for (int64_t until = clock_mono_ms() + PATIENCE_MS;
         clock_mono_ms() < until && !release_handlers;) {
        if (http_exchange_gone(x)) {
            saw_gone = true;
            break;
        }
        clock_sleep_ms(1);
    }
    http_respond(x, 200, "text/plain", STR("done"));
    ended_as = STATUS_OK;
}

static void test_a_client_that_closes_is_noticed_within_a_second(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, &patient, wait_until_gone);

    static const str requests[] = {
        STR_INIT("GET / HTTP/1.1\r\n" HOST "\r\n"),
        STR_INIT("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"),
        STR_INIT("POST / HTTP/1.1\r\n" HOST
                 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    };
    for (size_t i = 0; i < 2 * COUNT_OF(requests); i++) {
        int fd = raw_connect(s);
        struct linger now = {.l_onoff = i % 2 == 0, .l_linger = 0};
        reset_findings();
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        raw_send(fd, requests[i / 2]);
        WAIT_FOR(running);
        int64_t closed_ms = clock_mono_ms();
        (void)close(fd);
        WAIT_FOR(saw_gone);
        assert_true(clock_mono_ms() - closed_ms < test_at_most_ms(1000));
        WAIT_FOR(ended_as == STATUS_OK);
    }
}

static void test_a_client_that_waits_is_not_taken_for_gone(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, &patient, wait_until_gone);
    int fd = raw_connect(s);
    raw_end end;

    reset_findings();
    raw_send(fd, STR("GET / HTTP/1.1\r\n" HOST "\r\nGET /next HTTP/1.1\r\n" HOST "\r\n"));
    WAIT_FOR(running);
    clock_sleep_ms(50);
    assert_false(saw_gone);
    release_handlers = true;
    assert_int_equal(count_of(raw_read_until(f, fd, "done", 2, &end), "done"), 2);
    (void)close(fd);
}

static void test_a_stream_to_a_client_that_left_is_cancelled(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, &patient, pour);
    int fd = raw_connect(s);

    reset_findings();
    raw_send(fd, STR("GET / HTTP/1.1\r\n" HOST "\r\n"));
    WAIT_FOR(running);
    (void)close(fd);
    WAIT_FOR(ended_as >= 0);
    assert_int_equal(ended_as, STATUS_CANCELLED);
}

/* ---- deadlines ---- */

static void quick(void *context, http_exchange *x)
{
    (void)context;
    http_respond(x, 200, "text/plain", STR("quick"));
}

static void test_a_head_that_does_not_end_is_408(void **state)
{
    fixture *f = *state;
    http_config config = {.head_timeout_ms = 100};
    site *s = site_start(f, &config, quick);
    int fd = raw_connect(s);
    raw_end end;

    /* A byte now and then does not help. */
    for (int i = 0; i < 30; i++) {
        if (send(fd, i == 0 ? "G" : "x", 1, MSG_NOSIGNAL) < 0) {
            break;
        }
        clock_sleep_ms(10);
    }
    str answer = raw_read(f, fd, &end);
    expect_start(answer, "HTTP/1.1 408 ");
    expect_contains(answer, "\"code\":\"timed_out\"");
    (void)close(fd);
}

static void test_connections_that_say_nothing_are_closed(void **state)
{
    fixture *f = *state;
    http_config hasty = {.head_timeout_ms = 100};
    http_config config = {.head_timeout_ms = PATIENCE_MS, .idle_timeout_ms = 100};
    site *s = site_start(f, &config, quick);
    int fresh = raw_connect(site_start(f, &hasty, quick));
    raw_end end;

    EXPECT_STR(raw_read(f, fresh, &end), "");
    assert_int_equal(end, RAW_CLOSED);
    int kept = raw_connect(s);
    raw_send(kept, STR("GET / HTTP/1.1\r\n" HOST "\r\n"));
    str answer = raw_read(f, kept, &end);
    assert_int_equal(count_of(answer, "HTTP/1.1 "), 1); /* the answer, and no 408 behind it */
    assert_int_equal(end, RAW_CLOSED);
    (void)close(fresh);
    (void)close(kept);
}

/* As a worker does between fork and exec: its copies of the sockets keep them alive behind the server's back. */
static void test_a_closed_connection_that_a_child_still_holds_is_forgotten(void **state)
{
    fixture *f = *state;
    http_config config = {.loops = 1, .idle_timeout_ms = 50};
    site *s = site_start(f, &config, quick);
    int fd = raw_connect(s);
    http_stats stats;
    raw_end end;
    int talk[2];
    char byte;

    raw_send(fd, STR("GET / HTTP/1.1\r\n" HOST "\r\n"));
    (void)raw_read_until(f, fd, "quick", 1, &end);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk), 0);
    pid_t child = fork();
    if (child ==
        0) { /* says something to the forgotten socket, and keeps it until it is told to end */
        (void)close(talk[0]);
        bool said = recv(talk[1], &byte, 1, 0) == 1 && send(fd, "late", 4, MSG_NOSIGNAL) == 4 &&
                    send(talk[1], "x", 1, MSG_NOSIGNAL) == 1 && recv(talk[1], &byte, 1, 0) == 1;
        _exit(said ? 0 : 1);
    }
    (void)close(talk[1]);
    WAIT_FOR((http_server_stats(s->server, &stats), stats.connections_open == 0));
    for (int i = 0; i < 3; i++) { /* each time the loop goes round */
        expect_start(raw_exchange(s, STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n")),
                     "HTTP/1.1 200 ");
        if (i != 1) {
            assert_int_equal(send(talk[0], "x", 1, MSG_NOSIGNAL), 1);
        }
        if (i == 0) {
            assert_int_equal(recv(talk[0], &byte, 1, 0), 1);
        }
    }
    int code = -1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    (void)close(fd);
    (void)close(talk[0]);
}

static void test_a_body_that_does_not_move_times_out(void **state)
{
    fixture *f = *state;
    http_config config = {.progress_timeout_ms = 100};
    site *s = site_start(f, &config, swallow);
    int fd = raw_connect(s);
    raw_end end;

    reset_findings();
    raw_send(fd, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc"));
    expect_start(raw_read(f, fd, &end), "HTTP/1.1 400 ");
    assert_int_equal(ended_as, STATUS_TIMEOUT);
    assert_int_equal(moved_bytes, 3);
    (void)close(fd);
}

static void swallow_soon(void *context, http_exchange *x)
{
    http_body_set_deadline(x, 100);
    swallow(context, x);
}

static void test_a_body_may_have_a_deadline_however_it_trickles(void **state)
{
    fixture *f = *state;
    http_config config = {.progress_timeout_ms = (int64_t)60 * 60 * 1000};
    site *s = site_start(f, &config, swallow_soon);
    int fd = raw_connect(s);
    raw_end end;

    reset_findings();
    raw_send(fd, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\nabc"));
    while (ended_as < 0) {
        (void)send(fd, "x", 1, MSG_NOSIGNAL);
        clock_sleep_ms(5);
    }
    assert_int_equal(ended_as, STATUS_TIMEOUT);
    expect_start(raw_read(f, fd, &end), "HTTP/1.1 400 ");
    (void)close(fd);
}

/* One handler thread, and a body of a byte now and then. */
static void test_a_slow_body_gives_way_to_requests_that_wait(void **state)
{
    fixture *f = *state;
    http_config config = {.handler_threads = 1, .body_rate_least = 1000000, .body_window_ms = 100};
    site *s = site_start(f, &config, swallow);
    int slow = raw_connect(s);
    int other = raw_connect(s);
    raw_end end;

    reset_findings();
    raw_send(slow, STR("POST /?slow HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n"));
    WAIT_FOR(running);
    for (int i = 0; i < 60; i++) { /* far beyond the window, but nobody waits */
        raw_send(slow, STR("x"));
        clock_sleep_ms(5);
    }
    assert_int_equal(ended_as, -1);
    raw_send(other, STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    expect_start(raw_read(f, slow, &end), "HTTP/1.1 400 "); /* the handler's word for TIMEOUT */
    expect_start(raw_read(f, other, &end), "HTTP/1.1 200 ");
    (void)close(slow);
    (void)close(other);
}

/* One handler thread, and an answer of which little is read. */
static void test_an_answer_read_slowly_gives_way_to_requests_that_wait(void **state)
{
    fixture *f = *state;
    http_config config = {.handler_threads = 1, .body_rate_least = 64 * MIB, .body_window_ms = 100};
    site *s = site_start(f, &config, pour_or_not);
    int slow = raw_connect(s);
    int other = raw_connect(s);
    raw_end end;
    char some[64];

    reset_findings();
    raw_send(slow, STR("GET /?pour HTTP/1.1\r\n" HOST "\r\n"));
    WAIT_FOR(running);
    for (int i = 0; i < 60; i++) { /* far beyond the window, but nobody waits */
        assert_int_equal(recv(slow, some, sizeof some, 0), sizeof some);
        clock_sleep_ms(5);
    }
    assert_int_equal(ended_as, -1);
    raw_send(other, STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
    expect_start(raw_read(f, other, &end), "HTTP/1.1 200 ");
    assert_int_equal(ended_as, STATUS_TIMEOUT);
    assert_true(read_to_the_end(slow) < 104857600);
    (void)close(slow);
    (void)close(other);
}

static bool wants_every(void *context, http_exchange *x)
{
    (void)context;
    (void)x;
    return true;
}

/* One handler thread, and bodies that do not come: none of them costs it. */
static void test_a_door_that_wants_bodies_whole_has_no_thread_wait_for_them(void **state)
{
    fixture *f = *state;
    http_config config = {.handler_threads = 1};
    http_service service = {.handle = swallow, .wants_whole = wants_every};
    site *s = site_start_at(f, "127.0.0.1:0", &config, &service);
    int slow[20];
    int other = raw_connect(s);
    raw_end end;

    reset_findings();
    for (size_t i = 0; i < COUNT_OF(slow); i++) {
        slow[i] = raw_connect(s);
        raw_send(slow[i], STR("POST /?slow HTTP/1.1\r\n" HOST "Content-Length: 8\r\n"
                              "Connection: close\r\n\r\nabc"));
    }
    for (int i = 0; i < 3; i++) { /* also on a connection that a thread stays with */
        raw_send(other, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\n"));
        clock_sleep_ms(10);
        raw_send(other, STR("abc"));
        WAIT_FOR(ended_as >= 0);
        assert_int_equal(ended_as, STATUS_OK);
        assert_int_equal(moved_bytes, 3);
        reset_findings();
    }
    (void)shutdown(other, SHUT_WR);
    assert_int_equal(count_of(raw_read(f, other, &end), "HTTP/1.1 200 "), 3);
    for (size_t i = 0; i < COUNT_OF(slow); i++) {
        raw_send(slow[i], STR("defgh"));
        expect_start(raw_read(f, slow[i], &end), "HTTP/1.1 200 ");
        (void)close(slow[i]);
    }
    assert_int_equal(moved_bytes, 8 * COUNT_OF(slow));
    (void)close(other);
}

static void test_a_whole_body_that_does_not_come_is_408(void **state)
{
    fixture *f = *state;
    http_config config = {.progress_timeout_ms = 100};
    http_service service = {.handle = swallow, .wants_whole = wants_every};
    site *s = site_start_at(f, "127.0.0.1:0", &config, &service);
    int fd = raw_connect(s);
    raw_end end;

    reset_findings();
    raw_send(fd, STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc"));
    expect_start(raw_read(f, fd, &end), "HTTP/1.1 408 ");
    assert_int_equal(ended_as, -1); /* no handler was asked */
    (void)close(fd);
}

static void test_an_answer_that_nobody_reads_times_out(void **state)
{
    fixture *f = *state;
    http_config config = {.progress_timeout_ms = 100};
    site *s = site_start(f, &config, pour);
    int fd = raw_connect(s);

    reset_findings();
    raw_send(fd, STR("GET / HTTP/1.1\r\n" HOST "\r\n"));
    WAIT_FOR(ended_as >= 0);
    assert_int_equal(ended_as, STATUS_TIMEOUT);
    assert_true(read_to_the_end(fd) < 104857600);
    (void)close(fd);
}

static void test_a_file_that_nobody_reads_is_cut(void **state)
{
    fixture *f = *state;
    int file = memfd_create("big", MFD_CLOEXEC);
    assert_int_equal(ftruncate(file, 64 * MIB), 0);
    http_config config = {.progress_timeout_ms = 100};
    http_service service = {.handle = send_big_file, .context = &file};
    site *s = site_start_at(f, "127.0.0.1:0", &config, &service);
    int fd = raw_connect(s);
    http_stats stats;

    raw_send(fd, STR("GET / HTTP/1.1\r\n" HOST "\r\n"));
    WAIT_FOR((http_server_stats(s->server, &stats),
              stats.connections_total == 1 && stats.connections_open == 0));
    assert_true(read_to_the_end(fd) < 64 * MIB);
    (void)close(fd);
    site_stop(s);
    (void)close(file);
}

static void test_connections_beyond_the_maximum_get_503(void **state)
{
    fixture *f = *state;
    http_config config = {.connections_max = 2};
    site *s = site_start(f, &config, quick);
    int first = raw_connect(s);
    int second = raw_connect(s);
    http_stats stats;
    raw_end end;

    WAIT_FOR((http_server_stats(s->server, &stats), stats.connections_open == 2));
    int third = raw_connect(s);
    str answer = raw_read(f, third, &end);
    expect_start(answer, "HTTP/1.1 503 ");
    expect_contains(answer, "\"code\":\"busy\"");
    (void)close(third);
    (void)close(first);
    WAIT_FOR((http_server_stats(s->server, &stats), stats.connections_open == 1));
    expect_start(raw_exchange(s, STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n")),
                 "HTTP/1.1 200 ");
    (void)close(second);
}

static void test_clients_are_refused_when_descriptors_run_out(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, &patient, quick);
    struct rlimit limit;
    struct rlimit tight;
    raw_end end;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int fd = raw_connect(s);
    raw_send(fd, STR("GET / HTTP/1.1\r\n" HOST "\r\n"));
    expect_start(raw_read_until(f, fd, "quick", 1, &end), "HTTP/1.1 200 ");
    (void)close(fd);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* Every descriptor below the client's own is taken, none above is allowed. */
    tight = (struct rlimit){.rlim_cur = (rlim_t)fd + 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    raw_connect_with(s, fd);
    str answer = raw_read(f, fd, &end);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect_start(answer, "HTTP/1.1 503 ");
    (void)close(fd);
    expect_start(raw_exchange(s, STR("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n")),
                 "HTTP/1.1 200 ");
}

/* ---- many at once ---- */

static void one_client(void *context, size_t index)
{
    site *s = context;
    char answer[4096];
    int fd = raw_connect(s);

    for (int i = 0; i < 50; i++) {
        raw_send(fd, index % 2 == 0
                         ? STR("GET / HTTP/1.1\r\n" HOST "\r\n")
                         : STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"));
        size_t size = 0;
        while (!str_ends_with(str_from(answer, size), STR("quick"))) {
            ssize_t got = recv(fd, answer + size, sizeof answer - size, 0);
            if (got <= 0) {
                return;
            }
            size += (size_t)got;
        }
        moved_bytes++;
    }
    (void)close(fd);
}

static bool sometimes(void *context, http_exchange *x)
{
    (void)context;
    return (http_request_id(x).data[0] & 1) != 0;
}

static void test_many_clients_at_once_are_all_answered(void **state)
{
    fixture *f = *state;
    http_service service = {.handle = quick, .is_inline = sometimes};
    site *s = site_start_at(f, "127.0.0.1:0", &patient, &service);

    reset_findings();
    parallel_for(16, 16, one_client, s);
    assert_int_equal(moved_bytes, 16 * 50);
}

/* ---- stopping ---- */

static void stop_in_thread(void *context)
{
    site *s = context;

    http_server_stop(s->server);
    release_handlers = true; /* tells that stop has returned */
}

static void answer_when_told(void *context, http_exchange *x)
{
    _Atomic bool *go = context;

    running = true;
    for (int64_t until = clock_mono_ms() + PATIENCE_MS; clock_mono_ms() < until && !*go;) {
        if (http_exchange_gone(x)) {
            saw_gone = true;
            return;
        }
        clock_sleep_ms(1);
    }
    http_respond(x, 200, "text/plain", STR("finished"));
}

static void test_stop_lets_what_runs_finish_and_takes_nothing_new(void **state)
{
    fixture *f = *state;
    static _Atomic bool go;
    http_service service = {.handle = answer_when_told, .context = &go};
    site *s = site_start_at(f, "127.0.0.1:0", &patient, &service);
    int busy = raw_connect(s);
    int idle = raw_connect(s);
    thread stopper = {.started = false};
    raw_end end;

    go = false;
    reset_findings();
    raw_send(busy, STR("GET / HTTP/1.1\r\n" HOST "\r\nGET /never HTTP/1.1\r\n" HOST "\r\n"));
    WAIT_FOR(running);
    EXPECT_OK(thread_start(&stopper, "stopper", stop_in_thread, s, &f->err));
    EXPECT_STR(raw_read(f, idle, &end), "");
    assert_int_equal(end, RAW_CLOSED);
    assert_false(release_handlers);
    go = true;
    str answer = raw_read(f, busy, &end);
    EXPECT_STR(body_of(answer), "finished");
    expect_contains(answer, "\r\nConnection: close\r\n");
    assert_int_equal(end, RAW_CLOSED);
    thread_join(&stopper);
    (void)close(busy);
    (void)close(idle);
}

static void test_stop_cuts_what_does_not_finish(void **state)
{
    fixture *f = *state;
    static _Atomic bool never;
    http_config config = {.drain_timeout_ms = 100};
    http_service service = {.handle = answer_when_told, .context = &never};
    site *s = site_start_at(f, "127.0.0.1:0", &config, &service);
    int fd = raw_connect(s);
    raw_end end;

    reset_findings();
    raw_send(fd, STR("GET / HTTP/1.1\r\n" HOST "\r\n"));
    WAIT_FOR(running);
    int64_t began_ms = clock_mono_ms();
    http_server_stop(s->server);
    assert_in_range(clock_mono_ms() - began_ms, 100, test_at_most_ms(1000));
    assert_true(saw_gone);
    EXPECT_STR(raw_read(f, fd, &end), "");
    assert_int_not_equal(end, RAW_SILENT);
    (void)close(fd);
}

static void test_an_idle_server_stops_at_once(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, &patient, quick);
    int64_t began_ms = clock_mono_ms();

    http_server_stop(s->server);
    assert_true(clock_mono_ms() - began_ms < test_at_most_ms(1000));
}

TESTS(test_an_upload_of_100_mb_takes_no_memory, test_a_chunked_upload_of_100_mb_takes_no_memory,
      test_a_handler_that_does_not_read_makes_the_client_wait,
      test_a_client_that_does_not_read_makes_the_handler_wait,
      test_a_slow_reader_of_a_file_holds_no_handler,
      test_a_client_that_closes_is_noticed_within_a_second,
      test_a_client_that_waits_is_not_taken_for_gone,
      test_a_stream_to_a_client_that_left_is_cancelled, test_a_head_that_does_not_end_is_408,
      test_connections_that_say_nothing_are_closed,
      test_a_closed_connection_that_a_child_still_holds_is_forgotten,
      test_a_body_that_does_not_move_times_out, test_a_slow_body_gives_way_to_requests_that_wait,
      test_a_body_may_have_a_deadline_however_it_trickles,
      test_an_answer_read_slowly_gives_way_to_requests_that_wait,
      test_a_door_that_wants_bodies_whole_has_no_thread_wait_for_them,
      test_a_whole_body_that_does_not_come_is_408, test_an_answer_that_nobody_reads_times_out,
      test_a_file_that_nobody_reads_is_cut, test_connections_beyond_the_maximum_get_503,
      test_clients_are_refused_when_descriptors_run_out, test_many_clients_at_once_are_all_answered,
      test_stop_lets_what_runs_finish_and_takes_nothing_new, test_stop_cuts_what_does_not_finish,
      test_an_idle_server_stops_at_once)

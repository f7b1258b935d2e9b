/* Claims about exchanges on the wire: bodies, answers, framing, order. Deadlines, limits and stopping are in
 * test_http_limits.c. */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "raw_http.h"
#include "tarn/base/fs.h"

#define CLOSE "Host: localhost\r\nConnection: close\r\n"
#define HOST "Host: localhost\r\n"

static const char *file_path; /* what /file answers with */
static _Atomic int body_reads;

/* ---- handlers, one a path ---- */

static void echo(http_exchange *x)
{
    error err = ERROR_INIT;
    str body;

    atomic_fetch_add(&body_reads, 1);
    if (http_body_read_all(x, 1000, &body, &err) != STATUS_OK) {
        http_respond(x, status_describe(err.kind)->http_status, "text/plain", str_c(err.message));
        return;
    }
    str sum = http_request_trailer(x, "x-sum");
    if (!str_is_null(sum)) {
        http_set_header(x, "X-Got-Sum", sum);
    }
    http_respond(x, 200, "text/plain", body);
}

static void stream(http_exchange *x)
{
    error err = ERROR_INIT;

    http_declare_trailer(x, "X-Rows");
    (void)http_stream_begin(x, 200, "text/plain", -1, &err);
    (void)http_stream_write(x, "one,", 4, &err);
    (void)http_stream_write(x, "", 0, &err); /* not the end */
    (void)http_stream_write(x, "two", 3, &err);
    http_set_trailer(x, "X-Rows", STR("2"));
    (void)http_stream_end(x, &err);
}

static void stream_aborted(http_exchange *x)
{
    error err = ERROR_INIT;

    (void)http_stream_begin(x, 200, "text/plain", -1, &err);
    (void)http_stream_write(x, "partial", 7, &err);
    http_stream_abort(x);
}

static void stream_left_open(http_exchange *x)
{
    error err = ERROR_INIT;

    (void)http_stream_begin(x, 200, "text/plain", -1, &err);
    (void)http_stream_write(x, "partial", 7, &err);
}

static void stream_then_respond(http_exchange *x)
{
    stream_left_open(x);
    http_respond(x, 500, "text/plain", STR("too late"));
}

static void stream_declared(http_exchange *x)
{
    error err = ERROR_INIT;
    str wanted = http_request_param(x, "write");

    (void)http_stream_begin(x, 200, "text/plain", 4, &err);
    (void)http_stream_write(x, wanted.data, wanted.size, &err);
    if (wanted.size <= 4) {
        (void)http_stream_end(x, &err);
    }
}

static void answer_file(http_exchange *x)
{
    str size = http_request_param(x, "size");
    int64_t size_bytes = 5;

    if (!str_is_null(size)) {
        (void)str_to_int64(size, &size_bytes, NULL);
    }
    http_respond_file(x, 206, "text/plain", open(file_path, O_RDONLY | O_CLOEXEC), 2, size_bytes);
}

static void tell(http_exchange *x)
{
    arena *a = http_exchange_arena(x);

    http_set_header(x, "X-Evil", STR("a\r\nInjected: yes"));
    http_set_header(x, "bad name", STR("b"));
    http_respond(x, 200, "text/plain",
                 str_printf(a, "id=%.*s target=%.*s q=%.*s peer=%.*s", STR_ARG(http_request_id(x)),
                            STR_ARG(http_request_target(x)), STR_ARG(http_request_param(x, "q")),
                            STR_ARG(http_request_peer(x))));
}

static void sleepy(http_exchange *x)
{
    clock_sleep_ms(50);
    http_respond(x, 200, "text/plain", STR("slow"));
}

static void quick(http_exchange *x)
{
    http_respond(x, 200, "text/plain", STR("quick"));
}

static void silent(http_exchange *x)
{
    (void)x;
}

static void no_content(http_exchange *x)
{
    http_respond(x, 204, NULL, STR("ignored"));
}

static void large(http_exchange *x)
{
    static char bytes[8 * 1024 * 1024];

    memset(bytes, 'z', sizeof bytes);
    http_respond(x, 200, "text/plain", str_from(bytes, sizeof bytes));
}

static const struct {
    const char *path;
    void (*answer)(http_exchange *x);
} pages[] = {
    {"/echo", echo},
    {"/stream", stream},
    {"/abort", stream_aborted},
    {"/open", stream_left_open},
    {"/late", stream_then_respond},
    {"/declared", stream_declared},
    {"/file", answer_file},
    {"/tell", tell},
    {"/inline/tell", tell},
    {"/slow", sleepy},
    {"/quick", quick},
    {"/inline/quick", quick},
    {"/silent", silent},
    {"/inline/silent", silent},
    {"/none", no_content},
    {"/inline/large", large},
    {"/large", large},
};

static void handle(void *context, http_exchange *x)
{
    (void)context;
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        if (str_equal(http_request_path(x), str_c(pages[i].path))) {
            pages[i].answer(x);
            return;
        }
    }
    http_respond(x, 404, NULL, STR("no such page"));
}

static bool is_inline(void *context, http_exchange *x)
{
    (void)context;
    return str_starts_with(http_request_path(x), STR("/inline/"));
}

static const http_service service = {.handle = handle, .is_inline = is_inline};

static site *start(fixture *f)
{
    http_config config = {.loops = 2};

    return site_start_at(f, "127.0.0.1:0", &config, &service);
}

/* ---- requests and bodies ---- */

static void test_get_is_answered_with_length_date_and_id(void **state)
{
    fixture *f = *state;
    str answer = raw_exchange(start(f), STR("GET /quick HTTP/1.1\r\n" CLOSE "\r\n"));

    expect_start(answer, "HTTP/1.1 200 OK\r\nDate: ");
    expect_contains(
        answer,
        " GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\nX-Request-Id: ");
    EXPECT_STR(body_of(answer), "quick");
}

static void test_handlers_see_target_parameters_and_peer(void **state)
{
    fixture *f = *state;
    site *s = start(f);

    str answer = raw_exchange(
        s, STR("GET /tell?q=a+b%21&r HTTP/1.1\r\nX-Request-Id: my-id.7\r\n" CLOSE "\r\n"));
    expect_contains(answer, "\r\nX-Request-Id: my-id.7\r\n");
    expect_contains(answer, "id=my-id.7 target=/tell?q=a+b%21&r q=a b! peer=127.0.0.1:");
    answer = raw_exchange(s, STR("GET http://localhost/inline/tell HTTP/1.1\r\n" CLOSE "\r\n"));
    expect_contains(answer, "target=http://localhost/inline/tell");
}

static void test_request_ids_that_are_no_short_token_are_replaced(void **state)
{
    fixture *f = *state;
    site *s = start(f);

    str answer = raw_exchange(s, STR("GET /tell HTTP/1.1\r\nX-Request-Id: z y\r\n" CLOSE "\r\n"));
    assert_false(contains(answer, "id=z"));
    answer = raw_exchange(
        s,
        STR("GET /tell HTTP/1.1\r\nX-Request-Id: "
            "12345678901234567890123456789012345678901234567890123456789012345\r\n" CLOSE "\r\n"));
    assert_false(contains(answer, "id=1234567890123456789012345678901234567890"));
}

static void test_header_values_cannot_inject_lines(void **state)
{
    fixture *f = *state;
    str answer = raw_exchange(start(f), STR("GET /tell HTTP/1.1\r\n" CLOSE "\r\n"));

    expect_contains(answer, "\r\nX-Evil: a??Injected: yes\r\n");
    assert_false(contains(answer, "\r\nInjected"));
    assert_false(contains(answer, "bad name"));
}

static void test_bodies_of_known_and_unknown_size_are_read(void **state)
{
    fixture *f = *state;
    site *s = start(f);

    str answer =
        raw_exchange(s, STR("POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nhello"));
    EXPECT_STR(body_of(answer), "hello");
    answer = raw_exchange(s, STR("PUT /echo HTTP/1.1\r\n" CLOSE
                                 "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                                 "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Sum: 42\r\n\r\n"));
    EXPECT_STR(body_of(answer), "hello");
    expect_contains(answer, "\r\nX-Got-Sum: 42\r\n");
    answer = raw_exchange(s, STR("POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 0\r\n\r\n"));
    EXPECT_STR(body_of(answer), "");
}

static void test_requests_arrive_byte_by_byte(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    str request = STR("POST /echo HTTP/1.1\r\n" CLOSE
                      "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
    int fd = raw_connect(s);
    raw_end end;

    for (size_t i = 0; i < request.size; i++) {
        raw_send(fd, str_slice(request, i, i + 1));
        clock_sleep_ms(1);
    }
    EXPECT_STR(body_of(raw_read(f, fd, &end)), "abc");
    (void)close(fd);
}

static void test_bodies_beyond_the_maximum_are_refused(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    buf *request = buf_in(f->arena, 100000);

    buf_add_c(request, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3e9\r\n");
    for (int i = 0; i < 1001; i++) {
        buf_add_char(request, 'x');
    }
    buf_add_c(request, "\r\n0\r\n\r\n");
    str answer = raw_exchange(s, buf_str(request));
    expect_start(answer, "HTTP/1.1 413 ");
    EXPECT_STR(body_of(answer), "the request body is larger than 1000 bytes");
    expect_start(
        raw_exchange(s, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n")),
        "HTTP/1.1 413 ");
}

static void test_broken_chunks_are_refused_and_the_connection_closed(void **state)
{
    fixture *f = *state;
    str answer = raw_exchange(
        start(f), STR("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                      "3\nabc\r\n0\r\n\r\nGET /quick HTTP/1.1\r\n" HOST "\r\n"));

    expect_start(answer, "HTTP/1.1 400 ");
    assert_int_equal(count_of(answer, "HTTP/1.1 "),
                     1); /* what follows is not taken for a request */
}

static void test_a_body_cut_short_is_cancelled(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    int fd = raw_connect(s);
    raw_end end;

    raw_send(fd, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc"));
    (void)shutdown(fd, SHUT_WR);
    str answer = raw_read(f, fd, &end);
    expect_start(answer, "HTTP/1.1 499 ");
    expect_contains(answer, "the client went away before its request was whole");
    (void)close(fd);
}

static void test_malformed_requests_get_a_json_error_and_the_end(void **state)
{
    fixture *f = *state;
    site *s = start(f);

    str answer = raw_exchange(
        s, STR("GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"));
    expect_start(answer, "HTTP/1.1 400 Bad Request\r\n");
    expect_contains(answer, "\r\nContent-Type: application/json\r\n");
    expect_contains(answer, "\r\nConnection: close\r\n");
    expect_contains(answer,
                    "{\"error\":{\"code\":\"invalid\",\"type\":\"BadRequestException\",\"message\":"
                    "\"Content-Length is malformed or given twice\",\"request_id\":\"");
    expect_start(raw_exchange(s, STR("BREW / HTTP/1.1\r\n" HOST "\r\n")), "HTTP/1.1 501 ");
    expect_start(raw_exchange(s, STR("GET / HTTP/3.0\r\n" HOST "\r\n")), "HTTP/1.1 505 ");
    expect_start(raw_exchange(s, STR("\x16\x03\x01")), "HTTP/1.1 400 ");
}

/* ---- answers ---- */

static void test_streams_are_chunked_with_trailers(void **state)
{
    fixture *f = *state;
    str answer = raw_exchange(start(f), STR("GET /stream HTTP/1.1\r\n" CLOSE "\r\n"));

    expect_contains(answer, "\r\nTransfer-Encoding: chunked\r\n");
    expect_contains(answer, "\r\nTrailer: X-Rows\r\n");
    EXPECT_STR(body_of(answer), "4\r\none,\r\n3\r\ntwo\r\n0\r\nX-Rows: 2\r\n\r\n");
}

static void test_streams_to_http_1_0_end_with_the_connection(void **state)
{
    fixture *f = *state;
    str answer =
        raw_exchange(start(f), STR("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));

    assert_false(contains(answer, "Transfer-Encoding"));
    expect_contains(answer, "\r\nConnection: close\r\n");
    EXPECT_STR(body_of(answer), "one,two");
}

static void test_http_1_0_keeps_the_connection_only_where_asked(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    int fd = raw_connect(s);
    raw_end end;

    expect_contains(raw_exchange(s, STR("GET /quick HTTP/1.0\r\n\r\n")),
                    "\r\nConnection: close\r\n");
    raw_send(
        fd,
        STR("GET /quick HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /quick HTTP/1.0\r\n\r\n"));
    str answer = raw_read(f, fd, &end);
    assert_int_equal(count_of(answer, "HTTP/1.1 200 OK"), 2);
    expect_contains(answer, "\r\nConnection: keep-alive\r\n");
    (void)close(fd);
}

static void test_head_has_the_headers_of_get_and_no_body(void **state)
{
    fixture *f = *state;
    site *s = start(f);

    file_path = test_write_file(f, "file", STR("0123456789"));
    str answer = raw_exchange(s, STR("HEAD /quick HTTP/1.1\r\n" CLOSE "\r\n"));
    expect_contains(answer, "\r\nContent-Length: 5\r\n");
    EXPECT_STR(body_of(answer), "");
    answer = raw_exchange(s, STR("HEAD /stream HTTP/1.1\r\n" CLOSE "\r\n"));
    expect_contains(answer, "\r\nTransfer-Encoding: chunked\r\n");
    EXPECT_STR(body_of(answer), "");
    answer = raw_exchange(s, STR("HEAD /file HTTP/1.1\r\n" CLOSE "\r\n"));
    expect_contains(answer, "\r\nContent-Length: 5\r\n");
    EXPECT_STR(body_of(answer), "");
    answer = raw_exchange(s, STR("HEAD /declared?write= HTTP/1.1\r\n" CLOSE "\r\n"));
    expect_contains(answer, "\r\nContent-Length: 4\r\n");
    EXPECT_STR(body_of(answer), "");
}

static void test_no_content_has_neither_length_nor_body(void **state)
{
    fixture *f = *state;
    str answer = raw_exchange(start(f), STR("GET /none HTTP/1.1\r\n" CLOSE "\r\n"));

    expect_start(answer, "HTTP/1.1 204 No Content\r\n");
    assert_false(contains(answer, "Content-Length"));
    EXPECT_STR(body_of(answer), "");
}

static void test_files_are_sent_from_their_offset(void **state)
{
    fixture *f = *state;
    site *s = start(f);

    file_path = test_write_file(f, "file", STR("0123456789"));
    EXPECT_STR(body_of(raw_exchange(s, STR("GET /file HTTP/1.1\r\n" CLOSE "\r\n"))), "23456");
    EXPECT_STR(body_of(raw_exchange(s, STR("GET /file?size=0 HTTP/1.1\r\n" CLOSE "\r\n"))), "");
}

static void test_a_file_shorter_than_said_is_cut(void **state)
{
    fixture *f = *state;

    file_path = test_write_file(f, "file", STR("0123456789"));
    str answer = raw_exchange(start(f), STR("GET /file?size=9 HTTP/1.1\r\n" HOST "\r\n"));
    expect_contains(answer, "\r\nContent-Length: 9\r\n");
    EXPECT_STR(body_of(answer), "23456789");
}

static void test_large_answers_from_loop_and_pool_arrive_whole(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    static const str requests[] = {STR_INIT("GET /inline/large HTTP/1.1\r\n" CLOSE "\r\n"),
                                   STR_INIT("GET /large HTTP/1.1\r\n" CLOSE "\r\n")};

    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        int fd = raw_connect(s);
        int small = 200 * 1024; /* so that the socket does not take it at once */
        char bytes[65536];
        size_t total = 0;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        raw_send(fd, requests[i]);
        clock_sleep_ms(50);
        for (ssize_t got; (got = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
            total += (size_t)got;
        }
        assert_in_range(total, 8 * 1024 * 1024 + 100, 8 * 1024 * 1024 + 1000);
        (void)close(fd);
    }
}

/* ---- answers that fail ---- */

static void test_an_aborted_stream_has_no_end(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    static const str requests[] = {STR_INIT("GET /abort HTTP/1.1\r\n" HOST "\r\n"),
                                   STR_INIT("GET /open HTTP/1.1\r\n" HOST "\r\n"),
                                   STR_INIT("GET /late HTTP/1.1\r\n" HOST "\r\n")};

    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        str answer = raw_exchange(s, requests[i]);
        EXPECT_STR(body_of(answer), "7\r\npartial\r\n");
    }
}

static void test_an_aborted_stream_to_http_1_0_is_a_reset(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    int fd = raw_connect(s);
    raw_end end;

    raw_send(fd, STR("GET /abort HTTP/1.0\r\n\r\n"));
    (void)raw_read(f, fd, &end);
    assert_int_equal(end, RAW_RESET);
    (void)close(fd);
}

static void test_a_stream_of_the_wrong_length_is_cut(void **state)
{
    fixture *f = *state;
    site *s = start(f);

    EXPECT_STR(body_of(raw_exchange(s, STR("GET /declared?write=abcd HTTP/1.1\r\n" CLOSE "\r\n"))),
               "abcd");
    EXPECT_STR(body_of(raw_exchange(s, STR("GET /declared?write=abc HTTP/1.1\r\n" HOST "\r\n"))),
               "abc");
    EXPECT_STR(body_of(raw_exchange(s, STR("GET /declared?write=abcde HTTP/1.1\r\n" HOST "\r\n"))),
               "");
}

static void test_a_handler_that_does_not_answer_is_a_500(void **state)
{
    fixture *f = *state;
    site *s = start(f);

    str answer = raw_exchange(s, STR("GET /silent HTTP/1.1\r\n" HOST "\r\n"));
    expect_start(answer, "HTTP/1.1 500 ");
    expect_contains(answer, "{\"error\":{\"code\":\"internal\"");
    expect_start(raw_exchange(s, STR("GET /inline/silent HTTP/1.1\r\n" HOST "\r\n")),
                 "HTTP/1.1 500 ");
}

/* ---- several on one connection ---- */

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    fixture *f = *state;
    str answer =
        raw_exchange(start(f), STR("GET /slow HTTP/1.1\r\n" HOST "\r\n"
                                   "GET /inline/quick HTTP/1.1\r\n" HOST "\r\n"
                                   "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nthird"
                                   "\r\n" /* a stray empty line is ignored */
                                   "POST /echo HTTP/1.1\r\n" HOST
                                   "Transfer-Encoding: chunked\r\n\r\n6\r\nfourth\r\n0\r\n\r\n"
                                   "HEAD /quick HTTP/1.1\r\n" HOST "\r\n"
                                   "GET /stream HTTP/1.1\r\n" CLOSE "\r\n"));

    assert_int_equal(count_of(answer, "HTTP/1.1 200 OK"), 6);
    size_t slow = str_find(answer, STR("slow"));
    size_t second = str_find(answer, STR("quick"));
    size_t third = str_find(answer, STR("third"));
    size_t fourth = str_find(answer, STR("fourth"));
    size_t last = str_find(answer, STR("one,"));
    assert_true(slow < second && second < third && third < fourth && fourth < last &&
                last != STR_NPOS);
}

/* On the thread that answered the one before. */
static void test_a_malformed_request_behind_another_is_refused_as_the_first_would_be(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    str answer = raw_exchange(s, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nfirst"
                                     "GET /quick HTTP/1.1\r\n" HOST "Broken Header: 1\r\n\r\n"));

    assert_int_equal(count_of(answer, "HTTP/1.1 200 OK"), 1);
    assert_int_equal(count_of(answer, "HTTP/1.1 400 "), 1);
}

static void test_a_body_that_nobody_read_does_not_disturb_the_next_request(void **state)
{
    fixture *f = *state;
    site *s = start(f);

    str answer = raw_exchange(s, STR("POST /quick HTTP/1.1\r\n" HOST
                                     "Content-Length: 26\r\n\r\nGET /silent HTTP/1.1\r\n\r\n  "
                                     "POST /quick HTTP/1.1\r\n" HOST
                                     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                                     "GET /inline/quick HTTP/1.1\r\n" CLOSE "\r\n"));
    assert_int_equal(count_of(answer, "HTTP/1.1 200 OK"), 3);
    assert_int_equal(count_of(answer, "HTTP/1.1 "), 3);
}

static void test_an_early_answer_reaches_a_client_that_still_sends(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    int fd = raw_connect(s);
    raw_end end;
    char part[10000];

    memset(part, 'x', sizeof part);
    raw_send(fd, STR("POST /quick HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n"));
    for (int i = 0; i < 100; i++) {
        if (send(fd, part, sizeof part, MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    str answer = raw_read(f, fd, &end);
    expect_start(answer, "HTTP/1.1 200 OK\r\n");
    expect_contains(answer, "\r\nConnection: close\r\n");
    assert_int_equal(end, RAW_CLOSED);
    (void)close(fd);
}

static void test_continue_is_sent_when_the_body_is_wanted(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    int fd = raw_connect(s);
    raw_end end;

    raw_send(fd, STR("POST /echo HTTP/1.1\r\n" CLOSE
                     "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    EXPECT_STR(raw_read_until(f, fd, "\r\n\r\n", 1, &end), "HTTP/1.1 100 Continue\r\n\r\n");
    raw_send(fd, STR("hello"));
    str answer = raw_read(f, fd, &end);
    expect_start(answer, "HTTP/1.1 200 OK\r\n");
    EXPECT_STR(body_of(answer), "hello");
    (void)close(fd);
}

static void test_continue_is_not_sent_where_the_answer_comes_first(void **state)
{
    fixture *f = *state;
    site *s = start(f);

    str answer = raw_exchange(s, STR("POST /quick HTTP/1.1\r\n" HOST
                                     "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    expect_start(answer, "HTTP/1.1 200 OK\r\n");
    expect_contains(answer, "\r\nConnection: close\r\n");
    /* The body came without waiting: nothing to continue. */
    answer = raw_exchange(s, STR("POST /echo HTTP/1.1\r\n" CLOSE
                                 "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"));
    expect_start(answer, "HTTP/1.1 200 OK\r\n");
}

static void test_a_client_that_half_closes_still_gets_its_answer(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    int fd = raw_connect(s);
    raw_end end;

    raw_send(fd, STR("GET /slow HTTP/1.1\r\n" HOST "\r\n"));
    (void)shutdown(fd, SHUT_WR);
    EXPECT_STR(body_of(raw_read(f, fd, &end)), "slow");
    assert_int_equal(end, RAW_CLOSED);
    (void)close(fd);
}

static void test_stats_count_what_happened(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    http_stats stats;

    (void)raw_exchange(s, STR("GET /quick HTTP/1.1\r\n" CLOSE "\r\n"));
    str answer = raw_exchange(s, STR("nonsense\r\n\r\n"));
    WAIT_FOR((http_server_stats(s->server, &stats), stats.connections_open == 0));
    assert_int_equal(stats.connections_total, 2);
    assert_int_equal(stats.requests_total, 1);
    assert_int_equal(stats.requests_refused, 1);
    assert_true(stats.bytes_out > (int64_t)answer.size);
    assert_int_equal(stats.bytes_in, sizeof "GET /quick HTTP/1.1\r\n" CLOSE "\r\n" - 1 +
                                         sizeof "nonsense\r\n\r\n" - 1);
}

/* ---- hosts, doors ---- */

static void test_foreign_hosts_and_origins_are_refused(void **state)
{
    fixture *f = *state;
    static const str names[] = {STR_INIT("tarn.example")};
    http_service guarded = service;
    guarded.check_host = true;
    guarded.hosts = names;
    guarded.host_count = 1;
    site *s = site_start_at(f, "127.0.0.1:0", NULL, &guarded);
    static const struct {
        const char *headers, *answer;
    } cases[] = {
        {"Host: localhost:8181\r\n", "HTTP/1.1 200 "},
        {"Host: 127.0.0.1\r\nOrigin: http://localhost:3000\r\n", "HTTP/1.1 200 "},
        {"Host: [::1]:1\r\nOrigin: http://[::1]\r\n", "HTTP/1.1 200 "},
        {"Host: TARN.example\r\nOrigin: https://tarn.example\r\n", "HTTP/1.1 200 "},
        {"Host: localhost\r\nExpect: a-miracle\r\n", "HTTP/1.1 417 "},
        {"Host: evil.example\r\n", "HTTP/1.1 421 "},
        {"Host: localhost.evil.example\r\n", "HTTP/1.1 421 "},
        {"Host:\r\n", "HTTP/1.1 421 "},
        {"Host: localhost\r\nOrigin: http://evil.example\r\n", "HTTP/1.1 403 "},
        {"Host: localhost\r\nOrigin: null\r\n", "HTTP/1.1 403 "},
        {"Host: localhost\r\nOrigin: http://localhost@evil.example\r\n", "HTTP/1.1 403 "},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str request =
            str_printf(f->arena, "GET /inline/quick HTTP/1.1\r\n%sConnection: close\r\n\r\n",
                       cases[i].headers);
        expect_start(raw_exchange(s, request), cases[i].answer);
    }
    expect_start(raw_exchange(s, STR("GET http://evil.example/quick HTTP/1.1\r\n" HOST "\r\n")),
                 "HTTP/1.1 421 ");
    expect_start(raw_exchange(s, STR("GET /quick HTTP/1.0\r\n\r\n")), "HTTP/1.1 200 ");
}

static int unix_connect(const char *path)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(where.sun_path, path, strlen(path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
    return fd;
}

static void test_unix_doors_are_private_and_replace_dead_ones(void **state)
{
    fixture *f = *state;
    const char *path = test_path(f, "socket");
    const char *address = arena_printf(f->arena, "unix:%s", path);
    struct stat info;
    http_stats stats;
    raw_end end;

    for (int round = 0; round < 2; round++) {
        site *s = site_start_at(f, address, NULL, &service);
        assert_string_equal(s->address, address);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);

        int fd = unix_connect(path);
        raw_send(fd, STR("GET /tell HTTP/1.1\r\n" HOST "\r\n"));
        expect_contains(raw_read_until(f, fd, "peer=unix", 1, &end), "peer=unix");
        http_server_stats(s->server, &stats);
        assert_int_equal(stats.unix_connections_open, 1);
        (void)close(fd);

        /* A second server must not take it. */
        http_server *second;
        EXPECT_OK(http_server_create(NULL, &second, &f->err));
        EXPECT_STATUS(UNAVAILABLE,
                      http_server_listen(second, str_c(address), &service, NULL, &f->err));
        http_server_free(second);

        site_stop(s);
        assert_int_not_equal(stat(path, &info), 0);
        if (round == 0) { /* as a killed server leaves it */
            struct sockaddr_un where = {.sun_family = AF_UNIX};
            memcpy(where.sun_path, path, strlen(path) + 1);
            int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            assert_int_equal(bind(dead, (struct sockaddr *)&where, sizeof where), 0);
            (void)close(dead);
        }
    }
}

static void test_a_file_in_the_way_of_a_unix_door_is_kept(void **state)
{
    fixture *f = *state;
    const char *path = test_write_file(f, "precious", STR("data"));
    http_server *server;

    EXPECT_OK(http_server_create(NULL, &server, &f->err));
    EXPECT_STATUS(UNAVAILABLE,
                  http_server_listen(server, str_c(arena_printf(f->arena, "unix:%s", path)),
                                     &service, NULL, &f->err));
    http_server_free(server);
    EXPECT_STR(test_read_file(f, path), "data");
}

static void test_a_port_in_use_is_refused_also_by_ourselves(void **state)
{
    fixture *f = *state;
    site *s = start(f);
    http_server *second;

    EXPECT_OK(http_server_create(NULL, &second, &f->err));
    EXPECT_STATUS(UNAVAILABLE,
                  http_server_listen(second, str_c(s->address), &service, NULL, &f->err));
    assert_string_equal(f->err.message,
                        arena_printf(f->arena, "address \"%s\" is already in use", s->address));
    http_server_free(second);
}

static void test_bad_addresses_are_invalid(void **state)
{
    fixture *f = *state;
    static const char *const bad[] = {"",
                                      "8181",
                                      ":8181",
                                      "127.0.0.1:",
                                      "127.0.0.1:x",
                                      "127.0.0.1:70000",
                                      "127.0.0.1:-1",
                                      "nowhere.example:1",
                                      "unix:",
                                      "[::1:80"};
    http_server *server;

    EXPECT_OK(http_server_create(NULL, &server, &f->err));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        EXPECT_STATUS(INVALID, http_server_listen(server, str_c(bad[i]), &service, NULL, &f->err));
    }
    str path = str_printf(f->arena, "unix:/%0200d", 7);
    EXPECT_STATUS(INVALID, http_server_listen(server, path, &service, NULL, &f->err));
    EXPECT_HINT(f, "Choose a shorter path.");
    http_server_free(server);
}

TESTS(test_get_is_answered_with_length_date_and_id, test_handlers_see_target_parameters_and_peer,
      test_request_ids_that_are_no_short_token_are_replaced, test_header_values_cannot_inject_lines,
      test_bodies_of_known_and_unknown_size_are_read, test_requests_arrive_byte_by_byte,
      test_bodies_beyond_the_maximum_are_refused,
      test_broken_chunks_are_refused_and_the_connection_closed, test_a_body_cut_short_is_cancelled,
      test_malformed_requests_get_a_json_error_and_the_end, test_streams_are_chunked_with_trailers,
      test_streams_to_http_1_0_end_with_the_connection,
      test_http_1_0_keeps_the_connection_only_where_asked,
      test_head_has_the_headers_of_get_and_no_body, test_no_content_has_neither_length_nor_body,
      test_files_are_sent_from_their_offset, test_a_file_shorter_than_said_is_cut,
      test_large_answers_from_loop_and_pool_arrive_whole, test_an_aborted_stream_has_no_end,
      test_an_aborted_stream_to_http_1_0_is_a_reset, test_a_stream_of_the_wrong_length_is_cut,
      test_a_handler_that_does_not_answer_is_a_500, test_pipelined_requests_are_answered_in_order,
      test_a_malformed_request_behind_another_is_refused_as_the_first_would_be,
      test_a_body_that_nobody_read_does_not_disturb_the_next_request,
      test_an_early_answer_reaches_a_client_that_still_sends,
      test_continue_is_sent_when_the_body_is_wanted,
      test_continue_is_not_sent_where_the_answer_comes_first,
      test_a_client_that_half_closes_still_gets_its_answer, test_stats_count_what_happened,
      test_foreign_hosts_and_origins_are_refused, test_unix_doors_are_private_and_replace_dead_ones,
      test_a_file_in_the_way_of_a_unix_door_is_kept,
      test_a_port_in_use_is_refused_also_by_ourselves, test_bad_addresses_are_invalid)

/* Claims about the client, against the server of this module and against sockets that misbehave. */
#include <stdatomic.h>
#include <stdlib.h>

#include "raw_http.h"
#include "tarn/base/limits.h"
#include "tarn/net/http_client.h"

static _Atomic bool saw_gone;

static void echo(http_exchange *x)
{
    error err = ERROR_INIT;
    arena *a = http_exchange_arena(x);
    str body;

    if (http_body_read_all(x, 64 * LIMIT_MIB, &body, &err) != STATUS_OK) {
        http_respond(x, status_describe(err.kind)->http_status, "text/plain", str_c(err.message));
        return;
    }
    http_set_header(x, "X-Method", str_c(http_method_name(http_request_method(x))));
    http_set_header(x, "X-Key", http_request_header(x, "authorization"));
    http_set_header(x, "X-Type", http_request_header(x, "content-type"));
    http_set_header(x, "X-Size", str_printf(a, "%lld", (long long)http_body_size(x)));
    http_respond(x, 200, "text/plain", body);
}

static void rows(http_exchange *x)
{
    error err = ERROR_INIT;

    http_declare_trailer(x, "X-Rows");
    (void)http_stream_begin(x, 200, "text/plain", -1, &err);
    for (int i = 0; i < 1000; i++) {
        (void)http_stream_write(x, "row\n", 4, &err);
    }
    http_set_trailer(x, "X-Rows", STR("1000"));
    (void)http_stream_end(x, &err);
}

static void broken(http_exchange *x)
{
    error err = ERROR_INIT;

    (void)http_stream_begin(x, 200, "text/plain", -1, &err);
    (void)http_stream_write(x, "part", 4, &err);
    http_stream_abort(x);
}

static void hang(http_exchange *x)
{
    for (int64_t until = clock_mono_ms() + PATIENCE_MS; clock_mono_ms() < until;) {
        if (http_exchange_gone(x)) {
            saw_gone = true;
            return;
        }
        clock_sleep_ms(2);
    }
}

static void refuse(http_exchange *x) /* before the body was read */
{
    http_respond(x, 403, "text/plain", STR("no"));
}

static const struct {
    const char *path;
    void (*answer)(http_exchange *x);
} pages[] = {
    {"/echo", echo}, {"/rows", rows}, {"/broken", broken}, {"/hang", hang}, {"/refuse", refuse}};

static void handle(void *context, http_exchange *x)
{
    (void)context;
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        if (str_equal(http_request_path(x), str_c(pages[i].path))) {
            pages[i].answer(x);
            return;
        }
    }
    http_respond(x, 404, "text/plain", STR("nothing here"));
}

static const http_service service = {.handle = handle, .check_host = true};

static void free_client(void *object)
{
    http_client_free(object);
}

static http_client *client_for(fixture *f, const char *base)
{
    http_client *client = http_client_create(str_c(base));

    arena_defer(f->arena, free_client, client);
    return client;
}

static http_client *connect_to(fixture *f)
{
    site *s = site_start_at(f, "127.0.0.1:0", NULL, &service);

    return client_for(f, arena_printf(f->arena, "http://%s", s->address));
}

/* ---- bodies ---- */

static void test_methods_bodies_and_headers_arrive(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    http_header headers[] = {{STR_INIT("Content-Type"), STR_INIT("text/csv")}};
    static const http_method methods[] = {HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_GET};
    http_answer answer;

    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        http_call call = {.method = methods[i],
                          .target = "/echo?x=1",
                          .body = STR("a,b"),
                          .headers = headers,
                          .header_count = 1};
        EXPECT_OK(http_client_send(client, &call, f->arena, &answer, &f->err));
        assert_int_equal(answer.status_code, 200);
        EXPECT_STR(answer.body, "a,b");
        EXPECT_STR(http_answer_header(&answer, "x-METHOD"), http_method_name(methods[i]));
        EXPECT_STR(http_answer_header(&answer, "X-Type"), "text/csv");
        EXPECT_STR(http_answer_header(&answer, "X-Size"), "3");
    }
    http_call empty = {.method = HTTP_POST, .target = "/echo"};
    EXPECT_OK(http_client_send(client, &empty, f->arena, &answer, &f->err));
    EXPECT_STR(http_answer_header(&answer, "X-Type"), ""); /* no type that nobody gave */
    assert_true(str_is_null(http_answer_header(&answer, "absent")));
}

static void test_the_bearer_key_is_sent_until_taken_away(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    http_call call = {.method = HTTP_GET, .target = "/echo"};
    http_answer answer;

    http_client_set_bearer(client, STR("s3cret"));
    EXPECT_OK(http_client_send(client, &call, f->arena, &answer, &f->err));
    EXPECT_STR(http_answer_header(&answer, "X-Key"), "Bearer s3cret");
    http_client_set_bearer(client, STR_NULL);
    EXPECT_OK(http_client_send(client, &call, f->arena, &answer, &f->err));
    EXPECT_STR(http_answer_header(&answer, "X-Key"), "");
}

static void test_head_gets_headers_alone(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    http_call call = {.method = HTTP_HEAD, .target = "/nowhere"};
    http_answer answer;

    EXPECT_OK(http_client_send(client, &call, f->arena, &answer, &f->err));
    assert_int_equal(answer.status_code, 404);
    EXPECT_STR(http_answer_header(&answer, "Content-Length"), "12");
    EXPECT_STR(answer.body, "");
}

typedef struct flow {
    int64_t left, seen;
    status fail;
} flow;

static status give(void *context, void *ret_bytes, size_t size_bytes, size_t *ret_size, error *err)
{
    flow *way = context;
    size_t size = (int64_t)size_bytes < way->left ? size_bytes : (size_t)way->left;

    if (way->fail != STATUS_OK) {
        return error_set(err, way->fail, "file \"a.csv\" cannot be read");
    }
    memset(ret_bytes, 'x', size);
    way->left -= (int64_t)size;
    *ret_size = size;
    return STATUS_OK;
}

static status take(void *context, const void *bytes, size_t size_bytes, error *err)
{
    flow *way = context;

    (void)bytes;
    way->seen += (int64_t)size_bytes;
    return way->fail == STATUS_OK ? STATUS_OK : error_set(err, way->fail, "no space");
}

static void test_bodies_stream_up_and_down(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    http_answer answer;

    for (int chunked = 0; chunked < 2; chunked++) {
        flow way = {.left = 5000000};
        http_call call = {.method = HTTP_POST,
                          .target = "/echo",
                          .read = give,
                          .read_context = &way,
                          .read_size_bytes = chunked ? -1 : 5000000,
                          .write = take,
                          .write_context = &way};
        EXPECT_OK(http_client_send(client, &call, f->arena, &answer, &f->err));
        EXPECT_STR(http_answer_header(&answer, "X-Size"), chunked ? "-1" : "5000000");
        assert_int_equal(way.seen, 5000000);
        assert_int_equal(answer.body.size, 0);
    }
}

static void test_trailers_stand_behind_the_headers(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    http_call call = {.method = HTTP_GET, .target = "/rows"};
    http_answer answer;

    EXPECT_OK(http_client_send(client, &call, f->arena, &answer, &f->err));
    assert_int_equal(answer.body.size, 4000);
    EXPECT_STR(http_answer_header(&answer, "X-Rows"), "1000");
    EXPECT_STR(answer.headers[answer.header_count - 1].name, "X-Rows");
}

static void test_errors_are_collected_even_where_answers_stream(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    flow way = {.seen = 0};
    http_call call = {
        .method = HTTP_GET, .target = "/nowhere", .write = take, .write_context = &way};
    http_answer answer;

    EXPECT_OK(http_client_send(client, &call, f->arena, &answer, &f->err));
    assert_int_equal(answer.status_code, 404);
    EXPECT_STR(answer.body, "nothing here");
    assert_int_equal(way.seen, 0);
}

static void test_an_upload_that_is_refused_early_shows_the_answer(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    flow way = {.left = INT64_C(500000000)};
    http_call call = {.method = HTTP_POST,
                      .target = "/refuse",
                      .read = give,
                      .read_context = &way,
                      .read_size_bytes = -1};
    http_answer answer;

    EXPECT_OK(http_client_send(client, &call, f->arena, &answer, &f->err));
    assert_int_equal(answer.status_code, 403);
    EXPECT_STR(answer.body, "no");
    assert_true(way.left > 400000000); /* it was not all sent first */
}

/* ---- failures ---- */

static void test_what_the_callbacks_say_is_the_error(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    flow bad = {.left = 10, .fail = STATUS_IO};
    http_call up = {.method = HTTP_POST,
                    .target = "/echo",
                    .read = give,
                    .read_context = &bad,
                    .read_size_bytes = 10};
    http_call down = {.method = HTTP_GET, .target = "/rows", .write = take, .write_context = &bad};
    http_answer answer;

    EXPECT_STATUS(IO, http_client_send(client, &up, f->arena, &answer, &f->err));
    EXPECT_MESSAGE(f, "file \"a.csv\" cannot be read");
    EXPECT_STATUS(IO, http_client_send(client, &down, f->arena, &answer, &f->err));
    EXPECT_MESSAGE(f, "no space");
}

static void test_answers_beyond_the_maximum_are_too_large(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    http_call call = {.method = HTTP_GET, .target = "/rows", .body_max_bytes = 3999};
    http_answer answer;

    EXPECT_STATUS(TOO_LARGE, http_client_send(client, &call, f->arena, &answer, &f->err));
    call.body_max_bytes = 4000;
    EXPECT_OK(http_client_send(client, &call, f->arena, &answer, &f->err));
}

static void test_a_broken_off_answer_is_unavailable(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    http_call call = {.method = HTTP_GET, .target = "/broken"};
    http_answer answer;

    EXPECT_STATUS(UNAVAILABLE, http_client_send(client, &call, f->arena, &answer, &f->err));
    assert_true(str_starts_with(str_c(f->err.message),
                                STR("the answer broke off from \"http://127.0.0.1:")));
}

static void test_nobody_there_is_unavailable(void **state)
{
    fixture *f = *state;
    site *s = site_start_at(f, "127.0.0.1:0", NULL, &service);
    const char *base = arena_printf(f->arena, "http://%s", s->address);
    http_call call = {.method = HTTP_GET, .target = "/"};
    http_answer answer;

    site_stop(s);
    EXPECT_STATUS(UNAVAILABLE,
                  http_client_send(client_for(f, base), &call, f->arena, &answer, &f->err));
    assert_string_equal(f->err.message, arena_printf(f->arena, "nobody answers at \"%s\"", base));
    const char *socket_base = arena_printf(f->arena, "unix:%s", test_path(f, "absent"));
    EXPECT_STATUS(UNAVAILABLE,
                  http_client_send(client_for(f, socket_base), &call, f->arena, &answer, &f->err));
}

static void test_only_http_and_clean_targets_are_spoken(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    static const char *const bad[] = {"", "echo", "/a b", "/a\r\nX: y", "/#f"};
    http_answer answer;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        http_call call = {.method = HTTP_GET, .target = bad[i]};
        EXPECT_STATUS(INVALID, http_client_send(client, &call, f->arena, &answer, &f->err));
    }
    http_call call = {.method = HTTP_GET, .target = "/etc/passwd"};
    EXPECT_STATUS(INVALID,
                  http_client_send(client_for(f, "file://"), &call, f->arena, &answer, &f->err));
}

typedef struct canceller {
    _Atomic int cancelled;
} canceller;

static void cancel_soon(void *context)
{
    canceller *c = context;

    clock_sleep_ms(50);
    c->cancelled = 1;
}

static void test_a_cancelled_call_ends_soon_and_the_server_hears_of_it(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    canceller c = {.cancelled = 0};
    http_call call = {.method = HTTP_GET, .target = "/hang", .cancelled = &c.cancelled};
    thread other = {.started = false};
    http_answer answer;
    int64_t began_ms = clock_mono_ms();

    saw_gone = false;
    EXPECT_OK(thread_start(&other, "canceller", cancel_soon, &c, &f->err));
    EXPECT_STATUS(CANCELLED, http_client_send(client, &call, f->arena, &answer, &f->err));
    assert_true(clock_mono_ms() - began_ms < test_at_most_ms(1000));
    WAIT_FOR(saw_gone);
    thread_join(&other);
    EXPECT_STATUS(CANCELLED,
                  http_client_send(client, &call, f->arena, &answer, &f->err)); /* still set */
    http_call next = {.method = HTTP_GET, .target = "/echo"};
    EXPECT_OK(http_client_send(client, &next, f->arena, &answer, &f->err));
}

static void test_a_call_that_lasts_too_long_times_out(void **state)
{
    fixture *f = *state;
    http_client *client = connect_to(f);
    http_call call = {.method = HTTP_GET, .target = "/hang", .timeout_ms = 50};
    http_answer answer;

    EXPECT_STATUS(TIMEOUT, http_client_send(client, &call, f->arena, &answer, &f->err));
    assert_true(str_starts_with(str_c(f->err.message), STR("no answer in time from ")));
}

/* ---- connections ---- */

static void test_one_connection_serves_many_calls(void **state)
{
    fixture *f = *state;
    site *s = site_start_at(f, "127.0.0.1:0", NULL, &service);
    http_client *client = client_for(f, arena_printf(f->arena, "http://%s/", s->address));
    http_stats stats;
    http_answer answer;

    for (int i = 0; i < 5; i++) {
        http_call call = {
            .method = i % 2 == 0 ? HTTP_GET : HTTP_POST, .target = "/echo", .body = STR("x")};
        EXPECT_OK(http_client_send(client, &call, f->arena, &answer, &f->err));
    }
    http_server_stats(s->server, &stats);
    assert_int_equal(stats.requests_total, 5);
    assert_int_equal(stats.connections_total, 1);
}

static void test_a_kept_connection_that_the_server_closed_is_replaced(void **state)
{
    fixture *f = *state;
    http_config config = {.idle_timeout_ms = 50};
    site *s = site_start_at(f, "127.0.0.1:0", &config, &service);
    http_client *client = client_for(f, arena_printf(f->arena, "http://%s", s->address));
    flow way = {.left = 5};
    http_call get = {.method = HTTP_GET, .target = "/echo"};
    http_call upload = {.method = HTTP_POST,
                        .target = "/echo",
                        .read = give,
                        .read_context = &way,
                        .read_size_bytes = -1};
    http_stats stats;
    http_answer answer;

    EXPECT_OK(http_client_send(client, &get, f->arena, &answer, &f->err));
    WAIT_FOR((http_server_stats(s->server, &stats), stats.connections_open == 0));
    EXPECT_OK(http_client_send(client, &upload, f->arena, &answer, &f->err));
    EXPECT_STR(answer.body, "xxxxx");
}

static void test_unix_sockets_are_spoken_to_without_proxies(void **state)
{
    fixture *f = *state;
    const char *base = arena_printf(f->arena, "unix:%s", test_path(f, "socket"));
    site *s = site_start_at(f, base, NULL, &service);
    http_call call = {.method = HTTP_POST, .target = "/echo", .body = STR("over unix")};
    http_answer answer;

    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    EXPECT_OK(http_client_send(client_for(f, s->address), &call, f->arena, &answer, &f->err));
    EXPECT_STR(answer.body, "over unix");
    EXPECT_OK(http_client_send(connect_to(f), &call, f->arena, &answer, &f->err));
    assert_int_equal(unsetenv("http_proxy"), 0);
}

TESTS(test_methods_bodies_and_headers_arrive, test_the_bearer_key_is_sent_until_taken_away,
      test_head_gets_headers_alone, test_bodies_stream_up_and_down,
      test_trailers_stand_behind_the_headers, test_errors_are_collected_even_where_answers_stream,
      test_an_upload_that_is_refused_early_shows_the_answer,
      test_what_the_callbacks_say_is_the_error, test_answers_beyond_the_maximum_are_too_large,
      test_a_broken_off_answer_is_unavailable, test_nobody_there_is_unavailable,
      test_only_http_and_clean_targets_are_spoken,
      test_a_cancelled_call_ends_soon_and_the_server_hears_of_it,
      test_a_call_that_lasts_too_long_times_out, test_one_connection_serves_many_calls,
      test_a_kept_connection_that_the_server_closed_is_replaced,
      test_unix_sockets_are_spoken_to_without_proxies)

/* Claims about the request head and chunked bodies: transcripts that are taken and transcripts that are refused. */
#include "http_core.h"
#include "support/test.h"
#include "tarn/base/clock.h"

static http_header headers[LIMIT_HTTP_HEADERS];

/* Whole text at once, or byte by byte as a slow network gives it: the verdict must be the same. */
static http_refusal judge(str text, bool slowly, http_head *ret_head)
{
    http_scan scan = {0};
    size_t head_size = 0;

    for (size_t size = slowly ? 1 : text.size; size <= text.size; size++) {
        http_refusal refusal = http__head_scan(&scan, text.data, size, &head_size);
        if (refusal != HTTP_REFUSE_NONE) {
            return refusal;
        }
        if (head_size > 0) {
            return http__head_parse(text.data, head_size, headers, ret_head);
        }
    }
    return HTTP_REFUSAL_COUNT; /* more must come */
}

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: localhost\r\n"

/*   what is sent, refusal */
static const struct {
    str text;
    http_refusal refusal;
} transcripts[] = {
    {STR_INIT(LINE HOST "\r\n"), HTTP_REFUSE_NONE},
    {STR_INIT("GET / HTTP/1.0\r\n\r\n"), HTTP_REFUSE_NONE},
    {STR_INIT("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_NONE},
    {STR_INIT("GET http://localhost:80/a?b HTTP/1.1\r\nHost: other\r\n\r\n"), HTTP_REFUSE_NONE},
    {STR_INIT(LINE HOST "X-Empty:\r\nx-tab:\t a\tb \t\r\n\r\n"), HTTP_REFUSE_NONE},
    {STR_INIT(LINE HOST "X: \xc3\xa4\xff\r\n\r\n"), HTTP_REFUSE_NONE},
    {STR_INIT("POST / HTTP/1.1\r\n" HOST "Content-Length: 007\r\n\r\n"), HTTP_REFUSE_NONE},
    {STR_INIT("POST / HTTP/1.1\r\n" HOST "TRANSFER-encoding: CHUNKED\r\n\r\n"), HTTP_REFUSE_NONE},
    {STR_INIT("POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"),
     HTTP_REFUSE_NONE},
    {STR_INIT("POST / HTTP/1.0\r\nExpect: anything\r\n\r\n"), HTTP_REFUSE_NONE},
    /* incomplete */
    {STR_INIT("GET / HTTP/1.1\r\nHost: x\r\n"), HTTP_REFUSAL_COUNT},
    {STR_INIT("G"), HTTP_REFUSAL_COUNT},
    {STR_INIT(LINE HOST "\r"), HTTP_REFUSAL_COUNT},
    /* request line */
    {STR_INIT("\x16\x03\x01\x02"), HTTP_REFUSE_REQUEST_LINE},
    {STR_INIT(" GET / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_REQUEST_LINE},
    {STR_INIT("GET  / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_REQUEST_LINE},
    {STR_INIT("GET / HTTP/1.1 \r\n" HOST "\r\n"), HTTP_REFUSE_REQUEST_LINE},
    {STR_INIT("GET /\r\n" HOST "\r\n"), HTTP_REFUSE_REQUEST_LINE},
    {STR_INIT("GET / x HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_REQUEST_LINE},
    {STR_INIT("GET / http/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_REQUEST_LINE},
    {STR_INIT("G\tT / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_REQUEST_LINE},
    {STR_INIT("GET / HTTP/1.10\r\n" HOST "\r\n"), HTTP_REFUSE_REQUEST_LINE},
    {STR_INIT("GET / HTTP/2.0\r\n" HOST "\r\n"), HTTP_REFUSE_VERSION},
    {STR_INIT("GET / HTTP/1.2\r\n" HOST "\r\n"), HTTP_REFUSE_VERSION},
    {STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HTTP_REFUSE_VERSION},
    {STR_INIT("BREW / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_METHOD},
    {STR_INIT("get / HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_METHOD},
    {STR_INIT("CONNECT localhost:1 HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_METHOD},
    {STR_INIT("GET x HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_TARGET},
    {STR_INIT("GET * HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_TARGET},
    {STR_INIT("GET /#a HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_TARGET},
    {STR_INIT("GET /\x7f HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_TARGET},
    {STR_INIT("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_TARGET},
    {STR_INIT("GET s3://b/ HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_TARGET},
    {STR_INIT("GET /%zz HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_ESCAPE},
    {STR_INIT("GET /%0 HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_ESCAPE},
    {STR_INIT("GET /?a=%00 HTTP/1.1\r\n" HOST "\r\n"), HTTP_REFUSE_ESCAPE},
    /* line ends */
    {STR_INIT("GET / HTTP/1.1\n" HOST "\r\n"), HTTP_REFUSE_LINE_END},
    {STR_INIT(LINE "Host: x\n\r\n"), HTTP_REFUSE_LINE_END},
    {STR_INIT(LINE HOST "\n"), HTTP_REFUSE_LINE_END},
    {STR_INIT(LINE "Host: a\rb\r\n\r\n"), HTTP_REFUSE_FIELD_VALUE},
    {STR_INIT(LINE HOST "A: \r\r\n\r\n"), HTTP_REFUSE_FIELD_VALUE},
    /* fields */
    {STR_INIT(LINE HOST " folded\r\n\r\n"), HTTP_REFUSE_FIELD_FOLDED},
    {STR_INIT(LINE "\tX: y\r\n" HOST "\r\n"), HTTP_REFUSE_FIELD_FOLDED},
    {STR_INIT(LINE "Host : x\r\n\r\n"), HTTP_REFUSE_FIELD_NAME},
    {STR_INIT(LINE HOST ": x\r\n\r\n"), HTTP_REFUSE_FIELD_NAME},
    {STR_INIT(LINE HOST "no colon\r\n\r\n"), HTTP_REFUSE_FIELD_NAME},
    {STR_INIT(LINE HOST "X\0Y: z\r\n\r\n"), HTTP_REFUSE_FIELD_NAME},
    {STR_INIT(LINE HOST "\xc3\xa4: z\r\n\r\n"), HTTP_REFUSE_FIELD_NAME},
    {STR_INIT(LINE HOST "X: a\0b\r\n\r\n"), HTTP_REFUSE_FIELD_VALUE},
    {STR_INIT(LINE HOST "X: a\x7f\r\n\r\n"), HTTP_REFUSE_FIELD_VALUE},
    /* framing */
    {STR_INIT(LINE HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
     HTTP_REFUSE_LENGTH_AND_CODING},
    {STR_INIT(LINE HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
     HTTP_REFUSE_LENGTH_AND_CODING},
    {STR_INIT(LINE HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), HTTP_REFUSE_LENGTH},
    {STR_INIT(LINE HOST "Content-Length: 1, 1\r\n\r\n"), HTTP_REFUSE_LENGTH},
    {STR_INIT(LINE HOST "Content-Length: +1\r\n\r\n"), HTTP_REFUSE_LENGTH},
    {STR_INIT(LINE HOST "Content-Length: -1\r\n\r\n"), HTTP_REFUSE_LENGTH},
    {STR_INIT(LINE HOST "Content-Length: 0x1\r\n\r\n"), HTTP_REFUSE_LENGTH},
    {STR_INIT(LINE HOST "Content-Length: 1 2\r\n\r\n"), HTTP_REFUSE_LENGTH},
    {STR_INIT(LINE HOST "Content-Length:\r\n\r\n"), HTTP_REFUSE_LENGTH},
    {STR_INIT(LINE HOST "Content-Length: 9999999999999999999\r\n\r\n"), HTTP_REFUSE_LENGTH},
    {STR_INIT(LINE HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"), HTTP_REFUSE_CODING},
    {STR_INIT(LINE HOST "Transfer-Encoding: identity\r\n\r\n"), HTTP_REFUSE_CODING},
    {STR_INIT(LINE HOST "Transfer-Encoding: xchunked\r\n\r\n"), HTTP_REFUSE_CODING},
    {STR_INIT(LINE HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
     HTTP_REFUSE_CODING_TWICE},
    {STR_INIT("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_REFUSE_CODING_VERSION},
    /* hosts */
    {STR_INIT(LINE "\r\n"), HTTP_REFUSE_HOST},
    {STR_INIT(LINE HOST HOST "\r\n"), HTTP_REFUSE_HOST},
    {STR_INIT(LINE "Host: a b\r\n\r\n"), HTTP_REFUSE_HOST},
    {STR_INIT(LINE "Host: a/b\r\n\r\n"), HTTP_REFUSE_HOST},
    {STR_INIT(LINE "Host: user@a\r\n\r\n"), HTTP_REFUSE_HOST},
    {STR_INIT(LINE "Host: a:b\r\n\r\n"), HTTP_REFUSE_HOST},
    {STR_INIT(LINE "Host: [::1\r\n\r\n"), HTTP_REFUSE_HOST},
    {STR_INIT("GET http://localhost/ HTTP/1.1\r\n\r\n"), HTTP_REFUSE_HOST},
};

static void test_transcripts_get_their_verdict_at_once_and_byte_by_byte(void **state)
{
    http_head head;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(transcripts); i++) {
        http_refusal whole = judge(transcripts[i].text, false, &head);
        http_refusal slow = judge(transcripts[i].text, true, &head);
        if (whole != transcripts[i].refusal || slow != transcripts[i].refusal) {
            fail_msg("transcript %zu (\"%.*s\"): wanted %d, got %d at once and %d slowly", i,
                     STR_ARG(transcripts[i].text), (int)transcripts[i].refusal, (int)whole,
                     (int)slow);
        }
    }
}

static void test_head_says_what_was_sent(void **state)
{
    http_head head;

    (void)state;
    assert_int_equal(
        judge(
            STR("PUT /a%2Fb/c?x=1&y HTTP/1.1\r\nhOST: localhost:8181\r\n"
                "content-LENGTH: 12\r\nConnection: foo , CLOSE\r\nExpect: 100-continue\r\n\r\nbody"),
            false, &head),
        HTTP_REFUSE_NONE);
    assert_int_equal(head.method, HTTP_PUT);
    assert_int_equal(head.minor_version, 1);
    EXPECT_STR(head.target, "/a%2Fb/c?x=1&y");
    EXPECT_STR(head.path, "/a%2Fb/c");
    EXPECT_STR(head.query, "x=1&y");
    EXPECT_STR(head.host, "localhost:8181");
    assert_int_equal(head.content_length, 12);
    assert_false(head.keep_alive);
    assert_true(head.expects_continue);
    assert_int_equal(head.header_count, 4);
    EXPECT_STR(head.headers[0].name, "hOST");
    EXPECT_STR(head.headers[2].value, "foo , CLOSE");
}

static void test_an_expectation_that_is_not_known_is_told(void **state)
{
    http_head head;

    (void)state;
    assert_int_equal(
        judge(STR("GET / HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\n\r\n"), false, &head),
        HTTP_REFUSE_NONE);
    assert_true(head.expects_more);
    assert_false(head.expects_continue);
}

static void test_absolute_target_goes_before_host(void **state)
{
    http_head head;

    (void)state;
    assert_int_equal(
        judge(STR("GET http://127.0.0.1:80?q=1 HTTP/1.1\r\nHost: evil.example\r\n\r\n"), false,
              &head),
        HTTP_REFUSE_NONE);
    EXPECT_STR(head.host, "127.0.0.1:80");
    EXPECT_STR(head.path, "/");
    EXPECT_STR(head.query, "q=1");
}

static void test_version_decides_on_keep_alive(void **state)
{
    http_head head;

    (void)state;
    assert_int_equal(judge(STR(LINE HOST "\r\n"), false, &head), HTTP_REFUSE_NONE);
    assert_true(head.keep_alive);
    assert_int_equal(judge(STR("GET / HTTP/1.0\r\n\r\n"), false, &head), HTTP_REFUSE_NONE);
    assert_false(head.keep_alive);
    assert_int_equal(judge(STR("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), false, &head),
                     HTTP_REFUSE_NONE);
    assert_true(head.keep_alive);
}

static void test_limits_of_size_and_count_are_kept(void **state)
{
    fixture *f = *state;
    http_head head;
    buf *text = buf_in(f->arena, 10 * LIMIT_HTTP_HEAD);

    buf_add_c(text, LINE HOST);
    for (size_t i = 0; i < LIMIT_HTTP_HEADERS - 1; i++) {
        buf_add_c(text, "A: b\r\n");
    }
    size_t most = text->size;
    buf_add_c(text, "\r\n");
    assert_int_equal(judge(buf_str(text), false, &head), HTTP_REFUSE_NONE);
    assert_int_equal(head.header_count, LIMIT_HTTP_HEADERS);
    buf_truncate(text, most);
    buf_add_c(text, "A: b\r\n\r\n");
    assert_int_equal(judge(buf_str(text), false, &head), HTTP_REFUSE_HEAD_COUNT);

    buf_clear(text);
    buf_add_c(text, "GET /");
    while (text->size < LIMIT_HTTP_TARGET + 100) {
        buf_add_char(text, 'a');
    }
    assert_int_equal(judge(buf_str(text), false, &head),
                     HTTP_REFUSE_TARGET_SIZE); /* without its end */

    buf_clear(text);
    buf_add_c(text, LINE "Host: localhost\r\nA: ");
    while (text->size < LIMIT_HTTP_HEAD) {
        buf_add_char(text, 'a');
    }
    assert_int_equal(judge(buf_str(text), false, &head), HTTP_REFUSE_HEAD_SIZE);
}

static void test_loopback_names_are_told_from_lookalikes(void **state)
{
    static const char *const loopback[] = {"localhost", "LOCALHOST", "localhost.", "a.localhost",
                                           "127.0.0.1", "127.9.9.9", "::1"};
    static const char *const foreign[] = {
        "",    "localhost.evil.example", "127.0.0.1.evil.example", "evillocalhost", "10.0.0.1",
        "::2", "127.evil.example"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(loopback); i++) {
        assert_true(http__host_is_loopback(str_c(loopback[i])));
    }
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        assert_false(http__host_is_loopback(str_c(foreign[i])));
    }
}

static void test_ranges_are_cut_to_what_is_there(void **state)
{
    static const struct {
        const char *range;
        int64_t total;
        http_range kind;
        int64_t offset, size;
    } cases[] = {
        {NULL, 10, HTTP_RANGE_WHOLE, 0, 10},
        {"bytes=0-0", 10, HTTP_RANGE_PART, 0, 1},
        {"Bytes=2-5", 10, HTTP_RANGE_PART, 2, 4},
        {"bytes=2-", 10, HTTP_RANGE_PART, 2, 8},
        {"bytes=-3", 10, HTTP_RANGE_PART, 7, 3},
        {"bytes=-30", 10, HTTP_RANGE_PART, 0, 10},
        {"bytes=5-99999999999999999999999", 10, HTTP_RANGE_PART, 5, 5},
        {"bytes=9-9", 10, HTTP_RANGE_PART, 9, 1},
        {"bytes=10-", 10, HTTP_RANGE_OUTSIDE, 10, 0},
        {"bytes=99999999999999999999-", 10, HTTP_RANGE_OUTSIDE, 10, 0},
        {"bytes=-0", 10, HTTP_RANGE_OUTSIDE, 10, 0},
        {"bytes=0-", 0, HTTP_RANGE_OUTSIDE, 0, 0},
        {"bytes=-1", 0, HTTP_RANGE_OUTSIDE, 0, 0},
        {"bytes=5-2", 10, HTTP_RANGE_WHOLE, 0, 10},
        {"bytes=-", 10, HTTP_RANGE_WHOLE, 0, 10},
        {"bytes=a-b", 10, HTTP_RANGE_WHOLE, 0, 10},
        {"bytes=1", 10, HTTP_RANGE_WHOLE, 0, 10},
        {"bytes=0-1,3-4", 10, HTTP_RANGE_WHOLE, 0, 10},
        {"bytes=--1", 10, HTTP_RANGE_WHOLE, 0, 10},
        {"rows=0-1", 10, HTTP_RANGE_WHOLE, 0, 10},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        http_header header = {.name = STR("Range"), .value = str_c(cases[i].range)};
        http_exchange x = {.head = {.headers = &header, .header_count = cases[i].range != NULL}};
        int64_t offset = -1;
        int64_t size = -1;
        http_range kind = http_request_range(&x, cases[i].total, &offset, &size);
        if (kind != cases[i].kind || offset != cases[i].offset || size != cases[i].size) {
            fail_msg("%s of %d: got %d, %d+%d", cases[i].range, (int)cases[i].total, (int)kind,
                     (int)offset, (int)size);
        }
    }
}

static int64_t fixed_wall_us(void *context)
{
    return *(const int64_t *)context * 1000000;
}

static int64_t fixed_mono_ns(void *context)
{
    (void)context;
    return 0;
}

static void test_dates_are_written_as_the_rfc_shows_them(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},  {784111778, "Sun, 06 Nov 1994 08:49:38 GMT"},
        {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},  {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {4102444800, "Fri, 01 Jan 2100 00:00:00 GMT"},
    };
    int64_t now = 0;
    tarn_clock fixed = {.wall_us = fixed_wall_us, .mono_ns = fixed_mono_ns, .context = &now};

    (void)state;
    clock_install(&fixed);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        now = cases[i].seconds;
        assert_string_equal(http__date(), cases[i].text);
    }
    clock_install(NULL);
}

/* ---- chunks ---- */

/* Decodes in pieces of `piece` bytes into `out`; UNAVAILABLE stands for "more must come". */
static status decode(fixture *f, str text, size_t piece, buf *out, http_chunked *d)
{
    *d = (http_chunked){.trailer = buf_in(f->arena, 1000)};
    for (size_t at = 0; at < text.size && d->state != CHUNK_END;) {
        size_t size = text.size - at < piece ? text.size - at : piece;
        size_t used = 0;
        TRY(http__chunked_next(d, text.data + at, size, &used, &f->err));
        at += used;
        if (d->state == CHUNK_DATA && used < size) {
            size_t take = (int64_t)(size - used) < d->left ? size - used : (size_t)d->left;
            buf_add(out, text.data + at, take);
            http__chunked_took(d, take);
            at += take;
        }
    }
    return d->state == CHUNK_END ? STATUS_OK : STATUS_UNAVAILABLE;
}

static const struct {
    const char *text;
    status kind;
    const char *body;
} chunked[] = {
    {"0\r\n\r\n", STATUS_OK, ""},
    {"3\r\nabc\r\n0\r\n\r\n", STATUS_OK, "abc"},
    {"00a;x=\"y\";z\r\n0123456789\r\n1\r\n!\r\n000\r\n\r\n", STATUS_OK, "0123456789!"},
    {"A\r\n0123456789\r\n0\r\nX-Sum: 7\r\nY: z\r\n\r\n", STATUS_OK, "0123456789"},
    {"3\r\nab", STATUS_UNAVAILABLE, "ab"},
    {"3\r\nabc\r\n0\r\n", STATUS_UNAVAILABLE, "abc"},
    {"3\nabc\r\n0\r\n\r\n", STATUS_INVALID, ""},
    {"3\r\nabcd\r\n0\r\n\r\n", STATUS_INVALID, "abc"},
    {"3\r\nabc\n0\r\n\r\n", STATUS_INVALID, "abc"},
    {"3\r\nabc\rX0\r\n\r\n", STATUS_INVALID, "abc"},
    {"\r\n\r\n", STATUS_INVALID, ""},
    {"g\r\n", STATUS_INVALID, ""},
    {"-1\r\n", STATUS_INVALID, ""},
    {"+1\r\na\r\n0\r\n\r\n", STATUS_INVALID, ""},
    {"0x1\r\na\r\n0\r\n\r\n", STATUS_INVALID, ""},
    {"1 \r\na\r\n0\r\n\r\n", STATUS_INVALID, ""},
    {" 1\r\na\r\n0\r\n\r\n", STATUS_INVALID, ""},
    {"1;a\nb\r\na\r\n0\r\n\r\n", STATUS_INVALID, ""},
    {"1\r\ra\r\n0\r\n\r\n", STATUS_INVALID, ""},
    {"ffffffffffffffff\r\n", STATUS_INVALID, ""},
    {"0000000000000001\r\na\r\n0\r\n\r\n", STATUS_INVALID, ""},
    {"0\r\nX: y\n\r\n", STATUS_INVALID, ""},
    {"0\r\n\n", STATUS_INVALID, ""},
};

static void test_chunks_are_decoded_in_pieces_of_any_size(void **state)
{
    fixture *f = *state;
    http_chunked d;

    for (size_t i = 0; i < COUNT_OF(chunked); i++) {
        for (size_t piece = 1; piece < 60; piece++) {
            buf *out = buf_in(f->arena, 1000);
            status kind = decode(f, str_c(chunked[i].text), piece, out, &d);
            if (kind != chunked[i].kind ||
                (kind != STATUS_INVALID && !str_equal(buf_str(out), str_c(chunked[i].body)))) {
                fail_msg("body %zu in pieces of %zu: got %d, \"%.*s\"", i, piece, (int)kind,
                         STR_ARG(buf_str(out)));
            }
        }
    }
}

static void test_trailers_are_kept_as_sent(void **state)
{
    fixture *f = *state;
    http_chunked d;

    assert_int_equal(decode(f, STR("0\r\nX-Sum: 7\r\n\r\nGET"), 100, buf_in(f->arena, 10), &d),
                     STATUS_OK);
    EXPECT_STR(buf_str(d.trailer), "X-Sum: 7\r\n\r\n");
}

static void test_long_size_lines_and_trailers_are_refused(void **state)
{
    fixture *f = *state;
    http_chunked d;
    buf *text = buf_in(f->arena, 10000);

    buf_add_c(text, "1;");
    while (text->size < HTTP_CHUNK_LINE_MAX + 10) {
        buf_add_char(text, 'x');
    }
    EXPECT_STATUS(INVALID, decode(f, buf_str(text), 10000, buf_in(f->arena, 10), &d));
    EXPECT_MESSAGE(f, "the chunked body is malformed: a size line is too long");

    buf_clear(text);
    buf_add_c(text, "0\r\nX: ");
    while (text->size < 2000) { /* `decode` allows 1000 */
        buf_add_char(text, 'x');
    }
    EXPECT_STATUS(TOO_LARGE, decode(f, buf_str(text), 10000, buf_in(f->arena, 10), &d));
}

TESTS(test_transcripts_get_their_verdict_at_once_and_byte_by_byte, test_head_says_what_was_sent,
      test_an_expectation_that_is_not_known_is_told, test_absolute_target_goes_before_host,
      test_version_decides_on_keep_alive, test_limits_of_size_and_count_are_kept,
      test_loopback_names_are_told_from_lookalikes, test_ranges_are_cut_to_what_is_there,
      test_dates_are_written_as_the_rfc_shows_them, test_chunks_are_decoded_in_pieces_of_any_size,
      test_trailers_are_kept_as_sent, test_long_size_lines_and_trailers_are_refused)

/* Claims about the bodies of S3 requests. Chunks, trailers and their signatures are those of the examples in
 * "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API Reference. */
#include "aws_chunked.h"
#include "raw_http.h"
#include "tarn/net/signature.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define DAY INT64_C(1369353600000000) /* 2013-05-24T00:00:00Z */

#define SIGNED_1 ";chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
#define SIGNED_2 ";chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
#define SIGNED_0 ";chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
#define TRAILER_1 \
    ";chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"
#define TRAILER_2 \
    ";chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"
#define TRAILER_0 \
    ";chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"
#define TRAILER_END \
    "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"

static request_signature documented(payload_mode mode)
{
    return (request_signature){
        .kind = SIGNATURE_V4_HEADER,
        .access_key = STR("AKIAIOSFODNN7EXAMPLE"),
        .date = STR("20130524"),
        .region = STR("us-east-1"),
        .service = STR("s3"),
        .signature = mode == PAYLOAD_STREAMING_SIGNED
                         ? STR("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
                         : STR("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"),
        .signed_at_us = DAY,
        .payload = mode,
    };
}

/* 65 536 and 1 024 letters a, framed. */
static buf *framed(fixture *f, const char *first, const char *second, const char *last)
{
    buf *body = buf_in(f->arena, 1 << 20);

    buf_printf(body, "10000%s\r\n", first);
    for (size_t i = 0; i < 65536; i++) {
        buf_add_char(body, 'a');
    }
    buf_printf(body, "\r\n400%s\r\n", second);
    for (size_t i = 0; i < 1024; i++) {
        buf_add_char(body, 'a');
    }
    buf_printf(body, "\r\n0%s\r\n", last);
    return body;
}

typedef struct outcome {
    size_t size;
    bool all_a;
    str checksum; /* the trailer of that name */
} outcome;

static status decode(fixture *f, const request_signature *s, int64_t declared,
                     const char *announced, str bytes, size_t piece, outcome *ret)
{
    aws_framing *d = ARENA_NEW(f->arena, aws_framing);
    outcome o = {.all_a = true};
    status result = STATUS_OK;

    aws__framing_init(d, f->arena, s, declared, str_c(announced));
    signature__key(s->access_key, STR(SECRET), s->date, s->region, s->service, d->key);
    for (size_t at = 0; at < bytes.size && result == STATUS_OK;) {
        size_t size = bytes.size - at < piece ? bytes.size - at : piece;
        if (d->state == AWS_DATA) {
            size = (int64_t)size < d->left ? size : (size_t)d->left;
            for (size_t i = 0; i < size; i++) {
                o.all_a = o.all_a && bytes.data[at + i] == 'a';
            }
            o.size += size;
            result = aws__framing_took(d, bytes.data + at, size, &f->err);
        } else {
            result = aws__framing_next(d, bytes.data + at, size, &size, &f->err);
        }
        at += size;
    }
    result = result == STATUS_OK ? aws__framing_end(d, &f->err) : result;
    for (size_t i = 0; i < d->trailer_count; i++) {
        o.checksum = d->trailers[i].value;
    }
    aws__framing_release(d);
    *ret = o;
    return result;
}

static void test_documented_chunks_are_right_in_pieces_of_any_size(void **state)
{
    static const size_t pieces[] = {1, 7, 1000, 65536, 1 << 20};
    fixture *f = *state;
    request_signature plain = documented(PAYLOAD_STREAMING_SIGNED);
    request_signature trailer = documented(PAYLOAD_STREAMING_SIGNED_TRAILER);
    buf *chunks = framed(f, SIGNED_1, SIGNED_2, SIGNED_0);
    buf *lf = framed(f, TRAILER_1, TRAILER_2, TRAILER_0);
    buf *crlf = framed(f, TRAILER_1, TRAILER_2, TRAILER_0);
    outcome o;

    buf_add_c(chunks, "\r\n");
    buf_add_c(lf, "x-amz-checksum-crc32c:sOO8/Q==\n\r\n" TRAILER_END); /* as the example has it */
    buf_add_c(crlf, "x-amz-checksum-crc32c: sOO8/Q==\r\n" TRAILER_END);
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        EXPECT_OK(decode(f, &plain, 66560, NULL, buf_str(chunks), pieces[i], &o));
        assert_true(o.size == 66560 && o.all_a);
        EXPECT_OK(decode(f, &trailer, 66560, "x-amz-checksum-crc32c", buf_str(lf), pieces[i], &o));
        assert_true(o.size == 66560 && o.all_a);
        EXPECT_STR(o.checksum, "sOO8/Q==");
        EXPECT_OK(
            decode(f, &trailer, 66560, "x-amz-checksum-crc32c", buf_str(crlf), pieces[i], &o));
        EXPECT_STR(o.checksum, "sOO8/Q==");
    }
}

static void test_one_wrong_byte_in_signed_chunks_is_seen(void **state)
{
    fixture *f = *state;
    request_signature s = documented(PAYLOAD_STREAMING_SIGNED_TRAILER);
    buf *body = framed(f, TRAILER_1, TRAILER_2, TRAILER_0);
    outcome o;

    buf_add_c(body, "x-amz-checksum-crc32c:sOO8/Q==\r\n" TRAILER_END);
    for (size_t at = 0; at + 4 < body->size; at += at % 65536 < 200 ? 1 : 6007) {
        char was = body->data[at];
        body->data[at] = was == 'b' ? 'c' : 'b';
        status result = decode(f, &s, 66560, "x-amz-checksum-crc32c", buf_str(body), 4096, &o);
        if (result == STATUS_OK) {
            fail_msg("a changed byte at %zu is not seen", at);
        }
        body->data[at] = was;
    }
    EXPECT_OK(decode(f, &s, 66560, "x-amz-checksum-crc32c", buf_str(body), 4096, &o));
}

/*   declared, announced, mode, body, code (NULL: fine) */
#define UNSIGNED PAYLOAD_STREAMING_UNSIGNED_TRAILER
static const struct {
    int64_t declared;
    const char *announced;
    payload_mode mode;
    const char *body, *code;
} small[] = {
    {2, "x-a", UNSIGNED, "2\r\naa\r\n0\r\nx-a:1\r\n\r\n", NULL},
    {2, "x-a, x-b", UNSIGNED, "1\r\na\r\n1\r\na\r\n0\r\nX-A:1\r\nx-b: 2 \r\n\r\n", NULL},
    {2, NULL, UNSIGNED, "2\r\naa\r\n0\r\n\r\n", NULL},
    {0, NULL, UNSIGNED, "0\r\n\r\n", NULL},
    {2, NULL, UNSIGNED, "02;a=b;c\r\naa\r\n0\r\n", NULL},
    {26, NULL, UNSIGNED, "1A\r\naaaaaaaaaaaaaaaaaaaaaaaaaa\r\n0\r\n\r\n", NULL},
    /* lengths */
    {3, NULL, UNSIGNED, "2\r\naa\r\n0\r\n\r\n", "IncompleteBody"},
    {1, NULL, UNSIGNED, "2\r\naa\r\n0\r\n\r\n", "IncompleteBody"},
    {2, NULL, UNSIGNED, "2\r\naa\r\n", "IncompleteBody"},
    {2, NULL, UNSIGNED, "2\r\na", "IncompleteBody"},
    {2, NULL, UNSIGNED, "", "IncompleteBody"},
    {0, NULL, UNSIGNED, "", "IncompleteBody"},
    {2, NULL, UNSIGNED, "fffffffffffffffe\r\n", "IncompleteBody"},
    {2, NULL, UNSIGNED, "2\r\naaa\r\n0\r\n\r\n", "InvalidRequest"},
    {2, NULL, UNSIGNED, "2\r\na\r\n0\r\n\r\n", "InvalidRequest"},
    /* chunk lines */
    {2, NULL, UNSIGNED, "aa", "IncompleteBody"},
    {2, NULL, UNSIGNED, "xx\r\n", "InvalidRequest"},
    {2, NULL, UNSIGNED, "-2\r\naa\r\n0\r\n\r\n", "InvalidRequest"},
    {2, NULL, UNSIGNED, " 2\r\naa\r\n0\r\n\r\n", "InvalidRequest"},
    {2, NULL, UNSIGNED, "\r\n", "InvalidRequest"},
    {2, NULL, UNSIGNED, "2\naa\r\n0\r\n\r\n", "InvalidRequest"},
    {2, NULL, UNSIGNED, "00000000000000002\r\naa\r\n0\r\n\r\n", "InvalidRequest"},
    /* trailers */
    {1, "x-a", UNSIGNED, "1\r\na\r\n0\r\n\r\n", "MalformedTrailerError"},
    {1, "x-a", UNSIGNED, "1\r\na\r\n0\r\nx-b:1\r\n\r\n", "MalformedTrailerError"},
    {1, "x-a", UNSIGNED, "1\r\na\r\n0\r\nx-a:1\r\nx-a:1\r\n\r\n", "MalformedTrailerError"},
    {1, "x-a", UNSIGNED, "1\r\na\r\n0\r\nx-a\r\n\r\n", "MalformedTrailerError"},
    {1, "x-a", UNSIGNED, "1\r\na\r\n0\r\nx a:1\r\n\r\n", "MalformedTrailerError"},
    {1, NULL, UNSIGNED, "1\r\na\r\n0\r\nx-a:1\r\n\r\n", "MalformedTrailerError"},
    {1, NULL, UNSIGNED, "1\r\na\r\n0\r\n\r\nPUT / HTTP/1.1\r\n\r\n", "MalformedTrailerError"},
    /* signatures */
    {1, NULL, PAYLOAD_STREAMING_SIGNED, "1\r\na\r\n0\r\n\r\n", "SignatureDoesNotMatch"},
    {1, NULL, PAYLOAD_STREAMING_SIGNED, "1;chunk-signature=\r\na\r\n", "SignatureDoesNotMatch"},
    {1, NULL, PAYLOAD_STREAMING_SIGNED, "1" SIGNED_1 "\r\na\r\n", "SignatureDoesNotMatch"},
    {0, NULL, PAYLOAD_STREAMING_SIGNED, "0" SIGNED_0 "\r\n\r\n", "SignatureDoesNotMatch"},
};

static void test_framing_that_lies_is_refused_with_its_code(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(small); i++) {
        request_signature s = documented(small[i].mode);
        outcome o;

        for (size_t piece = 1; piece < 100; piece += 49) {
            error_clear(&f->err);
            status result = decode(f, &s, small[i].declared, small[i].announced,
                                   str_c(small[i].body), piece, &o);
            print_message("%zu: %s\n", i, result == STATUS_OK ? "fine" : f->err.message);
            if (small[i].code == NULL) {
                assert_int_equal(result, STATUS_OK);
                assert_true(o.all_a && (int64_t)o.size == small[i].declared);
            } else {
                assert_int_not_equal(result, STATUS_OK);
                assert_string_equal(error_s3_code(&f->err), small[i].code);
            }
        }
    }
}

static void test_long_lines_and_tails_are_refused(void **state)
{
    fixture *f = *state;
    request_signature s = documented(UNSIGNED);
    buf *body = buf_in(f->arena, 1 << 20);
    outcome o;

    buf_add_c(body, "1;");
    for (size_t i = 0; i < AWS_CHUNK_LINE_MAX; i++) {
        buf_add_char(body, 'x');
    }
    EXPECT_STATUS(INVALID, decode(f, &s, 1, NULL, buf_str(body), 4096, &o));
    EXPECT_MESSAGE(f, "the body's chunks are malformed: a line is too long");
    buf_clear(body);
    buf_add_c(body, "0\r\n");
    for (size_t i = 0; i <= AWS_TAIL_MAX; i++) {
        buf_add_char(body, '\n');
    }
    EXPECT_STATUS(INVALID, decode(f, &s, 0, NULL, buf_str(body), 4096, &o));
}

/* ---- through a server ---- */

static void answer_body(void *context, http_exchange *x)
{
    error err = ERROR_INIT;
    request_signature s;
    aws_body *body = NULL;
    str all = STR_NULL;
    status result = signature_read(x, DAY, &s, &err);

    (void)context;
    result = result == STATUS_OK ? aws_body_open(x, &s, STR(SECRET), &body, &err) : result;
    if (result == STATUS_OK && str_equal(http_request_path(x), STR("/small"))) {
        result = aws_body_read_all(body, 5, &all, &err);
    } else if (result == STATUS_OK) {
        char *bytes = arena_alloc(http_exchange_arena(x), 100);
        size_t size = 0;
        size_t got = 0;
        do {
            result = aws_body_read(body, bytes + size, 3, &got, &err);
            size += result == STATUS_OK ? got : 0;
        } while (result == STATUS_OK && got > 0 && size < 90);
        all = str_from(bytes, size);
    }
    if (result != STATUS_OK) {
        http_respond(x, 400, NULL, str_c(error_s3_code(&err)));
        return;
    }
    http_respond(x, 200, NULL,
                 str_printf(http_exchange_arena(x), "%lld %.*s %.*s",
                            (long long)aws_body_size(body), STR_ARG(all),
                            STR_ARG(aws_body_trailer(body, "X-A"))));
}

#define SHA_HELLO "2CF24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define FRAMED "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n"
static const struct {
    const char *path, *headers, *body, *answer;
} served[] = {
    {"/", "Content-Length: 5\r\n", "hello", "5 hello "},
    {"/", "", "", "0  "},
    {"/", "Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "-1 hello "},
    {"/", "Content-Encoding: gzip, aws-chunked\r\nContent-Length: 5\r\n", "hello", "5 hello "},
    {"/", "x-amz-content-sha256: " SHA_HELLO "\r\nContent-Length: 5\r\n", "hello", "5 hello "},
    {"/", "x-amz-content-sha256: " SHA_HELLO "\r\nContent-Length: 5\r\n", "hallo",
     "XAmzContentSHA256Mismatch"},
    {"/", "x-amz-content-sha256: " SHA_HELLO "\r\n", "", "XAmzContentSHA256Mismatch"},
    {"/", FRAMED "x-amz-decoded-content-length: 5\r\nx-amz-trailer: x-a\r\nContent-Length: 27\r\n",
     "5\r\nhello\r\n0\r\nx-a: world\r\n\r\n", "5 hello world"},
    {"/", FRAMED "x-amz-decoded-content-length: 5\r\nTransfer-Encoding: chunked\r\n",
     "1\r\n5\r\n6\r\n\r\nhell\r\n8\r\no\r\n0\r\n\r\n\r\n0\r\n\r\n", "5 hello "},
    {"/",
     "Content-Encoding: aws-chunked\r\nx-amz-decoded-content-length: 5\r\nx-amz-trailer: x-a\r\n"
     "Content-Length: 27\r\n",
     "5\r\nhello\r\n0\r\nx-a: world\r\n\r\n", "5 hello world"},
    {"/", FRAMED "Content-Length: 5\r\n", "0\r\n\r\n", "MissingContentLength"},
    {"/", FRAMED "x-amz-decoded-content-length: -1\r\nContent-Length: 5\r\n", "0\r\n\r\n",
     "InvalidArgument"},
    {"/", FRAMED "x-amz-decoded-content-length: 6\r\nContent-Length: 15\r\n",
     "5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"},
    {"/", FRAMED "x-amz-decoded-content-length: 6\r\nContent-Length: 8\r\n", "6\r\nhello",
     "IncompleteBody"},
    {"/small", "Content-Length: 5\r\n", "hello", "5 hello "},
    {"/small", "Content-Length: 6\r\n", "hello!", "EntityTooLarge"},
    {"/small", "Transfer-Encoding: chunked\r\n", "6\r\nhello!\r\n0\r\n\r\n", "EntityTooLarge"},
    {"/small",
     FRAMED "x-amz-decoded-content-length: 5\r\nx-amz-trailer: x-a\r\nContent-Length: 27\r\n",
     "5\r\nhello\r\n0\r\nx-a: world\r\n\r\n", "5 hello world"},
};

static void test_bodies_are_unwrapped_and_checked_as_they_are_read(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, NULL, answer_body);

    for (size_t i = 0; i < COUNT_OF(served); i++) {
        str answer = raw_exchange(
            s, str_printf(f->arena, "PUT %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n%s",
                          served[i].path, served[i].headers, served[i].body));
        print_message("%zu\n", i);
        EXPECT_STR(body_of(answer), served[i].answer);
    }
}

TESTS(test_documented_chunks_are_right_in_pieces_of_any_size,
      test_one_wrong_byte_in_signed_chunks_is_seen, test_framing_that_lies_is_refused_with_its_code,
      test_long_lines_and_tails_are_refused, test_bodies_are_unwrapped_and_checked_as_they_are_read)

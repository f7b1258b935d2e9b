/* Claims about percent-coding, query strings and absolute URIs. */
#include "tarn/base/buf.h"
#include "tarn/net/uri.h"

#include "support/test.h"

static void test_decode_takes_one_layer_off(void **state)
{
    fixture *f = *state;
    str text;

    EXPECT_OK(uri_decode(f->arena, STR("a%20b%2Fc+%2525%c3%A4"), &text, &f->err));
    EXPECT_STR(text, "a b/c+%25\xc3\xa4");
    EXPECT_OK(uri_decode(f->arena, STR_NULL, &text, &f->err));
    EXPECT_STR(text, "");
}

static void test_decode_form_makes_plus_a_space(void **state)
{
    fixture *f = *state;
    str text;

    EXPECT_OK(uri_decode_form(f->arena, STR("SELECT+1%2B1"), &text, &f->err));
    EXPECT_STR(text, "SELECT 1+1");
}

static void test_decode_refuses_broken_escapes_and_nul(void **state)
{
    fixture *f = *state;
    static const char *const broken[] = {"%", "a%", "%2", "ab%4", "%zz", "%4g", "%-1", "%%41"};
    str text = STR("untouched");

    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        EXPECT_STATUS(INVALID, uri_decode(f->arena, str_c(broken[i]), &text, &f->err));
    }
    EXPECT_STATUS(INVALID, uri_decode(f->arena, STR("ab%00c"), &text, &f->err));
    EXPECT_MESSAGE(f, "percent escape at byte 2 is a NUL");
    EXPECT_STR(text, "untouched");
}

static void test_encode_leaves_only_unreserved_and_kept(void **state)
{
    fixture *f = *state;
    buf *out = buf_in(f->arena, 1000);

    uri_encode(out, STR("AZaz09-._~ /?\xff"), NULL);
    EXPECT_STR(buf_str(out), "AZaz09-._~%20%2F%3F%FF");
    buf_clear(out);
    uri_encode(out, str_from("a/b\0", 4), "/");
    EXPECT_STR(buf_str(out), "a/b%00");
}

static void test_encoded_text_decodes_to_itself(void **state)
{
    fixture *f = *state;
    char all[255];
    str text;

    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (char)(i + 1);
    }
    buf *out = buf_in(f->arena, 1000);
    uri_encode(out, str_from(all, sizeof all), NULL);
    EXPECT_OK(uri_decode(f->arena, buf_str(out), &text, &f->err));
    assert_true(str_equal(text, str_from(all, sizeof all)));
}

static void test_query_keeps_order_and_tells_absent_from_empty(void **state)
{
    fixture *f = *state;
    uri_pair *pairs;
    size_t count;

    EXPECT_OK(uri_parse_query(f->arena, STR("b=2&a=&&uploads&b=x%26y=z"), &pairs, &count, &f->err));
    assert_int_equal(count, 4);
    EXPECT_STR(pairs[0].name, "b");
    EXPECT_STR(pairs[0].value, "2");
    assert_false(str_is_null(pairs[1].value));
    assert_int_equal(pairs[1].value.size, 0);
    EXPECT_STR(pairs[2].name, "uploads");
    assert_true(str_is_null(pairs[2].value));
    EXPECT_STR(pairs[3].value, "x&y=z");
}

static void test_empty_query_has_no_pairs(void **state)
{
    fixture *f = *state;
    uri_pair *pairs;
    size_t count = 9;

    EXPECT_OK(uri_parse_query(f->arena, STR_NULL, &pairs, &count, &f->err));
    assert_int_equal(count, 0);
    EXPECT_STATUS(INVALID, uri_parse_query(f->arena, STR("a=%0"), &pairs, &count, &f->err));
}

static void test_parse_splits_absolute_uris(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *text, *scheme, *host, *path, *query;
        int port;
    } good[] = {
        {"http://127.0.0.1:8181/a/b?c=d?e", "http", "127.0.0.1", "/a/b", "c=d?e", 8181},
        {"https://example.org", "https", "example.org", "", "", 0},
        {"s3://bucket/key%20x", "s3", "bucket", "/key%20x", "", 0},
        {"file:///var/data", "file", "", "/var/data", "", 0},
        {"http://[::1]:80/", "http", "::1", "/", "", 80},
        {"HTTP://h?q", "HTTP", "h", "", "q", 0},
    };
    uri u;

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        EXPECT_OK(uri_parse(str_c(good[i].text), &u, &f->err));
        EXPECT_STR(u.scheme, good[i].scheme);
        EXPECT_STR(u.host, good[i].host);
        EXPECT_STR(u.path, good[i].path);
        EXPECT_STR(u.query, good[i].query);
        assert_int_equal(u.port, good[i].port);
    }
}

static void test_parse_refuses_what_is_not_absolute(void **state)
{
    fixture *f = *state;
    static const char *const bad[] = {
        "",
        "http",
        "http:",
        "http:/x",
        "//host/x",
        "/path",
        "http://",
        "http:///x",
        "ftp://h/",
        "http://u:p@h/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:+1/",
        "http://h:x/",
        "http://[::1/",
        "http://[]/",
        "http://[::1]x/",
        "http://h/a b",
        "http://h/#f",
        "http://h/\x7f",
        "http://h/\n",
    };
    uri u;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        EXPECT_STATUS(INVALID, uri_parse(str_c(bad[i]), &u, &f->err));
    }
}

TESTS(test_decode_takes_one_layer_off, test_decode_form_makes_plus_a_space,
      test_decode_refuses_broken_escapes_and_nul, test_encode_leaves_only_unreserved_and_kept,
      test_encoded_text_decodes_to_itself, test_query_keeps_order_and_tells_absent_from_empty,
      test_empty_query_has_no_pairs, test_parse_splits_absolute_uris,
      test_parse_refuses_what_is_not_absolute)

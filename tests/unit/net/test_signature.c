/* Claims about AWS signatures. Requests and signatures of the examples in "Authenticating Requests (AWS Signature
 * Version 4)" of the Amazon S3 API Reference, and requests signed by botocore 1.44.5. */
#include "http_core.h"
#include "support/test.h"
#include "tarn/base/clock.h"
#include "tarn/codec/checksum.h"
#include "tarn/net/signature.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define KEY "AKIAIOSFODNN7EXAMPLE"
#define SCOPE "/20130524/us-east-1/s3/aws4_request"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DAY INT64_C(1369353600000000) /* 2013-05-24T00:00:00Z */
#define MINUTE INT64_C(60000000)

static http_exchange *exchange(fixture *f, const char *text)
{
    http_exchange *x = ARENA_NEW(f->arena, http_exchange);
    http_header *headers = ARENA_ARRAY(f->arena, http_header, LIMIT_HTTP_HEADERS);
    str bytes = str_copy(f->arena, str_c(text));

    x->memory = f->arena;
    assert_int_equal(http__head_parse(bytes.data, bytes.size, headers, &x->head), HTTP_REFUSE_NONE);
    return x;
}

static status check_at(fixture *f, const char *text, const char *secret, int64_t now_us)
{
    http_exchange *x = exchange(f, text);
    request_signature s;
    status result = signature_read(x, now_us, &s, &f->err);

    return result != STATUS_OK ? result : signature_check(x, &s, str_c(secret), &f->err);
}

#define AMZ_DATE "x-amz-date: 20130524T000000Z\r\n"
#define SHA256_EMPTY "x-amz-content-sha256: " EMPTY "\r\n"
#define SHA256_CHUNKS                                              \
    "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n" \
    "Content-Encoding: aws-chunked\r\nx-amz-decoded-content-length: 66560\r\nContent-Length: 66824\r\n"
#define BUCKET_HOST "Host: examplebucket.s3.amazonaws.com\r\n"
#define AUTHORIZATION(headers, signature)                                             \
    "Authorization: AWS4-HMAC-SHA256 Credential=" KEY SCOPE ",SignedHeaders=" headers \
    ",Signature=" signature "\r\n"

static const char *const documented[] = {
    /* get object */
    "GET /test.txt HTTP/1.1\r\n" BUCKET_HOST AUTHORIZATION(
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41") SHA256_EMPTY
    "Range: bytes=0-9\r\n" AMZ_DATE "\r\n",
    /* put object */
    "PUT /test%24file.text HTTP/1.1\r\n" BUCKET_HOST
    "Date: Fri, 24 May 2013 00:00:00 GMT\r\n" AUTHORIZATION(
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd") AMZ_DATE
    "x-amz-storage-class: REDUCED_REDUNDANCY\r\nx-amz-content-sha256: "
    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\r\n\r\n",
    /* get bucket lifecycle */
    "GET /?lifecycle HTTP/1.1\r\n" BUCKET_HOST AUTHORIZATION(
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543") AMZ_DATE
    "x-amz-content-sha256: " EMPTY "\r\n\r\n",
    /* list objects */
    "GET /?max-keys=2&prefix=J HTTP/1.1\r\n" BUCKET_HOST AUTHORIZATION(
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7") AMZ_DATE
    "x-amz-content-sha256: " EMPTY "\r\n\r\n",
    /* in the query */
    "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" KEY
    "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
    "&X-Amz-SignedHeaders=host&X-Amz-Signature="
    "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 HTTP/1.1\r\n" BUCKET_HOST
    "\r\n",
    /* put object in signed chunks */
    "PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\n" AMZ_DATE
    "x-amz-storage-class: REDUCED_REDUNDANCY\r\n" AUTHORIZATION(
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
        "x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9") SHA256_CHUNKS "\r\n",
};

static void test_documented_requests_are_right(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(documented); i++) {
        for (int again = 0; again < 2; again++) { /* with a key out of the cache, too */
            EXPECT_OK(check_at(f, documented[i], SECRET, DAY + MINUTE));
        }
        EXPECT_STATUS(DENIED, check_at(f, documented[i], "other", DAY + MINUTE));
        assert_string_equal(error_s3_code(&f->err), "SignatureDoesNotMatch");
    }
}

/* By botocore at 2026-11-21T20:47:22Z. Those in the query as their URL is used: without the headers that it
 * replaced. */
#define BOTO_NOW INT64_C(1795294042000000)
#define BOTO_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
static const struct {
    const char *what, *request;
} by_botocore[] = {
    {"header, odd path and query",
     "GET /bucket/a%20b%2B%C3%BC%25/~x?prefix=a%20b%2F&list-type=2&marker=%2B&empty= HTTP/"
     "1.1\r\n"
     "Host: 127.0.0.1:9000\r\n"
     "X-Amz-Meta-A:   two   spaces  \r\n"
     "X-Amz-Date: 20261121T204722Z\r\n"
     "X-Amz-Content-SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8"
     "55\r\n"
     "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/with/slash/20261121/eu-centra"
     "l-9/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-a"
     ", Signature=129374a15849be25acae3d7ab824ed322f462654edadfc0831db0ce93f1edfee\r\n"
     "\r\n"},
    {"header, session, sub-resource",
     "PUT /bucket?acl HTTP/1.1\r\n"
     "Host: 127.0.0.1:9000\r\n"
     "x-amz-acl: private\r\n"
     "Content-Type: text/plain\r\n"
     "X-Amz-Date: 20261121T204722Z\r\n"
     "X-Amz-Security-Token: tok/en+==\r\n"
     "X-Amz-Content-SHA256: 2a31f44da4bd7decbbd3ddfd1a37ae04d02ec665e2c2688816ccc65631586e"
     "d1\r\n"
     "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-central-9/s3/aws4"
     "_request, SignedHeaders=content-type;host;x-amz-acl;x-amz-content-sha256;x-amz-date;"
     "x-amz-security-token, Signature=3a2b8c1d743e911d0367061ccc97791400e56668fe39bd411776"
     "7fcaee45ae21\r\n"
     "\r\n"},
    {"query", "GET /bucket/k%20ey?response-content-disposition=attachment%3B%20filename%3D%22a%20b%"
              "22&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2Fwith%2Fslash%2F20"
              "261121%2Feu-central-9%2Fs3%2Faws4_request&X-Amz-Date=20261121T204722Z&X-Amz-Expires="
              "604800&X-Amz-SignedHeaders=host&X-Amz-Signature=183e571d7be61f8fb35364d5ef09b5ae3dc4"
              "05ee06ab1443fdd0fa4ef3b49be9 HTTP/1.1\r\n"
              "Host: 127.0.0.1:9000\r\n"
              "\r\n"},
    {"query, session, acl",
     "PUT /bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F2026"
     "1121%2Feu-central-9%2Fs3%2Faws4_request&X-Amz-Date=20261121T204722Z&X-Amz-Expires=60"
     "&X-Amz-SignedHeaders=host%3Bx-amz-acl&X-Amz-Security-Token=tok%2Fen%2B%3D%3D&X-Amz-S"
     "ignature=050d3dcc8029d4e5ce2c28bc771f571c6da04660afb92056c22a1d4247951e12 HTTP/1.1"
     "\r\n"
     "Host: 127.0.0.1:9000\r\n"
     "x-amz-acl: private\r\n"
     "\r\n"},
    {"version 2 query",
     "GET /bucket/k%20ey?versionId=null&response-content-type=text%2Fx&marker=b&AWSAccessKe"
     "yId=AKIDEXAMPLE%2Fwith%2Fslash&Signature=OIylZhoHoX6veWVVEXZdPVL4JYs%3D&Expires=1795"
     "294102 HTTP/1.1\r\n"
     "Host: 127.0.0.1:9000\r\n"
     "\r\n"},
    {"version 2 query, session, md5",
     "PUT /bucket/key?AWSAccessKeyId=AKIDEXAMPLE&Signature=GNyxnD%2Fl%2B7sFuvE86hpGoxgcoso"
     "%3D&x-amz-acl=private&content-md5=abc%3D%3D&content-type=a%2Fb&x-amz-security-token="
     "tok%2Fen%2B%3D%3D&Expires=1795294102 HTTP/1.1\r\n"
     "Host: 127.0.0.1:9000\r\n"
     "\r\n"},
};

static void test_requests_of_botocore_are_right(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(by_botocore); i++) {
        print_message("%s\n", by_botocore[i].what);
        EXPECT_OK(check_at(f, by_botocore[i].request, BOTO_SECRET, BOTO_NOW + MINUTE / 2));
    }
}

static void test_what_a_request_claims_is_read(void **state)
{
    fixture *f = *state;
    request_signature s;

    EXPECT_OK(signature_read(exchange(f, by_botocore[0].request), BOTO_NOW, &s, &f->err));
    assert_int_equal(s.kind, SIGNATURE_V4_HEADER);
    EXPECT_STR(s.access_key, "AKIDEXAMPLE/with/slash");
    EXPECT_STR(s.date, "20261121");
    EXPECT_STR(s.region, "eu-central-9");
    EXPECT_STR(s.service, "s3");
    assert_int_equal(s.payload, PAYLOAD_DIGEST);
    assert_true(str_is_null(s.session_token) && s.signed_at_us == BOTO_NOW && s.expires_us == 0);
    EXPECT_OK(signature_read(exchange(f, by_botocore[3].request), BOTO_NOW, &s, &f->err));
    assert_int_equal(s.kind, SIGNATURE_V4_QUERY);
    EXPECT_STR(s.session_token, "tok/en+==");
    assert_int_equal(s.payload, PAYLOAD_UNSIGNED);
    assert_true(s.expires_us == BOTO_NOW + MINUTE);
    EXPECT_OK(signature_read(exchange(f, by_botocore[5].request), BOTO_NOW, &s, &f->err));
    assert_int_equal(s.kind, SIGNATURE_V2_QUERY);
    EXPECT_STR(s.session_token, "tok/en+==");
    EXPECT_OK(signature_read(
        exchange(f, "GET /?Expires=1&X-Amz-Security-Token=a HTTP/1.1\r\nHost: a\r\n\r\n"), 0, &s,
        &f->err));
    assert_int_equal(s.kind, SIGNATURE_NONE);
    assert_int_equal(s.payload, PAYLOAD_UNSIGNED);
    EXPECT_STATUS(DENIED,
                  signature_check(exchange(f, by_botocore[0].request), &s, STR(""), &f->err));
}

/* `text` with the first `from` replaced. */
static const char *with(fixture *f, const char *text, const char *from, const char *to)
{
    str whole = str_c(text);
    size_t at = str_find(whole, str_c(from));

    assert_true(at != STR_NPOS);
    return arena_printf(f->arena, "%.*s%s%s", (int)at, text, to, text + at + strlen(from));
}

/* A signed request, what of it is changed, and the answer. Cases below 6 are of botocore. */
static const struct {
    size_t request;
    const char *from, *to;
    const char *code;
} changes[] = {
    /* what was signed */
    {0, "GET", "HEAD", "SignatureDoesNotMatch"},
    {0, "/bucket/a%20b", "/bucket/a%20c", "SignatureDoesNotMatch"},
    {0, "%2B%C3", "+%C3", "SignatureDoesNotMatch"},
    {0, "prefix=a%20b", "prefix=a%2520b", "SignatureDoesNotMatch"},
    {0, "marker=%2B", "marker=+", "SignatureDoesNotMatch"},
    {0, "empty=", "empty=&more", "SignatureDoesNotMatch"},
    {0, "Host: 127.0.0.1:9000", "Host: 127.0.0.1:9001", "SignatureDoesNotMatch"},
    {0, "two   spaces", "two spacesx", "SignatureDoesNotMatch"},
    {0, "SHA256: e3", "SHA256: f3", "SignatureDoesNotMatch"},
    {0, "Signature=12", "Signature=13", "SignatureDoesNotMatch"},
    {0, "edfee\r\n", "edfe\r\n", "SignatureDoesNotMatch"},
    {0, "eu-central-9", "eu-central-8", "SignatureDoesNotMatch"},
    {2, "filename%3D", "filename%3D%3D", "SignatureDoesNotMatch"},
    {2, "Expires=604800", "Expires=604799", "SignatureDoesNotMatch"},
    {4, "/bucket/k", "/bucket/l", "SignatureDoesNotMatch"},
    {4, "versionId=null", "versionId=1", "SignatureDoesNotMatch"},
    {4, "Expires=1795294102", "Expires=1795294103", "SignatureDoesNotMatch"},
    {5, "acl=private", "acl=public-read", "SignatureDoesNotMatch"},
    /* what version 2 does not sign makes no other request of it */
    {4, "marker=b", "foo=bar", "AccessDenied"},
    {4, "marker=b", "retention", "AccessDenied"},
    {4, "marker=b", "legal-hold=", "AccessDenied"},
    {4, "marker=b", "acl", "SignatureDoesNotMatch"},
    {5, "content-type=a%2Fb", "content-type=a%2Fc", "SignatureDoesNotMatch"},
    /* headers that came on the way */
    {0, "Host:", "x-amz-acl: public-read\r\nHost:", "AccessDenied"},
    {2, "Host:", "x-amz-meta-a: b\r\nHost:", "AccessDenied"},
    {2, "Host:", "x-amz-content-sha256: " EMPTY "\r\nHost:", "AccessDenied"},
    {4, "Host:", "x-amz-acl: public-read\r\nHost:", "SignatureDoesNotMatch"},
    {5, "Host:", "x-amz-acl: public-read\r\nHost:", "AccessDenied"},
    /* the authorization header */
    {0, "Host:", "Authorization: AWS4-HMAC-SHA256 x\r\nHost:", "InvalidArgument"},
    {0, "empty=", "X-Amz-Signature=a", "InvalidArgument"},
    {0, "empty=", "AWSAccessKeyId=a", "InvalidArgument"},
    {2, "X-Amz-Algorithm=", "Signature=1&X-Amz-Algorithm=", "InvalidArgument"},
    {0, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512", "InvalidArgument"},
    {0, "AWS4-HMAC-SHA256", "Bearer", "InvalidArgument"},
    {0, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "NotImplemented"},
    {0, "AWS4-HMAC-SHA256 Credential", "AWS Credential", "InvalidRequest"},
    {0, "Credential=", "Credential:", "AuthorizationHeaderMalformed"},
    {0, "Credential=", "Credentials=", "AuthorizationHeaderMalformed"},
    {0, "/20261121/", "/20261120/", "AuthorizationHeaderMalformed"},
    {0, "/aws4_request", "/aws5_request", "AuthorizationHeaderMalformed"},
    {0, "/20261121/eu-central-9/s3/aws4_request", "/aws4_request", "AuthorizationHeaderMalformed"},
    {0, "AKIDEXAMPLE/with/slash", "", "AuthorizationHeaderMalformed"},
    {0, ", Signature=", ", Nothing=", "AuthorizationHeaderMalformed"},
    {0, ", Signature=", ", SignedHeaders=", "AuthorizationHeaderMalformed"},
    {0, "SignedHeaders=host;", "SignedHeaders=", "AuthorizationHeaderMalformed"},
    /* its date and payload */
    {0, "X-Amz-Date: 20261121T204722Z", "X-Amz-Date: 20261121T203021Z", "RequestTimeTooSkewed"},
    {0, "X-Amz-Date: 20261121T204722Z", "X-Amz-Date: 20261121T210325Z", "RequestTimeTooSkewed"},
    {0, "X-Amz-Date: 20261121T204722Z", "X-Amz-Date: yesterday", "AccessDenied"},
    {0, "X-Amz-Date: 20261121T204722Z", "X-Amz-Date: 20261321T204722Z", "AccessDenied"},
    {0, "X-Amz-Date: 20261121T204722Z\r\n", "", "AccessDenied"},
    {0, "X-Amz-Date: ", "X-Amz-Date: 20261121T204722Z\r\nX-Amz-Date: ", "InvalidArgument"},
    {0, "X-Amz-Content-SHA256: ", "X-Not: ", "InvalidRequest"},
    {0, "SHA256: e3b0", "SHA256: zzzz", "InvalidArgument"},
    {0, "SHA256: " EMPTY, "SHA256: STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "NotImplemented"},
    {0, "SHA256: " EMPTY, "SHA256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "SignatureDoesNotMatch"},
    {0, "SHA256: " EMPTY, "SHA256: UNSIGNED-PAYLOAD", "SignatureDoesNotMatch"},
    /* the query */
    {2, "&X-Amz-Expires=604800", "", "AuthorizationQueryParametersError"},
    {2, "&X-Amz-Date=20261121T204722Z", "", "AuthorizationQueryParametersError"},
    {2, "&X-Amz-Signature=", "&Y=", "AuthorizationQueryParametersError"},
    {2, "X-Amz-Algorithm=AWS4-HMAC-SHA256&", "", "AuthorizationQueryParametersError"},
    {2, "=AWS4-HMAC-SHA256", "=AWS4-HMAC-SHA1", "AuthorizationQueryParametersError"},
    {2, "=AWS4-HMAC-SHA256", "=AWS4-ECDSA-P256-SHA256", "NotImplemented"},
    {2, "SignedHeaders=host", "SignedHeaders=range", "AuthorizationQueryParametersError"},
    {2, "X-Amz-Expires=604800", "X-Amz-Expires=604800&x-amz-expires=604800",
     "AuthorizationQueryParametersError"},
    {2, "X-Amz-Expires=604800", "X-Amz-Expires=604801", "AccessDenied"},
    {2, "X-Amz-Expires=604800", "X-Amz-Expires=0", "AccessDenied"},
    {2, "X-Amz-Expires=604800", "X-Amz-Expires=-7", "AccessDenied"},
    {2, "X-Amz-Expires=604800", "X-Amz-Expires=12", "AccessDenied"},
    {2, "X-Amz-Date=20261121T204722Z", "X-Amz-Date=20261121T210325Z", "AccessDenied"},
    {4, "&Signature=", "&NoSignature=", "AccessDenied"},
    {4, "&Expires=1795294102", "", "AccessDenied"},
    {4, "&Expires=1795294102", "&Expires=1795294042", "AccessDenied"},
    {4, "&Expires=1795294102", "&Expires=soon", "AccessDenied"},
    {4,
     "Host:", "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nHost:", "AccessDenied"},
};

static void test_a_change_is_refused_with_its_code(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        const char *text =
            with(f, by_botocore[changes[i].request].request, changes[i].from, changes[i].to);
        error_clear(&f->err);
        status result = check_at(f, text, BOTO_SECRET, BOTO_NOW + MINUTE / 2);
        print_message("%zu: \"%s\" for \"%s\": %s\n", i, changes[i].to, changes[i].from,
                      f->err.message);
        assert_int_not_equal(result, STATUS_OK);
        assert_int_equal(result, f->err.kind);
        assert_string_equal(error_s3_code(&f->err), changes[i].code);
    }
}

static void test_only_a_request_without_claims_is_anonymous(void **state)
{
    static const struct {
        const char *query, *header, *code; /* NULL: anonymous */
    } cases[] = {
        {"", "", NULL},
        {"?acl", "", NULL},
        {"?X-Amz-Credential=a", "", "AuthorizationQueryParametersError"},
        {"?x-amz-signature=a", "", "AuthorizationQueryParametersError"},
        {"?AWSAccessKeyId=a", "", "AccessDenied"},
        {"?Signature=a", "", "AccessDenied"},
        {"", "Authorization:\r\n", "InvalidArgument"},
        {"", "Authorization: Basic eDp5\r\n", "InvalidArgument"},
        {"", "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n", "AccessDenied"},
        {"", "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\r\n",
         "AccessDenied"},
        {"", "x-amz-content-sha256: nonsense\r\n", "InvalidArgument"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        request_signature s;
        const char *text = arena_printf(f->arena, "PUT /b/k%s HTTP/1.1\r\nHost: a\r\n%s\r\n",
                                        cases[i].query, cases[i].header);
        error_clear(&f->err);
        status result = signature_read(exchange(f, text), 0, &s, &f->err);
        if (cases[i].code == NULL) {
            assert_int_equal(result, STATUS_OK);
            assert_int_equal(s.kind, SIGNATURE_NONE);
        } else {
            assert_int_not_equal(result, STATUS_OK);
            assert_string_equal(error_s3_code(&f->err), cases[i].code);
        }
    }
}

static void test_the_older_date_header_will_do(void **state)
{
    fixture *f = *state;
    signing_key key = {
        .access_key = STR(KEY), .secret = STR(SECRET), .region = STR("r"), .service = STR("sts")};
    http_header date = {.name = STR("Date"), .value = STR("Fri, 24 May 2013 00:00:00 GMT")};
    http_header made[4];
    size_t count = 0;

    EXPECT_OK(signature_make(&key, "GET", STR("h"), STR("/"), &date, 1, STR(EMPTY), DAY, f->arena,
                             made, &count, &f->err));
    /* the request is signed with x-amz-date; one that has Date alone is read by it */
    const char *text = arena_printf(
        f->arena,
        "GET / HTTP/1.1\r\nHost: h\r\nDate: Fri, 24 May 2013 00:00:00 GMT\r\n%s: %s\r\n\r\n",
        made[0].name.data, made[0].value.data);
    request_signature s;
    EXPECT_OK(signature_read(exchange(f, text), DAY, &s, &f->err));
    assert_true(s.signed_at_us == DAY);
    assert_true(str_is_null(s.payload_text)); /* not needed but by s3 */
}

static void test_what_is_made_is_accepted(void **state)
{
    static const char *const targets[] = {"/",
                                          "/b/k",
                                          "/b/a%20b%2Fc",
                                          "/b?list-type=2&prefix=%2B%20&delimiter=",
                                          "/b?acl",
                                          "/b/k?b=2&a=1&a-b=3&a=0"};
    fixture *f = *state;
    signing_key key = {.access_key = STR("me"),
                       .secret = STR("s3cret"),
                       .session_token = STR("token"),
                       .region = STR("moon"),
                       .service = STR("s3")};
    http_header own[] = {{STR_INIT("X-Amz-Meta-B"), STR_INIT("two  words")},
                         {STR_INIT("content-type"), STR_INIT("a/b")}};

    for (size_t i = 0; i < 2 * COUNT_OF(targets); i++) {
        buf *text = buf_in(f->arena, 65536);
        http_header made[4];
        size_t count = 0;

        key.session_token = i % 2 == 0 ? STR("token") : STR_NULL;
        EXPECT_OK(signature_make(&key, "PUT", STR("host:1"), str_c(targets[i / 2]), own, 2,
                                 STR("UNSIGNED-PAYLOAD"), DAY, f->arena, made, &count, &f->err));
        assert_int_equal(count, i % 2 == 0 ? 4 : 3);
        buf_printf(
            text,
            "PUT %s HTTP/1.1\r\nHost: host:1\r\nX-Amz-Meta-B: two words\r\nContent-Type: a/b\r\n",
            targets[i / 2]);
        for (size_t h = 0; h < count; h++) {
            buf_printf(text, "%.*s: %.*s\r\n", STR_ARG(made[h].name), STR_ARG(made[h].value));
        }
        buf_add_c(text, "\r\n");
        EXPECT_OK(check_at(f, text->data, "s3cret", DAY + 14 * MINUTE));
        EXPECT_STATUS(DENIED,
                      check_at(f, with(f, text->data, "two words", "two wards"), "s3cret", DAY));

        str query = STR_NULL;
        EXPECT_OK(signature_presign(&key, "GET", STR("host:1"), str_c(targets[i / 2]), 600, DAY,
                                    f->arena, &query, &f->err));
        const char *url =
            arena_printf(f->arena, "GET %s%c%.*s HTTP/1.1\r\nHost: host:1\r\n\r\n", targets[i / 2],
                         strchr(targets[i / 2], '?') != NULL ? '&' : '?', STR_ARG(query));
        EXPECT_OK(check_at(f, url, "s3cret", DAY + 9 * MINUTE));
        EXPECT_STATUS(DENIED, check_at(f, url, "s3cret", DAY + 10 * MINUTE));
        EXPECT_MESSAGE(f, "Request has expired");
    }
    http_header made[4];
    size_t count = 0;
    str query = STR_NULL;
    own[1].name = STR("x-amz-meta-b");
    EXPECT_STATUS(INVALID, signature_make(&key, "PUT", STR("h"), STR("/"), own, 2, STR("x"), DAY,
                                          f->arena, made, &count, &f->err));
    EXPECT_STATUS(INVALID, signature_presign(&key, "GET", STR("h"), STR("/"), 604801, DAY, f->arena,
                                             &query, &f->err));
}

static void test_a_virtual_host_stands_in_version_2(void **state)
{
    fixture *f = *state;
    http_exchange *x = exchange(f, with(f, by_botocore[4].request, "/bucket/", "/"));
    request_signature s;

    EXPECT_OK(signature_read(x, BOTO_NOW, &s, &f->err));
    EXPECT_STATUS(DENIED, signature_check(x, &s, STR(BOTO_SECRET), &f->err));
    s.host_bucket = STR("bucket");
    EXPECT_OK(signature_check(x, &s, STR(BOTO_SECRET), &f->err));
}

static void test_forms_are_checked_by_their_policy(void **state)
{
    fixture *f = *state;
    str policy = base64_encode(
        f->arena,
        STR("{\"expiration\": \"2026-11-21T21:47:22Z\", \"conditions\": [{\"bucket\": \"b\"}]}"));

    (void)state;
    assert_true(signature_form_matches_v4(
        STR(BOTO_SECRET), STR("20261121"), STR("eu-central-9"), STR("s3"), policy,
        STR("43245bf1cf8a51591b592c9cf021ea2fb7cc855adbf187194260afd168725cac")));
    assert_false(signature_form_matches_v4(
        STR(BOTO_SECRET), STR("20261122"), STR("eu-central-9"), STR("s3"), policy,
        STR("43245bf1cf8a51591b592c9cf021ea2fb7cc855adbf187194260afd168725cac")));
    assert_true(
        signature_form_matches_v2(STR(BOTO_SECRET), policy, STR("AMgxb6nGgvNyBWGAiBpDzZo7USg=")));
    assert_false(signature_form_matches_v2(STR("x"), policy, STR("AMgxb6nGgvNyBWGAiBpDzZo7USg=")));
    assert_false(signature_form_matches_v2(STR("x"), policy, STR("")));
}

TESTS(test_documented_requests_are_right, test_requests_of_botocore_are_right,
      test_what_a_request_claims_is_read, test_a_change_is_refused_with_its_code,
      test_only_a_request_without_claims_is_anonymous, test_the_older_date_header_will_do,
      test_what_is_made_is_accepted, test_a_virtual_host_stands_in_version_2,
      test_forms_are_checked_by_their_policy)

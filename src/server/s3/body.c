/* Bodies of requests, and what clients claim of their bytes: Content-MD5 and the checksums of S3, in a header or behind
 * the bytes. */
#include <stdatomic.h>

#include "s3/s3.h"
#include "tarn/codec/checksum.h"

static const struct {
    const char *algorithm, *header, *element;
    size_t size; /* bytes of the value, decoded */
} kinds[CHECKSUM_KIND_COUNT] = {
    [CHECKSUM_CRC32] = {"CRC32", "x-amz-checksum-crc32", "ChecksumCRC32", 4},
    [CHECKSUM_CRC32C] = {"CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C", 4},
    [CHECKSUM_CRC64NVME] = {"CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME", 8},
    [CHECKSUM_SHA1] = {"SHA1", "x-amz-checksum-sha1", "ChecksumSHA1", 20},
    [CHECKSUM_SHA256] = {"SHA256", "x-amz-checksum-sha256", "ChecksumSHA256", 32},
};

/* Of the S3 API, and not computed here. */
static const char *const unknown_headers[] = {"x-amz-checksum-md5", "x-amz-checksum-sha512",
                                              "x-amz-checksum-xxhash3", "x-amz-checksum-xxhash64",
                                              "x-amz-checksum-xxhash128"};

const char *s3_checksum_header(object_checksum_kind kind)
{
    return kinds[kind].header;
}

const char *s3_checksum_element(object_checksum_kind kind)
{
    return kinds[kind].element;
}

const char *s3_checksum_algorithm(object_checksum_kind kind)
{
    return kinds[kind].algorithm;
}

object_checksum_kind s3_checksum_kind(str algorithm)
{
    for (int i = CHECKSUM_NONE + 1; i < CHECKSUM_KIND_COUNT; i++) {
        if (str_equal_nocase(algorithm, str_c(kinds[i].algorithm))) {
            return (object_checksum_kind)i;
        }
    }
    return CHECKSUM_NONE;
}

static size_t decoded_size(str base64)
{
    size_t size = base64.size / 4 * 3;

    for (size_t i = base64.size; i > 0 && base64.data[i - 1] == '=' && size > 0; i--) {
        size--;
    }
    return base64.size % 4 == 0 ? size : 0;
}

bool s3_checksum_is_valid(object_checksum_kind kind, str base64)
{
    return decoded_size(base64) == kinds[kind].size;
}

/* Whether it could be base64 at all; what could and is of another size is another digest. */
static bool looks_like_base64(str text)
{
    for (size_t i = 0; i < text.size; i++) {
        char ch = text.data[i];
        if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') ||
              ch == '+' || ch == '/' || ch == '=')) {
            return false;
        }
    }
    return text.size > 0;
}

/* ---- what is claimed ---- */

static status read_md5(s3_call *c, s3_claims *claims, error *err)
{
    str text = s3_header(c, "content-md5");
    str bytes;

    if (str_is_null(text)) {
        return STATUS_OK;
    }
    if (base64_decode(c->a, text, &bytes, NULL) != STATUS_OK || bytes.size != sizeof(claims->md5)) {
        return s3_fail(err, "InvalidDigest", "Content-MD5 is not the base64 of 16 bytes");
    }
    memcpy(claims->md5, bytes.data, sizeof(claims->md5));
    claims->has_md5 = true;
    return STATUS_OK;
}

static status read_values(s3_call *c, s3_claims *claims, error *err)
{
    int found = 0;

    for (int i = CHECKSUM_NONE + 1; i < CHECKSUM_KIND_COUNT; i++) {
        str value = s3_header(c, kinds[i].header);
        if (str_is_null(value)) {
            continue;
        }
        if (!c->body_is_list && !looks_like_base64(value)) {
            return s3_fail(err, "InvalidRequest", "Value for %s header is invalid.",
                           kinds[i].header);
        }
        claims->kind = (object_checksum_kind)i;
        claims->value = value;
        found++;
    }
    if (found > 1) {
        return s3_fail(err, "InvalidRequest",
                       "Expecting a single x-amz-checksum- header. Multiple checksum Types are not "
                       "allowed.");
    }
    for (size_t i = 0; i < COUNT_OF(unknown_headers); i++) {
        if (!str_is_null(s3_header(c, unknown_headers[i]))) {
            return s3_fail(err, "NotImplemented", "%s is not computed here", unknown_headers[i]);
        }
    }
    return STATUS_OK;
}

static status read_trailer(s3_call *c, s3_claims *claims, error *err)
{
    str rest = s3_header(c, "x-amz-trailer");

    while (!str_is_null(rest)) {
        str name = str_trim(str_cut(rest, ',', &rest));
        if (!str_starts_with_nocase(name, STR("x-amz-checksum-"))) {
            continue;
        }
        object_checksum_kind kind = s3_checksum_kind(str_slice(name, 15, name.size));
        if (kind == CHECKSUM_NONE) {
            return s3_fail(err, "InvalidRequest",
                           "The value specified in the x-amz-trailer header is not supported");
        }
        if (!str_is_null(claims->value)) {
            return s3_fail(
                err, "InvalidRequest",
                "Expecting a single x-amz-checksum- header: one is a header, one a trailer");
        }
        claims->kind = kind;
        claims->in_trailer = true;
    }
    return STATUS_OK;
}

status s3_claims_read(s3_call *c, s3_claims *ret_claims, error *err)
{
    s3_claims claims = {.value = STR_NULL};
    str named = s3_header(c, "x-amz-sdk-checksum-algorithm");

    TRY(read_md5(c, &claims, err));
    TRY(read_values(c, &claims, err));
    TRY(read_trailer(c, &claims, err));
    if (named.size > 0) {
        object_checksum_kind kind = s3_checksum_kind(named);
        if (kind == CHECKSUM_NONE) {
            return s3_fail(err, "InvalidRequest",
                           "Checksum algorithm provided is unsupported. Please try again with any "
                           "of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
        }
        if (claims.kind != CHECKSUM_NONE && claims.kind != kind) {
            return s3_fail(err, "InvalidRequest",
                           "Value for x-amz-sdk-checksum-algorithm header is invalid.");
        }
        claims.kind = kind;
    }
    *ret_claims = claims;
    return STATUS_OK;
}

status s3_claims_check(const s3_claims *claims, const aws_body *body, const object_digests *got,
                       error *err)
{
    str value = claims->value;

    if (claims->has_md5 && !bytes_equal_constant_time(claims->md5, got->md5, sizeof(claims->md5))) {
        return s3_fail(err, "BadDigest",
                       "The Content-MD5 you specified did not match what we received.");
    }
    if (claims->in_trailer) {
        value = aws_body_trailer(body, kinds[claims->kind].header);
        if (str_is_null(value) || !s3_checksum_is_valid(claims->kind, value)) {
            return s3_fail(err, "InvalidRequest", "Value for %s trailing header is invalid.",
                           kinds[claims->kind].header);
        }
    }
    if (!str_is_null(value) && !str_equal(value, got->checksum.value)) {
        return s3_fail(err, "BadDigest",
                       "The %s you specified did not match the calculated checksum.",
                       kinds[claims->kind].algorithm);
    }
    return STATUS_OK;
}

/* ---- documents ---- */

static str be_base64(arena *a, uint64_t value, size_t size)
{
    char bytes[8];

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(value >> (8 * (size - 1 - i)));
    }
    return base64_encode(a, str_from(bytes, size));
}

static str checksum_of(arena *a, object_checksum_kind kind, str bytes)
{
    uint8_t out[DIGEST_SIZE_MAX];

    switch (kind) {
    case CHECKSUM_CRC32:
        return be_base64(a, checksum_crc32(0, bytes.data, bytes.size), 4);
    case CHECKSUM_CRC32C:
        return be_base64(a, checksum_crc32c(0, bytes.data, bytes.size), 4);
    case CHECKSUM_CRC64NVME:
        return be_base64(a, checksum_crc64nvme(0, bytes.data, bytes.size), 8);
    case CHECKSUM_SHA1:
        digest(DIGEST_SHA1, bytes, out);
        return base64_encode(a, str_from((const char *)out, digest_size(DIGEST_SHA1)));
    case CHECKSUM_SHA256:
        digest(DIGEST_SHA256, bytes, out);
        return base64_encode(a, str_from((const char *)out, digest_size(DIGEST_SHA256)));
    case CHECKSUM_NONE:
    case CHECKSUM_KIND_COUNT:
        break;
    }
    return STR_NULL;
}

/* A quarter of the threads that handlers have. */
#define UNPROVEN_MAX 32
#define UNPROVEN_MS 3000

status s3_unproven_begin(s3_call *c, error *err)
{
    if (atomic_fetch_add(&c->app->s3_unproven, 1) >= UNPROVEN_MAX) {
        atomic_fetch_sub(&c->app->s3_unproven, 1);
        return s3_fail(err, "SlowDown", "too many forms are on their way at once");
    }
    http_body_set_deadline(c->x, UNPROVEN_MS);
    return STATUS_OK;
}

void s3_unproven_end(s3_call *c)
{
    http_body_set_deadline(c->x, 0);
    atomic_fetch_sub(&c->app->s3_unproven, 1);
}

status s3_read_body(s3_call *c, size_t max_bytes, str *ret_bytes, error *err)
{
    s3_claims claims;
    aws_body *body = NULL;
    object_digests got = {.checksum.value = STR_NULL};
    str bytes;

    TRY(s3_claims_read(c, &claims, err));
    if (c->body_is_list) {
        claims.kind = CHECKSUM_NONE;
        claims.value = STR_NULL;
    }
    TRY(aws_body_open(c->x, &c->signature, c->who.secret, &body, err));
    status result = aws_body_read_all(body, max_bytes, &bytes, err);
    if (result == STATUS_TOO_LARGE) {
        return s3_fail(err, "MaxMessageLengthExceeded", "the body has more than %zu bytes",
                       max_bytes);
    }
    TRY(result);
    uint8_t md5[DIGEST_SIZE_MAX];
    digest(DIGEST_MD5, bytes, md5);
    memcpy(got.md5, md5, sizeof(got.md5));
    got.checksum =
        (object_checksum){.kind = claims.kind, .value = checksum_of(c->a, claims.kind, bytes)};
    TRY(s3_claims_check(&claims, body, &got, err));
    c->has_digest = claims.has_md5 || claims.in_trailer || !str_is_null(claims.value);
    *ret_bytes = bytes;
    return STATUS_OK;
}

status s3_read_xml(s3_call *c, const char *root, const xml_element **ret_root, error *err)
{
    str text;
    const xml_element *found = NULL;
    error wrong = ERROR_INIT;

    TRY(s3_read_body(c, S3_XML_BYTES_MAX, &text, err));
    if (text.size == 0) {
        return s3_fail(err, c->body_is_list ? "MalformedXML" : "MissingRequestBodyError",
                       "the body is empty");
    }
    if (xml_parse(text, c->a, &found, &wrong) != STATUS_OK) {
        return s3_fail(err, "MalformedXML",
                       "The XML you provided was not well-formed or did not validate against our "
                       "published schema: %s",
                       wrong.message);
    }
    if (!str_equal(found->name, str_c(root))) {
        return s3_fail(err, "MalformedXML", "The XML you provided is %.*s, not %s",
                       STR_ARG(found->name), root);
    }
    TRY(s3_check_elements(found, err));
    *ret_root = found;
    return STATUS_OK;
}

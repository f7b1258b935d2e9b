/* Bucket and key out of target and Host. The path is split while it is raw and each part is decoded once, so that what
 * is authorised and what is stored are the same bytes; ".." is two dots. */
#include "s3/address.h"

#include "tarn/net/uri.h"

static str host_name(const s3_call *c)
{
    str host = s3_header(c, "host");
    size_t colon = str_find_last_char(host, ':');
    size_t bracket = str_find_last_char(host, ']');

    if (colon == STR_NPOS || (bracket != STR_NPOS && bracket > colon)) {
        return host;
    }
    return str_slice(host, 0, colon);
}

/* "bucket.localhost" -> "bucket"; STR_NULL where the bucket is in the path. */
static str bucket_of_host(const s3_call *c)
{
    const setting_value *domains = &c->app->settings->values[SETTING_S3_DOMAIN];
    str host = host_name(c);

    for (size_t i = 0; i < domains->list_count; i++) {
        str domain = domains->list[i];

        if (host.size > domain.size + 1 &&
            str_equal_nocase(str_slice(host, host.size - domain.size, host.size), domain) &&
            host.data[host.size - domain.size - 1] == '.') {
            return str_lower(c->a, str_slice(host, 0, host.size - domain.size - 1));
        }
    }
    return STR_NULL;
}

static status decode(s3_call *c, str raw, str *ret_text, error *err)
{
    if (uri_decode(c->a, raw, ret_text, NULL) != STATUS_OK || !str_is_utf8(*ret_text) ||
        str_find_char(*ret_text, '\0') != STR_NPOS) {
        return s3_fail(err, "InvalidURI", "the path of the request is no text in UTF-8");
    }
    return STATUS_OK;
}

status s3_address_read(s3_call *c, error *err)
{
    str path = http_request_path(c->x);
    str bucket = bucket_of_host(c);
    str key = STR("");

    if (str_starts_with(path, STR("/"))) {
        path = str_slice(path, 1, path.size);
    }
    if (str_is_null(bucket)) {
        bucket = str_cut(path, '/', &key);
        key = str_is_null(key) ? STR("") : key;
        TRY(decode(c, bucket, &c->bucket, err));
    } else {
        c->bucket = bucket;
        c->host_bucket = bucket;
        key = path;
    }
    TRY(decode(c, key, &c->key, err));
    c->level = c->bucket.size == 0 ? S3_SERVICE : c->key.size == 0 ? S3_BUCKET : S3_OBJECT;
    if (c->key.size > S3_KEY_BYTES_MAX) {
        return s3_fail(err, "KeyTooLongError", "the key has %zu bytes, more than %d", c->key.size,
                       S3_KEY_BYTES_MAX);
    }
    c->version = s3_param(c, "versionId");
    if (c->version.size == 0 && !str_is_null(c->version)) {
        return s3_fail(err, "InvalidArgument", "version id cannot be the empty string");
    }
    return STATUS_OK;
}

static bool is_letter_or_digit(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9');
}

static bool looks_like_address(str name)
{
    size_t dots = 0;

    for (size_t i = 0; i < name.size; i++) {
        dots += name.data[i] == '.';
        if (name.data[i] != '.' && (name.data[i] < '0' || name.data[i] > '9')) {
            return false;
        }
    }
    return dots == 3;
}

/* Names that AWS keeps for itself, so that what is written for both finds none here either. */
static bool is_reserved(str name)
{
    static const char *const prefixes[] = {"xn--", "sthree-", "amzn-s3-demo-"};
    static const char *const suffixes[] = {"-s3alias", "--ol-s3", ".mrap", "--x-s3"};

    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (str_starts_with(name, str_c(prefixes[i]))) {
            return true;
        }
    }
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        if (str_ends_with(name, str_c(suffixes[i]))) {
            return true;
        }
    }
    return false;
}

status s3_check_bucket_name(str name, error *err)
{
    bool fine = name.size >= 3 && name.size <= 63 && !is_reserved(name) &&
                is_letter_or_digit(name.data[0]) && is_letter_or_digit(name.data[name.size - 1]) &&
                !looks_like_address(name);

    for (size_t i = 0; fine && i < name.size; i++) {
        char ch = name.data[i];
        char next = i + 1 < name.size ? name.data[i + 1] : 'a';

        fine = is_letter_or_digit(ch) || ch == '-' || ch == '.';
        if (ch == '.' || (ch == '-' && next == '.')) {
            fine = fine && is_letter_or_digit(next);
        }
    }
    if (!fine) {
        return s3_fail(err, "InvalidBucketName", "\"%.*s\" is no name for a bucket", STR_ARG(name));
    }
    return STATUS_OK;
}

/* Locations: which store they belong to, and what they are made of. */
#include "internal.h"

#define BUCKET_SIZE_MIN 3
#define BUCKET_SIZE_MAX 63
#define KEY_SIZE_MAX 1024

bool store_is_local(str location)
{
    return str_starts_with(location, STR("file:")) || str_starts_with(location, STR("/"));
}

const store_ops *store__ops_for(const storage *st, str location, error *err)
{
    if (store_is_local(location)) {
        return &store__local;
    }
    if (str_starts_with(location, STR("s3://"))) {
        if (st->state != NULL) {
            return &store__builtin;
        }
        (void)error_set(err, STATUS_INVALID,
                        "location \"%.*s\" needs a data directory; only local folders are open",
                        STR_ARG(location));
        return NULL;
    }
    (void)error_set(err, STATUS_INVALID, "location \"%.*s\" has a scheme that is not known",
                    STR_ARG(location));
    str behind = str_slice(location, sizeof("s3a://") - 1, location.size);
    if (str_starts_with(location, STR("s3a://")) || str_starts_with(location, STR("s3n://"))) {
        error_hint(err, "It is called \"s3://%.*s\" here.", STR_ARG(behind));
    } else {
        error_hint(err, "Locations start with s3:// or file://.");
    }
    return NULL;
}

static bool is_bucket_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static bool is_bucket_name(str name)
{
    if (name.size < BUCKET_SIZE_MIN || name.size > BUCKET_SIZE_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        if (!is_bucket_char(name.data[i])) {
            return false;
        }
    }
    return true;
}

status store__split_s3(str location, bool key_needed, str *ret_bucket, str *ret_key, error *err)
{
    str rest = str_slice(location, sizeof("s3://") - 1, location.size);
    str key;
    str bucket = str_cut(rest, '/', &key);

    if (!is_bucket_name(bucket)) {
        return error_set(err, STATUS_INVALID, "location \"%.*s\" does not name a bucket",
                         STR_ARG(location));
    }
    if (key_needed && str_is_empty(key)) {
        return error_set(err, STATUS_INVALID, "location \"%.*s\" has no key after the bucket",
                         STR_ARG(location));
    }
    if (key.size > KEY_SIZE_MAX || !str_is_utf8(key) || str_find_char(key, '\0') != STR_NPOS) {
        return error_set(err, STATUS_INVALID,
                         "the key of location \"%.*s\" is not UTF-8 of at most %d bytes",
                         STR_ARG(str_slice(location, 0, 256)), KEY_SIZE_MAX);
    }
    *ret_bucket = bucket;
    *ret_key = str_is_null(key) ? STR("") : key;
    return STATUS_OK;
}

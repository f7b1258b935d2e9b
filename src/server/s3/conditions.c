/* Conditional requests (RFC 9110 §13 and S3's own). */
#include "s3/s3.h"

typedef struct names {
    const char *match, *none_match, *modified_since, *unmodified_since;
} names;

static const names of_object = {"if-match", "if-none-match", "if-modified-since",
                                "if-unmodified-since"};
static const names of_copy_source = {
    "x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-modified-since", "x-amz-copy-source-if-unmodified-since"};

static bool list_has(str list, str etag)
{
    str rest = list;

    while (!str_is_null(rest)) {
        str one = str_trim(str_cut(rest, ',', &rest));
        if (str_equal(one, STR("*")) || str_equal(s3_unquoted(one), etag)) {
            return true;
        }
    }
    return false;
}

/* Dates have seconds; a date that is none is not looked at. */
static bool modified_since(str date, int64_t modified_us, bool *ret_modified)
{
    int64_t since_us = 0;

    if (str_is_null(date) || s3_parse_date(date, &since_us, NULL) != STATUS_OK) {
        return false;
    }
    *ret_modified = modified_us / 1000000 > since_us / 1000000;
    return true;
}

status s3_conditions_read(s3_call *c, bool of_source, const object_info *info, bool *ret_unchanged,
                          error *err)
{
    const names *n = of_source ? &of_copy_source : &of_object;
    str match = s3_header(c, n->match);
    str none_match = s3_header(c, n->none_match);
    bool modified = false;

    *ret_unchanged = false;
    if (!str_is_null(match)) {
        if (!list_has(match, info->etag)) {
            return s3_fail(err, "PreconditionFailed", "the ETag is another one");
        }
    } else if (modified_since(s3_header(c, n->unmodified_since), info->modified_us, &modified) &&
               modified) {
        return s3_fail(err, "PreconditionFailed", "the object was modified since");
    }
    if (!str_is_null(none_match)) {
        *ret_unchanged = list_has(none_match, info->etag);
    } else if (modified_since(s3_header(c, n->modified_since), info->modified_us, &modified)) {
        *ret_unchanged = !modified;
    }
    if (*ret_unchanged && of_source) {
        return s3_fail(err, "PreconditionFailed", "the source of the copy is the one not wanted");
    }
    return STATUS_OK;
}

static status no_list(str value, const char *name, error *err)
{
    if (str_find_char(value, ',') != STR_NPOS) {
        return s3_fail(err, "NotImplemented", "%s takes one ETag here", name);
    }
    return STATUS_OK;
}

static str bare_or_null(str value)
{
    return str_is_null(value) ? STR_NULL : s3_unquoted(value);
}

status s3_conditions_write(s3_call *c, object_conditions *ret_conditions, error *err)
{
    object_conditions conditions = OBJECT_CONDITIONS_NONE;
    str match = s3_header(c, "if-match");
    str none_match = s3_header(c, "if-none-match");
    str modified = s3_header(c, "x-amz-if-match-last-modified-time");
    str size = s3_header(c, "x-amz-if-match-size");

    TRY(no_list(match, "If-Match", err));
    TRY(no_list(none_match, "If-None-Match", err));
    conditions.if_match = bare_or_null(match);
    conditions.if_none_match = bare_or_null(none_match);
    if (!str_is_null(modified) &&
        s3_parse_date(modified, &conditions.if_modified_us, NULL) != STATUS_OK) {
        return s3_fail(err, "InvalidArgument", "x-amz-if-match-last-modified-time is no date");
    }
    if (!str_is_null(size) && (str_to_int64(size, &conditions.if_size_bytes, NULL) != STATUS_OK ||
                               conditions.if_size_bytes < 0)) {
        return s3_fail(err, "InvalidArgument", "x-amz-if-match-size is no size");
    }
    *ret_conditions = conditions;
    return STATUS_OK;
}

/* The table of S3's errors: found by code, and set. */
#include "s3/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const s3_error_info infos[] = {
#define X(name, http, text) {.code = (name), .http_status = (http), .message = (text)},
    S3_ERROR_TABLE(X)
#undef X
};

static const s3_error_info *find(const char *code)
{
    for (size_t i = 0; i < COUNT_OF(infos); i++) {
        if (strcmp(infos[i].code, code) == 0) {
            return &infos[i];
        }
    }
    return NULL;
}

const s3_error_info *s3_error_describe(const char *code)
{
    const s3_error_info *info = find(code);
    return info != NULL ? info : find("InternalError");
}

static status kind_of(int http_status)
{
    switch (http_status) {
    case 403:
        return STATUS_DENIED;
    case 404:
        return STATUS_NOT_FOUND;
    case 405:
        return STATUS_METHOD;
    case 409:
        return STATUS_CONFLICT;
    case 412:
        return STATUS_PRECONDITION;
    case 416:
        return STATUS_RANGE;
    case 500:
        return STATUS_INTERNAL;
    case 501:
        return STATUS_UNSUPPORTED;
    case 503:
        return STATUS_UNAVAILABLE;
    default:
        return STATUS_INVALID;
    }
}

status s3_fail(error *err, const char *code, const char *format, ...)
{
    const s3_error_info *info = s3_error_describe(code);
    char text[sizeof(((error *)NULL)->message)];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    status result = error_set(err, kind_of(info->http_status), "%s", text);
    error_set_s3_code(err, info->code);
    return result;
}

const s3_error_info *s3_error_of(const error *err)
{
    return s3_error_describe(error_s3_code(err));
}

/* The status table as data, and the writing of errors.
 *
 * Every text is formatted beside the error first: callers may pass parts of the error itself as
 * arguments. Text that does not fit is cut between characters, never inside one. */
#include "tarn/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const status_info infos[] = {
#define X(kind, code_text, http, exit_number, state, iceberg, s3, again) \
    {.name = #kind,                                                      \
     .code = code_text,                                                  \
     .http_status = http,                                                \
     .exit_code = exit_number,                                           \
     .sqlstate = state,                                                  \
     .iceberg_type = iceberg,                                            \
     .s3_code = s3,                                                      \
     .retryable = again},
    STATUS_TABLE(X)
#undef X
};

_Static_assert(COUNT_OF(infos) == STATUS_COUNT, "one row a status");

/* System errors that mean the same whatever was being done. */
static const struct {
    int errnum;
    status kind;
} errnum_kinds[] = {
    {ENOSPC, STATUS_NO_SPACE},
    {EDQUOT, STATUS_NO_SPACE},
    {EMFILE, STATUS_BUSY},
    {ENFILE, STATUS_BUSY},
};

const status_info *status_describe(status kind)
{
    size_t row = (size_t)kind;

    return &infos[row < STATUS_COUNT ? row : STATUS_INTERNAL];
}

status status_from_code(const char *code, size_t size)
{
    for (size_t i = 0; i < COUNT_OF(infos); i++) {
        if (strlen(infos[i].code) == size && memcmp(infos[i].code, code, size) == 0) {
            return (status)i;
        }
    }
    return STATUS_INTERNAL;
}

void error_clear(error *err)
{
    err->kind = STATUS_OK;
    err->position = ERROR_NO_POSITION;
    err->sqlstate[0] = '\0';
    err->s3_code = NULL;
    err->message[0] = '\0';
    err->hint[0] = '\0';
    err->detail[0] = '\0';
}

/* Copies what fits into `target`, which has `room` bytes. */
static void put_text(char *target, size_t room, const char *text)
{
    size_t size = strlen(text);

    if (size >= room) {
        size = base__utf8_cut(text, room - 1);
    }
    memcpy(target, text, size);
    target[size] = '\0';
}

status error_set(error *err, status kind, const char *format, ...)
{
    char text[sizeof(err->message) + 4];
    va_list args;

    if (err == NULL) {
        return kind;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    error_clear(err);
    err->kind = kind;
    put_text(err->message, sizeof(err->message), text);
    return kind;
}

status error_errno(error *err, status kind, int errnum, const char *format, ...)
{
    char text[sizeof(err->message)];
    char space[128];
    va_list args;

    for (size_t i = 0; i < COUNT_OF(errnum_kinds); i++) {
        if (errnum_kinds[i].errnum == errnum) {
            kind = errnum_kinds[i].kind;
        }
    }
    if (err == NULL) {
        return kind;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return error_set(err, kind, "%s: %s", text, strerror_r(errnum, space, sizeof(space)));
}

void error_context(error *err, const char *format, ...)
{
    char context[sizeof(err->message)];
    char text[2 * sizeof(err->message)];
    va_list args;

    if (err == NULL) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    (void)snprintf(text, sizeof(text), "%s: %s", context, err->message);
    put_text(err->message, sizeof(err->message), text);
}

void error_hint(error *err, const char *format, ...)
{
    char text[sizeof(err->hint) + 4];
    va_list args;

    if (err == NULL) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put_text(err->hint, sizeof(err->hint), text);
}

void error_detail(error *err, const char *format, ...)
{
    char text[sizeof(err->detail) + 4];
    va_list args;

    if (err == NULL) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put_text(err->detail, sizeof(err->detail), text);
}

void assert_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "tarn: broken invariant: %s (%s:%d)\n", condition, file, line);
    (void)fflush(stderr);
    abort();
}

void error_set_sqlstate(error *err, const char *sqlstate)
{
    if (err != NULL) {
        put_text(err->sqlstate, sizeof(err->sqlstate), sqlstate);
    }
}

const char *error_sqlstate(const error *err)
{
    return err->sqlstate[0] != '\0' ? err->sqlstate : status_describe(err->kind)->sqlstate;
}

void error_set_s3_code(error *err, const char *code)
{
    if (err != NULL) {
        err->s3_code = code;
    }
}

const char *error_s3_code(const error *err)
{
    return err->s3_code != NULL ? err->s3_code : status_describe(err->kind)->s3_code;
}

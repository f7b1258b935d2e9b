/* error.h: the one error channel.
 *
 * A function that can fail returns a status and, where the caller passes one, fills an error.
 * The table below is the only place where a kind of failure gets its name and its meaning in
 * every protocol: nothing else in tarn maps failures to numbers.
 *
 * Errors travel up by TRY, gain context on the way, and are logged once, at the boundary
 * (a request, a run, a command). */
#ifndef TARN_BASE_ERROR_H
#define TARN_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

/* clang-format off */
/*  status            code in JSON            http exit sqlstate  iceberg type                       s3 code                  retry */
#define STATUS_TABLE(X)                                                                                                          \
    X(OK,             "ok",                    200, 0, "00000", "",                                 "",                       0) \
    X(INVALID,        "invalid",               400, 1, "22023", "BadRequestException",              "InvalidArgument",        0) \
    X(SYNTAX,         "syntax_error",          400, 1, "42601", "BadRequestException",              "InvalidRequest",         0) \
    X(NO_COLUMN,      "unknown_column",        400, 1, "42703", "BadRequestException",              "InvalidArgument",        0) \
    X(NO_FUNCTION,    "unknown_function",      400, 1, "42883", "BadRequestException",              "InvalidArgument",        0) \
    X(WRONG_TYPE,     "wrong_type",            400, 1, "42804", "BadRequestException",              "InvalidArgument",        0) \
    X(BAD_DATA,       "bad_data",              400, 1, "22P02", "BadRequestException",              "InvalidArgument",        0) \
    X(UNSUPPORTED,    "not_supported",         400, 1, "0A000", "UnsupportedOperationException",    "NotImplemented",         0) \
    X(USAGE,          "usage",                 400, 2, "22023", "BadRequestException",              "InvalidRequest",         0) \
    X(UNAUTHORIZED,   "not_authenticated",     401, 4, "28000", "NotAuthorizedException",           "InvalidAccessKeyId",     0) \
    X(DENIED,         "denied",                403, 4, "42501", "ForbiddenException",               "AccessDenied",           0) \
    X(NOT_FOUND,      "not_found",             404, 3, "42704", "NotFoundException",                "NoSuchKey",              0) \
    X(NO_TABLE,       "table_not_found",       404, 3, "42P01", "NoSuchTableException",             "NoSuchKey",              0) \
    X(NO_VIEW,        "view_not_found",        404, 3, "42P01", "NoSuchViewException",              "NoSuchKey",              0) \
    X(NO_NAMESPACE,   "namespace_not_found",   404, 3, "3F000", "NoSuchNamespaceException",         "NoSuchBucket",           0) \
    X(NO_SNAPSHOT,    "snapshot_not_found",    404, 3, "22023", "NoSuchSnapshotException",          "NoSuchVersion",          0) \
    X(METHOD,         "method_not_allowed",    405, 1, "0A000", "UnsupportedOperationException",    "MethodNotAllowed",       0) \
    X(NOT_ACCEPTABLE, "not_acceptable",        406, 1, "22023", "BadRequestException",              "InvalidRequest",         0) \
    X(TIMEOUT,        "timed_out",             408, 7, "57014", "ServiceUnavailableException",      "RequestTimeout",         1) \
    X(EXISTS,         "already_exists",        409, 5, "42P07", "AlreadyExistsException",           "BucketAlreadyExists",    0) \
    X(NOT_EMPTY,      "not_empty",             409, 5, "2BP01", "NamespaceNotEmptyException",       "BucketNotEmpty",         0) \
    X(CONFLICT,       "conflict",              409, 5, "40001", "CommitFailedException",            "OperationAborted",       1) \
    X(TXN_ACTIVE,     "transaction_active",    400, 1, "25001", "BadRequestException",              "InvalidRequest",         0) \
    X(TXN_NONE,       "no_transaction",        400, 1, "25P01", "BadRequestException",              "InvalidRequest",         0) \
    X(TXN_FAILED,     "transaction_failed",    400, 1, "25P02", "BadRequestException",              "InvalidRequest",         0) \
    X(TXN_READ_ONLY,  "transaction_read_only", 400, 1, "25006", "BadRequestException",              "InvalidRequest",         0) \
    X(PRECONDITION,   "precondition_failed",   412, 5, "40001", "CommitFailedException",            "PreconditionFailed",     0) \
    X(TOO_LARGE,      "too_large",             413, 1, "54000", "BadRequestException",              "EntityTooLarge",         0) \
    X(MEDIA_TYPE,     "unsupported_media_type", 415, 1, "22023", "BadRequestException",             "InvalidRequest",         0) \
    X(RANGE,          "range_not_satisfiable", 416, 1, "22003", "BadRequestException",              "InvalidRange",           0) \
    X(CANCELLED,      "cancelled",             499, 130, "57014", "ServiceUnavailableException",    "RequestTimeout",         0) \
    X(INTERNAL,       "internal",              500, 1, "XX000", "InternalServerError",              "InternalError",          0) \
    X(CORRUPT,        "corrupt",               500, 8, "XX001", "InternalServerError",              "InternalError",          0) \
    X(IO,             "io_error",              500, 1, "58030", "InternalServerError",              "InternalError",          0) \
    X(OUT_OF_MEMORY,  "out_of_memory",         500, 1, "53200", "InternalServerError",              "InternalError",          0) \
    X(WORKER_DIED,    "worker_died",           500, 1, "57P02", "InternalServerError",              "InternalError",          0) \
    X(UNAVAILABLE,    "unavailable",           503, 7, "57P03", "ServiceUnavailableException",      "ServiceUnavailable",     1) \
    X(BUSY,           "busy",                  503, 7, "53300", "ServiceUnavailableException",      "SlowDown",               1) \
    X(NO_SPACE,       "no_space",              507, 1, "53100", "ServiceUnavailableException",      "InsufficientStorage",    0)
/* clang-format on */

typedef enum status {
#define X(name, ...) STATUS_##name,
    STATUS_TABLE(X)
#undef X
        STATUS_COUNT
} status;

/* One row of the table above. */
typedef struct status_info {
    const char *name;         /* "NO_TABLE" */
    const char *code;         /* "table_not_found": the code in JSON errors */
    int http_status;          /* 404 */
    int exit_code;            /* 3 */
    const char *sqlstate;     /* five characters */
    const char *iceberg_type; /* "NoSuchTableException" */
    const char *s3_code;
    bool retryable; /* the same request may succeed later */
} status_info;

/* The row of `kind`; never NULL. */
const status_info *status_describe(status kind);

/* The kind whose JSON code is `code`; STATUS_INTERNAL where there is none. */
status status_from_code(const char *code, size_t size);

#define ERROR_NO_POSITION (-1)

typedef struct error {
    status kind;
    int position;        /* byte offset in the statement or document, or ERROR_NO_POSITION */
    char sqlstate[6];    /* where it says more than the kind's own; else empty */
    const char *s3_code; /* a literal, where it says more than the kind's own; else NULL */
    char message[1024];  /* lower case, no full stop: kind and quoted name, the reason */
    char hint[512];      /* a sentence, or empty */
    char detail[512];    /* more about the circumstances, or empty */
} error;

/* An error that says nothing yet. */
/* clang-format off */
#define ERROR_INIT {.kind = STATUS_OK, .position = ERROR_NO_POSITION}
/* clang-format on */
void error_clear(error *err);

/* Sets `err` (which may be NULL) and returns `kind`, so that a failure is one line.
 * Clears hint, detail and position. Text that does not fit is cut. */
__attribute__((format(printf, 3, 4))) status error_set(error *err, status kind, const char *format,
                                                       ...);

/* Like error_set, with ": " and the text of `errnum` behind it. ENOSPC and EDQUOT become NO_SPACE,
 * EMFILE and ENFILE become BUSY, whatever `kind` says. */
__attribute__((format(printf, 4, 5))) status error_errno(error *err, status kind, int errnum,
                                                         const char *format, ...);

/* Puts "context: " in front of the message: what was being done when the failure came up. */
__attribute__((format(printf, 2, 3))) void error_context(error *err, const char *format, ...);

/* Adds the cure, as a sentence: "Did you mean \"amount\"?". `err` may be NULL. */
__attribute__((format(printf, 2, 3))) void error_hint(error *err, const char *format, ...);
__attribute__((format(printf, 2, 3))) void error_detail(error *err, const char *format, ...);

/* A finer SQLSTATE than the kind's: "22012", five characters. `err` may be NULL. */
void error_set_sqlstate(error *err, const char *sqlstate);
/* The finer one, or the kind's. */
const char *error_sqlstate(const error *err);

/* A finer S3 code than the kind's: "NoSuchVersion", a literal. `err` may be NULL. */
void error_set_s3_code(error *err, const char *code);
/* The finer one, or the kind's. */
const char *error_s3_code(const error *err);

#define TRY(call)                       \
    do {                                \
        status try_status_ = (call);    \
        if (try_status_ != STATUS_OK) { \
            return try_status_;         \
        }                               \
    } while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A broken promise of the program itself, never of its input. Stays on in release. */
#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))
__attribute__((noreturn)) void assert_failed(const char *condition, const char *file, int line);

#endif

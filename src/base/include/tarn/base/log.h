/* log.h: one line per event, key=value or JSON, to stderr.
 *
 * Modules return errors and log only at debug; the boundary (a request, a run, a command) logs
 * once, with the request id of the thread. Values under keys that name secrets (see log.c's table:
 * key, secret, password, token, authorization, signature) are replaced by "[redacted]".
 * Thread-safe: a line is one write. */
#ifndef TARN_BASE_LOG_H
#define TARN_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "tarn/base/error.h"
#include "tarn/base/str.h"

typedef enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF } log_level;
typedef enum log_format { LOG_TEXT, LOG_JSON } log_format;

void log_configure(log_level level, log_format format, int fd);
bool log_enabled(log_level level);
log_level log_level_from(str name, bool *ret_known);

/* The id that lines of this thread carry; NULL takes it away. Not copied: must outlive its use. */
void log_set_request_id(const char *id);

typedef enum log_kind {
    LOG_KIND_END,
    LOG_KIND_STR,
    LOG_KIND_INT,
    LOG_KIND_DOUBLE,
    LOG_KIND_BOOL
} log_kind;

typedef struct log_field {
    const char *key;
    log_kind kind;
    str text;
    int64_t integer;
    double real;
} log_field;

#define LOG_STR(k, v) ((log_field){.key = (k), .kind = LOG_KIND_STR, .text = (v)})
#define LOG_C(k, v) ((log_field){.key = (k), .kind = LOG_KIND_STR, .text = str_c(v)})
#define LOG_INT(k, v) ((log_field){.key = (k), .kind = LOG_KIND_INT, .integer = (int64_t)(v)})
#define LOG_DOUBLE(k, v) ((log_field){.key = (k), .kind = LOG_KIND_DOUBLE, .real = (v)})
#define LOG_BOOL(k, v) ((log_field){.key = (k), .kind = LOG_KIND_BOOL, .integer = (v)})

/* log_event(LOG_INFO, "server ready", LOG_C("http", address), LOG_INT("pid", pid)); */
void log_fields(log_level level, const char *event, const log_field *fields);
/* Takes at least one field. */
#define log_event(level, event, ...) \
    log_fields((level), (event), (const log_field[]){__VA_ARGS__, {.kind = LOG_KIND_END}})

/* The line of a failure that reached its boundary. */
void log_failure(const char *event, const error *err);

#endif

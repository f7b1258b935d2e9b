/* Log lines: what stands in one, how it is written, what is kept out of it.
 *
 * A line is built whole and leaves by one write, so that lines of several threads and processes do
 * not mix. Text is written as JSON strings are, in both formats where it needs quoting: control
 * characters escaped (nobody forges a line or steers a terminal), invalid UTF-8 replaced, long
 * values cut. */
#include "tarn/base/log.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"
#include "tarn/base/buf.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"

#define VALUE_BYTES_MAX ((size_t)8192)
#define LINE_BYTES_MAX (256 * LIMIT_KIB)
#define CUT_MARK "…"

static const char *const level_names[] = {[LOG_DEBUG] = "debug",
                                          [LOG_INFO] = "info",
                                          [LOG_WARN] = "warn",
                                          [LOG_ERROR] = "error",
                                          [LOG_OFF] = "off"};

/* Keys whose text is never shown. "token" and "key" count only at the end: key_id, key_file and
 * token_count name no secret. */
static const struct {
    str word;
    bool only_at_end;
} secret_words[] = {
    {STR_INIT("secret"), false},     {STR_INIT("password"), false},
    {STR_INIT("passphrase"), false}, {STR_INIT("credential"), false},
    {STR_INIT("signature"), false},  {STR_INIT("authorization"), false},
    {STR_INIT("cookie"), false},     {STR_INIT("key"), true},
    {STR_INIT("token"), true},
};

static atomic_int current_level = LOG_INFO;
static atomic_int current_format = LOG_TEXT;
static atomic_int current_fd = STDERR_FILENO;
static _Thread_local const char *request_id;

void log_configure(log_level level, log_format format, int fd)
{
    atomic_store(&current_level, (int)level);
    atomic_store(&current_format, (int)format);
    atomic_store(&current_fd, fd);
}

bool log_enabled(log_level level)
{
    return (int)level >= atomic_load_explicit(&current_level, memory_order_relaxed) &&
           level < LOG_OFF;
}

log_level log_level_from(str name, bool *ret_known)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++) {
        if (str_equal_nocase(name, str_c(level_names[i]))) {
            *ret_known = true;
            return (log_level)i;
        }
    }
    *ret_known = false;
    return LOG_INFO;
}

void log_set_request_id(const char *id)
{
    request_id = id;
}

static bool contains_nocase(str s, str word)
{
    for (size_t at = 0; at + word.size <= s.size; at++) {
        if (str_starts_with_nocase(str_slice(s, at, s.size), word)) {
            return true;
        }
    }
    return false;
}

static bool names_secret(str key)
{
    for (size_t i = 0; i < COUNT_OF(secret_words); i++) {
        str word = secret_words[i].word;
        size_t from =
            secret_words[i].only_at_end && key.size > word.size ? key.size - word.size : 0;

        if (contains_nocase(str_slice(key, from, key.size), word)) {
            return true;
        }
    }
    return false;
}

/* C0, DEL, and the C1 controls that some terminals obey. */
static bool is_control(str s, size_t at, size_t length)
{
    unsigned char first = (unsigned char)s.data[at];

    if (length == 1) {
        return first < 0x20 || first == 0x7f;
    }
    return length == 2 && first == 0xc2 && (unsigned char)s.data[at + 1] < 0xa0;
}

/* The code point of a control character, which has one byte or stands behind C2. */
static unsigned control_code(str s, size_t at, size_t length)
{
    return (unsigned char)s.data[at + length - 1];
}

static void add_escaped(buf *line, str s)
{
    for (size_t at = 0; at < s.size;) {
        size_t length = base__utf8_length(s, at);
        char c = s.data[at];

        if (length == 0) {
            buf_add_c(line, "\xEF\xBF\xBD"); /* U+FFFD */
            length = 1;
        } else if (c == '"' || c == '\\') {
            buf_add_char(line, '\\');
            buf_add_char(line, c);
        } else if (c == '\n') {
            buf_add_c(line, "\\n");
        } else if (c == '\r') {
            buf_add_c(line, "\\r");
        } else if (c == '\t') {
            buf_add_c(line, "\\t");
        } else if (is_control(s, at, length)) {
            buf_printf(line, "\\u%04x", control_code(s, at, length));
        } else {
            buf_add(line, s.data + at, length);
        }
        at += length;
    }
}

/* True where key=value would not be read back as it was. */
static bool needs_quotes(str s)
{
    for (size_t at = 0; at < s.size;) {
        size_t length = base__utf8_length(s, at);
        char c = s.data[at];

        if (length == 0 || c == ' ' || c == '"' || c == '=' || c == '\\' ||
            is_control(s, at, length)) {
            return true;
        }
        at += length;
    }
    return s.size == 0;
}

static void add_text(buf *line, log_format format, str s)
{
    str shown = s;

    if (s.size > VALUE_BYTES_MAX) {
        shown = str_slice(s, 0, base__utf8_cut(s.data, VALUE_BYTES_MAX));
    }
    if (format == LOG_TEXT && !needs_quotes(shown)) {
        buf_add_str(line, shown);
        buf_add_c(line, shown.size < s.size ? CUT_MARK : "");
        return;
    }
    buf_add_char(line, '"');
    add_escaped(line, shown);
    buf_add_c(line, shown.size < s.size ? CUT_MARK : "");
    buf_add_char(line, '"');
}

static void add_double(buf *line, log_format format, double value)
{
    char text[32];

    /* The shorter form where it is the same number. */
    (void)snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) != value) {
        (void)snprintf(text, sizeof(text), "%.17g", value);
    }
    if (isfinite(value) || format == LOG_TEXT) {
        buf_add_c(line, text);
    } else {
        buf_printf(line, "\"%s\"", text); /* JSON has no such number */
    }
}

static void add_key(buf *line, log_format format, const char *key)
{
    if (format == LOG_JSON) {
        buf_add_char(line, line->size == 0 ? '{' : ',');
        buf_add_char(line, '"');
        add_escaped(line, str_c(key));
        buf_add_c(line, "\":");
    } else {
        buf_add_c(line, line->size == 0 ? "" : " ");
        buf_add_c(line, key);
        buf_add_char(line, '=');
    }
}

static void add_field(buf *line, log_format format, const log_field *field)
{
    add_key(line, format, field->key);
    switch (field->kind) {
    case LOG_KIND_STR:
        if (names_secret(str_c(field->key))) {
            add_text(line, format, STR("[redacted]"));
        } else if (str_is_null(field->text) && format == LOG_JSON) {
            buf_add_c(line, "null");
        } else {
            add_text(line, format, field->text);
        }
        break;
    case LOG_KIND_INT:
        buf_printf(line, "%lld", (long long)field->integer);
        break;
    case LOG_KIND_DOUBLE:
        add_double(line, format, field->real);
        break;
    case LOG_KIND_BOOL:
        buf_add_c(line, field->integer != 0 ? "true" : "false");
        break;
    case LOG_KIND_END:
        break;
    }
}

/* One write where the system takes the line whole; what it leaves over follows. A log that cannot
 * be written is given up: there is nowhere to say so. */
static void write_line(int fd, const buf *line)
{
    for (size_t at = 0; at < line->size;) {
        ssize_t written = write(fd, line->data + at, line->size - at);

        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return;
        }
        at += (size_t)written;
    }
}

void log_fields(log_level level, const char *event, const log_field *fields)
{
    int saved_errno = errno;
    log_format format = (log_format)atomic_load_explicit(&current_format, memory_order_relaxed);
    char time_text[CLOCK_TEXT_SIZE];
    buf line;

    if (!log_enabled(level)) {
        return;
    }
    clock_format_utc(clock_now_us(), 3, time_text);
    buf_init(&line, LINE_BYTES_MAX);
    add_field(&line, format, &LOG_C("time", time_text));
    add_field(&line, format, &LOG_C("level", level_names[level]));
    add_field(&line, format, &LOG_C("event", event));
    if (request_id != NULL) {
        add_field(&line, format, &LOG_C("request_id", request_id));
    }
    for (; fields->kind != LOG_KIND_END; fields++) {
        size_t before = line.size;

        add_field(&line, format, fields);
        if (line.size > LINE_BYTES_MAX - 16) {
            buf_truncate(&line, before); /* room for the end of the line stays */
        }
        if (line.failed) {
            buf_truncate(&line, before);
            line.failed = false;
        }
    }
    buf_add_c(&line, format == LOG_JSON ? "}\n" : "\n");
    write_line(atomic_load(&current_fd), &line);
    buf_release(&line);
    errno = saved_errno;
}

/* What the operator must look at is an error; what passes by itself, a warning; what the asker did
 * wrong, information. */
static log_level level_of(const status_info *info)
{
    if (info->http_status < 500) {
        return LOG_INFO;
    }
    return info->retryable ? LOG_WARN : LOG_ERROR;
}

void log_failure(const char *event, const error *err)
{
    const status_info *info = status_describe(err->kind);
    log_field fields[6];
    size_t count = 0;

    fields[count++] = LOG_C("code", info->code);
    fields[count++] = LOG_C("message", err->message);
    if (err->hint[0] != '\0') {
        fields[count++] = LOG_C("hint", err->hint);
    }
    if (err->detail[0] != '\0') {
        fields[count++] = LOG_C("detail", err->detail);
    }
    if (err->position != ERROR_NO_POSITION) {
        fields[count++] = LOG_INT("position", err->position);
    }
    fields[count] = (log_field){.kind = LOG_KIND_END};
    log_fields(level_of(info), event, fields);
}

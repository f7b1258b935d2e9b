/* The texts that are signed: times, scopes, and the canonical forms of headers and queries. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "signature_core.h"
#include "tarn/base/clock.h"
#include "tarn/codec/checksum.h"

status signature__refuse(error *err, status kind, const char *code, const char *format, ...)
{
    char text[sizeof((error *)NULL)->message];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)error_set(err, kind, "%s", text);
    error_set_s3_code(err, code);
    return kind;
}

/* ---- times ---- */

/* `count` digits at `at`, or -1. */
static int digits(str text, size_t at, size_t count)
{
    int value = 0;

    for (size_t i = at; i < at + count; i++) {
        if (i >= text.size || text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }
        value = value * 10 + (text.data[i] - '0');
    }
    return value;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool make_time(int year, int month, int day, const int clock[3], int64_t *ret_us)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (year < 1 || month < 1 || month > 12 || day < 1 ||
        day > month_days[month - 1] + (month == 2 && is_leap(year)) || clock[0] < 0 ||
        clock[0] > 23 || clock[1] < 0 || clock[1] > 59 || clock[2] < 0 || clock[2] > 60) {
        return false;
    }
    *ret_us =
        (date_to_days(year, month, day) * 86400 + clock[0] * 3600 + clock[1] * 60 + clock[2]) *
        1000000;
    return true;
}

static bool read_basic(str text, int64_t *ret_us)
{
    int clock[3] = {digits(text, 9, 2), digits(text, 11, 2), digits(text, 13, 2)};

    return text.size == 16 && text.data[8] == 'T' && text.data[15] == 'Z' &&
           make_time(digits(text, 0, 4), digits(text, 4, 2), digits(text, 6, 2), clock, ret_us);
}

/* "Fri, 24 May 2013 00:00:00 GMT" */
static bool read_http(str text, int64_t *ret_us)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    str zone = str_slice(text, 25, text.size);
    int clock[3] = {digits(text, 17, 2), digits(text, 20, 2), digits(text, 23, 2)};
    size_t month = 0;

    if (text.size < 28 || text.data[3] != ',' || text.data[19] != ':' || text.data[22] != ':' ||
        !(str_equal(zone, STR(" GMT")) || str_equal(zone, STR(" UTC")) ||
          str_equal(zone, STR(" +0000")))) {
        return false;
    }
    while (month < 12 && memcmp(text.data + 8, months + 3 * month, 3) != 0) {
        month++;
    }
    return make_time(digits(text, 12, 4), (int)month + 1, digits(text, 5, 2), clock, ret_us);
}

bool signature__read_time(str text, int64_t *ret_us)
{
    return read_basic(text, ret_us) || read_http(text, ret_us);
}

str signature__timestamp(arena *a, int64_t us)
{
    int64_t second = us / 1000000;
    int64_t of_day = second % 86400;
    int year = 0;
    int month = 0;
    int day = 0;

    date_from_days(second / 86400, &year, &month, &day);
    return str_printf(a, "%04d%02d%02dT%02d%02d%02dZ", year, month, day, (int)(of_day / 3600),
                      (int)(of_day / 60 % 60), (int)(of_day % 60));
}

str signature__scope(arena *a, str date, str region, str service)
{
    return str_printf(a, "%.*s/%.*s/%.*s/aws4_request", STR_ARG(date), STR_ARG(region),
                      STR_ARG(service));
}

/* ---- canonical forms ---- */

static void add_squeezed(buf *out, str value)
{
    bool space = false;

    value = str_trim(value);
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (c == ' ' || c == '\t') {
            space = true;
            continue;
        }
        if (space) {
            buf_add_char(out, ' ');
            space = false;
        }
        buf_add_char(out, c);
    }
}

static void add_lower(buf *out, str name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        buf_add_char(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
}

void signature__add_header(buf *out, str name, const http_header *headers, size_t count)
{
    bool first = true;

    add_lower(out, name);
    buf_add_char(out, ':');
    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(headers[i].name, name)) {
            if (!first) {
                buf_add_char(out, ',');
            }
            add_squeezed(out, headers[i].value);
            first = false;
        }
    }
    buf_add_char(out, '\n');
}

static int compare_pairs(const void *left, const void *right)
{
    const uri_pair *a = left;
    const uri_pair *b = right;
    int order = str_compare(a->name, b->name);

    return order != 0 ? order : str_compare(a->value, b->value);
}

static str encoded(arena *a, str text)
{
    buf *out = buf_in(a, 3 * text.size + 1);

    uri_encode(out, text, NULL);
    return buf_str(out);
}

void signature__add_query(buf *out, arena *a, const uri_pair *pairs, size_t count)
{
    uri_pair *sorted = ARENA_ARRAY(a, uri_pair, count);
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (!str_equal_nocase(pairs[i].name, STR("x-amz-signature"))) {
            sorted[kept].name = encoded(a, pairs[i].name);
            sorted[kept].value = encoded(a, pairs[i].value);
            kept++;
        }
    }
    qsort(sorted, kept, sizeof *sorted, compare_pairs);
    for (size_t i = 0; i < kept; i++) {
        if (i > 0) {
            buf_add_char(out, '&');
        }
        buf_add_str(out, sorted[i].name);
        buf_add_char(out, '=');
        buf_add_str(out, sorted[i].value);
    }
}

str signature__string_to_sign(arena *a, str timestamp, str scope, str canonical_request)
{
    uint8_t sum[DIGEST_SIZE_MAX];

    digest(DIGEST_SHA256, canonical_request, sum);
    str hex = hex_encode(a, str_from((const char *)sum, sizeof sum));
    return str_printf(a, SIGNATURE_ALGORITHM "\n%.*s\n%.*s\n%.*s", STR_ARG(timestamp),
                      STR_ARG(scope), STR_ARG(hex));
}

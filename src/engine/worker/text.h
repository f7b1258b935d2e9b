/* text.h: values as text: numbers, dates, times, intervals, base64, in the forms that interface.md fixes.
 *
 * Each function writes at `at`, without a terminating NUL, and returns the position behind the text. The most
 * that one of them writes is TEXT_MAX bytes. Not here: NULL, quoting, nesting (cell.c). */
#ifndef TARN_ENGINE_TEXT_H
#define TARN_ENGINE_TEXT_H

#include <stdint.h>

#include "worker/duck.h"

#define TEXT_MAX 160

char *text_put_uint(char *at, uint64_t value);
char *text_put_int(char *at, int64_t value);
char *text_put_hugeint(char *at, uint64_t lower, int64_t upper);
char *text_put_uhugeint(char *at, uint64_t lower, uint64_t upper);
/* The unscaled value with `scale` places behind the point. */
char *text_put_decimal(char *at, uint64_t lower, int64_t upper, uint8_t scale);
/* The shortest text that reads back as the same value: "0.1", "1.0", "1e+20"; "NaN", "Infinity", "-Infinity". */
char *text_put_double(char *at, double value);
char *text_put_float(char *at, float value);

/* Years outside 0 … 9999 carry a sign; infinities are "infinity" and "-infinity". */
char *text_put_date(char *at, int32_t days);
/* Units a second: 1, 1000, 1000000 or 1000000000. The fraction is left out where it is zero, and has 6 places, or
 * 9 for nanoseconds. */
char *text_put_timestamp(char *at, int64_t value, int64_t units_per_second);
char *text_put_time(char *at, int64_t value, int64_t units_per_second);
char *text_put_time_tz(char *at, uint64_t bits);
char *text_put_interval(char *at, const duck_interval *value);
char *text_put_uuid(char *at, uint64_t lower, int64_t upper);

/* Writes 4 characters for each 3 bytes or part of them. */
char *text_put_base64(char *at, const void *bytes, size_t size_bytes);

#endif

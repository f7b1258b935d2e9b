/* clock.h: time behind an interface, so that tests set it.
 *
 * clock_now_ms is wall time for people and metadata; it may jump. clock_mono_ns never goes back and
 * is for durations and deadlines. */
#ifndef TARN_BASE_CLOCK_H
#define TARN_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "tarn/base/str.h"

typedef struct tarn_clock {
    int64_t (*wall_us)(void *context); /* microseconds since 1970, UTC */
    int64_t (*mono_ns)(void *context);
    void *context;
} tarn_clock;

/* Replaces the process's clock, which must outlive its use; NULL puts the system's back. For tests,
 * before threads start. */
void clock_install(const tarn_clock *clock);

int64_t clock_now_us(void);
int64_t clock_now_ms(void);
int64_t clock_mono_ns(void);
int64_t clock_mono_ms(void);
void clock_sleep_ms(int64_t ms); /* in real time, whatever clock is installed */

/* "2026-11-21T11:30:00.123456Z"; the fraction has `digits` (0, 3 or 6) places, cut, not rounded.
 * `ret_text` has room for CLOCK_TEXT_SIZE. Years outside 0 … 9999 carry a sign. */
#define CLOCK_TEXT_SIZE 40
void clock_format_utc(int64_t us, int digits, char *ret_text);
/* ISO 8601 with optional seconds, fraction (cut to microseconds) and zone (none means UTC); a space
 * may stand for the T; a date alone is midnight. What clock_format_utc writes is read back. INVALID
 * otherwise. */
status clock_parse(str text, int64_t *ret_us, error *err);

/* Proleptic Gregorian calendar. Days since 1970-01-01. `month` and `day` must be real; years reach
 * as far as an int64_t of microseconds does. */
int64_t date_to_days(int year, int month, int day);
void date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day);

#endif

/* The proleptic Gregorian calendar and the reading of ISO 8601.
 *
 * Days are counted in years that begin on 1 March: the leap day is then the last of its year, and
 * the months before it have the fixed lengths 31 30 31 30 31 31 30 31 30 31 31. Their first days
 * are (153 * month + 2) / 5, with March as month 0. */
#include <limits.h>

#include "tarn/base/clock.h"

#define US_PER_DAY INT64_C(86400000000)
#define DAYS_PER_400_YEARS 146097
#define DAYS_PER_100_YEARS 36524
#define DAYS_PER_4_YEARS 1461
#define DAYS_PER_YEAR 365
/* From 0000-03-01 to 1970-01-01. */
#define EPOCH_DAY 719468

static int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0 ? 1 : 0);
}

int64_t date_to_days(int year, int month, int day)
{
    int64_t march_year = (int64_t)year - (month <= 2 ? 1 : 0);
    int64_t march_month = month <= 2 ? month + 9 : month - 3;
    int64_t leap_days =
        floor_divide(march_year, 4) - floor_divide(march_year, 100) + floor_divide(march_year, 400);

    return march_year * DAYS_PER_YEAR + leap_days + (153 * march_month + 2) / 5 + day - 1 -
           EPOCH_DAY;
}

/* How many whole spans of `span` days fit, but at most `most`: the last span of a longer one has
 * the leap day more. */
static int64_t take_spans(int64_t *days, int64_t span, int64_t most)
{
    int64_t spans = *days / span < most ? *days / span : most;

    *days -= spans * span;
    return spans;
}

void date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t left = days + EPOCH_DAY;
    int64_t era = floor_divide(left, DAYS_PER_400_YEARS);
    int64_t year = era * 400;
    int64_t march_month;

    left -= era * DAYS_PER_400_YEARS;
    year += 100 * take_spans(&left, DAYS_PER_100_YEARS, 3);
    year += 4 * take_spans(&left, DAYS_PER_4_YEARS, 24);
    year += take_spans(&left, DAYS_PER_YEAR, 3);
    march_month = (5 * left + 2) / 153;
    *ret_year = (int)(year + (march_month >= 10 ? 1 : 0));
    *ret_month = (int)(march_month >= 10 ? march_month - 9 : march_month + 3);
    *ret_day = (int)(left - (153 * march_month + 2) / 5 + 1);
}

/* Reading: `at` walks over the text. */
typedef struct reader {
    str text;
    size_t at;
} reader;

static bool take(reader *r, char c)
{
    if (r->at < r->text.size && r->text.data[r->at] == c) {
        r->at++;
        return true;
    }
    return false;
}

static bool at_digit(const reader *r)
{
    return r->at < r->text.size && r->text.data[r->at] >= '0' && r->text.data[r->at] <= '9';
}

/* Exactly `digits` digits. */
static bool take_number(reader *r, int digits, int *ret_value)
{
    int value = 0;

    for (int i = 0; i < digits; i++) {
        if (!at_digit(r)) {
            return false;
        }
        value = value * 10 + (r->text.data[r->at++] - '0');
    }
    *ret_value = value;
    return true;
}

/* Four digits; with a sign in front up to six. */
static bool take_year(reader *r, int *ret_year)
{
    bool negative = take(r, '-');
    bool has_sign = negative || take(r, '+');
    int year;
    int digit;

    if (!take_number(r, 4, &year)) {
        return false;
    }
    for (int i = 0; has_sign && i < 2 && at_digit(r); i++) {
        (void)take_number(r, 1, &digit);
        year = year * 10 + digit;
    }
    *ret_year = negative ? -year : year;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return lengths[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool take_date(reader *r, int64_t *ret_days)
{
    int year, month, day;

    if (!take_year(r, &year) || !take(r, '-') || !take_number(r, 2, &month) || !take(r, '-') ||
        !take_number(r, 2, &day)) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
        return false;
    }
    *ret_days = date_to_days(year, month, day);
    return true;
}

/* HH:MM, then :SS and a fraction of up to nine digits where they stand; what is finer than a
 * microsecond is cut off. */
static bool take_time(reader *r, int64_t *ret_us)
{
    int hour, minute;
    int second = 0;
    int64_t fraction_us = 0;

    if (!take_number(r, 2, &hour) || !take(r, ':') || !take_number(r, 2, &minute)) {
        return false;
    }
    if (take(r, ':')) {
        if (!take_number(r, 2, &second)) {
            return false;
        }
        if (take(r, '.')) {
            int64_t unit_us = 100000;
            int digit;
            int digits = 0;

            for (; take_number(r, 1, &digit); digits++) {
                fraction_us += digit * unit_us;
                unit_us /= 10;
            }
            if (digits < 1 || digits > 9) {
                return false;
            }
        }
    }
    if (hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *ret_us = ((int64_t)hour * 3600 + minute * 60 + second) * 1000000 + fraction_us;
    return true;
}

/* Nothing, Z, +HH, +HHMM or +HH:MM. */
static bool take_zone(reader *r, int64_t *ret_offset_us)
{
    bool west;
    int hours;
    int minutes = 0;

    *ret_offset_us = 0;
    if (r->at == r->text.size || take(r, 'Z') || take(r, 'z')) {
        return true;
    }
    west = take(r, '-');
    if (!west && !take(r, '+')) {
        return false;
    }
    if (!take_number(r, 2, &hours)) {
        return false;
    }
    if (r->at < r->text.size) {
        (void)take(r, ':');
        if (!take_number(r, 2, &minutes)) {
            return false;
        }
    }
    if (hours > 23 || minutes > 59) {
        return false;
    }
    *ret_offset_us = (int64_t)(hours * 60 + minutes) * 60000000 * (west ? -1 : 1);
    return true;
}

status clock_parse(str text, int64_t *ret_us, error *err)
{
    reader r = {.text = text};
    int64_t days;
    int64_t time_us = 0;
    int64_t offset_us = 0;
    int64_t us;
    bool read = take_date(&r, &days);

    if (read && r.at < text.size) {
        read = (take(&r, 'T') || take(&r, 't') || take(&r, ' ')) && take_time(&r, &time_us) &&
               take_zone(&r, &offset_us);
    }
    if (!read || r.at != text.size) {
        size_t shown = text.size < 64 ? text.size : 64;

        return error_set(err, STATUS_INVALID,
                         "\"%.*s\" is not a point in time like 2026-11-21T11:30:00Z", (int)shown,
                         shown > 0 ? text.data : "");
    }
    time_us -= offset_us;
    if (days < 0) { /* the first midnight of all does not fit, the rest of its day does */
        days++;
        time_us -= US_PER_DAY;
    }
    if (__builtin_mul_overflow(days, US_PER_DAY, &us) || __builtin_add_overflow(us, time_us, &us)) {
        return error_set(err, STATUS_INVALID, "\"%.*s\" is too far from 1970", STR_ARG(text));
    }
    *ret_us = us;
    return STATUS_OK;
}

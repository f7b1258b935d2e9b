/* Dates as HTTP and S3 write them (RFC 9110 §5.6.7). */
#include <stdio.h>

#include "s3/s3.h"
#include "tarn/base/clock.h"

#define SECONDS_A_DAY 86400
#define US INT64_C(1000000)

static const char *const day_names[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
static const char *const month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void s3_format_date(int64_t time_us, char ret_text[S3_DATE_SIZE])
{
    int64_t seconds = time_us / US;
    int64_t days = seconds / SECONDS_A_DAY;
    int rest = (int)(seconds % SECONDS_A_DAY);
    int year, month, day;

    if (seconds < 0) { /* before 1970: no such date is of use */
        days = 0;
        rest = 0;
    }
    date_from_days(days, &year, &month, &day);
    snprintf(ret_text, S3_DATE_SIZE, "%s, %02d %s %04d %02d:%02d:%02d GMT", day_names[days % 7],
             day, month_names[(month - 1) % 12], year % 10000, rest / 3600, rest / 60 % 60,
             rest % 60);
}

static bool find_month(str name, int *ret_month)
{
    for (int i = 0; i < 12; i++) {
        if (str_equal_nocase(name, str_c(month_names[i]))) {
            *ret_month = i + 1;
            return true;
        }
    }
    return false;
}

static bool two_digits(str text, int max, int *ret_value)
{
    int64_t value = 0;

    if (text.size == 0 || text.size > 2 || str_to_int64(text, &value, NULL) != STATUS_OK ||
        value < 0 || value > max) {
        return false;
    }
    *ret_value = (int)value;
    return true;
}

static bool parse_time(str text, int *ret_seconds)
{
    str rest;
    int hour, minute, second;
    str hours = str_cut(text, ':', &rest);
    str minutes = str_cut(rest, ':', &rest);

    if (!two_digits(hours, 23, &hour) || !two_digits(minutes, 59, &minute) ||
        !two_digits(rest, 60, &second)) {
        return false;
    }
    *ret_seconds = hour * 3600 + minute * 60 + second;
    return true;
}

/* Words of the three forms: "06 Nov 1994 08:49:37", "06-Nov-94 08:49:37", "Nov 6 08:49:37 1994". */
static bool parse_words(const str words[5], size_t count, int64_t *ret_us)
{
    int day, month = 0, seconds;
    int64_t year = 0;
    bool is_asctime = count == 4 && find_month(words[0], &month);
    str day_text = words[is_asctime ? 1 : 0];
    str year_text = words[is_asctime ? 3 : 2];
    str time_text = words[is_asctime ? 2 : 3];

    if (count < 4 || (!is_asctime && !find_month(words[1], &month)) ||
        !two_digits(day_text, 31, &day) || day == 0 ||
        str_to_int64(year_text, &year, NULL) != STATUS_OK || !parse_time(time_text, &seconds)) {
        return false;
    }
    if (year_text.size == 2) {
        year += year < 70 ? 2000 : 1900;
    }
    if (year < 1 || year > 9999) {
        return false;
    }
    *ret_us = (date_to_days((int)year, month, day) * SECONDS_A_DAY + seconds) * US;
    return true;
}

status s3_parse_iso(str text, int64_t *ret_us, error *err)
{
    return clock_parse(text, ret_us, err);
}

status s3_parse_date(str text, int64_t *ret_us, error *err)
{
    str words[5];
    size_t count = 0;
    size_t at = 0;

    while (at < text.size && count < COUNT_OF(words)) { /* of spaces, "-" and "," */
        size_t from = at;
        while (at < text.size && text.data[at] != ' ' && text.data[at] != ',' &&
               text.data[at] != '-') {
            at++;
        }
        str word = str_slice(text, from, at);
        at++;
        bool is_day_name =
            count == 0 && word.size >= 3 && (word.data[0] < '0' || word.data[0] > '9');
        int month;
        if (word.size > 0 && (!is_day_name || find_month(word, &month))) {
            words[count++] = word;
        }
    }
    if (count >= 4 && parse_words(words, count > 4 ? 4 : count, ret_us)) {
        return STATUS_OK;
    }
    return clock_parse(text, ret_us, err);
}

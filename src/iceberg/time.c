/* time.c: dates, times and timestamps as text: ISO 8601, and the forms that DuckDB prints. */
#include "tarn/base/clock.h"

#include "internal.h"

#define SECONDS_PER_DAY INT64_C(86400)

bool ice__kind_is_nanos(ice_kind kind)
{
    return kind == ICE_TIMESTAMP_NS || kind == ICE_TIMESTAMPTZ_NS;
}

/* --- writing --- */

void ice__date_format(int64_t days, buf *out)
{
    int year;
    int month;
    int day;

    date_from_days(days, &year, &month, &day);
    if (year < 0) {
        buf_printf(out, "-%04d-%02d-%02d", -year, month, day);
    } else {
        buf_printf(out, "%s%04d-%02d-%02d", year > 9999 ? "+" : "", year, month, day);
    }
}

void ice__time_format(int64_t units, int64_t units_per_second, buf *out)
{
    int64_t seconds = units / units_per_second;
    int64_t fraction = units % units_per_second;

    buf_printf(out, "%02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60),
               (int)(seconds % 60));
    if (fraction != 0) {
        buf_printf(out, ".%0*lld", units_per_second > 1000000 ? 9 : 6, (long long)fraction);
    }
}

void ice__timestamp_format(int64_t units, int64_t units_per_second, char separator, buf *out)
{
    int64_t per_day = units_per_second * SECONDS_PER_DAY;
    int64_t days = ice__floor_div(units, per_day);

    ice__date_format(days, out);
    buf_add_char(out, separator);
    ice__time_format(units - days * per_day, units_per_second, out);
}

/* --- reading --- */

/* Takes `least` to `most` digits from the front. */
static bool take_number(str *text, size_t least, size_t most, int64_t *ret_value)
{
    int64_t value = 0;
    size_t digits = 0;

    while (digits < most && digits < text->size && text->data[digits] >= '0' &&
           text->data[digits] <= '9') {
        value = value * 10 + (text->data[digits] - '0');
        digits++;
    }
    if (digits < least) {
        return false;
    }
    *text = str_slice(*text, digits, text->size);
    *ret_value = value;
    return true;
}

static bool take_char(str *text, char c)
{
    if (text->size == 0 || text->data[0] != c) {
        return false;
    }
    *text = str_slice(*text, 1, text->size);
    return true;
}

static bool take_date(str *text, int64_t *ret_days)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool negative = take_char(text, '-');
    int64_t year;
    int64_t month;
    int64_t day;
    bool leap;

    if (!negative) {
        (void)take_char(text, '+');
    }
    if (!take_number(text, 4, 6, &year) || !take_char(text, '-') ||
        !take_number(text, 2, 2, &month) || !take_char(text, '-') ||
        !take_number(text, 2, 2, &day)) {
        return false;
    }
    year = negative ? -year : year;
    leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 ||
        day > month_days[month - 1] + (month == 2 && leap ? 1 : 0)) {
        return false;
    }
    *ret_days = date_to_days((int)year, (int)month, (int)day);
    return true;
}

static bool take_time(str *text, int64_t units_per_second, int64_t *ret_units)
{
    int64_t hours;
    int64_t minutes;
    int64_t seconds = 0;
    int64_t fraction = 0;

    if (!take_number(text, 2, 2, &hours) || !take_char(text, ':') ||
        !take_number(text, 2, 2, &minutes)) {
        return false;
    }
    if (take_char(text, ':') && !take_number(text, 2, 2, &seconds)) {
        return false;
    }
    if (take_char(text, '.')) {
        int64_t unit = units_per_second;
        bool any = false;

        for (int64_t digit; take_number(text, 1, 1, &digit); any = true) {
            unit /= 10;
            fraction += digit * unit; /* digits beyond the unit add nothing */
        }
        if (!any) {
            return false;
        }
    }
    if (hours > 23 || minutes > 59 || seconds > 59) {
        return false;
    }
    *ret_units = (hours * 3600 + minutes * 60 + seconds) * units_per_second + fraction;
    return true;
}

/* "Z", "+00", "+05:30", "-07:30:15". */
static bool take_offset(str *text, int64_t *ret_seconds)
{
    int64_t hours;
    int64_t minutes = 0;
    int64_t seconds = 0;
    bool negative;

    if (take_char(text, 'Z') || text->size == 0) {
        *ret_seconds = 0;
        return true;
    }
    negative = take_char(text, '-');
    if ((!negative && !take_char(text, '+')) || !take_number(text, 2, 2, &hours) ||
        (take_char(text, ':') && !take_number(text, 2, 2, &minutes)) ||
        (take_char(text, ':') && !take_number(text, 2, 2, &seconds))) {
        return false;
    }
    seconds += hours * 3600 + minutes * 60;
    *ret_seconds = negative ? -seconds : seconds;
    return true;
}

bool ice__date_parse(str text, int64_t *ret_days)
{
    int64_t days;

    if (!take_date(&text, &days) || text.size != 0) {
        return false;
    }
    *ret_days = days;
    return true;
}

bool ice__time_parse(str text, int64_t units_per_second, int64_t *ret_units)
{
    int64_t units;

    if (!take_time(&text, units_per_second, &units) || text.size != 0) {
        return false;
    }
    *ret_units = units;
    return true;
}

bool ice__timestamp_parse(str text, int64_t units_per_second, bool zoned, int64_t *ret_units)
{
    int64_t days;
    int64_t units = 0;
    int64_t offset = 0;

    if (!take_date(&text, &days)) {
        return false;
    }
    if ((take_char(&text, 'T') || take_char(&text, ' ')) &&
        !take_time(&text, units_per_second, &units)) {
        return false;
    }
    if ((zoned && !take_offset(&text, &offset)) || text.size != 0) {
        return false;
    }
    if (__builtin_mul_overflow(days, SECONDS_PER_DAY * units_per_second, &days) ||
        __builtin_add_overflow(days, units, &units) ||
        __builtin_sub_overflow(units, offset * units_per_second, &units)) {
        return false;
    }
    *ret_units = units;
    return true;
}

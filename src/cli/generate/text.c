/* Quick text: a generator spends most of its time here. */
#include "generate/generate.h"

#include "tarn/base/clock.h"

char *text_copy(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

char *text_int(char *at, int64_t value)
{
    char digits[20];
    size_t count = 0;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    if (value < 0) {
        *at++ = '-';
    }
    do {
        digits[count++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

char *text_fixed(char *at, int64_t value, int digits)
{
    int64_t unit = 1;

    for (int i = 0; i < digits; i++) {
        unit *= 10;
    }
    if (value < 0) {
        *at++ = '-';
        value = -value;
    }
    at = text_int(at, value / unit);
    *at++ = '.';
    for (int64_t rest = value % unit; unit > 1; unit /= 10) {
        *at++ = (char)('0' + rest / (unit / 10) % 10);
    }
    return at;
}

static char *two_digits(char *at, int64_t value)
{
    *at++ = (char)('0' + value / 10);
    *at++ = (char)('0' + value % 10);
    return at;
}

char *text_time(char *at, int64_t seconds, char separator)
{
    int64_t day = seconds / 86400;
    int64_t rest = seconds % 86400;
    int year = 0;
    int month = 0;
    int of_month = 0;

    date_from_days(day, &year, &month, &of_month);
    at = two_digits(at, year / 100);
    at = two_digits(at, year % 100);
    *at++ = '-';
    at = two_digits(at, month);
    *at++ = '-';
    at = two_digits(at, of_month);
    *at++ = separator;
    at = two_digits(at, rest / 3600);
    *at++ = ':';
    at = two_digits(at, rest / 60 % 60);
    *at++ = ':';
    return two_digits(at, rest % 60);
}

const char *choose(rng *r, const choice *choices, size_t count)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        total += choices[i].weight;
    }
    uint64_t drawn = rng_below(r, total);
    size_t at = 0;
    while (drawn >= choices[at].weight) {
        drawn -= choices[at].weight;
        at++;
    }
    return choices[at].text;
}

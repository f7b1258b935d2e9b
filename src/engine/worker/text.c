/* Values as text. The digits of integers are made two at a time; doubles take a short way where they are decimal
 * fractions of few digits, which most are. */
#include "worker/text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tarn/base/clock.h"
#include "tarn/base/str.h"

__extension__ typedef unsigned __int128 u128;

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static char *put_text(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}
#define PUT_LITERAL(at, literal) put_text((at), (literal), sizeof(literal) - 1)

static inline char *put_pair(char *at, unsigned value)
{
    memcpy(at, digit_pairs + 2 * (size_t)value, 2);
    return at + 2;
}

char *text_put_uint(char *at, uint64_t value)
{
    char digits[20];
    char *start = digits + sizeof(digits);

    while (value >= 100) {
        start -= 2;
        memcpy(start, digit_pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        start -= 2;
        memcpy(start, digit_pairs + 2 * value, 2);
    } else {
        *--start = (char)('0' + value);
    }
    return put_text(at, start, (size_t)(digits + sizeof(digits) - start));
}

char *text_put_int(char *at, int64_t value)
{
    if (value < 0) {
        *at++ = '-';
        return text_put_uint(at, 0 - (uint64_t)value);
    }
    return text_put_uint(at, (uint64_t)value);
}

/* Exactly `places` digits, zeros in front. */
static char *put_padded(char *at, uint64_t value, int places)
{
    for (int i = places - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + places;
}

#define TEN_TO_18 UINT64_C(1000000000000000000)

static char *put_u128(char *at, u128 value)
{
    if (value <= UINT64_MAX) {
        return text_put_uint(at, (uint64_t)value);
    }
    at = put_u128(at, value / TEN_TO_18);
    return put_padded(at, (uint64_t)(value % TEN_TO_18), 18);
}

static inline u128 magnitude(uint64_t lower, int64_t upper)
{
    u128 value = ((u128)(uint64_t)upper << 64) | lower;

    return upper < 0 ? 0 - value : value;
}

char *text_put_uhugeint(char *at, uint64_t lower, uint64_t upper)
{
    return put_u128(at, ((u128)upper << 64) | lower);
}

char *text_put_hugeint(char *at, uint64_t lower, int64_t upper)
{
    if (upper < 0) {
        *at++ = '-';
    }
    return put_u128(at, magnitude(lower, upper));
}

char *text_put_decimal(char *at, uint64_t lower, int64_t upper, uint8_t scale)
{
    char digits[48];
    char *end;
    size_t size, whole;

    if (upper < 0) {
        *at++ = '-';
    }
    end = put_u128(digits, magnitude(lower, upper));
    size = (size_t)(end - digits);
    if (scale == 0) {
        return put_text(at, digits, size);
    }
    whole = size > scale ? size - scale : 0;
    if (whole == 0) {
        *at++ = '0';
    }
    at = put_text(at, digits, whole);
    *at++ = '.';
    for (size_t zeros = scale > size ? scale - size : 0; zeros > 0; zeros--) {
        *at++ = '0';
    }
    return put_text(at, digits + whole, size - whole);
}

/* --- floating point --- */

static const double powers_of_ten[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/* 2^53: below it every integer is a double. */
#define EXACT_MAX 9007199254740992.0

/* An exact integer divided by an exact power of ten is rounded correctly, as reading the decimal text is: where the
 * quotient is the value again, the text is too. The first number of places that does is the shortest. */
static char *put_short_double(char *at, double value)
{
    double size = fabs(value);

    for (size_t places = 0; places < COUNT_OF(powers_of_ten); places++) {
        double scaled = size * powers_of_ten[places];
        uint64_t digits;

        if (scaled >= 1e15) {
            return NULL;
        }
        digits = (uint64_t)(scaled + 0.5);
        if ((double)digits / powers_of_ten[places] == size) {
            uint64_t unit = (uint64_t)powers_of_ten[places];

            if (signbit(value)) {
                *at++ = '-';
            }
            at = text_put_uint(at, digits / unit);
            *at++ = '.';
            return put_padded(at, digits % unit, places == 0 ? 1 : (int)places);
        }
    }
    return NULL;
}

/* As printf wrote it, with ".0" where it looks like an integer. */
static char *put_printed(char *at, const char *text)
{
    at = put_text(at, text, strlen(text));
    return strpbrk(text, ".e") != NULL ? at : PUT_LITERAL(at, ".0");
}

static char *put_not_finite(char *at, double value)
{
    if (isnan(value)) {
        return PUT_LITERAL(at, "NaN");
    }
    return value < 0 ? PUT_LITERAL(at, "-Infinity") : PUT_LITERAL(at, "Infinity");
}

static bool reads_back(const char *text, double value)
{
    double again;

    return str_to_double(str_c(text), &again, NULL) == STATUS_OK && again == value;
}

static bool reads_back_float(const char *text, float value)
{
    double again;

    return str_to_double(str_c(text), &again, NULL) == STATUS_OK && (float)again == value;
}

char *text_put_double(char *at, double value)
{
    char text[40];
    char *end;

    if (!isfinite(value)) {
        return put_not_finite(at, value);
    }
    if (value == 0.0 || (fabs(value) >= 1e-3 && fabs(value) < EXACT_MAX)) {
        end = put_short_double(at, value);
        if (end != NULL) {
            return end;
        }
    }
    /* Below DBL_MIN fewer digits may do. */
    for (int precision = fabs(value) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
        (void)snprintf(text, sizeof(text), "%.*g", precision, value);
        if (reads_back(text, value)) {
            break;
        }
    }
    return put_printed(at, text);
}

char *text_put_float(char *at, float value)
{
    char text[40];

    if (!isfinite(value)) {
        return put_not_finite(at, (double)value);
    }
    for (size_t places = 0; fabsf(value) < 1e6F && places < 4; places++) {
        double unit = powers_of_ten[places];
        uint64_t digits = (uint64_t)(fabs((double)value) * unit + 0.5);

        if ((float)((double)digits / unit) == fabsf(value)) {
            if (signbit(value)) {
                *at++ = '-';
            }
            at = text_put_uint(at, digits / (uint64_t)unit);
            *at++ = '.';
            return put_padded(at, digits % (uint64_t)unit, places == 0 ? 1 : (int)places);
        }
    }
    for (int precision = fabsf(value) < FLT_MIN ? 1 : 6; precision <= 9; precision++) {
        (void)snprintf(text, sizeof(text), "%.*g", precision, (double)value);
        if (reads_back_float(text, value)) {
            break;
        }
    }
    return put_printed(at, text);
}

/* --- dates and times --- */

static int64_t floor_divide(int64_t value, int64_t by, int64_t *ret_rest)
{
    int64_t quotient = value / by;
    int64_t rest = value % by;

    if (rest < 0) {
        rest += by;
        quotient--;
    }
    *ret_rest = rest;
    return quotient;
}

static char *put_day(char *at, int64_t days)
{
    int year, month, day;

    date_from_days(days, &year, &month, &day);
    if (year >= 0 && year <= 9999) {
        at = put_pair(at, (unsigned)year / 100);
        at = put_pair(at, (unsigned)year % 100);
    } else {
        *at++ = year < 0 ? '-' : '+';
        if (abs(year) <= 9999) {
            at = put_padded(at, (uint64_t)abs(year), 4);
        } else {
            at = text_put_uint(at, (uint64_t)llabs(year));
        }
    }
    *at++ = '-';
    at = put_pair(at, (unsigned)month);
    *at++ = '-';
    return put_pair(at, (unsigned)day);
}

char *text_put_date(char *at, int32_t days)
{
    if (days == INT32_MAX) {
        return PUT_LITERAL(at, "infinity");
    }
    if (days == -INT32_MAX) {
        return PUT_LITERAL(at, "-infinity");
    }
    return put_day(at, days);
}

static char *put_clock(char *at, int64_t seconds)
{
    at = put_pair(at, (unsigned)(seconds / 3600 % 100));
    *at++ = ':';
    at = put_pair(at, (unsigned)(seconds / 60 % 60));
    *at++ = ':';
    return put_pair(at, (unsigned)(seconds % 60));
}

static char *put_fraction(char *at, int64_t fraction, int64_t units_per_second)
{
    if (fraction == 0) {
        return at;
    }
    *at++ = '.';
    if (units_per_second == 1000) {
        at = put_padded(at, (uint64_t)fraction, 3);
        return PUT_LITERAL(at, "000");
    }
    return put_padded(at, (uint64_t)fraction, units_per_second == 1000000 ? 6 : 9);
}

char *text_put_timestamp(char *at, int64_t value, int64_t units_per_second)
{
    int64_t fraction, second;
    int64_t days;

    if (value == INT64_MAX) {
        return PUT_LITERAL(at, "infinity");
    }
    if (value == -INT64_MAX) {
        return PUT_LITERAL(at, "-infinity");
    }
    days = floor_divide(floor_divide(value, units_per_second, &fraction), 86400, &second);
    at = put_day(at, days);
    *at++ = 'T';
    return put_fraction(put_clock(at, second), fraction, units_per_second);
}

char *text_put_time(char *at, int64_t value, int64_t units_per_second)
{
    at = put_clock(at, value / units_per_second);
    return put_fraction(at, value % units_per_second, units_per_second);
}

char *text_put_time_tz(char *at, uint64_t bits)
{
    /* 40 bits of microseconds, then the offset, stored so that it sorts: the highest first. */
    int64_t micros = (int64_t)(bits >> 24);
    int64_t offset = (16 * 3600 - 1) - (int64_t)(bits & 0xffffff);
    int64_t size = offset < 0 ? -offset : offset;

    at = text_put_time(at, micros, 1000000);
    *at++ = offset < 0 ? '-' : '+';
    at = put_pair(at, (unsigned)(size / 3600));
    if (size % 3600 / 60 != 0) {
        *at++ = ':';
        at = put_pair(at, (unsigned)(size % 3600 / 60));
    }
    return at;
}

static char *put_part(char *at, const char *start, int32_t count, const char *unit)
{
    if (count == 0) {
        return at;
    }
    if (at != start) {
        *at++ = ' ';
    }
    at = text_put_int(at, count);
    *at++ = ' ';
    at = put_text(at, unit, strlen(unit));
    if (count != 1 && count != -1) {
        *at++ = 's';
    }
    return at;
}

static char *put_interval_clock(char *at, int64_t micros)
{
    uint64_t size = micros < 0 ? 0 - (uint64_t)micros : (uint64_t)micros;
    uint64_t seconds = size / 1000000;
    uint64_t fraction = size % 1000000;

    if (micros < 0) {
        *at++ = '-';
    }
    at = seconds / 3600 < 100 ? put_pair(at, (unsigned)(seconds / 3600))
                              : text_put_uint(at, seconds / 3600);
    *at++ = ':';
    at = put_pair(at, (unsigned)(seconds / 60 % 60));
    *at++ = ':';
    at = put_pair(at, (unsigned)(seconds % 60));
    if (fraction != 0) {
        *at++ = '.';
        at = put_padded(at, fraction, 6);
        while (at[-1] == '0') {
            at--;
        }
    }
    return at;
}

char *text_put_interval(char *at, const duck_interval *value)
{
    const char *start = at;

    at = put_part(at, start, value->months / 12, "year");
    at = put_part(at, start, value->months % 12, "month");
    at = put_part(at, start, value->days, "day");
    if (value->micros != 0 || at == start) {
        if (at != start) {
            *at++ = ' ';
        }
        at = put_interval_clock(at, value->micros);
    }
    return at;
}

/* --- bytes --- */

char *text_put_uuid(char *at, uint64_t lower, int64_t upper)
{
    static const char hex[] = "0123456789abcdef";
    /* Stored with the first bit turned, so that signed order is the order of uuids. */
    uint64_t halves[2] = {(uint64_t)upper ^ (UINT64_C(1) << 63), lower};

    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            *at++ = '-';
        }
        *at++ = hex[halves[i / 16] >> (60 - 4 * (i % 16)) & 15];
    }
    return at;
}

char *text_put_base64(char *at, const void *bytes, size_t size_bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = bytes;
    size_t i = 0;

    for (; i + 2 < size_bytes; i += 3) {
        uint32_t three = (uint32_t)from[i] << 16 | (uint32_t)from[i + 1] << 8 | from[i + 2];

        *at++ = alphabet[three >> 18];
        *at++ = alphabet[three >> 12 & 63];
        *at++ = alphabet[three >> 6 & 63];
        *at++ = alphabet[three & 63];
    }
    if (i < size_bytes) {
        bool two = i + 1 < size_bytes;
        uint32_t rest = (uint32_t)from[i] << 16 | (two ? (uint32_t)from[i + 1] << 8 : 0);

        *at++ = alphabet[rest >> 18];
        *at++ = alphabet[rest >> 12 & 63];
        *at++ = two ? alphabet[rest >> 6 & 63] : '=';
        *at++ = '=';
    }
    return at;
}

/* number.c: decimals of up to 38 digits as 128-bit integers: bytes, text, change of scale. */
#include "internal.h"

enum { DECIMAL_BYTES_MAX = 16, DIGITS_MAX = 38, TEXT_MAX = 48 };

ice_value ice__decimal_value(ice__int128 unscaled, int32_t scale)
{
    ice__uint128 bits = (ice__uint128)unscaled;

    return (ice_value){.kind = ICE_DECIMAL,
                       .integer = (int64_t)(uint64_t)bits,
                       .high = (int64_t)(uint64_t)(bits >> 64),
                       .scale = scale};
}

size_t ice__decimal_bytes(ice__int128 unscaled, uint8_t ret_bytes[16])
{
    ice__uint128 bits = (ice__uint128)unscaled;
    size_t start = 0;

    for (size_t i = 0; i < DECIMAL_BYTES_MAX; i++) {
        ret_bytes[i] = (uint8_t)(bits >> (8 * (DECIMAL_BYTES_MAX - 1 - i)));
    }
    /* A leading byte goes while it only repeats the sign of the next. */
    while (start < DECIMAL_BYTES_MAX - 1 &&
           ret_bytes[start] == (ret_bytes[start + 1] >= 0x80 ? 0xff : 0x00)) {
        start++;
    }
    memmove(ret_bytes, ret_bytes + start, DECIMAL_BYTES_MAX - start);
    return DECIMAL_BYTES_MAX - start;
}

bool ice__decimal_from_bytes(str bytes, ice__int128 *ret_unscaled)
{
    const uint8_t *data = (const uint8_t *)bytes.data;
    size_t size = bytes.size;
    uint8_t sign;
    ice__uint128 bits;

    if (size == 0) {
        return false;
    }
    sign = data[0] >= 0x80 ? 0xff : 0x00;
    while (size > DECIMAL_BYTES_MAX) {
        if (data[0] != sign || (data[1] >= 0x80) != (sign == 0xff)) {
            return false;
        }
        data++;
        size--;
    }
    bits = sign == 0xff ? ~(ice__uint128)0 : 0;
    for (size_t i = 0; i < size; i++) {
        bits = (bits << 8) | data[i];
    }
    *ret_unscaled = (ice__int128)bits;
    return true;
}

bool ice__decimal_shift(ice__int128 v, int32_t exponent, ice__int128 *ret_value)
{
    const ice__int128 limit = (ice__int128)(~(ice__uint128)0 >> 1) / 10;

    if (exponent < 0 || exponent > DIGITS_MAX * 2) {
        return false;
    }
    for (; exponent > 0; exponent--) {
        if (v > limit || v < -limit) {
            return false;
        }
        v *= 10;
    }
    *ret_value = v;
    return true;
}

void ice__decimal_format(ice__int128 unscaled, int32_t scale, buf *out)
{
    char digits[TEXT_MAX + DIGITS_MAX];
    size_t at = sizeof(digits);
    int32_t places = 0;
    bool negative = unscaled < 0;
    ice__uint128 rest = negative ? -(ice__uint128)unscaled : (ice__uint128)unscaled;

    do {
        if (scale > 0 && places == scale) {
            digits[--at] = '.';
        }
        digits[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
        places++;
    } while ((rest > 0 || places <= scale) && at > 2);
    if (negative) {
        digits[--at] = '-';
    }
    buf_add(out, digits + at, sizeof(digits) - at);
}

bool ice__decimal_parse(str text, int32_t scale, ice__int128 *ret_unscaled)
{
    const ice__int128 limit = (ice__int128)(~(ice__uint128)0 >> 1) / 10 - 10;
    ice__int128 v = 0;
    size_t at = 0;
    size_t digits = 0;
    int32_t places = -1; /* behind the point; -1 before it */
    bool negative = text.size > 0 && text.data[0] == '-';

    if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        at = 1;
    }
    for (; at < text.size; at++) {
        char c = text.data[at];

        if (c == '.' && places < 0) {
            places = 0;
            continue;
        }
        if (c < '0' || c > '9' || v > limit) {
            return false;
        }
        digits++;
        if (places >= scale) {
            if (c != '0') {
                return false;
            }
            continue;
        }
        v = v * 10 + (c - '0');
        places += places >= 0 ? 1 : 0;
    }
    if (digits == 0 || !ice__decimal_shift(v, scale - (places > 0 ? places : 0), &v)) {
        return false;
    }
    *ret_unscaled = negative ? -v : v;
    return true;
}

int32_t ice__decimal_width(int32_t precision)
{
    ice__int128 largest = 1;
    uint8_t bytes[DECIMAL_BYTES_MAX];

    for (int32_t i = 0; i < precision; i++) {
        largest *= 10;
    }
    return (int32_t)ice__decimal_bytes(largest - 1, bytes);
}

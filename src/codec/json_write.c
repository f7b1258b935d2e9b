/* Writing JSON: the streaming writer, quoting, numbers in their shortest form. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "json_tree.h"

/* --- text --- */

/* Length of the UTF-8 sequence at text[at], or 0 where there is none (RFC 3629: no surrogates, no
 * overlong forms). */
static size_t utf8_length(str text, size_t at)
{
    const unsigned char *s = (const unsigned char *)text.data + at;
    size_t left = text.size - at;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t length;

    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        length = 2;
    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        length = 3;
        low = s[0] == 0xe0 ? 0xa0 : low;
        high = s[0] == 0xed ? 0x9f : high;
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        length = 4;
        low = s[0] == 0xf0 ? 0x90 : low;
        high = s[0] == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (left < length || s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

static void add_escape(buf *out, unsigned char c)
{
    static const char letters[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

    if (c == '"' || c == '\\') {
        buf_add_char(out, '\\');
        buf_add_char(out, (char)c);
    } else if (letters[c] != '\0') {
        buf_add_char(out, '\\');
        buf_add_char(out, letters[c]);
    } else {
        buf_printf(out, "\\u%04x", c);
    }
}

void json_quote(buf *out, str text)
{
    size_t plain = 0; /* start of what can be copied as it is */
    size_t at = 0;

    buf_add_char(out, '"');
    while (at < text.size) {
        unsigned char c = (unsigned char)text.data[at];
        size_t length = 1;

        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            at++;
            continue;
        }
        if (c >= 0x80) {
            length = utf8_length(text, at);
            if (length > 0) {
                at += length;
                continue;
            }
        }
        buf_add(out, text.data + plain, at - plain);
        if (c >= 0x80) {
            buf_add_c(out, "\xef\xbf\xbd");
        } else {
            add_escape(out, c);
        }
        at++;
        plain = at;
    }
    if (at > plain) {
        buf_add(out, text.data + plain, at - plain);
    }
    buf_add_char(out, '"');
}

/* --- numbers --- */

/* Digits by hand: results of millions of rows go through here. */
static void add_uint(buf *out, uint64_t value, bool negative)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if (negative) {
        digits[--at] = '-';
    }
    buf_add(out, digits + at, sizeof(digits) - at);
}

/* A point and `places` digits. */
static void add_decimals(buf *out, uint64_t value, int places)
{
    char text[24];

    text[0] = '.';
    for (int i = places; i > 0; i--) {
        text[i] = (char)('0' + value % 10);
        value /= 10;
    }
    buf_add(out, text, (size_t)places + 1);
}

/* Whole numbers below have at most 15 digits: every one of them reads back. */
#define EXACT_LIMIT 1e15

/* Numbers with few decimals, as amounts of money have: k / 10^places with k below 10^15 is
 * correctly rounded by one division, so its digits read back. */
static bool add_short_decimal(buf *out, double value)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    double magnitude = fabs(value);

    for (int places = 0; places < (int)COUNT_OF(powers); places++) {
        double scaled = rint(magnitude * powers[places]);
        uint64_t power = (uint64_t)powers[places];
        uint64_t digits;

        if (scaled >= EXACT_LIMIT) {
            return false;
        }
        if (scaled / powers[places] < magnitude || scaled / powers[places] > magnitude) {
            continue;
        }
        digits = (uint64_t)scaled;
        add_uint(out, digits / power, signbit(value) != 0);
        add_decimals(out, digits % power, places > 0 ? places : 1);
        return true;
    }
    return false;
}

/* True where the text reads back as the same value. */
static bool print_double(double value, int digits, char *text, size_t size)
{
    int length = snprintf(text, size, "%.*g", digits, value);
    double back;

    for (int i = 0; i < length; i++) {
        text[i] = text[i] == ',' ? '.' : text[i]; /* the locale's decimal point */
    }
    return str_to_double(str_c(text), &back, NULL) == STATUS_OK &&
           memcmp(&back, &value, sizeof(back)) == 0;
}

static void add_double(buf *out, double value)
{
    char text[40];
    char shorter[40];

    if (isnan(value)) {
        buf_add_c(out, "\"NaN\"");
        return;
    }
    if (isinf(value)) {
        buf_add_c(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    if (add_short_decimal(out, value)) {
        return;
    }
    /* 17 digits always do, 15 often; most that are left need 16 or 17. */
    if (!print_double(value, 16, text, sizeof(text))) {
        (void)print_double(value, 17, text, sizeof(text));
    } else if (print_double(value, 15, shorter, sizeof(shorter))) {
        memcpy(text, shorter, sizeof(text));
    }
    buf_add_c(out, text);
    if (strpbrk(text, ".e") == NULL) {
        buf_add_c(out, ".0");
    }
}

/* --- the writer --- */

void json_writer_init(json_writer *w, buf *out)
{
    *w = (json_writer){.out = out, .needs_comma = false};
}

static void before_value(json_writer *w)
{
    if (w->needs_comma) {
        buf_add_char(w->out, ',');
    }
    w->needs_comma = true;
}

static void begin(json_writer *w, char bracket)
{
    before_value(w);
    buf_add_char(w->out, bracket);
    w->needs_comma = false;
}

static void end(json_writer *w, char bracket)
{
    buf_add_char(w->out, bracket);
    w->needs_comma = true;
}

void json_begin_object(json_writer *w)
{
    begin(w, '{');
}

void json_end_object(json_writer *w)
{
    end(w, '}');
}

void json_begin_array(json_writer *w)
{
    begin(w, '[');
}

void json_end_array(json_writer *w)
{
    end(w, ']');
}

void json_key_str(json_writer *w, str key)
{
    before_value(w);
    json_quote(w->out, key);
    buf_add_char(w->out, ':');
    w->needs_comma = false;
}

void json_key(json_writer *w, const char *key)
{
    json_key_str(w, str_c(key));
}

void json_put_raw(json_writer *w, str json_text)
{
    before_value(w);
    buf_add_str(w->out, json_text);
}

void json_put_null(json_writer *w)
{
    json_put_raw(w, STR("null"));
}

void json_put_bool(json_writer *w, bool value)
{
    json_put_raw(w, value ? STR("true") : STR("false"));
}

void json_put_int(json_writer *w, int64_t value)
{
    before_value(w);
    add_uint(w->out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

void json_put_uint(json_writer *w, uint64_t value)
{
    before_value(w);
    add_uint(w->out, value, false);
}

void json_put_double(json_writer *w, double value)
{
    before_value(w);
    add_double(w->out, value);
}

void json_put_str(json_writer *w, str value)
{
    before_value(w);
    json_quote(w->out, value);
}

void json_put_c(json_writer *w, const char *value)
{
    json_put_str(w, str_c(value));
}

void json_put_value(json_writer *w, const json *value)
{
    str key;
    const json *member;

    switch (json_kind_of(value)) {
    case JSON_BOOL:
        json_put_bool(w, value->u.boolean);
        break;
    case JSON_INT64:
        json_put_int(w, value->u.integer);
        break;
    case JSON_DOUBLE:
        if (value->u.number.digits != NULL) {
            json_put_raw(w, str_c(value->u.number.digits));
        } else {
            json_put_double(w, value->u.number.value);
        }
        break;
    case JSON_STR:
        json_put_str(w, value->u.text);
        break;
    case JSON_ARRAY:
        json_begin_array(w);
        for (size_t i = 0; i < json_count(value); i++) {
            json_put_value(w, json_at(value, i));
        }
        json_end_array(w);
        break;
    case JSON_OBJECT:
        json_begin_object(w);
        for (size_t at = 0; json_next_member(value, &at, &key, &member);) {
            json_key_str(w, key);
            json_put_value(w, member);
        }
        json_end_object(w);
        break;
    default:
        json_put_null(w);
        break;
    }
}

void json_format(const json *value, buf *out)
{
    json_writer w;

    json_writer_init(&w, out);
    json_put_value(&w, value);
}

/* --- key and value in one line --- */

void json_member_str(json_writer *w, const char *key, str value)
{
    json_key(w, key);
    json_put_str(w, value);
}

void json_member_c(json_writer *w, const char *key, const char *value)
{
    json_key(w, key);
    json_put_c(w, value);
}

void json_member_int(json_writer *w, const char *key, int64_t value)
{
    json_key(w, key);
    json_put_int(w, value);
}

void json_member_bool(json_writer *w, const char *key, bool value)
{
    json_key(w, key);
    json_put_bool(w, value);
}

void json_member_double(json_writer *w, const char *key, double value)
{
    json_key(w, key);
    json_put_double(w, value);
}

void json_member_null(json_writer *w, const char *key)
{
    json_key(w, key);
    json_put_null(w);
}

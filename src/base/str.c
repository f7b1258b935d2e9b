/* Views of text: comparing, finding, cutting, copying. Numbers are in str_number.c, hashing and the
 * nearest name in str_hash.c and str_nearest.c, UTF-8 in utf8.c. */
#include "tarn/base/str.h"

#include <stdarg.h>

#include "internal.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool str_equal(str a, str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool str_equal_nocase(str a, str b)
{
    if (a.size != b.size) {
        return false;
    }
    for (size_t i = 0; i < a.size; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

int str_compare(str a, str b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

bool str_starts_with(str s, str prefix)
{
    return s.size >= prefix.size && str_equal(str_slice(s, 0, prefix.size), prefix);
}

bool str_ends_with(str s, str suffix)
{
    return s.size >= suffix.size && str_equal(str_slice(s, s.size - suffix.size, s.size), suffix);
}

bool str_starts_with_nocase(str s, str prefix)
{
    return s.size >= prefix.size && str_equal_nocase(str_slice(s, 0, prefix.size), prefix);
}

str str_slice(str s, size_t from, size_t to)
{
    if (to > s.size) {
        to = s.size;
    }
    if (from > to) {
        from = to;
    }
    if (s.data == NULL) {
        return STR_NULL;
    }
    return str_from(s.data + from, to - from);
}

str str_trim(str s)
{
    size_t from = 0;
    size_t to = s.size;

    while (from < to && is_space(s.data[from])) {
        from++;
    }
    while (to > from && is_space(s.data[to - 1])) {
        to--;
    }
    return str_slice(s, from, to);
}

size_t str_find_char(str s, char c)
{
    const char *found = s.size > 0 ? memchr(s.data, c, s.size) : NULL;

    return found != NULL ? (size_t)(found - s.data) : STR_NPOS;
}

size_t str_find_last_char(str s, char c)
{
    const char *found = s.size > 0 ? memrchr(s.data, c, s.size) : NULL;

    return found != NULL ? (size_t)(found - s.data) : STR_NPOS;
}

size_t str_find(str s, str needle)
{
    const char *found;

    if (needle.size == 0) {
        return 0;
    }
    if (needle.size > s.size) {
        return STR_NPOS;
    }
    found = memmem(s.data, s.size, needle.data, needle.size);
    return found != NULL ? (size_t)(found - s.data) : STR_NPOS;
}

str str_cut(str s, char c, str *rest)
{
    size_t at = str_find_char(s, c);

    if (at == STR_NPOS) {
        *rest = STR_NULL;
        return s;
    }
    *rest = str_slice(s, at + 1, s.size);
    return str_slice(s, 0, at);
}

str str_copy(arena *a, str s)
{
    if (str_is_null(s)) {
        return STR_NULL;
    }
    return str_from(arena_strndup(a, s.data, s.size), s.size);
}

char *str_to_c(arena *a, str s)
{
    return arena_strndup(a, s.data, s.size);
}

str str_concat(arena *a, str first, str second)
{
    char *text = arena_alloc(a, first.size + second.size + 1);

    if (first.size > 0) {
        memcpy(text, first.data, first.size);
    }
    if (second.size > 0) {
        memcpy(text + first.size, second.data, second.size);
    }
    return str_from(text, first.size + second.size);
}

static str mapped(arena *a, str s, char (*change)(char c))
{
    char *text;

    if (str_is_null(s)) {
        return STR_NULL;
    }
    text = arena_alloc(a, s.size + 1);
    for (size_t i = 0; i < s.size; i++) {
        text[i] = change(s.data[i]);
    }
    return str_from(text, s.size);
}

str str_lower(arena *a, str s)
{
    return mapped(a, s, lower);
}

str str_upper(arena *a, str s)
{
    return mapped(a, s, upper);
}

str str_printf(arena *a, const char *format, ...)
{
    va_list args;
    size_t size;
    char *text;

    va_start(args, format);
    text = base__arena_vprintf(a, format, args, &size);
    va_end(args);
    return str_from(text, size);
}

str str_to_hex(arena *a, const void *bytes, size_t size_bytes)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    char *text = arena_alloc(a, mem_product(size_bytes, 2) + 1);

    for (size_t i = 0; i < size_bytes; i++) {
        text[2 * i] = digits[from[i] >> 4];
        text[2 * i + 1] = digits[from[i] & 15];
    }
    return str_from(text, 2 * size_bytes);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (lower(c) >= 'a' && lower(c) <= 'f') {
        return lower(c) - 'a' + 10;
    }
    return -1;
}

status str_from_hex(arena *a, str hex, str *ret_bytes, error *err)
{
    char *bytes;

    if (hex.size % 2 != 0) {
        return error_set(err, STATUS_INVALID, "hex text has an odd number of digits");
    }
    bytes = arena_alloc(a, hex.size / 2 + 1);
    for (size_t i = 0; i < hex.size; i += 2) {
        int high = hex_value(hex.data[i]);
        int low = hex_value(hex.data[i + 1]);

        if (high < 0 || low < 0) {
            return error_set(err, STATUS_INVALID,
                             "hex text has a character that is not a digit at %zu",
                             high < 0 ? i : i + 1);
        }
        bytes[i / 2] = (char)(high * 16 + low);
    }
    *ret_bytes = str_from(bytes, hex.size / 2);
    return STATUS_OK;
}

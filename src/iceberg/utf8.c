/* utf8.c: texts by code points: prefixes, and the least text above all that share a prefix. */
#include "internal.h"

/* Bytes of the code point that starts here, by its first byte; what is no UTF-8 counts one byte. */
static size_t point_size(str text, size_t at)
{
    uint8_t first = (uint8_t)text.data[at];
    size_t size = first < 0x80 ? 1 : first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (size > text.size - at) {
        return 1;
    }
    for (size_t i = 1; i < size; i++) {
        if (((uint8_t)text.data[at + i] & 0xc0) != 0x80) {
            return 1;
        }
    }
    return size;
}

size_t ice__utf8_prefix(str text, size_t count)
{
    size_t at = 0;

    while (count > 0 && at < text.size) {
        at += point_size(text, at);
        count--;
    }
    return at;
}

size_t ice__utf8_count(str text)
{
    size_t count = 0;

    for (size_t at = 0; at < text.size; at += point_size(text, at)) {
        count++;
    }
    return count;
}

static uint32_t decode(const uint8_t *p, size_t size)
{
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = p[0] & masks[size];

    for (size_t i = 1; i < size; i++) {
        point = (point << 6) | (p[i] & 0x3fU);
    }
    return point;
}

static size_t encode(uint32_t point, char *ret_bytes)
{
    static const uint8_t marks[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    for (size_t i = size - 1; i > 0; i--) {
        ret_bytes[i] = (char)(uint8_t)(0x80U | (point & 0x3fU));
        point >>= 6;
    }
    ret_bytes[0] = (char)(uint8_t)(marks[size] | point);
    return size;
}

bool ice__utf8_successor(str text, arena *a, str *ret_text)
{
    size_t end = text.size;

    if (!str_is_utf8(text)) {
        return false;
    }
    while (end > 0) {
        size_t start = end - 1;
        uint32_t point;

        while (start > 0 && ((uint8_t)text.data[start] & 0xc0) == 0x80) {
            start--;
        }
        point = decode((const uint8_t *)text.data + start, end - start);
        if (point < 0x10ffff) {
            char *made = arena_alloc(a, start + 5);
            size_t size;

            /* Surrogates are no characters: the next one after 0xd7ff is 0xe000. */
            point = point == 0xd7ff ? 0xe000 : point + 1;
            memcpy(made, text.data, start);
            size = encode(point, made + start);
            *ret_text = str_from(made, start + size);
            return true;
        }
        end = start;
    }
    return false;
}

bool ice__bytes_successor(str bytes, arena *a, str *ret_bytes)
{
    for (size_t end = bytes.size; end > 0; end--) {
        if ((uint8_t)bytes.data[end - 1] != 0xff) {
            char *made = arena_alloc(a, end);

            memcpy(made, bytes.data, end);
            made[end - 1] = (char)(uint8_t)((uint8_t)made[end - 1] + 1);
            *ret_bytes = str_from(made, end);
            return true;
        }
    }
    return false;
}

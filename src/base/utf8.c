/* UTF-8, by the table of well-formed sequences in the Unicode standard (section 3.9, table 3-7). */
#include "internal.h"

/* The ranges of the second byte; third and fourth are always 80 … BF. */
static const struct {
    unsigned char first_from, first_to;
    unsigned char second_from, second_to;
    unsigned char length;
} sequences[] = {
    {0x00, 0x7F, 0x00, 0x00, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t base__utf8_length(str s, size_t at)
{
    const unsigned char *bytes = (const unsigned char *)s.data;

    if (at >= s.size) {
        return 0;
    }
    for (size_t i = 0; i < COUNT_OF(sequences); i++) {
        size_t length = sequences[i].length;

        if (bytes[at] < sequences[i].first_from || bytes[at] > sequences[i].first_to) {
            continue;
        }
        if (length > s.size - at) {
            return 0;
        }
        if (length > 1 &&
            (bytes[at + 1] < sequences[i].second_from || bytes[at + 1] > sequences[i].second_to)) {
            return 0;
        }
        for (size_t k = 2; k < length; k++) {
            if (!is_continuation(bytes[at + k])) {
                return 0;
            }
        }
        return length;
    }
    return 0;
}

size_t base__utf8_cut(const char *text, size_t size)
{
    size_t start = size;

    /* Back to the first byte of the last character, at most three bytes away. */
    while (start > 0 && size - start < 3 && is_continuation((unsigned char)text[start - 1])) {
        start--;
    }
    if (start == 0 || (unsigned char)text[start - 1] < 0xC0) {
        return size;
    }
    start--;
    return base__utf8_length(str_from(text, size), start) == 0 ? start : size;
}

bool str_is_utf8(str s)
{
    for (size_t at = 0; at < s.size;) {
        size_t length = base__utf8_length(s, at);

        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

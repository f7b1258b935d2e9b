/* What kind of place output goes to, and how wide text is there. */
#include "terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool terminal_is(int fd)
{
    return isatty(fd) == 1;
}

int terminal_width(int fd)
{
    struct winsize size = {0};

    if (!terminal_is(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0) {
        return 0;
    }
    return size.ws_col;
}

int terminal_height(int fd)
{
    struct winsize size = {0};

    if (!terminal_is(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0) {
        return 0;
    }
    return size.ws_row;
}

bool terminal_color(int fd, str when)
{
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");

    if (str_equal(when, STR("always"))) {
        return true;
    }
    if (str_equal(when, STR("never")) || (no_color != NULL && no_color[0] != '\0')) {
        return false;
    }
    return terminal_is(fd) && term != NULL && strcmp(term, "dumb") != 0;
}

/* ---- width ---- */

typedef struct code_range {
    uint32_t first, last;
} code_range;

/* Unicode: marks that add nothing to the width (Mn, Me, Cf of the common blocks). */
static const code_range zero_wide[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd},   {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064},   {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
};
/* Unicode: East Asian Width W and F, and emoji. */
static const code_range double_wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2e80, 0x303e},
    {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe4f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
    {0x20000, 0x3fffd},
};

static bool in_ranges(uint32_t code, const code_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

/* One character's bytes and columns. Bytes that are no UTF-8 count one each. */
static size_t next_character(str text, size_t at, int *ret_width)
{
    const unsigned char *bytes = (const unsigned char *)text.data + at;
    size_t left = text.size - at;
    size_t size = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    uint32_t code = size == 1 ? bytes[0] : bytes[0] & (0xffu >> (size + 1));

    *ret_width = 1;
    if (size == 1) {
        return 1;
    }
    if (size > left || bytes[0] < 0xc0) {
        return 1;
    }
    for (size_t i = 1; i < size; i++) {
        code = (code << 6) | (bytes[i] & 0x3fu);
    }
    if (in_ranges(code, zero_wide, COUNT_OF(zero_wide))) {
        *ret_width = 0;
    } else if (code >= 0x1100 && in_ranges(code, double_wide, COUNT_OF(double_wide))) {
        *ret_width = 2;
    }
    return size;
}

int text_width(str text)
{
    int total = 0;
    int width;

    for (size_t at = 0; at < text.size;) {
        at += next_character(text, at, &width);
        total += width;
    }
    return total;
}

str text_fit(str text, int width)
{
    int total = 0;
    int next;

    for (size_t at = 0; at < text.size;) {
        size_t size = next_character(text, at, &next);
        if (total + next > width) {
            return str_slice(text, 0, at);
        }
        total += next;
        at += size;
    }
    return text;
}

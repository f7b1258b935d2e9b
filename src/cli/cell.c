/* One value of a result: from the server's JSON to text, CSV, TSV and Markdown. */
#include "cell.h"

#include <stdint.h>

bool cell_is_null(str cell)
{
    return str_equal(cell, STR("null"));
}

/* ---- strings ---- */

static uint32_t hex4(const char *at)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit =
            c >= '0' && c <= '9' ? (uint32_t)(c - '0') : ((uint32_t)c | 0x20) - 'a' + 10;
        value = value << 4 | (digit & 15);
    }
    return value;
}

static void add_utf8(buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_add_char(out, (char)code);
    } else if (code < 0x800) {
        buf_add_char(out, (char)(0xc0 | code >> 6));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        buf_add_char(out, (char)(0xe0 | code >> 12));
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    } else {
        buf_add_char(out, (char)(0xf0 | code >> 18));
        buf_add_char(out, (char)(0x80 | (code >> 12 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    }
}

/* \uXXXX, with its other half where it is the first of two. Returns what it took. */
static size_t add_unicode(buf *out, str text, size_t at)
{
    if (at + 6 > text.size) {
        return text.size - at;
    }
    uint32_t code = hex4(text.data + at + 2);
    size_t took = 6;
    if (code >= 0xd800 && code < 0xdc00 && at + 12 <= text.size && text.data[at + 6] == '\\') {
        uint32_t low = hex4(text.data + at + 8);
        code = 0x10000 + ((code - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
        took = 12;
    }
    add_utf8(out, code);
    return took;
}

static void add_string(buf *out, str inside)
{
    static const char escapes[] = "b\bf\fn\nr\rt\t";
    size_t at = 0;

    while (at < inside.size) {
        const char *escape = memchr(inside.data + at, '\\', inside.size - at);
        size_t plain = escape == NULL ? inside.size - at : (size_t)(escape - inside.data) - at;
        buf_add(out, inside.data + at, plain);
        at += plain;
        if (at + 1 >= inside.size) {
            break;
        }
        char kind = inside.data[at + 1];
        if (kind == 'u') {
            at += add_unicode(out, inside, at);
            continue;
        }
        for (size_t i = 0; i + 1 < sizeof(escapes); i += 2) {
            if (escapes[i] == kind) {
                kind = escapes[i + 1];
                break;
            }
        }
        buf_add_char(out, kind);
        at += 2;
    }
}

static bool is_string(str cell)
{
    return cell.size >= 2 && cell.data[0] == '"';
}

void cell_add_text(buf *out, str cell)
{
    if (is_string(cell)) {
        add_string(out, str_slice(cell, 1, cell.size - 1));
    } else if (!cell_is_null(cell)) {
        buf_add_str(out, cell);
    }
}

/* The cell's text; `scratch` holds it where it had to be unescaped. */
static str plain_text(str cell, buf *scratch)
{
    if (is_string(cell) && memchr(cell.data, '\\', cell.size) == NULL) {
        return str_slice(cell, 1, cell.size - 1);
    }
    buf_clear(scratch);
    cell_add_text(scratch, cell);
    return buf_str(scratch);
}

static void add_by(buf *out, str cell, void (*add)(buf *out, str text))
{
    buf scratch;

    buf_init(&scratch, SIZE_MAX / 2);
    add(out, plain_text(cell, &scratch));
    buf_release(&scratch);
}

/* ---- for people ---- */

void text_add_visible(buf *out, str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != 0x7f) {
            buf_add_char(out, (char)c);
        } else if (c == '\n') {
            buf_add_c(out, "\\n");
        } else if (c == '\t') {
            buf_add_c(out, "\\t");
        } else if (c == '\r') {
            buf_add_c(out, "\\r");
        } else {
            buf_printf(out, "\\x%02x", c);
        }
    }
}

void cell_add_visible(buf *out, str cell)
{
    if (cell_is_null(cell)) {
        buf_add_c(out, "NULL");
    } else {
        add_by(out, cell, text_add_visible);
    }
}

void text_add_md(buf *out, str text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '|' || text.data[i] == '\\') {
            buf_add_char(out, '\\');
            buf_add_char(out, text.data[i]);
        } else if (text.data[i] == '\n') {
            buf_add_c(out, "<br>");
        } else {
            text_add_visible(out, str_slice(text, i, i + 1));
        }
    }
}

void cell_add_md(buf *out, str cell)
{
    if (cell_is_null(cell)) {
        buf_add_c(out, "NULL");
    } else {
        add_by(out, cell, text_add_md);
    }
}

/* ---- for programs ---- */

void text_add_csv(buf *out, str text)
{
    bool quote = text.size == 0;

    for (size_t i = 0; i < text.size && !quote; i++) {
        quote = text.data[i] == '"' || text.data[i] == ',' || text.data[i] == '\n' ||
                text.data[i] == '\r';
    }
    if (!quote) {
        buf_add_str(out, text);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"') {
            buf_add_char(out, '"');
        }
        buf_add_char(out, text.data[i]);
    }
    buf_add_char(out, '"');
}

void cell_add_csv(buf *out, str cell)
{
    if (!cell_is_null(cell)) {
        add_by(out, cell, text_add_csv);
    }
}

void text_add_tsv(buf *out, str text)
{
    if (text.size == 0) {
        buf_add_c(out, "\"\"");
    } else if (text.data[0] ==
               '"') { /* it would be taken for the beginning of a quoted value, or for "" */
        buf_add_char(out, '\\');
    }
    for (size_t i = 0; i < text.size; i++) {
        switch (text.data[i]) {
        case '\t':
            buf_add_c(out, "\\t");
            break;
        case '\n':
            buf_add_c(out, "\\n");
            break;
        case '\r':
            buf_add_c(out, "\\r");
            break;
        case '\\':
            buf_add_c(out, "\\\\");
            break;
        default:
            buf_add_char(out, text.data[i]);
        }
    }
}

void cell_add_tsv(buf *out, str cell)
{
    if (!cell_is_null(cell)) {
        add_by(out, cell, text_add_tsv);
    }
}

/* ---- splitting ---- */

/* Behind the string that begins at `at`. */
static size_t skip_string(str text, size_t at)
{
    for (at++; at < text.size; at++) {
        if (text.data[at] == '\\') {
            at++;
        } else if (text.data[at] == '"') {
            return at + 1;
        }
    }
    return text.size;
}

bool cell_split(str array, str *ret_cells, size_t count_max, size_t *ret_count)
{
    size_t count = 0;
    int depth = 0;
    size_t start = 1;

    array = str_trim(array);
    if (array.size < 2 || array.data[0] != '[' || array.data[array.size - 1] != ']') {
        return false;
    }
    for (size_t at = 0; at < array.size;) {
        char c = array.data[at];
        if (c == '"') {
            at = skip_string(array, at);
            continue;
        }
        depth += c == '[' || c == '{' ? 1 : 0;
        depth -= c == ']' || c == '}' ? 1 : 0;
        if ((c == ',' && depth == 1) || depth == 0) {
            str cell = str_trim(str_slice(array, start, at));
            if (cell.size > 0 || depth != 0 || count > 0) {
                if (count == count_max) {
                    return false;
                }
                ret_cells[count++] = cell;
            }
            start = at + 1;
        }
        at++;
    }
    *ret_count = count;
    return depth == 0;
}

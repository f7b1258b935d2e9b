/* XML text: elements one behind the other, without white space between them, as S3 writes them. */
#include "tarn/base/clock.h"
#include "tarn/codec/xml.h"

void xml_begin_document(buf *out, const char *root, const char *xmlns)
{
    buf_add_c(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
    buf_add_c(out, root);
    if (xmlns != NULL) {
        buf_add_c(out, " xmlns=\"");
        buf_add_c(out, xmlns);
        buf_add_char(out, '"');
    }
    buf_add_char(out, '>');
}

void xml_open(buf *out, const char *name)
{
    buf_add_char(out, '<');
    buf_add_c(out, name);
    buf_add_char(out, '>');
}

void xml_close(buf *out, const char *name)
{
    buf_add_c(out, "</");
    buf_add_c(out, name);
    buf_add_char(out, '>');
}

/* What stands for a byte below 0x80; NULL where it stands for itself. A carriage return written as it is would be read
 * as a line feed. */
static const char *escape_of(uint8_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\r':
        return "&#13;";
    case '\n':
    case '\t':
        return NULL;
    default:
        return c < 0x20 ? "?" : NULL;
    }
}

/* The size of the character that begins at `at`, or 0 where there is none that XML 1.0 can hold. */
static size_t character_size(str text, size_t at)
{
    uint8_t lead = (uint8_t)text.data[at];
    size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    str bytes = str_slice(text, at, at + size);

    if (!str_is_utf8(bytes) || str_equal(bytes, STR("\xef\xbf\xbe")) ||
        str_equal(bytes, STR("\xef\xbf\xbf"))) {
        return 0;
    }
    return size;
}

static void add_escaped(buf *out, str text)
{
    size_t plain = 0; /* where bytes begin that stand for themselves */
    size_t at = 0;

    while (at < text.size) {
        uint8_t c = (uint8_t)text.data[at];
        const char *instead = NULL;
        size_t size = 1;

        if (c < 0x80) {
            instead = escape_of(c);
        } else {
            size = character_size(text, at);
            instead = size == 0 ? "?" : NULL;
            size = size == 0 ? 1 : size;
        }
        if (instead != NULL) {
            buf_add_str(out, str_slice(text, plain, at));
            buf_add_c(out, instead);
            plain = at + size;
        }
        at += size;
    }
    buf_add_str(out, str_slice(text, plain, text.size));
}

void xml_add_text(buf *out, const char *name, str value)
{
    xml_open(out, name);
    add_escaped(out, value);
    xml_close(out, name);
}

void xml_add_int(buf *out, const char *name, int64_t value)
{
    xml_open(out, name);
    buf_printf(out, "%lld", (long long)value);
    xml_close(out, name);
}

void xml_add_bool(buf *out, const char *name, bool value)
{
    xml_add_text(out, name, value ? STR("true") : STR("false"));
}

void xml_add_time(buf *out, const char *name, int64_t time_us)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(time_us, 3, text);
    xml_add_text(out, name, str_c(text));
}

/* The chunked coding of request bodies: framing out, data through. RFC 9112 §7.1 without its leniencies:
 * no blanks around sizes, every line ends in CR LF, size lines and trailers have a maximum. */
#include "http_parse.h"

enum { SIZE_DIGITS_MAX = 15 }; /* 2^60: no overflow of int64 */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
        return (c | 0x20) - 'a' + 10;
    }
    return -1;
}

static status bad_chunk(error *err, const char *reason)
{
    return error_set(err, STATUS_INVALID, "the chunked body is malformed: %s", reason);
}

static status take_size(http_chunked *d, char c, error *err)
{
    int digit = hex_digit(c);

    if (digit >= 0) {
        if (++d->digits > SIZE_DIGITS_MAX) {
            return bad_chunk(err, "a chunk size is too large");
        }
        d->left = d->left * 16 + digit;
        return STATUS_OK;
    }
    if (d->digits == 0) {
        return bad_chunk(err, "a chunk has no size");
    }
    if (c == ';') {
        d->state = CHUNK_EXTENSION;
    } else if (c == '\r') {
        d->state = CHUNK_SIZE_LF;
    } else {
        return bad_chunk(err, "a chunk size has a character that is no hexadecimal digit");
    }
    return STATUS_OK;
}

static status take_extension(http_chunked *d, char c, error *err)
{
    if (c == '\r') {
        d->state = CHUNK_SIZE_LF;
        return STATUS_OK;
    }
    if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f) {
        return bad_chunk(err, "a chunk extension has a control character");
    }
    return STATUS_OK;
}

static status take_size_end(http_chunked *d, char c, error *err)
{
    if (c != '\n') {
        return bad_chunk(err, "a size line does not end in CR LF");
    }
    d->digits = 0;
    d->line_size = 0;
    d->state = d->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
    return STATUS_OK;
}

/* Lines are only collected here; http__fields_parse judges them when the empty line came. */
static status take_trailer(http_chunked *d, char c, error *err)
{
    buf_add_char(d->trailer, c);
    TRY(buf_check(d->trailer, "the trailer section", err));
    d->line_size++;
    if (c != '\n') {
        return STATUS_OK;
    }
    if (d->trailer->size < 2 || d->trailer->data[d->trailer->size - 2] != '\r' ||
        d->line_size < 2) {
        return bad_chunk(err, "a trailer line does not end in CR LF");
    }
    if (d->line_size == 2) {
        d->state = CHUNK_END;
    }
    d->line_size = 0;
    return STATUS_OK;
}

static status take_byte(http_chunked *d, char c, error *err)
{
    switch (d->state) {
    case CHUNK_SIZE:
        return take_size(d, c, err);
    case CHUNK_EXTENSION:
        return take_extension(d, c, err);
    case CHUNK_SIZE_LF:
        return take_size_end(d, c, err);
    case CHUNK_DATA_CR:
        d->state = CHUNK_DATA_LF;
        return c == '\r' ? STATUS_OK : bad_chunk(err, "a chunk is longer than its size");
    case CHUNK_DATA_LF:
        d->state = CHUNK_SIZE;
        return c == '\n' ? STATUS_OK : bad_chunk(err, "a chunk does not end in CR LF");
    case CHUNK_TRAILER:
        return take_trailer(d, c, err);
    case CHUNK_DATA:
    case CHUNK_END:
        break;
    }
    return STATUS_OK;
}

status http__chunked_next(http_chunked *d, const char *bytes, size_t size, size_t *ret_used,
                          error *err)
{
    size_t used = 0;

    while (used < size && d->state != CHUNK_DATA && d->state != CHUNK_END) {
        if (d->state == CHUNK_SIZE || d->state == CHUNK_EXTENSION) {
            if (++d->line_size > HTTP_CHUNK_LINE_MAX) {
                return bad_chunk(err, "a size line is too long");
            }
        }
        TRY(take_byte(d, bytes[used], err));
        used++;
    }
    *ret_used = used;
    return STATUS_OK;
}

void http__chunked_took(http_chunked *d, size_t size)
{
    ASSERT(d->state == CHUNK_DATA && (int64_t)size <= d->left);
    d->left -= (int64_t)size;
    if (d->left == 0) {
        d->state = CHUNK_DATA_CR;
    }
}

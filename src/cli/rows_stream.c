/* The JSON answer of a query, taken apart while it arrives.
 *
 * Everything but the elements of the member "rows" is kept (`rest`), and is a document by itself: the
 * same answer without rows. An element of "rows" is collected, split and handed on.
 *
 * States: outside strings and inside them, at a depth; `in_rows` from the bracket that opens "rows" to
 * the one that closes it. */
#include "rows_stream.h"

#include "cell.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

struct rows_stream {
    arena *memory;
    rows_handler handler;
    buf *rest;
    buf *row;
    str *cells;
    size_t cell_capacity;
    int depth;
    bool in_string;
    bool escaped;
    bool in_rows;
    bool begun;
    size_t key_start, key_end; /* in rest: the last string at depth 1 */
};

rows_stream *rows_stream_create(arena *a, const rows_handler *handler)
{
    rows_stream *s = ARENA_NEW(a, rows_stream);

    s->memory = a;
    s->handler = *handler;
    s->rest = buf_in(a, LIMIT_JSON_BODY);
    s->row = buf_in(a, LIMIT_RESULT_IN_MEMORY);
    return s;
}

static status refuse(error *err)
{
    return error_set(err, STATUS_UNAVAILABLE, "the server's answer is not a query result");
}

static status begin(rows_stream *s, error *err)
{
    const json *head = NULL;
    str text = str_printf(s->memory, "%.*s]}", STR_ARG(buf_str(s->rest)));

    if (json_parse(text, s->memory, &head, NULL) != STATUS_OK) {
        return refuse(err);
    }
    s->begun = true;
    size_t columns = json_count(json_get(head, "columns"));
    s->cell_capacity = columns > 0 ? columns : 1;
    s->cells = ARENA_ARRAY(s->memory, str, s->cell_capacity);
    return s->handler.begin(s->handler.context, head, err);
}

static status end_row(rows_stream *s, error *err)
{
    size_t count = 0;

    TRY(buf_check(s->row, "row", err));
    if (!cell_split(buf_str(s->row), s->cells, s->cell_capacity, &count)) {
        return refuse(err);
    }
    status result = s->handler.row(s->handler.context, s->cells, count, err);
    buf_clear(s->row);
    return result;
}

static bool opens_rows(const rows_stream *s)
{
    str key = str_slice(buf_str(s->rest), s->key_start, s->key_end);
    return s->depth == 1 && str_equal(key, STR("\"rows\""));
}

static status on_bracket(rows_stream *s, char c, error *err)
{
    if (c == '[' || c == '{') {
        bool rows = c == '[' && !s->in_rows && opens_rows(s);
        s->depth++;
        buf_add_char(s->in_rows ? s->row : s->rest, c);
        s->in_rows = s->in_rows || rows;
        return rows ? begin(s, err) : STATUS_OK;
    }
    s->depth--;
    if (s->in_rows && s->depth == 1) {
        s->in_rows = false;
    }
    buf_add_char(s->in_rows ? s->row : s->rest, c);
    return s->in_rows && s->depth == 2 ? end_row(s, err) : STATUS_OK;
}

/* As much of a string as there is; returns what it took. */
static size_t take_string(rows_stream *s, const char *bytes, size_t size)
{
    size_t at = 0;

    for (; at < size && s->in_string; at++) {
        if (s->escaped) {
            s->escaped = false;
        } else if (bytes[at] == '\\') {
            s->escaped = true;
        } else if (bytes[at] == '"') {
            s->in_string = false;
        }
    }
    buf_add(s->in_rows ? s->row : s->rest, bytes, at);
    if (!s->in_string && !s->in_rows && s->depth == 1) {
        s->key_end = s->rest->size;
    }
    return at;
}

static status take_one(rows_stream *s, char c, error *err)
{
    switch (c) {
    case '"':
        s->in_string = true;
        if (!s->in_rows && s->depth == 1) {
            s->key_start = s->rest->size;
        }
        buf_add_char(s->in_rows ? s->row : s->rest, c);
        return STATUS_OK;
    case '[':
    case '{':
    case ']':
    case '}':
        return on_bracket(s, c, err);
    case ',':
        if (s->in_rows && s->depth == 2) {
            return STATUS_OK; /* between rows */
        }
        break;
    case ' ':
    case '\n':
    case '\r':
    case '\t':
        return STATUS_OK;
    default:
        break;
    }
    buf_add_char(s->in_rows ? s->row : s->rest, c);
    return STATUS_OK;
}

status rows_stream_feed(void *stream, const void *bytes, size_t size_bytes, error *err)
{
    rows_stream *s = stream;
    const char *text = bytes;

    for (size_t at = 0; at < size_bytes;) {
        if (s->in_string) {
            at += take_string(s, text + at, size_bytes - at);
            continue;
        }
        TRY(take_one(s, text[at], err));
        at++;
    }
    return buf_check(s->rest, "the server's answer", err);
}

status rows_stream_end(rows_stream *s, const json **ret_document, error *err)
{
    if (s->depth != 0 || s->in_string ||
        json_parse(buf_str(s->rest), s->memory, ret_document, NULL) != STATUS_OK || !s->begun) {
        return refuse(err);
    }
    return STATUS_OK;
}

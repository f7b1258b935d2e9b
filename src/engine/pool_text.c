/* Small texts of worker.h: names of formats, quoting. */
#include "tarn/engine/worker.h"

#include "tarn/codec/arrow.h"

typedef struct format_row {
    str name;
    const char *media_type;
} format_row;

static const format_row formats[] = {
    [RESULT_JSON_ROWS] = {STR_INIT("json"), "application/json"},
    [RESULT_JSON_OBJECTS] = {STR_INIT("objects"), "application/json"},
    [RESULT_JSONL] = {STR_INIT("jsonl"), "application/x-ndjson"},
    [RESULT_CSV] = {STR_INIT("csv"), "text/csv; charset=utf-8"},
    [RESULT_TSV] = {STR_INIT("tsv"), "text/tab-separated-values; charset=utf-8"},
    [RESULT_ARROW] = {STR_INIT("arrow"), ARROW_STREAM_MEDIA_TYPE},
    [RESULT_PARQUET] = {STR_INIT("parquet"), "application/vnd.apache.parquet"},
    [RESULT_NONE] = {STR_INIT(""), "application/octet-stream"},
};

bool result_format_from(str name, result_format *ret_format)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (name.size > 0 && str_equal(formats[i].name, name)) {
            *ret_format = (result_format)i;
            return true;
        }
    }
    return false;
}

const char *result_format_media_type(result_format format)
{
    return formats[format].media_type;
}

static void quote(buf *out, str text, char mark)
{
    buf_add_char(out, mark);
    for (str rest = text; rest.size > 0;) {
        size_t at = str_find_char(rest, mark);
        size_t size = at == STR_NPOS ? rest.size : at + 1;

        buf_add(out, rest.data, size);
        if (at != STR_NPOS) {
            buf_add_char(out, mark);
        }
        rest = str_slice(rest, size, rest.size);
    }
    buf_add_char(out, mark);
}

void sql_quote_name(buf *out, str name)
{
    quote(out, name, '"');
}

void sql_quote_text(buf *out, str text)
{
    quote(out, text, '\'');
}

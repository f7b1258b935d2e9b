/* DuckDB's messages about malformed CSV in tarn's words: which file, which line, which column, what is wrong. */
#include "worker/translate_csv.h"

#include "tarn/base/buf.h"
#include "tarn/base/limits.h"

/* Text between the first `before` and the next `after`; STR_NULL where there is none. */
static str between(str text, str before, str after)
{
    size_t start = str_find(text, before);
    if (start == STR_NPOS) {
        return STR_NULL;
    }
    str rest = str_slice(text, start + before.size, text.size);
    size_t end = str_find(rest, after);
    return end == STR_NPOS ? STR_NULL : str_slice(rest, 0, end);
}

/* "Expected Number of Columns: 2 Found: 3" */
static str wrong_count(arena *a, str text)
{
    str expected = between(text, STR("Expected Number of Columns: "), STR(" Found: "));
    str found = str_trim(between(text, STR(" Found: "), STR("\n")));

    int64_t wanted = 0, counted = 0;

    if (str_to_int64(expected, &wanted, NULL) != STATUS_OK ||
        str_to_int64(found, &counted, NULL) != STATUS_OK) {
        return STR_NULL;
    }
    if (counted > wanted) { /* DuckDB counts no further than one too many */
        return str_printf(a, "more than %.*s column%s found where %.*s %s expected",
                          STR_ARG(expected), wanted == 1 ? "" : "s", STR_ARG(expected),
                          wanted == 1 ? "is" : "are");
    }
    return str_printf(a, "%.*s column%s found where %.*s are expected", STR_ARG(found),
                      counted == 1 ? "" : "s", STR_ARG(expected));
}

/* "Could not convert string "x" to 'BIGINT'" */
static str wrong_value(arena *a, str text)
{
    str column = between(text, STR("Error when converting column \""), STR("\". Could not"));
    str value = between(text, STR("Could not convert string \""), STR("\" to '"));
    str type = between(text, STR("\" to '"), STR("'"));

    return str_is_null(value) || str_is_null(type)
               ? STR_NULL
               : str_printf(a, "column \"%.*s\": \"%.*s\" is no %.*s", STR_ARG(column),
                            STR_ARG(value), STR_ARG(type));
}

static str open_quote(arena *a, str text)
{
    (void)a;
    return str_find(text, STR("unterminated quote")) == STR_NPOS ? STR_NULL
                                                                 : STR("a quote is not closed");
}

static str stray_quote(arena *a, str text)
{
    (void)a;
    return str_find(text, STR("quote should be followed by")) == STR_NPOS
               ? STR_NULL
               : STR("a closing quote is followed by something else than a delimiter");
}

static str not_utf8(arena *a, str text)
{
    (void)a;
    return str_find(text, STR("Invalid unicode")) == STR_NPOS ? STR_NULL
                                                              : STR("the text is not UTF-8");
}

static str too_long(arena *a, str text)
{
    (void)a;
    return str_find(text, STR("Maximum line size")) == STR_NPOS
               ? STR_NULL
               : STR("the line is longer than 2 MiB");
}

static str (*const causes[])(arena *a, str text) = {wrong_value, wrong_count, open_quote,
                                                    stray_quote, not_utf8,    too_long};

static str base_name(str path)
{
    size_t slash = str_find_last_char(path, '/');
    return slash == STR_NPOS ? path : str_slice(path, slash + 1, path.size);
}

#define LINE_SHOWN_BYTES ((size_t)200)

bool worker__word_csv(arena *a, str text, str *ret_message, str *ret_detail)
{
    str line = between(text, STR("CSV Error on Line: "), STR("\n"));
    str file = base_name(str_trim(between(text, STR("\n  file = "), STR("\n"))));
    str cause = STR_NULL;

    if (str_is_null(line)) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(causes) && str_is_null(cause); i++) {
        cause = causes[i](a, text);
    }
    if (str_is_null(cause)) {
        return false;
    }
    buf *message = buf_in(a, LIMIT_MIB);
    if (file.size > 0) {
        buf_printf(message, "file \"%.*s\", ", STR_ARG(file));
    }
    buf_printf(message, "line %.*s%s %.*s", STR_ARG(str_trim(line)),
               str_starts_with(cause, STR("column \"")) ? "," : ":", STR_ARG(cause));
    *ret_message = buf_str(message);
    str original = between(text, STR("Original Line: "), STR("\n"));
    size_t shown = original.size < LINE_SHOWN_BYTES ? original.size : LINE_SHOWN_BYTES;
    while (shown < original.size && ((unsigned char)original.data[shown] & 0xc0) == 0x80) {
        shown--; /* whole characters */
    }
    *ret_detail = original.size > 0 ? str_printf(a, "The line is: %.*s%s", (int)shown,
                                                 original.data, shown < original.size ? "…" : "")
                                    : STR_NULL;
    return true;
}

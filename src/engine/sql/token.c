/* The scanner. Each scan_… function is called at the first byte of its token and returns the
 * position behind it. */
#include "sql/token.h"

#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

typedef struct scanner {
    str sql;
    size_t at;
    error *err;
} scanner;

static unsigned char byte_at(const scanner *s, size_t index)
{
    return index < s->sql.size ? (unsigned char)s->sql.data[index] : 0;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_word(unsigned char c)
{
    return is_letter(c) || is_digit(c) || c == '$';
}

static bool is_hex(unsigned char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static status fail(const scanner *s, size_t position, const char *what)
{
    error_set(s->err, STATUS_SYNTAX, "%s", what);
    if (s->err != NULL) {
        s->err->position = (int)position;
    }
    return STATUS_SYNTAX;
}

/* Length of white space at `index`: ASCII, or one of the Unicode spaces that DuckDB takes for a
 * blank. */
static size_t space_size(const scanner *s, size_t index)
{
    unsigned char c = byte_at(s, index);
    if (index < s->sql.size && (c == ' ' || (c >= '\t' && c <= '\r'))) {
        return 1;
    }
    if (c == 0xc2 && byte_at(s, index + 1) == 0xa0) {
        return 2;
    }
    unsigned char second = byte_at(s, index + 1), third = byte_at(s, index + 2);
    if (c == 0xe2 && second == 0x80 && ((third >= 0x80 && third <= 0x8d) || third == 0xaf)) {
        return 3;
    }
    if ((c == 0xe2 && second == 0x81 && third == 0x9f) ||
        (c == 0xe3 && second == 0x80 && third == 0x80) ||
        (c == 0xef && second == 0xbb && third == 0xbf)) {
        return 3;
    }
    return 0;
}

/* Skips white space and comments; block comments nest. */
static status skip_blank(scanner *s)
{
    for (;;) {
        size_t space = space_size(s, s->at);
        if (space > 0) {
            s->at += space;
        } else if (byte_at(s, s->at) == '-' && byte_at(s, s->at + 1) == '-') {
            while (s->at < s->sql.size && byte_at(s, s->at) != '\n' && byte_at(s, s->at) != '\r') {
                s->at++;
            }
        } else if (byte_at(s, s->at) == '/' && byte_at(s, s->at + 1) == '*') {
            size_t start = s->at, depth = 1;
            s->at += 2;
            while (depth > 0) {
                if (s->at >= s->sql.size) {
                    return fail(s, start, "unterminated comment");
                }
                if (byte_at(s, s->at) == '*' && byte_at(s, s->at + 1) == '/') {
                    depth--;
                    s->at += 2;
                } else if (byte_at(s, s->at) == '/' && byte_at(s, s->at + 1) == '*') {
                    depth++;
                    s->at += 2;
                } else {
                    s->at++;
                }
            }
        } else {
            return STATUS_OK;
        }
    }
}

/* From the opening quote; a doubled quote is part of the text, and with `backslash` so is a
 * quote behind one. */
static status scan_quoted(scanner *s, unsigned char quote, bool backslash, const char *unterminated)
{
    size_t start = s->at;
    for (s->at++; s->at < s->sql.size; s->at++) {
        if (backslash && byte_at(s, s->at) == '\\') {
            s->at++;
        } else if (byte_at(s, s->at) == quote) {
            s->at++;
            if (byte_at(s, s->at) != quote) {
                return STATUS_OK;
            }
        }
    }
    s->at = s->sql.size;
    return fail(s, start, unterminated);
}

/* $$text$$, $tag$text$tag$; *ret_found is false where it is none. */
static status scan_dollar(scanner *s, bool *ret_found)
{
    size_t start = s->at, end = s->at + 1;
    *ret_found = false;
    if (is_letter(byte_at(s, end))) {
        while (is_letter(byte_at(s, end)) || is_digit(byte_at(s, end))) {
            end++;
        }
    }
    if (byte_at(s, end) != '$') {
        return STATUS_OK;
    }
    str tag = str_slice(s->sql, start, end + 1);
    size_t close = str_find(str_slice(s->sql, end + 1, s->sql.size), tag);
    if (close == STR_NPOS) {
        return fail(s, start, "unterminated dollar-quoted string");
    }
    s->at = end + 1 + close + tag.size;
    *ret_found = true;
    return STATUS_OK;
}

static void scan_digits(scanner *s, bool (*is_part)(unsigned char))
{
    while (is_part(byte_at(s, s->at)) ||
           (byte_at(s, s->at) == '_' && is_part(byte_at(s, s->at + 1)))) {
        s->at++;
    }
}

static void scan_number(scanner *s)
{
    unsigned char second = byte_at(s, s->at + 1);
    if (byte_at(s, s->at) == '0' &&
        (second == 'x' || second == 'X' || second == 'b' || second == 'B') &&
        is_hex(byte_at(s, s->at + 2))) {
        s->at += 2;
        scan_digits(s, is_hex);
        return;
    }
    scan_digits(s, is_digit);
    /* "1..2" is a range of numbers, not a number with two points. */
    if (byte_at(s, s->at) == '.' && byte_at(s, s->at + 1) != '.') {
        s->at++;
        scan_digits(s, is_digit);
    }
    if (byte_at(s, s->at) == 'e' || byte_at(s, s->at) == 'E') {
        size_t sign = byte_at(s, s->at + 1) == '+' || byte_at(s, s->at + 1) == '-' ? 1 : 0;
        if (is_digit(byte_at(s, s->at + 1 + sign))) {
            s->at += 1 + sign;
            scan_digits(s, is_digit);
        }
    }
}

/* A string with a letter in front: E'', x'', b'', n''. */
static bool has_prefix(const scanner *s)
{
    switch (byte_at(s, s->at)) {
    case 'e':
    case 'E':
    case 'x':
    case 'X':
    case 'b':
    case 'B':
    case 'n':
    case 'N':
        return byte_at(s, s->at + 1) == '\'';
    default:
        return false;
    }
}

static status scan_parameter_or_dollar(scanner *s, token_kind *ret_kind)
{
    bool found;
    TRY(scan_dollar(s, &found));
    if (found) {
        *ret_kind = TOKEN_TEXT;
        return STATUS_OK;
    }
    *ret_kind = is_word(byte_at(s, s->at + 1)) ? TOKEN_PARAMETER : TOKEN_SYMBOL;
    s->at++;
    while (*ret_kind == TOKEN_PARAMETER && is_word(byte_at(s, s->at)) && byte_at(s, s->at) != '$') {
        s->at++;
    }
    return STATUS_OK;
}

static status scan_token(scanner *s, token_kind *ret_kind)
{
    unsigned char c = byte_at(s, s->at);
    if (c == '\'' || has_prefix(s)) {
        bool backslash = c == 'e' || c == 'E';
        s->at += c == '\'' ? 0 : 1;
        *ret_kind = TOKEN_TEXT;
        return scan_quoted(s, '\'', backslash, "unterminated quoted string");
    }
    if (c == '"') {
        size_t start = s->at;
        *ret_kind = TOKEN_QUOTED;
        TRY(scan_quoted(s, '"', false, "unterminated quoted identifier"));
        return s->at - start > 2 ? STATUS_OK : fail(s, start, "zero-length quoted identifier");
    }
    if (c == '$') {
        return scan_parameter_or_dollar(s, ret_kind);
    }
    if (is_digit(c) || (c == '.' && is_digit(byte_at(s, s->at + 1)))) {
        *ret_kind = TOKEN_NUMBER;
        scan_number(s);
    } else if (is_letter(c)) {
        *ret_kind = TOKEN_WORD;
        while (is_word(byte_at(s, s->at)) && space_size(s, s->at) == 0) {
            s->at++;
        }
    } else if (c == '?') {
        *ret_kind = TOKEN_PARAMETER;
        s->at++;
        while (is_digit(byte_at(s, s->at))) {
            s->at++;
        }
    } else if (c == ':' && byte_at(s, s->at + 1) == ':') {
        *ret_kind = TOKEN_CAST;
        s->at += 2;
    } else {
        *ret_kind = TOKEN_SYMBOL;
        s->at++;
    }
    return STATUS_OK;
}

status token_scan(str sql, arena *a, token_list *ret_tokens, error *err)
{
    VEC(token) tokens = {0};
    scanner s = {.sql = sql, .err = err};

    if (sql.size > LIMIT_SQL_TEXT) {
        return error_set(err, STATUS_TOO_LARGE, "the statement has %zu bytes, the most is %zu",
                         sql.size, LIMIT_SQL_TEXT);
    }
    if (!str_is_utf8(sql)) {
        return error_set(err, STATUS_SYNTAX, "the statement is not valid UTF-8");
    }
    size_t nul = str_find_char(sql, '\0');
    if (nul != STR_NPOS) {
        return fail(&s, nul, "the statement contains a NUL byte");
    }
    for (;;) {
        TRY(skip_blank(&s));
        token next = {.kind = TOKEN_END, .from = s.at, .to = s.at};
        if (s.at < sql.size) {
            TRY(scan_token(&s, &next.kind));
            next.to = s.at;
        }
        vec_push(a, &tokens, next);
        if (next.kind == TOKEN_END) {
            break;
        }
    }
    *ret_tokens = (token_list){.sql = sql, .items = tokens.items, .count = tokens.count - 1};
    return STATUS_OK;
}

str token_text(const token_list *list, size_t index)
{
    const token *t = &list->items[index < list->count ? index : list->count];
    return str_slice(list->sql, t->from, t->to);
}

bool token_is(const token_list *list, size_t index, const char *word)
{
    return index < list->count && list->items[index].kind == TOKEN_WORD &&
           str_equal_nocase(token_text(list, index), str_c(word));
}

bool token_is_symbol(const token_list *list, size_t index, char symbol)
{
    return index < list->count && list->items[index].kind == TOKEN_SYMBOL &&
           list->sql.data[list->items[index].from] == symbol;
}

bool token_is_name(const token_list *list, size_t index)
{
    return index < list->count &&
           (list->items[index].kind == TOKEN_WORD || list->items[index].kind == TOKEN_QUOTED);
}

/* What stands between the quotes, each doubled quote once. */
static str undouble(str quoted, char quote, arena *a)
{
    char *text = arena_alloc(a, quoted.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < quoted.size; i++) {
        text[size++] = quoted.data[i];
        if (quoted.data[i] == quote) {
            i++;
        }
    }
    return str_from(text, size);
}

str token_name(const token_list *list, size_t index, arena *a)
{
    str text = token_text(list, index);
    if (index >= list->count || list->items[index].kind != TOKEN_QUOTED) {
        return text;
    }
    return undouble(str_slice(text, 1, text.size - 1), '"', a);
}

/* The escapes of E'…' that properties and comments have use for. */
static str unescape(str body, arena *a)
{
    char *text = arena_alloc(a, body.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < body.size; i++) {
        char c = body.data[i];
        if (c == '\\' && i + 1 < body.size) {
            c = body.data[++i];
            c = c == 'n'   ? '\n'
                : c == 't' ? '\t'
                : c == 'r' ? '\r'
                : c == 'b' ? '\b'
                : c == 'f' ? '\f'
                           : c;
        } else if (c == '\'') {
            i++;
        }
        text[size++] = c;
    }
    return str_from(text, size);
}

status token_value(const token_list *list, size_t index, arena *a, str *ret_text, error *err)
{
    str text = token_text(list, index);
    if (index >= list->count || list->items[index].kind != TOKEN_TEXT) {
        return token_error(list, index, err);
    }
    switch (text.data[0]) {
    case '\'':
        *ret_text = undouble(str_slice(text, 1, text.size - 1), '\'', a);
        return STATUS_OK;
    case 'e':
    case 'E':
        *ret_text = unescape(str_slice(text, 2, text.size - 1), a);
        return STATUS_OK;
    case '$': {
        size_t tag = str_find_char(str_slice(text, 1, text.size), '$') + 2;
        *ret_text = str_slice(text, tag, text.size - tag);
        return STATUS_OK;
    }
    default:
        return token_error(list, index, err);
    }
}

status token_error(const token_list *list, size_t index, error *err)
{
    size_t place = index < list->count ? index : list->count;
    str near = token_text(list, place);
    if (place == list->count) {
        error_set(err, STATUS_SYNTAX, "syntax error at the end of the statement");
    } else {
        near = near.size > 60 ? str_slice(near, 0, 60) : near;
        error_set(err, STATUS_SYNTAX, "syntax error at or near \"%.*s\"", STR_ARG(near));
    }
    if (err != NULL) {
        err->position = (int)list->items[place].from;
    }
    return STATUS_SYNTAX;
}

void token_split(const token_list *list, arena *a, token_range **ret_ranges, size_t *ret_count)
{
    VEC(token_range) ranges = {0};
    size_t from = 0;
    for (size_t i = 0; i <= list->count; i++) {
        if (i == list->count || token_is_symbol(list, i, ';')) {
            if (i > from) {
                vec_push(a, &ranges, ((token_range){.from = from, .to = i}));
            }
            from = i + 1;
        }
    }
    *ret_ranges = ranges.items;
    *ret_count = ranges.count;
}

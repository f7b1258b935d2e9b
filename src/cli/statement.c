/* Cutting a script into statements. Only what can hide a ";" is understood: strings, quoted names,
 * dollar quotes, comments. The server's parser judges the rest. */
#include "query.h"

#include "tarn/base/limits.h"

/* Behind what begins at `at` and ends with `mark`; a doubled mark is part of it. */
static size_t skip_quoted(str s, size_t at, char mark)
{
    for (at++; at < s.size; at++) {
        if (s.data[at] == mark) {
            if (at + 1 < s.size && s.data[at + 1] == mark) {
                at++;
                continue;
            }
            return at + 1;
        }
    }
    return s.size;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* $$ … $$ or $tag$ … $tag$; a lone $ (a parameter: $1) is one character. */
static size_t skip_dollar(str s, size_t at)
{
    size_t end = at + 1;

    while (end < s.size && is_name_char(s.data[end])) {
        end++;
    }
    bool tag = end < s.size && s.data[end] == '$' &&
               (end == at + 1 || s.data[at + 1] < '0' || s.data[at + 1] > '9');
    if (!tag) {
        return at + 1;
    }
    str mark = str_slice(s, at, end + 1);
    size_t found = str_find(str_slice(s, end + 1, s.size), mark);
    return found == STR_NPOS ? s.size : end + 1 + found + mark.size;
}

static size_t skip_block_comment(str s, size_t at)
{
    int depth = 0;

    while (at + 1 < s.size) {
        if (s.data[at] == '/' && s.data[at + 1] == '*') {
            depth++;
            at += 2;
        } else if (s.data[at] == '*' && s.data[at + 1] == '/') {
            depth--;
            at += 2;
            if (depth == 0) {
                return at;
            }
        } else {
            at++;
        }
    }
    return s.size;
}

/* Behind a comment or blank that begins at `at`; `at` where there is none. */
static size_t skip_nothing(str s, size_t at)
{
    char c = s.data[at];
    char next = at + 1 < s.size ? s.data[at + 1] : '\0';

    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
        return at + 1;
    }
    if (c == '-' && next == '-') {
        size_t newline = str_find_char(str_slice(s, at, s.size), '\n');
        return newline == STR_NPOS ? s.size : at + newline + 1;
    }
    return c == '/' && next == '*' ? skip_block_comment(s, at) : at;
}

/* E'…': a backslash hides the quote behind it. */
static size_t skip_escaped(str s, size_t at)
{
    for (at++; at < s.size; at++) {
        if (s.data[at] == '\\') {
            at++;
        } else if (s.data[at] == '\'') {
            return at + 1;
        }
    }
    return s.size;
}

/* Whole, so that a$b$ is a name. */
static size_t skip_name(str s, size_t at)
{
    size_t start = at;

    while (at < s.size && (is_name_char(s.data[at]) || s.data[at] == '$')) {
        at++;
    }
    bool escape = at == start + 1 && (s.data[start] == 'e' || s.data[start] == 'E');
    return escape && at < s.size && s.data[at] == '\'' ? skip_escaped(s, at) : at;
}

static size_t skip_token(str s, size_t at)
{
    switch (s.data[at]) {
    case '\'':
    case '"':
        return skip_quoted(s, at, s.data[at]);
    case '$':
        return skip_dollar(s, at);
    default:
        break;
    }
    if (is_name_char(s.data[at])) {
        return skip_name(s, at);
    }
    return at + 1;
}

bool query_next_statement(str script, size_t *at, str *ret_statement, bool *ret_complete)
{
    size_t start = STR_NPOS;
    size_t end = 0;
    size_t i = *at;

    while (i < script.size) {
        size_t behind = skip_nothing(script, i);
        if (behind != i) {
            i = behind;
            continue;
        }
        if (script.data[i] == ';') {
            i++;
            if (start == STR_NPOS) {
                continue; /* an empty statement */
            }
            *at = i;
            *ret_statement = str_slice(script, start, end);
            *ret_complete = true;
            return true;
        }
        start = start == STR_NPOS ? i : start;
        i = skip_token(script, i);
        end = i;
    }
    *at = script.size;
    if (start == STR_NPOS) {
        return false;
    }
    *ret_statement = str_slice(script, start, end);
    *ret_complete = false;
    return true;
}

size_t query_skip_token(str text, size_t at, bool *ret_blank)
{
    size_t behind = skip_nothing(text, at);

    *ret_blank = behind != at;
    return *ret_blank ? behind : skip_token(text, at);
}

size_t query_find_command(str text)
{
    bool blank;

    for (size_t at = 0; at < text.size; at = query_skip_token(text, at, &blank)) {
        if (text.data[at] == '\\') {
            return at;
        }
    }
    return STR_NPOS;
}

/* With a character behind the end, a string that ends there is told from one that goes on. */
char query_open_mark(str text)
{
    arena *scratch = arena_create();
    str longer = str_concat(scratch, text, STR("\n"));
    char open = 0;
    int depth = 0;
    bool blank;

    for (size_t at = 0; at < text.size && open == 0;) {
        size_t behind = query_skip_token(longer, at, &blank);
        char c = text.data[at];
        depth += c == '(' ? 1 : 0;
        depth -= c == ')' && depth > 0 ? 1 : 0;
        if (behind > text.size && blank && c == '/') {
            open = '*';
        } else if (behind > text.size && !blank && (c == '\'' || c == '"' || c == '$')) {
            open = c;
        } else if (behind > text.size && (c == 'e' || c == 'E')) {
            open = '\'';
        }
        at = behind;
    }
    arena_free(scratch);
    return open != 0 ? open : depth > 0 ? '(' : 0;
}

str query_one_line(str statement, arena *a)
{
    buf *line = buf_in(a, LIMIT_SQL_TEXT);
    bool blank;

    for (size_t at = 0; at < statement.size;) {
        size_t behind = query_skip_token(statement, at, &blank);
        if (!blank) {
            buf_add_str(line, str_slice(statement, at, behind));
        } else if (line->size > 0 && line->data[line->size - 1] != ' ') {
            buf_add_char(line, ' ');
        }
        at = behind;
    }
    return str_trim(buf_str(line));
}

str query_used_namespace(str statement)
{
    size_t at = 3;

    if (!str_starts_with_nocase(statement, STR("use")) || statement.size == at ||
        is_name_char(statement.data[at])) {
        return STR_NULL;
    }
    while (at < statement.size && skip_nothing(statement, at) != at) {
        at = skip_nothing(statement, at);
    }
    size_t end = at;
    while (end < statement.size && skip_nothing(statement, end) == end) {
        end = skip_token(statement, end);
    }
    return str_slice(statement, at, end);
}

/* token.h: SQL text cut into tokens, with the byte position of each.
 *
 * The rules are those of DuckDB's scanner, so that the two never disagree about where a string,
 * a name or a comment ends; what a token means is decided by the statement parser, and in the
 * end by DuckDB's own. Operators are given character by character: nothing here needs them
 * whole. */
#ifndef TARN_ENGINE_TOKEN_H
#define TARN_ENGINE_TOKEN_H

#include "tarn/base/str.h"

typedef enum token_kind {
    TOKEN_END,       /* once, behind the last */
    TOKEN_WORD,      /* keyword or plain name */
    TOKEN_QUOTED,    /* "name" */
    TOKEN_TEXT,      /* 'text', E'text', x'00', $tag$text$tag$ */
    TOKEN_NUMBER,    /* 12, 1_000, 0xff, 1.5e3 */
    TOKEN_PARAMETER, /* ?, ?3, $3, $name */
    TOKEN_CAST,      /* :: */
    TOKEN_SYMBOL,    /* any other single character */
} token_kind;

typedef struct token {
    token_kind kind;
    size_t from, to; /* bytes of the script */
} token;

typedef struct token_list {
    str sql;
    const token *items; /* with TOKEN_END at items[count] */
    size_t count;
} token_list;

/* The views point into `sql`. SYNTAX with position: an unterminated string, name or comment, a
 * NUL byte, bytes that are no UTF-8. TOO_LARGE beyond LIMIT_SQL_TEXT. */
status token_scan(str sql, arena *a, token_list *ret_tokens, error *err);

str token_text(const token_list *list, size_t index);
/* The unquoted word, whatever its case. */
bool token_is(const token_list *list, size_t index, const char *word);
bool token_is_symbol(const token_list *list, size_t index, char symbol);
/* A word or quoted name. */
bool token_is_name(const token_list *list, size_t index);
/* The name without its quotes, doubled ones undone. */
str token_name(const token_list *list, size_t index, arena *a);
/* The value of a text token; SYNTAX for forms that are no plain text (x'00'). */
status token_value(const token_list *list, size_t index, arena *a, str *ret_text, error *err);
/* SYNTAX: `syntax error at or near "x"` (or at the end), with position. */
status token_error(const token_list *list, size_t index, error *err);

/* One statement of a script: tokens [from, to), never empty. */
typedef struct token_range {
    size_t from, to;
} token_range;

/* Cuts at semicolons, wherever they stand, as DuckDB does; empty statements vanish. */
void token_split(const token_list *list, arena *a, token_range **ret_ranges, size_t *ret_count);

#endif

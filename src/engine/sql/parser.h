/* parser.h: what the files of the statement parser share: a place in the tokens, and small steps
 * from it. */
#ifndef TARN_ENGINE_PARSER_H
#define TARN_ENGINE_PARSER_H

#include "sql/statement.h"

typedef struct parser {
    const token_list *list;
    size_t at, end;
    arena *a;
    error *err;
} parser;

/* At the end of the statement nothing matches. */
bool parser_is(const parser *p, const char *word);
bool parser_is_symbol(const parser *p, char symbol);
bool parser_at_end(const parser *p);
/* Steps over it where it is there. */
bool parser_skip(parser *p, const char *word);
bool parser_skip_symbol(parser *p, char symbol);
status parser_expect(parser *p, const char *word);
status parser_expect_symbol(parser *p, char symbol);
status parser_fail(const parser *p); /* SYNTAX at the present token */
size_t parser_position(const parser *p);
/* Gives the error that was just set its position, and returns `kind`. */
status parser_place(const parser *p, size_t position, status kind);

status parser_name(parser *p, statement_name *ret_name); /* one to eight parts */
status parser_word(parser *p, str *ret_name);            /* one part */
/* Steps over balanced brackets, the present token being the opening one; gives the tokens
 * between them. */
status parser_brackets(parser *p, token_range *ret_inside);
/* The text from token `from` to before token `to`. */
str parser_text(const parser *p, size_t from, size_t to);

status parser_text_value(parser *p, str *ret_text); /* 'text' */
/* [IF EXISTS] a, b.c, …: the first into name, the others behind it. */
status parser_names(parser *p, statement *st);

/* view.c: after CREATE [OR REPLACE] VIEW, DROP VIEW, ALTER VIEW. */
status parser_create_view(parser *p, statement *st);
status parser_drop_view(parser *p, statement *st);
status parser_alter_view(parser *p, statement *st);
/* create.c: after CREATE TABLE; after INSERT INTO. */
status parser_create_table(parser *p, statement *st);
status parser_insert(parser *p, statement *st);
/* Tokens to before one of `ends` (words, ","; NULL behind the last) outside of brackets and CASE, or to the end. SYNTAX
 * where there are none, or where they close what they did not open. */
status parser_piece(parser *p, const char *const *ends, token_range *ret_piece);
/* [AS] alias, if the statement does not end there and none of `ends` stands there; else STR_NULL. */
status parser_alias(parser *p, const char *const *ends, str *ret_alias);
/* RETURNING and what follows, to the end, where it stands here. */
status parser_returning(parser *p, statement *st);
/* merge.c */
status parser_update(parser *p, statement *st);
status parser_merge(parser *p, statement *st);
/* At ON CONFLICT. */
status parser_conflict(parser *p, statement *st);
/* delete.c: DELETE FROM …, TRUNCATE …. */
status parser_delete(parser *p, statement *st);
status parser_truncate(parser *p, statement *st);
status parser_properties(parser *p, statement *st);
/* (key = value, …) as it stands; with `keys_only` (key, …). INVALID where a key is given twice. */
status parser_property_list(parser *p, bool keys_only, const catalog_property **ret_properties,
                            size_t *ret_count);
/* What follows a column's name: type, NOT NULL, DEFAULT, COMMENT. `what`: the statement, for
 * messages. */
status parser_column_rest(parser *p, const char *what, statement_column *column);
status parser_type(parser *p, str *ret_text);
/* Refuses what Iceberg tables do not have by name: PRIMARY KEY, CHECK, GENERATED …; OK where none of it stands here. */
status parser_refuse_constraint(const parser *p, const char *what);
/* A number, a text, NULL, true, false, DATE 'x' and the like: what DEFAULT takes. */
status parser_constant(parser *p, token_range *ret_value);

/* transaction.c: at the first word. */
status parser_begin(parser *p, statement *st);
status parser_commit(parser *p, statement *st);
status parser_rollback(parser *p, statement *st);
/* alter.c: after ALTER, COMMENT, CALL. */
status parser_alter(parser *p, statement *st);
status parser_comment(parser *p, statement *st);
status parser_call(parser *p, statement *st);
/* (value, name => value, name := value) */
status parser_arguments(parser *p, statement *st);
status parser_analyze(parser *p, statement *st); /* analyze.c */
/* prepare.c */
status parser_prepare(parser *p, statement *st);
status parser_execute(parser *p, statement *st);
status parser_deallocate(parser *p, statement *st);

#endif

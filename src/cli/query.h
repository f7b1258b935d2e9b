/* query.h: one statement to the server and its rows to stdout. */
#ifndef TARN_CLI_QUERY_H
#define TARN_CLI_QUERY_H

#include "context.h"

typedef struct query_job {
    source_text source;
    str space;  /* default namespace, or STR_NULL */
    str at;     /* time travel, or STR_NULL */
    str params; /* a JSON object, or STR_NULL */
} query_job;

typedef struct query_outcome {
    bool has_columns;      /* table, box, md alone */
    int64_t rows;          /* -1: not known */
    int64_t changed_rows;  /* -1: a reading statement */
    size_t hidden_columns; /* that did not fit */
    int64_t elapsed_ms;
} query_outcome;

/* Where the output is a terminal, how far a long query is stands on stderr until its rows come. */
status query_run(cli *c, const query_job *job, query_outcome *ret_outcome, error *err);

/* The statements of a script, one after another: the next one from `*at` on, without its ";".
 * False where only blanks and comments are left. `*ret_complete`: it was ended by a ";". Strings,
 * quoted names, dollar quotes and comments are understood. */
bool query_next_statement(str script, size_t *at, str *ret_statement, bool *ret_complete);

/* The first backslash that is no part of a string, a quoted name or a comment: where one of the
 * shell's commands begins. STR_NPOS where there is none. */
size_t query_find_command(str text);
/* What is not closed yet at the end of `text`: ' " $ ( or * for a comment; 0: nothing. */
char query_open_mark(str text);
/* The statement on one line, as a history keeps it: comments and line ends become blanks, strings stay
 * as they are. */
str query_one_line(str statement, arena *a);
/* Behind the token or the blanks that begin at `at`; `*ret_blank`: blanks or a comment. */
size_t query_skip_token(str text, size_t at, bool *ret_blank);

/* The name in a USE statement, for those that follow; STR_NULL for every other statement. */
str query_used_namespace(str statement);

#endif

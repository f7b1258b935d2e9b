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
    bool has_columns; /* table, box, md: what is below is known for these alone */
    int64_t rows;
    int64_t changed_rows;  /* -1: a reading statement */
    size_t hidden_columns; /* that did not fit */
    int64_t elapsed_ms;
} query_outcome;

status query_run(cli *c, const query_job *job, query_outcome *ret_outcome, error *err);

/* The statements of a script, one after another: the next one from `*at` on, without its ";".
 * False where only blanks and comments are left. `*ret_complete`: it was ended by a ";". Strings,
 * quoted names, dollar quotes and comments are understood. */
bool query_next_statement(str script, size_t *at, str *ret_statement, bool *ret_complete);

/* The name in a USE statement, for those that follow; STR_NULL for every other statement. */
str query_used_namespace(str statement);

#endif

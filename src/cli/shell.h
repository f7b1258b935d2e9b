/* shell.h: SQL on a terminal. */
#ifndef TARN_CLI_SHELL_H
#define TARN_CLI_SHELL_H

#include "context.h"
#include "query.h"

status shell_run(cli *c, const query_job *shared, error *err);

/* ---- shell_line.c: reading lines with editing, history and completion (libedit) ---- */
typedef struct shell_line shell_line;
/* Words that complete what begins with `prefix`, in `a`; asked when Tab is pressed. */
typedef void (*shell_words)(void *context, str prefix, arena *a, str **ret_words,
                            size_t *ret_count);
shell_line *shell_line_create(const char *history_path, shell_words words, void *context);
void shell_line_free(shell_line *l); /* saves the history */
/* False at the end of input. `*ret_line` is without its newline, valid until the next call;
 * STR_NULL: Ctrl-C took the line back. */
bool shell_line_read(shell_line *l, const char *prompt, str *ret_line);
void shell_line_remember(shell_line *l, str statement);

#endif

/* session.h: the command's session with the server: made when a statement begins something that outlives it, ended with
 * the command. */
#ifndef TARN_CLI_SESSION_H
#define TARN_CLI_SESSION_H

#include "context.h"
#include "tarn/net/http_client.h"

/* Its first word, behind blanks and comments. */
str cli_first_word(str statement);
/* Before a statement is sent: makes the session where the statement needs one. */
status cli_session_prepare(cli *c, str statement, error *err);
/* After its answer, and after its failure. */
void cli_session_note(cli *c, const http_answer *answer);
void cli_session_note_failure(cli *c, str statement, const error *err);
/* What the prompt shows: "*" in a transaction, "!" in a failed one, else "". */
const char *cli_session_mark(const cli *c);
/* Of a server that went away. True where a transaction was in it. */
bool cli_session_forget(cli *c);
/* Rolls back what is open, and says so. */
void cli_session_end(cli *c);

#endif

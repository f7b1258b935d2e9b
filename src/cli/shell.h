/* shell.h: SQL on a terminal. */
#ifndef TARN_CLI_SHELL_H
#define TARN_CLI_SHELL_H

#include "context.h"
#include "query.h"

status shell_run(cli *c, const query_job *shared, error *err);
/* Whether a line of the script is a command: it begins with a backslash. */
bool shell_has_commands(str script);
/* A script with commands of the shell, to its end or its first error, which is told. */
status shell_run_file(cli *c, const query_job *shared, str path, str script, error *err);

/* One of the shell's commands, as \? and the reference show it. */
typedef struct shell_command_info {
    const char *group; /* NULL: the one of the command before */
    const char *usage; /* "\\d [NAME]" */
    const char *help;
} shell_command_info;
/* All of them, in the order of help. */
const shell_command_info *shell_command_list(size_t *ret_count);

#endif

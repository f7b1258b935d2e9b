/* help.h: help, man page and reference, all made from the tables. */
#ifndef TARN_CLI_HELP_H
#define TARN_CLI_HELP_H

#include "context.h"

status help_overview(cli *c, error *err);
status help_group(cli *c, str group, error *err);
status help_command(cli *c, const command *of, error *err);
/* docs/reference/commands.md */
void help_markdown(buf *out);
/* tarn(1), in man's language */
void help_man(buf *out);

#endif

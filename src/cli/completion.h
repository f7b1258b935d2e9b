/* completion.h: scripts that complete commands, options and table names in a shell. */
#ifndef TARN_CLI_COMPLETION_H
#define TARN_CLI_COMPLETION_H

#include "tarn/base/buf.h"

void completion_bash(buf *out);
void completion_zsh(buf *out);
void completion_fish(buf *out);

#endif

/* cli.h: the command line. Every command is a client of the HTTP API and streams bytes; what has to
 * happen without a server is handed in by main, because this module knows no other. */
#ifndef TARN_CLI_CLI_H
#define TARN_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "tarn/base/error.h"
#include "tarn/settings/settings.h"

typedef struct cli_hooks {
    /* Serves in the foreground until told to stop. `private_socket`: path of the unix socket of a
     * server that commands start for themselves; NULL: on the doors that the settings name. */
    status (*serve)(const settings *s, const char *private_socket, error *err);
    /* Rebuilds the database of a data directory from its blobs. */
    status (*recover)(const settings *s, bool overwrite, int64_t *ret_objects, int64_t *ret_tables,
                      error *err);
    /* Puts a backup back into an empty data directory. */
    status (*restore)(const settings *s, const char *source, int64_t *ret_objects, error *err);
} cli_hooks;

/* Runs the command of `argv` and returns the exit code (interface.md, "Commands"). */
int cli_main(int argc, char **argv, const cli_hooks *hooks);

#endif

/* The one entry point: a worker process, or a command. No logic of any kind lives here; what the
 * command line cannot reach by itself (it is a client) is handed to it. */
#include <string.h>

#include "docs.h"

#include "tarn/base/fault.h"
#include "tarn/base/log.h"
#include "tarn/cli/cli.h"
#include "tarn/engine/worker.h"
#include "tarn/server/server.h"

static status serve(const settings *s, const char *private_socket, error *err)
{
    const server_options options = {.settings = s, .private_socket = private_socket};
    return server_run(&options, err);
}

static status recover(const settings *s, bool overwrite, int64_t *ret_objects, int64_t *ret_tables,
                      error *err)
{
    recover_result result;

    TRY(maintenance_recover(s, overwrite, &result, err));
    *ret_objects = result.objects;
    *ret_tables = result.tables;
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    static const cli_hooks hooks = {
        .serve = serve, .recover = recover, .restore = maintenance_restore};
    error err = ERROR_INIT;

    if (fault_arm_from_environment(&err) != STATUS_OK) {
        log_failure("TARN_FAULT", &err);
        return status_describe(STATUS_USAGE)->exit_code;
    }
    if (argc > 1 && strcmp(argv[1], "engine") == 0) {
        return worker_main(argc, argv);
    }
    if (argc > 1 && strcmp(argv[1], "docs") == 0) {
        return docs_main(argc, argv);
    }
    return cli_main(argc, argv, &hooks);
}

/* tarn serve: the server in the foreground; hidden, the private one that commands start. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "connect.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"

#define PATIENCE_MS 15000 /* for a private server to end with its last client */
#define RETRY_MS 100

static const option options[] = {
    {.name = "private", .help = "serve commands on a socket of the data directory", .hidden = true},
    {.name = "private-report",
     .value = "FD",
     .help = "where to tell why it cannot start",
     .hidden = true},
};

static const example examples[] = {
    {"tarn serve", "on 127.0.0.1:8181, data in ~/.local/share/tarn"},
    {"tarn serve --data ./lake --http.listen 127.0.0.1:0", "elsewhere, on a free port"},
};

/* A private server ends soon after its last client: worth waiting for. One that serves doors stays. */
static status serve_when_free(cli *c, error *err)
{
    int64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;

    for (;;) {
        status result = c->hooks->serve(c->settings, NULL, err);
        bool passing = result == STATUS_BUSY && !fs_exists(context_data_path(c, "run/server.json"));
        if (!passing || clock_mono_ms() > deadline_ms || interrupt_signal != 0) {
            return result;
        }
        clock_sleep_ms(RETRY_MS);
    }
}

static status serve_privately(cli *c, error *err)
{
    str socket_path;
    int64_t report = -1;

    (void)str_to_int64(invocation_get(&c->in, "private-report"), &report, NULL);
    if (report > STDERR_FILENO) { /* not for the workers */
        (void)fcntl((int)report, F_SETFD, FD_CLOEXEC);
    }
    status result = private_socket(c, &socket_path, err);
    if (result == STATUS_OK) {
        result = c->hooks->serve(c->settings, socket_path.data, err);
    }
    if (result != STATUS_OK && report > STDERR_FILENO) {
        private_report((int)report, err);
    }
    return result;
}

static status run(cli *c, error *err)
{
    TRY(context_settings(c, err));
    TRY(context_check_data(c, err));
    return invocation_has(&c->in, "private") ? serve_privately(c, err) : serve_when_free(c, err);
}

const command command_serve = {
    .name = "serve",
    .summary = "run the server in the foreground",
    .details =
        "Prints READY with its addresses to stderr when every door is open, and ends with "
        "Ctrl-C or SIGTERM.\nThe other commands need no server: without one they start their "
        "own for as long as they run.",
    OPTIONS(options),
    EXAMPLES(examples),
    .run = run,
};

/* The life of a server: doors open, READY, until a signal; then it drains and closes.
 *
 * A private server (started by a command that found none) has one door, a unix socket, and ends by itself when its last
 * client has been gone for a moment. */
#include "tarn/server/server.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "rest/rest.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/log.h"

#define PRIVATE_LINGER_MS 1500 /* without a client */
#define PRIVATE_PROGRESS_MS (INT64_C(24) * 60 * 60 * 1000)
#define PROGRESS_MS (INT64_C(10) * 60 * 1000)
#define DRAIN_MS 10000 /* between the signal and the end of all connections */
#define CANCEL_MS 7000 /* between the signal and the end of queries and loads that still run */
#define PRIVATE_PATIENCE_MS 15000 /* until the first one comes */

static void configure_log(const settings *s)
{
    bool known = false;
    log_level level = log_level_from(setting_text(s, SETTING_LOG_LEVEL), &known);
    bool as_json = str_equal(setting_text(s, SETTING_LOG_FORMAT), STR("json"));

    log_configure(known ? level : LOG_INFO, as_json ? LOG_JSON : LOG_TEXT, STDERR_FILENO);
}

/* ---- doors ---- */

static status refuse_open_mode(const server *app, str address, error *err)
{
    bool open = str_equal(setting_text(app->settings, SETTING_AUTH_MODE), STR("none"));

    if (open && !str_starts_with(address, STR("127.")) && !str_starts_with(address, STR("[::1]")) &&
        !str_starts_with(address, STR("localhost:"))) {
        error_set(err, STATUS_USAGE, "auth.mode \"none\" cannot be used on address \"%.*s\"",
                  STR_ARG(address));
        error_hint(err, "Listen on 127.0.0.1, or set auth.mode to keys.");
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

/* The names that requests may use: the settings' own, and the address that is listened on. */
static const str *door_hosts(const server *app, str address, size_t *ret_count)
{
    const setting_value *hosts = &app->settings->values[SETTING_HTTP_HOSTS];
    str *all = ARENA_ARRAY(app->memory, str, hosts->list_count + 1);

    for (size_t i = 0; i < hosts->list_count; i++) {
        all[i] = hosts->list[i];
    }
    all[hosts->list_count] = str_slice(address, 0, str_find_last_char(address, ':'));
    *ret_count = hosts->list_count + 1;
    return all;
}

static status open_door(server *app, setting where, const http_service *service,
                        char ret_address[128], error *err)
{
    str address = setting_text(app->settings, where);
    const char *name = setting_describe(where)->name;

    if (str_equal(address, STR("none"))) {
        return STATUS_OK;
    }
    TRY(refuse_open_mode(app, address, err));
    status result = http_server_listen(app->http, address, service, ret_address, err);
    if (result == STATUS_UNAVAILABLE) {
        error_context(err, "setting \"%s\"", name);
        error_hint(err,
                   "Stop what uses the port, or choose another with --%s 127.0.0.1:0 (a free one).",
                   name);
    }
    return result;
}

static status open_http(server *app, error *err)
{
    size_t host_count = 0;
    const str *hosts =
        door_hosts(app, setting_text(app->settings, SETTING_HTTP_LISTEN), &host_count);
    const http_service service = {
        .handle = server__handle,
        .is_inline = server__is_inline,
        .wants_whole = server__rest_wants_whole,
        .format_refusal = server__rest_refuse,
        .context = app,
        .check_host = true,
        .hosts = hosts,
        .host_count = host_count,
    };
    return open_door(app, SETTING_HTTP_LISTEN, &service, app->http_address, err);
}

/* Any Host: the signature covers it, or the bucket's policy lets everybody in. */
static status open_s3(server *app, error *err)
{
    const http_service service = {.handle = server__handle_s3,
                                  .is_inline = server__s3_is_inline,
                                  .format_refusal = server__s3_refuse,
                                  .context = app,
                                  .any_expectation = true};

    return open_door(app, SETTING_S3_LISTEN, &service, app->s3_address, err);
}

static char *run_file(const server *app, const char *name)
{
    return arena_printf(app->memory, "%.*s/run/%s", STR_ARG(app->settings->data_path), name);
}

/* A private server's one door is both: S3 requests are those that carry a signature of S3's. */
static bool is_s3_request(const http_exchange *x)
{
    return str_starts_with(http_request_header(x, "authorization"), STR("AWS4-HMAC-SHA256 "));
}

static void handle_private(void *context, http_exchange *x)
{
    if (is_s3_request(x)) {
        server__handle_s3(context, x);
    } else {
        server__handle(context, x);
    }
}

static bool private_is_inline(void *context, http_exchange *x)
{
    return is_s3_request(x) ? server__s3_is_inline(context, x) : server__is_inline(context, x);
}

static status open_private(server *app, const char *socket_path, error *err)
{
    const http_service service = {.handle = handle_private,
                                  .is_inline = private_is_inline,
                                  .format_refusal = server__rest_refuse,
                                  .context = app};
    char address[128];

    /* Leftovers of servers that were killed: the data lock proves that nobody serves on them. */
    (void)unlink(socket_path);
    (void)unlink(run_file(app, "server.json"));
    return http_server_listen(app->http, str_printf(app->memory, "unix:%s", socket_path), &service,
                              address, err);
}

/* A service manager's soft limit of open files is small, for programs that cannot take more. */
#define FILES_WANTED 65536

/* Half the files are for connections: clients must not take those of the store. */
static int connections_max(int wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return wanted;
    }
    if (limit.rlim_cur < FILES_WANTED) {
        const struct rlimit more = {.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max
                                                                              : FILES_WANTED,
                                    .rlim_max = limit.rlim_max};

        limit.rlim_cur = setrlimit(RLIMIT_NOFILE, &more) == 0 ? more.rlim_cur : limit.rlim_cur;
    }
    return limit.rlim_cur / 2 < (rlim_t)wanted ? (int)(limit.rlim_cur / 2) : wanted;
}

static status open_doors(server *app, const server_options *options, error *err)
{
    http_config config = HTTP_CONFIG_DEFAULTS;

    config.connections_max = connections_max(config.connections_max);
    config.address_connections_max =
        (int)setting_number(app->settings, SETTING_HTTP_ADDRESS_CONNECTIONS);

    /* A reader may pause over a page of its pager; only a client that is gone must not hold a worker for ever. */
    config.drain_timeout_ms = DRAIN_MS;
    config.body_rate_least = options->private_socket != NULL
                                 ? 0 /* a command may read a slow pipe */
                                 : setting_number(app->settings, SETTING_HTTP_BODY_RATE);
    config.progress_timeout_ms =
        options->private_socket != NULL ? PRIVATE_PROGRESS_MS : PROGRESS_MS;
    TRY(http_server_create(&config, &app->http, err));
    if (options->private_socket != NULL) {
        TRY(open_private(app, options->private_socket, err));
    } else {
        TRY(open_http(app, err));
        TRY(open_s3(app, err));
    }
    return http_server_start(app->http, err);
}

/* ---- telling the world ---- */

static status write_server_json(const server *app, error *err)
{
    str text = str_printf(
        app->memory, "{\"pid\": %ld, \"http\": \"%s\", \"s3\": \"%s\", \"instance\": \"%s\"}\n",
        (long)getpid(), app->http_address, app->s3_address, app->instance);
    return fs_write_file(run_file(app, "server.json"), text, 0600, err);
}

/* Readiness for a service manager: one datagram to the socket it names. */
static void notify_ready(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static const char message[] = "READY=1";

    if (path == NULL || strlen(path) >= sizeof(address.sun_path) || path[0] == '\0') {
        return;
    }
    memcpy(address.sun_path, path, strlen(path));
    if (address.sun_path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
        (void)sendto(fd, message, sizeof(message) - 1, MSG_NOSIGNAL,
                     (const struct sockaddr *)&address, size);
        close(fd);
    }
}

static void tell_ready(const server *app)
{
    dprintf(STDERR_FILENO, "READY http=%s s3=%s data=%.*s pid=%ld elapsed_ms=%" PRId64 "\n",
            app->http_address[0] != '\0' ? app->http_address : "none",
            app->s3_address[0] != '\0' ? app->s3_address : "none",
            STR_ARG(app->settings->data_path), (long)getpid(),
            (clock_now_us() - app->started_us) / 1000);
    notify_ready();
}

/* ---- until the end ---- */

/* A client may come and go between two looks: the count of all tells. */
static bool private_is_lonely(const server *app, int64_t *lonely_since_ms, int64_t *clients_seen)
{
    http_stats stats;
    http_server_stats(app->http, &stats);
    int64_t now_ms = clock_mono_ms();

    if (stats.unix_connections_open > 0 || stats.connections_total > *clients_seen) {
        *clients_seen = stats.connections_total;
        *lonely_since_ms = now_ms;
    }
    return now_ms - *lonely_since_ms >
           (*clients_seen > 0 ? PRIVATE_LINGER_MS : PRIVATE_PATIENCE_MS);
}

static void wait_for_end(const server *app, const sigset_t *signals, bool private)
{
    const struct timespec tick = {.tv_nsec = 200 * 1000 * 1000};
    int64_t lonely_since_ms = clock_mono_ms();
    int64_t clients_seen = 0;

    for (;;) {
        int number = sigtimedwait(signals, NULL, &tick);
        if (number == SIGTERM || number == SIGINT) {
            log_event(LOG_INFO, "stopping",
                      LOG_C("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
            return;
        }
        if (private && private_is_lonely(app, &lonely_since_ms, &clients_seen)) {
            return;
        }
        if (fs_volume_broken()) {
            log_event(LOG_ERROR, "stopping: a sync failed, nothing more can be promised",
                      LOG_INT("pid", getpid()));
            return;
        }
    }
}

static status serve(server *app, const server_options *options, const sigset_t *signals, error *err)
{
    bool private = options->private_socket != NULL;

    TRY(open_doors(app, options, err));
    if (!private) {
        TRY(write_server_json(app, err));
    }
    worker_pool_warm(app->workers);
    tell_ready(app);
    wait_for_end(app, signals, private);
    app->draining = true;
    atomic_store(&app->cancel_at_ms, clock_mono_ms() + CANCEL_MS);
    if (private) {
        (void)unlink(options->private_socket); /* newcomers start their own once the lock is free */
    } else {
        (void)unlink(run_file(app, "server.json"));
    }
    http_server_stop(app->http);
    if (fs_volume_broken()) {
        error_set(err, STATUS_IO, "a sync failed: the server ended, so as to promise nothing more");
        error_hint(err, "Look after the disk, then start it again: what was acknowledged is safe.");
        return STATUS_IO;
    }
    return STATUS_OK;
}

status server_run(const server_options *options, error *err)
{
    sigset_t signals;
    server *app = NULL;

    /* Before any thread starts, so that all inherit the mask and only this thread takes the signals. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    configure_log(options->settings);
    TRY(server__open(options->settings, false, &app, err));
    status result = serve(app, options, &signals, err);
    server__close(app);
    return result;
}

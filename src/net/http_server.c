/* The server as a whole: its doors, its loops, starting and stopping. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "http_core.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/mem.h"

static const http_config defaults = HTTP_CONFIG_DEFAULTS;

/* What is not set (0) takes its default. */
static http_config complete(const http_config *wanted)
{
    http_config config = wanted != NULL ? *wanted : defaults;

    config.loops = config.loops > 0 ? config.loops : thread_cpu_count();
    config.handler_threads =
        config.handler_threads > 0 ? config.handler_threads : defaults.handler_threads;
    config.connections_max =
        config.connections_max > 0 ? config.connections_max : defaults.connections_max;
    config.address_connections_max = config.address_connections_max > 0
                                         ? config.address_connections_max
                                         : config.connections_max - config.connections_max / 4;
    config.buffer_bytes = config.buffer_bytes > 0 ? config.buffer_bytes : defaults.buffer_bytes;
    config.head_timeout_ms =
        config.head_timeout_ms > 0 ? config.head_timeout_ms : defaults.head_timeout_ms;
    config.idle_timeout_ms =
        config.idle_timeout_ms > 0 ? config.idle_timeout_ms : defaults.idle_timeout_ms;
    config.progress_timeout_ms =
        config.progress_timeout_ms > 0 ? config.progress_timeout_ms : defaults.progress_timeout_ms;
    config.drain_timeout_ms =
        config.drain_timeout_ms > 0 ? config.drain_timeout_ms : defaults.drain_timeout_ms;
    config.body_window_ms =
        config.body_window_ms > 0 ? config.body_window_ms : defaults.body_window_ms;
    config.whole_bytes_max =
        config.whole_bytes_max > 0 ? config.whole_bytes_max : defaults.whole_bytes_max;
    return config;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Deadlines are kept to a quarter of the shortest of them, and no worse than half a second. */
static int64_t sweep_interval_ms(const http_config *config)
{
    int64_t shortest = smaller(config->head_timeout_ms, config->idle_timeout_ms);

    shortest = smaller(shortest, config->progress_timeout_ms);
    shortest = smaller(shortest, config->drain_timeout_ms) / 4;
    shortest = smaller(shortest, 500);
    return shortest < 5 ? 5 : shortest;
}

status http_server_create(const http_config *config, http_server **ret_server, error *err)
{
    http_server *server = NEW(http_server);

    (void)signal(SIGPIPE, SIG_IGN); /* sendfile has no flag against it */
    server->config = complete(config);
    http__peers_init(&server->peers);
    mutex_init(&server->shortage.lock);
    server->sweep_every_ms = sweep_interval_ms(&server->config);
    server->loops = NEW_ARRAY(http_loop, server->config.loops);
    for (int i = 0; i < server->config.loops; i++) {
        server->loop_count++;
        status kind = http__loop_init(&server->loops[i], server, err);
        if (kind != STATUS_OK) {
            http_server_free(server);
            return kind;
        }
    }
    server->handlers = pool_create("http", server->config.handler_threads);
    *ret_server = server;
    return STATUS_OK;
}

static void add_listener(http_loop *loop, http_door *door, int fd)
{
    loop->listeners =
        mem_resize(loop->listeners, (loop->listener_count + 1) * sizeof *loop->listeners);
    loop->listeners[loop->listener_count++] =
        (http_listener){.source = {.kind = HTTP_SOURCE_DOOR}, .door = door, .fd = fd};
}

status http_server_listen(http_server *server, str address, const http_service *service,
                          char ret_address[128], error *err)
{
    http_door *door = NEW(http_door);
    char bound[128];

    ASSERT(!server->started);
    door->service = *service;
    door->is_unix = str_starts_with(address, STR("unix:"));
    door->fds = NEW_ARRAY(int, server->loop_count);
    status kind = net_listen(address, door->fds, server->loop_count, bound, err);
    if (kind != STATUS_OK) {
        mem_free(door->fds);
        mem_free(door);
        return kind;
    }
    if (door->is_unix) {
        str path = str_slice(address, 5, address.size);
        door->unix_path = mem_alloc(path.size + 1);
        memcpy(door->unix_path, path.data, path.size);
    }
    for (int i = 0; i < server->loop_count; i++) {
        add_listener(&server->loops[i], door, door->is_unix ? door->fds[0] : door->fds[i]);
    }
    server->doors = mem_resize(server->doors, (server->door_count + 1) * sizeof *server->doors);
    server->doors[server->door_count++] = door;
    if (ret_address != NULL) {
        (void)snprintf(ret_address, 128, "%s", bound);
    }
    return STATUS_OK;
}

status http_server_start(http_server *server, error *err)
{
    server->started = true;
    for (int i = 0; i < server->loop_count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "http-loop-%d", i);
        status kind =
            thread_start(&server->loops[i].runner, name, http__loop_run, &server->loops[i], err);
        if (kind != STATUS_OK) {
            http_server_stop(server);
            return kind;
        }
    }
    return STATUS_OK;
}

void http_server_stop(http_server *server)
{
    if (!server->started || server->stopped) {
        return;
    }
    server->stopped = true;
    atomic_store(&server->cut_at_ms, clock_mono_ms() + server->config.drain_timeout_ms);
    atomic_store(&server->stopping, true);
    for (int i = 0; i < server->loop_count; i++) {
        http__loop_wake(&server->loops[i]);
    }
    for (int i = 0; i < server->loop_count; i++) {
        thread_join(&server->loops[i].runner);
    }
}

static void close_doors(http_server *server)
{
    for (size_t i = 0; i < server->door_count; i++) {
        http_door *door = server->doors[i];
        for (int k = 0; k < server->loop_count; k++) {
            fs_close(door->fds[k]);
        }
        if (door->unix_path != NULL) {
            (void)unlink(door->unix_path);
        }
        mem_free(door->unix_path);
        mem_free(door->fds);
        mem_free(door);
    }
    mem_free(server->doors);
}

void http_server_free(http_server *server)
{
    if (server == NULL) {
        return;
    }
    http_server_stop(server);
    if (server->handlers != NULL) {
        pool_free(server->handlers);
    }
    close_doors(server);
    for (int i = 0; i < server->loop_count; i++) {
        http__loop_release(&server->loops[i]);
    }
    http__peers_release(&server->peers);
    mutex_release(&server->shortage.lock);
    mem_free(server->loops);
    mem_free(server);
}

void http_server_stats(const http_server *server, http_stats *ret_stats)
{
    http_stats stats = {
        .connections_open = atomic_load(&server->connections_open),
        .unix_connections_open = atomic_load(&server->unix_connections_open),
    };

    for (int i = 0; i < server->loop_count; i++) {
        const http_counters *counters = &server->loops[i].counters;
        stats.connections_total += atomic_load(&counters->connections_total);
        stats.requests_total += atomic_load(&counters->requests_total);
        stats.requests_refused += atomic_load(&counters->requests_refused);
        stats.bytes_in += atomic_load(&counters->bytes_in);
        stats.bytes_out += atomic_load(&counters->bytes_out);
    }
    *ret_stats = stats;
}

/* What a handler's thread does while its client is slow: it waits, and gives way where others need the thread. Who
 * gives way is decided here; nothing in here touches the socket's bytes.
 *
 * Whether a client is slow depends on who waits. Slower than body_rate_least is too slow as soon as a request waits
 * for a thread. Where requests go on waiting while clients keep more than half of the threads, more is asked for, twice
 * as much with each half window: the slowest go first, wherever they come from, and no more than are in the way. */
#include <poll.h>

#include "http_core.h"
#include "tarn/base/clock.h"

enum { DOUBLINGS_MAX = 12 }; /* of the least rate */

/* A request waits for a moment also where threads are free: that is no reason for another to give way. */
static bool lacks_threads(const http_server *server)
{
    return atomic_load(&server->threads_busy) >= server->config.handler_threads &&
           atomic_load(&server->requests_waiting) > 0;
}

/* Whether most threads wait for clients of this address, while others' requests wait for a thread. */
static bool is_crowding(const http_server *server, const http_peer *peer)
{
    return peer != NULL && atomic_load(&peer->awaited) > server->config.handler_threads / 2 &&
           atomic_load(&server->requests_waiting) > atomic_load(&peer->waiting);
}

static int64_t half_window_ms(const http_server *server)
{
    return server->config.body_window_ms > 1 ? server->config.body_window_ms / 2 : 1;
}

/* How often the least rate is doubled by now. That a thread was free for a moment, which the next of those who wait
 * took at once, ends no shortage. */
static int doublings(http_server *server, int64_t now_ms)
{
    http_shortage *shortage = &server->shortage;

    if (!lacks_threads(server) ||
        atomic_load(&server->threads_awaiting) <= server->config.handler_threads / 2) {
        return 0;
    }
    mutex_lock(&shortage->lock);
    if (now_ms - shortage->seen_ms > server->config.body_window_ms) {
        shortage->since_ms = now_ms;
    }
    shortage->seen_ms = now_ms;
    int64_t count = (now_ms - shortage->since_ms) / half_window_ms(server);
    mutex_unlock(&shortage->lock);
    return count < DOUBLINGS_MAX ? (int)count : DOUBLINGS_MAX;
}

/* Whether it has to give way: looked at once a window, more often in a shortage, and only where others wait. */
static bool is_too_slow(http_server *server, const http_peer *peer, const http_wait *wait,
                        int64_t now_ms)
{
    const http_config *config = &server->config;
    http_pace *pace = wait->pace;

    if (config->body_rate_least <= 0 || pace == NULL || pace->waited_ms < half_window_ms(server)) {
        return false;
    }
    bool is_whole = pace->waited_ms >= config->body_window_ms;
    int raised = doublings(server, now_ms);
    int64_t asked = (config->body_rate_least * pace->waited_ms / 1000) * (INT64_C(1) << raised);
    bool slow = ((is_whole || raised > 0) && wait->moved - pace->noted < asked) ||
                (is_whole && is_crowding(server, peer));
    if (!slow && is_whole) {
        pace->waited_ms = 0;
        pace->noted = wait->moved;
    }
    return slow && lacks_threads(server);
}

static status too_slow(const http_server *server, const http_wait *wait, error *err)
{
    return error_set(err, STATUS_TIMEOUT,
                     "the client %s too slowly while other requests waited (at least %lld bytes a "
                     "second are asked for then, and more where clients keep most threads waiting)",
                     wait->events == POLLIN ? "sent the request's body" : "read the answer",
                     (long long)server->config.body_rate_least);
}

static status wait_for_socket(http_conn *c, const http_wait *wait, error *err)
{
    http_server *server = c->loop->server;
    struct pollfd wanted = {.fd = c->io.fd, .events = wait->events};
    bool is_paced = wait->pace != NULL && server->config.body_rate_least > 0;
    int64_t slice_ms = !is_paced                       ? 60000
                       : half_window_ms(server) < 1000 ? half_window_ms(server)
                                                       : 1000;
    int64_t now_ms = clock_mono_ms();
    int64_t until_ms =
        now_ms + (wait->timeout_ms > 0 ? wait->timeout_ms : server->config.progress_timeout_ms);

    while (!atomic_load(&c->broken)) {
        int64_t left_ms = until_ms - now_ms;
        int ready = poll(&wanted, 1, (int)(left_ms < slice_ms ? left_ms : slice_ms));
        int64_t before_ms = now_ms;

        now_ms = clock_mono_ms();
        if (wait->pace != NULL) {
            if (wait->pace->waited_ms ==
                0) { /* what went into the kernel's buffer unread is no pace */
                wait->pace->noted = wait->moved;
            }
            wait->pace->waited_ms += now_ms - before_ms;
        }
        if (is_too_slow(server, c->peer, wait, now_ms)) {
            return too_slow(server, wait, err);
        }
        if (ready > 0) {
            return STATUS_OK;
        }
        if (now_ms >= until_ms) {
            return error_set(err, STATUS_TIMEOUT, "the client did not %s in time",
                             wait->events == POLLIN ? "send its request" : "read the answer");
        }
    }
    return error_set(err, STATUS_CANCELLED, "the client went away");
}

status http__conn_wait(http_conn *c, const http_wait *wait, error *err)
{
    http_server *server = c->loop->server;
    bool counts = c->peer != NULL && wait->pace != NULL;

    if (counts) {
        atomic_fetch_add(&server->threads_awaiting, 1);
        atomic_fetch_add(&c->peer->awaited, 1);
    }
    status result = wait_for_socket(c, wait, err);
    if (counts) {
        atomic_fetch_sub(&c->peer->awaited, 1);
        atomic_fetch_sub(&server->threads_awaiting, 1);
    }
    return result;
}

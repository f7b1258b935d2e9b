/* http_core.h: what the files of the HTTP server share: server, loops, connections, exchanges.
 *
 * A connection belongs to one loop, and its state names its owner:
 *
 *   IDLE ──first byte──> HEAD ──head parsed──> HANDLING ──handler returned──> SENDING ──> DRAINING ──> IDLE
 *                          │ │                  ↑  │ (inline handlers: at once)   │           │
 *                          │ └──> BODY ─────────┘  │                              │           │
 *                          │ refused               │                              │           │
 *                          └───────────────────────┴──────────────────────────────┴─> LINGERING ──> closed
 *
 *   http__conn_advance moves it on the loop's thread. Only in HANDLING a pool thread has it: that thread
 *   reads the body and writes the answer straight from and to the socket (http_body.c, http_answer.c), and
 *   http__conn_finished gives it back. Meanwhile the loop watches for the client's end and touches nothing
 *   but the atomics. A client that asks one thing after another keeps its thread: that one waits a moment for the
 *   next request before it gives the connection back, between two requests then (`is_between`).
 *   A handler that awaits a body which is still to come (http_body_await) gives its thread back: the loop has the
 *   connection in COLLECTING until the body is whole, or has failed, and then in HANDLING again.
 *   In BODY a small body is on its way, and the door wants it whole (`wants_whole`) before the request costs a thread.
 *   SENDING is the rest of an answer whose handler is done. DRAINING throws away what is left of a request
 *   body that nobody read. LINGERING waits for the client's end before the socket is closed: closing with
 *   unread bytes would reset the connection, and the client might lose the answer. */
#ifndef TARN_NET_HTTP_CORE_H
#define TARN_NET_HTTP_CORE_H

#include <stdatomic.h>
#include <sys/socket.h>

#include "http_parse.h"
#include "tarn/base/map.h"
#include "tarn/base/thread.h"
#include "tarn/base/vec.h"
#include "transport.h"

typedef struct http_loop http_loop;
typedef struct http_conn http_conn;

enum {
    HTTP_READ_BYTES = 16 * 1024,   /* first size of a connection's read buffer */
    HTTP_DRAIN_BYTES = 256 * 1024, /* of an unread body, before the connection is closed instead */
    HTTP_LINGER_MS = 2000,
    HTTP_DRAIN_MS = 5000,
    HTTP_FILE_BURST_BYTES = 4 * 1024 * 1024, /* sent of one file before others get their turn */
    HTTP_WHOLE_BURST_BYTES = 1024 * 1024, /* collected of one body before others get their turn */
    HTTP_SEGMENTS_MAX = 16,               /* names in one pattern */
    HTTP_STAY_MS = 2,                     /* a handler's thread waits for the next request */
    HTTP_EXCESS_MAX =
        64, /* connections beyond the maximum that are told so in their door's words */
    HTTP_EXCESS_MS = 1000,
};

/* How fast a client sends or takes: only the time that the handler waited for it counts. */
typedef struct http_pace {
    int64_t waited_ms; /* since `noted` was taken */
    int64_t noted;     /* bytes moved then */
} http_pace;

/* ---- one request and its answer ---- */
struct http_exchange {
    http_conn *conn;
    arena *memory;
    http_head head;
    str id;
    bool is_inline; /* runs on the loop: must not wait */

    uri_pair *params;
    size_t param_count;
    bool params_parsed;
    str segment_names[HTTP_SEGMENTS_MAX];
    str segment_values[HTTP_SEGMENTS_MAX];
    size_t segment_count;

    /* body */
    int64_t body_left; /* with a Content-Length */
    int64_t body_taken;
    http_pace body_pace;
    int64_t body_until_ms; /* of the monotonic clock; 0: no deadline of its own */
    int64_t body_max;      /* -1: none */
    http_chunked chunked;
    bool continue_due; /* the client waits for 100 Continue */
    bool body_failed;
    _Atomic bool body_ended; /* read by the loop and by http_exchange_gone */
    const http_header *request_trailers;
    size_t request_trailer_count;

    /* answer */
    VEC(http_header) headers;
    VEC(http_header) trailers;
    int status_code;
    bool begun, ended, is_chunked, close_after;
    bool failed;            /* cut the connection: the client must not take the answer for whole */
    bool reset;             /* … with a reset, because an end would look clean */
    int64_t declared_bytes; /* of a stream; -1 unknown */
    int64_t answer_bytes;
    http_pace answer_pace;
    int64_t
        answer_sent; /* bytes that the socket took while the handler ran, head and framing among them */
};

/* ---- clients by address ---- */

/* Clients of one address, while they have a connection. */
typedef struct http_peer {
    char address[16];
    size_t address_size;
    int connections;     /* under the lock of all */
    _Atomic int waiting; /* requests for a thread */
    _Atomic int awaited; /* threads that wait for these clients */
} http_peer;

typedef struct http_peers {
    mutex lock;
    map *by_address;
} http_peers;

/* ---- one connection ---- */
typedef enum http_conn_state {
    CONN_IDLE,
    CONN_HEAD,
    CONN_BODY,
    CONN_HANDLING,
    CONN_COLLECTING,
    CONN_SENDING,
    CONN_DRAINING,
    CONN_LINGERING,
    CONN_CLOSED,
} http_conn_state;

/* Answer bytes whose handler has returned. */
typedef struct http_tail {
    char *bytes; /* on the heap */
    size_t at, size;
    int file; /* -1: none; sent behind the bytes */
    bool file_is_lent;
    int64_t offset, left;
    str behind; /* the file; in the exchange's arena */
} http_tail;

typedef enum http_source_kind {
    HTTP_SOURCE_WAKE,
    HTTP_SOURCE_DOOR,
    HTTP_SOURCE_CONN
} http_source_kind;

/* A body that is held whole (http_whole.c). */
typedef struct http_whole {
    char *bytes; /* on the heap */
    size_t size, capacity, max;
    int64_t charged; /* to the server's whole_bytes */
    bool is_awaited; /* by a handler that gave its thread back for it */
    bool is_done;    /* whole, or failed */
    error *failure;  /* NULL: none; in the exchange's arena */
    size_t noted;    /* bytes there at `noted_ms` */
    int64_t noted_ms;
} http_whole;

/* What epoll hands back: the first member of everything that is watched. */
typedef struct http_source {
    http_source_kind kind;
} http_source;

struct http_conn {
    http_source source;
    transport io;
    http_loop *loop;
    const http_service *service;
    http_conn_state state;
    uint32_t watched; /* epoll events asked for */
    bool is_unix;
    http_peer *peer; /* NULL: one too many, which is only told so */
    int64_t deadline_ms;
    http_conn *previous, *next;                      /* all of the loop's */
    http_conn *next_handed, *next_again, *next_dead; /* in the loop's queues */
    bool in_again;

    char *in; /* bytes read and not used yet: in[in_at … in_size) */
    size_t in_at, in_size, in_capacity;
    bool in_drained; /* the last read emptied the socket: nothing to read before the next event */
    http_scan scan;
    bool blank_skipped; /* the one empty line allowed in front of a request */
    bool is_between;    /* handed back without an answer on its way */
    bool is_partial;    /* handed back with a request whose body is on its way */

    _Atomic bool peer_ended; /* FIN seen */
    _Atomic bool broken;     /* reset, or cut by us */
    arena *memory;
    http_exchange exchange;
    http_tail tail;
    http_whole whole;
    char peer_text[64];
};

/* ---- loops and the server ---- */
typedef struct http_counters {
    _Atomic int64_t connections_total, requests_total, requests_refused, bytes_in, bytes_out;
} http_counters;

typedef struct http_door {
    http_source source;
    http_service service;
    int *fds; /* one a loop; a unix socket has fds[0] alone, watched by all */
    bool is_unix;
    char *unix_path;
} http_door;

/* A door as one loop sees it. */
typedef struct http_listener {
    http_source source;
    http_door *door;
    int fd;
} http_listener;

struct http_loop {
    http_server *server;
    thread runner;
    int epoll, wake;
    http_source wake_source;
    http_listener *listeners;
    size_t listener_count;
    bool listening;
    int spare_fd; /* given up to refuse a client when descriptors run out */
    http_conn *conns;
    size_t conn_count;
    http_conn *again; /* have more to do, gave others their turn */
    http_conn *dead;  /* closed; freed when the batch of events is done */
    int64_t now_ms;
    int64_t sweep_ms; /* when deadlines are looked at next */
    _Atomic uint64_t id_state;
    http_header headers[LIMIT_HTTP_HEADERS]; /* for parsing, then copied */

    mutex lock; /* the two below */
    http_conn *handed_back;
    bool woken;
    http_counters counters;
};

/* Requests wait for threads that wait for clients (http_wait.c). */
typedef struct http_shortage {
    mutex lock;
    int64_t since_ms, seen_ms;
} http_shortage;

struct http_server {
    http_config config;
    pool *handlers;
    http_door **doors;
    size_t door_count;
    http_loop *loops;
    int loop_count;
    bool started, stopped;
    int64_t sweep_every_ms;
    _Atomic int64_t connections_open, unix_connections_open;
    _Atomic int64_t connections_in_excess; /* beside these */
    http_peers peers;
    _Atomic int64_t requests_waiting; /* for a thread */
    _Atomic int threads_busy;         /* have a connection */
    _Atomic int threads_awaiting;     /* wait for a body or for a reader */
    http_shortage shortage;
    _Atomic int64_t whole_bytes; /* that bodies have which are held whole */
    _Atomic int threads_staying; /* wait with their connection for its next request */
    _Atomic bool stopping;       /* no new connections, idle ones close */
    _Atomic int64_t cut_at_ms;   /* then the rest is cut */
};

/* http_conn.c */
/* `peer` NULL: in excess of what is allowed; it is refused when its request's head is there, or does not come. */
void http__conn_open(http_loop *loop, const http_listener *listener, int fd,
                     const struct sockaddr_storage *address, http_peer *peer);
void http__conn_event(http_conn *c, uint32_t events);
void http__conn_advance(http_conn *c);
void http__conn_finished(http_conn *c);   /* on the loop, when the handler is done */
void http__conn_given_back(http_conn *c); /* on the loop, from a thread */
void http__conn_expire(http_conn *c);     /* its deadline has passed */
void http__conn_close(http_conn *c, bool reset);
void http__conn_free(http_conn *c);
/* Reads what the socket has into the buffer. -1 with EAGAIN, 0 at the peer's end, as read(2). */
ssize_t http__conn_fill(http_conn *c, size_t room);
void http__conn_look(http_conn *c); /* now and then, whatever its state */

/* http_wait.c */
/* What a pool thread waits for. */
typedef struct http_wait {
    short events;
    int64_t timeout_ms; /* without progress; 0: the server's */
    http_pace *pace;    /* NULL: no least rate is asked for */
    int64_t moved;      /* bytes, for `pace` */
} http_wait;
/* Waits in a pool thread until the socket is ready. TIMEOUT, also for a client that is slower than http_config's
 * body_rate_least while others wait; CANCELLED. */
status http__conn_wait(http_conn *c, const http_wait *wait, error *err);

/* http_peer.c */
void http__peers_init(http_peers *peers);
void http__peers_release(http_peers *peers);
/* NULL: that address has `max` connections already. */
http_peer *http__peer_enter(http_peers *peers, const struct sockaddr_storage *address, int max);
void http__peer_leave(http_peers *peers, http_peer *peer); /* NULL is fine */

/* http_loop.c */
status http__loop_init(http_loop *loop, http_server *server, error *err);
void http__loop_release(http_loop *loop);
void http__loop_run(void *context);
void http__loop_wake(http_loop *loop);
void http__loop_hand_back(http_conn *c); /* any thread */
void http__loop_again(http_conn *c);

/* http_body.c */
typedef enum http_body_step { BODY_DATA, BODY_END, BODY_WAIT, BODY_FAILED } http_body_step;
void http__body_begin(http_exchange *x);
/* One step without waiting: some bytes, the end, or nothing yet. `err` is set with BODY_FAILED. */
http_body_step http__body_step(http_exchange *x, void *ret_bytes, size_t size, size_t *ret_size,
                               error *err);

/* Sends "100 Continue" where the client waits for it. CANCELLED, TIMEOUT. */
status http__body_continue(http_exchange *x, error *err);
status http__body_too_large(http_exchange *x, int64_t max_bytes, error *err);

/* http_whole.c */
/* Takes what has come, about `most` bytes at a time; DATA: there may be more. END, FAILED: it is done, `failure` is
 * set. Never waits. */
http_body_step http__whole_collect(http_conn *c, int64_t most, int64_t *ret_got);
void http__whole_fail(http_conn *c, status kind, const char *message);
/* Whether a body has to give way for the memory that it keeps: on the loop, once a window. */
bool http__whole_is_too_slow(http_conn *c);
void http__whole_release(http_conn *c);

/* http_answer.c */
void http__answer_refusal(http_exchange *x, http_refusal refusal);
/* Sees to it that a handler that returned has answered, or that the client sees that it did not. */
void http__answer_complete(http_exchange *x);
/* Sends of the tail what the socket takes. TAIL_TURN: it takes more, but others wait. */
typedef enum http_tail_step { TAIL_DONE, TAIL_WAIT, TAIL_TURN, TAIL_BROKEN } http_tail_step;
http_tail_step http__tail_send(http_conn *c);
void http__tail_release(http_conn *c);

/* http_text.c */
const char *http__reason(int status_code);
const char *http__date(void); /* 29 characters; cached for this thread and second */
void http__error_body(buf *out, const http_refusal_info *info, str request_id);

static inline void http__count(_Atomic int64_t *counter, int64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif

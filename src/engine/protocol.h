/* protocol.h: messages between the server and a worker, over a socketpair.
 *
 * A message is a head (size and type, 4 bytes each, in the machine's order: both ends are this program) and a
 * payload of at most LIMIT_WORKER_MESSAGE bytes. The server sends one request and waits for DONE or FAILED, with
 * COLUMNS, DATA and VALUE before it. The worker never speaks unasked. Texts in a payload are a size and bytes;
 * STR_NULL is the size WIRE_NULL.
 *
 *   server: SETUP (once) -> worker: DONE or FAILED (then it ends)
 *           EXEC, SCALAR, QUERY, DELETES, FORGET, FILE, RESET, PING -> [COLUMNS] [DATA …] [VALUE] then DONE or FAILED
 *
 * Interrupts have a connection of their own, so that the thread that runs statements reads its requests itself: what
 * goes there is the number of a request (8 bytes). Requests are counted from 1 on by both ends, SETUP not. */
#ifndef TARN_ENGINE_PROTOCOL_H
#define TARN_ENGINE_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "tarn/base/buf.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"

#define WORKER_FD 3                        /* the worker's end */
#define WORKER_HELD_FOLDER "/proc/self/fd" /* where files that were handed over have their names */
/* … and their numbers: DuckDB may open these and no others; the log and the server's socket are among the rest. */
#define WORKER_HELD_FIRST 512
#define WORKER_HELD_COUNT 256
#define WORKER_INTERRUPT_FD 4 /* … of the connection for interrupts */

/*  type        payload */
#define WIRE_TABLE(X)                                                        \
    X(SETUP)   /* library, in, out, roots, sandbox, threads, memory, temp */ \
    X(EXEC)    /* sql */                                                     \
    X(SCALAR)  /* before or NULL, sql, parameters as JSON or NULL */         \
    X(QUERY)   /* format, rows_max, flags, parameters, before, sql */        \
    X(DELETES) /* files, vectors, position queries: worker/delete_sets.c */  \
    X(FORGET)  /* handle */                                                  \
    X(FILE)    /* nothing, and a descriptor; VALUE is its number there */    \
    X(RESET)   /* nothing */                                                 \
    X(PING)    /* nothing */                                                 \
    X(COLUMNS) /* count, name and type of each */                            \
    X(DATA)    /* bytes of the result */                                     \
    X(VALUE)   /* text or NULL */                                            \
    X(DONE)    /* rows, rows scanned */                                      \
    X(FAILED)  /* kind, position, is_fatal, message, hint, detail */

typedef enum wire_type {
    WIRE_NOTHING,
#define X(name) WIRE_##name,
    WIRE_TABLE(X)
#undef X
        WIRE_TYPE_COUNT
} wire_type;

typedef struct wire_head {
    uint32_t size_bytes;
    uint32_t type;
} wire_head;

#define WIRE_NULL UINT32_MAX

/* Flags of QUERY. */
#define WIRE_QUERY_LAST \
    1u /* the transaction is rolled back behind the answer, which does not wait for it */
#define WIRE_QUERY_KEEP \
    2u /* the views that `before` makes may be kept for others with the same `before` */

/* --- building a payload in a buf --- */
void wire_put_str(buf *out, str text);
/* Numbers: buf_add_u32le, buf_add_u64le. */

/* --- reading one --- */
typedef struct wire_reader {
    const char *at;
    const char *end;
    bool failed; /* something was missing; what was read then is 0 or STR_NULL */
} wire_reader;

wire_reader wire_read(str payload);
uint32_t wire_get_u32(wire_reader *r);
uint64_t wire_get_u64(wire_reader *r);
str wire_get_str(wire_reader *r); /* a view into the payload */

/* Sends a message whole; blocks while the other end does not read. `slices` are changed. IO where the other end is
 * gone. */
status wire_send_slices(int fd, wire_type type, struct iovec *slices, size_t count, error *err);
status wire_send(int fd, wire_type type, str payload, error *err);
/* The same with a descriptor, which the other end gets one of its own of. */
status wire_send_file(int fd, wire_type type, str payload, int file, error *err);
/* The same behind whole messages that wait in `before`, in one call. */
void wire_put_message(buf *out, wire_type type, str payload);
status wire_send_behind(int fd, str before, wire_type type, str payload, error *err);
/* Receives a message whole, waiting as long as it takes. `ret_is_end`: the other end was closed between messages. */
status wire_receive(int fd, wire_type *ret_type, buf *payload, bool *ret_is_end, error *err);
/* The same; `ret_file` is the descriptor that came with it, the caller's, -1: none. */
status wire_receive_file(int fd, wire_type *ret_type, buf *payload, bool *ret_is_end, int *ret_file,
                         error *err);

/* FAILED and what it says. */
void wire_put_error(buf *out, const error *failure, bool is_fatal);
void wire_get_error(str payload, error *ret_failure, bool *ret_is_fatal);

#endif

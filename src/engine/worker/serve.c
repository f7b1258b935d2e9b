/* The loop of a worker.
 *
 * Two threads: the caller's reads requests and runs them; the other one listens on the connection for interrupts, so
 * that they and the server's end are seen while a statement runs. DuckDB forgets an interrupt that arrives between two
 * phases of a statement: it is repeated until the request ends. */
#include "worker/serve.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "protocol.h"
#include "tarn/base/fault.h"
#include "tarn/base/limits.h"
#include "worker/cell.h"
#include "worker/delete_sets.h"
#include "worker/kept.h"
#include "worker/result.h"

#define INTERRUPT_REPEAT_MS 20
#define TRIM_AFTER_MS 500 /* without a request: memory that is free goes back to the system */

typedef struct server {
    session *session;
    int fd;
    int interrupt_fd;
    mutex lock;           /* guards the three below */
    uint64_t number;      /* of the request that runs or ran last */
    uint64_t interrupted; /* number of the request that is to end; it may not have come yet */
    bool is_running;
    wire_type type;
    buf request;
    int file; /* that came with it; -1: none */
} server;

/* --- the listening thread --- */

/* With the lock held. */
static void interrupt_running(server *s)
{
    if (s->is_running && s->number == s->interrupted) {
        atomic_store(&s->session->interrupted, true);
        session_interrupt(s->session);
    }
}

static void listen_for_interrupts(void *context)
{
    server *s = context;

    for (;;) {
        struct pollfd wait = {.fd = s->interrupt_fd, .events = POLLIN};
        uint64_t number = 0;
        bool is_awaited;

        mutex_lock(&s->lock);
        interrupt_running(s);
        is_awaited = s->interrupted > s->number || (s->is_running && s->interrupted == s->number);
        mutex_unlock(&s->lock);
        if (poll(&wait, 1, is_awaited ? INTERRUPT_REPEAT_MS : -1) <= 0) {
            continue;
        }
        if (read(s->interrupt_fd, &number, sizeof(number)) != sizeof(number)) {
            _exit(0); /* the server is gone, or wants this worker gone */
        }
        mutex_lock(&s->lock);
        s->interrupted = number;
        mutex_unlock(&s->lock);
    }
}

/* --- requests --- */

typedef struct reply {
    int64_t rows;
    bool is_cut;
    bool is_fatal;
    bool rolls_back; /* behind the reply */
} reply;

static status run_exec(server *s, wire_reader *r, reply *out, error *err)
{
    arena *a = arena_create();
    str sql = str_copy(a, wire_get_str(r));

    session_note(s->session, sql);
    status result = session_exec(s->session, sql, &out->is_fatal, err);

    arena_free(a);
    return result;
}

/* What goes before a statement in its message. */
static status run_before(server *s, str sql, reply *out, error *err)
{
    if (str_is_null(sql)) {
        return STATUS_OK;
    }
    session_note(s->session, sql);
    status result = session_exec(s->session, sql, &out->is_fatal, err);
    if (result != STATUS_OK) {
        err->position = ERROR_NO_POSITION; /* it would be taken for one in the statement */
    }
    return result == STATUS_OK ? session_check(s->session, err) : result;
}

static status put_value(cursor *c, duck_chunk *chunk, arena *a, buf *payload, error *err)
{
    duck_logical_type *type = duck.column_logical_type(&c->result, 0);
    cell_vector vector;
    cell_type cell;
    buf *text = buf_in(a, LIMIT_WORKER_MESSAGE);
    status result = cell_compile(type, a, &cell, err);

    duck.destroy_logical_type(&type);
    TRY(result);
    cell_vector_init(&vector, &cell, a);
    cell_vector_bind(&vector, duck.data_chunk_get_vector(chunk, 0));
    if (cell_is_null(&vector, 0)) {
        wire_put_str(payload, STR_NULL);
        return STATUS_OK;
    }
    cell.put(&vector, 0, text);
    TRY(buf_check(text, "a value", err));
    wire_put_str(payload, text->size > 0 ? buf_str(text) : STR(""));
    return STATUS_OK;
}

static status send_value(server *s, str sql, const json *params, reply *out, arena *a, error *err)
{
    cursor_options options = {.sql = sql, .params = params};
    duck_chunk *chunk = NULL;
    cursor c;
    buf payload;
    status result = cursor_open(s->session, &options, a, &c, err);

    buf_init(&payload, LIMIT_WORKER_MESSAGE);
    if (result == STATUS_OK) {
        result = cursor_next(&c, &chunk, err);
    }
    if (result == STATUS_OK && (chunk == NULL || duck.data_chunk_get_size(chunk) == 0)) {
        wire_put_str(&payload, STR_NULL);
    } else if (result == STATUS_OK) {
        result = put_value(&c, chunk, a, &payload, err);
    }
    if (chunk != NULL) {
        duck.destroy_data_chunk(&chunk);
    }
    if (result == STATUS_OK) {
        result = buf_check(&payload, "a value", err);
    }
    if (result == STATUS_OK) {
        result = wire_send(s->fd, WIRE_VALUE, buf_str(&payload), err);
    }
    out->is_fatal = c.is_fatal;
    cursor_close(&c);
    buf_release(&payload);
    return result;
}

static status read_params(str text, arena *a, const json **ret_params, error *err)
{
    *ret_params = NULL;
    return str_is_null(text) ? STATUS_OK : json_parse(text, a, ret_params, err);
}

static status run_scalar(server *s, wire_reader *r, reply *out, error *err)
{
    arena *a = arena_create();
    str before = str_copy(a, wire_get_str(r));
    str sql = str_copy(a, wire_get_str(r));
    const json *params;
    status result = read_params(wire_get_str(r), a, &params, err);

    session_note(s->session, sql);
    if (result == STATUS_OK) {
        result = run_before(s, before, out, err);
    }
    if (result == STATUS_OK) {
        result = send_value(s, sql, params, out, a, err);
    }
    arena_free(a);
    return result;
}

static status run_query(server *s, wire_reader *r, reply *out, error *err)
{
    arena *a = arena_create();
    result_request request = {.format = (result_format)wire_get_u32(r),
                              .rows_max = (int64_t)wire_get_u64(r)};
    uint32_t flags = wire_get_u32(r);
    status result = read_params(wire_get_str(r), a, &request.statement.params, err);

    request.statement.for_arrow = request.format == RESULT_ARROW;
    str before = str_copy(a, wire_get_str(r));
    request.statement.sql = str_copy(a, wire_get_str(r));
    session_note(s->session, request.statement.sql);
    bool is_kept =
        result == STATUS_OK && (flags & WIRE_QUERY_KEEP) != 0 && kept_begin(s->session, before);
    if (result == STATUS_OK && !is_kept) {
        result = run_before(s, before, out, err);
    }
    if (result == STATUS_OK) {
        result =
            result_send(s->session, &request, s->fd, &out->rows, &out->is_cut, &out->is_fatal, err);
    }
    if (is_kept) {
        kept_end(s->session);
    }
    out->rolls_back = result == STATUS_OK && !is_kept && (flags & WIRE_QUERY_LAST) != 0;
    arena_free(a);
    return result;
}

static status run_deletes(server *s, wire_reader *r, reply *out, error *err)
{
    return delete_sets_load(s->session, r, &out->is_fatal, err);
}

static status run_forget(server *s, wire_reader *r, reply *out, error *err)
{
    (void)s;
    (void)out;
    (void)err;
    delete_sets_forget(wire_get_u32(r));
    return STATUS_OK;
}

static status run_reset(server *s, wire_reader *r, reply *out, error *err)
{
    status result = session_reset(s->session, err);

    (void)r;
    delete_sets_forget_all();
    out->is_fatal = result != STATUS_OK;
    return result;
}

/* A file that lies in memory alone stays open for the worker's life, under a name of its own: /proc/self/fd/N. */
static status run_file(server *s, wire_reader *r, reply *out, error *err)
{
    char number[16];
    buf payload;

    (void)r;
    (void)out;
    if (s->file < 0) {
        return error_set(err, STATUS_INTERNAL, "a worker was given no file");
    }
    int held = fcntl(s->file, F_DUPFD_CLOEXEC, WORKER_HELD_FIRST);
    (void)close(s->file);
    s->file = -1;
    if (held < 0 || held >= WORKER_HELD_FIRST + WORKER_HELD_COUNT) {
        (void)(held >= 0 && close(held));
        return error_set(err, STATUS_TOO_LARGE,
                         "a query reads at most %d objects that are encrypted on the disk",
                         WORKER_HELD_COUNT);
    }
    (void)snprintf(number, sizeof(number), "%d", held);
    buf_init(&payload, LIMIT_KIB);
    wire_put_str(&payload, str_c(number));
    status sent = wire_send(s->fd, WIRE_VALUE, buf_str(&payload), err);
    buf_release(&payload);
    return sent;
}

static status run_nothing(server *s, wire_reader *r, reply *out, error *err)
{
    (void)s;
    (void)r;
    (void)out;
    (void)err;
    return STATUS_OK;
}

typedef status (*request_run)(server *s, wire_reader *r, reply *out, error *err);

static const request_run runs[WIRE_TYPE_COUNT] = {
    [WIRE_EXEC] = run_exec,     [WIRE_SCALAR] = run_scalar, [WIRE_QUERY] = run_query,
    [WIRE_RESET] = run_reset,   [WIRE_PING] = run_nothing,  [WIRE_DELETES] = run_deletes,
    [WIRE_FORGET] = run_forget, [WIRE_FILE] = run_file,
};

static status run_request(server *s, reply *out, error *err)
{
    wire_reader r = wire_read(buf_str(&s->request));

    if (runs[s->type] == NULL) {
        return error_set(err, STATUS_INTERNAL, "a worker does not know the request %d",
                         (int)s->type);
    }
    TRY(FAULT(FAULT_WORKER_RUN, err));
    return runs[s->type](s, &r, out, err);
}

static status send_reply(server *s, status result, const reply *out, const error *failure,
                         error *err)
{
    buf payload;
    status sent;

    buf_init(&payload, LIMIT_WORKER_MESSAGE);
    if (result == STATUS_OK) {
        buf_add_u64le(&payload, (uint64_t)out->rows);
        buf_add_u32le(&payload, out->is_cut ? 1 : 0);
    } else {
        wire_put_error(&payload, failure, out->is_fatal);
    }
    sent = wire_send(s->fd, result == STATUS_OK ? WIRE_DONE : WIRE_FAILED, buf_str(&payload), err);
    buf_release(&payload);
    return sent;
}

/* A large request does not keep its memory. */
static void forget_request(server *s)
{
    if (s->request.capacity > LIMIT_MIB) {
        buf_release(&s->request);
        buf_init(&s->request, LIMIT_WORKER_MESSAGE);
    }
}

/* The next request; memory that is free goes back to the system where none comes for a while. */
static status receive_request(server *s, error *err)
{
    struct pollfd wait = {.fd = s->fd, .events = POLLIN};
    bool is_end;

    for (int wait_ms = TRIM_AFTER_MS; poll(&wait, 1, wait_ms) <= 0; wait_ms = -1) {
        (void)malloc_trim(0);
    }
    TRY(wire_receive_file(s->fd, &s->type, &s->request, &is_end, &s->file, err));
    if (is_end) {
        _exit(0); /* the server is gone, or wants this worker gone */
    }
    return STATUS_OK;
}

static void begin_request(server *s)
{
    mutex_lock(&s->lock);
    s->number++;
    s->is_running = true;
    if (s->interrupted == s->number) {
        atomic_store(&s->session->interrupted, true);
    }
    mutex_unlock(&s->lock);
}

static void end_request(server *s)
{
    mutex_lock(&s->lock);
    s->is_running = false;
    atomic_store(&s->session->interrupted, false);
    mutex_unlock(&s->lock);
}

status serve(session *served, int fd, int interrupt_fd, error *err)
{
    server s = {.session = served, .fd = fd, .interrupt_fd = interrupt_fd};
    thread listener;

    mutex_init(&s.lock);
    buf_init(&s.request, LIMIT_WORKER_MESSAGE);
    TRY(thread_start(&listener, "tarn-interrupts", listen_for_interrupts, &s, err));
    for (;;) {
        reply out = {.rows = 0};
        error failure = ERROR_INIT;
        status result;

        TRY(receive_request(&s, err));
        begin_request(&s);
        result = run_request(&s, &out, &failure);
        forget_request(&s);
        end_request(&s);
        TRY(send_reply(&s, result, &out, &failure, err));
        if (out.rolls_back) {
            TRY(session_exec(served, STR("ROLLBACK"), &out.is_fatal, err));
        }
    }
}

/* Requests to a worker: sending, relaying the result, cancelling, noticing death.
 *
 * While a request runs, its caller reads the socket and looks at the cancel several times a second. A request that is
 * to end is interrupted first, then what the worker still sends is read and dropped; a worker that does not answer
 * within KILL_AFTER_MS is killed. Memory does not depend on the result's size: bytes go from one block to the sink. */
#include "pool_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"

#define NS_PER_MS INT64_C(1000000)
#define KILL_AFTER_MS 700
#define LOOK_NS (40 * NS_PER_MS)
#define DEATH_LIMIT_NS (10000 * NS_PER_MS)
#define BLOCK_BYTES (256 * LIMIT_KIB)
#define RECEIVED_MAX ((size_t)16 * LIMIT_KIB)
#define COLUMNS_MAX (64 * LIMIT_MIB)

typedef struct call {
    worker *worker;
    const worker_cancel *cancel;
    error stop; /* why the request is to end early; OK: it is not */
    int64_t kill_at_ns;
    int64_t looked_ns;
    char *block; /* NULL until something large comes */
    /* where the answer goes; parts that a request cannot have are NULL */
    bool has_rows; /* the request may answer with columns and data */
    bool has_file; /* `file` goes with the request */
    int file;
    const result_sink *sink; /* NULL: they are dropped */
    arena *arena;
    str *value;
    worker_query_result *counts;
} call;

/* --- the end of a worker --- */

static const char *signal_name(int number)
{
    const char *name = sigabbrev_np(number);

    return name != NULL ? name : "?";
}

/* The connection is closed: the process ended, or is about to. */
static status died(worker *w, error *err)
{
    worker_pool *p = w->pool;
    int64_t deadline_ns = clock_mono_ns() + DEATH_LIMIT_NS;
    int exit_signal;

    mutex_lock(&p->lock);
    while (!w->is_dead && clock_mono_ns() < deadline_ns) {
        (void)cond_wait_until(&p->changed, &p->lock, deadline_ns);
    }
    w->is_broken = true;
    exit_signal = w->is_dead ? w->exit_signal : 0;
    mutex_unlock(&p->lock);
    if (exit_signal == SIGKILL) {
        (void)error_set(
            err, STATUS_WORKER_DIED,
            "the query's worker process was killed, most likely because the machine ran out of memory");
        error_hint(err, "Lower engine.memory, or ask for less at once.");
    } else if (exit_signal != 0) {
        (void)error_set(err, STATUS_WORKER_DIED, "the query's worker process died by signal SIG%s",
                        signal_name(exit_signal));
    } else {
        (void)error_set(err, STATUS_WORKER_DIED, "the query's worker process ended");
    }
    return STATUS_WORKER_DIED;
}

/* --- stopping --- */

static void stop(call *c, const error *why)
{
    int64_t after_ms = c->worker->pool->options.kill_after_ms;

    if (c->stop.kind != STATUS_OK) {
        return;
    }
    c->stop = *why;
    c->kill_at_ns = clock_mono_ns() + (after_ms > 0 ? after_ms : KILL_AFTER_MS) * NS_PER_MS;
    /* Nobody waits for room in there: where it is full, the worker does not listen, and is killed. */
    (void)send(c->worker->interrupt_fd, &c->worker->requests, sizeof(c->worker->requests),
               MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void look(call *c)
{
    int64_t now = clock_mono_ns();
    error why = ERROR_INIT;

    if (now - c->looked_ns < LOOK_NS && c->looked_ns != 0) {
        return;
    }
    c->looked_ns = now;
    if (c->stop.kind != STATUS_OK) {
        if (now >= c->kill_at_ns) {
            mutex_lock(&c->worker->pool->lock);
            pool_kill(c->worker);
            c->worker->is_broken = true;
            mutex_unlock(&c->worker->pool->lock);
        }
    } else if (c->cancel != NULL && c->cancel->is_cancelled != NULL &&
               c->cancel->is_cancelled(c->cancel->context)) {
        (void)error_set(&why, STATUS_CANCELLED, "the query was cancelled");
        stop(c, &why);
    } else if (c->cancel != NULL && c->cancel->deadline_ns != 0 && now >= c->cancel->deadline_ns) {
        (void)error_set(&why, STATUS_TIMEOUT, "the query reached its time limit");
        stop(c, &why);
    }
}

/* How long nothing needs to be looked at. */
static int wait_ms(const call *c)
{
    int64_t left_ns = LOOK_NS;

    if (c->stop.kind == STATUS_OK && c->cancel != NULL && c->cancel->deadline_ns != 0) {
        int64_t until_ns = c->cancel->deadline_ns - clock_mono_ns();

        left_ns = until_ns < left_ns ? until_ns : left_ns;
    }
    return left_ns > NS_PER_MS ? (int)(left_ns / NS_PER_MS) : 1;
}

/* --- reading --- */

/* Until something is there. */
static status receive(call *c, void *bytes, size_t size, size_t *ret_size, error *err)
{
    for (;;) {
        struct pollfd wait = {.fd = c->worker->fd, .events = POLLIN};
        ssize_t got;

        look(c);
        (void)poll(&wait, 1, wait_ms(c));
        got = recv(c->worker->fd, bytes, size, MSG_DONTWAIT);
        if (got > 0) {
            *ret_size = (size_t)got;
            return STATUS_OK;
        }
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            return died(c->worker, err);
        }
    }
}

/* What was read ahead, or what comes: an answer's small messages arrive together. */
static status take_received(call *c, size_t size_max, const char **ret_bytes, size_t *ret_size,
                            error *err)
{
    worker *w = c->worker;

    if (w->received_at == w->received_size) {
        if (w->received == NULL) {
            w->received = mem_alloc(RECEIVED_MAX);
        }
        w->received_at = w->received_size = 0;
        TRY(receive(c, w->received, RECEIVED_MAX, &w->received_size, err));
    }
    *ret_bytes = w->received + w->received_at;
    *ret_size = w->received_size - w->received_at;
    *ret_size = *ret_size < size_max ? *ret_size : size_max;
    w->received_at += *ret_size;
    return STATUS_OK;
}

static bool is_large(const call *c, size_t size)
{
    return c->worker->received_at == c->worker->received_size && size >= RECEIVED_MAX;
}

static status read_whole(call *c, void *bytes, size_t size, error *err)
{
    for (size_t done = 0; done < size;) {
        size_t got;

        if (is_large(c, size - done)) {
            TRY(receive(c, (char *)bytes + done, size - done, &got, err));
        } else {
            const char *from;

            TRY(take_received(c, size - done, &from, &got, err));
            memcpy((char *)bytes + done, from, got);
        }
        done += got;
    }
    return STATUS_OK;
}

static status damaged(call *c, error *err)
{
    c->worker->is_broken = true;
    return error_set(err, STATUS_INTERNAL,
                     "a worker process sent what the server does not understand");
}

static status relay(call *c, size_t size, error *err)
{
    while (size > 0) {
        const char *bytes;
        size_t got;

        if (is_large(c, size)) {
            c->block = c->block != NULL ? c->block : mem_alloc(BLOCK_BYTES);
            TRY(receive(c, c->block, size < BLOCK_BYTES ? size : BLOCK_BYTES, &got, err));
            bytes = c->block;
        } else {
            TRY(take_received(c, size, &bytes, &got, err));
        }
        size -= got;
        if (c->counts != NULL) {
            c->counts->bytes += (int64_t)got;
        }
        if (c->stop.kind == STATUS_OK && c->sink != NULL) {
            error why = ERROR_INIT;

            if (c->sink->write(c->sink->context, bytes, got, &why) != STATUS_OK) {
                stop(c, &why);
            }
        }
    }
    return STATUS_OK;
}

static status take_columns(call *c, str payload, error *err)
{
    wire_reader r = wire_read(payload);
    uint32_t count = wire_get_u32(&r);
    arena *a;
    result_column *columns;
    error why = ERROR_INIT;

    if (!c->has_rows || r.failed || count > payload.size) {
        return damaged(c, err);
    }
    a = c->arena;
    columns = ARENA_ARRAY(a, result_column, count);
    for (uint32_t i = 0; i < count; i++) {
        columns[i].name = str_copy(a, wire_get_str(&r));
        columns[i].type = str_copy(a, wire_get_str(&r));
    }
    if (r.failed) {
        return damaged(c, err);
    }
    if (c->stop.kind == STATUS_OK && c->sink != NULL &&
        c->sink->begin(c->sink->context, columns, count, &why) != STATUS_OK) {
        stop(c, &why);
    }
    return STATUS_OK;
}

static status take_failure(call *c, str payload, error *err)
{
    error failure = ERROR_INIT;
    bool is_fatal;

    wire_get_error(payload, &failure, &is_fatal);
    c->worker->is_broken = c->worker->is_broken || is_fatal;
    if (err != NULL) {
        *err = failure;
    }
    return failure.kind;
}

/* One message. `ret_is_last`: the request is answered. */
static status take_message(call *c, wire_head head, bool *ret_is_last, error *err)
{
    buf payload;
    status result;
    wire_reader r;

    if (head.type == WIRE_DATA) {
        return relay(c, head.size_bytes, err);
    }
    if (head.size_bytes > (head.type == WIRE_VALUE ? LIMIT_WORKER_MESSAGE : COLUMNS_MAX)) {
        return damaged(c, err);
    }
    buf_init(&payload, LIMIT_WORKER_MESSAGE);
    {
        char *room = buf_reserve(&payload, head.size_bytes);

        result = buf_check(&payload, "an answer of a worker", err);
        if (result == STATUS_OK) {
            result = read_whole(c, room, head.size_bytes, err);
        }
        if (result == STATUS_OK) {
            buf_commit(&payload, head.size_bytes);
        }
    }
    r = wire_read(buf_str(&payload));
    if (result != STATUS_OK) {
        c->worker->is_broken = true;
    } else if (head.type == WIRE_COLUMNS) {
        result = take_columns(c, buf_str(&payload), err);
    } else if (head.type == WIRE_VALUE && c->value != NULL) {
        *c->value = str_copy(c->arena, wire_get_str(&r));
    } else if (head.type == WIRE_DONE) {
        *ret_is_last = true;
        if (c->counts != NULL) {
            c->counts->row_count = (int64_t)wire_get_u64(&r);
            c->counts->is_cut = wire_get_u32(&r) != 0;
        }
    } else if (head.type == WIRE_FAILED) {
        *ret_is_last = true;
        result = take_failure(c, buf_str(&payload), err);
    } else {
        result = damaged(c, err);
    }
    buf_release(&payload);
    return result;
}

/* --- a request from beginning to end --- */

status pool_send(worker *w, uint32_t type, str payload, error *err)
{
    w->requests++;
    return wire_send(w->fd, (wire_type)type, payload, err);
}

static status send_request(call *c, wire_type type, str payload)
{
    if (!c->has_file) {
        return pool_send(c->worker, type, payload, NULL);
    }
    c->worker->requests++;
    return wire_send_file(c->worker->fd, type, payload, c->file, NULL);
}

static status run(call *c, wire_type type, str payload, error *err)
{
    bool is_last = false;
    status result = STATUS_OK;

    if (c->worker->is_broken) {
        return error_set(err, STATUS_WORKER_DIED,
                         "the query's worker process is of no further use");
    }
    if (send_request(c, type, payload) != STATUS_OK) {
        return died(c->worker, err);
    }
    while (!is_last && result == STATUS_OK) {
        wire_head head;

        result = read_whole(c, &head, sizeof(head), err);
        if (result == STATUS_OK &&
            (head.type >= WIRE_TYPE_COUNT || (head.type == WIRE_DATA && !c->has_rows))) {
            result = damaged(c, err);
        }
        if (result == STATUS_OK) {
            result = take_message(c, head, &is_last, err);
        }
    }
    mem_free(c->block);
    if (c->stop.kind != STATUS_OK) { /* that is why, whatever the worker says */
        if (err != NULL) {
            *err = c->stop;
        }
        return c->stop.kind;
    }
    return result;
}

status worker_exec(worker *w, str sql, const worker_cancel *cancel, error *err)
{
    call c = {.worker = w, .cancel = cancel};
    buf payload;
    status result;

    w->is_touched = true;
    buf_init(&payload, LIMIT_WORKER_MESSAGE);
    wire_put_str(&payload, sql);
    result = buf_check(&payload, "the statement", err);
    if (result == STATUS_OK) {
        result = run(&c, WIRE_EXEC, buf_str(&payload), err);
    }
    buf_release(&payload);
    return result;
}

status worker_load_deletes(worker *w, str message, const worker_cancel *cancel, error *err)
{
    call c = {.worker = w, .cancel = cancel};

    w->is_touched = true;
    return run(&c, WIRE_DELETES, message, err);
}

void worker_forget_deletes(worker *w, uint32_t handle)
{
    call c = {.worker = w};
    buf payload;

    buf_init(&payload, LIMIT_KIB);
    buf_add_u32le(&payload, handle);
    (void)run(&c, WIRE_FORGET, buf_str(&payload), NULL);
    buf_release(&payload);
}

/* --- files in memory --- */

status worker_file_begin(worker *w, str location, int64_t size_bytes, int *ret_fd, error *err)
{
    int64_t most = w->pool->options.held_bytes;
    int fd;

    if (size_bytes > most - w->held_bytes) {
        (void)error_set(err, STATUS_TOO_LARGE,
                        "object \"%.*s\" is encrypted on the disk, and with its %lld bytes a query "
                        "would read more than %lld of such objects",
                        STR_ARG(location), (long long)size_bytes, (long long)most);
        error_hint(err,
                   "Raise engine.sealed_bytes, or ask for a copy without server-side encryption.");
        return STATUS_TOO_LARGE;
    }
    fd = memfd_create("tarn", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return error_errno(err, STATUS_BUSY, errno, "cannot make a file in memory");
    }
    if (ftruncate(fd, size_bytes) != 0) {
        status result =
            error_errno(err, STATUS_OUT_OF_MEMORY, errno,
                        "cannot make a file of %lld bytes in memory", (long long)size_bytes);
        (void)close(fd);
        return result;
    }
    w->holds_files = true;
    w->held_bytes += size_bytes;
    *ret_fd = fd;
    return STATUS_OK;
}

status worker_hand_over(worker *w, int fd, const worker_cancel *cancel, arena *a, char **ret_path,
                        error *err)
{
    str number = STR_NULL;
    call c = {
        .worker = w, .cancel = cancel, .has_file = true, .file = fd, .arena = a, .value = &number};
    status result = STATUS_OK;

    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
        result = error_errno(err, STATUS_INTERNAL, errno, "cannot seal a file in memory");
    }
    if (result == STATUS_OK) {
        result = run(&c, WIRE_FILE, STR(""), err);
    }
    if (result == STATUS_OK) {
        *ret_path = arena_printf(a, WORKER_HELD_FOLDER "/%.*s", STR_ARG(number));
    }
    return result;
}

static void put_params(const str *params, size_t count, buf *payload)
{
    buf text;
    json_writer writer;

    if (count == 0) {
        wire_put_str(payload, STR_NULL);
        return;
    }
    buf_init(&text, LIMIT_WORKER_MESSAGE);
    json_writer_init(&writer, &text);
    json_begin_array(&writer);
    for (size_t i = 0; i < count; i++) {
        if (str_is_null(params[i])) {
            json_put_null(&writer);
        } else {
            json_put_str(&writer, params[i]);
        }
    }
    json_end_array(&writer);
    wire_put_str(payload, buf_str(&text));
    payload->failed = payload->failed || text.failed;
    buf_release(&text);
}

status worker_scalar_after(worker *w, str before, str sql, const str *params, size_t param_count,
                           const worker_cancel *cancel, arena *a, str *ret_text, error *err)
{
    str value = STR_NULL;
    call c = {.worker = w, .cancel = cancel, .arena = a, .value = &value};
    buf payload;
    status result;

    w->is_open = w->is_open || !str_is_null(before);
    buf_init(&payload, LIMIT_WORKER_MESSAGE);
    wire_put_str(&payload, before);
    wire_put_str(&payload, sql);
    put_params(params, param_count, &payload);
    result = buf_check(&payload, "the statement", err);
    if (result == STATUS_OK) {
        result = run(&c, WIRE_SCALAR, buf_str(&payload), err);
    }
    buf_release(&payload);
    if (result == STATUS_OK) {
        *ret_text = value;
    }
    w->is_touched = w->is_touched || result != STATUS_OK;
    return result;
}

status worker_scalar(worker *w, str sql, const str *params, size_t param_count,
                     const worker_cancel *cancel, arena *a, str *ret_text, error *err)
{
    w->is_touched = true;
    return worker_scalar_after(w, STR_NULL, sql, params, param_count, cancel, a, ret_text, err);
}

status worker_query(worker *w, const worker_query_options *options, const result_sink *sink,
                    const worker_cancel *cancel, worker_query_result *ret_result, error *err)
{
    worker_query_result counts = {.row_count = 0};
    call c = {.worker = w,
              .cancel = cancel,
              .has_rows = true,
              .sink = sink,
              .counts = &counts,
              .arena = arena_create()};
    bool rolls_back = options->leaves_nothing && (w->is_open || !str_is_null(options->before));
    bool may_keep = options->may_keep && options->leaves_nothing && !w->is_open && !w->is_touched;
    buf payload;
    buf params;
    status result;

    buf_init(&payload, LIMIT_WORKER_MESSAGE);
    buf_init(&params, LIMIT_WORKER_MESSAGE);
    buf_add_u32le(&payload, (uint32_t)options->format);
    buf_add_u64le(&payload, (uint64_t)options->rows_max);
    buf_add_u32le(&payload, (rolls_back ? WIRE_QUERY_LAST : 0) | (may_keep ? WIRE_QUERY_KEEP : 0));
    if (options->params != NULL) {
        json_format(options->params, &params);
        wire_put_str(&payload, buf_str(&params));
    } else {
        wire_put_str(&payload, STR_NULL);
    }
    wire_put_str(&payload, options->before);
    wire_put_str(&payload, options->sql);
    result = buf_check(&params, "the parameters", err);
    if (result == STATUS_OK) {
        result = buf_check(&payload, "the statement", err);
    }
    if (result == STATUS_OK) {
        result = run(&c, WIRE_QUERY, buf_str(&payload), err);
    }
    if (result == STATUS_OK) {
        *ret_result = counts;
    }
    if (result == STATUS_OK && options->leaves_nothing) {
        w->is_open = false;
    } else {
        w->is_touched = true;
    }
    buf_release(&params);
    buf_release(&payload);
    arena_free(c.arena);
    return result;
}

/* --- small results --- */

static status ignore_columns(void *context, const result_column *columns, size_t count, error *err)
{
    (void)context;
    (void)columns;
    (void)count;
    (void)err;
    return STATUS_OK;
}

static status gather(void *context, const void *bytes, size_t size, error *err)
{
    buf *out = context;

    buf_add(out, bytes, size);
    return buf_check(out, "the result", err);
}

status worker_rows(worker *w, str sql, const worker_cancel *cancel, arena *a, const json **ret_rows,
                   error *err)
{
    worker_query_options options = {.sql = sql, .format = RESULT_JSON_ROWS, .rows_max = -1};
    worker_query_result counts;
    buf text;
    result_sink sink = {.begin = ignore_columns, .write = gather, .context = &text};
    status result;

    buf_init(&text, LIMIT_RESULT_IN_MEMORY);
    buf_add_char(&text, '[');
    result = worker_query(w, &options, &sink, cancel, &counts, err);
    if (result == STATUS_OK) {
        buf_add_char(&text, ']');
        result = buf_check(&text, "the result", err);
    }
    if (result == STATUS_OK) {
        result = json_parse(buf_str(&text), a, ret_rows, err);
    }
    buf_release(&text);
    return result;
}

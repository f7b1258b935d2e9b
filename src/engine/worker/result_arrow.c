/* Results as an Arrow IPC stream. DuckDB turns a chunk into Arrow's C structs, the codec lays the messages out, and
 * the buffers go to the socket from where they lie. */
#include "worker/result.h"

#include "protocol.h"
#include "tarn/base/limits.h"
#include "tarn/codec/arrow.h"

static status arrow_failed(duck_failure **failure, cursor *c, error *err)
{
    status result = STATUS_OK;

    if (*failure != NULL && duck.error_data_has_error(*failure)) {
        result =
            session_fail(c->session, c->sql, duck.error_data_message(*failure), &c->is_fatal, err);
    }
    if (*failure != NULL) {
        duck.destroy_error_data(failure);
    }
    return result;
}

static status make_schema(cursor *c, duck_arrow_options *options, arena *a,
                          struct ArrowSchema *ret_schema, error *err)
{
    duck_logical_type **types = ARENA_ARRAY(a, duck_logical_type *, c->count);
    const char **names = ARENA_ARRAY(a, const char *, c->count);
    duck_failure *failure;

    for (size_t i = 0; i < c->count; i++) {
        types[i] = duck.column_logical_type(&c->result, i);
        names[i] = c->names[i].data;
    }
    failure = duck.to_arrow_schema(options, types, names, c->count, ret_schema);
    for (size_t i = 0; i < c->count; i++) {
        duck.destroy_logical_type(&types[i]);
    }
    return arrow_failed(&failure, c, err);
}

typedef struct arrow_sender {
    cursor *cursor;
    duck_arrow_options *options;
    struct ArrowSchema schema;
    outlet *outlet;
    buf scratch;
    arena *arena; /* cleared after each batch */
} arrow_sender;

static status send_batch(arrow_sender *s, duck_chunk *chunk, int64_t rows, error *err)
{
    struct ArrowArray array = {.release = NULL};
    duck_failure *failure = duck.data_chunk_to_arrow(s->options, chunk, &array);
    arrow_message message;
    status result;

    TRY(arrow_failed(&failure, s->cursor, err));
    if (array.length >
        rows) { /* what rows_max leaves of the chunk: columns may be longer than their struct */
        array.length = rows;
    }
    result = arrow_write_batch(&s->schema, &array, &s->scratch, s->arena, &message, err);
    if (result == STATUS_OK) {
        result = wire_send_slices(s->outlet->fd, WIRE_DATA, message.slices, message.count, err);
        s->outlet->bytes += (int64_t)message.size_bytes;
    }
    array.release(&array);
    arena_clear(s->arena);
    return result;
}

static status send_batches(arrow_sender *s, int64_t rows_max, int64_t *ret_rows, error *err)
{
    int64_t rows = 0;

    while (rows_max < 0 || rows < rows_max) {
        duck_chunk *chunk;
        int64_t size;
        status result;

        TRY(cursor_next(s->cursor, &chunk, err));
        if (chunk == NULL) {
            break;
        }
        size = (int64_t)duck.data_chunk_get_size(chunk);
        if (rows_max >= 0 && size > rows_max - rows) {
            size = rows_max - rows;
            s->cursor->is_cut = true;
        }
        result = size > 0 ? send_batch(s, chunk, size, err) : STATUS_OK;
        duck.destroy_data_chunk(&chunk);
        TRY(result);
        rows += size;
    }
    *ret_rows = rows;
    return STATUS_OK;
}

status result_send_arrow(cursor *c, int64_t rows_max, outlet *o, arena *a, int64_t *ret_rows,
                         error *err)
{
    arrow_sender s = {
        .cursor = c, .outlet = o, .options = duck.result_get_arrow_options(&c->result)};
    status result = make_schema(c, s.options, a, &s.schema, err);

    s.arena = arena_child(a);
    buf_init(&s.scratch, LIMIT_WORKER_MESSAGE);
    if (result == STATUS_OK) {
        result = arrow_write_schema(&s.schema, &o->out, err);
        if (result == STATUS_OK) {
            result = outlet_flush(o, err);
        }
        if (result == STATUS_OK) {
            result = send_batches(&s, rows_max, ret_rows, err);
        }
        if (result == STATUS_OK) {
            arrow_write_end(&o->out);
            result = outlet_flush(o, err);
        }
        s.schema.release(&s.schema);
    }
    buf_release(&s.scratch);
    duck.destroy_arrow_options(&s.options);
    return result;
}

/* Results as text, and what all formats share. Memory is bounded by one message: the socket pushes back, and DuckDB
 * stops producing when its stream is not read. */
#include "worker/result.h"

#include "protocol.h"
#include "tarn/base/limits.h"
#include "worker/format.h"

#define EARLY_BYTES (LIMIT_MIB) /* while less was sent, messages stay small */
#define EARLY_MESSAGE (64 * LIMIT_KIB)
#define LATE_MESSAGE (256 * LIMIT_KIB)

void outlet_init(outlet *o, int fd)
{
    *o = (outlet){.fd = fd};
    buf_init(&o->columns, LIMIT_WORKER_MESSAGE);
    buf_init(&o->out, LIMIT_WORKER_MESSAGE);
}

void outlet_release(outlet *o)
{
    buf_release(&o->columns);
    buf_release(&o->out);
}

status outlet_flush(outlet *o, error *err)
{
    TRY(buf_check(&o->out, "a row of the result", err));
    if (o->out.size > 0) {
        TRY(wire_send_behind(o->fd, buf_str(&o->columns), WIRE_DATA, buf_str(&o->out), err));
        o->bytes += (int64_t)o->out.size;
        buf_clear(&o->columns);
        buf_clear(&o->out);
    }
    return STATUS_OK;
}

status outlet_flush_columns(outlet *o, error *err)
{
    str whole = buf_str(&o->columns);

    if (whole.size > 0) {
        TRY(wire_send(o->fd, WIRE_COLUMNS, str_slice(whole, sizeof(wire_head), whole.size), err));
        buf_clear(&o->columns);
    }
    return STATUS_OK;
}

status outlet_offer(outlet *o, error *err)
{
    size_t enough = (size_t)o->bytes < EARLY_BYTES ? EARLY_MESSAGE : LATE_MESSAGE;

    return o->out.size >= enough || o->out.failed ? outlet_flush(o, err) : STATUS_OK;
}

status result_put_columns(const cursor *c, outlet *o, error *err)
{
    buf payload;
    status result;

    buf_init(&payload, LIMIT_WORKER_MESSAGE);
    buf_add_u32le(&payload, (uint32_t)c->count);
    for (size_t i = 0; i < c->count; i++) {
        wire_put_str(&payload, c->names[i]);
        wire_put_str(&payload, c->types[i]);
    }
    result = buf_check(&payload, "the columns of the result", err);
    if (result == STATUS_OK) {
        wire_put_message(&o->columns, WIRE_COLUMNS, buf_str(&payload));
        result = buf_check(&o->columns, "the columns of the result", err);
    }
    buf_release(&payload);
    return result;
}

/* --- text --- */

typedef struct text_state {
    format format;
    cell_vector *vectors;
    size_t count;
} text_state;

static status compile_columns(cursor *c, arena *a, cell_vector **ret_vectors, error *err)
{
    cell_type *types = ARENA_ARRAY(a, cell_type, c->count);
    cell_vector *vectors = ARENA_ARRAY(a, cell_vector, c->count);

    for (size_t i = 0; i < c->count; i++) {
        duck_logical_type *type = duck.column_logical_type(&c->result, i);
        status result = cell_compile(type, a, &types[i], err);

        duck.destroy_logical_type(&type);
        TRY(result);
        cell_vector_init(&vectors[i], &types[i], a);
    }
    *ret_vectors = vectors;
    return STATUS_OK;
}

static status put_chunk(format *f, cell_vector *vectors, duck_chunk *chunk, int64_t rows_left,
                        outlet *o, bool *ret_is_cut, error *err)
{
    duck_index rows = duck.data_chunk_get_size(chunk);

    if (rows_left >= 0 && rows > (duck_index)rows_left) {
        rows = (duck_index)rows_left;
        *ret_is_cut = true;
    }
    for (size_t i = 0; i < f->count; i++) {
        cell_vector_bind(&vectors[i], duck.data_chunk_get_vector(chunk, i));
    }
    for (duck_index row = 0; row < rows; row++) {
        format_row(f, row, &o->out);
        TRY(outlet_offer(o, err));
    }
    return STATUS_OK;
}

static status send_text(cursor *c, const result_request *request, outlet *o, arena *a,
                        int64_t *ret_rows, error *err)
{
    format f;
    cell_vector *vectors;
    status result = STATUS_OK;
    bool is_first = true;

    TRY(compile_columns(c, a, &vectors, err));
    format_init(&f, request->format, c->names, vectors, c->count, a);
    format_begin(&f, &o->out);
    while (result == STATUS_OK && (request->rows_max < 0 || (int64_t)f.rows < request->rows_max)) {
        duck_chunk *chunk;

        result = cursor_next(c, &chunk, err);
        if (result != STATUS_OK || chunk == NULL) {
            break;
        }
        result = put_chunk(&f, vectors, chunk,
                           request->rows_max < 0 ? -1 : request->rows_max - (int64_t)f.rows, o,
                           &c->is_cut, err);
        duck.destroy_data_chunk(&chunk);
        if (is_first && result == STATUS_OK) {
            result = outlet_flush(o, err);
            is_first = false;
        }
    }
    if (result == STATUS_OK) {
        format_end(&f, &o->out);
        result = outlet_flush(o, err);
    }
    *ret_rows = (int64_t)f.rows;
    format_release(&f);
    return result;
}

/* --- all formats --- */

/* Whether rows are left behind those that were asked for. An error in them is none of this answer. */
static bool has_more(cursor *c)
{
    duck_chunk *chunk = NULL;
    bool more = false;

    while (!more && cursor_next(c, &chunk, NULL) == STATUS_OK && chunk != NULL) {
        more = duck.data_chunk_get_size(chunk) > 0;
        duck.destroy_data_chunk(&chunk);
    }
    return more;
}

static status count_rows(cursor *c, int64_t rows_max, int64_t *ret_rows, error *err)
{
    int64_t rows = 0;

    while (rows_max < 0 || rows < rows_max) {
        duck_chunk *chunk;

        TRY(cursor_next(c, &chunk, err));
        if (chunk == NULL) {
            break;
        }
        rows += (int64_t)duck.data_chunk_get_size(chunk);
        duck.destroy_data_chunk(&chunk);
    }
    *ret_rows = rows_max >= 0 && rows > rows_max ? rows_max : rows;
    return STATUS_OK;
}

static status send_rows(cursor *c, const result_request *request, outlet *o, arena *a,
                        int64_t *ret_rows, error *err)
{
    status result;

    TRY(result_put_columns(c, o, err));
    switch (request->format) {
    case RESULT_ARROW:
        result = result_send_arrow(c, request->rows_max, o, a, ret_rows, err);
        break;
    case RESULT_NONE:
        result = count_rows(c, request->rows_max, ret_rows, err);
        break;
    default:
        result = send_text(c, request, o, a, ret_rows, err);
    }
    return result == STATUS_OK ? outlet_flush_columns(o, err) : result;
}

status result_send(session *s, const result_request *request, int fd, int64_t *ret_rows,
                   bool *ret_is_cut, bool *is_fatal, error *err)
{
    arena *a = arena_create();
    int64_t rows = 0;
    bool is_cut = false;
    outlet o;
    status result;

    outlet_init(&o, fd);
    if (request->format == RESULT_PARQUET) {
        result = result_send_parquet(s, request, &o, a, &rows, is_fatal, err);
    } else {
        cursor c;

        result = cursor_open(s, &request->statement, a, &c, err);
        if (result == STATUS_OK) {
            result = send_rows(&c, request, &o, a, &rows, err);
        }
        if (result == STATUS_OK && request->rows_max > 0 && rows == request->rows_max) {
            is_cut = c.is_cut || has_more(&c);
        }
        *is_fatal = c.is_fatal;
        cursor_close(&c);
    }
    if (result == STATUS_OK) {
        *ret_rows = rows;
        *ret_is_cut = is_cut;
    }
    outlet_release(&o);
    arena_free(a);
    return result;
}

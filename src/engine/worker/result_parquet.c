/* Results as one Parquet file: DuckDB writes it to `out`, it is sent whole and removed. */
#include "worker/result.h"

#include <fcntl.h>

#include "protocol.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"

static str copy_sql(const cursor *c, int64_t rows_max, const char *path, arena *a)
{
    buf *sql = buf_in(a, LIMIT_SQL_TEXT + LIMIT_MIB);
    str inner = str_is_null(c->wrapped) ? c->sql : c->wrapped;

    while (inner.size > 0 &&
           (inner.data[inner.size - 1] == ';' || inner.data[inner.size - 1] == ' ' ||
            inner.data[inner.size - 1] == '\n')) {
        inner.size--;
    }
    buf_add_c(sql, "COPY (SELECT * FROM (\n");
    buf_add_str(sql, inner);
    buf_add_c(sql, "\n)");
    if (rows_max >= 0) {
        buf_printf(sql, " LIMIT %lld", (long long)rows_max);
    }
    buf_add_c(sql, ") TO ");
    sql_quote_text(sql, str_c(path));
    buf_add_c(sql, " (FORMAT parquet, COMPRESSION zstd)");
    return buf_str(sql);
}

static status send_file(const char *path, outlet *o, arena *a, error *err)
{
    char *block = arena_alloc(a, 256 * LIMIT_KIB);
    int fd;
    size_t size;

    TRY(fs_open(path, O_RDONLY, 0, &fd, err));
    do {
        status result = fs_read(fd, block, 256 * LIMIT_KIB, &size, err);

        if (result == STATUS_OK && size > 0) {
            result = wire_send(o->fd, WIRE_DATA, str_from(block, size), err);
            o->bytes += (int64_t)size;
        }
        if (result != STATUS_OK) {
            fs_close(fd);
            return result;
        }
    } while (size > 0);
    fs_close(fd);
    return STATUS_OK;
}

/* COPY answers one row: how many it wrote. */
static status read_count(cursor *c, int64_t *ret_rows, error *err)
{
    duck_chunk *chunk;

    *ret_rows = 0;
    for (;;) {
        TRY(cursor_next(c, &chunk, err));
        if (chunk == NULL) {
            return STATUS_OK;
        }
        if (duck.data_chunk_get_size(chunk) > 0) {
            *ret_rows =
                *(const int64_t *)duck.vector_get_data(duck.data_chunk_get_vector(chunk, 0));
        }
        duck.destroy_data_chunk(&chunk);
    }
}

status result_send_parquet(session *s, const result_request *request, outlet *o, arena *a,
                           int64_t *ret_rows, bool *is_fatal, error *err)
{
    const char *path = arena_printf(a, "%.*s/result.parquet", STR_ARG(s->options->out));
    cursor_options options = request->statement;
    cursor shape, copy = {.session = s};
    status result = cursor_prepare(s, &options, a, &shape, err);

    *is_fatal = shape.is_fatal;
    if (result == STATUS_OK) {
        result = result_put_columns(&shape, o, err);
    }
    if (result == STATUS_OK) {
        options.sql = copy_sql(&shape, request->rows_max, path, a);
        result = cursor_open(s, &options, a, &copy, err);
        if (result == STATUS_OK) {
            result = read_count(&copy, ret_rows, err);
        }
        *is_fatal = copy.is_fatal;
        err->position = ERROR_NO_POSITION;
        cursor_close(&copy);
    }
    cursor_close(&shape);
    if (result == STATUS_OK) {
        result = outlet_flush_columns(o, err);
    }
    if (result == STATUS_OK) {
        result = send_file(path, o, a, err);
    }
    (void)fs_remove(path, NULL);
    return result;
}

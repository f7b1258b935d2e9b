/* POST /api/v1/convert: a file into another format, by a writer worker: how `tarn generate --format parquet` gets its
 * Parquet without linking DuckDB into the command line. */
#include <fcntl.h>

#include "answer.h"
#include "handlers.h"
#include "ingest/body.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"

static status add_columns(str text, buf *sql, error *err)
{
    bool first = true;

    buf_add_c(sql, ", columns = {");
    for (str rest = text; !str_is_null(rest);) {
        str type;
        str name = str_trim(str_cut(str_cut(rest, ',', &rest), ':', &type));
        if (name.size == 0 || str_is_null(type)) {
            return error_set(err, STATUS_INVALID,
                             "parameter \"columns\" is not a list of name:type");
        }
        buf_add_c(sql, first ? "" : ", ");
        first = false;
        sql_quote_text(sql, name);
        buf_add_c(sql, ": ");
        sql_quote_text(sql, str_trim(type));
    }
    buf_add_c(sql, "}, auto_detect = false");
    return STATUS_OK;
}

static status convert_sql(const call *c, const char *in, const char *out, buf *sql, error *err)
{
    str columns = http_request_param(c->x, "columns");

    buf_add_c(sql, "COPY (SELECT * FROM read_csv(");
    sql_quote_text(sql, str_c(in));
    buf_add_c(sql, ", delim = ',', quote = '\"', escape = '\"', header = true, strict_mode = true");
    if (columns.size > 0) {
        TRY(add_columns(columns, sql, err));
    }
    buf_add_c(sql, ")) TO ");
    sql_quote_text(sql, str_c(out));
    buf_add_c(sql, " (FORMAT parquet, COMPRESSION zstd)");
    return buf_check(sql, "statement", err);
}

static status run(call *c, worker *w, const worker_cancel *cancel, const char *input, error *err)
{
    const char *in = fs_join(c->a, worker_in(w), "convert.csv");
    const char *out = fs_join(c->a, worker_out(w), "convert.parquet");
    buf *sql = buf_in(c->a, LIMIT_SQL_TEXT);
    int fd = -1;
    int64_t size = 0;

    TRY(fs_link(input, in, err));
    TRY(convert_sql(c, in, out, sql, err));
    TRY(worker_exec(w, buf_str(sql), cancel, err));
    TRY(fs_open(out, O_RDONLY, 0, &fd, err));
    status result = fs_size(fd, &size, err);
    if (result != STATUS_OK) {
        fs_close(fd);
        return result;
    }
    http_respond_file(c->x, 200, result_format_media_type(RESULT_PARQUET), fd, 0, size);
    return STATUS_OK;
}

status convert_post(call *c, error *err)
{
    const worker_cancel cancel = {.is_cancelled = call_is_cancelled, .context = c};
    char *input = NULL;
    int64_t size = 0;
    worker *w = NULL;

    if (!str_equal(http_request_param(c->x, "from"), STR("csv")) ||
        !str_equal(http_request_param(c->x, "to"), STR("parquet"))) {
        return error_set(err, STATUS_UNSUPPORTED, "only csv to parquet can be converted");
    }
    TRY(staged_path(c, &input, err));
    TRY(body_to_file(c, input, &size, err));
    TRY(worker_acquire(engine_workers(c->app->engine), c->who.id, WORKER_WRITER, &cancel, &w, err));
    status result = run(c, w, &cancel, input, err);
    worker_release(w);
    return result;
}

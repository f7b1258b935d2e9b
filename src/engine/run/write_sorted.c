/* Files in the table's order: cut from a temporary table that has its rows by partition, and by the
 * sort order inside of each. A COPY of one run of rows into one file keeps their order on any
 * number of threads. How many rows make a file of the wanted size, files that were written tell;
 * for the first one a piece is written to measure it. */
#include "run/write.h"

#include "tarn/base/fs.h"
#include "tarn/base/limits.h"

#define PROBE_ROWS INT64_C(122880) /* a row group of DuckDB's */
#define FILE_ROWS_MIN INT64_C(2048)

typedef struct cutter {
    const write_request *request;
    const write_sql *sql;
    str scratch;
    str columns;
    arena *a;
    write_pieces *pieces;
    int64_t rows, bytes; /* written so far, where it tells of the width of rows; 0: nothing yet */
} cutter;

static status write_range(cutter *c, int64_t from, int64_t count, const str *partition,
                          write_pieces *pieces, error *err)
{
    buf *copy = buf_in(c->a, LIMIT_WORKER_MESSAGE);
    buf_printf(copy, "COPY (SELECT %.*s FROM %.*s WHERE rowid BETWEEN %lld AND %lld) TO ",
               STR_ARG(c->columns), STR_ARG(c->scratch), (long long)from,
               (long long)(from + count - 1));
    sql_quote_text(copy, str_printf(c->a, "%s/%s.parquet", worker_out(c->request->w),
                                    worker_fresh_name(c->request->w, c->a)));
    buf_printf(copy, " (%.*s)", STR_ARG(c->sql->options));
    TRY(buf_check(copy, "the statement", err));
    return write_copy(c->request, buf_str(copy), partition, c->a, pieces, err);
}

static void learn(cutter *c, const write_pieces *pieces)
{
    const write_piece *last = &pieces->items[pieces->count - 1];
    if (last->row_count >= PROBE_ROWS / 4 || c->rows == 0) {
        c->rows += last->row_count;
        c->bytes += last->size_bytes;
    }
}

static status measure_width(cutter *c, int64_t from, const str *partition, error *err)
{
    write_pieces probe = {0};
    TRY(write_range(c, from, PROBE_ROWS, partition, &probe, err));
    for (size_t i = 0; i < probe.count; i++) {
        learn(c, &probe);
        TRY(fs_remove(str_to_c(c->a, probe.items[i].path), err));
    }
    return STATUS_OK;
}

static status cut_partition(cutter *c, int64_t from, int64_t count, const str *partition,
                            error *err)
{
    int64_t target = write_target_bytes(c->request->metadata), files = 1;
    if (count > PROBE_ROWS && c->rows < PROBE_ROWS / 4) {
        TRY(measure_width(c, from, partition, err));
    }
    if (c->rows > 0) {
        double width = (double)c->bytes / (double)c->rows;
        /* A last file of a tenth is not worth being one. */
        files = (int64_t)((double)count * width / (double)target + 0.9);
        files = files > count / FILE_ROWS_MIN ? count / FILE_ROWS_MIN : files;
        files = files < 1 ? 1 : files;
    }
    for (int64_t i = 0; i < files; i++) {
        int64_t begin = count / files * i, end = i + 1 < files ? count / files * (i + 1) : count;
        size_t before = c->pieces->count;
        int64_t rows = 0;
        TRY(write_range(c, from + begin, end - begin, partition, c->pieces, err));
        for (size_t k = before; k < c->pieces->count; k++) {
            rows += c->pieces->items[k].row_count;
        }
        if (rows != end - begin) {
            return error_set(err, STATUS_INTERNAL, "a file of %lld sorted rows got %lld",
                             (long long)(end - begin), (long long)rows);
        }
        learn(c, c->pieces);
    }
    return STATUS_OK;
}

/* Partitions with the numbers of their first rows: rows of one stand together. */
static str ranges_sql(str scratch, size_t fields, arena *a)
{
    buf *sql = buf_in(a, LIMIT_MIB);
    /* As text: in a transaction the numbers are beyond what JSON numbers hold. */
    buf_add_c(sql, "SELECT CAST(min(rowid) AS VARCHAR), count(*)");
    for (size_t i = 0; i < fields; i++) {
        buf_printf(sql, ", CAST(tarn_p%zu AS VARCHAR)", i);
    }
    buf_printf(sql, " FROM %.*s", STR_ARG(scratch));
    for (size_t i = 0; i < fields; i++) {
        buf_printf(sql, "%starn_p%zu", i > 0 ? ", " : " GROUP BY ", i);
    }
    buf_add_c(sql, " HAVING count(*) > 0 ORDER BY min(rowid)");
    return buf_str(sql);
}

status write_sorted(const write_request *request, const write_sql *sql, str scratch, arena *a,
                    write_pieces *pieces, error *err)
{
    const ice_type *root = ice_metadata_schema(request->metadata)->root;
    size_t fields = ice_metadata_spec(request->metadata)->field_count;
    buf *columns = buf_in(a, LIMIT_SQL_TEXT);
    const json *ranges;

    for (size_t i = 0; i < root->field_count; i++) {
        if (write_is_stored(&root->fields[i])) {
            buf_printf(columns, "%starn_c%zu AS ", columns->size > 0 ? ", " : "", i);
            sql_quote_name(columns, root->fields[i].name);
        }
    }
    cutter c = {.request = request,
                .sql = sql,
                .scratch = scratch,
                .columns = buf_str(columns),
                .a = a,
                .pieces = pieces};
    TRY(worker_rows(request->w, ranges_sql(scratch, fields, a), request->cancel, a, &ranges, err));
    for (size_t i = 0; i < json_count(ranges); i++) {
        const json *range = json_at(ranges, i);
        str *partition = ARENA_ARRAY(a, str, fields + 1);
        for (size_t k = 0; k < fields; k++) {
            partition[k] = json_str_or(json_at(range, k + 2), STR_NULL);
        }
        int64_t from;
        TRY(str_to_int64(json_str_or(json_at(range, 0), STR("")), &from, err));
        TRY(cut_partition(&c, from, json_int64_or(json_at(range, 1), 0), partition, err));
    }
    return STATUS_OK;
}

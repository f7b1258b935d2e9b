/* EXPLAIN: DuckDB's plan as it is, and behind it what tarn decided about files. */
#include "run/query.h"

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"

static void put_row(buf *sql, bool *first, const char *key, str value)
{
    buf_add_c(sql, *first ? "(" : ", (");
    *first = false;
    sql_quote_text(sql, str_c(key));
    buf_add_c(sql, ", ");
    sql_quote_text(sql, value);
    buf_add_char(sql, ')');
}

static void put_bytes(buf *out, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < COUNT_OF(units)) {
        value /= 1024;
        unit++;
    }
    buf_printf(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* "; 6 delete files (2 position files, 1 deletion vector, 3 equality files)" */
static void describe_deletes(buf *out, const ice_scan *scan)
{
    static const char *const names[] = {"position file", "deletion vector", "equality file"};
    int64_t counts[COUNT_OF(names)] = {0};
    bool first = true;
    if (scan->delete_count == 0) {
        return;
    }
    for (size_t i = 0; i < scan->delete_count; i++) {
        const ice_file *file = &scan->deletes[i];
        counts[file->content == ICE_EQUALITY_DELETES           ? 2
               : str_equal_nocase(file->format, STR("PUFFIN")) ? 1
                                                               : 0]++;
    }
    buf_printf(out, "; %zu delete file%s (", scan->delete_count,
               scan->delete_count == 1 ? "" : "s");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (counts[i] > 0) {
            buf_printf(out, "%s%lld %s%s", first ? "" : ", ", (long long)counts[i], names[i],
                       counts[i] == 1 ? "" : "s");
            first = false;
        }
    }
    buf_add_char(out, ')');
}

/* "main.trips: 12 files considered, 9 skipped (6 by partition, 3 by bounds), 3 read: 41000 rows,
 * 1.2 MiB" */
static void describe_table(buf *out, const query_table *table)
{
    const ice_scan *scan = &table->scan;
    int64_t read = (int64_t)scan->file_count;
    buf_printf(out, "%.*s.%.*s", STR_ARG(table->name.space), STR_ARG(table->name.table));
    if (table->snapshot != NULL) {
        buf_printf(out, " at snapshot %lld", (long long)table->snapshot->id);
    }
    buf_printf(out, ": %lld file%s considered, %lld skipped", (long long)scan->total_files,
               scan->total_files == 1 ? "" : "s", (long long)(scan->total_files - read));
    bool first = true;
    for (int reason = ICE_KEPT + 1; reason < ICE_SKIP_REASON_COUNT; reason++) {
        if (scan->skipped_by[reason] > 0) {
            buf_printf(out, "%s%lld by %s", first ? " (" : ", ",
                       (long long)scan->skipped_by[reason],
                       ice_skip_reason_name((ice_skip_reason)reason));
            first = false;
        }
    }
    buf_printf(out, "%s, %lld read: %lld rows, ", first ? "" : ")", (long long)read,
               (long long)scan->kept_rows);
    put_bytes(out, scan->kept_bytes);
    describe_deletes(out, scan);
}

static status explain_rows(query *q, const statement *st, buf *sql, error *err)
{
    const json *rows;
    bool first = true;
    int64_t started_ns = clock_mono_ns();
    const char *prefix = st->analyze ? "EXPLAIN ANALYZE " : "EXPLAIN ";
    str text = str_concat(q->a, str_c(prefix), q->text.text);
    TRY(query_fail(q, worker_rows(q->r->w, text, &q->r->cancel, q->a, &rows, err),
                   str_c(prefix).size, err));

    buf_add_c(sql, "SELECT * FROM (VALUES ");
    for (size_t i = 0; i < json_count(rows); i++) {
        const json *row = json_at(rows, i);
        str key = json_str_or(json_at(row, 0), STR("plan"));
        put_row(sql, &first, str_to_c(q->a, key), json_str_or(json_at(row, 1), STR("")));
    }
    for (size_t i = 0; i < q->tables.count; i++) {
        buf *line = buf_in(q->a, LIMIT_MIB);
        describe_table(line, &q->tables.items[i]);
        put_row(sql, &first, "files", buf_str(line));
    }
    if (q->unplanned) {
        put_row(sql, &first, "files",
                STR("the filters of this statement are not known, so every file is read"));
    }
    if (st->analyze) {
        int64_t us = (clock_mono_ns() - started_ns) / 1000;
        put_row(sql, &first, "time",
                str_printf(q->a, "%lld.%03lld ms", (long long)(us / 1000), (long long)(us % 1000)));
    }
    buf_add_c(sql, ") AS t(explain_key, explain_value)");
    return buf_check(sql, "the plan", err);
}

status run_explain(run *r, const statement *st, bool last, arena *a, error *err)
{
    query q;
    buf *sql = buf_in(a, LIMIT_RESULT_IN_MEMORY);
    TRY(query_analyse(r, st->body, NULL, a, &q, err));
    status result = query_open(&q, true, err);
    if (result == STATUS_OK) {
        result = explain_rows(&q, st, sql, err);
    }
    query_close(&q);
    TRY(result);
    query_count(&q);
    return run_constant_rows(r, buf_str(sql), last, err);
}

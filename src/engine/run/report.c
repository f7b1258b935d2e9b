/* Notes of a running change, for EXPLAIN ANALYZE. */
#include "run/report.h"

#include "run/explain.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"

void report_begin(run *r)
{
    run_report *p = r->report;

    if (p != NULL) {
        p->marked_ns = clock_mono_ns();
        p->step_count = 0;
        p->tables.count = p->tables_json.count = 0;
        p->removed_files = p->written_files = p->written_rows = p->written_bytes = 0;
        p->attempts++;
    }
}

void report_step(run *r, const char *name)
{
    run_report *p = r->report;
    int64_t now_ns = clock_mono_ns();

    if (p != NULL && p->step_count < REPORT_STEPS_MAX) {
        p->steps[p->step_count].name = name;
        p->steps[p->step_count++].us = (now_ns - p->marked_ns) / 1000;
        p->marked_ns = now_ns;
    }
}

void report_query(run *r, const query *q)
{
    run_report *p = r->report;

    for (size_t i = 0; p != NULL && i < q->tables.count; i++) {
        buf *line = buf_in(p->a, LIMIT_MIB), *object = buf_in(p->a, LIMIT_MIB);
        json_writer w;

        explain_put_table(&q->tables.items[i], line);
        json_writer_init(&w, object);
        explain_put_table_json(&q->tables.items[i], p->a, &w);
        vec_push(p->a, &p->tables, buf_str(line));
        vec_push(p->a, &p->tables_json, buf_str(object));
    }
}

void report_files(run *r, size_t removed, const ice_file *written, size_t written_count)
{
    run_report *p = r->report;

    if (p == NULL) {
        return;
    }
    p->removed_files += (int64_t)removed;
    for (size_t i = 0; i < written_count; i++) {
        p->written_files++;
        p->written_rows += written[i].record_count;
        p->written_bytes += written[i].size_bytes;
    }
}

/* report.h: what a change did, for EXPLAIN ANALYZE: noted while it runs, where somebody asked for it. */
#ifndef TARN_ENGINE_RUN_REPORT_H
#define TARN_ENGINE_RUN_REPORT_H

#include "run/query.h"

#define REPORT_STEPS_MAX 8

typedef struct run_report {
    arena *a;
    int64_t marked_ns; /* the end of the step before */
    struct {
        const char *name;
        int64_t us;
    } steps[REPORT_STEPS_MAX];
    size_t step_count;
    VEC(str) tables;      /* files of each table that was read, as a line */
    VEC(str) tables_json; /* the same as objects */
    int64_t changed_rows;
    int64_t removed_files; /* that left the table */
    int64_t written_files, written_rows, written_bytes;
    int64_t attempts; /* more than one: others' commits came in between */
} run_report;

/* All of these do nothing where r->report is NULL. */
/* At the beginning, and again where the statement starts anew. */
void report_begin(run *r);
/* The step that ends here. */
void report_step(run *r, const char *name);
/* Which files the query read. */
void report_query(run *r, const query *q);
void report_files(run *r, size_t removed, const ice_file *written, size_t written_count);

#endif

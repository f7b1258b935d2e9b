/* run.h: one request on its way: what the files below run/ share.
 *
 * A request is a script. Its statements run one after the other on one worker, which belongs to
 * the principal; each statement has an arena of its own. Files that a statement reads are linked
 * into the worker's folder once per request.
 *
 * Invariants
 *   1. Nothing that a request names reaches DuckDB before the analysis (query.h, in this folder)
 *      has seen it.
 *   2. Views, schemas and settings of a statement are made in one transaction and rolled back
 *      with it; planning and execution see the same now().
 *   3. A position in an error is a byte of the request's script. */
#ifndef TARN_ENGINE_RUN_H
#define TARN_ENGINE_RUN_H

#include "run/params.h"
#include "run/prepared.h"
#include "run/registry.h"
#include "run/session.h"
#include "run/shape.h"
#include "sql/statement.h"
#include "tarn/base/map.h"
#include "tarn/engine/query.h"

struct engine {
    engine_options options;
    registry queries;
    shape_cache shapes;
    session_table sessions;
    atomic_llong count, failed, cancelled, unpruned, considered, skipped;
    atomic_llong committed, rolled_back, conflicted; /* transactions */
};

struct run_report;

typedef struct run {
    engine *e;
    catalog *
        catalog; /* as the statement sees it: the engine's, or that of the transaction it runs in */
    const query_request *request;
    const result_sink *sink;
    arena *a; /* the request's */
    registry_entry *entry;
    sql_session *session; /* of the request alone where it names none */
    worker_cancel cancel;
    worker_profile profile;
    worker *w;  /* NULL until it is needed */
    map *links; /* location of a data file to its path (char *) in the worker's folder */
    map *held; /* location of an encrypted one to its path in this process: it is in memory alone */
    VEC(int) held_fds; /* closed with the request */
    token_list tokens;
    str space;  /* default namespace */
    str home;   /* a further warehouse, in which names begin: of stored SQL; empty: the first */
    str branch; /* SET branch: what tables that have it are read and written at; STR_NULL: "main" */
    query_result result;
    bool answered;              /* the sink was told of the columns */
    prepared_set *prepared;     /* NULL until the first PREPARE */
    prepared_set *own_prepared; /* where it lives no longer than the script */
    bool is_executing;          /* parameters have `values`, not those of the request */
    const param_value *values;
    size_t value_count;
    struct run_report *report; /* of the change that runs (report.h); NULL: nobody asks */
} run;

/* A table or view by its name, which begins in the run's home, or with a warehouse's name. */
status run_resolve(const run *r, const str *parts, size_t count, arena *a, table_name *ret_name,
                   bool *ret_is_view, error *err);
/* The worker, acquired at the first call. */
status run_worker(run *r, worker **ret_worker, error *err);
/* How many rows the last statement may answer: the request's limit or the engine's, whichever is lower; -1: all. */
int64_t run_rows_max(const run *r);
/* DENIED, UNAUTHORIZED. `table` may be empty. */
status run_check_access(const run *r, action act, str space, str table, error *err);
/* Rows that tarn itself made: `sql` is a SELECT of constants. Goes to the sink when `last`. */
status run_constant_rows(run *r, str sql, bool last, error *err);
/* The answer of a changing statement. */
status run_changed(run *r, bool last, int64_t changed_rows, int64_t snapshot_id, error *err);
/* How often a DELETE, UPDATE, MERGE or upsert runs that others' commits keep coming in between of. */
#define RUN_AGAIN_MAX 3
/* Gives an error without position the one of the statement's name. */
status run_at(status result, size_t position, error *err);

/* A statement of the text that r->tokens holds now, within the one that runs. */
status run_inner(run *r, const statement *st, bool last, error *err);

/* The kinds of statements. `a` ends with the statement; `last`: its rows are the request's
 * answer. */
status run_read(run *r, const statement *st, bool last, arena *a, error *err);
status run_explain(run *r, const statement *st, bool last, arena *a, error *err);
status run_show(run *r, const statement *st, bool last, arena *a, error *err);
/* BEGIN, COMMIT, ROLLBACK. */
status run_transaction(run *r, const statement *st, bool last, arena *a, error *err);
status run_use(run *r, const statement *st, bool last, arena *a, error *err);
status run_set_branch(run *r, const statement *st, bool last, arena *a, error *err);
status run_schema(run *r, const statement *st, bool last, arena *a, error *err);
status run_create_table(run *r, const statement *st, bool last, arena *a, error *err);
status run_create_table_as(run *r, const statement *st, bool last, arena *a, error *err);
status run_drop_table(run *r, const statement *st, bool last, arena *a, error *err);
status run_undrop_table(run *r, const statement *st, bool last, arena *a, error *err);
status run_create_view(run *r, const statement *st, bool last, arena *a, error *err);
status run_alter_view(run *r, const statement *st, bool last, arena *a, error *err);
status run_drop_view(run *r, const statement *st, bool last, arena *a, error *err);
status run_comment(run *r, const statement *st, bool last, arena *a, error *err);
status run_alter(run *r, const statement *st, bool last, arena *a, error *err);
status run_call(run *r, const statement *st, bool last, arena *a, error *err);
status run_insert(run *r, const statement *st, bool last, arena *a, error *err);
status run_delete(run *r, const statement *st, bool last, arena *a, error *err);
status run_update(run *r, const statement *st, bool last, arena *a, error *err);
status run_analyze(run *r, const statement *st, bool last, arena *a, error *err);
status run_prepare(run *r, const statement *st, bool last, arena *a, error *err);
status run_execute(run *r, const statement *st, bool last, arena *a, error *err);
status run_deallocate(run *r, const statement *st, bool last, arena *a, error *err);
status run_merge(run *r, const statement *st, bool last, arena *a, error *err);

#endif

/* returning.h: RETURNING of INSERT, UPDATE, DELETE, MERGE and upserts: the rows that were really written, or deleted.
 *
 * The list is evaluated before the commit, into a temporary table, so that its mistakes change nothing; it is sent
 * after the commit. It sees the table's columns and, in MERGE, merge_action; DuckDB binds it as that of a DELETE, so
 * that aggregates, windows and subqueries are refused in its words. */
#ifndef TARN_ENGINE_RUN_RETURNING_H
#define TARN_ENGINE_RUN_RETURNING_H

#include "run/insert.h"

typedef struct returning {
    run *r;
    const statement *st;
    str alias; /* that the list finds the table's columns under, quoted */
    query q;   /* its functions and parameters */
} returning;

/* Before anything of the list reaches DuckDB: functions that may be called, no table but the one. */
status returning_analyse(run *r, const statement *st, const insert_target *t, arena *a,
                         returning *ret_list, error *err);
/* Evaluates the list over `rows_sql`, a SELECT of the table's columns under their names, and "#action" behind them in
 * MERGE. Errors carry their place. */
status returning_answer(const returning *list, str rows_sql, error *err);
/* The answer of the statement, after its commit. */
status returning_send(run *r, bool last, int64_t changed_rows, int64_t snapshot_id, error *err);

/* INSERT: the rows of `source_sql`, of the table's columns in their order, go into a temporary table, which
 * *ret_source_sql reads. An error's position is RETURNING_NOTE_OFFSET bytes behind its place in source_sql. */
status returning_note(run *r, str source_sql, size_t column_count, arena *a, str *ret_source_sql,
                      error *err);
#define RETURNING_NOTE "CREATE OR REPLACE TEMP TABLE \"#inserted\" AS SELECT * FROM ("
#define RETURNING_NOTE_OFFSET (sizeof(RETURNING_NOTE) - 1)
/* Those rows for returning_answer. */
status returning_noted_rows(const ice_type *root, arena *a, str *ret_sql, error *err);
/* Temporary tables that no rolled back transaction takes along. Nothing without RETURNING. */
void returning_forget(run *r, const statement *st);

#endif

/* change.h: rows of a table deleted, updated, inserted by copy-on-write: what DELETE, UPDATE, MERGE, upserts share.
 *
 *   change_load      the table
 *   form_…           the statement as one SELECT of changes: file, row, and the new row (none: the row is deleted)
 *   change_analyse   that SELECT, and DuckDB's verdict on the statement itself
 *   change_by_rows   it runs once, into a temporary table; files that hold rows of it are written anew without those,
 *                    and with the new ones
 *   change_commit    by the table's isolation level
 *   change_close     always
 *
 * A file without a changed row stays as it is. */
#ifndef TARN_ENGINE_RUN_CHANGE_H
#define TARN_ENGINE_RUN_CHANGE_H

#include "run/insert.h"
#include "run/returning.h"
#include "run/write.h"

typedef struct row_change {
    run *r;
    const statement *st;
    arena *a;
    const char *operation; /* whose isolation level counts: "delete", "update", "merge" */
    insert_target target;
    str view;         /* the name of its view in QUERY_CHANGED, quoted */
    str alias;        /* that the table's columns are found under, quoted */
    edit_pieces form; /* the SELECT */
    bool has_rows;    /* it gives new rows */
    bool once;        /* a row may be changed once */
    bool names_table; /* st->alias is the table's name, which the statement itself did not give */
    token_range
        match; /* where columns stand that tell rows apart, for messages; or these columns: */
    const size_t *keys; /* upsert: fields of the table that tell rows apart */
    size_t key_count;   /* 0: not an upsert */
    query q;
    query_table *table; /* in q */
    returning *list;    /* of RETURNING; NULL: none */
    ice_overwrite change;
    bool whole;         /* every file that may match goes as a whole */
    size_t whole_count; /* how many of those there are */
    VEC(ice_file) removed;
    VEC(uint32_t) touched; /* files of the scan that lose rows */
    VEC(uint32_t) partial; /* those of them that keep some */
    engine_written written;
    int64_t row_count;
} row_change;

/* Loads, does the work, closes; from the beginning where others' commits came between that forbid it: the statement
 * then reads the table as it is. `begin`: r, st, a, operation, and what `work` wants of has_rows, once, match. */
typedef status change_work(row_change *c, bool last, error *err);
status change_run(const row_change *begin, change_work *work, bool last, error *err);
/* r, st, a, operation are given. */
status change_load(row_change *c, error *err);
status change_analyse(row_change *c, const edit_list *edits, error *err);
/* UNSUPPORTED where the table has a column of that name, in any case. */
status change_refuse_column(const row_change *c, str name, const char *why, error *err);
status change_by_rows(row_change *c, error *err);
status change_commit(row_change *c, bool last, error *err);
void change_close(row_change *c);
bool change_returns(const row_change *c); /* it has RETURNING */

/* ---- the SELECT ---- */

void form_text(row_change *c, str text);
#define FORM_TEXT(c, ...) form_text((c), str_printf((c)->a, __VA_ARGS__))
void form_script(row_change *c, token_range range); /* as it stands */
void form_table(row_change *c);                     /* the table under its alias */
/* "WITH …" of the statement, with what tarn has of its own behind it: `more` "" or "name AS (…)" begun; nothing where
 * both are empty. */
void form_with(row_change *c, const char *more);
void form_source(row_change *c); /* the rows of an INSERT, its WITH in front */

/* What becomes of a column in a new row. */
typedef enum column_value_kind {
    VALUE_KEPT,
    VALUE_DEFAULT,
    VALUE_GIVEN,
    VALUE_SOURCE,
    VALUE_MEMBERS /* of a struct; the others keep theirs */
} column_value_kind;
typedef struct column_value {
    column_value_kind kind;
    token_range given;
    str source;                          /* an expression */
    const statement_set *const *members; /* the paths begin with the column */
    size_t member_count;
} column_value;

/* One branch of a CASE. */
typedef struct change_branch {
    branch_action action;
    token_range condition;      /* empty: none */
    const column_value *values; /* per column of the table; UPDATE, INSERT */
} change_branch;

/* "CASE WHEN … THEN … END AS "#new"": NULL where no branch fits. */
void form_branches(row_change *c, const change_branch *branches, size_t count);
/* The values that assignments make; columns that they do not name keep theirs, or get their default in an INSERT.
 * NO_COLUMN; INVALID: a column twice, other than as many values as columns. */
status change_values(row_change *c, const statement_set *sets, size_t count, bool is_insert,
                     const column_value **ret_values, error *err);

/* Edits of the statement's own text for DuckDB, whose UPDATE knows neither members (a.b = …) nor a table's name in
 * front of a column. Edits inside of what goes are taken out. */
void change_edit_members(row_change *c, edit_list *edits);

/* merge.c: the arms behind WITH "#source" AS …: JOIN, rows of either side alone. `on`: text of the condition where
 * the statement's own is not meant (STR_NULL). `tail`: behind the rows that are not there. */
typedef struct change_merge {
    str source; /* alias of "#source", quoted */
    str on;
    const change_branch *branches[3]; /* by branch_match */
    size_t counts[3];
    str tail;
} change_merge;
void form_merge(row_change *c, const change_merge *merge);

#endif

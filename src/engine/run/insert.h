/* insert.h: the table that rows are put into, and which of its columns get what, for INSERT and what changes rows. */
#ifndef TARN_ENGINE_RUN_INSERT_H
#define TARN_ENGINE_RUN_INSERT_H

#include "run/query.h"

typedef struct source_column {
    size_t number; /* of the source; SIZE_MAX: the column's default, or NULL */
    const ice_field *field;
    str constant; /* number SIZE_MAX: the value that the statement gives all rows, as SQL; STR_NULL: none */
} source_column;

typedef struct insert_target {
    table_name name;
    ice_metadata *metadata;
    str branch;               /* that is written; STR_NULL: "main" */
    const ice_snapshot *head; /* of the branch; NULL: no rows yet */
    bool by_branch;           /* the statement's name ends with the branch: t.branch_x */
    const ice_type *root;
    source_column *columns; /* per column of the table */
    size_t source_count;    /* columns that the source must have */
} insert_target;

/* Resolved, with its branch (branch.c), authorised for writing, loaded; the metadata is the caller's to give back.
 * NO_SNAPSHOT where there is no such branch. */
status insert_load(run *r, const statement *st, arena *a, insert_target *t, error *err);
/* The WITH in front of an INSERT and its source as one: `word`, the statement's list, `joint`, `body`. */
typedef struct insert_with {
    str word, joint;
    token_range body;
} insert_with;
insert_with insert_with_of(const run *r, const statement *st);
/* The source as a query, with the statement's WITH in front. */
status insert_analyse_source(run *r, const statement *st, const edit_list *edits, arena *a,
                             query *ret_query, error *err);
/* root->field_count where there is none. */
size_t insert_find_column(const ice_type *root, str name);
status insert_no_column(const insert_target *t, str name, arena *a, error *err);
/* Every required column must get a value from somewhere: t->columns. BAD_DATA naming one. */
status insert_check_required(const insert_target *t, error *err);
/* t->columns by position, or by the statement's list of columns. */
status insert_map_columns(insert_target *t, const statement *st, arena *a, error *err);
/* The same by what the source's columns are called, or how many there are, which `described` (rows of DESCRIBE)
 * tells. */
status insert_map_described(insert_target *t, const statement *st, const json *described, arena *a,
                            error *err);
/* partition.c: INSERT OVERWRITE … PARTITION (p = 1, q): t->columns take the given values; *ret_replaced is what goes
 * where all of them are given, else NULL: then the partitions of the rows go. UNSUPPORTED for columns that the table is
 * not partitioned by as they are. */
status insert_partition(run *r, const statement *st, insert_target *t, arena *a,
                        const ice_expr **ret_replaced, error *err);
/* The values of VALUES (…), each in its column's type. *ret_rows_only is false where more follows: then the text stays
 * as it is. *ret_literal: there is nothing in it to analyse. */
status insert_edit_values(run *r, const statement *st, const insert_target *t, arena *a,
                          edit_list *edits, bool *ret_rows_only, bool *ret_literal, error *err);
/* Names and types of the columns of the query, which is open, by DuckDB's own DESCRIBE. */
status insert_describe(const query *q, arena *a, const json **ret_rows, error *err);

/* upsert.c: INSERT … ON CONFLICT, INSERT OR REPLACE, INSERT OR IGNORE. */
status run_upsert(run *r, const statement *st, bool last, arena *a, error *err);

#endif

/* insert.h: the table that rows are put into, and which of its columns get what, for INSERT and what changes rows. */
#ifndef TARN_ENGINE_RUN_INSERT_H
#define TARN_ENGINE_RUN_INSERT_H

#include "run/query.h"

typedef struct source_column {
    size_t number; /* of the source; SIZE_MAX: the column's default, or NULL */
    const ice_field *field;
} source_column;

typedef struct insert_target {
    table_name name;
    ice_metadata *metadata;
    const ice_type *root;
    source_column *columns; /* per column of the table */
    size_t source_count;    /* columns that the source must have */
} insert_target;

/* Resolved, authorised for writing, loaded; the metadata is the caller's to give back. */
status insert_load(run *r, const statement *st, arena *a, insert_target *t, error *err);
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
/* The values of VALUES (…), each in its column's type. *ret_rows_only is false where more follows: then the text stays
 * as it is. *ret_literal: there is nothing in it to analyse. */
status insert_edit_values(run *r, const statement *st, const insert_target *t, arena *a,
                          edit_list *edits, bool *ret_rows_only, bool *ret_literal, error *err);
/* Names and types of the columns of the query, which is open, by DuckDB's own DESCRIBE. */
status insert_describe(const query *q, arena *a, const json **ret_rows, error *err);

/* upsert.c: INSERT … ON CONFLICT, INSERT OR REPLACE, INSERT OR IGNORE. */
status run_upsert(run *r, const statement *st, bool last, arena *a, error *err);

#endif

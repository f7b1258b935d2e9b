/* expand.h: stored views in a statement (expand.c tells how). */
#ifndef TARN_ENGINE_RUN_EXPAND_H
#define TARN_ENGINE_RUN_EXPAND_H

#include "run/query.h"
#include "tarn/catalog/view.h"

/* The views that are being expanded, innermost first: what may not be read again. */
struct query_frame {
    table_name name;
    const struct query_frame *outer;
};

/* INVALID at a parameter. */
status expand_check_body(const token_list *tokens, token_range range, error *err);
/* Analyses the view's SQL, unless the statement has it already; *ret_stored counts from 1. `position`: of the reference
 * in the script. INVALID for a view that would read itself, naming the path. */
status query_expand(query *q, table_name name, size_t position, size_t *ret_stored, error *err);
/* Makes the views of all stored SQL, behind what is in `sql`, in which it leaves what is still to be run. WRONG_TYPE
 * where a view's columns are no longer the stored ones. */
status expand_open(query *q, buf *sql, error *err);

#endif

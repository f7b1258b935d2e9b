/* show.h: what show.c and show_view.c share. Each function adds one SELECT of constants to `sql`. */
#ifndef TARN_ENGINE_RUN_SHOW_H
#define TARN_ENGINE_RUN_SHOW_H

#include "run/run.h"
#include "tarn/catalog/view.h"

/* The table or view that the statement names; the principal may read it. */
status show_relation(const run *r, const statement *st, arena *a, table_name *ret_name,
                     bool *ret_is_view, error *err);
status show_create_view(run *r, const statement *st, arena *a, buf *sql, error *err);
status show_views(run *r, str space, arena *a, buf *sql, error *err);
/* function_list.c: SHOW FUNCTIONS [LIKE 'pattern'] */
status show_functions(run *r, const statement *st, arena *a, buf *sql, error *err);
status show_properties(run *r, const statement *st, arena *a, buf *sql, error *err);

#endif

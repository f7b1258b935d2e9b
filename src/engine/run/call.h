/* call.h: what a procedure of CALL works with; the table of procedures is in call.c. */
#ifndef TARN_ENGINE_RUN_CALL_H
#define TARN_ENGINE_RUN_CALL_H

#include "run/run.h"

#define CALL_ARGUMENTS_MAX 4

typedef struct call {
    run *r;
    const statement *st;
    arena *a;
    bool last;
    str values[CALL_ARGUMENTS_MAX]; /* as text; STR_NULL: not given. A MAP as it is written */
    const statement_argument *given[CALL_ARGUMENTS_MAX]; /* NULL: not given */
    table_name table;
} call;

/* analyze.c */
status call_compute_table_stats(call *c, error *err);
/* register.c */
status call_register_table(call *c, error *err);

#endif

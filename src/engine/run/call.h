/* call.h: what a procedure of CALL works with; the table of procedures is in call.c. */
#ifndef TARN_ENGINE_RUN_CALL_H
#define TARN_ENGINE_RUN_CALL_H

#include "run/run.h"

#define CALL_ARGUMENTS_MAX 8

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
/* The argument, which was given, as a number, and as a time in milliseconds since 1970. INVALID with its place. */
status call_take_int(const call *c, size_t argument, const char *what, int64_t *ret_value,
                     error *err);
status call_take_time(const call *c, size_t argument, int64_t *ret_ms, error *err);

/* call_branch.c */
/* NO_SNAPSHOT: no branch or tag has the argument's name; with the nearest, at the argument. */
status call_no_ref(const call *c, size_t argument, const ice_metadata *m, error *err);
status call_fast_forward(call *c, error *err);
status call_cherrypick_snapshot(call *c, error *err);
status call_ancestors_of(call *c, error *err);
status call_expire_snapshots(call *c, error *err);
/* register.c */
status call_register_table(call *c, error *err);

#endif

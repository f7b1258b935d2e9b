/* plan.h: the filters that DuckDB's optimiser pushed into the scans of a statement, as Iceberg
 * expressions.
 *
 * The input is json_serialize_plan(…, optimize := true) over views whose scans read one zero-row
 * file each: the name of that file says which table a scan is of. What is not understood becomes
 * ICE_TRUE: reading too much is allowed, reading too little never.
 *
 * Invariants
 *   1. A table's filter is the union over all its scans in the plan, so that one list of files
 *      serves them all.
 *   2. A scan's filter holds for every row of the table that can reach the result: table filters
 *      of the scan, and a FILTER above it with nothing but column projections between.
 *   3. A plan with an EMPTY_RESULT tells nothing: the missing scans may have been folded because
 *      the files were empty. */
#ifndef TARN_ENGINE_PLAN_H
#define TARN_ENGINE_PLAN_H

#include "tarn/codec/json.h"
#include "tarn/iceberg/scan.h"

typedef struct plan_table {
    str stub;                 /* path of its zero-row file */
    const ice_schema *schema; /* columns in the order of the view */
    const ice_expr *filter;   /* result */
    size_t scan_count;        /* result: how many scans of the plan are of this table */
} plan_table;

/* Fills the results. *ret_usable is false, and every filter ICE_TRUE, where the text is no plan. */
void plan_read(str text, plan_table *tables, size_t count, arena *a, bool *ret_usable);

/* The other way, for statements whose plan cannot be had as JSON and that read one table once: the
 * filters as EXPLAIN (FORMAT JSON) prints them, as one SELECT for DuckDB's parser. False where there
 * are none to be sure of: another number of scans, names that would have to be quoted. */
bool plan_explained_filters(str explain, const ice_schema *schema, arena *a, str *ret_sql);
/* The filter in what json_serialize_sql answered to that SELECT. */
const ice_expr *plan_parsed_filter(str answer, const ice_schema *schema, arena *a);

/* The WHERE of the SELECT in what json_serialize_sql answered, as an expression that is true for exactly the same
 * rows (plan_exact.c); NULL where that is not certain. `table`, `alias` (STR_NULL: none): names that may stand in
 * front of its columns. */
const ice_expr *plan_exact_condition(str answer, const ice_schema *schema, str table, str alias,
                                     arena *a);

/* ---- between plan.c, plan_filter.c, plan_text.c and plan_value.c ---- */

/* A column reference in an expression, resolved; NULL where it is none. */
typedef const ice_field *plan_column(const void *context, int64_t index);
/* An expression of the plan (BOUND_…). */
const ice_expr *plan_expression(const json *node, plan_column *column, const void *context,
                                arena *a);
/* A table filter (CONSTANT_COMPARISON …) on one column. */
const ice_expr *plan_table_filter(const json *node, const ice_field *field, arena *a);

/* `value` may be NULL; it is copied. */
const ice_expr *plan_leaf(arena *a, ice_expr_kind kind, int32_t field_id, const ice_value *value);
/* COMPARE_EQUAL …; `flipped`: with the sides exchanged. False for what bounds cannot answer. */
bool plan_comparison(str name, bool flipped, ice_expr_kind *ret_kind);
/* A member of a struct; NULL where there is none. */
const ice_field *plan_member(const ice_field *field, str name);
const ice_expr *plan_and(arena *a, const ice_expr *const *children, size_t count);
const ice_expr *plan_or(arena *a, const ice_expr *const *children, size_t count);

/* A constant {"type", "is_null", "value"} in the type of the column; false where that is not
 * exact. */
bool plan_value(const json *constant, const ice_type *type, arena *a, ice_value *ret_value);
/* Microseconds since 1970 of a timestamp constant, or of a text that is cast to one; a text
 * without a zone counts as UTC. False where it is neither. */
bool plan_timestamp(const json *node, int64_t *ret_us);

/* Makes DuckDB's JSON standard: NaN and infinities become null, integers beyond 15 digits become
 * strings. */
str plan_standard_json(str text, arena *a);

#endif

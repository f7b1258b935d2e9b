/* travel.h: time travel in a statement's text, and tables named by their location: found by their tokens, because
 * DuckDB's grammar has room for one of the forms only.
 *
 *   t AT (VERSION => …)              t AT (TIMESTAMP => …)
 *   t FOR [SYSTEM_]VERSION AS OF …   t FOR [SYSTEM_]TIME[STAMP] AS OF …
 *   t VERSION AS OF …                t TIMESTAMP AS OF …
 *
 * with the table's alias before or behind. Where such tokens stand is not judged here: whoever finds a table's
 * reference asks whether a clause belongs to it, and a clause that belongs to none is an error. */
#ifndef TARN_ENGINE_TRAVEL_H
#define TARN_ENGINE_TRAVEL_H

#include "sql/token.h"

typedef enum travel_unit { TRAVEL_VERSION, TRAVEL_TIMESTAMP } travel_unit;

typedef struct travel_clause {
    token_range tokens; /* all of it */
    token_range value;  /* the expression; never empty */
    travel_unit unit;
    bool used; /* it belongs to a table */
} travel_clause;

/* In the order of the text. SYNTAX with position: a clause that begins right and ends wrong. */
status travel_find(const token_list *list, token_range range, arena *a, travel_clause **ret_clauses,
                   size_t *ret_count, error *err);
/* The clause of the table whose name ends before token `at`; NULL where it has none. */
travel_clause *travel_behind(const token_list *list, size_t at, size_t end, travel_clause *clauses,
                             size_t count);

/* [tarn.]iceberg_scan(…) behind FROM, JOIN or a comma. */
typedef struct travel_scan {
    token_range tokens;    /* from the first name to the closing bracket */
    token_range arguments; /* between the brackets; may be empty */
} travel_scan;
void travel_find_scans(const token_list *list, token_range range, arena *a, travel_scan **ret_scans,
                       size_t *ret_count);

#endif

/* travel.h: which snapshot of a table a reference reads, and with which schema; and tables that are named by their
 * location.
 *
 * The clauses are found before DuckDB's parser sees the text (sql/travel.h) and taken out of it; a reference with one
 * becomes a table of its own, so that one statement can read a table at several versions. Rules: a snapshot id, a time
 * and a tag are read with the schema of their snapshot, a branch with the table's; a time is looked up in the snapshot
 * log, so that it shows what was current then (Iceberg specification, "Point in time reads"). */
#ifndef TARN_ENGINE_RUN_TRAVEL_H
#define TARN_ENGINE_RUN_TRAVEL_H

#include "run/query.h"

typedef struct travel_target {
    const ice_snapshot *snapshot; /* NULL: the table has none */
    const ice_schema *schema;
} travel_target;

/* Finds what the statement has of clauses and scans, and makes the edits that take them out. */
status travel_begin(query *q, error *err);
/* SYNTAX: a clause that belongs to no table. */
status travel_end(const query *q, error *err);
/* The clause behind the name that ends before token `at`; NULL where there is none. */
travel_clause *travel_clause_of(query *q, size_t at);
/* What the table is read as: by its clause, else by the request's own "at", else at the branch that SET branch names
 * where it has that, else as it is now. NO_SNAPSHOT with the
 * nearest reference or the earliest time. */
status travel_resolve(query *q, const travel_clause *clause, table_name name, const ice_metadata *m,
                      travel_target *ret_target, error *err);
/* "branch_x" or "tag_x" as the last part of a name. False where it is neither; NO_SNAPSHOT where there is none of that
 * name. */
bool travel_is_ref_name(str part);
status travel_resolve_ref(query *q, table_name name, const ice_metadata *m, str part,
                          travel_target *ret_target, error *err);

/* The scan whose call begins at the token; NULL where there is none. */
const travel_scan *travel_scan_at(const query *q, size_t place);
/* Opens its table: authorised, added to q->tables, and the view that the text names. */
status travel_open_scan(query *q, const travel_scan *scan, error *err);

#endif

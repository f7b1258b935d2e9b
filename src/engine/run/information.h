/* information.h: information_schema, pg_catalog and tarn, as views over what the catalog knows. */
#ifndef TARN_ENGINE_RUN_INFORMATION_H
#define TARN_ENGINE_RUN_INFORMATION_H

#include "run/query.h"

/* `schema`: "information_schema", "pg_catalog" or "tarn". */
bool information_has(str schema, str name);
/* SQL that makes `view` show schema.name goes into q->extra_sql. NO_TABLE where there is none of that name. */
status information_view(query *q, str schema, str name, str view, error *err);
/* Rows of the catalog, as views of the schema "#catalog" in q->extra_sql: which of them. */
enum {
    INFORMATION_SCHEMATA = 1,
    INFORMATION_RELATIONS = 2,
    INFORMATION_DETAILS = 4,
    INFORMATION_COLUMNS = 8,
    INFORMATION_EVENTS = 16,
    INFORMATION_SPACES = 32,
    INFORMATION_TABLES = 64
};
status information_rows(query *q, unsigned needs, error *err);

/* catalog_functions.c: calls of obj_description() and its like become those of macros over such rows, by q->edits. */
status catalog_functions(query *q, error *err);
/* current_schema() and its like, where the statement speaks of them. */
status information_functions(query *q, error *err);

#endif

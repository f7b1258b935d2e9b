/* information.h: information_schema and pg_catalog, as views over what the catalog knows. */
#ifndef TARN_ENGINE_RUN_INFORMATION_H
#define TARN_ENGINE_RUN_INFORMATION_H

#include "run/query.h"

/* `schema`: "information_schema" or "pg_catalog". */
bool information_has(str schema, str name);
/* SQL that makes `view` show schema.name goes into q->extra_sql. NO_TABLE where there is none of that name. */
status information_view(query *q, str schema, str name, str view, error *err);
/* current_schema() and its like, where the statement speaks of them. */
status information_functions(query *q, error *err);

#endif

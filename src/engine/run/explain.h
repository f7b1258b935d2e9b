/* explain.h: what EXPLAIN says of a table's files. */
#ifndef TARN_ENGINE_RUN_EXPLAIN_H
#define TARN_ENGINE_RUN_EXPLAIN_H

#include "run/query.h"

/* "main.trips: 12 files considered, 9 skipped (6 by partition, 3 by bounds), 3 read: 41000 rows, 1.2 MiB" */
void explain_put_table(const query_table *table, buf *out);
/* The same as an object. */
void explain_put_table_json(const query_table *table, arena *a, json_writer *w);

#endif

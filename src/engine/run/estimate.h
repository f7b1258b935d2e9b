/* estimate.h: how many rows of a table pass a filter, by what ANALYZE counted. DuckDB orders joins by the number of
 * rows that it expects of each scan, and knows of no distinct values in files. */
#ifndef TARN_ENGINE_RUN_ESTIMATE_H
#define TARN_ENGINE_RUN_ESTIMATE_H

#include "run/query.h"

/* Rows of `table` that pass its filter, of those in the files that its scan kept: at least 1, at most all of them. -1
 * where nothing that was counted says anything. */
int64_t estimate_rows(const query_table *table, arena *a);

#endif

/* reach.h: where the files lie that a table's manifests name, and whether this principal may read them through it.
 *
 * What lies below the table's own location is the table's. Elsewhere in a warehouse or below a root a file may lie,
 * too; in the place of another table whoever may read that one reads it. */
#ifndef TARN_ENGINE_RUN_REACH_H
#define TARN_ENGINE_RUN_REACH_H

#include "run/query.h"

/* For everything that opens a data or delete file. DENIED naming table, file and whose it is. */
status reach_file(query *q, table_name name, const ice_metadata *m, str path, str *ret_location,
                  error *err);

#endif

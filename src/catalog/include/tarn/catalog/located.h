/* located.h: from places in storage to tables: for those who give out keys and signatures for a table's files.
 *
 * Thread-safe. */
#ifndef TARN_CATALOG_LOCATED_H
#define TARN_CATALOG_LOCATED_H

#include "tarn/catalog/catalog.h"

/* The table whose location is `location` or a folder above it, as spelled by the catalog ("s3://bucket/key").
 * NO_TABLE. */
status catalog_find_at(catalog *c, str location, arena *a, table_name *ret_name, error *err);
/* A folder beside the table's own that the table is told to keep files in: DENIED or INVALID where it is outside of
 * every warehouse and root, or where it and another table's location lie in each other. */
status catalog_check_folder(catalog *c, str table_location, str table_uuid, str folder, arena *a,
                            str *ret_settled, error *err);
/* Whether a file lies in a place that the catalog chose for a table of the namespace, in a warehouse: what whoever may
 * make tables there may name. A namespace's location does not count: whoever makes namespaces sets it. False for what
 * is no location. */
bool catalog_is_chosen_place(catalog *c, str space, str location, arena *a);
/* The folders beside its location that are the table's: which properties name or named, and where it lay before. */
status catalog_list_places(catalog *c, str uuid, arena *a, str **ret_list, size_t *ret_count,
                           error *err);

#endif

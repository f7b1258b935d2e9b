/* dropped.h: tables that were dropped and can come back, and those that may not be dropped.
 *
 * A dropped table keeps its files until `catalog.retention` is over; then, or at once where a purge is asked for and
 * `catalog.purge` is "now", they go by reachability, after the last reader. Views are dropped for good. */
#ifndef TARN_CATALOG_DROPPED_H
#define TARN_CATALOG_DROPPED_H

#include "tarn/catalog/catalog.h"

typedef struct dropped_table {
    table_name name; /* that it had */
    str uuid, location, metadata_location;
    int64_t dropped_us;
    int64_t purge_us; /* when its files go */
    bool registered;  /* others made it: then it is forgotten, and its files stay */
    str principal;    /* who dropped it */
} dropped_table;
/* Newest first. `space` STR_NULL: all. */
status catalog_list_dropped(catalog *c, str space, arena *a, dropped_table **ret_list,
                            size_t *ret_count, error *err);
/* The one that was dropped last under that name, or the one with `uuid` (STR_NULL: any), is back under `as`. NO_TABLE,
 * EXISTS, NO_NAMESPACE. */
status catalog_undrop_table(catalog *c, table_name name, str uuid, table_name as, error *err);
/* Drops with a purge request. As catalog_drop_table else. */
status catalog_purge_table(catalog *c, table_name name, bool if_exists, bool *ret_dropped,
                           error *err);

/* A protected table or namespace (table empty) is not dropped, nor purged: DENIED, naming the flag. */
status catalog_protect(catalog *c, table_name name, bool protect, error *err);
status catalog_is_protected(catalog *c, table_name name, bool *ret_protected, error *err);

#endif

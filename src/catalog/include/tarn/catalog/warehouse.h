/* warehouse.h: warehouses beside the first: a name, and the location that its tables lie below.
 *
 * A further warehouse is a namespace of the top level that has a location of its own and is told apart by a flag. So
 * `lake.sales.orders` is table "orders" in namespace "sales" of warehouse "lake", in SQL as over REST, where the
 * warehouse is the prefix and its namespaces lose it. The first warehouse, which the settings name, has every
 * namespace that is in no other. */
#ifndef TARN_CATALOG_WAREHOUSE_H
#define TARN_CATALOG_WAREHOUSE_H

#include "tarn/catalog/catalog.h"

typedef struct warehouse_info {
    str name;
    str location;
    str space; /* the namespace that it is; empty: the first warehouse */
    int64_t created_us;
} warehouse_info;

/* `asked`: a name, its location ("s3://lake/"), or empty for the first. NOT_FOUND. */
status catalog_find_warehouse(catalog *c, str asked, arena *a, warehouse_info *ret_info,
                              error *err);
/* The one that a namespace is in. `space` of the result is folded, and empty for the first. */
warehouse_info catalog_warehouse_of(const catalog *c, str space, arena *a);
status catalog_list_warehouses(catalog *c, arena *a, warehouse_info **ret_list, size_t *ret_count,
                               error *err);
/* "s3://bucket[/path]" (the bucket is made where it is absent), or file: below a root. EXISTS, DENIED, INVALID where it
 * overlaps another's. */
status catalog_create_warehouse(catalog *c, str name, str location, error *err);
/* NOT_EMPTY; the first stays. */
status catalog_drop_warehouse(catalog *c, str name, error *err);
/* Where the tables of a namespace lie unless they are told otherwise: its own location, or one below its warehouse. */
status catalog_space_location(catalog *c, str space, arena *a, str *ret_location, error *err);
/* Whether a warehouse lies in that bucket of the built-in store. */
bool catalog_holds_bucket(const catalog *c, str bucket);

#endif

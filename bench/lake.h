/* lake.h: a catalog with its store and database in a folder, and appends of one small data file: what the programs that
 * measure commits share. */
#ifndef TARN_BENCH_LAKE_H
#define TARN_BENCH_LAKE_H

#include "tarn/catalog/catalog.h"

#define LAKE_FILE_BYTES 2048 /* a Parquet file of one row and a few columns */

typedef struct lake {
    arena *memory;
    state *state;
    storage *storage;
    catalog *catalog;
    str data; /* bytes of every data file */
    int64_t files;
} lake;

/* `unsafe`: nothing is synced. */
status lake_open(lake *l, const char *folder, bool unsafe, error *err);
void lake_close(lake *l);
/* Two columns. */
status lake_make_table(lake *l, const table_name *name, const ice_property *properties,
                       size_t property_count, error *err);
/* One commit of one data file that is new. */
status lake_append(lake *l, const table_name *name, error *err);

#endif

/* statistics.h: statistics of a snapshot's columns, as a Puffin file that the table's metadata names.
 *
 * They change nothing of the table: no snapshot comes of them. They go with their snapshot (expire.c), and where they
 * are made again. */
#ifndef TARN_ICEBERG_STATISTICS_H
#define TARN_ICEBERG_STATISTICS_H

#include "tarn/iceberg/commit.h"

typedef struct ice_column_statistics {
    int32_t field_id;
    str sketch;  /* codec/theta.h, compact */
    int64_t ndv; /* that the sketch estimates */
} ice_column_statistics;

typedef struct ice_statistics {
    int64_t snapshot_id;
    const ice_column_statistics *columns;
    size_t column_count;
} ice_statistics;

/* Writes the file and commits the metadata that names it; earlier ones of the snapshot go. NO_SNAPSHOT: it was expired
 * meanwhile. A failure leaves nothing. */
status ice_commit_statistics(const ice_committer *committer, const ice_statistics *statistics,
                             arena *a, str *ret_location, error *err);

/* How many different values a column has, as the table's metadata says of the snapshot; -1: nobody knows. */
int64_t ice_statistics_ndv(const ice_metadata *m, int64_t snapshot_id, int32_t field_id, arena *a);

#endif

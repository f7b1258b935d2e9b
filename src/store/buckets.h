/* buckets.h: buckets' rows and their settings files, for the files of the store that need them. */
#ifndef TARN_STORE_BUCKETS_H
#define TARN_STORE_BUCKETS_H

#include "objects.h"

/* ---- buckets.c ---- */
void store__init_buckets(storage *st);
void store__free_buckets(storage *st);
/* All of them, in memory: their rows changed. */
void store__forget_buckets(storage *st);
/* With its documents. */
status store__read_bucket(state_txn *txn, str name, arena *a, bucket_info *ret_bucket,
                          bool *ret_found, error *err);
status store__insert_bucket(state_txn *txn, const bucket_info *bucket, error *err);

/* ---- bucket_files.c: blobs/buckets/<name>.json ---- */
/* As the rows are now; where the bucket is gone, its file goes. Durable. Under bucket_change_lock. */
status store__write_bucket_file(storage *st, str name, error *err);
/* Those that say something else than the rows; below `blobs_path`, which may be a copy's. */
status store__write_bucket_files(storage *st, const char *blobs_path, error *err);
/* Removes what a process that died left half written among them. */
status store__clean_bucket_files(const char *blobs_path, error *err);
/* All that there are. */
status store__read_bucket_files(storage *st, arena *a, bucket_info **ret_buckets, size_t *ret_count,
                                error *err);

#endif

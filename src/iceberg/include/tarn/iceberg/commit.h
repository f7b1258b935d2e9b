/* commit.h: changing a table: data files in, a new snapshot out.
 *
 * A change is prepared against a base (files durable, metadata staged, nothing visible) and handed
 * to the committer, which moves the table's pointer inside one state transaction. `iceberg`
 * declares the committer; `catalog` implements it.
 *
 * Appends to one table that wait at the same moment become one commit with one snapshot.
 *
 * Steps of an append            fault point
 *   1. data files staged        commit.data
 *   2. manifest, list, metadata staged in one parallel round of syncs   commit.metadata
 *   3. committer: rows + pointer in one transaction; CONFLICT when the pointer moved: back to 2,
 *      manifests reused
 *   4. told                     commit.done
 *
 * Source: Iceberg specification, "Optimistic concurrency", "Commit conflict resolution and
 * retry". */
#ifndef TARN_ICEBERG_COMMIT_H
#define TARN_ICEBERG_COMMIT_H

#include "tarn/iceberg/scan.h"

/* The catalog's side. */
typedef struct ice_committer {
    /* The table as it is now: one reference, and the metadata location copied into `a`. NO_TABLE
     * when it was dropped. */
    status (*load)(void *context, arena *a, ice_metadata **ret_metadata, str *ret_location,
                   error *err);
    /* One transaction, in this order: the pointer is still at `base_location` (else CONFLICT);
     * `extra` (may be NULL) runs; `staged` is published, the pointer moves to the metadata file
     * at `new_location`, `obsolete` objects go. CONFLICT and a failure of `extra` come before
     * anything is published and leave `staged` with the caller, who uses it again; with every
     * other outcome the committer has taken it over (store_publish frees it). On OK the new
     * metadata becomes the table's cached one (takes a reference). */
    status (*commit)(void *context, str base_location, str new_location,
                     const ice_metadata *new_metadata, store_staged *const *staged,
                     size_t staged_count, const str *obsolete, size_t obsolete_count,
                     status (*extra)(void *extra_context, state_txn *txn, error *err),
                     void *extra_context, error *err);
    void *context;
    storage *storage;
} ice_committer;

/* One change that appends files. */
typedef struct ice_append {
    /* paths, metrics, partition, spec_id; sequence numbers are assigned */
    const ice_file *files;
    size_t file_count;
    /* the data files' bytes, durable already; taken over, discarded on failure */
    store_staged *const *staged;
    size_t staged_count;
    /* data files to be made durable in the same round of syncs as the metadata: the shortest
     * commit. The files at `path` stay the caller's */
    const store_stage_request *unstaged;
    size_t unstaged_count;
    str branch; /* that takes them; STR_NULL or empty: "main". Others must be there: NO_SNAPSHOT */
    /* the table the rows were written for; STR_NULL is not checked */
    str table_uuid;
    const ice_property *summary; /* more summary entries ("engine-name" …) */
    size_t summary_count;
    int32_t schema_id; /* the schema the rows were written with */
    /* in the committing transaction; may be NULL */
    status (*extra)(void *context, state_txn *txn, error *err);
    void *extra_context;
} ice_append;

typedef struct ice_commit_result {
    int64_t snapshot_id; /* ICE_NO_SNAPSHOT where nothing changed (no files) */
    int64_t sequence_number;
    int attempts;
    int merged; /* how many appends shared the commit, this one included */
} ice_commit_result;

/* Appends, alone. Retries CONFLICT up to commit.retry.num-retries (4), waiting 100 ms … 60 s
 * (base/clock). Failure leaves nothing. */
status ice_commit_append(const ice_committer *committer, const ice_append *append,
                         ice_commit_result *ret_result, error *err);
/* Several appends to one branch as one snapshot: the queue of appends of one table hands them here.
 * Each gets its own result and error: one whose schema no longer fits fails by itself. */
typedef struct ice_append_slot {
    const ice_append *append;
    ice_commit_result result;
    status outcome;
    error err;
} ice_append_slot;
void ice_commit_appends(const ice_committer *committer, ice_append_slot *slots, size_t count);

/* Writes metadata for a new table: staged object and its location
 * ("<location>/metadata/00000-<uuid>.gz.metadata.json"). The name follows
 * write.metadata.compression-codec. */
status ice_metadata_stage(storage *st, const ice_metadata *m, int version,
                          store_staged **ret_staged, arena *a, str *ret_location, error *err);
/* Version number in a metadata file's name; 0 where it has none. */
int ice_metadata_location_version(str location);

/* Metrics of a freshly written Parquet file: footer, plus float bounds and NaN knowledge the
 * writer reported (reference: footers omit bounds of chunks with NaN). `float_bounds` may be
 * NULL. */
typedef struct ice_float_bound {
    int32_t field_id;
    double lower, upper;
    bool known;
} ice_float_bound;
status ice_file_measure(const char *path, const ice_schema *schema, const ice_metadata *m,
                        const ice_float_bound *bounds, size_t bound_count, arena *a,
                        ice_file *ret_file, error *err);

/* New location for a data file: "<location>/data/<partition path>/<uuid>.parquet"
 * (write.data.path honoured). */
str ice_data_location(const ice_metadata *m, const ice_spec *spec, const ice_value *partition,
                      arena *a);

#endif

/* scan.h: which files a query must read.
 *
 * The filter is a tree over columns by field id; a node that cannot be understood is ICE_TRUE,
 * so that planning only ever errs by reading too much. Evaluation is by inclusive projection on
 * partitions (each manifest under its own spec) and by column bounds, with DuckDB's order of NaN
 * (above every number). Source: Iceberg specification, "Scan planning"; reference for NaN:
 * bounds never hold NaN. */
#ifndef TARN_ICEBERG_SCAN_H
#define TARN_ICEBERG_SCAN_H

#include "tarn/iceberg/manifest.h"
#include "tarn/store/store.h"

typedef enum ice_expr_kind {
    ICE_TRUE,
    ICE_FALSE,
    ICE_AND,
    ICE_OR,
    ICE_EQ,
    ICE_NE,
    ICE_LT,
    ICE_LE,
    ICE_GT,
    ICE_GE,
    ICE_IN,
    ICE_IS_NULL,
    ICE_NOT_NULL,
    ICE_STARTS_WITH,
} ice_expr_kind;

typedef struct ice_expr ice_expr;
struct ice_expr {
    ice_expr_kind kind;
    const ice_expr *const *children; /* AND, OR */
    size_t child_count;
    int32_t field_id; /* leaves */
    /* one; several for IN. In the type of the column (or one that compares with it) */
    const ice_value *values;
    size_t value_count;
};
const ice_expr *ice_expr_true(void);

typedef enum ice_skip_reason {
    ICE_KEPT,
    ICE_SKIPPED_PARTITION_SUMMARY, /* its whole manifest, by the list's summaries */
    ICE_SKIPPED_PARTITION,         /* by its partition value */
    ICE_SKIPPED_BOUNDS,            /* by lower and upper bounds */
    ICE_SKIPPED_NULLS,             /* by null counts */
    ICE_SKIPPED_EMPTY,             /* no rows */
    ICE_SKIPPED_LIMIT,             /* the rows of others are enough */
    ICE_SKIP_REASON_COUNT
} ice_skip_reason;
const char *ice_skip_reason_name(ice_skip_reason reason);

typedef struct ice_scan_options {
    const ice_metadata *metadata;
    int64_t snapshot_id;    /* ICE_NO_SNAPSHOT: current */
    const ice_expr *filter; /* NULL: everything */
    bool no_pruning;        /* for tests: filter ignored */
    bool keep_skipped;      /* remember each skipped file (EXPLAIN, table files) */
    bool
        all_metrics; /* files come with the metrics of all columns, not only of those that planning needed */
    bool residuals; /* fill ice_scan.satisfied */
    /* Rows that are enough, whichever they are: no further files and manifests are read. 0: all are wanted. Without
     * effect where there is a filter, or rows may be deleted. */
    int64_t limit_rows;
    /* Files in the order in which they came into the table, so that its rows come as they were inserted, and a limit
     * takes the first of them; else in list order. */
    bool oldest_first;
} ice_scan_options;

typedef struct ice_scan_file {
    ice_file file;
    ice_skip_reason reason;
    str reason_column; /* name of the column or partition field that decided; STR_NULL else */
} ice_scan_file;

/* Which deletes of the scan apply to one data file: indexes into `deletes`. */
typedef struct ice_file_deletes {
    int32_t vector;            /* a deletion vector, which stands for all positions; -1: none */
    const uint32_t *positions; /* position delete files */
    size_t position_count;
    const uint32_t *equalities; /* equality delete files */
    size_t equality_count;
} ice_file_deletes;

typedef struct ice_scan {
    const ice_file *files; /* data files to read, in list order or the oldest first */
    size_t file_count;
    const ice_file *deletes; /* delete files that apply to at least one of them */
    size_t delete_count;
    const ice_file_deletes *applied; /* one per data file; NULL where there are no deletes */
    /* with residuals, one per data file: partition and metrics prove that every row satisfies the filter */
    const bool *satisfied;
    size_t satisfied_count; /* how many of them are true */
    size_t manifest_count;  /* in the list */
    size_t manifests_read;  /* of them; from the cache too */
    /* with keep_skipped; files of skipped manifests are counted, not listed */
    const ice_scan_file *skipped;
    size_t skipped_count;
    int64_t total_files; /* data files of the snapshot */
    int64_t total_rows;  /* of the snapshot's data files */
    int64_t kept_rows, kept_bytes;
    int64_t skipped_by[ICE_SKIP_REASON_COUNT];
} ice_scan;

/* Manifests are read through `st` and cached there by path (immutable). */
status ice_scan_plan(storage *st, const ice_scan_options *options, arena *a, ice_scan *ret_scan,
                     error *err);

/* A text that is equal for files of one spec with equal partition values, and for no others. */
str ice_file_partition_key(const ice_file *file, arena *a);

/* The only data file whose rows a position delete file or deletion vector speaks of; STR_NULL where there may be
 * several. */
str ice_delete_target(const ice_file *file);

/* True unless no row of the file can satisfy the filter. Exposed for tests. */
bool ice_file_may_match(const ice_file *file, const ice_metadata *m, const ice_expr *filter,
                        ice_skip_reason *ret_reason, int32_t *ret_field_id);

/* ---- what a snapshot is made of, for showing ---- */
/* From the cache, else read through `st`; valid as long as `a`. */
status ice_snapshot_manifests(storage *st, const ice_metadata *m, const ice_snapshot *snapshot,
                              arena *a, const ice_manifest **ret_manifests, size_t *ret_count,
                              error *err);
/* Deleted ones too. */
status ice_manifest_entries(storage *st, const ice_metadata *m, const ice_manifest *manifest,
                            arena *a, const ice_entry **ret_entries, size_t *ret_count, error *err);

/* INVALID where a snapshot of `next` has manifests of a partition spec that `base` has and `next` lacks. Reads every
 * manifest list, where there is such a spec. */
status ice_check_removed_specs(storage *st, const ice_metadata *base, const ice_metadata *next,
                               error *err);

/* Parsed manifests kept in memory, by bytes. */
void ice_cache_set_limit(size_t size_max_bytes);
void ice_cache_clear(void);

#endif

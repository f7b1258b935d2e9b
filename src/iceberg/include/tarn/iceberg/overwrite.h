/* overwrite.h: changes that take files away: overwrites, rewrites, deletes; and who may pass whom.
 *
 * A change was computed from one snapshot of the table (`read_snapshot_id`). When the table has
 * moved on, it is validated against the snapshots in between (the table below) and committed on
 * the newest metadata without writing data files again, or refused with CONFLICT naming the table,
 * the operation that came between and the rule. Failure leaves nothing.
 *
 *   kind                     snapshot isolation                        serializable adds
 *   ICE_OVERWRITE_FILES      removed files present; no new deletes     no new data files that
 *                            that apply to them                        match `filter`
 *   ICE_OVERWRITE_FILTER,    no new delete files, no removed data      no new data files that
 *   ICE_OVERWRITE_PARTITIONS files that match filter / partitions      match
 *   ICE_ROW_DELTA            data files referenced are not removed     no new data files that
 *                            by an overwrite or rewrite; no second     match `filter`
 *                            vector for one of them. With data files
 *                            added (an update): nor by a delete; no
 *                            new delete files that match `filter`
 *   ICE_REWRITE              removed files present; no new deletes on them (equality deletes
 *                            aside with keep_sequence); not more rows than before
 *
 * The snapshot that was read must be an ancestor of the branch's head. Mistakes of the change
 * itself (a file that is not there, a file that matches in part, deletes for a file that goes) are
 * INVALID.
 *
 * Source: Iceberg specification, "Optimistic concurrency", "Isolation levels"; the reference
 * implementation's validation of each operation. docs/iceberg.md prints the matrix that the test
 * found. */
#ifndef TARN_ICEBERG_OVERWRITE_H
#define TARN_ICEBERG_OVERWRITE_H

#include "tarn/iceberg/commit.h"

typedef enum ice_isolation { ICE_SERIALIZABLE, ICE_SNAPSHOT_ISOLATION } ice_isolation;

typedef enum ice_overwrite_kind {
    /* these files are replaced by those: copy-on-write DELETE, UPDATE, MERGE */
    ICE_OVERWRITE_FILES,
    /* every row that matches `filter` goes; whole files are found by the strict projection. A file
     * that matches in part and is not in `removed` is INVALID naming it. No `added`: a delete by
     * metadata */
    ICE_OVERWRITE_FILTER,
    /* the partitions of `added` are emptied first (dynamic overwrite); an unpartitioned table
     * wholly */
    ICE_OVERWRITE_PARTITIONS,
    /* delete files (and data files) are added, nothing is removed but delete files that these
     * replace: merge-on-read */
    ICE_ROW_DELTA,
    /* same rows in other files: compaction; operation "replace" */
    ICE_REWRITE,
} ice_overwrite_kind;

typedef struct ice_overwrite {
    ice_overwrite_kind kind;
    ice_isolation isolation;
    int64_t read_snapshot_id; /* what `removed` and the new rows were computed from;
                                 ICE_NO_SNAPSHOT: an empty table */
    /* snapshots since then that the same transaction made: what they did is part of what was read, so nothing of it
     * forbids the change; `own_count` may be 0 */
    const int64_t *own;
    size_t own_count;
    str branch;            /* STR_NULL: "main"; another branch starts at read_snapshot_id */
    const ice_file *added; /* data and delete files; as in ice_append */
    size_t added_count;
    const ice_file *removed; /* data and delete files, by path (vectors: and offset) */
    size_t removed_count;
    /* ROW_DELTA: data files that added position deletes speak of, where those do not tell */
    const str *referenced;
    size_t referenced_count;
    const ice_expr *filter;      /* rows that the change depends on; NULL: all */
    bool keep_sequence;          /* REWRITE: added files keep their data_sequence as given */
    store_staged *const *staged; /* bytes of `added`; taken over, discarded on failure */
    size_t staged_count;
    const store_stage_request *unstaged;
    size_t unstaged_count;
    str table_uuid; /* STR_NULL is not checked */
    int32_t schema_id;
    const ice_property *summary;
    size_t summary_count;
    status (*extra)(void *context, state_txn *txn, error *err); /* may be NULL */
    void *extra_context;
} ice_overwrite;

/* ret_result->snapshot_id is ICE_NO_SNAPSHOT where nothing was to be done. CONFLICT, INVALID. */
status ice_commit_overwrite(const ice_committer *committer, const ice_overwrite *change,
                            ice_commit_result *ret_result, error *err);

/* Deep copies without the bytes (staged, unstaged) and without `extra`: to make the change again later, on another
 * base. */
ice_append ice_append_copy(const ice_append *append, arena *a);
ice_overwrite ice_overwrite_copy(const ice_overwrite *change, arena *a);
/* `m` as if the metadata files before it were those of `of` (NULL: none): what is in between was never a file. One
 * reference. */
ice_metadata *ice_metadata_with_log(const ice_metadata *m, const ice_metadata *of);

/* True only where the file's metadata proves that every row satisfies `filter` (NULL: everything
 * does). What was not understood (ICE_TRUE, AND and OR of nothing) proves nothing, so that a tree
 * that was made for planning is safe here; it must not be weaker than what is meant, though. */
bool ice_file_must_match(const ice_file *file, const ice_metadata *m, const ice_expr *filter);

/* The isolation that a table asks for: write.{delete,update,merge}.isolation-level. */
ice_isolation ice_isolation_of(const ice_metadata *m, const char *operation);

#endif

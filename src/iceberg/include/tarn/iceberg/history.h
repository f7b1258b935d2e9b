/* history.h: what one snapshot did, its descent, and snapshots that go before the table's limit asks for it.
 *
 * Source: Iceberg specification, "Snapshot retention policy", "Snapshot references"; the reference implementation's
 * RemoveSnapshots and CherryPickOperation. */
#ifndef TARN_ICEBERG_HISTORY_H
#define TARN_ICEBERG_HISTORY_H

#include "tarn/iceberg/overwrite.h"

/* True where `id` is `head` or one of its ancestors; ICE_NO_SNAPSHOT is an ancestor of everything. */
bool ice_is_ancestor(const ice_metadata *m, int64_t id, int64_t head);

/* Files that the snapshot itself added and took away, with all their metrics; they live in `a`. */
typedef struct ice_snapshot_files {
    const ice_file *added, *removed; /* data and delete files */
    size_t added_count, removed_count;
} ice_snapshot_files;
status ice_snapshot_changes(storage *st, const ice_metadata *m, const ice_snapshot *snapshot,
                            arena *a, ice_snapshot_files *ret_files, error *err);

/* Puts what a snapshot did that is not part of "main" on top of it: the snapshot itself where it was made of the
 * present one; else the files that an append added, or the partitions that an overwrite of partitions replaced, where
 * nobody has changed those since. The new snapshot tells source-snapshot-id and published-wap-id.
 * NO_SNAPSHOT; INVALID: it is part of main already, was picked before, its wap.id was published before, or it did
 * something else; CONFLICT: its partitions were changed. */
status ice_commit_pick(const ice_committer *committer, int64_t snapshot_id,
                       const ice_property *summary, size_t summary_count, int64_t *ret_snapshot_id,
                       error *err);

/* Snapshots that no branch keeps go, and tags and branches past their age; the files that only they needed go in the
 * same transaction. */
typedef struct ice_expire {
    int64_t older_than_ms; /* -1: by the table's history.expire.max-snapshot-age-ms */
    int32_t retain_last;   /* of each branch; -1: by history.expire.min-snapshots-to-keep */
    const int64_t
        *ids; /* these go, whatever their age; then older_than_ms counts only where it is given */
    size_t id_count;
} ice_expire;
typedef struct ice_expired {
    int64_t snapshots, data_files, position_delete_files, equality_delete_files, manifests,
        manifest_lists, statistics_files;
} ice_expired;
/* NO_SNAPSHOT; INVALID: gc.enabled is false, or a branch or tag needs one of `ids`. */
status ice_commit_expire(const ice_committer *committer, const ice_expire *options,
                         ice_expired *ret_expired, error *err);

#endif

/* change.h: what the files of a commit share: commit.c (attempts), change.c (new snapshot and metadata), merge.c
 * (fewer manifests), expire.c (fewer snapshots). */
#ifndef TARN_ICEBERG_CHANGE_H
#define TARN_ICEBERG_CHANGE_H

#include "tarn/base/vec.h"

#include "internal.h"

typedef VEC(ice_manifest) ice__manifest_vec;
typedef VEC(str) ice__str_vec;

/* A manifest that is to be written: its bytes and what the list will say of it. */
typedef struct ice__new_manifest {
    ice_manifest manifest;
    str bytes;
} ice__new_manifest;
typedef VEC(ice__new_manifest) ice__new_manifest_vec;

/* What one attempt wants to make visible. All of it lives in the attempt's arena, parts of it in the base. */
typedef struct ice__change {
    storage *storage;
    arena *memory;
    const ice_metadata *base;
    str base_location;
    ice_metadata next; /* shallow; ice__metadata_copy makes it a value */
    ice_snapshot snapshot;
    ice__manifest_vec manifests;  /* of the new snapshot */
    ice__new_manifest_vec merged; /* among them: merged in this attempt */
    ice__str_vec obsolete;        /* objects that nothing needs once this is visible */
} ice__change;

/* Files that an append brings, over all slots of a commit. */
typedef struct ice__added {
    const ice_file *const *files;
    size_t count;
    const ice_property *summary; /* of the writers */
    size_t summary_count;
} ice__added;

/* Manifests for added files, one per spec. */
status ice__manifests_of_files(const ice_metadata *m, const ice__added *added, int64_t snapshot_id,
                               arena *a, ice__new_manifest_vec *ret_manifests, error *err);
/* Fills everything of `c` behind base_location. `fresh` are the manifests of the added files. */
status ice__change_append(ice__change *c, const ice__added *added, int64_t snapshot_id,
                          const ice_manifest *fresh, size_t fresh_count, error *err);

/* Merges manifests of `list` that are many and small (c->merged), and leaves out what holds no live file. The rest
 * goes to c->manifests as it is. */
status ice__merge_manifests(ice__change *c, const ice__manifest_list *list, int64_t snapshot_id,
                            error *err);

/* Takes snapshots beyond the table's limit out of c->next, and adds what only they needed to c->obsolete. */
void ice__expire_snapshots(ice__change *c);

/* A location for a new metadata object: "<metadata folder>/<prefix><uuid><suffix>". */
str ice__metadata_object(const ice_metadata *m, const char *prefix, const char *suffix, arena *a);

#endif

/* change.h: what the files of a commit share: attempt.c (attempts, staging, retries) does the works of commit.c
 * (appends) and others; change.c makes the new snapshot and metadata, merge.c fewer manifests, expire.c fewer
 * snapshots. */
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
    const ice_entry *entries;
    size_t entry_count;
} ice__new_manifest;
typedef VEC(ice__new_manifest) ice__new_manifest_vec;

/* An object that survives a conflict: made durable once, by the first attempt that has it. */
typedef struct ice__kept {
    store_staged *staged; /* NULL: `request` is still to be staged */
    store_stage_request request;
} ice__kept;
typedef VEC(ice__kept) ice__kept_vec;
void ice__kept_add(arena *a, ice__kept_vec *kept, const store_stage_request *request);
/* What is durable already. */
void ice__kept_take(arena *a, ice__kept_vec *kept, store_staged *const *staged, size_t count);
void ice__kept_discard(storage *st, ice__kept_vec *kept);

/* What one attempt wants to make visible. All of it lives in the attempt's arena, parts of it in the base. */
typedef struct ice__change {
    storage *storage;
    arena *memory;
    const ice_metadata *base;
    str base_location;
    /* shallow; begins as the base; ice__metadata_copy makes it a value */
    ice_metadata next;
    ice_snapshot snapshot;        /* manifest_list STR_NULL: no new snapshot */
    ice__manifest_vec manifests;  /* of the new snapshot */
    ice__new_manifest_vec merged; /* among them: made of others in this attempt */
    ice__new_manifest_vec
        known;             /* others among them that are not visible yet, and kept over attempts */
    ice__str_vec obsolete; /* objects that nothing needs once this is visible */
    VEC(ice__kept_vec *) kept; /* to be published too; emptied once they are */
    bool nothing;              /* the table stays as it is; `extra` runs all the same */
    /* in the committing transaction; may be NULL */
    status (*extra)(void *context, state_txn *txn, error *err);
    void *extra_context;
} ice__change;

/* One kind of change, as the loop in attempt.c sees it. */
typedef struct ice__work {
    /* Checks and makes the change on the newest metadata: `c` holds storage, memory, base, base_location, and
     * `next` equal to the base. An error ends the commit, CONFLICT too. Runs once per attempt. */
    status (*build)(void *context, ice__change *c, error *err);
    /* It is visible: as `now`, at the attempt of this number. */
    void (*done)(void *context, const ice__change *c, const ice_metadata *now, int attempt);
    /* `extra` failed: true where the work goes on without what failed. NULL: it ends. */
    bool (*drop)(void *context);
    void *context;
} ice__work;
/* Retries CONFLICT of the committer as the table's properties say. What the work keeps stays its own to discard
 * after an error. */
status ice__commit_work(const ice_committer *committer, const ice__work *work, error *err);

/* Rows that were written for a table (fit.c). CONFLICT where they no longer fit it. */
typedef struct ice__written {
    str table_uuid; /* STR_NULL is not checked */
    int32_t schema_id;
    const ice_file *files;
    size_t file_count;
} ice__written;
status ice__check_fit(const ice__written *written, const ice_metadata *m, error *err);

/* Files that a change brings. */
typedef struct ice__added {
    const ice_file *const *files; /* data and delete files */
    size_t count;
    bool keep_sequence;          /* data files keep the data sequence number they have */
    const ice_property *summary; /* of the writers */
    size_t summary_count;
} ice__added;

/* Manifests for added files, one per spec and kind of content. */
status ice__manifests_of_files(const ice_metadata *m, const ice__added *added, int64_t snapshot_id,
                               arena *a, ice__new_manifest_vec *ret_manifests, error *err);
/* The manifests of a change's added files: kept over attempts, and its snapshot's id with them. */
typedef struct ice__fresh {
    int64_t snapshot_id; /* 0: none yet */
    ice__new_manifest_vec manifests;
    ice__kept_vec kept;
    int format_version; /* they were written for */
} ice__fresh;
/* Makes them where they are not made yet, and puts them into `c`. They live in `memory`. */
status ice__fresh_make(ice__fresh *fresh, storage *st, arena *memory, ice__change *c,
                       const ice__added *added, error *err);
void ice__fresh_drop(ice__fresh *fresh, storage *st);
/* NULL where there is none */
const ice_ref *ice__find_ref(const ice_metadata *m, str name);

/* A snapshot that is to be. */
typedef struct ice__snapshot_plan {
    int64_t id;
    str branch;                 /* that moves to it */
    const ice_snapshot *parent; /* NULL: none */
    ice_operation operation;
    const ice_file *const *added, *const *removed; /* data and delete files, for the summary */
    size_t added_count, removed_count;
    const ice_property *summary;
    size_t summary_count;
} ice__snapshot_plan;
/* Fills snapshot and `next` of `c`, whose `manifests` are complete. */
/* INVALID where no numbers are left. */
status ice__change_snapshot(ice__change *c, const ice__snapshot_plan *plan, error *err);
/* c->snapshot's summary (summary.c). */
void ice__summarize(ice__change *c, const ice__snapshot_plan *plan);
/* The whole of an append; c->manifests holds the manifests of the added files. `branch` STR_NULL: "main".
 * NO_SNAPSHOT where there is no such branch. */
status ice__change_append(ice__change *c, const ice__added *added, str branch, int64_t snapshot_id,
                          error *err);
/* The head of a branch: NULL where it has none. NO_SNAPSHOT: no such branch; INVALID: a tag. */
status ice__find_head(const ice_metadata *m, str branch, const ice_snapshot **ret_head, error *err);

/* Merges manifests of `list` that are many and small (c->merged), and leaves out what holds no live file. The rest
 * goes to c->manifests as it is. */
status ice__merge_manifests(ice__change *c, const ice__manifest_list *list, int64_t snapshot_id,
                            error *err);

/* Takes snapshots beyond the table's limit out of c->next, and adds what only they needed to c->obsolete. */
void ice__expire_snapshots(ice__change *c);

/* A location for a new metadata object: "<metadata folder>/<prefix><uuid><suffix>". */
str ice__metadata_object(const ice_metadata *m, const char *prefix, const char *suffix, arena *a);

#endif

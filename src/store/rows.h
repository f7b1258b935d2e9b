/* rows.h: how the rows of versions change, for the files that change them: the built-in store (store.h's objects),
 * versions.c, object_delete.c, object_change.c, lifecycle.c.
 *
 * Of a key there is at most one row in `objects`: its current version, where that is no delete marker. All other
 * versions and all delete markers are rows of `object_versions`, the newest with the least `place`. So a listing of
 * objects reads one table from one place on, whatever lies in the other. */
#ifndef TARN_STORE_ROWS_H
#define TARN_STORE_ROWS_H

#include "objects.h"

/* What a transaction does to a bucket's usage: one change for all its objects. */
typedef struct usage_change {
    int64_t objects;
    int64_t versions;
    int64_t bytes;
} usage_change;
status store__change_usage(state_txn *txn, str bucket, const usage_change *change, error *err);

/* What a bucket asks of every new version. */
typedef struct bucket_rules {
    str name;
    str owner;
    bucket_versioning versioning;
    bool lock_enabled;
    object_lock_mode retention_mode; /* of versions that come without a lock; LOCK_NONE: none */
    int64_t retention_us;
} bucket_rules;
/* NOT_FOUND "NoSuchBucket" */
status store__read_rules(state_txn *txn, str bucket, bucket_rules *ret_rules, error *err);
status store__find_rules(state_txn *txn, str bucket, bucket_rules *ret_rules, bool *ret_found,
                         error *err);
status store__no_bucket(str bucket, error *err);

/* What both tables have, and reading it, from column `first` on. Details cost an arena's memory and time. */
#define OBJECT_COLUMNS \
    "version, blob, blob_offset, size_bytes, etag, content_type, modified_us, metadata"
#define OBJECT_COLUMN_COUNT 8
status store__read_columns(const state_rows *rows, int first, bool with_details, arena *a,
                           object_row *row, error *err);

/* A row with the place where it lies. */
typedef struct version_row {
    object_row row;
    bool current;  /* in `objects` */
    int64_t place; /* in `object_versions` */
} version_row;
/* The version asked for (NULL of it: the newest, which may be a marker). */
status store__find_version(state_txn *txn, str bucket, str key, str version, arena *a,
                           version_row *ret_row, bool *ret_found, error *err);

/* As store__find_row, which is its row. */
status store__require_version(state_txn *txn, str bucket, str key, str version, arena *a,
                              version_row *ret_row, error *err);
/* Whether a version may not be removed. */
bool store__is_locked(const object_lock *lock, bool bypass_governance);

/* Makes `row` the current version, after the rules of its bucket; conditions first. Its blob has its owner already.
 * `row->info.version` may propose an id. The result has version and lock. */
status store__put_row(storage *st, state_txn *txn, const bucket_rules *rules, const object_row *row,
                      const object_conditions *conditions, usage_change *change, arena *a,
                      object_info *ret_info, error *err);
/* A delete marker, after the rules of a bucket that has or had versions. `owner` may be empty: the bucket's. */
status store__put_marker(storage *st, state_txn *txn, const bucket_rules *rules, str key, str owner,
                         usage_change *change, arena *a, str *ret_version, error *err);
/* store.h's deleting: a marker where the bucket has versions; nothing where there is no object. */
status store__delete_key(storage *st, state_txn *txn, const bucket_rules *rules, str key,
                         usage_change *change, error *err);
/* Takes a version away for good; the next older one becomes the newest. */
status store__remove_version(storage *st, state_txn *txn, str bucket, const version_row *version,
                             usage_change *change, error *err);

/* The blob loses an owner; without any its row goes, and its file after the commit. */
status store__release_blob(storage *st, state_txn *txn, str blob, error *err);

/* RFC 9110's, for a change of a key. `current` NULL: there is none. */
status store__check_conditions(const object_conditions *conditions, str bucket, str key,
                               const object_info *current, error *err);
/* A fresh id of a version. */
str store__new_version(arena *a);

#endif

/* objects.h: what the files of the store share over objects as S3 knows them (tarn/store/object.h): rows on one side
 * (buckets.c, versions.c, object_list.c, object_delete.c, …), bytes on the other (object_writer.c, uploads.c, …). */
#ifndef TARN_STORE_OBJECTS_H
#define TARN_STORE_OBJECTS_H

#include "internal.h"
#include "tarn/store/object.h"

/* A version's row: what is known, and where its bytes are. */
typedef struct object_row {
    object_info info;
    blob_id blob; /* empty for a delete marker */
    int64_t offset;
} object_row;

/* ---- rows ---- */

/* In a transaction: the version asked for, by the rules of object_find. */
status store__find_row(state_txn *txn, str bucket, str key, str version, arena *a,
                       object_row *ret_row, error *err);
/* Makes the staged bytes the current version of info->(bucket, key), by the bucket's versioning: conditions first,
 * then
 * what was current becomes an older version or goes; the bucket's default retention applies where info has none.
 * The blob's
 * row is made, too. Takes `staged` over as store_publish does. */
status store__publish_version(storage *st, state_txn *txn, store_staged *staged,
                              const object_info *info, const object_conditions *conditions,
                              arena *a, object_info *ret_info, error *err);
/* As above for bytes that have a blob already: it gets one more owner. */
status store__publish_copy(storage *st, state_txn *txn, const object_row *source,
                           const object_info *info, const object_conditions *conditions, arena *a,
                           object_info *ret_info, error *err);
/* The bucket goes: uploads under way are aborted, what they have written goes after the commit. */
status store__abort_uploads(storage *st, state_txn *txn, str bucket, error *err);
/* What no column holds, as compact JSON; STR_NULL where there is nothing to say. */
str store__format_details(const object_info *info, arena *a);
status store__parse_details(str text, arena *a, object_info *info, error *err);
/* "GOVERNANCE", "COMPLIANCE" or nothing. */
bool store__parse_lock_mode(str text, object_lock_mode *ret_mode);

#endif

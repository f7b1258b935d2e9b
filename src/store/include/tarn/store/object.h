/* object.h: buckets and objects as S3 knows them: owners, versions, metadata, conditions, locks, tags,
 * copies, uploads in parts. What store.h calls "s3://bucket/key" is the current version here: both see the
 * same rows.
 *
 * Nothing here decides who may do what (access), or knows HTTP, XML or signatures (server). Conditions and locks
 * are looked at in the transaction that changes the rows, so that of two writers one is told.
 *
 * Errors carry S3's code where one kind has several (error_set_s3_code): NOT_FOUND "NoSuchBucket", "NoSuchKey",
 * "NoSuchVersion", "NoSuchUpload"; PRECONDITION "PreconditionFailed"; CONFLICT "ConditionalRequestConflict";
 * DENIED "AccessDenied" (a lock); METHOD "MethodNotAllowed" (a delete marker was named).
 *
 * Strings of results live in the arena given; strings of arguments are copied. All functions are thread-safe,
 * a writer or an upload's part belongs to one thread. */
#ifndef TARN_STORE_OBJECT_H
#define TARN_STORE_OBJECT_H

#include "tarn/store/store.h"

/* ---- what is known of an object ---- */

typedef struct object_pair {
    str name, value;
} object_pair;

typedef enum object_checksum_kind {
    CHECKSUM_NONE,
    CHECKSUM_CRC32,
    CHECKSUM_CRC32C,
    CHECKSUM_CRC64NVME,
    CHECKSUM_SHA1,
    CHECKSUM_SHA256,
    CHECKSUM_KIND_COUNT,
} object_checksum_kind;

typedef struct object_checksum {
    object_checksum_kind kind;
    bool composite; /* of the parts' checksums, then `value` ends with "-N" */
    str value;      /* base64, as S3 writes it */
} object_checksum;

typedef enum object_lock_mode { LOCK_NONE, LOCK_GOVERNANCE, LOCK_COMPLIANCE } object_lock_mode;

typedef struct object_lock {
    object_lock_mode mode;
    int64_t retain_until_us;
    bool legal_hold;
} object_lock;

/* A part of an object that was uploaded in parts. */
typedef struct object_part {
    int number;
    int64_t size_bytes;
    int64_t modified_us; /* of an upload's part; 0 in a completed object */
    str etag;            /* hex MD5 */
    object_checksum checksum;
} object_part;

/* What the writer says of an object, beside its bytes. */
typedef struct object_attributes {
    str content_type; /* empty: "binary/octet-stream" */
    /* system headers by their lower-case names (cache-control, content-encoding, expires …), then user metadata by
     * names with "x-amz-meta-"; as sent */
    const object_pair *headers;
    size_t header_count;
    const object_pair *tags;
    size_t tag_count;
    object_lock lock;
    str owner;         /* canonical id */
    str acl;           /* text of access's making; empty: private */
    bool encrypted;    /* SSE-S3 */
    str storage_class; /* empty: STANDARD */
} object_attributes;

typedef struct object_info {
    str bucket, key;
    str version; /* empty: the null version, or a bucket that never had versions */
    bool is_latest;
    bool is_marker; /* a delete marker: no bytes, no attributes but the owner */
    int64_t size_bytes;
    int64_t modified_us;
    str etag; /* hex, without quotes */
    object_attributes attributes;
    object_checksum checksum;
    const object_part *parts; /* of a completed upload, in order; NULL else */
    size_t part_count;
} object_info;

/* ---- buckets ---- */

typedef enum bucket_versioning {
    VERSIONING_OFF,
    VERSIONING_ENABLED,
    VERSIONING_SUSPENDED
} bucket_versioning;

typedef struct bucket_info {
    str name;
    str owner; /* canonical id */
    str region;
    int64_t created_us;
    bucket_versioning versioning;
    bool lock_enabled;
    /* The documents of its sub-resources by name ("policy", "cors", "lifecycle", "encryption", "tagging",
     * "object-lock", "public-access-block", "ownership", "acl"), as their setters gave them. The store reads one of
     * them: "object-lock", {"mode":"GOVERNANCE"|"COMPLIANCE","days":N} or "years": the retention of objects that come
     * without one; {} for none. To set it is to switch object lock on (CONFLICT "InvalidBucketState" without
     * versions). */
    const object_pair *documents;
    size_t document_count;
} bucket_info;

/* Of a kind of document; STR_NULL where the bucket has none. */
str bucket_document(const bucket_info *bucket, const char *name);

/* EXISTS "BucketAlreadyOwnedByYou" or "BucketAlreadyExists". `documents` as above, set in the same transaction. */
status bucket_create(storage *st, const bucket_info *bucket, error *err);
/* Remembered in memory and cheap: called by every request. NOT_FOUND "NoSuchBucket". The result is shared and
 * immutable; release it. */
typedef struct bucket_ref bucket_ref;
status bucket_acquire(storage *st, str name, const bucket_ref **ret_bucket, error *err);
const bucket_info *bucket_ref_info(const bucket_ref *bucket);
void bucket_release(const bucket_ref *bucket); /* NULL is fine */
/* By owner (STR_NULL: all; empty: tarn's own, which are root's), in byte order after `after`, names beginning with
 * `prefix`. */
status bucket_list(storage *st, str owner, str prefix, str after, size_t max, arena *a,
                   bucket_info **ret_list, size_t *ret_count, error *err);
/* NOT_EMPTY "BucketNotEmpty" while it has objects, versions, markers; uploads under way are aborted. The
 * warehouse's own
 * bucket is refused by the caller. */
status bucket_delete(storage *st, str name, error *err);
/* `text` STR_NULL takes the document away. */
status bucket_set_document(storage *st, str bucket, const char *name, str text, error *err);
/* CONFLICT "InvalidBucketState" where a lock forbids suspending. */
status bucket_set_versioning(storage *st, str bucket, bucket_versioning versioning, error *err);
typedef struct bucket_usage {
    /* exact: keys that have a current object; older versions and delete markers beside these; bytes of all */
    int64_t objects, versions, bytes;
} bucket_usage;
status bucket_read_usage(storage *st, str bucket, bucket_usage *ret_usage, error *err);

/* ---- conditions ---- */

/* Of a change of (bucket, key) (RFC 9110 §13, S3). ETags without quotes; STR_NULL where not asked. */
typedef struct object_conditions {
    str if_match; /* "*": it must be there. A key that is missing is NOT_FOUND "NoSuchKey" for PUT */
    str if_none_match;      /* "*": it must not be there */
    int64_t if_modified_us; /* delete: x-amz-if-match-last-modified-time; 0: not asked */
    int64_t if_size_bytes;  /* delete: x-amz-if-match-size; -1: not asked */
} object_conditions;
#define OBJECT_CONDITIONS_NONE ((object_conditions){.if_size_bytes = -1})

/* ---- writing ---- */

/* Bytes stream in; digests are computed beside the writing. Then the caller compares what the client claimed, and
 * commits or aborts. */
typedef struct object_writer object_writer;
typedef struct object_write {
    str bucket, key;
    const object_attributes *attributes;
    int64_t size_bytes;            /* -1 where not known */
    object_checksum_kind checksum; /* computed and stored; CHECKSUM_NONE: CRC64NVME */
} object_write;
status object_writer_begin(storage *st, const object_write *what, object_writer **ret_writer,
                           error *err);
status object_writer_write(object_writer *w, const void *bytes, size_t size_bytes, error *err);
typedef struct object_digests {
    uint8_t md5[16];
    object_checksum checksum;
    int64_t size_bytes;
} object_digests;
/* No more bytes. `ret_digests` lives with the writer. */
status object_writer_end(object_writer *w, object_digests *ret_digests, error *err);
/* Durable and visible when it returns. Frees the writer, also on failure, as abort does. In a bucket with versions
 * the
 * new one has an id of its own (ret_info->version). `conditions` may be NULL. */
status object_writer_commit(object_writer *w, const object_conditions *conditions, arena *a,
                            object_info *ret_info, error *err);
void object_writer_abort(object_writer *w);

/* ---- reading ---- */

/* `version` STR_NULL: the current one; "null": the null version. NOT_FOUND "NoSuchKey" or "NoSuchVersion"; where the
 * current one is a delete marker NOT_FOUND "NoSuchKey" with ret_info filled (is_marker), where a marker was named
 * METHOD "MethodNotAllowed", filled likewise. */
status object_find(storage *st, str bucket, str key, str version, arena *a, object_info *ret_info,
                   error *err);
/* As object_find, with its bytes (store.h): decrypted where they are encrypted. Verified as every reader. */
status object_open(storage *st, str bucket, str key, str version, arena *a, object_info *ret_info,
                   store_reader **ret_reader, error *err);
/* Offset and size of a part of a completed upload; of any other object part 1 is the whole. RANGE
 * "InvalidPartNumber". */
status object_part_range(const object_info *info, int number, int64_t *ret_offset,
                         int64_t *ret_size, error *err);

/* ---- reading from memory ---- */

/* A small object (current version) whole in memory; immutable, shared, counted. */
#define HOT_OBJECT_BYTES_MAX ((size_t)64 * 1024)
typedef struct object_hot object_hot;
/* NULL where it is not there. Never waits. Never older than what object_find gives. */
const object_hot *object_peek(storage *st, str bucket, str key);
/* Reads it whole, and keeps it where there is room. As object_open; TOO_LARGE where it is not small. */
status object_load(storage *st, str bucket, str key, const object_hot **ret_object, error *err);
const object_info *object_hot_info(const object_hot *object);
str object_hot_bytes(const object_hot *object);
void object_hot_release(const object_hot *object); /* NULL is fine */

/* ---- listing ---- */

typedef struct object_listing {
    str bucket;
    str prefix;        /* bytes; may be empty */
    str delimiter;     /* empty: none */
    str after;         /* STR_NULL, or the key (or common prefix) that the page before ended with */
    str after_version; /* versions alone: with `after`; STR_NULL: behind all versions of that key */
    /* The page's next_after_place and _us: where after_version was and how old, should it be gone by now. 0: not known;
     * then the key's versions are all told once more. */
    int64_t after_place, after_us;
    size_t max;           /* objects and common prefixes together */
    bool versions;        /* all versions and markers, newest first within a key */
    bool with_attributes; /* checksum, owner; else only what a row itself holds */
} object_listing;

/* One thing of a page, in order of bytes: an object, or a common prefix (is_prefix, `info.key`). */
typedef struct object_entry {
    bool is_prefix;
    object_info info;
} object_entry;
typedef struct object_page {
    object_entry *entries;
    size_t count;
    bool truncated;
    str next_after; /* for the next page */
    str next_after_version;
    int64_t next_after_place, next_after_us;
} object_page;
/* Time follows the size of the page, not the bucket's: common prefixes are stepped over. */
status object_list(storage *st, const object_listing *what, arena *a, object_page *ret_page,
                   error *err);

/* ---- deleting ---- */

typedef struct object_delete_request {
    str key;
    str version; /* STR_NULL: as the bucket's versioning says (a marker, or gone); "null" */
    object_conditions conditions;
    bool bypass_governance; /* the caller may, and asked */
    str owner;              /* of the marker, where one is made; empty: the bucket's */
} object_delete_request;
typedef struct object_delete_result {
    status result; /* of this one */
    const char *s3_code;
    str message;
    bool made_marker; /* then `version` is the marker's */
    bool was_marker;  /* a marker was removed */
    str version; /* of what was removed or made ("null": the null version); empty where versions are off */
} object_delete_result;
/* Each by itself, all in one transaction (thousands are cut into several). An absent key is fine. The status
 * returned is
 * that of the whole: each request's own is in its result. */
status object_delete(storage *st, str bucket, const object_delete_request *requests, size_t count,
                     arena *a, object_delete_result *ret_results, error *err);

/* ---- copies and changes of attributes ---- */

/* Shares the bytes where source and target are of one encryption, else copies them. `attributes` NULL keeps the
 * source's
 * (but owner, acl and lock: these are always the caller's, given in `changes`). */
typedef struct object_copy {
    str from_bucket, from_key, from_version; /* version STR_NULL: current */
    str to_bucket, to_key;
    const object_attributes *attributes; /* complete: the caller merges */
    object_checksum_kind checksum;       /* CHECKSUM_NONE: as the source's */
    str from_etag; /* not empty: the source must still be this one (CONFLICT else) */
} object_copy;
status object_copy_make(storage *st, const object_copy *what, const object_conditions *conditions,
                        arena *a, object_info *ret_info, error *err);
/* Of an existing version. NULL pairs with count 0 take all tags away. */
status object_set_tags(storage *st, str bucket, str key, str version, const object_pair *tags,
                       size_t count, error *err);
status object_set_acl(storage *st, str bucket, str key, str version, str acl, error *err);
/* DENIED where the rule of the mode forbids it (shorter, or gone, without bypass; compliance never). */
status object_set_retention(storage *st, str bucket, str key, str version, object_lock_mode mode,
                            int64_t retain_until_us, bool bypass_governance, error *err);
status object_set_legal_hold(storage *st, str bucket, str key, str version, bool on, error *err);

/* ---- uploads in parts; they survive restarts ---- */

typedef struct upload_info {
    str id;
    str bucket, key;
    str initiator; /* canonical id */
    int64_t created_us;
    object_attributes attributes;
    object_checksum_kind checksum; /* CHECKSUM_NONE: none declared */
    bool composite;
} upload_info;
status upload_create(storage *st, const upload_info *what, arena *a, str *ret_id, error *err);
/* NOT_FOUND "NoSuchUpload" */
status upload_find(storage *st, str bucket, str key, str id, arena *a, upload_info *ret_info,
                   error *err);
/* A part's bytes, as object_writer's: begin, write, end, then commit (durable; replaces a part of that number) or
 * abort. */
typedef struct upload_part_writer upload_part_writer;
status upload_part_begin(storage *st, const upload_info *upload, int number, int64_t size_bytes,
                         object_checksum_kind checksum, upload_part_writer **ret_writer,
                         error *err);
status upload_part_write(upload_part_writer *w, const void *bytes, size_t size_bytes, error *err);
status upload_part_end(upload_part_writer *w, object_digests *ret_digests, error *err);
status upload_part_commit(upload_part_writer *w, error *err);
void upload_part_abort(upload_part_writer *w);
/* After part number `after`, at most `max`. */
status upload_list_parts(storage *st, const upload_info *upload, int after, size_t max, arena *a,
                         object_part **ret_parts, size_t *ret_count, bool *ret_truncated,
                         error *err);
/* In order of key and time, after (key, id); a delimiter groups keys as in object_list (ret_prefixes). */
typedef struct upload_page {
    upload_info *uploads;
    size_t count;
    str *prefixes;
    size_t prefix_count;
    bool truncated;
    str next_key, next_id;
} upload_page;
status upload_list(storage *st, str bucket, str prefix, str delimiter, str after_key, str after_id,
                   size_t max, arena *a, upload_page *ret_page, error *err);
/* What the client says of the whole. */
typedef struct upload_claims {
    object_checksum checksum; /* BadDigest; of kind NONE: not said */
    int64_t size_bytes;       /* InvalidRequest; -1: not said */
} upload_claims;
/* `parts`: number, etag, and the checksum where the client named one. INVALID "InvalidPart", "InvalidPartOrder",
 * "EntityTooSmall" (a part but the last below 5 MiB). `whole` may be NULL. Said again with the same parts it answers
 * the same (for a day), whatever the conditions say. */
status upload_complete(storage *st, str bucket, str key, str id, const object_part *parts,
                       size_t count, const upload_claims *whole,
                       const object_conditions *conditions, arena *a, object_info *ret_info,
                       error *err);
status upload_abort(storage *st, str bucket, str key, str id, error *err); /* NoSuchUpload */

#endif

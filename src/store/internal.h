/* internal.h: what the files of store share.
 *
 * A store is one table of functions, store_ops; storage.c sends each location to the store of
 * its scheme. What is the same for every store (hashing, rounds of syncs, verified reading)
 * is written once above the table. */
#ifndef TARN_STORE_INTERNAL_H
#define TARN_STORE_INTERNAL_H

#include <sys/stat.h>

#include "tarn/base/buf.h"
#include "tarn/base/map.h"
#include "tarn/base/thread.h"
#include "tarn/base/vec.h"
#include "tarn/store/store.h"

#define STORE_BLOCK_BYTES ((size_t)65536)          /* one checksum each */
#define STORE_CRCS_MAX ((size_t)256 * 1024 * 1024) /* a list of checksums: objects up to 4 TiB */
#define STORE_CHUNK_BYTES ((size_t)1024 * 1024)    /* one read or write of a large object */
#define STORE_WRITEBACK_BYTES ((int64_t)8 * 1024 * 1024)

/* Of a blob: epoch (8 hex digits), shard (2), number (6), random (16). */
#define BLOB_ID_SIZE 32
typedef struct blob_id {
    char text[BLOB_ID_SIZE + 1];
} blob_id;

typedef struct store_ops store_ops;
typedef struct segment segment;         /* segment.c */
typedef struct live_upload live_upload; /* uploads.c */

/* ---- what is staged ---- */

/* unnamed -> (create, bytes | adopt) -> sealed: has its name -> synced: durable -> published or
 * removed (end) */
struct store_staged {
    storage *st;
    const store_ops *ops;
    arena *memory;
    str location;
    str bucket, key; /* built-in */
    str content_type;
    str etag;
    str crcs; /* CRC-32C of each block, little-endian; empty for stores that keep none */
    int64_t size_bytes;
    int64_t created_us;
    blob_id id;   /* built-in */
    char *path;   /* its name in the file system */
    char *folder; /* that `path` lies in */
    char *beside; /* a name for the time before `path`; NULL where the file needs none */
    int fd;
    /* a part of a pack (pack.c): its file is the carrier's, and begins here */
    store_staged *carrier;
    int64_t offset;
    /* the carrier of a pack */
    store_staged **parts; /* while its file is made */
    size_t part_count;
    str sizes; /* of the parts, 4 bytes each, little-endian */
    /* of an object as S3 knows it (object_writer.c, uploads): */
    str version; /* proposed */
    str details; /* JSON (details.c) */
    str seal; /* the keys of encrypted bytes (seal.c); then size_bytes is what lies on the disk */
    blob_id segment;               /* its file, where that is a segment's (segment.c); else empty */
    int64_t file_offset;           /* in the segment */
    int64_t record_bytes;          /* that it takes there */
    bool stays;                    /* its bytes are not its own until it is published */
    bool small;                    /* its names go into a segment */
    size_t part_users;             /* parts that are staged. storage.lock, as the next two: */
    bool keeps;                    /* a part was published, or may have been */
    const state_txn *published_in; /* all parts are published in one transaction */
    bool named;                    /* `path` is this file's */
    bool exposed;                  /* found by reading (overlay.c); storage.lock */
    bool replaces;                 /* local: another file has `path` until publishing */
    bool
        exchanged; /* local: `path` is this file's, and `beside` the other's, until the transaction ends */
};

/* What is known of an object's bytes is known under this: the id of its blob, and for a part of a pack "+<offset>". */
typedef struct bytes_id {
    char text[BLOB_ID_SIZE + 24];
} bytes_id;

/* An object's bytes, to be read. */
typedef struct store_source {
    store_object object;
    blob_id id; /* empty: no checksums */
    str crcs;   /* of the object alone */
    int fd;
    int64_t offset; /* where the object begins in its file */
    bool packed;    /* the file holds others, too */
    str seal;       /* the keys of encrypted bytes (seal.c); empty: plain */
    blob_id file;   /* the segment that holds the bytes; empty: the blob's own file */
} store_source;

struct store_ops {
    const char *scheme;
    /* Whether the location may be used at all; splits it where `staged` is not NULL. */
    status (*check)(storage *st, str location, store_staged *staged, error *err);
    /* Opens staged->fd for writing. `size_bytes` is 0 where it is not known. */
    status (*create)(storage *st, store_staged *staged, int64_t size_bytes, error *err);
    /* Takes over the file at `path`; *ret_adopted false where it has to be copied. */
    status (*adopt)(storage *st, store_staged *staged, const char *path, bool *ret_adopted,
                    error *err);
    /* The bytes are complete: names the file. Nothing is synced yet. */
    status (*seal)(storage *st, store_staged *staged, error *err);
    status (*publish)(storage *st, state_txn *txn, store_staged *const *staged, size_t count,
                      error *err);
    /* After the transaction, or instead of it (STATE_ROLLED_BACK): removes what must go. Does
     * not free. Quick. */
    void (*end)(storage *st, store_staged *staged, state_outcome outcome);
    status (*stat)(storage *st, str location, arena *a, store_object *ret_object, error *err);
    status (*open)(storage *st, str location, arena *a, store_source *ret_source, error *err);
    status (*link)(storage *st, str location, const char *folder, const char *name, arena *a,
                   char **ret_path, error *err);
    status (*list)(storage *st, str prefix, str after, size_t max, arena *a,
                   store_object **ret_objects, size_t *ret_count, error *err);
    status (*remove)(storage *st, state_txn *txn, const str *locations, size_t count, error *err);
};

extern const store_ops store__builtin;
extern const store_ops store__local;

/* ---- the open stores ---- */

typedef struct blob_info blob_info;     /* reader.c */
typedef struct hot_objects hot_objects; /* hot.c */

/* A file that may go: a blob's, or a local one. */
typedef struct removal {
    struct removal *next;
    blob_id id;
    bool recorded; /* in blob_drops */
    /* of a record in the segment `id`, which is erased; 0: the file goes */
    int64_t begin, record_bytes;
    char *path; /* local: owned; else NULL */
    /* of the file that is to go; 0 for whatever has the path: another may have been put there in between */
    dev_t device;
    ino_t inode;
} removal;

struct storage {
    storage_options options; /* strings are owned */
    uint8_t master_key[32];  /* options.master_key */
    state *state;
    arena *memory;
    str private_path; /* the data directory, canonical; STR_NULL: there is none */
    char *blobs_path;
    char *staging_path;
    char *lost_path;
    mutex lock; /* all below, unless it says otherwise */

    /* built-in: ids (builtin.c) and start (epoch.c) */
    uint32_t epoch;
    uint32_t epoch_checked; /* all blobs of epochs up to this have rows, or were looked after */
    char database_id[37];
    bool foreign;  /* blobs/ID names another database: nothing is compared or moved */
    bool compared; /* the epochs before this one are done */
    uint64_t blobs_made;
    mutex shard_lock; /* shard_path */
    char *shard_path;
    int64_t staged_live;
    map *exposed; /* location -> store_staged: overlay.c */

    /* buckets.c */
    mutex bucket_lock;        /* the two below */
    map *buckets;             /* name -> bucket_ref, while its rows are as they were read */
    uint64_t bucket_changes;  /* so many times that map was emptied */
    mutex bucket_change_lock; /* rows, then the settings file: one bucket after another */

    mutex path_lock; /* local files: what has a path, from looking to acting */

    /* sync.c */
    map *folders;

    /* care.c */
    thread care_thread;
    cond care_work;
    removal *removals;
    int holds; /* backups that run: nothing is removed */
    bool closing;
    bool care_ends; /* nobody is left who would give up a file */
    int64_t lost_blobs;

    /* reader.c, scrub.c */
    map *infos;    /* bytes_id -> blob_info, while open */
    map *verified; /* blob id -> itself: whole since start; parts of packs are not kept here */
    map *corrupt;  /* bytes_id -> itself */
    thread scrub_thread;
    cond scrub_work;
    int64_t scrubbed_bytes;

    pool *hashers;               /* thread-safe by itself */
    _Atomic uint64_t generation; /* store_generation: of keys that are watched */
    hot_objects *hot;            /* likewise */

    /* segment.c */
    mutex segment_lock;
    cond segment_opened;
    segment *segment; /* the open one */
    bool segment_opening;
    uint64_t small_made;
    map *segments; /* id -> segment, while one of its objects is staged or it is open */

    /* compact.c */
    thread compact_thread;
    cond compact_work;
    bool compact_asked;

    /* uploads.c */
    mutex upload_lock;
    cond upload_changed;
    map *uploads; /* id -> live_upload, while it is in use */
};

/* ---- storage.c ---- */
/* What is staged is the transaction's from here on, whatever happens. */
void store__hand_over(storage *st, state_txn *txn, store_staged *const *staged, size_t count);

/* ---- location.c ---- */
/* NULL and INVALID where there is none, or the built-in one is not open. */
const store_ops *store__ops_for(const storage *st, str location, error *err);
/* "s3://bucket/key". `key_needed` false: a prefix, where bucket alone is fine. */
status store__split_s3(str location, bool key_needed, str *ret_bucket, str *ret_key, error *err);

/* ---- hash.c ---- */
typedef struct block_hash {
    uint32_t crc;
    size_t filled; /* bytes of the unfinished block */
    buf crcs;
} block_hash;
void block_hash_init(block_hash *h);
void block_hash_release(block_hash *h);
void block_hash_add(block_hash *h, const void *bytes, size_t size_bytes);
/* The list, copied into `a`. */
status block_hash_finish(block_hash *h, arena *a, str *ret_crcs, error *err);
int64_t store__check_of_crcs(str crcs);
uint32_t store__crc_at(str crcs, size_t block);
/* From an open file, from its start to its end. */
status store__hash_file(int fd, arena *a, str *ret_crcs, int64_t *ret_size, error *err);
/* ETags: hex MD5 of the bytes; where that would cost too much, MD5 of the checksums and "-1", as
 * of an object made of parts, which S3 clients do not compare with an MD5 of their own. */
str store__etag_of_bytes(arena *a, str bytes);
str store__etag_of_crcs(arena *a, str crcs);
str store__etag_of_digest(arena *a, const uint8_t *md5);

/* ---- stage.c ---- */
status store__staged_new(storage *st, str location, str content_type, store_staged **ret_staged,
                         error *err);
void store__staged_free(store_staged *staged);
/* Seals, and makes the file and its name durable. On failure nothing of it is left, and it is
 * freed. */
status store__finish(store_staged *staged, error *err);

/* ---- overlay.c ---- */
/* Before its bytes go, and before its row comes. */
void store__conceal(store_staged *staged);
bool store__find_exposed(storage *st, str location, arena *a, store_source *ret_source);

/* ---- pack.c: several small objects in one file ---- */
#define STORE_PARTS_MAX ((size_t)8) /* their names mostly fit an attribute */
#define STORE_PART_BYTES_MAX \
    ((size_t)32768) /* a deleted part keeps its bytes while another is there */
/* Whether the request may be a part of a pack. */
bool store__fits_pack(const store_stage_request *request);
/* Makes and seals one file of `count` parts, at most STORE_PARTS_MAX; nothing is synced. The carrier is what has to be
 * synced; it goes with the last of its parts. */
status store__stage_pack(storage *st, const store_stage_request *const *requests, size_t count,
                         store_staged **ret_parts, store_staged **ret_carrier, error *err);
/* A part is about to be published. INTERNAL where others of its file were, in another transaction. */
status store__enter_publication(storage *st, const store_staged *part, const state_txn *txn,
                                error *err);
void store__leave_pack(storage *st, store_staged *part, state_outcome outcome);
/* A blob's layout: the sizes of its parts as a list of 4 bytes each; empty for a blob of one object. */
typedef struct blob_part {
    int64_t offset;
    int64_t size_bytes;
    size_t first_block; /* in the blob's list of checksums */
    size_t count;       /* parts up to this one */
} blob_part;
size_t store__part_count(str parts);
/* From {0} to each part in turn; false after the last. */
bool store__next_part(str parts, blob_part *part);
bool store__part_at(str parts, int64_t offset, blob_part *ret_part);
size_t store__blocks_of(int64_t size_bytes);
/* A file of its own for bytes out of a pack; not synced. EXISTS. */
status store__write_copy(const char *folder, const char *path, str bytes, error *err);

/* ---- sync.c ---- */
/* One parallel round: every file, and every folder once. */
status store__sync_round(storage *st, store_staged *const *staged, size_t count, error *err);
/* Concurrent calls for one folder share a sync. */
status store__sync_folder(storage *st, const char *folder, error *err);
void store__start_writeback(int fd, int64_t offset, int64_t size_bytes);

/* ---- names.c: what a blob says of itself ---- */
typedef struct blob_names {
    str bucket, key, version;
    str etag;
    str content_type;
    int64_t size_bytes;
    int64_t check; /* CRC-32C of the list of checksums */
    int64_t created_us;
    int64_t offset; /* in the file */
    str key64;
    str id;      /* in a segment: the blob's */
    str details; /* JSON (details.c); null or empty: none */
    str seal;    /* the keys of encrypted bytes; null: plain */
} blob_names;
/* As JSON, one object; of a pack's carrier an array. */
void store__format_names(const store_staged *staged, buf *out);
status store__parse_names(str text, arena *a, blob_names *ret_names, error *err);
status store__write_names(storage *st, const store_staged *staged, error *err);
/* NOT_FOUND where the blob carries none. Of all parts, in their order; one for a blob of one object. `*ret_packed` may
 * be NULL. */
status store__read_all_names(const char *path, arena *a, blob_names **ret_names, size_t *ret_count,
                             bool *ret_packed, error *err);
/* Of the first. */
status store__read_names(const char *path, arena *a, blob_names *ret_names, error *err);
/* The file beside a blob that holds names too long for an attribute. */
char *store__sidecar_path(arena *a, const char *path);

/* ---- builtin.c ---- */
char *store__blob_path(const storage *st, arena *a, blob_id id);
bool store__is_blob_id(str text);
blob_id store__blob_id(str text);
/* Rows of the files. */
status store__publish_blobs(storage *st, state_txn *txn, store_staged *const *staged, size_t count,
                            error *err);

/* ---- local.c ---- */
/* The canonical path of a location inside the roots. INVALID, DENIED. */
status store__local_path(storage *st, str location, arena *a, char **ret_path, error *err);
/* What stands before the path in a location: "file://", "file:", or nothing. */
str store__local_scheme(str location);

/* ---- local_list.c ---- */
status store__local_list(storage *st, str prefix, str after, size_t max, arena *a,
                         store_object **ret_objects, size_t *ret_count, error *err);
bool store__is_beside(str name); /* a file that is not published yet */

/* ---- epoch.c ---- */
status store__start_epoch(storage *st, error *err);
/* Remembers that this epoch is whole. */
void store__end_epoch(storage *st);
/* Writes blobs/ID, here or in the copy at `blobs_path`. */
status store__write_id(storage *st, const char *blobs_path, error *err);
status store__set_property(state_txn *txn, const char *name, str value, error *err);
status store__get_property(state_txn *txn, const char *name, arena *a, str *ret_value, error *err);

/* ---- care.c ---- */
void store__care(void *storage_context); /* the thread */
void store__remove_later(storage *st, blob_id id, bool recorded);
void store__erase_later(storage *st, blob_id file, int64_t begin, int64_t record_bytes);
void store__remove_path_later(storage *st, const char *path);
/* Only the file that `info` was asked of. */
void store__remove_file_later(storage *st, const char *path, const struct stat *info);
status store__compare_epochs(storage *st, error *err);

/* ---- reader.c ---- */
status store__read_whole(store_reader *r, size_t size_max_bytes, arena *a, str *ret_bytes,
                         error *err);
status store__reader_over(storage *st, arena *memory, const store_source *source,
                          store_reader **ret_reader);
bytes_id store__bytes_id(blob_id id, bool packed, int64_t offset);
void store__note_corrupt(storage *st, bytes_id id);
/* And all of its parts. */
void store__forget_blob(storage *st, blob_id id);

/* ---- scrub.c ---- */
void store__scrub(void *storage_context); /* the thread */

/* Whether store_generation tells of changes of the object. */
bool store__is_watched(str key);

#endif

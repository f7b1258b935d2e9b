/* store.h: object storage behind one interface, and the two stores behind it: the built-in one
 * (blobs and rows) and a local directory (for `file:` warehouses).
 *
 * Everything is named by its location: "s3://bucket/key" lies in the built-in store,
 * "file:///path" in the local one. `storage` holds the open stores and sends each call to the
 * store of the location's scheme.
 *
 * Writing is split: `stage` makes bytes durable while nothing is visible, `publish` makes them
 * visible inside a state transaction, so that one transaction publishes everything a commit is
 * made of.
 *
 * Invariants (built-in store; architecture.md §4)
 *   1. Bytes -> name under a fresh id in blobs/<epoch>/ab/ -> one round of syncs, files and
 *      folders in parallel, folders grouped -> row. Visibility is the row. A blob is never written
 *      again.
 *   2. Every blob carries its names, ETag and metadata in the extended attribute "user.tarn",
 *      synced with it. A blob is one object, or several small ones that were staged together.
 *   3. Ids carry the epoch of the server start that made them. After an unclean stop the last
 *      epochs' blobs are compared with the rows in the background: what has no row goes to lost/
 *      for 7 days. Nothing is touched when the database's id differs from blobs/ID.
 *   4. CRC-32C per 64 KiB block is computed while bytes stream in and stored in the publishing
 *      transaction. A read verifies what it returns until the blob was verified whole since
 *      start.
 *   5. A blob that loses its row is recorded in the same transaction and its name removed after
 *      the commit; open readers and links keep the bytes until the last of them is gone.
 *
 * The local store has no rows and no checksums: a file is there when it has its name, which it
 * gets when it is staged (or, where the name is taken, when it is published). A rollback takes
 * it away again; a crash may leave it, and no table refers to it then: the catalog removes it (orphan_age_ms).
 *
 * All functions are thread-safe unless they say otherwise. */
#ifndef TARN_STORE_STORE_H
#define TARN_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"
#include "tarn/state/state.h"

typedef struct storage storage;

typedef struct storage_options {
    const char *data_path; /* <data>: blobs/, staging/, lost/ below it */
    /* NULL: local folders alone. Then data_path is NULL too, and staging paths, publishing in
     * transactions, backup, recovery and scrubbing are not to be had; reading, listing and store_put are. */
    state *state;
    /* Folders that file: locations may lie in. The data directory may lie in one; then no location may lie in the data
     * directory or be a folder around it. */
    const str *local_roots;
    size_t local_root_count;
    int64_t scrub_bytes_per_second; /* 0: the scrubber does not run */
    int64_t hot_bytes; /* memory for small objects that are read often (object_peek); 0: none */
    bool unsafe;       /* durability = unsafe */
    /* 32 bytes, copied: what encrypted objects' keys are kept under. NULL: there are no such objects. */
    const uint8_t *master_key;
} storage_options;

extern const state_migration store_migrations[];
extern const size_t store_migration_count;

status storage_open(const storage_options *options, storage **ret_storage, error *err);
void storage_close(storage *st);
/* The database's uuid, made at its first start: copies of it, as a backup that was put back, have the same. */
str store_identity(const storage *st);

/* ---- locations ---- */
/* INVALID: no scheme, empty bucket or key, relative path; DENIED: a file: location outside the
 * roots (also through ".." and symbolic links). */
status store_check_location(storage *st, str location, error *err);
bool store_is_local(str location); /* file: or an absolute path */
/* The canonical path of a file: location. Locations are taken literally, as Iceberg clients take
 * them: "%20" is three characters. DENIED as above. */
status store_local_path(storage *st, str location, arena *a, char **ret_path, error *err);

/* ---- staging ---- */
/* durable bytes that nobody sees yet; owned by the caller until published or discarded */
typedef struct store_staged store_staged;
/* Small objects in one call. */
status store_stage_bytes(storage *st, str location, str content_type, str bytes,
                         store_staged **ret_staged, error *err);
/* Takes over a finished file (same file system: linked, else copied), hashing it. The file at
 * `path` may be removed afterwards. */
status store_stage_file(storage *st, str location, str content_type, const char *path,
                        store_staged **ret_staged, error *err);
/* Several at once: all files are synced in one parallel round and their folders once each.
 * `ret_staged` has `count` places; all or nothing. */
typedef struct store_stage_request {
    str location;
    str content_type;
    str bytes; /* used where path is NULL */
    const char *path;
    /* Small bytes may lie in one file with others of this call that allow it, or alone in one with those of other
     * calls: for what is rarely linked. Such objects of one call must be published in one transaction; each may be
     * discarded by itself. */
    bool shares_file;
} store_stage_request;
status store_stage_many(storage *st, const store_stage_request *requests, size_t count,
                        store_staged **ret_staged, error *err);
/* Streaming writes: begin, write…, finish (durable) or abort. One thread. */
typedef struct store_writer store_writer;
status store_writer_begin(storage *st, str location, str content_type, store_writer **ret_writer,
                          error *err);
status store_writer_write(store_writer *w, const void *bytes, size_t size_bytes, error *err);
/* frees the writer */
status store_writer_finish(store_writer *w, store_staged **ret_staged, error *err);
void store_writer_abort(store_writer *w);

str store_staged_location(const store_staged *staged);
int64_t store_staged_size(const store_staged *staged);

/* From now on the object is read at its location by those who know it (store_open_reader, store_read_all, store_stat,
 * store_link), until it is published or discarded: a transaction reads what it wrote. It is in no listing. */
void store_expose(storage *st, store_staged *staged);

/* Makes staged objects visible in `txn`; an existing object of that name is replaced (its bytes
 * go after its last reader). `staged` is the store's from this call on, also where it fails: it is
 * freed after the transaction, and on rollback its bytes are removed. NOT_FOUND: no such bucket. */
status store_publish(storage *st, state_txn *txn, store_staged *const *staged, size_t count,
                     error *err);
/* As store_publish in a transaction of its own. Takes `staged` over, also on failure. */
status store_put(storage *st, store_staged *staged, error *err);
void store_discard(storage *st, store_staged *staged); /* NULL is fine */

/* ---- reading ---- */
typedef struct store_object {
    str location;
    int64_t size_bytes;
    int64_t modified_us;
    /* Hex MD5; with "-N" for N parts, and with "-1" for large objects that tarn itself wrote; empty
     * for local files. */
    str etag;
    str content_type;
} store_object;

/* NOT_FOUND */
status store_stat(storage *st, str location, arena *a, store_object *ret_object, error *err);

typedef struct store_reader store_reader; /* keeps the bytes alive while open */
status store_open_reader(storage *st, str location, store_reader **ret_reader, error *err);
void store_reader_close(store_reader *r);
int64_t store_reader_size(const store_reader *r);
/* Verified against the block checksums: CORRUPT naming the object and the block. Fewer bytes
 * only at the end. */
status store_reader_read(store_reader *r, void *ret_bytes, size_t size_bytes, int64_t offset,
                         size_t *ret_size, error *err);
/* True once the whole object was verified since start, always for stores without checksums: then
 * its fd may go to sendfile, where the object begins at store_reader_start. */
bool store_reader_verified(const store_reader *r);
int store_reader_fd(const store_reader *r);
int64_t store_reader_start(const store_reader *r);
/* Whole object. TOO_LARGE beyond. */
status store_read_all(storage *st, str location, size_t size_max_bytes, arena *a, str *ret_bytes,
                      error *err);

/* Gives an object a second name in a folder of the same file system, for a worker: a hard link
 * (built-in; of what shares its file with others a verified copy), the plain path (local; then
 * *ret_path is that path, and nothing is made), a hard link again of what lies below a shared root
 * alone: UNSUPPORTED where the file system cannot. The bytes stay until the link is removed. `name`
 * NULL: one of the store's, which never stands for other bytes; it may be there already. *ret_path is NULL where the
 * bytes are encrypted on the disk: then there is no name, and who wants them reads them (store_open_reader). */
status store_link(storage *st, str location, const char *folder, const char *name, arena *a,
                  char **ret_path, error *err);

/* The data directory lies in this root: what must not be seen by workers does too. */
bool store_root_is_shared(storage *st, str root);

/* ---- listing and deleting ---- */
/* Objects whose location starts with `prefix`, in byte order, after `after` (or STR_NULL), at
 * most `max`. */
status store_list(storage *st, str prefix, str after, size_t max, arena *a,
                  store_object **ret_objects, size_t *ret_count, error *err);
/* Files of the local store below the folder `prefix` (with "/" at its end) that wait beside the name they are to get,
 * ".<name>.<16 hex>.tarn-new": of writes under way, or of a process that was killed. store_list leaves them out. */
status store_list_unfinished(storage *st, str prefix, size_t max, arena *a,
                             store_object **ret_objects, size_t *ret_count, error *err);
/* Moves when an object with ".json" in its key, as metadata files have, is deleted or written over through object.h: by
 * somebody who need not know what names it. Before whoever did it is told. What is kept of such an object is still true
 * while this stays. */
uint64_t store_generation(const storage *st);
/* Row first, bytes after the last reader. Absent is fine. */
status store_delete(storage *st, state_txn *txn, const str *locations, size_t count, error *err);

/* ---- care ---- */
typedef struct store_usage {
    int64_t objects, bytes, lost_blobs, scrubbed_bytes, corrupt_objects;
} store_usage;
status store_read_usage(storage *st, store_usage *ret_usage, error *err);
/* Verifies everything once, now; counts what is corrupt and logs each. */
status store_scrub(storage *st, int64_t *ret_corrupt_count, error *err);

/* Rebuilds object rows from blobs alone (tarn recover), in a database without objects (else
 * NOT_EMPTY). Corrupt blobs and those without names are logged and left alone. A small object that was deleted while
 * another in its file was not is there again. Table pointers
 * are the catalog's part. */
status store_recover(storage *st, int64_t *ret_objects, error *err);
/* Online copy to the folder `target`: the database as target/tarn.db, and every blob that it names
 * below target/blobs (links where the file system allows, else copies); durable when it returns.
 * With the secrets that is a whole data directory. CORRUPT where a blob is missing. */
status store_backup(storage *st, const char *target, int64_t *ret_objects, error *err);

/* A new path in <data>/staging for a file being written; removed with the arena if it still
 * exists. */
status store_staging_path(storage *st, arena *a, char **ret_path, error *err);

#endif

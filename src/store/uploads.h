/* uploads.h: what the files about uploads in parts share: rows (uploads.c), a part's bytes (upload_part.c), the object
 * in the end (upload_complete.c).
 *
 * The first part with a known size establishes the upload's part size S. The first upload of part n with exactly S
 * bytes is written where it will stay, at the (n - 1)th place of the upload's file; every other part (the short last
 * one, a repetition, one of another size) has a file of its own and is copied at completion. Both lie among the blobs,
 * and a row names them as soon as the part is durable: so an upload survives a restart with all parts that were
 * acknowledged. A place is free where no row has its part in place and nobody writes there.
 *
 * What happens to one upload at a time is told by its live_upload: many may write parts, but who completes or aborts it
 * does so alone, and what he finds in the rows stays until he is done. */
#ifndef TARN_STORE_UPLOADS_H
#define TARN_STORE_UPLOADS_H

#include "bytes.h"
#include "sync_group.h"

#define PARTS_MAX 10000
#define PART_BYTES_MIN ((int64_t)5 * 1024 * 1024) /* of all but the last */

struct live_upload {
    arena *memory;
    str bucket, key, id;
    int users;
    bool loaded;
    int64_t part_bytes; /* S; 0 before the first part */
    /* the file of parts in place */
    blob_id blob;
    bool has_file;
    bool recorded; /* the row names it */
    int fd;        /* -1 until it is needed */
    uint8_t claimed[PARTS_MAX / 8 + 1];
    int writing;      /* parts in place under way */
    int committing;   /* parts whose rows are being written */
    bool alone;       /* it is being completed or aborted */
    bool finished;    /* it was */
    sync_group group; /* of its file */
};

typedef struct part_row {
    int number;
    int64_t size_bytes, disk_bytes, modified_us;
    str etag;
    object_checksum checksum;
    uint64_t crc64;
    blob_id blob; /* empty: in place */
    str crcs;
    str seal;
} part_row;

typedef struct upload_row {
    upload_info info;
    blob_id blob; /* empty: none */
    int64_t part_bytes;
    int64_t completed_us;
    str result;
} upload_row;

/* ---- uploads.c ---- */
status store__no_upload(str id, error *err);
/* In a transaction. */
status store__find_upload(state_txn *txn, str bucket, str key, str id, arena *a,
                          upload_row *ret_row, bool *ret_found, error *err);
status store__read_parts(state_txn *txn, str upload, int after, size_t max, arena *a,
                         part_row **ret_parts, size_t *ret_count, error *err);
/* The files of its parts, and their rows; `file` too: that of the parts in place. */
status store__drop_parts(storage *st, state_txn *txn, str upload, str file, error *err);

/* From here on the upload is in memory, until it is left by the last user. */
live_upload *store__enter_upload(storage *st, str bucket, str key, str id);
void store__leave_upload(storage *st, live_upload *live);
/* Waits until nobody else completes or aborts it and no part's row is being written. */
void store__begin_alone(storage *st, live_upload *live);
void store__end_alone(storage *st, live_upload *live, bool finished);
/* What the row says; once. NoSuchUpload. */
status store__load_upload(storage *st, live_upload *live, error *err);
/* Opens live->fd; makes the file where there is none. upload_lock. */
status store__open_upload_file(storage *st, live_upload *live, error *err);

#endif

/* bytes.h: what the files about an object's bytes share: sealing (seal.c), streams that come in (intake.c), small
 * objects in segments (segment.c), uploads (uploads.c, upload_part.c, upload_complete.c). */
#ifndef TARN_STORE_BYTES_H
#define TARN_STORE_BYTES_H

#include "objects.h"
#include "tarn/codec/checksum.h"
#include "tarn/codec/cipher.h"

#define MD5_BYTES 16

/* ---- seal.c: encryption on disk ---- */

/* Sealed bytes lie on the disk as blocks of STORE_BLOCK_BYTES, each followed by its tag; the nonce of a block is its
 * number. A blob has one piece, or one for each part that it was uploaded in: each has a key of its own, kept under the
 * master key. A blob's list of pieces: for each its size in plain bytes (8, little-endian), then the wrapped key. */
#define SEAL_WRAPPED_BYTES (CIPHER_NONCE_BYTES + CIPHER_KEY_BYTES + CIPHER_TAG_BYTES)
#define SEAL_PIECE_BYTES (8 + SEAL_WRAPPED_BYTES)
#define SEAL_BLOCK_BYTES (STORE_BLOCK_BYTES + CIPHER_TAG_BYTES) /* on the disk */

/* A fresh key. UNSUPPORTED where the store has no master key. Wipe with cipher_free. */
status store__seal_key(storage *st, cipher **ret_cipher, uint8_t ret_wrapped[SEAL_WRAPPED_BYTES],
                       error *err);
/* The entry of a list. */
void store__seal_add_piece(buf *pieces, int64_t plain_bytes,
                           const uint8_t wrapped[SEAL_WRAPPED_BYTES]);
int64_t store__sealed_size(int64_t plain_bytes);
/* Sum of the pieces, in plain bytes; -1 where it is no list. */
int64_t store__unsealed_size(str pieces);
/* `bytes` is a whole number of blocks, or ends the piece. `ret_sealed` has room for their tags. */
status store__seal_blocks(cipher *c, int64_t first_block, str bytes, char *ret_sealed,
                          size_t *ret_size, error *err);
/* Reads sealed bytes; safe for several threads. */
typedef struct seal_reader seal_reader;
status store__seal_open(storage *st, str pieces, seal_reader **ret_reader, error *err);
void store__seal_close(seal_reader *r); /* NULL is fine */
/* `start`: where the blob begins in the file. CORRUPT where a byte or the key is another. */
status store__seal_read(seal_reader *r, int fd, int64_t start, void *ret_bytes, size_t size_bytes,
                        int64_t offset, error *err);

/* ---- intake.c: bytes that come in ---- */

#define INTAKE_BUFFER_BYTES ((size_t)256 * 1024) /* a whole number of blocks */
#define INTAKE_BUFFERS 3

/* Where bytes go that do not fit the first buffer: asked once, before the first are written. */
typedef struct intake_target {
    int fd;
    int64_t offset; /* in the file */
} intake_target;
typedef status intake_open(void *context, intake_target *ret_target, error *err);

typedef struct intake {
    storage *st;
    intake_open *open;
    void *context;
    bool opened;
    intake_target target;

    char *buffers[INTAKE_BUFFERS];
    size_t capacity; /* of each */
    size_t filled;   /* of the current one */
    int current;
    int64_t size_bytes; /* plain, of what was flushed */
    int64_t disk_bytes;
    int64_t written_back;

    cipher *key; /* NULL: plain */
    uint8_t wrapped[SEAL_WRAPPED_BYTES];
    char *sealed; /* a buffer's bytes under the key */

    block_hash blocks; /* of what lies on the disk */
    object_checksum_kind kind;
    bool with_crc64; /* whatever the kind is */
    uint32_t crc32;
    uint64_t crc64;
    digester *sums; /* SHA */
    char value[64]; /* the checksum as text */

    bool failed;
    error failure;

    mutex lock; /* below */
    cond idle;
    digester *md5;
    size_t sizes[INTAKE_BUFFERS]; /* of full buffers that wait for their MD5, from `first` on */
    int first, waiting;
    bool hashing; /* a task runs */
} intake;

typedef struct intake_options {
    int64_t size_bytes; /* -1 where not known */
    object_checksum_kind kind;
    bool with_crc64;
    bool encrypted;
    intake_open *open;
    void *context;
} intake_options;
status store__intake_begin(intake *in, storage *st, const intake_options *options, error *err);
status store__intake_add(intake *in, const void *bytes, size_t size_bytes, error *err);
/* No more bytes. Unless `keep_small` and all fit a small object: then they stay in memory (store__intake_held). */
status store__intake_end(intake *in, bool keep_small, object_digests *ret_digests, error *err);
/* What is held in memory alone, as it is to lie on the disk. */
str store__intake_held(const intake *in);
void store__intake_release(intake *in);

/* As S3 writes a checksum: base64 of its bytes, big-endian. `ret_text` has room for 64. */
void store__format_crc(object_checksum_kind kind, uint64_t crc, char *ret_text);

/* ---- object_writer.c ---- */
/* Ready to be given bytes: a staged object of the built-in store that is named by bucket and key. */
status store__staged_for(storage *st, str bucket, str key, str content_type,
                         store_staged **ret_staged, error *err);
object_attributes store__copy_attributes(const object_attributes *attributes, arena *a);
/* Publishes what is durable, in a transaction of its own. Takes `staged` over. */
status store__publish_staged(storage *st, store_staged *staged, const object_info *info,
                             const object_conditions *conditions, arena *a, object_info *ret_info,
                             error *err);

/* ---- object_read.c ---- */
/* Where the bytes of a blob lie, in a transaction. `source->object` is filled already. */
status store__read_source(state_txn *txn, blob_id blob, int64_t offset, arena *a,
                          store_source *source, error *err);
bool store__is_same_place(const store_source *a, const store_source *b);
/* Opens source->fd. NOT_FOUND where the file is not there. */
status store__open_source(storage *st, arena *a, store_source *source, error *err);

/* ---- builtin.c ---- */
blob_id store__small_id(storage *st); /* of a blob that has no file of its own */

/* ---- segment.c: small objects in shared files ---- */

#define SMALL_BYTES_MAX ((int64_t)65536) /* on the disk, without tags */
#define SEGMENT_BYTES ((int64_t)64 * 1024 * 1024)
/* One record; `begin` is where it begins in its file. Views into what was scanned. */
typedef struct segment_record {
    int64_t begin;
    int64_t record_bytes;
    str names; /* JSON (names.c) */
    str bytes;
} segment_record;
/* Appends `bytes` to the open segment under staged's names; durable when it returns. Fills staged->id, ->segment,
 * ->file_offset, ->record_bytes. */
status store__segment_append(storage *st, store_staged *staged, str bytes, error *err);
/* A whole record as it is, whose bytes are `size_bytes`; durable after store__segment_sync. */
status store__segment_append_record(storage *st, store_staged *staged, str record,
                                    int64_t size_bytes, error *err);
status store__segment_sync(storage *st, const store_staged *staged, error *err);
/* Whether it is a whole one. Then it is no erased one any more: a backup may share the file, and still name it. */
bool store__segment_renew(char *record, size_t size_bytes);
/* Marks a record as erased, unless none begins there. Nothing is synced. */
void store__segment_erase(int fd, int64_t begin, int64_t record_bytes);
/* Erases the record of what is staged, and is not published. */
void store__segment_take_back(storage *st, const store_staged *staged);
/* A staged object in a segment ends: published or not. */
void store__segment_leave(storage *st, const store_staged *staged);
/* Nothing is appended to the open segment any more. */
void store__segment_rotate(storage *st);
/* In a transaction: space that a blob takes, or gives up (negative). */
status store__segment_change_live(state_txn *txn, str file, int64_t bytes, error *err);
/* After a start: the segments of starts before. */
status store__segment_adopt_old(storage *st, error *err);
bool store__is_segment(str bytes);
/* From *at on; false at the end. What is damaged or erased is passed over. */
bool store__segment_next(str bytes, int64_t *at, segment_record *ret_record);

void store__segment_freed(void *storage_context); /* after a commit that made space dead */

/* ---- versions.c ---- */
/* The file of a blob goes after the commit. */
status store__drop_file(storage *st, state_txn *txn, blob_id id, error *err);

/* ---- uploads.c ---- */
/* After a start: those whose files a backup did not have. */
status store__forget_lost_uploads(storage *st, error *err);

/* ---- compact.c ---- */
/* Gives dead space of segments back: those that are sealed and more than half dead. */
status store__compact(storage *st, error *err);
void store__compact_thread(void *storage_context);

#endif

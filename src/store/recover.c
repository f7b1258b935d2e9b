/* Rebuilding the rows from the blobs alone: every blob says its names (names.c) and the checksum of its checksums, and
 * these are computed again, so that corrupt bytes do not become good ones. Of several blobs with one name and one
 * version the newest counts; of several versions the newest is current. Buckets come from their settings files
 * (bucket_files.c). Of a pack each part counts by itself; the file says nothing of parts that were deleted while others
 * stayed, so these are there again. What no file says is lost: delete markers (what they hid is there again), and tags,
 * ACLs and locks that were changed after the object was written. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "buckets.h"
#include "bytes.h"
#include "rows.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"

#define INSERT_CHUNK 500
#define EPOCH_FOLDER_SIZE 8

/* What the row of a pack has. */
typedef struct found_pack {
    int64_t size_bytes;
    str crcs;
    str sizes;
} found_pack;

/* A blob, or a part of one. */
typedef struct found_blob {
    blob_id id;
    char *path;
    blob_names names;
    const found_pack *pack; /* NULL: a blob of one object; else it was checked when it was found */
    str crcs;
    /* in a segment (segment.c): it was checked when it was found */
    blob_id file;
    int64_t file_size_bytes;
    int64_t file_offset;
    int64_t record_bytes;
    bool usable;
    bool current;  /* the newest of its key */
    int64_t place; /* else: among the older versions */
} found_blob;

typedef struct recovery {
    storage *st;
    arena *memory;
    VEC(found_blob) blobs;
    size_t at; /* inserting: from here */
    int64_t objects;
} recovery;

/* --- finding --- */

static status corrupt(storage *st, const found_blob *blob, error *err)
{
    store__note_corrupt(st, store__bytes_id(blob->id, blob->pack != NULL, blob->names.offset));
    return error_set(err, STATUS_CORRUPT, "object \"s3://%.*s/%.*s\" is not what was written",
                     STR_ARG(blob->names.bucket), STR_ARG(blob->names.key));
}

/* The checksums of a part; its bytes may end early. */
static status hash_part(const found_blob *part, str bytes, arena *a, str *ret_crcs, error *err)
{
    size_t from = (size_t)part->names.offset < bytes.size ? (size_t)part->names.offset : bytes.size;
    size_t size = (size_t)part->names.size_bytes;
    size_t there = bytes.size - from < size ? bytes.size - from : size;
    static const char nothing[STORE_PART_BYTES_MAX]; /* in place of what is not there */
    block_hash h;
    status hashed;

    block_hash_init(&h);
    block_hash_add(&h, bytes.data + from, there);
    block_hash_add(&h, nothing, size - there);
    hashed = block_hash_finish(&h, a, ret_crcs, err);
    block_hash_release(&h);
    return hashed;
}

/* Damaged parts too: a row has the checksums of all. */
static status hash_parts(recovery *r, const found_blob *blob, const blob_names *names, size_t count,
                         str bytes, error *err)
{
    found_pack *pack = ARENA_NEW(r->memory, found_pack);
    buf *crcs = buf_in(r->memory, STORE_CRCS_MAX);
    buf *sizes = buf_in(r->memory, STORE_CRCS_MAX);

    for (size_t i = 0; i < count; i++) {
        found_blob part = *blob;
        error own = ERROR_INIT;

        part.pack = pack;
        part.names = names[i];
        TRY(hash_part(&part, bytes, r->memory, &part.crcs, err));
        part.usable = store__check_of_crcs(part.crcs) == part.names.check &&
                      names[i].offset + names[i].size_bytes <= (int64_t)bytes.size;
        if (!part.usable && corrupt(r->st, &part, &own) != STATUS_OK) {
            log_failure("part of a blob left alone", &own);
        }
        buf_add_str(crcs, part.crcs);
        buf_add_u32le(sizes, (uint32_t)names[i].size_bytes);
        pack->size_bytes += names[i].size_bytes;
        vec_push(r->memory, &r->blobs, part);
    }
    pack->crcs = buf_str(crcs);
    pack->sizes = buf_str(sizes);
    return STATUS_OK;
}

static status add_parts(recovery *r, const found_blob *blob, const blob_names *names, size_t count,
                        error *err)
{
    arena *scratch = arena_create();
    str bytes;
    status added =
        fs_read_file(blob->path, mem_product(count, STORE_PART_BYTES_MAX), scratch, &bytes, err);

    if (added == STATUS_OK) {
        added = hash_parts(r, blob, names, count, bytes, err);
    }
    arena_free(scratch);
    return added;
}

static status add_record(recovery *r, const found_blob *file, const segment_record *record,
                         int64_t file_size_bytes, error *err)
{
    found_blob blob = {.path = file->path,
                       .file = file->id,
                       .file_size_bytes = file_size_bytes,
                       .file_offset =
                           record->begin + record->record_bytes - (int64_t)record->bytes.size,
                       .record_bytes = record->record_bytes};
    block_hash h;
    status hashed;

    TRY(store__parse_names(str_copy(r->memory, record->names), r->memory, &blob.names, err));
    if (!store__is_blob_id(blob.names.id)) {
        return error_set(err, STATUS_CORRUPT, "a record of segment %s has no valid id",
                         file->id.text);
    }
    blob.id = store__blob_id(blob.names.id);
    block_hash_init(&h);
    block_hash_add(&h, record->bytes.data, record->bytes.size);
    hashed = block_hash_finish(&h, r->memory, &blob.crcs, err);
    block_hash_release(&h);
    TRY(hashed);
    blob.usable = store__check_of_crcs(blob.crcs) == blob.names.check &&
                  blob.names.size_bytes == (int64_t)record->bytes.size;
    vec_push(r->memory, &r->blobs, blob);
    return STATUS_OK;
}

static status add_records(recovery *r, const found_blob *file, error *err)
{
    arena *scratch = arena_create();
    segment_record record;
    int64_t at = 0;
    str bytes;
    status added = fs_read_file(file->path, (size_t)SEGMENT_BYTES * 2, scratch, &bytes, err);

    if (added == STATUS_OK && !store__is_segment(bytes)) {
        log_event(LOG_WARN, "blob without names left alone", LOG_C("blob", file->id.text));
        bytes = STR("");
    }
    while (added == STATUS_OK && store__segment_next(bytes, &at, &record)) {
        error own = ERROR_INIT;

        if (add_record(r, file, &record, (int64_t)bytes.size, &own) != STATUS_OK) {
            log_failure("record left alone", &own);
        }
    }
    arena_free(scratch);
    return added;
}

static status find_blob(recovery *r, const char *folder, str name, error *err)
{
    found_blob blob = {.id = store__blob_id(name), .path = fs_join(r->memory, folder, name.data)};
    blob_names *names;
    size_t count;
    bool packed;

    if (store__read_all_names(blob.path, r->memory, &names, &count, &packed, NULL) != STATUS_OK) {
        return add_records(r, &blob, err);
    }
    if (packed) {
        return add_parts(r, &blob, names, count, err);
    }
    blob.names = names[0];
    vec_push(r->memory, &r->blobs, blob);
    return STATUS_OK;
}

static status find_in_shard(recovery *r, const char *folder, error *err)
{
    size_t count;
    str *names;

    TRY(fs_list(folder, r->memory, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        error own = ERROR_INIT;

        if (store__is_blob_id(names[i]) && find_blob(r, folder, names[i], &own) != STATUS_OK) {
            log_failure("blob left alone", &own);
        }
    }
    return STATUS_OK;
}

static status find_blobs(recovery *r, error *err)
{
    size_t epoch_count;
    str *epochs;

    TRY(fs_list(r->st->blobs_path, r->memory, &epochs, &epoch_count, err));
    for (size_t i = 0; i < epoch_count; i++) {
        char *folder = fs_join(r->memory, r->st->blobs_path, epochs[i].data);
        size_t shard_count;
        str *shards;

        if (epochs[i].size != EPOCH_FOLDER_SIZE) {
            continue; /* ID */
        }
        TRY(fs_list(folder, r->memory, &shards, &shard_count, err));
        for (size_t j = 0; j < shard_count; j++) {
            TRY(find_in_shard(r, fs_join(r->memory, folder, shards[j].data), err));
        }
    }
    return STATUS_OK;
}

/* Same names side by side, the newest last. */
static int compare_blobs(const void *a, const void *b)
{
    const found_blob *left = a;
    const found_blob *right = b;
    int order = str_compare(left->names.bucket, right->names.bucket);

    if (order == 0) {
        order = str_compare(left->names.key, right->names.key);
    }
    if (order == 0 && left->names.created_us != right->names.created_us) {
        order = left->names.created_us < right->names.created_us ? -1 : 1;
    }
    return order != 0 ? order : str_compare(str_c(left->id.text), str_c(right->id.text));
}

static bool same_key(const found_blob *a, const found_blob *b)
{
    return str_equal(a->names.bucket, b->names.bucket) && str_equal(a->names.key, b->names.key);
}

/* Whether another of the same version follows. Ids are given once: of these only the next is looked at. */
static bool is_replaced(const recovery *r, size_t index)
{
    const found_blob *blob = &r->blobs.items[index];

    for (size_t i = index + 1; i < r->blobs.count && same_key(blob, &r->blobs.items[i]); i++) {
        if (str_equal(blob->names.version, r->blobs.items[i].names.version)) {
            return true;
        }
        if (blob->names.version.size > 0) {
            return false;
        }
    }
    return false;
}

static void drop_older(recovery *r)
{
    size_t kept = 0;

    if (r->blobs.count > 0) {
        qsort(r->blobs.items, r->blobs.count, sizeof(*r->blobs.items), compare_blobs);
    }
    for (size_t i = 0; i < r->blobs.count; i++) {
        if (!is_replaced(r, i)) {
            r->blobs.items[kept++] = r->blobs.items[i];
        }
    }
    r->blobs.count = kept;
}

/* After the checks: of a key's usable versions the last is current. */
static void place_versions(recovery *r)
{
    const found_blob *newer = NULL;
    int64_t place = 0;

    for (size_t i = r->blobs.count; i > 0; i--) {
        found_blob *blob = &r->blobs.items[i - 1];

        if (!blob->usable) {
            continue;
        }
        blob->current = newer == NULL || !same_key(newer, blob);
        place = blob->current ? 0 : place + 1;
        blob->place = place - INT32_MAX; /* room on both sides */
        newer = blob;
    }
}

/* --- checking --- */

static status check_blob(storage *st, found_blob *blob, arena *a, error *err)
{
    int64_t size_bytes;
    status checked;
    int fd;

    TRY(fs_open(blob->path, O_RDONLY, 0, &fd, err));
    checked = store__hash_file(fd, a, &blob->crcs, &size_bytes, err);
    if (checked == STATUS_OK && (size_bytes != blob->names.size_bytes ||
                                 store__check_of_crcs(blob->crcs) != blob->names.check)) {
        checked = corrupt(st, blob, err);
    }
    fs_close(fd);
    return checked;
}

typedef struct checking {
    recovery *r;
    mutex lock; /* of the arena */
} checking;

static void check_one(void *context, size_t index)
{
    checking *c = context;
    found_blob *blob = &c->r->blobs.items[index];
    arena *own = arena_create();
    error err = ERROR_INIT;

    if (blob->pack != NULL || blob->file.text[0] != '\0') {
        arena_free(own);
        return;
    }
    blob->usable = check_blob(c->r->st, blob, own, &err) == STATUS_OK;
    if (!blob->usable) {
        log_failure("blob left alone", &err);
    }
    mutex_lock(&c->lock);
    blob->crcs = blob->usable && blob->crcs.size > 0 ? str_copy(c->r->memory, blob->crcs) : STR("");
    mutex_unlock(&c->lock);
    arena_free(own);
}

static void check_blobs(recovery *r)
{
    checking c = {.r = r};

    mutex_init(&c.lock);
    parallel_for(r->blobs.count, thread_cpu_count(), check_one, &c);
    mutex_release(&c.lock);
}

/* --- inserting --- */

static status insert_record(state_txn *txn, const found_blob *b, error *err)
{
    TRY(STATE_EXEC(
        txn,
        "INSERT INTO segments (id, size_bytes, live_bytes, sealed) VALUES (?1, ?2, 0, 1) "
        "ON CONFLICT (id) DO NOTHING",
        NULL, err, SV_TEXT(str_c(b->file.text)), SV_INT(b->file_size_bytes)));
    TRY(STATE_EXEC(txn,
                   "INSERT INTO blobs (id, size_bytes, crcs, owners, seal, file, file_offset, "
                   "file_bytes) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7)",
                   NULL, err, SV_TEXT(str_c(b->id.text)), SV_INT(b->names.size_bytes),
                   SV_BLOB(b->crcs), str_is_empty(b->names.seal) ? SV_NULL : SV_BLOB(b->names.seal),
                   SV_TEXT(str_c(b->file.text)), SV_INT(b->file_offset), SV_INT(b->record_bytes)));
    return store__segment_change_live(txn, str_c(b->file.text), b->record_bytes, err);
}

/* The row of a blob; of a pack for the first of its parts, and an owner more for each other. */
static status insert_row(state_txn *txn, const found_blob *b, error *err)
{
    if (b->file.text[0] != '\0') {
        return insert_record(txn, b, err);
    }
    if (b->pack == NULL) {
        return STATE_EXEC(
            txn,
            "INSERT INTO blobs (id, size_bytes, crcs, owners, seal) VALUES (?1, ?2, ?3, 1, ?4)",
            NULL, err, SV_TEXT(str_c(b->id.text)), SV_INT(b->names.size_bytes), SV_BLOB(b->crcs),
            str_is_empty(b->names.seal) ? SV_NULL : SV_BLOB(b->names.seal));
    }
    return STATE_EXEC(
        txn,
        "INSERT INTO blobs (id, size_bytes, crcs, owners, parts) VALUES (?1, ?2, ?3, 1, ?4) "
        "ON CONFLICT (id) DO UPDATE SET owners = blobs.owners + 1",
        NULL, err, SV_TEXT(str_c(b->id.text)), SV_INT(b->pack->size_bytes), SV_BLOB(b->pack->crcs),
        SV_BLOB(b->pack->sizes));
}

/* In plain bytes. */
static int64_t size_of(const found_blob *b)
{
    return str_is_empty(b->names.seal) ? b->names.size_bytes : store__unsealed_size(b->names.seal);
}

static state_value details_of(const found_blob *b)
{
    return str_is_empty(b->names.details) ? SV_NULL : SV_TEXT(b->names.details);
}

static status insert_current(state_txn *txn, const found_blob *b, error *err)
{
    return STATE_EXEC(txn,
                      "INSERT INTO objects (bucket, key, " OBJECT_COLUMNS
                      ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                      NULL, err, SV_TEXT(b->names.bucket), SV_TEXT(b->names.key),
                      SV_TEXT(b->names.version), SV_TEXT(str_c(b->id.text)),
                      SV_INT(b->names.offset), SV_INT(size_of(b)), SV_TEXT(b->names.etag),
                      SV_TEXT(b->names.content_type), SV_INT(b->names.created_us), details_of(b));
}

static status insert_older(state_txn *txn, const found_blob *b, error *err)
{
    return STATE_EXEC(txn,
                      "INSERT INTO object_versions (bucket, key, place, is_marker, " OBJECT_COLUMNS
                      ") VALUES (?1, ?2, ?11, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                      NULL, err, SV_TEXT(b->names.bucket), SV_TEXT(b->names.key),
                      SV_TEXT(b->names.version), SV_TEXT(str_c(b->id.text)),
                      SV_INT(b->names.offset), SV_INT(size_of(b)), SV_TEXT(b->names.etag),
                      SV_TEXT(b->names.content_type), SV_INT(b->names.created_us), details_of(b),
                      SV_INT(b->place));
}

static status insert_blob(state_txn *txn, const found_blob *b, error *err)
{
    TRY(STATE_EXEC(
        txn, "INSERT INTO buckets (name, created_us) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
        NULL, err, SV_TEXT(b->names.bucket), SV_INT(clock_now_us())));
    TRY(insert_row(txn, b, err));
    TRY(b->current ? insert_current(txn, b, err) : insert_older(txn, b, err));
    return store__change_usage(
        txn, b->names.bucket,
        &(usage_change){.objects = b->current, .versions = !b->current, .bytes = size_of(b)}, err);
}

static status insert_chunk(void *context, state_txn *txn, error *err)
{
    recovery *r = context;
    size_t end = r->blobs.count - r->at < INSERT_CHUNK ? r->blobs.count : r->at + INSERT_CHUNK;

    for (size_t i = r->at; i < end; i++) {
        if (r->blobs.items[i].usable) {
            TRY(insert_blob(txn, &r->blobs.items[i], err));
        }
    }
    return STATUS_OK;
}

static status insert_blobs(recovery *r, error *err)
{
    for (r->at = 0; r->at < r->blobs.count; r->at += INSERT_CHUNK) {
        TRY(state_submit(r->st->state, insert_chunk, r, err));
    }
    for (size_t i = 0; i < r->blobs.count; i++) {
        r->objects += r->blobs.items[i].usable;
    }
    return STATUS_OK;
}

typedef struct restoring {
    const bucket_info *buckets;
    size_t count;
} restoring;

/* One may be there: tarn's own is made by every start. */
static status restore_chunk(void *context, state_txn *txn, error *err)
{
    const restoring *r = context;

    for (size_t i = 0; i < r->count; i++) {
        TRY(STATE_EXEC(txn, "DELETE FROM bucket_documents WHERE bucket = ?1", NULL, err,
                       SV_TEXT(r->buckets[i].name)));
        TRY(STATE_EXEC(txn, "DELETE FROM buckets WHERE name = ?1", NULL, err,
                       SV_TEXT(r->buckets[i].name)));
        TRY(store__insert_bucket(txn, &r->buckets[i], err));
    }
    return STATUS_OK;
}

static status restore_buckets(recovery *r, error *err)
{
    restoring chunk = {0};
    bucket_info *buckets;
    size_t count;

    TRY(store__read_bucket_files(r->st, r->memory, &buckets, &count, err));
    for (size_t from = 0; from < count; from += INSERT_CHUNK) {
        chunk.buckets = buckets + from;
        chunk.count = count - from < INSERT_CHUNK ? count - from : INSERT_CHUNK;
        TRY(state_submit(r->st->state, restore_chunk, &chunk, err));
    }
    store__forget_buckets(r->st);
    return STATUS_OK;
}

static status refuse_filled(storage *st, error *err)
{
    store_usage usage;

    TRY(store_read_usage(st, &usage, err));
    if (usage.objects > 0) {
        return error_set(err, STATUS_NOT_EMPTY, "the database already names %" PRId64 " objects",
                         usage.objects);
    }
    return STATUS_OK;
}

status store_recover(storage *st, int64_t *ret_objects, error *err)
{
    recovery r = {.st = st, .memory = arena_create()};
    status recovered = refuse_filled(st, err);

    if (recovered == STATUS_OK) {
        recovered = restore_buckets(&r, err);
    }
    if (recovered == STATUS_OK) {
        recovered = find_blobs(&r, err);
    }
    if (recovered == STATUS_OK) {
        drop_older(&r);
        check_blobs(&r);
        place_versions(&r);
        recovered = insert_blobs(&r, err);
    }
    if (recovered == STATUS_OK) {
        recovered = store__write_id(st, st->blobs_path, err);
    }
    if (recovered == STATUS_OK) {
        mutex_lock(&st->lock);
        st->foreign = false; /* the blobs are this database's now */
        mutex_unlock(&st->lock);
    }
    arena_free(r.memory);
    TRY(recovered);
    *ret_objects = r.objects;
    return STATUS_OK;
}

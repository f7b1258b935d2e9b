/* Staging whole objects, from memory and from files. Streams are in writer.c. */
#include <fcntl.h>

#include "bytes.h"
#include "tarn/base/clock.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"

#define MD5_BYTES_MAX ((size_t)64 * 1024) /* below this an MD5 is not felt */

status store__staged_new(storage *st, str location, str content_type, store_staged **ret_staged,
                         error *err)
{
    const store_ops *ops = store__ops_for(st, location, err);
    store_staged *staged;
    arena *memory;
    status checked;

    if (ops == NULL) {
        return STATUS_INVALID;
    }
    TRY(fs_volume_check(err));
    memory = arena_create();
    staged = ARENA_NEW(memory, store_staged);
    staged->st = st;
    staged->ops = ops;
    staged->memory = memory;
    staged->location = str_copy(memory, location);
    staged->content_type = str_copy(
        memory, str_is_empty(content_type) ? STR("application/octet-stream") : content_type);
    staged->created_us = clock_now_us();
    staged->fd = -1;
    checked = ops->check(st, staged->location, staged, err);
    if (checked != STATUS_OK) {
        arena_free(memory);
        return checked;
    }
    mutex_lock(&st->lock);
    st->staged_live++;
    mutex_unlock(&st->lock);
    *ret_staged = staged;
    return STATUS_OK;
}

void store__staged_free(store_staged *staged)
{
    storage *st = staged->st;

    store__conceal(staged);
    fs_close(staged->fd);
    arena_free(staged->memory);
    mutex_lock(&st->lock);
    st->staged_live--;
    mutex_unlock(&st->lock);
}

void store_discard(storage *st, store_staged *staged)
{
    if (staged != NULL) {
        staged->ops->end(st, staged, STATE_ROLLED_BACK);
        store__staged_free(staged);
    }
}

str store_staged_location(const store_staged *staged)
{
    return staged->location;
}

int64_t store_staged_size(const store_staged *staged)
{
    return staged->size_bytes;
}

/* --- one object, up to its name --- */

static status write_bytes(store_staged *staged, str bytes, error *err)
{
    block_hash h;
    status hashed;

    TRY(staged->ops->create(staged->st, staged, (int64_t)bytes.size, err));
    TRY(fs_pwrite_all(staged->fd, bytes.data, bytes.size, 0, err));
    if ((int64_t)bytes.size > STORE_WRITEBACK_BYTES) {
        store__start_writeback(staged->fd, 0, (int64_t)bytes.size);
    }
    block_hash_init(&h);
    block_hash_add(&h, bytes.data, bytes.size);
    hashed = block_hash_finish(&h, staged->memory, &staged->crcs, err);
    block_hash_release(&h);
    TRY(hashed);
    staged->size_bytes = (int64_t)bytes.size;
    staged->etag = bytes.size <= MD5_BYTES_MAX ? store__etag_of_bytes(staged->memory, bytes)
                                               : store__etag_of_crcs(staged->memory, staged->crcs);
    return STATUS_OK;
}

/* From another file system. */
static status copy_bytes(store_staged *staged, int from, error *err)
{
    char *chunk = mem_alloc(STORE_CHUNK_BYTES);
    int64_t offset = 0;
    int64_t written_back = 0;
    status copied = STATUS_OK;
    size_t got = STORE_CHUNK_BYTES;

    while (copied == STATUS_OK && got == STORE_CHUNK_BYTES) {
        copied = fs_pread(from, chunk, STORE_CHUNK_BYTES, offset, &got, err);
        if (copied == STATUS_OK) {
            copied = fs_pwrite_all(staged->fd, chunk, got, offset, err);
            offset += (int64_t)got;
        }
        if (offset - written_back >= STORE_WRITEBACK_BYTES) {
            store__start_writeback(staged->fd, written_back, offset - written_back);
            written_back = offset;
        }
    }
    mem_free(chunk);
    return copied;
}

static status copy_file(store_staged *staged, const char *path, error *err)
{
    int64_t size_bytes = 0;
    int from;
    status copied;

    TRY(fs_open(path, O_RDONLY, 0, &from, err));
    copied = fs_size(from, &size_bytes, err);
    if (copied == STATUS_OK) {
        copied = staged->ops->create(staged->st, staged, size_bytes, err);
    }
    if (copied == STATUS_OK) {
        copied = copy_bytes(staged, from, err);
    }
    fs_close(from);
    return copied;
}

/* The disk writes while the processor hashes what is still in the page cache. */
static status take_file(store_staged *staged, const char *path, error *err)
{
    bool adopted;

    TRY(staged->ops->adopt(staged->st, staged, path, &adopted, err));
    if (!adopted) {
        TRY(copy_file(staged, path, err));
    }
    store__start_writeback(staged->fd, 0, 0);
    TRY(store__hash_file(staged->fd, staged->memory, &staged->crcs, &staged->size_bytes, err));
    staged->etag = store__etag_of_crcs(staged->memory, staged->crcs);
    return STATUS_OK;
}

static status stage_one(storage *st, const store_stage_request *request, store_staged **ret_staged,
                        error *err)
{
    store_staged *staged;
    status done;

    TRY(store__staged_new(st, request->location, request->content_type, &staged, err));
    done = request->path != NULL ? take_file(staged, request->path, err)
                                 : write_bytes(staged, request->bytes, err);
    if (done == STATUS_OK) {
        done = staged->ops->seal(st, staged, err);
    }
    if (done != STATUS_OK) {
        error_context(err, "could not store \"%.*s\"", STR_ARG(request->location));
        store_discard(st, staged);
        return done;
    }
    *ret_staged = staged;
    return STATUS_OK;
}

/* The files are durable: their descriptors are not needed any more. */
static void close_all(store_staged *const *staged, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fs_close(staged[i]->fd);
        staged[i]->fd = -1;
    }
}

status store__finish(store_staged *staged, error *err)
{
    status done = staged->ops->seal(staged->st, staged, err);

    if (done == STATUS_OK) {
        done = store__sync_round(staged->st, &staged, 1, err);
    }
    if (done == STATUS_OK) {
        close_all(&staged, 1);
        done = FAULT(FAULT_STORE_STAGED, err);
    }
    if (done != STATUS_OK) {
        error_context(err, "could not store \"%.*s\"", STR_ARG(staged->location));
        store_discard(staged->st, staged);
    }
    return done;
}

/* --- all --- */

typedef struct staging {
    storage *st;
    const store_stage_request *requests;
    size_t count;
    store_staged **staged; /* by request; NULL until made */
    store_staged **files;  /* what has to be synced */
    size_t file_count;
} staging;

static status stage_file_of(staging *s, size_t index, error *err)
{
    TRY(stage_one(s->st, &s->requests[index], &s->staged[index], err));
    s->files[s->file_count++] = s->staged[index];
    return STATUS_OK;
}

/* One alone, with those of other callers. */
static status stage_in_segment(staging *s, size_t index, error *err)
{
    const store_stage_request *request = &s->requests[index];
    store_staged *staged;
    block_hash h;
    status done;

    TRY(store__staged_new(s->st, request->location, request->content_type, &staged, err));
    staged->size_bytes = (int64_t)request->bytes.size;
    staged->etag = store__etag_of_bytes(staged->memory, request->bytes);
    block_hash_init(&h);
    block_hash_add(&h, request->bytes.data, request->bytes.size);
    done = block_hash_finish(&h, staged->memory, &staged->crcs, err);
    block_hash_release(&h);
    if (done == STATUS_OK) {
        done = store__segment_append(s->st, staged, request->bytes, err);
    }
    if (done != STATUS_OK) {
        error_context(err, "could not store \"%.*s\"", STR_ARG(request->location));
        store_discard(s->st, staged);
        return done;
    }
    s->staged[index] = staged;
    return STATUS_OK;
}

static status stage_together(staging *s, const size_t *indexes, size_t count, error *err)
{
    const store_stage_request *requests[STORE_PARTS_MAX];
    store_staged *parts[STORE_PARTS_MAX];

    if (count == 1) {
        return s->count == 1 ? stage_in_segment(s, indexes[0], err)
                             : stage_file_of(s, indexes[0], err);
    }
    for (size_t i = 0; i < count; i++) {
        requests[i] = &s->requests[indexes[i]];
    }
    TRY(store__stage_pack(s->st, requests, count, parts, &s->files[s->file_count], err));
    s->file_count++;
    for (size_t i = 0; i < count; i++) {
        s->staged[indexes[i]] = parts[i];
    }
    return STATUS_OK;
}

static status stage_files(staging *s, error *err)
{
    size_t together[STORE_PARTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (!store__fits_pack(&s->requests[i])) {
            TRY(stage_file_of(s, i, err));
            continue;
        }
        together[count++] = i;
        if (count == STORE_PARTS_MAX) {
            TRY(stage_together(s, together, count, err));
            count = 0;
        }
    }
    return count > 0 ? stage_together(s, together, count, err) : STATUS_OK;
}

status store_stage_many(storage *st, const store_stage_request *requests, size_t count,
                        store_staged **ret_staged, error *err)
{
    staging s = {.st = st,
                 .requests = requests,
                 .count = count,
                 .staged = NEW_ARRAY(store_staged *, count + 1),
                 .files = NEW_ARRAY(store_staged *, count + 1)};
    status done = stage_files(&s, err);

    if (done == STATUS_OK) {
        done = store__sync_round(st, s.files, s.file_count, err);
    }
    if (done == STATUS_OK) {
        close_all(s.files, s.file_count);
        done = FAULT(FAULT_STORE_STAGED, err);
    }
    for (size_t i = 0; i < count; i++) {
        if (done == STATUS_OK) {
            ret_staged[i] = s.staged[i];
        } else {
            store_discard(st, s.staged[i]);
        }
    }
    mem_free(s.files);
    mem_free(s.staged);
    return done;
}

status store_stage_bytes(storage *st, str location, str content_type, str bytes,
                         store_staged **ret_staged, error *err)
{
    store_stage_request request = {
        .location = location, .content_type = content_type, .bytes = bytes};

    return store_stage_many(st, &request, 1, ret_staged, err);
}

status store_stage_file(storage *st, str location, str content_type, const char *path,
                        store_staged **ret_staged, error *err)
{
    store_stage_request request = {
        .location = location, .content_type = content_type, .path = path};

    return store_stage_many(st, &request, 1, ret_staged, err);
}

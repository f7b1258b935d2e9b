/* Streaming writes: bytes of any step become one staged object.
 *
 * Two buffers take turns. A full one is written and its blocks are hashed by the caller's
 * thread, while its MD5, which is as slow as a disk, is computed by another; the caller waits
 * for that only when both buffers are in use. An object that fits one buffer needs no second
 * thread. */
#include "internal.h"
#include "tarn/base/fs.h"
#include "tarn/codec/checksum.h"

struct store_writer {
    store_staged *staged;
    char *buffers[2];
    size_t filled; /* of the current one */
    int current;
    int64_t offset;       /* written to the file */
    int64_t written_back; /* handed to the disk */
    block_hash blocks;
    digester *md5;
    bool failed;
    error failure;

    mutex lock;
    cond idle;
    bool hashing; /* the other buffer is being hashed */
    size_t hash_size;
    int hash_buffer;
};

static void hash_buffer(void *context)
{
    store_writer *w = context;

    digester_add(w->md5, w->buffers[w->hash_buffer], w->hash_size);
    mutex_lock(&w->lock);
    w->hashing = false;
    cond_signal(&w->idle);
    mutex_unlock(&w->lock);
}

static void wait_for_hash(store_writer *w)
{
    mutex_lock(&w->lock);
    while (w->hashing) {
        cond_wait(&w->idle, &w->lock);
    }
    mutex_unlock(&w->lock);
}

/* The order of buffers is the order of bytes: the one before is finished first. */
static void start_hash(store_writer *w)
{
    wait_for_hash(w);
    w->hash_buffer = w->current;
    w->hash_size = w->filled;
    w->hashing = true;
    if (pool_run(w->staged->st->hashers, hash_buffer, w, NULL) != STATUS_OK) {
        hash_buffer(w); /* nobody is free: here, then */
    }
}

static void free_writer(store_writer *w)
{
    wait_for_hash(w);
    digester_free(w->md5);
    block_hash_release(&w->blocks);
    mem_free(w->buffers[0]);
    mem_free(w->buffers[1]);
    cond_release(&w->idle);
    mutex_release(&w->lock);
    mem_free(w);
}

status store_writer_begin(storage *st, str location, str content_type, store_writer **ret_writer,
                          error *err)
{
    store_staged *staged;
    store_writer *w;
    status created;

    TRY(store__staged_new(st, location, content_type, &staged, err));
    created = staged->ops->create(st, staged, 0, err);
    if (created != STATUS_OK) {
        store_discard(st, staged);
        return created;
    }
    w = NEW(store_writer);
    w->staged = staged;
    w->buffers[0] = mem_alloc(STORE_CHUNK_BYTES);
    block_hash_init(&w->blocks);
    w->md5 = digester_create(DIGEST_MD5);
    error_clear(&w->failure);
    mutex_init(&w->lock);
    cond_init(&w->idle);
    *ret_writer = w;
    return STATUS_OK;
}

static status write_buffer(store_writer *w, error *err)
{
    char *bytes = w->buffers[w->current];

    TRY(fs_pwrite_all(w->staged->fd, bytes, w->filled, w->offset, err));
    w->offset += (int64_t)w->filled;
    if (w->offset - w->written_back >= STORE_WRITEBACK_BYTES) {
        store__start_writeback(w->staged->fd, w->written_back, w->offset - w->written_back);
        w->written_back = w->offset;
    }
    block_hash_add(&w->blocks, bytes, w->filled);
    return STATUS_OK;
}

/* A full buffer goes to the file; the other one takes its place. */
static status turn_buffer(store_writer *w, error *err)
{
    start_hash(w);
    TRY(write_buffer(w, err));
    w->current = 1 - w->current;
    w->filled = 0;
    if (w->buffers[w->current] == NULL) {
        w->buffers[w->current] = mem_alloc(STORE_CHUNK_BYTES);
    }
    return STATUS_OK;
}

status store_writer_write(store_writer *w, const void *bytes, size_t size_bytes, error *err)
{
    const char *at = bytes;

    while (size_bytes > 0 && !w->failed) {
        size_t room = STORE_CHUNK_BYTES - w->filled;
        size_t step = size_bytes < room ? size_bytes : room;

        if (room == 0) {
            /* The buffer that comes next is the one before this: its hash is done when this
             * one's has begun. */
            w->failed = turn_buffer(w, &w->failure) != STATUS_OK;
            continue;
        }
        memcpy(w->buffers[w->current] + w->filled, at, step);
        w->filled += step;
        at += step;
        size_bytes -= step;
    }
    if (w->failed && err != NULL) {
        *err = w->failure;
    }
    return w->failed ? w->failure.kind : STATUS_OK;
}

static status finish_bytes(store_writer *w, error *err)
{
    store_staged *staged = w->staged;
    uint8_t md5[DIGEST_SIZE_MAX];

    if (w->failed) {
        if (err != NULL) {
            *err = w->failure;
        }
        return w->failure.kind;
    }
    TRY(write_buffer(w, err));
    TRY(block_hash_finish(&w->blocks, staged->memory, &staged->crcs, err));
    wait_for_hash(w);
    digester_add(w->md5, w->buffers[w->current], w->filled);
    digester_finish(w->md5, md5);
    w->md5 = NULL;
    staged->etag = store__etag_of_digest(staged->memory, md5);
    staged->size_bytes = w->offset;
    return STATUS_OK;
}

status store_writer_finish(store_writer *w, store_staged **ret_staged, error *err)
{
    store_staged *staged = w->staged;
    status finished = finish_bytes(w, err);

    free_writer(w);
    if (finished != STATUS_OK) {
        store_discard(staged->st, staged);
        return finished;
    }
    TRY(store__finish(staged, err));
    *ret_staged = staged;
    return STATUS_OK;
}

void store_writer_abort(store_writer *w)
{
    if (w != NULL) {
        store_staged *staged = w->staged;

        free_writer(w);
        store_discard(staged->st, staged);
    }
}

/* An online copy of the database and of all blobs that it names. Nothing is removed while it
 * runs, so every blob that the copied database names is still there when its turn comes; blobs
 * that were added meanwhile are copied too, and do no harm. Uploads that are not completed are not part of it: a start
 * forgets those whose files are not there (uploads.c). On one file system blobs are linked,
 * else their bytes are shared or copied. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "buckets.h"
#include "bytes.h"
#include "tarn/base/fs.h"

#define CHUNK 500
#define ATTRIBUTE "user.tarn"

typedef struct copying {
    storage *st;
    const char *target; /* of the blobs */
    arena *memory;
    map *folders; /* of the copy, to be synced */
    /* a chunk of ids */
    const char *sql;
    arena *chunk;
    VEC(blob_id) ids;
    blob_id after;
    bool may_be_gone; /* these blobs have no rows any more */
    int64_t small;    /* blobs in segments */
    int64_t copied;
} copying;

static status read_chunk(void *context, state_txn *txn, error *err)
{
    copying *c = context;
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, c->sql, &rows, err, SV_TEXT(str_c(c->after.text)), SV_INT(CHUNK)));
    for (;;) {
        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        if (store__is_blob_id(state_text(rows, 0, NULL))) {
            blob_id id = store__blob_id(state_text(rows, 0, NULL));

            vec_push(c->chunk, &c->ids, id);
            c->after = id;
        }
    }
}

/* --- one file --- */

static status copy_bytes(int from, int to, error *err)
{
    char *chunk;
    int64_t offset = 0;
    size_t got = STORE_CHUNK_BYTES;
    status copied = STATUS_OK;

    if (ioctl(to, FICLONE, from) == 0) {
        return STATUS_OK;
    }
    chunk = mem_alloc(STORE_CHUNK_BYTES);
    while (copied == STATUS_OK && got == STORE_CHUNK_BYTES) {
        copied = fs_pread(from, chunk, STORE_CHUNK_BYTES, offset, &got, err);
        if (copied == STATUS_OK) {
            copied = fs_pwrite_all(to, chunk, got, offset, err);
        }
        offset += (int64_t)got;
    }
    mem_free(chunk);
    return copied;
}

static status copy_attribute(const char *from, int to, arena *a, error *err)
{
    str names;
    status found = fs_get_xattr(from, ATTRIBUTE, a, &names, err);

    if (found == STATUS_NOT_FOUND || found == STATUS_UNSUPPORTED) {
        return STATUS_OK; /* then the names lie beside the blob */
    }
    TRY(found);
    return fs_set_xattr(to, ATTRIBUTE, names, err);
}

static status copy_file(const char *from_path, const char *to_path, arena *a, error *err)
{
    int from;
    int to = -1;
    status copied;

    TRY(fs_open(from_path, O_RDONLY, 0, &from, err));
    copied = fs_open(to_path, O_WRONLY | O_CREAT | O_EXCL, 0600, &to, err);
    if (copied == STATUS_OK) {
        copied = copy_bytes(from, to, err);
    }
    if (copied == STATUS_OK) {
        copied = copy_attribute(from_path, to, a, err);
    }
    if (copied == STATUS_OK) {
        copied = fs_sync_full(to, err);
    }
    fs_close(from);
    fs_close(to);
    return copied;
}

static status link_or_copy(const char *from, const char *to, arena *a, error *err)
{
    if (link(from, to) == 0 || errno == EEXIST) {
        return STATUS_OK;
    }
    return copy_file(from, to, a, err);
}

static status copy_blob(copying *c, blob_id id, arena *a, error *err)
{
    char *from = store__blob_path(c->st, a, id);
    char *to = arena_printf(a, "%s%s", c->target, from + strlen(c->st->blobs_path));
    str folder = str_from(to, str_find_last_char(str_c(to), '/'));

    if (!fs_exists(from) && c->may_be_gone) {
        return STATUS_OK;
    }
    if (!map_has(c->folders, folder)) {
        char *path = arena_strndup(c->memory, folder.data, folder.size);

        TRY(fs_make_dirs_synced(path, 0700, err));
        (void)map_set(c->folders, folder, path);
    }
    if (!fs_exists(from)) {
        return error_set(err, STATUS_CORRUPT,
                         "blob %s has lost its file: the copy would not be whole", id.text);
    }
    TRY(link_or_copy(from, to, a, err));
    from = store__sidecar_path(a, from);
    if (fs_exists(from)) {
        TRY(link_or_copy(from, store__sidecar_path(a, to), a, err));
    }
    c->copied++;
    return STATUS_OK;
}

/* --- all --- */

static status count_small(void *context, state_txn *txn, error *err)
{
    copying *c = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn, "SELECT count(*) FROM blobs WHERE file IS NOT NULL", NULL, 0, &rows, err));
    TRY(state_next(rows, &row, err));
    c->small = row ? state_int(rows, 0) : 0;
    return STATUS_OK;
}

static status copy_listed(copying *c, const char *sql, error *err)
{
    status copied = STATUS_OK;
    size_t count = CHUNK;

    c->sql = sql;
    c->after = (blob_id){.text = ""};
    while (copied == STATUS_OK && count == CHUNK) {
        c->chunk = arena_create();
        c->ids.items = NULL;
        c->ids.count = 0;
        c->ids.capacity = 0;
        copied = state_read(c->st->state, read_chunk, c, err);
        count = c->ids.count;
        for (size_t i = 0; i < count && copied == STATUS_OK; i++) {
            copied = copy_blob(c, c->ids.items[i], c->chunk, err);
        }
        arena_free(c->chunk);
    }
    return copied;
}

static status copy_all(copying *c, const char *target, int64_t *ret_objects, error *err)
{
    map_entry entry;

    TRY(fs_make_dirs_synced(c->target, 0700, err));
    store__segment_rotate(c->st); /* a copy need not grow */
    TRY(state_read(c->st->state, count_small, c, err));
    TRY(state_backup(c->st->state, fs_join(c->memory, target, "tarn.db"), err));
    TRY(copy_listed(c, "SELECT id FROM blobs WHERE id > ?1 AND file IS NULL ORDER BY id LIMIT ?2",
                    err));
    *ret_objects = c->copied + c->small;
    TRY(copy_listed(c, "SELECT id FROM segments WHERE id > ?1 ORDER BY id LIMIT ?2", err));
    c->may_be_gone = true; /* dropped before removals were held */
    TRY(copy_listed(c, "SELECT blob FROM blob_drops WHERE blob > ?1 ORDER BY blob LIMIT ?2", err));
    for (size_t at = 0; map_next(c->folders, &at, &entry);) {
        TRY(fs_sync_dir(entry.value, err));
    }
    TRY(store__write_bucket_files(c->st, c->target, err));
    return store__write_id(c->st, c->target, err);
}

static void hold_removals(storage *st, int change)
{
    mutex_lock(&st->lock);
    st->holds += change;
    cond_signal(&st->care_work);
    mutex_unlock(&st->lock);
}

status store_backup(storage *st, const char *target, int64_t *ret_objects, error *err)
{
    copying c = {.st = st, .memory = arena_create()};
    status copied;

    c.target = fs_join(c.memory, target, "blobs");
    c.folders = map_create(c.memory);
    hold_removals(st, 1);
    copied = copy_all(&c, target, ret_objects, err);
    hold_removals(st, -1);
    arena_free(c.memory);
    return copied;
}

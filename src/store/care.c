/* What happens behind the callers' backs, in one thread: after an unclean stop the comparison of
 * blobs with rows, the end of what has lain in lost/ for long, and the removal of blobs that no
 * row names.
 *
 * A blob that loses its row is recorded in blob_drops by the same transaction. Its file goes
 * after the commit; open descriptors and hard links keep the bytes for those who still read
 * them. The record goes when the file's absence is durable; a crash in between only repeats the
 * removal. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "buckets.h"
#include "bytes.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"

#define LOST_KEPT_MS (INT64_C(7) * 24 * 3600 * 1000)
#define COMPARE_CHUNK 256
#define RECORDS_CHUNK 512 /* records taken away in one transaction */
#define RECORDS_WAIT_NS (INT64_C(60) * 1000000000)
#define GATHER_NS (INT64_C(10) * 1000000) /* what comes within it is removed together */

/* --- removal --- */

static void enqueue(storage *st, removal *r)
{
    mutex_lock(&st->lock);
    r->next = st->removals;
    st->removals = r;
    if (r->next == NULL) { /* else it has been told */
        cond_signal(&st->care_work);
    }
    mutex_unlock(&st->lock);
}

void store__remove_later(storage *st, blob_id id, bool recorded)
{
    removal *r = NEW(removal);

    r->id = id;
    r->recorded = recorded;
    enqueue(st, r);
}

void store__erase_later(storage *st, blob_id file, int64_t begin, int64_t record_bytes)
{
    removal *r = NEW(removal);

    r->id = file;
    r->begin = begin;
    r->record_bytes = record_bytes;
    enqueue(st, r);
}

static void remove_local(const char *path)
{
    error err = ERROR_INIT;

    if (fs_remove(path, &err) != STATUS_OK) {
        log_failure("file not removed", &err);
    }
}

/* Unless another file has the path by now, or none. */
static void remove_if_there(storage *st, const removal *r)
{
    struct stat info;

    mutex_lock(&st->path_lock);
    if (r->inode == 0 ||
        (lstat(r->path, &info) == 0 && info.st_ino == r->inode && info.st_dev == r->device)) {
        remove_local(r->path);
    }
    mutex_unlock(&st->path_lock);
}

void store__remove_file_later(storage *st, const char *path, const struct stat *info)
{
    removal *r;
    size_t size = strlen(path) + 1;

    if (st->state == NULL) { /* nobody who would do it later */
        remove_local(path);
        return;
    }
    r = NEW(removal);
    r->path = mem_alloc(size);
    memcpy(r->path, path, size);
    r->device = info != NULL ? info->st_dev : 0;
    r->inode = info != NULL ? info->st_ino : 0;
    enqueue(st, r);
}

void store__remove_path_later(storage *st, const char *path)
{
    store__remove_file_later(st, path, NULL);
}

static void remove_blob(storage *st, arena *a, blob_id id)
{
    char *path = store__blob_path(st, a, id);
    error err = ERROR_INIT;

    if (fs_remove(path, &err) != STATUS_OK ||
        fs_remove(store__sidecar_path(a, path), &err) != STATUS_OK) {
        log_failure("blob not removed", &err);
    }
    store__forget_blob(st, id);
}

/* The segment that records were erased in last: mostly the next one lies there too. */
typedef struct erasing {
    blob_id id;
    int fd; /* -1: none, or it is gone as a whole */
} erasing;

static void erase_record(storage *st, arena *a, const removal *r, erasing *file)
{
    if (!str_equal(str_c(file->id.text), str_c(r->id.text))) {
        error err = ERROR_INIT;

        fs_close(file->fd);
        *file = (erasing){.id = r->id, .fd = -1};
        status opened = fs_open(store__blob_path(st, a, r->id), O_RDWR, 0, &file->fd, &err);
        if (opened != STATUS_OK && opened != STATUS_NOT_FOUND) {
            log_failure("record not erased", &err);
        }
    }
    if (file->fd >= 0) {
        store__segment_erase(file->fd, r->begin, r->record_bytes);
    }
}

static status forget_records(void *context, state_txn *txn, error *err)
{
    for (const removal *r = context; r != NULL; r = r->next) {
        TRY(STATE_EXEC(txn, "DELETE FROM blob_drops WHERE blob = ?1", NULL, err,
                       SV_TEXT(str_c(r->id.text))));
    }
    return STATUS_OK;
}

static status sync_absences(storage *st, const removal *removed, error *err)
{
    arena *scratch = arena_create();
    map *folders = map_create(scratch);
    map_entry entry;
    status synced = STATUS_OK;

    for (const removal *r = removed; r != NULL; r = r->next) {
        char *path = store__blob_path(st, scratch, r->id);
        str folder = str_from(path, str_find_last_char(str_c(path), '/'));

        (void)map_set(folders, folder, arena_strndup(scratch, folder.data, folder.size));
    }
    for (size_t at = 0; synced == STATUS_OK && map_next(folders, &at, &entry);) {
        synced = fs_exists(entry.value) ? store__sync_folder(st, entry.value, err) : STATUS_OK;
    }
    arena_free(scratch);
    return synced;
}

static void free_removals(removal *r)
{
    while (r != NULL) {
        removal *next = r->next;

        mem_free(r);
        r = next;
    }
}

/* Takes the records of removed files away. What fails is repeated at the next start. */
static void settle(storage *st, removal **removed, size_t *count)
{
    error err = ERROR_INIT;
    status settled = *count > 0 ? sync_absences(st, *removed, &err) : STATUS_OK;

    if (settled == STATUS_OK && *count > 0) {
        settled = state_submit(st->state, forget_records, *removed, &err);
    }
    if (settled != STATUS_OK) {
        log_failure("removals not settled", &err);
    }
    free_removals(*removed);
    *removed = NULL;
    *count = 0;
}

static removal *in_order(removal *last_first)
{
    removal *list = NULL;

    while (last_first != NULL) {
        removal *r = last_first;

        last_first = r->next;
        r->next = list;
        list = r;
    }
    return list;
}

/* Removes the files, in the order in which they were given up: what tells that others are to go is there longer than
 * they are. What is recorded moves to `removed`. */
static void remove_files(storage *st, removal *list, removal **removed, size_t *count)
{
    erasing file = {.fd = -1};

    list = in_order(list);
    while (list != NULL) {
        arena *scratch = arena_create();
        removal *r = list;

        list = r->next;
        if (r->path != NULL) {
            remove_if_there(st, r);
        } else if (r->record_bytes > 0) {
            erase_record(st, scratch, r, &file);
        } else {
            remove_blob(st, scratch, r->id);
        }
        if (r->recorded) {
            r->next = *removed;
            *removed = r;
            ++*count;
        } else {
            mem_free(r->path);
            mem_free(r);
        }
        arena_free(scratch);
    }
    fs_close(file.fd);
}

/* --- at start: what the last stop left --- */

static status queue_records(void *context, state_txn *txn, error *err)
{
    storage *st = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn, "SELECT blob FROM blob_drops", NULL, 0, &rows, err));
    for (;;) {
        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        if (store__is_blob_id(state_text(rows, 0, NULL))) {
            store__remove_later(st, store__blob_id(state_text(rows, 0, NULL)), true);
        }
    }
}

/* lost/ holds "<milliseconds when it was moved>-<blob id>[.meta]". */
static void expire_lost(storage *st)
{
    int64_t oldest_ms = clock_now_ms() - LOST_KEPT_MS;
    arena *scratch = arena_create();
    int64_t left = 0;
    size_t count;
    str *names;

    if (fs_list(st->lost_path, scratch, &names, &count, NULL) != STATUS_OK) {
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        str rest;
        int64_t moved_ms;

        if (str_to_int64(str_cut(names[i], '-', &rest), &moved_ms, NULL) != STATUS_OK) {
            continue; /* not ours */
        }
        if (moved_ms < oldest_ms) {
            (void)fs_remove(fs_join(scratch, st->lost_path, names[i].data), NULL);
        } else {
            left += store__is_blob_id(rest);
        }
    }
    arena_free(scratch);
    mutex_lock(&st->lock);
    st->lost_blobs = left;
    mutex_unlock(&st->lock);
}

typedef struct comparison {
    const str *names; /* of one shard */
    size_t count;
    bool *known;
} comparison;

static status look_up(void *context, state_txn *txn, error *err)
{
    comparison *c = context;

    for (size_t i = 0; i < c->count; i++) {
        state_rows *rows;

        TRY(STATE_QUERY(
            txn,
            "SELECT 1 FROM blobs WHERE id = ?1 UNION ALL SELECT 1 FROM blob_drops WHERE blob = ?1 "
            "UNION ALL SELECT 1 FROM segments WHERE id = ?1 "
            "UNION ALL SELECT 1 FROM uploads WHERE blob = ?1 "
            "UNION ALL SELECT 1 FROM upload_parts WHERE blob = ?1",
            &rows, err, SV_TEXT(c->names[i])));
        TRY(state_next(rows, &c->known[i], err));
        state_finish(rows);
    }
    return STATUS_OK;
}

static status move_to_lost(storage *st, arena *a, const char *shard, str name, error *err)
{
    char *from = fs_join(a, shard, name.data);
    char *to = arena_printf(a, "%s/%" PRId64 "-%s", st->lost_path, clock_now_ms(), name.data);

    TRY(fs_rename(from, to, err));
    (void)fs_rename(store__sidecar_path(a, from), store__sidecar_path(a, to),
                    NULL); /* mostly there is none */
    mutex_lock(&st->lock);
    st->lost_blobs++;
    mutex_unlock(&st->lock);
    log_event(LOG_INFO, "blob without a row moved to lost", LOG_STR("blob", name));
    return STATUS_OK;
}

static bool is_closing(storage *st)
{
    bool closing;

    mutex_lock(&st->lock);
    closing = st->closing;
    mutex_unlock(&st->lock);
    return closing;
}

static status compare_shard(storage *st, arena *a, const char *shard, error *err)
{
    VEC(str) blobs = {0};
    size_t count;
    str *names;

    TRY(fs_list(shard, a, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (store__is_blob_id(names[i])) {
            vec_push(a, &blobs, names[i]);
        }
    }
    for (size_t at = 0; at < blobs.count; at += COMPARE_CHUNK) {
        comparison c = {.names = blobs.items + at};

        if (is_closing(st)) {
            return error_set(err, STATUS_CANCELLED, "the store closes");
        }
        c.count = blobs.count - at < COMPARE_CHUNK ? blobs.count - at : COMPARE_CHUNK;
        c.known = ARENA_ARRAY(a, bool, c.count);
        TRY(state_read(st->state, look_up, &c, err));
        for (size_t i = 0; i < c.count; i++) {
            if (!c.known[i]) {
                TRY(move_to_lost(st, a, shard, c.names[i], err));
            }
        }
    }
    return STATUS_OK;
}

static status compare_epoch(storage *st, uint32_t epoch, error *err)
{
    arena *scratch = arena_create();
    char *folder = arena_printf(scratch, "%s/%08" PRIx32, st->blobs_path, epoch);
    status compared = STATUS_OK;
    size_t count = 0;
    str *shards;

    if (fs_exists(folder)) {
        compared = fs_list(folder, scratch, &shards, &count, err);
    }
    for (size_t i = 0; i < count && compared == STATUS_OK; i++) {
        arena *names = arena_child(scratch);

        compared = compare_shard(st, names, fs_join(names, folder, shards[i].data), err);
        arena_free(names);
    }
    arena_free(scratch);
    return compared;
}

/* Blobs of epochs before this one that have no row: staged when the process died, never
 * published. */
status store__compare_epochs(storage *st, error *err)
{
    for (uint32_t epoch = st->epoch_checked + 1; epoch < st->epoch; epoch++) {
        TRY(compare_epoch(st, epoch, err));
    }
    mutex_lock(&st->lock);
    st->compared = true;
    mutex_unlock(&st->lock);
    return STATUS_OK;
}

static void look_after_last_stop(storage *st)
{
    error err = ERROR_INIT;
    bool foreign;
    status done;

    expire_lost(st);
    mutex_lock(&st->lock);
    foreign = st->foreign;
    mutex_unlock(&st->lock);
    if (foreign) {
        return;
    }
    done = store__write_bucket_files(st, st->blobs_path, &err);
    if (done == STATUS_OK) {
        done = state_read(st->state, queue_records, st, &err);
    }
    if (done == STATUS_OK && !st->compared) {
        done = store__compare_epochs(st, &err);
    }
    if (done != STATUS_OK && done != STATUS_CANCELLED) {
        log_failure("blobs not compared with rows", &err);
    }
}

/* --- the thread --- */

/* The next removals; NULL where the store closes, or where it is time to settle. Who gives up
 * a file wakes this thread once for all that come within GATHER_NS. */
static removal *wait_for_removals(storage *st, bool unsettled, bool *ret_closing)
{
    int64_t deadline_ns = clock_mono_ns() + RECORDS_WAIT_NS;
    bool gathered = false;
    removal *list;

    mutex_lock(&st->lock);
    while ((st->removals == NULL || st->holds > 0 || !gathered) && !st->care_ends) {
        if (st->removals != NULL && st->holds == 0) {
            gathered = !cond_wait_until(&st->care_work, &st->lock, clock_mono_ns() + GATHER_NS);
        } else if (!unsettled) {
            cond_wait(&st->care_work, &st->lock);
        } else if (!cond_wait_until(&st->care_work, &st->lock, deadline_ns)) {
            break;
        }
    }
    list = st->holds > 0 ? NULL : st->removals;
    st->removals = st->holds > 0 ? st->removals : NULL;
    *ret_closing = st->care_ends && list == NULL;
    mutex_unlock(&st->lock);
    return list;
}

void store__care(void *storage_context)
{
    storage *st = storage_context;
    removal *removed = NULL;
    size_t count = 0;
    bool closing = false;

    look_after_last_stop(st);
    while (!closing) {
        removal *list = wait_for_removals(st, count > 0, &closing);
        bool waited = list == NULL;

        remove_files(st, list, &removed, &count);
        if (waited || count >= RECORDS_CHUNK) {
            settle(st, &removed, &count);
        }
    }
}

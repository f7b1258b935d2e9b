/* Dead space in segments, given back: what still lives in a segment that is more than half dead is appended to the open
 * one, the rows of its blobs follow in one transaction, and the file goes when the last row has left it. Readers that
 * have it open keep it; those that found the row and not the file look at the row again. */
#include <fcntl.h>
#include <inttypes.h>

#include "bytes.h"
#include "tarn/base/clock.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"

#define MOVE_CHUNK 128 /* records moved in one transaction */
#define LOOK_NS (INT64_C(60) * 1000000000)
#define PAUSE_NS (INT64_C(50) * 1000000)

typedef struct moving {
    store_staged *staged; /* the new place */
    blob_id id;
    int64_t offset; /* of the bytes, in the old file */
    int64_t size_bytes;
    int64_t record_bytes;
    bool gone; /* deleted meanwhile */
} moving;

typedef struct compaction {
    storage *st;
    arena *memory; /* of a chunk */
    blob_id id;    /* the segment */
    blob_id last;  /* looked at before; segments with users are passed over */
    bool found;
    int64_t live_bytes;
    VEC(moving) moves;
} compaction;

/* --- which --- */

static status find_dead(void *context, state_txn *txn, error *err)
{
    compaction *c = context;
    state_rows *rows;

    TRY(STATE_QUERY(txn,
                    "SELECT id, live_bytes FROM segments WHERE sealed = 1 AND id > ?1 AND "
                    "live_bytes * 2 < size_bytes ORDER BY id LIMIT 1",
                    &rows, err, SV_TEXT(str_c(c->last.text))));
    TRY(state_next(rows, &c->found, err));
    if (c->found) {
        str id = state_text(rows, 0, NULL);

        if (!store__is_blob_id(id)) {
            return error_set(err, STATUS_CORRUPT, "segment id \"%.*s\" is not valid", STR_ARG(id));
        }
        c->id = store__blob_id(id);
        c->live_bytes = state_int(rows, 1);
    }
    return STATUS_OK;
}

/* Objects that are staged in it have no rows yet. */
static bool is_in_use(storage *st, blob_id id)
{
    bool used;

    mutex_lock(&st->segment_lock);
    used = map_has(st->segments, str_c(id.text));
    mutex_unlock(&st->segment_lock);
    return used;
}

/* --- moving --- */

static status read_living(void *context, state_txn *txn, error *err)
{
    compaction *c = context;
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn,
                    "SELECT id, file_offset, size_bytes, file_bytes FROM blobs WHERE file = ?1 "
                    "LIMIT ?2",
                    &rows, err, SV_TEXT(str_c(c->id.text)), SV_INT(MOVE_CHUNK)));
    for (;;) {
        moving m = {.staged = NULL};

        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        if (!store__is_blob_id(state_text(rows, 0, NULL))) {
            return error_set(err, STATUS_CORRUPT, "a blob of segment %s has no valid id",
                             c->id.text);
        }
        m.id = store__blob_id(state_text(rows, 0, NULL));
        m.offset = state_int(rows, 1);
        m.size_bytes = state_int(rows, 2);
        m.record_bytes = state_int(rows, 3);
        vec_push(c->memory, &c->moves, m);
    }
}

static status copy_record(compaction *c, int fd, moving *m, error *err)
{
    char *bytes = arena_alloc(c->memory, (size_t)m->record_bytes);
    int64_t begin = m->offset + m->size_bytes - m->record_bytes;

    TRY(fs_pread_all(fd, bytes, (size_t)m->record_bytes, begin, err));
    if (!store__segment_renew(bytes, (size_t)m->record_bytes)) {
        return error_set(err, STATUS_CORRUPT,
                         "blob %s is corrupt: its record in segment %s does not match its checksum",
                         m->id.text, c->id.text);
    }
    TRY(store__staged_for(c->st, STR(""), STR(""), STR(""), &m->staged, err));
    m->staged->size_bytes = m->size_bytes;
    m->staged->stays = true; /* whatever becomes of the transaction */
    return store__segment_append_record(c->st, m->staged, str_from(bytes, (size_t)m->record_bytes),
                                        m->size_bytes, err);
}

static status move_rows(void *context, state_txn *txn, error *err)
{
    compaction *c = context;

    for (size_t i = 0; i < c->moves.count; i++) {
        moving *m = &c->moves.items[i];
        int64_t moved;

        TRY(STATE_EXEC(txn,
                       "UPDATE blobs SET file = ?3, file_offset = ?4 WHERE id = ?1 AND file = ?2",
                       &moved, err, SV_TEXT(str_c(m->id.text)), SV_TEXT(str_c(c->id.text)),
                       SV_TEXT(str_c(m->staged->segment.text)), SV_INT(m->staged->file_offset)));
        m->gone = moved == 0;
        if (moved > 0) {
            TRY(store__segment_change_live(txn, str_c(c->id.text), -m->record_bytes, err));
            TRY(store__segment_change_live(txn, str_c(m->staged->segment.text), m->record_bytes,
                                           err));
        }
    }
    return STATUS_OK;
}

/* They lie in one segment, or where that was full in two. */
static status sync_chunk(compaction *c, error *err)
{
    const store_staged *before = NULL;

    for (size_t i = 0; i < c->moves.count; i++) {
        const store_staged *staged = c->moves.items[i].staged;

        if (before == NULL ||
            !str_equal(str_c(before->segment.text), str_c(staged->segment.text))) {
            TRY(store__segment_sync(c->st, staged, err));
        }
        before = staged;
    }
    return STATUS_OK;
}

static status move_chunk(compaction *c, int fd, error *err)
{
    for (size_t i = 0; i < c->moves.count; i++) {
        TRY(copy_record(c, fd, &c->moves.items[i], err));
    }
    TRY(sync_chunk(c, err));
    TRY(FAULT(FAULT_STORE_COMPACTED, err));
    TRY(state_submit(c->st->state, move_rows, c, err));
    for (size_t i = 0; i < c->moves.count; i++) {
        c->moves.items[i].staged->stays = !c->moves.items[i].gone;
    }
    return STATUS_OK;
}

static void leave_chunk(compaction *c)
{
    for (size_t i = 0; i < c->moves.count; i++) {
        store_discard(c->st, c->moves.items[i].staged);
    }
}

static bool is_closing(storage *st)
{
    bool closing;

    mutex_lock(&st->lock);
    closing = st->closing;
    mutex_unlock(&st->lock);
    return closing;
}

static status move_living(compaction *c, error *err)
{
    status moved = STATUS_OK;
    bool more = true;
    int fd;

    TRY(fs_open(store__blob_path(c->st, c->memory, c->id), O_RDONLY, 0, &fd, err));
    while (moved == STATUS_OK && more) {
        c->moves.count = 0;
        moved = state_read(c->st->state, read_living, c, err);
        more = c->moves.count > 0;
        if (moved == STATUS_OK && more) {
            moved = move_chunk(c, fd, err);
        }
        leave_chunk(c);
        if (moved == STATUS_OK && is_closing(c->st)) {
            moved = error_set(err, STATUS_CANCELLED, "the store closes");
        }
    }
    fs_close(fd);
    return moved;
}

/* --- the end of a segment --- */

static void segment_dropped(void *context)
{
    const compaction *c = context;

    store__remove_later(c->st, c->id, true);
}

static status drop_segment(void *context, state_txn *txn, error *err)
{
    compaction *c = context;
    int64_t gone;

    TRY(STATE_EXEC(txn,
                   "DELETE FROM segments WHERE id = ?1 AND NOT EXISTS "
                   "(SELECT 1 FROM blobs WHERE file = ?1)",
                   &gone, err, SV_TEXT(str_c(c->id.text))));
    if (gone == 0) {
        return STATUS_OK;
    }
    TRY(STATE_EXEC(txn, "INSERT INTO blob_drops (blob) VALUES (?1) ON CONFLICT (blob) DO NOTHING",
                   NULL, err, SV_TEXT(str_c(c->id.text))));
    state_after_commit(txn, segment_dropped, c);
    return STATUS_OK;
}

static status compact_one(compaction *c, error *err)
{
    status done = STATUS_OK;

    c->memory = arena_create();
    c->moves.items = NULL;
    c->moves.count = 0;
    c->moves.capacity = 0;
    done = c->live_bytes > 0 ? move_living(c, err) : STATUS_OK;
    if (done == STATUS_OK) {
        done = state_submit(c->st->state, drop_segment, c, err);
    }
    arena_free(c->memory);
    return done;
}

status store__compact(storage *st, error *err)
{
    compaction c = {.st = st};

    for (;;) {
        TRY(state_read(st->state, find_dead, &c, err));
        if (!c.found) {
            return STATUS_OK;
        }
        c.last = c.id;
        if (!is_in_use(st, c.id)) {
            TRY(compact_one(&c, err));
        }
    }
}

/* --- the thread --- */

void store__segment_freed(void *storage_context)
{
    storage *st = storage_context;

    mutex_lock(&st->lock);
    if (!st->compact_asked) {
        st->compact_asked = true;
        cond_signal(&st->compact_work);
    }
    mutex_unlock(&st->lock);
}

/* Many that are freed shortly after one another are one look. */
static bool wait_for_work(storage *st)
{
    int64_t pause_ns = clock_mono_ns() + PAUSE_NS;
    int64_t deadline_ns = clock_mono_ns() + LOOK_NS;
    bool closing;

    mutex_lock(&st->lock);
    while (!st->closing && cond_wait_until(&st->compact_work, &st->lock, pause_ns)) {}
    while (!st->closing && !st->compact_asked &&
           cond_wait_until(&st->compact_work, &st->lock, deadline_ns)) {}
    st->compact_asked = false;
    closing = st->closing;
    mutex_unlock(&st->lock);
    return !closing;
}

void store__compact_thread(void *storage_context)
{
    storage *st = storage_context;

    do {
        error err = ERROR_INIT;
        status done = store__compact(st, &err);

        if (done != STATUS_OK && done != STATUS_CANCELLED) {
            log_failure("segments not compacted", &err);
        }
    } while (wait_for_work(st));
}

/* A part's bytes: to its place in the upload's file, or to a file of its own; durable, then a row. */
#include <fcntl.h>

#include "tarn/base/clock.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"
#include "uploads.h"

struct upload_part_writer {
    storage *st;
    arena *memory;
    live_upload *live;
    int number;
    int64_t size_bytes; /* announced, or -1 */
    bool encrypted;
    bool in_place;        /* its place is claimed */
    store_staged *staged; /* else its own file */
    intake in;
    bool has_intake;
    object_digests digests;
    bool ended;
};

/* --- where it goes --- */

static bool is_claimed(const live_upload *live, int number)
{
    return (live->claimed[number / 8] & (1 << number % 8)) != 0;
}

static void set_claim(live_upload *live, int number, bool claimed)
{
    uint8_t bit = (uint8_t)(1 << number % 8);

    live->claimed[number / 8] =
        (uint8_t)(claimed ? live->claimed[number / 8] | bit : live->claimed[number / 8] & ~bit);
}

static bool claim(upload_part_writer *w)
{
    live_upload *live = w->live;
    bool claimed;

    if (w->size_bytes <= 0) {
        return false;
    }
    mutex_lock(&w->st->upload_lock);
    if (live->part_bytes == 0) {
        live->part_bytes = w->size_bytes;
    }
    claimed = live->part_bytes == w->size_bytes && !live->alone && !live->finished &&
              !is_claimed(live, w->number);
    if (claimed) {
        set_claim(live, w->number, true);
        live->writing++;
    }
    mutex_unlock(&w->st->upload_lock);
    return claimed;
}

static void give_up_claim(upload_part_writer *w)
{
    if (w->in_place) {
        mutex_lock(&w->st->upload_lock);
        set_claim(w->live, w->number, false);
        w->live->writing--;
        cond_broadcast(&w->st->upload_changed);
        mutex_unlock(&w->st->upload_lock);
        w->in_place = false;
    }
}

typedef struct asking {
    const upload_part_writer *w;
    bool taken;
} asking;

static status is_place_taken(void *context, state_txn *txn, error *err)
{
    asking *q = context;
    state_rows *rows;

    TRY(STATE_QUERY(txn,
                    "SELECT 1 FROM upload_parts WHERE upload = ?1 AND number = ?2 AND blob IS NULL",
                    &rows, err, SV_TEXT(q->w->live->id), SV_INT(q->w->number)));
    return state_next(rows, &q->taken, err);
}

static status open_place(upload_part_writer *w, intake_target *ret_target, error *err)
{
    int64_t place = w->encrypted ? store__sealed_size(w->size_bytes) : w->size_bytes;
    status opened;

    mutex_lock(&w->st->upload_lock);
    opened = store__open_upload_file(w->st, w->live, err);
    mutex_unlock(&w->st->upload_lock);
    TRY(opened);
    *ret_target = (intake_target){.fd = w->live->fd, .offset = (w->number - 1) * place};
    return STATUS_OK;
}

/* The claim comes before the row is looked at: whoever had the place before gave it up after his row was there. */
static status open_part(void *context, intake_target *ret_target, error *err)
{
    upload_part_writer *w = context;
    asking q = {.w = w};

    TRY(store__load_upload(w->st, w->live, err));
    w->in_place = claim(w);
    if (w->in_place) {
        TRY(state_read(w->st->state, is_place_taken, &q, err));
        if (!q.taken) {
            return open_place(w, ret_target, err);
        }
        give_up_claim(w);
    }
    TRY(store__staged_for(w->st, w->live->bucket, w->live->key, STR(""), &w->staged, err));
    TRY(w->staged->ops->create(w->st, w->staged, w->size_bytes < 0 ? 0 : w->size_bytes, err));
    *ret_target = (intake_target){.fd = w->staged->fd};
    return STATUS_OK;
}

/* --- the stream --- */

static void free_writer(upload_part_writer *w)
{
    if (w->has_intake) {
        store__intake_release(&w->in);
    }
    give_up_claim(w);
    store_discard(w->st, w->staged);
    store__leave_upload(w->st, w->live);
    arena_free(w->memory);
}

static status check_number(int number, error *err)
{
    if (number >= 1 && number <= PARTS_MAX) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "part number %d is not from 1 to %d", number, PARTS_MAX);
}

status upload_part_begin(storage *st, const upload_info *upload, int number, int64_t size_bytes,
                         object_checksum_kind checksum, upload_part_writer **ret_writer, error *err)
{
    intake_options options = {.size_bytes = size_bytes,
                              .kind = checksum == CHECKSUM_NONE ? upload->checksum : checksum,
                              .with_crc64 = upload->checksum == CHECKSUM_NONE,
                              .encrypted = upload->attributes.encrypted,
                              .open = open_part};
    upload_part_writer *w;
    arena *memory;
    status begun;

    TRY(check_number(number, err));
    memory = arena_create();
    w = ARENA_NEW(memory, upload_part_writer);
    w->st = st;
    w->memory = memory;
    w->live = store__enter_upload(st, upload->bucket, upload->key, upload->id);
    w->number = number;
    w->size_bytes = size_bytes;
    w->encrypted = upload->attributes.encrypted;
    options.context = w;
    begun = store__intake_begin(&w->in, st, &options, err);
    w->has_intake = begun == STATUS_OK;
    if (begun != STATUS_OK) {
        free_writer(w);
        return begun;
    }
    *ret_writer = w;
    return STATUS_OK;
}

status upload_part_write(upload_part_writer *w, const void *bytes, size_t size_bytes, error *err)
{
    return store__intake_add(&w->in, bytes, size_bytes, err);
}

status upload_part_end(upload_part_writer *w, object_digests *ret_digests, error *err)
{
    TRY(store__intake_end(&w->in, false, &w->digests, err));
    if (w->in_place && w->digests.size_bytes != w->size_bytes) {
        (void)error_set(err, STATUS_INVALID, "a part of %lld bytes ended after %lld",
                        (long long)w->size_bytes, (long long)w->digests.size_bytes);
        error_set_s3_code(err, "IncompleteBody");
        return STATUS_INVALID;
    }
    w->ended = true;
    *ret_digests = w->digests;
    return STATUS_OK;
}

void upload_part_abort(upload_part_writer *w)
{
    if (w != NULL) {
        free_writer(w);
    }
}

/* --- durable, then known --- */

static status sync_file(void *context, error *err)
{
    const live_upload *live = context;

    return fs_sync(live->fd, err);
}

/* Parts in place that end together share a sync. */
static status sync_place(storage *st, live_upload *live, error *err)
{
    return st->options.unsafe ? STATUS_OK : sync_group_run(&live->group, sync_file, live, err);
}

static status sync_own(store_staged *staged, error *err)
{
    TRY(fs_link_fd(staged->fd, staged->path, err));
    staged->named = true;
    if (staged->beside != NULL) {
        TRY(fs_remove(staged->beside, err));
        staged->beside = NULL;
    }
    return store__sync_round(staged->st, &staged, 1, err);
}

typedef struct recording {
    upload_part_writer *w;
    str crcs;
    str seal;
    str etag;
} recording;

/* The file of the part that this one takes the place of. */
static status drop_replaced(const recording *r, state_txn *txn, error *err)
{
    state_rows *rows;
    bool row;
    str blob;

    TRY(STATE_QUERY(txn,
                    "SELECT blob FROM upload_parts WHERE upload = ?1 AND number = ?2 AND "
                    "blob IS NOT NULL",
                    &rows, err, SV_TEXT(r->w->live->id), SV_INT(r->w->number)));
    TRY(state_next(rows, &row, err));
    blob = row ? state_text(rows, 0, state_txn_arena(txn)) : STR_NULL;
    state_finish(rows);
    return store__is_blob_id(blob) ? store__drop_file(r->w->st, txn, store__blob_id(blob), err)
                                   : STATUS_OK;
}

static status insert_part(const recording *r, state_txn *txn, error *err)
{
    const upload_part_writer *w = r->w;

    return STATE_EXEC(
        txn,
        "INSERT INTO upload_parts (upload, number, size_bytes, disk_bytes, etag, checksum_kind, "
        "checksum, crc64, modified_us, blob, crcs, seal) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "
        "ON CONFLICT (upload, number) DO UPDATE SET size_bytes = excluded.size_bytes, "
        "disk_bytes = excluded.disk_bytes, etag = excluded.etag, "
        "checksum_kind = excluded.checksum_kind, checksum = excluded.checksum, "
        "crc64 = excluded.crc64, modified_us = excluded.modified_us, blob = excluded.blob, "
        "crcs = excluded.crcs, seal = excluded.seal",
        NULL, err, SV_TEXT(w->live->id), SV_INT(w->number), SV_INT(w->digests.size_bytes),
        SV_INT(w->in.disk_bytes), SV_TEXT(r->etag), SV_INT(w->digests.checksum.kind),
        SV_TEXT(w->digests.checksum.value), SV_INT((int64_t)w->in.crc64), SV_INT(clock_now_us()),
        w->in_place ? SV_NULL : SV_TEXT(str_c(w->staged->id.text)), SV_BLOB(r->crcs),
        str_is_null(r->seal) ? SV_NULL : SV_BLOB(r->seal));
}

static status record(void *context, state_txn *txn, error *err)
{
    const recording *r = context;
    const live_upload *live = r->w->live;
    upload_row row;
    bool found;

    TRY(store__find_upload(txn, live->bucket, live->key, live->id, state_txn_arena(txn), &row,
                           &found, err));
    if (!found || row.completed_us != 0) {
        return store__no_upload(live->id, err);
    }
    if (r->w->in_place && row.blob.text[0] == '\0') {
        TRY(STATE_EXEC(txn,
                       "UPDATE uploads SET blob = ?4, part_bytes = ?5 "
                       "WHERE bucket = ?1 AND key = ?2 AND id = ?3",
                       NULL, err, SV_TEXT(live->bucket), SV_TEXT(live->key), SV_TEXT(live->id),
                       SV_TEXT(str_c(live->blob.text)), SV_INT(live->part_bytes)));
    }
    TRY(drop_replaced(r, txn, err));
    return insert_part(r, txn, err);
}

/* Not while the upload is being completed or aborted: what it consists of is settled then. */
static status record_part(recording *r, error *err)
{
    storage *st = r->w->st;
    live_upload *live = r->w->live;
    status recorded;

    mutex_lock(&st->upload_lock);
    while (live->alone) {
        cond_wait(&st->upload_changed, &st->upload_lock);
    }
    live->committing++;
    mutex_unlock(&st->upload_lock);
    recorded = state_submit(st->state, record, r, err);
    mutex_lock(&st->upload_lock);
    live->committing--;
    live->recorded = live->recorded || (recorded == STATUS_OK && r->w->in_place);
    cond_broadcast(&st->upload_changed);
    mutex_unlock(&st->upload_lock);
    return recorded;
}

static status commit(upload_part_writer *w, error *err)
{
    recording r = {.w = w};

    TRY(block_hash_finish(&w->in.blocks, w->memory, &r.crcs, err));
    r.etag = store__etag_of_digest(w->memory, w->digests.md5);
    if (w->in.key != NULL) {
        buf *pieces = buf_in(w->memory, SEAL_PIECE_BYTES);

        store__seal_add_piece(pieces, w->digests.size_bytes, w->in.wrapped);
        r.seal = buf_str(pieces);
    }
    TRY(w->in_place ? sync_place(w->st, w->live, err) : sync_own(w->staged, err));
    TRY(FAULT(FAULT_UPLOAD_PART, err));
    return record_part(&r, err);
}

status upload_part_commit(upload_part_writer *w, error *err)
{
    status done;

    ASSERT(w->ended);
    done = commit(w, err);
    if (w->staged != NULL && (done == STATUS_OK || fs_volume_broken())) {
        w->staged->stays = true; /* it is the upload's; or may be */
    }
    free_writer(w);
    return done;
}

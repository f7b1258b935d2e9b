/* The scrubber: reads every blob from the disk and compares it with its checksums, at a set
 * rate, one pass a day. Where it stands is kept, so that a restart does not begin again. It
 * reads past the page cache where the file system allows that: what is compared are the disk's
 * bytes, and nothing useful is driven out. */
#include <fcntl.h>
#include <inttypes.h>

#include "bytes.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"
#include "tarn/codec/checksum.h"

#define PASS_US (INT64_C(24) * 3600 * 1000000)
#define SAVE_NS (INT64_C(600) * 1000000000)
#define ALIGNMENT ((uintptr_t)4096)

typedef struct scrubbing {
    storage *st;
    arena *memory; /* of one blob */
    char *chunk;   /* aligned */
    blob_id at;    /* the last one looked at; empty before the first */
    int64_t size_bytes;
    str crcs;
    str parts;           /* its layout, where it is a pack */
    blob_id file;        /* the segment that holds it; empty: its own */
    int64_t file_offset; /* there */
    bool found;
    int64_t rate_bytes; /* per second; 0: as fast as can be */
    int64_t began_us;   /* of the pass */
    int64_t corrupt;
} scrubbing;

/* --- one blob --- */

static status next_blob(void *context, state_txn *txn, error *err)
{
    scrubbing *s = context;
    state_rows *rows;

    TRY(STATE_QUERY(
        txn,
        "SELECT id, size_bytes, crcs, parts, file, file_offset FROM blobs WHERE id > ?1 ORDER BY id "
        "LIMIT 1",
        &rows, err, SV_TEXT(str_c(s->at.text))));
    TRY(state_next(rows, &s->found, err));
    if (s->found) {
        str id = state_text(rows, 0, NULL);

        if (!store__is_blob_id(id)) {
            return error_set(err, STATUS_CORRUPT, "blob id \"%.*s\" is not valid", STR_ARG(id));
        }
        s->at = store__blob_id(id);
        s->size_bytes = state_int(rows, 1);
        s->crcs = state_text(rows, 2, s->memory);
        s->parts = state_text(rows, 3, s->memory);
        s->file = (blob_id){.text = ""};
        if (store__is_blob_id(state_text(rows, 4, NULL))) {
            s->file = store__blob_id(state_text(rows, 4, NULL));
        }
        s->file_offset = state_int(rows, 5);
    }
    return STATUS_OK;
}

/* As it was read: a blob in a segment may lie in another by now. */
static status is_row_there(void *context, state_txn *txn, error *err)
{
    scrubbing *s = context;
    state_rows *rows;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM blobs WHERE id = ?1 AND coalesce(file, '') = ?2", &rows,
                    err, SV_TEXT(str_c(s->at.text)), SV_TEXT(str_c(s->file.text))));
    return state_next(rows, &s->found, err);
}

static status mismatch(const scrubbing *s, const char *path, size_t block, error *err)
{
    blob_names names;
    status named = store__read_names(path, s->memory, &names, NULL);

    if (named != STATUS_OK) {
        return error_set(err, STATUS_CORRUPT,
                         "blob %s is corrupt: block %zu does not match its checksum", s->at.text,
                         block);
    }
    return error_set(
        err, STATUS_CORRUPT,
        "object \"s3://%.*s/%.*s\" is corrupt: block %zu of blob %s does not match its checksum",
        STR_ARG(names.bucket), STR_ARG(names.key), block, s->at.text);
}

/* Waits where this is faster than the rate. False where the store closes. */
static bool keep_rate(scrubbing *s, int64_t began_ns, int64_t done_bytes)
{
    storage *st = s->st;
    int64_t due_ns;
    bool closing;

    if (s->rate_bytes <= 0) {
        return true;
    }
    due_ns = began_ns + (int64_t)((double)done_bytes / (double)s->rate_bytes * 1e9);
    mutex_lock(&st->lock);
    while (!st->closing && cond_wait_until(&st->scrub_work, &st->lock, due_ns)) {}
    closing = st->closing;
    mutex_unlock(&st->lock);
    return !closing;
}

static status check_bytes(scrubbing *s, const char *path, int fd, error *err)
{
    int64_t began_ns = clock_mono_ns();
    int64_t offset = 0;
    size_t got = STORE_CHUNK_BYTES;

    if (s->crcs.size / 4 !=
        (size_t)((s->size_bytes + (int64_t)STORE_BLOCK_BYTES - 1) / (int64_t)STORE_BLOCK_BYTES)) {
        return error_set(err, STATUS_CORRUPT, "blob %s has checksums for another size", s->at.text);
    }
    while (got == STORE_CHUNK_BYTES) {
        TRY(fs_pread(fd, s->chunk, STORE_CHUNK_BYTES, offset, &got, err));
        if (offset + (int64_t)got > s->size_bytes ||
            (got < STORE_CHUNK_BYTES && offset + (int64_t)got < s->size_bytes)) {
            return error_set(err, STATUS_CORRUPT, "blob %s does not have %" PRId64 " bytes",
                             s->at.text, s->size_bytes);
        }
        for (size_t at = 0; at < got; at += STORE_BLOCK_BYTES) {
            size_t size = got - at < STORE_BLOCK_BYTES ? got - at : STORE_BLOCK_BYTES;
            size_t block = (size_t)offset / STORE_BLOCK_BYTES + at / STORE_BLOCK_BYTES;

            if (checksum_crc32c(0, s->chunk + at, size) != store__crc_at(s->crcs, block)) {
                return mismatch(s, path, block, err);
            }
        }
        offset += (int64_t)got;
        mutex_lock(&s->st->lock);
        s->st->scrubbed_bytes += (int64_t)got;
        mutex_unlock(&s->st->lock);
        if (!keep_rate(s, began_ns, offset)) {
            return error_set(err, STATUS_CANCELLED, "the store closes");
        }
    }
    return STATUS_OK;
}

/* --- a pack --- */

typedef struct naming {
    const scrubbing *s;
    const blob_names *names;
    int64_t offset;
    bool named; /* an object has these bytes */
} naming;

static status is_named(void *context, state_txn *txn, error *err)
{
    naming *n = context;
    state_rows *rows;

    TRY(STATE_QUERY(txn,
                    "SELECT 1 FROM objects WHERE bucket = ?1 AND key = ?2 AND blob = ?3 AND "
                    "blob_offset = ?4 UNION ALL "
                    "SELECT 1 FROM object_versions WHERE bucket = ?1 AND key = ?2 AND blob = ?3 "
                    "AND blob_offset = ?4",
                    &rows, err, SV_TEXT(n->names->bucket), SV_TEXT(n->names->key),
                    SV_TEXT(str_c(n->s->at.text)), SV_INT(n->offset)));
    return state_next(rows, &n->named, err);
}

/* A part that was deleted is nobody's loss. Without names to look up it counts. */
static status part_damaged(scrubbing *s, const char *path, const blob_part *part, error *err)
{
    naming n = {.s = s, .offset = part->offset};
    blob_names *names = NULL;
    size_t count = 0;
    error own = ERROR_INIT;
    bool named = store__read_all_names(path, s->memory, &names, &count, NULL, NULL) == STATUS_OK &&
                 part->count <= count;

    if (named) {
        n.names = &names[part->count - 1];
        TRY(state_read(s->st->state, is_named, &n, err));
        if (!n.named) {
            return STATUS_OK;
        }
        error_set(&own, STATUS_CORRUPT,
                  "object \"s3://%.*s/%.*s\" is corrupt: its part of blob %s does not match its "
                  "checksums",
                  STR_ARG(n.names->bucket), STR_ARG(n.names->key), s->at.text);
    } else {
        error_set(&own, STATUS_CORRUPT,
                  "blob %s is corrupt: the part at %" PRId64 " does not match its checksums",
                  s->at.text, part->offset);
    }
    store__note_corrupt(s->st, store__bytes_id(s->at, true, part->offset));
    s->corrupt++;
    log_failure("scrub", &own);
    return STATUS_OK;
}

static bool is_part_whole(const scrubbing *s, const blob_part *part, size_t got)
{
    size_t size = (size_t)part->size_bytes;
    size_t at = (size_t)part->offset;

    if (at + size > got) {
        return false;
    }
    for (size_t block = 0; block * STORE_BLOCK_BYTES < size; block++) {
        size_t from = block * STORE_BLOCK_BYTES;
        size_t step = size - from < STORE_BLOCK_BYTES ? size - from : STORE_BLOCK_BYTES;

        if (checksum_crc32c(0, s->chunk + at + from, step) !=
            store__crc_at(s->crcs, part->first_block + block)) {
            return false;
        }
    }
    return true;
}

/* Each part by itself: what is damaged is the object's loss alone. A pack fits one read. */
static status check_parts(scrubbing *s, const char *path, int fd, error *err)
{
    int64_t began_ns = clock_mono_ns();
    blob_part part = {0};
    size_t got;

    TRY(fs_pread(fd, s->chunk, STORE_CHUNK_BYTES, 0, &got, err));
    while (store__next_part(s->parts, &part)) {
        if ((part.first_block + store__blocks_of(part.size_bytes)) * 4 > s->crcs.size) {
            return error_set(err, STATUS_CORRUPT, "blob %s has checksums for another size",
                             s->at.text);
        }
        if (!is_part_whole(s, &part, got)) {
            TRY(part_damaged(s, path, &part, err));
        }
    }
    mutex_lock(&s->st->lock);
    s->st->scrubbed_bytes += (int64_t)got;
    mutex_unlock(&s->st->lock);
    if (!keep_rate(s, began_ns, (int64_t)got)) {
        return error_set(err, STATUS_CANCELLED, "the store closes");
    }
    return STATUS_OK;
}

/* --- in a segment --- */

static status check_small(scrubbing *s, int fd, error *err)
{
    int64_t began_ns = clock_mono_ns();
    size_t size = (size_t)s->size_bytes;
    size_t got = 0;

    if (s->size_bytes < 0 || size > STORE_CHUNK_BYTES ||
        s->crcs.size != store__blocks_of(s->size_bytes) * 4) {
        return error_set(err, STATUS_CORRUPT, "blob %s has checksums for another size", s->at.text);
    }
    TRY(fs_pread(fd, s->chunk, size, s->file_offset, &got, err));
    for (size_t at = 0; at < size; at += STORE_BLOCK_BYTES) {
        size_t step = size - at < STORE_BLOCK_BYTES ? size - at : STORE_BLOCK_BYTES;
        size_t block = at / STORE_BLOCK_BYTES;

        if (got < size ||
            checksum_crc32c(0, s->chunk + at, step) != store__crc_at(s->crcs, block)) {
            return error_set(err, STATUS_CORRUPT,
                             "blob %s is corrupt: block %zu does not match its checksum",
                             s->at.text, block);
        }
    }
    mutex_lock(&s->st->lock);
    s->st->scrubbed_bytes += (int64_t)got;
    mutex_unlock(&s->st->lock);
    return keep_rate(s, began_ns, (int64_t)got)
               ? STATUS_OK
               : error_set(err, STATUS_CANCELLED, "the store closes");
}

/* Whether the open file gives bytes; O_DIRECT is refused at opening or at the first read. */
static bool can_read(scrubbing *s, int fd)
{
    size_t got;

    return fs_pread(fd, s->chunk, STORE_BLOCK_BYTES, 0, &got, NULL) == STATUS_OK;
}

static status open_blob(scrubbing *s, const char *path, int *ret_fd, error *err)
{
    int fd;

    if (fs_open(path, O_RDONLY | O_DIRECT, 0, &fd, NULL) == STATUS_OK) {
        if (can_read(s, fd)) {
            *ret_fd = fd;
            return STATUS_OK;
        }
        fs_close(fd);
    }
    return fs_open(path, O_RDONLY, 0, ret_fd, err);
}

static status check_blob(scrubbing *s, error *err)
{
    bool small = s->file.text[0] != '\0';
    char *path = store__blob_path(s->st, s->memory, small ? s->file : s->at);
    status checked;
    int fd;

    checked = small ? fs_open(path, O_RDONLY, 0, &fd, err) : open_blob(s, path, &fd, err);
    if (checked == STATUS_OK) {
        checked = small               ? check_small(s, fd, err)
                  : s->parts.size > 0 ? check_parts(s, path, fd, err)
                                      : check_bytes(s, path, fd, err);
        fs_close(fd);
    }
    if (checked == STATUS_NOT_FOUND) {
        TRY(state_read(s->st->state, is_row_there, s, err));
        if (!s->found) {
            return STATUS_OK; /* removed meanwhile */
        }
        checked = error_set(err, STATUS_CORRUPT, "blob %s has lost its file", s->at.text);
    }
    if (checked == STATUS_CORRUPT || checked == STATUS_IO) {
        store__note_corrupt(s->st, store__bytes_id(s->at, false, 0));
        s->corrupt++;
        if (err != NULL) {
            log_failure("scrub", err);
        }
        return STATUS_OK; /* known now; on to the next */
    }
    return checked;
}

/* `*ret_more` false at the end of the pass. */
static status scrub_next(scrubbing *s, bool *ret_more, error *err)
{
    status done;

    s->memory = arena_create();
    done = state_read(s->st->state, next_blob, s, err);
    *ret_more = s->found;
    if (done == STATUS_OK && s->found) {
        done = check_blob(s, err);
    }
    arena_free(s->memory);
    return done;
}

static void init(scrubbing *s, storage *st, char **ret_allocation)
{
    char *allocation = mem_alloc(STORE_CHUNK_BYTES + ALIGNMENT);

    *s = (scrubbing){.st = st};
    s->chunk = allocation + (ALIGNMENT - (uintptr_t)allocation % ALIGNMENT);
    *ret_allocation = allocation;
}

status store_scrub(storage *st, int64_t *ret_corrupt_count, error *err)
{
    status scrubbed = STATUS_OK;
    char *allocation;
    bool more = true;
    scrubbing s;

    init(&s, st, &allocation);
    while (scrubbed == STATUS_OK && more) {
        error own = ERROR_INIT;

        scrubbed = scrub_next(&s, &more, &own);
        if (scrubbed != STATUS_OK && err != NULL) {
            *err = own;
        }
    }
    mem_free(allocation);
    TRY(scrubbed);
    *ret_corrupt_count = s.corrupt;
    return STATUS_OK;
}

/* --- the thread --- */

static status load_place(void *context, state_txn *txn, error *err)
{
    scrubbing *s = context;
    str at;
    str began;

    TRY(store__get_property(txn, "scrub_at", state_txn_arena(txn), &at, err));
    TRY(store__get_property(txn, "scrub_began_us", state_txn_arena(txn), &began, err));
    if (store__is_blob_id(at)) {
        s->at = store__blob_id(at);
    }
    if (str_is_null(began) || str_to_int64(began, &s->began_us, NULL) != STATUS_OK) {
        s->began_us = 0;
    }
    return STATUS_OK;
}

static status save_place(void *context, state_txn *txn, error *err)
{
    scrubbing *s = context;
    arena *a = state_txn_arena(txn);

    TRY(store__set_property(txn, "scrub_at", str_c(s->at.text), err));
    return store__set_property(txn, "scrub_began_us", str_printf(a, "%" PRId64, s->began_us), err);
}

static void save(scrubbing *s)
{
    error err = ERROR_INIT;

    if (!fs_volume_broken() && state_submit(s->st->state, save_place, s, &err) != STATUS_OK) {
        log_failure("place of the scrubber not kept", &err);
    }
}

/* One pass, from where `s` stands. False where the store closes or nothing can be read. */
static bool run_pass(scrubbing *s)
{
    int64_t saved_ns = clock_mono_ns();
    bool more = true;

    while (more) {
        error err = ERROR_INIT;
        status done = scrub_next(s, &more, &err);

        if (done != STATUS_OK) {
            if (done != STATUS_CANCELLED) {
                log_failure("scrub stopped", &err);
            }
            return false;
        }
        if (clock_mono_ns() - saved_ns > SAVE_NS) {
            save(s);
            saved_ns = clock_mono_ns();
        }
    }
    return true;
}

static bool wait_until_us(storage *st, int64_t until_us)
{
    int64_t deadline_ns = clock_mono_ns() + (until_us - clock_now_us()) * 1000;
    bool closing;

    mutex_lock(&st->lock);
    while (!st->closing && cond_wait_until(&st->scrub_work, &st->lock, deadline_ns)) {}
    closing = st->closing;
    mutex_unlock(&st->lock);
    return !closing;
}

void store__scrub(void *storage_context)
{
    storage *st = storage_context;
    char *allocation;
    bool goes_on = true;
    scrubbing s;

    init(&s, st, &allocation);
    s.rate_bytes = st->options.scrub_bytes_per_second;
    goes_on = state_read(st->state, load_place, &s, NULL) == STATUS_OK;
    while (goes_on) {
        if (s.at.text[0] == '\0') { /* between passes */
            if (!wait_until_us(st, s.began_us == 0 ? 0 : s.began_us + PASS_US)) {
                break;
            }
            s.began_us = clock_now_us();
        }
        goes_on = run_pass(&s);
        if (goes_on) {
            s.at = (blob_id){.text = ""};
        }
        save(&s);
    }
    mem_free(allocation);
}

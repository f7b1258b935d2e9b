/* Reading: the same for every store, verified where the store keeps checksums.
 *
 * A block is compared with its checksum the first time that it is read since start; what all
 * readers of a blob know of it is one blob_info. When every block was compared, the blob is
 * remembered as verified, and its descriptor may go to sendfile. Bytes are immutable, so this
 * stays true until the process ends. */
#include <inttypes.h>
#include <stdio.h>

#include "bytes.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"
#include "tarn/codec/checksum.h"

#define VERIFIED_MAX ((size_t)200000) /* blobs remembered; then it starts again */

struct blob_info {
    bytes_id id;
    int users; /* storage.lock */
    str crcs;
    arena *memory;
    size_t block_count;
    mutex lock; /* below */
    uint8_t *verified;
    size_t verified_count;
};

struct store_reader {
    storage *st;
    arena *memory;
    str location;
    int64_t size_bytes;
    int64_t start; /* of the object in its file */
    int fd;
    bool packed;       /* its file holds others, too */
    blob_info *info;   /* NULL: no checksums */
    bool whole;        /* all is verified */
    seal_reader *seal; /* encrypted bytes: each block is verified by its tag whenever it is read */
    bytes_id id;       /* of these */
};

/* --- what is known of a blob --- */

bytes_id store__bytes_id(blob_id id, bool packed, int64_t offset)
{
    bytes_id bytes = {.text = ""};

    (void)snprintf(bytes.text, sizeof(bytes.text), packed ? "%s+%" PRId64 : "%s", id.text, offset);
    return bytes;
}

static blob_info *new_info(const store_source *source, bytes_id id)
{
    arena *memory = arena_create();
    blob_info *info = ARENA_NEW(memory, blob_info);

    info->memory = memory;
    info->id = id;
    info->crcs = source->crcs.size > 0 ? str_copy(memory, source->crcs) : STR("");
    info->block_count = source->crcs.size / 4;
    info->verified = arena_alloc(memory, info->block_count);
    mutex_init(&info->lock);
    return info;
}

static blob_info *enter_info(storage *st, const store_source *source)
{
    bytes_id id = store__bytes_id(source->id, source->packed, source->offset);
    blob_info *info;

    mutex_lock(&st->lock);
    info = map_get(st->infos, str_c(id.text));
    if (info == NULL) {
        info = new_info(source, id);
        (void)map_set(st->infos, str_c(info->id.text), info);
    }
    info->users++;
    mutex_unlock(&st->lock);
    return info;
}

static void leave_info(storage *st, blob_info *info)
{
    bool last;

    mutex_lock(&st->lock);
    last = --info->users == 0;
    if (last) {
        (void)map_remove(st->infos, str_c(info->id.text));
    }
    mutex_unlock(&st->lock);
    if (last) {
        mutex_release(&info->lock);
        arena_free(info->memory);
    }
}

static bool is_verified(storage *st, bytes_id id)
{
    bool verified;

    mutex_lock(&st->lock);
    verified = map_has(st->verified, str_c(id.text));
    mutex_unlock(&st->lock);
    return verified;
}

static void note_verified(storage *st, bytes_id id)
{
    mutex_lock(&st->lock);
    if (map_count(st->verified) >= VERIFIED_MAX) {
        map_free(st->verified);
        st->verified = map_create(NULL);
    }
    (void)map_set(st->verified, str_c(id.text), st);
    mutex_unlock(&st->lock);
}

void store__note_corrupt(storage *st, bytes_id id)
{
    mutex_lock(&st->lock);
    (void)map_set(st->corrupt, str_c(id.text), st);
    (void)map_remove(st->verified, str_c(id.text));
    mutex_unlock(&st->lock);
}

void store__forget_blob(storage *st, blob_id id)
{
    map_entry entry;

    mutex_lock(&st->lock);
    for (size_t at = 0; map_next(st->corrupt, &at, &entry);) {
        if (str_starts_with(entry.key, str_c(id.text))) {
            (void)map_remove(st->corrupt, entry.key);
        }
    }
    (void)map_remove(st->verified, str_c(id.text));
    mutex_unlock(&st->lock);
}

/* --- opening --- */

status store__reader_over(storage *st, arena *memory, const store_source *source,
                          store_reader **ret_reader)
{
    store_reader *r = ARENA_NEW(memory, store_reader);

    r->st = st;
    r->memory = memory;
    r->location = source->object.location;
    r->size_bytes = source->object.size_bytes;
    r->start = source->offset;
    r->fd = source->fd;
    r->packed = source->packed;
    if (!str_is_empty(source->seal)) {
        r->id = store__bytes_id(source->id, false, 0);
        *ret_reader = r;
        return store__seal_open(st, source->seal, &r->seal, NULL);
    }
    r->whole = str_is_empty(source->crcs) ||
               (!source->packed && is_verified(st, store__bytes_id(source->id, false, 0)));
    r->info = r->whole ? NULL : enter_info(st, source);
    *ret_reader = r;
    return STATUS_OK;
}

status store_open_reader(storage *st, str location, store_reader **ret_reader, error *err)
{
    const store_ops *ops = store__ops_for(st, location, err);
    store_source source = {.fd = -1};
    arena *memory;
    status opened;

    if (ops == NULL) {
        return STATUS_INVALID;
    }
    memory = arena_create();
    opened = ops->open(st, location, memory, &source, err);
    if (opened == STATUS_OK && store__reader_over(st, memory, &source, ret_reader) != STATUS_OK) {
        fs_close(source.fd);
        opened =
            error_set(err, STATUS_CORRUPT, "object \"%.*s\" has lost its keys", STR_ARG(location));
    }
    if (opened != STATUS_OK) {
        arena_free(memory);
    }
    return opened;
}

void store_reader_close(store_reader *r)
{
    if (r == NULL) {
        return;
    }
    if (r->info != NULL) {
        leave_info(r->st, r->info);
    }
    store__seal_close(r->seal);
    fs_close(r->fd);
    arena_free(r->memory);
}

int64_t store_reader_size(const store_reader *r)
{
    return r->size_bytes;
}

int store_reader_fd(const store_reader *r)
{
    return r->fd;
}

int64_t store_reader_start(const store_reader *r)
{
    return r->start;
}

static bool knows_all(blob_info *info)
{
    bool all;

    mutex_lock(&info->lock);
    all = info->verified_count == info->block_count;
    mutex_unlock(&info->lock);
    return all;
}

bool store_reader_verified(const store_reader *r)
{
    if (r->seal != NULL) {
        return false; /* what the file holds is not what is read */
    }
    return r->whole || (r->packed ? knows_all(r->info) : is_verified(r->st, r->info->id));
}

/* --- blocks --- */

static status check_block(store_reader *r, size_t block, const void *bytes, size_t size_bytes,
                          error *err)
{
    blob_info *info = r->info;
    bool all;

    if (checksum_crc32c(0, bytes, size_bytes) != store__crc_at(info->crcs, block)) {
        store__note_corrupt(r->st, info->id);
        return error_set(
            err, STATUS_CORRUPT,
            "object \"%.*s\" is corrupt: block %zu (bytes %zu to %zu) does not match its checksum",
            STR_ARG(r->location), block, block * STORE_BLOCK_BYTES,
            block * STORE_BLOCK_BYTES + size_bytes - 1);
    }
    mutex_lock(&info->lock);
    if (!info->verified[block]) {
        info->verified[block] = 1;
        info->verified_count++;
    }
    all = info->verified_count == info->block_count;
    mutex_unlock(&info->lock);
    if (all && !r->packed) {
        note_verified(r->st, info->id);
    }
    return STATUS_OK;
}

static size_t block_size(const store_reader *r, size_t block)
{
    int64_t left = r->size_bytes - (int64_t)(block * STORE_BLOCK_BYTES);

    return left < (int64_t)STORE_BLOCK_BYTES ? (size_t)left : STORE_BLOCK_BYTES;
}

static bool is_block_known(store_reader *r, size_t block)
{
    bool known;

    mutex_lock(&r->info->lock);
    known = r->info->verified[block] != 0;
    mutex_unlock(&r->info->lock);
    return known;
}

static status truncated(const store_reader *r, error *err)
{
    if (r->info != NULL) {
        store__note_corrupt(r->st, r->info->id);
    }
    return error_set(err, STATUS_CORRUPT,
                     "object \"%.*s\" is corrupt: its file is shorter than %" PRId64 " bytes",
                     STR_ARG(r->location), r->size_bytes);
}

static status read_exactly(const store_reader *r, void *to, size_t size_bytes, int64_t offset,
                           error *err)
{
    size_t got;

    TRY(fs_pread(r->fd, to, size_bytes, r->start + offset, &got, err));
    return got == size_bytes ? STATUS_OK : truncated(r, err);
}

/* A part of one block: the whole of it is read and compared, once. */
static status read_part(store_reader *r, char *to, size_t size_bytes, int64_t offset, error *err)
{
    size_t block = (size_t)(offset / (int64_t)STORE_BLOCK_BYTES);
    int64_t begin = (int64_t)(block * STORE_BLOCK_BYTES);
    size_t whole = block_size(r, block);
    status read;
    char *bytes;

    if (is_block_known(r, block)) {
        return read_exactly(r, to, size_bytes, offset, err);
    }
    bytes = mem_alloc(STORE_BLOCK_BYTES);
    read = read_exactly(r, bytes, whole, begin, err);
    if (read == STATUS_OK) {
        read = check_block(r, block, bytes, whole, err);
    }
    if (read == STATUS_OK) {
        memcpy(to, bytes + (offset - begin), size_bytes);
    }
    mem_free(bytes);
    return read;
}

/* Whole blocks, straight into the caller's memory. */
static status read_blocks(store_reader *r, char *to, size_t size_bytes, int64_t offset, error *err)
{
    size_t block = (size_t)(offset / (int64_t)STORE_BLOCK_BYTES);

    TRY(read_exactly(r, to, size_bytes, offset, err));
    for (size_t at = 0; at < size_bytes; at += STORE_BLOCK_BYTES, block++) {
        TRY(check_block(r, block, to + at, block_size(r, block), err));
    }
    return STATUS_OK;
}

static status read_verified(store_reader *r, char *to, size_t size_bytes, int64_t offset,
                            error *err)
{
    while (size_bytes > 0) {
        size_t inside = (size_t)(offset % (int64_t)STORE_BLOCK_BYTES);
        bool to_end = offset + (int64_t)size_bytes == r->size_bytes;
        size_t step = STORE_BLOCK_BYTES - inside;

        if (inside == 0 && (size_bytes >= STORE_BLOCK_BYTES || to_end)) {
            step = to_end ? size_bytes : size_bytes - size_bytes % STORE_BLOCK_BYTES;
            TRY(read_blocks(r, to, step, offset, err));
        } else {
            step = size_bytes < step ? size_bytes : step;
            TRY(read_part(r, to, step, offset, err));
        }
        to += step;
        offset += (int64_t)step;
        size_bytes -= step;
    }
    return STATUS_OK;
}

static status read_sealed(store_reader *r, void *to, size_t size_bytes, int64_t offset, error *err)
{
    status read = store__seal_read(r->seal, r->fd, r->start, to, size_bytes, offset, err);

    if (read == STATUS_CORRUPT) {
        store__note_corrupt(r->st, r->id);
        error_context(err, "object \"%.*s\" is corrupt", STR_ARG(r->location));
    }
    return read;
}

status store_reader_read(store_reader *r, void *ret_bytes, size_t size_bytes, int64_t offset,
                         size_t *ret_size, error *err)
{
    int64_t left = r->size_bytes - offset;
    size_t wanted;

    if (offset < 0) {
        return error_set(err, STATUS_RANGE, "offset %" PRId64 " is negative", offset);
    }
    wanted = left <= 0 ? 0 : (int64_t)size_bytes < left ? size_bytes : (size_t)left;
    if (r->seal != NULL) {
        TRY(read_sealed(r, ret_bytes, wanted, offset, err));
    } else if (r->whole) {
        TRY(read_exactly(r, ret_bytes, wanted, offset, err));
    } else {
        TRY(read_verified(r, ret_bytes, wanted, offset, err));
    }
    *ret_size = wanted;
    return STATUS_OK;
}

status store__read_whole(store_reader *r, size_t size_max_bytes, arena *a, str *ret_bytes,
                         error *err)
{
    size_t size = (size_t)r->size_bytes;
    buf *bytes;
    size_t got;

    if (r->size_bytes < 0 || (uint64_t)r->size_bytes > size_max_bytes) {
        return error_set(err, STATUS_TOO_LARGE,
                         "object \"%.*s\" has %" PRId64 " bytes, more than %zu",
                         STR_ARG(r->location), r->size_bytes, size_max_bytes);
    }
    bytes = buf_in(a, size_max_bytes);
    if (size > 0 && buf_reserve(bytes, size) == NULL) {
        return buf_check(bytes, "object", err);
    }
    if (size > 0) {
        TRY(store_reader_read(r, bytes->data, size, 0, &got, err));
        buf_commit(bytes, size);
    }
    *ret_bytes = size > 0 ? buf_str(bytes) : STR("");
    return STATUS_OK;
}

status store_read_all(storage *st, str location, size_t size_max_bytes, arena *a, str *ret_bytes,
                      error *err)
{
    store_reader *r;
    status read;

    TRY(store_open_reader(st, location, &r, err));
    read = store__read_whole(r, size_max_bytes, a, ret_bytes, err);
    store_reader_close(r);
    return read;
}

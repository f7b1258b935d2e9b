/* Several small objects in one file: what is staged together, is published together, and is read by tarn itself (a
 * commit's manifests, list and metadata) costs one file, one name and one sync. Each object, a part, begins with a
 * block of its own, so that each is verified by itself; the blob's row keeps the sizes of the parts, its names those of
 * all.
 *
 * The file belongs to a staged object that no caller sees, the carrier. It lives as long as one of its parts is staged;
 * with the last of them the file goes, unless one was published. From then on the row of the blob counts its owners. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "internal.h"
#include "tarn/base/fs.h"
#include "tarn/base/rng.h"

bool store__fits_pack(const store_stage_request *request)
{
    return request->shares_file && request->path == NULL && request->bytes.size > 0 &&
           request->bytes.size <= STORE_PART_BYTES_MAX && !store_is_local(request->location);
}

/* --- the layout, as the row of a blob keeps it --- */

size_t store__part_count(str parts)
{
    return parts.size / 4;
}

size_t store__blocks_of(int64_t size_bytes)
{
    return (size_t)((size_bytes + (int64_t)STORE_BLOCK_BYTES - 1) / (int64_t)STORE_BLOCK_BYTES);
}

bool store__next_part(str parts, blob_part *part)
{
    size_t index = part->count;

    if (index >= store__part_count(parts)) {
        return false;
    }
    part->offset += part->size_bytes;
    part->first_block += store__blocks_of(part->size_bytes);
    part->size_bytes = (int64_t)store__crc_at(parts, index);
    part->count++;
    return true;
}

bool store__part_at(str parts, int64_t offset, blob_part *ret_part)
{
    blob_part part = {0};

    while (store__next_part(parts, &part)) {
        if (part.offset == offset) {
            *ret_part = part;
            return true;
        }
    }
    return false;
}

/* --- staged parts --- */

static void free_carrier(storage *st, store_staged *carrier, bool keep)
{
    if (!keep) {
        carrier->ops->end(st, carrier, STATE_ROLLED_BACK);
    }
    store__staged_free(carrier);
}

void store__leave_pack(storage *st, store_staged *part, state_outcome outcome)
{
    store_staged *carrier = part->carrier;
    bool last;
    bool keep;

    mutex_lock(&st->lock);
    if (outcome == STATE_ROLLED_BACK) {
        carrier->published_in = NULL;
    } else {
        carrier->keeps = true;
    }
    last = --carrier->part_users == 0;
    keep = carrier->keeps;
    mutex_unlock(&st->lock);
    if (last) {
        free_carrier(st, carrier, keep);
    }
}

status store__enter_publication(storage *st, const store_staged *part, const state_txn *txn,
                                error *err)
{
    store_staged *carrier = part->carrier;
    bool other;

    mutex_lock(&st->lock);
    other = carrier->keeps || (carrier->published_in != NULL && carrier->published_in != txn);
    carrier->published_in = other ? carrier->published_in : txn;
    mutex_unlock(&st->lock);
    if (other) { /* its blob may have lost its row by now, and with it the file */
        return error_set(
            err, STATUS_INTERNAL,
            "object \"%.*s\" lies in one file with others that were published before it",
            STR_ARG(part->location));
    }
    return STATUS_OK;
}

static status add_part(store_staged *carrier, const store_stage_request *request, buf *bytes,
                       buf *crcs, buf *sizes, error *err)
{
    store_staged *part;
    block_hash h;
    status hashed;

    TRY(store__staged_new(carrier->st, request->location, request->content_type, &part, err));
    part->carrier = carrier;
    part->id = carrier->id;
    part->offset = (int64_t)bytes->size;
    part->size_bytes = (int64_t)request->bytes.size;
    part->etag = store__etag_of_bytes(part->memory, request->bytes);
    carrier->parts[carrier->part_count++] = part;
    carrier->part_users++;
    block_hash_init(&h);
    block_hash_add(&h, request->bytes.data, request->bytes.size);
    hashed = block_hash_finish(&h, part->memory, &part->crcs, err);
    block_hash_release(&h);
    TRY(hashed);
    buf_add_str(bytes, request->bytes);
    buf_add_str(crcs, part->crcs);
    buf_add_u32le(sizes, (uint32_t)request->bytes.size);
    return STATUS_OK;
}

static status fill(store_staged *carrier, const store_stage_request *const *requests, size_t count,
                   error *err)
{
    storage *st = carrier->st;
    buf *bytes = buf_in(carrier->memory, STORE_PARTS_MAX * STORE_PART_BYTES_MAX);
    buf *crcs = buf_in(carrier->memory, STORE_CRCS_MAX);
    buf *sizes = buf_in(carrier->memory, STORE_CRCS_MAX);

    TRY(carrier->ops->create(st, carrier, 0, err));
    for (size_t i = 0; i < count; i++) {
        TRY(add_part(carrier, requests[i], bytes, crcs, sizes, err));
    }
    TRY(buf_check(bytes, "small objects", err));
    TRY(fs_pwrite_all(carrier->fd, bytes->data, bytes->size, 0, err));
    carrier->size_bytes = (int64_t)bytes->size;
    carrier->crcs = buf_str(crcs);
    carrier->sizes = buf_str(sizes);
    return carrier->ops->seal(st, carrier, err);
}

/* The last part takes the carrier along. */
static void discard_parts(storage *st, store_staged *carrier)
{
    store_staged **parts = carrier->parts;
    size_t count = carrier->part_count;

    if (count == 0) {
        free_carrier(st, carrier, false);
    }
    for (size_t i = count; i > 0; i--) {
        store_discard(st, parts[i - 1]);
    }
}

status store__stage_pack(storage *st, const store_stage_request *const *requests, size_t count,
                         store_staged **ret_parts, store_staged **ret_carrier, error *err)
{
    store_staged *carrier;
    status filled;

    ASSERT(count > 0 && count <= STORE_PARTS_MAX);
    TRY(store__staged_new(st, requests[0]->location, STR_NULL, &carrier, err));
    carrier->parts = ARENA_ARRAY(carrier->memory, store_staged *, count);
    filled = fill(carrier, requests, count, err);
    if (filled == STATUS_OK) {
        memcpy(ret_parts, carrier->parts, count * sizeof(*ret_parts));
        *ret_carrier = carrier;
        return STATUS_OK;
    }
    error_context(err, "could not store \"%.*s\"", STR_ARG(requests[0]->location));
    discard_parts(st, carrier);
    return filled;
}

/* --- a part outside of its pack --- */

static status write_named(int fd, const char *path, str bytes, error *err)
{
    TRY(fs_pwrite_all(fd, bytes.data, bytes.size, 0, err));
    if (fchmod(fd, 0400) != 0) {
        return error_errno(err, STATUS_IO, errno, "could not protect file \"%s\"", path);
    }
    return fs_link_fd(fd, path, err);
}

status store__write_copy(const char *folder, const char *path, str bytes, error *err)
{
    arena *scratch = arena_create();
    char *beside = NULL;
    status written;
    int fd = -1;

    written = fs_open(folder, O_TMPFILE | O_RDWR, 0600, &fd, err);
    if (written == STATUS_UNSUPPORTED ||
        written == STATUS_INVALID) { /* a file system without unnamed files */
        beside = arena_printf(scratch, "%s/.%016" PRIx64, folder, random_u64());
        written = fs_open(beside, O_RDWR | O_CREAT | O_EXCL, 0600, &fd, err);
    }
    if (written == STATUS_OK) {
        written = write_named(fd, path, bytes, err);
    }
    fs_close(fd);
    if (beside != NULL) {
        (void)fs_remove(beside, NULL);
    }
    arena_free(scratch);
    return written;
}

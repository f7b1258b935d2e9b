/* Objects that arrive in parts, in any order, from several threads.
 *
 * The first part to arrive establishes a part size S. The first upload of part n with exactly S
 * bytes is written where it will stay, at (n - 1) * S of the object's file. Every other part
 * (the short last one, a repetition, one of another size) becomes a file of its own and is
 * copied at completion, so that the usual upload copies its last part alone. Where the completed
 * list is not 1, 2, 3 … of that size, all parts are copied into a file of their own order. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "internal.h"
#include "tarn/base/fs.h"
#include "tarn/codec/checksum.h"

#define PARTS_MAX 10000
#define MD5_SIZE 16

typedef struct part {
    bool present;
    bool in_place;
    bool claimed; /* its place was given to an upload, whether that succeeded or not */
    int64_t size_bytes;
    char *path; /* of its own file; NULL in place */
    uint8_t md5[MD5_SIZE];
    str crcs; /* in place, where S is a number of whole blocks */
} part;

struct store_multipart {
    store_staged *staged; /* its file holds the parts in place */
    mutex lock;           /* all below, and staged->memory */
    int64_t part_size;    /* S; 0 before the first part */
    part parts[PARTS_MAX];
};

status store_multipart_begin(storage *st, str location, str content_type,
                             store_multipart **ret_upload, error *err)
{
    store_multipart *upload;
    store_staged *staged;
    status created;

    TRY(store__staged_new(st, location, content_type, &staged, err));
    created = staged->ops->create(st, staged, 0, err);
    if (created != STATUS_OK) {
        store_discard(st, staged);
        return created;
    }
    upload = NEW(store_multipart);
    upload->staged = staged;
    mutex_init(&upload->lock);
    *ret_upload = upload;
    return STATUS_OK;
}

static void free_upload(store_multipart *upload)
{
    for (size_t i = 0; i < PARTS_MAX; i++) {
        if (upload->parts[i].path != NULL) {
            (void)fs_remove(upload->parts[i].path, NULL);
        }
    }
    mutex_release(&upload->lock);
    mem_free(upload);
}

void store_multipart_abort(store_multipart *upload)
{
    if (upload != NULL) {
        store_staged *staged = upload->staged;

        free_upload(upload);
        store_discard(staged->st, staged);
    }
}

/* --- a part --- */

static status write_in_place(store_multipart *upload, int number, str bytes, part *p, error *err)
{
    int64_t offset = (int64_t)(number - 1) * upload->part_size;

    TRY(fs_pwrite_all(upload->staged->fd, bytes.data, bytes.size, offset, err));
    store__start_writeback(upload->staged->fd, offset, (int64_t)bytes.size);
    if (bytes.size % STORE_BLOCK_BYTES == 0) {
        block_hash h;
        status hashed;

        block_hash_init(&h);
        block_hash_add(&h, bytes.data, bytes.size);
        mutex_lock(&upload->lock);
        hashed = block_hash_finish(&h, upload->staged->memory, &p->crcs, err);
        mutex_unlock(&upload->lock);
        block_hash_release(&h);
        return hashed;
    }
    return STATUS_OK;
}

static status write_aside(store_multipart *upload, str bytes, part *p, error *err)
{
    status written;
    int fd;

    mutex_lock(&upload->lock);
    written = store_staging_path(upload->staged->st, upload->staged->memory, &p->path, err);
    mutex_unlock(&upload->lock);
    TRY(written);
    TRY(fs_open(p->path, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, err));
    written = fs_write_all(fd, bytes.data, bytes.size, err);
    fs_close(fd);
    return written;
}

status store_multipart_part(store_multipart *upload, int number, str bytes, error *err)
{
    part new_part = {.present = true, .size_bytes = (int64_t)bytes.size};
    uint8_t md5[DIGEST_SIZE_MAX];
    char *replaced;
    part *p;

    if (number < 1 || number > PARTS_MAX) {
        return error_set(err, STATUS_INVALID, "part number %d is not from 1 to %d", number,
                         PARTS_MAX);
    }
    p = &upload->parts[number - 1];
    mutex_lock(&upload->lock);
    if (upload->part_size == 0) {
        upload->part_size = (int64_t)bytes.size;
    }
    new_part.in_place = bytes.size > 0 && !p->claimed && (int64_t)bytes.size == upload->part_size;
    new_part.claimed = p->claimed || new_part.in_place;
    p->claimed = new_part.claimed;
    mutex_unlock(&upload->lock);

    TRY(new_part.in_place ? write_in_place(upload, number, bytes, &new_part, err)
                          : write_aside(upload, bytes, &new_part, err));
    digest(DIGEST_MD5, bytes, md5);
    memcpy(new_part.md5, md5, sizeof(new_part.md5));

    mutex_lock(&upload->lock);
    replaced = p->path;
    new_part.claimed = p->claimed;
    *p = new_part;
    mutex_unlock(&upload->lock);
    if (replaced != NULL) {
        (void)fs_remove(replaced, NULL);
    }
    return STATUS_OK;
}

/* --- completion --- */

static status check_list(const store_multipart *upload, const int *numbers, size_t count,
                         error *err)
{
    int before = 0;

    if (count == 0 || count > PARTS_MAX) {
        return error_set(err, STATUS_INVALID, "an upload is completed from 1 to %d parts, not %zu",
                         PARTS_MAX, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] <= before || numbers[i] > PARTS_MAX) {
            return error_set(err, STATUS_INVALID, "part number %d is out of order", numbers[i]);
        }
        if (!upload->parts[numbers[i] - 1].present) {
            return error_set(err, STATUS_INVALID, "part %d was not uploaded", numbers[i]);
        }
        before = numbers[i];
    }
    return STATUS_OK;
}

/* Whether each part but the last has its place at a multiple of S, and the last begins at one. */
static bool lies_in_order(const store_multipart *upload, const int *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const part *p = &upload->parts[numbers[i] - 1];

        if (numbers[i] != (int)i + 1 || (i + 1 < count && p->size_bytes != upload->part_size)) {
            return false;
        }
    }
    return true;
}

static status copy_part(const store_multipart *upload, const part *p, int number, int to,
                        int64_t offset, char *chunk, error *err)
{
    int64_t from_offset = p->in_place ? (int64_t)(number - 1) * upload->part_size : 0;
    int64_t left = p->size_bytes;
    int from = upload->staged->fd;
    status copied = p->in_place ? STATUS_OK : fs_open(p->path, O_RDONLY, 0, &from, err);

    TRY(copied);
    while (copied == STATUS_OK && left > 0) {
        size_t step = left < (int64_t)STORE_CHUNK_BYTES ? (size_t)left : STORE_CHUNK_BYTES;

        copied = fs_pread_all(from, chunk, step, from_offset, err);
        if (copied == STATUS_OK) {
            copied = fs_pwrite_all(to, chunk, step, offset, err);
        }
        from_offset += (int64_t)step;
        offset += (int64_t)step;
        left -= (int64_t)step;
    }
    if (!p->in_place) {
        fs_close(from);
    }
    return copied;
}

/* Copies into the object's file what does not lie there yet; `*ret_size` is where the object
 * ends. */
static status fill_in(store_multipart *upload, const int *numbers, size_t count, char *chunk,
                      int64_t *ret_size, error *err)
{
    int64_t offset = 0;

    for (size_t i = 0; i < count; i++) {
        const part *p = &upload->parts[numbers[i] - 1];

        if (!p->in_place) {
            TRY(copy_part(upload, p, numbers[i], upload->staged->fd, offset, chunk, err));
        }
        offset += p->size_bytes;
    }
    if (ftruncate(upload->staged->fd, (off_t)offset) != 0) {
        return error_errno(err, STATUS_IO, errno, "could not cut the file of an upload");
    }
    *ret_size = offset;
    return STATUS_OK;
}

/* All parts into another file, which takes the place of the first one. */
static status rewrite(store_multipart *upload, const int *numbers, size_t count, char *chunk,
                      int64_t *ret_size, error *err)
{
    store_staged *old = upload->staged;
    store_staged *staged;
    int64_t offset = 0;
    status done;

    TRY(store__staged_new(old->st, old->location, old->content_type, &staged, err));
    done = staged->ops->create(old->st, staged, 0, err);
    for (size_t i = 0; i < count && done == STATUS_OK; i++) {
        const part *p = &upload->parts[numbers[i] - 1];

        done = copy_part(upload, p, numbers[i], staged->fd, offset, chunk, err);
        offset += p->size_bytes;
    }
    if (done != STATUS_OK) {
        store_discard(staged->st, staged);
        return done;
    }
    for (size_t i = 0; i < PARTS_MAX; i++) { /* paths lie in the memory of what goes now */
        if (upload->parts[i].path != NULL) {
            (void)fs_remove(upload->parts[i].path, NULL);
            upload->parts[i].path = NULL;
        }
        upload->parts[i].crcs = STR_NULL;
    }
    store_discard(old->st, old);
    upload->staged = staged;
    *ret_size = offset;
    return STATUS_OK;
}

/* From the parts' own lists where each is of whole blocks; else the file is read again. */
static status collect_crcs(store_multipart *upload, const int *numbers, size_t count, error *err)
{
    store_staged *staged = upload->staged;
    int64_t size_bytes;
    bool known = true;
    buf crcs;

    buf_init(&crcs, STORE_CRCS_MAX);
    for (size_t i = 0; i < count && known; i++) {
        const part *p = &upload->parts[numbers[i] - 1];

        known = p->in_place && p->crcs.size > 0;
        buf_add_str(&crcs, p->crcs);
    }
    if (known && !crcs.failed) {
        staged->crcs = str_copy(staged->memory, buf_str(&crcs));
        buf_release(&crcs);
        return STATUS_OK;
    }
    buf_release(&crcs);
    return store__hash_file(staged->fd, staged->memory, &staged->crcs, &size_bytes, err);
}

/* S3's rule: the MD5 of the parts' MD5s, and how many they were. */
static str etag_of_parts(const store_multipart *upload, const int *numbers, size_t count, arena *a)
{
    digester *d = digester_create(DIGEST_MD5);
    uint8_t md5[DIGEST_SIZE_MAX];

    for (size_t i = 0; i < count; i++) {
        digester_add(d, upload->parts[numbers[i] - 1].md5, MD5_SIZE);
    }
    digester_finish(d, md5);
    return str_printf(a, "%.*s-%zu", STR_ARG(store__etag_of_digest(a, md5)), count);
}

static status complete(store_multipart *upload, const int *numbers, size_t count, char *chunk,
                       error *err)
{
    int64_t size_bytes;

    TRY(check_list(upload, numbers, count, err));
    if (lies_in_order(upload, numbers, count)) {
        TRY(fill_in(upload, numbers, count, chunk, &size_bytes, err));
        TRY(collect_crcs(upload, numbers, count, err));
    } else {
        TRY(rewrite(upload, numbers, count, chunk, &size_bytes, err));
        TRY(store__hash_file(upload->staged->fd, upload->staged->memory, &upload->staged->crcs,
                             &size_bytes, err));
    }
    upload->staged->size_bytes = size_bytes;
    upload->staged->etag = etag_of_parts(upload, numbers, count, upload->staged->memory);
    return STATUS_OK;
}

status store_multipart_complete(store_multipart *upload, const int *numbers, size_t count,
                                store_staged **ret_staged, error *err)
{
    char *chunk = mem_alloc(STORE_CHUNK_BYTES);
    status completed = complete(upload, numbers, count, chunk, err);
    store_staged *staged = upload->staged;

    mem_free(chunk);
    free_upload(upload);
    if (completed != STATUS_OK) {
        store_discard(staged->st, staged);
        return completed;
    }
    TRY(store__finish(staged, err));
    *ret_staged = staged;
    return STATUS_OK;
}

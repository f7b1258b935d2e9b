/* Bytes that come in: one stream, an object's or a part's, to the disk.
 *
 * Three buffers take turns. A full one is written by the caller's thread, which computes its blocks' checksums, the
 * client's checksum and the encryption on the way; its MD5, which is slower than all of that, is computed by another
 * thread, and the caller waits for it only where no buffer is free. What fits the first buffer needs no other thread,
 * and where it is small no file. */
#include "bytes.h"
#include "tarn/base/fs.h"

/* --- the beginning and the end --- */

static void begin_sums(intake *in, const intake_options *options)
{
    in->kind = options->kind == CHECKSUM_NONE ? CHECKSUM_CRC64NVME : options->kind;
    in->with_crc64 = options->with_crc64;
    in->md5 = digester_create(DIGEST_MD5);
    if (in->kind == CHECKSUM_SHA1 || in->kind == CHECKSUM_SHA256) {
        in->sums = digester_create(in->kind == CHECKSUM_SHA1 ? DIGEST_SHA1 : DIGEST_SHA256);
    }
}

status store__intake_begin(intake *in, storage *st, const intake_options *options, error *err)
{
    int64_t size = options->size_bytes;

    *in = (intake){.st = st, .open = options->open, .context = options->context};
    if (options->encrypted) {
        TRY(store__seal_key(st, &in->key, in->wrapped, err));
    }
    in->capacity =
        size >= 0 && size < (int64_t)INTAKE_BUFFER_BYTES ? (size_t)size + 1 : INTAKE_BUFFER_BYTES;
    in->buffers[0] = mem_alloc(in->capacity);
    if (in->key != NULL) {
        in->sealed =
            mem_alloc(in->capacity + (in->capacity / STORE_BLOCK_BYTES + 1) * CIPHER_TAG_BYTES);
    }
    block_hash_init(&in->blocks);
    error_clear(&in->failure);
    begin_sums(in, options);
    mutex_init(&in->lock);
    cond_init(&in->idle);
    return STATUS_OK;
}

static void wait_for_md5(intake *in)
{
    mutex_lock(&in->lock);
    while (in->hashing || in->waiting > 0) {
        cond_wait(&in->idle, &in->lock);
    }
    mutex_unlock(&in->lock);
}

void store__intake_release(intake *in)
{
    wait_for_md5(in);
    cipher_free(in->key);
    digester_free(in->md5);
    digester_free(in->sums);
    block_hash_release(&in->blocks);
    for (size_t i = 0; i < INTAKE_BUFFERS; i++) {
        mem_free(in->buffers[i]);
    }
    mem_free(in->sealed);
    cond_release(&in->idle);
    mutex_release(&in->lock);
}

/* --- MD5, beside --- */

/* In the order in which they were filled. */
static void run_md5(void *context)
{
    intake *in = context;

    mutex_lock(&in->lock);
    while (in->waiting > 0) {
        const char *bytes = in->buffers[in->first];
        size_t size = in->sizes[in->first];

        mutex_unlock(&in->lock);
        digester_add(in->md5, bytes, size);
        mutex_lock(&in->lock);
        in->first = (in->first + 1) % INTAKE_BUFFERS;
        in->waiting--;
        cond_signal(&in->idle);
    }
    in->hashing = false;
    cond_signal(&in->idle);
    mutex_unlock(&in->lock);
}

static void start_md5(intake *in)
{
    bool start;

    mutex_lock(&in->lock);
    in->sizes[in->current] = in->filled;
    in->waiting++;
    start = !in->hashing;
    in->hashing = true;
    mutex_unlock(&in->lock);
    if (start && pool_run(in->st->hashers, run_md5, in, NULL) != STATUS_OK) {
        run_md5(in); /* nobody is free: here, then */
    }
}

/* The next buffer, when its bytes have their MD5. */
static void next_buffer(intake *in)
{
    in->current = (in->current + 1) % INTAKE_BUFFERS;
    in->filled = 0;
    mutex_lock(&in->lock);
    while (in->waiting == INTAKE_BUFFERS) {
        cond_wait(&in->idle, &in->lock);
    }
    mutex_unlock(&in->lock);
    if (in->buffers[in->current] == NULL) {
        in->buffers[in->current] = mem_alloc(in->capacity);
    }
}

/* --- a buffer's bytes --- */

static void add_sums(intake *in, str bytes)
{
    switch (in->kind) {
    case CHECKSUM_CRC32:
        in->crc32 = checksum_crc32(in->crc32, bytes.data, bytes.size);
        break;
    case CHECKSUM_CRC32C:
        in->crc32 = checksum_crc32c(in->crc32, bytes.data, bytes.size);
        break;
    case CHECKSUM_SHA1:
    case CHECKSUM_SHA256:
        digester_add(in->sums, bytes.data, bytes.size);
        break;
    default:
        break;
    }
    if (in->with_crc64 || in->kind == CHECKSUM_CRC64NVME) {
        in->crc64 = checksum_crc64nvme(in->crc64, bytes.data, bytes.size);
    }
}

/* As it lies on the disk. */
static status seal(intake *in, str bytes, str *ret_bytes, error *err)
{
    size_t size;

    if (in->key == NULL) {
        *ret_bytes = bytes;
        return STATUS_OK;
    }
    TRY(store__seal_blocks(in->key, in->size_bytes / (int64_t)STORE_BLOCK_BYTES, bytes, in->sealed,
                           &size, err));
    *ret_bytes = str_from(in->sealed, size);
    return STATUS_OK;
}

static status write_bytes(intake *in, str bytes, error *err)
{
    if (!in->opened) {
        TRY(in->open(in->context, &in->target, err));
        in->opened = true;
    }
    TRY(fs_pwrite_all(in->target.fd, bytes.data, bytes.size, in->target.offset + in->disk_bytes,
                      err));
    return STATUS_OK;
}

static void start_writeback(intake *in)
{
    if (in->disk_bytes - in->written_back >= STORE_WRITEBACK_BYTES) {
        store__start_writeback(in->target.fd, in->target.offset + in->written_back,
                               in->disk_bytes - in->written_back);
        in->written_back = in->disk_bytes;
    }
}

/* Checksums and, unless it stays in memory, the file. */
static status flush(intake *in, bool to_file, error *err)
{
    str plain = str_from(in->buffers[in->current], in->filled);
    str bytes;

    add_sums(in, plain);
    TRY(seal(in, plain, &bytes, err));
    if (to_file) {
        TRY(write_bytes(in, bytes, err));
    }
    block_hash_add(&in->blocks, bytes.data, bytes.size);
    in->size_bytes += (int64_t)plain.size;
    in->disk_bytes += (int64_t)bytes.size;
    if (to_file) {
        start_writeback(in);
    }
    return STATUS_OK;
}

/* --- the stream --- */

static status fail_again(const intake *in, error *err)
{
    if (err != NULL) {
        *err = in->failure;
    }
    return in->failure.kind;
}

status store__intake_add(intake *in, const void *bytes, size_t size_bytes, error *err)
{
    const char *at = bytes;

    while (size_bytes > 0 && !in->failed) {
        size_t room = in->capacity - in->filled;
        size_t step = size_bytes < room ? size_bytes : room;

        if (room == 0 && in->capacity < INTAKE_BUFFER_BYTES) {
            return error_set(err, STATUS_INVALID, "there are more bytes than were announced");
        }
        if (room == 0) {
            start_md5(in);
            in->failed = flush(in, true, &in->failure) != STATUS_OK;
            next_buffer(in);
            continue;
        }
        memcpy(in->buffers[in->current] + in->filled, at, step);
        in->filled += step;
        at += step;
        size_bytes -= step;
    }
    return in->failed ? fail_again(in, err) : STATUS_OK;
}

void store__format_crc(object_checksum_kind kind, uint64_t crc, char *ret_text)
{
    size_t size = kind == CHECKSUM_CRC64NVME ? 8 : 4;
    arena *scratch = arena_create();
    char bytes[8];
    str text;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(crc >> (8 * (size - 1 - i)));
    }
    text = base64_encode(scratch, str_from(bytes, size));
    memcpy(ret_text, text.data, text.size + 1);
    arena_free(scratch);
}

static void finish_sums(intake *in, object_digests *ret_digests)
{
    uint8_t md5[DIGEST_SIZE_MAX];

    digester_finish(in->md5, md5);
    in->md5 = NULL;
    memcpy(ret_digests->md5, md5, MD5_BYTES);
    if (in->sums != NULL) {
        uint8_t sum[DIGEST_SIZE_MAX];
        arena *scratch = arena_create();
        size_t size = digest_size(in->kind == CHECKSUM_SHA1 ? DIGEST_SHA1 : DIGEST_SHA256);
        str text;

        digester_finish(in->sums, sum);
        in->sums = NULL;
        text = base64_encode(scratch, str_from((const char *)sum, size));
        memcpy(in->value, text.data, text.size + 1);
        arena_free(scratch);
    } else {
        store__format_crc(in->kind, in->kind == CHECKSUM_CRC64NVME ? in->crc64 : in->crc32,
                          in->value);
    }
    ret_digests->checksum = (object_checksum){.kind = in->kind, .value = str_c(in->value)};
    ret_digests->size_bytes = in->size_bytes;
}

status store__intake_end(intake *in, bool keep_small, object_digests *ret_digests, error *err)
{
    bool held = keep_small && !in->opened && in->filled <= STORE_BLOCK_BYTES;

    if (in->failed) {
        return fail_again(in, err);
    }
    in->failed = flush(in, !held, &in->failure) != STATUS_OK;
    if (in->failed) {
        return fail_again(in, err);
    }
    wait_for_md5(in);
    digester_add(in->md5, in->buffers[in->current], in->filled);
    finish_sums(in, ret_digests);
    return STATUS_OK;
}

str store__intake_held(const intake *in)
{
    return str_from(in->key != NULL ? in->sealed : in->buffers[in->current],
                    (size_t)in->disk_bytes);
}

/* Checksums of blocks, and ETags. */
#include "internal.h"
#include "tarn/base/fs.h"
#include "tarn/codec/checksum.h"

#define MD5_SIZE 16

void block_hash_init(block_hash *h)
{
    *h = (block_hash){.crc = 0};
    buf_init(&h->crcs, STORE_CRCS_MAX);
}

void block_hash_release(block_hash *h)
{
    buf_release(&h->crcs);
}

void block_hash_add(block_hash *h, const void *bytes, size_t size_bytes)
{
    const char *at = bytes;

    while (size_bytes > 0) {
        size_t room = STORE_BLOCK_BYTES - h->filled;
        size_t step = size_bytes < room ? size_bytes : room;

        h->crc = checksum_crc32c(h->crc, at, step);
        h->filled += step;
        at += step;
        size_bytes -= step;
        if (h->filled == STORE_BLOCK_BYTES) {
            buf_add_u32le(&h->crcs, h->crc);
            h->crc = 0;
            h->filled = 0;
        }
    }
}

status block_hash_finish(block_hash *h, arena *a, str *ret_crcs, error *err)
{
    if (h->filled > 0) {
        buf_add_u32le(&h->crcs, h->crc);
        h->filled = 0;
        h->crc = 0;
    }
    TRY(buf_check(&h->crcs, "list of checksums", err));
    *ret_crcs = h->crcs.size > 0 ? str_copy(a, buf_str(&h->crcs)) : STR("");
    return STATUS_OK;
}

uint32_t store__crc_at(str crcs, size_t block)
{
    const uint8_t *at = (const uint8_t *)crcs.data + block * 4;

    ASSERT((block + 1) * 4 <= crcs.size);
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

int64_t store__check_of_crcs(str crcs)
{
    return checksum_crc32c(0, crcs.data, crcs.size);
}

static status hash_chunks(int fd, block_hash *h, char *chunk, int64_t *ret_size, error *err)
{
    int64_t offset = 0;
    size_t got;

    do {
        TRY(fs_pread(fd, chunk, STORE_CHUNK_BYTES, offset, &got, err));
        block_hash_add(h, chunk, got);
        offset += (int64_t)got;
    } while (got == STORE_CHUNK_BYTES);
    *ret_size = offset;
    return STATUS_OK;
}

status store__hash_file(int fd, arena *a, str *ret_crcs, int64_t *ret_size, error *err)
{
    char *chunk = mem_alloc(STORE_CHUNK_BYTES);
    block_hash h;
    status hashed;

    block_hash_init(&h);
    hashed = hash_chunks(fd, &h, chunk, ret_size, err);
    if (hashed == STATUS_OK) {
        hashed = block_hash_finish(&h, a, ret_crcs, err);
    }
    block_hash_release(&h);
    mem_free(chunk);
    return hashed;
}

str store__etag_of_digest(arena *a, const uint8_t *md5)
{
    return str_to_hex(a, md5, MD5_SIZE);
}

str store__etag_of_bytes(arena *a, str bytes)
{
    uint8_t md5[DIGEST_SIZE_MAX];

    digest(DIGEST_MD5, bytes, md5);
    return store__etag_of_digest(a, md5);
}

str store__etag_of_crcs(arena *a, str crcs)
{
    return str_concat(a, store__etag_of_bytes(a, crcs), STR("-1"));
}

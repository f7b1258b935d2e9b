/* Encryption on disk (SSE-S3): AES-256-GCM in blocks, so that a range costs the blocks that it touches.
 *
 * Each piece, an object or a part of an upload, has a random key of its own, so that the number of a block is a nonce
 * that comes once. The key is kept in the blob's row and names, sealed by the master key. */
#include "bytes.h"
#include "tarn/base/fs.h"
#include "tarn/base/rng.h"

typedef struct seal_piece {
    int64_t plain_offset; /* in the object */
    int64_t plain_bytes;
    int64_t disk_offset; /* in the blob */
} seal_piece;

struct seal_reader {
    storage *st;
    arena *memory;
    str list;
    seal_piece *pieces;
    size_t count;
    mutex lock;     /* below */
    cipher *cipher; /* of one piece */
    size_t piece;   /* its number */
    char *block;    /* SEAL_BLOCK_BYTES */
};

static const char wrap_label[] = "tarn sse-s3 key 1";

/* --- keys --- */

static status master(storage *st, cipher **ret_cipher, error *err)
{
    if (st->options.master_key == NULL) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "encrypted objects need the master key, which is not there");
    }
    *ret_cipher = cipher_create(st->options.master_key);
    return STATUS_OK;
}

status store__seal_key(storage *st, cipher **ret_cipher, uint8_t ret_wrapped[SEAL_WRAPPED_BYTES],
                       error *err)
{
    uint8_t key[CIPHER_KEY_BYTES];
    cipher *wrap;
    status sealed;

    TRY(master(st, &wrap, err));
    random_bytes(key, sizeof(key));
    random_bytes(ret_wrapped, CIPHER_NONCE_BYTES);
    sealed =
        cipher_seal(wrap, ret_wrapped, STR(wrap_label), str_from((const char *)key, sizeof(key)),
                    ret_wrapped + CIPHER_NONCE_BYTES, err);
    cipher_free(wrap);
    if (sealed == STATUS_OK) {
        *ret_cipher = cipher_create(key);
    }
    explicit_bzero(key, sizeof(key));
    return sealed;
}

static status unwrap(storage *st, const uint8_t *wrapped, cipher **ret_cipher, error *err)
{
    uint8_t key[CIPHER_KEY_BYTES];
    cipher *wrap;
    status opened;

    TRY(master(st, &wrap, err));
    opened = cipher_open(wrap, wrapped, STR(wrap_label),
                         str_from((const char *)wrapped + CIPHER_NONCE_BYTES,
                                  SEAL_WRAPPED_BYTES - CIPHER_NONCE_BYTES),
                         key, err);
    cipher_free(wrap);
    if (opened != STATUS_OK) {
        return error_set(err, STATUS_CORRUPT,
                         "the key of an encrypted object is not one that the "
                         "master key opens");
    }
    *ret_cipher = cipher_create(key);
    explicit_bzero(key, sizeof(key));
    return STATUS_OK;
}

/* --- lists of pieces --- */

void store__seal_add_piece(buf *pieces, int64_t plain_bytes,
                           const uint8_t wrapped[SEAL_WRAPPED_BYTES])
{
    buf_add_u64le(pieces, (uint64_t)plain_bytes);
    buf_add(pieces, wrapped, SEAL_WRAPPED_BYTES);
}

int64_t store__sealed_size(int64_t plain_bytes)
{
    return plain_bytes + (int64_t)(store__blocks_of(plain_bytes) * CIPHER_TAG_BYTES);
}

static int64_t size_at(str list, size_t piece)
{
    const uint8_t *at = (const uint8_t *)list.data + piece * SEAL_PIECE_BYTES;
    uint64_t size = 0;

    for (size_t i = 8; i > 0; i--) {
        size = size << 8 | at[i - 1];
    }
    return (int64_t)size;
}

int64_t store__unsealed_size(str pieces)
{
    int64_t total = 0;

    if (pieces.size == 0 || pieces.size % SEAL_PIECE_BYTES != 0) {
        return -1;
    }
    for (size_t i = 0; i < pieces.size / SEAL_PIECE_BYTES; i++) {
        int64_t size = size_at(pieces, i);

        if (size < 0 || size > INT64_MAX / 2 - total) {
            return -1;
        }
        total += size;
    }
    return total;
}

/* --- blocks --- */

static void nonce_of(int64_t block, uint8_t ret_nonce[CIPHER_NONCE_BYTES])
{
    memset(ret_nonce, 0, CIPHER_NONCE_BYTES);
    for (size_t i = 0; i < 8; i++) {
        ret_nonce[i] = (uint8_t)((uint64_t)block >> (8 * i));
    }
}

status store__seal_blocks(cipher *c, int64_t first_block, str bytes, char *ret_sealed,
                          size_t *ret_size, error *err)
{
    uint8_t nonce[CIPHER_NONCE_BYTES];
    char *to = ret_sealed;

    for (size_t at = 0; at < bytes.size; at += STORE_BLOCK_BYTES) {
        str block = str_slice(bytes, at, at + STORE_BLOCK_BYTES);

        nonce_of(first_block++, nonce);
        TRY(cipher_seal(c, nonce, STR(""), block, to, err));
        to += block.size + CIPHER_TAG_BYTES;
    }
    *ret_size = (size_t)(to - ret_sealed);
    return STATUS_OK;
}

/* --- reading --- */

status store__seal_open(storage *st, str pieces, seal_reader **ret_reader, error *err)
{
    arena *memory;
    seal_reader *r;

    if (store__unsealed_size(pieces) < 0) {
        return error_set(err, STATUS_CORRUPT, "the keys of an encrypted object are no list");
    }
    memory = arena_create();
    r = ARENA_NEW(memory, seal_reader);
    r->st = st;
    r->memory = memory;
    r->list = str_copy(memory, pieces);
    r->count = pieces.size / SEAL_PIECE_BYTES;
    r->pieces = ARENA_ARRAY(memory, seal_piece, r->count);
    for (size_t i = 0; i < r->count; i++) {
        const seal_piece *before = i > 0 ? &r->pieces[i - 1] : NULL;

        r->pieces[i].plain_bytes = size_at(pieces, i);
        if (before != NULL) {
            r->pieces[i].plain_offset = before->plain_offset + before->plain_bytes;
            r->pieces[i].disk_offset =
                before->disk_offset + store__sealed_size(before->plain_bytes);
        }
    }
    r->block = arena_alloc(memory, SEAL_BLOCK_BYTES);
    mutex_init(&r->lock);
    *ret_reader = r;
    return STATUS_OK;
}

void store__seal_close(seal_reader *r)
{
    if (r != NULL) {
        cipher_free(r->cipher);
        mutex_release(&r->lock);
        arena_free(r->memory);
    }
}

/* The last piece that begins at or before `offset` and has bytes there. */
static size_t piece_at(const seal_reader *r, int64_t offset)
{
    size_t low = 0;
    size_t high = r->count - 1;

    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;

        if (r->pieces[middle].plain_offset <= offset) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

static status enter_piece(seal_reader *r, size_t piece, error *err)
{
    cipher *c;

    if (r->cipher != NULL && r->piece == piece) {
        return STATUS_OK;
    }
    TRY(unwrap(r->st, (const uint8_t *)r->list.data + piece * SEAL_PIECE_BYTES + 8, &c, err));
    cipher_free(r->cipher);
    r->cipher = c;
    r->piece = piece;
    return STATUS_OK;
}

/* Opens the block at `offset` in r->block; its bytes from there on. */
static status read_block(seal_reader *r, int fd, int64_t start, int64_t offset, str *ret_bytes,
                         error *err)
{
    size_t number = piece_at(r, offset);
    const seal_piece *piece = &r->pieces[number];
    int64_t inside = offset - piece->plain_offset;
    int64_t block = inside / (int64_t)STORE_BLOCK_BYTES;
    int64_t begin = block * (int64_t)STORE_BLOCK_BYTES;
    int64_t left = piece->plain_bytes - begin;
    size_t plain = left < (int64_t)STORE_BLOCK_BYTES ? (size_t)left : STORE_BLOCK_BYTES;
    uint8_t nonce[CIPHER_NONCE_BYTES];

    TRY(enter_piece(r, number, err));
    TRY(fs_pread_all(fd, r->block, plain + CIPHER_TAG_BYTES,
                     start + piece->disk_offset + block * (int64_t)SEAL_BLOCK_BYTES, err));
    nonce_of(block, nonce);
    TRY(cipher_open(r->cipher, nonce, STR(""), str_from(r->block, plain + CIPHER_TAG_BYTES),
                    r->block, err));
    *ret_bytes = str_from(r->block + (inside - begin), plain - (size_t)(inside - begin));
    return STATUS_OK;
}

status store__seal_read(seal_reader *r, int fd, int64_t start, void *ret_bytes, size_t size_bytes,
                        int64_t offset, error *err)
{
    status read = STATUS_OK;
    char *to = ret_bytes;

    mutex_lock(&r->lock);
    while (size_bytes > 0 && read == STATUS_OK) {
        str bytes;

        read = read_block(r, fd, start, offset, &bytes, err);
        if (read == STATUS_OK) {
            size_t step = bytes.size < size_bytes ? bytes.size : size_bytes;

            memcpy(to, bytes.data, step);
            to += step;
            offset += (int64_t)step;
            size_bytes -= step;
        }
    }
    mutex_unlock(&r->lock);
    return read;
}

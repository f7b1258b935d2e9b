/* pieces.c: packing metadata files piece by piece. A commit adds a snapshot to a history that stays as it is: the
 * pieces of the history are kept packed, and a commit packs its own few kilobytes, however long the history has grown.
 *
 * Invariants
 *   1. A piece is found by its whole plain text, not by a digest: what is put together is what would have been packed.
 *   2. The bytes of all kept pieces stay under the limit; the least recently used go first.
 *   3. Nothing is packed under the lock. */
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/base/mem.h"
#include "tarn/base/thread.h"
#include "tarn/codec/checksum.h"
#include "tarn/codec/compress.h"

#include "pieces.h"

#define KEPT_BYTES_MAX (16 * LIMIT_MIB)

typedef struct kept_piece {
    struct kept_piece *newer, *older; /* order of use */
    uint32_t key[2];                  /* of the table: checksum and size of the plain text */
    gzip_piece piece;                 /* its bytes stand behind the plain ones */
    char plain[];
} kept_piece;

static struct {
    mutex lock;
    map *table;
    kept_piece *newest, *oldest;
    size_t size_bytes;
} kept = {.lock = {.handle = PTHREAD_MUTEX_INITIALIZER}};

/* --- the table; all of these under the lock --- */

static str key_of(const uint32_t *key)
{
    return str_from((const char *)key, 2 * sizeof(*key));
}

static size_t bytes_of(const kept_piece *k)
{
    return sizeof(*k) + k->piece.plain_bytes + k->piece.packed.size;
}

static void unlink_piece(kept_piece *k)
{
    *(k->newer != NULL ? &k->newer->older : &kept.newest) = k->older;
    *(k->older != NULL ? &k->older->newer : &kept.oldest) = k->newer;
    k->newer = k->older = NULL;
}

static void link_newest(kept_piece *k)
{
    k->older = kept.newest;
    *(kept.newest != NULL ? &kept.newest->newer : &kept.oldest) = k;
    kept.newest = k;
}

static void drop(kept_piece *k)
{
    unlink_piece(k);
    (void)map_remove(kept.table, key_of(k->key));
    kept.size_bytes -= bytes_of(k);
    mem_free(k);
}

/* --- one piece --- */

static bool find(const uint32_t *key, str plain, arena *a, gzip_piece *ret_piece)
{
    kept_piece *k;
    bool found;

    mutex_lock(&kept.lock);
    k = kept.table != NULL ? map_get(kept.table, key_of(key)) : NULL;
    found = k != NULL && str_equal(str_from(k->plain, k->piece.plain_bytes), plain);
    if (found) {
        *ret_piece = k->piece;
        ret_piece->packed = str_copy(a, k->piece.packed);
        unlink_piece(k);
        link_newest(k);
    }
    mutex_unlock(&kept.lock);
    return found;
}

static void keep(const uint32_t *key, str plain, const gzip_piece *piece)
{
    kept_piece *k = mem_alloc(sizeof(*k) + plain.size + piece->packed.size);
    kept_piece *replaced;

    memcpy(k->key, key, sizeof(k->key));
    k->piece = *piece;
    memcpy(k->plain, plain.data, plain.size);
    memcpy(k->plain + plain.size, piece->packed.data, piece->packed.size);
    k->piece.packed = str_from(k->plain + plain.size, piece->packed.size);
    mutex_lock(&kept.lock);
    if (kept.table == NULL) {
        kept.table = map_create(NULL);
    }
    replaced = map_get(kept.table, key_of(key));
    if (replaced != NULL) {
        drop(replaced);
    }
    (void)map_set(kept.table, key_of(key), k);
    link_newest(k);
    kept.size_bytes += bytes_of(k);
    while (kept.size_bytes > KEPT_BYTES_MAX) {
        drop(kept.oldest);
    }
    mutex_unlock(&kept.lock);
}

static status pack_kept(int level, str plain, arena *a, gzip_piece *ret_piece, error *err)
{
    const uint32_t key[2] = {checksum_crc32c(0, plain.data, plain.size), (uint32_t)plain.size};

    if (!find(key, plain, a, ret_piece)) {
        TRY(gzip_piece_pack(level, plain, a, ret_piece, err));
        keep(key, plain, ret_piece);
    }
    return STATUS_OK;
}

/* --- the file --- */

status ice__pieces_pack(int level, str plain, const ice__cut *cuts, size_t count, arena *a,
                        buf *out, error *err)
{
    gzip_piece *pieces = ARENA_ARRAY(a, gzip_piece, count + 1);
    size_t start = 0;

    for (size_t i = 0; i <= count; i++) {
        size_t end = i < count ? cuts[i].offset : plain.size;
        str piece = str_slice(plain, start, end);

        if (i > 0 && cuts[i - 1].stays && piece.size <= KEPT_BYTES_MAX / 16) {
            TRY(pack_kept(level, piece, a, &pieces[i], err));
        } else {
            TRY(gzip_piece_pack(level, piece, a, &pieces[i], err));
        }
        start = end;
    }
    gzip_piece_join(pieces, count + 1, out);
    return buf_check(out, "table metadata", err);
}

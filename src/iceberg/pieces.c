/* pieces.c: packing metadata files piece by piece. A commit adds a snapshot to a history that stays as it is: the
 * pieces of the history are kept packed, and a commit packs its own few kilobytes, however long the history has grown.
 *
 * Invariants
 *   1. A piece is found by its whole plain text and what stands before it, as far as it refers to that; not by a
 *      digest. What is put together is what would have been packed.
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
/* A piece may repeat what stands before it: entries of a history differ in their numbers only. */
#define BEFORE_BYTES ((size_t)2048)

typedef struct kept_piece {
    struct kept_piece *newer, *older; /* order of use */
    uint32_t key[2];                  /* of the table: checksum and size of the text */
    str text;                         /* what stands before the piece, and the piece */
    gzip_piece piece;                 /* its bytes stand behind the text */
    char bytes[];
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
    return sizeof(*k) + k->text.size + k->piece.packed.size;
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

static bool find(const uint32_t *key, str text, arena *a, gzip_piece *ret_piece)
{
    kept_piece *k;
    bool found;

    mutex_lock(&kept.lock);
    k = kept.table != NULL ? map_get(kept.table, key_of(key)) : NULL;
    found = k != NULL && str_equal(k->text, text);
    if (found) {
        *ret_piece = k->piece;
        ret_piece->packed = str_copy(a, k->piece.packed);
        unlink_piece(k);
        link_newest(k);
    }
    mutex_unlock(&kept.lock);
    return found;
}

static void keep(const uint32_t *key, str text, const gzip_piece *piece)
{
    kept_piece *k = mem_alloc(sizeof(*k) + text.size + piece->packed.size);
    kept_piece *replaced;

    memcpy(k->key, key, sizeof(k->key));
    memcpy(k->bytes, text.data, text.size);
    memcpy(k->bytes + text.size, piece->packed.data, piece->packed.size);
    k->text = str_from(k->bytes, text.size);
    k->piece = *piece;
    k->piece.packed = str_from(k->bytes + text.size, piece->packed.size);
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

static status pack_kept(int level, str before, str plain, arena *a, gzip_piece *ret_piece,
                        error *err)
{
    str text = str_from(before.data, before.size + plain.size); /* they stand side by side */
    const uint32_t key[2] = {checksum_crc32c(0, text.data, text.size), (uint32_t)plain.size};

    if (!find(key, text, a, ret_piece)) {
        TRY(gzip_piece_pack(level, before, plain, a, ret_piece, err));
        keep(key, text, ret_piece);
    }
    return STATUS_OK;
}

/* --- the file --- */

static str last_bytes(str file, size_t start, size_t end)
{
    return str_slice(file, end - start > BEFORE_BYTES ? end - BEFORE_BYTES : start, end);
}

/* A piece that stays refers to the one before it only where that stays as well. */
status ice__pieces_pack(int level, str plain, const ice__cut *cuts, size_t count, arena *a,
                        buf *out, error *err)
{
    gzip_piece *pieces = ARENA_ARRAY(a, gzip_piece, count + 1);
    bool stayed = false;
    size_t before = 0;
    size_t start = 0;

    for (size_t i = 0; i <= count; i++) {
        size_t end = i < count ? cuts[i].offset : plain.size;
        bool stays = i > 0 && cuts[i - 1].stays && end - start <= KEPT_BYTES_MAX / 16;
        str known = last_bytes(plain, stays && !stayed ? start : before, start);

        TRY((stays ? pack_kept : gzip_piece_pack)(level, known, str_slice(plain, start, end), a,
                                                  &pieces[i], err));
        stayed = stays;
        before = start;
        start = end;
    }
    gzip_piece_join(pieces, count + 1, out);
    return buf_check(out, "table metadata", err);
}

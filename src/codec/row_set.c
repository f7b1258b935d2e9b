/* Sets of rows over CRoaring, whose header is seen here alone. What bytes of files say is checked before the
 * library sees them (row_set_parse.c): its own reader trusts orders and counts inside containers. */
#include "tarn/codec/row_set.h"

#include "row_set_internal.h"

#include <roaring/roaring.h>
#include <string.h>

#include "tarn/base/mem.h"

#define NEAR 24 /* rows further than this are searched for, nearer ones are walked to */

/* One upper half. */
typedef struct part {
    uint32_t key;
    roaring_bitmap_t *bitmap;
} part;

struct row_set {
    part *parts; /* by key */
    size_t count;
    size_t capacity;
};

row_set *row_set_create(void)
{
    return NEW(row_set);
}

void row_set_free(row_set *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        roaring_bitmap_free(s->parts[i].bitmap);
    }
    mem_free(s->parts);
    mem_free(s);
}

static uint32_t upper_half(int64_t row)
{
    return (uint32_t)((uint64_t)row >> 32);
}

/* Where the key is, or would be. */
static size_t find_place(const row_set *s, uint32_t key)
{
    size_t low = 0;
    size_t high = s->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->parts[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const roaring_bitmap_t *find(const row_set *s, uint32_t key)
{
    size_t place = find_place(s, key);

    return place < s->count && s->parts[place].key == key ? s->parts[place].bitmap : NULL;
}

static void insert(row_set *s, size_t place, uint32_t key, roaring_bitmap_t *bitmap)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity == 0 ? 1 : s->capacity * 2;
        s->parts = mem_resize(s->parts, mem_product(s->capacity, sizeof(part)));
    }
    memmove(s->parts + place + 1, s->parts + place, (s->count - place) * sizeof(part));
    s->parts[place] = (part){.key = key, .bitmap = bitmap};
    s->count++;
}

static roaring_bitmap_t *find_or_add(row_set *s, uint32_t key)
{
    size_t place = find_place(s, key);

    if (place == s->count || s->parts[place].key != key) {
        insert(s, place, key, roaring_bitmap_create());
    }
    return s->parts[place].bitmap;
}

void row_set_add(row_set *s, const int64_t *rows, size_t count)
{
    uint32_t low[1024];

    for (size_t at = 0; at < count;) {
        uint32_t key = upper_half(rows[at]);
        size_t taken = 0;

        while (at < count && taken < COUNT_OF(low) && upper_half(rows[at]) == key) {
            low[taken++] = (uint32_t)rows[at++];
        }
        roaring_bitmap_add_many(find_or_add(s, key), taken, low);
    }
}

void row_set_unite(row_set *s, const row_set *other)
{
    for (size_t i = 0; i < other->count; i++) {
        roaring_bitmap_or_inplace(find_or_add(s, other->parts[i].key), other->parts[i].bitmap);
    }
}

bool row_set_has(const row_set *s, int64_t row)
{
    const roaring_bitmap_t *bitmap = row < 0 ? NULL : find(s, upper_half(row));

    return bitmap != NULL && roaring_bitmap_contains(bitmap, (uint32_t)row);
}

int64_t row_set_count(const row_set *s)
{
    uint64_t count = 0;

    for (size_t i = 0; i < s->count; i++) {
        count += roaring_bitmap_get_cardinality(s->parts[i].bitmap);
    }
    return (int64_t)count;
}

size_t row_set_size_bytes(const row_set *s)
{
    size_t size = sizeof(*s);

    for (size_t i = 0; i < s->count; i++) {
        size += sizeof(part) + roaring_bitmap_size_in_bytes(s->parts[i].bitmap);
    }
    return size;
}

int64_t row_set_last(const row_set *s)
{
    for (size_t i = s->count; i > 0; i--) {
        const part *p = &s->parts[i - 1];

        if (!roaring_bitmap_is_empty(p->bitmap)) {
            return (int64_t)((uint64_t)p->key << 32 | roaring_bitmap_maximum(p->bitmap));
        }
    }
    return -1;
}

size_t row_set_read(const row_set *s, int64_t from, int64_t *ret_rows, size_t max)
{
    size_t count = 0;

    for (size_t i = find_place(s, upper_half(from)); i < s->count && count < max; i++) {
        const part *p = &s->parts[i];
        roaring_uint32_iterator_t it;

        roaring_init_iterator(p->bitmap, &it);
        if (p->key == upper_half(from)) {
            (void)roaring_move_uint32_iterator_equalorlarger(&it, (uint32_t)from);
        }
        while (it.has_value && count < max) {
            ret_rows[count++] = (int64_t)((uint64_t)p->key << 32 | it.current_value);
            (void)roaring_advance_uint32_iterator(&it);
        }
    }
    return count;
}

/* --- finding --- */

/* All rows from rows[0] to rows[count - 1] are asked for: only what is in the set is looked at. */
static void find_in_run(const roaring_bitmap_t *bitmap, uint32_t first, size_t count,
                        bool *ret_missing)
{
    uint32_t found[256];
    roaring_uint32_iterator_t it;

    memset(ret_missing, true, count);
    roaring_init_iterator(bitmap, &it);
    (void)roaring_move_uint32_iterator_equalorlarger(&it, first);
    while (it.has_value && it.current_value - first < count) {
        uint32_t got = roaring_read_uint32_iterator(&it, found, COUNT_OF(found));

        for (uint32_t i = 0; i < got && found[i] - first < count; i++) {
            ret_missing[found[i] - first] = false;
        }
    }
}

/* Ascending rows with gaps. */
static void find_in_order(const roaring_bitmap_t *bitmap, const int64_t *rows, size_t count,
                          bool *ret_missing)
{
    roaring_uint32_iterator_t it;

    roaring_init_iterator(bitmap, &it);
    for (size_t i = 0; i < count; i++) {
        uint32_t row = (uint32_t)rows[i];

        if (it.has_value && it.current_value < row && row - it.current_value > NEAR) {
            (void)roaring_move_uint32_iterator_equalorlarger(&it, row);
        }
        while (it.has_value && it.current_value < row) {
            (void)roaring_advance_uint32_iterator(&it);
        }
        ret_missing[i] = !it.has_value || it.current_value != row;
    }
}

void row_set_find_missing(const row_set *s, const int64_t *rows, size_t count, bool *ret_missing)
{
    for (size_t at = 0; at < count;) {
        uint32_t key = upper_half(rows[at]);
        const roaring_bitmap_t *bitmap = find(s, key);
        size_t end = at + 1;

        while (end < count && rows[end] > rows[end - 1] && upper_half(rows[end]) == key) {
            end++;
        }
        if (bitmap == NULL) {
            memset(ret_missing + at, true, end - at);
        } else if (end - at == 1) {
            ret_missing[at] = !roaring_bitmap_contains(bitmap, (uint32_t)rows[at]);
        } else if ((uint64_t)(rows[end - 1] - rows[at]) == end - at - 1) {
            find_in_run(bitmap, (uint32_t)rows[at], end - at, ret_missing + at);
        } else {
            find_in_order(bitmap, rows + at, end - at, ret_missing + at);
        }
        at = end;
    }
}

/* --- bytes --- */

bool row_set__take(row_set *s, uint32_t key, str bytes)
{
    roaring_bitmap_t *bitmap = roaring_bitmap_portable_deserialize_safe(bytes.data, bytes.size);

    if (bitmap == NULL) {
        return false;
    }
    insert(s, s->count, key, bitmap);
    return true;
}

void row_set_format(row_set *s, buf *out)
{
    uint64_t filled = 0;

    for (size_t i = 0; i < s->count; i++) {
        (void)roaring_bitmap_run_optimize(s->parts[i].bitmap);
        filled += roaring_bitmap_is_empty(s->parts[i].bitmap) ? 0 : 1;
    }
    buf_add_u64le(out, filled);
    for (size_t i = 0; i < s->count; i++) {
        const part *p = &s->parts[i];
        size_t size = roaring_bitmap_portable_size_in_bytes(p->bitmap);
        char *room;

        if (roaring_bitmap_is_empty(p->bitmap)) {
            continue;
        }
        buf_add_u32le(out, p->key);
        room = buf_reserve(out, size);
        if (room != NULL) {
            buf_commit(out, roaring_bitmap_portable_serialize(p->bitmap, room));
        }
    }
}

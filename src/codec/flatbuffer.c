/* FlatBuffers, back to front. Every table has a vtable of its own: messages are small. */
#include "flatbuffer.h"

#include <string.h>

#include "tarn/base/error.h"

enum { FIRST_CAPACITY = 1024, REF_BYTES = 4, LARGEST_ALIGNMENT = 8 };

void flat_init(flat *f, arena *a)
{
    *f = (flat){.a = a};
}

/* Room for `size` bytes in front of what is there. */
static uint8_t *push(flat *f, size_t size)
{
    if (size > f->capacity - f->size) {
        size_t capacity = f->capacity > 0 ? f->capacity : FIRST_CAPACITY;
        uint8_t *data;

        while (size > capacity - f->size) {
            capacity *= 2;
        }
        data = arena_alloc(f->a, capacity);
        if (f->size > 0) {
            memcpy(data + capacity - f->size, f->data + f->capacity - f->size, f->size);
        }
        f->data = data;
        f->capacity = capacity;
    }
    f->size += size;
    ASSERT(f->size <= INT32_MAX);
    return f->data + f->capacity - f->size;
}

/* Zeros, so that after `size` more bytes the place is aligned. */
static void align(flat *f, size_t alignment, size_t size)
{
    size_t over = (f->size + size) % alignment;

    if (over > 0) {
        memset(push(f, alignment - over), 0, alignment - over);
    }
}

static flat_ref here(const flat *f)
{
    return (flat_ref)f->size;
}

static void push_number(flat *f, int64_t value, size_t size)
{
    uint8_t *at = push(f, size);

    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)((uint64_t)value >> (8 * i));
    }
}

/* Offsets are counted forward, from the place they stand at. */
static void push_ref(flat *f, flat_ref ref)
{
    push_number(f, (int64_t)(f->size + REF_BYTES - ref), REF_BYTES);
}

flat_ref flat_string(flat *f, str text)
{
    align(f, REF_BYTES, text.size + 1);
    push_number(f, 0, 1);
    if (text.size > 0) {
        memcpy(push(f, text.size), text.data, text.size);
    }
    push_number(f, (int64_t)text.size, REF_BYTES);
    return here(f);
}

flat_ref flat_refs(flat *f, const flat_ref *refs, size_t count)
{
    align(f, REF_BYTES, 0);
    for (size_t i = count; i > 0; i--) {
        push_ref(f, refs[i - 1]);
    }
    push_number(f, (int64_t)count, REF_BYTES);
    return here(f);
}

flat_ref flat_int32s(flat *f, const int32_t *values, size_t count)
{
    align(f, REF_BYTES, 0);
    for (size_t i = count; i > 0; i--) {
        push_number(f, values[i - 1], sizeof(int32_t));
    }
    push_number(f, (int64_t)count, REF_BYTES);
    return here(f);
}

flat_ref flat_int64s(flat *f, const int64_t *values, size_t count, size_t per_struct)
{
    align(f, sizeof(int64_t), 0); /* the items; their count stands in front */
    for (size_t i = count * per_struct; i > 0; i--) {
        push_number(f, values[i - 1], sizeof(int64_t));
    }
    push_number(f, (int64_t)count, REF_BYTES);
    return here(f);
}

void flat_table_begin(flat *f, flat_table *t)
{
    *t = (flat_table){.end = f->size};
}

static void mark(flat *f, flat_table *t, int slot)
{
    ASSERT(slot < FLAT_SLOTS_MAX);
    t->slots[slot] = here(f);
    t->count = slot >= t->count ? slot + 1 : t->count;
}

void flat_add_number(flat *f, flat_table *t, int slot, int64_t value, size_t size_bytes)
{
    align(f, size_bytes, size_bytes);
    push_number(f, value, size_bytes);
    mark(f, t, slot);
}

void flat_add_ref(flat *f, flat_table *t, int slot, flat_ref ref)
{
    if (ref == FLAT_NONE) {
        return;
    }
    align(f, REF_BYTES, REF_BYTES);
    push_ref(f, ref);
    mark(f, t, slot);
}

/* The table begins with the distance to its vtable, which says where each field is (0: absent). */
flat_ref flat_table_end(flat *f, flat_table *t)
{
    flat_ref table;
    int32_t distance;

    align(f, REF_BYTES, REF_BYTES);
    push_number(f, 0, REF_BYTES);
    table = here(f);
    for (int slot = t->count - 1; slot >= 0; slot--) {
        push_number(f, t->slots[slot] != 0 ? table - t->slots[slot] : 0, sizeof(uint16_t));
    }
    push_number(f, (int64_t)(table - t->end), sizeof(uint16_t));
    push_number(f, (t->count + 2) * (int64_t)sizeof(uint16_t), sizeof(uint16_t));
    distance = (int32_t)(here(f) - table);
    memcpy(f->data + f->capacity - table, &distance, sizeof(distance));
    return table;
}

str flat_finish(flat *f, flat_ref root)
{
    align(f, LARGEST_ALIGNMENT, REF_BYTES);
    push_ref(f, root);
    return str_from((const char *)f->data + f->capacity - f->size, f->size);
}

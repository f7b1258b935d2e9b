/* flatbuffer.h: writes FlatBuffers, as much as Arrow's messages need.
 *
 * Source: FlatBuffers binary format ("FlatBuffer Internals"). A buffer is built from its end to
 * its front, so that what is pointed to exists before the pointer. A `flat_ref` is a place in it:
 * the number of bytes from there to the end. */
#ifndef TARN_CODEC_FLATBUFFER_H
#define TARN_CODEC_FLATBUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/str.h"

typedef uint32_t flat_ref;
#define FLAT_NONE ((flat_ref)0)

typedef struct flat {
    arena *a;
    uint8_t *data; /* of `capacity` bytes, the last `size` are in use */
    size_t capacity;
    size_t size;
} flat;

enum { FLAT_SLOTS_MAX = 8 };

typedef struct flat_table {
    size_t end; /* size of the buffer before the table */
    flat_ref slots[FLAT_SLOTS_MAX];
    int count;
} flat_table;

void flat_init(flat *f, arena *a);
/* The whole, with the root's offset in front; its size is a multiple of 8. */
str flat_finish(flat *f, flat_ref root);

flat_ref flat_string(flat *f, str text);
flat_ref flat_refs(flat *f, const flat_ref *refs, size_t count);
flat_ref flat_int32s(flat *f, const int32_t *values, size_t count);
/* Structs of `per_struct` int64_t each, or plain numbers where that is 1. */
flat_ref flat_int64s(flat *f, const int64_t *values, size_t count, size_t per_struct);

/* Between begin and end only the table's own fields are added. */
void flat_table_begin(flat *f, flat_table *t);
void flat_add_number(flat *f, flat_table *t, int slot, int64_t value, size_t size_bytes);
void flat_add_ref(flat *f, flat_table *t, int slot, flat_ref ref); /* FLAT_NONE: left out */
flat_ref flat_table_end(flat *f, flat_table *t);

#endif

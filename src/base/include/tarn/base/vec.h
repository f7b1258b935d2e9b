/* vec.h: a typed growing array.
 *
 * VEC(T) names an anonymous struct type {T *items; size_t count; size_t capacity}; give it a name
 * by typedef where it crosses a function. A vec in an arena (vec_push with the arena) leaves old
 * memory to the arena when it grows, and needs no release. */
#ifndef TARN_BASE_VEC_H
#define TARN_BASE_VEC_H

#include <stddef.h>

#include "tarn/base/arena.h"
#include "tarn/base/mem.h"

#define VEC(T)           \
    struct {             \
        T *items;        \
        size_t count;    \
        size_t capacity; \
    }

/* Memory for one more item; arena NULL means the heap (then mem_free(v.items) in the end). */
void *vec_grow(arena *a, void *items, size_t item_size, size_t count, size_t *capacity);

/* Appends `value`. The item is v->items[v->count - 1] afterwards. */
#define vec_push(a, v, value)                                                                    \
    do {                                                                                         \
        (v)->items = vec_grow((a), (v)->items, sizeof(*(v)->items), (v)->count, &(v)->capacity); \
        (v)->items[(v)->count++] = (value);                                                      \
    } while (0)

#endif

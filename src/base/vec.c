/* Growth of typed arrays. */
#include "tarn/base/vec.h"

#include <string.h>

#define FIRST_CAPACITY 8

void *vec_grow(arena *a, void *items, size_t item_size, size_t count, size_t *capacity)
{
    size_t wanted;
    void *moved;

    if (count < *capacity) {
        return items;
    }
    wanted = *capacity > 0 ? mem_product(*capacity, 2) : FIRST_CAPACITY;
    if (a == NULL) {
        moved = mem_resize(items, mem_product(wanted, item_size));
    } else {
        moved = arena_alloc(a, mem_product(wanted, item_size));
        if (count > 0) {
            memcpy(moved, items, count * item_size);
        }
    }
    *capacity = wanted;
    return moved;
}

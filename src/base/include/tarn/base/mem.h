/* mem.h: heap memory for what outlives an arena.
 *
 * Failure of a small allocation ends the program: no state can be saved by code that cannot
 * allocate 100 bytes. What is sized by input goes through `buf`, which has a maximum. */
#ifndef TARN_BASE_MEM_H
#define TARN_BASE_MEM_H

#include <stddef.h>

/* Zeroed. Never NULL. */
__attribute__((malloc, returns_nonnull)) void *mem_alloc(size_t size_bytes);
/* Zeroed room for `count` items; a product that overflows ends the program. */
__attribute__((malloc, returns_nonnull)) void *mem_alloc_array(size_t count,
                                                               size_t item_size_bytes);
/* count * item_size_bytes; an overflow ends the program. */
size_t mem_product(size_t count, size_t item_size_bytes);
/* New bytes are not zeroed. Never NULL. */
__attribute__((returns_nonnull)) void *mem_resize(void *memory, size_t size_bytes);
void mem_free(void *memory); /* NULL is fine */

/* Overwrites with zeros in a way the compiler does not remove: for secrets. */
void mem_wipe(void *memory, size_t size_bytes);

#define NEW(type) ((type *)mem_alloc(sizeof(type)))
#define NEW_ARRAY(type, count) ((type *)mem_alloc_array((size_t)(count), sizeof(type)))

#endif

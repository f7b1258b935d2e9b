/* Heap memory. The only file besides arena.c, buf.c that calls the allocator. */
#include "tarn/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t size_bytes)
{
    (void)fprintf(stderr, "tarn: out of memory: %zu bytes were wanted\n", size_bytes);
    abort();
}

void *mem_alloc(size_t size_bytes)
{
    void *memory = calloc(1, size_bytes > 0 ? size_bytes : 1);

    if (memory == NULL) {
        out_of_memory(size_bytes);
    }
    return memory;
}

void *mem_alloc_array(size_t count, size_t item_size_bytes)
{
    return mem_alloc(mem_product(count, item_size_bytes));
}

size_t mem_product(size_t count, size_t item_size_bytes)
{
    size_t size_bytes = 0;

    if (__builtin_mul_overflow(count, item_size_bytes, &size_bytes)) {
        out_of_memory(SIZE_MAX);
    }
    return size_bytes;
}

void *mem_resize(void *memory, size_t size_bytes)
{
    void *moved = realloc(memory, size_bytes > 0 ? size_bytes : 1);

    if (moved == NULL) {
        out_of_memory(size_bytes);
    }
    return moved;
}

void mem_free(void *memory)
{
    free(memory);
}

void mem_wipe(void *memory, size_t size_bytes)
{
    if (size_bytes > 0) {
        explicit_bzero(memory, size_bytes);
    }
}

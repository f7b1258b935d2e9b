/* arena.h: memory with one lifetime.
 *
 * One arena per request, commit, step or command; a child arena in a loop. Everything allocated
 * is freed together. What is not memory (files, references, locks) is handed to arena_defer and
 * released at the same moment, last deferred first, before the memory goes; children take their
 * place in the same order.
 * An arena belongs to one thread at a time, and its children with it. */
#ifndef TARN_BASE_ARENA_H
#define TARN_BASE_ARENA_H

#include <stddef.h>

#include "tarn/base/mem.h"

typedef struct arena arena;

arena *arena_create(void);
/* A child is freed with its parent, or earlier by itself. */
arena *arena_child(arena *parent);
void arena_free(arena *a); /* NULL is fine */
/* Frees all that was allocated, children too, and runs what was deferred; the arena stays in
 * use. */
void arena_clear(arena *a);

/* Zeroed, aligned to 16. Never NULL. A size of 0 gives a valid pointer. */
__attribute__((returns_nonnull)) void *arena_alloc(arena *a, size_t size_bytes);
/* Runs `release(object)` when the arena is cleared or freed. */
void arena_defer(arena *a, void (*release)(void *object), void *object);

/* A copy of the text with a terminating NUL. */
__attribute__((returns_nonnull)) char *arena_strndup(arena *a, const char *text, size_t size);
__attribute__((returns_nonnull, format(printf, 2, 3))) char *arena_printf(arena *a,
                                                                          const char *format, ...);

/* Bytes asked for since it was made or cleared, children not counted: for tests and metrics. */
size_t arena_used_bytes(const arena *a);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) \
    ((type *)arena_alloc((a), mem_product((size_t)(count), sizeof(type))))

#endif

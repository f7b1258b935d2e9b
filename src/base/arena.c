/* Arenas: chunks that grow, bump allocation, and a list of what to release with them.
 *
 * Invariants
 *   1. Only the first chunk of the list is allocated from. What is large against a chunk gets a
 *      chunk of its own, which goes behind the first.
 *   2. Children and deferred objects stand in one list, newest first, and are released in that
 *      order.
 *   3. Under AddressSanitizer every byte not handed out is poisoned, with a gap behind each
 *      allocation. */
#include "tarn/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "tarn/base/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#endif
#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define GAP_BYTES 16
#else
#define ASAN_POISON_MEMORY_REGION(from, size) ((void)(from), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(from, size) ((void)(from), (void)(size))
#define GAP_BYTES 0
#endif

#define ALIGNMENT ((size_t)16)
#define FIRST_CHUNK_BYTES ((size_t)1024)
#define LARGEST_CHUNK_BYTES ((size_t)256 * 1024)

typedef struct chunk {
    struct chunk *next;
    size_t used;
    size_t size; /* of bytes[] */
    _Alignas(16) char bytes[];
} chunk;

typedef struct cleanup {
    struct cleanup *older;
    struct cleanup *newer;
    void (*release)(void *object);
    void *object;
} cleanup;

struct arena {
    chunk *chunks;
    cleanup *newest;
    arena *parent;
    cleanup in_parent; /* a child's place in its parent's list */
    size_t used_bytes;
    size_t next_chunk_bytes;
};

static void list_add(arena *a, cleanup *entry)
{
    entry->older = a->newest;
    entry->newer = NULL;
    if (a->newest != NULL) {
        a->newest->newer = entry;
    }
    a->newest = entry;
}

static void list_remove(arena *a, cleanup *entry)
{
    if (entry->newer != NULL) {
        entry->newer->older = entry->older;
    } else {
        a->newest = entry->older;
    }
    if (entry->older != NULL) {
        entry->older->newer = entry->newer;
    }
}

static void free_child(void *object)
{
    arena *child = object;

    child->parent = NULL; /* the parent has taken it off its list already */
    arena_free(child);
}

arena *arena_create(void)
{
    arena *a = NEW(arena);

    a->next_chunk_bytes = FIRST_CHUNK_BYTES;
    return a;
}

arena *arena_child(arena *parent)
{
    arena *child = arena_create();

    child->parent = parent;
    child->in_parent.release = free_child;
    child->in_parent.object = child;
    list_add(parent, &child->in_parent);
    return child;
}

/* A release may defer more: it runs until nothing is left. */
static void release_all(arena *a)
{
    while (a->newest != NULL) {
        cleanup *entry = a->newest;

        list_remove(a, entry);
        entry->release(entry->object);
    }
}

static void free_chunk(chunk *c)
{
    ASAN_UNPOISON_MEMORY_REGION(c->bytes, c->size);
    free(c);
}

void arena_free(arena *a)
{
    if (a == NULL) {
        return;
    }
    if (a->parent != NULL) {
        list_remove(a->parent, &a->in_parent);
    }
    release_all(a);
    for (chunk *c = a->chunks; c != NULL;) {
        chunk *next = c->next;

        free_chunk(c);
        c = next;
    }
    mem_free(a);
}

void arena_clear(arena *a)
{
    chunk *kept = NULL;

    release_all(a);
    for (chunk *c = a->chunks; c != NULL;) {
        chunk *next = c->next;

        /* One chunk stays, so that a loop over arena_clear does not go to the heap each time. */
        if (kept == NULL && c->size <= LARGEST_CHUNK_BYTES) {
            kept = c;
        } else {
            free_chunk(c);
        }
        c = next;
    }
    if (kept != NULL) {
        kept->next = NULL;
        kept->used = 0;
        ASAN_POISON_MEMORY_REGION(kept->bytes, kept->size);
    }
    a->chunks = kept;
    a->used_bytes = 0;
}

static chunk *new_chunk(size_t size_bytes)
{
    chunk *c = mem_alloc(sizeof(chunk) + size_bytes);

    c->size = size_bytes;
    ASAN_POISON_MEMORY_REGION(c->bytes, c->size);
    return c;
}

/* A chunk with room for `room_bytes`, in its place in the list. */
static chunk *add_chunk(arena *a, size_t room_bytes)
{
    chunk *c;

    if (room_bytes > a->next_chunk_bytes / 4) {
        c = new_chunk(room_bytes);
        if (a->chunks != NULL) {
            c->next = a->chunks->next;
            a->chunks->next = c;
            return c;
        }
    } else {
        c = new_chunk(a->next_chunk_bytes);
        if (a->next_chunk_bytes < LARGEST_CHUNK_BYTES) {
            a->next_chunk_bytes *= 2;
        }
        c->next = a->chunks;
    }
    a->chunks = c;
    return c;
}

void *arena_alloc(arena *a, size_t size_bytes)
{
    chunk *c = a->chunks;
    size_t room_bytes;
    char *memory;

    if (size_bytes > SIZE_MAX / 2) {
        size_bytes = mem_product(size_bytes, 4); /* ends the program: no memory is that large */
    }
    room_bytes =
        ((size_bytes > 0 ? size_bytes : 1) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + GAP_BYTES;
    if (c == NULL || c->size - c->used < room_bytes) {
        c = add_chunk(a, room_bytes);
    }
    memory = c->bytes + c->used;
    c->used += room_bytes;
    a->used_bytes += size_bytes;
    ASAN_UNPOISON_MEMORY_REGION(memory, size_bytes);
    if (c->size <= LARGEST_CHUNK_BYTES) {
        memset(memory, 0, size_bytes); /* larger chunks are never kept by arena_clear: still zero */
    }
    return memory;
}

void arena_defer(arena *a, void (*release)(void *object), void *object)
{
    cleanup *entry = ARENA_NEW(a, cleanup);

    entry->release = release;
    entry->object = object;
    list_add(a, entry);
}

char *arena_strndup(arena *a, const char *text, size_t size)
{
    char *copy = arena_alloc(a, size + 1);

    if (size > 0) {
        memcpy(copy, text, size);
    }
    return copy;
}

char *base__arena_vprintf(arena *a, const char *format, va_list args, size_t *ret_size)
{
    char first[256];
    va_list again;
    char *text;
    int size;

    va_copy(again, args);
    size = vsnprintf(first, sizeof(first), format, args);
    ASSERT(size >= 0);
    if ((size_t)size < sizeof(first)) {
        text = arena_strndup(a, first, (size_t)size);
    } else {
        text = arena_alloc(a, (size_t)size + 1);
        (void)vsnprintf(text, (size_t)size + 1, format, again);
    }
    va_end(again);
    *ret_size = (size_t)size;
    return text;
}

char *arena_printf(arena *a, const char *format, ...)
{
    va_list args;
    size_t size;
    char *text;

    va_start(args, format);
    text = base__arena_vprintf(a, format, args, &size);
    va_end(args);
    return text;
}

size_t arena_used_bytes(const arena *a)
{
    return a->used_bytes;
}

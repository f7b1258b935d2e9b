/* map.h: a hash map from str to pointer or integer.
 *
 * Keys are copied in. Iteration is in order of insertion. Not thread-safe. Deleting keeps the order
 * of the rest. */
#ifndef TARN_BASE_MAP_H
#define TARN_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "tarn/base/arena.h"
#include "tarn/base/str.h"

typedef struct map map;

/* In an arena (released with it: no map_free), or on the heap where `a` is NULL (map_free). */
map *map_create(arena *a);
void map_free(map *m);

/* The value, or NULL. */
void *map_get(const map *m, str key);
bool map_has(const map *m, str key);
/* Sets or replaces; returns the earlier value, or NULL. */
void *map_set(map *m, str key, void *value);
/* Removes; returns the value it had, or NULL. */
void *map_remove(map *m, str key);
size_t map_count(const map *m);

typedef struct map_entry {
    str key;
    void *value;
} map_entry;

/* for (size_t at = 0; map_next(m, &at, &entry);) …
 * Removing meanwhile is fine, setting new keys is not. */
bool map_next(const map *m, size_t *at, map_entry *ret_entry);

#endif

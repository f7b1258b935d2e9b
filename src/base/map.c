/* Hash maps: a dense array of entries in order of insertion, and beside it a table of slots, open
 * addressing with linear steps, that finds an entry by its key's hash.
 *
 * Invariants
 *   1. A slot is FREE, GONE (its entry was removed) or the entry's number; at least a quarter is
 *      FREE.
 *   2. Removed entries stay as holes until the next insertion that needs room: order and a running
 *      iteration survive removals.
 *   3. The arrays are on the heap; in an arena they go by arena_defer, and keys are the arena's. */
#include "tarn/base/map.h"

#include <stdint.h>
#include <string.h>

#include "tarn/base/mem.h"

#define FIRST_SLOTS ((size_t)16)
#define SLOT_FREE UINT32_MAX
#define SLOT_GONE (UINT32_MAX - 1)
#define NO_SLOT SIZE_MAX

typedef struct entry {
    uint64_t hash;
    map_entry pair;
    bool live;
} entry;

struct map {
    arena *home; /* NULL on the heap */
    uint32_t *slots;
    size_t slot_count; /* a power of two, or 0 before the first insertion */
    entry *entries;
    size_t entry_count; /* holes included; the array holds three quarters of slot_count */
    size_t live_count;
};

static void release_arrays(void *object)
{
    map *m = object;

    mem_free(m->slots);
    mem_free(m->entries);
}

map *map_create(arena *a)
{
    map *m;

    if (a == NULL) {
        return NEW(map);
    }
    m = ARENA_NEW(a, map);
    m->home = a;
    arena_defer(a, release_arrays, m);
    return m;
}

static void free_key(map *m, str key)
{
    if (m->home == NULL) {
        union {
            const char *shown;
            void *owned;
        } memory = {.shown = key.data};

        mem_free(memory.owned);
    }
}

void map_free(map *m)
{
    if (m == NULL) {
        return;
    }
    ASSERT(m->home == NULL);
    for (size_t i = 0; i < m->entry_count; i++) {
        if (m->entries[i].live) {
            free_key(m, m->entries[i].pair.key);
        }
    }
    release_arrays(m);
    mem_free(m);
}

/* The slot of `key`, or NO_SLOT. */
static size_t find_slot(const map *m, str key, uint64_t hash)
{
    if (m->slot_count == 0) {
        return NO_SLOT;
    }
    for (size_t at = hash & (m->slot_count - 1); m->slots[at] != SLOT_FREE;
         at = (at + 1) & (m->slot_count - 1)) {
        if (m->slots[at] != SLOT_GONE) {
            const entry *e = &m->entries[m->slots[at]];

            if (e->hash == hash && str_equal(e->pair.key, key)) {
                return at;
            }
        }
    }
    return NO_SLOT;
}

/* Fresh arrays of `slot_count` slots, without the holes. */
static void rebuild(map *m, size_t slot_count)
{
    uint32_t *slots = NEW_ARRAY(uint32_t, slot_count);
    entry *entries = NEW_ARRAY(entry, slot_count / 4 * 3);
    size_t count = 0;

    ASSERT(slot_count < SLOT_GONE);
    memset(slots, 0xff, slot_count * sizeof(*slots));
    for (size_t i = 0; i < m->entry_count; i++) {
        size_t at = m->entries[i].hash & (slot_count - 1);

        if (!m->entries[i].live) {
            continue;
        }
        while (slots[at] != SLOT_FREE) {
            at = (at + 1) & (slot_count - 1);
        }
        slots[at] = (uint32_t)count;
        entries[count++] = m->entries[i];
    }
    release_arrays(m);
    m->slots = slots;
    m->slot_count = slot_count;
    m->entries = entries;
    m->entry_count = count;
}

static void make_room(map *m)
{
    if (m->slot_count == 0) {
        rebuild(m, FIRST_SLOTS);
    } else if (m->entry_count == m->slot_count / 4 * 3) {
        /* Mostly holes: the same size serves again. */
        rebuild(m,
                m->live_count < m->slot_count / 2 ? m->slot_count : mem_product(m->slot_count, 2));
    }
}

static str copy_key(map *m, str key)
{
    char *copy;

    if (m->home != NULL) {
        return str_from(arena_strndup(m->home, key.data, key.size), key.size);
    }
    copy = mem_alloc(key.size + 1);
    if (key.size > 0) {
        memcpy(copy, key.data, key.size);
    }
    return str_from(copy, key.size);
}

void *map_set(map *m, str key, void *value)
{
    uint64_t hash = str_hash(key);
    size_t found = find_slot(m, key, hash);
    size_t at;

    if (found != NO_SLOT) {
        map_entry *pair = &m->entries[m->slots[found]].pair;
        void *earlier = pair->value;

        pair->value = value;
        return earlier;
    }
    make_room(m);
    /* A GONE slot is not taken again: slots used then never outnumber entries, which keeps
     * invariant 1. */
    at = hash & (m->slot_count - 1);
    while (m->slots[at] != SLOT_FREE) {
        at = (at + 1) & (m->slot_count - 1);
    }
    m->slots[at] = (uint32_t)m->entry_count;
    m->entries[m->entry_count++] = (entry){
        .hash = hash,
        .pair = {.key = copy_key(m, key), .value = value},
        .live = true,
    };
    m->live_count++;
    return NULL;
}

void *map_get(const map *m, str key)
{
    size_t at = find_slot(m, key, str_hash(key));

    return at != NO_SLOT ? m->entries[m->slots[at]].pair.value : NULL;
}

bool map_has(const map *m, str key)
{
    return find_slot(m, key, str_hash(key)) != NO_SLOT;
}

void *map_remove(map *m, str key)
{
    size_t at = find_slot(m, key, str_hash(key));
    entry *e;

    if (at == NO_SLOT) {
        return NULL;
    }
    e = &m->entries[m->slots[at]];
    m->slots[at] = SLOT_GONE;
    e->live = false;
    m->live_count--;
    free_key(m, e->pair.key);
    return e->pair.value;
}

size_t map_count(const map *m)
{
    return m->live_count;
}

bool map_next(const map *m, size_t *at, map_entry *ret_entry)
{
    while (*at < m->entry_count) {
        const entry *e = &m->entries[(*at)++];

        if (e->live) {
            *ret_entry = e->pair;
            return true;
        }
    }
    return false;
}

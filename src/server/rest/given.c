/* Keys that were given to somebody a moment ago. One who loads a table again within a minute gets the same ones: they
 * are as good, and making them is a third of the work of a load. What was made before a principal, a key or a session
 * ended is not given any more. */
#include "rest/vend.h"
#include "tarn/base/clock.h"
#include "tarn/base/map.h"

#define KEPT_MAX 4096
#define KEPT_US (60 * INT64_C(1000000))

struct given_cache {
    mutex lock;
    arena *memory;
    map *given;       /* whose, for what, as asked -> given_keys, in `memory` */
    int64_t began_us; /* the first in `given`: a minute's keys go together */
};

given_cache *given_cache_create(void)
{
    given_cache *cache = NEW(given_cache);

    mutex_init(&cache->lock);
    return cache;
}

void given_cache_free(given_cache *cache)
{
    if (cache != NULL) {
        arena_free(cache->memory);
        mutex_release(&cache->lock);
        mem_free(cache);
    }
}

/* The lock is held. */
static void start_over(given_cache *cache, int64_t now_us)
{
    arena_free(cache->memory);
    cache->memory = arena_create();
    cache->given = map_create(cache->memory);
    cache->began_us = now_us;
}

bool given_cache_find(given_cache *cache, uint64_t generation, str key, arena *a,
                      given_keys *ret_keys)
{
    int64_t now_us = clock_now_us();
    const given_keys *found = NULL;
    bool fresh;

    mutex_lock(&cache->lock);
    if (cache->memory != NULL) {
        found = map_get(cache->given, key);
    }
    fresh = found != NULL && found->generation == generation && now_us - found->made_us < KEPT_US &&
            now_us >= found->made_us;
    if (fresh) {
        *ret_keys = *found;
        ret_keys->config = str_copy(a, found->config);
        ret_keys->others = str_copy(a, found->others);
    }
    mutex_unlock(&cache->lock);
    return fresh;
}

void given_cache_keep(given_cache *cache, str key, const given_keys *keys)
{
    mutex_lock(&cache->lock);
    if (cache->memory == NULL || keys->made_us - cache->began_us >= KEPT_US ||
        keys->made_us < cache->began_us || map_count(cache->given) >= KEPT_MAX) {
        start_over(cache, keys->made_us);
    }
    given_keys *copy = ARENA_NEW(cache->memory, given_keys);
    *copy = *keys;
    copy->config = str_copy(cache->memory, keys->config);
    copy->others = str_copy(cache->memory, keys->others);
    (void)map_set(cache->given, key, copy);
    mutex_unlock(&cache->lock);
}

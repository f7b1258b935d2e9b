/* Parsed metadata of tables and views, shared by who loads them: of tables by key and location of the file, of views by
 * the location. What loadTable answers is in document.c. */
#include "internal.h"

#include "tarn/base/mem.h"

/* So many are kept parsed. The oldest tables go first. */
#define CACHED_TABLES_MAX 1000
#define CACHED_VIEWS_MAX 1000

typedef struct cached_table {
    str location;
    ice_metadata *metadata;
} cached_table;

static void cached_table_free(cached_table *t)
{
    if (t != NULL) {
        ice_metadata_unref(t->metadata);
        mem_free((char *)(uintptr_t)t->location.data);
        mem_free(t);
    }
}

ice_metadata *catalog__cache_get(catalog *c, str key, str location)
{
    mutex_lock(&c->lock);
    const cached_table *t = map_get(c->cached, key);
    ice_metadata *found =
        t != NULL && str_equal(t->location, location) ? ice_metadata_ref(t->metadata) : NULL;
    mutex_unlock(&c->lock);
    return found;
}

void catalog__cache_put(catalog *c, str key, str location, const ice_metadata *metadata)
{
    cached_table *t = NEW(cached_table);
    char *copy = mem_alloc(location.size + 1);
    memcpy(copy, location.data, location.size);
    t->location = str_from(copy, location.size);
    t->metadata = ice_metadata_ref(metadata);
    if (metadata->guard == NULL) { /* of a new table: nobody else has it yet */
        t->metadata->guard = c->guard;
    }

    mutex_lock(&c->lock);
    cached_table *replaced = map_set(c->cached, key, t);
    cached_table *evicted = NULL;
    map_entry oldest;
    size_t at = 0;
    if (map_count(c->cached) > CACHED_TABLES_MAX && map_next(c->cached, &at, &oldest)) {
        evicted = map_remove(c->cached, oldest.key);
    }
    mutex_unlock(&c->lock);
    cached_table_free(replaced);
    cached_table_free(evicted);
}

void catalog__cache_drop(catalog *c, str key)
{
    mutex_lock(&c->lock);
    cached_table *t = map_remove(c->cached, key);
    mutex_unlock(&c->lock);
    cached_table_free(t);
}

/* ---- of views, by the location of the file, which never changes ---- */

ice_view *catalog__view_cache_get(catalog *c, str location)
{
    mutex_lock(&c->lock);
    ice_view *found = map_get(c->views, location);
    found = found != NULL ? ice_view_ref(found) : NULL;
    mutex_unlock(&c->lock);
    return found;
}

void catalog__view_cache_put(catalog *c, str location, const ice_view *view)
{
    ice_view *evicted = NULL;
    map_entry any;
    size_t at = 0;

    mutex_lock(&c->lock);
    ice_view *replaced = map_set(c->views, location, ice_view_ref(view));
    while (map_count(c->views) > CACHED_VIEWS_MAX && map_next(c->views, &at, &any)) {
        if (!str_equal(any.key, location)) {
            evicted = map_remove(c->views, any.key);
            break;
        }
    }
    mutex_unlock(&c->lock);
    ice_view_unref(replaced);
    ice_view_unref(evicted);
}

void catalog__view_cache_drop(catalog *c, str location)
{
    mutex_lock(&c->lock);
    ice_view *dropped = map_remove(c->views, location);
    mutex_unlock(&c->lock);
    ice_view_unref(dropped);
}

static void free_views(catalog *c)
{
    map_entry entry;

    for (size_t at = 0; map_next(c->views, &at, &entry);) {
        ice_view_unref(entry.value);
    }
    map_free(c->views);
}

void catalog__release_caches(catalog *c)
{
    map_entry entry;
    for (size_t at = 0; map_next(c->cached, &at, &entry);) {
        cached_table_free(entry.value);
    }
    map_free(c->cached);
    free_views(c);
    catalog__queues_free(c);
    mutex_release(&c->lock);
}

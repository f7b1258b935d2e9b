/* Parsed metadata of tables and views, shared by who loads them: of tables by key and location of the file, of views by
 * the location. What loadTable answers is in document.c. */
#include "internal.h"

#include "tarn/base/clock.h"
#include "tarn/base/mem.h"

/* So many are kept parsed. The oldest tables go first. */
#define CACHED_TABLES_MAX 1000
#define CACHED_VIEWS_MAX 1000

typedef struct cached_table {
    str location;
    ice_metadata *metadata;
    catalog__sighting seen;
} cached_table;

typedef struct cached_view {
    ice_view *view;
    catalog__sighting seen;
} cached_view;

catalog__sighting catalog__sight(const catalog *c)
{
    return (catalog__sighting){.generation = store_generation(c->storage),
                               .since_us = clock_now_us()};
}

static bool is_there(catalog *c, str location, const catalog__sighting *seen)
{
    arena *a = arena_create();
    store_object object = {0};
    bool there = store_stat(c->storage, location, a, &object, NULL) == STATUS_OK &&
                 object.modified_us <= seen->since_us;

    arena_free(a);
    return there;
}

static void cached_table_free(cached_table *t)
{
    if (t != NULL) {
        ice_metadata_unref(t->metadata);
        mem_free((char *)(uintptr_t)t->location.data);
        mem_free(t);
    }
}

static cached_table *find_table(catalog *c, str key, str location)
{
    cached_table *t = map_get(c->cached, key);

    return t != NULL && str_equal(t->location, location) ? t : NULL;
}

ice_metadata *catalog__cache_peek(catalog *c, str key, str location)
{
    mutex_lock(&c->lock);
    const cached_table *t = find_table(c, key, location);
    ice_metadata *found = t != NULL ? ice_metadata_ref(t->metadata) : NULL;
    mutex_unlock(&c->lock);
    return found;
}

ice_metadata *catalog__cache_get(catalog *c, str key, str location)
{
    uint64_t generation = store_generation(c->storage);
    cached_table *gone = NULL;
    ice_metadata *found = NULL;
    catalog__sighting seen = {0};

    mutex_lock(&c->lock);
    cached_table *t = find_table(c, key, location);
    if (t != NULL) {
        found = ice_metadata_ref(t->metadata);
        seen = t->seen;
    }
    mutex_unlock(&c->lock);
    if (found == NULL || seen.generation == generation) {
        return found;
    }
    bool there = is_there(c, location, &seen);
    mutex_lock(&c->lock);
    t = find_table(c, key, location);
    if (t != NULL && t->metadata == found) {
        t->seen.generation = generation;
        gone = there ? NULL : map_remove(c->cached, key);
    }
    mutex_unlock(&c->lock);
    cached_table_free(gone);
    if (!there) {
        ice_metadata_unref(found);
    }
    return there ? found : NULL;
}

void catalog__cache_put(catalog *c, str key, str location, const ice_metadata *metadata)
{
    catalog__cache_put_seen(c, key, location, metadata, catalog__sight(c));
}

void catalog__cache_put_seen(catalog *c, str key, str location, const ice_metadata *metadata,
                             catalog__sighting seen)
{
    cached_table *t = NEW(cached_table);
    char *copy = mem_alloc(location.size + 1);
    memcpy(copy, location.data, location.size);
    t->location = str_from(copy, location.size);
    t->metadata = ice_metadata_ref(metadata);
    t->seen = seen;
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

/* ---- of views, by the location of the file ---- */

static void cached_view_free(cached_view *v)
{
    if (v != NULL) {
        ice_view_unref(v->view);
        mem_free(v);
    }
}

ice_view *catalog__view_cache_peek(catalog *c, str location)
{
    mutex_lock(&c->lock);
    const cached_view *v = map_get(c->views, location);
    ice_view *found = v != NULL ? ice_view_ref(v->view) : NULL;
    mutex_unlock(&c->lock);
    return found;
}

ice_view *catalog__view_cache_get(catalog *c, str location)
{
    uint64_t generation = store_generation(c->storage);
    cached_view *gone = NULL;
    ice_view *found = NULL;
    catalog__sighting seen = {0};

    mutex_lock(&c->lock);
    cached_view *v = map_get(c->views, location);
    if (v != NULL) {
        found = ice_view_ref(v->view);
        seen = v->seen;
    }
    mutex_unlock(&c->lock);
    if (found == NULL || seen.generation == generation) {
        return found;
    }
    bool there = is_there(c, location, &seen);
    mutex_lock(&c->lock);
    v = map_get(c->views, location);
    if (v != NULL && v->view == found) {
        v->seen.generation = generation;
        gone = there ? NULL : map_remove(c->views, location);
    }
    mutex_unlock(&c->lock);
    cached_view_free(gone);
    if (!there) {
        ice_view_unref(found);
    }
    return there ? found : NULL;
}

void catalog__view_cache_put(catalog *c, str location, const ice_view *view)
{
    catalog__view_cache_put_seen(c, location, view, catalog__sight(c));
}

void catalog__view_cache_put_seen(catalog *c, str location, const ice_view *view,
                                  catalog__sighting seen)
{
    cached_view *v = NEW(cached_view);
    cached_view *evicted = NULL;
    map_entry any;
    size_t at = 0;

    v->view = ice_view_ref(view);
    v->seen = seen;
    mutex_lock(&c->lock);
    cached_view *replaced = map_set(c->views, location, v);
    while (map_count(c->views) > CACHED_VIEWS_MAX && map_next(c->views, &at, &any)) {
        if (!str_equal(any.key, location)) {
            evicted = map_remove(c->views, any.key);
            break;
        }
    }
    mutex_unlock(&c->lock);
    cached_view_free(replaced);
    cached_view_free(evicted);
}

void catalog__view_cache_drop(catalog *c, str location)
{
    mutex_lock(&c->lock);
    cached_view *dropped = map_remove(c->views, location);
    mutex_unlock(&c->lock);
    cached_view_free(dropped);
}

static void free_views(catalog *c)
{
    map_entry entry;

    for (size_t at = 0; map_next(c->views, &at, &entry);) {
        cached_view_free(entry.value);
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

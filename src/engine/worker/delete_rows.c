/* Layers of deleted rows, and what a worker keeps of them from query to query. */
#include "worker/delete_rows.h"

#include <sys/stat.h>

#include "tarn/base/limits.h"
#include "tarn/base/mem.h"

#define KEPT_MAX (64 * LIMIT_MIB)

static map *kept;
static size_t kept_bytes;

static void free_kept(kept_rows *k)
{
    row_set_free(k->rows);
    mem_free(k);
}

static void free_layer(delete_layer *layer, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (layer->kept[i] == NULL) {
            row_set_free(layer->rows[i]);
        } else if (--layer->kept[i]->users == 0 && layer->kept[i]->is_dropped) {
            free_kept(layer->kept[i]);
        }
    }
}

static void free_layers(void *object)
{
    delete_set *set = object;

    for (size_t i = 0; i < DELETE_LAYERS; i++) {
        free_layer(&set->layers[i], set->count);
    }
}

void delete_layers_create(delete_set *set)
{
    for (size_t i = 0; i < DELETE_LAYERS; i++) {
        set->layers[i].rows = ARENA_ARRAY(set->memory, row_set *, set->count);
        set->layers[i].kept = ARENA_ARRAY(set->memory, kept_rows *, set->count);
    }
    arena_defer(set->memory, free_layers, set);
}

row_set *delete_layer_rows(delete_layer *layer, size_t number)
{
    if (layer->kept[number] != NULL) {
        return NULL;
    }
    if (layer->rows[number] == NULL) {
        layer->rows[number] = row_set_create();
    }
    return layer->rows[number];
}

/* --- what is kept --- */

/* A file of the store is linked under a name that never stands for other bytes; one outside it is told by more. */
void delete_put_file_key(str path, buf *key)
{
    struct stat info;

    if (stat(path.data, &info) != 0) {
        key->failed = true; /* nothing is kept */
        return;
    }
    buf_add_str(key, path);
    buf_printf(key, " %llu %lld %lld %lld\n", (unsigned long long)info.st_ino,
               (long long)info.st_size, (long long)info.st_mtim.tv_sec,
               (long long)info.st_mtim.tv_nsec);
}

static void use_kept(delete_layer *layer, size_t number, kept_rows *k)
{
    k->users++;
    layer->kept[number] = k;
    layer->rows[number] = k->rows;
}

void delete_layer_take_kept(delete_layer *layer, const str *keys, size_t count)
{
    for (size_t i = 0; kept != NULL && i < count; i++) {
        kept_rows *k = str_is_null(keys[i]) ? NULL : map_get(kept, keys[i]);

        if (k != NULL && layer->rows[i] == NULL) {
            use_kept(layer, i, k);
        }
    }
}

static void drop_kept(void)
{
    map_entry entry;

    for (size_t at = 0; kept != NULL && map_next(kept, &at, &entry);) {
        kept_rows *k = entry.value;

        k->is_dropped = true;
        if (k->users == 0) {
            free_kept(k);
        }
    }
    map_free(kept);
    kept = map_create(NULL);
    kept_bytes = 0;
}

void delete_layer_keep(delete_layer *layer, const str *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kept_rows *k;

        if (str_is_null(keys[i]) || layer->kept[i] != NULL) {
            continue;
        }
        (void)delete_layer_rows(layer, i); /* none at all is worth knowing too */
        if (kept != NULL && map_has(kept, keys[i])) {
            continue; /* the same file twice in one set */
        }
        k = NEW(kept_rows);
        k->rows = layer->rows[i];
        k->size_bytes = row_set_size_bytes(k->rows) + keys[i].size;
        if (kept == NULL || kept_bytes + k->size_bytes > KEPT_MAX) {
            drop_kept();
        }
        kept_bytes += k->size_bytes;
        (void)map_set(kept, keys[i], k);
        use_kept(layer, i, k);
    }
}

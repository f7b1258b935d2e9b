/* cache.c: parsed manifests and manifest lists in memory, by path: both are immutable once written.
 *
 * Invariants
 *   1. An entry's content never changes; it is freed by its last user, who may be a scan that outlives
 *      its place in the table.
 *   2. The bytes of all entries in the table stay under the limit; the least recently used go first.
 *   3. Nothing is read or parsed under the lock. Two readers of one path may both read it; one of them keeps
 *      its own.
 *   4. An entry knows of which columns it has the metrics, and serves those who want no others. Who wants more reads
 *      the file again, for both, and takes its place. */
#include <stdatomic.h>
#include <stdlib.h>

#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/base/thread.h"
#include "tarn/base/vec.h"

#include "internal.h"

#define DEFAULT_LIMIT_BYTES (64 * LIMIT_MIB)
#define DECODED_COLUMNS_MAX 32 /* beyond these, all columns */

typedef struct entry {
    arena *memory; /* holds this and everything below */
    str path;
    ice__manifest_list list;
    ice__entries entries;
    ice__decode decode; /* of the entries */
    size_t size_bytes;
    _Atomic int references;
    struct entry *newer, *older; /* order of use */
} entry;

static struct {
    pthread_mutex_t lock;
    map *paths;
    entry *newest, *oldest;
    size_t size_bytes;
    size_t size_max_bytes;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER, .size_max_bytes = DEFAULT_LIMIT_BYTES};

/* --- entries --- */

static entry *entry_create(str path)
{
    arena *memory = arena_create();
    entry *e = ARENA_NEW(memory, entry);

    e->memory = memory;
    e->path = str_copy(memory, path);
    atomic_init(&e->references, 1);
    return e;
}

static void entry_unref(void *object)
{
    entry *e = object;

    if (atomic_fetch_sub_explicit(&e->references, 1, memory_order_acq_rel) == 1) {
        arena_free(e->memory);
    }
}

/* --- which metrics an entry has --- */

static bool has_id(const ice__decode *decode, int32_t id)
{
    for (size_t i = 0; i < decode->count; i++) {
        if (decode->ids[i] == id) {
            return true;
        }
    }
    return false;
}

static bool covers(const ice__decode *has, const ice__decode *wanted)
{
    if (has->all || wanted->all) {
        return has->all;
    }
    for (size_t i = 0; i < wanted->count; i++) {
        if (!has_id(has, wanted->ids[i])) {
            return false;
        }
    }
    return true;
}

static int compare_ids(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x;
    int32_t b = *(const int32_t *)y;

    return (a > b) - (a < b);
}

/* What serves both. */
static ice__decode join(const ice__decode *x, const ice__decode *y, arena *a)
{
    int32_t *ids = ARENA_ARRAY(a, int32_t, x->count + y->count + 1);
    size_t count = 0;

    for (size_t i = 0; i < x->count; i++) {
        ids[count++] = x->ids[i];
    }
    for (size_t i = 0; i < y->count; i++) {
        if (!has_id(x, y->ids[i])) {
            ids[count++] = y->ids[i];
        }
    }
    qsort(ids, count, sizeof(*ids), compare_ids);
    return (ice__decode){
        .all = x->all || y->all || count > DECODED_COLUMNS_MAX, .ids = ids, .count = count};
}

/* --- the table; all of these under the lock --- */

static void unlink_entry(entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &cache.newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &cache.oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void link_newest(entry *e)
{
    e->older = cache.newest;
    *(cache.newest != NULL ? &cache.newest->newer : &cache.oldest) = e;
    cache.newest = e;
}

static void drop(entry *e)
{
    unlink_entry(e);
    (void)map_remove(cache.paths, e->path);
    cache.size_bytes -= e->size_bytes;
    entry_unref(e);
}

static void shrink(void)
{
    while (cache.oldest != NULL && cache.size_bytes > cache.size_max_bytes) {
        drop(cache.oldest);
    }
}

/* --- use --- */

/* A reference for the caller's arena; NULL where the path is not there, or without the wanted metrics. *ret_had is
 * what it has then. */
static entry *find(str path, const ice__decode *wanted, arena *a, ice__decode *ret_had)
{
    entry *e;

    (void)pthread_mutex_lock(&cache.lock);
    e = cache.paths != NULL ? map_get(cache.paths, path) : NULL;
    if (e != NULL && !covers(&e->decode, wanted)) {
        *ret_had = join(&e->decode, wanted, a);
        e = NULL;
    }
    if (e != NULL) {
        atomic_fetch_add_explicit(&e->references, 1, memory_order_relaxed);
        unlink_entry(e);
        link_newest(e);
    }
    (void)pthread_mutex_unlock(&cache.lock);
    if (e != NULL) {
        arena_defer(a, entry_unref, e);
    }
    return e;
}

/* Where a manifest lies, and the row id that its list gives to it: a table's first snapshot of version 3 gives one to
 * manifests that had none, and with it to the files in them. */
static str manifest_key(const ice_manifest *manifest, str location, arena *a)
{
    return manifest->first_row_id == ICE_NO_ROW_ID
               ? location
               : str_printf(a, "%.*s#%lld", STR_ARG(location), (long long)manifest->first_row_id);
}

bool ice__cache_has(const ice_metadata *m, const ice_manifest *manifest, const ice__decode *decode,
                    arena *a)
{
    str path = manifest_key(manifest, ice_locate(m, manifest->path, a), a);
    const entry *e;
    bool found;

    (void)pthread_mutex_lock(&cache.lock);
    e = cache.paths != NULL ? map_get(cache.paths, path) : NULL;
    found = e != NULL && covers(&e->decode, decode);
    (void)pthread_mutex_unlock(&cache.lock);
    return found;
}

/* Takes over the caller's reference. */
static void insert(entry *e)
{
    entry *old;

    e->size_bytes = arena_used_bytes(e->memory);
    (void)pthread_mutex_lock(&cache.lock);
    if (cache.paths == NULL) {
        cache.paths = map_create(NULL);
    }
    old = map_get(cache.paths, e->path);
    if (e->size_bytes <= cache.size_max_bytes &&
        (old == NULL || !covers(&old->decode, &e->decode))) {
        if (old != NULL) {
            drop(old);
        }
        (void)map_set(cache.paths, e->path, e);
        link_newest(e);
        cache.size_bytes += e->size_bytes;
        shrink();
        e = NULL;
    }
    (void)pthread_mutex_unlock(&cache.lock);
    if (e != NULL) {
        entry_unref(e);
    }
}

/* Keeps a fresh entry for the caller's arena and offers it to the table. */
static void publish(entry *e, arena *a)
{
    atomic_fetch_add_explicit(&e->references, 1, memory_order_relaxed);
    arena_defer(a, entry_unref, e);
    insert(e);
}

void ice_cache_set_limit(size_t size_max_bytes)
{
    (void)pthread_mutex_lock(&cache.lock);
    cache.size_max_bytes = size_max_bytes;
    shrink();
    (void)pthread_mutex_unlock(&cache.lock);
}

void ice_cache_clear(void)
{
    (void)pthread_mutex_lock(&cache.lock);
    while (cache.oldest != NULL) {
        drop(cache.oldest);
    }
    map_free(cache.paths);
    cache.paths = NULL;
    (void)pthread_mutex_unlock(&cache.lock);
}

/* --- manifests --- */

/* A fresh entry, with one reference. Only the result stays of what was read. */
static status read_manifest(storage *st, const ice_metadata *m, const ice_manifest *manifest,
                            const ice__decode *decode, entry *e, error *err)
{
    arena *scratch = arena_create();
    ice_entry *entries;
    int32_t *ids;
    str bytes;
    status s = store_read_all(st, ice_locate(m, manifest->path, scratch), LIMIT_MANIFEST_FILE,
                              scratch, &bytes, err);

    if (s == STATUS_OK) {
        s = ice__manifest_parse(bytes, manifest, m, decode, e->memory, &entries, &e->entries.count,
                                err);
    }
    arena_free(scratch);
    TRY(s);
    e->entries.entries = entries;
    ids = ARENA_ARRAY(e->memory, int32_t, decode->count + 1);
    for (size_t i = 0; i < decode->count; i++) {
        ids[i] = decode->ids[i];
    }
    e->decode = (ice__decode){.all = decode->all, .ids = ids, .count = decode->count};
    return STATUS_OK;
}

status ice__manifest_load_some(storage *st, const ice_metadata *m, const ice_manifest *manifest,
                               const ice__decode *decode, arena *a, ice__entries *ret_entries,
                               error *err)
{
    ice__decode wanted = *decode;
    str location;

    TRY(ice_find_file(m, manifest->path, a, &location, err));
    str key = manifest_key(manifest, location, a);
    entry *e = find(key, decode, a, &wanted);

    if (e == NULL) {
        status s;

        e = entry_create(key);
        s = read_manifest(st, m, manifest, &wanted, e, err);
        if (s != STATUS_OK) {
            entry_unref(e);
            return s;
        }
        publish(e, a);
    }
    *ret_entries = e->entries;
    return STATUS_OK;
}

status ice__manifest_load(storage *st, const ice_metadata *m, const ice_manifest *manifest,
                          arena *a, ice__entries *ret_entries, error *err)
{
    static const ice__decode everything = {.all = true};

    return ice__manifest_load_some(st, m, manifest, &everything, a, ret_entries, err);
}

/* v1 snapshots may name their manifests in place: what a list would tell of them is not known. */
static void inline_list(const ice_snapshot *snapshot, arena *a, ice__manifest_list *ret_list)
{
    ice_manifest *manifests = ARENA_ARRAY(a, ice_manifest, snapshot->manifest_count);

    for (size_t i = 0; i < snapshot->manifest_count; i++) {
        manifests[i] = (ice_manifest){.path = snapshot->manifests[i],
                                      .spec_id = -1,
                                      .added_snapshot_id = snapshot->id,
                                      .added_files = -1,
                                      .existing_files = -1,
                                      .deleted_files = -1,
                                      .added_rows = -1,
                                      .existing_rows = -1,
                                      .deleted_rows = -1,
                                      .first_row_id = ICE_NO_ROW_ID};
    }
    *ret_list = (ice__manifest_list){.manifests = manifests, .count = snapshot->manifest_count};
}

status ice__list_load(storage *st, const ice_metadata *m, const ice_snapshot *snapshot, arena *a,
                      ice__manifest_list *ret_list, error *err)
{
    const ice__decode nothing = {.all = false};
    ice__decode had;
    entry *e;
    ice_manifest *manifests;
    str bytes;
    str location;
    status s;

    if (str_is_null(snapshot->manifest_list)) {
        inline_list(snapshot, a, ret_list);
        return STATUS_OK;
    }
    TRY(ice_find_file(m, snapshot->manifest_list, a, &location, err));
    e = find(location, &nothing, a, &had); /* of lists there is one kind */
    if (e == NULL) {
        e = entry_create(location);
        s = store_read_all(st, e->path, LIMIT_MANIFEST_FILE, e->memory, &bytes, err);
        if (s == STATUS_OK) {
            s = ice_manifest_list_parse(bytes, e->memory, &manifests, &e->list.count, err);
        }
        if (s != STATUS_OK) {
            error_context(err, "manifest list \"%.*s\"", STR_ARG(snapshot->manifest_list));
            entry_unref(e);
            return s;
        }
        e->list.manifests = manifests;
        publish(e, a);
    }
    *ret_list = e->list;
    return STATUS_OK;
}

static ice_manifest copy_manifest(const ice_manifest *from, arena *a)
{
    ice_manifest m = *from;
    ice_field_summary *summaries = ARENA_ARRAY(a, ice_field_summary, m.partition_count);

    m.path = ice__copy(a, m.path);
    m.key_metadata = ice__copy(a, m.key_metadata);
    for (size_t i = 0; i < m.partition_count; i++) {
        summaries[i] = m.partitions[i];
        summaries[i].lower = ice__copy(a, summaries[i].lower);
        summaries[i].upper = ice__copy(a, summaries[i].upper);
    }
    m.partitions = m.partitions != NULL ? summaries : NULL;
    return m;
}

void ice__cache_put_list(str path, const ice_manifest *manifests, size_t count)
{
    entry *e = entry_create(path);
    ice_manifest *copies = ARENA_ARRAY(e->memory, ice_manifest, count);

    for (size_t i = 0; i < count; i++) {
        copies[i] = copy_manifest(&manifests[i], e->memory);
    }
    e->list = (ice__manifest_list){.manifests = copies, .count = count};
    insert(e);
}

status ice_snapshot_manifests(storage *st, const ice_metadata *m, const ice_snapshot *snapshot,
                              arena *a, const ice_manifest **ret_manifests, size_t *ret_count,
                              error *err)
{
    ice__manifest_list list;

    TRY(ice__list_load(st, m, snapshot, a, &list, err));
    *ret_manifests = list.manifests;
    *ret_count = list.count;
    return STATUS_OK;
}

status ice_manifest_entries(storage *st, const ice_metadata *m, const ice_manifest *manifest,
                            arena *a, const ice_entry **ret_entries, size_t *ret_count, error *err)
{
    ice__entries entries;

    TRY(ice__manifest_load(st, m, manifest, a, &entries, err));
    *ret_entries = entries.entries;
    *ret_count = entries.count;
    return STATUS_OK;
}

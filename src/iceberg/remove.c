/* remove.c: which entries of a table's manifests go with a change, and manifests without them.
 *
 * A manifest that loses an entry is written anew: what stays is EXISTING with every number explicit, what goes is
 * DELETED under the new snapshot's id, what went before is left out. Manifests that lose nothing stay by path.
 *
 * With a data file go its deletion vector and the position deletes that speak of it alone.
 * Source: Iceberg specification, "Manifest entry fields", "Sequence number inheritance", "First row id
 * inheritance". */
#include "removal.h"

#include "tarn/base/limits.h"

static char present; /* what sets hold */

str ice__file_key(const ice_file *f, arena *a)
{
    return ice__is_vector(f)
               ? str_printf(a, "%.*s@%lld", STR_ARG(f->path), (long long)f->content_offset)
               : f->path;
}

/* --- what goes --- */

static bool is_listed(const ice__removal *r, const ice_file *f)
{
    return map_count(r->listed) > 0 && map_has(r->listed, ice__file_key(f, r->change->memory));
}

static bool in_partitions(const ice__removal *r, const ice_file *f)
{
    return r->partitions == NULL ||
           map_has(r->partitions, ice_file_partition_key(f, r->change->memory));
}

static bool data_goes(ice__removal *r, const ice_file *f)
{
    ice__verdict verdict;

    if (is_listed(r, f)) {
        return true;
    }
    if (r->overwrite->kind == ICE_OVERWRITE_PARTITIONS) {
        return in_partitions(r, f);
    }
    if (r->overwrite->kind != ICE_OVERWRITE_FILTER) {
        return false;
    }
    if (r->filter == NULL || ice__file_must_match(r->filter, f)) {
        return true;
    }
    if (r->partial == NULL && ice__file_may_match(r->filter, f, &verdict)) {
        r->partial = f;
    }
    return false;
}

static bool adds_vector_for(const ice__removal *r, str data_path)
{
    for (size_t i = 0; i < r->overwrite->added_count; i++) {
        const ice_file *f = &r->overwrite->added[i];

        if (ice__is_vector(f) && str_equal(f->referenced_data_file, data_path)) {
            return true;
        }
    }
    return false;
}

static bool deletes_go(ice__removal *r, const ice_file *f)
{
    bool refers = !str_is_null(f->referenced_data_file);

    if (is_listed(r, f) || (refers && map_has(r->gone, f->referenced_data_file))) {
        return true;
    }
    if (r->second == NULL && refers && ice__is_vector(f) &&
        adds_vector_for(r, f->referenced_data_file)) {
        r->second = f;
    }
    switch (r->overwrite->kind) {
    case ICE_OVERWRITE_PARTITIONS:
        return in_partitions(r, f);
    case ICE_OVERWRITE_FILTER:
        return r->filter == NULL || ice__partition_must_match(r->filter, f);
    default:
        return false;
    }
}

/* Counts that are all known, and one entry at least that lives. */
static bool is_empty(const ice_manifest *m)
{
    return m->added_files == 0 && m->existing_files == 0;
}

static size_t count_listed(const ice__removal *r, bool deletes)
{
    size_t count = 0;

    for (size_t i = 0; i < r->overwrite->removed_count; i++) {
        count += (r->overwrite->removed[i].content != ICE_DATA) == deletes ? 1 : 0;
    }
    return count;
}

/* False where nothing of the manifest can go, told without reading it. */
static bool may_lose(const ice__removal *r, const ice_manifest *m, size_t listed_left)
{
    ice__verdict verdict;

    if (is_empty(m)) {
        return false;
    }
    if (m->deletes) {
        return true;
    }
    switch (r->overwrite->kind) {
    case ICE_OVERWRITE_PARTITIONS:
        return true;
    case ICE_OVERWRITE_FILTER:
        return listed_left > 0 || r->filter == NULL || m->spec_id < 0 ||
               ice__manifest_may_match(r->filter, m, &verdict);
    default:
        break;
    }
    for (size_t i = 0; listed_left > 0 && i < r->overwrite->removed_count; i++) {
        if (m->spec_id < 0 || r->overwrite->removed[i].spec_id == m->spec_id) {
            return true;
        }
    }
    return false;
}

static bool *choose_entries(ice__removal *r, const ice_manifest *m, const ice__entries *entries,
                            size_t *listed_left)
{
    bool *gone = NULL;

    for (size_t i = 0; i < entries->count; i++) {
        const ice_file *f = &entries->entries[i].file;
        str key;

        if (entries->entries[i].status == ICE_DELETED ||
            !(m->deletes ? deletes_go(r, f) : data_goes(r, f))) {
            continue;
        }
        key = ice__file_key(f, r->change->memory);
        *listed_left -= map_has(r->listed, key) && !map_has(r->found, key) ? 1 : 0;
        (void)map_set(r->found, key, &present);
        vec_push(r->change->memory, &r->files, f);
        if (!m->deletes) {
            (void)map_set(r->gone, f->path, &present);
        }
        if (gone == NULL) {
            gone = ARENA_ARRAY(r->memory, bool, entries->count);
        }
        gone[i] = true;
    }
    return gone;
}

/* --- manifests without it --- */

static ice__rewritten *find_rewritten(const ice__removal *r, ice__rewritten_vec *rewritten,
                                      const ice_manifest *source, const bool *gone, size_t count,
                                      int64_t snapshot_id)
{
    for (size_t i = 0; i < rewritten->count; i++) {
        ice__rewritten *w = rewritten->items[i];

        if (str_equal(w->source, source->path) &&
            w->format_version == r->change->base->format_version &&
            w->made.manifest.added_snapshot_id == snapshot_id &&
            memcmp(w->gone, gone, count * sizeof(*gone)) == 0) {
            return w;
        }
    }
    return NULL;
}

static status rewrite(const ice__removal *r, const ice_manifest *source,
                      const ice__entries *entries, const bool *gone, int64_t snapshot_id,
                      ice__rewritten_vec *rewritten, error *err)
{
    ice__rewritten *w = ARENA_NEW(r->memory, ice__rewritten);
    ice_entry *kept = ARENA_ARRAY(r->memory, ice_entry, entries->count);
    buf *bytes = buf_in(r->memory, LIMIT_MANIFEST_FILE);
    store_stage_request request = {.content_type = STR("application/octet-stream"),
                                   .shares_file = true};

    w->source = str_copy(r->memory, source->path);
    w->gone = gone;
    w->format_version = r->change->base->format_version;
    w->made.entries = kept;
    for (size_t i = 0; i < entries->count; i++) {
        if (entries->entries[i].status != ICE_DELETED) {
            ice_entry *entry = &kept[w->made.entry_count++];

            *entry = entries->entries[i];
            entry->status = gone[i] ? ICE_DELETED : ICE_EXISTING;
        }
    }
    TRY(ice_manifest_format(r->change->base, entries->entries[0].file.spec_id, source->deletes,
                            snapshot_id, kept, w->made.entry_count, r->memory, bytes,
                            &w->made.manifest, err));
    w->made.manifest.path = ice__metadata_object(r->change->base, "", "-m2.avro", r->memory);
    w->made.bytes = buf_str(bytes);
    request.location = w->made.manifest.path;
    request.bytes = w->made.bytes;
    ice__kept_add(r->memory, &w->kept, &request);
    vec_push(r->memory, rewritten, w);
    return STATUS_OK;
}

static status take_manifest(const ice__removal *r, const ice_manifest *source,
                            const ice__entries *entries, const bool *gone, int64_t snapshot_id,
                            ice__rewritten_vec *rewritten, error *err)
{
    ice__rewritten *w = find_rewritten(r, rewritten, source, gone, entries->count, snapshot_id);
    ice__change *c = r->change;

    if (w == NULL) {
        TRY(rewrite(r, source, entries, gone, snapshot_id, rewritten, err));
        w = rewritten->items[rewritten->count - 1];
    }
    w->used = true;
    vec_push(c->memory, &c->manifests, w->made.manifest);
    vec_push(c->memory, &c->known, w->made);
    vec_push(c->memory, &c->kept, &w->kept);
    return STATUS_OK;
}

/* --- the whole --- */

typedef struct pass {
    bool deletes;
    int64_t snapshot_id;
    ice__rewritten_vec *rewritten;
    ice__manifest_vec *untouched;
} pass;

/* Data manifests first: what deletes go depends on which data went. */
static status run_pass(ice__removal *r, const ice__manifest_list *list, const pass *p, error *err)
{
    size_t listed_left = count_listed(r, p->deletes);
    ice__change *c = r->change;

    for (size_t i = 0; i < list->count; i++) {
        const ice_manifest *m = &list->manifests[i];
        ice__entries entries;
        bool *gone;

        if (m->deletes != p->deletes) {
            continue;
        }
        if (!may_lose(r, m, listed_left)) {
            vec_push(c->memory, p->untouched, *m);
            continue;
        }
        TRY(ice__manifest_load(c->storage, c->base, m, r->memory, &entries, err));
        gone = choose_entries(r, m, &entries, &listed_left);
        if (gone == NULL) {
            vec_push(c->memory, p->untouched, *m);
        } else {
            TRY(take_manifest(r, m, &entries, gone, p->snapshot_id, p->rewritten, err));
        }
    }
    return STATUS_OK;
}

status ice__remove_files(ice__removal *r, int64_t snapshot_id, ice__rewritten_vec *rewritten,
                         error *err)
{
    ice__change *c = r->change;
    ice__manifest_list list = {.count = 0};
    ice__manifest_vec untouched = {0};
    pass p = {.snapshot_id = snapshot_id, .rewritten = rewritten, .untouched = &untouched};

    if (r->head != NULL) {
        TRY(ice__list_load(c->storage, c->base, r->head, r->memory, &list, err));
    }
    TRY(run_pass(r, &list, &p, err));
    p.deletes = true;
    TRY(run_pass(r, &list, &p, err));
    list = (ice__manifest_list){.manifests = untouched.items, .count = untouched.count};
    return ice__merge_manifests(c, &list, snapshot_id, err);
}

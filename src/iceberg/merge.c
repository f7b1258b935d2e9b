/* merge.c: keeping manifest lists short. Manifests are sorted into tiers by how many live files they hold, each
 * tier a factor of commit.manifest.min-count-to-merge above the one before; a tier that has that many of one spec
 * becomes one manifest of the next. A file is therefore rewritten once per tier, and a list holds at most a few
 * manifests of each: both grow with the logarithm of the table.
 * The reasons are in docs/design/0005-small-metadata.md. */
#include "tarn/base/limits.h"
#include "tarn/base/map.h"

#include "change.h"

enum {
    DEFAULT_MERGE_COUNT = 8,
    MERGED_AT_ONCE_MAX = 64, /* a commit waits for no more reads than these */
    DEFAULT_TARGET_BYTES = 8 * 1024 * 1024,
};

typedef struct group {
    int32_t spec_id;
    int tier;
    size_t count;
    int64_t size_bytes;
    bool merges;
} group;

typedef struct merger {
    ice__change *change;
    int64_t snapshot_id;
    int64_t merge_count;
    int64_t target_bytes;
    VEC(group) groups;
} merger;

/* floor(log_base(files)) */
static int tier_of(int64_t files, int64_t base)
{
    int tier = 0;

    for (; files >= base; files /= base) {
        tier++;
    }
    return tier;
}

static int64_t live_files(const ice_manifest *m)
{
    return (int64_t)m->added_files + m->existing_files;
}

static bool is_counted(const ice_manifest *m)
{
    return m->added_files >= 0 && m->existing_files >= 0 && m->deleted_files >= 0 &&
           m->added_rows >= 0 && m->existing_rows >= 0 && m->deleted_rows >= 0;
}

/* Delete manifests are few, and their entries are found by what they refer to: they stay as they are. */
static bool can_merge(const merger *x, const ice_manifest *m)
{
    return !m->deletes && str_is_null(m->key_metadata) && m->length_bytes < x->target_bytes;
}

static group *group_of(merger *x, const ice_manifest *m)
{
    int tier = tier_of(live_files(m), x->merge_count);
    group made = {.spec_id = m->spec_id, .tier = tier};

    for (size_t i = 0; i < x->groups.count; i++) {
        if (x->groups.items[i].spec_id == m->spec_id && x->groups.items[i].tier == tier) {
            return &x->groups.items[i];
        }
    }
    vec_push(x->change->memory, &x->groups, made);
    return &x->groups.items[x->groups.count - 1];
}

static size_t at_once_max(const merger *x)
{
    return x->merge_count > MERGED_AT_ONCE_MAX ? (size_t)x->merge_count : MERGED_AT_ONCE_MAX;
}

/* Live entries of one manifest, as a later manifest has to state them: with every number explicit. */
static status take_entries(const merger *x, const ice_manifest *manifest, ice_entry *entries,
                           size_t *count, size_t count_max, error *err)
{
    ice__entries from;

    TRY(ice__manifest_load(x->change->storage, x->change->base, manifest, x->change->memory, &from,
                           err));
    for (size_t i = 0; i < from.count; i++) {
        if (from.entries[i].status == ICE_DELETED) {
            continue;
        }
        if (*count == count_max) {
            return error_set(err, STATUS_CORRUPT,
                             "manifest \"%.*s\" holds more files than its list tells",
                             STR_ARG(manifest->path));
        }
        entries[*count] = from.entries[i];
        entries[*count].status = ICE_EXISTING;
        (*count)++;
    }
    return STATUS_OK;
}

static status merge_group(merger *x, const group *g, const ice_manifest *const *members, error *err)
{
    ice__change *c = x->change;
    ice__new_manifest made = {0};
    ice_entry *entries;
    size_t count = 0;
    size_t count_max = 0;
    buf *bytes = buf_in(c->memory, LIMIT_MANIFEST_FILE);

    for (size_t i = 0; i < g->count; i++) {
        count_max += (size_t)live_files(members[i]);
    }
    entries = ARENA_ARRAY(c->memory, ice_entry, count_max);
    for (size_t i = 0; i < g->count; i++) {
        TRY(take_entries(x, members[i], entries, &count, count_max, err));
    }
    TRY(ice_manifest_format(c->base, g->spec_id, false, x->snapshot_id, entries, count, c->memory,
                            bytes, &made.manifest, err));
    made.manifest.path = ice__metadata_object(c->base, "", "-m1.avro", c->memory);
    made.bytes = buf_str(bytes);
    made.entries = entries;
    made.entry_count = count;
    vec_push(c->memory, &c->merged, made);
    vec_push(c->memory, &c->manifests, made.manifest);
    return STATUS_OK;
}

/* Lists of v1 leave counts out, and manifests named in place have none: they are read once. */
static status complete(const ice__change *c, ice_manifest *manifest, error *err)
{
    ice__entries entries;
    store_object object;

    TRY(ice__manifest_load(c->storage, c->base, manifest, c->memory, &entries, err));
    TRY(store_stat(c->storage, manifest->path, c->memory, &object, err));
    manifest->length_bytes = object.size_bytes;
    manifest->added_files = manifest->existing_files = manifest->deleted_files = 0;
    manifest->added_rows = manifest->existing_rows = manifest->deleted_rows = 0;
    for (size_t i = 0; i < entries.count; i++) {
        manifest->spec_id = entries.entries[i].file.spec_id;
        ice__manifest_count(manifest, &entries.entries[i]);
    }
    if (manifest->spec_id < 0) {
        manifest->spec_id = c->base->default_spec_id;
    }
    return STATUS_OK;
}

/* The manifests that carry on, complete; those without a live file told what was deleted, and to one snapshot only. */
static status survivors(const ice__change *c, const ice__manifest_list *list,
                        ice__manifest_vec *ret, error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        ice_manifest manifest = list->manifests[i];

        if (!is_counted(&manifest) || manifest.spec_id < 0) {
            TRY(complete(c, &manifest, err));
        }
        if (live_files(&manifest) > 0) {
            vec_push(c->memory, ret, manifest);
        }
    }
    return STATUS_OK;
}

static void choose_groups(merger *x, const ice__manifest_vec *manifests)
{
    for (size_t i = 0; i < manifests->count; i++) {
        const ice_manifest *m = &manifests->items[i];
        group *g;

        if (!can_merge(x, m)) {
            continue;
        }
        g = group_of(x, m);
        if (g->count < at_once_max(x) && g->size_bytes + m->length_bytes <= 2 * x->target_bytes) {
            g->count++;
            g->size_bytes += m->length_bytes;
        }
    }
    for (size_t i = 0; i < x->groups.count; i++) {
        x->groups.items[i].merges = (int64_t)x->groups.items[i].count >= x->merge_count;
    }
}

/* Puts each manifest into its group, as far as the group takes it, or into the new list. */
static status distribute(merger *x, const ice__manifest_vec *manifests, error *err)
{
    arena *a = x->change->memory;
    const ice_manifest ***members = ARENA_ARRAY(a, const ice_manifest **, x->groups.count);
    size_t *filled = ARENA_ARRAY(a, size_t, x->groups.count);

    for (size_t i = 0; i < x->groups.count; i++) {
        members[i] = ARENA_ARRAY(a, const ice_manifest *, x->groups.items[i].count);
    }
    for (size_t i = 0; i < manifests->count; i++) {
        const ice_manifest *m = &manifests->items[i];
        group *g = can_merge(x, m) ? group_of(x, m) : NULL;

        if (g != NULL && g->merges && filled[g - x->groups.items] < g->count) {
            members[g - x->groups.items][filled[g - x->groups.items]++] = m;
        } else {
            vec_push(a, &x->change->manifests, *m);
        }
    }
    for (size_t i = 0; i < x->groups.count; i++) {
        if (x->groups.items[i].merges) {
            TRY(merge_group(x, &x->groups.items[i], members[i], err));
        }
    }
    return STATUS_OK;
}

status ice__merge_manifests(ice__change *c, const ice__manifest_list *list, int64_t snapshot_id,
                            error *err)
{
    const ice_metadata *m = c->base;
    ice__manifest_vec manifests = {0};
    merger x = {.change = c,
                .snapshot_id = snapshot_id,
                .merge_count = ice_metadata_property_int(m, "commit.manifest.min-count-to-merge",
                                                         DEFAULT_MERGE_COUNT),
                .target_bytes = ice_metadata_property_int(m, "commit.manifest.target-size-bytes",
                                                          DEFAULT_TARGET_BYTES)};

    TRY(survivors(c, list, &manifests, err));
    x.merge_count = x.merge_count < 2 ? 2 : x.merge_count;
    if (!str_equal_nocase(ice_metadata_property(m, "commit.manifest-merge.enabled", "true"),
                          STR("false"))) {
        choose_groups(&x, &manifests);
    }
    return distribute(&x, &manifests, err);
}

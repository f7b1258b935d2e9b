/* Everything that a table's metadata leads to: of all its snapshots the lists, manifests, data and delete files,
 * statistics, and the metadata files before. What is done with it is the visitor's affair (purge.c, sweep.c). */
#include "internal.h"

#include "tarn/base/limits.h"

typedef struct walk {
    const catalog__reach *r;
    const ice_metadata *m;
    map *manifests; /* those visited: snapshots share them */
} walk;

static status visit(const walk *w, str location, bool live, arena *a, error *err)
{
    return w->r->visit(w->r->context, ice_locate(w->m, location, a), live, err);
}

/* Failures that another try does not mend, and that are not the visitor's or the machine's. */
static bool is_damage(status s)
{
    return s == STATUS_CORRUPT || s == STATUS_INVALID || s == STATUS_UNSUPPORTED ||
           s == STATUS_TOO_LARGE || s == STATUS_BAD_DATA || s == STATUS_DENIED;
}

/* What a damaged file leads to is left out where the caller wants to be told of it instead. */
static status leave_out(const catalog__reach *r, status result, error *err)
{
    if (r->broken == NULL || err == NULL || !is_damage(result)) {
        return result;
    }
    if (r->broken->kind == STATUS_OK) {
        *r->broken = *err;
    }
    error_clear(err);
    return STATUS_OK;
}

/* The file itself is not left out. */
static status leave_out_below(const walk *w, str location, status result, arena *a, error *err)
{
    if (result == STATUS_OK) {
        return STATUS_OK;
    }
    TRY(leave_out(w->r, result, err));
    return location.size == 0 ? STATUS_OK : visit(w, location, true, a, err);
}

/* STR_NULL where it is gone and may be. */
static status read_object(const catalog__reach *r, str location, size_t size_max, arena *a,
                          str *ret_bytes, error *err)
{
    status result = store_read_all(r->c->storage, location, size_max, a, ret_bytes, err);
    if (result == STATUS_NOT_FOUND && r->missing_is_fine) {
        *ret_bytes = STR_NULL;
        return STATUS_OK;
    }
    return result;
}

static status reach_manifest(const walk *w, const ice_manifest *manifest, arena *a, error *err)
{
    ice_entry *entries = NULL;
    size_t count = 0;
    str bytes;

    if (map_has(w->manifests, manifest->path)) {
        return STATUS_OK;
    }
    TRY(read_object(w->r, ice_locate(w->m, manifest->path, a), LIMIT_MANIFEST_FILE, a, &bytes,
                    err));
    if (!str_is_null(bytes)) {
        TRY(ice_manifest_parse(bytes, manifest, w->m, false, a, &entries, &count, err));
    }
    for (size_t i = 0; i < count; i++) {
        TRY(visit(w, entries[i].file.path, entries[i].status != ICE_DELETED, a, err));
    }
    map_set(w->manifests, manifest->path, w->manifests);
    return visit(w, manifest->path, true, a, err);
}

static status reach_snapshot(const walk *w, const ice_snapshot *snapshot, arena *a, error *err)
{
    ice_manifest *manifests = NULL;
    size_t count = 0;
    str bytes;

    if (str_is_null(snapshot->manifest_list)) {
        return STATUS_OK;
    }
    TRY(read_object(w->r, ice_locate(w->m, snapshot->manifest_list, a), LIMIT_MANIFEST_FILE, a,
                    &bytes, err));
    if (str_is_null(bytes)) {
        return STATUS_OK;
    }
    TRY(ice_manifest_list_parse(bytes, a, &manifests, &count, err));
    for (size_t i = 0; i < count; i++) {
        arena *each = arena_child(a);
        status result = leave_out_below(w, manifests[i].path,
                                        reach_manifest(w, &manifests[i], each, err), each, err);
        arena_free(each);
        TRY(result);
    }
    return visit(w, snapshot->manifest_list, true, a, err);
}

/* "statistics" and "partition-statistics" are lists of objects that tarn passes on as they are. */
static status reach_statistics(const walk *w, arena *a, error *err)
{
    for (size_t i = 0; i < w->m->unknown_count; i++) {
        const ice_property *member = &w->m->unknown[i];
        const json *list = NULL;

        if (!str_equal(member->key, STR("statistics")) &&
            !str_equal(member->key, STR("partition-statistics"))) {
            continue;
        }
        TRY(json_parse(member->value, a, &list, err));
        for (size_t k = 0; k < json_count(list); k++) {
            str path = json_str_or(json_get(json_at(list, k), "statistics-path"), STR_NULL);
            if (!str_is_null(path)) {
                TRY(visit(w, path, false, a, err));
            }
        }
    }
    return STATUS_OK;
}

static status reach_all(walk *w, arena *a, error *err)
{
    for (size_t i = 0; i < w->m->snapshot_count; i++) {
        arena *each = arena_child(a);
        const ice_snapshot *snapshot = &w->m->snapshots[i];
        status result = leave_out_below(w, snapshot->manifest_list,
                                        reach_snapshot(w, snapshot, each, err), each, err);
        arena_free(each);
        TRY(result);
    }
    TRY(leave_out(w->r, reach_statistics(w, a, err), err));
    for (size_t i = 0; i < w->m->metadata_log_count; i++) {
        TRY(visit(w, w->m->metadata_log[i].metadata_file, false, a, err));
    }
    return STATUS_OK;
}

status catalog__reach_all(const catalog__reach *r, error *err)
{
    ice_metadata *m = NULL;
    status result = catalog__read_metadata(r->c, r->metadata_location, r->rebase, &m, err);

    if (result == STATUS_NOT_FOUND && r->missing_is_fine) {
        return STATUS_OK;
    }
    /* In a root that is gone for a while, or of a newer version: it may be read yet, and tell what it needs. */
    if (result == STATUS_DENIED || result == STATUS_UNSUPPORTED || result == STATUS_TOO_LARGE) {
        return result;
    }
    if (result != STATUS_OK) {
        return leave_out(r, result, err);
    }
    arena *a = arena_create();
    walk w = {.r = r, .m = m, .manifests = map_create(a)};
    result = reach_all(&w, a, err);
    arena_free(a);
    ice_metadata_unref(m);
    return result;
}

/* pick.c: what one snapshot did, done again on top of "main" (CALL cherrypick_snapshot). */
#include "tarn/iceberg/history.h"

#include "tarn/iceberg/evolve.h"

#include "change.h"

enum { PICKS_MAX = 8 }; /* attempts while others commit */

bool ice_is_ancestor(const ice_metadata *m, int64_t id, int64_t head)
{
    const ice_snapshot *s = ice_metadata_snapshot_by_id(m, head);

    if (id == ICE_NO_SNAPSHOT) {
        return true;
    }
    for (size_t steps = 0; s != NULL && steps <= m->snapshot_count; steps++) {
        if (s->id == id) {
            return true;
        }
        s = ice_metadata_snapshot_by_id(m, s->parent_id);
    }
    return false;
}

status ice_snapshot_changes(storage *st, const ice_metadata *m, const ice_snapshot *snapshot,
                            arena *a, ice_snapshot_files *ret_files, error *err)
{
    VEC(ice_file) added = {0}, removed = {0};
    ice__manifest_list list;

    TRY(ice__list_load(st, m, snapshot, a, &list, err));
    for (size_t i = 0; i < list.count; i++) {
        ice__entries entries;

        if (list.manifests[i].added_snapshot_id != snapshot->id) {
            continue;
        }
        TRY(ice__manifest_load(st, m, &list.manifests[i], a, &entries, err));
        for (size_t k = 0; k < entries.count; k++) {
            const ice_entry *entry = &entries.entries[k];
            bool own = entry->file.snapshot_id == snapshot->id;

            if (own && entry->status == ICE_ADDED) {
                vec_push(a, &added, entry->file);
            } else if (own && entry->status == ICE_DELETED) {
                vec_push(a, &removed, entry->file);
            }
        }
    }
    *ret_files = (ice_snapshot_files){.added = added.items,
                                      .added_count = added.count,
                                      .removed = removed.items,
                                      .removed_count = removed.count};
    return STATUS_OK;
}

/* --- what may be picked --- */

typedef struct pick {
    const ice_committer *committer;
    const ice_metadata *m;
    const ice_snapshot *snapshot;
    int64_t id;
    str wap_id; /* STR_NULL: none */
} pick;

/* Nothing twice: main's history tells what was picked and what was published. */
static status check_history(const pick *p, error *err)
{
    const ice_snapshot *s = ice_metadata_snapshot(p->m);
    int64_t source;

    for (size_t steps = 0; s != NULL && steps <= p->m->snapshot_count; steps++) {
        str from = ice_snapshot_summary(s, "source-snapshot-id");
        str published = ice_snapshot_summary(s, "published-wap-id");
        str wap = ice_snapshot_summary(s, "wap.id");

        if (s->id == p->id) {
            return error_set(err, STATUS_INVALID, "snapshot %lld is part of \"main\" already",
                             (long long)p->id);
        }
        if (!str_is_null(from) && str_to_int64(from, &source, NULL) == STATUS_OK &&
            source == p->id) {
            return error_set(err, STATUS_INVALID,
                             "snapshot %lld was picked already, as snapshot %lld", (long long)p->id,
                             (long long)s->id);
        }
        if (!str_is_null(p->wap_id) &&
            (str_equal(published, p->wap_id) || str_equal(wap, p->wap_id))) {
            return error_set(err, STATUS_INVALID,
                             "wap.id \"%.*s\" was published already, as "
                             "snapshot %lld",
                             STR_ARG(p->wap_id), (long long)s->id);
        }
        s = ice_metadata_snapshot_by_id(p->m, s->parent_id);
    }
    return STATUS_OK;
}

static status move_main(void *context, ice_builder *b, error *err)
{
    const pick *p = context;
    const ice_metadata *m = ice_builder_now(b);
    const ice_ref *known = ice__find_ref(m, STR("main"));
    ice_ref ref = {.name = STR("main"),
                   .max_ref_age_ms = -1,
                   .max_snapshot_age_ms = -1,
                   .min_snapshots_to_keep = -1};

    if (m->current_snapshot_id != p->snapshot->parent_id) {
        return error_set(err, STATUS_CONFLICT, "the table was changed by another commit");
    }
    ref = known != NULL ? *known : ref;
    ref.snapshot_id = p->id;
    return ice_builder_set_ref(b, &ref, err);
}

static bool replaces_partitions(const ice_snapshot *s)
{
    return s->operation == ICE_OVERWRITE &&
           str_equal_nocase(ice_snapshot_summary(s, "replace-partitions"), STR("true"));
}

static status refuse(const pick *p, error *err)
{
    error_set(err, STATUS_INVALID,
              "snapshot %lld cannot be picked: its operation is %s; only appends, overwrites of "
              "partitions and what was made of the table's present snapshot can be",
              (long long)p->id, ice_operation_name(p->snapshot->operation));
    error_hint(err, "Run its statement again on the table, or move the branch: CALL "
                    "system.fast_forward.");
    return STATUS_INVALID;
}

static status pick_files(const pick *p, const ice_property *summary, size_t summary_count, arena *a,
                         int64_t *ret_snapshot_id, error *err)
{
    const ice_snapshot *s = p->snapshot;
    bool partitions = replaces_partitions(s);
    VEC(ice_property) told = {0};
    ice_snapshot_files files;
    ice_commit_result result;

    if (s->operation != ICE_APPEND && !partitions) {
        return refuse(p, err);
    }
    if (partitions && !ice_is_ancestor(p->m, s->parent_id, p->m->current_snapshot_id)) {
        return error_set(err, STATUS_INVALID,
                         "snapshot %lld cannot be picked: the snapshot that it replaced "
                         "partitions of is no ancestor of the present one",
                         (long long)p->id);
    }
    for (size_t i = 0; i < summary_count; i++) {
        vec_push(a, &told, summary[i]);
    }
    vec_push(a, &told,
             ((ice_property){.key = STR("source-snapshot-id"),
                             .value = str_printf(a, "%lld", (long long)p->id)}));
    if (!str_is_null(p->wap_id)) {
        vec_push(a, &told, ((ice_property){.key = STR("published-wap-id"), .value = p->wap_id}));
    }
    TRY(ice_snapshot_changes(p->committer->storage, p->m, s, a, &files, err));
    ice_overwrite change = {.kind = partitions ? ICE_OVERWRITE_PARTITIONS : ICE_OVERWRITE_FILES,
                            .isolation = ICE_SERIALIZABLE,
                            .read_snapshot_id =
                                partitions ? s->parent_id : p->m->current_snapshot_id,
                            .added = files.added,
                            .added_count = files.added_count,
                            .table_uuid = p->m->uuid,
                            .schema_id = p->m->current_schema_id,
                            .summary = told.items,
                            .summary_count = told.count};
    TRY(ice_commit_overwrite(p->committer, &change, &result, err));
    *ret_snapshot_id = result.snapshot_id;
    return STATUS_OK;
}

/* On the newest metadata; ICE_SERIALIZABLE makes whoever adds rows meanwhile, a second pick of the same snapshot among
 * them, a CONFLICT. *ret_final: another attempt would find the same. */
static status pick_once(pick *p, const ice_property *summary, size_t summary_count, arena *a,
                        bool *ret_final, int64_t *ret_snapshot_id, error *err)
{
    ice_metadata *m;
    str location;

    *ret_final = true;
    TRY(p->committer->load(p->committer->context, a, &m, &location, err));
    p->m = m;
    p->snapshot = ice_metadata_snapshot_by_id(m, p->id);
    status s = p->snapshot != NULL ? STATUS_OK
                                   : error_set(err, STATUS_NO_SNAPSHOT,
                                               "snapshot %lld does not exist", (long long)p->id);
    if (s == STATUS_OK) {
        p->wap_id = ice_snapshot_summary(p->snapshot, "wap.id");
        s = check_history(p, err);
    }
    if (s == STATUS_OK && p->snapshot->parent_id == m->current_snapshot_id) {
        *ret_final = false;
        *ret_snapshot_id = p->id;
        s = ice_metadata_update(p->committer, move_main, p, NULL, err);
    } else if (s == STATUS_OK) {
        *ret_final = replaces_partitions(p->snapshot);
        s = pick_files(p, summary, summary_count, a, ret_snapshot_id, err);
    }
    ice_metadata_unref(m);
    return s;
}

status ice_commit_pick(const ice_committer *committer, int64_t snapshot_id,
                       const ice_property *summary, size_t summary_count, int64_t *ret_snapshot_id,
                       error *err)
{
    status s = STATUS_CONFLICT;
    bool final = false;

    for (int i = 0; s == STATUS_CONFLICT && !final && i < PICKS_MAX; i++) {
        arena *a = arena_create();
        pick p = {.committer = committer, .id = snapshot_id};

        s = pick_once(&p, summary, summary_count, a, &final, ret_snapshot_id, err);
        arena_free(a);
    }
    if (s == STATUS_OK && err != NULL) {
        error_clear(err);
    }
    return s;
}

/* change.c: what new files make of a table: their manifests, the snapshot, the numbers that the format gives to
 * it, and the new metadata. Nothing here is written; attempt.c does that. Summaries are in summary.c. */
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"

#include "builder.h"

str ice__metadata_object(const ice_metadata *m, const char *prefix, const char *suffix, arena *a)
{
    char uuid[37];

    random_uuid(uuid);
    return str_printf(a, "%.*s/%s%s%s", STR_ARG(ice__metadata_folder(m, a)), prefix, uuid, suffix);
}

/* --- manifests of the added files --- */

static bool belongs(const ice_file *f, int32_t spec_id, bool deletes)
{
    return f->spec_id == spec_id && (f->content != ICE_DATA) == deletes;
}

static status manifest_of(const ice_metadata *m, const ice__added *added, int32_t spec_id,
                          bool deletes, int64_t snapshot_id, arena *a,
                          ice__new_manifest_vec *manifests, error *err)
{
    ice_entry *entries = ARENA_ARRAY(a, ice_entry, added->count);
    buf *bytes = buf_in(a, LIMIT_MANIFEST_FILE);
    ice__new_manifest made = {.entries = entries};

    for (size_t i = 0; i < added->count; i++) {
        if (belongs(added->files[i], spec_id, deletes)) {
            ice_entry *entry = &entries[made.entry_count++];

            *entry = (ice_entry){.status = ICE_ADDED, .file = *added->files[i]};
            if (!added->keep_sequence || deletes) {
                entry->file.data_sequence = ICE__UNASSIGNED;
            }
            entry->file.file_sequence = ICE__UNASSIGNED;
            entry->file.first_row_id = ICE_NO_ROW_ID;
        }
    }
    if (made.entry_count == 0) {
        return STATUS_OK;
    }
    TRY(ice_manifest_format(m, spec_id, deletes, snapshot_id, entries, made.entry_count, a, bytes,
                            &made.manifest, err));
    made.manifest.path = ice__metadata_object(m, "", "-m0.avro", a);
    made.bytes = buf_str(bytes);
    vec_push(a, manifests, made);
    return STATUS_OK;
}

status ice__manifests_of_files(const ice_metadata *m, const ice__added *added, int64_t snapshot_id,
                               arena *a, ice__new_manifest_vec *ret_manifests, error *err)
{
    ice__new_manifest_vec made = {0};

    for (size_t i = 0; i < m->spec_count; i++) {
        TRY(manifest_of(m, added, m->specs[i].id, false, snapshot_id, a, &made, err));
        TRY(manifest_of(m, added, m->specs[i].id, true, snapshot_id, a, &made, err));
    }
    *ret_manifests = made;
    return STATUS_OK;
}

void ice__fresh_drop(ice__fresh *fresh, storage *st)
{
    ice__kept_discard(st, &fresh->kept);
    fresh->manifests.count = 0;
}

static void choose_snapshot_id(ice__fresh *fresh, storage *st, const ice_metadata *m)
{
    while (fresh->snapshot_id == 0 || ice_metadata_snapshot_by_id(m, fresh->snapshot_id) != NULL) {
        fresh->snapshot_id = (int64_t)(random_u64() & INT64_MAX);
        ice__fresh_drop(fresh, st);
    }
}

status ice__fresh_make(ice__fresh *fresh, storage *st, arena *memory, ice__change *c,
                       const ice__added *added, error *err)
{
    choose_snapshot_id(fresh, st, c->base);
    if (fresh->manifests.count > 0 && fresh->format_version != c->base->format_version) {
        ice__fresh_drop(fresh, st);
    }
    if (fresh->manifests.count == 0) {
        TRY(ice__manifests_of_files(c->base, added, fresh->snapshot_id, memory, &fresh->manifests,
                                    err));
        fresh->format_version = c->base->format_version;
        for (size_t i = 0; i < fresh->manifests.count; i++) {
            store_stage_request request = {.location = fresh->manifests.items[i].manifest.path,
                                           .content_type = STR("application/octet-stream"),
                                           .bytes = fresh->manifests.items[i].bytes,
                                           .shares_file = true};

            ice__kept_add(memory, &fresh->kept, &request);
        }
    }
    for (size_t i = 0; i < fresh->manifests.count; i++) {
        vec_push(c->memory, &c->manifests, fresh->manifests.items[i].manifest);
        vec_push(c->memory, &c->known, fresh->manifests.items[i]);
    }
    vec_push(c->memory, &c->kept, &fresh->kept);
    return STATUS_OK;
}

/* --- numbers --- */

/* Sequence numbers that the list gives, and row ids of v3: in list order each data manifest without a first row id
 * takes the running one, which moves on by all rows of the manifest. */
static status assign_numbers(ice__change *c, error *err)
{
    int64_t next = c->base->next_row_id;

    for (size_t i = 0; i < c->manifests.count; i++) {
        ice_manifest *m = &c->manifests.items[i];

        if (m->sequence_number == ICE__UNASSIGNED) {
            m->sequence_number = c->snapshot.sequence_number;
        }
        if (m->min_sequence_number == ICE__UNASSIGNED) {
            m->min_sequence_number = c->snapshot.sequence_number;
        }
        if (c->base->format_version > 2 && !m->deletes && m->first_row_id == ICE_NO_ROW_ID) {
            m->first_row_id = next;
            next = ice__sum(next, ice__sum(m->added_rows, m->existing_rows));
        }
    }
    if (c->base->format_version > 2) {
        c->snapshot.first_row_id = c->base->next_row_id;
        c->snapshot.added_rows = next - c->base->next_row_id;
        c->next.next_row_id = next;
    }
    return next == INT64_MAX ? error_set(err, STATUS_INVALID, "the table has no row ids left")
                             : STATUS_OK;
}

/* --- the branch that moves --- */

const ice_ref *ice__find_ref(const ice_metadata *m, str name)
{
    for (size_t i = 0; i < m->ref_count; i++) {
        if (str_equal(m->refs[i].name, name)) {
            return &m->refs[i];
        }
    }
    return NULL;
}

static void add_snapshot(ice__change *c)
{
    const ice_metadata *base = c->base;
    ice_snapshot *snapshots = ARENA_ARRAY(c->memory, ice_snapshot, base->snapshot_count + 1);

    for (size_t i = 0; i < base->snapshot_count; i++) {
        snapshots[i] = base->snapshots[i];
    }
    snapshots[base->snapshot_count] = c->snapshot;
    c->next.snapshots = snapshots;
    c->next.snapshot_count = base->snapshot_count + 1;
}

static void move_branch(ice__change *c, str branch)
{
    const ice_ref *before = ice__find_ref(c->base, branch);
    ice_ref ref = {.name = branch,
                   .max_ref_age_ms = -1,
                   .max_snapshot_age_ms = -1,
                   .min_snapshots_to_keep = -1};

    if (before != NULL) {
        ref = *before;
    }
    ref.snapshot_id = c->snapshot.id;
    ice__put_ref(&c->next, &ref, c->memory);
    if (str_equal(branch, STR("main"))) { /* the log tells what was current when */
        ice__log_snapshot(&c->next, c->snapshot.id, c->snapshot.timestamp_ms, c->memory);
    }
}

/* --- the snapshot --- */

static void fill_snapshot(ice__change *c, const ice__snapshot_plan *plan)
{
    const ice_metadata *base = c->base;
    int64_t now_ms = clock_now_ms();

    c->snapshot = (ice_snapshot){
        .id = plan->id,
        .parent_id = plan->parent != NULL ? plan->parent->id : ICE_NO_SNAPSHOT,
        .sequence_number = base->format_version > 1 ? ice__sum(base->last_sequence_number, 1) : 0,
        /* Clocks jump; the history of a table does not go back. */
        .timestamp_ms = now_ms > base->last_updated_ms ? now_ms : base->last_updated_ms,
        .first_row_id = ICE_NO_ROW_ID,
        .added_rows = ICE_NO_ROW_ID,
        .schema_id = base->current_schema_id,
        .operation = plan->operation,
        .manifest_list = ice__metadata_object(
            base, arena_printf(c->memory, "snap-%lld-", (long long)plan->id), ".avro", c->memory),
    };
}

status ice__change_snapshot(ice__change *c, const ice__snapshot_plan *plan, error *err)
{
    fill_snapshot(c, plan);
    if (c->snapshot.sequence_number == INT64_MAX) {
        return error_set(err, STATUS_INVALID, "the table has no sequence numbers left");
    }
    TRY(assign_numbers(c, err));
    ice__summarize(c, plan);
    c->next.last_sequence_number = c->snapshot.sequence_number;
    c->next.last_updated_ms = c->snapshot.timestamp_ms;
    add_snapshot(c);
    move_branch(c, plan->branch);
    ice__log_metadata(&c->next, c->base, c->base_location, c->memory, &c->obsolete);
    ice__expire_snapshots(c);
    return STATUS_OK;
}

status ice__find_head(const ice_metadata *m, str branch, const ice_snapshot **ret_head, error *err)
{
    const ice_ref *ref = ice__find_ref(m, branch);

    if (str_equal(branch, STR("main"))) {
        *ret_head = ice_metadata_snapshot(m);
        return STATUS_OK;
    }
    if (ref == NULL) {
        return error_set(err, STATUS_NO_SNAPSHOT, "branch \"%.*s\" does not exist",
                         STR_ARG(branch));
    }
    if (ref->is_tag) {
        return error_set(err, STATUS_INVALID, "\"%.*s\" is a tag: nothing is written to it",
                         STR_ARG(branch));
    }
    *ret_head = ice_metadata_snapshot_by_id(m, ref->snapshot_id);
    return STATUS_OK;
}

status ice__change_append(ice__change *c, const ice__added *added, str branch, int64_t snapshot_id,
                          error *err)
{
    ice__snapshot_plan plan = {.id = snapshot_id,
                               .branch = branch.size == 0 ? STR("main") : branch,
                               .operation = ICE_APPEND,
                               .added = added->files,
                               .added_count = added->count,
                               .summary = added->summary,
                               .summary_count = added->summary_count};
    ice__manifest_list list = {.count = 0};

    TRY(ice__find_head(c->base, plan.branch, &plan.parent, err));
    if (plan.parent != NULL) {
        TRY(ice__list_load(c->storage, c->base, plan.parent, c->memory, &list, err));
    }
    TRY(ice__merge_manifests(c, &list, snapshot_id, err));
    return ice__change_snapshot(c, &plan, err);
}

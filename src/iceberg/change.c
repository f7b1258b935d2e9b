/* change.c: what new files make of a table: their manifests, the snapshot, the numbers that the format gives to
 * it, and the new metadata. Nothing here is written; attempt.c does that. Summaries are in summary.c. */
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"

#include "change.h"

enum { DEFAULT_VERSIONS_MAX = 10 };

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

void ice__keep_manifests(arena *a, const ice__new_manifest_vec *manifests, ice__kept_vec *kept)
{
    for (size_t i = 0; i < manifests->count; i++) {
        store_stage_request request = {.location = manifests->items[i].manifest.path,
                                       .content_type = STR("application/octet-stream"),
                                       .bytes = manifests->items[i].bytes};

        ice__kept_add(a, kept, &request);
    }
}

/* --- numbers --- */

/* Sequence numbers that the list gives, and row ids of v3: in list order each data manifest without a first row id
 * takes the running one, which moves on by all rows of the manifest. */
static void assign_numbers(ice__change *c)
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
}

/* --- metadata --- */

static bool is_true(const ice_metadata *m, const char *key)
{
    return !str_equal_nocase(ice_metadata_property(m, key, "true"), STR("false"));
}

/* The metadata file that is replaced joins the log; what falls out of the log is deleted with it. */
static void log_metadata(ice__change *c)
{
    const ice_metadata *base = c->base;
    size_t versions_max = (size_t)ice_metadata_property_int(
        base, "write.metadata.previous-versions-max", DEFAULT_VERSIONS_MAX);
    size_t count = base->metadata_log_count;
    ice_log_entry *log = ARENA_ARRAY(c->memory, ice_log_entry, count + 1);
    bool deletes =
        is_true(base, "write.metadata.delete-after-commit.enabled") && is_true(base, "gc.enabled");
    size_t start;

    for (size_t i = 0; i < count; i++) {
        log[i] = base->metadata_log[i];
    }
    log[count++] = (ice_log_entry){.timestamp_ms = base->last_updated_ms,
                                   .snapshot_id = ICE_NO_SNAPSHOT,
                                   .metadata_file = c->base_location};
    versions_max = versions_max < 1 ? 1 : versions_max;
    start = count > versions_max ? count - versions_max : 0;
    for (size_t i = 0; deletes && i < start; i++) {
        vec_push(c->memory, &c->obsolete, log[i].metadata_file);
    }
    c->next.metadata_log = log + start;
    c->next.metadata_log_count = count - start;
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

static bool is_main(str branch)
{
    return str_equal(branch, STR("main"));
}

static void log_snapshot(ice__change *c, str branch)
{
    const ice_metadata *base = c->base;
    ice_log_entry *log = ARENA_ARRAY(c->memory, ice_log_entry, base->snapshot_log_count + 1);
    ice_snapshot *snapshots = ARENA_ARRAY(c->memory, ice_snapshot, base->snapshot_count + 1);

    for (size_t i = 0; i < base->snapshot_count; i++) {
        snapshots[i] = base->snapshots[i];
    }
    snapshots[base->snapshot_count] = c->snapshot;
    c->next.snapshots = snapshots;
    c->next.snapshot_count = base->snapshot_count + 1;
    if (!is_main(branch)) {
        return; /* the log tells what was current when */
    }
    for (size_t i = 0; i < base->snapshot_log_count; i++) {
        log[i] = base->snapshot_log[i];
    }
    log[base->snapshot_log_count] = (ice_log_entry){.timestamp_ms = c->snapshot.timestamp_ms,
                                                    .snapshot_id = c->snapshot.id,
                                                    .metadata_file = STR_NULL};
    c->next.snapshot_log = log;
    c->next.snapshot_log_count = base->snapshot_log_count + 1;
}

static void move_branch(ice__change *c, str branch)
{
    const ice_metadata *base = c->base;
    ice_ref *refs = ARENA_ARRAY(c->memory, ice_ref, base->ref_count + 1);
    size_t at = base->ref_count;

    for (size_t i = 0; i < base->ref_count; i++) {
        refs[i] = base->refs[i];
        at = str_equal(refs[i].name, branch) ? i : at;
    }
    if (at == base->ref_count) {
        refs[at] = (ice_ref){.name = branch,
                             .max_ref_age_ms = -1,
                             .max_snapshot_age_ms = -1,
                             .min_snapshots_to_keep = -1};
        c->next.ref_count = base->ref_count + 1;
    }
    refs[at].snapshot_id = c->snapshot.id;
    c->next.refs = refs;
    if (is_main(branch)) {
        c->next.current_snapshot_id = c->snapshot.id;
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
        .sequence_number = base->format_version > 1 ? base->last_sequence_number + 1 : 0,
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

void ice__change_snapshot(ice__change *c, const ice__snapshot_plan *plan)
{
    fill_snapshot(c, plan);
    assign_numbers(c);
    ice__summarize(c, plan);
    c->next.last_sequence_number = c->snapshot.sequence_number;
    c->next.last_updated_ms = c->snapshot.timestamp_ms;
    log_snapshot(c, plan->branch);
    move_branch(c, plan->branch);
    log_metadata(c);
    ice__expire_snapshots(c);
}

status ice__change_append(ice__change *c, const ice__added *added, int64_t snapshot_id, error *err)
{
    ice__snapshot_plan plan = {.id = snapshot_id,
                               .branch = STR("main"),
                               .parent = ice_metadata_snapshot(c->base),
                               .operation = ICE_APPEND,
                               .added = added->files,
                               .added_count = added->count,
                               .summary = added->summary,
                               .summary_count = added->summary_count};
    ice__manifest_list list = {.count = 0};

    if (plan.parent != NULL) {
        TRY(ice__list_load(c->storage, plan.parent, c->memory, &list, err));
    }
    TRY(ice__merge_manifests(c, &list, snapshot_id, err));
    ice__change_snapshot(c, &plan);
    return STATUS_OK;
}

/* change.c: what an append makes of a table: the snapshot with its summary, the numbers that the format gives to
 * it, and the new metadata. Nothing here is written; commit.c does that. */
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
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

static status manifest_of_spec(const ice_metadata *m, const ice__added *added, int32_t spec_id,
                               int64_t snapshot_id, arena *a, ice__new_manifest *ret_manifest,
                               error *err)
{
    ice_entry *entries = ARENA_ARRAY(a, ice_entry, added->count);
    buf *bytes = buf_in(a, LIMIT_MANIFEST_FILE);
    ice__new_manifest made;
    size_t count = 0;

    for (size_t i = 0; i < added->count; i++) {
        if (added->files[i]->spec_id == spec_id) {
            ice_entry *entry = &entries[count++];

            *entry = (ice_entry){.status = ICE_ADDED, .file = *added->files[i]};
            entry->file.data_sequence = ICE__UNASSIGNED;
            entry->file.file_sequence = ICE__UNASSIGNED;
            entry->file.first_row_id = ICE_NO_ROW_ID;
            entry->file.content = ICE_DATA;
        }
    }
    TRY(ice_manifest_format(m, spec_id, false, snapshot_id, entries, count, a, bytes,
                            &made.manifest, err));
    made.manifest.path = ice__metadata_object(m, "", "-m0.avro", a);
    made.bytes = buf_str(bytes);
    *ret_manifest = made;
    return STATUS_OK;
}

status ice__manifests_of_files(const ice_metadata *m, const ice__added *added, int64_t snapshot_id,
                               arena *a, ice__new_manifest_vec *ret_manifests, error *err)
{
    ice__new_manifest_vec made = {0};

    for (size_t i = 0; i < m->spec_count; i++) {
        bool used = false;

        for (size_t k = 0; k < added->count && !used; k++) {
            used = added->files[k]->spec_id == m->specs[i].id;
        }
        if (used) {
            ice__new_manifest manifest;

            TRY(manifest_of_spec(m, added, m->specs[i].id, snapshot_id, a, &manifest, err));
            vec_push(a, &made, manifest);
        }
    }
    *ret_manifests = made;
    return STATUS_OK;
}

/* --- the summary --- */

typedef struct summary {
    VEC(ice_property) entries;
    const ice_snapshot *previous;
    arena *memory;
} summary;

static void put(summary *s, const char *key, int64_t value)
{
    ice_property entry = {.key = str_c(key),
                          .value = str_printf(s->memory, "%lld", (long long)value)};

    vec_push(s->memory, &s->entries, entry);
}

static void put_count(summary *s, const char *key, int64_t value)
{
    if (value != 0) {
        put(s, key, value);
    }
}

/* Previous total and what was added. Where an earlier writer left its total out nobody can know it. */
static void put_total(summary *s, const char *key, int64_t added)
{
    int64_t before = 0;

    if (s->previous == NULL ||
        str_to_int64(ice_snapshot_summary(s->previous, key), &before, NULL) == STATUS_OK) {
        put(s, key, ice__sum(before, added));
    }
}

static int64_t count_partitions(const ice__added *added, arena *a)
{
    static char present;
    map *seen = map_create(a);

    for (size_t i = 0; i < added->count; i++) {
        const ice_file *f = added->files[i];
        buf *key = buf_in(a, LIMIT_MIB);

        buf_printf(key, "%d", (int)f->spec_id);
        for (size_t k = 0; k < f->partition_count; k++) {
            ice_type type = {.kind = f->partition[k].kind};

            buf_printf(key, "|%d:", f->partition[k].is_null);
            if (!f->partition[k].is_null) {
                buf_add_str(key, ice_value_encode(&type, &f->partition[k], a));
            }
        }
        (void)map_set(seen, buf_str(key), &present);
    }
    return (int64_t)map_count(seen);
}

static void fill_summary(ice__change *c, const ice__added *added)
{
    summary s = {.previous = ice_metadata_snapshot(c->base), .memory = c->memory};
    ice_property operation = {.key = STR("operation"), .value = STR("append")};
    int64_t rows = 0;
    int64_t bytes = 0;

    for (size_t i = 0; i < added->count; i++) {
        rows = ice__sum(rows, added->files[i]->record_count);
        bytes = ice__sum(bytes, added->files[i]->size_bytes);
    }
    vec_push(c->memory, &s.entries, operation);
    for (size_t i = 0; i < added->summary_count; i++) {
        vec_push(c->memory, &s.entries, added->summary[i]);
    }
    put_count(&s, "added-data-files", (int64_t)added->count);
    put_count(&s, "added-records", rows);
    put_count(&s, "added-files-size", bytes);
    put(&s, "changed-partition-count", count_partitions(added, c->memory));
    put_total(&s, "total-records", rows);
    put_total(&s, "total-files-size", bytes);
    put_total(&s, "total-data-files", (int64_t)added->count);
    put_total(&s, "total-delete-files", 0);
    put_total(&s, "total-position-deletes", 0);
    put_total(&s, "total-equality-deletes", 0);
    c->snapshot.summary = s.entries.items;
    c->snapshot.summary_count = s.entries.count;
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

static void log_snapshot(ice__change *c)
{
    const ice_metadata *base = c->base;
    ice_log_entry *log = ARENA_ARRAY(c->memory, ice_log_entry, base->snapshot_log_count + 1);
    ice_snapshot *snapshots = ARENA_ARRAY(c->memory, ice_snapshot, base->snapshot_count + 1);

    for (size_t i = 0; i < base->snapshot_log_count; i++) {
        log[i] = base->snapshot_log[i];
    }
    log[base->snapshot_log_count] = (ice_log_entry){.timestamp_ms = c->snapshot.timestamp_ms,
                                                    .snapshot_id = c->snapshot.id,
                                                    .metadata_file = STR_NULL};
    for (size_t i = 0; i < base->snapshot_count; i++) {
        snapshots[i] = base->snapshots[i];
    }
    snapshots[base->snapshot_count] = c->snapshot;
    c->next.snapshot_log = log;
    c->next.snapshot_log_count = base->snapshot_log_count + 1;
    c->next.snapshots = snapshots;
    c->next.snapshot_count = base->snapshot_count + 1;
}

static void move_main(ice__change *c)
{
    const ice_metadata *base = c->base;
    ice_ref *refs = ARENA_ARRAY(c->memory, ice_ref, base->ref_count + 1);
    size_t at = base->ref_count;

    for (size_t i = 0; i < base->ref_count; i++) {
        refs[i] = base->refs[i];
        at = str_equal(refs[i].name, STR("main")) ? i : at;
    }
    if (at == base->ref_count) {
        refs[at] = (ice_ref){.name = STR("main"),
                             .max_ref_age_ms = -1,
                             .max_snapshot_age_ms = -1,
                             .min_snapshots_to_keep = -1};
        c->next.ref_count = base->ref_count + 1;
    }
    refs[at].snapshot_id = c->snapshot.id;
    c->next.refs = refs;
    c->next.current_snapshot_id = c->snapshot.id;
}

static void fill_snapshot(ice__change *c, int64_t snapshot_id)
{
    const ice_metadata *base = c->base;
    int64_t now_ms = clock_now_ms();

    c->snapshot = (ice_snapshot){
        .id = snapshot_id,
        .parent_id = base->current_snapshot_id,
        .sequence_number = base->format_version > 1 ? base->last_sequence_number + 1 : 0,
        /* Clocks jump; the history of a table does not go back. */
        .timestamp_ms = now_ms > base->last_updated_ms ? now_ms : base->last_updated_ms,
        .first_row_id = ICE_NO_ROW_ID,
        .added_rows = ICE_NO_ROW_ID,
        .schema_id = base->current_schema_id,
        .operation = ICE_APPEND,
        .manifest_list = ice__metadata_object(
            base, arena_printf(c->memory, "snap-%lld-", (long long)snapshot_id), ".avro",
            c->memory),
    };
}

status ice__change_append(ice__change *c, const ice__added *added, int64_t snapshot_id,
                          const ice_manifest *fresh, size_t fresh_count, error *err)
{
    const ice_snapshot *parent = ice_metadata_snapshot(c->base);
    ice__manifest_list list = {.count = 0};

    ice__metadata_assign(&c->next, c->base);
    for (size_t i = 0; i < fresh_count; i++) {
        vec_push(c->memory, &c->manifests, fresh[i]);
    }
    if (parent != NULL) {
        TRY(ice__list_load(c->storage, parent, c->memory, &list, err));
    }
    TRY(ice__merge_manifests(c, &list, snapshot_id, err));
    fill_snapshot(c, snapshot_id);
    assign_numbers(c);
    fill_summary(c, added);
    c->next.last_sequence_number = c->snapshot.sequence_number;
    c->next.last_updated_ms = c->snapshot.timestamp_ms;
    log_snapshot(c);
    move_main(c);
    log_metadata(c);
    ice__expire_snapshots(c);
    return STATUS_OK;
}

/* request_history.c: updates of snapshots, references and statistics. Numbers that a writer took from a table which has
 * moved on since are conflicts: it may look again and try once more.
 * Source: Iceberg specification, "Snapshots", "Snapshot references", "Row lineage". */
#include "request_parts.h"

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"

/* ---- snapshots ---- */

static status check_numbers(const ice_metadata *m, const ice_snapshot *s, error *err)
{
    if (m->format_version > 1 && s->sequence_number < 1) {
        return error_set(err, STATUS_INVALID,
                         "snapshot %lld has no \"sequence-number\", which format version %d wants",
                         (long long)s->id, m->format_version);
    }
    if (m->format_version > 1 && s->sequence_number > ICE__BROUGHT_MAX) {
        return error_set(err, STATUS_INVALID,
                         "snapshot %lld has sequence number %lld, which leaves none for others",
                         (long long)s->id, (long long)s->sequence_number);
    }
    if (m->format_version > 1 && s->parent_id != ICE_NO_SNAPSHOT &&
        s->sequence_number <= m->last_sequence_number) {
        return error_set(err, STATUS_CONFLICT,
                         "cannot add snapshot with sequence number %lld older than last sequence "
                         "number %lld",
                         (long long)s->sequence_number, (long long)m->last_sequence_number);
    }
    if (m->format_version > 2 && s->first_row_id != ICE_NO_ROW_ID &&
        s->first_row_id < m->next_row_id) {
        return error_set(err, STATUS_CONFLICT,
                         "cannot add a snapshot, first-row-id is behind table next-row-id: %lld < "
                         "%lld",
                         (long long)s->first_row_id, (long long)m->next_row_id);
    }
    if (m->format_version > 2 && s->first_row_id != ICE_NO_ROW_ID && s->added_rows >= 0 &&
        s->first_row_id > ICE__BROUGHT_MAX - s->added_rows) {
        return error_set(err, STATUS_INVALID, "snapshot %lld would use up all row ids",
                         (long long)s->id);
    }
    return STATUS_OK;
}

/* Machines' clocks differ, by as much as signatures of S3 allow too: the snapshot keeps the time it came with, the
 * table's own times follow it only as far as readers bear (history.c). */
#define CLOCK_SKEW_MAX_MS INT64_C(900000)

/* A time that has long been is no harm: the table's own times do not go back for it. */
static status check_time(const ice_snapshot *s, arena *a, error *err)
{
    int64_t now_ms = clock_now_ms();
    buf *theirs, *ours;

    if (s->timestamp_ms - CLOCK_SKEW_MAX_MS <= now_ms) {
        return STATUS_OK;
    }
    theirs = buf_in(a, LIMIT_MIB);
    ours = buf_in(a, LIMIT_MIB);
    ice__timestamp_format(s->timestamp_ms, 1000, 'T', theirs);
    ice__timestamp_format(now_ms, 1000, 'T', ours);
    error_set(err, STATUS_INVALID,
              "snapshot %lld has the \"timestamp-ms\" %lld (%.*sZ), which is %lld ms ahead of the "
              "catalog's clock (%.*sZ): at most 15 minutes are allowed",
              (long long)s->id, (long long)s->timestamp_ms, STR_ARG(buf_str(theirs)),
              (long long)(s->timestamp_ms - now_ms), STR_ARG(buf_str(ours)));
    error_hint(err, "Set the clock of the machine that writes.");
    return STATUS_INVALID;
}

static status check_schema(const ice_metadata *m, const ice_snapshot *s, error *err)
{
    return s->schema_id == ICE_NO_SCHEMA || ice_metadata_schema_by_id(m, s->schema_id) != NULL
               ? STATUS_OK
               : error_set(err, STATUS_INVALID,
                           "snapshot %lld has the \"schema-id\" %d, which the table lacks",
                           (long long)s->id, (int)s->schema_id);
}

ICE__APPLIER(add_snapshot)
{
    const ice_metadata *m = &x->b->now;
    ice_snapshot s = *u->snapshot;

    if (ice_metadata_schema(m) == NULL) {
        return error_set(err, STATUS_INVALID, "a snapshot needs a table that has a schema");
    }
    if (m->format_version > 1 && str_is_null(s.manifest_list)) {
        return error_set(err, STATUS_INVALID,
                         "snapshot %lld has no \"manifest-list\", which format version %d wants",
                         (long long)s.id, m->format_version);
    }
    TRY(check_time(&s, x->memory, err));
    if (s.schema_id != ICE_NO_SCHEMA) {
        s.schema_id = ice__given_schema(x, s.schema_id);
    }
    TRY(check_schema(m, &s, err));
    TRY(check_numbers(m, &s, err));
    if (m->format_version == 1) {
        s.sequence_number = 0;
    }
    if (m->format_version < 3) {
        s.first_row_id = ICE_NO_ROW_ID;
        s.added_rows = ICE_NO_ROW_ID;
    }
    TRY(ice_builder_add_snapshot(x->b, &s, err));
    vec_push(x->memory, &x->added, s.id);
    return STATUS_OK;
}

static void gather(ice__applying *x, ice__id_vec *ids, const ice__update *u)
{
    for (size_t i = 0; i < u->count; i++) {
        vec_push(x->memory, ids, u->ids[i]);
    }
}

ICE__APPLIER(remove_snapshots)
{
    (void)err;
    gather(x, &x->removed, u);
    return STATUS_OK;
}

ICE__APPLIER(remove_statistics)
{
    (void)err;
    gather(x, &x->no_statistics, u);
    return STATUS_OK;
}

ICE__APPLIER(remove_partition_statistics)
{
    (void)err;
    gather(x, &x->no_partition_statistics, u);
    return STATUS_OK;
}

void ice__remove_gathered(ice__applying *x)
{
    if (x->removed.count > 0) {
        ice_builder_remove_snapshots(x->b, x->removed.items, x->removed.count);
        x->removed.count = 0;
    }
    ice__builder_drop_statistics(x->b, 0, x->no_statistics.items, x->no_statistics.count);
    ice__builder_drop_statistics(x->b, 1, x->no_partition_statistics.items,
                                 x->no_partition_statistics.count);
    x->no_statistics.count = 0;
    x->no_partition_statistics.count = 0;
}

static bool was_added(const ice__applying *x, int64_t id)
{
    for (size_t i = 0; i < x->added.count; i++) {
        if (x->added.items[i] == id) {
            return true;
        }
    }
    return false;
}

void ice__settle_log(ice__applying *x)
{
    ice_metadata *m = &x->b->now;
    ice_log_entry *log;
    size_t count = 0;

    if (x->added.count < 2 || m->snapshot_log_count == 0) {
        return; /* the one that came is the one that stays */
    }
    log = ARENA_ARRAY(x->memory, ice_log_entry, m->snapshot_log_count);
    for (size_t i = 0; i < m->snapshot_log_count; i++) {
        int64_t id = m->snapshot_log[i].snapshot_id;

        if (id == m->current_snapshot_id || !was_added(x, id)) {
            log[count++] = m->snapshot_log[i];
        }
    }
    m->snapshot_log = log;
    m->snapshot_log_count = count;
}

/* ---- references ---- */

static size_t find_ref(const ice_metadata *m, str name)
{
    size_t at = 0;

    while (at < m->ref_count && !str_equal(m->refs[at].name, name)) {
        at++;
    }
    return at;
}

ICE__APPLIER(remove_ref)
{
    ice_metadata *m = &x->b->now;
    size_t at;

    (void)err;
    if (x->removed.count > 0) {
        ice__remove_gathered(x);
    }
    at = find_ref(m, u->text);
    if (str_equal(u->text, STR("main"))) {
        m->current_snapshot_id = ICE_NO_SNAPSHOT; /* the log stays: it was so */
    }
    if (at == m->ref_count) {
        return STATUS_OK;
    }
    if (m->refs != x->own_refs) {
        ice_ref *list = ARENA_ARRAY(x->memory, ice_ref, m->ref_count);

        memcpy(list, m->refs, m->ref_count * sizeof(*list));
        m->refs = list;
        x->own_refs = list;
    }
    /* the list is this request's own: removing many does not copy it as often */
    ice_ref *list = (ice_ref *)(uintptr_t)m->refs;
    memmove(&list[at], &list[at + 1], (m->ref_count - at - 1) * sizeof(*list));
    m->ref_count--;
    return STATUS_OK;
}

ICE__APPLIER(set_ref)
{
    const ice_metadata *m = &x->b->now;
    size_t at = find_ref(m, u->ref->name);

    if (ice_metadata_snapshot_by_id(m, u->ref->snapshot_id) == NULL) {
        return error_set(err, STATUS_INVALID, "cannot set %.*s to unknown snapshot: %lld",
                         STR_ARG(u->ref->name), (long long)u->ref->snapshot_id);
    }
    if (at < m->ref_count && m->refs[at].is_tag != u->ref->is_tag &&
        !str_equal(u->ref->name, STR("main"))) {
        const ice__update remove = {.text = u->ref->name};

        TRY(ice__apply_remove_ref(x, &remove, err));
    }
    return ice_builder_set_ref(x->b, u->ref, err);
}

/* ---- statistics ---- */

ICE__APPLIER(set_statistics)
{
    return ice_builder_set_statistics(x->b, u->value, err);
}

ICE__APPLIER(set_partition_statistics)
{
    return ice_builder_set_partition_statistics(x->b, u->value, err);
}

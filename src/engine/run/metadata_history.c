/* Metadata tables that need the metadata file alone: snapshots, history, refs, metadata_log_entries. */
#include "run/metadata_tables.h"

status metadata_snapshots(metadata_rows *t, int variant, error *err)
{
    (void)variant;
    metadata_column(t, "committed_at", "TIMESTAMP WITH TIME ZONE");
    metadata_column(t, "snapshot_id", "BIGINT");
    metadata_column(t, "parent_id", "BIGINT");
    metadata_column(t, "operation", "VARCHAR");
    metadata_column(t, "manifest_list", "VARCHAR");
    metadata_column(t, "summary", "MAP(VARCHAR, VARCHAR)");
    for (size_t i = 0; i < t->m->snapshot_count; i++) {
        const ice_snapshot *s = &t->m->snapshots[i];
        str operation = ice_snapshot_summary(s, "operation");
        metadata_begin_row(t);
        metadata_put_time(t, "committed_at", s->timestamp_ms);
        json_member_int(&t->w, "snapshot_id", s->id);
        metadata_put_number(t, "parent_id", s->parent_id, s->parent_id == ICE_NO_SNAPSHOT);
        metadata_put_text(t, "operation", operation);
        metadata_put_text(t, "manifest_list", s->manifest_list);
        json_key(&t->w, "summary");
        json_begin_object(&t->w);
        for (size_t k = 0; k < s->summary_count; k++) {
            if (!str_equal(s->summary[k].key, STR("operation"))) {
                json_key_str(&t->w, s->summary[k].key);
                json_put_str(&t->w, s->summary[k].value);
            }
        }
        json_end_object(&t->w);
        TRY(metadata_end_row(t, err));
    }
    return STATUS_OK;
}

static bool is_ancestor(const ice_metadata *m, int64_t id)
{
    const ice_snapshot *s = ice_metadata_snapshot(m);
    for (size_t steps = 0; s != NULL && steps <= m->snapshot_count; steps++) {
        if (s->id == id) {
            return true;
        }
        s = ice_metadata_snapshot_by_id(m, s->parent_id);
    }
    return false;
}

status metadata_history(metadata_rows *t, int variant, error *err)
{
    (void)variant;
    metadata_column(t, "made_current_at", "TIMESTAMP WITH TIME ZONE");
    metadata_column(t, "snapshot_id", "BIGINT");
    metadata_column(t, "parent_id", "BIGINT");
    metadata_column(t, "is_current_ancestor", "BOOLEAN");
    for (size_t i = 0; i < t->m->snapshot_log_count; i++) {
        const ice_log_entry *entry = &t->m->snapshot_log[i];
        const ice_snapshot *s = ice_metadata_snapshot_by_id(t->m, entry->snapshot_id);
        metadata_begin_row(t);
        metadata_put_time(t, "made_current_at", entry->timestamp_ms);
        json_member_int(&t->w, "snapshot_id", entry->snapshot_id);
        metadata_put_number(t, "parent_id", s != NULL ? s->parent_id : 0,
                            s == NULL || s->parent_id == ICE_NO_SNAPSHOT);
        json_member_bool(&t->w, "is_current_ancestor", is_ancestor(t->m, entry->snapshot_id));
        TRY(metadata_end_row(t, err));
    }
    return STATUS_OK;
}

status metadata_refs(metadata_rows *t, int variant, error *err)
{
    (void)variant;
    metadata_column(t, "name", "VARCHAR");
    metadata_column(t, "type", "VARCHAR");
    metadata_column(t, "snapshot_id", "BIGINT");
    metadata_column(t, "max_reference_age_in_ms", "BIGINT");
    metadata_column(t, "min_snapshots_to_keep", "INTEGER");
    metadata_column(t, "max_snapshot_age_in_ms", "BIGINT");
    for (size_t i = 0; i < t->m->ref_count; i++) {
        const ice_ref *ref = &t->m->refs[i];
        metadata_begin_row(t);
        json_member_str(&t->w, "name", ref->name);
        json_member_c(&t->w, "type", ref->is_tag ? "TAG" : "BRANCH");
        json_member_int(&t->w, "snapshot_id", ref->snapshot_id);
        metadata_put_number(t, "max_reference_age_in_ms", ref->max_ref_age_ms,
                            ref->max_ref_age_ms < 0);
        metadata_put_number(t, "min_snapshots_to_keep", ref->min_snapshots_to_keep,
                            ref->min_snapshots_to_keep < 0);
        metadata_put_number(t, "max_snapshot_age_in_ms", ref->max_snapshot_age_ms,
                            ref->max_snapshot_age_ms < 0);
        TRY(metadata_end_row(t, err));
    }
    return STATUS_OK;
}

/* What was current then, by the snapshot log. */
static status put_log_entry(metadata_rows *t, int64_t timestamp_ms, str file, error *err)
{
    const ice_snapshot *latest = NULL;
    for (size_t i = 0; i < t->m->snapshot_log_count; i++) {
        if (t->m->snapshot_log[i].timestamp_ms <= timestamp_ms) {
            latest = ice_metadata_snapshot_by_id(t->m, t->m->snapshot_log[i].snapshot_id);
        }
    }
    metadata_begin_row(t);
    metadata_put_time(t, "timestamp", timestamp_ms);
    json_member_str(&t->w, "file", file);
    metadata_put_number(t, "latest_snapshot_id", latest != NULL ? latest->id : 0, latest == NULL);
    metadata_put_number(t, "latest_schema_id", latest != NULL ? latest->schema_id : 0,
                        latest == NULL || latest->schema_id == ICE_NO_SCHEMA);
    metadata_put_number(t, "latest_sequence_number", latest != NULL ? latest->sequence_number : 0,
                        latest == NULL);
    return metadata_end_row(t, err);
}

status metadata_log_entries(metadata_rows *t, int variant, error *err)
{
    table_info info;
    ice_metadata *m;
    (void)variant;
    metadata_column(t, "timestamp", "TIMESTAMP WITH TIME ZONE");
    metadata_column(t, "file", "VARCHAR");
    metadata_column(t, "latest_snapshot_id", "BIGINT");
    metadata_column(t, "latest_schema_id", "INTEGER");
    metadata_column(t, "latest_sequence_number", "BIGINT");
    for (size_t i = 0; i < t->m->metadata_log_count; i++) {
        TRY(put_log_entry(t, t->m->metadata_log[i].timestamp_ms,
                          t->m->metadata_log[i].metadata_file, err));
    }
    /* The current file: its name is the catalog's to tell. */
    TRY(catalog_load_table(t->q->r->catalog, t->name, t->q->a, &m, &info, err));
    ice_metadata_unref(m);
    return put_log_entry(t, t->m->last_updated_ms, info.metadata_location, err);
}

/* summary.c: what a snapshot tells of itself: its operation, counts of what came and went, totals.
 * Zero counts are left out, totals are always written; a deletion vector counts by its own bytes and as a delete
 * file, but not as a position delete file (reference implementation: SnapshotSummary).
 * Source: Iceberg specification, "Snapshots", "Optional Snapshot Summary Fields". */
#include "tarn/base/map.h"

#include "change.h"

typedef struct tally {
    int64_t data_files, delete_files, position_files, equality_files, vectors;
    int64_t records, positions, equalities;
    int64_t bytes;
} tally;

typedef struct summary {
    VEC(ice_property) entries;
    const ice_snapshot *previous;
    arena *memory;
} summary;

bool ice__is_vector(const ice_file *f)
{
    return f->content == ICE_POSITION_DELETES && str_equal_nocase(f->format, STR("PUFFIN"));
}

static tally count(const ice_file *const *files, size_t file_count)
{
    tally t = {0};

    for (size_t i = 0; i < file_count; i++) {
        const ice_file *f = files[i];
        bool vector = ice__is_vector(f);

        t.bytes = ice__sum(t.bytes, vector && f->content_size_bytes >= 0 ? f->content_size_bytes
                                                                         : f->size_bytes);
        t.delete_files += f->content != ICE_DATA ? 1 : 0;
        switch (f->content) {
        case ICE_DATA:
            t.data_files++;
            t.records = ice__sum(t.records, f->record_count);
            break;
        case ICE_POSITION_DELETES:
            t.vectors += vector ? 1 : 0;
            t.position_files += vector ? 0 : 1;
            t.positions = ice__sum(t.positions, f->record_count);
            break;
        case ICE_EQUALITY_DELETES:
            t.equality_files++;
            t.equalities = ice__sum(t.equalities, f->record_count);
            break;
        }
    }
    return t;
}

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

/* Previous total, what was added, less what was removed. Where an earlier writer left its total out, or told one
 * that cannot be, nobody can know it. */
static void put_total(summary *s, const char *key, int64_t added, int64_t removed)
{
    int64_t before = 0;

    if (s->previous != NULL &&
        (str_to_int64(ice_snapshot_summary(s->previous, key), &before, NULL) != STATUS_OK ||
         before < 0)) {
        return;
    }
    before = ice__sum(before, added);
    if (before >= removed) {
        put(s, key, before - removed);
    }
}

static int64_t count_partitions(const ice__snapshot_plan *plan, arena *a)
{
    static char present;
    map *seen = map_create(a);

    for (size_t i = 0; i < plan->added_count; i++) {
        (void)map_set(seen, ice_file_partition_key(plan->added[i], a), &present);
    }
    for (size_t i = 0; i < plan->removed_count; i++) {
        (void)map_set(seen, ice_file_partition_key(plan->removed[i], a), &present);
    }
    return (int64_t)map_count(seen);
}

static void put_changes(summary *s, const tally *in, const tally *out)
{
    put_count(s, "added-data-files", in->data_files);
    put_count(s, "deleted-data-files", out->data_files);
    put_count(s, "added-delete-files", in->delete_files);
    put_count(s, "removed-delete-files", out->delete_files);
    put_count(s, "added-position-delete-files", in->position_files);
    put_count(s, "removed-position-delete-files", out->position_files);
    put_count(s, "added-dvs", in->vectors);
    put_count(s, "removed-dvs", out->vectors);
    put_count(s, "added-equality-delete-files", in->equality_files);
    put_count(s, "removed-equality-delete-files", out->equality_files);
    put_count(s, "added-records", in->records);
    put_count(s, "deleted-records", out->records);
    put_count(s, "added-position-deletes", in->positions);
    put_count(s, "removed-position-deletes", out->positions);
    put_count(s, "added-equality-deletes", in->equalities);
    put_count(s, "removed-equality-deletes", out->equalities);
    put_count(s, "added-files-size", in->bytes);
    put_count(s, "removed-files-size", out->bytes);
}

void ice__summarize(ice__change *c, const ice__snapshot_plan *plan)
{
    summary s = {.previous = plan->parent, .memory = c->memory};
    ice_property operation = {.key = STR("operation"),
                              .value = str_c(ice_operation_name(plan->operation))};
    tally in = count(plan->added, plan->added_count);
    tally out = count(plan->removed, plan->removed_count);

    vec_push(c->memory, &s.entries, operation);
    for (size_t i = 0; i < plan->summary_count; i++) {
        vec_push(c->memory, &s.entries, plan->summary[i]);
    }
    put_changes(&s, &in, &out);
    put(&s, "changed-partition-count", count_partitions(plan, c->memory));
    put_total(&s, "total-records", in.records, out.records);
    put_total(&s, "total-files-size", in.bytes, out.bytes);
    put_total(&s, "total-data-files", in.data_files, out.data_files);
    put_total(&s, "total-delete-files", in.delete_files, out.delete_files);
    put_total(&s, "total-position-deletes", in.positions, out.positions);
    put_total(&s, "total-equality-deletes", in.equalities, out.equalities);
    c->snapshot.summary = s.entries.items;
    c->snapshot.summary_count = s.entries.count;
}

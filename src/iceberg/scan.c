/* scan.c: planning: from a snapshot and a filter to the files that must be read.
 *
 *   1. the manifest list: manifests whose summaries rule them out are counted and never read
 *   2. the other manifests, several at once, from the cache where they are there
 *   3. each live entry by its partition, its null counts, its bounds
 *   4. delete files, to the surviving data files that they apply to (deletes.c)
 * Nothing here depends on the order in which manifests were read: the result is in list order. */
#include "tarn/base/thread.h"
#include "tarn/base/vec.h"

#include "internal.h"

enum { READERS_MAX = 16 };

typedef VEC(ice_file) file_vec;
typedef VEC(ice_scan_file) skipped_vec;

/* One manifest of the plan, and what came out of it. */
typedef struct plan_part {
    const ice_manifest *manifest;
    arena *memory; /* its own: several threads work at once */
    file_vec files;
    skipped_vec skipped;
    int64_t total_files, total_rows;
    int64_t skipped_by[ICE_SKIP_REASON_COUNT];
    status outcome;
    error err;
} plan_part;

typedef struct plan {
    storage *st;
    const ice_metadata *m;
    const ice__filter *filter; /* NULL: everything is kept */
    bool keep_skipped;
    plan_part *parts;
    size_t part_count;
    arena *memory;
} plan;

static void free_arena(void *object)
{
    arena_free(object);
}

/* --- one manifest --- */

static str reason_column(const plan *p, const ice__verdict *verdict, arena *a)
{
    const ice_field *field;
    str path;

    if (!str_is_null(verdict->name)) {
        return verdict->name;
    }
    path = ice_schema_path(ice_metadata_schema(p->m), verdict->field_id, a);
    field = str_is_null(path) ? ice__metadata_field(p->m, verdict->field_id) : NULL;
    return field != NULL ? field->name : path;
}

static void take_file(const plan *p, plan_part *part, const ice_file *file)
{
    ice__verdict verdict = {.reason = ICE_KEPT, .field_id = ICE_NO_ID};

    part->total_files++;
    part->total_rows = ice__sum(part->total_rows, file->record_count);
    if (p->filter == NULL || ice__file_may_match(p->filter, file, &verdict)) {
        vec_push(part->memory, &part->files, *file);
        return;
    }
    part->skipped_by[verdict.reason]++;
    if (p->keep_skipped) {
        ice_scan_file skipped = {.file = *file,
                                 .reason = verdict.reason,
                                 .reason_column = reason_column(p, &verdict, part->memory)};

        vec_push(part->memory, &part->skipped, skipped);
    }
}

static void run_part(void *context, size_t index)
{
    const plan *p = context;
    plan_part *part = &p->parts[index];
    ice__entries entries;

    part->outcome =
        ice__manifest_load(p->st, p->m, part->manifest, part->memory, &entries, &part->err);
    for (size_t i = 0; part->outcome == STATUS_OK && i < entries.count; i++) {
        const ice_entry *entry = &entries.entries[i];

        if (entry->status == ICE_DELETED) {
            continue;
        }
        if (part->manifest->deletes || entry->file.content != ICE_DATA) {
            vec_push(part->memory, &part->files, entry->file);
        } else {
            take_file(p, part, &entry->file);
        }
    }
}

/* --- the list --- */

static bool is_counted(const ice_manifest *manifest)
{
    return manifest->added_files >= 0 && manifest->existing_files >= 0 &&
           manifest->added_rows >= 0 && manifest->existing_rows >= 0;
}

/* Manifests that need not be read are counted here; the others become parts. */
static void choose_parts(plan *p, const ice__manifest_list *list, ice_scan *scan)
{
    p->parts = ARENA_ARRAY(p->memory, plan_part, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const ice_manifest *manifest = &list->manifests[i];
        ice__verdict verdict;

        if (is_counted(manifest) &&
            (int64_t)manifest->added_files + manifest->existing_files == 0) {
            continue; /* it only tells what was deleted */
        }
        if (p->filter != NULL && is_counted(manifest) &&
            !ice__manifest_may_match(p->filter, manifest, &verdict)) {
            if (manifest->deletes) {
                continue; /* it speaks of partitions of which no data file is left */
            }
            int64_t files = (int64_t)manifest->added_files + manifest->existing_files;

            scan->total_files += files;
            scan->total_rows =
                ice__sum(scan->total_rows, ice__sum(manifest->added_rows, manifest->existing_rows));
            scan->skipped_by[ICE_SKIPPED_PARTITION_SUMMARY] += files;
            continue;
        }
        p->parts[p->part_count] =
            (plan_part){.manifest = manifest, .memory = arena_create(), .err = ERROR_INIT};
        arena_defer(p->memory, free_arena, p->parts[p->part_count].memory);
        p->part_count++;
    }
}

/* --- the whole --- */

static void add_part(const plan_part *part, file_vec *files, file_vec *deletes,
                     skipped_vec *skipped, arena *a, ice_scan *scan)
{
    for (size_t i = 0; i < part->files.count; i++) {
        const ice_file *f = &part->files.items[i];

        if (f->content == ICE_DATA && !part->manifest->deletes) {
            scan->kept_rows = ice__sum(scan->kept_rows, f->record_count);
            scan->kept_bytes = ice__sum(scan->kept_bytes, f->size_bytes);
            vec_push(a, files, *f);
        } else {
            vec_push(a, deletes, *f);
        }
    }
    for (size_t i = 0; i < part->skipped.count; i++) {
        vec_push(a, skipped, part->skipped.items[i]);
    }
    for (int i = 0; i < ICE_SKIP_REASON_COUNT; i++) {
        scan->skipped_by[i] += part->skipped_by[i];
    }
    scan->total_files += part->total_files;
    scan->total_rows = ice__sum(scan->total_rows, part->total_rows);
}

static status collect(const plan *p, ice_scan *scan, error *err)
{
    file_vec files = {0};
    file_vec deletes = {0};
    skipped_vec skipped = {0};

    for (size_t i = 0; i < p->part_count; i++) {
        if (p->parts[i].outcome != STATUS_OK) {
            if (err != NULL) {
                *err = p->parts[i].err;
            }
            return p->parts[i].outcome;
        }
        add_part(&p->parts[i], &files, &deletes, &skipped, p->memory, scan);
    }
    scan->files = files.items;
    scan->file_count = files.count;
    scan->skipped = skipped.items;
    scan->skipped_count = skipped.count;
    scan->skipped_by[ICE_KEPT] = 0;
    return ice__apply_deletes(p->m, deletes.items, deletes.count, p->memory, scan, err);
}

/* Threads are for files that must be read: what lies in memory is done before one has started. */
static int reader_count(const plan *p)
{
    int threads_max = thread_cpu_count() * 2; /* half of them wait for a disk */
    int missing = 0;

    threads_max = threads_max > READERS_MAX ? READERS_MAX : threads_max;
    for (size_t i = 0; i < p->part_count && missing < threads_max; i++) {
        missing += ice__cache_has(p->m, p->parts[i].manifest, p->memory) ? 0 : 1;
    }
    return missing > 1 ? missing : 1;
}

static status find_snapshot(const ice_scan_options *options, const ice_snapshot **ret_snapshot,
                            error *err)
{
    const ice_metadata *m = options->metadata;

    if (options->snapshot_id == ICE_NO_SNAPSHOT) {
        *ret_snapshot = ice_metadata_snapshot(m);
        return STATUS_OK;
    }
    *ret_snapshot = ice_metadata_snapshot_by_id(m, options->snapshot_id);
    if (*ret_snapshot == NULL) {
        return error_set(err, STATUS_NO_SNAPSHOT, "table has no snapshot %lld",
                         (long long)options->snapshot_id);
    }
    return STATUS_OK;
}

status ice_scan_plan(storage *st, const ice_scan_options *options, arena *a, ice_scan *ret_scan,
                     error *err)
{
    plan p = {.st = st, .m = options->metadata, .keep_skipped = options->keep_skipped, .memory = a};
    ice_scan scan = {.file_count = 0};
    const ice_snapshot *snapshot;
    ice__manifest_list list;

    TRY(find_snapshot(options, &snapshot, err));
    if (snapshot == NULL) { /* a table that was never written to */
        *ret_scan = scan;
        return STATUS_OK;
    }
    if (!options->no_pruning && options->filter != NULL) {
        p.filter = ice__filter_create(p.m, options->filter, a);
    }
    TRY(ice__list_load(st, p.m, snapshot, a, &list, err));
    choose_parts(&p, &list, &scan);
    parallel_for(p.part_count, reader_count(&p), run_part, &p);
    TRY(collect(&p, &scan, err));
    *ret_scan = scan;
    return STATUS_OK;
}

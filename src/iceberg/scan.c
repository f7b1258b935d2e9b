/* scan.c: planning: from a snapshot and a filter to the files that must be read.
 *
 *   1. the manifest list: manifests whose summaries rule them out are counted and never read; where some rows are
 *      enough (LIMIT), so are those behind the ones that have them
 *   2. manifests of deletes, then of data, several at once, from the cache where they are there. Of data files only
 *      the metrics of columns are decoded that the filter or an equality delete speaks of, and of these none whose
 *      value the partition tells
 *   3. each live entry by its partition, its null counts, its bounds
 *   4. delete files, to the surviving data files that they apply to (deletes.c)
 * Nothing here depends on the order in which manifests were read: the result is in list order. */
#include <stdlib.h>

#include "tarn/base/thread.h"
#include "tarn/base/vec.h"

#include "internal.h"

enum { READERS_MAX = 16 };

typedef VEC(const ice_file *) file_vec;
typedef VEC(ice_file) delete_vec;
typedef VEC(ice_scan_file) skipped_vec;
typedef VEC(int32_t) id_vec;

/* One manifest of the plan, and what came out of it. Entries are the cache's; the part holds them. */
typedef struct plan_part {
    const ice_manifest *manifest;
    ice__decode decode;
    arena *memory; /* its own: several threads work at once */
    file_vec files;
    skipped_vec skipped;
    int64_t total_files, total_rows;
    int64_t skipped_by[ICE_SKIP_REASON_COUNT];
    status outcome;
    error err;
} plan_part;

typedef VEC(plan_part) part_vec;

typedef struct plan {
    storage *st;
    const ice_metadata *m;
    const ice__filter *filter; /* NULL: everything is kept */
    const ice_scan_options *options;
    part_vec parts;     /* of data, in list order */
    part_vec deletes;   /* of deletes */
    part_vec postponed; /* of data: not needed if the others hold as many rows as the list says */
    id_vec columns;     /* whose metrics are needed */
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
        vec_push(part->memory, &part->files, file);
        return;
    }
    part->skipped_by[verdict.reason]++;
    if (p->options->keep_skipped) {
        ice_scan_file skipped = {.file = *file,
                                 .reason = verdict.reason,
                                 .reason_column = reason_column(p, &verdict, part->memory)};

        vec_push(part->memory, &part->skipped, skipped);
    }
}

typedef struct round {
    const plan *plan;
    plan_part *parts;
} round;

static void run_part(void *context, size_t index)
{
    const round *r = context;
    const plan *p = r->plan;
    plan_part *part = &r->parts[index];
    ice__entries entries;

    part->outcome = ice__manifest_load_some(p->st, p->m, part->manifest, &part->decode,
                                            part->memory, &entries, &part->err);
    for (size_t i = 0; part->outcome == STATUS_OK && i < entries.count; i++) {
        const ice_entry *entry = &entries.entries[i];

        if (entry->status == ICE_DELETED) {
            continue;
        }
        if (part->manifest->deletes || entry->file.content != ICE_DATA) {
            vec_push(part->memory, &part->files, &entry->file);
        } else {
            take_file(p, part, &entry->file);
        }
    }
}

/* Threads are for files that must be read: what lies in memory is done before one has started. */
static int reader_count(const plan *p, const part_vec *parts)
{
    int threads_max = thread_cpu_count() * 2; /* half of them wait for a disk */
    int missing = 0;

    threads_max = threads_max > READERS_MAX ? READERS_MAX : threads_max;
    for (size_t i = 0; i < parts->count && missing < threads_max; i++) {
        const plan_part *part = &parts->items[i];

        missing += ice__cache_has(p->m, part->manifest, &part->decode, p->memory) ? 0 : 1;
    }
    return missing > 1 ? missing : 1;
}

static status run_parts(const plan *p, const part_vec *parts, error *err)
{
    round r = {.plan = p, .parts = parts->items};

    parallel_for(parts->count, reader_count(p, parts), run_part, &r);
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->items[i].outcome != STATUS_OK) {
            if (err != NULL) {
                *err = parts->items[i].err;
            }
            return parts->items[i].outcome;
        }
    }
    return STATUS_OK;
}

/* --- the list --- */

static bool is_counted(const ice_manifest *manifest)
{
    return manifest->added_files >= 0 && manifest->existing_files >= 0 &&
           manifest->added_rows >= 0 && manifest->existing_rows >= 0;
}

static int64_t live_files(const ice_manifest *manifest)
{
    return (int64_t)manifest->added_files + manifest->existing_files;
}

static int64_t live_rows(const ice_manifest *manifest)
{
    return ice__sum(manifest->added_rows, manifest->existing_rows);
}

static void add_part(const plan *p, part_vec *parts, const ice_manifest *manifest)
{
    plan_part part = {.manifest = manifest, .memory = arena_create(), .err = ERROR_INIT};

    arena_defer(p->memory, free_arena, part.memory);
    vec_push(p->memory, parts, part);
}

static void count_unread(const ice_manifest *manifest, ice_skip_reason reason, ice_scan *scan)
{
    scan->total_files += live_files(manifest);
    scan->total_rows = ice__sum(scan->total_rows, live_rows(manifest));
    scan->skipped_by[reason] += live_files(manifest);
}

static int compare_manifests(const void *x, const void *y)
{
    const ice_manifest *a = *(const ice_manifest *const *)x;
    const ice_manifest *b = *(const ice_manifest *const *)y;

    if (a->min_sequence_number != b->min_sequence_number) {
        return a->min_sequence_number < b->min_sequence_number ? -1 : 1;
    }
    return (a > b) - (a < b);
}

/* Where it is asked for, the oldest first. */
static const ice_manifest **in_order(const plan *p, const ice__manifest_list *list)
{
    const ice_manifest **order = ARENA_ARRAY(p->memory, const ice_manifest *, list->count + 1);

    for (size_t i = 0; i < list->count; i++) {
        order[i] = &list->manifests[i];
    }
    if (p->options->oldest_first) {
        qsort(order, list->count, sizeof(*order), compare_manifests);
    }
    return order;
}

/* Manifests that need not be read are counted here; the others become parts. */
static void choose_parts(plan *p, const ice__manifest_list *list, ice_scan *scan)
{
    int64_t limit_rows = p->filter == NULL ? p->options->limit_rows : 0;
    const ice_manifest **order = in_order(p, list);
    int64_t rows = 0;

    scan->manifest_count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        const ice_manifest *manifest = order[i];
        bool counted = is_counted(manifest);
        ice__verdict verdict;

        if (counted && live_files(manifest) == 0) {
            continue; /* it only tells what was deleted */
        }
        if (p->filter != NULL && counted &&
            !ice__manifest_may_match(p->filter, manifest, &verdict)) {
            if (!manifest
                     ->deletes) { /* else it speaks of partitions of which no data file is left */
                count_unread(manifest, ICE_SKIPPED_PARTITION_SUMMARY, scan);
            }
        } else if (manifest->deletes) {
            add_part(p, &p->deletes, manifest);
        } else if (limit_rows > 0 && rows >= limit_rows && counted) {
            add_part(p, &p->postponed, manifest);
        } else {
            add_part(p, &p->parts, manifest);
            rows = ice__sum(rows, counted ? live_rows(manifest) : 0);
        }
    }
}

/* --- columns --- */

static void need_column(plan *p, int32_t id)
{
    for (size_t i = 0; i < p->columns.count; i++) {
        if (p->columns.items[i] == id) {
            return;
        }
    }
    vec_push(p->memory, &p->columns, id);
}

static void need_filter(plan *p, const ice_expr *e)
{
    for (size_t i = 0; i < e->child_count && e->kind <= ICE_OR; i++) {
        need_filter(p, e->children[i]);
    }
    if (e->kind > ICE_OR && ice__filter_column(p->filter, e->field_id) != NULL) {
        need_column(p, e->field_id);
    }
}

static int compare_ids(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x;
    int32_t b = *(const int32_t *)y;

    return (a > b) - (a < b);
}

/* The filter's columns, and those that equality deletes compare. */
static void find_columns(plan *p)
{
    if (p->filter != NULL) {
        need_filter(p, ice__filter_expr(p->filter));
    }
    for (size_t i = 0; i < p->deletes.count; i++) {
        const plan_part *part = &p->deletes.items[i];

        for (size_t k = 0; k < part->files.count; k++) {
            const ice_file *f = part->files.items[k];

            for (size_t c = 0; c < f->equality_id_count; c++) {
                need_column(p, f->equality_ids[c]);
            }
        }
    }
    if (p->columns.count > 0) {
        qsort(p->columns.items, p->columns.count, sizeof(int32_t), compare_ids);
    }
}

/* Bounds say nothing of a column whose value the partition tells. Deletes look at bounds alone. */
static bool is_told_by_partition(const ice_spec *spec, int32_t id)
{
    for (size_t i = 0; spec != NULL && i < spec->field_count; i++) {
        if (spec->fields[i].source_id == id && spec->fields[i].transform.kind == ICE_IDENTITY) {
            return true;
        }
    }
    return false;
}

static ice__decode decode_for(const plan *p, int32_t spec_id)
{
    const ice_spec *spec = p->deletes.count == 0 ? ice_metadata_spec_by_id(p->m, spec_id) : NULL;
    int32_t *ids = ARENA_ARRAY(p->memory, int32_t, p->columns.count + 1);
    size_t count = 0;

    for (size_t i = 0; i < p->columns.count; i++) {
        if (!is_told_by_partition(spec, p->columns.items[i])) {
            ids[count++] = p->columns.items[i];
        }
    }
    return (ice__decode){.all = p->options->all_metrics, .ids = ids, .count = count};
}

static void set_decode(const plan *p, part_vec *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        plan_part *part = &parts->items[i];
        bool same = i > 0 && parts->items[i - 1].manifest->spec_id == part->manifest->spec_id;

        part->decode = same ? parts->items[i - 1].decode : decode_for(p, part->manifest->spec_id);
    }
}

/* --- the whole --- */

static status read_deletes(plan *p, ice_scan *scan, delete_vec *deletes, error *err)
{
    for (size_t i = 0; i < p->deletes.count; i++) {
        p->deletes.items[i].decode.all =
            true; /* the bounds of paths, and of whatever they compare */
    }
    TRY(run_parts(p, &p->deletes, err));
    scan->manifests_read += p->deletes.count;
    for (size_t i = 0; i < p->deletes.count; i++) {
        const plan_part *part = &p->deletes.items[i];

        for (size_t k = 0; k < part->files.count; k++) {
            vec_push(p->memory, deletes, *part->files.items[k]);
        }
    }
    return STATUS_OK;
}

static void add_up(const plan_part *part, arena *a, skipped_vec *skipped, ice_scan *scan)
{
    for (size_t i = 0; i < part->skipped.count; i++) {
        vec_push(a, skipped, part->skipped.items[i]);
    }
    for (int i = 0; i < ICE_SKIP_REASON_COUNT; i++) {
        scan->skipped_by[i] += part->skipped_by[i];
    }
    scan->total_files += part->total_files;
    scan->total_rows = ice__sum(scan->total_rows, part->total_rows);
}

/* Whether the files that were read are enough for the limit. Not where deletes may take rows away, of which a damaged
 * table may have some among its data. */
static bool is_enough(const plan *p)
{
    int64_t rows = 0;

    for (size_t i = 0; i < p->parts.count; i++) {
        for (size_t k = 0; k < p->parts.items[i].files.count; k++) {
            const ice_file *f = p->parts.items[i].files.items[k];

            if (f->content != ICE_DATA) {
                return false;
            }
            rows = ice__sum(rows, f->record_count);
        }
    }
    return p->deletes.count == 0 && rows >= p->options->limit_rows;
}

static void take_postponed(plan *p)
{
    for (size_t i = 0; i < p->postponed.count; i++) {
        vec_push(p->memory, &p->parts, p->postponed.items[i]);
    }
    p->postponed.count = 0;
}

/* Reads the manifests of data; those that a limit leaves aside only where the others hold fewer rows than the list
 * says. */
static status read_data(plan *p, ice_scan *scan, error *err)
{
    if (p->deletes.count > 0) {
        take_postponed(p);
    }
    set_decode(p, &p->parts);
    TRY(run_parts(p, &p->parts, err));
    if (p->postponed.count > 0 && !is_enough(p)) {
        set_decode(p, &p->postponed);
        TRY(run_parts(p, &p->postponed, err));
        take_postponed(p);
    }
    for (size_t i = 0; i < p->postponed.count; i++) {
        count_unread(p->postponed.items[i].manifest, ICE_SKIPPED_LIMIT, scan);
    }
    scan->manifests_read += p->parts.count;
    return STATUS_OK;
}

typedef struct ordered_file {
    const ice_file *file;
    size_t place; /* in the manifests */
} ordered_file;

static int compare_files(const void *x, const void *y)
{
    const ordered_file *a = x, *b = y;

    if (a->file->data_sequence != b->file->data_sequence) {
        return a->file->data_sequence < b->file->data_sequence ? -1 : 1;
    }
    return (a->place > b->place) - (a->place < b->place);
}

/* The surviving data files, where it is asked for in the order in which they came into the table. */
static size_t order_files(const plan *p, ordered_file **ret_files)
{
    size_t most = 0, count = 0;
    bool ordered = true, wanted = p->options->oldest_first;

    for (size_t i = 0; i < p->parts.count; i++) {
        most += p->parts.items[i].files.count;
    }
    ordered_file *files = ARENA_ARRAY(p->memory, ordered_file, most + 1);
    for (size_t i = 0; i < p->parts.count; i++) {
        for (size_t k = 0; k < p->parts.items[i].files.count; k++) {
            const ice_file *f = p->parts.items[i].files.items[k];

            if (f->content == ICE_DATA) {
                files[count] = (ordered_file){.file = f, .place = count};
                ordered = ordered &&
                          (count == 0 || files[count - 1].file->data_sequence <= f->data_sequence);
                count++;
            }
        }
    }
    if (wanted && !ordered) {
        qsort(files, count, sizeof(*files), compare_files);
    }
    *ret_files = files;
    return count;
}

/* The surviving files, in one array; delete files that lie in a manifest of data too. */
static void take_files(const plan *p, ice_scan *scan, delete_vec *deletes)
{
    bool limited = p->options->limit_rows > 0 && p->filter == NULL && is_enough(p);
    skipped_vec skipped = {0};
    ordered_file *ordered;
    size_t count = order_files(p, &ordered);
    ice_file *files = ARENA_ARRAY(p->memory, ice_file, count);

    for (size_t i = 0; i < p->parts.count; i++) {
        const plan_part *part = &p->parts.items[i];

        add_up(part, p->memory, &skipped, scan);
        for (size_t k = 0; k < part->files.count; k++) {
            if (part->files.items[k]->content != ICE_DATA) {
                vec_push(p->memory, deletes, *part->files.items[k]);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        const ice_file *f = ordered[i].file;

        if (limited && scan->kept_rows >= p->options->limit_rows) {
            scan->skipped_by[ICE_SKIPPED_LIMIT]++;
        } else {
            files[scan->file_count++] = *f;
            scan->kept_rows = ice__sum(scan->kept_rows, f->record_count);
            scan->kept_bytes = ice__sum(scan->kept_bytes, f->size_bytes);
        }
    }
    scan->files = files;
    scan->skipped = skipped.items;
    scan->skipped_count = skipped.count;
    scan->skipped_by[ICE_KEPT] = 0;
}

static void find_satisfied(const plan *p, ice_scan *scan)
{
    bool *satisfied = ARENA_ARRAY(p->memory, bool, scan->file_count + 1);

    for (size_t i = 0; i < scan->file_count; i++) {
        satisfied[i] = p->options->filter == NULL ||
                       (p->filter != NULL && ice__file_must_match(p->filter, &scan->files[i]));
        scan->satisfied_count += satisfied[i] ? 1 : 0;
    }
    scan->satisfied = satisfied;
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

static status run(plan *p, const ice__manifest_list *list, ice_scan *scan, error *err)
{
    delete_vec deletes = {0};

    choose_parts(p, list, scan);
    TRY(read_deletes(p, scan, &deletes, err));
    find_columns(p);
    TRY(read_data(p, scan, err));
    take_files(p, scan, &deletes);
    if (p->options->residuals) {
        find_satisfied(p, scan);
    }
    return ice__apply_deletes(p->m, deletes.items, deletes.count, p->memory, scan, err);
}

status ice_scan_plan(storage *st, const ice_scan_options *options, arena *a, ice_scan *ret_scan,
                     error *err)
{
    plan p = {.st = st, .m = options->metadata, .options = options, .memory = a};
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
    TRY(run(&p, &list, &scan, err));
    *ret_scan = scan;
    return STATUS_OK;
}

/* overwrite.c: changes that take files away, as a work of attempt.c: each attempt finds what goes on the newest
 * metadata (remove.c), asks whether anybody who came between forbids it (validate.c), and makes the snapshot.
 *
 * Kept over attempts: data files, manifests of added files, and manifests without what goes as long as their
 * source is still the table's. */
#include "tarn/iceberg/overwrite.h"

#include "removal.h"

typedef struct overwrite {
    const ice_committer *committer;
    const ice_overwrite *change;
    arena *memory;
    ice__kept_vec data;
    ice__fresh fresh;
    ice__rewritten_vec rewritten;
    ice_commit_result result;
} overwrite;

static char present; /* what sets hold */

/* --- what may be asked for --- */

static status check_delete_file(const ice_overwrite *o, const ice_metadata *m, const ice_file *f,
                                error *err)
{
    bool vector = ice__is_vector(f);

    if (m->format_version < 2) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "a table of format version 1 takes no delete files");
    }
    if (o->kind == ICE_REWRITE && f->content == ICE_EQUALITY_DELETES) {
        return error_set(err, STATUS_INVALID, "a rewrite adds no equality deletes");
    }
    if (vector && m->format_version < 3) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "deletion vectors need format version 3, the table has %d",
                         m->format_version);
    }
    if (vector && (str_is_null(f->referenced_data_file) || f->content_offset < 0)) {
        return error_set(err, STATUS_INVALID,
                         "deletion vector \"%.*s\" does not say of which data file it is",
                         STR_ARG(f->path));
    }
    if (!vector && f->content == ICE_POSITION_DELETES && m->format_version > 2) {
        return error_set(
            err, STATUS_UNSUPPORTED,
            "position delete file \"%.*s\": a table of format version 3 takes deletion "
            "vectors instead",
            STR_ARG(f->path));
    }
    return STATUS_OK;
}

static int64_t count_records(const ice_file *files, size_t count)
{
    int64_t rows = 0;

    for (size_t i = 0; i < count; i++) {
        rows = ice__sum(rows, files[i].content == ICE_DATA ? files[i].record_count : 0);
    }
    return rows;
}

static status check_kind(const ice_overwrite *o, error *err)
{
    for (size_t i = 0; o->kind == ICE_ROW_DELTA && i < o->removed_count; i++) {
        if (o->removed[i].content == ICE_DATA) {
            return error_set(err, STATUS_INVALID,
                             "a row delta removes delete files only, \"%.*s\" is a data file",
                             STR_ARG(o->removed[i].path));
        }
    }
    if (o->kind == ICE_REWRITE) {
        int64_t before = count_records(o->removed, o->removed_count);
        int64_t after = count_records(o->added, o->added_count);

        if (after > before) {
            return error_set(err, STATUS_INVALID, "a rewrite of %lld rows cannot add %lld rows",
                             (long long)before, (long long)after);
        }
    }
    for (size_t i = 0; o->keep_sequence && i < o->added_count; i++) {
        if (o->kind != ICE_REWRITE || o->added[i].data_sequence < 0) {
            return error_set(err, STATUS_INVALID,
                             "file \"%.*s\" has no sequence number that it could keep",
                             STR_ARG(o->added[i].path));
        }
    }
    return STATUS_OK;
}

static status check_change(const ice_overwrite *o, const ice_metadata *m, error *err)
{
    ice__written written = {.table_uuid = o->table_uuid,
                            .schema_id = o->schema_id,
                            .files = o->added,
                            .file_count = o->added_count};

    TRY(ice__check_fit(&written, m, err));
    TRY(check_kind(o, err));
    for (size_t i = 0; i < o->added_count; i++) {
        if (o->added[i].content != ICE_DATA) {
            TRY(check_delete_file(o, m, &o->added[i], err));
        }
    }
    return STATUS_OK;
}

/* --- where it goes --- */

static str branch_of(const ice_overwrite *o)
{
    return str_is_null(o->branch) || o->branch.size == 0 ? STR("main") : o->branch;
}

static status find_head(const ice_overwrite *o, const ice_metadata *m,
                        const ice_snapshot **ret_head, error *err)
{
    str branch = branch_of(o);
    const ice_ref *ref = ice__find_ref(m, branch);

    if (str_equal(branch, STR("main"))) {
        *ret_head = ice_metadata_snapshot(m);
        return STATUS_OK;
    }
    if (ref != NULL && ref->is_tag) {
        return error_set(err, STATUS_INVALID, "\"%.*s\" is a tag: only branches move",
                         STR_ARG(branch));
    }
    *ret_head =
        ice_metadata_snapshot_by_id(m, ref != NULL ? ref->snapshot_id : o->read_snapshot_id);
    if (*ret_head == NULL && (ref != NULL || o->read_snapshot_id != ICE_NO_SNAPSHOT)) {
        return error_set(err, STATUS_CONFLICT, "snapshot %lld of branch \"%.*s\" is gone",
                         (long long)(ref != NULL ? ref->snapshot_id : o->read_snapshot_id),
                         STR_ARG(branch));
    }
    return STATUS_OK;
}

/* --- what goes --- */

static ice__removal begin_removal(overwrite *w, ice__change *c, const ice_snapshot *head)
{
    const ice_overwrite *o = w->change;
    const ice_spec *spec = ice_metadata_spec(c->base);
    ice__removal r = {.change = c,
                      .overwrite = o,
                      .head = head,
                      .memory = w->memory,
                      .listed = map_create(c->memory),
                      .gone = map_create(c->memory),
                      .found = map_create(c->memory)};

    if (o->filter != NULL) {
        r.filter = ice__filter_create(c->base, o->filter, c->memory);
    }
    for (size_t i = 0; i < o->removed_count; i++) {
        (void)map_set(r.listed, ice__file_key(&o->removed[i], c->memory), &present);
    }
    if (o->kind == ICE_OVERWRITE_PARTITIONS && (spec == NULL || spec->field_count > 0)) {
        r.partitions = map_create(c->memory);
        for (size_t i = 0; i < o->added_count; i++) {
            (void)map_set(r.partitions, ice_file_partition_key(&o->added[i], c->memory), &present);
        }
    }
    return r;
}

/* What the rules of validate.c leave: mistakes of the change itself. */
static status check_removal(const ice__removal *r, error *err)
{
    const ice_overwrite *o = r->overwrite;

    for (size_t i = 0; i < o->removed_count; i++) {
        if (!map_has(r->found, ice__file_key(&o->removed[i], r->change->memory))) {
            return error_set(err, STATUS_INVALID, "file \"%.*s\" is not in the table",
                             STR_ARG(o->removed[i].path));
        }
    }
    if (r->partial != NULL) {
        const ice_snapshot *read =
            ice_metadata_snapshot_by_id(r->change->base, o->read_snapshot_id);
        int64_t sequence = read != NULL ? read->sequence_number : 0;

        return error_set(err,
                         r->partial->data_sequence > sequence ? STATUS_CONFLICT : STATUS_INVALID,
                         "data file \"%.*s\" holds rows that match the filter and perhaps others",
                         STR_ARG(r->partial->path));
    }
    if (r->second != NULL) {
        return error_set(err, STATUS_INVALID,
                         "data file \"%.*s\" has a deletion vector, which the change neither "
                         "contains nor removes",
                         STR_ARG(r->second->referenced_data_file));
    }
    for (size_t i = 0; i < o->added_count; i++) {
        str reference =
            o->added[i].content == ICE_DATA ? STR_NULL : o->added[i].referenced_data_file;

        if (!str_is_null(reference) && map_has(r->gone, reference)) {
            return error_set(err, STATUS_INVALID,
                             "the change removes data file \"%.*s\" and adds deletes to it",
                             STR_ARG(reference));
        }
    }
    return STATUS_OK;
}

/* --- the snapshot --- */

static ice_operation operation_of(const ice_overwrite *o, const ice__removal *r)
{
    bool adds_data = false;
    bool adds_deletes = false;
    bool removes_data = map_count(r->gone) > 0;

    for (size_t i = 0; i < o->added_count; i++) {
        adds_data = adds_data || o->added[i].content == ICE_DATA;
        adds_deletes = adds_deletes || o->added[i].content != ICE_DATA;
    }
    switch (o->kind) {
    case ICE_REWRITE:
        return ICE_REPLACE;
    case ICE_OVERWRITE_PARTITIONS:
        return ICE_OVERWRITE;
    case ICE_ROW_DELTA:
        if (adds_data && !adds_deletes) {
            return r->files.count == 0 ? ICE_APPEND : ICE_OVERWRITE;
        }
        return adds_data ? ICE_OVERWRITE : ICE_DELETE;
    default:
        if (removes_data && !adds_data) {
            return ICE_DELETE;
        }
        return adds_data && !removes_data ? ICE_APPEND : ICE_OVERWRITE;
    }
}

static ice__added added_of(const ice_overwrite *o, arena *a)
{
    const ice_file **files = ARENA_ARRAY(a, const ice_file *, o->added_count);
    VEC(ice_property) summary = {0};

    for (size_t i = 0; i < o->added_count; i++) {
        files[i] = &o->added[i];
    }
    if (o->kind == ICE_OVERWRITE_PARTITIONS) {
        vec_push(a, &summary,
                 ((ice_property){.key = STR("replace-partitions"), .value = STR("true")}));
    }
    for (size_t i = 0; i < o->summary_count; i++) {
        if (!str_equal(o->summary[i].key, STR("operation"))) {
            vec_push(a, &summary, o->summary[i]);
        }
    }
    return (ice__added){.files = files,
                        .count = o->added_count,
                        .keep_sequence = o->keep_sequence,
                        .summary = summary.items,
                        .summary_count = summary.count};
}

static void discard_rewritten(overwrite *w, bool unused_alone)
{
    size_t kept = 0;

    for (size_t i = 0; i < w->rewritten.count; i++) {
        ice__rewritten *item = w->rewritten.items[i];

        if (unused_alone && item->used) {
            w->rewritten.items[kept++] = item;
        } else {
            ice__kept_discard(w->committer->storage, &item->kept);
        }
    }
    w->rewritten.count = kept;
}

static status make_snapshot(const overwrite *w, const ice__removal *r, const ice__added *added,
                            error *err)
{
    const ice_overwrite *o = w->change;
    ice__change *c = r->change;
    ice__snapshot_plan plan = {.id = w->fresh.snapshot_id,
                               .branch = branch_of(o),
                               .parent = r->head,
                               .operation = operation_of(o, r),
                               .added = added->files,
                               .added_count = added->count,
                               .removed = r->files.items,
                               .removed_count = r->files.count,
                               .summary = added->summary,
                               .summary_count = added->summary_count};

    c->nothing = added->count == 0 && r->files.count == 0;
    return c->nothing ? STATUS_OK : ice__change_snapshot(c, &plan, err);
}

static status build(void *context, ice__change *c, error *err)
{
    overwrite *w = context;
    const ice_overwrite *o = w->change;
    ice__added added = added_of(o, c->memory);
    const ice_snapshot *head;
    ice__removal r;

    c->extra = o->extra;
    c->extra_context = o->extra_context;
    vec_push(c->memory, &c->kept, &w->data);
    TRY(check_change(o, c->base, err));
    TRY(find_head(o, c->base, &head, err));
    r = begin_removal(w, c, head);
    TRY(ice__fresh_make(&w->fresh, w->committer->storage, w->memory, c, &added, err));
    for (size_t i = 0; i < w->rewritten.count; i++) {
        w->rewritten.items[i]->used = false;
    }
    TRY(ice__remove_files(&r, w->fresh.snapshot_id, &w->rewritten, err));
    discard_rewritten(w, true);
    TRY(ice__validate(&r, err));
    TRY(check_removal(&r, err));
    return make_snapshot(w, &r, &added, err);
}

/* --- the whole --- */

static void done(void *context, const ice__change *c, const ice_metadata *now, int attempt)
{
    overwrite *w = context;

    w->result = (ice_commit_result){.snapshot_id = c->nothing ? ICE_NO_SNAPSHOT : c->snapshot.id,
                                    .sequence_number = c->nothing ? now->last_sequence_number
                                                                  : c->snapshot.sequence_number,
                                    .attempts = attempt,
                                    .merged = 1};
}

status ice_commit_overwrite(const ice_committer *committer, const ice_overwrite *change,
                            ice_commit_result *ret_result, error *err)
{
    overwrite w = {.committer = committer, .change = change, .memory = arena_create()};
    ice__work work = {.build = build, .done = done, .context = &w};
    status s;

    ice__kept_take(w.memory, &w.data, change->staged, change->staged_count);
    for (size_t i = 0; i < change->unstaged_count; i++) {
        ice__kept_add(w.memory, &w.data, &change->unstaged[i]);
    }
    s = ice__commit_work(committer, &work, err);
    ice__kept_discard(committer->storage, &w.data);
    ice__fresh_drop(&w.fresh, committer->storage);
    discard_rewritten(&w, false);
    arena_free(w.memory);
    if (s == STATUS_OK) {
        *ret_result = w.result;
    }
    return s;
}

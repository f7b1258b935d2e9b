/* Procedures of branches and of a table's history, with Spark's arguments and columns: fast_forward,
 * cherrypick_snapshot, ancestors_of, expire_snapshots. */
#include "run/call.h"
#include "run/rows_sql.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"
#include "tarn/iceberg/evolve.h"
#include "tarn/iceberg/history.h"

static const ice_property engine_summary[] = {
    {.key = STR_INIT("engine-name"), .value = STR_INIT("tarn")},
};

static void put_id(rows_sql *rows, int64_t id)
{
    if (id == ICE_NO_SNAPSHOT) {
        rows_text(rows, STR_NULL);
    } else {
        rows_int(rows, id);
    }
}

static const ice_ref *find_ref(const ice_metadata *m, str name)
{
    for (size_t i = 0; i < m->ref_count; i++) {
        if (str_equal(m->refs[i].name, name)) {
            return &m->refs[i];
        }
    }
    return NULL;
}

status call_no_ref(const call *c, size_t argument, const ice_metadata *m, error *err)
{
    str *names = ARENA_ARRAY(c->a, str, m->ref_count + 1);

    for (size_t i = 0; i < m->ref_count; i++) {
        names[i] = m->refs[i].name;
    }
    str nearest = str_nearest(c->values[argument], names, m->ref_count);
    error_set(err, STATUS_NO_SNAPSHOT, "branch or tag \"%.*s\" does not exist",
              STR_ARG(c->values[argument]));
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
    return run_at(STATUS_NO_SNAPSHOT, c->given[argument]->position, err);
}

/* ---- fast_forward ---- */

typedef struct forward {
    const call *c;
    int64_t from, to;
} forward;

static status move_branch(void *context, ice_builder *b, error *err)
{
    forward *f = context;
    const call *c = f->c;
    const ice_metadata *m = ice_builder_now(b);
    const ice_ref *to = find_ref(m, c->values[2]), *branch = find_ref(m, c->values[1]);
    ice_ref moved = {.name = c->values[1],
                     .max_ref_age_ms = -1,
                     .max_snapshot_age_ms = -1,
                     .min_snapshots_to_keep = -1};

    if (to == NULL) {
        return call_no_ref(c, 2, m, err);
    }
    if (branch != NULL && branch->is_tag) {
        error_set(err, STATUS_INVALID, "\"%.*s\" is a tag: only branches move",
                  STR_ARG(c->values[1]));
        return run_at(STATUS_INVALID, c->given[1]->position, err);
    }
    f->from = branch != NULL ? branch->snapshot_id : ICE_NO_SNAPSHOT;
    f->to = to->snapshot_id;
    if (branch != NULL && !ice_is_ancestor(m, f->from, f->to)) {
        error_set(err, STATUS_INVALID,
                  "branch \"%.*s\" cannot be moved on to \"%.*s\": its head is no ancestor of that",
                  STR_ARG(c->values[1]), STR_ARG(c->values[2]));
        error_hint(err, "Both have snapshots of their own. CALL system.cherrypick_snapshot takes "
                        "single ones.");
        return STATUS_INVALID;
    }
    moved = branch != NULL ? *branch : moved;
    moved.snapshot_id = f->to;
    return ice_builder_set_ref(b, &moved, err);
}

status call_fast_forward(call *c, error *err)
{
    static const char *const columns[] = {"branch_updated VARCHAR", "previous_ref BIGINT",
                                          "updated_ref BIGINT"};
    forward f = {.c = c};
    buf *sql = buf_in(c->a, LIMIT_MIB);
    ice_committer committer;
    rows_sql rows;

    TRY(catalog_committer(c->r->catalog, c->table, c->a, &committer, err));
    TRY(ice_metadata_update(&committer, move_branch, &f, NULL, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    rows_text(&rows, c->values[1]);
    put_id(&rows, f.from);
    put_id(&rows, f.to);
    rows_end(&rows);
    c->r->result.snapshot_id = f.to;
    return run_constant_rows(c->r, buf_str(sql), c->last, err);
}

/* ---- cherrypick_snapshot ---- */

status call_cherrypick_snapshot(call *c, error *err)
{
    static const char *const columns[] = {"source_snapshot_id BIGINT",
                                          "current_snapshot_id BIGINT"};
    buf *sql = buf_in(c->a, LIMIT_MIB);
    int64_t source, current;
    ice_committer committer;
    rows_sql rows;

    TRY(call_take_int(c, 1, "snapshot id", &source, err));
    TRY(catalog_committer(c->r->catalog, c->table, c->a, &committer, err));
    TRY(ice_commit_pick(&committer, source, engine_summary, COUNT_OF(engine_summary), &current,
                        err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    rows_int(&rows, source);
    rows_int(&rows, current);
    rows_end(&rows);
    c->r->result.snapshot_id = current;
    return run_constant_rows(c->r, buf_str(sql), c->last, err);
}

/* ---- ancestors_of ---- */

static status put_ancestors(call *c, const ice_metadata *m, error *err)
{
    static const char *const columns[] = {"snapshot_id BIGINT", "timestamp BIGINT"};
    buf *sql = buf_in(c->a, LIMIT_WORKER_MESSAGE);
    int64_t id = m->current_snapshot_id;
    rows_sql rows;

    if (!str_is_null(c->values[1])) {
        TRY(call_take_int(c, 1, "snapshot id", &id, err));
        if (ice_metadata_snapshot_by_id(m, id) == NULL) {
            error_set(err, STATUS_NO_SNAPSHOT, "snapshot %lld does not exist", (long long)id);
            return run_at(STATUS_NO_SNAPSHOT, c->given[1]->position, err);
        }
    }
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    const ice_snapshot *s = ice_metadata_snapshot_by_id(m, id);
    for (size_t steps = 0; s != NULL && steps <= m->snapshot_count; steps++) {
        rows_int(&rows, s->id);
        rows_int(&rows, s->timestamp_ms);
        s = ice_metadata_snapshot_by_id(m, s->parent_id);
    }
    rows_end(&rows);
    TRY(buf_check(sql, "the table's history", err));
    return run_constant_rows(c->r, buf_str(sql), c->last, err);
}

status call_ancestors_of(call *c, error *err)
{
    ice_metadata *m;
    table_info info;

    TRY(catalog_load_table(c->r->catalog, c->table, c->a, &m, &info, err));
    status result = put_ancestors(c, m, err);
    ice_metadata_unref(m);
    return result;
}

/* ---- expire_snapshots ---- */

static status wrong_ids(const call *c, error *err)
{
    error_set(err, STATUS_INVALID, "snapshot_ids is no list of numbers");
    error_hint(err, "Write it as [12, 34] or ARRAY(12, 34).");
    return run_at(STATUS_INVALID, c->given[5]->position, err);
}

/* [1, 2], ARRAY[1, 2], ARRAY(1, 2) */
static status take_ids(const call *c, ice_expire *options, error *err)
{
    const token_list *list = &c->r->tokens;
    VEC(int64_t) ids = {0};

    if (str_is_null(c->values[5])) {
        return STATUS_OK;
    }
    token_range value = c->given[5]->value;
    size_t at = value.from + (token_is(list, value.from, "array") ? 1 : 0);
    if (at + 1 >= value.to || !(token_is_symbol(list, at, '[') || token_is_symbol(list, at, '('))) {
        return wrong_ids(c, err);
    }
    for (at++; at + 1 < value.to; at++) {
        int64_t id;
        if (str_to_int64(token_text(list, at), &id, NULL) != STATUS_OK) {
            return wrong_ids(c, err);
        }
        vec_push(c->a, &ids, id);
        at += at + 2 < value.to && token_is_symbol(list, at + 1, ',') ? 1 : 0;
    }
    options->ids = ids.items;
    options->id_count = ids.count;
    return STATUS_OK;
}

status call_expire_snapshots(call *c, error *err)
{
    static const char *const columns[] = {"deleted_data_files_count BIGINT",
                                          "deleted_position_delete_files_count BIGINT",
                                          "deleted_equality_delete_files_count BIGINT",
                                          "deleted_manifest_files_count BIGINT",
                                          "deleted_manifest_lists_count BIGINT",
                                          "deleted_statistics_files_count BIGINT"};
    ice_expire options = {.older_than_ms = -1, .retain_last = -1};
    buf *sql = buf_in(c->a, LIMIT_MIB);
    ice_committer committer;
    ice_expired gone;
    rows_sql rows;
    int64_t count;

    if (!str_is_null(c->values[1])) {
        TRY(call_take_time(c, 1, &options.older_than_ms, err));
    }
    if (!str_is_null(c->values[2])) {
        TRY(call_take_int(c, 2, "retain_last", &count, err));
        if (count < 1 || count > INT32_MAX) {
            return run_at(error_set(err, STATUS_INVALID, "retain_last must be 1 or more"),
                          c->given[2]->position, err);
        }
        options.retain_last = (int32_t)count;
    }
    TRY(take_ids(c, &options, err));
    TRY(catalog_committer(c->r->catalog, c->table, c->a, &committer, err));
    TRY(ice_commit_expire(&committer, &options, &gone, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    rows_int(&rows, gone.data_files);
    rows_int(&rows, gone.position_delete_files);
    rows_int(&rows, gone.equality_delete_files);
    rows_int(&rows, gone.manifests);
    rows_int(&rows, gone.manifest_lists);
    rows_int(&rows, gone.statistics_files);
    rows_end(&rows);
    return run_constant_rows(c->r, buf_str(sql), c->last, err);
}

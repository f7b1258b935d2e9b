/* Branches: which one a changing statement writes, and SET branch. Reading them is travel.c's. */
#include "run/insert.h"
#include "run/travel.h"

/* "t", or "t.branch_x" where no table is called so; *ret_part is the last part of the latter. */
static status resolve(run *r, const statement *st, arena *a, table_name *ret_name, str *ret_part,
                      error *err)
{
    const statement_name *name = &st->name;
    str last = name->parts[name->count - 1];
    status result =
        catalog_resolve(r->catalog, name->parts, name->count, r->space, a, ret_name, err);

    *ret_part = STR_NULL;
    if ((result != STATUS_NO_TABLE && result != STATUS_NO_NAMESPACE) || name->count < 2 ||
        !travel_is_ref_name(last) ||
        catalog_resolve(r->catalog, name->parts, name->count - 1, r->space, a, ret_name, NULL) !=
            STATUS_OK) {
        return result;
    }
    if (err != NULL) {
        error_clear(err);
    }
    *ret_part = last;
    return STATUS_OK;
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

static status no_branch(const insert_target *t, bool is_set, error *err)
{
    error_set(err, STATUS_NO_SNAPSHOT, "table \"%.*s.%.*s\" has no branch \"%.*s\"",
              STR_ARG(t->name.space), STR_ARG(t->name.table), STR_ARG(t->branch));
    error_hint(err, "ALTER TABLE %.*s CREATE BRANCH %.*s makes it%s.", STR_ARG(t->name.table),
               STR_ARG(t->branch), is_set ? "; RESET branch goes back to \"main\"" : "");
    return STATUS_NO_SNAPSHOT;
}

static status find_head(const run *r, insert_target *t, str part, error *err)
{
    const ice_metadata *m = t->metadata;
    str prefix = STR("branch_");

    t->branch = r->branch;
    t->head = ice_metadata_snapshot(m);
    t->by_branch = !str_is_null(part);
    if (t->by_branch) {
        if (!str_equal_nocase(str_slice(part, 0, prefix.size), prefix)) {
            error_set(err, STATUS_INVALID, "\"%.*s\" is a tag: nothing is written to it",
                      STR_ARG(part));
            error_hint(err, "A branch can be written: ALTER TABLE … CREATE BRANCH ….");
            return STATUS_INVALID;
        }
        t->branch = str_slice(part, prefix.size, part.size);
    }
    if (str_is_null(t->branch) || str_equal(t->branch, STR("main"))) {
        t->branch = STR_NULL;
        return STATUS_OK;
    }
    const ice_ref *ref = find_ref(m, t->branch);
    if (ref == NULL) {
        return no_branch(t, !t->by_branch, err);
    }
    if (ref->is_tag) {
        return error_set(err, STATUS_INVALID, "\"%.*s\" is a tag: nothing is written to it",
                         STR_ARG(t->branch));
    }
    t->head = ice_metadata_snapshot_by_id(m, ref->snapshot_id);
    return STATUS_OK;
}

status insert_load(run *r, const statement *st, arena *a, insert_target *t, error *err)
{
    table_info info;
    str part;

    TRY(run_at(resolve(r, st, a, &t->name, &part, err), st->name.position, err));
    TRY(run_check_access(r, ACTION_TABLE_WRITE, t->name.space, t->name.table, err));
    TRY(catalog_load_table(r->catalog, t->name, a, &t->metadata, &info, err));
    t->root = ice_metadata_schema(t->metadata)->root;
    status result = run_at(find_head(r, t, part, err), st->name.position, err);
    if (result != STATUS_OK) {
        ice_metadata_unref(t->metadata);
        t->metadata = NULL;
    }
    return result;
}

/* Whether a table has the branch is seen when it is used: those that have not are read as they are. */
status run_set_branch(run *r, const statement *st, bool last, arena *a, error *err)
{
    (void)a;
    r->branch = str_is_null(st->branch) || str_equal(st->branch, STR("main"))
                    ? STR_NULL
                    : str_copy(r->a, st->branch);
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* DELETE and TRUNCATE.
 *
 *   1. Files whose every row the metadata proves to match leave without being read, where the condition has an exact
 *      expression (plan_exact.c) and no file matches in part.
 *   2. Else rows are noted and files written anew without them (change.h). */
#include "run/change.h"
#include "sql/plan.h"

/* DELETE FROM t AS a USING u WHERE c: SELECT file, row FROM t AS a, u WHERE (c). */
static void make_form(row_change *c)
{
    const statement *st = c->st;

    form_with(c, "");
    FORM_TEXT(c, "SELECT %.*s." QUERY_FILE ", %.*s." QUERY_ROW " FROM ", STR_ARG(c->alias),
              STR_ARG(c->alias));
    form_table(c);
    if (st->source_items.from < st->source_items.to) {
        FORM_TEXT(c, ", ");
        form_script(c, st->source_items);
    }
    if (st->where.from < st->where.to) {
        FORM_TEXT(c, " WHERE (");
        form_script(c, st->where);
        FORM_TEXT(c, "\n)");
    }
}

/* The condition as an expression; false where it has none. NULL: all rows. */
static status exact_filter(row_change *c, const ice_expr **ret_filter, bool *ret_exact, error *err)
{
    str tree, own_name = c->st->name.parts[c->st->name.count - 1];

    *ret_filter = NULL;
    *ret_exact =
        c->st->source_items.from == c->st->source_items.to && c->st->with.from == c->st->with.to;
    if (!*ret_exact || c->st->where.from == c->st->where.to) {
        return STATUS_OK;
    }
    TRY(worker_pure(c->r->w, STR(SERIALIZE_SQL), c->q.text.text, &c->r->cancel, c->a, &tree, err));
    *ret_filter = plan_exact_condition(tree, c->table->schema, own_name, c->st->alias, c->a);
    *ret_exact = *ret_filter != NULL;
    return STATUS_OK;
}

static status by_metadata(row_change *c, bool *ret_done, error *err)
{
    const ice_metadata *m = c->table->metadata;
    ice_scan_options options = {.metadata = m,
                                .snapshot_id =
                                    c->target.head != NULL ? c->target.head->id : ICE_NO_SNAPSHOT};
    ice_scan scan;
    bool exact;

    *ret_done = false;
    TRY(exact_filter(c, &options.filter, &exact, err));
    if (!exact) {
        return STATUS_OK;
    }
    c->change.filter = options.filter;
    TRY(ice_scan_plan(c->r->e->options.storage, &options, c->a, &scan, err));
    for (size_t i = 0; i < scan.file_count; i++) {
        if (!ice_file_must_match(&scan.files[i], m, options.filter)) {
            c->row_count = 0;
            return STATUS_OK;
        }
        c->row_count += scan.files[i].record_count;
    }
    c->change.kind = ICE_OVERWRITE_FILTER;
    c->r->result.stats.files_total += scan.total_files;
    c->whole = true;
    c->whole_count = scan.file_count;
    *ret_done = scan.delete_count == 0; /* else it must be counted how many rows are left */
    c->row_count = *ret_done ? c->row_count : 0;
    return STATUS_OK;
}

static status delete_rows(row_change *c, bool last, error *err)
{
    bool done;

    make_form(c);
    TRY(change_analyse(c, NULL, err));
    done = false;
    TRY(change_returns(c) ? STATUS_OK : by_metadata(c, &done, err));
    if (!done) {
        TRY(change_by_rows(c, err));
    }
    return change_commit(c, last, err);
}

status run_delete(run *r, const statement *st, bool last, arena *a, error *err)
{
    row_change c = {.r = r, .st = st, .a = a, .operation = "delete"};

    return change_run(&c, delete_rows, last, err);
}

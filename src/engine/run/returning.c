/* The list of RETURNING, evaluated over temporary tables of the statement's rows before its commit, sent after it. */
#include "run/returning.h"
#include "run/report.h"

#include "tarn/base/limits.h"

#define ANSWER "\"#answer\""
#define INSERTED "\"#inserted\""
#define ROWS "\"#returned\""
#define ACTIONS "\"#actions\""

static bool is_merge(const statement *st)
{
    return st->kind == STATEMENT_MERGE;
}

/* In MERGE a star of its own means the table's columns, not merge_action, which stands in a relation beside it. */
static void edit_stars(const run *r, const statement *st, str alias, arena *a, edit_list *edits)
{
    const token_list *list = &r->tokens;
    size_t depth = 0;

    for (size_t i = st->returning.from; i < st->returning.to; i++) {
        bool begins = depth == 0 && (i == st->returning.from || token_is_symbol(list, i - 1, ','));

        if (begins && token_is_symbol(list, i, '*')) {
            edit change = {.from = list->items[i].from,
                           .to = list->items[i].from,
                           .text = str_concat(a, alias, STR("."))};
            vec_push(a, edits, change);
        }
        depth += token_is_symbol(list, i, '(') ? 1 : 0;
        depth -= depth > 0 && token_is_symbol(list, i, ')') ? 1 : 0;
    }
}

status returning_analyse(run *r, const statement *st, const insert_target *t, arena *a,
                         returning *ret_list, error *err)
{
    const token *items = r->tokens.items;
    size_t from = items[st->returning.from].from, to = items[st->returning.to - 1].to;
    edit_piece *pieces = ARENA_ARRAY(a, edit_piece, 3);
    buf *alias = buf_in(a, LIMIT_MIB);
    edit_list stars = {0};
    query_form form = {.range = st->returning, .edits = &stars, .pieces = pieces, .piece_count = 3};

    sql_quote_name(alias, str_is_null(st->alias) ? t->name.table : st->alias);
    *ret_list = (returning){.r = r, .st = st, .alias = buf_str(alias)};
    if (is_merge(st)) {
        edit_stars(r, st, ret_list->alias, a, &stars);
    }
    pieces[0] = (edit_piece){.from = from, .to = from, .text = STR("SELECT ")};
    pieces[1] = (edit_piece){.from = from, .to = to, .text = STR_NULL};
    pieces[2] = (edit_piece){
        .from = to,
        .to = to,
        .text = str_printf(a, " FROM (SELECT NULL) AS %.*s", STR_ARG(ret_list->alias))};
    TRY(query_analyse_form(r, &form, a, &ret_list->q, err));
    if (ret_list->q.tables.count > 0 || ret_list->q.extra_sql != NULL ||
        ret_list->q.metadata_count > 0) {
        error_set(err, STATUS_UNSUPPORTED, "a subquery in RETURNING is not supported");
        error_hint(err, "Ask for it with a SELECT of its own.");
        return run_at(STATUS_UNSUPPORTED, from, err);
    }
    return STATUS_OK;
}

/* The list between two texts; runs it. */
static status run_list(const returning *list, str before, str behind, error *err)
{
    run *r = list->r;
    const token *items = r->tokens.items;
    token_range range = list->st->returning;
    size_t from = items[range.from].from, to = items[range.to - 1].to;
    const edit_piece pieces[] = {{.from = from, .to = from, .text = before},
                                 {.from = from, .to = to, .text = STR_NULL},
                                 {.from = to, .to = to, .text = behind}};
    edited text;

    TRY(edit_arrange(r->tokens.sql, pieces, COUNT_OF(pieces), &list->q.edits, list->q.a, &text,
                     err));
    status result = worker_exec(r->w, text.text, &r->cancel, err);
    if (result != STATUS_OK) {
        edit_place_error(&text, 0, err);
    }
    return result;
}

status returning_answer(const returning *list, str rows_sql, error *err)
{
    static const char make[] = "CREATE OR REPLACE TEMP TABLE " ANSWER " AS SELECT ";
    run *r = list->r;
    arena *a = list->q.a;
    str t = list->alias;

    TRY(worker_exec(
        r->w, str_printf(a, "CREATE OR REPLACE TEMP TABLE " ROWS " AS %.*s", STR_ARG(rows_sql)),
        &r->cancel, err));
    if (is_merge(list->st)) { /* its list was bound with the statement (change.c) */
        return run_list(list, str_c(make),
                        str_printf(a,
                                   " FROM (SELECT * EXCLUDE (\"#action\") FROM " ROWS
                                   ") AS %.*s POSITIONAL JOIN (SELECT \"#action\" AS "
                                   "merge_action FROM " ROWS ") AS " ACTIONS,
                                   STR_ARG(t)),
                        err);
    }
    TRY(run_list(list, str_printf(a, "EXPLAIN DELETE FROM " ROWS " AS %.*s RETURNING ", STR_ARG(t)),
                 STR(""), err));
    return run_list(list, str_c(make), str_printf(a, " FROM " ROWS " AS %.*s", STR_ARG(t)), err);
}

status returning_send(run *r, bool last, int64_t changed_rows, int64_t snapshot_id, error *err)
{
    worker_query_result rows;
    worker_query_options options = {.sql = STR("SELECT * FROM " ANSWER),
                                    .format = r->request->format,
                                    .rows_max = run_rows_max(r)};

    if (r->report != NULL) {
        r->report->changed_rows = changed_rows;
    }

    if (!last) {
        return STATUS_OK;
    }
    r->result.changed_rows = changed_rows;
    r->result.snapshot_id = snapshot_id;
    TRY(worker_query(r->w, &options, r->sink, &r->cancel, &rows, err));
    r->answered = true;
    r->result.has_rows = true;
    r->result.row_count = rows.row_count;
    r->result.is_cut = rows.is_cut;
    return STATUS_OK;
}

/* ---- INSERT ---- */

status returning_note(run *r, str source_sql, size_t column_count, arena *a, str *ret_source_sql,
                      error *err)
{
    buf *sql = buf_in(a, LIMIT_WORKER_MESSAGE);

    buf_add_c(sql, RETURNING_NOTE);
    buf_add_str(sql, source_sql);
    buf_add_c(sql, "\n) AS tarn_rows(");
    for (size_t i = 0; i < column_count; i++) {
        buf_printf(sql, "%sc%zu", i > 0 ? ", " : "", i);
    }
    buf_add_char(sql, ')');
    TRY(buf_check(sql, "the statement", err));
    *ret_source_sql = STR("SELECT * FROM " INSERTED);
    return worker_exec(r->w, buf_str(sql), &r->cancel, err);
}

status returning_noted_rows(const ice_type *root, arena *a, str *ret_sql, error *err)
{
    buf *sql = buf_in(a, LIMIT_WORKER_MESSAGE);

    buf_add_c(sql, "SELECT ");
    for (size_t i = 0; i < root->field_count; i++) {
        buf_printf(sql, "%sc%zu AS ", i > 0 ? ", " : "", i);
        sql_quote_name(sql, root->fields[i].name);
    }
    buf_add_c(sql, " FROM " INSERTED);
    *ret_sql = buf_str(sql);
    return buf_check(sql, "the table's columns", err);
}

void returning_forget(run *r, const statement *st)
{
    if (st->returning.from < st->returning.to && r->w != NULL) {
        (void)worker_exec(r->w,
                          STR("DROP TABLE IF EXISTS temp." INSERTED
                              "; DROP TABLE IF EXISTS temp." ROWS
                              "; DROP TABLE IF EXISTS temp." ANSWER),
                          NULL, NULL);
    }
}

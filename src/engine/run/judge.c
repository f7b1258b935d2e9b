/* DuckDB's parser over whole statements that tarn parses itself: what tarn accepts must also parse there.
 *
 * The statement goes as it stands, but for what is tarn's own language (PARTITIONED BY, WITH, LOCATION, COMMENT, USING,
 * INTO TABLE, OVERWRITE) and for the table's name, which may have more parts than DuckDB's grammar takes. A source that
 * is a query is left out: it is serialised by itself (query.c), and one that does not parse alone as one SELECT is
 * refused there.
 *
 * Parsing is all that is wanted: binding takes a hundred times as long, and makes nothing of VALUES that the write
 * itself does not find. DuckDB parses a text with several statements whole before it runs the first one; here that is
 * one that cannot run, so its failure says that all of the text parsed. */
#include "run/query.h"
#include "run/table.h"
#include "tarn/base/limits.h"

#define NOWHERE "tarn_parses"

static const char never[] = "FROM " NOWHERE ";\n";

static void cut(run *r, size_t from, size_t to, const char *instead, arena *a, edit_list *edits)
{
    const token_list *list = &r->tokens;

    if (from < to) {
        edit change = {
            .from = list->items[from].from, .to = list->items[to - 1].to, .text = str_c(instead)};
        vec_push(a, edits, change);
    }
}

static size_t token_at(const run *r, const statement *st, size_t position)
{
    size_t i = st->tokens.from;

    while (i < st->tokens.to && r->tokens.items[i].from < position) {
        i++;
    }
    return i;
}

/* Behind the bracket of columns that opens at `at`. COMMENT 'text' behind a column's name and type is cut. */
static size_t skip_columns(run *r, const statement *st, size_t at, arena *a, edit_list *edits)
{
    const token_list *list = &r->tokens;
    size_t depth = 0;

    for (; at < st->tokens.to; at++) {
        bool begins =
            at > 0 && (token_is_symbol(list, at - 1, ',') || token_is_symbol(list, at - 1, '('));

        if (token_is_symbol(list, at, '(')) {
            depth++;
        } else if (token_is_symbol(list, at, ')') && --depth == 0) {
            return at + 1;
        } else if (depth == 1 && !begins && token_is(list, at, "comment") &&
                   at + 1 < st->tokens.to && list->items[at + 1].kind == TOKEN_TEXT) {
            cut(r, at, at + 2, "", a, edits);
        }
    }
    return at;
}

static void edit_create(run *r, const statement *st, size_t behind_name, arena *a, edit_list *edits)
{
    if (st->kind == STATEMENT_CREATE_TABLE_AS) { /* everything before AS is options */
        cut(r, behind_name, st->body.from - 1, "", a, edits);
        return;
    }
    cut(r, skip_columns(r, st, behind_name, a, edits), st->tokens.to, "", a, edits);
}

status run_judge_text(run *r, const edited *text, arena *a, error *err)
{
    error found = ERROR_INIT;
    worker *w;

    TRY(run_worker(r, &w, err));
    status result = worker_exec(w, str_concat(a, str_c(never), text->text), &r->cancel, &found);
    if (result == STATUS_NO_TABLE) {
        return STATUS_OK;
    }
    if (result == STATUS_OK) {
        result = error_set(&found, STATUS_INTERNAL, "a statement ran that was only to be parsed");
    }
    edit_place_error(text, sizeof(never) - 1, &found);
    *err = found;
    return result;
}

status run_judge(run *r, const statement *st, arena *a, error *err)
{
    return run_judge_edited(r, st, NULL, a, err);
}

status run_judge_edited(run *r, const statement *st, const edit_list *more, arena *a, error *err)
{
    const token_list *list = &r->tokens;
    size_t name = token_at(r, st, st->name.position);
    size_t behind_name =
        st->partition_count > 0 ? st->partition_end : name + 2 * st->name.count - 1;
    bool is_query = st->body.to > st->body.from &&
                    (st->kind == STATEMENT_CREATE_TABLE_AS || st->source == INSERT_SELECT);
    edit_list edits = {0};
    edited text;

    for (size_t i = 0; more != NULL && i < more->count; i++) {
        vec_push(a, &edits, more->items[i]);
    }
    if (st->kind == STATEMENT_INSERT) {
        cut(r, st->verb + 1, name, "INTO", a, &edits);
    }
    cut(r, name, behind_name, NOWHERE, a, &edits);
    if (st->kind != STATEMENT_INSERT) {
        edit_create(r, st, behind_name, a, &edits);
    }
    if (is_query) {
        cut(r, st->body.from, st->body.to, "SELECT 1", a, &edits);
    }
    TRY(edit_apply(list->sql, list->items[st->tokens.from].from, list->items[st->tokens.to - 1].to,
                   &edits, a, &text, err));
    return run_judge_text(r, &text, a, err);
}

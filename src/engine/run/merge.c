/* UPDATE and MERGE as one SELECT of changes (change.h).
 *
 *   UPDATE t SET … FROM u WHERE w:
 *     SELECT place of t, new row FROM t, u WHERE (w)
 *   MERGE INTO t USING s ON c WHEN …:
 *     WITH "#source" AS MATERIALIZED (SELECT *, a number FROM s),
 *          "#pairs" AS MATERIALIZED (SELECT place of t, number of s, new row FROM t JOIN "#source" AS s ON (c))
 *     SELECT place, new row FROM "#pairs"
 *     UNION ALL new rows FROM "#source" AS s without a pair
 *     UNION ALL place of t, new row FROM t without a pair
 *
 * So the source is evaluated once, and so is each match; a branch for rows of one side sees that side's columns alone,
 * as in DuckDB. */
#include "run/change.h"
#include "tarn/base/limits.h"

/* ---- UPDATE ---- */

static status make_update(row_change *c, error *err)
{
    const statement *st = c->st;
    change_branch branch = {.action = BRANCH_UPDATE};

    TRY(change_values(c, st->branches[0].sets, st->branches[0].set_count, false, &branch.values,
                      err));
    form_with(c, "");
    FORM_TEXT(c, "SELECT %.*s." QUERY_FILE ", %.*s." QUERY_ROW ", ", STR_ARG(c->alias),
              STR_ARG(c->alias));
    form_branches(c, &branch, 1);
    FORM_TEXT(c, " FROM ");
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
    return STATUS_OK;
}

/* ---- MERGE ---- */

static void put_match(row_change *c, const change_merge *merge)
{
    const statement *st = c->st;

    FORM_TEXT(c, " JOIN \"#source\" AS %.*s ", STR_ARG(merge->source));
    if (!str_is_null(merge->on)) {
        FORM_TEXT(c, "ON %.*s", STR_ARG(merge->on));
    } else if (st->on_columns) {
        FORM_TEXT(c, "USING ");
        form_script(c, st->on);
    } else {
        FORM_TEXT(c, "ON (");
        form_script(c, st->on);
        FORM_TEXT(c, "\n)");
    }
}

void form_merge(row_change *c, const change_merge *merge)
{
    str t = c->alias, s = merge->source;

    FORM_TEXT(c,
              ", \"#pairs\" AS MATERIALIZED (SELECT %.*s." QUERY_FILE ", %.*s." QUERY_ROW
              ", %.*s.\"#n\", ",
              STR_ARG(t), STR_ARG(t), STR_ARG(s));
    form_branches(c, merge->branches[BRANCH_MATCHED], merge->counts[BRANCH_MATCHED]);
    FORM_TEXT(c, " FROM ");
    form_table(c);
    put_match(c, merge);
    FORM_TEXT(c, ") SELECT * FROM (SELECT " QUERY_FILE ", " QUERY_ROW ", \"#new\" FROM \"#pairs\"");
    if (merge->counts[BRANCH_NO_TARGET] > 0) {
        FORM_TEXT(c, " UNION ALL (SELECT NULL, NULL, ");
        form_branches(c, merge->branches[BRANCH_NO_TARGET], merge->counts[BRANCH_NO_TARGET]);
        FORM_TEXT(c,
                  " FROM \"#source\" AS %.*s ANTI JOIN \"#pairs\" AS \"#p\" ON "
                  "%.*s.\"#n\" = \"#p\".\"#n\"%.*s)",
                  STR_ARG(s), STR_ARG(s), STR_ARG(merge->tail));
    }
    if (merge->counts[BRANCH_NO_SOURCE] > 0) {
        FORM_TEXT(c, " UNION ALL (SELECT %.*s." QUERY_FILE ", %.*s." QUERY_ROW ", ", STR_ARG(t),
                  STR_ARG(t));
        form_branches(c, merge->branches[BRANCH_NO_SOURCE], merge->counts[BRANCH_NO_SOURCE]);
        FORM_TEXT(c, " FROM ");
        form_table(c);
        FORM_TEXT(c,
                  " ANTI JOIN \"#pairs\" AS \"#p\" ON %.*s." QUERY_FILE " = \"#p\"." QUERY_FILE
                  " AND %.*s." QUERY_ROW " = \"#p\"." QUERY_ROW ")",
                  STR_ARG(t), STR_ARG(t));
    }
    FORM_TEXT(c, ") WHERE \"#new\" IS NOT NULL");
}

typedef struct merge_source {
    str alias; /* quoted */
    const str *names;
    size_t count;
    bool described;
} merge_source;

/* (a JOIN b …) AS s: DuckDB's MERGE finds s only as that of a query. */
static void edit_join(const row_change *c, edit_list *edits)
{
    const token *items = c->r->tokens.items;
    token_range join = c->st->source_join;

    if (join.from < join.to) {
        size_t from = items[join.from].from, to = items[join.to - 1].to;
        vec_push(c->a, edits, ((edit){.from = from, .to = from, .text = STR("(SELECT * FROM ")}));
        vec_push(c->a, edits, ((edit){.from = to, .to = to, .text = STR(")")}));
    }
}

/* Columns of the source, for those branches that take them all. */
static status describe_source(row_change *c, merge_source *source, error *err)
{
    const statement *st = c->st;
    const token *items = c->r->tokens.items;
    bool has_with = st->with.from < st->with.to;
    token_range first = has_with ? st->with : st->source_items;
    edit_list edits = {0};
    edit_piece pieces[] = {
        {.from = items[first.from].from,
         .text = !has_with            ? STR("")
                 : st->with_recursive ? STR("WITH RECURSIVE ")
                                      : STR("WITH ")},
        {.from = items[first.from].from,
         .to = has_with ? items[first.to - 1].to : items[first.from].from,
         .text = STR_NULL},
        {.from = items[st->source_items.from].from, .text = STR(" SELECT * FROM ")},
        {.from = items[st->source_items.from].from,
         .to = items[st->source_items.to - 1].to,
         .text = STR_NULL}};
    query_form form = {.range = {.from = first.from, .to = st->source_items.to},
                       .edits = &edits,
                       .pieces = pieces,
                       .piece_count = COUNT_OF(pieces)};
    const json *rows;
    query q;

    edit_join(c, &edits);
    TRY(query_analyse_form(c->r, &form, c->a, &q, err));
    status result = query_open(&q, false, err);
    if (result == STATUS_OK) {
        result = insert_describe(&q, c->a, &rows, err);
    }
    query_close(&q);
    TRY(result);
    str *names = ARENA_ARRAY(c->a, str, json_count(rows) + 1);
    source->count = json_count(rows);
    for (size_t i = 0; i < source->count; i++) {
        names[i] = str_copy(c->a, json_str_or(json_at(json_at(rows, i), 0), STR("")));
    }
    source->names = names;
    source->described = true;
    return STATUS_OK;
}

/* UPDATE SET *, INSERT *: by place, or by name. */
static status take_all(row_change *c, const statement_branch *branch, merge_source *source,
                       const column_value **ret_values, error *err)
{
    const ice_type *root = c->target.root;
    const column_value *none;

    if (!source->described) {
        TRY(describe_source(c, source, err));
    }
    TRY(change_values(c, NULL, 0, branch->action == BRANCH_INSERT, &none, err));
    column_value *values = ARENA_ARRAY(c->a, column_value, root->field_count + 1);
    memcpy(values, none, root->field_count * sizeof(*values));
    if (!branch->by_name && source->count != root->field_count) {
        return error_set(err, STATUS_WRONG_TYPE,
                         "table \"%.*s.%.*s\": %zu column%s expected, but the source has %zu",
                         STR_ARG(c->target.name.space), STR_ARG(c->target.name.table),
                         root->field_count, root->field_count == 1 ? "" : "s", source->count);
    }
    for (size_t i = 0; i < source->count; i++) {
        size_t column = branch->by_name ? insert_find_column(root, source->names[i]) : i;
        if (column == root->field_count) {
            return insert_no_column(&c->target, source->names[i], c->a, err);
        }
        buf *text = buf_in(c->a, LIMIT_MIB);
        buf_printf(text, "%.*s.", STR_ARG(source->alias));
        sql_quote_name(text, source->names[i]);
        values[column] = (column_value){.kind = VALUE_SOURCE, .source = buf_str(text)};
    }
    *ret_values = values;
    return STATUS_OK;
}

/* Columns without a default that an INSERT leaves out. */
static status check_insert(row_change *c, const column_value *values, error *err)
{
    size_t count = c->target.root->field_count;

    c->target.columns = ARENA_ARRAY(c->a, source_column, count + 1);
    for (size_t i = 0; i < count; i++) {
        c->target.columns[i] =
            (source_column){.number = values[i].kind == VALUE_DEFAULT ? SIZE_MAX : i,
                            .field = &c->target.root->fields[i]};
    }
    return insert_check_required(&c->target, err);
}

static status make_branch(row_change *c, const statement_branch *given, merge_source *source,
                          change_branch *ret_branch, error *err)
{
    change_branch branch = {.action = given->action, .condition = given->condition};
    bool is_insert = given->action == BRANCH_INSERT;

    if (given->all) {
        TRY(run_at(take_all(c, given, source, &branch.values, err), given->position, err));
    } else if (is_insert || given->action == BRANCH_UPDATE) {
        TRY(change_values(c, given->sets, given->set_count, is_insert, &branch.values, err));
    }
    if (is_insert) {
        TRY(run_at(check_insert(c, branch.values, err), given->position, err));
    }
    *ret_branch = branch;
    return STATUS_OK;
}

static status make_merge(row_change *c, error *err)
{
    const statement *st = c->st;
    buf *alias = buf_in(c->a, LIMIT_MIB);
    change_merge merge = {.on = STR_NULL, .tail = STR("")};
    merge_source source = {0};

    sql_quote_name(alias, st->source_alias);
    source.alias = merge.source = buf_str(alias);
    for (size_t match = 0; match < COUNT_OF(merge.branches); match++) {
        change_branch *list = ARENA_ARRAY(c->a, change_branch, st->branch_count);
        for (size_t i = 0; i < st->branch_count; i++) {
            if (st->branches[i].match == (branch_match)match) {
                TRY(make_branch(c, &st->branches[i], &source, &list[merge.counts[match]], err));
                merge.counts[match]++;
            }
        }
        merge.branches[match] = list;
    }
    form_with(c, "\"#source\" AS MATERIALIZED (SELECT *, row_number() OVER () AS \"#n\" FROM ");
    form_script(c, st->source_items);
    FORM_TEXT(c, ")");
    form_merge(c, &merge);
    return STATUS_OK;
}

/* ---- both ---- */

static status change_rows(row_change *c, bool last, error *err)
{
    edit_list edits = {0};

    TRY(c->st->kind == STATEMENT_UPDATE ? make_update(c, err) : make_merge(c, err));
    edit_join(c, &edits);
    TRY(change_analyse(c, &edits, err));
    TRY(change_by_rows(c, err));
    return change_commit(c, last, err);
}

static status run_rows(run *r, const statement *st, const char *operation, token_range match,
                       bool last, arena *a, error *err)
{
    row_change c = {.r = r,
                    .st = st,
                    .a = a,
                    .operation = operation,
                    .has_rows = true,
                    .once = true,
                    .match = match};

    return change_run(&c, change_rows, last, err);
}

status run_update(run *r, const statement *st, bool last, arena *a, error *err)
{
    return run_rows(r, st, "update", st->where, last, a, err);
}

status run_merge(run *r, const statement *st, bool last, arena *a, error *err)
{
    return run_rows(r, st, "merge", st->on, last, a, err);
}

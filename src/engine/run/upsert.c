/* INSERT … ON CONFLICT, INSERT OR REPLACE, INSERT OR IGNORE: a MERGE (change.h) of the source's rows, matched by the
 * columns that the statement names, or else the table's identifier fields.
 *
 * The source's rows are one column "excluded" each, a struct: so EXCLUDED.a is found in there, and a alone in the
 * table. NULL in a key matches nothing. Nothing else keeps keys apart: rows that share one are all changed. */
#include "run/change.h"
#include "run/table.h"
#include "tarn/base/limits.h"

#define SOURCE "\"#merged\""

/* ---- the key ---- */

static status identifier_keys(row_change *c, size_t *keys, error *err)
{
    const ice_schema *schema = ice_metadata_schema(c->target.metadata);

    for (size_t i = 0; i < schema->root->field_count; i++) {
        for (size_t k = 0; k < schema->identifier_count; k++) {
            if (schema->identifier_ids[k] == schema->root->fields[i].id) {
                keys[c->key_count++] = i;
            }
        }
    }
    if (c->key_count > 0 && c->key_count == schema->identifier_count) {
        return STATUS_OK;
    }
    error_set(err, STATUS_INVALID,
              c->key_count == 0
                  ? "table \"%.*s.%.*s\" has no identifier fields that tell rows apart"
                  : "identifier fields of table \"%.*s.%.*s\" lie inside of columns",
              STR_ARG(c->target.name.space), STR_ARG(c->target.name.table));
    error_hint(err, "Name the columns, ON CONFLICT (column) DO …, or set them for the table: ALTER "
                    "TABLE … SET IDENTIFIER FIELDS column.");
    return run_at(STATUS_INVALID, c->st->name.position, err);
}

static status find_keys(row_change *c, error *err)
{
    const statement *st = c->st;
    size_t *keys = ARENA_ARRAY(c->a, size_t, c->target.root->field_count + st->conflict_count + 1);

    c->keys = keys;
    for (size_t i = 0; i < st->conflict_count; i++) {
        size_t column = insert_find_column(c->target.root, st->conflict_columns[i]);
        if (column == c->target.root->field_count) {
            return run_at(insert_no_column(&c->target, st->conflict_columns[i], c->a, err),
                          st->conflict_positions[i], err);
        }
        keys[c->key_count++] = column;
    }
    return c->key_count > 0 ? STATUS_OK : identifier_keys(c, keys, err);
}

/* ---- the source ---- */

/* Which of its columns goes where; the edits that its VALUES need. */
static status map_source(row_change *c, edit_list *edits, error *err)
{
    const statement *st = c->st;
    edit_list values = {0};
    bool rows_only = true, literal;
    const json *rows;
    query q;

    TRY(run_at(insert_map_columns(&c->target, st, c->a, err), st->name.position, err));
    if (st->source == INSERT_DEFAULT_VALUES) {
        c->target.source_count = 1;
        return STATUS_OK;
    }
    if (st->source == INSERT_VALUES) {
        TRY(insert_edit_values(c->r, st, &c->target, c->a, &values, &rows_only, &literal, err));
        if (rows_only) {
            *edits = values;
            return STATUS_OK;
        }
    }
    TRY(insert_analyse_source(c->r, st, NULL, c->a, &q, err));
    status result = query_open(&q, false, err);
    if (result == STATUS_OK) {
        result = insert_describe(&q, c->a, &rows, err);
    }
    query_close(&q);
    TRY(result);
    return run_at(insert_map_described(&c->target, st, rows, c->a, err),
                  c->r->tokens.items[st->body.from].from, err);
}

/* WITH "#source" AS (…): a struct of the table's columns, and a number. */
static void put_source(row_change *c)
{
    const ice_type *root = c->target.root;
    const char *separator = "";

    FORM_TEXT(
        c, "WITH \"#source\" AS MATERIALIZED (SELECT {"); /* the statement's WITH is the source's */
    for (size_t i = 0; i < root->field_count; i++) {
        buf *value = buf_in(c->a, LIMIT_MIB), *name = buf_in(c->a, LIMIT_MIB);
        if (!write_is_stored(&root->fields[i])) {
            continue;
        }
        if (c->target.columns[i].number == SIZE_MAX) {
            engine_default_sql(&root->fields[i], c->a, value);
        } else {
            buf_printf(value, "tarn_s%zu", c->target.columns[i].number);
        }
        buf_add_c(value, " AS ");
        engine_duckdb_type(root->fields[i].type, value);
        sql_quote_text(name, root->fields[i].name);
        FORM_TEXT(c, "%s%.*s: CAST(%.*s)", separator, STR_ARG(buf_str(name)),
                  STR_ARG(buf_str(value)));
        separator = ", ";
    }
    FORM_TEXT(c, "} AS excluded, row_number() OVER () AS \"#n\" FROM (");
    if (c->st->source == INSERT_DEFAULT_VALUES) {
        FORM_TEXT(c, "SELECT 1");
    } else {
        form_source(c);
    }
    FORM_TEXT(c, "\n) AS tarn_source(");
    for (size_t i = 0; i < c->target.source_count; i++) {
        FORM_TEXT(c, "%starn_s%zu", i > 0 ? ", " : "", i);
    }
    FORM_TEXT(c, "))");
}

static str excluded(const row_change *c, size_t column)
{
    buf *text = buf_in(c->a, LIMIT_MIB);

    buf_add_c(text, "struct_extract(" SOURCE ".excluded, ");
    sql_quote_text(text, c->target.root->fields[column].name);
    buf_add_char(text, ')');
    return buf_str(text);
}

/* ---- what becomes of rows ---- */

/* All columns (of an INSERT), or those that the source gives. */
static status take_source(row_change *c, bool is_insert, const column_value **ret_values,
                          error *err)
{
    size_t count = c->target.root->field_count;
    column_value *values = ARENA_ARRAY(c->a, column_value, count + 1);
    const column_value *none;

    TRY(change_values(c, NULL, 0, false, &none, err));
    memcpy(values, none, count * sizeof(*values));
    for (size_t i = 0; i < count; i++) {
        if ((is_insert || c->target.columns[i].number != SIZE_MAX) &&
            write_is_stored(&c->target.root->fields[i])) {
            values[i] = (column_value){.kind = VALUE_SOURCE, .source = excluded(c, i)};
        }
    }
    *ret_values = values;
    return STATUS_OK;
}

static str match_condition(const row_change *c)
{
    buf *text = buf_in(c->a, LIMIT_WORKER_MESSAGE);

    for (size_t i = 0; i < c->key_count; i++) {
        buf_printf(text, "%s%.*s.", i > 0 ? " AND " : "", STR_ARG(c->alias));
        sql_quote_name(text, c->target.root->fields[c->keys[i]].name);
        buf_printf(text, " = %.*s", STR_ARG(excluded(c, c->keys[i])));
    }
    return buf_str(text);
}

/* DO NOTHING keeps the first of several new rows with one key. */
static str first_of_each(const row_change *c)
{
    buf *text = buf_in(c->a, LIMIT_WORKER_MESSAGE);

    buf_add_c(text, " QUALIFY ");
    for (size_t i = 0; i < c->key_count; i++) {
        buf_printf(text, "%.*s IS NULL OR ", STR_ARG(excluded(c, c->keys[i])));
    }
    buf_add_c(text, "row_number() OVER (PARTITION BY ");
    for (size_t i = 0; i < c->key_count; i++) {
        buf_printf(text, "%s%.*s", i > 0 ? ", " : "", STR_ARG(excluded(c, c->keys[i])));
    }
    buf_add_c(text, " ORDER BY " SOURCE ".\"#n\") = 1");
    return buf_str(text);
}

static status make_form(row_change *c, error *err)
{
    const statement_branch *given = &c->st->branches[0];
    change_branch matched = {.action = given->action, .condition = given->condition};
    change_branch missing = {.action = BRANCH_INSERT};
    change_merge merge = {.source = STR(SOURCE), .on = match_condition(c), .tail = STR("")};

    if (given->all) {
        TRY(take_source(c, false, &matched.values, err));
    } else if (given->action == BRANCH_UPDATE) {
        TRY(change_values(c, given->sets, given->set_count, false, &matched.values, err));
    } else {
        merge.tail = first_of_each(c);
    }
    TRY(take_source(c, true, &missing.values, err));
    merge.branches[BRANCH_MATCHED] = &matched;
    merge.branches[BRANCH_NO_TARGET] = &missing;
    merge.counts[BRANCH_MATCHED] = merge.counts[BRANCH_NO_TARGET] = 1;
    put_source(c);
    form_merge(c, &merge);
    return STATUS_OK;
}

static status upsert_rows(row_change *c, bool last, error *err)
{
    edit_list edits = {0}, members = {0};

    change_edit_members(c, &members); /* a.b = …, which DuckDB does not take */
    TRY(run_judge_edited(c->r, c->st, &members, c->a, err));
    TRY(find_keys(c, err));
    TRY(map_source(c, &edits, err));
    if (c->st->branches[0].action == BRANCH_UPDATE && !c->st->branches[0].all) {
        TRY(change_refuse_column(c, STR("excluded"), "DO UPDATE cannot tell it from EXCLUDED",
                                 err));
    }
    TRY(make_form(c, err));
    TRY(change_analyse(c, &edits, err));
    TRY(change_by_rows(c, err));
    return change_commit(c, last, err);
}

status run_upsert(run *r, const statement *st, bool last, arena *a, error *err)
{
    row_change c = {.r = r, .st = st, .a = a, .operation = "merge", .has_rows = true, .once = true};

    return change_run(&c, upsert_rows, last, err);
}

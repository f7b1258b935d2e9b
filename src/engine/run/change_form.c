/* The SELECT of a change: pieces of the script between pieces of tarn's, so that errors keep their places. A new row is
 * a struct, so that one CASE decides what becomes of a row and computes it: conditions are asked once, in their order,
 * and values of other branches not at all. */
#include "run/change.h"
#include "tarn/base/limits.h"

/* ---- pieces ---- */

void form_text(row_change *c, str text)
{
    const edit_piece *before = c->form.count > 0 ? &c->form.items[c->form.count - 1] : NULL;
    size_t place = before == NULL              ? c->st->position
                   : str_is_null(before->text) ? before->to
                                               : before->from;

    vec_push(c->a, &c->form, ((edit_piece){.from = place, .to = place, .text = text}));
}

void form_script(row_change *c, token_range range)
{
    const token *items = c->r->tokens.items;
    edit_piece piece = {
        .from = items[range.from].from, .to = items[range.to - 1].to, .text = STR_NULL};

    vec_push(c->a, &c->form, piece);
}

void form_table(row_change *c)
{
    form_script(c, (token_range){.from = c->st->name_token, .to = c->st->name_end});
    if (!str_is_null(c->st->alias)) {
        FORM_TEXT(c, " AS %.*s", STR_ARG(c->alias));
    }
}

/* ---- new rows ---- */

static str type_of(const row_change *c, const ice_field *field)
{
    buf *type = buf_in(c->a, LIMIT_MIB);

    engine_duckdb_type(field->type, type);
    return buf_str(type);
}

static str quoted(const row_change *c, str name)
{
    buf *out = buf_in(c->a, LIMIT_MIB);

    sql_quote_name(out, name);
    return buf_str(out);
}

static void put_value(row_change *c, const column_value *value, const ice_field *field)
{
    str type = type_of(c, field);
    buf *constant = buf_in(c->a, LIMIT_MIB);

    switch (value->kind) {
    case VALUE_KEPT:
        FORM_TEXT(c, "CAST(%.*s.%.*s", STR_ARG(c->alias), STR_ARG(quoted(c, field->name)));
        break;
    case VALUE_DEFAULT:
        engine_default_sql(field, c->a, constant);
        FORM_TEXT(c, "CAST(%.*s", STR_ARG(buf_str(constant)));
        break;
    case VALUE_GIVEN:
        FORM_TEXT(c, "CAST((");
        form_script(c, value->given);
        FORM_TEXT(c, "\n)");
        break;
    case VALUE_SOURCE:
        FORM_TEXT(c, "CAST(%.*s", STR_ARG(value->source));
        break;
    }
    FORM_TEXT(c, " AS %.*s)", STR_ARG(type));
}

static void put_branch(row_change *c, const change_branch *branch)
{
    const ice_type *root = c->target.root;

    FORM_TEXT(c, " WHEN ");
    if (branch->condition.from < branch->condition.to) {
        FORM_TEXT(c, "(");
        form_script(c, branch->condition);
        FORM_TEXT(c, "\n)");
    } else {
        FORM_TEXT(c, "true");
    }
    if (branch->action == BRANCH_NOTHING) {
        FORM_TEXT(c, " THEN NULL");
        return;
    }
    FORM_TEXT(c, " THEN {'#a': CAST(%d AS TINYINT)", branch->action);
    for (size_t i = 0; i < root->field_count; i++) {
        if (!write_is_stored(&root->fields[i])) {
            continue;
        }
        FORM_TEXT(c, ", 'c%zu': ", i);
        if (branch->action == BRANCH_DELETE) {
            FORM_TEXT(c, "CAST(NULL AS %.*s)", STR_ARG(type_of(c, &root->fields[i])));
        } else {
            put_value(c, &branch->values[i], &root->fields[i]);
        }
    }
    FORM_TEXT(c, "}");
}

void form_branches(row_change *c, const change_branch *branches, size_t count)
{
    const ice_type *root = c->target.root;

    FORM_TEXT(c, "CAST(");
    if (count > 0) {
        FORM_TEXT(c, "CASE");
        for (size_t i = 0; i < count; i++) {
            put_branch(c, &branches[i]);
        }
        FORM_TEXT(c, " END");
    } else {
        FORM_TEXT(c, "NULL");
    }
    FORM_TEXT(c, " AS STRUCT(\"#a\" TINYINT");
    for (size_t i = 0; i < root->field_count; i++) {
        if (write_is_stored(&root->fields[i])) {
            FORM_TEXT(c, ", c%zu %.*s", i, STR_ARG(type_of(c, &root->fields[i])));
        }
    }
    FORM_TEXT(c, ")) AS \"#new\"");
}

/* ---- assignments ---- */

static status set_column(row_change *c, const statement_set *set, size_t place, bool is_insert,
                         size_t *ret_column, error *err)
{
    size_t count = c->target.root->field_count;

    *ret_column =
        str_is_null(set->column) ? place : insert_find_column(c->target.root, set->column);
    if (*ret_column < count) {
        return STATUS_OK;
    }
    status result =
        is_insert && str_is_null(set->column)
            ? error_set(err, STATUS_INVALID,
                        "table \"%.*s.%.*s\" has %zu columns, not so many values",
                        STR_ARG(c->target.name.space), STR_ARG(c->target.name.table), count)
            : insert_no_column(&c->target, set->column, c->a, err);
    return run_at(result, set->position, err);
}

status change_values(row_change *c, const statement_set *sets, size_t count, bool is_insert,
                     const column_value **ret_values, error *err)
{
    size_t fields = c->target.root->field_count;
    column_value *values = ARENA_ARRAY(c->a, column_value, fields + 1);
    bool *given = ARENA_ARRAY(c->a, bool, fields + 1);
    size_t column;

    for (size_t i = 0; i < fields; i++) {
        values[i].kind = is_insert ? VALUE_DEFAULT : VALUE_KEPT;
    }
    for (size_t i = 0; i < count; i++) {
        TRY(set_column(c, &sets[i], i, is_insert, &column, err));
        if (given[column]) {
            return run_at(error_set(err, STATUS_INVALID, "column \"%.*s\" is given a value twice",
                                    STR_ARG(c->target.root->fields[column].name)),
                          sets[i].position, err);
        }
        given[column] = true;
        values[column] = (column_value){.kind = sets[i].fallback ? VALUE_DEFAULT : VALUE_GIVEN,
                                        .given = sets[i].value};
    }
    if (is_insert && count > 0 && count < fields && str_is_null(sets[0].column)) {
        return run_at(error_set(err, STATUS_INVALID,
                                "table \"%.*s.%.*s\" has %zu columns, but %zu values are given",
                                STR_ARG(c->target.name.space), STR_ARG(c->target.name.table),
                                fields, count),
                      sets[0].position, err);
    }
    *ret_values = values;
    return STATUS_OK;
}

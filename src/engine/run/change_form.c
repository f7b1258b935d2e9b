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

void form_with(row_change *c, const char *more)
{
    const statement *st = c->st;

    if (st->with.from == st->with.to) {
        FORM_TEXT(c, "%s%s", more[0] != '\0' ? "WITH " : "", more);
        return;
    }
    FORM_TEXT(c, st->with_recursive ? "WITH RECURSIVE " : "WITH ");
    form_script(c, st->with);
    FORM_TEXT(c, "%s%s", more[0] != '\0' ? ", " : " ", more);
}

void form_source(row_change *c)
{
    const statement *st = c->st;
    insert_with with = insert_with_of(c->r, st);

    if (st->with.from == st->with.to) {
        form_script(c, st->body);
        return;
    }
    form_text(c, with.word);
    form_script(c, st->with);
    form_text(c, with.joint);
    form_script(c, with.body);
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

/* The sets among `sets` whose name at `depth` is this one. */
static size_t sets_of(const row_change *c, const statement_set *const *sets, size_t count,
                      size_t depth, str name, const statement_set ***ret_sets)
{
    const statement_set **found = ARENA_ARRAY(c->a, const statement_set *, count + 1);
    size_t found_count = 0;

    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(sets[i]->path[depth], name)) {
            found[found_count++] = sets[i];
        }
    }
    *ret_sets = found;
    return found_count;
}

/* {'b': value, 'c': what it was}: members that are not named are those of `base`. Paths were checked. */
static void put_members(row_change *c, const ice_type *type, str base, size_t depth,
                        const statement_set *const *sets, size_t count)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        const statement_set **own;
        size_t own_count = sets_of(c, sets, count, depth, field->name, &own);
        buf *name = buf_in(c->a, LIMIT_MIB);

        sql_quote_text(name, field->name);
        str member =
            str_printf(c->a, "struct_extract(%.*s, %.*s)", STR_ARG(base), STR_ARG(buf_str(name)));
        FORM_TEXT(c, "%s%.*s: CAST(", i > 0 ? ", " : "{", STR_ARG(buf_str(name)));
        if (own_count == 0) {
            FORM_TEXT(c, "%.*s", STR_ARG(member));
        } else if (own[0]->path_count > depth + 1) {
            put_members(c, field->type, member, depth + 1, own, own_count);
        } else if (own[0]->fallback) {
            FORM_TEXT(c, "NULL");
        } else {
            FORM_TEXT(c, "(");
            form_script(c, own[0]->value);
            FORM_TEXT(c, "\n)");
        }
        FORM_TEXT(c, " AS %.*s)", STR_ARG(type_of(c, field)));
    }
    FORM_TEXT(c, "}");
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
    case VALUE_MEMBERS:
        FORM_TEXT(c, "CAST(");
        put_members(
            c, field->type,
            str_printf(c->a, "%.*s.%.*s", STR_ARG(c->alias), STR_ARG(quoted(c, field->name))), 1,
            value->members, value->member_count);
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

/* t.a = …, where no column is called t: the table's name goes. */
static void drop_table_name(const row_change *c, statement_set *set)
{
    const statement *st = c->st;
    str table = str_is_null(st->alias) ? st->name.parts[st->name.count - 1] : st->alias;

    if (set->path_count > 1 && str_equal_nocase(set->path[0], table) &&
        insert_find_column(c->target.root, set->path[0]) == c->target.root->field_count) {
        set->path++;
        set->path_count--;
        set->column = set->path[0];
    }
    set->path_count = set->path_count > 1 ? set->path_count : 0;
}

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

static str path_text(const row_change *c, const statement_set *set, size_t count)
{
    str text = set->column;

    for (size_t i = 1; i < count; i++) {
        text = str_printf(c->a, "%.*s.%.*s", STR_ARG(text), STR_ARG(set->path[i]));
    }
    return text;
}

/* Each name of the path is a member of a struct. */
static status check_path(const row_change *c, const statement_set *set, const ice_field *column,
                         error *err)
{
    const ice_field *field = column;

    for (size_t depth = 1; depth < set->path_count; depth++) {
        str so_far = path_text(c, set, depth);
        if (field->type->kind != ICE_STRUCT) {
            error_set(err, STATUS_INVALID, "column \"%.*s\" is no struct: it has no members",
                      STR_ARG(so_far));
            return run_at(STATUS_INVALID, set->position, err);
        }
        size_t member = insert_find_column(field->type, set->path[depth]);
        if (member == field->type->field_count) {
            error_set(err, STATUS_NO_COLUMN, "struct \"%.*s\" has no member \"%.*s\"",
                      STR_ARG(so_far), STR_ARG(set->path[depth]));
            return run_at(STATUS_NO_COLUMN, set->position, err);
        }
        field = &field->type->fields[member];
    }
    return STATUS_OK;
}

/* One of the paths is the other, or its beginning. */
static bool overlaps(const statement_set *x, const statement_set *y)
{
    size_t shorter = x->path_count < y->path_count ? x->path_count : y->path_count;

    for (size_t i = 1; i < shorter; i++) {
        if (!str_equal_nocase(x->path[i], y->path[i])) {
            return false;
        }
    }
    return true;
}

static status given_twice(const row_change *c, const statement_set *set, error *err)
{
    error_set(err, STATUS_INVALID, "column \"%.*s\" is given a value twice",
              STR_ARG(path_text(c, set, set->path_count)));
    return run_at(STATUS_INVALID, set->position, err);
}

static status add_member(row_change *c, const statement_set *set, const ice_field *column,
                         column_value *value, error *err)
{
    const statement_set **members =
        ARENA_ARRAY(c->a, const statement_set *, value->member_count + 1);

    TRY(check_path(c, set, column, err));
    for (size_t i = 0; i < value->member_count; i++) {
        if (overlaps(value->members[i], set)) {
            return given_twice(c, set, err);
        }
        members[i] = value->members[i];
    }
    members[value->member_count] = set;
    *value = (column_value){
        .kind = VALUE_MEMBERS, .members = members, .member_count = value->member_count + 1};
    return STATUS_OK;
}

static status check_insert_count(const row_change *c, const statement_set *sets, size_t count,
                                 error *err)
{
    size_t fields = c->target.root->field_count;

    if (count == 0 || count >= fields || !str_is_null(sets[0].column)) {
        return STATUS_OK;
    }
    return run_at(error_set(err, STATUS_INVALID,
                            "table \"%.*s.%.*s\" has %zu columns, but %zu values are given",
                            STR_ARG(c->target.name.space), STR_ARG(c->target.name.table), fields,
                            count),
                  sets[0].position, err);
}

status change_values(row_change *c, const statement_set *sets, size_t count, bool is_insert,
                     const column_value **ret_values, error *err)
{
    size_t fields = c->target.root->field_count;
    column_value *values = ARENA_ARRAY(c->a, column_value, fields + 1);
    bool *given = ARENA_ARRAY(c->a, bool, fields + 1);
    statement_set *own = ARENA_ARRAY(c->a, statement_set, count + 1);
    size_t column;

    for (size_t i = 0; i < fields; i++) {
        values[i].kind = is_insert ? VALUE_DEFAULT : VALUE_KEPT;
    }
    for (size_t i = 0; i < count; i++) {
        own[i] = sets[i];
        drop_table_name(c, &own[i]);
        TRY(set_column(c, &own[i], i, is_insert, &column, err));
        const ice_field *field = &c->target.root->fields[column];
        if (own[i].path_count > 0 && (!given[column] || values[column].kind == VALUE_MEMBERS)) {
            TRY(add_member(c, &own[i], field, &values[column], err));
        } else if (given[column]) {
            return given_twice(
                c,
                str_is_null(own[i].column)
                    ? &(statement_set){.column = field->name, .position = own[i].position}
                    : &own[i],
                err);
        } else {
            values[column] = (column_value){.kind = own[i].fallback ? VALUE_DEFAULT : VALUE_GIVEN,
                                            .given = own[i].value};
        }
        given[column] = true;
    }
    TRY(is_insert ? check_insert_count(c, sets, count, err) : STATUS_OK);
    *ret_values = values;
    return STATUS_OK;
}

/* ---- the statement's own text ---- */

static void replace(row_change *c, size_t from, size_t to, str text, edit_list *edits)
{
    size_t kept = 0;

    for (size_t i = 0; i < edits->count; i++) {
        if (edits->items[i].from < from || edits->items[i].to > to) {
            edits->items[kept++] = edits->items[i];
        }
    }
    edits->count = kept;
    vec_push(c->a, edits, ((edit){.from = from, .to = to, .text = text}));
}

static void edit_set(row_change *c, const statement_branch *branch, size_t at, edit_list *edits)
{
    const token *items = c->r->tokens.items;
    const statement_set *written = &branch->sets[at];
    statement_set set = *written;
    bool known = false;

    drop_table_name(c, &set);
    size_t from = items[set.name_token].from;
    if (set.path_count == 0) { /* t.a = … */
        size_t names = 2 * (written->path_count - 1);
        replace(c, from, items[set.name_token + names].from, STR(""), edits);
        return;
    }
    for (size_t i = 0; i < at; i++) {
        statement_set before = branch->sets[i];
        drop_table_name(c, &before);
        known = known || (before.path_count > 0 && str_equal_nocase(before.column, set.column));
    }
    if (known) { /* with the comma in front of it */
        replace(c, items[set.name_token - 1].from, items[set.value.to - 1].to, STR(""), edits);
    } else {
        replace(c, from, items[set.value.to - 1].to,
                str_concat(c->a, quoted(c, set.column), STR(" = NULL")), edits);
    }
}

void change_edit_members(row_change *c, edit_list *edits)
{
    for (size_t i = 0; i < c->st->branch_count; i++) {
        const statement_branch *branch = &c->st->branches[i];
        for (size_t k = 0; branch->action == BRANCH_UPDATE && k < branch->set_count; k++) {
            if (branch->sets[k].path_count > 0) {
                edit_set(c, branch, k, edits);
            }
        }
    }
}

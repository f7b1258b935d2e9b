/* INSERT OVERWRITE … PARTITION (p = 1, q): columns that the clause gives a value get it in every row. Where it gives
 * all that it names one, exactly those partitions are replaced, by no rows too; with a bare name, those of them that
 * rows belong to. */
#include "run/insert.h"
#include "run/table.h"
#include "tarn/base/limits.h"

static status refuse(const statement_set *set, status kind, error *err)
{
    error_hint(err, "PARTITION takes the columns that the table is partitioned by as they are.");
    return run_at(kind, set->position, err);
}

static status find_column(const insert_target *t, const statement_set *set, arena *a,
                          size_t *ret_column, error *err)
{
    const ice_spec *spec = ice_metadata_spec(t->metadata);
    size_t column = insert_find_column(t->root, set->column);

    if (column == t->root->field_count) {
        return run_at(insert_no_column(t, set->column, a, err), set->position, err);
    }
    for (size_t i = 0; spec != NULL && i < spec->field_count; i++) {
        const ice_partition_field *field = &spec->fields[i];
        if (field->source_id == t->root->fields[column].id &&
            (field->transform.kind == ICE_IDENTITY || set->value.from == set->value.to)) {
            *ret_column = column;
            return STATUS_OK;
        }
    }
    error_set(err, STATUS_UNSUPPORTED, "table \"%.*s.%.*s\" is not partitioned by column \"%.*s\"",
              STR_ARG(t->name.space), STR_ARG(t->name.table), STR_ARG(set->column));
    return refuse(set, STATUS_UNSUPPORTED, err);
}

/* "p = value" of the rows that go, and the value as SQL. */
static status take_value(run *r, const statement_set *set, source_column *column, arena *a,
                         const ice_expr **ret_leaf, error *err)
{
    const ice_field *field = column->field;
    ice_expr *leaf = ARENA_NEW(a, ice_expr);
    ice_value *value = ARENA_NEW(a, ice_value);
    buf *text = buf_in(a, LIMIT_SQL_TEXT);
    const json *given;

    TRY(table_default(r, set->value, field->type, field->name, a, &given, err));
    table_default_text(given, field->type, a, text);
    TRY(buf_check(text, "the value of a partition", err));
    column->constant = buf_str(text);
    *leaf = (ice_expr){.kind = ICE_IS_NULL, .field_id = field->id};
    if (given != NULL) {
        TRY(ice_value_parse_json(field->type, given, a, value, err));
        leaf->kind = ICE_EQ;
        leaf->values = value;
        leaf->value_count = 1;
    }
    *ret_leaf = leaf;
    return STATUS_OK;
}

status insert_partition(run *r, const statement *st, insert_target *t, arena *a,
                        const ice_expr **ret_replaced, error *err)
{
    const ice_expr **leaves = ARENA_ARRAY(a, const ice_expr *, st->partition_count + 1);
    ice_expr *all = ARENA_NEW(a, ice_expr);
    bool dynamic = st->partition_count == 0;

    for (size_t i = 0; i < st->partition_count; i++) {
        const statement_set *set = &st->partition[i];
        size_t column;

        TRY(find_column(t, set, a, &column, err));
        dynamic = dynamic || set->value.from == set->value.to;
        if (set->value.from == set->value.to) {
            continue;
        }
        if (t->columns[column].number != SIZE_MAX || !str_is_null(t->columns[column].constant)) {
            return run_at(error_set(err, STATUS_INVALID, "column \"%.*s\" is given a value twice",
                                    STR_ARG(set->column)),
                          set->position, err);
        }
        TRY(take_value(r, set, &t->columns[column], a, &leaves[all->child_count], err));
        all->child_count++;
    }
    all->kind = ICE_AND;
    all->children = leaves;
    *ret_replaced = dynamic ? NULL : all->child_count == 1 ? leaves[0] : all;
    return st->by_name || st->partition_count == 0
               ? STATUS_OK
               : run_at(insert_check_required(t, err), st->name.position, err);
}

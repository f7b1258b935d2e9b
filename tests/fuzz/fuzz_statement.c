/* Scripts, types and plans: tokens cover the text in order, every error and every statement has a
 * place inside of it, and what is no plan filters nothing. */
#include "sql/plan.h"
#include "sql/statement.h"
#include "sql/tree.h"
#include "support/fuzz.h"
#include "tarn/engine/query.h"

static void check_statement(const token_list *list, token_range range, arena *a)
{
    statement st;
    error err = ERROR_INIT;
    if (statement_parse(list, range, a, &st, &err) != STATUS_OK) {
        ASSERT(err.message[0] != '\0' && err.position <= (int)list->sql.size);
        return;
    }
    ASSERT(st.position <= list->sql.size && st.body.from <= st.body.to && st.body.to <= range.to);
    for (size_t i = 0; i < st.column_count; i++) {
        ASSERT(st.columns[i].name.size > 0 && st.columns[i].type_text.size > 0);
        ASSERT(st.columns[i].type_position < list->sql.size);
    }
    for (size_t i = 0; i < st.name.count; i++) {
        ASSERT(st.name.parts[i].size > 0);
    }
}

static void check_script(str text, arena *a)
{
    token_list list;
    token_range *ranges;
    size_t count, end = 0;
    error err = ERROR_INIT;
    if (token_scan(text, a, &list, &err) != STATUS_OK) {
        ASSERT(err.position <= (int)text.size);
        return;
    }
    for (size_t i = 0; i < list.count; i++) {
        ASSERT(list.items[i].from >= end && list.items[i].to > list.items[i].from);
        end = list.items[i].to;
    }
    ASSERT(end <= text.size);
    token_split(&list, a, &ranges, &count);
    for (size_t i = 0; i < count; i++) {
        ASSERT(ranges[i].from < ranges[i].to && ranges[i].to <= list.count);
        check_statement(&list, ranges[i], a);
    }
}

static void check_json(str text, arena *a)
{
    static const ice_type integer = {.kind = ICE_LONG};
    static const ice_field field = {.id = 1, .name = STR_INIT("id"), .type = &integer};
    static const ice_type root = {.kind = ICE_STRUCT, .fields = &field, .field_count = 1};
    static const ice_schema schema = {.root = &root};
    plan_table table = {.stub = STR("stub"), .schema = &schema};
    tree found;
    str sql;
    bool usable;
    plan_read(text, &table, 1, a, &usable);
    ASSERT(table.filter != NULL && (usable || table.filter->kind == ICE_TRUE));
    (void)tree_read(text, a, &found, NULL);
    (void)plan_explained_filters(text, &schema, a, &sql);
    ASSERT(plan_parsed_filter(text, &schema, a) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = str_from((const char *)data, size);
    arena *a = arena_create();
    const ice_type *type;
    check_script(text, a);
    check_json(text, a);
    (void)engine_iceberg_type(text, STR("c"), a, &type, NULL);
    arena_free(a);
    return 0;
}

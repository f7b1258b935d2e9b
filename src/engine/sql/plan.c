/* Finding the scans in a plan, and what filters each. */
#include "sql/plan.h"

#include "tarn/base/vec.h"

typedef struct plan_walk {
    plan_table *tables;
    size_t count;
    VEC(const ice_expr *) * filters; /* per table: one per scan */
    bool empty;                      /* an EMPTY_RESULT was met */
    arena *a;
} plan_walk;

static bool is_type(const json *node, const char *type)
{
    return str_equal(json_str_or(json_get(node, "type"), STR("")), str_c(type));
}

/* Which table a LOGICAL_GET reads; `count` where none of ours. */
static size_t table_of(const plan_walk *w, const json *get)
{
    str file = json_str_or(json_at(json_get(json_get(get, "function_data"), "files"), 0), STR_NULL);
    size_t i = 0;
    while (i < w->count && (str_is_null(file) || !str_equal(file, w->tables[i].stub))) {
        i++;
    }
    return i;
}

/* Column of the scan by its number in the view; NULL where the names disagree. */
static const ice_field *column_at(const plan_table *table, const json *get, int64_t index)
{
    const ice_type *root = table->schema->root;
    str name = json_str_or(json_at(json_get(get, "names"), (size_t)index), STR_NULL);
    if (index < 0 || (size_t)index >= root->field_count ||
        !str_equal_nocase(name, root->fields[index].name)) {
        return NULL;
    }
    return &root->fields[index];
}

/* ---- a FILTER above a scan ---- */

typedef struct above {
    const json *node; /* the FILTER's child: a projection of columns over the scan, or the scan */
    const plan_table *table;
} above;

/* Position in what `node` puts out, to the column of the scan below. */
static const ice_field *column_above(const void *context, int64_t index)
{
    const above *at = context;
    const json *node = at->node;
    while (is_type(node, "LOGICAL_PROJECTION")) {
        const json *expression = json_at(json_get(node, "expressions"), (size_t)index);
        if (index < 0 || !str_equal(json_str_or(json_get(expression, "expression_class"), STR("")),
                                    STR("BOUND_REF"))) {
            return NULL;
        }
        index = json_int64_or(json_get(expression, "index"), 0);
        node = json_at(json_get(node, "children"), 0);
    }
    if (!is_type(node, "LOGICAL_GET") || index < 0) {
        return NULL;
    }
    const json *kept = json_get(node, "projection_ids"),
               *columns = json_get(node, "column_indexes");
    int64_t slot = json_count(kept) > 0 ? json_int64_or(json_at(kept, (size_t)index), -1) : index;
    const json *column = slot >= 0 ? json_at(columns, (size_t)slot) : NULL;
    return column != NULL ? column_at(at->table, node, json_int64_or(json_get(column, "index"), 0))
                          : NULL;
}

/* The scan below `node`, with nothing but projections between; NULL else. */
static const json *scan_below(const json *node)
{
    while (is_type(node, "LOGICAL_PROJECTION")) {
        node = json_at(json_get(node, "children"), 0);
    }
    return is_type(node, "LOGICAL_GET") ? node : NULL;
}

static const ice_expr *filter_above(const plan_walk *w, const json *filter, const plan_table *table)
{
    const json *expressions = json_get(filter, "expressions");
    above at = {.node = json_at(json_get(filter, "children"), 0), .table = table};
    size_t count = json_count(expressions);
    const ice_expr **list = ARENA_ARRAY(w->a, const ice_expr *, count + 1);
    for (size_t i = 0; i < count; i++) {
        list[i] = plan_expression(json_at(expressions, i), column_above, &at, w->a);
    }
    return plan_and(w->a, list, count);
}

/* ---- scans ---- */

static void add_scan(plan_walk *w, const json *get, const json *filter)
{
    size_t index = table_of(w, get);
    if (index == w->count) {
        return;
    }
    plan_table *table = &w->tables[index];
    const json *filters = json_get(json_get(get, "table_filters"), "filters");
    size_t count = json_count(filters);
    const ice_expr **list = ARENA_ARRAY(w->a, const ice_expr *, count + 1);
    for (size_t i = 0; i < count; i++) {
        const json *entry = json_at(filters, i);
        const ice_field *field = column_at(table, get, json_int64_or(json_get(entry, "key"), 0));
        list[i] = plan_table_filter(json_get(entry, "value"), field, w->a);
    }
    list[count] = filter != NULL ? filter_above(w, filter, table) : ice_expr_true();
    vec_push(w->a, &w->filters[index], plan_and(w->a, list, count + 1));
    table->scan_count++;
}

static void walk_plan(plan_walk *w, const json *value, const json *filter)
{
    if (json_kind_of(value) == JSON_ARRAY) {
        for (size_t i = 0; i < json_count(value); i++) {
            walk_plan(w, json_at(value, i), filter);
        }
        return;
    }
    if (json_kind_of(value) != JSON_OBJECT) {
        return;
    }
    if (is_type(value, "LOGICAL_GET")) {
        add_scan(w, value, filter);
    } else if (is_type(value, "LOGICAL_EMPTY_RESULT")) {
        w->empty = true;
    }
    const json *child = json_at(json_get(value, "children"), 0);
    const json *mine = is_type(value, "LOGICAL_FILTER") && scan_below(child) != NULL ? value : NULL;
    if (is_type(value, "LOGICAL_PROJECTION") && scan_below(value) != NULL) {
        mine = filter;
    }
    str key;
    const json *member;
    for (size_t at = 0; json_next_member(value, &at, &key, &member);) {
        walk_plan(w, member, str_equal(key, STR("children")) ? mine : NULL);
    }
}

void plan_read(str text, plan_table *tables, size_t count, arena *a, bool *ret_usable)
{
    plan_walk w = {.tables = tables, .count = count, .a = a};
    const json *answer = NULL;
    for (size_t i = 0; i < count; i++) {
        tables[i].filter = ice_expr_true();
        tables[i].scan_count = 0;
    }
    *ret_usable = false;
    if (json_parse(plan_standard_json(text, a), a, &answer, NULL) != STATUS_OK ||
        json_bool_or(json_get(answer, "error"), true)) {
        return;
    }
    w.filters = arena_alloc(a, (count + 1) * sizeof(*w.filters));
    walk_plan(&w, json_get(answer, "plans"), NULL);
    *ret_usable = true;
    for (size_t i = 0; i < count && !w.empty; i++) {
        tables[i].filter = plan_or(a, w.filters[i].items, w.filters[i].count);
    }
}

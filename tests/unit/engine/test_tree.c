/* Tables and functions in DuckDB's parse trees. */
#include "golden_lines.h"
#include "sql/tree.h"

static status read(fixture *f, const char *name, tree *ret_tree)
{
    const json *entry = golden_named(f, "engine/trees.jsonl", name);
    return tree_read(json_str_or(json_get(entry, "tree"), STR("")), f->arena, ret_tree, &f->err);
}

/* "t@15 s.u@20": every table with its position, in the order of the walk. */
static str tables(fixture *f, const char *name)
{
    tree found;
    str text = STR("");
    EXPECT_OK(read(f, name, &found));
    for (size_t i = 0; i < found.tables.count; i++) {
        const tree_table *table = &found.tables.items[i];
        text = str_concat(f->arena, text, i > 0 ? STR(" ") : STR(""));
        for (size_t part = 0; part < table->part_count; part++) {
            text = str_printf(f->arena, "%.*s%s%.*s", STR_ARG(text), part > 0 ? "." : "",
                              STR_ARG(table->parts[part]));
        }
        text = str_printf(f->arena, "%.*s@%zu", STR_ARG(text), table->position);
    }
    return text;
}

static void test_tables_are_those_that_no_cte_hides(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *name, *tables;
    } cases[] = {
        {"plain", "t@22"},
        {"scope", "t@25 u@73"},
        {"shadow", "t@25"},
        {"inner", "a@56"},
        {"recursive", "r@40 s@73"},
        {"case", "other@48"},
        {"recursive_with", "t@46 h@128"},
        {"later", "b@25"},
        {"subquery", "u@27 v@53 t@61 w@89"},
        {"lateral", "t@5 u@31"},
        {"names", "w.n.t@20 n.u@27 we\"ird.na me@32"},
        {"pivot", "t@5"},
        {"describe", "s.t@9"},
        {"summarize", "t@10"},
        {"sample", "t@14"},
        {"histogram", "t@25"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str found = tables(f, cases[i].name);
        if (!str_equal(found, str_c(cases[i].tables))) {
            fail_msg("%s: %.*s, not %s", cases[i].name, STR_ARG(found), cases[i].tables);
        }
    }
}

static void test_a_file_in_quotes_is_a_table_like_any_other(void **given)
{
    fixture *f = *given;
    EXPECT_STR(tables(f, "file"), "data.parquet@5");
}

static void test_time_travel_is_seen(void **given)
{
    fixture *f = *given;
    tree found;
    EXPECT_OK(read(f, "travel", &found));
    assert_true(found.tables.items[0].time_travel);
}

static void test_columns_behind_long_names_are_kept(void **given)
{
    fixture *f = *given;
    tree found;
    EXPECT_OK(read(f, "names", &found));
    assert_int_equal(found.long_columns.count, 1);
    assert_int_equal(json_count(found.long_columns.items[0].names), 4);
}

static void test_a_refused_function_is_found_wherever_it_stands(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *name;
        int position;
    } cases[] = {
        {"read", 14},   {"deep", 41},  {"window", 7},    {"lambda", 35},         {"filter", 28},
        {"having", 29}, {"setop", 33}, {"cast", 15},     {"qualified", 7},       {"chained", 13},
        {"values", 8},  {"join", 32},  {"argument", 20}, {"histogram_table", 5}, {"limit", 30},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tree found;
        EXPECT_STATUS(DENIED, read(f, cases[i].name, &found));
        if (f->err.position != cases[i].position) {
            fail_msg("%s: position %d", cases[i].name, f->err.position);
        }
    }
}

static void test_unknown_functions_and_odd_statements_are_refused(void **given)
{
    fixture *f = *given;
    tree found;
    EXPECT_STATUS(NO_FUNCTION, read(f, "unknown", &found));
    EXPECT_STATUS(NO_FUNCTION, read(f, "table_unknown", &found));
    EXPECT_STATUS(UNSUPPORTED, read(f, "show", &found));
    EXPECT_STATUS(UNSUPPORTED, read(f, "create", &found));
    EXPECT_STATUS(SYNTAX, read(f, "two", &found));
    EXPECT_STATUS(SYNTAX, read(f, "syntax", &found));
    assert_int_equal(f->err.position, 21);
}

static void test_a_node_of_unknown_kind_is_refused(void **given)
{
    fixture *f = *given;
    tree found;
    str text =
        QUOTED(f, "{'error': false, 'statements': [{'node': {'type': 'SELECT_NODE', 'select_list': "
                  "[{'class': 'CONSTANT', 'type': 'SOMETHING_NEW'}]}}]}");
    EXPECT_STATUS(UNSUPPORTED, tree_read(text, f->arena, &found, &f->err));
    text =
        QUOTED(f, "{'error': false, 'statements': [{'node': {'type': 'SELECT_NODE', 'select_list': "
                  "[{'class': 'CAST', 'type': 'OPERATOR_CAST', 'function_name': 'getenv'}]}}]}");
    EXPECT_STATUS(UNSUPPORTED, tree_read(text, f->arena, &found, &f->err));
}

TESTS(test_tables_are_those_that_no_cte_hides, test_a_file_in_quotes_is_a_table_like_any_other,
      test_time_travel_is_seen, test_columns_behind_long_names_are_kept,
      test_a_refused_function_is_found_wherever_it_stands,
      test_unknown_functions_and_odd_statements_are_refused, test_a_node_of_unknown_kind_is_refused)

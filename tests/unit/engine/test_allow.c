/* The allow-list itself: its order, its completeness in kind, and the two ways to say no. */
#include "sql/allow.h"
#include "support/test.h"

static void test_the_lists_are_sorted_and_disjoint(void **given)
{
    (void)given;
    for (size_t i = 1; i < allow_expression_count; i++) {
        assert_true(strcmp(allow_expressions[i - 1], allow_expressions[i]) < 0);
    }
    for (size_t i = 1; i < allow_table_count; i++) {
        assert_true(strcmp(allow_tables[i - 1], allow_tables[i]) < 0);
    }
    for (size_t i = 0; i < allow_refusal_count; i++) {
        for (size_t k = 0; k < allow_table_count; k++) {
            assert_string_not_equal(allow_refusals[i].name, allow_tables[k]);
        }
    }
}

static void test_ordinary_functions_pass_in_any_case(void **given)
{
    fixture *f = *given;
    static const char *const names[] = {
        "sum", "Upper",      "+",      "~~",         "list_transform", "struct_pack",
        "NOW", "row_number", "unnest", "date_trunc", "count_star",     "formatReadableSize"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        EXPECT_OK(allow_function(str_c(names[i]), ALLOW_IN_EXPRESSION, &f->err));
    }
    EXPECT_OK(allow_function(STR("Range"), ALLOW_AS_TABLE, &f->err));
}

static void test_functions_that_reach_out_are_denied_everywhere(void **given)
{
    fixture *f = *given;
    static const char *const names[] = {
        "read_csv",
        "read_parquet",
        "READ_TEXT",
        "glob",
        "sniff_csv",
        "parquet_metadata",
        "getenv",
        "current_setting",
        "duckdb_secrets",
        "duckdb_logs",
        "which_secret",
        "enable_logging",
        "query",
        "query_table",
        "pragma_show",
        "checkpoint",
        "force_checkpoint",
        "write_log",
        "json_execute_serialized_sql",
        "json_serialize_plan",
        "nextval",
        "arrow_scan",
        "seq_scan",
        "test_all_types",
        "__internal_decompress_string",
        "enable_peg_parser",
        "sql_auto_complete",
        "read_duckdb",
        "duckdb_logs_parsed",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        EXPECT_STATUS(DENIED, allow_function(str_c(names[i]), ALLOW_IN_EXPRESSION, &f->err));
        EXPECT_STATUS(DENIED, allow_function(str_c(names[i]), ALLOW_AS_TABLE, &f->err));
    }
    EXPECT_STATUS(DENIED, allow_function(STR("histogram"), ALLOW_AS_TABLE, &f->err));
    EXPECT_OK(allow_function(STR("histogram"), ALLOW_IN_EXPRESSION, &f->err));
}

static void test_a_refusal_says_why(void **given)
{
    fixture *f = *given;
    EXPECT_STATUS(DENIED, allow_function(STR("READ_CSV"), ALLOW_AS_TABLE, &f->err));
    EXPECT_MESSAGE(f,
                   "function \"read_csv\" is not allowed: it reads or writes files or the network");
}

static void test_an_unknown_function_gets_the_nearest_name(void **given)
{
    fixture *f = *given;
    EXPECT_STATUS(NO_FUNCTION, allow_function(STR("Uper"), ALLOW_IN_EXPRESSION, &f->err));
    EXPECT_MESSAGE(f, "there is no function \"Uper\"");
    EXPECT_HINT(f, "Did you mean \"upper\"?");
    EXPECT_STATUS(NO_FUNCTION, allow_function(STR("abs"), ALLOW_AS_TABLE, &f->err));
}

static void test_the_list_is_on_unless_a_test_build_is_told_otherwise(void **given)
{
    (void)given;
    assert_true(allow_enabled());
}

TESTS(test_the_lists_are_sorted_and_disjoint, test_ordinary_functions_pass_in_any_case,
      test_functions_that_reach_out_are_denied_everywhere, test_a_refusal_says_why,
      test_an_unknown_function_gets_the_nearest_name,
      test_the_list_is_on_unless_a_test_build_is_told_otherwise)

/* What a statement is, and how a refusal speaks. */
#include "golden_lines.h"
#include "sql/statement.h"

static status parse(fixture *f, const char *sql, statement *ret_statement)
{
    token_list list;
    token_range *ranges;
    size_t count;
    token_list *kept = arena_alloc(f->arena, sizeof(*kept));
    EXPECT_OK(token_scan(str_c(sql), f->arena, &list, &f->err));
    *kept = list;
    token_split(kept, f->arena, &ranges, &count);
    assert_int_equal(count, 1);
    return statement_parse(kept, ranges[0], f->arena, ret_statement, &f->err);
}

static void test_accepted_statements_are_of_duckdbs_kind(void **given)
{
    fixture *f = *given;
    static const struct {
        statement_kind ours;
        const char *theirs;
    } kinds[] = {
        {STATEMENT_READ, "SELECT"},
        {STATEMENT_EXPLAIN, "EXPLAIN"},
        {STATEMENT_CREATE_TABLE, "CREATE"},
        {STATEMENT_CREATE_TABLE_AS, "CREATE"},
        {STATEMENT_CREATE_SCHEMA, "CREATE"},
        {STATEMENT_DROP_SCHEMA, "DROP"},
        {STATEMENT_DROP_TABLE, "DROP"},
        {STATEMENT_INSERT, "INSERT"},
        {STATEMENT_USE, "SET"},
        {STATEMENT_SHOW_TABLES, "SELECT"},
        {STATEMENT_SHOW_ALL_TABLES, "SELECT"},
        {STATEMENT_DESCRIBE_TABLE, "SELECT"},
    };
    str rest = GOLDEN(f, "engine/statements.jsonl");
    const json *entry;
    size_t accepted = 0, refused = 0;
    while ((entry = golden_next(f, &rest)) != NULL) {
        const json *theirs = json_get(entry, "kinds");
        token_list list;
        token_range *ranges;
        size_t count;
        if (theirs == NULL) {
            continue;
        }
        EXPECT_OK(
            token_scan(json_str_or(json_get(entry, "sql"), STR("")), f->arena, &list, &f->err));
        token_split(&list, f->arena, &ranges, &count);
        for (size_t i = 0; i < count; i++) {
            statement st;
            str kind = json_str_or(json_at(theirs, i), STR(""));
            status result = statement_parse(&list, ranges[i], f->arena, &st, &f->err);
            if (result == STATUS_UNSUPPORTED || result == STATUS_DENIED) {
                refused++;
                continue;
            }
            assert_int_equal(result, STATUS_OK);
            bool same = false;
            for (size_t k = 0; k < COUNT_OF(kinds); k++) {
                same =
                    same || (kinds[k].ours == st.kind && str_equal(kind, str_c(kinds[k].theirs)));
            }
            if (!same) {
                fail_msg("%s, but DuckDB says %.*s", statement_kind_name(st.kind), STR_ARG(kind));
            }
            accepted++;
        }
    }
    assert_true(accepted > 90);
    assert_true(refused > 25);
}

static void test_create_table_gives_columns_partitioning_and_properties(void **given)
{
    fixture *f = *given;
    statement st;
    EXPECT_OK(parse(
        f,
        "create table if not exists a.\"b c\" (id bigint not null, \"x y\" struct(p int, q varchar[]) "
        "comment 'what''s it', d decimal(10, 2) null) partitioned by (bucket(4, id), day(ts)) with "
        "('write.format' = 'parquet', format-version = 3, \"k\" = true) location 's3://b/x'",
        &st));
    assert_int_equal(st.kind, STATEMENT_CREATE_TABLE);
    assert_true(st.if_exists);
    assert_int_equal(st.name.count, 2);
    EXPECT_STR(st.name.parts[1], "b c");
    assert_int_equal(st.column_count, 3);
    assert_true(st.columns[0].required);
    EXPECT_STR(st.columns[1].name, "x y");
    EXPECT_STR(st.columns[1].type_text, "struct(p int, q varchar[])");
    EXPECT_STR(st.columns[1].comment, "what's it");
    EXPECT_STR(st.columns[2].type_text, "decimal(10, 2)");
    assert_false(st.columns[2].required);
    EXPECT_STR(st.partition_sql, "bucket(4, id), day(ts)");
    assert_int_equal(st.format_version, 3);
    assert_int_equal(st.property_count, 2);
    EXPECT_STR(st.properties[1].value, "true");
    EXPECT_STR(st.location, "s3://b/x");
}

static void test_create_table_as_keeps_the_text_of_its_select(void **given)
{
    fixture *f = *given;
    statement st;
    EXPECT_OK(
        parse(f, "create table t partitioned by (a) as with x as (select 1 as a) from x", &st));
    assert_int_equal(st.kind, STATEMENT_CREATE_TABLE_AS);
    assert_int_equal(st.body.to - st.body.from, 11);
    EXPECT_STR(st.partition_sql, "a");
}

static void test_insert_tells_columns_from_a_source_in_brackets(void **given)
{
    fixture *f = *given;
    statement st;
    EXPECT_OK(parse(f, "insert into t (a, \"b\") values (1, 2)", &st));
    assert_int_equal(st.insert_column_count, 2);
    assert_int_equal(st.source, INSERT_VALUES);
    EXPECT_OK(parse(f, "insert into t (select a, b from c)", &st));
    assert_int_equal(st.insert_column_count, 0);
    assert_int_equal(st.source, INSERT_SELECT);
    EXPECT_OK(parse(f, "insert into t by name from s", &st));
    assert_true(st.by_name);
    EXPECT_OK(parse(f, "insert into t default values", &st));
    assert_int_equal(st.source, INSERT_DEFAULT_VALUES);
}

static void test_a_type_is_words_and_numbers_only(void **given)
{
    fixture *f = *given;
    statement st;
    EXPECT_STATUS(SYNTAX, parse(f, "create table t (a int + 1)", &st));
    EXPECT_STATUS(SYNTAX, parse(f, "create table t (a decimal(10 + 2))", &st));
    EXPECT_STATUS(SYNTAX, parse(f, "create table t (a decimal(?))", &st));
    EXPECT_STATUS(SYNTAX, parse(f, "create table t (a)", &st));
    EXPECT_STATUS(SYNTAX, parse(f, "create table t (a int", &st));
    EXPECT_STATUS(SYNTAX, parse(f, "create table t ()", &st));
}

static void test_refusals_name_the_statement_and_the_cure(void **given)
{
    fixture *f = *given;
    statement st;
    EXPECT_STATUS(UNSUPPORTED, parse(f, "begin transaction", &st));
    EXPECT_MESSAGE(f, "BEGIN is not supported");
    assert_int_equal(f->err.position, 0);
    EXPECT_STATUS(DENIED, parse(f, "copy t to 'x'", &st));
    EXPECT_MESSAGE(f, "COPY is not allowed");
    EXPECT_HINT(f,
                "Files go in with tarn load; results come out with tarn sql -o csv, or parquet.");
    EXPECT_STATUS(UNSUPPORTED, parse(f, "create or replace table t (a int)", &st));
    EXPECT_MESSAGE(f, "CREATE OR REPLACE is not supported");
    EXPECT_STATUS(UNSUPPORTED, parse(f, "drop view v", &st));
    EXPECT_MESSAGE(f, "DROP VIEW is not supported");
    EXPECT_STATUS(UNSUPPORTED, parse(f, "insert into t values (1) returning a", &st));
    assert_int_equal(f->err.position, 25);
    EXPECT_STATUS(UNSUPPORTED, parse(f, "insert into t select 1 on conflict do nothing", &st));
    EXPECT_STATUS(UNSUPPORTED, parse(f, "create table t (a int primary key)", &st));
    EXPECT_MESSAGE(f, "PRIMARY KEY is not supported in CREATE TABLE");
    EXPECT_STATUS(UNSUPPORTED, parse(f, "with x as (select 1) insert into t select * from x", &st));
    EXPECT_STATUS(UNSUPPORTED, parse(f, "explain insert into t select 1", &st));
}

static void test_syntax_errors_point_at_the_word(void **given)
{
    fixture *f = *given;
    statement st;
    EXPECT_STATUS(SYNTAX, parse(f, "selec 1", &st));
    EXPECT_MESSAGE(f, "syntax error at or near \"selec\"");
    EXPECT_STATUS(SYNTAX, parse(f, "create table t (a int) nonsense", &st));
    assert_int_equal(f->err.position, 23);
    EXPECT_STATUS(SYNTAX, parse(f, "drop table", &st));
    EXPECT_MESSAGE(f, "syntax error at the end of the statement");
    assert_int_equal(f->err.position, 10);
    EXPECT_STATUS(INVALID, parse(f, "create table t (a int, A int)", &st));
    EXPECT_MESSAGE(f, "column \"A\" is named twice");
}

TESTS(test_accepted_statements_are_of_duckdbs_kind,
      test_create_table_gives_columns_partitioning_and_properties,
      test_create_table_as_keeps_the_text_of_its_select,
      test_insert_tells_columns_from_a_source_in_brackets, test_a_type_is_words_and_numbers_only,
      test_refusals_name_the_statement_and_the_cure, test_syntax_errors_point_at_the_word)

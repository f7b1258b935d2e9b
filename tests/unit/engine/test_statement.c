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
        {STATEMENT_CREATE_VIEW, "CREATE"},
        {STATEMENT_DROP_VIEW, "DROP"},
        {STATEMENT_ALTER_VIEW, "ALTER"},
        {STATEMENT_INSERT, "INSERT"},
        {STATEMENT_UPDATE, "UPDATE"},
        {STATEMENT_DELETE, "DELETE"},
        {STATEMENT_MERGE, "MERGE_INTO"},
        {STATEMENT_TRUNCATE, "DELETE"},
        {STATEMENT_ALTER_TABLE, "ALTER"},
        {STATEMENT_COMMENT, "ALTER"},
        {STATEMENT_CALL, "CALL"},
        {STATEMENT_ANALYZE, "VACUUM"},
        {STATEMENT_PREPARE, "PREPARE"},
        {STATEMENT_EXECUTE, "EXECUTE"},
        {STATEMENT_DEALLOCATE, "DROP"},
        {STATEMENT_USE, "SET"},
        {STATEMENT_SHOW_TABLES, "SELECT"},
        {STATEMENT_BEGIN, "TRANSACTION"},
        {STATEMENT_COMMIT, "TRANSACTION"},
        {STATEMENT_ROLLBACK, "TRANSACTION"},
        {STATEMENT_SHOW_ALL_TABLES, "SELECT"},
        {STATEMENT_SHOW_SCHEMAS, "SELECT"},
        {STATEMENT_DESCRIBE_TABLE, "SELECT"},
    };
    str rest = GOLDEN(f, "engine/statements.jsonl");
    const json *entry;
    size_t accepted = 0, refused = 0, different = 0;
    while ((entry = golden_next(f, &rest)) != NULL) {
        const json *theirs = json_get(entry, "kinds");
        token_list list;
        token_range *ranges;
        size_t count;
        if (theirs == NULL) {
            continue;
        }
        str sql = json_str_or(json_get(entry, "sql"), STR(""));
        if (token_scan(sql, f->arena, &list, &f->err) != STATUS_OK) {
            continue; /* test_token.c tells */
        }
        token_split(&list, f->arena, &ranges, &count);
        for (size_t i = 0; i < count; i++) {
            statement st;
            str kind = json_str_or(json_at(theirs, i), STR(""));
            status result = statement_parse(&list, ranges[i], f->arena, &st, &f->err);
            if (result == STATUS_UNSUPPORTED || result == STATUS_DENIED) {
                refused++;
                continue;
            }
            bool same = false;
            for (size_t k = 0; result == STATUS_OK && k < COUNT_OF(kinds); k++) {
                same =
                    same || (kinds[k].ours == st.kind && str_equal(kind, str_c(kinds[k].theirs)));
            }
            if (!same) {
                print_error("%s, but DuckDB says %.*s: %.*s\n",
                            result == STATUS_OK ? statement_kind_name(st.kind) : f->err.message,
                            STR_ARG(kind), STR_ARG(sql));
                different++;
            }
            accepted++;
        }
    }
    assert_int_equal(different, 0);
    assert_true(accepted > 300);
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

static void test_alter_table_is_a_list_of_changes(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *sql;
        change_kind kind;
        size_t count;
        const char *text;
    } alters[] = {
        {"add column a.b int not null default -5 comment 'x' after c", CHANGE_ADD_COLUMN, 1, NULL},
        {"add columns (a int, b varchar first)", CHANGE_ADD_COLUMN, 2, NULL},
        {"add a int, add b int, drop c", CHANGE_ADD_COLUMN, 3, NULL},
        {"drop column if exists a.b", CHANGE_DROP_COLUMN, 1, NULL},
        {"drop columns (a, b)", CHANGE_DROP_COLUMN, 2, NULL},
        {"rename column a.b to c", CHANGE_RENAME_COLUMN, 1, NULL},
        {"rename to other.t", CHANGE_RENAME_TABLE, 1, NULL},
        {"alter a type decimal(10, 2)", CHANGE_COLUMN_TYPE, 1, NULL},
        {"alter column a set data type bigint", CHANGE_COLUMN_TYPE, 1, NULL},
        {"alter a set not null", CHANGE_SET_REQUIRED, 1, NULL},
        {"alter a drop not null", CHANGE_SET_REQUIRED, 1, NULL},
        {"alter a set default date '2024-01-01'", CHANGE_SET_DEFAULT, 1, NULL},
        {"alter a drop default", CHANGE_DROP_DEFAULT, 1, NULL},
        {"alter a comment 'x'", CHANGE_COLUMN_COMMENT, 1, "x"},
        {"alter a before b", CHANGE_MOVE_COLUMN, 1, NULL},
        {"set properties ('a' = 'b', c.d = 1)", CHANGE_SET_PROPERTIES, 1, NULL},
        {"unset tblproperties if exists ('a', 'b')", CHANGE_UNSET_PROPERTIES, 1, NULL},
        {"set identifier fields a, b.c", CHANGE_SET_IDENTIFIER, 1, NULL},
        {"drop identifier fields a", CHANGE_DROP_IDENTIFIER, 1, NULL},
        {"add partition field bucket(4, a) as b", CHANGE_ADD_PARTITION, 1, "bucket(4, a) as b"},
        {"drop partition field a_day", CHANGE_DROP_PARTITION, 1, "a_day"},
        {"replace partition field day(ts) with hour(ts)", CHANGE_REPLACE_PARTITION, 1, "day(ts)"},
        {"set partitioned by (a, day(b))", CHANGE_PARTITIONING, 1, "a, day(b)"},
        {"write ordered by a desc, bucket(4, b)", CHANGE_ORDER, 1, "a desc, bucket(4, b)"},
        {"write unordered", CHANGE_ORDER, 1, ""},
        {"set format version 3", CHANGE_FORMAT_VERSION, 1, NULL},
        {"create or replace branch b as of version 5 retain 2 days", CHANGE_SET_REF, 1, NULL},
        {"replace tag t as of version 5", CHANGE_SET_REF, 1, NULL},
        {"drop tag if exists t", CHANGE_DROP_REF, 1, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(alters); i++) {
        statement st;
        EXPECT_OK(parse(f, arena_printf(f->arena, "alter table n.t %s", alters[i].sql), &st));
        assert_int_equal(st.kind, STATEMENT_ALTER_TABLE);
        assert_int_equal(st.changes[0].kind, alters[i].kind);
        assert_int_equal(st.change_count, alters[i].count);
        if (alters[i].text != NULL) {
            EXPECT_STR(st.changes[0].text, alters[i].text);
        }
    }
}

static void test_details_of_alter_table_arrive(void **given)
{
    fixture *f = *given;
    statement st;
    EXPECT_OK(parse(f, "alter table t add a.b int not null default -5 comment 'x' after c", &st));
    assert_int_equal(st.changes[0].path.count, 2);
    EXPECT_STR(st.changes[0].column.name, "b");
    EXPECT_STR(st.changes[0].column.type_text, "int");
    assert_true(st.changes[0].column.required);
    assert_int_equal(st.changes[0].column.fallback.to - st.changes[0].column.fallback.from, 2);
    assert_int_equal(st.changes[0].place, ICE_AFTER);
    EXPECT_STR(st.changes[0].beside, "c");
    EXPECT_OK(parse(f,
                    "alter table t create branch if not exists b as of version 7 retain 3 hours "
                    "with snapshot retention 2 snapshots 5 days",
                    &st));
    assert_true(st.changes[0].if_exists && st.changes[0].create && !st.changes[0].ref.is_tag);
    assert_int_equal(st.changes[0].ref.snapshot_id, 7);
    assert_int_equal(st.changes[0].ref.max_ref_age_ms, 10800000);
    assert_int_equal(st.changes[0].ref.min_snapshots_to_keep, 2);
    assert_int_equal(st.changes[0].ref.max_snapshot_age_ms, 432000000);
    EXPECT_OK(parse(f, "comment on column a.t.c is null", &st));
    assert_int_equal(st.name.count, 2);
    EXPECT_STR(st.changes[0].path.parts[0], "c");
    assert_true(str_is_null(st.changes[0].text));
    EXPECT_OK(parse(f, "call tarn.system.p('a.t', snapshot_id => -5, x := TIMESTAMP '2024')", &st));
    assert_int_equal(st.name.count, 3);
    assert_int_equal(st.argument_count, 3);
    assert_true(str_is_null(st.arguments[0].name));
    EXPECT_STR(st.arguments[1].name, "snapshot_id");
    assert_int_equal(st.arguments[2].value.to - st.arguments[2].value.from, 2);
}

static void test_alter_table_refuses_at_the_word(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *sql;
        status kind;
        int position;
    } wrong[] = {
        {"alter table t", STATUS_SYNTAX, 13},
        {"alter table t frob x", STATUS_SYNTAX, 14},
        {"alter table t add a", STATUS_SYNTAX, 19},
        {"alter table t add a int default now()", STATUS_UNSUPPORTED, 32},
        {"alter table t add a int primary key", STATUS_UNSUPPORTED, 24},
        {"alter table t alter a type int using a + 1", STATUS_UNSUPPORTED, 31},
        {"alter table t rename a x", STATUS_SYNTAX, 23},
        {"alter table t rename to b, drop c", STATUS_UNSUPPORTED, 24},
        {"alter table t set properties ('a' = '1', 'a' = '2')", STATUS_INVALID, 41},
        {"alter table t write ordered by", STATUS_SYNTAX, 30},
        {"alter table t replace partition field a", STATUS_SYNTAX, 39},
        {"alter table t create branch b retain 5 weeks", STATUS_SYNTAX, 39},
        {"alter table t drop c cascade", STATUS_SYNTAX, 21},
        {"comment on column c is 'x'", STATUS_SYNTAX, 20},
        {"alter sequence v rename to w", STATUS_UNSUPPORTED, 0},
        {"call p(1", STATUS_SYNTAX, 8},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        statement st;
        status s = parse(f, wrong[i].sql, &st);
        if (s != wrong[i].kind || f->err.position != wrong[i].position) {
            fail_msg("%s: %s at %d: %s", wrong[i].sql, status_describe(s)->name, f->err.position,
                     f->err.message);
        }
    }
}

static void test_refusals_name_the_statement_and_the_cure(void **given)
{
    fixture *f = *given;
    statement st;
    EXPECT_STATUS(UNSUPPORTED, parse(f, "savepoint a", &st));
    EXPECT_MESSAGE(f, "SAVEPOINT is not supported");
    assert_int_equal(f->err.position, 0);
    EXPECT_STATUS(DENIED, parse(f, "copy t to 'x'", &st));
    EXPECT_MESSAGE(f, "COPY is not allowed");
    EXPECT_HINT(f,
                "Files go in with tarn load; results come out with tarn sql -o csv, or parquet.");
    EXPECT_STATUS(UNSUPPORTED, parse(f, "create or replace macro t() as 1", &st));
    EXPECT_MESSAGE(f, "CREATE OR REPLACE is not supported");
    EXPECT_STATUS(UNSUPPORTED, parse(f, "drop sequence v", &st));
    EXPECT_MESSAGE(f, "DROP SEQUENCE is not supported");
    EXPECT_STATUS(UNSUPPORTED, parse(f, "insert into t partition (a = 1) select 1", &st));
    assert_int_equal(f->err.position, 14);
    EXPECT_STATUS(UNSUPPORTED, parse(f, "create table t (a int primary key)", &st));
    EXPECT_MESSAGE(f, "PRIMARY KEY is not supported in CREATE TABLE");
    EXPECT_STATUS(DENIED, parse(f, "set threads = 1", &st));
    EXPECT_STATUS(UNSUPPORTED, parse(f, "explain analyze drop table t", &st));
    EXPECT_STATUS(UNSUPPORTED, parse(f, "rollback work to savepoint s", &st));
    assert_int_equal(f->err.position, 14);
    EXPECT_STATUS(UNSUPPORTED, parse(f, "drop table t cascade", &st));
    assert_int_equal(f->err.position, 13);
}

static void test_explain_analyze_of_a_change_is_that_change(void **given)
{
    fixture *f = *given;
    statement st;
    EXPECT_OK(parse(f, "explain analyze insert into t select 1", &st));
    assert_int_equal(statement_effect(&st), STATEMENT_INSERT);
    assert_true(statement_changes(statement_effect(&st)));
    EXPECT_OK(parse(f, "prepare p as explain (analyze, format json) delete from t", &st));
    assert_int_equal(st.inner, STATEMENT_DELETE);
    EXPECT_OK(parse(f, "explain insert into t select 1", &st));
    assert_int_equal(statement_effect(&st), STATEMENT_EXPLAIN);
    EXPECT_OK(parse(f, "explain analyze select 1", &st));
    assert_int_equal(statement_effect(&st), STATEMENT_EXPLAIN);
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

static void test_delete_is_a_table_and_a_condition(void **given)
{
    fixture *f = *given;
    const char *sql = "DELETE FROM a.t AS x WHERE (x.n) IN (1, 2)";
    statement st;

    EXPECT_OK(parse(f, sql, &st));
    assert_int_equal(st.kind, STATEMENT_DELETE);
    assert_int_equal(st.name.count, 2);
    EXPECT_STR(st.alias, "x");
    assert_int_equal(st.name_token, 2);
    assert_int_equal(st.where.to - st.where.from, 11);
    EXPECT_OK(parse(f, "delete from t", &st));
    assert_int_equal(st.where.from, st.where.to);
    assert_true(str_is_null(st.alias));
    EXPECT_OK(parse(f, "truncate table t", &st));
    assert_int_equal(st.kind, STATEMENT_TRUNCATE);
    /* What would end the bracket that the condition is put into. */
    EXPECT_STATUS(SYNTAX, parse(f, "DELETE FROM t WHERE a) OR (b", &st));
    assert_int_equal(f->err.position, 21);
    EXPECT_OK(parse(f, "DELETE FROM t WHERE a RETURNING a, b", &st));
    assert_int_equal(st.where.to - st.where.from, 1);
    assert_int_equal(st.returning.to - st.returning.from, 3);
    EXPECT_STATUS(SYNTAX, parse(f, "DELETE FROM t RETURNING", &st));
    EXPECT_OK(parse(f, "DELETE FROM t USING u WHERE a", &st));
    assert_int_equal(st.source_items.to - st.source_items.from, 1);
    EXPECT_OK(parse(f, "INSERT OVERWRITE t PARTITION (p = DATE '2026-01-01', q) SELECT 1", &st));
    assert_true(st.overwrite);
    assert_int_equal(st.partition_count, 2);
    assert_int_equal(st.partition[0].value.to - st.partition[0].value.from, 2);
    assert_int_equal(st.partition[1].value.from, st.partition[1].value.to);
    EXPECT_OK(parse(f, "SET branch = 'audit'", &st));
    assert_int_equal(st.kind, STATEMENT_SET_BRANCH);
    EXPECT_STR(st.branch, "audit");
    EXPECT_OK(parse(f, "RESET branch", &st));
    assert_true(str_is_null(st.branch));
}

static void test_update_is_assignments_sources_and_a_condition(void **given)
{
    fixture *f = *given;
    statement st;

    EXPECT_OK(parse(f,
                    "UPDATE a.t x SET p = CASE WHEN a THEN b END, q = b IS NOT DISTINCT FROM c, "
                    "(r, s) = (f(1, 2), DEFAULT) FROM u, v WHERE w",
                    &st));
    assert_int_equal(st.kind, STATEMENT_UPDATE);
    EXPECT_STR(st.alias, "x");
    assert_int_equal(st.branch_count, 1);
    assert_int_equal(st.branches[0].set_count, 4);
    EXPECT_STR(st.branches[0].sets[1].column, "q");
    assert_int_equal(st.branches[0].sets[1].value.to - st.branches[0].sets[1].value.from, 6);
    assert_false(st.branches[0].sets[2].fallback);
    assert_true(st.branches[0].sets[3].fallback);
    assert_int_equal(st.source_items.to - st.source_items.from, 3);
    assert_int_equal(st.where.to - st.where.from, 1);
    EXPECT_STATUS(SYNTAX, parse(f, "UPDATE t SET a = 1) OR (b", &st));
    EXPECT_STATUS(SYNTAX, parse(f, "UPDATE t SET a =", &st));
    EXPECT_STATUS(INVALID, parse(f, "UPDATE t SET (a, b) = (1)", &st));
    EXPECT_OK(parse(f, "WITH RECURSIVE u AS (SELECT 1) UPDATE t SET a.b = 1 RETURNING *", &st));
    assert_int_equal(st.kind, STATEMENT_UPDATE);
    assert_true(st.with_recursive);
    assert_int_equal(st.with.to - st.with.from, 6);
    assert_int_equal(st.branches[0].sets[0].path_count, 2);
    EXPECT_STR(st.branches[0].sets[0].column, "a");
    EXPECT_STATUS(UNSUPPORTED, parse(f, "UPDATE t SET (a, b) = (SELECT 1, 2)", &st));
}

static void test_merge_is_a_source_and_branches(void **given)
{
    fixture *f = *given;
    statement st;
    static const struct {
        const char *source, *alias;
    } sources[] = {{"a.s", "s"},
                   {"s AS x", "x"},
                   {"s x", "x"},
                   {"(SELECT 1) AS x(a, b)", "x"},
                   {"(VALUES (1)) x(a)", "x"},
                   {"VALUES (1), (2) AS x(a)", "x"},
                   {"range(5) AS x(i)", "x"},
                   {"range(5)", "range"},
                   {"s FOR VERSION AS OF 'v' AS x", "x"},
                   {"s AT (VERSION => 1) x", "x"},
                   {"s x VERSION AS OF 3", "x"}};

    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        const char *sql = arena_printf(
            f->arena, "MERGE INTO t USING %s ON a WHEN MATCHED THEN DELETE", sources[i].source);
        EXPECT_OK(parse(f, sql, &st));
        EXPECT_STR(st.source_alias, sources[i].alias);
    }
    EXPECT_OK(parse(f,
                    "MERGE INTO t USING s ON CASE WHEN a THEN b END WHEN MATCHED AND c THEN UPDATE "
                    "SET * WHEN NOT MATCHED BY SOURCE THEN DO NOTHING WHEN NOT MATCHED BY TARGET "
                    "THEN INSERT (a, b) VALUES (1, DEFAULT)",
                    &st));
    assert_int_equal(st.on.to - st.on.from, 6);
    assert_int_equal(st.branch_count, 3);
    assert_true(st.branches[0].all);
    assert_int_equal(st.branches[0].condition.to - st.branches[0].condition.from, 1);
    assert_int_equal(st.branches[1].match, BRANCH_NO_SOURCE);
    assert_int_equal(st.branches[1].action, BRANCH_NOTHING);
    assert_int_equal(st.branches[2].match, BRANCH_NO_TARGET);
    assert_int_equal(st.branches[2].set_count, 2);
    EXPECT_STATUS(SYNTAX, parse(f, "MERGE INTO t USING s ON a", &st));
    EXPECT_STATUS(UNSUPPORTED,
                  parse(f, "MERGE INTO t USING s JOIN u ON a ON b WHEN MATCHED THEN DELETE", &st));
    EXPECT_STATUS(UNSUPPORTED,
                  parse(f, "MERGE INTO t USING s ON a WHEN NOT MATCHED THEN DELETE", &st));
}

static void test_upserts_are_inserts_with_a_branch(void **given)
{
    fixture *f = *given;
    statement st;

    EXPECT_OK(
        parse(f, "INSERT INTO t SELECT 1 ON CONFLICT (a, b) DO UPDATE SET c = 1 WHERE d", &st));
    assert_true(st.upsert);
    assert_int_equal(st.conflict_count, 2);
    assert_int_equal(st.body.to - st.body.from, 2);
    assert_int_equal(st.branches[0].set_count, 1);
    EXPECT_OK(parse(f, "INSERT OR IGNORE INTO t VALUES (1)", &st));
    assert_true(st.upsert);
    assert_int_equal(st.branches[0].action, BRANCH_NOTHING);
    EXPECT_STATUS(SYNTAX,
                  parse(f, "INSERT OR REPLACE INTO t VALUES (1) ON CONFLICT DO NOTHING", &st));
    EXPECT_STATUS(SYNTAX, parse(f, "INSERT INTO t ON CONFLICT DO NOTHING", &st));
    EXPECT_STATUS(UNSUPPORTED, parse(f, "INSERT OVERWRITE t SELECT 1 ON CONFLICT DO NOTHING", &st));
}

TESTS(test_delete_is_a_table_and_a_condition, test_update_is_assignments_sources_and_a_condition,
      test_merge_is_a_source_and_branches, test_upserts_are_inserts_with_a_branch,
      test_accepted_statements_are_of_duckdbs_kind,
      test_create_table_gives_columns_partitioning_and_properties,
      test_create_table_as_keeps_the_text_of_its_select,
      test_insert_tells_columns_from_a_source_in_brackets, test_a_type_is_words_and_numbers_only,
      test_alter_table_is_a_list_of_changes, test_details_of_alter_table_arrive,
      test_alter_table_refuses_at_the_word, test_refusals_name_the_statement_and_the_cure,
      test_explain_analyze_of_a_change_is_that_change, test_syntax_errors_point_at_the_word)

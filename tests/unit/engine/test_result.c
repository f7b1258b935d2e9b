/* Claims about results: what each type and format looks like on its way to the client (interface.md, "-o"). */
#include "unit/engine/worker_fixture.h"

static worker *start(fixture *f)
{
    worker_options options = default_options(f);
    worker_pool *pool = open_pool(f, &options);
    worker *w = acquire(f, pool, "alice");

    arena_defer(f->arena, (void (*)(void *))worker_release, w);
    return w;
}

/* One row, one column, as JSON and as CSV. */
typedef struct form {
    const char *sql;
    const char *type;
    const char *json;
    const char *csv;
} form;

/* clang-format off */
static const form forms[] = {
    {"NULL", "INTEGER", "null", ""},
    {"true", "BOOLEAN", "true", "true"},
    {"(-128)::TINYINT", "TINYINT", "-128", "-128"},
    {"(-32768)::SMALLINT", "SMALLINT", "-32768", "-32768"},
    {"(-2147483648)::INTEGER", "INTEGER", "-2147483648", "-2147483648"},
    {"9007199254740991", "BIGINT", "9007199254740991", "9007199254740991"},
    {"9007199254740992", "BIGINT", "\"9007199254740992\"", "9007199254740992"},
    {"-9007199254740991", "BIGINT", "-9007199254740991", "-9007199254740991"},
    {"(-9223372036854775808)::BIGINT", "BIGINT", "\"-9223372036854775808\"", "-9223372036854775808"},
    {"255::UTINYINT", "UTINYINT", "255", "255"},
    {"65535::USMALLINT", "USMALLINT", "65535", "65535"},
    {"4294967295::UINTEGER", "UINTEGER", "4294967295", "4294967295"},
    {"18446744073709551615::UBIGINT", "UBIGINT", "\"18446744073709551615\"", "18446744073709551615"},
    {"7::UBIGINT", "UBIGINT", "7", "7"},
    {"7::HUGEINT", "HUGEINT", "7", "7"},
    {"(-7)::HUGEINT", "HUGEINT", "-7", "-7"},
    {"(-9007199254740992)::HUGEINT", "HUGEINT", "\"-9007199254740992\"", "-9007199254740992"},
    {"170141183460469231731687303715884105727::HUGEINT", "HUGEINT", "\"170141183460469231731687303715884105727\"", "170141183460469231731687303715884105727"},
    {"(-170141183460469231731687303715884105728)::HUGEINT", "HUGEINT", "\"-170141183460469231731687303715884105728\"", "-170141183460469231731687303715884105728"},
    {"340282366920938463463374607431768211455::UHUGEINT", "UHUGEINT", "\"340282366920938463463374607431768211455\"", "340282366920938463463374607431768211455"},
    {"0.1::FLOAT", "FLOAT", "0.1", "0.1"},
    {"16777216::FLOAT", "FLOAT", "16777216.0", "16777216.0"},
    {"3.4028235e38::FLOAT", "FLOAT", "3.4028235e+38", "3.4028235e+38"},
    {"0.1::DOUBLE", "DOUBLE", "0.1", "0.1"},
    {"1::DOUBLE", "DOUBLE", "1.0", "1.0"},
    {"(-0.0::DOUBLE)", "DOUBLE", "-0.0", "-0.0"},
    {"12345.678::DOUBLE", "DOUBLE", "12345.678", "12345.678"},
    {"0.30000000000000004::DOUBLE", "DOUBLE", "0.30000000000000004", "0.30000000000000004"},
    {"1e300::DOUBLE", "DOUBLE", "1e+300", "1e+300"},
    {"5e-324::DOUBLE", "DOUBLE", "5e-324", "5e-324"},
    {"'nan'::DOUBLE", "DOUBLE", "\"NaN\"", "NaN"},
    {"'-inf'::FLOAT", "FLOAT", "\"-Infinity\"", "-Infinity"},
    {"12.30::DECIMAL(4,2)", "DECIMAL(4,2)", "\"12.30\"", "12.30"},
    {"(-0.05)::DECIMAL(9,2)", "DECIMAL(9,2)", "\"-0.05\"", "-0.05"},
    {"1::DECIMAL(18,3)", "DECIMAL(18,3)", "\"1.000\"", "1.000"},
    {"(-99999999999999999999999999999999999.999)::DECIMAL(38,3)", "DECIMAL(38,3)", "\"-99999999999999999999999999999999999.999\"", "-99999999999999999999999999999999999.999"},
    {"5::DECIMAL(5,0)", "DECIMAL(5,0)", "\"5\"", "5"},
    {"DATE '2026-11-21'", "DATE", "\"2026-11-21\"", "2026-11-21"},
    {"DATE '1969-12-31'", "DATE", "\"1969-12-31\"", "1969-12-31"},
    {"'infinity'::DATE", "DATE", "\"infinity\"", "infinity"},
    {"'0044-03-15 (BC)'::DATE", "DATE", "\"-0043-03-15\"", "-0043-03-15"},
    {"'12345-01-01'::DATE", "DATE", "\"+12345-01-01\"", "+12345-01-01"},
    {"TIME '01:02:03'", "TIME", "\"01:02:03\"", "01:02:03"},
    {"TIME '01:02:03.5'", "TIME", "\"01:02:03.500000\"", "01:02:03.500000"},
    {"'01:02:03.000000001'::TIME_NS", "TIME_NS", "\"01:02:03.000000001\"", "01:02:03.000000001"},
    {"'12:00:00+02:30'::TIMETZ", "TIME WITH TIME ZONE", "\"12:00:00+02:30\"", "12:00:00+02:30"},
    {"'12:00:00-05'::TIMETZ", "TIME WITH TIME ZONE", "\"12:00:00-05\"", "12:00:00-05"},
    {"TIMESTAMP '2026-11-21 01:02:03'", "TIMESTAMP", "\"2026-11-21T01:02:03\"", "2026-11-21T01:02:03"},
    {"TIMESTAMP '1969-12-31 23:59:59.999999'", "TIMESTAMP", "\"1969-12-31T23:59:59.999999\"", "1969-12-31T23:59:59.999999"},
    {"TIMESTAMP '2026-11-21 01:02:03.25'", "TIMESTAMP", "\"2026-11-21T01:02:03.250000\"", "2026-11-21T01:02:03.250000"},
    {"'-infinity'::TIMESTAMP", "TIMESTAMP", "\"-infinity\"", "-infinity"},
    {"TIMESTAMPTZ '2026-11-21 01:02:03+02'", "TIMESTAMP WITH TIME ZONE", "\"2026-11-20T23:02:03Z\"", "2026-11-20T23:02:03Z"},
    {"'infinity'::TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", "\"infinity\"", "infinity"},
    {"'2026-11-21 01:02:03'::TIMESTAMP_S", "TIMESTAMP_S", "\"2026-11-21T01:02:03\"", "2026-11-21T01:02:03"},
    {"'2026-11-21 01:02:03.5'::TIMESTAMP_MS", "TIMESTAMP_MS", "\"2026-11-21T01:02:03.500000\"", "2026-11-21T01:02:03.500000"},
    {"'2026-11-21 01:02:03.5'::TIMESTAMP_NS", "TIMESTAMP_NS", "\"2026-11-21T01:02:03.500000000\"", "2026-11-21T01:02:03.500000000"},
    {"INTERVAL '14 months 3 days' + INTERVAL '-1 hour'", "INTERVAL", "\"1 year 2 months 3 days -01:00:00\"", "1 year 2 months 3 days -01:00:00"},
    {"INTERVAL 0 DAY", "INTERVAL", "\"00:00:00\"", "00:00:00"},
    {"to_microseconds(-1500)", "INTERVAL", "\"-00:00:00.0015\"", "-00:00:00.0015"},
    {"'A1B2C3D4-0000-0000-0000-00000000000F'::UUID", "UUID", "\"a1b2c3d4-0000-0000-0000-00000000000f\"", "a1b2c3d4-0000-0000-0000-00000000000f"},
    {"'\\xDE\\xAD\\xBE\\xEF'::BLOB", "BLOB", "\"3q2+7w==\"", "3q2+7w=="},
    {"''::BLOB", "BLOB", "\"\"", "\"\""},
    {"'01011'::BIT", "BIT", "\"01011\"", "01011"},
    {"''", "VARCHAR", "\"\"", "\"\""},
    {"'plain'", "VARCHAR", "\"plain\"", "plain"},
    {"'a string longer than twelve bytes'", "VARCHAR", "\"a string longer than twelve bytes\"", "a string longer than twelve bytes"},
    {"'a,b'", "VARCHAR", "\"a,b\"", "\"a,b\""},
    {"'say \"hi\"'", "VARCHAR", "\"say \\\"hi\\\"\"", "\"say \"\"hi\"\"\""},
    {"'two' || chr(10) || 'lines' || chr(9) || chr(1) || '\\'", "VARCHAR", "\"two\\nlines\\t\\u0001\\\\\"", "\"two\nlines\t\001\\\""},
    {"'ünï→'", "VARCHAR", "\"ünï→\"", "ünï→"},
    {"'{\"a\": 1}'::JSON", "JSON", "\"{\\\"a\\\": 1}\"", "\"{\"\"a\"\": 1}\""},
    {"'b'::ENUM('a', 'b')", "ENUM('a', 'b')", "\"b\"", "b"},
    {"[1, NULL, 3]", "INTEGER[]", "[1,null,3]", "\"[1,null,3]\""},
    {"[]::INTEGER[]", "INTEGER[]", "[]", "[]"},
    {"[[1], NULL, [2, 3]]", "INTEGER[][]", "[[1],null,[2,3]]", "\"[[1],null,[2,3]]\""},
    {"[1, 2]::INTEGER[2]", "INTEGER[2]", "[1,2]", "\"[1,2]\""},
    {"{'a': 1, 'b \"c': 'x'}", "STRUCT(a INTEGER, \"b \"\"c\" VARCHAR)", "{\"a\":1,\"b \\\"c\":\"x\"}", "\"{\"\"a\"\":1,\"\"b \\\"\"c\"\":\"\"x\"\"}\""},
    {"row(1, 'x')", "STRUCT(INTEGER, VARCHAR)", "[1,\"x\"]", "\"[1,\"\"x\"\"]\""},
    {"MAP {'k': 1, 'l': NULL}", "MAP(VARCHAR, INTEGER)", "[{\"key\":\"k\",\"value\":1},{\"key\":\"l\",\"value\":null}]", "\"[{\"\"key\"\":\"\"k\"\",\"\"value\"\":1},{\"\"key\"\":\"\"l\"\",\"\"value\"\":null}]\""},
    {"union_value(n := 12.5::DOUBLE)", "UNION(n DOUBLE)", "12.5", "12.5"},
    {"{'d': [DATE '2020-01-01'], 'm': MAP {1: 9007199254740993}}", "STRUCT(d DATE[], m MAP(INTEGER, BIGINT))", "{\"d\":[\"2020-01-01\"],\"m\":[{\"key\":1,\"value\":\"9007199254740993\"}]}", "\"{\"\"d\"\":[\"\"2020-01-01\"\"],\"\"m\"\":[{\"\"key\"\":1,\"\"value\"\":\"\"9007199254740993\"\"}]}\""},
    {"'123456789012345678901234567890123456789012'::BIGNUM", "BIGNUM", "\"123456789012345678901234567890123456789012\"", "123456789012345678901234567890123456789012"},
    {"'POINT(1 2)'::GEOMETRY", "GEOMETRY", "\"POINT (1 2)\"", "POINT (1 2)"},
    {"{'a': 1}::VARIANT", "VARIANT", "\"{'a': 1}\"", "{'a': 1}"},
    {"[12::VARIANT]", "VARIANT[]", "[\"12\"]", "\"[\"\"12\"\"]\""},
};
/* clang-format on */

static void test_every_type_has_its_form(void **state)
{
    fixture *f = *state;
    worker *w = start(f);

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        const char *sql = arena_printf(f->arena, "SELECT %s AS c", forms[i].sql);
        worker_query_options options = {
            .sql = str_c(sql), .format = RESULT_JSON_ROWS, .rows_max = -1};
        worker_query_result counts;
        gathered *g = gathered_create(f);

        print_message("%s\n", forms[i].sql);
        EXPECT_OK(query(f, w, &options, g, &counts));
        EXPECT_STR(buf_str(&g->bytes), arena_printf(f->arena, "[%s]", forms[i].json));
        assert_int_equal(g->column_count, 1);
        EXPECT_STR(g->columns[0].name, "c");
        EXPECT_STR(g->columns[0].type, forms[i].type);
        EXPECT_STR(result_of(f, w, RESULT_CSV, sql),
                   arena_printf(f->arena, "c\n%s\n", forms[i].csv));
    }
}

/* Vectors of lists and structs are not flat by themselves: filters, joins and unnesting leave selections. */
static void test_nested_values_survive_selections(void **state)
{
    fixture *f = *state;
    worker *w = start(f);

    EXPECT_STR(
        result_of(
            f, w, RESULT_JSONL,
            "SELECT l, s FROM (SELECT i, [{'a': i, 'b': ['x' || i, NULL]}, NULL] AS l, {'n': {'m': i}} AS s "
            "FROM range(5000) t(i)) WHERE i IN (7, 4097) ORDER BY i"),
        "{\"l\":[{\"a\":7,\"b\":[\"x7\",null]},null],\"s\":{\"n\":{\"m\":7}}}\n"
        "{\"l\":[{\"a\":4097,\"b\":[\"x4097\",null]},null],\"s\":{\"n\":{\"m\":4097}}}\n");
    EXPECT_STR(result_of(f, w, RESULT_JSON_ROWS,
                         "SELECT x.l FROM (SELECT [MAP {1: 'one'}] AS l) x, range(3) ORDER BY ALL"),
               "[[[{\"key\":1,\"value\":\"one\"}]]],[[[{\"key\":1,\"value\":\"one\"}]]],"
               "[[[{\"key\":1,\"value\":\"one\"}]]]");
}

static void test_formats_frame_rows(void **state)
{
    fixture *f = *state;
    worker *w = start(f);
    const char *sql = "SELECT * FROM (VALUES (1, 'a'), (2, NULL), (3, '')) t(n, s) ORDER BY n";

    EXPECT_STR(result_of(f, w, RESULT_JSON_ROWS, sql), "[1,\"a\"],[2,null],[3,\"\"]");
    EXPECT_STR(result_of(f, w, RESULT_JSON_OBJECTS, sql),
               "[{\"n\":1,\"s\":\"a\"},{\"n\":2,\"s\":null},{\"n\":3,\"s\":\"\"}]");
    EXPECT_STR(result_of(f, w, RESULT_JSONL, sql),
               "{\"n\":1,\"s\":\"a\"}\n{\"n\":2,\"s\":null}\n{\"n\":3,\"s\":\"\"}\n");
    EXPECT_STR(result_of(f, w, RESULT_CSV, sql), "n,s\n1,a\n2,\n3,\"\"\n");
    EXPECT_STR(result_of(f, w, RESULT_TSV, sql), "n\ts\n1\ta\n2\t\n3\t\"\"\n");
    EXPECT_STR(result_of(f, w, RESULT_NONE, sql), "");
}

static void test_empty_results_keep_their_frame(void **state)
{
    fixture *f = *state;
    worker *w = start(f);
    const char *sql = "SELECT 1 AS a WHERE false";

    EXPECT_STR(result_of(f, w, RESULT_JSON_ROWS, sql), "");
    EXPECT_STR(result_of(f, w, RESULT_JSON_OBJECTS, sql), "[]");
    EXPECT_STR(result_of(f, w, RESULT_JSONL, sql), "");
    EXPECT_STR(result_of(f, w, RESULT_CSV, sql), "a\n");
}

static void test_tsv_escapes_what_would_break_a_line(void **state)
{
    fixture *f = *state;
    worker *w = start(f);

    EXPECT_STR(result_of(f, w, RESULT_TSV,
                         "SELECT 'a' || chr(9) || 'b' || chr(10) || 'c\\d\"' AS \"x\ty\""),
               "x\\ty\na\\tb\\nc\\\\d\"\n");
}

static void test_equal_names_stay_in_rows_and_differ_in_objects(void **state)
{
    fixture *f = *state;
    worker *w = start(f);
    const char *sql = "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a";

    EXPECT_STR(result_of(f, w, RESULT_CSV, sql), "a,a,a_1,a\n1,2,3,4\n");
    EXPECT_STR(result_of(f, w, RESULT_JSONL, sql), "{\"a\":1,\"a_1\":2,\"a_1_1\":3,\"a_2\":4}\n");
}

static void test_rows_max_ends_the_result(void **state)
{
    fixture *f = *state;
    worker *w = start(f);
    worker_query_options options = {.sql = STR("SELECT i FROM range(100000000) t(i)"),
                                    .format = RESULT_JSON_ROWS,
                                    .rows_max = 3};
    worker_query_result counts;
    gathered *g = gathered_create(f);

    EXPECT_OK(query(f, w, &options, g, &counts));
    EXPECT_STR(buf_str(&g->bytes), "[0],[1],[2]");
    assert_int_equal(counts.row_count, 3);
    options.rows_max = 0;
    buf_clear(&g->bytes);
    EXPECT_OK(query(f, w, &options, g, &counts));
    assert_int_equal(g->bytes.size, 0);
    assert_int_equal(g->column_count, 1);
}

static status bind(fixture *f, worker *w, const char *sql, const char *params, str *ret_text)
{
    worker_query_options options = {.sql = str_c(sql), .format = RESULT_JSON_ROWS, .rows_max = -1};
    worker_query_result counts;
    gathered *g = gathered_create(f);

    EXPECT_OK(json_parse(test_quoted(f, params), f->arena, &options.params, &f->err));
    TRY(query(f, w, &options, g, &counts));
    *ret_text = buf_str(&g->bytes);
    return STATUS_OK;
}

static void test_parameters_bind_by_position_and_by_name(void **state)
{
    fixture *f = *state;
    worker *w = start(f);
    str text = STR_NULL;

    EXPECT_OK(bind(f, w, "SELECT $1, $2, $3, $4, $5", "[1, 9007199254740993, 1.5, 'it, too', null]",
                   &text));
    EXPECT_STR(text, "[1,\"9007199254740993\",1.5,\"it, too\",null]");
    EXPECT_OK(bind(f, w, "SELECT ?, DATE '2020-01-01' + ?", "[true, 1]", &text));
    EXPECT_STR(text, "[true,\"2020-01-02\"]");
    EXPECT_OK(bind(f, w, "SELECT $b || $a, $a", "{'a': 'x', 'b': 'y'}", &text));
    EXPECT_STR(text, "[\"yx\",\"x\"]");
    EXPECT_OK(bind(f, w, "SELECT [$1::VARIANT]", "[7]", &text));
    EXPECT_STR(text, "[[\"7\"]]");
}

static void test_parameters_that_do_not_fit_are_named(void **state)
{
    fixture *f = *state;
    worker *w = start(f);
    str text = STR_NULL;

    EXPECT_STATUS(INVALID, bind(f, w, "SELECT $1, $2", "[1]", &text));
    EXPECT_MESSAGE(f, "the statement has 2 parameters, but 1 was given");
    EXPECT_STATUS(INVALID, bind(f, w, "SELECT $a", "{'b': 1}", &text));
    EXPECT_MESSAGE(f, "parameter \"a\" was not given");
    EXPECT_STATUS(INVALID, bind(f, w, "SELECT $a", "{'a': 1, 'b': 1}", &text));
    EXPECT_MESSAGE(f, "the statement has no parameter \"b\"");
    EXPECT_STATUS(INVALID, bind(f, w, "SELECT $1", "[[1]]", &text));
    EXPECT_STATUS(INVALID, worker_exec(w, STR("SELECT $1"), NULL, &f->err));
}

/* The error is in the last row: rows before it have left the worker already, and in many messages. */
static void test_first_rows_leave_before_the_last_one_exists(void **state)
{
    fixture *f = *state;
    worker *w = start(f);
    worker_query_options options = {
        .sql = STR(
            "SELECT CASE WHEN i = 2000000 THEN error('last row') ELSE i END AS n FROM range(2000001) t(i)"),
        .format = RESULT_JSONL,
        .rows_max = -1};
    worker_query_result counts;
    gathered *g = gathered_create(f);

    EXPECT_STATUS(BAD_DATA, query(f, w, &options, g, &counts));
    EXPECT_MESSAGE(f, "last row");
    assert_true(str_starts_with(buf_str(&g->bytes), STR("{\"n\":")));
    assert_true(g->writes > 10);
}

static void test_scalar_is_text_or_null(void **state)
{
    fixture *f = *state;
    worker *w = start(f);
    const str params[] = {STR_INIT("it's"), {.data = NULL}};
    str text;

    EXPECT_OK(worker_scalar(w, STR("SELECT 42"), NULL, 0, NULL, f->arena, &text, &f->err));
    EXPECT_STR(text, "42");
    EXPECT_OK(worker_scalar(w, STR("SELECT NULL"), NULL, 0, NULL, f->arena, &text, &f->err));
    assert_true(str_is_null(text));
    EXPECT_OK(worker_scalar(w, STR("SELECT ''"), NULL, 0, NULL, f->arena, &text, &f->err));
    assert_true(!str_is_null(text) && text.size == 0);
    EXPECT_OK(worker_scalar(w, STR("SELECT $1 || coalesce($2, '!')"), params, 2, NULL, f->arena,
                            &text, &f->err));
    EXPECT_STR(text, "it's!");
    EXPECT_OK(
        worker_scalar(w, STR("SELECT 1 WHERE false"), NULL, 0, NULL, f->arena, &text, &f->err));
    assert_true(str_is_null(text));
}

static void test_rows_are_a_json_array(void **state)
{
    fixture *f = *state;
    worker *w = start(f);
    const json *rows;

    EXPECT_OK(worker_rows(w, STR("SELECT i, 'r' || i FROM range(3) t(i)"), NULL, f->arena, &rows,
                          &f->err));
    assert_int_equal(json_count(rows), 3);
    assert_int_equal(json_int64_or(json_at(json_at(rows, 2), 0), -1), 2);
    EXPECT_STR(json_str_or(json_at(json_at(rows, 2), 1), STR("")), "r2");
    EXPECT_OK(worker_rows(w, STR("SELECT 1 WHERE false"), NULL, f->arena, &rows, &f->err));
    assert_int_equal(json_count(rows), 0);
}

static void test_parquet_arrives_whole(void **state)
{
    fixture *f = *state;
    worker *w = start(f);
    str bytes =
        result_of(f, w, RESULT_PARQUET, "SELECT i, 'row ' || i AS s FROM range(100000) t(i)");
    const char *path = arena_printf(f->arena, "%s/again.parquet", worker_in(w));

    assert_true(bytes.size > 1000 && memcmp(bytes.data, "PAR1", 4) == 0);
    EXPECT_OK(fs_write_file(path, bytes, 0600, &f->err));
    EXPECT_STR(
        result_of(f, w, RESULT_CSV,
                  arena_printf(f->arena, "SELECT count(*) AS n, sum(i) AS s, max(s) AS m FROM '%s'",
                               path)),
        "n,s,m\n100000,4999950000,row 99999\n");
}

static void test_bucket_agrees_with_the_specification(void **state)
{
    fixture *f = *state;
    worker *w = start(f);

    /* Iceberg specification, Appendix B: the hashes, modulo 2^31-1 where the mask leaves all bits. */
    EXPECT_STR(
        result_of(f, w, RESULT_JSON_ROWS,
                  "SELECT tarn_bucket(34, 2147483647), tarn_bucket(34::BIGINT, 2147483647), "
                  "tarn_bucket('iceberg', 2147483647), tarn_bucket(14.20::DECIMAL(9,2), 1000), "
                  "tarn_bucket(14.20::DECIMAL(38,2), 1000), tarn_bucket(DATE '2017-11-16', 1000), "
                  "tarn_bucket(TIMESTAMP '2017-11-16 22:31:08', 1000), "
                  "tarn_bucket('f79c3e09-677c-4bbd-a479-3f349cb785e7'::UUID, 1000), "
                  "tarn_bucket('\\x00\\x01\\x02\\x03'::BLOB, 1000), tarn_bucket(NULL::INTEGER, 4)"),
        arena_printf(
            f->arena, "[2017239379,2017239379,1210000089,%u,%u,%u,%u,%u,%u,null]",
            ((unsigned)-500754589 & 0x7fffffff) % 1000, ((unsigned)-500754589 & 0x7fffffff) % 1000,
            ((unsigned)-653330422 & 0x7fffffff) % 1000, ((unsigned)-2047944441 & 0x7fffffff) % 1000,
            1488055340U % 1000, ((unsigned)-188683207 & 0x7fffffff) % 1000));
    EXPECT_STATUS(BAD_DATA,
                  worker_exec(w, STR("SELECT tarn_bucket(1.5::DOUBLE, 4)"), NULL, &f->err));
}

TESTS(test_every_type_has_its_form, test_nested_values_survive_selections, test_formats_frame_rows,
      test_empty_results_keep_their_frame, test_tsv_escapes_what_would_break_a_line,
      test_equal_names_stay_in_rows_and_differ_in_objects, test_rows_max_ends_the_result,
      test_parameters_bind_by_position_and_by_name, test_parameters_that_do_not_fit_are_named,
      test_first_rows_leave_before_the_last_one_exists, test_scalar_is_text_or_null,
      test_rows_are_a_json_array, test_parquet_arrives_whole,
      test_bucket_agrees_with_the_specification)

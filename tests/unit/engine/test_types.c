/* DuckDB's types and Iceberg's. */
#include "sql/types.h"
#include "support/test.h"
#include "tarn/base/buf.h"
#include "tarn/engine/query.h"

static str iceberg(fixture *f, const char *duckdb)
{
    const ice_type *type = NULL;
    buf *out = buf_in(f->arena, 4096);
    EXPECT_OK(engine_iceberg_type(str_c(duckdb), STR("c"), f->arena, &type, &f->err));
    ice_type_format(type, out);
    return buf_str(out);
}

static void test_types_of_duckdb_become_icebergs(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *duckdb, *iceberg;
    } cases[] = {
        {"BOOLEAN", "boolean"},
        {"TINYINT", "int"},
        {"INTEGER", "int"},
        {"BIGINT", "long"},
        {"HUGEINT", "decimal(38, 0)"},
        {"UBIGINT", "decimal(20, 0)"},
        {"UINTEGER", "long"},
        {"USMALLINT", "int"},
        {"FLOAT", "float"},
        {"DOUBLE", "double"},
        {"DECIMAL(10,2)", "decimal(10, 2)"},
        {"DATE", "date"},
        {"TIME", "time"},
        {"TIMESTAMP", "timestamp"},
        {"TIMESTAMP_S", "timestamp"},
        {"TIMESTAMP_NS", "timestamp_ns"},
        {"TIMESTAMP WITH TIME ZONE", "timestamptz"},
        {"VARCHAR", "string"},
        {"ENUM('a', 'b)c')", "string"},
        {"JSON", "string"},
        {"UUID", "uuid"},
        {"BLOB", "binary"},
        {"\"NULL\"", "int"},
        {"INTEGER[]", "list<int>"},
        {"INTEGER[3]", "list<int>"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str found = iceberg(f, cases[i].duckdb);
        if (!str_equal(found, str_c(cases[i].iceberg))) {
            fail_msg("%s: %.*s", cases[i].duckdb, STR_ARG(found));
        }
    }
}

static void test_nested_types_survive_the_way_there_and_back(void **given)
{
    fixture *f = *given;
    static const char *const types[] = {
        "STRUCT(\"a\" INTEGER, \"b c\" VARCHAR[], \"q\"\"q\" DECIMAL(38,10))",
        "MAP(VARCHAR, STRUCT(\"x\" TIMESTAMP WITH TIME ZONE)[])",
        "STRUCT(\"with\" DATE, \"time\" TIME)[][]",
    };
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const ice_type *type = NULL;
        buf *out = buf_in(f->arena, 4096);
        EXPECT_OK(engine_iceberg_type(str_c(types[i]), STR("c"), f->arena, &type, &f->err));
        engine_duckdb_type(type, out);
        EXPECT_STR(buf_str(out), types[i]);
    }
}

static void test_types_without_a_place_are_refused_by_name(void **given)
{
    fixture *f = *given;
    static const char *const types[] = {"INTERVAL",
                                        "TIME WITH TIME ZONE",
                                        "UHUGEINT",
                                        "BIT",
                                        "UNION(a INTEGER, b VARCHAR)",
                                        "STRUCT(a INTERVAL)",
                                        "INTERVAL[]",
                                        "GEOMETRY",
                                        "SOMETHING",
                                        "STRUCT(a"};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const ice_type *type;
        EXPECT_STATUS(UNSUPPORTED,
                      engine_iceberg_type(str_c(types[i]), STR("c"), f->arena, &type, &f->err));
        assert_non_null(strstr(f->err.message, "\"c\""));
    }
}

static void test_types_the_writer_cannot_write_are_refused_in_create(void **given)
{
    fixture *f = *given;
    EXPECT_STATUS(UNSUPPORTED, types_check_declared(STR("fixed(16)"), STR("c"), &f->err));
    EXPECT_MESSAGE(f, "column \"c\": type fixed cannot be written to the specification");
    EXPECT_STATUS(UNSUPPORTED, types_check_declared(STR("TimestampTZ_ns"), STR("c"), &f->err));
    EXPECT_STATUS(UNSUPPORTED, types_check_declared(STR("geography"), STR("c"), &f->err));
    EXPECT_OK(types_check_declared(STR("fixed_point"), STR("c"), &f->err));
    EXPECT_OK(types_check_declared(STR("varchar"), STR("c"), &f->err));
}

TESTS(test_types_of_duckdb_become_icebergs, test_nested_types_survive_the_way_there_and_back,
      test_types_without_a_place_are_refused_by_name,
      test_types_the_writer_cannot_write_are_refused_in_create)

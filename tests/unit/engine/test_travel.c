/* Clauses of time travel in a statement's tokens: which are found, what they hold, and whose they are. */
#include "sql/travel.h"
#include "support/test.h"

typedef struct found {
    token_list list;
    token_range range;
    travel_clause *clauses;
    size_t count;
} found;

static found find(fixture *f, const char *sql)
{
    found all = {.count = 0};
    EXPECT_OK(token_scan(str_c(sql), f->arena, &all.list, &f->err));
    all.range = (token_range){.from = 0, .to = all.list.count};
    EXPECT_OK(travel_find(&all.list, all.range, f->arena, &all.clauses, &all.count, &f->err));
    return all;
}

static str text_of(const found *all, token_range range)
{
    return str_slice(all->list.sql, all->list.items[range.from].from,
                     all->list.items[range.to - 1].to);
}

static void test_every_form_is_found_with_its_value(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *sql, *clause, *value;
        travel_unit unit;
    } cases[] = {
        {"FROM t AT (VERSION => 5)", "AT (VERSION => 5)", "5", TRAVEL_VERSION},
        {"FROM t x at(timestamp=>now() - INTERVAL 1 DAY) WHERE 1",
         "at(timestamp=>now() - INTERVAL 1 DAY)", "now() - INTERVAL 1 DAY", TRAVEL_TIMESTAMP},
        {"FROM t VERSION AS OF 'b' x", "VERSION AS OF 'b'", "'b'", TRAVEL_VERSION},
        {"FROM \"t\" AS \"x\" FOR SYSTEM_VERSION AS OF -1, u", "FOR SYSTEM_VERSION AS OF -1", "-1",
         TRAVEL_VERSION},
        {"FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01' JOIN u",
         "FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01'", "TIMESTAMP '2024-01-01'",
         TRAVEL_TIMESTAMP},
        {"FROM t TIMESTAMP AS OF '2024-01-01'::TIMESTAMP WITH TIME ZONE + INTERVAL '1' hour hours",
         "TIMESTAMP AS OF '2024-01-01'::TIMESTAMP WITH TIME ZONE + INTERVAL '1' hour",
         "'2024-01-01'::TIMESTAMP WITH TIME ZONE + INTERVAL '1' hour", TRAVEL_TIMESTAMP},
        {"FROM t TIMESTAMP AS OF CAST('x' AS TIMESTAMP) AT TIME ZONE 'UTC' AS y",
         "TIMESTAMP AS OF CAST('x' AS TIMESTAMP) AT TIME ZONE 'UTC'",
         "CAST('x' AS TIMESTAMP) AT TIME ZONE 'UTC'", TRAVEL_TIMESTAMP},
        {"FROM t TIMESTAMP AS OF current_date - 1 ORDER BY 1", "TIMESTAMP AS OF current_date - 1",
         "current_date - 1", TRAVEL_TIMESTAMP},
        {"FROM (SELECT * FROM t VERSION AS OF $1) y", "VERSION AS OF $1", "$1", TRAVEL_VERSION},
        {"FROM t VERSION AS OF (1 + (2)) LIMIT 1", "VERSION AS OF (1 + (2))", "(1 + (2))",
         TRAVEL_VERSION},
        {"FROM t x (a, b) VERSION AS OF 1", "VERSION AS OF 1", "1", TRAVEL_VERSION},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        found all = find(f, cases[i].sql);
        assert_int_equal(all.count, 1);
        EXPECT_STR(text_of(&all, all.clauses[0].tokens), cases[i].clause);
        EXPECT_STR(text_of(&all, all.clauses[0].value), cases[i].value);
        assert_int_equal(all.clauses[0].unit, cases[i].unit);
    }
}

static void test_other_uses_of_the_words_are_no_clauses(void **given)
{
    fixture *f = *given;
    static const char *const cases[] = {
        "SELECT version AS of FROM t",
        "SELECT DISTINCT version AS of FROM t",
        "SELECT a, timestamp AS of, b FROM t",
        "SELECT t.version AS of FROM t",
        "SELECT version AS of FROM (SELECT 1 AS version)",
        "SELECT at FROM t WHERE at (1) = 2",
        "SELECT 'x VERSION AS OF 1' FROM t -- AT (VERSION => 1)",
        "SELECT ts AT TIME ZONE 'UTC' FROM t",
        "SELECT \"version\" AS \"of\" FROM t",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (find(f, cases[i]).count != 0) {
            fail_msg("a clause in: %s", cases[i]);
        }
    }
}

static void test_a_broken_clause_is_told_where_it_breaks(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *sql;
        int position;
    } cases[] = {
        {"FROM t AT (VERSION => )", 22},
        {"FROM t FOR VERSION AS OF WHERE x", 25},
        {"FROM t FOR TIMESTAMP AS OF", 26},
        {"FROM t AT (VERSION => 1", 22},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        token_list list;
        travel_clause *clauses;
        size_t count;
        EXPECT_OK(token_scan(str_c(cases[i].sql), f->arena, &list, &f->err));
        const token_range range = {.from = 0, .to = list.count};
        EXPECT_STATUS(SYNTAX, travel_find(&list, range, f->arena, &clauses, &count, &f->err));
        assert_int_equal(f->err.position, cases[i].position);
    }
}

static void test_a_clause_belongs_to_the_table_before_it(void **given)
{
    fixture *f = *given;
    found all = find(f, "FROM a.b AS x (c) VERSION AS OF 1, u, v y AT (VERSION => 2)");
    assert_int_equal(all.count, 2);
    assert_ptr_equal(travel_behind(&all.list, 4, all.range.to, all.clauses, all.count),
                     &all.clauses[0]);
    size_t u = all.clauses[0].tokens.to + 1;
    assert_null(travel_behind(&all.list, u + 1, all.range.to, all.clauses, all.count));
    assert_ptr_equal(travel_behind(&all.list, u + 3, all.range.to, all.clauses, all.count),
                     &all.clauses[1]);
}

static void test_scans_by_location_are_found_where_tables_stand(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *sql;
        size_t count;
    } cases[] = {
        {"FROM iceberg_scan('x')", 1},
        {"SELECT * FROM tarn.iceberg_scan('x', version => f(1)) a JOIN iceberg_scan('y') b ON true",
         2},
        {"FROM t, iceberg_scan('x')", 1},
        {"SELECT iceberg_scan FROM t", 0},
        {"SELECT x.iceberg_scan('x') FROM t", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        token_list list;
        travel_scan *scans;
        size_t count;
        EXPECT_OK(token_scan(str_c(cases[i].sql), f->arena, &list, &f->err));
        travel_find_scans(&list, (token_range){.from = 0, .to = list.count}, f->arena, &scans,
                          &count);
        assert_int_equal(count, cases[i].count);
    }
}

TESTS(test_every_form_is_found_with_its_value, test_other_uses_of_the_words_are_no_clauses,
      test_a_broken_clause_is_told_where_it_breaks, test_a_clause_belongs_to_the_table_before_it,
      test_scans_by_location_are_found_where_tables_stand)

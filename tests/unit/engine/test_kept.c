/* Views that stay between queries, and queries after which a worker is ready without a reset. */
#include <stdio.h>

#include "unit/engine/worker_fixture.h"

#define KEPT "SELECT count(*) FROM duckdb_databases() WHERE starts_with(database_name, '#kept')"

static worker_pool *one_worker_pool(fixture *f)
{
    worker_options options = default_options(f);

    options.workers_max = 1;
    return open_pool(f, &options);
}

/* As the last query of a request; afterwards the worker is given back and asked for again. */
static str read_last(fixture *f, worker_pool *workers, worker **w, const char *before,
                     const char *sql, bool may_keep)
{
    worker_query_options options = {.before = before != NULL ? str_c(before) : STR_NULL,
                                    .sql = str_c(sql),
                                    .format = RESULT_JSON_ROWS,
                                    .rows_max = -1,
                                    .leaves_nothing = true,
                                    .may_keep = may_keep};
    worker_query_result counts;
    gathered *g = gathered_create(f);

    EXPECT_OK(query(f, *w, &options, g, &counts));
    worker_release(*w);
    *w = acquire(f, workers, "alice");
    return buf_str(&g->bytes);
}

static str views_kept(fixture *f, worker *w)
{
    str count = STR_NULL;

    EXPECT_OK(worker_scalar(w, STR(KEPT), NULL, 0, NULL, f->arena, &count, &f->err));
    return count;
}

static void test_views_stay_from_the_second_time_of_their_text_on(void **context)
{
    fixture *f = *context;
    worker_pool *workers = one_worker_pool(f);
    worker *w = acquire(f, workers, "alice");
    const char *one = "BEGIN TRANSACTION;CREATE OR REPLACE VIEW \"main\".\"t\" AS SELECT 1 AS a;";

    for (int i = 0; i < 4; i++) {
        EXPECT_STR(read_last(f, workers, &w, one, "SELECT a FROM t", true), "[1]");
        EXPECT_STR(views_kept(f, w), i == 0 ? "0" : "1");
        EXPECT_STATUS(NO_TABLE, worker_exec(w, STR("SELECT a FROM t"), NULL, &f->err));
        error_clear(&f->err);
        worker_release(w); /* now with a reset, which the views outlive */
        w = acquire(f, workers, "alice");
    }
    worker_release(w);
}

static void test_views_of_another_text_are_others(void **context)
{
    fixture *f = *context;
    worker_pool *workers = one_worker_pool(f);
    worker *w = acquire(f, workers, "alice");

    for (int i = 0; i < 12; i++) {
        const char *before = i % 3 == 0 ? "BEGIN;CREATE OR REPLACE VIEW t AS SELECT 1 AS a;"
                             : i % 3 == 1
                                 ? "BEGIN;CREATE OR REPLACE VIEW t AS SELECT 2 AS a;"
                                 : "BEGIN;CREATE SCHEMA IF NOT EXISTS s;CREATE OR REPLACE VIEW s.t "
                                   "AS SELECT 3 AS a;";

        EXPECT_STR(read_last(f, workers, &w, before,
                             i % 3 == 2 ? "SELECT a FROM s.t" : "SELECT a FROM t", true),
                   i % 3 == 0   ? "[1]"
                   : i % 3 == 1 ? "[2]"
                                : "[3]");
    }
    EXPECT_STR(views_kept(f, w), "3");
    worker_release(w);
}

static void test_only_so_many_views_are_kept(void **context)
{
    fixture *f = *context;
    worker_pool *workers = one_worker_pool(f);
    worker *w = acquire(f, workers, "alice");

    for (int i = 0; i < 20; i++) {
        const char *before =
            arena_printf(f->arena, "BEGIN;CREATE OR REPLACE VIEW t AS SELECT %d AS a;", i);

        for (int turn = 0; turn < 3; turn++) {
            EXPECT_STR(read_last(f, workers, &w, before, "SELECT a FROM t", true),
                       arena_printf(f->arena, "[%d]", i));
        }
    }
    EXPECT_STR(views_kept(f, w), "8");
    worker_release(w);
}

static void test_views_that_may_not_be_kept_are_not(void **context)
{
    fixture *f = *context;
    worker_pool *workers = one_worker_pool(f);
    worker *w = acquire(f, workers, "alice");
    const char *one = "BEGIN;CREATE OR REPLACE VIEW t AS SELECT 1 AS a;";

    for (int i = 0; i < 4; i++) {
        EXPECT_STR(read_last(f, workers, &w, one, "SELECT a FROM t", false), "[1]");
    }
    /* … and neither are those behind something that was done before in the request. */
    for (int i = 0; i < 4; i++) {
        EXPECT_OK(worker_exec(w, STR("CREATE TEMP MACRO m() AS 5"), NULL, &f->err));
        EXPECT_STR(read_last(f, workers, &w, one, "SELECT m() + a FROM t", true), "[6]");
    }
    EXPECT_STR(views_kept(f, w), "0");
    worker_release(w);
}

static void test_chance_and_clock_are_asked_anew_each_time(void **context)
{
    fixture *f = *context;
    worker_pool *workers = one_worker_pool(f);
    worker *w = acquire(f, workers, "alice");
    const char *one = "BEGIN;CREATE OR REPLACE VIEW t AS SELECT 1 AS a;";
    const char *sql = "SELECT epoch_ns(now()) + a, random() FROM t";
    str last = STR("");

    for (int i = 0; i < 6; i++) {
        str now = read_last(f, workers, &w, one, sql, true);

        assert_false(str_equal(now, last));
        last = now;
    }
    worker_release(w);
}

static void test_only_so_many_statements_stay_prepared(void **context)
{
    fixture *f = *context;
    worker_pool *workers = one_worker_pool(f);
    worker *w = acquire(f, workers, "alice");
    const char *one = "BEGIN;CREATE OR REPLACE VIEW t AS SELECT 1 AS a;";

    for (int i = 0; i < 60; i++) {
        int n = i < 30 ? i : i % 5;

        EXPECT_STR(
            read_last(
                f, workers, &w, one,
                arena_printf(f->arena, "SELECT a + %d AS b, DATE '2026-01-%02d' FROM t", n, n + 1),
                true),
            arena_printf(f->arena, "[%d,\"2026-01-%02d\"]", n + 1, n + 1));
    }
    EXPECT_STR(views_kept(f, w), "1");
    worker_release(w);
}

static void test_a_query_that_leaves_nothing_leaves_no_transaction(void **context)
{
    fixture *f = *context;
    worker_pool *workers = one_worker_pool(f);
    worker *w = acquire(f, workers, "alice");
    str value = STR_NULL;

    EXPECT_OK(worker_scalar_after(w, STR("BEGIN;CREATE VIEW t AS SELECT 1 AS a;"),
                                  STR("SELECT a FROM t"), NULL, 0, NULL, f->arena, &value,
                                  &f->err));
    EXPECT_STR(read_last(f, workers, &w, NULL, "SELECT a FROM t", false), "[1]");
    EXPECT_STATUS(NO_TABLE, worker_exec(w, STR("SELECT a FROM t"), NULL, &f->err));
    error_clear(&f->err);
    EXPECT_OK(worker_exec(w, STR("BEGIN; ROLLBACK"), NULL, &f->err));
    worker_release(w);
}

static void test_files_of_a_query_that_leaves_nothing_are_removed(void **context)
{
    fixture *f = *context;
    worker_pool *workers = one_worker_pool(f);
    worker *w = acquire(f, workers, "alice");
    const char *path = fs_join(f->arena, worker_in(w), "f1");

    (void)test_write_file(f, arena_printf(f->arena, "run/workers/1/in/f1"), STR("x"));
    assert_true(fs_exists(path));
    EXPECT_STR(read_last(f, workers, &w, NULL, "SELECT 1", false), "[1]");
    assert_false(fs_exists(path));
    worker_release(w);
}

static void test_a_failure_among_kept_views_is_the_statements_own(void **context)
{
    fixture *f = *context;
    worker_pool *workers = one_worker_pool(f);
    worker *w = acquire(f, workers, "alice");
    const char *one = "BEGIN;CREATE OR REPLACE VIEW t AS SELECT 'x' AS a;";
    worker_query_options options = {.before = str_c(one),
                                    .sql = STR("SELECT CAST(a AS INTEGER) FROM t"),
                                    .format = RESULT_JSON_ROWS,
                                    .rows_max = -1,
                                    .leaves_nothing = true,
                                    .may_keep = true};
    worker_query_result counts;
    error first = ERROR_INIT;

    for (int i = 0; i < 3; i++) {
        EXPECT_STR(read_last(f, workers, &w, one, "SELECT a FROM t", true), "[\"x\"]");
        options.may_keep = i > 0;
        assert_int_not_equal(worker_query(w, &options, NULL, NULL, &counts, &f->err), STATUS_OK);
        first = i == 0 ? f->err : first;
        assert_int_equal(f->err.kind, first.kind);
        assert_int_equal(f->err.position, first.position);
        assert_string_equal(f->err.message, first.message);
        error_clear(&f->err);
        worker_release(w);
        w = acquire(f, workers, "alice");
    }
    worker_release(w);
}

static bool always(void *context)
{
    (void)context;
    return true;
}

static void test_an_interrupt_ends_a_query_among_kept_views_and_no_other(void **context)
{
    fixture *f = *context;
    worker_pool *workers = one_worker_pool(f);
    worker *w = acquire(f, workers, "alice");
    worker_cancel cancel = {.is_cancelled = always};
    const char *one = "BEGIN;CREATE OR REPLACE VIEW t AS SELECT range AS a FROM range(1000000000);";
    worker_query_options options = {
        .before = str_c(one),
        .sql = STR("SELECT count(*) FROM t x, t y WHERE (x.a * y.a) % 7 = 3"),
        .format = RESULT_JSON_ROWS,
        .rows_max = -1,
        .leaves_nothing = true,
        .may_keep = true};
    worker_query_result counts;

    for (int i = 0; i < 3; i++) {
        EXPECT_STR(read_last(f, workers, &w, one, "SELECT a FROM t LIMIT 1", true), "[0]");
    }
    EXPECT_STR(views_kept(f, w), "1");
    worker_release(w);
    for (int i = 0; i < 3; i++) {
        w = acquire(f, workers, "alice");
        EXPECT_STATUS(CANCELLED, worker_query(w, &options, NULL, &cancel, &counts, &f->err));
        error_clear(&f->err);
        worker_release(w);
        w = acquire(f, workers, "alice");
        EXPECT_STR(read_last(f, workers, &w, one, "SELECT a FROM t LIMIT 1", true), "[0]");
        worker_release(w);
    }
}

TESTS(test_views_stay_from_the_second_time_of_their_text_on, test_views_of_another_text_are_others,
      test_only_so_many_views_are_kept, test_views_that_may_not_be_kept_are_not,
      test_chance_and_clock_are_asked_anew_each_time, test_only_so_many_statements_stay_prepared,
      test_a_query_that_leaves_nothing_leaves_no_transaction,
      test_files_of_a_query_that_leaves_nothing_are_removed,
      test_a_failure_among_kept_views_is_the_statements_own,
      test_an_interrupt_ends_a_query_among_kept_views_and_no_other)

/* What is asked of a worker in one message, and what it is not asked twice. random() stands for what a pure function
 * is not, so that an answer which was kept can be told from a new one. */
#include "unit/engine/worker_fixture.h"

#define IMPURE "SELECT CAST($1 AS VARCHAR) || ' ' || random()"

static str ask(fixture *f, worker *w, const char *sql, str param)
{
    str answer = STR_NULL;

    EXPECT_OK(worker_pure(w, str_c(sql), param, NULL, f->arena, &answer, &f->err));
    return answer;
}

static worker *one_worker(fixture *f, worker_pool **ret_workers)
{
    worker_options options = default_options(f);

    *ret_workers = open_pool(f, &options);
    return acquire(f, *ret_workers, "alice");
}

static void test_a_question_is_asked_once_by_its_exact_text(void **context)
{
    fixture *f = *context;
    worker_pool *workers;
    worker *w = one_worker(f, &workers);
    str first = ask(f, w, IMPURE, STR("a"));

    EXPECT_STR(ask(f, w, IMPURE, STR("a")), str_to_c(f->arena, first));
    assert_false(str_equal(ask(f, w, IMPURE, STR("a ")), first));
    assert_false(str_equal(ask(f, w, IMPURE, STR("A")), first));
    assert_false(str_equal(ask(f, w, IMPURE " ", STR("a")), first));
    worker_release(w);
    w = acquire(f, workers, "alice");
    EXPECT_STR(ask(f, w, IMPURE, STR("a")), str_to_c(f->arena, first));
    worker_release(w);
}

static void test_answers_are_not_shared_between_principals(void **context)
{
    fixture *f = *context;
    worker_pool *workers;
    worker *w = one_worker(f, &workers);
    str first = ask(f, w, IMPURE, STR("a"));
    worker *other = acquire(f, workers, "bob");

    assert_false(str_equal(ask(f, other, IMPURE, STR("a")), first));
    worker_release(other);
    worker_release(w);
}

static void test_only_so_many_answers_are_kept(void **context)
{
    fixture *f = *context;
    worker_pool *workers;
    worker *w = one_worker(f, &workers);
    str first = ask(f, w, IMPURE, STR("a"));
    buf *text = buf_in(f->arena, 2 * LIMIT_MIB);
    str large;

    for (size_t i = 0; i < LIMIT_MIB; i++) {
        buf_add_char(text, 'x');
    }
    large = buf_str(text);
    assert_false(str_equal(ask(f, w, IMPURE, large), ask(f, w, IMPURE, large))); /* too large */
    EXPECT_STR(ask(f, w, IMPURE, STR("a")), str_to_c(f->arena, first));
    for (int i = 0; i < 300; i++) {
        (void)ask(f, w, IMPURE, str_printf(f->arena, "%d", i));
    }
    assert_false(str_equal(ask(f, w, IMPURE, STR("a")), first));
    worker_release(w);
}

static void test_errors_are_not_kept(void **context)
{
    fixture *f = *context;
    worker_pool *workers;
    worker *w = one_worker(f, &workers);
    str answer = STR_NULL;

    for (int i = 0; i < 2; i++) {
        assert_int_not_equal(worker_pure(w, STR("SELECT CAST($1 AS INTEGER)"), STR("x"), NULL,
                                         f->arena, &answer, &f->err),
                             STATUS_OK);
        error_clear(&f->err);
    }
    worker_release(w);
}

static void test_statements_before_another_share_its_message(void **context)
{
    fixture *f = *context;
    worker_pool *workers;
    worker *w = one_worker(f, &workers);
    worker_query_result counts;
    worker_query_options options = {.before =
                                        STR("CREATE TABLE x (n INTEGER); INSERT INTO x VALUES (7)"),
                                    .sql = STR("SELECT n FROM x"),
                                    .format = RESULT_NONE,
                                    .rows_max = -1};
    str value = STR_NULL;

    EXPECT_OK(worker_query(w, &options, NULL, NULL, &counts, &f->err));
    assert_int_equal(counts.row_count, 1);
    EXPECT_OK(worker_scalar_after(w, STR("INSERT INTO x VALUES (8)"), STR("SELECT sum(n) FROM x"),
                                  NULL, 0, NULL, f->arena, &value, &f->err));
    EXPECT_STR(value, "15");
    worker_release(w);
}

static void test_what_fails_before_a_statement_has_no_place_in_it(void **context)
{
    fixture *f = *context;
    worker_pool *workers;
    worker *w = one_worker(f, &workers);
    worker_query_result counts;
    worker_query_options options = {.before = STR("SELECT 1; SELECT nothing_of_that_name"),
                                    .sql = STR("SELECT 1, 2, 3, 4, 5, 6, 7, 8"),
                                    .format = RESULT_NONE,
                                    .rows_max = -1};

    assert_int_not_equal(worker_query(w, &options, NULL, NULL, &counts, &f->err), STATUS_OK);
    assert_int_equal(f->err.position, ERROR_NO_POSITION);
    error_clear(&f->err);
    options.before = STR("SELECT 1");
    options.sql = STR("SELECT nothing_of_that_name");
    assert_int_not_equal(worker_query(w, &options, NULL, NULL, &counts, &f->err), STATUS_OK);
    assert_int_equal(f->err.position, 7);
    error_clear(&f->err);
    EXPECT_OK(worker_exec(w, STR("SELECT 1"), NULL, &f->err));
    worker_release(w);
}

TESTS(test_a_question_is_asked_once_by_its_exact_text,
      test_answers_are_not_shared_between_principals, test_only_so_many_answers_are_kept,
      test_errors_are_not_kept, test_statements_before_another_share_its_message,
      test_what_fails_before_a_statement_has_no_place_in_it)

/* Claims about base/error.h: the table, and the text of errors. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"

static void test_every_status_has_a_whole_row(void **state)
{
    (void)state;
    for (int kind = 0; kind < STATUS_COUNT; kind++) {
        const status_info *info = status_describe((status)kind);

        assert_true(info->name[0] != '\0');
        assert_true(info->code[0] != '\0');
        assert_int_equal(strlen(info->sqlstate), 5);
        assert_in_range(info->http_status, 200, 599);
        assert_in_range(info->exit_code, 0, 130);
        if (kind != STATUS_OK) {
            assert_true(info->http_status >= 400);
            assert_true(info->exit_code != 0);
            assert_true(info->iceberg_type[0] != '\0');
            assert_true(info->s3_code[0] != '\0');
        }
    }
}

static void test_every_code_leads_back_to_its_status(void **state)
{
    (void)state;
    for (int kind = 0; kind < STATUS_COUNT; kind++) {
        const char *code = status_describe((status)kind)->code;

        assert_int_equal(status_from_code(code, strlen(code)), kind);
    }
    assert_int_equal(status_from_code("table_not_foun", 14), STATUS_INTERNAL);
    assert_int_equal(status_from_code("table_not_founds", 16), STATUS_INTERNAL);
    assert_int_equal(status_from_code("", 0), STATUS_INTERNAL);
}

static void test_describe_answers_for_numbers_out_of_range(void **state)
{
    (void)state;
    assert_string_equal(status_describe((status)9999)->name, "INTERNAL");
}

static void test_set_clears_what_an_earlier_error_said(void **state)
{
    fixture *f = *state;

    error_set(&f->err, STATUS_INVALID, "first");
    error_hint(&f->err, "A hint.");
    error_detail(&f->err, "A detail.");
    f->err.position = 7;
    assert_int_equal(error_set(&f->err, STATUS_NO_TABLE, "table \"%s\" does not exist", "t"),
                     STATUS_NO_TABLE);
    assert_int_equal(f->err.kind, STATUS_NO_TABLE);
    EXPECT_MESSAGE(f, "table \"t\" does not exist");
    EXPECT_HINT(f, "");
    assert_string_equal(f->err.detail, "");
    assert_int_equal(f->err.position, ERROR_NO_POSITION);
}

static void test_null_error_keeps_the_status(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, STATUS_CONFLICT, "x"), STATUS_CONFLICT);
    assert_int_equal(error_errno(NULL, STATUS_IO, ENOSPC, "x"), STATUS_NO_SPACE);
    error_context(NULL, "x");
    error_hint(NULL, "x");
    error_detail(NULL, "x");
}

static void test_a_message_may_be_built_from_itself(void **state)
{
    fixture *f = *state;

    error_set(&f->err, STATUS_INVALID, "the reason");
    error_set(&f->err, STATUS_CORRUPT, "wrapped: %s", f->err.message);
    EXPECT_MESSAGE(f, "wrapped: the reason");
}

static void test_context_goes_in_front(void **state)
{
    fixture *f = *state;

    error_set(&f->err, STATUS_IO, "disk on fire");
    error_context(&f->err, "could not commit table \"%s\"", "a.b");
    EXPECT_MESSAGE(f, "could not commit table \"a.b\": disk on fire");
    assert_int_equal(f->err.kind, STATUS_IO);
}

static void test_long_messages_are_cut_between_characters(void **state)
{
    fixture *f = *state;
    char text[2 * sizeof(f->err.message) + 1];

    for (size_t i = 0; i < sizeof(text) - 1; i += 2) {
        memcpy(text + i, "\xC3\xA9", 2); /* é */
    }
    text[sizeof(text) - 1] = '\0';
    error_set(&f->err, STATUS_INVALID, "%s", text);
    assert_int_equal(strlen(f->err.message), sizeof(f->err.message) - 2);
    assert_true(str_is_utf8(str_c(f->err.message)));
    error_set(&f->err, STATUS_INVALID, "x%s", text);
    assert_int_equal(strlen(f->err.message), sizeof(f->err.message) - 1);
    assert_true(str_is_utf8(str_c(f->err.message)));
    error_context(&f->err, "%s", text);
    assert_true(str_is_utf8(str_c(f->err.message)));
}

static void test_system_errors_keep_their_own_meaning(void **state)
{
    fixture *f = *state;

    EXPECT_STATUS(NO_SPACE, error_errno(&f->err, STATUS_IO, ENOSPC, "could not write \"%s\"", "f"));
    EXPECT_MESSAGE(f, "could not write \"f\": No space left on device");
    EXPECT_STATUS(NO_SPACE, error_errno(&f->err, STATUS_IO, EDQUOT, "x"));
    EXPECT_STATUS(BUSY, error_errno(&f->err, STATUS_IO, EMFILE, "x"));
    EXPECT_STATUS(BUSY, error_errno(&f->err, STATUS_IO, ENFILE, "x"));
    EXPECT_STATUS(IO, error_errno(&f->err, STATUS_IO, EIO, "x"));
}

static status fail_at(int step, int *steps, error *err)
{
    ++*steps;
    return step == *steps ? error_set(err, STATUS_INVALID, "step %d", step) : STATUS_OK;
}

static status three_steps(int failing, int *steps, error *err)
{
    TRY(fail_at(failing, steps, err));
    TRY(fail_at(failing, steps, err));
    TRY(fail_at(failing, steps, err));
    return STATUS_OK;
}

static void test_try_returns_at_the_first_failure(void **state)
{
    fixture *f = *state;
    int steps = 0;

    EXPECT_STATUS(INVALID, three_steps(2, &steps, &f->err));
    assert_int_equal(steps, 2);
    EXPECT_MESSAGE(f, "step 2");
    steps = 0;
    EXPECT_OK(three_steps(4, &steps, &f->err));
    assert_int_equal(steps, 3);
}

static void test_a_broken_assertion_ends_the_program(void **state)
{
    pid_t child = fork();
    int ended;

    (void)state;
    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        ASSERT(child != 0);
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGABRT);
}

TESTS(test_every_status_has_a_whole_row, test_every_code_leads_back_to_its_status,
      test_describe_answers_for_numbers_out_of_range, test_set_clears_what_an_earlier_error_said,
      test_null_error_keeps_the_status, test_a_message_may_be_built_from_itself,
      test_context_goes_in_front, test_long_messages_are_cut_between_characters,
      test_system_errors_keep_their_own_meaning, test_try_returns_at_the_first_failure,
      test_a_broken_assertion_ends_the_program)

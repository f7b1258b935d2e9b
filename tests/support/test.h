/* test.h: what a unit test is written with: cmocka, and a fixture made afresh for each test.
 *
 *     static void test_cut_returns_all_when_the_mark_is_absent(void **state)
 *     {
 *         fixture *f = *state;
 *         ...
 *         EXPECT_OK(thing_parse(STR("..."), f->arena, &thing, &f->err));
 *     }
 *
 *     TESTS(test_cut_returns_all_when_the_mark_is_absent, ...)
 *
 * A test's name is its claim. `test_x NAME` on the command line runs the tests whose name matches
 * (with * and ?). Assertions belong to the test's own thread: other threads hand their findings
 * back and the test asserts after joining them. */
#ifndef TARN_TEST_H
#define TARN_TEST_H

/* cmocka.h wants these before it, in this order. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "tarn/base/arena.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"

typedef struct fixture {
    arena *arena; /* freed after the test, before the directory goes */
    error err;    /* EXPECT_OK and EXPECT_STATUS clear it before the call and print it on failure */
    const char *dir; /* an empty directory of this test's own, removed after it */
} fixture;

/* The call must succeed; its message is printed where it does not. The error that is printed is
 * the fixture's: pass &f->err. */
#define EXPECT_OK(call) EXPECT_STATUS(OK, call)

/* The call must fail as STATUS_<kind>. */
#define EXPECT_STATUS(kind, call)                                                     \
    do {                                                                              \
        error_clear(test_error());                                                    \
        status expect_status_ = (call);                                               \
        test_expect_status(STATUS_##kind, expect_status_, #call, __FILE__, __LINE__); \
    } while (0)

/* The fixture's error must say exactly this. */
#define EXPECT_MESSAGE(f, text) assert_string_equal((f)->err.message, (text))
#define EXPECT_HINT(f, text) assert_string_equal((f)->err.hint, (text))

/* A str must hold exactly this C string. */
#define EXPECT_STR(actual, expected) test_expect_str((actual), (expected), __FILE__, __LINE__)

/* Ends the test as skipped. The whole program is then reported as skipped, so that it has to be
 * named in tests/allowed-skips.txt. */
#define SKIP(reason) test_skip((reason), __FILE__, __LINE__)

/* main(): runs the tests named, each with a fixture of its own. Once, at the end of the file. */
#define TESTS(...)                                                                              \
    static void (*const test_functions_[])(void **) = {__VA_ARGS__};                            \
    int main(int argc, char **argv)                                                             \
    {                                                                                           \
        return test_main(argc, argv, #__VA_ARGS__, test_functions_, COUNT_OF(test_functions_)); \
    }

/* The bytes of tests/golden/<path>, terminated; the test fails where it is missing. */
#define GOLDEN(f, path) test_golden((f), (path))
str test_golden(fixture *f, const char *path);
/* The path of tests/golden/<path>, for code that opens files itself. */
const char *test_golden_path(fixture *f, const char *path);
/* The bytes of a file of a larger collection that lies outside the source tree, in the folder that
 * the variable TARN_SHARED_DATA names; the test is skipped where it is not set. */
str test_shared_data(fixture *f, const char *path);

/* Text with every ' turned into ", so that JSON in a test stays readable. */
#define QUOTED(f, text) test_quoted((f), (text))
str test_quoted(fixture *f, const char *text);

/* <dir>/<name>, in the fixture's arena. */
const char *test_path(fixture *f, const char *name);
/* Writes <dir>/<name>, and returns its path. */
const char *test_write_file(fixture *f, const char *name, str content);
/* The bytes of the file, terminated; the test fails where it cannot be read. */
str test_read_file(fixture *f, const char *path);

/* The bound of a claim "this ends by itself, and not by something that takes minutes": `ms`, as an idle machine keeps
 * it with room, times 10, under a sanitizer times 40, and times the variable TARN_TEST_TIME_FACTOR where a machine
 * needs still more. Never a claim about speed, and no time to sleep: a test that waits for another thread asks for what
 * it waits for. */
int64_t test_at_most_ms(int64_t ms);

/* What the macros above call. */
int test_main(int argc, char **argv, const char *names, void (*const *functions)(void **),
              size_t count);
error *test_error(void);
void test_expect_status(status expected, status actual, const char *call, const char *file,
                        int line);
void test_expect_str(str actual, const char *expected, const char *file, int line);
__attribute__((noreturn)) void test_skip(const char *reason, const char *file, int line);

#endif

/* test.c: the fixture, and the functions behind the macros of test.h.
 * It uses libc and tarn's base alone, so that base can be tested with it. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_SKIPPED = 77 }; /* ctest and automake know it as "skipped" */

static fixture current;
static size_t skipped;

/* --- the fixture --- */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)walk;
    if (kind == FTW_DNR || (kind == FTW_D && (info->st_mode & S_IRWXU) != S_IRWXU)) {
        (void)chmod(path, S_IRWXU);
    }
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

/* Tests of missing permissions leave folders that cannot be entered: opened again first. */
static int open_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)walk;
    if (kind == FTW_DNR || (kind == FTW_D && (info->st_mode & S_IRWXU) != S_IRWXU)) {
        (void)chmod(path, S_IRWXU);
    }
    return 0;
}

static int fixture_make(void **state)
{
    const char *parent = getenv("TMPDIR");
    char *dir;

    current = (fixture){.arena = arena_create(), .err = ERROR_INIT};
    dir = arena_printf(current.arena, "%s/tarn-test-XXXXXX",
                       parent != NULL && parent[0] != '\0' ? parent : P_tmpdir);
    if (mkdtemp(dir) == NULL) {
        print_error("cannot make the directory %s: %s\n", dir, strerror(errno));
        return -1;
    }
    current.dir = dir;
    *state = &current;
    return 0;
}

static int fixture_remove(void **state)
{
    char dir[4096];

    (void)state;
    (void)snprintf(dir, sizeof(dir), "%s", current.dir);
    arena_free(current.arena); /* closes what was deferred, before its files go */
    current = (fixture){.arena = NULL, .err = ERROR_INIT};
    (void)nftw(dir, open_entry, 16, FTW_PHYS);
    if (nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        print_error("cannot remove the directory %s: %s\n", dir, strerror(errno));
        return -1;
    }
    return 0;
}

error *test_error(void)
{
    return &current.err;
}

/* --- running --- */

/* `names` is the argument list of TESTS as text: "test_a, test_b". */
static const char *next_name(arena *a, const char **names)
{
    const char *start = *names + strspn(*names, " ,\t\n");
    size_t size = strcspn(start, " ,\t\n");

    *names = start + size;
    return arena_strndup(a, start, size);
}

int test_main(int argc, char **argv, const char *names, void (*const *functions)(void **),
              size_t count)
{
    arena *a = arena_create();
    struct CMUnitTest *tests = ARENA_ARRAY(a, struct CMUnitTest, count);
    int failed;

    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* in order with stderr, in a log too */
    for (size_t i = 0; i < count; i++) {
        tests[i] = (struct CMUnitTest){.name = next_name(a, &names),
                                       .test_func = functions[i],
                                       .setup_func = fixture_make,
                                       .teardown_func = fixture_remove};
    }
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    failed = _cmocka_run_group_tests(argv[0], tests, count, NULL, NULL);
    arena_free(a);
    if (failed != 0) {
        return 1;
    }
    return skipped > 0 ? EXIT_SKIPPED : 0;
}

void test_skip(const char *reason, const char *file, int line)
{
    skipped++;
    print_message("skipped: %s\n", reason);
    _skip(file, line);
    abort(); /* _skip does not return, but is not declared so */
}

/* --- expectations --- */

void test_expect_status(status expected, status actual, const char *call, const char *file,
                        int line)
{
    if (actual == expected) {
        return;
    }
    print_error("%s\n    expected %s, got %s", call, status_describe(expected)->name,
                status_describe(actual)->name);
    if (actual != STATUS_OK && current.err.kind == actual) {
        print_error(": %s", current.err.message);
        if (current.err.hint[0] != '\0') {
            print_error(" (%s)", current.err.hint);
        }
    }
    print_error("\n");
    _fail(file, line);
}

void test_expect_str(str actual, const char *expected, const char *file, int line)
{
    size_t size = strlen(expected);

    if (actual.size == size && (size == 0 || memcmp(actual.data, expected, size) == 0)) {
        return;
    }
    print_error("expected \"%s\" (%zu bytes)\n     got \"%.*s\" (%zu bytes)\n", expected, size,
                STR_ARG(actual), actual.size);
    _fail(file, line);
}

/* --- files --- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { TIME_FACTOR = 40 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { TIME_FACTOR = 40 };
#else
enum { TIME_FACTOR = 10 };
#endif
#else
enum { TIME_FACTOR = 10 };
#endif

int64_t test_at_most_ms(int64_t ms)
{
    const char *more = getenv("TARN_TEST_TIME_FACTOR");
    long factor = more != NULL ? strtol(more, NULL, 10) : 1;

    return ms * TIME_FACTOR * (factor > 0 ? factor : 1);
}

const char *test_path(fixture *f, const char *name)
{
    return arena_printf(f->arena, "%s/%s", f->dir, name);
}

const char *test_golden_path(fixture *f, const char *path)
{
    return arena_printf(f->arena, "%s/%s", TEST_GOLDEN_DIR, path);
}

str test_golden(fixture *f, const char *path)
{
    return test_read_file(f, test_golden_path(f, path));
}

str test_shared_data(fixture *f, const char *path)
{
    const char *folder = getenv("TARN_SHARED_DATA");

    if (folder == NULL || folder[0] == '\0') {
        SKIP("TARN_SHARED_DATA is not set");
    }
    return test_read_file(f, arena_printf(f->arena, "%s/%s", folder, path));
}

str test_read_file(fixture *f, const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    char *bytes;
    size_t size = 0;

    if (file < 0 || fstat(file, &info) != 0) {
        fail_msg("cannot read %s: %s", path, strerror(errno));
    }
    bytes = arena_alloc(f->arena, (size_t)info.st_size + 1);
    while (size < (size_t)info.st_size) {
        ssize_t got = read(file, bytes + size, (size_t)info.st_size - size);
        if (got <= 0) {
            fail_msg("cannot read %s: %s", path, got == 0 ? "it became shorter" : strerror(errno));
        }
        size += (size_t)got;
    }
    (void)close(file);
    return str_from(bytes, size);
}

const char *test_write_file(fixture *f, const char *name, str content)
{
    const char *path = test_path(f, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    for (size_t done = 0; file >= 0 && done < content.size;) {
        ssize_t put = write(file, content.data + done, content.size - done);
        if (put <= 0) {
            fail_msg("cannot write %s: %s", path, strerror(errno));
        }
        done += (size_t)put;
    }
    if (file < 0 || close(file) != 0) {
        fail_msg("cannot write %s: %s", path, strerror(errno));
    }
    return path;
}

str test_quoted(fixture *f, const char *text)
{
    char *copy = arena_strndup(f->arena, text, strlen(text));

    for (char *c = copy; *c != '\0'; c++) {
        if (*c == '\'') {
            *c = '"';
        }
    }
    return str_c(copy);
}

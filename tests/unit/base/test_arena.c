/* Claims about base/arena.h, base/mem.h and base/ref.h. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"
#include "tarn/base/mem.h"
#include "tarn/base/ref.h"
#include "tarn/base/rng.h"

/* Where releases write down that they ran. */
static char released[32];

static void write_down(void *letter)
{
    size_t size = strlen(released);

    assert_true(size + 1 < sizeof(released));
    released[size] = *(const char *)letter;
    released[size + 1] = '\0';
}

static char letters[] = "abcdefgh";

static void test_memory_is_zeroed_aligned_and_apart(void **state)
{
    fixture *f = *state;
    rng random;
    unsigned char *blocks[300];
    size_t sizes[300];

    rng_seed(&random, 1);
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        sizes[i] = (size_t)rng_below(&random, i % 50 == 0 ? 400000 : 200);
        blocks[i] = arena_alloc(f->arena, sizes[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        for (size_t k = 0; k < sizes[i]; k++) {
            assert_int_equal(blocks[i][k], 0);
        }
        memset(blocks[i], (int)(i % 251) + 1, sizes[i]);
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        for (size_t k = 0; k < sizes[i]; k++) {
            assert_int_equal(blocks[i][k], (int)(i % 251) + 1);
        }
    }
}

static void test_memory_is_zeroed_again_after_clear(void **state)
{
    arena *a = arena_create();

    (void)state;
    for (int round = 0; round < 20; round++) {
        unsigned char *block = arena_alloc(a, 700);

        for (size_t i = 0; i < 700; i++) {
            assert_int_equal(block[i], 0);
        }
        memset(block, 0xff, 700);
        arena_clear(a);
        assert_int_equal(arena_used_bytes(a), 0);
    }
    arena_free(a);
}

static void test_a_large_block_leaves_the_current_chunk_in_use(void **state)
{
    arena *a = arena_create();
    char *before = arena_alloc(a, 16);
    char *large = arena_alloc(a, 1 << 20);
    char *after = arena_alloc(a, 16);

    (void)state;
    large[(1 << 20) - 1] = 'x';
    assert_in_range((size_t)(after - before), 16, 64);
    arena_free(a);
}

static void test_size_zero_gives_a_pointer_of_its_own(void **state)
{
    fixture *f = *state;
    void *first = arena_alloc(f->arena, 0);
    void *second = arena_alloc(f->arena, 0);

    assert_non_null(first);
    assert_true(first != second);
}

static void test_used_bytes_are_those_asked_for(void **state)
{
    arena *a = arena_create();

    (void)state;
    (void)arena_alloc(a, 5);
    (void)arena_alloc(a, 7000);
    assert_int_equal(arena_used_bytes(a), 7005);
    (void)arena_alloc(arena_child(a), 100);
    assert_int_equal(arena_used_bytes(a), 7005);
    arena_free(a);
}

static void test_deferred_releases_run_last_first(void **state)
{
    arena *a = arena_create();

    (void)state;
    released[0] = '\0';
    arena_defer(a, write_down, &letters[0]);
    arena_defer(a, write_down, &letters[1]);
    arena_clear(a);
    assert_string_equal(released, "ba");
    arena_defer(a, write_down, &letters[2]);
    arena_free(a);
    assert_string_equal(released, "bac");
}

static void test_children_are_released_in_their_place(void **state)
{
    arena *parent = arena_create();
    arena *child;

    (void)state;
    released[0] = '\0';
    arena_defer(parent, write_down, &letters[0]);
    child = arena_child(parent);
    arena_defer(child, write_down, &letters[1]);
    arena_defer(arena_child(child), write_down, &letters[2]);
    arena_defer(parent, write_down, &letters[3]);
    arena_free(parent);
    assert_string_equal(released, "dcba");
}

static void test_a_child_may_go_before_its_parent(void **state)
{
    arena *parent = arena_create();
    arena *children[3];

    (void)state;
    released[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(children); i++) {
        children[i] = arena_child(parent);
        arena_defer(children[i], write_down, &letters[i]);
    }
    arena_free(children[1]);
    assert_string_equal(released, "b");
    arena_clear(parent);
    assert_string_equal(released, "bca");
    arena_free(parent);
    assert_string_equal(released, "bca");
}

static void defer_one_more(void *object)
{
    arena_defer(object, write_down, &letters[7]);
}

static void test_what_a_release_defers_runs_too(void **state)
{
    arena *a = arena_create();

    (void)state;
    released[0] = '\0';
    arena_defer(a, defer_one_more, a);
    arena_free(a);
    assert_string_equal(released, "h");
}

static void test_freeing_nothing_is_fine(void **state)
{
    (void)state;
    arena_free(NULL);
    mem_free(NULL);
    mem_wipe(NULL, 0);
}

static void test_text_is_copied_and_terminated(void **state)
{
    fixture *f = *state;
    char long_text[1000];
    char *copy = arena_strndup(f->arena, "abcdef", 3);

    assert_string_equal(copy, "abc");
    assert_string_equal(arena_strndup(f->arena, NULL, 0), "");
    memset(long_text, 'y', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    assert_string_equal(arena_printf(f->arena, "%s", long_text), long_text);
    assert_string_equal(arena_printf(f->arena, "%d-%s", 7, "x"), "7-x");
}

/* Runs `act` in a process of its own, which must end by SIGABRT. */
static void expect_abort(void (*act)(void))
{
    pid_t child = fork();
    int ended;

    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        act();
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGABRT);
}

static void allocate_overflowing_array(void)
{
    volatile size_t count = SIZE_MAX / 4;

    (void)NEW_ARRAY(uint64_t, count);
}

static void allocate_overflowing_array_in_arena(void)
{
    volatile size_t count = SIZE_MAX / 4;

    (void)ARENA_ARRAY(arena_create(), uint64_t, count);
}

static void allocate_more_than_there_is(void)
{
    volatile size_t size = SIZE_MAX - 8;

    (void)arena_alloc(arena_create(), size);
}

static void test_sizes_that_overflow_end_the_program(void **state)
{
    (void)state;
    expect_abort(allocate_overflowing_array);
    expect_abort(allocate_overflowing_array_in_arena);
    expect_abort(allocate_more_than_there_is);
}

static void test_wiped_memory_is_zero(void **state)
{
    unsigned char *secret = NEW_ARRAY(unsigned char, 32);

    (void)state;
    memset(secret, 0xaa, 32);
    mem_wipe(secret, 32);
    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(secret[i], 0);
    }
    mem_free(secret);
}

static void test_only_the_last_owner_is_told(void **state)
{
    refcount refs;

    (void)state;
    ref_init(&refs);
    ref_take(&refs);
    ref_take(&refs);
    assert_false(ref_drop(&refs));
    assert_false(ref_drop(&refs));
    assert_true(ref_drop(&refs));
}

static void drop_once_too_often(void)
{
    refcount refs;

    ref_init(&refs);
    (void)ref_drop(&refs);
    (void)ref_drop(&refs);
}

static void test_dropping_too_often_ends_the_program(void **state)
{
    (void)state;
    expect_abort(drop_once_too_often);
}

TESTS(test_memory_is_zeroed_aligned_and_apart, test_memory_is_zeroed_again_after_clear,
      test_a_large_block_leaves_the_current_chunk_in_use, test_size_zero_gives_a_pointer_of_its_own,
      test_used_bytes_are_those_asked_for, test_deferred_releases_run_last_first,
      test_children_are_released_in_their_place, test_a_child_may_go_before_its_parent,
      test_what_a_release_defers_runs_too, test_freeing_nothing_is_fine,
      test_text_is_copied_and_terminated, test_sizes_that_overflow_end_the_program,
      test_wiped_memory_is_zero, test_only_the_last_owner_is_told,
      test_dropping_too_often_ends_the_program)

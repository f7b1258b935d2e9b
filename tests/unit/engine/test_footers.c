/* How much DuckDB may keep of footers in one worker: files are counted once, and a worker that is full of others is
 * replaced. */
#include "unit/engine/worker_fixture.h"

static const worker_footer small_files[] = {{{"/in/a", 5}, 1000}, {{"/in/b", 5}, 2000}};

static worker_footer file_of(fixture *f, int number, int64_t size_bytes)
{
    return (worker_footer){str_printf(f->arena, "/in/%d", number), size_bytes};
}

/* Files of 100 KB until there is no room; how many were kept. */
static int fill(fixture *f, worker *w)
{
    int count = 0;

    for (;; count++) {
        worker_footer file = file_of(f, count, 100000);

        if (!worker_keep_footers(w, &file, 1)) {
            return count;
        }
        assert_true(count < 10000);
    }
}

static void test_footers_are_kept_while_there_is_room(void **context)
{
    fixture *f = *context;
    worker_options options = default_options(f);
    worker *w = acquire(f, open_pool(f, &options), "alice");
    worker_footer first = file_of(f, 0, 100000);
    int kept;

    assert_true(worker_keep_footers(w, small_files, COUNT_OF(small_files)));
    kept = fill(f, w);
    assert_in_range(kept, 10, 100);
    assert_true(worker_keep_footers(w, &first, 1)); /* is there already */
    assert_true(worker_keep_footers(w, small_files, COUNT_OF(small_files)));
    worker_release(w);
}

static void test_a_worker_that_is_full_ends_when_it_is_released(void **context)
{
    fixture *f = *context;
    worker_options options = default_options(f);
    worker_pool *workers = open_pool(f, &options);
    worker *w = acquire(f, workers, "alice");
    const char *folder = arena_printf(f->arena, "%s", worker_in(w));

    assert_true(worker_keep_footers(w, small_files, COUNT_OF(small_files)));
    worker_release(w);
    w = acquire(f, workers, "alice");
    assert_string_equal(worker_in(w), folder); /* the same one */
    (void)fill(f, w);
    EXPECT_OK(worker_exec(w, STR("SELECT 1"), NULL, &f->err)); /* until then it works */
    worker_release(w);
    w = acquire(f, workers, "alice");
    assert_string_not_equal(worker_in(w), folder);
    assert_true(fill(f, w) > 10);
    worker_release(w);
}

static void test_what_has_no_room_at_all_is_not_kept_and_ends_no_worker(void **context)
{
    fixture *f = *context;
    worker_options options = default_options(f);
    worker_pool *workers = open_pool(f, &options);
    worker *w = acquire(f, workers, "alice");
    const char *folder = arena_printf(f->arena, "%s", worker_in(w));
    worker_footer many[40];
    worker_footer unknown = file_of(f, 0, INT64_MAX);

    for (int i = 0; i < (int)COUNT_OF(many); i++) {
        many[i] = file_of(f, i, 100000);
    }
    assert_false(worker_keep_footers(w, many, COUNT_OF(many)));
    assert_false(worker_keep_footers(w, &unknown, 1));
    assert_true(worker_keep_footers(w, many, 5)); /* nothing of the above was counted */
    worker_release(w);
    w = acquire(f, workers, "alice");
    assert_string_equal(worker_in(w), folder);
    worker_release(w);
}

TESTS(test_footers_are_kept_while_there_is_room,
      test_a_worker_that_is_full_ends_when_it_is_released,
      test_what_has_no_room_at_all_is_not_kept_and_ends_no_worker)

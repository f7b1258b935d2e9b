/* worker_fixture.h: a pool of real workers for a test. The test program is also the worker: what the pool starts is
 * this program again, and the constructor below turns it into a worker before main. */
#ifndef TARN_TEST_WORKER_FIXTURE_H
#define TARN_TEST_WORKER_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/test.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/engine/worker.h"

__attribute__((constructor)) static void become_worker(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "engine") == 0) {
        _exit(worker_main(argc, argv));
    }
}

static inline const char *duckdb_library(fixture *f)
{
    const char *build = getenv("TARN_BUILD");
    const char *path;

    if (build == NULL) {
        SKIP("TARN_BUILD is not set");
    }
    path = arena_printf(f->arena, "%s/libduckdb.so", build);
    if (!fs_exists(path)) {
        SKIP("the DuckDB library is not there: run tools/bootstrap");
    }
    return path;
}

static inline worker_options default_options(fixture *f)
{
    return (worker_options){.run_path = test_path(f, "run"),
                            .duckdb_library = duckdb_library(f),
                            .workers_max = 2,
                            .threads_per_worker = 2,
                            .memory_bytes = (int64_t)1024 * 1024 * 1024,
                            .temp_bytes = (int64_t)512 * 1024 * 1024,
                            .spare = 0};
}

static void close_pool(void *workers)
{
    worker_pool_close(workers);
}

/* DuckDB is not built with ThreadSanitizer, which then sees races where there are none: the workers of a TSan build
 * run without reports, the pool's own threads with them. */
static inline void quiet_workers(void)
{
    assert_int_equal(setenv("TSAN_OPTIONS", "report_bugs=0", 1), 0);
}

/* Closed with the fixture. */
static inline worker_pool *open_pool(fixture *f, const worker_options *options)
{
    worker_pool *workers;

    quiet_workers();
    EXPECT_OK(worker_pool_open(options, &workers, &f->err));
    arena_defer(f->arena, close_pool, workers);
    return workers;
}

static inline worker *acquire(fixture *f, worker_pool *workers, const char *principal)
{
    worker *w;

    EXPECT_OK(worker_acquire(workers, str_c(principal), WORKER_QUERY, NULL, &w, &f->err));
    return w;
}

/* --- a sink that gathers --- */

typedef struct gathered {
    buf bytes;
    arena *arena;
    result_column *columns;
    size_t column_count;
    int writes;
} gathered;

static status gather_columns(void *context, const result_column *columns, size_t count, error *err)
{
    gathered *g = context;

    (void)err;
    g->columns = ARENA_ARRAY(g->arena, result_column, count);
    g->column_count = count;
    for (size_t i = 0; i < count; i++) {
        g->columns[i].name = str_copy(g->arena, columns[i].name);
        g->columns[i].type = str_copy(g->arena, columns[i].type);
    }
    return STATUS_OK;
}

static status gather_bytes(void *context, const void *bytes, size_t size, error *err)
{
    gathered *g = context;

    g->writes++;
    buf_add(&g->bytes, bytes, size);
    return buf_check(&g->bytes, "the result", err);
}

static void release_gathered(void *context)
{
    buf_release(&((gathered *)context)->bytes);
}

static inline gathered *gathered_create(fixture *f)
{
    gathered *g = ARENA_NEW(f->arena, gathered);

    g->arena = f->arena;
    buf_init(&g->bytes, LIMIT_RESULT_IN_MEMORY);
    arena_defer(f->arena, release_gathered, g);
    return g;
}

static inline status query(fixture *f, worker *w, const worker_query_options *options, gathered *g,
                           worker_query_result *ret_counts)
{
    result_sink sink = {.begin = gather_columns, .write = gather_bytes, .context = g};

    return worker_query(w, options, &sink, NULL, ret_counts, &f->err);
}

/* The result as text; the test fails where the statement does. */
static inline str result_of(fixture *f, worker *w, result_format format, const char *sql)
{
    worker_query_options options = {.sql = str_c(sql), .format = format, .rows_max = -1};
    worker_query_result counts;
    gathered *g = gathered_create(f);

    EXPECT_OK(query(f, w, &options, g, &counts));
    return buf_str(&g->bytes);
}

#endif

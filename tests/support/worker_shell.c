/* worker_shell: runs SQL in a worker and shows what comes back, without a server.
 *
 *     worker_shell [-f FORMAT] [-l LIBRARY] [-r ROOT] [-t THREADS] [-m MIB] [-u] [-s SECONDS] SQL…
 *
 * -f json|jsonl|csv|tsv|arrow|parquet|objects, or exec (no result); -u: without sandbox; -s: time
 * limit; -n: counts rows only; -x ROWS: at most so many; -b TIMES: repeats the first statement, each
 * time with a fresh session; -w: waits for Enter at the end, so that the processes can be looked at.
 * Timings go to stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/engine/worker.h"

static status show_columns(void *context, const result_column *columns, size_t count, error *err)
{
    (void)context;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "%s%.*s %.*s", i > 0 ? ", " : "-- ", STR_ARG(columns[i].name),
                STR_ARG(columns[i].type));
    }
    fprintf(stderr, "\n");
    return STATUS_OK;
}

static status show_bytes(void *context, const void *bytes, size_t size, error *err)
{
    (void)context;
    (void)err;
    (void)fwrite(bytes, 1, size, stdout);
    return STATUS_OK;
}

static status drop_columns(void *context, const result_column *columns, size_t count, error *err)
{
    (void)context;
    (void)columns;
    (void)count;
    (void)err;
    return STATUS_OK;
}

static status drop_bytes(void *context, const void *bytes, size_t size, error *err)
{
    (void)context;
    (void)bytes;
    (void)size;
    (void)err;
    return STATUS_OK;
}

static int show_error(const error *err)
{
    fprintf(stderr, "%s: %s\n", status_describe(err->kind)->name, err->message);
    if (err->hint[0] != '\0') {
        fprintf(stderr, "  hint: %s\n", err->hint);
    }
    if (err->detail[0] != '\0') {
        fprintf(stderr, "  detail: %s\n", err->detail);
    }
    if (err->position >= 0) {
        fprintf(stderr, "  position: %d\n", err->position);
    }
    return 1;
}

static int64_t rows_max = -1;

static double ms_since(int64_t start_ns)
{
    return (double)(clock_mono_ns() - start_ns) / 1e6;
}

static int run(worker *w, const char *sql, const char *format, int64_t deadline_ns)
{
    result_sink sink = {.begin = show_columns, .write = show_bytes};
    worker_query_options options = {.sql = str_c(sql), .rows_max = rows_max, .format = RESULT_NONE};
    worker_query_result counts = {.row_count = 0};
    worker_cancel cancel = {.deadline_ns = deadline_ns};
    error err = ERROR_INIT;
    int64_t start_ns = clock_mono_ns();
    status result;

    if (strcmp(format, "exec") == 0) {
        result = worker_exec(w, options.sql, &cancel, &err);
    } else {
        (void)result_format_from(str_c(format), &options.format);
        result = worker_query(w, &options, &sink, &cancel, &counts, &err);
    }
    (void)fflush(stdout);
    fprintf(stderr, "\n-- %lld rows, %lld bytes, %.1f ms\n", (long long)counts.row_count,
            (long long)counts.bytes, ms_since(start_ns));
    return result == STATUS_OK ? 0 : show_error(&err);
}

/* Acquire, one statement, release, again and again: what a small query costs. */
static void repeat(worker_pool *pool, const char *sql, int times)
{
    result_sink sink = {.begin = drop_columns, .write = drop_bytes};
    worker_query_options options = {.sql = str_c(sql), .rows_max = -1, .format = RESULT_JSON_ROWS};
    int64_t start_ns = clock_mono_ns();
    error err = ERROR_INIT;

    for (int i = 0; i < times; i++) {
        worker_query_result counts;
        worker *w;

        if (worker_acquire(pool, STR("shell"), WORKER_QUERY, NULL, &w, &err) != STATUS_OK) {
            (void)show_error(&err);
            return;
        }
        if (worker_query(w, &options, &sink, NULL, &counts, &err) != STATUS_OK) {
            (void)show_error(&err);
        }
        worker_release(w);
    }
    fprintf(stderr, "-- %d times in %.1f ms\n", times, ms_since(start_ns));
}

int main(int argc, char **argv)
{
    char folder[] = P_tmpdir "/worker-shell-XXXXXX";
    worker_options options = {
        .run_path = folder, .workers_max = 2, .threads_per_worker = 2, .spare = 0};
    const char *format = "csv";
    int64_t seconds = 0;
    bool waits = false;
    int times = 0;
    worker_pool *pool;
    worker *w;
    str root;
    error err = ERROR_INIT;
    int64_t start_ns;
    int failed = 0;

    if (argc > 1 && strcmp(argv[1], "engine") == 0) {
        return worker_main(argc, argv);
    }
    options.memory_bytes = (int64_t)4 << 30;
    for (int option; (option = getopt(argc, argv, "f:l:r:t:m:us:nwb:x:")) != -1;) {
        switch (option) {
        case 'f':
            format = optarg;
            break;
        case 'l':
            options.duckdb_library = optarg;
            break;
        case 'r':
            root = str_c(optarg);
            options.readable_roots = &root;
            options.readable_root_count = 1;
            break;
        case 't':
            options.threads_per_worker = (int)strtol(optarg, NULL, 10);
            break;
        case 'm':
            options.memory_bytes = 2 * ((int64_t)strtol(optarg, NULL, 10) << 20);
            break;
        case 'u':
            options.sandbox = SANDBOX_UNSAFE;
            break;
        case 's':
            seconds = strtol(optarg, NULL, 10);
            break;
        case 'n':
            format = "none";
            break;
        case 'x':
            rows_max = strtol(optarg, NULL, 10);
            break;
        case 'b':
            times = (int)strtol(optarg, NULL, 10);
            break;
        case 'w':
            waits = true;
            break;
        default:
            return 2;
        }
    }
    if (mkdtemp(folder) == NULL || worker_pool_open(&options, &pool, &err) != STATUS_OK) {
        return show_error(&err);
    }
    start_ns = clock_mono_ns();
    if (worker_acquire(pool, STR("shell"), WORKER_QUERY, NULL, &w, &err) != STATUS_OK) {
        worker_pool_close(pool);
        return show_error(&err);
    }
    fprintf(stderr, "-- worker ready in %.1f ms: %s\n", ms_since(start_ns), worker_in(w));
    for (int i = optind; i < argc; i++) {
        failed |= run(w, argv[i], format, seconds > 0 ? clock_mono_ns() + seconds * 1000000000 : 0);
    }
    worker_release(w);
    if (times > 0 && optind < argc) {
        repeat(pool, argv[optind], times);
    }
    if (waits) {
        (void)getchar();
    }
    worker_pool_close(pool);
    (void)fs_remove_tree(folder, NULL);
    return failed;
}

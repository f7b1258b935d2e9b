/* timeout: 120 */
/* Claims about the pool: who gets which worker, what ends a query, what is left behind. */
#include "unit/engine/worker_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "tarn/base/thread.h"

#define MS INT64_C(1000000)

static const char endless_sql[] =
    "SELECT count(*) FROM range(1000000000) a(i), range(1000000) b(j) WHERE (i * j) % 7 = 3";

static str scalar(fixture *f, worker *w, const char *sql)
{
    str text = STR_NULL;

    EXPECT_OK(worker_scalar(w, str_c(sql), NULL, 0, NULL, f->arena, &text, &f->err));
    return text;
}

/* --- processes --- */

static bool all_gone(const pid_t *pids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (kill(pids[i], 0) == 0) {
            return false;
        }
    }
    return true;
}

/* Children of every thread of this process: workers are started by a thread of the pool's. */
static size_t worker_pids(pid_t *pids, size_t room)
{
    str *names;
    size_t tasks;
    size_t count = 0;
    arena *a = arena_create();

    assert_int_equal(fs_list("/proc/self/task", a, &names, &tasks, NULL), STATUS_OK);
    for (size_t i = 0; i < tasks; i++) {
        char path[128];
        FILE *file;
        long pid;

        (void)snprintf(path, sizeof(path), "/proc/self/task/%.*s/children", STR_ARG(names[i]));
        file = fopen(path, "r");
        while (file != NULL && count < room && fscanf(file, "%ld", &pid) == 1) {
            pids[count++] = (pid_t)pid;
        }
        if (file != NULL) {
            (void)fclose(file);
        }
    }
    arena_free(a);
    return count;
}

static void test_close_leaves_no_process_and_no_folder(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers;
    pid_t pids[8];
    size_t count;
    worker *w;

    options.spare = 1;
    quiet_workers();
    EXPECT_OK(worker_pool_open(&options, &workers, &f->err));
    w = acquire(f, workers, "alice");
    EXPECT_STR(scalar(f, w, "SELECT 1"), "1");
    count = worker_pids(pids, COUNT_OF(pids));
    assert_true(count >= 1);
    worker_release(w);
    worker_pool_close(workers);
    assert_true(all_gone(pids, count));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, not even a dead one */
    assert_false(fs_exists(test_path(f, "run/workers")));
}

static void test_the_server_dies_with_its_workers(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    int pipe_fds[2];
    pid_t server, worker_pid = 0;
    int64_t deadline_ns;

    quiet_workers();
    assert_int_equal(pipe(pipe_fds), 0);
    server = fork();
    if (server == 0) { /* a server that is killed in the middle of a query */
        worker_pool *workers;
        worker *w;
        error err = ERROR_INIT;
        pid_t pid = 0;

        if (worker_pool_open(&options, &workers, &err) != STATUS_OK ||
            worker_acquire(workers, STR("alice"), WORKER_QUERY, NULL, &w, &err) != STATUS_OK ||
            worker_pids(&pid, 1) != 1 || write(pipe_fds[1], &pid, sizeof(pid)) != sizeof(pid)) {
            _exit(1);
        }
        (void)worker_exec(w, str_c(endless_sql), NULL, &err);
        _exit(1);
    }
    assert_int_equal(read(pipe_fds[0], &worker_pid, sizeof(worker_pid)), sizeof(worker_pid));
    assert_true(worker_pid > 0);
    clock_sleep_ms(50);
    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(waitpid(server, NULL, 0), server);
    deadline_ns = clock_mono_ns() + test_at_most_ms(5000) * MS;
    while (kill(worker_pid, 0) == 0 && clock_mono_ns() < deadline_ns) {
        char path[64];
        char text[256] = "";
        FILE *file;

        /* An orphan that nobody reaps here stays as a dead entry. */
        (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)worker_pid);
        file = fopen(path, "r");
        if (file == NULL || fgets(text, sizeof(text), file) == NULL ||
            strstr(text, ") Z ") != NULL) {
            worker_pid = 0;
        }
        if (file != NULL) {
            (void)fclose(file);
        }
        if (worker_pid == 0) {
            break;
        }
        clock_sleep_ms(10);
    }
    assert_true(clock_mono_ns() < deadline_ns);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

/* --- owners --- */

static void test_a_worker_never_serves_another_principal(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers;
    worker *w;
    pid_t alice = 0, bob = 0, again = 0;

    options.workers_max = 1;
    workers = open_pool(f, &options);
    w = acquire(f, workers, "alice");
    assert_int_equal(worker_pids(&alice, 1), 1);
    worker_release(w);
    w = acquire(f, workers, "alice");
    assert_int_equal(worker_pids(&again, 1), 1);
    assert_int_equal(alice, again); /* her own is used again */
    worker_release(w);
    w = acquire(f, workers, "bob"); /* hers makes room */
    assert_int_equal(worker_pids(&bob, 1), 1);
    assert_int_not_equal(alice, bob);
    worker_release(w);
}

static void test_the_profile_belongs_to_the_owner(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers = open_pool(f, &options);
    worker *reader = acquire(f, workers, "alice");
    worker *writer;
    pid_t pids[4];

    worker_release(reader);
    EXPECT_OK(worker_acquire(workers, STR("alice"), WORKER_WRITER, NULL, &writer, &f->err));
    assert_int_equal(worker_pids(pids, COUNT_OF(pids)), 2);
    worker_release(writer);
}

static void test_release_resets_the_session(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers;
    worker *w;
    const char *out;

    options.workers_max = 1;
    workers = open_pool(f, &options);
    w = acquire(f, workers, "alice");
    out = worker_out(w);
    EXPECT_OK(worker_exec(
        w,
        STR("CREATE TABLE t AS SELECT 1 AS a; CREATE SCHEMA s; CREATE VIEW s.v AS SELECT 2; "
            "CREATE TEMP TABLE tt AS SELECT 3; SET VARIABLE x = 4; USE tarn.s; "
            "SET disabled_optimizers = 'top_n'; SET memory_limit = '100MB'; CREATE MACRO m() AS 1; "
            "SET preserve_insertion_order = false; BEGIN; CREATE TABLE u AS SELECT 1"),
        NULL, &f->err));
    (void)test_write_file(f, arena_printf(f->arena, "run/workers/1/in/f1"), STR("x"));
    (void)test_write_file(f, arena_printf(f->arena, "run/workers/1/out/f2"), STR("x"));
    worker_release(w);
    w = acquire(f, workers, "alice");
    assert_string_equal(worker_out(w), out); /* the same one */
    EXPECT_STATUS(NO_TABLE, worker_exec(w, STR("SELECT * FROM t"), NULL, &f->err));
    EXPECT_STATUS(NO_TABLE, worker_exec(w, STR("SELECT * FROM u"), NULL, &f->err));
    EXPECT_STATUS(NO_TABLE, worker_exec(w, STR("SELECT * FROM s.v"), NULL, &f->err));
    EXPECT_STATUS(NO_TABLE, worker_exec(w, STR("SELECT * FROM tt"), NULL, &f->err));
    EXPECT_STATUS(NO_FUNCTION, worker_exec(w, STR("SELECT m()"), NULL, &f->err));
    assert_true(str_is_null(scalar(f, w, "SELECT getvariable('x')")));
    EXPECT_STR(scalar(f, w, "SELECT current_setting('disabled_optimizers')"), "");
    EXPECT_STR(scalar(f, w, "SELECT current_setting('memory_limit')"), "1.0 GiB");
    EXPECT_STR(scalar(f, w, "SELECT current_setting('preserve_insertion_order')"), "true");
    EXPECT_STR(scalar(f, w, "SELECT current_catalog() || '.' || current_schema()"), "tarn.main");
    EXPECT_STR(scalar(f, w, "SELECT current_setting('TimeZone')"), "UTC");
    assert_false(fs_exists(test_path(f, "run/workers/1/in/f1")));
    assert_false(fs_exists(test_path(f, "run/workers/1/out/f2")));
    worker_release(w);
}

static void test_idle_workers_end(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers;
    worker_pool_stats stats = {.alive = 1};

    options.idle_timeout_ms = 50;
    workers = open_pool(f, &options);
    worker_release(acquire(f, workers, "alice"));
    while (stats.alive > 0) { /* the test's time limit ends this where none ends */
        clock_sleep_ms(10);
        worker_pool_read_stats(workers, &stats);
    }
    assert_int_equal(stats.died, 0);
}

static void test_a_spare_is_kept_warm(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers;
    worker_pool_stats stats = {.spare = 0};
    pid_t spare = 0, used = 0;
    worker *w;

    options.spare = 1;
    options.workers_max = 1;
    workers = open_pool(f, &options);
    worker_pool_warm(workers);
    while (stats.spare == 0) { /* the test's time limit ends this where none starts */
        clock_sleep_ms(10);
        worker_pool_read_stats(workers, &stats);
    }
    assert_int_equal(worker_pids(&spare, 1), 1);
    w = acquire(f, workers, "alice"); /* it was there before anybody asked */
    assert_int_equal(worker_pids(&used, 1), 1);
    assert_int_equal(used, spare);
    worker_pool_read_stats(workers, &stats);
    assert_int_equal(stats.started, 1);
    assert_int_equal(stats.spare, 0);
    worker_release(w);
}

/* --- the queue --- */

typedef struct visitor {
    worker_pool *workers;
    const char *principal;
    status result;
    int turn; /* when it was served */
    error err;
} visitor;

static _Atomic int turns;

static void visit(void *context)
{
    visitor *v = context;
    worker *w;

    v->result = worker_acquire(v->workers, str_c(v->principal), WORKER_QUERY, NULL, &w, &v->err);
    if (v->result == STATUS_OK) {
        v->turn = turns++;
        worker_release(w);
    }
}

static void wait_for_queue(worker_pool *workers, int64_t size)
{
    worker_pool_stats stats = {.waiting = -1};

    while (stats.waiting != size) { /* the test's time limit ends this where they never wait */
        clock_sleep_ms(5);
        worker_pool_read_stats(workers, &stats);
    }
}

static void test_a_principal_with_many_queries_does_not_starve_another(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    visitor visitors[6];
    thread threads[6];
    worker_pool *workers;
    worker *w;

    options.workers_max = 1;
    workers = open_pool(f, &options);
    w = acquire(f, workers, "many");
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        visitors[i] =
            (visitor){.workers = workers, .principal = i < 5 ? "many" : "one", .err = ERROR_INIT};
        EXPECT_OK(thread_start(&threads[i], "visitor", visit, &visitors[i], &f->err));
        wait_for_queue(workers, (int64_t)i + 1); /* in this order */
    }
    worker_release(w);
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        thread_join(&threads[i]);
        assert_int_equal(visitors[i].result, STATUS_OK);
    }
    assert_true(visitors[5].turn <= 1); /* came last, was served first or second */
}

static bool always(void *context)
{
    (void)context;
    return true;
}

static void test_waiting_ends_by_deadline_and_by_cancel(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_cancel soon = {.deadline_ns = clock_mono_ns() + 3000 * MS};
    worker_cancel now = {.is_cancelled = always};
    worker_pool *workers;
    worker *w, *other;

    options.workers_max = 1;
    workers = open_pool(f, &options);
    w = acquire(f, workers, "alice");
    EXPECT_STATUS(CANCELLED,
                  worker_acquire(workers, STR("bob"), WORKER_QUERY, &now, &other, &f->err));
    soon.deadline_ns = clock_mono_ns() + 100 * MS; /* she keeps it: nothing else ends the wait */
    EXPECT_STATUS(TIMEOUT,
                  worker_acquire(workers, STR("bob"), WORKER_QUERY, &soon, &other, &f->err));
    EXPECT_STR(scalar(f, w, "SELECT 1"), "1");
    worker_release(w);
}

/* --- the end of queries --- */

/* Workers that are to hear an interrupt get the time that a busy machine takes for it: else they would be killed. */
static worker_options patient_options(fixture *f)
{
    worker_options options = default_options(f);

    options.kill_after_ms = 2 * test_at_most_ms(1000);
    return options;
}

static void test_a_deadline_ends_a_query_and_keeps_the_worker(void **state)
{
    fixture *f = *state;
    worker_options options = patient_options(f);
    worker *w = acquire(f, open_pool(f, &options), "alice");
    int64_t start_ns = clock_mono_ns();
    worker_cancel cancel = {.deadline_ns = start_ns + 200 * MS};

    EXPECT_STATUS(TIMEOUT, worker_exec(w, str_c(endless_sql), &cancel, &f->err));
    assert_true(clock_mono_ns() - start_ns >= 200 * MS);
    assert_true(clock_mono_ns() - start_ns < test_at_most_ms(1000) * MS);
    EXPECT_MESSAGE(f, "the query reached its time limit");
    EXPECT_STR(scalar(f, w, "SELECT 1"), "1");
    worker_release(w);
}

typedef struct timer {
    int64_t at_ns;
} timer;

static bool is_past(void *context)
{
    return clock_mono_ns() >= ((timer *)context)->at_ns;
}

/* On an idle machine a cancelled query ends within a second: interrupted, or killed after 700 ms (next test). */
static void test_cancel_interrupts_a_query_and_keeps_the_worker(void **state)
{
    fixture *f = *state;
    worker_options options = patient_options(f);
    worker *w = acquire(f, open_pool(f, &options), "alice");
    const char *slow[] = {
        endless_sql,
        "SELECT i, j FROM range(1000000000) a(i), range(1000) b(j)",
        "SELECT count(DISTINCT i * 7) FROM range(1000000000) t(i)",
        "SELECT i FROM range(300000000) t(i) ORDER BY hash(i)",
    };
    pid_t before = 0, after = 0;

    assert_int_equal(worker_pids(&before, 1), 1);

    for (size_t i = 0; i < COUNT_OF(slow); i++) {
        timer t = {.at_ns = clock_mono_ns() + 150 * MS};
        worker_cancel cancel = {.is_cancelled = is_past, .context = &t};
        worker_query_options query_options = {
            .sql = str_c(slow[i]), .format = RESULT_CSV, .rows_max = -1};
        worker_query_result counts;

        EXPECT_STATUS(CANCELLED, worker_query(w, &query_options, NULL, &cancel, &counts, &f->err));
        print_message("%s: %d ms\n", slow[i], (int)((clock_mono_ns() - t.at_ns) / MS));
        assert_true(clock_mono_ns() - t.at_ns < test_at_most_ms(1000) * MS);
        EXPECT_STR(scalar(f, w, "SELECT 1"), "1");
    }
    assert_int_equal(worker_pids(&after, 1), 1);
    assert_int_equal(before, after);
    worker_release(w);
}

/* DuckDB looks for an interrupt between chunks: a single call of a function goes on until it returns. Whether the
 * worker hears or is killed, its caller gets CANCELLED, and the next query a worker. */
static void test_cancel_ends_a_query_that_hears_nothing(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers;
    worker *w;

    options.kill_after_ms = 100;
    workers = open_pool(f, &options);
    for (int i = 0; i < 2; i++) {
        timer t = {.at_ns = clock_mono_ns() + 150 * MS};
        worker_cancel cancel = {.is_cancelled = is_past, .context = &t};
        worker_query_options query_options = {
            .sql = STR("SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))"),
            .format = RESULT_CSV,
            .rows_max = -1};
        worker_query_result counts;

        w = acquire(f, workers, "alice");
        EXPECT_STATUS(CANCELLED, worker_query(w, &query_options, NULL, &cancel, &counts, &f->err));
        assert_true(clock_mono_ns() - t.at_ns < test_at_most_ms(1000) * MS);
        worker_release(w);
    }
    w = acquire(f, workers, "alice");
    EXPECT_STR(scalar(f, w, "SELECT 1"), "1");
    worker_release(w);
}

static status refuse(void *context, const void *bytes, size_t size, error *err)
{
    (void)context;
    (void)bytes;
    (void)size;
    return error_set(err, STATUS_CANCELLED, "the client is gone");
}

static void test_a_sink_that_fails_ends_the_query(void **state)
{
    fixture *f = *state;
    worker_options options = patient_options(f);
    worker *w = acquire(f, open_pool(f, &options), "alice");
    gathered *g = gathered_create(f);
    result_sink sink = {.begin = gather_columns, .write = refuse, .context = g};
    worker_query_options query_options = {
        .sql = STR("SELECT i FROM range(10000000000) t(i)"), .format = RESULT_CSV, .rows_max = -1};
    worker_query_result counts;
    int64_t start_ns = clock_mono_ns();

    EXPECT_STATUS(CANCELLED, worker_query(w, &query_options, &sink, NULL, &counts, &f->err));
    EXPECT_MESSAGE(f, "the client is gone");
    assert_true(clock_mono_ns() - start_ns < test_at_most_ms(1000) * MS);
    EXPECT_STR(scalar(f, w, "SELECT 1"), "1");
    worker_release(w);
}

static void test_a_killed_worker_fails_its_query_and_is_replaced(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers = open_pool(f, &options);
    worker *w = acquire(f, workers, "alice");
    worker_pool_stats stats;
    pid_t pid = 0;

    assert_int_equal(worker_pids(&pid, 1), 1);
    assert_int_equal(kill(pid, SIGABRT), 0);
    EXPECT_STATUS(WORKER_DIED, worker_exec(w, str_c(endless_sql), NULL, &f->err));
    EXPECT_MESSAGE(f, "the query's worker process died by signal SIGABRT");
    EXPECT_STATUS(WORKER_DIED, worker_exec(w, STR("SELECT 1"), NULL, &f->err));
    worker_release(w);
    w = acquire(f, workers, "alice");
    EXPECT_STR(scalar(f, w, "SELECT 1"), "1");
    assert_int_equal(worker_pids(&pid, 1), 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    EXPECT_STATUS(WORKER_DIED, worker_exec(w, str_c(endless_sql), NULL, &f->err));
    assert_non_null(strstr(f->err.message, "ran out of memory"));
    worker_release(w);
    worker_pool_read_stats(workers, &stats);
    assert_int_equal(stats.died, 2);
}

/* Stopped, it cannot answer an interrupt. */
static void test_a_worker_that_does_not_answer_is_killed(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers = open_pool(f, &options);
    worker *w = acquire(f, workers, "alice");
    int64_t start_ns = clock_mono_ns();
    worker_cancel cancel = {.deadline_ns = start_ns + 100 * MS};
    pid_t pid = 0;

    assert_int_equal(worker_pids(&pid, 1), 1);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    EXPECT_STATUS(TIMEOUT, worker_exec(w, STR("SELECT 1"), &cancel, &f->err));
    assert_true(clock_mono_ns() - start_ns < test_at_most_ms(1000) * MS);
    worker_release(w);
    w = acquire(f, workers, "alice");
    EXPECT_STR(scalar(f, w, "SELECT 1"), "1");
    worker_release(w);
}

static void test_memory_and_spill_have_limits(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers;
    worker *w;

    options.memory_bytes = (int64_t)200 * 1024 * 1024; /* 100 MB each */
    options.temp_bytes = (int64_t)20 * 1024 * 1024;
    workers = open_pool(f, &options);
    w = acquire(f, workers, "alice");
    EXPECT_STATUS(
        OUT_OF_MEMORY,
        worker_exec(
            w,
            STR("SELECT length(list(repeat('x', 1000) || i)::VARCHAR) FROM range(10000000) t(i)"),
            NULL, &f->err));
    EXPECT_STATUS(
        NO_SPACE,
        worker_exec(
            w,
            STR("SELECT count(*) FROM (SELECT DISTINCT hash(i) AS h, repeat('x', 50) || i AS s "
                "FROM range(20000000) t(i)) x"),
            NULL, &f->err));
    print_message("%s\n", f->err.message);
    EXPECT_STR(scalar(f, w, "SELECT 1"), "1");
    worker_release(w);
}

static void test_errors_are_worded_and_placed(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker *w = acquire(f, open_pool(f, &options), "alice");

    EXPECT_OK(worker_exec(w, STR("CREATE TABLE orders AS SELECT 1 AS amount, 'x' AS name"), NULL,
                          &f->err));
    EXPECT_STATUS(SYNTAX, worker_exec(w, STR("SELECT 1;\nSELEC 2"), NULL, &f->err));
    EXPECT_MESSAGE(f, "syntax error at or near \"SELEC\"");
    assert_int_equal(f->err.position, 10);
    EXPECT_STATUS(NO_COLUMN, worker_exec(w, STR("SELECT 'ü', amout FROM orders"), NULL, &f->err));
    EXPECT_MESSAGE(f, "column \"amout\" does not exist");
    EXPECT_HINT(f, "Did you mean \"amount\"?");
    assert_int_equal(f->err.position, 13);
    EXPECT_STATUS(NO_COLUMN, worker_exec(w, STR("SELECT o.amout FROM orders o"), NULL, &f->err));
    EXPECT_MESSAGE(f, "table \"o\" has no column \"amout\"");
    EXPECT_HINT(f, "Did you mean \"amount\"?");
    EXPECT_STATUS(NO_TABLE, worker_exec(w, STR("SELECT * FROM ordres"), NULL, &f->err));
    EXPECT_MESSAGE(f, "table \"ordres\" does not exist");
    EXPECT_HINT(f, "Did you mean \"orders\"?");
    EXPECT_STATUS(NO_FUNCTION, worker_exec(w, STR("SELECT substing('a', 1)"), NULL, &f->err));
    EXPECT_HINT(f, "Did you mean \"substring\"?");
    EXPECT_STATUS(BAD_DATA, worker_exec(w, STR("SELECT name::INTEGER FROM orders"), NULL, &f->err));
    EXPECT_MESSAGE(f, "could not convert string 'x' to INT32 when casting from source column name");
    assert_int_equal(f->err.position, 11);
    EXPECT_STATUS(WRONG_TYPE,
                  worker_exec(w, STR("SELECT amount || 1 + [2] FROM orders"), NULL, &f->err));
    EXPECT_STATUS(BAD_DATA, worker_exec(w, STR("SELECT error('as it is')"), NULL, &f->err));
    EXPECT_MESSAGE(f, "as it is");
    EXPECT_STATUS(EXISTS, worker_exec(w, STR("CREATE TABLE orders (a INTEGER)"), NULL, &f->err));
    EXPECT_STATUS(UNSUPPORTED, worker_exec(w, STR("SELECT * FROM read_csv('http://127.0.0.1:1/')"),
                                           NULL, &f->err));
    EXPECT_STATUS(INVALID,
                  worker_exec(w, STR("SELECT amount FROM orders GROUP BY name"), NULL, &f->err));
    worker_release(w);
}

static void test_messages_hide_the_folders(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker *w = acquire(f, open_pool(f, &options), "alice");
    const char *path = arena_printf(f->arena, "%s/broken.parquet", worker_in(w));

    EXPECT_OK(fs_write_file(path, STR("PAR1 this is no Parquet file at all PAR1"), 0600, &f->err));
    EXPECT_STATUS(CORRUPT, worker_exec(w, str_c(arena_printf(f->arena, "SELECT * FROM '%s'", path)),
                                       NULL, &f->err));
    print_message("%s\n", f->err.message);
    assert_null(strstr(f->err.message, f->dir));
    assert_null(strstr(f->err.detail, f->dir));
    assert_non_null(strstr(f->err.message, "a data file"));
    EXPECT_OK(fs_write_file(path, STR("short"), 0600, &f->err));
    EXPECT_STATUS(CORRUPT, worker_exec(w, str_c(arena_printf(f->arena, "SELECT * FROM '%s'", path)),
                                       NULL, &f->err));
    assert_null(strstr(f->err.message, f->dir));
    worker_release(w);
}

/* --- what is missing --- */

static void test_a_missing_library_is_named_with_the_cure(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers;
    worker *w;

    options.duckdb_library = test_path(f, "nowhere.so");
    workers = open_pool(f, &options); /* the rest of the server needs none */
    EXPECT_STATUS(UNAVAILABLE,
                  worker_acquire(workers, STR("alice"), WORKER_QUERY, NULL, &w, &f->err));
    assert_non_null(strstr(f->err.message, "nowhere.so"));
    assert_non_null(strstr(f->err.hint, "engine.duckdb_library"));
}

static void test_a_library_of_another_kind_is_refused(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers;
    worker *w;

    options.duckdb_library = test_write_file(f, "libduckdb.so", STR("no library"));
    workers = open_pool(f, &options);
    EXPECT_STATUS(UNAVAILABLE,
                  worker_acquire(workers, STR("alice"), WORKER_QUERY, NULL, &w, &f->err));
    assert_non_null(strstr(f->err.hint, "tools/bootstrap"));
}

static void test_a_worker_that_dies_at_its_start_is_no_endless_wait(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    worker_pool *workers;
    worker *w;

    assert_int_equal(setenv("TARN_FAULT_ALLOW", "1", 1), 0);
    assert_int_equal(setenv("TARN_FAULT", "worker.start=kill", 1), 0);
    workers = open_pool(f, &options);
    EXPECT_STATUS(WORKER_DIED,
                  worker_acquire(workers, STR("alice"), WORKER_QUERY, NULL, &w, &f->err));
    assert_int_equal(unsetenv("TARN_FAULT"), 0);
    w = acquire(f, workers, "alice");
    worker_release(w);
}

TESTS(test_close_leaves_no_process_and_no_folder, test_the_server_dies_with_its_workers,
      test_a_worker_never_serves_another_principal, test_the_profile_belongs_to_the_owner,
      test_release_resets_the_session, test_idle_workers_end, test_a_spare_is_kept_warm,
      test_a_principal_with_many_queries_does_not_starve_another,
      test_waiting_ends_by_deadline_and_by_cancel,
      test_a_deadline_ends_a_query_and_keeps_the_worker,
      test_cancel_interrupts_a_query_and_keeps_the_worker,
      test_cancel_ends_a_query_that_hears_nothing, test_a_sink_that_fails_ends_the_query,
      test_a_killed_worker_fails_its_query_and_is_replaced,
      test_a_worker_that_does_not_answer_is_killed, test_memory_and_spill_have_limits,
      test_errors_are_worded_and_placed, test_messages_hide_the_folders,
      test_a_missing_library_is_named_with_the_cure, test_a_library_of_another_kind_is_refused,
      test_a_worker_that_dies_at_its_start_is_no_endless_wait)

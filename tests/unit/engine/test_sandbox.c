/* Claims about the sandbox: SQL that reaches a worker unchecked gets nothing from outside its folders, and no thread of
 * the worker may make the system calls that would. The list of functions that SQL may use is another wall, not tested
 * here. */
#include "unit/engine/worker_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "worker/sandbox.h"
#include "worker/session.h"

#define SECRET "the-secret-of-the-server"

/* --- SQL --- */

/* Placeholders: @in, @out: the worker's folders; @outside: a folder of the test's, with the file secret.csv in it;
 * @peer: `in` of another worker, with secret.csv too. */
static const char *const reading[] = {
    "SELECT * FROM read_csv('/etc/passwd', header = false)",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/shadow')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_ndjson_objects('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '@outside/secret.csv'",
    "SELECT * FROM read_csv('@outside/secret.csv', header = false)",
    "SELECT * FROM read_text('@outside/*')",
    "SELECT * FROM read_text('@in/../../../../secret.csv')",
    "SELECT * FROM read_text('../../../../outside/secret.csv')",
    "SELECT * FROM read_text('@in/link-to-secret')",
    "SELECT * FROM read_text('@out/link-to-secret')",
    "SELECT * FROM read_text('@out/link-to-folder/secret.csv')",
    "SELECT * FROM read_text('@peer/secret.csv')",
    "SELECT * FROM read_text('file:///etc/passwd')",
    "SELECT * FROM read_text('~/.profile')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_text('/proc/self/maps')",
    "SELECT * FROM read_text('/proc/self/cmdline')",
    "SELECT * FROM read_text('/proc/self/fd/2')",
    "SELECT * FROM read_text('/proc/1/environ')",
    "SELECT * FROM read_text('/proc/self/cgroup')",
    "SELECT * FROM read_text('/proc/self/cwd/../../../../../../etc/passwd')",
    "SELECT * FROM read_text('/proc/self/cwd/../../../../secret.csv')",
    "SELECT * FROM read_text('/dev/stdin')",
    "SELECT * FROM read_text('/sys/class/net/lo/address')",
    "SELECT * FROM parquet_metadata('@outside/secret.csv')",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT getenv('PATH')",
    "SELECT getenv('TARN_KEY')",
    "CREATE TABLE t (line VARCHAR); COPY t FROM '/etc/passwd'",
    "ATTACH '@outside/other.db' AS other",
    "ATTACH '@outside/other.db' AS other (READ_ONLY)",
    "IMPORT DATABASE '@outside'",
    "LOAD '@outside/evil.duckdb_extension'",
    "INSTALL '@outside/evil.duckdb_extension'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD sqlite_scanner",
    "FORCE INSTALL httpfs FROM 'http://127.0.0.1:1/'",
    "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
    "SELECT * FROM read_parquet('s3://bucket/key')",
    "SELECT * FROM read_parquet('https://127.0.0.1:1/x.parquet')",
};

static const char *const settings[] = {
    "SET enable_external_access = true",
    "RESET enable_external_access",
    "SET lock_configuration = false",
    "SET allowed_directories = ['/']",
    "SET allowed_paths = ['/etc/passwd']",
    "SET allowed_configs = ['allowed_directories']",
    "SET temp_directory = '@outside'",
    "SET home_directory = '@outside'",
    "SET secret_directory = '@outside'",
    "SET extension_directory = '@outside'",
    "SET GLOBAL file_search_path = '/etc'",
    "SET log_query_path = '@outside/log'",
    "SET profiling_output = '@outside/profile'",
    "PRAGMA profile_output = '@outside/profile'",
    "SET allow_unsigned_extensions = true",
    "SET autoinstall_known_extensions = true",
    "SET custom_extension_repository = 'http://127.0.0.1:1/'",
    "SET max_temp_directory_size = '100GB'",
    "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
};

static const char *const writing[] = {
    "COPY (SELECT 1) TO '@outside/written'",
    "COPY (SELECT 1) TO '@outside/written.parquet' (FORMAT parquet)",
    "COPY (SELECT 1 AS a, 2 AS b) TO '@outside/written' (FORMAT parquet, PARTITION_BY (a))",
    "COPY (SELECT 1) TO '@out/../../../../outside/written'",
    "COPY (SELECT 1) TO '@in/written'",
    "COPY (SELECT 1) TO '@in/existing' (FORMAT parquet)",
    "COPY (SELECT 1) TO '@out/dangling'",
    "COPY (SELECT 1) TO '@out/link-to-folder/written'",
    "COPY (SELECT 1) TO '@peer/written'",
    "COPY (SELECT 1) TO '/proc/self/fd/2'",
    "COPY (SELECT 1) TO '/dev/shm/tarn-written'",
    "EXPORT DATABASE '@outside/written'",
    "ATTACH '@outside/written' AS w; CREATE TABLE w.t AS SELECT 1",
    "ATTACH '@in/written' AS w; CREATE TABLE w.t AS SELECT 1",
};

typedef struct cell_block {
    worker_pool *pool;
    worker *w;
    const char *outside;
    worker *peer;
} cell_block;

static void link_to(const char *target, const char *folder, const char *name)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(symlink(target, path), 0);
}

static void furnish(fixture *f, cell_block *c)
{
    const char *secret = arena_printf(f->arena, "%s/secret.csv", c->outside);

    link_to(secret, worker_in(c->w), "link-to-secret");
    link_to(secret, worker_out(c->w), "link-to-secret");
    link_to(c->outside, worker_out(c->w), "link-to-folder");
    link_to(arena_printf(f->arena, "%s/written", c->outside), worker_out(c->w), "dangling");
    EXPECT_OK(fs_write_file(arena_printf(f->arena, "%s/existing", worker_in(c->w)),
                            STR("as it was"), 0600, &f->err));
}

static cell_block start(fixture *f)
{
    worker_options options = default_options(f);
    cell_block c;

    EXPECT_OK(fs_make_dirs(test_path(f, "outside"), 0700, &f->err));
    (void)test_write_file(f, "secret.csv", STR(SECRET "\n"));
    (void)test_write_file(f, "outside/secret.csv", STR(SECRET "\n"));
    assert_int_equal(setenv("TARN_KEY", SECRET, 1), 0);
    c.outside = test_path(f, "outside");
    c.pool = open_pool(f, &options);
    c.peer = acquire(f, c.pool, "peer");
    c.w = acquire(f, c.pool, "prisoner");
    EXPECT_OK(fs_write_file(arena_printf(f->arena, "%s/secret.csv", worker_in(c.peer)),
                            STR(SECRET "\n"), 0600, &f->err));
    furnish(f, &c);
    return c;
}

static const char *replace(fixture *f, const char *text, const char *mark, const char *by)
{
    const char *at = strstr(text, mark);

    return at == NULL ? text
                      : replace(f,
                                arena_printf(f->arena, "%.*s%s%s", (int)(at - text), text, by,
                                             at + strlen(mark)),
                                mark, by);
}

static const char *fill_in(fixture *f, const cell_block *c, const char *sql)
{
    sql = replace(f, sql, "@outside", c->outside);
    sql = replace(f, sql, "@in", worker_in(c->w));
    sql = replace(f, sql, "@out", worker_out(c->w));
    return replace(f, sql, "@peer", worker_in(c->peer));
}

/* An attempt may also end its own worker: the next one gets a new one. */
static void renew(fixture *f, cell_block *c)
{
    worker_release(c->w);
    c->w = acquire(f, c->pool, "prisoner");
    furnish(f, c);
}

static void expect_refusal(fixture *f, cell_block *c, const char *attempt)
{
    const char *sql = fill_in(f, c, attempt);
    status result = worker_exec(c->w, str_c(sql), NULL, &f->err);

    print_message("%s\n    %s: %s\n", attempt, status_describe(result)->name,
                  result == STATUS_OK ? "" : f->err.message);
    assert_int_not_equal(result, STATUS_OK);
    assert_null(strstr(f->err.message, SECRET));
    assert_null(strstr(f->err.detail, SECRET));
    if (result == STATUS_WORKER_DIED) {
        renew(f, c);
    }
}

static void expect_nothing_outside(fixture *f, const cell_block *c)
{
    str *names;
    size_t count;

    EXPECT_OK(fs_list(c->outside, f->arena, &names, &count, &f->err));
    assert_int_equal(count, 1); /* secret.csv */
    assert_false(fs_exists("/dev/shm/tarn-written"));
    assert_false(fs_exists(arena_printf(f->arena, "%s/written", worker_in(c->w))));
    assert_false(fs_exists(arena_printf(f->arena, "%s/written", worker_in(c->peer))));
    EXPECT_STR(test_read_file(f, arena_printf(f->arena, "%s/existing", worker_in(c->w))),
               "as it was");
}

static void stop(cell_block *c)
{
    worker_release(c->w);
    worker_release(c->peer);
}

static void test_sql_reads_nothing_outside(void **state)
{
    fixture *f = *state;
    cell_block c = start(f);

    for (size_t i = 0; i < COUNT_OF(reading); i++) {
        expect_refusal(f, &c, reading[i]);
    }
    stop(&c);
}

static void test_sql_changes_no_wall(void **state)
{
    fixture *f = *state;
    cell_block c = start(f);

    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        expect_refusal(f, &c, settings[i]);
    }
    expect_nothing_outside(f, &c);
    stop(&c);
}

static void test_sql_writes_nothing_outside(void **state)
{
    fixture *f = *state;
    cell_block c = start(f);

    for (size_t i = 0; i < COUNT_OF(writing); i++) {
        expect_refusal(f, &c, writing[i]);
        expect_nothing_outside(f, &c);
    }
    stop(&c);
}

/* glob lists by itself, without opening: an empty answer is as good as a refusal. */
static void test_sql_lists_nothing_outside(void **state)
{
    fixture *f = *state;
    cell_block c = start(f);
    const char *patterns[] = {"/etc/*",   "/proc/self/*", "@outside/*", "@peer/*",
                              "@in/../*", "/home/*",      "/var/*"};

    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        const char *sql =
            arena_printf(f->arena, "SELECT count(*) FROM glob('%s')", fill_in(f, &c, patterns[i]));
        str count = STR_NULL;
        status result = worker_scalar(c.w, str_c(sql), NULL, 0, NULL, f->arena, &count, &f->err);

        print_message("%s: %s\n", patterns[i], status_describe(result)->name);
        assert_true(result != STATUS_OK || str_equal(count, STR("0")));
    }
    stop(&c);
}

/* A log file elsewhere is refused only when it is written, and leaves the database unusable: that worker must not be
 * used again, and others go on. */
static void test_a_session_made_unusable_is_replaced(void **state)
{
    fixture *f = *state;
    cell_block c = start(f);
    const char *sql = fill_in(
        f, &c, "SELECT * FROM enable_logging(storage = 'file', storage_path = '@outside/log')");

    (void)worker_exec(c.w, str_c(sql), NULL, &f->err);
    (void)worker_exec(c.w, STR("SELECT 1"), NULL, &f->err);
    expect_nothing_outside(f, &c);
    worker_release(c.w);
    EXPECT_OK(worker_exec(c.peer, STR("SELECT 1"), NULL, &f->err));
    c.w = acquire(f, c.pool, "prisoner");
    EXPECT_OK(worker_exec(c.w, STR("SELECT 1"), NULL, &f->err));
    stop(&c);
}

static void test_sql_reads_in_and_roots_and_writes_out(void **state)
{
    fixture *f = *state;
    worker_options options = default_options(f);
    str root = str_c(test_path(f, "warehouse"));
    worker_pool *workers;
    worker *w;
    str text;

    EXPECT_OK(fs_make_dirs(root.data, 0700, &f->err));
    (void)test_write_file(f, "warehouse/a.csv", STR("n\n1\n"));
    options.readable_roots = &root;
    options.readable_root_count = 1;
    workers = open_pool(f, &options);
    w = acquire(f, workers, "alice");
    (void)test_write_file(f, "late.csv", STR("n\n2\n"));
    EXPECT_OK(fs_link(test_path(f, "late.csv"), arena_printf(f->arena, "%s/late.csv", worker_in(w)),
                      &f->err));
    EXPECT_OK(worker_scalar(
        w,
        str_c(arena_printf(f->arena, "SELECT sum(n) FROM read_csv(['%s/late.csv', '%s/a.csv'])",
                           worker_in(w), root.data)),
        NULL, 0, NULL, f->arena, &text, &f->err));
    EXPECT_STR(text, "3");
    EXPECT_OK(worker_exec(
        w, str_c(arena_printf(f->arena, "COPY (SELECT 1 AS x) TO '%s/x.parquet'", worker_out(w))),
        NULL, &f->err));
    assert_true(fs_exists(arena_printf(f->arena, "%s/x.parquet", worker_out(w))));
    EXPECT_STATUS(
        DENIED,
        worker_exec(w, str_c(arena_printf(f->arena, "COPY (SELECT 1) TO '%s/b.csv'", root.data)),
                    NULL, &f->err));
    worker_release(w);
}

/* --- system calls, from every thread --- */

typedef long (*try_call)(void);

static long try_open(void)
{
    return open("/etc/passwd", O_RDONLY);
}
static long try_open_environ(void)
{
    return open("/proc/self/environ", O_RDONLY);
}
static long try_open_self(void)
{
    return open("/proc/self/exe", O_RDONLY);
}
static long try_create(void)
{
    return open("/etc/tarn-sandbox-test", O_WRONLY | O_CREAT, 0600);
}
static long try_truncate(void)
{
    return syscall(SYS_truncate, "/etc/hostname", 0);
}
static long try_link(void)
{
    return syscall(SYS_linkat, AT_FDCWD, "/etc/passwd", AT_FDCWD, "linked", 0);
}
static long try_symlink(void)
{
    return syscall(SYS_symlinkat, "/etc/passwd", AT_FDCWD, "symlink");
}
static long try_mknod(void)
{
    return syscall(SYS_mknodat, AT_FDCWD, "device", S_IFCHR | 0600, makedev(1, 3));
}
static long try_chmod(void)
{
    return syscall(SYS_fchmodat, AT_FDCWD, ".", 0777);
}
static long try_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}
static long try_unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}
static long try_socketpair(void)
{
    int pair[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}
static long try_exec(void)
{
    return syscall(SYS_execve, "/bin/true", NULL, NULL);
}
static long try_fork(void)
{
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (child == 0) {
        _exit(0);
    }
    return child;
}
static long try_kill_init(void)
{
    return syscall(SYS_kill, 1, 0);
}
static long try_kill_parent(void)
{
    return syscall(SYS_kill, getppid(), 0);
}
static long try_tgkill_parent(void)
{
    return syscall(SYS_tgkill, getppid(), getppid(), 0);
}
static long try_ptrace(void)
{
    return syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), 0, 0);
}
static long try_read_process(void)
{
    return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}
static long try_pidfd(void)
{
    return syscall(SYS_pidfd_open, getppid(), 0);
}
static long try_mount(void)
{
    return syscall(SYS_mount, "none", ".", "tmpfs", 0, NULL);
}
static long try_chroot(void)
{
    return syscall(SYS_chroot, ".");
}
static long try_unshare(void)
{
    return syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */);
}
static long try_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}
static long try_perf(void)
{
    return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}
static long try_io_uring(void)
{
    char parameters[256] = {0};
    return syscall(SYS_io_uring_setup, 1, parameters);
}
static long try_userfaultfd(void)
{
    return syscall(SYS_userfaultfd, 0);
}
static long try_keyring(void)
{
    return syscall(SYS_keyctl, 0, 0, 0);
}
static long try_handle(void)
{
    return syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0);
}
static long try_memfd(void)
{
    return syscall(SYS_memfd_create, "x", 0);
}
static long try_map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED
               ? -1
               : 0;
}
static long try_setuid(void)
{
    return syscall(SYS_setuid, 0);
}
static long try_raise_limit(void)
{
    unsigned long limit[2] = {1, 1};
    return syscall(SYS_prlimit64, 0, 7, limit, NULL);
}
static long try_terminal_input(void)
{
    return syscall(SYS_ioctl, 2, 0x5412 /* TIOCSTI */, "x");
}

typedef struct forbidden {
    const char *name;
    try_call call;
} forbidden;

#define CALL(name)        \
    {                     \
#name, try_##name \
    }
static const forbidden calls[] = {
    CALL(open),          CALL(open_environ),   CALL(open_self),    CALL(create),
    CALL(truncate),      CALL(link),           CALL(symlink),      CALL(mknod),
    CALL(chmod),         CALL(socket),         CALL(unix_socket),  CALL(socketpair),
    CALL(exec),          CALL(fork),           CALL(kill_init),    CALL(kill_parent),
    CALL(tgkill_parent), CALL(ptrace),         CALL(read_process), CALL(pidfd),
    CALL(mount),         CALL(chroot),         CALL(unshare),      CALL(bpf),
    CALL(perf),          CALL(io_uring),       CALL(userfaultfd),  CALL(keyring),
    CALL(handle),        CALL(memfd),          CALL(map_code),     CALL(setuid),
    CALL(raise_limit),   CALL(terminal_input),
};

static _Atomic int escaped = -1; /* index of a call that succeeded */
static _Atomic int threads_seen;

/* A scalar function: DuckDB calls it on whatever thread has work. */
static void probe(duck_function_info *info, duck_chunk *input, duck_vector *output)
{
    static _Thread_local bool is_seen;
    int64_t *result = duck.vector_get_data(output);

    (void)info;
    if (!is_seen) {
        is_seen = true;
        threads_seen++;
        for (size_t i = 0; i < COUNT_OF(calls); i++) {
            if (calls[i].call() >= 0) {
                escaped = (int)i;
            }
        }
    }
    (void)usleep(2000); /* so that the other threads get work too */
    for (duck_index i = 0; i < duck.data_chunk_get_size(input); i++) {
        result[i] = 1;
    }
}

static status add_probe(duck_connection *connection)
{
    duck_scalar_function *function = duck.create_scalar_function();
    duck_logical_type *bigint = duck.create_logical_type(DUCK_BIGINT);
    duck_state added;

    duck.scalar_function_set_name(function, "probe");
    duck.scalar_function_add_parameter(function, bigint);
    duck.scalar_function_set_return_type(function, bigint);
    duck.scalar_function_set_function(function, probe);
    added = duck.register_scalar_function(connection, function);
    duck.destroy_scalar_function(&function);
    duck.destroy_logical_type(&bigint);
    return added == DUCK_SUCCESS ? STATUS_OK : STATUS_INTERNAL;
}

/* What main.c of the worker does, with a probe. Exit code: 0, or 100 and the number of the call that succeeded. */
static int run_probe(const char *library, const char *in, const char *out)
{
    session_options options = {
        .in = str_c(in), .out = str_c(out), .threads = 3, .memory_bytes = (int64_t)256 << 20};
    sandbox_paths paths = {.in = in, .out = out};
    session s;
    bool is_fatal;
    error err = ERROR_INIT;

    if (chdir(out) != 0 || sandbox_limit_process((int)getppid(), 0, &err) != STATUS_OK ||
        duck_load(library, &err) != STATUS_OK || sandbox_close_files(&paths, &err) != STATUS_OK ||
        sandbox_close_calls(&err) != STATUS_OK || session_open(&options, &s, &err) != STATUS_OK ||
        add_probe(s.connection) != STATUS_OK ||
        session_exec(
            &s,
            STR("CREATE TABLE t AS SELECT * FROM range(2000000) r(i); SELECT sum(probe(i)) FROM t"),
            &is_fatal, &err) != STATUS_OK) {
        (void)fprintf(stderr, "probe: %s\n", err.message);
        return 90;
    }
    if (escaped >= 0) {
        return 100 + escaped;
    }
    return threads_seen > 1 ? 0 : 91;
}

/* The probe is this program started again, like a worker. */
__attribute__((constructor)) static void become_probe(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "probe") == 0) {
        _exit(run_probe(argv[2], argv[3], argv[4]));
    }
}

static void test_every_thread_of_duckdb_is_bound(void **state)
{
    fixture *f = *state;
    const char *library = duckdb_library(f);
    const char *in = test_path(f, "in");
    const char *out = test_path(f, "out");
    pid_t child;
    int code;

    quiet_workers();
    EXPECT_OK(fs_make_dirs(in, 0700, &f->err));
    EXPECT_OK(fs_make_dirs(arena_printf(f->arena, "%s/spill", out), 0700, &f->err));
    child = fork();
    if (child == 0) {
        (void)execl("/proc/self/exe", "test_sandbox", "probe", library, in, out, (char *)NULL);
        _exit(92);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    if (WEXITSTATUS(code) >= 100) {
        fail_msg("%s succeeded", calls[WEXITSTATUS(code) - 100].name);
    }
    assert_int_equal(WEXITSTATUS(code), 0);
}

/* The probe would notice: without the sandbox calls succeed. */
static void test_the_probe_sees_what_is_open(void **state)
{
    (void)state;
    assert_true(try_open() >= 0);
    assert_true(try_socket() >= 0);
    assert_true(try_kill_parent() >= 0);
}

TESTS(test_sql_reads_nothing_outside, test_sql_changes_no_wall, test_sql_writes_nothing_outside,
      test_sql_lists_nothing_outside, test_a_session_made_unusable_is_replaced,
      test_sql_reads_in_and_roots_and_writes_out, test_every_thread_of_duckdb_is_bound,
      test_the_probe_sees_what_is_open)

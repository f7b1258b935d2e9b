/* Starting a worker process: its folders, its environment, its descriptors, its instructions.
 *
 * The program starts itself again (/proc/self/exe) by posix_spawn, which neither copies memory nor runs code of ours
 * between fork and exec. What the new process may see of this one is said here in full: three standard streams, one
 * socket, and the variables of the table. */
#include "pool_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "protocol.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"

#define MEMORY_LEAST_BYTES (64 * (int64_t)LIMIT_MIB) /* DuckDB cannot do with less */

/* --- the library --- */

static const char *const library_places[] = {"libduckdb.so", "../lib/tarn/libduckdb.so",
                                             "../lib/libduckdb.so"};

status pool_find_library(const worker_options *options, arena *a, const char **ret_path, error *err)
{
    char program[PATH_MAX];
    ssize_t size;

    if (options->duckdb_library[0] != '\0') {
        if (!fs_exists(options->duckdb_library)) {
            (void)error_set(err, STATUS_UNAVAILABLE, "the DuckDB library \"%s\" does not exist",
                            options->duckdb_library);
            error_hint(
                err,
                "Run tools/bootstrap, or set engine.duckdb_library to the path of libduckdb.so.");
            return STATUS_UNAVAILABLE;
        }
        *ret_path = options->duckdb_library;
        return STATUS_OK;
    }
    size = readlink("/proc/self/exe", program, sizeof(program));
    for (size_t i = 0; size > 0 && i < COUNT_OF(library_places); i++) {
        str folder = str_slice(str_from(program, (size_t)size), 0,
                               str_find_last_char(str_from(program, (size_t)size), '/'));
        const char *path = arena_printf(a, "%.*s/%s", STR_ARG(folder), library_places[i]);

        if (fs_exists(path)) {
            *ret_path = path;
            return STATUS_OK;
        }
    }
    *ret_path = "libduckdb.so"; /* where the system looks; the worker says if it is nowhere */
    return STATUS_OK;
}

/* --- folders --- */

static status make_folders(worker *w, error *err)
{
    worker_pool *p = w->pool;
    arena *a = arena_create();
    status result;

    w->folder = mem_alloc(PATH_MAX);
    w->in = mem_alloc(PATH_MAX);
    w->out = mem_alloc(PATH_MAX);
    (void)snprintf(w->folder, PATH_MAX, "%s/workers/%llu", p->options.run_path,
                   (unsigned long long)++p->folders);
    (void)snprintf(w->in, PATH_MAX, "%s/in", w->folder);
    (void)snprintf(w->out, PATH_MAX, "%s/out", w->folder);
    result = fs_make_dirs(w->in, 0700, err);
    if (result == STATUS_OK) {
        result = fs_make_dirs(fs_join(a, w->out, "spill"), 0700, err);
    }
    arena_free(a);
    return result;
}

/* One pass: most often there is nothing to do. */
static status clear_folder(const char *path, const char *keep, error *err)
{
    DIR *folder = opendir(path);
    arena *a;
    status result = STATUS_OK;

    if (folder == NULL) {
        return error_errno(err, STATUS_IO, errno, "cannot read the folder \"%s\"", path);
    }
    a = arena_create();
    for (const struct dirent *entry; result == STATUS_OK && (entry = readdir(folder)) != NULL;) {
        str name = str_c(entry->d_name);

        if (str_equal(name, STR(".")) || str_equal(name, STR("..")) ||
            str_equal(name, str_c(keep))) {
            continue;
        }
        result = fs_remove_tree(fs_join(a, path, entry->d_name), err);
    }
    arena_free(a);
    (void)closedir(folder);
    return result;
}

status pool_clear_folders(worker *w, error *err)
{
    if (w->used_in || w->is_touched) {
        TRY(clear_folder(w->in, "", err));
    }
    if (w->used_out || w->is_touched) {
        TRY(clear_folder(w->out, "spill", err));
    }
    w->used_in = w->used_out = false;
    return STATUS_OK;
}

/* --- the process --- */

/* Everything that the environment of a worker may hold. */
static const char *const variables[] = {"TARN_FAULT", "TARN_FAULT_ALLOW", "ASAN_OPTIONS",
                                        "UBSAN_OPTIONS", "TSAN_OPTIONS"};
#define TIME_ZONE "TZ=UTC0" /* named so that no file is read for it */

static char **make_environment(arena *a)
{
    char **environment = ARENA_ARRAY(a, char *, COUNT_OF(variables) + 2);
    size_t count = 0;

    environment[count++] = arena_strndup(a, TIME_ZONE, sizeof(TIME_ZONE) - 1);
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        const char *value = getenv(variables[i]);

        if (value != NULL) {
            environment[count++] = arena_printf(a, "%s=%s", variables[i], value);
        }
    }
    return environment;
}

static int make_actions(posix_spawn_file_actions_t *actions, int fd, int interrupt_fd)
{
    int failed = posix_spawn_file_actions_init(actions);

    if (failed == 0) {
        failed = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    }
    if (failed == 0) {
        failed = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    if (failed == 0) {
        failed = posix_spawn_file_actions_adddup2(actions, fd, WORKER_FD);
    }
    if (failed == 0) {
        failed = posix_spawn_file_actions_adddup2(actions, interrupt_fd, WORKER_INTERRUPT_FD);
    }
    if (failed == 0) {
        failed = posix_spawn_file_actions_addclosefrom_np(actions, WORKER_INTERRUPT_FD + 1);
    }
    return failed;
}

static int make_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int failed = posix_spawnattr_init(attributes);

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    if (failed == 0) {
        failed = posix_spawnattr_setsigmask(attributes, &none);
    }
    if (failed == 0) {
        failed = posix_spawnattr_setsigdefault(attributes, &all);
    }
    if (failed == 0) {
        failed = posix_spawnattr_setpgroup(attributes, 0);
    }
    if (failed == 0) {
        failed = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }
    return failed;
}

/* Both descriptors must be above the worker's: dup2 onto itself would keep them close-on-exec, onto the other one close
 * that. */
static int spawn(worker *w, int fd, int interrupt_fd, arena *a)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *arguments[] = {arena_strndup(a, "tarn", 4), arena_strndup(a, "engine", 6),
                         arena_printf(a, "%ld", (long)getpid()), NULL};
    int failed = make_actions(&actions, fd, interrupt_fd);

    if (failed != 0) {
        return failed;
    }
    failed = make_attributes(&attributes);
    if (failed == 0) {
        failed = posix_spawn(&w->pid, "/proc/self/exe", &actions, &attributes, arguments,
                             make_environment(a));
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static void limit_waiting(int fd)
{
    struct timeval send = {.tv_sec = 10};
    struct timeval receive = {.tv_sec = 1}; /* of a message that has begun */

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof(send));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof(receive));
}

/* *ret_theirs lies above the worker's descriptors. */
static status make_connection(int *ret_ours, int *ret_theirs, error *err)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return error_errno(err, STATUS_BUSY, errno, "cannot make a connection for a worker");
    }
    limit_waiting(pair[0]);
    *ret_ours = pair[0]; /* closed with the worker */
    *ret_theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, WORKER_INTERRUPT_FD + 1);
    (void)close(pair[1]);
    return *ret_theirs >= 0
               ? STATUS_OK
               : error_errno(err, STATUS_BUSY, errno, "cannot make a connection for a worker");
}

static status start_process(worker *w, error *err)
{
    int fd;
    int interrupt_fd;
    int failed;
    arena *a;
    status made;

    TRY(make_connection(&w->fd, &fd, err));
    made = make_connection(&w->interrupt_fd, &interrupt_fd, err);
    if (made != STATUS_OK) {
        (void)close(fd);
        return made;
    }
    a = arena_create();
    failed = spawn(w, fd, interrupt_fd, a);
    arena_free(a);
    (void)close(fd);
    (void)close(interrupt_fd);
    if (failed != 0) {
        w->pid = 0;
        return error_errno(err, STATUS_BUSY, failed, "cannot start a worker process");
    }
    w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
    if (w->pidfd < 0) {
        int code = errno;

        (void)kill(w->pid, SIGKILL);
        return error_errno(err, STATUS_BUSY, code, "cannot watch a worker process");
    }
    return STATUS_OK;
}

static status send_setup(worker *w, error *err)
{
    const worker_options *options = &w->pool->options;
    int64_t memory_bytes = options->memory_bytes / options->workers_max;
    arena *a = arena_create();
    buf *payload = buf_in(a, LIMIT_WORKER_MESSAGE);
    const char *library;
    status result = pool_find_library(options, a, &library, err);

    if (result == STATUS_OK) {
        wire_put_str(payload, str_c(library));
        wire_put_str(payload, str_c(w->in));
        wire_put_str(payload, str_c(w->out));
        buf_add_u32le(payload, options->sandbox == SANDBOX_ON);
        buf_add_u32le(payload, (uint32_t)options->threads_per_worker);
        buf_add_u64le(payload, (uint64_t)(memory_bytes > MEMORY_LEAST_BYTES ? memory_bytes
                                                                            : MEMORY_LEAST_BYTES));
        buf_add_u64le(payload, (uint64_t)options->temp_bytes);
        buf_add_u32le(payload, (uint32_t)options->readable_root_count);
        for (size_t i = 0; i < options->readable_root_count; i++) {
            wire_put_str(payload, options->readable_roots[i]);
        }
        result = wire_send(w->fd, WIRE_SETUP, buf_str(payload), err);
    }
    arena_free(a);
    return result;
}

status pool_spawn(worker *w, error *err)
{
    TRY(make_folders(w, err));
    TRY(start_process(w, err));
    return send_setup(w, err);
}

void pool_discard(worker *w)
{
    if (w->fd >= 0) {
        (void)close(w->fd);
    }
    if (w->interrupt_fd >= 0) {
        (void)close(w->interrupt_fd);
    }
    if (w->pidfd >= 0) {
        (void)close(w->pidfd);
    }
    if (w->folder != NULL) {
        (void)fs_remove_tree(w->folder, NULL);
    }
    pool_forget_answers(w);
    map_free(w->footers);
    mem_free(w->received);
    mem_free(w->principal);
    mem_free(w->folder);
    mem_free(w->in);
    mem_free(w->out);
    mem_free(w);
}

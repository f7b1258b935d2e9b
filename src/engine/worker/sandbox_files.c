/* Process limits and Landlock. The declarations are tarn's own: the headers of the build machine may be older than the
 * running kernel. Source: Documentation/userspace-api/landlock.rst. */
#include "worker/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tarn/base/arena.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define RULESET_VERSION 1U
#define RULE_PATH_BENEATH 1

/*  right        bit   first ABI that has it   read  write */
#define RIGHT_TABLE(X)         \
    X(EXECUTE, 0, 1, 0, 0)     \
    X(WRITE_FILE, 1, 1, 0, 1)  \
    X(READ_FILE, 2, 1, 1, 1)   \
    X(READ_DIR, 3, 1, 1, 1)    \
    X(REMOVE_DIR, 4, 1, 0, 1)  \
    X(REMOVE_FILE, 5, 1, 0, 1) \
    X(MAKE_CHAR, 6, 1, 0, 0)   \
    X(MAKE_DIR, 7, 1, 0, 1)    \
    X(MAKE_REG, 8, 1, 0, 1)    \
    X(MAKE_SOCK, 9, 1, 0, 0)   \
    X(MAKE_FIFO, 10, 1, 0, 0)  \
    X(MAKE_BLOCK, 11, 1, 0, 0) \
    X(MAKE_SYM, 12, 1, 0, 0)   \
    X(REFER, 13, 2, 0, 0)      \
    X(TRUNCATE, 14, 3, 0, 1)   \
    X(IOCTL_DEV, 15, 5, 0, 0)

typedef struct right {
    int bit;
    int abi;
    bool read;
    bool write;
} right;

static const right rights[] = {
#define X(name, bit, abi, read, write) {(bit), (abi), (read) != 0, (write) != 0},
    RIGHT_TABLE(X)
#undef X
};

#define NET_BIND_AND_CONNECT_TCP 3U /* ABI 4 */
#define SCOPE_SOCKET_AND_SIGNAL 3U  /* ABI 6 */

typedef struct ruleset_attributes {
    uint64_t handled_files;
    uint64_t handled_net; /* ABI 4 */
    uint64_t scoped;      /* ABI 6 */
} ruleset_attributes;

typedef struct __attribute__((packed)) path_rule {
    uint64_t allowed;
    int32_t parent_fd;
} path_rule;

static bool running_has(const right *r, int abi)
{
    return r->abi <= abi;
}

static status add_path(int ruleset, const char *path, bool is_writable, int abi, error *err)
{
    path_rule rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC | O_DIRECTORY)};
    long added;

    if (rule.parent_fd < 0) {
        return error_errno(err, STATUS_IO, errno, "cannot open the folder \"%s\"", path);
    }
    for (size_t i = 0; i < COUNT_OF(rights); i++) {
        if (running_has(&rights[i], abi) && (is_writable ? rights[i].write : rights[i].read)) {
            rule.allowed |= UINT64_C(1) << rights[i].bit;
        }
    }
    added = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
    (void)close(rule.parent_fd);
    if (added != 0) {
        return error_errno(err, STATUS_UNAVAILABLE, errno,
                           "cannot allow the folder \"%s\" in the sandbox", path);
    }
    return STATUS_OK;
}

static status add_paths(int ruleset, const sandbox_paths *paths, int abi, error *err)
{
    arena *a;

    TRY(add_path(ruleset, paths->in, false, abi, err));
    TRY(add_path(ruleset, paths->out, true, abi, err));
    a = arena_create();
    for (size_t i = 0; i < paths->root_count; i++) {
        /* A warehouse root may not exist yet, or no longer: there is nothing to read then. */
        if (add_path(ruleset, str_to_c(a, paths->roots[i]), false, abi, err) != STATUS_OK) {
            error_clear(err);
        }
    }
    arena_free(a);
    return STATUS_OK;
}

/* --- what DuckDB must read of the system --- */

/* A file alone, not what lies beside it. Left out where it does not exist. */
static void add_file(int ruleset, const char *path)
{
    path_rule rule = {.allowed = UINT64_C(1) << 2 /* READ_FILE */,
                      .parent_fd = open(path, O_PATH | O_CLOEXEC)};

    if (rule.parent_fd >= 0) {
        (void)syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
        (void)close(rule.parent_fd);
    }
}

#define OWN_GROUPS "/proc/self/cgroup"

/* DuckDB looks at its control group's limits when it opens, and ends the process where it sees that the files are
 * there but cannot open them. They say nothing but the limits. Lines: "0::/path" (version 2) and "4:memory:/path". */
typedef struct group_file {
    const char *folder; /* the group's path follows */
    const char *name;
} group_file;

static const group_file group_files[] = {
    {"/sys/fs/cgroup", "memory.max"},
    {"/sys/fs/cgroup", "cpu.max"},
    {"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
    {"/sys/fs/cgroup/cpu", "cpu.cfs_quota_us"},
    {"/sys/fs/cgroup/cpu", "cpu.cfs_period_us"},
};

static void add_group_files(int ruleset)
{
    char text[4096];
    int fd = open(OWN_GROUPS, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
    str rest = str_from(text, size > 0 ? (size_t)size : 0);

    if (fd >= 0) {
        (void)close(fd);
    }
    add_file(ruleset, OWN_GROUPS);
    while (!str_is_null(rest) && rest.size > 0) {
        str line = str_cut(rest, '\n', &rest);
        size_t slash = str_find_char(line, '/');
        str path = slash == STR_NPOS ? STR("") : str_slice(line, slash, line.size);

        if (str_equal(path, STR("/"))) {
            path = STR("");
        }
        for (size_t i = 0; i < COUNT_OF(group_files); i++) {
            char name[4096];
            int put = snprintf(name, sizeof(name), "%s%.*s/%s", group_files[i].folder,
                               STR_ARG(path), group_files[i].name);

            if (put > 0 && (size_t)put < sizeof(name)) {
                add_file(ruleset, name);
            }
        }
    }
}

static status no_landlock(error *err)
{
    (void)error_set(err, STATUS_UNAVAILABLE,
                    "SQL needs the sandbox, and this kernel has no Landlock");
    error_hint(
        err,
        "Start the kernel with Landlock (lsm=landlock,…), or set engine.sandbox = unsafe to run SQL "
        "without a sandbox.");
    return STATUS_UNAVAILABLE;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1 /* as gcc says it */
#endif
#endif

/* Threads that already run would stay outside. ThreadSanitizer runs one of its own. */
#if defined(__SANITIZE_THREAD__)
static status check_single_thread(error *err)
{
    (void)err;
    return STATUS_OK;
}
#else
static status check_single_thread(error *err)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    if (tasks == NULL) {
        return error_errno(err, STATUS_UNAVAILABLE, errno, "cannot read /proc/self/task");
    }
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(tasks);
    if (count != 1) {
        return error_set(err, STATUS_UNAVAILABLE, "a thread runs before the sandbox is closed");
    }
    return STATUS_OK;
}
#endif

status sandbox_close_files(const sandbox_paths *paths, error *err)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
    ruleset_attributes attributes = {.handled_files = 0};
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8; /* what the running kernel knows */
    int ruleset;
    status result;

    if (abi < 1) {
        return no_landlock(err);
    }
    TRY(check_single_thread(err));
    for (size_t i = 0; i < COUNT_OF(rights); i++) {
        attributes.handled_files |= running_has(&rights[i], abi) ? UINT64_C(1) << rights[i].bit : 0;
    }
    attributes.handled_net = abi >= 4 ? NET_BIND_AND_CONNECT_TCP : 0;
    attributes.scoped = abi >= 6 ? SCOPE_SOCKET_AND_SIGNAL : 0;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0) {
        return error_errno(err, STATUS_UNAVAILABLE, errno, "cannot make the sandbox");
    }
    result = add_paths(ruleset, paths, abi, err);
    add_group_files(ruleset);
    if (result == STATUS_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        result = error_errno(err, STATUS_UNAVAILABLE, errno, "cannot close the sandbox");
    }
    (void)close(ruleset);
    return result;
}

/* --- limits --- */

#define FILES_MAX 65536

static void limit(int resource, rlim_t value)
{
    struct rlimit old;

    if (getrlimit((__rlimit_resource_t)resource, &old) == 0) {
        rlim_t most = old.rlim_max == RLIM_INFINITY || value < old.rlim_max ? value : old.rlim_max;
        struct rlimit new = {.rlim_cur = most, .rlim_max = most};

        (void)setrlimit((__rlimit_resource_t)resource, &new);
    }
}

status sandbox_limit_process(int parent_pid, int64_t temp_bytes, error *err)
{
    (void)setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, 0) != 0) {
        return error_errno(err, STATUS_UNAVAILABLE, errno, "cannot limit the worker process");
    }
    if (getppid() != parent_pid) { /* it died before it could be noticed */
        return error_set(err, STATUS_UNAVAILABLE, "the server is gone");
    }
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, FILES_MAX);
    if (temp_bytes > 0) {
        limit(RLIMIT_FSIZE, (rlim_t)temp_bytes);
    }
    /* Too large a file is an error of the write, and a reader that left one of the socket. */
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    return STATUS_OK;
}

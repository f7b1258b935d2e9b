/* seccomp: the system calls that a worker may make, everything else fails with EPERM.
 *
 * No call of the list opens a socket, starts a program, touches another process, maps code or changes the machine.
 * Threads may be started, processes not. clone3 fails with ENOSYS because its flags lie in memory, where a filter
 * cannot look: the C library then uses clone. */
#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "protocol.h"

static const char *const calls[] = {
    /* files: which ones is Landlock's business */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "lseek",
    "close",
    "open",
    "openat",
    "access",
    "faccessat",
    "faccessat2",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "statfs",
    "fstatfs",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "fadvise64",
    "readahead",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "rename",
    "renameat",
    "renameat2",
    "flock",
    "umask",
    "copy_file_range",
    /* memory: but see mmap and mprotect below */
    "munmap",
    "mremap",
    "madvise",
    "brk",
    "mincore",
    "membarrier",
    /* threads */
    "futex",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "exit",
    "exit_group",
    "gettid",
    "getpid",
    "getppid",
    "sched_yield",
    "sched_getaffinity",
    "sched_setaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "getcpu",
    "restart_syscall",
    /* signals to oneself */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    /* time and facts */
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "getrandom",
    "getrusage",
    "sysinfo",
    "uname",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "poll",
    "ppoll",
    "getrlimit",
    "times",
};

/* A call that is allowed where one of its arguments, under `mask`, has the value. */
typedef struct call_rule {
    const char *name;
    unsigned argument;
    uint64_t mask;
    uint64_t value;
} call_rule;

#define ALL_BITS UINT64_MAX
#define THREAD_FLAGS ((uint64_t)(CLONE_VM | CLONE_THREAD))

static const call_rule rules[] = {
    {"clone", 0, THREAD_FLAGS, THREAD_FLAGS},
    {"mmap", 2, PROT_EXEC, 0},
    {"mprotect", 2, PROT_EXEC, 0},
    {"prlimit64", 2, ALL_BITS, 0}, /* reading limits */
    {"sendmsg", 0, ALL_BITS, WORKER_FD},
    {"sendto", 0, ALL_BITS, WORKER_FD},
    {"recvfrom", 0, ALL_BITS, WORKER_FD},
    {"recvmsg", 0, ALL_BITS, WORKER_FD},
    {"prctl", 0, ALL_BITS, PR_SET_NAME},
    {"prctl", 0, ALL_BITS, PR_GET_NAME},
    {"fcntl", 1, ALL_BITS, F_DUPFD_CLOEXEC}, /* of a file that was handed over */
    {"fcntl", 1, ALL_BITS, F_GETFD},
    {"fcntl", 1, ALL_BITS, F_SETFD},
    {"fcntl", 1, ALL_BITS, F_GETFL},
    {"fcntl", 1, ALL_BITS, F_SETFL},
    {"fcntl", 1, ALL_BITS, F_GETLK},
    {"fcntl", 1, ALL_BITS, F_SETLK},
    {"fcntl", 1, ALL_BITS, F_SETLKW},
};

/* Calls that a library tries first and can do without. */
static const char *const absent_calls[] = {"clone3", "openat2", "io_uring_setup", "futex_waitv"};

/* Names that this machine's architecture does not have are skipped. */
static int call_number(const char *name)
{
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR || number < 0 ? -1 : number;
}

static int add_rules(scmp_filter_ctx filter)
{
    int failed = 0;

    for (size_t i = 0; i < COUNT_OF(calls) && failed == 0; i++) {
        int number = call_number(calls[i]);

        failed = number < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    }
    for (size_t i = 0; i < COUNT_OF(rules) && failed == 0; i++) {
        struct scmp_arg_cmp compare = {.arg = rules[i].argument,
                                       .op = SCMP_CMP_MASKED_EQ,
                                       .datum_a = rules[i].mask,
                                       .datum_b = rules[i].value};

        failed =
            seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call_number(rules[i].name), 1, &compare);
    }
    for (size_t i = 0; i < COUNT_OF(absent_calls) && failed == 0; i++) {
        int number = call_number(absent_calls[i]);

        failed = number < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
    }
    if (failed == 0) { /* abort() */
        struct scmp_arg_cmp compare = {
            .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid(), .datum_b = 0};

        failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call_number("tgkill"), 1, &compare);
    }
    return failed;
}

status sandbox_close_calls(error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int failed = filter == NULL ? -ENOMEM : 0;

    if (failed == 0) {
        failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0); /* already set */
    }
    if (failed == 0) {
        failed = add_rules(filter);
    }
    if (failed == 0) {
        failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
    }
    if (failed == 0) {
        failed = seccomp_load(filter);
    }
    if (filter != NULL) {
        seccomp_release(filter);
    }
    if (failed != 0) {
        (void)error_errno(err, STATUS_UNAVAILABLE, -failed,
                          "cannot close the sandbox with seccomp");
        error_hint(err, "Set engine.sandbox = unsafe to run SQL without a sandbox.");
        return STATUS_UNAVAILABLE;
    }
    return STATUS_OK;
}

/* The worker process: `tarn engine PID`, started by the server PID with sockets as descriptors 3 and 4.
 *
 * The order of the steps is the sandbox: the library is opened while files can still be seen, then the process locks
 * itself in, and only then threads start and the database is opened (invariant: no thread before
 * sandbox_close_calls). A failure on the way is told to the server, which tells the user. */
#include "tarn/engine/worker.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "protocol.h"
#include "tarn/base/fault.h"
#include "tarn/base/limits.h"
#include "worker/sandbox.h"
#include "worker/serve.h"

enum { EXIT_DONE = 0, EXIT_FAILURE_TOLD = 1, EXIT_USAGE = 2 };

static status read_setup(int fd, arena *a, session_options *ret_options, error *err)
{
    buf *payload = buf_in(a, LIMIT_WORKER_MESSAGE);
    session_options options = {.threads = 1};
    str *roots;
    wire_reader r;
    wire_type type;
    bool is_end;

    TRY(wire_receive(fd, &type, payload, &is_end, err));
    if (is_end || type != WIRE_SETUP) {
        return error_set(err, STATUS_USAGE, "the worker was not told what to do");
    }
    r = wire_read(buf_str(payload));
    options.library = str_copy(a, wire_get_str(&r));
    options.in = str_copy(a, wire_get_str(&r));
    options.out = str_copy(a, wire_get_str(&r));
    options.sandbox = wire_get_u32(&r) != 0;
    options.threads = (int)wire_get_u32(&r);
    options.memory_bytes = (int64_t)wire_get_u64(&r);
    options.temp_bytes = (int64_t)wire_get_u64(&r);
    options.root_count = wire_get_u32(&r);
    roots = ARENA_ARRAY(a, str, options.root_count);
    for (size_t i = 0; i < options.root_count; i++) {
        roots[i] = str_copy(a, wire_get_str(&r));
    }
    options.roots = roots;
    if (r.failed) {
        return error_set(err, STATUS_USAGE, "the worker's instructions are damaged");
    }
    *ret_options = options;
    return STATUS_OK;
}

/* What DuckDB does not count against its own limit (long texts, most of all) may not take the machine either: an
 * allocation beyond this fails, and the query with it. Room for the program, its threads and what DuckDB rounds up. */
#define UNCOUNTED_BYTES ((rlim_t)1024 * LIMIT_MIB)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED
#endif
#endif

static void limit_memory(int64_t memory_bytes)
{
#ifndef IS_SANITIZED
    rlim_t most = (rlim_t)memory_bytes * 2 + UNCOUNTED_BYTES;
    struct rlimit limit = {.rlim_cur = most, .rlim_max = most};

    (void)setrlimit(RLIMIT_DATA, &limit);
#else
    (void)memory_bytes; /* sanitizers reserve more than any machine has */
#endif
}

/* A few arenas for many threads: each one keeps memory that the others cannot use. */
#define ALLOCATOR_ARENAS 4

static status lock_in(const session_options *options, int parent_pid, error *err)
{
    sandbox_paths paths = {.in = options->in.data,
                           .out = options->out.data,
                           .roots = options->roots,
                           .root_count = options->root_count};

    TRY(fault_arm_from_environment(err));
    TRY(FAULT(FAULT_WORKER_START, err));
    TRY(sandbox_limit_process(parent_pid, options->temp_bytes, err));
    limit_memory(options->memory_bytes);
    tzset(); /* reads a file, where TZ names one */
    (void)mallopt(M_ARENA_MAX, ALLOCATOR_ARENAS);
    if (chdir(options->out.data) != 0) {
        return error_set(err, STATUS_IO, "cannot enter the worker's folder");
    }
    TRY(duck_load(options->library.data, err));
    if (options->sandbox) {
        TRY(sandbox_close_files(&paths, err));
        TRY(sandbox_close_calls(err));
    }
    return STATUS_OK;
}

static status start(int parent_pid, arena *a, session_options *options, session *s, error *err)
{
    TRY(read_setup(WORKER_FD, a, options, err));
    TRY(lock_in(options, parent_pid, err));
    TRY(session_open(options, s, err));
    return wire_send(WORKER_FD, WIRE_DONE, STR("\0\0\0\0\0\0\0\0"), err);
}

int worker_main(int argc, char **argv)
{
    arena *a = arena_create();
    session_options options;
    error err = ERROR_INIT;
    int64_t parent_pid;
    session s;
    status result;

    if (argc < 3 || str_to_int64(str_c(argv[argc - 1]), &parent_pid, NULL) != STATUS_OK) {
        (void)fputs("tarn engine: started by the server only\n", stderr);
        return EXIT_USAGE;
    }
    result = start((int)parent_pid, a, &options, &s, &err);
    if (result == STATUS_OK) {
        result = serve(&s, WORKER_FD, WORKER_INTERRUPT_FD, &err);
    } else {
        buf payload;

        buf_init(&payload, LIMIT_MIB);
        wire_put_error(&payload, &err, true);
        (void)wire_send(WORKER_FD, WIRE_FAILED, buf_str(&payload), NULL);
    }
    /* No destructors: the database is not worth closing, and its threads may run. */
    _exit(result == STATUS_OK ? EXIT_DONE : EXIT_FAILURE_TOLD);
}

/* sandbox.h: what a worker process takes away from itself before it runs SQL.
 *
 * Order (main.c): sandbox_limit_process, the DuckDB library is opened, sandbox_close_files, sandbox_close_calls,
 * and only then threads and the database: Landlock and seccomp bind the calling thread and those that it starts.
 * DuckDB's own settings (session.c) are a third wall behind these two. */
#ifndef TARN_ENGINE_SANDBOX_H
#define TARN_ENGINE_SANDBOX_H

#include <stdint.h>

#include "tarn/base/error.h"
#include "tarn/base/str.h"

/* Process group, death with the server, no new privileges, no core dump, no bigger files than the spill may be.
 * `temp_bytes` 0: no limit. */
status sandbox_limit_process(int parent_pid, int64_t temp_bytes, error *err);

typedef struct sandbox_paths {
    const char *in;   /* read */
    const char *out;  /* read and write */
    const str *roots; /* read; one that does not exist is left out */
    size_t root_count;
} sandbox_paths;

/* Landlock: nothing of the file system but the paths, no TCP, no signals and abstract sockets to others, as far as the
 * running kernel has it. UNAVAILABLE naming engine.sandbox where the kernel has no Landlock. */
status sandbox_close_files(const sandbox_paths *paths, error *err);

/* seccomp: an allow-list of system calls (sandbox_calls.c). */
status sandbox_close_calls(error *err);

#endif

/* Other programs: pagers, editors, what \o pipes into. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shell/internal.h"
#include "tarn/base/fs.h"

extern char **environ;

/* Signals as a program expects them that was started by a person. */
static void set_signals(posix_spawnattr_t *attributes)
{
    sigset_t usual;

    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGINT);
    sigaddset(&usual, SIGTERM);
    posix_spawnattr_setsigdefault(attributes, &usual);
    sigemptyset(&usual);
    posix_spawnattr_setsigmask(attributes, &usual);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

/* `input`: becomes its standard input; -1: ours. */
static status spawn(const char *line, int input, pid_t *ret_pid, error *err)
{
    static char name[] = "sh", how[] = "-c";
    arena *scratch = arena_create();
    char *const words[] = {name, how, str_to_c(scratch, str_c(line)), NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    set_signals(&attributes);
    if (input >= 0) {
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    }
    int failure = posix_spawn(ret_pid, "/bin/sh", &actions, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    arena_free(scratch);
    return failure == 0 ? STATUS_OK
                        : error_errno(err, STATUS_IO, failure, "cannot start \"%s\"", line);
}

status process_start(const char *line, process *ret_process, error *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_errno(err, STATUS_IO, errno, "cannot make a pipe");
    }
    status result = spawn(line, ends[0], &ret_process->pid, err);
    close(ends[0]);
    if (result != STATUS_OK) {
        close(ends[1]);
        ret_process->pid = 0;
        return result;
    }
    ret_process->fd = ends[1];
    return STATUS_OK;
}

static int await(pid_t pid)
{
    int told = 0;

    while (waitpid(pid, &told, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(told) ? WEXITSTATUS(told) : 128 + WTERMSIG(told);
}

status process_run(const char *line, int *ret_code, error *err)
{
    pid_t pid;

    TRY(spawn(line, -1, &pid, err));
    *ret_code = await(pid);
    return STATUS_OK;
}

void process_end(process *p)
{
    if (p->pid != 0) {
        close(p->fd);
        (void)await(p->pid);
        p->pid = 0;
    }
}

bool process_exists(const char *name, arena *a)
{
    const char *path = getenv("PATH");

    for (str rest = str_c(path != NULL ? path : "/usr/bin:/bin"); !str_is_null(rest);) {
        str folder = str_cut(rest, ':', &rest);
        if (folder.size > 0 && access(fs_join(a, str_to_c(a, folder), name), X_OK) == 0) {
            return true;
        }
    }
    return false;
}

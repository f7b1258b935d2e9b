/* The lock that makes a data directory belong to one process. The kernel holds it (flock), so it
 * ends with the process however that ends; the file's text only says whose it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "internal.h"
#include "tarn/base/fs.h"

#define HOLDER_TEXT_MAX 512

struct data_lock {
    int fd;
};

/* "1234 tarn serve": pid, space, purpose. A lock that was taken this moment may not say it yet. */
static status refuse(const char *data_path, const char *path, arena *a, error *err)
{
    str text = STR_NULL;
    str purpose = STR_NULL;
    str pid;

    (void)fs_read_file(path, HOLDER_TEXT_MAX, a, &text, NULL);
    pid = str_cut(str_trim(text), ' ', &purpose);
    if (str_is_empty(pid) || str_is_empty(purpose)) {
        return error_set(err, STATUS_BUSY, "data directory \"%s\" is in use by another process",
                         data_path);
    }
    error_set(err, STATUS_BUSY, "data directory \"%s\" is in use by \"%.*s\", pid %.*s", data_path,
              STR_ARG(purpose), STR_ARG(pid));
    error_hint(err, "Stop that process, or name another directory by --data.");
    return STATUS_BUSY;
}

static status write_holder(int fd, const char *purpose, error *err)
{
    char text[HOLDER_TEXT_MAX];
    int size = snprintf(text, sizeof(text), "%ld %s\n", (long)getpid(), purpose);

    if (ftruncate(fd, 0) != 0) {
        return error_errno(err, STATUS_IO, errno, "could not empty the lock file");
    }
    return fs_pwrite_all(fd, text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1, 0,
                         err);
}

status data_lock_take(const char *data_path, const char *purpose, data_lock **ret_lock, error *err)
{
    arena *scratch = arena_create();
    char *path = fs_join(scratch, data_path, "lock");
    int fd = -1;
    status taken = fs_lock(path, &fd, err);

    if (taken == STATUS_BUSY) {
        taken = refuse(data_path, path, scratch, err);
    } else if (taken == STATUS_OK) {
        taken = write_holder(fd, purpose, err);
    }
    arena_free(scratch);
    if (taken != STATUS_OK) {
        fs_close(fd);
        return taken;
    }
    *ret_lock = NEW(data_lock);
    (*ret_lock)->fd = fd;
    return STATUS_OK;
}

void data_lock_drop(data_lock *lock)
{
    if (lock == NULL) {
        return;
    }
    fs_close(lock->fd);
    mem_free(lock);
}

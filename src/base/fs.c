/* Files: opening, reading, writing, syncing. Folders, names and attributes are in fs_tree.c.
 *
 * The rule about syncs (fs.h, invariant 2) is kept by one flag, the broken volume:
 *   1. It is set by the first sync that fails, and nothing in tarn takes it back.
 *   2. While it is set, no sync is attempted: the kernel has marked the lost pages clean, and
 * another
 *      fsync would report success for bytes that are gone.
 *   3. A sync that ran while another one failed does not count either: both may have been for the
 *      same lost pages, and the kernel tells of them once. */
#include "tarn/base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "tarn/base/fault.h"
#include "tarn/base/rng.h"

#define READ_STEP_BYTES ((size_t)64 * 1024)

static atomic_bool volume_broken;

/* What a system error on a file means. What is not here is IO. */
static const struct {
    int errnum;
    status kind;
} file_statuses[] = {
    {ENOENT, STATUS_NOT_FOUND},    {ENOTDIR, STATUS_NOT_FOUND},      {EEXIST, STATUS_EXISTS},
    {ENOTEMPTY, STATUS_NOT_EMPTY}, {EACCES, STATUS_DENIED},          {EPERM, STATUS_DENIED},
    {EROFS, STATUS_DENIED},        {EISDIR, STATUS_INVALID},         {ENAMETOOLONG, STATUS_INVALID},
    {ELOOP, STATUS_INVALID},       {EFBIG, STATUS_TOO_LARGE},        {ENOMEM, STATUS_OUT_OF_MEMORY},
    {ENODATA, STATUS_NOT_FOUND},   {EOPNOTSUPP, STATUS_UNSUPPORTED},
};

status base__file_status(int errnum)
{
    for (size_t i = 0; i < COUNT_OF(file_statuses); i++) {
        if (file_statuses[i].errnum == errnum) {
            return file_statuses[i].kind;
        }
    }
    return STATUS_IO;
}

/* A failed step on an open file; the name is asked of the kernel, where it will tell. */
static status fd_failed(int fd, int errnum, const char *doing, error *err)
{
    char link[64];
    char name[512];
    ssize_t size;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, name, sizeof(name));
    if (size <= 0) {
        return error_errno(err, base__file_status(errnum), errnum, "could not %s file", doing);
    }
    return error_errno(err, base__file_status(errnum), errnum, "could not %s file \"%.*s\"", doing,
                       (int)size, name);
}

status fs_open(const char *path, int flags, mode_t mode, int *ret_fd, error *err)
{
    int fd;

    do {
        fd = open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return error_errno(err, base__file_status(errno), errno, "could not open \"%s\"", path);
    }
    *ret_fd = fd;
    return STATUS_OK;
}

/* Linux closes the descriptor even where close says EINTR: it is never repeated. An error here is
 * about bytes that were not synced, and those never counted. */
void fs_close(int fd)
{
    int saved_errno = errno;

    if (fd >= 0) {
        (void)close(fd);
    }
    errno = saved_errno;
}

static void close_deferred(void *object)
{
    fs_close((int)(intptr_t)object);
}

void fs_close_with(arena *a, int fd)
{
    arena_defer(a, close_deferred, (void *)(intptr_t)fd);
}

#define NO_OFFSET INT64_C(-1)

/* At `offset`, or where the file stands for NO_OFFSET. */
static status write_at(int fd, const void *bytes, size_t size_bytes, int64_t offset, error *err)
{
    const char *from = bytes;
    size_t done = 0;

    TRY(FAULT(FAULT_FS_WRITE, err));
    while (done < size_bytes) {
        ssize_t written = offset == NO_OFFSET ? write(fd, from + done, size_bytes - done)
                                              : pwrite(fd, from + done, size_bytes - done,
                                                       (off_t)(offset + (int64_t)done));

        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return fd_failed(fd, written < 0 ? errno : EIO, "write", err);
        }
        done += (size_t)written;
    }
    return STATUS_OK;
}

status fs_write_all(int fd, const void *bytes, size_t size_bytes, error *err)
{
    return write_at(fd, bytes, size_bytes, NO_OFFSET, err);
}

status fs_pwrite_all(int fd, const void *bytes, size_t size_bytes, int64_t offset, error *err)
{
    ASSERT(offset >= 0);
    return write_at(fd, bytes, size_bytes, offset, err);
}

static status read_at(int fd, void *ret_bytes, size_t size_bytes, int64_t offset, size_t *ret_size,
                      error *err)
{
    char *to = ret_bytes;
    size_t done = 0;

    while (done < size_bytes) {
        ssize_t got = offset == NO_OFFSET ? read(fd, to + done, size_bytes - done)
                                          : pread(fd, to + done, size_bytes - done,
                                                  (off_t)(offset + (int64_t)done));

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fd_failed(fd, errno, "read", err);
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    *ret_size = done;
    return STATUS_OK;
}

status fs_read(int fd, void *ret_bytes, size_t size_bytes, size_t *ret_size, error *err)
{
    return read_at(fd, ret_bytes, size_bytes, NO_OFFSET, ret_size, err);
}

status fs_pread(int fd, void *ret_bytes, size_t size_bytes, int64_t offset, size_t *ret_size,
                error *err)
{
    ASSERT(offset >= 0);
    return read_at(fd, ret_bytes, size_bytes, offset, ret_size, err);
}

status fs_pread_all(int fd, void *ret_bytes, size_t size_bytes, int64_t offset, error *err)
{
    size_t got;

    TRY(fs_pread(fd, ret_bytes, size_bytes, offset, &got, err));
    if (got < size_bytes) {
        return error_set(err, STATUS_CORRUPT,
                         "file ends at byte %" PRId64 " where %zu bytes from %" PRId64
                         " were expected",
                         offset + (int64_t)got, size_bytes, offset);
    }
    return STATUS_OK;
}

/* To the end of the file, whatever size the system says it has: files of /proc say 0. */
static status read_to_end(int fd, const char *path, buf *into, error *err)
{
    for (;;) {
        size_t step = into->size_max - into->size;
        char beyond;
        size_t got;

        if (step == 0) {
            TRY(fs_read(fd, &beyond, 1, &got, err));
            if (got == 0) {
                return STATUS_OK;
            }
            return error_set(err, STATUS_TOO_LARGE, "file \"%s\" is larger than %zu bytes", path,
                             into->size_max);
        }
        if (into->capacity - into->size > READ_STEP_BYTES) {
            step = step < into->capacity - into->size ? step : into->capacity - into->size;
        } else if (step > READ_STEP_BYTES) {
            step = READ_STEP_BYTES;
        }
        if (buf_reserve(into, step) == NULL) {
            return buf_check(into, path, err);
        }
        TRY(fs_read(fd, into->data + into->size, step, &got, err));
        buf_commit(into, got);
        if (got < step) {
            return STATUS_OK;
        }
    }
}

status fs_read_file(const char *path, size_t size_max_bytes, arena *a, str *ret_bytes, error *err)
{
    buf *bytes = buf_in(a, size_max_bytes);
    int64_t size_bytes = 0;
    int fd;
    status read_status;

    TRY(fs_open(path, O_RDONLY, 0, &fd, err));
    read_status = fs_size(fd, &size_bytes, err);
    if (read_status == STATUS_OK && (uint64_t)size_bytes > size_max_bytes) {
        read_status = error_set(err, STATUS_TOO_LARGE, "file \"%s\" is larger than %zu bytes", path,
                                size_max_bytes);
    }
    if (read_status == STATUS_OK && size_bytes > 0 &&
        buf_reserve(bytes, (size_t)size_bytes) == NULL) {
        read_status = buf_check(bytes, path, err);
    }
    if (read_status == STATUS_OK) {
        read_status = read_to_end(fd, path, bytes, err);
    }
    fs_close(fd);
    if (read_status != STATUS_OK) {
        buf_release(bytes);
        return read_status;
    }
    *ret_bytes = buf_str(bytes);
    return STATUS_OK;
}

/* The folder that `path` lies in. */
static str folder_of(const char *path)
{
    size_t slash = str_find_last_char(str_c(path), '/');

    if (slash == STR_NPOS) {
        return STR(".");
    }
    return slash == 0 ? STR("/") : str_from(path, slash);
}

static status write_beside(const char *beside, str bytes, mode_t mode, error *err)
{
    status written;
    int fd;

    TRY(fs_open(beside, O_WRONLY | O_CREAT | O_EXCL, mode, &fd, err));
    written = fs_write_all(fd, bytes.data, bytes.size, err);
    if (written == STATUS_OK) {
        written = fs_sync(fd, err);
    }
    fs_close(fd);
    return written;
}

status fs_write_file(const char *path, str bytes, mode_t mode, error *err)
{
    arena *scratch = arena_create();
    char *beside = arena_printf(scratch, "%s.%016" PRIx64 ".new", path, random_u64());
    status written = write_beside(beside, bytes, mode, err);

    if (written == STATUS_OK) {
        written = fs_rename(beside, path, err);
    }
    if (written == STATUS_OK) {
        written = fs_sync_dir(str_to_c(scratch, folder_of(path)), err);
    } else {
        (void)unlink(beside);
    }
    arena_free(scratch);
    return written;
}

static bool is_unfinished(str name)
{
    static const str suffix = STR_INIT(".new");
    size_t dot;

    if (!str_ends_with(name, suffix) || name.size < suffix.size + 18) {
        return false;
    }
    name = str_slice(name, 0, name.size - suffix.size);
    dot = name.size - 17;
    for (size_t i = dot + 1; i < name.size; i++) {
        char c = name.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return name.data[dot] == '.';
}

static status remove_unfinished(const char *path, arena *a, error *err)
{
    str *names;
    size_t count;

    TRY(fs_list(path, a, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (is_unfinished(names[i])) {
            TRY(fs_remove(fs_join(a, path, names[i].data), err));
        }
    }
    return STATUS_OK;
}

status fs_remove_unfinished(const char *path, error *err)
{
    arena *scratch = arena_create();
    status result = fs_exists(path) ? remove_unfinished(path, scratch, err) : STATUS_OK;

    arena_free(scratch);
    return result;
}

bool fs_volume_broken(void)
{
    return atomic_load(&volume_broken);
}

void fs_volume_reset_for_tests(void)
{
    atomic_store(&volume_broken, false);
}

static status volume_refused(error *err)
{
    error_set(err, STATUS_IO, "the volume was stopped after a failed sync");
    error_hint(err, "Check the disk, then restart tarn: it keeps what was acknowledged.");
    return STATUS_IO;
}

status fs_volume_check(error *err)
{
    return fs_volume_broken() ? volume_refused(err) : STATUS_OK;
}

void fs_volume_break(void)
{
    atomic_store(&volume_broken, true);
}

/* One attempt, ever. EINTR is a failure too: nobody knows then whether the pages were written. */
static status sync_once(int fd, fault_point point, int (*sync)(int fd), error *err)
{
    status faulted;
    int failed;

    TRY(fs_volume_check(err));
    faulted = FAULT(point, err);
    if (faulted != STATUS_OK) {
        atomic_store(&volume_broken, true);
        if (err != NULL) {
            err->kind = STATUS_IO;
        }
        return STATUS_IO;
    }
    failed = sync(fd) != 0 ? errno : 0;
    if (failed != 0) {
        atomic_store(&volume_broken, true);
        (void)fd_failed(fd, failed, "sync", err);
        if (err != NULL) {
            /* Also for a full disk: the bytes are lost, not merely refused. */
            err->kind = STATUS_IO;
        }
        return STATUS_IO;
    }
    return fs_volume_check(err);
}

status fs_sync(int fd, error *err)
{
    return sync_once(fd, FAULT_FS_SYNC, fdatasync, err);
}

status fs_sync_full(int fd, error *err)
{
    return sync_once(fd, FAULT_FS_SYNC, fsync, err);
}

status fs_sync_dir(const char *path, error *err)
{
    status synced;
    int fd;

    TRY(fs_open(path, O_RDONLY | O_DIRECTORY, 0, &fd, err));
    synced = sync_once(fd, FAULT_FS_SYNC_DIR, fsync, err);
    fs_close(fd);
    return synced;
}

status fs_size(int fd, int64_t *ret_size_bytes, error *err)
{
    struct stat info;

    if (fstat(fd, &info) != 0) {
        return fd_failed(fd, errno, "look at", err);
    }
    *ret_size_bytes = (int64_t)info.st_size;
    return STATUS_OK;
}

status fs_stat_size(const char *path, int64_t *ret_size_bytes, error *err)
{
    struct stat info;

    if (stat(path, &info) != 0) {
        return error_errno(err, base__file_status(errno), errno, "could not look at \"%s\"", path);
    }
    *ret_size_bytes = (int64_t)info.st_size;
    return STATUS_OK;
}

bool fs_exists(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

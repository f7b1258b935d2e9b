/* Copies of files and folders that are as durable as what they copy. The steps themselves are in fs.c. */
#include "tarn/base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/fs.h>

#define PIECE_BYTES ((size_t)1 << 20)
#define XATTR_NAMES_MAX ((size_t)65536)
#define USER_PREFIX "user."

static status copy_attribute(int from, int to, const char *name, arena *a, error *err)
{
    ssize_t size = fgetxattr(from, name, NULL, 0);
    if (size < 0) {
        return error_errno(err, STATUS_IO, errno, "cannot read attribute \"%s\"", name);
    }
    char *value = arena_alloc(a, (size_t)size);
    size = fgetxattr(from, name, value, (size_t)size);
    if (size < 0) {
        return error_errno(err, STATUS_IO, errno, "cannot read attribute \"%s\"", name);
    }
    return fs_set_xattr(to, name, str_from(value, (size_t)size), err);
}

static status copy_attributes(int from, int to, arena *a, error *err)
{
    char *names = arena_alloc(a, XATTR_NAMES_MAX);
    ssize_t size = flistxattr(from, names, XATTR_NAMES_MAX);

    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        if (strncmp(names + at, USER_PREFIX, sizeof(USER_PREFIX) - 1) == 0) {
            TRY(copy_attribute(from, to, names + at, a, err));
        }
    }
    return STATUS_OK; /* a file system without attributes has none to copy */
}

static status copy_bytes(int from, int to, arena *a, error *err)
{
    if (ioctl(to, FICLONE, from) == 0) {
        return STATUS_OK;
    }
    char *piece = arena_alloc(a, PIECE_BYTES);
    for (;;) {
        size_t size = 0;
        TRY(fs_read(from, piece, PIECE_BYTES, &size, err));
        if (size == 0) {
            return STATUS_OK;
        }
        TRY(fs_write_all(to, piece, size, err));
    }
}

static status copy_file(const char *from, const char *to, mode_t mode, arena *a, error *err)
{
    int source = -1;
    int target = -1;

    TRY(fs_open(from, O_RDONLY, 0, &source, err));
    status result = fs_open(to, O_RDWR | O_CREAT | O_EXCL, 0600, &target, err);
    if (result == STATUS_OK) {
        result = copy_bytes(source, target, a, err);
    }
    if (result == STATUS_OK) {
        result = copy_attributes(source, target, a, err);
    }
    /* Last: only root may give attributes to what nobody may write. */
    if (result == STATUS_OK && fchmod(target, mode) != 0) {
        result = error_errno(err, STATUS_IO, errno, "could not set the mode of \"%s\"", to);
    }
    if (result == STATUS_OK) {
        result = fs_sync_full(target, err);
    }
    fs_close(source);
    fs_close(target);
    return result;
}

static status copy(const char *from, const char *to, arena *a, int64_t *files, error *err);

static status copy_folder(const char *from, const char *to, mode_t mode, arena *a, int64_t *files,
                          error *err)
{
    str *names = NULL;
    size_t count = 0;

    TRY(fs_make_dirs(to, mode, err));
    TRY(fs_list(from, a, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(copy(fs_join(a, from, names[i].data), fs_join(a, to, names[i].data), a, files, err));
    }
    return fs_sync_dir(to, err);
}

static status copy(const char *from, const char *to, arena *a, int64_t *files, error *err)
{
    struct stat info;
    arena *each = arena_child(a);
    status result;

    if (lstat(from, &info) != 0) {
        result = error_errno(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, errno,
                             "cannot read \"%s\"", from);
    } else if (S_ISDIR(info.st_mode)) {
        result = copy_folder(from, to, info.st_mode & 07777, each, files, err);
    } else if (S_ISREG(info.st_mode)) {
        result = copy_file(from, to, info.st_mode & 07777, each, err);
        *files += result == STATUS_OK;
    } else {
        result = error_set(err, STATUS_INVALID, "\"%s\" is neither a file nor a folder", from);
    }
    arena_free(each);
    return result;
}

status fs_copy(const char *from, const char *to, int64_t *ret_files, error *err)
{
    arena *a = arena_create();
    int64_t files = 0;
    status result = copy(from, to, a, &files, err);

    arena_free(a);
    TRY(result);
    *ret_files = files;
    return STATUS_OK;
}

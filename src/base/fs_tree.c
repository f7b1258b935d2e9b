/* Folders, names, attributes and locks. Bytes and syncs are in fs.c. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "internal.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"
#include "tarn/base/vec.h"

static status path_failed(const char *path, int errnum, const char *doing, error *err)
{
    return error_errno(err, base__file_status(errnum), errnum, "could not %s \"%s\"", doing, path);
}

/* Makes one folder; tells whether it is new. */
static status make_dir(const char *path, mode_t mode, bool *ret_made, error *err)
{
    struct stat info;
    int errnum;

    if (mkdir(path, mode) == 0) {
        *ret_made = true;
        return STATUS_OK;
    }
    errnum = errno;
    /* A file system may refuse (EROFS, EACCES) before it sees that the folder is there. */
    if (stat(path, &info) != 0) {
        return path_failed(path, errnum, "make folder", err);
    }
    if (!S_ISDIR(info.st_mode)) {
        return error_set(err, STATUS_EXISTS, "could not make folder \"%s\": a file has that name",
                         path);
    }
    *ret_made = false;
    return STATUS_OK;
}

/* Parents first. With `synced` each new folder's name is made durable before the next. */
static status make_path(char *path, mode_t mode, bool synced, error *err)
{
    size_t parent_size = path[0] == '/' ? 1 : 0; /* 0: the working folder */

    for (size_t at = 1;; at++) {
        char c = path[at];
        bool made;

        if ((c != '/' && c != '\0') || path[at - 1] == '/') {
            if (c == '\0') {
                return STATUS_OK;
            }
            continue;
        }
        path[at] = '\0';
        TRY(make_dir(path, mode, &made, err));
        if (made && synced) {
            char kept = path[parent_size];

            path[parent_size] = '\0';
            TRY(fs_sync_dir(parent_size == 0 ? "." : path, err));
            path[parent_size] = kept;
        }
        path[at] = c;
        if (c == '\0') {
            return STATUS_OK;
        }
        parent_size = at;
    }
}

static status make_dirs(const char *path, mode_t mode, bool synced, error *err)
{
    arena *scratch;
    status made;

    if (path[0] == '\0') {
        return error_set(err, STATUS_INVALID, "the name of a folder is empty");
    }
    scratch = arena_create();
    made = make_path(str_to_c(scratch, str_c(path)), mode, synced, err);
    arena_free(scratch);
    return made;
}

status fs_make_dirs(const char *path, mode_t mode, error *err)
{
    return make_dirs(path, mode, false, err);
}

status fs_make_dirs_synced(const char *path, mode_t mode, error *err)
{
    return make_dirs(path, mode, true, err);
}

status fs_link(const char *from, const char *to, error *err)
{
    TRY(FAULT(FAULT_FS_LINK, err));
    if (link(from, to) != 0) {
        return path_failed(to, errno, "link", err);
    }
    return STATUS_OK;
}

status fs_link_fd(int fd, const char *to, error *err)
{
    char from[64];

    TRY(FAULT(FAULT_FS_LINK, err));
    (void)snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) != 0) {
        return path_failed(to, errno, "link", err);
    }
    return STATUS_OK;
}

status fs_rename(const char *from, const char *to, error *err)
{
    TRY(FAULT(FAULT_FS_LINK, err));
    if (rename(from, to) != 0) {
        return error_errno(err, base__file_status(errno), errno,
                           "could not rename \"%s\" to \"%s\"", from, to);
    }
    return STATUS_OK;
}

status fs_remove(const char *path, error *err)
{
    if (unlink(path) != 0 && errno != ENOENT) {
        return path_failed(path, errno, "remove", err);
    }
    return STATUS_OK;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int compare_names(const void *a, const void *b)
{
    return str_compare(*(const str *)a, *(const str *)b);
}

/* Names in an open folder; takes over `fd`. */
static status list_fd(int fd, const char *path, arena *a, str **ret_names, size_t *ret_count,
                      error *err)
{
    VEC(str) names = {0};
    struct dirent *entry;
    DIR *dir = fdopendir(fd);
    int errnum;

    if (dir == NULL) {
        errnum = errno;
        fs_close(fd);
        return path_failed(path, errnum, "list folder", err);
    }
    for (;;) {
        errno = 0;
        entry = readdir(dir);
        if (entry == NULL) {
            errnum = errno;
            break;
        }
        if (!is_dot(entry->d_name)) {
            vec_push(a, &names, str_copy(a, str_c(entry->d_name)));
        }
    }
    (void)closedir(dir);
    if (errnum != 0) {
        return path_failed(path, errnum, "list folder", err);
    }
    if (names.count > 0) {
        qsort(names.items, names.count, sizeof(*names.items), compare_names);
    }
    *ret_names = names.items;
    *ret_count = names.count;
    return STATUS_OK;
}

status fs_list(const char *path, arena *a, str **ret_names, size_t *ret_count, error *err)
{
    int fd;

    TRY(fs_open(path, O_RDONLY | O_DIRECTORY, 0, &fd, err));
    return list_fd(fd, path, a, ret_names, ret_count, err);
}

static status remove_entry(int folder, const char *name, const char *path, error *err);

/* Everything in the folder `name`, which is then empty. Descriptors, not paths, lead down: a folder
 * that is replaced by a link meanwhile is not followed. */
static status empty_folder(int parent, const char *name, const char *path, error *err)
{
    arena *scratch;
    str *names = NULL;
    size_t count = 0;
    status removed;
    int listed;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        return errno == ENOENT ? STATUS_OK : path_failed(path, errno, "open folder", err);
    }
    listed = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (listed < 0) {
        int errnum = errno;

        fs_close(fd);
        return path_failed(path, errnum, "open folder", err);
    }
    scratch = arena_create();
    removed = list_fd(listed, path, scratch, &names, &count, err);
    for (size_t i = 0; removed == STATUS_OK && i < count; i++) {
        removed = remove_entry(fd, names[i].data, fs_join(scratch, path, names[i].data), err);
    }
    arena_free(scratch);
    fs_close(fd);
    return removed;
}

/* `path` is for messages alone. */
static status remove_entry(int folder, const char *name, const char *path, error *err)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT) {
        return STATUS_OK;
    }
    if (errno != EISDIR) { /* what Linux says of a folder */
        return path_failed(path, errno, "remove", err);
    }
    TRY(empty_folder(folder, name, path, err));
    if (unlinkat(folder, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        return path_failed(path, errno, "remove folder", err);
    }
    return STATUS_OK;
}

status fs_remove_tree(const char *path, error *err)
{
    return remove_entry(AT_FDCWD, path, path, err);
}

int64_t fs_free_bytes(const char *path)
{
    struct statvfs info;

    if (statvfs(path, &info) != 0) {
        return -1;
    }
    return (int64_t)(info.f_bavail * info.f_frsize);
}

status fs_set_xattr(int fd, const char *name, str value, error *err)
{
    if (fsetxattr(fd, name, value.data, value.size, 0) != 0) {
        return error_errno(err, base__file_status(errno), errno,
                           "could not set extended attribute \"%s\" of %zu bytes", name,
                           value.size);
    }
    return STATUS_OK;
}

status fs_get_xattr(const char *path, const char *name, arena *a, str *ret_value, error *err)
{
    for (;;) {
        ssize_t size = getxattr(path, name, NULL, 0);
        char *value;

        if (size >= 0) {
            value = arena_alloc(a, (size_t)size + 1);
            size = getxattr(path, name, value, (size_t)size);
            if (size >= 0) {
                value[size] = '\0';
                *ret_value = str_from(value, (size_t)size);
                return STATUS_OK;
            }
        }
        if (errno != ERANGE) { /* it grew between the two calls */
            return error_errno(err, base__file_status(errno), errno,
                               "could not read extended attribute \"%s\" of \"%s\"", name, path);
        }
    }
}

status fs_lock(const char *path, int *ret_fd, error *err)
{
    int failed;
    int fd;

    TRY(fs_open(path, O_RDWR | O_CREAT, 0600, &fd, err));
    do {
        failed = flock(fd, LOCK_EX | LOCK_NB) != 0 ? errno : 0;
    } while (failed == EINTR);
    if (failed != 0) {
        fs_close(fd);
        if (failed == EWOULDBLOCK) {
            return error_set(err, STATUS_BUSY, "\"%s\" is locked by another process", path);
        }
        return path_failed(path, failed, "lock", err);
    }
    *ret_fd = fd;
    return STATUS_OK;
}

char *fs_join(arena *a, const char *folder, const char *name)
{
    size_t size = strlen(folder);

    if (size == 0) {
        return str_to_c(a, str_c(name));
    }
    return arena_printf(a, "%s%s%s", folder, folder[size - 1] == '/' ? "" : "/", name);
}

/* The local store: objects are plain files, for warehouses in a folder that other programs read
 * too.
 *
 * Locations are taken literally, as Iceberg clients take them: a "%" is a "%". A path is used
 * only in its canonical form and only inside a root; ".." is refused wherever it stands.
 *
 * There are no rows: a file is there when it has its name. A new file gets it when it is staged,
 * durable before the transaction that refers to it, and loses it again where that fails. A file
 * whose name is taken waits beside it and changes places with the old one when it is published,
 * so that a rollback can change them back. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"
#include "tarn/base/rng.h"

#define BESIDE_SUFFIX ".tarn-new"
#define NS_PER_US 1000

/* --- paths --- */

str store__local_scheme(str location)
{
    static const str schemes[] = {STR_INIT("file://localhost"), STR_INIT("file://"),
                                  STR_INIT("file:")};

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (str_starts_with(location, schemes[i])) {
            return str_slice(location, 0, schemes[i].size);
        }
    }
    return STR("");
}

static status check_text(str location, str path, error *err)
{
    str rest = path;

    if (!str_starts_with(path, STR("/")) || path.size == 1) {
        return error_set(err, STATUS_INVALID,
                         "location \"%.*s\" is not an absolute path of this machine",
                         STR_ARG(location));
    }
    if (str_find_char(path, '\0') != STR_NPOS) {
        return error_set(err, STATUS_INVALID, "location \"%.*s\" contains a NUL",
                         STR_ARG(location));
    }
    while (!str_is_null(rest)) {
        str component = str_cut(rest, '/', &rest);

        if (str_equal(component, STR("..")) || str_equal(component, STR("."))) {
            return error_set(err, STATUS_DENIED, "location \"%.*s\" contains \"%.*s\"",
                             STR_ARG(location), STR_ARG(component));
        }
    }
    return STATUS_OK;
}

/* The canonical form of the longest part that exists, and the rest behind it. */
static char *canonicalise(const char *path, arena *a)
{
    char *existing = str_to_c(a, str_c(path));
    size_t size = strlen(existing);

    for (;;) {
        char *canonical = realpath(existing, NULL);

        if (canonical != NULL) {
            const char *rest = path + size;
            size_t end = strlen(canonical);
            char *whole;

            while (*rest == '/') {
                rest++;
            }
            whole = *rest == '\0' ? str_to_c(a, str_c(canonical))
                                  : arena_printf(a, "%s%s%s", canonical,
                                                 canonical[end - 1] == '/' ? "" : "/", rest);
            mem_free(canonical);
            return whole;
        }
        while (size > 1 && existing[size - 1] != '/') {
            size--;
        }
        while (size > 1 && existing[size - 1] == '/') {
            size--;
        }
        existing[size] = '\0';
    }
}

static bool lies_in(str path, str folder)
{
    return str_equal(path, folder) || str_equal(folder, STR("/")) ||
           (str_starts_with(path, folder) && path.data[folder.size] == '/');
}

/* A root that the data directory lies in: it is not open to workers. */
static bool is_shared(const storage *st, str root)
{
    return !str_is_null(st->private_path) && lies_in(st->private_path, root);
}

/* The data directory is nobody's place, nor is a folder around it: what lists a table's folder must not come to it. */
static bool is_inside(const storage *st, str path)
{
    if (!str_is_null(st->private_path) &&
        (lies_in(path, st->private_path) || lies_in(st->private_path, path))) {
        return false;
    }
    for (size_t i = 0; i < st->options.local_root_count; i++) {
        if (lies_in(path, st->options.local_roots[i])) {
            return true;
        }
    }
    return false;
}

bool store_root_is_shared(storage *st, str root)
{
    char *canonical = NULL;
    arena *a = arena_create();
    bool shared;

    canonical = canonicalise(str_to_c(a, root), a);
    shared = is_shared(st, str_c(canonical));
    arena_free(a);
    return shared;
}

/* Workers may read the file where it lies. */
static bool is_readable_in_place(const storage *st, str path)
{
    for (size_t i = 0; i < st->options.local_root_count; i++) {
        str root = st->options.local_roots[i];

        if (lies_in(path, root) && !is_shared(st, root)) {
            return true;
        }
    }
    return false;
}

/* A link that leads nowhere is not followed by realpath, but would be by open: it is refused
 * here. */
static bool is_dangling(const char *path, arena *a)
{
    char *at = str_to_c(a, str_c(path));

    for (size_t i = 1; at[i - 1] != '\0'; i++) {
        struct stat info;
        char kept = at[i];

        if (kept != '/' && kept != '\0') {
            continue;
        }
        at[i] = '\0';
        if (lstat(at, &info) == 0 && S_ISLNK(info.st_mode)) {
            return true;
        }
        at[i] = kept;
    }
    return false;
}

status store__local_path(storage *st, str location, arena *a, char **ret_path, error *err)
{
    str path = str_slice(location, store__local_scheme(location).size, location.size);
    char *canonical;

    TRY(check_text(location, path, err));
    canonical = canonicalise(str_to_c(a, path), a);
    if (!is_inside(st, str_c(canonical)) || is_dangling(canonical, a)) {
        (void)error_set(err, STATUS_DENIED, "location \"%.*s\" lies outside the warehouse roots",
                        STR_ARG(location));
        error_hint(
            err, "The setting warehouse.roots names the folders that file: locations may lie in.");
        return STATUS_DENIED;
    }
    *ret_path = canonical;
    return STATUS_OK;
}

status store_local_path(storage *st, str location, arena *a, char **ret_path, error *err)
{
    if (!store_is_local(location)) {
        return error_set(err, STATUS_INVALID, "location \"%.*s\" is not a local one",
                         STR_ARG(location));
    }
    return store__local_path(st, location, a, ret_path, err);
}

/* --- staging --- */

static status check(storage *st, str location, store_staged *staged, error *err)
{
    arena *scratch = staged == NULL ? arena_create() : NULL;
    arena *a = staged == NULL ? scratch : staged->memory;
    char *path = NULL;
    status checked = store__local_path(st, location, a, &path, err);

    if (checked == STATUS_OK && staged != NULL) {
        size_t slash = str_find_last_char(str_c(path), '/');

        staged->path = path;
        staged->folder = arena_strndup(a, path, slash == 0 ? 1 : slash);
    }
    arena_free(scratch);
    return checked;
}

bool store__is_beside(str name)
{
    return str_starts_with(name, STR(".")) && str_ends_with(name, STR(BESIDE_SUFFIX));
}

static char *beside(const store_staged *staged)
{
    return arena_printf(staged->memory, "%s/.%s.%016" PRIx64 BESIDE_SUFFIX, staged->folder,
                        staged->path + str_find_last_char(str_c(staged->path), '/') + 1,
                        random_u64());
}

static status create(storage *st, store_staged *staged, int64_t size_bytes, error *err)
{
    status opened;

    (void)size_bytes;
    TRY(st->options.unsafe ? fs_make_dirs(staged->folder, 0755, err)
                           : fs_make_dirs_synced(staged->folder, 0755, err));
    opened = fs_open(staged->folder, O_TMPFILE | O_RDWR, 0644, &staged->fd, err);
    if (opened == STATUS_UNSUPPORTED ||
        opened == STATUS_INVALID) { /* a file system without unnamed files */
        staged->beside = beside(staged);
        opened = fs_open(staged->beside, O_RDWR | O_CREAT | O_EXCL, 0644, &staged->fd, err);
    }
    return opened;
}

/* Gives the finished file its name, or one beside it where that is taken. */
static status name_file(store_staged *staged, error *err)
{
    status named = fs_link_fd(staged->fd, staged->path, err);

    if (named == STATUS_OK) {
        staged->named = true;
        return STATUS_OK;
    }
    if (named != STATUS_EXISTS) {
        return named;
    }
    if (err != NULL) { /* no failure: nobody is to be told */
        error_clear(err);
    }
    staged->replaces = true;
    if (staged->beside != NULL) {
        return STATUS_OK;
    }
    staged->beside = beside(staged);
    named = fs_link_fd(staged->fd, staged->beside, err);
    staged->beside = named == STATUS_OK ? staged->beside : NULL;
    return named;
}

static status adopt(storage *st, store_staged *staged, const char *path, bool *ret_adopted,
                    error *err)
{
    struct stat info;

    TRY(st->options.unsafe ? fs_make_dirs(staged->folder, 0755, err)
                           : fs_make_dirs_synced(staged->folder, 0755, err));
    staged->beside = beside(staged);
    if (link(path, staged->beside) != 0) {
        int failed = errno;

        staged->beside = NULL;
        *ret_adopted = false;
        return failed == ENOENT
                   ? error_set(err, STATUS_NOT_FOUND, "file \"%s\" does not exist", path)
                   : STATUS_OK;
    }
    TRY(fs_open(staged->beside, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &staged->fd, err));
    if (fstat(staged->fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return error_set(err, STATUS_INVALID, "\"%s\" is not a file", path);
    }
    if (fchmod(staged->fd, 0644) != 0) {
        return error_errno(err, STATUS_IO, errno, "could not open file \"%s\" to readers", path);
    }
    *ret_adopted = true;
    return STATUS_OK;
}

static status seal(storage *st, store_staged *staged, error *err)
{
    (void)st;
    TRY(name_file(staged, err));
    if (!staged->replaces && staged->beside != NULL) {
        TRY(fs_remove(staged->beside, err));
        staged->beside = NULL;
    }
    return STATUS_OK;
}

/* --- publishing and removing --- */

static status exchange(const char *a, const char *b, error *err)
{
    if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) != 0) {
        return error_errno(err, STATUS_IO, errno, "could not exchange \"%s\" and \"%s\"", a, b);
    }
    return STATUS_OK;
}

/* Where the file that had the path has been removed in between, as a deleted one, there is nothing to exchange. */
static status take_path(storage *st, store_staged *staged, error *err)
{
    status taken;

    mutex_lock(&st->path_lock);
    if (fs_exists(staged->path)) {
        taken = exchange(staged->beside, staged->path, err);
        staged->exchanged = taken == STATUS_OK;
    } else {
        taken = fs_link(staged->beside, staged->path, err);
        staged->named = taken == STATUS_OK;
    }
    mutex_unlock(&st->path_lock);
    return taken;
}

static status publish(storage *st, state_txn *txn, store_staged *const *staged, size_t count,
                      error *err)
{
    (void)txn;
    for (size_t i = 0; i < count; i++) {
        if (!staged[i]->replaces) {
            continue;
        }
        TRY(take_path(st, staged[i], err));
        TRY(store__sync_folder(st, staged[i]->folder, err));
    }
    return STATUS_OK;
}

static void end(storage *st, store_staged *staged, state_outcome outcome)
{
    error err = ERROR_INIT;

    if (outcome == STATE_UNKNOWN) {
        return;
    }
    if (outcome == STATE_ROLLED_BACK && staged->exchanged &&
        exchange(staged->beside, staged->path, &err) != STATUS_OK) {
        log_failure("replaced file not put back", &err);
        return;
    }
    if (outcome == STATE_ROLLED_BACK && staged->named) {
        store__remove_path_later(st, staged->path);
    }
    if (staged->beside != NULL) {
        store__remove_path_later(st, staged->beside);
    }
}

/* By the file and not its path alone, which may be another's before the removal's turn comes. */
typedef struct deletion {
    storage *st;
    char *path;
    struct stat info;
} deletion;

static void delete_file(void *context)
{
    deletion *d = context;

    store__remove_file_later(d->st, d->path, &d->info);
}

static status remove_all(storage *st, state_txn *txn, const str *locations, size_t count,
                         error *err)
{
    for (size_t i = 0; i < count; i++) {
        deletion *d = ARENA_NEW(state_txn_arena(txn), deletion);

        d->st = st;
        TRY(store__local_path(st, locations[i], state_txn_arena(txn), &d->path, err));
        if (lstat(d->path, &d->info) == 0) {
            state_after_commit(txn, delete_file, d);
        }
    }
    return STATUS_OK;
}

/* --- finding --- */

static status missing(str location, error *err)
{
    return error_set(err, STATUS_NOT_FOUND, "object \"%.*s\" does not exist", STR_ARG(location));
}

static void describe(str location, const struct stat *info, store_object *ret_object)
{
    *ret_object = (store_object){.location = location,
                                 .size_bytes = (int64_t)info->st_size,
                                 .modified_us = (int64_t)info->st_mtim.tv_sec * 1000000 +
                                                (int64_t)info->st_mtim.tv_nsec / NS_PER_US,
                                 .etag = STR(""),
                                 .content_type = STR("application/octet-stream")};
}

static status stat_object(storage *st, str location, arena *a, store_object *ret_object, error *err)
{
    struct stat info;
    char *path;

    TRY(store__local_path(st, location, a, &path, err));
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        return missing(location, err);
    }
    describe(str_copy(a, location), &info, ret_object);
    return STATUS_OK;
}

static status open_object(storage *st, str location, arena *a, store_source *ret_source, error *err)
{
    store_source source = {.fd = -1};
    struct stat info;
    status opened;
    char *path;

    TRY(store__local_path(st, location, a, &path, err));
    opened = fs_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &source.fd, err);
    if (opened == STATUS_NOT_FOUND) {
        return missing(location, err);
    }
    TRY(opened);
    if (fstat(source.fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        fs_close(source.fd);
        return missing(location, err);
    }
    describe(str_copy(a, location), &info, &source.object);
    *ret_source = source;
    return STATUS_OK;
}

/* Nobody may have put a symbolic link into the path since it was looked at. */
static status check_opened(int fd, const char *path, str location, error *err)
{
    char link[64], found[PATH_MAX];
    ssize_t size;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, found, sizeof(found));
    if (size < 0 || !str_equal(str_from(found, (size_t)size), str_c(path))) {
        return error_set(err, STATUS_CONFLICT, "the folder of location \"%.*s\" was exchanged",
                         STR_ARG(location));
    }
    return STATUS_OK;
}

/* As long as the link is there nothing else gets the file's number, and a file that changes gets another name. */
static status link_opened(int fd, const char *path, str location, const char *folder,
                          const char *name, arena *a, char **ret_path, error *err)
{
    struct stat info;
    status linked;
    char *to;

    TRY(check_opened(fd, path, location, err));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return missing(location, err);
    }
    to = name != NULL
             ? fs_join(a, folder, name)
             : arena_printf(a, "%s/f%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64, folder,
                            (uint64_t)info.st_dev, (uint64_t)info.st_ino, (uint64_t)info.st_size,
                            (uint64_t)info.st_mtim.tv_sec * 1000000000 +
                                (uint64_t)info.st_mtim.tv_nsec);
    linked = fs_link_fd(fd, to, err);
    if (linked == STATUS_EXISTS && name == NULL) {
        if (err != NULL) {
            error_clear(err);
        }
        linked = STATUS_OK;
    }
    if (linked == STATUS_OK) {
        *ret_path = to;
    }
    return linked;
}

/* The file has a root with the data directory in common. A copy would be no link: tables are larger than that. */
static status link_shared(str location, const char *path, const char *folder, const char *name,
                          arena *a, char **ret_path, error *err)
{
    error refused = ERROR_INIT;
    status linked;
    int fd = -1;

    linked = fs_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, err);
    if (linked != STATUS_OK) {
        return linked == STATUS_NOT_FOUND ? missing(location, err) : linked;
    }
    linked = link_opened(fd, path, location, folder, name, a, ret_path, &refused);
    fs_close(fd);
    if (linked != STATUS_IO && linked != STATUS_DENIED) {
        if (err != NULL) {
            *err = refused;
        }
        return linked;
    }
    (void)error_set(err, STATUS_UNSUPPORTED, "cannot read \"%s\" in place: %s", path,
                    refused.message);
    error_hint(
        err,
        "A warehouse root around the data directory has to be on its file system, with files that tarn's "
        "user owns; or set warehouse.roots to a folder beside the data directory.");
    return STATUS_UNSUPPORTED;
}

/* The file is readable under its own name, but for those below a root that has the data directory in it. */
static status link_object(storage *st, str location, const char *folder, const char *name, arena *a,
                          char **ret_path, error *err)
{
    struct stat info;
    char *path;

    TRY(store__local_path(st, location, a, &path, err));
    if (!is_readable_in_place(st, str_c(path))) {
        return link_shared(location, path, folder, name, a, ret_path, err);
    }
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        return missing(location, err);
    }
    *ret_path = path;
    return STATUS_OK;
}

const store_ops store__local = {
    .scheme = "file",
    .check = check,
    .create = create,
    .adopt = adopt,
    .seal = seal,
    .publish = publish,
    .end = end,
    .stat = stat_object,
    .open = open_object,
    .link = link_object,
    .list = store__local_list,
    .remove = remove_all,
};

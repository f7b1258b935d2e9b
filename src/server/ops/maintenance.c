/* Backup, restore, recover.
 *
 * A backup is a data directory: tarn.db, blobs/, secrets/, and the file BACKUP, written last, which says
 * that it is whole.
 * Blobs are never changed in place, so links to them are a copy as long as both lie on one file system. */
#include "ops/maintenance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/version.h"

#define COMPLETE_MARK "BACKUP"

static status refuse_filled(const char *path, const char *what, arena *a, error *err)
{
    str *names = NULL;
    size_t count = 0;

    if (fs_exists(path)) {
        TRY(fs_list(path, a, &names, &count, err));
    }
    if (count > 0) {
        error_set(err, STATUS_EXISTS, "%s \"%s\" is not empty", what, path);
        error_hint(err, "Name a folder that does not exist yet.");
        return STATUS_EXISTS;
    }
    return fs_make_dirs(path, 0700, err);
}

/* ---- backup ---- */

static status backup(server *app, const char *target, arena *a, int64_t *ret_objects, error *err)
{
    char now[CLOCK_TEXT_SIZE];
    int64_t secrets = 0;

    const str data = app->settings->data_path;
    const str into = str_c(target);
    if (str_starts_with(into, data) && (into.size == data.size || into.data[data.size] == '/')) {
        error_set(err, STATUS_INVALID, "backup target \"%s\" lies in the data directory", target);
        error_hint(err, "Name a folder outside of it, best on another disk.");
        return STATUS_INVALID;
    }
    TRY(refuse_filled(target, "backup target", a, err));
    TRY(store_backup(app->storage, target, ret_objects, err));
    TRY(fs_copy(fs_join(a, app->settings->data_path.data, "secrets"), fs_join(a, target, "secrets"),
                &secrets, err));
    clock_format_utc(clock_now_us(), 3, now);
    str mark = str_printf(a, "tarn %s, %s, %" PRId64 " objects\n", TARN_VERSION, now, *ret_objects);
    return fs_write_file(fs_join(a, target, COMPLETE_MARK), mark, 0600, err);
}

status maintenance_backup(server *app, str target, int64_t *ret_objects, error *err)
{
    if (target.size == 0 || target.data[0] != '/' || str_find_char(target, '\0') != STR_NPOS) {
        return error_set(err, STATUS_INVALID, "backup target \"%.*s\" is not an absolute path",
                         STR_ARG(target));
    }
    arena *a = arena_create();
    int64_t objects = 0;
    status result = backup(app, str_to_c(a, target), a, &objects, err);

    arena_free(a);
    TRY(result);
    *ret_objects = objects;
    return STATUS_OK;
}

/* ---- restore ---- */

static status restore(const char *data, const char *source, arena *a, int64_t *ret_objects,
                      error *err)
{
    int64_t others = 0;

    if (!fs_exists(fs_join(a, source, COMPLETE_MARK))) {
        error_set(err, STATUS_INVALID, "\"%s\" is not a whole backup: it has no file %s", source,
                  COMPLETE_MARK);
        return STATUS_INVALID;
    }
    TRY(refuse_filled(data, "data directory", a, err));
    TRY(fs_copy(fs_join(a, source, "blobs"), fs_join(a, data, "blobs"), ret_objects, err));
    TRY(fs_copy(fs_join(a, source, "secrets"), fs_join(a, data, "secrets"), &others, err));
    TRY(fs_copy(fs_join(a, source, "tarn.db"), fs_join(a, data, "tarn.db"), &others, err));
    return fs_sync_dir(data, err);
}

status maintenance_restore(const settings *config, const char *source, int64_t *ret_objects,
                           error *err)
{
    arena *a = arena_create();
    int64_t objects = 0;
    status result = restore(config->data_path.data, source, a, &objects, err);

    arena_free(a);
    TRY(result);
    *ret_objects = objects - 1; /* blobs/ID is none */
    return STATUS_OK;
}

/* ---- recover ---- */

static status set_database_aside(const settings *config, bool overwrite, arena *a, error *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    const char *path = fs_join(a, config->data_path.data, "tarn.db");
    int64_t now_ms = clock_now_ms();

    if (!fs_exists(path)) {
        return STATUS_OK;
    }
    if (!overwrite) {
        error_set(err, STATUS_EXISTS, "database \"%s\" exists", path);
        error_hint(err, "Add --yes to rebuild it from the blobs; the old one is kept aside.");
        return STATUS_EXISTS;
    }
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        const char *from = arena_printf(a, "%s%s", path, suffixes[i]);
        if (fs_exists(from)) {
            TRY(fs_rename(from, arena_printf(a, "%s.%" PRId64 "%s", path, now_ms, suffixes[i]),
                          err));
        }
    }
    return fs_sync_dir(config->data_path.data, err);
}

static status refuse_running(const settings *config, error *err)
{
    data_lock *lock = NULL;

    TRY(data_lock_take(config->data_path.data, "tarn recover", &lock, err));
    data_lock_drop(lock);
    return STATUS_OK;
}

static status refuse_without_blobs(const settings *config, arena *a, error *err)
{
    if (!fs_exists(fs_join(a, config->data_path.data, "blobs"))) {
        return error_set(err, STATUS_NOT_FOUND, "data directory \"%.*s\" holds no blobs",
                         STR_ARG(config->data_path));
    }
    return STATUS_OK;
}

static status recover(const settings *config, bool overwrite, recover_result *ret_result, arena *a,
                      error *err)
{
    server *app = NULL;

    TRY(refuse_without_blobs(config, a, err));
    TRY(refuse_running(config, err));
    TRY(set_database_aside(config, overwrite, a, err));
    TRY(server__open(config, true, &app, err));
    status result = store_recover(app->storage, &ret_result->objects, err);
    if (result == STATUS_OK) {
        result = catalog_recover(app->catalog, &ret_result->tables, err);
    }
    server__close(app);
    return result;
}

status maintenance_recover(const settings *config, bool overwrite, recover_result *ret_result,
                           error *err)
{
    arena *a = arena_create();
    recover_result found = {0};
    status result = recover(config, overwrite, &found, a, err);

    arena_free(a);
    TRY(result);
    *ret_result = found;
    return STATUS_OK;
}

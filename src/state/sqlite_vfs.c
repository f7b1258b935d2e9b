/* The file layer under SQLite: the system's own, with two things added to each file.
 *
 * A sync that fails breaks the volume (base/fs.h, invariant 2), whether it was paid for a commit
 * or for a checkpoint, and none is attempted on a broken one. The fault points fs.write and
 * fs.sync act here too. Nothing else is changed: each method hands on to the file below. */
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

#include "internal.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"

#define VFS_NAME "tarn"

typedef struct layer_file {
    sqlite3_file file; /* first: SQLite sees this */
    sqlite3_file *below;
} layer_file;

static sqlite3_vfs layer;
static sqlite3_vfs *system_vfs;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_llong sync_count;

static sqlite3_file *below(sqlite3_file *file)
{
    return ((layer_file *)(void *)file)->below;
}

static int layer_close(sqlite3_file *file)
{
    return below(file)->pMethods->xClose(below(file));
}

static int layer_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset)
{
    return below(file)->pMethods->xRead(below(file), bytes, size, offset);
}

static int layer_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    status faulted = FAULT(FAULT_FS_WRITE, NULL);

    if (faulted != STATUS_OK) {
        return faulted == STATUS_NO_SPACE ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    return below(file)->pMethods->xWrite(below(file), bytes, size, offset);
}

static int layer_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return below(file)->pMethods->xTruncate(below(file), size);
}

static int layer_sync(sqlite3_file *file, int flags)
{
    int rc;

    if (fs_volume_broken()) {
        return SQLITE_IOERR_FSYNC;
    }
    atomic_fetch_add(&sync_count, 1);
    rc = FAULT(FAULT_FS_SYNC, NULL) != STATUS_OK ? SQLITE_IOERR_FSYNC
                                                 : below(file)->pMethods->xSync(below(file), flags);
    if (rc != SQLITE_OK) {
        fs_volume_break();
    }
    return rc == SQLITE_OK && fs_volume_broken() ? SQLITE_IOERR_FSYNC : rc;
}

static int layer_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return below(file)->pMethods->xFileSize(below(file), ret_size);
}

static int layer_lock(sqlite3_file *file, int level)
{
    return below(file)->pMethods->xLock(below(file), level);
}

static int layer_unlock(sqlite3_file *file, int level)
{
    return below(file)->pMethods->xUnlock(below(file), level);
}

static int layer_check_lock(sqlite3_file *file, int *ret_locked)
{
    return below(file)->pMethods->xCheckReservedLock(below(file), ret_locked);
}

static int layer_control(sqlite3_file *file, int op, void *argument)
{
    return below(file)->pMethods->xFileControl(below(file), op, argument);
}

static int layer_sector_size(sqlite3_file *file)
{
    return below(file)->pMethods->xSectorSize(below(file));
}

static int layer_characteristics(sqlite3_file *file)
{
    return below(file)->pMethods->xDeviceCharacteristics(below(file));
}

static int layer_shm_map(sqlite3_file *file, int page, int size, int extend,
                         void volatile **ret_page)
{
    return below(file)->pMethods->xShmMap(below(file), page, size, extend, ret_page);
}

static int layer_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return below(file)->pMethods->xShmLock(below(file), offset, count, flags);
}

static void layer_shm_barrier(sqlite3_file *file)
{
    below(file)->pMethods->xShmBarrier(below(file));
}

static int layer_shm_unmap(sqlite3_file *file, int remove)
{
    return below(file)->pMethods->xShmUnmap(below(file), remove);
}

/* Version 2: shared memory for the log's index; no mapping of the database itself, where a read
 * error would be a signal. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = layer_close,
    .xRead = layer_read,
    .xWrite = layer_write,
    .xTruncate = layer_truncate,
    .xSync = layer_sync,
    .xFileSize = layer_size,
    .xLock = layer_lock,
    .xUnlock = layer_unlock,
    .xCheckReservedLock = layer_check_lock,
    .xFileControl = layer_control,
    .xSectorSize = layer_sector_size,
    .xDeviceCharacteristics = layer_characteristics,
    .xShmMap = layer_shm_map,
    .xShmLock = layer_shm_lock,
    .xShmBarrier = layer_shm_barrier,
    .xShmUnmap = layer_shm_unmap,
};

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *ret_flags)
{
    layer_file *f = (layer_file *)(void *)file;
    int rc;

    (void)vfs;
    f->below = (sqlite3_file *)(void *)(f + 1);
    f->below->pMethods = NULL;
    rc = system_vfs->xOpen(system_vfs, name, f->below, flags, ret_flags);
    /* Methods are set only where there is something to close. */
    file->pMethods = f->below->pMethods != NULL ? &methods : NULL;
    return rc;
}

static void register_layer(void)
{
    /* Nobody asks how much SQLite allocates, and counting takes a lock that all connections share. */
    int rc;

    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    rc = sqlite3_initialize();
    ASSERT(rc == SQLITE_OK);
    system_vfs = sqlite3_vfs_find(NULL);
    ASSERT(system_vfs != NULL);
    layer = *system_vfs;
    layer.zName = VFS_NAME;
    layer.pNext = NULL;
    layer.szOsFile += (int)sizeof(layer_file);
    layer.xOpen = layer_open;
    rc = sqlite3_vfs_register(&layer, 0);
    ASSERT(rc == SQLITE_OK);
}

const char *state__vfs_name(void)
{
    (void)pthread_once(&once, register_layer);
    return VFS_NAME;
}

int64_t state__vfs_sync_count(void)
{
    return atomic_load(&sync_count);
}

/* world.h: a data directory with an open state and storage, for the tests of the store. Test
 * functions only: what it declares static is used by every file that includes it. */
#ifndef TARN_TEST_UNIT_STORE_WORLD_H
#define TARN_TEST_UNIT_STORE_WORLD_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/test.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"
#include "tarn/store/store.h"

typedef struct world {
    const char *data;
    state *state;
    storage *storage;
} world;

/* `options.data_path` and `.state` are filled in. Without assertions: children of tests use it
 * too. */
static inline status world_try_open(const char *data, const char *db, storage_options options,
                                    world *ret_world, error *err)
{
    world w = {.data = data};
    state_options options_of_state = {.path = db};

    TRY(state_open(&options_of_state, store_migrations, store_migration_count, &w.state, err));
    options.data_path = data;
    options.state = w.state;
    TRY(storage_open(&options, &w.storage, err));
    *ret_world = w;
    return STATUS_OK;
}

static inline world world_open_with(fixture *f, storage_options options)
{
    world w = {0};

    EXPECT_OK(fs_make_dirs(test_path(f, "data"), 0700, &f->err));
    EXPECT_OK(
        world_try_open(test_path(f, "data"), test_path(f, "data/tarn.db"), options, &w, &f->err));
    return w;
}

static inline world world_open(fixture *f)
{
    return world_open_with(f, (storage_options){0});
}

static inline void world_close(world *w)
{
    storage_close(w->storage);
    state_close(w->state);
    *w = (world){0};
}

/* Bytes that differ everywhere, the same for the same seed. */
static inline str noise(fixture *f, size_t size, uint32_t seed)
{
    char *bytes = arena_alloc(f->arena, size + 1);
    uint32_t x = seed * 2654435761U + 1;

    for (size_t i = 0; i < size; i++) {
        x = x * 1664525U + 1013904223U;
        bytes[i] = (char)(x >> 24);
    }
    return str_from(bytes, size);
}

static inline status put(world *w, str location, str bytes, error *err)
{
    store_staged *staged;

    TRY(store_stage_bytes(w->storage, location, STR("text/plain"), bytes, &staged, err));
    return store_put(w->storage, staged, err);
}

static inline str get(fixture *f, world *w, str location)
{
    str bytes = STR_NULL;

    EXPECT_OK(store_read_all(w->storage, location, 1 << 30, f->arena, &bytes, &f->err));
    return bytes;
}

typedef struct deleting {
    storage *storage;
    const str *locations;
    size_t count;
} deleting;

static inline status apply_delete(void *context, state_txn *txn, error *err)
{
    deleting *d = context;

    return store_delete(d->storage, txn, d->locations, d->count, err);
}

static inline status delete_one(world *w, str location, error *err)
{
    deleting d = {.storage = w->storage, .locations = &location, .count = 1};

    return state_submit(w->state, apply_delete, &d, err);
}

/* The paths of all files below a folder, in order. */
static inline void find_files(fixture *f, const char *folder, const char ***paths, size_t *count)
{
    str *names;
    size_t name_count;

    EXPECT_OK(fs_list(folder, f->arena, &names, &name_count, &f->err));
    for (size_t i = 0; i < name_count; i++) {
        const char *path = fs_join(f->arena, folder, names[i].data);
        struct stat info;

        assert_int_equal(lstat(path, &info), 0);
        if (S_ISDIR(info.st_mode)) {
            find_files(f, path, paths, count);
        } else {
            const char **grown = ARENA_ARRAY(f->arena, const char *, *count + 1);

            if (*count > 0) {
                memcpy(grown, *paths, *count * sizeof(*grown));
            }
            grown[*count] = path;
            *paths = grown;
            ++*count;
        }
    }
}

/* Blobs there are, without ID. `*ret_last` is the path of the newest epoch's last one; may be
 * NULL. */
static inline size_t blob_count(fixture *f, const char **ret_last)
{
    const char **paths = NULL;
    size_t count = 0;
    size_t blobs = 0;

    find_files(f, test_path(f, "data/blobs"), &paths, &count);
    for (size_t i = 0; i < count; i++) {
        if (!str_ends_with(str_c(paths[i]), STR("/ID")) &&
            !str_ends_with(str_c(paths[i]), STR(".meta"))) {
            blobs++;
            if (ret_last != NULL) {
                *ret_last = paths[i];
            }
        }
    }
    return blobs;
}

static inline size_t file_count(fixture *f, const char *folder)
{
    const char **paths = NULL;
    size_t count = 0;

    find_files(f, test_path(f, folder), &paths, &count);
    return count;
}

static inline void flip_bit(fixture *f, const char *path, off_t offset)
{
    char byte;
    int fd;

    assert_int_equal(chmod(path, 0600), 0);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte = (char)(byte ^ 4);
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    assert_int_equal(close(fd), 0);
    (void)f;
}

#endif

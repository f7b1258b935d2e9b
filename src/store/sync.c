/* Making files and their names durable: rounds in parallel, and one sync of a folder for all who
 * wait for it. */
#include <fcntl.h>

#include "internal.h"
#include "sync_group.h"
#include "tarn/base/fs.h"

#define ROUND_THREADS_MAX 16

/* --- folders --- */

typedef struct folder_sync {
    sync_group group;
    int users;
} folder_sync;

static folder_sync *enter_folder(storage *st, const char *folder)
{
    folder_sync *f = map_get(st->folders, str_c(folder));

    if (f == NULL) {
        f = NEW(folder_sync);
        sync_group_init(&f->group);
        (void)map_set(st->folders, str_c(folder), f);
    }
    f->users++;
    return f;
}

static void leave_folder(storage *st, const char *folder, folder_sync *f)
{
    if (--f->users == 0) {
        (void)map_remove(st->folders, str_c(folder));
        sync_group_release(&f->group);
        mem_free(f);
    }
}

static status sync_folder(void *context, error *err)
{
    const char *const *folder = context;

    return fs_sync_dir(*folder, err);
}

status store__sync_folder(storage *st, const char *folder, error *err)
{
    folder_sync *f;
    status synced;

    if (st->options.unsafe) {
        return STATUS_OK;
    }
    mutex_lock(&st->lock);
    f = enter_folder(st, folder);
    mutex_unlock(&st->lock);
    synced = sync_group_run(&f->group, sync_folder, &folder, err);
    mutex_lock(&st->lock);
    leave_folder(st, folder, f);
    mutex_unlock(&st->lock);
    return synced;
}

/* --- rounds --- */

typedef struct sync_item {
    int fd;             /* or -1: */
    const char *folder; /* then this */
    status result;
    error err;
} sync_item;

typedef struct sync_round {
    storage *st;
    sync_item *items;
    size_t count;
} sync_round;

static void run_item(void *context, size_t index)
{
    sync_round *round = context;
    sync_item *item = &round->items[index];

    item->result = item->fd >= 0 ? fs_sync_full(item->fd, &item->err)
                                 : store__sync_folder(round->st, item->folder, &item->err);
}

static void add_folder(sync_round *round, const char *folder)
{
    for (size_t i = 0; i < round->count; i++) {
        if (round->items[i].folder != NULL &&
            str_equal(str_c(round->items[i].folder), str_c(folder))) {
            return;
        }
    }
    round->items[round->count++] = (sync_item){.fd = -1, .folder = folder, .err = ERROR_INIT};
}

/* Names are made before the round, so files and folders need not wait for each other: nothing
 * refers to the files before all of them are durable. */
status store__sync_round(storage *st, store_staged *const *staged, size_t count, error *err)
{
    sync_round round = {.st = st};
    status result = STATUS_OK;
    int threads;

    if (st->options.unsafe || count == 0) {
        return STATUS_OK;
    }
    round.items = NEW_ARRAY(sync_item, mem_product(count, 2));
    for (size_t i = 0; i < count; i++) {
        add_folder(&round, staged[i]->folder);
    }
    for (size_t i = 0; i < count; i++) {
        round.items[round.count++] = (sync_item){.fd = staged[i]->fd, .err = ERROR_INIT};
    }
    threads = round.count < ROUND_THREADS_MAX ? (int)round.count : ROUND_THREADS_MAX;
    parallel_for(round.count, threads, run_item, &round);
    for (size_t i = 0; i < round.count && result == STATUS_OK; i++) {
        result = round.items[i].result;
        if (result != STATUS_OK && err != NULL) {
            *err = round.items[i].err;
        }
    }
    mem_free(round.items);
    return result;
}

/* Only a hint: the sync that follows is what counts. */
void store__start_writeback(int fd, int64_t offset, int64_t size_bytes)
{
    (void)sync_file_range(fd, offset, size_bytes, SYNC_FILE_RANGE_WRITE);
}

/* The open stores: making and closing them, and sending each call to the store of its location. */
#include <stdatomic.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "buckets.h"
#include "bytes.h"
#include "hot.h"
#include "tarn/base/fs.h"
#include "tarn/base/rng.h"

#define HASHERS_MAX 8

/* --- life --- */

static status make_folder(storage *st, const char *name, char **ret_path, error *err)
{
    char *path = fs_join(st->memory, st->options.data_path, name);

    TRY(fs_make_dirs_synced(path, 0700, err));
    *ret_path = path;
    return STATUS_OK;
}

static status empty_staging(storage *st, error *err)
{
    arena *scratch = arena_create();
    str *names = NULL;
    size_t count = 0;
    status emptied = fs_list(st->staging_path, scratch, &names, &count, err);

    for (size_t i = 0; i < count && emptied == STATUS_OK; i++) {
        emptied = fs_remove_tree(fs_join(scratch, st->staging_path, names[i].data), err);
    }
    arena_free(scratch);
    return emptied;
}

/* Roots are compared with canonical paths, so they become canonical. One that is not there yet
 * stays as it is: nothing lies in it. */
static void copy_roots(storage *st, const storage_options *options)
{
    str *roots = ARENA_ARRAY(st->memory, str, options->local_root_count);

    for (size_t i = 0; i < options->local_root_count; i++) {
        char *path = str_to_c(st->memory, options->local_roots[i]);
        char *canonical = realpath(path, NULL);
        str root = str_c(canonical != NULL ? canonical : path);

        while (root.size > 1 && root.data[root.size - 1] == '/') {
            root.size--;
        }
        roots[i] = str_copy(st->memory, root);
        mem_free(canonical);
    }
    st->options.local_roots = roots;
}

static void init(storage *st, const storage_options *options)
{
    st->memory = arena_create();
    st->options = *options;
    if (options->data_path != NULL) {
        char *canonical = realpath(options->data_path, NULL);

        st->options.data_path = str_to_c(st->memory, str_c(options->data_path));
        st->private_path =
            str_copy(st->memory, str_c(canonical != NULL ? canonical : options->data_path));
        mem_free(canonical);
    }
    if (options->master_key != NULL) {
        memcpy(st->master_key, options->master_key, sizeof(st->master_key));
        st->options.master_key = st->master_key;
    }
    copy_roots(st, options);
    st->state = options->state;
    st->folders = map_create(NULL);
    st->exposed = map_create(NULL);
    st->infos = map_create(NULL);
    st->verified = map_create(NULL);
    st->corrupt = map_create(NULL);
    mutex_init(&st->lock);
    mutex_init(&st->shard_lock);
    mutex_init(&st->path_lock);
    store__init_buckets(st);
    mutex_init(&st->segment_lock);
    cond_init(&st->segment_opened);
    cond_init(&st->compact_work);
    mutex_init(&st->upload_lock);
    cond_init(&st->upload_changed);
    st->segments = map_create(NULL);
    st->uploads = map_create(NULL);
    cond_init(&st->care_work);
    cond_init(&st->scrub_work);
    st->hashers = pool_create("hash", HASHERS_MAX);
    st->hot = store__hot_create(options->hot_bytes);
}

static status start(storage *st, error *err)
{
    if (st->state == NULL) { /* local folders need neither rows nor a thread */
        return STATUS_OK;
    }
    TRY(make_folder(st, "blobs", &st->blobs_path, err));
    TRY(make_folder(st, "staging", &st->staging_path, err));
    TRY(make_folder(st, "lost", &st->lost_path, err));
    TRY(empty_staging(st, err));
    TRY(store__start_epoch(st, err));
    TRY(store__segment_adopt_old(st, err));
    TRY(store__forget_lost_uploads(st, err));
    TRY(thread_start(&st->compact_thread, "store-compact", store__compact_thread, st, err));
    TRY(thread_start(&st->care_thread, "store-care", store__care, st, err));
    if (st->options.scrub_bytes_per_second > 0) {
        TRY(thread_start(&st->scrub_thread, "store-scrub", store__scrub, st, err));
    }
    return STATUS_OK;
}

status storage_open(const storage_options *options, storage **ret_storage, error *err)
{
    storage *st = NEW(storage);
    status started;

    init(st, options);
    started = start(st, err);
    if (started != STATUS_OK) {
        storage_close(st);
        return started;
    }
    *ret_storage = st;
    return STATUS_OK;
}

void storage_close(storage *st)
{
    if (st == NULL) {
        return;
    }
    mutex_lock(&st->lock);
    st->closing = true;
    cond_broadcast(&st->care_work);
    cond_broadcast(&st->scrub_work);
    cond_broadcast(&st->compact_work);
    mutex_unlock(&st->lock);
    thread_join(&st->scrub_thread);
    thread_join(&st->compact_thread);
    store__segment_rotate(st);
    mutex_lock(&st->lock);
    st->care_ends = true;
    cond_broadcast(&st->care_work);
    mutex_unlock(&st->lock);
    if (st->care_thread.started) {
        thread_join(&st->care_thread);
        store__end_epoch(st);
    }
    pool_free(st->hashers);
    store__hot_free(st->hot);
    map_free(st->uploads);
    map_free(st->segments);
    cond_release(&st->upload_changed);
    mutex_release(&st->upload_lock);
    cond_release(&st->compact_work);
    cond_release(&st->segment_opened);
    mutex_release(&st->segment_lock);
    cond_release(&st->scrub_work);
    cond_release(&st->care_work);
    mutex_release(&st->shard_lock);
    store__free_buckets(st);
    mutex_release(&st->path_lock);
    mutex_release(&st->lock);
    map_free(st->corrupt);
    map_free(st->verified);
    map_free(st->infos);
    map_free(st->exposed);
    map_free(st->folders);
    arena_free(st->memory);
    explicit_bzero(st->master_key, sizeof(st->master_key));
    mem_free(st);
}

/* --- locations --- */

status store_check_location(storage *st, str location, error *err)
{
    const store_ops *ops = store__ops_for(st, location, err);

    return ops == NULL ? STATUS_INVALID : ops->check(st, location, NULL, err);
}

static void remove_path(void *path)
{
    (void)fs_remove_tree(path, NULL);
}

status store_staging_path(storage *st, arena *a, char **ret_path, error *err)
{
    char *path;

    if (st->staging_path == NULL) {
        return error_set(err, STATUS_UNSUPPORTED, "the store has no data directory to stage in");
    }
    path = arena_printf(a, "%s/%016" PRIx64, st->staging_path, random_u64());
    TRY(fs_volume_check(err));
    arena_defer(a, remove_path, path);
    *ret_path = path;
    return STATUS_OK;
}

/* --- publishing --- */

typedef struct ending {
    storage *st;
    store_staged *const *staged;
    size_t count;
} ending;

static void end_all(void *context, state_outcome outcome)
{
    ending *e = context;

    for (size_t i = 0; i < e->count; i++) {
        e->staged[i]->ops->end(e->st, e->staged[i], outcome);
        store__staged_free(e->staged[i]);
    }
}

void store__hand_over(storage *st, state_txn *txn, store_staged *const *staged, size_t count)
{
    arena *a = state_txn_arena(txn);
    ending *e = ARENA_NEW(a, ending);
    store_staged **copies = ARENA_ARRAY(a, store_staged *, count);

    for (size_t i = 0; i < count; i++) {
        copies[i] = staged[i];
    }
    *e = (ending){.st = st, .staged = copies, .count = count};
    state_at_end(txn, end_all, e);
}

status store_publish(storage *st, state_txn *txn, store_staged *const *staged, size_t count,
                     error *err)
{
    store__hand_over(st, txn, staged, count);
    for (size_t from = 0; from < count;) { /* runs of one store */
        size_t to = from + 1;

        while (to < count && staged[to]->ops == staged[from]->ops) {
            to++;
        }
        TRY(staged[from]->ops->publish(st, txn, staged + from, to - from, err));
        from = to;
    }
    return STATUS_OK;
}

typedef struct putting {
    storage *st;
    store_staged *staged;
    bool handed_over; /* false where the group never began: then nobody has the staged object */
} putting;

static status put(void *context, state_txn *txn, error *err)
{
    putting *p = context;

    p->handed_over = true;
    return store_publish(p->st, txn, &p->staged, 1, err);
}

/* Without a database there is no transaction to be part of: a local file is there with its name. */
static status put_local(storage *st, store_staged *staged, error *err)
{
    status published = staged->ops->publish(st, NULL, &staged, 1, err);

    staged->ops->end(st, staged, published == STATUS_OK ? STATE_COMMITTED : STATE_ROLLED_BACK);
    store__staged_free(staged);
    return published;
}

status store_put(storage *st, store_staged *staged, error *err)
{
    putting p = {.st = st, .staged = staged};
    status result;

    if (st->state == NULL) {
        return put_local(st, staged, err);
    }
    result = state_submit(st->state, put, &p, err);
    if (!p.handed_over) {
        store_discard(st, staged);
    }
    return result;
}

status store_delete(storage *st, state_txn *txn, const str *locations, size_t count, error *err)
{
    for (size_t from = 0; from < count;) {
        const store_ops *ops = store__ops_for(st, locations[from], err);
        size_t to = from + 1;

        if (ops == NULL) {
            return STATUS_INVALID;
        }
        while (to < count && store_is_local(locations[to]) == store_is_local(locations[from])) {
            to++;
        }
        TRY(ops->remove(st, txn, locations + from, to - from, err));
        from = to;
    }
    return STATUS_OK;
}

/* --- the rest, by scheme --- */

status store_stat(storage *st, str location, arena *a, store_object *ret_object, error *err)
{
    const store_ops *ops = store__ops_for(st, location, err);

    return ops == NULL ? STATUS_INVALID : ops->stat(st, location, a, ret_object, err);
}

status store_link(storage *st, str location, const char *folder, const char *name, arena *a,
                  char **ret_path, error *err)
{
    const store_ops *ops = store__ops_for(st, location, err);

    return ops == NULL ? STATUS_INVALID : ops->link(st, location, folder, name, a, ret_path, err);
}

status store_list(storage *st, str prefix, str after, size_t max, arena *a,
                  store_object **ret_objects, size_t *ret_count, error *err)
{
    const store_ops *ops = store__ops_for(st, prefix, err);

    return ops == NULL ? STATUS_INVALID
                       : ops->list(st, prefix, after, max, a, ret_objects, ret_count, err);
}

bool store__is_watched(str key)
{
    return str_find(key, STR(".json")) != STR_NPOS;
}

uint64_t store_generation(const storage *st)
{
    return atomic_load_explicit(&st->generation, memory_order_acquire);
}

/* --- usage --- */

static status read_totals(void *context, state_txn *txn, error *err)
{
    store_usage *usage = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn, "SELECT sum(objects), sum(bytes) FROM bucket_totals", NULL, 0, &rows,
                    err));
    TRY(state_next(rows, &row, err));
    if (row) {
        usage->objects = state_int(rows, 0);
        usage->bytes = state_int(rows, 1);
    }
    return STATUS_OK;
}

status store_read_usage(storage *st, store_usage *ret_usage, error *err)
{
    store_usage usage = {0};

    if (st->state == NULL) {
        *ret_usage = usage;
        return STATUS_OK;
    }
    TRY(state_read(st->state, read_totals, &usage, err));
    mutex_lock(&st->lock);
    usage.lost_blobs = st->lost_blobs;
    usage.scrubbed_bytes = st->scrubbed_bytes;
    usage.corrupt_objects = (int64_t)map_count(st->corrupt);
    mutex_unlock(&st->lock);
    *ret_usage = usage;
    return STATUS_OK;
}

/* timeout: 900 */
/* Claims about objects, versions, uploads and copies when the process is killed. A child process works with several
 * threads on a bucket with versions, and notes in shared memory what it is about to do and what was acknowledged; it is
 * killed at a named point, or from outside. Then every acknowledged version is there and right, no other but the one
 * that was under way, and files and counts are those of the rows. The same data directory goes from cycle to cycle.
 *
 * TARN_KILL_CYCLES says how many there are; 20 where it is not set. */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "bytes.h"
#include "object_world.h"
#include "tarn/base/clock.h"
#include "tarn/base/rng.h"
#include "tarn/base/thread.h"

#define CYCLES 20
#define KEYS 8 /* each has a thread of its own */
#define VERSIONS_MAX 24
#define PLACE STR("killed")
#define ROWS_SHOWN 200

typedef enum action { NOTHING, PUT, UPLOAD, COPY, MARK, REMOVE } action;

typedef struct noted_version {
    char id[64];
    uint32_t seed;
    int64_t size;
    bool marker;
    bool encrypted;
} noted_version;

/* What a thread knows of its key; two of them take turns, so that a kill leaves one whole. Newest first. */
typedef struct noted_key {
    int count;
    noted_version versions[VERSIONS_MAX];
    action pending;
    noted_version target; /* what it makes, or which one it removes */
} noted_key;

typedef struct notes {
    _Atomic int current[KEYS];
    noted_key keys[KEYS][2];
    _Atomic int64_t done; /* operations, in all */
} notes;

/* --- content --- */

static void fill(char *bytes, size_t size, uint32_t seed)
{
    uint32_t x = seed * 2654435761U + 1;

    for (size_t i = 0; i < size; i++) {
        x = x * 1664525U + 1013904223U;
        bytes[i] = (char)(x >> 24);
    }
}

static int64_t size_for(rng *r)
{
    switch (rng_below(r, 4)) {
    case 0:
        return (int64_t)rng_below(r, 700000) + 65537;
    case 1:
        return (int64_t)rng_below(r, 4);
    default:
        return (int64_t)rng_below(r, 9000);
    }
}

/* --- the child --- */

typedef struct worker {
    storage *st;
    notes *n;
    int key;
    rng r;
} worker;

static noted_key *now(worker *w)
{
    return &w->n->keys[w->key][w->n->current[w->key]];
}

/* Changes the other copy, which then counts. */
static noted_key *begin_note(worker *w)
{
    noted_key *other = &w->n->keys[w->key][1 - w->n->current[w->key]];

    *other = *now(w);
    return other;
}

static void end_note(worker *w)
{
    w->n->current[w->key] = 1 - w->n->current[w->key];
}

static str key_name(arena *a, int key)
{
    return str_printf(a, "key-%d", key);
}

static status write_bytes(worker *w, const noted_version *v, str bytes, arena *a, object_info *info)
{
    const object_attributes attributes = {.encrypted = v->encrypted};
    object_write what = {.bucket = PLACE,
                         .key = key_name(a, w->key),
                         .attributes = &attributes,
                         .size_bytes = v->size};

    return write_object(w->st, &what, bytes, 50000, NULL, a, info, NULL);
}

/* Two parts need 5 MiB, so mostly it is one; a second is uploaded twice and left out. */
static status upload(worker *w, const noted_version *v, str bytes, arena *a, object_info *info)
{
    upload_info what = {
        .bucket = PLACE, .key = key_name(a, w->key), .attributes = {.encrypted = v->encrypted}};
    object_part part;
    object_part other;
    upload_info begun;
    str id;

    TRY(upload_create(w->st, &what, a, &id, NULL));
    TRY(upload_find(w->st, what.bucket, what.key, id, a, &begun, NULL));
    TRY(write_part(w->st, &begun, 1, bytes, v->size, a, &part, NULL));
    if (rng_below(&w->r, 2) == 0) {
        TRY(write_part(w->st, &begun, 2, bytes, v->size, a, &other, NULL));
        TRY(write_part(w->st, &begun, 2, STR("x"), 1, a, &other, NULL));
    }
    if (rng_below(&w->r, 5) == 0) { /* this one for nothing */
        TRY(upload_abort(w->st, what.bucket, what.key, id, NULL));
        return write_bytes(w, v, bytes, a, info);
    }
    return upload_complete(w->st, what.bucket, what.key, id, &part, 1, NULL, NULL, a, info, NULL);
}

static status copy_itself(worker *w, const noted_version *source, const noted_version *v, arena *a,
                          object_info *info)
{
    const object_attributes attributes = {.encrypted = v->encrypted};
    object_copy what = {.from_bucket = PLACE,
                        .from_key = key_name(a, w->key),
                        .from_version = str_c(source->id),
                        .to_bucket = PLACE,
                        .to_key = key_name(a, w->key),
                        .attributes = &attributes};

    return object_copy_make(w->st, &what, NULL, a, info, NULL);
}

static status delete_key(worker *w, str version, arena *a, str *ret_version)
{
    object_delete_request request = {
        .key = key_name(a, w->key), .version = version, .conditions = OBJECT_CONDITIONS_NONE};
    object_delete_result result;

    TRY(object_delete(w->st, PLACE, &request, 1, a, &result, NULL));
    *ret_version = result.version;
    return result.result;
}

static void note_new(worker *w, str version)
{
    noted_key *next = begin_note(w);

    memmove(next->versions + 1, next->versions, (size_t)next->count * sizeof(*next->versions));
    next->versions[0] = next->target;
    memcpy(next->versions[0].id, version.data, version.size);
    next->versions[0].id[version.size] = '\0';
    next->count++;
    next->pending = NOTHING;
    end_note(w);
}

static void note_removed(worker *w, int index)
{
    noted_key *next = begin_note(w);

    memmove(next->versions + index, next->versions + index + 1,
            (size_t)(next->count - index - 1) * sizeof(*next->versions));
    next->count--;
    next->pending = NOTHING;
    end_note(w);
}

static void note_plan(worker *w, action pending, const noted_version *target)
{
    noted_key *next = begin_note(w);

    next->pending = pending;
    next->target = *target;
    end_note(w);
}

static status remove_one(worker *w, arena *a)
{
    int index = (int)rng_below(&w->r, (uint64_t)now(w)->count);
    noted_version target = now(w)->versions[index];
    str version;

    note_plan(w, REMOVE, &target);
    TRY(delete_key(w, str_c(target.id), a, &version));
    note_removed(w, index);
    return STATUS_OK;
}

static status make_one(worker *w, action kind, arena *a)
{
    noted_version v = {.seed = (uint32_t)rng_next(&w->r), .size = size_for(&w->r)};
    const noted_version *source = &now(w)->versions[0];
    object_info info = {.size_bytes = 0};
    str version;
    char *bytes;
    status done;

    v.encrypted = rng_below(&w->r, 3) == 0;
    if (kind == COPY) {
        v.seed = source->seed;
        v.size = source->size;
    }
    v.marker = kind == MARK;
    note_plan(w, kind, &v);
    bytes = arena_alloc(a, (size_t)v.size + 1);
    fill(bytes, (size_t)v.size, v.seed);
    if (kind == MARK) {
        done = delete_key(w, STR_NULL, a, &version);
    } else {
        noted_version copied = *source;

        done = kind == PUT      ? write_bytes(w, &v, str_from(bytes, (size_t)v.size), a, &info)
               : kind == UPLOAD ? upload(w, &v, str_from(bytes, (size_t)v.size), a, &info)
                                : copy_itself(w, &copied, &v, a, &info);
        version = info.version;
    }
    TRY(done);
    note_new(w, version);
    return STATUS_OK;
}

static void work(void *context)
{
    worker *w = context;

    for (;;) {
        arena *a = arena_create();
        bool copies = now(w)->count > 0 && !now(w)->versions[0].marker;
        uint64_t dice = rng_below(&w->r, 10);
        status done;

        if (now(w)->count > VERSIONS_MAX - 3 || (now(w)->count > 0 && dice < 3)) {
            done = remove_one(w, a);
        } else {
            done = make_one(w,
                            dice < 6             ? PUT
                            : dice < 8           ? UPLOAD
                            : dice < 9 && copies ? COPY
                                                 : MARK,
                            a);
        }
        arena_free(a);
        if (done != STATUS_OK) {
            _exit(4);
        }
        w->n->done++;
    }
}

static void work_until_killed(const char *data, const char *db, notes *n, const char *fault,
                              uint64_t seed)
{
    thread threads[KEYS];
    worker workers[KEYS];
    world w;

    if (world_try_open(data, db, (storage_options){.master_key = test_master_key}, &w, NULL) !=
            STATUS_OK ||
        fault_arm(fault, NULL) != STATUS_OK) {
        _exit(3);
    }
    for (int i = 0; i < KEYS; i++) {
        workers[i] = (worker){.st = w.storage, .n = n, .key = i};
        rng_seed(&workers[i].r, seed * KEYS + (uint64_t)i);
        threads[i] = (thread){.started = false};
        if (thread_start(&threads[i], "work", work, &workers[i], NULL) != STATUS_OK) {
            _exit(5);
        }
    }
    for (;;) {
        clock_sleep_ms(1000);
    }
}

/* --- afterwards --- */

static void expect_bytes(fixture *f, world *w, int key, const noted_version *v)
{
    char *expected = arena_alloc(f->arena, (size_t)v->size + 1);
    store_reader *reader;
    object_info info;

    fill(expected, (size_t)v->size, v->seed);
    EXPECT_OK(object_open(w->storage, PLACE, key_name(f->arena, key), str_c(v->id), f->arena, &info,
                          &reader, &f->err));
    assert_int_equal(info.size_bytes, v->size);
    assert_true(
        str_equal(read_range(f, reader, 0, (size_t)v->size), str_from(expected, (size_t)v->size)));
    store_reader_close(reader);
}

static object_page list_key(fixture *f, world *w, int key)
{
    object_listing what = {.bucket = PLACE,
                           .prefix = key_name(f->arena, key),
                           .after = STR_NULL,
                           .after_version = STR_NULL,
                           .max = ROWS_SHOWN,
                           .versions = true};
    object_page page = {.count = 0};

    EXPECT_OK(object_list(w->storage, &what, f->arena, &page, &f->err));
    return page;
}

/* The versions that there are, against what was acknowledged; `*k` is then what there is. */
static void settle(noted_key *k, const object_page *page)
{
    int found = (int)page->count;
    int index = 0;

    if (found == k->count + 1) { /* what was under way is there */
        assert_true(k->pending == PUT || k->pending == UPLOAD || k->pending == COPY ||
                    k->pending == MARK);
        memmove(k->versions + 1, k->versions, (size_t)k->count * sizeof(*k->versions));
        k->versions[0] = k->target;
        (void)snprintf(k->versions[0].id, sizeof(k->versions[0].id), "%.*s",
                       STR_ARG(page->entries[0].info.version));
        k->count++;
    } else if (found == k->count - 1) {
        assert_int_equal(k->pending, REMOVE);
        while (strcmp(k->versions[index].id, k->target.id) != 0) {
            index++;
        }
        memmove(k->versions + index, k->versions + index + 1,
                (size_t)(k->count - index - 1) * sizeof(*k->versions));
        k->count--;
    }
    assert_int_equal(found, k->count);
    k->pending = NOTHING;
}

static int64_t check_key(fixture *f, world *w, notes *n, int key)
{
    noted_key *k = &n->keys[key][n->current[key]];
    object_page page = list_key(f, w, key);
    int64_t bytes = 0;

    settle(k, &page);
    for (int i = 0; i < k->count; i++) {
        EXPECT_STR(page.entries[i].info.version, k->versions[i].id);
        assert_int_equal(page.entries[i].info.is_marker, k->versions[i].marker);
        if (!k->versions[i].marker) {
            expect_bytes(f, w, key, &k->versions[i]);
            bytes += k->versions[i].size;
        }
    }
    return bytes;
}

typedef struct totals {
    int64_t owned, objects, live, records, files;
} totals;

static status read_totals(void *context, state_txn *txn, error *err)
{
    totals *t = context;
    state_rows *rows;
    bool row;

    TRY(state_query(
        txn,
        "SELECT (SELECT coalesce(sum(owners), 0) FROM blobs), (SELECT count(*) FROM objects) + "
        "(SELECT count(*) FROM object_versions WHERE is_marker = 0), "
        "(SELECT coalesce(sum(live_bytes), 0) FROM segments), "
        "(SELECT coalesce(sum(file_bytes), 0) FROM blobs), "
        "(SELECT count(*) FROM blobs WHERE file IS NULL) + (SELECT count(*) FROM segments) + "
        "(SELECT count(*) FROM uploads WHERE blob IS NOT NULL) + "
        "(SELECT count(*) FROM upload_parts WHERE blob IS NOT NULL)",
        NULL, 0, &rows, err));
    TRY(state_next(rows, &row, err));
    *t = (totals){.owned = state_int(rows, 0),
                  .objects = state_int(rows, 1),
                  .live = state_int(rows, 2),
                  .records = state_int(rows, 3),
                  .files = state_int(rows, 4)};
    return STATUS_OK;
}

static bool is_compared(world *w)
{
    bool compared;

    mutex_lock(&w->storage->lock);
    compared = w->storage->compared;
    mutex_unlock(&w->storage->lock);
    return compared;
}

/* By their names: a kill may leave half of a file that is written beside another (blobs/ID). */
static int64_t count_blobs(fixture *f)
{
    const char **paths = NULL;
    size_t count = 0;
    int64_t blobs = 0;

    find_files(f, test_path(f, "data/blobs"), &paths, &count);
    for (size_t i = 0; i < count; i++) {
        blobs += store__is_blob_id(str_c(strrchr(paths[i], '/') + 1));
    }
    return blobs;
}

static void check_all(fixture *f, notes *n)
{
    world w = world_open_sealed(f);
    bucket_usage usage;
    int64_t bytes = 0;
    totals t = {0};

    for (int key = 0; key < KEYS; key++) {
        bytes += check_key(f, &w, n, key);
    }
    EXPECT_OK(bucket_read_usage(w.storage, PLACE, &usage, &f->err));
    assert_int_equal(usage.bytes, bytes);
    for (int i = 0; i < 6000 && !is_compared(&w); i++) {
        clock_sleep_ms(10);
    }
    assert_true(is_compared(&w));
    storage_close(w.storage); /* what has to go is gone then */
    EXPECT_OK(state_read(w.state, read_totals, &t, &f->err));
    state_close(w.state);
    assert_int_equal(t.owned, t.objects);
    assert_int_equal(t.live, t.records);
    assert_int_equal(count_blobs(f), t.files);
}

static void run_child(fixture *f, notes *n, const char *fault, uint64_t seed, int64_t wait_ms)
{
    const char *data = test_path(f, "data");
    const char *db = test_path(f, "data/tarn.db");
    int64_t until_ms = clock_mono_ms() + wait_ms;
    pid_t child = fork();
    int how = 0;
    pid_t ended = 0;

    assert_true(child >= 0);
    if (child == 0) {
        work_until_killed(data, db, n, fault, seed);
    }
    while (ended == 0 && clock_mono_ms() < until_ms) {
        ended = waitpid(child, &how, WNOHANG);
        clock_sleep_ms(ended == 0 ? 2 : 0);
    }
    if (ended == 0) {
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &how, 0), child);
    }
    assert_true(WIFSIGNALED(how));
    assert_int_equal(WTERMSIG(how), SIGKILL);
}

static const char *const points[] = {
    "fs.write",       "fs.sync",         "fs.link",         "store.staged",
    "store.appended", "store.compacted", "upload.part",     "upload.joined",
    "state.begin",    "state.applied",   "state.committed", "fs.sync_dir",
};

static void test_every_acknowledged_version_is_there_and_no_other_after_each_kill(void **context)
{
    fixture *f = *context;
    const char *asked = getenv("TARN_KILL_CYCLES");
    int cycles = asked != NULL ? (int)strtol(asked, NULL, 10) : CYCLES;
    notes *n = mmap(NULL, sizeof(*n), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    world w = world_open_sealed(f);
    rng r;

    assert_true(n != MAP_FAILED);
    EXPECT_OK(bucket_create(
        w.storage, &(bucket_info){.name = PLACE, .versioning = VERSIONING_ENABLED}, &f->err));
    EXPECT_OK(bucket_set_versioning(w.storage, PLACE, VERSIONING_ENABLED, &f->err));
    world_close(&w);
    rng_seed(&r, asked != NULL ? (uint64_t)clock_now_us() : 1);
    for (int i = 0; i < cycles; i++) {
        const char *point = points[(size_t)i % COUNT_OF(points)];
        int64_t before = n->done;

        run_child(f, n, arena_printf(f->arena, "%s=kill@%d", point, 1 + (int)rng_below(&r, 120)),
                  rng_next(&r), 400 + (int64_t)rng_below(&r, 800));
        check_all(f, n);
        print_message("%d: %s, %lld operations\n", i, point, (long long)(n->done - before));
    }
    assert_true(n->done > cycles); /* it did something */
    (void)munmap(n, sizeof(*n));
}

TESTS(test_every_acknowledged_version_is_there_and_no_other_after_each_kill)

/* Serial commits against the shortest durable chain: `commits FOLDER ROUNDS EACH [SYNC_US]`.
 *
 * The product: appends of one small data file, one after another, through catalog_append with the real state, store
 * and metadata. The baseline: as many files of the same sizes are made and synced in one parallel round together with
 * their folder, then one SQLite transaction (WAL, FULL) of one row is committed; the next begins after that. Less
 * cannot be durable. Both take turns; each round prints the seconds of the product and of the baseline. SYNC_US: every
 * sync of both lasts at least so long, as on a slower disk.
 *
 * `commits FOLDER chain EACH SIZE` runs the baseline alone, with one file of SIZE bytes, and prints its seconds. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lake.h"
#include "slow_sync.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/log.h"
#include "tarn/base/mem.h"
#include "tarn/base/thread.h"
#include "tarn/base/vec.h"

#define FILES_MAX 8

static const table_name table = {.space = STR_INIT("main"), .table = STR_INIT("t")};

/* Sizes of the files that the last commit made: the newest of each kind. */
static status sizes_of_commit(lake *l, size_t ret_sizes[FILES_MAX], size_t *ret_count, error *err)
{
    static const str marks[] = {STR_INIT(".metadata.json"), STR_INIT("/snap-"), STR_INIT("-m")};
    int64_t newest[COUNT_OF(marks)] = {0};
    arena *a = arena_create();
    store_object *objects = NULL;
    size_t count = 0;
    status listed =
        store_list(l->storage, STR("s3://warehouse/"), STR_NULL, 1000000, a, &objects, &count, err);

    for (size_t i = 0; listed == STATUS_OK && i < count; i++) {
        for (size_t m = 0; m < COUNT_OF(marks); m++) {
            if (str_find(objects[i].location, marks[m]) != STR_NPOS) {
                if (objects[i].modified_us > newest[m]) {
                    newest[m] = objects[i].modified_us;
                    ret_sizes[m] = (size_t)objects[i].size_bytes;
                }
                break;
            }
        }
    }
    ret_sizes[COUNT_OF(marks)] = LAKE_FILE_BYTES;
    *ret_count = COUNT_OF(marks) + 1;
    arena_free(a);
    return listed;
}

/* ---- the baseline ---- */

typedef struct chain {
    arena *memory;
    const char *folder;
    sqlite3 *database;
    sqlite3_stmt *update;
    size_t sizes[FILES_MAX];
    size_t count;
    int fds[FILES_MAX];
    status results[FILES_MAX + 1];
    int64_t files;
} chain;

static status database_failed(const chain *c, error *err)
{
    return error_set(err, STATUS_IO, "the baseline's database: %s", sqlite3_errmsg(c->database));
}

static status chain_open(chain *c, const char *folder, error *err)
{
    static const char setup[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                "CREATE TABLE pointers (id INTEGER PRIMARY KEY, location TEXT);"
                                "INSERT INTO pointers VALUES (1, '')";

    c->folder = fs_join(c->memory, folder, "files");
    TRY(fs_make_dirs(c->folder, 0700, err));
    if (sqlite3_open(fs_join(c->memory, folder, "chain.db"), &c->database) != SQLITE_OK ||
        sqlite3_exec(c->database, setup, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(c->database, "UPDATE pointers SET location = ?1 WHERE id = 1", -1,
                           &c->update, NULL) != SQLITE_OK) {
        return database_failed(c, err);
    }
    return STATUS_OK;
}

static void chain_close(chain *c)
{
    (void)sqlite3_finalize(c->update);
    (void)sqlite3_close(c->database);
}

static status make_file(chain *c, size_t index, str bytes, error *err)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/%lld", c->folder, (long long)c->files++);
    TRY(fs_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &c->fds[index], err));
    return fs_write_all(c->fds[index], bytes.data, c->sizes[index], err);
}

static void sync_one(void *context, size_t index)
{
    chain *c = context;

    c->results[index] =
        index < c->count ? fs_sync_full(c->fds[index], NULL) : fs_sync_dir(c->folder, NULL);
}

static status chain_one(chain *c, str bytes, error *err)
{
    for (size_t i = 0; i < c->count; i++) {
        TRY(make_file(c, i, bytes, err));
    }
    parallel_for(c->count + 1, (int)c->count + 1, sync_one, c);
    for (size_t i = 0; i < c->count; i++) {
        fs_close(c->fds[i]);
    }
    for (size_t i = 0; i <= c->count; i++) {
        if (c->results[i] != STATUS_OK) {
            return error_set(err, STATUS_IO, "a sync of the baseline failed");
        }
    }
    if (sqlite3_bind_int64(c->update, 1, c->files) != SQLITE_OK ||
        sqlite3_step(c->update) != SQLITE_DONE || sqlite3_reset(c->update) != SQLITE_OK) {
        return database_failed(c, err);
    }
    return STATUS_OK;
}

/* ---- taking turns ---- */

static double seconds_since(int64_t begun_ns)
{
    return (double)(clock_mono_ns() - begun_ns) / 1e9;
}

static status run_product(lake *l, int64_t each, double *ret_seconds, error *err)
{
    int64_t begun_ns = clock_mono_ns();

    for (int64_t i = 0; i < each; i++) {
        TRY(lake_append(l, &table, err));
    }
    *ret_seconds = seconds_since(begun_ns);
    return STATUS_OK;
}

static status run_chain(chain *c, str bytes, int64_t each, double *ret_seconds, error *err)
{
    int64_t begun_ns = clock_mono_ns();

    for (int64_t i = 0; i < each; i++) {
        TRY(chain_one(c, bytes, err));
    }
    *ret_seconds = seconds_since(begun_ns);
    return STATUS_OK;
}

static status run_rounds(lake *l, chain *c, int64_t rounds, int64_t each, error *err)
{
    char *bytes = arena_alloc(c->memory, LIMIT_MIB); /* more than any file of a commit here */
    double product = 0;
    double baseline = 0;

    memset(bytes, 'x', LIMIT_MIB);
    for (int64_t round = 0; round < rounds; round++) {
        bool product_first = round % 2 == 0;

        if (product_first) {
            TRY(run_product(l, each, &product, err));
        }
        if (round == 0) {
            TRY(sizes_of_commit(l, c->sizes, &c->count, err));
        }
        TRY(run_chain(c, str_from(bytes, LIMIT_MIB), each, &baseline, err));
        if (!product_first) {
            TRY(run_product(l, each, &product, err));
        }
        TRY(sizes_of_commit(l, c->sizes, &c->count, err));
        (void)printf("%.6f %.6f\n", product, baseline);
        (void)fflush(stdout);
    }
    return STATUS_OK;
}

static int chain_alone(char **argv)
{
    chain c = {.memory = arena_create(), .count = 1};
    error err = ERROR_INIT;
    int64_t each = 0, size = 0;
    double seconds = 0;
    char *bytes = arena_alloc(c.memory, LIMIT_MIB);

    memset(bytes, 'x', LIMIT_MIB);
    bool fine = str_to_int64(str_c(argv[3]), &each, NULL) == STATUS_OK &&
                str_to_int64(str_c(argv[4]), &size, NULL) == STATUS_OK && size >= 0 &&
                size <= (int64_t)LIMIT_MIB;
    c.sizes[0] = (size_t)size;
    if (!fine || chain_open(&c, argv[1], &err) != STATUS_OK ||
        run_chain(&c, str_from(bytes, LIMIT_MIB), each, &seconds, &err) != STATUS_OK) {
        (void)fprintf(stderr, "commits: %s\n", fine ? err.message : "chain EACH SIZE");
        return 1;
    }
    (void)printf("%.6f\n", seconds);
    chain_close(&c);
    arena_free(c.memory);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && str_equal(str_c(argv[2]), STR("chain"))) {
        return chain_alone(argv);
    }

    arena *memory = arena_create();
    lake l = {.memory = memory};
    chain c = {.memory = memory};
    error err = ERROR_INIT;
    int64_t rounds = 0;
    int64_t each = 0;
    int64_t sync_us = 0;

    if (argc < 4 || argc > 5 || str_to_int64(str_c(argv[2]), &rounds, NULL) != STATUS_OK ||
        str_to_int64(str_c(argv[3]), &each, NULL) != STATUS_OK ||
        (argc == 5 && str_to_int64(str_c(argv[4]), &sync_us, NULL) != STATUS_OK)) {
        (void)fputs("usage: commits FOLDER ROUNDS EACH [SYNC_US]\n", stderr);
        return 2;
    }
    slow_sync_set(sync_us);
    status done = lake_open(&l, fs_join(memory, argv[1], "lake"), false, &err);
    if (done == STATUS_OK) {
        done = lake_make_table(&l, &table, NULL, 0, &err);
    }
    if (done == STATUS_OK) {
        done = chain_open(&c, argv[1], &err);
    }
    if (done == STATUS_OK) {
        done = run_rounds(&l, &c, rounds, each, &err);
    }
    if (done != STATUS_OK) {
        (void)fprintf(stderr, "commits: %s\n", err.message);
        return 1;
    }
    chain_close(&c);
    lake_close(&l);
    arena_free(memory);
    return 0;
}

/* Pages of a listing over ever more keys: `listing FOLDER KEYS…`.
 *
 * The rows are made in the database itself: what is measured is object_list alone, no bytes and no protocol. A hundred
 * keys share a prefix. For each number of keys one line: microseconds of a page of 1000 keys (at the begin, from
 * places in the middle, and with attributes), and of one of 1000 common prefixes; the best of several. */
#include <inttypes.h>
#include <stdio.h>

#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"
#include "tarn/store/object.h"

#define CHUNK 500000
#define BELOW_A_PREFIX 100
#define PAGE 1000
#define PLACES 20

typedef struct filling {
    int64_t from, to;
} filling;

static status fill(void *context, state_txn *txn, error *err)
{
    const filling *f = context;

    return STATE_EXEC(
        txn,
        "INSERT INTO objects (bucket, key, version, blob, blob_offset, size_bytes, etag, "
        "content_type, modified_us) "
        "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2) "
        "SELECT 'bench', printf('dir%08d/key%09d', i / ?3, i), '', "
        "'00000001000000010123456789abcdef', 0, 4096, '0123456789abcdef0123456789abcdef', "
        "'binary/octet-stream', 1 FROM n",
        NULL, err, SV_INT(f->from), SV_INT(f->to), SV_INT(BELOW_A_PREFIX));
}

typedef struct listed {
    storage *st;
    object_listing what;
    int64_t keys;
} listed;

/* The best of PLACES pages: each from another place, or all from the begin. */
static status measure(const listed *l, bool spread, double *ret_us, error *err)
{
    int64_t best_ns = INT64_MAX;

    for (int i = 0; i < PLACES; i++) {
        arena *a = arena_create();
        object_listing what = l->what;
        int64_t from = l->keys / PLACES * i;
        object_page page;
        int64_t begin_ns;
        status done;

        if (spread) {
            what.after =
                str_printf(a, "dir%08" PRId64 "/key%09" PRId64, from / BELOW_A_PREFIX, from);
        }
        begin_ns = clock_mono_ns();
        done = object_list(l->st, &what, a, &page, err);
        if (done == STATUS_OK && clock_mono_ns() - begin_ns < best_ns) {
            best_ns = clock_mono_ns() - begin_ns;
        }
        arena_free(a);
        TRY(done);
    }
    *ret_us = (double)best_ns / 1000;
    return STATUS_OK;
}

static status measure_all(storage *st, int64_t keys, error *err)
{
    listed l = {.st = st, .keys = keys};
    double first_us = 0;
    double middle_us = 0;
    double attributes_us = 0;
    double prefixes_us = 0;

    l.what = (object_listing){.bucket = STR("bench"),
                              .prefix = STR(""),
                              .delimiter = STR(""),
                              .after = STR_NULL,
                              .max = PAGE};
    TRY(measure(&l, false, &first_us, err));
    TRY(measure(&l, true, &middle_us, err));
    l.what.with_attributes = true;
    TRY(measure(&l, true, &attributes_us, err));
    l.what.with_attributes = false;
    l.what.delimiter = STR("/");
    TRY(measure(&l, false, &prefixes_us, err));
    printf("%" PRId64 " keys: page %.0f us, in the middle %.0f us, with attributes %.0f us, "
           "of common prefixes %.0f us\n",
           keys, first_us, middle_us, attributes_us, prefixes_us);
    (void)fflush(stdout);
    return STATUS_OK;
}

static status run(const char *folder, int count, char **numbers, error *err)
{
    arena *a = arena_create();
    state_options db = {.path = fs_join(a, folder, "tarn.db"), .unsafe = true};
    storage_options options = {.data_path = folder, .unsafe = true};
    bucket_info bucket = {.name = STR("bench")};
    int64_t keys = 0;

    TRY(fs_make_dirs(folder, 0700, err));
    TRY(state_open(&db, store_migrations, store_migration_count, &options.state, err));
    storage *st = NULL;
    TRY(storage_open(&options, &st, err));
    TRY(bucket_create(st, &bucket, err));
    for (int i = 0; i < count; i++) {
        int64_t wanted;

        TRY(str_to_int64(str_c(numbers[i]), &wanted, err));
        for (; keys < wanted; keys += CHUNK < wanted - keys ? CHUNK : wanted - keys) {
            filling f = {.from = keys, .to = keys + CHUNK < wanted ? keys + CHUNK : wanted};

            TRY(state_submit(options.state, fill, &f, err));
        }
        TRY(measure_all(st, keys, err));
    }
    storage_close(st);
    state_close(options.state);
    arena_free(a);
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    error err = ERROR_INIT;

    if (argc < 3) {
        (void)fprintf(stderr, "usage: listing FOLDER KEYS...\n");
        return 2;
    }
    if (run(argv[1], argc - 2, argv + 2, &err) != STATUS_OK) {
        log_failure("listing", &err);
        return 1;
    }
    return 0;
}

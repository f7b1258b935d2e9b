/* Commits to tables with short and long histories, for bench/figures/snapshots.py:
 *
 *   snapshots grow FOLDER SNAPSHOTS…          a table for each number, which keeps so many snapshots; all get as many
 *                                             commits as the longest history needs. Nothing is synced
 *   snapshots commit FOLDER EACH ROUNDS SNAPSHOTS…   so many more, durable, in turns; prints for each
 *                                             round the seconds of each table
 */
#include <stdio.h>

#include "lake.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"

static table_name name_of(lake *l, int64_t snapshots)
{
    return (table_name){.space = STR("main"),
                        .table = str_printf(l->memory, "t%lld", (long long)snapshots)};
}

static status grow(lake *l, const int64_t *snapshots, size_t count, error *err)
{
    int64_t most = 0;

    for (size_t i = 0; i < count; i++) {
        const ice_property kept = {STR("tarn.history.max-snapshots"),
                                   str_printf(l->memory, "%lld", (long long)snapshots[i])};
        const table_name name = name_of(l, snapshots[i]);

        TRY(lake_make_table(l, &name, &kept, 1, err));
        most = snapshots[i] > most ? snapshots[i] : most;
    }
    for (size_t i = 0; i < count; i++) {
        const table_name name = name_of(l, snapshots[i]);

        for (int64_t k = 0; k < most; k++) {
            TRY(lake_append(l, &name, err));
        }
    }
    return STATUS_OK;
}

static status commit(lake *l, const int64_t *numbers, size_t count, error *err)
{
    int64_t each = numbers[0];
    int64_t rounds = numbers[1];

    for (int64_t round = 0; round < rounds; round++) {
        for (size_t i = 2; i < count; i++) {
            const table_name name = name_of(l, numbers[i]);
            int64_t begun_ns = clock_mono_ns();

            for (int64_t k = 0; k < each; k++) {
                TRY(lake_append(l, &name, err));
            }
            (void)printf("%s%.6f", i > 2 ? " " : "", (double)(clock_mono_ns() - begun_ns) / 1e9);
        }
        (void)printf("\n");
        (void)fflush(stdout);
    }
    return STATUS_OK;
}

static status run(lake *l, bool grows, const char *folder, const int64_t *numbers, size_t count,
                  error *err)
{
    TRY(lake_open(l, fs_join(l->memory, folder, "lake"), grows, err));
    return grows ? grow(l, numbers, count, err) : commit(l, numbers, count, err);
}

int main(int argc, char **argv)
{
    enum { NUMBERS_MAX = 16 };
    lake l = {.memory = arena_create()};
    error err = ERROR_INIT;
    int64_t numbers[NUMBERS_MAX];
    size_t count = 0;
    bool grows = argc > 1 && str_equal(str_c(argv[1]), STR("grow"));

    for (int i = 3; i < argc && count < NUMBERS_MAX; i++) {
        count += str_to_int64(str_c(argv[i]), &numbers[count], NULL) == STATUS_OK ? 1 : 0;
    }
    if (count < (grows ? 1 : 3)) {
        (void)fputs(
            "usage: snapshots grow FOLDER SNAPSHOTS… | commit FOLDER EACH ROUNDS SNAPSHOTS…\n",
            stderr);
        return 2;
    }
    status done = run(&l, grows, argv[2], numbers, count, &err);
    if (done != STATUS_OK) {
        (void)fprintf(stderr, "snapshots: %s\n", err.message);
    }
    lake_close(&l);
    arena_free(l.memory);
    return done == STATUS_OK ? 0 : 1;
}

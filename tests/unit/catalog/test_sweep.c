/* Claims about files that killed commits left in a plain folder: they go, and nothing else does. */
#include "lake.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tarn/base/clock.h"
#include "tarn/catalog/request.h"
#include "tarn/catalog/view.h"

#define AGE_MS 100
#define WAIT_MS 60000
#define UUID "0a1b2c3d-0000-4000-8000-0123456789ab"

static char *table_path(fixture *f, const char *below)
{
    return arena_printf(f->arena, "%s/main/t/%s", test_path(f, "lake"), below);
}

static str table_location(fixture *f, const char *below)
{
    return str_printf(f->arena, "file://%s", table_path(f, below));
}

/* A table of two rows in a folder. */
static void make_folder(fixture *f)
{
    lake l = lake_open(f);

    EXPECT_OK(make_table(
        &l, "t", str_slice(table_location(f, ""), 0, table_location(f, "").size - 1), &f->err));
    for (int i = 0; i < 2; i++) {
        str path = table_location(f, i == 0 ? "data/11111111-0000-4000-8000-000000000001.parquet"
                                            : "data/11111111-0000-4000-8000-000000000002.parquet");
        EXPECT_OK(append_one(&l, "t", path, &f->err));
    }
    lake_close(&l);
}

static void plant(fixture *f, const char *below, str bytes)
{
    char *path = table_path(f, below);

    EXPECT_OK(fs_make_dirs(arena_strndup(f->arena, path, str_find_last_char(str_c(path), '/')),
                           0755, &f->err));
    EXPECT_OK(fs_write_file(path, bytes, 0644, &f->err));
}

/* As if it had been written two days ago. */
static void make_old(const char *path)
{
    const struct timespec then = {.tv_sec = (time_t)(clock_now_us() / 1000000 - 2 * 24 * 3600)};
    const struct timespec times[2] = {then, then};

    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void make_folder_old(fixture *f, const char *below)
{
    char *folder = table_path(f, below);
    str *names = NULL;
    size_t count = 0;

    EXPECT_OK(fs_list(folder, f->arena, &names, &count, &f->err));
    for (size_t i = 0; i < count; i++) {
        make_old(fs_join(f->arena, folder, names[i].data));
    }
}

static size_t count_files(fixture *f, const char *below)
{
    str *names = NULL;
    size_t count = 0;

    EXPECT_OK(fs_list(table_path(f, below), f->arena, &names, &count, &f->err));
    return count;
}

/* Waits for one search, and tells what the searches did. */
static catalog_stats stats_after_a_sweep(lake *l)
{
    int64_t until_ms = clock_mono_ms() + WAIT_MS;
    catalog_stats stats = {0};

    while (stats.sweeps == 0 && clock_mono_ms() < until_ms) {
        clock_sleep_ms(5);
        EXPECT_OK(catalog_read_stats(l->catalog, &stats, &l->f->err));
    }
    assert_true(stats.sweeps > 0);
    return stats;
}

/* Files go after the commit that removes them, in another thread; closing the store waits for it. */
static catalog_stats sweep(fixture *f)
{
    lake l = lake_open_sweeping(f, AGE_MS);
    catalog_stats stats = stats_after_a_sweep(&l);

    lake_close(&l);
    return stats;
}

static str current_metadata(fixture *f)
{
    lake l = lake_open(f);
    table_info info;
    ice_metadata *m = load(&l, "t", &info);
    str path =
        str_slice(info.metadata_location, sizeof("file://") - 1, info.metadata_location.size);

    ice_metadata_unref(m);
    lake_close(&l);
    return path;
}

static const char *const left[] = {
    "data/" UUID ".parquet",
    "data/day=1/" UUID ".parquet",
    "data/." UUID ".parquet.0123456789abcdef.tarn-new",
    "metadata/snap-123-" UUID ".avro",
    "metadata/" UUID "-m0.avro",
    "metadata/" UUID "-m1.avro",
    "metadata/version-hint.text.0123456789abcdef.new",
};

static const char *const of_strangers[] = {
    UUID ".parquet",
    "data/" UUID ".orc",
    "data/" UUID "-1.parquet",
    "data/part-00000-" UUID ".parquet",
    "data/0A1B2C3D-0000-4000-8000-0123456789AB.parquet",
    "data/.hidden.parquet.0123456789abcdef.tarn-new",
    "data/notes.txt",
    "metadata/" UUID ".parquet",
    "metadata/" UUID "-m7.avro",
    "metadata/snap-x-" UUID ".avro",
    "metadata/old/" UUID "-m0.avro",
    "other/" UUID ".parquet",
};

static void test_what_nothing_refers_to_goes_and_all_else_stays(void **context)
{
    fixture *f = *context;
    str metadata;

    make_folder(f);
    /* As a commit leaves it that was killed before the pointer moved. */
    EXPECT_OK(fs_read_file(current_metadata(f).data, 1 << 20, f->arena, &metadata, &f->err));
    plant(f, "metadata/00003-" UUID ".gz.metadata.json", metadata);
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        plant(f, left[i], STR("PAR1"));
        make_old(table_path(f, left[i]));
    }
    for (size_t i = 0; i < COUNT_OF(of_strangers); i++) {
        plant(f, of_strangers[i], STR("PAR1"));
        make_old(table_path(f, of_strangers[i]));
    }
    make_folder_old(f, "metadata");
    make_folder_old(f, "data");

    catalog_stats stats = sweep(f);
    assert_int_equal(stats.swept_files, COUNT_OF(left) + 1);
    assert_int_equal(stats.sweeps_failed, 0);
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        assert_false(fs_exists(table_path(f, left[i])));
    }
    for (size_t i = 0; i < COUNT_OF(of_strangers); i++) {
        assert_true(fs_exists(table_path(f, of_strangers[i])));
    }
    assert_false(fs_exists(table_path(f, "metadata/00003-" UUID ".gz.metadata.json")));
    assert_int_equal(sweep(f).swept_files, 0);
}

static void test_what_is_not_old_enough_stays(void **context)
{
    fixture *f = *context;
    catalog_stats stats;

    make_folder(f);
    plant(f, "data/" UUID ".parquet", STR("PAR1"));
    clock_sleep_ms(100); /* so that it is told from files of the process that opens the lake now */
    lake l = lake_open_sweeping(f, AGE_MS);
    plant(f, "data/0a1b2c3d-0000-4000-8000-0123456789ac.parquet", STR("PAR1"));
    stats = stats_after_a_sweep(&l);
    while (stats.swept_files == 0) { /* at first it may be too young */
        clock_sleep_ms(5);
        EXPECT_OK(catalog_read_stats(l.catalog, &stats, &f->err));
    }
    lake_close(&l);
    assert_false(fs_exists(table_path(f, "data/" UUID ".parquet")));
    assert_true(fs_exists(table_path(f, "data/0a1b2c3d-0000-4000-8000-0123456789ac.parquet")));
}

static void test_nothing_goes_where_a_manifest_is_damaged(void **context)
{
    fixture *f = *context;
    str *names = NULL;
    size_t count = 0;

    make_folder(f);
    plant(f, "data/" UUID ".parquet", STR("PAR1"));
    EXPECT_OK(fs_list(table_path(f, "metadata"), f->arena, &names, &count, &f->err));
    for (size_t i = 0; i < count; i++) {
        if (str_ends_with(names[i], STR("-m0.avro"))) {
            EXPECT_OK(fs_write_file(fs_join(f->arena, table_path(f, "metadata"), names[i].data),
                                    STR("Obj"), 0644, &f->err));
        }
    }
    make_folder_old(f, "data");
    catalog_stats stats = sweep(f);
    assert_true(stats.sweeps_failed > 0);
    assert_int_equal(stats.swept_files, 0);
    assert_int_equal(count_files(f, "data"), 3);
}

static void test_nothing_goes_where_a_file_that_is_needed_is_not_there(void **context)
{
    fixture *f = *context;

    make_folder(f);
    EXPECT_OK(fs_rename(table_path(f, "data/11111111-0000-4000-8000-000000000001.parquet"),
                        table_path(f, "data/" UUID ".parquet"), &f->err));
    make_folder_old(f, "data");
    catalog_stats stats = sweep(f);
    assert_true(stats.sweeps_failed > 0);
    assert_int_equal(stats.swept_files, 0);
    assert_true(fs_exists(table_path(f, "data/" UUID ".parquet")));
}

static void append_numbered(fixture *f, int from, int to)
{
    lake l = lake_open(f);

    for (int i = from; i <= to; i++) {
        EXPECT_OK(append_one(
            &l, "t",
            table_location(
                f, arena_printf(f->arena, "data/11111111-0000-4000-8000-00000000000%d.parquet", i)),
            &f->err));
    }
    lake_close(&l);
    make_folder_old(f, "data");
    make_folder_old(f, "metadata");
}

static void test_commits_that_a_restored_database_does_not_know_stay(void **context)
{
    fixture *f = *context;
    str database;

    make_folder(f);
    EXPECT_OK(fs_read_file(test_path(f, "tarn.db"), 1 << 26, f->arena, &database, &f->err));
    append_numbered(f, 3, 4);
    EXPECT_OK(fs_write_file(test_path(f, "tarn.db"), database, 0600, &f->err));
    catalog_stats stats = sweep(f); /* the version hint tells */
    assert_true(stats.sweeps_failed > 0);
    assert_int_equal(count_files(f, "data"), 4);

    append_numbered(f, 5,
                    5); /* now it tells of this one, but the metadata files tell of one another */
    stats = sweep(f);
    assert_true(stats.sweeps_failed > 0);
    assert_int_equal(stats.swept_files, 0);
    assert_int_equal(count_files(f, "data"), 5);
}

static void test_metadata_of_another_table_in_the_folder_stops_it(void **context)
{
    fixture *f = *context;
    table_info info;

    make_folder(f);
    lake l = lake_open(f);
    EXPECT_OK(make_table(&l, "u", str_printf(f->arena, "file://%s/main/u", test_path(f, "lake")),
                         &f->err));
    ice_metadata *m = load(&l, "u", &info);
    ice_metadata_unref(m);
    lake_close(&l);
    str text;
    EXPECT_OK(fs_read_file(info.metadata_location.data + sizeof("file://") - 1, 1 << 20, f->arena,
                           &text, &f->err));
    plant(f, "metadata/00009-" UUID ".gz.metadata.json", text);
    plant(f, "data/" UUID ".parquet", STR("PAR1"));
    make_folder_old(f, "metadata");
    make_folder_old(f, "data");
    catalog_stats stats = sweep(f);
    assert_true(stats.sweeps_failed > 0);
    assert_int_equal(stats.swept_files, 0);
    assert_true(fs_exists(table_path(f, "data/" UUID ".parquet")));
}

/* ---- views ---- */

#define LEFT "metadata/00003-" UUID ".metadata.json"

static str view_folder(fixture *f, const char *name)
{
    return str_printf(f->arena, "file://%s/main/%s", test_path(f, "lake"), name);
}

/* A view with two versions in a folder. */
static view_info make_view(fixture *f, const char *name)
{
    static const str space[] = {STR_INIT("main")};
    lake l = lake_open(f);
    ice_view *v = NULL;
    view_info info;
    bool changed;
    catalog_view_create options = {.name = {.space = STR("main"), .table = str_c(name)},
                                   .location = view_folder(f, name),
                                   .definition = {.root = two_columns(),
                                                  .sql = STR("SELECT 1"),
                                                  .dialect = STR("duckdb"),
                                                  .default_namespace = space,
                                                  .default_namespace_count = 1,
                                                  .engine_version = STR("")},
                                   .replace = true};

    EXPECT_OK(catalog_create_view(l.catalog, &options, &changed, &f->err));
    options.definition.sql = STR("SELECT 2");
    EXPECT_OK(catalog_create_view(l.catalog, &options, &changed, &f->err));
    EXPECT_OK(catalog_load_view(l.catalog, options.name, f->arena, &v, &info, &f->err));
    ice_view_unref(v);
    lake_close(&l);
    return info;
}

static const char *view_path(fixture *f, const char *name, const char *below)
{
    return arena_printf(f->arena, "%s/main/%s/%s", test_path(f, "lake"), name, below);
}

static void plant_view_file(fixture *f, const view_info *from, const char *path)
{
    str text;

    EXPECT_OK(fs_read_file(from->metadata_location.data + sizeof("file://") - 1, 1 << 20, f->arena,
                           &text, &f->err));
    EXPECT_OK(fs_write_file(path, text, 0644, &f->err));
}

/* Not of the process that comes now. */
static void let_time_go(void)
{
    clock_sleep_ms(100);
}

static bool is_current_there(const view_info *v)
{
    return fs_exists(v->metadata_location.data + sizeof("file://") - 1);
}

static void test_what_a_killed_change_of_a_view_left_goes(void **context)
{
    static const char *const gone[] = {LEFT, "metadata/00001-" UUID ".metadata.json",
                                       "metadata/.00003-" UUID
                                       ".metadata.json.0123456789abcdef.tarn-new"};
    static const char *const stays[] = {"metadata/notes.txt", "data/" UUID ".parquet",
                                        "metadata/" UUID "-m0.avro"};
    fixture *f = *context;
    view_info info = make_view(f, "v");

    EXPECT_OK(fs_make_dirs(view_path(f, "v", "data"), 0755, &f->err));
    for (size_t i = 0; i < COUNT_OF(gone); i++) {
        plant_view_file(f, &info, view_path(f, "v", gone[i]));
    }
    for (size_t i = 0; i < COUNT_OF(stays); i++) {
        plant_view_file(f, &info, view_path(f, "v", stays[i]));
    }
    let_time_go();
    catalog_stats stats = sweep(f);
    assert_int_equal(stats.swept_files, COUNT_OF(gone));
    assert_int_equal(stats.sweeps_failed, 0);
    for (size_t i = 0; i < COUNT_OF(gone); i++) {
        assert_false(fs_exists(view_path(f, "v", gone[i])));
    }
    for (size_t i = 0; i < COUNT_OF(stays); i++) {
        assert_true(fs_exists(view_path(f, "v", stays[i])));
    }
    assert_true(is_current_there(&info));
    assert_int_equal(sweep(f).swept_files, 0);
}

static void expect_kept(fixture *f, const char *path, bool is_told)
{
    let_time_go();
    catalog_stats stats = sweep(f);

    assert_int_equal(stats.swept_files, 0);
    assert_int_equal(stats.sweeps_failed > 0, is_told);
    assert_true(fs_exists(path));
}

static void test_a_change_of_a_view_that_the_database_does_not_know_stops_it(void **context)
{
    fixture *f = *context;
    view_info info = make_view(f, "v");
    const char *leftover = view_path(f, "v", LEFT);

    plant_view_file(f, &info, leftover);
    plant_view_file(f, &info, view_path(f, "v", "metadata/00004-" UUID ".metadata.json"));
    expect_kept(f, leftover, true);
    EXPECT_OK(fs_remove(view_path(f, "v", "metadata/00004-" UUID ".metadata.json"), &f->err));
    /* its own file is gone: it was restored to its last change but one */
    EXPECT_OK(fs_rename(info.metadata_location.data + sizeof("file://") - 1,
                        view_path(f, "v", "metadata/away"), &f->err));
    expect_kept(f, leftover, true);
}

static void test_metadata_of_another_in_the_folder_of_a_view_stops_it(void **context)
{
    fixture *f = *context;
    view_info info = make_view(f, "v");
    view_info other = make_view(f, "other");
    const char *leftover = view_path(f, "v", LEFT);

    plant_view_file(f, &info, leftover);
    plant_view_file(f, &other, view_path(f, "v", "metadata/00001-" UUID ".metadata.json"));
    expect_kept(f, leftover, true);
    EXPECT_OK(fs_write_file(view_path(f, "v", "metadata/00001-" UUID ".metadata.json"), STR("{}"),
                            0644, &f->err));
    expect_kept(f, leftover, true);
    EXPECT_OK(fs_remove(view_path(f, "v", "metadata/00001-" UUID ".metadata.json"), &f->err));
    plant_view_file(f, &info, view_path(f, "v", "metadata/v3.metadata.json"));
    expect_kept(f, leftover, true);
}

static void test_nothing_goes_of_a_view_while_a_table_cannot_be_read(void **context)
{
    fixture *f = *context;
    view_info info = make_view(f, "v");
    const char *leftover = view_path(f, "v", LEFT);

    make_folder(f);
    plant_view_file(f, &info, leftover);
    EXPECT_OK(fs_rename(table_path(f, "data/11111111-0000-4000-8000-000000000001.parquet"),
                        table_path(f, "data/away"), &f->err));
    expect_kept(f, leftover, true);
}

static void test_files_that_were_there_before_a_view_stay(void **context)
{
    fixture *f = *context;
    view_info info = make_view(f, "v");
    const char *leftover = view_path(f, "v", LEFT);

    plant_view_file(f, &info, leftover);
    make_old(leftover);
    expect_kept(f, leftover, false);
}

static void test_the_folder_of_a_registered_view_is_not_looked_into(void **context)
{
    fixture *f = *context;
    view_info info = make_view(f, "v");
    const char *leftover = view_path(f, "v", LEFT);
    const char *path = info.metadata_location.data + sizeof("file://") - 1;
    catalog_loaded_view back;
    bool dropped;
    str text;

    EXPECT_OK(fs_read_file(path, 1 << 20, f->arena, &text, &f->err));
    lake l = lake_open(f);
    EXPECT_OK(catalog_drop_view(l.catalog, info.name, false, &dropped, &f->err));
    lake_close(&l);
    EXPECT_OK(fs_write_file(path, text, 0644, &f->err));
    l = lake_open(f);
    EXPECT_OK(catalog_register_view_file(l.catalog, info.name, info.metadata_location, f->arena,
                                         &back, &f->err));
    ice_view_unref(back.view);
    lake_close(&l);
    plant_view_file(f, &info, leftover);
    expect_kept(f, leftover, false);
}

TESTS(test_the_folder_of_a_registered_view_is_not_looked_into,
      test_what_a_killed_change_of_a_view_left_goes,
      test_a_change_of_a_view_that_the_database_does_not_know_stops_it,
      test_metadata_of_another_in_the_folder_of_a_view_stops_it,
      test_nothing_goes_of_a_view_while_a_table_cannot_be_read,
      test_files_that_were_there_before_a_view_stay,
      test_what_nothing_refers_to_goes_and_all_else_stays, test_what_is_not_old_enough_stays,
      test_nothing_goes_where_a_manifest_is_damaged,
      test_nothing_goes_where_a_file_that_is_needed_is_not_there,
      test_commits_that_a_restored_database_does_not_know_stay,
      test_metadata_of_another_table_in_the_folder_stops_it)

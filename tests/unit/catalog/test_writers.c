/* Claims about many writers of one table: appends all arrive, and changes that take away other files than anybody
 * else's are in nobody's way. timeout: 240 */
#include "lake.h"

#include "tarn/base/thread.h"

#define APPENDERS 64
#define APPENDS_EACH 5
#define OVERWRITERS 8
#define OVERWRITES_EACH 5

typedef struct writer {
    lake *l;
    int number;
    bool overwrites;
    status outcome;
    error err;
} writer;

static str path_of(const writer *w, int step, arena *a)
{
    return str_printf(a, "s3://warehouse/x/data/%s-%d-%d.parquet", w->overwrites ? "o" : "a",
                      w->number, step);
}

/* Replaces the file that this writer added in the step before. */
static status overwrite_one(const writer *w, int step, arena *a, error *err)
{
    const table_name name = {.space = STR("main"), .table = STR("t")};
    ice_file removed = {.path = path_of(w, step - 1, a), .referenced_data_file = STR_NULL};
    ice_file added = {.path = path_of(w, step, a),
                      .format = STR("PARQUET"),
                      .record_count = 1,
                      .size_bytes = 8,
                      .sort_order_id = -1,
                      .first_row_id = ICE_NO_ROW_ID,
                      .referenced_data_file = STR_NULL,
                      .key_metadata = STR_NULL,
                      .content_offset = -1,
                      .content_size_bytes = -1};
    store_staged *staged = NULL;
    ice_commit_result result;
    ice_metadata *m;
    table_info info;

    TRY(catalog_load_table(w->l->catalog, name, a, &m, &info, err));
    ice_overwrite change = {.kind = ICE_OVERWRITE_FILES,
                            .isolation = ICE_SNAPSHOT_ISOLATION,
                            .read_snapshot_id = m->current_snapshot_id,
                            .branch = STR_NULL,
                            .added = &added,
                            .added_count = 1,
                            .removed = &removed,
                            .removed_count = 1,
                            .staged = &staged,
                            .staged_count = 1,
                            .table_uuid = STR_NULL};
    ice_metadata_unref(m);
    TRY(store_stage_bytes(w->l->storage, added.path, STR("x"), STR("PAR1PAR1"), &staged, err));
    return catalog_overwrite(w->l->catalog, name, &change, &result, err);
}

static void run_writer(void *context)
{
    writer *w = context;
    arena *a = arena_create();

    if (w->overwrites) {
        w->outcome = append_one(w->l, "t", path_of(w, 0, a), &w->err);
        for (int i = 1; i <= OVERWRITES_EACH && w->outcome == STATUS_OK; i++) {
            w->outcome = overwrite_one(w, i, a, &w->err);
        }
    }
    for (int i = 0; !w->overwrites && i < APPENDS_EACH && w->outcome == STATUS_OK; i++) {
        w->outcome = append_one(w->l, "t", path_of(w, i, a), &w->err);
    }
    arena_free(a);
}

static void make_patient_table(lake *l)
{
    static const ice_property properties[] = {
        {STR_INIT("commit.retry.num-retries"), STR_INIT("100000")},
        {STR_INIT("commit.retry.min-wait-ms"), STR_INIT("1")},
        {STR_INIT("commit.retry.max-wait-ms"), STR_INIT("20")}};
    bool created = false;
    const catalog_create create = {.name = {.space = STR("main"), .table = STR("t")},
                                   .table = {.location = STR_NULL,
                                             .root = two_columns(),
                                             .properties = properties,
                                             .property_count = COUNT_OF(properties)}};

    EXPECT_OK(catalog_create_table(l->catalog, &create, &created, &l->f->err));
}

static void run_writers(lake *l, int appenders, int overwriters)
{
    thread threads[APPENDERS + OVERWRITERS] = {0};
    writer writers[APPENDERS + OVERWRITERS];
    int count = appenders + overwriters;

    for (int i = 0; i < count; i++) {
        writers[i] = (writer){.l = l, .number = i, .overwrites = i >= appenders, .err = ERROR_INIT};
        EXPECT_OK(thread_start(&threads[i], "writer", run_writer, &writers[i], &l->f->err));
    }
    for (int i = 0; i < count; i++) {
        thread_join(&threads[i]);
        if (writers[i].outcome != STATUS_OK) {
            fail_msg("writer %d: %s", i, writers[i].err.message);
        }
    }
}

/* The table's files are these many, each of one row, and nothing else lies beside them that no snapshot has. */
static void expect_rows(lake *l, int64_t rows)
{
    table_info info;
    ice_metadata *m = load(l, "t", &info);
    ice_scan_options options = {.metadata = m, .snapshot_id = ICE_NO_SNAPSHOT};
    ice_scan scan;
    int64_t told;

    EXPECT_OK(str_to_int64(ice_snapshot_summary(ice_metadata_snapshot(m), "total-records"), &told,
                           &l->f->err));
    assert_int_equal(told, rows);
    ice_cache_clear();
    EXPECT_OK(ice_scan_plan(l->storage, &options, l->f->arena, &scan, &l->f->err));
    assert_int_equal(scan.file_count, rows);
    assert_int_equal(scan.total_rows, rows);
    ice_metadata_unref(m);
}

static void test_64_appenders_at_the_same_time_all_arrive(void **context)
{
    lake l = lake_open(*context);
    catalog_stats stats;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err)); /* four retries, as every table has */
    run_writers(&l, APPENDERS, 0);
    expect_rows(&l, APPENDERS * APPENDS_EACH);
    EXPECT_OK(catalog_read_stats(l.catalog, &stats, &l.f->err));
    assert_int_equal(stats.conflicts, 0); /* they share commits instead */
    assert_int_equal(stats.commits + stats.merged_appends, APPENDERS * APPENDS_EACH);
    lake_close(&l);
}

static void test_appenders_and_overwriters_lose_nothing_of_each_other(void **context)
{
    lake l = lake_open(*context);

    make_patient_table(&l);
    run_writers(&l, 16, OVERWRITERS);
    expect_rows(&l, 16 * APPENDS_EACH + OVERWRITERS);
    lake_close(&l);
}

static void test_a_conflict_names_table_snapshot_and_rule(void **context)
{
    lake l = lake_open(*context);
    writer w = {.l = &l, .overwrites = true, .err = ERROR_INIT};
    const table_name name = {.space = STR("main"), .table = STR("t")};
    ice_file removed = {.path = path_of(&w, 0, l.f->arena), .referenced_data_file = STR_NULL};
    ice_overwrite change = {.kind = ICE_OVERWRITE_FILES,
                            .isolation = ICE_SNAPSHOT_ISOLATION,
                            .branch = STR_NULL,
                            .removed = &removed,
                            .removed_count = 1,
                            .table_uuid = STR_NULL};
    ice_commit_result result;
    table_info info;
    ice_metadata *m;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    EXPECT_OK(append_one(&l, "t", removed.path, &l.f->err));
    m = load(&l, "t", &info);
    change.read_snapshot_id = m->current_snapshot_id;
    ice_metadata_unref(m);
    EXPECT_OK(overwrite_one(&w, 1, l.f->arena, &l.f->err));
    m = load(&l, "t", &info);
    EXPECT_STATUS(CONFLICT, catalog_overwrite(l.catalog, name, &change, &result, &l.f->err));
    str wanted = str_printf(l.f->arena,
                            "table \"main.t\": an overwrite (snapshot %lld) came between: it "
                            "removed file \"%.*s\", which this change needs",
                            (long long)m->current_snapshot_id, STR_ARG(removed.path));
    EXPECT_STR(str_c(l.f->err.message), str_to_c(l.f->arena, wanted));
    ice_metadata_unref(m);
    lake_close(&l);
}

TESTS(test_64_appenders_at_the_same_time_all_arrive,
      test_appenders_and_overwriters_lose_nothing_of_each_other,
      test_a_conflict_names_table_snapshot_and_rule)

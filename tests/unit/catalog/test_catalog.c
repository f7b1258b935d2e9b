/* Claims about the catalog, over the real database and store in a folder of the test's own. */
#include "lake.h"

#include "tarn/base/thread.h"
#include "tarn/base/vec.h"

static void test_first_start_has_namespace_main(void **context)
{
    lake l = lake_open(*context);
    namespace_info info;

    EXPECT_OK(catalog_get_namespace(l.catalog, STR("MAIN"), l.f->arena, &info, &l.f->err));
    EXPECT_STR(info.name, "main");
    EXPECT_STATUS(INVALID, catalog_drop_namespace(l.catalog, STR("main"), true, &l.f->err));
    lake_close(&l);
}

static void test_namespaces_need_their_parent_and_keep_their_case(void **context)
{
    lake l = lake_open(*context);
    namespace_info *list = NULL;
    size_t count = 0;

    EXPECT_STATUS(NO_NAMESPACE,
                  catalog_create_namespace(l.catalog, STR("Sales.eu"), NULL, 0, &l.f->err));
    EXPECT_OK(catalog_create_namespace(l.catalog, STR("Sales"), NULL, 0, &l.f->err));
    EXPECT_OK(catalog_create_namespace(l.catalog, STR("sales.EU"), NULL, 0, &l.f->err));
    EXPECT_STATUS(EXISTS, catalog_create_namespace(l.catalog, STR("SALES"), NULL, 0, &l.f->err));
    EXPECT_OK(
        catalog_list_namespaces(l.catalog, STR("sales"), l.f->arena, &list, &count, &l.f->err));
    assert_int_equal(count, 1);
    EXPECT_STR(list[0].name, "sales.EU");
    EXPECT_STATUS(NOT_EMPTY, catalog_drop_namespace(l.catalog, STR("sales"), false, &l.f->err));
    EXPECT_OK(catalog_drop_namespace(l.catalog, STR("sales.eu"), false, &l.f->err));
    EXPECT_OK(catalog_drop_namespace(l.catalog, STR("sales"), false, &l.f->err));
    EXPECT_STATUS(NO_NAMESPACE, catalog_drop_namespace(l.catalog, STR("sales"), false, &l.f->err));
    lake_close(&l);
}

static void test_missing_tables_offer_the_nearest_name(void **context)
{
    lake l = lake_open(*context);
    const str parts[] = {STR("tirps")};
    table_name name;

    EXPECT_OK(make_table(&l, "trips", STR_NULL, &l.f->err));
    EXPECT_STATUS(NO_TABLE,
                  catalog_resolve(l.catalog, parts, 1, STR("main"), l.f->arena, &name, &l.f->err));
    EXPECT_MESSAGE(l.f, "table \"main.tirps\" does not exist");
    EXPECT_HINT(l.f, "Did you mean \"trips\"?");
    lake_close(&l);
}

static void test_names_resolve_with_the_warehouse_tried_last(void **context)
{
    lake l = lake_open(*context);
    const str long_form[] = {STR("tarn"), STR("main"), STR("T")};
    table_name name;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    EXPECT_OK(catalog_resolve(l.catalog, long_form, 3, STR_NULL, l.f->arena, &name, &l.f->err));
    EXPECT_STR(name.space, "main");
    EXPECT_STR(name.table, "t");
    lake_close(&l);
}

static void test_tables_that_exist_are_refused_and_leave_nothing(void **context)
{
    lake l = lake_open(*context);
    store_usage before, after;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    EXPECT_OK(store_read_usage(l.storage, &before, &l.f->err));
    EXPECT_STATUS(EXISTS, make_table(&l, "T", STR_NULL, &l.f->err));
    EXPECT_OK(store_read_usage(l.storage, &after, &l.f->err));
    assert_int_equal(before.objects, after.objects);
    lake_close(&l);
}

static void test_locations_outside_or_overlapping_are_refused(void **context)
{
    lake l = lake_open(*context);
    arena *a = l.f->arena;
    table_info info;

    EXPECT_STATUS(DENIED, make_table(&l, "a", STR("s3://elsewhere/a"), &l.f->err));
    EXPECT_STATUS(DENIED, make_table(&l, "a", STR("file:///etc"), &l.f->err));
    str inside = str_printf(a, "file://%s/a", test_path(l.f, "lake"));
    EXPECT_OK(make_table(&l, "a", inside, &l.f->err));
    EXPECT_STATUS(INVALID, make_table(&l, "b", inside, &l.f->err));
    EXPECT_STATUS(INVALID, make_table(&l, "b", str_concat(a, inside, STR("/data")), &l.f->err));
    str other = str_printf(a, "file:%s/a", test_path(l.f, "lake"));
    EXPECT_STATUS(INVALID, make_table(&l, "b", other, &l.f->err));
    EXPECT_STATUS(INVALID, make_table(&l, "b", str_concat(a, inside, STR("//b")), &l.f->err));
    EXPECT_STATUS(DENIED, make_table(&l, "b", STR("s3://warehouse/.tarn/names/b"), &l.f->err));
    ice_metadata *m = load(&l, "a", &info);
    EXPECT_STR(m->location, str_to_c(a, inside));
    ice_metadata_unref(m);
    lake_close(&l);
}

/* The folder of a namespace cannot become that of one table, whichever comes first. */
static void test_a_table_does_not_hold_the_others(void **context)
{
    lake l = lake_open(*context);

    EXPECT_OK(make_table(&l, "first", STR_NULL, &l.f->err));
    EXPECT_STATUS(INVALID, make_table(&l, "all", STR("s3://warehouse/main"), &l.f->err));
    EXPECT_OK(catalog_create_namespace(l.catalog, STR("empty"), NULL, 0, &l.f->err));
    EXPECT_STATUS(INVALID, make_table(&l, "all", STR("s3://warehouse/empty/"), &l.f->err));
    EXPECT_MESSAGE(l.f, "location \"s3://warehouse/empty\" is the folder of namespace \"empty\"");
    bool created = false;
    const catalog_create inner = {.name = {.space = STR("empty"), .table = STR("inner")},
                                  .table = {.root = two_columns()}};
    EXPECT_OK(catalog_create_table(l.catalog, &inner, &created, &l.f->err));
    lake_close(&l);
}

static void test_namespaces_lie_where_tables_may(void **context)
{
    lake l = lake_open(*context);
    static const struct {
        const char *location;
        status expected;
    } cases[] = {
        {"s3://elsewhere/x", STATUS_DENIED},      {"s3://warehouse/../x", STATUS_INVALID},
        {"s3://warehouse/.tarn", STATUS_DENIED},  {"file:///etc", STATUS_DENIED},
        {"s3://warehouse/a//b/", STATUS_INVALID}, {"s3://warehouse/a?b", STATUS_INVALID},
        {"s3://warehouse/t", STATUS_INVALID},     {"s3://warehouse/t/in", STATUS_INVALID},
        {"s3://warehouse/a/b/", STATUS_OK},
    };

    EXPECT_OK(make_table(&l, "t", STR("s3://warehouse/t"), &l.f->err));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const catalog_property p = {.key = STR("location"), .value = str_c(cases[i].location)};
        error err = ERROR_INIT;
        assert_int_equal(catalog_create_namespace(l.catalog, STR("n"), &p, 1, &err),
                         cases[i].expected);
    }
    lake_close(&l);
}

typedef struct appender {
    lake *l;
    int number;
    status outcome;
    error err;
} appender;

#define APPENDERS 8
#define APPENDS_EACH 10

static void run_appender(void *context)
{
    appender *me = context;
    arena *a = arena_create();

    for (int i = 0; i < APPENDS_EACH && me->outcome == STATUS_OK; i++) {
        str path = str_printf(a, "s3://warehouse/x/data/%d-%d.parquet", me->number, i);
        me->outcome = append_one(me->l, "t", path, &me->err);
    }
    arena_free(a);
}

static void test_concurrent_appends_all_arrive_and_share_commits(void **context)
{
    lake l = lake_open(*context);
    thread threads[APPENDERS] = {0};
    appender appenders[APPENDERS];
    table_info info;
    catalog_stats stats;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    for (int i = 0; i < APPENDERS; i++) {
        appenders[i] = (appender){.l = &l, .number = i, .err = ERROR_INIT};
        EXPECT_OK(thread_start(&threads[i], "appender", run_appender, &appenders[i], &l.f->err));
    }
    for (int i = 0; i < APPENDERS; i++) {
        thread_join(&threads[i]);
        if (appenders[i].outcome != STATUS_OK) {
            fail_msg("append failed: %s", appenders[i].err.message);
        }
    }
    ice_metadata *m = load(&l, "t", &info);
    EXPECT_STR(ice_snapshot_summary(ice_metadata_snapshot(m), "total-records"), "80");
    ice_metadata_unref(m);
    EXPECT_OK(catalog_read_stats(l.catalog, &stats, &l.f->err));
    assert_int_equal(stats.commits + stats.merged_appends, APPENDERS * APPENDS_EACH);
    lake_close(&l);
}

static void test_dropped_tables_lose_their_files(void **context)
{
    lake l = lake_open(*context);
    bool dropped = false;
    table_info info;
    store_object *left = NULL;
    size_t count = 0;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    ice_metadata *m = load(&l, "t", &info);
    str prefix = str_concat(l.f->arena, m->location, STR("/"));
    EXPECT_OK(
        append_one(&l, "t", str_concat(l.f->arena, prefix, STR("data/a.parquet")), &l.f->err));
    ice_metadata_unref(m);
    const table_name name = {.space = STR("main"), .table = STR("t")};
    EXPECT_OK(catalog_drop_table(l.catalog, name, false, &dropped, &l.f->err));
    assert_true(dropped);
    catalog_close(l.catalog); /* waits for the purge */
    EXPECT_OK(store_list(l.storage, prefix, STR_NULL, 100, l.f->arena, &left, &count, &l.f->err));
    assert_int_equal(count, 0);
    storage_close(l.storage);
    state_close(l.state);
}

static void test_names_come_back_from_objects_alone(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    int64_t objects = 0;
    int64_t tables = 0;
    table_info info;

    EXPECT_OK(make_table(&l, "my table ~ \"x\"", STR_NULL, &f->err));
    EXPECT_OK(make_table(&l, "old", STR_NULL, &f->err));
    const table_name old = {.space = STR("main"), .table = STR("old")};
    const table_name new = {.space = STR("main"), .table = STR("new")};
    EXPECT_OK(catalog_rename_table(l.catalog, old, new, &f->err));
    lake_close(&l);

    EXPECT_OK(fs_remove(test_path(f, "tarn.db"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "tarn.db-shm"), &f->err));
    l = lake_open(f);
    EXPECT_OK(store_recover(l.storage, &objects, &f->err));
    EXPECT_OK(catalog_recover(l.catalog, &tables, &f->err));
    assert_int_equal(tables, 2);
    ice_metadata_unref(load(&l, "my table ~ \"x\"", &info));
    ice_metadata_unref(load(&l, "new", &info));
    lake_close(&l);
}

/* No blob names the files of such a table, and it has gone on since its name was written down. */
static void test_tables_in_plain_folders_come_back_with_their_last_commit(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    int64_t objects = 0;
    int64_t tables = 0;
    table_info before, after;
    str location = str_printf(f->arena, "file://%s/lake/plain", f->dir);

    EXPECT_OK(make_table(&l, "plain", location, &f->err));
    for (int i = 0; i < 12; i++) {
        str path = str_printf(f->arena, "%.*s/data/%d.parquet", STR_ARG(location), i);
        EXPECT_OK(append_one(&l, "plain", path, &f->err));
    }
    ice_metadata_unref(load(&l, "plain", &before));
    lake_close(&l);

    EXPECT_OK(fs_remove(test_path(f, "tarn.db"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "tarn.db-shm"), &f->err));
    l = lake_open(f);
    EXPECT_OK(store_recover(l.storage, &objects, &f->err));
    EXPECT_OK(catalog_recover(l.catalog, &tables, &f->err));
    assert_int_equal(tables, 1);
    ice_metadata *m = load(&l, "plain", &after);
    assert_int_equal(m->snapshot_count, 12);
    EXPECT_STR(after.metadata_location, str_to_c(f->arena, before.metadata_location));
    ice_metadata_unref(m);
    lake_close(&l);
}

static void test_split_honours_quotes(void **context)
{
    fixture *f = *context;
    str *parts = NULL;
    size_t count = 0;

    EXPECT_OK(catalog_split_name(STR("a.\"b.c\"\"d\".e"), f->arena, &parts, &count, &f->err));
    assert_int_equal(count, 3);
    EXPECT_STR(parts[1], "b.c\"d");
    EXPECT_STATUS(SYNTAX, catalog_split_name(STR("a..b"), f->arena, &parts, &count, &f->err));
    EXPECT_STATUS(SYNTAX, catalog_split_name(STR("\"a"), f->arena, &parts, &count, &f->err));
    EXPECT_STATUS(SYNTAX, catalog_split_name(STR(""), f->arena, &parts, &count, &f->err));
}

TESTS(test_first_start_has_namespace_main, test_namespaces_need_their_parent_and_keep_their_case,
      test_missing_tables_offer_the_nearest_name, test_names_resolve_with_the_warehouse_tried_last,
      test_tables_that_exist_are_refused_and_leave_nothing,
      test_locations_outside_or_overlapping_are_refused, test_a_table_does_not_hold_the_others,
      test_namespaces_lie_where_tables_may, test_concurrent_appends_all_arrive_and_share_commits,
      test_dropped_tables_lose_their_files, test_names_come_back_from_objects_alone,
      test_tables_in_plain_folders_come_back_with_their_last_commit, test_split_honours_quotes)

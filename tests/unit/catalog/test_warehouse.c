/* Warehouses: found by name and location, each with tables of its own in a place of its own. */
#include "lake.h"

#include "tarn/catalog/dropped.h"
#include "tarn/catalog/txn.h"
#include "tarn/catalog/warehouse.h"
#include "tarn/store/object.h"

static const table_name orders = {STR_INIT("lake.sales"), STR_INIT("orders")};

static status make(lake *l, table_name name, str location)
{
    bool created = false;
    const catalog_create create = {.name = name,
                                   .table = {.location = location, .root = two_columns()}};
    return catalog_create_table(l->catalog, &create, &created, &l->f->err);
}

static void make_lake(lake *l)
{
    EXPECT_OK(catalog_create_warehouse(l->catalog, STR("Lake"), STR("s3://lake/"), &l->f->err));
    EXPECT_OK(catalog_create_namespace(l->catalog, STR("lake.sales"), NULL, 0, &l->f->err));
}

static void test_a_warehouse_is_found_by_name_by_location_and_the_first_by_nothing(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    warehouse_info info;
    warehouse_info *list = NULL;
    size_t count = 0;

    make_lake(&l);
    EXPECT_OK(catalog_find_warehouse(l.catalog, STR("LAKE"), f->arena, &info, &f->err));
    EXPECT_STR(info.name, "Lake");
    EXPECT_STR(info.location, "s3://lake");
    EXPECT_STR(info.space, "lake");
    EXPECT_OK(catalog_find_warehouse(l.catalog, STR("s3://lake/"), f->arena, &info, &f->err));
    EXPECT_STR(info.space, "lake");
    EXPECT_OK(catalog_find_warehouse(l.catalog, STR(""), f->arena, &info, &f->err));
    EXPECT_STR(info.name, "tarn");
    EXPECT_STR(info.space, "");
    EXPECT_OK(catalog_find_warehouse(l.catalog, STR("s3://warehouse"), f->arena, &info, &f->err));
    EXPECT_STR(info.name, "tarn");
    EXPECT_STATUS(NOT_FOUND,
                  catalog_find_warehouse(l.catalog, STR("sea"), f->arena, &info, &f->err));
    EXPECT_OK(catalog_list_warehouses(l.catalog, f->arena, &list, &count, &f->err));
    assert_int_equal(2, count);
    EXPECT_STR(list[0].name, "tarn");
    EXPECT_STR(list[1].name, "Lake");
    assert_true(catalog_holds_bucket(l.catalog, STR("lake")));
    assert_true(catalog_holds_bucket(l.catalog, STR("warehouse")));
    assert_false(catalog_holds_bucket(l.catalog, STR("lak")));
    lake_close(&l);
}

static void test_tables_lie_in_the_warehouse_of_their_namespace(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    ice_metadata *m = NULL;
    table_info info;
    const table_name parts = {STR("sales"), STR("orders")};
    const str shown[] = {STR("lake"), STR("sales"), STR("orders")};
    table_name found;

    make_lake(&l);
    EXPECT_OK(catalog_create_namespace(l.catalog, STR("sales"), NULL, 0, &f->err));
    EXPECT_OK(make(&l, orders, STR_NULL));
    EXPECT_OK(catalog_load_table(l.catalog, orders, f->arena, &m, &info, &f->err));
    ice_metadata_unref(m);
    assert_true(str_starts_with(info.location, STR("s3://lake/sales/orders-")));
    EXPECT_OK(catalog_resolve(l.catalog, shown, 3, STR("main"), f->arena, &found, &f->err));
    EXPECT_STR(found.space, "lake.sales");
    EXPECT_STATUS(DENIED, make(&l, (table_name){STR("lake.sales"), STR("x")},
                               STR("s3://warehouse/elsewhere")));
    EXPECT_STATUS(INVALID, make(&l, (table_name){STR("lake.sales"), STR("x")}, STR("s3://lake")));
    EXPECT_STATUS(DENIED, make(&l, parts, STR("s3://lake/elsewhere")));
    EXPECT_STATUS(DENIED, make(&l, parts, STR("s3://other/elsewhere")));
    EXPECT_STATUS(INVALID, make(&l, (table_name){STR("lake"), STR("x")}, STR_NULL));
    EXPECT_OK(make(&l, (table_name){STR("lake.sales"), STR("x")}, STR("s3://lake/own/place")));
    EXPECT_OK(make(&l, parts, STR_NULL));
    EXPECT_STATUS(DENIED, catalog_rename_table(l.catalog, orders,
                                               (table_name){STR("sales"), STR("moved")}, &f->err));
    lake_close(&l);
}

static void test_warehouses_do_not_overlap_and_do_not_share_names(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);

    make_lake(&l);
    EXPECT_STATUS(EXISTS,
                  catalog_create_warehouse(l.catalog, STR("lake"), STR("s3://bbb"), &f->err));
    EXPECT_STATUS(EXISTS,
                  catalog_create_warehouse(l.catalog, STR("tarn"), STR("s3://bbb"), &f->err));
    EXPECT_STATUS(EXISTS,
                  catalog_create_warehouse(l.catalog, STR("main"), STR("s3://bbb"), &f->err));
    EXPECT_STATUS(INVALID,
                  catalog_create_warehouse(l.catalog, STR("in"), STR("s3://lake/in"), &f->err));
    EXPECT_STATUS(INVALID,
                  catalog_create_warehouse(l.catalog, STR("b"), STR("s3://warehouse"), &f->err));
    EXPECT_STATUS(INVALID,
                  catalog_create_warehouse(l.catalog, STR("a.b"), STR("s3://bbb"), &f->err));
    EXPECT_STATUS(INVALID, catalog_create_warehouse(l.catalog, STR(""), STR("s3://bbb"), &f->err));
    EXPECT_STATUS(DENIED,
                  catalog_create_warehouse(l.catalog, STR("b"), STR("file:///etc"), &f->err));
    EXPECT_OK(catalog_create_warehouse(l.catalog, STR("folder"),
                                       str_printf(f->arena, "file://%s/lake/w", f->dir), &f->err));
    EXPECT_OK(catalog_create_warehouse(l.catalog, STR("sibling"), STR("s3://lake2"), &f->err));
    lake_close(&l);
}

static void test_a_bucket_is_made_and_one_with_rules_is_refused(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    const bucket_ref *bucket = NULL;
    const bucket_info ruled = {.name = STR("ruled"), .owner = STR("x"), .region = STR("")};

    EXPECT_OK(catalog_create_warehouse(l.catalog, STR("a"), STR("s3://fresh/deep"), &f->err));
    EXPECT_OK(bucket_acquire(l.storage, STR("fresh"), &bucket, &f->err));
    bucket_release(bucket);
    EXPECT_OK(bucket_create(l.storage, &ruled, &f->err));
    EXPECT_OK(bucket_set_document(l.storage, STR("ruled"), "lifecycle", STR("{}"), &f->err));
    EXPECT_STATUS(INVALID,
                  catalog_create_warehouse(l.catalog, STR("b"), STR("s3://ruled"), &f->err));
    lake_close(&l);
}

static void test_only_an_empty_warehouse_is_dropped_and_never_the_first(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    warehouse_info info;
    const table_name space = {STR("lake"), STR("")};

    make_lake(&l);
    EXPECT_STATUS(NOT_EMPTY, catalog_drop_warehouse(l.catalog, STR("lake"), &f->err));
    EXPECT_STATUS(INVALID, catalog_drop_warehouse(l.catalog, STR("tarn"), &f->err));
    EXPECT_STATUS(NOT_FOUND, catalog_drop_warehouse(l.catalog, STR("sea"), &f->err));
    EXPECT_OK(catalog_drop_namespace(l.catalog, STR("lake.sales"), false, &f->err));
    EXPECT_STATUS(INVALID, catalog_drop_namespace(l.catalog, STR("lake"), true, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, space, true, &f->err));
    EXPECT_STATUS(DENIED, catalog_drop_warehouse(l.catalog, STR("lake"), &f->err));
    EXPECT_OK(catalog_protect(l.catalog, space, false, &f->err));
    EXPECT_OK(catalog_drop_warehouse(l.catalog, STR("lake"), &f->err));
    EXPECT_STATUS(NOT_FOUND,
                  catalog_find_warehouse(l.catalog, STR("lake"), f->arena, &info, &f->err));
    lake_close(&l);
}

static void test_transactions_know_warehouses_too(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_txn *txn = NULL;
    bool created = false;
    ice_metadata *m = NULL;
    table_info info;
    const catalog_create create = {.name = orders, .table = {.root = two_columns()}};

    make_lake(&l);
    EXPECT_OK(catalog_txn_begin(l.catalog, false, &txn, &f->err));
    EXPECT_OK(catalog_create_table(catalog_in(txn), &create, &created, &f->err));
    EXPECT_STATUS(UNSUPPORTED,
                  catalog_create_warehouse(catalog_in(txn), STR("x"), STR("s3://x"), &f->err));
    EXPECT_OK(catalog_txn_commit(txn, &f->err));
    EXPECT_OK(catalog_load_table(l.catalog, orders, f->arena, &m, &info, &f->err));
    assert_true(str_starts_with(info.location, STR("s3://lake/sales/orders-")));
    ice_metadata_unref(m);
    lake_close(&l);
}

static void test_recovery_finds_warehouses_and_what_lies_in_them(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    int64_t objects = 0, tables = 0;
    warehouse_info info;
    ice_metadata *m = NULL;
    table_info table;

    make_lake(&l);
    EXPECT_OK(make(&l, orders, STR_NULL));
    EXPECT_OK(make(&l, (table_name){STR("lake.sales"), STR("x")}, STR("s3://lake/own/place")));
    lake_close(&l);
    EXPECT_OK(fs_remove(test_path(f, "tarn.db"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "tarn.db-shm"), &f->err));
    l = lake_open(f);
    EXPECT_OK(store_recover(l.storage, &objects, &f->err));
    EXPECT_OK(catalog_recover(l.catalog, &tables, &f->err));
    assert_int_equal(2, tables);
    EXPECT_OK(catalog_find_warehouse(l.catalog, STR("lake"), f->arena, &info, &f->err));
    EXPECT_STR(info.location, "s3://lake");
    EXPECT_OK(catalog_load_table(l.catalog, orders, f->arena, &m, &table, &f->err));
    ice_metadata_unref(m);
    const table_name x = {STR("lake.sales"), STR("x")};
    EXPECT_OK(catalog_load_table(l.catalog, x, f->arena, &m, &table, &f->err));
    ice_metadata_unref(m);
    lake_close(&l);
}

TESTS(test_a_warehouse_is_found_by_name_by_location_and_the_first_by_nothing,
      test_tables_lie_in_the_warehouse_of_their_namespace,
      test_warehouses_do_not_overlap_and_do_not_share_names,
      test_a_bucket_is_made_and_one_with_rules_is_refused,
      test_only_an_empty_warehouse_is_dropped_and_never_the_first,
      test_transactions_know_warehouses_too, test_recovery_finds_warehouses_and_what_lies_in_them)

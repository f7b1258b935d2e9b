/* In whose place a file lies that a table names, and that manifests are looked at wherever they are read. */
#include "asks.h"

#include "tarn/catalog/dropped.h"
#include "tarn/iceberg/scan.h"

static catalog_holder holder_of(lake *l, const char *own, const char *location)
{
    catalog_holder holder = {0};

    EXPECT_OK(catalog_find_holder(l->catalog, str_c(own), str_c(location), l->f->arena, &holder,
                                  &l->f->err));
    return holder;
}

#define A "s3://warehouse/x/a"

static lake open_three(fixture *f)
{
    lake l = lake_open_with(f, (lake_wishes){.retention_ms = 1000000});
    bool dropped;

    EXPECT_OK(create_only(&l, f->arena, "a", ", 'location': '" A "'", &f->err));
    EXPECT_OK(create_only(&l, f->arena, "b", ", 'location': 's3://warehouse/x/b'", &f->err));
    EXPECT_OK(create_only(&l, f->arena, "gone", ", 'location': 's3://warehouse/y/gone'", &f->err));
    EXPECT_OK(catalog_drop_table(l.catalog, in_main("gone"), false, &dropped, &f->err));
    return l;
}

static void test_a_file_in_the_place_of_another_table_is_that_tables(void **context)
{
    fixture *f = *context;
    lake l = open_three(f);
    catalog_holder holder = holder_of(&l, A, "s3://warehouse/x/b/data/1.parquet");

    EXPECT_STR(str_c(holder.kind), "table");
    EXPECT_STR(holder.name.table, "b");
    assert_true(catalog_holder_covers(&holder, STR("s3://warehouse/x/b/data/deep/2.parquet")));
    assert_false(catalog_holder_covers(&holder, STR("s3://warehouse/x/bb/2.parquet")));
    holder = holder_of(&l, A, "s3://warehouse/y/gone/data/1.parquet");
    EXPECT_STR(str_c(holder.kind), "dropped table");
    EXPECT_STR(holder.name.table, "gone");
    lake_close(&l);
}

static void test_a_file_in_a_further_place_of_another_table_is_that_tables(void **context)
{
    fixture *f = *context;
    lake l = open_three(f);
    bool dropped;

    EXPECT_OK(commit_only(&l, f->arena, "b", "",
                          "{'action': 'set-properties', 'updates':"
                          " {'write.data.path': 's3://warehouse/far/b'}},"
                          "{'action': 'set-location', 'location': 's3://warehouse/new/b'}",
                          &f->err));
    const char *const files[] = {"s3://warehouse/far/b/1.parquet",
                                 "s3://warehouse/x/b/data/1.parquet"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        catalog_holder holder = holder_of(&l, A, files[i]);

        EXPECT_STR(str_c(holder.kind), "table");
        EXPECT_STR(holder.name.table, "b");
        assert_null(holder_of(&l, "s3://warehouse/new/b", files[i]).kind);
    }
    catalog_holder beside = holder_of(&l, A, "s3://warehouse/far/1.parquet");
    assert_null(beside.kind);
    assert_false(catalog_holder_covers(&beside, str_c(files[0])));
    EXPECT_OK(catalog_drop_table(l.catalog, in_main("b"), false, &dropped, &f->err));
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        EXPECT_STR(holder_of(&l, A, files[i]).name.table, "b");
    }
    lake_close(&l);
}

static void test_a_file_in_nobodys_place_tells_of_its_neighbours(void **context)
{
    fixture *f = *context;
    lake l = open_three(f);
    catalog_holder holder = holder_of(&l, A, "s3://warehouse/z/day=1/1.parquet");

    assert_null(holder.kind);
    assert_true(catalog_holder_covers(&holder, STR("s3://warehouse/z/day=2/1.parquet")));
    assert_false(catalog_holder_covers(&holder, STR("s3://warehouse/x/b/1.parquet")));
    assert_false(catalog_holder_covers(&holder, STR("s3://warehouse/z/../x/b/1.parquet")));
    holder = holder_of(&l, A, "s3://warehouse/x/loose/1.parquet"); /* others have places in "x" */
    assert_null(holder.kind);
    assert_true(catalog_holder_covers(&holder, STR("s3://warehouse/x/loose/2.parquet")));
    assert_false(catalog_holder_covers(&holder, STR("s3://warehouse/x/b/1.parquet")));
    holder = holder_of(&l, A, "s3://warehouse/x/1.parquet");
    assert_null(holder.kind);
    assert_false(catalog_holder_covers(&holder, STR("s3://warehouse/x/b/1.parquet")));
    holder = holder_of(&l, A, "s3://warehouse/1.parquet");
    assert_null(holder.kind);
    assert_false(catalog_holder_covers(&holder, STR("s3://warehouse/x/b/1.parquet")));
    assert_false(catalog_holder_covers(&holder, STR("s3://warehouse/.tarn/1.parquet")));
    lake_close(&l);
}

static void test_a_file_of_ones_own_is_nobody_elses(void **context)
{
    fixture *f = *context;
    lake l = open_three(f);

    assert_null(holder_of(&l, A, A "/data/1.parquet").kind);
    assert_null(holder_of(&l, A "/", A "/.hidden/1.parquet").kind);
    lake_close(&l);
}

static void test_files_outside_of_warehouses_and_roots_are_refused(void **context)
{
    fixture *f = *context;
    lake l = open_three(f);
    const char *inside = str_printf(f->arena, "file://%s/1.parquet", test_path(f, "lake")).data;
    const char *data = str_printf(f->arena, "file://%s/1.parquet", test_path(f, "data")).data;
    const char *const outside[] = {"s3://private/1.parquet",
                                   "s3://warehouses/1.parquet",
                                   "file:///etc/passwd",
                                   "/etc/passwd",
                                   data,
                                   "s3://warehouse/.tarn/tables/x"};

    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        catalog_holder holder;

        EXPECT_STATUS(DENIED, catalog_find_holder(l.catalog, STR(A), str_c(outside[i]), f->arena,
                                                  &holder, &f->err));
    }
    catalog_holder holder = holder_of(&l, A, inside);
    assert_null(holder.kind);
    assert_false(catalog_holder_covers(
        &holder, str_printf(f->arena, "file://%s/deep/1.parquet", test_path(f, "lake"))));
    lake_close(&l);
}

/* What a snapshot whose list lies there gives to who looks into it. */
static status read_list(lake *l, const ice_metadata *m, const char *list, error *err)
{
    const ice_snapshot snapshot = {.id = 1, .manifest_list = str_c(list)};
    const ice_manifest *manifests = NULL;
    size_t count = 0;

    return ice_snapshot_manifests(l->storage, m, &snapshot, l->f->arena, &manifests, &count, err);
}

static status read_manifest(lake *l, const ice_metadata *m, const char *path, error *err)
{
    const ice_manifest manifest = {.path = str_c(path), .first_row_id = ICE_NO_ROW_ID};
    const ice_entry *entries = NULL;
    size_t count = 0;

    return ice_manifest_entries(l->storage, m, &manifest, l->f->arena, &entries, &count, err);
}

static void expect_guarded(lake *l, const ice_metadata *m)
{
    error *err = &l->f->err;

    assert_non_null(m->guard);
    EXPECT_STATUS(NOT_FOUND, read_list(l, m, A "/metadata/l.avro", err));
    EXPECT_STATUS(NOT_FOUND, read_list(l, m, "s3://warehouse/z/l.avro", err));
    EXPECT_STATUS(DENIED, read_list(l, m, "s3://warehouse/x/b/metadata/l.avro", err));
    EXPECT_STATUS(DENIED, read_list(l, m, "s3://private/l.avro", err));
    EXPECT_STATUS(NOT_FOUND, read_manifest(l, m, A "/metadata/m.avro", err));
    EXPECT_STATUS(DENIED, read_manifest(l, m, "s3://warehouse/x/b/metadata/m.avro", err));
    EXPECT_STATUS(DENIED, read_manifest(l, m, "s3://private/m.avro", err));
}

static void test_manifests_are_looked_at_however_the_metadata_came_to_be(void **context)
{
    fixture *f = *context;
    lake l = open_three(f);
    table_info info;
    ice_metadata *m = load(&l, "a", &info); /* as its creation left it in memory */

    expect_guarded(&l, m);
    ice_metadata_unref(m);
    EXPECT_OK(commit_only(&l, f->arena, "a", "",
                          "{'action': 'set-properties', 'updates': {'a': '1'}}", &f->err));
    m = load(&l, "a", &info); /* as a commit left it */
    expect_guarded(&l, m);
    ice_metadata_unref(m);
    catalog_close(l.catalog);
    const catalog_options options = {.state = l.state,
                                     .storage = l.storage,
                                     .warehouse = STR("tarn"),
                                     .warehouse_location = STR("s3://warehouse")};
    EXPECT_OK(catalog_open(&options, &l.catalog, &f->err));
    m = load(&l, "a", &info); /* as it was read */
    expect_guarded(&l, m);
    ice_metadata_unref(m);
    lake_close(&l);
}

static void test_manifests_in_a_further_place_are_read_by_their_table_alone(void **context)
{
    fixture *f = *context;
    lake l = open_three(f);
    table_info info;

    EXPECT_OK(commit_only(&l, f->arena, "b", "",
                          "{'action': 'set-properties', 'updates':"
                          " {'write.metadata.path': 's3://warehouse/far/b'}}",
                          &f->err));
    ice_metadata *m = load(&l, "a", &info);
    EXPECT_STATUS(DENIED, read_list(&l, m, "s3://warehouse/far/b/l.avro", &f->err));
    EXPECT_STATUS(DENIED, read_manifest(&l, m, "s3://warehouse/far/b/m.avro", &f->err));
    ice_metadata_unref(m);
    m = load(&l, "b", &info);
    EXPECT_STATUS(NOT_FOUND, read_list(&l, m, "s3://warehouse/far/b/l.avro", &f->err));
    EXPECT_STATUS(NOT_FOUND, read_manifest(&l, m, "s3://warehouse/far/b/m.avro", &f->err));
    ice_metadata_unref(m);
    lake_close(&l);
}

TESTS(test_a_file_in_the_place_of_another_table_is_that_tables,
      test_a_file_in_a_further_place_of_another_table_is_that_tables,
      test_manifests_in_a_further_place_are_read_by_their_table_alone,
      test_a_file_in_nobodys_place_tells_of_its_neighbours, test_a_file_of_ones_own_is_nobody_elses,
      test_files_outside_of_warehouses_and_roots_are_refused,
      test_manifests_are_looked_at_however_the_metadata_came_to_be)

/* Claims about transactions over several tables, over the real database and store. */
#include "lake.h"

#include "tarn/catalog/txn.h"
#include "tarn/iceberg/evolve.h"

static catalog_txn *begin(lake *l)
{
    catalog_txn *txn = NULL;

    EXPECT_OK(catalog_txn_begin(l->catalog, false, &txn, &l->f->err));
    return txn;
}

/* The same lake through the eyes of the transaction. */
static lake inside(const lake *l, catalog_txn *txn)
{
    lake view = *l;

    view.catalog = catalog_in(txn);
    return view;
}

static int64_t records(lake *l, const char *name)
{
    table_info info;
    ice_metadata *m = load(l, name, &info);
    ice_scan scan = {.total_rows = 0};
    const ice_scan_options options = {.metadata = m, .snapshot_id = ICE_NO_SNAPSHOT};

    if (ice_metadata_snapshot(m) != NULL) {
        EXPECT_OK(ice_scan_plan(l->storage, &options, l->f->arena, &scan, &l->f->err));
    }
    ice_metadata_unref(m);
    return scan.total_rows;
}

static str file_of(lake *l, const char *table, const char *file)
{
    table_info info;
    ice_metadata *m = load(l, table, &info);

    ice_metadata_unref(m);
    return str_printf(l->f->arena, "%.*s/data/%s.parquet", STR_ARG(info.location), file);
}

static void append(lake *l, const char *table, const char *file)
{
    EXPECT_OK(append_one(l, table, file_of(l, table, file), &l->f->err));
}

static int64_t objects(lake *l)
{
    store_usage usage;

    EXPECT_OK(store_read_usage(l->storage, &usage, &l->f->err));
    return usage.objects;
}

static void test_two_tables_change_together_and_are_read_before(void **context)
{
    lake l = lake_open(*context);

    EXPECT_OK(make_table(&l, "a", STR_NULL, &l.f->err));
    EXPECT_OK(make_table(&l, "b", STR_NULL, &l.f->err));
    catalog_txn *txn = begin(&l);
    lake in = inside(&l, txn);
    append(&in, "a", "1");
    append(&in, "a", "2");
    append(&in, "b", "1");
    assert_true(catalog_txn_has_changes(txn));
    assert_int_equal(records(&in, "a"), 2);
    assert_int_equal(records(&in, "b"), 1);
    assert_int_equal(records(&l, "a"), 0);
    EXPECT_OK(catalog_txn_commit(txn, &l.f->err));
    assert_int_equal(records(&l, "a"), 2);
    assert_int_equal(records(&l, "b"), 1);
    lake_close(&l);
}

/* One file for each changed table, however many statements there were. */
static void test_statements_share_a_metadata_file(void **context)
{
    lake l = lake_open(*context);
    table_info before, after;

    EXPECT_OK(make_table(&l, "a", STR_NULL, &l.f->err));
    ice_metadata_unref(load(&l, "a", &before));
    catalog_txn *txn = begin(&l);
    lake in = inside(&l, txn);
    append(&in, "a", "1");
    append(&in, "a", "2");
    append(&in, "a", "3");
    EXPECT_OK(catalog_txn_commit(txn, &l.f->err));
    ice_metadata *m = load(&l, "a", &after);
    assert_int_equal(m->snapshot_count, 3);
    assert_int_equal(m->metadata_log_count, 1);
    EXPECT_STR(m->metadata_log[0].metadata_file, str_to_c(l.f->arena, before.metadata_location));
    assert_int_equal(ice_metadata_location_version(after.metadata_location), 1);
    ice_metadata_unref(m);
    lake_close(&l);
}

static void test_a_rollback_leaves_no_object(void **context)
{
    lake l = lake_open(*context);

    EXPECT_OK(make_table(&l, "a", STR_NULL, &l.f->err));
    int64_t before = objects(&l);
    catalog_txn *txn = begin(&l);
    lake in = inside(&l, txn);
    append(&in, "a", "1");
    EXPECT_OK(make_table(&in, "b", STR_NULL, &l.f->err));
    append(&in, "b", "1");
    str file = file_of(&in, "b", "1");
    str bytes;
    EXPECT_OK(store_read_all(l.storage, file, 100, l.f->arena, &bytes, &l.f->err));
    assert_int_equal(objects(&l), before);
    catalog_txn_rollback(txn);
    EXPECT_STATUS(NOT_FOUND, store_read_all(l.storage, file, 100, l.f->arena, &bytes, &l.f->err));
    assert_int_equal(objects(&l), before);
    assert_int_equal(records(&l, "a"), 0);
    lake_close(&l);
}

static void test_appends_are_made_again_beside_others(void **context)
{
    lake l = lake_open(*context);

    EXPECT_OK(make_table(&l, "a", STR_NULL, &l.f->err));
    EXPECT_OK(make_table(&l, "b", STR_NULL, &l.f->err));
    catalog_txn *txn = begin(&l);
    lake in = inside(&l, txn);
    append(&in, "a", "1");
    append(&in, "b", "1");
    append(&l, "a", "other");
    assert_int_equal(records(&in, "a"), 1);
    EXPECT_OK(catalog_txn_commit(txn, &l.f->err));
    assert_int_equal(records(&l, "a"), 2);
    assert_int_equal(records(&l, "b"), 1);
    lake_close(&l);
}

static status set_comment(void *context, ice_builder *b, error *err)
{
    (void)context;
    return ice_builder_set_property(b, STR("comment"), STR("changed"), err);
}

static void test_a_conflict_names_the_table_and_changes_nothing(void **context)
{
    lake l = lake_open(*context);
    ice_committer committer;

    EXPECT_OK(make_table(&l, "a", STR_NULL, &l.f->err));
    EXPECT_OK(make_table(&l, "b", STR_NULL, &l.f->err));
    int64_t before = objects(&l);
    catalog_txn *txn = begin(&l);
    lake in = inside(&l, txn);
    catalog_txn_operation(txn, "ALTER TABLE");
    EXPECT_OK(catalog_committer(in.catalog, (table_name){STR("main"), STR("a")}, l.f->arena,
                                &committer, &l.f->err));
    EXPECT_OK(ice_metadata_update(&committer, set_comment, NULL, NULL, &l.f->err));
    append(&in, "b", "1");
    append(&l, "a", "other");
    int64_t others = objects(&l) - before;
    EXPECT_STATUS(CONFLICT, catalog_txn_commit(txn, &l.f->err));
    assert_non_null(strstr(l.f->err.message, "ALTER TABLE of table \"main.a\""));
    assert_int_equal(objects(&l), before + others);
    assert_int_equal(records(&l, "b"), 0);
    lake_close(&l);
}

static void test_tables_are_made_filled_renamed_and_dropped_in_one(void **context)
{
    lake l = lake_open(*context);
    table_info info;
    bool dropped = false;

    EXPECT_OK(make_table(&l, "old", STR_NULL, &l.f->err));
    catalog_txn *txn = begin(&l);
    lake in = inside(&l, txn);
    EXPECT_OK(make_table(&in, "new", STR_NULL, &l.f->err));
    append(&in, "new", "1");
    EXPECT_STATUS(EXISTS, make_table(&in, "NEW", STR_NULL, &l.f->err));
    EXPECT_OK(catalog_drop_table(in.catalog, (table_name){STR("main"), STR("old")}, false, &dropped,
                                 &l.f->err));
    EXPECT_OK(catalog_rename_table(in.catalog, (table_name){STR("main"), STR("new")},
                                   (table_name){STR("main"), STR("old")}, &l.f->err));
    EXPECT_OK(make_table(&in, "gone", STR_NULL, &l.f->err));
    EXPECT_OK(catalog_drop_table(in.catalog, (table_name){STR("main"), STR("gone")}, false,
                                 &dropped, &l.f->err));
    EXPECT_OK(catalog_txn_commit(txn, &l.f->err));
    assert_int_equal(records(&l, "old"), 1);
    ice_metadata_unref(load(&l, "old", &info));
    table_info *list = NULL;
    size_t count = 0;
    EXPECT_OK(catalog_list_tables(l.catalog, STR("main"), l.f->arena, &list, &count, &l.f->err));
    assert_int_equal(count, 1);
    lake_close(&l);
}

static void test_a_serializable_transaction_keeps_what_it_read(void **context)
{
    lake l = lake_open(*context);
    catalog_txn *txn = NULL;
    const table_name a = {STR("main"), STR("a")};

    EXPECT_OK(make_table(&l, "a", STR_NULL, &l.f->err));
    EXPECT_OK(make_table(&l, "b", STR_NULL, &l.f->err));
    EXPECT_OK(catalog_txn_begin(l.catalog, true, &txn, &l.f->err));
    lake in = inside(&l, txn);
    assert_int_equal(records(&in, "a"), 0);
    catalog_note_read(in.catalog, a);
    append(&in, "b", "1");
    append(&l, "a", "other");
    EXPECT_STATUS(CONFLICT, catalog_txn_commit(txn, &l.f->err));
    assert_non_null(strstr(l.f->err.message, "serializable"));
    assert_int_equal(records(&l, "b"), 0);
    lake_close(&l);
}

TESTS(test_two_tables_change_together_and_are_read_before, test_statements_share_a_metadata_file,
      test_a_rollback_leaves_no_object, test_appends_are_made_again_beside_others,
      test_a_conflict_names_the_table_and_changes_nothing,
      test_tables_are_made_filled_renamed_and_dropped_in_one,
      test_a_serializable_transaction_keeps_what_it_read)

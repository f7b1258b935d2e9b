/* Dropped tables: kept, listed, brought back, purged by reachability; and the flag against dropping. */
#include "lake.h"

#include "tarn/base/clock.h"
#include "tarn/catalog/caller.h"
#include "tarn/catalog/dropped.h"
#include "tarn/catalog/event.h"
#include "tarn/catalog/txn.h"

#define HOUR_MS (INT64_C(3600) * 1000)

static const table_name t = {STR_INIT("main"), STR_INIT("t")};
static const table_name other = {STR_INIT("main"), STR_INIT("other")};

static lake keeping(fixture *f, int64_t retention_ms, bool purge_retained)
{
    lake l = lake_open(f);

    catalog_close(l.catalog);
    const catalog_options options = {.state = l.state,
                                     .storage = l.storage,
                                     .warehouse = STR("tarn"),
                                     .warehouse_location = STR("s3://warehouse"),
                                     .retention_ms = retention_ms,
                                     .purge_retained = purge_retained};
    EXPECT_OK(catalog_open(&options, &l.catalog, &f->err));
    return l;
}

static void drop(lake *l, table_name name)
{
    bool dropped = false;
    EXPECT_OK(catalog_drop_table(l->catalog, name, false, &dropped, &l->f->err));
    assert_true(dropped);
}

static size_t dropped_count(lake *l)
{
    dropped_table *list = NULL;
    size_t count = 0;
    EXPECT_OK(catalog_list_dropped(l->catalog, STR_NULL, l->f->arena, &list, &count, &l->f->err));
    return count;
}

static bool is_there(lake *l, str location)
{
    store_object object;
    return store_stat(l->storage, location, l->f->arena, &object, NULL) == STATUS_OK;
}

/* The work in the background comes to it; who waits in vain is stopped by the test's own time limit. */
static void expect_gone(lake *l, str location)
{
    while (is_there(l, location)) {
        clock_sleep_ms(5);
    }
}

static void test_a_dropped_table_is_kept_and_comes_back_under_its_name(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    table_info before, after;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    ice_metadata_unref(load(&l, "t", &before));
    EXPECT_OK(append_one(&l, "t", str_concat(f->arena, before.location, STR("/data/1.parquet")),
                         &f->err));
    ice_metadata_unref(load(&l, "t", &before));
    drop(&l, t);
    ice_metadata *m = NULL;
    EXPECT_STATUS(NO_TABLE, catalog_load_table(l.catalog, t, f->arena, &m, &after, &f->err));
    assert_true(is_there(&l, before.metadata_location));
    assert_true(is_there(&l, str_concat(f->arena, before.location, STR("/data/1.parquet"))));
    assert_int_equal(1, dropped_count(&l));
    EXPECT_OK(
        catalog_undrop_table(l.catalog, t, STR_NULL, (table_name){STR(""), STR("")}, &f->err));
    ice_metadata_unref(load(&l, "t", &after));
    assert_true(str_equal(before.uuid, after.uuid));
    assert_true(str_equal(before.metadata_location, after.metadata_location));
    assert_int_equal(before.created_us, after.created_us);
    assert_int_equal(0, dropped_count(&l));
    lake_close(&l);
}

static void test_the_name_is_free_at_once_and_the_last_dropped_comes_back_under_another(
    void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    table_info first, second, back;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    ice_metadata_unref(load(&l, "t", &first));
    drop(&l, t);
    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    ice_metadata_unref(load(&l, "t", &second));
    EXPECT_STATUS(EXISTS, catalog_undrop_table(l.catalog, t, STR_NULL, t, &f->err));
    drop(&l, t);
    assert_int_equal(2, dropped_count(&l));
    EXPECT_OK(catalog_undrop_table(l.catalog, t, STR_NULL, other, &f->err));
    ice_metadata_unref(load(&l, "other", &back));
    assert_true(str_equal(second.uuid, back.uuid));
    EXPECT_OK(catalog_undrop_table(l.catalog, t, first.uuid, t, &f->err));
    EXPECT_STATUS(NO_TABLE, catalog_undrop_table(l.catalog, t, STR_NULL, t, &f->err));
    EXPECT_STATUS(
        NO_NAMESPACE,
        (drop(&l, t), catalog_undrop_table(l.catalog, t, STR_NULL,
                                           (table_name){STR("nowhere"), STR("t")}, &f->err)));
    lake_close(&l);
}

static void test_the_place_of_a_dropped_table_is_taken_until_it_is_purged(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    table_info info;
    dropped_table *list = NULL;
    size_t count = 0;

    EXPECT_OK(make_table(&l, "t", STR("s3://warehouse/place"), &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    drop(&l, t);
    EXPECT_STATUS(INVALID, make_table(&l, "other", STR("s3://warehouse/place/in"), &f->err));
    EXPECT_OK(catalog_list_dropped(l.catalog, STR("MAIN"), f->arena, &list, &count, &f->err));
    assert_int_equal(1, count);
    assert_int_equal(list[0].dropped_us + HOUR_MS * 1000, list[0].purge_us);
    /* the very place may be used again: then the dropped table is given up, and its files stay */
    EXPECT_OK(make_table(&l, "other", STR("s3://warehouse/place"), &f->err));
    assert_true(is_there(&l, info.metadata_location));
    lake_close(&l);
}

static status count_effect(void *context, state_txn *txn, const catalog_event *event, error *err)
{
    int *seen = context;

    (void)txn;
    (void)err;
    *seen += event->kind == EVENT_TABLE_CREATED ? 1 : 100;
    return STATUS_OK;
}

static void test_a_dropped_table_that_gives_way_has_its_event(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    int effects = 0;
    const catalog_caller caller = {
        .principal = STR("ada"), .via = STR("sql"), .effect = count_effect, .context = &effects};
    catalog_event *list = NULL;
    table_info info;
    size_t count = 0;

    EXPECT_OK(make_table(&l, "t", STR("s3://warehouse/place"), &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    drop(&l, t);
    catalog_set_caller(&caller);
    EXPECT_OK(make_table(&l, "other", STR_NULL, &f->err));
    EXPECT_STATUS(EXISTS, make_table(&l, "other", STR("s3://warehouse/place"), &f->err));
    EXPECT_OK(make_table(&l, "third", STR("s3://warehouse/place"), &f->err));
    catalog_set_caller(NULL);
    EXPECT_OK(catalog_list_events(l.catalog, 0, STR("table.given-up"), 10, f->arena, &list, &count,
                                  &f->err));
    assert_int_equal(1, count);
    EXPECT_STR(list[0].name.table, "t");
    EXPECT_STR(list[0].to.table, "third");
    EXPECT_STR(list[0].uuid, arena_printf(f->arena, "%.*s", STR_ARG(info.uuid)));
    EXPECT_STR(list[0].principal, "ada");
    EXPECT_STR(list[0].via, "sql");
    assert_int_equal(2, effects); /* of the tables that were made, not of the one that went */
    drop(&l, (table_name){STR("main"), STR("third")});
    EXPECT_OK(make_table(&l, "fourth", STR("s3://warehouse/place"), &f->err));
    EXPECT_OK(catalog_list_events(l.catalog, 0, STR("table.given-up"), 10, f->arena, &list, &count,
                                  &f->err));
    assert_int_equal(2, count); /* each once */
    EXPECT_STR(list[1].name.table, "third");
    lake_close(&l);
}

static void test_registering_its_metadata_file_again_takes_a_table_out_of_the_dropped_ones(
    void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    table_info info;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    drop(&l, t);
    const catalog_foreign foreign = {.location = info.metadata_location};
    EXPECT_OK(catalog_register_table(l.catalog, other, &foreign, &f->err));
    assert_int_equal(0, dropped_count(&l));
    lake_close(&l);
}

static void test_a_purge_request_removes_files_at_once_or_is_answered_as_a_drop(void **context)
{
    fixture *f = *context;
    lake now = keeping(f, HOUR_MS, false);
    table_info info;
    bool dropped = false;

    EXPECT_OK(make_table(&now, "t", STR_NULL, &f->err));
    ice_metadata_unref(load(&now, "t", &info));
    EXPECT_OK(catalog_purge_table(now.catalog, t, false, &dropped, &f->err));
    assert_int_equal(0, dropped_count(&now));
    expect_gone(&now, info.metadata_location);
    EXPECT_STATUS(NO_TABLE, catalog_purge_table(now.catalog, t, false, &dropped, &f->err));
    EXPECT_OK(catalog_purge_table(now.catalog, t, true, &dropped, &f->err));
    assert_false(dropped);
    catalog_close(now.catalog);

    const catalog_options options = {.state = now.state,
                                     .storage = now.storage,
                                     .warehouse = STR("tarn"),
                                     .warehouse_location = STR("s3://warehouse"),
                                     .retention_ms = HOUR_MS,
                                     .purge_retained = true};
    EXPECT_OK(catalog_open(&options, &now.catalog, &f->err));
    EXPECT_OK(make_table(&now, "t", STR_NULL, &f->err));
    EXPECT_OK(catalog_purge_table(now.catalog, t, false, &dropped, &f->err));
    assert_int_equal(1, dropped_count(&now));
    lake_close(&now);
}

static void test_files_go_when_the_retention_is_over(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, 1, false);
    table_info info;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    drop(&l, t);
    expect_gone(&l, info.metadata_location);
    assert_int_equal(0, dropped_count(&l));
    EXPECT_STATUS(NO_TABLE, catalog_undrop_table(l.catalog, t, STR_NULL, t, &f->err));
    lake_close(&l);
}

static void test_files_that_another_table_reaches_stay(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    table_info info, others;
    bool dropped = false;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    EXPECT_OK(make_table(&l, "other", STR_NULL, &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    str shared = str_concat(f->arena, info.location, STR("/data/shared.parquet"));
    str own = str_concat(f->arena, info.location, STR("/data/own.parquet"));
    EXPECT_OK(append_one(&l, "t", shared, &f->err));
    EXPECT_OK(append_one(&l, "t", own, &f->err));
    EXPECT_OK(append_one(&l, "other", shared, &f->err)); /* as add_files of other programs does */
    /* one that was dropped, and may come back, is such a table, too */
    const table_name kept = {STR("main"), STR("kept")};
    str needed = str_concat(f->arena, info.location, STR("/data/needed.parquet"));
    EXPECT_OK(make_table(&l, "kept", STR_NULL, &f->err));
    EXPECT_OK(append_one(&l, "t", needed, &f->err));
    EXPECT_OK(append_one(&l, "kept", needed, &f->err));
    drop(&l, kept);
    EXPECT_OK(catalog_purge_table(l.catalog, t, false, &dropped, &f->err));
    expect_gone(&l, own);
    expect_gone(&l, info.metadata_location);
    assert_true(is_there(&l, shared));
    assert_true(is_there(&l, needed));
    EXPECT_OK(catalog_undrop_table(l.catalog, kept, STR_NULL, kept, &f->err));
    ice_metadata_unref(load(&l, "other", &others));
    EXPECT_OK(catalog_purge_table(l.catalog, other, false, &dropped, &f->err));
    lake_close(&l);
}

/* The newest manifest list of the table is overwritten. */
static void damage(lake *l, const char *name)
{
    table_info info;
    store_staged *staged = NULL;
    ice_metadata *m = load(l, name, &info);
    str list = m->snapshots[m->snapshot_count - 1].manifest_list;

    EXPECT_OK(store_stage_bytes(l->storage, list, STR("x"), STR("nonsense"), &staged, &l->f->err));
    EXPECT_OK(store_put(l->storage, staged, &l->f->err));
    ice_metadata_unref(m);
}

static void wait_for_doubt(lake *l)
{
    for (catalog_stats stats = {0}; stats.purges_doubted == 0; clock_sleep_ms(5)) {
        EXPECT_OK(catalog_read_stats(l->catalog, &stats, &l->f->err));
    }
}

static void test_a_table_that_cannot_be_read_holds_up_no_purge_of_others(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    table_info info;
    bool dropped = false;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    EXPECT_OK(make_table(&l, "other", STR("s3://warehouse/other"), &f->err));
    EXPECT_OK(append_one(&l, "other", STR("s3://warehouse/other/data/1.parquet"), &f->err));
    damage(&l, "other");
    ice_metadata_unref(load(&l, "t", &info));
    str own = str_concat(f->arena, info.location, STR("/data/own.parquet"));
    EXPECT_OK(append_one(&l, "t", own, &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    EXPECT_OK(catalog_purge_table(l.catalog, t, false, &dropped, &f->err));
    expect_gone(&l, own);
    expect_gone(&l, info.metadata_location);
    wait_for_doubt(&l);
    lake_close(&l);
}

static void test_files_stay_where_a_table_that_cannot_be_read_shares_some_of_them(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    table_info info;
    bool dropped = false;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    EXPECT_OK(make_table(&l, "other", STR("s3://warehouse/other"), &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    str shared = str_concat(f->arena, info.location, STR("/data/shared.parquet"));
    str own = str_concat(f->arena, info.location, STR("/data/own.parquet"));
    EXPECT_OK(append_one(&l, "t", shared, &f->err));
    EXPECT_OK(append_one(&l, "t", own, &f->err));
    EXPECT_OK(append_one(&l, "other", shared, &f->err));
    EXPECT_OK(append_one(&l, "other", STR("s3://warehouse/other/data/1.parquet"), &f->err));
    damage(&l, "other");
    EXPECT_OK(catalog_purge_table(l.catalog, t, false, &dropped, &f->err));
    wait_for_doubt(&l);
    catalog_close(l.catalog); /* what is to be purged is purged before */
    const catalog_options kept = {.state = l.state,
                                  .storage = l.storage,
                                  .warehouse = STR("tarn"),
                                  .warehouse_location = STR("s3://warehouse"),
                                  .retention_ms = HOUR_MS};
    EXPECT_OK(catalog_open(&kept, &l.catalog, &f->err));
    assert_true(is_there(&l, own));
    assert_true(is_there(&l, shared));
    lake_close(&l);
}

/* With a file in its further place, dropped, and another table made where it lay. */
static void test_further_places_of_a_table_that_gave_way_are_emptied(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    table_info info;
    bool created;
    str beside = STR("s3://warehouse/beside/1.parquet");
    str inside = STR("s3://warehouse/place/data/1.parquet");
    static const ice_property path[] = {
        {STR_INIT("write.data.path"), STR_INIT("s3://warehouse/beside")}};
    const catalog_create create = {.name = t,
                                   .table = {.location = STR("s3://warehouse/place"),
                                             .root = two_columns(),
                                             .properties = path,
                                             .property_count = 1}};
    const catalog_options kept = {.state = l.state,
                                  .storage = l.storage,
                                  .warehouse = STR("tarn"),
                                  .warehouse_location = STR("s3://warehouse"),
                                  .retention_ms = HOUR_MS};

    EXPECT_OK(catalog_create_table(l.catalog, &create, &created, &f->err));
    EXPECT_OK(append_one(&l, "t", beside, &f->err));
    EXPECT_OK(append_one(&l, "t", inside, &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    drop(&l, t);
    EXPECT_STATUS(INVALID, make_table(&l, "other", STR("s3://warehouse/beside"), &f->err));
    EXPECT_OK(make_table(&l, "other", STR("s3://warehouse/place"), &f->err));
    catalog_close(l.catalog);
    EXPECT_OK(catalog_open(&kept, &l.catalog, &f->err));
    expect_gone(&l, beside);
    assert_true(is_there(&l, inside));
    assert_true(is_there(&l, info.metadata_location));
    ice_metadata_unref(load(&l, "other", &info));
    assert_true(is_there(&l, info.metadata_location));
    while (make_table(&l, "third", STR("s3://warehouse/beside"), &f->err) != STATUS_OK) {
        clock_sleep_ms(5); /* until it is nobody's */
    }
    lake_close(&l);
}

static void test_files_of_registered_tables_stay_whatever_is_asked(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, 1, false);
    table_info info;
    bool dropped = false;

    EXPECT_OK(make_table(&l, "t", STR("s3://warehouse/place"), &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    const catalog_foreign foreign = {.location = info.metadata_location};
    EXPECT_STATUS(EXISTS, catalog_register_table(l.catalog, other, &foreign, &f->err));
    catalog_close(l.catalog);
    const catalog_options kept = {.state = l.state,
                                  .storage = l.storage,
                                  .warehouse = STR("tarn"),
                                  .warehouse_location = STR("s3://warehouse"),
                                  .retention_ms = HOUR_MS};
    EXPECT_OK(catalog_open(&kept, &l.catalog, &f->err));
    drop(&l, t);
    EXPECT_OK(catalog_register_table(l.catalog, other, &foreign, &f->err));
    EXPECT_OK(catalog_purge_table(l.catalog, other, false, &dropped, &f->err));
    assert_int_equal(0, dropped_count(&l));
    catalog_close(l.catalog); /* what is to be purged is purged before */
    EXPECT_OK(catalog_open(&kept, &l.catalog, &f->err));
    assert_true(is_there(&l, info.metadata_location));
    lake_close(&l);
}

static void test_a_protected_table_or_namespace_is_not_dropped(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    bool dropped = false;
    bool protected = false;
    const table_name space = {STR("sales"), STR("")};
    const table_name inside = {STR("sales"), STR("t")};

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, t, true, &f->err));
    EXPECT_STATUS(DENIED, catalog_drop_table(l.catalog, t, false, &dropped, &f->err));
    assert_non_null(strstr(f->err.message, "protected"));
    EXPECT_STATUS(DENIED, catalog_purge_table(l.catalog, t, false, &dropped, &f->err));
    EXPECT_OK(catalog_is_protected(l.catalog, t, &protected, &f->err));
    assert_true(protected);
    catalog_txn *txn = NULL;
    EXPECT_OK(catalog_txn_begin(l.catalog, false, &txn, &f->err));
    EXPECT_STATUS(DENIED, catalog_drop_table(catalog_in(txn), t, false, &dropped, &f->err));
    catalog_txn_rollback(txn);
    EXPECT_OK(catalog_protect(l.catalog, t, false, &f->err));
    drop(&l, t);
    EXPECT_STATUS(NO_TABLE, catalog_protect(l.catalog, t, true, &f->err));

    EXPECT_OK(catalog_create_namespace(l.catalog, STR("sales"), NULL, 0, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, space, true, &f->err));
    EXPECT_STATUS(DENIED, catalog_drop_namespace(l.catalog, STR("sales"), true, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, space, false, &f->err));
    const catalog_create create = {.name = inside, .table = {.root = two_columns()}};
    EXPECT_OK(catalog_create_table(l.catalog, &create, &dropped, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, inside, true, &f->err));
    EXPECT_STATUS(DENIED, catalog_drop_namespace(l.catalog, STR("sales"), true, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, inside, false, &f->err));
    EXPECT_OK(catalog_drop_namespace(l.catalog, STR("sales"), true, &f->err));
    assert_int_equal(2, dropped_count(&l));
    EXPECT_OK(catalog_undrop_table(l.catalog, inside, STR_NULL, other, &f->err));
    lake_close(&l);
}

static void test_tables_dropped_in_a_transaction_are_kept_when_it_commits(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    catalog_txn *txn = NULL;
    bool dropped = false;
    table_info info;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    EXPECT_OK(make_table(&l, "other", STR_NULL, &f->err));
    ice_metadata_unref(load(&l, "other", &info));
    EXPECT_OK(catalog_txn_begin(l.catalog, false, &txn, &f->err));
    EXPECT_OK(catalog_drop_table(catalog_in(txn), t, false, &dropped, &f->err));
    EXPECT_OK(catalog_purge_table(catalog_in(txn), other, false, &dropped, &f->err));
    assert_int_equal(0, dropped_count(&l));
    EXPECT_OK(catalog_txn_commit(txn, &f->err));
    assert_int_equal(1, dropped_count(&l));
    expect_gone(&l, info.metadata_location);
    EXPECT_OK(catalog_undrop_table(l.catalog, t, STR_NULL, t, &f->err));
    lake_close(&l);
}

static void test_recovery_knows_which_tables_were_dropped(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    catalog *again = NULL;
    state *fresh = NULL;
    int64_t tables = 0;
    table_info info;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    EXPECT_OK(make_table(&l, "other", STR_NULL, &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    drop(&l, t);
    catalog_close(l.catalog);
    const state_options db = {.path = test_path(f, "fresh.db")};
    EXPECT_OK(state_open(&db, catalog_migrations, catalog_migration_count, &fresh, &f->err));
    const catalog_options options = {.state = fresh,
                                     .storage = l.storage,
                                     .warehouse = STR("tarn"),
                                     .warehouse_location = STR("s3://warehouse"),
                                     .retention_ms = HOUR_MS,
                                     .is_recovering = true};
    EXPECT_OK(catalog_open(&options, &again, &f->err));
    EXPECT_OK(catalog_recover(again, &tables, &f->err));
    l.catalog = again;
    assert_int_equal(1, dropped_count(&l));
    ice_metadata *m = NULL;
    EXPECT_STATUS(NO_TABLE, catalog_load_table(again, t, f->arena, &m, &info, &f->err));
    ice_metadata_unref(load(&l, "other", &info));
    catalog_close(again);
    state_close(fresh);
    storage_close(l.storage);
    state_close(l.state);
}

/* ---- CREATE OR REPLACE TABLE … AS, of a table that is another one, or none, by the time of the commit ---- */

typedef struct planned {
    catalog_create options;
    ice_metadata *metadata;
} planned;

static planned plan(lake *l)
{
    planned p = {.options = {.name = t, .table = {.root = two_columns()}, .replace = true}};
    bool there;

    p.options.table.location = STR_NULL;
    EXPECT_OK(
        catalog_plan_table(l->catalog, &p.options, l->f->arena, &p.metadata, &there, &l->f->err));
    p.options.planned = p.metadata;
    p.options.planned_there = there;
    p.options.table.location = str_copy(l->f->arena, p.metadata->location);
    return p;
}

/* With one row, whose file lies where the table was planned. */
static status carry_out(lake *l, const planned *p)
{
    ice_metadata *m = p->metadata;
    store_staged *staged = NULL;
    bool created;
    const ice_file file = {.path = str_concat(l->f->arena, m->location, STR("/data/p.parquet")),
                           .format = STR("PARQUET"),
                           .record_count = 1,
                           .size_bytes = 8,
                           .sort_order_id = -1,
                           .first_row_id = ICE_NO_ROW_ID,
                           .content_offset = -1,
                           .content_size_bytes = -1};
    ice_append append = {.files = &file, .file_count = 1, .staged = &staged, .staged_count = 1};
    catalog_create options = p->options;

    EXPECT_OK(
        store_stage_bytes(l->storage, file.path, STR("x"), STR("PAR1PAR1"), &staged, &l->f->err));
    append.schema_id = m->current_schema_id;
    options.append = &append;
    status result = catalog_create_table(l->catalog, &options, &created, &l->f->err);
    assert_false(result != STATUS_OK && is_there(l, file.path));
    ice_metadata_unref(m);
    return result;
}

static void test_rows_of_a_replacement_never_go_to_a_table_that_came_meanwhile(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    table_info now, after;

    planned p = plan(&l); /* nothing is there */
    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    EXPECT_STATUS(CONFLICT, carry_out(&l, &p));
    p = plan(&l); /* the one is replaced; another comes in its stead */
    drop(&l, t);
    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    ice_metadata_unref(load(&l, "t", &now));
    EXPECT_STATUS(CONFLICT, carry_out(&l, &p));
    ice_metadata_unref(load(&l, "t", &after));
    assert_true(str_equal(now.metadata_location, after.metadata_location));
    p = plan(&l);
    EXPECT_OK(carry_out(&l, &p));
    ice_metadata_unref(load(&l, "t", &after));
    assert_true(str_equal(now.location, after.location));
    lake_close(&l);
}

static void test_a_replacement_takes_no_place_of_a_table_that_was_dropped_meanwhile(void **context)
{
    fixture *f = *context;
    lake l = keeping(f, HOUR_MS, false);
    table_info before, after;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    ice_metadata_unref(load(&l, "t", &before));
    planned p = plan(&l);
    drop(&l, t);
    EXPECT_STATUS(CONFLICT, carry_out(&l, &p));
    assert_int_equal(1, dropped_count(&l));
    EXPECT_OK(catalog_undrop_table(l.catalog, t, STR_NULL, t, &f->err));
    ice_metadata_unref(load(&l, "t", &after));
    assert_true(str_equal(before.uuid, after.uuid));
    lake_close(&l);
}

TESTS(test_a_dropped_table_is_kept_and_comes_back_under_its_name,
      test_the_name_is_free_at_once_and_the_last_dropped_comes_back_under_another,
      test_the_place_of_a_dropped_table_is_taken_until_it_is_purged,
      test_a_dropped_table_that_gives_way_has_its_event,
      test_registering_its_metadata_file_again_takes_a_table_out_of_the_dropped_ones,
      test_a_purge_request_removes_files_at_once_or_is_answered_as_a_drop,
      test_files_go_when_the_retention_is_over, test_files_that_another_table_reaches_stay,
      test_files_of_registered_tables_stay_whatever_is_asked,
      test_further_places_of_a_table_that_gave_way_are_emptied,
      test_a_table_that_cannot_be_read_holds_up_no_purge_of_others,
      test_files_stay_where_a_table_that_cannot_be_read_shares_some_of_them,
      test_a_protected_table_or_namespace_is_not_dropped,
      test_tables_dropped_in_a_transaction_are_kept_when_it_commits,
      test_recovery_knows_which_tables_were_dropped,
      test_rows_of_a_replacement_never_go_to_a_table_that_came_meanwhile,
      test_a_replacement_takes_no_place_of_a_table_that_was_dropped_meanwhile)

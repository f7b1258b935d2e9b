/* Claims about documents: what loadTable answers is kept in memory, and what is kept is current. timeout: 120 */
#include "lake.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "tarn/base/thread.h"
#include "tarn/catalog/document.h"
#include "tarn/catalog/txn.h"
#include "tarn/codec/json.h"

static table_name named(const char *table)
{
    return (table_name){.space = STR("main"), .table = str_c(table)};
}

static catalog_document *loaded(lake *l, const char *table)
{
    catalog_document *d = NULL;

    EXPECT_OK(catalog_load_document(l->catalog, named(table), &d, &l->f->err));
    return d;
}

/* The table is there, and kept. */
static void load_once(lake *l, const char *table)
{
    catalog_document_unref(loaded(l, table));
}

static void expect_kept(lake *l, const char *table, bool kept)
{
    catalog_document *d = catalog_find_document(l->catalog, named(table));

    assert_int_equal(d != NULL, kept);
    catalog_document_unref(d);
}

static void append(lake *l, const char *table, int number)
{
    EXPECT_OK(append_one(l, table,
                         str_printf(l->f->arena, "s3://warehouse/d/%s-%d.parquet", table, number),
                         &l->f->err));
}

static size_t snapshots_in(lake *l, str text)
{
    const json *m = NULL;

    EXPECT_OK(json_parse(text, l->f->arena, &m, &l->f->err));
    return json_count(json_get(m, "snapshots"));
}

static void test_a_loaded_table_is_kept_under_any_spelling_of_its_name(void **context)
{
    lake l = lake_open(*context);
    table_info info;

    EXPECT_OK(make_table(&l, "Trips", STR_NULL, &l.f->err));
    expect_kept(&l, "Trips", false);
    catalog_document *first = loaded(&l, "trips");
    catalog_document *second = catalog_find_document(l.catalog, named("TRIPS"));
    assert_ptr_equal(first, second);
    ice_metadata_unref(load(&l, "trips", &info));
    EXPECT_STR(first->metadata_location, str_to_c(l.f->arena, info.metadata_location));
    EXPECT_STR(first->uuid, str_to_c(l.f->arena, info.uuid));
    EXPECT_STR(first->location, str_to_c(l.f->arena, info.location));
    assert_true(str_is_null(first->rebase));
    assert_int_equal(first->file, -1);                   /* it is small */
    assert_ptr_equal(first->all.data, first->refs.data); /* no snapshot without a name */
    catalog_document_unref(second);
    catalog_document_unref(first);
    lake_close(&l);
}

static void test_a_commit_leaves_the_new_document_in_the_place_of_the_kept_one(void **context)
{
    lake l = lake_open(*context);

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    load_once(&l, "t");
    catalog_document *old = loaded(&l, "t");
    append(&l, "t", 1);
    catalog_document *now = catalog_find_document(l.catalog, named("t"));
    assert_non_null(now);
    table_info info;
    ice_metadata_unref(load(&l, "t", &info));
    EXPECT_STR(now->metadata_location, str_to_c(l.f->arena, info.metadata_location));
    assert_int_equal(snapshots_in(&l, now->all), 1);
    assert_int_equal(snapshots_in(&l, old->all), 0); /* who has it keeps what he has */
    catalog_document_unref(now);
    catalog_document_unref(old);
    append(&l, "t", 2);
    append(&l, "t", 3); /* for a table that nobody asks for nothing is prepared */
    expect_kept(&l, "t", false);
    now = loaded(&l, "t");
    assert_int_equal(snapshots_in(&l, now->all), 3);
    assert_int_equal(snapshots_in(&l, now->refs), 1);
    catalog_document_unref(now);
    lake_close(&l);
}

static void test_nothing_is_kept_under_a_name_that_was_given_up(void **context)
{
    lake l = lake_open(*context);
    catalog_document *d = NULL;
    bool dropped;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    load_once(&l, "t");
    EXPECT_OK(catalog_rename_table(l.catalog, named("t"), named("u"), &l.f->err));
    expect_kept(&l, "t", false);
    EXPECT_STATUS(NO_TABLE, catalog_load_document(l.catalog, named("t"), &d, &l.f->err));
    load_once(&l, "u");
    expect_kept(&l, "u", true);
    EXPECT_OK(catalog_drop_table(l.catalog, named("u"), false, &dropped, &l.f->err));
    expect_kept(&l, "u", false);
    EXPECT_STATUS(NO_TABLE, catalog_load_document(l.catalog, named("u"), &d, &l.f->err));
    EXPECT_OK(make_table(&l, "u", STR_NULL, &l.f->err)); /* another one */
    d = loaded(&l, "u");
    table_info info;
    ice_metadata_unref(load(&l, "u", &info));
    EXPECT_STR(d->uuid, str_to_c(l.f->arena, info.uuid));
    catalog_document_unref(d);
    lake_close(&l);
}

static void test_a_namespace_goes_with_the_documents_of_its_tables(void **context)
{
    lake l = lake_open(*context);
    const table_name name = {.space = STR("s"), .table = STR("t")};
    const catalog_create create = {.name = name,
                                   .table = {.location = STR_NULL, .root = two_columns()}};
    catalog_document *d = NULL;
    bool created;

    EXPECT_OK(catalog_create_namespace(l.catalog, STR("s"), NULL, 0, &l.f->err));
    EXPECT_OK(catalog_create_table(l.catalog, &create, &created, &l.f->err));
    EXPECT_OK(catalog_load_document(l.catalog, name, &d, &l.f->err));
    catalog_document_unref(d);
    EXPECT_OK(catalog_drop_namespace(l.catalog, STR("S"), true, &l.f->err));
    assert_null(catalog_find_document(l.catalog, name));
    lake_close(&l);
}

static void test_a_transaction_changes_documents_when_it_ends_and_not_before(void **context)
{
    lake l = lake_open(*context);
    catalog_txn *txn = NULL;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    EXPECT_OK(make_table(&l, "u", STR_NULL, &l.f->err));
    EXPECT_OK(make_table(&l, "v", STR_NULL, &l.f->err));
    load_once(&l, "t");
    load_once(&l, "u");
    load_once(&l, "v");
    EXPECT_OK(catalog_txn_begin(l.catalog, false, &txn, &l.f->err));
    lake inside = l;
    inside.catalog = catalog_in(txn);
    append(&inside, "t", 1);
    EXPECT_OK(catalog_rename_table(inside.catalog, named("u"), named("w"), &l.f->err));
    assert_null(catalog_find_document(inside.catalog, named("t"))); /* its own view is not kept */
    catalog_document *own = loaded(&inside, "t");
    assert_int_equal(snapshots_in(&l, own->all), 1);
    catalog_document_unref(own);
    catalog_document *others = catalog_find_document(l.catalog, named("t"));
    assert_int_equal(snapshots_in(&l, others->all), 0);
    catalog_document_unref(others);
    EXPECT_OK(catalog_txn_commit(txn, &l.f->err));
    others = loaded(&l, "t");
    assert_int_equal(snapshots_in(&l, others->all), 1);
    catalog_document_unref(others);
    expect_kept(&l, "u", false);
    expect_kept(&l, "v", true);
    lake_close(&l);
}

static status refuse(void *context, state_txn *txn, error *err)
{
    (void)context;
    (void)txn;
    return error_set(err, STATUS_CONFLICT, "refused");
}

static void test_a_commit_that_is_undone_leaves_what_is_kept(void **context)
{
    lake l = lake_open(*context);
    const ice_file file = {.path = STR("s3://warehouse/d/x.parquet"),
                           .format = STR("PARQUET"),
                           .record_count = 1,
                           .size_bytes = 8,
                           .sort_order_id = -1,
                           .first_row_id = ICE_NO_ROW_ID,
                           .content_offset = -1,
                           .content_size_bytes = -1};
    store_staged *staged = NULL;
    ice_commit_result result;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    catalog_document *before = loaded(&l, "t");
    EXPECT_OK(
        store_stage_bytes(l.storage, file.path, STR("x"), STR("PAR1PAR1"), &staged, &l.f->err));
    const ice_append append = {
        .files = &file, .file_count = 1, .staged = &staged, .staged_count = 1, .extra = refuse};
    EXPECT_STATUS(CONFLICT, catalog_append(l.catalog, named("t"), &append, &result, &l.f->err));
    catalog_document *after = catalog_find_document(l.catalog, named("t"));
    assert_ptr_equal(before, after);
    catalog_document_unref(after);
    catalog_document_unref(before);
    lake_close(&l);
}

static void test_those_asked_for_longest_ago_give_way(void **context)
{
    lake l = lake_open(*context);
    enum { TABLES = 40 };
    char name[16];
    int kept = 0;

    catalog_close(l.catalog);
    const catalog_options options = {.state = l.state,
                                     .storage = l.storage,
                                     .warehouse = STR("tarn"),
                                     .warehouse_location = STR("s3://warehouse"),
                                     .hot_bytes_max = 64 << 10};
    EXPECT_OK(catalog_open(&options, &l.catalog, &l.f->err));
    for (int i = 0; i < TABLES; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        EXPECT_OK(make_table(&l, name, STR_NULL, &l.f->err));
        load_once(&l, name);
        expect_kept(&l, "t0", true); /* it is asked for again and again */
    }
    for (int i = 0; i < TABLES; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        catalog_document *d = catalog_find_document(l.catalog, named(name));
        kept += d != NULL;
        catalog_document_unref(d);
    }
    assert_in_range(kept, 2, TABLES - 1);
    expect_kept(&l, "t1", false);
    expect_kept(&l, "t39", true);
    lake_close(&l);
}

static void test_in_a_plain_folder_the_metadata_file_is_looked_for_each_time(void **context)
{
    lake l = lake_open(*context);
    str location = str_printf(l.f->arena, "file://%s/lake/t", l.f->dir);
    catalog_document *d = NULL;

    EXPECT_OK(make_table(&l, "t", location, &l.f->err));
    d = loaded(&l, "t");
    expect_kept(&l, "t", false);
    str path = str_slice(d->metadata_location, sizeof("file://") - 1, d->metadata_location.size);
    assert_int_equal(unlink(str_to_c(l.f->arena, path)), 0);
    str expected = str_printf(l.f->arena, "metadata file \"%.*s\" does not exist",
                              STR_ARG(d->metadata_location));
    catalog_document_unref(d);
    d = NULL;
    EXPECT_STATUS(NOT_FOUND, catalog_load_document(l.catalog, named("t"), &d, &l.f->err));
    EXPECT_MESSAGE(l.f, expected.data);
    lake_close(&l);
}

static void test_what_a_change_left_can_be_told_after_later_changes(void **context)
{
    lake l = lake_open(*context);
    catalog_document *d = NULL;
    table_info info;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    append(&l, "t", 1);
    ice_metadata *m = load(&l, "t", &info);
    append(&l, "t", 2);
    load_once(&l, "t");
    EXPECT_OK(catalog_make_document(l.catalog, named("t"), m, &info, &d, &l.f->err));
    assert_int_equal(snapshots_in(&l, d->all), 1);
    EXPECT_STR(d->metadata_location, str_to_c(l.f->arena, info.metadata_location));
    catalog_document_unref(d);
    ice_metadata_unref(m);
    d = catalog_find_document(l.catalog, named("t"));
    assert_int_equal(snapshots_in(&l, d->all), 2);
    catalog_document_unref(d);
    lake_close(&l);
}

/* ---- threads ---- */

enum { ROUNDS = 60, READERS = 4 };

typedef struct contest {
    lake *l;
    _Atomic int64_t snapshots; /* that every load from now on has to have */
    char gone[ROUNDS][37];     /* uuids of tables that no load from now on may have */
    _Atomic int gone_count;
    _Atomic bool over;
} contest;

typedef struct reader {
    contest *all;
    bool asks; /* the database, or only what is kept */
    int64_t loads, stale;
    status outcome;
    error err;
} reader;

static bool is_stale(const contest *all, const catalog_document *d, int64_t snapshots,
                     int gone_count)
{
    for (int i = 0; i < gone_count; i++) {
        if (str_equal(d->uuid, str_c(all->gone[i]))) {
            return true;
        }
    }
    return (int64_t)d->metadata->snapshot_count < snapshots;
}

static void run_reader(void *context)
{
    reader *r = context;
    contest *all = r->all;

    while (!all->over && r->outcome == STATUS_OK) {
        int gone_count = all->gone_count;
        int64_t snapshots = all->snapshots;
        catalog_document *d = catalog_find_document(all->l->catalog, named("t"));

        if (d == NULL && r->asks) {
            r->outcome = catalog_load_document(all->l->catalog, named("t"), &d, &r->err);
            if (r->outcome == STATUS_NO_TABLE && all->snapshots == 0) {
                error_clear(&r->err);
                r->outcome = STATUS_OK;
            }
        }
        if (d != NULL) {
            r->loads++;
            r->stale += is_stale(all, d, snapshots, gone_count);
            catalog_document_unref(d);
        }
    }
}

static void run_readers(contest *all, void (*change)(struct contest *all))
{
    thread threads[READERS] = {0};
    reader readers[READERS];
    int64_t loads = 0;

    for (int i = 0; i < READERS; i++) {
        readers[i] = (reader){.all = all, .asks = i > 0, .err = ERROR_INIT};
        EXPECT_OK(thread_start(&threads[i], "reader", run_reader, &readers[i], &all->l->f->err));
    }
    change(all);
    all->over = true;
    for (int i = 0; i < READERS; i++) {
        thread_join(&threads[i]);
        if (readers[i].outcome != STATUS_OK) {
            fail_msg("reader %d: %s", i, readers[i].err.message);
        }
        assert_int_equal(readers[i].stale, 0);
        loads += readers[i].loads;
    }
    assert_true(loads > 0);
}

static void commit_again_and_again(contest *all)
{
    for (int i = 0; i < ROUNDS; i++) {
        append(all->l, "t", i);
        all->snapshots = i + 1;
    }
}

static void test_no_load_is_older_than_a_commit_that_was_acknowledged_before_it(void **context)
{
    lake l = lake_open(*context);
    contest all = {.l = &l};

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    run_readers(&all, commit_again_and_again);
    lake_close(&l);
}

/* Drops the table, or gives its name away, and makes another one. */
static void replace_again_and_again(contest *all)
{
    lake *l = all->l;
    bool dropped;

    for (int i = 0; i < ROUNDS / 2; i++) {
        catalog_document *d = loaded(l, "t");
        snprintf(all->gone[i], sizeof(all->gone[i]), "%.*s", STR_ARG(d->uuid));
        catalog_document_unref(d);
        if (i % 2 == 0) {
            EXPECT_OK(catalog_drop_table(l->catalog, named("t"), false, &dropped, &l->f->err));
        } else {
            str other = str_printf(l->f->arena, "other_%d", i);
            EXPECT_OK(catalog_rename_table(l->catalog, named("t"), named(other.data), &l->f->err));
        }
        all->gone_count = i + 1;
        assert_null(catalog_find_document(l->catalog, named("t")));
        EXPECT_OK(make_table(l, "t", STR_NULL, &l->f->err));
        append(l, "t", i);
    }
}

static void test_no_load_finds_a_table_whose_name_has_gone_to_another(void **context)
{
    lake l = lake_open(*context);
    contest all = {.l = &l};

    EXPECT_OK(make_table(&l, "t", STR_NULL, &l.f->err));
    run_readers(&all, replace_again_and_again);
    lake_close(&l);
}

TESTS(test_a_loaded_table_is_kept_under_any_spelling_of_its_name,
      test_a_commit_leaves_the_new_document_in_the_place_of_the_kept_one,
      test_nothing_is_kept_under_a_name_that_was_given_up,
      test_a_namespace_goes_with_the_documents_of_its_tables,
      test_a_transaction_changes_documents_when_it_ends_and_not_before,
      test_a_commit_that_is_undone_leaves_what_is_kept, test_those_asked_for_longest_ago_give_way,
      test_in_a_plain_folder_the_metadata_file_is_looked_for_each_time,
      test_what_a_change_left_can_be_told_after_later_changes,
      test_no_load_is_older_than_a_commit_that_was_acknowledged_before_it,
      test_no_load_finds_a_table_whose_name_has_gone_to_another)

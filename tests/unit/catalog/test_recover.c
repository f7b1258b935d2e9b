/* Claims about a catalog whose database is lost: what objects alone tell of tables that lie, or keep files,
 * elsewhere. */
#include "asks.h"

#include "tarn/base/limits.h"
#include "tarn/catalog/dropped.h"

#define SET_PATH(place) "{'action': 'set-properties', 'updates': {'write.data.path': '" place "'}}"
#define SET_LOCATION(place) "{'action': 'set-location', 'location': '" place "'}"
#define AT(place) ", 'location': '" place "'"

static lake without_database(fixture *f, lake *l)
{
    static const char *const files[] = {"tarn.db", "tarn.db-wal", "tarn.db-shm"};
    int64_t objects = 0;
    int64_t tables = 0;

    lake_close(l);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        EXPECT_OK(fs_remove(test_path(f, files[i]), &f->err));
    }
    lake back = lake_open_with(f, (lake_wishes){.retention_ms = INT64_C(3600000)});
    EXPECT_OK(store_recover(back.storage, &objects, &f->err));
    EXPECT_OK(catalog_recover(back.catalog, &tables, &f->err));
    return back;
}

static void expect_taken(lake *l, const char *const *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        EXPECT_STATUS(INVALID, make_table(l, "squat", str_c(places[i]), &l->f->err));
        assert_non_null(strstr(l->f->err.message, "overlaps that of"));
    }
}

static void test_places_come_back_from_metadata_alone(void **context)
{
    static const char *const taken[] = {"s3://warehouse/apart", "s3://warehouse/old/a",
                                        "s3://warehouse/new/a", "s3://warehouse/meta/b"};
    fixture *f = *context;
    lake l = lake_open_with(f, (lake_wishes){.retention_ms = INT64_C(3600000)});
    bool dropped = false;
    table_info before, after;

    EXPECT_OK(create_only(&l, f->arena, "a", AT("s3://warehouse/old/a"), &f->err));
    EXPECT_OK(append_one(&l, "a", STR("s3://warehouse/old/a/data/1.parquet"), &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "a", "", SET_PATH("s3://warehouse/apart"), &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "a", "", SET_LOCATION("s3://warehouse/new/a"), &f->err));
    EXPECT_OK(append_one(&l, "a", STR("s3://warehouse/new/a/data/2.parquet"), &f->err));
    EXPECT_OK(create_only(&l, f->arena, "b",
                          ", 'properties': {'write.metadata.path': 's3://warehouse/meta/b'}",
                          &f->err));
    EXPECT_OK(create_only(&l, f->arena, "gone", "", &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "gone", "", SET_PATH("s3://warehouse/far"), &f->err));
    EXPECT_OK(catalog_drop_table(l.catalog, in_main("gone"), false, &dropped, &f->err));
    ice_metadata_unref(load(&l, "a", &before));

    l = without_database(f, &l);
    ice_metadata *m = load(&l, "a", &after); /* as it was last, not as it was where it lay before */
    EXPECT_STR(after.metadata_location, str_to_c(f->arena, before.metadata_location));
    assert_int_equal(m->snapshot_count, 2);
    ice_metadata_unref(m);
    ice_metadata_unref(load(&l, "b", &after));
    expect_taken(&l, taken, COUNT_OF(taken));
    EXPECT_STATUS(INVALID, make_table(&l, "squat", STR("s3://warehouse/far"), &f->err));
    EXPECT_OK(catalog_undrop_table(l.catalog, in_main("gone"), STR_NULL, (table_name){0}, &f->err));
    EXPECT_STATUS(INVALID, make_table(&l, "squat", STR("s3://warehouse/far/x"), &f->err));
    EXPECT_OK(make_table(&l, "squat", STR("s3://warehouse/new/b"), &f->err));
    lake_close(&l);
}

typedef struct publication {
    lake *l;
    store_staged *staged;
} publication;

static status publish_one(void *context, state_txn *txn, error *err)
{
    publication *p = context;

    return store_publish(p->l->storage, txn, &p->staged, 1, err);
}

static status publish(lake *l, store_staged *staged, error *err)
{
    publication p = {l, staged};

    return state_submit(l->state, publish_one, &p, err);
}

static void test_a_copy_of_a_table_takes_nothing_of_it(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    table_info before, after;
    store_staged *staged = NULL;
    str bytes;

    EXPECT_OK(create_only(&l, f->arena, "t", AT("s3://warehouse/x/t"), &f->err));
    EXPECT_OK(append_one(&l, "t", STR("s3://warehouse/x/t/data/1.parquet"), &f->err));
    ice_metadata_unref(load(&l, "t", &before));
    EXPECT_OK(
        store_read_all(l.storage, before.metadata_location, LIMIT_MIB, f->arena, &bytes, &f->err));
    EXPECT_OK(store_stage_bytes(l.storage,
                                STR("s3://warehouse/a_copy/metadata/00099-copy.metadata.json"),
                                STR("application/json"), bytes, &staged, &f->err));
    EXPECT_OK(publish(&l, staged, &f->err));
    l = without_database(f, &l);
    ice_metadata_unref(load(&l, "t", &after));
    EXPECT_STR(after.metadata_location, str_to_c(f->arena, before.metadata_location));
    lake_close(&l);
}

TESTS(test_places_come_back_from_metadata_alone, test_a_copy_of_a_table_takes_nothing_of_it)

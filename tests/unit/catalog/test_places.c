/* Claims about the places of a table beside its location: the folders that properties name, and those where it lay
 * before, are its own until it is gone for good. */
#include "asks.h"

#include "tarn/base/clock.h"
#include "tarn/catalog/caller.h"
#include "tarn/catalog/dropped.h"
#include "tarn/catalog/located.h"
#include "tarn/catalog/staged.h"
#include "tarn/catalog/warehouse.h"

#define SET_PATH(place) "{'action': 'set-properties', 'updates': {'write.data.path': '" place "'}}"
#define SET_LOCATION(place) "{'action': 'set-location', 'location': '" place "'}"
#define AT(place) ", 'location': '" place "'"

static void test_a_folder_that_a_property_names_is_the_tables_own(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);

    EXPECT_OK(create_only(&l, f->arena, "a", "", &f->err));
    EXPECT_OK(create_only(&l, f->arena, "b", "", &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "a", "", SET_PATH("s3://warehouse/shared/d"), &f->err));
    EXPECT_STATUS(INVALID, create_only(&l, f->arena, "c", AT("s3://warehouse/shared"), &f->err));
    EXPECT_STATUS(INVALID, create_only(&l, f->arena, "c", AT("s3://warehouse/shared/d"), &f->err));
    EXPECT_STATUS(INVALID,
                  create_only(&l, f->arena, "c", AT("s3://warehouse/shared/d/x"), &f->err));
    EXPECT_STATUS(INVALID, make_table(&l, "c", STR("s3://warehouse/shared/d"), &f->err));
    EXPECT_STATUS(INVALID, commit_only(&l, f->arena, "b", "",
                                       SET_LOCATION("s3://warehouse/shared/d/b"), &f->err));
    EXPECT_STATUS(INVALID,
                  commit_only(&l, f->arena, "b", "", SET_PATH("s3://warehouse/shared/d"), &f->err));
    EXPECT_STATUS(INVALID,
                  commit_only(&l, f->arena, "b", "", SET_PATH("s3://warehouse/shared"), &f->err));
    EXPECT_OK(create_only(&l, f->arena, "c", AT("s3://warehouse/shared/e"), &f->err));
    /* nor does it become another's when the property goes */
    EXPECT_OK(commit_only(&l, f->arena, "a", "",
                          "{'action': 'remove-properties', 'removals': ['write.data.path']}",
                          &f->err));
    EXPECT_STATUS(INVALID,
                  commit_only(&l, f->arena, "b", "", SET_PATH("s3://warehouse/shared/d"), &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "a", "", SET_PATH("s3://warehouse/shared/d"), &f->err));
    lake_close(&l);
}

static void test_where_a_table_lay_before_stays_its_own(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    table_info info;
    table_name found;
    str *places = NULL;
    size_t count = 0;

    EXPECT_OK(create_only(&l, f->arena, "a", AT("s3://warehouse/old/a"), &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "a", "", SET_LOCATION("s3://warehouse/new/a"), &f->err));
    EXPECT_STATUS(INVALID, create_only(&l, f->arena, "b", AT("s3://warehouse/old/a"), &f->err));
    EXPECT_STATUS(INVALID, create_only(&l, f->arena, "b", AT("s3://warehouse/old"), &f->err));
    ice_metadata_unref(load(&l, "a", &info));
    EXPECT_OK(catalog_list_places(l.catalog, info.uuid, f->arena, &places, &count, &f->err));
    assert_int_equal(1, count);
    EXPECT_STR(places[0], "s3://warehouse/old/a");
    EXPECT_OK(
        catalog_find_at(l.catalog, STR("s3://warehouse/old/a/data/x"), f->arena, &found, &f->err));
    EXPECT_STR(found.table, "a");
    EXPECT_OK(commit_only(&l, f->arena, "a", "", SET_LOCATION("s3://warehouse/old/a"), &f->err));
    EXPECT_STATUS(INVALID, create_only(&l, f->arena, "b", AT("s3://warehouse/new/a"), &f->err));
    lake_close(&l);
}

static status is_free(void *context, error *err)
{
    lake *l = context;

    return make_table(l, "later", STR("s3://warehouse/apart"), err);
}

static void test_places_of_a_dropped_table_are_kept_until_it_is_purged(void **context)
{
    fixture *f = *context;
    lake l = lake_open_with(f, (lake_wishes){.retention_ms = INT64_C(3600000)});
    bool dropped = false;

    EXPECT_OK(create_only(&l, f->arena, "a", "", &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "a", "", SET_PATH("s3://warehouse/apart"), &f->err));
    EXPECT_OK(catalog_drop_table(l.catalog, in_main("a"), false, &dropped, &f->err));
    EXPECT_STATUS(INVALID, is_free(&l, &f->err));
    EXPECT_OK(catalog_undrop_table(l.catalog, in_main("a"), STR_NULL, (table_name){0}, &f->err));
    EXPECT_STATUS(INVALID, is_free(&l, &f->err));
    EXPECT_OK(catalog_purge_table(l.catalog, in_main("a"), false, &dropped, &f->err));
    while (is_free(&l, NULL) != STATUS_OK) { /* it is purged in the background */
        clock_sleep_ms(5);
    }
    lake_close(&l);
}

static void test_an_unregistered_table_has_no_places(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_loaded gone;

    EXPECT_OK(create_only(&l, f->arena, "a", "", &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "a", "", SET_PATH("s3://warehouse/apart"), &f->err));
    EXPECT_OK(catalog_unregister_table(l.catalog, in_main("a"), f->arena, &gone, &f->err));
    ice_metadata_unref(gone.metadata);
    EXPECT_OK(is_free(&l, &f->err));
    lake_close(&l);
}

static void test_a_tables_places_lie_in_its_warehouse(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);

    EXPECT_OK(catalog_create_warehouse(l.catalog, STR("w2"), STR("s3://w2bk"), &f->err));
    EXPECT_OK(create_only(&l, f->arena, "a", "", &f->err));
    EXPECT_STATUS(DENIED, commit_only(&l, f->arena, "a", "", SET_PATH("s3://w2bk/a"), &f->err));
    EXPECT_STATUS(DENIED,
                  create_only(&l, f->arena, "b",
                              ", 'properties': {'write.metadata.path': 's3://w2bk/b'}", &f->err));
    lake_close(&l);
}

/* anna stages a table at s3://warehouse/staged/t; her keys end at `ends_us`. */
static void stage(lake *l, int64_t ends_us, error *err)
{
    ice_metadata nothing = {0};
    table_name dropped;
    const catalog_staged staged = {.name = in_main("staged"),
                                   .uuid = STR("00000000-0000-4000-8000-00000000000a"),
                                   .location = STR("s3://warehouse/staged/t"),
                                   .principal = STR("anna"),
                                   .ends_us = ends_us,
                                   .chosen = true,
                                   .metadata = &nothing};

    EXPECT_OK(catalog_hold_staged(l->catalog, &staged, l->f->arena, &dropped, err));
    assert_int_equal(0, dropped.table.size);
}

static status create_as(lake *l, str principal, const char *name, const char *place, error *err)
{
    const catalog_caller caller = {.principal = principal};

    catalog_set_caller(&caller);
    status result = create_only(l, l->f->arena, name, place, err);
    catalog_set_caller(NULL);
    return result;
}

static void test_the_place_of_a_staged_table_is_its_principals_until_its_keys_end(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    const char *at = AT("s3://warehouse/staged/t");

    stage(&l, clock_now_us() + INT64_C(3600000000), &f->err);
    EXPECT_STATUS(INVALID, create_as(&l, STR("berta"), "b", at, &f->err));
    EXPECT_STATUS(INVALID, create_as(&l, STR("berta"), "b", AT("s3://warehouse/staged"), &f->err));
    EXPECT_STATUS(INVALID,
                  create_as(&l, STR("berta"), "b", AT("s3://warehouse/staged/t/x"), &f->err));
    EXPECT_STATUS(INVALID, make_table(&l, "b", STR("s3://warehouse/staged/t"), &f->err));
    EXPECT_OK(create_as(&l, STR("anna"), "a", at, &f->err));
    EXPECT_OK(create_as(&l, STR("berta"), "c", AT("s3://warehouse/staged/t2"), &f->err));
    lake_close(&l);
}

static void test_the_place_of_a_staged_table_is_free_when_its_keys_ended(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);

    stage(&l, clock_now_us() - 1, &f->err);
    EXPECT_OK(create_as(&l, STR("berta"), "b", AT("s3://warehouse/staged/t"), &f->err));
    lake_close(&l);
}

static status renew(lake *l, str principal, str *ret_location, error *err)
{
    const catalog_staged asked = {.name = in_main("staged"),
                                  .principal = principal,
                                  .key = STR("k"),
                                  .ends_us = clock_now_us() + INT64_C(3600000000)};
    catalog_staged held;
    table_name dropped;

    TRY(catalog_renew_staged(l->catalog, &asked, l->f->arena, &held, &dropped, err));
    *ret_location = held.location;
    return STATUS_OK;
}

static void test_a_hold_that_ended_goes_on_when_its_holder_asks_for_keys_again(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    const char *at = AT("s3://warehouse/staged/t");
    str location = STR_NULL;

    EXPECT_STATUS(NO_TABLE, renew(&l, STR("anna"), &location, &f->err));
    stage(&l, clock_now_us() - 1, &f->err);
    EXPECT_STATUS(NO_TABLE, renew(&l, STR("berta"), &location, &f->err));
    EXPECT_OK(renew(&l, STR("anna"), &location, &f->err));
    EXPECT_STR(location, "s3://warehouse/staged/t");
    EXPECT_STATUS(INVALID, create_as(&l, STR("berta"), "b", at, &f->err));
    lake_close(&l);
}

static void test_a_hold_that_ended_does_not_go_on_where_another_table_lies(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    str location = STR_NULL;

    stage(&l, clock_now_us() - 1, &f->err);
    EXPECT_OK(create_as(&l, STR("berta"), "b", AT("s3://warehouse/staged/t/x"), &f->err));
    EXPECT_STATUS(INVALID, renew(&l, STR("anna"), &location, &f->err));
    lake_close(&l);
}

static void test_a_hold_that_ended_a_day_ago_is_forgotten(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    str location = STR_NULL;

    stage(&l, clock_now_us() - INT64_C(86401000000), &f->err);
    EXPECT_STATUS(NO_TABLE, renew(&l, STR("anna"), &location, &f->err));
    lake_close(&l);
}

TESTS(test_a_folder_that_a_property_names_is_the_tables_own,
      test_where_a_table_lay_before_stays_its_own,
      test_places_of_a_dropped_table_are_kept_until_it_is_purged,
      test_an_unregistered_table_has_no_places, test_a_tables_places_lie_in_its_warehouse,
      test_the_place_of_a_staged_table_is_its_principals_until_its_keys_end,
      test_the_place_of_a_staged_table_is_free_when_its_keys_ended,
      test_a_hold_that_ended_goes_on_when_its_holder_asks_for_keys_again,
      test_a_hold_that_ended_does_not_go_on_where_another_table_lies,
      test_a_hold_that_ended_a_day_ago_is_forgotten)

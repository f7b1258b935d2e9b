/* Claims about what keys of a table that went may read: what it left, until that is another's. */
#include "lake.h"

#include "internal.h"
#include "tarn/access/s3.h"

static status wait_for_purge(void *context, state_txn *txn, error *err)
{
    return STATE_EXEC(txn,
                      "INSERT INTO purges (uuid, location, metadata_location)"
                      " VALUES ('theirs', ?1, ?1 || '/m')",
                      NULL, err, SV_TEXT(str_c(context)));
}

static void test_what_is_to_be_purged_is_no_others_to_read(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    char place[] = "s3://warehouse/gone/t";
    const s3_scope scopes[] = {{.bucket = STR("warehouse"), .prefix = STR("gone/t/")},
                               {.bucket = STR("warehouse"), .prefix = STR("gone/")},
                               {.bucket = STR("warehouse"), .prefix = STR("gone/t/data/")},
                               {.bucket = STR("warehouse"), .prefix = STR("gone/t2/")}};

    for (size_t i = 0; i < COUNT_OF(scopes); i++) {
        assert_false(catalog__is_taken(l.catalog, STR("mine"), &scopes[i], 1));
    }
    EXPECT_OK(state_submit(l.state, wait_for_purge, place, &f->err));
    for (size_t i = 0; i < COUNT_OF(scopes); i++) {
        assert_int_equal(catalog__is_taken(l.catalog, STR("mine"), &scopes[i], 1), i < 3);
        assert_false(catalog__is_taken(l.catalog, STR("theirs"), &scopes[i], 1));
    }
    lake_close(&l);
}

static void test_what_lies_where_another_table_is_made_is_its_own(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    const s3_scope scope = {.bucket = STR("warehouse"), .prefix = STR("place/t/")};

    assert_false(catalog__is_taken(l.catalog, STR("mine"), &scope, 1));
    EXPECT_OK(make_table(&l, "t", STR("s3://warehouse/place/t"), &f->err));
    assert_true(catalog__is_taken(l.catalog, STR("mine"), &scope, 1));
    lake_close(&l);
}

TESTS(test_what_is_to_be_purged_is_no_others_to_read,
      test_what_lies_where_another_table_is_made_is_its_own)

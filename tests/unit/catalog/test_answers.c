/* Kept answers: in the transaction of their effect, a principal's own, and gone when they are old; and tables by the
 * places they lie at. */
#include "lake.h"

#include "tarn/base/clock.h"
#include "tarn/catalog/answers.h"
#include "tarn/catalog/caller.h"
#include "tarn/catalog/dropped.h"
#include "tarn/catalog/located.h"

static const table_name t = {STR_INIT("main"), STR_INIT("t")};
static const catalog_answer ada = {.principal = STR_INIT("ada"),
                                   .key = STR_INIT("k1"),
                                   .digest = STR_INIT("d1"),
                                   .status = 200,
                                   .kind = STR_INIT("table"),
                                   .body = STR_INIT("main\nt")};

static bool find(lake *l, const char *principal, const char *key, catalog_answer *ret_answer)
{
    bool found = false;

    EXPECT_OK(catalog_find_answer(l->catalog, str_c(principal), str_c(key), l->f->arena, &found,
                                  ret_answer, &l->f->err));
    return found;
}

static void test_an_answer_is_found_by_principal_and_key(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_answer found;

    assert_false(find(&l, "ada", "k1", &found));
    EXPECT_OK(catalog_keep_answer(l.catalog, &ada, &f->err));
    assert_true(find(&l, "ada", "k1", &found));
    EXPECT_STR(found.digest, "d1");
    EXPECT_STR(found.kind, "table");
    EXPECT_STR(found.body, "main\nt");
    assert_int_equal(found.status, 200);
    assert_false(find(&l, "bob", "k1", &found));
    assert_false(find(&l, "ada", "k2", &found));
    lake_close(&l);
}

static status put_then(void *context, state_txn *txn, const catalog_event *event, error *err)
{
    const bool *fails = context;

    (void)event;
    TRY(catalog_put_answer(txn, &ada, err));
    return *fails ? error_set(err, STATUS_CONFLICT, "no") : STATUS_OK;
}

static void test_an_answer_is_there_if_and_only_if_its_effect_is(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    bool fails = true;
    bool protected_now = true;
    catalog_answer found;
    const catalog_caller caller = {.effect = put_then, .context = &fails};

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    catalog_set_caller(&caller);
    EXPECT_STATUS(CONFLICT, catalog_protect(l.catalog, t, true, &f->err));
    assert_false(find(&l, "ada", "k1", &found));
    EXPECT_OK(catalog_is_protected(l.catalog, t, &protected_now, &f->err));
    assert_false(protected_now);
    fails = false;
    EXPECT_OK(catalog_protect(l.catalog, t, true, &f->err));
    catalog_set_caller(NULL);
    assert_true(find(&l, "ada", "k1", &found));
    lake_close(&l);
}

static void test_old_answers_are_forgotten_and_young_ones_are_not(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_answer later = ada;
    catalog_answer found;

    EXPECT_OK(catalog_keep_answer(l.catalog, &ada, &f->err));
    int64_t between_us = clock_now_us() + 1;
    while (clock_now_us() <= between_us) {}
    later.key = STR("k2");
    EXPECT_OK(catalog_keep_answer(l.catalog, &later, &f->err));
    EXPECT_OK(catalog_forget_answers(l.catalog, between_us, &f->err));
    assert_false(find(&l, "ada", "k1", &found));
    assert_true(find(&l, "ada", "k2", &found));
    lake_close(&l);
}

static void test_answers_are_forgotten_by_time_alone(void **context)
{
    fixture *f = *context;
    lake l = lake_open_with(f, (lake_wishes){.answers_kept_ms = 1});
    catalog_answer found;

    EXPECT_OK(catalog_keep_answer(l.catalog, &ada, &f->err));
    int64_t until_ms = clock_mono_ms() + 60000;
    while (find(&l, "ada", "k1", &found) && clock_mono_ms() < until_ms) {
        clock_sleep_ms(10);
    }
    assert_false(find(&l, "ada", "k1", &found));
    lake_close(&l);
}

static void test_a_file_leads_to_the_table_in_whose_place_it_lies(void **context)
{
    static const struct {
        const char *location, *table; /* NULL: none */
    } cases[] = {
        {"s3://warehouse/area/t1", "t1"},
        {"s3://warehouse/area/t1/data/x", "t1"},
        {"s3://warehouse/area/t10/data/x", "t10"},
        {"s3://warehouse/area/t1x", NULL},
        {"s3://warehouse/area", NULL},
        {"s3://warehouse/area/", NULL},
        {"s3://other/area/t1/x", NULL},
        {"", NULL},
    };
    fixture *f = *context;
    lake l = lake_open(f);
    table_name found;

    EXPECT_OK(make_table(&l, "t1", STR("s3://warehouse/area/t1"), &f->err));
    EXPECT_OK(make_table(&l, "t10", STR("s3://warehouse/area/t10"), &f->err));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        status result =
            catalog_find_at(l.catalog, str_c(cases[i].location), f->arena, &found, NULL);

        assert_int_equal(result, cases[i].table != NULL ? STATUS_OK : STATUS_NO_TABLE);
        if (cases[i].table != NULL) {
            EXPECT_STR(found.table, cases[i].table);
        }
    }
    lake_close(&l);
}

static void test_a_folder_with_another_tables_files_is_not_a_tables_own(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    str mine = STR("s3://warehouse/area/t1");
    str uuid = STR("11111111-1111-1111-1111-111111111111");
    str settled;

    EXPECT_OK(make_table(&l, "t2", STR("s3://warehouse/area/t2"), &f->err));
    EXPECT_OK(catalog_check_folder(l.catalog, mine, uuid, STR("s3://warehouse/area/t1/data"),
                                   f->arena, &settled, &f->err));
    EXPECT_OK(catalog_check_folder(l.catalog, mine, uuid, STR("s3://warehouse/area/aside/"),
                                   f->arena, &settled, &f->err));
    EXPECT_STR(settled, "s3://warehouse/area/aside");
    EXPECT_STATUS(INVALID, catalog_check_folder(l.catalog, mine, uuid, STR("s3://warehouse/area"),
                                                f->arena, &settled, &f->err));
    EXPECT_STATUS(INVALID,
                  catalog_check_folder(l.catalog, mine, uuid, STR("s3://warehouse/area/t2/x"),
                                       f->arena, &settled, &f->err));
    EXPECT_STATUS(DENIED, catalog_check_folder(l.catalog, mine, uuid, STR("s3://elsewhere/x"),
                                               f->arena, &settled, &f->err));
    lake_close(&l);
}

TESTS(test_an_answer_is_found_by_principal_and_key,
      test_an_answer_is_there_if_and_only_if_its_effect_is,
      test_old_answers_are_forgotten_and_young_ones_are_not,
      test_answers_are_forgotten_by_time_alone,
      test_a_file_leads_to_the_table_in_whose_place_it_lies,
      test_a_folder_with_another_tables_files_is_not_a_tables_own)

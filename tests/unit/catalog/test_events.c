/* Events: one for each change, in its transaction, with who made it; reading, keeping, and what webhooks were told. */
#include "lake.h"

#include "tarn/base/clock.h"
#include "tarn/catalog/caller.h"
#include "tarn/catalog/dropped.h"
#include "tarn/catalog/event.h"

static const table_name t = {STR_INIT("main"), STR_INIT("t")};

static catalog_event *events(lake *l, int64_t after, str kind, size_t *ret_count)
{
    catalog_event *list = NULL;
    EXPECT_OK(catalog_list_events(l->catalog, after, kind, 1000, l->f->arena, &list, ret_count,
                                  &l->f->err));
    return list;
}

static void test_a_change_leaves_an_event_of_its_caller(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    size_t count = 0;
    const catalog_caller caller = {.principal = STR("ada"),
                                   .via = STR("api"),
                                   .peer = STR("127.0.0.1"),
                                   .agent = STR("test/1"),
                                   .request_id = STR("r1")};

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    catalog_set_caller(&caller);
    EXPECT_OK(catalog_protect(l.catalog, t, true, &f->err));
    catalog_set_caller(NULL);
    EXPECT_OK(catalog_protect(l.catalog, t, false, &f->err));
    catalog_event *list = events(&l, 0, STR("table.protected"), &count);
    assert_int_equal(2, count);
    EXPECT_STR(list[0].principal, "ada");
    EXPECT_STR(list[0].via, "api");
    EXPECT_STR(list[0].peer, "127.0.0.1");
    EXPECT_STR(list[0].agent, "test/1");
    EXPECT_STR(list[0].request_id, "r1");
    EXPECT_STR(list[0].name.space, "main");
    EXPECT_STR(list[0].name.table, "t");
    EXPECT_STR(list[0].detail, "{\"protected\":true}");
    EXPECT_STR(list[1].principal, "");
    assert_true(list[1].id > list[0].id);
    (void)events(&l, list[1].id, STR_NULL, &count);
    assert_int_equal(0, count);
    catalog_event *none = NULL;
    EXPECT_STATUS(INVALID, catalog_list_events(l.catalog, 0, STR("table.droped"), 10, f->arena,
                                               &none, &count, &f->err));
    EXPECT_HINT(f, "Did you mean \"table.dropped\"?");
    lake_close(&l);
}

static status refuse(void *context, state_txn *txn, const catalog_event *event, error *err)
{
    int *seen = context;
    (void)txn;
    (*seen)++;
    return error_set(err, STATUS_CONFLICT, "no %s", event_kind_name(event->kind));
}

static void test_an_effect_that_fails_undoes_the_change_and_its_event(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    size_t count = 0;
    int seen = 0;
    bool dropped = false;
    bool is_protected = true;
    table_info info;
    const catalog_caller caller = {.effect = refuse, .context = &seen};

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    catalog_set_caller(&caller);
    EXPECT_STATUS(CONFLICT, catalog_drop_table(l.catalog, t, false, &dropped, &f->err));
    EXPECT_STATUS(CONFLICT, catalog_protect(l.catalog, t, true, &f->err));
    catalog_set_caller(NULL);
    assert_int_equal(2, seen);
    EXPECT_OK(catalog_is_protected(l.catalog, t, &is_protected, &f->err));
    assert_false(is_protected);
    ice_metadata_unref(load(&l, "t", &info));
    (void)events(&l, 0, STR("table.dropped"), &count);
    assert_int_equal(0, count);
    lake_close(&l);
}

static void toggle(lake *l, int times)
{
    for (int i = 0; i < times; i++) {
        EXPECT_OK(catalog_protect(l->catalog, t, i % 2 == 0, &l->f->err));
    }
}

static void reopen(lake *l, int64_t kept_ms)
{
    catalog_close(l->catalog);
    const catalog_options options = {.state = l->state,
                                     .storage = l->storage,
                                     .warehouse = STR("tarn"),
                                     .warehouse_location = STR("s3://warehouse"),
                                     .events_kept_ms = kept_ms};
    EXPECT_OK(catalog_open(&options, &l->catalog, &l->f->err));
}

static size_t count_after_trimming(lake *l, size_t wanted)
{
    size_t count = 0;
    do { /* the keeper begins with it */
        (void)events(l, 0, STR_NULL, &count);
        clock_sleep_ms(2);
    } while (count > wanted);
    return count;
}

static void test_old_events_go_but_ids_go_on_growing(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    size_t count = 0;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    toggle(&l, 10);
    catalog_event *list = events(&l, 0, STR_NULL, &count);
    int64_t last = list[count - 1].id;
    clock_sleep_ms(5);
    reopen(&l, 1);
    assert_int_equal(1, count_after_trimming(&l, 1));
    toggle(&l, 1);
    list = events(&l, last, STR_NULL, &count);
    assert_int_equal(1, count);
    assert_int_equal(last + 1, list[0].id);
    lake_close(&l);
}

static void test_what_a_webhook_was_not_told_stays(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    const str urls[] = {STR("http://one"), STR("http://two")};
    size_t count = 0;
    int64_t sent = 0, last = 0;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    toggle(&l, 4);
    EXPECT_OK(catalog_settle_webhooks(l.catalog, urls, 2, &f->err));
    EXPECT_OK(catalog_read_webhook(l.catalog, urls[0], &sent, &last, &f->err));
    assert_int_equal(sent, last); /* a new one is told what happens from now on */
    toggle(&l, 4);
    EXPECT_OK(catalog_advance_webhook(l.catalog, urls[0], sent + 4, &f->err));
    EXPECT_OK(catalog_advance_webhook(l.catalog, urls[1], sent + 2, &f->err));
    EXPECT_OK(catalog_advance_webhook(l.catalog, urls[1], sent + 1, &f->err)); /* never back */
    clock_sleep_ms(5);
    reopen(&l, 1);
    assert_int_equal(2, count_after_trimming(&l, 2));
    assert_int_equal(sent + 3, events(&l, 0, STR_NULL, &count)[0].id);
    EXPECT_OK(catalog_settle_webhooks(l.catalog, urls, 1, &f->err));
    EXPECT_STATUS(NOT_FOUND, catalog_read_webhook(l.catalog, urls[1], &sent, &last, &f->err));
    reopen(&l, 1);
    assert_int_equal(1, count_after_trimming(&l, 1));
    lake_close(&l);
}

TESTS(test_a_change_leaves_an_event_of_its_caller,
      test_an_effect_that_fails_undoes_the_change_and_its_event,
      test_old_events_go_but_ids_go_on_growing, test_what_a_webhook_was_not_told_stays)

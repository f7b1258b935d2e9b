/* Claims about object lock: what may be deleted, shortened, lengthened, and by whom. */
#include "bucket_world.h"

#include "tarn/base/clock.h"

#define B "locked"
#define HOUR_US (INT64_C(3600) * 1000000)

static world locked_world(fixture *f)
{
    world w = world_open(f);
    bucket_info bucket = {.name = STR(B), .owner = STR("alice"), .lock_enabled = true};

    EXPECT_OK(bucket_create(w.storage, &bucket, &f->err));
    return w;
}

static status retain(fixture *f, world *w, str version, object_lock_mode mode, int64_t until_us,
                     bool bypass)
{
    return object_set_retention(w->storage, STR(B), STR("k"), version, mode, until_us, bypass,
                                &f->err);
}

static status delete_locked(fixture *f, world *w, str version, bool bypass)
{
    object_delete_request request = {.key = STR("k"),
                                     .version = version,
                                     .conditions = OBJECT_CONDITIONS_NONE,
                                     .bypass_governance = bypass};

    return delete_with(f, w, B, request).result;
}

static void test_governance_yields_to_who_may_bypass_it(void **context)
{
    fixture *f = *context;
    world w = locked_world(f);
    object_info info = put_object(f, &w, B, "k", "1");
    int64_t now_us = clock_now_us();

    EXPECT_OK(retain(f, &w, info.version, LOCK_GOVERNANCE, now_us + HOUR_US, false));
    assert_int_equal(delete_locked(f, &w, info.version, false), STATUS_DENIED);
    EXPECT_STR(text_of(f, &w, B, "k", info.version), "1");
    assert_true(delete_object(f, &w, B, "k", STR_NULL).made_marker); /* a marker hides alone */
    EXPECT_OK(retain(f, &w, info.version, LOCK_GOVERNANCE, now_us + 2 * HOUR_US, false));
    EXPECT_STATUS(DENIED, retain(f, &w, info.version, LOCK_GOVERNANCE, now_us + HOUR_US, false));
    assert_string_equal(error_s3_code(&f->err), "AccessDenied");
    EXPECT_STATUS(DENIED, retain(f, &w, info.version, LOCK_NONE, 0, false));
    EXPECT_STATUS(DENIED,
                  retain(f, &w, info.version, LOCK_COMPLIANCE, now_us + 3 * HOUR_US, false));
    EXPECT_OK(retain(f, &w, info.version, LOCK_GOVERNANCE, now_us + HOUR_US, true));
    assert_int_equal(delete_locked(f, &w, info.version, true), STATUS_OK);
    EXPECT_STR(text_of(f, &w, B, "k", info.version), "NoSuchVersion");
    world_close(&w);
}

static void test_compliance_yields_to_nobody(void **context)
{
    fixture *f = *context;
    world w = locked_world(f);
    object_info info = put_object(f, &w, B, "k", "1");
    int64_t now_us = clock_now_us();

    EXPECT_OK(retain(f, &w, info.version, LOCK_COMPLIANCE, now_us + HOUR_US, false));
    assert_int_equal(delete_locked(f, &w, info.version, true), STATUS_DENIED);
    EXPECT_STATUS(DENIED, retain(f, &w, info.version, LOCK_COMPLIANCE, now_us + HOUR_US / 2, true));
    EXPECT_STATUS(DENIED, retain(f, &w, info.version, LOCK_NONE, 0, true));
    EXPECT_STATUS(DENIED, retain(f, &w, info.version, LOCK_GOVERNANCE, now_us + 9 * HOUR_US, true));
    EXPECT_OK(retain(f, &w, info.version, LOCK_COMPLIANCE, now_us + 2 * HOUR_US, false));
    assert_int_equal(delete_locked(f, &w, info.version, true), STATUS_DENIED);
    EXPECT_STR(text_of(f, &w, B, "k", STR_NULL), "1");
    world_close(&w);
}

static void test_a_legal_hold_holds_without_end(void **context)
{
    fixture *f = *context;
    world w = locked_world(f);
    object_info info = put_object(f, &w, B, "k", "1");
    object_info found;

    EXPECT_OK(object_set_legal_hold(w.storage, STR(B), STR("k"), info.version, true, &f->err));
    EXPECT_OK(object_find(w.storage, STR(B), STR("k"), STR_NULL, f->arena, &found, &f->err));
    assert_true(found.attributes.lock.legal_hold);
    assert_int_equal(delete_locked(f, &w, info.version, true), STATUS_DENIED);
    EXPECT_OK(object_set_legal_hold(w.storage, STR(B), STR("k"), info.version, false, &f->err));
    assert_int_equal(delete_locked(f, &w, info.version, false), STATUS_OK);
    world_close(&w);
}

static void test_a_retention_that_is_over_holds_nothing(void **context)
{
    fixture *f = *context;
    world w = locked_world(f);
    object_info info = put_object(f, &w, B, "k", "1");

    EXPECT_OK(retain(f, &w, info.version, LOCK_COMPLIANCE, clock_now_us() - HOUR_US, false));
    EXPECT_OK(retain(f, &w, info.version, LOCK_NONE, 0, false));
    EXPECT_OK(retain(f, &w, info.version, LOCK_COMPLIANCE, clock_now_us() - HOUR_US, false));
    assert_int_equal(delete_locked(f, &w, info.version, false), STATUS_OK);
    world_close(&w);
}

static void test_the_buckets_default_is_given_to_what_comes_without(void **context)
{
    fixture *f = *context;
    world w = locked_world(f);
    int64_t day_us = 24 * HOUR_US;
    object_attributes own = {.lock = {.mode = LOCK_COMPLIANCE}};
    object_info info;
    int64_t before_us;

    EXPECT_OK(bucket_set_document(w.storage, STR(B), "object-lock",
                                  QUOTED(f, "{'mode':'GOVERNANCE','days':3}"), &f->err));
    before_us = clock_now_us();
    info = put_object(f, &w, B, "k", "1");
    assert_int_equal(info.attributes.lock.mode, LOCK_GOVERNANCE);
    assert_true(info.attributes.lock.retain_until_us >= before_us + 3 * day_us);
    assert_true(info.attributes.lock.retain_until_us <= clock_now_us() + 3 * day_us);
    EXPECT_OK(object_find(w.storage, STR(B), STR("k"), STR_NULL, f->arena, &info, &f->err));
    assert_int_equal(info.attributes.lock.mode, LOCK_GOVERNANCE);
    own.lock.retain_until_us = before_us + HOUR_US;
    EXPECT_OK(try_put(&w, f->arena, B, STR("k"), STR("2"), &own, NULL, &info, &f->err));
    assert_int_equal(info.attributes.lock.mode, LOCK_COMPLIANCE);
    assert_int_equal(info.attributes.lock.retain_until_us, before_us + HOUR_US);
    EXPECT_OK(bucket_set_document(w.storage, STR(B), "object-lock",
                                  QUOTED(f, "{'mode':'COMPLIANCE','years':2}"), &f->err));
    info = put_object(f, &w, B, "k", "3");
    assert_int_equal(info.attributes.lock.mode, LOCK_COMPLIANCE);
    assert_true(info.attributes.lock.retain_until_us >= before_us + 730 * day_us);
    EXPECT_OK(bucket_set_document(w.storage, STR(B), "object-lock", STR("{}"), &f->err));
    assert_int_equal(put_object(f, &w, B, "k", "4").attributes.lock.mode, LOCK_NONE);
    world_close(&w);
}

static void test_without_object_lock_there_are_no_locks(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_attributes own = {.lock = {.mode = LOCK_GOVERNANCE, .retain_until_us = INT64_MAX}};
    object_info info;

    make_bucket(f, &w, B, VERSIONING_ENABLED);
    EXPECT_STATUS(INVALID,
                  try_put(&w, f->arena, B, STR("k"), STR("1"), &own, NULL, &info, &f->err));
    assert_string_equal(error_s3_code(&f->err), "InvalidRequest");
    put_object(f, &w, B, "k", "1");
    EXPECT_STATUS(INVALID, retain(f, &w, STR_NULL, LOCK_GOVERNANCE, INT64_MAX, true));
    EXPECT_STATUS(INVALID,
                  object_set_legal_hold(w.storage, STR(B), STR("k"), STR_NULL, true, &f->err));
    world_close(&w);
}

TESTS(test_governance_yields_to_who_may_bypass_it, test_compliance_yields_to_nobody,
      test_a_legal_hold_holds_without_end, test_a_retention_that_is_over_holds_nothing,
      test_the_buckets_default_is_given_to_what_comes_without,
      test_without_object_lock_there_are_no_locks)

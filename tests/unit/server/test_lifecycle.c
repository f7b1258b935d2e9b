/* Claims about lifecycle rules that are followed: what goes, when, and what stays. Days pass by being told so. */
#include "s3/lifecycle.h"

#include "tarn/base/clock.h"
#include "unit/store/bucket_world.h"

#define B "first"
#define DAY_US (INT64_C(86400) * 1000000)

static void set_rules(fixture *f, world *w, const char *rules)
{
    EXPECT_OK(bucket_set_document(
        w->storage, STR(B), "lifecycle",
        str_printf(f->arena, "<LifecycleConfiguration>%s</LifecycleConfiguration>", rules),
        &f->err));
}

#define RULE(prefix, actions)                                                                      \
    "<Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix>" prefix "</Prefix></Filter>" actions \
    "</Rule>"

static lifecycle_counts days_later(fixture *f, world *w, int days)
{
    lifecycle_counts counts = {0};

    EXPECT_OK(lifecycle_run_once(w->storage, NULL, clock_now_us() + days * DAY_US, DAY_US, &counts,
                                 &f->err));
    return counts;
}

static str all_versions(fixture *f, world *w)
{
    return list_text(f, w,
                     (object_listing){.bucket = STR(B),
                                      .prefix = STR(""),
                                      .delimiter = STR(""),
                                      .max = 1000,
                                      .versions = true});
}

static void test_objects_below_the_prefix_go_when_their_days_are_over(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    make_bucket(f, &w, B, VERSIONING_OFF);
    put_object(f, &w, B, "a/1", "x");
    put_object(f, &w, B, "b/1", "x");
    set_rules(f, &w, RULE("a/", "<Expiration><Days>3</Days></Expiration>"));
    assert_int_equal(days_later(f, &w, 2).expired, 0);
    EXPECT_STR(all_versions(f, &w), "a/1 b/1");
    assert_int_equal(days_later(f, &w, 4).expired, 1);
    EXPECT_STR(all_versions(f, &w), "b/1");
    EXPECT_OK(bucket_set_document(w.storage, STR(B), "lifecycle", STR_NULL, &f->err));
    assert_int_equal(days_later(f, &w, 400).expired, 0);
    world_close(&w);
}

static void test_where_there_are_versions_a_marker_comes_and_goes(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    lifecycle_counts counts;

    make_bucket(f, &w, B, VERSIONING_ENABLED);
    put_object(f, &w, B, "k", "1");
    set_rules(f, &w,
              RULE("", "<Expiration><Days>1</Days></Expiration>"
                       "<NoncurrentVersionExpiration><NoncurrentDays>5</NoncurrentDays>"
                       "</NoncurrentVersionExpiration>"));
    assert_int_equal(days_later(f, &w, 3).expired, 1);
    EXPECT_STR(all_versions(f, &w), "k! k*");
    counts = days_later(f, &w, 3);
    assert_int_equal(counts.expired + counts.noncurrent + counts.markers, 0);
    assert_int_equal(days_later(f, &w, 7).noncurrent, 1);
    EXPECT_STR(all_versions(f, &w), "k!");
    assert_int_equal(days_later(f, &w, 7).markers, 1);
    EXPECT_STR(all_versions(f, &w), "");
    world_close(&w);
}

static void test_the_newest_of_the_older_versions_are_kept(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    make_bucket(f, &w, B, VERSIONING_ENABLED);
    for (int i = 0; i < 6; i++) {
        put_object(f, &w, B, "k", "x");
    }
    put_object(f, &w, B, "l", "x");
    set_rules(f, &w,
              RULE("", "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
                       "<NewerNoncurrentVersions>2</NewerNoncurrentVersions>"
                       "</NoncurrentVersionExpiration>"));
    assert_int_equal(days_later(f, &w, 3).noncurrent, 3);
    EXPECT_STR(all_versions(f, &w), "k k* k* l");
    assert_int_equal(days_later(f, &w, 3).noncurrent, 0);
    world_close(&w);
}

static void test_a_marker_that_hides_something_stays(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_info info;

    make_bucket(f, &w, B, VERSIONING_ENABLED);
    info = put_object(f, &w, B, "k", "1");
    delete_object(f, &w, B, "k", STR_NULL);
    delete_object(f, &w, B, "m", STR_NULL);
    set_rules(f, &w,
              RULE("", "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"
                       "</Expiration>"));
    assert_int_equal(days_later(f, &w, 0).markers, 1);
    EXPECT_STR(all_versions(f, &w), "k! k*");
    delete_object(f, &w, B, "k", info.version);
    assert_int_equal(days_later(f, &w, 0).markers, 1);
    EXPECT_STR(all_versions(f, &w), "");
    world_close(&w);
}

static void test_what_is_locked_stays(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    bucket_info bucket = {.name = STR(B), .lock_enabled = true};
    object_info info;

    EXPECT_OK(bucket_create(w.storage, &bucket, &f->err));
    info = put_object(f, &w, B, "k", "1");
    EXPECT_OK(object_set_legal_hold(w.storage, STR(B), STR("k"), info.version, true, &f->err));
    put_object(f, &w, B, "k", "2");
    put_object(f, &w, B, "k", "3");
    set_rules(f, &w,
              RULE("", "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
                       "</NoncurrentVersionExpiration>"));
    days_later(f, &w, 3);
    EXPECT_STR(all_versions(f, &w), "k k*");
    EXPECT_STR(text_of(f, &w, B, "k", info.version), "1");
    world_close(&w);
}

static void test_more_than_a_page_of_versions_goes_in_one_round(void **context)
{
    fixture *f = *context;
    world w = world_open_with(f, (storage_options){.unsafe = true});

    make_bucket(f, &w, B, VERSIONING_ENABLED);
    for (int i = 0; i < 1203; i++) {
        put_object(f, &w, B, i % 3 == 0 ? "k" : "l", "x");
    }
    set_rules(f, &w,
              RULE("", "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
                       "</NoncurrentVersionExpiration>"));
    days_later(f, &w, 3);
    EXPECT_STR(all_versions(f, &w), "k l");
    assert_int_equal(usage_of(f, &w, B).versions, 0);
    world_close(&w);
}

static void test_uploads_that_nobody_completed_are_aborted(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    upload_info upload = {.bucket = STR(B), .key = STR("a/k"), .initiator = STR("alice")};
    upload_page page;
    str id;

    make_bucket(f, &w, B, VERSIONING_OFF);
    EXPECT_OK(upload_create(w.storage, &upload, f->arena, &id, &f->err));
    upload.key = STR("b/k");
    EXPECT_OK(upload_create(w.storage, &upload, f->arena, &id, &f->err));
    set_rules(f, &w,
              RULE("a/", "<AbortIncompleteMultipartUpload><DaysAfterInitiation>2"
                         "</DaysAfterInitiation></AbortIncompleteMultipartUpload>"));
    assert_int_equal(days_later(f, &w, 1).aborted, 0);
    assert_int_equal(days_later(f, &w, 4).aborted, 1);
    EXPECT_OK(upload_list(w.storage, STR(B), STR(""), STR(""), STR_NULL, STR_NULL, 10, f->arena,
                          &page, &f->err));
    assert_int_equal(page.count, 1);
    EXPECT_STR(page.uploads[0].key, "b/k");
    world_close(&w);
}

TESTS(test_objects_below_the_prefix_go_when_their_days_are_over,
      test_where_there_are_versions_a_marker_comes_and_goes,
      test_the_newest_of_the_older_versions_are_kept, test_a_marker_that_hides_something_stays,
      test_what_is_locked_stays, test_more_than_a_page_of_versions_goes_in_one_round,
      test_uploads_that_nobody_completed_are_aborted)

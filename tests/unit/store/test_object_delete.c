/* Claims about deleting: what goes, what a refusal leaves, many at once, and that bytes go with their last row. */
#include "bucket_world.h"

#define B "first"
#define MANY 2500

static void test_what_is_not_there_is_as_the_caller_wants_it(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_conditions conditions = OBJECT_CONDITIONS_NONE;
    object_delete_result result;

    conditions.if_match = STR("other");
    make_bucket(f, &w, B, VERSIONING_OFF);
    result = delete_object(f, &w, B, "k", STR_NULL);
    assert_int_equal(result.result, STATUS_OK);
    assert_false(result.made_marker);
    assert_int_equal(result.version.size, 0);
    assert_int_equal(delete_object(f, &w, B, "k", STR("null")).result, STATUS_OK);
    result =
        delete_with(f, &w, B, (object_delete_request){.key = STR("k"), .conditions = conditions});
    assert_int_equal(result.result, STATUS_OK);
    EXPECT_OK(bucket_set_versioning(w.storage, STR(B), VERSIONING_ENABLED, &f->err));
    result = delete_object(f, &w, B, "k", STR_NULL);
    assert_true(result.made_marker); /* as S3 does */
    assert_int_equal(delete_object(f, &w, B, "k", STR("none")).result, STATUS_OK);
    EXPECT_STATUS(NOT_FOUND,
                  object_delete(w.storage, STR("nowhere"),
                                &(object_delete_request){.key = STR("k"),
                                                         .conditions = OBJECT_CONDITIONS_NONE},
                                1, f->arena, &result, &f->err));
    assert_string_equal(error_s3_code(&f->err), "NoSuchBucket");
    world_close(&w);
}

static void expect_refused(fixture *f, world *w, object_conditions conditions)
{
    object_delete_result result =
        delete_with(f, w, B, (object_delete_request){.key = STR("k"), .conditions = conditions});

    assert_int_equal(result.result, STATUS_PRECONDITION);
    assert_string_equal(result.s3_code, "PreconditionFailed");
    assert_true(result.message.size > 0);
    EXPECT_STR(text_of(f, w, B, "k", STR_NULL), "12345");
}

static void test_conditions_are_asked_of_what_is_there(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_conditions c = OBJECT_CONDITIONS_NONE;
    object_info info;
    object_delete_result result;

    make_bucket(f, &w, B, VERSIONING_OFF);
    info = put_object(f, &w, B, "k", "12345");
    c.if_match = STR("other");
    expect_refused(f, &w, c);
    c = OBJECT_CONDITIONS_NONE;
    c.if_size_bytes = 4;
    expect_refused(f, &w, c);
    c = OBJECT_CONDITIONS_NONE;
    c.if_modified_us = 1000000;
    expect_refused(f, &w, c);
    c.if_modified_us = info.modified_us / 1000000 * 1000000; /* clients know seconds */
    c.if_match = info.etag;
    c.if_size_bytes = 5;
    result = delete_with(f, &w, B, (object_delete_request){.key = STR("k"), .conditions = c});
    assert_int_equal(result.result, STATUS_OK);
    EXPECT_STR(text_of(f, &w, B, "k", STR_NULL), "NoSuchKey");
    world_close(&w);
}

/* The suite of S3 asks for it: "*" is fine, an ETag it cannot have. */
static void test_a_marker_counts_as_there_for_conditions(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_conditions c = OBJECT_CONDITIONS_NONE;
    object_delete_request request = {.key = STR("k")};
    object_info info;

    make_bucket(f, &w, B, VERSIONING_ENABLED);
    info = put_object(f, &w, B, "k", "1");
    delete_object(f, &w, B, "k", STR_NULL);
    c.if_match = STR("other");
    request.conditions = c;
    assert_int_equal(delete_with(f, &w, B, request).result, STATUS_PRECONDITION);
    request.conditions.if_match = STR("*");
    assert_true(delete_with(f, &w, B, request).made_marker);
    request.version = info.version;
    request.conditions.if_match = STR("other");
    assert_int_equal(delete_with(f, &w, B, request).result, STATUS_PRECONDITION);
    request.conditions.if_match = info.etag;
    assert_int_equal(delete_with(f, &w, B, request).result, STATUS_OK);
    EXPECT_STR(text_of(f, &w, B, "k", info.version), "NoSuchVersion");
    world_close(&w);
}

static void test_one_refusal_does_not_keep_the_others(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_delete_request *requests = ARENA_ARRAY(f->arena, object_delete_request, MANY);
    object_delete_result *results = ARENA_ARRAY(f->arena, object_delete_result, MANY);
    bucket_usage usage;

    make_bucket(f, &w, B, VERSIONING_OFF);
    for (size_t i = 0; i < MANY; i++) {
        char *key = arena_printf(f->arena, "k%zu", i);

        if (i % 100 == 0) {
            put_object(f, &w, B, key, "1");
        }
        requests[i] = (object_delete_request){
            .key = str_c(key), .version = STR_NULL, .conditions = OBJECT_CONDITIONS_NONE};
        if (i == 200 || i == 2400) {
            requests[i].conditions.if_match = STR("other");
        }
    }
    EXPECT_OK(object_delete(w.storage, STR(B), requests, MANY, f->arena, results, &f->err));
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(results[i].result,
                         i == 200 || i == 2400 ? STATUS_PRECONDITION : STATUS_OK);
    }
    usage = usage_of(f, &w, B);
    assert_int_equal(usage.objects, 2);
    assert_int_equal(usage.bytes, 2);
    world_close(&w);
}

static void test_bytes_stay_while_one_row_has_them(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_copy copy = {.from_bucket = STR(B),
                        .from_key = STR("k"),
                        .from_version = STR_NULL,
                        .to_bucket = STR(B),
                        .to_key = STR("l")};
    object_attributes attributes = {.owner = STR("bob")};
    object_info first, copied;
    size_t files;

    copy.attributes = &attributes;
    make_bucket(f, &w, B, VERSIONING_ENABLED);
    first = put_object(f, &w, B, "k", "PAR1 a file of its own");
    EXPECT_OK(object_copy_make(w.storage, &copy, NULL, f->arena, &copied, &f->err));
    files = blob_count(f, NULL);
    put_object(f, &w, B, "k", "small");
    delete_object(f, &w, B, "k", first.version);
    EXPECT_STR(text_of(f, &w, B, "l", STR_NULL), "PAR1 a file of its own");
    delete_object(f, &w, B, "l", STR_NULL); /* a marker */
    EXPECT_STR(text_of(f, &w, B, "l", copied.version), "PAR1 a file of its own");
    delete_object(f, &w, B, "l", copied.version);
    EXPECT_STR(text_of(f, &w, B, "l", copied.version), "NoSuchVersion");
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), files); /* one file less, and the small one's */
}

TESTS(test_what_is_not_there_is_as_the_caller_wants_it, test_conditions_are_asked_of_what_is_there,
      test_a_marker_counts_as_there_for_conditions, test_one_refusal_does_not_keep_the_others,
      test_bytes_stay_while_one_row_has_them)

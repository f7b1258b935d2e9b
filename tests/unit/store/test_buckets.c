/* Claims about buckets: names, owners, documents, versioning, what is kept in memory, usage, and what a start and a
 * recovery find. */
#include "bucket_world.h"

#include "tarn/base/thread.h"

static bucket_info info_of(fixture *f, world *w, const char *name)
{
    const bucket_ref *bucket;
    bucket_info info;

    EXPECT_OK(bucket_acquire(w->storage, str_c(name), &bucket, &f->err));
    info = *bucket_ref_info(bucket);
    info.name = str_copy(f->arena, info.name);
    info.owner = str_copy(f->arena, info.owner);
    info.region = str_copy(f->arena, info.region);
    info.documents = NULL;
    bucket_release(bucket);
    return info;
}

static str document_of(fixture *f, world *w, const char *bucket, const char *name)
{
    const bucket_ref *ref;
    str text;

    EXPECT_OK(bucket_acquire(w->storage, str_c(bucket), &ref, &f->err));
    text = str_copy(f->arena, bucket_document(bucket_ref_info(ref), name));
    bucket_release(ref);
    return text;
}

static void test_a_bucket_has_what_it_was_made_with(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const object_pair documents[] = {{STR("policy"), STR("{}")}, {STR("cors"), STR("<c/>")}};
    bucket_info bucket = {.name = STR("first"),
                          .owner = STR("alice"),
                          .region = STR("eu-1"),
                          .documents = documents,
                          .document_count = 2};
    bucket_info found;

    EXPECT_OK(bucket_create(w.storage, &bucket, &f->err));
    found = info_of(f, &w, "first");
    EXPECT_STR(found.owner, "alice");
    EXPECT_STR(found.region, "eu-1");
    assert_int_equal(found.versioning, VERSIONING_OFF);
    assert_false(found.lock_enabled);
    assert_true(found.created_us > 0);
    EXPECT_STR(document_of(f, &w, "first", "policy"), "{}");
    EXPECT_STR(document_of(f, &w, "first", "cors"), "<c/>");
    assert_true(str_is_null(document_of(f, &w, "first", "acl")));
    world_close(&w);
}

static void test_a_bucket_is_made_once(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    bucket_info bucket = {.name = STR("first"), .owner = STR("alice")};

    EXPECT_OK(bucket_create(w.storage, &bucket, &f->err));
    EXPECT_STATUS(EXISTS, bucket_create(w.storage, &bucket, &f->err));
    assert_string_equal(error_s3_code(&f->err), "BucketAlreadyOwnedByYou");
    bucket.owner = STR("bob");
    EXPECT_STATUS(EXISTS, bucket_create(w.storage, &bucket, &f->err));
    assert_string_equal(error_s3_code(&f->err), "BucketAlreadyExists");
    world_close(&w);
}

static void test_names_are_those_of_s3(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    static const char *const bad[] = {"ab",   "A-b-c",   "a_b_c",   "-abc", "abc-",
                                      ".abc", "a..b",    "a.-b",    "abc.", "",
                                      "a b",  "1.2.3.4", "a/b/cde", "..."};
    static const char *const good[] = {"abc", "a-b.c", "a-.b", "1.2.3.4.5", "0ab", "a--b"};
    char long_name[65];

    memset(long_name, 'a', 64);
    long_name[64] = '\0';
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        bucket_info bucket = {.name = str_c(bad[i])};

        if (bucket_create(w.storage, &bucket, &f->err) != STATUS_INVALID) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
        assert_string_equal(error_s3_code(&f->err), "InvalidBucketName");
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        bucket_info bucket = {.name = str_c(good[i])};

        EXPECT_OK(bucket_create(w.storage, &bucket, &f->err));
    }
    EXPECT_STATUS(INVALID,
                  bucket_create(w.storage, &(bucket_info){.name = str_c(long_name)}, &f->err));
    EXPECT_OK(bucket_create(w.storage, &(bucket_info){.name = str_from(long_name, 63)}, &f->err));
    world_close(&w);
}

static void test_what_is_held_stays_and_what_is_asked_anew_is_new(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const bucket_ref *before;

    make_bucket(f, &w, "first", VERSIONING_OFF);
    EXPECT_OK(bucket_acquire(w.storage, STR("first"), &before, &f->err));
    EXPECT_OK(bucket_set_document(w.storage, STR("first"), "policy", STR("p"), &f->err));
    EXPECT_OK(bucket_set_versioning(w.storage, STR("first"), VERSIONING_ENABLED, &f->err));
    assert_true(str_is_null(bucket_document(bucket_ref_info(before), "policy")));
    assert_int_equal(bucket_ref_info(before)->versioning, VERSIONING_OFF);
    bucket_release(before);
    EXPECT_STR(document_of(f, &w, "first", "policy"), "p");
    assert_int_equal(info_of(f, &w, "first").versioning, VERSIONING_ENABLED);
    EXPECT_OK(bucket_set_document(w.storage, STR("first"), "policy", STR_NULL, &f->err));
    assert_true(str_is_null(document_of(f, &w, "first", "policy")));
    EXPECT_OK(bucket_delete(w.storage, STR("first"), &f->err));
    EXPECT_STATUS(NOT_FOUND, bucket_acquire(w.storage, STR("first"), &before, &f->err));
    assert_string_equal(error_s3_code(&f->err), "NoSuchBucket");
    EXPECT_STATUS(NOT_FOUND,
                  bucket_set_document(w.storage, STR("first"), "policy", STR("p"), &f->err));
    EXPECT_STATUS(NOT_FOUND, bucket_delete(w.storage, STR("first"), &f->err));
    bucket_release(NULL);
    world_close(&w);
}

typedef struct asking {
    world *w;
    bool stale;
} asking;

#define ASKERS 4
#define ASKED 300

/* A document that was acknowledged is seen by whoever asks later, however many ask. */
static void ask_and_set(void *context, size_t index)
{
    asking *a = context;
    char name[32];

    (void)snprintf(name, sizeof(name), "document-%zu", index);
    for (int i = 0; i < ASKED; i++) {
        const bucket_ref *bucket;
        char text[32];
        int size = snprintf(text, sizeof(text), "%d", i);

        if (i % 10 == 0 && bucket_set_document(a->w->storage, STR("first"), name,
                                               str_from(text, (size_t)size), NULL) != STATUS_OK) {
            a->stale = true;
        }
        if (bucket_acquire(a->w->storage, STR("first"), &bucket, NULL) != STATUS_OK) {
            a->stale = true;
            continue;
        }
        size = snprintf(text, sizeof(text), "%d", i - i % 10);
        if (!str_equal(bucket_document(bucket_ref_info(bucket), name),
                       str_from(text, (size_t)size))) {
            a->stale = true;
        }
        bucket_release(bucket);
    }
}

static void test_nobody_is_told_what_was_before_an_acknowledged_change(void **context)
{
    fixture *f = *context;
    world w = world_open_with(f, (storage_options){.unsafe = true});
    asking a = {.w = &w};

    make_bucket(f, &w, "first", VERSIONING_OFF);
    parallel_for(ASKERS, ASKERS, ask_and_set, &a);
    assert_false(a.stale);
    world_close(&w);
}

static str names_of(fixture *f, world *w, str owner, const char *prefix, str after, size_t max)
{
    buf *out = buf_in(f->arena, 1 << 20);
    bucket_info *list;
    size_t count;

    EXPECT_OK(bucket_list(w->storage, owner, str_c(prefix), after, max, f->arena, &list, &count,
                          &f->err));
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s%.*s", i > 0 ? " " : "", STR_ARG(list[i].name));
    }
    return buf_str(out);
}

static void test_buckets_are_listed_by_owner_prefix_and_page(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    bucket_info other = {.name = STR("abd"), .owner = STR("bob")};

    make_bucket(f, &w, "abc", VERSIONING_OFF);
    make_bucket(f, &w, "abe", VERSIONING_OFF);
    make_bucket(f, &w, "xyz", VERSIONING_OFF);
    EXPECT_OK(bucket_create(w.storage, &other, &f->err));
    EXPECT_STR(names_of(f, &w, STR_NULL, "", STR_NULL, 10), "abc abd abe warehouse xyz");
    EXPECT_STR(names_of(f, &w, STR("alice"), "", STR_NULL, 10), "abc abe xyz");
    EXPECT_STR(names_of(f, &w, STR("alice"), "ab", STR_NULL, 10), "abc abe");
    EXPECT_STR(names_of(f, &w, STR("alice"), "", STR_NULL, 2), "abc abe");
    EXPECT_STR(names_of(f, &w, STR("alice"), "", STR("abe"), 2), "xyz");
    EXPECT_STR(names_of(f, &w, STR("alice"), "x", STR("abc"), 2), "xyz");
    EXPECT_STR(names_of(f, &w, STR(""), "", STR_NULL, 2), "warehouse");
    world_close(&w);
}

static void test_a_bucket_goes_when_nothing_is_left_in_it(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_delete_result marker;

    make_bucket(f, &w, "first", VERSIONING_ENABLED);
    put_object(f, &w, "first", "k", "1");
    EXPECT_STATUS(NOT_EMPTY, bucket_delete(w.storage, STR("first"), &f->err));
    assert_string_equal(error_s3_code(&f->err), "BucketNotEmpty");
    marker = delete_object(f, &w, "first", "k", STR_NULL);
    EXPECT_STATUS(NOT_EMPTY, bucket_delete(w.storage, STR("first"), &f->err));
    delete_object(f, &w, "first", "k", marker.version);
    marker = delete_object(f, &w, "first", "k", STR_NULL);
    delete_object(f, &w, "first", "k", put_object(f, &w, "first", "k", "2").version);
    EXPECT_STATUS(NOT_EMPTY, bucket_delete(w.storage, STR("first"), &f->err));
    world_close(&w);
}

static void test_usage_counts_objects_versions_and_bytes(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_info first;
    bucket_usage usage;
    store_usage all;

    make_bucket(f, &w, "plain", VERSIONING_OFF);
    make_bucket(f, &w, "kept", VERSIONING_ENABLED);
    put_object(f, &w, "plain", "k", "12345");
    put_object(f, &w, "plain", "k", "123");
    usage = usage_of(f, &w, "plain");
    assert_int_equal(usage.objects, 1);
    assert_int_equal(usage.versions, 0);
    assert_int_equal(usage.bytes, 3);
    first = put_object(f, &w, "kept", "k", "12345");
    put_object(f, &w, "kept", "k", "123");
    delete_object(f, &w, "kept", "k", STR_NULL);
    usage = usage_of(f, &w, "kept");
    assert_int_equal(usage.objects, 0);
    assert_int_equal(usage.versions, 3);
    assert_int_equal(usage.bytes, 8);
    delete_object(f, &w, "kept", "k", first.version);
    usage = usage_of(f, &w, "kept");
    assert_int_equal(usage.versions, 2);
    assert_int_equal(usage.bytes, 3);
    EXPECT_OK(store_read_usage(w.storage, &all, &f->err));
    assert_int_equal(all.objects, 1);
    assert_int_equal(all.bytes, 6);
    EXPECT_STATUS(NOT_FOUND, bucket_read_usage(w.storage, STR("none"), &usage, &f->err));
    world_close(&w);
}

static void test_versioning_is_suspended_but_not_switched_off(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    make_bucket(f, &w, "first", VERSIONING_OFF);
    EXPECT_OK(bucket_set_versioning(w.storage, STR("first"), VERSIONING_ENABLED, &f->err));
    EXPECT_OK(bucket_set_versioning(w.storage, STR("first"), VERSIONING_SUSPENDED, &f->err));
    EXPECT_STATUS(CONFLICT,
                  bucket_set_versioning(w.storage, STR("first"), VERSIONING_OFF, &f->err));
    assert_string_equal(error_s3_code(&f->err), "InvalidBucketState");
    world_close(&w);
}

static void test_object_lock_needs_versions_and_keeps_them(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    bucket_info locked = {.name = STR("locked"), .lock_enabled = true};

    EXPECT_OK(bucket_create(w.storage, &locked, &f->err));
    assert_int_equal(info_of(f, &w, "locked").versioning, VERSIONING_ENABLED);
    EXPECT_STATUS(CONFLICT,
                  bucket_set_versioning(w.storage, STR("locked"), VERSIONING_SUSPENDED, &f->err));
    make_bucket(f, &w, "later", VERSIONING_OFF);
    EXPECT_STATUS(CONFLICT,
                  bucket_set_document(w.storage, STR("later"), "object-lock", STR("{}"), &f->err));
    assert_string_equal(error_s3_code(&f->err), "InvalidBucketState");
    EXPECT_OK(bucket_set_versioning(w.storage, STR("later"), VERSIONING_ENABLED, &f->err));
    EXPECT_OK(bucket_set_document(w.storage, STR("later"), "object-lock", STR("{}"), &f->err));
    assert_true(info_of(f, &w, "later").lock_enabled);
    world_close(&w);
}

/* Without the database: everything but markers and what was changed after the writing. */
static void test_recovery_brings_buckets_and_versions_back(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const object_pair tag = {STR("colour"), STR("red")};
    object_attributes attributes = {.owner = STR("carol"), .tags = &tag, .tag_count = 1};
    object_info versions[3];
    object_info found;
    int64_t objects;

    make_bucket(f, &w, "kept", VERSIONING_ENABLED);
    make_bucket(f, &w, "gone", VERSIONING_OFF);
    EXPECT_OK(bucket_set_document(w.storage, STR("kept"), "policy", STR("{\"a\":1}"), &f->err));
    EXPECT_OK(bucket_delete(w.storage, STR("gone"), &f->err));
    for (int i = 0; i < 3; i++) { /* PAR1: files of their own */
        EXPECT_OK(try_put(&w, f->arena, "kept", STR("k"), str_printf(f->arena, "PAR1%d", i),
                          &attributes, NULL, &versions[i], &f->err));
    }
    EXPECT_OK(bucket_set_versioning(w.storage, STR("kept"), VERSIONING_SUSPENDED, &f->err));
    put_object(f, &w, "kept", "k", "PAR1 null");
    world_close(&w);
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-wal"), &f->err));
    EXPECT_OK(fs_remove(test_path(f, "data/tarn.db-shm"), &f->err));
    w = world_open(f);
    EXPECT_OK(store_recover(w.storage, &objects, &f->err));
    assert_int_equal(objects, 4);
    EXPECT_STR(names_of(f, &w, STR_NULL, "", STR_NULL, 10), "kept warehouse");
    EXPECT_STR(info_of(f, &w, "kept").owner, "alice");
    assert_int_equal(info_of(f, &w, "kept").versioning, VERSIONING_SUSPENDED);
    EXPECT_STR(document_of(f, &w, "kept", "policy"), "{\"a\":1}");
    EXPECT_STR(text_of(f, &w, "kept", "k", STR_NULL), "PAR1 null");
    EXPECT_STR(text_of(f, &w, "kept", "k", versions[1].version), "PAR11");
    EXPECT_STR(
        list_text(f, &w, (object_listing){.bucket = STR("kept"), .max = 9, .versions = true}),
        "k k* k* k*");
    EXPECT_OK(object_find(w.storage, STR("kept"), STR("k"), versions[2].version, f->arena, &found,
                          &f->err));
    EXPECT_STR(found.attributes.owner, "carol");
    assert_int_equal(found.attributes.tag_count, 1);
    delete_object(f, &w, "kept", "k", STR("null"));
    EXPECT_STR(text_of(f, &w, "kept", "k", STR_NULL), "PAR12");
    assert_int_equal(usage_of(f, &w, "kept").versions, 2);
    world_close(&w);
}

static void test_a_backup_has_the_settings_of_buckets(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    int64_t objects;

    make_bucket(f, &w, "kept", VERSIONING_ENABLED);
    EXPECT_OK(fs_make_dirs(test_path(f, "copy"), 0700, &f->err));
    EXPECT_OK(store_backup(w.storage, test_path(f, "copy"), &objects, &f->err));
    assert_true(fs_exists(test_path(f, "copy/blobs/buckets/kept.json")));
    world_close(&w);
}

/* --- a database of the version before --- */

static status fill_old(void *context, state_txn *txn, error *err)
{
    (void)context;
    TRY(state_exec(txn, "INSERT INTO buckets (name, created_us) VALUES ('warehouse', 7), ('b', 8)",
                   NULL, 0, NULL, err));
    return state_exec(
        txn,
        "INSERT INTO objects (bucket, key, version, blob, blob_offset, size_bytes, etag, "
        "content_type, modified_us) VALUES ('warehouse', 'k', '', 'x', 0, 5, 'e', 't', 7), "
        "('warehouse', 'l', '', 'y', 3, 6, 'f', 't', 9)",
        NULL, 0, NULL, err);
}

static status read_migrated(void *context, state_txn *txn, error *err)
{
    buf *out = context;
    state_rows *rows;
    bool row = true;

    TRY(state_query(txn,
                    "SELECT b.name || b.owner || b.created_us || b.versioning || b.lock_enabled || "
                    "coalesce('-' || t.objects || t.versions || t.bytes, '') FROM buckets b "
                    "LEFT JOIN bucket_totals t ON t.bucket = b.name ORDER BY b.name",
                    NULL, 0, &rows, err));
    while (row) {
        TRY(state_next(rows, &row, err));
        buf_add_str(out, row ? state_text(rows, 0, NULL) : STR(""));
        buf_add_c(out, row ? " " : "");
    }
    return STATUS_OK;
}

static void test_a_database_of_the_version_before_keeps_objects_and_gets_their_totals(
    void **context)
{
    fixture *f = *context;
    const state_options options = {.path = test_path(f, "old.db")};
    buf *out = buf_in(f->arena, 1 << 20);
    state *old;

    EXPECT_OK(state_open(&options, store_migrations, 2, &old, &f->err));
    EXPECT_OK(state_submit(old, fill_old, NULL, &f->err));
    state_close(old);
    EXPECT_OK(state_open(&options, store_migrations, store_migration_count, &old, &f->err));
    EXPECT_OK(state_read(old, read_migrated, out, &f->err));
    state_close(old);
    EXPECT_STR(buf_str(out), "b800 warehouse700-2011 ");
}

static void test_what_was_half_written_at_a_kill_is_gone_after_the_next_start(void **context)
{
    fixture *f = *context;
    const char *left[] = {"data/blobs/ID.0123456789abcdef.new",
                          "data/blobs/buckets/plain.json.0123456789abcdef.new"};
    world w = world_open(f);

    make_bucket(f, &w, "plain", VERSIONING_ENABLED);
    world_close(&w);
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        EXPECT_OK(fs_write_file(test_path(f, left[i]), STR("half"), 0600, &f->err));
    }
    w = world_open(f);
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        assert_false(fs_exists(test_path(f, left[i])));
    }
    assert_true(fs_exists(test_path(f, "data/blobs/ID")));
    assert_true(fs_exists(test_path(f, "data/blobs/buckets/plain.json")));
    world_close(&w);
}

TESTS(test_what_was_half_written_at_a_kill_is_gone_after_the_next_start,
      test_a_bucket_has_what_it_was_made_with, test_a_bucket_is_made_once,
      test_names_are_those_of_s3, test_what_is_held_stays_and_what_is_asked_anew_is_new,
      test_nobody_is_told_what_was_before_an_acknowledged_change,
      test_buckets_are_listed_by_owner_prefix_and_page,
      test_a_bucket_goes_when_nothing_is_left_in_it, test_usage_counts_objects_versions_and_bytes,
      test_versioning_is_suspended_but_not_switched_off,
      test_object_lock_needs_versions_and_keeps_them,
      test_recovery_brings_buckets_and_versions_back, test_a_backup_has_the_settings_of_buckets,
      test_a_database_of_the_version_before_keeps_objects_and_gets_their_totals)

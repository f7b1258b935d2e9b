/* Claims about pages of listings: order, prefixes, delimiters, where a page goes on, and what it costs. What versions
 * and random contents do is in test_versions.c. */
#include "bucket_world.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/rng.h"

#define B "first"
#define MANY 3000

static void fill(fixture *f, world *w, const char *const *keys, size_t count)
{
    make_bucket(f, w, B, VERSIONING_OFF);
    for (size_t i = 0; i < count; i++) {
        put_object(f, w, B, keys[i], "x");
    }
}

static object_listing all_of(const char *prefix, const char *delimiter)
{
    return (object_listing){.bucket = STR(B),
                            .prefix = str_c(prefix),
                            .delimiter = str_c(delimiter),
                            .after = STR_NULL,
                            .max = 1000};
}

static void test_keys_are_in_order_of_bytes(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    static const char *const keys[] = {
        "b", "a", "\xc3\xa9", "B", "a/b", "a b", "\xf0\x9f\x98\x80", "\xef\xbf\xbd", "a!", "a0"};

    fill(f, &w, keys, COUNT_OF(keys));
    EXPECT_STR(list_text(f, &w, all_of("", "")),
               "B a a b a! a/b a0 b \xc3\xa9 \xef\xbf\xbd \xf0\x9f\x98\x80");
    world_close(&w);
}

static void test_common_prefixes_count_and_stand_in_order(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    static const char *const keys[] = {"a", "b/1", "b/2", "b0", "c/d/1", "c/d/2", "c/e", "d/"};
    object_listing what = all_of("", "/");

    fill(f, &w, keys, COUNT_OF(keys));
    EXPECT_STR(list_text(f, &w, what), "a b/ b0 c/ d/");
    EXPECT_STR(list_text(f, &w, all_of("c/", "/")), "c/d/ c/e");
    EXPECT_STR(list_text(f, &w, all_of("c", "/")), "c/");
    EXPECT_STR(list_text(f, &w, all_of("", "/d/")), "a b/1 b/2 b0 c/d/ c/e d/");
    EXPECT_STR(list_text(f, &w, all_of("d/", "/")), "d/");
    EXPECT_STR(list_text(f, &w, all_of("x", "/")), "");
    what.max = 2;
    EXPECT_STR(list_text(f, &w, what), "a b/>");
    what.after = STR("b/");
    EXPECT_STR(list_text(f, &w, what), "b0 c/>");
    what.after = STR("c/");
    EXPECT_STR(list_text(f, &w, what), "d/");
    what.after = STR("d/");
    EXPECT_STR(list_text(f, &w, what), "");
    world_close(&w);
}

static void test_a_page_goes_on_where_it_ended(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    static const char *const keys[] = {"a", "b", "c", "d"};
    object_listing what = all_of("", "");

    fill(f, &w, keys, COUNT_OF(keys));
    what.max = 4;
    EXPECT_STR(list_text(f, &w, what), "a b c d"); /* full, and not cut */
    what.max = 3;
    EXPECT_STR(list_text(f, &w, what), "a b c>");
    what.max = 0;
    EXPECT_STR(list_text(f, &w, what), "");
    what.max = 9;
    what.after = STR("bb"); /* a key that is not there */
    EXPECT_STR(list_text(f, &w, what), "c d");
    what.after = STR("");
    EXPECT_STR(list_text(f, &w, what), "a b c d");
    what.prefix = STR("c");
    what.after = STR("a");
    EXPECT_STR(list_text(f, &w, what), "c");
    what.after = STR("x");
    EXPECT_STR(list_text(f, &w, what), "");
    world_close(&w);
}

static void test_bytes_of_the_highest_value_are_keys_and_prefixes(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    static const char *const keys[] = {"a\xff\xff", "a\xff\xff/1", "a\xff\xff/2", "b"};
    object_listing what = all_of("a\xff", "\xff");

    fill(f, &w, keys, COUNT_OF(keys));
    EXPECT_STR(list_text(f, &w, all_of("a\xff\xff", "")), "a\xff\xff a\xff\xff/1 a\xff\xff/2");
    what.max = 1;
    EXPECT_STR(list_text(f, &w, what), "a\xff\xff"); /* one prefix, and nothing behind it */
    world_close(&w);
}

static void test_a_version_that_went_between_pages_hides_no_other(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_listing what = all_of("", "");
    object_info versions[4];
    object_page page;

    make_bucket(f, &w, B, VERSIONING_ENABLED);
    for (int i = 0; i < 4; i++) {
        versions[i] = put_object(f, &w, B, "k", "x");
    }
    what.versions = true;
    what.max = 2;
    EXPECT_OK(object_list(w.storage, &what, f->arena, &page, &f->err));
    EXPECT_STR(page_text(f, &page), "k k*>");
    assert_true(str_equal(page.next_after_version, versions[2].version));
    what.after = page.next_after;
    what.after_version = page.next_after_version;
    EXPECT_STR(list_text(f, &w, what), "k* k*");
    what.after_version = STR_NULL;
    EXPECT_STR(list_text(f, &w, what), "");
    delete_object(f, &w, B, "k", versions[2].version);
    what.after_version = versions[2].version;
    what.max = 9;
    EXPECT_STR(list_text(f, &w, what), "k k* k*");
    world_close(&w);
}

static void test_attributes_come_when_they_are_asked_for(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_listing what = all_of("", "");
    object_page page;

    make_bucket(f, &w, B, VERSIONING_OFF);
    put_object(f, &w, B, "k", "12345");
    EXPECT_OK(object_list(w.storage, &what, f->arena, &page, &f->err));
    assert_int_equal(page.count, 1);
    assert_int_equal(page.entries[0].info.size_bytes, 5);
    EXPECT_STR(page.entries[0].info.etag, "827ccb0eea8a706c4c34a16891f84e7b");
    assert_int_equal(page.entries[0].info.attributes.owner.size, 0);
    what.with_attributes = true;
    EXPECT_OK(object_list(w.storage, &what, f->arena, &page, &f->err));
    EXPECT_STR(page.entries[0].info.attributes.owner, "alice");
    assert_int_equal(page.entries[0].info.checksum.kind, CHECKSUM_CRC64NVME);
    what.bucket = STR("nowhere");
    EXPECT_STATUS(NOT_FOUND, object_list(w.storage, &what, f->arena, &page, &f->err));
    assert_string_equal(error_s3_code(&f->err), "NoSuchBucket");
    world_close(&w);
}

/* Below a common prefix nothing is read but its first key: a page of prefixes does not see what they hold. Shown by
 * rows that nobody could read. */
static status fill_with_unreadable(void *context, state_txn *txn, error *err)
{
    (void)context;
    for (int i = 0; i < MANY; i++) {
        char key[32];
        int size = snprintf(key, sizeof(key), "dir%d/%06d", i % 3, i);

        TRY(STATE_EXEC(txn,
                       "INSERT INTO objects (bucket, key, version, blob, blob_offset, size_bytes, "
                       "etag, content_type, modified_us) "
                       "VALUES ('first', ?1, '', 'no blob id', 0, 1, 'e', 't', 1)",
                       NULL, err, SV_TEXT(str_from(key, (size_t)size))));
    }
    return STATUS_OK;
}

static void test_what_is_below_a_common_prefix_is_not_read(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_page page;
    object_listing what = all_of("", "");

    make_bucket(f, &w, B, VERSIONING_OFF);
    EXPECT_OK(state_submit(w.state, fill_with_unreadable, NULL, &f->err));
    EXPECT_STR(list_text(f, &w, all_of("", "/")), "dir0/ dir1/ dir2/");
    EXPECT_STATUS(CORRUPT, object_list(w.storage, &what, f->arena, &page, &f->err));
    world_close(&w);
}

/* ---- pages of versions while versions come and go ---- */

#define VERSIONS_MAX 64

typedef struct history {
    str ids[VERSIONS_MAX]; /* all that there ever were, oldest first */
    bool gone[VERSIONS_MAX], at_start[VERSIONS_MAX];
    int told[VERSIONS_MAX];
    size_t count;
} history;

/* Versions are told apart by their times, in microseconds: of two of the same one may be told twice. */
static void add_some(fixture *f, world *w, history *h, rng *r)
{
    int64_t before_us = clock_now_us();

    while (clock_now_us() == before_us) {}
    if (h->count < VERSIONS_MAX) {
        h->ids[h->count++] = rng_below(r, 4) == 0 ? delete_object(f, w, B, "k", STR_NULL).version
                                                  : put_object(f, w, B, "k", "x").version;
    }
}

static void drop(fixture *f, world *w, history *h, size_t at)
{
    if (at < h->count && !h->gone[at]) {
        delete_object(f, w, B, "k", h->ids[at]);
        h->gone[at] = true;
    }
}

static size_t place_of(const history *h, str id)
{
    size_t at = 0;

    while (at < h->count && !str_equal(h->ids[at], id)) {
        at++;
    }
    return at;
}

static void take_page(history *h, const object_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        size_t at = place_of(h, page->entries[i].info.version);

        assert_true(at < h->count);
        assert_false(h->gone[at]);
        h->told[at]++;
    }
}

/* The page's last version goes, most often, and with it others; some come. */
static void disturb(fixture *f, world *w, history *h, const object_page *page, rng *r)
{
    size_t last = place_of(h, page->next_after_version);

    if (rng_below(r, 4) > 0) {
        drop(f, w, h, last);
    }
    for (uint64_t left = rng_below(r, 3); left > 0 && last > 0; left--) {
        drop(f, w, h, rng_below(r, 2) == 0 ? last - 1 : rng_below(r, h->count));
    }
    for (uint64_t left = rng_below(r, 3); left > 0; left--) {
        add_some(f, w, h, r);
    }
}

static void test_pages_tell_each_version_once_while_versions_come_and_go(void **context)
{
    fixture *f = *context;
    rng r;

    rng_seed(&r, 20260922);
    for (int round = 0; round < 60; round++) {
        world w = world_open(f);
        history h = {.count = 0};
        object_listing what = all_of("", "");
        object_page page;

        make_bucket(f, &w, B, VERSIONING_ENABLED);
        put_object(f, &w, B, "a", "x");
        put_object(f, &w, B, "z", "x");
        for (uint64_t left = 3 + rng_below(&r, 12); left > 0; left--) {
            add_some(f, &w, &h, &r);
        }
        for (size_t i = 0; i < h.count; i++) {
            h.at_start[i] = true;
        }
        what.prefix = STR("k");
        what.versions = true;
        what.max = 1 + (size_t)rng_below(&r, 4);
        for (;;) {
            EXPECT_OK(object_list(w.storage, &what, f->arena, &page, &f->err));
            take_page(&h, &page);
            if (!page.truncated) {
                break;
            }
            what.after = page.next_after;
            what.after_version = page.next_after_version;
            what.after_place = page.next_after_place;
            what.after_us = page.next_after_us;
            disturb(f, &w, &h, &page, &r);
        }
        for (size_t i = 0; i < h.count; i++) {
            assert_true(h.told[i] <= 1);
            assert_true(h.told[i] == 1 || h.gone[i] || !h.at_start[i]);
        }
        world_close(&w);
        EXPECT_OK(fs_remove_tree(test_path(f, "data"), &f->err));
    }
}

TESTS(test_pages_tell_each_version_once_while_versions_come_and_go, test_keys_are_in_order_of_bytes,
      test_common_prefixes_count_and_stand_in_order, test_a_page_goes_on_where_it_ended,
      test_bytes_of_the_highest_value_are_keys_and_prefixes,
      test_a_version_that_went_between_pages_hides_no_other,
      test_attributes_come_when_they_are_asked_for, test_what_is_below_a_common_prefix_is_not_read)

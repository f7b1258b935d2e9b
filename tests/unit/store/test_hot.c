/* Claims about small objects in memory: they are what the rows say, whatever happens beside. */
#include "object_world.h"

#include "tarn/base/thread.h"
#include "tarn/state/state.h"

#define HOT_BYTES ((int64_t)8 * 1024 * 1024)
#define KEY STR("hot")

static world open_hot(fixture *f)
{
    return world_open_with(
        f, (storage_options){.hot_bytes = HOT_BYTES, .master_key = test_master_key});
}

static void put_text(fixture *f, world *w, str key, str bytes)
{
    object_write what = {.bucket = BUCKET, .key = key, .size_bytes = (int64_t)bytes.size};

    (void)put_object(f, w, &what, bytes, 1000);
}

/* What lies in memory; STR_NULL: nothing. */
static str peek(fixture *f, world *w, str key)
{
    const object_hot *hot = object_peek(w->storage, BUCKET, key);
    str bytes = hot == NULL ? STR_NULL : str_copy(f->arena, object_hot_bytes(hot));

    object_hot_release(hot);
    return bytes;
}

static void load(fixture *f, world *w, str key)
{
    const object_hot *hot = NULL;

    EXPECT_OK(object_load(w->storage, BUCKET, key, &hot, &f->err));
    object_hot_release(hot);
}

static void test_what_was_read_is_kept_until_it_is_replaced_or_deleted(void **context)
{
    fixture *f = *context;
    world w = open_hot(f);
    object_delete_request gone = {.key = KEY, .conditions = OBJECT_CONDITIONS_NONE};
    object_delete_result result;

    put_text(f, &w, KEY, STR("one"));
    assert_true(str_is_null(peek(f, &w, KEY)));
    load(f, &w, KEY);
    assert_true(str_equal(peek(f, &w, KEY), STR("one")));
    put_text(f, &w, KEY, STR("two"));
    assert_true(str_is_null(peek(f, &w, KEY)));
    load(f, &w, KEY);
    assert_true(str_equal(peek(f, &w, KEY), STR("two")));
    gone.version = STR_NULL;
    EXPECT_OK(object_delete(w.storage, BUCKET, &gone, 1, f->arena, &result, &f->err));
    assert_true(str_is_null(peek(f, &w, KEY)));
    world_close(&w);
}

static void test_a_change_of_tags_is_seen(void **context)
{
    fixture *f = *context;
    world w = open_hot(f);
    object_pair tag = {.name = STR("env"), .value = STR("dev")};
    const object_hot *hot;

    put_text(f, &w, KEY, STR("one"));
    load(f, &w, KEY);
    EXPECT_OK(object_set_tags(w.storage, BUCKET, KEY, STR_NULL, &tag, 1, &f->err));
    assert_true(str_is_null(peek(f, &w, KEY)));
    load(f, &w, KEY);
    hot = object_peek(w.storage, BUCKET, KEY);
    assert_non_null(hot);
    assert_int_equal(object_hot_info(hot)->attributes.tag_count, 1);
    object_hot_release(hot);
    world_close(&w);
}

static void test_large_and_encrypted_objects_are_not_kept(void **context)
{
    fixture *f = *context;
    world w = open_hot(f);
    object_attributes secret = {.encrypted = true};
    object_write what = {
        .bucket = BUCKET, .key = STR("secret"), .attributes = &secret, .size_bytes = 3};
    const object_hot *hot = NULL;

    put_text(f, &w, STR("large"), noise(f, HOT_OBJECT_BYTES_MAX + 1, 1));
    EXPECT_STATUS(TOO_LARGE, object_load(w.storage, BUCKET, STR("large"), &hot, &f->err));
    (void)put_object(f, &w, &what, STR("abc"), 3);
    load(f, &w, STR("secret"));
    assert_true(str_is_null(peek(f, &w, STR("secret"))));
    world_close(&w);
}

static void test_memory_has_a_maximum_and_the_oldest_go(void **context)
{
    fixture *f = *context;
    world w = open_hot(f);
    size_t kept = 0;

    for (int i = 0; i < 300; i++) {
        str key = str_printf(f->arena, "many/%d", i);

        put_text(f, &w, key, noise(f, 60000, (uint32_t)i));
        load(f, &w, key);
    }
    for (int i = 0; i < 300; i++) {
        kept += !str_is_null(peek(f, &w, str_printf(f->arena, "many/%d", i)));
    }
    assert_true(kept > 20);
    assert_true(kept * 60000 <= (size_t)HOT_BYTES);
    world_close(&w);
}

/* ---- readers beside a writer: what is read never goes back ---- */

typedef struct race {
    world *w;
    _Atomic bool done;
    _Atomic int wrong;
} race;

static int64_t number_of(storage *st, const object_hot *hot)
{
    int64_t number = -1;

    (void)st;
    (void)str_to_int64(object_hot_bytes(hot), &number, NULL);
    object_hot_release(hot);
    return number;
}

static void read_on(void *context)
{
    race *r = context;
    int64_t last = 0;

    while (!r->done) {
        const object_hot *hot = object_peek(r->w->storage, BUCKET, KEY);
        int64_t number;

        if (hot == NULL && object_load(r->w->storage, BUCKET, KEY, &hot, NULL) != STATUS_OK) {
            r->wrong++;
            return;
        }
        number = number_of(r->w->storage, hot);
        r->wrong += number < last;
        last = number;
    }
}

static void test_no_reader_sees_an_older_object_after_a_newer_one(void **context)
{
    fixture *f = *context;
    world w = open_hot(f);
    race r = {.w = &w};
    thread readers[3];

    put_text(f, &w, KEY, STR("0"));
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        EXPECT_OK(thread_start(&readers[i], "reader", read_on, &r, &f->err));
    }
    for (int i = 1; i <= 150; i++) {
        const object_hot *hot = NULL;

        put_text(f, &w, KEY, str_printf(f->arena, "%d", i));
        EXPECT_OK(object_load(w.storage, BUCKET, KEY, &hot, &f->err));
        assert_int_equal(number_of(w.storage, hot), i);
    }
    r.done = true;
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        thread_join(&readers[i]);
    }
    assert_int_equal(r.wrong, 0);
    world_close(&w);
}

TESTS(test_what_was_read_is_kept_until_it_is_replaced_or_deleted, test_a_change_of_tags_is_seen,
      test_large_and_encrypted_objects_are_not_kept, test_memory_has_a_maximum_and_the_oldest_go,
      test_no_reader_sees_an_older_object_after_a_newer_one)

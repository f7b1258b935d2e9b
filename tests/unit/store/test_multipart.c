/* Claims about objects that arrive in parts. */
#include "world.h"

#include "tarn/base/thread.h"
#include "tarn/codec/checksum.h"

#define KEY STR("s3://warehouse/parts")
#define PART ((size_t)256 * 1024)

static str part_bytes(fixture *f, int number, size_t size)
{
    return noise(f, size, (uint32_t)number * 7 + (uint32_t)size);
}

static store_multipart *begin(fixture *f, world *w)
{
    store_multipart *upload;

    EXPECT_OK(store_multipart_begin(w->storage, KEY, STR_NULL, &upload, &f->err));
    return upload;
}

static void complete(fixture *f, world *w, store_multipart *upload, const int *numbers,
                     size_t count)
{
    store_staged *staged;

    EXPECT_OK(store_multipart_complete(upload, numbers, count, &staged, &f->err));
    EXPECT_OK(store_put(w->storage, staged, &f->err));
}

static void test_parts_in_any_order_are_one_object_with_the_etag_of_s3(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_multipart *upload = begin(f, &w);
    const int order[] = {3, 1, 2, 4};
    const int numbers[] = {1, 2, 3, 4};
    uint8_t md5s[4 * 16];
    uint8_t md5[DIGEST_SIZE_MAX];
    str expected = STR("");
    store_object object;

    for (size_t i = 0; i < 4; i++) {
        int number = order[i];

        EXPECT_OK(store_multipart_part(upload, number,
                                       part_bytes(f, number, number == 4 ? 777 : PART), &f->err));
    }
    for (int number = 1; number <= 4; number++) {
        str bytes = part_bytes(f, number, number == 4 ? 777 : PART);

        expected = str_concat(f->arena, expected, bytes);
        digest(DIGEST_MD5, bytes, md5);
        memcpy(md5s + (number - 1) * 16, md5, 16);
    }
    complete(f, &w, upload, numbers, 4);
    assert_true(str_equal(get(f, &w, KEY), expected));
    EXPECT_OK(store_stat(w.storage, KEY, f->arena, &object, &f->err));
    digest(DIGEST_MD5, str_from((const char *)md5s, sizeof(md5s)), md5);
    assert_true(
        str_equal(object.etag, str_concat(f->arena, str_to_hex(f->arena, md5, 16), STR("-4"))));
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
    assert_int_equal(file_count(f, "data/staging"), 0);
}

static void test_a_repeated_part_counts_with_its_last_upload(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_multipart *upload = begin(f, &w);
    const int numbers[] = {1, 2};
    str second = part_bytes(f, 50, PART);

    EXPECT_OK(store_multipart_part(upload, 1, part_bytes(f, 1, PART), &f->err));
    EXPECT_OK(store_multipart_part(upload, 2, part_bytes(f, 2, PART), &f->err));
    EXPECT_OK(store_multipart_part(upload, 2, part_bytes(f, 3, 99), &f->err));
    EXPECT_OK(store_multipart_part(upload, 2, second, &f->err));
    complete(f, &w, upload, numbers, 2);
    assert_true(str_equal(get(f, &w, KEY), str_concat(f->arena, part_bytes(f, 1, PART), second)));
    world_close(&w);
    assert_int_equal(file_count(f, "data/staging"), 0);
}

static void test_left_out_and_unequal_parts_are_put_together(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_multipart *upload = begin(f, &w);
    const int numbers[] = {1, 3, 7};
    str expected = str_concat(f->arena, part_bytes(f, 1, PART), part_bytes(f, 3, 1001));

    EXPECT_OK(store_multipart_part(upload, 7, part_bytes(f, 7, PART), &f->err));
    EXPECT_OK(store_multipart_part(upload, 1, part_bytes(f, 1, PART), &f->err));
    EXPECT_OK(store_multipart_part(upload, 2, part_bytes(f, 2, PART), &f->err));
    EXPECT_OK(store_multipart_part(upload, 3, part_bytes(f, 3, 1001), &f->err));
    complete(f, &w, upload, numbers, 3);
    assert_true(str_equal(get(f, &w, KEY), str_concat(f->arena, expected, part_bytes(f, 7, PART))));
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
    assert_int_equal(file_count(f, "data/staging"), 0);
}

static void test_fewer_parts_than_uploaded_cut_the_object(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_multipart *upload = begin(f, &w);
    const int numbers[] = {1};

    EXPECT_OK(
        store_multipart_part(upload, 1, part_bytes(f, 1, 1000), &f->err)); /* no whole block */
    EXPECT_OK(store_multipart_part(upload, 2, part_bytes(f, 2, 1000), &f->err));
    complete(f, &w, upload, numbers, 1);
    assert_true(str_equal(get(f, &w, KEY), part_bytes(f, 1, 1000)));
    world_close(&w);
}

static void test_bad_lists_of_parts_are_refused_and_leave_nothing(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const int bad[][2] = {{2, 1}, {1, 1}, {1, 5}, {0, 1}};
    store_staged *staged;
    store_multipart *upload;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        upload = begin(f, &w);
        EXPECT_STATUS(INVALID, store_multipart_part(upload, 10001, STR("x"), &f->err));
        EXPECT_OK(store_multipart_part(upload, 1, STR("x"), &f->err));
        EXPECT_OK(store_multipart_part(upload, 2, STR("yy"), &f->err));
        EXPECT_STATUS(INVALID, store_multipart_complete(upload, bad[i], 2, &staged, &f->err));
    }
    upload = begin(f, &w);
    EXPECT_OK(store_multipart_part(upload, 1, STR("x"), &f->err));
    EXPECT_OK(store_multipart_part(upload, 2, STR("yy"), &f->err));
    store_multipart_abort(upload);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 0);
    assert_int_equal(file_count(f, "data/staging"), 0);
}

typedef struct uploader {
    store_multipart *upload;
    str bytes;
    int number;
    status result;
} uploader;

static void upload_part(void *context)
{
    uploader *u = context;

    u->result = store_multipart_part(u->upload, u->number, u->bytes, NULL);
}

static void test_parts_may_come_from_several_threads(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    store_multipart *upload = begin(f, &w);
    thread threads[8] = {0};
    uploader uploaders[8];
    int numbers[8];
    str expected = STR("");

    for (int i = 0; i < 8; i++) {
        numbers[i] = i + 1;
        uploaders[i] =
            (uploader){.upload = upload, .number = i + 1, .bytes = part_bytes(f, i + 1, PART)};
        expected = str_concat(f->arena, expected, uploaders[i].bytes);
    }
    for (int i = 0; i < 8; i++) {
        EXPECT_OK(thread_start(&threads[i], "upload", upload_part, &uploaders[i], &f->err));
    }
    for (int i = 0; i < 8; i++) {
        thread_join(&threads[i]);
        assert_int_equal(uploaders[i].result, STATUS_OK);
    }
    complete(f, &w, upload, numbers, 8);
    assert_true(str_equal(get(f, &w, KEY), expected));
    world_close(&w);
}

TESTS(test_parts_in_any_order_are_one_object_with_the_etag_of_s3,
      test_a_repeated_part_counts_with_its_last_upload,
      test_left_out_and_unequal_parts_are_put_together,
      test_fewer_parts_than_uploaded_cut_the_object,
      test_bad_lists_of_parts_are_refused_and_leave_nothing,
      test_parts_may_come_from_several_threads)

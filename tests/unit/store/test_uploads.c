/* Claims about uploads in parts, as S3 knows them: order, repetition, restarts, checksums, what is refused. */
#include "object_world.h"

#include "tarn/base/thread.h"

#define MIB ((size_t)1024 * 1024)
#define PART (5 * MIB)
#define KEY STR("big")

static const upload_info plain = {.bucket = STR_INIT("warehouse"), .key = STR_INIT("big")};

static str part_bytes(fixture *f, int number, size_t size)
{
    return noise(f, size, (uint32_t)number * 77 + (uint32_t)size);
}

static object_info complete(fixture *f, world *w, const upload_info *upload,
                            const object_part *parts, size_t count)
{
    object_info info = {.size_bytes = -1};

    EXPECT_OK(upload_complete(w->storage, BUCKET, KEY, upload->id, parts, count, NULL, NULL,
                              f->arena, &info, &f->err));
    return info;
}

static status try_complete(fixture *f, world *w, const upload_info *upload,
                           const object_part *parts, size_t count, const upload_claims *whole)
{
    object_info info;

    return upload_complete(w->storage, BUCKET, KEY, upload->id, parts, count, whole, NULL, f->arena,
                           &info, &f->err);
}

static void expect_code(fixture *f, const char *code)
{
    assert_string_equal(error_s3_code(&f->err), code);
}

static str etag_of(fixture *f, const str *parts, size_t count)
{
    char md5s[16 * 16];
    uint8_t md5[DIGEST_SIZE_MAX];

    for (size_t i = 0; i < count; i++) {
        digest(DIGEST_MD5, parts[i], md5);
        memcpy(md5s + i * 16, md5, 16);
    }
    return str_printf(f->arena, "%.*s-%zu", STR_ARG(hex_md5(f, str_from(md5s, count * 16))), count);
}

static void test_parts_in_any_order_are_one_object_with_the_etag_of_s3(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    upload_info upload = begin_upload(f, &w, &plain);
    str bytes[3] = {part_bytes(f, 1, PART), part_bytes(f, 2, PART), part_bytes(f, 3, 777)};
    object_part parts[3];
    int64_t offset;
    int64_t size;
    object_info info;
    str whole;

    parts[2] = put_part(f, &w, &upload, 3, bytes[2]); /* the short one first: it tells the size */
    parts[1] = put_part(f, &w, &upload, 2, bytes[1]);
    parts[0] = put_part(f, &w, &upload, 1, bytes[0]);
    info = complete(f, &w, &upload, parts, 3);
    assert_true(str_equal(info.etag, etag_of(f, bytes, 3)));
    whole = str_concat(f->arena, str_concat(f->arena, bytes[0], bytes[1]), bytes[2]);
    assert_true(str_equal(get_object(f, &w, KEY, &info), whole));
    assert_int_equal(info.part_count, 3);
    EXPECT_OK(object_part_range(&info, 2, &offset, &size, &f->err));
    assert_int_equal(offset, PART);
    assert_int_equal(size, PART);
    EXPECT_STATUS(RANGE, object_part_range(&info, 4, &offset, &size, &f->err));
    assert_int_equal(info.checksum.kind, CHECKSUM_CRC64NVME);
    assert_false(info.checksum.composite);
    EXPECT_STATUS(NOT_FOUND,
                  upload_find(w.storage, BUCKET, KEY, upload.id, f->arena, &upload, &f->err));
    expect_code(f, "NoSuchUpload");
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
    assert_int_equal(file_count(f, "data/staging"), 0);
}

static void test_an_upload_goes_on_after_a_restart(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    upload_info upload = begin_upload(f, &w, &plain);
    str bytes[3] = {part_bytes(f, 1, PART), part_bytes(f, 2, PART), part_bytes(f, 3, 1000)};
    object_part parts[3];
    object_part *listed;
    size_t count;
    bool truncated;
    object_info info;

    parts[0] = put_part(f, &w, &upload, 1, bytes[0]);
    parts[2] = put_part(f, &w, &upload, 3, bytes[2]);
    world_close(&w);
    w = world_open(f);
    EXPECT_OK(upload_find(w.storage, BUCKET, KEY, upload.id, f->arena, &upload, &f->err));
    EXPECT_OK(upload_list_parts(w.storage, &upload, 0, 10, f->arena, &listed, &count, &truncated,
                                &f->err));
    assert_int_equal(count, 2);
    assert_false(truncated);
    assert_int_equal(listed[1].number, 3);
    assert_true(str_equal(listed[1].etag, parts[2].etag));
    parts[1] = put_part(f, &w, &upload, 2, bytes[1]);
    world_close(&w);
    w = world_open(f);
    info = complete(f, &w, &upload, parts, 3);
    assert_true(
        str_equal(get_object(f, &w, KEY, &info),
                  str_concat(f->arena, str_concat(f->arena, bytes[0], bytes[1]), bytes[2])));
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
    assert_int_equal(file_count(f, "data/lost"), 0);
}

static void test_a_repeated_part_counts_with_its_last_upload(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    upload_info upload = begin_upload(f, &w, &plain);
    str again = part_bytes(f, 50, PART);
    str last = part_bytes(f, 51, PART);
    object_part parts[2];
    object_info info;

    (void)put_part(f, &w, &upload, 1, part_bytes(f, 1, PART)); /* in place */
    (void)put_part(f, &w, &upload, 1, again);                  /* aside */
    parts[0] = put_part(f, &w, &upload, 1, last);              /* in place again */
    (void)put_part(f, &w, &upload, 2, part_bytes(f, 2, 99));
    parts[1] = put_part(f, &w, &upload, 2, part_bytes(f, 3, 99));
    info = complete(f, &w, &upload, parts, 2);
    assert_true(
        str_equal(get_object(f, &w, KEY, &info), str_concat(f->arena, last, part_bytes(f, 3, 99))));
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_left_out_and_unequal_parts_are_put_together(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    upload_info upload = begin_upload(f, &w, &plain);
    str bytes[3] = {part_bytes(f, 2, PART), part_bytes(f, 5, PART + 12345), part_bytes(f, 9, 1)};
    object_part parts[3];
    object_info info;

    (void)put_part(f, &w, &upload, 1, part_bytes(f, 1, PART));
    parts[2] = put_part(f, &w, &upload, 9, bytes[2]);
    parts[0] = put_part(f, &w, &upload, 2, bytes[0]);
    parts[1] = put_part(f, &w, &upload, 5, bytes[1]);
    info = complete(f, &w, &upload, parts, 3);
    assert_true(str_equal(info.etag, etag_of(f, bytes, 3)));
    assert_true(
        str_equal(get_object(f, &w, KEY, &info),
                  str_concat(f->arena, str_concat(f->arena, bytes[0], bytes[1]), bytes[2])));
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_bad_lists_are_refused_with_s3s_codes_and_the_upload_stays(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    upload_info upload = begin_upload(f, &w, &plain);
    object_part small[2];
    object_part parts[2];
    object_part twisted[2];
    object_part wrong;
    upload_claims claimed = {.checksum = {.kind = CHECKSUM_CRC64NVME, .value = STR("AAAAAAAAAAA=")},
                             .size_bytes = -1};
    object_part nobody = {.number = 7, .etag = STR("00000000000000000000000000000000")};

    small[0] = put_part(f, &w, &upload, 1, STR("x"));
    small[1] = put_part(f, &w, &upload, 2, STR("y"));
    EXPECT_STATUS(INVALID, try_complete(f, &w, &upload, small, 2, NULL));
    expect_code(f, "EntityTooSmall");
    EXPECT_STATUS(INVALID, try_complete(f, &w, &upload, &nobody, 1, NULL));
    expect_code(f, "InvalidPart");
    EXPECT_STATUS(INVALID, try_complete(f, &w, &upload, small, 0, NULL));
    parts[0] = put_part(f, &w, &upload, 1, part_bytes(f, 1, PART));
    parts[1] = small[1];
    twisted[0] = parts[1];
    twisted[1] = parts[0];
    EXPECT_STATUS(INVALID, try_complete(f, &w, &upload, twisted, 2, NULL));
    expect_code(f, "InvalidPartOrder");
    wrong = parts[0];
    wrong.etag = small[0].etag; /* of the upload before */
    EXPECT_STATUS(INVALID, try_complete(f, &w, &upload, &wrong, 1, NULL));
    expect_code(f, "InvalidPart");
    EXPECT_STATUS(INVALID, try_complete(f, &w, &upload, parts, 2, &claimed));
    expect_code(f, "BadDigest");
    EXPECT_STATUS(INVALID,
                  write_part(w.storage, &upload, 10001, STR("x"), 1, f->arena, &wrong, &f->err));
    (void)complete(f, &w, &upload, parts, 2);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_a_failed_condition_leaves_the_upload_whole(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_conditions absent = OBJECT_CONDITIONS_NONE;
    upload_info upload = begin_upload(f, &w, &plain);
    str bytes[2] = {part_bytes(f, 1, PART), part_bytes(f, 2, 500)};
    str third = part_bytes(f, 3, PART);
    object_part parts[2];
    object_info info;

    (void)put_object(f, &w, &(object_write){.bucket = BUCKET, .key = KEY, .size_bytes = 1},
                     STR("x"), 1);
    absent.if_none_match = STR("*");
    parts[0] = put_part(f, &w, &upload, 1, bytes[0]);
    parts[1] = put_part(f, &w, &upload, 2, bytes[1]);
    EXPECT_STATUS(PRECONDITION, upload_complete(w.storage, BUCKET, KEY, upload.id, parts, 2, NULL,
                                                &absent, f->arena, &info, &f->err));
    (void)put_part(f, &w, &upload, 3, third); /* its place is in that file */
    info = complete(f, &w, &upload, parts, 2);
    assert_true(str_equal(get_object(f, &w, KEY, &info), str_concat(f->arena, bytes[0], bytes[1])));
    world_close(&w);
}

static void test_fewer_parts_than_uploaded_cut_the_object(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    upload_info upload = begin_upload(f, &w, &plain);
    object_part part = put_part(f, &w, &upload, 1, part_bytes(f, 1, 1000)); /* no whole block */
    object_info info;

    (void)put_part(f, &w, &upload, 2, part_bytes(f, 2, 1000));
    info = complete(f, &w, &upload, &part, 1);
    assert_true(str_equal(get_object(f, &w, KEY, &info), part_bytes(f, 1, 1000)));
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_part_numbers_reach_from_one_to_ten_thousand(void **context)
{
    fixture *f = *context;
    world w = world_open_with(f, (storage_options){.unsafe = true});
    upload_info upload = begin_upload(f, &w, &plain);
    object_part part;

    EXPECT_STATUS(INVALID,
                  write_part(w.storage, &upload, 0, STR("x"), 1, f->arena, &part, &f->err));
    part = put_part(f, &w, &upload, 10000, STR("last"));
    (void)complete(f, &w, &upload, &part, 1);
    world_close(&w);
}

static void test_completing_again_answers_the_same_whatever_the_conditions(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    object_conditions absent = OBJECT_CONDITIONS_NONE;
    upload_info upload = begin_upload(f, &w, &plain);
    object_part part = put_part(f, &w, &upload, 1, STR("only"));
    object_part other = {.number = 1, .etag = STR("00000000000000000000000000000000")};
    object_info first = complete(f, &w, &upload, &part, 1);
    object_info second;

    absent.if_none_match = STR("*");
    world_close(&w);
    w = world_open(f);
    EXPECT_OK(upload_complete(w.storage, BUCKET, KEY, upload.id, &part, 1, NULL, &absent, f->arena,
                              &second, &f->err));
    assert_true(str_equal(first.etag, second.etag));
    assert_true(str_equal(first.checksum.value, second.checksum.value));
    assert_int_equal(second.size_bytes, 4);
    EXPECT_STATUS(NOT_FOUND, try_complete(f, &w, &upload, &other, 1, NULL));
    expect_code(f, "NoSuchUpload");
    world_close(&w);
}

static void test_checksums_are_composite_or_of_the_whole_as_asked(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    upload_info asked = plain;
    upload_info upload;
    str bytes[2] = {part_bytes(f, 1, PART), part_bytes(f, 2, 1234)};
    str whole = str_concat(f->arena, bytes[0], bytes[1]);
    uint32_t crc = checksum_crc32c(0, whole.data, whole.size);
    char raw[4] = {(char)(crc >> 24), (char)(crc >> 16), (char)(crc >> 8), (char)crc};
    char sums[64];
    uint8_t sum[DIGEST_SIZE_MAX];
    object_part parts[2];
    object_info info;

    asked.checksum = CHECKSUM_CRC32C;
    upload = begin_upload(f, &w, &asked);
    parts[0] = put_part(f, &w, &upload, 1, bytes[0]);
    parts[1] = put_part(f, &w, &upload, 2, bytes[1]);
    info = complete(f, &w, &upload, parts, 2);
    assert_true(str_equal(info.checksum.value, base64_encode(f->arena, str_from(raw, 4))));
    asked.checksum = CHECKSUM_SHA256;
    asked.composite = true;
    upload = begin_upload(f, &w, &asked);
    for (int i = 0; i < 2; i++) {
        parts[i] = put_part(f, &w, &upload, i + 1, bytes[i]);
        digest(DIGEST_SHA256, bytes[i], sum);
        memcpy(sums + i * 32, sum, 32);
    }
    (void)complete(f, &w, &upload, parts, 2);
    digest(DIGEST_SHA256, str_from(sums, 64), sum);
    (void)get_object(f, &w, KEY, &info);
    assert_true(info.checksum.composite);
    assert_true(str_equal(
        info.checksum.value,
        str_concat(f->arena, base64_encode(f->arena, str_from((char *)sum, 32)), STR("-2"))));
    assert_int_equal(info.parts[1].checksum.kind, CHECKSUM_SHA256);
    asked.composite = false;
    EXPECT_STATUS(INVALID, upload_create(w.storage, &asked, f->arena, &upload.id, &f->err));
    world_close(&w);
}

static void test_an_aborted_upload_leaves_nothing(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    upload_info upload = begin_upload(f, &w, &plain);
    upload_part_writer *writer;
    object_digests digests;
    object_part part;
    str bytes = part_bytes(f, 1, PART);

    (void)put_part(f, &w, &upload, 1, bytes);
    (void)put_part(f, &w, &upload, 2, STR("aside"));
    EXPECT_OK(upload_part_begin(w.storage, &upload, 3, (int64_t)bytes.size, CHECKSUM_NONE, &writer,
                                &f->err));
    EXPECT_OK(upload_part_write(writer, bytes.data, bytes.size, &f->err));
    EXPECT_OK(upload_part_end(writer, &digests, &f->err));
    EXPECT_OK(upload_abort(w.storage, BUCKET, KEY, upload.id, &f->err));
    EXPECT_STATUS(NOT_FOUND, upload_part_commit(writer, &f->err)); /* it was under way */
    expect_code(f, "NoSuchUpload");
    EXPECT_STATUS(NOT_FOUND,
                  write_part(w.storage, &upload, 1, bytes, -1, f->arena, &part, &f->err));
    EXPECT_STATUS(NOT_FOUND, upload_abort(w.storage, BUCKET, KEY, upload.id, &f->err));
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 0);
}

static void test_uploads_are_listed_in_order_with_prefixes_and_pages(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    const char *keys[] = {"b/1", "a", "b/2", "c", "a", "d/x/y"};
    upload_page page;
    str after_key = STR("");
    str after_id = STR("");
    str seen = STR("");

    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        upload_info what = {.bucket = BUCKET, .key = str_c(keys[i])};

        (void)begin_upload(f, &w, &what);
    }
    do {
        EXPECT_OK(upload_list(w.storage, BUCKET, STR(""), STR("/"), after_key, after_id, 2,
                              f->arena, &page, &f->err));
        for (size_t i = 0; i < page.count; i++) {
            seen = str_printf(f->arena, "%.*s%.*s ", STR_ARG(seen), STR_ARG(page.uploads[i].key));
        }
        for (size_t i = 0; i < page.prefix_count; i++) {
            seen = str_printf(f->arena, "%.*s%.*s ", STR_ARG(seen), STR_ARG(page.prefixes[i]));
        }
        after_key = page.next_key;
        after_id = page.next_id;
    } while (page.truncated);
    EXPECT_STR(seen, "a a c b/ d/ ");
    EXPECT_OK(upload_list(w.storage, BUCKET, STR("b/"), STR(""), STR(""), STR(""), 10, f->arena,
                          &page, &f->err));
    assert_int_equal(page.count, 2);
    assert_false(page.truncated);
    EXPECT_STATUS(NOT_FOUND,
                  upload_create(w.storage, &(upload_info){.bucket = STR("nobody"), .key = STR("k")},
                                f->arena, &after_id, &f->err));
    world_close(&w);
}

typedef struct race {
    storage *st;
    const upload_info *upload;
    const str *bytes;
    mutex lock;
    int failures;
    object_part last; /* of those acknowledged */
} race;

static void upload_one(void *context, size_t index)
{
    race *r = context;
    arena *a = arena_create();
    object_part part;
    status done = write_part(r->st, r->upload, 1, r->bytes[index], (int64_t)r->bytes[index].size, a,
                             &part, NULL);

    mutex_lock(&r->lock);
    r->failures += done != STATUS_OK;
    mutex_unlock(&r->lock);
    arena_free(a);
}

static void test_one_part_uploaded_many_times_at_once_is_one_of_them(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    upload_info upload = begin_upload(f, &w, &plain);
    str bytes[8];
    race r = {.st = w.storage, .upload = &upload, .bytes = bytes};
    object_part *parts;
    size_t count;
    bool truncated;
    object_info info;
    str got;

    for (int i = 0; i < 8; i++) {
        bytes[i] = part_bytes(f, i, MIB);
    }
    mutex_init(&r.lock);
    parallel_for(8, 8, upload_one, &r);
    mutex_release(&r.lock);
    assert_int_equal(r.failures, 0);
    EXPECT_OK(upload_list_parts(w.storage, &upload, 0, 10, f->arena, &parts, &count, &truncated,
                                &f->err));
    assert_int_equal(count, 1);
    info = complete(f, &w, &upload, parts, 1);
    got = get_object(f, &w, KEY, &info);
    assert_true(str_equal(hex_md5(f, got), parts[0].etag));
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

static void test_a_size_of_the_whole_that_is_wrong_leaves_the_upload_as_it_was(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    upload_info upload = begin_upload(f, &w, &plain);
    object_part parts[2];
    upload_claims whole = {.size_bytes = (int64_t)PART + 778};
    object_info info;

    parts[0] = put_part(f, &w, &upload, 1, part_bytes(f, 1, PART));
    parts[1] = put_part(f, &w, &upload, 2, part_bytes(f, 2, 777));
    EXPECT_STATUS(INVALID, try_complete(f, &w, &upload, parts, 2, &whole));
    expect_code(f, "InvalidRequest");
    EXPECT_STATUS(NOT_FOUND,
                  object_find(w.storage, BUCKET, KEY, STR_NULL, f->arena, &info, &f->err));
    EXPECT_OK(upload_find(w.storage, BUCKET, KEY, upload.id, f->arena, &upload, &f->err));
    whole.size_bytes = (int64_t)PART + 777;
    EXPECT_OK(try_complete(f, &w, &upload, parts, 2, &whole));
    EXPECT_OK(try_complete(f, &w, &upload, parts, 2, &whole)); /* again */
    whole.size_bytes--;
    EXPECT_STATUS(INVALID, try_complete(f, &w, &upload, parts, 2, &whole));
    (void)get_object(f, &w, KEY, &info);
    assert_int_equal(info.size_bytes, PART + 777);
    world_close(&w);
    assert_int_equal(blob_count(f, NULL), 1);
}

TESTS(test_parts_in_any_order_are_one_object_with_the_etag_of_s3,
      test_an_upload_goes_on_after_a_restart, test_a_repeated_part_counts_with_its_last_upload,
      test_left_out_and_unequal_parts_are_put_together,
      test_bad_lists_are_refused_with_s3s_codes_and_the_upload_stays,
      test_a_failed_condition_leaves_the_upload_whole,
      test_a_size_of_the_whole_that_is_wrong_leaves_the_upload_as_it_was,
      test_fewer_parts_than_uploaded_cut_the_object,
      test_part_numbers_reach_from_one_to_ten_thousand,
      test_completing_again_answers_the_same_whatever_the_conditions,
      test_checksums_are_composite_or_of_the_whole_as_asked, test_an_aborted_upload_leaves_nothing,
      test_uploads_are_listed_in_order_with_prefixes_and_pages,
      test_one_part_uploaded_many_times_at_once_is_one_of_them)

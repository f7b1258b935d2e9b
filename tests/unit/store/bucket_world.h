/* bucket_world.h: buckets, versions and listings of the store in a few words, for its tests. As world.h: what it
 * declares static is used by every file that includes it. */
#ifndef TARN_TEST_UNIT_STORE_BUCKET_WORLD_H
#define TARN_TEST_UNIT_STORE_BUCKET_WORLD_H

#include "tarn/store/object.h"
#include "world.h"

static inline void make_bucket(fixture *f, world *w, const char *name, bucket_versioning versioning)
{
    bucket_info bucket = {.name = str_c(name), .owner = STR("alice"), .versioning = versioning};

    EXPECT_OK(bucket_create(w->storage, &bucket, &f->err));
}

static inline status try_put(world *w, arena *a, const char *bucket, str key, str bytes,
                             const object_attributes *attributes,
                             const object_conditions *conditions, object_info *ret_info, error *err)
{
    const object_attributes none = {.owner = STR("alice")};
    object_write what = {.bucket = str_c(bucket),
                         .key = key,
                         .attributes = attributes != NULL ? attributes : &none,
                         .size_bytes = (int64_t)bytes.size};
    object_digests digests;
    object_writer *writer;
    status done;

    TRY(object_writer_begin(w->storage, &what, &writer, err));
    done = object_writer_write(writer, bytes.data, bytes.size, err);
    if (done == STATUS_OK) {
        done = object_writer_end(writer, &digests, err);
    }
    if (done != STATUS_OK) {
        object_writer_abort(writer);
        return done;
    }
    return object_writer_commit(writer, conditions, a, ret_info, err);
}

static inline object_info put_object(fixture *f, world *w, const char *bucket, const char *key,
                                     const char *text)
{
    object_info info = {0};

    EXPECT_OK(try_put(w, f->arena, bucket, str_c(key), str_c(text), NULL, NULL, &info, &f->err));
    return info;
}

/* The text of a version; the code of the error where it cannot be had. */
static inline str text_of(fixture *f, world *w, const char *bucket, const char *key, str version)
{
    store_reader *reader;
    object_info info = {0};
    error err = ERROR_INIT;
    char *bytes;
    size_t got;

    if (object_open(w->storage, str_c(bucket), str_c(key), version, f->arena, &info, &reader,
                    &err) != STATUS_OK) {
        return str_printf(f->arena, "%s%s", error_s3_code(&err), info.is_marker ? " marker" : "");
    }
    bytes = arena_alloc(f->arena, (size_t)info.size_bytes + 1);
    EXPECT_OK(store_reader_read(reader, bytes, (size_t)info.size_bytes, 0, &got, &f->err));
    store_reader_close(reader);
    return str_from(bytes, got);
}

static inline object_delete_result delete_with(fixture *f, world *w, const char *bucket,
                                               object_delete_request request)
{
    object_delete_result result = {.result = STATUS_INTERNAL};

    EXPECT_OK(object_delete(w->storage, str_c(bucket), &request, 1, f->arena, &result, &f->err));
    return result;
}

static inline object_delete_result delete_object(fixture *f, world *w, const char *bucket,
                                                 const char *key, str version)
{
    return delete_with(f, w, bucket,
                       (object_delete_request){.key = str_c(key),
                                               .version = version,
                                               .conditions = OBJECT_CONDITIONS_NONE});
}

static inline bucket_usage usage_of(fixture *f, world *w, const char *bucket)
{
    bucket_usage usage = {.objects = -1};

    EXPECT_OK(bucket_read_usage(w->storage, str_c(bucket), &usage, &f->err));
    return usage;
}

/* "a b/ c!*" of a page: keys, with "!" behind markers, "*" behind what is not the latest, ">" where it was cut. */
static inline str page_text(fixture *f, const object_page *page)
{
    buf *out = buf_in(f->arena, 1 << 24);

    for (size_t i = 0; i < page->count; i++) {
        const object_info *info = &page->entries[i].info;

        buf_add_c(out, i > 0 ? " " : "");
        buf_add_str(out, info->key);
        if (!page->entries[i].is_prefix) {
            buf_add_c(out, info->is_marker ? "!" : "");
            buf_add_c(out, info->is_latest ? "" : "*");
        }
    }
    buf_add_c(out, page->truncated ? ">" : "");
    return buf_str(out);
}

static inline str list_text(fixture *f, world *w, object_listing what)
{
    object_page page;

    EXPECT_OK(object_list(w->storage, &what, f->arena, &page, &f->err));
    return page_text(f, &page);
}

#endif

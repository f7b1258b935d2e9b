/* object_world.h: writing and reading objects and parts in one line each, for the tests of the store. As world.h: what
 * it declares static is used by every file that includes it. */
#ifndef TARN_TEST_UNIT_STORE_OBJECT_WORLD_H
#define TARN_TEST_UNIT_STORE_OBJECT_WORLD_H

#include "world.h"

#include "tarn/codec/checksum.h"
#include "tarn/store/object.h"

#define BUCKET STR("warehouse")

static const uint8_t test_master_key[32] = "a key that only this test knows";

static inline world world_open_sealed(fixture *f)
{
    return world_open_with(f, (storage_options){.master_key = test_master_key});
}

static inline status write_object(storage *st, const object_write *what, str bytes, size_t step,
                                  const object_conditions *conditions, arena *a,
                                  object_info *ret_info, error *err)
{
    object_digests digests;
    object_writer *writer;
    status done;

    TRY(object_writer_begin(st, what, &writer, err));
    done = STATUS_OK;
    for (size_t at = 0; at < bytes.size && done == STATUS_OK; at += step) {
        str part = str_slice(bytes, at, at + step);

        done = object_writer_write(writer, part.data, part.size, err);
    }
    if (done == STATUS_OK) {
        done = object_writer_end(writer, &digests, err);
    }
    if (done != STATUS_OK) {
        object_writer_abort(writer);
        return done;
    }
    return object_writer_commit(writer, conditions, a, ret_info, err);
}

static inline object_info put_object(fixture *f, world *w, const object_write *what, str bytes,
                                     size_t step)
{
    object_info info = {.size_bytes = -1};

    EXPECT_OK(write_object(w->storage, what, bytes, step, NULL, f->arena, &info, &f->err));
    return info;
}

static inline str read_range(fixture *f, store_reader *reader, int64_t offset, size_t size)
{
    char *bytes = arena_alloc(f->arena, size + 1);
    size_t got;

    EXPECT_OK(store_reader_read(reader, bytes, size, offset, &got, &f->err));
    return str_from(bytes, got);
}

static inline str get_object(fixture *f, world *w, str key, object_info *ret_info)
{
    store_reader *reader;
    str bytes;

    EXPECT_OK(object_open(w->storage, BUCKET, key, STR_NULL, f->arena, ret_info, &reader, &f->err));
    bytes = read_range(f, reader, 0, (size_t)ret_info->size_bytes + 10);
    store_reader_close(reader);
    return bytes;
}

static inline str hex_md5(fixture *f, str bytes)
{
    uint8_t md5[DIGEST_SIZE_MAX];

    digest(DIGEST_MD5, bytes, md5);
    return str_to_hex(f->arena, md5, 16);
}

/* A part, acknowledged; its entry for completion. `announced` is what the writer is told. */
static inline status write_part(storage *st, const upload_info *upload, int number, str bytes,
                                int64_t announced, arena *a, object_part *ret_part, error *err)
{
    object_digests digests;
    upload_part_writer *writer;
    status done;

    TRY(upload_part_begin(st, upload, number, announced, CHECKSUM_NONE, &writer, err));
    done = upload_part_write(writer, bytes.data, bytes.size, err);
    if (done == STATUS_OK) {
        done = upload_part_end(writer, &digests, err);
    }
    if (done != STATUS_OK) {
        upload_part_abort(writer);
        return done;
    }
    *ret_part = (object_part){
        .number = number, .size_bytes = digests.size_bytes, .etag = str_to_hex(a, digests.md5, 16)};
    return upload_part_commit(writer, err);
}

static inline object_part put_part(fixture *f, world *w, const upload_info *upload, int number,
                                   str bytes)
{
    object_part part = {.number = -1};

    EXPECT_OK(write_part(w->storage, upload, number, bytes, (int64_t)bytes.size, f->arena, &part,
                         &f->err));
    return part;
}

static inline upload_info begin_upload(fixture *f, world *w, const upload_info *what)
{
    upload_info info = {.id = STR("")};
    str id;

    EXPECT_OK(upload_create(w->storage, what, f->arena, &id, &f->err));
    EXPECT_OK(upload_find(w->storage, what->bucket, what->key, id, f->arena, &info, &f->err));
    return info;
}

#endif

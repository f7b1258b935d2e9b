/* Copies of objects: by sharing the bytes where nothing about them changes, else by writing them again. */
#include "bytes.h"

typedef struct copying {
    storage *st;
    const object_copy *what;
    const object_conditions *conditions;
    arena *a;
    object_info *ret_info;
    bool shared;
} copying;

static object_info describe(const object_copy *what, const object_info *source)
{
    object_info info = *source;

    info.bucket = what->to_bucket;
    info.key = what->to_key;
    info.version = STR("");
    info.modified_us = 0;
    if (what->attributes != NULL) {
        info.attributes = *what->attributes;
    }
    return info;
}

static status check_etag(const object_copy *what, const object_info *source, error *err)
{
    if (str_is_empty(what->from_etag) || str_equal(what->from_etag, source->etag)) {
        return STATUS_OK;
    }
    (void)error_set(err, STATUS_CONFLICT, "object \"%.*s\" has changed since it was looked at",
                    STR_ARG(what->from_key));
    error_set_s3_code(err, "ConditionalRequestConflict");
    return STATUS_CONFLICT;
}

/* Whether the target's bytes and checksum are those of the source. */
static status can_share(state_txn *txn, const object_copy *what, const object_row *source,
                        bool *ret_can, error *err)
{
    const object_checksum *sum = &source->info.checksum;
    state_rows *rows;
    bool encrypted;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM blobs WHERE id = ?1 AND seal IS NOT NULL", &rows, err,
                    SV_TEXT(str_c(source->blob.text))));
    TRY(state_next(rows, &encrypted, err));
    state_finish(rows);
    *ret_can =
        encrypted == (what->attributes != NULL ? what->attributes->encrypted : encrypted) &&
        (what->checksum == CHECKSUM_NONE || (what->checksum == sum->kind && !sum->composite));
    return STATUS_OK;
}

static status share(void *context, state_txn *txn, error *err)
{
    copying *c = context;
    object_row source = {.offset = 0};
    object_info info;

    TRY(store__find_row(txn, c->what->from_bucket, c->what->from_key, c->what->from_version, c->a,
                        &source, err));
    TRY(check_etag(c->what, &source.info, err));
    TRY(can_share(txn, c->what, &source, &c->shared, err));
    if (!c->shared) {
        return STATUS_OK;
    }
    info = describe(c->what, &source.info);
    return store__publish_copy(c->st, txn, &source, &info, c->conditions, c->a, c->ret_info, err);
}

/* --- bytes written again --- */

static status pour(store_reader *reader, object_writer *w, error *err)
{
    char *chunk = mem_alloc(INTAKE_BUFFER_BYTES);
    status done = STATUS_OK;
    size_t got = INTAKE_BUFFER_BYTES;

    for (int64_t offset = 0; done == STATUS_OK && got > 0; offset += (int64_t)got) {
        done = store_reader_read(reader, chunk, INTAKE_BUFFER_BYTES, offset, &got, err);
        if (done == STATUS_OK) {
            done = object_writer_write(w, chunk, got, err);
        }
    }
    mem_free(chunk);
    return done;
}

static status write_copy(copying *c, store_reader *reader, const object_info *source, error *err)
{
    object_info info = describe(c->what, source);
    object_checksum_kind kind =
        c->what->checksum != CHECKSUM_NONE ? c->what->checksum : source->checksum.kind;
    const object_write write = {.bucket = info.bucket,
                                .key = info.key,
                                .attributes = &info.attributes,
                                .size_bytes = source->size_bytes,
                                .checksum = kind};
    object_digests digests;
    object_writer *w;
    status done;

    TRY(object_writer_begin(c->st, &write, &w, err));
    done = pour(reader, w, err);
    if (done == STATUS_OK) {
        done = object_writer_end(w, &digests, err);
    }
    if (done != STATUS_OK) {
        object_writer_abort(w);
        return done;
    }
    return object_writer_commit(w, c->conditions, c->a, c->ret_info, err);
}

static status copy_bytes(copying *c, error *err)
{
    store_reader *reader;
    object_info source;
    status done;

    TRY(object_open(c->st, c->what->from_bucket, c->what->from_key, c->what->from_version, c->a,
                    &source, &reader, err));
    done = check_etag(c->what, &source, err);
    if (done == STATUS_OK) {
        done = write_copy(c, reader, &source, err);
    }
    store_reader_close(reader);
    return done;
}

status object_copy_make(storage *st, const object_copy *what, const object_conditions *conditions,
                        arena *a, object_info *ret_info, error *err)
{
    copying c = {.st = st, .what = what, .conditions = conditions, .a = a, .ret_info = ret_info};

    TRY(state_submit(st->state, share, &c, err));
    return c.shared ? STATUS_OK : copy_bytes(&c, err);
}

/* Reading a version of an object: its row, where its bytes are, and a reader over them. */
#include <fcntl.h>
#include <inttypes.h>

#include "bytes.h"
#include "tarn/base/fs.h"

/* --- where the bytes are --- */

/* The object's own checksums, of those of its blob. */
static status cut_crcs(store_source *source, str crcs, str parts, int64_t blob_bytes, error *err)
{
    int64_t size = str_is_empty(source->seal) ? source->object.size_bytes : blob_bytes;
    size_t blocks = store__blocks_of(size);
    blob_part part = {0};

    source->packed = parts.size > 0;
    if (source->packed && (!store__part_at(parts, source->offset, &part) ||
                           part.size_bytes != source->object.size_bytes)) {
        return error_set(err, STATUS_CORRUPT, "object \"%.*s\" is no part of its blob",
                         STR_ARG(source->object.location));
    }
    if (source->packed ? (part.first_block + blocks) * 4 > crcs.size : crcs.size != blocks * 4) {
        return error_set(err, STATUS_CORRUPT,
                         "object \"%.*s\" has %zu bytes of checksums for %zu blocks",
                         STR_ARG(source->object.location), crcs.size, blocks);
    }
    source->crcs = str_slice(crcs, part.first_block * 4, (part.first_block + blocks) * 4);
    return STATUS_OK;
}

status store__read_source(state_txn *txn, blob_id blob, int64_t offset, arena *a,
                          store_source *source, error *err)
{
    state_rows *rows;
    str file;
    bool row;

    TRY(STATE_QUERY(
        txn, "SELECT crcs, parts, size_bytes, seal, file, file_offset FROM blobs WHERE id = ?1",
        &rows, err, SV_TEXT(str_c(blob.text))));
    TRY(state_next(rows, &row, err));
    if (!row) {
        return error_set(err, STATUS_CORRUPT, "object \"%.*s\" has lost the row of its blob",
                         STR_ARG(source->object.location));
    }
    source->id = blob;
    source->offset = offset;
    source->seal = state_text(rows, 3, a);
    TRY(cut_crcs(source, state_text(rows, 0, a), state_text(rows, 1, a), state_int(rows, 2), err));
    file = state_text(rows, 4, NULL);
    if (store__is_blob_id(file)) {
        source->file = store__blob_id(file);
        source->offset += state_int(rows, 5);
    }
    state_finish(rows);
    return STATUS_OK;
}

status store__open_source(storage *st, arena *a, store_source *source, error *err)
{
    blob_id file = source->file.text[0] != '\0' ? source->file : source->id;

    return fs_open(store__blob_path(st, a, file), O_RDONLY, 0, &source->fd, err);
}

/* --- opening --- */

typedef struct opening {
    str bucket, key, version;
    arena *a;      /* of the info */
    arena *memory; /* of the reader */
    object_row row;
    store_source source;
} opening;

static status find(void *context, state_txn *txn, error *err)
{
    opening *o = context;

    TRY(store__find_row(txn, o->bucket, o->key, o->version, o->a, &o->row, err));
    o->source = (store_source){.fd = -1};
    o->source.object = (store_object){
        .location = str_printf(o->memory, "s3://%.*s/%.*s", STR_ARG(o->bucket), STR_ARG(o->key)),
        .size_bytes = o->row.info.size_bytes};
    return store__read_source(txn, o->row.blob, o->row.offset, o->memory, &o->source, err);
}

bool store__is_same_place(const store_source *a, const store_source *b)
{
    return str_equal(str_c(a->id.text), str_c(b->id.text)) &&
           str_equal(str_c(a->file.text), str_c(b->file.text)) && a->offset == b->offset;
}

/* Between row and file the object may go, or its bytes move: then the row has changed, too. */
static status open_found(storage *st, opening *o, error *err)
{
    store_source before = {.offset = -1};

    for (;;) {
        status opened;

        TRY(state_read(st->state, find, o, err));
        opened = store__open_source(st, o->memory, &o->source, err);
        if (opened != STATUS_NOT_FOUND) {
            return opened;
        }
        if (store__is_same_place(&before, &o->source)) {
            store__note_corrupt(st,
                                store__bytes_id(o->source.id, o->source.packed, o->source.offset));
            return error_set(err, STATUS_CORRUPT,
                             "object \"%.*s\" has lost its bytes: blob %s is not there",
                             STR_ARG(o->source.object.location), o->source.id.text);
        }
        before = o->source;
    }
}

status object_open(storage *st, str bucket, str key, str version, arena *a, object_info *ret_info,
                   store_reader **ret_reader, error *err)
{
    opening o = {.bucket = bucket, .key = key, .version = version, .a = a};
    status opened;

    o.memory = arena_create();
    opened = open_found(st, &o, err);
    if (opened == STATUS_OK || opened == STATUS_NOT_FOUND || opened == STATUS_METHOD) {
        *ret_info = o.row.info;
    }
    if (opened == STATUS_OK) {
        opened = store__reader_over(st, o.memory, &o.source, ret_reader);
        if (opened == STATUS_OK) {
            return STATUS_OK; /* the memory is the reader's */
        }
        fs_close(o.source.fd);
        (void)error_set(err, opened, "object \"%.*s\" has lost its keys", STR_ARG(key));
    }
    arena_free(o.memory);
    return opened;
}

status object_part_range(const object_info *info, int number, int64_t *ret_offset,
                         int64_t *ret_size, error *err)
{
    int64_t offset = 0;

    if (info->part_count == 0 && number == 1) {
        *ret_offset = 0;
        *ret_size = info->size_bytes;
        return STATUS_OK;
    }
    for (size_t i = 0; i < info->part_count; i++) {
        if (info->parts[i].number == number) {
            *ret_offset = offset;
            *ret_size = info->parts[i].size_bytes;
            return STATUS_OK;
        }
        offset += info->parts[i].size_bytes;
    }
    (void)error_set(err, STATUS_RANGE, "object \"%.*s\" has no part %d", STR_ARG(info->key),
                    number);
    error_set_s3_code(err, "InvalidPartNumber");
    return STATUS_RANGE;
}

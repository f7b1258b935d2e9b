/* Reading Puffin files (writing: puffin_write.c).
 *
 *   "PFA1" blobs … | "PFA1" payload, size of it (4 bytes), flags (4 bytes), "PFA1" */
#include "tarn/codec/puffin.h"

#include <string.h>

#include "tarn/base/limits.h"
#include "tarn/codec/json.h"

#define MAGIC "PFA1"
#define MAGIC_BYTES 4
#define TAIL_BYTES 12              /* size, flags, magic */
#define FLAG_PACKED UINT32_C(1)    /* the payload is one LZ4 frame */
#define BLOB_MAX (512 * LIMIT_MIB) /* unpacked */

static status corrupt(error *err, const char *why)
{
    return error_set(err, STATUS_CORRUPT, "puffin file: %s", why);
}

static uint32_t u32_at(str bytes, size_t at)
{
    const uint8_t *b = (const uint8_t *)bytes.data + at;

    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static bool is_magic_at(str file, size_t at)
{
    return memcmp(file.data + at, MAGIC, MAGIC_BYTES) == 0;
}

static status find_payload(str file, arena *a, str *ret_payload, size_t *ret_blobs_end, error *err)
{
    size_t size;
    size_t end;
    uint32_t flags;

    if (file.size < MAGIC_BYTES + MAGIC_BYTES + TAIL_BYTES || !is_magic_at(file, 0) ||
        !is_magic_at(file, file.size - MAGIC_BYTES)) {
        return corrupt(err, "it does not begin and end as one");
    }
    end = file.size - TAIL_BYTES;
    size = u32_at(file, end);
    flags = u32_at(file, end + 4);
    if (size > end - 2 * MAGIC_BYTES || !is_magic_at(file, end - size - MAGIC_BYTES)) {
        return corrupt(err, "its footer is not where it should be");
    }
    if ((flags & ~FLAG_PACKED) != 0) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "puffin file: its footer has flags of a later version");
    }
    *ret_payload = str_slice(file, end - size, end);
    *ret_blobs_end = end - size - MAGIC_BYTES;
    if ((flags & FLAG_PACKED) != 0) {
        buf *plain = buf_in(a, LIMIT_JSON_BODY);

        TRY(decompress_bytes(COMPRESSION_LZ4_FRAME, *ret_payload, plain, err));
        *ret_payload = buf_str(plain);
    }
    return STATUS_OK;
}

/* --- the payload --- */

static status read_properties(const json *object, arena *a, const puffin_property **ret_items,
                              size_t *ret_count, error *err)
{
    size_t count = json_count(object);
    puffin_property *items = ARENA_ARRAY(a, puffin_property, count);
    const json *member;
    size_t at = 0;

    for (size_t i = 0; i < count && json_next_member(object, &at, &items[i].key, &member); i++) {
        if (json_kind_of(member) != JSON_STR) {
            return corrupt(err, "a property of its footer is no text");
        }
        items[i].value = json_str_or(member, STR_NULL);
    }
    *ret_items = items;
    *ret_count = count;
    return STATUS_OK;
}

static status read_fields(const json *array, arena *a, puffin_blob *blob, error *err)
{
    size_t count = json_count(array);
    int32_t *fields = ARENA_ARRAY(a, int32_t, count);

    for (size_t i = 0; i < count; i++) {
        const json *item = json_at(array, i);
        int64_t id = json_int64_or(item, -1);

        if (json_kind_of(item) != JSON_INT64 || id < INT32_MIN || id > INT32_MAX) {
            return corrupt(err, "a field of a blob is no id");
        }
        fields[i] = (int32_t)id;
    }
    blob->fields = fields;
    blob->field_count = count;
    return STATUS_OK;
}

typedef struct blob_members {
    str type, codec;
    const json *fields, *properties;
    int64_t snapshot_id, sequence_number, offset, size_bytes;
} blob_members;

static const json_field blob_fields[] = {
    {"type", JSON_STR, JSON_REQUIRED, offsetof(blob_members, type)},
    {"fields", JSON_ARRAY, JSON_REQUIRED, offsetof(blob_members, fields)},
    {"snapshot-id", JSON_INT64, JSON_REQUIRED, offsetof(blob_members, snapshot_id)},
    {"sequence-number", JSON_INT64, JSON_REQUIRED, offsetof(blob_members, sequence_number)},
    {"offset", JSON_INT64, JSON_REQUIRED, offsetof(blob_members, offset)},
    {"length", JSON_INT64, JSON_REQUIRED, offsetof(blob_members, size_bytes)},
    {"compression-codec", JSON_STR, 0, offsetof(blob_members, codec)},
    {"properties", JSON_OBJECT, 0, offsetof(blob_members, properties)},
};

static status read_blob(const json *value, size_t blobs_end, arena *a, puffin_blob *ret_blob,
                        error *err)
{
    blob_members m = {.codec = STR_NULL};
    puffin_blob blob;
    error why = ERROR_INIT;

    if (json_kind_of(value) != JSON_OBJECT ||
        json_read(value, blob_fields, COUNT_OF(blob_fields), &m, &why) != STATUS_OK) {
        return error_set(err, STATUS_CORRUPT, "puffin file: a blob of its footer: %s",
                         why.kind != STATUS_OK ? why.message : "is no object");
    }
    if (m.offset < MAGIC_BYTES || m.size_bytes < 0 || m.offset > (int64_t)blobs_end ||
        m.size_bytes > (int64_t)blobs_end - m.offset) {
        return corrupt(err, "a blob does not lie in it");
    }
    blob = (puffin_blob){.type = m.type,
                         .snapshot_id = m.snapshot_id,
                         .sequence_number = m.sequence_number,
                         .offset = m.offset,
                         .size_bytes = m.size_bytes,
                         .codec = m.codec};
    TRY(read_fields(m.fields, a, &blob, err));
    TRY(read_properties(m.properties, a, &blob.properties, &blob.property_count, err));
    *ret_blob = blob;
    return STATUS_OK;
}

status puffin_parse(str file, arena *a, puffin *ret_puffin, error *err)
{
    puffin p = {.blob_count = 0};
    puffin_blob *blobs;
    size_t blobs_end;
    const json *root;
    const json *list;
    str payload;

    TRY(find_payload(file, a, &payload, &blobs_end, err));
    if (json_parse(payload, a, &root, NULL) != STATUS_OK || json_kind_of(root) != JSON_OBJECT) {
        return corrupt(err, "its footer is no JSON object");
    }
    list = json_get(root, "blobs");
    if (json_kind_of(list) != JSON_ARRAY) {
        return corrupt(err, "its footer has no list of blobs");
    }
    p.blob_count = json_count(list);
    blobs = ARENA_ARRAY(a, puffin_blob, p.blob_count);
    for (size_t i = 0; i < p.blob_count; i++) {
        TRY(read_blob(json_at(list, i), blobs_end, a, &blobs[i], err));
    }
    p.blobs = blobs;
    TRY(read_properties(json_get(root, "properties"), a, &p.properties, &p.property_count, err));
    *ret_puffin = p;
    return STATUS_OK;
}

str puffin_blob_property(const puffin_blob *blob, const char *key)
{
    for (size_t i = 0; i < blob->property_count; i++) {
        if (str_equal(blob->properties[i].key, str_c(key))) {
            return blob->properties[i].value;
        }
    }
    return STR_NULL;
}

status puffin_blob_read(str file, const puffin_blob *blob, arena *a, str *ret_bytes, error *err)
{
    str stored = str_slice(file, (size_t)blob->offset, (size_t)(blob->offset + blob->size_bytes));
    compression how;
    buf *plain;

    if (str_is_null(blob->codec)) {
        *ret_bytes = stored;
        return STATUS_OK;
    }
    if (str_equal(blob->codec, STR("lz4"))) {
        how = COMPRESSION_LZ4_FRAME;
    } else if (str_equal(blob->codec, STR("zstd"))) {
        how = COMPRESSION_ZSTD;
    } else {
        return error_set(err, STATUS_UNSUPPORTED,
                         "puffin file: compression \"%.*s\" is not supported",
                         STR_ARG(blob->codec));
    }
    plain = buf_in(a, BLOB_MAX);
    TRY(decompress_bytes(how, stored, plain, err));
    *ret_bytes = buf_str(plain);
    return STATUS_OK;
}

/* Writing Puffin files. Reading is in puffin.c. */
#include "tarn/codec/puffin.h"

#include "tarn/base/limits.h"
#include "tarn/codec/json.h"

#define MAGIC "PFA1"
#define FLAG_PACKED UINT32_C(1)

void puffin_begin(puffin_writer *w, buf *out, arena *a)
{
    *w = (puffin_writer){.out = out, .start = out->size, .memory = a};
    buf_add_c(out, MAGIC);
}

status puffin_add(puffin_writer *w, const puffin_blob *blob, str bytes, compression how,
                  int64_t *ret_offset, int64_t *ret_size_bytes, error *err)
{
    puffin_blob written = *blob;
    size_t begin = w->out->size;

    if (how == COMPRESSION_NONE) {
        buf_add_str(w->out, bytes);
    } else {
        TRY(compress_bytes(how, 0, bytes, w->out, err));
    }
    TRY(buf_check(w->out, "a Puffin file", err));
    written.offset = (int64_t)(begin - w->start);
    written.size_bytes = (int64_t)(w->out->size - begin);
    written.codec = how == COMPRESSION_NONE        ? STR_NULL
                    : how == COMPRESSION_LZ4_FRAME ? STR("lz4")
                                                   : STR("zstd");
    vec_push(w->memory, &w->blobs, written);
    if (ret_offset != NULL) {
        *ret_offset = written.offset;
    }
    if (ret_size_bytes != NULL) {
        *ret_size_bytes = written.size_bytes;
    }
    return STATUS_OK;
}

static void put_properties(json_writer *j, const puffin_property *properties, size_t count)
{
    if (count == 0) {
        return;
    }
    json_key(j, "properties");
    json_begin_object(j);
    for (size_t i = 0; i < count; i++) {
        json_key_str(j, properties[i].key);
        json_put_str(j, properties[i].value);
    }
    json_end_object(j);
}

static void put_blob(json_writer *j, const puffin_blob *blob)
{
    json_begin_object(j);
    json_member_str(j, "type", blob->type);
    json_key(j, "fields");
    json_begin_array(j);
    for (size_t i = 0; i < blob->field_count; i++) {
        json_put_int(j, blob->fields[i]);
    }
    json_end_array(j);
    json_member_int(j, "snapshot-id", blob->snapshot_id);
    json_member_int(j, "sequence-number", blob->sequence_number);
    json_member_int(j, "offset", blob->offset);
    json_member_int(j, "length", blob->size_bytes);
    if (!str_is_null(blob->codec)) {
        json_member_str(j, "compression-codec", blob->codec);
    }
    put_properties(j, blob->properties, blob->property_count);
    json_end_object(j);
}

static str make_payload(const puffin_writer *w, const puffin_property *properties,
                        size_t property_count)
{
    buf *text = buf_in(w->memory, LIMIT_JSON_BODY);
    json_writer j;

    json_writer_init(&j, text);
    json_begin_object(&j);
    json_key(&j, "blobs");
    json_begin_array(&j);
    for (size_t i = 0; i < w->blobs.count; i++) {
        put_blob(&j, &w->blobs.items[i]);
    }
    json_end_array(&j);
    put_properties(&j, properties, property_count);
    json_end_object(&j);
    return text->failed ? STR_NULL : buf_str(text);
}

status puffin_finish(puffin_writer *w, const puffin_property *properties, size_t property_count,
                     bool pack_footer, error *err)
{
    str payload = make_payload(w, properties, property_count);
    size_t begin;
    size_t size;

    if (str_is_null(payload)) {
        return error_set(err, STATUS_TOO_LARGE, "a Puffin file has too many blobs");
    }
    buf_add_c(w->out, MAGIC);
    begin = w->out->size;
    if (pack_footer) {
        TRY(compress_bytes(COMPRESSION_LZ4_FRAME, 0, payload, w->out, err));
    } else {
        buf_add_str(w->out, payload);
    }
    size = w->out->size - begin;
    buf_add_u32le(w->out, (uint32_t)size);
    buf_add_u32le(w->out, pack_footer ? FLAG_PACKED : 0);
    buf_add_c(w->out, MAGIC);
    return buf_check(w->out, "a Puffin file", err);
}

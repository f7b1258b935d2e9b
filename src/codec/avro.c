/* Avro container files: the header, the blocks, and reading all records of a file.
 * What a record looks like is compiled in avro_compile.c and run in avro_run.c. */
#include "tarn/codec/avro.h"

#include "avro_program.h"
#include "internal.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"

static const char magic[] = {'O', 'b', 'j', 1};

enum { METADATA_ENTRIES_MAX = 1000 };

/* Of compression: manifests are small and repeat themselves; every commit waits for theirs. */
enum { PACK_LEVEL = 1 };

typedef struct codec_name {
    const char *name;
    compression codec;
} codec_name;

static const codec_name codec_names[] = {
    {"null", COMPRESSION_NONE},
    {"deflate", COMPRESSION_DEFLATE},
    {"snappy", COMPRESSION_AVRO_SNAPPY},
    {"zstandard", COMPRESSION_ZSTD},
};

/* --- the header --- */

static status corrupt(size_t offset, const char *reason, error *err)
{
    return error_set(err, STATUS_CORRUPT, "malformed Avro file: %s at byte %zu", reason, offset);
}

static status read_text(avro_input *in, const char *start, str *ret_text, error *err)
{
    int64_t size;

    if (!avro__read_long(in, &size)) {
        return corrupt((size_t)((const char *)in->at - start), in->reason, err);
    }
    if (size < 0 || size > in->end - in->at) {
        return corrupt((size_t)((const char *)in->at - start), "a length does not fit", err);
    }
    *ret_text = str_from((const char *)in->at, (size_t)size);
    in->at += size;
    return STATUS_OK;
}

static status read_metadata(avro_input *in, const char *start, arena *a, avro_file *file,
                            error *err)
{
    VEC(avro_metadata_entry) entries = {0};

    for (;;) {
        int64_t count;
        int64_t ignored;

        if (!avro__read_long(in, &count) || (count < 0 && !avro__read_long(in, &ignored))) {
            return corrupt((size_t)((const char *)in->at - start), in->reason, err);
        }
        if (count == 0) {
            break;
        }
        if (count < -METADATA_ENTRIES_MAX || count > METADATA_ENTRIES_MAX ||
            entries.count > METADATA_ENTRIES_MAX) {
            return corrupt((size_t)((const char *)in->at - start), "too much metadata", err);
        }
        for (int64_t i = count < 0 ? -count : count; i > 0; i--) {
            avro_metadata_entry entry;

            TRY(read_text(in, start, &entry.key, err));
            TRY(read_text(in, start, &entry.value, err));
            vec_push(a, &entries, entry);
        }
    }
    file->metadata = entries.items;
    file->metadata_count = entries.count;
    return STATUS_OK;
}

static status find_codec(avro_file *file, error *err)
{
    str name = avro_metadata(file, "avro.codec");

    if (str_is_null(name)) {
        name = STR("null");
    }
    for (size_t i = 0; i < COUNT_OF(codec_names); i++) {
        if (str_equal(name, str_c(codec_names[i].name))) {
            file->codec = codec_names[i].codec;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_UNSUPPORTED, "Avro codec \"%.*s\" cannot be read", STR_ARG(name));
}

status avro_open(str bytes, arena *a, avro_file *ret_file, error *err)
{
    avro_file file = {.codec = COMPRESSION_NONE};
    avro_input in;
    str schema;
    status kind;

    if (str_starts_with(bytes, STR("AGS1"))) {
        return error_set(err, STATUS_UNSUPPORTED, "the file is encrypted, not a plain Avro file");
    }
    if (!str_starts_with(bytes, str_from(magic, sizeof(magic)))) {
        return corrupt(0, "no \"Obj\" and version 1", err);
    }
    in = (avro_input){.at = (const uint8_t *)bytes.data + sizeof(magic),
                      .end = (const uint8_t *)bytes.data + bytes.size};
    TRY(read_metadata(&in, bytes.data, a, &file, err));
    if ((size_t)(in.end - in.at) < sizeof(file.sync)) {
        return corrupt(bytes.size, "the header ends too early", err);
    }
    memcpy(file.sync, in.at, sizeof(file.sync));
    in.at += sizeof(file.sync);
    file.blocks_offset = (size_t)((const char *)in.at - bytes.data);
    file.blocks = str_slice(bytes, file.blocks_offset, bytes.size);
    TRY(find_codec(&file, err));

    schema = avro_metadata(&file, "avro.schema");
    if (str_is_null(schema)) {
        return corrupt(sizeof(magic), "no schema", err);
    }
    kind = avro__schema_parse(schema, a, &file.schema, err);
    if (kind != STATUS_OK) {
        error_context(err, "schema of the Avro file");
        return kind;
    }
    *ret_file = file;
    return STATUS_OK;
}

str avro_metadata(const avro_file *file, const char *key)
{
    for (size_t i = 0; i < file->metadata_count; i++) {
        if (str_equal(file->metadata[i].key, str_c(key))) {
            return file->metadata[i].value;
        }
    }
    return STR_NULL;
}

/* --- blocks --- */

typedef struct block {
    size_t offset; /* in the file */
    size_t record_count;
    str bytes; /* as stored */
} block;

/* Takes the next block off `rest`. */
static status next_block(const avro_file *file, str *rest, block *ret_block, error *err)
{
    size_t offset = file->blocks_offset + file->blocks.size - rest->size;
    avro_input in = {.at = (const uint8_t *)rest->data,
                     .end = (const uint8_t *)rest->data + rest->size};
    block b = {.offset = offset};
    int64_t count;
    int64_t size;

    if (!avro__read_long(&in, &count) || !avro__read_long(&in, &size)) {
        return corrupt(offset, "the head of a block ends too early", err);
    }
    if (count < 0 || size < 0 || size > in.end - in.at ||
        (size_t)(in.end - in.at) - (size_t)size < sizeof(file->sync)) {
        return corrupt(offset, "a block does not fit into the file", err);
    }
    b.record_count = (size_t)count;
    b.bytes = str_from((const char *)in.at, (size_t)size);
    if (memcmp(in.at + size, file->sync, sizeof(file->sync)) != 0) {
        return corrupt(offset, "a block without its sync marker", err);
    }
    *rest = str_slice(
        *rest, (size_t)((const char *)in.at - rest->data) + b.bytes.size + sizeof(file->sync),
        rest->size);
    *ret_block = b;
    return STATUS_OK;
}

/* --- records --- */

typedef struct reading {
    const avro_file *file;
    const avro_shape *shape;
    avro_program program;
    bool (*keep)(void *context, const void *record);
    void *context;
    avro_heap heap;
    buf *records;
    size_t unpacked_bytes; /* of all blocks so far */
} reading;

static status unpack(reading *r, const block *b, str *ret_bytes, error *err)
{
    buf *plain;
    status kind;

    if (r->file->codec == COMPRESSION_NONE) {
        *ret_bytes = b->bytes;
        return STATUS_OK;
    }
    plain = buf_in(r->heap.a, LIMIT_MANIFEST_FILE - r->unpacked_bytes);
    kind = decompress_bytes(r->file->codec, b->bytes, plain, err);
    if (kind != STATUS_OK) {
        error_context(err, "Avro block at byte %zu", b->offset);
        return kind;
    }
    r->unpacked_bytes += plain->size;
    *ret_bytes = buf_str(plain);
    return STATUS_OK;
}

static status read_record(reading *r, avro_input *in, error *err)
{
    const avro_shape *shape = r->shape;
    avro_heap mark = r->heap;
    char *record = buf_reserve(r->records, shape->size);

    if (record == NULL) {
        return buf_check(r->records, "records of an Avro file", err);
    }
    if (shape->defaults != NULL) {
        memcpy(record, shape->defaults, shape->size);
    } else {
        memset(record, 0, shape->size);
    }
    if (!avro__run(in, &r->program, record)) {
        return STATUS_CORRUPT;
    }
    if (r->keep == NULL || r->keep(r->context, record)) {
        buf_commit(r->records, shape->size);
        return STATUS_OK;
    }
    avro__heap_rewind(&r->heap, &mark);
    return STATUS_OK;
}

static status read_block(reading *r, const block *b, error *err)
{
    size_t bytes_min = r->program.bytes_min > 0 ? r->program.bytes_min : 1;
    avro_input in = {.heap = &r->heap};
    str bytes;

    TRY(unpack(r, b, &bytes, err));
    if (b->record_count > bytes.size / bytes_min) {
        return corrupt(b->offset, "a block counts more records than it has bytes for", err);
    }
    in.at = (const uint8_t *)bytes.data;
    in.end = in.at + bytes.size;
    for (size_t i = 0; i < b->record_count; i++) {
        status kind = read_record(r, &in, err);

        if (kind == STATUS_CORRUPT) {
            return error_set(err, in.too_large ? STATUS_TOO_LARGE : STATUS_CORRUPT,
                             "malformed Avro file: %s, record %zu of the block at byte %zu, byte "
                             "%zu of its content",
                             in.reason, i, b->offset, (size_t)((const char *)in.at - bytes.data));
        }
        TRY(kind);
    }
    if (in.at != in.end) {
        return corrupt(b->offset, "bytes behind the last record of the block", err);
    }
    return STATUS_OK;
}

status avro_read(const avro_file *file, const avro_shape *shape,
                 bool (*keep)(void *context, const void *record), void *context, arena *a,
                 void **ret_records, size_t *ret_count, error *err)
{
    reading r = {.file = file,
                 .shape = shape,
                 .keep = keep,
                 .context = context,
                 .heap = {.a = a},
                 .records = buf_in(a, LIMIT_MANIFEST_FILE)};
    str rest = file->blocks;

    TRY(avro__compile(file->schema, shape, a, &r.program, err));
    while (rest.size > 0) {
        block b;

        TRY(next_block(file, &rest, &b, err));
        TRY(read_block(&r, &b, err));
    }
    *ret_records = r.records->data;
    *ret_count = r.records->size / shape->size;
    return STATUS_OK;
}

/* --- writing --- */

void avro_put_bool(buf *out, bool value)
{
    buf_add_char(out, value ? 1 : 0);
}

void avro_put_long(buf *out, int64_t value)
{
    uint64_t rest = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    char bytes[10];
    size_t size = 0;

    while (rest >= 0x80) {
        bytes[size++] = (char)(rest | 0x80);
        rest >>= 7;
    }
    bytes[size++] = (char)rest;
    buf_add(out, bytes, size);
}

void avro_put_bytes(buf *out, str value)
{
    avro_put_long(out, (int64_t)value.size);
    buf_add_str(out, value);
}

void avro_put_fixed(buf *out, str value)
{
    buf_add_str(out, value);
}

void avro_put_float(buf *out, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    buf_add_u32le(out, bits);
}

void avro_put_double(buf *out, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    buf_add_u64le(out, bits);
}

void avro_put_branch(buf *out, int branch)
{
    avro_put_long(out, branch);
}

static const char *name_of_codec(compression codec)
{
    const char *name = NULL;

    for (size_t i = 0; i < COUNT_OF(codec_names); i++) {
        if (codec_names[i].codec == codec) {
            name = codec_names[i].name;
        }
    }
    ASSERT(name != NULL); /* a codec that Avro has */
    return name;
}

void avro_writer_begin(avro_writer *w, buf *out, str schema_json, compression codec,
                       const avro_metadata_entry *metadata, size_t metadata_count)
{
    *w = (avro_writer){.out = out, .codec = codec};
    random_bytes(w->sync, sizeof(w->sync));

    buf_add(out, magic, sizeof(magic));
    avro_put_long(out, (int64_t)metadata_count + 2);
    avro_put_bytes(out, STR("avro.schema"));
    avro_put_bytes(out, schema_json);
    avro_put_bytes(out, STR("avro.codec"));
    avro_put_bytes(out, str_c(name_of_codec(codec)));
    for (size_t i = 0; i < metadata_count; i++) {
        avro_put_bytes(out, metadata[i].key);
        avro_put_bytes(out, metadata[i].value);
    }
    avro_put_long(out, 0);
    buf_add(out, w->sync, sizeof(w->sync));
}

status avro_writer_add_block(avro_writer *w, str records, int64_t record_count, error *err)
{
    buf packed;
    status kind;

    buf_init(&packed, w->out->size_max);
    kind = compress_bytes(w->codec, PACK_LEVEL, records, &packed, err);
    if (kind == STATUS_OK) {
        avro_put_long(w->out, record_count);
        avro_put_bytes(w->out, buf_str(&packed));
        buf_add(w->out, w->sync, sizeof(w->sync));
        kind = buf_check(w->out, "Avro file", err);
    }
    buf_release(&packed);
    return kind;
}

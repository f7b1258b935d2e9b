/* puffin.h: Puffin files: blobs of statistics and deletion vectors, and a footer that tells what they are.
 *
 * Source: Iceberg specification, "Puffin file format". Deletion vectors are read by the offset and size that
 * the manifest gives, without the footer: some writers left it out. */
#ifndef TARN_CODEC_PUFFIN_H
#define TARN_CODEC_PUFFIN_H

#include "tarn/base/vec.h"
#include "tarn/codec/compress.h"

typedef struct puffin_property {
    str key;
    str value;
} puffin_property;

typedef struct puffin_blob {
    str type; /* "deletion-vector-v1", "apache-datasketches-theta-v1", … */
    const int32_t *fields;
    size_t field_count;
    int64_t snapshot_id, sequence_number; /* -1: those of the commit */
    int64_t offset, size_bytes;           /* in the file, as stored */
    str codec;                            /* "lz4", "zstd"; STR_NULL: stored as it is */
    const puffin_property *properties;
    size_t property_count;
} puffin_blob;

typedef struct puffin {
    const puffin_blob *blobs;
    size_t blob_count;
    const puffin_property *properties;
    size_t property_count;
} puffin;

/* `file` is the whole file. CORRUPT; UNSUPPORTED where the footer has a flag or a compression of a later version. */
status puffin_parse(str file, arena *a, puffin *ret_puffin, error *err);
/* The plain bytes of one blob: a view into `file` where it is stored as it is. */
status puffin_blob_read(str file, const puffin_blob *blob, arena *a, str *ret_bytes, error *err);
/* STR_NULL where it is absent. */
str puffin_blob_property(const puffin_blob *blob, const char *key);

/* Writing, into one buffer: begin, add each blob, finish. */
typedef struct puffin_writer {
    buf *out; /* begins with the file */
    size_t start;
    VEC(puffin_blob) blobs; /* in `memory` */
    arena *memory;
} puffin_writer;

/* What is added to `out` is the file. */
void puffin_begin(puffin_writer *w, buf *out, arena *a);
/* `blob` tells type, fields, ids and properties, and lives until the end; offset, size and codec are the writer's,
 * and given back in `ret_offset` and `ret_size_bytes` (may be NULL). `how`: NONE, LZ4_FRAME or ZSTD. */
status puffin_add(puffin_writer *w, const puffin_blob *blob, str bytes, compression how,
                  int64_t *ret_offset, int64_t *ret_size_bytes, error *err);
/* `pack_footer`: as an LZ4 frame. TOO_LARGE where `out` is full. */
status puffin_finish(puffin_writer *w, const puffin_property *properties, size_t property_count,
                     bool pack_footer, error *err);

#endif

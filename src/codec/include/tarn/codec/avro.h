/* avro.h: Avro object container files, as Iceberg uses them.
 *
 * Source: Avro 1.11 specification (object container files, binary encoding), Iceberg
 * specification "Appendix A: Avro". Reading resolves by field id, never by position or name: the
 * writer's schema is compiled once per file into a program that stores the fields a table asks
 * for and skips the others. Writing takes the schema as JSON text and encodes with the avro_put_
 * functions.
 *
 * Hostile files: lengths and counts are checked against the bytes that are left, sync markers are
 * compared, depth and schema size are limited; what does not fit is CORRUPT, and the message says
 * where. */
#ifndef TARN_CODEC_AVRO_H
#define TARN_CODEC_AVRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/buf.h"
#include "tarn/codec/compress.h"
#include "tarn/codec/json.h"

/* Header of a container. Views into the file's bytes, or into the arena. */
typedef struct avro_metadata_entry {
    str key;
    str value;
} avro_metadata_entry;

typedef struct avro_file {
    const avro_metadata_entry *metadata;
    size_t metadata_count;
    const json *schema;
    compression codec;
    str blocks;           /* what follows the header */
    size_t blocks_offset; /* in the file */
    uint8_t sync[16];
} avro_file;

/* `bytes` must outlive the file. UNSUPPORTED: an unknown codec, an encrypted file. */
status avro_open(str bytes, arena *a, avro_file *ret_file, error *err);
str avro_metadata(const avro_file *file, const char *key); /* STR_NULL where absent */

/* How a field of a record is stored in the struct that the caller reads into. */
typedef enum avro_kind {
    AVRO_BOOL,          /* bool */
    AVRO_INT,           /* int32_t; from int, or long where the value fits */
    AVRO_LONG,          /* int64_t; from int or long */
    AVRO_BYTES,         /* str; from bytes, fixed, string */
    AVRO_STRING,        /* str */
    AVRO_RECORD,        /* nested struct at offset, by `nested` */
    AVRO_LIST_INT,      /* avro_list of int32_t */
    AVRO_LIST_LONG,     /* avro_list of int64_t */
    AVRO_LIST_RECORD,   /* avro_list of structs of nested->size */
    AVRO_MAP_INT_LONG,  /* avro_list of avro_int_long: array of key/value records or map */
    AVRO_MAP_INT_BYTES, /* avro_list of avro_int_bytes */
    AVRO_TUPLE,         /* avro_tuple: all fields of a record, whatever they are (partition) */
} avro_kind;

typedef struct avro_int_long {
    int32_t key;
    int64_t value;
} avro_int_long;
typedef struct avro_int_bytes {
    int32_t key;
    str value;
} avro_int_bytes;
typedef struct avro_list {
    const void *items;
    size_t count;
    bool present; /* false: null in the file */
} avro_list;

/* One field of an AVRO_TUPLE: its id, and its value in the form Iceberg calls single-value binary
 * (int and date 4 bytes LE, long/time/timestamp 8 bytes LE, float, double LE, boolean one byte,
 * string, bytes, fixed, uuid raw, decimal big-endian as written). */
typedef struct avro_tuple_field {
    int32_t field_id;
    bool present;
    str value;
} avro_tuple_field;
typedef struct avro_tuple {
    const avro_tuple_field *fields;
    size_t count;
} avro_tuple;

typedef struct avro_field {
    int32_t field_id;
    avro_kind kind;
    size_t offset; /* in the struct */
    ptrdiff_t
        present_offset; /* of a bool: false for null; or AVRO_NO_PRESENCE: null keeps the default */
    const struct avro_shape *nested;
} avro_field;
#define AVRO_NO_PRESENCE ((ptrdiff_t)-1)

typedef struct avro_shape {
    const avro_field *fields;
    size_t count;
    size_t size;          /* of the struct */
    const void *defaults; /* what a struct holds before reading; NULL means zeros */
    /* Of the outermost shape, for all maps with int keys in it: only these keys, sorted, are stored. NULL: all. */
    const int32_t *keys;
    size_t key_count;
} avro_shape;

/* Reads all records into one array in the arena. A null among the items of a list or the values
 * of a map is left out. Strings and bytes of uncompressed files are views into the file's bytes,
 * else into the arena. Called for each record where `keep` is not NULL: false drops it (its
 * memory is reused). CORRUPT as above; INVALID where a field has a type that its kind cannot
 * take; UNSUPPORTED: schemas that contain themselves. */
status avro_read(const avro_file *file, const avro_shape *shape,
                 bool (*keep)(void *context, const void *record), void *context, arena *a,
                 void **ret_records, size_t *ret_count, error *err);

/* Binary encoding. */
void avro_put_bool(buf *out, bool value);
void avro_put_long(buf *out, int64_t value); /* int too */
void avro_put_bytes(buf *out, str value);    /* string too */
void avro_put_fixed(buf *out, str value);    /* no length */
void avro_put_float(buf *out, float value);
void avro_put_double(buf *out, double value);
void avro_put_branch(buf *out, int branch); /* of a union */

/* A container around encoded records: header, then one block per avro_writer_add_block. */
typedef struct avro_writer {
    buf *out;
    compression codec;
    uint8_t sync[16];
} avro_writer;

/* Metadata "avro.schema" and "avro.codec" are added. `codec` is one that Avro has: none, deflate
 * (Iceberg's "gzip"), Avro's snappy, zstd. */
void avro_writer_begin(avro_writer *w, buf *out, str schema_json, compression codec,
                       const avro_metadata_entry *metadata, size_t metadata_count);
status avro_writer_add_block(avro_writer *w, str records, int64_t record_count, error *err);

#endif

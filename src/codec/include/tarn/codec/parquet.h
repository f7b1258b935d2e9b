/* parquet.h: the footer of a Parquet file: schema, row groups, column statistics. No pages.
 *
 * Source: parquet-format, parquet.thrift (FileMetaData, compact protocol). Views point into the
 * footer bytes, which live in the arena. Hostile footers: lengths and nesting are limited;
 * CORRUPT. */
#ifndef TARN_CODEC_PARQUET_H
#define TARN_CODEC_PARQUET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/buf.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"

typedef enum parquet_type {
    PARQUET_BOOLEAN,
    PARQUET_INT32,
    PARQUET_INT64,
    PARQUET_INT96,
    PARQUET_FLOAT,
    PARQUET_DOUBLE,
    PARQUET_BYTE_ARRAY,
    PARQUET_FIXED,
    PARQUET_GROUP, /* not in the format: an element with children */
} parquet_type;

typedef enum parquet_repetition {
    PARQUET_REQUIRED,
    PARQUET_OPTIONAL,
    PARQUET_REPEATED
} parquet_repetition;

/* What the bytes mean: LogicalType, or ConvertedType where only that is written. */
typedef enum parquet_logical {
    PARQUET_LOGICAL_NONE,
    PARQUET_LOGICAL_STRING,
    PARQUET_LOGICAL_MAP,
    PARQUET_LOGICAL_LIST,
    PARQUET_LOGICAL_ENUM,
    PARQUET_LOGICAL_DECIMAL,
    PARQUET_LOGICAL_DATE,
    PARQUET_LOGICAL_TIME,
    PARQUET_LOGICAL_TIMESTAMP,
    PARQUET_LOGICAL_INTEGER,
    PARQUET_LOGICAL_JSON,
    PARQUET_LOGICAL_BSON,
    PARQUET_LOGICAL_UUID,
    PARQUET_LOGICAL_FLOAT16,
    PARQUET_LOGICAL_VARIANT,
    PARQUET_LOGICAL_GEOMETRY,
    PARQUET_LOGICAL_GEOGRAPHY,
    PARQUET_LOGICAL_UNKNOWN,
} parquet_logical;

typedef enum parquet_unit { PARQUET_MILLIS, PARQUET_MICROS, PARQUET_NANOS } parquet_unit;

#define PARQUET_NO_FIELD_ID INT32_MIN
#define PARQUET_NO_INDEX SIZE_MAX

/* One element of the schema; the elements stand in depth-first order, [0] is the root. */
typedef struct parquet_element {
    str name;
    parquet_type type;
    parquet_repetition repetition;
    parquet_logical logical;
    int32_t field_id; /* PARQUET_NO_FIELD_ID where absent */
    int32_t type_length;
    int32_t precision, scale; /* decimal */
    parquet_unit unit;        /* time, timestamp */
    bool utc_adjusted;        /* time, timestamp; true where only ConvertedType is written */
    bool old_annotation;      /* `logical` was told by ConvertedType alone */
    int bit_width;            /* integer */
    bool is_signed;           /* integer */
    size_t parent;            /* index; PARQUET_NO_INDEX for the root */
    size_t child_count;
    size_t leaf_index; /* column number for leaves; PARQUET_NO_INDEX for groups */
    bool repeated;     /* this or an ancestor is REPEATED: below a list or map */
} parquet_element;

typedef struct parquet_statistics {
    bool has_null_count, has_min, has_max;
    int64_t null_count;
    /* plain encoding of the physical type; min_value/max_value, or the deprecated pair where its
     * order is certain (signed numbers) */
    str min, max;
    bool min_exact, max_exact; /* true where the writer did not say */
} parquet_statistics;

typedef struct parquet_column {
    int64_t value_count; /* values and nulls, of leaves in lists too */
    int64_t compressed_bytes, uncompressed_bytes;
    int64_t data_page_offset;
    int64_t dictionary_page_offset; /* -1 where absent */
    bool has_bloom_filter;
    parquet_statistics stats;
} parquet_column;

typedef struct parquet_row_group {
    int64_t row_count;
    int64_t total_bytes;
    int64_t file_offset;           /* of its first page */
    const parquet_column *columns; /* one per leaf */
} parquet_row_group;

typedef struct parquet_footer {
    int64_t row_count;
    const parquet_element *elements;
    size_t element_count;
    size_t leaf_count;
    const size_t *leaves; /* element index of each column */
    const parquet_row_group *row_groups;
    size_t row_group_count;
    str created_by;
    int64_t footer_bytes; /* with its length and magic */
} parquet_footer;

/* The footer is copied into the arena. `tail` is the end of the file (any length that holds the
 * footer; 64 KiB usually does), `file_size_bytes` its whole size. Where the tail is too short OK
 * is returned with *ret_needed_bytes > 0: come again with that many. CORRUPT: no "PAR1", lengths
 * that do not fit, malformed Thrift. UNSUPPORTED: encrypted footers ("PARE"). */
status parquet_footer_parse(str tail, int64_t file_size_bytes, arena *a, parquet_footer *ret_footer,
                            size_t *ret_needed_bytes, error *err);
/* A whole file that has these columns and no row. Elements as above; `logical` NONE, STRING,
 * DECIMAL, DATE, TIME, TIMESTAMP or UUID. */
void parquet_put_empty_file(const parquet_element *elements, size_t count, buf *out);
/* Reads it from a file. */
status parquet_footer_read(int fd, arena *a, parquet_footer *ret_footer, error *err);

#endif

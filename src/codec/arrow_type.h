/* arrow_type.h: Arrow types: what a format string of the C data interface means in a message (the
 * type's table in Schema.fbs) and in memory (which buffers there are). */
#ifndef TARN_CODEC_ARROW_TYPE_H
#define TARN_CODEC_ARROW_TYPE_H

#include "tarn/codec/arrow.h"

typedef enum arrow_layout {
    LAYOUT_NULL,  /* no buffers */
    LAYOUT_FIXED, /* validity, values of `width_bytes` */
    LAYOUT_BITS,  /* validity, bits */
    LAYOUT_VAR32, /* validity, 32-bit offsets, bytes */
    LAYOUT_VAR64,
    LAYOUT_VIEW,   /* validity, views of 16 bytes, any number of buffers of bytes */
    LAYOUT_LIST32, /* validity, 32-bit offsets; one child */
    LAYOUT_LIST64,
    LAYOUT_FIXED_LIST, /* validity; one child, `width_bytes` items each */
    LAYOUT_STRUCT,     /* validity; children */
    LAYOUT_SPARSE,     /* type ids; children of the same length */
    LAYOUT_DENSE,      /* type ids, 32-bit offsets; children */
} arrow_layout;

/* A number in the type's table. */
typedef struct arrow_parameter {
    size_t size_bytes; /* 0: absent */
    int64_t value;
} arrow_parameter;

typedef struct arrow_type {
    arrow_layout layout;
    int type_id; /* of the union Type in Schema.fbs */
    size_t width_bytes;
    arrow_parameter parameters[3];
    str text; /* time zone, or ids of a union's children */
} arrow_type;

#define ARROW_TYPE_TIMESTAMP 10
#define ARROW_TYPE_UNION 14

/* The type that `schema` is written as: of a dictionary its values' type, as dictionaries are
 * written out. UNSUPPORTED naming the column. */
status arrow__type_of(const struct ArrowSchema *schema, arrow_type *ret_type, error *err);
/* Bytes of a dictionary's index; its sign. */
status arrow__index_of(const struct ArrowSchema *schema, size_t *ret_width_bytes, bool *ret_signed,
                       error *err);

enum { ARROW_DEPTH_MAX = 64 };
status arrow__check_depth(const struct ArrowSchema *schema, int depth, error *err);

#endif

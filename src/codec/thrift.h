/* thrift.h: Thrift's compact protocol, read into structs by tables of fields.
 *
 * Source: Thrift compact protocol specification. Fields that no table names are skipped. Only
 * reading, and only what Parquet footers need: no maps, no doubles (they are skipped). */
#ifndef TARN_CODEC_THRIFT_H
#define TARN_CODEC_THRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/str.h"

typedef enum thrift_kind {
    THRIFT_BOOL,   /* bool */
    THRIFT_INT32,  /* int32_t; from i8, i16, i32 */
    THRIFT_INT64,  /* int64_t; from i8 to i64 */
    THRIFT_BYTES,  /* str into the input */
    THRIFT_STRUCT, /* at the offset, by `nested` */
    THRIFT_LIST,   /* thrift_list of structs, by `nested` */
} thrift_kind;

typedef struct thrift_shape thrift_shape;

typedef struct thrift_field {
    int id;
    thrift_kind kind;
    size_t offset;
    ptrdiff_t
        present_offset; /* of a bool set to true where the field is there, or THRIFT_NO_PRESENCE */
    const thrift_shape *nested;
} thrift_field;
#define THRIFT_NO_PRESENCE ((ptrdiff_t)-1)

struct thrift_shape {
    const thrift_field *fields;
    size_t count;
    size_t size;
    const void *defaults; /* NULL means zeros */
    /* Items of lists may be of another type than what is read: each is read into a struct of
     * `size`, then handed over with its place in the list. Returns NULL, or the reason why it is
     * refused. */
    size_t item_size; /* 0: `size`, nothing is handed over */
    const char *(*finish)(void *context, size_t index, const void *raw, void *item);
};

typedef struct thrift_list {
    void *items; /* in the arena */
    size_t count;
} thrift_list;

typedef struct thrift_input {
    const uint8_t *at;
    const uint8_t *end;
    arena *a;
    void *context;
    size_t left_bytes; /* of memory that lists may take */
    bool too_large;
    const char *reason; /* why the read failed */
    int depth;
} thrift_input;

/* One struct; false: in->reason says why, in->at where. */
bool thrift_read(thrift_input *in, const thrift_shape *shape, void *target);

#endif

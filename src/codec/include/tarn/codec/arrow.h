/* arrow.h: the Arrow IPC streaming format, written from the Arrow C data interface.
 *
 * Source: Arrow columnar format, "IPC streaming format" and "C data interface". The two structs
 * are the interface's own ABI. No compression. Dictionaries of text or bytes (DuckDB's ENUM)
 * are written out as plain values. */
#ifndef TARN_CODEC_ARROW_H
#define TARN_CODEC_ARROW_H

#include <stdint.h>
#include <sys/uio.h>

#include "tarn/base/buf.h"
#include "tarn/base/error.h"

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

#define ARROW_STREAM_MEDIA_TYPE "application/vnd.apache.arrow.stream"

/* The schema message of a struct whose children are the columns. UNSUPPORTED naming the column
 * and its format string where the type cannot be written. */
status arrow_write_schema(const struct ArrowSchema *schema, buf *out, error *err);

/* A record batch message as slices to be written in order. The head lives in `scratch` (cleared
 * first), bodies are the array's own buffers, so that nothing is copied but what must be shifted
 * or rebased (into `a`): all three must stay until the slices are written. Offsets other than 0
 * are handled. The slices are two for each buffer: more than IOV_MAX where a table is wide. */
typedef struct arrow_message {
    struct iovec *slices; /* in `a` */
    size_t count;
    size_t size_bytes;
} arrow_message;
status arrow_write_batch(const struct ArrowSchema *schema, const struct ArrowArray *array,
                         buf *scratch, arena *a, arrow_message *ret_message, error *err);
void arrow_write_end(buf *out); /* the end-of-stream marker */

#endif

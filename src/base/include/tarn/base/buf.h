/* buf.h: a growing byte buffer with a maximum.
 *
 * Invariants: data[size] is NUL; size never passes size_max. An append that would pass it changes
 * nothing and sets `failed`; later appends do nothing, so that a builder checks once at its end
 * (buf_check). The maximum is chosen by what the bytes are for: base/limits.h has them all. */
#ifndef TARN_BASE_BUF_H
#define TARN_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/error.h"
#include "tarn/base/str.h"

typedef struct buf {
    char *data;
    size_t size;
    size_t capacity; /* without the NUL */
    size_t size_max;
    bool failed;        /* an append would have passed size_max, or memory was refused */
    bool out_of_memory; /* why it failed */
} buf;

void buf_init(buf *b, size_t size_max_bytes);
void buf_release(buf *b);
void buf_clear(buf *b); /* empty, memory kept, failed reset */
/* A buf whose memory is released with the arena. */
buf *buf_in(arena *a, size_t size_max_bytes);

/* What is added must not lie in the buffer itself. */
void buf_add(buf *b, const void *bytes, size_t size_bytes);
void buf_add_str(buf *b, str s);
void buf_add_c(buf *b, const char *text);
void buf_add_char(buf *b, char c);
__attribute__((format(printf, 2, 3))) void buf_printf(buf *b, const char *format, ...);
__attribute__((format(printf, 2, 0))) void buf_vprintf(buf *b, const char *format, va_list args);
void buf_add_u16le(buf *b, uint16_t value);
void buf_add_u32le(buf *b, uint32_t value);
void buf_add_u64le(buf *b, uint64_t value);
void buf_add_u32be(buf *b, uint32_t value);

/* Room for at least `size_bytes` behind data + size, or NULL (and failed) past the maximum;
 * the caller writes there and adds to size with buf_commit. */
char *buf_reserve(buf *b, size_t size_bytes);
void buf_commit(buf *b, size_t size_bytes);
/* Removes bytes from the front. */
void buf_consume(buf *b, size_t size_bytes);
void buf_truncate(buf *b, size_t size_bytes);

static inline str buf_str(const buf *b)
{
    return str_from(b->data, b->size);
}
/* TOO_LARGE naming `what` if an append failed; OUT_OF_MEMORY where the system had no memory. */
status buf_check(const buf *b, const char *what, error *err);

#endif

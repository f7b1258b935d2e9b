/* Growing buffers. Growth doubles, up to the maximum; memory that the system refuses fails the
 * buffer like the maximum does, because its size comes from input. */
#include "tarn/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY ((size_t)64)

/* What data points to while nothing is allocated: keeps data[size] readable. Never written. */
static char nothing[1];

void buf_init(buf *b, size_t size_max_bytes)
{
    *b = (buf){.data = nothing, .size_max = size_max_bytes};
}

void buf_release(buf *b)
{
    if (b->capacity > 0) {
        free(b->data);
    }
    buf_init(b, b->size_max);
}

void buf_clear(buf *b)
{
    buf_truncate(b, 0);
    b->failed = false;
    b->out_of_memory = false;
}

static void release_object(void *object)
{
    buf_release(object);
}

buf *buf_in(arena *a, size_t size_max_bytes)
{
    buf *b = ARENA_NEW(a, buf);

    buf_init(b, size_max_bytes);
    arena_defer(a, release_object, b);
    return b;
}

static bool grow(buf *b, size_t wanted)
{
    size_t capacity = b->capacity > FIRST_CAPACITY ? b->capacity : FIRST_CAPACITY;
    char *data;

    while (capacity < wanted) {
        capacity = capacity > b->size_max / 2 ? b->size_max : capacity * 2;
    }
    if (capacity > b->size_max) {
        capacity = b->size_max;
    }
    data = capacity < SIZE_MAX ? realloc(b->capacity > 0 ? b->data : NULL, capacity + 1) : NULL;
    if (data == NULL) {
        b->failed = true;
        b->out_of_memory = true;
        return false;
    }
    if (b->capacity == 0) {
        data[0] = '\0';
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

char *buf_reserve(buf *b, size_t size_bytes)
{
    if (b->failed) {
        return NULL;
    }
    if (size_bytes > b->size_max - b->size) {
        b->failed = true;
        return NULL;
    }
    if (size_bytes > b->capacity - b->size && !grow(b, b->size + size_bytes)) {
        return NULL;
    }
    return b->data + b->size;
}

void buf_commit(buf *b, size_t size_bytes)
{
    ASSERT(size_bytes <= b->capacity - b->size);
    if (size_bytes > 0) {
        b->size += size_bytes;
        b->data[b->size] = '\0';
    }
}

void buf_add(buf *b, const void *bytes, size_t size_bytes)
{
    char *room = buf_reserve(b, size_bytes);

    if (room != NULL && size_bytes > 0) {
        memcpy(room, bytes, size_bytes);
        buf_commit(b, size_bytes);
    }
}

void buf_add_str(buf *b, str s)
{
    buf_add(b, s.data, s.size);
}

void buf_add_c(buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_char(buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_vprintf(buf *b, const char *format, va_list args)
{
    size_t free_bytes = b->capacity - b->size;
    va_list again;
    int size;

    if (b->failed) {
        return;
    }
    va_copy(again, args);
    /* The NUL behind the capacity is ours: vsnprintf may use that byte. */
    size = b->capacity > 0 ? vsnprintf(b->data + b->size, free_bytes + 1, format, args)
                           : vsnprintf(NULL, 0, format, args);
    ASSERT(size >= 0);
    if ((size_t)size > free_bytes) {
        char *room = buf_reserve(b, (size_t)size);

        if (room != NULL) {
            (void)vsnprintf(room, (size_t)size + 1, format, again);
        }
    }
    va_end(again);
    if (b->failed) {
        b->data[b->size] = '\0'; /* a failed append leaves nothing behind */
        return;
    }
    buf_commit(b, (size_t)size);
}

void buf_printf(buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

/* The lowest `size` bytes of `value`, lowest first. */
static void add_little(buf *b, uint64_t value, size_t size)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(value >> (8 * i));
    }
    buf_add(b, bytes, size);
}

void buf_add_u16le(buf *b, uint16_t value)
{
    add_little(b, value, 2);
}

void buf_add_u32le(buf *b, uint32_t value)
{
    add_little(b, value, 4);
}

void buf_add_u64le(buf *b, uint64_t value)
{
    add_little(b, value, 8);
}

void buf_add_u32be(buf *b, uint32_t value)
{
    add_little(b, __builtin_bswap32(value), 4);
}

void buf_consume(buf *b, size_t size_bytes)
{
    ASSERT(size_bytes <= b->size);
    if (size_bytes > 0) {
        memmove(b->data, b->data + size_bytes, b->size - size_bytes);
        buf_truncate(b, b->size - size_bytes);
    }
}

void buf_truncate(buf *b, size_t size_bytes)
{
    ASSERT(size_bytes <= b->size);
    if (size_bytes < b->size) {
        b->size = size_bytes;
        b->data[size_bytes] = '\0';
    }
}

status buf_check(const buf *b, const char *what, error *err)
{
    if (!b->failed) {
        return STATUS_OK;
    }
    if (b->out_of_memory) {
        return error_set(err, STATUS_OUT_OF_MEMORY, "%s needs more memory than the system has",
                         what);
    }
    return error_set(err, STATUS_TOO_LARGE, "%s is larger than %zu bytes", what, b->size_max);
}

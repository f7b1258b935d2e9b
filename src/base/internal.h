/* internal.h: what the files of base share among themselves, and nobody else sees. */
#ifndef TARN_BASE_INTERNAL_H
#define TARN_BASE_INTERNAL_H

#include <stdarg.h>
#include <stddef.h>

#include "tarn/base/arena.h"
#include "tarn/base/str.h"

/* Length (1 … 4) of the well-formed UTF-8 sequence that starts at `at`, or 0 where there is none.
 * */
size_t base__utf8_length(str s, size_t at);

/* The largest size up to `size` that does not end inside a UTF-8 sequence of `text`. */
size_t base__utf8_cut(const char *text, size_t size);

/* arena_printf that also tells the length. */
__attribute__((format(printf, 2, 0))) char *base__arena_vprintf(arena *a, const char *format,
                                                                va_list args, size_t *ret_size);

/* The kind for a failed system call on a file. */
status base__file_status(int errnum);

#endif

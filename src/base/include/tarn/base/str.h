/* str.h: a view of text or bytes: pointer and length, not necessarily terminated, owned elsewhere.
 *
 * The empty str may have a NULL pointer. Where absence differs from emptiness the field's comment
 * says so and str_is_null tells them apart. */
#ifndef TARN_BASE_STR_H
#define TARN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tarn/base/arena.h"
#include "tarn/base/error.h"

typedef struct str {
    const char *data;
    size_t size;
} str;

/* STR("literal") in code, STR_INIT("literal") in static tables. */
/* clang-format off */
#define STR_INIT(literal) {.data = (literal), .size = sizeof(literal) - 1}
/* clang-format on */
#define STR(literal) ((str)STR_INIT(literal))
#define STR_NULL ((str){.data = NULL, .size = 0})
/* For printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s) (int)(s).size, ((s).data != NULL ? (s).data : "")

static inline str str_from(const char *data, size_t size)
{
    return (str){.data = data, .size = size};
}
static inline str str_c(const char *text) /* NULL gives STR_NULL */
{
    return (str){.data = text, .size = text != NULL ? strlen(text) : 0};
}
static inline bool str_is_null(str s)
{
    return s.data == NULL;
}
static inline bool str_is_empty(str s)
{
    return s.size == 0;
}

bool str_equal(str a, str b);
bool str_equal_nocase(str a, str b); /* ASCII letters only */
int str_compare(str a, str b);       /* bytes, shorter first where one is a prefix */
bool str_starts_with(str s, str prefix);
bool str_ends_with(str s, str suffix);
bool str_starts_with_nocase(str s, str prefix);

/* From `from` (clamped) to `to` (clamped). */
str str_slice(str s, size_t from, size_t to);
str str_trim(str s); /* ASCII white space on both sides */
/* Index of the first `c`, or STR_NPOS. */
#define STR_NPOS SIZE_MAX
size_t str_find_char(str s, char c);
size_t str_find_last_char(str s, char c);
size_t str_find(str s, str needle);

/* Cuts at the first `c`: the part before it is returned, `*rest` is what follows, or STR_NULL where
 * `c` does not occur (then all of it is returned). Loop while !str_is_null(rest). */
str str_cut(str s, char c, str *rest);

str str_copy(arena *a, str s); /* terminated copy; of STR_NULL it is STR_NULL */
char *str_to_c(arena *a, str s);
str str_concat(arena *a, str first, str second);
str str_lower(arena *a, str s); /* ASCII */
str str_upper(arena *a, str s);
__attribute__((format(printf, 2, 3))) str str_printf(arena *a, const char *format, ...);

/* Whole text must be the number; INVALID otherwise, also when it does not fit. */
status str_to_int64(str s, int64_t *ret_value, error *err);
status str_to_uint64(str s, uint64_t *ret_value, error *err);
status str_to_double(str s, double *ret_value, error *err);

bool str_is_utf8(str s); /* strict: no surrogates, no overlong forms */

/* Hex, lower case. */
str str_to_hex(arena *a, const void *bytes, size_t size_bytes);
status str_from_hex(arena *a, str hex, str *ret_bytes, error *err);

/* The entry of `names` closest to `wanted` by edit distance, where it is close enough to be a slip
 * (at most a third of the letters, at least one); STR_NULL otherwise. For "Did you mean". */
str str_nearest(str wanted, const str *names, size_t count);

uint64_t str_hash(str s);

#endif

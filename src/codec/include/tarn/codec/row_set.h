/* row_set.h: a set of row numbers of one data file, and the deletion vectors that such sets are stored as.
 *
 * In memory it is a 64-bit Roaring bitmap, as in files (Iceberg specification, Puffin, "deletion-vector-v1"):
 * one 32-bit bitmap for each upper half that occurs. Row numbers are not negative. A set that is no
 * longer changed may be read by several threads at once. */
#ifndef TARN_CODEC_ROW_SET_H
#define TARN_CODEC_ROW_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/buf.h"

typedef struct row_set row_set;

row_set *row_set_create(void);
void row_set_free(row_set *s); /* NULL is fine */

/* In any order, known ones too; ascending ones are the fastest. None is negative. */
void row_set_add(row_set *s, const int64_t *rows, size_t count);
void row_set_unite(row_set *s, const row_set *other);
bool row_set_has(const row_set *s, int64_t row);
int64_t row_set_count(const row_set *s);
size_t row_set_size_bytes(const row_set *s); /* about what it takes in memory */
int64_t row_set_last(const row_set *s);      /* the greatest; -1 where the set is empty */
/* The rows from `from` on, ascending, at most `max` of them; how many is returned. */
size_t row_set_read(const row_set *s, int64_t from, int64_t *ret_rows, size_t max);
/* ret_missing[i] tells that rows[i] is not in the set. Fastest for ascending rows. */
void row_set_find_missing(const row_set *s, const int64_t *rows, size_t count, bool *ret_missing);

/* The bitmap alone, in the portable 64-bit form. Every length and order in it is checked: CORRUPT. */
status row_set_parse(str bytes, row_set **ret_set, error *err);
void row_set_format(row_set *s, buf *out);

/* A blob "deletion-vector-v1": length, magic, bitmap, checksum. Exactly one; CORRUPT. */
status deletion_vector_parse(str blob, row_set **ret_set, error *err);
/* Runs are packed first, so that the set itself becomes smaller. */
void deletion_vector_format(row_set *s, buf *out);

#endif

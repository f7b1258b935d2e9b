/* row_set_internal.h: what reading a set's bytes and the set itself share. */
#ifndef TARN_CODEC_ROW_SET_INTERNAL_H
#define TARN_CODEC_ROW_SET_INTERNAL_H

#include "tarn/codec/row_set.h"

/* Adds the bitmap of an upper half above all that are there. The bytes are one portable 32-bit bitmap, checked.
 * False where the library refuses them. */
bool row_set__take(row_set *s, uint32_t key, str bytes);

#endif

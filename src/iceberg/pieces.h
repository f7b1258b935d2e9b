/* pieces.h: metadata files packed piece by piece, between metadata_format.c, which knows where a file may be cut, and
 * pieces.c, which remembers pieces. */
#ifndef TARN_ICEBERG_PIECES_H
#define TARN_ICEBERG_PIECES_H

#include "tarn/base/buf.h"

/* A place where a file is cut in pieces. */
typedef struct ice__cut {
    size_t offset;
    bool stays; /* the piece behind it will be the same in the next file */
} ice__cut;

/* gzip of `plain`; what stays is packed once in the life of the process. Thread-safe. */
status ice__pieces_pack(int level, str plain, const ice__cut *cuts, size_t count, arena *a,
                        buf *out, error *err);

#endif

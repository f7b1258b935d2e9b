/* compress.h: whole-buffer compression in the formats tarn's files use. */
#ifndef TARN_CODEC_COMPRESS_H
#define TARN_CODEC_COMPRESS_H

#include "tarn/base/buf.h"

typedef enum compression {
    COMPRESSION_NONE,
    COMPRESSION_GZIP,    /* RFC 1952 */
    COMPRESSION_DEFLATE, /* raw RFC 1951: Avro's "deflate"; up to 4 bytes may follow its end */
    COMPRESSION_ZSTD,
    COMPRESSION_SNAPPY, /* block format */
    COMPRESSION_LZ4_FRAME,
    COMPRESSION_AVRO_SNAPPY, /* block and 4-byte big-endian CRC-32 of the plain bytes */
} compression;

/* Appends to `out`. `level` 0 is the format's default. */
status compress_bytes(compression how, int level, str plain, buf *out, error *err);
/* Appends at most out->size_max; TOO_LARGE beyond; CORRUPT where the bytes are not of that
 * format. */
status decompress_bytes(compression how, str packed, buf *out, error *err);

#endif

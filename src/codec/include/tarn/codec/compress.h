/* compress.h: whole-buffer compression in the formats tarn's files use. */
#ifndef TARN_CODEC_COMPRESS_H
#define TARN_CODEC_COMPRESS_H

#include "tarn/base/arena.h"
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

/* A piece of a gzip file: packed by itself, so that what many files share is packed once. */
typedef struct gzip_piece {
    str packed;
    uint32_t crc; /* of the plain bytes */
    size_t plain_bytes;
} gzip_piece;
/* `before`: plain bytes that will stand in front of the piece, as far as it may repeat them
 * (32 KiB at most are looked at); empty where nothing is known of them. `packed` lies in `a`. Levels
 * as above. */
status gzip_piece_pack(int level, str before, str plain, arena *a, gzip_piece *ret_piece,
                       error *err);
/* Appends the gzip file, of one member, whose plain bytes are those of the pieces in a row. */
void gzip_piece_join(const gzip_piece *pieces, size_t count, buf *out);

#endif

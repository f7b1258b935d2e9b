/* Compression of whole buffers: one table row per format, over zlib, zstd, snappy and lz4.
 *
 * Decompression never trusts a size that the packed bytes claim: output grows as it comes, up to
 * the buffer's maximum. */
#include "tarn/codec/compress.h"
#include "tarn/codec/checksum.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "tarn/base/limits.h"
#include "tarn/codec/checksum.h"

/* --- shared --- */

#define STEP_BYTES (64 * LIMIT_KIB) /* output is made in steps of at least so many */

static status no_memory(error *err)
{
    return error_set(err, STATUS_OUT_OF_MEMORY, "no memory for compression");
}

/* Room for the next step of output: as much again as there is, within the maximum. Past the maximum
 * one byte decides whether the data ends here or is too large. */
static char *next_room(buf *out, size_t *ret_size)
{
    size_t left = out->size_max - out->size;
    size_t wanted = out->size > STEP_BYTES ? out->size : STEP_BYTES;

    *ret_size = wanted < left ? wanted : left;
    return buf_reserve(out, *ret_size);
}

static status corrupt(const char *format, const char *reason, error *err)
{
    return error_set(err, STATUS_CORRUPT, "malformed %s data: %s", format, reason);
}

static status too_large(const buf *out, error *err)
{
    if (out->out_of_memory) {
        return no_memory(err);
    }
    return error_set(err, STATUS_TOO_LARGE, "decompressed data is larger than %zu bytes",
                     out->size_max);
}

/* --- gzip and deflate --- */

enum {
    RAW_WINDOW = -15,
    GZIP_WINDOW = 15 + 16,
    DEFLATE_MEMORY = 8,
    SPARED_BITS_MAX = 4,
    WINDOW_BYTES = 1 << MAX_WBITS,
    FLUSH_BYTES = 16, /* more than the empty block of a flush */
    /* Python's Avro writers cut the header off a zlib stream, but leave (parts of) its checksum
     * behind raw deflate data: so many bytes may follow its end. */
    ADLER_BYTES = 4,
};

/* zlib counts in 32 bits. */
static uInt zlib_size(size_t size)
{
    return size < UINT32_MAX ? (uInt)size : UINT32_MAX;
}

/* How many bits smaller than the largest the window may be: what is small, as most manifests are, needs no more than
 * itself, and zlib clears a quarter of a megabyte otherwise. Any reader takes a smaller window. */
static int spared_bits(size_t size)
{
    int bits = 0;

    while (bits < SPARED_BITS_MAX && size <= (size_t)1 << (MAX_WBITS - bits - 1)) {
        bits++;
    }
    return bits;
}

static status zlib_pack(int window, int level, str plain, buf *out, error *err)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)plain.data};
    size_t left = plain.size;
    int spared = spared_bits(plain.size);
    int result;

    if (deflateInit2(&z, level != 0 ? level : Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                     window < 0 ? window + spared : window - spared, DEFLATE_MEMORY - spared,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return no_memory(err);
    }
    do {
        uInt given = zlib_size(left);
        uLong bound = deflateBound(&z, given);
        uInt room = bound < STEP_BYTES ? (uInt)bound : (uInt)STEP_BYTES;
        char *at = buf_reserve(out, room);

        if (at == NULL) {
            (void)deflateEnd(&z);
            return buf_check(out, "compressed data", err);
        }
        z.avail_in = given;
        z.next_out = (Bytef *)at;
        z.avail_out = room;
        result = deflate(&z, given == left ? Z_FINISH : Z_NO_FLUSH);
        left -= given - z.avail_in;
        buf_commit(out, room - z.avail_out);
    } while (result != Z_STREAM_END);
    (void)deflateEnd(&z);
    return STATUS_OK;
}

/* Runs to the end of the input or the first failure. */
static status zlib_run(z_stream *z, bool gzip, size_t left, buf *out, error *err)
{
    const char *format = gzip ? "gzip" : "deflate";

    for (;;) {
        size_t room;
        char *at = next_room(out, &room);
        char spare; /* stands in where the output is full: only an end may come then */
        uInt given = zlib_size(left);
        uInt space = room > 0 ? zlib_size(room) : 1;
        int result;

        if (at == NULL) {
            return too_large(out, err);
        }
        z->avail_in = given;
        z->next_out = (Bytef *)(room > 0 ? at : &spare);
        z->avail_out = space;
        result = inflate(z, Z_NO_FLUSH);
        left -= given - z->avail_in;
        if (room == 0 && z->avail_out == 0) {
            return too_large(out, err);
        }
        buf_commit(out, room > 0 ? space - z->avail_out : 0);
        if (result == Z_STREAM_END && left == 0) {
            return STATUS_OK;
        }
        if (result == Z_STREAM_END && gzip) {
            result = inflateReset(z); /* another member follows */
        } else if (result == Z_STREAM_END) {
            return left <= ADLER_BYTES ? STATUS_OK : corrupt(format, "bytes behind its end", err);
        }
        if (result == Z_MEM_ERROR) {
            return no_memory(err);
        }
        if (result == Z_BUF_ERROR || (result == Z_OK && left == 0 && z->avail_out > 0)) {
            return corrupt(format, "it ends too early", err);
        }
        if (result != Z_OK) {
            return corrupt(format, z->msg != NULL ? z->msg : "it cannot be read", err);
        }
    }
}

static status zlib_unpack(int window, str packed, buf *out, error *err)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.data};
    status kind;

    if (inflateInit2(&z, window) != Z_OK) {
        return no_memory(err);
    }
    kind = zlib_run(&z, window == GZIP_WINDOW, packed.size, out, err);
    (void)inflateEnd(&z);
    return kind;
}

static status gzip_pack(int level, str plain, buf *out, error *err)
{
    return zlib_pack(GZIP_WINDOW, level, plain, out, err);
}

/* The stream ends at a byte, and without the block that would be its last: another may follow. */
static status pack_open_end(int level, str before, str plain, buf *out, error *err)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)plain.data};
    size_t left = plain.size;
    int spared = spared_bits(before.size + plain.size);

    if (deflateInit2(&z, level != 0 ? level : Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                     RAW_WINDOW + spared, DEFLATE_MEMORY - spared, Z_DEFAULT_STRATEGY) != Z_OK) {
        return no_memory(err);
    }
    if (before.size > 0) {
        (void)deflateSetDictionary(&z, (const Bytef *)before.data, (uInt)before.size);
    }
    do {
        uInt given = zlib_size(left);
        uLong wanted = deflateBound(&z, given) + FLUSH_BYTES;
        uInt room = wanted < STEP_BYTES ? (uInt)wanted : (uInt)STEP_BYTES;
        char *at = buf_reserve(out, room);

        if (at == NULL) {
            (void)deflateEnd(&z);
            return buf_check(out, "compressed data", err);
        }
        z.avail_in = given;
        z.next_out = (Bytef *)at;
        z.avail_out = room;
        (void)deflate(&z, given == left ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        left -= given - z.avail_in;
        buf_commit(out, room - z.avail_out);
    } while (left > 0 || z.avail_out == 0); /* a full buffer may hide a rest */
    (void)deflateEnd(&z);
    return STATUS_OK;
}

status gzip_piece_pack(int level, str before, str plain, arena *a, gzip_piece *ret_piece,
                       error *err)
{
    buf *packed = buf_in(a, SIZE_MAX / 2);

    if (before.size > WINDOW_BYTES) {
        before = str_slice(before, before.size - WINDOW_BYTES, before.size);
    }
    TRY(pack_open_end(level, before, plain, packed, err));
    *ret_piece = (gzip_piece){.packed = buf_str(packed),
                              .crc = checksum_crc32(0, plain.data, plain.size),
                              .plain_bytes = plain.size};
    return STATUS_OK;
}

void gzip_piece_join(const gzip_piece *pieces, size_t count, buf *out)
{
    /* deflate; no time, no name; the system is not told */
    static const char head[] = {0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, (char)0xff};
    static const char last_block[] = {3, 0}; /* without content */
    uLong crc = 0;
    size_t size = 0;

    buf_add(out, head, sizeof(head));
    for (size_t i = 0; i < count; i++) {
        buf_add_str(out, pieces[i].packed);
        crc = crc32_combine(crc, pieces[i].crc, (z_off_t)pieces[i].plain_bytes);
        size += pieces[i].plain_bytes;
    }
    buf_add(out, last_block, sizeof(last_block));
    buf_add_u32le(out, (uint32_t)crc);
    buf_add_u32le(out, (uint32_t)size);
}

static status gzip_unpack(str packed, buf *out, error *err)
{
    return zlib_unpack(GZIP_WINDOW, packed, out, err);
}

static status deflate_pack(int level, str plain, buf *out, error *err)
{
    return zlib_pack(RAW_WINDOW, level, plain, out, err);
}

static status deflate_unpack(str packed, buf *out, error *err)
{
    return zlib_unpack(RAW_WINDOW, packed, out, err);
}

/* --- zstd --- */

static status zstd_pack(int level, str plain, buf *out, error *err)
{
    size_t bound = ZSTD_compressBound(plain.size);
    char *at = buf_reserve(out, bound);
    size_t size;

    if (at == NULL) {
        return buf_check(out, "compressed data", err);
    }
    size =
        ZSTD_compress(at, bound, plain.data, plain.size, level != 0 ? level : ZSTD_CLEVEL_DEFAULT);
    if (ZSTD_isError(size)) {
        return error_set(err, STATUS_INTERNAL, "zstd: %s", ZSTD_getErrorName(size));
    }
    buf_commit(out, size);
    return STATUS_OK;
}

static status zstd_run(ZSTD_DCtx *context, str packed, buf *out, error *err)
{
    ZSTD_inBuffer in = {.src = packed.data, .size = packed.size};
    size_t result = 1; /* 0 at the end of a frame */

    if (packed.size == 0) {
        return corrupt("zstd", "it is empty", err);
    }
    for (;;) {
        size_t room;
        char *at = next_room(out, &room);
        char spare;
        ZSTD_outBuffer step = {.dst = room > 0 ? at : &spare, .size = room > 0 ? room : 1};

        if (at == NULL) {
            return too_large(out, err);
        }
        result = ZSTD_decompressStream(context, &step, &in);
        if (ZSTD_isError(result)) {
            return corrupt("zstd", ZSTD_getErrorName(result), err);
        }
        if (room == 0 && step.pos > 0) {
            return too_large(out, err);
        }
        buf_commit(out, room > 0 ? step.pos : 0);
        if (in.pos == in.size && (result == 0 || step.pos < step.size)) {
            return result == 0 ? STATUS_OK : corrupt("zstd", "it ends too early", err);
        }
    }
}

static status zstd_unpack(str packed, buf *out, error *err)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    status kind;

    if (context == NULL) {
        return no_memory(err);
    }
    kind = zstd_run(context, packed, out, err);
    (void)ZSTD_freeDCtx(context);
    return kind;
}

/* --- snappy --- */

static status snappy_pack(int level, str plain, buf *out, error *err)
{
    size_t size = snappy_max_compressed_length(plain.size);
    char *at = buf_reserve(out, size);

    (void)level;
    if (at == NULL) {
        return buf_check(out, "compressed data", err);
    }
    if (snappy_compress(plain.size > 0 ? plain.data : "", plain.size, at, &size) != SNAPPY_OK) {
        return error_set(err, STATUS_INTERNAL, "snappy refused %zu bytes", plain.size);
    }
    buf_commit(out, size);
    return STATUS_OK;
}

/* The longest copy makes 64 bytes out of 3: what claims more than that is wrong. */
#define SNAPPY_RATIO_MAX 22

static status snappy_unpack(str packed, buf *out, error *err)
{
    size_t size;
    char *at;

    if (packed.size == 0 ||
        snappy_uncompressed_length(packed.data, packed.size, &size) != SNAPPY_OK ||
        size / SNAPPY_RATIO_MAX > packed.size) {
        return corrupt("snappy", "its length is wrong", err);
    }
    at = buf_reserve(out, size);
    if (at == NULL) {
        return too_large(out, err);
    }
    if (snappy_uncompress(packed.data, packed.size, at, &size) != SNAPPY_OK) {
        return corrupt("snappy", "it cannot be read", err);
    }
    buf_commit(out, size);
    return STATUS_OK;
}

enum { AVRO_CRC_BYTES = 4 };

static status avro_snappy_pack(int level, str plain, buf *out, error *err)
{
    TRY(snappy_pack(level, plain, out, err));
    buf_add_u32be(out, checksum_crc32(0, plain.data, plain.size));
    return buf_check(out, "compressed data", err);
}

static status avro_snappy_unpack(str packed, buf *out, error *err)
{
    size_t before = out->size;
    const uint8_t *crc;

    if (packed.size < AVRO_CRC_BYTES) {
        return corrupt("snappy", "it ends too early", err);
    }
    TRY(snappy_unpack(str_slice(packed, 0, packed.size - AVRO_CRC_BYTES), out, err));
    crc = (const uint8_t *)packed.data + packed.size - AVRO_CRC_BYTES;
    if (checksum_crc32(0, out->data + before, out->size - before) !=
        ((uint32_t)crc[0] << 24 | (uint32_t)crc[1] << 16 | (uint32_t)crc[2] << 8 | crc[3])) {
        return corrupt("snappy", "its checksum does not match", err);
    }
    return STATUS_OK;
}

/* --- lz4 --- */

static status lz4_pack(int level, str plain, buf *out, error *err)
{
    LZ4F_preferences_t preferences = {
        .frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled,
                      .contentSize = plain.size},
        .compressionLevel = level,
    };
    size_t bound = LZ4F_compressFrameBound(plain.size, &preferences);
    char *at = buf_reserve(out, bound);
    size_t size;

    if (at == NULL) {
        return buf_check(out, "compressed data", err);
    }
    size = LZ4F_compressFrame(at, bound, plain.data, plain.size, &preferences);
    if (LZ4F_isError(size)) {
        return error_set(err, STATUS_INTERNAL, "lz4: %s", LZ4F_getErrorName(size));
    }
    buf_commit(out, size);
    return STATUS_OK;
}

static status lz4_run(LZ4F_dctx *context, str packed, buf *out, error *err)
{
    size_t done = 0;

    if (packed.size == 0) {
        return corrupt("lz4", "it is empty", err);
    }
    for (;;) {
        size_t room;
        char *at = next_room(out, &room);
        char spare;
        size_t made = room > 0 ? room : 1;
        size_t space = made;
        size_t taken = packed.size - done;
        size_t result;

        if (at == NULL) {
            return too_large(out, err);
        }
        result = LZ4F_decompress(context, room > 0 ? at : &spare, &made, packed.data + done, &taken,
                                 NULL);
        if (LZ4F_isError(result)) {
            return corrupt("lz4", LZ4F_getErrorName(result), err);
        }
        if (room == 0 && made > 0) {
            return too_large(out, err);
        }
        buf_commit(out, room > 0 ? made : 0);
        done += taken;
        if (done == packed.size && (result == 0 || made < space)) {
            return result == 0 ? STATUS_OK : corrupt("lz4", "it ends too early", err);
        }
        if (taken == 0 && made == 0) {
            return corrupt("lz4", "it cannot be read", err);
        }
    }
}

static status lz4_unpack(str packed, buf *out, error *err)
{
    LZ4F_dctx *context;
    status kind;

    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) {
        return no_memory(err);
    }
    kind = lz4_run(context, packed, out, err);
    (void)LZ4F_freeDecompressionContext(context);
    return kind;
}

/* --- as they are --- */

static status plain_pack(int level, str plain, buf *out, error *err)
{
    (void)level;
    buf_add_str(out, plain);
    return buf_check(out, "data", err);
}

static status plain_unpack(str packed, buf *out, error *err)
{
    return plain_pack(0, packed, out, err);
}

/* --- the table --- */

typedef struct method {
    status (*pack)(int level, str plain, buf *out, error *err);
    status (*unpack)(str packed, buf *out, error *err);
} method;

static const method methods[] = {
    [COMPRESSION_NONE] = {plain_pack, plain_unpack},
    [COMPRESSION_GZIP] = {gzip_pack, gzip_unpack},
    [COMPRESSION_DEFLATE] = {deflate_pack, deflate_unpack},
    [COMPRESSION_ZSTD] = {zstd_pack, zstd_unpack},
    [COMPRESSION_SNAPPY] = {snappy_pack, snappy_unpack},
    [COMPRESSION_LZ4_FRAME] = {lz4_pack, lz4_unpack},
    [COMPRESSION_AVRO_SNAPPY] = {avro_snappy_pack, avro_snappy_unpack},
};

status compress_bytes(compression how, int level, str plain, buf *out, error *err)
{
    return methods[how].pack(level, plain, out, err);
}

status decompress_bytes(compression how, str packed, buf *out, error *err)
{
    return methods[how].unpack(packed, out, err);
}

/* Decompression in every format. The first byte chooses the format, the second the maximum. */
#include "support/fuzz.h"

#include "tarn/codec/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a;
    buf *out;

    if (size < 2) {
        return 0;
    }
    a = arena_create();
    out = buf_in(a, (size_t)64 << data[1] % 16);
    (void)decompress_bytes((compression)(data[0] % (COMPRESSION_AVRO_SNAPPY + 1)),
                           str_from((const char *)data + 2, size - 2), out, NULL);
    ASSERT(out->size <= out->size_max);
    arena_free(a);
    return 0;
}

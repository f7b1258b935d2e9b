/* Puffin files: the input as a file, then as the footer of one; what is accepted is read to the last blob. */
#include "support/fuzz.h"

#include "tarn/base/limits.h"
#include "tarn/codec/puffin.h"

static void read_all(str file)
{
    arena *a = arena_create();
    puffin p;

    if (puffin_parse(file, a, &p, NULL) == STATUS_OK) {
        for (size_t i = 0; i < p.blob_count; i++) {
            str bytes;

            ASSERT(p.blobs[i].offset >= 0 && p.blobs[i].size_bytes >= 0 &&
                   (size_t)(p.blobs[i].offset + p.blobs[i].size_bytes) <= file.size);
            (void)puffin_blob_property(&p.blobs[i], "cardinality");
            if (i < 16) {
                (void)puffin_blob_read(file, &p.blobs[i], a, &bytes, NULL);
            }
        }
    }
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    buf file;

    buf_init(&file, 16 * LIMIT_MIB);
    read_all(str_from((const char *)data, size));
    buf_add_c(&file, "PFA1some bytesPFA1");
    buf_add(&file, data, size);
    buf_add_u32le(&file, (uint32_t)size);
    buf_add_u32le(&file, size % 2);
    buf_add_c(&file, "PFA1");
    read_all(buf_str(&file));
    buf_release(&file);
    return 0;
}

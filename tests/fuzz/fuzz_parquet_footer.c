/* Parquet footers. The input is the footer alone: its length and magic are added, so that all of
 * it is reached; then the input as the end of a file. */
#include "support/fuzz.h"

#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
#include "tarn/codec/parquet.h"

static uint64_t sum;

/* Touches everything that came out. */
static void walk(const parquet_footer *footer)
{
    for (size_t i = 0; i < footer->leaf_count; i++) {
        ASSERT(footer->elements[footer->leaves[i]].leaf_index == i);
    }
    for (size_t g = 0; g < footer->row_group_count; g++) {
        for (size_t i = 0; i < footer->leaf_count; i++) {
            const parquet_statistics *stats = &footer->row_groups[g].columns[i].stats;

            for (size_t at = 0; at < stats->min.size; at++) {
                sum += (uint8_t)stats->min.data[at];
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_create();
    buf *file = buf_in(a, 16 * LIMIT_MIB);
    parquet_footer footer;
    size_t needed = 0;

    buf_add_c(file, "PAR1");
    buf_add(file, data, size);
    buf_add_u32le(file, (uint32_t)size);
    buf_add_c(file, "PAR1");
    if (parquet_footer_parse(buf_str(file), (int64_t)file->size, a, &footer, &needed, NULL) ==
            STATUS_OK &&
        needed == 0) {
        walk(&footer);
    }
    (void)parquet_footer_parse(str_from((const char *)data, size), (int64_t)size, a, &footer,
                               &needed, NULL);
    arena_free(a);
    return 0;
}

/* Deletion vectors: the input as a bitmap, then as a whole blob. What was accepted must hold together: as many rows as
 * counted, in order, found again, written again. */
#include "support/fuzz.h"

#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
#include "tarn/codec/row_set.h"

/* A few bytes may stand for four billion rows. */
#define ROWS_LOOKED_AT 4096

static void look_at(const row_set *set)
{
    int64_t rows[ROWS_LOOKED_AT];
    bool missing[ROWS_LOOKED_AT];
    size_t got = row_set_read(set, 0, rows, ROWS_LOOKED_AT);
    int64_t count = row_set_count(set);

    ASSERT(count == (int64_t)got || (got == ROWS_LOOKED_AT && count > ROWS_LOOKED_AT));
    row_set_find_missing(set, rows, got, missing);
    for (size_t i = 0; i < got; i++) {
        ASSERT(!missing[i] && row_set_has(set, rows[i]));
        ASSERT(i == 0 || rows[i] > rows[i - 1]);
    }
    ASSERT(got == 0 || row_set_last(set) >= rows[got - 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str bytes = str_from((const char *)data, size);
    row_set *set = NULL;
    row_set *back = NULL;
    buf blob;

    buf_init(&blob, 16 * LIMIT_MIB);
    if (row_set_parse(bytes, &set, NULL) == STATUS_OK) {
        look_at(set);
        deletion_vector_format(set, &blob);
        ASSERT(deletion_vector_parse(buf_str(&blob), &back, NULL) == STATUS_OK);
        ASSERT(row_set_count(back) == row_set_count(set));
        row_set_free(back);
        row_set_free(set);
    }
    if (deletion_vector_parse(bytes, &set, NULL) == STATUS_OK) {
        look_at(set);
        row_set_free(set);
    }
    buf_release(&blob);
    return 0;
}

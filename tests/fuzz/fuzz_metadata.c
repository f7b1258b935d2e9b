/* Table metadata, plain or gzipped. What is accepted must be written in a form that is accepted and says the same. */
#include "support/fuzz.h"

#include "tarn/base/limits.h"
#include "tarn/iceberg/metadata.h"

static void write_again(const ice_metadata *m, arena *a)
{
    buf *first = buf_in(a, LIMIT_METADATA_FILE);
    buf *second = buf_in(a, LIMIT_METADATA_FILE);
    ice_metadata *back = NULL;

    ice_metadata_format(m, first);
    ASSERT(ice_metadata_parse(buf_str(first), &back, NULL) == STATUS_OK);
    ice_metadata_format(back, second);
    ASSERT(str_equal(buf_str(first), buf_str(second)));
    ice_metadata_unref(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_create();
    ice_metadata *m = NULL;
    error err = ERROR_INIT;

    if (ice_metadata_parse(str_from((const char *)data, size), &m, &err) == STATUS_OK) {
        ASSERT(ice_metadata_schema(m) != NULL && ice_metadata_spec(m) != NULL);
        write_again(m, a);
        ice_metadata_unref(m);
    } else {
        ASSERT(m == NULL && err.message[0] != '\0');
    }
    arena_free(a);
    return 0;
}

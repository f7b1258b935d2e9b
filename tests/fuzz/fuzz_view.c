/* View metadata, plain or gzipped. What is accepted must be written in a form that is accepted and says the same. */
#include "support/fuzz.h"

#include "tarn/base/limits.h"
#include "tarn/iceberg/view.h"

static void write_again(const ice_view *v, arena *a)
{
    buf *first = buf_in(a, LIMIT_METADATA_FILE);
    buf *second = buf_in(a, LIMIT_METADATA_FILE);
    ice_view *back = NULL;

    ice_view_format(v, first);
    ASSERT(ice_view_parse(buf_str(first), &back, NULL) == STATUS_OK);
    ice_view_format(back, second);
    ASSERT(str_equal(buf_str(first), buf_str(second)));
    ice_view_unref(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_create();
    ice_view *v = NULL;
    error err = ERROR_INIT;

    if (ice_view_parse(str_from((const char *)data, size), &v, &err) == STATUS_OK) {
        ASSERT(ice_view_current(v) != NULL && ice_view_schema(v) != NULL);
        write_again(v, a);
        ice_view_unref(v);
    } else {
        ASSERT(v == NULL && err.message[0] != '\0');
    }
    arena_free(a);
    return 0;
}

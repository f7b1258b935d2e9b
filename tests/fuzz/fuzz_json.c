/* JSON parser and writer: what parses is written as text that parses to the same text. */
#include "support/fuzz.h"

#include "tarn/base/limits.h"
#include "tarn/codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_create();
    const json *value;
    const json *again;

    if (json_parse(str_from((const char *)data, size), a, &value, NULL) == STATUS_OK) {
        buf *first = buf_in(a, 16 * LIMIT_MIB);
        buf *second = buf_in(a, 16 * LIMIT_MIB);

        json_format(value, first);
        ASSERT(json_parse(buf_str(first), a, &again, NULL) == STATUS_OK);
        json_format(again, second);
        ASSERT(str_equal(buf_str(first), buf_str(second)));
    }
    arena_free(a);
    return 0;
}

/* YAML parser: what parses is a tree that can be written, and no larger than the text allows. */
#include "support/fuzz.h"

#include "tarn/base/limits.h"
#include "tarn/codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_create();
    const json *value;

    if (yaml_parse(str_from((const char *)data, size), a, &value, NULL) == STATUS_OK) {
        buf *out = buf_in(a, 64 * LIMIT_MIB);

        json_format(value, out);
        ASSERT(!out->failed);
    }
    arena_free(a);
    return 0;
}

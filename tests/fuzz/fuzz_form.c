/* Forms in parts: read in pieces of any size they have the same fields and the same file, or the same refusal. The
 * first byte is the size of the pieces. */
#include "form_core.h"
#include "support/fuzz.h"
#include "tarn/codec/checksum.h"
#include "tarn/net/form.h"

typedef struct memory {
    const char *bytes;
    size_t left, piece;
} memory;

typedef struct outcome {
    status kind;
    size_t fields, size;
    uint32_t sum;
} outcome;

static status read_memory(void *context, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                          error *err)
{
    memory *m = context;
    size_t size = m->left < m->piece ? m->left : m->piece;

    (void)err;
    size = size < size_bytes ? size : size_bytes;
    memcpy(ret_bytes, m->bytes, size);
    m->bytes += size;
    m->left -= size;
    *ret_size = size;
    return STATUS_OK;
}

static outcome read_form(arena *a, const char *bytes, size_t size, size_t piece)
{
    memory m = {.bytes = bytes, .left = size, .piece = piece};
    const form_source source = {.read = read_memory, .context = &m};
    http_form *form = NULL;
    char out[64];
    outcome o = {.size = 0};

    o.kind = form__open(a, STR("multipart/form-data; boundary=xyz"), source, &form, NULL);
    if (o.kind != STATUS_OK) {
        return o;
    }
    const form_field *fields = form_fields(form, &o.fields);
    ASSERT(o.fields <= FORM_FIELDS_MAX && form_has_file(form));
    for (size_t i = 0; i < o.fields; i++) {
        ASSERT(fields[i].value.size <= FORM_FIELD_BYTES_MAX);
        o.sum = checksum_crc32(o.sum, fields[i].value.data, fields[i].value.size);
    }
    ASSERT(str_find_char(form_file_name(form), '/') == STR_NPOS);
    for (size_t got = 1; o.kind == STATUS_OK && got > 0;) {
        o.kind = form_read_file(form, out, piece < sizeof out ? piece : sizeof out, &got, NULL);
        if (o.kind == STATUS_OK) {
            o.sum = checksum_crc32(o.sum, out, got);
            o.size += got;
        }
    }
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_create();

    if (size >= 1) {
        const char *bytes = (const char *)data + 1;
        outcome whole = read_form(a, bytes, size - 1, size);
        outcome parts = read_form(a, bytes, size - 1, 1 + data[0] % 32);
        ASSERT(whole.kind == parts.kind);
        ASSERT(whole.kind != STATUS_OK || (whole.fields == parts.fields &&
                                           whole.size == parts.size && whole.sum == parts.sum));
    }
    arena_free(a);
    return 0;
}

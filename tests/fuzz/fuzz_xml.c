/* XML documents: what is accepted is a tree within the limits, and written again it is the same tree. */
#include "support/fuzz.h"
#include "tarn/base/error.h"
#include "tarn/codec/xml.h"

static size_t count_elements(const xml_element *e, int depth)
{
    size_t count = 1;

    ASSERT(depth <= XML_DEPTH_MAX && e->name.size > 0);
    for (const xml_element *child = e->first; child != NULL; child = child->next) {
        count += count_elements(child, depth + 1);
    }
    return count;
}

static void write_tree(buf *out, const xml_element *e)
{
    xml_open(out, e->name.data);
    for (const xml_element *child = e->first; child != NULL; child = child->next) {
        write_tree(out, child);
    }
    xml_close(out, e->name.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena *a = arena_create();
    const xml_element *root = NULL;
    const xml_element *again = NULL;
    str text = str_from((const char *)data, size);

    if (xml_parse(text, a, &root, NULL) == STATUS_OK) {
        size_t elements = count_elements(root, 1);
        buf *out = buf_in(a, 16 << 20);
        ASSERT(elements <= XML_ELEMENTS_MAX);
        write_tree(out, root);
        ASSERT(out->failed || (xml_parse(buf_str(out), a, &again, NULL) == STATUS_OK &&
                               count_elements(again, 1) == elements));
    }
    /* Any bytes can be written as a text. */
    buf *one = buf_in(a, 8 * size + 64);
    xml_add_text(one, "a", text);
    ASSERT(!one->failed && xml_parse(buf_str(one), a, &again, NULL) == STATUS_OK);
    arena_free(a);
    return 0;
}

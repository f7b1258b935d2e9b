/* XML documents to trees, over expat. What a document may not have (a document type, and with it entities of its own)
 * ends the parsing where it begins, so that nothing ever expands. Writing is in xml_write.c. */
#include "tarn/codec/xml.h"

#include <expat.h>
#include <limits.h>

/* An element whose end has not come. */
typedef struct open_element {
    xml_element *element;
    xml_element *last; /* child */
    char *text;
    size_t text_size, text_capacity;
} open_element;

typedef struct builder {
    XML_Parser parser;
    arena *memory;
    xml_element *root;
    open_element open[XML_DEPTH_MAX];
    int depth;
    int elements;
    const char *refused; /* why the parsing was stopped */
    status kind;
} builder;

static void refuse(builder *b, status kind, const char *why)
{
    if (b->refused == NULL) {
        b->refused = why;
        b->kind = kind;
        (void)XML_StopParser(b->parser, XML_FALSE);
    }
}

static str local_name(arena *a, const char *name)
{
    str whole = str_c(name);
    size_t colon = str_find_last_char(whole, ':');

    return str_copy(a, colon == STR_NPOS ? whole : str_slice(whole, colon + 1, whole.size));
}

static bool declares_namespace(const char *attribute)
{
    str name = str_c(attribute);

    return str_equal(name, STR("xmlns")) || str_starts_with(name, STR("xmlns:"));
}

static void read_attributes(builder *b, xml_element *element, const char **pairs)
{
    size_t count = 0;

    for (size_t i = 0; pairs[i] != NULL; i += 2) {
        count += !declares_namespace(pairs[i]);
    }
    if (count == 0) {
        return;
    }
    xml_attribute *attributes = ARENA_ARRAY(b->memory, xml_attribute, count);
    for (size_t i = 0; pairs[i] != NULL; i += 2) {
        if (!declares_namespace(pairs[i])) {
            attributes[element->attribute_count++] = (xml_attribute){
                .name = local_name(b->memory, pairs[i]),
                .value = str_copy(b->memory, str_c(pairs[i + 1])),
            };
        }
    }
    element->attributes = attributes;
}

static void XMLCALL on_start(void *context, const char *name, const char **attributes)
{
    builder *b = context;

    if (b->refused != NULL) {
        return;
    }
    if (b->depth == XML_DEPTH_MAX) {
        refuse(b, STATUS_TOO_LARGE, "its elements are nested too deeply");
        return;
    }
    if (b->elements == XML_ELEMENTS_MAX) {
        refuse(b, STATUS_TOO_LARGE, "it has too many elements");
        return;
    }
    xml_element *element = ARENA_NEW(b->memory, xml_element);
    element->name = local_name(b->memory, name);
    element->text = STR("");
    read_attributes(b, element, attributes);
    b->elements++;
    if (b->depth == 0) {
        b->root = element;
    } else {
        open_element *parent = &b->open[b->depth - 1];
        if (parent->last == NULL) {
            parent->element->first = element;
        } else {
            parent->last->next = element;
        }
        parent->last = element;
    }
    b->open[b->depth++] = (open_element){.element = element};
}

static void XMLCALL on_end(void *context, const char *name)
{
    builder *b = context;

    (void)name;
    if (b->refused != NULL || b->depth == 0) {
        return;
    }
    open_element *ended = &b->open[--b->depth];
    if (ended->text_size > 0) {
        ended->element->text = str_from(ended->text, ended->text_size);
    }
}

/* Comes in pieces: one for each line, reference and CDATA section. */
static void XMLCALL on_text(void *context, const char *text, int size)
{
    builder *b = context;

    if (b->refused != NULL || b->depth == 0 || size <= 0) {
        return;
    }
    open_element *inner = &b->open[b->depth - 1];
    size_t wanted = inner->text_size + (size_t)size;
    if (wanted + 1 > inner->text_capacity) {
        inner->text_capacity = 2 * wanted + 16;
        char *larger = arena_alloc(b->memory, inner->text_capacity);
        if (inner->text_size > 0) {
            memcpy(larger, inner->text, inner->text_size);
        }
        inner->text = larger;
    }
    memcpy(inner->text + inner->text_size, text, (size_t)size);
    inner->text_size = wanted;
    inner->text[wanted] = '\0';
}

static void XMLCALL on_doctype(void *context, const char *name, const char *system,
                               const char *public, int has_subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    refuse(context, STATUS_SYNTAX, "it has a document type declaration");
}

static status parsing_failed(const builder *b, error *err)
{
    enum XML_Error why = XML_GetErrorCode(b->parser);
    XML_Index at = XML_GetCurrentByteIndex(b->parser);

    if (why == XML_ERROR_NO_MEMORY) {
        return error_set(err, STATUS_OUT_OF_MEMORY, "no memory to read an XML document");
    }
    status kind = b->refused != NULL ? b->kind : STATUS_SYNTAX;
    (void)error_set(err, kind, "the XML document is refused at line %lu, column %lu: %s",
                    (unsigned long)XML_GetCurrentLineNumber(b->parser),
                    (unsigned long)XML_GetCurrentColumnNumber(b->parser) + 1,
                    b->refused != NULL ? b->refused : XML_ErrorString(why));
    error_set_s3_code(err, "MalformedXML");
    if (err != NULL && at >= 0 && at <= INT_MAX) {
        err->position = (int)at;
    }
    return kind;
}

status xml_parse(str text, arena *a, const xml_element **ret_root, error *err)
{
    builder b = {.memory = a};
    status result = STATUS_OK;

    if (text.size > INT_MAX) {
        (void)error_set(err, STATUS_TOO_LARGE, "an XML document of %zu bytes is too large",
                        text.size);
        error_set_s3_code(err, "MalformedXML");
        return STATUS_TOO_LARGE;
    }
    b.parser = XML_ParserCreate(NULL);
    if (b.parser == NULL) {
        return error_set(err, STATUS_OUT_OF_MEMORY, "no memory to read an XML document");
    }
    XML_SetUserData(b.parser, &b);
    XML_SetElementHandler(b.parser, on_start, on_end);
    XML_SetCharacterDataHandler(b.parser, on_text);
    XML_SetStartDoctypeDeclHandler(b.parser, on_doctype);
    if (XML_Parse(b.parser, text.size > 0 ? text.data : "", (int)text.size, XML_TRUE) !=
        XML_STATUS_OK) {
        result = parsing_failed(&b, err);
    }
    XML_ParserFree(b.parser);
    if (result == STATUS_OK) {
        *ret_root = b.root;
    }
    return result;
}

/* --- looking into trees --- */

static const xml_element *find(const xml_element *from, str name)
{
    for (; from != NULL; from = from->next) {
        if (str_equal(from->name, name)) {
            return from;
        }
    }
    return NULL;
}

const xml_element *xml_child(const xml_element *parent, const char *name)
{
    return parent != NULL ? find(parent->first, str_c(name)) : NULL;
}

const xml_element *xml_next(const xml_element *element)
{
    return element != NULL ? find(element->next, element->name) : NULL;
}

str xml_child_text(const xml_element *parent, const char *name)
{
    const xml_element *child = xml_child(parent, name);

    return child != NULL ? child->text : STR_NULL;
}

size_t xml_count(const xml_element *parent, const char *name)
{
    size_t count = 0;

    for (const xml_element *e = xml_child(parent, name); e != NULL; e = xml_next(e)) {
        count++;
    }
    return count;
}

str xml_attribute_value(const xml_element *element, const char *name)
{
    for (size_t i = 0; element != NULL && i < element->attribute_count; i++) {
        if (str_equal(element->attributes[i].name, str_c(name))) {
            return element->attributes[i].value;
        }
    }
    return STR_NULL;
}

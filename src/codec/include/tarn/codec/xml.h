/* xml.h: small XML documents: a tree of elements in, text out (S3's bodies).
 *
 * Parsing is expat's. A document with a DTD, an entity of its own, more than one root, or beyond the limits is
 * refused:
 * nothing expands. Namespace prefixes are dropped from names. */
#ifndef TARN_CODEC_XML_H
#define TARN_CODEC_XML_H

#include <stdbool.h>

#include "tarn/base/arena.h"
#include "tarn/base/buf.h"
#include "tarn/base/error.h"

#define XML_DEPTH_MAX 32
#define XML_ELEMENTS_MAX 50000

typedef struct xml_attribute {
    str name; /* local: "type" for xsi:type */
    str value;
} xml_attribute;

typedef struct xml_element {
    str name; /* local */
    str text; /* character data between the tags, all pieces joined; not trimmed */
    const xml_attribute *attributes;
    size_t attribute_count;
    const struct xml_element *first, *next; /* child, sibling */
} xml_element;

/* SYNTAX with the position; TOO_LARGE beyond the limits. */
status xml_parse(str text, arena *a, const xml_element **ret_root, error *err);
/* The first child of that name, or NULL. `parent` may be NULL. */
const xml_element *xml_child(const xml_element *parent, const char *name);
/* The next sibling of the same name, or NULL. */
const xml_element *xml_next(const xml_element *element);
/* Text of a child; STR_NULL where there is none. */
str xml_child_text(const xml_element *parent, const char *name);
size_t xml_count(const xml_element *parent, const char *name);
str xml_attribute_value(const xml_element *element, const char *name);

/* Writing: names are literals, values are escaped. Control characters that XML 1.0 cannot hold become "?" unless the
 * caller encoded them before. */
void xml_begin_document(buf *out, const char *root,
                        const char *xmlns); /* with the declaration; xmlns may be NULL */
void xml_open(buf *out, const char *name);
void xml_close(buf *out, const char *name);
void xml_add_text(buf *out, const char *name, str value);
void xml_add_int(buf *out, const char *name, int64_t value);
void xml_add_bool(buf *out, const char *name, bool value);
void xml_add_time(buf *out, const char *name, int64_t time_us); /* 2026-11-21T20:47:22.000Z */

#endif

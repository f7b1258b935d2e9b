/* shape_node.h: the inside of a shape, for shape.c and shape_sql.c. */
#ifndef TARN_ENGINE_SHAPE_NODE_H
#define TARN_ENGINE_SHAPE_NODE_H

#include "run/shape.h"

#define SHAPE_OTHER ICE_KIND_COUNT /* a type that no Iceberg type equals; a cast may still do */

typedef struct shape_node shape_node;
struct shape_node {
    str name;
    int32_t field_id; /* PARQUET_NO_FIELD_ID where absent */
    ice_kind kind;
    int32_t precision, scale;
    bool recast; /* DuckDB reads another of its types than the kind's own: a cast is needed */
    /* has a Bloom filter that DuckDB asks wrongly: bytes are looked up as their text, and 0.0 does not find -0.0. No
     * comparison may reach the file's reader */
    bool misfiltered;
    /* two members (or columns) whose names differ in case alone, or the name of a virtual column:
     * DuckDB has other names for them, so they are told apart by position */
    bool ambiguous;
    /* a struct that DuckDB leaves out: a repeated group of one field is read as that field */
    bool bare;
    const shape_node *children; /* struct: members; list: the element; map: key and value */
    size_t child_count;
};

struct shape {
    shape_node root;
    bool has_ids; /* any of its columns carries a field id */
};

#endif

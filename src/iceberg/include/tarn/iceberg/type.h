/* type.h: Iceberg types and schemas with field ids.
 *
 * Everything lives in the arena it was parsed or built in and is immutable afterwards.
 * Source: Iceberg table specification, "Schemas and data types", "Appendix C: JSON
 * serialization". */
#ifndef TARN_ICEBERG_TYPE_H
#define TARN_ICEBERG_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/buf.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"
#include "tarn/codec/json.h"

/*  kind          name in JSON     first format version */
#define ICE_TYPE_TABLE(X)                  \
    X(BOOLEAN, "boolean", 1)               \
    X(INT, "int", 1)                       \
    X(LONG, "long", 1)                     \
    X(FLOAT, "float", 1)                   \
    X(DOUBLE, "double", 1)                 \
    X(DECIMAL, "decimal", 1)               \
    X(DATE, "date", 1)                     \
    X(TIME, "time", 1)                     \
    X(TIMESTAMP, "timestamp", 1)           \
    X(TIMESTAMPTZ, "timestamptz", 1)       \
    X(TIMESTAMP_NS, "timestamp_ns", 3)     \
    X(TIMESTAMPTZ_NS, "timestamptz_ns", 3) \
    X(STRING, "string", 1)                 \
    X(UUID, "uuid", 1)                     \
    X(FIXED, "fixed", 1)                   \
    X(BINARY, "binary", 1)                 \
    X(UNKNOWN, "unknown", 3)               \
    X(VARIANT, "variant", 3)               \
    X(GEOMETRY, "geometry", 3)             \
    X(GEOGRAPHY, "geography", 3)           \
    X(STRUCT, "struct", 1)                 \
    X(LIST, "list", 1)                     \
    X(MAP, "map", 1)

typedef enum ice_kind {
#define X(name, ...) ICE_##name,
    ICE_TYPE_TABLE(X)
#undef X
        ICE_KIND_COUNT
} ice_kind;

typedef struct ice_field ice_field;

typedef struct ice_type {
    ice_kind kind;
    int32_t precision, scale; /* decimal */
    int32_t length;           /* fixed, bytes */
    str parameters;           /* geometry, geography: what stands in the brackets, as written */
    const ice_field *fields;  /* struct: its fields; list: [0] element; map: [0] key, [1] value */
    size_t field_count;
} ice_type;

struct ice_field {
    int32_t id;
    str name;
    bool required;
    const ice_type *type;
    str doc;                     /* STR_NULL where absent */
    const json *initial_default; /* NULL where absent */
    const json *write_default;
};

#define ICE_NO_ID INT32_C(-1)

typedef struct ice_schema {
    int32_t id;
    const ice_type *root; /* a struct */
    const int32_t *identifier_ids;
    size_t identifier_count;
} ice_schema;

status ice_schema_parse(const json *value, arena *a, ice_schema *ret_schema, error *err);
void ice_schema_format(const ice_schema *schema, json_writer *w);
/* "decimal(10, 2)", "list<int>": for people. */
void ice_type_format(const ice_type *type, buf *out);
status ice_type_parse(const json *value, arena *a, const ice_type **ret_type, error *err);
bool ice_type_equal(const ice_type *x, const ice_type *y); /* ids, names, nullability included */
bool ice_schema_equal(const ice_schema *x, const ice_schema *y); /* all but the schema id */

/* Top-level column by name; case-insensitive where exactly one matches; NULL else. */
const ice_field *ice_schema_column(const ice_schema *schema, str name);
/* Any field, nested too, by id; NULL where absent. */
const ice_field *ice_schema_field(const ice_schema *schema, int32_t id);
/* "a.b", "xs.element", "m.key": dotted path of a field id, in the arena; STR_NULL where absent. */
str ice_schema_path(const ice_schema *schema, int32_t id, arena *a);
int32_t ice_schema_highest_id(const ice_schema *schema);

/* Gives every field (nested too) a fresh id from *next_id on, breadth first as Java does;
 * returns a new root. */
const ice_type *ice_type_assign_ids(const ice_type *root, int32_t *next_id, arena *a);

/* Refuses what a table of `format_version` cannot have: types of a later version, duplicate
 * names or ids, map keys that are optional, a field called "". The message names the column. */
status ice_schema_check(const ice_schema *schema, int format_version, error *err);

/* Constructors for primitive types without parameters: shared, static. */
const ice_type *ice_type_primitive(ice_kind kind);
const char *ice_kind_name(ice_kind kind);
bool ice_kind_is_nested(ice_kind kind);

#endif

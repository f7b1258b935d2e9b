/* The zero-row files that a statement is planned over. A file that has the table's own columns is read
 * four times as fast as one that `schema` gives columns to; it is made where no doubt is possible of
 * what DuckDB reads in it. */
#include "run/stub.h"

#include "tarn/base/map.h"
#include "tarn/codec/parquet.h"

/* What stands for a type. `known` false: `schema` tells it. */
typedef struct stand_in {
    bool known;
    parquet_type type;
    parquet_logical logical;
    parquet_unit unit;
    bool utc_adjusted;
    int32_t length;
} stand_in;

static const stand_in stand_ins[ICE_KIND_COUNT] = {
    [ICE_BOOLEAN] = {.known = true, .type = PARQUET_BOOLEAN},
    [ICE_INT] = {.known = true, .type = PARQUET_INT32},
    [ICE_LONG] = {.known = true, .type = PARQUET_INT64},
    [ICE_FLOAT] = {.known = true, .type = PARQUET_FLOAT},
    [ICE_DOUBLE] = {.known = true, .type = PARQUET_DOUBLE},
    [ICE_DECIMAL] = {.known = true,
                     .type = PARQUET_FIXED,
                     .logical = PARQUET_LOGICAL_DECIMAL,
                     .length = 16},
    [ICE_DATE] = {.known = true, .type = PARQUET_INT32, .logical = PARQUET_LOGICAL_DATE},
    [ICE_TIME] = {.known = true,
                  .type = PARQUET_INT64,
                  .logical = PARQUET_LOGICAL_TIME,
                  .unit = PARQUET_MICROS},
    [ICE_TIMESTAMP] = {.known = true,
                       .type = PARQUET_INT64,
                       .logical = PARQUET_LOGICAL_TIMESTAMP,
                       .unit = PARQUET_MICROS},
    [ICE_TIMESTAMPTZ] = {.known = true,
                         .type = PARQUET_INT64,
                         .logical = PARQUET_LOGICAL_TIMESTAMP,
                         .unit = PARQUET_MICROS,
                         .utc_adjusted = true},
    [ICE_STRING] = {.known = true, .type = PARQUET_BYTE_ARRAY, .logical = PARQUET_LOGICAL_STRING},
    [ICE_UUID] = {.known = true,
                  .type = PARQUET_FIXED,
                  .logical = PARQUET_LOGICAL_UUID,
                  .length = 16},
    [ICE_BINARY] = {.known = true, .type = PARQUET_BYTE_ARRAY},
};

/* A Parquet file of one INT32 column "x" and no row. */
static const parquet_element no_columns[] = {
    {.name = {"stub", 4}, .type = PARQUET_GROUP, .field_id = PARQUET_NO_FIELD_ID, .child_count = 1},
    {.name = {"x", 1},
     .type = PARQUET_INT32,
     .repetition = PARQUET_OPTIONAL,
     .field_id = PARQUET_NO_FIELD_ID},
};

/* DuckDB would give columns whose names differ in nothing but case other names. */
static bool has_plain_columns(const ice_type *root, arena *a)
{
    map *names = map_create(a);
    for (size_t i = 0; i < root->field_count; i++) {
        if (!stand_ins[root->fields[i].type->kind].known || root->fields[i].name.size == 0 ||
            map_set(names, str_lower(a, root->fields[i].name), names) != NULL) {
            return false;
        }
    }
    return root->field_count > 0;
}

bool stub_put_file(const ice_schema *schema, arena *a, buf *out)
{
    const ice_type *root = schema->root;
    if (!has_plain_columns(root, a)) {
        parquet_put_empty_file(no_columns, COUNT_OF(no_columns), out);
        return false;
    }
    parquet_element *elements = ARENA_ARRAY(a, parquet_element, root->field_count + 1);
    elements[0] = no_columns[0];
    elements[0].child_count = root->field_count;
    for (size_t i = 0; i < root->field_count; i++) {
        const ice_field *field = &root->fields[i];
        const stand_in *known = &stand_ins[field->type->kind];
        elements[i + 1] = (parquet_element){
            .name = field->name,
            .type = known->type,
            .repetition = PARQUET_OPTIONAL,
            .logical = known->logical,
            .field_id = field->id,
            .type_length = known->length,
            .precision = field->type->precision,
            .scale = field->type->scale,
            .unit = known->unit,
            .utc_adjusted = known->utc_adjusted,
        };
    }
    parquet_put_empty_file(elements, root->field_count + 1, out);
    return true;
}

/* partition.h: transforms, partition specs, sort orders.
 *
 * Source: Iceberg specification, "Partitioning", "Partition transforms", "Appendix B: 32-bit
 * hash". */
#ifndef TARN_ICEBERG_PARTITION_H
#define TARN_ICEBERG_PARTITION_H

#include "tarn/iceberg/value.h"

typedef enum ice_transform_kind {
    ICE_IDENTITY,
    ICE_BUCKET,
    ICE_TRUNCATE,
    ICE_YEAR,
    ICE_MONTH,
    ICE_DAY,
    ICE_HOUR,
    ICE_VOID,
    ICE_TRANSFORM_UNKNOWN, /* readable, ignored in pruning, never writable */
} ice_transform_kind;

typedef struct ice_transform {
    ice_transform_kind kind;
    int32_t parameter; /* bucket count, truncation width */
    str text;          /* as written: "bucket[16]" */
} ice_transform;

status ice_transform_parse(str text, ice_transform *ret_transform, error *err);
/* Type of the result; INVALID where the transform cannot take the source type. Day gives date. */
status ice_transform_result(const ice_transform *t, const ice_type *source,
                            const ice_type **ret_type, error *err);
/* NULL maps to NULL. Result strings live in the arena or are views of the source. */
status ice_transform_apply(const ice_transform *t, const ice_type *source, const ice_value *value,
                           arena *a, ice_value *ret_value, error *err);
/* A transformed value for people: "2026", "2026-11", "2026-11-21-10", "null", else as ice_value_format has it. */
void ice_transform_format(const ice_transform *t, const ice_value *value, buf *out);
/* murmur3_x86_32 with seed 0 of the value's form in Appendix B. */
uint32_t ice_bucket_hash(const ice_type *source, const ice_value *value);

typedef struct ice_partition_field {
    /* of the schema; v3 multi-argument transforms keep the first and are UNKNOWN */
    int32_t source_id;
    int32_t field_id; /* 1000 and up */
    str name;
    ice_transform transform;
} ice_partition_field;

typedef struct ice_spec {
    int32_t id;
    const ice_partition_field *fields;
    size_t field_count;
} ice_spec;

status ice_spec_parse(const json *value, arena *a, ice_spec *ret_spec, error *err);
void ice_spec_format(const ice_spec *spec, json_writer *w);
/* the array alone, as in manifest headers */
void ice_spec_format_fields(const ice_spec *spec, json_writer *w);
/* same sources, transforms, names, order */
bool ice_spec_equivalent(const ice_spec *x, const ice_spec *y);
/* Type of each partition field under `schema` (struct with partition field ids); unknown source:
 * string. */
status ice_spec_type(const ice_spec *spec, const ice_schema *schema, arena *a,
                     const ice_type **ret_struct, error *err);
/* "year(ts), bucket(16, id), name": the form that PARTITIONED BY takes; names are resolved
 * against the schema, ids start at `*next_field_id`. SYNTAX with position, NO_COLUMN with the
 * nearest name, INVALID. */
status ice_spec_parse_sql(str text, const ice_schema *schema, int32_t *next_field_id, arena *a,
                          ice_spec *ret_spec, error *err);

typedef struct ice_sort_field {
    int32_t source_id;
    ice_transform transform;
    bool descending;
    bool nulls_last;
} ice_sort_field;

typedef struct ice_sort_order {
    int32_t id;
    const ice_sort_field *fields;
    size_t field_count;
} ice_sort_order;

status ice_sort_order_parse(const json *value, arena *a, ice_sort_order *ret_order, error *err);
void ice_sort_order_format(const ice_sort_order *order, json_writer *w);

#endif

/* value.h: single values: comparison, binary form, JSON form, text.
 *
 * Source: Iceberg specification, "Appendix D: Single-value serialization". */
#ifndef TARN_ICEBERG_VALUE_H
#define TARN_ICEBERG_VALUE_H

#include "tarn/iceberg/type.h"

/* A value of a primitive type. Integers of all widths, dates, times, timestamps (micros or nanos
 * as the type says) stand in `integer`; decimals are 128 bits (unscaled, two's complement, high
 * and low word). */
typedef struct ice_value {
    ice_kind kind;
    bool is_null;
    /* boolean 0/1, int, long, date, time, timestamp…; decimal: low 64 bits as bits */
    int64_t integer;
    int64_t high;  /* decimal: high 64 bits */
    int32_t scale; /* decimal */
    double real;   /* float, double */
    str bytes;     /* string, binary, fixed, uuid (16 bytes) */
} ice_value;

/* Bytes of a bound or a partition value; promotion is inferred from the length (4-byte bound of
 * a long column …). CORRUPT where the length fits neither. */
status ice_value_decode(const ice_type *type, str bytes, ice_value *ret_value, error *err);
str ice_value_encode(const ice_type *type, const ice_value *value, arena *a);
/* Values of one type. Doubles: -0.0 below +0.0, NaN above all. Strings by bytes of UTF-8. */
int ice_value_compare(const ice_value *x, const ice_value *y);
bool ice_value_is_nan(const ice_value *value);
void ice_value_format_json(const ice_type *type, const ice_value *value, json_writer *w);
status ice_value_parse_json(const ice_type *type, const json *value, arena *a, ice_value *ret_value,
                            error *err);
/* For people and for partition paths: 2026-11-21, 12.50, text as it is, "null". */
void ice_value_format(const ice_type *type, const ice_value *value, buf *out);
/* From the text forms that DuckDB prints (VARCHAR cast) for this type. BAD_DATA. */
status ice_value_parse_text(const ice_type *type, str text, arena *a, ice_value *ret_value,
                            error *err);

#endif

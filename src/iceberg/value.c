/* value.c: single values in binary form, and their order. Text and JSON are in value_text.c. */
#include "tarn/iceberg/value.h"

#include <math.h>

#include "internal.h"

#define MICROS_PER_DAY INT64_C(86400000000)

/* --- binary --- */

static uint64_t load_le(str bytes)
{
    uint64_t bits = 0;

    for (size_t i = bytes.size; i > 0; i--) {
        bits = (bits << 8) | (uint8_t)bytes.data[i - 1];
    }
    return bits;
}

static float float_from_bits(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

static double double_from_bits(uint64_t bits)
{
    double d;

    memcpy(&d, &bits, sizeof(d));
    return d;
}

static status wrong_size(const ice_type *type, str bytes, error *err)
{
    return error_set(err, STATUS_CORRUPT, "value of type %s has %zu bytes",
                     ice_kind_name(type->kind), bytes.size);
}

/* Days of a date written before the column was widened. */
static bool promote_days(ice_kind kind, int64_t days, int64_t *ret_integer)
{
    int64_t per_day = ice__kind_is_nanos(kind) ? MICROS_PER_DAY * 1000 : MICROS_PER_DAY;

    return !__builtin_mul_overflow(days, per_day, ret_integer);
}

/* Numbers of fixed size; a smaller size than the type's tells the type before it was widened. */
static status decode_number(const ice_type *type, str bytes, ice_value *v, error *err)
{
    bool four = bytes.size == 4;
    bool eight = bytes.size == 8;

    switch (type->kind) {
    case ICE_INT:
    case ICE_DATE:
        if (four) {
            v->integer = (int32_t)(uint32_t)load_le(bytes);
            return STATUS_OK;
        }
        break;
    case ICE_FLOAT:
        if (four) {
            v->real = (double)float_from_bits((uint32_t)load_le(bytes));
            return STATUS_OK;
        }
        break;
    case ICE_DOUBLE:
        if (four || eight) {
            v->real = four ? (double)float_from_bits((uint32_t)load_le(bytes))
                           : double_from_bits(load_le(bytes));
            return STATUS_OK;
        }
        break;
    default: /* long, time and the timestamps */
        if (eight) {
            v->integer = (int64_t)load_le(bytes);
            return STATUS_OK;
        }
        if (four && type->kind == ICE_LONG) {
            v->integer = (int32_t)(uint32_t)load_le(bytes);
            return STATUS_OK;
        }
        if (four && type->kind != ICE_TIME &&
            promote_days(type->kind, (int32_t)(uint32_t)load_le(bytes), &v->integer)) {
            return STATUS_OK;
        }
        break;
    }
    return wrong_size(type, bytes, err);
}

status ice_value_decode(const ice_type *type, str bytes, ice_value *ret_value, error *err)
{
    ice_value v = {.kind = type->kind};
    ice__int128 unscaled;

    switch (type->kind) {
    case ICE_BOOLEAN:
        if (bytes.size != 1) {
            return wrong_size(type, bytes, err);
        }
        v.integer = bytes.data[0] != 0;
        break;
    case ICE_DECIMAL:
        if (!ice__decimal_from_bytes(bytes, &unscaled)) {
            return wrong_size(type, bytes, err);
        }
        v = ice__decimal_value(unscaled, type->scale);
        break;
    case ICE_UUID:
    case ICE_FIXED:
        if (bytes.size != (type->kind == ICE_UUID ? 16 : (size_t)type->length)) {
            return wrong_size(type, bytes, err);
        }
        v.bytes = bytes;
        break;
    case ICE_INT:
    case ICE_LONG:
    case ICE_FLOAT:
    case ICE_DOUBLE:
    case ICE_DATE:
    case ICE_TIME:
    case ICE_TIMESTAMP:
    case ICE_TIMESTAMPTZ:
    case ICE_TIMESTAMP_NS:
    case ICE_TIMESTAMPTZ_NS:
        TRY(decode_number(type, bytes, &v, err));
        break;
    case ICE_STRUCT:
    case ICE_LIST:
    case ICE_MAP:
        return error_set(err, STATUS_CORRUPT, "a value of type %s has no binary form",
                         ice_kind_name(type->kind));
    default: /* string, binary, and what is kept as bytes */
        v.bytes = bytes;
        break;
    }
    *ret_value = v;
    return STATUS_OK;
}

static str store_le(uint64_t bits, size_t size, arena *a)
{
    char *bytes = arena_alloc(a, size);

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(uint8_t)(bits >> (8 * i));
    }
    return str_from(bytes, size);
}

str ice_value_encode(const ice_type *type, const ice_value *value, arena *a)
{
    float f;
    uint32_t bits4;
    uint64_t bits8;
    uint8_t decimal[16];
    size_t size;

    switch (type->kind) {
    case ICE_BOOLEAN:
        return store_le(value->integer != 0, 1, a);
    case ICE_INT:
    case ICE_DATE:
        return store_le((uint64_t)value->integer, 4, a);
    case ICE_LONG:
    case ICE_TIME:
    case ICE_TIMESTAMP:
    case ICE_TIMESTAMPTZ:
    case ICE_TIMESTAMP_NS:
    case ICE_TIMESTAMPTZ_NS:
        return store_le((uint64_t)value->integer, 8, a);
    case ICE_FLOAT:
        f = (float)value->real;
        memcpy(&bits4, &f, sizeof(f));
        return store_le(bits4, 4, a);
    case ICE_DOUBLE:
        memcpy(&bits8, &value->real, sizeof(bits8));
        return store_le(bits8, 8, a);
    case ICE_DECIMAL:
        size = ice__decimal_bytes(ice__decimal(value), decimal);
        return str_from(arena_strndup(a, (const char *)decimal, size), size);
    default:
        return ice__copy(a, value->bytes);
    }
}

/* --- order --- */

static bool is_integer(ice_kind kind)
{
    return kind == ICE_INT || kind == ICE_LONG;
}

static bool is_real(ice_kind kind)
{
    return kind == ICE_FLOAT || kind == ICE_DOUBLE;
}

static int compare_real(double x, double y)
{
    if (isnan(x) || isnan(y)) {
        return (int)isnan(x) - (int)isnan(y);
    }
    if (x < y) {
        return -1;
    }
    if (x > y) {
        return 1;
    }
    return (int)(signbit(y) != 0) - (int)(signbit(x) != 0);
}

static int compare_int128(ice__int128 x, ice__int128 y)
{
    return (x > y) - (x < y);
}

static int compare_decimal(const ice_value *x, const ice_value *y)
{
    ice__int128 a = ice__decimal(x);
    ice__int128 b = ice__decimal(y);
    int32_t up = y->scale - x->scale;

    if (up == 0) {
        return compare_int128(a, b);
    }
    /* What is too large for the common scale is beyond every value of the other. */
    if (up > 0 && !ice__decimal_shift(a, up, &a)) {
        return a < 0 ? -1 : 1;
    }
    if (up < 0 && !ice__decimal_shift(b, -up, &b)) {
        return b < 0 ? 1 : -1;
    }
    return compare_int128(a, b);
}

static int compare_integer(int64_t x, int64_t y)
{
    return (x > y) - (x < y);
}

int ice_value_compare(const ice_value *x, const ice_value *y)
{
    if (is_real(x->kind)) {
        return compare_real(x->real, y->real);
    }
    switch (x->kind) {
    case ICE_DECIMAL:
        return compare_decimal(x, y);
    case ICE_STRING:
    case ICE_UUID:
    case ICE_FIXED:
    case ICE_BINARY:
    case ICE_UNKNOWN:
    case ICE_VARIANT:
    case ICE_GEOMETRY:
    case ICE_GEOGRAPHY:
        return str_compare(x->bytes, y->bytes);
    default:
        return compare_integer(x->integer, y->integer);
    }
}

bool ice_value_is_nan(const ice_value *value)
{
    return is_real(value->kind) && !value->is_null && isnan(value->real);
}

static bool is_bytes(ice_kind kind)
{
    return kind == ICE_FIXED || kind == ICE_BINARY;
}

/* An integer as a decimal without places, so that both compare as decimals. */
static ice_value as_decimal(const ice_value *v)
{
    return is_integer(v->kind) ? ice__decimal_value(v->integer, 0) : *v;
}

bool ice__compare_sql(const ice_value *x, const ice_value *y, int *ret_order)
{
    if (x->is_null || y->is_null) {
        return false;
    }
    if (is_real(x->kind) && is_real(y->kind)) {
        /* Adding zero makes -0.0 a plain zero. */
        *ret_order = compare_real(x->real + 0.0, y->real + 0.0);
        return true;
    }
    if ((is_integer(x->kind) || x->kind == ICE_DECIMAL) &&
        (is_integer(y->kind) || y->kind == ICE_DECIMAL)) {
        ice_value a = as_decimal(x);
        ice_value b = as_decimal(y);

        *ret_order = compare_decimal(&a, &b);
        return true;
    }
    if (x->kind != y->kind && !(is_bytes(x->kind) && is_bytes(y->kind))) {
        return false;
    }
    if (x->kind >= ICE_UNKNOWN) { /* no order of their own */
        return false;
    }
    *ret_order = ice_value_compare(x, y);
    return true;
}

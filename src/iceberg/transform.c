/* transform.c: partition transforms: text form, result types, values, and the bucket hash.
 * What a predicate on the source says about the result is in project.c. */
#include "tarn/base/clock.h"
#include "tarn/iceberg/partition.h"

#include "internal.h"

#define SECONDS_PER_DAY INT64_C(86400)
#define SECONDS_PER_HOUR INT64_C(3600)

/* --- text --- */

static const struct {
    const char *name;
    ice_transform_kind kind;
    bool has_parameter;
} transform_names[] = {
    {"identity", ICE_IDENTITY, false}, {"bucket", ICE_BUCKET, true},
    {"truncate", ICE_TRUNCATE, true},  {"year", ICE_YEAR, false},
    {"month", ICE_MONTH, false},       {"day", ICE_DAY, false},
    {"hour", ICE_HOUR, false},         {"void", ICE_VOID, false},
};

const ice_transform *ice__identity(void)
{
    static const ice_transform identity = {.kind = ICE_IDENTITY, .text = STR_INIT("identity")};

    return &identity;
}

/* "bucket[16]" -> 16. */
static status parse_parameter(str text, str inner, int32_t *ret_parameter, error *err)
{
    int64_t value;

    if (inner.size < 3 || inner.data[0] != '[' || inner.data[inner.size - 1] != ']' ||
        str_to_int64(str_slice(inner, 1, inner.size - 1), &value, NULL) != STATUS_OK || value < 1 ||
        value > INT32_MAX) {
        return error_set(err, STATUS_INVALID,
                         "transform \"%.*s\" needs a number above 0 in brackets", STR_ARG(text));
    }
    *ret_parameter = (int32_t)value;
    return STATUS_OK;
}

status ice_transform_parse(str text, ice_transform *ret_transform, error *err)
{
    ice_transform t = {.kind = ICE_TRANSFORM_UNKNOWN, .text = text};

    if (text.size == 0) {
        return error_set(err, STATUS_INVALID, "transform is empty");
    }
    for (size_t i = 0; i < COUNT_OF(transform_names); i++) {
        str name = str_c(transform_names[i].name);

        if (transform_names[i].has_parameter && str_starts_with_nocase(text, name) &&
            text.size > name.size && text.data[name.size] == '[') {
            t.kind = transform_names[i].kind;
            TRY(parse_parameter(text, str_slice(text, name.size, text.size), &t.parameter, err));
        } else if (!transform_names[i].has_parameter && str_equal_nocase(text, name)) {
            t.kind = transform_names[i].kind;
        }
    }
    *ret_transform = t;
    return STATUS_OK;
}

/* --- types --- */

static bool is_timestamp(ice_kind kind)
{
    return kind == ICE_TIMESTAMP || kind == ICE_TIMESTAMPTZ || kind == ICE_TIMESTAMP_NS ||
           kind == ICE_TIMESTAMPTZ_NS;
}

static bool can_bucket(ice_kind kind)
{
    return kind == ICE_INT || kind == ICE_LONG || kind == ICE_DECIMAL || kind == ICE_DATE ||
           kind == ICE_TIME || is_timestamp(kind) || kind == ICE_STRING || kind == ICE_UUID ||
           kind == ICE_FIXED || kind == ICE_BINARY;
}

static bool can_truncate(ice_kind kind)
{
    return kind == ICE_INT || kind == ICE_LONG || kind == ICE_DECIMAL || kind == ICE_STRING ||
           kind == ICE_BINARY;
}

static bool can_transform(ice_transform_kind kind, ice_kind source)
{
    switch (kind) {
    case ICE_IDENTITY:
        return !ice_kind_is_nested(source) && source < ICE_UNKNOWN;
    case ICE_BUCKET:
        return can_bucket(source);
    case ICE_TRUNCATE:
        return can_truncate(source);
    case ICE_YEAR:
    case ICE_MONTH:
    case ICE_DAY:
        return source == ICE_DATE || is_timestamp(source);
    case ICE_HOUR:
        return is_timestamp(source);
    default:
        return true;
    }
}

status ice_transform_result(const ice_transform *t, const ice_type *source,
                            const ice_type **ret_type, error *err)
{
    if (!can_transform(t->kind, source->kind)) {
        return error_set(err, STATUS_INVALID, "transform \"%.*s\" does not take type %s",
                         STR_ARG(t->text), ice_kind_name(source->kind));
    }
    switch (t->kind) {
    case ICE_BUCKET:
    case ICE_YEAR:
    case ICE_MONTH:
    case ICE_HOUR:
        *ret_type = ice_type_primitive(ICE_INT);
        break;
    case ICE_DAY:
        *ret_type = ice_type_primitive(ICE_DATE);
        break;
    case ICE_TRANSFORM_UNKNOWN:
        *ret_type = ice_type_primitive(ICE_BINARY);
        break;
    default:
        *ret_type = source;
        break;
    }
    return STATUS_OK;
}

/* --- bucket --- */

static uint32_t rotate(uint32_t x, int by)
{
    return (x << by) | (x >> (32 - by));
}

static uint32_t murmur3(const uint8_t *data, size_t size)
{
    const uint32_t c1 = 0xcc9e2d51;
    const uint32_t c2 = 0x1b873593;
    uint32_t h = 0;
    uint32_t k = 0;
    size_t at = 0;

    for (; size - at >= 4; at += 4) {
        k = (uint32_t)data[at] | (uint32_t)data[at + 1] << 8 | (uint32_t)data[at + 2] << 16 |
            (uint32_t)data[at + 3] << 24;
        h ^= rotate(k * c1, 15) * c2;
        h = rotate(h, 13) * 5 + 0xe6546b64;
    }
    k = 0;
    for (size_t i = size; i > at; i--) {
        k = (k << 8) | data[i - 1];
    }
    h ^= rotate(k * c1, 15) * c2;
    h ^= (uint32_t)size;
    h = (h ^ (h >> 16)) * 0x85ebca6b;
    h = (h ^ (h >> 13)) * 0xc2b2ae35;
    return h ^ (h >> 16);
}

uint32_t ice_bucket_hash(const ice_type *source, const ice_value *value)
{
    uint8_t bytes[16];
    int64_t integer = value->integer;

    switch (source->kind) {
    case ICE_DECIMAL:
        return murmur3(bytes, ice__decimal_bytes(ice__decimal(value), bytes));
    case ICE_STRING:
    case ICE_UUID:
    case ICE_FIXED:
    case ICE_BINARY:
        return murmur3((const uint8_t *)value->bytes.data, value->bytes.size);
    default:
        /* All integers hash as 8 bytes, so that int columns can be widened; nanos as micros. */
        if (ice__kind_is_nanos(source->kind)) {
            integer = ice__floor_div(integer, 1000);
        }
        for (int i = 0; i < 8; i++) {
            bytes[i] = (uint8_t)((uint64_t)integer >> (8 * i));
        }
        return murmur3(bytes, 8);
    }
}

/* --- truncate --- */

/* In the width of the type, where it wraps as the reference implementation's does. */
static int64_t truncate_integer(ice_kind kind, int64_t v, int32_t width)
{
    int64_t rest = ((v % width) + width) % width;

    if (kind == ICE_INT) {
        return (int32_t)((uint32_t)(int32_t)v - (uint32_t)rest);
    }
    return (int64_t)((uint64_t)v - (uint64_t)rest);
}

static ice_value truncate(const ice_type *source, const ice_value *v, int32_t width)
{
    ice_value result = *v;
    ice__int128 unscaled;

    switch (source->kind) {
    case ICE_DECIMAL:
        unscaled = ice__decimal(v);
        unscaled -= ((unscaled % width) + width) % width;
        return ice__decimal_value(unscaled, v->scale);
    case ICE_STRING:
        result.bytes = str_slice(v->bytes, 0, ice__utf8_prefix(v->bytes, (size_t)width));
        return result;
    case ICE_BINARY:
        result.bytes = str_slice(v->bytes, 0, (size_t)width);
        return result;
    default:
        result.integer = truncate_integer(source->kind, v->integer, width);
        return result;
    }
}

/* --- times --- */

static int64_t days_of(ice_kind kind, int64_t integer)
{
    if (kind == ICE_DATE) {
        return integer;
    }
    return ice__floor_div(integer,
                          SECONDS_PER_DAY * (ice__kind_is_nanos(kind) ? 1000000000 : 1000000));
}

static int64_t time_part(ice_transform_kind transform, ice_kind kind, int64_t integer)
{
    int year;
    int month;
    int day;

    if (transform == ICE_HOUR) {
        return ice__floor_div(integer,
                              SECONDS_PER_HOUR * (ice__kind_is_nanos(kind) ? 1000000000 : 1000000));
    }
    if (transform == ICE_DAY) {
        return days_of(kind, integer);
    }
    date_from_days(days_of(kind, integer), &year, &month, &day);
    if (transform == ICE_YEAR) {
        return (int64_t)year - 1970;
    }
    return ((int64_t)year - 1970) * 12 + month - 1;
}

status ice_transform_apply(const ice_transform *t, const ice_type *source, const ice_value *value,
                           arena *a, ice_value *ret_value, error *err)
{
    const ice_type *result;

    (void)a; /* results of today's transforms are views of their source */
    TRY(ice_transform_result(t, source, &result, err));
    if (t->kind == ICE_TRANSFORM_UNKNOWN) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "transform \"%.*s\" is unknown and cannot be applied", STR_ARG(t->text));
    }
    if (value->is_null || t->kind == ICE_VOID) {
        *ret_value = (ice_value){.kind = result->kind, .is_null = true};
        return STATUS_OK;
    }
    switch (t->kind) {
    case ICE_IDENTITY:
        *ret_value = *value;
        break;
    case ICE_BUCKET:
        *ret_value = (ice_value){.kind = ICE_INT,
                                 .integer = (int64_t)((ice_bucket_hash(source, value) & INT32_MAX) %
                                                      (uint32_t)t->parameter)};
        break;
    case ICE_TRUNCATE:
        *ret_value = truncate(source, value, t->parameter);
        break;
    default:
        *ret_value = (ice_value){.kind = result->kind,
                                 .integer = time_part(t->kind, source->kind, value->integer)};
        break;
    }
    return STATUS_OK;
}

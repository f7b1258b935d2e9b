/* value_text.c: single values as JSON (the specification's form) and as text for people. */
#include <math.h>
#include <stdio.h>

#include "tarn/base/limits.h"
#include "tarn/iceberg/value.h"

#include "internal.h"

enum { TEXT_MAX = 64 };

static int64_t units_of(ice_kind kind)
{
    return ice__kind_is_nanos(kind) ? 1000000000 : 1000000;
}

static bool is_zoned(ice_kind kind)
{
    return kind == ICE_TIMESTAMPTZ || kind == ICE_TIMESTAMPTZ_NS;
}

/* --- writing --- */

static void format_uuid(str bytes, buf *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = (uint8_t)bytes.data[i];

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            buf_add_char(out, '-');
        }
        buf_add_char(out, digits[byte >> 4]);
        buf_add_char(out, digits[byte & 15]);
    }
}

static void format_hex(str bytes, buf *out)
{
    for (size_t i = 0; i < bytes.size; i++) {
        buf_printf(out, "%02x", (unsigned)(uint8_t)bytes.data[i]);
    }
}

static void format_real(ice_kind kind, double value, buf *out)
{
    char text[TEXT_MAX];
    json_writer w;
    buf number;

    if (isnan(value) || isinf(value)) {
        buf_add_c(out, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return;
    }
    if (kind == ICE_FLOAT) {
        /* The shortest text that gives the same float. */
        for (int digits = 6; digits <= 9; digits++) {
            double back;
            int size = snprintf(text, sizeof(text), "%.*g", digits, value);

            if (str_to_double(str_from(text, (size_t)size), &back, NULL) == STATUS_OK &&
                (float)back == (float)value) {
                break;
            }
        }
        buf_add_c(out, text);
        return;
    }
    buf_init(&number, TEXT_MAX);
    json_writer_init(&w, &number);
    json_put_double(&w, value);
    buf_add_str(out, buf_str(&number));
    buf_release(&number);
}

void ice_value_format(const ice_type *type, const ice_value *value, buf *out)
{
    if (value->is_null) {
        buf_add_c(out, "null");
        return;
    }
    switch (type->kind) {
    case ICE_BOOLEAN:
        buf_add_c(out, value->integer != 0 ? "true" : "false");
        break;
    case ICE_INT:
    case ICE_LONG:
        buf_printf(out, "%lld", (long long)value->integer);
        break;
    case ICE_FLOAT:
    case ICE_DOUBLE:
        format_real(type->kind, value->real, out);
        break;
    case ICE_DECIMAL:
        ice__decimal_format(ice__decimal(value), value->scale, out);
        break;
    case ICE_DATE:
        ice__date_format(value->integer, out);
        break;
    case ICE_TIME:
        ice__time_format(value->integer, units_of(type->kind), out);
        break;
    case ICE_TIMESTAMP:
    case ICE_TIMESTAMPTZ:
    case ICE_TIMESTAMP_NS:
    case ICE_TIMESTAMPTZ_NS:
        ice__timestamp_format(value->integer, units_of(type->kind), 'T', out);
        buf_add_c(out, is_zoned(type->kind) ? "+00:00" : "");
        break;
    case ICE_UUID:
        format_uuid(value->bytes, out);
        break;
    case ICE_STRING:
        buf_add_str(out, value->bytes);
        break;
    default:
        format_hex(value->bytes, out);
        break;
    }
}

void ice_value_format_json(const ice_type *type, const ice_value *value, json_writer *w)
{
    buf text;

    if (value->is_null) {
        json_put_null(w);
        return;
    }
    switch (type->kind) {
    case ICE_BOOLEAN:
        json_put_bool(w, value->integer != 0);
        return;
    case ICE_INT:
    case ICE_LONG:
        json_put_int(w, value->integer);
        return;
    case ICE_DOUBLE:
        json_put_double(w, value->real);
        return;
    default:
        break;
    }
    buf_init(&text, LIMIT_JSON_BODY);
    ice_value_format(type, value, &text);
    if (type->kind == ICE_FLOAT && isfinite(value->real)) {
        /* Iceberg's own programs read 1 as no float */
        if (str_find_char(buf_str(&text), '.') == STR_NPOS &&
            str_find_char(buf_str(&text), 'e') == STR_NPOS) {
            buf_add_c(&text, ".0");
        }
        json_put_raw(w, buf_str(&text));
    } else {
        json_put_str(w, buf_str(&text));
    }
    buf_release(&text);
}

/* --- reading --- */

static status bad_value(const ice_type *type, str text, error *err)
{
    return error_set(err, STATUS_BAD_DATA, "\"%.*s\" is no %s", STR_ARG(str_slice(text, 0, 100)),
                     ice_kind_name(type->kind));
}

static bool parse_uuid(str text, arena *a, str *ret_bytes)
{
    char hex[32];
    size_t size = 0;

    if (text.size != 36) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text.data[i] != '-') {
                return false;
            }
        } else {
            hex[size++] = text.data[i];
        }
    }
    return str_from_hex(a, str_from(hex, size), ret_bytes, NULL) == STATUS_OK;
}

/* The range of the kind is part of the form. */
static bool parse_integer(const ice_type *type, str text, ice_value *v)
{
    return str_to_int64(text, &v->integer, NULL) == STATUS_OK &&
           (type->kind == ICE_LONG || (v->integer >= INT32_MIN && v->integer <= INT32_MAX));
}

static bool parse_decimal(const ice_type *type, str text, ice_value *v)
{
    ice__int128 unscaled;
    ice__int128 limit = 1;

    if (!ice__decimal_parse(text, type->scale, &unscaled)) {
        return false;
    }
    for (int32_t i = 0; i < type->precision; i++) {
        limit *= 10;
    }
    *v = ice__decimal_value(unscaled, type->scale);
    return unscaled < limit && unscaled > -limit;
}

static bool parse_boolean(str text, ice_value *v)
{
    v->integer = str_equal_nocase(text, STR("true"));
    return v->integer != 0 || str_equal_nocase(text, STR("false"));
}

/* Text as DuckDB prints bytes: printable ASCII as it is, the rest as \xHH. */
static bool parse_blob(str text, arena *a, str *ret_bytes)
{
    char *bytes = arena_alloc(a, text.size + 1);
    size_t size = 0;

    for (size_t at = 0; at < text.size; at++) {
        str byte;

        if (text.data[at] != '\\') {
            bytes[size++] = text.data[at];
            continue;
        }
        if (at + 3 >= text.size || text.data[at + 1] != 'x' ||
            str_from_hex(a, str_slice(text, at + 2, at + 4), &byte, NULL) != STATUS_OK) {
            return false;
        }
        bytes[size++] = byte.data[0];
        at += 3;
    }
    *ret_bytes = str_from(bytes, size);
    return true;
}

/* Types whose text is one in JSON and for people. */
static bool parse_common(const ice_type *type, str text, arena *a, ice_value *v)
{
    switch (type->kind) {
    case ICE_DECIMAL:
        return parse_decimal(type, text, v);
    case ICE_DATE:
        return ice__date_parse(text, &v->integer);
    case ICE_TIME:
        return ice__time_parse(text, units_of(type->kind), &v->integer);
    case ICE_TIMESTAMP:
    case ICE_TIMESTAMPTZ:
    case ICE_TIMESTAMP_NS:
    case ICE_TIMESTAMPTZ_NS:
        return ice__timestamp_parse(text, units_of(type->kind), is_zoned(type->kind), &v->integer);
    case ICE_UUID:
        return parse_uuid(text, a, &v->bytes);
    case ICE_STRING:
        v->bytes = ice__copy(a, text);
        return true;
    default:
        return false;
    }
}

status ice_value_parse_text(const ice_type *type, str text, arena *a, ice_value *ret_value,
                            error *err)
{
    ice_value v = {.kind = type->kind, .scale = type->scale};
    bool good;

    switch (type->kind) {
    case ICE_BOOLEAN:
        good = parse_boolean(text, &v);
        break;
    case ICE_INT:
    case ICE_LONG:
        good = parse_integer(type, text, &v);
        break;
    case ICE_FLOAT:
    case ICE_DOUBLE:
        good = str_to_double(text, &v.real, NULL) == STATUS_OK;
        v.real = type->kind == ICE_FLOAT ? (double)(float)v.real : v.real;
        break;
    case ICE_BINARY:
    case ICE_FIXED:
        good = parse_blob(text, a, &v.bytes) &&
               (type->kind == ICE_BINARY || v.bytes.size == (size_t)type->length);
        break;
    default:
        good = parse_common(type, text, a, &v);
        break;
    }
    if (!good) {
        return bad_value(type, text, err);
    }
    *ret_value = v;
    return STATUS_OK;
}

status ice_value_parse_json(const ice_type *type, const json *value, arena *a, ice_value *ret_value,
                            error *err)
{
    ice_value v = {.kind = type->kind, .scale = type->scale};
    json_kind kind = json_kind_of(value);
    str text = json_str_or(value, STR_NULL);
    bool good;

    if (kind == JSON_NULL) {
        v.is_null = true;
        *ret_value = v;
        return STATUS_OK;
    }
    switch (type->kind) {
    case ICE_BOOLEAN:
        good = kind == JSON_BOOL;
        v.integer = json_bool_or(value, false);
        break;
    case ICE_INT:
    case ICE_LONG:
        v.integer = json_int64_or(value, 0);
        good = kind == JSON_INT64 &&
               (type->kind == ICE_LONG || (v.integer >= INT32_MIN && v.integer <= INT32_MAX));
        break;
    case ICE_FLOAT:
    case ICE_DOUBLE:
        good = kind == JSON_INT64 || kind == JSON_DOUBLE;
        v.real = json_double_or(value, 0);
        v.real = type->kind == ICE_FLOAT ? (double)(float)v.real : v.real;
        good = good && isfinite(v.real); /* the type is too narrow for it */
        break;
    case ICE_BINARY:
    case ICE_FIXED:
        good = kind == JSON_STR && str_from_hex(a, text, &v.bytes, NULL) == STATUS_OK &&
               (type->kind == ICE_BINARY || v.bytes.size == (size_t)type->length);
        break;
    default:
        good = kind == JSON_STR && parse_common(type, text, a, &v);
        break;
    }
    if (!good) {
        return error_set(err, STATUS_INVALID, "value does not have the form of a %s",
                         ice_kind_name(type->kind));
    }
    *ret_value = v;
    return STATUS_OK;
}

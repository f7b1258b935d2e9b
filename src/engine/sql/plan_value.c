/* Constants of a plan. Integers of many digits arrive as strings (plan_standard_json), since
 * JSON numbers end at 2^53 for some and at 2^63 for us, and half of all UUIDs lie beyond. */
#include "sql/plan.h"

#include "tarn/base/buf.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"

static bool is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Copies one string with its quotes; `at` stands on the opening one. */
static size_t copy_string(str text, size_t at, buf *out)
{
    size_t from = at++;
    while (at < text.size && text.data[at] != '"') {
        at += text.data[at] == '\\' ? 2 : 1;
    }
    at = at < text.size ? at + 1 : text.size;
    buf_add(out, text.data + from, at - from);
    return at;
}

str plan_standard_json(str text, arena *a)
{
    static const char *const odd[] = {"-NaN",      "NaN",      "-nan", "nan",
                                      "-Infinity", "Infinity", "-inf", "inf"};
    buf *out = buf_in(a, LIMIT_WORKER_MESSAGE);
    size_t at = 0;
    while (at < text.size) {
        str rest = str_slice(text, at, text.size);
        char c = text.data[at];
        size_t size = 0;
        if (c == '"') {
            at = copy_string(text, at, out);
            continue;
        }
        for (size_t i = 0;
             (c == '-' || c == 'N' || c == 'n' || c == 'I' || c == 'i') && i < COUNT_OF(odd); i++) {
            if (str_starts_with(rest, str_c(odd[i]))) {
                size = str_c(odd[i]).size;
                break;
            }
        }
        if (size > 0) {
            buf_add_c(out, "null");
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            while (size < rest.size && is_number_byte(rest.data[size])) {
                size++;
            }
            str number = str_slice(rest, 0, size);
            bool whole = str_find_char(number, '.') == STR_NPOS &&
                         str_find_char(number, 'e') == STR_NPOS &&
                         str_find_char(number, 'E') == STR_NPOS;
            bool quoted = whole && size > 15;
            buf_add_c(out, quoted ? "\"" : "");
            buf_add_str(out, number);
            buf_add_c(out, quoted ? "\"" : "");
        } else {
            buf_add_char(out, c);
            size = 1;
        }
        at += size;
    }
    return buf_str(out);
}

static bool int64_of(const json *value, int64_t *ret_value)
{
    if (json_kind_of(value) == JSON_INT64) {
        *ret_value = json_int64_or(value, 0);
        return true;
    }
    return json_kind_of(value) == JSON_STR &&
           str_to_int64(json_str_or(value, STR("")), ret_value, NULL) == STATUS_OK;
}

static bool uint64_of(const json *value, uint64_t *ret_value)
{
    int64_t small = json_int64_or(value, -1);
    if (json_kind_of(value) == JSON_INT64 && small >= 0) {
        *ret_value = (uint64_t)small;
        return true;
    }
    return json_kind_of(value) == JSON_STR &&
           str_to_uint64(json_str_or(value, STR("")), ret_value, NULL) == STATUS_OK;
}

/* {"upper", "lower"} of 128 bits; a member that is 0 may be absent. */
static bool wide_of(const json *value, int64_t *ret_high, uint64_t *ret_low)
{
    *ret_high = 0;
    *ret_low = 0;
    if (json_kind_of(value) != JSON_OBJECT) {
        int64_t small;
        if (!int64_of(value, &small)) {
            return false;
        }
        *ret_high = small < 0 ? -1 : 0;
        *ret_low = (uint64_t)small;
        return true;
    }
    const json *upper = json_get(value, "upper"), *lower = json_get(value, "lower");
    return (upper == NULL || int64_of(upper, ret_high)) &&
           (lower == NULL || uint64_of(lower, ret_low));
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* DuckDB's text of a BLOB: \xHH for bytes that do not print, the others as they are. */
static str blob_of(str text, arena *a)
{
    char *bytes = arena_alloc(a, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\\' && i + 3 < text.size && text.data[i + 1] == 'x' &&
            hex_digit(text.data[i + 2]) >= 0 && hex_digit(text.data[i + 3]) >= 0) {
            bytes[size++] = (char)(hex_digit(text.data[i + 2]) * 16 + hex_digit(text.data[i + 3]));
            i += 3;
        } else {
            bytes[size++] = text.data[i];
        }
    }
    return str_from(bytes, size);
}

/* DuckDB keeps a UUID as a number whose top bit is turned, so that numbers sort as UUIDs do. */
static bool uuid_of(const json *value, arena *a, str *ret_bytes)
{
    int64_t high;
    uint64_t low;
    if (!wide_of(value, &high, &low)) {
        return false;
    }
    uint64_t words[2] = {(uint64_t)high ^ (UINT64_C(1) << 63), low};
    char *bytes = arena_alloc(a, 16);
    for (size_t i = 0; i < 16; i++) {
        bytes[i] = (char)(unsigned char)(words[i / 8] >> (56 - 8 * (i % 8)));
    }
    *ret_bytes = str_from(bytes, 16);
    return true;
}

static bool is_integer_type(str id)
{
    static const char *const ids[] = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT"};
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        if (str_equal(id, str_c(ids[i]))) {
            return true;
        }
    }
    return false;
}

/* The DuckDB type whose values stand in `integer` for a column of that kind. */
static const char *integer_type_id(ice_kind kind)
{
    switch (kind) {
    case ICE_DATE:
        return "DATE";
    case ICE_TIME:
        return "TIME";
    case ICE_TIMESTAMP:
        return "TIMESTAMP";
    case ICE_TIMESTAMPTZ:
        return "TIMESTAMP WITH TIME ZONE";
    case ICE_TIMESTAMP_NS:
        return "TIMESTAMP_NS";
    default:
        return "";
    }
}

static bool decimal_of(const json *constant, const ice_type *type, ice_value *value)
{
    const json *info = json_get(json_get(constant, "type"), "type_info");
    uint64_t low;
    if (json_int64_or(json_get(info, "scale"), 0) != type->scale ||
        !wide_of(json_get(constant, "value"), &value->high, &low)) {
        return false;
    }
    value->integer = (int64_t)low;
    value->scale = type->scale;
    return true;
}

bool plan_value(const json *constant, const ice_type *type, arena *a, ice_value *ret_value)
{
    str id = json_str_or(json_get(json_get(constant, "type"), "id"), STR(""));
    const json *raw = json_get(constant, "value");
    ice_value value = {.kind = type->kind};
    bool known = false;

    if (constant == NULL || json_bool_or(json_get(constant, "is_null"), true)) {
        return false;
    }
    switch (type->kind) {
    case ICE_BOOLEAN:
        known = str_equal(id, STR("BOOLEAN")) && json_kind_of(raw) == JSON_BOOL;
        value.integer = json_bool_or(raw, false) ? 1 : 0;
        break;
    case ICE_INT:
    case ICE_LONG:
        known = is_integer_type(id) && int64_of(raw, &value.integer);
        break;
    case ICE_DATE:
    case ICE_TIME:
    case ICE_TIMESTAMP:
    case ICE_TIMESTAMPTZ:
    case ICE_TIMESTAMP_NS:
        known = str_equal(id, str_c(integer_type_id(type->kind))) && int64_of(raw, &value.integer);
        break;
    case ICE_FLOAT:
    case ICE_DOUBLE:
        known = str_equal(id, str_c(type->kind == ICE_FLOAT ? "FLOAT" : "DOUBLE")) &&
                (json_kind_of(raw) == JSON_DOUBLE || json_kind_of(raw) == JSON_INT64);
        value.real = json_double_or(raw, 0);
        break;
    case ICE_DECIMAL:
        known = str_equal(id, STR("DECIMAL")) && decimal_of(constant, type, &value);
        break;
    case ICE_STRING:
        known = str_equal(id, STR("VARCHAR")) && json_kind_of(raw) == JSON_STR;
        value.bytes = json_str_or(raw, STR(""));
        break;
    case ICE_UUID:
        known = str_equal(id, STR("UUID")) && uuid_of(raw, a, &value.bytes);
        break;
    case ICE_BINARY:
        known = str_equal(id, STR("BLOB")) && json_kind_of(raw) == JSON_STR;
        value.bytes = blob_of(json_str_or(raw, STR("")), a);
        break;
    default:
        break;
    }
    if (known) {
        *ret_value = value;
    }
    return known;
}

bool plan_timestamp(const json *node, int64_t *ret_us)
{
    /* A text that is cast at run time, since the cast depends on the session's zone. */
    bool cast =
        str_equal(json_str_or(json_get(node, "expression_class"), STR("")), STR("BOUND_CAST"));
    const json *constant = json_get(cast ? json_get(node, "child") : node, "value");
    str target = json_str_or(json_get(json_get(node, "return_type"), "id"), STR(""));
    str id = json_str_or(json_get(json_get(constant, "type"), "id"), STR(""));
    const json *raw = json_get(constant, "value");

    if (constant == NULL || json_bool_or(json_get(constant, "is_null"), true)) {
        return false;
    }
    if (cast) {
        return str_equal(target, STR("TIMESTAMP WITH TIME ZONE")) &&
               str_equal(id, STR("VARCHAR")) &&
               clock_parse(json_str_or(raw, STR("")), ret_us, NULL) == STATUS_OK;
    }
    return (str_equal(id, STR("TIMESTAMP")) || str_equal(id, STR("TIMESTAMP WITH TIME ZONE"))) &&
           int64_of(raw, ret_us);
}

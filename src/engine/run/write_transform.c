/* Transforms as SQL over the columns tarn_c0, tarn_c1, …: partition values and sort keys. They equal
 * the specification's for negative values too; buckets are a function of the worker. */
#include "run/write.h"
#include "tarn/base/limits.h"

#define US_PER_HOUR "3600000000"
#define NS_PER_HOUR "3600000000000"
#define NS_PER_DAY "86400000000000"

/* floor(value / unit) of whole numbers: DuckDB's // and % go toward zero. */
static str floor_division(arena *a, str value, const char *unit)
{
    return str_printf(a, "((%.*s - ((%.*s %% %s) + %s) %% %s) // %s)", STR_ARG(value),
                      STR_ARG(value), unit, unit, unit, unit);
}

/* The value as a date in UTC. */
static str day_of(arena *a, const ice_type *type, str value)
{
    switch (type->kind) {
    case ICE_TIMESTAMPTZ:
        return str_printf(a, "CAST(%.*s AT TIME ZONE 'UTC' AS DATE)", STR_ARG(value));
    case ICE_TIMESTAMP_NS: {
        str days = floor_division(a, str_printf(a, "epoch_ns(%.*s)", STR_ARG(value)), NS_PER_DAY);
        return str_printf(a, "(DATE '1970-01-01' + CAST(%.*s AS INTEGER))", STR_ARG(days));
    }
    default:
        return str_printf(a, "CAST(%.*s AS DATE)", STR_ARG(value));
    }
}

static str hour_of(arena *a, const ice_type *type, str value)
{
    bool nanos = type->kind == ICE_TIMESTAMP_NS;
    str number = str_printf(a, "%s(%.*s)", nanos ? "epoch_ns" : "epoch_us", STR_ARG(value));
    str hours = floor_division(a, number, nanos ? NS_PER_HOUR : US_PER_HOUR);
    return str_printf(a, "CAST(%.*s AS INTEGER)", STR_ARG(hours));
}

/* The width of a decimal's truncation is in units of its last digit. */
static str decimal_width(arena *a, const ice_type *type, int32_t width)
{
    str digits = str_printf(a, "%d", width);
    while (digits.size <= (size_t)type->scale) {
        digits = str_concat(a, STR("0"), digits);
    }
    size_t point = digits.size - (size_t)type->scale;
    return str_printf(a, "CAST('%.*s.%.*s' AS DECIMAL(38, %d))",
                      STR_ARG(str_slice(digits, 0, point)),
                      STR_ARG(str_slice(digits, point, digits.size)), type->scale);
}

static str truncate_of(arena *a, const ice_type *type, str value, int32_t width)
{
    buf *name = buf_in(a, LIMIT_MIB);
    engine_duckdb_type(type, name);
    str w = type->kind == ICE_DECIMAL ? decimal_width(a, type, width) : str_printf(a, "%d", width);
    switch (type->kind) {
    case ICE_STRING:
        return str_printf(a, "left(%.*s, %d)", STR_ARG(value), width);
    case ICE_BINARY:
    case ICE_FIXED:
        return str_printf(a, "unhex(left(hex(%.*s), %lld))", STR_ARG(value), 2 * (long long)width);
    case ICE_DECIMAL:
        value = str_printf(a, "CAST(%.*s AS DECIMAL(38, %d))", STR_ARG(value), type->scale);
        break;
    default:
        value = str_printf(a, "CAST(%.*s AS HUGEINT)", STR_ARG(value));
        break;
    }
    str cut = str_printf(a, "%.*s - (((%.*s %% %.*s) + %.*s) %% %.*s)", STR_ARG(value),
                         STR_ARG(value), STR_ARG(w), STR_ARG(w), STR_ARG(w));
    if (type->kind != ICE_DECIMAL) { /* below the lowest integer it wraps, as the transform says */
        bool small = type->kind == ICE_INT;
        cut = str_printf(a, "CASE WHEN %.*s < %s THEN %.*s + %s ELSE %.*s END", STR_ARG(cut),
                         small ? "-2147483648" : "-9223372036854775808", STR_ARG(cut),
                         small ? "4294967296" : "18446744073709551616", STR_ARG(cut));
    }
    return str_printf(a, "CAST(%.*s AS %.*s)", STR_ARG(cut), STR_ARG(buf_str(name)));
}

/* The value of a field of the schema, at the top or inside of structs; STR_NULL where there is none
 * such, or where it is inside of a list or map. */
static str value_of(const ice_type *type, int32_t id, str parent, arena *a)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        buf *value = buf_in(a, LIMIT_MIB);
        if (str_is_null(parent)) {
            buf_printf(value, "tarn_c%zu", i);
        } else {
            buf_printf(value, "struct_extract(%.*s, ", STR_ARG(parent));
            sql_quote_text(value, field->name);
            buf_add_char(value, ')');
        }
        if (field->id == id) {
            return buf_str(value);
        }
        str inside = field->type->kind == ICE_STRUCT ? value_of(field->type, id, buf_str(value), a)
                                                     : STR_NULL;
        if (!str_is_null(inside)) {
            return inside;
        }
    }
    return STR_NULL;
}

status write_transform(const ice_schema *schema, int32_t source_id, const ice_transform *t,
                       str what, arena *a, str *ret_sql, error *err)
{
    const ice_field *source = ice_schema_field(schema, source_id);
    str value = value_of(schema->root, source_id, STR_NULL, a);
    if (t->kind == ICE_VOID) {
        *ret_sql = STR("CAST(NULL AS INTEGER)");
        return STATUS_OK;
    }
    if (source == NULL || str_is_null(value)) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "%.*s is of no column that rows have one value for", STR_ARG(what));
    }
    str day = day_of(a, source->type, value);
    switch (t->kind) {
    case ICE_IDENTITY:
        *ret_sql = value;
        break;
    case ICE_BUCKET:
        *ret_sql = str_printf(a, "tarn_bucket(%.*s, %d)", STR_ARG(value), t->parameter);
        break;
    case ICE_TRUNCATE:
        *ret_sql = truncate_of(a, source->type, value, t->parameter);
        break;
    case ICE_YEAR:
        *ret_sql = str_printf(a, "CAST(year(%.*s) - 1970 AS INTEGER)", STR_ARG(day));
        break;
    case ICE_MONTH:
        *ret_sql = str_printf(a, "CAST((year(%.*s) - 1970) * 12 + month(%.*s) - 1 AS INTEGER)",
                              STR_ARG(day), STR_ARG(day));
        break;
    case ICE_DAY:
        *ret_sql = day;
        break;
    case ICE_HOUR:
        *ret_sql = hour_of(a, source->type, value);
        break;
    default:
        return error_set(err, STATUS_UNSUPPORTED, "%.*s: transform \"%.*s\" is not known",
                         STR_ARG(what), STR_ARG(t->text));
    }
    return STATUS_OK;
}

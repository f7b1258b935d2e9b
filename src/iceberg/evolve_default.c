/* evolve_default.c: values that columns take where a writer gave none. Source: Iceberg specification, "Default
 * values", "Appendix D: Single-value serialization". */
#include "builder.h"

#include "tarn/base/limits.h"

static status wrong(const ice_type *type, const json *value, error *err)
{
    buf text;
    buf name;

    buf_init(&text, LIMIT_JSON_BODY);
    buf_init(&name, LIMIT_JSON_BODY);
    json_format(value, &text);
    ice_type_format(type, &name);
    error_set(err, STATUS_INVALID, "default %.*s is no value of type %.*s", STR_ARG(buf_str(&text)),
              STR_ARG(buf_str(&name)));
    buf_release(&text);
    buf_release(&name);
    return STATUS_INVALID;
}

status ice__default_check(const ice_type *type, const json *value, error *err)
{
    arena *scratch;
    ice_value ignored;
    status s;

    /* The specification knows {} for structs; the reference implementation loads no table that has it. */
    if (ice_kind_is_nested(type->kind)) {
        return error_set(err, STATUS_INVALID,
                         "a default of type %s is not supported: Iceberg's own library loads no "
                         "table that has one",
                         ice_kind_name(type->kind));
    }
    if (type->kind == ICE_UNKNOWN || type->kind == ICE_VARIANT || type->kind == ICE_GEOMETRY ||
        type->kind == ICE_GEOGRAPHY) {
        return error_set(err, STATUS_INVALID, "type %s can have no default but null",
                         ice_kind_name(type->kind));
    }
    if (json_kind_of(value) == JSON_NULL) {
        return wrong(type, value, err);
    }
    scratch = arena_create();
    s = ice_value_parse_json(type, value, scratch, &ignored, NULL);
    arena_free(scratch);
    return s == STATUS_OK ? STATUS_OK : wrong(type, value, err);
}

const json *ice__default_settle(const json *value, const ice_type *type, arena *a)
{
    const json *made = NULL;
    ice_value v;
    json_writer w;

    if (json_kind_of(value) == JSON_NULL || ice_kind_is_nested(type->kind) ||
        ice_value_parse_json(type, value, a, &v, NULL) != STATUS_OK) {
        return ice__json_copy(value, a);
    }
    buf *text = buf_in(a, LIMIT_JSON_BODY);
    json_writer_init(&w, text);
    ice_value_format_json(type, &v, &w);
    return json_parse(buf_str(text), a, &made, NULL) == STATUS_OK ? made : ice__json_copy(value, a);
}

/* A day as the instant it begins at. */
static bool widen_date(const ice_type *to, ice_value *v)
{
    int64_t units_per_day = INT64_C(86400) * (to->kind == ICE_TIMESTAMP_NS ? 1000000000 : 1000000);

    return !__builtin_mul_overflow(v->integer, units_per_day, &v->integer);
}

/* Texts of dates and of floats say something else where they are read as the wider type: a float's are as short as its
 * digits allow. */
const json *ice__default_widen(const json *value, const ice_type *from, const ice_type *to,
                               arena *a)
{
    bool is_date = from->kind == ICE_DATE && to->kind != ICE_DATE;
    bool is_float = from->kind == ICE_FLOAT && to->kind == ICE_DOUBLE;
    const json *made = NULL;
    ice_value v;
    json_writer w;

    if (value == NULL || (!is_date && !is_float)) {
        return value;
    }
    if (ice_value_parse_json(from, value, a, &v, NULL) != STATUS_OK ||
        (is_date && !widen_date(to, &v))) {
        return NULL;
    }
    buf *text = buf_in(a, LIMIT_JSON_BODY);
    v.kind = to->kind;
    json_writer_init(&w, text);
    ice_value_format_json(to, &v, &w);
    return json_parse(buf_str(text), a, &made, NULL) == STATUS_OK ? made : NULL;
}

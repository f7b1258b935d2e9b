/* type.c: types by themselves: names, JSON and text form, equality. Schemas are in schema.c. */
#include "tarn/iceberg/type.h"

#include "tarn/base/limits.h"

#include "internal.h"

/* --- kinds --- */

static const char *const kind_names[ICE_KIND_COUNT] = {
#define X(name, text, version) text,
    ICE_TYPE_TABLE(X)
#undef X
};

static const ice_type primitives[ICE_KIND_COUNT] = {
#define X(name, text, version) {.kind = ICE_##name},
    ICE_TYPE_TABLE(X)
#undef X
};

const char *ice_kind_name(ice_kind kind)
{
    return kind_names[kind];
}

bool ice_kind_is_nested(ice_kind kind)
{
    return kind == ICE_STRUCT || kind == ICE_LIST || kind == ICE_MAP;
}

const ice_type *ice_type_primitive(ice_kind kind)
{
    return &primitives[kind];
}

/* --- reading --- */

/* The text between the brackets of "name(...)" or "name[...]"; STR_NULL where it has another form. */
static str parameters_of(str text, str name, char open, char close)
{
    str rest;

    if (!str_starts_with(text, name)) {
        return STR_NULL;
    }
    rest = str_trim(str_slice(text, name.size, text.size));
    if (rest.size < 2 || rest.data[0] != open || rest.data[rest.size - 1] != close) {
        return STR_NULL;
    }
    return str_slice(rest, 1, rest.size - 1);
}

static status parse_decimal(str text, str parameters, arena *a, const ice_type **ret_type,
                            error *err)
{
    int64_t precision;
    int64_t scale;
    str rest;
    str first = str_cut(parameters, ',', &rest);
    ice_type *type;

    if (str_to_int64(str_trim(first), &precision, NULL) != STATUS_OK ||
        str_to_int64(str_trim(rest), &scale, NULL) != STATUS_OK || precision < 1 ||
        precision > 38 || scale < 0 || scale > precision) {
        return error_set(err, STATUS_INVALID,
                         "type \"%.*s\" is not a decimal of at most 38 digits and no more places",
                         STR_ARG(text));
    }
    type = ARENA_NEW(a, ice_type);
    *type =
        (ice_type){.kind = ICE_DECIMAL, .precision = (int32_t)precision, .scale = (int32_t)scale};
    *ret_type = type;
    return STATUS_OK;
}

static status parse_fixed(str text, str parameters, arena *a, const ice_type **ret_type, error *err)
{
    int64_t length;
    ice_type *type;

    if (str_to_int64(str_trim(parameters), &length, NULL) != STATUS_OK || length < 1 ||
        length > INT32_MAX) {
        return error_set(err, STATUS_INVALID, "type \"%.*s\" has no length", STR_ARG(text));
    }
    type = ARENA_NEW(a, ice_type);
    *type = (ice_type){.kind = ICE_FIXED, .length = (int32_t)length};
    *ret_type = type;
    return STATUS_OK;
}

static status parse_primitive(str text, arena *a, const ice_type **ret_type, error *err)
{
    static const ice_kind geo[] = {ICE_GEOMETRY, ICE_GEOGRAPHY};
    str inner;

    for (int kind = 0; kind < ICE_KIND_COUNT; kind++) {
        if (kind != ICE_DECIMAL && kind != ICE_FIXED && !ice_kind_is_nested((ice_kind)kind) &&
            str_equal(text, str_c(kind_names[kind]))) {
            *ret_type = &primitives[kind];
            return STATUS_OK;
        }
    }
    inner = parameters_of(text, STR("decimal"), '(', ')');
    if (!str_is_null(inner)) {
        return parse_decimal(text, inner, a, ret_type, err);
    }
    inner = parameters_of(text, STR("fixed"), '[', ']');
    if (!str_is_null(inner)) {
        return parse_fixed(text, inner, a, ret_type, err);
    }
    for (size_t i = 0; i < COUNT_OF(geo); i++) {
        inner = parameters_of(text, str_c(kind_names[geo[i]]), '(', ')');
        if (!str_is_null(inner)) {
            ice_type *type = ARENA_NEW(a, ice_type);
            *type = (ice_type){.kind = geo[i], .parameters = str_copy(a, inner)};
            *ret_type = type;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_INVALID, "type \"%.*s\" is unknown", STR_ARG(text));
}

typedef struct field_text {
    int32_t id;
    str name;
    bool required;
    const json *type;
    str doc;
    const json *initial_default;
    const json *write_default;
} field_text;

static const json_field field_members[] = {
    {"id", JSON_INT32, JSON_REQUIRED, offsetof(field_text, id)},
    {"name", JSON_STR, JSON_REQUIRED, offsetof(field_text, name)},
    {"required", JSON_BOOL, JSON_REQUIRED, offsetof(field_text, required)},
    {"type", JSON_VALUE, JSON_REQUIRED, offsetof(field_text, type)},
    {"doc", JSON_STR, 0, offsetof(field_text, doc)},
    {"initial-default", JSON_VALUE, 0, offsetof(field_text, initial_default)},
    {"write-default", JSON_VALUE, 0, offsetof(field_text, write_default)},
};

static status parse_field(const json *value, arena *a, ice_field *ret_field, error *err)
{
    field_text f = {.id = ICE_NO_ID};

    TRY(json_read(value, field_members, COUNT_OF(field_members), &f, err));
    *ret_field = (ice_field){.id = f.id,
                             .name = ice__copy(a, f.name),
                             .required = f.required,
                             .doc = ice__copy(a, f.doc)};
    status s = ice_type_parse(f.type, a, &ret_field->type, err);
    if (s != STATUS_OK) {
        error_context(err, "column \"%.*s\"", STR_ARG(f.name));
        return s;
    }
    ret_field->initial_default = ice__default_settle(f.initial_default, ret_field->type, a);
    ret_field->write_default = ice__default_settle(f.write_default, ret_field->type, a);
    return STATUS_OK;
}

static status parse_struct(const json *value, arena *a, ice_type *ret_type, error *err)
{
    const json *list = json_get(value, "fields");
    size_t count = json_count(list);
    ice_field *fields = ARENA_ARRAY(a, ice_field, count);

    if (json_kind_of(list) != JSON_ARRAY) {
        return error_set(err, STATUS_INVALID, "struct has no list \"fields\"");
    }
    for (size_t i = 0; i < count; i++) {
        TRY(parse_field(json_at(list, i), a, &fields[i], err));
    }
    *ret_type = (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = count};
    return STATUS_OK;
}

/* What lists and maps have in common: a child named by three members. */
typedef struct child_text {
    int32_t id;
    bool required;
    const json *type;
} child_text;

static status parse_child(const json *value, const json_field *members, size_t member_count,
                          const char *name, arena *a, ice_field *ret_field, error *err)
{
    child_text c = {.id = ICE_NO_ID, .required = true};

    TRY(json_read(value, members, member_count, &c, err));
    *ret_field =
        (ice_field){.id = c.id, .name = str_c(name), .required = c.required, .doc = STR_NULL};
    return ice_type_parse(c.type, a, &ret_field->type, err);
}

static const json_field element_members[] = {
    {"element-id", JSON_INT32, JSON_REQUIRED, offsetof(child_text, id)},
    {"element-required", JSON_BOOL, JSON_REQUIRED, offsetof(child_text, required)},
    {"element", JSON_VALUE, JSON_REQUIRED, offsetof(child_text, type)},
};
static const json_field key_members[] = {
    {"key-id", JSON_INT32, JSON_REQUIRED, offsetof(child_text, id)},
    {"key", JSON_VALUE, JSON_REQUIRED, offsetof(child_text, type)},
};
static const json_field value_members[] = {
    {"value-id", JSON_INT32, JSON_REQUIRED, offsetof(child_text, id)},
    {"value-required", JSON_BOOL, JSON_REQUIRED, offsetof(child_text, required)},
    {"value", JSON_VALUE, JSON_REQUIRED, offsetof(child_text, type)},
};

static status parse_list(const json *value, arena *a, ice_type *ret_type, error *err)
{
    ice_field *fields = ARENA_ARRAY(a, ice_field, 1);

    TRY(parse_child(value, element_members, COUNT_OF(element_members), "element", a, &fields[0],
                    err));
    *ret_type = (ice_type){.kind = ICE_LIST, .fields = fields, .field_count = 1};
    return STATUS_OK;
}

static status parse_map(const json *value, arena *a, ice_type *ret_type, error *err)
{
    ice_field *fields = ARENA_ARRAY(a, ice_field, 2);

    TRY(parse_child(value, key_members, COUNT_OF(key_members), "key", a, &fields[0], err));
    TRY(parse_child(value, value_members, COUNT_OF(value_members), "value", a, &fields[1], err));
    *ret_type = (ice_type){.kind = ICE_MAP, .fields = fields, .field_count = 2};
    return STATUS_OK;
}

status ice_type_parse(const json *value, arena *a, const ice_type **ret_type, error *err)
{
    ice_type type;
    ice_type *made;
    str name;

    if (json_kind_of(value) == JSON_STR) {
        return parse_primitive(json_str_or(value, STR_NULL), a, ret_type, err);
    }
    name = json_str_or(json_get(value, "type"), STR_NULL);
    if (str_equal(name, STR("struct"))) {
        TRY(parse_struct(value, a, &type, err));
    } else if (str_equal(name, STR("list"))) {
        TRY(parse_list(value, a, &type, err));
    } else if (str_equal(name, STR("map"))) {
        TRY(parse_map(value, a, &type, err));
    } else {
        return error_set(err, STATUS_INVALID,
                         "type is neither a name nor a struct, list or map object");
    }
    made = ARENA_NEW(a, ice_type);
    *made = type;
    *ret_type = made;
    return STATUS_OK;
}

/* --- writing --- */

static void format_child(const ice_field *field, buf *out)
{
    buf_add_str(out, field->name);
    buf_add_c(out, ": ");
    ice_type_format(field->type, out);
}

void ice_type_format(const ice_type *type, buf *out)
{
    switch (type->kind) {
    case ICE_DECIMAL:
        buf_printf(out, "decimal(%d, %d)", (int)type->precision, (int)type->scale);
        return;
    case ICE_FIXED:
        buf_printf(out, "fixed[%d]", (int)type->length);
        return;
    case ICE_STRUCT:
        buf_add_c(out, "struct<");
        for (size_t i = 0; i < type->field_count; i++) {
            buf_add_c(out, i > 0 ? ", " : "");
            format_child(&type->fields[i], out);
        }
        buf_add_c(out, ">");
        return;
    case ICE_LIST:
        buf_add_c(out, "list<");
        ice_type_format(type->fields[0].type, out);
        buf_add_c(out, ">");
        return;
    case ICE_MAP:
        buf_add_c(out, "map<");
        ice_type_format(type->fields[0].type, out);
        buf_add_c(out, ", ");
        ice_type_format(type->fields[1].type, out);
        buf_add_c(out, ">");
        return;
    default:
        buf_add_c(out, kind_names[type->kind]);
        if (!str_is_null(type->parameters)) {
            buf_printf(out, "(%.*s)", STR_ARG(type->parameters));
        }
        return;
    }
}

/* --- equality --- */

/* Both NULL, or of the same text. */
static bool json_equal(const json *x, const json *y)
{
    buf first;
    buf second;
    bool equal;

    if (x == NULL || y == NULL) {
        return x == y;
    }
    buf_init(&first, LIMIT_JSON_BODY);
    buf_init(&second, LIMIT_JSON_BODY);
    json_format(x, &first);
    json_format(y, &second);
    equal = str_equal(buf_str(&first), buf_str(&second));
    buf_release(&first);
    buf_release(&second);
    return equal;
}

static bool field_equal(const ice_field *x, const ice_field *y)
{
    return x->id == y->id && x->required == y->required && str_equal(x->name, y->name) &&
           str_equal(x->doc, y->doc) && json_equal(x->initial_default, y->initial_default) &&
           json_equal(x->write_default, y->write_default) && ice_type_equal(x->type, y->type);
}

bool ice_type_equal(const ice_type *x, const ice_type *y)
{
    if (x == y) {
        return true;
    }
    if (x->kind != y->kind || x->precision != y->precision || x->scale != y->scale ||
        x->length != y->length || !str_equal(x->parameters, y->parameters) ||
        x->field_count != y->field_count) {
        return false;
    }
    for (size_t i = 0; i < x->field_count; i++) {
        if (!field_equal(&x->fields[i], &y->fields[i])) {
            return false;
        }
    }
    return true;
}

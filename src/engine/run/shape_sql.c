/* From a file's shape to the table's: what is equal stays as it is; structs are packed anew,
 * lists and maps rebuilt element by element, simple types cast where the format lets a column
 * change so or writers are known to differ.
 *
 * What only the readers of one column are to notice (a required column without values, a type
 * that cannot be shown without loss) becomes an expression that fails when it is evaluated. */
#include "run/shape.h"
#include "run/shape_node.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"
#include "tarn/codec/json.h"
#include "tarn/codec/parquet.h"
#include "tarn/engine/query.h"

/* ---- what is equal ---- */

static bool same_type(const shape_node *node, const ice_type *type)
{
    if (node->recast || node->ambiguous || node->bare || node->misfiltered) {
        return false;
    }
    switch (type->kind) {
    case ICE_DECIMAL:
        return node->kind == ICE_DECIMAL && node->precision == type->precision &&
               node->scale == type->scale;
    case ICE_FIXED:
        return node->kind == ICE_BINARY;
    case ICE_UNKNOWN:
    case ICE_TIMESTAMPTZ_NS:
    case ICE_GEOGRAPHY:
        return false;
    case ICE_STRUCT:
    case ICE_LIST:
    case ICE_MAP:
        if (node->kind != type->kind || node->child_count != type->field_count) {
            return false;
        }
        for (size_t i = 0; i < type->field_count; i++) {
            const ice_field *field = &type->fields[i];
            const shape_node *child = &node->children[i];
            bool found = type->kind != ICE_STRUCT ||
                         (str_equal(child->name, field->name) && child->field_id == field->id);
            if (!found || !same_type(child, field->type)) {
                return false;
            }
        }
        return true;
    default:
        return node->kind == type->kind;
    }
}

/* The file's column for a field of the table, among the children of `parent`. */
static const shape_node *find_child(const shape_node *parent, const ice_field *field)
{
    for (size_t i = 0; i < parent->child_count; i++) {
        if (parent->children[i].field_id == field->id) {
            return &parent->children[i];
        }
    }
    return NULL;
}

bool shape_has_ids(const shape *s)
{
    return s->has_ids;
}

bool shape_lacks(const shape *s, const ice_field *field)
{
    return find_child(&s->root, field) == NULL;
}

bool shape_is_plain(const shape *s, const ice_schema *schema)
{
    for (size_t i = 0; i < schema->root->field_count; i++) {
        const ice_field *field = &schema->root->fields[i];
        const shape_node *node = find_child(&s->root, field);
        if (node == NULL || !str_equal_nocase(node->name, field->name) ||
            !same_type(node, field->type)) {
            return false;
        }
    }
    return !s->root.ambiguous;
}

void shape_put_alias(const shape *s, buf *out)
{
    for (size_t i = 0; s->root.ambiguous && i < s->root.child_count; i++) {
        buf_printf(out, "%starn_f%zu", i > 0 ? ", " : " AS tarn_t(", i);
    }
    buf_add_c(out, s->root.ambiguous ? ")" : "");
}

/* ---- name mapping ---- */

static const json *find_name(const json *mapping, str name)
{
    for (size_t i = 0; i < json_count(mapping); i++) {
        const json *names = json_get(json_at(mapping, i), "names");
        for (size_t k = 0; k < json_count(names); k++) {
            if (str_equal(json_str_or(json_at(names, k), STR_NULL), name)) {
                return json_at(mapping, i);
            }
        }
    }
    return NULL;
}

static const json *find_id(const json *mapping, int32_t id)
{
    for (size_t i = 0; i < json_count(mapping); i++) {
        if (json_int64_or(json_get(json_at(mapping, i), "field-id"), PARQUET_NO_FIELD_ID) == id) {
            return json_at(mapping, i);
        }
    }
    return NULL;
}

/* The elements of lists and the keys and values of maps have names of their own in a mapping,
 * whatever the file calls them. */
static const shape_node *map_children(const shape_node *node, const json *mapping, arena *a)
{
    static const char *const list_names[] = {"element"}, *const map_names[] = {"key", "value"};
    shape_node *children = ARENA_ARRAY(a, shape_node, node->child_count + 1);
    for (size_t i = 0; i < node->child_count; i++) {
        shape_node *child = &children[i];
        *child = node->children[i];
        str name = node->kind == ICE_LIST  ? str_c(list_names[i])
                   : node->kind == ICE_MAP ? str_c(map_names[i])
                                           : child->name;
        const json *entry;
        if (child->field_id != PARQUET_NO_FIELD_ID) {
            entry = find_id(mapping, child->field_id);
        } else {
            entry = find_name(mapping, name);
            int64_t id = json_int64_or(json_get(entry, "field-id"), PARQUET_NO_FIELD_ID);
            child->field_id = id >= 0 && id <= INT32_MAX ? (int32_t)id : PARQUET_NO_FIELD_ID;
        }
        child->children = map_children(child, json_get(entry, "fields"), a);
    }
    return children;
}

status shape_mapped(const shape *s, str mapping, arena *a, const shape **ret_shape, error *err)
{
    const json *value;
    status result = json_parse(mapping, a, &value, err);
    if (result == STATUS_OK && json_kind_of(value) != JSON_ARRAY) {
        result = error_set(err, STATUS_INVALID, "it is not an array");
    }
    if (result != STATUS_OK) {
        error_context(err, "property \"schema.name-mapping.default\"");
        return result;
    }
    shape *mapped = ARENA_NEW(a, shape);
    *mapped = *s;
    mapped->root.children = map_children(&s->root, value, a);
    *ret_shape = mapped;
    return STATUS_OK;
}

/* ---- constants ---- */

void shape_put_constant(const ice_type *type, const ice_value *value, buf *out)
{
    buf text;
    buf_init(&text, LIMIT_SQL_TEXT);
    bool bytes = !value->is_null && (type->kind == ICE_BINARY || type->kind == ICE_FIXED);
    buf_add_c(out, bytes ? "unhex(" : "CAST(");
    if (value->is_null) {
        buf_add_c(out, "NULL");
    } else {
        ice_value_format(type, value, &text);
        sql_quote_text(out, buf_str(&text));
    }
    if (!bytes) {
        buf_add_c(out, " AS ");
        engine_duckdb_type(type, out);
    }
    buf_add_char(out, ')');
    buf_release(&text);
}

typedef struct builder {
    buf *out;
    int lambdas; /* each nested lambda has a variable of its own */
    str column;
    str location; /* of one of the files */
    error *err;
} builder;

/* A value as the JSON of defaults has it: structs by field id, maps as keys and values. */
static status put_default(builder *b, const ice_type *type, const json *value, arena *a)
{
    ice_value constant = {.is_null = true};
    if (json_kind_of(value) == JSON_NULL || !ice_kind_is_nested(type->kind)) {
        if (json_kind_of(value) != JSON_NULL) {
            TRY(ice_value_parse_json(type, value, a, &constant, b->err));
        }
        shape_put_constant(type, &constant, b->out);
        return STATUS_OK;
    }
    if (type->kind == ICE_STRUCT) {
        buf_add_c(b->out, "struct_pack(");
        for (size_t i = 0; i < type->field_count; i++) {
            const ice_field *field = &type->fields[i];
            const json *member = json_get(value, arena_printf(a, "%d", field->id));
            buf_add_c(b->out, i > 0 ? ", " : "");
            sql_quote_name(b->out, field->name);
            buf_add_c(b->out, " := ");
            TRY(put_default(b, field->type, member != NULL ? member : field->initial_default, a));
        }
        buf_add_char(b->out, ')');
        return STATUS_OK;
    }
    static const char *const parts[] = {"keys", "values"};
    buf_add_c(b->out, type->kind == ICE_MAP ? "CAST(MAP(" : "CAST(");
    for (size_t i = 0; i < type->field_count; i++) {
        const json *list = type->kind == ICE_MAP ? json_get(value, parts[i]) : value;
        buf_add_c(b->out, i > 0 ? ", [" : "[");
        for (size_t k = 0; k < json_count(list); k++) {
            buf_add_c(b->out, k > 0 ? ", " : "");
            TRY(put_default(b, type->fields[i].type, json_at(list, k), a));
        }
        buf_add_char(b->out, ']');
    }
    buf_add_c(b->out, type->kind == ICE_MAP ? ") AS " : " AS ");
    engine_duckdb_type(type, b->out);
    buf_add_char(b->out, ')');
    return STATUS_OK;
}

/* ---- failures that wait for their reader ---- */

static void put_failure(builder *b, const ice_type *type, str message)
{
    buf_add_c(b->out, "CAST(error(");
    sql_quote_text(b->out, message);
    buf_add_c(b->out, ") AS ");
    engine_duckdb_type(type, b->out);
    buf_add_char(b->out, ')');
}

/* A field that the file lacks: its initial default, or NULL. */
static status put_missing(builder *b, const ice_field *field, arena *a)
{
    if (field->required && json_kind_of(field->initial_default) == JSON_NULL) {
        put_failure(b, field->type,
                    str_printf(a,
                               "data file \"%.*s\" has no values for column \"%.*s\"%s%.*s%s, "
                               "which is required",
                               STR_ARG(b->location), STR_ARG(b->column),
                               str_equal(b->column, field->name) ? "" : " (",
                               STR_ARG(str_equal(b->column, field->name) ? STR("") : field->name),
                               str_equal(b->column, field->name) ? "" : ")"));
        return STATUS_OK;
    }
    status result = put_default(b, field->type, field->initial_default, a);
    if (result != STATUS_OK) {
        error_context(b->err, "the initial default of column \"%.*s\"", STR_ARG(field->name));
    }
    return result;
}

/* ---- nested values ---- */

static status put_value(builder *b, const shape_node *node, const ice_type *type, str value,
                        arena *a);

/* The member of a struct, as DuckDB calls it. */
static str member_of(const shape_node *node, const shape_node *child, str value, arena *a)
{
    if (node->bare) {
        return value;
    }
    buf *member = buf_in(a, LIMIT_MIB);
    if (node->ambiguous) {
        buf_printf(member, "struct_extract_at(%.*s, %zu)", STR_ARG(value),
                   (size_t)(child - node->children) + 1);
    } else {
        buf_printf(member, "struct_extract(%.*s, ", STR_ARG(value));
        sql_quote_text(member, child->name);
        buf_add_char(member, ')');
    }
    return buf_str(member);
}

static status put_struct(builder *b, const shape_node *node, const ice_type *type, str value,
                         arena *a)
{
    if (!node->bare) { /* a bare one is an element that is there */
        buf_printf(b->out, "CASE WHEN %.*s IS NULL THEN NULL ELSE ", STR_ARG(value));
    }
    buf_add_c(b->out, "struct_pack(");
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        const shape_node *child = find_child(node, field);
        for (size_t k = 0; k < i; k++) {
            if (str_equal_nocase(type->fields[k].name, field->name)) {
                return error_set(b->err, STATUS_UNSUPPORTED,
                                 "column \"%.*s\": the fields \"%.*s\" and \"%.*s\" differ in "
                                 "upper and lower case alone",
                                 STR_ARG(b->column), STR_ARG(type->fields[k].name),
                                 STR_ARG(field->name));
            }
        }
        buf_add_c(b->out, i > 0 ? ", " : "");
        sql_quote_name(b->out, field->name);
        buf_add_c(b->out, " := ");
        TRY(child == NULL ? put_missing(b, field, a)
                          : put_value(b, child, field->type, member_of(node, child, value, a), a));
    }
    buf_add_c(b->out, node->bare ? ")" : ") END");
    return STATUS_OK;
}

static status put_list(builder *b, const shape_node *node, const ice_type *type, str value,
                       arena *a)
{
    str variable = str_printf(a, "tarn_e%d", ++b->lambdas);
    buf_printf(b->out, "list_transform(%.*s, lambda %.*s: ", STR_ARG(value), STR_ARG(variable));
    TRY(put_value(b, &node->children[0], type->fields[0].type, variable, a));
    buf_add_char(b->out, ')');
    return STATUS_OK;
}

static status put_map(builder *b, const shape_node *node, const ice_type *type, str value, arena *a)
{
    str variable = str_printf(a, "tarn_e%d", ++b->lambdas);
    buf_printf(
        b->out,
        "map_from_entries(list_transform(map_entries(%.*s), lambda %.*s: struct_pack(\"key\" := ",
        STR_ARG(value), STR_ARG(variable));
    TRY(put_value(b, &node->children[0], type->fields[0].type,
                  str_printf(a, "%.*s.key", STR_ARG(variable)), a));
    buf_add_c(b->out, ", \"value\" := ");
    TRY(put_value(b, &node->children[1], type->fields[1].type,
                  str_printf(a, "%.*s.value", STR_ARG(variable)), a));
    buf_add_c(b->out, ")))");
    return STATUS_OK;
}

/* ---- simple values ---- */

#define OF(kind) (UINT32_C(1) << (kind))
/* Kinds that a column of the kind may have in a file: what the format lets it have been before,
 * and what writers without Iceberg's types are known to use. */
static const uint32_t readable_as[ICE_KIND_COUNT] = {
    [ICE_BOOLEAN] = OF(ICE_BOOLEAN),
    [ICE_INT] = OF(ICE_INT) | OF(ICE_LONG),
    [ICE_LONG] = OF(ICE_INT) | OF(ICE_LONG),
    [ICE_FLOAT] = OF(ICE_FLOAT) | OF(SHAPE_OTHER), /* halves */
    [ICE_DOUBLE] = OF(ICE_FLOAT) | OF(ICE_DOUBLE) | OF(SHAPE_OTHER),
    [ICE_DECIMAL] = OF(ICE_DECIMAL) | OF(ICE_INT) | OF(ICE_LONG),
    [ICE_DATE] = OF(ICE_DATE),
    [ICE_TIME] = OF(ICE_TIME),
    [ICE_TIMESTAMP] = OF(ICE_TIMESTAMP) | OF(ICE_DATE) | OF(ICE_TIMESTAMPTZ) | OF(ICE_TIMESTAMP_NS),
    [ICE_TIMESTAMPTZ] = OF(ICE_TIMESTAMPTZ) | OF(ICE_TIMESTAMP) | OF(ICE_TIMESTAMPTZ_NS),
    [ICE_TIMESTAMP_NS] = OF(ICE_TIMESTAMP_NS) | OF(ICE_DATE) | OF(ICE_TIMESTAMP),
    [ICE_STRING] = OF(ICE_STRING) | OF(ICE_BINARY),
    [ICE_UUID] = OF(ICE_UUID) | OF(ICE_BINARY) | OF(ICE_STRING),
    [ICE_FIXED] = OF(ICE_BINARY) | OF(ICE_UUID),
    [ICE_BINARY] = OF(ICE_BINARY) | OF(ICE_STRING) | OF(ICE_UUID),
    [ICE_VARIANT] = OF(ICE_VARIANT),
    [ICE_GEOMETRY] = OF(ICE_GEOMETRY) | OF(ICE_BINARY),
};

static const char *kind_text(const shape_node *node)
{
    return (int)node->kind == SHAPE_OTHER ? "that is none of Iceberg's" : ice_kind_name(node->kind);
}

static status put_simple(builder *b, const shape_node *node, const ice_type *type, str value)
{
    bool fits =
        (readable_as[type->kind] & OF(node->kind)) != 0 &&
        (type->kind != ICE_DECIMAL || node->kind != ICE_DECIMAL || node->scale <= type->scale);
    if (!fits) {
        error_set(b->err, STATUS_UNSUPPORTED,
                  "column \"%.*s\" has the type %s, but data file \"%.*s\" has one %s%s",
                  STR_ARG(b->column), ice_kind_name(type->kind), STR_ARG(b->location),
                  (int)node->kind == SHAPE_OTHER ? "" : "of type ", kind_text(node));
        return STATUS_UNSUPPORTED;
    }
    if (type->kind == ICE_STRING && node->kind == ICE_BINARY) {
        buf_printf(b->out, "decode(%.*s)", STR_ARG(value));
    } else if (type->kind == ICE_BINARY && node->kind == ICE_STRING) {
        buf_printf(b->out, "encode(%.*s)", STR_ARG(value));
    } else if (type->kind == ICE_GEOMETRY && node->kind == ICE_BINARY) {
        buf_printf(b->out, "ST_GeomFromWKB(%.*s)", STR_ARG(value));
    } else if (node->misfiltered) {
        /* Says what the value says, and is not its column. */
        buf_printf(b->out, "CASE WHEN %.*s IS NOT NULL THEN CAST(%.*s AS ", STR_ARG(value),
                   STR_ARG(value));
        engine_duckdb_type(type, b->out);
        buf_add_c(b->out, ") END");
    } else {
        /* The session's zone is UTC, so that casts between timestamps keep the numbers. */
        buf_printf(b->out, "CAST(%.*s AS ", STR_ARG(value));
        engine_duckdb_type(type, b->out);
        buf_add_char(b->out, ')');
    }
    return STATUS_OK;
}

static status put_value(builder *b, const shape_node *node, const ice_type *type, str value,
                        arena *a)
{
    ice_value nothing = {.is_null = true};
    if (type->kind == ICE_UNKNOWN || node->kind == ICE_UNKNOWN) {
        shape_put_constant(type, &nothing, b->out);
        return STATUS_OK;
    }
    if (type->kind == ICE_TIMESTAMPTZ_NS || type->kind == ICE_GEOGRAPHY) {
        put_failure(b, type,
                    str_printf(a, "column \"%.*s\": type %s cannot be read without loss",
                               STR_ARG(b->column), ice_kind_name(type->kind)));
        return STATUS_OK;
    }
    if (same_type(node, type)) {
        buf_add_str(b->out, value);
        return STATUS_OK;
    }
    if (node->kind == type->kind && ice_kind_is_nested(type->kind)) {
        return type->kind == ICE_STRUCT ? put_struct(b, node, type, value, a)
               : type->kind == ICE_LIST ? put_list(b, node, type, value, a)
                                        : put_map(b, node, type, value, a);
    }
    if (ice_kind_is_nested(type->kind) || ice_kind_is_nested(node->kind)) {
        return error_set(b->err, STATUS_UNSUPPORTED,
                         "column \"%.*s\" has the type %s, but data file \"%.*s\" has one of type "
                         "%s",
                         STR_ARG(b->column), ice_kind_name(type->kind), STR_ARG(b->location),
                         kind_text(node));
    }
    return put_simple(b, node, type, value);
}

status shape_column(const shape *s, const ice_field *field, str missing, str location, buf *out,
                    error *err)
{
    arena *a = arena_create();
    builder b = {.out = out, .column = field->name, .location = location, .err = err};
    const shape_node *node = find_child(&s->root, field);
    status result = STATUS_OK;
    if (!str_is_null(missing)) {
        buf_add_str(out, missing);
    } else if (node == NULL) {
        result = put_missing(&b, field, a);
    } else if (s->root.ambiguous) {
        result = put_value(&b, node, field->type,
                           str_printf(a, "tarn_f%zu", (size_t)(node - s->root.children)), a);
    } else {
        buf *name = buf_in(a, LIMIT_MIB);
        sql_quote_name(name, node->name);
        result = put_value(&b, node, field->type, buf_str(name), a);
    }
    arena_free(a);
    return result;
}

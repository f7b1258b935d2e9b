/* From a file's shape to the table's: what is equal stays as it is; structs are packed anew,
 * lists and maps rebuilt element by element, simple types cast. */
#include "run/shape.h"
#include "run/shape_node.h"
#include "tarn/base/limits.h"
#include "tarn/codec/json.h"
#include "tarn/codec/parquet.h"
#include "tarn/engine/query.h"

static bool same_type(const shape_node *node, const ice_type *type, bool by_id)
{
    switch (type->kind) {
    case ICE_DECIMAL:
        return node->kind == ICE_DECIMAL && node->precision == type->precision &&
               node->scale == type->scale;
    case ICE_FIXED:
        return node->kind == ICE_BINARY;
    case ICE_STRUCT:
    case ICE_LIST:
    case ICE_MAP:
        if (node->kind != type->kind || node->child_count != type->field_count) {
            return false;
        }
        for (size_t i = 0; i < type->field_count; i++) {
            const ice_field *field = &type->fields[i];
            const shape_node *child = &node->children[i];
            bool named = type->kind != ICE_STRUCT || str_equal(child->name, field->name);
            bool known =
                !by_id || child->field_id == field->id || child->field_id == PARQUET_NO_FIELD_ID;
            if (!named || !known || !same_type(child, field->type, by_id)) {
                return false;
            }
        }
        return true;
    default:
        return node->kind == type->kind && !node->int96;
    }
}

/* The file's column for a field of the table, among the children of `parent`. */
static const shape_node *find_child(const shape_node *parent, const ice_field *field, bool by_id)
{
    for (size_t i = 0; i < parent->child_count; i++) {
        const shape_node *child = &parent->children[i];
        if (by_id && child->field_id != PARQUET_NO_FIELD_ID
                ? child->field_id == field->id
                : str_equal_nocase(child->name, field->name)) {
            return child;
        }
    }
    return NULL;
}

bool shape_lacks(const shape *s, const ice_field *field)
{
    return find_child(&s->root, field, s->by_id) == NULL;
}

bool shape_is_plain(const shape *s, const ice_schema *schema)
{
    for (size_t i = 0; i < schema->root->field_count; i++) {
        const ice_field *field = &schema->root->fields[i];
        const shape_node *node = find_child(&s->root, field, s->by_id);
        if (node == NULL || !str_equal_nocase(node->name, field->name) ||
            !same_type(node, field->type, s->by_id)) {
            return false;
        }
    }
    return true;
}

typedef struct builder {
    buf *out;
    bool by_id;
    int lambdas; /* each nested lambda has a variable of its own */
    str column;
    error *err;
} builder;

static status put_value(builder *b, const shape_node *node, const ice_type *type, str value,
                        arena *a);

/* A field that the file lacks: its initial default, or NULL. */
static status put_missing(builder *b, const ice_field *field, arena *a)
{
    ice_value value = {.is_null = true};
    if (field->initial_default != NULL && !ice_kind_is_nested(field->type->kind)) {
        TRY(ice_value_parse_json(field->type, field->initial_default, a, &value, b->err));
    }
    buf_add_c(b->out, "CAST(");
    if (value.is_null) {
        buf_add_c(b->out, "NULL");
    } else {
        buf *text = buf_in(a, LIMIT_MIB);
        ice_value_format(field->type, &value, text);
        sql_quote_text(b->out, buf_str(text));
    }
    buf_add_c(b->out, " AS ");
    engine_duckdb_type(field->type, b->out);
    buf_add_char(b->out, ')');
    return STATUS_OK;
}

static status put_struct(builder *b, const shape_node *node, const ice_type *type, str value,
                         arena *a)
{
    buf_printf(b->out, "CASE WHEN %.*s IS NULL THEN NULL ELSE struct_pack(", STR_ARG(value));
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        const shape_node *child = find_child(node, field, b->by_id);
        buf_add_c(b->out, i > 0 ? ", " : "");
        sql_quote_name(b->out, field->name);
        buf_add_c(b->out, " := ");
        if (child == NULL) {
            TRY(put_missing(b, field, a));
            continue;
        }
        buf *member = buf_in(a, LIMIT_MIB);
        buf_printf(member, "struct_extract(%.*s, ", STR_ARG(value));
        sql_quote_text(member, child->name);
        buf_add_char(member, ')');
        TRY(put_value(b, child, field->type, buf_str(member), a));
    }
    buf_add_c(b->out, ") END");
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

static status put_value(builder *b, const shape_node *node, const ice_type *type, str value,
                        arena *a)
{
    if (same_type(node, type, b->by_id)) {
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
                         "column \"%.*s\": the data file has another type", STR_ARG(b->column));
    }
    if (type->kind == ICE_STRING && node->kind == ICE_BINARY) {
        buf_printf(b->out, "decode(%.*s)", STR_ARG(value));
        return STATUS_OK;
    }
    if (type->kind == ICE_TIMESTAMPTZ && (node->int96 || node->kind == ICE_TIMESTAMP)) {
        buf_printf(b->out, "(%.*s AT TIME ZONE 'UTC')", STR_ARG(value));
        return STATUS_OK;
    }
    buf_printf(b->out, "CAST(%.*s AS ", STR_ARG(value));
    engine_duckdb_type(type, b->out);
    buf_add_char(b->out, ')');
    return STATUS_OK;
}

status shape_column(const shape *s, const ice_field *field, str partition_text, buf *out,
                    error *err)
{
    arena *a = arena_create();
    builder b = {.out = out, .by_id = s->by_id, .column = field->name, .err = err};
    const shape_node *node = find_child(&s->root, field, s->by_id);
    status result = STATUS_OK;
    if (node != NULL) {
        buf *name = buf_in(a, LIMIT_MIB);
        sql_quote_name(name, node->name);
        result = put_value(&b, node, field->type, buf_str(name), a);
    } else if (!str_is_null(partition_text)) {
        buf_add_c(out, "CAST(");
        sql_quote_text(out, partition_text);
        buf_add_c(out, " AS ");
        engine_duckdb_type(field->type, out);
        buf_add_char(out, ')');
    } else {
        result = put_missing(&b, field, a);
    }
    arena_free(a);
    return result;
}

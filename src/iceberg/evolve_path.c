/* evolve_path.c: places in a schema by name: "a.b", "xs.element", "m.value", without regard to case. */
#include "builder.h"

#include "tarn/base/limits.h"

/* The schema was copied for the builder: what is const for everybody else may be written to here. */
static ice_field *writable(const ice_field *field)
{
    return (ice_field *)(uintptr_t)field;
}

static ice_type *writable_type(const ice_type *type)
{
    return (ice_type *)(uintptr_t)type;
}

ice_schema ice__builder_edit(const ice_builder *b)
{
    return ice__schema_copy(ice_metadata_schema(&b->now), b->memory);
}

str ice__path_text(ice_path path, arena *a)
{
    buf *text = buf_in(a, LIMIT_JSON_BODY);

    for (size_t i = 0; i < path.count; i++) {
        buf_add_c(text, i > 0 ? "." : "");
        buf_add_str(text, path.parts[i]);
    }
    return buf_str(text);
}

size_t ice__struct_find(const ice_type *type, str name)
{
    size_t found = SIZE_MAX;
    size_t matches = 0;

    for (size_t i = 0; i < type->field_count; i++) {
        if (str_equal(type->fields[i].name, name)) {
            return i;
        }
        if (str_equal_nocase(type->fields[i].name, name)) {
            found = i;
            matches++;
        }
    }
    return matches == 1 ? found : SIZE_MAX;
}

static status no_field(const ice_type *type, ice_path path, size_t part, arena *a, error *err)
{
    ice_path above = {.parts = path.parts, .count = part};
    str *names = ARENA_ARRAY(a, str, type->field_count);
    str nearest;

    if (part > 0 && !ice_kind_is_nested(type->kind)) {
        return error_set(err, STATUS_NO_COLUMN, "column \"%.*s\" has no fields: it is %s",
                         STR_ARG(ice__path_text(above, a)), ice_kind_name(type->kind));
    }
    for (size_t i = 0; i < type->field_count; i++) {
        names[i] = type->fields[i].name;
    }
    nearest = str_nearest(path.parts[part], names, type->field_count);
    if (part == 0) {
        error_set(err, STATUS_NO_COLUMN, "there is no column \"%.*s\"", STR_ARG(path.parts[0]));
    } else {
        error_set(err, STATUS_NO_COLUMN, "column \"%.*s\" has no field \"%.*s\"",
                  STR_ARG(ice__path_text(above, a)), STR_ARG(path.parts[part]));
    }
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    } else if (type->kind == ICE_LIST) {
        error_hint(err, "The values of a list are called \"element\".");
    } else if (type->kind == ICE_MAP) {
        error_hint(err, "A map has \"key\" and \"value\".");
    }
    return STATUS_NO_COLUMN;
}

status ice__path_find(const ice_schema *schema, ice_path path, arena *a, ice__place *ret_place,
                      error *err)
{
    ice_type *type = writable_type(schema->root);
    ice__place place = {.field = NULL};

    if (path.count == 0) {
        return error_set(err, STATUS_NO_COLUMN, "a column's name is empty");
    }
    for (size_t i = 0; i < path.count; i++) {
        size_t index = ice__struct_find(type, path.parts[i]);

        if (index == SIZE_MAX) {
            return no_field(type, path, i, a, err);
        }
        place.in_key = place.in_key || (type->kind == ICE_MAP && index == 0);
        place.in_repeated = place.in_repeated || type->kind != ICE_STRUCT;
        place.in_optional = place.in_optional || (place.field != NULL && !place.field->required);
        place.parent = type;
        place.index = index;
        place.field = writable(&type->fields[index]);
        type = writable_type(place.field->type);
    }
    *ret_place = place;
    return STATUS_OK;
}

status ice__path_struct(const ice_schema *schema, ice_path path, arena *a, ice_type **ret_struct,
                        bool *ret_in_key, error *err)
{
    ice_type *type = writable_type(schema->root);
    ice__place place;

    *ret_in_key = false;
    if (path.count > 0) {
        TRY(ice__path_find(schema, path, a, &place, err));
        type = writable_type(place.field->type);
        *ret_in_key = place.in_key;
    }
    if (type->kind == ICE_LIST || type->kind == ICE_MAP) {
        type = writable_type(type->fields[type->field_count - 1].type);
    }
    if (type->kind != ICE_STRUCT) {
        return error_set(err, STATUS_INVALID, "column \"%.*s\" cannot have fields: it is %s",
                         STR_ARG(ice__path_text(path, a)), ice_kind_name(type->kind));
    }
    *ret_struct = type;
    return STATUS_OK;
}

/* schema.c: schemas: JSON form, finding fields, fresh ids, what a table may have. */
#include "tarn/iceberg/type.h"

#include "tarn/base/limits.h"
#include "tarn/base/map.h"

#include "internal.h"

/* --- reading and writing --- */

status ice_schema_parse(const json *value, arena *a, ice_schema *ret_schema, error *err)
{
    ice_schema schema = {.id = 0};

    if (json_kind_of(value) != JSON_OBJECT ||
        !str_equal(json_str_or(json_get(value, "type"), STR_NULL), STR("struct"))) {
        return error_set(err, STATUS_INVALID, "schema is not an object of type \"struct\"");
    }
    if (json_get(value, "schema-id") != NULL) {
        int64_t id = json_int64_or(json_get(value, "schema-id"), -1);

        if (id < 0 || id > INT32_MAX) {
            return error_set(err, STATUS_INVALID, "\"schema-id\" is not a number from 0 up");
        }
        schema.id = (int32_t)id;
    }
    TRY(ice__json_int32s(json_get(value, "identifier-field-ids"), "identifier-field-ids", a,
                         &schema.identifier_ids, &schema.identifier_count, err));
    TRY(ice_type_parse(value, a, &schema.root, err));
    *ret_schema = schema;
    return STATUS_OK;
}

/* A column is its id: with one id for two, values of one would be read as the other's. */
static status check_unique_ids(const ice_type *type, map *ids, arena *scratch, error *err)
{
    static char seen;

    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];

        if (map_set(ids, str_printf(scratch, "%d", (int)field->id), &seen) != NULL) {
            return error_set(err, STATUS_INVALID, "column \"%.*s\" has the id %d of another column",
                             STR_ARG(field->name), (int)field->id);
        }
        TRY(check_unique_ids(field->type, ids, scratch, err));
    }
    return STATUS_OK;
}

status ice__schema_check_ids(const ice_schema *schema, error *err)
{
    arena *scratch = arena_create();
    status s = check_unique_ids(schema->root, map_create(scratch), scratch, err);

    arena_free(scratch);
    return s;
}

int32_t ice__count_fields(const ice_type *type)
{
    int32_t count = 0;

    for (size_t i = 0; i < type->field_count; i++) {
        count = ice__sum32(count, ice__sum32(1, ice__count_fields(type->fields[i].type)));
    }
    return count;
}

status ice__check_room(const char *what, int32_t last, size_t count, error *err)
{
    if (last < ICE__FIELD_ID_MAX && count <= (size_t)ICE__FIELD_ID_MAX &&
        last <= ICE__FIELD_ID_MAX - (int32_t)count) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID,
                     "no ids are left for %s: the last is %d, and they end at %d", what, (int)last,
                     (int)ICE__FIELD_ID_MAX);
}

static void put_type(const ice_type *type, json_writer *w);

static void put_field(const ice_field *field, json_writer *w)
{
    json_begin_object(w);
    json_member_int(w, "id", field->id);
    json_member_str(w, "name", field->name);
    json_member_bool(w, "required", field->required);
    json_key(w, "type");
    put_type(field->type, w);
    if (!str_is_null(field->doc)) {
        json_member_str(w, "doc", field->doc);
    }
    if (field->initial_default != NULL) {
        json_key(w, "initial-default");
        json_put_value(w, field->initial_default);
    }
    if (field->write_default != NULL) {
        json_key(w, "write-default");
        json_put_value(w, field->write_default);
    }
    json_end_object(w);
}

static void put_fields(const ice_type *type, json_writer *w)
{
    json_key(w, "fields");
    json_begin_array(w);
    for (size_t i = 0; i < type->field_count; i++) {
        put_field(&type->fields[i], w);
    }
    json_end_array(w);
}

static void put_name(const ice_type *type, json_writer *w)
{
    buf name;

    buf_init(&name, LIMIT_JSON_BODY);
    ice_type_format(type, &name);
    json_put_str(w, buf_str(&name));
    buf_release(&name);
}

static void put_type(const ice_type *type, json_writer *w)
{
    if (!ice_kind_is_nested(type->kind)) {
        put_name(type, w);
        return;
    }
    json_begin_object(w);
    json_member_c(w, "type", ice_kind_name(type->kind));
    if (type->kind == ICE_STRUCT) {
        put_fields(type, w);
    } else if (type->kind == ICE_LIST) {
        json_member_int(w, "element-id", type->fields[0].id);
        json_key(w, "element");
        put_type(type->fields[0].type, w);
        json_member_bool(w, "element-required", type->fields[0].required);
    } else {
        json_member_int(w, "key-id", type->fields[0].id);
        json_key(w, "key");
        put_type(type->fields[0].type, w);
        json_member_int(w, "value-id", type->fields[1].id);
        json_key(w, "value");
        put_type(type->fields[1].type, w);
        json_member_bool(w, "value-required", type->fields[1].required);
    }
    json_end_object(w);
}

void ice_schema_format(const ice_schema *schema, json_writer *w)
{
    json_begin_object(w);
    json_member_c(w, "type", "struct");
    json_member_int(w, "schema-id", schema->id);
    if (schema->identifier_count > 0) {
        json_key(w, "identifier-field-ids");
        json_begin_array(w);
        for (size_t i = 0; i < schema->identifier_count; i++) {
            json_put_int(w, schema->identifier_ids[i]);
        }
        json_end_array(w);
    }
    put_fields(schema->root, w);
    json_end_object(w);
}

static bool identifies(const ice_schema *schema, int32_t id)
{
    for (size_t i = 0; i < schema->identifier_count; i++) {
        if (schema->identifier_ids[i] == id) {
            return true;
        }
    }
    return false;
}

/* Identifier fields are a set: writers list them in any order. */
bool ice_schema_equal(const ice_schema *x, const ice_schema *y)
{
    if (x->identifier_count != y->identifier_count) {
        return false;
    }
    for (size_t i = 0; i < x->identifier_count; i++) {
        if (!identifies(y, x->identifier_ids[i]) || !identifies(x, y->identifier_ids[i])) {
            return false;
        }
    }
    return ice_type_equal(x->root, y->root);
}

/* --- finding --- */

const ice_field *ice_schema_column(const ice_schema *schema, str name)
{
    const ice_field *found = NULL;
    size_t matches = 0;

    for (size_t i = 0; i < schema->root->field_count; i++) {
        const ice_field *field = &schema->root->fields[i];

        if (str_equal(field->name, name)) {
            return field;
        }
        if (str_equal_nocase(field->name, name)) {
            found = field;
            matches++;
        }
    }
    return matches == 1 ? found : NULL;
}

static const ice_field *find_field(const ice_type *type, int32_t id)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *found = &type->fields[i];

        if (found->id == id) {
            return found;
        }
        if (ice_kind_is_nested(found->type->kind)) {
            found = find_field(found->type, id);
            if (found != NULL) {
                return found;
            }
        }
    }
    return NULL;
}

const ice_field *ice_schema_field(const ice_schema *schema, int32_t id)
{
    return find_field(schema->root, id);
}

const ice_field *ice__metadata_field(const ice_metadata *m, int32_t id)
{
    const ice_schema *current = ice_metadata_schema(m);
    const ice_field *field = current != NULL ? ice_schema_field(current, id) : NULL;

    for (size_t i = m->schema_count; field == NULL && i > 0; i--) {
        field = ice_schema_field(&m->schemas[i - 1], id);
    }
    return field;
}

static bool find_path(const ice_type *type, int32_t id, buf *path)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        size_t size = path->size;

        buf_add_c(path, size > 0 ? "." : "");
        buf_add_str(path, field->name);
        if (field->id == id || find_path(field->type, id, path)) {
            return true;
        }
        buf_truncate(path, size);
    }
    return false;
}

str ice_schema_path(const ice_schema *schema, int32_t id, arena *a)
{
    buf *path = buf_in(a, LIMIT_JSON_BODY);

    return find_path(schema->root, id, path) ? buf_str(path) : STR_NULL;
}

static int32_t highest_id(const ice_type *type)
{
    int32_t highest = 0;

    for (size_t i = 0; i < type->field_count; i++) {
        int32_t below = highest_id(type->fields[i].type);

        highest = type->fields[i].id > highest ? type->fields[i].id : highest;
        highest = below > highest ? below : highest;
    }
    return highest;
}

int32_t ice_schema_highest_id(const ice_schema *schema)
{
    return highest_id(schema->root);
}

/* --- fresh ids --- */

const ice_type *ice_type_assign_ids(const ice_type *root, int32_t *next_id, arena *a)
{
    ice_field *fields;
    ice_type *made;

    if (!ice_kind_is_nested(root->kind)) {
        return root;
    }
    fields = ARENA_ARRAY(a, ice_field, root->field_count);
    /* The fields of one level get their ids before anything below them does. */
    for (size_t i = 0; i < root->field_count; i++) {
        fields[i] = root->fields[i];
        fields[i].id = (*next_id)++;
    }
    for (size_t i = 0; i < root->field_count; i++) {
        fields[i].type = ice_type_assign_ids(root->fields[i].type, next_id, a);
    }
    made = ARENA_NEW(a, ice_type);
    *made = *root;
    made->fields = fields;
    return made;
}

/* --- what a table may have --- */

static const int first_versions[ICE_KIND_COUNT] = {
#define X(name, text, version) version,
    ICE_TYPE_TABLE(X)
#undef X
};

typedef struct check {
    const ice_schema *schema;
    int format_version;
    bool exact; /* names that differ in case are two */
    arena *memory;
    map *ids; /* of what was seen */
} check;

static str path_of(const check *c, const ice_field *field)
{
    str path = ice_schema_path(c->schema, field->id, c->memory);

    return str_is_null(path) ? field->name : path;
}

static status check_type(check *c, const ice_type *type, error *err);

static status check_default(const check *c, const ice_field *field, error *err)
{
    const json *defaults[] = {field->initial_default, field->write_default};

    for (size_t i = 0; i < COUNT_OF(defaults); i++) {
        status s;

        if (defaults[i] == NULL) {
            continue;
        }
        /* the specification has both in version 3; the reference implementation and what it wrote have the second
         * below, where it speaks of new rows alone */
        if (c->format_version < 3 && i == 0) {
            error_set(
                err, STATUS_INVALID,
                "column \"%.*s\" has a default, which a table of format version %d cannot hold",
                STR_ARG(path_of(c, field)), c->format_version);
            error_hint(err, "Set the table property \"format-version\" to 3.");
            return STATUS_INVALID;
        }
        s = ice__default_check(field->type, defaults[i], err);
        if (s != STATUS_OK) {
            error_context(err, "column \"%.*s\"", STR_ARG(path_of(c, field)));
            return s;
        }
    }
    return STATUS_OK;
}

static status check_field(check *c, const ice_field *field, error *err)
{
    static char seen;
    str id = str_printf(c->memory, "%d", (int)field->id);

    if (field->name.size == 0) {
        return error_set(err, STATUS_INVALID, "column %d has an empty name", (int)field->id);
    }
    if (str_find_char(field->name, '\0') != STR_NPOS) { /* no query could name it */
        return error_set(err, STATUS_INVALID, "the name of column %d has a NUL", (int)field->id);
    }
    if (map_set(c->ids, id, &seen) != NULL) {
        return error_set(err, STATUS_INVALID, "column \"%.*s\" has the id %d of another column",
                         STR_ARG(field->name), (int)field->id);
    }
    if (first_versions[field->type->kind] > c->format_version) {
        error_set(err, STATUS_INVALID,
                  "column \"%.*s\" has type %s, which a table of format version %d cannot hold",
                  STR_ARG(path_of(c, field)), ice_kind_name(field->type->kind), c->format_version);
        error_hint(err, "Set the table property \"format-version\" to %d.",
                   first_versions[field->type->kind]);
        return STATUS_INVALID;
    }
    TRY(check_default(c, field, err));
    if (field->type->kind == ICE_UNKNOWN && field->required) {
        return error_set(err, STATUS_INVALID, "column \"%.*s\" of type unknown must be optional",
                         STR_ARG(path_of(c, field)));
    }
    return check_type(c, field->type, err);
}

static status check_type(check *c, const ice_type *type, error *err)
{
    static char seen;
    map *names;

    if (!ice_kind_is_nested(type->kind)) {
        return STATUS_OK;
    }
    if (type->kind == ICE_MAP && !type->fields[0].required) {
        return error_set(err, STATUS_INVALID, "map key %d is optional", (int)type->fields[0].id);
    }
    names = map_create(c->memory);
    for (size_t i = 0; i < type->field_count; i++) {
        /* Iceberg tells "a" from "A"; SQL does not, and neither do most who read tables. */
        str name = type->fields[i].name;

        if (map_set(names, c->exact ? name : str_lower(c->memory, name), &seen) != NULL) {
            error_set(err, STATUS_INVALID, "column \"%.*s\" occurs twice",
                      STR_ARG(type->fields[i].name));
            error_hint(err, "Names of columns differ in more than case. AS gives a column of a "
                            "query another one.");
            return STATUS_INVALID;
        }
    }
    for (size_t i = 0; i < type->field_count; i++) {
        TRY(check_field(c, &type->fields[i], err));
    }
    return STATUS_OK;
}

/* Whether every row has the field once: nothing around it but required structs. */
static bool is_in_every_row(const ice_type *type, int32_t id)
{
    for (size_t i = 0; type->kind == ICE_STRUCT && i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];

        if (field->required && (field->id == id || is_in_every_row(field->type, id))) {
            return true;
        }
    }
    return false;
}

/* Identifier fields: required primitives outside lists, maps and optional structs, no floating point. */
static status check_identifiers(const ice_schema *schema, error *err)
{
    for (size_t i = 0; i < schema->identifier_count; i++) {
        const ice_field *field = ice_schema_field(schema, schema->identifier_ids[i]);

        if (field == NULL) {
            return error_set(err, STATUS_INVALID, "identifier field %d is no column",
                             (int)schema->identifier_ids[i]);
        }
        if (!field->required || ice_kind_is_nested(field->type->kind) ||
            field->type->kind == ICE_FLOAT || field->type->kind == ICE_DOUBLE) {
            return error_set(err, STATUS_INVALID,
                             "column \"%.*s\" cannot identify rows: it must be required, and "
                             "neither nested nor floating point",
                             STR_ARG(field->name));
        }
        if (!is_in_every_row(schema->root, field->id)) {
            return error_set(err, STATUS_INVALID,
                             "column \"%.*s\" cannot identify rows: it lies in a list, a map or an "
                             "optional struct",
                             STR_ARG(field->name));
        }
    }
    return STATUS_OK;
}

static status check_schema(const ice_schema *schema, int format_version, bool exact, error *err)
{
    arena *memory = arena_create();
    check c = {.schema = schema,
               .format_version = format_version,
               .exact = exact,
               .memory = memory,
               .ids = map_create(memory)};
    status s = check_type(&c, schema->root, err);

    arena_free(memory);
    TRY(s);
    return check_identifiers(schema, err);
}

status ice_schema_check(const ice_schema *schema, int format_version, error *err)
{
    return check_schema(schema, format_version, false, err);
}

status ice__schema_check_exact(const ice_schema *schema, int format_version, error *err)
{
    return check_schema(schema, format_version, true, err);
}

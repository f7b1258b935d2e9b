/* evolve_schema.c: changes of a table's columns. Each takes a copy of the current schema, changes it, and makes it the
 * current one: checked as a whole, found among those that are there, or added. Ids are never used again.
 * Source: Iceberg specification, "Schema evolution", "Default values", "Identifier fields". */
#include "builder.h"

#include "tarn/base/limits.h"

/* --- making a schema current --- */

size_t ice__find_schema(const ice_metadata *m, const ice_schema *schema)
{
    size_t i = 0;

    while (i < m->schema_count && !ice_schema_equal(&m->schemas[i], schema)) {
        i++;
    }
    return i < m->schema_count ? i : SIZE_MAX;
}

static int32_t next_schema_id(const ice_metadata *m)
{
    int32_t next = 0;

    for (size_t i = 0; i < m->schema_count; i++) {
        next = m->schemas[i].id >= next ? ice__sum32(m->schemas[i].id, 1) : next;
    }
    return next;
}

/* Behind the table's last id, and behind all that are in use: not every writer counts right. */
static status next_column_id(const ice_metadata *m, const ice_type *added, int32_t *ret_id,
                             error *err)
{
    int32_t last = m->last_column_id;

    for (size_t i = 0; i < m->schema_count; i++) {
        int32_t highest = ice_schema_highest_id(&m->schemas[i]);

        last = highest > last ? highest : last;
    }
    TRY(ice__check_room("columns", last, (size_t)ice__count_fields(added) + 1, err));
    *ret_id = last + 1;
    return STATUS_OK;
}

/* A partition field may carry the name of its own column where it is that column's identity, and no other's. */
static status check_partition_names(const ice_metadata *m, const ice_schema *schema, error *err)
{
    const ice_spec *spec = ice_metadata_spec(m);

    for (size_t i = 0; spec != NULL && i < spec->field_count; i++) {
        const ice_partition_field *p = &spec->fields[i];
        size_t at = ice__struct_find(schema->root, p->name);

        if (p->transform.kind != ICE_VOID && at != SIZE_MAX &&
            str_equal(schema->root->fields[at].name, p->name) &&
            (schema->root->fields[at].id != p->source_id || p->transform.kind != ICE_IDENTITY)) {
            return error_set(err, STATUS_INVALID,
                             "column \"%.*s\" would have the name of a partition field",
                             STR_ARG(p->name));
        }
    }
    return STATUS_OK;
}

static status make_current(ice_builder *b, ice_schema *schema, bool draft, error *err)
{
    ice_metadata *m = &b->now;
    ice_schema before = *ice_metadata_schema(m);
    ice_schema *list;
    size_t at;

    TRY(ice_schema_check(schema, m->format_version, err));
    TRY(check_partition_names(m, schema, err));
    if (b->draft_schema) {
        m->schema_count--;
        b->draft_schema = false;
    }
    at = ice__find_schema(m, schema);
    if (at != SIZE_MAX) {
        m->current_schema_id = m->schemas[at].id;
    } else {
        schema->id = next_schema_id(m);
        TRY(ice__check_room("schemas", schema->id, 0, err));
        list = ice__builder_schemas(b, 1);
        list[m->schema_count++] = *schema;
        m->current_schema_id = schema->id;
        b->draft_schema = draft;
    }
    ice__follow_names(b, &before);
    return STATUS_OK;
}

/* A known id keeps its meaning: the type it had, or one that it may widen to. */
static status check_known_ids(const ice_metadata *m, const ice_type *type, error *err)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        const ice_field *known = ice__metadata_field(m, field->id);

        if (known != NULL && known->type->kind != field->type->kind &&
            !ice__can_widen(known->type, field->type) &&
            !ice__can_widen(field->type, known->type)) {
            return error_set(err, STATUS_INVALID,
                             "column \"%.*s\" has id %d, which is that of \"%.*s\" of another type",
                             STR_ARG(field->name), (int)field->id, STR_ARG(known->name));
        }
        if (known == NULL && field->id <= m->last_column_id) {
            return error_set(err, STATUS_INVALID,
                             "column \"%.*s\" has id %d, which was given already: new ids lie "
                             "above %d",
                             STR_ARG(field->name), (int)field->id, (int)m->last_column_id);
        }
        TRY(check_known_ids(m, field->type, err));
    }
    return STATUS_OK;
}

status ice_builder_set_schema(ice_builder *b, const ice_schema *schema, error *err)
{
    ice_schema copy = ice__schema_copy(schema, b->memory);
    int32_t highest = ice_schema_highest_id(schema);

    TRY(ice__check_room("columns", highest, 0, err));
    TRY(check_known_ids(&b->now, schema->root, err));
    TRY(make_current(b, &copy, false, err));
    b->now.last_column_id = highest > b->now.last_column_id ? highest : b->now.last_column_id;
    return STATUS_OK;
}

/* --- what stands in the way --- */

static bool holds_id(const ice_field *field, int32_t id)
{
    ice_schema below = {.root = field->type};

    return field->id == id || ice_schema_field(&below, id) != NULL;
}

static const ice_sort_order *default_order(const ice_metadata *m)
{
    for (size_t i = 0; i < m->order_count; i++) {
        if (m->orders[i].id == m->default_order_id) {
            return &m->orders[i];
        }
    }
    return NULL;
}

static status check_unused(const ice_metadata *m, const ice_schema *schema, const ice_field *field,
                           str path, error *err)
{
    const ice_spec *spec = ice_metadata_spec(m);
    const ice_sort_order *order = default_order(m);

    for (size_t i = 0; i < schema->identifier_count; i++) {
        if (holds_id(field, schema->identifier_ids[i])) {
            error_set(err, STATUS_INVALID, "column \"%.*s\" cannot be dropped: it identifies rows",
                      STR_ARG(path));
            error_hint(err, "Take it out of the identifier fields first.");
            return STATUS_INVALID;
        }
    }
    for (size_t i = 0; spec != NULL && i < spec->field_count; i++) {
        if (spec->fields[i].transform.kind != ICE_VOID &&
            holds_id(field, spec->fields[i].source_id)) {
            error_set(err, STATUS_INVALID,
                      "column \"%.*s\" cannot be dropped: the table is partitioned by \"%.*s\"",
                      STR_ARG(path), STR_ARG(spec->fields[i].name));
            error_hint(err, "Drop the partition field first.");
            return STATUS_INVALID;
        }
    }
    for (size_t i = 0; order != NULL && i < order->field_count; i++) {
        if (holds_id(field, order->fields[i].source_id)) {
            error_set(err, STATUS_INVALID,
                      "column \"%.*s\" cannot be dropped: the table's rows are ordered by it",
                      STR_ARG(path));
            error_hint(err, "Change the order with WRITE ORDERED BY or WRITE UNORDERED first.");
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

static status refuse_key(bool in_key, str path, error *err)
{
    return in_key ? error_set(err, STATUS_INVALID,
                              "column \"%.*s\" is part of a map's key, which cannot change",
                              STR_ARG(path))
                  : STATUS_OK;
}

/* Fields of structs alone have names and places of their own. */
static status check_in_struct(const ice__place *place, str path, const char *what, error *err)
{
    return place->parent->kind == ICE_STRUCT
               ? STATUS_OK
               : error_set(err, STATUS_INVALID, "\"%.*s\" is what a %s is made of: it cannot be %s",
                           STR_ARG(path), ice_kind_name(place->parent->kind), what);
}

static status check_free(const ice_type *parent, str name, size_t but, error *err)
{
    for (size_t i = 0; i < parent->field_count; i++) {
        if (i != but && str_equal_nocase(parent->fields[i].name, name)) {
            return error_set(err, STATUS_EXISTS, "column \"%.*s\" exists already", STR_ARG(name));
        }
    }
    return name.size > 0 ? STATUS_OK : error_set(err, STATUS_INVALID, "a column's name is empty");
}

/* --- lists of fields --- */

static void put_field(ice_type *parent, size_t at, const ice_field *field, arena *a)
{
    ice_field *fields = ARENA_ARRAY(a, ice_field, parent->field_count + 1);

    for (size_t i = 0; i < parent->field_count; i++) {
        fields[i < at ? i : i + 1] = parent->fields[i];
    }
    fields[at] = *field;
    parent->fields = fields;
    parent->field_count++;
}

static void take_field(ice_type *parent, size_t at, arena *a)
{
    ice_field *fields = ARENA_ARRAY(a, ice_field, parent->field_count);
    size_t count = 0;

    for (size_t i = 0; i < parent->field_count; i++) {
        if (i != at) {
            fields[count++] = parent->fields[i];
        }
    }
    parent->fields = fields;
    parent->field_count = count;
}

/* Where a field goes among its siblings. */
static status find_place(const ice_type *parent, ice_place place, str beside, arena *a,
                         size_t *ret_at, error *err)
{
    size_t at;

    if (place == ICE_FIRST || place == ICE_LAST) {
        *ret_at = place == ICE_FIRST ? 0 : parent->field_count;
        return STATUS_OK;
    }
    at = ice__struct_find(parent, beside);
    if (at == SIZE_MAX) {
        str *names = ARENA_ARRAY(a, str, parent->field_count);
        str nearest;

        for (size_t i = 0; i < parent->field_count; i++) {
            names[i] = parent->fields[i].name;
        }
        nearest = str_nearest(beside, names, parent->field_count);
        error_set(err, STATUS_NO_COLUMN, "there is no column \"%.*s\" beside it", STR_ARG(beside));
        if (!str_is_null(nearest)) {
            error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
        }
        return STATUS_NO_COLUMN;
    }
    *ret_at = place == ICE_AFTER ? at + 1 : at;
    return STATUS_OK;
}

/* --- add, drop, rename, move --- */

static status check_added(const ice_builder *b, const ice_add_column *column, error *err)
{
    if (column->required && column->default_value == NULL && b->now.snapshot_count > 0) {
        error_set(
            err, STATUS_INVALID,
            "column \"%.*s\" cannot be required: the rows that are there have no value for it",
            STR_ARG(column->name));
        error_hint(err, b->now.format_version > 2
                            ? "Give it a DEFAULT."
                            : "Give it a DEFAULT; the table needs format version 3 for that.");
        return STATUS_INVALID;
    }
    if (column->default_value != NULL) {
        status s = ice__default_check(column->type, column->default_value, err);

        if (s != STATUS_OK) {
            error_context(err, "column \"%.*s\"", STR_ARG(column->name));
            return s;
        }
    }
    return STATUS_OK;
}

status ice_builder_add_column(ice_builder *b, const ice_add_column *column, error *err)
{
    ice_schema schema = ice__builder_edit(b);
    const json *value = ice__json_copy(column->default_value, b->memory);
    ice_field field = {.name = str_copy(b->memory, column->name),
                       .required = column->required,
                       .doc = ice__copy(b->memory, column->doc),
                       .initial_default = value,
                       .write_default = value};
    ice_type *parent;
    int32_t next_id;
    bool in_key;
    size_t at;

    TRY(ice__path_struct(&schema, column->parent, b->memory, &parent, &in_key, err));
    TRY(refuse_key(in_key, ice__path_text(column->parent, b->memory), err));
    if (column->if_not_exists && ice__struct_find(parent, column->name) != SIZE_MAX) {
        return STATUS_OK;
    }
    TRY(check_free(parent, column->name, SIZE_MAX, err));
    TRY(check_added(b, column, err));
    TRY(find_place(parent, column->place, column->beside, b->memory, &at, err));
    TRY(next_column_id(&b->now, column->type, &next_id, err));
    field.id = next_id++;
    field.type = ice__type_copy(ice_type_assign_ids(column->type, &next_id, b->memory), b->memory);
    put_field(parent, at, &field, b->memory);
    TRY(make_current(b, &schema, true, err));
    b->now.last_column_id = next_id - 1;
    return STATUS_OK;
}

status ice_builder_drop_column(ice_builder *b, ice_path path, bool if_exists, error *err)
{
    ice_schema schema = ice__builder_edit(b);
    str text = ice__path_text(path, b->memory);
    ice__place place;
    status s = ice__path_find(&schema, path, b->memory, &place, err);

    if (s == STATUS_NO_COLUMN && if_exists) {
        error_clear(err);
        return STATUS_OK;
    }
    TRY(s);
    TRY(check_in_struct(&place, text, "dropped", err));
    TRY(refuse_key(place.in_key, text, err));
    TRY(check_unused(&b->now, &schema, place.field, text, err));
    if (place.parent->field_count == 1) {
        return error_set(err, STATUS_INVALID,
                         "column \"%.*s\" is the only one: it cannot be dropped", STR_ARG(text));
    }
    take_field(place.parent, place.index, b->memory);
    return make_current(b, &schema, true, err);
}

status ice_builder_rename_column(ice_builder *b, ice_path path, str name, error *err)
{
    ice_schema schema = ice__builder_edit(b);
    str text = ice__path_text(path, b->memory);
    ice__place place;

    TRY(ice__path_find(&schema, path, b->memory, &place, err));
    TRY(check_in_struct(&place, text, "renamed", err));
    TRY(refuse_key(place.in_key, text, err));
    TRY(check_free(place.parent, name, place.index, err));
    place.field->name = str_copy(b->memory, name);
    return make_current(b, &schema, true, err);
}

status ice_builder_move_column(ice_builder *b, ice_path path, ice_place where, str beside,
                               error *err)
{
    ice_schema schema = ice__builder_edit(b);
    str text = ice__path_text(path, b->memory);
    ice__place place;
    ice_field moved;
    size_t at;

    TRY(ice__path_find(&schema, path, b->memory, &place, err));
    TRY(check_in_struct(&place, text, "moved", err));
    TRY(refuse_key(place.in_key, text, err));
    moved = *place.field;
    if ((where == ICE_BEFORE || where == ICE_AFTER) && str_equal_nocase(moved.name, beside)) {
        return error_set(err, STATUS_INVALID, "column \"%.*s\" cannot be moved beside itself",
                         STR_ARG(text));
    }
    take_field(place.parent, place.index, b->memory);
    TRY(find_place(place.parent, where, beside, b->memory, &at, err));
    put_field(place.parent, at, &moved, b->memory);
    return make_current(b, &schema, true, err);
}

/* --- types --- */

bool ice__can_widen(const ice_type *from, const ice_type *to)
{
    if (from->kind == ICE_UNKNOWN) {
        return true;
    }
    switch (to->kind) {
    case ICE_LONG:
        return from->kind == ICE_INT;
    case ICE_DOUBLE:
        return from->kind == ICE_FLOAT;
    case ICE_DECIMAL:
        return from->kind == ICE_DECIMAL && from->scale == to->scale &&
               from->precision <= to->precision;
    case ICE_TIMESTAMP:
    case ICE_TIMESTAMP_NS:
        return from->kind == ICE_DATE;
    default:
        return false;
    }
}

/* Dates become other values under identity and bucket when they become timestamps; the rest stays what it was. */
static const ice_partition_field *partition_changed(const ice_spec *spec, const ice_field *field,
                                                    ice_kind to)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        const ice_partition_field *p = &spec->fields[i];
        bool changes = p->transform.kind == ICE_TRANSFORM_UNKNOWN ||
                       (field->type->kind == ICE_DATE && to != ICE_DATE &&
                        (p->transform.kind == ICE_IDENTITY || p->transform.kind == ICE_BUCKET));

        if (p->source_id == field->id && changes) {
            return p;
        }
    }
    return NULL;
}

status ice__check_transforms(const ice_metadata *m, const ice_field *field, ice_kind to, str path,
                             error *err)
{
    for (size_t i = 0; i < m->spec_count; i++) {
        const ice_partition_field *p = partition_changed(&m->specs[i], field, to);

        if (p != NULL) {
            return error_set(err, STATUS_INVALID,
                             "column \"%.*s\" cannot become %s: partition field \"%.*s\" would "
                             "get other values",
                             STR_ARG(path), ice_kind_name(to), STR_ARG(p->name));
        }
    }
    return STATUS_OK;
}

static status cannot_widen(const ice_field *field, const ice_type *to, str path, error *err)
{
    buf from;
    buf wanted;

    buf_init(&from, LIMIT_JSON_BODY);
    buf_init(&wanted, LIMIT_JSON_BODY);
    ice_type_format(field->type, &from);
    ice_type_format(to, &wanted);
    error_set(err, STATUS_INVALID, "column \"%.*s\" cannot change from %.*s to %.*s", STR_ARG(path),
              STR_ARG(buf_str(&from)), STR_ARG(buf_str(&wanted)));
    error_hint(err, "A type can only widen: int to long, float to double, decimal to more digits, "
                    "and in format version 3 date to timestamp.");
    buf_release(&from);
    buf_release(&wanted);
    return STATUS_INVALID;
}

status ice_builder_widen_column(ice_builder *b, ice_path path, const ice_type *type, error *err)
{
    ice_schema schema = ice__builder_edit(b);
    str text = ice__path_text(path, b->memory);
    const ice_type *to;
    ice__place place;
    int32_t next_id;

    TRY(next_column_id(&b->now, type, &next_id, err));
    TRY(ice__path_find(&schema, path, b->memory, &place, err));
    if (!ice_kind_is_nested(type->kind) && ice_type_equal(place.field->type, type)) {
        return STATUS_OK;
    }
    TRY(refuse_key(place.in_key, text, err));
    if (!ice__can_widen(place.field->type, type)) {
        return cannot_widen(place.field, type, text, err);
    }
    if (place.field->type->kind == ICE_DATE && b->now.format_version < 3) {
        error_set(err, STATUS_INVALID, "column \"%.*s\" cannot become %s in format version %d",
                  STR_ARG(text), ice_kind_name(type->kind), b->now.format_version);
        error_hint(err, "Format version 3 can.");
        return STATUS_INVALID;
    }
    TRY(ice__check_transforms(&b->now, place.field, type->kind, text, err));
    to = ice__type_copy(ice_type_assign_ids(type, &next_id, b->memory), b->memory);
    place.field->initial_default =
        ice__default_widen(place.field->initial_default, place.field->type, to, b->memory);
    place.field->write_default =
        ice__default_widen(place.field->write_default, place.field->type, to, b->memory);
    place.field->type = to;
    TRY(make_current(b, &schema, true, err));
    b->now.last_column_id = next_id - 1;
    return STATUS_OK;
}

/* --- what a column says of itself --- */

static bool identifies(const ice_schema *schema, int32_t id)
{
    for (size_t i = 0; i < schema->identifier_count; i++) {
        if (schema->identifier_ids[i] == id) {
            return true;
        }
    }
    return false;
}

status ice_builder_set_required(ice_builder *b, ice_path path, bool required, error *err)
{
    ice_schema schema = ice__builder_edit(b);
    str text = ice__path_text(path, b->memory);
    ice__place place;

    TRY(ice__path_find(&schema, path, b->memory, &place, err));
    if (place.field->required == required) {
        return STATUS_OK;
    }
    TRY(refuse_key(place.in_key, text, err));
    if (!required && identifies(&schema, place.field->id)) {
        return error_set(err, STATUS_INVALID,
                         "column \"%.*s\" must stay required: it identifies rows", STR_ARG(text));
    }
    if (required && b->now.snapshot_count > 0) {
        error_set(err, STATUS_INVALID,
                  "column \"%.*s\" cannot become required: rows that are there may lack it",
                  STR_ARG(text));
        error_hint(err, "Only a table that never held rows can be made stricter.");
        return STATUS_INVALID;
    }
    place.field->required = required;
    return make_current(b, &schema, true, err);
}

status ice_builder_set_doc(ice_builder *b, ice_path path, str doc, error *err)
{
    ice_schema schema = ice__builder_edit(b);
    ice__place place;

    TRY(ice__path_find(&schema, path, b->memory, &place, err));
    TRY(check_in_struct(&place, ice__path_text(path, b->memory), "commented", err));
    place.field->doc = ice__copy(b->memory, doc);
    return make_current(b, &schema, true, err);
}

status ice_builder_set_default(ice_builder *b, ice_path path, const json *value, error *err)
{
    ice_schema schema = ice__builder_edit(b);
    str text = ice__path_text(path, b->memory);
    ice__place place;

    TRY(ice__path_find(&schema, path, b->memory, &place, err));
    TRY(check_in_struct(&place, text, "given a default", err));
    if (value != NULL) {
        status s = ice__default_check(place.field->type, value, err);

        if (s != STATUS_OK) {
            error_context(err, "column \"%.*s\"", STR_ARG(text));
            return s;
        }
    }
    place.field->write_default = ice__json_copy(value, b->memory);
    return make_current(b, &schema, true, err);
}

status ice_builder_set_identifier(ice_builder *b, const ice_path *paths, size_t count, error *err)
{
    ice_schema schema = ice__builder_edit(b);
    int32_t *ids = ARENA_ARRAY(b->memory, int32_t, count);

    for (size_t i = 0; i < count; i++) {
        str text = ice__path_text(paths[i], b->memory);
        ice__place place;

        TRY(ice__path_find(&schema, paths[i], b->memory, &place, err));
        for (size_t k = 0; k < i; k++) {
            if (ids[k] == place.field->id) {
                return error_set(err, STATUS_INVALID, "column \"%.*s\" is named twice",
                                 STR_ARG(text));
            }
        }
        if (place.in_repeated || place.in_optional) {
            return error_set(err, STATUS_INVALID,
                             "column \"%.*s\" cannot identify rows: it lies in %s", STR_ARG(text),
                             place.in_repeated ? "a list or map" : "an optional struct");
        }
        ids[i] = place.field->id;
    }
    schema.identifier_ids = ids;
    schema.identifier_count = count;
    return make_current(b, &schema, true, err);
}

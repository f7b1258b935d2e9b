/* evolve_replace.c: another table in the place of one that is there: new columns, partitioning and order, no rows; its
 * identity and its history stay, and with them the ids of columns that keep their names. */
#include "tarn/base/map.h"

#include "builder.h"

typedef struct renumbering {
    const ice_schema *schema; /* as made, with ids of its own */
    map *known;               /* path -> ice_field of the table's present schema */
    int32_t next_id;
    arena *memory;
} renumbering;

static void note_fields(renumbering *r, const ice_schema *schema, const ice_type *type)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];

        map_set(r->known, ice_schema_path(schema, field->id, r->memory),
                (ice_field *)(uintptr_t)field);
        note_fields(r, schema, field->type);
    }
}

/* A column that keeps name and kind keeps its id: whoever reads by id finds it in old snapshots and in new ones. */
static int32_t id_of(renumbering *r, const ice_field *field)
{
    const ice_field *known = map_get(r->known, ice_schema_path(r->schema, field->id, r->memory));

    return known != NULL && known->type->kind == field->type->kind ? known->id : r->next_id++;
}

/* Siblings before their children, as ids are given everywhere. */
static const ice_type *renumber(renumbering *r, const ice_type *type)
{
    ice_type *made;
    ice_field *fields;

    if (type->field_count == 0) {
        return type;
    }
    made = ARENA_NEW(r->memory, ice_type);
    fields = ARENA_ARRAY(r->memory, ice_field, type->field_count);
    *made = *type;
    made->fields = fields;
    for (size_t i = 0; i < type->field_count; i++) {
        fields[i] = type->fields[i];
        fields[i].id = id_of(r, &type->fields[i]);
    }
    for (size_t i = 0; i < type->field_count; i++) {
        fields[i].type = renumber(r, type->fields[i].type);
    }
    return made;
}

/* The id that a field of the made schema has now. */
static int32_t renumbered(const ice_schema *made, const ice_schema *now, int32_t id, arena *a)
{
    const ice_type *type = now->root;
    str path = ice_schema_path(made, id, a);
    ice_schema whole = {.root = type};

    for (int32_t i = 1; i <= ice_schema_highest_id(&whole); i++) {
        if (str_equal(ice_schema_path(&whole, i, a), path)) {
            return i;
        }
    }
    return ICE_NO_ID;
}

/* Only a table that is made like another has one. */
static status put_order(ice_builder *b, const ice_metadata *made, const ice_schema *now, error *err)
{
    for (size_t i = 0; i < made->order_count; i++) {
        const ice_sort_order *order = &made->orders[i];
        ice_sort_field *fields = ARENA_ARRAY(b->memory, ice_sort_field, order->field_count + 1);

        if (order->id != made->default_order_id || order->field_count == 0) {
            continue;
        }
        for (size_t k = 0; k < order->field_count; k++) {
            fields[k] = order->fields[k];
            fields[k].source_id =
                renumbered(ice_metadata_schema(made), now, order->fields[k].source_id, b->memory);
        }
        const ice_sort_order wanted = {.fields = fields, .field_count = order->field_count};
        return ice_builder_set_order(b, &wanted, err);
    }
    return STATUS_OK;
}

static status put_definition(ice_builder *b, const ice_metadata *made, error *err)
{
    const ice_schema *schema = ice_metadata_schema(made);
    const ice_spec *spec = ice_metadata_spec(made);
    const ice_spec none = {.fields = NULL};
    const ice_sort_order unsorted = {.fields = NULL};
    renumbering r = {.schema = schema,
                     .known = map_create(b->memory),
                     .next_id = ice__sum32(b->now.last_column_id, 1),
                     .memory = b->memory};
    ice_schema next = {.id = 0};
    ice_partition_field *fields = ARENA_ARRAY(b->memory, ice_partition_field, spec->field_count);

    TRY(ice__check_room("columns", b->now.last_column_id,
                        (size_t)ice__count_fields(schema->root) + 1, err));
    note_fields(&r, ice_metadata_schema(&b->now), ice_metadata_schema(&b->now)->root);
    next.root = renumber(&r, schema->root);
    int32_t *identifiers = ARENA_ARRAY(b->memory, int32_t, schema->identifier_count + 1);
    for (size_t i = 0; i < schema->identifier_count; i++) {
        identifiers[i] = renumbered(schema, &next, schema->identifier_ids[i], b->memory);
    }
    next.identifier_ids = identifiers;
    next.identifier_count = schema->identifier_count;
    TRY(ice_builder_set_spec(b, &none, err)); /* names of its fields may be those of new columns */
    TRY(ice_builder_set_order(b, &unsorted, err));
    TRY(ice_builder_set_schema(b, &next, err));
    for (size_t i = 0; i < spec->field_count; i++) {
        fields[i] = spec->fields[i];
        fields[i].source_id = renumbered(schema, &next, spec->fields[i].source_id, b->memory);
    }
    const ice_spec wanted = {.fields = fields, .field_count = spec->field_count};
    TRY(ice_builder_set_spec(b, &wanted, err));
    return put_order(b, made, &next, err);
}

/* No rows: nothing is current. What there was stays, and may be gone back to. */
static void forget_rows(ice_builder *b)
{
    ice_ref *refs = ARENA_ARRAY(b->memory, ice_ref, b->now.ref_count + 1);
    size_t count = 0;

    for (size_t i = 0; i < b->now.ref_count; i++) {
        if (!str_equal(b->now.refs[i].name, STR("main"))) {
            refs[count++] = b->now.refs[i];
        }
    }
    b->now.refs = refs;
    b->now.ref_count = count;
    b->now.current_snapshot_id = ICE_NO_SNAPSHOT;
}

status ice_builder_replace_table(ice_builder *b, const ice_create *options, error *err)
{
    ice_create create = *options;
    ice_metadata *made = NULL;
    status result = STATUS_OK;

    create.location = b->now.location;
    if (create.format_version < b->now.format_version) { /* a table does not go back */
        create.format_version = b->now.format_version;
    }
    TRY(ice_metadata_create(&create, &made, err));
    result = ice_builder_set_format_version(b, made->format_version, err);
    if (result == STATUS_OK) {
        forget_rows(b);
        result = put_definition(b, made, err);
    }
    ice_builder_remove_property(b, STR("comment"));
    for (size_t i = 0; result == STATUS_OK && i < made->property_count; i++) {
        result =
            ice_builder_set_property(b, made->properties[i].key, made->properties[i].value, err);
    }
    ice_metadata_unref(made);
    return result;
}

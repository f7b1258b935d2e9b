/* request_create.c: requests for new tables. Whatever ids the client gave, the table counts its own from 1 on, all
 * fields of a level before those below them; partitioning, order and identifiers follow.
 * Source: Iceberg REST specification, CreateTableRequest; the reference implementation's TableMetadata. */
#include "request_parts.h"

#include "tarn/base/rng.h"

enum { DEFAULT_FORMAT_VERSION = 2 };

static const json_field members[] = {
    {"name", JSON_STR, JSON_REQUIRED, offsetof(ice_create_request, name)},
    {"location", JSON_STR, 0, offsetof(ice_create_request, location)},
    {"stage-create", JSON_BOOL, 0, offsetof(ice_create_request, stage)},
    {"schema", JSON_OBJECT, JSON_REQUIRED, offsetof(ice_create_request, schema)},
    {"partition-spec", JSON_OBJECT, 0, offsetof(ice_create_request, spec)},
    {"write-order", JSON_OBJECT, 0, offsetof(ice_create_request, order)},
};

status ice__check_names(str name, str location, error *err)
{
    if (name.size == 0 || (!str_is_null(location) && location.size == 0)) {
        return error_set(err, STATUS_INVALID, "\"%s\" is empty",
                         name.size == 0 ? "name" : "location");
    }
    return STATUS_OK;
}

status ice_create_request_parse(const json *body, arena *a, ice_create_request *ret_request,
                                error *err)
{
    ice_create_request r = {.location = STR_NULL};

    TRY(json_read(body, members, COUNT_OF(members), &r, err));
    TRY(ice__check_names(r.name, r.location, err));
    TRY(ice__properties_read(json_get(body, "properties"), "properties", a, &r.properties,
                             &r.property_count, err));
    *ret_request = r;
    return STATUS_OK;
}

/* The id of the field in `to` that stands where `id` stands in `from`, a type of the same fields. */
static int32_t same_place(const ice_type *from, const ice_type *to, int32_t id)
{
    for (size_t i = 0; i < from->field_count; i++) {
        int32_t inner = same_place(from->fields[i].type, to->fields[i].type, id);

        if (from->fields[i].id == id || inner != ICE_NO_ID) {
            return from->fields[i].id == id ? to->fields[i].id : inner;
        }
    }
    return ICE_NO_ID;
}

static status put_schema(const ice_create_request *r, ice__applying *x, ice_schema *ret_asked,
                         error *err)
{
    ice_schema fresh = {.id = 0};
    int32_t next_id = 1;
    int32_t id;

    TRY(ice__schema_read(r->schema, x->memory, ret_asked, err));
    int32_t *identifiers = ARENA_ARRAY(x->memory, int32_t, ret_asked->identifier_count);
    fresh.root = ice_type_assign_ids(ret_asked->root, &next_id, x->memory);
    for (size_t i = 0; i < ret_asked->identifier_count; i++) {
        identifiers[i] = same_place(ret_asked->root, fresh.root, ret_asked->identifier_ids[i]);
        if (identifiers[i] == ICE_NO_ID) {
            return error_set(err, STATUS_INVALID, "identifier field %d is no column",
                             (int)ret_asked->identifier_ids[i]);
        }
    }
    fresh.identifier_ids = identifiers;
    fresh.identifier_count = ret_asked->identifier_count;
    TRY(ice__put_schema(x, &fresh, &id, err));
    x->b->now.current_schema_id = id;
    return STATUS_OK;
}

static status put_spec(const ice_create_request *r, ice__applying *x, const ice_schema *asked,
                       error *err)
{
    const ice_type *root = ice_metadata_schema(&x->b->now)->root;
    ice_spec spec = {.id = 0};

    if (r->spec != NULL) {
        TRY(ice__spec_read(r->spec, x->memory, &spec, err));
    }
    ice_partition_field *fields = ARENA_ARRAY(x->memory, ice_partition_field, spec.field_count);
    for (size_t i = 0; i < spec.field_count; i++) {
        fields[i] = spec.fields[i];
        fields[i].field_id = ICE_NO_ID;
        fields[i].source_id = same_place(asked->root, root, fields[i].source_id);
        if (fields[i].source_id == ICE_NO_ID) {
            return error_set(err, STATUS_INVALID,
                             "partition field \"%.*s\": the schema has no column %d",
                             STR_ARG(fields[i].name), (int)spec.fields[i].source_id);
        }
    }
    spec.fields = fields;
    return ice__put_spec(x, &spec, &x->b->now.default_spec_id, err);
}

static status put_order(const ice_create_request *r, ice__applying *x, const ice_schema *asked,
                        error *err)
{
    const ice_type *root = ice_metadata_schema(&x->b->now)->root;
    ice_sort_order order = {.id = 0};

    if (r->order != NULL) {
        TRY(ice__order_read(r->order, x->memory, &order, err));
    }
    ice_sort_field *fields = ARENA_ARRAY(x->memory, ice_sort_field, order.field_count);
    for (size_t i = 0; i < order.field_count; i++) {
        fields[i] = order.fields[i];
        fields[i].source_id = same_place(asked->root, root, fields[i].source_id);
        if (fields[i].source_id == ICE_NO_ID) {
            return error_set(err, STATUS_INVALID, "sort order: the schema has no column %d",
                             (int)order.fields[i].source_id);
        }
    }
    order.fields = fields;
    return ice__put_order(x, &order, &x->b->now.default_order_id, err);
}

static status choose_version(const ice_create_request *r, int *ret_version, error *err)
{
    for (size_t i = 0; i < r->property_count; i++) {
        if (str_equal(r->properties[i].key, STR("format-version"))) {
            TRY(ice_property_check(r->properties[i].key, r->properties[i].value, err));
            *ret_version = r->properties[i].value.data[0] - '0'; /* checked: a digit */
            return STATUS_OK;
        }
    }
    *ret_version = DEFAULT_FORMAT_VERSION;
    return STATUS_OK;
}

static status build(const ice_create_request *r, str location, arena *a,
                    ice_metadata **ret_metadata, error *err)
{
    ice_metadata *nothing = ice__metadata_nothing(DEFAULT_FORMAT_VERSION, a);
    ice__applying x = {.memory = a, .creates = true};
    ice_schema asked;
    char uuid[37];

    TRY(choose_version(r, &nothing->format_version, err));
    x.b = ice_builder_create(nothing, a);
    ice__uuid_at(location, uuid);
    x.b->now.uuid = str_copy(a, str_c(uuid));
    ice_builder_set_location(x.b, location);
    TRY(put_schema(r, &x, &asked, err));
    TRY(put_spec(r, &x, &asked, err));
    TRY(put_order(r, &x, &asked, err));
    TRY(ice__put_properties(x.b, r->properties, r->property_count, true, err));
    return ice_builder_build(x.b, STR_NULL, ret_metadata, err);
}

status ice_create_request_build(const ice_create_request *r, str location,
                                ice_metadata **ret_metadata, error *err)
{
    arena *a = arena_create();
    status s = ice__as_invalid(build(r, location, a, ret_metadata, err), err);

    arena_free(a);
    return s;
}

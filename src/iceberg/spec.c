/* spec.c: partition specs and sort orders: JSON form, types, equivalence. The SQL form is in spec_sql.c. */
#include "tarn/base/vec.h"
#include "tarn/iceberg/partition.h"

#include "internal.h"

/* --- partition specs --- */

typedef struct field_text {
    int32_t source_id;
    const json *source_ids;
    int32_t field_id;
    str name;
    str transform;
} field_text;

static const json_field field_members[] = {
    {"source-id", JSON_INT32, 0, offsetof(field_text, source_id)},
    {"source-ids", JSON_ARRAY, 0, offsetof(field_text, source_ids)},
    {"field-id", JSON_INT32, 0, offsetof(field_text, field_id)},
    {"name", JSON_STR, JSON_REQUIRED, offsetof(field_text, name)},
    {"transform", JSON_STR, JSON_REQUIRED, offsetof(field_text, transform)},
};

enum { FIRST_FIELD_ID = 1000 };

/* v3 writes "source-ids" for transforms of several columns: readable, but not understood. */
static status parse_source(const field_text *f, arena *a, int32_t *ret_source, bool *ret_several,
                           error *err)
{
    const int32_t *ids;
    size_t count;

    TRY(ice__json_int32s(f->source_ids, "source-ids", a, &ids, &count, err));
    if (count == 0 && f->source_id == ICE_NO_ID) {
        return error_set(err, STATUS_INVALID, "\"%.*s\" has no \"source-id\"", STR_ARG(f->name));
    }
    *ret_source = count > 0 ? ids[0] : f->source_id;
    *ret_several = count > 1;
    return STATUS_OK;
}

static status parse_field(const json *value, size_t index, arena *a, ice_partition_field *ret_field,
                          error *err)
{
    /* v1 leaves the ids out: they count from 1000. */
    field_text f = {.source_id = ICE_NO_ID, .field_id = FIRST_FIELD_ID + (int32_t)index};
    ice_partition_field field = {.field_id = 0};
    bool several;

    TRY(json_read(value, field_members, COUNT_OF(field_members), &f, err));
    TRY(parse_source(&f, a, &field.source_id, &several, err));
    TRY(ice_transform_parse(str_copy(a, f.transform), &field.transform, err));
    if (several) {
        field.transform.kind = ICE_TRANSFORM_UNKNOWN;
    }
    field.field_id = f.field_id;
    field.name = ice__copy(a, f.name);
    *ret_field = field;
    return STATUS_OK;
}

/* An object with spec-id and fields, or (v1) the list of fields alone. */
status ice_spec_parse(const json *value, arena *a, ice_spec *ret_spec, error *err)
{
    bool is_list = json_kind_of(value) == JSON_ARRAY;
    const json *list = is_list ? value : json_get(value, "fields");
    int64_t id = is_list ? 0 : json_int64_or(json_get(value, "spec-id"), -1);
    size_t count = json_count(list);
    ice_partition_field *fields = ARENA_ARRAY(a, ice_partition_field, count);

    if (json_kind_of(list) != JSON_ARRAY) {
        return error_set(err, STATUS_INVALID, "partition spec has no list \"fields\"");
    }
    if (id < 0 || id > INT32_MAX) {
        return error_set(err, STATUS_INVALID, "partition spec has no \"spec-id\"");
    }
    for (size_t i = 0; i < count; i++) {
        status s = parse_field(json_at(list, i), i, a, &fields[i], err);

        if (s != STATUS_OK) {
            error_context(err, "partition field %zu", i);
            return s;
        }
    }
    *ret_spec = (ice_spec){.id = (int32_t)id, .fields = fields, .field_count = count};
    return STATUS_OK;
}

void ice_spec_format_fields(const ice_spec *spec, json_writer *w)
{
    json_begin_array(w);
    for (size_t i = 0; i < spec->field_count; i++) {
        const ice_partition_field *field = &spec->fields[i];

        json_begin_object(w);
        json_member_str(w, "name", field->name);
        json_member_str(w, "transform", field->transform.text);
        json_member_int(w, "source-id", field->source_id);
        json_member_int(w, "field-id", field->field_id);
        json_end_object(w);
    }
    json_end_array(w);
}

void ice_spec_format(const ice_spec *spec, json_writer *w)
{
    json_begin_object(w);
    json_member_int(w, "spec-id", spec->id);
    json_key(w, "fields");
    ice_spec_format_fields(spec, w);
    json_end_object(w);
}

bool ice_spec_equivalent(const ice_spec *x, const ice_spec *y)
{
    if (x->field_count != y->field_count) {
        return false;
    }
    for (size_t i = 0; i < x->field_count; i++) {
        if (x->fields[i].source_id != y->fields[i].source_id ||
            !str_equal(x->fields[i].name, y->fields[i].name) ||
            !str_equal(x->fields[i].transform.text, y->fields[i].transform.text)) {
            return false;
        }
    }
    return true;
}

status ice_spec_type(const ice_spec *spec, const ice_schema *schema, arena *a,
                     const ice_type **ret_struct, error *err)
{
    ice_field *fields = ARENA_ARRAY(a, ice_field, spec->field_count);
    ice_type *type = ARENA_NEW(a, ice_type);

    for (size_t i = 0; i < spec->field_count; i++) {
        const ice_partition_field *from = &spec->fields[i];
        const ice_field *source = ice_schema_field(schema, from->source_id);

        fields[i] = (ice_field){.id = from->field_id,
                                .name = from->name,
                                .type = ice_type_primitive(ICE_STRING),
                                .doc = STR_NULL};
        if (source != NULL) {
            TRY(ice_transform_result(&from->transform, source->type, &fields[i].type, err));
        }
    }
    *type = (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = spec->field_count};
    *ret_struct = type;
    return STATUS_OK;
}

/* --- sort orders --- */

typedef struct sort_text {
    int32_t source_id;
    const json *source_ids;
    str transform;
    str direction;
    str null_order;
} sort_text;

static const json_field sort_members[] = {
    {"source-id", JSON_INT32, 0, offsetof(sort_text, source_id)},
    {"source-ids", JSON_ARRAY, 0, offsetof(sort_text, source_ids)},
    {"transform", JSON_STR, JSON_REQUIRED, offsetof(sort_text, transform)},
    {"direction", JSON_STR, JSON_REQUIRED, offsetof(sort_text, direction)},
    {"null-order", JSON_STR, JSON_REQUIRED, offsetof(sort_text, null_order)},
};

static status parse_sort_field(const json *value, arena *a, ice_sort_field *ret_field, error *err)
{
    sort_text t = {.source_id = ICE_NO_ID};
    field_text f = {.name = STR("sort field")};
    ice_sort_field field = {.source_id = ICE_NO_ID};
    bool several;

    TRY(json_read(value, sort_members, COUNT_OF(sort_members), &t, err));
    f.source_id = t.source_id;
    f.source_ids = t.source_ids;
    TRY(parse_source(&f, a, &field.source_id, &several, err));
    TRY(ice_transform_parse(str_copy(a, t.transform), &field.transform, err));
    field.descending = str_equal_nocase(t.direction, STR("desc"));
    field.nulls_last = str_equal_nocase(t.null_order, STR("nulls-last"));
    if ((!field.descending && !str_equal_nocase(t.direction, STR("asc"))) ||
        (!field.nulls_last && !str_equal_nocase(t.null_order, STR("nulls-first")))) {
        return error_set(err, STATUS_INVALID,
                         "sort field needs direction asc or desc and null-order nulls-first or "
                         "nulls-last");
    }
    if (several) {
        field.transform.kind = ICE_TRANSFORM_UNKNOWN;
    }
    *ret_field = field;
    return STATUS_OK;
}

/* An object with order-id and fields, or the list of fields alone. */
status ice_sort_order_parse(const json *value, arena *a, ice_sort_order *ret_order, error *err)
{
    bool is_list = json_kind_of(value) == JSON_ARRAY;
    const json *list = is_list ? value : json_get(value, "fields");
    int64_t id = is_list ? 0 : json_int64_or(json_get(value, "order-id"), -1);
    size_t count = json_count(list);
    ice_sort_field *fields = ARENA_ARRAY(a, ice_sort_field, count);

    if (json_kind_of(list) != JSON_ARRAY || id < 0 || id > INT32_MAX) {
        return error_set(err, STATUS_INVALID,
                         "sort order needs \"order-id\" and a list \"fields\"");
    }
    for (size_t i = 0; i < count; i++) {
        TRY(parse_sort_field(json_at(list, i), a, &fields[i], err));
    }
    *ret_order = (ice_sort_order){.id = (int32_t)id, .fields = fields, .field_count = count};
    return STATUS_OK;
}

void ice_sort_order_format(const ice_sort_order *order, json_writer *w)
{
    json_begin_object(w);
    json_member_int(w, "order-id", order->id);
    json_key(w, "fields");
    json_begin_array(w);
    for (size_t i = 0; i < order->field_count; i++) {
        const ice_sort_field *field = &order->fields[i];

        json_begin_object(w);
        json_member_str(w, "transform", field->transform.text);
        json_member_int(w, "source-id", field->source_id);
        json_member_c(w, "direction", field->descending ? "desc" : "asc");
        json_member_c(w, "null-order", field->nulls_last ? "nulls-last" : "nulls-first");
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

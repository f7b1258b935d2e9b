/* request_schema.c: updates of schemas, partition specs and sort orders. What equals one that is there is that one;
 * what is new gets the next id, whatever the client called it, and the client's own name for it still leads there.
 * Source: Iceberg specification, "Schema evolution", "Partition evolution", "Sorting"; the reference implementation's
 * TableMetadata, PartitionSpec, SortOrder. */
#include <stdlib.h>

#include "tarn/base/limits.h"

#include "request_parts.h"

enum { FIRST_FIELD_ID = 1000 };

/* ---- schemas ---- */

static const struct {
    const char *name;
    int version;
} first_versions[ICE_KIND_COUNT] = {
#define X(kind, text, version) {text, version},
    ICE_TYPE_TABLE(X)
#undef X
};

static status check_versions(const ice_schema *schema, const ice_type *type, int version, arena *a,
                             error *err)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        int first = first_versions[field->type->kind].version;

        if (first > version) {
            str path = ice_schema_path(schema, field->id, a);

            error_set(err, STATUS_INVALID, "column \"%.*s\": %s is not supported until v%d",
                      STR_ARG(path), first_versions[field->type->kind].name, first);
            error_hint(err, "The table has format version %d.", version);
            return STATUS_INVALID;
        }
        TRY(check_versions(schema, field->type, version, a, err));
    }
    return STATUS_OK;
}

/* Types, names, identifiers: what a table of that version can hold. */
static status schema_fits(const ice_schema *schema, int format_version, error *err)
{
    arena *scratch = arena_create();
    status s = check_versions(schema, schema->root, format_version, scratch, err);

    arena_free(scratch);
    TRY(s);
    return ice__schema_check_exact(schema, format_version, err);
}

static int32_t next_schema_id(const ice_metadata *m)
{
    int32_t next = 0;

    for (size_t i = 0; i < m->schema_count; i++) {
        next = m->schemas[i].id >= next ? ice__sum32(m->schemas[i].id, 1) : next;
    }
    return next;
}

status ice__put_schema(ice__applying *x, const ice_schema *schema, int32_t *ret_id, error *err)
{
    ice_metadata *m = &x->b->now;
    int32_t highest = ice_schema_highest_id(schema);
    ice_schema *list;
    size_t at;

    if (highest > ICE__FIELD_ID_MAX) {
        return error_set(err, STATUS_INVALID, "a column has the id %d: ids end at %d", (int)highest,
                         (int)ICE__FIELD_ID_MAX);
    }
    TRY(schema_fits(schema, m->format_version, err));
    TRY(ice__check_ids(x, schema, err));
    at = ice__find_schema(m, schema);
    if (at == SIZE_MAX) {
        int32_t id = next_schema_id(m);

        TRY(ice__check_room("schemas", id, 0, err));
        list = ice__builder_schemas(x->b, 1);
        at = m->schema_count++;
        list[at] = *schema;
        list[at].id = id;
    }
    m->last_column_id = highest > m->last_column_id ? highest : m->last_column_id;
    *ret_id = m->schemas[at].id;
    return STATUS_OK;
}

ICE__APPLIER(add_schema)
{
    ice__given given = {.asked = u->schema->id};

    TRY(ice__put_schema(x, u->schema, &given.given, err));
    vec_push(x->memory, &x->schemas, given);
    x->last_schema = given.given;
    if (ice_metadata_schema(&x->b->now) ==
        NULL) { /* DuckDB says which is current after spec and order */
        x->b->now.current_schema_id = given.given;
    }
    return STATUS_OK;
}

int32_t ice__given_schema(const ice__applying *x, int32_t asked)
{
    for (size_t i = x->schemas.count; i > 0 && ice_metadata_schema_by_id(&x->b->now, asked) == NULL;
         i--) {
        if (x->schemas.items[i - 1].asked == asked) {
            return x->schemas.items[i - 1].given;
        }
    }
    return asked;
}

static status choose(int32_t asked, int32_t last, const char *what, int32_t *ret_id, error *err)
{
    if (asked == ICE__LAST_ADDED && last == ICE__LAST_ADDED) {
        return error_set(err, STATUS_INVALID,
                         "-1 is the %s that was added last, but none has been added", what);
    }
    *ret_id = asked == ICE__LAST_ADDED ? last : asked;
    return STATUS_OK;
}

ICE__APPLIER(current_schema)
{
    int32_t id;

    TRY(choose(u->id, x->last_schema, "schema", &id, err));
    id = ice__given_schema(x, id);
    if (ice_metadata_schema_by_id(&x->b->now, id) == NULL) {
        return error_set(err, STATUS_INVALID, "schema %d is unknown", (int)id);
    }
    x->b->now.current_schema_id = id;
    return STATUS_OK;
}

static bool is_listed(const ice__update *u, int64_t id)
{
    for (size_t i = 0; i < u->count; i++) {
        if (u->ids[i] == id) {
            return true;
        }
    }
    return false;
}

ICE__APPLIER(remove_schemas)
{
    ice_metadata *m = &x->b->now;
    ice_schema *list = ARENA_ARRAY(x->memory, ice_schema, m->schema_count);
    size_t count = 0;

    if (is_listed(u, m->current_schema_id)) {
        return error_set(err, STATUS_INVALID, "schema %d is the current one: it stays",
                         (int)m->current_schema_id);
    }
    for (size_t i = 0; i < m->snapshot_count; i++) { /* they are read with the schema they name */
        int32_t id = m->snapshots[i].schema_id;

        if (is_listed(u, id) && ice_metadata_schema_by_id(m, id) != NULL) {
            const ice__leaning leaning = {
                .snapshot_id = m->snapshots[i].id, .schema_id = id, .update = x->update};

            vec_push(x->memory, &x->leaning, leaning); /* it may go with this request too */
        }
    }
    for (size_t i = 0; i < m->schema_count; i++) {
        if (!is_listed(u, m->schemas[i].id)) {
            list[count++] = m->schemas[i];
        }
    }
    m->schemas = list;
    m->schema_count = count;
    return STATUS_OK;
}

/* ---- partition specs ---- */

static bool same_field(const ice_partition_field *x, const ice_partition_field *y)
{
    return x->source_id == y->source_id && str_equal(x->transform.text, y->transform.text);
}

/* The field, where nothing but structs is around it: lists and maps have many values for one row. */
static const ice_field *find_source(const ice_type *type, int32_t id)
{
    for (size_t i = 0; type->kind == ICE_STRUCT && i < type->field_count; i++) {
        const ice_field *below = find_source(type->fields[i].type, id);

        if (type->fields[i].id == id || below != NULL) {
            return below != NULL ? below : &type->fields[i];
        }
    }
    return NULL;
}

static status check_source(const ice_schema *schema, const ice_partition_field *f, error *err)
{
    const ice_field *source = find_source(schema->root, f->source_id);
    const ice_type *result;

    if (f->transform.kind == ICE_VOID) {
        return STATUS_OK;
    }
    if (f->transform.kind == ICE_TRANSFORM_UNKNOWN) {
        return error_set(err, STATUS_INVALID,
                         "partition field \"%.*s\": transform \"%.*s\" is not known",
                         STR_ARG(f->name), STR_ARG(f->transform.text));
    }
    if (source == NULL) {
        return error_set(err, STATUS_INVALID,
                         "partition field \"%.*s\": the schema has no column %d that rows can be "
                         "partitioned by",
                         STR_ARG(f->name), (int)f->source_id);
    }
    if (ice_kind_is_nested(source->type->kind)) {
        return error_set(err, STATUS_INVALID, "partition field \"%.*s\": column \"%.*s\" is a %s",
                         STR_ARG(f->name), STR_ARG(source->name),
                         ice_kind_name(source->type->kind));
    }
    if (ice_transform_result(&f->transform, source->type, &result, err) != STATUS_OK) {
        error_context(err, "partition field \"%.*s\"", STR_ARG(f->name));
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

static status check_field(const ice_metadata *m, const ice_partition_field *fields, size_t at,
                          error *err)
{
    const ice_schema *schema = ice_metadata_schema(m);
    const ice_partition_field *f = &fields[at];
    size_t column = ice__struct_find(schema->root, f->name);

    if (f->name.size == 0) {
        return error_set(err, STATUS_INVALID, "a partition field has an empty name");
    }
    if (str_find_char(f->name, '\0') != STR_NPOS) {
        return error_set(err, STATUS_INVALID, "the name of a partition field has a NUL");
    }
    TRY(check_source(schema, f, err));
    if (column != SIZE_MAX && str_equal(schema->root->fields[column].name, f->name) &&
        schema->root->fields[column].id != f->source_id) {
        return error_set(err, STATUS_INVALID,
                         "partition field \"%.*s\" has the name of another column than its source",
                         STR_ARG(f->name));
    }
    for (size_t i = 0; i < at; i++) {
        bool twice = same_field(&fields[i], f) && f->transform.kind != ICE_VOID;

        if (str_equal(fields[i].name, f->name) || twice ||
            (f->field_id != ICE_NO_ID && fields[i].field_id == f->field_id)) {
            return error_set(err, STATUS_INVALID,
                             "partition field \"%.*s\" repeats name, id or meaning of \"%.*s\"",
                             STR_ARG(f->name), STR_ARG(fields[i].name));
        }
    }
    return STATUS_OK;
}

/* The id under which values of this field are in manifests already. */
static int32_t known_field_id(const ice_metadata *m, const ice_partition_field *field)
{
    for (size_t i = 0; i < m->spec_count; i++) {
        for (size_t k = 0; k < m->specs[i].field_count; k++) {
            if (same_field(&m->specs[i].fields[k], field)) {
                return m->specs[i].fields[k].field_id;
            }
        }
    }
    return ICE_NO_ID;
}

/* An id stands for one source and transform in all specs; version 1 knows ids by their place alone. */
static status check_field_id(const ice_metadata *m, const ice_partition_field *field, size_t at,
                             error *err)
{
    const ice_partition_field *taken = NULL;

    if (field->field_id > ICE__FIELD_ID_MAX) {
        return error_set(err, STATUS_INVALID,
                         "partition field \"%.*s\" has the id %d: ids end at %d",
                         STR_ARG(field->name), (int)field->field_id, (int)ICE__FIELD_ID_MAX);
    }
    if (m->format_version == 1) {
        return field->field_id == FIRST_FIELD_ID + (int32_t)at
                   ? STATUS_OK
                   : error_set(err, STATUS_INVALID,
                               "partition field \"%.*s\" has the id %d: in format version 1 ids "
                               "count from %d",
                               STR_ARG(field->name), (int)field->field_id, FIRST_FIELD_ID);
    }
    for (size_t i = 0; i < m->spec_count; i++) {
        for (size_t k = 0; k < m->specs[i].field_count; k++) {
            const ice_partition_field *other = &m->specs[i].fields[k];

            if (other->field_id == field->field_id && same_field(other, field)) {
                return STATUS_OK; /* tables that were of version 1 may have an id for several */
            }
            if (other->field_id == field->field_id && other->transform.kind != ICE_VOID &&
                field->transform.kind != ICE_VOID) {
                taken = other;
            }
        }
    }
    return taken == NULL
               ? STATUS_OK
               : error_set(err, STATUS_INVALID,
                           "partition field \"%.*s\" has the id %d, which is that of \"%.*s\"",
                           STR_ARG(field->name), (int)field->field_id, STR_ARG(taken->name));
}

static bool is_used(const ice_partition_field *fields, size_t count, int32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].field_id == id) {
            return true;
        }
    }
    return false;
}

static status assign_field_ids(const ice_metadata *m, ice_partition_field *fields, size_t count,
                               error *err)
{
    int32_t next = ice__sum32(m->last_partition_id, 1);

    for (size_t i = 0; i < count; i++) {
        int32_t known = known_field_id(m, &fields[i]);

        if (fields[i].field_id == ICE_NO_ID && m->format_version == 1) {
            fields[i].field_id = FIRST_FIELD_ID + (int32_t)i;
        } else if (fields[i].field_id == ICE_NO_ID && known != ICE_NO_ID &&
                   !is_used(fields, count, known)) {
            fields[i].field_id = known;
        }
        while (fields[i].field_id == ICE_NO_ID && is_used(fields, count, next)) {
            next = ice__sum32(next, 1);
        }
        fields[i].field_id = fields[i].field_id == ICE_NO_ID ? next : fields[i].field_id;
        TRY(check_field_id(m, &fields[i], i, err));
    }
    return STATUS_OK;
}

status ice__put_spec(ice__applying *x, const ice_spec *spec, int32_t *ret_id, error *err)
{
    ice_metadata *m = &x->b->now;
    ice_partition_field *fields = ARENA_ARRAY(x->memory, ice_partition_field, spec->field_count);
    int32_t next = 0;
    ice_spec *list;

    if (ice_metadata_schema(m) == NULL) {
        return error_set(err, STATUS_INVALID, "a partition spec needs a current schema");
    }
    for (size_t i = 0; i < m->spec_count; i++) {
        if (ice_spec_equivalent(&m->specs[i], spec)) {
            *ret_id = m->specs[i].id;
            return STATUS_OK;
        }
        next = m->specs[i].id >= next ? ice__sum32(m->specs[i].id, 1) : next;
    }
    for (size_t i = 0; i < spec->field_count; i++) {
        fields[i] = spec->fields[i];
        TRY(check_field(m, fields, i, err));
    }
    TRY(ice__check_room("partition specs", next, 0, err));
    TRY(assign_field_ids(m, fields, spec->field_count, err));
    list = ice__builder_specs(x->b, 1);
    list[m->spec_count++] =
        (ice_spec){.id = next, .fields = fields, .field_count = spec->field_count};
    for (size_t i = 0; i < spec->field_count; i++) {
        m->last_partition_id =
            fields[i].field_id > m->last_partition_id ? fields[i].field_id : m->last_partition_id;
    }
    *ret_id = next;
    return STATUS_OK;
}

ICE__APPLIER(add_spec)
{
    return ice__put_spec(x, u->spec, &x->last_spec, err);
}

ICE__APPLIER(default_spec)
{
    int32_t id;

    TRY(choose(u->id, x->last_spec, "partition spec", &id, err));
    if (ice_metadata_spec_by_id(&x->b->now, id) == NULL) {
        return error_set(err, STATUS_INVALID, "partition spec %d is unknown", (int)id);
    }
    x->b->now.default_spec_id = id;
    return STATUS_OK;
}

ICE__APPLIER(remove_specs)
{
    ice_metadata *m = &x->b->now;
    ice_spec *list = ARENA_ARRAY(x->memory, ice_spec, m->spec_count);
    size_t count = 0;

    if (is_listed(u, m->default_spec_id)) {
        return error_set(err, STATUS_INVALID, "partition spec %d is the default one: it stays",
                         (int)m->default_spec_id);
    }
    for (size_t i = 0; i < m->spec_count; i++) {
        if (!is_listed(u, m->specs[i].id)) {
            list[count++] = m->specs[i];
        }
    }
    m->specs = list;
    m->spec_count = count;
    return STATUS_OK;
}

/* ---- sort orders ---- */

static bool same_order(const ice_sort_order *x, const ice_sort_order *y)
{
    bool same = x->field_count == y->field_count;

    for (size_t i = 0; same && i < x->field_count; i++) {
        same = x->fields[i].source_id == y->fields[i].source_id &&
               x->fields[i].descending == y->fields[i].descending &&
               x->fields[i].nulls_last == y->fields[i].nulls_last &&
               str_equal(x->fields[i].transform.text, y->fields[i].transform.text);
    }
    return same;
}

static status check_order(const ice_schema *schema, const ice_sort_order *order, error *err)
{
    for (size_t i = 0; i < order->field_count; i++) {
        const ice_sort_field *f = &order->fields[i];
        const ice_field *source = ice_schema_field(schema, f->source_id);
        const ice_type *result;

        if (source == NULL) {
            return error_set(err, STATUS_INVALID, "sort order: the schema has no column %d",
                             (int)f->source_id);
        }
        if (f->transform.kind == ICE_TRANSFORM_UNKNOWN) {
            return error_set(err, STATUS_INVALID, "sort order: transform \"%.*s\" is not known",
                             STR_ARG(f->transform.text));
        }
        if (ice_kind_is_nested(source->type->kind)) {
            return error_set(err, STATUS_INVALID, "sort order: column \"%.*s\" is a %s",
                             STR_ARG(source->name), ice_kind_name(source->type->kind));
        }
        if (ice_transform_result(&f->transform, source->type, &result, err) != STATUS_OK) {
            error_context(err, "sort order");
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

status ice__put_order(ice__applying *x, const ice_sort_order *order, int32_t *ret_id, error *err)
{
    ice_metadata *m = &x->b->now;
    ice_sort_order *list = ARENA_ARRAY(x->memory, ice_sort_order, m->order_count + 1);
    int32_t next = 1; /* 0 is "unsorted", by the specification */

    if (ice_metadata_schema(m) == NULL) {
        return error_set(err, STATUS_INVALID, "a sort order needs a current schema");
    }
    for (size_t i = 0; i < m->order_count; i++) {
        if (same_order(&m->orders[i], order)) {
            *ret_id = m->orders[i].id;
            return STATUS_OK;
        }
        list[i] = m->orders[i];
        next = list[i].id >= next ? ice__sum32(list[i].id, 1) : next;
    }
    TRY(ice__check_room("sort orders", next, 0, err));
    TRY(check_order(ice_metadata_schema(m), order, err));
    list[m->order_count] = *order;
    list[m->order_count].id = order->field_count > 0 ? next : 0;
    *ret_id = list[m->order_count++].id;
    m->orders = list;
    return STATUS_OK;
}

ICE__APPLIER(add_order)
{
    return ice__put_order(x, u->order, &x->last_order, err);
}

static const ice_sort_order *order_by_id(const ice_metadata *m, int32_t id)
{
    for (size_t i = 0; i < m->order_count; i++) {
        if (m->orders[i].id == id) {
            return &m->orders[i];
        }
    }
    return NULL;
}

ICE__APPLIER(default_order)
{
    int32_t id;

    TRY(choose(u->id, x->last_order, "sort order", &id, err));
    if (order_by_id(&x->b->now, id) == NULL) {
        return error_set(err, STATUS_INVALID, "sort order %d is unknown", (int)id);
    }
    x->b->now.default_order_id = id;
    return STATUS_OK;
}

/* ---- after all ---- */

static int compare_ids(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

/* As many as a table's snapshots may lean, and as many may stay. */
static const ice__leaning *find_leaning(const ice__applying *x)
{
    const ice_metadata *m = &x->b->now;
    int64_t *stay = ARENA_ARRAY(x->memory, int64_t, m->snapshot_count);

    for (size_t i = 0; i < m->snapshot_count; i++) {
        stay[i] = m->snapshots[i].id;
    }
    qsort(stay, m->snapshot_count, sizeof(*stay), compare_ids);
    for (size_t i = 0; i < x->leaning.count; i++) {
        if (bsearch(&x->leaning.items[i].snapshot_id, stay, m->snapshot_count, sizeof(*stay),
                    compare_ids) != NULL) {
            return &x->leaning.items[i];
        }
    }
    return NULL;
}

status ice__check_leaning(const ice__applying *x, error *err)
{
    const ice__leaning *l = NULL;

    if (x->leaning.count > 0 && x->b->now.snapshot_count > 0) {
        l = find_leaning(x);
    }
    if (l == NULL) {
        return STATUS_OK;
    }
    error_set(err, STATUS_INVALID, "schema %d is that of snapshot %lld: it stays",
              (int)l->schema_id, (long long)l->snapshot_id);
    error_hint(err, "Expire the snapshots that were written with the schema first.");
    error_context(err, "updates[%zu]", l->update);
    return STATUS_INVALID;
}

status ice__check_sources(const ice_metadata *m, error *err)
{
    const ice_schema *schema = ice_metadata_schema(m);
    const ice_spec *spec = ice_metadata_spec(m);
    const ice_sort_order *order = order_by_id(m, m->default_order_id);

    if (spec == NULL || order == NULL) {
        return error_set(err, STATUS_INVALID, "the table would have no default %s",
                         spec == NULL ? "partition spec" : "sort order");
    }
    for (size_t i = 0; i < spec->field_count; i++) {
        /* what only others can compute stays as it was */
        if (spec->fields[i].transform.kind != ICE_TRANSFORM_UNKNOWN) {
            TRY(check_source(schema, &spec->fields[i], err));
        }
    }
    return check_order(schema, order, err);
}

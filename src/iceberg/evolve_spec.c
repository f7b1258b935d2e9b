/* evolve_spec.c: changes of a table's partitioning and sort order. Old files keep the spec they were written under, so
 * a field that comes back gets the id it had, and equal specs are one. Source: Iceberg specification, "Partition
 * evolution", "Sorting". */
#include "builder.h"
#include "spec_sql.h"

enum { FIRST_FIELD_ID = 1000 };

/* --- making a spec the default --- */

static bool same_field(const ice_partition_field *x, const ice_partition_field *y)
{
    return x->source_id == y->source_id && str_equal(x->transform.text, y->transform.text);
}

/* The same source and transform in any spec, by preference under the same name; NULL where there was none. */
static const ice_partition_field *find_earlier(const ice_metadata *m,
                                               const ice_partition_field *field)
{
    const ice_partition_field *found = NULL;

    for (size_t i = 0; i < m->spec_count; i++) {
        for (size_t k = 0; k < m->specs[i].field_count; k++) {
            const ice_partition_field *f = &m->specs[i].fields[k];

            if (same_field(f, field) && (found == NULL || str_equal(f->name, field->name))) {
                found = f;
            }
        }
    }
    return found;
}

/* Behind the table's last id, and behind all that are in use: not every writer counts right. */
static status next_field_id(const ice_metadata *m, size_t count, int32_t *ret_id, error *err)
{
    int32_t last = m->last_partition_id;

    for (size_t i = 0; i < m->spec_count; i++) {
        for (size_t k = 0; k < m->specs[i].field_count; k++) {
            int32_t id = m->specs[i].fields[k].field_id;

            last = id > last ? id : last;
        }
    }
    TRY(ice__check_room("partition fields", last, count, err));
    *ret_id = last + 1;
    return STATUS_OK;
}

static int32_t next_spec_id(const ice_metadata *m)
{
    int32_t next = 0;

    for (size_t i = 0; i < m->spec_count; i++) {
        next = m->specs[i].id >= next ? ice__sum32(m->specs[i].id, 1) : next;
    }
    return next;
}

static status make_default(ice_builder *b, ice_spec *spec, bool draft, error *err)
{
    ice_metadata *m = &b->now;
    ice_spec *list;

    if (b->draft_spec) {
        m->spec_count--;
        b->draft_spec = false;
    }
    for (size_t i = 0; i < m->spec_count; i++) {
        if (ice_spec_equivalent(&m->specs[i], spec)) {
            m->default_spec_id = m->specs[i].id;
            return STATUS_OK;
        }
    }
    spec->id = next_spec_id(m);
    TRY(ice__check_room("partition specs", spec->id, 0, err));
    list = ice__builder_specs(b, 1);
    list[m->spec_count++] = *spec;
    m->default_spec_id = spec->id;
    b->draft_spec = draft;
    for (size_t i = 0; i < spec->field_count; i++) {
        m->last_partition_id = spec->fields[i].field_id > m->last_partition_id
                                   ? spec->fields[i].field_id
                                   : m->last_partition_id;
    }
    return STATUS_OK;
}

/* The ids that fields had, and new ones behind the table's last. Version 1 knows ids by their place alone: they count
 * from 1000. */
static status assign_ids(const ice_builder *b, ice_partition_field *fields, size_t count,
                         error *err)
{
    int32_t next;

    TRY(next_field_id(&b->now, count, &next, err));
    for (size_t i = 0; i < count; i++) {
        const ice_partition_field *earlier = find_earlier(&b->now, &fields[i]);

        if (b->now.format_version == 1) {
            fields[i].field_id = FIRST_FIELD_ID + (int32_t)i;
        } else {
            fields[i].field_id = earlier != NULL ? earlier->field_id : next++;
        }
    }
    return STATUS_OK;
}

static ice_partition_field *copy_fields(const ice_spec *spec, size_t room, arena *a)
{
    ice_partition_field *fields = ARENA_ARRAY(a, ice_partition_field, spec->field_count + room);

    for (size_t i = 0; i < spec->field_count; i++) {
        fields[i] = spec->fields[i];
        fields[i].name = ice__copy(a, fields[i].name);
        fields[i].transform.text = ice__copy(a, fields[i].transform.text);
    }
    return fields;
}

static status check_field(const ice_builder *b, const ice_partition_field *fields, size_t at,
                          error *err)
{
    const ice_schema *schema = ice_metadata_schema(&b->now);
    const ice_field *source = ice_schema_field(schema, fields[at].source_id);
    const ice_type *result;

    if (fields[at].transform.kind == ICE_VOID) {
        return STATUS_OK;
    }
    if (fields[at].transform.kind == ICE_TRANSFORM_UNKNOWN) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "transform \"%.*s\" of partition field \"%.*s\" "
                         "is not known",
                         STR_ARG(fields[at].transform.text), STR_ARG(fields[at].name));
    }
    if (source == NULL) {
        return error_set(err, STATUS_INVALID,
                         "partition field \"%.*s\": the table has no column %d",
                         STR_ARG(fields[at].name), (int)fields[at].source_id);
    }
    if (ice_transform_result(&fields[at].transform, source->type, &result, err) != STATUS_OK) {
        error_context(err, "partition field \"%.*s\"", STR_ARG(fields[at].name));
        return STATUS_INVALID;
    }
    return ice__spec_check_field(fields, at, &fields[at], schema, err);
}

status ice_builder_set_spec(ice_builder *b, const ice_spec *spec, error *err)
{
    ice_spec made = {.fields = NULL, .field_count = spec->field_count};
    ice_partition_field *fields = copy_fields(spec, 0, b->memory);

    for (size_t i = 0; i < spec->field_count; i++) {
        TRY(check_field(b, fields, i, err));
    }
    TRY(assign_ids(b, fields, spec->field_count, err));
    made.fields = fields;
    return make_default(b, &made, false, err);
}

/* --- single fields --- */

/* What the name of a field adds to its column's, where AS gives no other. */
static const char *const suffixes[] = {
    [ICE_IDENTITY] = "",  [ICE_BUCKET] = "_bucket", [ICE_TRUNCATE] = "_trunc",
    [ICE_YEAR] = "_year", [ICE_MONTH] = "_month",   [ICE_DAY] = "_day",
    [ICE_HOUR] = "_hour"};

/* One field, as PARTITIONED BY takes it; *ret_named tells that AS gave it its name. */
static status parse_field(const ice_builder *b, str text, ice_partition_field *ret_field,
                          bool *ret_named, error *err)
{
    int32_t next = 0;
    ice_spec parsed;
    str path;

    TRY(ice_spec_parse_sql(text, ice_metadata_schema(&b->now), &next, b->memory, &parsed, err));
    if (parsed.field_count != 1) {
        return error_set(err, STATUS_SYNTAX, "partitioning \"%.*s\": one field is expected",
                         STR_ARG(text));
    }
    *ret_field = parsed.fields[0];
    path = ice_schema_path(ice_metadata_schema(&b->now), ret_field->source_id, b->memory);
    *ret_named = !str_equal(
        ret_field->name, str_concat(b->memory, path, str_c(suffixes[ret_field->transform.kind])));
    return STATUS_OK;
}

static status add_to(const ice_builder *b, str text, ice_partition_field *fields, size_t *count,
                     error *err)
{
    ice_partition_field field;
    const ice_partition_field *earlier;
    bool named;

    TRY(parse_field(b, text, &field, &named, err));
    earlier = find_earlier(&b->now, &field);
    if (earlier != NULL && !named) {
        field.name = ice__copy(b->memory, earlier->name); /* it comes back as what it was */
    }
    for (size_t i = 0; i < *count; i++) {
        if (fields[i].transform.kind == ICE_VOID && str_equal(fields[i].name, field.name)) {
            fields[i].name =
                str_printf(b->memory, "%.*s_%d", STR_ARG(fields[i].name), (int)fields[i].field_id);
        }
    }
    TRY(ice__spec_check_field(fields, *count, &field, ice_metadata_schema(&b->now), err));
    if (b->now.format_version == 1) {
        field.field_id = FIRST_FIELD_ID + (int32_t)*count;
    } else if (earlier != NULL) {
        field.field_id = earlier->field_id;
    } else {
        TRY(next_field_id(&b->now, 1, &field.field_id, err));
    }
    fields[(*count)++] = field;
    return STATUS_OK;
}

static str unquoted(str text, arena *a)
{
    text = str_trim(text);
    if (text.size > 2 && (text.data[0] == '"' || text.data[0] == '`') &&
        text.data[text.size - 1] == text.data[0]) {
        text = str_slice(text, 1, text.size - 1);
    }
    return str_copy(a, text);
}

static status find_field(const ice_builder *b, str text, size_t *ret_at, error *err)
{
    const ice_spec *spec = ice_metadata_spec(&b->now);
    str name = unquoted(text, b->memory);
    str *names = ARENA_ARRAY(b->memory, str, spec->field_count);
    ice_partition_field wanted;
    bool named;
    str nearest;

    for (size_t i = 0; i < spec->field_count; i++) {
        names[i] = spec->fields[i].name;
        if (spec->fields[i].transform.kind != ICE_VOID && str_equal_nocase(names[i], name)) {
            *ret_at = i;
            return STATUS_OK;
        }
    }
    if (parse_field(b, text, &wanted, &named, NULL) == STATUS_OK) {
        for (size_t i = 0; i < spec->field_count; i++) {
            if (same_field(&spec->fields[i], &wanted)) {
                *ret_at = i;
                return STATUS_OK;
            }
        }
    }
    nearest = str_nearest(name, names, spec->field_count);
    error_set(err, STATUS_NO_COLUMN, "the table has no partition field \"%.*s\"", STR_ARG(name));
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
    return STATUS_NO_COLUMN;
}

/* Version 1 finds values by place: what goes leaves a void behind. */
static void drop_at(const ice_builder *b, ice_partition_field *fields, size_t *count, size_t at)
{
    if (b->now.format_version == 1) {
        fields[at].transform = (ice_transform){.kind = ICE_VOID, .text = STR("void")};
        return;
    }
    for (size_t i = at + 1; i < *count; i++) {
        fields[i - 1] = fields[i];
    }
    (*count)--;
}

static status change_fields(ice_builder *b, str drop, str add, error *err)
{
    const ice_spec *spec = ice_metadata_spec(&b->now);
    ice_partition_field *fields = copy_fields(spec, 1, b->memory);
    ice_spec made = {.fields = fields, .field_count = spec->field_count};
    size_t at;

    if (!str_is_null(drop)) {
        TRY(find_field(b, drop, &at, err));
        drop_at(b, fields, &made.field_count, at);
    }
    if (!str_is_null(add)) {
        TRY(add_to(b, add, fields, &made.field_count, err));
    }
    return make_default(b, &made, true, err);
}

status ice_builder_add_partition_field(ice_builder *b, str text, error *err)
{
    return change_fields(b, STR_NULL, text, err);
}

status ice_builder_drop_partition_field(ice_builder *b, str text, error *err)
{
    return change_fields(b, text, STR_NULL, err);
}

status ice_builder_replace_partition_field(ice_builder *b, str from, str to, error *err)
{
    return change_fields(b, from, to, err);
}

/* --- sort orders --- */

static bool same_order(const ice_sort_order *x, const ice_sort_order *y)
{
    if (x->field_count != y->field_count) {
        return false;
    }
    for (size_t i = 0; i < x->field_count; i++) {
        if (x->fields[i].source_id != y->fields[i].source_id ||
            x->fields[i].descending != y->fields[i].descending ||
            x->fields[i].nulls_last != y->fields[i].nulls_last ||
            !str_equal(x->fields[i].transform.text, y->fields[i].transform.text)) {
            return false;
        }
    }
    return true;
}

static status check_order(const ice_builder *b, const ice_sort_order *order, error *err)
{
    for (size_t i = 0; i < order->field_count; i++) {
        const ice_sort_field *f = &order->fields[i];
        const ice_field *source = ice_schema_field(ice_metadata_schema(&b->now), f->source_id);
        const ice_type *result;

        if (source == NULL) {
            return error_set(err, STATUS_INVALID, "sort order: the table has no column %d",
                             (int)f->source_id);
        }
        if (f->transform.kind == ICE_TRANSFORM_UNKNOWN) {
            return error_set(err, STATUS_UNSUPPORTED, "sort order: transform \"%.*s\" is not known",
                             STR_ARG(f->transform.text));
        }
        if (ice_kind_is_nested(source->type->kind)) {
            return error_set(err, STATUS_INVALID, "sort order: column \"%.*s\" is a %s",
                             STR_ARG(source->name), ice_kind_name(source->type->kind));
        }
        TRY(ice_transform_result(&f->transform, source->type, &result, err));
    }
    return STATUS_OK;
}

status ice_builder_set_order(ice_builder *b, const ice_sort_order *order, error *err)
{
    ice_metadata *m = &b->now;
    ice_sort_order *list = ARENA_ARRAY(b->memory, ice_sort_order, m->order_count + 1);
    ice_sort_field *fields = ARENA_ARRAY(b->memory, ice_sort_field, order->field_count);
    int32_t next = 1; /* 0 is "unsorted", by the specification */

    TRY(check_order(b, order, err));
    for (size_t i = 0; i < m->order_count; i++) {
        if (same_order(&m->orders[i], order)) {
            m->default_order_id = m->orders[i].id;
            return STATUS_OK;
        }
        list[i] = m->orders[i];
        next = list[i].id >= next ? list[i].id + 1 : next;
    }
    for (size_t i = 0; i < order->field_count; i++) {
        fields[i] = order->fields[i];
        fields[i].transform.text = ice__copy(b->memory, fields[i].transform.text);
    }
    list[m->order_count] = (ice_sort_order){.id = order->field_count > 0 ? next : 0,
                                            .fields = fields,
                                            .field_count = order->field_count};
    m->default_order_id = list[m->order_count].id;
    m->orders = list;
    m->order_count++;
    return STATUS_OK;
}

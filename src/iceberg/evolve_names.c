/* evolve_names.c: what a table's properties say of columns by name follows the columns. A name mapping learns the names
 * that columns get; properties of one column go where it goes, and with it when it is dropped.
 * Source: Iceberg specification, "Name mapping serialization", "Column projection". */
#include "builder.h"

#include "tarn/base/limits.h"

#define NAME_MAPPING "schema.name-mapping.default"
#define OF_COLUMN ".column."

/* --- the name mapping --- */

static const json *entry_of_id(const json *level, int32_t id)
{
    for (size_t i = 0; i < json_count(level); i++) {
        if (json_int64_or(json_get(json_at(level, i), "field-id"), -1) == id) {
            return json_at(level, i);
        }
    }
    return NULL;
}

static bool entry_has_name(const json *entry, str name)
{
    const json *names = json_get(entry, "names");

    for (size_t i = 0; i < json_count(names); i++) {
        if (str_equal(json_str_or(json_at(names, i), STR_NULL), name)) {
            return true;
        }
    }
    return false;
}

/* A name that stands for a column keeps doing so, dropped or renamed as that may be: there are files that have it. */
static bool is_taken(const json *level, str name)
{
    for (size_t i = 0; i < json_count(level); i++) {
        if (entry_has_name(json_at(level, i), name)) {
            return true;
        }
    }
    return false;
}

static void put_level(const json *level, const ice_type *type, const ice_schema *before,
                      json_writer *w);

static void put_fields(const json *entry, const ice_type *type, const ice_schema *before,
                       json_writer *w)
{
    const json *below = json_get(entry, "fields");

    if (below != NULL || type->field_count > 0) {
        json_key(w, "fields");
        put_level(below, type, before, w);
    }
}

/* The entry, with the field's name among its names where that is a new one. */
static void put_entry(const json *level, const json *entry, const ice_field *field,
                      const ice_schema *before, json_writer *w)
{
    const json *names = json_get(entry, "names");
    const ice_field *old = ice_schema_field(before, field->id);

    json_begin_object(w);
    json_member_int(w, "field-id", field->id);
    json_key(w, "names");
    json_begin_array(w);
    for (size_t i = 0; i < json_count(names); i++) {
        json_put_value(w, json_at(names, i));
    }
    if ((old == NULL || !str_equal(old->name, field->name)) && !is_taken(level, field->name)) {
        json_put_str(w, field->name);
    }
    json_end_array(w);
    put_fields(entry, field->type, before, w);
    json_end_object(w);
}

static const ice_field *field_of_entry(const json *entry, const ice_type *type)
{
    int64_t id = json_int64_or(json_get(entry, "field-id"), -1);

    for (size_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].id == id) {
            return &type->fields[i];
        }
    }
    return NULL;
}

/* A column that was there and that no entry speaks of stays so: somebody left it out. */
static void put_level(const json *level, const ice_type *type, const ice_schema *before,
                      json_writer *w)
{
    json_begin_array(w);
    for (size_t i = 0; i < json_count(level); i++) {
        const ice_field *field = field_of_entry(json_at(level, i), type);

        if (field == NULL) {
            json_put_value(w, json_at(level, i)); /* of a column that is no more, or of none */
        } else {
            put_entry(level, json_at(level, i), field, before, w);
        }
    }
    for (size_t i = 0; i < type->field_count; i++) {
        if (ice_schema_field(before, type->fields[i].id) == NULL &&
            entry_of_id(level, type->fields[i].id) == NULL &&
            !is_taken(level, type->fields[i].name)) {
            put_entry(level, NULL, &type->fields[i], before, w);
        }
    }
    json_end_array(w);
}

static void follow_mapping(ice_builder *b, const ice_schema *before)
{
    str text = ice_metadata_property(&b->now, NAME_MAPPING, NULL);
    buf *out = buf_in(b->memory, LIMIT_METADATA_FILE);
    json_writer w;
    const json *mapping;

    /* One that cannot be read is left as it is: who reads by it says so. */
    if (str_is_null(text) || json_parse(text, b->memory, &mapping, NULL) != STATUS_OK ||
        json_kind_of(mapping) != JSON_ARRAY) {
        return;
    }
    json_writer_init(&w, out);
    put_level(mapping, ice_metadata_schema(&b->now)->root, before, &w);
    ice__put_property(b, STR(NAME_MAPPING), buf_str(out));
}

/* --- properties of one column --- */

/* The part of a key in front of a column's name, of the properties that tarn knows; or nothing. */
static str prefix_of_column(str key)
{
    size_t count;
    const ice_property_info *infos = ice_property_infos(&count);

    for (size_t i = 0; i < count; i++) {
        str pattern = str_c(infos[i].key);

        if (str_ends_with(pattern, STR(OF_COLUMN "*")) &&
            str_starts_with(key, str_slice(pattern, 0, pattern.size - 1))) {
            return str_slice(pattern, 0, pattern.size - 1);
        }
    }
    return STR_NULL;
}

/* Of the field that has this full name, nested or not; -1. */
static int32_t id_of_name(const ice_type *type, str above, str name, arena *a)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        str path = above.size == 0
                       ? field->name
                       : str_printf(a, "%.*s.%.*s", STR_ARG(above), STR_ARG(field->name));
        int32_t below;

        if (str_equal(path, name)) {
            return field->id;
        }
        below = str_starts_with(name, path) ? id_of_name(field->type, path, name, a) : -1;
        if (below >= 0) {
            return below;
        }
    }
    return -1;
}

status ice__check_property_column(const ice_metadata *m, str key, arena *a, error *err)
{
    str prefix = prefix_of_column(key);
    str name = str_slice(key, prefix.size, key.size);
    const ice_type *root = ice_metadata_schema(m)->root;
    str *names = ARENA_ARRAY(a, str, root->field_count);
    str nearest;

    if (str_is_null(prefix) || id_of_name(root, STR_NULL, name, a) >= 0) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < root->field_count; i++) {
        names[i] = root->fields[i].name;
    }
    nearest = str_nearest(name, names, root->field_count);
    error_set(err, STATUS_NO_COLUMN, "property \"%.*s\": there is no column \"%.*s\"", STR_ARG(key),
              STR_ARG(name));
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
    return STATUS_NO_COLUMN;
}

static void follow_columns(ice_builder *b, const ice_schema *before)
{
    const ice_property *properties = b->now.properties; /* replaced, not changed, below */
    size_t count = b->now.property_count;
    const ice_schema *after = ice_metadata_schema(&b->now);

    for (size_t i = 0; i < count; i++) {
        str prefix = prefix_of_column(properties[i].key);
        str name = str_slice(properties[i].key, prefix.size, properties[i].key.size);
        int32_t id = str_is_null(prefix) ? -1 : id_of_name(before->root, STR_NULL, name, b->memory);
        str now;

        if (id < 0) {
            continue;
        }
        now =
            ice_schema_field(after, id) == NULL ? STR_NULL : ice_schema_path(after, id, b->memory);
        if (str_is_null(now)) {
            ice_builder_remove_property(b, properties[i].key);
        } else if (!str_equal(now, name)) {
            ice_builder_remove_property(b, properties[i].key);
            ice__put_property(b, str_printf(b->memory, "%.*s%.*s", STR_ARG(prefix), STR_ARG(now)),
                              properties[i].value);
        }
    }
}

void ice__follow_names(ice_builder *b, const ice_schema *before)
{
    follow_columns(b, before);
    follow_mapping(b, before);
}

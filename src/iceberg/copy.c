/* copy.c: deep copies into another arena: how new metadata, put together from parts of the old, becomes a value
 * of its own that outlives them. */
#include <stdatomic.h>

#include "chapter.h"

/* Declares `target`, an array in `a` that starts as a copy of `source`. */
#define COPY_ARRAY(a, type, target, source, count)        \
    type *target = ARENA_ARRAY((a), type, (count));       \
    if ((count) > 0) {                                    \
        memcpy(target, (source), sizeof(type) * (count)); \
    }

str ice__copy(arena *a, str s)
{
    return str_is_null(s) ? STR_NULL : str_copy(a, s);
}

const ice_property *ice__properties_copy(const ice_property *properties, size_t count, arena *a)
{
    ice_property *copies = ARENA_ARRAY(a, ice_property, count);

    for (size_t i = 0; i < count; i++) {
        copies[i] = (ice_property){.key = ice__copy(a, properties[i].key),
                                   .value = ice__copy(a, properties[i].value)};
    }
    return copies;
}

static const int32_t *copy_ids(const int32_t *ids, size_t count, arena *a)
{
    COPY_ARRAY(a, int32_t, copies, ids, count)
    return copies;
}

/* --- schemas, specs, orders --- */

const ice_type *ice__type_copy(const ice_type *type, arena *a)
{
    ice_type *made;

    if (type == ice_type_primitive(type->kind)) {
        return type; /* shared by all */
    }
    made = ARENA_NEW(a, ice_type);
    *made = *type;
    made->parameters = ice__copy(a, type->parameters);
    COPY_ARRAY(a, ice_field, fields, type->fields, type->field_count)
    for (size_t i = 0; i < type->field_count; i++) {
        fields[i].name = ice__copy(a, fields[i].name);
        fields[i].doc = ice__copy(a, fields[i].doc);
        fields[i].type = ice__type_copy(fields[i].type, a);
        fields[i].initial_default = ice__json_copy(fields[i].initial_default, a);
        fields[i].write_default = ice__json_copy(fields[i].write_default, a);
    }
    made->fields = fields;
    return made;
}

ice_schema ice__schema_copy(const ice_schema *schema, arena *a)
{
    return (ice_schema){.id = schema->id,
                        .root = ice__type_copy(schema->root, a),
                        .identifier_ids =
                            copy_ids(schema->identifier_ids, schema->identifier_count, a),
                        .identifier_count = schema->identifier_count};
}

static ice_transform copy_transform(const ice_transform *t, arena *a)
{
    return (ice_transform){
        .kind = t->kind, .parameter = t->parameter, .text = ice__copy(a, t->text)};
}

static ice_spec copy_spec(const ice_spec *spec, arena *a)
{
    COPY_ARRAY(a, ice_partition_field, fields, spec->fields, spec->field_count)
    for (size_t i = 0; i < spec->field_count; i++) {
        fields[i].name = ice__copy(a, fields[i].name);
        fields[i].transform = copy_transform(&fields[i].transform, a);
    }
    return (ice_spec){.id = spec->id, .fields = fields, .field_count = spec->field_count};
}

static ice_sort_order copy_order(const ice_sort_order *order, arena *a)
{
    COPY_ARRAY(a, ice_sort_field, fields, order->fields, order->field_count)
    for (size_t i = 0; i < order->field_count; i++) {
        fields[i].transform = copy_transform(&fields[i].transform, a);
    }
    return (ice_sort_order){.id = order->id, .fields = fields, .field_count = order->field_count};
}

/* --- snapshots --- */

ice_snapshot ice__snapshot_copy(const ice_snapshot *snapshot, arena *a)
{
    ice_snapshot s = *snapshot;

    s.manifest_list = ice__copy(a, s.manifest_list);
    COPY_ARRAY(a, str, manifests, s.manifests, s.manifest_count)
    for (size_t i = 0; i < s.manifest_count; i++) {
        manifests[i] = ice__copy(a, manifests[i]);
    }
    s.manifests = manifests;
    s.summary = ice__properties_copy(s.summary, s.summary_count, a);
    s.unknown = ice__properties_copy(s.unknown, s.unknown_count, a);
    s.text = STR_NULL;
    s.chapter = NULL;
    return s;
}

static void release_chapter(void *chapter)
{
    ice__chapter_unref(chapter);
}

/* The run of snapshots that lie where the first one does. */
static size_t run_length(const ice_snapshot *snapshots, size_t count)
{
    size_t length = 1;

    while (length < count && snapshots[length].chapter == snapshots[0].chapter) {
        length++;
    }
    return length;
}

/* The first snapshots into `to`: shared where they are of a chapter, as a new chapter where there are enough of them,
 * else one by one. Returns how many. */
static size_t copy_run(const ice_snapshot *from, size_t count, int format_version, arena *a,
                       ice_snapshot *to)
{
    const ice_chapter *chapter = from[0].chapter;
    size_t length = run_length(from, count);

    if (chapter != NULL) {
        ice__chapter_ref(chapter);
    } else if (length >= ICE__CHAPTER_SNAPSHOTS) {
        length = ICE__CHAPTER_SNAPSHOTS;
        chapter = ice__chapter_create(from, length, format_version);
        from = chapter != NULL ? chapter->snapshots : from;
    }
    if (chapter != NULL) {
        memcpy(to, from, sizeof(*to) * length);
        arena_defer(a, release_chapter, (void *)(uintptr_t)chapter);
        return length;
    }
    for (size_t i = 0; i < length; i++) {
        /* With its text: a commit after this one writes what it adds, not the history again. */
        to[i] = ice__snapshot_copy(&from[i], a);
        to[i].text = ice__snapshot_text(&from[i], format_version, a);
    }
    return length;
}

/* --- the whole --- */

static void copy_structure(const ice_metadata *from, arena *a, ice_metadata *to)
{
    ice_schema *schemas = ARENA_ARRAY(a, ice_schema, from->schema_count);
    ice_spec *specs = ARENA_ARRAY(a, ice_spec, from->spec_count);
    ice_sort_order *orders = ARENA_ARRAY(a, ice_sort_order, from->order_count);

    for (size_t i = 0; i < from->schema_count; i++) {
        schemas[i] = ice__schema_copy(&from->schemas[i], a);
    }
    for (size_t i = 0; i < from->spec_count; i++) {
        specs[i] = copy_spec(&from->specs[i], a);
    }
    for (size_t i = 0; i < from->order_count; i++) {
        orders[i] = copy_order(&from->orders[i], a);
    }
    to->schemas = schemas;
    to->specs = specs;
    to->orders = orders;
}

static void copy_history(const ice_metadata *from, arena *a, ice_metadata *to)
{
    ice_snapshot *snapshots = ARENA_ARRAY(a, ice_snapshot, from->snapshot_count);

    COPY_ARRAY(a, ice_log_entry, snapshot_log, from->snapshot_log, from->snapshot_log_count)
    COPY_ARRAY(a, ice_log_entry, metadata_log, from->metadata_log, from->metadata_log_count)
    COPY_ARRAY(a, ice_ref, refs, from->refs, from->ref_count)
    for (size_t i = 0; i < from->snapshot_count;) {
        i += copy_run(&from->snapshots[i], from->snapshot_count - i, from->format_version, a,
                      &snapshots[i]);
    }
    for (size_t i = 0; i < from->metadata_log_count; i++) {
        metadata_log[i].metadata_file = ice__copy(a, metadata_log[i].metadata_file);
    }
    for (size_t i = 0; i < from->ref_count; i++) {
        refs[i].name = ice__copy(a, refs[i].name);
    }
    to->snapshots = snapshots;
    to->snapshot_log = snapshot_log;
    to->metadata_log = metadata_log;
    to->refs = refs;
}

void ice__metadata_assign(ice_metadata *to, const ice_metadata *from)
{
    /* Others count their references meanwhile: the last two members are no part of the value. */
    memcpy(to, from, offsetof(ice_metadata, memory));
}

ice_metadata *ice__metadata_copy(const ice_metadata *m)
{
    arena *a = arena_create();
    ice_metadata *made = ARENA_NEW(a, ice_metadata);

    ice__metadata_assign(made, m);
    made->uuid = ice__copy(a, m->uuid);
    made->location = ice__copy(a, m->location);
    copy_structure(m, a, made);
    copy_history(m, a, made);
    made->properties = ice__properties_copy(m->properties, m->property_count, a);
    made->unknown = ice__properties_copy(m->unknown, m->unknown_count, a);
    made->memory = a;
    atomic_init(&made->references, 1);
    return made;
}

/* keep.c: changes that outlive the statement that made them, so that a transaction can make them again on a newer base:
 * deep copies of what a change says. The bytes of its files are not part of it. */
#include "tarn/iceberg/overwrite.h"

#include "internal.h"

#define COPY(a, type, source, count) copy_bytes((a), (source), sizeof(type) * (count))

static const void *copy_bytes(arena *a, const void *from, size_t size_bytes)
{
    void *made;

    if (size_bytes == 0) {
        return NULL;
    }
    made = arena_alloc(a, size_bytes);
    memcpy(made, from, size_bytes);
    return made;
}

static const ice_value *copy_values(const ice_value *values, size_t count, arena *a)
{
    ice_value *made = ARENA_ARRAY(a, ice_value, count);

    for (size_t i = 0; i < count; i++) {
        made[i] = values[i];
        made[i].bytes = ice__copy(a, values[i].bytes);
    }
    return made;
}

static const avro_int_bytes *copy_bounds(const avro_int_bytes *bounds, size_t count, arena *a)
{
    avro_int_bytes *made = ARENA_ARRAY(a, avro_int_bytes, count);

    for (size_t i = 0; i < count; i++) {
        made[i] = bounds[i];
        made[i].value = ice__copy(a, bounds[i].value);
    }
    return made;
}

static ice_file copy_file(const ice_file *f, arena *a)
{
    ice_file made = *f;

    made.path = ice__copy(a, f->path);
    made.format = ice__copy(a, f->format);
    made.partition = copy_values(f->partition, f->partition_count, a);
    made.column_sizes = COPY(a, avro_int_long, f->column_sizes, f->column_size_count);
    made.value_counts = COPY(a, avro_int_long, f->value_counts, f->value_count_count);
    made.null_counts = COPY(a, avro_int_long, f->null_counts, f->null_count_count);
    made.nan_counts = COPY(a, avro_int_long, f->nan_counts, f->nan_count_count);
    made.lower_bounds = copy_bounds(f->lower_bounds, f->lower_bound_count, a);
    made.upper_bounds = copy_bounds(f->upper_bounds, f->upper_bound_count, a);
    made.split_offsets = COPY(a, int64_t, f->split_offsets, f->split_offset_count);
    made.equality_ids = COPY(a, int32_t, f->equality_ids, f->equality_id_count);
    made.key_metadata = ice__copy(a, f->key_metadata);
    made.referenced_data_file = ice__copy(a, f->referenced_data_file);
    return made;
}

static const ice_file *copy_files(const ice_file *files, size_t count, arena *a)
{
    ice_file *made = ARENA_ARRAY(a, ice_file, count);

    for (size_t i = 0; i < count; i++) {
        made[i] = copy_file(&files[i], a);
    }
    return made;
}

/* Trees from SQL have a bounded depth (engine/sql/tree_limit.c). */
static const ice_expr *copy_expr(const ice_expr *e, arena *a)
{
    const ice_expr **children;
    ice_expr *made;

    if (e == NULL) {
        return NULL;
    }
    made = ARENA_NEW(a, ice_expr);
    children = ARENA_ARRAY(a, const ice_expr *, e->child_count);
    *made = *e;
    for (size_t i = 0; i < e->child_count; i++) {
        children[i] = copy_expr(e->children[i], a);
    }
    made->children = children;
    made->values = copy_values(e->values, e->value_count, a);
    return made;
}

ice_append ice_append_copy(const ice_append *append, arena *a)
{
    ice_append made = {.files = copy_files(append->files, append->file_count, a),
                       .file_count = append->file_count,
                       .table_uuid = ice__copy(a, append->table_uuid),
                       .summary = ice__properties_copy(append->summary, append->summary_count, a),
                       .summary_count = append->summary_count,
                       .schema_id = append->schema_id};

    return made;
}

ice_overwrite ice_overwrite_copy(const ice_overwrite *change, arena *a)
{
    ice_overwrite made = *change;
    str *referenced = ARENA_ARRAY(a, str, change->referenced_count);

    for (size_t i = 0; i < change->referenced_count; i++) {
        referenced[i] = ice__copy(a, change->referenced[i]);
    }
    made.branch = ice__copy(a, change->branch);
    made.added = copy_files(change->added, change->added_count, a);
    made.removed = copy_files(change->removed, change->removed_count, a);
    made.referenced = referenced;
    made.filter = copy_expr(change->filter, a);
    made.staged = NULL;
    made.staged_count = 0;
    made.unstaged = NULL;
    made.unstaged_count = 0;
    made.table_uuid = ice__copy(a, change->table_uuid);
    made.summary = ice__properties_copy(change->summary, change->summary_count, a);
    made.extra = NULL;
    made.extra_context = NULL;
    made.own = NULL;
    made.own_count = 0;
    return made;
}

ice_metadata *ice_metadata_with_log(const ice_metadata *m, const ice_metadata *of)
{
    ice_metadata shallow;

    ice__metadata_assign(&shallow, m);
    shallow.metadata_log = of != NULL ? of->metadata_log : NULL;
    shallow.metadata_log_count = of != NULL ? of->metadata_log_count : 0;
    return ice__metadata_copy(&shallow);
}

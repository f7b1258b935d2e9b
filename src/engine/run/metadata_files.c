/* Metadata tables of files, from the entries of manifests: files, entries, partitions. */
#include <stdlib.h>

#include "run/metadata_tables.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/base/vec.h"

#define UNHEX_MAP(name)                                                                   \
    "map_from_entries(list_transform(map_entries(" name "), lambda e: {'k': e.key, 'v': " \
    "unhex(e.value)}))"

/* ---- entries of manifests ---- */

status metadata_each_entry(metadata_rows *t, bool every_snapshot, metadata_take_entry *take,
                           void *context, error *err)
{
    metadata_manifest *list;
    size_t count;

    TRY(metadata_manifests(t, every_snapshot, false, t->q->a, &list, &count, err));
    for (size_t i = 0; i < count; i++) {
        arena *a = arena_child(t->q->a);
        const ice_entry *entries;
        size_t entry_count;
        status result = ice_manifest_entries(t->q->r->e->options.storage, t->m, list[i].manifest, a,
                                             &entries, &entry_count, err);
        for (size_t k = 0; result == STATUS_OK && k < entry_count; k++) {
            result = take(t, &entries[k], context, a, err);
        }
        arena_free(a);
        TRY(result);
    }
    return STATUS_OK;
}

/* ---- columns of a file ---- */

static const struct {
    const char *name, *type;
    const char *shown; /* NULL: as it is */
} file_columns[] = {
    {"content", "INTEGER", NULL},
    {"file_path", "VARCHAR", NULL},
    {"file_format", "VARCHAR", NULL},
    {"spec_id", "INTEGER", NULL},
    {"partition", NULL, NULL},
    {"record_count", "BIGINT", NULL},
    {"file_size_in_bytes", "BIGINT", NULL},
    {"column_sizes", "MAP(INTEGER, BIGINT)", NULL},
    {"value_counts", "MAP(INTEGER, BIGINT)", NULL},
    {"null_value_counts", "MAP(INTEGER, BIGINT)", NULL},
    {"nan_value_counts", "MAP(INTEGER, BIGINT)", NULL},
    {"lower_bounds", "MAP(INTEGER, VARCHAR)", UNHEX_MAP("lower_bounds")},
    {"upper_bounds", "MAP(INTEGER, VARCHAR)", UNHEX_MAP("upper_bounds")},
    {"key_metadata", "VARCHAR", "unhex(key_metadata)"},
    {"split_offsets", "BIGINT[]", NULL},
    {"equality_ids", "INTEGER[]", NULL},
    {"sort_order_id", "INTEGER", NULL},
    {"first_row_id", "BIGINT", NULL},
    {"referenced_data_file", "VARCHAR", NULL},
    {"content_offset", "BIGINT", NULL},
    {"content_size_in_bytes", "BIGINT", NULL},
};

/* The type and the expression of a column; false where the table has none. */
static bool file_column(metadata_rows *t, size_t index, str *ret_type, str *ret_shown)
{
    if (file_columns[index].type == NULL) {
        metadata_partition_column(t, ret_type, ret_shown);
        return t->partition->field_count > 0;
    }
    *ret_type = str_c(file_columns[index].type);
    *ret_shown = str_c(file_columns[index].shown != NULL ? file_columns[index].shown
                                                         : file_columns[index].name);
    return true;
}

static void add_file_columns(metadata_rows *t)
{
    str type, shown;
    for (size_t i = 0; i < COUNT_OF(file_columns); i++) {
        if (file_column(t, i, &type, &shown)) {
            metadata_column_as(t, file_columns[i].name, type, shown);
        }
    }
}

static void put_counts(metadata_rows *t, const char *key, const avro_int_long *counts, size_t count,
                       arena *a)
{
    if (count == 0) {
        json_member_null(&t->w, key);
        return;
    }
    json_key(&t->w, key);
    json_begin_object(&t->w);
    for (size_t i = 0; i < count; i++) {
        json_key_str(&t->w, str_printf(a, "%d", counts[i].key));
        json_put_int(&t->w, counts[i].value);
    }
    json_end_object(&t->w);
}

static void put_bounds(metadata_rows *t, const char *key, const avro_int_bytes *bounds,
                       size_t count, arena *a)
{
    if (count == 0) {
        json_member_null(&t->w, key);
        return;
    }
    json_key(&t->w, key);
    json_begin_object(&t->w);
    for (size_t i = 0; i < count; i++) {
        json_key_str(&t->w, str_printf(a, "%d", bounds[i].key));
        metadata_put_hex(&t->w, bounds[i].value);
    }
    json_end_object(&t->w);
}

static void put_lists(metadata_rows *t, const ice_file *file)
{
    json_key(&t->w, "split_offsets");
    if (file->split_offset_count == 0) {
        json_put_null(&t->w);
    } else {
        json_begin_array(&t->w);
        for (size_t i = 0; i < file->split_offset_count; i++) {
            json_put_int(&t->w, file->split_offsets[i]);
        }
        json_end_array(&t->w);
    }
    json_key(&t->w, "equality_ids");
    if (file->equality_id_count == 0) {
        json_put_null(&t->w);
    } else {
        json_begin_array(&t->w);
        for (size_t i = 0; i < file->equality_id_count; i++) {
            json_put_int(&t->w, file->equality_ids[i]);
        }
        json_end_array(&t->w);
    }
}

static void put_file(metadata_rows *t, const ice_file *file, arena *a)
{
    json_member_int(&t->w, "content", (int)file->content);
    json_member_str(&t->w, "file_path", file->path);
    json_member_str(&t->w, "file_format", file->format);
    json_member_int(&t->w, "spec_id", file->spec_id);
    metadata_put_partition(t, file, a);
    json_member_int(&t->w, "record_count", file->record_count);
    json_member_int(&t->w, "file_size_in_bytes", file->size_bytes);
    put_counts(t, "column_sizes", file->column_sizes, file->column_size_count, a);
    put_counts(t, "value_counts", file->value_counts, file->value_count_count, a);
    put_counts(t, "null_value_counts", file->null_counts, file->null_count_count, a);
    put_counts(t, "nan_value_counts", file->nan_counts, file->nan_count_count, a);
    put_bounds(t, "lower_bounds", file->lower_bounds, file->lower_bound_count, a);
    put_bounds(t, "upper_bounds", file->upper_bounds, file->upper_bound_count, a);
    json_key(&t->w, "key_metadata");
    metadata_put_hex(&t->w, file->key_metadata);
    put_lists(t, file);
    metadata_put_number(t, "sort_order_id", file->sort_order_id, file->sort_order_id < 0);
    metadata_put_number(t, "first_row_id", file->first_row_id, file->first_row_id < 0);
    metadata_put_text(t, "referenced_data_file", file->referenced_data_file);
    metadata_put_number(t, "content_offset", file->content_offset, file->content_offset < 0);
    metadata_put_number(t, "content_size_in_bytes", file->content_size_bytes,
                        file->content_size_bytes < 0);
}

/* ---- readable_metrics ---- */

/* A leaf of the schema that has metrics. */
typedef struct leaf {
    str path;
    const ice_field *field;
} leaf;
typedef VEC(leaf) leaf_list;

static void find_leaves(const ice_schema *schema, const ice_type *type, arena *a, leaf_list *leaves)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        if (ice_kind_is_nested(field->type->kind)) {
            find_leaves(schema, field->type, a, leaves);
        } else {
            leaf one = {.path = ice_schema_path(schema, field->id, a), .field = field};
            vec_push(a, leaves, one);
        }
    }
}

static int compare_leaves(const void *x, const void *y)
{
    return str_compare(((const leaf *)x)->path, ((const leaf *)y)->path);
}

/* Names that differ by case alone are one to DuckDB: the later ones get a number. */
static void make_unique(leaf_list *leaves, arena *a)
{
    map *seen = map_create(a);
    for (size_t i = 0; i < leaves->count; i++) {
        str path = leaves->items[i].path;
        for (int number = 1; map_has(seen, str_lower(a, leaves->items[i].path)); number++) {
            leaves->items[i].path = str_printf(a, "%.*s_%d", STR_ARG(path), number);
        }
        map_set(seen, str_lower(a, leaves->items[i].path), leaves);
    }
}

static const char *const metric_names[] = {"column_size",     "value_count", "null_value_count",
                                           "nan_value_count", "lower_bound", "upper_bound"};
#define METRIC_BOUNDS 4 /* the first of them */

static bool is_bytes(const ice_type *type)
{
    return type->kind == ICE_BINARY || type->kind == ICE_FIXED;
}

static void put_metrics_types(const leaf *one, buf *type, buf *shown)
{
    sql_quote_name(type, one->path);
    buf_add_c(type, " STRUCT(");
    sql_quote_name(shown, one->path);
    buf_add_c(shown, " := struct_pack(");
    for (size_t i = 0; i < COUNT_OF(metric_names); i++) {
        const char *comma = i > 0 ? ", " : "";
        bool hex = i >= METRIC_BOUNDS && is_bytes(one->field->type);
        buf_printf(type, "%s%s ", comma, metric_names[i]);
        if (i >= METRIC_BOUNDS) {
            metadata_value_type(one->field->type, type);
        } else {
            buf_add_c(type, "BIGINT");
        }
        buf_printf(shown, "%s%s := %s(readable_metrics.", comma, metric_names[i],
                   hex ? "unhex" : "");
        sql_quote_name(shown, one->path);
        buf_printf(shown, ".%s)", metric_names[i]);
    }
    buf_add_char(type, ')');
    buf_add_char(shown, ')');
}

static leaf_list add_metrics_column(metadata_rows *t)
{
    arena *a = t->q->a;
    const ice_schema *schema = ice_metadata_schema(t->m);
    leaf_list leaves = {0};
    buf *type = buf_in(a, LIMIT_SQL_TEXT), *shown = buf_in(a, LIMIT_SQL_TEXT);

    find_leaves(schema, schema->root, a, &leaves);
    if (leaves.count == 0) {
        return leaves;
    }
    qsort(leaves.items, leaves.count, sizeof(*leaves.items), compare_leaves);
    make_unique(&leaves, a);
    buf_add_c(type, "STRUCT(");
    buf_add_c(shown, "struct_pack(");
    for (size_t i = 0; i < leaves.count; i++) {
        buf_add_c(type, i > 0 ? ", " : "");
        buf_add_c(shown, i > 0 ? ", " : "");
        put_metrics_types(&leaves.items[i], type, shown);
    }
    buf_add_char(type, ')');
    buf_add_char(shown, ')');
    metadata_column_as(t, "readable_metrics", buf_str(type), buf_str(shown));
    return leaves;
}

static void put_metric(metadata_rows *t, const char *key, const avro_int_long *counts, size_t count,
                       int32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (counts[i].key == id) {
            json_member_int(&t->w, key, counts[i].value);
            return;
        }
    }
}

static void put_bound(metadata_rows *t, const char *key, const avro_int_bytes *bounds, size_t count,
                      const ice_field *field, arena *a)
{
    ice_value value;
    for (size_t i = 0; i < count; i++) {
        if (bounds[i].key == field->id &&
            ice_value_decode(field->type, bounds[i].value, &value, NULL) == STATUS_OK) {
            json_key(&t->w, key);
            metadata_put_value(&t->w, field->type, &value, a);
            return;
        }
    }
}

static void put_metrics(metadata_rows *t, const ice_file *file, const leaf_list *leaves, arena *a)
{
    json_key(&t->w, "readable_metrics");
    json_begin_object(&t->w);
    for (size_t i = 0; i < leaves->count; i++) {
        const ice_field *field = leaves->items[i].field;
        json_key_str(&t->w, leaves->items[i].path);
        json_begin_object(&t->w);
        put_metric(t, "column_size", file->column_sizes, file->column_size_count, field->id);
        put_metric(t, "value_count", file->value_counts, file->value_count_count, field->id);
        put_metric(t, "null_value_count", file->null_counts, file->null_count_count, field->id);
        put_metric(t, "nan_value_count", file->nan_counts, file->nan_count_count, field->id);
        put_bound(t, "lower_bound", file->lower_bounds, file->lower_bound_count, field, a);
        put_bound(t, "upper_bound", file->upper_bounds, file->upper_bound_count, field, a);
        json_end_object(&t->w);
    }
    json_end_object(&t->w);
}

/* ---- files ---- */

typedef struct file_rows {
    int variant;
    leaf_list leaves;
} file_rows;

static status take_file(metadata_rows *t, const ice_entry *entry, void *context, arena *a,
                        error *err)
{
    const file_rows *rows = context;
    int kind = entry->file.content == ICE_DATA ? METADATA_DATA : METADATA_DELETES;
    if (entry->status == ICE_DELETED || (rows->variant & kind) == 0) {
        return STATUS_OK;
    }
    metadata_begin_row(t);
    put_file(t, &entry->file, a);
    put_metrics(t, &entry->file, &rows->leaves, a);
    return metadata_end_row(t, err);
}

status metadata_files(metadata_rows *t, int variant, error *err)
{
    file_rows rows = {.variant = variant};
    add_file_columns(t);
    rows.leaves = add_metrics_column(t);
    return metadata_each_entry(t, (variant & METADATA_ALL) != 0, take_file, &rows, err);
}

/* ---- entries ---- */

static status take_entry_row(metadata_rows *t, const ice_entry *entry, void *context, arena *a,
                             error *err)
{
    const file_rows *rows = context;
    const ice_file *file = &entry->file;
    metadata_begin_row(t);
    json_member_int(&t->w, "status", (int)entry->status);
    metadata_put_number(t, "snapshot_id", file->snapshot_id, file->snapshot_id == ICE_NO_SNAPSHOT);
    metadata_put_number(t, "sequence_number", file->data_sequence, file->data_sequence < 0);
    metadata_put_number(t, "file_sequence_number", file->file_sequence, file->file_sequence < 0);
    put_file(t, file, a);
    put_metrics(t, file, &rows->leaves, a);
    return metadata_end_row(t, err);
}

/* The file's columns are shown as one struct. */
status metadata_entries(metadata_rows *t, int variant, error *err)
{
    file_rows rows = {.variant = variant};
    buf *file = buf_in(t->q->a, LIMIT_SQL_TEXT);
    str type, shown;

    metadata_column(t, "status", "INTEGER");
    metadata_column(t, "snapshot_id", "BIGINT");
    metadata_column(t, "sequence_number", "BIGINT");
    metadata_column(t, "file_sequence_number", "BIGINT");
    buf_add_c(file, "struct_pack(");
    for (size_t i = 0; i < COUNT_OF(file_columns); i++) {
        if (file_column(t, i, &type, &shown)) {
            metadata_read_as(t, file_columns[i].name, type);
            buf_printf(file, "%s%s := (%.*s)", i > 0 ? ", " : "", file_columns[i].name,
                       STR_ARG(shown));
        }
    }
    buf_add_char(file, ')');
    metadata_show_as(t, "data_file", buf_str(file));
    rows.leaves = add_metrics_column(t);
    return metadata_each_entry(t, (variant & METADATA_ALL) != 0, take_entry_row, &rows, err);
}

/* ---- partitions ---- */

typedef struct partition_row {
    ice_file file; /* the first: its partition */
    int32_t spec_id;
    int64_t counts[3], rows[3], data_bytes; /* by content */
    const ice_snapshot *updated;
} partition_row;

typedef struct partition_rows {
    arena *a;
    map *known;
    VEC(partition_row *) rows;
} partition_rows;

/* By its values alone: partitions of several specs are one where their values are equal. */
static str partition_key(const metadata_rows *t, const ice_file *file, arena *a)
{
    buf *text = buf_in(a, LIMIT_MIB);
    metadata_rows probe = *t;
    json_writer_init(&probe.w, text);
    json_begin_object(&probe.w);
    metadata_put_partition(&probe, file, a);
    json_end_object(&probe.w);
    return buf_str(text);
}

static status take_partition(metadata_rows *t, const ice_entry *entry, void *context, arena *a,
                             error *err)
{
    partition_rows *rows = context;
    const ice_file *file = &entry->file;
    (void)err;
    if (entry->status == ICE_DELETED) {
        return STATUS_OK;
    }
    str key = partition_key(t, file, a);
    partition_row *row = map_get(rows->known, key);
    if (row == NULL) {
        row = ARENA_NEW(rows->a, partition_row);
        *row = (partition_row){.file = *file};
        ice_value *values = ARENA_ARRAY(rows->a, ice_value, file->partition_count + 1);
        for (size_t i = 0; i < file->partition_count; i++) {
            values[i] = file->partition[i];
            values[i].bytes = str_copy(rows->a, values[i].bytes);
        }
        row->file.partition = values;
        map_set(rows->known, key, row);
        vec_push(rows->a, &rows->rows, row);
    }
    const ice_snapshot *snapshot = ice_metadata_snapshot_by_id(t->m, file->snapshot_id);
    if (snapshot != NULL &&
        (row->updated == NULL || snapshot->timestamp_ms > row->updated->timestamp_ms)) {
        row->updated = snapshot;
    }
    row->spec_id = file->spec_id;
    row->counts[file->content]++;
    row->rows[file->content] += file->record_count;
    row->data_bytes += file->content == ICE_DATA ? file->size_bytes : 0;
    return STATUS_OK;
}

static status put_partition_row(metadata_rows *t, const partition_row *row, arena *a, error *err)
{
    metadata_begin_row(t);
    metadata_put_partition(t, &row->file, a);
    json_member_int(&t->w, "spec_id", row->spec_id);
    json_member_int(&t->w, "record_count", row->rows[ICE_DATA]);
    json_member_int(&t->w, "file_count", row->counts[ICE_DATA]);
    json_member_int(&t->w, "total_data_file_size_in_bytes", row->data_bytes);
    json_member_int(&t->w, "position_delete_record_count", row->rows[ICE_POSITION_DELETES]);
    json_member_int(&t->w, "position_delete_file_count", row->counts[ICE_POSITION_DELETES]);
    json_member_int(&t->w, "equality_delete_record_count", row->rows[ICE_EQUALITY_DELETES]);
    json_member_int(&t->w, "equality_delete_file_count", row->counts[ICE_EQUALITY_DELETES]);
    if (row->updated != NULL) {
        metadata_put_time(t, "last_updated_at", row->updated->timestamp_ms);
        json_member_int(&t->w, "last_updated_snapshot_id", row->updated->id);
    }
    return metadata_end_row(t, err);
}

status metadata_partitions(metadata_rows *t, int variant, error *err)
{
    arena *a = t->q->a;
    partition_rows rows = {.a = a, .known = map_create(a)};
    str type, shown;
    (void)variant;

    if (t->partition->field_count > 0) {
        metadata_partition_column(t, &type, &shown);
        metadata_column_as(t, "partition", type, shown);
        metadata_column(t, "spec_id", "INTEGER");
    }
    metadata_column(t, "record_count", "BIGINT");
    metadata_column(t, "file_count", "INTEGER");
    metadata_column(t, "total_data_file_size_in_bytes", "BIGINT");
    metadata_column(t, "position_delete_record_count", "BIGINT");
    metadata_column(t, "position_delete_file_count", "INTEGER");
    metadata_column(t, "equality_delete_record_count", "BIGINT");
    metadata_column(t, "equality_delete_file_count", "INTEGER");
    metadata_column(t, "last_updated_at", "TIMESTAMP WITH TIME ZONE");
    metadata_column(t, "last_updated_snapshot_id", "BIGINT");
    TRY(metadata_each_entry(t, false, take_partition, &rows, err));
    for (size_t i = 0; i < rows.rows.count; i++) {
        TRY(put_partition_row(t, rows.rows.items[i], a, err));
    }
    return STATUS_OK;
}

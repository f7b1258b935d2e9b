/* manifest_format.c: manifests and manifest lists written. Their Avro schemas are in manifest_schema.c. */
#include <math.h>

#include "tarn/base/limits.h"

#include "internal.h"
#include "manifest_columns.h"

/* Records are packed in blocks of about this size before compression. */
enum { BLOCK_BYTES = 64 * 1024 };

static void put_optional_long(buf *out, int64_t value, int64_t absent)
{
    avro_put_branch(out, value == absent ? 0 : 1);
    if (value != absent) {
        avro_put_long(out, value);
    }
}

static void put_optional_bytes(buf *out, str value)
{
    avro_put_branch(out, str_is_null(value) ? 0 : 1);
    if (!str_is_null(value)) {
        avro_put_bytes(out, value);
    }
}

/* Arrays: one block of `count` items, then the end. */
static bool begin_array(buf *out, size_t count)
{
    avro_put_branch(out, count > 0 ? 1 : 0);
    if (count > 0) {
        avro_put_long(out, (int64_t)count);
    }
    return count > 0;
}

static void put_counts(buf *out, const avro_int_long *items, size_t count)
{
    if (begin_array(out, count)) {
        for (size_t i = 0; i < count; i++) {
            avro_put_long(out, items[i].key);
            avro_put_long(out, items[i].value);
        }
        avro_put_long(out, 0);
    }
}

static void put_bounds(buf *out, const avro_int_bytes *items, size_t count)
{
    if (begin_array(out, count)) {
        for (size_t i = 0; i < count; i++) {
            avro_put_long(out, items[i].key);
            avro_put_bytes(out, items[i].value);
        }
        avro_put_long(out, 0);
    }
}

/* --- entries --- */

static void put_value(buf *out, const ice_type *type, const ice_value *v)
{
    uint8_t bytes[16];
    uint8_t fixed[16];
    size_t size;
    size_t width;

    avro_put_branch(out, v->is_null ? 0 : 1);
    if (v->is_null) {
        return;
    }
    switch (type->kind) {
    case ICE_BOOLEAN:
        avro_put_bool(out, v->integer != 0);
        return;
    case ICE_FLOAT:
        avro_put_float(out, (float)v->real);
        return;
    case ICE_DOUBLE:
        avro_put_double(out, v->real);
        return;
    case ICE_DECIMAL:
        size = ice__decimal_bytes(ice__decimal(v), bytes);
        width = (size_t)ice__decimal_width(type->precision);
        memset(fixed, bytes[0] >= 0x80 ? 0xff : 0, sizeof(fixed));
        memcpy(fixed + (width - size), bytes, size);
        avro_put_fixed(out, str_from((const char *)fixed, width));
        return;
    case ICE_UUID:
    case ICE_FIXED:
        avro_put_fixed(out, v->bytes);
        return;
    case ICE_STRING:
    case ICE_BINARY:
        avro_put_bytes(out, v->bytes);
        return;
    default:
        avro_put_long(out, v->integer);
        return;
    }
}

static void put_partition(buf *out, const ice_type *types, const ice_file *f)
{
    const ice_value null = {.is_null = true};

    for (size_t i = 0; i < types->field_count; i++) {
        put_value(out, types->fields[i].type, i < f->partition_count ? &f->partition[i] : &null);
    }
}

static void put_splits(buf *out, const ice_file *f)
{
    if (begin_array(out, f->split_offset_count)) {
        for (size_t i = 0; i < f->split_offset_count; i++) {
            avro_put_long(out, f->split_offsets[i]);
        }
        avro_put_long(out, 0);
    }
}

static void put_equality_ids(buf *out, const ice_file *f)
{
    if (begin_array(out, f->equality_id_count)) {
        for (size_t i = 0; i < f->equality_id_count; i++) {
            avro_put_long(out, f->equality_ids[i]);
        }
        avro_put_long(out, 0);
    }
}

static void put_file_column(buf *out, ice__file_column column, const ice_type *types,
                            const ice_file *f)
{
    switch (column) {
    case FILE_CONTENT:
        avro_put_long(out, (int64_t)f->content);
        break;
    case FILE_PATH:
        avro_put_bytes(out, f->path);
        break;
    case FILE_FORMAT:
        avro_put_bytes(out, f->format);
        break;
    case FILE_PARTITION:
        put_partition(out, types, f);
        break;
    case FILE_RECORDS:
        avro_put_long(out, f->record_count);
        break;
    case FILE_SIZE:
        avro_put_long(out, f->size_bytes);
        break;
    case FILE_BLOCK:
        avro_put_long(out, 64 * 1024 * 1024); /* what v1 writers put there; nobody reads it */
        break;
    case FILE_COLUMN_SIZES:
        put_counts(out, f->column_sizes, f->column_size_count);
        break;
    case FILE_VALUES:
        put_counts(out, f->value_counts, f->value_count_count);
        break;
    case FILE_NULLS:
        put_counts(out, f->null_counts, f->null_count_count);
        break;
    case FILE_NANS:
        put_counts(out, f->nan_counts, f->nan_count_count);
        break;
    case FILE_LOWER:
        put_bounds(out, f->lower_bounds, f->lower_bound_count);
        break;
    case FILE_UPPER:
        put_bounds(out, f->upper_bounds, f->upper_bound_count);
        break;
    case FILE_KEY:
        put_optional_bytes(out, f->key_metadata);
        break;
    case FILE_SPLITS:
        put_splits(out, f);
        break;
    case FILE_EQUALITY:
        put_equality_ids(out, f);
        break;
    case FILE_ORDER:
        put_optional_long(out, f->sort_order_id, -1);
        break;
    case FILE_FIRST_ROW:
        put_optional_long(out, f->first_row_id, ICE_NO_ROW_ID);
        break;
    case FILE_REFERENCED:
        put_optional_bytes(out, f->referenced_data_file);
        break;
    case FILE_OFFSET:
        put_optional_long(out, f->content_offset, -1);
        break;
    case FILE_OFFSET_SIZE:
        put_optional_long(out, f->content_size_bytes, -1);
        break;
    case FILE_COLUMN_COUNT:
        break;
    }
}

typedef struct manifest_writer {
    const ice_metadata *m;
    const ice_type *types; /* of the partition */
    bool deletes;
    int64_t snapshot_id;
    arena *memory;
} manifest_writer;

static void put_entry(buf *out, const manifest_writer *w, const ice_entry *entry)
{
    const ice_file *f = &entry->file;
    bool added = entry->status == ICE_ADDED;
    int64_t snapshot_id = entry->status == ICE_EXISTING ? f->snapshot_id : w->snapshot_id;

    avro_put_long(out, (int64_t)entry->status);
    if (w->m->format_version == 1) {
        avro_put_long(out, snapshot_id);
    } else {
        put_optional_long(out, snapshot_id, ICE_NO_SNAPSHOT);
        /* What is added inherits its numbers from the list, so that a retry need not rewrite the manifest. */
        put_optional_long(out, f->data_sequence, ICE__UNASSIGNED);
        put_optional_long(out, added ? ICE__UNASSIGNED : f->file_sequence, ICE__UNASSIGNED);
    }
    for (int i = 0; i < FILE_COLUMN_COUNT; i++) {
        if (ice__file_column_is_in((ice__file_column)i, w->m->format_version, w->deletes)) {
            put_file_column(out, (ice__file_column)i, w->types, f);
        }
    }
}

/* --- what the list tells of a manifest --- */

void ice__manifest_count(ice_manifest *manifest, const ice_entry *entry)
{
    int64_t rows = entry->file.record_count;

    switch (entry->status) {
    case ICE_ADDED:
        manifest->added_files++;
        manifest->added_rows = ice__sum(manifest->added_rows, rows);
        break;
    case ICE_EXISTING:
        manifest->existing_files++;
        manifest->existing_rows = ice__sum(manifest->existing_rows, rows);
        break;
    case ICE_DELETED:
        manifest->deleted_files++;
        manifest->deleted_rows = ice__sum(manifest->deleted_rows, rows);
        break;
    }
}

static void count_entry(const ice_entry *entry, ice_manifest *manifest)
{
    ice__manifest_count(manifest, entry);
    if (entry->status != ICE_DELETED && entry->file.data_sequence != ICE__UNASSIGNED &&
        (manifest->min_sequence_number == ICE__UNASSIGNED ||
         entry->file.data_sequence < manifest->min_sequence_number)) {
        manifest->min_sequence_number = entry->file.data_sequence;
    }
}

static ice_field_summary summarize(const ice_type *type, size_t index, const ice_entry *entries,
                                   size_t count, arena *a)
{
    bool real = type->kind == ICE_FLOAT || type->kind == ICE_DOUBLE;
    ice_field_summary summary = {
        .contains_nan = real ? 0 : -1, .lower = STR_NULL, .upper = STR_NULL};
    const ice_value *lower = NULL;
    const ice_value *upper = NULL;

    for (size_t i = 0; i < count; i++) {
        const ice_file *f = &entries[i].file;
        const ice_value *v = index < f->partition_count ? &f->partition[index] : NULL;

        if (v == NULL || v->is_null) {
            summary.contains_null = true;
        } else if (ice_value_is_nan(v)) {
            summary.contains_nan = 1;
        } else {
            lower = lower == NULL || ice_value_compare(v, lower) < 0 ? v : lower;
            upper = upper == NULL || ice_value_compare(v, upper) > 0 ? v : upper;
        }
    }
    if (lower != NULL) {
        summary.lower = ice_value_encode(type, lower, a);
        summary.upper = ice_value_encode(type, upper, a);
    }
    return summary;
}

static void describe(const manifest_writer *w, int32_t spec_id, const ice_entry *entries,
                     size_t count, ice_manifest *manifest)
{
    ice_field_summary *summaries = ARENA_ARRAY(w->memory, ice_field_summary, w->types->field_count);

    *manifest = (ice_manifest){.spec_id = spec_id,
                               .deletes = w->deletes,
                               .sequence_number = ICE__UNASSIGNED,
                               .min_sequence_number = ICE__UNASSIGNED,
                               .added_snapshot_id = w->snapshot_id,
                               .key_metadata = STR_NULL,
                               .first_row_id = ICE_NO_ROW_ID,
                               .partitions = summaries,
                               .partition_count = w->types->field_count};
    for (size_t i = 0; i < count; i++) {
        count_entry(&entries[i], manifest);
    }
    for (size_t i = 0; i < w->types->field_count; i++) {
        summaries[i] = summarize(w->types->fields[i].type, i, entries, count, w->memory);
    }
}

/* --- manifests --- */

const ice_type *ice__spec_types(const ice_metadata *m, const ice_spec *spec, arena *a)
{
    ice_field *fields = ARENA_ARRAY(a, ice_field, spec->field_count);
    ice_type *type = ARENA_NEW(a, ice_type);

    for (size_t i = 0; i < spec->field_count; i++) {
        const ice_partition_field *from = &spec->fields[i];
        const ice_field *source = ice__metadata_field(m, from->source_id);

        fields[i] = (ice_field){.id = from->field_id,
                                .name = from->name,
                                .type = ice_type_primitive(ICE_BINARY),
                                .doc = STR_NULL};
        if (source != NULL) {
            /* What no specification allows another writer may have written: its values are bytes to us. */
            (void)ice_transform_result(&from->transform, source->type, &fields[i].type, NULL);
        }
        if (ice_kind_is_nested(fields[i].type->kind)) { /* void of anything */
            fields[i].type = ice_type_primitive(ICE_BINARY);
        }
    }
    *type = (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = spec->field_count};
    return type;
}

static str quoted_json(void (*format)(const void *object, json_writer *w), const void *object,
                       arena *a)
{
    buf *text = buf_in(a, LIMIT_JSON_BODY);
    json_writer w;

    json_writer_init(&w, text);
    format(object, &w);
    return buf_str(text);
}

static void format_schema(const void *object, json_writer *w)
{
    ice_schema_format(object, w);
}

static void format_fields(const void *object, json_writer *w)
{
    ice_spec_format_fields(object, w);
}

static status check_writable(const ice_metadata *m, const ice_spec *spec, error *err)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        const ice_field *source = ice__metadata_field(m, spec->fields[i].source_id);
        const ice_type *result;

        if (source != NULL) {
            TRY(ice_transform_result(&spec->fields[i].transform, source->type, &result, err));
        }
        if (spec->fields[i].transform.kind == ICE_TRANSFORM_UNKNOWN) {
            return error_set(err, STATUS_UNSUPPORTED,
                             "partition field \"%.*s\" has the unknown transform \"%.*s\": tables "
                             "with it are read only",
                             STR_ARG(spec->fields[i].name),
                             STR_ARG(spec->fields[i].transform.text));
        }
    }
    return STATUS_OK;
}

/* Fixed-size forms hold no value of another size. */
static status check_partition(const ice_type *types, const ice_file *f, error *err)
{
    for (size_t i = 0; i < types->field_count && i < f->partition_count; i++) {
        const ice_type *type = types->fields[i].type;
        const ice_value *v = &f->partition[i];
        uint8_t bytes[16];
        size_t wanted = 0;
        size_t size = v->bytes.size;

        if (v->is_null) {
            continue;
        }
        if (type->kind == ICE_DECIMAL) {
            wanted = (size_t)ice__decimal_width(type->precision);
            size = ice__decimal_bytes(ice__decimal(v), bytes);
            size = size < wanted ? wanted : size;
        } else if (type->kind == ICE_UUID || type->kind == ICE_FIXED) {
            wanted = type->kind == ICE_UUID ? 16 : (size_t)type->length;
        } else {
            continue;
        }
        if (size != wanted) {
            return error_set(err, STATUS_INVALID,
                             "partition value of \"%.*s\" for file \"%.*s\" has %zu bytes, not %zu",
                             STR_ARG(types->fields[i].name), STR_ARG(f->path), size, wanted);
        }
    }
    return STATUS_OK;
}

static void begin_manifest(avro_writer *avro, const manifest_writer *w, const ice_spec *spec,
                           buf *out)
{
    arena *a = w->memory;
    const ice_schema *schema = ice_metadata_schema(w->m);
    const avro_metadata_entry header[] = {
        {STR("schema"), quoted_json(format_schema, schema, a)},
        {STR("schema-id"), str_printf(a, "%d", (int)schema->id)},
        {STR("partition-spec"), quoted_json(format_fields, spec, a)},
        {STR("partition-spec-id"), str_printf(a, "%d", (int)spec->id)},
        {STR("format-version"), str_printf(a, "%d", w->m->format_version)},
        {STR("content"), w->deletes ? STR("deletes") : STR("data")},
    };
    size_t count = w->m->format_version == 1 ? COUNT_OF(header) - 1 : COUNT_OF(header);

    avro_writer_begin(avro, out,
                      ice__manifest_schema(w->m->format_version, w->types, w->deletes, a),
                      COMPRESSION_DEFLATE, header, count);
}

status ice_manifest_format(const ice_metadata *m, int32_t spec_id, bool deletes,
                           int64_t snapshot_id, const ice_entry *entries, size_t count, arena *a,
                           buf *out, ice_manifest *ret_manifest, error *err)
{
    const ice_spec *spec = ice_metadata_spec_by_id(m, spec_id);
    manifest_writer w = {.m = m, .deletes = deletes, .snapshot_id = snapshot_id, .memory = a};
    buf *block = buf_in(a, LIMIT_MANIFEST_FILE);
    size_t start = out->size;
    size_t in_block = 0;
    ice_manifest manifest;
    avro_writer avro;

    if (spec == NULL) {
        return error_set(err, STATUS_INVALID, "table has no partition spec %d", (int)spec_id);
    }
    TRY(check_writable(m, spec, err));
    w.types = ice__spec_types(m, spec, a);
    begin_manifest(&avro, &w, spec, out);
    for (size_t i = 0; i < count; i++) {
        TRY(check_partition(w.types, &entries[i].file, err));
        put_entry(block, &w, &entries[i]);
        in_block++;
        if (block->size >= BLOCK_BYTES || i + 1 == count) {
            TRY(buf_check(block, "manifest", err));
            TRY(avro_writer_add_block(&avro, buf_str(block), (int64_t)in_block, err));
            buf_clear(block);
            in_block = 0;
        }
    }
    TRY(buf_check(out, "manifest", err));
    describe(&w, spec_id, entries, count, &manifest);
    manifest.length_bytes = (int64_t)(out->size - start);
    *ret_manifest = manifest;
    return STATUS_OK;
}

/* --- lists --- */

static void put_summaries(buf *out, const ice_manifest *manifest)
{
    avro_put_branch(out, manifest->partitions != NULL ? 1 : 0);
    if (manifest->partitions == NULL) {
        return;
    }
    if (manifest->partition_count > 0) {
        avro_put_long(out, (int64_t)manifest->partition_count);
        for (size_t i = 0; i < manifest->partition_count; i++) {
            const ice_field_summary *s = &manifest->partitions[i];

            avro_put_bool(out, s->contains_null);
            avro_put_branch(out, s->contains_nan < 0 ? 0 : 1);
            if (s->contains_nan >= 0) {
                avro_put_bool(out, s->contains_nan != 0);
            }
            put_optional_bytes(out, s->lower);
            put_optional_bytes(out, s->upper);
        }
    }
    avro_put_long(out, 0);
}

/* A sequence number that is still to be given is the snapshot's. */
static int64_t sequence_of(int64_t number, const ice_snapshot *snapshot)
{
    return number == ICE__UNASSIGNED ? snapshot->sequence_number : number;
}

static void put_manifest(buf *out, const ice_manifest *manifest, const ice_snapshot *snapshot,
                         int format_version)
{
    avro_put_bytes(out, manifest->path);
    avro_put_long(out, manifest->length_bytes);
    avro_put_long(out, manifest->spec_id);
    if (format_version > 1) {
        avro_put_long(out, manifest->deletes ? 1 : 0);
        avro_put_long(out, sequence_of(manifest->sequence_number, snapshot));
        avro_put_long(out, sequence_of(manifest->min_sequence_number, snapshot));
    }
    avro_put_long(out, manifest->added_snapshot_id);
    avro_put_long(out, manifest->added_files);
    avro_put_long(out, manifest->existing_files);
    avro_put_long(out, manifest->deleted_files);
    avro_put_long(out, manifest->added_rows);
    avro_put_long(out, manifest->existing_rows);
    avro_put_long(out, manifest->deleted_rows);
    put_summaries(out, manifest);
    put_optional_bytes(out, manifest->key_metadata);
    if (format_version > 2) {
        put_optional_long(out, manifest->first_row_id, ICE_NO_ROW_ID);
    }
}

static str id_text(int64_t id, arena *a)
{
    return id == ICE_NO_SNAPSHOT ? STR("null") : str_printf(a, "%lld", (long long)id);
}

static status format_list(const ice_metadata *m, const ice_snapshot *snapshot,
                          const ice_manifest *manifests, size_t count, arena *a, buf *out,
                          error *err)
{
    buf *block = buf_in(a, LIMIT_MANIFEST_FILE);
    const avro_metadata_entry header[] = {
        {STR("snapshot-id"), id_text(snapshot->id, a)},
        {STR("parent-snapshot-id"), id_text(snapshot->parent_id, a)},
        {STR("sequence-number"), str_printf(a, "%lld", (long long)snapshot->sequence_number)},
        {STR("format-version"), str_printf(a, "%d", m->format_version)},
        {STR("first-row-id"), id_text(snapshot->first_row_id, a)},
    };
    size_t header_count = m->format_version > 2 ? COUNT_OF(header) : COUNT_OF(header) - 1;
    avro_writer avro;

    avro_writer_begin(&avro, out, ice__list_schema(m->format_version, a), COMPRESSION_DEFLATE,
                      header, header_count);
    for (size_t i = 0; i < count; i++) {
        if (manifests[i].added_files < 0 || manifests[i].added_rows < 0) {
            return error_set(err, STATUS_INTERNAL, "manifest \"%.*s\" was not counted",
                             STR_ARG(manifests[i].path));
        }
        put_manifest(block, &manifests[i], snapshot, m->format_version);
    }
    TRY(buf_check(block, "manifest list", err));
    if (count > 0) {
        TRY(avro_writer_add_block(&avro, buf_str(block), (int64_t)count, err));
    }
    return buf_check(out, "manifest list", err);
}

status ice_manifest_list_format(const ice_metadata *m, const ice_snapshot *snapshot,
                                const ice_manifest *manifests, size_t count, buf *out, error *err)
{
    arena *a = arena_create();
    status s = format_list(m, snapshot, manifests, count, a, out, err);

    arena_free(a);
    return s;
}

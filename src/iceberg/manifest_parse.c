/* manifest_parse.c: manifests and manifest lists of any writer and version, read by field id, with everything
 * that entries inherit filled in. */
#include <stdlib.h>

#include "tarn/base/vec.h"

#include "internal.h"
#include "manifest_columns.h"

/* --- lists --- */

typedef struct list_record {
    ice_manifest m;
    int32_t content;
    avro_list partitions;
} list_record;

typedef struct summary_record {
    bool contains_null;
    bool contains_nan;
    bool has_nan;
    str lower, upper;
} summary_record;

#define FIELD(id, kind, record, member)                                \
    {                                                                  \
        (id), (kind), offsetof(record, member), AVRO_NO_PRESENCE, NULL \
    }

static const avro_field summary_fields[] = {
    FIELD(509, AVRO_BOOL, summary_record, contains_null),
    {518, AVRO_BOOL, offsetof(summary_record, contains_nan), offsetof(summary_record, has_nan),
     NULL},
    FIELD(510, AVRO_BYTES, summary_record, lower),
    FIELD(511, AVRO_BYTES, summary_record, upper),
};
static const avro_shape summary_shape = {
    .fields = summary_fields, .count = COUNT_OF(summary_fields), .size = sizeof(summary_record)};

static const avro_field list_fields[] = {
    FIELD(500, AVRO_STRING, list_record, m.path),
    FIELD(501, AVRO_LONG, list_record, m.length_bytes),
    FIELD(502, AVRO_INT, list_record, m.spec_id),
    FIELD(517, AVRO_INT, list_record, content),
    FIELD(515, AVRO_LONG, list_record, m.sequence_number),
    FIELD(516, AVRO_LONG, list_record, m.min_sequence_number),
    FIELD(503, AVRO_LONG, list_record, m.added_snapshot_id),
    FIELD(504, AVRO_INT, list_record, m.added_files),
    FIELD(505, AVRO_INT, list_record, m.existing_files),
    FIELD(506, AVRO_INT, list_record, m.deleted_files),
    FIELD(512, AVRO_LONG, list_record, m.added_rows),
    FIELD(513, AVRO_LONG, list_record, m.existing_rows),
    FIELD(514, AVRO_LONG, list_record, m.deleted_rows),
    {507, AVRO_LIST_RECORD, offsetof(list_record, partitions), AVRO_NO_PRESENCE, &summary_shape},
    FIELD(519, AVRO_BYTES, list_record, m.key_metadata),
    FIELD(520, AVRO_LONG, list_record, m.first_row_id),
};
static const list_record list_defaults = {.m = {.added_files = -1,
                                                .existing_files = -1,
                                                .deleted_files = -1,
                                                .added_rows = -1,
                                                .existing_rows = -1,
                                                .deleted_rows = -1,
                                                .added_snapshot_id = ICE_NO_SNAPSHOT,
                                                .first_row_id = ICE_NO_ROW_ID}};
static const avro_shape list_shape = {.fields = list_fields,
                                      .count = COUNT_OF(list_fields),
                                      .size = sizeof(list_record),
                                      .defaults = &list_defaults};

static void take_summaries(const list_record *record, arena *a, ice_manifest *manifest)
{
    const summary_record *from = record->partitions.items;
    ice_field_summary *to;

    if (!record->partitions.present) {
        return;
    }
    to = ARENA_ARRAY(a, ice_field_summary, record->partitions.count);
    for (size_t i = 0; i < record->partitions.count; i++) {
        to[i] = (ice_field_summary){.contains_null = from[i].contains_null,
                                    .contains_nan = from[i].has_nan ? from[i].contains_nan : -1,
                                    .lower = from[i].lower,
                                    .upper = from[i].upper};
    }
    manifest->partitions = to;
    manifest->partition_count = record->partitions.count;
}

status ice_manifest_list_parse(str bytes, arena *a, ice_manifest **ret_manifests, size_t *ret_count,
                               error *err)
{
    avro_file file;
    void *records;
    size_t count;
    ice_manifest *manifests;

    TRY(avro_open(bytes, a, &file, err));
    TRY(avro_read(&file, &list_shape, NULL, NULL, a, &records, &count, err));
    manifests = ARENA_ARRAY(a, ice_manifest, count);
    for (size_t i = 0; i < count; i++) {
        const list_record *record = &((const list_record *)records)[i];

        manifests[i] = record->m;
        manifests[i].deletes = record->content == 1;
        if (record->m.path.size == 0 || record->content < 0 || record->content > 1) {
            return error_set(err, STATUS_CORRUPT,
                             "manifest list: entry %zu has no path or an unknown content", i);
        }
        take_summaries(record, a, &manifests[i]);
    }
    *ret_manifests = manifests;
    *ret_count = count;
    return STATUS_OK;
}

/* --- manifests --- */

typedef struct entry_record {
    int32_t status;
    int64_t snapshot_id;
    int64_t data_sequence;
    int64_t file_sequence;
    struct {
        int32_t content;
        str path;
        str format;
        avro_tuple partition;
        int64_t record_count;
        int64_t size_bytes;
        avro_list column_sizes, value_counts, null_counts, nan_counts, lower_bounds, upper_bounds;
        str key_metadata;
        avro_list split_offsets, equality_ids;
        int32_t sort_order_id;
        int64_t first_row_id;
        str referenced_data_file;
        int64_t content_offset, content_size_bytes;
    } file;
} entry_record;

#define IN_FILE(id, kind, member)                                                         \
    {                                                                                     \
        (id), (kind), offsetof(entry_record, file.member) - offsetof(entry_record, file), \
            AVRO_NO_PRESENCE, NULL                                                        \
    }

#define FILE_FIELDS                                                                             \
    IN_FILE(134, AVRO_INT, content), IN_FILE(100, AVRO_STRING, path),                           \
        IN_FILE(101, AVRO_STRING, format), IN_FILE(102, AVRO_TUPLE, partition),                 \
        IN_FILE(103, AVRO_LONG, record_count), IN_FILE(104, AVRO_LONG, size_bytes),             \
        IN_FILE(131, AVRO_BYTES, key_metadata), IN_FILE(132, AVRO_LIST_LONG, split_offsets),    \
        IN_FILE(135, AVRO_LIST_INT, equality_ids), IN_FILE(140, AVRO_INT, sort_order_id),       \
        IN_FILE(142, AVRO_LONG, first_row_id), IN_FILE(143, AVRO_STRING, referenced_data_file), \
        IN_FILE(144, AVRO_LONG, content_offset), IN_FILE(145, AVRO_LONG, content_size_bytes)

static const avro_field file_fields[] = {FILE_FIELDS};
static const avro_field file_fields_with_metrics[] = {
    FILE_FIELDS,
    IN_FILE(108, AVRO_MAP_INT_LONG, column_sizes),
    IN_FILE(109, AVRO_MAP_INT_LONG, value_counts),
    IN_FILE(110, AVRO_MAP_INT_LONG, null_counts),
    IN_FILE(137, AVRO_MAP_INT_LONG, nan_counts),
    IN_FILE(125, AVRO_MAP_INT_BYTES, lower_bounds),
    IN_FILE(128, AVRO_MAP_INT_BYTES, upper_bounds),
};

static const entry_record entry_defaults = {.snapshot_id = ICE_NO_SNAPSHOT,
                                            .data_sequence = ICE__UNASSIGNED,
                                            .file_sequence = ICE__UNASSIGNED,
                                            .file = {.record_count = -1,
                                                     .sort_order_id = -1,
                                                     .first_row_id = ICE_NO_ROW_ID,
                                                     .content_offset = -1,
                                                     .content_size_bytes = -1}};
enum { FILE_RECORD_SIZE = sizeof(entry_record) - offsetof(entry_record, file) };
static const avro_shape file_shape = {.fields = file_fields,
                                      .count = COUNT_OF(file_fields),
                                      .size = FILE_RECORD_SIZE,
                                      .defaults = &entry_defaults.file};
static const avro_shape file_shape_with_metrics = {.fields = file_fields_with_metrics,
                                                   .count = COUNT_OF(file_fields_with_metrics),
                                                   .size = FILE_RECORD_SIZE,
                                                   .defaults = &entry_defaults.file};

#define ENTRY_FIELDS(shape)                                                                   \
    FIELD(0, AVRO_INT, entry_record, status), FIELD(1, AVRO_LONG, entry_record, snapshot_id), \
        FIELD(3, AVRO_LONG, entry_record, data_sequence),                                     \
        FIELD(4, AVRO_LONG, entry_record, file_sequence),                                     \
    {                                                                                         \
        2, AVRO_RECORD, offsetof(entry_record, file), AVRO_NO_PRESENCE, &(shape)              \
    }

static const avro_field entry_fields[] = {ENTRY_FIELDS(file_shape)};
static const avro_field entry_fields_with_metrics[] = {ENTRY_FIELDS(file_shape_with_metrics)};
static const avro_shape entry_shape = {.fields = entry_fields,
                                       .count = COUNT_OF(entry_fields),
                                       .size = sizeof(entry_record),
                                       .defaults = &entry_defaults};
static const avro_shape entry_shape_with_metrics = {.fields = entry_fields_with_metrics,
                                                    .count = COUNT_OF(entry_fields_with_metrics),
                                                    .size = sizeof(entry_record),
                                                    .defaults = &entry_defaults};

/* Readers search the maps by id: writers mostly sort them, but nothing says they must. */
static int compare_key(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x; /* the key stands first in both kinds of pair */
    int32_t b = *(const int32_t *)y;

    return (a > b) - (a < b);
}

static void *copy_items(const avro_list *list, size_t item_size, arena *a)
{
    void *copy = list->count > 0 ? arena_alloc(a, mem_product(list->count, item_size)) : NULL;

    if (copy != NULL) {
        memcpy(copy, list->items, list->count * item_size);
    }
    return copy;
}

static void *sorted(const avro_list *list, size_t item_size, arena *a)
{
    char *items = copy_items(list, item_size, a);

    for (size_t i = 1; i < list->count; i++) {
        if (compare_key(items + (i - 1) * item_size, items + i * item_size) > 0) {
            qsort(items, list->count, item_size, compare_key);
            break;
        }
    }
    return items;
}

static const avro_int_long *take_counts(const avro_list *list, arena *a)
{
    return sorted(list, sizeof(avro_int_long), a);
}

static const avro_int_bytes *take_bounds(const avro_list *list, arena *a)
{
    avro_int_bytes *bounds = sorted(list, sizeof(avro_int_bytes), a);
    size_t total = 0;
    char *bytes;

    for (size_t i = 0; i < list->count; i++) {
        total += bounds[i].value.size;
    }
    bytes = arena_alloc(a, total + 1);
    for (size_t i = 0; i < list->count; i++) {
        str value = bounds[i].value;

        if (value.size > 0) {
            memcpy(bytes, value.data, value.size);
        }
        bounds[i].value = str_from(bytes, value.size);
        bytes += value.size;
    }
    return bounds;
}

/* Records are decoded one by one into memory that is used again for the next: what an entry keeps of its record is
 * copied, so that nothing of the file's bytes is held. */
typedef struct manifest_reader {
    const ice_manifest *manifest;
    const ice_spec *spec;
    const ice_type *types;
    arena *memory;          /* of the result */
    arena *scratch;         /* of the parse */
    VEC(ice_entry) entries; /* in scratch, until their number is known */
    /* of data files that leave theirs out; ICE_NO_ROW_ID where none is given */
    int64_t next_row_id;
    status outcome;
    error *err;
} manifest_reader;

static status take_partition(const manifest_reader *r, const entry_record *record, ice_file *f,
                             error *err)
{
    size_t count = r->types->field_count;
    ice_value *values = ARENA_ARRAY(r->memory, ice_value, count);

    for (size_t i = 0; i < count; i++) {
        const ice_field *field = &r->types->fields[i];

        values[i] = (ice_value){.kind = field->type->kind, .is_null = true};
        for (size_t k = 0; k < record->file.partition.count; k++) {
            const avro_tuple_field *from = &record->file.partition.fields[k];

            if (from->field_id == field->id && from->present) {
                status s = ice_value_decode(field->type, from->value, &values[i], err);

                if (s != STATUS_OK) {
                    error_context(err, "partition field \"%.*s\" of file \"%.*s\"",
                                  STR_ARG(field->name), STR_ARG(record->file.path));
                    return s;
                }
                values[i].bytes = ice__copy(r->memory, values[i].bytes);
            }
        }
    }
    f->partition = values;
    f->partition_count = count;
    return STATUS_OK;
}

static void take_metrics(const entry_record *record, arena *a, ice_file *f)
{
    f->column_sizes = take_counts(&record->file.column_sizes, a);
    f->column_size_count = record->file.column_sizes.count;
    f->value_counts = take_counts(&record->file.value_counts, a);
    f->value_count_count = record->file.value_counts.count;
    f->null_counts = take_counts(&record->file.null_counts, a);
    f->null_count_count = record->file.null_counts.count;
    f->nan_counts = take_counts(&record->file.nan_counts, a);
    f->nan_count_count = record->file.nan_counts.count;
    f->lower_bounds = take_bounds(&record->file.lower_bounds, a);
    f->lower_bound_count = record->file.lower_bounds.count;
    f->upper_bounds = take_bounds(&record->file.upper_bounds, a);
    f->upper_bound_count = record->file.upper_bounds.count;
}

/* What an entry leaves out it has from its manifest (specification, "Sequence number inheritance", "First row id
 * inheritance"). Manifests of v1 have sequence number 0. */
static void inherit(manifest_reader *r, ice_entry *entry)
{
    ice_file *f = &entry->file;

    if (f->snapshot_id == ICE_NO_SNAPSHOT) {
        f->snapshot_id = r->manifest->added_snapshot_id;
    }
    if (f->data_sequence == ICE__UNASSIGNED) {
        f->data_sequence = r->manifest->sequence_number;
    }
    if (f->file_sequence == ICE__UNASSIGNED) {
        f->file_sequence = r->manifest->sequence_number;
    }
    if (r->next_row_id != ICE_NO_ROW_ID && f->content == ICE_DATA && entry->status != ICE_DELETED &&
        f->first_row_id == ICE_NO_ROW_ID) {
        f->first_row_id = r->next_row_id;
        if (__builtin_add_overflow(r->next_row_id, f->record_count, &r->next_row_id)) {
            r->next_row_id = ICE_NO_ROW_ID; /* no table has that many rows */
        }
    }
}

static str format_name(str name, arena *a)
{
    return str_equal_nocase(name, STR("parquet")) ? STR("PARQUET") : str_upper(a, name);
}

static status take_entry(manifest_reader *r, const entry_record *record, ice_entry *ret_entry,
                         error *err)
{
    ice_file f = {
        .content = (ice_content)record->file.content,
        .path = ice__copy(r->memory, record->file.path),
        .format = format_name(record->file.format, r->memory),
        .spec_id = r->spec->id,
        .record_count = record->file.record_count,
        .size_bytes = record->file.size_bytes,
        .split_offsets = copy_items(&record->file.split_offsets, sizeof(int64_t), r->memory),
        .split_offset_count = record->file.split_offsets.count,
        .equality_ids = copy_items(&record->file.equality_ids, sizeof(int32_t), r->memory),
        .equality_id_count = record->file.equality_ids.count,
        .sort_order_id = record->file.sort_order_id,
        .key_metadata = ice__copy(r->memory, record->file.key_metadata),
        .first_row_id = record->file.first_row_id,
        .referenced_data_file = ice__copy(r->memory, record->file.referenced_data_file),
        .content_offset = record->file.content_offset,
        .content_size_bytes = record->file.content_size_bytes,
        .data_sequence = record->data_sequence,
        .file_sequence = record->file_sequence,
        .snapshot_id = record->snapshot_id};

    if (record->status < ICE_EXISTING || record->status > ICE_DELETED ||
        record->file.content < ICE_DATA || record->file.content > ICE_EQUALITY_DELETES) {
        return error_set(err, STATUS_CORRUPT,
                         "entry for file \"%.*s\" has an unknown status or content",
                         STR_ARG(f.path));
    }
    if (f.path.size == 0 || f.record_count < 0 || f.size_bytes < 0) {
        return error_set(err, STATUS_CORRUPT,
                         "entry for file \"%.*s\" lacks its path, rows or size", STR_ARG(f.path));
    }
    take_metrics(record, r->memory, &f);
    TRY(take_partition(r, record, &f, err));
    *ret_entry = (ice_entry){.status = (ice_entry_status)record->status, .file = f};
    inherit(r, ret_entry);
    return STATUS_OK;
}

/* Manifests of v1 snapshots without a list are known by their path alone: the header tells the spec. */
static status find_spec(const avro_file *file, const ice_manifest *manifest, const ice_metadata *m,
                        const ice_spec **ret_spec, error *err)
{
    int64_t id = manifest->spec_id;

    if (id < 0 && str_to_int64(avro_metadata(file, "partition-spec-id"), &id, NULL) != STATUS_OK) {
        id = m->default_spec_id;
    }
    *ret_spec = id > INT32_MAX ? NULL : ice_metadata_spec_by_id(m, (int32_t)id);
    if (*ret_spec == NULL) {
        error_set(err, STATUS_UNSUPPORTED,
                  "manifest has partition spec %lld, which the table has not", (long long)id);
        error_hint(err, "The spec was removed too early. A metadata file of the table from before "
                        "that still has it: it can be registered.");
        return STATUS_UNSUPPORTED;
    }
    return STATUS_OK;
}

/* Called with each record; the codec keeps none. */
static bool take_record(void *context, const void *record)
{
    manifest_reader *r = context;
    ice_entry entry;

    if (r->outcome == STATUS_OK) {
        r->outcome = take_entry(r, record, &entry, r->err);
    }
    if (r->outcome == STATUS_OK) {
        vec_push(r->scratch, &r->entries, entry);
    }
    return false;
}

static status read_entries(manifest_reader *r, str bytes, const ice_metadata *m,
                           const ice__decode *decode, error *err)
{
    bool with_metrics = decode->all || decode->count > 0;
    avro_shape shape = with_metrics ? entry_shape_with_metrics : entry_shape;
    avro_file file;
    void *records;
    size_t count;

    shape.keys = decode->all ? NULL : decode->ids;
    shape.key_count = decode->all ? 0 : decode->count;
    TRY(avro_open(bytes, r->scratch, &file, err));
    TRY(find_spec(&file, r->manifest, m, &r->spec, err));
    r->types = ice__spec_types(m, r->spec, r->scratch);
    TRY(avro_read(&file, &shape, take_record, r, r->scratch, &records, &count, err));
    return r->outcome;
}

static status parse_manifest(manifest_reader *r, str bytes, const ice_metadata *m,
                             const ice__decode *decode, ice_entry **ret_entries, size_t *ret_count,
                             error *err)
{
    ice_entry *entries;

    TRY(read_entries(r, bytes, m, decode, err));
    entries = ARENA_ARRAY(r->memory, ice_entry, r->entries.count);
    if (r->entries.count > 0) {
        memcpy(entries, r->entries.items, r->entries.count * sizeof(*entries));
    }
    *ret_entries = entries;
    *ret_count = r->entries.count;
    return STATUS_OK;
}

status ice__manifest_parse(str bytes, const ice_manifest *manifest, const ice_metadata *m,
                           const ice__decode *decode, arena *a, ice_entry **ret_entries,
                           size_t *ret_count, error *err)
{
    manifest_reader r = {.manifest = manifest,
                         .memory = a,
                         .scratch = arena_create(),
                         .next_row_id = manifest->first_row_id,
                         .err = err};
    status s = parse_manifest(&r, bytes, m, decode, ret_entries, ret_count, err);

    arena_free(r.scratch);
    if (s != STATUS_OK) {
        /* A field of a type that cannot be is damage, whoever wrote it. */
        if (s == STATUS_INVALID && err != NULL) {
            err->kind = STATUS_CORRUPT;
        }
        error_context(err, "manifest \"%.*s\"", STR_ARG(manifest->path));
        return s == STATUS_INVALID ? STATUS_CORRUPT : s;
    }
    return STATUS_OK;
}

status ice_manifest_parse(str bytes, const ice_manifest *manifest, const ice_metadata *m,
                          bool with_metrics, arena *a, ice_entry **ret_entries, size_t *ret_count,
                          error *err)
{
    const ice__decode decode = {.all = with_metrics};

    return ice__manifest_parse(bytes, manifest, m, &decode, a, ret_entries, ret_count, err);
}

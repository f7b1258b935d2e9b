/* Parquet footers: what the tables below say of parquet.thrift, turned into the structs of
 * parquet.h.
 *
 * A footer is read twice: first the schema, then, knowing it, the row groups; each skips the
 * other. */
#include "tarn/codec/parquet.h"

#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "thrift.h"

static const char magic[4] = {'P', 'A', 'R', '1'};
static const char magic_encrypted[4] = {'P', 'A', 'R', 'E'};
enum { TAIL_BYTES = 8, FIRST_READ_BYTES = 64 * 1024 };

/* What a hostile footer may take at most: a column of statistics takes about so many times its
 * bytes. */
#define MEMORY_PER_BYTE ((size_t)256)

#define NONE THRIFT_NO_PRESENCE
#define FIELD(id, kind, type, member)                \
    {                                                \
        id, kind, offsetof(type, member), NONE, NULL \
    }
#define MARKED(id, kind, type, member, mark)                         \
    {                                                                \
        id, kind, offsetof(type, member), offsetof(type, mark), NULL \
    }
#define SHAPE(type, ...)                                                            \
    {                                                                               \
        .fields = __VA_ARGS__, .count = COUNT_OF(__VA_ARGS__), .size = sizeof(type) \
    }

/* --- LogicalType --- */

enum { LOGICAL_IDS = 19, UNIT_IDS = 4 };

typedef struct nothing {
    bool unused;
} nothing;
static const thrift_shape empty_shape = {.size = sizeof(nothing)};

typedef struct raw_decimal {
    int32_t scale, precision;
} raw_decimal;
static const thrift_field decimal_fields[] = {
    FIELD(1, THRIFT_INT32, raw_decimal, scale),
    FIELD(2, THRIFT_INT32, raw_decimal, precision),
};
static const thrift_shape decimal_shape = SHAPE(raw_decimal, decimal_fields);

typedef struct raw_unit {
    bool is[UNIT_IDS];
    nothing rest;
} raw_unit;
#define UNIT(id)                                                                              \
    {                                                                                         \
        id, THRIFT_STRUCT, offsetof(raw_unit, rest), offsetof(raw_unit, is[id]), &empty_shape \
    }
static const thrift_field unit_fields[] = {UNIT(1), UNIT(2), UNIT(3)};
static const thrift_shape unit_shape = SHAPE(raw_unit, unit_fields);

typedef struct raw_time {
    bool utc_adjusted;
    raw_unit unit;
} raw_time;
static const thrift_field time_fields[] = {
    FIELD(1, THRIFT_BOOL, raw_time, utc_adjusted),
    {2, THRIFT_STRUCT, offsetof(raw_time, unit), NONE, &unit_shape},
};
static const thrift_shape time_shape = SHAPE(raw_time, time_fields);

typedef struct raw_integer {
    int32_t bit_width;
    bool is_signed;
} raw_integer;
static const thrift_field integer_fields[] = {
    FIELD(1, THRIFT_INT32, raw_integer, bit_width),
    FIELD(2, THRIFT_BOOL, raw_integer, is_signed),
};
static const thrift_shape integer_shape = SHAPE(raw_integer, integer_fields);

typedef struct raw_logical {
    bool is[LOGICAL_IDS];
    raw_decimal decimal;
    raw_time time;
    raw_integer integer;
    nothing rest;
} raw_logical;
#define LOGICAL(id, member, shape)                                                                \
    {                                                                                             \
        id, THRIFT_STRUCT, offsetof(raw_logical, member), offsetof(raw_logical, is[id]), &(shape) \
    }
#define LOGICAL_EMPTY(id) LOGICAL(id, rest, empty_shape)
static const thrift_field logical_fields[] = {
    LOGICAL_EMPTY(1),
    LOGICAL_EMPTY(2),
    LOGICAL_EMPTY(3),
    LOGICAL_EMPTY(4),
    LOGICAL(5, decimal, decimal_shape),
    LOGICAL_EMPTY(6),
    LOGICAL(7, time, time_shape),
    LOGICAL(8, time, time_shape),
    LOGICAL(10, integer, integer_shape),
    LOGICAL_EMPTY(11),
    LOGICAL_EMPTY(12),
    LOGICAL_EMPTY(13),
    LOGICAL_EMPTY(14),
    LOGICAL_EMPTY(15),
    LOGICAL_EMPTY(16),
    LOGICAL_EMPTY(17),
    LOGICAL_EMPTY(18),
};
static const thrift_shape logical_shape = SHAPE(raw_logical, logical_fields);

static const parquet_logical logical_by_id[LOGICAL_IDS] = {
    [1] = PARQUET_LOGICAL_STRING,     [2] = PARQUET_LOGICAL_MAP,
    [3] = PARQUET_LOGICAL_LIST,       [4] = PARQUET_LOGICAL_ENUM,
    [5] = PARQUET_LOGICAL_DECIMAL,    [6] = PARQUET_LOGICAL_DATE,
    [7] = PARQUET_LOGICAL_TIME,       [8] = PARQUET_LOGICAL_TIMESTAMP,
    [10] = PARQUET_LOGICAL_INTEGER,   [11] = PARQUET_LOGICAL_UNKNOWN,
    [12] = PARQUET_LOGICAL_JSON,      [13] = PARQUET_LOGICAL_BSON,
    [14] = PARQUET_LOGICAL_UUID,      [15] = PARQUET_LOGICAL_FLOAT16,
    [16] = PARQUET_LOGICAL_VARIANT,   [17] = PARQUET_LOGICAL_GEOMETRY,
    [18] = PARQUET_LOGICAL_GEOGRAPHY,
};

/* --- ConvertedType --- */

typedef struct converted {
    parquet_logical logical;
    parquet_unit unit;
    int bit_width;
    bool is_signed;
} converted;

static const converted converted_types[] = {
    [0] = {.logical = PARQUET_LOGICAL_STRING},
    [1] = {.logical = PARQUET_LOGICAL_MAP},
    [2] = {.logical = PARQUET_LOGICAL_MAP}, /* MAP_KEY_VALUE: old writers */
    [3] = {.logical = PARQUET_LOGICAL_LIST},
    [4] = {.logical = PARQUET_LOGICAL_ENUM},
    [5] = {.logical = PARQUET_LOGICAL_DECIMAL},
    [6] = {.logical = PARQUET_LOGICAL_DATE},
    [7] = {.logical = PARQUET_LOGICAL_TIME, .unit = PARQUET_MILLIS},
    [8] = {.logical = PARQUET_LOGICAL_TIME, .unit = PARQUET_MICROS},
    [9] = {.logical = PARQUET_LOGICAL_TIMESTAMP, .unit = PARQUET_MILLIS},
    [10] = {.logical = PARQUET_LOGICAL_TIMESTAMP, .unit = PARQUET_MICROS},
    [11] = {.logical = PARQUET_LOGICAL_INTEGER, .bit_width = 8},
    [12] = {.logical = PARQUET_LOGICAL_INTEGER, .bit_width = 16},
    [13] = {.logical = PARQUET_LOGICAL_INTEGER, .bit_width = 32},
    [14] = {.logical = PARQUET_LOGICAL_INTEGER, .bit_width = 64},
    [15] = {.logical = PARQUET_LOGICAL_INTEGER, .bit_width = 8, .is_signed = true},
    [16] = {.logical = PARQUET_LOGICAL_INTEGER, .bit_width = 16, .is_signed = true},
    [17] = {.logical = PARQUET_LOGICAL_INTEGER, .bit_width = 32, .is_signed = true},
    [18] = {.logical = PARQUET_LOGICAL_INTEGER, .bit_width = 64, .is_signed = true},
    [19] = {.logical = PARQUET_LOGICAL_JSON},
    [20] = {.logical = PARQUET_LOGICAL_BSON},
    [21] = {.logical = PARQUET_LOGICAL_NONE}, /* INTERVAL */
};

/* --- SchemaElement --- */

typedef struct raw_element {
    int32_t type, type_length, repetition, child_count, converted, scale, precision, field_id;
    str name;
    bool has_logical;
    raw_logical logical;
} raw_element;

static const raw_element element_defaults = {
    .type = -1, .repetition = -1, .converted = -1, .field_id = PARQUET_NO_FIELD_ID};

static const thrift_field element_fields[] = {
    FIELD(1, THRIFT_INT32, raw_element, type),
    FIELD(2, THRIFT_INT32, raw_element, type_length),
    FIELD(3, THRIFT_INT32, raw_element, repetition),
    FIELD(4, THRIFT_BYTES, raw_element, name),
    FIELD(5, THRIFT_INT32, raw_element, child_count),
    FIELD(6, THRIFT_INT32, raw_element, converted),
    FIELD(7, THRIFT_INT32, raw_element, scale),
    FIELD(8, THRIFT_INT32, raw_element, precision),
    FIELD(9, THRIFT_INT32, raw_element, field_id),
    {10, THRIFT_STRUCT, offsetof(raw_element, logical), offsetof(raw_element, has_logical),
     &logical_shape},
};

static parquet_unit unit_of(const raw_unit *unit)
{
    return unit->is[3] ? PARQUET_NANOS : (unit->is[2] ? PARQUET_MICROS : PARQUET_MILLIS);
}

/* LogicalType where it is written and known, else ConvertedType. */
static void set_logical(const raw_element *raw, parquet_element *e)
{
    const raw_logical *logical = &raw->logical;
    const converted *old = &converted_types[COUNT_OF(converted_types) - 1];

    for (int id = 0; id < LOGICAL_IDS; id++) {
        if (logical->is[id]) {
            e->logical = logical_by_id[id];
        }
    }
    if (e->logical == PARQUET_LOGICAL_NONE && raw->converted >= 0 &&
        (size_t)raw->converted < COUNT_OF(converted_types)) {
        old = &converted_types[raw->converted];
        e->logical = old->logical;
        e->unit = old->unit;
        e->old_annotation = e->logical != PARQUET_LOGICAL_NONE;
        e->bit_width = old->bit_width;
        e->is_signed = old->is_signed;
        /* Old writers meant instants: the format says so of these two. */
        e->utc_adjusted =
            e->logical == PARQUET_LOGICAL_TIMESTAMP || e->logical == PARQUET_LOGICAL_TIME;
        e->precision = raw->precision;
        e->scale = raw->scale;
        return;
    }
    e->unit = unit_of(&logical->time.unit);
    e->utc_adjusted = logical->time.utc_adjusted;
    e->bit_width = logical->integer.bit_width;
    e->is_signed = logical->integer.is_signed;
    e->precision = logical->decimal.precision;
    e->scale = logical->decimal.scale;
}

static const char *finish_element(void *context, size_t index, const void *from, void *to)
{
    const raw_element *raw = from;
    parquet_element *e = to;

    (void)context;
    if (raw->type < -1 || raw->type >= PARQUET_GROUP || raw->child_count < 0 ||
        raw->type_length < 0 || raw->repetition < -1 || raw->repetition > PARQUET_REPEATED) {
        return "a schema element is wrong";
    }
    if (raw->type >= 0 && raw->child_count > 0) {
        return "a schema element has a type and children";
    }
    if (raw->repetition < 0 && index > 0) {
        return "a schema element has no repetition";
    }
    *e = (parquet_element){
        .name = raw->name,
        .type = raw->type >= 0 ? (parquet_type)raw->type : PARQUET_GROUP,
        .repetition = raw->repetition >= 0 ? (parquet_repetition)raw->repetition : PARQUET_REQUIRED,
        .field_id = raw->field_id,
        .type_length = raw->type_length,
        .child_count = (size_t)raw->child_count,
        .parent = PARQUET_NO_INDEX,
        .leaf_index = PARQUET_NO_INDEX,
    };
    set_logical(raw, e);
    return NULL;
}

static const thrift_shape element_shape = {.fields = element_fields,
                                           .count = COUNT_OF(element_fields),
                                           .size = sizeof(raw_element),
                                           .defaults = &element_defaults,
                                           .item_size = sizeof(parquet_element),
                                           .finish = finish_element};

/* --- ColumnChunk --- */

typedef struct raw_statistics {
    str old_max, old_min, max, min;
    int64_t null_count;
    bool has_old_max, has_old_min, has_max, has_min, has_null_count;
    bool max_exact, min_exact;
} raw_statistics;

static const thrift_field statistics_fields[] = {
    MARKED(1, THRIFT_BYTES, raw_statistics, old_max, has_old_max),
    MARKED(2, THRIFT_BYTES, raw_statistics, old_min, has_old_min),
    MARKED(3, THRIFT_INT64, raw_statistics, null_count, has_null_count),
    MARKED(5, THRIFT_BYTES, raw_statistics, max, has_max),
    MARKED(6, THRIFT_BYTES, raw_statistics, min, has_min),
    FIELD(7, THRIFT_BOOL, raw_statistics, max_exact),
    FIELD(8, THRIFT_BOOL, raw_statistics, min_exact),
};
static const thrift_shape statistics_shape = SHAPE(raw_statistics, statistics_fields);

typedef struct raw_column {
    int32_t type;
    int64_t value_count, uncompressed_bytes, compressed_bytes;
    int64_t data_page_offset, dictionary_page_offset, bloom_filter_offset;
    raw_statistics stats;
} raw_column;

static const thrift_field column_fields[] = {
    FIELD(1, THRIFT_INT32, raw_column, type),
    FIELD(5, THRIFT_INT64, raw_column, value_count),
    FIELD(6, THRIFT_INT64, raw_column, uncompressed_bytes),
    FIELD(7, THRIFT_INT64, raw_column, compressed_bytes),
    FIELD(9, THRIFT_INT64, raw_column, data_page_offset),
    FIELD(11, THRIFT_INT64, raw_column, dictionary_page_offset),
    {12, THRIFT_STRUCT, offsetof(raw_column, stats), NONE, &statistics_shape},
    FIELD(14, THRIFT_INT64, raw_column, bloom_filter_offset),
};
static const thrift_shape column_shape = SHAPE(raw_column, column_fields);

typedef struct raw_chunk {
    bool has_column;
    raw_column column;
} raw_chunk;

static const raw_chunk chunk_defaults = {
    .column = {
        .type = -1, .dictionary_page_offset = -1, .stats = {.max_exact = true, .min_exact = true}}};

static const thrift_field chunk_fields[] = {
    {3, THRIFT_STRUCT, offsetof(raw_chunk, column), offsetof(raw_chunk, has_column), &column_shape},
};

/* Bytes of a value in plain encoding; 0 where they differ or statistics mean nothing (INT96). */
static const size_t value_bytes[] = {
    [PARQUET_BOOLEAN] = 1, [PARQUET_INT32] = 4,      [PARQUET_INT64] = 8, [PARQUET_FLOAT] = 4,
    [PARQUET_DOUBLE] = 8,  [PARQUET_BYTE_ARRAY] = 0, [PARQUET_FIXED] = 0,
};

static bool fits(const parquet_element *e, str value)
{
    return e->type != PARQUET_INT96 &&
           (value_bytes[e->type] == 0 || value.size == value_bytes[e->type]);
}

/* The deprecated pair was compared as signed by all writers, whatever the type: it holds for
 * numbers that are signed. */
static bool old_order_is_certain(const parquet_element *e)
{
    return (e->type == PARQUET_BOOLEAN || e->type == PARQUET_INT32 || e->type == PARQUET_INT64 ||
            e->type == PARQUET_FLOAT || e->type == PARQUET_DOUBLE) &&
           (e->logical != PARQUET_LOGICAL_INTEGER || e->is_signed);
}

static void set_statistics(const raw_statistics *raw, const parquet_element *e,
                           parquet_statistics *stats)
{
    bool old = !raw->has_min && !raw->has_max && old_order_is_certain(e);
    str min = old ? raw->old_min : raw->min;
    str max = old ? raw->old_max : raw->max;

    stats->has_null_count = raw->has_null_count && raw->null_count >= 0;
    stats->null_count = stats->has_null_count ? raw->null_count : 0;
    stats->has_min = (old ? raw->has_old_min : raw->has_min) && fits(e, min);
    stats->has_max = (old ? raw->has_old_max : raw->has_max) && fits(e, max);
    stats->min = stats->has_min ? min : STR_NULL;
    stats->max = stats->has_max ? max : STR_NULL;
    stats->min_exact = raw->min_exact;
    stats->max_exact = raw->max_exact;
}

static const char *finish_chunk(void *context, size_t index, const void *from, void *to)
{
    const parquet_footer *footer = context;
    const raw_chunk *raw = from;
    const raw_column *column = &raw->column;
    parquet_column *c = to;
    const parquet_element *e;

    if (index >= footer->leaf_count) {
        return "a row group has more columns than the schema";
    }
    e = &footer->elements[footer->leaves[index]];
    if (!raw->has_column) {
        return "a column has no metadata";
    }
    if (column->type != (int32_t)e->type) {
        return "a column has another type than in the schema";
    }
    if (column->value_count < 0 || column->compressed_bytes < 0 || column->uncompressed_bytes < 0 ||
        column->data_page_offset < 0) {
        return "a column has a negative size";
    }
    *c = (parquet_column){
        .value_count = column->value_count,
        .compressed_bytes = column->compressed_bytes,
        .uncompressed_bytes = column->uncompressed_bytes,
        .data_page_offset = column->data_page_offset,
        /* Some writers say 0 for none: the file begins with its magic there. */
        .dictionary_page_offset =
            column->dictionary_page_offset > 0 ? column->dictionary_page_offset : -1,
        .has_bloom_filter = column->bloom_filter_offset > 0,
    };
    set_statistics(&column->stats, e, &c->stats);
    return NULL;
}

static const thrift_shape chunk_shape = {.fields = chunk_fields,
                                         .count = COUNT_OF(chunk_fields),
                                         .size = sizeof(raw_chunk),
                                         .defaults = &chunk_defaults,
                                         .item_size = sizeof(parquet_column),
                                         .finish = finish_chunk};

/* --- RowGroup --- */

typedef struct raw_group {
    thrift_list columns;
    int64_t total_bytes, row_count, file_offset;
} raw_group;

static const thrift_field group_fields[] = {
    {1, THRIFT_LIST, offsetof(raw_group, columns), NONE, &chunk_shape},
    FIELD(2, THRIFT_INT64, raw_group, total_bytes),
    FIELD(3, THRIFT_INT64, raw_group, row_count),
    FIELD(5, THRIFT_INT64, raw_group, file_offset),
};

static const char *finish_group(void *context, size_t index, const void *from, void *to)
{
    const parquet_footer *footer = context;
    const raw_group *raw = from;
    parquet_row_group *g = to;
    const parquet_column *first = raw->columns.items;

    (void)index;
    if (raw->columns.count != footer->leaf_count) {
        return "a row group has fewer columns than the schema";
    }
    if (raw->row_count < 0 || raw->total_bytes < 0) {
        return "a row group has a negative size";
    }
    *g = (parquet_row_group){.row_count = raw->row_count,
                             .total_bytes = raw->total_bytes,
                             .file_offset = raw->file_offset,
                             .columns = first};
    /* What the group says of its offset is wrong in files of some writers; its pages are not. */
    if (raw->columns.count > 0) {
        bool dictionary = first->dictionary_page_offset > 0 &&
                          first->dictionary_page_offset < first->data_page_offset;

        g->file_offset = dictionary ? first->dictionary_page_offset : first->data_page_offset;
    }
    return NULL;
}

static const thrift_shape group_shape = {.fields = group_fields,
                                         .count = COUNT_OF(group_fields),
                                         .size = sizeof(raw_group),
                                         .item_size = sizeof(parquet_row_group),
                                         .finish = finish_group};

/* --- FileMetaData --- */

typedef struct raw_file {
    thrift_list schema;
    int64_t row_count;
    thrift_list row_groups;
    str created_by;
    bool encrypted;
    nothing rest;
} raw_file;

static const thrift_field file_fields[] = {
    {2, THRIFT_LIST, offsetof(raw_file, schema), NONE, &element_shape},
    FIELD(3, THRIFT_INT64, raw_file, row_count),
    FIELD(6, THRIFT_BYTES, raw_file, created_by),
    {8, THRIFT_STRUCT, offsetof(raw_file, rest), offsetof(raw_file, encrypted), &empty_shape},
};
static const thrift_shape file_shape = SHAPE(raw_file, file_fields);

static const thrift_field groups_fields[] = {
    {4, THRIFT_LIST, offsetof(raw_file, row_groups), NONE, &group_shape},
};
static const thrift_shape groups_shape = SHAPE(raw_file, groups_fields);

/* --- the schema's tree --- */

static status corrupt(const char *reason, error *err)
{
    return error_set(err, STATUS_CORRUPT, "malformed Parquet footer: %s", reason);
}

/* Parents, leaves and what is repeated. Groups that still miss children are a stack: `open` is its
 * top, parents lead down. */
static status link_elements(parquet_element *elements, size_t count, arena *a,
                            parquet_footer *footer, error *err)
{
    size_t *leaves = ARENA_ARRAY(a, size_t, count);
    size_t *missing = ARENA_ARRAY(a, size_t, count);
    size_t leaf_count = 0;
    size_t open = PARQUET_NO_INDEX; /* the innermost group that misses children */

    if (count == 0 || elements[0].type != PARQUET_GROUP) {
        return corrupt("the schema has no root", err);
    }
    for (size_t i = 0; i < count; i++) {
        parquet_element *e = &elements[i];

        if (i > 0 && open == PARQUET_NO_INDEX) {
            return corrupt("the schema has elements outside its root", err);
        }
        if (i > 0) {
            e->parent = open;
            e->repeated = e->repetition == PARQUET_REPEATED || elements[open].repeated;
            missing[open]--;
        }
        if (e->type != PARQUET_GROUP) {
            e->leaf_index = leaf_count;
            leaves[leaf_count++] = i;
        } else if (e->child_count > 0) {
            missing[i] = e->child_count;
            open = i;
        }
        while (open != PARQUET_NO_INDEX && missing[open] == 0) {
            open = elements[open].parent;
        }
    }
    if (open != PARQUET_NO_INDEX) {
        return corrupt("the schema has fewer elements than it counts", err);
    }
    footer->elements = elements;
    footer->element_count = count;
    footer->leaves = leaves;
    footer->leaf_count = leaf_count;
    return STATUS_OK;
}

/* --- the whole --- */

static status read_pass(str bytes, const thrift_shape *shape, arena *a, parquet_footer *footer,
                        raw_file *file, error *err)
{
    thrift_input in = {.at = (const uint8_t *)bytes.data,
                       .end = (const uint8_t *)bytes.data + bytes.size,
                       .a = a,
                       .context = footer,
                       .left_bytes = bytes.size * MEMORY_PER_BYTE};

    if (thrift_read(&in, shape, file)) {
        return STATUS_OK;
    }
    return error_set(err, in.too_large ? STATUS_TOO_LARGE : STATUS_CORRUPT,
                     "malformed Parquet footer: %s at byte %zu of it", in.reason,
                     (size_t)((const char *)in.at - bytes.data));
}

/* `bytes`: the footer alone, in the arena. */
static status parse(str bytes, arena *a, parquet_footer *ret_footer, error *err)
{
    parquet_footer footer = {.footer_bytes = (int64_t)bytes.size + TAIL_BYTES};
    raw_file file = {.row_count = -1};

    TRY(read_pass(bytes, &file_shape, a, &footer, &file, err));
    if (file.encrypted) {
        return error_set(err, STATUS_UNSUPPORTED, "the Parquet file has encrypted columns");
    }
    if (file.row_count < 0) {
        return corrupt("it counts no rows", err);
    }
    TRY(link_elements(file.schema.items, file.schema.count, a, &footer, err));
    footer.row_count = file.row_count;
    footer.created_by = file.created_by;

    TRY(read_pass(bytes, &groups_shape, a, &footer, &file, err));
    footer.row_groups = file.row_groups.items;
    footer.row_group_count = file.row_groups.count;
    *ret_footer = footer;
    return STATUS_OK;
}

/* From the last bytes of the file: how long the footer is. */
static status footer_size(str tail, int64_t file_size_bytes, size_t *ret_size, error *err)
{
    const uint8_t *end = (const uint8_t *)tail.data + tail.size - TAIL_BYTES;
    size_t size;

    if (memcmp(end + 4, magic_encrypted, sizeof(magic)) == 0) {
        return error_set(err, STATUS_UNSUPPORTED, "the Parquet file is encrypted");
    }
    if (memcmp(end + 4, magic, sizeof(magic)) != 0) {
        return error_set(err, STATUS_CORRUPT,
                         "not a Parquet file, or a truncated one: no \"PAR1\" at its end");
    }
    size = (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
    if ((int64_t)size > file_size_bytes - TAIL_BYTES - (int64_t)sizeof(magic)) {
        return corrupt("it is longer than the file", err);
    }
    if (size > LIMIT_PARQUET_FOOTER) {
        return error_set(err, STATUS_TOO_LARGE, "the Parquet footer has %zu bytes, more than %zu",
                         size, LIMIT_PARQUET_FOOTER);
    }
    *ret_size = size;
    return STATUS_OK;
}

static status too_short(error *err)
{
    return error_set(err, STATUS_CORRUPT, "not a Parquet file: it is too short");
}

status parquet_footer_parse(str tail, int64_t file_size_bytes, arena *a, parquet_footer *ret_footer,
                            size_t *ret_needed_bytes, error *err)
{
    size_t size;

    if (file_size_bytes < TAIL_BYTES + (int64_t)sizeof(magic)) {
        return too_short(err);
    }
    if (tail.size < TAIL_BYTES) {
        *ret_needed_bytes = TAIL_BYTES;
        return STATUS_OK;
    }
    TRY(footer_size(tail, file_size_bytes, &size, err));
    if (tail.size < size + TAIL_BYTES) {
        *ret_needed_bytes = size + TAIL_BYTES;
        return STATUS_OK;
    }
    tail = str_slice(tail, tail.size - TAIL_BYTES - size, tail.size - TAIL_BYTES);
    TRY(parse(str_copy(a, tail), a, ret_footer, err));
    *ret_needed_bytes = 0;
    return STATUS_OK;
}

status parquet_footer_read(int fd, arena *a, parquet_footer *ret_footer, error *err)
{
    int64_t file_size;
    size_t size = FIRST_READ_BYTES;
    size_t needed = 0;

    TRY(fs_size(fd, &file_size, err));
    for (int reads = 0; reads < 2; reads++) {
        char *tail;

        size = (int64_t)size < file_size ? size : (size_t)file_size;
        tail = arena_alloc(a, size);
        TRY(fs_pread_all(fd, tail, size, file_size - (int64_t)size, err));
        TRY(parquet_footer_parse(str_from(tail, size), file_size, a, ret_footer, &needed, err));
        if (needed == 0) {
            return STATUS_OK;
        }
        size = needed;
    }
    return too_short(err); /* it changed between the reads */
}

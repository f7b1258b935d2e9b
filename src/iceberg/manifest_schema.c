/* manifest_schema.c: the Avro schemas that manifests and manifest lists are written with, per format version.
 *
 * Every file carries its schema uncompressed, so the text is compact: no documentation, no blanks. Columns of one
 * table stand in the order of v2 whatever the version: readers resolve by id. */
#include "tarn/base/limits.h"

#include "internal.h"
#include "manifest_columns.h"

/* --- columns --- */

#define MAP_OF(key_id, value_id, value_type)                                                 \
    "[\"null\",{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"k" #key_id      \
    "_v" #value_id "\",\"fields\":[{\"name\":\"key\",\"type\":\"int\",\"field-id\":" #key_id \
    "},{\"name\":\"value\",\"type\":\"" value_type "\",\"field-id\":" #value_id              \
    "}]},\"logicalType\":\"map\"}]"
#define LIST_OF(element_id, type) \
    "[\"null\",{\"type\":\"array\",\"items\":\"" type "\",\"element-id\":" #element_id "}]"
#define OPTIONAL(type) "[\"null\",\"" type "\"]"
#define PLAIN(type) "\"" type "\""
#define SUMMARIES                                                                                    \
    "[\"null\",{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"r508\",\"fields\":["    \
    "{\"name\":\"contains_null\",\"type\":\"boolean\",\"field-id\":509},"                            \
    "{\"name\":\"contains_nan\",\"type\":[\"null\",\"boolean\"],\"default\":null,\"field-id\":518}," \
    "{\"name\":\"lower_bound\",\"type\":[\"null\",\"bytes\"],\"default\":null,\"field-id\":510},"    \
    "{\"name\":\"upper_bound\",\"type\":[\"null\",\"bytes\"],\"default\":null,\"field-id\":511}"     \
    "]},\"element-id\":508}]"

const ice__column ice__list_columns[] = {
    [LIST_PATH] = {"manifest_path", PLAIN("string"), 500, 1, 3},
    [LIST_LENGTH] = {"manifest_length", PLAIN("long"), 501, 1, 3},
    [LIST_SPEC] = {"partition_spec_id", PLAIN("int"), 502, 1, 3},
    [LIST_CONTENT] = {"content", PLAIN("int"), 517, 2, 3},
    [LIST_SEQUENCE] = {"sequence_number", PLAIN("long"), 515, 2, 3},
    [LIST_MIN_SEQUENCE] = {"min_sequence_number", PLAIN("long"), 516, 2, 3},
    [LIST_SNAPSHOT] = {"added_snapshot_id", PLAIN("long"), 503, 1, 3},
    [LIST_ADDED_FILES] = {"added_files_count", PLAIN("int"), 504, 1, 3},
    [LIST_EXISTING_FILES] = {"existing_files_count", PLAIN("int"), 505, 1, 3},
    [LIST_DELETED_FILES] = {"deleted_files_count", PLAIN("int"), 506, 1, 3},
    [LIST_ADDED_ROWS] = {"added_rows_count", PLAIN("long"), 512, 1, 3},
    [LIST_EXISTING_ROWS] = {"existing_rows_count", PLAIN("long"), 513, 1, 3},
    [LIST_DELETED_ROWS] = {"deleted_rows_count", PLAIN("long"), 514, 1, 3},
    [LIST_PARTITIONS] = {"partitions", SUMMARIES, 507, 1, 3},
    [LIST_KEY] = {"key_metadata", OPTIONAL("bytes"), 519, 1, 3},
    [LIST_FIRST_ROW] = {"first_row_id", OPTIONAL("long"), 520, 3, 3},
};

const ice__column ice__file_columns[] = {
    [FILE_CONTENT] = {"content", PLAIN("int"), 134, 2, 3},
    [FILE_PATH] = {"file_path", PLAIN("string"), 100, 1, 3},
    [FILE_FORMAT] = {"file_format", PLAIN("string"), 101, 1, 3},
    [FILE_PARTITION] = {"partition", NULL, 102, 1, 3},
    [FILE_RECORDS] = {"record_count", PLAIN("long"), 103, 1, 3},
    [FILE_SIZE] = {"file_size_in_bytes", PLAIN("long"), 104, 1, 3},
    [FILE_BLOCK] = {"block_size_in_bytes", PLAIN("long"), 105, 1, 1},
    [FILE_COLUMN_SIZES] = {"column_sizes", MAP_OF(117, 118, "long"), 108, 1, 3},
    [FILE_VALUES] = {"value_counts", MAP_OF(119, 120, "long"), 109, 1, 3},
    [FILE_NULLS] = {"null_value_counts", MAP_OF(121, 122, "long"), 110, 1, 3},
    [FILE_NANS] = {"nan_value_counts", MAP_OF(138, 139, "long"), 137, 1, 3},
    [FILE_LOWER] = {"lower_bounds", MAP_OF(126, 127, "bytes"), 125, 1, 3},
    [FILE_UPPER] = {"upper_bounds", MAP_OF(129, 130, "bytes"), 128, 1, 3},
    [FILE_KEY] = {"key_metadata", OPTIONAL("bytes"), 131, 1, 3},
    [FILE_SPLITS] = {"split_offsets", LIST_OF(133, "long"), 132, 1, 3},
    [FILE_EQUALITY] = {"equality_ids", LIST_OF(136, "int"), 135, 2, 3},
    [FILE_ORDER] = {"sort_order_id", OPTIONAL("int"), 140, 1, 3},
    [FILE_FIRST_ROW] = {"first_row_id", OPTIONAL("long"), 142, 3, 3},
    [FILE_REFERENCED] = {"referenced_data_file", OPTIONAL("string"), 143, 2, 3},
    [FILE_OFFSET] = {"content_offset", OPTIONAL("long"), 144, 3, 3},
    [FILE_OFFSET_SIZE] = {"content_size_in_bytes", OPTIONAL("long"), 145, 3, 3},
};

bool ice__column_is_in(const ice__column *column, int format_version)
{
    return column->first_version <= format_version && format_version <= column->last_version;
}

static void put_column(buf *out, const char *name, const char *type, int id)
{
    buf_printf(out, "%s{\"name\":\"%s\",\"type\":%s%s,\"field-id\":%d}",
               out->data[out->size - 1] == '[' ? "" : ",", name, type,
               type[0] == '[' ? ",\"default\":null" : "", id);
}

str ice__list_schema(int format_version, arena *a)
{
    buf *out = buf_in(a, LIMIT_MIB);

    buf_add_c(out, "{\"type\":\"record\",\"name\":\"manifest_file\",\"fields\":[");
    for (int i = 0; i < LIST_COLUMN_COUNT; i++) {
        const ice__column *column = &ice__list_columns[i];

        if (ice__column_is_in(column, format_version)) {
            put_column(out, column->name, column->type, column->id);
        }
    }
    buf_add_c(out, "]}");
    return buf_str(out);
}

/* --- partitions --- */

/* Avro names are letters, digits and _, and do not begin with a digit. */
static str sanitize(str name, arena *a)
{
    buf *out = buf_in(a, LIMIT_MIB);

    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9';

        if (letter || (digit && i > 0)) {
            buf_add_char(out, c);
        } else if (digit) {
            buf_printf(out, "_%c", c);
        } else {
            buf_printf(out, "_x%X", (unsigned)(uint8_t)c);
        }
    }
    return buf_str(out);
}

static void put_type(buf *out, const ice_field *field)
{
    const ice_type *type = field->type;
    int id = (int)field->id;

    switch (type->kind) {
    case ICE_DATE:
        buf_add_c(out, "{\"type\":\"int\",\"logicalType\":\"date\"}");
        return;
    case ICE_TIME:
        buf_add_c(out, "{\"type\":\"long\",\"logicalType\":\"time-micros\"}");
        return;
    case ICE_TIMESTAMP:
    case ICE_TIMESTAMPTZ:
    case ICE_TIMESTAMP_NS:
    case ICE_TIMESTAMPTZ_NS:
        buf_printf(out, "{\"type\":\"long\",\"logicalType\":\"timestamp-%s\",\"adjust-to-utc\":%s}",
                   ice__kind_is_nanos(type->kind) ? "nanos" : "micros",
                   type->kind == ICE_TIMESTAMPTZ || type->kind == ICE_TIMESTAMPTZ_NS ? "true"
                                                                                     : "false");
        return;
    case ICE_UUID:
        buf_printf(out,
                   "{\"type\":\"fixed\",\"name\":\"uuid_%d\",\"size\":16,\"logicalType\":\"uuid\"}",
                   id);
        return;
    case ICE_FIXED:
        buf_printf(out, "{\"type\":\"fixed\",\"name\":\"fixed_%d\",\"size\":%d}", id,
                   (int)type->length);
        return;
    case ICE_DECIMAL:
        buf_printf(out,
                   "{\"type\":\"fixed\",\"name\":\"decimal_%d\",\"size\":%d,\"logicalType\":"
                   "\"decimal\",\"precision\":%d,\"scale\":%d}",
                   id, (int)ice__decimal_width(type->precision), (int)type->precision,
                   (int)type->scale);
        return;
    case ICE_BOOLEAN:
    case ICE_INT:
    case ICE_LONG:
    case ICE_FLOAT:
    case ICE_DOUBLE:
    case ICE_STRING:
        buf_printf(out, "\"%s\"", ice_kind_name(type->kind));
        return;
    default:
        buf_add_c(out, "\"bytes\"");
        return;
    }
}

static void put_partition(buf *out, const ice_type *partition, arena *a)
{
    buf_add_c(out, "{\"type\":\"record\",\"name\":\"r102\",\"fields\":[");
    for (size_t i = 0; i < partition->field_count; i++) {
        const ice_field *field = &partition->fields[i];
        str name = sanitize(field->name, a);

        buf_add_c(out, i > 0 ? "," : "");
        buf_printf(out, "{\"name\":\"%.*s\",\"type\":[\"null\",", STR_ARG(name));
        put_type(out, field);
        buf_printf(out, "],\"default\":null,\"field-id\":%d", (int)field->id);
        if (!str_equal(name, field->name)) {
            buf_add_c(out, ",\"iceberg-field-name\":");
            json_quote(out, field->name);
        }
        buf_add_c(out, "}");
    }
    buf_add_c(out, "]}");
}

str ice__manifest_schema(int format_version, const ice_type *partition, bool deletes, arena *a)
{
    buf *out = buf_in(a, LIMIT_MIB);

    buf_add_c(out, "{\"type\":\"record\",\"name\":\"manifest_entry\",\"fields\":[");
    put_column(out, "status", PLAIN("int"), 0);
    put_column(out, "snapshot_id", format_version == 1 ? PLAIN("long") : OPTIONAL("long"), 1);
    if (format_version > 1) {
        put_column(out, "sequence_number", OPTIONAL("long"), 3);
        put_column(out, "file_sequence_number", OPTIONAL("long"), 4);
    }
    buf_add_c(
        out, ",{\"name\":\"data_file\",\"type\":{\"type\":\"record\",\"name\":\"r2\",\"fields\":[");
    for (int i = 0; i < FILE_COLUMN_COUNT; i++) {
        const ice__column *column = &ice__file_columns[i];

        if (!ice__file_column_is_in((ice__file_column)i, format_version, deletes)) {
            continue;
        }
        if (i == FILE_PARTITION) {
            buf_add_c(out, ",{\"name\":\"partition\",\"type\":");
            put_partition(out, partition, a);
            buf_add_c(out, ",\"field-id\":102}");
        } else {
            put_column(out, column->name, column->type, column->id);
        }
    }
    buf_add_c(out, "]},\"field-id\":2}]}");
    return buf_str(out);
}

bool ice__file_column_is_in(ice__file_column column, int format_version, bool deletes)
{
    /* In v2 only delete files refer to a data file: their absence keeps data manifests small. */
    if (column == FILE_REFERENCED && format_version == 2 && !deletes) {
        return false;
    }
    return ice__column_is_in(&ice__file_columns[column], format_version);
}

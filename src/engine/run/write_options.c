/* The options of the COPY that writes data files: field ids, and what the table's properties ask
 * for. */
#include "run/write.h"

#include "tarn/base/limits.h"

#define BLOOM_COLUMN "write.parquet.bloom-filter-enabled.column."
#define BLOOM_FALSE_POSITIVES "write.parquet.bloom-filter-fpp.column."
/* As many as a row group of DuckDB's has rows; room for them is taken for every column. */
#define BLOOM_DICTIONARY_VALUES 122880
#define BLOOM_DICTIONARY_BYTES (16 << 20)
#define GROUP_ROWS_MAX INT64_C(1048576) /* where bytes are to decide */
#define GROUP_ROWS_MIN INT64_C(2048)    /* DuckDB writes vectors of so many */

static void put_field_ids(buf *out, const ice_type *type, const char *separator)
{
    static const char *const list_names[] = {"element"}, *const map_names[] = {"key", "value"};
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        str name = type->kind == ICE_LIST  ? str_c(list_names[i])
                   : type->kind == ICE_MAP ? str_c(map_names[i])
                                           : field->name;
        if (!write_is_stored(field)) {
            continue;
        }
        buf_add_c(out, separator);
        separator = ", ";
        sql_quote_text(out, name);
        if (ice_kind_is_nested(field->type->kind)) {
            buf_printf(out, ": {__duckdb_field_id: %d", field->id);
            put_field_ids(out, field->type, ", ");
            buf_add_char(out, '}');
        } else {
            buf_printf(out, ": %d", field->id);
        }
    }
}

/* write.parquet.compression-codec, in DuckDB's words. */
static const struct {
    const char *name, *duckdb;
} codecs[] = {
    {"zstd", "zstd"},         {"snappy", "snappy"},
    {"gzip", "gzip"},         {"brotli", "brotli"},
    {"lz4", "lz4_raw"},       {"lz4_raw", "lz4_raw"},
    {"none", "uncompressed"}, {"uncompressed", "uncompressed"},
};

static status put_codec(const ice_metadata *metadata, buf *out, error *err)
{
    str wanted = ice_metadata_property(metadata, "write.parquet.compression-codec", "zstd");
    for (size_t i = 0; i < COUNT_OF(codecs); i++) {
        if (str_equal_nocase(wanted, str_c(codecs[i].name))) {
            buf_printf(out, ", COMPRESSION '%s'", codecs[i].duckdb);
            int64_t level =
                ice_metadata_property_int(metadata, "write.parquet.compression-level", 0);
            if (level > 0 && level <= 22 && str_equal(str_c(codecs[i].duckdb), STR("zstd"))) {
                buf_printf(out, ", COMPRESSION_LEVEL %lld", (long long)level);
            }
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_INVALID,
                     "property \"write.parquet.compression-codec\": unknown codec \"%.*s\"",
                     STR_ARG(wanted));
}

/* DuckDB has one switch for all columns, and makes filters of dictionaries alone: those are given
 * the room that they need. */
static void put_bloom_filter(const ice_metadata *m, buf *out)
{
    bool wanted = false;
    double rate = 0.01, asked;
    for (size_t i = 0; i < m->property_count; i++) {
        const ice_property *p = &m->properties[i];
        if (str_starts_with(p->key, STR(BLOOM_COLUMN))) {
            wanted = wanted || str_equal_nocase(p->value, STR("true"));
        } else if (str_starts_with(p->key, STR(BLOOM_FALSE_POSITIVES)) &&
                   str_to_double(p->value, &asked, NULL) == STATUS_OK && asked > 0 && asked < 1) {
            rate = asked < rate ? asked : rate;
        }
    }
    buf_printf(out, ", WRITE_BLOOM_FILTER %s", wanted ? "true" : "false");
    if (wanted) {
        buf_printf(out,
                   ", BLOOM_FILTER_FALSE_POSITIVE_RATIO %g, DICTIONARY_SIZE_LIMIT %d, "
                   "STRING_DICTIONARY_PAGE_SIZE_LIMIT %d",
                   rate, BLOOM_DICTIONARY_VALUES, BLOOM_DICTIONARY_BYTES);
    }
}

/* Bytes of a row in memory, about: texts and lists are guessed. */
static int64_t row_width(const ice_type *type)
{
    static const int64_t widths[ICE_KIND_COUNT] = {
        [ICE_BOOLEAN] = 1, [ICE_INT] = 4,      [ICE_FLOAT] = 4,
        [ICE_DATE] = 4,    [ICE_DECIMAL] = 16, [ICE_UUID] = 16,
        [ICE_STRING] = 32, [ICE_BINARY] = 32,  [ICE_VARIANT] = 64,
    };
    int64_t sum = type->field_count > 0 ? 0 : widths[type->kind] > 0 ? widths[type->kind] : 8;
    for (size_t i = 0; i < type->field_count; i++) {
        sum += row_width(type->fields[i].type);
    }
    return type->kind == ICE_LIST || type->kind == ICE_MAP ? 4 * sum : sum;
}

/* Sizes in bytes are honoured where rows may change their order on the way; DuckDB cannot tell
 * them otherwise, so that rows are counted there. */
static void put_row_groups(const ice_metadata *m, bool ordered, buf *out, bool *ret_unordered)
{
    int64_t rows = ice_metadata_property_int(m, "write.parquet.row-group-limit", 0);
    int64_t bytes = ice_metadata_property_int(m, "write.parquet.row-group-size-bytes", 0);
    int64_t target = write_target_bytes(m);
    bool asked = bytes > 0;
    /* A file ends with a row group: small files need small ones. */
    if (!asked && target < WRITE_SMALL_TARGET) {
        bytes = target;
    }
    *ret_unordered = bytes > 0 && !ordered;
    int64_t most = rows > 0 ? rows : asked ? GROUP_ROWS_MAX : 0;
    if (bytes > 0 && ordered) {
        int64_t fitting = bytes / row_width(ice_metadata_schema(m)->root);
        fitting = fitting < GROUP_ROWS_MIN ? GROUP_ROWS_MIN : fitting;
        most = most > 0 && most < fitting ? most : fitting;
    }
    if (most > 0) {
        buf_printf(out, ", ROW_GROUP_SIZE %lld", (long long)most);
    }
    if (*ret_unordered) {
        buf_printf(out, ", ROW_GROUP_SIZE_BYTES %lld", (long long)bytes);
    }
}

static bool has_kind(const ice_type *type, ice_kind kind)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_type *own = type->fields[i].type;
        if (own->kind == kind || has_kind(own, kind)) {
            return true;
        }
    }
    return false;
}

int64_t write_target_bytes(const ice_metadata *m)
{
    return ice_metadata_property_int(m, "write.target-file-size-bytes", INT64_C(512) << 20);
}

status write_options(const ice_metadata *m, bool ordered, buf *out, bool *ret_unordered, error *err)
{
    int64_t page = ice_metadata_property_int(m, "write.parquet.dict-size-bytes", 0);
    buf_add_c(out, "FORMAT parquet, RETURN_STATS true, FIELD_IDS {");
    put_field_ids(out, ice_metadata_schema(m)->root, "");
    buf_add_char(out, '}');
    if (has_kind(ice_metadata_schema(m)->root, ICE_GEOMETRY)) {
        buf_add_c(out, ", GEOPARQUET_VERSION 'NONE'"); /* the type GEOMETRY itself, no add-on */
    }
    TRY(put_codec(m, out, err));
    put_bloom_filter(m, out);
    if (page > 0 && str_find(buf_str(out), STR("STRING_DICTIONARY_PAGE")) == STR_NPOS) {
        buf_printf(out, ", STRING_DICTIONARY_PAGE_SIZE_LIMIT %lld", (long long)page);
    }
    put_row_groups(m, ordered, out, ret_unordered);
    return STATUS_OK;
}

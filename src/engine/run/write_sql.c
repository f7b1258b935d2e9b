/* The COPY statement that writes a table's files: columns with their checks, hidden columns for
 * the partition values, field ids, and the options that the table's properties ask for.
 *
 * Partition values are computed by SQL that equals the specification's transforms for negative
 * values too; buckets by the function tarn_bucket of the worker. Checks are error() calls with a
 * marker and a number, turned into a message in write.c, where the names are. */
#include "run/write.h"

#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

#define US_PER_HOUR "3600000000"
#define NS_PER_HOUR "3600000000000"
#define NS_PER_DAY "86400000000000"

typedef struct sql_maker {
    const write_request *request;
    const ice_schema *schema;
    buf *out;
    arena *a;
    error *err;
    VEC(str) checks;
} sql_maker;

/* ---- checks ---- */

static size_t add_check(sql_maker *m, str name)
{
    vec_push(m->a, &m->checks, name);
    return m->checks.count - 1;
}

static bool may_be_infinite(const ice_type *type)
{
    return type->kind == ICE_DATE || type->kind == ICE_TIMESTAMP || type->kind == ICE_TIMESTAMPTZ ||
           type->kind == ICE_TIMESTAMP_NS;
}

/* WHEN … THEN error(…) for each rule on the value and what is inside of it; nothing where there
 * is none. */
static void put_checks(sql_maker *m, const ice_field *field, str value, str path, str parent)
{
    if (field->required) {
        buf_add_c(m->out, " WHEN ");
        if (!str_is_null(parent)) {
            buf_printf(m->out, "%.*s IS NOT NULL AND ", STR_ARG(parent));
        }
        buf_printf(m->out, "%.*s IS NULL THEN error('" WRITE_REQUIRED "%zu')", STR_ARG(value),
                   add_check(m, path));
    }
    if (may_be_infinite(field->type)) {
        buf_printf(m->out, " WHEN isinf(%.*s) THEN error('" WRITE_INFINITE "%zu')", STR_ARG(value),
                   add_check(m, path));
    }
    if (field->type->kind == ICE_LIST && field->type->fields[0].required) {
        buf_printf(m->out,
                   " WHEN list_count(%.*s) <> len(%.*s) THEN error('" WRITE_REQUIRED "%zu')",
                   STR_ARG(value), STR_ARG(value),
                   add_check(m, str_printf(m->a, "%.*s.element", STR_ARG(path))));
    }
    if (field->type->kind != ICE_STRUCT) {
        return;
    }
    for (size_t i = 0; i < field->type->field_count; i++) {
        const ice_field *child = &field->type->fields[i];
        buf *member = buf_in(m->a, LIMIT_MIB);
        buf_printf(member, "struct_extract(%.*s, ", STR_ARG(value));
        sql_quote_text(member, child->name);
        buf_add_char(member, ')');
        put_checks(m, child, buf_str(member),
                   str_printf(m->a, "%.*s.%.*s", STR_ARG(path), STR_ARG(child->name)), value);
    }
}

static void put_column(sql_maker *m, const ice_field *field, size_t number)
{
    str value = str_printf(m->a, "tarn_c%zu", number);
    buf *checks = buf_in(m->a, LIMIT_SQL_TEXT);
    buf *out = m->out;
    m->out = checks;
    put_checks(m, field, value, field->name, STR_NULL);
    m->out = out;
    if (checks->size == 0) {
        buf_add_str(out, value);
    } else {
        buf_printf(out, "CASE%.*s ELSE %.*s END", STR_ARG(buf_str(checks)), STR_ARG(value));
    }
    buf_add_c(out, " AS ");
    sql_quote_name(out, field->name);
}

/* ---- partition values ---- */

/* floor(value / unit) of whole numbers: DuckDB's // and % go toward zero. */
static str floor_division(sql_maker *m, str value, const char *unit)
{
    return str_printf(m->a, "((%.*s - ((%.*s %% %s) + %s) %% %s) // %s)", STR_ARG(value),
                      STR_ARG(value), unit, unit, unit, unit);
}

/* The value as a date in UTC. */
static str day_of(sql_maker *m, const ice_type *type, str value)
{
    switch (type->kind) {
    case ICE_TIMESTAMPTZ:
        return str_printf(m->a, "CAST(%.*s AT TIME ZONE 'UTC' AS DATE)", STR_ARG(value));
    case ICE_TIMESTAMP_NS: {
        str days =
            floor_division(m, str_printf(m->a, "epoch_ns(%.*s)", STR_ARG(value)), NS_PER_DAY);
        return str_printf(m->a, "(DATE '1970-01-01' + CAST(%.*s AS INTEGER))", STR_ARG(days));
    }
    default:
        return str_printf(m->a, "CAST(%.*s AS DATE)", STR_ARG(value));
    }
}

static str hour_of(sql_maker *m, const ice_type *type, str value)
{
    bool nanos = type->kind == ICE_TIMESTAMP_NS;
    str number = str_printf(m->a, "%s(%.*s)", nanos ? "epoch_ns" : "epoch_us", STR_ARG(value));
    str hours = floor_division(m, number, nanos ? NS_PER_HOUR : US_PER_HOUR);
    return str_printf(m->a, "CAST(%.*s AS INTEGER)", STR_ARG(hours));
}

/* The width of a decimal's truncation is in units of its last digit. */
static str decimal_width(sql_maker *m, const ice_type *type, int32_t width)
{
    str digits = str_printf(m->a, "%d", width);
    while (digits.size <= (size_t)type->scale) {
        digits = str_concat(m->a, STR("0"), digits);
    }
    size_t point = digits.size - (size_t)type->scale;
    return str_printf(m->a, "CAST('%.*s.%.*s' AS DECIMAL(38, %d))",
                      STR_ARG(str_slice(digits, 0, point)),
                      STR_ARG(str_slice(digits, point, digits.size)), type->scale);
}

static str truncate_of(sql_maker *m, const ice_type *type, str value, int32_t width)
{
    buf *name = buf_in(m->a, LIMIT_MIB);
    engine_duckdb_type(type, name);
    str w =
        type->kind == ICE_DECIMAL ? decimal_width(m, type, width) : str_printf(m->a, "%d", width);
    switch (type->kind) {
    case ICE_STRING:
        return str_printf(m->a, "left(%.*s, %d)", STR_ARG(value), width);
    case ICE_BINARY:
    case ICE_FIXED:
        return str_printf(m->a, "unhex(left(hex(%.*s), %lld))", STR_ARG(value),
                          2 * (long long)width);
    case ICE_DECIMAL:
        value = str_printf(m->a, "CAST(%.*s AS DECIMAL(38, %d))", STR_ARG(value), type->scale);
        break;
    default:
        value = str_printf(m->a, "CAST(%.*s AS HUGEINT)", STR_ARG(value));
        break;
    }
    str cut = str_printf(m->a, "%.*s - (((%.*s %% %.*s) + %.*s) %% %.*s)", STR_ARG(value),
                         STR_ARG(value), STR_ARG(w), STR_ARG(w), STR_ARG(w));
    if (type->kind != ICE_DECIMAL) { /* below the lowest integer it wraps, as the transform says */
        bool small = type->kind == ICE_INT;
        cut = str_printf(m->a, "CASE WHEN %.*s < %s THEN %.*s + %s ELSE %.*s END", STR_ARG(cut),
                         small ? "-2147483648" : "-9223372036854775808", STR_ARG(cut),
                         small ? "4294967296" : "18446744073709551616", STR_ARG(cut));
    }
    return str_printf(m->a, "CAST(%.*s AS %.*s)", STR_ARG(cut), STR_ARG(buf_str(name)));
}

static status partition_value(sql_maker *m, const ice_partition_field *field, str *ret_sql)
{
    const ice_field *source = ice_schema_field(m->schema, field->source_id);
    size_t number = 0;
    while (number < m->schema->root->field_count &&
           m->schema->root->fields[number].id != field->source_id) {
        number++;
    }
    if (field->transform.kind == ICE_VOID) {
        *ret_sql = STR("CAST(NULL AS INTEGER)");
        return STATUS_OK;
    }
    if (source == NULL || number == m->schema->root->field_count) {
        return error_set(m->err, STATUS_UNSUPPORTED,
                         "partition field \"%.*s\" is not of a top-level column",
                         STR_ARG(field->name));
    }
    str value = str_printf(m->a, "tarn_c%zu", number), day = day_of(m, source->type, value);
    switch (field->transform.kind) {
    case ICE_IDENTITY:
        *ret_sql = value;
        break;
    case ICE_BUCKET:
        *ret_sql =
            str_printf(m->a, "tarn_bucket(%.*s, %d)", STR_ARG(value), field->transform.parameter);
        break;
    case ICE_TRUNCATE:
        *ret_sql = truncate_of(m, source->type, value, field->transform.parameter);
        break;
    case ICE_YEAR:
        *ret_sql = str_printf(m->a, "CAST(year(%.*s) - 1970 AS INTEGER)", STR_ARG(day));
        break;
    case ICE_MONTH:
        *ret_sql = str_printf(m->a, "CAST((year(%.*s) - 1970) * 12 + month(%.*s) - 1 AS INTEGER)",
                              STR_ARG(day), STR_ARG(day));
        break;
    case ICE_DAY:
        *ret_sql = day;
        break;
    case ICE_HOUR:
        *ret_sql = hour_of(m, source->type, value);
        break;
    default:
        return error_set(m->err, STATUS_UNSUPPORTED,
                         "partition field \"%.*s\": transform \"%.*s\" is not known",
                         STR_ARG(field->name), STR_ARG(field->transform.text));
    }
    return STATUS_OK;
}

bool write_is_binary(const ice_partition_field *field, const ice_schema *schema)
{
    const ice_field *source = ice_schema_field(schema, field->source_id);
    ice_transform_kind kind = field->transform.kind;
    return source != NULL && (kind == ICE_IDENTITY || kind == ICE_TRUNCATE) &&
           (source->type->kind == ICE_BINARY || source->type->kind == ICE_FIXED);
}

/* ---- options ---- */

static void put_field_ids(buf *out, const ice_type *type, const char *separator)
{
    static const char *const list_names[] = {"element"}, *const map_names[] = {"key", "value"};
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        str name = type->kind == ICE_LIST  ? str_c(list_names[i])
                   : type->kind == ICE_MAP ? str_c(map_names[i])
                                           : field->name;
        buf_add_c(out, i > 0 ? ", " : separator);
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

static status put_codec(sql_maker *m)
{
    const ice_metadata *metadata = m->request->metadata;
    str wanted = ice_metadata_property(metadata, "write.parquet.compression-codec", "zstd");
    for (size_t i = 0; i < COUNT_OF(codecs); i++) {
        if (str_equal_nocase(wanted, str_c(codecs[i].name))) {
            buf_printf(m->out, ", COMPRESSION '%s'", codecs[i].duckdb);
            int64_t level =
                ice_metadata_property_int(metadata, "write.parquet.compression-level", 0);
            if (level > 0 && level <= 22 && str_equal(str_c(codecs[i].duckdb), STR("zstd"))) {
                buf_printf(m->out, ", COMPRESSION_LEVEL %lld", (long long)level);
            }
            return STATUS_OK;
        }
    }
    return error_set(m->err, STATUS_INVALID,
                     "property \"write.parquet.compression-codec\": unknown codec \"%.*s\"",
                     STR_ARG(wanted));
}

static bool wants_bloom_filter(const ice_metadata *m)
{
    for (size_t i = 0; i < m->property_count; i++) {
        if (str_starts_with(m->properties[i].key,
                            STR("write.parquet.bloom-filter-enabled.column.")) &&
            str_equal_nocase(m->properties[i].value, STR("true"))) {
            return true;
        }
    }
    return false;
}

static status put_options(sql_maker *m, const ice_spec *spec)
{
    const ice_metadata *metadata = m->request->metadata;
    int64_t group_rows = ice_metadata_property_int(metadata, "write.parquet.row-group-limit", 0);
    int64_t file_bytes =
        ice_metadata_property_int(metadata, "write.target-file-size-bytes", 512 << 20);

    buf_add_c(m->out, " (FORMAT parquet, RETURN_STATS true, FIELD_IDS {");
    put_field_ids(m->out, m->schema->root, "");
    buf_add_char(m->out, '}');
    TRY(put_codec(m));
    buf_printf(m->out, ", WRITE_BLOOM_FILTER %s", wants_bloom_filter(metadata) ? "true" : "false");
    if (group_rows > 0) {
        buf_printf(m->out, ", ROW_GROUP_SIZE %lld", (long long)group_rows);
    }
    if (spec->field_count == 0) {
        buf_add_c(m->out, ", WRITE_EMPTY_FILE false");
        if (file_bytes > 0) {
            buf_printf(m->out, ", FILE_SIZE_BYTES %lld", (long long)file_bytes);
        }
    } else {
        buf_add_c(m->out, ", HIVE_FILE_PATTERN false, PARTITION_BY (");
        for (size_t i = 0; i < spec->field_count; i++) {
            buf_printf(m->out, "%starn_p%zu", i > 0 ? ", " : "", i);
        }
        buf_add_char(m->out, ')');
    }
    buf_add_char(m->out, ')');
    return STATUS_OK;
}

/* Hidden columns must not have the name of one of the table's. */
static status check_names(const sql_maker *m)
{
    for (size_t i = 0; i < m->schema->root->field_count; i++) {
        str name = m->schema->root->fields[i].name;
        if (str_starts_with_nocase(name, STR("tarn_p")) && name.size > 6 && name.data[6] >= '0' &&
            name.data[6] <= '9') {
            return error_set(
                m->err, STATUS_UNSUPPORTED,
                "column \"%.*s\": a partitioned table cannot have a column of this name",
                STR_ARG(name));
        }
    }
    return STATUS_OK;
}

status write_make_sql(const write_request *request, const char *target, arena *a,
                      write_sql *ret_sql, error *err)
{
    const ice_spec *spec = ice_metadata_spec(request->metadata);
    sql_maker m = {
        .request = request,
        .schema = ice_metadata_schema(request->metadata),
        .out = buf_in(a, LIMIT_WORKER_MESSAGE),
        .a = a,
        .err = err,
    };
    size_t columns = m.schema->root->field_count;

    TRY(spec->field_count > 0 ? check_names(&m) : STATUS_OK);
    buf_add_c(m.out, "COPY (SELECT ");
    for (size_t i = 0; i < columns; i++) {
        buf_add_c(m.out, i > 0 ? ", " : "");
        put_column(&m, &m.schema->root->fields[i], i);
    }
    for (size_t i = 0; i < spec->field_count; i++) {
        str value;
        TRY(partition_value(&m, &spec->fields[i], &value));
        if (write_is_binary(&spec->fields[i], m.schema)) {
            /* DuckDB reports partition values as texts, which bytes are not. */
            value = str_printf(a, "hex(%.*s)", STR_ARG(value));
        }
        buf_printf(m.out, ", %.*s AS tarn_p%zu", STR_ARG(value), i);
    }
    buf_add_c(m.out, " FROM (");
    size_t offset = m.out->size;
    buf_add_str(m.out, request->source_sql);
    buf_add_c(m.out, "\n) AS tarn_rows(");
    for (size_t i = 0; i < columns; i++) {
        buf_printf(m.out, "%starn_c%zu", i > 0 ? ", " : "", i);
    }
    buf_add_char(m.out, ')');
    for (size_t i = 0; i < spec->field_count; i++) {
        buf_printf(m.out, "%starn_p%zu", i > 0 ? ", " : " ORDER BY ", i);
    }
    buf_add_c(m.out, ") TO ");
    sql_quote_text(m.out, str_c(target));
    TRY(put_options(&m, spec));
    TRY(buf_check(m.out, "the statement", err));
    *ret_sql = (write_sql){
        .text = buf_str(m.out),
        .source_offset = offset,
        .checks = m.checks.items,
        .check_count = m.checks.count,
        .partitioned = spec->field_count > 0,
    };
    return STATUS_OK;
}

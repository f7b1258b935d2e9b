/* The statement that writes a table's rows: columns with their checks, hidden columns for the
 * partition values, the order. Files are written at once by a COPY; where the table has a sort
 * order, rows go into a temporary table first, in this order, and files are cut from it
 * (write_sorted.c): several threads, partitions and changing files each put rows out of order.
 *
 * Checks are error() calls with a marker and a number, turned into a message in write.c, where the
 * names are. */
#include "run/write.h"

#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

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

/* WHEN the number of elements that break the rule is above 0. `values`: a list. */
static void put_element_check(sql_maker *m, const ice_type *type, bool required, str values,
                              str path)
{
    if (required) {
        buf_printf(m->out,
                   " WHEN list_count(%.*s) <> len(%.*s) THEN error('" WRITE_REQUIRED "%zu')",
                   STR_ARG(values), STR_ARG(values), add_check(m, path));
    }
    if (may_be_infinite(type)) {
        buf_printf(
            m->out,
            " WHEN len(list_filter(%.*s, lambda tarn_e: isinf(tarn_e))) > 0 THEN error('" WRITE_INFINITE
            "%zu')",
            STR_ARG(values), add_check(m, path));
    }
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
    if (field->type->kind == ICE_LIST) {
        const ice_field *element = &field->type->fields[0];
        put_element_check(m, element->type, element->required, value,
                          str_printf(m->a, "%.*s.element", STR_ARG(path)));
    }
    for (size_t i = 0; field->type->kind == ICE_MAP && i < 2; i++) {
        const ice_field *part = &field->type->fields[i];
        put_element_check(
            m, part->type, part->required && i == 1,
            str_printf(m->a, "map_%s(%.*s)", i == 0 ? "keys" : "values", STR_ARG(value)),
            str_printf(m->a, "%.*s.%s", STR_ARG(path), i == 0 ? "key" : "value"));
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
}

/* ---- partition values ---- */

bool write_is_binary(const ice_partition_field *field, const ice_schema *schema)
{
    const ice_field *source = ice_schema_field(schema, field->source_id);
    ice_transform_kind kind = field->transform.kind;
    return source != NULL && (kind == ICE_IDENTITY || kind == ICE_TRUNCATE) &&
           (source->type->kind == ICE_BINARY || source->type->kind == ICE_FIXED);
}

/* DuckDB takes names that differ in upper and lower case alone for one: it would write others. */
static status check_names(const sql_maker *m, const ice_type *type)
{
    for (size_t i = 0; i < type->field_count; i++) {
        str name = type->fields[i].name;
        for (size_t k = 0; k < i && type->kind == ICE_STRUCT; k++) {
            if (str_equal_nocase(type->fields[k].name, name)) {
                return error_set(m->err, STATUS_UNSUPPORTED,
                                 "columns \"%.*s\" and \"%.*s\" differ in upper and lower case "
                                 "alone: such a table can only be read",
                                 STR_ARG(type->fields[k].name), STR_ARG(name));
            }
        }
        TRY(check_names(m, type->fields[i].type));
    }
    return STATUS_OK;
}

/* Types that DuckDB has no values for, and those that it would write so that others cannot read
 * them: fixed[N] as a byte array. `is_nested`: below a column. */
static status check_types(const sql_maker *m, const ice_type *type, bool is_nested)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_type *own = type->fields[i].type;
        bool other_earth = own->kind == ICE_GEOMETRY && own->parameters.size > 0 &&
                           !str_equal_nocase(own->parameters, STR("OGC:CRS84"));
        if (own->kind == ICE_TIMESTAMPTZ_NS || own->kind == ICE_GEOGRAPHY ||
            own->kind == ICE_FIXED || other_earth || (own->kind == ICE_UNKNOWN && is_nested)) {
            buf *name = buf_in(m->a, LIMIT_MIB);
            ice_type_format(own, name);
            return error_set(m->err, STATUS_UNSUPPORTED,
                             "column \"%.*s\": values of type %.*s cannot be written to the "
                             "specification",
                             STR_ARG(type->fields[i].name), STR_ARG(buf_str(name)));
        }
        TRY(check_types(m, own, true));
    }
    return STATUS_OK;
}

/* Hidden columns must not have the name of one of the table's. */
static status check_hidden(const sql_maker *m)
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

bool write_is_stored(const ice_field *field)
{
    return field->type->kind != ICE_UNKNOWN;
}

/* ---- order ---- */

/* The table's order, where all of it can be computed; NULL: rows are in none. */
static status sort_keys(sql_maker *m, const ice_sort_order *order, str *ret_keys)
{
    buf *keys = buf_in(m->a, LIMIT_SQL_TEXT);
    for (size_t i = 0; order != NULL && i < order->field_count; i++) {
        const ice_sort_field *field = &order->fields[i];
        str value;
        TRY(write_transform(m->schema, field->source_id, &field->transform, STR("the sort order"),
                            m->a, &value, m->err));
        buf_printf(keys, "%s%.*s%s", i > 0 ? ", " : "", STR_ARG(value),
                   field->descending ? " DESC" : " ASC");
        buf_add_c(keys, field->nulls_last ? " NULLS LAST" : " NULLS FIRST");
    }
    *ret_keys = buf_str(keys);
    return STATUS_OK;
}

static const ice_sort_order *order_of(const ice_metadata *m)
{
    for (size_t i = 0; i < m->order_count; i++) {
        if (m->orders[i].id == m->default_order_id && m->orders[i].field_count > 0) {
            return &m->orders[i];
        }
    }
    return NULL;
}

/* ---- the statement ---- */

/* "tarn_c0 AS "a", …", each with its checks; names only where files are written at once. */
static void put_columns(sql_maker *m, bool named)
{
    const char *separator = "";
    for (size_t i = 0; i < m->schema->root->field_count; i++) {
        if (!write_is_stored(&m->schema->root->fields[i])) {
            continue;
        }
        buf_add_c(m->out, separator);
        separator = ", ";
        put_column(m, &m->schema->root->fields[i], i);
        buf_add_c(m->out, " AS ");
        if (named) {
            sql_quote_name(m->out, m->schema->root->fields[i].name);
        } else {
            buf_printf(m->out, "tarn_c%zu", i);
        }
    }
}

static status put_partition_values(sql_maker *m, const ice_spec *spec)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        const ice_partition_field *field = &spec->fields[i];
        str value;
        TRY(write_transform(m->schema, field->source_id, &field->transform,
                            str_printf(m->a, "partition field \"%.*s\"", STR_ARG(field->name)),
                            m->a, &value, m->err));
        if (write_is_binary(field, m->schema)) {
            /* DuckDB reports partition values as texts, which bytes are not. */
            value = str_printf(m->a, "hex(%.*s)", STR_ARG(value));
        }
        buf_printf(m->out, ", %.*s AS tarn_p%zu", STR_ARG(value), i);
    }
    return STATUS_OK;
}

/* Rows of a partition stand together, so that each is written once: files that are open at the same
 * time are limited. */
static void put_order(sql_maker *m, const ice_spec *spec, str keys)
{
    bool clustered =
        keys.size > 0 || !str_equal_nocase(ice_metadata_property(m->request->metadata,
                                                                 "write.distribution-mode", "hash"),
                                           STR("none"));
    const char *separator = " ORDER BY ";
    for (size_t i = 0; clustered && i < spec->field_count; i++) {
        buf_printf(m->out, "%starn_p%zu", separator, i);
        separator = ", ";
    }
    if (keys.size > 0) {
        buf_printf(m->out, "%s%.*s", separator, STR_ARG(keys));
    }
}

static void put_target(sql_maker *m, const ice_spec *spec, const char *target, str options)
{
    buf_add_c(m->out, ") TO ");
    sql_quote_text(m->out, str_c(target));
    buf_printf(m->out, " (%.*s", STR_ARG(options));
    if (spec->field_count == 0) {
        buf_printf(m->out, ", WRITE_EMPTY_FILE false, FILE_SIZE_BYTES %lld)",
                   (long long)write_target_bytes(m->request->metadata));
        return;
    }
    buf_add_c(m->out, ", HIVE_FILE_PATTERN false, PARTITION_BY (");
    for (size_t i = 0; i < spec->field_count; i++) {
        buf_printf(m->out, "%starn_p%zu", i > 0 ? ", " : "", i);
    }
    buf_add_c(m->out, "))");
}

status write_make_sql(const write_request *request, const char *target, str scratch, arena *a,
                      write_sql *ret_sql, error *err)
{
    const ice_spec *spec = ice_metadata_spec(request->metadata);
    const ice_sort_order *order = order_of(request->metadata);
    buf *options = buf_in(a, LIMIT_WORKER_MESSAGE);
    write_sql sql = {.partitioned = spec->field_count > 0, .sorted = order != NULL};
    str keys;
    sql_maker m = {
        .request = request,
        .schema = ice_metadata_schema(request->metadata),
        .out = buf_in(a, LIMIT_WORKER_MESSAGE),
        .a = a,
        .err = err,
    };

    TRY(check_names(&m, m.schema->root));
    TRY(check_types(&m, m.schema->root, false));
    TRY(sql.partitioned ? check_hidden(&m) : STATUS_OK);
    TRY(sort_keys(&m, order, &keys));
    TRY(write_options(request->metadata, sql.sorted, options, &sql.unordered, err));
    if (sql.sorted) {
        buf_printf(m.out, "CREATE OR REPLACE TEMP TABLE %.*s AS SELECT ", STR_ARG(scratch));
    } else {
        buf_add_c(m.out, "COPY (SELECT ");
    }
    put_columns(&m, !sql.sorted);
    TRY(put_partition_values(&m, spec));
    buf_add_c(m.out, " FROM (");
    sql.source_offset = m.out->size;
    buf_add_str(m.out, request->source_sql);
    buf_add_c(m.out, "\n) AS tarn_rows(");
    for (size_t i = 0; i < m.schema->root->field_count; i++) {
        buf_printf(m.out, "%starn_c%zu", i > 0 ? ", " : "", i);
    }
    buf_add_char(m.out, ')');
    put_order(&m, spec, keys);
    if (!sql.sorted) {
        put_target(&m, spec, target, buf_str(options));
    }
    TRY(buf_check(m.out, "the statement", err));
    sql.text = buf_str(m.out);
    sql.options = buf_str(options);
    sql.order_id = sql.sorted ? order->id : 0;
    sql.checks = m.checks.items;
    sql.check_count = m.checks.count;
    *ret_sql = sql;
    return STATUS_OK;
}

/* Columns as statements declare them: DuckDB's parser is the judge of types and of constants, and what comes out is
 * Iceberg's. */
#include "run/table.h"
#include "sql/types.h"
#include "tarn/base/limits.h"

/* ---- types ---- */

/* SELECT typeof(CAST(NULL AS t1)), …: DuckDB says every type in one form. */
static str types_sql(const statement_column *columns, size_t count, arena *a, size_t *offsets)
{
    buf *sql = buf_in(a, 2 * LIMIT_SQL_TEXT);
    buf_add_c(sql, "SELECT ");
    for (size_t i = 0; i < count; i++) {
        buf_add_c(sql, i > 0 ? ", typeof(CAST(NULL AS " : "typeof(CAST(NULL AS ");
        offsets[i] = sql->size;
        buf_add_str(sql, columns[i].type_text);
        buf_add_c(sql, "))");
    }
    return buf_str(sql);
}

/* A place in types_sql, as one in the script. */
static void place_type_error(const statement_column *columns, size_t count, const size_t *offsets,
                             error *err)
{
    if (err == NULL || err->position == ERROR_NO_POSITION) {
        return;
    }
    size_t position = (size_t)err->position, column = 0;
    while (column + 1 < count && offsets[column + 1] <= position) {
        column++;
    }
    size_t inside = position > offsets[column] ? position - offsets[column] : 0;
    err->position = (int)(columns[column].type_position +
                          (inside < columns[column].type_text.size ? inside : 0));
}

status table_columns(run *r, const statement_column *columns, size_t count, arena *a,
                     ice_field **ret_fields, error *err)
{
    worker *w;
    const json *rows;
    size_t *offsets = ARENA_ARRAY(a, size_t, count);
    ice_field *fields = ARENA_ARRAY(a, ice_field, count);
    for (size_t i = 0; i < count; i++) {
        TRY(run_at(types_check_declared(columns[i].type_text, columns[i].name, err),
                   columns[i].type_position, err));
    }
    TRY(run_worker(r, &w, err));
    status result =
        worker_rows(w, types_sql(columns, count, a, offsets), &r->cancel, a, &rows, err);
    if (result != STATUS_OK) {
        place_type_error(columns, count, offsets, err);
        return result;
    }
    for (size_t i = 0; i < count; i++) {
        const statement_column *column = &columns[i];
        str text = str_copy(a, json_str_or(json_at(json_at(rows, 0), i), STR("")));
        fields[i] =
            (ice_field){.name = column->name, .required = column->required, .doc = column->comment};
        TRY(run_at(engine_iceberg_type(text, column->name, a, &fields[i].type, err),
                   column->type_position, err));
        TRY(table_default(r, column->fallback, fields[i].type, column->name, a,
                          &fields[i].initial_default, err));
        fields[i].write_default = fields[i].initial_default;
    }
    *ret_fields = fields;
    return STATUS_OK;
}

/* ---- constants ---- */

/* What DuckDB makes of the constant in this type, as text; STR_NULL for NULL. */
static status cast_constant(run *r, token_range value, const ice_type *type, arena *a,
                            str *ret_text, error *err)
{
    worker *w;
    const json *rows;
    buf *sql = buf_in(a, LIMIT_SQL_TEXT);
    str constant = str_slice(r->tokens.sql, r->tokens.items[value.from].from,
                             r->tokens.items[value.to - 1].to);
    TRY(run_worker(r, &w, err));
    buf_add_c(sql, "SELECT CAST(CAST(");
    buf_add_str(sql, constant);
    buf_add_c(sql, " AS ");
    engine_duckdb_type(type, sql);
    buf_add_c(sql, ") AS VARCHAR)");
    TRY(buf_check(sql, "the default", err));
    TRY(worker_rows(w, buf_str(sql), &r->cancel, a, &rows, err));
    const json *cell = json_at(json_at(rows, 0), 0);
    *ret_text = json_kind_of(cell) == JSON_STR ? json_str_or(cell, STR("")) : STR_NULL;
    return STATUS_OK;
}

static status make_default(run *r, token_range value, const ice_type *type, str column, arena *a,
                           const json **ret_value, error *err)
{
    buf *text = buf_in(a, LIMIT_JSON_BODY);
    json_writer w;
    ice_value v;
    str plain;
    if (ice_kind_is_nested(type->kind) || type->kind == ICE_VARIANT) {
        return error_set(err, STATUS_UNSUPPORTED, "column \"%.*s\": a %s can have no default",
                         STR_ARG(column), ice_kind_name(type->kind));
    }
    status result = cast_constant(r, value, type, a, &plain, err);
    if (result != STATUS_OK) {
        if (err != NULL) {
            err->position = ERROR_NO_POSITION; /* it speaks of our own text */
        }
        error_context(err, "default of column \"%.*s\"", STR_ARG(column));
        return result;
    }
    if (str_is_null(plain)) {
        *ret_value = NULL;
        return STATUS_OK;
    }
    TRY(ice_value_parse_text(type, plain, a, &v, err));
    json_writer_init(&w, text);
    ice_value_format_json(type, &v, &w);
    return json_parse(buf_str(text), a, ret_value, err);
}

status table_default(run *r, token_range value, const ice_type *type, str column, arena *a,
                     const json **ret_value, error *err)
{
    *ret_value = NULL;
    return value.to <= value.from ? STATUS_OK
                                  : run_at(make_default(r, value, type, column, a, ret_value, err),
                                           r->tokens.items[value.from].from, err);
}

void table_default_text(const json *value, const ice_type *type, arena *a, buf *out)
{
    buf *text = buf_in(a, LIMIT_JSON_BODY);
    ice_value v;
    if (value == NULL || ice_value_parse_json(type, value, a, &v, NULL) != STATUS_OK) {
        buf_add_c(out, "NULL");
        return;
    }
    if (type->kind == ICE_BINARY || type->kind == ICE_FIXED) {
        for (size_t i = 0; i < v.bytes.size; i++) { /* DuckDB's own form of bytes */
            buf_printf(text, "\\x%02X", (unsigned)(uint8_t)v.bytes.data[i]);
        }
    } else {
        ice_value_format(type, &v, text);
    }
    bool plain = (type->kind == ICE_BOOLEAN || type->kind == ICE_INT || type->kind == ICE_LONG ||
                  type->kind == ICE_DECIMAL) &&
                 !text->failed;
    if (plain) {
        buf_add_str(out, buf_str(text));
    } else {
        sql_quote_text(out, buf_str(text));
    }
}

void engine_default_sql(const ice_field *field, arena *a, buf *out)
{
    buf_add_c(out, "CAST(");
    table_default_text(field->write_default, field->type, a, out);
    buf_add_c(out, " AS ");
    engine_duckdb_type(field->type, out);
    buf_add_char(out, ')');
}

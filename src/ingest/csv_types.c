/* Types of CSV columns from their content, over all inputs; and, for JSON too, values that do not fit a given type.
 *
 * A sample is enough for most files, and then the load itself looks at every value once more: one that the
 * sample's type would change (a fraction in whole numbers, a time in dates, a zone in timestamps) stops it,
 * and the types are found again from everything. Where the type is given, a value that it would change is
 * refused. Not here: dialect and names (csv.c). */
#include "internal.h"

#include "tarn/base/limits.h"

#define CSV_SAMPLE_ROWS "20480"
#define DECIMAL_DIGITS_MAX 38

/* ---- values that a cast would change ---- */

/* Conditions over a text, written $. What DuckDB refuses to cast by itself needs none. `sampled`: the type is a guess,
 * and such a value speaks for another one. `given`: the type is the table's or declared, and such a value does not fit;
 * NULL where every value that casts is taken. */
static const struct {
    str type;
    const char *sampled, *given;
} lossy_rows[] = {
    {STR_INIT("BIGINT"), "contains($, '.') OR contains($, 'e') OR contains($, 'E')",
     "$ IN ('true', 'false') OR (contains($, '.') AND NOT regexp_full_match($, '\\s*[+-]?\\d+\\.0*\\s*'))"},
    {STR_INIT("INTEGER"), "contains($, '.') OR contains($, 'e') OR contains($, 'E')",
     "$ IN ('true', 'false') OR (contains($, '.') AND NOT regexp_full_match($, '\\s*[+-]?\\d+\\.0*\\s*'))"},
    {STR_INIT("BOOLEAN"), "$ IN ('0', '1')", NULL},
    {STR_INIT("DATE"), "length($) > 10", "length($) > 10 AND length(trim($)) > 10"},
    {STR_INIT("TIME"), "length($) > 15 OR contains($, '+') OR contains($, '-')", NULL},
    {STR_INIT("TIMESTAMP"), "contains($, '+') OR contains($, 'Z') OR contains(substr($, 12), '-')",
     NULL},
};

static bool is_guess(const source *s, const source_column *column)
{
    return s->sampled && !column->declared;
}

static str lossy_condition(str type, bool guess)
{
    for (size_t i = 0; i < COUNT_OF(lossy_rows); i++) {
        if (str_equal(type, lossy_rows[i].type)) {
            return str_c(guess ? lossy_rows[i].sampled : lossy_rows[i].given);
        }
    }
    return STR_NULL;
}

bool ingest__is_checked(const source *s, const source_column *column, str type)
{
    return s->format != INPUT_PARQUET && !s->unchecked &&
           !str_is_null(lossy_condition(type, is_guess(s, column)));
}

/* The template with the quoted name for each $. */
static void add_template(str template, str name, buf *out)
{
    for (size_t i = 0; i < template.size; i++) {
        if (template.data[i] == '$') {
            sql_quote_name(out, name);
        } else {
            buf_add_char(out, template.data[i]);
        }
    }
}

void ingest__checked_value(const source *s, const source_column *column, str type, buf *out)
{
    buf_add_c(out, "CASE WHEN ");
    add_template(lossy_condition(type, is_guess(s, column)), column->name, out);
    buf_add_c(out, " THEN error(");
    if (is_guess(s, column)) {
        buf_add_c(out, "'a value beyond the sample'");
    } else {
        str before = str_printf(s->a, "column \"%.*s\": \"", STR_ARG(column->name));
        str after = str_printf(s->a, "\" is no %.*s", STR_ARG(type));
        sql_quote_text(out, before);
        add_template(STR(" || $ || "), column->name, out);
        sql_quote_text(out, after);
    }
    add_template(STR(") ELSE $ END"), column->name, out);
}

/* ---- asking DuckDB ---- */

static source_column *as_text(const source *s)
{
    source_column *columns = ARENA_ARRAY(s->a, source_column, s->column_count);
    for (size_t i = 0; i < s->column_count; i++) {
        columns[i] = (source_column){.name = s->columns[i].name, .type = STR("VARCHAR")};
    }
    return columns;
}

static status ask(const source *s, buf *sql, const json **ret_rows, error *err)
{
    TRY(buf_check(sql, "statement", err));
    return worker_rows(s->worker, buf_str(sql), s->cancel, s->a, ret_rows, err);
}

/* Types of one input's columns, in order; fewer or more than there are names where the content does not fit. */
static status sniff(const source *s, size_t input, bool whole, const json **ret_types, error *err)
{
    buf *sql = buf_in(s->a, LIMIT_SQL_TEXT);

    buf_printf(
        sql,
        "SELECT c.\"type\" FROM (SELECT unnest(Columns) AS c FROM sniff_csv(%.*s, sample_size = %s",
        STR_ARG(s->links[input]), whole ? "-1" : CSV_SAMPLE_ROWS);
    ingest__csv_dialect(s, sql);
    buf_add_c(sql, "))");
    return ask(s, sql, ret_types, err);
}

/* Reads everything as text, strictly: what is wrong with the rows comes out with its line. */
static status check_rows(const source *s, error *err)
{
    buf *sql = buf_in(s->a, LIMIT_SQL_TEXT);
    const json *rows = NULL;

    buf_add_c(sql, "SELECT count(*) FROM ");
    ingest__source_sql(s, s->columns, s->column_count, sql);
    return ask(s, sql, &rows, err);
}

/* Whether no row of this input has a value in the column. */
static status is_empty_column(const source *s, size_t input, size_t column, bool *ret_empty,
                              error *err)
{
    source one = *s;
    buf *sql = buf_in(s->a, LIMIT_SQL_TEXT);
    const json *rows = NULL;

    one.files = s->links[input];
    add_template(STR("SELECT count($) FROM "), s->columns[column].name, sql);
    ingest__source_sql(&one, as_text(s), s->column_count, sql);
    TRY(ask(s, sql, &rows, err));
    *ret_empty = json_int64_or(json_at(json_at(rows, 0), 0), 0) == 0;
    return STATUS_OK;
}

/* ---- one type for all inputs ---- */

/* What holds the values of both; text where nothing else does. */
static str wider_type(str a, str b)
{
    static const str wider[][3] = {
        {STR_INIT("BIGINT"), STR_INIT("DOUBLE"), STR_INIT("DOUBLE")},
        {STR_INIT("DATE"), STR_INIT("TIMESTAMP"), STR_INIT("TIMESTAMP")},
        {STR_INIT("DATE"), STR_INIT("TIMESTAMP WITH TIME ZONE"),
         STR_INIT("TIMESTAMP WITH TIME ZONE")},
        {STR_INIT("TIMESTAMP"), STR_INIT("TIMESTAMP WITH TIME ZONE"),
         STR_INIT("TIMESTAMP WITH TIME ZONE")},
    };

    for (size_t i = 0; i < COUNT_OF(wider); i++) {
        if ((str_equal(a, wider[i][0]) && str_equal(b, wider[i][1])) ||
            (str_equal(a, wider[i][1]) && str_equal(b, wider[i][0]))) {
            return wider[i][2];
        }
    }
    return str_equal(a, b) ? a : STR("VARCHAR");
}

/* Columns' types so far, and those of one more input; columns without any value there have no say. */
static status merge_types(source *s, size_t input, const json *types, error *err)
{
    for (size_t i = 0; i < s->column_count; i++) {
        source_column *column = &s->columns[i];
        str type = json_str_or(json_at(json_at(types, i), 0), STR("VARCHAR"));
        bool empty = false;

        if (input > 0 && str_equal(type, STR("VARCHAR")) && !str_equal(column->type, type)) {
            TRY(is_empty_column(s, input, i, &empty, err));
        }
        if (input > 0 && str_equal(column->type, STR("VARCHAR")) &&
            !str_equal(column->type, type)) {
            bool were_empty = true;
            for (size_t before = 0; were_empty && before < input; before++) {
                TRY(is_empty_column(s, before, i, &were_empty, err));
            }
            column->type = were_empty ? type : column->type;
        } else if (!empty) {
            column->type = input == 0 ? type : wider_type(column->type, type);
        }
    }
    return STATUS_OK;
}

static status find_types(source *s, bool whole, error *err)
{
    for (size_t i = 0; i < s->request->input_count; i++) {
        const json *types = NULL;
        error unclear = ERROR_INIT;
        status result = sniff(s, i, whole, &types, &unclear);

        if (result == STATUS_CANCELLED || result == STATUS_TIMEOUT ||
            result == STATUS_WORKER_DIED) {
            *err = unclear;
            return result;
        }
        if (result != STATUS_OK || json_count(types) != s->column_count) {
            for (size_t c = 0; c < s->column_count; c++) {
                s->columns[c].type = STR("VARCHAR");
            }
            return check_rows(s, err); /* rows that are whole but of no clear type stay text */
        }
        TRY(merge_types(s, i, types, err));
    }
    return STATUS_OK;
}

/* ---- digits and zones ---- */

/* One row, over a sample or everything: what the aggregate makes of each column of this type, 0 for the others. */
static status ask_columns(const source *s, str type, str aggregate, bool whole,
                          const json **ret_row, error *err)
{
    buf *sql = buf_in(s->a, LIMIT_SQL_TEXT);
    const json *rows = NULL;

    buf_add_c(sql, "SELECT ");
    for (size_t i = 0; i < s->column_count; i++) {
        buf_add_c(sql, i > 0 ? ", " : "");
        if (str_equal(s->columns[i].type, type) && !s->columns[i].declared) {
            add_template(aggregate, s->columns[i].name, sql);
        } else {
            buf_add_char(sql, '0');
        }
    }
    buf_add_c(sql, " FROM (FROM ");
    ingest__source_sql(s, as_text(s), s->column_count, sql);
    buf_add_c(sql, whole ? ")" : " LIMIT " CSV_SAMPLE_ROWS ")");
    TRY(ask(s, sql, &rows, err));
    *ret_row = json_at(rows, 0);
    return STATUS_OK;
}

/* DuckDB's guess for whole numbers beyond BIGINT is DOUBLE, which would round them. */
static status has_long_numbers(const source *s, bool *ret_has, error *err)
{
    const json *row = NULL;

    *ret_has = false;
    TRY(ask_columns(s, STR("DOUBLE"), STR("CAST(bool_and(NOT contains($, '.')) AS INTEGER)"), false,
                    &row, err));
    for (size_t i = 0; i < s->column_count; i++) {
        *ret_has = *ret_has || json_int64_or(json_at(row, i), 0) > 0;
    }
    return STATUS_OK;
}

#define NO_WHOLE_NUMBER 1000000

/* Whole numbers of more digits than BIGINT has: DECIMAL(38,0), or text where even that is too short. */
static status keep_digits(source *s, error *err)
{
    const json *row = NULL;

    TRY(ask_columns(s, STR("DOUBLE"),
                    STR("max(CASE WHEN regexp_full_match(trim($), '[-+]?[0-9]+')"
                        " THEN length(ltrim(trim($), '-+')) ELSE 1000000 END)"),
                    true, &row, err));
    for (size_t i = 0; i < s->column_count; i++) {
        int64_t digits = json_int64_or(json_at(row, i), 0);
        if (digits > 0 && digits < NO_WHOLE_NUMBER) {
            s->columns[i].type =
                digits <= DECIMAL_DIGITS_MAX ? STR("DECIMAL(38,0)") : STR("VARCHAR");
        }
    }
    return STATUS_OK;
}

/* DuckDB's guess for timestamps of which only some have a zone leaves the zone out, and so changes the time. */
static status keep_zones(source *s, error *err)
{
    const json *row = NULL;
    buf *aggregate = buf_in(s->a, LIMIT_SQL_TEXT);

    buf_printf(aggregate, "CAST(bool_or(%.*s) AS INTEGER)",
               STR_ARG(lossy_condition(STR("TIMESTAMP"), true)));
    TRY(ask_columns(s, STR("TIMESTAMP"), buf_str(aggregate), true, &row, err));
    for (size_t i = 0; i < s->column_count; i++) {
        if (json_int64_or(json_at(row, i), 0) > 0) {
            s->columns[i].type = STR("TIMESTAMP WITH TIME ZONE");
        }
    }
    return STATUS_OK;
}

/* ---- all of it ---- */

/* A column that is empty in the sample says nothing about its type. */
static status sample_has_empty_column(const source *s, bool *ret_empty, error *err)
{
    buf *sql = buf_in(s->a, LIMIT_SQL_TEXT);
    const json *rows = NULL;

    buf_add_c(sql, "SELECT least(1");
    for (size_t i = 0; i < s->column_count; i++) {
        add_template(STR(", count($)"), s->columns[i].name, sql);
    }
    buf_add_c(sql, ") FROM (FROM ");
    ingest__source_sql(s, as_text(s), s->column_count, sql);
    buf_add_c(sql, " LIMIT " CSV_SAMPLE_ROWS ")");
    TRY(ask(s, sql, &rows, err));
    *ret_empty = json_int64_or(json_at(json_at(rows, 0), 0), 0) == 0;
    return STATUS_OK;
}

status ingest__csv_types(source *s, bool whole, error *err)
{
    bool long_numbers = false;

    if (!whole) {
        TRY(sample_has_empty_column(s, &whole, err));
    }
    TRY(find_types(s, whole, err));
    TRY(has_long_numbers(s, &long_numbers, err));
    if (long_numbers && !whole) {
        whole = true;
        TRY(find_types(s, true, err));
    }
    if (long_numbers) {
        TRY(keep_digits(s, err));
    }
    if (whole) {
        TRY(keep_zones(s, err));
    }
    s->sampled = !whole;
    return STATUS_OK;
}

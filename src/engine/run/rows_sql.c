/* SELECT CAST(c0 AS VARCHAR) AS "name", … FROM (VALUES (…), …) AS t(c0, …) */
#include "run/rows_sql.h"

#include "tarn/engine/worker.h"

void rows_begin(rows_sql *rows, buf *out, const char *const *columns, size_t count)
{
    *rows = (rows_sql){.out = out, .columns = columns, .column_count = count};
    buf_add_c(out, "SELECT ");
    for (size_t i = 0; i < count; i++) {
        str type, name = str_cut(str_c(columns[i]), ' ', &type);
        buf_printf(out, "%sCAST(c%zu AS %.*s) AS ", i > 0 ? ", " : "", i, STR_ARG(type));
        sql_quote_name(out, name);
    }
    buf_add_c(out, " FROM (VALUES ");
}

static void begin_cell(rows_sql *rows)
{
    if (rows->cell == 0) {
        buf_add_c(rows->out, rows->row_count > 0 ? ", (" : "(");
    } else {
        buf_add_c(rows->out, ", ");
    }
}

static void end_cell(rows_sql *rows)
{
    if (++rows->cell == rows->column_count) {
        buf_add_char(rows->out, ')');
        rows->cell = 0;
        rows->row_count++;
    }
}

void rows_text(rows_sql *rows, str text)
{
    begin_cell(rows);
    if (str_is_null(text)) {
        buf_add_c(rows->out, "NULL");
    } else {
        sql_quote_text(rows->out, text);
    }
    end_cell(rows);
}

void rows_int(rows_sql *rows, int64_t value)
{
    begin_cell(rows);
    buf_printf(rows->out, "%lld", (long long)value);
    end_cell(rows);
}

void rows_end(rows_sql *rows)
{
    bool empty = rows->row_count == 0;
    for (size_t i = 0; empty && i < rows->column_count; i++) {
        rows_text(rows, STR_NULL);
    }
    buf_add_c(rows->out, ") AS t(");
    for (size_t i = 0; i < rows->column_count; i++) {
        buf_printf(rows->out, "%sc%zu", i > 0 ? ", " : "", i);
    }
    buf_add_c(rows->out, empty ? ") WHERE false" : ")");
}

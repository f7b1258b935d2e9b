/* rows_sql.h: rows that tarn itself makes, as a SELECT of constants, so that every result format
 * and every client sees them like any other rows. */
#ifndef TARN_ENGINE_ROWS_SQL_H
#define TARN_ENGINE_ROWS_SQL_H

#include "tarn/base/buf.h"

typedef struct rows_sql {
    buf *out;
    const char *const *columns; /* "name TYPE" */
    size_t column_count;
    size_t row_count, cell;
} rows_sql;

void rows_begin(rows_sql *rows, buf *out, const char *const *columns, size_t count);
/* Cells in the order of the columns, row after row. */
void rows_text(rows_sql *rows, str text); /* STR_NULL is NULL */
void rows_int(rows_sql *rows, int64_t value);
/* Completes the SELECT. */
void rows_end(rows_sql *rows);

#endif

/* format.h: rows of a result as text: JSON arrays, JSON objects, JSON lines, CSV, TSV (interface.md, "-o").
 *
 * format_begin, then format_row for each row, then format_end. Nothing is flushed here: result.c looks at the
 * buffer's size between rows. */
#ifndef TARN_ENGINE_FORMAT_H
#define TARN_ENGINE_FORMAT_H

#include "tarn/engine/worker.h"
#include "worker/cell.h"

typedef struct format {
    result_format kind;
    cell_vector *columns;
    size_t count;
    str *
        names; /* as the formats need them: for objects unique, in JSON's quotes with the colon; else as they are */
    uint64_t rows;
    buf scratch; /* CSV and TSV: a nested value before it is quoted */
} format;

void format_init(format *f, result_format kind, const str *names, cell_vector *columns,
                 size_t count, arena *a);
void format_release(format *f);
void format_begin(format *f, buf *out);
void format_row(format *f, uint64_t row, buf *out);
void format_end(format *f, buf *out);

#endif

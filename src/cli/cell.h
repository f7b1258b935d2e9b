/* cell.h: one value of a result, as the JSON text that the server sent, and its looks elsewhere. */
#ifndef TARN_CLI_CELL_H
#define TARN_CLI_CELL_H

#include <stdbool.h>
#include <stddef.h>

#include "tarn/base/buf.h"
#include "tarn/base/str.h"

bool cell_is_null(str cell);
/* The value as plain text: strings without quotes and escapes, nested values as JSON. Null adds
 * nothing. */
void cell_add_text(buf *out, str cell);
/* For people: as above, "NULL" for null, control characters visible, so that a value stays on its
 * line and cannot steer a terminal. */
void cell_add_visible(buf *out, str cell);
void cell_add_csv(buf *out, str cell);
void cell_add_tsv(buf *out, str cell);
void cell_add_md(buf *out, str cell);

/* Text that is no cell: names of columns. */
void text_add_visible(buf *out, str text);
void text_add_csv(buf *out, str text);
void text_add_tsv(buf *out, str text);
void text_add_md(buf *out, str text);

/* The elements of the text of one JSON array, as views. False where it is none. */
bool cell_split(str array, str *ret_cells, size_t count_max, size_t *ret_count);

#endif

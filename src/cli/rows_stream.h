/* rows_stream.h: the JSON answer of a query, taken apart while it arrives: only the row at hand is in
 * memory. */
#ifndef TARN_CLI_ROWS_STREAM_H
#define TARN_CLI_ROWS_STREAM_H

#include "tarn/base/arena.h"
#include "tarn/codec/json.h"

typedef struct rows_handler {
    /* Once, before the first row: what stands before "rows". */
    status (*begin)(void *context, const json *head, error *err);
    /* Cells are views until it returns. */
    status (*row)(void *context, const str *cells, size_t count, error *err);
    void *context;
} rows_handler;

typedef struct rows_stream rows_stream;
/* Everything lives in `a`. */
rows_stream *rows_stream_create(arena *a, const rows_handler *handler);
status rows_stream_feed(void *stream, const void *bytes, size_t size_bytes, error *err);
/* The document, with "rows" empty. UNAVAILABLE where it is not complete. */
status rows_stream_end(rows_stream *s, const json **ret_document, error *err);

#endif

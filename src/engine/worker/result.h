/* result.h: a query's result to the socket, in the client's format. */
#ifndef TARN_ENGINE_RESULT_H
#define TARN_ENGINE_RESULT_H

#include "tarn/engine/worker.h"
#include "worker/cursor.h"

/* Collects bytes into DATA messages: small ones at first, so that the first rows are seen at once. */
typedef struct outlet {
    int fd;
    buf columns; /* their message, which waits for the first bytes */
    buf out;
    int64_t bytes; /* sent so far */
} outlet;

void outlet_init(outlet *o, int fd);
void outlet_release(outlet *o);
status outlet_flush(outlet *o, error *err);
/* Sends the columns where no bytes did; before anything that does not go through `out`. */
status outlet_flush_columns(outlet *o, error *err);
/* Flushes where enough has gathered. */
status outlet_offer(outlet *o, error *err);

typedef struct result_request {
    cursor_options statement;
    result_format format;
    int64_t rows_max; /* -1: all */
} result_request;

/* Sends COLUMNS and DATA. *ret_is_cut: there were more rows than `rows_max`. */
status result_send(session *s, const result_request *request, int fd, int64_t *ret_rows,
                   bool *ret_is_cut, bool *is_fatal, error *err);

/* The parts of it. */
status result_put_columns(const cursor *c, outlet *o, error *err);
status result_send_arrow(cursor *c, int64_t rows_max, outlet *o, arena *a, int64_t *ret_rows,
                         error *err);
status result_send_parquet(session *s, const result_request *request, outlet *o, arena *a,
                           int64_t *ret_rows, bool *is_fatal, error *err);

#endif

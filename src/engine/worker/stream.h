/* stream.h: results chunk by chunk while the query still runs: the only users of DuckDB's deprecated functions. */
#ifndef TARN_ENGINE_STREAM_H
#define TARN_ENGINE_STREAM_H

#include "worker/duck.h"

/* Runs the statement up to its first rows. False: `ret_result` holds the error, or `ret_pending` does. Both are to be
 * destroyed in any case. */
bool stream_open(duck_prepared *statement, duck_pending **ret_pending, duck_result *ret_result);
/* The next rows, to be destroyed; NULL at the end, or after an error, which the result then holds. */
duck_chunk *stream_next(const duck_result *result);

#endif

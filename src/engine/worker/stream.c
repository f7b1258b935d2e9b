/* Streaming. Should a later DuckDB offer it under another name, this is the file that changes. */
#include "worker/stream.h"

bool stream_open(duck_prepared *statement, duck_pending **ret_pending, duck_result *ret_result)
{
    *ret_pending = NULL;
    *ret_result = (duck_result){.internal = NULL};
    return duck.pending_prepared_streaming(statement, ret_pending) == DUCK_SUCCESS &&
           duck.execute_pending(*ret_pending, ret_result) == DUCK_SUCCESS;
}

duck_chunk *stream_next(const duck_result *result)
{
    /* Takes streams and whole results alike: a COPY answers with the latter, and the call for streams alone would see
     * no rows there. */
    return duck.fetch_chunk(*result);
}

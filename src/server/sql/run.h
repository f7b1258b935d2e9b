/* run.h: a query's answer over HTTP.
 *
 * The first bytes of an answer are held back until they pass a limit or the answer is whole, so that most failures are
 * still an error status; what fails later cuts the stream. */
#ifndef TARN_SERVER_SQL_RUN_H
#define TARN_SERVER_SQL_RUN_H

#include "app.h"

/* Runs `request` (its principal, id and cancellation are filled in here) and answers in its format; JSON_ROWS is
 * wrapped into the document of POST /api/v1/query. */
status run_query(call *c, query_request *request, error *err);

#endif

/* metrics.h: counters of the server and how they are told (Prometheus text format). */
#ifndef TARN_SERVER_METRICS_H
#define TARN_SERVER_METRICS_H

#include "app.h"

/* `route_index` is the row of the route table, or server__route_count for requests without one. */
void metrics_count_request(size_t route_index, int status_code, int64_t elapsed_us);
void metrics_count_load(int64_t rows, int64_t bytes);

/* GET /metrics */
status metrics_get(call *c, error *err);
#endif

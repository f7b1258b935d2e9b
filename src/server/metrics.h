/* metrics.h: counters of the server and how they are told (Prometheus text format). */
#ifndef TARN_SERVER_METRICS_H
#define TARN_SERVER_METRICS_H

#include "app.h"

/* `route_index` is the row of the route table, or server__route_count for requests without one. */
void metrics_count_request(size_t route_index, int status_code, int64_t elapsed_us);
void metrics_count_load(int64_t rows, int64_t bytes);

/* Counters that have a value for each of something. Name, meaning, what they are told by. */
/* clang-format off */
#define FAMILY_TABLE(X) \
    X(HTTP_REQUESTS, "tarn_http_requests_total", "requests answered", "method, route and status class") \
    X(HTTP_SECONDS, "tarn_http_request_seconds_total", "time spent on requests", "method and route") \
    X(S3_REQUESTS, "tarn_s3_requests_total", "S3 requests answered", "operation and status class") \
    X(S3_SECONDS, "tarn_s3_request_seconds_total", "time spent on S3 requests", "operation") \
    X(S3_LIFECYCLE, "tarn_s3_lifecycle_actions_total", "actions that lifecycle rules asked for", "action") \
    X(REST_REQUESTS, "tarn_rest_requests_total", "requests to the Iceberg catalog answered", "operation and status class") \
    X(REST_SECONDS, "tarn_rest_request_seconds_total", "time spent on requests to the Iceberg catalog", "operation") \
    X(REST_REPORTS, "tarn_rest_reports_total", "reports of scans and commits that clients sent", "kind")
/* clang-format on */
typedef enum metric_family {
#define X(name, ...) METRIC_##name,
    FAMILY_TABLE(X)
#undef X
} metric_family;
/* The lines in front of its values; returns its name, which begins each of them. */
const char *metrics_begin_family(metric_family which, buf *out);

/* GET /metrics */
status metrics_get(call *c, error *err);
#endif

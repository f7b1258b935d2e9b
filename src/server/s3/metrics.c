/* Counters of the S3 door: requests and time by operation and status class (Prometheus text format). */
#include <inttypes.h>

#include "metrics.h"
#include "s3/s3.h"

#define OPERATIONS_MAX 160
#define CLASSES 6

static _Atomic int64_t requests[OPERATIONS_MAX + 1][CLASSES];
static _Atomic int64_t request_us[OPERATIONS_MAX + 1];

static size_t row_of(const s3_route *r)
{
    size_t count = 0;
    const s3_route *all = s3_routes(&count);
    size_t row = r != NULL ? (size_t)(r - all) : OPERATIONS_MAX;

    return row < OPERATIONS_MAX ? row : OPERATIONS_MAX;
}

void s3_count_request(const s3_route *r, int status_code, int64_t elapsed_us)
{
    size_t row = row_of(r);
    int class = status_code / 100;

    requests[row][class > 0 && class < CLASSES ? class : 0]++;
    request_us[row] += elapsed_us;
}

void s3_format_metrics(buf *out)
{
    size_t count = 0;
    const s3_route *all = s3_routes(&count);

    const char *name = metrics_begin_family(METRIC_S3_REQUESTS, out);
    for (size_t i = 0; i <= count; i++) {
        size_t row = i < count ? row_of(&all[i]) : OPERATIONS_MAX;
        for (int class = 0; class < CLASSES; class ++) {
            int64_t number = requests[row][class];
            if (number > 0) {
                buf_printf(out, "%s{operation=\"%s\",status=\"%dxx\"} %" PRId64 "\n", name,
                           i < count ? all[i].name : "", class, number);
            }
        }
    }
    name = metrics_begin_family(METRIC_S3_SECONDS, out);
    for (size_t i = 0; i < count; i++) {
        int64_t us = request_us[row_of(&all[i])];
        if (us > 0) {
            buf_printf(out, "%s{operation=\"%s\"} %.6f\n", name, all[i].name, (double)us / 1e6);
        }
    }
}

/* Counters of the REST catalog: requests and time by operation and status class, reports by kind (Prometheus text
 * format). */
#include <inttypes.h>

#include "metrics.h"
#include "rest.h"

#define OPERATIONS_MAX 64
#define CLASSES 6

static _Atomic int64_t requests[OPERATIONS_MAX + 1][CLASSES];
static _Atomic int64_t request_us[OPERATIONS_MAX + 1];
static _Atomic int64_t reports[REST_OTHER_REPORT + 1];

static size_t row_of(const rest_route *r)
{
    size_t row = r != NULL ? (size_t)(r - rest__routes) : OPERATIONS_MAX;

    return row < OPERATIONS_MAX ? row : OPERATIONS_MAX;
}

void rest__count_request(const rest_route *r, int status_code, int64_t elapsed_us)
{
    size_t row = row_of(r);
    int class = status_code / 100;

    requests[row][class > 0 && class < CLASSES ? class : 0]++;
    request_us[row] += elapsed_us;
}

void rest__count_report(rest_report kind)
{
    reports[kind]++;
}

static void format_reports(buf *out)
{
    static const char *const kinds[] = {[REST_SCAN_REPORT] = "scan",
                                        [REST_COMMIT_REPORT] = "commit",
                                        [REST_OTHER_REPORT] = "other"};

    const char *name = metrics_begin_family(METRIC_REST_REPORTS, out);

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        buf_printf(out, "%s{kind=\"%s\"} %" PRId64 "\n", name, kinds[i], reports[i]);
    }
}

void rest__format_metrics(buf *out)
{
    const char *name = metrics_begin_family(METRIC_REST_REQUESTS, out);

    for (size_t i = 0; i <= rest__route_count; i++) {
        const rest_route *r = i < rest__route_count ? &rest__routes[i] : NULL;
        for (int class = 0; class < CLASSES; class ++) {
            int64_t number = requests[row_of(r)][class];
            if (number > 0) {
                buf_printf(out, "%s{operation=\"%s\",status=\"%dxx\"} %" PRId64 "\n", name,
                           r != NULL ? r->operation : "", class, number);
            }
        }
    }
    name = metrics_begin_family(METRIC_REST_SECONDS, out);
    for (size_t i = 0; i < rest__route_count; i++) {
        int64_t us = request_us[row_of(&rest__routes[i])];
        if (us > 0) {
            buf_printf(out, "%s{operation=\"%s\"} %.6f\n", name, rest__routes[i].operation,
                       (double)us / 1e6);
        }
    }
    format_reports(out);
}

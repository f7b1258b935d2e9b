/* Counters of the server. Every metric is a row of METRIC_TABLE, or of FAMILY_TABLE where it has labels; its value is
 * read when it is asked for. */
#include "metrics.h"

#include <inttypes.h>

#include "answer.h"
#include "ops/webhooks.h"
#include "rest/rest.h"
#include "s3/lifecycle.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"

/* One place for 100 routes and the requests without one. */
#define ROUTES_MAX 128
#define CLASSES 6 /* 1xx … 5xx */

static _Atomic int64_t requests[ROUTES_MAX + 1][CLASSES];
static _Atomic int64_t request_us[ROUTES_MAX + 1];
static _Atomic int64_t loads, load_rows, load_bytes;

void metrics_count_request(size_t route_index, int status_code, int64_t elapsed_us)
{
    size_t row = route_index < ROUTES_MAX ? route_index : ROUTES_MAX;
    int class = status_code / 100;

    requests[row][class > 0 && class < CLASSES ? class : 0]++;
    request_us[row] += elapsed_us;
}

void metrics_count_load(int64_t rows, int64_t bytes)
{
    loads++;
    load_rows += rows;
    load_bytes += bytes;
}

/* What one scrape reads, once. */
typedef struct readings {
    const server *app;
    http_stats http;
    state_stats state;
    catalog_stats catalog;
    webhook_stats webhooks;
    worker_pool_stats workers;
    engine_stats engine;
    store_usage store;
} readings;

/*  name, kind, meaning, value of readings r */
/* clang-format off */
#define METRIC_TABLE(X) \
    X("tarn_uptime_seconds", "gauge", "time since the server started", (clock_now_us() - r->app->started_us) / 1000000) \
    X("tarn_http_connections", "gauge", "open connections", r->http.connections_open) \
    X("tarn_http_connections_total", "counter", "connections accepted", r->http.connections_total) \
    X("tarn_http_refused_total", "counter", "requests refused as malformed or over a limit", r->http.requests_refused) \
    X("tarn_http_received_bytes_total", "counter", "bytes read from clients", r->http.bytes_in) \
    X("tarn_http_sent_bytes_total", "counter", "bytes sent to clients", r->http.bytes_out) \
    X("tarn_state_submissions_total", "counter", "changes handed to the database", r->state.submissions) \
    X("tarn_state_commits_total", "counter", "groups of changes made durable, one sync each", r->state.groups) \
    X("tarn_state_rollbacks_total", "counter", "changes rolled back", r->state.rollbacks) \
    X("tarn_namespaces", "gauge", "namespaces", r->catalog.namespaces) \
    X("tarn_tables", "gauge", "tables", r->catalog.tables) \
    X("tarn_table_commits_total", "counter", "commits to tables", r->catalog.commits) \
    X("tarn_table_conflicts_total", "counter", "commits that found the table changed and tried again", r->catalog.conflicts) \
    X("tarn_table_merged_appends_total", "counter", "appends that shared another's commit", r->catalog.merged_appends) \
    X("tarn_webhook_sent_total", "counter", "events that webhooks took", r->webhooks.sent) \
    X("tarn_webhook_failed_total", "counter", "events that a webhook did not take, each time", r->webhooks.failed) \
    X("tarn_webhook_behind", "gauge", "events that the slowest webhook is still to be told", r->webhooks.behind) \
    X("tarn_webhook_lag_seconds", "gauge", "how long ago the oldest event happened that a webhook is still to be told", r->webhooks.lag_s) \
    X("tarn_webhook_failing", "gauge", "webhooks that did not take what they were sent last", r->webhooks.failing) \
    X("tarn_sweeps_total", "counter", "searches of file: tables for files that killed commits left", r->catalog.sweeps) \
    X("tarn_sweeps_failed_total", "counter", "such searches that failed or left a table out; the log says why", r->catalog.sweeps_failed) \
    X("tarn_swept_files_total", "counter", "such files removed", r->catalog.swept_files) \
    X("tarn_swept_bytes_total", "counter", "bytes of such files", r->catalog.swept_bytes) \
    X("tarn_purges_doubted_total", "counter", "times that a purge came upon a table that cannot be read whole; the log names it", r->catalog.purges_doubted) \
    X("tarn_queries_total", "counter", "SQL scripts run", r->engine.queries) \
    X("tarn_queries_failed_total", "counter", "SQL scripts that failed", r->engine.failed) \
    X("tarn_queries_cancelled_total", "counter", "SQL scripts that were cancelled or timed out", r->engine.cancelled) \
    X("tarn_queries_unpruned_total", "counter", "table scans whose filters could not be had", r->engine.unpruned) \
    X("tarn_sessions", "gauge", "open SQL sessions", r->engine.sessions) \
    X("tarn_transactions_committed_total", "counter", "transactions of several statements committed", r->engine.transactions_committed) \
    X("tarn_transactions_rolled_back_total", "counter", "such transactions rolled back, for whatever reason", r->engine.transactions_rolled_back) \
    X("tarn_transactions_conflicted_total", "counter", "such transactions that COMMIT refused because of others", r->engine.transactions_conflicted) \
    X("tarn_scan_files_considered_total", "counter", "data files that scans considered", r->engine.files_considered) \
    X("tarn_scan_files_skipped_total", "counter", "data files that pruning kept from being read", r->engine.files_skipped) \
    X("tarn_workers", "gauge", "worker processes", r->workers.alive) \
    X("tarn_workers_busy", "gauge", "worker processes that run a statement", r->workers.busy) \
    X("tarn_workers_waiting", "gauge", "statements that wait for a worker", r->workers.waiting) \
    X("tarn_workers_died_total", "counter", "workers that ended by themselves", r->workers.died) \
    X("tarn_workers_killed_total", "counter", "workers that were killed to end a statement", r->workers.killed) \
    X("tarn_store_objects", "gauge", "objects in the built-in store", r->store.objects) \
    X("tarn_store_bytes", "gauge", "bytes of objects in the built-in store", r->store.bytes) \
    X("tarn_store_lost_blobs", "gauge", "blobs in lost/", r->store.lost_blobs) \
    X("tarn_store_scrubbed_bytes_total", "counter", "bytes verified by the scrubber", r->store.scrubbed_bytes) \
    X("tarn_store_corrupt_objects", "gauge", "objects whose bytes do not match their checksums", r->store.corrupt_objects) \
    X("tarn_loads_total", "counter", "loads and ingests committed", loads) \
    X("tarn_load_rows_total", "counter", "rows committed by loads and ingests", load_rows) \
    X("tarn_load_bytes_total", "counter", "bytes received by loads and ingests", load_bytes)
/* clang-format on */

static void format_plain(const readings *r, buf *out)
{
#define X(name, kind, meaning, value)                                                           \
    buf_printf(out,                                                                             \
               "# HELP " name " " meaning "\n# TYPE " name " " kind "\n" name " %" PRId64 "\n", \
               (int64_t)(value));
    METRIC_TABLE(X)
#undef X
}

const char *metrics_begin_family(metric_family which, buf *out)
{
    static const struct {
        const char *name, *meaning;
    } families[] = {
#define X(name, text, meaning, labels) [METRIC_##name] = {text, meaning},
        FAMILY_TABLE(X)
#undef X
    };
    const char *name = families[which].name;

    buf_printf(out, "# HELP %s %s\n# TYPE %s counter\n", name, families[which].meaning, name);
    return name;
}

static void format_requests(buf *out)
{
    const char *name = metrics_begin_family(METRIC_HTTP_REQUESTS, out);

    for (size_t i = 0; i <= server__route_count; i++) {
        size_t row = i < server__route_count ? i : ROUTES_MAX;
        const char *pattern = i < server__route_count ? server__routes[i].pattern.pattern : "";
        const char *method =
            i < server__route_count ? http_method_name(server__routes[i].pattern.method) : "";
        for (int class = 0; class < CLASSES; class ++) {
            int64_t count = requests[row][class];
            if (count > 0) {
                buf_printf(out, "%s{method=\"%s\",route=\"%s\",status=\"%dxx\"} %" PRId64 "\n",
                           name, method, pattern, class, count);
            }
        }
    }
    name = metrics_begin_family(METRIC_HTTP_SECONDS, out);
    for (size_t i = 0; i < server__route_count; i++) {
        if (request_us[i] > 0) {
            buf_printf(out, "%s{method=\"%s\",route=\"%s\"} %.6f\n", name,
                       http_method_name(server__routes[i].pattern.method),
                       server__routes[i].pattern.pattern, (double)request_us[i] / 1e6);
        }
    }
}

status metrics_get(call *c, error *err)
{
    readings r = {.app = c->app};
    buf *out = buf_in(c->a, LIMIT_JSON_BODY);

    http_server_stats(c->app->http, &r.http);
    state_read_stats(c->app->state, &r.state);
    TRY(catalog_read_stats(c->app->catalog, &r.catalog, err));
    r.webhooks = webhooks_read_stats(c->app->webhooks);
    worker_pool_read_stats(c->app->workers, &r.workers);
    engine_read_stats(c->app->engine, &r.engine);
    TRY(store_read_usage(c->app->storage, &r.store, err));
    format_plain(&r, out);
    format_requests(out);
    s3_format_metrics(out);
    rest__format_metrics(out);
    lifecycle_format_metrics(out);
    TRY(buf_check(out, "answer", err));
    http_respond(c->x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(out));
    return STATUS_OK;
}

void server_format_metrics(buf *out)
{
    buf_add_c(out, "| metric | kind | meaning |\n|---|---|---|\n");
#define X(name, kind, meaning, value) buf_add_c(out, "| `" name "` | " kind " | " meaning " |\n");
    METRIC_TABLE(X)
#undef X
#define X(name, text, meaning, labels) \
    buf_add_c(out, "| `" text "` | counter | " meaning ", by " labels " |\n");
    FAMILY_TABLE(X)
#undef X
}

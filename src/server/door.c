/* The HTTP door: every request passes here once: route, authenticate, authorise, handle, answer, log.
 *
 * Invariants
 *   1. No handler runs before access_check said yes for its route's action.
 *   2. A request that fails before its route is known is still authenticated first, so that nobody can probe what
 *      exists; only routes of action "none" answer without a key.
 *   3. A handler that fails after it began its answer has its connection cut: never a clean end. */
#include "app.h"

#include "answer.h"
#include "metrics.h"
#include "rest/rest.h"
#include "tarn/base/clock.h"
#include "tarn/base/log.h"
#include "tarn/catalog/caller.h"

static resource resource_of(const call *c)
{
    return (resource){
        .warehouse = catalog_warehouse(c->app->catalog),
        .space = http_request_segment(c->x, "ns"),
        .table = http_request_segment(c->x, "table"),
    };
}

/* Of two keys nobody can say whose the request is: what stands before this server may have looked at
 * the other one. */
static status the_authorization(const call *c, str *ret_text, error *err)
{
    size_t count = 0;

    for (size_t i = 0; i < http_request_header_count(c->x); i++) {
        count += str_equal_nocase(http_request_header_at(c->x, i).name, STR("Authorization"));
    }
    if (count > 1) {
        return error_set(err, STATUS_INVALID, "the Authorization header is given twice");
    }
    *ret_text = http_request_header(c->x, "Authorization");
    return STATUS_OK;
}

status server__authenticate(call *c, error *err)
{
    str authorization;

    TRY(the_authorization(c, &authorization, err));
    return access_authenticate(c->app->access, authorization, c->a, &c->who, err);
}

static status authorise(call *c, action act, error *err)
{
    if (act == ACTION_NONE) {
        return STATUS_OK;
    }
    TRY(server__authenticate(c, err));
    const resource what = resource_of(c);
    return access_check(c->app->access, &c->who, act, &what, err);
}

/* Why there is no such route is told only to those who may know. */
static status refuse_unknown(call *c, status found, const error *unknown, error *err)
{
    TRY(authorise(c, ACTION_STATUS_READ, err));
    *err = *unknown;
    return found;
}

/* What events say of the way that a change came. */
static str via_of(const char *pattern)
{
    static const struct {
        str prefix, via;
    } ways[] = {{STR_INIT("/api/v1/query"), STR_INIT("sql")},
                {STR_INIT("/query"), STR_INIT("sql")},
                {STR_INIT("/api/v1/loads"), STR_INIT("load")},
                {STR_INIT("/api/v1/tables/"), STR_INIT("load")},
                {STR_INIT("/ingest"), STR_INIT("load")}};

    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        if (str_starts_with(str_c(pattern), ways[i].prefix)) {
            return ways[i].via;
        }
    }
    return STR("api");
}

static str peer_of(const http_exchange *x)
{
    str peer = http_request_peer(x);
    return str_equal(peer, STR("unix")) ? STR("") : peer;
}

static bool may_read_locations(const call *c)
{
    const resource all = {
        .warehouse = catalog_warehouse(c->app->catalog), .space = STR(""), .table = STR("")};

    return access_check(c->app->access, &c->who, ACTION_LOCATION_READ, &all, NULL) == STATUS_OK;
}

static status run(call *c, const route **ret_route, error *err)
{
    size_t index = 0;
    error unknown = ERROR_INIT;
    status found = http_router_match(c->app->router, c->x, &index, &unknown);

    if (found != STATUS_OK) {
        return refuse_unknown(c, found, &unknown, err);
    }
    const route *r = &server__routes[index];
    *ret_route = r;
    TRY(authorise(c, r->act, err));
    const catalog_caller caller = {.principal = c->who.name,
                                   .via = via_of(r->pattern.pattern),
                                   .peer = peer_of(c->x),
                                   .agent = http_request_header(c->x, "User-Agent"),
                                   .request_id = http_request_id(c->x),
                                   .wants_empty_places = !may_read_locations(c)};
    catalog_set_caller(&caller);
    status result = r->handle(c, err);
    catalog_set_caller(NULL);
    return result;
}

static void log_request(const call *c, const route *r, const error *err, int64_t elapsed_us)
{
    int code = http_answer_status(c->x);
    log_level level = code >= 500                          ? LOG_ERROR
                      : r != NULL && r->act == ACTION_NONE ? LOG_DEBUG
                                                           : LOG_INFO;

    if (!log_enabled(level)) {
        return;
    }
    log_event(level, "request", LOG_C("method", http_method_name(http_request_method(c->x))),
              LOG_STR("path", http_request_path(c->x)), LOG_INT("status", code),
              LOG_INT("bytes", http_answer_bytes(c->x)), LOG_INT("elapsed_us", elapsed_us),
              LOG_STR("principal", c->who.name), LOG_STR("peer", http_request_peer(c->x)),
              LOG_C("error", err->kind == STATUS_OK ? "" : err->message));
}

void server__handle(void *context, http_exchange *x)
{
    if (server__is_rest(x)) {
        server__handle_rest(context, x);
        return;
    }
    int64_t started_ns = clock_mono_ns();
    call c = {.app = context, .x = x, .a = http_exchange_arena(x)};
    const route *r = NULL;
    error err = ERROR_INIT;

    str id = http_request_id(x);
    log_set_request_id(str_to_c(c.a, id));
    status result = run(&c, &r, &err);
    if (http_body_is_awaited(x)) { /* the request begins anew when its body is there */
        log_set_request_id(NULL);
        return;
    }
    if (result == STATUS_CANCELLED && !http_exchange_gone(x) && server__gives_up(c.app)) {
        error_clear(&err);
        result = error_set(&err, STATUS_UNAVAILABLE, "the server is stopping");
        error_hint(&err, "Nothing was changed; ask again when it is back.");
    }
    if (result != STATUS_OK && !http_answered(x)) {
        err.kind = result;
        answer_error(x, &err);
    } else if (result != STATUS_OK) {
        err.kind = result;
        http_stream_abort(x);
    }
    int64_t elapsed_us = (clock_mono_ns() - started_ns) / 1000;
    metrics_count_request(r != NULL ? (size_t)(r - server__routes) : server__route_count,
                          http_answer_status(x), elapsed_us);
    log_request(&c, r, &err, elapsed_us);
    log_set_request_id(NULL);
}

bool server__is_inline(void *context, http_exchange *x)
{
    const server *app = context;
    size_t index = 0;

    if (server__is_rest(x)) {
        return server__rest_is_inline(context, x);
    }
    return http_router_match(app->router, x, &index, NULL) == STATUS_OK &&
           server__routes[index].on_loop;
}

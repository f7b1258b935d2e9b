/* The door of the Iceberg REST catalog: every request below /iceberg passes here once: route, key, names, right,
 * handler, answer, log.
 *
 * Invariants
 *   1. No handler runs before access_check said yes for its row's action on what the path names; what a body names is
 *      asked for by the handler that reads it, before anything is looked up. Who may not is told so in the same words
 *      whatever is there.
 *   2. What is authorised and what a handler acts on are the same names (address.c).
 *   3. Every failure is an error object of the specification, with no 5xx for what the client can mend.
 *   4. Every change is made with its caller known (catalog_set_caller). */
#include "handlers.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/log.h"

bool server__is_rest(const http_exchange *x)
{
    str path = http_request_path(x);

    return str_starts_with(path, STR(REST_ROOT)) &&
           (path.size == sizeof(REST_ROOT) - 1 || path.data[sizeof(REST_ROOT) - 1] == '/');
}

/* ---- rights ---- */

status rest__allow(rest_call *c, action act, table_name name, error *err)
{
    const resource what = {.warehouse = catalog_warehouse(c->base.app->catalog),
                           .space = name.space,
                           .table = name.table};

    return access_check(c->base.app->access, &c->base.who, act, &what, err);
}

/* Why there is no such route is told only to those who may know. */
static status refuse_unknown(rest_call *c, status found, const error *unknown, error *err)
{
    const table_name nothing = {.space = STR(""), .table = STR("")};

    TRY(server__authenticate(&c->base, err));
    TRY(rest__allow(c, ACTION_STATUS_READ, nothing, err));
    *err = *unknown;
    return found;
}

/* In other words than those of the first warehouse's names, which the client knows: a name of another one reads
 * differently when there is such a warehouse. */
static status refuse_alike(rest_call *c, action act, status refusal, error *err)
{
    const table_name nothing = {.space = STR(""), .table = STR("")};
    str prefix = http_request_segment(c->base.x, "prefix");
    error general = ERROR_INIT;

    if (!str_is_null(prefix) && !str_equal(prefix, catalog_warehouse(c->base.app->catalog)) &&
        rest__allow(c, act, nothing, &general) != STATUS_OK) {
        *err = general;
    }
    return refusal;
}

/* The path's names, and the right to do `act` there. What is wrong with the names, and that there is no such warehouse,
 * is told only to those who have it. */
static status read_allowed(rest_call *c, const rest_address *at, action act, error *err)
{
    const table_name nothing = {.space = STR(""), .table = STR("")};
    error wrong = ERROR_INIT;
    status read = rest__read_address(c, str_c(at->pattern.pattern), &wrong);

    if (act != ACTION_NONE) {
        status allowed = rest__allow(c, act, read == STATUS_OK ? c->name : nothing, err);

        if (allowed != STATUS_OK) {
            c->fail_code = 0;
            c->fail_type = NULL;
            return refuse_alike(c, act, allowed, err);
        }
    }
    if (read != STATUS_OK) {
        *err = wrong;
    }
    return read;
}

static status refuse_unserved(rest_call *c, const rest_address *at, error *err)
{
    TRY(server__authenticate(&c->base, err));
    TRY(read_allowed(c, at, ACTION_TABLE_READ, err));
    return rest__fail(c, err, STATUS_NOT_ACCEPTABLE, 406, "UnsupportedOperationException",
                      "%s is not served: %s", at->refusal->operation, at->refusal->reason);
}

/* ---- bodies ---- */

status rest__read_body(rest_call *c, str *ret_text, error *err)
{
    if (str_is_null(c->body)) {
        str encoding = http_request_header(c->base.x, "Content-Encoding");
        str text;

        if (encoding.size > 0 && !str_equal_nocase(encoding, STR("identity"))) {
            return error_set(err, STATUS_MEDIA_TYPE, "Content-Encoding \"%.*s\" is not read here",
                             STR_ARG(encoding));
        }
        TRY(http_body_await(c->base.x, LIMIT_JSON_BODY, &text, err));
        c->body = text.size > 0 ? text : STR("");
    }
    *ret_text = c->body;
    return STATUS_OK;
}

status rest__read_json(rest_call *c, const json **ret_object, error *err)
{
    const json *object = NULL;
    str text;

    TRY(rest__read_body(c, &text, err));
    status result = json_parse_within(text, LIMIT_JSON_BODY_VALUES, c->base.a, &object, err);
    if (result != STATUS_OK) {
        error_context(err, "malformed request body");
        return result;
    }
    if (json_kind_of(object) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID, "malformed request body: %s, not a JSON object",
                         json_kind_name(json_kind_of(object)));
    }
    *ret_object = object;
    return STATUS_OK;
}

/* ---- the way of a request ---- */

static bool may_read_locations(rest_call *c)
{
    const table_name all = {.space = STR(""), .table = STR("")};

    return rest__allow(c, ACTION_LOCATION_READ, all, NULL) == STATUS_OK;
}

static void set_caller(rest_call *c)
{
    http_exchange *x = c->base.x;
    bool reads = http_request_method(x) == HTTP_GET || http_request_method(x) == HTTP_HEAD;
    str agent = http_request_header(x, "User-Agent");

    c->caller = (catalog_caller){.principal = c->base.who.name,
                                 .via = STR("rest"),
                                 .peer = http_request_peer(x),
                                 .agent = str_is_null(agent) ? STR("") : agent,
                                 .request_id = http_request_id(x),
                                 .wants_empty_places = !reads && !may_read_locations(c)};
    catalog_set_caller(&c->caller);
}

static status handle(rest_call *c, error *err)
{
    bool done = false;

    if ((c->route->flags & REST_IDEMPOTENT) == 0 || rest__idempotency_lifetime(c) == NULL ||
        str_is_null(http_request_header(c->base.x, "Idempotency-Key"))) {
        return c->route->handle(c, err);
    }
    TRY(rest__idempotent_begin(c, &done, err));
    if (done) {
        return STATUS_OK;
    }
    status result = c->route->handle(c, err);
    rest__idempotent_end(c, result, err);
    return result;
}

/* Which of two is meant nobody knows: one says to purge, the other not to. */
static status refuse_doubles(const rest_call *c, error *err)
{
    size_t count = 0;
    const uri_pair *params = http_request_params(c->base.x, &count);

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (str_equal(params[i].name, params[j].name)) {
                return error_set(err, STATUS_INVALID,
                                 "query parameter \"%.*s\" is given more than once",
                                 STR_ARG(params[i].name));
            }
        }
    }
    return STATUS_OK;
}

static status run(rest_call *c, error *err)
{
    server *app = c->base.app;
    size_t index = 0;
    error unknown = ERROR_INIT;
    status found = http_router_match(app->rest_router, c->base.x, &index, &unknown);

    if (found != STATUS_OK) {
        return refuse_unknown(c, found, &unknown, err);
    }
    const rest_address *at = &app->rest_addresses[index];
    if (at->refusal != NULL) {
        return refuse_unserved(c, at, err);
    }
    c->route = at->route;
    if (c->route->act != ACTION_NONE) {
        TRY(server__authenticate(&c->base, err));
    }
    TRY(read_allowed(c, at, c->route->act, err));
    TRY(refuse_doubles(c, err));
    if (!rest__is_inside(c, c->name.space)) {
        return rest__missing(c, err);
    }
    set_caller(c);
    return handle(c, err);
}

static void log_request(const rest_call *c, const error *err, int64_t elapsed_us)
{
    http_exchange *x = c->base.x;
    int code = http_answer_status(x);
    bool reads = http_request_method(x) == HTTP_GET || http_request_method(x) == HTTP_HEAD;
    log_level level = code >= 500 ? LOG_ERROR : reads && code < 400 ? LOG_DEBUG : LOG_INFO;

    if (!log_enabled(level)) {
        return;
    }
    log_event(level, "rest request",
              LOG_C("operation", c->route != NULL ? c->route->operation : "unknown"),
              LOG_C("method", http_method_name(http_request_method(x))),
              LOG_STR("path", http_request_path(x)), LOG_INT("status", code),
              LOG_INT("bytes", http_answer_bytes(x)), LOG_INT("elapsed_us", elapsed_us),
              LOG_STR("principal", c->base.who.name), LOG_STR("peer", http_request_peer(x)),
              LOG_C("error", err->kind == STATUS_OK ? "" : err->message));
}

void server__handle_rest(void *context, http_exchange *x)
{
    int64_t started_ns = clock_mono_ns();
    rest_call c = {.base = {.app = context, .x = x, .a = http_exchange_arena(x)},
                   .name = {.space = STR(""), .table = STR("")},
                   .shown = STR(""),
                   .shown_space = STR("")};
    error err = ERROR_INIT;

    log_set_request_id(str_to_c(c.base.a, http_request_id(x)));
    status result = run(&c, &err);
    catalog_set_caller(NULL);
    if (http_body_is_awaited(x)) { /* the request begins anew when its body is there */
        log_set_request_id(NULL);
        return;
    }
    if (result == STATUS_CANCELLED && !http_exchange_gone(x) && server__gives_up(c.base.app)) {
        error_clear(&err);
        result = error_set(&err, STATUS_UNAVAILABLE, "the server is stopping");
    }
    if (result != STATUS_OK) {
        err.kind = result;
    }
    if (result != STATUS_OK && !http_answered(x)) {
        rest__answer_error(&c, &err);
    } else if (result != STATUS_OK) {
        http_stream_abort(x);
    }
    int64_t elapsed_us = (clock_mono_ns() - started_ns) / 1000;
    rest__count_request(c.route, http_answer_status(x), elapsed_us);
    log_request(&c, &err, elapsed_us);
    log_set_request_id(NULL);
}

/* Such a table's credentials ask the catalog whose those folders are. */
static bool has_own_folders(const ice_metadata *m)
{
    for (size_t i = 0; i < m->property_count; i++) {
        if (str_starts_with(m->properties[i].key, STR("write.")) &&
            str_ends_with(m->properties[i].key, STR(".path"))) {
            return true;
        }
    }
    return false;
}

/* What fits into a socket's buffer, more or less; a file goes to the socket as it takes it. */
#define INLINE_BYTES_MAX ((size_t)256 * 1024)

/* A table whose document is kept is answered by the loop itself: nothing of it waits. */
bool server__rest_is_inline(void *context, http_exchange *x)
{
    server *app = context;
    rest_call c = {.base = {.app = app, .x = x, .a = http_exchange_arena(x)},
                   .name = {.space = STR(""), .table = STR("")},
                   .shown = STR(""),
                   .shown_space = STR("")};
    error ignored = ERROR_INIT;
    size_t index = 0;

    if (http_request_method(x) != HTTP_GET ||
        http_router_match(app->rest_router, x, &index, &ignored) != STATUS_OK) {
        return false;
    }
    const rest_address *at = &app->rest_addresses[index];
    if (at->refusal != NULL || at->route->handle != rest__table_get ||
        rest__read_address(&c, str_c(at->pattern.pattern), &ignored) != STATUS_OK) {
        return false;
    }
    catalog_document *d = catalog_find_document(app->catalog, c.name);
    bool is_inline = d != NULL && (d->all.size <= INLINE_BYTES_MAX || d->file >= 0) &&
                     !has_own_folders(d->metadata);
    catalog_document_unref(d);
    return is_inline;
}

/* Whoever asks for a token has not said yet who it is. */
bool server__rest_wants_whole(void *context, http_exchange *x)
{
    const server *app = context;
    error ignored = ERROR_INIT;
    size_t index = 0;

    return server__is_rest(x) && http_request_method(x) == HTTP_POST &&
           http_router_match(app->rest_router, x, &index, &ignored) == STATUS_OK &&
           app->rest_addresses[index].refusal == NULL &&
           app->rest_addresses[index].route->handle == rest__token_post;
}

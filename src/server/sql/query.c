/* POST /api/v1/query and the list of queries. */
#include "answer.h"
#include "handlers.h"
#include "run.h"
#include "tarn/base/limits.h"

typedef struct query_body {
    str sql;
    const json *params;
    str format;
    str space;
    str at;
    str session;
    const json *limits;
    bool async;
} query_body;

static const json_field body_fields[] = {
    {"sql", JSON_STR, JSON_REQUIRED, offsetof(query_body, sql)},
    {"params", JSON_VALUE, 0, offsetof(query_body, params)},
    {"format", JSON_STR, 0, offsetof(query_body, format)},
    {"namespace", JSON_STR, 0, offsetof(query_body, space)},
    {"at", JSON_STR, 0, offsetof(query_body, at)},
    {"session", JSON_STR, 0, offsetof(query_body, session)},
    {"limits", JSON_OBJECT, 0, offsetof(query_body, limits)},
    {"async", JSON_BOOL, 0, offsetof(query_body, async)},
};

typedef struct query_limits {
    int64_t rows;
    double seconds;
    int64_t memory_bytes;
} query_limits;

static const json_field limit_fields[] = {
    {"rows", JSON_INT64, 0, offsetof(query_limits, rows)},
    {"seconds", JSON_DOUBLE, 0, offsetof(query_limits, seconds)},
    {"memory_bytes", JSON_INT64, 0, offsetof(query_limits, memory_bytes)},
};

static const struct {
    str media_type;
    result_format format;
} accepted[] = {
    {STR_INIT("application/vnd.apache.arrow.stream"), RESULT_ARROW},
    {STR_INIT("application/vnd.apache.parquet"), RESULT_PARQUET},
    {STR_INIT("application/x-ndjson"), RESULT_JSONL},
    {STR_INIT("application/jsonl"), RESULT_JSONL},
    {STR_INIT("text/csv"), RESULT_CSV},
    {STR_INIT("text/tab-separated-values"), RESULT_TSV},
    {STR_INIT("application/json"), RESULT_JSON_ROWS},
};

/* The first entry of Accept that can be served; anything goes where there is none or a wildcard. */
static status format_from_accept(const call *c, result_format *ret_format, error *err)
{
    str header = http_request_header(c->x, "Accept");

    *ret_format = RESULT_JSON_ROWS;
    if (header.size == 0) {
        return STATUS_OK;
    }
    for (str rest = header; !str_is_null(rest);) {
        str entry = str_cut(rest, ',', &rest);
        str parameters;
        str type = str_trim(str_cut(entry, ';', &parameters));
        for (size_t i = 0; i < COUNT_OF(accepted); i++) {
            if (str_equal_nocase(type, accepted[i].media_type)) {
                *ret_format = accepted[i].format;
                return STATUS_OK;
            }
        }
        if (str_equal(type, STR("*/*")) || str_equal(type, STR("application/*"))) {
            return STATUS_OK;
        }
    }
    error_set(err, STATUS_NOT_ACCEPTABLE, "no format of \"%.*s\" can be served", STR_ARG(header));
    error_hint(err,
               "Ask for application/json, application/x-ndjson, text/csv, or an Arrow stream.");
    return STATUS_NOT_ACCEPTABLE;
}

static status choose_format(const call *c, const query_body *body, result_format *ret_format,
                            error *err)
{
    if (str_is_null(body->format)) {
        return format_from_accept(c, ret_format, err);
    }
    if (str_equal(body->format, STR("json"))) {
        *ret_format = RESULT_JSON_ROWS;
        return STATUS_OK;
    }
    if (str_equal(body->format, STR("objects"))) {
        *ret_format = RESULT_JSON_OBJECTS;
        return STATUS_OK;
    }
    if (!result_format_from(body->format, ret_format)) {
        error_set(err, STATUS_INVALID, "format \"%.*s\" does not exist", STR_ARG(body->format));
        error_hint(err, "Formats are json, objects, jsonl, csv, tsv, arrow and parquet.");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

static status refuse_later_parts(const query_body *body, error *err)
{
    if (body->async) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "member \"async\" of a query is not supported yet");
    }
    return STATUS_OK;
}

static status read_limits(const query_body *body, query_request *request, error *err)
{
    query_limits limits = {.rows = INT64_MIN}; /* not given */
    bool all_rows;

    if (body->limits != NULL) {
        TRY(json_reject_unknown(body->limits, limit_fields, COUNT_OF(limit_fields), err));
        TRY(json_read(body->limits, limit_fields, COUNT_OF(limit_fields), &limits, err));
    }
    all_rows = limits.rows == INT64_MIN;
    if ((limits.rows < 0 && !all_rows) || limits.seconds < 0 || limits.seconds > 1e9 ||
        limits.memory_bytes < 0) {
        return error_set(err, STATUS_INVALID, "limits of a query cannot be negative");
    }
    if (limits.memory_bytes > 0 && limits.memory_bytes < QUERY_MEMORY_LEAST_BYTES) {
        error_set(err, STATUS_INVALID, "limit \"memory_bytes\" is %lld, and must be %lld at least",
                  (long long)limits.memory_bytes, (long long)QUERY_MEMORY_LEAST_BYTES);
        error_hint(err, "Leave it out, or give 0, for the worker's share of engine.memory.");
        return STATUS_INVALID;
    }
    request->rows_max = all_rows ? -1 : limits.rows;
    request->timeout_ms = (int64_t)(limits.seconds * 1000);
    if (limits.seconds > 0 && request->timeout_ms == 0) {
        request->timeout_ms = 1;
    }
    request->memory_bytes = limits.memory_bytes;
    return STATUS_OK;
}

static status check_params(const json *params, error *err)
{
    json_kind kind = json_kind_of(params);
    if (params == NULL || kind == JSON_NULL || kind == JSON_ARRAY || kind == JSON_OBJECT) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "member \"params\" is %s, not an array or an object",
                     json_kind_name(kind));
}

status query_post(call *c, error *err)
{
    const json *object = NULL;
    query_body body = {0};
    query_request request = {0};

    TRY(request_json(c, &object, err));
    TRY(json_reject_unknown(object, body_fields, COUNT_OF(body_fields), err));
    TRY(json_read(object, body_fields, COUNT_OF(body_fields), &body, err));
    TRY(refuse_later_parts(&body, err));
    TRY(check_params(body.params, err));
    TRY(choose_format(c, &body, &request.format, err));
    TRY(read_limits(&body, &request, err));
    request.sql = body.sql;
    request.session = body.session;
    request.params = json_kind_of(body.params) == JSON_NULL ? NULL : body.params;
    request.space = body.space;
    request.at = body.at;
    return run_query(c, &request, err);
}

/* ---- the list ---- */

static const char *state_name(query_state reached)
{
    static const char *const names[] = {
        [QUERY_QUEUED] = "queued", [QUERY_RUNNING] = "running",     [QUERY_DONE] = "done",
        [QUERY_FAILED] = "failed", [QUERY_CANCELLED] = "cancelled",
    };
    return names[reached];
}

static void format_query(const query_info *q, json_writer *w)
{
    json_begin_object(w);
    json_member_str(w, "query_id", q->id);
    json_member_str(w, "principal", q->principal_name);
    json_member_c(w, "state", state_name(q->state));
    json_member_str(w, "sql", q->sql);
    member_time_us(w, "started_at", q->started_us);
    json_member_int(w, "elapsed_ms", q->elapsed_ms);
    json_member_int(w, "row_count", q->row_count);
    if (q->error_message.size > 0) {
        json_member_str(w, "error", q->error_message);
    }
    json_end_object(w);
}

/* Whose queries the caller may see: everybody's (STR_NULL) or its own. */
static str visible_owner(const call *c)
{
    const resource nothing = {0};
    return access_check(c->app->access, &c->who, ACTION_QUERY_ANY, &nothing, NULL) == STATUS_OK
               ? STR_NULL
               : c->who.id;
}

status queries_get(call *c, error *err)
{
    query_info *list = NULL;
    size_t count = 0;

    TRY(engine_list_queries(c->app->engine, visible_owner(c), c->a, &list, &count, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "queries");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        format_query(&list[i], &w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

status query_get(call *c, error *err)
{
    query_info info;

    TRY(engine_get_query(c->app->engine, visible_owner(c), http_request_segment(c->x, "id"), c->a,
                         &info, err));
    json_writer w = answer_begin(c);
    format_query(&info, &w);
    return answer_send(c, 200, &w, err);
}

status query_delete(call *c, error *err)
{
    TRY(engine_cancel_query(c->app->engine, visible_owner(c), http_request_segment(c->x, "id"),
                            err));
    answer_empty(c);
    return STATUS_OK;
}

/* ---- the small API ---- */

status small_query_get(call *c, error *err)
{
    query_request request = {.format = RESULT_JSON_OBJECTS, .reading_only = true, .rows_max = -1};

    request.sql = http_request_param(c->x, "sql");
    if (str_is_null(request.sql)) {
        error_set(err, STATUS_INVALID, "parameter \"sql\" is missing");
        error_hint(err, "Send it as GET /query?sql=SELECT+1.");
        return STATUS_INVALID;
    }
    return run_query(c, &request, err);
}

status small_query_post(call *c, error *err)
{
    const json *object = NULL;
    query_body body = {0};
    query_request request = {.format = RESULT_JSON_OBJECTS, .rows_max = -1};

    TRY(request_json(c, &object, err));
    TRY(json_reject_unknown(object, body_fields, COUNT_OF(body_fields), err));
    TRY(json_read(object, body_fields, COUNT_OF(body_fields), &body, err));
    TRY(refuse_later_parts(&body, err));
    TRY(check_params(body.params, err));
    TRY(read_limits(&body, &request, err));
    request.sql = body.sql;
    request.session = body.session;
    request.params = json_kind_of(body.params) == JSON_NULL ? NULL : body.params;
    request.space = body.space;
    return run_query(c, &request, err);
}

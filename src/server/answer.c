/* Answers of the API: JSON documents, errors, parameters. */
#include "answer.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"

json_writer answer_begin(call *c)
{
    json_writer w;
    json_writer_init(&w, buf_in(c->a, LIMIT_RESULT_IN_MEMORY));
    return w;
}

status answer_send(call *c, int status_code, json_writer *w, error *err)
{
    buf_add_char(w->out, '\n');
    TRY(buf_check(w->out, "answer", err));
    http_respond(c->x, status_code, "application/json", buf_str(w->out));
    return STATUS_OK;
}

void answer_empty(call *c)
{
    http_respond(c->x, 204, NULL, STR(""));
}

/* Wherever the disk was full, the cure is the same. */
static const char *hint_of(const error *err)
{
    return err->kind == STATUS_NO_SPACE && err->hint[0] == '\0'
               ? "Free space on the disk of the data directory; tarn status tells how much there is."
               : err->hint;
}

void error_format_json(const error *err, str request_id, json_writer *w)
{
    const status_info *info = status_describe(err->kind);

    json_begin_object(w);
    json_member_c(w, "code", info->code);
    json_member_c(w, "sqlstate", error_sqlstate(err));
    json_member_c(w, "type", info->iceberg_type);
    json_member_c(w, "message", err->message);
    json_member_c(w, "detail", err->detail);
    json_member_c(w, "hint", hint_of(err));
    if (err->position >= 0) {
        json_member_int(w, "position", err->position);
    }
    json_member_str(w, "request_id", request_id);
    json_end_object(w);
}

void answer_error(http_exchange *x, const error *err)
{
    buf *body = buf_in(http_exchange_arena(x), LIMIT_JSON_BODY);
    json_writer w;

    json_writer_init(&w, body);
    json_begin_object(&w);
    json_key(&w, "error");
    error_format_json(err, http_request_id(x), &w);
    json_end_object(&w);
    buf_add_char(body, '\n');
    if (err->kind == STATUS_UNAUTHORIZED) {
        http_set_header(x, "WWW-Authenticate", STR("Bearer realm=\"tarn\""));
    }
    http_respond(x, status_describe(err->kind)->http_status, "application/json", buf_str(body));
}

/* The Content-Type is not asked for: curl -d says form data, and a body that is no JSON is told so anyhow. */
status request_json(call *c, const json **ret_object, error *err)
{
    str body;
    TRY(http_body_await(c->x, LIMIT_JSON_BODY, &body, err));
    status result = json_parse_within(body, LIMIT_JSON_BODY_VALUES, c->a, ret_object, err);
    if (result != STATUS_OK) {
        error_context(err, "request body");
        return result;
    }
    if (json_kind_of(*ret_object) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID, "the body is %s, not a JSON object",
                         json_kind_name(json_kind_of(*ret_object)));
    }
    return STATUS_OK;
}

status param_int(const call *c, const char *name, int64_t fallback, int64_t *ret_value, error *err)
{
    str text = http_request_param(c->x, name);

    if (str_is_null(text)) {
        *ret_value = fallback;
        return STATUS_OK;
    }
    if (str_to_int64(text, ret_value, NULL) != STATUS_OK || *ret_value < 0) {
        return error_set(err, STATUS_INVALID, "parameter \"%s\" is \"%.*s\", not a whole number",
                         name, STR_ARG(text));
    }
    return STATUS_OK;
}

status param_bool(const call *c, const char *name, bool fallback, bool *ret_value, error *err)
{
    str text = http_request_param(c->x, name);

    if (str_is_null(text)) {
        *ret_value = fallback;
        return STATUS_OK;
    }
    if (str_equal_nocase(text, STR("true")) || str_equal(text, STR("1"))) {
        *ret_value = true;
        return STATUS_OK;
    }
    if (str_equal_nocase(text, STR("false")) || str_equal(text, STR("0"))) {
        *ret_value = false;
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "parameter \"%s\" is \"%.*s\", not true or false", name,
                     STR_ARG(text));
}

void member_id(json_writer *w, const char *key, int64_t id)
{
    char text[32];

    if (id < 0) {
        json_member_null(w, key);
        return;
    }
    snprintf(text, sizeof(text), "%" PRId64, id);
    json_member_c(w, key, text);
}

void member_time_us(json_writer *w, const char *key, int64_t time_us)
{
    char text[40];
    clock_format_utc(time_us, 3, text);
    json_member_c(w, key, text);
}

status path_table(call *c, table_name *ret_name, error *err)
{
    const str parts[2] = {http_request_segment(c->x, "ns"), http_request_segment(c->x, "table")};
    return catalog_resolve(c->app->catalog, parts, 2, STR(""), c->a, ret_name, err);
}

bool server__gives_up(const server *app)
{
    int64_t at_ms = atomic_load(&app->cancel_at_ms);
    return at_ms != 0 && clock_mono_ms() >= at_ms;
}

bool call_is_cancelled(void *context)
{
    const call *c = context;
    return http_exchange_gone(c->x) || server__gives_up(c->app);
}

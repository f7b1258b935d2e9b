/* Requests of the API and what their answers say. */
#include <stdio.h>

#include "connect.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/net/uri.h"

/* ---- errors ---- */

static const struct {
    int code;
    status kind;
} plain_codes[] = {
    {400, STATUS_INVALID},   {401, STATUS_UNAUTHORIZED}, {403, STATUS_DENIED},
    {404, STATUS_NOT_FOUND}, {405, STATUS_METHOD},       {408, STATUS_TIMEOUT},
    {409, STATUS_CONFLICT},  {413, STATUS_TOO_LARGE},    {503, STATUS_UNAVAILABLE},
    {507, STATUS_NO_SPACE},
};

/* An answer without our error object: some other server's, or a proxy's. */
static status plain_error(const http_answer *answer, error *err)
{
    status kind = STATUS_INTERNAL;

    for (size_t i = 0; i < COUNT_OF(plain_codes); i++) {
        if (plain_codes[i].code == answer->status_code) {
            kind = plain_codes[i].kind;
        }
    }
    return error_set(err, kind, "the server answered %d", answer->status_code);
}

status api_error(const http_answer *answer, arena *a, error *err)
{
    const json *document = NULL;

    if (json_parse(answer->body, a, &document, NULL) != STATUS_OK ||
        json_get(document, "error") == NULL) {
        return plain_error(answer, err);
    }
    const json *said = json_get(document, "error");
    str code = json_str_or(json_get(said, "code"), STR(""));
    str message = json_str_or(json_get(said, "message"), STR(""));
    str hint = json_str_or(json_get(said, "hint"), STR(""));
    str detail = json_str_or(json_get(said, "detail"), STR(""));
    status kind = status_from_code(code.data, code.size);

    error_set(err, kind, "%.*s", STR_ARG(message));
    if (hint.size > 0) {
        error_hint(err, "%.*s", STR_ARG(hint));
    }
    if (detail.size > 0) {
        error_detail(err, "%.*s", STR_ARG(detail));
    }
    if (err != NULL) {
        err->position = (int)json_int64_or(json_get(said, "position"), ERROR_NO_POSITION);
        str sqlstate = json_str_or(json_get(said, "sqlstate"), STR(""));
        error_set_sqlstate(err, str_to_c(a, sqlstate));
    }
    return kind;
}

/* What to do about refusals that the command line can cure. */
static void advise(const cli *c, status kind, error *err)
{
    if (err == NULL) {
        return;
    }
    if (kind == STATUS_UNAUTHORIZED && err->hint[0] == '\0') {
        error_hint(err, "Name the key by --key-file or TARN_KEY_FILE, or put it into TARN_KEY.");
    }
    if (kind == STATUS_UNAVAILABLE && !c->server->private && err->hint[0] == '\0') {
        error_hint(err, "Start it with tarn serve, or leave --server and TARN_SERVER away.");
    }
}

/* ---- requests ---- */

/* A private server may end in the moment between joining it and asking: nobody was reached, so
 * asking its successor cannot do anything twice. */
static bool may_ask_again(const cli *c, const http_call *call, status result, const error *err)
{
    return result == STATUS_UNAVAILABLE && c->server->private && call->read == NULL &&
           str_starts_with(str_c(err->message), STR("nobody answers"));
}

status api_send(cli *c, const http_call *call, http_answer *ret_answer, error *err)
{
    http_call watched = *call;
    error local = ERROR_INIT;
    int64_t started_ms = clock_mono_ms();

    err = err != NULL ? err : &local;
    TRY(connection_open(c, err));
    watched.cancelled = &interrupt_signal;
    status result = http_client_send(c->server->client, &watched, c->memory, ret_answer, err);
    if (may_ask_again(c, call, result, err)) {
        connection_close(c);
        TRY(connection_open(c, err));
        result = http_client_send(c->server->client, &watched, c->memory, ret_answer, err);
    }
    if (result != STATUS_OK) {
        advise(c, result, err);
        return result;
    }
    c->server->used_ms = clock_mono_ms();
    str id = http_answer_header(ret_answer, "X-Request-Id");
    message_detail(c, "%s %s: %d, %lld ms, request %.*s", http_method_name(call->method),
                   call->target, ret_answer->status_code, (long long)(clock_mono_ms() - started_ms),
                   STR_ARG(id));
    if (ret_answer->status_code >= 400) {
        result = api_error(ret_answer, c->memory, err);
        advise(c, result, err);
    }
    return result;
}

status api_json(cli *c, http_method method, const char *target, str body, const json **ret_answer,
                error *err)
{
    const http_header headers[] = {{STR("Content-Type"), STR("application/json")}};
    const http_call call = {
        .method = method,
        .target = target,
        .headers = headers,
        .header_count = body.size > 0 ? COUNT_OF(headers) : 0,
        .body = body,
        .body_max_bytes = LIMIT_RESULT_IN_MEMORY,
    };
    http_answer answer;
    const json *document = NULL;

    TRY(api_send(c, &call, &answer, err));
    if (answer.body.size > 0 && json_parse(answer.body, c->memory, &document, err) != STATUS_OK) {
        error_context(err, "the server's answer to %s", target);
        return STATUS_UNAVAILABLE;
    }
    if (ret_answer != NULL) {
        *ret_answer = document;
    }
    return STATUS_OK;
}

str api_body(cli *c, const api_text *members, size_t count)
{
    buf *body = buf_in(c->memory, LIMIT_JSON_BODY);
    json_writer w;

    json_writer_init(&w, body);
    json_begin_object(&w);
    for (size_t i = 0; i < count; i++) {
        if (!str_is_null(members[i].value)) {
            json_member_str(&w, members[i].name, members[i].value);
        }
    }
    json_end_object(&w);
    return buf_str(body);
}

char *api_path(arena *a, const char *pattern, const str *segments, size_t count)
{
    buf *path = buf_in(a, LIMIT_HTTP_TARGET);
    size_t next = 0;

    for (const char *at = pattern; *at != '\0'; at++) {
        if (*at == '%' && next < count) {
            uri_encode(path, segments[next++], "");
        } else {
            buf_add_char(path, *at);
        }
    }
    return path->data;
}

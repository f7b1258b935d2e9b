/* /api/v1/sessions: sessions are made, listed and ended here; "session" of POST /api/v1/query names one. */
#include "tarn/engine/session.h"

#include "answer.h"
#include "handlers.h"

typedef struct session_body {
    str space;
} session_body;

static const json_field body_fields[] = {
    {"namespace", JSON_STR, 0, offsetof(session_body, space)},
};

static bool has_body(const call *c)
{
    str length = http_request_header(c->x, "Content-Length");

    return !str_is_null(http_request_header(c->x, "Transfer-Encoding")) ||
           (!str_is_null(length) && !str_equal(length, STR("0")));
}

status sessions_post(call *c, error *err)
{
    session_body body = {0};
    const json *object = NULL;
    str id;

    if (has_body(c)) {
        TRY(request_json(c, &object, err));
        TRY(json_reject_unknown(object, body_fields, COUNT_OF(body_fields), err));
        TRY(json_read(object, body_fields, COUNT_OF(body_fields), &body, err));
    }
    if (body.space.size > 0) {
        namespace_info info;
        const resource what = {.warehouse = catalog_warehouse(c->app->catalog),
                               .space = body.space};

        TRY(access_check(c->app->access, &c->who, ACTION_NAMESPACE_READ, &what, err));
        TRY(catalog_get_namespace(c->app->catalog, body.space, c->a, &info, err));
        body.space = info.name;
    }
    TRY(engine_begin_session(c->app->engine, &c->who, body.space, c->a, &id, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_member_str(&w, "session", id);
    json_member_str(&w, "namespace", body.space.size > 0 ? body.space : STR("main"));
    json_member_int(&w, "idle_seconds",
                    setting_number(c->app->settings, SETTING_SESSION_IDLE) / 1000);
    json_end_object(&w);
    return answer_send(c, 201, &w, err);
}

static void format_session(const session_info *s, json_writer *w)
{
    json_begin_object(w);
    json_member_str(w, "session", s->id);
    json_member_str(w, "principal", s->principal_name);
    json_member_c(w, "state", s->busy ? "busy" : "idle");
    if (!s->busy) {
        json_member_str(w, "namespace", s->space);
        json_member_c(w, "transaction", engine_transaction_name(s->transaction));
    }
    member_time_us(w, "started_at", s->started_us);
    json_member_int(w, "idle_ms", s->idle_ms);
    json_end_object(w);
}

status sessions_get(call *c, error *err)
{
    session_info *list = NULL;
    size_t count = 0;

    engine_list_sessions(c->app->engine, c->who.id, c->a, &list, &count);
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "sessions");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        format_session(&list[i], &w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

status session_delete(call *c, error *err)
{
    TRY(engine_end_session(c->app->engine, c->who.id, http_request_segment(c->x, "id"), err));
    answer_empty(c);
    return STATUS_OK;
}

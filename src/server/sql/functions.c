/* GET /api/v1/functions: what SQL may call. */
#include "answer.h"
#include "handlers.h"

status functions_get(call *c, error *err)
{
    const worker_cancel cancel = {.is_cancelled = call_is_cancelled, .context = c};
    engine_function *list = NULL;
    size_t count = 0;

    TRY(engine_list_functions(c->app->engine, c->who.id, &cancel, c->a, &list, &count, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_key(&w, "functions");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(&w);
        json_member_str(&w, "name", list[i].name);
        json_member_str(&w, "kind", list[i].kind);
        json_member_str(&w, "call", list[i].call);
        json_member_str(&w, "description", list[i].description);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

/* getConfig: which prefix a warehouse has, and what is served: taken from the route table, so that it is true.
 *
 * It is the first call of every client: who may look at namespaces is told that there is no such warehouse, in words
 * that a typing mistake is found by. Who may not, learns nothing, as with every other route. */
#include "handlers.h"
#include "tarn/base/limits.h"

/* An absent or empty ?warehouse= is the first one. Clients put the prefix into paths as it is. */
static str prefix_of(const rest_call *c)
{
    buf *prefix = buf_in(c->base.a, LIMIT_HTTP_TARGET);

    uri_encode(prefix, c->warehouse.name, NULL);
    return buf_str(prefix);
}

static void put_endpoints(json_writer *w, arena *a)
{
    json_key(w, "endpoints");
    json_begin_array(w);
    for (size_t i = 0; i < rest__route_count; i++) {
        const rest_route *r = &rest__routes[i];

        if ((r->flags & REST_ANYWHERE) == 0) {
            json_put_str(
                w, str_printf(a, "%s %s", http_method_name(r->pattern.method), r->pattern.pattern));
        }
    }
    json_end_array(w);
}

status rest__config_get(rest_call *c, error *err)
{
    const char *lifetime = rest__idempotency_lifetime(c);
    str asked = http_request_param(c->base.x, "warehouse");

    TRY(rest__find_warehouse(c, str_is_null(asked) ? STR("") : asked, err));

    json_writer w = answer_begin(&c->base);
    json_begin_object(&w);
    json_key(&w, "defaults");
    json_begin_object(&w);
    rest__write_defaults(c, &w);
    json_end_object(&w);
    json_key(&w, "overrides");
    json_begin_object(&w);
    json_member_str(&w, "prefix", prefix_of(c));
    json_end_object(&w);
    put_endpoints(&w, c->base.a);
    if (lifetime != NULL) {
        json_member_c(&w, "idempotency-key-lifetime", lifetime);
    }
    json_end_object(&w);
    return rest__send(c, &w, err);
}

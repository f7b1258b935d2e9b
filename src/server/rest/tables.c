/* Tables over the REST catalog: make, load, drop, let go. Commits are in commit.c, registering is in register.c, and
 * renames are in rename.c. */
#include "handlers.h"
#include "tarn/catalog/dropped.h"

/* ---- make ---- */

status rest__tables_post(rest_call *c, error *err)
{
    const json *body = NULL;
    ice_create_request request;
    catalog_loaded loaded;

    TRY(rest__read_json(c, &body, err));
    TRY(ice_create_request_parse(body, c->base.a, &request, err));
    TRY(rest__check_name(request.name, err));
    const table_name name = {.space = c->name.space, .table = request.name};
    TRY(rest__allow(c, ACTION_TABLE_CREATE, name, err));
    status result = catalog_create_by_request(c->base.app->catalog, c->name.space, &request,
                                              c->base.a, &loaded, err);
    if (result != STATUS_OK) {
        return rest__word_create(c, result, name, false, err);
    }
    c->name = name;
    return request.stage ? rest__answer_staged(c, &loaded, request.location.size > 0, err)
                         : rest__answer_loaded(c, &loaded, err);
}

/* ---- look ---- */

status rest__table_get(rest_call *c, error *err)
{
    return rest__answer_table(c, c->name, true, err);
}

status rest__table_head(rest_call *c, error *err)
{
    catalog_kind kind = CATALOG_NOTHING;

    TRY(catalog_kind_of(c->base.app->catalog, c->name, &kind, err));
    if (kind != CATALOG_TABLE) {
        return rest__no_table(c, c->shown, err);
    }
    answer_empty(&c->base);
    return STATUS_OK;
}

/* ---- take away ---- */

status rest__table_delete(rest_call *c, error *err)
{
    bool purge = false;
    bool dropped = false;

    TRY(param_bool(&c->base, "purgeRequested", false, &purge, err));
    status result = purge ? catalog_purge_table(c->base.app->catalog, c->name, false, &dropped, err)
                          : catalog_drop_table(c->base.app->catalog, c->name, false, &dropped, err);
    if (rest__is_missing(result)) {
        return rest__no_table(c, c->shown, err);
    }
    TRY(result);
    answer_empty(&c->base);
    return STATUS_OK;
}

status rest__unregister_post(rest_call *c, error *err)
{
    catalog_loaded loaded;
    status result =
        catalog_unregister_table(c->base.app->catalog, c->name, c->base.a, &loaded, err);

    if (rest__is_missing(result)) {
        return rest__no_table(c, c->shown, err);
    }
    TRY(result);
    return rest__answer_committed(c, &loaded, err);
}

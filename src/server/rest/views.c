/* Views over the REST catalog: make, load, change, drop. Rights are those of tables. */
#include "handlers.h"
#include "tarn/catalog/view.h"

/* ---- make ---- */

status rest__views_post(rest_call *c, error *err)
{
    const json *body = NULL;
    ice_view_create_request request;
    catalog_loaded_view loaded;

    TRY(rest__read_json(c, &body, err));
    TRY(ice_view_create_request_parse(body, c->base.a, &request, err));
    TRY(rest__check_name(request.name, err));
    const table_name name = {.space = c->name.space, .table = request.name};
    TRY(rest__allow(c, ACTION_TABLE_CREATE, name, err));
    status result = catalog_create_view_by_request(c->base.app->catalog, c->name.space, &request,
                                                   c->base.a, &loaded, err);
    if (result != STATUS_OK) {
        return rest__word_create(c, result, name, true, err);
    }
    return rest__answer_loaded_view(c, &loaded, err);
}

/* ---- look ---- */

status rest__view_get(rest_call *c, error *err)
{
    return rest__answer_view(c, c->name, err);
}

status rest__view_head(rest_call *c, error *err)
{
    catalog_kind kind = CATALOG_NOTHING;

    TRY(catalog_kind_of(c->base.app->catalog, c->name, &kind, err));
    if (kind != CATALOG_VIEW) {
        return rest__no_view(c, c->shown, err);
    }
    answer_empty(&c->base);
    return STATUS_OK;
}

/* ---- change ---- */

/* Its metadata file is gone: 404, as a load has it, and no commit that may have been made. */
static bool is_lost(rest_call *c)
{
    ice_view *view = NULL;
    view_info info;
    status found = catalog_read_view(c->base.app->catalog, c->name, c->base.a, &view, &info, NULL);

    ice_view_unref(view);
    return found == STATUS_NOT_FOUND;
}

status rest__view_post(rest_call *c, error *err)
{
    const json *body = NULL;
    const ice_view_request *request = NULL;
    catalog_loaded_view loaded;

    TRY(rest__read_json(c, &body, err));
    TRY(rest__check_identifier(c, body, err));
    TRY(ice_view_request_parse(body, c->base.a, &request, err));
    status result = catalog_commit_view_request(c->base.app->catalog, c->name, request, c->base.a,
                                                &loaded, err);
    if (rest__is_missing(result)) {
        return rest__no_view(c, c->shown, err);
    }
    if (result == STATUS_CORRUPT && is_lost(c)) {
        return rest__lost(c, err);
    }
    TRY(result);
    return rest__answer_loaded_view(c, &loaded, err);
}

status rest__view_delete(rest_call *c, error *err)
{
    bool dropped = false;
    status result = catalog_drop_view(c->base.app->catalog, c->name, false, &dropped, err);

    if (rest__is_missing(result)) {
        return rest__no_view(c, c->shown, err);
    }
    TRY(result);
    answer_empty(&c->base);
    return STATUS_OK;
}

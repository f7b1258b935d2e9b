/* Views over the REST catalog. Rights are those of tables. */
#include "handlers.h"
#include "tarn/catalog/view.h"

static str shown_in(const rest_call *c, str view)
{
    return str_printf(c->base.a, "%.*s.%.*s", STR_ARG(c->shown_space), STR_ARG(view));
}

static status word_create(rest_call *c, status result, table_name name, error *err)
{
    if (result == STATUS_EXISTS) {
        return rest__name_taken(c, name, shown_in(c, name.table), true, err);
    }
    if (result == STATUS_NO_NAMESPACE) {
        return rest__no_space(c, c->shown_space, err);
    }
    return result;
}

static status word_missing(rest_call *c, status result, str shown, error *err)
{
    return result == STATUS_NO_TABLE || result == STATUS_NO_VIEW || result == STATUS_NO_NAMESPACE
               ? rest__no_view(c, shown, err)
               : result;
}

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
        return word_create(c, result, name, err);
    }
    return rest__answer_loaded_view(c, &loaded, err);
}

typedef struct register_body {
    str name, metadata_location;
} register_body;

static const json_field register_fields[] = {
    {"name", JSON_STR, JSON_REQUIRED, offsetof(register_body, name)},
    {"metadata-location", JSON_STR, JSON_REQUIRED, offsetof(register_body, metadata_location)},
};

status rest__view_register_post(rest_call *c, error *err)
{
    const table_name all = {.space = STR(""), .table = STR("")};
    const json *body = NULL;
    register_body asked = {0};
    catalog_loaded_view loaded;

    TRY(rest__read_json(c, &body, err));
    TRY(json_read(body, register_fields, COUNT_OF(register_fields), &asked, err));
    TRY(rest__check_name(asked.name, err));
    const table_name name = {.space = c->name.space, .table = asked.name};
    TRY(rest__allow(c, ACTION_TABLE_CREATE, name, err));
    TRY(rest__allow(c, ACTION_LOCATION_READ, all, err));
    status result = catalog_register_view_file(c->base.app->catalog, name, asked.metadata_location,
                                               c->base.a, &loaded, err);
    if (result == STATUS_NOT_FOUND) {
        return rest__fail(c, err, result, 404, "NotFoundException",
                          "Failed to open input stream for file: %.*s",
                          STR_ARG(asked.metadata_location));
    }
    if (result != STATUS_OK) {
        return word_create(c, result, name, err);
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
    TRY(word_missing(c, result, c->shown, err));
    return rest__answer_loaded_view(c, &loaded, err);
}

status rest__view_delete(rest_call *c, error *err)
{
    bool dropped = false;
    status result = catalog_drop_view(c->base.app->catalog, c->name, false, &dropped, err);

    TRY(word_missing(c, result, c->shown, err));
    answer_empty(&c->base);
    return STATUS_OK;
}

/* ---- rename ---- */

static status word_rename(rest_call *c, status result, str from, str to, table_name target,
                          error *err)
{
    catalog_kind kind = CATALOG_NOTHING;

    if (result == STATUS_NO_NAMESPACE) {
        return rest__no_space(c, rest__shown_space(c, target.space), err);
    }
    if (result == STATUS_EXISTS) {
        TRY(catalog_kind_of(c->base.app->catalog, target, &kind, err));
        return rest__fail(c, err, result, 409, "AlreadyExistsException",
                          "Cannot rename %.*s to %.*s. %s already exists", STR_ARG(from),
                          STR_ARG(to), kind == CATALOG_TABLE ? "Table" : "View");
    }
    return word_missing(c, result, from, err);
}

status rest__view_rename_post(rest_call *c, error *err)
{
    const json *body = NULL;
    table_name from, to;
    str shown_from, shown_to;

    TRY(rest__read_json(c, &body, err));
    TRY(rest__read_identifier(c, json_get(body, "source"), &from, &shown_from, err));
    TRY(rest__read_identifier(c, json_get(body, "destination"), &to, &shown_to, err));
    TRY(rest__allow(c, ACTION_TABLE_DROP, from, err));
    TRY(rest__allow(c, ACTION_TABLE_CREATE, to, err));
    status result = catalog_rename_view(c->base.app->catalog, from, to, err);
    if (result != STATUS_OK) {
        return word_rename(c, result, shown_from, shown_to, to, err);
    }
    answer_empty(&c->base);
    return STATUS_OK;
}

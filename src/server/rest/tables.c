/* Tables over the REST catalog: make, register, load, drop, let go, rename. Commits are in commit.c. */
#include "handlers.h"
#include "tarn/catalog/dropped.h"

/* ---- make ---- */

static str shown_in(const rest_call *c, str table)
{
    return str_printf(c->base.a, "%.*s.%.*s", STR_ARG(c->shown_space), STR_ARG(table));
}

static status word_create(rest_call *c, status result, table_name name, error *err)
{
    if (result == STATUS_EXISTS) {
        return rest__name_taken(c, name, shown_in(c, name.table), false, err);
    }
    if (result == STATUS_NO_NAMESPACE) {
        return rest__no_space(c, c->shown_space, err);
    }
    return result;
}

/* The client chose where its table will lie: another may make one there before it comes back. */
static bool is_place_asked(const ice_create_request *request, const ice_metadata *m)
{
    return request->location.size > 0 && str_starts_with(request->location, m->location);
}

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
        return word_create(c, result, name, err);
    }
    c->name = name;
    c->is_keyless = request.stage && is_place_asked(&request, loaded.metadata);
    return rest__answer_loaded(c, &loaded, err);
}

typedef struct register_body {
    str name, metadata_location;
    bool overwrite;
} register_body;

static const json_field register_fields[] = {
    {"name", JSON_STR, JSON_REQUIRED, offsetof(register_body, name)},
    {"metadata-location", JSON_STR, JSON_REQUIRED, offsetof(register_body, metadata_location)},
    {"overwrite", JSON_BOOL, 0, offsetof(register_body, overwrite)},
};

/* Who names a file gets to see it: the right to read by location, as with tables that are registered elsewhere. */
static status allow_register(rest_call *c, table_name name, bool overwrite, error *err)
{
    const table_name all = {.space = STR(""), .table = STR("")};

    TRY(rest__allow(c, ACTION_TABLE_CREATE, name, err));
    TRY(rest__allow(c, ACTION_LOCATION_READ, all, err));
    return overwrite ? rest__allow(c, ACTION_TABLE_DROP, name, err) : STATUS_OK;
}

status rest__register_post(rest_call *c, error *err)
{
    const json *body = NULL;
    register_body asked = {0};
    catalog_loaded loaded;

    TRY(rest__read_json(c, &body, err));
    TRY(json_read(body, register_fields, COUNT_OF(register_fields), &asked, err));
    TRY(rest__check_name(asked.name, err));
    const table_name name = {.space = c->name.space, .table = asked.name};
    TRY(allow_register(c, name, asked.overwrite, err));
    status result = catalog_register_file(c->base.app->catalog, name, asked.metadata_location,
                                          asked.overwrite, c->base.a, &loaded, err);
    if (result == STATUS_NOT_FOUND) {
        return rest__fail(c, err, result, 404, "NotFoundException",
                          "Failed to open input stream for file: %.*s",
                          STR_ARG(asked.metadata_location));
    }
    if (result != STATUS_OK) {
        return word_create(c, result, name, err);
    }
    c->name = name;
    return rest__answer_loaded(c, &loaded, err);
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

static status word_missing(rest_call *c, status result, error *err)
{
    return result == STATUS_NO_TABLE || result == STATUS_NO_VIEW || result == STATUS_NO_NAMESPACE
               ? rest__no_table(c, c->shown, err)
               : result;
}

status rest__table_delete(rest_call *c, error *err)
{
    bool purge = false;
    bool dropped = false;

    TRY(param_bool(&c->base, "purgeRequested", false, &purge, err));
    status result = purge ? catalog_purge_table(c->base.app->catalog, c->name, false, &dropped, err)
                          : catalog_drop_table(c->base.app->catalog, c->name, false, &dropped, err);
    TRY(word_missing(c, result, err));
    answer_empty(&c->base);
    return STATUS_OK;
}

status rest__unregister_post(rest_call *c, error *err)
{
    catalog_loaded loaded;
    status result =
        catalog_unregister_table(c->base.app->catalog, c->name, c->base.a, &loaded, err);

    TRY(word_missing(c, result, err));
    return rest__answer_committed(c, &loaded, err);
}

/* ---- rename ---- */

static status word_rename(rest_call *c, status result, str from, str to, table_name target,
                          error *err)
{
    catalog_kind kind = CATALOG_NOTHING;

    if (result == STATUS_NO_TABLE || result == STATUS_NO_VIEW) {
        return rest__no_table(c, from, err);
    }
    if (result == STATUS_NO_NAMESPACE) {
        return rest__no_space(c, rest__shown_space(c, target.space), err);
    }
    if (result == STATUS_EXISTS) {
        TRY(catalog_kind_of(c->base.app->catalog, target, &kind, err));
        return rest__fail(c, err, result, 409, "AlreadyExistsException",
                          "Cannot rename %.*s to %.*s. %s already exists", STR_ARG(from),
                          STR_ARG(to), kind == CATALOG_VIEW ? "View" : "Table");
    }
    return result;
}

status rest__rename_post(rest_call *c, error *err)
{
    const json *body = NULL;
    table_name from, to;
    str shown_from, shown_to;

    TRY(rest__read_json(c, &body, err));
    TRY(rest__read_identifier(c, json_get(body, "source"), &from, &shown_from, err));
    TRY(rest__read_identifier(c, json_get(body, "destination"), &to, &shown_to, err));
    TRY(rest__allow(c, ACTION_TABLE_DROP, from, err));
    TRY(rest__allow(c, ACTION_TABLE_CREATE, to, err));
    status result = catalog_rename_table(c->base.app->catalog, from, to, err);
    if (result != STATUS_OK) {
        return word_rename(c, result, shown_from, shown_to, to, err);
    }
    answer_empty(&c->base);
    return STATUS_OK;
}

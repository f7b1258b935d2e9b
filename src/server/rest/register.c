/* Registering over the REST catalog: a name for the table or view of a metadata file that is there. */
#include "handlers.h"
#include "tarn/catalog/dropped.h"
#include "tarn/catalog/located.h"
#include "tarn/catalog/view.h"

typedef struct register_body {
    str name, metadata_location;
    bool overwrite;
} register_body;

static const json_field fields[] = {
    {"name", JSON_STR, JSON_REQUIRED, offsetof(register_body, name)},
    {"metadata-location", JSON_STR, JSON_REQUIRED, offsetof(register_body, metadata_location)},
    {"overwrite", JSON_BOOL, 0, offsetof(register_body, overwrite)}, /* of tables alone */
};
#define VIEW_FIELDS (COUNT_OF(fields) - 1)

/* Who names a file gets to see it. In a place that the catalog chose for a table of the namespace whoever may make
 * tables may: nothing but a table's files ever lay there. Elsewhere it is the right to read by location, as with tables
 * that are registered there, wherever the namespace is said to lie. */
static status read_register(rest_call *c, size_t field_count, register_body *asked,
                            table_name *ret_name, error *err)
{
    const table_name all = {.space = STR(""), .table = STR("")};
    const json *body = NULL;

    TRY(rest__read_json(c, &body, err));
    TRY(json_read(body, fields, field_count, asked, err));
    TRY(rest__check_name(asked->name, err));
    const table_name name = {.space = c->name.space, .table = asked->name};
    TRY(rest__allow(c, ACTION_TABLE_CREATE, name, err));
    if (!catalog_is_chosen_place(c->base.app->catalog, c->name.space, asked->metadata_location,
                                 c->base.a)) {
        TRY(rest__allow(c, ACTION_LOCATION_READ, all, err));
    }
    *ret_name = name;
    return STATUS_OK;
}

static status word_register(rest_call *c, status result, const register_body *asked, bool for_view,
                            error *err)
{
    const table_name name = {.space = c->name.space, .table = asked->name};

    if (result == STATUS_NOT_FOUND) {
        return rest__fail(c, err, result, 404, "NotFoundException",
                          "Failed to open input stream for file: %.*s",
                          STR_ARG(asked->metadata_location));
    }
    if (result == STATUS_EXISTS && asked->overwrite) {
        catalog_kind kind = CATALOG_NOTHING;

        TRY(catalog_kind_of(c->base.app->catalog, name, &kind, err));
        if (kind == CATALOG_TABLE) {
            return result; /* its name is no matter: another table has the uuid */
        }
    }
    return rest__word_create(c, result, name, for_view, err);
}

status rest__register_post(rest_call *c, error *err)
{
    register_body asked = {0};
    table_name name;
    catalog_loaded loaded;

    TRY(read_register(c, COUNT_OF(fields), &asked, &name, err));
    if (asked.overwrite) {
        TRY(rest__allow(c, ACTION_TABLE_DROP, name, err));
    }
    status result = catalog_register_file(c->base.app->catalog, name, asked.metadata_location,
                                          asked.overwrite, c->base.a, &loaded, err);
    if (result != STATUS_OK) {
        return word_register(c, result, &asked, false, err);
    }
    c->name = name;
    return rest__answer_loaded(c, &loaded, err);
}

status rest__view_register_post(rest_call *c, error *err)
{
    register_body asked = {0};
    table_name name;
    catalog_loaded_view loaded;

    TRY(read_register(c, VIEW_FIELDS, &asked, &name, err));
    status result = catalog_register_view_file(c->base.app->catalog, name, asked.metadata_location,
                                               c->base.a, &loaded, err);
    if (result != STATUS_OK) {
        return word_register(c, result, &asked, true, err);
    }
    return rest__answer_loaded_view(c, &loaded, err);
}

/* Renames of tables and views over the REST catalog, also into another namespace. */
#include "handlers.h"
#include "tarn/catalog/view.h"

typedef struct renaming {
    bool of_view;
    table_name from, to;
    str shown_from, shown_to;
} renaming;

static status word_rename(rest_call *c, status result, const renaming *r, error *err)
{
    catalog_kind kind = CATALOG_NOTHING;

    if (result == STATUS_NO_NAMESPACE) {
        namespace_info info;
        status there =
            catalog_get_namespace(c->base.app->catalog, r->to.space, c->base.a, &info, NULL);
        if (there == STATUS_NO_NAMESPACE) {
            return rest__no_space(c, rest__shown_space(c, r->to.space), err);
        } /* else that of the source is missing, and the source with it */
    }
    if (rest__is_missing(result)) {
        return r->of_view ? rest__no_view(c, r->shown_from, err)
                          : rest__no_table(c, r->shown_from, err);
    }
    if (result == STATUS_EXISTS) {
        TRY(catalog_kind_of(c->base.app->catalog, r->to, &kind, err));
        /* What was in the way may be gone meanwhile: then it was what the client speaks of. */
        bool by_view = kind == CATALOG_NOTHING ? r->of_view : kind == CATALOG_VIEW;
        return rest__fail(c, err, result, 409, "AlreadyExistsException",
                          "Cannot rename %.*s to %.*s. %s already exists", STR_ARG(r->shown_from),
                          STR_ARG(r->shown_to), by_view ? "View" : "Table");
    }
    return result;
}

static status rename_by_body(rest_call *c, bool of_view, error *err)
{
    const json *body = NULL;
    renaming r = {.of_view = of_view};

    TRY(rest__read_json(c, &body, err));
    TRY(rest__read_identifier(c, json_get(body, "source"), &r.from, &r.shown_from, err));
    TRY(rest__read_identifier(c, json_get(body, "destination"), &r.to, &r.shown_to, err));
    TRY(rest__allow(c, ACTION_TABLE_DROP, r.from, err));
    TRY(rest__allow(c, ACTION_TABLE_CREATE, r.to, err));
    status result = of_view ? catalog_rename_view(c->base.app->catalog, r.from, r.to, err)
                            : catalog_rename_table(c->base.app->catalog, r.from, r.to, err);
    if (result != STATUS_OK) {
        return word_rename(c, result, &r, err);
    }
    answer_empty(&c->base);
    return STATUS_OK;
}

status rest__rename_post(rest_call *c, error *err)
{
    return rename_by_body(c, false, err);
}

status rest__view_rename_post(rest_call *c, error *err)
{
    return rename_by_body(c, true, err);
}

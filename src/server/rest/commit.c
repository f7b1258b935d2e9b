/* Commits to tables: one, or several in one transaction. What is allowed depends on what the updates do: rows are one
 * right, schema and properties another, and making the table a third. */
#include "handlers.h"
#include "tarn/catalog/document.h"

/* Updates that change rows or what is known of them; all others change the table itself. */
static const char *const row_updates[] = {
    "add-snapshot",
    "set-snapshot-ref",
    "remove-snapshots",
    "remove-snapshot-ref",
    "set-statistics",
    "remove-statistics",
    "set-partition-statistics",
    "remove-partition-statistics",
};

static bool changes_rows_alone(str act)
{
    for (size_t i = 0; i < COUNT_OF(row_updates); i++) {
        if (str_equal(act, str_c(row_updates[i]))) {
            return true;
        }
    }
    return false;
}

static status allow_commit(rest_call *c, table_name name, const json *change,
                           const ice_request *request, error *err)
{
    const json *updates = json_get(change, "updates");
    bool alters = false;

    for (size_t i = 0; i < json_count(updates); i++) {
        str act = json_str_or(json_get(json_at(updates, i), "action"), STR(""));
        alters = alters || !changes_rows_alone(act);
    }
    if (ice_request_creates(request)) {
        return rest__allow(c, ACTION_TABLE_CREATE, name, err);
    }
    TRY(rest__allow(c, ACTION_TABLE_WRITE, name, err));
    return alters ? rest__allow(c, ACTION_TABLE_ALTER, name, err) : STATUS_OK;
}

/* Its metadata file is gone: 404, as a load has it, and no commit that may have been made. */
static bool is_lost(rest_call *c, table_name name)
{
    catalog_document *d = NULL;
    status found = catalog_load_document(c->base.app->catalog, name, &d, NULL);

    catalog_document_unref(d);
    return found == STATUS_NOT_FOUND;
}

/* One that begins with assert-create makes the table: what is missing is its namespace, and what is in the way may be a
 * view. */
static status word_commit(rest_call *c, status result, const catalog_table_request *one, str shown,
                          error *err)
{
    bool creates = ice_request_creates(one->request);

    if (result == STATUS_NO_TABLE || result == STATUS_NO_VIEW) {
        return rest__no_table(c, shown, err);
    }
    if (result == STATUS_NO_NAMESPACE) {
        return creates ? rest__no_space(c, rest__shown_space(c, one->name.space), err)
                       : rest__no_table(c, shown, err);
    }
    if (result == STATUS_CORRUPT && is_lost(c, one->name)) {
        return rest__lost(c, err);
    }
    return result == STATUS_EXISTS ? rest__name_taken(c, one->name, shown, false, err) : result;
}

status rest__table_post(rest_call *c, error *err)
{
    const json *body = NULL;
    catalog_table_request one = {.name = c->name};
    catalog_loaded loaded;

    TRY(rest__read_json(c, &body, err));
    TRY(rest__check_identifier(c, body, err));
    TRY(ice_request_parse(body, c->base.a, &one.request, err));
    TRY(allow_commit(c, one.name, body, one.request, err));
    status result = catalog_commit_request(c->base.app->catalog, &one, c->base.a, &loaded, err);
    if (result != STATUS_OK) {
        return word_commit(c, result, &one, c->shown, err);
    }
    return rest__answer_committed(c, &loaded, err);
}

/* ---- several tables ---- */

typedef struct changes {
    catalog_table_request *items;
    str *shown;
    size_t count;
} changes;

static status read_changes(rest_call *c, changes *ret_changes, error *err)
{
    const json *body = NULL;

    TRY(rest__read_json(c, &body, err));
    const json *list = json_get(body, "table-changes");
    if (json_kind_of(list) != JSON_ARRAY) {
        return error_set(err, STATUS_INVALID, "invalid transaction: \"table-changes\" is %s",
                         json_kind_name(json_kind_of(list)));
    }
    changes all = {.items = ARENA_ARRAY(c->base.a, catalog_table_request, json_count(list) + 1),
                   .shown = ARENA_ARRAY(c->base.a, str, json_count(list) + 1),
                   .count = json_count(list)};
    for (size_t i = 0; i < all.count; i++) {
        const json *change = json_at(list, i);
        catalog_table_request *one = &all.items[i];

        if (json_kind_of(change) != JSON_OBJECT) {
            return error_set(err, STATUS_INVALID, "invalid transaction: change %zu is no object",
                             i);
        }
        TRY(rest__read_identifier(c, json_get(change, "identifier"), &one->name, &all.shown[i],
                                  err));
        TRY(ice_request_parse(change, c->base.a, &one->request, err));
        TRY(allow_commit(c, one->name, change, one->request, err));
    }
    *ret_changes = all;
    return STATUS_OK;
}

/* The modules below tell that one is missing or in the way; which one is found here. */
static status word_changes(rest_call *c, status result, const changes *all, error *err)
{
    for (size_t i = 0; i < all->count && result == STATUS_CORRUPT; i++) {
        if (is_lost(c, all->items[i].name)) {
            return rest__lost(c, err);
        }
    }
    for (size_t i = 0; i < all->count && result != STATUS_CORRUPT; i++) {
        const catalog_table_request *one = &all->items[i];
        bool creates = ice_request_creates(one->request);
        catalog_kind kind = CATALOG_NOTHING;

        if (catalog_kind_of(c->base.app->catalog, one->name, &kind, NULL) != STATUS_OK) {
            continue;
        }
        bool missing = kind != CATALOG_TABLE && !creates;
        bool in_the_way = kind != CATALOG_NOTHING && creates;
        if (result == STATUS_EXISTS ? in_the_way : missing || creates) {
            return word_commit(c, result, one, all->shown[i], err);
        }
    }
    return result;
}

status rest__transaction_post(rest_call *c, error *err)
{
    changes all;

    TRY(read_changes(c, &all, err));
    if (all.count > 0) {
        status result = catalog_commit_requests(c->base.app->catalog, all.items, all.count, err);
        if (rest__is_missing(result) || result == STATUS_EXISTS || result == STATUS_CORRUPT) {
            return word_changes(c, result, &all, err);
        }
        TRY(result);
    }
    answer_empty(&c->base);
    return STATUS_OK;
}

/* Views of REST clients: created, changed with their changes rebased on what the view is by now, registered. */
#include "places/place.h"

#include "tarn/base/clock.h"

static view_info info_of(table_name name, const ice_view *view, str metadata_location, str location,
                         arena *a)
{
    return (view_info){.name = name,
                       .uuid = str_copy(a, view->uuid),
                       .metadata_location = metadata_location,
                       .location = location,
                       .created_us = clock_now_us(),
                       .updated_us = clock_now_us()};
}

/* ---- create ---- */

status catalog_create_view_by_request(catalog *c, str space, const ice_view_create_request *request,
                                      arena *a, catalog_loaded_view *ret_loaded, error *err)
{
    const table_name name = {.space = space, .table = request->name};
    ice_view *view = NULL;
    str text, location, metadata_location;

    TRY(catalog__refuse_in_txn(c, "a request of a REST client", err));
    TRY(catalog__check_name("view", request->name, err));
    TRY(catalog__refuse_name(c, name, err));
    TRY(catalog__place_new(c, name, request->location, true, a, &text, &location, err));
    TRY(ice_view_create_request_build(request, text, &view, err));
    status result = catalog__put_new_view(c, name, location, view, a, &metadata_location, err);
    if (result != STATUS_OK) {
        ice_view_unref(view);
        return result;
    }
    *ret_loaded = (catalog_loaded_view){
        .view = view, .info = info_of(name, view, metadata_location, location, a)};
    return STATUS_OK;
}

/* ---- commit ---- */

typedef struct place_visit {
    catalog *c;
    const view_info *info;
    str own; /* where the view lies, settled */
    arena *a;
} place_visit;

static status check_place(void *context, ice_place_kind kind, str location, error *err)
{
    const place_visit *v = context;
    const catalog__place place = {
        .kind = kind, .location = location, .uuid = v->info->uuid, .is_view = true};
    str settled;

    TRY(catalog__check_owner(v->c, &place, v->own, v->a, &settled, err));
    return kind == ICE_AT_TABLE ? catalog__check_place(v->c, v->info->name.space, settled, err)
                                : STATUS_OK;
}

typedef struct view_commit {
    catalog *c;
    table_name name;
    const ice_view_request *request;
    arena *a; /* the caller's */
    bool stale;
} view_commit;

/* Says nothing where nothing differs: then the view stays as it is. */
static status commit_on(view_commit *e, const ice_view *base, const view_info *info,
                        catalog_loaded_view *ret_loaded, error *err)
{
    place_visit visit = {.c = e->c, .info = info, .own = info->location, .a = e->a};
    ice_view *next = NULL;
    str location = STR_NULL;
    str metadata_location;

    TRY(ice_view_request_check(e->request, base, err));
    TRY(ice_view_request_places(e->request, check_place, &visit, err));
    TRY(ice_view_request_apply(e->request, base, &next, err));
    if (ice_view_is_same(base, next)) {
        ice_view_unref(next);
        *ret_loaded = (catalog_loaded_view){.view = ice_view_ref(base), .info = *info};
        return STATUS_OK;
    }
    status result = STATUS_OK;
    if (!str_equal(next->location, base->location)) {
        result = catalog__settle_location(e->c, next->location, e->a, &location, err);
    }
    if (result == STATUS_OK) {
        result = catalog__put_view(e->c, info->name, info->metadata_location, location, next, e->a,
                                   &metadata_location, err);
        e->stale = result == STATUS_CONFLICT;
    }
    if (result != STATUS_OK) {
        ice_view_unref(next);
        return result;
    }
    *ret_loaded = (catalog_loaded_view){.view = next, .info = *info};
    ret_loaded->info.metadata_location = metadata_location;
    ret_loaded->info.location = str_is_null(location) ? info->location : location;
    ret_loaded->info.updated_us = clock_now_us();
    return STATUS_OK;
}

static status try_once(view_commit *e, catalog_loaded_view *ret_loaded, error *err)
{
    ice_view *base = NULL;
    view_info info;

    TRY(catalog_load_view(e->c, e->name, e->a, &base, &info, err));
    status result = commit_on(e, base, &info, ret_loaded, err);
    ice_view_unref(base);
    return result;
}

status catalog_commit_view_request(catalog *c, table_name name, const ice_view_request *request,
                                   arena *a, catalog_loaded_view *ret_loaded, error *err)
{
    view_commit e = {.c = c, .name = name, .request = request, .a = a};
    catalog__patience patience = {0};
    str key = catalog__table_key(a, name);

    TRY(catalog__refuse_in_txn(c, "a request of a REST client", err));
    for (;;) {
        e.stale = false;
        catalog__take_turns(c, &key, 1);
        status result = try_once(&e, ret_loaded, err);
        catalog__leave_turns(c, &key, 1);
        if (result == STATUS_OK || !e.stale || !catalog__try_again(&patience)) {
            return result;
        }
        if (err != NULL) {
            error_clear(err);
        }
    }
}

/* ---- register ---- */

typedef struct registration {
    catalog *c;
    catalog__row row;
    store_staged *record;
    const catalog_caller *caller;
} registration;

static status apply_registration(void *context, state_txn *txn, error *err)
{
    registration *r = context;

    r->row.registered = true;
    TRY(catalog__insert_view(txn, &r->row, err));
    TRY(catalog__note_view(txn, r->caller, EVENT_VIEW_REGISTERED, r->row.name, r->row.uuid,
                           r->row.metadata_location, err));
    store_staged *record = r->record;
    r->record = NULL;
    return store_publish(r->c->storage, txn, &record, 1, err);
}

static status register_view(registration *r, const ice_view *view, arena *a, error *err)
{
    const catalog__place place = {
        .kind = ICE_AT_TABLE, .location = view->location, .uuid = view->uuid, .is_view = true};
    const catalog__place file = {.kind = ICE_AT_FILE,
                                 .location = r->row.metadata_location,
                                 .uuid = view->uuid,
                                 .is_view = true};

    r->row.uuid = view->uuid;
    TRY(catalog__check_owner(r->c, &place, STR(""), a, &r->row.location, err));
    TRY(catalog__check_place(r->c, r->row.name.space, r->row.location, err));
    TRY(catalog__check_owner(r->c, &file, r->row.location, a, NULL, err));
    TRY(catalog__check_paths(r->c, r->row.name.space, view->properties, view->property_count,
                             r->row.location, view->uuid, err));
    r->row.is_view = true;
    TRY(catalog__stage_name(r->c, &r->row, &r->record, err));
    status result = state_submit(r->c->state, apply_registration, r, err);
    store_discard(r->c->storage, r->record);
    return result;
}

status catalog_register_view_file(catalog *c, table_name name, str metadata_location, arena *a,
                                  catalog_loaded_view *ret_loaded, error *err)
{
    registration r = {
        .c = c, .row = {.name = name, .rebase = STR_NULL}, .caller = catalog_get_caller()};
    ice_view *view = NULL;

    TRY(catalog__refuse_in_txn(c, "a request of a REST client", err));
    TRY(catalog__check_name("view", name.table, err));
    TRY(catalog__refuse_name(c, name, err));
    TRY(catalog__settle_location(c, metadata_location, a, &r.row.metadata_location, err));
    status result = catalog__read_view_file(c, r.row.metadata_location, &view, err);
    if (result == STATUS_SYNTAX || result == STATUS_CORRUPT) {
        result = STATUS_INVALID;
        if (err != NULL) {
            err->kind = STATUS_INVALID;
        }
    }
    if (result == STATUS_OK) {
        result = register_view(&r, view, a, err);
    }
    if (result != STATUS_OK) {
        ice_view_unref(view);
        return result;
    }
    catalog__view_cache_put(c, r.row.metadata_location, view);
    *ret_loaded = (catalog_loaded_view){
        .view = view, .info = info_of(name, view, r.row.metadata_location, r.row.location, a)};
    return STATUS_OK;
}

/* Tables by the places that they lie at. */
#include "tarn/catalog/located.h"

#include "place.h"
#include "tarn/access/s3.h"
#include "tarn/catalog/warehouse.h"

typedef struct location_search {
    str location;
    arena *memory;
    bool found;
    table_name name;
} location_search;

static status find_exactly(location_search *s, state_txn *txn, str location, error *err)
{
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn,
                    "SELECT space, name FROM tables WHERE location = ?1 UNION ALL"
                    " SELECT t.space, t.name FROM places p JOIN tables t ON t.uuid = p.uuid"
                    " WHERE p.location = ?1",
                    &rows, err, SV_TEXT(location)));
    TRY(state_next(rows, &s->found, err));
    if (s->found) {
        s->name.space = state_text(rows, 0, s->memory);
        s->name.table = state_text(rows, 1, s->memory);
    }
    state_finish(rows);
    return STATUS_OK;
}

/* Places of different tables do not lie in each other: at most one table has any of these. */
static status find_above(void *context, state_txn *txn, error *err)
{
    location_search *s = context;

    for (size_t end = s->location.size; end > 0 && !s->found; end--) {
        if (end == s->location.size || s->location.data[end] == '/') {
            TRY(find_exactly(s, txn, str_slice(s->location, 0, end), err));
        }
    }
    return STATUS_OK;
}

status catalog_find_at(catalog *c, str location, arena *a, table_name *ret_name, error *err)
{
    location_search s = {.location = location, .memory = a};

    TRY(state_read(c->state, find_above, &s, err));
    if (!s.found) {
        return error_set(err, STATUS_NO_TABLE, "no table lies at \"%.*s\"", STR_ARG(location));
    }
    *ret_name = s.name;
    return STATUS_OK;
}

status catalog_check_folder(catalog *c, str table_location, str table_uuid, str folder, arena *a,
                            str *ret_settled, error *err)
{
    const catalog__place place = {
        .kind = ICE_AT_PATH_PROPERTY, .location = folder, .uuid = table_uuid};

    return catalog__check_owner(c, &place, table_location, a, ret_settled, err);
}

bool catalog_is_chosen_place(catalog *c, str space, str location, arena *a)
{
    table_name chosen;
    str settled;

    if (catalog__settle_location(c, location, a, &settled, NULL) != STATUS_OK) {
        return false;
    }
    for (size_t end = settled.size; end > 0; end--) {
        if ((end == settled.size || settled.data[end] == '/') &&
            catalog__names_of_location(c, str_slice(settled, 0, end), a, &chosen)) {
            return str_equal_nocase(chosen.space, space);
        }
    }
    return false;
}

/* ---- sessions of tables that went ---- */

/* Another's, or one that is still to be purged. */
static status refuse_taken(void *context, state_txn *txn, error *err)
{
    const catalog__place *place = context;
    state_rows *rows = NULL;
    bool found = false;

    TRY(catalog__refuse_place(txn, place, err));
    TRY(STATE_QUERY(txn,
                    "SELECT 1 FROM purges WHERE uuid <> ?1 AND location <> '' AND"
                    " (substr(location || '/', 1, length(?2) + 1) = ?2 || '/' OR"
                    " substr(?2 || '/', 1, length(location) + 1) = location || '/')",
                    &rows, err, SV_TEXT(place->uuid), SV_TEXT(place->location)));
    TRY(state_next(rows, &found, err));
    state_finish(rows);
    return found ? error_set(err, STATUS_DENIED, "a table lay there that is to be purged")
                 : STATUS_OK;
}

bool catalog__is_taken(void *context, str subject, const s3_scope *scopes, size_t count)
{
    const catalog *c = context;
    arena *a = arena_create();
    bool taken = false;

    for (size_t i = 0; i < count && !taken; i++) {
        str folder = str_slice(scopes[i].prefix, 0, scopes[i].prefix.size - 1);
        catalog__place place = {
            .kind = ICE_AT_PATH_PROPERTY,
            .location = str_printf(a, "s3://%.*s/%.*s", STR_ARG(scopes[i].bucket), STR_ARG(folder)),
            .uuid = subject};

        taken = state_read(c->state, refuse_taken, &place, NULL) != STATUS_OK;
    }
    arena_free(a);
    return taken;
}

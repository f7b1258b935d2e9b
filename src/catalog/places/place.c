/* Places: which location may belong to which table. A table's own places are its location, the folders that it was told
 * to keep files in (write.data.path) and those where it lay before, with what lies below them; none of them lies in one
 * of another table. What files it names elsewhere must lie in no place of another, either. Whether a location is one at
 * all, and in a warehouse, is catalog__settle_location's matter. */
#include "place.h"

#include "tarn/base/vec.h"
#include "tarn/catalog/located.h"

typedef struct place_rule {
    const char *at;     /* rows with this very location */
    const char *within; /* rows that lie below it */
    const char *what;
    bool gives_way; /* to a table at its very place (catalog__forget_dropped_at) */
    /* Views have files too, but nobody gets keys for them: two of them may share a folder. */
    bool binds_views;
} place_rule;

#define WHOSE                                                                                  \
    "SELECT COALESCE(t.space, d.space, g.space, ''), COALESCE(t.name, d.name, g.name, p.uuid)" \
    " FROM places p LEFT JOIN tables t ON t.uuid = p.uuid"                                     \
    " LEFT JOIN dropped d ON d.uuid = p.uuid LEFT JOIN purges g ON g.uuid = p.uuid"

static const place_rule rules[] = {
    {"SELECT space, name FROM tables WHERE location = ?1 AND uuid <> ?2",
     "SELECT space, name FROM tables WHERE location > ?1 AND location < ?2 AND uuid <> ?3 LIMIT 1",
     "table", false, true},
    {WHOSE " WHERE p.location = ?1 AND p.uuid <> ?2",
     WHOSE " WHERE p.location > ?1 AND p.location < ?2 AND p.uuid <> ?3 LIMIT 1", "table", false,
     true},
    {"SELECT space, name FROM views WHERE location = ?1 AND uuid <> ?2",
     "SELECT space, name FROM views WHERE location > ?1 AND location < ?2 AND uuid <> ?3 LIMIT 1",
     "view", false, false},
    {"SELECT space, name FROM dropped WHERE location = ?1 AND uuid <> ?2",
     "SELECT space, name FROM dropped WHERE location > ?1 AND location < ?2 AND uuid <> ?3 LIMIT 1",
     "dropped table", true, false},
};
#define RULE_OF_PLACES 1

static status refuse_found(state_rows *rows, const catalog__place *place, const char *what,
                           error *err)
{
    status refusal = place->kind == ICE_AT_FILE ? STATUS_DENIED : STATUS_INVALID;
    bool found = false;

    TRY(state_next(rows, &found, err));
    if (found) {
        str space = state_text(rows, 0, NULL);
        str name = state_text(rows, 1, NULL);
        if (place->kind == ICE_AT_FILE) {
            error_set(err, refusal, "file \"%.*s\" lies in the place of %s \"%.*s.%.*s\"",
                      STR_ARG(place->location), what, STR_ARG(space), STR_ARG(name));
        } else {
            error_set(err, refusal, "location \"%.*s\" overlaps that of %s \"%.*s.%.*s\"",
                      STR_ARG(place->location), what, STR_ARG(space), STR_ARG(name));
        }
    }
    state_finish(rows);
    return found ? refusal : STATUS_OK;
}

/* Neither location may lie in the other. "0" follows "/". */
static status refuse_by_rule(state_txn *txn, const catalog__place *place, const place_rule *rule,
                             error *err)
{
    arena *a = state_txn_arena(txn);
    str location = place->location;
    state_rows *rows = NULL;

    if (place->kind != ICE_AT_FILE && !place->is_space) {
        TRY(STATE_QUERY(txn, rule->within, &rows, err, SV_TEXT(str_concat(a, location, STR("/"))),
                        SV_TEXT(str_concat(a, location, STR("0"))), SV_TEXT(place->uuid)));
        TRY(refuse_found(rows, place, rule->what, err));
    }
    for (size_t end = location.size; end > 0; end--) {
        bool is_whole = end == location.size;
        if (is_whole ? rule->gives_way && place->kind == ICE_AT_TABLE : location.data[end] != '/') {
            continue;
        }
        TRY(STATE_QUERY(txn, rule->at, &rows, err, SV_TEXT(str_slice(location, 0, end)),
                        SV_TEXT(place->uuid)));
        TRY(refuse_found(rows, place, rule->what, err));
    }
    return STATUS_OK;
}

static status refuse_by_rules(state_txn *txn, const catalog__place *place, error *err)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (!place->is_view || rules[i].binds_views) {
            TRY(refuse_by_rule(txn, place, &rules[i], err));
        }
    }
    return STATUS_OK;
}

status catalog__refuse_place(state_txn *txn, const catalog__place *place, error *err)
{
    TRY(refuse_by_rules(txn, place, err));
    return catalog__refuse_staged(txn, place, err);
}

status catalog__refuse_held(state_txn *txn, str location, str uuid, error *err)
{
    const catalog__place place = {.kind = ICE_AT_TABLE, .location = location, .uuid = uuid};

    return refuse_by_rule(txn, &place, &rules[RULE_OF_PLACES], err);
}

/* Else who stages tables could keep others from names that are not there yet. */
status catalog__refuse_space(catalog *c, state_txn *txn, str location, error *err)
{
    const catalog__place place = {
        .kind = ICE_AT_PATH_PROPERTY, .location = location, .uuid = STR(""), .is_space = true};

    if (str_is_null(location)) {
        return STATUS_OK;
    }
    TRY(refuse_by_rules(txn, &place, err));
    return catalog__end_staged_at(c, txn, &place, err);
}

status catalog__check_plain(str location, error *err)
{
    for (size_t i = 0; i < location.size; i++) {
        unsigned char byte = (unsigned char)location.data[i];

        if (byte < ' ' || byte == 0x7f) {
            return error_set(err, STATUS_INVALID, "a location has a control character, 0x%02x",
                             (unsigned)byte);
        }
        if (byte == '?' || byte == '#') {
            return error_set(err, STATUS_INVALID, "location \"%.*s\" has a \"%c\"",
                             STR_ARG(location), byte);
        }
    }
    return STATUS_OK;
}

static status read_overlap(void *context, state_txn *txn, error *err)
{
    return catalog__refuse_place(txn, context, err);
}

status catalog__refuse_folder(catalog *c, str location, arena *a, error *err)
{
    str space;
    str folder;

    if (!catalog__space_of_folder(c, location, a, &space) ||
        catalog_space_location(c, space, a, &folder, NULL) != STATUS_OK ||
        !str_equal(folder, location)) {
        return STATUS_OK;
    }
    error_set(err, STATUS_INVALID, "location \"%.*s\" is the folder of namespace \"%.*s\"",
              STR_ARG(location), STR_ARG(space));
    error_hint(err, "Choose a location below or beside it.");
    return STATUS_INVALID;
}

status catalog__check_owner(catalog *c, const catalog__place *place, str own, arena *a,
                            str *ret_settled, error *err)
{
    const catalog_caller *caller = catalog_get_caller();
    catalog__place settled = *place;

    if (caller != NULL && str_is_null(settled.principal)) {
        settled.principal = caller->principal;
    }
    TRY(catalog__settle_location(c, place->location, a, &settled.location, err));
    if (!catalog__lies_in(settled.location, own)) {
        TRY(state_read(c->state, read_overlap, &settled, err));
        if (place->kind != ICE_AT_FILE && !place->is_space) {
            TRY(catalog__refuse_folder(c, settled.location, a, err));
        }
    }
    if (ret_settled != NULL) {
        *ret_settled = settled.location;
    }
    return STATUS_OK;
}

bool catalog__lies_in(str location, str folder)
{
    return folder.size > 0 && str_starts_with(location, folder) &&
           (location.size == folder.size || location.data[folder.size] == '/');
}

/* ---- what table metadata says ---- */

bool catalog__is_path_property(str key)
{
    return str_starts_with(key, STR("write.")) && str_ends_with(key, STR(".path"));
}

status catalog__check_paths(catalog *c, str space, const ice_property *properties, size_t count,
                            str own, str uuid, error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!catalog__is_path_property(properties[i].key)) {
            continue;
        }
        arena *a = arena_create();
        const catalog__place place = {
            .kind = ICE_AT_PATH_PROPERTY, .location = properties[i].value, .uuid = uuid};
        str settled;
        status result = catalog__check_owner(c, &place, own, a, &settled, err);

        if (result == STATUS_OK && !catalog__lies_in(settled, own)) {
            result = catalog__check_place(c, space, settled, err);
            result = result == STATUS_OK ? catalog__refuse_filled(c, settled, a, err) : result;
        }
        arena_free(a);
        if (result != STATUS_OK) {
            error_context(err, "property \"%.*s\"", STR_ARG(properties[i].key));
            return result;
        }
    }
    return STATUS_OK;
}

static status is_held(state_txn *txn, str location, str uuid, bool *ret_held, error *err)
{
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM places WHERE location = ?1 AND uuid = ?2", &rows, err,
                    SV_TEXT(location), SV_TEXT(uuid)));
    TRY(state_next(rows, ret_held, err));
    state_finish(rows);
    return STATUS_OK;
}

status catalog__hold_former(state_txn *txn, str location, str uuid, error *err)
{
    return STATE_EXEC(
        txn,
        "INSERT INTO places (location, uuid) VALUES (?1, ?2) ON CONFLICT (location) DO NOTHING",
        NULL, err, SV_TEXT(location), SV_TEXT(uuid));
}

static status hold_path(catalog *c, state_txn *txn, const catalog__paths *paths, str path,
                        error *err)
{
    catalog__place place = {
        .kind = ICE_AT_PATH_PROPERTY, .uuid = paths->uuid, .principal = paths->principal};
    bool held = false;

    TRY(catalog__settle_location(c, path, state_txn_arena(txn), &place.location, err));
    if (catalog__lies_in(place.location, paths->own)) {
        return STATUS_OK;
    }
    TRY(is_held(txn, place.location, paths->uuid, &held, err));
    if (held) {
        return STATUS_OK;
    }
    TRY(catalog__check_place(c, paths->space, place.location, err));
    TRY(catalog__refuse_place(txn, &place, err));
    TRY(catalog__hold_former(txn, place.location, paths->uuid, err));
    return catalog__end_own_staged(c, txn, &place, err);
}

status catalog__hold_paths(catalog *c, state_txn *txn, const catalog__paths *paths, error *err)
{
    for (size_t i = 0; i < paths->count && paths->uuid.size > 0; i++) {
        status result = catalog__is_path_property(paths->properties[i].key)
                            ? hold_path(c, txn, paths, paths->properties[i].value, err)
                            : STATUS_OK;
        if (result != STATUS_OK) {
            error_context(err, "property \"%.*s\"", STR_ARG(paths->properties[i].key));
            return result;
        }
    }
    return STATUS_OK;
}

/* A copy of the table, or the table where it waits for its end, has the same places. */
#define OF_NOBODY                                                              \
    " NOT EXISTS (SELECT 1 FROM tables WHERE tables.uuid = places.uuid)"       \
    " AND NOT EXISTS (SELECT 1 FROM dropped WHERE dropped.uuid = places.uuid)" \
    " AND NOT EXISTS (SELECT 1 FROM purges WHERE purges.uuid = places.uuid)"

status catalog__release_places(state_txn *txn, str uuid, error *err)
{
    return str_is_null(uuid)
               ? state_exec(txn, "DELETE FROM places WHERE" OF_NOBODY, NULL, 0, NULL, err)
               : STATE_EXEC(txn, "DELETE FROM places WHERE uuid = ?1 AND" OF_NOBODY, NULL, err,
                            SV_TEXT(uuid));
}

typedef struct place_list {
    str uuid;
    arena *a;
    VEC(str) found;
} place_list;

static status read_places(void *context, state_txn *txn, error *err)
{
    place_list *list = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(STATE_QUERY(txn, "SELECT location FROM places WHERE uuid = ?1 ORDER BY location", &rows,
                    err, SV_TEXT(list->uuid)));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        vec_push(list->a, &list->found, state_text(rows, 0, list->a));
    }
    state_finish(rows);
    return STATUS_OK;
}

status catalog_list_places(catalog *c, str uuid, arena *a, str **ret_list, size_t *ret_count,
                           error *err)
{
    place_list list = {.uuid = uuid, .a = a};

    TRY(state_read(c->state, read_places, &list, err));
    *ret_list = list.found.items;
    *ret_count = list.found.count;
    return STATUS_OK;
}

static status check_loaded(catalog *c, const table_info *info, const ice_metadata *m, arena *a,
                           error *err)
{
    str settled;

    TRY(catalog__settle_location(c, info->location, a, &settled, err));
    TRY(catalog__settle_location(c, info->metadata_location, a, &settled, err));
    if (!str_is_null(info->rebase)) {
        return STATUS_OK; /* where its files lie is what the rules say; they were checked */
    }
    TRY(catalog__settle_location(c, m->location, a, &settled, err));
    if (!str_equal(settled, info->location)) {
        return error_set(err, STATUS_DENIED,
                         "its metadata says that it lies at \"%.*s\", the catalog \"%.*s\"",
                         STR_ARG(m->location), STR_ARG(info->location));
    }
    return STATUS_OK;
}

status catalog__check_loaded(catalog *c, const table_info *info, const ice_metadata *m, error *err)
{
    arena *a = arena_create();
    status result = check_loaded(c, info, m, a, err);

    arena_free(a);
    if (result != STATUS_OK) {
        error_context(err, "table \"%.*s.%.*s\"", STR_ARG(info->name.space),
                      STR_ARG(info->name.table));
    }
    return result;
}

status catalog_check_file(catalog *c, const table_info *info, str location, error *err)
{
    arena *a = arena_create();
    const catalog__place place = {.kind = ICE_AT_FILE, .location = location, .uuid = info->uuid};
    status result = catalog__check_owner(c, &place, info->location, a, NULL, err);

    arena_free(a);
    return result;
}

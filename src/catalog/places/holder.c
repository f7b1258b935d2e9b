/* Whose place a file lies in, asked by those who read files that a table names. What is below the table's own location
 * or in one of its further places (place.c) is the table's; this is about the rest: files that were there before, and
 * what somebody who may write one table would like to read of another. What may be committed is place.c's matter: what
 * a file says can change after its commit. */
#include "place.h"

typedef struct holder_rule {
    const char *at;     /* rows with this very location, ?1, but for the one that asks, ?2 */
    const char *within; /* rows that lie below it, but for the one that asks */
    const char *kind;
} holder_rule;

/* A place beside its location is its table's by the uuid; who asks is known by its location, which was checked. */
#define PLACES                                             \
    " FROM places p LEFT JOIN tables t ON t.uuid = p.uuid" \
    " LEFT JOIN dropped d ON d.uuid = p.uuid LEFT JOIN purges g ON g.uuid = p.uuid"
#define OF_ANOTHER " AND COALESCE(t.location, d.location, g.location, '') <> "

static const holder_rule rules[] = {
    {"SELECT space, name FROM tables WHERE location = ?1 AND location <> ?2",
     "SELECT 1 FROM tables WHERE location > ?1 AND location < ?2 AND location <> ?3 LIMIT 1",
     "table"},
    {"SELECT COALESCE(t.space, d.space, g.space, ''), COALESCE(t.name, d.name, g.name, p.uuid)" PLACES
     " WHERE p.location = ?1" OF_ANOTHER "?2 LIMIT 1",
     "SELECT 1" PLACES " WHERE p.location > ?1 AND p.location < ?2" OF_ANOTHER "?3 LIMIT 1",
     "table"},
    {"SELECT space, name FROM views WHERE location = ?1 AND location <> ?2",
     "SELECT 1 FROM views WHERE location > ?1 AND location < ?2 AND location <> ?3 LIMIT 1",
     "view"},
    {"SELECT space, name FROM dropped WHERE location = ?1 AND location <> ?2",
     "SELECT 1 FROM dropped WHERE location > ?1 AND location < ?2 AND location <> ?3 LIMIT 1",
     "dropped table"},
};

typedef struct holder_search {
    str own;      /* settled */
    str location; /* settled */
    size_t top;   /* nothing is held by what is no longer than that */
    arena *memory;
    catalog_holder found;
} holder_search;

static status find_at(holder_search *s, state_txn *txn, str folder, error *err)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        state_rows *rows = NULL;
        bool found = false;

        TRY(STATE_QUERY(txn, rules[i].at, &rows, err, SV_TEXT(folder), SV_TEXT(s->own)));
        TRY(state_next(rows, &found, err));
        if (found) {
            s->found = (catalog_holder){.kind = rules[i].kind, .folder = folder, .is_deep = true};
            s->found.name.space = state_text(rows, 0, s->memory);
            s->found.name.table = state_text(rows, 1, s->memory);
        }
        state_finish(rows);
        if (found) {
            break;
        }
    }
    return STATUS_OK;
}

/* "0" follows "/". */
static status holds_any(const holder_search *s, state_txn *txn, str folder, bool *ret_any,
                        error *err)
{
    *ret_any = false;
    for (size_t i = 0; i < COUNT_OF(rules) && !*ret_any; i++) {
        state_rows *rows = NULL;

        TRY(STATE_QUERY(txn, rules[i].within, &rows, err,
                        SV_TEXT(str_concat(s->memory, folder, STR("/"))),
                        SV_TEXT(str_concat(s->memory, folder, STR("0"))), SV_TEXT(s->own)));
        TRY(state_next(rows, ret_any, err));
        state_finish(rows);
    }
    return STATUS_OK;
}

/* Of a bucket, the widest folder around the file in which nobody else has a place: where there are many files, they
 * are mostly asked for once. Folders on disks are not widened: roots, links and the data directory are among them. */
static status widen(holder_search *s, state_txn *txn, error *err)
{
    bool any = false;

    for (size_t end = s->location.size - 1; end > s->top && !any; end--) {
        if (s->location.data[end] == '/') {
            str folder = str_slice(s->location, 0, end);

            TRY(holds_any(s, txn, folder, &any, err));
            if (!any) {
                s->found.folder = folder;
                s->found.is_deep = true;
            }
        }
    }
    return STATUS_OK;
}

static status search(void *context, state_txn *txn, error *err)
{
    holder_search *s = context;

    for (size_t end = s->location.size; end > s->top && s->found.kind == NULL; end--) {
        if (end == s->location.size || s->location.data[end] == '/') {
            TRY(find_at(s, txn, str_slice(s->location, 0, end), err));
        }
    }
    return s->found.kind != NULL || store_is_local(s->location) ? STATUS_OK : widen(s, txn, err);
}

static status settle(catalog *c, str location, arena *a, str *ret_settled, error *err)
{
    status result = catalog__settle_location(c, location, a, ret_settled, err);

    if (result != STATUS_OK) {
        error_hint(err, "The files of a table lie in a warehouse or below one of warehouse.roots.");
    }
    return result;
}

status catalog_find_holder(catalog *c, str own, str location, arena *a, catalog_holder *ret_holder,
                           error *err)
{
    holder_search s = {.memory = a};
    warehouse_info there;

    TRY(settle(c, location, a, &s.location, err));
    TRY(settle(c, own, a, &s.own, err));
    s.found.folder = str_slice(location, 0, str_find_last_char(location, '/'));
    if (!catalog__lies_in(s.location, s.own)) {
        if (!store_is_local(s.location) && catalog__warehouse_at(c, s.location, a, &there)) {
            s.top = there.location.size;
        }
        TRY(state_read(c->state, search, &s, err));
        if (store_is_local(s.location)) { /* the next one may be a link */
            s.found.is_deep = false;
            s.found.folder = str_slice(location, 0, str_find_last_char(location, '/'));
        }
    }
    *ret_holder = s.found;
    return STATUS_OK;
}

bool catalog_holder_covers(const catalog_holder *holder, str location)
{
    size_t end = str_find_last_char(location, '/');

    return holder->is_deep
               ? ice_lies_below(location, holder->folder)
               : end != STR_NPOS && str_equal(str_slice(location, 0, end), holder->folder);
}

/* ---- manifests, and lists of them ---- */

static status allow(void *context, const ice_metadata *m, str location, error *err)
{
    arena *a = arena_create();
    catalog_holder holder;
    status result =
        catalog_find_holder(context, ice_locate(m, m->location, a), location, a, &holder, err);

    if (result == STATUS_OK && holder.kind != NULL) {
        result = error_set(err, STATUS_DENIED,
                           "file \"%.*s\" lies in the place of %s \"%.*s.%.*s\"", STR_ARG(location),
                           holder.kind, STR_ARG(holder.name.space), STR_ARG(holder.name.table));
    }
    arena_free(a);
    return result;
}

const ice_guard *catalog__guard(catalog *c)
{
    ice_guard *guard = ARENA_NEW(c->memory, ice_guard);

    *guard = (ice_guard){.allow = allow, .context = c};
    return guard;
}

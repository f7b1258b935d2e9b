/* The end of a transaction: everything it did becomes rows and visible objects in one transaction of the database.
 *
 * One attempt: the pointers are compared, then everything is written and published. Where only pointers are not where
 * they were, the tables' changes are made again on what they are now (txn_change.c), and the next attempt follows. What
 * fails before store_publish leaves what is staged with the transaction. */
#include "places/place.h"
#include "txn_view.h"

#include "tarn/base/clock.h"
#include "tarn/base/fault.h"

#define ATTEMPTS_MAX 20

typedef struct ending {
    catalog_txn *txn;
    arena *a;               /* of the attempt */
    VEC(txn_table *) stale; /* their pointers have moved */
    bool published;         /* store_publish has taken what is staged */
} ending;

static bool is_changed(const txn_table *t)
{
    return t->exists && t->working != NULL;
}

static bool is_dropped(const txn_table *t)
{
    return t->existed && !t->exists;
}

static bool is_made(const txn_table *t)
{
    return !t->existed && t->exists;
}

static bool is_renamed(const txn_table *t)
{
    return t->existed && t->exists && t->renamed;
}

/* ---- comparing ---- */

static status conflict(const txn_table *t, const char *what, error *err)
{
    error_set(err, STATUS_CONFLICT, "%s of table \"%.*s.%.*s\": it was %s",
              t->operation != NULL ? t->operation : "SELECT", STR_ARG(t->origin.name.space),
              STR_ARG(t->origin.name.table), what);
    error_hint(err, "Run the transaction again: it will read the table as it is now.");
    return STATUS_CONFLICT;
}

/* Whether what was read must still be so. */
static bool is_serializable(const catalog_txn *txn, const txn_table *t)
{
    return t->read && t->existed && t->begun != NULL &&
           (txn->serializable ||
            str_equal_nocase(
                ice_metadata_property(t->begun, "tarn.transaction.isolation-level", "snapshot"),
                STR("serializable")));
}

static status read_pointer(state_txn *st, const txn_table *t, arena *a, bool *ret_found,
                           str *ret_location, error *err)
{
    state_rows *rows = NULL;

    TRY(STATE_QUERY(st,
                    "SELECT metadata_location FROM tables"
                    " WHERE space_key = ?1 AND table_key = ?2 AND uuid = ?3",
                    &rows, err, SV_TEXT(catalog__fold(a, t->origin.name.space)),
                    SV_TEXT(catalog__fold(a, t->origin.name.table)), SV_TEXT(t->origin.uuid)));
    TRY(state_next(rows, ret_found, err));
    if (*ret_found) {
        *ret_location = state_text(rows, 0, a);
    }
    state_finish(rows);
    return STATUS_OK;
}

static status compare_table(ending *e, state_txn *st, txn_table *t, error *err)
{
    bool serializable = is_serializable(e->txn, t);
    bool found = false;
    str location = STR("");

    if (!t->existed || !(is_changed(t) || is_dropped(t) || is_renamed(t) || serializable)) {
        return STATUS_OK;
    }
    TRY(read_pointer(st, t, e->a, &found, &location, err));
    if (!found) {
        return conflict(t, "dropped or renamed by another commit since the transaction began", err);
    }
    if (serializable && !str_equal(location, t->origin.metadata_location)) {
        return conflict(t, "changed by another commit since this serializable transaction read it",
                        err);
    }
    if (is_changed(t) && !str_equal(location, t->base_location)) {
        vec_push(e->a, &e->stale, t);
    }
    return STATUS_OK;
}

static status compare(ending *e, state_txn *st, error *err)
{
    for (size_t i = 0; i < e->txn->tables.count; i++) {
        TRY(compare_table(e, st, e->txn->tables.items[i], err));
    }
    TRY(txn__compare_views(e->txn, st, e->a, err));
    return e->stale.count == 0 ? STATUS_OK
                               : conflict(e->stale.items[0], "changed by another commit", err);
}

/* ---- rows ---- */

static status taken(const txn_table *t, status result, error *err)
{
    if (result == STATUS_EXISTS || result == STATUS_NO_NAMESPACE) {
        if (err != NULL) {
            err->kind = STATUS_CONFLICT;
        }
        error_context(err, "%s of table \"%.*s.%.*s\", since the transaction began", t->operation,
                      STR_ARG(t->info.name.space), STR_ARG(t->info.name.table));
        return STATUS_CONFLICT;
    }
    return result;
}

static status note(const ending *e, state_txn *st, const txn_table *t, event_kind kind, error *err)
{
    bool renames = kind == EVENT_TABLE_RENAMED;
    const ice_metadata *m = t->written != NULL ? t->written : t->working;
    catalog_event event = {.kind = kind,
                           .name = renames ? t->origin.name : t->info.name,
                           .to = renames ? t->info.name : (table_name){.space = STR("")},
                           .uuid = t->info.uuid,
                           .metadata_location = t->info.metadata_location,
                           .snapshot_id =
                               m != NULL && !renames ? m->current_snapshot_id : ICE_NO_SNAPSHOT};

    catalog__describe_commit(t->base, m, e->a, &event);
    return catalog__note(st, e->txn->caller, &event, err);
}

static status hold_paths(const ending *e, state_txn *st, const txn_table *t, error *err)
{
    const ice_metadata *m = t->written != NULL ? t->written : t->working;
    const catalog__paths paths = {.space = t->info.name.space,
                                  .properties = m->properties,
                                  .count = m->property_count,
                                  .own = t->info.location,
                                  .uuid = t->info.uuid,
                                  .principal = catalog__principal(e->txn->caller)};

    return catalog__hold_paths(e->txn->root, st, &paths, err);
}

static status write_table(ending *e, state_txn *st, const txn_table *t, error *err)
{
    int64_t moved = 0;

    if (is_made(t)) {
        const catalog__row row = {.name = t->info.name,
                                  .uuid = t->info.uuid,
                                  .location = t->info.location,
                                  .metadata_location = t->info.metadata_location,
                                  .rebase = STR_NULL,
                                  .caller = e->txn->caller};

        TRY(taken(t, catalog__insert_table(e->txn->root, st, &row, err), err));
        TRY(hold_paths(e, st, t, err));
        return note(e, st, t, EVENT_TABLE_CREATED, err);
    }
    if (is_changed(t) || is_renamed(t)) {
        catalog__document_changes(e->txn->root, st, catalog__fold(e->a, t->origin.name.space),
                                  catalog__fold(e->a, t->origin.name.table), NULL);
    }
    if (is_changed(t)) {
        TRY(STATE_EXEC(st,
                       "UPDATE tables SET metadata_location = ?1, updated_us = ?2"
                       " WHERE uuid = ?3 AND metadata_location = ?4",
                       &moved, err, SV_TEXT(t->info.metadata_location), SV_INT(clock_now_us()),
                       SV_TEXT(t->origin.uuid), SV_TEXT(t->base_location)));
        ASSERT(moved == 1);
        TRY(hold_paths(e, st, t, err));
        TRY(note(e, st, t, EVENT_TABLE_COMMITTED, err));
    }
    if (is_renamed(t)) {
        str space_key = catalog__fold(e->a, t->info.name.space);
        str table_key = catalog__fold(e->a, t->info.name.table);

        TRY(taken(t, catalog__refuse_existing(st, t->info.name, space_key, table_key, err), err));
        TRY(STATE_EXEC(st,
                       "UPDATE tables SET space_key = ?1, table_key = ?2, space = ?3, name = ?4,"
                       " updated_us = ?5 WHERE uuid = ?6",
                       NULL, err, SV_TEXT(space_key), SV_TEXT(table_key),
                       SV_TEXT(t->info.name.space), SV_TEXT(t->info.name.table),
                       SV_INT(clock_now_us()), SV_TEXT(t->origin.uuid)));
        TRY(note(e, st, t, EVENT_TABLE_RENAMED, err));
    }
    return STATUS_OK;
}

/* Names change hands: those that go give theirs up before any is taken. */
static status give_up_names(ending *e, state_txn *st, error *err)
{
    for (size_t i = 0; i < e->txn->tables.count; i++) {
        const txn_table *t = e->txn->tables.items[i];
        bool dropped = false;

        if (is_dropped(t)) {
            catalog__drop how = catalog__drop_now(e->txn->root, t->purge);
            how.caller = e->txn->caller; /* another's thread may do it */
            TRY(catalog__delete_table(e->txn->root, st, t->origin.name, t->origin.uuid, &how,
                                      &dropped, err));
        } else if (is_renamed(t)) {
            TRY(STATE_EXEC(st, "UPDATE tables SET space_key = '', table_key = uuid WHERE uuid = ?1",
                           NULL, err, SV_TEXT(t->origin.uuid)));
        }
    }
    return txn__give_up_view_names(e->txn, st, e->a, err);
}

static status write_spaces(ending *e, state_txn *st, bool made, error *err)
{
    size_t count = e->txn->all_spaces.count;

    for (size_t i = 0; i < count; i++) { /* the outer ones are made first, and go last */
        const txn_space *s = e->txn->all_spaces.items[made ? i : count - 1 - i];
        status result = STATUS_OK;

        if (made && s->exists && !s->existed) {
            result =
                catalog__insert_namespace(e->txn->root, st, &s->info, NULL, e->txn->caller, err);
        } else if (!made && s->existed && !s->exists) {
            result = catalog__delete_namespace(e->txn->root, st, s->info.name, e->txn->caller, err);
        }
        if (result == STATUS_EXISTS || result == STATUS_NOT_EMPTY ||
            result == STATUS_NO_NAMESPACE) {
            error_context(err, "since the transaction began");
            if (err != NULL) {
                err->kind = STATUS_CONFLICT;
            }
            return STATUS_CONFLICT;
        }
        TRY(result);
    }
    return STATUS_OK;
}

/* A namespace that was dropped and made again: the old row goes first. */
static status replace_spaces(ending *e, state_txn *st, error *err)
{
    TRY(write_spaces(e, st, false, err));
    return write_spaces(e, st, true, err);
}

/* ---- objects ---- */

static status publish(ending *e, state_txn *st, error *err)
{
    catalog_txn *txn = e->txn;
    map *gone = map_create(e->a);
    staged_vec all = {0};
    VEC(str) obsolete = {0};

    for (size_t i = 0; i < txn->tables.count; i++) {
        txn_table *t = txn->tables.items[i];

        for (size_t k = 0; k < t->own_obsolete_count; k++) {
            if (map_set(gone, t->own_obsolete[k], t) == NULL) {
                vec_push(e->a, &obsolete, t->own_obsolete[k]);
            }
        }
        for (size_t k = 0; k < t->staged.count; k++) {
            vec_push(e->a, &all, t->staged.items[k]);
        }
        if (t->file != NULL) {
            vec_push(e->a, &all, t->file);
        }
        if (t->name_record != NULL) {
            vec_push(e->a, &all, t->name_record);
        }
        t->staged.count = 0;
        t->file = NULL;
        t->name_record = NULL;
    }
    txn__take_view_files(txn, e->a, &all);
    for (size_t i = 0; i < txn->all_spaces.count; i++) {
        if (txn->all_spaces.items[i]->record != NULL) {
            vec_push(e->a, &all, txn->all_spaces.items[i]->record);
            txn->all_spaces.items[i]->record = NULL;
        }
    }
    e->published = true;
    TRY(store_publish(txn->root->storage, st, all.items, all.count, err));
    return obsolete.count == 0
               ? STATUS_OK
               : store_delete(txn->root->storage, st, obsolete.items, obsolete.count, err);
}

static status apply(void *context, state_txn *st, error *err)
{
    ending *e = context;

    TRY(compare(e, st, err));
    TRY(give_up_names(e, st, err));
    TRY(replace_spaces(e, st, err));
    for (size_t i = 0; i < e->txn->tables.count; i++) {
        if (e->txn->tables.items[i]->exists) {
            TRY(write_table(e, st, e->txn->tables.items[i], err));
        }
    }
    TRY(txn__write_views(e->txn, st, e->a, err));
    return publish(e, st, err);
}

/* ---- before and after ---- */

/* A table that is called otherwise than its location says has an object that tells its name. */
static status stage_names(catalog_txn *txn, error *err)
{
    for (size_t i = 0; i < txn->tables.count; i++) {
        txn_table *t = txn->tables.items[i];

        if (is_dropped(t) && t->name_record == NULL) {
            const catalog__drop how = catalog__drop_now(txn->root, t->purge);
            TRY(catalog__stage_dropped(txn->root, &t->origin, &how, &t->name_record, err));
        }
        if (!t->exists || t->name_record != NULL) {
            continue;
        }
        const ice_metadata *m = t->written != NULL ? t->written : t->working;
        const catalog__row row = {.name = t->info.name,
                                  .uuid = t->info.uuid,
                                  .location = t->info.location,
                                  .metadata_location = t->info.metadata_location,
                                  .registered = t->info.registered,
                                  .rebase = t->info.rebase,
                                  .properties = m != NULL ? m->properties : NULL,
                                  .property_count = m != NULL ? m->property_count : 0,
                                  .is_asked = t->is_asked};

        if (is_renamed(t) || (is_made(t) && catalog__needs_record(txn->root, &row)) ||
            (is_changed(t) && catalog__brings_place(t->begun, m))) {
            TRY(catalog__stage_name(txn->root, &row, &t->name_record, err));
        }
    }
    for (size_t i = 0; i < txn->all_spaces.count; i++) {
        txn_space *s = txn->all_spaces.items[i];

        if (s->exists && !s->existed && s->record == NULL) {
            TRY(catalog__stage_space(txn->root, &s->info, &s->record, err));
        }
    }
    return txn__stage_view_names(txn, err);
}

static void tell_caches(catalog_txn *txn, arena *a)
{
    bool dropped = false;

    for (size_t i = 0; i < txn->tables.count; i++) {
        const txn_table *t = txn->tables.items[i];

        if (is_dropped(t) || is_renamed(t)) {
            catalog__cache_drop(txn->root, catalog__table_key(a, t->origin.name));
        }
        if (is_changed(t)) {
            txn->root->commits++;
            catalog__write_hint(txn->root, t->info.metadata_location);
            catalog__cache_put(txn->root, catalog__table_key(a, t->info.name),
                               t->info.metadata_location,
                               t->written != NULL ? t->written : t->working);
        }
        dropped = dropped || is_dropped(t);
    }
    txn__tell_view_caches(txn);
    if (dropped) {
        catalog__purge_soon(txn->root);
        catalog__keeper_wake(txn->root);
    }
}

static void choose_obsolete(ending *e)
{
    for (size_t i = 0; i < e->txn->tables.count; i++) {
        txn_table *t = e->txn->tables.items[i];

        t->own_obsolete_count = 0;
        if (t->exists && t->working != NULL && t->obsolete.count > 0) {
            t->own_obsolete = ARENA_ARRAY(e->a, str, t->obsolete.count);
            t->own_obsolete_count = catalog__keep_own(
                e->txn->root, &t->info, t->written != NULL ? t->written : t->working,
                t->obsolete.items, t->obsolete.count, e->a, t->own_obsolete);
        }
    }
}

/* `ret_again`: the tables stand on what others made of them, and the next attempt may succeed. */
static status attempt(catalog_txn *txn, bool *ret_again, error *err)
{
    ending e = {.txn = txn, .a = arena_create()};

    choose_obsolete(&e);
    status result = state_submit(txn->root->state, apply, &e, err);

    *ret_again = false;
    if (result == STATUS_OK) {
        tell_caches(txn, e.a);
    }
    if (result == STATUS_CONFLICT && e.stale.count > 0 && !e.published) {
        result = STATUS_OK;
        for (size_t i = 0; i < e.stale.count && result == STATUS_OK; i++) {
            if (err != NULL) {
                error_clear(err);
            }
            result = txn__again(txn, e.stale.items[i], err);
        }
        *ret_again = result == STATUS_OK;
    }
    arena_free(e.a);
    return result;
}

static status commit(catalog_txn *txn, error *err)
{
    bool again = true;
    status result = stage_names(txn, err);

    if (result == STATUS_OK) {
        result = FAULT(FAULT_TXN_STAGED, err);
    }
    for (int i = 0; result == STATUS_OK && again; i++) {
        if (i == ATTEMPTS_MAX) {
            error_set(err, STATUS_CONFLICT,
                      "the transaction's tables were changed by others again and again");
            error_hint(err, "Run the transaction again.");
            return STATUS_CONFLICT;
        }
        result = attempt(txn, &again, err);
    }
    return result == STATUS_OK ? FAULT(FAULT_TXN_DONE, err) : result;
}

status catalog_txn_commit(catalog_txn *txn, error *err)
{
    status result = STATUS_OK;

    txn->caller = catalog_get_caller();
    if (catalog_txn_has_changes(txn)) {
        result = commit(txn, err);
        if (result == STATUS_CONFLICT) {
            txn->root->conflicts++;
        }
    }
    txn__free(txn);
    return result;
}

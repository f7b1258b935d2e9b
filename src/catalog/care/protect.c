/* The flag that keeps a table or a namespace from being dropped, purged or let go of. */
#include "tarn/catalog/dropped.h"

#include "places/place.h"

static status refuse_flagged(table_name name, error *err)
{
    bool is_space = name.table.size == 0;

    error_set(err, STATUS_DENIED, "%s \"%.*s%s%.*s\" is protected: it is not dropped",
              is_space ? "namespace" : "table", STR_ARG(name.space), is_space ? "" : ".",
              STR_ARG(name.table));
    error_hint(err, "Take the flag away first: tarn %s unprotect.",
               is_space ? "namespace" : "table");
    return STATUS_DENIED;
}

status catalog__refuse_protected(state_txn *txn, table_name name, error *err)
{
    arena *a = state_txn_arena(txn);
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(
        txn, "SELECT 1 FROM tables WHERE space_key = ?1 AND table_key = ?2 AND protected = 1",
        &rows, err, SV_TEXT(catalog__fold(a, name.space)), SV_TEXT(catalog__fold(a, name.table))));
    TRY(state_next(rows, &found, err));
    state_finish(rows);
    return found ? refuse_flagged(name, err) : STATUS_OK;
}

status catalog__refuse_protected_space(state_txn *txn, str space_key, error *err)
{
    arena *a = state_txn_arena(txn);
    state_rows *rows = NULL;
    bool found = false;
    str name = STR("");

    TRY(STATE_QUERY(txn, "SELECT name FROM namespaces WHERE name_key = ?1 AND protected = 1", &rows,
                    err, SV_TEXT(space_key)));
    TRY(state_next(rows, &found, err));
    if (found) {
        name = state_text(rows, 0, a);
    }
    state_finish(rows);
    return found ? refuse_flagged((table_name){.space = name, .table = STR("")}, err) : STATUS_OK;
}

typedef struct protection {
    catalog *c;
    store_staged *record;
    table_name name;
    bool on;
    bool found;
    const catalog_caller *caller;
} protection;

static status set_protection(void *context, state_txn *txn, error *err)
{
    protection *p = context;
    arena *a = state_txn_arena(txn);
    bool is_space = p->name.table.size == 0;
    str space_key = catalog__fold(a, p->name.space);
    str table_key = catalog__fold(a, p->name.table);
    str uuid = STR(""), metadata_location = STR("");
    state_rows *rows = NULL;

    if (is_space) {
        TRY(STATE_QUERY(txn,
                        "SELECT protected, name, '', '', '' FROM namespaces WHERE name_key = ?1",
                        &rows, err, SV_TEXT(space_key)));
    } else {
        TRY(STATE_QUERY(txn,
                        "SELECT protected, space, name, uuid, metadata_location FROM tables"
                        " WHERE space_key = ?1 AND table_key = ?2",
                        &rows, err, SV_TEXT(space_key), SV_TEXT(table_key)));
    }
    TRY(state_next(rows, &p->found, err));
    bool is_as_asked = p->found && (state_int(rows, 0) != 0) == p->on;
    if (p->found) {
        p->name = (table_name){state_text(rows, 1, a), state_text(rows, 2, a)};
        uuid = state_text(rows, 3, a);
        metadata_location = state_text(rows, 4, a);
    }
    state_finish(rows);
    if (!p->found || is_as_asked) {
        return STATUS_OK; /* nothing changes */
    }
    TRY(is_space
            ? STATE_EXEC(txn, "UPDATE namespaces SET protected = ?1 WHERE name_key = ?2", NULL, err,
                         SV_INT(p->on ? 1 : 0), SV_TEXT(space_key))
            : STATE_EXEC(txn,
                         "UPDATE tables SET protected = ?1"
                         " WHERE space_key = ?2 AND table_key = ?3",
                         NULL, err, SV_INT(p->on ? 1 : 0), SV_TEXT(space_key), SV_TEXT(table_key)));
    if (p->record != NULL) {
        store_staged *record = p->record;
        p->record = NULL;
        TRY(store_publish(p->c->storage, txn, &record, 1, err));
    }
    const catalog_event event = {.kind = is_space ? EVENT_NAMESPACE_CHANGED : EVENT_TABLE_PROTECTED,
                                 .name = p->name,
                                 .uuid = uuid,
                                 .metadata_location = metadata_location,
                                 .snapshot_id = ICE_NO_SNAPSHOT,
                                 .detail = p->on ? STR("{\"protected\":true}")
                                                 : STR("{\"protected\":false}")};
    return catalog__note(txn, p->caller, &event, err);
}

/* For a lost database (record.c). What is not there is told of later. */
static status stage_record(protection *p, arena *a, error *err)
{
    namespace_info space;
    table_info table;
    ice_metadata *metadata = NULL;
    error missing = ERROR_INIT;
    bool found = false;

    if (p->name.table.size == 0) {
        TRY(catalog__read_space(p->c, p->name.space, a, &found, &space, err));
        space.is_protected = p->on;
        return found ? catalog__stage_space(p->c, &space, &p->record, err) : STATUS_OK;
    }
    if (catalog_load_table(p->c, p->name, a, &metadata, &table, &missing) != STATUS_OK) {
        return STATUS_OK;
    }
    ice_metadata_unref(metadata);
    const catalog__row row = {.name = table.name,
                              .uuid = table.uuid,
                              .location = table.location,
                              .metadata_location = table.metadata_location,
                              .registered = table.registered,
                              .rebase = table.rebase,
                              .protects = &p->on};
    return catalog__stage_name(p->c, &row, &p->record, err);
}

static status submit(protection *p, error *err)
{
    arena *a = arena_create();
    str turn = p->name.table.size == 0 ? catalog__space_turn(a, p->name.space)
                                       : catalog__table_key(a, p->name);

    catalog__take_turns(p->c, &turn, 1);
    status result = stage_record(p, a, err);
    if (result == STATUS_OK) {
        result = state_submit(p->c->state, set_protection, p, err);
        store_discard(p->c->storage, p->record);
    }
    catalog__leave_turns(p->c, &turn, 1);
    arena_free(a);
    return result;
}

status catalog_protect(catalog *c, table_name name, bool protect, error *err)
{
    protection p = {.c = c, .name = name, .on = protect, .caller = catalog_get_caller()};

    TRY(catalog__refuse_in_txn(c, "the protection of a table", err));
    TRY(submit(&p, err));
    if (p.found) {
        return STATUS_OK;
    }
    return name.table.size == 0 ? catalog__no_namespace(c, name.space, err)
                                : catalog__no_table(c, name, err);
}

status catalog_is_protected(catalog *c, table_name name, bool *ret_protected, error *err)
{
    arena *a = arena_create();
    ice_metadata *metadata = NULL;
    namespace_info space;
    table_info table;
    status result;

    if (name.table.size == 0) {
        result = catalog_get_namespace(c, name.space, a, &space, err);
        *ret_protected = result == STATUS_OK && space.is_protected;
    } else {
        result = catalog_load_table(c, name, a, &metadata, &table, err);
        ice_metadata_unref(metadata);
        *ret_protected = result == STATUS_OK && table.is_protected;
    }
    arena_free(a);
    return result;
}

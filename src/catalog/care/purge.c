/* Removing the files of tables that are dropped for good: in the background, by reachability, in chunks, and the note
 * in "purges" last, so that a stop in between loses nothing and repeats nothing harmful. What another table reaches
 * stays. */
#include "internal.h"

#include "tarn/base/log.h"
#include "tarn/base/mem.h"
#include "tarn/base/vec.h"
#include "tarn/catalog/located.h"

#define PURGE_CHUNK 500
#define READ_ATTEMPTS 8

/* ---- what there is to remove ---- */

typedef VEC(str) location_list;

typedef struct removal_list {
    const str *inside; /* "<place>/": nothing outside is ever deleted */
    size_t inside_count;
    str location; /* empty: it is another table's by now, and what lies there stays */
    arena *a;
    map *seen;
    location_list found;
} removal_list;

static bool is_inside(const removal_list *list, str location)
{
    for (size_t i = 0; i < list->inside_count; i++) {
        if (str_starts_with(location, list->inside[i])) {
            return true;
        }
    }
    return false;
}

static status note_removal(void *context, str location, bool live, error *err)
{
    removal_list *list = context;

    (void)live;
    (void)err;
    if (is_inside(list, location) && !map_has(list->seen, location)) {
        map_set(list->seen, location, list);
        vec_push(list->a, &list->found, str_copy(list->a, location));
    }
    return STATUS_OK;
}

/* Nothing reaches the hint, nor what a kill left of one; tarn alone makes such names. */
static status list_hints(catalog *c, removal_list *list, error *err)
{
    str hint = str_concat(list->a, list->location, STR("/metadata/" CATALOG__HINT_NAME));
    str *unfinished = NULL;
    size_t count = 0;

    TRY(note_removal(list, hint, false, err));
    if (store_is_local(list->location)) {
        TRY(catalog__find_new_hints(c, list->location, list->a, &unfinished, &count, err));
    }
    for (size_t i = 0; i < count; i++) {
        TRY(note_removal(list, unfinished[i], false, err));
    }
    return STATUS_OK;
}

/* The metadata file last: what is found by reading a file is deleted before the file. */
static status list_removals(catalog *c, removal_list *list, str metadata_location, error *err)
{
    const catalog__reach all = {.c = c,
                                .metadata_location = metadata_location,
                                .missing_is_fine = true, /* an earlier purge was interrupted */
                                .visit = note_removal,
                                .context = list};

    TRY(catalog__reach_all(&all, err));
    if (list->location.size > 0) {
        TRY(list_hints(c, list, err));
    }
    return note_removal(list, metadata_location, false, err);
}

/* ---- what others reach ---- */

/* One table, looked at for files that are to be removed. */
typedef struct spare_walk {
    catalog *c;
    removal_list *list;
    str inside; /* the folder of the table that is looked at, with a slash */
    bool leads_out;
    bool leads_in; /* to a place of the table that is purged */
} spare_walk;

static status spare(void *context, str location, bool live, error *err)
{
    spare_walk *w = context;

    (void)live;
    if (w->c->closing) {
        return error_set(err, STATUS_CANCELLED, "the catalog closes");
    }
    if (!str_starts_with(location, w->inside)) {
        w->leads_out = true;
        w->leads_in = w->leads_in || is_inside(w->list, location);
        (void)map_remove(w->list->seen, location);
    }
    return STATUS_OK;
}

typedef struct pointer_query {
    str uuid, location;
    arena *a;
    str metadata_location; /* STR_NULL: the table is gone */
} pointer_query;

static status read_pointer(void *context, state_txn *txn, error *err)
{
    pointer_query *q = context;
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn,
                    "SELECT metadata_location FROM tables WHERE uuid = ?1 UNION ALL"
                    " SELECT metadata_location FROM dropped WHERE uuid = ?1 AND location = ?2",
                    &rows, err, SV_TEXT(q->uuid), SV_TEXT(q->location)));
    TRY(state_next(rows, &found, err));
    q->metadata_location = found ? state_text(rows, 0, q->a) : STR_NULL;
    state_finish(rows);
    return STATUS_OK;
}

/* A commit that came between may have removed what is read: then the table is read again. What is gone for good leads
 * nowhere. */
static status walk_reacher(spare_walk *w, const catalog__reacher *table, error *broken, arena *a,
                           error *err)
{
    pointer_query q = {.uuid = table->uuid,
                       .location = table->location,
                       .a = a,
                       .metadata_location = table->metadata_location};
    catalog__reach all = {
        .c = w->c, .rebase = table->rebase, .visit = spare, .context = w, .broken = broken};

    for (int attempt = 1;; attempt++) {
        str before = all.metadata_location = q.metadata_location;
        *broken = (error)ERROR_INIT;
        TRY(spare(w, before, true, err));
        status result = catalog__reach_all(&all, err);
        if (result != STATUS_NOT_FOUND || all.missing_is_fine) {
            return result;
        }
        if (err != NULL) {
            error_clear(err);
        }
        TRY(state_read(w->c->state, read_pointer, &q, err));
        if (str_is_null(q.metadata_location)) {
            return STATUS_OK;
        }
        all.missing_is_fine = attempt == READ_ATTEMPTS || str_equal(q.metadata_location, before);
    }
}

static void *as_mark(str text)
{
    uint64_t hash = str_hash(text);
    return (void *)(uintptr_t)(hash != 0 ? hash : 1); /* compared, never followed */
}

/* A table that cannot be read whole, now or ever: what of it can be read tells whether it is one that shares files with
 * the table that is purged. If so, all of them stay, and the purge waits; else it is not to hold up every purge there
 * is. */
static status pass_over(spare_walk *w, const catalog__reacher *table, const error *broken,
                        bool is_itself, error *err)
{
    arena *a = arena_create();
    str name = str_printf(a, "%.*s.%.*s", STR_ARG(table->name.space), STR_ARG(table->name.table));
    bool waits = is_itself || w->leads_in;

    w->c->purges_doubted++;
    w->leads_out = true; /* it is looked at again */
    log_event(LOG_WARN, "a purge cannot read a table that may need its files",
              LOG_STR("table", name), LOG_STR("uuid", table->uuid),
              LOG_STR("metadata_location", table->metadata_location),
              LOG_C("error", broken->message), LOG_BOOL("purge_waits", waits));
    arena_free(a);
    return waits ? error_set(err, broken->kind, "%s", broken->message) : STATUS_OK;
}

/* A table that leads nowhere outside its folder is not looked at again until it changes: no other table's files can be
 * its own, since folders do not overlap. */
static status spare_reached(catalog *c, removal_list *list, str uuid, error *err)
{
    arena *a = arena_create();
    catalog__reacher *all = NULL;
    size_t count = 0;
    status result = catalog__list_reachers(c, a, &all, &count, err);

    for (size_t i = 0; i < count && result == STATUS_OK; i++) {
        void *mark = as_mark(all[i].metadata_location);
        bool is_itself = str_equal(all[i].uuid, uuid);

        if (!is_itself && map_get(c->contained, all[i].uuid) == mark) {
            continue;
        }
        arena *each = arena_child(a);
        spare_walk w = {.c = c,
                        .list = list,
                        /* a copy of the table that is purged may lie in the same folder */
                        .inside =
                            is_itself ? STR("/") : str_concat(each, all[i].location, STR("/"))};
        error broken = ERROR_INIT;
        result = walk_reacher(&w, &all[i], &broken, each, err);
        if (result == STATUS_OK && broken.kind != STATUS_OK) {
            result = pass_over(&w, &all[i], &broken, is_itself, err);
        }
        if (result == STATUS_OK && !w.leads_out) {
            (void)map_set(c->contained, all[i].uuid, mark);
        } else if (result != STATUS_OK && result != STATUS_CANCELLED) {
            error_context(err, "table \"%.*s.%.*s\", which may need its files",
                          STR_ARG(all[i].name.space), STR_ARG(all[i].name.table));
        }
        arena_free(each);
    }
    arena_free(a);
    return result;
}

void catalog__purge_release(catalog *c)
{
    map_free(c->contained);
    mutex_release(&c->purge_lock);
}

/* ---- the work in the background ---- */

typedef struct purge {
    catalog *c;
    arena *a;
    bool found;
    str uuid, location, metadata_location;
    str space, name;       /* that it had; STR_NULL for those of older versions */
    catalog_caller caller; /* who asked for it; principal empty: nobody, its time was over */
    const str *chunk;
    size_t chunk_count;
} purge;

static status next_purge(void *context, state_txn *txn, error *err)
{
    purge *p = context;
    state_rows *rows = NULL;

    TRY(STATE_QUERY(
        txn,
        "SELECT uuid, location, metadata_location, space, name, principal, via, peer, agent,"
        " request_id FROM purges WHERE uuid > ?1 ORDER BY uuid LIMIT 1",
        &rows, err, SV_TEXT(p->uuid)));
    TRY(state_next(rows, &p->found, err));
    if (p->found) {
        p->uuid = state_text(rows, 0, p->a);
        p->location = state_text(rows, 1, p->a);
        p->metadata_location = state_text(rows, 2, p->a);
        p->space = state_text(rows, 3, p->a);
        p->name = state_text(rows, 4, p->a);
        p->caller = (catalog_caller){.principal = state_text(rows, 5, p->a),
                                     .via = state_text(rows, 6, p->a),
                                     .peer = state_text(rows, 7, p->a),
                                     .agent = state_text(rows, 8, p->a),
                                     .request_id = state_text(rows, 9, p->a)};
    }
    state_finish(rows);
    return STATUS_OK;
}

static status delete_chunk(void *context, state_txn *txn, error *err)
{
    purge *p = context;
    return store_delete(p->c->storage, txn, p->chunk, p->chunk_count, err);
}

/* From now on the table does not come back (catalog__forget_dropped). */
static status begin_purge(void *context, state_txn *txn, error *err)
{
    purge *p = context;
    int64_t there = 0;

    TRY(STATE_EXEC(txn, "UPDATE purges SET begun = 1 WHERE uuid = ?1", &there, err,
                   SV_TEXT(p->uuid)));
    p->found = there > 0;
    return STATUS_OK;
}

/* The record of its name goes, too, unless a copy of the table has it. */
static status forget_purge(void *context, state_txn *txn, error *err)
{
    purge *p = context;
    state_rows *rows = NULL;
    bool has_copy = false;

    TRY(STATE_EXEC(txn, "DELETE FROM purges WHERE uuid = ?1", NULL, err, SV_TEXT(p->uuid)));
    TRY(catalog__release_places(txn, p->uuid, err));
    TRY(STATE_QUERY(txn,
                    "SELECT 1 FROM tables WHERE uuid = ?1 UNION ALL"
                    " SELECT 1 FROM dropped WHERE uuid = ?1",
                    &rows, err, SV_TEXT(p->uuid)));
    TRY(state_next(rows, &has_copy, err));
    state_finish(rows);
    if (!has_copy) {
        str record = catalog__name_location(p->c, p->uuid, state_txn_arena(txn));
        TRY(store_delete(p->c->storage, txn, &record, 1, err));
    }
    const catalog_event event = {.kind = EVENT_TABLE_PURGED,
                                 .name = {.space = str_is_null(p->space) ? STR("") : p->space,
                                          .table = str_is_null(p->name) ? STR("") : p->name},
                                 .uuid = p->uuid,
                                 .snapshot_id = ICE_NO_SNAPSHOT};
    return catalog__note(txn, p->caller.principal.size == 0 ? NULL : &p->caller, &event, err);
}

/* In the order in which they were found, without those that another table reaches. */
static void keep_spared(removal_list *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->found.count; i++) {
        if (map_has(list->seen, list->found.items[i])) {
            list->found.items[kept++] = list->found.items[i];
        }
    }
    list->found.count = kept;
}

/* The places of the table. */
static status find_inside(const purge *p, removal_list *list, error *err)
{
    str *places = NULL;
    size_t count = 0;

    TRY(catalog_list_places(p->c, p->uuid, list->a, &places, &count, err));
    str *inside = ARENA_ARRAY(list->a, str, count + 1);
    for (size_t i = 0; i < count; i++) {
        inside[i] = str_concat(list->a, places[i], STR("/"));
    }
    if (p->location.size > 0) {
        inside[count++] = str_concat(list->a, p->location, STR("/"));
    }
    list->location = p->location;
    list->inside = inside;
    list->inside_count = count;
    return STATUS_OK;
}

static status purge_table(purge *p, error *err)
{
    arena *a = arena_create();
    removal_list r = {.a = a, .seen = map_create(a)};
    status result = find_inside(p, &r, err);

    if (result == STATUS_OK) {
        result = list_removals(p->c, &r, p->metadata_location, err);
    }
    if (result == STATUS_OK) {
        result = spare_reached(p->c, &r, p->uuid, err);
    }
    if (result == STATUS_OK) {
        result = state_submit(p->c->state, begin_purge, p, err);
    }
    if (result == STATUS_OK && !p->found) { /* it came back */
        arena_free(a);
        return STATUS_OK;
    }
    if (result == STATUS_OK) { /* and what came between */
        result = spare_reached(p->c, &r, p->uuid, err);
        keep_spared(&r);
    }
    for (size_t at = 0; result == STATUS_OK && at < r.found.count; at += PURGE_CHUNK) {
        p->chunk = r.found.items + at;
        p->chunk_count = r.found.count - at < PURGE_CHUNK ? r.found.count - at : PURGE_CHUNK;
        result = state_submit(p->c->state, delete_chunk, p, err);
    }
    if (result == STATUS_OK) {
        result = state_submit(p->c->state, forget_purge, p, err);
    }
    arena_free(a);
    return result;
}

/* A table that cannot be purged (a corrupt file, say) keeps its note and its files, is logged, and does not hold up
 * the others. */
static void purge_pending(catalog *c)
{
    purge p = {.c = c, .a = arena_create(), .uuid = STR("")};

    mutex_lock(&c->purge_lock);
    for (;;) {
        error err = ERROR_INIT;
        if (state_read(c->state, next_purge, &p, &err) != STATUS_OK || !p.found) {
            break;
        }
        if (purge_table(&p, &err) != STATUS_OK && !c->closing) {
            log_failure("dropped table not purged", &err);
        }
    }
    mutex_unlock(&c->purge_lock);
    arena_free(p.a);
}

static void run_purges(void *context)
{
    purge_pending(context);
}

void catalog__purge_soon(catalog *c)
{
    error ignored = ERROR_INIT; /* a full queue means that a purge is on its way anyhow */
    (void)pool_run(c->background, run_purges, c, &ignored);
}

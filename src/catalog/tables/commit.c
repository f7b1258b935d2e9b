/* Moving pointers: the committer of a table, and the queue in which appends to one table share a commit.
 *
 * The queue
 *   1. An append puts its slot into its table's queue. If nobody leads the queue, it leads.
 *   2. The leader takes all that wait and commits them as one snapshot (ice_commit_appends), without the lock.
 *   3. It wakes those it served. Whoever still waits and finds no leader leads next.
 * So a commit's syncs are shared by all that arrived during the commit before it. */
#include "places/place.h"

#include "tarn/base/clock.h"
#include "tarn/base/mem.h"
#include "tarn/catalog/event.h"

/* ---- the committer ---- */

typedef struct table_commit {
    catalog *c;
    table_name name;
    str key, space_key, table_key;
    /* what is being committed: for the queue, whose appends are noted one by one as their askers' */
    bool shared;
    str new_location;
    const ice_metadata *new_metadata;
    ice_metadata *base; /* what it was loaded as last */
    table_info info;    /* the same, in the arena of its committer */
    catalog_event event;
} table_commit;

static catalog_event event_of(const table_commit *table, str location, const ice_metadata *m,
                              arena *a)
{
    catalog_event event = {.kind = EVENT_TABLE_COMMITTED,
                           .name = table->name,
                           .uuid = m->uuid,
                           .metadata_location = location,
                           .snapshot_id = m->current_snapshot_id};

    catalog__describe_commit(table->base, m, a, &event);
    return event;
}

status catalog__load_to_change(catalog *c, table_name name, arena *a, ice_metadata **ret_metadata,
                               table_info *ret_info, error *err)
{
    TRY(catalog_load_table(c, name, a, ret_metadata, ret_info, err));
    if ((*ret_metadata)->rebase_count > 0) {
        ice_metadata_unref(*ret_metadata);
        error_set(
            err, STATUS_UNSUPPORTED,
            "table \"%.*s.%.*s\" can only be read: its files lie elsewhere than its metadata says",
            STR_ARG(ret_info->name.space), STR_ARG(ret_info->name.table));
        error_hint(err, "CREATE TABLE … AS SELECT copies it into a table that can be changed.");
        return STATUS_UNSUPPORTED;
    }
    return STATUS_OK;
}

static status commit_load(void *context, arena *a, ice_metadata **ret_metadata, str *ret_location,
                          error *err)
{
    table_commit *table = context;
    table_info info;

    TRY(catalog__load_to_change(table->c, table->name, a, ret_metadata, &info, err));
    *ret_location = info.metadata_location;
    table->info = info;
    ice_metadata_unref(table->base);
    table->base = ice_metadata_ref(*ret_metadata);
    return STATUS_OK;
}

static void forget_base(void *context)
{
    ice_metadata_unref(((table_commit *)context)->base);
}

typedef struct pointer_move {
    const table_commit *table;
    str base_location, new_location;
    store_staged *const *staged;
    size_t staged_count;
    store_staged *record; /* of a further place that the commit names; NULL: of none */
    const str *obsolete;
    size_t obsolete_count;
    status (*extra)(void *context, state_txn *txn, error *err);
    void *extra_context;
    const ice_metadata *new_metadata;
    catalog_document *document;   /* of the table as it will be; NULL where nobody asks for it */
    const catalog_caller *caller; /* of the thread that asked: another may do it */
    catalog__paths paths;
    bool refused;   /* by `extra` */
    bool published; /* store_publish has taken `staged` */
} pointer_move;

static status explain_stale(const pointer_move *move, state_txn *txn, error *err)
{
    const table_commit *table = move->table;
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM tables WHERE space_key = ?1 AND table_key = ?2", &rows, err,
                    SV_TEXT(table->space_key), SV_TEXT(table->table_key)));
    TRY(state_next(rows, &found, err));
    state_finish(rows);
    return error_set(err, found ? STATUS_CONFLICT : STATUS_NO_TABLE,
                     found ? "table \"%.*s.%.*s\" was changed by another commit"
                           : "table \"%.*s.%.*s\" does not exist",
                     STR_ARG(table->name.space), STR_ARG(table->name.table));
}

/* The order is the committer's contract: what fails before store_publish leaves `staged` usable. */
static status move_pointer(void *context, state_txn *txn, error *err)
{
    pointer_move *move = context;
    const table_commit *table = move->table;
    int64_t moved = 0;

    catalog__document_changes(table->c, txn, table->space_key, table->table_key, move->document);
    TRY(STATE_EXEC(txn,
                   "UPDATE tables SET metadata_location = ?1, updated_us = ?2"
                   " WHERE space_key = ?3 AND table_key = ?4 AND metadata_location = ?5",
                   &moved, err, SV_TEXT(move->new_location), SV_INT(clock_now_us()),
                   SV_TEXT(table->space_key), SV_TEXT(table->table_key),
                   SV_TEXT(move->base_location)));
    if (moved == 0) {
        return explain_stale(move, txn, err);
    }
    TRY(catalog__hold_paths(table->c, txn, &move->paths, err));
    if (move->extra != NULL) {
        status result = move->extra(move->extra_context, txn, err);
        move->refused = result != STATUS_OK;
        TRY(result);
    }
    if (!table->shared && !str_equal(move->base_location, move->new_location)) {
        TRY(catalog__note(txn, move->caller, &table->event, err));
    }
    move->published = true;
    TRY(store_publish(table->c->storage, txn, move->staged, move->staged_count, err));
    if (move->record != NULL) {
        store_staged *record = move->record;
        move->record = NULL;
        TRY(store_publish(table->c->storage, txn, &record, 1, err));
    }
    if (move->obsolete_count > 0) {
        TRY(store_delete(table->c->storage, txn, move->obsolete, move->obsolete_count, err));
    }
    return STATUS_OK;
}

/* For a lost database: which folders are the table's. Its name and flags are what they were when it was loaded. */
static status stage_record(const table_commit *table, const ice_metadata *next, str new_location,
                           store_staged **ret_record, error *err)
{
    if (!catalog__brings_place(table->base, next)) {
        return STATUS_OK;
    }
    const catalog__row row = {.name = table->info.name,
                              .uuid = next->uuid,
                              .location = table->info.location,
                              .metadata_location = new_location,
                              .registered = table->info.registered,
                              .rebase = STR_NULL,
                              .properties = next->properties,
                              .property_count = next->property_count};

    return catalog__stage_name(table->c, &row, ret_record, err);
}

static status commit_pointer(void *context, str base_location, str new_location,
                             const ice_metadata *new_metadata, store_staged *const *staged,
                             size_t staged_count, const str *obsolete, size_t obsolete_count,
                             status (*extra)(void *extra_context, state_txn *txn, error *err),
                             void *extra_context, error *err)
{
    table_commit *table = context;
    arena *a = arena_create();
    str *own = ARENA_ARRAY(a, str, obsolete_count + 1);
    pointer_move move = {.table = table,
                         .base_location = base_location,
                         .new_location = new_location,
                         .new_metadata = new_metadata,
                         .caller = catalog_get_caller(),
                         .staged = staged,
                         .staged_count = staged_count,
                         .obsolete = own,
                         .extra = extra,
                         .extra_context = extra_context,
                         .paths = {.space = table->name.space,
                                   .properties = new_metadata->properties,
                                   .count = new_metadata->property_count,
                                   .own = new_metadata->location,
                                   .uuid = new_metadata->uuid,
                                   .principal = catalog__principal(catalog_get_caller())}};
    table->new_location = new_location;
    table->new_metadata = new_metadata;
    table->event = event_of(table, new_location, new_metadata, a);
    status result = catalog__check_paths(table->c, table->name.space, new_metadata->properties,
                                         new_metadata->property_count, new_metadata->location,
                                         new_metadata->uuid, err);
    if (result == STATUS_OK) {
        const table_info info = {.uuid = new_metadata->uuid, .location = new_metadata->location};
        move.obsolete_count =
            catalog__keep_own(table->c, &info, new_metadata, obsolete, obsolete_count, a, own);
        result = stage_record(table, new_metadata, new_location, &move.record, err);
    }
    if (result == STATUS_OK) {
        move.document = catalog__document_prepare(table->c, table->key, base_location, new_location,
                                                  new_metadata);
        result = state_submit(table->c->state, move_pointer, &move, err);
        catalog_document_unref(move.document);
    }
    store_discard(table->c->storage, move.record);
    arena_free(a);

    bool callers = result == STATUS_CONFLICT || move.refused;
    for (size_t i = 0; !callers && !move.published && i < staged_count; i++) {
        store_discard(table->c->storage, staged[i]);
    }
    if (result == STATUS_OK) {
        table->c->commits++;
        catalog__write_hint(table->c, new_location);
        catalog__cache_put(table->c, table->key, new_location, new_metadata);
    } else if (result == STATUS_CONFLICT) {
        table->c->conflicts++;
    }
    return result;
}

status catalog_committer(catalog *c, table_name name, arena *a, ice_committer *ret_committer,
                         error *err)
{
    (void)err; /* whether the table is there, and its namespace, is seen when it is loaded */
    if (c->txn != NULL) {
        *ret_committer = catalog__txn_committer(c, name, a);
        return STATUS_OK;
    }
    table_commit *table = ARENA_NEW(a, table_commit);
    table->c = c;
    table->name = (table_name){.space = str_copy(a, name.space), .table = str_copy(a, name.table)};
    table->key = catalog__table_key(a, name);
    table->space_key = catalog__fold(a, name.space);
    table->table_key = catalog__fold(a, name.table);
    arena_defer(a, forget_base, table);
    *ret_committer = (ice_committer){
        .load = commit_load, .commit = commit_pointer, .context = table, .storage = c->storage};
    return STATUS_OK;
}

/* ---- the queue ---- */

/* More than this do not share one commit: its metadata would grow past what one sync is worth. */
#define SHARED_MAX 256

typedef struct waiting_append waiting_append;
struct waiting_append {
    ice_append append; /* the caller's, but for `extra` */
    const ice_append *asked;
    const catalog_caller *caller;
    const table_commit *table; /* that its commit goes through */
    ice_append_slot slot;
    bool done;
    waiting_append *next;
};

struct append_queue {
    waiting_append *first, *last;
    bool led;
    cond progress; /* an append finished, or leads no more */
    int users;     /* appends that hold the queue: the last one frees it */
};

static void queue_free(append_queue *queue)
{
    cond_release(&queue->progress);
    mem_free(queue);
}

void catalog__queues_free(catalog *c)
{
    map_entry entry;
    for (size_t at = 0; map_next(c->queues, &at, &entry);) {
        queue_free(entry.value);
    }
    map_free(c->queues);
}

/* The next four are called with the lock held. */
static append_queue *find_queue(catalog *c, str key)
{
    append_queue *queue = map_get(c->queues, key);

    if (queue == NULL) {
        queue = NEW(append_queue);
        cond_init(&queue->progress);
        map_set(c->queues, key, queue);
    }
    return queue;
}

static append_queue *join_queue(catalog *c, str key, waiting_append *mine)
{
    append_queue *queue = find_queue(c, key);

    queue->users++;
    if (queue->last != NULL) {
        queue->last->next = mine;
    } else {
        queue->first = mine;
    }
    queue->last = mine;
    return queue;
}

static void leave_queue(catalog *c, str key, append_queue *queue)
{
    queue->users--;
    if (queue->users == 0) {
        map_remove(c->queues, key);
        queue_free(queue);
    }
}

static size_t take_waiting(append_queue *queue, waiting_append *taken[SHARED_MAX])
{
    size_t count = 0;
    while (queue->first != NULL && count < SHARED_MAX) {
        taken[count++] = queue->first;
        queue->first = queue->first->next;
    }
    if (queue->first == NULL) {
        queue->last = NULL;
    }
    return count;
}

static bool same_branch(const waiting_append *x, const waiting_append *y)
{
    str main_name = STR("main");

    return str_equal(x->append.branch.size == 0 ? main_name : x->append.branch,
                     y->append.branch.size == 0 ? main_name : y->append.branch);
}

/* Each append of a shared commit is an event of its own asker's. */
static status note_append(void *context, state_txn *txn, error *err)
{
    const waiting_append *mine = context;
    const table_commit *table = mine->table;

    if (mine->asked->extra != NULL) {
        TRY(mine->asked->extra(mine->asked->extra_context, txn, err));
    }
    return mine->asked->file_count > 0 ? catalog__note(txn, mine->caller, &table->event, err)
                                       : STATUS_OK;
}

/* One commit for each branch that has appends among them. */
static void commit_taken(catalog *c, const ice_committer *committer, waiting_append **taken,
                         size_t count)
{
    ice_append_slot *slots = NEW_ARRAY(ice_append_slot, count);
    size_t *places = NEW_ARRAY(size_t, count);
    bool *served = NEW_ARRAY(bool, count);

    for (size_t first = 0; first < count; first++) {
        size_t together = 0;

        for (size_t i = first; i < count && !served[first]; i++) {
            if (!served[i] && same_branch(taken[first], taken[i])) {
                taken[i]->table = committer->context;
                slots[together] = (ice_append_slot){.append = &taken[i]->append, .err = ERROR_INIT};
                places[together++] = i;
            }
        }
        if (together > 0) {
            ice_commit_appends(committer, slots, together);
            c->merged_appends += (int64_t)together - 1;
        }
        for (size_t i = 0; i < together; i++) {
            served[places[i]] = true;
            taken[places[i]]->slot = slots[i];
        }
    }
    mem_free(served);
    mem_free(places);
    mem_free(slots);
}

/* Leads until its own append is done. */
static void lead(catalog *c, const ice_committer *committer, append_queue *queue,
                 const waiting_append *mine)
{
    waiting_append *taken[SHARED_MAX];

    queue->led = true;
    while (!mine->done) {
        size_t count = take_waiting(queue, taken);
        mutex_unlock(&c->lock);
        commit_taken(c, committer, taken, count);
        mutex_lock(&c->lock);
        for (size_t i = 0; i < count; i++) {
            taken[i]->done = true;
        }
    }
    queue->led = false;
    cond_broadcast(&queue->progress);
}

void catalog__take_turns(catalog *c, const str *keys, size_t count)
{
    mutex_lock(&c->lock);
    for (size_t i = 0; i < count; i++) {
        append_queue *queue = find_queue(c, keys[i]);
        queue->users++;
        while (queue->led) {
            cond_wait(&queue->progress, &c->lock);
        }
        queue->led = true;
    }
    mutex_unlock(&c->lock);
}

void catalog__leave_turns(catalog *c, const str *keys, size_t count)
{
    mutex_lock(&c->lock);
    for (size_t i = 0; i < count; i++) {
        append_queue *queue = map_get(c->queues, keys[i]);
        queue->led = false;
        cond_broadcast(&queue->progress);
        leave_queue(c, keys[i], queue);
    }
    mutex_unlock(&c->lock);
}

static void append_in_turn(catalog *c, const ice_committer *committer, str key,
                           waiting_append *mine)
{
    mutex_lock(&c->lock);
    append_queue *queue = join_queue(c, key, mine);
    while (!mine->done) {
        if (queue->led) {
            cond_wait(&queue->progress, &c->lock);
        } else {
            lead(c, committer, queue, mine);
        }
    }
    leave_queue(c, key, queue);
    mutex_unlock(&c->lock);
}

status catalog_append(catalog *c, table_name name, const ice_append *append,
                      ice_commit_result *ret_result, error *err)
{
    if (c->txn != NULL) {
        return catalog__txn_append(c, name, append, ret_result, err);
    }
    arena *a = arena_create();
    ice_committer committer;
    waiting_append mine = {.append = *append, .asked = append, .caller = catalog_get_caller()};
    status result = catalog_committer(c, name, a, &committer, err);

    if (result == STATUS_OK) {
        table_commit *table = committer.context;
        table->shared = true;
        if (append->file_count > 0 || append->extra != NULL) {
            mine.append.extra = note_append;
            mine.append.extra_context = &mine;
        }
        append_in_turn(c, &committer, catalog__table_key(a, name), &mine);
        result = mine.slot.outcome;
        if (result != STATUS_OK && err != NULL) {
            *err = mine.slot.err;
        }
        if (result == STATUS_OK) {
            *ret_result = mine.slot.result;
        }
    } else {
        for (size_t i = 0; i < append->staged_count; i++) {
            store_discard(c->storage, append->staged[i]);
        }
    }
    arena_free(a);
    return result;
}

/* ---- changes that take files away ---- */

status catalog_overwrite(catalog *c, table_name name, const ice_overwrite *change,
                         ice_commit_result *ret_result, error *err)
{
    arena *a = arena_create();
    ice_committer committer;
    status result = catalog_committer(c, name, a, &committer, err);

    if (result == STATUS_OK) {
        result = c->txn != NULL ? catalog__txn_overwrite(c, name, change, ret_result, err)
                                : ice_commit_overwrite(&committer, change, ret_result, err);
        if ((result == STATUS_CONFLICT || result == STATUS_INVALID) && err != NULL &&
            !str_starts_with(str_c(err->message), STR("table \""))) {
            error_context(err, "table \"%.*s.%.*s\"", STR_ARG(name.space), STR_ARG(name.table));
        }
    } else {
        for (size_t i = 0; i < change->staged_count; i++) {
            store_discard(c->storage, change->staged[i]);
        }
    }
    arena_free(a);
    return result;
}

/* Commits of REST clients: requirements checked, updates made, pointers moved; of one table or of several at once.
 *
 * One attempt: every table is loaded, checked and changed in memory; all metadata files become durable in one round;
 * one transaction compares and moves all pointers. While it runs, appends and requests to its tables wait (their turn):
 * so an attempt fails only where something else changed a table, and is made again from the start. A requirement that
 * does not hold ends it. */
#include <stdlib.h>

#include "places/place.h"

#include "tarn/base/clock.h"
#include "tarn/base/fault.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"

#define PATIENCE_MS 30000
#define WAIT_MAX_MS 64

bool catalog__try_again(catalog__patience *p)
{
    int64_t now_ms = clock_mono_ms();
    int64_t wait_ms = p->rounds < 6 ? INT64_C(1) << p->rounds : WAIT_MAX_MS;

    if (p->until_ms == 0) {
        p->until_ms = now_ms + PATIENCE_MS;
    }
    if (now_ms >= p->until_ms) {
        return false;
    }
    p->rounds++;
    clock_sleep_ms(1 + (int64_t)(random_u64() % (uint64_t)wait_ms));
    return true;
}

/* One table of a commit. */
typedef struct subject {
    const catalog_table_request *asked;
    str key, space_key, table_key;
    ice_metadata *base; /* NULL: it is made */
    table_info info;    /* of the base; of a new one what it will be */
    ice_prepared next;
    str location;  /* of the new metadata, settled */
    bool is_asked; /* of a new one: the request says it */
    store_staged *file, *record;
    catalog_document *document; /* NULL where nobody asks for it */
} subject;

typedef struct commit {
    catalog *c;
    arena *a; /* of the attempt */
    subject *subjects;
    size_t count;
    const catalog_caller *caller;
    VEC(str) obsolete;
    bool stale;     /* a pointer has moved, a name was taken: look again */
    bool published; /* store_publish has taken what is staged */
} commit;

/* ---- places ---- */

typedef struct place_visit {
    commit *e;
    const subject *s;
    str table; /* STR_NULL: no update names one */
    str moves; /* the same, settled, where the table may lie there; else empty */
} place_visit;

static status note_table(void *context, ice_place_kind kind, str location, error *err)
{
    place_visit *v = context;

    (void)err;
    v->table = kind == ICE_AT_TABLE ? location : v->table;
    return STATUS_OK;
}

/* Files of the request lie in the place that the table has, or in the one that the request gives it. */
static bool lies_in_new_place(const place_visit *v, str location)
{
    str settled;

    return v->moves.size > 0 &&
           catalog__settle_location(v->e->c, location, v->e->a, &settled, NULL) == STATUS_OK &&
           catalog__lies_in(settled, v->moves);
}

static status check_place(void *context, ice_place_kind kind, str location, error *err)
{
    const place_visit *v = context;
    const catalog__place place = {.kind = kind, .location = location, .uuid = v->s->info.uuid};
    str settled;

    if (kind == ICE_AT_TABLE ? v->s->base == NULL : lies_in_new_place(v, location)) {
        return STATUS_OK; /* catalog__place_new looks at that of a new table */
    }
    TRY(catalog__check_owner(v->e->c, &place, v->s->info.location, v->e->a, &settled, err));
    if (kind != ICE_AT_TABLE) {
        return STATUS_OK; /* catalog__check_paths looks at properties */
    }
    TRY(catalog__check_place(v->e->c, v->s->info.name.space, settled, err));
    return catalog__refuse_filled(v->e->c, settled, v->e->a, err);
}

static status check_places(place_visit *v, const ice_request *request, error *err)
{
    v->table = STR_NULL;
    TRY(ice_request_places(request, note_table, v, err));
    const catalog__place place = {
        .kind = ICE_AT_TABLE, .location = v->table, .uuid = v->s->info.uuid};
    if (v->table.size == 0 || catalog__check_owner(v->e->c, &place, v->s->info.location, v->e->a,
                                                   &v->moves, NULL) != STATUS_OK) {
        v->moves = STR("");
    }
    return ice_request_places(request, check_place, v, err);
}

/* ---- what becomes of a table ---- */

static status prepare_new(commit *e, subject *s, error *err)
{
    const ice_request *request = s->asked->request;
    table_name name = s->asked->name;
    place_visit v = {.e = e, .s = s};
    str text;

    TRY(catalog__check_name("table", name.table, err));
    TRY(ice_request_check(request, NULL, err));
    s->info = (table_info){.name = name, .uuid = STR(""), .rebase = STR_NULL};
    TRY(check_places(&v, request, err));
    TRY(catalog__place_new(e->c, name, v.table, false, e->a, &text, &s->location, err));
    TRY(ice_request_create(request, text, &s->next.next, err));
    s->info.uuid = s->next.next->uuid;
    s->info.location = s->location;
    s->is_asked = v.table.size > 0;
    s->info.created_us = clock_now_us();
    return catalog__check_paths(e->c, name.space, s->next.next->properties,
                                s->next.next->property_count, s->location, s->info.uuid, err);
}

static status prepare_change(commit *e, subject *s, error *err)
{
    const ice_request *request = s->asked->request;
    place_visit v = {.e = e, .s = s};

    TRY(ice_request_check(request, s->base, err));
    TRY(check_places(&v, request, err));
    ice_builder *b = ice_builder_create(s->base, e->a);
    TRY(ice_request_apply(request, b, err));
    TRY(ice_check_removed_specs(e->c->storage, s->base, ice_builder_now(b), err));
    s->location = s->info.location;
    if (!str_equal(ice_builder_now(b)->location, s->base->location)) {
        TRY(catalog__settle_location(e->c, ice_builder_now(b)->location, e->a, &s->location, err));
    }
    TRY(ice_builder_prepare(b, s->info.metadata_location, &s->next, err));
    if (s->next.nothing) {
        return STATUS_OK;
    }
    TRY(catalog__check_paths(e->c, s->info.name.space, s->next.next->properties,
                             s->next.next->property_count, s->location, s->info.uuid, err));
    str *own = ARENA_ARRAY(e->a, str, s->next.obsolete_count + 1);
    size_t count = catalog__keep_own(e->c, &s->info, s->next.next, s->next.obsolete,
                                     s->next.obsolete_count, e->a, own);
    for (size_t i = 0; i < count; i++) {
        vec_push(e->a, &e->obsolete, own[i]);
    }
    return STATUS_OK;
}

static status prepare(commit *e, subject *s, error *err)
{
    catalog_kind kind = CATALOG_TABLE;

    if (ice_request_creates(s->asked->request)) {
        TRY(catalog_kind_of(e->c, s->asked->name, &kind, err));
    }
    if (kind == CATALOG_VIEW) {
        return error_set(err, STATUS_EXISTS, "view \"%.*s.%.*s\" exists already",
                         STR_ARG(s->asked->name.space), STR_ARG(s->asked->name.table));
    }
    if (kind == CATALOG_NOTHING) {
        return prepare_new(e, s, err);
    }
    TRY(catalog__load_to_change(e->c, s->asked->name, e->a, &s->base, &s->info, err));
    return prepare_change(e, s, err);
}

/* ---- staging ---- */

/* A table that moves, gets a uuid, or names a further place has a record from then on, and a new one where it needs
 * one. */
static status stage_record(commit *e, subject *s, error *err)
{
    const ice_metadata *m = s->next.next;
    const catalog__row row = {.name = s->info.name,
                              .uuid = m->uuid.size > 0 ? m->uuid : s->info.uuid,
                              .location = s->location,
                              .metadata_location = s->next.location,
                              .registered = s->info.registered,
                              .rebase = STR_NULL,
                              .properties = m->properties,
                              .property_count = m->property_count,
                              .protects = &s->info.is_protected,
                              .is_asked = s->is_asked};
    bool needs = s->base == NULL
                     ? catalog__needs_record(e->c, &row)
                     : !str_equal(s->location, s->info.location) ||
                           !str_equal(row.uuid, s->info.uuid) || catalog__brings_place(s->base, m);

    return needs ? catalog__stage_name(e->c, &row, &s->record, err) : STATUS_OK;
}

static status stage_all(commit *e, error *err)
{
    store_stage_request *requests = ARENA_ARRAY(e->a, store_stage_request, e->count + 1);
    store_staged **staged = ARENA_ARRAY(e->a, store_staged *, e->count + 1);
    size_t count = 0;

    for (size_t i = 0; i < e->count; i++) {
        subject *s = &e->subjects[i];

        if (s->base == NULL) {
            TRY(ice_metadata_stage(e->c->storage, s->next.next, 0, &s->file, e->a,
                                   &s->next.location, err));
        }
        if (s->base == NULL || !s->next.nothing) {
            TRY(stage_record(e, s, err));
        }
        if (s->base != NULL && !s->next.nothing) {
            requests[count++] = (store_stage_request){.location = s->next.location,
                                                      .content_type = STR("application/json"),
                                                      .bytes = s->next.bytes,
                                                      .shares_file = true};
        }
    }
    TRY(store_stage_many(e->c->storage, requests, count, staged, err));
    for (size_t i = 0, k = 0; i < e->count; i++) {
        subject *s = &e->subjects[i];

        if (s->base != NULL && !s->next.nothing) {
            s->file = staged[k++];
        }
    }
    return FAULT(FAULT_COMMIT_METADATA, err);
}

/* ---- the transaction ---- */

static status explain_stale(commit *e, state_txn *txn, const subject *s, error *err)
{
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM tables WHERE space_key = ?1 AND table_key = ?2", &rows, err,
                    SV_TEXT(s->space_key), SV_TEXT(s->table_key)));
    TRY(state_next(rows, &found, err));
    state_finish(rows);
    e->stale = found;
    return error_set(err, found ? STATUS_CONFLICT : STATUS_NO_TABLE,
                     found ? "table \"%.*s.%.*s\" was changed by another commit"
                           : "table \"%.*s.%.*s\" does not exist",
                     STR_ARG(s->info.name.space), STR_ARG(s->info.name.table));
}

static status hold_paths(const commit *e, state_txn *txn, const subject *s, str uuid, error *err)
{
    const catalog__paths paths = {.space = s->info.name.space,
                                  .properties = s->next.next->properties,
                                  .count = s->next.next->property_count,
                                  .own = s->location,
                                  .uuid = uuid,
                                  .principal = catalog__principal(e->caller)};

    return catalog__hold_paths(e->c, txn, &paths, err);
}

/* What is still known of a dropped table goes by its uuid: its return, the removal of its files. */
static status refuse_dropped_uuid(state_txn *txn, str uuid, error *err)
{
    arena *a = state_txn_arena(txn);
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn,
                    "SELECT space, name FROM dropped WHERE uuid IN (?1, ?2, ?3) UNION ALL"
                    " SELECT space, name FROM purges WHERE uuid IN (?1, ?2, ?3)",
                    &rows, err, SV_TEXT(uuid), SV_TEXT(str_lower(a, uuid)),
                    SV_TEXT(str_upper(a, uuid))));
    TRY(state_next(rows, &found, err));
    if (found) {
        str space = state_text(rows, 0, NULL);
        str table = state_text(rows, 1, NULL);

        error_set(err, STATUS_INVALID, "uuid %.*s is that of dropped table \"%.*s.%.*s\"",
                  STR_ARG(uuid), STR_ARG(space), STR_ARG(table));
        error_hint(err, "UNDROP brings that table back; a new one has a uuid of its own.");
    }
    state_finish(rows);
    return found ? STATUS_INVALID : STATUS_OK;
}

static status insert_new(commit *e, state_txn *txn, const subject *s, error *err)
{
    const catalog__row row = {.name = s->info.name,
                              .uuid = s->info.uuid,
                              .location = s->location,
                              .metadata_location = s->next.location,
                              .rebase = STR_NULL,
                              .caller = e->caller};
    TRY(refuse_dropped_uuid(txn, row.uuid, err));
    status result = catalog__insert_table(e->c, txn, &row, err);

    if (result ==
        STATUS_EXISTS) { /* of its name: the next attempt says what the requirement does */
        catalog_kind kind = CATALOG_NOTHING;
        TRY(catalog__read_kind(txn, s->info.name, &kind, err));
        e->stale = kind != CATALOG_NOTHING;
    }
    return result == STATUS_OK ? hold_paths(e, txn, s, s->info.uuid, err) : result;
}

/* The table lies elsewhere from now on, or got the uuid that it lacked. */
static status move_place(const commit *e, state_txn *txn, const subject *s, str uuid, error *err)
{
    if (!str_equal(s->location, s->info.location)) {
        const catalog__place place = {.kind = ICE_AT_TABLE,
                                      .location = s->location,
                                      .uuid = s->info.uuid,
                                      .principal = catalog__principal(e->caller)};
        TRY(catalog__refuse_place(txn, &place, err));
        const catalog__row moved = {.name = s->info.name,
                                    .uuid = s->info.uuid,
                                    .location = s->location,
                                    .caller = e->caller};
        TRY(catalog__forget_dropped_at(txn, &moved, err));
        TRY(catalog__hold_former(txn, s->info.location, s->info.uuid, err));
        TRY(catalog__end_own_staged(e->c, txn, &place, err));
    }
    if (!str_equal(uuid, s->info.uuid)) {
        TRY(catalog__refuse_uuid(txn, uuid, err));
        TRY(refuse_dropped_uuid(txn, uuid, err));
        TRY(STATE_EXEC(txn, "UPDATE places SET uuid = ?1 WHERE uuid = ?2", NULL, err, SV_TEXT(uuid),
                       SV_TEXT(s->info.uuid)));
        TRY(catalog__end_sessions(e->c, txn, s->info.uuid, err)); /* they would not end with it */
        str record = catalog__name_location(e->c, s->info.uuid, state_txn_arena(txn));
        TRY(store_delete(e->c->storage, txn, &record, 1, err));
    }
    return str_equal(s->location, s->info.location) && str_equal(uuid, s->info.uuid)
               ? STATUS_OK
               : STATE_EXEC(txn, "UPDATE tables SET location = ?1, uuid = ?2 WHERE uuid = ?3", NULL,
                            err, SV_TEXT(s->location), SV_TEXT(uuid), SV_TEXT(s->info.uuid));
}

static status move_pointer(commit *e, state_txn *txn, const subject *s, error *err)
{
    str location = s->next.nothing ? s->info.metadata_location : s->next.location;
    int64_t moved = 0;

    TRY(STATE_EXEC(txn,
                   "UPDATE tables SET metadata_location = ?1, updated_us = ?2"
                   " WHERE space_key = ?3 AND table_key = ?4 AND metadata_location = ?5",
                   &moved, err, SV_TEXT(location),
                   SV_INT(s->next.nothing ? s->info.updated_us : clock_now_us()),
                   SV_TEXT(s->space_key), SV_TEXT(s->table_key),
                   SV_TEXT(s->info.metadata_location)));
    if (moved == 0) {
        return explain_stale(e, txn, s, err);
    }
    if (s->next.nothing) {
        return STATUS_OK;
    }
    str uuid = s->next.next->uuid.size > 0 ? s->next.next->uuid : s->info.uuid;
    TRY(move_place(e, txn, s, uuid, err));
    return hold_paths(e, txn, s, uuid, err);
}

static status note(const commit *e, state_txn *txn, const subject *s, error *err)
{
    const ice_metadata *m = s->next.next;
    catalog_event event = {.kind = s->base == NULL ? EVENT_TABLE_CREATED : EVENT_TABLE_COMMITTED,
                           .name = s->info.name,
                           .uuid = m->uuid,
                           .metadata_location = s->next.location,
                           .snapshot_id = m->current_snapshot_id};

    catalog__describe_commit(s->base, s->next.next, state_txn_arena(txn), &event);
    return catalog__note(txn, e->caller, &event, err);
}

static status publish(commit *e, state_txn *txn, error *err)
{
    VEC(store_staged *) all = {0};

    for (size_t i = 0; i < e->count; i++) {
        subject *s = &e->subjects[i];

        if (s->file != NULL) {
            vec_push(e->a, &all, s->file);
        }
        if (s->record != NULL) {
            vec_push(e->a, &all, s->record);
        }
    }
    e->published = true;
    TRY(store_publish(e->c->storage, txn, all.items, all.count, err));
    return e->obsolete.count == 0
               ? STATUS_OK
               : store_delete(e->c->storage, txn, e->obsolete.items, e->obsolete.count, err);
}

static status apply(void *context, state_txn *txn, error *err)
{
    commit *e = context;

    for (size_t i = 0; i < e->count; i++) {
        const subject *s = &e->subjects[i];

        if (!s->next.nothing) {
            catalog__document_changes(e->c, txn, s->space_key, s->table_key, s->document);
        }
        TRY(s->base == NULL ? insert_new(e, txn, s, err) : move_pointer(e, txn, s, err));
        if (!s->next.nothing) {
            TRY(note(e, txn, s, err));
        }
    }
    return publish(e, txn, err);
}

/* ---- attempts ---- */

static void tell_caches(commit *e)
{
    for (size_t i = 0; i < e->count; i++) {
        subject *s = &e->subjects[i];

        if (!s->next.nothing) {
            e->c->commits++;
            catalog__write_hint(e->c, s->next.location);
            catalog__cache_put(e->c, s->key, s->next.location, s->next.next);
        }
    }
}

static void prepare_documents(commit *e)
{
    for (size_t i = 0; i < e->count; i++) {
        subject *s = &e->subjects[i];

        if (s->base != NULL && !s->next.nothing && str_equal(s->location, s->info.location)) {
            s->document = catalog__document_prepare(e->c, s->key, s->info.metadata_location,
                                                    s->next.location, s->next.next);
        }
    }
}

static status try_once(commit *e, error *err)
{
    status result = STATUS_OK;

    for (size_t i = 0; i < e->count && result == STATUS_OK; i++) {
        result = prepare(e, &e->subjects[i], err);
    }
    if (result == STATUS_OK) {
        result = stage_all(e, err);
    }
    if (result == STATUS_OK) {
        prepare_documents(e);
        result = state_submit(e->c->state, apply, e, err);
    }
    for (size_t i = 0; i < e->count && !e->published; i++) {
        store_discard(e->c->storage, e->subjects[i].file);
        store_discard(e->c->storage, e->subjects[i].record);
    }
    if (result == STATUS_OK) {
        tell_caches(e);
    } else if (e->stale) {
        e->c->conflicts++;
    }
    return result;
}

static void give_back(commit *e)
{
    for (size_t i = 0; i < e->count; i++) {
        ice_metadata_unref(e->subjects[i].base);
        ice_metadata_unref(e->subjects[i].next.next);
        catalog_document_unref(e->subjects[i].document);
    }
    arena_free(e->a);
}

static void fill_loaded(const subject *s, arena *a, catalog_loaded *ret_loaded)
{
    const ice_metadata *m = s->next.nothing ? s->base : s->next.next;
    const table_info *info = &s->info;
    str file = s->next.nothing ? info->metadata_location : s->next.location;

    *ret_loaded = (catalog_loaded){
        .metadata = ice_metadata_ref(m),
        .info = {.name = {.space = str_copy(a, info->name.space),
                          .table = str_copy(a, info->name.table)},
                 .uuid = str_copy(a, m->uuid.size > 0 ? m->uuid : info->uuid),
                 .metadata_location = str_copy(a, file),
                 .location = str_copy(a, s->location),
                 .created_us = info->created_us,
                 .updated_us = s->next.nothing ? info->updated_us : clock_now_us(),
                 .registered = info->registered,
                 .rebase = STR_NULL},
        .text = !s->next.nothing && str_starts_with(s->next.bytes, STR("{"))
                    ? str_copy(a, s->next.bytes)
                    : STR_NULL,
    };
}

/* `ret_loaded` may be NULL; else it is that of the first. */
static status commit_all(catalog *c, const catalog_table_request *many, size_t count,
                         const str *keys, arena *a, catalog_loaded *ret_loaded, error *err)
{
    catalog__patience patience = {0};
    bool again = true;
    status result = FAULT(FAULT_COMMIT_DATA, err);

    while (again && result == STATUS_OK) {
        commit e = {.c = c, .a = arena_create(), .count = count, .caller = catalog_get_caller()};

        e.subjects = ARENA_ARRAY(e.a, subject, count);
        for (size_t i = 0; i < count; i++) {
            e.subjects[i] = (subject){.asked = &many[i],
                                      .key = catalog__table_key(e.a, many[i].name),
                                      .space_key = catalog__fold(e.a, many[i].name.space),
                                      .table_key = catalog__fold(e.a, many[i].name.table)};
        }
        catalog__take_turns(c, keys, count);
        result = try_once(&e, err);
        catalog__leave_turns(c, keys, count);
        if (result == STATUS_OK && ret_loaded != NULL) {
            fill_loaded(&e.subjects[0], a, ret_loaded);
        }
        give_back(&e);
        again = result != STATUS_OK && e.stale && !e.published && catalog__try_again(&patience);
        result = again ? STATUS_OK : result;
    }
    TRY(result);
    if (err != NULL) {
        error_clear(err); /* of the attempts before */
    }
    return STATUS_OK;
}

status catalog_commit_request(catalog *c, const catalog_table_request *one, arena *a,
                              catalog_loaded *ret_loaded, error *err)
{
    str key = catalog__table_key(a, one->name);

    TRY(catalog__refuse_in_txn(c, "a request of a REST client", err));
    TRY(commit_all(c, one, 1, &key, a, ret_loaded, err));
    status told = FAULT(FAULT_COMMIT_DONE, err);
    if (told != STATUS_OK) {
        ice_metadata_unref(ret_loaded->metadata);
    }
    return told;
}

static int by_key(const void *x, const void *y)
{
    return str_compare(*(const str *)x, *(const str *)y);
}

status catalog_commit_requests(catalog *c, const catalog_table_request *many, size_t count,
                               error *err)
{
    arena *a = arena_create();
    str *keys = ARENA_ARRAY(a, str, count + 1);
    status result = catalog__refuse_in_txn(c, "a request of a REST client", err);

    for (size_t i = 0; i < count; i++) {
        keys[i] = catalog__table_key(a, many[i].name);
    }
    if (count > 1) {
        qsort(keys, count, sizeof(*keys), by_key);
    }
    for (size_t i = 1; i < count && result == STATUS_OK; i++) {
        if (str_equal(keys[i], keys[i - 1])) {
            result = error_set(err, STATUS_INVALID, "a table is named twice in one transaction");
        }
    }
    if (result == STATUS_OK && count > 0) {
        result = commit_all(c, many, count, keys, a, NULL, err);
    }
    arena_free(a);
    return result == STATUS_OK ? FAULT(FAULT_TXN_DONE, err) : result;
}

/* ---- creating ---- */

status catalog__place_new(catalog *c, table_name name, str asked, bool is_view, arena *a,
                          str *ret_text, str *ret_settled, error *err)
{
    const catalog__place place = {
        .kind = ICE_AT_TABLE, .location = asked, .uuid = STR(""), .is_view = is_view};
    status result = STATUS_OK;
    error refusal = ERROR_INIT;
    str settled;

    if (asked.size > 0) {
        result = catalog__check_owner(c, &place, STR(""), a, &settled, &refusal);
        if (result == STATUS_OK) {
            result = catalog__check_place(c, name.space, settled, &refusal);
        }
        if (result == STATUS_OK && !is_view) { /* nobody gets keys for a view's files */
            result = catalog__refuse_filled(c, settled, a, &refusal);
        }
        if (result == STATUS_OK) {
            while (asked.size > 1 && str_ends_with(asked, STR("/"))) {
                asked.size--;
            }
            *ret_text = asked;
            *ret_settled = settled;
            return STATUS_OK;
        }
        if (!c->own_locations || (result != STATUS_DENIED && result != STATUS_INVALID)) {
            if (err != NULL) {
                *err = refusal;
            }
            return result;
        }
    }
    TRY(catalog_plan_location(c, name, STR_NULL, a, ret_text, err));
    *ret_settled = *ret_text;
    return STATUS_OK;
}

status catalog__refuse_name(catalog *c, table_name name, error *err)
{
    catalog_kind kind = CATALOG_NOTHING;
    bool exists = false;

    TRY(catalog_kind_of(c, name, &kind, err));
    if (kind != CATALOG_NOTHING) {
        return error_set(err, STATUS_EXISTS, "%s \"%.*s.%.*s\" exists already",
                         kind == CATALOG_TABLE ? "table" : "view", STR_ARG(name.space),
                         STR_ARG(name.table));
    }
    TRY(catalog__namespace_exists(c, name.space, &exists, err));
    return exists ? STATUS_OK : catalog__no_namespace(c, name.space, err);
}

status catalog_create_by_request(catalog *c, str space, const ice_create_request *request, arena *a,
                                 catalog_loaded *ret_loaded, error *err)
{
    catalog__made made = {.name = {.space = space, .table = request->name},
                          .is_asked = request->location.size > 0};
    str metadata_location = STR_NULL;
    str text;

    TRY(catalog__refuse_in_txn(c, "a request of a REST client", err));
    TRY(catalog__check_name("table", request->name, err));
    TRY(catalog__refuse_name(c, made.name, err));
    TRY(catalog__place_new(c, made.name, request->location, false, a, &text, &made.location, err));
    TRY(ice_create_request_build(request, text, &made.metadata, err));
    status result = request->stage ? catalog__check_paths(c, space, made.metadata->properties,
                                                          made.metadata->property_count,
                                                          made.location, made.metadata->uuid, err)
                                   : catalog__create_made(c, &made, a, &metadata_location, err);
    if (result != STATUS_OK) {
        ice_metadata_unref(made.metadata);
        return result;
    }
    *ret_loaded = (catalog_loaded){.metadata = made.metadata,
                                   .info = {.name = made.name,
                                            .uuid = str_copy(a, made.metadata->uuid),
                                            .metadata_location = metadata_location,
                                            .location = made.location,
                                            .created_us = clock_now_us(),
                                            .updated_us = clock_now_us(),
                                            .rebase = STR_NULL}};
    return STATUS_OK;
}

/* The end of what killed commits left in plain folders. The built-in store compares blobs with rows; files of a `file:`
 * table or view have no rows, so they are compared with everything that the tables of the catalog lead to; of a view
 * one metadata file is current, and nothing else is its.
 *
 * Only a process that was killed leaves such files, so what this one made is never looked at, and once everything that
 * is older has been judged there is nothing more to do until the next start.
 *
 * Nothing is removed where anything could not be read: a list of what is needed that lacks something would take the
 * wrong files away. No commit refers to files older than its process, so what nothing refers to stays so; registering
 * a table is the exception, and the removing transaction looks whether that happened. */
#include "internal.h"

#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"
#include "tarn/base/mem.h"
#include "tarn/base/vec.h"

#define FIRST_WAIT_MS (INT64_C(60) * 1000)
#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define READ_ATTEMPTS 8
#define REMOVE_CHUNK 500
/* Times of files are those of the kernel's last tick: one made just after the start may seem older. */
#define TICK_US (INT64_C(50) * 1000)

/* ---- a set of locations, by their hashes: two that share one keep a file that could go ---- */

typedef struct hash_set {
    uint64_t *slots; /* 0: empty */
    size_t size, count;
} hash_set;

static uint64_t *slot_of(const hash_set *set, uint64_t hash)
{
    size_t at = (size_t)hash & (set->size - 1);

    while (set->slots[at] != 0 && set->slots[at] != hash) {
        at = (at + 1) & (set->size - 1);
    }
    return &set->slots[at];
}

static uint64_t hash_of(str text)
{
    uint64_t hash = str_hash(text);
    return hash != 0 ? hash : 1;
}

static bool set_has(const hash_set *set, str text)
{
    return set->size > 0 && *slot_of(set, hash_of(text)) != 0;
}

static void set_add(hash_set *set, str text)
{
    if (2 * (set->count + 1) > set->size) {
        hash_set larger = {.size = set->size > 0 ? 2 * set->size : 1024, .count = set->count};
        larger.slots = NEW_ARRAY(uint64_t, larger.size);
        for (size_t i = 0; i < set->size; i++) {
            if (set->slots[i] != 0) {
                *slot_of(&larger, set->slots[i]) = set->slots[i];
            }
        }
        mem_free(set->slots);
        *set = larger;
    }
    uint64_t *slot = slot_of(set, hash_of(text));
    set->count += *slot == 0;
    *slot = hash_of(text);
}

/* ---- what the tables need ---- */

typedef struct sweep {
    catalog *c;
    arena *a;
    VEC(table_info) tables;
    VEC(view_info) views; /* made here, in plain folders */
    map *read;            /* uuid of every table whose files are in `needed` */
    hash_set needed;      /* canonical paths of local files */
    hash_set seen;        /* locations as they are written, of files that are there */
    catalog__sweep_limits limits;
    bool again;
    int64_t skipped_tables, removed_files, removed_bytes;
} sweep;

static status note_tables(void *context, state_txn *txn, error *err)
{
    sweep *s = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(state_query(txn,
                    "SELECT space, name, uuid, location, metadata_location, registered, rebase"
                    " FROM tables",
                    NULL, 0, &rows, err));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            return STATUS_OK;
        }
        const table_info table = {
            .name = {.space = state_text(rows, 0, s->a), .table = state_text(rows, 1, s->a)},
            .uuid = state_text(rows, 2, s->a),
            .location = state_text(rows, 3, s->a),
            .metadata_location = state_text(rows, 4, s->a),
            .registered = state_int(rows, 5) != 0,
            .rebase = state_text(rows, 6, s->a)};
        vec_push(s->a, &s->tables, table);
    }
}

static status note_views(void *context, state_txn *txn, error *err)
{
    sweep *s = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(state_query(txn, "SELECT " CATALOG__VIEW_COLUMNS " FROM views WHERE registered = 0", NULL,
                    0, &rows, err));
    for (;;) {
        view_info view;

        TRY(state_next(rows, &more, err));
        if (!more) {
            return STATUS_OK;
        }
        if (store_is_local(state_text(rows, 4, NULL))) {
            catalog__read_view_row(rows, s->a, &view);
            vec_push(s->a, &s->views, view);
        }
    }
}

static bool is_swept(const table_info *table)
{
    return !table->registered && store_is_local(table->location);
}

static status check_open(const catalog *c, error *err)
{
    return c->closing ? error_set(err, STATUS_CANCELLED, "the catalog closes") : STATUS_OK;
}

/* A file outside the roots is none of those that are judged; but a path that leads through ".." may lead back. A file
 * that a snapshot needs and that is not there was misread, or went with its snapshot: the table is read again. */
static status note_path(sweep *s, str location, bool live, arena *a, error *err)
{
    error outside = ERROR_INIT;
    char *path = NULL;

    if (store_local_path(s->c->storage, location, a, &path, &outside) != STATUS_OK) {
        return str_find(location, STR("/.")) == STR_NPOS
                   ? STATUS_OK
                   : error_set(err, STATUS_INVALID, "%s", outside.message);
    }
    set_add(&s->needed, str_c(path));
    if (fs_exists(path)) {
        set_add(&s->seen, location);
    } else if (live) {
        return error_set(err, STATUS_NOT_FOUND, "file \"%.*s\" does not exist", STR_ARG(location));
    }
    return STATUS_OK;
}

static status note_needed(void *context, str location, bool live, error *err)
{
    sweep *s = context;

    TRY(check_open(s->c, err));
    if (!store_is_local(location) || set_has(&s->seen, location)) {
        return STATUS_OK;
    }
    arena *a = arena_create();
    status result = note_path(s, location, live, a, err);
    arena_free(a);
    return result;
}

typedef struct pointer_query {
    str uuid;
    arena *a;
    str metadata_location; /* STR_NULL: the table is gone */
} pointer_query;

static status read_pointer(void *context, state_txn *txn, error *err)
{
    pointer_query *q = context;
    state_rows *rows = NULL;
    bool found = false;

    TRY(STATE_QUERY(txn, "SELECT metadata_location FROM tables WHERE uuid = ?1", &rows, err,
                    SV_TEXT(q->uuid)));
    TRY(state_next(rows, &found, err));
    q->metadata_location = found ? state_text(rows, 0, q->a) : STR_NULL;
    return STATUS_OK;
}

/* Files may go while they are read: where the table has moved on, it is read again. */
static status read_table(sweep *s, const table_info *table, error *err)
{
    pointer_query q = {
        .uuid = table->uuid, .a = s->a, .metadata_location = table->metadata_location};
    catalog__reach all = {.c = s->c, .rebase = table->rebase, .visit = note_needed, .context = s};
    status result = STATUS_OK;

    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        str before = all.metadata_location = q.metadata_location;
        result = note_needed(s, before, false, err);
        if (result == STATUS_OK) {
            result = catalog__reach_all(&all, err);
        }
        if (result != STATUS_NOT_FOUND) {
            break;
        }
        TRY(state_read(s->c->state, read_pointer, &q, err));
        if (str_is_null(q.metadata_location)) {
            return STATUS_OK; /* dropped: what it leads to is the purge's */
        }
        if (str_equal(q.metadata_location, before)) {
            break;
        }
    }
    map_set(s->read, table->uuid, s);
    if (result != STATUS_OK && result != STATUS_CANCELLED) {
        error_context(err, "table \"%.*s.%.*s\"", STR_ARG(table->name.space),
                      STR_ARG(table->name.table));
    }
    return result;
}

/* ---- removing ---- */

typedef struct removal {
    sweep *s;
    str *locations;
    size_t count;
    int64_t bytes;
    bool of_view;
} removal;

/* A view may have been registered with one of the files meanwhile. */
static status refuse_current(const removal *r, state_txn *txn, error *err)
{
    arena *a = state_txn_arena(txn);
    map *locations = map_create(a);
    state_rows *rows = NULL;
    bool more = false;

    for (size_t i = 0; i < r->count; i++) {
        map_set(locations, r->locations[i], locations);
    }
    TRY(state_query(txn, "SELECT metadata_location FROM views", NULL, 0, &rows, err));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            state_finish(rows);
            return STATUS_OK;
        }
        if (map_has(locations, state_text(rows, 0, NULL))) {
            return error_set(err, STATUS_CONFLICT, "a view was registered meanwhile");
        }
    }
}

static status remove_files(void *context, state_txn *txn, error *err)
{
    const removal *r = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(state_query(txn, "SELECT uuid FROM tables WHERE registered <> 0", NULL, 0, &rows, err));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        if (!map_has(r->s->read, state_text(rows, 0, NULL))) {
            return error_set(err, STATUS_CONFLICT, "a table was registered meanwhile");
        }
    }
    if (r->of_view) {
        TRY(refuse_current(r, txn, err));
    }
    return store_delete(r->s->c->storage, txn, r->locations, r->count, err);
}

/* Takes what nothing refers to. */
static status remove_unneeded(sweep *s, const catalog__leftovers *found, int keep_below,
                              bool of_view, arena *a, error *err)
{
    removal r = {.s = s, .locations = ARENA_ARRAY(a, str, REMOVE_CHUNK), .of_view = of_view};

    for (size_t i = 0; i < found->count; i++) {
        const catalog__leftover *file = &found->items[i];
        int version = ice_metadata_location_version(file->location);
        char *path = NULL;

        TRY(check_open(s->c, err));
        TRY(store_local_path(s->c->storage, file->location, a, &path, err));
        if (!set_has(&s->needed, str_c(path)) &&
            !(str_ends_with(file->location, STR(".metadata.json")) && version < keep_below)) {
            r.locations[r.count++] = file->location;
            r.bytes += file->size_bytes;
            log_event(LOG_INFO, "file of an unfinished commit removed",
                      LOG_STR("location", file->location), LOG_INT("bytes", file->size_bytes));
        }
        if (r.count == REMOVE_CHUNK || (i + 1 == found->count && r.count > 0)) {
            TRY(state_submit(s->c->state, remove_files, &r, err));
            s->removed_files += (int64_t)r.count;
            s->removed_bytes += r.bytes;
            r.count = 0;
            r.bytes = 0;
        }
    }
    return STATUS_OK;
}

static status sweep_table(sweep *s, const table_info *table, error *err)
{
    int keep_below = 0;
    str after = STR_NULL;
    error reason = ERROR_INIT;

    if (catalog__check_history(s->c, table, &keep_below, &reason) != STATUS_OK) {
        if (reason.kind != STATUS_NO_TABLE && reason.kind != STATUS_NO_NAMESPACE) {
            log_failure("folder not searched for files of unfinished commits", &reason);
            s->again = true;
            s->skipped_tables++;
        }
        return STATUS_OK;
    }
    do {
        arena *a = arena_create();
        catalog__leftovers found = {0};
        status result =
            catalog__find_leftovers(s->c, table->location, &s->limits, &after, a, &found, err);
        s->again = s->again || found.too_young;
        if (result == STATUS_OK) {
            result = remove_unneeded(s, &found, keep_below, false, a, err);
        }
        after = str_copy(s->a, after);
        arena_free(a);
        TRY(result);
    } while (!str_is_null(after));
    return STATUS_OK;
}

/* What may be left of all of them. */
static status find_of_views(sweep *s, catalog__leftovers *ret_found, error *err)
{
    VEC(catalog__leftover) all = {0};

    for (size_t i = 0; i < s->views.count; i++) {
        const view_info *view = &s->views.items[i];
        catalog__sweep_limits limits = s->limits;
        catalog__leftovers found = {0};
        error reason = ERROR_INIT;

        TRY(check_open(s->c, err));
        limits.since_us = view->created_us;
        status result = catalog__find_view_leftovers(s->c, view, &limits, s->a, &found, &reason);
        s->again = s->again || found.too_young;
        if (result != STATUS_OK && result != STATUS_NO_VIEW && result != STATUS_NO_NAMESPACE) {
            log_failure("folder not searched for files of unfinished changes of views", &reason);
            s->again = true;
            s->skipped_tables++;
        }
        for (size_t k = 0; result == STATUS_OK && k < found.count; k++) {
            vec_push(s->a, &all, found.items[k]);
        }
    }
    *ret_found = (catalog__leftovers){.items = all.items, .count = all.count};
    return STATUS_OK;
}

static status sweep_all(sweep *s, error *err)
{
    catalog__leftovers of_views = {0};
    bool any;

    TRY(state_read(s->c->state, note_views, s, err));
    TRY(find_of_views(s, &of_views, err));
    TRY(state_read(s->c->state, note_tables, s, err));
    any = of_views.count > 0;
    for (size_t i = 0; i < s->tables.count; i++) {
        any = any || is_swept(&s->tables.items[i]);
    }
    for (size_t i = 0; any && i < s->tables.count; i++) {
        TRY(read_table(s, &s->tables.items[i], err));
    }
    for (size_t i = 0; i < s->tables.count; i++) {
        if (is_swept(&s->tables.items[i])) {
            TRY(sweep_table(s, &s->tables.items[i], err));
        }
    }
    return remove_unneeded(s, &of_views, 0, true, s->a, err);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* One pass, now. `*ret_again`: something was too young or could not be judged. */
static status sweep_once(catalog *c, bool *ret_again, error *err)
{
    int64_t begun_us = clock_now_us();
    int64_t old_us = begun_us - c->orphan_age_ms * 1000;
    sweep s = {.c = c, .a = arena_create()};

    s.read = map_create(s.a);
    s.limits.started_us = c->opened_us - TICK_US;
    s.limits.before_us = smaller(old_us, s.limits.started_us);
    status result = sweep_all(&s, err);
    c->sweeps_failed += s.skipped_tables > 0;
    c->swept_files += s.removed_files;
    c->swept_bytes += s.removed_bytes;
    if (s.removed_files > 0) {
        log_event(LOG_INFO, "files of unfinished commits removed",
                  LOG_INT("files", s.removed_files), LOG_INT("bytes", s.removed_bytes),
                  LOG_INT("ms", (clock_now_us() - begun_us) / 1000));
    }
    *ret_again = s.again || result != STATUS_OK;
    mem_free(s.needed.slots);
    mem_free(s.seen.slots);
    arena_free(s.a);
    return result;
}

/* ---- the thread ---- */

/* False where the catalog closes. */
static bool wait_for(catalog *c, int64_t wait_ms)
{
    int64_t deadline_ns = clock_mono_ns() + wait_ms * 1000000;

    mutex_lock(&c->lock);
    while (!c->closing && cond_wait_until(&c->sweeper_wake, &c->lock, deadline_ns)) {}
    bool open = !c->closing;
    mutex_unlock(&c->lock);
    return open;
}

static void run(void *context)
{
    catalog *c = context;
    int64_t wait_ms = smaller(c->orphan_age_ms, FIRST_WAIT_MS);
    bool again = true;

    while (again && wait_for(c, wait_ms)) {
        error err = ERROR_INIT;
        status result = sweep_once(c, &again, &err);
        if (result != STATUS_OK && result != STATUS_CANCELLED) {
            c->sweeps_failed++;
            log_failure("files of unfinished commits not removed", &err);
        }
        c->sweeps += result != STATUS_CANCELLED;
        wait_ms = smaller(c->orphan_age_ms, DAY_MS);
    }
}

status catalog__sweeper_start(catalog *c, error *err)
{
    return c->orphan_age_ms > 0 ? thread_start(&c->sweeper, "sweeper", run, c, err) : STATUS_OK;
}

void catalog__sweeper_stop(catalog *c)
{
    mutex_lock(&c->lock);
    c->closing = true;
    cond_broadcast(&c->sweeper_wake);
    mutex_unlock(&c->lock);
    thread_join(&c->sweeper);
}

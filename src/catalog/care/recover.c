/* A lost database rebuilt from objects: what the files of tables and views say, and records where those say nothing
 * (recover_records.c, record.c).
 *
 * Who may write a table may put any metadata file into its places, with the uuid, the name or the location of
 * another table. So a file counts only for the table whose place it lies in, and what it says does not decide which
 * one that is:
 *   1. RECORDED: the record of its uuid says that the folder is a place of that table. The name, where it lies, its
 *      further places and flags are the record's.
 *   2. CHOSEN: no record speaks of its uuid, and it lies at the location that the catalog chose for that uuid, which no
 *      record says to be another's. The location tells the name.
 *   3. FOUND: nobody's folder. It comes back after all others, if it lies where it says, in no other's place, and no
 *      table of its uuid is RECORDED or CHOSEN.
 * A file in a place of another table is not looked at further. What metadata alone says of further places (paths of its
 * properties, the folders of its history) comes last, and takes none that a record or a table has. */
#include <stdlib.h>

#include "care/recover.h"

#include "tarn/base/log.h"
#include "tarn/iceberg/view.h"

typedef VEC(ice_property) place_vec;

typedef enum grade { FOREIGN, FOUND, CHOSEN, RECORDED } grade;

typedef struct found_table {
    grade grade;
    recover_file file;
    str uuid, location; /* as the row is to have them */
    str said;           /* location, as the metadata says it, settled */
    table_name name;
    bool named;
    bool is_view;
    bool is_restored;
    place_vec paths;              /* properties write.*.path */
    place_vec former;             /* as if they were such: folders where it may have lain before */
    const recover_record *record; /* NULL: its location names it */
} found_table;

/* ---- what a file says ---- */

static bool is_noted(const place_vec *places, str folder)
{
    for (size_t i = 0; i < places->count; i++) {
        if (catalog__lies_in(folder, places->items[i].value)) {
            return true;
        }
    }
    return false;
}

/* "a/metadata/1.json" was of a table at "a", "b/1.json" of one that was told to keep its metadata in "b". */
static void note_former(recovery *r, found_table *t, str file)
{
    size_t slash = str_find_last_char(file, '/');
    str folder = slash != STR_NPOS ? str_slice(file, 0, slash) : STR_NULL;

    if (str_ends_with(folder, STR("/metadata"))) {
        folder = str_slice(folder, 0, folder.size - STR("/metadata").size);
    }
    if (folder.size > 0 && !catalog__lies_in(folder, t->said) && !is_noted(&t->paths, folder) &&
        !is_noted(&t->former, folder)) {
        const ice_property place = {.key = STR("write.metadata.path"),
                                    .value = str_copy(r->a, folder)};
        vec_push(r->a, &t->former, place);
    }
}

static void note_places(recovery *r, found_table *t, const ice_metadata *m)
{
    for (size_t i = 0; i < m->property_count; i++) {
        if (str_starts_with(m->properties[i].key, STR("write.")) &&
            str_ends_with(m->properties[i].key, STR(".path"))) {
            const ice_property path = {.key = str_copy(r->a, m->properties[i].key),
                                       .value = str_copy(r->a, m->properties[i].value)};
            vec_push(r->a, &t->paths, path);
        }
    }
    for (size_t i = 0; i < m->metadata_log_count; i++) {
        note_former(r, t, m->metadata_log[i].metadata_file);
    }
    for (size_t i = 0; i < m->snapshot_count; i++) {
        if (!str_is_null(m->snapshots[i].manifest_list)) {
            note_former(r, t, m->snapshots[i].manifest_list);
        }
    }
}

/* What the metadata file says of itself: that of a table, or of a view. */
static status read_identity(recovery *r, found_table *t, str bytes, error *err)
{
    ice_metadata *m = NULL;
    ice_view *v = NULL;
    status result = ice_metadata_parse(bytes, &m, err);

    if (result == STATUS_OK) {
        t->uuid = str_copy(r->a, m->uuid);
        t->said = str_copy(r->a, m->location);
    } else if (ice_view_parse(bytes, &v, NULL) == STATUS_OK) {
        error_clear(err);
        result = STATUS_OK;
        t->is_view = true;
        t->uuid = str_copy(r->a, v->uuid);
        t->said = str_copy(r->a, v->location);
    }
    if (result == STATUS_OK) {
        str settled;
        if (catalog__settle_location(r->c, t->said, r->a, &settled, NULL) == STATUS_OK) {
            t->said = settled;
        }
    }
    if (m != NULL) {
        note_places(r, t, m);
    }
    ice_metadata_unref(m);
    ice_view_unref(v);
    return result;
}

static status read_file(recovery *r, found_table *t, error *err)
{
    arena *a = arena_child(r->a);
    str bytes;
    status result =
        store_read_all(r->c->storage, t->file.location, LIMIT_METADATA_FILE, a, &bytes, err);

    if (result == STATUS_OK) {
        result = read_identity(r, t, bytes, err);
    }
    arena_free(a);
    return result;
}

/* ---- whose it is ---- */

/* The records of all that have a place there: `folder`, or what it lies in. */
static recover_owners owners_of(const recovery *r, str folder)
{
    recover_owners all = {0};

    for (size_t end = folder.size; end > 0; end--) {
        if (end < folder.size && folder.data[end] != '/') {
            continue;
        }
        const recover_owners *here = map_get(r->places, str_slice(folder, 0, end));
        for (size_t i = 0; here != NULL && i < here->count; i++) {
            vec_push(r->a, &all, here->items[i]);
        }
    }
    return all;
}

/* The catalog's own choice for the uuid, or for any (STR_NULL), around the folder. */
static bool find_chosen(const recovery *r, str folder, str uuid, str *ret_location,
                        table_name *ret_name)
{
    warehouse_info in;
    size_t slashes = 0;

    if (!catalog__warehouse_at(r->c, folder, r->a, &in)) {
        return false;
    }
    for (size_t end = in.location.size; end <= folder.size; end++) {
        if (end < folder.size && folder.data[end] != '/') {
            continue;
        }
        if (++slashes == 3) { /* behind the warehouse, the namespace and the table */
            *ret_location = str_slice(folder, 0, end);
            return str_is_null(uuid)
                       ? catalog__names_of_location(r->c, *ret_location, r->a, ret_name)
                       : catalog__is_chosen(r->c, *ret_location, uuid, r->a, ret_name);
        }
    }
    return false;
}

static void take_record(found_table *t, const recover_record *record)
{
    t->grade = RECORDED;
    t->record = record;
    t->named = true;
    t->name = record->name;
    t->location = record->location;
    t->uuid = record->uuid;
    t->is_view = t->is_view || record->is_view;
}

static bool is_own(const recover_record *record, str folder)
{
    for (size_t i = 0; i < record->place_count; i++) {
        if (catalog__lies_in(folder, record->places[i])) {
            return true;
        }
    }
    return catalog__lies_in(folder, record->location);
}

static bool is_anothers(const recover_owners *owners, const recover_record *own)
{
    for (size_t i = 0; i < owners->count; i++) {
        if (owners->items[i] != own &&
            !owners->items[i]->is_view) { /* nobody gets keys for the places of views */
            return true;
        }
    }
    return false;
}

/* What lies where it says. */
static bool is_at_home(const found_table *t, str folder)
{
    str below = folder.size > t->said.size ? str_slice(folder, t->said.size, folder.size) : STR("");

    return str_starts_with(folder, t->said) && str_equal(below, STR("/metadata"));
}

static void judge(const recovery *r, found_table *t, str folder, const recover_owners *owners)
{
    const recover_record *record = map_get(r->names, t->uuid);

    if (record == NULL && t->uuid.size == 0 && owners->count == 1) {
        record = owners->items[0]; /* of format version 1: its record knows the uuid of its row */
    }
    if (record != NULL && is_own(record, folder) &&
        (!record->is_guessed || is_at_home(t, folder))) {
        take_record(t, record);
        return;
    }
    t->location = t->said;
    if (is_anothers(owners, record) || (record != NULL && !record->is_guessed)) {
        t->grade = FOREIGN;
        return;
    }
    str location;
    if (find_chosen(r, folder, t->uuid, &location, &t->name) && str_equal(location, t->said)) {
        t->grade = CHOSEN;
        t->named = true;
    } else {
        t->grade = is_at_home(t, folder) || is_noted(&t->paths, folder) ? FOUND : FOREIGN;
        t->named = catalog__names_of_location(r->c, t->said, r->a, &t->name);
    }
    if (record != NULL) { /* of an earlier tarn: it does not say where the table lies */
        t->record = record;
        t->named = true;
        t->name = record->name;
    }
}

/* ---- choosing ---- */

/* Of what is the same table's: what counts for more, then what lies where the table does (a table that moved left its
 * earlier metadata behind), then the later. */
static bool is_better(const found_table *t, const found_table *than)
{
    bool is_there = str_equal(t->said, t->location);

    if (t->grade != than->grade) {
        return t->grade > than->grade;
    }
    if (is_there != str_equal(than->said, than->location)) {
        return is_there;
    }
    return recover_is_later(&t->file, &than->file);
}

static void log_lost(const found_table *t, error *err)
{
    error_context(err, "table at \"%.*s\"", STR_ARG(t->file.location));
    log_failure("table not recovered", err);
}

static void choose(const recovery *r, found_table *t)
{
    str key = t->uuid.size > 0 ? t->uuid : t->file.location;
    const found_table *other = map_get(r->chosen, key);

    if (other == NULL || is_better(t, other)) {
        (void)map_set(r->chosen, key, t);
    }
}

static int by_age(const void *x, const void *y)
{
    return recover_is_later(x, y) ? -1 : recover_is_later(y, x) ? 1 : 0;
}

/* The latest file of each table that has a place there. Others are looked for behind files that are not theirs. */
static void look_into(recovery *r, str path, recover_folder *folder)
{
    const recover_owners owners = owners_of(r, path);
    size_t wanted = owners.count > 0 ? owners.count : 1;
    map *seen = map_create(r->a);
    str location;
    table_name name;
    bool may_hold_more = owners.count > 0 || find_chosen(r, path, STR_NULL, &location, &name);
    bool is_usual = str_ends_with(path, STR("/metadata"));

    qsort(folder->files.items, folder->files.count, sizeof(*folder->files.items), by_age);
    for (size_t i = 0; i < folder->files.count && (i == 0 || may_hold_more); i++) {
        error err = ERROR_INIT;
        found_table *t = ARENA_NEW(r->a, found_table);

        t->file = folder->files.items[i];
        if (read_file(r, t, &err) != STATUS_OK) {
            if (is_usual) { /* else it is some file of that name */
                log_lost(t, &err);
            }
            return; /* an older state is not the table's */
        }
        judge(r, t, path, &owners);
        if (t->grade == FOREIGN) {
            log_event(LOG_WARN, "file in another table's place not recovered",
                      LOG_STR("file", t->file.location));
        } else if (map_set(seen, t->uuid, t) == NULL) {
            choose(r, t);
        }
        if (t->grade >= CHOSEN && map_count(seen) >= wanted) {
            return;
        }
    }
}

/* A table that is only read: the record tells its very file. */
static void add_rebased(recovery *r, const recover_record *record)
{
    error err = ERROR_INIT;
    found_table *t = ARENA_NEW(r->a, found_table);

    t->file = (recover_file){.location = record->metadata_location};
    if (read_file(r, t, &err) != STATUS_OK) {
        log_lost(t, &err);
        return;
    }
    take_record(t, record);
    t->paths = t->former = (place_vec){0};
    choose(r, t);
}

static void choose_all(recovery *r)
{
    map_entry entry;

    for (size_t at = 0; map_next(r->names, &at, &entry);) {
        const recover_record *record = entry.value;

        if (!str_is_null(record->rebase)) {
            add_rebased(r, record);
        }
    }
    for (size_t at = 0; map_next(r->folders, &at, &entry);) {
        look_into(r, entry.key, entry.value);
    }
}

/* ---- restoring ---- */

typedef struct restoring {
    catalog *c;
    const found_table *table;
} restoring;

static bool is_dropped(const found_table *t)
{
    return t->record != NULL && t->record->dropped.dropped_us != 0 && !t->is_view;
}

/* It was dropped with all that it has, and some of its files may be gone: it does not come back, and its files go. */
static bool is_purged(const found_table *t)
{
    return is_dropped(t) && t->record->dropped.purge_us <= t->record->dropped.dropped_us;
}

static status restore_purge(state_txn *txn, const found_table *t, error *err)
{
    return STATE_EXEC(
        txn,
        "INSERT INTO purges (uuid, location, metadata_location, space, name, begun, principal)"
        " VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)",
        NULL, err, SV_TEXT(t->uuid), SV_TEXT(t->location), SV_TEXT(t->file.location),
        SV_TEXT(t->name.space), SV_TEXT(t->name.table), SV_TEXT(t->record->dropped.principal));
}

static status restore_table(void *context, state_txn *txn, error *err)
{
    const restoring *r = context;
    const found_table *t = r->table;
    const recover_record *record = t->record;
    const catalog__row row = {.name = t->name,
                              .uuid = t->uuid,
                              .location = t->location,
                              .metadata_location = t->file.location,
                              .registered = record != NULL && record->registered,
                              .rebase = record != NULL ? record->rebase : STR_NULL};

    if (is_purged(t)) {
        return restore_purge(txn, t, err);
    }
    if (is_dropped(t)) {
        return catalog__insert_dropped(txn, &row, &record->dropped, t->file.modified_us, err);
    }
    if (t->is_view) {
        return catalog__insert_view(txn, &row, err);
    }
    TRY(catalog__insert_table(r->c, txn, &row, err));
    return record != NULL && record->is_protected
               ? STATE_EXEC(txn, "UPDATE tables SET protected = 1 WHERE uuid = ?1", NULL, err,
                            SV_TEXT(t->uuid))
               : STATUS_OK;
}

static status restore(recovery *r, found_table *t, error *err)
{
    if (!t->named) {
        t->name = (table_name){.space = STR("recovered"), .table = t->uuid};
    }
    if (!is_dropped(t)) { /* its namespace may be dropped, too */
        TRY(recover_make_spaces(r->c, t->name.space, err));
    }
    restoring work = {.c = r->c, .table = t};
    return state_submit(r->c->state, restore_table, &work, err);
}

/* Those that are dropped come first: a table at the very place of one is there in its stead. */
static int64_t restore_grade(recovery *r, grade wanted, bool dropped)
{
    int64_t restored = 0;
    map_entry entry;

    for (size_t at = 0; map_next(r->chosen, &at, &entry);) {
        error err = ERROR_INIT;
        found_table *t = entry.value;

        if (t->grade != wanted || is_dropped(t) != dropped) {
            continue;
        }
        t->is_restored = restore(r, t, &err) == STATUS_OK;
        if (t->is_restored) {
            restored += is_purged(t) ? 0 : 1;
        } else {
            log_lost(t, &err);
        }
    }
    return restored;
}

/* ---- further places ---- */

typedef struct place_claim {
    catalog *c;
    const found_table *table;
    const ice_property *path;
} place_claim;

static status hold_place(void *context, state_txn *txn, error *err)
{
    const place_claim *claim = context;
    const catalog__paths paths = {.space = claim->table->name.space,
                                  .properties = claim->path,
                                  .count = 1,
                                  .own = claim->table->location,
                                  .uuid = claim->table->uuid,
                                  .principal = STR_NULL};

    return catalog__hold_paths(claim->c, txn, &paths, err);
}

static void hold(const recovery *r, const found_table *t, const ice_property *path, bool tells)
{
    place_claim claim = {.c = r->c, .table = t, .path = path};
    error err = ERROR_INIT;

    if (state_submit(r->c->state, hold_place, &claim, &err) != STATUS_OK && tells) {
        error_context(&err, "table at \"%.*s\"", STR_ARG(t->file.location));
        log_failure("place of a table not recovered", &err);
    }
}

static void hold_recorded(const recovery *r, const found_table *t)
{
    for (size_t i = 0; t->record != NULL && i < t->record->place_count; i++) {
        const ice_property path = {.key = STR("write.metadata.path"),
                                   .value = t->record->places[i]};
        hold(r, t, &path, true);
    }
}

/* A place that a record gives to another table stays that one's, though it did not come back. */
static bool may_claim(const recovery *r, const found_table *t, str place)
{
    const recover_owners owners = owners_of(r, place);

    for (size_t i = 0; i < owners.count; i++) {
        if (!str_equal(owners.items[i]->uuid, t->uuid)) {
            return false;
        }
    }
    return true;
}

/* A copy of another table says of its history what that one says: it is that one's. */
static void hold_said(const recovery *r, const found_table *t)
{
    for (size_t i = 0; i < t->paths.count; i++) {
        if (may_claim(r, t, t->paths.items[i].value)) {
            hold(r, t, &t->paths.items[i], true);
        }
    }
    for (size_t i = 0; i < t->former.count; i++) {
        if (may_claim(r, t, t->former.items[i].value)) {
            hold(r, t, &t->former.items[i], false);
        }
    }
}

static void hold_all(const recovery *r, void (*hold_some)(const recovery *r, const found_table *t))
{
    map_entry entry;

    for (size_t at = 0; map_next(r->chosen, &at, &entry);) {
        const found_table *t = entry.value;

        if (t->is_restored && !t->is_view) {
            hold_some(r, t);
        }
    }
}

static int64_t restore_all(recovery *r)
{
    int64_t restored = restore_grade(r, RECORDED, true);

    restored += restore_grade(r, RECORDED, false);
    hold_all(r, hold_recorded);
    restored += restore_grade(r, CHOSEN, false);
    restored += restore_grade(r, FOUND, true); /* of a record that does not say where it lies */
    restored += restore_grade(r, FOUND, false);
    hold_all(r, hold_said);
    return restored;
}

status catalog_recover(catalog *c, int64_t *ret_tables, error *err)
{
    arena *a = arena_create();
    recovery r = {.c = c,
                  .a = a,
                  .folders = map_create(a),
                  .names = map_create(a),
                  .places = map_create(a),
                  .chosen = map_create(a)};
    status result = recover_scan(&r, err);

    if (result == STATUS_OK) {
        choose_all(&r);
        *ret_tables = restore_all(&r);
    }
    arena_free(a);
    return result;
}

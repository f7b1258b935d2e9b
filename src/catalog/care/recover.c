/* Names kept beside the data, so that a lost database can be rebuilt from objects alone.
 *
 * A location that the catalog chose tells its table's names. For a table that was renamed or lies where its maker
 * wanted, a small object "<warehouse>/.tarn/names/<uuid>.json" tells them. Its further places (place.c) are those that
 * its properties name, and those that the history in its metadata leads to. */
#include <limits.h>

#include "places/place.h"

#include "tarn/base/limits.h"
#include "tarn/base/log.h"
#include "tarn/base/vec.h"
#include "tarn/iceberg/view.h"

static str names_prefix(const catalog *c, arena *a)
{
    return str_printf(a, "%.*s/.tarn/names/", STR_ARG(c->warehouse_location));
}

str catalog__name_location(const catalog *c, str uuid, arena *a)
{
    str prefix = names_prefix(c, a);
    return str_printf(a, "%.*s%.*s.json", STR_ARG(prefix), STR_ARG(uuid));
}

status catalog__stage_record(catalog *c, const catalog__row *row, const dropped_table *dropped,
                             store_staged **ret_staged, error *err)
{
    arena *a = arena_create();
    buf *text = buf_in(a, LIMIT_JSON_BODY);
    json_writer w;

    json_writer_init(&w, text);
    json_begin_object(&w);
    json_member_str(&w, "namespace", row->name.space);
    json_member_str(&w, "table", row->name.table);
    json_member_str(&w, "uuid", row->uuid);
    json_member_str(&w, "metadata-location", row->metadata_location);
    if (row->registered) {
        json_member_bool(&w, "registered", true);
        json_member_str(&w, "location", row->location);
    }
    if (!str_is_null(row->rebase)) {
        json_member_str(&w, "rebase", row->rebase);
    }
    if (dropped != NULL) {
        json_member_int(&w, "dropped-us", dropped->dropped_us);
        json_member_int(&w, "purge-us", dropped->purge_us);
        json_member_str(&w, "dropped-by", dropped->principal);
    }
    json_end_object(&w);
    str location = catalog__name_location(c, row->uuid, a);
    status result = store_stage_bytes(c->storage, location, STR("application/json"), buf_str(text),
                                      ret_staged, err);
    arena_free(a);
    return result;
}

status catalog__stage_name(catalog *c, const catalog__row *row, store_staged **ret_staged,
                           error *err)
{
    return catalog__stage_record(c, row, NULL, ret_staged, err);
}

/* ---- recover ---- */

#define LIST_CHUNK 1000

/* What a record tells of a table. */
typedef struct name_record {
    table_name name;
    bool registered;
    str location, rebase;  /* of registered tables; STR_NULL else */
    dropped_table dropped; /* dropped_us 0: it is not */
} name_record;

typedef VEC(ice_property) place_vec;

typedef struct found_table {
    str metadata_location;
    int version;
    int64_t modified_us; /* of the metadata file */
    str uuid, location;
    table_name name;
    bool named;
    bool is_view;
    bool is_restored;
    place_vec paths;           /* properties write.*.path */
    place_vec former;          /* as if they were such: folders where it may have lain before */
    const name_record *record; /* NULL: its location names it */
} found_table;

typedef struct recovery {
    catalog *c;
    arena *a;
    map *tables; /* folder of the metadata files -> found_table */
    map *names;  /* uuid -> name_record */
} recovery;

/* The highest version counts. Of two with the same one the later: the earlier was staged by a commit that did not
 * come to its end. */
static void note_metadata_file(recovery *r, str location, int64_t modified_us)
{
    size_t slash = str_find_last_char(location, '/');
    str folder = str_slice(location, 0, slash);

    if (slash == STR_NPOS || !str_ends_with(location, STR(".metadata.json"))) {
        return;
    }
    int version = ice_metadata_location_version(location);
    found_table *t = map_get(r->tables, folder);
    if (t == NULL) {
        t = ARENA_NEW(r->a, found_table);
        t->version = -1;
        map_set(r->tables, folder, t);
    }
    if (version > t->version || (version == t->version && modified_us > t->modified_us)) {
        t->version = version;
        t->modified_us = modified_us;
        t->metadata_location = str_copy(r->a, location);
    }
}

/* No blob tells of files in plain folders, and the record is as old as the table's name: the folder is looked into. */
static void note_local_metadata(recovery *r, str metadata_location)
{
    size_t slash = str_find_last_char(metadata_location, '/');
    str folder = str_slice(metadata_location, 0, slash + 1);
    str after = STR_NULL;

    for (size_t count = 1; count > 0;) {
        store_object *objects = NULL;
        error err = ERROR_INIT;
        count = 0;
        if (store_list(r->c->storage, folder, after, LIST_CHUNK, r->a, &objects, &count, &err) !=
            STATUS_OK) {
            error_context(&err, "folder \"%.*s\"", STR_ARG(folder));
            log_failure("table not recovered", &err);
            return;
        }
        for (size_t i = 0; i < count; i++) {
            note_metadata_file(r, objects[i].location, objects[i].modified_us);
        }
        after = count > 0 ? objects[count - 1].location : after;
    }
}

static status note_name_record(recovery *r, str location, error *err)
{
    const json *record = NULL;
    str bytes;

    TRY(store_read_all(r->c->storage, location, LIMIT_MIB, r->a, &bytes, err));
    TRY(json_parse(bytes, r->a, &record, err));
    name_record *found = ARENA_NEW(r->a, name_record);
    table_name *name = &found->name;
    str uuid = json_str_or(json_get(record, "uuid"), STR_NULL);
    name->space = json_str_or(json_get(record, "namespace"), STR_NULL);
    name->table = json_str_or(json_get(record, "table"), STR_NULL);
    if (uuid.size == 0 || name->space.size == 0 || name->table.size == 0) {
        return error_set(err, STATUS_CORRUPT, "the record lacks a name");
    }
    found->registered = json_bool_or(json_get(record, "registered"), false);
    found->location = json_str_or(json_get(record, "location"), STR_NULL);
    found->rebase = json_str_or(json_get(record, "rebase"), STR_NULL);
    found->dropped.dropped_us = json_int64_or(json_get(record, "dropped-us"), 0);
    found->dropped.purge_us = json_int64_or(json_get(record, "purge-us"), 0);
    found->dropped.principal = json_str_or(json_get(record, "dropped-by"), STR(""));
    map_set(r->names, uuid, found);
    str metadata_location = json_str_or(json_get(record, "metadata-location"), STR_NULL);
    if (!str_is_null(found->rebase)) { /* only read, so that no later file is its own */
        found_table *t = ARENA_NEW(r->a, found_table);
        *t = (found_table){
            .version = INT_MAX, .metadata_location = metadata_location, .record = found};
        map_set(r->tables,
                str_slice(metadata_location, 0, str_find_last_char(metadata_location, '/')), t);
    } else if (store_is_local(metadata_location)) {
        note_local_metadata(r, metadata_location);
    }
    return STATUS_OK;
}

static status restore_warehouse(recovery *r, str location, error *err)
{
    const json *record = NULL;
    str bytes;

    TRY(store_read_all(r->c->storage, location, LIMIT_MIB, r->a, &bytes, err));
    TRY(json_parse(bytes, r->a, &record, err));
    str name = json_str_or(json_get(record, "warehouse"), STR(""));
    str place = json_str_or(json_get(record, "location"), STR(""));
    if (name.size == 0 || place.size == 0) {
        return error_set(err, STATUS_CORRUPT, "the record lacks a name or a location");
    }
    status made = catalog__restore_warehouse(r->c, name, place, err);
    if (made == STATUS_EXISTS && err != NULL) {
        error_clear(err);
    }
    return made == STATUS_EXISTS ? STATUS_OK : made;
}

/* First of all: what lies in them is looked for, and their names are part of the names of tables. */
static status restore_warehouses(recovery *r, error *err)
{
    str records = catalog__warehouse_records(r->c, r->a);
    str after = STR_NULL;

    for (size_t count = 1; count > 0;) {
        store_object *objects = NULL;
        count = 0;
        TRY(store_list(r->c->storage, records, after, LIST_CHUNK, r->a, &objects, &count, err));
        for (size_t i = 0; i < count; i++) {
            error one = ERROR_INIT;
            if (restore_warehouse(r, objects[i].location, &one) != STATUS_OK) {
                error_context(&one, "object \"%.*s\"", STR_ARG(objects[i].location));
                log_failure("warehouse not recovered", &one);
            }
        }
        after = count > 0 ? objects[count - 1].location : after;
    }
    return STATUS_OK;
}

static status scan_objects(recovery *r, str folder, error *err)
{
    str prefix = str_printf(r->a, "%.*s/", STR_ARG(folder));
    str names = names_prefix(r->c, r->a);
    str after = STR_NULL;

    for (;;) {
        store_object *objects = NULL;
        size_t count = 0;
        TRY(store_list(r->c->storage, prefix, after, LIST_CHUNK, r->a, &objects, &count, err));
        for (size_t i = 0; i < count; i++) {
            error one = ERROR_INIT;
            if (!str_starts_with(objects[i].location, names)) {
                note_metadata_file(r, objects[i].location, objects[i].modified_us);
            } else if (note_name_record(r, objects[i].location, &one) != STATUS_OK) {
                error_context(&one, "object \"%.*s\"", STR_ARG(objects[i].location));
                log_failure("name of a table not recovered", &one);
            }
        }
        if (count == 0) {
            return STATUS_OK;
        }
        after = objects[count - 1].location;
    }
}

/* ---- further places ---- */

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
    if (folder.size > 0 && !catalog__lies_in(folder, t->location) && !is_noted(&t->paths, folder) &&
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

/* After all tables have theirs. A copy of another table says of its history what that one says: it is that one's. */
static void restore_places(const recovery *r, const found_table *t)
{
    place_claim claim = {.c = r->c, .table = t};

    for (size_t i = 0; i < t->paths.count; i++) {
        error err = ERROR_INIT;

        claim.path = &t->paths.items[i];
        if (state_submit(r->c->state, hold_place, &claim, &err) != STATUS_OK) {
            error_context(&err, "table at \"%.*s\"", STR_ARG(t->metadata_location));
            log_failure("place of a table not recovered", &err);
        }
    }
    for (size_t i = 0; i < t->former.count; i++) {
        error ignored = ERROR_INIT;

        claim.path = &t->former.items[i];
        (void)state_submit(r->c->state, hold_place, &claim, &ignored);
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
        t->location = str_copy(r->a, m->location);
        if (t->record == NULL || str_is_null(t->record->rebase)) { /* else it is only read */
            note_places(r, t, m);
        }
    } else if (ice_view_parse(bytes, &v, NULL) == STATUS_OK) {
        error_clear(err);
        result = STATUS_OK;
        t->is_view = true;
        t->uuid = str_copy(r->a, v->uuid);
        t->location = str_copy(r->a, v->location);
    }
    ice_metadata_unref(m);
    ice_view_unref(v);
    return result;
}

static status scan_warehouses(recovery *r, error *err)
{
    warehouse_info *all = NULL;
    size_t count = 0;

    TRY(restore_warehouses(r, err));
    TRY(catalog_list_warehouses(r->c, r->a, &all, &count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(scan_objects(r, all[i].location, err));
    }
    return STATUS_OK;
}

static status read_found(recovery *r, found_table *t, error *err)
{
    arena *a = arena_child(r->a);
    str bytes;

    status result =
        store_read_all(r->c->storage, t->metadata_location, LIMIT_METADATA_FILE, a, &bytes, err);
    if (result == STATUS_OK) {
        result = read_identity(r, t, bytes, err);
    }
    if (result == STATUS_OK) {
        const name_record *record = t->record != NULL ? t->record : map_get(r->names, t->uuid);
        t->record = record;
        t->named = record != NULL || catalog__names_of_location(r->c, t->location, r->a, &t->name);
        if (record != NULL) {
            t->name = record->name;
            t->location = record->registered ? record->location : t->location;
        }
    }
    arena_free(a);
    return result;
}

typedef struct restoring {
    catalog *c;
    const found_table *table;
} restoring;

static status restore_table(void *context, state_txn *txn, error *err)
{
    const restoring *r = context;
    const found_table *t = r->table;
    const catalog__row row = {.name = t->name,
                              .uuid = t->uuid,
                              .location = t->location,
                              .metadata_location = t->metadata_location,
                              .registered = t->record != NULL && t->record->registered,
                              .rebase = t->record != NULL ? t->record->rebase : STR_NULL};

    if (t->record != NULL && t->record->dropped.dropped_us != 0 && !t->is_view) {
        return catalog__insert_dropped(txn, &row, &t->record->dropped, t->modified_us, err);
    }
    return t->is_view ? catalog__insert_view(txn, &row, err)
                      : catalog__insert_table(r->c, txn, &row, err);
}

/* Where a table, or a view, keeps its metadata: what lies elsewhere is a copy, or nobody's. */
static bool is_at_home(const found_table *t)
{
    return (t->record != NULL && !str_is_null(t->record->rebase)) ||
           catalog__lies_in(t->metadata_location, t->location) ||
           is_noted(&t->paths, t->metadata_location);
}

/* Of what says that it is the same table: what lies where it says, then the later. A table that moved left its earlier
 * metadata behind. */
static bool is_better(const found_table *t, const found_table *than)
{
    if (is_at_home(t) != is_at_home(than)) {
        return is_at_home(t);
    }
    return t->version != than->version ? t->version > than->version
                                       : t->modified_us > than->modified_us;
}

/* All levels of a namespace, outermost first. */
static status restore_namespaces(catalog *c, str name, error *err)
{
    for (size_t at = 0; at <= name.size; at++) {
        if (at == name.size || name.data[at] == '.') {
            status result = catalog_create_namespace(c, str_slice(name, 0, at), NULL, 0, err);
            if (result != STATUS_OK && result != STATUS_EXISTS) {
                return result;
            }
        }
    }
    return STATUS_OK;
}

static status restore(recovery *r, found_table *t, error *err)
{
    if (!t->named) {
        t->name = (table_name){.space = STR("recovered"), .table = t->uuid};
    }
    TRY(restore_namespaces(r->c, t->name.space, err));
    restoring work = {.c = r->c, .table = t};
    return state_submit(r->c->state, restore_table, &work, err);
}

static void log_lost(const found_table *t, error *err)
{
    error_context(err, "table at \"%.*s\"", STR_ARG(t->metadata_location));
    log_failure("table not recovered", err);
}

/* One of each uuid; those without one by their files. */
static map *choose(recovery *r)
{
    map *chosen = map_create(r->a);
    map_entry entry;

    for (size_t at = 0; map_next(r->tables, &at, &entry);) {
        error err = ERROR_INIT;
        found_table *t = entry.value;
        bool is_usual = str_ends_with(entry.key, STR("/metadata"));

        if (read_found(r, t, &err) != STATUS_OK) {
            if (is_usual) { /* else it is some file of that name */
                log_lost(t, &err);
            }
        } else if (is_usual || is_at_home(t)) {
            str key = t->uuid.size > 0 ? t->uuid : t->metadata_location;
            const found_table *other = map_get(chosen, key);

            if (other == NULL || is_better(t, other)) {
                (void)map_set(chosen, key, t);
            }
        }
    }
    return chosen;
}

static int64_t restore_all(recovery *r)
{
    const map *chosen = choose(r);
    int64_t restored = 0;
    map_entry entry;

    for (size_t at = 0; map_next(chosen, &at, &entry);) {
        error err = ERROR_INIT;
        found_table *t = entry.value;

        t->is_restored = restore(r, t, &err) == STATUS_OK;
        if (t->is_restored) {
            restored++;
        } else {
            log_lost(t, &err);
        }
    }
    for (size_t at = 0; map_next(chosen, &at, &entry);) {
        const found_table *t = entry.value;

        if (t->is_restored && !t->is_view) {
            restore_places(r, t);
        }
    }
    return restored;
}

status catalog_recover(catalog *c, int64_t *ret_tables, error *err)
{
    arena *a = arena_create();
    recovery r = {.c = c, .a = a, .tables = map_create(a), .names = map_create(a)};
    status result = scan_warehouses(&r, err);

    if (result == STATUS_OK) {
        *ret_tables = restore_all(&r);
    }
    arena_free(a);
    return result;
}

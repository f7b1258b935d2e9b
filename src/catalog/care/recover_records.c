/* What a recovery finds: warehouses, namespaces and records of tables below ".tarn", and all metadata files. */
#include "care/recover.h"

#include "tarn/base/log.h"

#define LIST_CHUNK 1000

bool recover_is_later(const recover_file *file, const recover_file *than)
{
    return file->version != than->version ? file->version > than->version
                                          : file->modified_us > than->modified_us;
}

/* `visit` is asked for each object below the prefix, in order. Its failures are logged: the rest comes back. */
static status for_each(recovery *r, str prefix, const char *failure,
                       status (*visit)(recovery *r, const store_object *object, error *err),
                       error *err)
{
    str after = STR_NULL;

    for (;;) {
        store_object *objects = NULL;
        size_t count = 0;
        TRY(store_list(r->c->storage, prefix, after, LIST_CHUNK, r->a, &objects, &count, err));
        for (size_t i = 0; i < count; i++) {
            error one = ERROR_INIT;
            if (visit(r, &objects[i], &one) != STATUS_OK) {
                error_context(&one, "object \"%.*s\"", STR_ARG(objects[i].location));
                log_failure(failure, &one);
            }
        }
        if (count == 0) {
            return STATUS_OK;
        }
        after = objects[count - 1].location;
    }
}

static status read_json(const recovery *r, str location, const json **ret_value, error *err)
{
    str bytes;

    TRY(store_read_all(r->c->storage, location, LIMIT_JSON_BODY, r->a, &bytes, err));
    return json_parse(bytes, r->a, ret_value, err);
}

/* ---- metadata files ---- */

static status note_file(recovery *r, const store_object *object, error *err)
{
    size_t slash = str_find_last_char(object->location, '/');

    (void)err;
    if (slash == STR_NPOS || !str_ends_with(object->location, STR(".metadata.json"))) {
        return STATUS_OK;
    }
    str path = str_slice(object->location, 0, slash);
    recover_folder *folder = map_get(r->folders, path);
    if (folder == NULL) {
        folder = ARENA_NEW(r->a, recover_folder);
        map_set(r->folders, path, folder);
    }
    const recover_file file = {.location = str_copy(r->a, object->location),
                               .version = ice_metadata_location_version(object->location),
                               .modified_us = object->modified_us};
    vec_push(r->a, &folder->files, file);
    return STATUS_OK;
}

/* No blob tells of files in plain folders, and the record is as old as the table's name: the folder is looked into. */
static void note_local_files(recovery *r, str metadata_location)
{
    size_t slash = str_find_last_char(metadata_location, '/');
    str folder = str_slice(metadata_location, 0, slash + 1);
    error err = ERROR_INIT;

    if (!map_has(r->folders, str_slice(folder, 0, slash)) &&
        for_each(r, folder, "table not recovered", note_file, &err) != STATUS_OK) {
        error_context(&err, "folder \"%.*s\"", STR_ARG(folder));
        log_failure("table not recovered", &err);
    }
}

/* ---- records of tables ---- */

static void add_owner(recovery *r, str place, const recover_record *record)
{
    recover_owners *owners = map_get(r->places, place);

    if (owners == NULL) {
        owners = ARENA_NEW(r->a, recover_owners);
        map_set(r->places, place, owners);
    }
    vec_push(r->a, owners, record);
}

static void read_places(recovery *r, const json *value, recover_record *record)
{
    const json *list = json_get(value, "places");
    str *places = ARENA_ARRAY(r->a, str, json_count(list) + 1);

    for (size_t i = 0; i < json_count(list); i++) {
        str place = json_str_or(json_at(list, i), STR(""));
        if (place.size > 0) {
            places[record->place_count++] = place;
            add_owner(r, place, record);
        }
    }
    record->places = places;
}

/* Records of earlier tarns say where registered tables lie alone. */
static void guess_location(recover_record *record)
{
    size_t slash = str_find_last_char(record->metadata_location, '/');
    str folder = slash != STR_NPOS ? str_slice(record->metadata_location, 0, slash) : STR("");

    record->is_guessed = true;
    record->location = str_ends_with(folder, STR("/metadata"))
                           ? str_slice(folder, 0, folder.size - STR("/metadata").size)
                           : folder;
}

static status note_record(recovery *r, const store_object *object, error *err)
{
    const json *value = NULL;
    recover_record *record = ARENA_NEW(r->a, recover_record);

    TRY(read_json(r, object->location, &value, err));
    record->uuid = json_str_or(json_get(value, "uuid"), STR_NULL);
    record->name.space = json_str_or(json_get(value, "namespace"), STR_NULL);
    record->name.table = json_str_or(json_get(value, "table"), STR_NULL);
    if (record->uuid.size == 0 || record->name.space.size == 0 || record->name.table.size == 0) {
        return error_set(err, STATUS_CORRUPT, "the record lacks a name");
    }
    record->metadata_location = json_str_or(json_get(value, "metadata-location"), STR(""));
    record->location = json_str_or(json_get(value, "location"), STR_NULL);
    record->registered = json_bool_or(json_get(value, "registered"), false);
    record->is_view = json_bool_or(json_get(value, "view"), false);
    record->is_protected = json_bool_or(json_get(value, "protected"), false);
    record->rebase = json_str_or(json_get(value, "rebase"), STR_NULL);
    record->dropped.dropped_us = json_int64_or(json_get(value, "dropped-us"), 0);
    record->dropped.purge_us = json_int64_or(json_get(value, "purge-us"), 0);
    record->dropped.principal = json_str_or(json_get(value, "dropped-by"), STR(""));
    if (str_is_null(record->location)) {
        guess_location(record);
    }
    if (str_is_null(record->rebase)) { /* what is only read is others' */
        add_owner(r, record->location, record);
    }
    read_places(r, value, record);
    map_set(r->names, record->uuid, record);
    return STATUS_OK;
}

/* ---- warehouses and namespaces ---- */

static status restore_warehouse(recovery *r, const store_object *object, error *err)
{
    const json *value = NULL;

    TRY(read_json(r, object->location, &value, err));
    str name = json_str_or(json_get(value, "warehouse"), STR(""));
    str place = json_str_or(json_get(value, "location"), STR(""));
    if (name.size == 0 || place.size == 0) {
        return error_set(err, STATUS_CORRUPT, "the record lacks a name or a location");
    }
    status made = catalog__restore_warehouse(r->c, name, place, err);
    if (made == STATUS_EXISTS && err != NULL) {
        error_clear(err);
    }
    return made == STATUS_EXISTS ? STATUS_OK : made;
}

status recover_make_spaces(catalog *c, str name, error *err)
{
    for (size_t at = 0; at <= name.size; at++) {
        if (at == name.size || name.data[at] == '.') {
            const namespace_info info = {.name = str_slice(name, 0, at), .location = STR_NULL};
            TRY(catalog__restore_space(c, &info, false, err));
        }
    }
    return STATUS_OK;
}

static status restore_space(recovery *r, const store_object *object, error *err)
{
    const json *value = NULL;
    const json *member = NULL;
    size_t count = 0;
    str key;

    TRY(read_json(r, object->location, &value, err));
    const json *properties = json_get(value, "properties");
    catalog_property *all = ARENA_ARRAY(r->a, catalog_property, json_count(properties) + 1);
    namespace_info info = {.name = json_str_or(json_get(value, "namespace"), STR("")),
                           .location = STR_NULL,
                           .properties = all,
                           .is_protected = json_bool_or(json_get(value, "protected"), false)};
    if (info.name.size == 0) {
        return error_set(err, STATUS_CORRUPT, "the record lacks a name");
    }
    if (json_bool_or(json_get(value, "dropped"), false)) {
        return STATUS_OK;
    }
    for (size_t at = 0; json_next_member(properties, &at, &key, &member);) {
        all[count++] = (catalog_property){.key = key, .value = json_str_or(member, STR(""))};
    }
    info.property_count = count;
    TRY(recover_make_spaces(r->c, info.name, err));
    return catalog__restore_space(r->c, &info, true, err);
}

/* ---- all of it ---- */

/* Records first: whose a folder is has to be known before what lies in it. */
static status scan_records(recovery *r, error *err)
{
    map_entry entry;

    /* what lies in warehouses is looked for, and their names are part of the names of tables */
    TRY(for_each(r, catalog__warehouse_records(r->c, r->a), "warehouse not recovered",
                 restore_warehouse, err));
    TRY(for_each(r, catalog__space_records(r->c, r->a), "namespace not recovered", restore_space,
                 err));
    TRY(for_each(r, catalog__name_records(r->c, r->a), "name of a table not recovered", note_record,
                 err));
    for (size_t at = 0; map_next(r->names, &at, &entry);) {
        const recover_record *record = entry.value;

        if (str_is_null(record->rebase) && store_is_local(record->metadata_location)) {
            note_local_files(r, record->metadata_location);
        }
    }
    return STATUS_OK;
}

status recover_scan(recovery *r, error *err)
{
    warehouse_info *all = NULL;
    size_t count = 0;

    TRY(scan_records(r, err));
    TRY(catalog_list_warehouses(r->c, r->a, &all, &count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(for_each(r, str_concat(r->a, all[i].location, STR("/")), "file passed over", note_file,
                     err));
    }
    return STATUS_OK;
}

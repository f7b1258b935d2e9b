/* Tables that others made: finding the metadata file that is current, where the table's files lie now, and giving it a
 * name. The pointer to a registered table moves as any other's; one that was moved (ice_rebase) is only read, since
 * what would be written next has no location that the rest of its metadata agrees with. */
#include "internal.h"

#include "tarn/base/limits.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"

#define LIST_CHUNK 1000
#define HINT_SIZE_MAX 4096
#define REBASE_SIZE_MAX ((size_t)65536)

/* ---- rules as text ---- */

static str rebase_format(const ice_rebase *rules, size_t count, arena *a)
{
    buf *text = buf_in(a, REBASE_SIZE_MAX);
    json_writer w;

    if (count == 0) {
        return STR_NULL;
    }
    json_writer_init(&w, text);
    json_begin_object(&w);
    for (size_t i = 0; i < count; i++) {
        json_key_str(&w, rules[i].from);
        json_put_str(&w, rules[i].to);
    }
    json_end_object(&w);
    return buf_str(text);
}

status catalog__rebase_parse(str text, arena *a, ice_rebase **ret_rules, size_t *ret_count,
                             error *err)
{
    const json *object = NULL;
    const json *to;
    size_t count = 0;
    str from;

    if (!str_is_null(text)) {
        TRY(json_parse(text, a, &object, err));
    }
    ice_rebase *rules = ARENA_ARRAY(a, ice_rebase, json_count(object) + 1);
    for (size_t at = 0; object != NULL && json_next_member(object, &at, &from, &to);) {
        rules[count++] = (ice_rebase){.from = from, .to = json_str_or(to, STR(""))};
    }
    *ret_rules = rules;
    *ret_count = count;
    return STATUS_OK;
}

/* ---- the current metadata file ---- */

static bool is_metadata_name(str name)
{
    return str_ends_with(name, STR(".metadata.json")) ||
           str_ends_with(name, STR(".metadata.json.gz"));
}

typedef VEC(store_object) object_list;

/* The metadata files of a table's folder. */
static status list_metadata(catalog *c, str folder, arena *a, object_list *ret_list, error *err)
{
    str prefix = str_concat(a, folder, STR("/metadata/"));
    str after = STR_NULL;

    for (size_t count = 1; count > 0;) {
        store_object *objects = NULL;
        count = 0;
        TRY(store_list(c->storage, prefix, after, LIST_CHUNK, a, &objects, &count, err));
        for (size_t i = 0; i < count; i++) {
            str name = str_slice(objects[i].location, prefix.size, objects[i].location.size);
            if (str_find_char(name, '/') == STR_NPOS && is_metadata_name(name)) {
                vec_push(a, ret_list, objects[i]);
            }
        }
        after = count > 0 ? objects[count - 1].location : after;
    }
    return STATUS_OK;
}

static str file_name(str location)
{
    return str_slice(location, str_find_last_char(location, '/') + 1, location.size);
}

/* "3", "v3", "00003-…", or a whole name: the file it speaks of; STR_NULL where there is none. */
static str find_version(const object_list *list, str version, arena *a)
{
    static const char *const forms[] = {"v%.*s.metadata.json",
                                        "v%.*s.gz.metadata.json",
                                        "v%.*s.metadata.json.gz",
                                        "%.*s.metadata.json",
                                        "%.*s.gz.metadata.json",
                                        "%.*s.metadata.json.gz",
                                        "%.*s"};
    for (size_t form = 0; form < COUNT_OF(forms); form++) {
        str rest;
        str head = str_cut(str_c(forms[form]), '%', &rest);
        str name = str_concat(
            a, head, str_concat(a, version, str_slice(rest, sizeof(".*s") - 1, rest.size)));
        for (size_t i = 0; i < list->count; i++) {
            if (str_equal(file_name(list->items[i].location), name)) {
                return list->items[i].location;
            }
        }
    }
    return STR_NULL;
}

/* Of at least one. */
static str newest(const object_list *list)
{
    const store_object *best = &list->items[0];
    int best_version = ice_metadata_location_version(best->location);

    for (size_t i = 1; i < list->count; i++) {
        int version = ice_metadata_location_version(list->items[i].location);
        if (version > best_version ||
            (version == best_version && list->items[i].modified_us > best->modified_us)) {
            best = &list->items[i];
            best_version = version;
        }
    }
    return best->location;
}

/* A program that commits by renaming writes the hint afterwards: a version behind the hinted one counts. */
static str follow_hint(const object_list *list, str hint, arena *a)
{
    str found = find_version(list, hint, a);
    int64_t version;

    if (str_to_int64(hint, &version, NULL) != STATUS_OK) {
        return found;
    }
    while (!str_is_null(found)) {
        str next = find_version(list, str_printf(a, "%lld", (long long)++version), a);
        if (str_is_null(next)) {
            break;
        }
        found = next;
    }
    return found;
}

static status find_in_folder(catalog *c, str folder, str version, arena *a, str *ret_location,
                             error *err)
{
    object_list list = {0};
    str hint, found = STR_NULL;

    TRY(list_metadata(c, folder, a, &list, err));
    if (list.count == 0) {
        error_set(err, STATUS_NOT_FOUND, "no table metadata lies below \"%.*s/metadata\"",
                  STR_ARG(folder));
        error_hint(err, "Name the table's folder, or its metadata file (….metadata.json).");
        return STATUS_NOT_FOUND;
    }
    if (version.size > 0) {
        found = find_version(&list, version, a);
        if (str_is_null(found)) {
            return error_set(err, STATUS_NOT_FOUND,
                             "the table at \"%.*s\" has no metadata of version \"%.*s\"",
                             STR_ARG(folder), STR_ARG(version));
        }
        *ret_location = found;
        return STATUS_OK;
    }
    if (store_read_all(c->storage, str_concat(a, folder, STR("/metadata/" CATALOG__HINT_NAME)),
                       HINT_SIZE_MAX, a, &hint, NULL) == STATUS_OK) {
        found = follow_hint(&list, str_trim(hint), a);
    }
    *ret_location = str_is_null(found) ? newest(&list) : found;
    return STATUS_OK;
}

/* ---- where it lies ---- */

typedef struct foreign_table {
    str metadata_location;
    str location;
    str rebase; /* STR_NULL: its files lie where they say */
    ice_metadata *metadata;
} foreign_table;

/* One spelling for a place, so that places can be compared; the text itself where it is none of ours. */
static str settled(catalog *c, str location, arena *a)
{
    str place = location;
    return catalog__settle_location(c, location, a, &place, NULL) == STATUS_OK ? place : location;
}

/* The folder above "metadata/"; STR_NULL for a file that lies in no such folder. */
static str folder_of(str metadata_location)
{
    str folder = str_slice(metadata_location, 0, str_find_last_char(metadata_location, '/'));
    return str_ends_with(folder, STR("/metadata"))
               ? str_slice(folder, 0, folder.size - (sizeof("/metadata") - 1))
               : STR_NULL;
}

static status add_rules(catalog *c, const catalog_foreign *foreign, foreign_table *t, arena *a,
                        error *err)
{
    VEC(ice_rebase) rules = {0};
    const ice_metadata *m = t->metadata;
    str folder = folder_of(t->metadata_location);

    for (size_t i = 0; i < foreign->rebase_count; i++) {
        ice_rebase rule = foreign->rebase[i];
        if (rule.from.size == 0) {
            return error_set(err, STATUS_INVALID, "a location to rebase is empty");
        }
        TRY(catalog__settle_location(c, rule.to, a, &rule.to, err));
        vec_push(a, &rules, rule);
    }
    str said = ice_rebase_location(rules.items, rules.count, m->location, a);
    str place = settled(c, said, a);
    if (!str_is_null(folder) && !str_equal(place, folder)) {
        vec_push(a, &rules, ((ice_rebase){.from = m->location, .to = folder}));
        place = folder;
    }
    TRY(catalog__settle_location(c, place, a, &t->location, err));
    t->rebase = rebase_format(rules.items, rules.count, a);
    ice_metadata_rebase(t->metadata, rules.items, rules.count);
    return STATUS_OK;
}

static status open_foreign(catalog *c, const catalog_foreign *foreign, arena *a, foreign_table *t,
                           error *err)
{
    str location;

    TRY(catalog__settle_location(c, foreign->location, a, &location, err));
    if (!str_ends_with(location, STR(".json")) && !is_metadata_name(location)) {
        TRY(find_in_folder(c, location, foreign->version, a, &location, err));
    }
    status result = catalog__read_metadata(c, location, STR_NULL, &t->metadata, err);
    if (result == STATUS_SYNTAX) {
        result = STATUS_CORRUPT;
    }
    TRY(result);
    t->metadata_location = location;
    return add_rules(c, foreign, t, a, err);
}

status catalog_open_foreign(catalog *c, const catalog_foreign *foreign, arena *a,
                            ice_metadata **ret_metadata, str *ret_location, error *err)
{
    foreign_table t = {.metadata = NULL};
    status result = open_foreign(c, foreign, a, &t, err);

    if (result != STATUS_OK) {
        ice_metadata_unref(t.metadata);
        return result;
    }
    *ret_metadata = t.metadata;
    *ret_location = t.metadata_location;
    return STATUS_OK;
}

/* ---- the name ---- */

typedef struct registration {
    catalog *c;
    catalog__row row;
    store_staged *record;
    const catalog_caller *caller;
} registration;

static status publish_registration(void *context, state_txn *txn, error *err)
{
    registration *r = context;

    r->row.caller = r->caller;
    TRY(catalog__free_for_return(r->c, txn, r->row.uuid, r->row.location, err));
    TRY(catalog__insert_table(r->c, txn, &r->row, err));
    catalog__renew_sessions(r->c, txn, r->row.uuid);
    const catalog_event event = {.kind = EVENT_TABLE_REGISTERED,
                                 .name = r->row.name,
                                 .uuid = r->row.uuid,
                                 .metadata_location = r->row.metadata_location,
                                 .snapshot_id = ICE_NO_SNAPSHOT};
    TRY(catalog__note(txn, r->caller, &event, err));
    store_staged *record = r->record;
    r->record = NULL;
    return store_publish(r->c->storage, txn, &record, 1, err);
}

static status register_table(catalog *c, table_name name, const catalog_foreign *foreign,
                             foreign_table *t, arena *a, error *err)
{
    char uuid[37];

    TRY(catalog__check_name("table", name.table, err));
    TRY(open_foreign(c, foreign, a, t, err));
    random_uuid(uuid); /* for tables of version 1 that have none */
    registration r = {.c = c,
                      .caller = catalog_get_caller(),
                      .row = {.name = name,
                              .uuid = t->metadata->uuid.size > 0 ? t->metadata->uuid : str_c(uuid),
                              .location = t->location,
                              .metadata_location = t->metadata_location,
                              .registered = true,
                              .rebase = t->rebase}};
    TRY(catalog__stage_name(c, &r.row, &r.record, err));
    status result = state_submit(c->state, publish_registration, &r, err);
    store_discard(c->storage, r.record);
    return result;
}

status catalog_register_table(catalog *c, table_name name, const catalog_foreign *foreign,
                              error *err)
{
    arena *a = arena_create();
    foreign_table t = {.metadata = NULL};
    status result = register_table(c, name, foreign, &t, a, err);

    ice_metadata_unref(t.metadata);
    arena_free(a);
    return result;
}

/* Which files of a table's or view's folder may have been left behind by a commit that was killed: by name, place and
 * age. Whether anything refers to them is not known here (sweep.c). Folders hold other people's files too, so only
 * names that tarn itself makes are taken, and none where somebody else seems to commit to the folder. */
#include <limits.h>

#include "internal.h"

#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

#define UUID_SIZE 36
#define RANDOM_SIZE 16 /* hex digits in names of files that wait beside their own */
#define LIST_CHUNK 20000
#define HINT_SIZE_MAX 4096
#define METADATA_SUFFIX ".metadata.json"

/* ---- names ---- */

static size_t digits(str s, size_t from, const char *set)
{
    size_t at = from;
    while (at < s.size && strchr(set, s.data[at]) != NULL && s.data[at] != '\0') {
        at++;
    }
    return at - from;
}

static const char decimal[] = "0123456789";
static const char hex[] = "0123456789abcdef";

static bool is_uuid(str s)
{
    static const size_t groups[] = {8, 4, 4, 4, 12};
    size_t at = 0;

    if (s.size != UUID_SIZE) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        if (digits(s, at, hex) != groups[i]) {
            return false;
        }
        at += groups[i] + 1;
    }
    return s.data[8] == '-' && s.data[13] == '-' && s.data[18] == '-' && s.data[23] == '-';
}

/* "<uuid><suffix>" */
static bool is_uuid_and(str name, const char *suffix)
{
    str end = str_c(suffix);
    return name.size == UUID_SIZE + end.size && str_ends_with(name, end) &&
           is_uuid(str_slice(name, 0, UUID_SIZE));
}

/* "00003-<uuid>.metadata.json", "00003-<uuid>.gz.metadata.json" */
static bool is_metadata_name(str name)
{
    size_t number = digits(name, 0, decimal);
    str rest = str_slice(name, number + 1, name.size);

    return number >= 5 && number < name.size && name.data[number] == '-' &&
           (is_uuid_and(rest, METADATA_SUFFIX) || is_uuid_and(rest, ".gz" METADATA_SUFFIX));
}

/* "snap-<id>-<uuid>.avro" */
static bool is_list_name(str name)
{
    str start = STR("snap-");
    size_t number = digits(name, start.size, decimal);
    size_t dash = start.size + number;

    return str_starts_with(name, start) && number > 0 && dash < name.size &&
           name.data[dash] == '-' && is_uuid_and(str_slice(name, dash + 1, name.size), ".avro");
}

/* "<uuid>-m0.avro" */
static bool is_manifest_name(str name)
{
    return is_uuid_and(name, "-m0.avro") || is_uuid_and(name, "-m1.avro") ||
           is_uuid_and(name, "-m2.avro");
}

/* "version-hint.text.<16 hex>.new" */
static bool is_new_hint_name(str name)
{
    str start = STR(CATALOG__HINT_NAME ".");
    return str_starts_with(name, start) && str_ends_with(name, STR(".new")) &&
           name.size == start.size + RANDOM_SIZE + 4 &&
           digits(name, start.size, hex) == RANDOM_SIZE;
}

/* What tarn calls its files, at the end of a location below the table's. */
static bool is_own_name(str below)
{
    size_t slash = str_find_last_char(below, '/');
    if (slash == STR_NPOS) {
        return false;
    }
    str name = str_slice(below, slash + 1, below.size);
    if (str_equal(str_slice(below, 0, slash + 1), STR("metadata/"))) {
        return is_metadata_name(name) || is_list_name(name) || is_manifest_name(name) ||
               is_new_hint_name(name);
    }
    return str_starts_with(below, STR("data/")) && is_uuid_and(name, ".parquet");
}

/* "metadata/.<name>.<16 hex>.tarn-new" for a name as above. A file whose name was taken changes places with the old one
 * when it is published, but no two files get one of these names. */
static bool is_own_unfinished(str below, arena *a)
{
    str end = STR(".tarn-new");
    size_t slash = str_find_last_char(below, '/');

    if (slash == STR_NPOS || below.size < slash + 3 + RANDOM_SIZE + end.size ||
        below.data[slash + 1] != '.' || !str_ends_with(below, end)) {
        return false;
    }
    size_t dot = below.size - end.size - RANDOM_SIZE - 1;
    return below.data[dot] == '.' && digits(below, dot + 1, hex) == RANDOM_SIZE &&
           is_own_name(
               str_concat(a, str_slice(below, 0, slash + 1), str_slice(below, slash + 2, dot)));
}

/* ---- files ---- */

typedef struct finder {
    str inside; /* "<location>/" */
    const catalog__sweep_limits *limits;
    arena *a;
    VEC(catalog__leftover) found;
    bool too_young;
} finder;

static void judge(finder *f, const store_object *object, bool unfinished)
{
    str below = str_slice(object->location, f->inside.size, object->location.size);
    bool own = unfinished ? is_own_unfinished(below, f->a) : is_own_name(below);

    if (!own || object->modified_us >= f->limits->started_us ||
        object->modified_us < f->limits->since_us) {
        return;
    }
    if (object->modified_us >= f->limits->before_us) {
        f->too_young = true;
        return;
    }
    vec_push(f->a, &f->found,
             ((catalog__leftover){.location = object->location, .size_bytes = object->size_bytes}));
}

status catalog__find_leftovers(catalog *c, str location, const catalog__sweep_limits *limits,
                               str *after, arena *a, catalog__leftovers *ret_found, error *err)
{
    finder f = {.inside = str_concat(a, location, STR("/")), .limits = limits, .a = a};
    store_object *objects = NULL;
    size_t count = 0;

    if (str_is_null(*after)) {
        TRY(store_list_unfinished(c->storage, f.inside, LIST_CHUNK, a, &objects, &count, err));
        for (size_t i = 0; i < count; i++) {
            judge(&f, &objects[i], true);
        }
    }
    TRY(store_list(c->storage, f.inside, *after, LIST_CHUNK, a, &objects, &count, err));
    for (size_t i = 0; i < count; i++) {
        judge(&f, &objects[i], false);
    }
    *after = count == LIST_CHUNK ? objects[count - 1].location : STR_NULL;
    *ret_found = (catalog__leftovers){
        .items = f.found.items, .count = f.found.count, .too_young = f.too_young};
    return STATUS_OK;
}

/* ---- of views ---- */

static status refuse_view(const view_info *view, const char *reason, str file, error *err)
{
    return error_set(err, STATUS_CONFLICT, "the folder of view \"%.*s.%.*s\" %s: \"%.*s\"",
                     STR_ARG(view->name.space), STR_ARG(view->name.table), reason, STR_ARG(file));
}

/* A file beside the current one: an attempt that was killed stands on it, one that was current came before it. */
static status check_view_file(catalog *c, const view_info *now, str location, error *err)
{
    str name = str_slice(location, str_find_last_char(location, '/') + 1, location.size);
    ice_view *v = NULL;

    if (!is_metadata_name(name)) {
        return refuse_view(now, "is not this catalog's alone", location, err);
    }
    if (ice_metadata_location_version(location) >
        ice_metadata_location_version(now->metadata_location) + 1) {
        return refuse_view(now, "holds a change that this catalog does not know", location, err);
    }
    status result = catalog__read_view_file(c, location, &v, err);
    if (result == STATUS_NOT_FOUND) {
        return STATUS_OK; /* of a change that was under way */
    }
    TRY(result);
    bool same = str_equal_nocase(v->uuid, now->uuid);
    ice_view_unref(v);
    return same ? STATUS_OK : refuse_view(now, "holds metadata of another view", location, err);
}

static bool is_view_file(str location)
{
    return str_find(location, STR(METADATA_SUFFIX)) != STR_NPOS;
}

/* As it is now, and its file can be read: it is listed before, so that what changes meanwhile is known. */
static status judge_view(catalog *c, const view_info *view, finder *f, const store_object *objects,
                         size_t count, error *err)
{
    ice_view *v = NULL;
    view_info now;

    TRY(catalog_load_view(c, view->name, f->a, &v, &now, err));
    bool is_kept = str_equal_nocase(ice_view_property(v, "gc.enabled", "true"), STR("false"));
    ice_view_unref(v);
    if (!str_equal(now.uuid, view->uuid)) {
        return refuse_view(view, "belongs to a new view", view->location, err);
    }
    if (is_kept) {
        return refuse_view(view, "is not to be cleaned (gc.enabled)", view->location, err);
    }
    if (!str_starts_with(now.metadata_location, f->inside)) {
        return refuse_view(view, "is not where its metadata lies", view->location, err);
    }
    for (size_t i = 0; i < count; i++) {
        if (is_view_file(objects[i].location) &&
            !str_equal(objects[i].location, now.metadata_location)) {
            TRY(check_view_file(c, &now, objects[i].location, err));
            judge(f, &objects[i], false);
        }
    }
    return STATUS_OK;
}

status catalog__find_view_leftovers(catalog *c, const view_info *view,
                                    const catalog__sweep_limits *limits, arena *a,
                                    catalog__leftovers *ret_found, error *err)
{
    finder f = {.inside = str_concat(a, view->location, STR("/")), .limits = limits, .a = a};
    store_object *unfinished = NULL;
    store_object *objects = NULL;
    size_t unfinished_count = 0, count = 0;
    str metadata = str_concat(a, f.inside, STR("metadata/"));

    TRY(store_list_unfinished(c->storage, f.inside, LIST_CHUNK, a, &unfinished, &unfinished_count,
                              err));
    TRY(store_list(c->storage, metadata, STR_NULL, LIST_CHUNK, a, &objects, &count, err));
    if (count == LIST_CHUNK) {
        return refuse_view(view, "is not this catalog's alone", view->location, err);
    }
    TRY(judge_view(c, view, &f, objects, count, err));
    for (size_t i = 0; i < unfinished_count; i++) {
        if (is_view_file(unfinished[i].location)) {
            judge(&f, &unfinished[i], true);
        }
    }
    *ret_found = (catalog__leftovers){
        .items = f.found.items, .count = f.found.count, .too_young = f.too_young};
    return STATUS_OK;
}

status catalog__find_new_hints(catalog *c, str location, arena *a, str **ret_found,
                               size_t *ret_count, error *err)
{
    str prefix = str_concat(a, location, STR("/metadata/"));
    str after = STR_NULL;
    VEC(str) found = {0};

    do {
        store_object *objects = NULL;
        size_t count = 0;

        TRY(store_list(c->storage, prefix, after, LIST_CHUNK, a, &objects, &count, err));
        for (size_t i = 0; i < count; i++) {
            str name = str_slice(objects[i].location, prefix.size, objects[i].location.size);
            if (is_new_hint_name(name) && objects[i].modified_us < c->opened_us) {
                vec_push(a, &found, objects[i].location);
            }
        }
        after = count == LIST_CHUNK ? objects[count - 1].location : STR_NULL;
    } while (!str_is_null(after));
    *ret_found = found.items;
    *ret_count = found.count;
    return STATUS_OK;
}

/* ---- is it ours alone? ---- */

static str file_name(str location)
{
    return str_slice(location, str_find_last_char(location, '/') + 1, location.size);
}

typedef struct history {
    catalog *c;
    const table_info *table;
    arena *a;
    map *known;     /* names of metadata files that the current one names, and its own */
    map *committed; /* names of files that others call earlier, or current */
    int oldest;     /* version of the oldest known */
    VEC(str) unknown;
} history;

static status refuse(const history *h, const char *reason, str file, error *err)
{
    return error_set(err, STATUS_CONFLICT, "the folder of table \"%.*s.%.*s\" %s: \"%.*s\"",
                     STR_ARG(h->table->name.space), STR_ARG(h->table->name.table), reason,
                     STR_ARG(file));
}

static void note_known(history *h, str location)
{
    int version = ice_metadata_location_version(location);

    map_set(h->known, file_name(location), h);
    h->oldest = version < h->oldest ? version : h->oldest;
}

/* What an unknown metadata file says. It may be gone again: of a commit that was under way. */
static status ask_unknown(history *h, const ice_metadata *current, str location, error *err)
{
    ice_metadata *m = NULL;
    status result = catalog__read_metadata(h->c, location, STR_NULL, &m, err);

    if (result == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    TRY(result);
    bool same = str_equal_nocase(m->uuid, current->uuid);
    for (size_t i = 0; i < m->metadata_log_count; i++) {
        map_set(h->committed, file_name(m->metadata_log[i].metadata_file), h);
    }
    ice_metadata_unref(m);
    return same ? STATUS_OK : refuse(h, "holds metadata of another table", location, err);
}

typedef VEC(str) location_list;

/* The folder is listed and the hint read before the pointer is: what this server commits meanwhile is known then. */
static status list_metadata(const history *h, location_list *ret_list, error *err)
{
    str prefix = str_concat(h->a, h->table->location, STR("/metadata/"));
    str after = STR_NULL;
    str hint;

    for (;;) {
        store_object *objects = NULL;
        size_t count = 0;
        TRY(store_list(h->c->storage, prefix, after, LIST_CHUNK, h->a, &objects, &count, err));
        for (size_t i = 0; i < count; i++) {
            if (str_find(file_name(objects[i].location), STR(METADATA_SUFFIX)) != STR_NPOS) {
                vec_push(h->a, ret_list, objects[i].location);
            }
        }
        if (count < LIST_CHUNK) {
            break;
        }
        after = objects[count - 1].location;
    }
    status read = store_read_all(h->c->storage, str_concat(h->a, prefix, STR(CATALOG__HINT_NAME)),
                                 HINT_SIZE_MAX, h->a, &hint, err);
    if (read == STATUS_OK) {
        map_set(h->committed, str_concat(h->a, str_trim(hint), STR(METADATA_SUFFIX)), h->c);
    }
    return read == STATUS_NOT_FOUND ? STATUS_OK : read;
}

static status compare(history *h, const location_list *files, const ice_metadata *m, error *err)
{
    for (size_t i = 0; i < m->metadata_log_count; i++) {
        note_known(h, m->metadata_log[i].metadata_file);
    }
    /* Older ones were current once and have left the log. */
    for (size_t i = 0; i < files->count; i++) {
        if (!map_has(h->known, file_name(files->items[i])) &&
            ice_metadata_location_version(files->items[i]) >= h->oldest) {
            vec_push(h->a, &h->unknown, files->items[i]);
            TRY(ask_unknown(h, m, files->items[i], err));
        }
    }
    for (size_t i = 0; i < h->unknown.count; i++) {
        if (map_has(h->committed, file_name(h->unknown.items[i]))) {
            return refuse(h, "holds a commit that this catalog does not know", h->unknown.items[i],
                          err);
        }
    }
    return STATUS_OK;
}

static bool is_off(const ice_metadata *m, const char *key)
{
    return str_equal_nocase(ice_metadata_property(m, key, "true"), STR("false"));
}

status catalog__check_history(catalog *c, const table_info *table, int *ret_keep_below, error *err)
{
    arena *a = arena_create();
    history h = {.c = c,
                 .table = table,
                 .a = a,
                 .known = map_create(a),
                 .committed = map_create(a),
                 .oldest = INT_MAX};
    location_list files = {0};
    ice_metadata *m = NULL;
    table_info now;

    status result = list_metadata(&h, &files, err);
    if (result == STATUS_OK) {
        result = catalog_load_table(c, table->name, a, &m, &now, err);
    }
    if (result == STATUS_OK && !str_equal(now.uuid, table->uuid)) {
        result = refuse(&h, "belongs to a new table", table->location, err);
    }
    if (result == STATUS_OK) {
        note_known(&h, now.metadata_location);
        result = compare(&h, &files, m, err);
    }
    if (result == STATUS_OK && is_off(m, "gc.enabled")) {
        result = refuse(&h, "is not to be cleaned (gc.enabled)", table->location, err);
    }
    if (result == STATUS_OK) {
        *ret_keep_below = is_off(m, "write.metadata.delete-after-commit.enabled") ? h.oldest : 0;
    }
    ice_metadata_unref(m);
    arena_free(a);
    return result;
}

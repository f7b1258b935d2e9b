/* Listing local files in the order of their locations' bytes. A folder sorts as if its name
 * ended in "/", so that "a.txt" comes before "a/b": walking the folders in that order gives the
 * order of whole paths. */
#include <stdlib.h>
#include <sys/stat.h>

#include "internal.h"
#include "tarn/base/fs.h"

#define DEPTH_MAX 64

typedef struct entry {
    str name; /* of a folder with "/" behind */
    bool folder;
    struct stat info;
} entry;

typedef struct walk {
    str prefix, after; /* as locations */
    size_t max;
    bool unfinished; /* only what waits beside its name; else all but that */
    arena *a;
    VEC(store_object) objects;
} walk;

static int compare_entries(const void *a, const void *b)
{
    return str_compare(((const entry *)a)->name, ((const entry *)b)->name);
}

/* Files and folders; what is neither, and what is a link, is left out. */
static status read_folder(const char *path, bool unfinished, arena *a, entry **ret_entries,
                          size_t *ret_count, error *err)
{
    VEC(entry) entries = {0};
    str *names = NULL;
    size_t count = 0;
    status listed = fs_list(path, a, &names, &count, err);

    if (listed == STATUS_NOT_FOUND) {
        count = 0;
    } else {
        TRY(listed);
    }
    for (size_t i = 0; i < count; i++) {
        entry e = {.name = names[i]};

        if (lstat(fs_join(a, path, names[i].data), &e.info) != 0) {
            continue;
        }
        e.folder = S_ISDIR(e.info.st_mode);
        if (e.folder) {
            e.name = str_concat(a, names[i], STR("/"));
        } else if (!S_ISREG(e.info.st_mode) || store__is_beside(names[i]) != unfinished) {
            continue;
        }
        vec_push(a, &entries, e);
    }
    if (entries.count > 0) {
        qsort(entries.items, entries.count, sizeof(*entries.items), compare_entries);
    }
    *ret_entries = entries.items;
    *ret_count = entries.count;
    return STATUS_OK;
}

/* Whether something below the folder may start with the prefix and come after `after`. */
static bool is_worth_entering(const walk *w, str location)
{
    bool fits = str_starts_with(location, w->prefix) || str_starts_with(w->prefix, location);

    return fits && (str_is_null(w->after) || str_compare(location, w->after) > 0 ||
                    str_starts_with(w->after, location));
}

static void add_object(walk *w, str location, const struct stat *info)
{
    store_object object = {.location = str_copy(w->a, location),
                           .size_bytes = (int64_t)info->st_size,
                           .modified_us = (int64_t)info->st_mtim.tv_sec * 1000000 +
                                          (int64_t)info->st_mtim.tv_nsec / 1000,
                           .etag = STR(""),
                           .content_type = STR("application/octet-stream")};

    vec_push(w->a, &w->objects, object);
}

/* `location` is the folder's, with "/" behind. */
static status walk_folder(walk *w, const char *path, str location, int depth, error *err)
{
    arena *own = arena_create();
    entry *entries = NULL;
    size_t count = 0;
    status walked = depth > DEPTH_MAX
                        ? error_set(err, STATUS_INVALID,
                                    "folder \"%s\" lies deeper than %d folders", path, DEPTH_MAX)
                        : read_folder(path, w->unfinished, own, &entries, &count, err);

    for (size_t i = 0; i < count && walked == STATUS_OK && w->objects.count < w->max; i++) {
        const entry *e = &entries[i];
        str here = str_concat(own, location, e->name);

        if (!is_worth_entering(w, here)) {
            continue;
        }
        if (e->folder) {
            char *below =
                fs_join(own, path, str_to_c(own, str_slice(e->name, 0, e->name.size - 1)));

            walked = walk_folder(w, below, here, depth + 1, err);
        } else if (str_starts_with(here, w->prefix) &&
                   (str_is_null(w->after) || str_compare(here, w->after) > 0)) {
            add_object(w, here, &e->info);
        }
    }
    arena_free(own);
    return walked;
}

static status list(storage *st, str prefix, str after, size_t max, bool unfinished, arena *a,
                   store_object **ret_objects, size_t *ret_count, error *err)
{
    walk w = {.prefix = prefix, .after = after, .max = max, .unfinished = unfinished, .a = a};
    size_t slash = str_find_last_char(prefix, '/');
    size_t scheme = store__local_scheme(prefix).size;
    char *path;

    if (slash == STR_NPOS || slash < scheme) {
        return error_set(err, STATUS_INVALID,
                         "location \"%.*s\" is not an absolute path of this machine",
                         STR_ARG(prefix));
    }
    /* The folder that the prefix begins in; the root of the file system is nobody's warehouse. */
    TRY(store__local_path(st, str_slice(prefix, 0, slash), a, &path, err));
    TRY(walk_folder(&w, path, str_slice(prefix, 0, slash + 1), 0, err));
    *ret_objects = w.objects.items;
    *ret_count = w.objects.count;
    return STATUS_OK;
}

status store__local_list(storage *st, str prefix, str after, size_t max, arena *a,
                         store_object **ret_objects, size_t *ret_count, error *err)
{
    return list(st, prefix, after, max, false, a, ret_objects, ret_count, err);
}

status store_list_unfinished(storage *st, str prefix, size_t max, arena *a,
                             store_object **ret_objects, size_t *ret_count, error *err)
{
    return list(st, prefix, STR_NULL, max, true, a, ret_objects, ret_count, err);
}

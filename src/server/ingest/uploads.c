/* The table of loads on their way. */
#include "uploads.h"

#include <unistd.h>

#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/map.h"
#include "tarn/base/mem.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"

#define UPLOADS_MAX 1000
#define UPLOAD_FILES_MAX 10000
#define UPLOAD_IDLE_MS (INT64_C(60) * 60 * 1000)

typedef struct upload_file {
    char *path; /* NULL: not begun */
    str name;
    int64_t size_bytes; /* -1: not finished */
    bool arriving;
} upload_file;

typedef struct upload {
    str principal_id;
    arena *memory;
    VEC(upload_file) files;
    int64_t touched_ms;
} upload;

struct upload_table {
    storage *storage;
    mutex lock;
    map *uploads; /* id -> upload */
};

static void remove_file(void *path)
{
    (void)unlink(path);
}

static void upload_free(void *context)
{
    upload *u = context;
    arena_free(u->memory); /* removes the files */
    mem_free(u);
}

upload_table *uploads_create(storage *st)
{
    upload_table *u = NEW(upload_table);
    u->storage = st;
    mutex_init(&u->lock);
    u->uploads = map_create(NULL);
    return u;
}

void uploads_free(upload_table *u)
{
    map_entry entry;

    if (u == NULL) {
        return;
    }
    for (size_t at = 0; map_next(u->uploads, &at, &entry);) {
        upload_free(entry.value);
    }
    map_free(u->uploads);
    mutex_release(&u->lock);
    mem_free(u);
}

static bool is_arriving(const upload *one)
{
    for (size_t i = 0; i < one->files.count; i++) {
        if (one->files.items[i].arriving) {
            return true;
        }
    }
    return false;
}

/* With the lock held. */
static void forget_idle(upload_table *u)
{
    int64_t now_ms = clock_mono_ms();
    map_entry entry;

    for (size_t at = 0; map_next(u->uploads, &at, &entry);) {
        const upload *one = entry.value;
        if (now_ms - one->touched_ms > UPLOAD_IDLE_MS && !is_arriving(one)) {
            upload_free(map_remove(u->uploads, entry.key));
            at = 0;
        }
    }
}

/* With the lock held. Another's upload is as good as none. */
static upload *find(upload_table *u, const principal *who, str id, error *err)
{
    upload *found = map_get(u->uploads, id);

    if (found == NULL || !str_equal(found->principal_id, who->id)) {
        error_set(err, STATUS_NOT_FOUND, "load \"%.*s\" does not exist", STR_ARG(id));
        return NULL;
    }
    found->touched_ms = clock_mono_ms();
    return found;
}

status uploads_begin(upload_table *u, const principal *who, arena *a, str *ret_id, error *err)
{
    char id[37];
    status result = STATUS_OK;

    random_uuid(id);
    mutex_lock(&u->lock);
    forget_idle(u);
    if (map_count(u->uploads) >= UPLOADS_MAX) {
        result = error_set(err, STATUS_BUSY, "%d loads are on their way already", UPLOADS_MAX);
    } else {
        upload *new = NEW(upload);
        new->memory = arena_create();
        new->principal_id = str_copy(new->memory, who->id);
        new->touched_ms = clock_mono_ms();
        map_set(u->uploads, str_c(id), new);
    }
    mutex_unlock(&u->lock);
    *ret_id = str_copy(a, str_c(id));
    return result;
}

static status begin_file(upload_table *u, upload *one, int64_t number, arena *a, char **ret_path,
                         error *err)
{
    if (number < 0 || number >= UPLOAD_FILES_MAX) {
        return error_set(err, STATUS_INVALID, "file number %lld is not between 0 and %d",
                         (long long)number, UPLOAD_FILES_MAX - 1);
    }
    while (one->files.count <= (size_t)number) {
        vec_push(one->memory, &one->files, ((upload_file){.size_bytes = -1}));
    }
    upload_file *file = &one->files.items[number];
    if (file->arriving || file->size_bytes >= 0) {
        return error_set(err, STATUS_EXISTS, "file %lld of this load was sent already",
                         (long long)number);
    }
    if (file->path == NULL) { /* else it broke off, and is sent again */
        TRY(store_staging_path(u->storage, one->memory, &file->path, err));
        arena_defer(one->memory, remove_file, file->path);
    }
    file->arriving = true;
    *ret_path = arena_strndup(a, file->path, strlen(file->path));
    return STATUS_OK;
}

status uploads_file(upload_table *u, const principal *who, str id, int64_t number, arena *a,
                    char **ret_path, error *err)
{
    mutex_lock(&u->lock);
    upload *one = find(u, who, id, err);
    status result = one == NULL ? STATUS_NOT_FOUND : begin_file(u, one, number, a, ret_path, err);
    mutex_unlock(&u->lock);
    return result;
}

status uploads_file_done(upload_table *u, const principal *who, str id, int64_t number, str name,
                         int64_t size_bytes, error *err)
{
    mutex_lock(&u->lock);
    upload *one = find(u, who, id, err);
    if (one != NULL) {
        upload_file *file = &one->files.items[number];
        file->arriving = false;
        file->name = str_copy(one->memory, name);
        file->size_bytes = size_bytes;
    }
    mutex_unlock(&u->lock);
    return one == NULL ? STATUS_NOT_FOUND : STATUS_OK;
}

status uploads_take(upload_table *u, const principal *who, str id, arena *a,
                    load_input **ret_inputs, size_t *ret_count, error *err)
{
    mutex_lock(&u->lock);
    upload *one = find(u, who, id, err);
    if (one != NULL && one->files.count == 0) { /* the load stays, and can still be given some */
        error_set(err, STATUS_INVALID, "load \"%.*s\" has no files", STR_ARG(id));
        error_hint(err, "Send each file with PUT /api/v1/loads/ID/files/NUMBER first.");
        mutex_unlock(&u->lock);
        return STATUS_INVALID;
    }
    for (size_t i = 0; one != NULL && i < one->files.count; i++) {
        if (one->files.items[i].size_bytes < 0) {
            error_set(err, STATUS_INVALID, "file %zu of load \"%.*s\" was not sent whole", i,
                      STR_ARG(id));
            mutex_unlock(&u->lock);
            return STATUS_INVALID;
        }
    }
    if (one != NULL) {
        (void)map_remove(u->uploads, id);
    }
    mutex_unlock(&u->lock);
    if (one == NULL) {
        return STATUS_NOT_FOUND;
    }
    arena_defer(a, upload_free, one);
    load_input *inputs = ARENA_ARRAY(a, load_input, one->files.count);
    for (size_t i = 0; i < one->files.count; i++) {
        const upload_file *file = &one->files.items[i];
        inputs[i] =
            (load_input){.name = file->name, .path = file->path, .size_bytes = file->size_bytes};
    }
    *ret_inputs = inputs;
    *ret_count = one->files.count;
    return STATUS_OK;
}

status uploads_end(upload_table *u, const principal *who, str id, error *err)
{
    mutex_lock(&u->lock);
    upload *one = find(u, who, id, err);
    if (one != NULL) {
        (void)map_remove(u->uploads, id);
    }
    mutex_unlock(&u->lock);
    if (one == NULL) {
        return STATUS_NOT_FOUND;
    }
    upload_free(one);
    return STATUS_OK;
}

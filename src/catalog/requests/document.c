/* document.c: tables as loadTable answers them, kept in memory and known to be current. The text of
 * large ones is a file in memory, from which sockets take it without a copy.
 *
 * What is kept under a name is what the database says of it, without asking:
 *   1. A change of a table's row is announced inside its transaction (catalog__document_changes). From then on nothing
 *      that is kept under the name is handed out unasked.
 *   2. When the transaction has ended, the next document takes the place of the kept one, or nothing does.
 *   3. A load keeps what it read only if no change was announced or ended since it began, so that a slow one never puts
 *      back what a commit has replaced.
 * Meanwhile loads ask the database, and take the kept document where it is still what the row points to.
 *
 * Documents of plain folders are kept too, but never handed out unasked: others may take the file away. In the store
 * they do so through S3: then store_generation moves, and each document is handed out unasked again once a load has
 * found its file there. */
#include "tarn/catalog/document.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"

#include "internal.h"

/* Of names that loops look up; longer ones are looked up by catalog_load_document. */
#define KEY_SIZE_MAX 1024

/* Documents that a socket takes from a file: smaller ones are copied as quickly, and the sizes above find the memory
 * that sendmsg takes in larger pieces. So many at most, for descriptors are few. */
#define FILE_BYTES_MIN ((size_t)64 * 1024)
#define FILE_BYTES_MAX ((size_t)1024 * 1024)
#define FILES_MAX 128

static _Atomic int file_count;

typedef struct kept_document kept_document;
struct kept_document {
    str key;
    catalog_document *document;   /* one reference; NULL: none is kept */
    bool asked;                   /* for this document: the next one is worth preparing */
    int changes;                  /* announced and not ended */
    int loads;                    /* under way */
    uint64_t generation;          /* counts announced and ended changes */
    uint64_t looked;              /* store_generation before the document's file was looked at */
    kept_document *newer, *older; /* among those that keep one */
};

struct catalog__documents {
    mutex lock;
    map *entries; /* key -> kept_document */
    kept_document *newest, *oldest;
    size_t size_bytes, size_bytes_max;
};

struct catalog__documents *catalog__documents_create(size_t size_bytes_max)
{
    struct catalog__documents *d = NEW(struct catalog__documents);

    mutex_init(&d->lock);
    d->entries = map_create(NULL);
    d->size_bytes_max = size_bytes_max;
    return d;
}

void catalog__documents_free(struct catalog__documents *d)
{
    map_entry entry;

    if (d == NULL) {
        return;
    }
    for (size_t at = 0; map_next(d->entries, &at, &entry);) {
        kept_document *kept = entry.value;

        catalog_document_unref(kept->document);
        mem_free(kept);
    }
    map_free(d->entries);
    mutex_release(&d->lock);
    mem_free(d);
}

/* ---- one document ---- */

static catalog_document *ref(catalog_document *d)
{
    atomic_fetch_add_explicit(&d->references, 1, memory_order_relaxed);
    return d;
}

/* ---- its file ---- */

static bool file_fits(size_t size)
{
    return size >= FILE_BYTES_MIN && size <= FILE_BYTES_MAX;
}

/* The text goes to a file in memory, and `all` to where that is mapped. False: there is no room for one more. */
static bool file_make(catalog_document *d, str text)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    void *at = MAP_FAILED;
    int fd = -1;

    if (atomic_fetch_add(&file_count, 1) < FILES_MAX) {
        fd = memfd_create("tarn", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    if (fd >= 0 && fs_write_all(fd, text.data, text.size, NULL) == STATUS_OK &&
        fcntl(fd, F_ADD_SEALS, seals) == 0) {
        at = mmap(NULL, text.size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    if (at == MAP_FAILED) {
        fs_close(fd);
        atomic_fetch_sub(&file_count, 1);
        return false;
    }
    d->file = fd;
    d->all = str_from(at, text.size);
    return true;
}

static void file_release(catalog_document *d)
{
    if (d->file >= 0) {
        (void)munmap((void *)(uintptr_t)d->all.data, d->all.size);
        fs_close(d->file);
        atomic_fetch_sub(&file_count, 1);
    }
}

void catalog_document_unref(catalog_document *d)
{
    if (d != NULL && atomic_fetch_sub_explicit(&d->references, 1, memory_order_acq_rel) == 1) {
        ice_metadata_unref(d->metadata);
        file_release(d);
        mem_free(d);
    }
}

/* `*at` moves behind the copy. */
static str put(char **at, str text)
{
    char *start = *at;

    if (str_is_null(text)) {
        return STR_NULL;
    }
    if (text.size > 0) {
        memcpy(start, text.data, text.size);
    }
    start[text.size] = '\0';
    *at = start + text.size + 1;
    return str_from(start, text.size);
}

static status make(const ice_metadata *m, const table_info *info, catalog_document **ret_document,
                   error *err)
{
    bool same = ice_metadata_is_named(m); /* then both texts are the same */
    buf all, refs;

    buf_init(&all, LIMIT_METADATA_FILE);
    buf_init(&refs, LIMIT_METADATA_FILE);
    ice_metadata_format(m, &all);
    if (!same) {
        ice_metadata_format_named(m, &refs);
    }
    status result = buf_check(&all, "table metadata", err);
    if (result == STATUS_OK) {
        result = buf_check(&refs, "table metadata", err);
    }
    if (result == STATUS_OK) {
        catalog_document file = {.file = -1};
        bool has_file = file_fits(all.size) && file_make(&file, buf_str(&all));
        catalog_document *d = mem_alloc(sizeof(*d) + info->metadata_location.size +
                                        info->uuid.size + info->location.size + info->rebase.size +
                                        (has_file ? 0 : all.size) + refs.size + 6);
        char *at = (char *)(d + 1);

        d->metadata_location = put(&at, info->metadata_location);
        d->uuid = put(&at, info->uuid);
        d->location = put(&at, info->location);
        d->rebase = put(&at, info->rebase);
        d->registered = info->registered;
        d->file = file.file;
        d->all = has_file ? file.all : put(&at, buf_str(&all));
        d->refs = same ? d->all : put(&at, buf_str(&refs));
        d->metadata = ice_metadata_ref(m);
        d->size_bytes = sizeof(*d) + all.size + refs.size + arena_used_bytes(m->memory);
        atomic_init(&d->references, 1);
        *ret_document = d;
    }
    buf_release(&refs);
    buf_release(&all);
    return result;
}

/* ---- keys, as catalog__table_key makes them ---- */

static str join_key(arena *a, str space_key, str table_key)
{
    char *key = arena_alloc(a, space_key.size + table_key.size + 2);

    memcpy(key, space_key.data, space_key.size);
    memcpy(key + space_key.size + 1, table_key.data, table_key.size);
    return str_from(key, space_key.size + 1 + table_key.size);
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* False for a name that is too long for it. */
static bool table_key_in(table_name name, char room[KEY_SIZE_MAX], str *ret_key)
{
    size_t size = 0;

    if (name.space.size + name.table.size >= KEY_SIZE_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.space.size; i++) {
        room[size++] = fold(name.space.data[i]);
    }
    room[size++] = '\0';
    for (size_t i = 0; i < name.table.size; i++) {
        room[size++] = fold(name.table.data[i]);
    }
    *ret_key = str_from(room, size);
    return true;
}

/* ---- what is kept; with the lock held ---- */

static kept_document *enter(struct catalog__documents *d, str key)
{
    kept_document *kept = map_get(d->entries, key);

    if (kept == NULL) {
        kept = mem_alloc(sizeof(*kept) + key.size);
        memcpy(kept + 1, key.data, key.size);
        kept->key = str_from((const char *)(kept + 1), key.size);
        map_set(d->entries, kept->key, kept);
    }
    return kept;
}

static void leave(struct catalog__documents *d, kept_document *kept)
{
    if (kept->document == NULL && kept->changes == 0 && kept->loads == 0) {
        map_remove(d->entries, kept->key);
        mem_free(kept);
    }
}

static void unlink_kept(struct catalog__documents *d, kept_document *kept)
{
    *(kept->newer != NULL ? &kept->newer->older : &d->newest) = kept->older;
    *(kept->older != NULL ? &kept->older->newer : &d->oldest) = kept->newer;
    kept->newer = kept->older = NULL;
}

static void link_newest(struct catalog__documents *d, kept_document *kept)
{
    kept->older = d->newest;
    *(d->newest != NULL ? &d->newest->newer : &d->oldest) = kept;
    d->newest = kept;
}

static void touch(struct catalog__documents *d, kept_document *kept)
{
    kept->asked = true;
    if (d->newest != kept) {
        unlink_kept(d, kept);
        link_newest(d, kept);
    }
}

/* What was kept, for the caller to release without the lock; NULL: nothing. */
static catalog_document *take(struct catalog__documents *d, kept_document *kept)
{
    catalog_document *taken = kept->document;

    if (taken != NULL) {
        unlink_kept(d, kept);
        d->size_bytes -= taken->size_bytes;
        kept->document = NULL;
        kept->asked = false;
    }
    return taken;
}

/* The entry keeps none. Others give way where there is no room. */
static void keep(struct catalog__documents *d, kept_document *kept, catalog_document *document,
                 uint64_t looked)
{
    size_t size = document->size_bytes;

    if (size > d->size_bytes_max) {
        return;
    }
    while (d->size_bytes + size > d->size_bytes_max) {
        kept_document *oldest = d->oldest;

        catalog_document_unref(take(d, oldest));
        leave(d, oldest);
    }
    kept->document = ref(document);
    kept->looked = looked;
    d->size_bytes += size;
    link_newest(d, kept);
}

/* ---- changes ---- */

typedef struct document_change {
    struct catalog__documents *documents;
    kept_document *kept;
    uint64_t generation, looked;
    catalog_document *next; /* one reference; NULL: who loads the table next makes it */
} document_change;

static void end_change(void *context, state_outcome outcome)
{
    document_change *change = context;
    struct catalog__documents *d = change->documents;
    kept_document *kept = change->kept;
    catalog_document *old = NULL;

    mutex_lock(&d->lock);
    kept->changes--;
    if (outcome != STATE_ROLLED_BACK) {
        old = take(d, kept);
    }
    if (outcome == STATE_COMMITTED && change->next != NULL && kept->changes == 0 &&
        kept->generation == change->generation) {
        keep(d, kept, change->next, change->looked);
    }
    kept->generation++;
    leave(d, kept);
    mutex_unlock(&d->lock);
    catalog_document_unref(old);
    catalog_document_unref(change->next);
}

void catalog__document_changes(catalog *c, state_txn *txn, str space_key, str table_key,
                               catalog_document *next)
{
    arena *a = state_txn_arena(txn);
    struct catalog__documents *d = c->documents;
    document_change *change = ARENA_NEW(a, document_change);

    ASSERT(d != NULL); /* views of transactions change nothing */
    change->documents = d;
    change->next = next != NULL ? ref(next) : NULL;
    change->looked = store_generation(c->storage);
    mutex_lock(&d->lock);
    change->kept = enter(d, join_key(a, space_key, table_key));
    change->kept->changes++;
    change->generation = ++change->kept->generation;
    mutex_unlock(&d->lock);
    state_at_end(txn, end_change, change);
}

catalog_document *catalog__document_prepare(catalog *c, str key, str base_location,
                                            str new_location, const ice_metadata *metadata)
{
    struct catalog__documents *d = c->documents;
    catalog_document *base = NULL;
    catalog_document *next = NULL;

    mutex_lock(&d->lock);
    kept_document *kept = map_get(d->entries, key);
    if (kept != NULL && kept->document != NULL && kept->asked &&
        str_equal(kept->document->metadata_location, base_location) &&
        str_equal(kept->document->metadata->location, metadata->location) &&
        str_equal(kept->document->metadata->uuid, metadata->uuid)) {
        base = ref(kept->document);
    }
    mutex_unlock(&d->lock);
    if (base != NULL) {
        const table_info info = {.uuid = base->uuid,
                                 .location = base->location,
                                 .rebase = base->rebase,
                                 .registered = base->registered,
                                 .metadata_location = new_location};

        (void)make(metadata, &info, &next, NULL); /* without it the next load tells what is wrong */
        catalog_document_unref(base);
    }
    return next;
}

/* ---- loads ---- */

catalog_document *catalog_find_document(catalog *c, table_name name)
{
    struct catalog__documents *d = c->documents;
    catalog_document *found = NULL;
    char folded[KEY_SIZE_MAX];
    str key;

    if (d == NULL || !table_key_in(name, folded, &key)) {
        return NULL;
    }
    uint64_t generation = store_generation(c->storage);
    mutex_lock(&d->lock);
    kept_document *kept = map_get(d->entries, key);
    if (kept != NULL && kept->document != NULL && kept->changes == 0 &&
        kept->looked == generation && !store_is_local(kept->document->metadata_location)) {
        touch(d, kept);
        found = ref(kept->document);
    }
    mutex_unlock(&d->lock);
    return found;
}

static bool is_of(const catalog_document *d, const table_info *info)
{
    return str_equal(d->metadata_location, info->metadata_location) &&
           str_equal(d->uuid, info->uuid) && str_equal(d->location, info->location);
}

/* One reference to what is kept under the key, where it is what the row says, and `metadata`, whose file was looked at,
 * or of a file that is as it was; NULL. */
static catalog_document *kept_of(struct catalog__documents *d, str key, const table_info *info,
                                 const ice_metadata *metadata, uint64_t generation)
{
    catalog_document *found = NULL;

    mutex_lock(&d->lock);
    kept_document *kept = map_get(d->entries, key);
    if (kept != NULL && kept->document != NULL && is_of(kept->document, info) &&
        (kept->looked == generation || kept->document->metadata == metadata)) {
        touch(d, kept);
        found = ref(kept->document);
    }
    mutex_unlock(&d->lock);
    return found;
}

static kept_document *begin_load(struct catalog__documents *d, str key, uint64_t *ret_generation)
{
    mutex_lock(&d->lock);
    kept_document *kept = enter(d, key);
    kept->loads++;
    *ret_generation = kept->generation;
    mutex_unlock(&d->lock);
    return kept;
}

/* `document` NULL: it failed. */
static void end_load(struct catalog__documents *d, kept_document *kept, uint64_t generation,
                     catalog_document *document, uint64_t looked)
{
    catalog_document *old = NULL;

    mutex_lock(&d->lock);
    kept->loads--;
    if (document != NULL && kept->document != document && kept->changes == 0 &&
        kept->generation == generation) {
        old = take(d, kept);
        keep(d, kept, document, looked);
    } else if (document != NULL && kept->document == document) {
        kept->looked = looked > kept->looked ? looked : kept->looked;
    }
    leave(d, kept);
    mutex_unlock(&d->lock);
    catalog_document_unref(old);
}

/* In a plain folder others may take the file away. */
static status check_file(catalog *c, str location, arena *a, error *err)
{
    store_object ignored;

    if (!store_is_local(location)) {
        return STATUS_OK;
    }
    status result = store_stat(c->storage, location, a, &ignored, err);
    if (result == STATUS_NOT_FOUND && err != NULL) {
        error_clear(err);
        error_set(err, result, "metadata file \"%.*s\" does not exist", STR_ARG(location));
    }
    return result;
}

static status load(catalog *c, table_name name, str key, uint64_t looked, arena *a,
                   catalog_document **ret_document, error *err)
{
    ice_metadata *metadata = NULL;
    catalog_document *found = NULL;
    table_info info;

    TRY(catalog__load_table(c, name, a, &metadata, &info, err));
    status result = check_file(c, info.metadata_location, a, err);
    if (result == STATUS_OK && c->documents != NULL) {
        found = kept_of(c->documents, key, &info, metadata, looked);
    }
    if (result == STATUS_OK && found == NULL) {
        result = make(metadata, &info, &found, err);
    }
    ice_metadata_unref(metadata);
    if (result == STATUS_OK) {
        *ret_document = found;
    }
    return result;
}

status catalog_load_document(catalog *c, table_name name, catalog_document **ret_document,
                             error *err)
{
    struct catalog__documents *d = c->documents;
    arena *a = arena_create();
    str key = catalog__table_key(a, name);
    uint64_t generation = 0;
    uint64_t looked = store_generation(c->storage);
    catalog_document *document = NULL;
    kept_document *kept = d != NULL ? begin_load(d, key, &generation) : NULL;
    status result = load(c, name, key, looked, a, &document, err);

    if (kept != NULL) {
        end_load(d, kept, generation, document, looked);
    }
    arena_free(a);
    if (result == STATUS_OK) {
        *ret_document = document;
    }
    return result;
}

status catalog_make_document(catalog *c, table_name name, const ice_metadata *metadata,
                             const table_info *info, catalog_document **ret_document, error *err)
{
    char folded[KEY_SIZE_MAX];
    catalog_document *found = NULL;
    str key;

    if (c->documents != NULL && !str_is_null(info->metadata_location) &&
        table_key_in(name, folded, &key)) {
        found = kept_of(c->documents, key, info, metadata, store_generation(c->storage));
    }
    if (found != NULL) {
        *ret_document = found;
        return STATUS_OK;
    }
    return make(metadata, info, ret_document, err);
}

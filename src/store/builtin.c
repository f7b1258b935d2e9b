/* The built-in store: blobs under opaque ids, and rows that name them.
 *
 * Where a blob lies follows from its id alone: blobs/<epoch>/<shard>/<id>. Blobs of one time
 * share a shard, so that concurrent writers share the sync of its folder. What a start does is
 * in epoch.c, what happens in the background in care.c, what a blob says of itself in names.c. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "rows.h"
#include "tarn/base/fs.h"
#include "tarn/base/rng.h"

#define BLOBS_PER_SHARD 256
#define SHARDS 256
#define EPOCH_DIGITS 8
#define SHARD_DIGITS 2
#define PREALLOCATE_MIN_BYTES ((int64_t)1024 * 1024)

/* --- ids --- */

blob_id store__blob_id(str text)
{
    blob_id id;

    ASSERT(text.size == BLOB_ID_SIZE);
    memcpy(id.text, text.data, BLOB_ID_SIZE);
    id.text[BLOB_ID_SIZE] = '\0';
    return id;
}

bool store__is_blob_id(str text)
{
    if (text.size != BLOB_ID_SIZE) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

char *store__blob_path(const storage *st, arena *a, blob_id id)
{
    return arena_printf(a, "%s/%.*s/%.*s/%s", st->blobs_path, EPOCH_DIGITS, id.text, SHARD_DIGITS,
                        id.text + EPOCH_DIGITS, id.text);
}

/* Only a hint, and ext4's: shards lie in block groups of their own, not all in one. Without a journal ext4 looks past
 * each inode of a group that was deleted within the last 35 seconds when it makes a file there, and what is deleted is
 * mostly of another shard than what is made. */
static void spread_shards(const char *epoch_folder)
{
    int flags = 0;
    int fd = -1;

    if (fs_open(epoch_folder, O_RDONLY | O_DIRECTORY, 0, &fd, NULL) == STATUS_OK &&
        ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_TOPDIR_FL) == 0) {
        flags |= FS_TOPDIR_FL;
        (void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
    fs_close(fd);
}

static status make_folder(const storage *st, const char *path, error *err)
{
    return st->options.unsafe ? fs_make_dirs(path, 0700, err)
                              : fs_make_dirs_synced(path, 0700, err);
}

static status make_shard(storage *st, arena *a, unsigned shard, error *err)
{
    char *epoch_folder = arena_printf(a, "%s/%08" PRIx32, st->blobs_path, st->epoch);

    if (st->blobs_made == 0) {
        TRY(make_folder(st, epoch_folder, err));
        spread_shards(epoch_folder);
    }
    return make_folder(st, arena_printf(a, "%s/%02x", epoch_folder, shard), err);
}

/* A fresh id, and its folder, which is durable: made when the first blob needs it. Ids count up, so that rows of new
 * blobs lie side by side; what makes them unique, also among copies of this folder, is their end. */
static status new_id(storage *st, store_staged *staged, error *err)
{
    status made = STATUS_OK;
    unsigned shard;
    uint64_t random;
    uint64_t number;

    mutex_lock(&st->shard_lock);
    number = st->blobs_made;
    shard = (unsigned)(st->blobs_made / BLOBS_PER_SHARD % SHARDS);
    if (st->blobs_made % BLOBS_PER_SHARD == 0) {
        made = make_shard(st, staged->memory, shard, err);
    }
    st->blobs_made += made == STATUS_OK;
    mutex_unlock(&st->shard_lock);
    TRY(made);
    random_bytes(&random, sizeof(random));
    (void)snprintf(staged->id.text, sizeof(staged->id.text),
                   "%08" PRIx32 "%02x%06" PRIx64 "%016" PRIx64, st->epoch, shard, number & 0xffffff,
                   random);
    staged->path = store__blob_path(st, staged->memory, staged->id);
    staged->folder =
        arena_strndup(staged->memory, staged->path, str_find_last_char(str_c(staged->path), '/'));
    return STATUS_OK;
}

blob_id store__small_id(storage *st)
{
    uint64_t random;
    uint64_t number;
    blob_id id;

    mutex_lock(&st->shard_lock);
    number = st->small_made++;
    mutex_unlock(&st->shard_lock);
    random_bytes(&random, sizeof(random));
    (void)snprintf(id.text, sizeof(id.text), "%08" PRIx32 "ff%06" PRIx64 "%016" PRIx64, st->epoch,
                   number & 0xffffff, random);
    return id;
}

/* --- staging --- */

/* The id of the version that it will be, so that the blob's names have it. */
static void propose_version(storage *st, store_staged *staged)
{
    const bucket_ref *bucket;

    if (st->state != NULL && bucket_acquire(st, staged->bucket, &bucket, NULL) == STATUS_OK) {
        if (bucket_ref_info(bucket)->versioning == VERSIONING_ENABLED) {
            staged->version = store__new_version(staged->memory);
        }
        bucket_release(bucket);
    }
}

static status check(storage *st, str location, store_staged *staged, error *err)
{
    str bucket;
    str key;

    TRY(store__split_s3(location, true, &bucket, &key, err));
    if (staged != NULL) {
        staged->bucket = bucket;
        staged->key = key;
        propose_version(st, staged);
    }
    return STATUS_OK;
}

static status create(storage *st, store_staged *staged, int64_t size_bytes, error *err)
{
    status opened;

    TRY(new_id(st, staged, err));
    opened = fs_open(staged->folder, O_TMPFILE | O_RDWR, 0600, &staged->fd, err);
    if (opened == STATUS_UNSUPPORTED ||
        opened == STATUS_INVALID) { /* a file system without unnamed files */
        staged->beside = fs_join(staged->memory, st->staging_path, staged->id.text);
        opened = fs_open(staged->beside, O_RDWR | O_CREAT | O_EXCL, 0600, &staged->fd, err);
    }
    TRY(opened);
    if (size_bytes >= PREALLOCATE_MIN_BYTES &&
        fallocate(staged->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size_bytes) != 0 && errno == ENOSPC) {
        return error_errno(err, STATUS_NO_SPACE, ENOSPC, "could not reserve %" PRId64 " bytes",
                           size_bytes);
    }
    return STATUS_OK;
}

static status adopt(storage *st, store_staged *staged, const char *path, bool *ret_adopted,
                    error *err)
{
    struct stat info;

    TRY(new_id(st, staged, err));
    if (link(path, staged->path) != 0) {
        if (errno == ENOENT) {
            return error_set(err, STATUS_NOT_FOUND, "file \"%s\" does not exist", path);
        }
        *ret_adopted =
            false; /* another file system, too many links, not permitted: the bytes are copied */
        return STATUS_OK;
    }
    staged->named = true;
    TRY(fs_open(staged->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &staged->fd, err));
    if (fstat(staged->fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return error_set(err, STATUS_INVALID, "\"%s\" is not a file", path);
    }
    *ret_adopted = true;
    return STATUS_OK;
}

static status seal(storage *st, store_staged *staged, error *err)
{
    TRY(store__write_names(st, staged, err));
    /* Read-only from now on: whoever held the old name of a file could still write through it. Not
       before it has its names: only root may give attributes to what nobody may write. */
    if (fchmod(staged->fd, 0400) != 0) {
        return error_errno(err, STATUS_IO, errno, "could not protect file \"%s\"", staged->path);
    }
    if (staged->named) {
        return STATUS_OK;
    }
    TRY(fs_link_fd(staged->fd, staged->path, err));
    staged->named = true;
    if (staged->beside != NULL) {
        TRY(fs_remove(staged->beside, err));
        staged->beside = NULL;
    }
    return STATUS_OK;
}

/* --- publishing and removing --- */

/* Of encrypted bytes, or in a segment. */
static status insert_special_blob(state_txn *txn, const store_staged *file, error *err)
{
    bool small = file->segment.text[0] != '\0';

    TRY(STATE_EXEC(txn,
                   "INSERT INTO blobs (id, size_bytes, crcs, owners, seal, file, file_offset, "
                   "file_bytes) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7)",
                   NULL, err, SV_TEXT(str_c(file->id.text)), SV_INT(file->size_bytes),
                   SV_BLOB(file->crcs), str_is_empty(file->seal) ? SV_NULL : SV_BLOB(file->seal),
                   small ? SV_TEXT(str_c(file->segment.text)) : SV_NULL, SV_INT(file->file_offset),
                   SV_INT(file->record_bytes)));
    return small
               ? store__segment_change_live(txn, str_c(file->segment.text), file->record_bytes, err)
               : STATUS_OK;
}

/* `owners` objects of it are published. */
static status insert_blob(state_txn *txn, const store_staged *file, int64_t owners, error *err)
{
    if (file->segment.text[0] != '\0' || !str_is_empty(file->seal)) {
        return insert_special_blob(txn, file, err);
    }
    if (file->sizes.size == 0) {
        return STATE_EXEC(
            txn, "INSERT INTO blobs (id, size_bytes, crcs, owners) VALUES (?1, ?2, ?3, 1)", NULL,
            err, SV_TEXT(str_c(file->id.text)), SV_INT(file->size_bytes), SV_BLOB(file->crcs));
    }
    return STATE_EXEC(
        txn,
        "INSERT INTO blobs (id, size_bytes, crcs, owners, parts) VALUES (?1, ?2, ?3, ?4, ?5) "
        "ON CONFLICT (id) DO UPDATE SET owners = blobs.owners + excluded.owners",
        NULL, err, SV_TEXT(str_c(file->id.text)), SV_INT(file->size_bytes), SV_BLOB(file->crcs),
        SV_INT(owners), SV_BLOB(file->sizes));
}

/* The row of the first part of a pack is made for all of its parts that are published here. */
static status publish_blob(storage *st, state_txn *txn, store_staged *const *staged, size_t count,
                           size_t index, error *err)
{
    const store_staged *carrier = staged[index]->carrier;
    int64_t owners = 0;

    if (carrier == NULL) {
        return insert_blob(txn, staged[index], 1, err);
    }
    for (size_t i = 0; i < index; i++) {
        if (staged[i]->carrier == carrier) {
            return STATUS_OK;
        }
    }
    for (size_t i = index; i < count; i++) {
        owners += staged[i]->carrier == carrier;
    }
    TRY(store__enter_publication(st, staged[index], txn, err));
    return insert_blob(txn, carrier, owners, err);
}

status store__publish_blobs(storage *st, state_txn *txn, store_staged *const *staged, size_t count,
                            error *err)
{
    for (size_t i = 0; i < count; i++) {
        TRY(publish_blob(st, txn, staged, count, i, err));
    }
    return STATUS_OK;
}

static status publish_object(storage *st, state_txn *txn, const bucket_rules *rules,
                             const store_staged *s, usage_change *change, error *err)
{
    object_row row = {.blob = s->id, .offset = s->offset};

    row.info = (object_info){.bucket = s->bucket,
                             .key = s->key,
                             .version = s->version,
                             .etag = s->etag,
                             .size_bytes = s->size_bytes,
                             .modified_us = s->created_us,
                             .attributes.content_type = s->content_type};
    return store__put_row(st, txn, rules, &row, NULL, change, state_txn_arena(txn), NULL, err);
}

/* Objects of one bucket. */
static status publish_run(storage *st, state_txn *txn, store_staged *const *staged, size_t count,
                          error *err)
{
    usage_change change = {0};
    bucket_rules rules;

    TRY(store__read_rules(txn, staged[0]->bucket, &rules, err));
    for (size_t i = 0; i < count; i++) {
        TRY(publish_object(st, txn, &rules, staged[i], &change, err));
    }
    return store__change_usage(txn, rules.name, &change, err);
}

static status publish(storage *st, state_txn *txn, store_staged *const *staged, size_t count,
                      error *err)
{
    TRY(store__publish_blobs(st, txn, staged, count, err));
    for (size_t from = 0; from < count;) {
        size_t to = from + 1;

        while (to < count && str_equal(staged[to]->bucket, staged[from]->bucket)) {
            to++;
        }
        TRY(publish_run(st, txn, staged + from, to - from, err));
        from = to;
    }
    return STATUS_OK;
}

static void end(storage *st, store_staged *staged, state_outcome outcome)
{
    if (staged->carrier != NULL) {
        store__leave_pack(st, staged, outcome);
        return;
    }
    if (staged->segment.text[0] != '\0') {
        if (outcome == STATE_ROLLED_BACK && !staged->stays) {
            store__segment_take_back(st, staged);
        }
        store__segment_leave(st, staged);
        return;
    }
    if (outcome != STATE_ROLLED_BACK || staged->stays) {
        return;
    }
    if (staged->beside != NULL) {
        (void)fs_remove(staged->beside, NULL);
    }
    if (staged->named) {
        store__remove_later(st, staged->id, false);
    } else if (staged->path != NULL) { /* names may have been written before the name was given */
        (void)fs_remove(store__sidecar_path(staged->memory, staged->path), NULL);
    }
}

/* Objects of one bucket, from `from` on; `*ret_to` is where the next one's begin. */
static status remove_run(storage *st, state_txn *txn, const str *locations, size_t count,
                         size_t from, size_t *ret_to, error *err)
{
    usage_change change = {0};
    bucket_rules rules;
    bool known;
    str bucket;
    str next;
    str key;

    TRY(store__split_s3(locations[from], true, &bucket, &key, err));
    TRY(store__find_rules(txn, bucket, &rules, &known, err));
    for (*ret_to = from; *ret_to < count; ++*ret_to) {
        TRY(store__split_s3(locations[*ret_to], true, &next, &key, err));
        if (!str_equal(next, bucket)) {
            break;
        }
        if (known) {
            TRY(store__delete_key(st, txn, &rules, key, &change, err));
        }
    }
    return store__change_usage(txn, bucket, &change, err);
}

static status remove_all(storage *st, state_txn *txn, const str *locations, size_t count,
                         error *err)
{
    for (size_t from = 0; from < count;) {
        TRY(remove_run(st, txn, locations, count, from, &from, err));
    }
    return STATUS_OK;
}

/* --- finding --- */

typedef struct finding {
    str location;
    str bucket, key;
    arena *a;
    bool with_crcs;
    bool found;
    store_source source;
} finding;

static status read_object(void *context, state_txn *txn, error *err)
{
    finding *f = context;
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(
        txn,
        "SELECT o.blob, o.size_bytes, o.etag, o.content_type, o.modified_us, o.blob_offset, b.parts, "
        "b.file, b.seal FROM objects o JOIN blobs b ON b.id = o.blob "
        "WHERE o.bucket = ?1 AND o.key = ?2",
        &rows, err, SV_TEXT(f->bucket), SV_TEXT(f->key)));
    TRY(state_next(rows, &row, err));
    f->found = row;
    if (!row) {
        return STATUS_OK;
    }
    if (!store__is_blob_id(state_text(rows, 0, NULL))) {
        return error_set(err, STATUS_CORRUPT, "object \"%.*s\" has no valid blob id",
                         STR_ARG(f->location));
    }
    f->source.id = store__blob_id(state_text(rows, 0, NULL));
    f->source.object = (store_object){.location = f->location,
                                      .size_bytes = state_int(rows, 1),
                                      .etag = state_text(rows, 2, f->a),
                                      .content_type = state_text(rows, 3, f->a),
                                      .modified_us = state_int(rows, 4)};
    f->source.offset = state_int(rows, 5);
    f->source.packed = state_text(rows, 6, NULL).size > 0;
    f->source.seal = state_text(rows, 8, f->a);
    if (store__is_blob_id(state_text(rows, 7, NULL))) {
        f->source.file = store__blob_id(state_text(rows, 7, NULL));
    }
    state_finish(rows);
    return f->with_crcs
               ? store__read_source(txn, f->source.id, f->source.offset, f->a, &f->source, err)
               : STATUS_OK;
}

static status find(storage *st, str location, bool with_crcs, arena *a, store_source *ret_source,
                   error *err)
{
    finding f = {.location = str_copy(a, location), .a = a, .with_crcs = with_crcs};

    if (store__find_exposed(st, f.location, a, ret_source)) {
        return STATUS_OK;
    }
    TRY(store__split_s3(f.location, true, &f.bucket, &f.key, err));
    TRY(state_read(st->state, read_object, &f, err));
    if (!f.found) {
        return error_set(err, STATUS_NOT_FOUND, "object \"%.*s\" does not exist",
                         STR_ARG(location));
    }
    *ret_source = f.source;
    return STATUS_OK;
}

static status stat_object(storage *st, str location, arena *a, store_object *ret_object, error *err)
{
    store_source source;

    TRY(find(st, location, false, a, &source, err));
    *ret_object = source.object;
    return STATUS_OK;
}

static status missing(const store_source *source, error *err)
{
    return error_set(err, STATUS_CORRUPT,
                     "object \"%.*s\" has lost its bytes: blob %s is not there",
                     STR_ARG(source->object.location), source->id.text);
}

/* Between the row and the file the object may be replaced or removed, or its bytes may move: then the row has changed
 * as well, and is looked at again. A file that is missing while its row stays is lost. */
static status open_object(storage *st, str location, arena *a, store_source *ret_source, error *err)
{
    store_source before = {.offset = -1};

    for (;;) {
        store_source source;
        status opened;

        TRY(find(st, location, true, a, &source, err));
        opened = store__open_source(st, a, &source, err);
        if (opened == STATUS_OK) {
            *ret_source = source;
            return STATUS_OK;
        }
        if (opened != STATUS_NOT_FOUND) {
            return opened;
        }
        if (store__is_same_place(&before, &source)) {
            store__note_corrupt(st, store__bytes_id(source.id, source.packed, source.offset));
            return missing(&source, err);
        }
        before = source;
    }
}

/* What shares its file with others has none to link: its bytes are copied, verified, and get the name when they are
 * whole. */
static status copy_part(storage *st, str location, const char *folder, const char *name, arena *a,
                        char **ret_path, error *err)
{
    store_source source = {.fd = -1};
    store_reader *reader;
    status copied;
    bytes_id own;
    char *path;
    str bytes;

    TRY(open_object(st, location, a, &source, err));
    own = store__bytes_id(source.id, source.packed, source.offset);
    path = fs_join(a, folder, name != NULL ? name : own.text);
    TRY(store__reader_over(st, arena_create(), &source, &reader));
    copied = store__read_whole(reader, (size_t)source.object.size_bytes, a, &bytes, err);
    store_reader_close(reader);
    TRY(copied);
    copied = store__write_copy(folder, path, bytes, err);
    if (copied == STATUS_EXISTS && name == NULL) {
        if (err != NULL) {
            error_clear(err);
        }
        copied = STATUS_OK;
    }
    TRY(copied);
    *ret_path = path;
    return STATUS_OK;
}

static status link_object(storage *st, str location, const char *folder, const char *name, arena *a,
                          char **ret_path, error *err)
{
    blob_id before = {.text = ""};

    for (;;) {
        store_source source;
        status linked;

        char *path;

        TRY(find(st, location, false, a, &source, err));
        if (!str_is_empty(source.seal)) { /* the bytes must not lie in the clear on the disk */
            *ret_path = NULL;
            return STATUS_OK;
        }
        if (source.packed || source.file.text[0] != '\0') {
            return copy_part(st, location, folder, name, a, ret_path, err);
        }
        path = fs_join(a, folder, name != NULL ? name : source.id.text);
        linked = fs_link(store__blob_path(st, a, source.id), path, err);
        if (linked == STATUS_EXISTS && name == NULL) { /* a blob's bytes never change */
            if (err != NULL) {
                error_clear(err);
            }
            linked = STATUS_OK;
        }
        if (linked == STATUS_OK) {
            *ret_path = path;
            return STATUS_OK;
        }
        if (linked != STATUS_NOT_FOUND || !fs_exists(folder)) {
            return linked;
        }
        if (str_equal(str_c(before.text), str_c(source.id.text))) {
            store__note_corrupt(st, store__bytes_id(source.id, source.packed, source.offset));
            return missing(&source, err);
        }
        before = source.id;
    }
}

/* --- listing --- */

typedef struct listing {
    str bucket, prefix, after;
    size_t max;
    arena *a;
    VEC(store_object) objects;
} listing;

static status read_listing(void *context, state_txn *txn, error *err)
{
    listing *l = context;
    /* In order of bytes from where the prefix begins; the first key without it is the end. */
    const char *sql =
        str_is_null(l->after)
            ? "SELECT key, size_bytes, etag, content_type, modified_us FROM objects WHERE bucket = ?1 "
              "AND key >= ?2 ORDER BY bucket, key LIMIT ?3"
            : "SELECT key, size_bytes, etag, content_type, modified_us FROM objects WHERE bucket = ?1 "
              "AND key > ?2 ORDER BY bucket, key LIMIT ?3";
    str from = str_is_null(l->after) ? l->prefix : l->after;
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, sql, &rows, err, SV_TEXT(l->bucket), SV_TEXT(from), SV_INT(l->max)));
    for (;;) {
        store_object object;

        TRY(state_next(rows, &row, err));
        if (!row || !str_starts_with(state_text(rows, 0, NULL), l->prefix)) {
            return STATUS_OK;
        }
        object = (store_object){.location = str_printf(l->a, "s3://%.*s/%.*s", STR_ARG(l->bucket),
                                                       STR_ARG(state_text(rows, 0, NULL))),
                                .size_bytes = state_int(rows, 1),
                                .etag = state_text(rows, 2, l->a),
                                .content_type = state_text(rows, 3, l->a),
                                .modified_us = state_int(rows, 4)};
        vec_push(l->a, &l->objects, object);
    }
}

static status list(storage *st, str prefix, str after, size_t max, arena *a,
                   store_object **ret_objects, size_t *ret_count, error *err)
{
    listing l = {.max = max, .a = a};

    TRY(store__split_s3(prefix, false, &l.bucket, &l.prefix, err));
    if (!str_is_null(after)) {
        str bucket;

        TRY(store__split_s3(after, false, &bucket, &l.after, err));
        if (!str_equal(bucket, l.bucket)) {
            return error_set(err, STATUS_INVALID, "listing of \"%.*s\" cannot go on after \"%.*s\"",
                             STR_ARG(prefix), STR_ARG(after));
        }
        if (str_compare(l.after, l.prefix) < 0) {
            l.after = STR_NULL;
        }
    }
    TRY(state_read(st->state, read_listing, &l, err));
    *ret_objects = l.objects.items;
    *ret_count = l.objects.count;
    return STATUS_OK;
}

const store_ops store__builtin = {
    .scheme = "s3",
    .check = check,
    .create = create,
    .adopt = adopt,
    .seal = seal,
    .publish = publish,
    .end = end,
    .stat = stat_object,
    .open = open_object,
    .link = link_object,
    .list = list,
    .remove = remove_all,
};

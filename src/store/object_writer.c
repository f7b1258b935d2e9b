/* Writing an object as S3 knows it: a stream of bytes (intake.c) becomes a staged object, which one transaction makes
 * the current version. Small ones go to a segment (segment.c), others to a file of their own. */
#include "bytes.h"
#include "rows.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"

#define DEFAULT_TYPE STR("binary/octet-stream")

struct object_writer {
    storage *st;
    arena *memory;
    object_write what;
    object_attributes attributes;
    store_staged *staged;
    intake in;
    bool has_intake;
    object_digests digests;
    bool ended;
};

/* --- what is staged --- */

status store__staged_for(storage *st, str bucket, str key, str content_type,
                         store_staged **ret_staged, error *err)
{
    store_staged *staged;
    arena *memory;

    if (st->state == NULL) {
        return error_set(err, STATUS_UNSUPPORTED, "the store has no data directory");
    }
    TRY(fs_volume_check(err));
    memory = arena_create();
    staged = ARENA_NEW(memory, store_staged);
    staged->st = st;
    staged->ops = &store__builtin;
    staged->memory = memory;
    staged->bucket = str_copy(memory, bucket);
    staged->key = str_copy(memory, key);
    staged->location = str_printf(memory, "s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    staged->content_type =
        str_copy(memory, str_is_empty(content_type) ? DEFAULT_TYPE : content_type);
    staged->created_us = clock_now_us();
    staged->fd = -1;
    mutex_lock(&st->lock);
    st->staged_live++;
    mutex_unlock(&st->lock);
    *ret_staged = staged;
    return STATUS_OK;
}

static const object_pair *copy_pairs(const object_pair *pairs, size_t count, arena *a)
{
    object_pair *copies = count > 0 ? ARENA_ARRAY(a, object_pair, count) : NULL;

    for (size_t i = 0; i < count; i++) {
        copies[i].name = str_copy(a, pairs[i].name);
        copies[i].value = str_copy(a, pairs[i].value);
    }
    return copies;
}

object_attributes store__copy_attributes(const object_attributes *attributes, arena *a)
{
    object_attributes copy = *attributes;

    copy.content_type = str_is_empty(attributes->content_type)
                            ? DEFAULT_TYPE
                            : str_copy(a, attributes->content_type);
    copy.headers = copy_pairs(attributes->headers, attributes->header_count, a);
    copy.tags = copy_pairs(attributes->tags, attributes->tag_count, a);
    copy.owner = str_copy(a, attributes->owner);
    copy.acl = str_copy(a, attributes->acl);
    copy.storage_class = str_copy(a, attributes->storage_class);
    return copy;
}

/* --- the stream --- */

static status open_file(void *context, intake_target *ret_target, error *err)
{
    object_writer *w = context;
    int64_t size = w->what.size_bytes < 0 ? 0 : w->what.size_bytes;

    TRY(w->staged->ops->create(w->st, w->staged,
                               w->attributes.encrypted ? store__sealed_size(size) : size, err));
    *ret_target = (intake_target){.fd = w->staged->fd};
    return STATUS_OK;
}

static void free_writer(object_writer *w)
{
    if (w->has_intake) {
        store__intake_release(&w->in);
    }
    store_discard(w->st, w->staged);
    arena_free(w->memory);
}

status object_writer_begin(storage *st, const object_write *what, object_writer **ret_writer,
                           error *err)
{
    arena *memory = arena_create();
    object_writer *w = ARENA_NEW(memory, object_writer);
    static const object_attributes none = {.encrypted = false};
    intake_options options;
    status begun;

    w->st = st;
    w->memory = memory;
    w->what = *what;
    w->what.bucket = str_copy(memory, what->bucket);
    w->what.key = str_copy(memory, what->key);
    w->attributes =
        store__copy_attributes(what->attributes != NULL ? what->attributes : &none, memory);
    options = (intake_options){.size_bytes = what->size_bytes,
                               .kind = what->checksum,
                               .encrypted = w->attributes.encrypted,
                               .open = open_file,
                               .context = w};
    begun =
        store__staged_for(st, what->bucket, what->key, w->attributes.content_type, &w->staged, err);
    if (begun == STATUS_OK) {
        begun = store__intake_begin(&w->in, st, &options, err);
        w->has_intake = begun == STATUS_OK;
    }
    if (begun != STATUS_OK) {
        free_writer(w);
        return begun;
    }
    *ret_writer = w;
    return STATUS_OK;
}

status object_writer_write(object_writer *w, const void *bytes, size_t size_bytes, error *err)
{
    return store__intake_add(&w->in, bytes, size_bytes, err);
}

status object_writer_end(object_writer *w, object_digests *ret_digests, error *err)
{
    TRY(store__intake_end(&w->in, true, &w->digests, err));
    w->ended = true;
    *ret_digests = w->digests;
    return STATUS_OK;
}

void object_writer_abort(object_writer *w)
{
    if (w != NULL) {
        free_writer(w);
    }
}

/* --- durable, then visible --- */

static object_info describe(const object_writer *w, arena *a)
{
    object_checksum checksum = w->digests.checksum;

    checksum.value = str_copy(a, checksum.value);
    return (object_info){.bucket = w->what.bucket,
                         .key = w->what.key,
                         .version = w->staged->version,
                         .size_bytes = w->digests.size_bytes,
                         .modified_us = w->staged->created_us,
                         .etag = w->staged->etag,
                         .attributes = store__copy_attributes(&w->attributes, a),
                         .checksum = checksum};
}

/* Where the bucket has versions the id is made here, so that the blob's names have it. */
static void propose_version(object_writer *w)
{
    const bucket_ref *bucket;

    if (bucket_acquire(w->st, w->what.bucket, &bucket, NULL) == STATUS_OK) {
        if (bucket_ref_info(bucket)->versioning == VERSIONING_ENABLED) {
            w->staged->version = store__new_version(w->staged->memory);
        }
        bucket_release(bucket);
    }
}

/* What DuckDB reads by path has a file of its own. */
static bool starts_as_parquet(const object_writer *w)
{
    return str_starts_with(str_from(w->in.buffers[0], w->in.filled), STR("PAR1"));
}

static status make_durable(object_writer *w, error *err)
{
    store_staged *staged = w->staged;
    str held = w->in.opened ? STR_NULL : store__intake_held(&w->in);
    object_info info;
    buf *pieces;
    status done;

    TRY(block_hash_finish(&w->in.blocks, staged->memory, &staged->crcs, err));
    staged->etag = store__etag_of_digest(staged->memory, w->digests.md5);
    staged->size_bytes = w->in.disk_bytes;
    if (w->in.key != NULL) {
        pieces = buf_in(staged->memory, SEAL_PIECE_BYTES);
        store__seal_add_piece(pieces, w->digests.size_bytes, w->in.wrapped);
        staged->seal = buf_str(pieces);
    }
    propose_version(w);
    staged->created_us = clock_now_us(); /* recovery orders versions by it */
    info = describe(w, staged->memory);
    staged->details = store__format_details(&info, staged->memory);
    if (!str_is_null(held) && !starts_as_parquet(w)) {
        return store__segment_append(w->st, staged, held, err);
    }
    if (!str_is_null(held)) {
        TRY(staged->ops->create(w->st, staged, 0, err));
        TRY(fs_pwrite_all(staged->fd, held.data, held.size, 0, err));
    }
    done = store__finish(staged, err);
    w->staged = done == STATUS_OK ? staged : NULL;
    return done;
}

typedef struct publishing {
    storage *st;
    store_staged *staged;
    const object_info *info;
    const object_conditions *conditions;
    arena *a;
    object_info *ret_info;
    bool handed_over;
} publishing;

static status publish(void *context, state_txn *txn, error *err)
{
    publishing *p = context;

    p->handed_over = true;
    return store__publish_version(p->st, txn, p->staged, p->info, p->conditions, p->a, p->ret_info,
                                  err);
}

status store__publish_staged(storage *st, store_staged *staged, const object_info *info,
                             const object_conditions *conditions, arena *a, object_info *ret_info,
                             error *err)
{
    publishing p = {.st = st,
                    .staged = staged,
                    .info = info,
                    .conditions = conditions,
                    .a = a,
                    .ret_info = ret_info};
    status published = state_submit(st->state, publish, &p, err);

    if (!p.handed_over) {
        store_discard(st, staged);
    }
    return published;
}

status object_writer_commit(object_writer *w, const object_conditions *conditions, arena *a,
                            object_info *ret_info, error *err)
{
    status done;

    ASSERT(w->ended);
    done = make_durable(w, err);
    if (done == STATUS_OK) {
        object_info info = describe(w, a);
        store_staged *staged = w->staged;

        info.etag = str_copy(w->memory, info.etag); /* the staged object may be gone before */
        info.version = str_copy(w->memory, info.version);
        w->staged = NULL;
        done = store__publish_staged(w->st, staged, &info, conditions, a, ret_info, err);
    }
    free_writer(w);
    return done;
}

/* What a bucket's rows say, written once more where its objects' bytes are: blobs/buckets/<name>.json. `tarn recover`
 * has from them what no blob says: owners, versioning, locks and the documents of sub-resources. A file follows the
 * commit of its bucket's change and precedes its answer; what a crash left between the two is written at the next
 * start. */
#include "buckets.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/log.h"
#include "tarn/codec/json.h"

#define FOLDER "buckets"
#define FILE_SIZE_MAX (16 * LIMIT_MIB)
#define CHUNK 200

static const char *const versioning_names[] = {[VERSIONING_OFF] = "off",
                                               [VERSIONING_ENABLED] = "enabled",
                                               [VERSIONING_SUSPENDED] = "suspended"};

static char *path_of(arena *a, const char *blobs_path, str name)
{
    return arena_printf(a, "%s/" FOLDER "/%.*s.json", blobs_path, STR_ARG(name));
}

static str format_bucket(const bucket_info *bucket, arena *a)
{
    buf *out = buf_in(a, FILE_SIZE_MAX);
    json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    json_member_str(&w, "name", bucket->name);
    json_member_str(&w, "owner", bucket->owner);
    json_member_str(&w, "region", bucket->region);
    json_member_int(&w, "created_us", bucket->created_us);
    json_member_c(&w, "versioning", versioning_names[bucket->versioning]);
    json_member_bool(&w, "lock_enabled", bucket->lock_enabled);
    json_key(&w, "documents");
    json_begin_object(&w);
    for (size_t i = 0; i < bucket->document_count; i++) {
        json_key_str(&w, bucket->documents[i].name);
        json_put_str(&w, bucket->documents[i].value);
    }
    json_end_object(&w);
    json_end_object(&w);
    buf_add_char(out, '\n');
    return buf_str(out);
}

/* What recovery makes of a bucket without a file: tarn's own, as it began. */
static bool is_plain(const bucket_info *bucket)
{
    return bucket->owner.size == 0 && bucket->region.size == 0 &&
           bucket->versioning == VERSIONING_OFF && !bucket->lock_enabled &&
           bucket->document_count == 0;
}

static status remove_file(const char *blobs_path, str name, arena *a, error *err)
{
    char *path = path_of(a, blobs_path, name);

    if (!fs_exists(path)) {
        return STATUS_OK;
    }
    TRY(fs_remove(path, err));
    return fs_sync_dir(arena_printf(a, "%s/" FOLDER, blobs_path), err);
}

static status write_file(const char *blobs_path, const bucket_info *bucket, arena *a, error *err)
{
    if (is_plain(bucket)) {
        return remove_file(blobs_path, bucket->name, a, err);
    }
    TRY(fs_make_dirs_synced(arena_printf(a, "%s/" FOLDER, blobs_path), 0700, err));
    return fs_write_file(path_of(a, blobs_path, bucket->name), format_bucket(bucket, a), 0600, err);
}

typedef struct bucket_look {
    str name;
    arena *a;
    bucket_info bucket;
    bool found;
} bucket_look;

static status look(void *context, state_txn *txn, error *err)
{
    bucket_look *l = context;

    return store__read_bucket(txn, l->name, l->a, &l->bucket, &l->found, err);
}

static status write_as_it_is(storage *st, str name, arena *a, error *err)
{
    bucket_look l = {.name = name, .a = a};

    TRY(state_read(st->state, look, &l, err));
    return l.found ? write_file(st->blobs_path, &l.bucket, a, err)
                   : remove_file(st->blobs_path, name, a, err);
}

status store__write_bucket_file(storage *st, str name, error *err)
{
    arena *scratch = arena_create();
    status written = write_as_it_is(st, name, scratch, err);

    arena_free(scratch);
    return written;
}

/* --- all --- */

static status write_if_other(const char *blobs_path, const bucket_info *bucket, arena *a,
                             error *err)
{
    str there;

    if (fs_read_file(path_of(a, blobs_path, bucket->name), FILE_SIZE_MAX, a, &there, NULL) ==
            STATUS_OK &&
        str_equal(there, format_bucket(bucket, a))) {
        return STATUS_OK;
    }
    return write_file(blobs_path, bucket, a, err);
}

static status write_chunk(storage *st, const char *blobs_path, str *after, arena *memory,
                          size_t *ret_count, error *err)
{
    bucket_info *buckets;

    TRY(bucket_list(st, STR_NULL, STR(""), *after, CHUNK, memory, &buckets, ret_count, err));
    for (size_t i = 0; i < *ret_count; i++) {
        TRY(write_if_other(blobs_path, &buckets[i], memory, err));
    }
    if (*ret_count > 0) {
        *after = buckets[*ret_count - 1].name;
    }
    return STATUS_OK;
}

status store__write_bucket_files(storage *st, const char *blobs_path, error *err)
{
    arena *memory = arena_create();
    status written = STATUS_OK;
    size_t count = CHUNK;
    str after = STR_NULL;

    mutex_lock(&st->bucket_change_lock);
    while (written == STATUS_OK && count == CHUNK) {
        written = write_chunk(st, blobs_path, &after, memory, &count, err);
    }
    mutex_unlock(&st->bucket_change_lock);
    arena_free(memory);
    return written;
}

/* --- reading --- */

static status parse_bucket(str text, arena *a, bucket_info *ret_bucket, error *err)
{
    bucket_info bucket = {0};
    const json *documents;
    const json *member;
    object_pair *pairs;
    const json *tree;
    str versioning;
    str name;

    TRY(json_parse(text, a, &tree, err));
    bucket.name = json_str_or(json_get(tree, "name"), STR_NULL);
    if (str_is_null(bucket.name)) {
        return error_set(err, STATUS_CORRUPT, "the file of a bucket names none");
    }
    bucket.owner = json_str_or(json_get(tree, "owner"), STR(""));
    bucket.region = json_str_or(json_get(tree, "region"), STR(""));
    bucket.created_us = json_int64_or(json_get(tree, "created_us"), 0);
    bucket.lock_enabled = json_bool_or(json_get(tree, "lock_enabled"), false);
    versioning = json_str_or(json_get(tree, "versioning"), STR(""));
    for (size_t i = 0; i < COUNT_OF(versioning_names); i++) {
        if (str_equal(versioning, str_c(versioning_names[i]))) {
            bucket.versioning = (bucket_versioning)i;
        }
    }
    documents = json_get(tree, "documents");
    pairs = ARENA_ARRAY(a, object_pair, json_count(documents) + 1);
    for (size_t at = 0; json_next_member(documents, &at, &name, &member);) {
        pairs[bucket.document_count++] =
            (object_pair){.name = name, .value = json_str_or(member, STR(""))};
    }
    bucket.documents = pairs;
    *ret_bucket = bucket;
    return STATUS_OK;
}

static status read_one(const char *folder, str name, arena *a, bucket_info *ret_bucket, error *err)
{
    str text;

    TRY(fs_read_file(fs_join(a, folder, name.data), FILE_SIZE_MAX, a, &text, err));
    return parse_bucket(text, a, ret_bucket, err);
}

status store__clean_bucket_files(const char *blobs_path, error *err)
{
    arena *scratch = arena_create();
    status cleaned = fs_remove_unfinished(arena_printf(scratch, "%s/" FOLDER, blobs_path), err);

    arena_free(scratch);
    return cleaned;
}

status store__read_bucket_files(storage *st, arena *a, bucket_info **ret_buckets, size_t *ret_count,
                                error *err)
{
    char *folder = arena_printf(a, "%s/" FOLDER, st->blobs_path);
    VEC(bucket_info) buckets = {0};
    size_t count = 0;
    str *names;

    if (fs_exists(folder)) {
        TRY(fs_list(folder, a, &names, &count, err));
    }
    for (size_t i = 0; i < count; i++) {
        error own = ERROR_INIT;
        bucket_info bucket;

        if (!str_ends_with(names[i], STR(".json"))) {
            continue;
        }
        if (read_one(folder, names[i], a, &bucket, &own) == STATUS_OK) {
            vec_push(a, &buckets, bucket);
        } else {
            log_failure("settings of a bucket left alone", &own);
        }
    }
    *ret_buckets = buckets.items;
    *ret_count = buckets.count;
    return STATUS_OK;
}

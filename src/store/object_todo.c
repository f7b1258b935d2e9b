/* For a short while: what its headers promise and is not written yet. Whoever writes a function takes it away here;
 * the file goes with the last of them. */
#include "objects.h"
#include "tarn/store/object.h"

str bucket_document(const bucket_info *bucket, const char *name)
{
    (void)bucket;
    (void)name;
    return STR_NULL;
}

status bucket_create(storage *st, const bucket_info *bucket, error *err)
{
    (void)st;
    (void)bucket;
    return error_set(err, STATUS_UNSUPPORTED, "bucket_create is not there yet");
}

status bucket_acquire(storage *st, str name, const bucket_ref **ret_bucket, error *err)
{
    (void)st;
    (void)name;
    (void)ret_bucket;
    return error_set(err, STATUS_UNSUPPORTED, "bucket_acquire is not there yet");
}

const bucket_info *bucket_ref_info(const bucket_ref *bucket)
{
    (void)bucket;
    return NULL;
}

void bucket_release(const bucket_ref *bucket)
{
    (void)bucket;
}

status bucket_list(storage *st, str owner, str prefix, str after, size_t max, arena *a,
                   bucket_info **ret_list, size_t *ret_count, error *err)
{
    (void)st;
    (void)owner;
    (void)prefix;
    (void)after;
    (void)max;
    (void)a;
    (void)ret_list;
    (void)ret_count;
    return error_set(err, STATUS_UNSUPPORTED, "bucket_list is not there yet");
}

status bucket_delete(storage *st, str name, error *err)
{
    (void)st;
    (void)name;
    return error_set(err, STATUS_UNSUPPORTED, "bucket_delete is not there yet");
}

status bucket_set_document(storage *st, str bucket, const char *name, str text, error *err)
{
    (void)st;
    (void)bucket;
    (void)name;
    (void)text;
    return error_set(err, STATUS_UNSUPPORTED, "bucket_set_document is not there yet");
}

status bucket_set_versioning(storage *st, str bucket, bucket_versioning versioning, error *err)
{
    (void)st;
    (void)bucket;
    (void)versioning;
    return error_set(err, STATUS_UNSUPPORTED, "bucket_set_versioning is not there yet");
}

status bucket_read_usage(storage *st, str bucket, bucket_usage *ret_usage, error *err)
{
    (void)st;
    (void)bucket;
    (void)ret_usage;
    return error_set(err, STATUS_UNSUPPORTED, "bucket_read_usage is not there yet");
}

status object_find(storage *st, str bucket, str key, str version, arena *a, object_info *ret_info,
                   error *err)
{
    (void)st;
    (void)bucket;
    (void)key;
    (void)version;
    (void)a;
    (void)ret_info;
    return error_set(err, STATUS_UNSUPPORTED, "object_find is not there yet");
}

status object_list(storage *st, const object_listing *what, arena *a, object_page *ret_page,
                   error *err)
{
    (void)st;
    (void)what;
    (void)a;
    (void)ret_page;
    return error_set(err, STATUS_UNSUPPORTED, "object_list is not there yet");
}

status object_delete(storage *st, str bucket, const object_delete_request *requests, size_t count,
                     arena *a, object_delete_result *ret_results, error *err)
{
    (void)st;
    (void)bucket;
    (void)requests;
    (void)count;
    (void)a;
    (void)ret_results;
    return error_set(err, STATUS_UNSUPPORTED, "object_delete is not there yet");
}

status object_set_tags(storage *st, str bucket, str key, str version, const object_pair *tags,
                       size_t count, error *err)
{
    (void)st;
    (void)bucket;
    (void)key;
    (void)version;
    (void)tags;
    (void)count;
    return error_set(err, STATUS_UNSUPPORTED, "object_set_tags is not there yet");
}

status object_set_acl(storage *st, str bucket, str key, str version, str acl, error *err)
{
    (void)st;
    (void)bucket;
    (void)key;
    (void)version;
    (void)acl;
    return error_set(err, STATUS_UNSUPPORTED, "object_set_acl is not there yet");
}

status object_set_retention(storage *st, str bucket, str key, str version, object_lock_mode mode,
                            int64_t retain_until_us, bool bypass_governance, error *err)
{
    (void)st;
    (void)bucket;
    (void)key;
    (void)version;
    (void)mode;
    (void)retain_until_us;
    (void)bypass_governance;
    return error_set(err, STATUS_UNSUPPORTED, "object_set_retention is not there yet");
}

status object_set_legal_hold(storage *st, str bucket, str key, str version, bool on, error *err)
{
    (void)st;
    (void)bucket;
    (void)key;
    (void)version;
    (void)on;
    return error_set(err, STATUS_UNSUPPORTED, "object_set_legal_hold is not there yet");
}

status upload_create(storage *st, const upload_info *what, arena *a, str *ret_id, error *err)
{
    (void)st;
    (void)what;
    (void)a;
    (void)ret_id;
    return error_set(err, STATUS_UNSUPPORTED, "upload_create is not there yet");
}

status upload_find(storage *st, str bucket, str key, str id, arena *a, upload_info *ret_info,
                   error *err)
{
    (void)st;
    (void)bucket;
    (void)key;
    (void)id;
    (void)a;
    (void)ret_info;
    return error_set(err, STATUS_UNSUPPORTED, "upload_find is not there yet");
}

status upload_part_begin(storage *st, const upload_info *upload, int number, int64_t size_bytes,
                         object_checksum_kind checksum, upload_part_writer **ret_writer, error *err)
{
    (void)st;
    (void)upload;
    (void)number;
    (void)size_bytes;
    (void)checksum;
    (void)ret_writer;
    return error_set(err, STATUS_UNSUPPORTED, "upload_part_begin is not there yet");
}

status upload_part_write(upload_part_writer *w, const void *bytes, size_t size_bytes, error *err)
{
    (void)w;
    (void)bytes;
    (void)size_bytes;
    return error_set(err, STATUS_UNSUPPORTED, "upload_part_write is not there yet");
}

status upload_part_end(upload_part_writer *w, object_digests *ret_digests, error *err)
{
    (void)w;
    (void)ret_digests;
    return error_set(err, STATUS_UNSUPPORTED, "upload_part_end is not there yet");
}

status upload_part_commit(upload_part_writer *w, error *err)
{
    (void)w;
    return error_set(err, STATUS_UNSUPPORTED, "upload_part_commit is not there yet");
}

void upload_part_abort(upload_part_writer *w)
{
    (void)w;
}

status upload_list_parts(storage *st, const upload_info *upload, int after, size_t max, arena *a,
                         object_part **ret_parts, size_t *ret_count, bool *ret_truncated,
                         error *err)
{
    (void)st;
    (void)upload;
    (void)after;
    (void)max;
    (void)a;
    (void)ret_parts;
    (void)ret_count;
    (void)ret_truncated;
    return error_set(err, STATUS_UNSUPPORTED, "upload_list_parts is not there yet");
}

status upload_list(storage *st, str bucket, str prefix, str delimiter, str after_key, str after_id,
                   size_t max, arena *a, upload_page *ret_page, error *err)
{
    (void)st;
    (void)bucket;
    (void)prefix;
    (void)delimiter;
    (void)after_key;
    (void)after_id;
    (void)max;
    (void)a;
    (void)ret_page;
    return error_set(err, STATUS_UNSUPPORTED, "upload_list is not there yet");
}

status upload_complete(storage *st, str bucket, str key, str id, const object_part *parts,
                       size_t count, const object_checksum *whole,
                       const object_conditions *conditions, arena *a, object_info *ret_info,
                       error *err)
{
    (void)st;
    (void)bucket;
    (void)key;
    (void)id;
    (void)parts;
    (void)count;
    (void)whole;
    (void)conditions;
    (void)a;
    (void)ret_info;
    return error_set(err, STATUS_UNSUPPORTED, "upload_complete is not there yet");
}

status upload_abort(storage *st, str bucket, str key, str id, error *err)
{
    (void)st;
    (void)bucket;
    (void)key;
    (void)id;
    return error_set(err, STATUS_UNSUPPORTED, "upload_abort is not there yet");
}

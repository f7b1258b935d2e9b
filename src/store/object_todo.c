/* For a short while: what its headers promise and is not written yet. Whoever writes a function takes it away here;
 * the file goes with the last of them. */
#include "objects.h"
#include "tarn/store/object.h"

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

status store__abort_uploads(storage *st, state_txn *txn, str bucket, error *err)
{
    (void)st;
    (void)txn;
    (void)bucket;
    (void)err;
    return STATUS_OK;
}

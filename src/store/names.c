/* What a blob says of itself, so that the rows can be rebuilt from blobs alone: the extended
 * attribute "user.tarn", compact JSON, synced with the file. Names that are too long for it, or
 * a file system without attributes, get a file beside the blob, <id>.meta. */
#include <fcntl.h>

#include "internal.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/codec/checksum.h"
#include "tarn/codec/json.h"

#define ATTRIBUTE "user.tarn"
#define ATTRIBUTE_SIZE_MAX 3500 /* ext4 keeps all attributes of a file in one block of 4096 bytes */
#define NAMES_SIZE_MAX (8 * LIMIT_MIB) /* ten thousand parts, and their keys */

static const json_field fields[] = {
    {"bucket", JSON_STR, JSON_REQUIRED, offsetof(blob_names, bucket)},
    {"key", JSON_STR, 0, offsetof(blob_names, key)},
    {"key64", JSON_STR, 0, offsetof(blob_names, key64)}, /* a key that is not UTF-8, in base64 */
    {"id", JSON_STR, 0, offsetof(blob_names, id)},
    {"details", JSON_STR, 0, offsetof(blob_names, details)},
    {"seal", JSON_STR, 0, offsetof(blob_names, seal)},
    {"version", JSON_STR, 0, offsetof(blob_names, version)},
    {"etag", JSON_STR, JSON_REQUIRED, offsetof(blob_names, etag)},
    {"type", JSON_STR, JSON_REQUIRED, offsetof(blob_names, content_type)},
    {"size", JSON_INT64, JSON_REQUIRED, offsetof(blob_names, size_bytes)},
    {"check", JSON_INT64, JSON_REQUIRED, offsetof(blob_names, check)},
    {"created_us", JSON_INT64, JSON_REQUIRED, offsetof(blob_names, created_us)},
};

char *store__sidecar_path(arena *a, const char *path)
{
    return arena_printf(a, "%s.meta", path);
}

static void format_key(const store_staged *staged, json_writer *w)
{
    if (str_is_utf8(staged->key)) {
        json_member_str(w, "key", staged->key);
    } else {
        json_member_str(w, "key64", base64_encode(staged->memory, staged->key));
    }
}

static void format_one(const store_staged *staged, json_writer *w)
{
    json_begin_object(w);
    json_member_str(w, "bucket", staged->bucket);
    format_key(staged, w);
    json_member_str(w, "etag", staged->etag);
    json_member_str(w, "type", staged->content_type);
    json_member_int(w, "size", staged->size_bytes);
    json_member_int(w, "check", store__check_of_crcs(staged->crcs));
    json_member_int(w, "created_us", staged->created_us);
    if (!str_is_empty(staged->version)) {
        json_member_str(w, "version", staged->version);
    }
    if (!str_is_empty(staged->details)) {
        json_member_str(w, "details", staged->details);
    }
    if (!str_is_empty(staged->seal)) {
        json_member_str(w, "seal", base64_encode(staged->memory, staged->seal));
    }
    if (staged->small) { /* its file does not say it */
        json_member_str(w, "id", str_c(staged->id.text));
    }
    json_end_object(w);
}

/* Of a pack the names of all parts, in the order in which they lie in the file, one after another. */
void store__format_names(const store_staged *staged, buf *out)
{
    json_writer w;

    json_writer_init(&w, out);
    if (staged->part_count == 0) {
        format_one(staged, &w);
        return;
    }
    json_begin_array(&w);
    for (size_t i = 0; i < staged->part_count; i++) {
        format_one(staged->parts[i], &w);
    }
    json_end_array(&w);
}

/* Durable with the folder's sync that the blob's own name needs. */
static status write_sidecar(const store_staged *staged, str names, bool synced, error *err)
{
    char *path = store__sidecar_path(staged->memory, staged->path);
    status written;
    int fd;

    TRY(fs_open(path, O_WRONLY | O_CREAT | O_EXCL, 0400, &fd, err));
    written = fs_write_all(fd, names.data, names.size, err);
    if (written == STATUS_OK && synced) {
        written = fs_sync(fd, err);
    }
    fs_close(fd);
    return written;
}

status store__write_names(storage *st, const store_staged *staged, error *err)
{
    buf *names = buf_in(staged->memory, NAMES_SIZE_MAX);
    status written = STATUS_NO_SPACE;

    store__format_names(staged, names);
    TRY(buf_check(names, "names of a blob", err));
    if (names->size <= ATTRIBUTE_SIZE_MAX) {
        written = fs_set_xattr(staged->fd, ATTRIBUTE, buf_str(names), err);
    }
    if (written == STATUS_NO_SPACE || written == STATUS_UNSUPPORTED) {
        written = write_sidecar(staged, buf_str(names), !st->options.unsafe, err);
    }
    return written;
}

static status read_one(const json *tree, arena *a, blob_names *ret_names, error *err)
{
    blob_names names = {.version = STR("")};

    TRY(json_read(tree, fields, COUNT_OF(fields), &names, err));
    if (!str_is_null(names.key64)) {
        TRY(base64_decode(a, names.key64, &names.key, err));
    }
    if (!str_is_null(names.seal)) {
        TRY(base64_decode(a, names.seal, &names.seal, err));
    }
    if (str_is_null(names.key)) {
        return error_set(err, STATUS_CORRUPT, "the names of a blob lack its key");
    }
    *ret_names = names;
    return STATUS_OK;
}

status store__parse_names(str text, arena *a, blob_names *ret_names, error *err)
{
    const json *tree;

    TRY(json_parse(text, a, &tree, err));
    return read_one(tree, a, ret_names, err);
}

static status read_parts(const json *tree, arena *a, blob_names *names, size_t count, error *err)
{
    int64_t offset = 0;

    for (size_t i = 0; i < count; i++) {
        TRY(read_one(json_at(tree, i), a, &names[i], err));
        if (names[i].size_bytes <= 0 || names[i].size_bytes > (int64_t)STORE_PART_BYTES_MAX) {
            return error_set(err, STATUS_CORRUPT, "a part of a blob has no valid size");
        }
        names[i].offset = offset;
        offset += names[i].size_bytes;
    }
    return STATUS_OK;
}

status store__read_all_names(const char *path, arena *a, blob_names **ret_names, size_t *ret_count,
                             bool *ret_packed, error *err)
{
    blob_names *names;
    const json *tree;
    size_t count;
    str text;
    status found = fs_get_xattr(path, ATTRIBUTE, a, &text, err);

    if (found == STATUS_NOT_FOUND || found == STATUS_UNSUPPORTED) {
        found = fs_read_file(store__sidecar_path(a, path), NAMES_SIZE_MAX, a, &text, err);
    }
    TRY(found);
    TRY(json_parse(text, a, &tree, err));
    count = json_kind_of(tree) == JSON_ARRAY ? json_count(tree) : 0;
    names = ARENA_ARRAY(a, blob_names, count + 1);
    TRY(count > 0 ? read_parts(tree, a, names, count, err) : read_one(tree, a, names, err));
    *ret_names = names;
    *ret_count = count > 0 ? count : 1;
    if (ret_packed != NULL) {
        *ret_packed = count > 0;
    }
    return STATUS_OK;
}

status store__read_names(const char *path, arena *a, blob_names *ret_names, error *err)
{
    blob_names *names;
    size_t count;

    TRY(store__read_all_names(path, a, &names, &count, NULL, err));
    *ret_names = names[0];
    return STATUS_OK;
}

/* CopyObject and UploadPartCopy: the source is found, authorised by itself, and its conditions held before anything is
 * written. */
#include <inttypes.h>

#include "s3/handlers.h"
#include "tarn/base/clock.h"
#include "tarn/net/uri.h"

/* ---- the source ---- */

/* "/bucket/key?versionId=…", the key percent-encoded once. Policies' conditions and the copy itself read it here, so
 * that what is authorised is what is copied. */
str s3_source_text(s3_call *c, str *ret_version)
{
    static const str mark = STR_INIT("versionId=");
    str text = s3_header(c, "x-amz-copy-source");
    size_t question = str_find_last_char(text, '?');

    *ret_version = STR_NULL;
    if (question != STR_NPOS) { /* else it is of the key */
        str query = str_slice(text, question + 1, text.size);
        if (str_starts_with(query, mark)) {
            *ret_version = str_slice(query, mark.size, query.size);
            text = str_slice(text, 0, question);
        }
    }
    if (uri_decode(c->a, text, &text, NULL) != STATUS_OK) {
        return STR("");
    }
    return str_starts_with(text, STR("/")) ? str_slice(text, 1, text.size) : text;
}

static status parse_source(s3_call *c, s3_source *ret_source, error *err)
{
    str key = STR_NULL;
    str text = s3_source_text(c, &ret_source->version);

    ret_source->bucket = str_cut(text, '/', &key);
    ret_source->key = key;
    if (ret_source->bucket.size == 0 || ret_source->key.size == 0 ||
        (!str_is_null(ret_source->version) && ret_source->version.size == 0)) {
        return s3_fail(
            err, "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    }
    if (ret_source->key.size > S3_KEY_BYTES_MAX) {
        return s3_fail(err, "KeyTooLongError", "the source's key is too long");
    }
    return STATUS_OK;
}

static status allow_source(s3_call *c, const s3_source *source, status found, error *err)
{
    const char *right = str_is_null(source->version) ? "s3:GetObject" : "s3:GetObjectVersion";
    const object_info *object = found == STATUS_OK ? &source->info : NULL;
    /* Conditions about an existing object's tags mean the source's here. */
    s3_call asking = *c;

    asking.facts = source->facts;
    asking.key = source->key;
    asking.object = source->info;
    asking.object_status = found;
    asking.object_known = true;
    asking.asked_version = source->version;
    TRY(s3_allow(&asking, right, source->facts, source->key, object, err));
    if (found == STATUS_NOT_FOUND) {
        asking.asked_version = STR_NULL;
        return s3_allow(&asking, "s3:ListBucket", source->facts, STR(""), NULL, err);
    }
    return STATUS_OK;
}

status s3_source_open(s3_call *c, s3_source *ret_source, error *err)
{
    s3_source source = {0};
    error missing = ERROR_INIT;
    bool unchanged = false;
    str expected = s3_header(c, "x-amz-source-expected-bucket-owner");

    TRY(parse_source(c, &source, err));
    TRY(s3_facts_find(c, source.bucket, &source.facts, err));
    if (expected.size > 0 && !str_equal(expected, source.facts->info->owner)) {
        return s3_fail(err, "AccessDenied", "the source's bucket has another owner");
    }
    status found = object_find(c->app->storage, source.bucket, source.key, source.version, c->a,
                               &source.info, &missing);
    TRY(allow_source(c, &source, found, err));
    if (found == STATUS_METHOD) {
        return s3_fail(err, "InvalidRequest",
                       "The source of a copy request may not specifically refer to a delete marker "
                       "by version id.");
    }
    if (found != STATUS_OK) {
        *err = missing;
        return found;
    }
    TRY(s3_conditions_read(c, true, &source.info, &unchanged, err));
    if (source.facts->info->versioning != VERSIONING_OFF) {
        http_set_header(c->x, "x-amz-copy-source-version-id",
                        source.info.version.size > 0 ? source.info.version : STR("null"));
    }
    *ret_source = source;
    return STATUS_OK;
}

/* ---- CopyObject ---- */

static status directive(s3_call *c, const char *header, bool *ret_replace, error *err)
{
    str text = s3_header(c, header);

    *ret_replace = str_equal(text, STR("REPLACE"));
    if (text.size > 0 && !*ret_replace && !str_equal(text, STR("COPY"))) {
        return s3_fail(err, "InvalidArgument", "%s is COPY or REPLACE", header);
    }
    return STATUS_OK;
}

/* Tags come along where they may be read there and written here. */
static status allow_tags(s3_call *c, const s3_source *source, error *err)
{
    bool versioned = !str_is_null(source->version);
    s3_call asking = *c;

    if (source->info.attributes.tag_count == 0) {
        return STATUS_OK;
    }
    asking.facts = source->facts;
    asking.key = source->key;
    asking.object = source->info;
    asking.object_status = STATUS_OK;
    asking.object_known = true;
    asking.asked_version = source->version;
    TRY(s3_allow(&asking, versioned ? "s3:GetObjectVersionTagging" : "s3:GetObjectTagging",
                 source->facts, source->key, &source->info, err));
    c->request_tags = source->info.attributes.tags;
    c->request_tag_count = source->info.attributes.tag_count;
    return s3_allow(c, "s3:PutObjectTagging", c->facts, c->key, NULL, err);
}

/* What the copy is to have: the request's own, or the source's where it does not say. */
static status merge(s3_call *c, const s3_source *source, object_attributes *ret_attributes,
                    bool *ret_replaced, error *err)
{
    const object_attributes *from = &source->info.attributes;
    bool replace_metadata, replace_tags;

    TRY(directive(c, "x-amz-metadata-directive", &replace_metadata, err));
    TRY(directive(c, "x-amz-tagging-directive", &replace_tags, err));
    TRY(s3_attributes_read(c, c->facts, ret_attributes, err));
    if (!replace_metadata) {
        ret_attributes->content_type = from->content_type;
        ret_attributes->headers = from->headers;
        ret_attributes->header_count = from->header_count;
    }
    if (!replace_tags) {
        TRY(allow_tags(c, source, err));
        ret_attributes->tags = from->tags;
        ret_attributes->tag_count = from->tag_count;
    }
    *ret_replaced = replace_metadata;
    return STATUS_OK;
}

static status refuse_same(s3_call *c, const s3_source *source, bool replaced,
                          const object_attributes *attributes, error *err)
{
    bool same = str_equal(source->bucket, c->bucket) && str_equal(source->key, c->key) &&
                str_is_null(source->version);

    if (same && !replaced && attributes->encrypted == source->info.attributes.encrypted &&
        str_is_null(s3_header(c, "x-amz-storage-class")) &&
        str_is_null(s3_header(c, "x-amz-server-side-encryption")) &&
        str_is_null(s3_header(c, "x-amz-website-redirect-location"))) {
        return s3_fail(err, "InvalidRequest",
                       "This copy request is illegal because it is trying to copy an object to "
                       "itself without changing the object's metadata, storage class, website "
                       "redirect location or encryption attributes.");
    }
    return STATUS_OK;
}

static void add_checksum(buf *out, const object_checksum *checksum)
{
    if (checksum->kind != CHECKSUM_NONE) {
        xml_add_text(out, s3_checksum_element(checksum->kind), checksum->value);
        xml_add_text(out, "ChecksumType",
                     checksum->composite ? STR("COMPOSITE") : STR("FULL_OBJECT"));
    }
}

static status wanted_checksum(s3_call *c, object_checksum_kind *ret_kind, error *err)
{
    str name = s3_header(c, "x-amz-checksum-algorithm");

    *ret_kind = s3_checksum_kind(name);
    if (name.size > 0 && *ret_kind == CHECKSUM_NONE) {
        return s3_fail(err, "InvalidRequest", "Checksum algorithm provided is unsupported.");
    }
    return STATUS_OK;
}

status s3_object_copy(s3_call *c, error *err)
{
    s3_source source;
    object_attributes attributes;
    object_conditions conditions;
    object_info info = {0};
    object_checksum_kind kind;
    bool replaced;

    TRY(s3_source_open(c, &source, err));
    TRY(merge(c, &source, &attributes, &replaced, err));
    TRY(refuse_same(c, &source, replaced, &attributes, err));
    TRY(s3_conditions_write(c, &conditions, err));
    TRY(wanted_checksum(c, &kind, err));
    if (source.info.size_bytes > S3_OBJECT_BYTES_MAX) {
        return s3_fail(err, "InvalidRequest",
                       "The specified copy source is larger than the maximum allowable size for a "
                       "copy source: 5368709120");
    }
    const object_copy what = {
        .from_bucket = source.bucket,
        .from_key = source.key,
        .from_version = source.version,
        .to_bucket = c->bucket,
        .to_key = c->key,
        .attributes = &attributes,
        .checksum = kind,
        .from_etag = source.info.etag,
    };
    TRY(object_copy_make(c->app->storage, &what, &conditions, c->a, &info, err));
    s3_write_version(c, c->facts, &info);
    s3_write_encryption(c, &info);
    s3_expiration_header(c, c->facts, &info);
    buf *out = s3_xml_begin(c, "CopyObjectResult");
    xml_add_time(out, "LastModified", info.modified_us);
    xml_add_text(out, "ETag", s3_quoted(c->a, info.etag));
    add_checksum(out, &info.checksum);
    return s3_xml_send(c, 200, "CopyObjectResult", out, err);
}

/* ---- UploadPartCopy ---- */

/* "bytes=first-last", both there, inside the source. */
static status copy_range(s3_call *c, int64_t total_bytes, int64_t *ret_offset, int64_t *ret_size,
                         error *err)
{
    str text = s3_header(c, "x-amz-copy-source-range");
    str last_text = STR_NULL;
    int64_t first = 0;
    int64_t last = 0;

    *ret_offset = 0;
    *ret_size = total_bytes;
    if (str_is_null(text)) {
        return STATUS_OK;
    }
    str first_text = STR("");
    if (str_starts_with(text, STR("bytes="))) {
        first_text = str_cut(str_slice(text, 6, text.size), '-', &last_text);
    }
    if (str_is_null(last_text) || str_to_int64(first_text, &first, NULL) != STATUS_OK ||
        str_to_int64(last_text, &last, NULL) != STATUS_OK || first < 0 || last < first) {
        return s3_fail(
            err, "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last "
            "where first and last are the zero-based offsets of the first and last bytes "
            "to copy");
    }
    if (last >= total_bytes) {
        return s3_fail(err, "InvalidRange",
                       "Range specified is not valid for source object of size: %" PRId64,
                       total_bytes);
    }
    *ret_offset = first;
    *ret_size = last - first + 1;
    return STATUS_OK;
}

static status copy_bytes(s3_call *c, store_reader *reader, int64_t offset, int64_t size,
                         upload_part_writer *writer, error *err)
{
    char *bytes = arena_alloc(c->a, S3_COPY_BYTES);
    int64_t done = 0;

    while (done < size) {
        size_t want = size - done < (int64_t)S3_COPY_BYTES ? (size_t)(size - done) : S3_COPY_BYTES;
        size_t got = 0;
        TRY(store_reader_read(reader, bytes, want, offset + done, &got, err));
        if (got == 0) {
            return error_set(err, STATUS_CORRUPT, "the source is shorter than its row says");
        }
        TRY(upload_part_write(writer, bytes, got, err));
        done += (int64_t)got;
    }
    return STATUS_OK;
}

static status copy_part(s3_call *c, const upload_info *upload, int number, store_reader *reader,
                        const int64_t range[2], object_digests *ret_digests, error *err)
{
    upload_part_writer *writer = NULL;

    TRY(upload_part_begin(c->app->storage, upload, number, range[1], upload->checksum, &writer,
                          err));
    status result = copy_bytes(c, reader, range[0], range[1], writer, err);
    if (result == STATUS_OK) {
        result = upload_part_end(writer, ret_digests, err);
    }
    if (result != STATUS_OK) {
        upload_part_abort(writer);
        return result;
    }
    ret_digests->checksum.value = str_copy(c->a, ret_digests->checksum.value);
    return upload_part_commit(writer, err);
}

static status answer_part(s3_call *c, const upload_info *upload, const object_digests *digests,
                          error *err)
{
    buf *out = s3_xml_begin(c, "CopyPartResult");
    str etag = str_to_hex(c->a, digests->md5, sizeof(digests->md5));

    if (upload->attributes.encrypted) {
        http_set_header(c->x, "x-amz-server-side-encryption", STR("AES256"));
    }
    xml_add_time(out, "LastModified", clock_now_us());
    xml_add_text(out, "ETag", s3_quoted(c->a, etag));
    if (upload->checksum != CHECKSUM_NONE && digests->checksum.kind != CHECKSUM_NONE) {
        xml_add_text(out, s3_checksum_element(digests->checksum.kind), digests->checksum.value);
    }
    return s3_xml_send(c, 200, "CopyPartResult", out, err);
}

status s3_part_copy(s3_call *c, error *err)
{
    s3_source source;
    upload_info upload;
    object_info info;
    object_digests digests;
    store_reader *reader = NULL;
    int number = 0;
    int64_t range[2];

    TRY(s3_part_number(c, &number, err));
    TRY(upload_find(c->app->storage, c->bucket, c->key, s3_param(c, "uploadId"), c->a, &upload,
                    err));
    TRY(s3_source_open(c, &source, err));
    /* The version that was authorised, should another have come meanwhile. */
    str version = source.info.version.size > 0 ? source.info.version : source.version;
    TRY(copy_range(c, source.info.size_bytes, &range[0], &range[1], err));
    if (range[1] > S3_OBJECT_BYTES_MAX) {
        return s3_fail(err, "EntityTooLarge", "a part has at most 5 GiB");
    }
    TRY(object_open(c->app->storage, source.bucket, source.key, version, c->a, &info, &reader,
                    err));
    status result = str_equal(info.etag, source.info.etag)
                        ? copy_part(c, &upload, number, reader, range, &digests, err)
                        : s3_fail(err, "PreconditionFailed", "the source has changed");
    store_reader_close(reader);
    TRY(result);
    return answer_part(c, &upload, &digests, err);
}

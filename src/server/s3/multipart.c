/* Uploads in parts: begun, sent, listed, completed, forgotten. */
#include <inttypes.h>

#include "s3/handlers.h"
#include "tarn/net/uri.h"

#define PARTS_MAX 10000
#define PAGE_MAX 1000

status s3_part_number(s3_call *c, int *ret_number, error *err)
{
    int64_t number = 0;
    str text = s3_param(c, "partNumber");

    if (text.size == 0 || str_to_int64(text, &number, NULL) != STATUS_OK || number < 1 ||
        number > PARTS_MAX) {
        return s3_fail(err, "InvalidArgument",
                       "Part number must be an integer between 1 and 10000, inclusive");
    }
    *ret_number = (int)number;
    return STATUS_OK;
}

/* ---- begin ---- */

static status read_checksum(s3_call *c, upload_info *upload, error *err)
{
    str algorithm = s3_header(c, "x-amz-checksum-algorithm");
    str type = s3_header(c, "x-amz-checksum-type");

    if (algorithm.size == 0) {
        if (type.size > 0) {
            return s3_fail(err, "InvalidRequest",
                           "The x-amz-checksum-type header can only be used with the "
                           "x-amz-checksum-algorithm header.");
        }
        return STATUS_OK;
    }
    upload->checksum = s3_checksum_kind(algorithm);
    bool is_sha = upload->checksum == CHECKSUM_SHA1 || upload->checksum == CHECKSUM_SHA256;
    if (upload->checksum == CHECKSUM_NONE) {
        return s3_fail(err, "InvalidRequest",
                       "Checksum algorithm provided is unsupported. Please try again with any of "
                       "the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
    }
    upload->composite = type.size > 0 ? str_equal_nocase(type, STR("COMPOSITE"))
                                      : upload->checksum != CHECKSUM_CRC64NVME;
    bool is_full = str_equal_nocase(type, STR("FULL_OBJECT"));
    if ((type.size > 0 && !is_full && !upload->composite) || (is_full && is_sha) ||
        (upload->composite && upload->checksum == CHECKSUM_CRC64NVME)) {
        return s3_fail(err, "InvalidRequest",
                       "The %.*s checksum type cannot be used with the %s checksum algorithm.",
                       STR_ARG(type), s3_checksum_algorithm(upload->checksum));
    }
    return STATUS_OK;
}

status s3_upload_create(s3_call *c, error *err)
{
    upload_info upload = {.bucket = c->bucket, .key = c->key, .initiator = c->who.canonical_id};
    str id;

    TRY(s3_attributes_read(c, c->facts, &upload.attributes, err));
    TRY(read_checksum(c, &upload, err));
    TRY(upload_create(c->app->storage, &upload, c->a, &id, err));
    if (upload.attributes.encrypted) {
        http_set_header(c->x, "x-amz-server-side-encryption", STR("AES256"));
    }
    if (upload.checksum != CHECKSUM_NONE) {
        http_set_header(c->x, "x-amz-checksum-algorithm",
                        str_c(s3_checksum_algorithm(upload.checksum)));
        http_set_header(c->x, "x-amz-checksum-type",
                        upload.composite ? STR("COMPOSITE") : STR("FULL_OBJECT"));
    }
    buf *out = s3_xml_begin(c, "InitiateMultipartUploadResult");
    xml_add_text(out, "Bucket", c->bucket);
    xml_add_text(out, "Key", c->key);
    xml_add_text(out, "UploadId", id);
    return s3_xml_send(c, 200, "InitiateMultipartUploadResult", out, err);
}

/* ---- parts ---- */

static status copy_body(s3_call *c, aws_body *body, upload_part_writer *writer, error *err)
{
    char *bytes = arena_alloc(c->a, S3_COPY_BYTES);
    int64_t total = 0;

    for (;;) {
        size_t got = 0;
        TRY(aws_body_read(body, bytes, S3_COPY_BYTES, &got, err));
        if (got == 0) {
            return STATUS_OK;
        }
        total += (int64_t)got;
        if (total > S3_OBJECT_BYTES_MAX) {
            return s3_fail(err, "EntityTooLarge", "a part has at most 5 GiB");
        }
        TRY(upload_part_write(writer, bytes, got, err));
    }
}

static status store_part(s3_call *c, const upload_info *upload, int number, const s3_claims *claims,
                         aws_body *body, object_digests *ret_digests, error *err)
{
    upload_part_writer *writer = NULL;
    object_checksum_kind kind = claims->kind != CHECKSUM_NONE ? claims->kind : upload->checksum;

    TRY(upload_part_begin(c->app->storage, upload, number, aws_body_size(body), kind, &writer,
                          err));
    status result = copy_body(c, body, writer, err);
    if (result == STATUS_OK) {
        result = upload_part_end(writer, ret_digests, err);
    }
    if (result == STATUS_OK) {
        result = s3_claims_check(claims, body, ret_digests, err);
    }
    if (result != STATUS_OK) {
        upload_part_abort(writer);
        return result;
    }
    ret_digests->checksum.value = str_copy(c->a, ret_digests->checksum.value);
    return upload_part_commit(writer, err);
}

status s3_part_put(s3_call *c, error *err)
{
    upload_info upload;
    object_digests digests;
    s3_claims claims;
    aws_body *body = NULL;
    int number = 0;
    bool encrypted;

    TRY(s3_part_number(c, &number, err));
    TRY(s3_encryption_read(c, c->facts, &encrypted, err));
    TRY(upload_find(c->app->storage, c->bucket, c->key, s3_param(c, "uploadId"), c->a, &upload,
                    err));
    TRY(s3_claims_read(c, &claims, err));
    if (claims.kind != CHECKSUM_NONE && upload.checksum != CHECKSUM_NONE &&
        claims.kind != upload.checksum) {
        return s3_fail(
            err, "InvalidRequest",
            "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum "
            "Type: %s",
            s3_checksum_algorithm(upload.checksum), s3_checksum_algorithm(claims.kind));
    }
    TRY(aws_body_open(c->x, &c->signature, c->who.secret, &body, err));
    if (aws_body_size(body) > S3_OBJECT_BYTES_MAX) {
        return s3_fail(err, "EntityTooLarge", "a part has at most 5 GiB");
    }
    TRY(store_part(c, &upload, number, &claims, body, &digests, err));
    str etag = str_to_hex(c->a, digests.md5, sizeof(digests.md5));
    http_set_header(c->x, "ETag", s3_quoted(c->a, etag));
    if (digests.checksum.kind != CHECKSUM_NONE) {
        http_set_header(c->x, s3_checksum_header(digests.checksum.kind), digests.checksum.value);
    }
    if (upload.attributes.encrypted) {
        http_set_header(c->x, "x-amz-server-side-encryption", STR("AES256"));
    }
    s3_empty(c, 200);
    return STATUS_OK;
}

status s3_part_list(s3_call *c, error *err)
{
    upload_info upload;
    object_part *parts = NULL;
    size_t count = 0;
    bool truncated = false;
    int64_t max, marker;

    TRY(s3_param_count(c, "max-parts", PAGE_MAX, &max, err));
    TRY(s3_param_count(c, "part-number-marker", INT32_MAX, &marker, err));
    if (!s3_has_param(c, "part-number-marker")) {
        marker = 0;
    }
    TRY(upload_find(c->app->storage, c->bucket, c->key, s3_param(c, "uploadId"), c->a, &upload,
                    err));
    TRY(upload_list_parts(c->app->storage, &upload, (int)marker, (size_t)max, c->a, &parts, &count,
                          &truncated, err));
    buf *out = s3_xml_begin(c, "ListPartsResult");
    xml_add_text(out, "Bucket", c->bucket);
    xml_add_text(out, "Key", c->key);
    xml_add_text(out, "UploadId", upload.id);
    s3_add_owner(c, out, "Initiator", upload.initiator);
    s3_add_owner(c, out, "Owner", upload.attributes.owner);
    xml_add_text(out, "StorageClass", STR("STANDARD"));
    if (upload.checksum != CHECKSUM_NONE) {
        xml_add_text(out, "ChecksumAlgorithm", str_c(s3_checksum_algorithm(upload.checksum)));
        xml_add_text(out, "ChecksumType", upload.composite ? STR("COMPOSITE") : STR("FULL_OBJECT"));
    }
    xml_add_int(out, "PartNumberMarker", marker);
    if (count > 0) {
        xml_add_int(out, "NextPartNumberMarker", parts[count - 1].number);
    }
    xml_add_int(out, "MaxParts", max);
    xml_add_bool(out, "IsTruncated", truncated);
    for (size_t i = 0; i < count; i++) {
        xml_open(out, "Part");
        xml_add_int(out, "PartNumber", parts[i].number);
        xml_add_time(out, "LastModified", parts[i].modified_us);
        xml_add_text(out, "ETag", s3_quoted(c->a, parts[i].etag));
        xml_add_int(out, "Size", parts[i].size_bytes);
        if (upload.checksum != CHECKSUM_NONE && parts[i].checksum.kind != CHECKSUM_NONE) {
            xml_add_text(out, s3_checksum_element(parts[i].checksum.kind), parts[i].checksum.value);
        }
        xml_close(out, "Part");
    }
    return s3_xml_send(c, 200, "ListPartsResult", out, err);
}

/* ---- uploads under way ---- */

static void add_key(s3_call *c, buf *out, bool encode, const char *element, str key)
{
    if (encode && key.size > 0) {
        buf *encoded = buf_in(c->a, 4 * LIMIT_KIB + 3 * key.size);
        uri_encode(encoded, key, "/");
        key = buf_str(encoded);
    }
    xml_add_text(out, element, str_is_null(key) ? STR("") : key);
}

static void add_upload(s3_call *c, buf *out, bool encode, const upload_info *upload)
{
    xml_open(out, "Upload");
    add_key(c, out, encode, "Key", upload->key);
    xml_add_text(out, "UploadId", upload->id);
    s3_add_owner(c, out, "Initiator", upload->initiator);
    s3_add_owner(c, out, "Owner", upload->attributes.owner);
    xml_add_text(out, "StorageClass", STR("STANDARD"));
    xml_add_time(out, "Initiated", upload->created_us);
    if (upload->checksum != CHECKSUM_NONE) {
        xml_add_text(out, "ChecksumAlgorithm", str_c(s3_checksum_algorithm(upload->checksum)));
        xml_add_text(out, "ChecksumType",
                     upload->composite ? STR("COMPOSITE") : STR("FULL_OBJECT"));
    }
    xml_close(out, "Upload");
}

static str param_or_empty(const s3_call *c, const char *name)
{
    str value = s3_param(c, name);
    return str_is_null(value) ? STR("") : value;
}

status s3_upload_list(s3_call *c, error *err)
{
    upload_page page = {0};
    str prefix = param_or_empty(c, "prefix");
    str delimiter = param_or_empty(c, "delimiter");
    str key = param_or_empty(c, "key-marker");
    str id = param_or_empty(c, "upload-id-marker");
    bool encode = str_equal_nocase(s3_param(c, "encoding-type"), STR("url"));
    int64_t max;

    TRY(s3_param_count(c, "max-uploads", PAGE_MAX, &max, err));
    if (max > 0) {
        TRY(upload_list(c->app->storage, c->bucket, prefix, delimiter,
                        key.size > 0 ? key : STR_NULL, id.size > 0 && key.size > 0 ? id : STR_NULL,
                        (size_t)max, c->a, &page, err));
    }
    buf *out = s3_xml_begin(c, "ListMultipartUploadsResult");
    xml_add_text(out, "Bucket", c->bucket);
    add_key(c, out, encode, "KeyMarker", key);
    xml_add_text(out, "UploadIdMarker", id);
    if (page.truncated) {
        add_key(c, out, encode, "NextKeyMarker", page.next_key);
        xml_add_text(out, "NextUploadIdMarker", page.next_id);
    }
    add_key(c, out, encode, "Prefix", prefix);
    if (delimiter.size > 0) {
        add_key(c, out, encode, "Delimiter", delimiter);
    }
    if (encode) {
        xml_add_text(out, "EncodingType", STR("url"));
    }
    xml_add_int(out, "MaxUploads", max);
    xml_add_bool(out, "IsTruncated", page.truncated);
    for (size_t i = 0; i < page.count; i++) {
        if (!access_hides_key(c->app->access, &c->who, c->bucket, page.uploads[i].key)) {
            add_upload(c, out, encode, &page.uploads[i]);
        }
    }
    for (size_t i = 0; i < page.prefix_count; i++) {
        if (access_hides_key(c->app->access, &c->who, c->bucket, page.prefixes[i])) {
            continue;
        }
        xml_open(out, "CommonPrefixes");
        add_key(c, out, encode, "Prefix", page.prefixes[i]);
        xml_close(out, "CommonPrefixes");
    }
    return s3_xml_send(c, 200, "ListMultipartUploadsResult", out, err);
}

/* ---- the end ---- */

static status read_part(const xml_element *element, object_part *ret_part, error *err)
{
    int64_t number = 0;
    str etag = xml_child_text(element, "ETag");

    if (str_to_int64(str_trim(xml_child_text(element, "PartNumber")), &number, NULL) != STATUS_OK ||
        str_is_null(etag)) {
        return s3_fail(err, "MalformedXML", "a Part has a PartNumber and an ETag");
    }
    if (number < 1 || number > PARTS_MAX) {
        return s3_fail(err, "InvalidPart", "there is no part %" PRId64, number);
    }
    *ret_part = (object_part){.number = (int)number, .etag = s3_unquoted(etag)};
    for (int kind = CHECKSUM_NONE + 1; kind < CHECKSUM_KIND_COUNT; kind++) {
        str value = xml_child_text(element, s3_checksum_element((object_checksum_kind)kind));
        if (value.size > 0) {
            ret_part->checksum =
                (object_checksum){.kind = (object_checksum_kind)kind, .value = str_trim(value)};
        }
    }
    return STATUS_OK;
}

static status read_parts(s3_call *c, object_part **ret_parts, size_t *ret_count, error *err)
{
    const xml_element *root = NULL;
    size_t at = 0;

    TRY(s3_read_xml(c, "CompleteMultipartUpload", &root, err));
    size_t count = xml_count(root, "Part");
    if (count == 0) {
        return s3_fail(err, "MalformedXML", "The list of parts is empty");
    }
    if (count > PARTS_MAX) {
        return s3_fail(err, "InvalidArgument", "an upload has at most 10000 parts");
    }
    object_part *parts = ARENA_ARRAY(c->a, object_part, count);
    for (const xml_element *e = xml_child(root, "Part"); e != NULL; e = xml_next(e)) {
        TRY(read_part(e, &parts[at], err));
        if (at > 0 &&
            parts[at].number == parts[at - 1].number) { /* sent again: the last one counts */
            parts[at - 1] = parts[at];
        } else {
            at++;
        }
    }
    *ret_parts = parts;
    *ret_count = at;
    return STATUS_OK;
}

/* Headers of checksums speak of the object here, not of the body. */
static status read_whole(s3_call *c, upload_claims *ret_whole, error *err)
{
    str size = s3_header(c, "x-amz-mp-object-size");

    *ret_whole = (upload_claims){.checksum = {.value = STR_NULL}, .size_bytes = -1};
    if (!str_is_null(size) && (str_to_int64(size, &ret_whole->size_bytes, NULL) != STATUS_OK ||
                               ret_whole->size_bytes < 0)) {
        return s3_fail(err, "InvalidArgument", "x-amz-mp-object-size is not a whole number from 0");
    }
    for (int kind = CHECKSUM_NONE + 1; kind < CHECKSUM_KIND_COUNT; kind++) {
        str value = s3_header(c, s3_checksum_header((object_checksum_kind)kind));
        if (value.size > 0) {
            ret_whole->checksum = (object_checksum){
                .kind = (object_checksum_kind)kind,
                .value = value,
                .composite = str_find_char(value, '-') != STR_NPOS,
            };
        }
    }
    return STATUS_OK;
}

static str location_of(s3_call *c)
{
    buf *out = buf_in(c->a, 8 * LIMIT_KIB);
    str host = s3_header(c, "host");

    buf_printf(out, "http://%.*s/%.*s/", STR_ARG(host), STR_ARG(c->bucket));
    uri_encode(out, c->key, "/");
    return buf_str(out);
}

status s3_upload_complete(s3_call *c, error *err)
{
    object_part *parts = NULL;
    size_t count = 0;
    upload_claims whole;
    object_conditions conditions;
    object_info info = {0};

    c->body_is_list = true;
    TRY(read_parts(c, &parts, &count, err));
    TRY(read_whole(c, &whole, err));
    TRY(s3_conditions_write(c, &conditions, err));
    TRY(upload_complete(c->app->storage, c->bucket, c->key, s3_param(c, "uploadId"), parts, count,
                        &whole, &conditions, c->a, &info, err));
    if (info.version.size > 0) { /* the null version is not told here */
        s3_write_version(c, c->facts, &info);
    }
    s3_write_encryption(c, &info);
    s3_expiration_header(c, c->facts, &info);
    buf *out = s3_xml_begin(c, "CompleteMultipartUploadResult");
    xml_add_text(out, "Location", location_of(c));
    xml_add_text(out, "Bucket", c->bucket);
    xml_add_text(out, "Key", c->key);
    xml_add_text(out, "ETag", s3_quoted(c->a, info.etag));
    if (info.checksum.kind != CHECKSUM_NONE) {
        xml_add_text(out, s3_checksum_element(info.checksum.kind), info.checksum.value);
        xml_add_text(out, "ChecksumType",
                     info.checksum.composite ? STR("COMPOSITE") : STR("FULL_OBJECT"));
    }
    return s3_xml_send(c, 200, "CompleteMultipartUploadResult", out, err);
}

status s3_upload_abort(s3_call *c, error *err)
{
    TRY(upload_abort(c->app->storage, c->bucket, c->key, s3_param(c, "uploadId"), err));
    s3_empty(c, 204);
    return STATUS_OK;
}

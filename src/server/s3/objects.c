/* GET, HEAD, PUT and DELETE of one object. Bytes stream both ways in constant memory. */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "s3/handlers.h"
#include "tarn/base/fs.h"

/* ---- reading ---- */

typedef struct piece {
    int64_t offset, size;
    bool is_part;
    const object_part *part; /* of a completed upload, where it was asked for by number */
} piece;

static status invalid_range(s3_call *c, const object_info *info, error *err)
{
    http_set_header(c->x, "Content-Range", str_printf(c->a, "bytes */%" PRId64, info->size_bytes));
    return s3_fail(err, "InvalidRange", "the object has %" PRId64 " bytes", info->size_bytes);
}

static status find_part(s3_call *c, const object_info *info, piece *ret_piece, error *err)
{
    int64_t number = 0;

    if (str_to_int64(s3_param(c, "partNumber"), &number, NULL) != STATUS_OK || number < 1 ||
        number > 10000) {
        return s3_fail(err, "InvalidArgument",
                       "Part number must be an integer between 1 and 10000, inclusive");
    }
    if (!str_is_null(s3_header(c, "range"))) {
        return s3_fail(err, "InvalidRequest", "Cannot specify both Range header and partNumber");
    }
    if (info->part_count > 0) {
        http_set_header(c->x, "x-amz-mp-parts-count", str_printf(c->a, "%zu", info->part_count));
    }
    status result = object_part_range(info, (int)number, &ret_piece->offset, &ret_piece->size, err);
    if (result == STATUS_RANGE) {
        return s3_fail(err, "InvalidPart", "the object has no part %" PRId64, number);
    }
    for (size_t i = 0; i < info->part_count; i++) {
        if (info->parts[i].number == number) {
            ret_piece->part = &info->parts[i];
        }
    }
    ret_piece->is_part = true;
    return result;
}

/* Whether a range that was asked for "if it is still this one" counts. */
static bool if_range_holds(s3_call *c, const object_info *info)
{
    str condition = s3_header(c, "if-range");
    int64_t date_us = 0;

    if (str_is_null(condition)) {
        return true;
    }
    if (str_starts_with(condition, STR("\""))) {
        return str_equal(s3_unquoted(condition), info->etag);
    }
    return s3_parse_date(condition, &date_us, NULL) == STATUS_OK &&
           info->modified_us / 1000000 <= date_us / 1000000;
}

static status find_piece(s3_call *c, const object_info *info, piece *ret_piece, error *err)
{
    *ret_piece = (piece){.size = info->size_bytes};
    if (s3_has_param(c, "partNumber")) {
        return find_part(c, info, ret_piece, err);
    }
    if (!if_range_holds(c, info)) {
        return STATUS_OK;
    }
    switch (http_request_range(c->x, info->size_bytes, &ret_piece->offset, &ret_piece->size)) {
    case HTTP_RANGE_OUTSIDE:
        return invalid_range(c, info, err);
    case HTTP_RANGE_PART:
        ret_piece->is_part = true;
        break;
    case HTTP_RANGE_WHOLE:
        break;
    }
    return STATUS_OK;
}

static void release_hot(void *hot)
{
    object_hot_release(hot);
}

void s3_use_hot(s3_call *c, const object_hot *hot)
{
    union { /* released is what was shared */
        const object_hot *shared;
        void *own;
    } it = {.shared = hot};

    arena_defer(c->a, release_hot, it.own);
    c->hot = hot;
    c->object = *object_hot_info(hot);
    c->object_status = STATUS_OK;
    c->object_known = true;
}

static status stream(s3_call *c, store_reader *reader, int status_code, const char *type,
                     const piece *p, error *err)
{
    size_t room = p->size < (int64_t)S3_COPY_BYTES ? (size_t)p->size + 1 : S3_COPY_BYTES;
    char *bytes = arena_alloc(c->a, room);
    int64_t done = 0;

    TRY(http_stream_begin(c->x, status_code, type, p->size, err));
    while (done < p->size) {
        int64_t left = p->size - done;
        size_t want = left < (int64_t)S3_COPY_BYTES ? (size_t)left : S3_COPY_BYTES;
        size_t got = 0;

        TRY(store_reader_read(reader, bytes, want, p->offset + done, &got, err));
        if (got == 0) {
            return error_set(err, STATUS_CORRUPT, "the object is shorter than its row says");
        }
        TRY(http_stream_write(c->x, bytes, got, err));
        done += (int64_t)got;
    }
    return http_stream_end(c->x, err);
}

static status send_piece(s3_call *c, const object_info *info, store_reader *reader, const piece *p,
                         error *err)
{
    str override = s3_param(c, "response-content-type");
    const char *type = str_to_c(c->a, override.size > 0 ? override : info->attributes.content_type);
    int status_code = p->is_part ? 206 : 200;

    if (p->is_part && info->size_bytes > 0) {
        http_set_header(c->x, "Content-Range",
                        str_printf(c->a, "bytes %" PRId64 "-%" PRId64 "/%" PRId64, p->offset,
                                   p->offset + p->size - 1, info->size_bytes));
    }
    if (http_request_method(c->x) == HTTP_HEAD) {
        TRY(http_stream_begin(c->x, status_code, type, p->size, err));
        return http_stream_end(c->x, err);
    }
    if (c->hot != NULL) {
        str bytes = object_hot_bytes(c->hot);

        http_respond(c->x, status_code, type,
                     str_slice(bytes, (size_t)p->offset, (size_t)(p->offset + p->size)));
        return STATUS_OK;
    }
    if (store_reader_verified(reader) && store_reader_fd(reader) >= 0 && p->size > 0 &&
        !info->attributes.encrypted) {
        int fd = fcntl(store_reader_fd(reader), F_DUPFD_CLOEXEC, 0);
        if (fd >= 0) {
            http_respond_file(c->x, status_code, type, fd, store_reader_start(reader) + p->offset,
                              p->size);
            return STATUS_OK;
        }
    }
    return stream(c, reader, status_code, type, p, err);
}

/* A delete marker stands there: 404, or 405 where it was named. */
static status tell_marker(s3_call *c, const object_info *info, status result, const error *err)
{
    if (info->is_marker) {
        char date[S3_DATE_SIZE];
        s3_format_date(info->modified_us, date);
        http_set_header(c->x, "x-amz-delete-marker", STR("true"));
        http_set_header(c->x, "x-amz-version-id",
                        info->version.size > 0 ? info->version : STR("null"));
        if (err->kind == STATUS_METHOD || result == STATUS_METHOD) {
            http_set_header(c->x, "Last-Modified", str_c(date));
            http_set_header(c->x, "Allow", STR("DELETE"));
        }
    }
    return result;
}

static status refuse_encryption_headers(s3_call *c, error *err)
{
    if (!str_is_null(s3_header(c, "x-amz-server-side-encryption-customer-algorithm")) ||
        !str_is_null(s3_header(c, "x-amz-server-side-encryption-customer-key"))) {
        return s3_fail(err, "NotImplemented", "SSE-C is not served: tarn keeps the keys (SSE-S3)");
    }
    if (!str_is_null(s3_header(c, "x-amz-server-side-encryption"))) {
        return s3_fail(err, "InvalidArgument",
                       "x-amz-server-side-encryption header is not supported for this operation.");
    }
    return STATUS_OK;
}

/* Of the whole, or of the part that was asked for. */
static void write_checksum(s3_call *c, const object_info *info, const piece *p)
{
    if (!p->is_part || p->size == info->size_bytes) {
        s3_write_checksum(c, &info->checksum);
    } else if (p->part != NULL) {
        object_checksum checksum = p->part->checksum;
        checksum.composite = info->checksum.composite;
        s3_write_checksum(c, &checksum);
    }
}

static status answer_object(s3_call *c, const object_info *info, store_reader *reader, error *err)
{
    bool unchanged = false;
    piece p;

    TRY(s3_conditions_read(c, false, info, &unchanged, err));
    s3_write_object_headers(c, c->facts, info);
    if (unchanged) {
        s3_empty(c, 304);
        return STATUS_OK;
    }
    TRY(find_piece(c, info, &p, err));
    if (str_equal_nocase(s3_header(c, "x-amz-checksum-mode"), STR("ENABLED"))) {
        write_checksum(c, info, &p);
    }
    return send_piece(c, info, reader, &p, err);
}

/* The right was asked for what was found before; what is opened now may be another. */
static status check_found(s3_call *c, const object_info *found, error *err)
{
    return s3_allow(c, str_is_null(c->version) ? c->route->action : c->route->version_action,
                    c->facts, c->key, found, err);
}

static bool is_small(const s3_call *c)
{
    return str_is_null(c->version) && c->object_known &&
           c->object.size_bytes <= (int64_t)HOT_OBJECT_BYTES_MAX;
}

/* Whole in memory; `*ret_done` false where it is another and large by now. */
static status answer_small(s3_call *c, bool *ret_done, error *err)
{
    const object_hot *hot = c->hot;

    *ret_done = true;
    if (hot == NULL) {
        status loaded = object_load(c->app->storage, c->bucket, c->key, &hot, err);
        if (loaded == STATUS_TOO_LARGE) {
            error_clear(err);
            *ret_done = false;
            return STATUS_OK;
        }
        TRY(loaded);
        status allowed = check_found(c, object_hot_info(hot), err);
        s3_use_hot(c, hot);
        TRY(allowed);
    }
    return answer_object(c, &c->object, NULL, err);
}

static status answer_opened(s3_call *c, error *err)
{
    store_reader *reader = NULL;
    object_info info = {0};
    status result =
        object_open(c->app->storage, c->bucket, c->key, c->version, c->a, &info, &reader, err);

    if (result != STATUS_OK) {
        return tell_marker(c, &info, result, err);
    }
    result = check_found(c, &info, err);
    if (result == STATUS_OK) {
        result = answer_object(c, &info, reader, err);
    }
    store_reader_close(reader);
    return result;
}

/* How a browser shall take an answer is said by who signs the link. */
static status refuse_unsigned_overrides(s3_call *c, error *err)
{
    size_t count = 0;
    const uri_pair *pairs = http_request_params(c->x, &count);

    for (size_t i = 0; i < count && c->who.canonical_id.size == 0; i++) {
        if (str_starts_with(pairs[i].name, STR("response-"))) {
            return s3_fail(err, "InvalidRequest",
                           "Request specific response headers cannot be used for anonymous GET "
                           "requests.");
        }
    }
    return STATUS_OK;
}

status s3_object_get(s3_call *c, error *err)
{
    bool is_head = http_request_method(c->x) == HTTP_HEAD;
    bool done = false;

    TRY(refuse_unsigned_overrides(c, err));
    TRY(refuse_encryption_headers(c, err));
    if (c->object_known && c->object_status != STATUS_OK) {
        *err = c->object_error;
        return tell_marker(c, &c->object, c->object_status, err);
    }
    if (c->object_known && is_head) {
        return answer_object(c, &c->object, NULL, err);
    }
    if (is_small(c)) {
        TRY(answer_small(c, &done, err));
    }
    return done ? STATUS_OK : answer_opened(c, err);
}

/* ---- writing ---- */

static status check_length(const s3_call *c, error *err)
{
    if (str_is_null(s3_header(c, "content-length")) &&
        str_is_null(s3_header(c, "transfer-encoding"))) {
        return s3_fail(err, "MissingContentLength", "neither Content-Length nor chunks");
    }
    return STATUS_OK;
}

static status copy_body(s3_call *c, aws_body *body, object_writer *writer, error *err)
{
    int64_t size = aws_body_size(body);
    size_t room = size >= 0 && size < (int64_t)S3_COPY_BYTES ? (size_t)size + 1 : S3_COPY_BYTES;
    char *bytes = arena_alloc(c->a, room);
    int64_t total = 0;

    for (;;) {
        size_t got = 0;
        TRY(aws_body_read(body, bytes, room, &got, err));
        if (got == 0) {
            return STATUS_OK;
        }
        total += (int64_t)got;
        if (total > S3_OBJECT_BYTES_MAX) {
            return s3_fail(err, "EntityTooLarge", "one request may write 5 GiB");
        }
        TRY(object_writer_write(writer, bytes, got, err));
    }
}

status s3_store_body(s3_call *c, const object_write *what, const s3_claims *claims, aws_body *body,
                     object_writer **ret_writer, object_digests *ret_digests, error *err)
{
    object_writer *writer = NULL;

    TRY(object_writer_begin(c->app->storage, what, &writer, err));
    status result = copy_body(c, body, writer, err);
    if (result == STATUS_OK) {
        result = object_writer_end(writer, ret_digests, err);
    }
    if (result == STATUS_OK) {
        result = s3_claims_check(claims, body, ret_digests, err);
    }
    if (result != STATUS_OK) {
        object_writer_abort(writer);
        return result;
    }
    *ret_writer = writer;
    return STATUS_OK;
}

status s3_object_put(s3_call *c, error *err)
{
    object_attributes attributes;
    object_conditions conditions;
    object_digests digests;
    object_writer *writer = NULL;
    object_info info = {0};
    s3_claims claims;
    aws_body *body = NULL;

    TRY(check_length(c, err));
    TRY(s3_attributes_read(c, c->facts, &attributes, err));
    TRY(s3_conditions_write(c, &conditions, err));
    TRY(s3_claims_read(c, &claims, err));
    TRY(aws_body_open(c->x, &c->signature, c->who.secret, &body, err));
    if (aws_body_size(body) > S3_OBJECT_BYTES_MAX) {
        return s3_fail(err, "EntityTooLarge", "one request may write 5 GiB");
    }
    const object_write what = {
        .bucket = c->bucket,
        .key = c->key,
        .attributes = &attributes,
        .size_bytes = aws_body_size(body),
        .checksum = claims.kind,
    };
    TRY(s3_store_body(c, &what, &claims, body, &writer, &digests, err));
    TRY(object_writer_commit(writer, &conditions, c->a, &info, err));
    http_set_header(c->x, "ETag", s3_quoted(c->a, info.etag));
    if (info.version.size > 0) { /* the null version is not told here */
        s3_write_version(c, c->facts, &info);
    }
    s3_write_checksum(c, &info.checksum);
    s3_write_encryption(c, &info);
    s3_expiration_header(c, c->facts, &info);
    s3_empty(c, 200);
    return STATUS_OK;
}

/* ---- deleting ---- */

status s3_object_delete(s3_call *c, error *err)
{
    object_delete_request request = {.key = c->key, .version = c->version};
    object_delete_result result = {0};

    TRY(s3_conditions_write(c, &request.conditions, err));
    if (str_equal_nocase(s3_header(c, "x-amz-bypass-governance-retention"), STR("true"))) {
        TRY(s3_allow(c, "s3:BypassGovernanceRetention", c->facts, c->key, NULL, err));
        request.bypass_governance = true;
    }
    TRY(object_delete(c->app->storage, c->bucket, &request, 1, c->a, &result, err));
    if (result.result != STATUS_OK) {
        error_set(err, result.result, "%.*s", STR_ARG(result.message));
        error_set_s3_code(err, result.s3_code);
        return result.result;
    }
    if (result.made_marker || result.was_marker) {
        http_set_header(c->x, "x-amz-delete-marker", STR("true"));
    }
    if (c->facts->info->versioning != VERSIONING_OFF) {
        str version = result.version.size > 0 ? result.version : STR("null");
        if (result.made_marker || !str_is_null(c->version)) {
            http_set_header(c->x, "x-amz-version-id", version);
        }
    }
    s3_empty(c, 204);
    return STATUS_OK;
}

/* Headers that say something of an object: read from a request that writes it, written into an answer that tells it. */
#include <inttypes.h>

#include "s3/s3.h"
#include "tarn/base/clock.h"
#include "tarn/base/vec.h"
#include "tarn/net/uri.h"

#define METADATA_BYTES_MAX 2048 /* names and values of user metadata together */
#define TAGS_MAX 10
#define TAG_NAME_MAX 128 /* characters */
#define TAG_VALUE_MAX 256

typedef VEC(object_pair) pair_list;

static const char *const system_headers[] = {"cache-control",    "content-disposition",
                                             "content-encoding", "content-language",
                                             "expires",          "x-amz-website-redirect-location"};

static const str metadata_prefix = STR_INIT("x-amz-meta-");

/* "gzip, aws-chunked" -> "gzip": the word is of the transport alone. */
static str without_chunked(arena *a, str value)
{
    buf *out = buf_in(a, LIMIT_HTTP_HEAD);
    str rest = value;

    while (!str_is_null(rest)) {
        str word = str_trim(str_cut(rest, ',', &rest));
        if (word.size == 0 || str_equal_nocase(word, STR("aws-chunked"))) {
            continue;
        }
        buf_add_c(out, out->size > 0 ? ", " : "");
        buf_add_str(out, word);
    }
    return out->size > 0 ? buf_str(out) : STR_NULL;
}

static void read_system(s3_call *c, pair_list *all)
{
    for (size_t i = 0; i < COUNT_OF(system_headers); i++) {
        str value = s3_header(c, system_headers[i]);
        if (str_equal(str_c(system_headers[i]), STR("content-encoding")) && !str_is_null(value)) {
            value = without_chunked(c->a, value);
        }
        if (!str_is_null(value)) {
            vec_push(c->a, all, ((object_pair){.name = str_c(system_headers[i]), .value = value}));
        }
    }
}

/* The same name twice is one value with a comma (RFC 9110 §5.3). */
static void add_metadata(s3_call *c, pair_list *all, str name, str value)
{
    for (size_t i = 0; i < all->count; i++) {
        if (str_equal(all->items[i].name, name)) {
            all->items[i].value =
                str_printf(c->a, "%.*s,%.*s", STR_ARG(all->items[i].value), STR_ARG(value));
            return;
        }
    }
    vec_push(c->a, all, ((object_pair){.name = name, .value = value}));
}

static size_t header_count(const s3_call *c)
{
    size_t count = 0;

    if (c->posted == NULL) { /* and what stands for some in a signed query */
        (void)http_request_params(c->x, &count);
        return http_request_header_count(c->x) + count;
    }
    (void)form_fields(c->posted, &count);
    return count;
}

static http_header header_at(const s3_call *c, size_t i)
{
    size_t count = 0;

    if (c->posted == NULL && i < http_request_header_count(c->x)) {
        return http_request_header_at(c->x, i);
    }
    if (c->posted == NULL) {
        const uri_pair *pair =
            &http_request_params(c->x, &count)[i - http_request_header_count(c->x)];
        bool counts = s3_is_hoisted(c, pair->name) &&
                      str_is_null(http_request_header(c->x, str_to_c(c->a, pair->name)));
        return (http_header){.name = counts ? pair->name : STR(""),
                             .value = str_is_null(pair->value) ? STR("") : pair->value};
    }
    const form_field *field = &form_fields(c->posted, &count)[i];
    return (http_header){.name = field->name, .value = field->value};
}

static status read_metadata(s3_call *c, pair_list *all, error *err)
{
    size_t bytes = 0;

    for (size_t i = 0; i < header_count(c); i++) {
        http_header header = header_at(c, i);
        if (str_starts_with_nocase(header.name, metadata_prefix)) {
            bytes += header.name.size - metadata_prefix.size + header.value.size;
            add_metadata(c, all, str_lower(c->a, header.name), header.value);
        }
    }
    if (bytes > METADATA_BYTES_MAX) {
        return s3_fail(err, "MetadataTooLarge", "user metadata has %zu bytes, more than %d", bytes,
                       METADATA_BYTES_MAX);
    }
    return STATUS_OK;
}

/* ---- tags ---- */

static size_t characters(str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++) {
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    }
    return count;
}

status s3_tags_check(const object_pair *tags, size_t count, size_t max, error *err)
{
    if (count > max) {
        return s3_fail(err, "InvalidTag", "Object tags cannot be greater than %zu", max);
    }
    for (size_t i = 0; i < count; i++) {
        if (tags[i].name.size == 0 || characters(tags[i].name) > TAG_NAME_MAX ||
            str_starts_with_nocase(tags[i].name, STR("aws:"))) {
            return s3_fail(err, "InvalidTag", "The TagKey you have provided is invalid");
        }
        if (characters(tags[i].value) > TAG_VALUE_MAX) {
            return s3_fail(err, "InvalidTag", "The TagValue you have provided is invalid");
        }
        for (size_t k = 0; k < i; k++) {
            if (str_equal(tags[k].name, tags[i].name)) {
                return s3_fail(err, "InvalidTag", "Cannot provide multiple Tags with the same key");
            }
        }
    }
    return STATUS_OK;
}

status s3_tags_parse(s3_call *c, str text, const object_pair **ret_tags, size_t *ret_count,
                     error *err)
{
    pair_list all = {0};
    str rest = text;

    while (!str_is_null(rest)) {
        str value = STR_NULL;
        str pair = str_cut(rest, '&', &rest);
        str name = str_cut(pair, '=', &value);
        object_pair tag = {.name = STR(""), .value = STR("")};

        if (pair.size == 0) {
            continue;
        }
        if (uri_decode_form(c->a, name, &tag.name, NULL) != STATUS_OK ||
            (!str_is_null(value) && uri_decode_form(c->a, value, &tag.value, NULL) != STATUS_OK)) {
            return s3_fail(
                err, "InvalidArgument",
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL "
                "query parameters without tag name duplicates.");
        }
        vec_push(c->a, &all, tag);
    }
    TRY(s3_tags_check(all.items, all.count, TAGS_MAX, err));
    *ret_tags = all.items;
    *ret_count = all.count;
    return STATUS_OK;
}

/* ---- all of it ---- */

static status check_storage_class(str class, error *err)
{
    if (class.size > 0 && !str_equal(class, STR("STANDARD"))) {
        return s3_fail(err, "InvalidStorageClass", "there is the storage class STANDARD alone");
    }
    return STATUS_OK;
}

/* With BucketOwnerPreferred, who gives the bucket's owner full control gives the object itself. */
static bool is_given_away(s3_call *c, const s3_facts *facts)
{
    return str_find(bucket_document(facts->info, "ownership"), STR("BucketOwnerPreferred")) !=
               STR_NPOS &&
           str_equal(s3_header(c, "x-amz-acl"), STR("bucket-owner-full-control"));
}

/* Who writes by an ACL alone may tag what he sends in a form: there is no policy that could say it. */
static bool tags_are_free(const s3_call *c, const s3_facts *facts)
{
    return c->posted != NULL && !access_is_narrowed(&c->who) && facts->rights.policy == NULL;
}

/* What an object may be given with its bytes, each a right of its own. */
static status check_rights(s3_call *c, const s3_facts *facts, const object_attributes *attributes,
                           error *err)
{
    if (attributes->tag_count > 0 && !tags_are_free(c, facts)) {
        TRY(s3_allow(c, "s3:PutObjectTagging", facts, c->key, NULL, err));
    }
    if (!str_is_null(s3_header(c, "x-amz-object-lock-mode"))) {
        TRY(s3_allow(c, "s3:PutObjectRetention", facts, c->key, NULL, err));
    }
    if (attributes->lock.legal_hold) {
        TRY(s3_allow(c, "s3:PutObjectLegalHold", facts, c->key, NULL, err));
    }
    return STATUS_OK;
}

status s3_attributes_read(s3_call *c, const s3_facts *facts, object_attributes *ret_attributes,
                          error *err)
{
    pair_list headers = {0};
    object_attributes out = {.owner = c->who.canonical_id};
    str content_type = s3_header(c, "content-type");
    str tags = s3_header(c, "x-amz-tagging");
    str acl = STR_NULL;

    read_system(c, &headers);
    TRY(read_metadata(c, &headers, err));
    out.content_type = content_type.size > 0 ? content_type : STR("binary/octet-stream");
    out.headers = headers.items;
    out.header_count = headers.count;
    if (tags.size > 0) {
        TRY(s3_tags_parse(c, tags, &out.tags, &out.tag_count, err));
    }
    if (c->posted != NULL) { /* a document in a field, read before */
        out.tags = c->request_tags;
        out.tag_count = c->request_tag_count;
    }
    TRY(check_storage_class(s3_header(c, "x-amz-storage-class"), err));
    TRY(s3_lock_read(c, facts, &out.lock, err));
    TRY(s3_encryption_read(c, facts, &out.encrypted, err));
    TRY(check_rights(c, facts, &out, err));
    /* What the catalog lets somebody write is the warehouse's. */
    if (facts->rights.acls_off || is_given_away(c, facts) || c->who.scopes != NULL) {
        out.owner = facts->info->owner;
    }
    TRY(s3_acl_of_request(c, out.owner, facts->info->owner, &acl, err));
    out.acl = str_is_null(acl) ? STR("") : acl;
    *ret_attributes = out;
    return STATUS_OK;
}

/* ---- answers ---- */

void s3_write_version(s3_call *c, const s3_facts *facts, const object_info *info)
{
    if (facts->info->versioning != VERSIONING_OFF || info->version.size > 0) {
        http_set_header(c->x, "x-amz-version-id",
                        info->version.size > 0 ? info->version : STR("null"));
    }
}

void s3_write_checksum(s3_call *c, const object_checksum *checksum)
{
    if (checksum->kind == CHECKSUM_NONE) {
        return;
    }
    http_set_header(c->x, s3_checksum_header(checksum->kind), checksum->value);
    http_set_header(c->x, "x-amz-checksum-type",
                    checksum->composite ? STR("COMPOSITE") : STR("FULL_OBJECT"));
}

void s3_write_encryption(s3_call *c, const object_info *info)
{
    if (info->attributes.encrypted) {
        http_set_header(c->x, "x-amz-server-side-encryption", STR("AES256"));
    }
}

static void write_lock(s3_call *c, const object_lock *lock)
{
    char until[CLOCK_TEXT_SIZE];

    if (lock->mode != LOCK_NONE) {
        clock_format_utc(lock->retain_until_us, 3, until);
        http_set_header(c->x, "x-amz-object-lock-mode",
                        lock->mode == LOCK_GOVERNANCE ? STR("GOVERNANCE") : STR("COMPLIANCE"));
        http_set_header(c->x, "x-amz-object-lock-retain-until-date", str_c(until));
    }
    if (lock->legal_hold) {
        http_set_header(c->x, "x-amz-object-lock-legal-hold", STR("ON"));
    }
}

/* A presigned link may say how a browser shall take what it gets. */
static const struct {
    const char *parameter, *header;
} overrides[] = {
    {"response-cache-control", "cache-control"},
    {"response-content-disposition", "content-disposition"},
    {"response-content-encoding", "content-encoding"},
    {"response-content-language", "content-language"},
    {"response-expires", "expires"},
};

static str override_of(s3_call *c, str header)
{
    for (size_t i = 0; i < COUNT_OF(overrides); i++) {
        if (str_equal(header, str_c(overrides[i].header))) {
            return s3_param(c, overrides[i].parameter);
        }
    }
    return STR_NULL;
}

void s3_write_object_headers(s3_call *c, const s3_facts *facts, const object_info *info)
{
    const object_attributes *attributes = &info->attributes;
    char date[S3_DATE_SIZE];

    s3_format_date(info->modified_us, date);
    http_set_header(c->x, "ETag", s3_quoted(c->a, info->etag));
    http_set_header(c->x, "Last-Modified", str_c(date));
    http_set_header(c->x, "Accept-Ranges", STR("bytes"));
    s3_write_version(c, facts, info);
    for (size_t i = 0; i < attributes->header_count; i++) {
        const object_pair *header = &attributes->headers[i];
        if (str_is_null(override_of(c, header->name))) {
            http_set_header(c->x, str_to_c(c->a, header->name), header->value);
        }
    }
    for (size_t i = 0; i < COUNT_OF(overrides); i++) {
        str value = s3_param(c, overrides[i].parameter);
        if (!str_is_null(value)) {
            http_set_header(c->x, overrides[i].header, value);
        }
    }
    if (attributes->tag_count > 0) {
        http_set_header(c->x, "x-amz-tagging-count",
                        str_printf(c->a, "%zu", attributes->tag_count));
    }
    s3_write_encryption(c, info);
    write_lock(c, &attributes->lock);
    s3_expiration_header(c, facts, info);
}

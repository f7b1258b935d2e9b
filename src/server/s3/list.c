/* Listings: objects in both forms, and versions. */
#include <inttypes.h>

#include "s3/handlers.h"
#include "tarn/codec/checksum.h"
#include "tarn/net/uri.h"

#define PAGE_MAX 1000

/* What all three ask for. */
typedef struct query {
    str prefix, delimiter;
    int64_t max;
    bool encode;
} query;

static str or_empty(str s)
{
    return str_is_null(s) ? STR("") : s;
}

static status read_query(s3_call *c, query *ret_query, error *err)
{
    str encoding = s3_param(c, "encoding-type");

    if (encoding.size > 0 && !str_equal_nocase(encoding, STR("url"))) {
        return s3_fail(err, "InvalidArgument", "Invalid Encoding Method specified in Request");
    }
    TRY(s3_param_count(c, "max-keys", PAGE_MAX, &ret_query->max, err));
    ret_query->prefix = or_empty(s3_param(c, "prefix"));
    ret_query->delimiter = or_empty(s3_param(c, "delimiter"));
    ret_query->encode = encoding.size > 0;
    return STATUS_OK;
}

/* A key as the client wants it told: XML cannot hold every byte. */
static void add_key(s3_call *c, buf *out, const query *q, const char *element, str key)
{
    if (q->encode) {
        buf *encoded = buf_in(c->a, 4 * LIMIT_KIB + 3 * key.size);
        uri_encode(encoded, key, "/");
        key = buf_str(encoded);
        key = str_is_null(key) ? STR("") : key;
    }
    xml_add_text(out, element, key);
}

static bool fits_xml(str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char ch = (unsigned char)text.data[i];
        if (ch < ' ' && ch != '\t' && ch != '\n') {
            return false;
        }
    }
    return true;
}

/* Clients decode the prefix of the second form alone: in the first it is encoded only where XML cannot hold it. */
static void add_head(s3_call *c, buf *out, const query *q)
{
    bool is_first = !s3_has_param(c, "list-type") && !s3_has_param(c, "versions");

    xml_add_text(out, "Name", c->bucket);
    if (is_first && fits_xml(q->prefix)) {
        xml_add_text(out, "Prefix", q->prefix);
    } else {
        add_key(c, out, q, "Prefix", q->prefix);
    }
    if (q->delimiter.size > 0) {
        add_key(c, out, q, "Delimiter", q->delimiter);
    }
    xml_add_int(out, "MaxKeys", q->max);
    if (q->encode) {
        xml_add_text(out, "EncodingType", STR("url"));
    }
}

static void add_checksum(buf *out, const object_info *info)
{
    if (info->checksum.kind != CHECKSUM_NONE) {
        xml_add_text(out, "ChecksumAlgorithm", str_c(s3_checksum_algorithm(info->checksum.kind)));
        xml_add_text(out, "ChecksumType",
                     info->checksum.composite ? STR("COMPOSITE") : STR("FULL_OBJECT"));
    }
}

static void add_object(s3_call *c, buf *out, const query *q, const object_info *info,
                       bool with_owner)
{
    xml_open(out, "Contents");
    add_key(c, out, q, "Key", info->key);
    xml_add_time(out, "LastModified", info->modified_us);
    xml_add_text(out, "ETag", s3_quoted(c->a, info->etag));
    add_checksum(out, info);
    xml_add_int(out, "Size", info->size_bytes);
    if (with_owner) {
        s3_add_owner(c, out, "Owner", info->attributes.owner);
    }
    xml_add_text(out, "StorageClass", STR("STANDARD"));
    xml_close(out, "Contents");
}

static void add_prefixes(s3_call *c, buf *out, const query *q, const object_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        if (page->entries[i].is_prefix) {
            xml_open(out, "CommonPrefixes");
            add_key(c, out, q, "Prefix", page->entries[i].info.key);
            xml_close(out, "CommonPrefixes");
        }
    }
}

/* ---- what is hidden from the caller ---- */

/* Drops hidden entries, which stand side by side; whether the last entry was one. */
static bool drop_hidden(s3_call *c, object_page *page)
{
    size_t kept = 0;
    bool at_end = false;

    for (size_t i = 0; i < page->count; i++) {
        at_end = access_hides_key(c->app->access, &c->who, c->bucket, page->entries[i].info.key);
        if (!at_end) {
            page->entries[kept++] = page->entries[i];
        }
    }
    page->count = kept;
    return at_end;
}

/* No page ends among hidden names: its marker would tell one, and behind a page without a key older clients stop. */
static status list_shown(s3_call *c, object_listing *what, object_page *ret_page, error *err)
{
    object_page first, rest;

    TRY(object_list(c->app->storage, what, c->a, &first, err));
    if (!drop_hidden(c, &first) || !first.truncated) {
        *ret_page = first;
        return STATUS_OK;
    }
    what->after = access_behind_hidden(c->app->access, c->a);
    what->after_version = STR_NULL;
    what->after_place = what->after_us = 0;
    what->max -= first.count;
    TRY(object_list(c->app->storage, what, c->a, &rest, err));
    object_entry *all = ARENA_ARRAY(c->a, object_entry, first.count + rest.count);
    for (size_t i = 0; i < first.count + rest.count; i++) {
        all[i] = i < first.count ? first.entries[i] : rest.entries[i - first.count];
    }
    rest.entries = all;
    rest.count += first.count;
    *ret_page = rest;
    return STATUS_OK;
}

static status find_page(s3_call *c, const query *q, str after, bool with_owner,
                        object_page *ret_page, error *err)
{
    object_listing what = {
        .bucket = c->bucket,
        .prefix = q->prefix,
        .delimiter = q->delimiter,
        .after = after,
        .after_version = STR_NULL,
        .max = (size_t)q->max,
        .with_attributes = with_owner,
    };
    *ret_page = (object_page){0};
    return q->max == 0 ? STATUS_OK : list_shown(c, &what, ret_page, err);
}

/* ---- ListObjects ---- */

static status list_first_form(s3_call *c, error *err)
{
    query q;
    object_page page;
    str marker = or_empty(s3_param(c, "marker"));

    TRY(read_query(c, &q, err));
    TRY(find_page(c, &q, marker.size > 0 ? marker : STR_NULL, true, &page, err));
    buf *out = s3_xml_begin(c, "ListBucketResult");
    add_head(c, out, &q);
    add_key(c, out, &q, "Marker", marker);
    if (page.truncated && q.delimiter.size > 0) {
        add_key(c, out, &q, "NextMarker", page.next_after);
    }
    xml_add_bool(out, "IsTruncated", page.truncated);
    for (size_t i = 0; i < page.count; i++) {
        if (!page.entries[i].is_prefix) {
            add_object(c, out, &q, &page.entries[i].info, true);
        }
    }
    add_prefixes(c, out, &q, &page);
    return s3_xml_send(c, 200, "ListBucketResult", out, err);
}

/* ---- ListObjectsV2 ---- */

/* A token is where the page ended, behind a checksum of it and the bucket: what comes back and is none would begin the
 * listing anywhere. */
#define TOKEN_SUM_BYTES 4

static str token_sum(s3_call *c, str after)
{
    uint32_t sum = checksum_crc32c(0, c->bucket.data, c->bucket.size);
    char *bytes = arena_alloc(c->a, TOKEN_SUM_BYTES);

    sum = checksum_crc32c(checksum_crc32c(sum, "/", 1), after.data, after.size);
    for (int i = 0; i < TOKEN_SUM_BYTES; i++) {
        bytes[i] = (char)(sum >> 8 * i);
    }
    return str_from(bytes, TOKEN_SUM_BYTES);
}

static str token_of(s3_call *c, str after)
{
    return base64_encode(c->a, str_concat(c->a, token_sum(c, after), after));
}

static status read_token(s3_call *c, str *ret_after, error *err)
{
    str token = s3_param(c, "continuation-token");
    str after = s3_param(c, "start-after");
    str bytes = STR("");

    *ret_after = after.size > 0 ? after : STR_NULL;
    if (token.size == 0) {
        return STATUS_OK;
    }
    if (base64_decode(c->a, token, &bytes, NULL) == STATUS_OK && bytes.size > TOKEN_SUM_BYTES) {
        *ret_after = str_slice(bytes, TOKEN_SUM_BYTES, bytes.size);
        if (str_starts_with(bytes, token_sum(c, *ret_after))) {
            return STATUS_OK;
        }
    }
    return s3_fail(err, "InvalidArgument", "The continuation token provided is incorrect");
}

static status list_second_form(s3_call *c, error *err)
{
    query q;
    object_page page;
    str after = STR_NULL;
    str token = s3_param(c, "continuation-token");
    str start_after = s3_param(c, "start-after");
    bool with_owner = str_equal(s3_param(c, "fetch-owner"), STR("true"));

    TRY(read_query(c, &q, err));
    TRY(read_token(c, &after, err));
    TRY(find_page(c, &q, after, true, &page, err));
    buf *out = s3_xml_begin(c, "ListBucketResult");
    add_head(c, out, &q);
    xml_add_int(out, "KeyCount", (int64_t)page.count);
    xml_add_bool(out, "IsTruncated", page.truncated);
    if (!str_is_null(token)) {
        xml_add_text(out, "ContinuationToken", token);
    }
    if (page.truncated) {
        xml_add_text(out, "NextContinuationToken", token_of(c, page.next_after));
    }
    if (!str_is_null(start_after)) {
        add_key(c, out, &q, "StartAfter", start_after);
    }
    for (size_t i = 0; i < page.count; i++) {
        if (!page.entries[i].is_prefix) {
            add_object(c, out, &q, &page.entries[i].info, with_owner);
        }
    }
    add_prefixes(c, out, &q, &page);
    return s3_xml_send(c, 200, "ListBucketResult", out, err);
}

status s3_list_objects(s3_call *c, error *err)
{
    str type = s3_param(c, "list-type");

    if (!str_is_null(type) && !str_equal(type, STR("2"))) {
        return s3_fail(err, "InvalidArgument", "list-type is 2");
    }
    return str_is_null(type) ? list_first_form(c, err) : list_second_form(c, err);
}

/* ---- ListObjectVersions ---- */

static str version_text(str version)
{
    return version.size > 0 ? version : STR("null");
}

static void add_version(s3_call *c, buf *out, const query *q, const object_info *info)
{
    const char *element = info->is_marker ? "DeleteMarker" : "Version";

    xml_open(out, element);
    add_key(c, out, q, "Key", info->key);
    xml_add_text(out, "VersionId", version_text(info->version));
    xml_add_bool(out, "IsLatest", info->is_latest);
    xml_add_time(out, "LastModified", info->modified_us);
    if (!info->is_marker) {
        xml_add_text(out, "ETag", s3_quoted(c->a, info->etag));
        add_checksum(out, info);
        xml_add_int(out, "Size", info->size_bytes);
        xml_add_text(out, "StorageClass", STR("STANDARD"));
    }
    s3_add_owner(c, out, "Owner", info->attributes.owner);
    xml_close(out, element);
}

/* A page ends with "<version>.<place>.<time>", so that the next one begins there also where that version is gone by
 * then. A version's id alone is a marker as well. */
static void read_marker(str marker, object_listing *what)
{
    str rest = STR_NULL;
    str version = str_cut(marker, '.', &rest);
    str time = STR_NULL;
    str place = str_is_null(rest) ? STR_NULL : str_cut(rest, '.', &time);

    if (!str_is_null(time) && str_to_int64(place, &what->after_place, NULL) == STATUS_OK &&
        str_to_int64(time, &what->after_us, NULL) == STATUS_OK) {
        what->after_version = version;
    } else if (marker.size > 0) {
        what->after_place = 0;
        what->after_version = marker;
    }
}

status s3_versions_list(s3_call *c, error *err)
{
    query q;
    object_page page = {0};
    str key_marker = or_empty(s3_param(c, "key-marker"));
    str version_marker = s3_param(c, "version-id-marker");

    TRY(read_query(c, &q, err));
    if (version_marker.size > 0 && key_marker.size == 0) {
        return s3_fail(err, "InvalidArgument",
                       "A version-id marker cannot be specified without a key marker.");
    }
    object_listing what = {
        .bucket = c->bucket,
        .prefix = q.prefix,
        .delimiter = q.delimiter,
        .after = key_marker.size > 0 ? key_marker : STR_NULL,
        .after_version = STR_NULL,
        .max = (size_t)q.max,
        .versions = true,
        .with_attributes = true,
    };
    read_marker(version_marker, &what);
    if (q.max > 0) {
        TRY(list_shown(c, &what, &page, err));
    }
    buf *out = s3_xml_begin(c, "ListVersionsResult");
    add_head(c, out, &q);
    add_key(c, out, &q, "KeyMarker", key_marker);
    xml_add_text(out, "VersionIdMarker", or_empty(version_marker));
    xml_add_bool(out, "IsTruncated", page.truncated);
    if (page.truncated) {
        add_key(c, out, &q, "NextKeyMarker", page.next_after);
        if (!str_is_null(page.next_after_version)) {
            xml_add_text(out, "NextVersionIdMarker",
                         str_printf(c->a, "%.*s.%" PRId64 ".%" PRId64,
                                    STR_ARG(page.next_after_version), page.next_after_place,
                                    page.next_after_us));
        }
    }
    for (size_t i = 0; i < page.count; i++) {
        if (!page.entries[i].is_prefix) {
            add_version(c, out, &q, &page.entries[i].info);
        }
    }
    add_prefixes(c, out, &q, &page);
    return s3_xml_send(c, 200, "ListVersionsResult", out, err);
}

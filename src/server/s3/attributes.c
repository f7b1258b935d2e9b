/* GetObjectAttributes: what is known of an object, as a document. */
#include <inttypes.h>

#include "s3/handlers.h"

#define PARTS_MAX 1000

static bool is_wanted(str list, const char *name)
{
    str rest = list;

    while (!str_is_null(rest)) {
        if (str_equal(str_trim(str_cut(rest, ',', &rest)), str_c(name))) {
            return true;
        }
    }
    return false;
}

static status check_names(str list, error *err)
{
    static const char *const known[] = {"ETag", "Checksum", "ObjectParts", "StorageClass",
                                        "ObjectSize"};
    str rest = list;

    if (str_trim(list).size == 0) {
        return s3_fail(err, "InvalidArgument", "x-amz-object-attributes names no attribute");
    }
    while (!str_is_null(rest)) {
        str name = str_trim(str_cut(rest, ',', &rest));
        bool is_known = false;
        for (size_t i = 0; i < COUNT_OF(known); i++) {
            is_known = is_known || str_equal(name, str_c(known[i]));
        }
        if (!is_known) {
            return s3_fail(err, "InvalidArgument", "Invalid attribute name specified.");
        }
    }
    return STATUS_OK;
}

static void add_checksum(buf *out, const object_checksum *checksum)
{
    if (checksum->kind != CHECKSUM_NONE) {
        xml_open(out, "Checksum");
        xml_add_text(out, s3_checksum_element(checksum->kind), checksum->value);
        xml_add_text(out, "ChecksumType",
                     checksum->composite ? STR("COMPOSITE") : STR("FULL_OBJECT"));
        xml_close(out, "Checksum");
    }
}

static status header_number(s3_call *c, const char *name, int64_t fallback, int64_t *ret_value,
                            error *err)
{
    str text = s3_header(c, name);

    *ret_value = fallback;
    if (text.size > 0 && (str_to_int64(text, ret_value, NULL) != STATUS_OK || *ret_value < 0)) {
        return s3_fail(err, "InvalidArgument", "%s is no number", name);
    }
    return STATUS_OK;
}

static status add_parts(s3_call *c, buf *out, const object_info *info, error *err)
{
    int64_t max, marker;
    size_t at = 0;
    int64_t told = 0;
    int last = 0;

    TRY(header_number(c, "x-amz-max-parts", PARTS_MAX, &max, err));
    TRY(header_number(c, "x-amz-part-number-marker", 0, &marker, err));
    max = max > PARTS_MAX ? PARTS_MAX : max;
    while (at < info->part_count && info->parts[at].number <= marker) {
        at++;
    }
    xml_open(out, "ObjectParts");
    xml_add_int(out, "PartsCount", (int64_t)info->part_count);
    xml_add_int(out, "PartNumberMarker", marker);
    xml_add_int(out, "MaxParts", max);
    for (; at < info->part_count && told < max; at++, told++) {
        const object_part *part = &info->parts[at];
        last = part->number;
        xml_open(out, "Part");
        xml_add_int(out, "PartNumber", part->number);
        xml_add_int(out, "Size", part->size_bytes);
        if (part->checksum.kind != CHECKSUM_NONE) {
            xml_add_text(out, s3_checksum_element(part->checksum.kind), part->checksum.value);
        }
        xml_close(out, "Part");
    }
    if (last > 0) {
        xml_add_int(out, "NextPartNumberMarker", last);
    }
    xml_add_bool(out, "IsTruncated", at < info->part_count);
    xml_close(out, "ObjectParts");
    return STATUS_OK;
}

status s3_object_attributes_get(s3_call *c, error *err)
{
    str names = s3_header(c, "x-amz-object-attributes");
    const object_info *info = &c->object;
    char date[S3_DATE_SIZE];

    TRY(check_names(str_is_null(names) ? STR("") : names, err));
    if (c->object_status != STATUS_OK) {
        *err = c->object_error;
        if (info->is_marker) {
            http_set_header(c->x, "x-amz-delete-marker", STR("true"));
        }
        return c->object_status;
    }
    /* The route asked whether it may be read; this is a right beside that. */
    TRY(s3_allow(
        c, str_is_null(c->version) ? "s3:GetObjectAttributes" : "s3:GetObjectVersionAttributes",
        c->facts, c->key, info, err));
    s3_format_date(info->modified_us, date);
    http_set_header(c->x, "Last-Modified", str_c(date));
    s3_write_version(c, c->facts, info);
    buf *out = s3_xml_begin(c, "GetObjectAttributesResponse");
    if (is_wanted(names, "ETag")) {
        xml_add_text(out, "ETag", info->etag);
    }
    if (is_wanted(names, "Checksum")) {
        add_checksum(out, &info->checksum);
    }
    if (is_wanted(names, "ObjectParts") && info->part_count > 0) {
        TRY(add_parts(c, out, info, err));
    }
    if (is_wanted(names, "StorageClass")) {
        xml_add_text(out, "StorageClass", STR("STANDARD"));
    }
    if (is_wanted(names, "ObjectSize")) {
        xml_add_int(out, "ObjectSize", info->size_bytes);
    }
    return s3_xml_send(c, 200, "GetObjectAttributesResponse", out, err);
}

/* Buckets: made, listed, looked at, removed; region, versioning. */
#include "s3/address.h"
#include "s3/handlers.h"
#include "tarn/base/clock.h"
#include "tarn/catalog/warehouse.h"
#include "tarn/codec/checksum.h"

#define BUCKETS_MAX 10000 /* of one page */

static str configured_region(const s3_call *c)
{
    return setting_text(c->app->settings, SETTING_S3_REGION);
}

/* ---- listing ---- */

static status list_max(const s3_call *c, int64_t *ret_max, error *err)
{
    TRY(s3_param_count(c, "max-buckets", BUCKETS_MAX, ret_max, err));
    if (*ret_max == 0) {
        return s3_fail(err, "InvalidArgument", "max-buckets is between 1 and 10000");
    }
    return STATUS_OK;
}

status s3_buckets_list(s3_call *c, error *err)
{
    int64_t max = 0;
    bucket_info *list = NULL;
    size_t count = 0;
    str token = s3_param(c, "continuation-token");
    str prefix = s3_param(c, "prefix");
    str after = STR_NULL;

    TRY(list_max(c, &max, err));
    if (token.size > 0 && base64_decode(c->a, token, &after, NULL) != STATUS_OK) {
        return s3_fail(err, "InvalidArgument", "The continuation token provided is incorrect");
    }
    TRY(bucket_list(c->app->storage, c->who.canonical_id, str_is_null(prefix) ? STR("") : prefix,
                    after, (size_t)max + 1, c->a, &list, &count, err));
    bool truncated = count > (size_t)max;
    count = truncated ? (size_t)max : count;
    buf *out = s3_xml_begin(c, "ListAllMyBucketsResult");
    s3_add_owner(c, out, "Owner", c->who.canonical_id);
    xml_open(out, "Buckets");
    for (size_t i = 0; i < count; i++) {
        xml_open(out, "Bucket");
        xml_add_text(out, "Name", list[i].name);
        xml_add_time(out, "CreationDate", list[i].created_us);
        xml_add_text(out, "BucketRegion", list[i].region);
        xml_close(out, "Bucket");
    }
    xml_close(out, "Buckets");
    if (truncated) {
        xml_add_text(out, "ContinuationToken", base64_encode(c->a, list[count - 1].name));
    }
    if (prefix.size > 0) {
        xml_add_text(out, "Prefix", prefix);
    }
    return s3_xml_send(c, 200, "ListAllMyBucketsResult", out, err);
}

/* Tables lie in the warehouse's own bucket. */
static bool is_warehouse(const s3_call *c)
{
    return catalog_holds_bucket(c->app->catalog, c->bucket);
}

status s3_check_not_warehouse(const s3_call *c, const char *what, error *err)
{
    if (is_warehouse(c)) {
        (void)s3_fail(err, "AccessDenied", "the warehouse's bucket takes no %s", what);
        error_hint(err, "The warehouse's tables lie in bucket \"%.*s\": it takes no %s.",
                   STR_ARG(c->bucket), what);
        return err->kind;
    }
    return STATUS_OK;
}

/* ---- making ---- */

/* Empty: the server's own region. */
static status read_location(s3_call *c, str *ret_region, error *err)
{
    str text;
    const xml_element *root = NULL;

    *ret_region = configured_region(c);
    TRY(s3_read_body(c, S3_XML_BYTES_MAX, &text, err));
    if (text.size == 0) {
        return STATUS_OK;
    }
    if (xml_parse(text, c->a, &root, NULL) != STATUS_OK ||
        !str_equal(root->name, STR("CreateBucketConfiguration"))) {
        return s3_fail(err, "MalformedXML", "the body is no CreateBucketConfiguration");
    }
    if (xml_child(root, "Tags") != NULL) {
        return s3_fail(err, "NotImplemented", "a bucket is tagged after it was made");
    }
    TRY(s3_check_elements(root, err));
    str location = str_trim(xml_child_text(root, "LocationConstraint"));
    if (location.size > 0) {
        if (location.size > 64) {
            return s3_fail(err, "IllegalLocationConstraintException",
                           "The specified location-constraint is not valid");
        }
        *ret_region = location;
    }
    return STATUS_OK;
}

static status read_ownership(s3_call *c, str *ret_document, error *err)
{
    str ownership = s3_header(c, "x-amz-object-ownership");

    if (str_is_null(ownership)) {
        return STATUS_OK;
    }
    if (!str_equal(ownership, STR("BucketOwnerEnforced")) &&
        !str_equal(ownership, STR("BucketOwnerPreferred")) &&
        !str_equal(ownership, STR("ObjectWriter"))) {
        return s3_fail(err, "InvalidArgument", "Invalid x-amz-object-ownership header: %.*s",
                       STR_ARG(ownership));
    }
    *ret_document =
        str_printf(c->a,
                   "<OwnershipControls xmlns=\"" S3_XMLNS
                   "\"><Rule><ObjectOwnership>%.*s</ObjectOwnership></Rule></OwnershipControls>",
                   STR_ARG(ownership));
    return STATUS_OK;
}

/* Made again by its owner it is there, as in us-east-1: 200, and nothing changes. */
static status made_again(s3_call *c, const bucket_info *wanted, error *err)
{
    const s3_facts *facts = NULL;

    if (s3_facts_find(c, wanted->name, &facts, NULL) == STATUS_OK &&
        str_equal(facts->info->owner, wanted->owner)) {
        error_clear(err);
        return STATUS_OK;
    }
    return s3_fail(err, "BucketAlreadyExists", "bucket \"%.*s\" is another's",
                   STR_ARG(wanted->name));
}

/* What a session must have beside s3:CreateBucket for what a bucket is made with; of ACLs acl.c asks. */
static status check_rights(s3_call *c, const bucket_info *made, bool with_ownership, error *err)
{
    const s3_facts to_be = {.info = made, .rights = {.owner = made->owner}};

    if (!access_is_narrowed(&c->who)) {
        return STATUS_OK;
    }
    if (with_ownership) {
        TRY(s3_allow(c, "s3:PutBucketOwnershipControls", &to_be, STR(""), NULL, err));
    }
    if (made->lock_enabled) {
        TRY(s3_allow(c, "s3:PutBucketVersioning", &to_be, STR(""), NULL, err));
        TRY(s3_allow(c, "s3:PutBucketObjectLockConfiguration", &to_be, STR(""), NULL, err));
    }
    return STATUS_OK;
}

status s3_bucket_put(s3_call *c, error *err)
{
    object_pair documents[3];
    size_t count = 0;
    str acl = STR_NULL;
    str ownership = STR_NULL;
    bool lock = str_equal_nocase(s3_header(c, "x-amz-bucket-object-lock-enabled"), STR("true"));
    bucket_info info = {
        .name = c->bucket,
        .owner = c->who.canonical_id,
        .created_us = clock_now_us(),
        .versioning = lock ? VERSIONING_ENABLED : VERSIONING_OFF,
        .lock_enabled = lock,
    };

    TRY(s3_check_bucket_name(c->bucket, err));
    if (lock) {
        TRY(s3_check_not_warehouse(c, "object lock", err));
    }
    TRY(s3_acl_of_request(c, c->who.canonical_id, c->who.canonical_id, &acl, err));
    TRY(read_ownership(c, &ownership, err));
    TRY(check_rights(c, &info, !str_is_null(ownership), err));
    TRY(read_location(c, &info.region, err));
    if (!str_is_null(acl)) {
        if (str_find(ownership, STR("BucketOwnerEnforced")) != STR_NPOS &&
            !str_equal(s3_header(c, "x-amz-acl"), STR("private"))) {
            return s3_fail(err, "InvalidBucketAclWithObjectOwnership", "ACLs are off, and given");
        }
        documents[count++] = (object_pair){.name = STR("acl"), .value = acl};
    }
    if (!str_is_null(ownership)) {
        documents[count++] = (object_pair){.name = STR("ownership"), .value = ownership};
    }
    if (lock) {
        documents[count++] =
            (object_pair){.name = STR("object-lock"), .value = STR(S3_LOCK_NO_DEFAULT)};
    }
    info.documents = documents;
    info.document_count = count;
    status result = bucket_create(c->app->storage, &info, err);
    if (result == STATUS_EXISTS) {
        result = made_again(c, &info, err);
    }
    TRY(result);
    http_set_header(c->x, "Location", str_printf(c->a, "/%.*s", STR_ARG(c->bucket)));
    s3_empty(c, 200);
    return STATUS_OK;
}

/* ---- one bucket ---- */

status s3_bucket_head(s3_call *c, error *err)
{
    (void)err;
    http_set_header(c->x, "x-amz-bucket-region", c->facts->info->region);
    http_set_header(c->x, "x-amz-access-point-alias", STR("false"));
    http_respond(c->x, 200, "application/xml", STR(""));
    return STATUS_OK;
}

status s3_bucket_delete(s3_call *c, error *err)
{
    if (is_warehouse(c)) {
        return s3_fail(err, "AccessDenied", "tables lie in the warehouse's bucket");
    }
    TRY(bucket_delete(c->app->storage, c->bucket, err));
    s3_empty(c, 204);
    return STATUS_OK;
}

status s3_location_get(s3_call *c, error *err)
{
    buf *out = buf_in(c->a, S3_ANSWER_BYTES_MAX);
    buf_add_c(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    buf *text = buf_in(c->a, S3_ANSWER_BYTES_MAX);
    xml_add_text(text, "LocationConstraint", c->facts->info->region);
    str element = buf_str(text); /* the root has the namespace */
    buf_add_c(out, "<LocationConstraint xmlns=\"" S3_XMLNS "\">");
    buf_add_str(out, str_slice(element, sizeof("<LocationConstraint>") - 1, element.size));
    TRY(buf_check(out, "answer", err));
    http_respond(c->x, 200, "application/xml", buf_str(out));
    return STATUS_OK;
}

status s3_request_payment_get(s3_call *c, error *err)
{
    buf *out = s3_xml_begin(c, "RequestPaymentConfiguration");
    xml_add_text(out, "Payer", STR("BucketOwner"));
    return s3_xml_send(c, 200, "RequestPaymentConfiguration", out, err);
}

/* ---- versioning ---- */

status s3_versioning_get(s3_call *c, error *err)
{
    buf *out = s3_xml_begin(c, "VersioningConfiguration");

    if (c->facts->info->versioning != VERSIONING_OFF) {
        bool enabled = c->facts->info->versioning == VERSIONING_ENABLED;
        xml_add_text(out, "Status", enabled ? STR("Enabled") : STR("Suspended"));
    }
    return s3_xml_send(c, 200, "VersioningConfiguration", out, err);
}

status s3_versioning_put(s3_call *c, error *err)
{
    const xml_element *root = NULL;

    TRY(s3_read_xml(c, "VersioningConfiguration", &root, err));
    str wanted = str_trim(xml_child_text(root, "Status"));
    str mfa = str_trim(xml_child_text(root, "MfaDelete"));
    bool enabled = str_equal(wanted, STR("Enabled"));

    if (!enabled && !str_equal(wanted, STR("Suspended"))) {
        return s3_fail(
            err, wanted.size == 0 ? "IllegalVersioningConfigurationException" : "MalformedXML",
            "Status is Enabled or Suspended");
    }
    if (str_equal(mfa, STR("Enabled"))) {
        return s3_fail(err, "NotImplemented", "MFA delete is not served");
    }
    if (!enabled && c->facts->info->lock_enabled) {
        return s3_fail(err, "InvalidBucketState",
                       "An Object Lock configuration is present on this bucket, so the versioning "
                       "state cannot be changed.");
    }
    TRY(bucket_set_versioning(c->app->storage, c->bucket,
                              enabled ? VERSIONING_ENABLED : VERSIONING_SUSPENDED, err));
    s3_empty(c, 200);
    return STATUS_OK;
}

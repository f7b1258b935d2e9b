/* The route table of the S3 door: every operation of the S3 API, the right it needs, and who answers. What is not
 * served stands in it with the code that its callers get; docs and tests are made from it.
 *
 * A row with a parameter is meant where the query has it; the first row of method and level that fits is taken. */
#include "s3/handlers.h"

#define REFUSED NULL
#define ITSELF S3_ASKS_ITSELF
#define NEW_BUCKET S3_NO_BUCKET_YET
#define NO_BUCKET (S3_ASKS_ITSELF | S3_NO_BUCKET_YET)
#define THE_OBJECT S3_NEEDS_OBJECT

/* clang-format off */
static const s3_route routes[] = {
    /* the service */
    {HTTP_GET,     S3_SERVICE, "Action", "SecurityTokenServiceQuery", NULL, NULL, s3_query, NULL, ITSELF, "the same, signed in the query"},
    {HTTP_GET,     S3_SERVICE, "max-directory-buckets", "ListDirectoryBuckets", "s3express:ListAllMyDirectoryBuckets", NULL, REFUSED, "NotImplemented", ITSELF, "no directory buckets"},
    {HTTP_GET,     S3_SERVICE, NULL, "ListBuckets", "s3:ListAllMyBuckets", NULL, s3_buckets_list, NULL, 0, "buckets of the caller, in pages"},

    {HTTP_POST,    S3_SERVICE, NULL, "SecurityTokenService", NULL, NULL, s3_query, NULL, ITSELF, "STS and IAM, as a form: see below"},

    /* a bucket */
    {HTTP_OPTIONS, S3_BUCKET, NULL, "PreflightBucket", NULL, NULL, s3_cors_preflight, NULL, ITSELF, "CORS preflight"},
    {HTTP_PUT,     S3_BUCKET, "versioning", "PutBucketVersioning", "s3:PutBucketVersioning", NULL, s3_versioning_put, NULL, 0, "Enabled or Suspended; MFA delete is refused"},
    {HTTP_GET,     S3_BUCKET, "versioning", "GetBucketVersioning", "s3:GetBucketVersioning", NULL, s3_versioning_get, NULL, 0, "its versioning"},
    {HTTP_GET,     S3_BUCKET, "location", "GetBucketLocation", "s3:GetBucketLocation", NULL, s3_location_get, NULL, 0, "its region"},
    {HTTP_GET,     S3_BUCKET, "versions", "ListObjectVersions", "s3:ListBucketVersions", NULL, s3_versions_list, NULL, 0, "all versions and delete markers"},
    {HTTP_GET,     S3_BUCKET, "uploads", "ListMultipartUploads", "s3:ListBucketMultipartUploads", NULL, s3_upload_list, NULL, 0, "uploads under way"},
    {HTTP_POST,    S3_BUCKET, "delete", "DeleteObjects", "s3:DeleteObject", NULL, s3_objects_delete, NULL, ITSELF, "up to 1000 keys; each is asked for by itself"},
    {HTTP_GET,     S3_BUCKET, "tagging", "GetBucketTagging", "s3:GetBucketTagging", NULL, s3_bucket_tags_get, NULL, 0, "tags of the bucket"},
    {HTTP_PUT,     S3_BUCKET, "tagging", "PutBucketTagging", "s3:PutBucketTagging", NULL, s3_bucket_tags_put, NULL, 0, "replace them"},
    {HTTP_DELETE,  S3_BUCKET, "tagging", "DeleteBucketTagging", "s3:PutBucketTagging", NULL, s3_bucket_tags_delete, NULL, 0, "remove them"},
    {HTTP_GET,     S3_BUCKET, "object-lock", "GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", NULL, s3_lock_config_get, NULL, 0, "object lock and default retention"},
    {HTTP_PUT,     S3_BUCKET, "object-lock", "PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration", NULL, s3_lock_config_put, NULL, 0, "turn it on, set the default retention"},
    {HTTP_GET,     S3_BUCKET, "cors", "GetBucketCors", "s3:GetBucketCORS", NULL, s3_cors_get, NULL, 0, "CORS rules"},
    {HTTP_PUT,     S3_BUCKET, "cors", "PutBucketCors", "s3:PutBucketCORS", NULL, s3_cors_put, NULL, 0, "replace them"},
    {HTTP_DELETE,  S3_BUCKET, "cors", "DeleteBucketCors", "s3:PutBucketCORS", NULL, s3_cors_delete, NULL, 0, "remove them"},
    {HTTP_GET,     S3_BUCKET, "lifecycle", "GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", NULL, s3_lifecycle_get, NULL, 0, "lifecycle rules"},
    {HTTP_PUT,     S3_BUCKET, "lifecycle", "PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", NULL, s3_lifecycle_put, NULL, 0, "replace them; transitions are refused"},
    {HTTP_DELETE,  S3_BUCKET, "lifecycle", "DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", NULL, s3_lifecycle_delete, NULL, 0, "remove them"},
    {HTTP_GET,     S3_BUCKET, "encryption", "GetBucketEncryption", "s3:GetEncryptionConfiguration", NULL, s3_encryption_get, NULL, 0, "default encryption"},
    {HTTP_PUT,     S3_BUCKET, "encryption", "PutBucketEncryption", "s3:PutEncryptionConfiguration", NULL, s3_encryption_put, NULL, 0, "AES256; KMS is refused"},
    {HTTP_DELETE,  S3_BUCKET, "encryption", "DeleteBucketEncryption", "s3:PutEncryptionConfiguration", NULL, s3_encryption_delete, NULL, 0, "new objects are stored in the clear again"},
    {HTTP_GET,     S3_BUCKET, "requestPayment", "GetBucketRequestPayment", "s3:GetBucketRequestPayment", NULL, s3_request_payment_get, NULL, 0, "always BucketOwner"},
    {HTTP_PUT,     S3_BUCKET, "requestPayment", "PutBucketRequestPayment", "s3:PutBucketRequestPayment", NULL, REFUSED, "NotImplemented", 0, "nobody is charged"},
    {HTTP_GET,     S3_BUCKET, "policyStatus", "GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", NULL, s3_policy_status_get, NULL, 0, "whether its policy lets everybody in"},
    {HTTP_GET,     S3_BUCKET, "policy", "GetBucketPolicy", "s3:GetBucketPolicy", NULL, s3_policy_get, NULL, 0, "its policy, as it was set"},
    {HTTP_PUT,     S3_BUCKET, "policy", "PutBucketPolicy", "s3:PutBucketPolicy", NULL, s3_policy_put, NULL, 0, "replace it"},
    {HTTP_DELETE,  S3_BUCKET, "policy", "DeleteBucketPolicy", "s3:DeleteBucketPolicy", NULL, s3_policy_delete, NULL, 0, "remove it"},
    {HTTP_GET,     S3_BUCKET, "acl", "GetBucketAcl", "s3:GetBucketAcl", NULL, s3_bucket_acl_get, NULL, 0, "grants on the bucket"},
    {HTTP_PUT,     S3_BUCKET, "acl", "PutBucketAcl", "s3:PutBucketAcl", NULL, s3_bucket_acl_put, NULL, 0, "replace them; canned, by header or document"},
    {HTTP_GET,     S3_BUCKET, "publicAccessBlock", "GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", NULL, s3_public_block_get, NULL, 0, "what public access is blocked"},
    {HTTP_PUT,     S3_BUCKET, "publicAccessBlock", "PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", NULL, s3_public_block_put, NULL, 0, "block it"},
    {HTTP_DELETE,  S3_BUCKET, "publicAccessBlock", "DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", NULL, s3_public_block_delete, NULL, 0, "block nothing"},
    {HTTP_GET,     S3_BUCKET, "ownershipControls", "GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", NULL, s3_ownership_get, NULL, 0, "who owns what others write"},
    {HTTP_PUT,     S3_BUCKET, "ownershipControls", "PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", NULL, s3_ownership_put, NULL, 0, "replace it"},
    {HTTP_DELETE,  S3_BUCKET, "ownershipControls", "DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", NULL, s3_ownership_delete, NULL, 0, "remove it"},
    {HTTP_GET,     S3_BUCKET, "analytics&id", "GetBucketAnalyticsConfiguration", "s3:GetAnalyticsConfiguration", NULL, REFUSED, "NoSuchConfiguration", 0, "no storage class analysis"},
    {HTTP_GET,     S3_BUCKET, "analytics", "ListBucketAnalyticsConfigurations", "s3:GetAnalyticsConfiguration", NULL, REFUSED, "NotImplemented", 0, "no storage class analysis"},
    {HTTP_PUT,     S3_BUCKET, "analytics", "PutBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", NULL, REFUSED, "NotImplemented", 0, "no storage class analysis"},
    {HTTP_DELETE,  S3_BUCKET, "analytics", "DeleteBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", NULL, REFUSED, "NoSuchConfiguration", 0, "no storage class analysis"},
    {HTTP_GET,     S3_BUCKET, "inventory&id", "GetBucketInventoryConfiguration", "s3:GetInventoryConfiguration", NULL, REFUSED, "NoSuchConfiguration", 0, "no inventories; ListObjects is quick"},
    {HTTP_GET,     S3_BUCKET, "inventory", "ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration", NULL, REFUSED, "NotImplemented", 0, "no inventories; ListObjects is quick"},
    {HTTP_PUT,     S3_BUCKET, "inventory", "PutBucketInventoryConfiguration", "s3:PutInventoryConfiguration", NULL, REFUSED, "NotImplemented", 0, "no inventories"},
    {HTTP_DELETE,  S3_BUCKET, "inventory", "DeleteBucketInventoryConfiguration", "s3:PutInventoryConfiguration", NULL, REFUSED, "NoSuchConfiguration", 0, "no inventories"},
    {HTTP_GET,     S3_BUCKET, "metrics&id", "GetBucketMetricsConfiguration", "s3:GetMetricsConfiguration", NULL, REFUSED, "NoSuchConfiguration", 0, "metrics are at GET /metrics"},
    {HTTP_GET,     S3_BUCKET, "metrics", "ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration", NULL, REFUSED, "NotImplemented", 0, "metrics are at GET /metrics"},
    {HTTP_PUT,     S3_BUCKET, "metrics", "PutBucketMetricsConfiguration", "s3:PutMetricsConfiguration", NULL, REFUSED, "NotImplemented", 0, "metrics are at GET /metrics"},
    {HTTP_DELETE,  S3_BUCKET, "metrics", "DeleteBucketMetricsConfiguration", "s3:PutMetricsConfiguration", NULL, REFUSED, "NoSuchConfiguration", 0, "metrics are at GET /metrics"},
    {HTTP_GET,     S3_BUCKET, "intelligent-tiering&id", "GetBucketIntelligentTieringConfiguration", "s3:GetIntelligentTieringConfiguration", NULL, REFUSED, "NoSuchConfiguration", 0, "one storage class"},
    {HTTP_GET,     S3_BUCKET, "intelligent-tiering", "ListBucketIntelligentTieringConfigurations", "s3:GetIntelligentTieringConfiguration", NULL, REFUSED, "NotImplemented", 0, "one storage class"},
    {HTTP_PUT,     S3_BUCKET, "intelligent-tiering", "PutBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration", NULL, REFUSED, "NotImplemented", 0, "one storage class"},
    {HTTP_DELETE,  S3_BUCKET, "intelligent-tiering", "DeleteBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration", NULL, REFUSED, "NoSuchConfiguration", 0, "one storage class"},
    {HTTP_GET,     S3_BUCKET, "logging", "GetBucketLogging", "s3:GetBucketLogging", NULL, REFUSED, "NotImplemented", 0, "requests are in the server's log"},
    {HTTP_PUT,     S3_BUCKET, "logging", "PutBucketLogging", "s3:PutBucketLogging", NULL, REFUSED, "NotImplemented", 0, "requests are in the server's log"},
    {HTTP_GET,     S3_BUCKET, "replication", "GetBucketReplication", "s3:GetReplicationConfiguration", NULL, REFUSED, "ReplicationConfigurationNotFoundError", 0, "no replication"},
    {HTTP_PUT,     S3_BUCKET, "replication", "PutBucketReplication", "s3:PutReplicationConfiguration", NULL, REFUSED, "NotImplemented", 0, "no replication"},
    {HTTP_DELETE,  S3_BUCKET, "replication", "DeleteBucketReplication", "s3:PutReplicationConfiguration", NULL, REFUSED, "ReplicationConfigurationNotFoundError", 0, "no replication"},
    {HTTP_GET,     S3_BUCKET, "website", "GetBucketWebsite", "s3:GetBucketWebsite", NULL, REFUSED, "NoSuchWebsiteConfiguration", 0, "no websites"},
    {HTTP_PUT,     S3_BUCKET, "website", "PutBucketWebsite", "s3:PutBucketWebsite", NULL, REFUSED, "NotImplemented", 0, "no websites"},
    {HTTP_DELETE,  S3_BUCKET, "website", "DeleteBucketWebsite", "s3:DeleteBucketWebsite", NULL, REFUSED, "NoSuchWebsiteConfiguration", 0, "no websites"},
    {HTTP_GET,     S3_BUCKET, "accelerate", "GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration", NULL, REFUSED, "NotImplemented", 0, "no edge network"},
    {HTTP_PUT,     S3_BUCKET, "accelerate", "PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration", NULL, REFUSED, "NotImplemented", 0, "no edge network"},
    {HTTP_GET,     S3_BUCKET, "notification", "GetBucketNotificationConfiguration", "s3:GetBucketNotification", NULL, REFUSED, "NotImplemented", 0, "no notifications"},
    {HTTP_PUT,     S3_BUCKET, "notification", "PutBucketNotificationConfiguration", "s3:PutBucketNotification", NULL, REFUSED, "NotImplemented", 0, "no notifications"},
    {HTTP_GET,     S3_BUCKET, "metadataTable", "GetBucketMetadataTableConfiguration", "s3:GetBucketMetadataTableConfiguration", NULL, REFUSED, "NotImplemented", 0, "no metadata tables"},
    {HTTP_POST,    S3_BUCKET, "metadataTable", "CreateBucketMetadataTableConfiguration", "s3:CreateBucketMetadataTableConfiguration", NULL, REFUSED, "NotImplemented", 0, "no metadata tables"},
    {HTTP_DELETE,  S3_BUCKET, "metadataTable", "DeleteBucketMetadataTableConfiguration", "s3:DeleteBucketMetadataTableConfiguration", NULL, REFUSED, "NotImplemented", 0, "no metadata tables"},
    {HTTP_GET,     S3_BUCKET, "metadataConfiguration", "GetBucketMetadataConfiguration", "s3:GetBucketMetadataTableConfiguration", NULL, REFUSED, "NotImplemented", 0, "no metadata tables"},
    {HTTP_POST,    S3_BUCKET, "metadataConfiguration", "CreateBucketMetadataConfiguration", "s3:CreateBucketMetadataTableConfiguration", NULL, REFUSED, "NotImplemented", 0, "no metadata tables"},
    {HTTP_DELETE,  S3_BUCKET, "metadataConfiguration", "DeleteBucketMetadataConfiguration", "s3:DeleteBucketMetadataTableConfiguration", NULL, REFUSED, "NotImplemented", 0, "no metadata tables"},
    {HTTP_PUT,     S3_BUCKET, "metadataInventoryTable", "UpdateBucketMetadataInventoryTableConfiguration", "s3:UpdateBucketMetadataInventoryTableConfiguration", NULL, REFUSED, "NotImplemented", 0, "no metadata tables"},
    {HTTP_PUT,     S3_BUCKET, "metadataJournalTable", "UpdateBucketMetadataJournalTableConfiguration", "s3:UpdateBucketMetadataJournalTableConfiguration", NULL, REFUSED, "NotImplemented", 0, "no metadata tables"},
    {HTTP_PUT,     S3_BUCKET, "metadataAnnotationTable", "UpdateBucketMetadataAnnotationTableConfiguration", "s3:UpdateBucketMetadataAnnotationTableConfiguration", NULL, REFUSED, "NotImplemented", 0, "no metadata tables"},
    {HTTP_GET,     S3_BUCKET, "abac", "GetBucketAbac", "s3:GetBucketABAC", NULL, REFUSED, "NotImplemented", 0, "rights do not follow tags of buckets"},
    {HTTP_PUT,     S3_BUCKET, "abac", "PutBucketAbac", "s3:PutBucketABAC", NULL, REFUSED, "NotImplemented", 0, "rights do not follow tags of buckets"},
    {HTTP_GET,     S3_BUCKET, "session", "CreateSession", "s3:CreateSession", NULL, REFUSED, "NotImplemented", 0, "no directory buckets"},
    {HTTP_GET,     S3_BUCKET, "list-type", "ListObjectsV2", "s3:ListBucket", NULL, s3_list_objects, NULL, 0, "keys, in pages"},
    {HTTP_GET,     S3_BUCKET, NULL, "ListObjects", "s3:ListBucket", NULL, s3_list_objects, NULL, 0, "keys, the older form"},
    {HTTP_HEAD,    S3_BUCKET, NULL, "HeadBucket", "s3:ListBucket", NULL, s3_bucket_head, NULL, 0, "whether it is there, and where"},
    {HTTP_PUT,     S3_BUCKET, NULL, "CreateBucket", "s3:CreateBucket", NULL, s3_bucket_put, NULL, NEW_BUCKET, "make a bucket"},
    {HTTP_DELETE,  S3_BUCKET, NULL, "DeleteBucket", "s3:DeleteBucket", NULL, s3_bucket_delete, NULL, 0, "remove an empty bucket"},
    {HTTP_POST,    S3_BUCKET, "header:x-amz-request-route", "WriteGetObjectResponse", "s3-object-lambda:WriteGetObjectResponse", NULL, REFUSED, "NotImplemented", NO_BUCKET, "no functions on reads"},
    {HTTP_POST,    S3_BUCKET, NULL, "PostObject", "s3:PutObject", NULL, s3_form_post, NULL, ITSELF, "upload by a browser's form, signed as version 4 or 2, or anonymous"},

    /* an object */
    {HTTP_OPTIONS, S3_OBJECT, NULL, "PreflightObject", NULL, NULL, s3_cors_preflight, NULL, ITSELF, "CORS preflight"},
    {HTTP_GET,     S3_OBJECT, "uploadId", "ListParts", "s3:ListMultipartUploadParts", NULL, s3_part_list, NULL, 0, "parts of an upload"},
    {HTTP_POST,    S3_OBJECT, "uploads", "CreateMultipartUpload", "s3:PutObject", NULL, s3_upload_create, NULL, 0, "begin an upload in parts"},
    {HTTP_PUT,     S3_OBJECT, "uploadId&header:x-amz-copy-source", "UploadPartCopy", "s3:PutObject", NULL, s3_part_copy, NULL, 0, "a part out of another object, or a range of it"},
    {HTTP_PUT,     S3_OBJECT, "uploadId", "UploadPart", "s3:PutObject", NULL, s3_part_put, NULL, 0, "send a part"},
    {HTTP_POST,    S3_OBJECT, "uploadId", "CompleteMultipartUpload", "s3:PutObject", NULL, s3_upload_complete, NULL, 0, "make the object of the parts"},
    {HTTP_DELETE,  S3_OBJECT, "uploadId", "AbortMultipartUpload", "s3:AbortMultipartUpload", NULL, s3_upload_abort, NULL, 0, "forget the parts"},
    {HTTP_GET,     S3_OBJECT, "attributes", "GetObjectAttributes", "s3:GetObject", "s3:GetObjectVersion", s3_object_attributes_get, NULL, THE_OBJECT, "ETag, checksum, parts, size"},
    {HTTP_GET,     S3_OBJECT, "tagging", "GetObjectTagging", "s3:GetObjectTagging", "s3:GetObjectVersionTagging", s3_object_tags_get, NULL, THE_OBJECT, "tags of an object"},
    {HTTP_PUT,     S3_OBJECT, "tagging", "PutObjectTagging", "s3:PutObjectTagging", "s3:PutObjectVersionTagging", s3_object_tags_put, NULL, THE_OBJECT, "replace them"},
    {HTTP_DELETE,  S3_OBJECT, "tagging", "DeleteObjectTagging", "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", s3_object_tags_delete, NULL, THE_OBJECT, "remove them"},
    {HTTP_GET,     S3_OBJECT, "retention", "GetObjectRetention", "s3:GetObjectRetention", NULL, s3_retention_get, NULL, THE_OBJECT, "until when it is locked"},
    {HTTP_PUT,     S3_OBJECT, "retention", "PutObjectRetention", "s3:PutObjectRetention", NULL, s3_retention_put, NULL, THE_OBJECT, "lock it, GOVERNANCE or COMPLIANCE"},
    {HTTP_GET,     S3_OBJECT, "legal-hold", "GetObjectLegalHold", "s3:GetObjectLegalHold", NULL, s3_legal_hold_get, NULL, THE_OBJECT, "its legal hold"},
    {HTTP_PUT,     S3_OBJECT, "legal-hold", "PutObjectLegalHold", "s3:PutObjectLegalHold", NULL, s3_legal_hold_put, NULL, THE_OBJECT, "ON or OFF"},
    {HTTP_GET,     S3_OBJECT, "acl", "GetObjectAcl", "s3:GetObjectAcl", "s3:GetObjectVersionAcl", s3_object_acl_get, NULL, THE_OBJECT, "grants on the object"},
    {HTTP_PUT,     S3_OBJECT, "acl", "PutObjectAcl", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", s3_object_acl_put, NULL, THE_OBJECT, "replace them"},
    {HTTP_GET,     S3_OBJECT, "torrent", "GetObjectTorrent", "s3:GetObjectTorrent", NULL, REFUSED, "NotImplemented", 0, "no torrents"},
    {HTTP_POST,    S3_OBJECT, "select", "SelectObjectContent", "s3:GetObject", NULL, REFUSED, "NotImplemented", 0, "register the file as a table and ask SQL"},
    {HTTP_POST,    S3_OBJECT, "restore", "RestoreObject", "s3:RestoreObject", NULL, REFUSED, "NotImplemented", 0, "no archive"},
    {HTTP_PUT,     S3_OBJECT, "renameObject", "RenameObject", "s3:PutObject", NULL, REFUSED, "NotImplemented", 0, "no directory buckets"},
    {HTTP_PUT,     S3_OBJECT, "encryption", "UpdateObjectEncryption", "s3:PutObject", NULL, REFUSED, "NotImplemented", 0, "copy the object onto itself"},
    {HTTP_GET,     S3_OBJECT, "annotation", "GetObjectAnnotation", "s3:GetObjectAnnotation", NULL, REFUSED, "NotImplemented", 0, "no annotations; tags and metadata are kept"},
    {HTTP_PUT,     S3_OBJECT, "annotation", "PutObjectAnnotation", "s3:PutObjectAnnotation", NULL, REFUSED, "NotImplemented", 0, "no annotations; tags and metadata are kept"},
    {HTTP_DELETE,  S3_OBJECT, "annotation", "DeleteObjectAnnotation", "s3:DeleteObjectAnnotation", NULL, REFUSED, "NotImplemented", 0, "no annotations; tags and metadata are kept"},
    {HTTP_GET,     S3_OBJECT, "annotations", "ListObjectAnnotations", "s3:ListObjectAnnotations", NULL, REFUSED, "NotImplemented", 0, "no annotations; tags and metadata are kept"},
    {HTTP_GET,     S3_OBJECT, NULL, "GetObject", "s3:GetObject", "s3:GetObjectVersion", s3_object_get, NULL, THE_OBJECT, "read an object, a range or a part of it"},
    {HTTP_HEAD,    S3_OBJECT, NULL, "HeadObject", "s3:GetObject", "s3:GetObjectVersion", s3_object_get, NULL, THE_OBJECT, "what is known of it"},
    {HTTP_PUT,     S3_OBJECT, "header:x-amz-copy-source", "CopyObject", "s3:PutObject", NULL, s3_object_copy, NULL, 0, "copy an object; its bytes are shared"},
    {HTTP_PUT,     S3_OBJECT, NULL, "PutObject", "s3:PutObject", NULL, s3_object_put, NULL, 0, "write an object"},
    {HTTP_DELETE,  S3_OBJECT, NULL, "DeleteObject", "s3:DeleteObject", "s3:DeleteObjectVersion", s3_object_delete, NULL, 0, "remove it, or a version of it"},
    {HTTP_POST,    S3_OBJECT, NULL, "PostOnObject", NULL, NULL, REFUSED, "MethodNotAllowed", ITSELF, "a form is posted to the bucket"},
};
/* clang-format on */

const s3_route *s3_routes(size_t *ret_count)
{
    *ret_count = COUNT_OF(routes);
    return routes;
}

/* One word of a row's parameter: a query parameter, or "header:NAME". */
static bool has_word(const s3_call *c, str word)
{
    static const str header = STR_INIT("header:");

    if (str_starts_with(word, header)) {
        return !str_is_null(s3_header(c, str_to_c(c->a, str_slice(word, header.size, word.size))));
    }
    return s3_has_param(c, str_to_c(c->a, word));
}

static bool fits(const s3_call *c, const s3_route *r)
{
    str rest = str_c(r->parameter);

    while (!str_is_null(rest)) {
        str word = str_cut(rest, '&', &rest);
        if (!has_word(c, word)) {
            return false;
        }
    }
    return true;
}

/* ---- what the query says beside the row ---- */

/* First words that are no sub-resources: values that say how, not of what. */
static bool is_manner(str name)
{
    return str_equal(name, STR("list-type"));
}

/* Whether the name is a sub-resource of buckets or objects, wherever it belongs. */
static bool is_sub_resource(str name)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (routes[i].level != S3_SERVICE && routes[i].parameter != NULL) {
            str rest = STR_NULL;
            str first = str_cut(str_c(routes[i].parameter), '&', &rest);
            if (str_equal(name, first) && !is_manner(name)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_of_row(const s3_route *r, str name)
{
    for (str rest = str_c(r->parameter); !str_is_null(rest);) {
        if (str_equal(str_cut(rest, '&', &rest), name)) {
            return true;
        }
    }
    return false;
}

/* Whether the row is chosen without any sub-resource. */
static bool is_plain(const s3_route *r)
{
    return r->parameter == NULL || str_starts_with(str_c(r->parameter), STR("header:"));
}

/* What may stand in the query of any request: signatures, headers in it, and what S3 itself ignores ("x-…"). */
static bool is_of_any_request(str name)
{
    static const str names[] = {STR_INIT("AWSAccessKeyId"), STR_INIT("Signature"),
                                STR_INIT("Expires"), STR_INIT("content-md5"),
                                STR_INIT("content-type")};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_equal_nocase(name, names[i])) {
            return true;
        }
    }
    return str_starts_with_nocase(name, STR("x-"));
}

/* What rows that change take beside their own words. */
static bool is_taken(const s3_route *r, str name)
{
    bool of_versions = r->version_action != NULL || (r->flags & S3_NEEDS_OBJECT) != 0;
    bool of_parts = r->method == HTTP_PUT && is_of_row(r, STR("uploadId"));

    return (of_versions && str_equal(name, STR("versionId"))) ||
           (of_parts && str_equal(name, STR("partNumber")));
}

/* A row that changes takes nothing that it does not know: what is meant by it may be another operation, and a bucket,
 * an object or a part would be lost. */
static status check_change(const s3_call *c, str name, error *err)
{
    if (is_taken(c->route, name) || is_of_any_request(name)) {
        return STATUS_OK;
    }
    if (str_equal(name, STR("versionId"))) {
        return s3_fail(err, "InvalidArgument", "This operation does not accept a version-id.");
    }
    return s3_fail(err, "NotImplemented", "%s does not take the parameter \"%.*s\"", c->route->name,
                   STR_ARG(name));
}

static status check_query(const s3_call *c, error *err)
{
    size_t count = 0;
    const uri_pair *pairs = http_request_params(c->x, &count);
    http_method method = http_request_method(c->x);
    bool changes = method == HTTP_PUT || method == HTTP_POST || method == HTTP_DELETE;

    for (size_t i = 0; i < count && method != HTTP_OPTIONS; i++) {
        str name = pairs[i].name;
        if (is_of_row(c->route, name)) {
            continue;
        }
        if (is_sub_resource(name) && is_plain(c->route)) {
            return s3_fail(err, "MethodNotAllowed", "there is no %s of \"%.*s\" here",
                           http_method_name(method), STR_ARG(name));
        }
        if (is_sub_resource(name)) {
            return s3_fail(err, "InvalidArgument", "Conflicting query string parameters: %s, %.*s",
                           c->route->parameter, STR_ARG(name));
        }
        if (changes && c->level != S3_SERVICE && c->route->handle != NULL) {
            TRY(check_change(c, name, err));
        }
    }
    return STATUS_OK;
}

static bool is_sub_resource_row(const s3_call *c, const s3_route *r)
{
    return r->level == c->level && r->parameter != NULL &&
           str_find_char(str_c(r->parameter), ':') == STR_NPOS && fits(c, r);
}

/* A query of names that no row's first word has, and that any request may have: most requests are so, and rows of
 * sub-resources need not be looked at for them. */
static bool is_bare_query(const s3_call *c)
{
    size_t count = 0;
    const uri_pair *pairs = http_request_params(c->x, &count);

    for (size_t i = 0; i < count; i++) {
        if (!str_starts_with_nocase(pairs[i].name, STR("x-"))) {
            return false;
        }
    }
    return true;
}

status s3_route_find(s3_call *c, error *err)
{
    http_method method = http_request_method(c->x);
    const s3_route *plain = NULL;
    bool is_bare = is_bare_query(c);

    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        const s3_route *r = &routes[i];
        if (r->level != c->level || r->method != method || (is_bare && !is_plain(r)) ||
            !fits(c, r)) {
            continue;
        }
        if (r->parameter != NULL) {
            c->route = r;
            return is_bare ? STATUS_OK : check_query(c, err);
        }
        plain = plain == NULL ? r : plain;
    }
    for (size_t i = 0; i < COUNT_OF(routes) && !is_bare; i++) {
        const s3_route *r = &routes[i]; /* a sub-resource, by a method it lacks */
        if (method != HTTP_OPTIONS && is_sub_resource_row(c, r)) {
            return s3_fail(err, "MethodNotAllowed", "%s has no method %s", r->parameter,
                           http_method_name(method));
        }
    }
    if (plain == NULL) {
        return s3_fail(err, "MethodNotAllowed", "there is no method %s here",
                       http_method_name(method));
    }
    c->route = plain;
    return is_bare ? STATUS_OK : check_query(c, err);
}

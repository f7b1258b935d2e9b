/* Which elements the documents of requests may hold. A name that is passed over makes a document mean more than it
 * says: a filter with a typing error would be a filter of everything. What the documents mean is for their handlers. */
#include "s3/s3.h"

/* An element that is no parent in the table holds text alone. Elements of S3 that are not served stand here where the
 * handler refuses them with words of its own. */
static const struct {
    const char *root, *parent, *name;
    bool many;
} elements[] = {
#define LIFECYCLE "LifecycleConfiguration"
    {LIFECYCLE, LIFECYCLE, "Rule", true},
    {LIFECYCLE, "Rule", "ID", false},
    {LIFECYCLE, "Rule", "Status", false},
    {LIFECYCLE, "Rule", "Prefix", false},
    {LIFECYCLE, "Rule", "Filter", false},
    {LIFECYCLE, "Rule", "Expiration", false},
    {LIFECYCLE, "Rule", "Transition", true},
    {LIFECYCLE, "Rule", "NoncurrentVersionTransition", true},
    {LIFECYCLE, "Rule", "NoncurrentVersionExpiration", false},
    {LIFECYCLE, "Rule", "AbortIncompleteMultipartUpload", false},
    {LIFECYCLE, "Filter", "And", false},
    {LIFECYCLE, "Filter", "Prefix", false},
    {LIFECYCLE, "Filter", "Tag", false},
    {LIFECYCLE, "Filter", "ObjectSizeGreaterThan", false},
    {LIFECYCLE, "Filter", "ObjectSizeLessThan", false},
    {LIFECYCLE, "And", "Prefix", false},
    {LIFECYCLE, "And", "Tag", true},
    {LIFECYCLE, "And", "ObjectSizeGreaterThan", false},
    {LIFECYCLE, "And", "ObjectSizeLessThan", false},
    {LIFECYCLE, "Tag", "Key", false},
    {LIFECYCLE, "Tag", "Value", false},
    {LIFECYCLE, "Expiration", "Days", false},
    {LIFECYCLE, "Expiration", "Date", false},
    {LIFECYCLE, "Expiration", "ExpiredObjectDeleteMarker", false},
    {LIFECYCLE, "Transition", "Days", false},
    {LIFECYCLE, "Transition", "Date", false},
    {LIFECYCLE, "Transition", "StorageClass", false},
    {LIFECYCLE, "NoncurrentVersionTransition", "NoncurrentDays", false},
    {LIFECYCLE, "NoncurrentVersionTransition", "NewerNoncurrentVersions", false},
    {LIFECYCLE, "NoncurrentVersionTransition", "StorageClass", false},
    {LIFECYCLE, "NoncurrentVersionExpiration", "NoncurrentDays", false},
    {LIFECYCLE, "NoncurrentVersionExpiration", "NewerNoncurrentVersions", false},
    {LIFECYCLE, "AbortIncompleteMultipartUpload", "DaysAfterInitiation", false},
    {"Delete", "Delete", "Object", true},
    {"Delete", "Delete", "Quiet", false},
    {"Delete", "Object", "Key", false},
    {"Delete", "Object", "VersionId", false},
    {"Delete", "Object", "ETag", false},
    {"Delete", "Object", "LastModifiedTime", false},
    {"Delete", "Object", "Size", false},
#define LOCK "ObjectLockConfiguration"
    {LOCK, LOCK, "ObjectLockEnabled", false},
    {LOCK, LOCK, "Rule", false},
    {LOCK, "Rule", "DefaultRetention", false},
    {LOCK, "DefaultRetention", "Mode", false},
    {LOCK, "DefaultRetention", "Days", false},
    {LOCK, "DefaultRetention", "Years", false},
#define BLOCK "PublicAccessBlockConfiguration"
    {BLOCK, BLOCK, "BlockPublicAcls", false},
    {BLOCK, BLOCK, "IgnorePublicAcls", false},
    {BLOCK, BLOCK, "BlockPublicPolicy", false},
    {BLOCK, BLOCK, "RestrictPublicBuckets", false},
    {"VersioningConfiguration", "VersioningConfiguration", "Status", false},
    {"VersioningConfiguration", "VersioningConfiguration", "MfaDelete", false},
#define CORS "CORSConfiguration"
    {CORS, CORS, "CORSRule", true},
    {CORS, "CORSRule", "ID", false},
    {CORS, "CORSRule", "AllowedMethod", true},
    {CORS, "CORSRule", "AllowedOrigin", true},
    {CORS, "CORSRule", "AllowedHeader", true},
    {CORS, "CORSRule", "ExposeHeader", true},
    {CORS, "CORSRule", "MaxAgeSeconds", false},
#define ACL "AccessControlPolicy"
    {ACL, ACL, "Owner", false},
    {ACL, ACL, "AccessControlList", false},
    {ACL, "Owner", "ID", false},
    {ACL, "Owner", "DisplayName", false},
    {ACL, "AccessControlList", "Grant", true},
    {ACL, "Grant", "Grantee", false},
    {ACL, "Grant", "Permission", false},
    {ACL, "Grantee", "ID", false},
    {ACL, "Grantee", "DisplayName", false},
    {ACL, "Grantee", "URI", false},
    {ACL, "Grantee", "EmailAddress", false},
#define COMPLETE "CompleteMultipartUpload"
    {COMPLETE, COMPLETE, "Part", true},
    {COMPLETE, "Part", "PartNumber", false},
    {COMPLETE, "Part", "ETag", false},
    {COMPLETE, "Part", "ChecksumCRC32", false},
    {COMPLETE, "Part", "ChecksumCRC32C", false},
    {COMPLETE, "Part", "ChecksumCRC64NVME", false},
    {COMPLETE, "Part", "ChecksumSHA1", false},
    {COMPLETE, "Part", "ChecksumSHA256", false},
    {"CreateBucketConfiguration", "CreateBucketConfiguration", "LocationConstraint", false},
#define SSE "ServerSideEncryptionConfiguration"
    {SSE, SSE, "Rule", true},
    {SSE, "Rule", "ApplyServerSideEncryptionByDefault", false},
    {SSE, "Rule", "BucketKeyEnabled", false},
    {SSE, "Rule", "BlockedEncryptionTypes", false},
    {SSE, "BlockedEncryptionTypes", "EncryptionType", true},
    {SSE, "ApplyServerSideEncryptionByDefault", "SSEAlgorithm", false},
    {SSE, "ApplyServerSideEncryptionByDefault", "KMSMasterKeyID", false},
    {"OwnershipControls", "OwnershipControls", "Rule", true},
    {"OwnershipControls", "Rule", "ObjectOwnership", false},
    {"Retention", "Retention", "Mode", false},
    {"Retention", "Retention", "RetainUntilDate", false},
    {"LegalHold", "LegalHold", "Status", false},
    {"Tagging", "Tagging", "TagSet", false},
    {"Tagging", "TagSet", "Tag", true},
    {"Tagging", "Tag", "Key", false},
    {"Tagging", "Tag", "Value", false},
};

static bool is_listed(str root)
{
    for (size_t i = 0; i < COUNT_OF(elements); i++) {
        if (str_equal(root, str_c(elements[i].root))) {
            return true;
        }
    }
    return false;
}

static const char *code_of(str root)
{
    return str_equal(root, STR(ACL)) ? "MalformedACLError" : "MalformedXML";
}

/* The depth of a document is bounded where it is parsed. */
static status check_children(str root, const xml_element *parent, error *err)
{
    for (const xml_element *e = parent->first; e != NULL; e = e->next) {
        size_t i = 0;
        while (i < COUNT_OF(elements) && !(str_equal(e->name, str_c(elements[i].name)) &&
                                           str_equal(parent->name, str_c(elements[i].parent)) &&
                                           str_equal(root, str_c(elements[i].root)))) {
            i++;
        }
        if (i == COUNT_OF(elements)) {
            return s3_fail(err, code_of(root), "%.*s has no element %.*s", STR_ARG(parent->name),
                           STR_ARG(e->name));
        }
        if (!elements[i].many && xml_child(parent, elements[i].name) != e) {
            return s3_fail(err, code_of(root), "%.*s has more than one %.*s", STR_ARG(parent->name),
                           STR_ARG(e->name));
        }
        TRY(check_children(root, e, err));
    }
    return STATUS_OK;
}

status s3_check_elements(const xml_element *root, error *err)
{
    return is_listed(root->name) ? check_children(root->name, root, err) : STATUS_OK;
}

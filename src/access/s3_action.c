/* Every action of S3 that a policy may name, and what grants it: the one table that policies are checked against, the
 * decision is made by, and the docs are made from. Actions that no route asks for are here since policies written for
 * AWS name them.
 *
 * Source: Amazon S3 User Guide, "Mapping of ACL permissions and access policy permissions"; Service Authorization
 * Reference, "Actions defined by Amazon S3". */
#include "internal.h"

/* clang-format off */
/*    action                          whose            on the bucket  on the object */
#define S3_ACTION_TABLE(X) \
    X(ListAllMyBuckets,               S3_OF_SERVICE,  0,            0) \
    X(CreateBucket,                   S3_OF_SERVICE,  0,            0) \
    X(DeleteBucket,                   S3_OF_BUCKET,   0,            0) \
    X(ListBucket,                     S3_OF_BUCKET,   S3_READ,      0) \
    X(ListBucketVersions,             S3_OF_BUCKET,   S3_READ,      0) \
    X(ListBucketMultipartUploads,     S3_OF_BUCKET,   S3_READ,      0) \
    X(GetBucketLocation,              S3_OF_BUCKET,   0,            0) \
    X(GetBucketAcl,                   S3_OF_BUCKET,   S3_READ_ACP,  0) \
    X(PutBucketAcl,                   S3_OF_BUCKET,   S3_WRITE_ACP, 0) \
    X(GetBucketPolicy,                S3_OF_BUCKET,   0,            0) \
    X(PutBucketPolicy,                S3_OF_BUCKET,   0,            0) \
    X(DeleteBucketPolicy,             S3_OF_BUCKET,   0,            0) \
    X(GetBucketPolicyStatus,          S3_OF_BUCKET,   0,            0) \
    X(GetBucketPublicAccessBlock,     S3_OF_BUCKET,   0,            0) \
    X(PutBucketPublicAccessBlock,     S3_OF_BUCKET,   0,            0) \
    X(GetBucketOwnershipControls,     S3_OF_BUCKET,   0,            0) \
    X(PutBucketOwnershipControls,     S3_OF_BUCKET,   0,            0) \
    X(GetBucketVersioning,            S3_OF_BUCKET,   0,            0) \
    X(PutBucketVersioning,            S3_OF_BUCKET,   0,            0) \
    X(GetBucketTagging,               S3_OF_BUCKET,   0,            0) \
    X(PutBucketTagging,               S3_OF_BUCKET,   0,            0) \
    X(GetBucketCORS,                  S3_OF_BUCKET,   0,            0) \
    X(PutBucketCORS,                  S3_OF_BUCKET,   0,            0) \
    X(GetLifecycleConfiguration,      S3_OF_BUCKET,   0,            0) \
    X(PutLifecycleConfiguration,      S3_OF_BUCKET,   0,            0) \
    X(GetEncryptionConfiguration,     S3_OF_BUCKET,   0,            0) \
    X(PutEncryptionConfiguration,     S3_OF_BUCKET,   0,            0) \
    X(GetBucketObjectLockConfiguration, S3_OF_BUCKET, 0,            0) \
    X(PutBucketObjectLockConfiguration, S3_OF_BUCKET, 0,            0) \
    X(GetBucketNotification,          S3_OF_BUCKET,   0,            0) \
    X(PutBucketNotification,          S3_OF_BUCKET,   0,            0) \
    X(GetBucketLogging,               S3_OF_BUCKET,   0,            0) \
    X(PutBucketLogging,               S3_OF_BUCKET,   0,            0) \
    X(GetBucketWebsite,               S3_OF_BUCKET,   0,            0) \
    X(PutBucketWebsite,               S3_OF_BUCKET,   0,            0) \
    X(DeleteBucketWebsite,            S3_OF_BUCKET,   0,            0) \
    X(GetBucketRequestPayment,        S3_OF_BUCKET,   0,            0) \
    X(PutBucketRequestPayment,        S3_OF_BUCKET,   0,            0) \
    X(GetReplicationConfiguration,    S3_OF_BUCKET,   0,            0) \
    X(PutReplicationConfiguration,    S3_OF_BUCKET,   0,            0) \
    X(GetAccelerateConfiguration,     S3_OF_BUCKET,   0,            0) \
    X(PutAccelerateConfiguration,     S3_OF_BUCKET,   0,            0) \
    X(GetAnalyticsConfiguration,      S3_OF_BUCKET,   0,            0) \
    X(PutAnalyticsConfiguration,      S3_OF_BUCKET,   0,            0) \
    X(GetInventoryConfiguration,      S3_OF_BUCKET,   0,            0) \
    X(PutInventoryConfiguration,      S3_OF_BUCKET,   0,            0) \
    X(GetMetricsConfiguration,        S3_OF_BUCKET,   0,            0) \
    X(PutMetricsConfiguration,        S3_OF_BUCKET,   0,            0) \
    X(GetIntelligentTieringConfiguration, S3_OF_BUCKET, 0,          0) \
    X(PutIntelligentTieringConfiguration, S3_OF_BUCKET, 0,          0) \
    X(GetBucketMetadataTableConfiguration, S3_OF_BUCKET, 0,         0) \
    X(CreateBucketMetadataTableConfiguration, S3_OF_BUCKET, 0,      0) \
    X(DeleteBucketMetadataTableConfiguration, S3_OF_BUCKET, 0, 0) \
    X(UpdateBucketMetadataInventoryTableConfiguration, S3_OF_BUCKET, 0, 0) \
    X(UpdateBucketMetadataJournalTableConfiguration, S3_OF_BUCKET, 0, 0) \
    X(UpdateBucketMetadataAnnotationTableConfiguration, S3_OF_BUCKET, 0, 0) \
    X(GetBucketABAC,                  S3_OF_BUCKET,   0,            0) \
    X(PutBucketABAC,                  S3_OF_BUCKET,   0,            0) \
    X(CreateSession,                  S3_OF_BUCKET,   0,            0) \
    X(PutObject,                      S3_OF_CONTENTS, S3_WRITE,     0) \
    X(DeleteObject,                   S3_OF_CONTENTS, S3_WRITE,     0) \
    X(DeleteObjectVersion,            S3_OF_CONTENTS, 0,            0) \
    X(BypassGovernanceRetention,      S3_OF_CONTENTS, 0,            0) \
    X(ReplicateObject,                S3_OF_CONTENTS, 0,            0) \
    X(ReplicateDelete,                S3_OF_CONTENTS, 0,            0) \
    X(ReplicateTags,                  S3_OF_CONTENTS, 0,            0) \
    X(ObjectOwnerOverrideToBucketOwner, S3_OF_CONTENTS, 0,          0) \
    X(AbortMultipartUpload,           S3_OF_UPLOAD,   0,            0) \
    X(ListMultipartUploadParts,       S3_OF_UPLOAD,   0,            0) \
    X(GetObject,                      S3_OF_OBJECT,   0,            S3_READ) \
    X(GetObjectVersion,               S3_OF_OBJECT,   0,            S3_READ) \
    X(GetObjectAttributes,            S3_OF_OBJECT,   0,            S3_READ) \
    X(GetObjectVersionAttributes,     S3_OF_OBJECT,   0,            S3_READ) \
    X(GetObjectAcl,                   S3_OF_OBJECT,   0,            S3_READ_ACP) \
    X(GetObjectVersionAcl,            S3_OF_OBJECT,   0,            S3_READ_ACP) \
    X(PutObjectAcl,                   S3_OF_OBJECT,   0,            S3_WRITE_ACP) \
    X(PutObjectVersionAcl,            S3_OF_OBJECT,   0,            S3_WRITE_ACP) \
    X(GetObjectTagging,               S3_OF_OBJECT,   0,            0) \
    X(GetObjectVersionTagging,        S3_OF_OBJECT,   0,            0) \
    X(PutObjectTagging,               S3_OF_OBJECT,   0,            0) \
    X(PutObjectVersionTagging,        S3_OF_OBJECT,   0,            0) \
    X(DeleteObjectTagging,            S3_OF_OBJECT,   0,            0) \
    X(DeleteObjectVersionTagging,     S3_OF_OBJECT,   0,            0) \
    X(GetObjectRetention,             S3_OF_OBJECT,   0,            0) \
    X(PutObjectRetention,             S3_OF_OBJECT,   0,            0) \
    X(GetObjectLegalHold,             S3_OF_OBJECT,   0,            0) \
    X(PutObjectLegalHold,             S3_OF_OBJECT,   0,            0) \
    X(GetObjectTorrent,               S3_OF_OBJECT,   0,            0) \
    X(GetObjectVersionTorrent,        S3_OF_OBJECT,   0,            0) \
    X(GetObjectVersionForReplication, S3_OF_OBJECT,   0,            0) \
    X(GetObjectAnnotation,            S3_OF_OBJECT,   0,            0) \
    X(PutObjectAnnotation,            S3_OF_OBJECT,   0,            0) \
    X(DeleteObjectAnnotation,         S3_OF_OBJECT,   0,            0) \
    X(ListObjectAnnotations,          S3_OF_OBJECT,   0,            0) \
    X(RestoreObject,                  S3_OF_OBJECT,   0,            0)
/* clang-format on */

static const s3_action_info actions[] = {
#define X(action, scope, on_bucket, on_object) {"s3:" #action, scope, on_bucket, on_object},
    S3_ACTION_TABLE(X)
#undef X
};

const s3_action_info *access_s3_actions(size_t *ret_count)
{
    *ret_count = COUNT_OF(actions);
    return actions;
}

const s3_action_info *access_find_s3_action(str name)
{
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        if (str_equal(str_c(actions[i].name), name)) {
            return &actions[i];
        }
    }
    return NULL;
}

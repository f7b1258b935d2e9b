/* errors.h: the codes of S3's errors, their statuses and texts. Source: Amazon S3 API Reference, "Error responses". */
#ifndef TARN_SERVER_S3_ERRORS_H
#define TARN_SERVER_S3_ERRORS_H

#include "tarn/base/error.h"
#include "tarn/base/str.h"

/*  code, HTTP status, message; NULL: what tarn itself says */
/* clang-format off */
#define S3_ERROR_TABLE(X) \
    X("AccessControlListNotSupported", 400, "The bucket does not allow ACLs") \
    X("AccessDenied", 403, "Access Denied") \
    X("AccessForbidden", 403, NULL) \
    X("AuthorizationHeaderMalformed", 400, NULL) \
    X("AuthorizationQueryParametersError", 400, NULL) \
    X("BadDigest", 400, NULL) \
    X("BadRequest", 400, NULL) \
    X("BucketAlreadyExists", 409, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.") \
    X("BucketAlreadyOwnedByYou", 409, "Your previous request to create the named bucket succeeded and you already own it.") \
    X("BucketNotEmpty", 409, "The bucket you tried to delete is not empty") \
    X("ConditionalRequestConflict", 409, "The conditional request cannot succeed due to a conflicting operation against this resource.") \
    X("CredentialsNotSupported", 400, "This request does not support credentials") \
    X("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size") \
    X("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size") \
    X("ExpiredToken", 400, "The provided token has expired.") \
    X("IllegalLocationConstraintException", 400, NULL) \
    X("IllegalVersioningConfigurationException", 400, NULL) \
    X("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header") \
    X("InsufficientStorage", 507, "There is not enough space on the disk of the server; nothing was stored.") \
    X("InternalError", 500, "We encountered an internal error. Please try again.") \
    X("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.") \
    X("InvalidArgument", 400, NULL) \
    X("InvalidBucketAclWithObjectOwnership", 400, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting") \
    X("InvalidBucketName", 400, "The specified bucket is not valid.") \
    X("InvalidBucketState", 409, NULL) \
    X("InvalidChunkSizeError", 403, NULL) \
    X("InvalidClientTokenId", 403, "The security token included in the request is invalid.") \
    X("InvalidDigest", 400, "The Content-MD5 you specified was invalid.") \
    X("InvalidEncryptionAlgorithmError", 400, "The encryption request you specified is not valid. The valid value is AES256.") \
    X("InvalidObjectState", 403, NULL) \
    X("InvalidPart", 400, "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.") \
    X("InvalidPartNumber", 416, "The requested partnumber is not satisfiable") \
    X("InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number.") \
    X("InvalidPolicyDocument", 400, NULL) \
    X("InvalidRange", 416, "The requested range is not satisfiable") \
    X("InvalidRequest", 400, NULL) \
    X("InvalidRetentionPeriod", 400, NULL) \
    X("InvalidStorageClass", 400, "The storage class you specified is not valid") \
    X("InvalidTag", 400, NULL) \
    X("InvalidToken", 400, "The provided token is malformed or otherwise invalid.") \
    X("InvalidURI", 400, "Couldn't parse the specified URI.") \
    X("KeyTooLongError", 400, "Your key is too long") \
    X("MalformedACLError", 400, NULL) \
    X("MalformedPolicy", 400, NULL) \
    X("MalformedPolicyDocument", 400, NULL) \
    X("MalformedPOSTRequest", 400, NULL) \
    X("MalformedTrailerError", 400, NULL) \
    X("MalformedXML", 400, NULL) \
    X("MaxMessageLengthExceeded", 400, "Your request was too big.") \
    X("MaxPostPreDataLengthExceededError", 400, "Your POST request fields preceding the upload file were too large.") \
    X("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size") \
    X("MethodNotAllowed", 405, "The specified method is not allowed against this resource.") \
    X("MissingContentLength", 411, "You must provide the Content-Length HTTP header.") \
    X("MissingRequestBodyError", 400, "Request Body is empty") \
    X("MissingSecurityHeader", 400, NULL) \
    X("NoSuchBucket", 404, "The specified bucket does not exist") \
    X("NoSuchBucketPolicy", 404, "The bucket policy does not exist") \
    X("NoSuchConfiguration", 404, "The specified configuration does not exist.") \
    X("NoSuchCORSConfiguration", 404, "The CORS configuration does not exist") \
    X("NoSuchEntity", 404, NULL) \
    X("NoSuchKey", 404, "The specified key does not exist.") \
    X("NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist") \
    X("NoSuchObjectLockConfiguration", 404, "The specified object does not have a ObjectLock configuration") \
    X("NoSuchPublicAccessBlockConfiguration", 404, "The public access block configuration was not found") \
    X("NoSuchTagSet", 404, "The TagSet does not exist") \
    X("NoSuchUpload", 404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.") \
    X("NoSuchVersion", 404, "The specified version does not exist.") \
    X("NoSuchWebsiteConfiguration", 404, "The specified bucket does not have a website configuration") \
    X("NotImplemented", 501, NULL) \
    X("ObjectLockConfigurationNotFoundError", 404, "Object Lock configuration does not exist for this bucket") \
    X("OperationAborted", 409, "A conflicting conditional operation is currently in progress against this resource. Try again.") \
    X("OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found") \
    X("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold") \
    X("ReplicationConfigurationNotFoundError", 404, "The replication configuration was not found") \
    X("RequestHeaderSectionTooLarge", 400, "Your request header section exceeds the maximum allowed size.") \
    X("RequestTimeout", 400, "Your socket connection to the server was not read from or written to within the timeout period.") \
    X("RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large.") \
    X("ServerSideEncryptionConfigurationNotFoundError", 404, "The server side encryption configuration was not found") \
    X("ServiceUnavailable", 503, "Reduce your request rate.") \
    X("SignatureDoesNotMatch", 403, "The request signature we calculated does not match the signature you provided. Check your key and signing method.") \
    X("SlowDown", 503, "Please reduce your request rate.") \
    X("TooManyParts", 400, NULL) \
    X("UnresolvableGrantByEmailAddress", 400, "The e-mail address you provided does not match any account on record.") \
    X("ValidationError", 400, NULL) \
    X("XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed.")
/* clang-format on */

typedef struct s3_error_info {
    const char *code;
    int http_status;
    const char *message; /* NULL: the error's own */
} s3_error_info;

/* The row of a code; of an unknown one that of InternalError. */
const s3_error_info *s3_error_describe(const char *code);
/* Sets `err` with the code of the table. The text is of use where the table has none, and in the log. */
__attribute__((format(printf, 3, 4))) status s3_fail(error *err, const char *code,
                                                     const char *format, ...);
/* What the client is told: code, and status. */
const s3_error_info *s3_error_of(const error *err);

#endif

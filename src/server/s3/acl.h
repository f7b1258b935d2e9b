/* acl.h: ACLs beside the request's headers. */
#ifndef TARN_SERVER_S3_ACL_H
#define TARN_SERVER_S3_ACL_H

#include "s3/s3.h"

/* Whether the bucket lets one say it: AccessControlListNotSupported where ACLs are off, AccessDenied where its public
 * access block forbids a public one. `canned` STR_NULL: it is none. */
status s3_acl_check(const s3_call *c, str canned, const s3_acl *acl, error *err);

#endif

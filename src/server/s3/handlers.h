/* handlers.h: what the route table points to, by file. */
#ifndef TARN_SERVER_S3_HANDLERS_H
#define TARN_SERVER_S3_HANDLERS_H

#include "s3/s3.h"

/* buckets.c */
status s3_buckets_list(s3_call *c, error *err);
status s3_bucket_put(s3_call *c, error *err);
status s3_bucket_head(s3_call *c, error *err);
status s3_bucket_delete(s3_call *c, error *err);
status s3_location_get(s3_call *c, error *err);
status s3_versioning_get(s3_call *c, error *err);
status s3_versioning_put(s3_call *c, error *err);
status s3_request_payment_get(s3_call *c, error *err);

/* list.c */
status s3_list_objects(s3_call *c, error *err); /* both versions */
status s3_versions_list(s3_call *c, error *err);

/* objects.c */
status s3_object_get(s3_call *c, error *err); /* and HEAD */
status s3_object_put(s3_call *c, error *err);
status s3_object_delete(s3_call *c, error *err);

/* delete.c */
status s3_objects_delete(s3_call *c, error *err);

/* attributes.c */
status s3_object_attributes_get(s3_call *c, error *err);

/* copy.c */
status s3_object_copy(s3_call *c, error *err);
status s3_part_copy(s3_call *c, error *err);

/* multipart.c */
status s3_upload_create(s3_call *c, error *err);
status s3_upload_list(s3_call *c, error *err);
status s3_upload_complete(s3_call *c, error *err);
status s3_upload_abort(s3_call *c, error *err);
status s3_part_put(s3_call *c, error *err);
status s3_part_list(s3_call *c, error *err);

/* tagging.c */
status s3_bucket_tags_get(s3_call *c, error *err);
status s3_bucket_tags_put(s3_call *c, error *err);
status s3_bucket_tags_delete(s3_call *c, error *err);
status s3_object_tags_get(s3_call *c, error *err);
status s3_object_tags_put(s3_call *c, error *err);
status s3_object_tags_delete(s3_call *c, error *err);

/* lock.c */
status s3_lock_config_get(s3_call *c, error *err);
status s3_lock_config_put(s3_call *c, error *err);
status s3_retention_get(s3_call *c, error *err);
status s3_retention_put(s3_call *c, error *err);
status s3_legal_hold_get(s3_call *c, error *err);
status s3_legal_hold_put(s3_call *c, error *err);

/* cors.c */
status s3_cors_get(s3_call *c, error *err);
status s3_cors_put(s3_call *c, error *err);
status s3_cors_delete(s3_call *c, error *err);
status s3_cors_preflight(s3_call *c, error *err);

/* lifecycle.c */
status s3_lifecycle_get(s3_call *c, error *err);
status s3_lifecycle_put(s3_call *c, error *err);
status s3_lifecycle_delete(s3_call *c, error *err);

/* encryption.c */
status s3_encryption_get(s3_call *c, error *err);
status s3_encryption_put(s3_call *c, error *err);
status s3_encryption_delete(s3_call *c, error *err);

/* rights.c */
status s3_policy_get(s3_call *c, error *err);
status s3_policy_put(s3_call *c, error *err);
status s3_policy_delete(s3_call *c, error *err);
status s3_policy_status_get(s3_call *c, error *err);
status s3_public_block_get(s3_call *c, error *err);
status s3_public_block_put(s3_call *c, error *err);
status s3_public_block_delete(s3_call *c, error *err);
status s3_ownership_get(s3_call *c, error *err);
status s3_ownership_put(s3_call *c, error *err);
status s3_ownership_delete(s3_call *c, error *err);

/* acl.c */
status s3_bucket_acl_get(s3_call *c, error *err);
status s3_bucket_acl_put(s3_call *c, error *err);
status s3_object_acl_get(s3_call *c, error *err);
status s3_object_acl_put(s3_call *c, error *err);

/* post.c */
status s3_form_post(s3_call *c, error *err);

/* query.c: STS and IAM */
status s3_query(s3_call *c, error *err);

#endif

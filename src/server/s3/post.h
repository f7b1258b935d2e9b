/* post.h: the policy document of a browser's form. */
#ifndef TARN_SERVER_S3_POST_H
#define TARN_SERVER_S3_POST_H

#include "s3/s3.h"
#include "tarn/net/form.h"

typedef struct post_policy {
    int64_t size_min, size_max; /* content-length-range; -1: not said */
} post_policy;
#define POST_POLICY_NONE ((post_policy){.size_min = -1, .size_max = -1})

/* `text` is the field as sent (base64). `key` is what "key" stands for once the file's name was put in.
 * DENIED "AccessDenied": expired, a condition that does not hold, a field that no condition names.
 * INVALID "InvalidPolicyDocument": it cannot be read. */
status post_policy_check(str text, const http_form *form, str bucket, str key, arena *a,
                         post_policy *ret_policy, error *err);

/* s3_header of a call with a form; STR_NULL for what a form cannot say. */
str s3_form_header(const s3_call *c, const char *name);

#endif

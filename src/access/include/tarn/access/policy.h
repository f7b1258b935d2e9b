/* policy.h: AWS policy documents (version 2012-10-17 and 2008-10-17): parsed once, asked often.
 *
 * Pure: knows no rows and no requests. What a condition asks for comes from the asker's function; a key that the
 * asker does not know is absent. An operator, element or principal that is not understood makes the document malformed:
 * nothing is skipped, since a condition that is not looked at would allow too much.
 *
 * Source: IAM JSON policy reference; Amazon S3, "Bucket policies", "The meaning of public". */
#ifndef TARN_ACCESS_POLICY_H
#define TARN_ACCESS_POLICY_H

#include <stdbool.h>

#include "tarn/base/arena.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"

#define POLICY_BYTES_MAX ((size_t)20 * 1024)

typedef struct policy policy;

typedef enum policy_use {
    POLICY_OF_BUCKET,  /* principals needed, resources inside `bucket` */
    POLICY_OF_SESSION, /* no principals */
} policy_use;

/* INVALID "MalformedPolicy", naming the statement and the element. Lives in `a`. */
status policy_parse(str text, policy_use use, str bucket, arena *a, const policy **ret_policy,
                    error *err);

typedef struct policy_question {
    str principal_id;  /* canonical id; empty: anonymous */
    str principal_arn; /* "arn:aws:iam::ID:root", "arn:aws:sts::ID:assumed-role/…" */
    str account;       /* ID */
    str user;          /* NAME of "arn:aws:iam::ID:user/NAME" */
    str action;        /* "s3:GetObject" */
    str resource;      /* "arn:aws:s3:::bucket/key" */
    /* Values of a condition key (lower case: "aws:sourceip", "s3:prefix", "s3:existingobjecttag/env"); false where the
     * request has none. May be NULL. */
    bool (*values)(void *context, str key, const str **ret_values, size_t *ret_count);
    void *context;
} policy_question;

typedef enum policy_effect { POLICY_SILENT, POLICY_ALLOW, POLICY_DENY } policy_effect;
policy_effect policy_ask(const policy *p, const policy_question *question);
/* Whether it allows anything to everybody. */
bool policy_is_public(const policy *p);
/* Whether `key` (any case) is a condition key that documents may use. */
bool policy_knows_key(str key);

#endif

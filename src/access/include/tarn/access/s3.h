/* s3.h: who an S3 request is from, and whether it may: key pairs, session credentials, and the one decision over
 * ownership, ACLs, bucket policies, session policies and public access blocks.
 *
 * Each principal is an account of its own. Its canonical id, account id and display name are the id of its first
 * access key (root's at the first start): stable, also when that key is dropped, and known to who holds the key.
 * Secrets are kept encrypted under the master key (secrets/master.key), since signatures need them. Root's first pair
 * lies in secrets/root.s3: access key and secret, a line each.
 *
 * A door does this: no signature, then access_unsigned; else access_find_s3_key, and the signature is checked with the
 * secret it gives, unless `unchecked`; then access_check_s3 before each act. */
#ifndef TARN_ACCESS_S3_H
#define TARN_ACCESS_S3_H

#include "tarn/access/access.h"
#include "tarn/access/policy.h"

typedef struct s3_identity {
    principal who;
    str canonical_id; /* empty: anonymous */
    str access_key, secret;
    str arn;                      /* of the caller: arn:aws:iam::ID:root, or of the session */
    const policy *session_policy; /* NULL: none; narrows, never widens */
    const struct s3_scope
        *scopes; /* of a vended session or narrow pair: its only rights; or NULL */
    size_t scope_count;
    bool is_session;
    bool
        unchecked; /* auth.mode = none: root's, whatever key and signature say; do not check them */
    int64_t expires_us; /* of a session; 0 else */
} s3_identity;

/* Of a request without a signature: anonymous (all empty), or root where auth.mode = none. */
void access_unsigned(access_control *ac, arena *a, s3_identity *ret_identity);

/* `session_token` STR_NULL: none was sent. DENIED "InvalidAccessKeyId"; INVALID "InvalidToken" (a session without its
 * token, or with another's), "ExpiredToken" (its time is over, or it was revoked). From memory: called by every
 * request. The result lives in `a`. */
status access_find_s3_key(access_control *ac, str access_key, str session_token, arena *a,
                          s3_identity *ret_identity, error *err);

typedef struct s3_key {
    str access_key; /* 20 characters */
    str secret;     /* 40; only when made */
    str principal;  /* name */
    int64_t created_us;
    int64_t expires_us; /* 0: never */
    bool inactive;      /* out until it is set active again */
    str scope;          /* "bucket/folder/" or "bucket/", all that it opens; empty: no bound */
} s3_key;
/* `name` is the principal's. */
status access_create_s3_key(access_control *ac, str name, int64_t expires_us, arena *a,
                            s3_key *ret_key, error *err);
/* One that opens the objects of a warehouse and nothing else, for programs that take no keys from the catalog: as a
 * vended session does, to read where the principal's role may read tables and to change where it may write them, but
 * what lies in `.tarn`. It makes no sessions and manages no keys. INVALID where `scope` is none (s3_key). */
status access_create_narrow_s3_key(access_control *ac, str name, int64_t expires_us, str scope,
                                   arena *a, s3_key *ret_key, error *err);
status access_drop_s3_key(access_control *ac, str access_key, error *err);
/* An inactive key is an unknown one, and the sessions it made end for good, at once. NOT_FOUND; DENIED: root's last. */
status access_set_s3_key_active(access_control *ac, str access_key, bool active, error *err);
status access_list_s3_keys(access_control *ac, str name, arena *a, s3_key **ret_keys,
                           size_t *ret_count, error *err);
/* The canonical id's principal; NOT_FOUND. For grants and expected owners. */
status access_find_canonical(access_control *ac, str canonical_id, arena *a,
                             s3_identity *ret_identity, error *err);

/* Session credentials of `from` (STS, vending). `policy_text` empty: none. Nothing is stored: the token holds it all,
 * sealed under the master key. A session ends with its time, with the key that it was made by, with its principal, and
 * by revocation. DENIED "AccessDenied" where `from` is a session itself, or anonymous. */
typedef struct s3_session_request {
    const s3_identity *from;
    str role;           /* name of the assumed role, a part of the ARN; with session_name */
    str session_name;   /* of an assumed role; empty: GetSessionToken */
    str policy_text;    /* at most 2048 bytes */
    int64_t duration_s; /* 900 to 43200; sessions of the server's own making may be shorter */
} s3_session_request;
typedef struct s3_session {
    str access_key, secret, token;
    str arn;
    int64_t expires_us;
} s3_session;
status access_create_s3_session(access_control *ac, const s3_session_request *request, arena *a,
                                s3_session *ret_session, error *err);
/* Whether something beside ownership, ACLs and the bucket's policy says what this caller may. */
bool access_is_narrowed(const s3_identity *who);

/* What a vended session may: read, and with `write` change, the objects of one folder, and list them. */
typedef struct s3_scope {
    str bucket;
    str prefix; /* of keys: "a/t1/", with the slash; empty only of a key pair's that opens a bucket */
    bool write;
    bool
        lists_bare; /* also with the prefix less its slash, "a/t1": where no other folder's name begins with that */
} s3_scope;
/* Session credentials that the catalog hands out for a table's files: to a principal whom the catalog lets touch the
 * table, and who may have no S3 rights of its own. The scopes are all that such a session may; what a bucket's policy
 * denies stays denied. It ends with its time, with the key that `who` came with, with its principal, by
 * access_revoke_s3_sessions, and with its subject (access_end_vended). In open mode `who` is anybody. The scopes are
 * checked for form alone: INVALID. */
#define ACCESS_SCOPES_MAX 8
typedef struct s3_vending {
    const principal *who;
    const s3_scope *scopes;
    size_t scope_count;
    int64_t duration_s; /* 1 to 43200 */
    str subject;        /* uuid of the table; empty: none */
    int64_t ended_us;   /* access_vended_end, asked before it was found that the table is there */
} s3_vending;
status access_vend_s3(access_control *ac, const s3_vending *vending, arena *a,
                      s3_session *ret_session, error *err);

/* A table goes: from the commit of `txn` on sessions that were vended for it, also those that are vended yet for what
 * was loaded before, change nothing; they read what is left there until the place is another's (access_ask_places):
 * clients look whether a purge is done, or read a table to its end. */
status access_end_vended(access_control *ac, state_txn *txn, str subject, error *err);
/* It comes back, the same and under the same metadata: what is kept of answers with its sessions (access_generation)
 * is not to be given again. */
void access_renew_vended(access_control *ac, state_txn *txn, str subject);
/* Who is asked, for sessions that ended alone, whether something else than the subject has a place in the scopes, or
 * around them. Before requests come. */
typedef bool (*access_is_taken)(void *context, str subject, const s3_scope *scopes, size_t count);
void access_ask_places(access_control *ac, access_is_taken is_taken, void *context);
/* Whether there may be sessions that ended with their subject: what such a one may read is looked up in the database,
 * which a loop must not do. */
bool access_has_vended_ends(access_control *ac);
/* When sessions of the subject ended last; 0: never, as far as any could be left. */
int64_t access_vended_end(access_control *ac, str subject);

/* Ends every session of the principal, vended ones and tokens (access.h) too. */
status access_revoke_s3_sessions(access_control *ac, str name, error *err);

/* ---- the decision ---- */

/* The folder "bucket/a/.tarn/" in which the catalog keeps records of its own: nobody but root, in no scope, finds
 * a key below it, whatever policies and ACLs say. Before requests come; `folder` outlives `ac`. */
void access_keep_folder(access_control *ac, str folder);
/* The key, or what keys of a listing have in common, lies there, and the caller is another. */
bool access_hides_key(const access_control *ac, const s3_identity *who, str bucket, str key);
/* Where a listing goes on behind what is hidden. */
str access_behind_hidden(const access_control *ac, arena *a);

/* Canned ACLs and grants as stored with bucket and object: the text of s3_acl_format. */
typedef enum s3_permission {
    S3_READ = 1,
    S3_WRITE = 2,
    S3_READ_ACP = 4,
    S3_WRITE_ACP = 8,
    S3_FULL_CONTROL = 15,
} s3_permission;
typedef enum s3_grantee {
    GRANTEE_USER,
    GRANTEE_EVERYONE,
    GRANTEE_AUTHENTICATED,
    GRANTEE_LOG_DELIVERY
} s3_grantee;
typedef struct s3_grant {
    s3_grantee kind;
    str canonical_id; /* GRANTEE_USER */
    unsigned permissions;
} s3_grant;
typedef struct s3_acl {
    const s3_grant *grants; /* the owner's FULL_CONTROL included */
    size_t count;
} s3_acl;
/* "private", "public-read", …, "bucket-owner-full-control". INVALID for others. */
status s3_acl_from_canned(str canned, str owner, str bucket_owner, arena *a, s3_acl *ret_acl,
                          error *err);
str s3_acl_format(const s3_acl *acl, arena *a);
status s3_acl_parse(str text, str owner, arena *a, s3_acl *ret_acl,
                    error *err); /* empty text: private */
bool s3_acl_is_public(const s3_acl *acl);

typedef struct s3_public_block {
    bool block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets;
} s3_public_block;

/* What the decision must know of the bucket; parsed once per bucket version by the door. */
typedef struct s3_bucket_facts {
    str owner;            /* canonical id; empty: the bucket is not there, or none is concerned */
    const policy *policy; /* NULL: none */
    s3_acl acl;
    bool acls_off; /* ownership BucketOwnerEnforced */
    /* the policy was put with x-amz-confirm-remove-self-bucket-access: it may deny the owner the policy itself */
    bool policy_binds_owner;
    s3_public_block block;
} s3_bucket_facts;

typedef struct s3_question {
    const s3_identity *who;
    const char *action;           /* "s3:GetObjectVersion" */
    str bucket, key;              /* empty where not concerned */
    const s3_bucket_facts *facts; /* NULL for actions without a bucket */
    str object_owner; /* of an existing object or upload; empty: there is none, or the bucket's owner's */
    const s3_acl *object_acl; /* NULL: there is none */
    /* Condition keys of the request (policy.h): s3:… and aws:sourceip, aws:securetransport, aws:useragent, aws:referer.
     * Those about the caller and the time (aws:username, aws:userid, aws:principalarn, aws:principalaccount,
     * aws:principaltype, aws:currenttime, aws:epochtime) are answered here. */
    bool (*values)(void *context, str key, const str **ret_values, size_t *ret_count);
    void *context;
} s3_question;
/* DENIED "AccessDenied". An action that is not in the table is denied. An explicit deny wins, but over the owner's own
 * right to the bucket's policy; then the owner (root is every bucket's), the bucket's policy, the ACLs; a session's
 * policy must allow it as well. */
status access_check_s3(access_control *ac, const s3_question *question, error *err);

/* ---- the table of actions ---- */

/* Whose the thing is that an action is done to: its owner may, unless denied. */
typedef enum s3_action_scope {
    S3_OF_SERVICE,  /* nobody's: anyone with an account, see the decision */
    S3_OF_BUCKET,   /* the bucket's owner's */
    S3_OF_CONTENTS, /* what is in the bucket, coming and going: the bucket's owner's */
    S3_OF_UPLOAD,   /* the bucket's owner's and the initiator's (s3_question.object_owner) */
    S3_OF_OBJECT, /* an existing object: its owner's, which is the bucket's owner where ACLs are off */
} s3_action_scope;

/* Name, and which ACL permission on bucket or object grants it. */
typedef struct s3_action_info {
    const char *name;
    s3_action_scope scope;
    unsigned bucket_permission, object_permission; /* 0: no ACL grants it */
} s3_action_info;
/* NULL for unknown names. */
const s3_action_info *access_find_s3_action(str name);
const s3_action_info *access_s3_actions(size_t *ret_count);

#endif

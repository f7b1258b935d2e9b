/* For a short while: what its headers promise and is not written yet. Whoever writes a function takes it away here;
 * the file goes with the last of them. */
#include "tarn/access/policy.h"
#include "tarn/access/s3.h"

status policy_parse(str text, policy_use use, str bucket, arena *a, const policy **ret_policy,
                    error *err)
{
    (void)text;
    (void)use;
    (void)bucket;
    (void)a;
    (void)ret_policy;
    return error_set(err, STATUS_UNSUPPORTED, "policy_parse is not there yet");
}

policy_effect policy_ask(const policy *p, const policy_question *question)
{
    (void)p;
    (void)question;
    return POLICY_SILENT;
}

bool policy_is_public(const policy *p)
{
    (void)p;
    return false;
}

status access_create_s3_session(access_control *ac, const s3_session_request *request, arena *a,
                                s3_session *ret_session, error *err)
{
    (void)ac;
    (void)request;
    (void)a;
    (void)ret_session;
    return error_set(err, STATUS_UNSUPPORTED, "access_create_s3_session is not there yet");
}

status access_revoke_s3_sessions(access_control *ac, str name, error *err)
{
    (void)ac;
    (void)name;
    return error_set(err, STATUS_UNSUPPORTED, "access_revoke_s3_sessions is not there yet");
}

status s3_acl_from_canned(str canned, str owner, str bucket_owner, arena *a, s3_acl *ret_acl,
                          error *err)
{
    (void)canned;
    (void)owner;
    (void)bucket_owner;
    (void)a;
    (void)ret_acl;
    return error_set(err, STATUS_UNSUPPORTED, "s3_acl_from_canned is not there yet");
}

str s3_acl_format(const s3_acl *acl, arena *a)
{
    (void)acl;
    (void)a;
    return STR_NULL;
}

status s3_acl_parse(str text, str owner, arena *a, s3_acl *ret_acl, error *err)
{
    (void)text;
    (void)owner;
    (void)a;
    (void)ret_acl;
    return error_set(err, STATUS_UNSUPPORTED, "s3_acl_parse is not there yet");
}

bool s3_acl_is_public(const s3_acl *acl)
{
    (void)acl;
    return false;
}

status access_check_s3(access_control *ac, const s3_question *question, error *err)
{
    (void)ac;
    (void)question;
    return error_set(err, STATUS_UNSUPPORTED, "access_check_s3 is not there yet");
}

const s3_action_info *access_s3_actions(size_t *ret_count)
{
    (void)ret_count;
    return NULL;
}

bool policy_knows_key(str key)
{
    (void)key;
    return false;
}

#include "internal.h"
status access__find_session(access_control *ac, str access_key, str token, arena *a,
                            s3_identity *ret_identity, error *err)
{
    (void)ac;
    (void)access_key;
    (void)token;
    (void)a;
    (void)ret_identity;
    return error_set(err, STATUS_UNSUPPORTED, "sessions are not there yet");
}

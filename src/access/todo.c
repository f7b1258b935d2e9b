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

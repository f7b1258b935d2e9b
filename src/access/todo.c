/* For a short while: what its headers promise and is not written yet. Whoever writes a function takes it away here;
 * the file goes with the last of them. */
#include "tarn/access/policy.h"
#include "tarn/access/s3.h"

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

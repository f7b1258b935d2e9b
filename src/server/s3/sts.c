/* The Security Token Service, as far as a store needs it: AssumeRole, GetSessionToken, GetCallerIdentity.
 *
 * There are no roles here: a role's ARN names the session, which has its caller's rights, narrowed by the policy that
 * comes with the request. What would narrow a session and is not known here (managed policies, tags, MFA) is refused,
 * so that no session may more than its maker meant.
 *
 * Source: AWS Security Token Service API Reference, version 2011-06-15. */
#include "s3/query.h"

#define POLICY_CHARS_MAX 2048
#define DURATION_S_MIN 900
#define DURATION_S_MAX 43200

static void add_credentials(buf *out, const s3_session *made)
{
    xml_open(out, "Credentials");
    xml_add_text(out, "AccessKeyId", made->access_key);
    xml_add_text(out, "SecretAccessKey", made->secret);
    xml_add_text(out, "SessionToken", made->token);
    xml_add_time(out, "Expiration", made->expires_us);
    xml_close(out, "Credentials");
}

static status read_duration(const s3_parameters *p, int64_t fallback_s, int64_t *ret_duration_s,
                            error *err)
{
    str text = s3_parameter(p, "DurationSeconds");

    *ret_duration_s = fallback_s;
    if (str_is_null(text)) {
        return STATUS_OK;
    }
    if (str_to_int64(text, ret_duration_s, NULL) != STATUS_OK || *ret_duration_s < DURATION_S_MIN ||
        *ret_duration_s > DURATION_S_MAX) {
        return s3_query_fail(err, "ValidationError",
                             "DurationSeconds is a number from 900 to 43200");
    }
    return STATUS_OK;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && str_find_char(STR("_+=,.@-"), c) != STR_NPOS);
}

static bool is_name(str text, size_t min, size_t max)
{
    bool valid = text.size >= min && text.size <= max;

    for (size_t i = 0; valid && i < text.size; i++) {
        valid = is_name_char(text.data[i]);
    }
    return valid;
}

/* The name at the end of arn:aws:iam::ACCOUNT:role/PATH/NAME. */
static status read_role(str arn, str *ret_role, error *err)
{
    size_t at = str_find(arn, STR(":role/"));
    size_t slash = str_find_last_char(arn, '/');
    str name = slash == STR_NPOS ? STR("") : str_slice(arn, slash + 1, arn.size);

    if (!str_starts_with(arn, STR("arn:aws:iam::")) || at == STR_NPOS || arn.size > 2048 ||
        !is_name(name, 1, 64)) {
        return s3_query_fail(err, "ValidationError",
                             "RoleArn is not arn:aws:iam::ACCOUNT:role/NAME");
    }
    *ret_role = name;
    return STATUS_OK;
}

static status assume_role(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    s3_session_request request = {.from = &c->who, .policy_text = s3_parameter(p, "Policy")};
    s3_session made;

    TRY(read_role(s3_parameter(p, "RoleArn"), &request.role, err));
    request.session_name = s3_parameter(p, "RoleSessionName");
    if (!is_name(request.session_name, 2, 64)) {
        return s3_query_fail(
            err, "ValidationError",
            "RoleSessionName has 2 to 64 letters, digits and the characters _ + = , . @ -");
    }
    TRY(read_duration(p, 3600, &request.duration_s, err));
    if (request.policy_text.size > POLICY_CHARS_MAX) {
        return s3_query_fail(err, "PackedPolicyTooLarge", "Policy has more than 2048 bytes");
    }
    TRY(access_create_s3_session(c->app->access, &request, c->a, &made, err));
    xml_open(out, "AssumedRoleUser");
    xml_add_text(
        out, "AssumedRoleId",
        str_printf(c->a, "%.*s:%.*s", STR_ARG(c->who.canonical_id), STR_ARG(request.session_name)));
    xml_add_text(out, "Arn", made.arn);
    xml_close(out, "AssumedRoleUser");
    add_credentials(out, &made);
    xml_add_int(out, "PackedPolicySize",
                (int64_t)(request.policy_text.size * 100 / POLICY_CHARS_MAX));
    return STATUS_OK;
}

static status get_session_token(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    s3_session_request request = {.from = &c->who, .session_name = STR(""), .policy_text = STR("")};
    s3_session made;

    TRY(read_duration(p, DURATION_S_MAX, &request.duration_s, err));
    TRY(access_create_s3_session(c->app->access, &request, c->a, &made, err));
    add_credentials(out, &made);
    return STATUS_OK;
}

static status get_caller_identity(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    size_t slash = c->who.is_session ? str_find_last_char(c->who.arn, '/') : STR_NPOS;
    str id = c->who.canonical_id;

    (void)p;
    (void)err;
    if (slash != STR_NPOS) {
        id = str_printf(c->a, "%.*s:%.*s", STR_ARG(id),
                        STR_ARG(str_slice(c->who.arn, slash + 1, c->who.arn.size)));
    }
    xml_add_text(out, "Arn", c->who.arn);
    xml_add_text(out, "UserId", id);
    xml_add_text(out, "Account", c->who.canonical_id);
    return STATUS_OK;
}

static const char *const assume_role_parameters[] = {
    "RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "ExternalId", NULL};
static const char *const session_token_parameters[] = {"DurationSeconds", NULL};
static const char *const no_parameters[] = {NULL};

static const s3_query_action actions[] = {
    {"AssumeRole", assume_role_parameters, assume_role, 0, "any key",
     "a session of one's own, narrowed by `Policy`"},
    {"GetSessionToken", session_token_parameters, get_session_token, 0, "any key",
     "a session of one's own"},
    {"GetCallerIdentity", no_parameters, get_caller_identity, 0, "anyone signed", "who one is"},
};

const s3_query_service s3_service_sts = {
    .name = "sts",
    .version = "2011-06-15",
    .xmlns = "https://sts.amazonaws.com/doc/2011-06-15/",
    .actions = actions,
    .count = COUNT_OF(actions),
};

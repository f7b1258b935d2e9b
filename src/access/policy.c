/* Asking a policy. Its form: policy_parse.c; conditions: policy_condition.c. */
#include "policy_tree.h"

/* --- condition keys --- */

/* Every key that a document may ask for; one that ends in "/" goes on with a name. Some no request here has: then they
 * are absent, as for AWS where they do not apply. */
static const char *const keys[] = {
    "aws:calledvia",
    "aws:currenttime",
    "aws:epochtime",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principaltag/",
    "aws:principaltype",
    "aws:referer",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:tokenissuetime",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
    "aws:vpcsourceip",
    "s3:authtype",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:delimiter",
    "s3:existingobjecttag/",
    "s3:if-match",
    "s3:if-none-match",
    "s3:locationconstraint",
    "s3:max-keys",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-remaining-retention-days",
    "s3:object-lock-retain-until-date",
    "s3:objectcreationoperation",
    "s3:prefix",
    "s3:requestobjecttag/",
    "s3:requestobjecttagkeys",
    "s3:resourceaccount",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:tlsversion",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-content-sha256",
    "s3:x-amz-copy-source",
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-object-ownership",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class",
    "s3:x-amz-website-redirect-location",
};

bool policy_knows_key(str key)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        str known = str_c(keys[i]);
        bool goes_on = str_ends_with(known, STR("/"));

        if (goes_on ? key.size > known.size && str_starts_with_nocase(key, known)
                    : str_equal_nocase(key, known)) {
            return true;
        }
    }
    return false;
}

/* --- who --- */

static bool is_session_of(str arn, const party *p)
{
    static const char kind[] = ":assumed-role/";
    size_t at = str_find(arn, STR(kind));
    str rest;
    str role;

    if (at == STR_NPOS || !str_starts_with(arn, STR("arn:aws:sts::"))) {
        return false;
    }
    role = str_cut(str_slice(arn, at + sizeof(kind) - 1, arn.size), '/', &rest);
    return !str_is_null(rest) && str_equal(role, p->name);
}

static bool is_party(const party *p, const policy_question *q)
{
    if (p->kind == PARTY_EVERYONE) {
        return true;
    }
    if (str_is_empty(q->principal_id)) {
        return false;
    }
    switch (p->kind) {
    case PARTY_ACCOUNT:
        return str_equal(p->account, q->account);
    case PARTY_USER:
        return str_equal(p->account, q->account) && str_equal(p->name, q->user);
    case PARTY_ROLE:
        return str_equal(p->account, q->account) && is_session_of(q->principal_arn, p);
    case PARTY_SESSION:
        return str_equal(p->name, q->principal_arn);
    case PARTY_CANONICAL:
        return str_equal(p->name, q->principal_id);
    case PARTY_EVERYONE:
        break;
    }
    return false;
}

static bool is_meant(const statement *s, const policy_question *q)
{
    bool listed = false;

    if (s->parties == NULL) {
        return true;
    }
    for (size_t i = 0; !listed && i < s->party_count; i++) {
        listed = is_party(&s->parties[i], q);
    }
    return listed != s->not_party;
}

/* --- what --- */

static bool has_action(const statement *s, const policy_question *q)
{
    bool listed = false;

    for (size_t i = 0; !listed && i < s->actions.count; i++) {
        listed = policy__glob(s->actions.items[i], q->action, true);
    }
    return listed != s->not_action;
}

static bool has_resource(const policy *p, const statement *s, const policy_question *q)
{
    bool unknown = false;

    for (size_t i = 0; i < s->resources.count; i++) {
        match found = policy__match(s->resources.items[i], q->resource, false, p->has_variables, q);

        if (found == MATCH_YES) {
            return !s->not_resource;
        }
        unknown = unknown || found == MATCH_UNKNOWN;
    }
    /* What is excluded cannot be told: nothing is allowed by that, and all denied. */
    return s->not_resource && (!unknown || s->denies);
}

static bool conditions_hold(const policy *p, const statement *s, const policy_question *q)
{
    for (size_t i = 0; i < s->condition_count; i++) {
        match found = policy__condition_holds(&s->conditions[i], p->has_variables, q);

        if (found == MATCH_NO || (found == MATCH_UNKNOWN && !s->denies)) {
            return false;
        }
    }
    return true;
}

policy_effect policy_ask(const policy *p, const policy_question *question)
{
    policy_effect effect = POLICY_SILENT;

    for (size_t i = 0; i < p->count; i++) {
        const statement *s = &p->statements[i];

        if (!is_meant(s, question) || !has_action(s, question) || !has_resource(p, s, question) ||
            !conditions_hold(p, s, question)) {
            continue;
        }
        if (s->denies) {
            return POLICY_DENY;
        }
        effect = POLICY_ALLOW;
    }
    return effect;
}

bool policy_is_public(const policy *p)
{
    return p->is_public;
}

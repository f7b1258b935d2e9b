/* The one decision about S3.
 *
 * In this order; the first that says anything is the answer, but for 5:
 *   1. An action that is not in the table is denied; so is everything about a key of the catalog's own folder, to whom
 *      it is hidden from (access_hides_key).
 *   -  A vended session, or a pair that is as narrow, may what its scopes say, unless the bucket's policy denies it;
 *      nothing below gives it more.
 *   2. The session's policy: what it does not allow, or denies, is denied. Nothing below widens it.
 *   3. The bucket's policy denies: denied. The owner's right to read, put and take away the policy itself stands above
 *      that, so that nobody locks himself out by a slip; where the policy was put with the owner's consent to just
 *      that, only the administrator's stands.
 *   4. The owner may: the bucket's, or an object's own (s3_action_scope). Root is the administrator of the server, and
 *      so an owner of everything.
 *   5. The bucket's policy, or an ACL, allows it. A policy gives no more than the bucket's owner has: what an object's
 *      owner kept for himself stays his. A public policy that is restricted, and public grants that are ignored, give
 *      nothing to others.
 *   6. Denied. */
#include "internal.h"
#include "tarn/base/clock.h"

typedef struct decision {
    const s3_question *q;
    const s3_action_info *info;
    policy_question ask;
    arena *scratch;
    str value[1]; /* of a key that is answered here */
} decision;

/* --- condition keys about the caller --- */

static str caller_value(const decision *d, str key)
{
    const s3_identity *who = d->q->who;
    char now[CLOCK_TEXT_SIZE];

    if (str_equal(key, STR("aws:currenttime"))) {
        clock_format_utc(clock_now_us(), 0, now);
        return str_copy(d->scratch, str_c(now));
    }
    if (str_equal(key, STR("aws:epochtime"))) {
        return str_printf(d->scratch, "%lld", (long long)(clock_now_us() / 1000000));
    }
    if (str_equal(key, STR("aws:principaltype"))) {
        return str_is_empty(who->canonical_id) ? STR("Anonymous")
               : who->is_session               ? STR("AssumedRole")
                                               : STR("Account");
    }
    if (str_equal(key, STR("aws:principalisawsservice")) ||
        str_equal(key, STR("aws:viaawsservice"))) {
        return STR("false");
    }
    if (str_equal(key, STR("aws:resourceaccount")) || str_equal(key, STR("s3:resourceaccount"))) {
        return d->q->facts != NULL && !str_is_empty(d->q->facts->owner) ? d->q->facts->owner
                                                                        : STR_NULL;
    }
    if (str_is_empty(who->canonical_id)) {
        return STR_NULL;
    }
    if (str_equal(key, STR("aws:username"))) {
        return who->who.name;
    }
    if (str_equal(key, STR("aws:userid")) || str_equal(key, STR("aws:principalaccount"))) {
        return who->canonical_id;
    }
    return str_equal(key, STR("aws:principalarn")) ? who->arn : STR_NULL;
}

/* Keys that only this file answers, so that no request's header can. */
static bool is_about_the_caller(str key)
{
    static const char *const keys[] = {
        "aws:currenttime",     "aws:epochtime",      "aws:principaltype",
        "aws:username",        "aws:userid",         "aws:principalaccount",
        "aws:principalarn",    "aws:viaawsservice",  "aws:principalisawsservice",
        "aws:resourceaccount", "s3:resourceaccount",
    };

    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (str_equal(key, str_c(keys[i]))) {
            return true;
        }
    }
    return false;
}

static bool values(void *context, str key, const str **ret_values, size_t *ret_count)
{
    decision *d = context;

    if (is_about_the_caller(key)) {
        d->value[0] = caller_value(d, key);
        *ret_values = d->value;
        *ret_count = 1;
        return !str_is_null(d->value[0]);
    }
    return d->q->values != NULL && d->q->values(d->q->context, key, ret_values, ret_count);
}

/* --- who owns what --- */

static bool is_somebody(const s3_identity *who)
{
    return !str_is_empty(who->canonical_id);
}

static bool is_administrator(const s3_identity *who)
{
    return is_somebody(who) && who->who.role == ROLE_ROOT;
}

static bool is_bucket_owner(const decision *d)
{
    const s3_bucket_facts *facts = d->q->facts;

    return facts != NULL && is_somebody(d->q->who) &&
           str_equal(facts->owner, d->q->who->canonical_id);
}

/* Of the object or upload, where it is another's than the bucket's. */
static bool is_foreign(const decision *d)
{
    const s3_question *q = d->q;

    return !q->facts->acls_off && !str_is_empty(q->object_owner) &&
           !str_equal(q->object_owner, q->facts->owner);
}

static bool owns_thing(const decision *d)
{
    return is_foreign(d) && is_somebody(d->q->who) &&
           str_equal(d->q->object_owner, d->q->who->canonical_id);
}

static bool may_in_the_service(const decision *d)
{
    role of = d->q->who->who.role;

    if (!is_somebody(d->q->who)) {
        return false;
    }
    return str_equal(str_c(d->info->name), STR("s3:ListAllMyBuckets")) || of == ROLE_USER ||
           of == ROLE_ROOT;
}

static bool may_as_owner(const decision *d)
{
    if (d->info->scope == S3_OF_SERVICE) {
        return may_in_the_service(d);
    }
    if (d->q->facts == NULL) {
        return false;
    }
    if (is_administrator(d->q->who)) {
        return true;
    }
    switch (d->info->scope) {
    case S3_OF_OBJECT:
        return is_foreign(d) ? owns_thing(d) : is_bucket_owner(d);
    case S3_OF_UPLOAD:
        return is_bucket_owner(d) || owns_thing(d);
    case S3_OF_BUCKET:
    case S3_OF_CONTENTS:
        return is_bucket_owner(d);
    case S3_OF_SERVICE:
        break;
    }
    return false;
}

/* --- what others may --- */

/* A foreign object's owner gave the bucket's owner a right by ACL, and so the bucket's policy may pass it on. */
static bool acl_grants(const s3_acl *acl, str canonical_id, bool public_too, unsigned permission)
{
    for (size_t i = 0; acl != NULL && permission != 0 && i < acl->count; i++) {
        const s3_grant *g = &acl->grants[i];
        bool meant = false;

        switch (g->kind) {
        case GRANTEE_USER:
            meant = !str_is_empty(canonical_id) && str_equal(g->canonical_id, canonical_id);
            break;
        case GRANTEE_EVERYONE:
            meant = public_too;
            break;
        case GRANTEE_AUTHENTICATED:
            meant = public_too && !str_is_empty(canonical_id);
            break;
        case GRANTEE_LOG_DELIVERY:
            break;
        }
        if (meant && (g->permissions & permission) == permission) {
            return true;
        }
    }
    return false;
}

static bool owner_may_pass_on(const decision *d)
{
    const s3_question *q = d->q;

    return d->info->scope != S3_OF_OBJECT || !is_foreign(d) ||
           acl_grants(q->object_acl, q->facts->owner, true, d->info->object_permission);
}

static bool may_by_policy(const decision *d, policy_effect said)
{
    const s3_bucket_facts *facts = d->q->facts;

    if (said != POLICY_ALLOW || !owner_may_pass_on(d)) {
        return false;
    }
    return !facts->block.restrict_public_buckets || !policy_is_public(facts->policy) ||
           is_bucket_owner(d);
}

static bool may_by_acl(const decision *d)
{
    const s3_question *q = d->q;
    const s3_bucket_facts *facts = q->facts;
    bool public_too = !facts->block.ignore_public_acls;

    if (facts->acls_off) {
        return false;
    }
    return acl_grants(&facts->acl, q->who->canonical_id, public_too, d->info->bucket_permission) ||
           acl_grants(q->object_acl, q->who->canonical_id, public_too, d->info->object_permission);
}

/* --- vended sessions --- */

typedef enum vended_thing { VENDED_OBJECT, VENDED_LIST, VENDED_BUCKET } vended_thing;

/* All that a vended session may: what programs that read and write a table's files ask for. No versions, no ACLs, no
 * locks: nothing that outlives the table's own rules. */
static const struct {
    const char *action;
    vended_thing thing;
    bool writes;
} vended[] = {
    {"s3:GetObject", VENDED_OBJECT, false},
    {"s3:GetObjectAttributes", VENDED_OBJECT, false},
    {"s3:GetObjectTagging", VENDED_OBJECT, false},
    {"s3:ListBucket", VENDED_LIST, false},
    {"s3:GetBucketLocation", VENDED_BUCKET, false},
    {"s3:PutObject", VENDED_OBJECT, true},
    {"s3:PutObjectTagging", VENDED_OBJECT, true},
    {"s3:DeleteObject", VENDED_OBJECT, true},
    {"s3:AbortMultipartUpload", VENDED_OBJECT, true},
    {"s3:ListMultipartUploadParts", VENDED_OBJECT, true},
};

static bool scope_lists(const s3_scope *scope, decision *d)
{
    const str *asked = NULL;
    size_t count = 0;

    if (scope->prefix.size == 0) {
        return true;
    }
    if (!values(d, STR("s3:prefix"), &asked, &count) || count != 1) {
        return false;
    }
    return str_starts_with(asked[0], scope->prefix) ||
           (scope->lists_bare &&
            str_equal(asked[0], str_slice(scope->prefix, 0, scope->prefix.size - 1)));
}

/* --- the catalog's own folder --- */

void access_keep_folder(access_control *ac, str folder)
{
    ac->own_bucket = str_cut(folder, '/', &ac->own_folder);
}

bool access_hides_key(const access_control *ac, const s3_identity *who, str bucket, str key)
{
    return ac != NULL && !str_is_empty(ac->own_folder) && str_equal(bucket, ac->own_bucket) &&
           str_starts_with(key, ac->own_folder) && (!is_administrator(who) || who->scopes != NULL);
}

str access_behind_hidden(const access_control *ac, arena *a)
{
    return str_concat(a, ac->own_folder, STR("\xf4\x8f\xbf\xbf")); /* no character is behind it */
}

/* The same of any warehouse that a pair opens. */
static bool is_catalogs(str key)
{
    return str_starts_with(key, STR(".tarn/"));
}

static bool is_in_scopes(decision *d, vended_thing thing, bool writes)
{
    const s3_identity *who = d->q->who;

    for (size_t i = 0; i < who->scope_count; i++) {
        const s3_scope *scope = &who->scopes[i];

        if (!str_equal(scope->bucket, d->q->bucket) || (writes && !scope->write)) {
            continue;
        }
        if (thing == VENDED_BUCKET || (thing == VENDED_LIST && scope_lists(scope, d)) ||
            (thing == VENDED_OBJECT && str_starts_with(d->q->key, scope->prefix) &&
             !is_catalogs(str_slice(d->q->key, scope->prefix.size, d->q->key.size)))) {
            return true;
        }
    }
    return false;
}

static bool is_vended_right(decision *d)
{
    for (size_t i = 0; i < COUNT_OF(vended); i++) {
        if (str_equal(str_c(d->info->name), str_c(vended[i].action))) {
            return is_in_scopes(d, vended[i].thing, vended[i].writes);
        }
    }
    return false;
}

bool access_is_narrowed(const s3_identity *who)
{
    return who->session_policy != NULL || who->scopes != NULL;
}

/* --- the order --- */

static bool is_about_the_policy(const decision *d)
{
    str name = str_c(d->info->name);

    return str_equal(name, STR("s3:GetBucketPolicy")) ||
           str_equal(name, STR("s3:PutBucketPolicy")) ||
           str_equal(name, STR("s3:DeleteBucketPolicy"));
}

static bool stands_above_denial(const decision *d)
{
    if (!is_about_the_policy(d)) {
        return false;
    }
    return is_bucket_owner(d) ? !d->q->facts->policy_binds_owner : is_administrator(d->q->who);
}

static bool is_allowed(decision *d)
{
    const s3_question *q = d->q;
    policy_effect said = POLICY_SILENT;

    if (q->who->session_policy != NULL &&
        policy_ask(q->who->session_policy, &d->ask) != POLICY_ALLOW) {
        return false;
    }
    if (q->facts != NULL && q->facts->policy != NULL) {
        said = policy_ask(q->facts->policy, &d->ask);
    }
    if (q->who->scopes != NULL) {
        return said != POLICY_DENY && is_vended_right(d);
    }
    if (said == POLICY_DENY && !stands_above_denial(d)) {
        return false;
    }
    if (may_as_owner(d)) {
        return true;
    }
    if (q->facts == NULL || str_is_empty(q->facts->owner)) {
        return false;
    }
    return may_by_policy(d, said) || may_by_acl(d);
}

static void prepare(decision *d)
{
    const s3_question *q = d->q;
    bool with_key = !str_is_empty(q->key);

    d->ask = (policy_question){
        .principal_id = q->who->canonical_id,
        .principal_arn = q->who->arn,
        .account = q->who->canonical_id,
        .user = q->who->who.name,
        .action = str_c(d->info->name),
        .resource = str_is_empty(q->bucket)
                        ? STR("arn:aws:s3:::*")
                        : str_printf(d->scratch, "arn:aws:s3:::%.*s%s%.*s", STR_ARG(q->bucket),
                                     with_key ? "/" : "", STR_ARG(q->key)),
        .values = values,
        .context = d,
    };
}

static status deny(const s3_question *q, error *err)
{
    str name = str_is_empty(q->who->canonical_id) ? STR("nobody") : q->who->who.name;

    (void)error_set(err, STATUS_DENIED, "principal \"%.*s\" may not \"%s\" on \"%.*s%s%.*s\"",
                    STR_ARG(name), q->action, STR_ARG(q->bucket), str_is_empty(q->key) ? "" : "/",
                    (int)(q->key.size < 256 ? q->key.size : 256),
                    q->key.data != NULL ? q->key.data : "");
    error_set_s3_code(err, "AccessDenied");
    return STATUS_DENIED;
}

status access_check_s3(access_control *ac, const s3_question *question, error *err)
{
    decision d = {.q = question, .info = access_find_s3_action(str_c(question->action))};
    bool allowed;

    if (d.info == NULL || access_hides_key(ac, question->who, question->bucket, question->key)) {
        return deny(question, err);
    }
    d.scratch = arena_create();
    prepare(&d);
    allowed = is_allowed(&d);
    arena_free(d.scratch);
    return allowed ? STATUS_OK : deny(question, err);
}

/* Sub-resources of a bucket that say who may: its policy, its public access block, and who owns what others write. What
 * they mean is access's; here they are read, checked and kept. ACLs: acl.c. */
#include "s3/handlers.h"

/* ---- the policy ---- */

/* Beside the policy: that it was put with its owner's consent to be bound by it. */
#define BINDS_OWNER "policy-binds-owner"

status s3_policy_get(s3_call *c, error *err)
{
    str text = bucket_document(c->facts->info, "policy");

    if (str_is_null(text)) {
        return s3_fail(err, "NoSuchBucketPolicy", "the bucket has no policy");
    }
    http_respond(c->x, 200, "application/json", text);
    return STATUS_OK;
}

/* Of two documents the binding one is there first and goes last: a policy is never bound to less than it was. */
static status keep_policy(s3_call *c, str text, bool binds_owner, error *err)
{
    storage *st = c->app->storage;

    if (binds_owner) {
        TRY(bucket_set_document(st, c->bucket, BINDS_OWNER, STR("true"), err));
    }
    TRY(bucket_set_document(st, c->bucket, "policy", text, err));
    if (!binds_owner && !str_is_null(bucket_document(c->facts->info, BINDS_OWNER))) {
        TRY(bucket_set_document(st, c->bucket, BINDS_OWNER, STR_NULL, err));
    }
    return STATUS_OK;
}

status s3_policy_put(s3_call *c, error *err)
{
    str confirm = s3_header(c, "x-amz-confirm-remove-self-bucket-access");
    const policy *parsed = NULL;
    str text;

    TRY(s3_read_body(c, POLICY_BYTES_MAX, &text, err));
    TRY(policy_parse(text, POLICY_OF_BUCKET, c->bucket, c->a, &parsed, err));
    if (c->facts->rights.block.block_public_policy && policy_is_public(parsed)) {
        return s3_fail(err, "AccessDenied",
                       "the bucket's public access block forbids public policies");
    }
    TRY(keep_policy(c, text, str_equal_nocase(confirm, STR("true")), err));
    s3_empty(c, 204);
    return STATUS_OK;
}

status s3_policy_delete(s3_call *c, error *err)
{
    TRY(keep_policy(c, STR_NULL, false, err));
    s3_empty(c, 204);
    return STATUS_OK;
}

/* Public by its policy or by its ACL, as far as its block lets either count. */
status s3_policy_status_get(s3_call *c, error *err)
{
    const s3_bucket_facts *rights = &c->facts->rights;
    bool by_policy = rights->policy != NULL && policy_is_public(rights->policy) &&
                     !rights->block.restrict_public_buckets;
    bool by_acl =
        !rights->acls_off && !rights->block.ignore_public_acls && s3_acl_is_public(&rights->acl);
    buf *out = s3_xml_begin(c, "PolicyStatus");

    xml_add_bool(out, "IsPublic", by_policy || by_acl);
    return s3_xml_send(c, 200, "PolicyStatus", out, err);
}

/* ---- the public access block ---- */

/*  element */
static const char *const block_elements[] = {"BlockPublicAcls", "IgnorePublicAcls",
                                             "BlockPublicPolicy", "RestrictPublicBuckets"};

status s3_public_block_get(s3_call *c, error *err)
{
    str text = bucket_document(c->facts->info, "public-access-block");

    if (str_is_null(text)) {
        return s3_fail(err, "NoSuchPublicAccessBlockConfiguration",
                       "the bucket has no public access block");
    }
    http_respond(c->x, 200, "application/xml", text);
    return STATUS_OK;
}

static bool is_block_element(str name)
{
    for (size_t i = 0; i < COUNT_OF(block_elements); i++) {
        if (str_equal(name, str_c(block_elements[i]))) {
            return true;
        }
    }
    return false;
}

status s3_public_block_put(s3_call *c, error *err)
{
    const xml_element *root = NULL;

    TRY(s3_read_xml(c, "PublicAccessBlockConfiguration", &root, err));
    for (const xml_element *e = root->first; e != NULL; e = e->next) {
        str value = str_trim(e->text);

        if (!is_block_element(e->name) ||
            (!str_equal_nocase(value, STR("true")) && !str_equal_nocase(value, STR("false")))) {
            return s3_fail(err, "MalformedXML",
                           "\"%.*s\" is no element of it, or not true or false", STR_ARG(e->name));
        }
    }
    buf *out = s3_xml_begin(c, "PublicAccessBlockConfiguration");
    for (size_t i = 0; i < COUNT_OF(block_elements); i++) {
        if (xml_count(root, block_elements[i]) > 1) {
            return s3_fail(err, "MalformedXML", "%s is given twice", block_elements[i]);
        }
        str value = xml_child_text(root, block_elements[i]);
        xml_add_bool(out, block_elements[i], str_equal_nocase(str_trim(value), STR("true")));
    }
    xml_close(out, "PublicAccessBlockConfiguration");
    TRY(bucket_set_document(c->app->storage, c->bucket, "public-access-block", buf_str(out), err));
    s3_empty(c, 200);
    return STATUS_OK;
}

status s3_public_block_delete(s3_call *c, error *err)
{
    TRY(bucket_set_document(c->app->storage, c->bucket, "public-access-block", STR_NULL, err));
    s3_empty(c, 204);
    return STATUS_OK;
}

/* ---- ownership ---- */

status s3_ownership_get(s3_call *c, error *err)
{
    str text = bucket_document(c->facts->info, "ownership");

    if (str_is_null(text)) {
        return s3_fail(err, "OwnershipControlsNotFoundError", "the bucket has none");
    }
    http_respond(c->x, 200, "application/xml", text);
    return STATUS_OK;
}

/* Only the owner has a grant. */
static bool is_private(const s3_bucket_facts *rights)
{
    for (size_t i = 0; i < rights->acl.count; i++) {
        const s3_grant *g = &rights->acl.grants[i];

        if (g->kind != GRANTEE_USER || !str_equal(g->canonical_id, rights->owner)) {
            return false;
        }
    }
    return true;
}

status s3_ownership_put(s3_call *c, error *err)
{
    static const char *const known[] = {"BucketOwnerEnforced", "BucketOwnerPreferred",
                                        "ObjectWriter"};
    const xml_element *root = NULL;
    bool valid = false;

    TRY(s3_read_xml(c, "OwnershipControls", &root, err));
    str wanted = str_trim(xml_child_text(xml_child(root, "Rule"), "ObjectOwnership"));
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        valid = valid || str_equal(wanted, str_c(known[i]));
    }
    if (!valid || xml_count(root, "Rule") != 1) {
        return s3_fail(err, "MalformedXML", "one Rule with a known ObjectOwnership is expected");
    }
    if (str_equal(wanted, STR("BucketOwnerEnforced")) && !is_private(&c->facts->rights)) {
        return s3_fail(err, "InvalidBucketAclWithObjectOwnership",
                       "the bucket's ACL gives others rights");
    }
    buf *out = s3_xml_begin(c, "OwnershipControls");
    xml_open(out, "Rule");
    xml_add_text(out, "ObjectOwnership", wanted);
    xml_close(out, "Rule");
    xml_close(out, "OwnershipControls");
    TRY(bucket_set_document(c->app->storage, c->bucket, "ownership", buf_str(out), err));
    s3_empty(c, 200);
    return STATUS_OK;
}

status s3_ownership_delete(s3_call *c, error *err)
{
    TRY(bucket_set_document(c->app->storage, c->bucket, "ownership", STR_NULL, err));
    s3_empty(c, 204);
    return STATUS_OK;
}

/* ACLs over the wire: canned ones and grants in headers, documents in XML. What they allow is access's. */
#include "s3/acl.h"

#include "s3/handlers.h"
#include "tarn/base/vec.h"

#define GRANTS_MAX 100
#define XSI "http://www.w3.org/2001/XMLSchema-instance"

typedef VEC(s3_grant) grant_list;

/*  permission        in XML           in a header */
static const struct {
    unsigned bits;
    const char *name, *header;
} permissions[] = {
    {S3_FULL_CONTROL, "FULL_CONTROL", "x-amz-grant-full-control"},
    {S3_READ, "READ", "x-amz-grant-read"},
    {S3_WRITE, "WRITE", "x-amz-grant-write"},
    {S3_READ_ACP, "READ_ACP", "x-amz-grant-read-acp"},
    {S3_WRITE_ACP, "WRITE_ACP", "x-amz-grant-write-acp"},
};

static const struct {
    s3_grantee kind;
    const char *uri;
} groups[] = {
    {GRANTEE_EVERYONE, "http://acs.amazonaws.com/groups/global/AllUsers"},
    {GRANTEE_AUTHENTICATED, "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"},
    {GRANTEE_LOG_DELIVERY, "http://acs.amazonaws.com/groups/s3/LogDelivery"},
};

/* ---- grantees ---- */

static status add_user(s3_call *c, str id, unsigned bits, grant_list *list, error *err)
{
    s3_identity known;
    s3_grant grant = {.kind = GRANTEE_USER, .canonical_id = id, .permissions = bits};

    if (access_find_canonical(c->app->access, id, c->a, &known, NULL) != STATUS_OK) {
        return s3_fail(err, "InvalidArgument", "Invalid id");
    }
    vec_push(c->a, list, grant);
    return STATUS_OK;
}

static status add_group(s3_call *c, str group, unsigned bits, grant_list *list, error *err)
{
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        if (str_equal(group, str_c(groups[i].uri))) {
            s3_grant grant = {.kind = groups[i].kind, .canonical_id = STR(""), .permissions = bits};
            vec_push(c->a, list, grant);
            return STATUS_OK;
        }
    }
    return s3_fail(err, "InvalidArgument", "Invalid group uri");
}

/* ---- headers ---- */

/* id="…", uri="…", emailAddress="…", by commas. */
static status read_grantees(s3_call *c, str header, unsigned bits, grant_list *list, error *err)
{
    for (str rest = header; !str_is_null(rest);) {
        str value;
        str kind = str_trim(str_cut(str_cut(rest, ',', &rest), '=', &value));

        value = str_trim(value);
        if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"') {
            value = str_slice(value, 1, value.size - 1);
        }
        if (str_equal_nocase(kind, STR("id"))) {
            TRY(add_user(c, value, bits, list, err));
        } else if (str_equal_nocase(kind, STR("uri"))) {
            TRY(add_group(c, value, bits, list, err));
        } else if (str_equal_nocase(kind, STR("emailAddress"))) {
            return s3_fail(err, "UnresolvableGrantByEmailAddress",
                           "accounts have no e-mail address");
        } else {
            return s3_fail(err, "InvalidArgument", "Argument format not recognized");
        }
        if (list->count > GRANTS_MAX) {
            return s3_fail(err, "InvalidArgument", "more than %d grants", GRANTS_MAX);
        }
    }
    return STATUS_OK;
}

static status read_headers(s3_call *c, str owner, str bucket_owner, bool *ret_given,
                           s3_acl *ret_acl, error *err)
{
    str canned = s3_header(c, "x-amz-acl");
    grant_list list = {0};
    bool granted = false;

    for (size_t i = 0; i < COUNT_OF(permissions); i++) {
        str header = s3_header(c, permissions[i].header);

        if (!str_is_null(header)) {
            granted = true;
            TRY(read_grantees(c, header, permissions[i].bits, &list, err));
        }
    }
    *ret_given = granted || !str_is_null(canned);
    if (granted && !str_is_null(canned)) {
        return s3_fail(err, "InvalidRequest",
                       "Specifying both Canned ACLs and Header Grants is not allowed");
    }
    *ret_acl = (s3_acl){.grants = list.items, .count = list.count};
    return str_is_null(canned)
               ? STATUS_OK
               : s3_acl_from_canned(canned, owner, bucket_owner, c->a, ret_acl, err);
}

status s3_acl_check(const s3_call *c, str canned, const s3_acl *acl, error *err)
{
    if (c->facts == NULL) {
        return STATUS_OK;
    }
    if (c->facts->rights.acls_off && !str_equal(canned, STR("bucket-owner-full-control"))) {
        return s3_fail(err, "AccessControlListNotSupported", "ACLs are off in the bucket");
    }
    if (c->facts->rights.block.block_public_acls && s3_acl_is_public(acl)) {
        return s3_fail(err, "AccessDenied", "the bucket's public access block forbids public ACLs");
    }
    return STATUS_OK;
}

/* Whether it gives anybody a right but the two who own the thing and its bucket. */
static bool gives_to_others(const s3_acl *acl, str owner, str bucket_owner)
{
    for (size_t i = 0; i < acl->count; i++) {
        const s3_grant *g = &acl->grants[i];

        if (g->kind != GRANTEE_USER ||
            (!str_equal(g->canonical_id, owner) && !str_equal(g->canonical_id, bucket_owner))) {
            return true;
        }
    }
    return false;
}

/* To write is not to say who else may: that is a right of its own. Without policies there is nobody to ask it of: the
 * caller owns the bucket, or writes by an ACL that lets him say it of what is his. */
static status check_right(s3_call *c, str bucket_owner, error *err)
{
    bucket_info made = {.name = c->bucket, .owner = bucket_owner};
    s3_facts to_be = {.info = &made, .rights = {.owner = bucket_owner}};

    if (!access_is_narrowed(&c->who) && (c->facts == NULL || c->facts->rights.policy == NULL)) {
        return STATUS_OK;
    }
    if (c->facts == NULL) {
        return s3_allow(c, "s3:PutBucketAcl", &to_be, STR(""), NULL, err);
    }
    return s3_allow(c, "s3:PutObjectAcl", c->facts, c->key, NULL, err);
}

status s3_acl_of_request(s3_call *c, str owner, str bucket_owner, str *ret_acl, error *err)
{
    s3_acl acl = {0};
    bool given = false;

    *ret_acl = STR_NULL;
    TRY(read_headers(c, owner, bucket_owner, &given, &acl, err));
    if (given) {
        if (gives_to_others(&acl, owner, bucket_owner)) {
            TRY(check_right(c, bucket_owner, err));
        }
        TRY(s3_acl_check(c, s3_header(c, "x-amz-acl"), &acl, err));
        *ret_acl = s3_acl_format(&acl, c->a);
    }
    return STATUS_OK;
}

/* ---- documents ---- */

static unsigned permission_bits(str name)
{
    for (size_t i = 0; i < COUNT_OF(permissions); i++) {
        if (str_equal(name, str_c(permissions[i].name))) {
            return permissions[i].bits;
        }
    }
    return 0;
}

static status read_grant(s3_call *c, const xml_element *grant, grant_list *list, error *err)
{
    const xml_element *grantee = xml_child(grant, "Grantee");
    unsigned bits = permission_bits(str_trim(xml_child_text(grant, "Permission")));
    str id = xml_child_text(grantee, "ID");
    str group = xml_child_text(grantee, "URI");

    if (bits == 0 || grantee == NULL || list->count >= GRANTS_MAX) {
        return s3_fail(err, "MalformedACLError",
                       "a Grant has a Grantee and a known Permission; there are at most %d",
                       GRANTS_MAX);
    }
    if (!str_is_null(xml_child_text(grantee, "EmailAddress"))) {
        return s3_fail(err, "UnresolvableGrantByEmailAddress", "accounts have no e-mail address");
    }
    if (str_is_null(id) == str_is_null(group)) {
        return s3_fail(err, "MalformedACLError", "a Grantee has either ID or URI");
    }
    return str_is_null(id) ? add_group(c, str_trim(group), bits, list, err)
                           : add_user(c, str_trim(id), bits, list, err);
}

static status read_document(s3_call *c, str owner, s3_acl *ret_acl, error *err)
{
    const xml_element *root = NULL;
    grant_list list = {0};

    TRY(s3_read_xml(c, "AccessControlPolicy", &root, err));
    const xml_element *grants = xml_child(root, "AccessControlList");
    str said = str_trim(xml_child_text(xml_child(root, "Owner"), "ID"));
    if (grants == NULL || str_is_empty(said)) {
        return s3_fail(err, "MalformedACLError", "Owner and AccessControlList are expected");
    }
    if (!str_equal(said, owner)) {
        return s3_fail(err, "AccessDenied", "the owner cannot be changed");
    }
    for (const xml_element *g = grants->first; g != NULL; g = g->next) {
        if (!str_equal(g->name, STR("Grant"))) {
            return s3_fail(err, "MalformedACLError", "AccessControlList holds Grants");
        }
        TRY(read_grant(c, g, &list, err));
    }
    *ret_acl = (s3_acl){.grants = list.items, .count = list.count};
    return STATUS_OK;
}

/* From headers or from the body. */
static status read_acl(s3_call *c, str owner, str *ret_text, error *err)
{
    s3_acl acl = {0};
    bool given = false;

    TRY(read_headers(c, owner, c->facts->info->owner, &given, &acl, err));
    if (!given) {
        TRY(read_document(c, owner, &acl, err));
    }
    TRY(s3_acl_check(c, s3_header(c, "x-amz-acl"), &acl, err));
    if (c->facts->rights.acls_off) {
        return s3_fail(err, "AccessControlListNotSupported", "ACLs are off in the bucket");
    }
    *ret_text = s3_acl_format(&acl, c->a);
    return STATUS_OK;
}

static void add_grantee(buf *out, const s3_grant *g)
{
    bool user = g->kind == GRANTEE_USER;

    buf_printf(out, "<Grantee xmlns:xsi=\"" XSI "\" xsi:type=\"%s\">",
               user ? "CanonicalUser" : "Group");
    if (user) {
        xml_add_text(out, "ID", g->canonical_id);
        xml_add_text(out, "DisplayName", g->canonical_id);
    }
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        if (!user && groups[i].kind == g->kind) {
            xml_add_text(out, "URI", str_c(groups[i].uri));
        }
    }
    xml_close(out, "Grantee");
}

static void add_grant(buf *out, const s3_grant *g)
{
    unsigned left = g->permissions;

    for (size_t i = 0; i < COUNT_OF(permissions); i++) {
        if ((left & permissions[i].bits) == permissions[i].bits) {
            left &= ~permissions[i].bits;
            xml_open(out, "Grant");
            add_grantee(out, g);
            xml_add_text(out, "Permission", str_c(permissions[i].name));
            xml_close(out, "Grant");
        }
    }
}

static status send_acl(s3_call *c, str owner, const s3_acl *acl, error *err)
{
    buf *out = s3_xml_begin(c, "AccessControlPolicy");

    s3_add_owner(c, out, "Owner", owner);
    xml_open(out, "AccessControlList");
    for (int users = 0; users <= 1;
         users++) { /* groups first: clients sort by names, which groups lack */
        for (size_t i = 0; i < acl->count; i++) {
            if ((acl->grants[i].kind == GRANTEE_USER) == (users == 1)) {
                add_grant(out, &acl->grants[i]);
            }
        }
    }
    xml_close(out, "AccessControlList");
    return s3_xml_send(c, 200, "AccessControlPolicy", out, err);
}

/* ---- of a bucket ---- */

status s3_bucket_acl_get(s3_call *c, error *err)
{
    const s3_bucket_facts *rights = &c->facts->rights;
    s3_acl acl = rights->acl;

    if (rights->acls_off) {
        TRY(s3_acl_parse(STR(""), rights->owner, c->a, &acl, err));
    }
    return send_acl(c, rights->owner, &acl, err);
}

status s3_bucket_acl_put(s3_call *c, error *err)
{
    str text;

    TRY(read_acl(c, c->facts->rights.owner, &text, err));
    TRY(bucket_set_document(c->app->storage, c->bucket, "acl", text, err));
    s3_empty(c, 200);
    return STATUS_OK;
}

/* ---- of an object ---- */

static status find_object(s3_call *c, error *err)
{
    if (c->object_status != STATUS_OK) {
        *err = c->object_error;
    }
    return c->object_status;
}

/* What nobody owns, and all where ACLs are off, is the bucket's owner's. */
static str owner_of(const s3_call *c)
{
    bool own = !c->facts->rights.acls_off && c->object.attributes.owner.size > 0;

    return own ? c->object.attributes.owner : c->facts->rights.owner;
}

status s3_object_acl_get(s3_call *c, error *err)
{
    s3_acl acl;

    TRY(find_object(c, err));
    TRY(s3_acl_parse(c->facts->rights.acls_off ? STR("") : c->object.attributes.acl, owner_of(c),
                     c->a, &acl, err));
    s3_write_version(c, c->facts, &c->object);
    return send_acl(c, owner_of(c), &acl, err);
}

status s3_object_acl_put(s3_call *c, error *err)
{
    str text;
    str version = c->object.version.size > 0 ? c->object.version : c->version;

    TRY(find_object(c, err));
    TRY(read_acl(c, owner_of(c), &text, err));
    /* Of the version that was asked about, whatever came meanwhile. */
    TRY(object_set_acl(c->app->storage, c->bucket, c->key, version, text, err));
    s3_write_version(c, c->facts, &c->object);
    s3_empty(c, 200);
    return STATUS_OK;
}

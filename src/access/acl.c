/* ACLs: canned ones, and the text in which they are kept with bucket and object: "GRANTEE:PERMISSIONS" by spaces, the
 * permissions as the bits of s3_permission in decimal. What they allow: decide.c. */
#include "internal.h"
#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

#define GRANTS_MAX 100 /* as AWS has it */

typedef VEC(s3_grant) grant_list;

/*  kind                     its name in the text */
static const char *const group_names[] = {
    [GRANTEE_EVERYONE] = "@everyone",
    [GRANTEE_AUTHENTICATED] = "@authenticated",
    [GRANTEE_LOG_DELIVERY] = "@log-delivery",
};

/*  canned                        to whom                      what */
static const struct {
    const char *name;
    int to; /* a grantee, or one of these */
    unsigned permissions;
} canned_grants[] = {
#define TO_NOBODY (-1)
#define TO_BUCKET_OWNER (-2)
    {"private", TO_NOBODY, 0},
    {"public-read", GRANTEE_EVERYONE, S3_READ},
    {"public-read-write", GRANTEE_EVERYONE, S3_READ | S3_WRITE},
    {"authenticated-read", GRANTEE_AUTHENTICATED, S3_READ},
    {"bucket-owner-read", TO_BUCKET_OWNER, S3_READ},
    {"bucket-owner-full-control", TO_BUCKET_OWNER, S3_FULL_CONTROL},
    {"log-delivery-write", GRANTEE_LOG_DELIVERY, S3_WRITE | S3_READ_ACP},
};

static void add_user(grant_list *list, str id, unsigned permissions, arena *a)
{
    const s3_grant grant = {
        .kind = GRANTEE_USER, .canonical_id = str_copy(a, id), .permissions = permissions};

    if (!str_is_empty(id)) {
        vec_push(a, list, grant);
    }
}

status s3_acl_from_canned(str canned, str owner, str bucket_owner, arena *a, s3_acl *ret_acl,
                          error *err)
{
    grant_list list = {0};

    for (size_t i = 0; i < COUNT_OF(canned_grants); i++) {
        int to = canned_grants[i].to;

        if (!str_equal(canned, str_c(canned_grants[i].name))) {
            continue;
        }
        add_user(&list, owner, S3_FULL_CONTROL, a);
        if (to >= 0) {
            const s3_grant grant = {.kind = (s3_grantee)to,
                                    .canonical_id = STR(""),
                                    .permissions = canned_grants[i].permissions};
            vec_push(a, &list, grant);
        } else if (to == TO_BUCKET_OWNER && !str_equal(owner, bucket_owner)) {
            add_user(&list, bucket_owner, canned_grants[i].permissions, a);
        }
        *ret_acl = (s3_acl){.grants = list.items, .count = list.count};
        return STATUS_OK;
    }
    (void)error_set(err, STATUS_INVALID, "canned ACL \"%.*s\" does not exist",
                    (int)(canned.size < 64 ? canned.size : 64),
                    canned.data != NULL ? canned.data : "");
    error_set_s3_code(err, "InvalidArgument");
    return STATUS_INVALID;
}

str s3_acl_format(const s3_acl *acl, arena *a)
{
    buf *out = buf_in(a, LIMIT_MIB);

    for (size_t i = 0; i < acl->count; i++) {
        const s3_grant *g = &acl->grants[i];
        str grantee = g->kind == GRANTEE_USER ? g->canonical_id : str_c(group_names[g->kind]);

        buf_printf(out, "%s%.*s:%u", i == 0 ? "" : " ", STR_ARG(grantee), g->permissions);
    }
    /* An ACL without a grant is not the private one, which is empty text. */
    return acl->count == 0 ? STR("-") : buf_str(out);
}

static status refuse(str text, error *err)
{
    return error_set(err, STATUS_CORRUPT, "ACL \"%.*s\" is not valid",
                     (int)(text.size < 200 ? text.size : 200), text.data);
}

static status parse_grant(str text, arena *a, s3_grant *ret_grant, error *err)
{
    str number;
    str grantee = str_cut(text, ':', &number);
    s3_grant grant = {.kind = GRANTEE_USER};
    uint64_t bits;

    if (str_is_empty(grantee) || str_to_uint64(number, &bits, NULL) != STATUS_OK || bits == 0 ||
        bits > S3_FULL_CONTROL) {
        return refuse(text, err);
    }
    grant.permissions = (unsigned)bits;
    for (size_t i = GRANTEE_USER + 1; i < COUNT_OF(group_names); i++) {
        if (str_equal(grantee, str_c(group_names[i]))) {
            grant.kind = (s3_grantee)i;
        }
    }
    if (grant.kind == GRANTEE_USER && grantee.data[0] == '@') {
        return refuse(text, err);
    }
    grant.canonical_id = grant.kind == GRANTEE_USER ? str_copy(a, grantee) : STR("");
    *ret_grant = grant;
    return STATUS_OK;
}

status s3_acl_parse(str text, str owner, arena *a, s3_acl *ret_acl, error *err)
{
    grant_list list = {0};

    if (str_is_empty(text)) {
        return s3_acl_from_canned(STR("private"), owner, owner, a, ret_acl, err);
    }
    for (str rest = str_equal(text, STR("-")) ? STR_NULL : text; !str_is_null(rest);) {
        s3_grant grant;

        TRY(parse_grant(str_cut(rest, ' ', &rest), a, &grant, err));
        vec_push(a, &list, grant);
        if (list.count > GRANTS_MAX + 1) {
            return refuse(text, err);
        }
    }
    *ret_acl = (s3_acl){.grants = list.items, .count = list.count};
    return STATUS_OK;
}

bool s3_acl_is_public(const s3_acl *acl)
{
    for (size_t i = 0; i < acl->count; i++) {
        if (acl->grants[i].kind == GRANTEE_EVERYONE ||
            acl->grants[i].kind == GRANTEE_AUTHENTICATED) {
            return true;
        }
    }
    return false;
}

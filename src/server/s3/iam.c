/* Identity and Access Management, as far as a store needs it: users and their access keys.
 *
 * A user is a principal of role user, an account of its own. Root makes, lists and removes users and keys; a user sees
 * itself and its own keys; sessions see nothing, so that none makes a key that outlives it. There are no groups, roles,
 * policies of users or identity providers: their lists are empty, and what would make one is no action here.
 *
 * Source: AWS Identity and Access Management API Reference, version 2010-05-08. */
#include "s3/query.h"
#include "tarn/access/access.h"
#include "tarn/base/clock.h"
#include "tarn/base/log.h"

#define ITEMS_DEFAULT 100
#define ITEMS_MAX 1000

/* ---- who may ---- */

static status require_admin(const s3_call *c, error *err)
{
    if (c->who.is_session) {
        return s3_query_fail(err, "AccessDenied", "sessions have no right to users and keys");
    }
    status result = access_check(c->app->access, &c->who.who, ACTION_ACCESS_ADMIN, NULL, err);
    if (result != STATUS_OK) {
        error_set_s3_code(err, "AccessDenied");
    }
    return result;
}

static status require_admin_or_self(const s3_call *c, str name, error *err)
{
    bool is_self = !c->who.is_session && str_equal(name, c->who.who.name);

    return is_self ? STATUS_OK : require_admin(c, err);
}

/* ---- users ---- */

/* The parameter, or the caller's own name. */
static str name_or_self(const s3_call *c, const s3_parameters *p)
{
    str name = s3_parameter(p, "UserName");

    return str_is_null(name) ? c->who.who.name : name;
}

static status need(const s3_parameters *p, const char *name, str *ret_value, error *err)
{
    str value = s3_parameter(p, name);

    if (str_is_empty(value)) {
        (void)error_set(err, STATUS_INVALID, "parameter \"%s\" is missing", name);
        error_set_s3_code(err, "ValidationError");
        return STATUS_INVALID;
    }
    *ret_value = value;
    return STATUS_OK;
}

/* Users, and the caller itself whatever its role. */
static status find_user(const s3_call *c, str name, principal_info *ret_user, error *err)
{
    principal_info *list = NULL;
    size_t count = 0;

    TRY(access_list_principals(c->app->access, c->a, &list, &count, err));
    for (size_t i = 0; i < count; i++) {
        bool meant = list[i].who.role == ROLE_USER || str_equal(name, c->who.who.name);
        if (meant && str_equal(list[i].who.name, name)) {
            *ret_user = list[i];
            return STATUS_OK;
        }
    }
    (void)error_set(err, STATUS_INVALID, "there is no user \"%.*s\"",
                    (int)(name.size < 128 ? name.size : 128), name.data);
    error_set_s3_code(err, "NoSuchEntity");
    return STATUS_INVALID;
}

static void add_user(const s3_call *c, buf *out, const char *element, const principal_info *user)
{
    xml_open(out, element);
    xml_add_text(out, "Path", user->path);
    xml_add_text(out, "UserName", user->who.name);
    xml_add_text(out, "UserId", user->account_id);
    xml_add_text(out, "Arn",
                 str_printf(c->a, "arn:aws:iam::%.*s:user%.*s%.*s", STR_ARG(user->account_id),
                            STR_ARG(user->path), STR_ARG(user->who.name)));
    xml_add_time(out, "CreateDate", user->created_us);
    xml_close(out, element);
}

/* The caller as STS names it: each is the root of its own account. */
static status add_self(const s3_call *c, buf *out, error *err)
{
    principal_info self;

    if (c->who.is_session) {
        return require_admin(c, err);
    }
    TRY(find_user(c, c->who.who.name, &self, err));
    xml_open(out, "User");
    xml_add_text(out, "Path", self.path);
    xml_add_text(out, "UserName", self.who.name);
    xml_add_text(out, "UserId", c->who.canonical_id);
    xml_add_text(out, "Arn", c->who.arn);
    xml_add_time(out, "CreateDate", self.created_us);
    xml_close(out, "User");
    return STATUS_OK;
}

static status user_get(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    str name = s3_parameter(p, "UserName");
    principal_info user;

    if (str_is_null(name)) {
        return add_self(c, out, err);
    }
    TRY(require_admin_or_self(c, name, err));
    TRY(find_user(c, name, &user, err));
    add_user(c, out, "User", &user);
    return STATUS_OK;
}

static status user_create(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    str path = s3_parameter(p, "Path");
    str name;
    principal_info user;

    TRY(require_admin(c, err));
    TRY(need(p, "UserName", &name, err));
    status made =
        access_create_user(c->app->access, name, str_is_null(path) ? STR("/") : path, err);
    if (made == STATUS_EXISTS) {
        return s3_query_fail(err, "EntityAlreadyExists", "a principal of that name is there");
    }
    TRY(made);
    TRY(find_user(c, name, &user, err));
    add_user(c, out, "User", &user);
    return STATUS_OK;
}

static status user_delete(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    s3_key *keys = NULL;
    bucket_info *buckets = NULL;
    size_t count = 0;
    str name;
    principal_info user;

    (void)out;
    TRY(require_admin(c, err));
    TRY(need(p, "UserName", &name, err));
    TRY(find_user(c, name, &user, err));
    TRY(access_list_s3_keys(c->app->access, name, c->a, &keys, &count, err));
    if (count > 0) {
        return s3_query_fail(err, "DeleteConflict", "the user has access keys: remove them first");
    }
    TRY(bucket_list(c->app->storage, user.account_id, STR(""), STR_NULL, 1, c->a, &buckets, &count,
                    err));
    if (count > 0) {
        return s3_query_fail(err, "DeleteConflict", "the user owns buckets: remove them first");
    }
    return access_drop_principal(c->app->access, name, err);
}

/* ---- lists, in pages ---- */

typedef struct page {
    str after; /* the last item of the page before */
    int64_t max, count;
    str last;
    bool truncated;
} page;

static status read_page(const s3_parameters *p, page *ret_page, error *err)
{
    str max = s3_parameter(p, "MaxItems");

    *ret_page = (page){.after = s3_parameter(p, "Marker"), .max = ITEMS_DEFAULT};
    if (!str_is_null(max) && (str_to_int64(max, &ret_page->max, NULL) != STATUS_OK ||
                              ret_page->max < 1 || ret_page->max > ITEMS_MAX)) {
        return s3_query_fail(err, "ValidationError", "MaxItems is from 1 to 1000");
    }
    return STATUS_OK;
}

/* Whether the item, which comes in order, belongs to the page. */
static bool take(page *of, str item)
{
    if (!str_is_null(of->after) && str_compare(item, of->after) <= 0) {
        return false;
    }
    if (of->count == of->max) {
        of->truncated = true;
        return false;
    }
    of->count++;
    of->last = item;
    return true;
}

static void add_page(buf *out, const page *of)
{
    xml_add_bool(out, "IsTruncated", of->truncated);
    if (of->truncated) {
        xml_add_text(out, "Marker", of->last);
    }
}

static status users_list(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    str prefix = s3_parameter(p, "PathPrefix");
    principal_info *list = NULL;
    size_t count = 0;
    page of;

    TRY(require_admin(c, err));
    TRY(read_page(p, &of, err));
    TRY(access_list_principals(c->app->access, c->a, &list, &count, err));
    xml_open(out, "Users");
    for (size_t i = 0; i < count; i++) {
        bool wanted = list[i].who.role == ROLE_USER &&
                      (str_is_null(prefix) || str_starts_with(list[i].path, prefix));
        if (wanted && take(&of, list[i].who.name)) {
            add_user(c, out, "member", &list[i]);
        }
    }
    xml_close(out, "Users");
    add_page(out, &of);
    return STATUS_OK;
}

/* ---- keys ---- */

static void add_key(buf *out, const char *element, const s3_key *key)
{
    bool over = key->inactive || (key->expires_us != 0 && key->expires_us <= clock_now_us());

    xml_open(out, element);
    xml_add_text(out, "UserName", key->principal);
    xml_add_text(out, "AccessKeyId", key->access_key);
    xml_add_text(out, "Status", over ? STR("Inactive") : STR("Active"));
    if (!str_is_empty(key->secret)) {
        xml_add_text(out, "SecretAccessKey", key->secret);
    }
    xml_add_time(out, "CreateDate", key->created_us);
    xml_close(out, element);
}

static status key_create(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    str name = name_or_self(c, p);
    principal_info user;
    s3_key key;

    TRY(require_admin(c, err));
    TRY(find_user(c, name, &user, err));
    TRY(access_create_s3_key(c->app->access, name, 0, c->a, &key, err));
    add_key(out, "AccessKey", &key);
    return STATUS_OK;
}

static status keys_list(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    str name = name_or_self(c, p);
    principal_info user;
    s3_key *keys = NULL;
    size_t count = 0;
    bool after = str_is_null(s3_parameter(p, "Marker"));
    page of;

    TRY(require_admin_or_self(c, name, err));
    TRY(read_page(p, &of, err));
    TRY(find_user(c, name, &user, err));
    TRY(access_list_s3_keys(c->app->access, name, c->a, &keys, &count, err));
    str marker = of.after;
    of.after = STR_NULL; /* they come in the order of their making */
    xml_add_text(out, "UserName", name);
    xml_open(out, "AccessKeyMetadata");
    for (size_t i = 0; i < count; i++) {
        if (after && take(&of, keys[i].access_key)) {
            add_key(out, "member", &keys[i]);
        }
        after = after || str_equal(keys[i].access_key, marker);
    }
    xml_close(out, "AccessKeyMetadata");
    add_page(out, &of);
    return STATUS_OK;
}

/* The key of AccessKeyId, which is the user's of UserName; NoSuchEntity. */
static status find_key(const s3_call *c, const s3_parameters *p, str *ret_key, error *err)
{
    str name = name_or_self(c, p);
    principal_info user;
    s3_key *keys = NULL;
    size_t count = 0;
    str wanted;

    TRY(require_admin(c, err));
    TRY(need(p, "AccessKeyId", &wanted, err));
    TRY(find_user(c, name, &user, err));
    TRY(access_list_s3_keys(c->app->access, name, c->a, &keys, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (str_equal(keys[i].access_key, wanted)) {
            *ret_key = wanted;
            return STATUS_OK;
        }
    }
    return s3_query_fail(err, "NoSuchEntity", "the user has no such access key");
}

static status key_update(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    str key;
    str wanted;

    (void)out;
    TRY(find_key(c, p, &key, err));
    TRY(need(p, "Status", &wanted, err));
    bool active = str_equal(wanted, STR("Active"));
    if (!active && !str_equal(wanted, STR("Inactive"))) {
        return s3_query_fail(err, "ValidationError", "Status is Active or Inactive");
    }
    return access_set_s3_key_active(c->app->access, key, active, err);
}

static status key_delete(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    str key;

    (void)out;
    TRY(find_key(c, p, &key, err));
    return access_drop_s3_key(c->app->access, key, err);
}

/* ---- what there is none of ---- */

static void add_empty(buf *out, const char *element)
{
    xml_open(out, element);
    xml_close(out, element);
    xml_add_bool(out, "IsTruncated", false);
}

static status no_groups(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    (void)p;
    TRY(require_admin(c, err));
    add_empty(out, "Groups");
    return STATUS_OK;
}

static status no_roles(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    (void)p;
    TRY(require_admin(c, err));
    add_empty(out, "Roles");
    return STATUS_OK;
}

static status no_providers(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    (void)p;
    TRY(require_admin(c, err));
    xml_open(out, "OpenIDConnectProviderList");
    xml_close(out, "OpenIDConnectProviderList");
    return STATUS_OK;
}

static status none_of_user(s3_call *c, const s3_parameters *p, buf *out, const char *element,
                           error *err)
{
    principal_info user;
    str name;

    TRY(need(p, "UserName", &name, err));
    TRY(require_admin_or_self(c, name, err));
    TRY(find_user(c, name, &user, err));
    add_empty(out, element);
    return STATUS_OK;
}

static status no_user_policies(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    return none_of_user(c, p, out, "PolicyNames", err);
}

static status no_attached_policies(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    return none_of_user(c, p, out, "AttachedPolicies", err);
}

static status no_user_groups(s3_call *c, const s3_parameters *p, buf *out, error *err)
{
    return none_of_user(c, p, out, "Groups", err);
}

/* ---- the table ---- */

static const char *const of_create_user[] = {"UserName", "Path", NULL};
static const char *const of_user[] = {"UserName", NULL};
static const char *const of_users[] = {"PathPrefix", "Marker", "MaxItems", NULL};
static const char *const of_user_list[] = {"UserName", "PathPrefix", "Marker", "MaxItems", NULL};
static const char *const of_keys[] = {"UserName", "Marker", "MaxItems", NULL};
static const char *const of_key[] = {"UserName", "AccessKeyId", NULL};
static const char *const of_key_update[] = {"UserName", "AccessKeyId", "Status", NULL};
static const char *const of_nothing[] = {NULL};

#define ROOT "root"
#define ROOT_OR_SELF "root, and a user about itself"

/* clang-format off */
static const s3_query_action actions[] = {
    {"CreateUser",                 of_create_user, user_create,          0, ROOT, "make a principal of role user, without a key; no tags, no boundary"},
    {"GetUser",                    of_user,        user_get,             0, ROOT_OR_SELF, "one user; without `UserName` the caller, as the root of its account"},
    {"ListUsers",                  of_users,       users_list,           0, ROOT, "principals of role user, in pages"},
    {"DeleteUser",                 of_user,        user_delete,          S3_QUERY_NO_RESULT, ROOT, "one that has no access keys and no buckets; its bearer keys go with it"},
    {"CreateAccessKey",            of_user,        key_create,           0, ROOT, "a key pair; the secret is told once"},
    {"ListAccessKeys",             of_keys,        keys_list,            0, ROOT_OR_SELF, "a user's keys, in the order of their making"},
    {"UpdateAccessKey",            of_key_update,  key_update,           S3_QUERY_NO_RESULT, ROOT, "`Active` or `Inactive`: out at once, with the sessions it made"},
    {"DeleteAccessKey",            of_key,         key_delete,           S3_QUERY_NO_RESULT, ROOT, "out at once"},
    {"ListUserPolicies",           of_keys,        no_user_policies,     0, ROOT_OR_SELF, "none: rights are given by buckets' policies"},
    {"ListAttachedUserPolicies",   of_user_list,   no_attached_policies, 0, ROOT_OR_SELF, "none"},
    {"ListGroupsForUser",          of_keys,        no_user_groups,       0, ROOT_OR_SELF, "none"},
    {"ListGroups",                 of_users,       no_groups,            0, ROOT, "none: there are no groups"},
    {"ListRoles",                  of_users,       no_roles,             0, ROOT, "none: AssumeRole takes any name"},
    {"ListOpenIDConnectProviders", of_nothing,     no_providers,         0, ROOT, "none"},
};
/* clang-format on */

const s3_query_service s3_service_iam = {
    .name = "iam",
    .version = "2010-05-08",
    .xmlns = "https://iam.amazonaws.com/doc/2010-05-08/",
    .actions = actions,
    .count = COUNT_OF(actions),
};

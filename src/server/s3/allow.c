/* The questions of the S3 door to access_check_s3, and the values that policies' conditions ask for.
 *
 * A condition key that is not known here is absent for the policy. Source: Service Authorization Reference, "Actions,
 * resources, and condition keys for Amazon S3". */
#include <inttypes.h>

#include "s3/s3.h"
#include "tarn/base/clock.h"
#include "tarn/net/form.h"

status s3_allow(s3_call *c, const char *right, const s3_facts *facts, str key,
                const object_info *object, error *err)
{
    s3_acl acl = {0};

    if (object != NULL) {
        TRY(s3_acl_parse(object->attributes.acl, object->attributes.owner, c->a, &acl, err));
    }
    const s3_question question = {
        .who = &c->who,
        .action = right,
        .bucket = facts != NULL ? facts->info->name : c->bucket,
        .key = key,
        .facts = facts != NULL ? &facts->rights : NULL,
        .object_owner = object != NULL ? object->attributes.owner : STR(""),
        .object_acl = object != NULL ? &acl : NULL,
        .values = s3_condition_values,
        .context = c,
    };
    return access_check_s3(c->app->access, &question, err);
}

/* ---- values of conditions ---- */

static bool one(s3_call *c, str value, const str **ret_values, size_t *ret_count)
{
    if (str_is_null(value)) {
        return false;
    }
    str *values = ARENA_ARRAY(c->a, str, 1);
    values[0] = value;
    *ret_values = values;
    *ret_count = 1;
    return true;
}

static bool tag_value(s3_call *c, const object_pair *tags, size_t count, str name,
                      const str **ret_values, size_t *ret_count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(tags[i].name, name)) {
            return one(c, tags[i].value, ret_values, ret_count);
        }
    }
    return false;
}

/* A copy that takes its source's tags along does not look at the header's. */
static bool header_tags_count(s3_call *c)
{
    return s3_header(c, "x-amz-tagging").size > 0 &&
           (str_is_null(s3_header(c, "x-amz-copy-source")) ||
            str_equal(s3_header(c, "x-amz-tagging-directive"), STR("REPLACE")));
}

/* Of the body where the handler has read it, else of the header. */
static void request_tags(s3_call *c, const object_pair **ret_tags, size_t *ret_count)
{
    *ret_tags = c->request_tags;
    *ret_count = c->request_tag_count;
    if (c->request_tags == NULL && header_tags_count(c)) {
        (void)s3_tags_parse(c, s3_header(c, "x-amz-tagging"), ret_tags, ret_count, NULL);
    }
}

static bool tag_keys(s3_call *c, const str **ret_values, size_t *ret_count)
{
    const object_pair *tags = NULL;
    size_t count = 0;

    request_tags(c, &tags, &count);
    str *names = ARENA_ARRAY(c->a, str, count);
    for (size_t i = 0; i < count; i++) {
        names[i] = tags[i].name;
    }
    *ret_values = names;
    *ret_count = count;
    return count > 0;
}

static str peer_address(s3_call *c)
{
    str peer = http_request_peer(c->x);
    size_t colon = str_find_last_char(peer, ':');

    if (colon == STR_NPOS) {
        return STR_NULL;
    }
    str host = str_slice(peer, 0, colon);
    if (str_starts_with(host, STR("[")) && str_ends_with(host, STR("]"))) {
        host = str_slice(host, 1, host.size - 1);
    }
    return host;
}

static str now_text(s3_call *c)
{
    char text[CLOCK_TEXT_SIZE];
    clock_format_utc(clock_now_us(), 0, text);
    return str_copy(c->a, str_c(text));
}

static str epoch_text(s3_call *c)
{
    return str_printf(c->a, "%" PRId64, clock_now_us() / 1000000);
}

static bool is_signed_form(const s3_call *c)
{
    return c->posted != NULL && c->who.canonical_id.size > 0;
}

static str auth_type(s3_call *c)
{
    static const char *const names[] = {
        [SIGNATURE_NONE] = NULL,
        [SIGNATURE_V4_HEADER] = "REST-HEADER",
        [SIGNATURE_V4_QUERY] = "REST-QUERY-STRING",
        [SIGNATURE_V2_QUERY] = "REST-QUERY-STRING",
    };
    return is_signed_form(c) ? STR("POST") : str_c(names[c->signature.kind]);
}

static str signature_version(s3_call *c)
{
    bool is_signed = c->signature.kind != SIGNATURE_NONE || is_signed_form(c);
    bool is_v2 = is_signed_form(c) ? str_is_null(form_value(c->posted, "x-amz-credential"))
                                   : c->signature.kind == SIGNATURE_V2_QUERY;

    return !is_signed ? STR_NULL : is_v2 ? STR("AWS") : STR("AWS4-HMAC-SHA256");
}

#define FORM_SKEW_US (INT64_C(15) * 60 * 1000000) /* of the signer's clock */

/* When a form says that it was signed, on the day of its credential's scope. 0: it does not say. */
static int64_t form_signed_at_us(s3_call *c, int64_t now_us)
{
    str at = form_value(c->posted, "x-amz-date"); /* "20130524T000000Z" */
    str scope = STR_NULL;
    int64_t at_us = 0;

    (void)str_cut(form_value(c->posted, "x-amz-credential"), '/', &scope);
    if (at.size != 16 || at.data[8] != 'T' || at.data[15] != 'Z' || scope.size <= 8 ||
        !str_starts_with(scope, str_slice(at, 0, 8))) {
        return 0;
    }
    str iso = str_printf(c->a, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", at.data, at.data + 4, at.data + 6,
                         at.data + 9, at.data + 11, at.data + 13);
    return s3_parse_iso(iso, &at_us, NULL) == STATUS_OK && at_us <= now_us + FORM_SKEW_US ? at_us
                                                                                          : 0;
}

/* Version 2 does not say when it was signed: it is as old as can be, lest a link that never ends passes for new. */
static str signature_age(s3_call *c)
{
    int64_t now_us = clock_now_us();
    int64_t at_us = c->signature.signed_at_us;

    if (is_signed_form(c)) {
        at_us = form_signed_at_us(c, now_us);
    } else if (c->signature.kind == SIGNATURE_NONE) {
        return STR_NULL;
    }
    return str_printf(c->a, "%" PRId64, (now_us - at_us) / 1000);
}

static str secure_transport(s3_call *c)
{
    (void)c;
    return STR("false");
}

static str user_id(s3_call *c)
{
    return c->who.canonical_id.size > 0 ? c->who.canonical_id : STR_NULL;
}

static str principal_arn(s3_call *c)
{
    return c->who.arn.size > 0 ? c->who.arn : STR_NULL;
}

static str user_name(s3_call *c)
{
    return c->who.who.name.size > 0 ? c->who.who.name : STR_NULL;
}

static str principal_type(s3_call *c)
{
    return c->who.canonical_id.size == 0 ? STR("Anonymous")
           : c->who.is_session           ? STR("AssumedRole")
                                         : STR("Account");
}

static str resource_account(s3_call *c)
{
    return c->facts != NULL ? c->facts->info->owner : STR_NULL;
}

static str version_id(s3_call *c)
{
    return c->asked_version;
}

static str creation_operation(s3_call *c)
{
    return s3_has_param(c, "uploadId") ? STR("false") : STR("true");
}

/* "bucket/key", decoded as the handler decodes it. */
static str copy_source(s3_call *c)
{
    str version = STR_NULL;

    return str_is_null(s3_header(c, "x-amz-copy-source")) ? STR_NULL : s3_source_text(c, &version);
}

/* Whoever asks for a key that is not there asks whether it is in the list. */
static str prefix(s3_call *c)
{
    return c->level == S3_OBJECT ? c->key : s3_param(c, "prefix");
}

static const struct {
    const char *key; /* lower case */
    str (*value)(s3_call *c);
} computed[] = {
    {"s3:prefix", prefix},
    {"aws:sourceip", peer_address},
    {"aws:securetransport", secure_transport},
    {"aws:currenttime", now_text},
    {"aws:epochtime", epoch_text},
    {"aws:userid", user_id},
    {"aws:username", user_name},
    {"aws:principalarn", principal_arn},
    {"aws:principalaccount", user_id},
    {"aws:principaltype", principal_type},
    {"aws:resourceaccount", resource_account},
    {"s3:resourceaccount", resource_account},
    {"s3:authtype", auth_type},
    {"s3:signatureversion", signature_version},
    {"s3:signatureage", signature_age},
    {"s3:versionid", version_id},
    {"s3:objectcreationoperation", creation_operation},
    {"s3:x-amz-copy-source", copy_source},
};

/* Condition keys that are headers or parameters of the request. */
static const struct {
    const char *key, *header, *parameter;
} plain[] = {
    {"aws:useragent", "user-agent", NULL},
    {"aws:referer", "referer", NULL},
    {"s3:delimiter", NULL, "delimiter"},
    {"s3:max-keys", NULL, "max-keys"},
    {"s3:if-none-match", "if-none-match", NULL},
    {"s3:if-match", "if-match", NULL},
    {"s3:object-lock-mode", "x-amz-object-lock-mode", NULL},
    {"s3:object-lock-retain-until-date", "x-amz-object-lock-retain-until-date", NULL},
    {"s3:object-lock-legal-hold", "x-amz-object-lock-legal-hold", NULL},
};

bool s3_condition_values(void *context, str key, const str **ret_values, size_t *ret_count)
{
    s3_call *c = context;
    static const str existing = STR_INIT("s3:existingobjecttag/");
    static const str requested = STR_INIT("s3:requestobjecttag/");
    const object_pair *tags = NULL;
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(computed); i++) {
        if (str_equal(key, str_c(computed[i].key))) {
            return one(c, computed[i].value(c), ret_values, ret_count);
        }
    }
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        if (str_equal(key, str_c(plain[i].key))) {
            str value = plain[i].header != NULL ? s3_header(c, plain[i].header)
                                                : s3_param(c, plain[i].parameter);
            return one(c, value, ret_values, ret_count);
        }
    }
    if (str_starts_with(key, existing)) {
        return c->object_known && c->object_status == STATUS_OK &&
               tag_value(c, c->object.attributes.tags, c->object.attributes.tag_count,
                         str_slice(key, existing.size, key.size), ret_values, ret_count);
    }
    if (str_starts_with(key, requested)) {
        request_tags(c, &tags, &count);
        return tag_value(c, tags, count, str_slice(key, requested.size, key.size), ret_values,
                         ret_count);
    }
    if (str_equal(key, STR("s3:requestobjecttagkeys"))) {
        return tag_keys(c, ret_values, ret_count);
    }
    if (str_starts_with(key, STR("s3:x-amz-"))) { /* the header of that name */
        return one(c, s3_header(c, str_to_c(c->a, str_slice(key, 3, key.size))), ret_values,
                   ret_count);
    }
    return false;
}

/* The policy of a form: expiration and conditions over the fields. */
#include "s3/post.h"

#include "tarn/base/clock.h"
#include "tarn/codec/checksum.h"
#include "tarn/codec/json.h"

typedef struct asking {
    const http_form *form;
    str bucket, key;
    arena *a;
    bool *covered; /* by the index of the field */
    const form_field *fields;
    size_t field_count;
    post_policy *policy;
} asking;

static status unreadable(error *err, const char *why)
{
    return s3_fail(err, "InvalidPolicyDocument", "Invalid Policy: %s", why);
}

static bool as_text(const json *value, str *ret_text)
{
    *ret_text = json_str_or(value, STR_NULL);
    return json_kind_of(value) == JSON_STR;
}

static status refuse(error *err, str name)
{
    return s3_fail(err, "AccessDenied", "Invalid according to Policy: condition on \"%.*s\"",
                   STR_ARG(name));
}

static void cover(const asking *q, str name)
{
    for (size_t i = 0; i < q->field_count; i++) {
        q->covered[i] = q->covered[i] || str_equal_nocase(q->fields[i].name, name);
    }
}

static str value_of(const asking *q, str name)
{
    if (str_equal_nocase(name, STR("bucket"))) {
        return q->bucket;
    }
    if (str_equal_nocase(name, STR("key"))) {
        return q->key;
    }
    return form_value(q->form, str_to_c(q->a, name));
}

static status check_match(const asking *q, str kind, str name, str wanted, error *err)
{
    str value = value_of(q, name);
    value = str_is_null(value) ? STR("") : value;
    cover(q, name);
    if (str_equal(kind, STR("eq"))) {
        return str_equal(value, wanted) ? STATUS_OK : refuse(err, name);
    }
    /* Of a list of types each must begin so. */
    str rest = value;
    bool is_list = str_equal_nocase(name, STR("content-type"));
    while (!str_is_null(rest)) {
        str one = is_list ? str_trim(str_cut(rest, ',', &rest)) : rest;
        rest = is_list ? rest : STR_NULL;
        if (!str_starts_with(one, wanted)) {
            return refuse(err, name);
        }
    }
    return STATUS_OK;
}

static status check_range(const asking *q, const json *list, error *err)
{
    int64_t least = json_int64_or(json_at(list, 1), -1);
    int64_t most = json_int64_or(json_at(list, 2), -1);

    if (json_count(list) != 3 || least < 0 || most < least) {
        return unreadable(err, "content-length-range has two sizes");
    }
    q->policy->size_min = least;
    q->policy->size_max = most;
    return STATUS_OK;
}

/* ["starts-with", "$key", "user/"], ["eq", …], ["content-length-range", 1, 10] */
static status check_list(const asking *q, const json *list, error *err)
{
    str kind = STR_NULL, name = STR_NULL, wanted = STR_NULL;

    if (!as_text(json_at(list, 0), &kind)) {
        return unreadable(err, "a condition begins with its kind");
    }
    kind = str_lower(q->a, kind);
    if (str_equal(kind, STR("content-length-range"))) {
        return check_range(q, list, err);
    }
    if ((!str_equal(kind, STR("eq")) && !str_equal(kind, STR("starts-with"))) ||
        json_count(list) != 3 || !as_text(json_at(list, 1), &name) ||
        !as_text(json_at(list, 2), &wanted) || !str_starts_with(name, STR("$"))) {
        return unreadable(err, "a condition is [\"eq\" or \"starts-with\", \"$field\", \"value\"]");
    }
    return check_match(q, kind, str_slice(name, 1, name.size), wanted, err);
}

static status check_object(const asking *q, const json *object, error *err)
{
    str name, wanted;
    const json *value = NULL;

    if (json_count(object) == 0) {
        return unreadable(err, "an empty condition");
    }
    for (size_t at = 0; json_next_member(object, &at, &name, &value);) {
        if (!as_text(value, &wanted)) {
            return unreadable(err, "a condition's value is a text");
        }
        TRY(check_match(q, STR("eq"), name, wanted, err));
    }
    return STATUS_OK;
}

static status check_conditions(const asking *q, const json *conditions, error *err)
{
    for (size_t i = 0; i < json_count(conditions); i++) {
        const json *one = json_at(conditions, i);
        switch (json_kind_of(one)) {
        case JSON_ARRAY:
            TRY(check_list(q, one, err));
            break;
        case JSON_OBJECT:
            TRY(check_object(q, one, err));
            break;
        default:
            return unreadable(err, "a condition is an object or an array");
        }
    }
    return STATUS_OK;
}

/* What a form may send without being named. */
static bool is_free(str name)
{
    static const char *const names[] = {"x-amz-signature", "signature", "policy",
                                        "awsaccesskeyid",  "file",      "submit"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_equal_nocase(name, str_c(names[i]))) {
            return true;
        }
    }
    return str_starts_with_nocase(name, STR("x-ignore-")) ||
           str_starts_with_nocase(name, STR("x-amz-checksum-"));
}

static status check_all_covered(const asking *q, error *err)
{
    for (size_t i = 0; i < q->field_count; i++) {
        if (!q->covered[i] && !is_free(q->fields[i].name)) {
            return s3_fail(err, "AccessDenied",
                           "Invalid according to Policy: Extra input fields: %.*s",
                           STR_ARG(q->fields[i].name));
        }
    }
    return STATUS_OK;
}

static status check_expiration(const json *root, error *err)
{
    str text;
    int64_t at_us = 0;

    if (!as_text(json_get(root, "expiration"), &text)) {
        return unreadable(err, "it has no expiration");
    }
    if (str_find_char(text, 'T') == STR_NPOS || clock_parse(text, &at_us, NULL) != STATUS_OK) {
        return unreadable(err, "its expiration is no ISO 8601 time");
    }
    if (at_us <= clock_now_us()) {
        return s3_fail(err, "AccessDenied", "Invalid according to Policy: Policy expired.");
    }
    return STATUS_OK;
}

status post_policy_check(str text, const http_form *form, str bucket, str key, arena *a,
                         post_policy *ret_policy, error *err)
{
    str document;
    const json *root = NULL;
    asking q = {.form = form, .bucket = bucket, .key = key, .a = a, .policy = ret_policy};

    if (base64_decode(a, text, &document, NULL) != STATUS_OK ||
        json_parse(document, a, &root, NULL) != STATUS_OK || json_kind_of(root) != JSON_OBJECT) {
        return unreadable(err, "it is no JSON in base64");
    }
    TRY(check_expiration(root, err));
    const json *conditions = json_get(root, "conditions");
    if (conditions == NULL || json_kind_of(conditions) != JSON_ARRAY) {
        return unreadable(err, "it has no conditions");
    }
    q.fields = form_fields(form, &q.field_count);
    q.covered = ARENA_ARRAY(a, bool, q.field_count);
    TRY(check_conditions(&q, conditions, err));
    return check_all_covered(&q, err);
}

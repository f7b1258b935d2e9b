/* Lifecycle rules: read, checked, written, and whether one is about an object. */
#include <inttypes.h>

#include "s3/lifecycle.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"

#define US_A_DAY (INT64_C(86400) * 1000000)
#define ID_MAX 255

typedef VEC(object_pair) pair_list;

static status malformed(error *err, const char *why)
{
    return s3_fail(err, "MalformedXML", "lifecycle rules: %s", why);
}

/* ---- reading ---- */

static status read_number(const xml_element *parent, const char *name, int64_t least,
                          int64_t *ret_value, error *err)
{
    str text = xml_child_text(parent, name);

    if (str_is_null(text)) {
        return STATUS_OK;
    }
    if (str_to_int64(str_trim(text), ret_value, NULL) != STATUS_OK) {
        return malformed(err, "a number is none");
    }
    if (*ret_value < least || *ret_value > INT32_MAX) {
        return s3_fail(err, "InvalidArgument",
                       "'%s' for lifecycle action must be a positive integer", name);
    }
    return STATUS_OK;
}

static status add_tag(const xml_element *tag, arena *a, pair_list *all, error *err)
{
    str name = xml_child_text(tag, "Key");
    str value = xml_child_text(tag, "Value");

    if (name.size == 0 || str_is_null(value)) {
        return malformed(err, "a Tag has a Key and a Value");
    }
    vec_push(a, all, ((object_pair){.name = name, .value = value}));
    return STATUS_OK;
}

static status read_filter(const xml_element *filter, arena *a, lifecycle_rule *rule, error *err)
{
    const xml_element *and = xml_child(filter, "And");
    const xml_element *from = and != NULL ? and : filter;
    pair_list tags = {0};
    str prefix = xml_child_text(from, "Prefix");

    if (and != NULL && (filter->first != and || and->next != NULL)) {
        return malformed(err, "a Filter with an And has nothing beside it");
    }
    rule->has_and = and != NULL;
    rule->prefix = str_is_null(prefix) ? STR("") : prefix;
    for (const xml_element *e = xml_child(from, "Tag"); e != NULL; e = xml_next(e)) {
        TRY(add_tag(e, a, &tags, err));
    }
    if (and == NULL && tags.count > 1) {
        return malformed(err, "several Tags need an And");
    }
    rule->tags = tags.items;
    rule->tag_count = tags.count;
    TRY(read_number(from, "ObjectSizeGreaterThan", 0, &rule->size_greater, err));
    return read_number(from, "ObjectSizeLessThan", 1, &rule->size_less, err);
}

/* At midnight UTC, as S3 has it. */
static status read_date(str text, int64_t *ret_us, error *err)
{
    if (s3_parse_iso(str_trim(text), ret_us, NULL) != STATUS_OK) {
        return malformed(err, "Date is no ISO 8601 date");
    }
    if (*ret_us % US_A_DAY != 0) {
        return s3_fail(err, "InvalidArgument", "'Date' must be at midnight GMT");
    }
    return STATUS_OK;
}

static status read_expiration(const xml_element *element, lifecycle_rule *rule, error *err)
{
    str date = xml_child_text(element, "Date");
    str marker = str_trim(xml_child_text(element, "ExpiredObjectDeleteMarker"));
    int said = 0;

    TRY(read_number(element, "Days", 1, &rule->days, err));
    if (!str_is_null(date)) {
        TRY(read_date(date, &rule->date_us, err));
    }
    if (marker.size > 0 && !str_equal(marker, STR("true")) && !str_equal(marker, STR("false"))) {
        return malformed(err, "ExpiredObjectDeleteMarker is true or false");
    }
    rule->expired_marker = str_equal(marker, STR("true"));
    said = (rule->days > 0) + !str_is_null(date) + (marker.size > 0);
    if (said != 1) {
        return malformed(err, "Expiration has one of Days, Date, ExpiredObjectDeleteMarker");
    }
    return STATUS_OK;
}

static status read_actions(const xml_element *element, lifecycle_rule *rule, error *err)
{
    const xml_element *expiration = xml_child(element, "Expiration");
    const xml_element *noncurrent = xml_child(element, "NoncurrentVersionExpiration");
    const xml_element *abort = xml_child(element, "AbortIncompleteMultipartUpload");

    if (xml_child(element, "Transition") != NULL ||
        xml_child(element, "NoncurrentVersionTransition") != NULL) {
        return s3_fail(err, "NotImplemented", "there is one storage class: no transitions");
    }
    if (expiration == NULL && noncurrent == NULL && abort == NULL) {
        return s3_fail(err, "InvalidRequest",
                       "At least one action needs to be specified in a rule");
    }
    if (expiration != NULL) {
        TRY(read_expiration(expiration, rule, err));
    }
    if (noncurrent != NULL) {
        TRY(read_number(noncurrent, "NoncurrentDays", 1, &rule->noncurrent_days, err));
        TRY(read_number(noncurrent, "NewerNoncurrentVersions", 1, &rule->noncurrent_keep, err));
        if (rule->noncurrent_days == 0) {
            return malformed(err, "NoncurrentVersionExpiration has NoncurrentDays");
        }
    }
    if (abort != NULL) {
        TRY(read_number(abort, "DaysAfterInitiation", 1, &rule->abort_days, err));
        if (rule->abort_days == 0) {
            return malformed(err, "AbortIncompleteMultipartUpload has DaysAfterInitiation");
        }
    }
    return STATUS_OK;
}

static status read_rule(const xml_element *element, arena *a, lifecycle_rule *rule, error *err)
{
    const xml_element *filter = xml_child(element, "Filter");
    const xml_element *prefix = xml_child(element, "Prefix");
    str id = xml_child_text(element, "ID");
    str enabled = str_trim(xml_child_text(element, "Status"));
    char made[37];

    *rule = (lifecycle_rule){.size_greater = -1, .size_less = -1, .prefix = STR("")};
    if (id.size > ID_MAX) {
        return s3_fail(err, "InvalidArgument", "ID length should not exceed allowed limit of 255");
    }
    random_uuid(made);
    rule->id = id.size > 0 ? id : str_copy(a, str_c(made));
    rule->enabled = str_equal(enabled, STR("Enabled"));
    if (!rule->enabled && !str_equal(enabled, STR("Disabled"))) {
        return malformed(err, "Status is Enabled or Disabled");
    }
    if (filter != NULL && prefix != NULL) {
        return malformed(err, "a rule has a Filter or a Prefix");
    }
    rule->old_form = filter == NULL;
    if (filter != NULL) {
        TRY(read_filter(filter, a, rule, err));
    } else if (prefix != NULL) {
        rule->prefix = prefix->text;
    } else {
        return malformed(err, "a rule has a Filter or a Prefix");
    }
    if (str_is_null(rule->prefix)) {
        rule->prefix = STR("");
    }
    return read_actions(element, rule, err);
}

status lifecycle_parse(const xml_element *root, arena *a, lifecycle_rule **ret_rules,
                       size_t *ret_count, error *err)
{
    size_t count = xml_count(root, "Rule");
    size_t at = 0;

    if (count == 0 || count > LIFECYCLE_RULES_MAX) {
        return malformed(err, "there are between 1 and 1000");
    }
    lifecycle_rule *rules = ARENA_ARRAY(a, lifecycle_rule, count);
    for (const xml_element *e = xml_child(root, "Rule"); e != NULL; e = xml_next(e), at++) {
        TRY(read_rule(e, a, &rules[at], err));
        for (size_t i = 0; i < at; i++) {
            if (str_equal(rules[i].id, rules[at].id)) {
                return s3_fail(err, "InvalidArgument",
                               "Rule ID must be unique. Found same ID for more than one rule");
            }
        }
    }
    *ret_rules = rules;
    *ret_count = count;
    return STATUS_OK;
}

/* ---- writing ---- */

static void format_filter(const lifecycle_rule *r, buf *out)
{
    if (r->old_form) {
        xml_add_text(out, "Prefix", r->prefix);
        return;
    }
    bool is_plain = !r->has_and && r->tag_count == 0 && r->size_greater < 0 && r->size_less < 0;

    xml_open(out, "Filter");
    if (r->has_and) {
        xml_open(out, "And");
    }
    if (r->prefix.size > 0 || is_plain) {
        xml_add_text(out, "Prefix", r->prefix);
    }
    for (size_t i = 0; i < r->tag_count; i++) {
        xml_open(out, "Tag");
        xml_add_text(out, "Key", r->tags[i].name);
        xml_add_text(out, "Value", r->tags[i].value);
        xml_close(out, "Tag");
    }
    if (r->size_greater >= 0) {
        xml_add_int(out, "ObjectSizeGreaterThan", r->size_greater);
    }
    if (r->size_less >= 0) {
        xml_add_int(out, "ObjectSizeLessThan", r->size_less);
    }
    if (r->has_and) {
        xml_close(out, "And");
    }
    xml_close(out, "Filter");
}

static void format_expiration(const lifecycle_rule *r, buf *out)
{
    if (r->days == 0 && r->date_us == 0 && !r->expired_marker) {
        return;
    }
    xml_open(out, "Expiration");
    if (r->days > 0) {
        xml_add_int(out, "Days", r->days);
    } else if (r->date_us > 0) {
        xml_add_time(out, "Date", r->date_us);
    } else {
        xml_add_bool(out, "ExpiredObjectDeleteMarker", true);
    }
    xml_close(out, "Expiration");
}

void lifecycle_format(const lifecycle_rule *rules, size_t count, buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const lifecycle_rule *r = &rules[i];
        xml_open(out, "Rule");
        xml_add_text(out, "ID", r->id);
        format_filter(r, out);
        xml_add_text(out, "Status", r->enabled ? STR("Enabled") : STR("Disabled"));
        format_expiration(r, out);
        if (r->noncurrent_days > 0) {
            xml_open(out, "NoncurrentVersionExpiration");
            xml_add_int(out, "NoncurrentDays", r->noncurrent_days);
            if (r->noncurrent_keep > 0) {
                xml_add_int(out, "NewerNoncurrentVersions", r->noncurrent_keep);
            }
            xml_close(out, "NoncurrentVersionExpiration");
        }
        if (r->abort_days > 0) {
            xml_open(out, "AbortIncompleteMultipartUpload");
            xml_add_int(out, "DaysAfterInitiation", r->abort_days);
            xml_close(out, "AbortIncompleteMultipartUpload");
        }
        xml_close(out, "Rule");
    }
}

/* ---- asking ---- */

static bool has_tag(const object_info *info, const object_pair *wanted)
{
    for (size_t i = 0; i < info->attributes.tag_count; i++) {
        const object_pair *tag = &info->attributes.tags[i];
        if (str_equal(tag->name, wanted->name) && str_equal(tag->value, wanted->value)) {
            return true;
        }
    }
    return false;
}

bool lifecycle_fits(const lifecycle_rule *rule, const object_info *info)
{
    if (!rule->enabled || !str_starts_with(info->key, rule->prefix) ||
        (rule->size_greater >= 0 && info->size_bytes <= rule->size_greater) ||
        (rule->size_less >= 0 && info->size_bytes >= rule->size_less)) {
        return false;
    }
    for (size_t i = 0; i < rule->tag_count; i++) {
        if (!has_tag(info, &rule->tags[i])) {
            return false;
        }
    }
    return true;
}

/* Days are whole ones: from the next midnight on. */
int64_t lifecycle_expires_at(const lifecycle_rule *rule, const object_info *info, int64_t day_us)
{
    if (rule->date_us > 0) {
        return rule->date_us;
    }
    if (rule->days == 0) {
        return 0;
    }
    int64_t at_us = info->modified_us + rule->days * day_us;
    int64_t past_us = at_us % day_us;
    return past_us == 0 ? at_us : at_us + day_us - past_us;
}
